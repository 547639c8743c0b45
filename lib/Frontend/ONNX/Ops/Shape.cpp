//===- Shape.cpp - Shapes and views of tensors ----------------------------===//
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

//===----------------------------------------------------------------------===//
// Shape and Size
//===----------------------------------------------------------------------===//

static LogicalResult buildShape(NodeContext &node) {
  const TensorValue &x = node.input(0);
  int64_t rank = x.rank();
  auto normal = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  int64_t start = normal(node.getInt("start", 0)), end = normal(node.getInt("end", rank));
  Dims elements;
  for (int64_t i = start; i < end; ++i)
    elements.push_back(x.dims[i]);
  node.setOutput(0, makeTracked(node, ElementType::Int64, elements));
  return success();
}

static LogicalResult buildSize(NodeContext &node) {
  OpFoldResult count = node.dims.product(node.input(0).dims);
  node.setOutput(0, makeTracked(node, ElementType::Int64, {count}, /*scalar=*/true));
  return success();
}

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

/// Numbers of the target shape: an extent, 0 for the input's, -1 for what is
/// left. Numbers that are extents themselves are never taken for either mark.
static LogicalResult buildReshape(NodeContext &node) {
  const TensorValue x = node.input(0);
  FailureOr<Dims> shape = failure();
  if (node.opset() < 5) {
    Dims numbers;
    for (int64_t number : node.getInts("shape"))
      numbers.push_back(node.dims.constant(number));
    shape = numbers;
  } else if (!node.hasInput(1)) {
    return node.error("has no input 1, expected the shape");
  } else {
    shape = shapeElementsOf(node, node.input(1), node.declaredRank(0));
  }
  if (failed(shape))
    return failure();
  DimBuilder &d = node.dims;
  OpFoldResult zero = d.constant(0), one = d.constant(1), minusOne = d.constant(-1);
  bool allowZero = node.getInt("allowzero", 0) != 0;
  Dims target = *shape;
  std::optional<size_t> inferred;
  SmallVector<size_t> unclear;
  for (auto [i, number] : llvm::enumerate(*shape)) {
    std::optional<int64_t> constant = DimBuilder::constantOf(number);
    if (constant == -1) {
      if (inferred)
        return node.error("has a shape with -1 twice");
      inferred = i;
    } else if (constant && *constant < 0) {
      return node.error("has a shape with " + Twine(*constant) + ", expected at least -1");
    } else if (constant == 0 && !allowZero) {
      if (static_cast<int64_t>(i) >= x.rank())
        return node.error("has a shape with 0 in dimension " + Twine(i) + ", but the input is " +
                          describe(x));
      target[i] = x.dims[i];
    } else if (!constant && dependsOnData(number)) {
      unclear.push_back(i);
      if (!allowZero && static_cast<int64_t>(i) < x.rank())
        target[i] = d.select(d.equal(number, zero), x.dims[i], number);
    }
  }
  Dims others;
  for (auto [i, extent] : llvm::enumerate(target))
    if (i != inferred)
      others.push_back(extent);
  if (inferred) {
    target[*inferred] = divideProducts(node, x.dims, others);
  } else if (!unclear.empty()) {
    // At most one of those read at run time can be -1.
    OpFoldResult marks = zero;
    Dims known;
    for (auto [i, extent] : llvm::enumerate(target)) {
      if (!llvm::is_contained(unclear, i)) {
        known.push_back(extent);
        continue;
      }
      OpFoldResult isMark = d.equal((*shape)[i], minusOne);
      marks = d.add(marks, isMark);
      known.push_back(d.select(isMark, one, extent));
    }
    if (failed(require(node, d.less(marks, d.constant(2)), WEFT_INVALID_ARGUMENT,
                       "has a shape with -1 {0} times", {marks})))
      return failure();
    OpFoldResult rest = divideProducts(node, x.dims, known);
    for (size_t i : unclear)
      target[i] = d.select(d.equal((*shape)[i], minusOne), rest, target[i]);
  }
  for (int64_t i = 0; target.empty() && i < x.rank(); ++i)
    if (x.staticDim(i) != 1 && !ShapedType::isDynamic(x.staticDim(i)))
      return node.error("cannot reshape " + describe(x) + " to one element");
  Dims data;
  for (size_t i : unclear)
    data.push_back(target[i]);
  if (!data.empty() && failed(requireExtents(node, target)))
    return failure();
  if (!sameProduct(x.dims, target)) {
    OpFoldResult have = d.product(x.dims), want = d.product(target);
    if (failed(require(node, d.equal(have, want), WEFT_INVALID_ARGUMENT,
                       "cannot reshape {0} elements to {1}", {have, want})))
      return failure();
  }
  node.setOutput(0, reshape(node, x, target));
  return success();
}

static LogicalResult buildFlatten(NodeContext &node) {
  const TensorValue x = node.input(0);
  int64_t axis = node.getInt("axis", 1);
  if (axis < -x.rank() || axis > x.rank())
    return node.error("has axis " + Twine(axis) + " for " + describe(x));
  if (axis < 0)
    axis += x.rank();
  ArrayRef<OpFoldResult> dims(x.dims);
  node.setOutput(0, reshape(node, x,
                            {node.dims.product(dims.take_front(axis)),
                             node.dims.product(dims.drop_front(axis))}));
  return success();
}

//===----------------------------------------------------------------------===//
// Squeeze and Unsqueeze
//===----------------------------------------------------------------------===//

/// The axes of input 1 or of the attribute; nothing if neither is there.
static FailureOr<std::optional<Dims>> readAxes(NodeContext &node, std::optional<int64_t> count) {
  if (node.hasInput(1)) {
    FailureOr<Dims> axes = shapeElementsOf(node, node.input(1), count);
    if (failed(axes))
      return failure();
    return std::optional<Dims>(*axes);
  }
  if (!node.hasAttribute("axes"))
    return std::optional<Dims>();
  Dims axes;
  for (int64_t axis : node.getInts("axes"))
    axes.push_back(node.dims.constant(axis));
  return std::optional<Dims>(axes);
}

static constexpr int64_t kMaxMarkedRank = 64;

/// For axes that are data: 1 for each dimension of `rank` that is among them.
static FailureOr<Dims> markAxes(NodeContext &node, ArrayRef<OpFoldResult> axes, int64_t rank) {
  DimBuilder &d = node.dims;
  if (static_cast<int64_t>(axes.size()) > rank)
    return node.error("has " + Twine(axes.size()) + " axes for rank " + Twine(rank));
  // Each axis is compared to each dimension.
  if (rank > kMaxMarkedRank)
    return node.unsupported("axes that are known only at run time are taken for up to " +
                            Twine(kMaxMarkedRank) + " dimensions, not " + Twine(rank));
  Dims marks(rank, d.constant(0));
  OpFoldResult extent = d.constant(rank), distinct = d.constant(0);
  for (OpFoldResult raw : axes) {
    OpFoldResult axis = fromEnd(node, raw, extent);
    OpFoldResult inside = both(node, d.less(d.constant(-1), axis), d.less(axis, extent));
    if (failed(require(node, inside, WEFT_INVALID_ARGUMENT, "has axis {0} for rank {1}",
                       {raw, extent})))
      return failure();
    for (int64_t i = 0; i < rank; ++i)
      marks[i] = either(node, marks[i], d.equal(axis, d.constant(i)));
  }
  for (OpFoldResult mark : marks)
    distinct = d.add(distinct, mark);
  if (failed(require(node, d.equal(distinct, d.constant(static_cast<int64_t>(axes.size()))),
                     WEFT_INVALID_ARGUMENT, "has an axis twice")))
    return failure();
  return marks;
}

static LogicalResult buildSqueeze(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  std::optional<int64_t> declared = node.declaredRank(0);
  std::optional<int64_t> count;
  if (declared && *declared <= x.rank())
    count = x.rank() - *declared;
  FailureOr<std::optional<Dims>> axes = readAxes(node, count);
  if (failed(axes))
    return failure();
  Dims dims;
  if (!*axes) {
    // All extents of 1; those known only at run time stay, unless the declared
    // rank says that they are 1.
    int64_t ones = 0, dynamic = 0;
    for (int64_t i = 0; i < x.rank(); ++i) {
      ones += x.staticDim(i) == 1;
      dynamic += ShapedType::isDynamic(x.staticDim(i));
    }
    if (dynamic && (!declared || *declared != x.rank() - ones))
      return node.unsupported("removes the extents of 1, which are known only at run time, so "
                              "that the rank is unknown; give the extents by --dim or --shape, "
                              "or the node its axes");
    for (OpFoldResult extent : x.dims) {
      if (DimBuilder::constantOf(extent) == 1)
        continue;
      if (!DimBuilder::constantOf(extent) &&
          failed(require(node, d.equal(d.equal(extent, d.constant(1)), d.constant(0)),
                         WEFT_INVALID_ARGUMENT,
                         "removes the extents of 1, one more than declared")))
        return failure();
      dims.push_back(extent);
    }
    node.setOutput(0, reshape(node, x, dims));
    return success();
  }
  OpFoldResult one = d.constant(1);
  if (std::optional<SmallVector<int64_t>> known = knownElements(**axes)) {
    FailureOr<SmallVector<int64_t>> normal = normalizeAxes(node, *known, x.rank());
    if (failed(normal))
      return failure();
    for (int64_t i = 0; i < x.rank(); ++i) {
      if (!llvm::is_contained(*normal, i)) {
        dims.push_back(x.dims[i]);
        continue;
      }
      if (failed(require(node, d.equal(x.dims[i], one), WEFT_INVALID_ARGUMENT,
                         ("removes dimension " + Twine(i) + " of extent {0}, expected 1").str(),
                         {x.dims[i]})))
        return failure();
    }
    node.setOutput(0, reshape(node, x, dims));
    return success();
  }
  FailureOr<Dims> marks = markAxes(node, **axes, x.rank());
  if (failed(marks))
    return failure();
  int64_t rank = x.rank() - static_cast<int64_t>((*axes)->size());
  int64_t staying = llvm::count_if(x.dims, [](OpFoldResult dim) {
    std::optional<int64_t> extent = DimBuilder::constantOf(dim);
    return extent && *extent != 1;
  });
  if (staying > rank)
    return node.error("cannot remove " + Twine((*axes)->size()) + " dimensions of " + describe(x));
  // The j-th dimension that stays.
  dims.assign(rank, one);
  OpFoldResult before = d.constant(0);
  for (int64_t i = 0; i < x.rank(); ++i) {
    OpFoldResult removed = (*marks)[i];
    if (failed(require(node, either(node, d.equal(removed, d.constant(0)), d.equal(x.dims[i], one)),
                       WEFT_INVALID_ARGUMENT, "removes a dimension of extent {0}, expected 1",
                       {x.dims[i]})))
      return failure();
    OpFoldResult stays = d.sub(one, removed);
    for (int64_t j = 0; j < rank; ++j)
      dims[j] = d.select(both(node, stays, d.equal(before, d.constant(j))), x.dims[i], dims[j]);
    before = d.add(before, stays);
  }
  node.setOutput(0, reshape(node, x, dims));
  return success();
}

static LogicalResult buildUnsqueeze(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  std::optional<int64_t> count;
  if (std::optional<int64_t> declared = node.declaredRank(0); declared && *declared >= x.rank())
    count = *declared - x.rank();
  FailureOr<std::optional<Dims>> axes = readAxes(node, count);
  if (failed(axes))
    return failure();
  if (!*axes)
    return node.error("has no axes");
  int64_t rank = x.rank() + static_cast<int64_t>((*axes)->size());
  Dims dims;
  if (std::optional<SmallVector<int64_t>> known = knownElements(**axes)) {
    FailureOr<SmallVector<int64_t>> normal = normalizeAxes(node, *known, rank);
    if (failed(normal))
      return failure();
    int64_t next = 0;
    for (int64_t i = 0; i < rank; ++i)
      dims.push_back(llvm::is_contained(*normal, i) ? d.constant(1) : x.dims[next++]);
    node.setOutput(0, reshape(node, x, dims));
    return success();
  }
  FailureOr<Dims> marks = markAxes(node, **axes, rank);
  if (failed(marks))
    return failure();
  OpFoldResult before = d.constant(0);
  for (int64_t i = 0; i < rank; ++i) {
    OpFoldResult extent = x.rank() ? choose(node, x.dims, before) : d.constant(1);
    dims.push_back(d.select((*marks)[i], d.constant(1), extent));
    before = d.add(before, d.sub(d.constant(1), (*marks)[i]));
  }
  node.setOutput(0, reshape(node, x, dims));
  return success();
}

//===----------------------------------------------------------------------===//
// Transpose, Expand, Tile
//===----------------------------------------------------------------------===//

static LogicalResult buildTranspose(NodeContext &node) {
  const TensorValue x = node.input(0);
  SmallVector<int64_t> permutation = node.getInts("perm");
  if (!node.hasAttribute("perm"))
    for (int64_t i = x.rank(); i-- > 0;)
      permutation.push_back(i);
  if (static_cast<int64_t>(permutation.size()) != x.rank())
    return node.error("has a permutation of " + Twine(permutation.size()) + " dimensions for " +
                      describe(x));
  for (int64_t &p : permutation) {
    FailureOr<int64_t> axis = normalizeAxis(node, p, x.rank());
    if (failed(axis))
      return failure();
    p = *axis;
  }
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  for (auto [i, p] : llvm::enumerate(sorted))
    if (static_cast<int64_t>(i) != p)
      return node.error("has a permutation that leaves out dimension " + Twine(i));
  node.setOutput(0, transpose(node, x, permutation));
  return success();
}

/// The shape that input 1 says. Where its length is known only at run time, the
/// declared rank bounds it, and extents of 1 stand in front.
static FailureOr<Dims> expandShape(NodeContext &node, int64_t inputRank) {
  const TensorValue shape = node.input(1);
  std::optional<int64_t> rank = node.declaredRank(0);
  bool isOpen = !shape.elements && shape.rank() == 1 && ShapedType::isDynamic(shape.staticDim(0));
  if (!isOpen || !rank || *rank != inputRank || *rank == 0)
    return shapeElementsOf(node, shape, rank);
  DimBuilder &d = node.dims;
  FailureOr<std::pair<Dims, OpFoldResult>> elements = shapeElementsUpTo(node, shape, *rank);
  if (failed(elements))
    return failure();
  OpFoldResult missing = d.sub(d.constant(*rank), elements->second);
  Dims dims;
  for (int64_t i = 0; i < *rank; ++i) {
    OpFoldResult position = d.sub(d.constant(i), missing);
    dims.push_back(d.select(d.less(position, d.constant(0)), d.constant(1),
                            choose(node, elements->first, position)));
  }
  return dims;
}

static LogicalResult buildExpand(NodeContext &node) {
  const TensorValue x = node.input(0);
  FailureOr<Dims> shape = expandShape(node, x.rank());
  if (failed(shape))
    return failure();
  bool data = llvm::any_of(*shape, [](OpFoldResult extent) { return dependsOnData(extent); });
  for (OpFoldResult extent : *shape)
    if (auto constant = DimBuilder::constantOf(extent); constant && *constant < 0)
      return node.error("has a shape with " + Twine(*constant) + ", expected extents");
  TensorValue target;
  target.elementType = x.elementType;
  target.dims = *shape;
  FailureOr<Dims> dims = broadcastDims(node, {x, target});
  if (failed(dims) || (data && failed(requireExtents(node, *dims))))
    return failure();
  if (x.elements && dims->size() == 1)
    if (std::optional<int64_t> extent = DimBuilder::constantOf(dims->front());
        extent && *extent <= 64) {
      Dims elements;
      for (int64_t i = 0; i < *extent; ++i)
        elements.push_back((*x.elements)[x.elements->size() == 1 ? 0 : i]);
      node.setOutput(0, makeTracked(node, x.elementType, elements));
      return success();
    }
  FailureOr<TensorValue> result = expand(node, x, *dims);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult buildTile(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  FailureOr<Dims> repeats = shapeElementsOf(node, node.input(1), x.rank());
  if (failed(repeats))
    return failure();
  if (static_cast<int64_t>(repeats->size()) != x.rank())
    return node.error("has " + Twine(repeats->size()) + " repeats for " + describe(x));
  Dims dims;
  bool data = false;
  for (auto [extent, repeat] : llvm::zip(x.dims, *repeats)) {
    if (!isNonNegative(repeat) &&
        failed(require(node, d.less(d.constant(-1), repeat), WEFT_INVALID_ARGUMENT,
                       "has {0} repeats, expected at least 0", {repeat})))
      return failure();
    data |= dependsOnData(repeat);
    dims.push_back(d.mul(extent, repeat));
  }
  // Products of one extent may wrap around before the sum is looked at.
  if (data) {
    Dims factors(*repeats);
    llvm::append_range(factors, x.dims);
    if (failed(requireExtents(node, factors)))
      return failure();
  }
  node.setOutput(
      0, gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
        KernelIndex k{b, loc};
        SmallVector<Value> position;
        for (auto [i, loop] : llvm::enumerate(loops))
          position.push_back(
              DimBuilder::constantOf((*repeats)[i]) == 1 ? loop : k.rem(loop, k.of(x.dims[i])));
        return position;
      }));
  return success();
}

//===----------------------------------------------------------------------===//
// Blocks of pixels
//===----------------------------------------------------------------------===//

/// The square of a size is a number of channels.
static constexpr int64_t kMaxBlockSize = int64_t(1) << 30;

static LogicalResult buildDepthToSpace(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  int64_t block = node.getInt("blocksize", 0);
  if (x.rank() != 4 || block < 1 || block > kMaxBlockSize)
    return node.error("expects a tensor of rank 4 and a positive blocksize, got " + describe(x) +
                      " and " + Twine(block));
  std::string mode = node.getString("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return node.error("has mode '" + mode + "', expected DCR or CRD");
  OpFoldResult size = d.constant(block), area = d.constant(block * block);
  if (failed(require(node, d.equal(d.rem(x.dims[1], area), d.constant(0)), WEFT_INVALID_ARGUMENT,
                     "has {0} channels, expected a multiple of {1}", {x.dims[1], area})))
    return failure();
  OpFoldResult depth = d.floorDiv(x.dims[1], area), h = x.dims[2], w = x.dims[3];
  bool isDCR = mode == "DCR";
  TensorValue parts = isDCR ? reshape(node, x, {x.dims[0], size, size, depth, h, w})
                            : reshape(node, x, {x.dims[0], depth, size, size, h, w});
  TensorValue moved = isDCR ? transpose(node, parts, {0, 3, 4, 1, 5, 2})
                            : transpose(node, parts, {0, 1, 4, 2, 5, 3});
  node.setOutput(0, reshape(node, moved, {x.dims[0], depth, d.mul(h, size), d.mul(w, size)}));
  return success();
}

static LogicalResult buildSpaceToDepth(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  int64_t block = node.getInt("blocksize", 0);
  if (x.rank() != 4 || block < 1 || block > kMaxBlockSize)
    return node.error("expects a tensor of rank 4 and a positive blocksize, got " + describe(x) +
                      " and " + Twine(block));
  OpFoldResult size = d.constant(block), area = d.constant(block * block);
  for (int64_t i : {2, 3})
    if (failed(require(node, d.equal(d.rem(x.dims[i], size), d.constant(0)), WEFT_INVALID_ARGUMENT,
                       "has a spatial extent of {0}, expected a multiple of {1}",
                       {x.dims[i], size})))
      return failure();
  OpFoldResult h = d.floorDiv(x.dims[2], size), w = d.floorDiv(x.dims[3], size);
  TensorValue parts = reshape(node, x, {x.dims[0], x.dims[1], h, size, w, size});
  TensorValue moved = transpose(node, parts, {0, 3, 5, 1, 2, 4});
  node.setOutput(0, reshape(node, moved, {x.dims[0], d.mul(x.dims[1], area), h, w}));
  return success();
}

//===----------------------------------------------------------------------===//
// What passes through
//===----------------------------------------------------------------------===//

static LogicalResult buildIdentity(NodeContext &node) {
  if (!node.hasInput(0)) {
    TensorValue none;
    none.isNone = true;
    node.setOutput(0, none);
    return success();
  }
  node.setOutput(0, node.input(0));
  return success();
}

/// In inference, and in training with a ratio of 0, the identity.
static LogicalResult buildDropout(NodeContext &node) {
  const TensorValue x = node.input(0);
  bool training = node.opset() < 7 && node.getInt("is_test", 0) == 0;
  if (node.opset() >= 12 && node.hasInput(2)) {
    std::optional<SmallVector<double>> mode = constantNumbers(node.input(2));
    std::optional<SmallVector<double>> ratio = SmallVector<double>{0.5};
    if (node.hasInput(1))
      ratio = constantNumbers(node.input(1));
    if (!mode || mode->size() != 1)
      return node.unsupported("training_mode must be known at compile time");
    training = mode->front() != 0 && !(ratio && ratio->size() == 1 && ratio->front() == 0);
  }
  if (training)
    return node.unsupported("drops elements at random only in training");
  node.setOutput(0, x);
  if (node.hasOutput(1)) {
    // Before opset 10 the mask has the type of the data.
    ElementType type = node.opset() < 10 ? x.elementType : ElementType::Bool;
    node.setOutput(1, makeSplat(node, type, x.dims, 1));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// ReverseSequence and Trilu
//===----------------------------------------------------------------------===//

static LogicalResult buildReverseSequence(NodeContext &node) {
  const TensorValue x = node.input(0), lengths = node.input(1);
  int64_t batch = node.getInt("batch_axis", 1), time = node.getInt("time_axis", 0);
  if (x.rank() < 2 || batch + time != 1 || batch * time != 0 || lengths.rank() != 1 ||
      !isInteger(lengths.elementType))
    return node.error("expects batch and time axes 0 and 1 and a vector of lengths, got axes " +
                      Twine(batch) + " and " + Twine(time) + " of " + describe(x) + " and " +
                      describe(lengths));
  DimBuilder &d = node.dims;
  if (failed(require(node, d.equal(lengths.dims[0], x.dims[batch]), WEFT_INVALID_ARGUMENT,
                     "has {0} lengths for a batch of {1}", {lengths.dims[0], x.dims[batch]})))
    return failure();
  Value counts = node.value(lengths);
  ElementType type = lengths.elementType;
  node.setOutput(
      0, gatherElements(node, x, x.dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
        KernelIndex k{b, loc};
        Value extent = k.of(x.dims[time]);
        Value length = k.fromElement(tensor::ExtractOp::create(b, loc, counts, loops[batch]), type);
        length = k.min(k.max(length, k.constant(0)), extent);
        Value mirrored = k.sub(k.sub(length, k.constant(1)), loops[time]);
        SmallVector<Value> position(loops);
        position[time] = k.select(k.less(loops[time], length), mirrored, loops[time]);
        return position;
      }));
  return success();
}

static LogicalResult buildTrilu(NodeContext &node) {
  const TensorValue x = node.input(0);
  if (x.rank() < 2)
    return node.error("expects matrices, got " + describe(x));
  OpFoldResult diagonal = node.dims.constant(0);
  if (node.hasInput(1)) {
    FailureOr<OpFoldResult> k = shapeScalar(node, node.input(1), "a diagonal");
    if (failed(k))
      return failure();
    diagonal = *k;
  }
  bool upper = node.getInt("upper", 1) != 0;
  int64_t row = x.rank() - 2, column = x.rank() - 1;
  // Far diagonals do not wrap around.
  OpFoldResult limit = node.dims.constant(int64_t(1) << 60);
  diagonal = clamp(node, diagonal, negate(node, limit), limit);
  FailureOr<TensorValue> result = elementwiseTo(
      node, x, x.elementType, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value edge = k.add(k.loop(row), k.of(diagonal));
        Value keep = upper ? k.cmp(arith::CmpIPredicate::sge, k.loop(column), edge)
                           : k.cmp(arith::CmpIPredicate::sle, k.loop(column), edge);
        Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(args[0].getType()));
        return k.select(keep, args[0], zero);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

void weft::onnx::registerShapeOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Shape", 1, 1, 1, buildShape},
             {"Size", 1, 1, 1, buildSize},
             {"Reshape", 1, 1, 2, buildReshape},
             {"Flatten", 1, 1, 1, buildFlatten},
             {"Squeeze", 1, 1, 2, buildSqueeze},
             {"Unsqueeze", 1, 1, 2, buildUnsqueeze},
             {"Transpose", 1, 1, 1, buildTranspose},
             {"Expand", 8, 2, 2, buildExpand},
             {"Tile", 6, 2, 2, buildTile},
             {"DepthToSpace", 1, 1, 1, buildDepthToSpace},
             {"SpaceToDepth", 1, 1, 1, buildSpaceToDepth},
             {"Identity", 1, 0, 1, buildIdentity},
             {"Dropout", 1, 1, 3, buildDropout},
             {"ReverseSequence", 10, 2, 2, buildReverseSequence},
             {"Trilu", 14, 1, 2, buildTrilu},
         });
}
