//===- SSMConvReference.cpp - Causal convolutions as loops ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMRecurrence.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft::ssm;

using utils::IteratorType;
using weft::IndexMath;

/// Channels that a work item computes.
static constexpr int64_t kTile = 64;

namespace {
/// A causal convolution as loops: work items are tiles of channels of each batch; the
/// sequences of a ragged batch are taken one after the other.
class ConvLowering {
public:
  ConvLowering(OpBuilder &b, CausalConv1dOp op);
  SmallVector<Value> lower();

private:
  using Carried = SmallVector<Value>;
  /// What is read: of which sequence, and the tokens from `start` to `end`.
  struct Sequence {
    Value number, start, length;
  };

  Carried lowerSequence(OpBuilder &b, Value number, Carried carried);
  Value lowerToken(OpBuilder &b, const Sequence &sequence, Value step, Value output);
  Value writeState(OpBuilder &b, const Sequence &sequence, Value states);
  /// Adds, or copies, what lies at `step` of the sequence, which may be before its first
  /// token: then it is in the state.
  Value withInput(OpBuilder &b, const Sequence &sequence, Value step, Value otherwise,
                  llvm::function_ref<Value(OpBuilder &, Value)> use);
  Value rowOf(OpBuilder &b, Value tensor, ArrayRef<OpFoldResult> lead);
  Value insertRow(OpBuilder &b, Value row, Value tensor, ArrayRef<OpFoldResult> lead);
  Value finish(OpBuilder &b, Location loc, Value sum);
  bool loopsOverSequences() { return op.getOffsets() || op.getDestinations(); }

  OpBuilder &builder;
  CausalConv1dOp op;
  Location loc;
  Type compute;
  int64_t width, history;
  Value tokens, batch, channel;
  OpFoldResult channels;
};
} // namespace

ConvLowering::ConvLowering(OpBuilder &b, CausalConv1dOp op)
    : builder(b), op(op), loc(op.getLoc()),
      compute(computeTypeOf(typeOf(op.getInput()).getElementType())),
      width(typeOf(op.getFilter()).getDimSize(1)), history((width - 1) * op.getDilation()) {}

/// The row of channels of a tensor [.., .., C] of the tile.
Value ConvLowering::rowOf(OpBuilder &b, Value tensor, ArrayRef<OpFoldResult> lead) {
  OpFoldResult one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets(lead), sizes(lead.size(), one), strides(lead.size() + 1, one);
  offsets.push_back(channel);
  sizes.push_back(channels);
  return tensor::ExtractSliceOp::create(b, loc,
                                        sliceType(typeOf(tensor).getElementType(), {channels}),
                                        tensor, offsets, sizes, strides);
}

/// Into the tile of a result, which begins at the tile's first channel.
Value ConvLowering::insertRow(OpBuilder &b, Value row, Value tensor, ArrayRef<OpFoldResult> lead) {
  OpFoldResult one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> offsets(lead), sizes(lead.size(), one), strides(lead.size() + 1, one);
  offsets.push_back(b.getIndexAttr(0));
  sizes.push_back(channels);
  return tensor::InsertSliceOp::create(b, loc, row, tensor, offsets, sizes, strides);
}

SmallVector<Value> ConvLowering::lower() {
  OpBuilder &b = builder;
  IndexMath m{b, loc};
  RankedTensorType input = typeOf(op.getInput());
  SmallVector<Value> inits(op.getInits());
  bool hasState = inits.size() > 1 && !isStaticallyEmpty(typeOf(inits[1]));
  if (llvm::is_contained(ArrayRef{input.getDimSize(0), input.getDimSize(2)}, 0) ||
      (input.getDimSize(1) == 0 && !hasState))
    return inits;
  tokens = m.dim(op.getInput(), 1);
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1),
               all = tensor::getMixedSize(b, loc, op.getInput(), 2);
  int64_t tile =
      ShapedType::isDynamic(input.getDimSize(2)) ? kTile : std::min(input.getDimSize(2), kTile);
  OpFoldResult batches =
      loopsOverSequences() ? one : tensor::getMixedSize(b, loc, op.getInput(), 0);
  SmallVector<Value> outs;
  if (input.getDimSize(1) != 0)
    outs.push_back(inits[0]);
  if (hasState)
    outs.push_back(inits[1]);
  auto items = scf::ForallOp::create(b, loc, ArrayRef{zero, zero}, ArrayRef{batches, all},
                                     ArrayRef{one, OpFoldResult(b.getIndexAttr(tile))}, outs,
                                     /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(items.getBody());
  batch = items.getInductionVar(0);
  channel = items.getInductionVar(1);
  if (!ShapedType::isDynamic(input.getDimSize(2)) && input.getDimSize(2) % tile == 0) {
    channels = b.getIndexAttr(tile);
  } else {
    Value left = m.sub(getValueOrCreateConstantIndexOp(b, loc, all), channel);
    channels = OpFoldResult(arith::MinSIOp::create(b, loc, left, m.constant(tile)).getResult());
  }
  SmallVector<SmallVector<OpFoldResult>> offsets, sizes;
  Carried carried;
  SmallVector<OpFoldResult> strides(3, one);
  for (Value out : items.getRegionIterArgs()) {
    bool whole = loopsOverSequences();
    offsets.push_back({whole ? zero : OpFoldResult(batch), zero, channel});
    sizes.push_back({whole ? tensor::getMixedSize(b, loc, out, 0) : one,
                     tensor::getMixedSize(b, loc, out, 1), channels});
    carried.push_back(
        tensor::ExtractSliceOp::create(b, loc, out, offsets.back(), sizes.back(), strides));
  }
  if (loopsOverSequences()) {
    Value count =
        op.getOffsets() ? m.sub(m.dim(op.getOffsets(), 0), m.constant(1)) : m.dim(op.getInput(), 0);
    auto loop =
        scf::ForOp::create(b, loc, m.constant(0), count, m.constant(1), carried,
                           [&](OpBuilder &b, Location loc, Value number, ValueRange args) {
                             scf::YieldOp::create(b, loc, lowerSequence(b, number, Carried(args)));
                           });
    carried = Carried(loop.getResults());
  } else {
    carried = lowerSequence(b, batch, carried);
  }
  b.setInsertionPointToEnd(items.getTerminator().getBody());
  for (auto [result, out, at, size] : llvm::zip(carried, items.getRegionIterArgs(), offsets, sizes))
    tensor::ParallelInsertSliceOp::create(b, loc, result, out, at, size, strides);
  SmallVector<Value> results(items.getResults());
  if (input.getDimSize(1) == 0)
    results.insert(results.begin(), inits[0]);
  if (inits.size() > results.size())
    results.push_back(inits[1]);
  return results;
}

ConvLowering::Carried ConvLowering::lowerSequence(OpBuilder &b, Value number, Carried carried) {
  IndexMath m{b, loc};
  Sequence sequence{number, m.constant(0), tokens};
  if (op.getOffsets()) {
    auto limited = [&](Value low, Value at) -> Value {
      Value raw = tensor::ExtractOp::create(b, loc, op.getOffsets(), at);
      Value bound = arith::IndexCastOp::create(b, loc, b.getIndexType(), raw);
      bound = arith::MinSIOp::create(b, loc, bound, tokens);
      return arith::MaxSIOp::create(b, loc, bound, low);
    };
    sequence.start = limited(m.constant(0), number);
    Value end = limited(sequence.start, m.add(number, m.constant(1)));
    sequence.length = m.sub(end, sequence.start);
  }
  // Without tokens there is nothing but the state.
  bool hasOutput = typeOf(op.getInput()).getDimSize(1) != 0;
  if (hasOutput) {
    auto loop =
        scf::ForOp::create(b, loc, m.constant(0), sequence.length, m.constant(1), carried[0],
                           [&](OpBuilder &b, Location loc, Value step, ValueRange args) {
                             scf::YieldOp::create(b, loc, lowerToken(b, sequence, step, args[0]));
                           });
    carried[0] = loop.getResult(0);
  }
  if (carried.size() > static_cast<size_t>(hasOutput))
    carried.back() = writeState(b, sequence, carried.back());
  return carried;
}

Value ConvLowering::withInput(OpBuilder &b, const Sequence &sequence, Value step, Value otherwise,
                              llvm::function_ref<Value(OpBuilder &, Value)> use) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0);
  auto yield = [&](OpBuilder &b, Value value) { scf::YieldOp::create(b, loc, value); };
  auto fromInput = [&](OpBuilder &b) {
    IndexMath m{b, loc};
    Value at = op.getReverse() ? m.sub(m.sub(sequence.length, m.constant(1)), step) : step;
    Value token = m.add(sequence.start, at);
    OpFoldResult first = op.getOffsets()        ? zero
                         : loopsOverSequences() ? OpFoldResult(sequence.number)
                                                : OpFoldResult(batch);
    return use(b, rowOf(b, op.getInput(), {first, token}));
  };
  bool hasState = op.getState() && !isStaticallyEmpty(typeOf(op.getState()));
  auto fromState = [&](OpBuilder &b) -> Value {
    if (!hasState)
      return otherwise;
    IndexMath m{b, loc};
    Value at = m.add(step, m.constant(history));
    if (!op.getSources())
      return use(b, rowOf(b, op.getState(), {sequence.number, at}));
    Value raw = tensor::ExtractOp::create(b, loc, op.getSources(), sequence.number);
    Value source = arith::IndexCastOp::create(b, loc, b.getIndexType(), raw);
    Value valid = m.both(m.cmp(arith::CmpIPredicate::sge, source, m.constant(0)),
                         m.cmp(arith::CmpIPredicate::slt, source, m.dim(op.getState(), 0)));
    return scf::IfOp::create(
               b, loc, valid,
               [&](OpBuilder &b, Location) {
                 yield(b, use(b, rowOf(b, op.getState(), {source, at})));
               },
               [&](OpBuilder &b, Location) { yield(b, otherwise); })
        .getResult(0);
  };
  if (typeOf(op.getInput()).getDimSize(1) == 0)
    return fromState(b);
  Value inside = m.cmp(arith::CmpIPredicate::sge, step, m.constant(0));
  return scf::IfOp::create(
             b, loc, inside, [&](OpBuilder &b, Location) { yield(b, fromInput(b)); },
             [&](OpBuilder &b, Location) { yield(b, fromState(b)); })
      .getResult(0);
}

/// The activation of a sum.
Value ConvLowering::finish(OpBuilder &b, Location loc, Value sum) {
  if (op.getActivation() == Activation::None)
    return sum;
  Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, 1.0));
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, sum));
  return arith::DivFOp::create(b, loc, sum, arith::AddFOp::create(b, loc, one, e));
}

Value ConvLowering::lowerToken(OpBuilder &b, const Sequence &sequence, Value step, Value output) {
  IndexMath m{b, loc};
  AffineMap map = b.getDimIdentityMap();
  OpFoldResult zero = b.getIndexAttr(0);
  Value sums = tensor::EmptyOp::create(b, loc, channels, compute);
  if (op.getBias()) {
    sums =
        createGeneric(b, loc, rowOf(b, op.getBias(), {}), sums, {map, map}, IteratorType::parallel,
                      compute, [](OpBuilder &, Location, ValueRange args) { return args[0]; });
  } else {
    Value number = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, 0.0));
    sums = linalg::FillOp::create(b, loc, number, sums).getResult(0);
  }
  auto taps = scf::ForOp::create(
      b, loc, m.constant(0), m.constant(width), m.constant(1), sums,
      [&](OpBuilder &b, Location loc, Value tap, ValueRange args) {
        IndexMath m{b, loc};
        Value back = m.mul(m.sub(m.constant(width - 1), tap), m.constant(op.getDilation()));
        OpFoldResult one = b.getIndexAttr(1);
        Value weights = tensor::ExtractSliceOp::create(
            b, loc, sliceType(typeOf(op.getFilter()).getElementType(), {channels}), op.getFilter(),
            ArrayRef{OpFoldResult(channel), OpFoldResult(tap)}, ArrayRef{channels, one},
            ArrayRef{one, one});
        Value next = withInput(b, sequence, m.sub(step, back), args[0], [&](OpBuilder &b, Value x) {
          return createGeneric(b, loc, {weights, x}, args[0], {map, map, map},
                               IteratorType::parallel, compute,
                               [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                 Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                                 return arith::AddFOp::create(b, loc, args[2], product);
                               });
        });
        scf::YieldOp::create(b, loc, next);
      });
  Value at = op.getReverse() ? m.sub(m.sub(sequence.length, m.constant(1)), step) : step;
  Value token = m.add(sequence.start, at);
  bool ownRow = loopsOverSequences() && !op.getOffsets();
  OpFoldResult first = ownRow ? OpFoldResult(sequence.number) : zero;
  Type element = typeOf(output).getElementType();
  Value init = tensor::EmptyOp::create(b, loc, channels, element);
  Value row = createGeneric(b, loc, taps.getResult(0), init, {map, map}, IteratorType::parallel,
                            compute, [&](OpBuilder &b, Location loc, ValueRange args) {
                              return convertFloat(b, loc, finish(b, loc, args[0]), element);
                            });
  return insertRow(b, row, output, {first, token});
}

/// The last inputs of a sequence, or what the state had of them.
Value ConvLowering::writeState(OpBuilder &b, const Sequence &sequence, Value states) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0);
  Value row = loopsOverSequences() ? sequence.number : m.constant(0);
  Value valid;
  if (op.getDestinations()) {
    Value raw = tensor::ExtractOp::create(b, loc, op.getDestinations(), sequence.number);
    row = arith::IndexCastOp::create(b, loc, b.getIndexType(), raw);
    valid = m.both(m.cmp(arith::CmpIPredicate::sge, row, m.constant(0)),
                   m.cmp(arith::CmpIPredicate::slt, row, m.dim(op.getInits()[1], 0)));
  }
  Type element = typeOf(states).getElementType();
  auto copyAll = [&](OpBuilder &b) -> Value {
    return scf::ForOp::create(
               b, loc, m.constant(0), m.constant(history), m.constant(1), states,
               [&](OpBuilder &b, Location loc, Value i, ValueRange args) {
                 IndexMath m{b, loc};
                 Value init = tensor::EmptyOp::create(b, loc, channels, element);
                 Value number = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
                 Value none = linalg::FillOp::create(b, loc, number, init).getResult(0);
                 Value step = m.add(m.sub(sequence.length, m.constant(history)), i);
                 Value kept =
                     withInput(b, sequence, step, none, [&](OpBuilder &b, Value x) -> Value {
                       return linalg::CopyOp::create(b, loc, x, none).getResult(0);
                     });
                 scf::YieldOp::create(b, loc, insertRow(b, kept, args[0], {row, i}));
               })
        .getResult(0);
  };
  if (!valid)
    return copyAll(b);
  return scf::IfOp::create(
             b, loc, valid,
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, copyAll(b)); },
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, states); })
      .getResult(0);
}

FailureOr<SmallVector<Value>> CausalConv1dOp::lowerToReference(OpBuilder &b) {
  return ConvLowering(b, *this).lower();
}
