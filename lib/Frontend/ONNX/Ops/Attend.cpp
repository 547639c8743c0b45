//===- Attend.cpp - Building attn.attend ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Attend.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

TensorValue onnx::buildAttend(NodeContext &node, const TensorValue &query, const TensorValue &key,
                              const TensorValue &value, ElementType type,
                              ArrayRef<OpFoldResult> dims, const attn::AttendConfig &config,
                              ScoreBuilder region) {
  auto &b = node.b;
  Location loc = b.getLoc();
  attn::AttendConfig withRegion = config;
  withRegion.hasScore = static_cast<bool>(region);
  auto attend = attn::buildAttend(b, loc, node.value(query), node.value(key), node.value(value),
                                  makeEmpty(node, type, dims), withRegion);
  if (region) {
    OpBuilder::InsertionGuard guard(b);
    Type index = b.getIndexType();
    Type score = storageType(node.context(), accumulatorType(query.elementType));
    Block *block =
        b.createBlock(&attend.getScore().front(), {}, {score, index, index, index, index},
                      SmallVector<Location>(5, loc));
    ScalarMath m{b, loc};
    SmallVector<Value> at(block->getArguments().drop_front());
    attn::YieldOp::create(b, loc, region(m, block->getArgument(0), at));
  }
  return makeValue(attend.getResult(0), type, dims);
}

FailureOr<TensorValue> onnx::broadcastToScores(NodeContext &node, const TensorValue &x,
                                               ArrayRef<OpFoldResult> scores) {
  Dims dims = x.dims;
  bool isPlain = true;
  ArrayRef<OpFoldResult> wanted = scores.take_back(dims.size());
  for (auto [have, want] : llvm::zip(dims, wanted)) {
    if (DimBuilder::constantOf(have) == 1 || DimBuilder::same(have, want))
      continue;
    isPlain = false;
    have = want;
  }
  if (isPlain)
    return x;
  return elementwiseTo(node, x, x.elementType, dims,
                       [](OpBuilder &, Location, ValueRange args) { return args[0]; });
}

TensorValue onnx::buildPerSequence(NodeContext &node, OpFoldResult batch,
                                   llvm::function_ref<Value(ScalarMath &, Value)> body) {
  return generate(node, ElementType::Int64, {batch},
                  [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
                    return arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(), body(m, at[0]));
                  });
}
