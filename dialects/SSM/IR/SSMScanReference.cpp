//===- SSMScanReference.cpp - Recurrences as loops over tokens ------------===//
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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft::ssm;

using weft::IndexMath;

/// Rows or columns of states that a work item computes: a few vectors.
static constexpr int64_t kTile = 64;

/// Appends a dimension of extent 1.
static Value appendUnit(OpBuilder &b, Location loc, Value value) {
  if (!value)
    return value;
  RankedTensorType type = typeOf(value);
  SmallVector<int64_t> shape(type.getShape());
  shape.push_back(1);
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < type.getRank(); ++i)
    groups.push_back({i});
  groups.back().push_back(type.getRank());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, value);
  sizes.push_back(b.getIndexAttr(1));
  return tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()),
                                       value, groups, sizes);
}

static Value dropUnit(OpBuilder &b, Location loc, Value value) {
  SmallVector<ReassociationIndices> groups;
  int64_t rank = typeOf(value).getRank();
  for (int64_t i = 0; i + 1 < rank; ++i)
    groups.push_back({i});
  groups.back().push_back(rank - 1);
  return tensor::CollapseShapeOp::create(b, loc, value, groups);
}

namespace {
/// A scan as loops. Work items are the heads' states, in tiles of columns (and of rows
/// that are independent), of each batch; sequences of a ragged batch, and states that
/// are written to slots, are taken one after the other in each work item.
class ScanLowering {
public:
  template <typename OpTy> ScanLowering(OpBuilder &b, OpTy op);
  SmallVector<Value> lower();

private:
  /// A destination in a work item: a slice of an init, carried by the loops.
  struct Destination {
    SmallVector<OpFoldResult> offsets, sizes;
    Value slice(OpBuilder &b, Location loc, Value whole) const;
  };
  /// What loops carry: output, states of the result, and checkpoints.
  using Carried = SmallVector<Value>;

  SmallVector<Value> lowerEmpty();
  SmallVector<Value> createItems();
  void placeTile(scf::ForallOp items, OpFoldResult rowTile, OpFoldResult columnTile);
  SmallVector<Destination> placeDestinations(OpBuilder &b);
  Carried lowerSequences(OpBuilder &b, Carried carried);
  /// One pass over the tokens of a sequence. A `second` pass goes backwards, and adds
  /// to the output.
  Carried lowerSequence(OpBuilder &b, Value sequence, bool second, Carried carried);
  Value startState(OpBuilder &b, Value sequence, bool second, Value states);
  Value finishState(OpBuilder &b, Value sequence, bool second, Value state, Value states);
  Value writeOutput(OpBuilder &b, Value output, Value state, Value sequence, Value token,
                    bool second);
  Value writePart(OpBuilder &b, Value output, Value part, ArrayRef<OpFoldResult> offsets,
                  bool second);
  Value emitCheckpoint(OpBuilder &b, Value checkpoints, Value state, Value step, Value start,
                       Value length, Value sequence);
  std::pair<Value, Value> boundsOf(OpBuilder &b, Value sequence);

  bool isBidirectional() const { return direction == Direction::Bidirectional; }
  /// Whether a work item has all sequences: their tokens or states cannot be told apart
  /// before the values of offsets and slots are known.
  bool loopsOverSequences() const { return offsets || destinations || isBidirectional(); }
  /// The place of a sequence in the carried output and states.
  Value outputRow(OpBuilder &b, Value sequence) const;
  Value stateRow(OpBuilder &b, Value sequence, bool second) const;

  OpBuilder &builder;
  Location loc;
  State shape;
  Direction direction = Direction::Forward;
  Emit emit = Emit::Last;
  int64_t count = 1;
  Value offsets, order, sources, destinations;
  Recurrence r;
  StateTile tile;
  Value initial;
  SmallVector<Value> inits; ///< with a last dimension of columns
  Value tokens, batches, sequences;
  Value ratio;        ///< heads of queries for each head of the state
  bool emits = false; ///< whether there are checkpoints
};
} // namespace

template <typename OpTy>
ScanLowering::ScanLowering(OpBuilder &b, OpTy op)
    : builder(b), loc(op.getLoc()), shape(op.getState()), sources(op.getSources()),
      destinations(op.getDestinations()), initial(op.getInitial()), inits(op.getInits()) {
  r.transition = op.getTransition();
  r.linear = op.getLinear();
  r.read = op.getRead();
  r.rank = op.getRank();
  r.substeps = op.getSubsteps();
  r.reads = op.getReads();
  r.query = op.getQuery();
  r.key = op.getKey();
  r.value = op.getValue();
  r.decay = op.getDecay();
  r.rate = op.getRate();
  r.angle = op.getAngle();
  r.alpha = op.getAlpha();
  r.beta = op.getBeta();
  r.matrix = op.getMatrix();
  r.bonus = op.getBonus();
  r.compute = getElementTypeOrSelf(op.getFinal().getType());
  if constexpr (std::is_same_v<OpTy, ScanOp>) {
    direction = op.getDirection();
    emit = op.getEmit();
    count = op.getCount();
    offsets = op.getOffsets();
    order = op.getOrder();
  }
}

SmallVector<Value> ScanLowering::lower() {
  if (shape == State::Vector) {
    r.value = appendUnit(builder, loc, r.value);
    initial = appendUnit(builder, loc, initial);
    for (Value &init : inits)
      init = appendUnit(builder, loc, init);
  }
  SmallVector<Value> results;
  if (llvm::any_of(inits, [](Value init) { return isStaticallyEmpty(typeOf(init)); }) ||
      isStaticallyEmpty(typeOf(r.value)))
    results = lowerEmpty();
  if (results.empty()) {
    emits = inits.size() > 2 && !isStaticallyEmpty(typeOf(inits[2]));
    IndexMath m{builder, loc};
    tokens = m.dim(inits[0], 1);
    if (r.reads != 1)
      tokens = m.div(tokens, m.constant(r.reads));
    batches = m.dim(inits[0], 0);
    sequences = offsets ? m.sub(m.dim(offsets, 0), m.constant(1)) : batches;
    tile.heads = m.dim(inits[1], 1);
    int64_t queryHeads = typeOf(inits[0]).getDimSize(2), heads = typeOf(inits[1]).getDimSize(1);
    if (!r.query)
      ratio = m.constant(1);
    else if (ShapedType::isDynamic(queryHeads) || ShapedType::isDynamic(heads))
      ratio = m.div(m.dim(inits[0], 2),
                    arith::MaxSIOp::create(builder, loc, tile.heads, m.constant(1)));
    else
      ratio = m.constant(queryHeads / heads);
    results = createItems();
  }
  if (shape == State::Vector)
    for (Value &result : results)
      result = dropUnit(builder, loc, result);
  return results;
}

/// MLIR takes no slice of an empty dimension. Without tokens, the states are those that
/// the sequences begin with; states without rows read as 0.
SmallVector<Value> ScanLowering::lowerEmpty() {
  RankedTensorType output = typeOf(inits[0]), state = typeOf(inits[1]);
  SmallVector<Value> results(inits);
  if (isStaticallyEmpty(state)) {
    if (state.getDimSize(2) == 0 && !isStaticallyEmpty(output) && r.query) {
      Value zero =
          arith::ConstantOp::create(builder, loc, builder.getZeroAttr(output.getElementType()));
      results[0] = linalg::FillOp::create(builder, loc, zero, inits[0]).getResult(0);
    }
    return results;
  }
  if (!isStaticallyEmpty(output) && !isStaticallyEmpty(typeOf(r.value)))
    return {}; // only the checkpoints are empty
  if (initial) {
    results[1] = linalg::CopyOp::create(builder, loc, initial, inits[1]).getResult(0);
  } else {
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(state.getElementType()));
    results[1] = linalg::FillOp::create(builder, loc, zero, inits[1]).getResult(0);
  }
  return results;
}

//===----------------------------------------------------------------------===//
// Work items
//===----------------------------------------------------------------------===//

/// The size of a tile of `extent`, and the number of elements in the last one.
static OpFoldResult tileSize(OpBuilder &b, Location loc, Value whole, unsigned dim, bool divides) {
  int64_t extent = typeOf(whole).getDimSize(dim);
  if (!divides)
    return tensor::getMixedSize(b, loc, whole, dim);
  return b.getIndexAttr(ShapedType::isDynamic(extent) ? kTile : std::min(extent, kTile));
}

/// The elements of tile `offset` of `extent`.
static OpFoldResult boundedSize(OpBuilder &b, Location loc, OpFoldResult extent,
                                OpFoldResult offset, OpFoldResult size) {
  std::optional<int64_t> whole = getConstantIntValue(extent), part = getConstantIntValue(size);
  if (isEqualConstantIntOrValue(extent, size) || (whole && part && *whole % *part == 0))
    return size;
  IndexMath m{b, loc};
  Value left = m.sub(getValueOrCreateConstantIndexOp(b, loc, extent),
                     getValueOrCreateConstantIndexOp(b, loc, offset));
  return OpFoldResult(
      arith::MinSIOp::create(b, loc, left, getValueOrCreateConstantIndexOp(b, loc, size))
          .getResult());
}

Value ScanLowering::Destination::slice(OpBuilder &b, Location loc, Value whole) const {
  return tensor::ExtractSliceOp::create(b, loc, whole, offsets, sizes,
                                        SmallVector<OpFoldResult>(sizes.size(), b.getIndexAttr(1)));
}

SmallVector<Value> ScanLowering::createItems() {
  OpBuilder &b = builder;
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult rowTile = tileSize(b, loc, inits[1], 2, r.hasIndependentRows()),
               columnTile = tileSize(b, loc, inits[1], 3, true);
  SmallVector<OpFoldResult> lower(4, zero), steps{one, one, rowTile, columnTile},
      upper{loopsOverSequences() ? one : OpFoldResult(batches), tile.heads,
            tensor::getMixedSize(b, loc, inits[1], 2), tensor::getMixedSize(b, loc, inits[1], 3)};
  // All rows are one tile, also if there are none.
  if (!r.hasIndependentRows())
    upper[2] = steps[2] = one;
  SmallVector<Value> outs(inits);
  if (!emits)
    outs.truncate(2);
  auto items = scf::ForallOp::create(b, loc, lower, upper, steps, outs, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(items.getBody());
  placeTile(items, rowTile, columnTile);
  SmallVector<Destination> destinations = placeDestinations(b);
  Carried carried;
  for (auto [destination, out] : llvm::zip(destinations, items.getRegionIterArgs()))
    carried.push_back(destination.slice(b, loc, out));
  carried = lowerSequences(b, carried);
  b.setInsertionPointToEnd(items.getTerminator().getBody());
  for (auto [destination, out, result] :
       llvm::zip(destinations, items.getRegionIterArgs(), carried))
    tensor::ParallelInsertSliceOp::create(
        b, loc, result, out, destination.offsets, destination.sizes,
        SmallVector<OpFoldResult>(destination.sizes.size(), b.getIndexAttr(1)));
  SmallVector<Value> results(items.getResults());
  results.append(inits.begin() + outs.size(), inits.end());
  return results;
}

void ScanLowering::placeTile(scf::ForallOp items, OpFoldResult rowTile, OpFoldResult columnTile) {
  OpBuilder &b = builder;
  OpFoldResult rows = tensor::getMixedSize(b, loc, inits[1], 2),
               columns = tensor::getMixedSize(b, loc, inits[1], 3);
  tile.batch = items.getInductionVar(0);
  tile.head = items.getInductionVar(1);
  tile.column = items.getInductionVar(3);
  tile.columns = boundedSize(b, loc, columns, tile.column, columnTile);
  tile.row = b.getIndexAttr(0);
  tile.rows = rows;
  if (r.hasIndependentRows()) {
    tile.row = items.getInductionVar(2);
    tile.rows = boundedSize(b, loc, rows, tile.row, rowTile);
  }
}

/// What a work item writes: the output of the queries' heads that share its state, its
/// tile of the states and of the checkpoints; of its batch, or of all sequences.
SmallVector<ScanLowering::Destination> ScanLowering::placeDestinations(OpBuilder &b) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  bool all = loopsOverSequences();
  OpFoldResult first = all ? zero : OpFoldResult(tile.batch);
  auto count = [&](Value whole) { return all ? tensor::getMixedSize(b, loc, whole, 0) : one; };
  auto tokensOf = [&](Value whole) { return tensor::getMixedSize(b, loc, whole, 1); };
  SmallVector<Destination> result(2);
  if (r.query)
    result[0] = {{first, zero, m.mul(tile.head, ratio), tile.column},
                 {count(inits[0]), tokensOf(inits[0]), getAsOpFoldResult(ratio), tile.columns}};
  else
    result[0] = {{first, zero, tile.head, tile.row, tile.column},
                 {count(inits[0]), tokensOf(inits[0]), one, tile.rows, tile.columns}};
  result[1] = {{first, tile.head, tile.row, tile.column},
               {count(inits[1]), one, tile.rows, tile.columns}};
  if (emits)
    result.push_back({{first, zero, tile.head, tile.row, tile.column},
                      {count(inits[2]), tokensOf(inits[2]), one, tile.rows, tile.columns}});
  return result;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

Value ScanLowering::outputRow(OpBuilder &b, Value sequence) const {
  IndexMath m{b, loc};
  return loopsOverSequences() && !offsets ? sequence : m.constant(0);
}

Value ScanLowering::stateRow(OpBuilder &b, Value sequence, bool second) const {
  IndexMath m{b, loc};
  if (!loopsOverSequences())
    return m.constant(0);
  return second ? m.add(sequence, sequences) : sequence;
}

ScanLowering::Carried ScanLowering::lowerSequences(OpBuilder &b, Carried carried) {
  auto lowerBoth = [&](OpBuilder &b, Value sequence, Carried carried) {
    carried = lowerSequence(b, sequence, /*second=*/false, carried);
    if (isBidirectional())
      carried = lowerSequence(b, sequence, /*second=*/true, carried);
    return carried;
  };
  if (!loopsOverSequences())
    return lowerBoth(b, tile.batch, carried);
  IndexMath m{b, loc};
  auto loop =
      scf::ForOp::create(b, loc, m.constant(0), sequences, m.constant(1), carried,
                         [&](OpBuilder &b, Location loc, Value sequence, ValueRange args) {
                           if (!offsets)
                             tile.batch = sequence;
                           scf::YieldOp::create(b, loc, lowerBoth(b, sequence, Carried(args)));
                         });
  return Carried(loop.getResults());
}

/// An element of an i32 tensor as an index.
static Value indexAt(OpBuilder &b, Location loc, Value tensor, Value at) {
  Value element = tensor::ExtractOp::create(b, loc, tensor, at);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), element);
}

/// The first token of a sequence and the one after its last: always in [0, tokens],
/// in this order.
std::pair<Value, Value> ScanLowering::boundsOf(OpBuilder &b, Value sequence) {
  IndexMath m{b, loc};
  if (!offsets)
    return {m.constant(0), tokens};
  auto limited = [&](Value low, Value at) -> Value {
    Value bound = indexAt(b, loc, offsets, at);
    bound = arith::MinSIOp::create(b, loc, bound, tokens);
    return arith::MaxSIOp::create(b, loc, bound, low);
  };
  Value start = limited(m.constant(0), sequence);
  return {start, limited(start, m.add(sequence, m.constant(1)))};
}

/// The slice of rank 2 that is the state in row `row` of `states`.
static Value stateSlice(OpBuilder &b, Location loc, Value states, const StateTile &tile,
                        ArrayRef<OpFoldResult> offsets) {
  OpFoldResult one = b.getIndexAttr(1);
  RankedTensorType type = sliceType(typeOf(states).getElementType(), {tile.rows, tile.columns});
  SmallVector<OpFoldResult> sizes(offsets.size() - 2, one), strides(offsets.size(), one);
  sizes.append({tile.rows, tile.columns});
  return tensor::ExtractSliceOp::create(b, loc, type, states, offsets, sizes, strides);
}

static Value insertState(OpBuilder &b, Location loc, Value state, Value states,
                         const StateTile &tile, ArrayRef<OpFoldResult> offsets) {
  OpFoldResult one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> sizes(offsets.size() - 2, one), strides(offsets.size(), one);
  sizes.append({tile.rows, tile.columns});
  return tensor::InsertSliceOp::create(b, loc, state, states, offsets, sizes, strides);
}

/// What the sequence begins with, in the memory of its row of the result; if slots say
/// where that is, in memory of its own.
Value ScanLowering::startState(OpBuilder &b, Value sequence, bool second, Value states) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0);
  RecurrenceBuilder recurrence(r, tile);
  Value init;
  if (destinations)
    init = tensor::EmptyOp::create(b, loc, ArrayRef{tile.rows, tile.columns}, r.compute);
  else
    init = stateSlice(b, loc, states, tile, {stateRow(b, sequence, second), zero, zero, zero});
  if (!initial || typeOf(initial).getDimSize(0) == 0)
    return recurrence.fill(b, loc, init);
  Value row = second ? m.add(sequence, sequences) : sequence;
  auto copyOf = [&](OpBuilder &b, Value row) -> Value {
    Value from = stateSlice(b, loc, initial, tile, {row, tile.head, tile.row, tile.column});
    return linalg::CopyOp::create(b, loc, from, init).getResult(0);
  };
  if (!sources)
    return copyOf(b, row);
  Value source = indexAt(b, loc, sources, sequence);
  Value valid = m.both(m.cmp(arith::CmpIPredicate::sge, source, m.constant(0)),
                       m.cmp(arith::CmpIPredicate::slt, source, m.dim(initial, 0)));
  return scf::IfOp::create(
             b, loc, valid,
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, copyOf(b, source)); },
             [&](OpBuilder &b, Location loc) {
               scf::YieldOp::create(b, loc, recurrence.fill(b, loc, init));
             })
      .getResult(0);
}

Value ScanLowering::finishState(OpBuilder &b, Value sequence, bool second, Value state,
                                Value states) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0);
  if (!destinations)
    return insertState(b, loc, state, states, tile,
                       {stateRow(b, sequence, second), zero, zero, zero});
  Value slot = indexAt(b, loc, destinations, sequence);
  Value valid = m.both(m.cmp(arith::CmpIPredicate::sge, slot, m.constant(0)),
                       m.cmp(arith::CmpIPredicate::slt, slot, m.dim(inits[1], 0)));
  return scf::IfOp::create(
             b, loc, valid,
             [&](OpBuilder &b, Location loc) {
               Value written = insertState(b, loc, state, states, tile, {slot, zero, zero, zero});
               scf::YieldOp::create(b, loc, written);
             },
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, states); })
      .getResult(0);
}

ScanLowering::Carried ScanLowering::lowerSequence(OpBuilder &b, Value sequence, bool second,
                                                  Carried carried) {
  IndexMath m{b, loc};
  auto [start, end] = boundsOf(b, sequence);
  Value length = m.sub(end, start);
  bool reverse = second || direction == Direction::Reverse;
  RecurrenceBuilder recurrence(r, tile);
  SmallVector<Value> args{startState(b, sequence, second, carried[1]), carried[0]};
  if (emits)
    args.push_back(carried[2]);
  auto loop = scf::ForOp::create(
      b, loc, m.constant(0), length, m.constant(1), args,
      [&](OpBuilder &b, Location loc, Value step, ValueRange args) {
        IndexMath m{b, loc};
        Value token = reverse ? m.sub(m.sub(end, m.constant(1)), step) : m.add(start, step);
        if (order)
          token = m.clamp(indexAt(b, loc, order, token), tokens);
        Value output = args[1];
        if (r.read == Read::Pre)
          output = writeOutput(b, output, args[0], sequence, token, second);
        Value state = recurrence.advance(b, loc, args[0], token);
        if (r.read == Read::Post)
          output = writeOutput(b, output, state, sequence, token, second);
        SmallVector<Value> next{state, output};
        if (emits)
          next.push_back(emitCheckpoint(b, args[2], state, step, start, length, sequence));
        scf::YieldOp::create(b, loc, next);
      });
  Carried result{loop.getResult(1),
                 finishState(b, sequence, second, loop.getResult(0), carried[1])};
  if (emits)
    result.push_back(loop.getResult(2));
  return result;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

/// Writes `part`, whose dimensions are the last ones of `output`, or adds it.
Value ScanLowering::writePart(OpBuilder &b, Value output, Value part,
                              ArrayRef<OpFoldResult> offsets, bool second) {
  RankedTensorType type = typeOf(part);
  Type element = typeOf(output).getElementType();
  OpFoldResult one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> sizes(offsets.size() - type.getRank(), one),
      strides(offsets.size(), one);
  if (type.getRank() == 2)
    sizes.push_back(tile.rows);
  sizes.push_back(tile.columns);
  Value slice = tensor::ExtractSliceOp::create(
      b, loc, RankedTensorType::get(type.getShape(), element), output, offsets, sizes, strides);
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  Value written = createGeneric(b, loc, part, slice, maps, loops, r.compute,
                                [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                  Value x = args[0];
                                  if (second)
                                    x = arith::AddFOp::create(
                                        b, loc, convertFloat(b, loc, args[1], r.compute), x);
                                  return convertFloat(b, loc, x, element);
                                });
  return tensor::InsertSliceOp::create(b, loc, written, output, offsets, sizes, strides);
}

/// Writes what a token reads of the state: the state itself without queries.
Value ScanLowering::writeOutput(OpBuilder &b, Value output, Value state, Value sequence,
                                Value token, bool second) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0);
  Value row = outputRow(b, sequence);
  if (!r.query)
    return writePart(b, output, state, {row, token, zero, zero, zero}, second);
  RecurrenceBuilder recurrence(r, tile);
  for (int64_t read = 0; read < r.reads; ++read) {
    Value position = token;
    if (r.reads != 1)
      position = m.add(m.mul(token, m.constant(r.reads)), m.constant(read));
    if (getConstantIntValue(OpFoldResult(ratio)) == 1) {
      Value sums = recurrence.readState(b, loc, state, token, read, {});
      output = writePart(b, output, sums, {row, position, zero, zero}, second);
      continue;
    }
    auto loop = scf::ForOp::create(
        b, loc, m.constant(0), ratio, m.constant(1), output,
        [&](OpBuilder &b, Location loc, Value within, ValueRange args) {
          Value sums = recurrence.readState(b, loc, state, token, read, within);
          Value next = writePart(b, args[0], sums, {row, position, within, zero}, second);
          scf::YieldOp::create(b, loc, next);
        });
    output = loop.getResult(0);
  }
  return output;
}

/// Writes the state after step `step` of a sequence if it is to be kept.
Value ScanLowering::emitCheckpoint(OpBuilder &b, Value checkpoints, Value state, Value step,
                                   Value start, Value length, Value sequence) {
  IndexMath m{b, loc};
  OpFoldResult zero = b.getIndexAttr(0);
  Value period = m.constant(count), one = m.constant(1), done = m.add(step, one);
  Value kept, place, row = outputRow(b, sequence);
  if (emit == Emit::Every) {
    kept = m.cmp(arith::CmpIPredicate::eq, m.rem(done, period), m.constant(0));
    place = m.sub(m.add(m.div(start, period), m.div(done, period)), one);
  } else {
    Value left = m.sub(length, done);
    kept = m.cmp(arith::CmpIPredicate::slt, left, period);
    place = m.sub(m.sub(period, one), left);
    if (loopsOverSequences())
      row = sequence;
  }
  // The tokens that offsets out of order name more than once have no room.
  kept = m.both(kept, m.cmp(arith::CmpIPredicate::slt, place, m.dim(checkpoints, 1)));
  return scf::IfOp::create(
             b, loc, kept,
             [&](OpBuilder &b, Location loc) {
               Value written =
                   insertState(b, loc, state, checkpoints, tile, {row, place, zero, zero, zero});
               scf::YieldOp::create(b, loc, written);
             },
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, checkpoints); })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> ScanOp::lowerToReference(OpBuilder &b) {
  return ScanLowering(b, *this).lower();
}

FailureOr<SmallVector<Value>> StepOp::lowerToReference(OpBuilder &b) {
  return ScanLowering(b, *this).lower();
}
