# Writes weft/Fingerprint.h: a hash of the contents of the public headers, which
# is Weft's part of the plugin fingerprint (weft/Plugin.h adds LLVM's and the
# compiler's). Run at build time, by
#   cmake -DOUTPUT=... -DSOURCE_DIR=... -DHEADERS=a;b;c -P WeftFingerprint.cmake
# Headers are named relative to SOURCE_DIR, so that every checkout of the same
# headers has the same fingerprint.
list(SORT HEADERS)
set(all "")
foreach(header ${HEADERS})
  file(SHA256 ${SOURCE_DIR}/${header} hash)
  string(APPEND all "${header} ${hash}\n")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUTPUT}.new "// Generated: a hash of Weft's public headers, for weft/Plugin.h.
#ifndef WEFT_FINGERPRINT_H
#define WEFT_FINGERPRINT_H
#define WEFT_HEADERS_HASH \"${hash}\"
#endif // WEFT_FINGERPRINT_H
")
file(COPY_FILE ${OUTPUT}.new ${OUTPUT} ONLY_IF_DIFFERENT)
file(REMOVE ${OUTPUT}.new)
