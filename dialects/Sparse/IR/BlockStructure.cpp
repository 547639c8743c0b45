//===- BlockStructure.cpp - Structures of blocks --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Compress.h"
#include "dialects/Sparse/IR/Groups.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"
#include "dialects/Weft/IR/BitStream.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

LogicalResult BlockAttr::verify(EmitError emitError, int64_t rows, int64_t columns,
                                StructureInterface) {
  for (int64_t extent : {rows, columns})
    if (extent < 1 || extent > 1 << 16)
      return emitError() << "blocks have extents of 1 to 2^16, got " << extent;
  return success();
}

AffineMap sparse::getGridMap(BlockAttr structure, unsigned rank) {
  MLIRContext *context = structure.getContext();
  SmallVector<AffineExpr> extents;
  for (unsigned i = 0; i < rank; ++i)
    extents.push_back(getAffineSymbolExpr(i, context));
  extents[rank - 2] = extents[rank - 2].ceilDiv(structure.getRows());
  extents[rank - 1] = extents[rank - 1].ceilDiv(structure.getColumns());
  return AffineMap::get(0, rank, extents, context);
}

RankedTensorType sparse::getGridType(BlockAttr structure, ShapedType type) {
  return RankedTensorType::get(
      getStaticExtents(getGridMap(structure, type.getRank()), type.getShape()),
      type.getElementType());
}

/// A map of the grid's extents as one of the logical ones. What data decides stays.
static AffineMap overLogical(BlockAttr structure, AffineMap map, unsigned rank,
                             ArrayRef<AffineExpr> more = {}) {
  SmallVector<AffineExpr> symbols(getGridMap(structure, rank).getResults()), extents;
  for (unsigned i = rank; i < map.getNumSymbols(); ++i)
    symbols.push_back(getAffineSymbolExpr(i, structure.getContext()));
  for (AffineExpr extent : map.getResults())
    extents.push_back(extent.replaceSymbols(symbols));
  llvm::append_range(extents, more);
  return AffineMap::get(0, std::max(rank, map.getNumSymbols()), extents, structure.getContext());
}

LogicalResult BlockAttr::verifyStructure(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (failed(verifyRank(emitError, *this, shape.size(), 2)))
    return failure();
  return getOf().verifyStructure(emitError,
                                 getStaticExtents(getGridMap(*this, shape.size()), shape));
}

AffineMap BlockAttr::getStoredShape(unsigned rank) const {
  return overLogical(*this, getOf().getStoredShape(rank), rank,
                     {getAffineConstantExpr(getRows(), getContext()),
                      getAffineConstantExpr(getColumns(), getContext())});
}

/// Extents of the grid of blocks, in positions. What is too many for an integer is all.
SmallVector<int64_t> BlockAttr::getGroupExtents(unsigned rank) const {
  SmallVector<int64_t> extents = getOf().getGroupExtents(rank);
  for (auto [dim, count] : {std::pair(rank - 2, getRows()), std::pair(rank - 1, getColumns())})
    if (__builtin_mul_overflow(extents[dim], count, &extents[dim]))
      extents[dim] = 0;
  return extents;
}

SmallVector<FormatComponent> BlockAttr::getStructureComponents(ShapedType type) const {
  SmallVector<FormatComponent> components =
      getOf().getStructureComponents(getGridType(*this, type));
  for (FormatComponent &component : components)
    component.shape = overLogical(*this, component.shape, type.getRank());
  return components;
}

StoredPosition BlockAttr::locate(OpBuilder &b, Location loc, const PackedPosition &at) const {
  IndexMath m{b, loc};
  unsigned rank = at.position.size();
  SmallVector<OpFoldResult> dims = evaluateExtents(b, loc, getGridMap(*this, rank), at.dims);
  Value rows = m.constant(getRows()), columns = m.constant(getColumns());
  SmallVector<Value> position(at.position);
  Value row = position[rank - 2], column = position[rank - 1];
  position[rank - 2] = m.div(row, rows);
  position[rank - 1] = m.div(column, columns);
  StoredPosition stored = getOf().locate(b, loc, {at.components, dims, position});
  stored.position.push_back(m.rem(row, rows));
  stored.position.push_back(m.rem(column, columns));
  return stored;
}

/// Blocks are compressed as their row-major numbers from 1 on, with sums of magnitudes for
/// what is kept, and then taken whole. 0 is what no block is stored at.
StoredNumbers BlockAttr::compress(OpBuilder &b, Location loc, Value numbers, Value values) const {
  SmallVector<OpFoldResult> extents = getExtents(b, loc, values);
  unsigned rank = extents.size();
  SmallVector<int64_t> block(rank, 1);
  block[rank - 2] = getRows();
  block[rank - 1] = getColumns();
  Value sums = blockMagnitudes(b, loc, numbers, block);
  SmallVector<OpFoldResult> grid = getExtents(b, loc, sums);
  Value blocks =
      generate(b, loc, grid, b.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange at) {
        IndexMath m{b, loc};
        Value number = m.add(linearize(b, loc, SmallVector<Value>(at), grid), m.constant(1));
        return Value(arith::IndexCastOp::create(b, loc, b.getI64Type(), number));
      });
  StoredNumbers stored = getOf().compress(b, loc, sums, blocks);

  SmallVector<OpFoldResult> sizes = getExtents(b, loc, stored.values);
  unsigned outer = sizes.size();
  sizes.push_back(b.getIndexAttr(getRows()));
  sizes.push_back(b.getIndexAttr(getColumns()));
  Type type = cast<ShapedType>(values.getType()).getElementType();
  Value all = generate(b, loc, sizes, type, [&](OpBuilder &b, Location loc, ValueRange at) {
    IndexMath m{b, loc};
    Value number = extractIndex(b, loc, stored.values, at.take_front(outer));
    Value isInside = m.cmp(arith::CmpIPredicate::sgt, number, m.constant(0));
    number = arith::MaxSIOp::create(b, loc, m.sub(number, m.constant(1)), m.constant(0));
    SmallVector<Value> position(rank);
    for (int64_t i = rank - 1; i >= 0; --i) {
      // Divided, also where there is no block.
      Value extent = arith::MaxSIOp::create(
          b, loc, getValueOrCreateConstantIndexOp(b, loc, grid[i]), m.constant(1));
      position[i] = m.rem(number, extent);
      number = m.div(number, extent);
    }
    position[rank - 2] = m.add(m.mul(position[rank - 2], m.constant(getRows())), at[outer]);
    position[rank - 1] = m.add(m.mul(position[rank - 1], m.constant(getColumns())), at[outer + 1]);
    // Behind the ends, 0.
    for (unsigned i : {rank - 2, rank - 1}) {
      Value extent = getValueOrCreateConstantIndexOp(b, loc, extents[i]);
      Value inside = m.cmp(arith::CmpIPredicate::slt, position[i], extent);
      isInside = m.both(isInside, inside);
    }
    auto read = scf::IfOp::create(
        b, loc, isInside,
        [&](OpBuilder &b, Location loc) {
          Value x = tensor::ExtractOp::create(b, loc, values, position);
          scf::YieldOp::create(b, loc, x);
        },
        [&](OpBuilder &b, Location loc) {
          Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
          scf::YieldOp::create(b, loc, zero);
        });
    return read.getResult(0);
  });
  return {stored.components, all};
}

LogicalResult BlockAttr::verifyConstants(EmitError emitError, ShapedType type,
                                         ArrayRef<ConstantComponent> components) const {
  return getOf().verifyConstants(emitError, getGridType(*this, type), components);
}
