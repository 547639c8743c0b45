//===- NVPTXTarget.cpp - NVIDIA GPUs --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/GPUTarget.h"
#include "weft/Registry.h"

using namespace mlir;
using namespace weft;

namespace {
/// Compiles for NVIDIA GPUs through LLVM's NVPTX backend.
class NVPTXTarget : public GPUTarget {
public:
  StringRef name() const override { return "nvptx"; }
  StringRef description() const override { return "NVIDIA GPUs, through LLVM and PTX"; }
};
} // namespace

namespace weft {

LogicalResult registerNVPTXTarget(Registrar &registrar) {
  registrar.addTarget(std::make_unique<NVPTXTarget>());
  return success();
}

} // namespace weft
