//===- AddFooter.cpp - Appends a module footer to a shared object -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Base/Checksum.h"
#include "weft-runtime/module.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: add-footer INPUT OUTPUT\n");
    return 2;
  }
  std::ifstream input(argv[1], std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(input), {}};
  weft_footer footer = {};
  footer.magic = WEFT_MODULE_MAGIC;
  footer.size = bytes.size() + sizeof(footer);
  footer.checksum =
      weft::crc32c(0, {reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()});
  footer.abi_major = WEFT_MODULE_ABI_MAJOR;
  footer.abi_minor = WEFT_MODULE_ABI_MINOR;
  bytes.append(reinterpret_cast<const char *>(&footer), sizeof(footer));
  std::ofstream output(argv[2], std::ios::binary | std::ios::trunc);
  output << bytes;
  return input && output.flush() ? 0 : 1;
}
