# ccache, where it is installed, set up so that a fresh clone hits what another
# checkout built: paths below the source tree are made relative, and precompiled
# headers do not carry their time of creation.
find_program(WEFT_CCACHE ccache)
if(WEFT_CCACHE)
  set(WEFT_CCACHE_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${WEFT_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${WEFT_CCACHE_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE_LAUNCHER})
endif()
