//===- ABI.h - The module ABI as LLVM dialect types -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mirrors include/weft-runtime/module.h for the code generator. A unit test
// compares the offsets with the header's.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_CPU_ABI_H
#define WEFT_TARGETS_CPU_ABI_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"

namespace weft::cpu {

/// Byte offsets of the fields of `weft_env`.
enum EnvOffset : int32_t {
  MaxWorkers = 4,
  Arena = 16,
  Weights = 24,
  Cancelled = 32,
  Dispatch = 40,
  ParallelFor = 48,
  Alloc = 56,
  Release = 64,
  Output = 72,
  Fail = 80,
  DeviceArena = 88,
  DeviceWeights = 96,
  DeviceAlloc = 104,
  DeviceRelease = 112,
  Launch = 120,
  Transfer = 128,
};

/// Builds LLVM operations that access the ABI's structures.
struct ABIBuilder {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Type ptr() const { return mlir::LLVM::LLVMPointerType::get(b.getContext()); }
  mlir::Type i64() const { return b.getI64Type(); }
  mlir::Type i32() const { return b.getI32Type(); }
  mlir::Value constant(mlir::Type type, int64_t value) const;
  /// The field of type `type` at a byte offset of the environment.
  mlir::Value loadField(mlir::Value env, int32_t offset, mlir::Type type) const;
  /// Element `index` of an array of 8-byte values.
  mlir::Value loadElement(mlir::Value array, int64_t index, mlir::Type type) const;
  void storeElement(mlir::Value array, int64_t index, mlir::Value value) const;
  /// Calls the function that the environment has at `offset`.
  mlir::Value callField(mlir::Value env, int32_t offset, mlir::Type result,
                        mlir::ValueRange arguments) const;
  /// The same, of a function without result.
  void callProcedure(mlir::Value env, int32_t offset, mlir::ValueRange arguments) const;
  /// A contiguous memref of type `type` at `address`; `sizes` are the dynamic
  /// extents as i64.
  mlir::Value memref(mlir::MemRefType type, mlir::Value address, mlir::ValueRange sizes) const;
  /// The address of the first element of a contiguous memref.
  mlir::Value address(mlir::Value memref) const;
  /// Conversion between index and i64.
  mlir::Value toIndex(mlir::Value value) const;
  mlir::Value fromIndex(mlir::Value value) const;
};

} // namespace weft::cpu

#endif // WEFT_TARGETS_CPU_ABI_H
