# The plugin interface's part of the build: the fingerprint of the public
# headers, the list of what is built in, and the install tree that an
# out-of-tree plugin is built against.
#
#   weft_add_builtin(<name> <function>)  registers a built-in: `function` is a
#     mlir::LogicalResult weft::<function>(weft::Registrar &) of the core library
#   weft_add_target(<name> <function> <library> sources...)  a target: built in
#     like that, or a library to load if WEFT_LOADABLE_TARGETS names it

# The public headers, relative to the source tree.
file(GLOB_RECURSE WEFT_PUBLIC_HEADERS CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/include/weft/*.h
  ${PROJECT_SOURCE_DIR}/dialects/*/IR/*.h ${PROJECT_SOURCE_DIR}/dialects/*/IR/*.td)
set(WEFT_PUBLIC_HEADER_FILES ${WEFT_PUBLIC_HEADERS})
list(TRANSFORM WEFT_PUBLIC_HEADER_FILES PREPEND ${PROJECT_SOURCE_DIR}/)

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include/weft)
add_custom_command(
  OUTPUT ${PROJECT_BINARY_DIR}/include/weft/Fingerprint.stamp
  BYPRODUCTS ${PROJECT_BINARY_DIR}/include/weft/Fingerprint.h
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${PROJECT_BINARY_DIR}/include/weft/Fingerprint.h
    -DSOURCE_DIR=${PROJECT_SOURCE_DIR} "-DHEADERS=${WEFT_PUBLIC_HEADERS}"
    -P ${PROJECT_SOURCE_DIR}/cmake/WeftFingerprint.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/include/weft/Fingerprint.stamp
  DEPENDS ${WEFT_PUBLIC_HEADER_FILES} ${PROJECT_SOURCE_DIR}/cmake/WeftFingerprint.cmake
  COMMENT "Hashing the public headers" VERBATIM)
add_custom_target(weft-fingerprint DEPENDS ${PROJECT_BINARY_DIR}/include/weft/Fingerprint.stamp)
add_dependencies(weft-headers weft-fingerprint)

function(weft_add_builtin name function)
  set_property(GLOBAL APPEND PROPERTY WEFT_BUILTINS "WEFT_BUILTIN(\"${name}\", ${function})")
endfunction()

set(WEFT_LOADABLE_TARGETS "" CACHE STRING
  "Targets (cpu, ...) that become libraries for --load-plugin instead of parts of the core")

function(weft_add_target name function library)
  if(NOT name IN_LIST WEFT_LOADABLE_TARGETS)
    weft_add_library(${library} ${ARGN})
    weft_add_builtin(${name} ${function})
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}Plugin.cpp CONTENT [[
#include "weft/Plugin.h"
namespace weft {
mlir::LogicalResult @function@(Registrar &registrar);
}
WEFT_PLUGIN("@name@", "@PROJECT_VERSION@", weft::@function@);
]] @ONLY)
  add_library(${library} MODULE ${ARGN} ${CMAKE_CURRENT_BINARY_DIR}/${name}Plugin.cpp)
  target_link_libraries(${library} PRIVATE weft-compile-options Weft MLIR LLVM)
  target_precompile_headers(${library} REUSE_FROM weft-pch)
  add_dependencies(${library} weft-headers)
  set_target_properties(${library} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/weft/plugins)
  install(TARGETS ${library} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/weft/plugins)
endfunction()

# Called once, after every folder has been read: writes weft/Builtins.inc.
function(weft_write_builtins)
  get_property(builtins GLOBAL PROPERTY WEFT_BUILTINS)
  list(JOIN builtins "\n" builtins)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/include/weft/Builtins.inc CONTENT "${builtins}\n" @ONLY)
endfunction()

#===------------------------------------------------------------------------===#
# The install tree
#===------------------------------------------------------------------------===#

if(NOT WEFT_BUILD_COMPILER)
  return()
endif()

include(CMakePackageConfigHelpers)
set(WEFT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Weft)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/weft/Fingerprint.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft)
# Dialects' headers move from dialects/<D>/IR/ to weft/Dialect/<D>/, and so do
# the includes in them.
install(CODE "
  set(SOURCE_DIR \"${PROJECT_SOURCE_DIR}\")
  set(BINARY_DIR \"${PROJECT_BINARY_DIR}\")
  set(INCLUDE_DIR \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")
  include(\"${PROJECT_SOURCE_DIR}/cmake/WeftInstallDialects.cmake\")")

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/WeftConfig.cmake.in
  ${PROJECT_BINARY_DIR}/WeftConfig.cmake INSTALL_DESTINATION ${WEFT_PACKAGE_DIR}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/WeftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/WeftConfig.cmake ${PROJECT_BINARY_DIR}/WeftConfigVersion.cmake
  DESTINATION ${WEFT_PACKAGE_DIR})
install(EXPORT WeftTargets NAMESPACE Weft:: DESTINATION ${WEFT_PACKAGE_DIR})
