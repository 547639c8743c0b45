# Part of the installation: copies the headers, TableGen files and generated
# headers of dialects/<D>/IR/ to weft/Dialect/<D>/ and rewrites the includes
# among them. Expects SOURCE_DIR, BINARY_DIR and INCLUDE_DIR.
function(install_dialect_files tree)
  foreach(file ${ARGN})
    string(REGEX REPLACE "^dialects/([^/]+)/IR/" "weft/Dialect/\\1/" installed ${file})
    file(READ ${tree}/${file} content)
    string(REGEX REPLACE "\"dialects/([A-Za-z0-9]+)/IR/" "\"weft/Dialect/\\1/" content "${content}")
    file(WRITE ${INCLUDE_DIR}/${installed}.new "${content}")
    file(COPY_FILE ${INCLUDE_DIR}/${installed}.new ${INCLUDE_DIR}/${installed} ONLY_IF_DIFFERENT)
    file(REMOVE ${INCLUDE_DIR}/${installed}.new)
    message(STATUS "Installing: ${INCLUDE_DIR}/${installed}")
  endforeach()
endfunction()

file(GLOB sources RELATIVE ${SOURCE_DIR} ${SOURCE_DIR}/dialects/*/IR/*.h ${SOURCE_DIR}/dialects/*/IR/*.td)
install_dialect_files(${SOURCE_DIR} ${sources})
file(GLOB generated RELATIVE ${BINARY_DIR} ${BINARY_DIR}/dialects/*/IR/*.h.inc)
install_dialect_files(${BINARY_DIR} ${generated})
