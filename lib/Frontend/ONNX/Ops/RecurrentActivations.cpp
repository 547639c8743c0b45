//===- RecurrentActivations.cpp - Activations of recurrent operators ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/RecurrentActivations.h"

using namespace mlir;
using namespace weft::onnx;

static Value number(OpBuilder &b, Location loc, Value like, double value) {
  return makeScalar(b, loc, like.getType(), value);
}

static Value sigmoid(OpBuilder &b, Location loc, Value x, double = 0, double = 0) {
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  Value one = number(b, loc, x, 1);
  return arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, e));
}

static Value scaledTanh(OpBuilder &b, Location loc, Value x, double alpha, double beta) {
  Value inner = arith::MulFOp::create(b, loc, x, number(b, loc, x, beta));
  return arith::MulFOp::create(b, loc, math::TanhOp::create(b, loc, inner),
                               number(b, loc, x, alpha));
}

static Value linear(OpBuilder &b, Location loc, Value x, double alpha, double beta) {
  return arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, x, number(b, loc, x, alpha)),
                               number(b, loc, x, beta));
}

/// `y` where x >= bound, else `z`.
static Value whereAtLeast(OpBuilder &b, Location loc, Value x, double bound, Value y, Value z) {
  Value bit = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UGE, x, number(b, loc, x, bound));
  return arith::SelectOp::create(b, loc, bit, y, z);
}

static const ActivationEntry kActivations[] = {
    {"Relu",
     [](OpBuilder &b, Location loc, Value x, double, double) -> Value {
       return arith::MaximumFOp::create(b, loc, x, number(b, loc, x, 0));
     },
     false, false, 0, 0},
    {"Tanh",
     [](OpBuilder &b, Location loc, Value x, double, double) -> Value {
       return math::TanhOp::create(b, loc, x);
     },
     false, false, 0, 0},
    {"Sigmoid", sigmoid, false, false, 0, 0},
    {"Affine", linear, true, true, 1, 0},
    {"LeakyRelu",
     [](OpBuilder &b, Location loc, Value x, double alpha, double) -> Value {
       Value scaled = arith::MulFOp::create(b, loc, x, number(b, loc, x, alpha));
       return whereAtLeast(b, loc, x, 0, x, scaled);
     },
     true, false, 0.01, 0},
    {"ThresholdedRelu",
     [](OpBuilder &b, Location loc, Value x, double alpha, double) -> Value {
       return whereAtLeast(b, loc, x, alpha, x, number(b, loc, x, 0));
     },
     true, false, 1, 0},
    {"ScaledTanh", scaledTanh, true, true, 1, 1},
    {"HardSigmoid",
     [](OpBuilder &b, Location loc, Value x, double alpha, double beta) -> Value {
       Value y =
           arith::MaximumFOp::create(b, loc, linear(b, loc, x, alpha, beta), number(b, loc, x, 0));
       return arith::MinimumFOp::create(b, loc, y, number(b, loc, x, 1));
     },
     true, true, 0.2, 0.5},
    {"Elu",
     [](OpBuilder &b, Location loc, Value x, double alpha, double) -> Value {
       Value e = math::ExpM1Op::create(b, loc,
                                       arith::MinimumFOp::create(b, loc, x, number(b, loc, x, 0)));
       return whereAtLeast(b, loc, x, 0, x,
                           arith::MulFOp::create(b, loc, e, number(b, loc, x, alpha)));
     },
     true, false, 1, 0},
    {"Softsign",
     [](OpBuilder &b, Location loc, Value x, double, double) -> Value {
       Value below =
           arith::AddFOp::create(b, loc, number(b, loc, x, 1), math::AbsFOp::create(b, loc, x));
       return arith::DivFOp::create(b, loc, x, below);
     },
     false, false, 0, 0},
    {"Softplus",
     [](OpBuilder &b, Location loc, Value x, double, double) -> Value {
       // max(x, 0) + log(1 + e^-|x|) does not overflow.
       Value e = math::ExpOp::create(
           b, loc, arith::NegFOp::create(b, loc, math::AbsFOp::create(b, loc, x)));
       Value positive = arith::MaximumFOp::create(b, loc, x, number(b, loc, x, 0));
       return arith::AddFOp::create(b, loc, positive, math::Log1pOp::create(b, loc, e));
     },
     false, false, 0, 0},
};

const ActivationEntry *weft::onnx::findActivation(StringRef name) {
  for (const ActivationEntry &entry : kActivations)
    if (entry.name.equals_insensitive(name))
      return &entry;
  return nullptr;
}
