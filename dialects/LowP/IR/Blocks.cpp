//===- Blocks.cpp - Blocks of numbers that share a parameter --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Blocks.h"

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

LogicalResult lowp::verifyBlock(EmitError emitError, ArrayRef<int64_t> block) {
  for (int64_t extent : block)
    if (extent < 0)
      return emitError() << "blocks have extents of 0 (all) or more, got " << extent;
  return success();
}

bool lowp::isFlatBlock(ArrayRef<int64_t> block, size_t rank) {
  return block.size() == 1 && rank > 1;
}

LogicalResult lowp::verifyBlockOf(EmitError emitError, ArrayRef<int64_t> block,
                                  ArrayRef<int64_t> shape) {
  if (block.empty() || block.size() == shape.size())
    return success();
  if (isFlatBlock(block, shape.size()) && block.front() > 0)
    return success();
  return emitError() << "blocks have " << block.size() << " extents, the tensor has rank "
                     << shape.size();
}

AffineMap lowp::getBlockMap(MLIRContext *context, ArrayRef<int64_t> block, unsigned rank) {
  SmallVector<AffineExpr> extents;
  if (isFlatBlock(block, rank)) {
    AffineExpr elements = getAffineConstantExpr(1, context);
    for (unsigned i = 0; i < rank; ++i)
      elements = elements * getAffineSymbolExpr(i, context);
    extents.push_back(elements.ceilDiv(block.front()));
  } else {
    for (auto [i, extent] : llvm::enumerate(block))
      extents.push_back(extent == 0 ? getAffineConstantExpr(1, context)
                                    : getAffineSymbolExpr(i, context).ceilDiv(extent));
  }
  return AffineMap::get(0, rank, extents, context);
}

RankedTensorType lowp::getBlockTensorType(ArrayRef<int64_t> block, ArrayRef<int64_t> shape,
                                          Type element) {
  MLIRContext *context = element.getContext();
  AffineMap map = getBlockMap(context, block, shape.size());
  SmallVector<AffineExpr> symbols;
  for (auto [i, extent] : llvm::enumerate(shape))
    symbols.push_back(ShapedType::isDynamic(extent) ? getAffineSymbolExpr(i, context)
                                                    : getAffineConstantExpr(extent, context));
  SmallVector<int64_t> extents;
  for (AffineExpr expr : map.getResults()) {
    auto constant = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(expr.replaceSymbols(symbols), 0, shape.size()));
    extents.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
  }
  return RankedTensorType::get(extents, element);
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

SmallVector<Value> lowp::getBlockPosition(OpBuilder &b, Location loc, ArrayRef<int64_t> block,
                                          const PackedPosition &at) {
  auto divide = [&](Value x, int64_t by) -> Value {
    if (by == 1)
      return x;
    return b.createOrFold<arith::DivUIOp>(loc, x, arith::ConstantIndexOp::create(b, loc, by));
  };
  if (isFlatBlock(block, at.position.size()))
    return {divide(linearize(b, loc, at.position, at.dims), block.front())};
  SmallVector<Value> position;
  for (auto [extent, index] : llvm::zip(block, at.position))
    position.push_back(extent == 0 ? Value(arith::ConstantIndexOp::create(b, loc, 0))
                                   : divide(index, extent));
  return position;
}

/// The position of a row-major element. Extents are not 0.
static SmallVector<Value> delinearize(OpBuilder &b, Location loc, Value element,
                                      ArrayRef<OpFoldResult> dims) {
  SmallVector<Value> position(dims.size());
  for (size_t i = dims.size(); i-- > 1;) {
    Value extent = getValueOrCreateConstantIndexOp(b, loc, dims[i]);
    position[i] = b.createOrFold<arith::RemUIOp>(loc, element, extent);
    element = b.createOrFold<arith::DivUIOp>(loc, element, extent);
  }
  position[0] = element;
  return position;
}

static Value times(OpBuilder &b, Location loc, Value x, int64_t factor) {
  if (factor == 1)
    return x;
  return b.createOrFold<arith::MulIOp>(loc, x, arith::ConstantIndexOp::create(b, loc, factor));
}

SmallVector<Value> lowp::getFirstOfBlock(OpBuilder &b, Location loc, ArrayRef<int64_t> block,
                                         ArrayRef<Value> blockPosition,
                                         ArrayRef<OpFoldResult> dims) {
  if (isFlatBlock(block, dims.size()))
    return delinearize(b, loc, times(b, loc, blockPosition.front(), block.front()), dims);
  SmallVector<Value> position(dims.size(), arith::ConstantIndexOp::create(b, loc, 0));
  for (auto [i, extent] : llvm::enumerate(block))
    if (extent != 0)
      position[i] = times(b, loc, blockPosition[i], extent);
  return position;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

namespace {
/// Reduces the blocks of one tensor.
class BlockReduction {
public:
  BlockReduction(OpBuilder &b, Location loc, Value numbers, ArrayRef<int64_t> block,
                 TypedAttr initial, CombineNumber combine)
      : b(b), loc(loc), numbers(numbers), block(block), initial(initial), combine(combine),
        dims(getExtents(b, loc, numbers)),
        result(getBlockTensorType(block, cast<RankedTensorType>(numbers.getType()).getShape(),
                                  initial.getType())) {}
  Value run() { return isRegular() ? reduceAffine() : reduceTested(); }

private:
  bool isRegular() const;
  /// With the blocks as dimensions of their own.
  Value reduceAffine();
  /// Tests for each position of a block whether it is in the tensor.
  Value reduceTested();
  Value generic(ValueRange inputs, Value init, ArrayRef<AffineMap> maps,
                ArrayRef<utils::IteratorType> iterators,
                llvm::function_ref<Value(OpBuilder &, ValueRange)> body) const;
  Value filled(ArrayRef<OpFoldResult> sizes) const;

  OpBuilder &b;
  Location loc;
  Value numbers;
  ArrayRef<int64_t> block;
  TypedAttr initial;
  CombineNumber combine;
  SmallVector<OpFoldResult> dims;
  RankedTensorType result;
};
} // namespace

/// Whether all blocks are whole.
bool BlockReduction::isRegular() const {
  if (isFlatBlock(block, dims.size()))
    return false;
  for (auto [extent, dim] : llvm::zip(block, dims))
    if (auto size = getConstantIntValue(dim); extent > 1 && (!size || *size % extent != 0))
      return false;
  return true;
}

Value BlockReduction::filled(ArrayRef<OpFoldResult> sizes) const {
  Value start = arith::ConstantOp::create(b, loc, initial);
  Value empty = tensor::EmptyOp::create(b, loc, sizes, initial.getType());
  return linalg::FillOp::create(b, loc, start, empty).getResult(0);
}

Value BlockReduction::generic(ValueRange inputs, Value init, ArrayRef<AffineMap> maps,
                              ArrayRef<utils::IteratorType> iterators,
                              llvm::function_ref<Value(OpBuilder &, ValueRange)> body) const {
  return linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     linalg::YieldOp::create(b, loc, body(b, args));
                                   })
      .getResult(0);
}

Value BlockReduction::reduceAffine() {
  size_t rank = dims.size();
  SmallVector<OpFoldResult> split, kept;
  SmallVector<int64_t> splitShape;
  SmallVector<ReassociationIndices> groups(rank);
  SmallVector<utils::IteratorType> iterators;
  SmallVector<AffineExpr> output;
  auto add = [&](size_t dim, OpFoldResult size, bool reduced) {
    groups[dim].push_back(split.size());
    if (!reduced) {
      output.push_back(b.getAffineDimExpr(split.size()));
      kept.push_back(size);
    }
    split.push_back(size);
    splitShape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    iterators.push_back(reduced ? utils::IteratorType::reduction : utils::IteratorType::parallel);
  };
  for (auto [i, dim] : llvm::enumerate(dims)) {
    int64_t extent = block.empty() ? 0 : block[i];
    if (extent <= 1) {
      add(i, dim, extent == 0);
      continue;
    }
    add(i, b.getIndexAttr(*getConstantIntValue(dim) / extent), false);
    add(i, b.getIndexAttr(extent), true);
  }
  Value input = numbers;
  if (split.size() > rank)
    input = tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get(splitShape, getElementTypeOrSelf(input.getType())), input,
        groups, split);
  Value reduced = generic(
      input, filled(kept),
      {b.getMultiDimIdentityMap(split.size()),
       AffineMap::get(split.size(), 0, output, b.getContext())},
      iterators, [&](OpBuilder &b, ValueRange args) { return combine(b, loc, args[0], args[1]); });
  if (cast<RankedTensorType>(reduced.getType()).getRank() == result.getRank())
    return reduced;
  // Dimensions with one block.
  SmallVector<ReassociationIndices> units;
  SmallVector<OpFoldResult> sizes;
  bool atStart = true;
  for (int64_t i = 0; i < result.getRank(); ++i) {
    bool isKept = block[i] != 0;
    if (!kept.empty() && (units.empty() || (isKept && !atStart)))
      units.emplace_back();
    atStart &= !isKept;
    if (!units.empty())
      units.back().push_back(i);
    sizes.push_back(b.getIndexAttr(1));
    if (isKept)
      sizes.back() = kept[llvm::count_if(block.take_front(i), [](int64_t e) { return e != 0; })];
  }
  return tensor::ExpandShapeOp::create(b, loc, result, reduced, units, sizes);
}

Value BlockReduction::reduceTested() {
  size_t rank = dims.size(), blocks = result.getRank();
  bool isFlat = isFlatBlock(block, rank);
  SmallVector<OpFoldResult> grid =
      evaluateExtents(b, loc, getBlockMap(b.getContext(), block, rank), dims);
  // The extents of blocks are loops of their own, which an operand has that is not
  // read.
  SmallVector<OpFoldResult> window;
  for (auto [i, extent] : llvm::enumerate(block))
    window.push_back(extent == 0 ? dims[i] : OpFoldResult(b.getIndexAttr(extent)));
  Value shape = tensor::EmptyOp::create(b, loc, window, b.getI8Type());
  size_t loops = 2 * blocks;
  SmallVector<utils::IteratorType> iterators(blocks, utils::IteratorType::parallel);
  iterators.append(blocks, utils::IteratorType::reduction);
  AffineMap all = b.getMultiDimIdentityMap(loops);
  return generic(
      shape, filled(grid), {all.getMinorSubMap(blocks), all.getMajorSubMap(blocks)}, iterators,
      [&](OpBuilder &b, ValueRange args) -> Value {
        SmallVector<Value> position;
        Value inside;
        auto test = [&](Value index, OpFoldResult size) -> Value {
          Value extent = getValueOrCreateConstantIndexOp(b, loc, size);
          Value is = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, index, extent);
          inside = inside ? Value(arith::AndIOp::create(b, loc, inside, is)) : is;
          Value one = arith::ConstantIndexOp::create(b, loc, 1);
          return arith::MinUIOp::create(b, loc, index, arith::SubIOp::create(b, loc, extent, one));
        };
        for (size_t i = 0; i < blocks; ++i) {
          Value at = linalg::IndexOp::create(b, loc, blocks + i);
          if (block[i] == 0) {
            position.push_back(at);
            continue;
          }
          Value start = times(b, loc, linalg::IndexOp::create(b, loc, i), block[i]);
          at = arith::AddIOp::create(b, loc, start, at);
          position.push_back(isFlat ? at : test(at, dims[i]));
        }
        if (isFlat) {
          Value count = arith::ConstantIndexOp::create(b, loc, 1);
          for (OpFoldResult dim : dims)
            count = b.createOrFold<arith::MulIOp>(loc, count,
                                                  getValueOrCreateConstantIndexOp(b, loc, dim));
          position = delinearize(b, loc, test(position.front(), count), dims);
        }
        Value number = tensor::ExtractOp::create(b, loc, numbers, position);
        Value combined = combine(b, loc, number, args[1]);
        return inside ? Value(arith::SelectOp::create(b, loc, inside, combined, args[1]))
                      : combined;
      });
}

Value lowp::reduceBlocks(OpBuilder &b, Location loc, Value numbers, ArrayRef<int64_t> block,
                         TypedAttr initial, CombineNumber combine) {
  return BlockReduction(b, loc, numbers, block, initial, combine).run();
}
