# The target weft-docs: a page for each dialect and one for all passes, written by
# TableGen from their documentation, in <build>/docs.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

find_program(WEFT_MLIR_TBLGEN mlir-tblgen HINTS ${LLVM_TOOLS_BINARY_DIR} REQUIRED)
set(WEFT_TBLGEN_INCLUDES -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include)
foreach(folder ${MLIR_INCLUDE_DIRS})
  list(APPEND WEFT_TBLGEN_INCLUDES -I${folder})
endforeach()
add_custom_target(weft-docs)

# weft_add_page(PAGE SOURCE ARGUMENT...)
function(weft_add_page page source)
  set(output ${PROJECT_BINARY_DIR}/docs/${page}.md)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/docs
    COMMAND ${WEFT_MLIR_TBLGEN} ${ARGN} ${WEFT_TBLGEN_INCLUDES} ${PROJECT_SOURCE_DIR}/${source} -o ${output}
    DEPENDS ${PROJECT_SOURCE_DIR}/${source} VERBATIM)
  add_custom_target(weft-docs-${page} DEPENDS ${output})
  add_dependencies(weft-docs weft-docs-${page})
endfunction()

foreach(name Weft LowP Sparse MoE SSM Attn)
  string(TOLOWER ${name} dialect)
  weft_add_page(${dialect} dialects/${name}/IR/${name}Ops.td -gen-dialect-doc -dialect=${dialect})
endforeach()

file(GLOB_RECURSE passes CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/dialects/*/Passes.td ${PROJECT_SOURCE_DIR}/transforms/*/Passes.td
  ${PROJECT_SOURCE_DIR}/targets/*/Passes.td)
foreach(source ${passes})
  get_filename_component(folder ${source} DIRECTORY)
  string(REPLACE "/Transforms" "" folder ${folder})
  string(REGEX REPLACE "^(dialects|transforms|targets)/" "" page ${folder})
  string(TOLOWER passes-${page} page)
  weft_add_page(${page} ${source} -gen-pass-doc)
endforeach()
