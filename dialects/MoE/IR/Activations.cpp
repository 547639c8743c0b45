//===- Activations.cpp - The activations of experts -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/Activations.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace weft;
using namespace weft::moe;

namespace {
/// Arithmetic on scalars of one float type.
struct Scalars {
  ReferenceBuilder m;
  Type type;

  Value number(double value) const { return m.number(type, value); }
  Value add(Value x, Value y) const { return arith::AddFOp::create(m.b, m.loc, x, y); }
  Value mul(Value x, Value y) const { return arith::MulFOp::create(m.b, m.loc, x, y); }
  Value least(Value x, double limit) const {
    return arith::MinimumFOp::create(m.b, m.loc, x, number(limit));
  }
  Value most(Value x, double limit) const {
    return arith::MaximumFOp::create(m.b, m.loc, x, number(limit));
  }
  /// x / (1 + exp(-alpha * x))
  Value silu(Value x, double alpha) const {
    Value scaled = alpha == 1 ? x : mul(number(alpha), x);
    Value power = math::ExpOp::create(m.b, m.loc, arith::NegFOp::create(m.b, m.loc, scaled));
    return arith::DivFOp::create(m.b, m.loc, x, add(number(1), power));
  }
  Value gelu(Value x) const {
    Value erf = math::ErfOp::create(m.b, m.loc, mul(x, number(std::numbers::sqrt2 / 2)));
    return mul(mul(number(0.5), x), add(number(1), erf));
  }
  Value geluTanh(Value x) const {
    Value cube = mul(mul(x, x), x);
    Value inner = mul(number(std::numbers::sqrt2 * std::numbers::inv_sqrtpi),
                      add(x, mul(number(0.044715), cube)));
    Value tanh = math::TanhOp::create(m.b, m.loc, inner);
    return mul(mul(number(0.5), x), add(number(1), tanh));
  }
};
} // namespace

static Value activate(const Scalars &s, const Activation &activation, Value x) {
  switch (activation.kind) {
  case ActivationKind::Identity:
    return x;
  case ActivationKind::Relu:
    return s.most(x, 0);
  case ActivationKind::SquaredRelu: {
    Value positive = s.most(x, 0);
    return s.mul(positive, positive);
  }
  case ActivationKind::Silu:
    return s.silu(x, activation.alpha);
  case ActivationKind::Gelu:
    return s.gelu(x);
  case ActivationKind::GeluTanh:
    return s.geluTanh(x);
  }
  llvm_unreachable("all kinds are handled");
}

Value moe::buildActivation(OpBuilder &b, Location loc, const Activation &activation,
                           ValueRange sums) {
  Scalars s{ReferenceBuilder(b, loc), sums[0].getType()};
  Value gate = sums[0];
  if (activation.limit)
    gate = s.least(gate, *activation.limit);
  Value result = activate(s, activation, gate);
  if (sums.size() == 1)
    return result;
  Value other = sums[1];
  if (activation.limit)
    other = s.most(s.least(other, *activation.limit), -*activation.limit);
  if (activation.beta != 0)
    other = s.add(other, s.number(activation.beta));
  return s.mul(result, other);
}

void moe::buildActivationRegion(OpBuilder &b, ExpertFFNOp op, const Activation &activation) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(op.getSumCount(), op.getSumType());
  Block *block = b.createBlock(&op.getActivation(), {}, types,
                               SmallVector<Location>(types.size(), op.getLoc()));
  Value result = buildActivation(b, op.getLoc(), activation, block->getArguments());
  result = ReferenceBuilder(b, op.getLoc()).convert(result, typeOf(op.getInput()).getElementType());
  moe::YieldOp::create(b, op.getLoc(), ValueRange{result});
}
