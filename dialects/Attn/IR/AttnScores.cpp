//===- AttnScores.cpp - From products to masked scores --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"

#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::attn;

static Value toIndex(OpBuilder &b, Location loc, Value value) {
  return value.getType().isIndex()
             ? value
             : arith::IndexCastOp::create(b, loc, b.getIndexType(), value).getResult();
}

/// `element` if no extent of `tensor` is 0, else the zero of its type.
static Value readIfNotEmpty(OpBuilder &b, Location loc, Value tensor,
                            llvm::function_ref<Value(OpBuilder &)> element) {
  auto type = cast<RankedTensorType>(tensor.getType());
  IndexMath m{b, loc};
  Value exists = isNotEmpty(m, tensor, llvm::to_vector(llvm::seq<int64_t>(0, type.getRank())));
  if (!exists)
    return element(b);
  auto choice = scf::IfOp::create(
      b, loc, exists, [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, element(b)); },
      [&](OpBuilder &b, Location loc) {
        Value zero = arith::ConstantOp::create(
            b, loc, cast<TypedAttr>(b.getZeroAttr(type.getElementType())));
        scf::YieldOp::create(b, loc, zero);
      });
  return choice.getResult(0);
}

static Value readLimited(OpBuilder &b, Location loc, Value tensor, ValueRange at) {
  return readIfNotEmpty(b, loc, tensor, [&](OpBuilder &b) -> Value {
    IndexMath m{b, loc};
    SmallVector<Value> limited;
    for (auto [i, index] : llvm::enumerate(at))
      limited.push_back(m.clamp(index, m.dim(tensor, i)));
    return tensor::ExtractOp::create(b, loc, tensor, limited);
  });
}

Value attn::readMetadata(OpBuilder &b, Location loc, Value tensor, ValueRange at) {
  return toIndex(b, loc, readLimited(b, loc, tensor, at));
}

/// The dimensions of what broadcasts to four, from the last.
static SmallVector<Value> broadcastIndices(OpBuilder &b, Location loc, Value tensor,
                                           ArrayRef<Value> four) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> at;
  for (auto [extent, index] : llvm::zip(type.getShape(), four.take_back(type.getRank())))
    at.push_back(extent == 1 ? arith::ConstantIndexOp::create(b, loc, 0).getResult() : index);
  return at;
}

ScoreOperands attn::readScoreOperands(OpBuilder &b, Location loc, const Attention &a,
                                      ScorePosition at) {
  auto read = [&](Value tensor) -> Value {
    if (!tensor)
      return Value();
    return tensor::ExtractOp::create(b, loc, tensor,
                                     broadcastIndices(b, loc, tensor, {at.b, at.h, at.s, at.t}));
  };
  return {read(a.bias), read(a.mask)};
}

Value attn::queryPosition(OpBuilder &b, Location loc, const Attention &a, Value batch,
                          Value query) {
  IndexMath m{b, loc};
  Value position = query;
  if (a.offset)
    position = m.add(position, a.offset);
  if (a.starts)
    position = m.add(position, readMetadata(b, loc, a.starts, batch));
  return position;
}

Value attn::scaleOf(OpBuilder &b, Location loc, const Attention &a) {
  FloatType type = a.computeType();
  int64_t at = *findLetter(a.layout.query, 'd');
  int64_t size = cast<ShapedType>(a.query.getType()).getDimSize(at);
  if (a.scale || !ShapedType::isDynamic(size)) {
    double scale = a.scale ? *a.scale : 1 / std::sqrt(std::max<double>(size, 1));
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, scale));
  }
  Value extent = arith::MaxSIOp::create(b, loc, b.createOrFold<tensor::DimOp>(loc, a.query, at),
                                        arith::ConstantIndexOp::create(b, loc, 1));
  Value number = arith::SIToFPOp::create(
      b, loc, type, arith::IndexCastOp::create(b, loc, b.getI64Type(), extent));
  Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 1));
  return arith::DivFOp::create(b, loc, one, math::SqrtOp::create(b, loc, number));
}

bool attn::dependsOnPosition(const Attention &a) {
  return a.causal || a.window || a.slopes || a.blockMask;
}

bool attn::changesScores(const Attention &a) {
  return a.scale != 1.0 || a.softcap || a.bias || a.mask || a.keyLengths || dependsOnPosition(a) ||
         a.score;
}

Value attn::convertNumber(OpBuilder &b, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
    return arith::TruncFOp::create(b, loc, type, value);
  return arith::ExtFOp::create(b, loc, type, value);
}

/// What the region makes of `score`.
static Value applyRegion(OpBuilder &b, const Attention &a, Value score, ScorePosition at,
                         const IRMapping &reads) {
  Block &block = a.score->front();
  IRMapping mapping = reads;
  mapping.map(block.getArguments(), ValueRange{score, at.b, at.h, at.s, at.t});
  for (Operation &op : block.without_terminator())
    if (op.getNumResults() != 1 || !mapping.contains(op.getResult(0)))
      b.clone(op, mapping);
  return mapping.lookupOrDefault(block.getTerminator()->getOperand(0));
}

/// Whether the key is visible; null if all are.
static Value buildVisible(OpBuilder &b, Location loc, const Attention &a, ScorePosition at,
                          Value position, Value mask) {
  using Predicate = arith::CmpIPredicate;
  IndexMath m{b, loc};
  Value visible;
  auto require = [&](Value condition) {
    visible = visible ? m.both(visible, condition) : condition;
  };
  if (a.keyLengths)
    require(m.cmp(Predicate::slt, at.t, readMetadata(b, loc, a.keyLengths, at.b)));
  if (a.causal)
    require(m.cmp(Predicate::sle, at.t, position));
  if (a.window) {
    auto [left, right] = *a.window;
    Value inside;
    if (left >= 0)
      inside = m.cmp(Predicate::sge, at.t, m.sub(position, m.constant(left)));
    if (right >= 0) {
      Value before = m.cmp(Predicate::sle, at.t, m.add(position, m.constant(right)));
      inside = inside ? m.both(inside, before) : before;
    }
    if (inside && a.globals > 0)
      inside =
          arith::OrIOp::create(b, loc, inside, m.cmp(Predicate::slt, at.t, m.constant(a.globals)));
    if (inside)
      require(inside);
  }
  auto isSet = [&](Value flag) {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(flag.getType()));
    return m.cmp(Predicate::ne, flag, zero);
  };
  if (mask)
    require(isSet(mask));
  if (a.blockMask) {
    Value row = m.div(position, m.constant(a.blockSizes[0]));
    Value column = m.div(at.t, m.constant(a.blockSizes[1]));
    require(isSet(readLimited(b, loc, a.blockMask,
                              broadcastIndices(b, loc, a.blockMask, {at.b, at.h, row, column}))));
  }
  return visible;
}

Value attn::buildScore(OpBuilder &b, Location loc, const Attention &a, Value scaled,
                       ScorePosition at, Value position, ScoreOperands operands,
                       const IRMapping &reads) {
  FloatType type = a.computeType();
  IndexMath m{b, loc};
  Value score = scaled;
  if (a.softcap) {
    Value cap = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, *a.softcap));
    Value ratio = arith::DivFOp::create(b, loc, score, cap);
    score = arith::MulFOp::create(b, loc, math::TanhOp::create(b, loc, ratio), cap);
  }
  if (operands.bias)
    score = arith::AddFOp::create(b, loc, score, convertNumber(b, loc, operands.bias, type));
  if (a.slopes) {
    Value slope = convertNumber(b, loc, readLimited(b, loc, a.slopes, at.h), type);
    Value distance = arith::IndexCastOp::create(b, loc, b.getI64Type(), m.sub(at.t, position));
    Value steps = arith::SIToFPOp::create(b, loc, type, distance);
    score = arith::AddFOp::create(b, loc, score, arith::MulFOp::create(b, loc, slope, steps));
  }
  if (a.score)
    score = applyRegion(b, a, score, at, reads);
  Value visible = buildVisible(b, loc, a, at, position, operands.mask);
  if (!visible)
    return score;
  Value least = arith::ConstantOp::create(
      b, loc, b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), /*Negative=*/true)));
  return m.select(visible, score, least);
}
