//===- AttnBuilders.cpp - Named methods as configurations -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnBuilders.h"
#include "dialects/Attn/IR/AttnLayout.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::attn;

AttendConfig AttendConfig::slidingWindow(int64_t left) {
  AttendConfig config;
  config.causal = true;
  config.window = {left, -1};
  return config;
}

AttendConfig AttendConfig::streaming(int64_t sinks, int64_t left) {
  AttendConfig config = slidingWindow(left);
  config.globals = sinks;
  return config;
}

AttendConfig AttendConfig::alibi(Value slopes) {
  AttendConfig config;
  config.causal = true;
  config.slopes = slopes;
  return config;
}

AttendConfig AttendConfig::learnedSinks(Value sinks) {
  AttendConfig config;
  config.causal = true;
  config.sinks = sinks;
  return config;
}

AttendConfig AttendConfig::decode(Value starts, Value lengths) {
  AttendConfig config;
  config.causal = true;
  config.starts = starts;
  config.keyLengths = lengths;
  return config;
}

SmallVector<double> attn::alibiSlopes(int64_t heads) {
  SmallVector<double> slopes;
  if (heads < 1)
    return slopes;
  int64_t power = 1;
  while (power * 2 <= heads)
    power *= 2;
  for (int64_t i = 1; i <= power; ++i)
    slopes.push_back(std::exp2(-8.0 * i / power));
  for (int64_t i = 1; static_cast<int64_t>(slopes.size()) < heads; i += 2)
    slopes.push_back(std::exp2(-4.0 * i / power));
  return slopes;
}

template <typename Op>
static Op build(OpBuilder &b, Location loc, Value query, Value key, Value value, ValueRange inits,
                const AttendConfig &config) {
  auto number = [&](std::optional<double> value) {
    return value ? b.getF64FloatAttr(*value) : FloatAttr();
  };
  DenseI64ArrayAttr window, blocks;
  if (config.window)
    window = b.getDenseI64ArrayAttr({config.window->first, config.window->second});
  if (config.blockMask)
    blocks = b.getDenseI64ArrayAttr(config.blockSizes);
  return Op::create(b, loc, inits.getTypes(), query, key, value, config.bias, config.mask,
                    config.slopes, config.sinks, config.keyLengths, config.starts, config.offset,
                    config.blockMask, config.pageTable, config.queryOffsets, config.keyOffsets,
                    inits, b.getStringAttr(config.layout), number(config.scale),
                    number(config.softcap), config.causal ? b.getUnitAttr() : UnitAttr(), window,
                    b.getI64IntegerAttr(config.globals), blocks,
                    EmptyRowsAttr::get(b.getContext(), config.emptyRows), config.hasScore ? 1 : 0);
}

AttendOp attn::buildAttend(OpBuilder &b, Location loc, Value query, Value key, Value value,
                           Value init, const AttendConfig &config) {
  return build<AttendOp>(b, loc, query, key, value, init, config);
}

PartialOp attn::buildPartial(OpBuilder &b, Location loc, Value query, Value key, Value value,
                             int64_t pieces, ArrayRef<OpFoldResult> resultShape,
                             const AttendConfig &config) {
  Type type = b.getF32Type();
  if (getElementTypeOrSelf(query.getType()).isF64())
    type = b.getF64Type();
  SmallVector<OpFoldResult> shape{b.getIndexAttr(pieces)};
  llvm::append_range(shape, resultShape);
  Value parts = tensor::EmptyOp::create(b, loc, shape, type);
  shape.erase(shape.begin() + 1 + *findLetter(parseLayout(config.layout)->result, 'e'));
  Value logs = tensor::EmptyOp::create(b, loc, shape, type);
  return build<PartialOp>(b, loc, query, key, value, {parts, logs}, config);
}

MergeOp attn::buildFlashDecoding(OpBuilder &b, Location loc, Value query, Value key, Value value,
                                 int64_t pieces, Value init, const AttendConfig &config) {
  PartialOp partial =
      buildPartial(b, loc, query, key, value, pieces, tensor::getMixedSizes(b, loc, init), config);
  return MergeOp::create(b, loc, init.getType(), partial.getResult(0), partial.getResult(1), init);
}
