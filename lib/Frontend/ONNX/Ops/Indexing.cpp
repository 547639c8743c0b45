//===- Indexing.cpp - Elements at indices, and which ones -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Selection.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// Index tuples into the dimensions of `x` after the first `batch`.
static TensorValue gatherTuples(NodeContext &node, const TensorValue &x, const TensorValue &indices,
                                int64_t batch, ArrayRef<OpFoldResult> dims) {
  Value init = makeEmpty(node, x.elementType, dims);
  auto op = GatherOp::create(node.b, node.b.getLoc(), init.getType(), node.value(x),
                             node.value(indices), init, batch);
  op->setAttr(kCheckedAttrName, node.b.getUnitAttr());
  return makeValue(op.getResult(), x.elementType, dims);
}

static LogicalResult checkIndexType(NodeContext &node, const TensorValue &indices) {
  if (!isInteger(indices.elementType))
    return node.error("has indices " + describe(indices) + ", expected integers");
  return success();
}

static LogicalResult buildGather(NodeContext &node) {
  const TensorValue x = node.input(0), indices = node.input(1);
  DimBuilder &d = node.dims;
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), x.rank());
  if (failed(axis) || failed(checkIndexType(node, indices)) ||
      failed(requireIndices(node, indices, {x.dims[*axis]})))
    return failure();
  OpFoldResult extent = x.dims[*axis];
  if (x.elements && x.rank() == 1 && indices.elements)
    if (std::optional<SmallVector<int64_t>> known = knownElements(*indices.elements)) {
      Dims elements;
      for (int64_t i : *known)
        elements.push_back((*x.elements)[i < 0 ? i + static_cast<int64_t>(x.elements->size()) : i]);
      node.setOutput(0, makeTracked(node, x.elementType, elements, indices.rank() == 0));
      return success();
    }
  Dims dims(x.dims.begin(), x.dims.begin() + *axis);
  llvm::append_range(dims, indices.dims);
  dims.append(x.dims.begin() + *axis + 1, x.dims.end());
  if (indices.rank() == 0) {
    // One slice: a view.
    FailureOr<OpFoldResult> raw = shapeScalar(node, indices, "an index");
    if (failed(raw))
      return failure();
    OpFoldResult index = fromEnd(node, *raw, extent);
    if (!DimBuilder::constantOf(index))
      index = clamp(node, index, d.constant(0), d.sub(extent, d.constant(1)));
    Dims offsets(x.rank(), d.constant(0)), sizes = x.dims, strides(x.rank(), d.constant(1));
    offsets[*axis] = index;
    sizes[*axis] = d.constant(1);
    node.setOutput(0, reshape(node, slice(node, x, offsets, sizes, strides), dims));
    return success();
  }
  if (*axis == 0) {
    Dims tuples = indices.dims;
    tuples.push_back(d.constant(1));
    node.setOutput(0, gatherTuples(node, x, reshape(node, indices, tuples), 0, dims));
    return success();
  }
  Value table = node.value(indices);
  int64_t front = *axis, middle = indices.rank();
  node.setOutput(
      0, gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
        KernelIndex k{b, loc};
        Value raw = tensor::ExtractOp::create(b, loc, table, loops.slice(front, middle));
        SmallVector<Value> at(loops.take_front(front));
        at.push_back(k.position(k.fromElement(raw, indices.elementType), k.of(extent)));
        llvm::append_range(at, loops.drop_front(front + middle));
        return at;
      }));
  return success();
}

static LogicalResult buildGatherElements(NodeContext &node) {
  const TensorValue x = node.input(0), indices = node.input(1);
  DimBuilder &d = node.dims;
  if (indices.rank() != x.rank() || x.rank() == 0)
    return node.error("gathers from " + describe(x) + " at " + describe(indices) +
                      ", expected equal ranks of at least 1");
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), x.rank());
  if (failed(axis) || failed(checkIndexType(node, indices)) ||
      failed(requireIndices(node, indices, {x.dims[*axis]})))
    return failure();
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != *axis && !DimBuilder::same(x.dims[i], indices.dims[i]) &&
        failed(require(node, d.less(indices.dims[i], d.add(x.dims[i], d.constant(1))),
                       WEFT_INVALID_ARGUMENT, "has indices of extent {0} for data of extent {1}",
                       {indices.dims[i], x.dims[i]})))
      return failure();
  Value data = node.value(x);
  FailureOr<TensorValue> result = elementwiseTo(
      node, indices, x.elementType, indices.dims,
      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        KernelIndex k{b, loc};
        SmallVector<Value> at;
        for (int64_t i = 0; i < x.rank(); ++i)
          at.push_back(
              i == *axis ? k.position(k.fromElement(args[0], indices.elementType), k.of(x.dims[i]))
                         : k.loop(i));
        return tensor::ExtractOp::create(b, loc, data, at);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult buildGatherND(NodeContext &node) {
  const TensorValue x = node.input(0);
  TensorValue indices = node.input(1);
  DimBuilder &d = node.dims;
  int64_t batch = node.getInt("batch_dims", 0);
  if (indices.rank() < 1 || batch < 0 || batch >= indices.rank() || batch > x.rank() ||
      failed(checkIndexType(node, indices)))
    return node.failed() ? failure()
                         : node.error("gathers from " + describe(x) + " at " + describe(indices) +
                                      " with " + Twine(batch) + " batch dimensions");
  std::optional<int64_t> tuple = DimBuilder::constantOf(indices.dims.back());
  if (!tuple) {
    // The declared rank is indices.rank - 1 + x.rank - batch - tuple.
    std::optional<int64_t> declared = node.declaredRank(0);
    if (!declared)
      return node.unsupported("has index tuples whose length is known only at run time");
    tuple = indices.rank() - 1 + x.rank() - batch - *declared;
    OpFoldResult wanted = d.constant(*tuple);
    if (failed(require(node, d.equal(indices.dims.back(), wanted), WEFT_INVALID_ARGUMENT,
                       "has index tuples of length {0}, expected {1}",
                       {indices.dims.back(), wanted})))
      return failure();
    indices.dims.back() = wanted;
    RankedTensorType type = tensorType(node.context(), indices.elementType, indices.dims);
    indices.value =
        tensor::CastOp::create(node.b, node.b.getLoc(), type, node.value(node.input(1)));
  }
  if (*tuple < 0 || batch + *tuple > x.rank())
    return node.error("gathers from " + describe(x) + " at tuples of length " + Twine(*tuple) +
                      " with " + Twine(batch) + " batch dimensions");
  for (int64_t i = 0; i < batch; ++i)
    if (failed(require(node, d.equal(x.dims[i], indices.dims[i]), WEFT_INVALID_ARGUMENT,
                       "has batch extents {0} and {1}", {x.dims[i], indices.dims[i]})))
      return failure();
  ArrayRef<OpFoldResult> extents(x.dims);
  extents = extents.slice(batch, *tuple);
  if (failed(requireIndices(node, indices, extents, /*areTuples=*/true)))
    return failure();
  Dims dims(indices.dims.begin(), indices.dims.end() - 1);
  dims.append(x.dims.begin() + batch + *tuple, x.dims.end());
  node.setOutput(0, gatherTuples(node, x, indices, batch, dims));
  return success();
}

/// ai.onnx.ml: the last dimension at indices; a vector gives a matrix of one row.
static LogicalResult buildArrayFeatureExtractor(NodeContext &node) {
  TensorValue x = node.input(0), indices = node.input(1);
  DimBuilder &d = node.dims;
  if (x.rank() == 0)
    return node.error("expects a tensor of rank 1 at least");
  if (failed(checkIndexType(node, indices)) ||
      failed(requireIndices(node, indices, {x.dims.back()})))
    return failure();
  OpFoldResult count = d.product(indices.dims);
  indices = reshape(node, indices, {count});
  if (x.rank() == 1)
    x = reshape(node, x, {d.constant(1), x.dims[0]});
  Dims dims = x.dims;
  dims.back() = count;
  Value table = node.value(indices);
  node.setOutput(
      0, gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
        KernelIndex k{b, loc};
        Value raw = tensor::ExtractOp::create(b, loc, table, loops.back());
        SmallVector<Value> at(loops);
        at.back() = k.position(k.fromElement(raw, indices.elementType), k.of(x.dims.back()));
        return at;
      }));
  return success();
}

//===----------------------------------------------------------------------===//
// Compress and NonZero
//===----------------------------------------------------------------------===//

TensorValue weft::onnx::nonZeroTuples(NodeContext &node, const TensorValue &x) {
  DimBuilder &d = node.dims;
  Location loc = node.b.getLoc();
  OpFoldResult rank = d.constant(x.rank()), most = d.product(x.dims);
  Value indicesInit = makeEmpty(node, ElementType::Int64, {rank, most});
  Value countInit = makeEmpty(node, ElementType::Int64, {});
  auto op = NonZeroOp::create(node.b, loc, indicesInit.getType(), countInit.getType(),
                              node.value(x), indicesInit, countInit);
  Value number = tensor::ExtractOp::create(node.b, loc, op.getCount(), ValueRange{});
  OpFoldResult count = d.fromInteger(number);
  TensorValue all = makeValue(op.getIndices(), ElementType::Int64, {rank, most});
  return slice(node, all, {d.constant(0), d.constant(0)}, {rank, count},
               {d.constant(1), d.constant(1)});
}

static LogicalResult buildNonZero(NodeContext &node) {
  TensorValue x = node.input(0);
  if (x.rank() == 0)
    x = reshape(node, x, {node.dims.constant(1)});
  node.setOutput(0, nonZeroTuples(node, x));
  return success();
}

static LogicalResult buildCompress(NodeContext &node) {
  TensorValue x = node.input(0), condition = node.input(1);
  DimBuilder &d = node.dims;
  if (condition.rank() != 1 || !isBool(condition.elementType))
    return node.error("has a condition " + describe(condition) + ", expected a vector of bool");
  int64_t axis = 0;
  if (node.hasAttribute("axis")) {
    FailureOr<int64_t> normal = normalizeAxis(node, node.getInt("axis", 0), x.rank());
    if (failed(normal))
      return failure();
    axis = *normal;
  } else {
    x = reshape(node, x, {d.product(x.dims)});
  }
  // The condition may be shorter than the dimension.
  if (failed(require(node, d.less(condition.dims[0], d.add(x.dims[axis], d.constant(1))),
                     WEFT_INVALID_ARGUMENT, "has a condition of {0} elements for an extent of {1}",
                     {condition.dims[0], x.dims[axis]})))
    return failure();
  TensorValue places = nonZeroTuples(node, condition);
  places = reshape(node, places, {places.dims[1]});
  node.setOutput(0, takeAlong(node, x, places, axis));
  return success();
}

TensorValue weft::onnx::takeAlong(NodeContext &node, const TensorValue &x,
                                  const TensorValue &places, int64_t axis) {
  Dims dims = x.dims;
  dims[axis] = places.dims[0];
  Value table = node.value(places);
  return gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
    KernelIndex k{b, loc};
    Value raw = tensor::ExtractOp::create(b, loc, table, loops[axis]);
    SmallVector<Value> at(loops);
    at[axis] = k.position(k.fromElement(raw, places.elementType), k.of(x.dims[axis]));
    return at;
  });
}

void weft::onnx::registerIndexingOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Gather", 1, 2, 2, buildGather},
             {"GatherElements", 11, 2, 2, buildGatherElements},
             {"GatherND", 11, 2, 2, buildGatherND},
             {"NonZero", 9, 1, 1, buildNonZero},
             {"Compress", 9, 2, 2, buildCompress},
             {"Unique", 11, 1, 1, buildUnique},
         });
  addOps(registrar, kMLDomain, {{"ArrayFeatureExtractor", 1, 2, 2, buildArrayFeatureExtractor}});
}
