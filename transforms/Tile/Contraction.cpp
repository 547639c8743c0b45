//===- Contraction.cpp - What a contraction consists of -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Tile/Contraction.h"

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace weft;

/// The block argument behind an extension, or the argument itself.
static BlockArgument stripExtension(Value value, Operation *&extension) {
  extension = nullptr;
  Operation *def = value.getDefiningOp();
  if (isa_and_nonnull<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(def)) {
    extension = def;
    value = def->getOperand(0);
  }
  return dyn_cast<BlockArgument>(value);
}

std::optional<Contraction> Contraction::match(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumResults() > 1 ||
      op.getNumReductionLoops() == 0)
    return std::nullopt;
  // The body: sum + extend(x) * extend(y).
  Block *body = op.getBody();
  Operation *sum = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return std::nullopt;
  BlockArgument accumulator = body->getArgument(2);
  Value product = sum->getOperand(0) == accumulator   ? sum->getOperand(1)
                  : sum->getOperand(1) == accumulator ? sum->getOperand(0)
                                                      : Value();
  Operation *multiply = product ? product.getDefiningOp() : nullptr;
  if (!isa_and_nonnull<arith::MulFOp, arith::MulIOp>(multiply))
    return std::nullopt;
  Contraction c;
  c.op = op;
  c.accumulatorType = accumulator.getType();
  Operation *extensions[2];
  BlockArgument x = stripExtension(multiply->getOperand(0), extensions[0]);
  BlockArgument y = stripExtension(multiply->getOperand(1), extensions[1]);
  if (!x || !y || x == y || x == accumulator || y == accumulator)
    return std::nullopt;
  if (x.getArgNumber() == 1) {
    std::swap(x, y);
    std::swap(extensions[0], extensions[1]);
  }

  // The column loop is the last dimension of the result.
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!outMap.isProjectedPermutation() || outMap.getNumResults() == 0)
    return std::nullopt;
  c.n = outMap.getDimPosition(outMap.getNumResults() - 1);
  AffineMap maps[2] = {op.getMatchingIndexingMap(op.getDpsInputOperand(0)),
                       op.getMatchingIndexingMap(op.getDpsInputOperand(1))};
  bool uses[2] = {maps[0].isFunctionOfDim(c.n), maps[1].isFunctionOfDim(c.n)};
  if (uses[0] == uses[1])
    return std::nullopt;
  unsigned column = uses[0] ? 0 : 1;
  c.columnOperand = op.getDpsInputOperand(column);
  c.rowOperand = op.getDpsInputOperand(1 - column);
  c.columnExtension = extensions[column];
  c.rowExtension = extensions[1 - column];
  if (maps[1 - column].getNumResults() == 0)
    return std::nullopt;

  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (auto [i, iterator] : llvm::enumerate(iterators))
    if (iterator == utils::IteratorType::reduction)
      c.k.push_back(i);
  // Loops are of the result, or are summed over: one that is both, or neither, is
  // legal, but no contraction.
  for (auto [i, iterator] : llvm::enumerate(iterators))
    if (outMap.isFunctionOfDim(i) == (iterator == utils::IteratorType::reduction))
      return std::nullopt;
  // The innermost row loop: in the row operand and not in the column operand.
  for (unsigned i = 0; i + 1 < outMap.getNumResults(); ++i) {
    unsigned loop = outMap.getDimPosition(i);
    if (maps[1 - column].isFunctionOfDim(loop) && !maps[column].isFunctionOfDim(loop))
      c.m = loop;
  }
  for (unsigned i = 0; i < outMap.getNumResults(); ++i) {
    unsigned loop = outMap.getDimPosition(i);
    if (loop != c.n && (!c.m || loop != *c.m))
      c.others.push_back(loop);
  }
  // Every loop has a factor that tells its extent.
  for (unsigned loop = 0; loop < iterators.size(); ++loop)
    if (llvm::none_of(maps, [&](AffineMap map) {
          return llvm::is_contained(map.getResults(), getAffineDimExpr(loop, op.getContext()));
        }))
      return std::nullopt;
  return c;
}

bool Contraction::packsColumns(int64_t rows) const {
  if (!m)
    return false;
  int64_t extent = const_cast<linalg::GenericOp &>(op).getStaticLoopRanges()[*m];
  return ShapedType::isDynamic(extent) || extent > 2 * rows;
}

bool Contraction::readsWindows() const {
  linalg::GenericOp generic = op;
  if (!columnOperand->get().getDefiningOp<Im2colOp>() || m || generic.getNumLoops() != 4)
    return false;
  // Loops [n, g, q, k] over columns [n, g, k, q], the filter [g, k], and [n, g, q].
  auto map = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(4, dims, generic.getContext());
  };
  return generic.getMatchingIndexingMap(columnOperand) == map({0, 1, 3, 2}) &&
         generic.getMatchingIndexingMap(rowOperand) == map({1, 3}) &&
         generic.getMatchingIndexingMap(generic.getDpsInitOperand(0)) == map({0, 1, 2});
}
