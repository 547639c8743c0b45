# Flags that hold for every target.
add_compile_options(-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -fno-semantic-interposition)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-deprecated-declarations>)
  # Precompiled headers and ccache: see WeftCompilerCache.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
# A fresh clone in another folder gives the same objects.
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
add_link_options(-Wl,--as-needed)
if(NOT WEFT_SANITIZE AND NOT WEFT_FUZZ) # the sanitizers' functions are in the program only
  add_link_options(-Wl,-z,defs)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  find_program(WEFT_LLD ld.lld HINTS /usr/lib/llvm-22/bin)
  if(WEFT_LLD)
    add_link_options(-fuse-ld=${WEFT_LLD})
  endif()
endif()
if(WEFT_SANITIZE)
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()
if(WEFT_FUZZ)
  # For libraries and fuzz targets alike; test/fuzz links the driver.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined
                      -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
