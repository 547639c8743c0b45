//===- AttnLinear.cpp - Linear attention, and the merging of pieces -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/Attn.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::attn;

/// Conversion between floats, of which one is the type of the sums.
static Value toFloat(OpBuilder &b, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
    return arith::TruncFOp::create(b, loc, type, value);
  return arith::ExtFOp::create(b, loc, type, value);
}

static Value number(OpBuilder &b, Location loc, Type type, double value) {
  return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
}

static Value isEqual(OpBuilder &b, Location loc, Value x, Value y) {
  return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, y);
}

//===----------------------------------------------------------------------===//
// Merge
//===----------------------------------------------------------------------===//

namespace {
/// The pieces at one position of the result, inside of a `linalg.generic`.
class MergedPieces {
public:
  MergedPieces(OpBuilder &b, MergeOp op, ValueRange position)
      : b(b), loc(op.getLoc()), m{b, loc}, op(op), position(position),
        type(getElementTypeOrSelf(op.getParts().getType())) {
    least = arith::ConstantOp::create(
        b, loc,
        b.getFloatAttr(type, APFloat::getInf(cast<FloatType>(type).getFloatSemantics(), true)));
    zero = number(b, loc, type, 0);
    Value largest = loop(least, [&](Value piece, ValueRange args) {
      return SmallVector<Value>{arith::MaximumFOp::create(b, loc, args[0], logOf(piece))};
    })[0];
    shift = m.select(isEqual(b, loc, largest, least), zero, largest);
  }

  /// The sum of the denominators, over the exponential of `shift`.
  Value sum() {
    return loop(zero, [&](Value piece, ValueRange args) {
      return SmallVector<Value>{arith::AddFOp::create(b, loc, args[0], weightOf(logOf(piece)))};
    })[0];
  }
  Value log() { return arith::AddFOp::create(b, loc, shift, math::LogOp::create(b, loc, sum())); }
  /// The weighted mean at the value `e`.
  Value mean(Value e) {
    SmallVector<Value> sums = loop({zero, zero}, [&](Value piece, ValueRange args) {
      Value log = logOf(piece), weight = weightOf(log);
      SmallVector<Value> at{piece};
      llvm::append_range(at, position);
      at.push_back(e);
      Value part = tensor::ExtractOp::create(b, loc, op.getParts(), at);
      Value added =
          m.select(isEqual(b, loc, log, least), zero, arith::MulFOp::create(b, loc, weight, part));
      return SmallVector<Value>{arith::AddFOp::create(b, loc, args[0], added),
                                arith::AddFOp::create(b, loc, args[1], weight)};
    });
    Value quotient = arith::DivFOp::create(b, loc, sums[0], sums[1]);
    return m.select(isEqual(b, loc, sums[1], zero), zero, quotient);
  }

private:
  SmallVector<Value> loop(ValueRange start,
                          llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
    auto forOp =
        scf::ForOp::create(b, loc, m.constant(0), m.dim(op.getParts(), 0), m.constant(1), start);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    scf::YieldOp::create(b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
    return SmallVector<Value>(forOp.getResults());
  }
  Value logOf(Value piece) {
    SmallVector<Value> at{piece};
    llvm::append_range(at, position);
    return tensor::ExtractOp::create(b, loc, op.getLogs(), at);
  }
  Value weightOf(Value log) {
    return math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, log, shift));
  }

  OpBuilder &b;
  Location loc;
  IndexMath m;
  MergeOp op;
  SmallVector<Value> position;
  Type type;
  Value least, zero, shift;
};
} // namespace

FailureOr<SmallVector<Value>> MergeOp::lowerToReference(OpBuilder &b) {
  SmallVector<Value> results;
  for (auto [i, init] : llvm::enumerate(getInits())) {
    auto type = cast<RankedTensorType>(init.getType());
    int64_t rank = type.getRank();
    auto generic = linalg::GenericOp::create(
        b, getLoc(), type, ValueRange{}, init, ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank)},
        SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
        [&](OpBuilder &b, Location loc, ValueRange) {
          SmallVector<Value> position;
          for (int64_t dim = 0; dim < rank; ++dim)
            position.push_back(linalg::IndexOp::create(b, loc, dim));
          bool isLog = i == 1;
          ArrayRef<Value> row = ArrayRef(position).drop_back(isLog ? 0 : 1);
          MergedPieces pieces(b, *this, row);
          Value value = isLog ? pieces.log() : pieces.mean(position.back());
          linalg::YieldOp::create(b, loc, toFloat(b, loc, value, type.getElementType()));
        });
    results.push_back(generic.getResult(0));
  }
  return results;
}

//===----------------------------------------------------------------------===//
// Linear: verifier
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::verify() {
  if (getInits().size() != 3)
    return emitOpError("has ") << getInits().size()
                               << " results, expected an attention, a state and a norm";
  SmallVector<RankedTensorType> types;
  for (Value operand : getOperands())
    types.push_back(cast<RankedTensorType>(operand.getType()));
  auto [q, k, v] = std::tuple(types[0], types[1], types[2]);
  auto [o, state, norm] = std::tuple(types[3], types[4], types[5]);
  int64_t rank = q.getRank();
  if (rank < 2 || k.getRank() != rank || v.getRank() != rank || o.getRank() != rank ||
      state.getRank() != rank || norm.getRank() != rank - 1)
    return emitOpError("has operands whose ranks do not fit, of queries ") << q;
  Type wanted = Float32Type::get(getContext());
  if (q.getElementType().isF64())
    wanted = q.getElementType();
  for (RankedTensorType type : {q, k, v, o})
    if (!isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type.getElementType()) ||
        type.getElementTypeBitWidth() > wanted.getIntOrFloatBitWidth())
      return emitOpError("has operands of element type ")
             << type.getElementType() << ", expected f16, bf16 or f32, or f64 as queries are";
  for (RankedTensorType type : {state, norm})
    if (type.getElementType() != wanted)
      return emitOpError("has a state or norm ")
             << type << ", expected elements of type " << wanted;
  auto differ = [](int64_t x, int64_t y) {
    return x != y && !ShapedType::isDynamic(x) && !ShapedType::isDynamic(y);
  };
  for (int64_t i = 0; i < rank - 2; ++i)
    for (RankedTensorType type : {k, v, o, state, norm})
      if (differ(type.getDimSize(i), q.getDimSize(i)))
        return emitOpError("has extents ") << q.getDimSize(i) << " and " << type.getDimSize(i)
                                           << " of the leading dimension " << i;
  int64_t s = rank - 2, d = rank - 1;
  std::pair<int64_t, int64_t> pairs[] = {
      {q.getDimSize(s), o.getDimSize(s)},     {k.getDimSize(s), v.getDimSize(s)},
      {q.getDimSize(d), k.getDimSize(d)},     {v.getDimSize(d), o.getDimSize(d)},
      {q.getDimSize(d), state.getDimSize(s)}, {v.getDimSize(d), state.getDimSize(d)},
      {q.getDimSize(d), norm.getDimSize(s)}};
  for (auto [x, y] : pairs)
    if (differ(x, y))
      return emitOpError("has extents ") << x << " and " << y << " where they are the same";
  if (getCausal() && differ(q.getDimSize(s), k.getDimSize(s)))
    return emitOpError("is causal with ")
           << q.getDimSize(s) << " queries and " << k.getDimSize(s) << " keys";
  if (getEpsilon() && !(getEpsilon()->convertToDouble() >= 0))
    return emitOpError("has an epsilon below 0");
  if (getEpsilon() && !getNormalize())
    return emitOpError("has an epsilon and does not normalize");
  return success();
}

//===----------------------------------------------------------------------===//
// Linear: reference
//===----------------------------------------------------------------------===//

static Value applyFeatures(OpBuilder &b, Location loc, FeatureMap features, Value x) {
  Type type = x.getType();
  Value zero = number(b, loc, type, 0);
  switch (features) {
  case FeatureMap::Identity:
    return x;
  case FeatureMap::EluPlusOne: {
    Value isPositive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, zero);
    Value sum = arith::AddFOp::create(b, loc, x, number(b, loc, type, 1));
    return arith::SelectOp::create(b, loc, isPositive, sum, math::ExpOp::create(b, loc, x));
  }
  case FeatureMap::Relu:
    return arith::MaximumFOp::create(b, loc, x, zero);
  case FeatureMap::Exp:
    return math::ExpOp::create(b, loc, x);
  case FeatureMap::Square:
    return arith::MulFOp::create(b, loc, x, x);
  }
  llvm_unreachable("all feature maps are handled");
}

namespace {
/// One column of values: what the state has for it is carried along the keys.
class LinearColumn {
public:
  LinearColumn(OpBuilder &b, LinearOp op)
      : b(b), op(op), loc(op.getLoc()), m{b, loc},
        type(getElementTypeOrSelf(op.getInits()[1].getType())) {
    auto query = cast<RankedTensorType>(op.getQuery().getType());
    rank = query.getRank();
    size = m.dim(op.getQuery(), rank - 1);
    queries = m.dim(op.getQuery(), rank - 2);
    keys = m.dim(op.getKey(), rank - 2);
  }

  /// The results of attention and state.
  SmallVector<Value> lower();

private:
  using Body = llvm::function_ref<SmallVector<Value>(Value, ValueRange)>;
  SmallVector<Value> loop(Value end, ValueRange start, Body body) {
    auto forOp = scf::ForOp::create(b, loc, m.constant(0), end, m.constant(1), start);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    scf::YieldOp::create(b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
    return SmallVector<Value>(forOp.getResults());
  }
  Value read(Value tensor, ArrayRef<Value> trailing) {
    SmallVector<Value> at(leading);
    llvm::append_range(at, trailing);
    return toFloat(b, loc, tensor::ExtractOp::create(b, loc, tensor, at), type);
  }
  /// State and norm [d] after key t.
  SmallVector<Value> addKey(Value t, ValueRange carried) {
    Value value = read(op.getValue(), {t, column});
    return loop(size, carried, [&](Value d, ValueRange args) {
      Value feature = applyFeatures(b, loc, op.getFeatures(), read(op.getKey(), {t, d}));
      Value state = arith::AddFOp::create(b, loc, tensor::ExtractOp::create(b, loc, args[0], d),
                                          arith::MulFOp::create(b, loc, feature, value));
      Value norm =
          arith::AddFOp::create(b, loc, tensor::ExtractOp::create(b, loc, args[1], d), feature);
      return SmallVector<Value>{tensor::InsertOp::create(b, loc, state, args[0], d),
                                tensor::InsertOp::create(b, loc, norm, args[1], d)};
    });
  }
  Value query(Value s, Value state, Value norm) {
    Value zero = number(b, loc, type, 0);
    SmallVector<Value> sums = loop(size, {zero, zero}, [&](Value d, ValueRange args) {
      Value feature = applyFeatures(b, loc, op.getFeatures(), read(op.getQuery(), {s, d}));
      auto add = [&](Value sum, Value of) -> Value {
        Value element = tensor::ExtractOp::create(b, loc, of, d);
        return arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, feature, element));
      };
      return SmallVector<Value>{add(args[0], state), add(args[1], norm)};
    });
    if (!op.getNormalize())
      return sums[0];
    Value divisor = sums[1];
    if (op.getEpsilon())
      divisor = arith::AddFOp::create(b, loc, divisor,
                                      number(b, loc, type, op.getEpsilon()->convertToDouble()));
    return arith::DivFOp::create(b, loc, sums[0], divisor);
  }
  /// A copy of a column of the state, or of the norm, that can be written.
  Value copyOf(Value tensor, ArrayRef<Value> after) {
    Value empty =
        tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>{getAsOpFoldResult(size)}, type);
    return loop(size, empty, [&](Value d, ValueRange args) {
      SmallVector<Value> at{d};
      llvm::append_range(at, after);
      return SmallVector<Value>{tensor::InsertOp::create(b, loc, read(tensor, at), args[0], d)};
    })[0];
  }
  Value writeColumn(Value from, Value out) {
    return loop(size, out, [&](Value d, ValueRange args) {
      Value element = tensor::ExtractOp::create(b, loc, from, d);
      return SmallVector<Value>{tensor::InsertOp::create(b, loc, element, args[0], d)};
    })[0];
  }

  OpBuilder &b;
  LinearOp op;
  Location loc;
  IndexMath m;
  Type type;
  int64_t rank;
  Value size, queries, keys, column;
  SmallVector<Value> leading;
};
} // namespace

static bool isEmpty(Value tensor) {
  return llvm::is_contained(cast<RankedTensorType>(tensor.getType()).getShape(), 0);
}

SmallVector<Value> LinearColumn::lower() {
  Value attention = op.getInits()[0], state = op.getInits()[1];
  SmallVector<Value> outs;
  for (Value init : {attention, state})
    if (!isEmpty(init))
      outs.push_back(init);
  if (outs.empty())
    return {attention, state};
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, attention);
  extents.erase(extents.end() - 2);
  auto forall = scf::ForallOp::create(b, loc, extents, outs, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forall.getBody());
  leading = SmallVector<Value>(forall.getInductionVars());
  column = leading.pop_back_val();

  SmallVector<OpFoldResult> offsets = getAsOpFoldResult(leading), sizes(rank, b.getIndexAttr(1)),
                            strides(rank, b.getIndexAttr(1));
  offsets.push_back(b.getIndexAttr(0));
  offsets.push_back(column);
  auto columnOf = [&](Value tensor) -> Value {
    auto whole = cast<RankedTensorType>(tensor.getType());
    sizes[rank - 2] = tensor::getMixedSize(b, loc, tensor, rank - 2);
    auto part = RankedTensorType::get({whole.getDimSize(rank - 2)}, whole.getElementType());
    return tensor::ExtractSliceOp::create(b, loc, part, tensor, offsets, sizes, strides);
  };
  SmallVector<Value> carried{copyOf(state, column), copyOf(op.getInits()[2], {})};
  if (!op.getCausal())
    carried = loop(keys, carried, [&](Value t, ValueRange args) { return addKey(t, args); });
  SmallVector<Value> written;
  ArrayRef<BlockArgument> args = forall.getRegionIterArgs();
  auto write = [&](Value s, Value state, Value norm, Value out) -> Value {
    Value element = toFloat(b, loc, query(s, state, norm), getElementTypeOrSelf(out.getType()));
    return tensor::InsertOp::create(b, loc, element, out, s);
  };
  if (!isEmpty(attention)) {
    Value out = columnOf(args.front());
    if (op.getCausal()) {
      SmallVector<Value> all =
          loop(queries, {carried[0], carried[1], out}, [&](Value s, ValueRange args) {
            SmallVector<Value> next = addKey(s, args.drop_back());
            return SmallVector<Value>{next[0], next[1], write(s, next[0], next[1], args[2])};
          });
      carried = {all[0], all[1]};
      written.push_back(all[2]);
    } else {
      written.push_back(loop(queries, out, [&](Value s, ValueRange args) {
        return SmallVector<Value>{write(s, carried[0], carried[1], args[0])};
      })[0]);
    }
  }
  if (!isEmpty(state))
    written.push_back(writeColumn(carried[0], columnOf(args.back())));
  SmallVector<OpFoldResult> heights;
  for (Value value : written)
    heights.push_back(tensor::getMixedSize(b, loc, value, 0));
  b.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [value, arg, height] : llvm::zip_equal(written, args, heights)) {
    sizes[rank - 2] = height;
    tensor::ParallelInsertSliceOp::create(b, loc, value, arg, offsets, sizes, strides);
  }
  SmallVector<Value> results{attention, state};
  unsigned next = 0;
  for (Value &value : results)
    if (!isEmpty(value))
      value = forall.getResult(next++);
  return results;
}

FailureOr<SmallVector<Value>> LinearOp::lowerToReference(OpBuilder &b) {
  SmallVector<Value> results = LinearColumn(b, *this).lower();
  // The last norm: a sum of features along the keys.
  Value init = getInits()[2];
  auto type = cast<RankedTensorType>(init.getType());
  int64_t rank = type.getRank() + 1;
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < rank; ++i)
    if (i != rank - 2)
      exprs.push_back(b.getAffineDimExpr(i));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators[rank - 2] = utils::IteratorType::reduction;
  auto norm = linalg::GenericOp::create(
      b, getLoc(), type, getKey(), init,
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank),
                          AffineMap::get(rank, 0, exprs, b.getContext())},
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value wide = toFloat(b, loc, args[0], type.getElementType());
        Value feature = applyFeatures(b, loc, getFeatures(), wide);
        linalg::YieldOp::create(b, loc,
                                arith::AddFOp::create(b, loc, args[1], feature).getResult());
      });
  results.push_back(norm.getResult(0));
  return results;
}
