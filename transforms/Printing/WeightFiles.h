//===- WeightFiles.h - The weights of printed modules -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Printed IR names the files in which its weights lie, so that it can be loaded
// again. The module's attribute `weft.weight_files` is a list with an entry for
// each file:
//
//   {path = "/models/bert.onnx", checksum = "9f86d081884c7d65", keys = ["a", "b"],
//    ranges = array<i64: 4096, 1024, 8192, 64>}
//
// `path` is absolute; a file that is not there, or has changed, is looked for
// beside the printed module. `ranges` has offset and length in bytes of each
// key, `checksum` is XXH3-64 over the XXH3-64 of each key's bytes.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_PRINTING_WEIGHTFILES_H
#define WEFT_TRANSFORMS_PRINTING_WEIGHTFILES_H

#include "Package/Weights.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace weft {

/// Maps the files that `module`, which was read from `folder`, names, and adds
/// their weights to the weight store. Does nothing for those that are there
/// already. Fails where a file is missing, too short or has changed, and where
/// a weight that the module uses has another size than its type.
llvm::Error loadWeightFiles(mlir::ModuleOp module, llvm::StringRef folder);

/// Sets `weft.weight_files`. Of weights that are in no file but the spill file
/// it says that they are in `spillCopy`, which WeightStore::copySpill can make;
/// if that is empty they are left out. Returns how many were.
unsigned nameWeightFiles(mlir::ModuleOp module, llvm::StringRef spillCopy);

/// Sets `weft.weight_files` before `module` is printed to `path`; "-" or what is
/// not a regular file is a stream. Weights that the compiler has computed and
/// that no file has are written to `path`.safetensors; of streams, they are left
/// out. Returns how many were.
llvm::Expected<unsigned> saveWeightFiles(mlir::ModuleOp module, llvm::StringRef path);

/// A weight as it is written to files.
Weight makeWeight(WeightAttr weight, llvm::ArrayRef<uint8_t> bytes);

/// The element type's own dtype, for tensors that no frontend named.
weft_dtype dtypeOf(mlir::Type type);

/// Makes the store forget the weights that `module` does not use.
void releaseUnusedWeights(mlir::ModuleOp module);

} // namespace weft

#endif // WEFT_TRANSFORMS_PRINTING_WEIGHTFILES_H
