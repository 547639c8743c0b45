//===- MatMul.cpp - Products of matrices ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/TensorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// 16-bit floats are accumulated in f32.
static ElementType accumulatorOf(ElementType type) {
  return type == ElementType::Float16 || type == ElementType::BFloat16 ? ElementType::Float : type;
}

static LogicalResult buildMatMul(NodeContext &node) {
  ElementType type = node.input(0).elementType;
  if (node.input(1).elementType != type)
    return node.error("has inputs of different element types");
  FailureOr<TensorValue> product = matmul(node, node.input(0), node.input(1), accumulatorOf(type));
  if (failed(product))
    return failure();
  node.setOutput(0, cast(node, *product, type));
  return success();
}

static LogicalResult buildGemm(NodeContext &node) {
  TensorValue a = node.input(0), c = node.input(1);
  ElementType type = a.elementType;
  if (a.rank() != 2 || c.rank() != 2 || c.elementType != type)
    return node.error("expects two matrices of one element type");
  if (node.getInt("transA", 0))
    a = transpose(node, a, {1, 0});
  if (node.getInt("transB", 0))
    c = transpose(node, c, {1, 0});
  double alpha = node.getFloat("alpha", 1), beta = node.getFloat("beta", 1);
  FailureOr<TensorValue> product = matmul(node, a, c, accumulatorOf(type));
  if (failed(product))
    return failure();
  ElementType accumulator = accumulatorOf(type);
  SmallVector<TensorValue> inputs{*product};
  bool biased = node.hasInput(2) && beta != 0;
  if (biased)
    inputs.push_back(cast(node, node.input(2), accumulator));
  FailureOr<TensorValue> result = elementwiseTo(
      node, inputs, type, product->dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value sum = args[0];
        auto scale = [&](Value x, double factor) -> Value {
          if (factor == 1)
            return x;
          Value scalar = makeScalar(b, loc, x.getType(), factor);
          if (isa<FloatType>(x.getType()))
            return arith::MulFOp::create(b, loc, x, scalar);
          return arith::MulIOp::create(b, loc, x, scalar);
        };
        sum = scale(sum, alpha);
        if (biased) {
          Value bias = scale(args[1], beta);
          sum = isa<FloatType>(sum.getType()) ? Value(arith::AddFOp::create(b, loc, sum, bias))
                                              : Value(arith::AddIOp::create(b, loc, sum, bias));
        }
        return castScalar(b, loc, sum, accumulator, type);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

void weft::onnx::registerMatMulOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"MatMul", 1, 2, 2, buildMatMul},
             {"Gemm", 1, 2, 3, buildGemm},
         });
}
