//===- Training.cpp - Steps of optimizers ---------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs are the learning rate R, the count of updates T, and then the tensors
// X of each of n variables, their gradients G, and one or two accumulated
// tensors, n of each. Outputs are the new X and accumulated tensors.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Gradient.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

namespace {
/// Arithmetic on scalars of one type of float.
struct FloatMath {
  OpBuilder &b;
  Location loc;
  mlir::Type type;

  Value constant(double number) const { return makeScalar(b, loc, type, number); }
  Value add(Value x, Value y) const { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return arith::DivFOp::create(b, loc, x, y); }
  Value sqrt(Value x) const { return math::SqrtOp::create(b, loc, x); }
  /// x^2
  Value square(Value x) const { return mul(x, x); }
  /// x * p + y * q
  Value blend(Value x, double p, Value y, double q) const {
    return add(mul(x, constant(p)), mul(y, constant(q)));
  }
  /// T > 0 ? x : y
  Value ifUpdated(Value updates, Value x, Value y) const {
    Value positive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, updates, constant(0));
    return arith::SelectOp::create(b, loc, positive, x, y);
  }
};
} // namespace

using ScalarStep = llvm::function_ref<Value(const FloatMath &, ValueRange)>;

/// `step` on the elements of tensors of one type.
static TensorValue compute(NodeContext &node, ArrayRef<TensorValue> inputs, ScalarStep step) {
  ElementType type = inputs.front().elementType;
  return *elementwiseTo(node, inputs, type, inputs.front().dims,
                        [&](OpBuilder &b, Location loc, ValueRange args) {
                          return step(FloatMath{b, loc, args.front().getType()}, args);
                        });
}

/// One variable: the rate and count as tensors of one element of X's type, then
/// X, G and what is accumulated; gives the new X and accumulated tensors.
using OptimizerStep = llvm::function_ref<SmallVector<TensorValue>(
    const TensorValue &rate, const TensorValue &updates, ArrayRef<TensorValue> state)>;

/// Applies `step` to each variable; `kinds` is the number of tensors of each.
static LogicalResult buildOptimizer(NodeContext &node, size_t kinds, OptimizerStep step) {
  size_t count = node.inputCount() - 2;
  if (count == 0 || count % kinds != 0)
    return node.error("has " + Twine(count) + " tensors to work on, expected " + Twine(kinds) +
                      " for each variable");
  size_t variables = count / kinds;
  SmallVector<TensorValue> inputs;
  for (size_t i = 0; i < node.inputCount(); ++i)
    inputs.push_back(node.input(i));
  if (node.failed())
    return failure();
  for (size_t i = 0; i < 2; ++i)
    for (int64_t d = 0; d < inputs[i].rank(); ++d)
      if (inputs[i].staticDim(d) != 1)
        return node.error("has input " + Twine(i) + " " + describe(inputs[i]) +
                          ", expected a scalar");
  for (size_t v = 0; v < variables; ++v)
    for (size_t k = 0; k < kinds; ++k) {
      const TensorValue &x = inputs[2 + v], &y = inputs[2 + v + k * variables];
      if (failed(expectFloats(node, 2 + v)))
        return failure();
      if (y.elementType != x.elementType || y.rank() != x.rank())
        return node.error("has tensors " + describe(x) + " and " + describe(y) +
                          " of one variable");
      for (int64_t d = 0; d < x.rank(); ++d)
        if (failed(
                assertEqualExtents(node, x.dims[d], y.dims[d], "extents of a variable's tensors")))
          return failure();
    }
  FailureOr<SmallVector<TensorValue>> results = composite(
      node, inputs, [&](ArrayRef<TensorValue> inner) -> FailureOr<SmallVector<TensorValue>> {
        SmallVector<TensorValue> outputs(variables * (kinds - 1));
        for (size_t v = 0; v < variables; ++v) {
          ElementType type = inner[2 + v].elementType;
          auto scalar = [&](const TensorValue &x) {
            return reshape(node, cast(node, x, accumulatorType(type)), {});
          };
          SmallVector<TensorValue> state;
          for (size_t k = 0; k < kinds; ++k) {
            TensorValue tensor = inner[2 + v + k * variables];
            // Extents are checked to be those of X.
            tensor.dims = inner[2 + v].dims;
            state.push_back(cast(node, tensor, accumulatorType(type)));
          }
          SmallVector<TensorValue> next = step(scalar(inner[0]), scalar(inner[1]), state);
          for (auto [k, tensor] : llvm::enumerate(next))
            outputs[v + k * variables] = cast(node, tensor, type);
        }
        return outputs;
      });
  if (failed(results))
    return failure();
  for (auto [i, result] : llvm::enumerate(*results))
    node.setOutput(i, result);
  return success();
}

static LogicalResult buildAdagrad(NodeContext &node) {
  double decay = node.getFloat("decay_factor", 0), norm = node.getFloat("norm_coefficient", 0);
  double epsilon = node.getFloat("epsilon", 1e-6f);
  return buildOptimizer(
      node, 3,
      [&](const TensorValue &rate, const TensorValue &updates, ArrayRef<TensorValue> state) {
        const TensorValue &x = state[0];
        TensorValue decayed = compute(node, {rate, updates}, [&](const FloatMath &m, ValueRange v) {
          return m.div(v[0], m.add(m.constant(1), m.mul(v[1], m.constant(decay))));
        });
        TensorValue gradient = compute(node, {x, state[1]}, [&](const FloatMath &m, ValueRange v) {
          return m.blend(v[0], norm, v[1], 1);
        });
        TensorValue squares =
            compute(node, {state[2], gradient},
                    [&](const FloatMath &m, ValueRange v) { return m.add(v[0], m.square(v[1])); });
        TensorValue next =
            compute(node, {x, gradient, squares, decayed}, [&](const FloatMath &m, ValueRange v) {
              Value scale = m.add(m.sqrt(v[2]), m.constant(epsilon));
              return m.sub(v[0], m.div(m.mul(v[3], v[1]), scale));
            });
        return SmallVector<TensorValue>{next, squares};
      });
}

static LogicalResult buildAdam(NodeContext &node) {
  double alpha = node.getFloat("alpha", 0.9f), beta = node.getFloat("beta", 0.999f);
  double norm = node.getFloat("norm_coefficient", 0), epsilon = node.getFloat("epsilon", 1e-6f);
  double normPost = node.getFloat("norm_coefficient_post", 0);
  return buildOptimizer(
      node, 4,
      [&](const TensorValue &rate, const TensorValue &updates, ArrayRef<TensorValue> state) {
        const TensorValue &x = state[0];
        TensorValue adjusted =
            compute(node, {rate, updates}, [&](const FloatMath &m, ValueRange v) {
              // 1 - factor^T
              auto correction = [&](double factor) -> Value {
                Value power = math::PowFOp::create(m.b, m.loc, m.constant(factor), v[1]);
                return m.sub(m.constant(1), power);
              };
              Value scaled = m.div(m.mul(v[0], m.sqrt(correction(beta))), correction(alpha));
              return m.ifUpdated(v[1], scaled, v[0]);
            });
        TensorValue gradient = compute(node, {x, state[1]}, [&](const FloatMath &m, ValueRange v) {
          return m.blend(v[0], norm, v[1], 1);
        });
        TensorValue mean =
            compute(node, {state[2], gradient}, [&](const FloatMath &m, ValueRange v) {
              return m.blend(v[0], alpha, v[1], 1 - alpha);
            });
        TensorValue squares =
            compute(node, {state[3], gradient}, [&](const FloatMath &m, ValueRange v) {
              return m.blend(v[0], beta, m.square(v[1]), 1 - beta);
            });
        TensorValue next =
            compute(node, {x, mean, squares, adjusted}, [&](const FloatMath &m, ValueRange v) {
              Value scale = m.add(m.sqrt(v[2]), m.constant(epsilon));
              Value moved = m.sub(v[0], m.div(m.mul(v[3], v[1]), scale));
              return m.mul(moved, m.constant(1 - normPost));
            });
        return SmallVector<TensorValue>{next, mean, squares};
      });
}

static LogicalResult buildMomentum(NodeContext &node) {
  for (StringRef required : {"alpha", "beta", "norm_coefficient", "mode"})
    if (!node.hasAttribute(required))
      return node.error("has no attribute '" + required + "'");
  double alpha = node.getFloat("alpha", 0), beta = node.getFloat("beta", 0);
  double norm = node.getFloat("norm_coefficient", 0);
  std::string mode = node.getString("mode", "");
  if (mode != "standard" && mode != "nesterov")
    return node.error("attribute 'mode' is '" + mode + "', expected standard or nesterov");
  return buildOptimizer(
      node, 3,
      [&](const TensorValue &rate, const TensorValue &updates, ArrayRef<TensorValue> state) {
        const TensorValue &x = state[0];
        TensorValue gradient = compute(node, {x, state[1]}, [&](const FloatMath &m, ValueRange v) {
          return m.blend(v[0], norm, v[1], 1);
        });
        TensorValue momentum =
            compute(node, {state[2], gradient, updates}, [&](const FloatMath &m, ValueRange v) {
              Value factor = m.ifUpdated(v[2], m.constant(beta), m.constant(1));
              return m.add(m.mul(v[0], m.constant(alpha)), m.mul(factor, v[1]));
            });
        TensorValue next =
            compute(node, {x, momentum, gradient, rate}, [&](const FloatMath &m, ValueRange v) {
              Value direction = mode == "nesterov" ? m.blend(v[1], alpha, v[2], 1) : v[1];
              return m.sub(v[0], m.mul(v[3], direction));
            });
        return SmallVector<TensorValue>{next, momentum};
      });
}

void weft::onnx::registerTrainingOps(Registrar &registrar) {
  addOps(registrar, "ai.onnx.preview.training",
         {
             {"Adagrad", 1, 3, kAnyNumber, buildAdagrad},
             {"Adam", 1, 3, kAnyNumber, buildAdam},
             {"Gradient", 1, 1, kAnyNumber, buildGradient},
             {"Momentum", 1, 3, kAnyNumber, buildMomentum},
         });
}
