//===- LowerToLinalg.cpp - Replaces audio operations by linalg ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Audio.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace audio {
#define GEN_PASS_DEF_LOWERTOLINALG
#include "AudioPasses.h.inc"
} // namespace audio

namespace {
struct LowerToLinalg : audio::impl::LowerToLinalgBase<LowerToLinalg> {
  using LowerToLinalgBase::LowerToLinalgBase;

  void runOnOperation() final {
    getOperation()->walk([&](audio::SnakeOp op) {
      OpBuilder builder(op);
      op.replaceAllUsesWith(audio::lowerSnake(op, builder, useCosine));
      op.erase();
    });
  }
};
} // namespace
