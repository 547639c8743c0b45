//===- Slice.cpp - Parts of tensors, and parts put together ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

static Dims constants(NodeContext &node, ArrayRef<int64_t> numbers) {
  Dims result;
  for (int64_t number : numbers)
    result.push_back(node.dims.constant(number));
  return result;
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

namespace {
/// What Slice says about one dimension, as it says it.
struct AxisRange {
  OpFoldResult start, end, step;
  bool isWhole = true;
};
/// The elements start + i * step for i below size.
struct Positions {
  OpFoldResult start, size, step;
};
} // namespace

/// Starts and ends beyond this are "all there is"; so that index arithmetic on
/// them cannot wrap around.
static constexpr int64_t kFar = int64_t(1) << 48;

/// A start or end in [low, high], counted from `extent` if negative. `low` is 0
/// or -1, `high` the extent or one less.
static OpFoldResult normalizeBound(NodeContext &node, OpFoldResult bound, OpFoldResult extent,
                                   int64_t low, OpFoldResult high) {
  DimBuilder &d = node.dims;
  if (std::optional<int64_t> constant = DimBuilder::constantOf(bound)) {
    // The end is INT64_MAX or so in most models.
    if (*constant >= INT32_MAX)
      return high;
    if (*constant < -kFar)
      return d.constant(low);
    if (*constant == 0 && low == 0 && DimBuilder::same(high, extent))
      return bound;
    if (*constant < 0)
      return d.min(d.max(d.add(extent, bound), d.constant(low)), high);
    return d.min(bound, high);
  }
  if (DimBuilder::same(bound, extent) || DimBuilder::same(bound, high))
    return high;
  if (dependsOnData(bound))
    bound = clamp(node, bound, d.constant(-kFar), d.constant(kFar));
  OpFoldResult absolute = fromEnd(node, bound, extent);
  if (low < 0 || !isNonNegative(absolute))
    absolute = d.max(absolute, d.constant(low));
  return d.min(absolute, high);
}

static Positions positionsOf(NodeContext &node, const AxisRange &range, OpFoldResult extent) {
  DimBuilder &d = node.dims;
  OpFoldResult zero = d.constant(0), last = d.sub(extent, d.constant(1));
  if (range.isWhole)
    return {zero, extent, d.constant(1)};
  auto forward = [&](OpFoldResult step) -> Positions {
    OpFoldResult start = normalizeBound(node, range.start, extent, 0, extent);
    OpFoldResult end = normalizeBound(node, range.end, extent, 0, extent);
    OpFoldResult length = d.sub(end, start);
    bool fits = DimBuilder::constantOf(start) == 0 || DimBuilder::same(end, extent);
    if (!fits)
      length = d.max(length, zero);
    return {start, d.ceilDiv(length, step), step};
  };
  auto backward = [&](OpFoldResult step) -> Positions {
    OpFoldResult start = normalizeBound(node, range.start, extent, 0, last);
    // An empty dimension has no last element.
    start = d.max(start, d.constant(-1));
    OpFoldResult end = normalizeBound(node, range.end, extent, -1, last);
    return {start, d.ceilDiv(d.max(d.sub(start, end), zero), negate(node, step)), step};
  };
  if (std::optional<int64_t> step = DimBuilder::constantOf(range.step))
    return *step > 0 ? forward(range.step) : backward(range.step);
  // The sign is known at run time only; a step of 0 has failed before.
  OpFoldResult isDown = d.less(range.step, zero), one = d.constant(1);
  Positions up = forward(d.max(range.step, one));
  Positions down = backward(d.min(range.step, d.constant(-1)));
  return {d.select(isDown, down.start, up.start), d.select(isDown, down.size, up.size),
          d.select(isDown, down.step, up.step)};
}

/// The dimensions' ranges from lists of starts, ends, axes and steps, of which
/// the first `count` count. Fails the node on bad axes and steps.
static FailureOr<SmallVector<AxisRange>> rangesOf(NodeContext &node, const TensorValue &x,
                                                  ArrayRef<OpFoldResult> starts,
                                                  ArrayRef<OpFoldResult> ends,
                                                  std::optional<Dims> axes,
                                                  std::optional<Dims> steps, OpFoldResult count) {
  DimBuilder &d = node.dims;
  OpFoldResult rank = d.constant(x.rank()), zero = d.constant(0), one = d.constant(1);
  size_t listed = starts.size();
  if (ends.size() != listed || (axes && axes->size() != listed) ||
      (steps && steps->size() != listed))
    return node.error("has " + Twine(listed) + " starts, " + Twine(ends.size()) + " ends, " +
                      Twine(axes ? axes->size() : listed) + " axes and " +
                      Twine(steps ? steps->size() : listed) + " steps");
  SmallVector<AxisRange> ranges(x.rank(), AxisRange{zero, zero, one, true});
  for (size_t i = 0; i < listed; ++i) {
    OpFoldResult raw = axes ? (*axes)[i] : OpFoldResult(d.constant(static_cast<int64_t>(i)));
    OpFoldResult step = steps ? (*steps)[i] : one;
    OpFoldResult counts = d.less(d.constant(static_cast<int64_t>(i)), count);
    OpFoldResult ignored = d.equal(counts, zero);
    OpFoldResult axis = fromEnd(node, raw, rank);
    OpFoldResult inside = both(node, d.less(d.constant(-1), axis), d.less(axis, rank));
    if (failed(require(node, either(node, ignored, inside), WEFT_INVALID_ARGUMENT,
                       "has axis {0} for rank {1}", {raw, rank})))
      return failure();
    if (failed(require(node, either(node, ignored, d.equal(d.equal(step, zero), zero)),
                       WEFT_INVALID_ARGUMENT, "has a step of 0")))
      return failure();
    // A step of any size beyond the extent takes one element.
    if (!DimBuilder::constantOf(step) || *DimBuilder::constantOf(step) > kFar ||
        *DimBuilder::constantOf(step) < -kFar)
      step = clamp(node, step, d.constant(-kFar), d.constant(kFar));
    if (auto known = DimBuilder::constantOf(axis); known && DimBuilder::constantOf(counts) == 1) {
      ranges[*known] = {starts[i], ends[i], step, false};
      continue;
    }
    // An axis that is data: each dimension takes the range if it is the one.
    for (int64_t j = 0; j < x.rank(); ++j) {
      OpFoldResult isIt = both(node, counts, d.equal(axis, d.constant(j)));
      AxisRange before = ranges[j];
      if (before.isWhole)
        before = {zero, d.constant(INT64_MAX), one, false};
      ranges[j] = {d.select(isIt, starts[i], before.start), d.select(isIt, ends[i], before.end),
                   d.select(isIt, step, before.step), false};
    }
  }
  return ranges;
}

/// x at the positions, by views where all steps go up.
static TensorValue takePositions(NodeContext &node, const TensorValue &x,
                                 ArrayRef<Positions> positions) {
  bool isWhole = true, goesUp = true;
  Dims offsets, sizes, strides;
  for (auto [p, extent] : llvm::zip(positions, x.dims)) {
    std::optional<int64_t> step = DimBuilder::constantOf(p.step);
    isWhole &=
        DimBuilder::constantOf(p.start) == 0 && step == 1 && DimBuilder::same(p.size, extent);
    goesUp &= step && *step > 0;
    offsets.push_back(p.start);
    sizes.push_back(p.size);
    strides.push_back(p.step);
  }
  if (isWhole)
    return x;
  SmallVector<int64_t> starts, steps;
  for (auto [offset, stride] : llvm::zip(offsets, strides)) {
    starts.push_back(DimBuilder::constantOf(offset).value_or(-1));
    steps.push_back(DimBuilder::constantOf(stride).value_or(0));
  }
  if (!llvm::is_contained(starts, -1) && !llvm::is_contained(steps, 0))
    if (auto known = rearrangeElements(node, x, sizes, [&](ArrayRef<int64_t> position) {
          SmallVector<int64_t> at;
          for (auto [p, start, step] : llvm::zip(position, starts, steps))
            at.push_back(start + p * step);
          return at;
        }))
      return *known;
  if (goesUp)
    return slice(node, x, offsets, sizes, strides);
  return gatherElements(node, x, sizes, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
    KernelIndex k{b, loc};
    SmallVector<Value> at;
    for (auto [i, loop] : llvm::enumerate(loops)) {
      bool steps = DimBuilder::constantOf(strides[i]) != 1;
      at.push_back(k.add(k.of(offsets[i]), steps ? k.mul(loop, k.of(strides[i])) : loop));
    }
    return at;
  });
}

static LogicalResult buildSlice(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  Dims starts, ends;
  std::optional<Dims> axes, steps;
  OpFoldResult count;
  if (node.opset() < 10) {
    starts = constants(node, node.getInts("starts"));
    ends = constants(node, node.getInts("ends"));
    if (node.hasAttribute("axes"))
      axes = constants(node, node.getInts("axes"));
    count = d.constant(static_cast<int64_t>(starts.size()));
  } else {
    if (!node.hasInput(1) || !node.hasInput(2))
      return node.error("expects starts and ends");
    for (size_t i : {1, 2, 3, 4}) {
      if (!node.hasInput(i))
        continue;
      auto list = shapeElementsUpTo(node, node.input(i), x.rank());
      if (failed(list))
        return failure();
      if (i == 1) {
        count = list->second;
        starts = list->first;
        continue;
      }
      if (failed(require(node, d.equal(count, list->second), WEFT_INVALID_ARGUMENT,
                         "has {0} starts, but another number of ends, axes or steps, {1}",
                         {count, list->second})))
        return failure();
      if (i == 2)
        ends = list->first;
      else
        (i == 3 ? axes : steps) = list->first;
    }
    // Lists of unknown length are as long as can be, those of known length shorter.
    size_t shortest = std::min(starts.size(), ends.size());
    for (std::optional<Dims> *list : {&axes, &steps})
      if (*list)
        shortest = std::min(shortest, (*list)->size());
    starts.resize(shortest);
    ends.resize(shortest);
    for (std::optional<Dims> *list : {&axes, &steps})
      if (*list)
        (*list)->resize(shortest);
  }
  FailureOr<SmallVector<AxisRange>> ranges = rangesOf(node, x, starts, ends, axes, steps, count);
  if (failed(ranges))
    return failure();
  SmallVector<Positions> positions;
  for (auto [range, extent] : llvm::zip(*ranges, x.dims))
    positions.push_back(positionsOf(node, range, extent));
  node.setOutput(0, takePositions(node, x, positions));
  return success();
}

//===----------------------------------------------------------------------===//
// Split and Concat
//===----------------------------------------------------------------------===//

static LogicalResult buildSplit(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), x.rank());
  if (failed(axis))
    return failure();
  OpFoldResult extent = x.dims[*axis];
  int64_t parts = static_cast<int64_t>(node.outputCount());
  Dims sizes;
  if (node.hasInput(1)) {
    FailureOr<Dims> list = shapeElementsOf(node, node.input(1), parts);
    if (failed(list))
      return failure();
    sizes = *list;
  } else if (node.hasAttribute("split")) {
    sizes = constants(node, node.getInts("split"));
  } else {
    if (node.hasAttribute("num_outputs") && node.getInt("num_outputs", 0) != parts)
      return node.error("has num_outputs " + Twine(node.getInt("num_outputs", 0)) + " but " +
                        Twine(parts) + " outputs");
    // Equal parts, of which from opset 18 the last may be smaller.
    OpFoldResult number = d.constant(parts);
    if (node.opset() < 18) {
      if (failed(require(node, d.equal(d.rem(extent, number), d.constant(0)), WEFT_INVALID_ARGUMENT,
                         "splits an extent of {0} in {1} equal parts", {extent, number})))
        return failure();
      sizes.assign(parts, d.floorDiv(extent, number));
    } else {
      OpFoldResult size = d.ceilDiv(extent, number);
      sizes.assign(parts - 1, size);
      OpFoldResult last = d.sub(extent, d.mul(size, d.constant(parts - 1)));
      if (failed(require(node, d.less(d.constant(-1), last), WEFT_INVALID_ARGUMENT,
                         "splits an extent of {0} in {1} parts", {extent, number})))
        return failure();
      sizes.push_back(last);
    }
  }
  if (static_cast<int64_t>(sizes.size()) != parts)
    return node.error("has " + Twine(sizes.size()) + " sizes for " + Twine(parts) + " outputs");
  OpFoldResult total = d.constant(0);
  for (OpFoldResult size : sizes) {
    if (!isNonNegative(size) &&
        failed(require(
            node,
            both(node, d.less(d.constant(-1), size), d.less(size, d.add(extent, d.constant(1)))),
            WEFT_INVALID_ARGUMENT, "has a part of size {0} of an extent of {1}", {size, extent})))
      return failure();
    total = d.add(total, size);
  }
  bool given = node.hasInput(1) || node.hasAttribute("split");
  if (given && failed(require(node, d.equal(total, extent), WEFT_INVALID_ARGUMENT,
                              "has parts of {0} in sum for an extent of {1}", {total, extent})))
    return failure();
  OpFoldResult offset = d.constant(0);
  for (int64_t i = 0; i < parts; ++i) {
    SmallVector<Positions> positions;
    for (int64_t j = 0; j < x.rank(); ++j)
      positions.push_back(j == *axis ? Positions{offset, sizes[i], d.constant(1)}
                                     : Positions{d.constant(0), x.dims[j], d.constant(1)});
    node.setOutput(i, takePositions(node, x, positions));
    offset = d.add(offset, sizes[i]);
  }
  return success();
}

static LogicalResult buildConcat(NodeContext &node) {
  SmallVector<TensorValue> inputs;
  for (size_t i = 0; i < node.inputCount(); ++i)
    if (node.hasInput(i))
      inputs.push_back(node.input(i));
  FailureOr<int64_t> axis =
      normalizeAxis(node, node.getInt("axis", node.opset() < 4 ? 1 : 0), inputs.front().rank());
  if (failed(axis))
    return failure();
  FailureOr<TensorValue> result = concat(node, inputs, *axis);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Pad and CenterCropPad
//===----------------------------------------------------------------------===//

/// Constant padding; negative amounts cut off.
static TensorValue padConstant(NodeContext &node, const TensorValue &x, ArrayRef<OpFoldResult> low,
                               ArrayRef<OpFoldResult> high, Value scalar) {
  DimBuilder &d = node.dims;
  OpFoldResult zero = d.constant(0);
  SmallVector<Positions> kept;
  Dims before, after;
  for (int64_t i = 0; i < x.rank(); ++i) {
    OpFoldResult cutLow = d.min(d.max(negate(node, low[i]), zero), x.dims[i]);
    OpFoldResult cutHigh = d.min(d.max(negate(node, high[i]), zero), x.dims[i]);
    OpFoldResult size = x.dims[i];
    if (DimBuilder::constantOf(cutLow) != 0 || DimBuilder::constantOf(cutHigh) != 0)
      size = d.max(d.sub(d.sub(size, cutLow), cutHigh), zero);
    kept.push_back({cutLow, size, d.constant(1)});
    before.push_back(d.max(low[i], zero));
    after.push_back(d.max(high[i], zero));
  }
  TensorValue inner = takePositions(node, x, kept);
  bool pads = llvm::any_of(llvm::concat<OpFoldResult>(before, after),
                           [](OpFoldResult p) { return DimBuilder::constantOf(p) != 0; });
  return pads ? pad(node, inner, before, after, scalar) : inner;
}

/// Which element of `extent` stands at `i`, counted from the first, by mode.
static Value sourcePosition(const KernelIndex &k, StringRef mode, Value i, Value extent) {
  Value zero = k.constant(0), one = k.constant(1), last = k.sub(extent, one);
  if (mode == "edge")
    return k.max(k.min(i, last), zero);
  // Positions repeat after the extent, or after going there and back.
  Value period = mode == "wrap" ? extent : k.max(k.mul(k.constant(2), last), one);
  Value rest = arith::RemSIOp::create(k.b, k.loc, i, period);
  rest = k.select(k.less(rest, zero), k.add(rest, period), rest);
  if (mode == "wrap")
    return rest;
  return k.select(k.less(rest, extent), rest, k.sub(period, rest));
}

static LogicalResult buildPad(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  int64_t rank = x.rank();
  std::string mode = node.getString("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    return node.error("has mode '" + mode + "', expected constant, reflect, edge or wrap");
  Dims amounts;
  Value scalar =
      makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), x.elementType), 0);
  if (node.opset() < 11) {
    amounts = constants(node, node.getInts(node.hasAttribute("pads") ? "pads" : "paddings"));
    scalar = makeScalar(node.b, node.b.getLoc(), scalar.getType(), node.getFloat("value", 0));
  } else {
    if (!node.hasInput(1))
      return node.error("has no input 1, expected the pads");
    std::optional<int64_t> count = 2 * rank;
    if (node.hasInput(3)) {
      int64_t axes = node.input(3).rank() == 1 ? node.input(3).staticDim(0) : ShapedType::kDynamic;
      count = ShapedType::isDynamic(axes) ? std::nullopt : std::optional<int64_t>(2 * axes);
    }
    FailureOr<Dims> list = shapeElementsOf(node, node.input(1), count);
    if (failed(list))
      return failure();
    amounts = *list;
    if (node.hasInput(2)) {
      const TensorValue &value = node.input(2);
      if (value.elementType != x.elementType)
        return node.error("pads " + describe(x) + " with " + describe(value));
      for (OpFoldResult extent : value.dims)
        if (failed(require(node, d.equal(extent, d.constant(1)), WEFT_INVALID_ARGUMENT,
                           "pads with a tensor of {0} elements, expected 1", {extent})))
          return failure();
      scalar = extractScalar(node, value);
    }
  }
  Dims low(rank, d.constant(0)), high(rank, d.constant(0));
  if (node.hasInput(3)) {
    FailureOr<Dims> axes =
        shapeElementsOf(node, node.input(3), static_cast<int64_t>(amounts.size() / 2));
    if (failed(axes))
      return failure();
    if (amounts.size() != 2 * axes->size())
      return node.error("has " + Twine(amounts.size()) + " pads for " + Twine(axes->size()) +
                        " axes");
    OpFoldResult extent = d.constant(rank);
    for (auto [i, raw] : llvm::enumerate(*axes)) {
      OpFoldResult axis = fromEnd(node, raw, extent);
      if (failed(require(node, both(node, d.less(d.constant(-1), axis), d.less(axis, extent)),
                         WEFT_INVALID_ARGUMENT, "has axis {0} for rank {1}", {raw, extent})))
        return failure();
      for (int64_t j = 0; j < rank; ++j) {
        OpFoldResult isIt = d.equal(axis, d.constant(j));
        low[j] = d.select(isIt, amounts[i], low[j]);
        high[j] = d.select(isIt, amounts[axes->size() + i], high[j]);
      }
    }
  } else {
    if (static_cast<int64_t>(amounts.size()) != 2 * rank)
      return node.error("has " + Twine(amounts.size()) + " pads for " + describe(x));
    low.assign(amounts.begin(), amounts.begin() + rank);
    high.assign(amounts.begin() + rank, amounts.end());
  }
  Dims dims;
  bool data = false;
  for (int64_t i = 0; i < rank; ++i) {
    for (OpFoldResult *amount : {&low[i], &high[i]})
      if (dependsOnData(*amount)) {
        data = true;
        OpFoldResult limit = d.constant(kFar);
        if (failed(require(node,
                           both(node, d.less(*amount, limit), d.less(negate(node, limit), *amount)),
                           WEFT_INVALID_ARGUMENT, "has a pad of {0}", {*amount})))
          return failure();
      }
    dims.push_back(d.add(d.add(x.dims[i], low[i]), high[i]));
    if (!isNonNegative(dims[i]) &&
        failed(require(node, d.less(d.constant(-1), dims[i]), WEFT_INVALID_ARGUMENT,
                       "cuts more than there is: an extent of {0} is left", {dims[i]})))
      return failure();
  }
  if (data && failed(requireExtents(node, dims)))
    return failure();
  if (mode == "constant") {
    TensorValue result = padConstant(node, x, low, high, scalar);
    // With amounts that are data, the extents come out of other arithmetic.
    node.setOutput(0, result);
    return success();
  }
  for (int64_t i = 0; i < rank; ++i) {
    OpFoldResult zero = d.constant(0);
    OpFoldResult reads = either(node, d.less(zero, x.dims[i]), d.equal(dims[i], zero));
    if (failed(require(node, reads, WEFT_INVALID_ARGUMENT,
                       "pads a dimension of extent 0 with elements of it")))
      return failure();
  }
  node.setOutput(
      0, gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
        KernelIndex k{b, loc};
        SmallVector<Value> at;
        for (auto [i, loop] : llvm::enumerate(loops)) {
          bool moves = DimBuilder::constantOf(low[i]) != 0 || DimBuilder::constantOf(high[i]) != 0;
          at.push_back(moves ? sourcePosition(k, mode, k.sub(loop, k.of(low[i])), k.of(x.dims[i]))
                             : loop);
        }
        return at;
      }));
  return success();
}

static LogicalResult buildCenterCropPad(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  SmallVector<int64_t> axes = node.getInts("axes");
  if (!node.hasAttribute("axes"))
    for (int64_t i = 0; i < x.rank(); ++i)
      axes.push_back(i);
  FailureOr<Dims> shape = shapeElementsOf(node, node.input(1), static_cast<int64_t>(axes.size()));
  if (failed(shape))
    return failure();
  if (shape->size() != axes.size())
    return node.error("has a shape of " + Twine(shape->size()) + " extents for " +
                      Twine(axes.size()) + " axes");
  Dims target = x.dims;
  for (auto [axis, extent] : llvm::zip(axes, *shape)) {
    FailureOr<int64_t> normal = normalizeAxis(node, axis, x.rank());
    if (failed(normal))
      return failure();
    target[*normal] = extent;
  }
  if (failed(requireExtents(node, target)))
    return failure();
  OpFoldResult two = d.constant(2);
  SmallVector<Positions> kept;
  Dims low, high;
  for (auto [extent, wanted] : llvm::zip(x.dims, target)) {
    OpFoldResult size = d.min(extent, wanted);
    OpFoldResult missing = d.sub(wanted, size);
    low.push_back(d.floorDiv(missing, two));
    high.push_back(d.sub(missing, low.back()));
    kept.push_back({d.floorDiv(d.sub(extent, size), two), size, d.constant(1)});
  }
  TensorValue inner = takePositions(node, x, kept);
  bool pads = llvm::any_of(llvm::concat<OpFoldResult>(low, high),
                           [](OpFoldResult p) { return DimBuilder::constantOf(p) != 0; });
  if (pads) {
    Value scalar =
        makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), x.elementType), 0);
    inner = pad(node, inner, low, high, scalar);
  }
  node.setOutput(0, inner);
  return success();
}

void weft::onnx::registerSliceOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Slice", 1, 1, 5, buildSlice},
             {"Split", 1, 1, 2, buildSplit},
             {"Concat", 1, 1, kAnyNumber, buildConcat},
             {"Pad", 1, 1, 4, buildPad},
             {"CenterCropPad", 18, 2, 2, buildCenterCropPad},
         });
}
