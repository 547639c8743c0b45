//===- RecurrentActivations.h - Activations of recurrent operators --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_RECURRENTACTIVATIONS_H
#define WEFT_FRONTEND_ONNX_OPS_RECURRENTACTIVATIONS_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// An activation function of a scalar.
using ActivationBuilder = mlir::Value (*)(mlir::OpBuilder &, mlir::Location, mlir::Value x,
                                          double alpha, double beta);

/// An activation with its parameters.
struct Activation {
  ActivationBuilder build;
  double alpha = 0, beta = 0;
};

/// An activation that nodes can name: whether it takes the next of the node's
/// alphas and betas, and what they are by default.
struct ActivationEntry {
  llvm::StringLiteral name;
  ActivationBuilder build;
  bool takesAlpha, takesBeta;
  double alpha, beta;
};

/// The entry called `name` in any case; null if there is none.
const ActivationEntry *findActivation(llvm::StringRef name);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_RECURRENTACTIVATIONS_H
