//===- LowerConvolutions.cpp - Convolutions become contractions -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/FlattenSpatial.h"
#include "transforms/Tile/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"

namespace weft {
#define GEN_PASS_DEF_LOWERCONVOLUTIONS
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// What a value in destination style is computed into at last: it has the same
/// extents, and outlives the operations that are replaced.
static Value destinationOf(Value value) {
  while (auto op = value.getDefiningOp<DestinationStyleOpInterface>())
    value = op.getDpsInits()[cast<OpResult>(value).getResultNumber()];
  return value;
}

namespace {
/// Rewrites one convolution and the elementwise operations around it, whose
/// loops [n, m, spatial...] become [n, m, q], or [n, g, m / groups, q] where
/// groups have several output channels.
class ConvolutionLowering {
public:
  ConvolutionLowering(ConvOp conv, RewriterBase &b)
      : conv(conv), b(b), loc(conv.getLoc()),
        rank(cast<RankedTensorType>(conv.getInput().getType()).getRank()), groups(conv.getGroups()),
        splits(groups > 1 && groups != conv.getFilterType().getDimSize(0)) {}
  void run();

private:
  AffineExpr dim(unsigned i) { return getAffineDimExpr(i, b.getContext()); }
  unsigned loops() const { return splits ? 4 : 3; }
  Value collapse(Value value, ArrayRef<ReassociationIndices> dimensions);
  /// Splits dimension `d` of static extent into [groups, rest].
  Value split(Value value, int64_t d);
  Value unflatten(Value flat, Value like);
  Value flattenOperand(Value value, AffineMap map, AffineMap &flatMap);
  Value flattenInit(Value value);
  Value flattenElementwise(linalg::LinalgOp op);
  Value columns();
  Value filterMatrix();
  Value contract(Value init);

  ConvOp conv;
  RewriterBase &b;
  Location loc;
  int64_t rank;
  int64_t groups;
  bool splits; ///< output channels into groups and channels of a group
  DenseMap<Value, Value> flat;
};
} // namespace

Value ConvolutionLowering::collapse(Value value, ArrayRef<ReassociationIndices> dimensions) {
  if (static_cast<int64_t>(dimensions.size()) == cast<RankedTensorType>(value.getType()).getRank())
    return value;
  return tensor::CollapseShapeOp::create(b, loc, value, dimensions);
}

Value ConvolutionLowering::split(Value value, int64_t d) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> dimensions;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    dimensions.push_back({static_cast<int64_t>(shape.size())});
    if (i == d) {
      shape.push_back(groups);
      dimensions.back().push_back(static_cast<int64_t>(shape.size()));
      shape.push_back(type.getDimSize(i) / groups);
    } else {
      shape.push_back(type.getDimSize(i));
    }
  }
  return tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()),
                                       value, dimensions);
}

/// Brings a flattened value to the shape of `like`.
Value ConvolutionLowering::unflatten(Value value, Value like) {
  if (splits)
    value = collapse(value, {{0}, {1, 2}, {3}});
  auto type = cast<RankedTensorType>(like.getType());
  if (type.getRank() == 3)
    return value;
  SmallVector<ReassociationIndices> dimensions{{0}, {1}, {}};
  for (int64_t i = 2; i < type.getRank(); ++i)
    dimensions.back().push_back(i);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, destinationOf(like));
  auto result = RankedTensorType::get(type.getShape(),
                                      cast<RankedTensorType>(value.getType()).getElementType());
  return tensor::ExpandShapeOp::create(b, loc, result, value, dimensions, sizes);
}

/// An operand that is read through `map` over [n, m, spatial...], and `flatMap`
/// over the flattened loops.
Value ConvolutionLowering::flattenOperand(Value value, AffineMap map, AffineMap &flatMap) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type) {
    flatMap = AffineMap::get(loops(), 0, {}, b.getContext());
    return value;
  }
  SmallVector<ReassociationIndices> dimensions;
  SmallVector<AffineExpr> exprs;
  ReassociationIndices units;
  int64_t channel = -1;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    auto d = dyn_cast<AffineDimExpr>(expr);
    // Unit dimensions go with the one before them, the first ones with the one
    // after.
    if (!d) {
      (dimensions.empty() ? units : dimensions.back()).push_back(static_cast<int64_t>(i));
      continue;
    }
    if (d.getPosition() > 2) {
      dimensions.back().push_back(static_cast<int64_t>(i));
      continue;
    }
    dimensions.push_back(std::exchange(units, {}));
    dimensions.back().push_back(static_cast<int64_t>(i));
    if (d.getPosition() == 1) {
      channel = static_cast<int64_t>(dimensions.size()) - 1;
      exprs.push_back(dim(1));
      if (splits)
        exprs.push_back(dim(2));
    } else {
      exprs.push_back(d.getPosition() == 0 ? dim(0) : dim(loops() - 1));
    }
  }
  flatMap = AffineMap::get(loops(), 0, exprs, b.getContext());
  if (Value known = flat.lookup(value); known && map.isIdentity())
    return known;
  Value result = collapse(value, dimensions);
  return splits && channel >= 0 ? split(result, channel) : result;
}

/// An elementwise operation over [n, m, spatial...], over the flattened loops.
Value ConvolutionLowering::flattenElementwise(linalg::LinalgOp op) {
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap flatMap;
    Value value = operand.get();
    // The value of an init that is not read is of no interest.
    operands.push_back(flattenOperand(value, op.getMatchingIndexingMap(&operand), flatMap));
    maps.push_back(flatMap);
  }
  SmallVector<utils::IteratorType> iterators(loops(), utils::IteratorType::parallel);
  Value init = operands.pop_back_val();
  auto generic =
      linalg::GenericOp::create(b, op.getLoc(), init.getType(), operands, init, maps, iterators);
  IRMapping mapping;
  op->getRegion(0).cloneInto(&generic.getRegion(), mapping);
  return generic.getResult(0);
}

/// The value that the convolution accumulates into.
Value ConvolutionLowering::flattenInit(Value value) {
  Operation *def = value.getDefiningOp();
  if (def && canFlattenSpatial(def) && value.hasOneUse()) {
    b.setInsertionPoint(conv);
    return flattenElementwise(cast<linalg::LinalgOp>(def));
  }
  AffineMap map;
  return flattenOperand(value, b.getMultiDimIdentityMap(rank), map);
}

/// The columns of the convolution's windows: [n, g, k, q].
Value ConvolutionLowering::columns() {
  Value input = conv.getInput();
  auto type = cast<RankedTensorType>(input.getType());
  ShapedType filter = conv.getFilterType();
  auto result = cast<RankedTensorType>(conv.getInit().getType());
  auto zeros = [](ArrayRef<int64_t> values) {
    return llvm::all_of(values, [](int64_t v) { return v == 0; });
  };
  auto ones = [](ArrayRef<int64_t> values) {
    return llvm::all_of(values, [](int64_t v) { return v == 1; });
  };
  if (ones(filter.getShape().drop_front(2)) && ones(conv.getStrides()) && zeros(conv.getPads())) {
    // The input itself.
    SmallVector<ReassociationIndices> dimensions{{0}, {1}, {}};
    for (int64_t i = 2; i < rank; ++i)
      dimensions.back().push_back(i);
    Value matrix = collapse(input, dimensions);
    if (groups > 1)
      return split(matrix, 1);
    auto flatType = cast<RankedTensorType>(matrix.getType());
    auto wanted = RankedTensorType::get(
        {flatType.getDimSize(0), 1, flatType.getDimSize(1), flatType.getDimSize(2)},
        type.getElementType());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, matrix);
    sizes.insert(sizes.begin() + 1, b.getIndexAttr(1));
    return tensor::ExpandShapeOp::create(b, loc, wanted, matrix,
                                         ArrayRef<ReassociationIndices>{{0, 1}, {2}, {3}}, sizes);
  }

  // Unit dimensions say nothing about windows: one of them stays if all are
  // unit.
  SmallVector<int64_t> kept;
  for (int64_t i = 0; i < rank - 2; ++i) {
    bool unit = type.getDimSize(2 + i) == 1 && result.getDimSize(2 + i) == 1 &&
                filter.getDimSize(2 + i) == 1 && conv.getPads()[i] == 0;
    if (!unit || (kept.empty() && i == rank - 3))
      kept.push_back(i);
  }
  SmallVector<ReassociationIndices> dimensions{{0}, {1}};
  ReassociationIndices group;
  SmallVector<int64_t> kernel, strides, dilations, pads;
  SmallVector<Value> extents;
  for (int64_t i = 0; i < rank - 2; ++i) {
    group.push_back(2 + i);
    if (!llvm::is_contained(kept, i))
      continue;
    dimensions.push_back(std::exchange(group, {}));
    kernel.push_back(filter.getDimSize(2 + i));
    strides.push_back(conv.getStrides()[i]);
    dilations.push_back(conv.getDilations()[i]);
    pads.push_back(conv.getPads()[i]);
    extents.push_back(getValueOrCreateConstantIndexOp(
        b, loc, tensor::getMixedSize(b, loc, destinationOf(conv.getInit()), 2 + i)));
  }
  llvm::append_range(dimensions.back(), group);
  for (int64_t i : kept)
    pads.push_back(conv.getPads()[rank - 2 + i]);

  auto product = [&](ArrayRef<OpFoldResult> factors) {
    AffineExpr expr = getAffineConstantExpr(1, b.getContext());
    for (unsigned i = 0; i < factors.size(); ++i)
      expr = expr * getAffineSymbolExpr(i, b.getContext());
    return affine::makeComposedFoldedAffineApply(b, loc, expr, factors);
  };
  SmallVector<OpFoldResult> rows, positions(extents.begin(), extents.end());
  for (OpFoldResult &position : positions)
    position = getAsOpFoldResult(cast<Value>(position));
  for (int64_t i = 1; i < rank; ++i)
    rows.push_back(conv.hasPackedFilter() ? OpFoldResult(b.getIndexAttr(filter.getDimSize(i)))
                                          : tensor::getMixedSize(b, loc, conv.getFilter(), i));
  SmallVector<OpFoldResult> sizes{tensor::getMixedSize(b, loc, input, 0), b.getIndexAttr(groups),
                                  product(rows), product(positions)};
  Value empty = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  return Im2colOp::create(b, loc, empty.getType(), collapse(input, dimensions),
                          arith::ConstantIndexOp::create(b, loc, 0), extents, empty, kernel,
                          strides, dilations, pads);
}

/// The filter as [m, k] or [g, m, k]. A packed one is codes and nothing else, which are
/// unpacked in this shape.
Value ConvolutionLowering::filterMatrix() {
  SmallVector<ReassociationIndices> dimensions{{0}, {}};
  for (int64_t i = 1; i < rank; ++i)
    dimensions.back().push_back(i);
  auto shape = [&](Value value) {
    Value matrix = collapse(value, dimensions);
    return splits ? split(matrix, 0) : matrix;
  };
  auto packed = dyn_cast<PackedType>(conv.getFilter().getType());
  if (!packed)
    return shape(conv.getFilter());
  RankedTensorType codes = packed.getComponentTypes().front();
  Value component =
      DisassembleOp::create(b, loc, TypeRange{codes}, conv.getFilter()).getComponents().front();
  if (codes.getRank() == rank)
    component = shape(component);
  SmallVector<int64_t> extents{packed.getDimSize(0), 1};
  for (int64_t extent : packed.getShape().drop_front())
    extents.back() *= extent;
  if (splits) {
    extents.front() /= groups;
    extents.insert(extents.begin(), groups);
  }
  auto type = PackedType::get(extents, packed.getElementType(), packed.getFormat());
  Value empty = tensor::EmptyOp::create(b, loc, extents, packed.getElementType());
  return UnpackOp::create(b, loc, empty.getType(),
                          AssembleOp::create(b, loc, type, component).getResult(), empty);
}

/// The contraction of the filter with the columns, over [n, m, q] or
/// [n, g, m, q], and k.
Value ConvolutionLowering::contract(Value init) {
  Value column = columns();
  Value filter = filterMatrix();
  unsigned q = loops() - 1, k = loops();
  AffineExpr group = groups == 1 ? getAffineConstantExpr(0, b.getContext()) : dim(1);
  SmallVector<AffineExpr> output, weights{dim(1)};
  for (unsigned i = 0; i < loops(); ++i)
    output.push_back(dim(i));
  if (splits)
    weights.push_back(dim(2));
  weights.push_back(dim(k));
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(loops() + 1, 0, exprs, b.getContext());
  };
  SmallVector<utils::IteratorType> iterators(loops(), utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      b, loc, init.getType(), ValueRange{column, filter}, init,
      ArrayRef<AffineMap>{map({dim(0), group, dim(k), dim(q)}), map(weights), map(output)},
      iterators, [](OpBuilder &b, Location loc, ValueRange args) {
        Type type = args[2].getType();
        auto widen = [&](Value value) -> Value {
          if (value.getType() == type)
            return value;
          if (isa<FloatType>(type))
            return arith::ExtFOp::create(b, loc, type, value);
          return arith::ExtSIOp::create(b, loc, type, value);
        };
        Value x = widen(args[0]), w = widen(args[1]), sum;
        if (isa<FloatType>(type))
          sum = arith::AddFOp::create(b, loc, args[2], arith::MulFOp::create(b, loc, x, w));
        else
          sum = arith::AddIOp::create(b, loc, args[2], arith::MulIOp::create(b, loc, x, w));
        linalg::YieldOp::create(b, loc, sum);
      });
  return generic.getResult(0);
}

void ConvolutionLowering::run() {
  b.setInsertionPoint(conv);
  Value init = flattenInit(conv.getInit());
  Value value = contract(init), like = conv.getInit();
  Operation *last = conv;
  while (true) {
    flat[last->getResult(0)] = value;
    b.setInsertionPoint(last);
    Value result = unflatten(value, like);
    Operation *next = last->hasOneUse() ? *last->user_begin() : nullptr;
    auto readsByIdentity = [&](linalg::LinalgOp op) {
      return op.getMatchingIndexingMap(&*last->use_begin()).isIdentity();
    };
    if (!next || next->getBlock() != last->getBlock() || !canFlattenSpatial(next) ||
        !readsByIdentity(cast<linalg::LinalgOp>(next))) {
      b.replaceAllUsesWith(last->getResult(0), result);
      return;
    }
    b.setInsertionPoint(next);
    auto op = cast<linalg::LinalgOp>(next);
    value = flattenElementwise(op);
    like = op.getDpsInitOperand(0)->get();
    last = next;
  }
}

namespace {
struct LowerConvolutions : weft::impl::LowerConvolutionsBase<LowerConvolutions> {
  void runOnOperation() override {
    SmallVector<ConvOp> convolutions;
    getOperation()->walk([&](ConvOp op) { convolutions.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (ConvOp op : convolutions)
      if (op.isContraction())
        ConvolutionLowering(op, rewriter).run();
    // Bottom up: what was flattened has no users left.
    getOperation()->walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (isOpTriviallyDead(op))
        rewriter.eraseOp(op);
    });
  }
};
} // namespace
