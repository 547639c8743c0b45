//===- Audio.h - The audio dialect and its pass ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef AUDIO_AUDIO_H
#define AUDIO_AUDIO_H

#include "weft/Dialect/Weft/Weft.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"

#include "AudioDialect.h.inc"
#define GET_OP_CLASSES
#include "AudioOps.h.inc"

namespace audio {

#define GEN_PASS_DECL
#include "AudioPasses.h.inc"

/// Builds the operation in linalg at `builder`, and returns its result.
mlir::Value lowerSnake(SnakeOp op, mlir::OpBuilder &builder, bool useCosine);

} // namespace audio

#endif // AUDIO_AUDIO_H
