# ccache, where it is installed, set up so that a fresh clone hits what another
# checkout built: paths below the source tree are made relative, and precompiled
# headers, which carry paths, count by what they are made of.
find_program(WEFT_CCACHE ccache)
if(WEFT_CCACHE)
  set(WEFT_CCACHE_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${WEFT_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${WEFT_CCACHE_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE_LAUNCHER})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    # CMake's own options pass the header's absolute path by -Xclang.
    set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -include-pch <PCH_FILE>)
  endif()
endif()

# weft_identify_precompiled_header(TARGET HEADER): writes what identifies the
# precompiled header of TARGET to the compiler cache. HEADER may include headers
# of the packages only, whose version stands for them.
function(weft_identify_precompiled_header target header)
  file(SHA256 ${header} sum)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.pch.sum
       CONTENT "${sum} ${MLIR_VERSION} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\n")
endfunction()
