# The core library (libWeft.so) is made of object libraries, one a folder.
#
#   weft_add_library(WeftFuse A.cpp B.cpp)  adds a folder's sources to the core
#   weft_add_tablegen(...)                  declares generated headers
#
# Sources share one precompiled header. Generated headers are complete before
# any source compiles (target weft-headers).

add_custom_target(weft-headers)

add_library(weft-compile-options INTERFACE)
target_include_directories(weft-compile-options SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_include_directories(weft-compile-options INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/lib
  ${PROJECT_BINARY_DIR}/include ${PROJECT_BINARY_DIR})
target_compile_definitions(weft-compile-options INTERFACE ${WEFT_LLVM_DEFINITIONS})
target_compile_options(weft-compile-options INTERFACE -fno-exceptions -fvisibility-inlines-hidden)
if(WEFT_FUZZ)
  # MLIR's headers are most of what is compiled: without the checks that the
  # address sanitizer makes anyway, and that MLIR's libraries know nothing of.
  target_compile_options(weft-compile-options INTERFACE
    -fno-sanitize=alignment,function,null,object-size,vptr)
endif()

# The shared precompiled header.
add_library(weft-pch OBJECT ${PROJECT_SOURCE_DIR}/lib/Support/PrecompiledHeader.cpp)
target_link_libraries(weft-pch PRIVATE weft-compile-options)
target_precompile_headers(weft-pch PRIVATE ${PROJECT_SOURCE_DIR}/lib/Support/PrecompiledHeader.h)
weft_identify_precompiled_header(weft-pch ${PROJECT_SOURCE_DIR}/lib/Support/PrecompiledHeader.h)

function(weft_add_library name)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name} PRIVATE weft-compile-options)
  target_precompile_headers(${name} REUSE_FROM weft-pch)
  add_dependencies(${name} weft-headers)
  set_property(GLOBAL APPEND PROPERTY WEFT_CORE_LIBRARIES ${name})
endfunction()

# weft_add_tablegen(Ops.td target "Ops.h.inc:-gen-op-decls" "Ops.cpp.inc:-gen-op-defs" ...)
function(weft_add_tablegen td target)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(TABLEGEN_OUTPUT)
  foreach(entry ${ARGN})
    string(REPLACE ":" ";" parts "${entry}")
    list(POP_FRONT parts file)
    mlir_tablegen(${file} ${parts} EXTRA_INCLUDES ${MLIR_INCLUDE_DIRS} ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  endforeach()
  add_custom_target(${target} DEPENDS ${TABLEGEN_OUTPUT})
  add_dependencies(weft-headers ${target})
endfunction()

# A program on the core library.
function(weft_add_tool name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE weft-compile-options Weft MLIR LLVM)
  # As the precompiled header is compiled: -fPIC, not a program's -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM weft-pch)
  add_dependencies(${name} weft-headers)
  install(TARGETS ${name} RUNTIME)
endfunction()

include(WeftPlugin)
