//===- Weights.h - Weights as an object file or a .safetensors file -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights never pass through LLVM IR (a 64 MB constant costs it 400 MB) and are
// never held in memory a second time: their bytes, which usually are views of
// mapped files, are written straight to where they go. First the layout is
// planned, which gives the descriptor's table and the hash; then it is written.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKAGE_WEIGHTS_H
#define WEFT_PACKAGE_WEIGHTS_H

#include "Package/ModuleInfo.h"
#include "Package/OutputFile.h"

#include "llvm/ADT/ArrayRef.h"

namespace weft {

/// One weight. `shape` may hold only static extents.
struct Weight {
  std::string name;
  weft_dtype dtype{WEFT_DTYPE_UINT, 8, 1};
  llvm::SmallVector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes; ///< not owned
  /// How `bytes` are packed where that is not row-major elements of `dtype`;
  /// then they are stored as U8 [bytes.size()].
  std::string layout;
};

/// Where everything goes.
struct WeightsPlan {
  /// Offsets, multiples of WEFT_BUFFER_ALIGNMENT, are from the begin of the
  /// section or of the file. Order is that of the weights.
  std::vector<WeightInfo> table;
  uint64_t size = 0; ///< of the section or the whole file
  std::array<uint8_t, 32> hash{};
  /// The file's first bytes: the header's length, then the header, padded.
  std::string header;
};

/// Plans a section. It is not empty if there are weights. The hash is
/// SHA-256 over, for each weight in order, the length of its name (64 bits,
/// little-endian), the name, the number of its bytes (likewise), and the
/// SHA-256 of each 64 MiB of its bytes; it is the same for a section and a
/// file.
llvm::Expected<WeightsPlan> planWeightsSection(llvm::ArrayRef<Weight> weights);

/// Appends an x86-64 ELF object to `output` whose read-only section
/// `.weft.weights` has the hidden symbol `weft_weights`.
llvm::Error writeWeightsObject(const WeightsPlan &plan, llvm::ArrayRef<Weight> weights,
                               OutputFile &output);

/// Plans a standard .safetensors file. Gaps that alignment needs are tensors
/// `weft.pad.N` of type U8, since readers refuse holes. `__metadata__` has
/// `weft.hash` (64 hexadecimal digits), `weft.compiler`, and `weft.layout.NAME`
/// for weights with a layout. Types that the format does not know are stored as
/// U8. Fails on duplicate names and where shape, type and bytes disagree.
llvm::Expected<WeightsPlan> planSafetensors(llvm::ArrayRef<Weight> weights,
                                            llvm::StringRef compilerVersion);

/// Appends the file to `output`.
llvm::Error writeSafetensors(const WeightsPlan &plan, llvm::ArrayRef<Weight> weights,
                             OutputFile &output);

} // namespace weft

#endif // WEFT_PACKAGE_WEIGHTS_H
