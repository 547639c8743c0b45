//===- TensorShapeOps.cpp - Views, movements, reductions, contractions ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/TensorOps.h"

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/PackedOps.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;
using namespace weft::onnx;

/// Tensors of more elements are not followed element by element.
static constexpr int64_t kMaxRearranged = 64;

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

/// Groups dimensions of `from` and `to` with equal products: pairs of ranges.
/// Extents that are the same value match one to one; static ones by product; what
/// cannot be told apart goes into one group.
static SmallVector<std::pair<int64_t, int64_t>> matchGroups(ArrayRef<OpFoldResult> from,
                                                            ArrayRef<OpFoldResult> to) {
  // Ends of the groups, in both lists.
  SmallVector<std::pair<int64_t, int64_t>> ends;
  int64_t i = 0, j = 0, n = static_cast<int64_t>(from.size()), m = static_cast<int64_t>(to.size());
  // How much of the tails match one to one.
  int64_t tail = 0;
  while (tail < n && tail < m && DimBuilder::same(from[n - 1 - tail], to[m - 1 - tail]))
    ++tail;
  int64_t fromEnd = n - tail, toEnd = m - tail;
  while (i < fromEnd && j < toEnd) {
    if (DimBuilder::same(from[i], to[j])) {
      ends.push_back({++i, ++j});
      continue;
    }
    // Static products that meet again.
    int64_t p = i, q = j, a = 1, c = 1;
    bool met = false;
    while (true) {
      auto x = p < fromEnd ? DimBuilder::constantOf(from[p]) : std::nullopt;
      auto y = q < toEnd ? DimBuilder::constantOf(to[q]) : std::nullopt;
      if (p == i || (a < c && p < fromEnd)) {
        if (!x || *x == 0)
          break;
        a *= *x, ++p;
      } else if (q == j || (c < a && q < toEnd)) {
        if (!y || *y == 0)
          break;
        c *= *y, ++q;
      } else {
        break;
      }
      if (p > i && q > j && a == c) {
        met = true;
        break;
      }
    }
    if (!met)
      break;
    i = p, j = q;
    ends.push_back({i, j});
  }
  if (i < fromEnd || j < toEnd) {
    if (i < fromEnd && j < toEnd) {
      ends.push_back({fromEnd, toEnd});
    } else if (!ends.empty()) {
      // Dimensions of extent 1 that are left join the group before them.
      ends.back() = {fromEnd, toEnd};
    } else if (tail > 0) {
      --tail;
      ends.push_back({fromEnd + 1, toEnd + 1});
      fromEnd += 1, toEnd += 1;
    } else {
      ends.push_back({fromEnd, toEnd});
    }
  }
  for (int64_t k = 0; k < tail; ++k)
    ends.push_back({fromEnd + k + 1, toEnd + k + 1});
  return ends;
}

TensorValue weft::onnx::reshape(NodeContext &node, const TensorValue &x,
                                ArrayRef<OpFoldResult> dims) {
  RankedTensorType target = tensorType(node.context(), x.elementType, dims);
  if (x.dims.size() == dims.size() && llvm::all_of(llvm::zip(x.dims, dims), [](auto p) {
        return DimBuilder::same(std::get<0>(p), std::get<1>(p));
      })) {
    TensorValue result = x;
    if (!x.value)
      return result;
    return result;
  }
  TensorValue result;
  result.elementType = x.elementType;
  result.dims.assign(dims.begin(), dims.end());
  if (x.elements && (dims.size() <= 1 || (llvm::all_of(dims, llvm::IsaPred<mlir::Attribute>) &&
                                          x.elements->size() <= kMaxRearranged))) {
    result.elements = x.elements;
    if (!x.value)
      return result;
  }
  if (x.packed && sharesBytes(x.elementType))
    return reinterpretPacked(node, x, x.elementType, dims);
  // MLIR refuses to collapse an extent of 0 with one that it does not know.
  if (llvm::any_of(x.dims, [](OpFoldResult dim) { return DimBuilder::constantOf(dim) == 0; })) {
    result.value = makeEmpty(node, x.elementType, dims);
    return result;
  }
  Location loc = node.b.getLoc();
  Value value = node.value(x);
  auto type = mlir::cast<RankedTensorType>(value.getType());
  int64_t n = x.rank(), m = static_cast<int64_t>(dims.size());
  if (n == 0 || m == 0) {
    // All extents are 1.
    if (n > 0) {
      SmallVector<int64_t> ones(n, 1);
      auto unit = RankedTensorType::get(ones, type.getElementType());
      if (type != unit)
        value = tensor::CastOp::create(node.b, loc, unit, value);
      value = tensor::CollapseShapeOp::create(node.b, loc,
                                              RankedTensorType::get({}, type.getElementType()),
                                              value, ArrayRef<ReassociationIndices>{});
    }
    if (m > 0) {
      SmallVector<int64_t> ones(m, 1);
      auto unit = RankedTensorType::get(ones, type.getElementType());
      value =
          tensor::ExpandShapeOp::create(node.b, loc, unit, value, ArrayRef<ReassociationIndices>{});
      if (unit != target)
        value = tensor::CastOp::create(node.b, loc, target, value);
    }
    result.value = value;
    return result;
  }
  SmallVector<std::pair<int64_t, int64_t>> ends = matchGroups(x.dims, dims);
  // Collapse every group to one dimension, then expand it.
  SmallVector<ReassociationIndices> collapse, expand;
  SmallVector<int64_t> middle;
  int64_t i = 0, j = 0;
  for (auto [p, q] : ends) {
    ReassociationIndices from, to;
    int64_t fromSize = 1, toSize = 1;
    for (; i < p; ++i) {
      from.push_back(i);
      int64_t extent = x.staticDim(i);
      fromSize = ShapedType::isDynamic(extent) || ShapedType::isDynamic(fromSize)
                     ? ShapedType::kDynamic
                     : fromSize * extent;
    }
    for (; j < q; ++j) {
      to.push_back(j);
      int64_t extent = target.getDimSize(j);
      toSize = ShapedType::isDynamic(extent) || ShapedType::isDynamic(toSize) ? ShapedType::kDynamic
                                                                              : toSize * extent;
    }
    collapse.push_back(from);
    expand.push_back(to);
    middle.push_back(fromSize);
  }
  SmallVector<int64_t> wanted;
  for (const ReassociationIndices &group : expand) {
    int64_t size = 1;
    for (int64_t d : group)
      size = ShapedType::isDynamic(size) || target.isDynamicDim(d) ? ShapedType::kDynamic
                                                                   : size * target.getDimSize(d);
    wanted.push_back(size);
  }
  if (collapse.size() < static_cast<size_t>(n))
    value = tensor::CollapseShapeOp::create(
        node.b, loc, RankedTensorType::get(middle, type.getElementType()), value, collapse);
  // One side can know an extent that the other does not.
  auto middleType = RankedTensorType::get(wanted, type.getElementType());
  if (value.getType() != middleType)
    value = tensor::CastOp::create(node.b, loc, middleType, value);
  if (expand.size() < static_cast<size_t>(m))
    value = tensor::ExpandShapeOp::create(node.b, loc, target, value, expand, dims);
  result.value = value;
  return result;
}

//===----------------------------------------------------------------------===//
// Movements
//===----------------------------------------------------------------------===//

std::optional<TensorValue>
weft::onnx::rearrangeElements(NodeContext &node, const TensorValue &x, ArrayRef<OpFoldResult> dims,
                              llvm::function_ref<SmallVector<int64_t>(ArrayRef<int64_t>)> source) {
  if (!x.elements)
    return std::nullopt;
  SmallVector<int64_t> from, to;
  for (int64_t i = 0; i < x.rank(); ++i)
    from.push_back(x.staticDim(i));
  int64_t count = 1;
  for (OpFoldResult dim : dims) {
    std::optional<int64_t> extent = DimBuilder::constantOf(dim);
    if (!extent || *extent > kMaxRearranged)
      return std::nullopt;
    to.push_back(*extent);
    count *= *extent;
    if (count > kMaxRearranged)
      return std::nullopt;
  }
  if (llvm::is_contained(from, ShapedType::kDynamic))
    return std::nullopt;
  TensorValue result;
  result.elementType = x.elementType;
  result.dims.assign(dims.begin(), dims.end());
  result.elements.emplace();
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<int64_t> position(to.size());
    int64_t rest = i, flat = 0;
    for (size_t d = to.size(); d-- > 0; rest /= to[d])
      position[d] = rest % to[d];
    for (auto [extent, p] : llvm::zip(from, source(position)))
      flat = flat * extent + p;
    if (flat < 0 || flat >= static_cast<int64_t>(x.elements->size()))
      return std::nullopt;
    result.elements->push_back((*x.elements)[flat]);
  }
  return result;
}

TensorValue weft::onnx::transpose(NodeContext &node, const TensorValue &x,
                                  ArrayRef<int64_t> permutation) {
  Dims dims;
  for (int64_t p : permutation)
    dims.push_back(x.dims[p]);
  bool identity = true;
  for (auto [i, p] : llvm::enumerate(permutation))
    identity &= static_cast<int64_t>(i) == p;
  if (identity)
    return x;
  if (auto known = rearrangeElements(node, x, dims, [&](ArrayRef<int64_t> position) {
        SmallVector<int64_t> at(permutation.size());
        for (auto [i, p] : llvm::enumerate(permutation))
          at[p] = position[i];
        return at;
      }))
    return *known;
  Value empty = makeEmpty(node, x.elementType, dims);
  auto op = linalg::TransposeOp::create(node.b, node.b.getLoc(), node.value(x), empty, permutation);
  return makeValue(op->getResult(0), x.elementType, dims);
}

FailureOr<TensorValue> weft::onnx::expand(NodeContext &node, const TensorValue &x,
                                          ArrayRef<OpFoldResult> dims) {
  return elementwiseTo(node, x, x.elementType, dims,
                       [](OpBuilder &, Location, ValueRange args) { return args[0]; });
}

TensorValue weft::onnx::slice(NodeContext &node, const TensorValue &x,
                              ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
                              ArrayRef<OpFoldResult> strides) {
  // Nothing is also there beyond the end, where a view of it would be invalid.
  auto isZero = [](OpFoldResult size) { return DimBuilder::constantOf(size) == 0; };
  if (llvm::any_of(sizes, isZero) || llvm::any_of(x.dims, isZero))
    return makeValue(makeEmpty(node, x.elementType, sizes), x.elementType, sizes);
  RankedTensorType type = tensorType(node.context(), x.elementType, sizes);
  Value value = tensor::ExtractSliceOp::create(node.b, node.b.getLoc(), type, node.value(x),
                                               offsets, sizes, strides);
  return makeValue(value, x.elementType, sizes);
}

Value weft::onnx::insertSlice(NodeContext &node, Value part, Value whole,
                              ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
  auto type = mlir::cast<RankedTensorType>(whole.getType());
  if (llvm::is_contained(type.getShape(), 0) ||
      llvm::any_of(sizes, [](OpFoldResult size) { return DimBuilder::constantOf(size) == 0; }))
    return whole;
  Dims strides(type.getRank(), node.dims.constant(1));
  return tensor::InsertSliceOp::create(node.b, node.b.getLoc(), part, whole, offsets, sizes,
                                       strides);
}

FailureOr<TensorValue> weft::onnx::concat(NodeContext &node, ArrayRef<TensorValue> inputs,
                                          int64_t axis) {
  const TensorValue &first = inputs.front();
  Dims dims = first.dims;
  dims[axis] = node.dims.constant(0);
  bool tracked = first.rank() == 1;
  for (const TensorValue &input : inputs) {
    if (input.rank() != first.rank())
      return node.error("concatenates tensors of ranks " + Twine(first.rank()) + " and " +
                        Twine(input.rank()));
    if (input.elementType != first.elementType)
      return node.error("concatenates " + describe(first) + " and " + describe(input));
    for (int64_t i = 0; i < input.rank(); ++i) {
      if (i == axis)
        continue;
      int64_t a = ShapedType::kDynamic;
      if (auto constant = DimBuilder::constantOf(dims[i]))
        a = *constant;
      int64_t c = input.staticDim(i);
      if (!ShapedType::isDynamic(a) && !ShapedType::isDynamic(c) && a != c)
        return node.error("concatenates along axis " + Twine(axis) + " tensors of extents " +
                          Twine(a) + " and " + Twine(c) + " in dimension " + Twine(i));
      if (DimBuilder::same(dims[i], input.dims[i]))
        continue;
      OpFoldResult agree = node.dims.equal(dims[i], input.dims[i]);
      Value condition = node.b.createOrFold<arith::CmpIOp>(
          arith::CmpIPredicate::ne, node.dims.value(agree), node.dims.value(node.dims.constant(0)));
      buildAssert(node, condition, 3, "concatenates tensors of extents {0} and {1}",
                  {dims[i], input.dims[i]});
      if (ShapedType::isDynamic(a))
        dims[i] = input.dims[i];
    }
    dims[axis] = node.dims.add(dims[axis], input.dims[axis]);
    tracked &= input.elements.has_value();
  }
  if (tracked) {
    Dims elements;
    for (const TensorValue &input : inputs)
      llvm::append_range(elements, *input.elements);
    if (elements.size() <= 256)
      return makeTracked(node, first.elementType, elements);
  }
  if (inputs.size() == 1)
    return first;
  // Each input is inserted at its place.
  Value result = makeEmpty(node, first.elementType, dims);
  Dims offsets(first.rank(), node.dims.constant(0));
  for (const TensorValue &input : inputs) {
    result = insertSlice(node, node.value(input), result, offsets, input.dims);
    offsets[axis] = node.dims.add(offsets[axis], input.dims[axis]);
  }
  return makeValue(result, first.elementType, dims);
}

TensorValue weft::onnx::pad(NodeContext &node, const TensorValue &x, ArrayRef<OpFoldResult> low,
                            ArrayRef<OpFoldResult> high, Value scalar) {
  Dims dims;
  for (int64_t i = 0; i < x.rank(); ++i)
    dims.push_back(node.dims.add(node.dims.add(x.dims[i], low[i]), high[i]));
  RankedTensorType type = tensorType(node.context(), x.elementType, dims);
  auto op = tensor::PadOp::create(node.b, node.b.getLoc(), type, node.value(x), low, high, scalar);
  return makeValue(op.getResult(), x.elementType, dims);
}

TensorValue weft::onnx::gatherElements(
    NodeContext &node, const TensorValue &x, ArrayRef<OpFoldResult> dims,
    llvm::function_ref<SmallVector<Value>(OpBuilder &, Location, ArrayRef<Value>)> position) {
  int64_t rank = static_cast<int64_t>(dims.size());
  Value source = node.value(x);
  Value empty = makeEmpty(node, x.elementType, dims);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), empty.getType(), ValueRange{}, empty,
      ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(rank)},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange) {
        SmallVector<Value> loops;
        for (int64_t i = 0; i < rank; ++i)
          loops.push_back(linalg::IndexOp::create(b, loc, i));
        SmallVector<Value> at = position(b, loc, loops);
        linalg::YieldOp::create(b, loc, tensor::ExtractOp::create(b, loc, source, at).getResult());
      });
  return makeValue(generic.getResult(0), x.elementType, dims);
}

//===----------------------------------------------------------------------===//
// Reductions and contractions
//===----------------------------------------------------------------------===//

TensorValue weft::onnx::reduce(NodeContext &node, const TensorValue &x, ArrayRef<int64_t> axes,
                               bool keepDims, ElementType resultType, Value initial,
                               ElementBuilder step) {
  Dims kept, all;
  SmallVector<utils::IteratorType> iterators;
  SmallVector<AffineExpr> output;
  for (int64_t i = 0; i < x.rank(); ++i) {
    bool reduced = llvm::is_contained(axes, i);
    iterators.push_back(reduced ? utils::IteratorType::reduction : utils::IteratorType::parallel);
    all.push_back(reduced ? OpFoldResult(node.dims.constant(1)) : x.dims[i]);
    if (!reduced) {
      kept.push_back(x.dims[i]);
      output.push_back(node.b.getAffineDimExpr(i));
    }
  }
  TensorValue start = makeFilled(node, resultType, kept, initial);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), start.value.getType(), node.value(x), start.value,
      ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(x.rank()),
                          AffineMap::get(x.rank(), 0, output, node.context())},
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        linalg::YieldOp::create(b, loc, step(b, loc, args));
      });
  TensorValue result = makeValue(generic.getResult(0), resultType, kept);
  return keepDims ? reshape(node, result, all) : result;
}

FailureOr<TensorValue> weft::onnx::matmul(NodeContext &node, const TensorValue &left,
                                          const TensorValue &right, ElementType resultType) {
  TensorValue a = left, c = right;
  if (a.rank() == 0 || c.rank() == 0)
    return node.error("multiplies " + describe(a) + " and " + describe(c) +
                      ", expected ranks of at least 1");
  bool rowVector = a.rank() == 1, columnVector = c.rank() == 1;
  if (rowVector)
    a = reshape(node, a, {node.dims.constant(1), a.dims[0]});
  if (columnVector)
    c = reshape(node, c, {c.dims[0], node.dims.constant(1)});
  OpFoldResult m = a.dims[a.rank() - 2], n = c.dims[c.rank() - 1];
  OpFoldResult k = a.dims[a.rank() - 1], k2 = c.dims[c.rank() - 2];
  if (!DimBuilder::same(k, k2)) {
    auto x = DimBuilder::constantOf(k), y = DimBuilder::constantOf(k2);
    if (x && y)
      return node.error("multiplies " + describe(left) + " and " + describe(right) + ": extents " +
                        Twine(*x) + " and " + Twine(*y) + " differ");
    Value condition = node.b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                                         node.dims.value(k), node.dims.value(k2));
    buildAssert(node, condition, 3, "multiplies matrices whose extents {0} and {1} differ",
                {k, k2});
  }
  // Batch dimensions, broadcast.
  TensorValue batchA, batchC;
  batchA.elementType = batchC.elementType = a.elementType;
  batchA.dims.assign(a.dims.begin(), a.dims.end() - 2);
  batchC.dims.assign(c.dims.begin(), c.dims.end() - 2);
  FailureOr<Dims> batch = broadcastDims(node, {batchA, batchC});
  if (failed(batch))
    return failure();
  int64_t batchRank = static_cast<int64_t>(batch->size());
  int64_t loops = batchRank + 3;
  auto mapFor = [&](const TensorValue &x, int64_t row, int64_t column) -> AffineMap {
    SmallVector<AffineExpr> exprs;
    int64_t offset = batchRank - (x.rank() - 2);
    for (int64_t i = 0; i < x.rank() - 2; ++i)
      exprs.push_back(DimBuilder::same(x.dims[i], (*batch)[offset + i])
                          ? node.b.getAffineDimExpr(offset + i)
                          : node.b.getAffineConstantExpr(0));
    exprs.push_back(node.b.getAffineDimExpr(row));
    exprs.push_back(node.b.getAffineDimExpr(column));
    return AffineMap::get(loops, 0, exprs, node.context());
  };
  // Extents that may be 1 at run time are broadcast beforehand.
  auto settle = [&](TensorValue &x) -> LogicalResult {
    int64_t offset = batchRank - (x.rank() - 2);
    bool unclear = false;
    Dims dims(batch->begin() + offset, batch->end());
    for (int64_t i = 0; i < x.rank() - 2; ++i)
      unclear |= !DimBuilder::same(x.dims[i], dims[i]) && DimBuilder::constantOf(x.dims[i]) != 1;
    if (!unclear)
      return success();
    dims.push_back(x.dims[x.rank() - 2]);
    dims.push_back(x.dims[x.rank() - 1]);
    FailureOr<TensorValue> full = expand(node, x, dims);
    if (failed(full))
      return failure();
    x = *full;
    return success();
  };
  if (failed(settle(a)) || failed(settle(c)))
    return failure();
  Dims dims = *batch;
  dims.push_back(m);
  dims.push_back(n);
  TensorValue zero = makeSplat(node, resultType, dims, 0);
  AffineMap mapA = mapFor(a, batchRank, batchRank + 2),
            mapC = mapFor(c, batchRank + 2, batchRank + 1);
  SmallVector<AffineExpr> outExprs;
  for (int64_t i = 0; i < batchRank + 2; ++i)
    outExprs.push_back(node.b.getAffineDimExpr(i));
  AffineMap mapOut = AffineMap::get(loops, 0, outExprs, node.context());
  SmallVector<utils::IteratorType> iterators(batchRank + 2, utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  ElementType typeA = a.elementType, typeC = c.elementType;
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), zero.value.getType(), ValueRange{node.value(a), node.value(c)},
      zero.value, ArrayRef<AffineMap>{mapA, mapC, mapOut}, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value x = castScalar(b, loc, args[0], typeA, resultType);
        Value y = castScalar(b, loc, args[1], typeC, resultType);
        Value next;
        if (isa<FloatType>(x.getType()))
          next = arith::AddFOp::create(b, loc, args[2], arith::MulFOp::create(b, loc, x, y));
        else
          next = arith::AddIOp::create(b, loc, args[2], arith::MulIOp::create(b, loc, x, y));
        linalg::YieldOp::create(b, loc, next);
      });
  TensorValue result = makeValue(generic.getResult(0), resultType, dims);
  if (rowVector)
    dims.erase(dims.end() - 2);
  if (columnVector)
    dims.pop_back();
  return rowVector || columnVector ? reshape(node, result, dims) : result;
}
