//===- Serialize.h - Device functions as code objects -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_SERIALIZE_H
#define WEFT_TARGETS_GPU_SERIALIZE_H

#include "Package/ObjectEmitter.h"
#include "targets/GPU/Chip.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>

namespace weft::gpu {

/// What a code object says of a device function.
struct Resources {
  int64_t registers = 0;       ///< of a thread
  int64_t scalarRegisters = 0; ///< of a wave, where they are apart
  /// What did not fit in registers: on NVIDIA GPUs bytes that are stored, on AMD GPUs
  /// registers. Scalar ones go to vector registers as long as there are some.
  int64_t spills = 0, scalarSpills = 0;
  int64_t workgroupBytes = 0;
  int64_t privateBytes = 0; ///< memory of a thread
};

/// Code for one chip.
struct DeviceObject {
  mlir::gpu::CompilationTarget format;
  std::string bytes;
  std::string assembly; ///< if it was asked for
  /// By function; empty where nothing says it.
  std::map<std::string, Resources, std::less<>> resources;
};

/// What a family of GPUs does differently.
class Serializer {
public:
  virtual ~Serializer() = default;
  virtual llvm::ArrayRef<Chip> chips() const = 0;
  /// Appends the passes on `gpu.module` that leave what LLVM knows.
  virtual void buildLowering(mlir::OpPassManager &passManager, const Chip &chip) const = 0;
  virtual mlir::Attribute makeTarget(mlir::MLIRContext *context, const Chip &chip,
                                     int64_t optLevel) const = 0;
  virtual llvm::StringRef triple() const = 0;
  /// The end of the name of a file with assembly.
  virtual llvm::StringRef assemblyExtension() const = 0;
  /// `wantsAssembly`: the result has the assembly too.
  virtual llvm::Expected<DeviceObject> emit(llvm::Module &module, const Chip &chip,
                                            const EmitOptions &options,
                                            bool wantsAssembly) const = 0;
};

/// Appends what every GPU lowers alike, to the LLVM dialect and operations of `gpu`.
void buildCommonLowering(mlir::OpPassManager &passManager, const Chip &chip);

/// Replaces each `gpu.module` of `module` by a `gpu.binary` with an object for each
/// chip that `weft.chips` names, or for each of the family's. Their assembly is written to
/// `assemblyFolder`, if there is one. `runPipeline` runs passes on an operation in `module`.
mlir::LogicalResult serialize(
    mlir::ModuleOp module, const Serializer &serializer, llvm::StringRef assemblyFolder,
    llvm::function_ref<mlir::LogicalResult(mlir::OpPassManager &, mlir::Operation *)> runPipeline);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_SERIALIZE_H
