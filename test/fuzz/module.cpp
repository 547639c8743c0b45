//===- module.cpp - Fuzzes what reads module and weights files ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Module headers through weft_module_check_memory: as they are, and behind a
// footer that is right, so that the ELF checks are reached. Weights headers
// through the metadata scanner.
//
//===----------------------------------------------------------------------===//

#include "Base/Checksum.h"
#include "Weights.h"
#include "weft-runtime/runtime.h"

#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  weft_error_free(weft_module_check_memory(data, size, "fuzz"));

  weft_footer footer = {};
  footer.magic = WEFT_MODULE_MAGIC;
  footer.size = size + sizeof(footer);
  footer.checksum = weft::crc32c(0, {data, size});
  footer.abi_major = WEFT_MODULE_ABI_MAJOR;
  std::string bytes(reinterpret_cast<const char *>(data), size);
  bytes.append(reinterpret_cast<const char *>(&footer), sizeof(footer));
  weft_error_free(weft_module_check_memory(bytes.data(), bytes.size(), "fuzz"));

  const char *value = nullptr;
  uint64_t valueSize = 0;
  const auto *json = reinterpret_cast<const char *>(data);
  if (weft::runtime::findMetadata(json, size, "weft.hash", value, valueSize) ==
      weft::runtime::Metadata::Found) {
    // What was found lies inside the text.
    if (value < json || value + valueSize > json + size)
      __builtin_trap();
  }
  return 0;
}
