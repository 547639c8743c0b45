//===- VectorizeContractions.cpp - Contractions in register tiles ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Contraction.h"
#include "transforms/Vector/Epilogue.h"
#include "transforms/Vector/Passes.h"
#include "transforms/Vector/TransposeSquare.h"
#include "transforms/Vector/WindowContraction.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/AffineExprVisitor.h"

namespace weft {
#define GEN_PASS_DEF_VECTORIZECONTRACTIONS
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// Rows and vectors of columns that are accumulated in registers.
struct TileShape {
  int64_t rows, vectors;
};

/// Where a register tile lies.
struct RegisterTile {
  TileShape shape;
  Value packed, panel;                ///< where it takes its columns; null: from the operand
  SmallVector<Value> rows, rowInside; ///< null: surely inside
  SmallVector<Value> columns, laneMask;
};

/// Emits one contraction.
class ContractionEmitter {
public:
  ContractionEmitter(const Contraction &contraction, const Epilogue &epilogue,
                     ScheduleAttr schedule, RewriterBase &rewriter)
      : c(contraction), epilogue(epilogue), few(schedule.getFew()),
        lanes(schedule.getVector()[2]), whole{schedule.getVector()[0],
                                              schedule.getVector()[1] / lanes},
        b(rewriter), loc(contraction.op->getLoc()) {}
  Value emit();

private:
  using Position = SmallVector<Value>;
  using Emit = llvm::function_ref<Value()>;
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value extent(unsigned loop);
  /// Where `operand` is read for the given values of the loops.
  Position position(OpOperand *operand, ArrayRef<Value> loops);
  Value pack(ArrayRef<Value> outer);
  bool packsSquares();
  bool rowsHaveKnownDistance();
  Value packSquares(ArrayRef<Value> outer, Value panels, Value empty);
  Value writePanel(Value vector, Value panels, Value panel, Value k, int64_t v);
  Value readVector(ArrayRef<Value> loops, Value mask);
  Value choose(Value condition, Emit then, Emit otherwise);
  Value emitMatrix(ArrayRef<Value> outer, Value out);
  Value emitRows(ArrayRef<Value> outer, Value out, int64_t extent);
  Value emitManyRows(ArrayRef<Value> outer, Value out);
  Value emitAnyRows(ArrayRef<Value> outer, Value out);
  Value emitFewRows(ArrayRef<Value> outer, Value out, Value from, Value to,
                    ArrayRef<int64_t> tiles);
  Value roundDownToTile(Value count);
  Value roundUpToLanes(Value count);
  Value emitTiles(ArrayRef<Value> outer, Value out, Value from, Value to, TileShape shape,
                  Value packed, bool isWhole = false);
  RegisterTile placeTile(Value row, Value panel, Value rowEnd, TileShape shape, bool isWhole);
  Position outPosition(ArrayRef<Value> outer, const RegisterTile &tile, int64_t r, int64_t v);
  scf::ValueVector accumulate(ArrayRef<Value> outer, const RegisterTile &tile, ValueRange kIvs,
                              ValueRange accumulators);
  Value store(ArrayRef<Value> outer, const RegisterTile &tile, ValueRange sums, Value out);
  Value readColumns(ArrayRef<Value> loops, Value column, Value mask);
  Value multiplyAdd(Value row, Value column, Value sum);
  Value widen(Value value, bool isRow);
  bool columnsAreContiguous(OpOperand *operand, unsigned dimension);

  Contraction c;
  const Epilogue &epilogue;
  ArrayRef<int64_t> few;
  int64_t lanes;
  TileShape whole;
  RewriterBase &b;
  Location loc;
  SmallVector<Value> kExtents;
  Value kTotal;
};
} // namespace

Value ContractionEmitter::extent(unsigned loop) {
  // Any operand that is indexed by the loop alone knows its extent.
  for (OpOperand &operand : c.op->getOpOperands()) {
    AffineMap map = c.op.getMatchingIndexingMap(&operand);
    for (auto [i, expr] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() == loop)
        return b.createOrFold<tensor::DimOp>(loc, operand.get(), static_cast<int64_t>(i));
  }
  return {};
}

ContractionEmitter::Position ContractionEmitter::position(OpOperand *operand,
                                                          ArrayRef<Value> loops) {
  AffineMap map = c.op.getMatchingIndexingMap(operand);
  Position result;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      result.push_back(loops[dim.getPosition()]);
    } else if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
      result.push_back(constant(number.getValue()));
    } else {
      SmallVector<OpFoldResult> operands(loops.begin(), loops.end());
      AffineMap single = AffineMap::get(map.getNumDims(), 0, expr);
      OpFoldResult value = affine::makeComposedFoldedAffineApply(b, loc, single, operands);
      result.push_back(getValueOrCreateConstantIndexOp(b, loc, value));
    }
  }
  return result;
}

/// Whether neighbours along the n loop are neighbours in memory.
bool ContractionEmitter::columnsAreContiguous(OpOperand *operand, unsigned dimension) {
  AffineMap map = c.op.getMatchingIndexingMap(operand);
  if (map.getNumResults() == 0)
    return false;
  for (AffineExpr expr : map.getResults().drop_back())
    if (expr.isFunctionOfDim(dimension))
      return false;
  // The last position is n plus something without n.
  AffineExpr last = map.getResults().back();
  AffineExpr rest =
      simplifyAffineExpr(last - getAffineDimExpr(dimension, b.getContext()), map.getNumDims(), 0);
  return last.isPureAffine() && !rest.isFunctionOfDim(dimension);
}

/// `lanes` neighbours of the column operand at the given values of the loops; 0 where
/// the mask is.
Value ContractionEmitter::readVector(ArrayRef<Value> loops, Value mask) {
  Value operand = c.columnOperand->get();
  auto type = cast<RankedTensorType>(operand.getType());
  auto map = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  return vector::TransferReadOp::create(b, loc, VectorType::get({lanes}, type.getElementType()),
                                        operand, position(c.columnOperand, loops),
                                        AffineMapAttr::get(map), zero, mask,
                                        b.getBoolArrayAttr({true}));
}

/// Writes vector `v` of a row of a panel.
Value ContractionEmitter::writePanel(Value vector, Value panels, Value panel, Value k, int64_t v) {
  return vector::TransferWriteOp::create(b, loc, vector, panels,
                                         ValueRange{panel, k, constant(v * lanes)},
                                         ArrayRef<bool>{true})
      .getResult();
}

/// `lanes` elements of the column operand from `column` on; 0 where the mask is.
Value ContractionEmitter::readColumns(ArrayRef<Value> loops, Value column, Value mask) {
  OpOperand *operand = c.columnOperand;
  auto type = cast<RankedTensorType>(operand->get().getType());
  auto vectorType = VectorType::get({lanes}, type.getElementType());
  SmallVector<Value> at(loops);
  if (columnsAreContiguous(operand, c.n)) {
    at[c.n] = column;
    return readVector(at, mask);
  }
  // One by one; beyond n the last column is read, and zeroed by the mask.
  Value result = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  Value last = arith::SubIOp::create(b, loc, extent(c.n), constant(1));
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value n = arith::AddIOp::create(b, loc, column, constant(lane));
    at[c.n] = arith::MinSIOp::create(b, loc, n, last);
    Value element = tensor::ExtractOp::create(b, loc, operand->get(), position(operand, at));
    result = vector::InsertOp::create(b, loc, element, result, lane);
  }
  Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  return arith::SelectOp::create(b, loc, mask, result, zeros);
}

/// Copies the column operand to panels [panels, k, columns]. Columns that were gathered for this
/// tile are as good as packed: null.
Value ContractionEmitter::pack(ArrayRef<Value> outer) {
  if (c.columnOperand->get().getDefiningOp<Im2colOp>())
    return {};
  int64_t vectors = whole.vectors, columns = vectors * lanes;
  auto type = cast<RankedTensorType>(c.columnOperand->get().getType());
  Value n = extent(c.n);
  Value panels = arith::CeilDivUIOp::create(b, loc, n, constant(columns));
  bool squares = packsSquares();
  Value rows = squares ? roundUpToLanes(kTotal) : kTotal;
  SmallVector<OpFoldResult> sizes{panels, rows, b.getIndexAttr(columns)};
  Value empty = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  if (squares)
    return packSquares(outer, panels, empty);
  Value zero = constant(0), one = constant(1);
  SmallVector<Value> lower(1 + kExtents.size(), zero), steps(1 + kExtents.size(), one);
  SmallVector<Value> upper{panels};
  llvm::append_range(upper, kExtents);
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, upper, steps, empty,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        SmallVector<Value> loops(outer);
        Value k = zero;
        for (auto [i, loop] : llvm::enumerate(c.k)) {
          loops[loop] = ivs[1 + i];
          k = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, k, kExtents[i]),
                                    ivs[1 + i]);
        }
        Value first = arith::MulIOp::create(b, loc, ivs[0], constant(columns));
        Value result = carried[0];
        for (int64_t v = 0; v < vectors; ++v) {
          Value column = arith::AddIOp::create(b, loc, first, constant(v * lanes));
          Value left = arith::SubIOp::create(b, loc, n, column);
          Value mask = vector::CreateMaskOp::create(b, loc, maskType, left);
          Value values = readColumns(loops, column, mask);
          result = writePanel(values, result, ivs[0], k, v);
        }
        return {result};
      });
  return nest.results.front();
}

Value ContractionEmitter::roundUpToLanes(Value count) {
  return arith::MulIOp::create(b, loc, arith::CeilDivUIOp::create(b, loc, count, constant(lanes)),
                               constant(lanes));
}

/// Whether columns are packed by squares that are transposed in registers: where
/// neighbours along k are neighbours in memory, and those along n are not.
bool ContractionEmitter::packsSquares() {
  Type element = getElementTypeOrSelf(c.columnOperand->get().getType());
  return c.k.size() == 1 && lanes <= kMaxSquare && llvm::isPowerOf2_64(lanes) &&
         canTransposeSquares(element) && !columnsAreContiguous(c.columnOperand, c.n) &&
         columnsAreContiguous(c.columnOperand, c.k.front());
}

/// Fills the panels square by square. The last column stands for those beyond n; beyond
/// k are zeros.
Value ContractionEmitter::packSquares(ArrayRef<Value> outer, Value panels, Value empty) {
  Value zero = constant(0), one = constant(1), k = kExtents.front(), n = extent(c.n);
  Value lastColumn = arith::SubIOp::create(b, loc, n, one);
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, {zero, zero}, {panels, k}, {one, constant(lanes)}, empty,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        Value first = arith::MulIOp::create(b, loc, ivs[0], constant(whole.vectors * lanes));
        Value left = arith::SubIOp::create(b, loc, k, ivs[1]);
        Value mask = vector::CreateMaskOp::create(b, loc, maskType, left);
        Value result = carried[0];
        SmallVector<Value> loops(outer);
        loops[c.k.front()] = ivs[1];
        for (int64_t v = 0; v < whole.vectors; ++v) {
          SmallVector<Value> square;
          for (int64_t lane = 0; lane < lanes; ++lane) {
            Value column = arith::AddIOp::create(b, loc, first, constant(v * lanes + lane));
            column = arith::MinSIOp::create(b, loc, column, lastColumn);
            loops[c.n] = column;
            square.push_back(readVector(loops, mask));
          }
          transposeSquare(b, loc, square);
          for (auto [i, row] : llvm::enumerate(square)) {
            Value at = arith::AddIOp::create(b, loc, ivs[1], constant(i));
            result = writePanel(row, result, ivs[0], at, v);
          }
        }
        return {result};
      });
  return nest.results.front();
}

/// An operand's element in the accumulator's type.
Value ContractionEmitter::widen(Value value, bool isRow) {
  Operation *extension = isRow ? c.rowExtension : c.columnExtension;
  if (!extension)
    return value;
  Type type = c.accumulatorType;
  if (auto vectorType = dyn_cast<VectorType>(value.getType()))
    type = VectorType::get(vectorType.getShape(), type);
  OperationState state(loc, extension->getName().getStringRef(), value, type);
  return b.create(state)->getResult(0);
}

Value ContractionEmitter::multiplyAdd(Value row, Value column, Value sum) {
  if (isa<FloatType>(c.accumulatorType))
    return math::FmaOp::create(b, loc, row, column, sum);
  return arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, row, column));
}

/// A loop over the matrices around one of them.
Value ContractionEmitter::emit() {
  Value zero = constant(0), one = constant(1);
  for (unsigned loop : c.k)
    kExtents.push_back(extent(loop));
  kTotal = one;
  for (Value k : kExtents)
    kTotal = b.createOrFold<arith::MulIOp>(loc, kTotal, k);
  SmallVector<unsigned> walked;
  SmallVector<Value> upper;
  SmallVector<int64_t> extents = c.op.getStaticLoopRanges();
  for (unsigned loop : c.others)
    if (extents[loop] != 1) {
      walked.push_back(loop);
      upper.push_back(extent(loop));
    }
  SmallVector<Value> lower(walked.size(), zero), steps(walked.size(), one);
  SmallVector<Value> outer(c.op.getNumLoops(), zero);
  Value out = epilogue.destination(b);
  if (walked.empty())
    return emitMatrix(outer, out);
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, upper, steps, out,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        for (auto [loop, iv] : llvm::zip(walked, ivs))
          outer[loop] = iv;
        return {emitMatrix(outer, carried[0])};
      });
  return nest.results.front();
}

/// Whether rows lie a constant number of elements apart.
bool ContractionEmitter::rowsHaveKnownDistance() {
  auto type = cast<RankedTensorType>(c.rowOperand->get().getType());
  return llvm::none_of(type.getShape().drop_front(), ShapedType::isDynamic);
}

/// Where the register tile of `shape` that begins at the loops' values `row` and
/// `panel` lies: its rows, of which the last before `rowEnd` stands for those after it,
/// and its vectors of columns with the lanes that are inside.
RegisterTile ContractionEmitter::placeTile(Value row, Value panel, Value rowEnd, TileShape shape,
                                           bool isWhole) {
  RegisterTile tile;
  tile.shape = shape;
  tile.panel = panel;
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  Value n = extent(c.n);
  Value firstColumn = arith::MulIOp::create(b, loc, panel, constant(shape.vectors * lanes));
  Value lastRow = arith::SubIOp::create(b, loc, rowEnd, constant(1));
  // Rows an unknown distance apart are clamped in any case: LLVM would derive their
  // addresses from one another, in so many registers that accumulators are spilled,
  // which takes 1.4 times as long.
  bool clamps = !isWhole || !rowsHaveKnownDistance();
  for (int64_t r = 0; r < shape.rows; ++r) {
    Value index = r == 0 ? row : Value(arith::AddIOp::create(b, loc, row, constant(r)));
    Value inside;
    if (r > 0 && clamps) {
      inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, rowEnd);
      index = arith::MinSIOp::create(b, loc, index, lastRow);
    }
    tile.rows.push_back(index);
    tile.rowInside.push_back(inside);
  }
  for (int64_t v = 0; v < shape.vectors; ++v) {
    Value column = arith::AddIOp::create(b, loc, firstColumn, constant(v * lanes));
    tile.columns.push_back(column);
    tile.laneMask.push_back(vector::CreateMaskOp::create(
        b, loc, maskType, ValueRange{arith::SubIOp::create(b, loc, n, column)}));
  }
  return tile;
}

/// The position in the result of row `r` and vector `v`.
SmallVector<Value> ContractionEmitter::outPosition(ArrayRef<Value> outer, const RegisterTile &tile,
                                                   int64_t r, int64_t v) {
  SmallVector<Value> loops(outer);
  if (c.m)
    loops[*c.m] = tile.rows[r];
  loops[c.n] = tile.columns[v];
  return position(c.op.getDpsInitOperand(0), loops);
}

/// Multiply-adds of one position of the k loops.
scf::ValueVector ContractionEmitter::accumulate(ArrayRef<Value> outer, const RegisterTile &tile,
                                                ValueRange kIvs, ValueRange accumulators) {
  SmallVector<Value> loops(outer);
  Value k = constant(0);
  for (auto [i, loop] : llvm::enumerate(c.k)) {
    loops[loop] = kIvs[i];
    k = i == 0 ? kIvs[0]
               : Value(arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, k, kExtents[i]),
                                             kIvs[i]));
  }
  SmallVector<Value> columnValues;
  for (int64_t v = 0; v < tile.shape.vectors; ++v) {
    Value values;
    if (tile.packed) {
      auto type = cast<RankedTensorType>(tile.packed.getType());
      Value pad = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
      values = vector::TransferReadOp::create(
          b, loc, VectorType::get({lanes}, type.getElementType()), tile.packed,
          ValueRange{tile.panel, k, constant(v * lanes)}, pad, ArrayRef<bool>{true});
    } else {
      values = readColumns(loops, tile.columns[v], tile.laneMask[v]);
    }
    columnValues.push_back(widen(values, /*isRow=*/false));
  }
  auto vectorType = VectorType::get({lanes}, c.accumulatorType);
  scf::ValueVector sums;
  for (int64_t r = 0; r < tile.shape.rows; ++r) {
    if (c.m)
      loops[*c.m] = tile.rows[r];
    Value element =
        tensor::ExtractOp::create(b, loc, c.rowOperand->get(), position(c.rowOperand, loops));
    Value row = vector::BroadcastOp::create(b, loc, vectorType, widen(element, /*isRow=*/true));
    for (auto [v, column] : llvm::enumerate(columnValues))
      sums.push_back(multiplyAdd(row, column, accumulators[r * columnValues.size() + v]));
  }
  return sums;
}

/// Writes what the epilogue makes of `sums` to `out`; rows and lanes that are not
/// inside are left alone.
Value ContractionEmitter::store(ArrayRef<Value> outer, const RegisterTile &tile, ValueRange sums,
                                Value out) {
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  int64_t rank = cast<RankedTensorType>(out.getType()).getRank();
  auto map = AffineMapAttr::get(AffineMap::getMinorIdentityMap(rank, 1, b.getContext()));
  auto [rows, vectors] = tile.shape;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value mask = tile.laneMask[v];
      Value value = epilogue.finish(b, sums[r * vectors + v], outPosition(outer, tile, r, v), mask);
      if (tile.rowInside[r]) {
        Value inside = vector::BroadcastOp::create(b, loc, maskType, tile.rowInside[r]);
        mask = arith::AndIOp::create(b, loc, mask, inside);
      }
      out = vector::TransferWriteOp::create(b, loc, out.getType(), value, out,
                                            outPosition(outer, tile, r, v), map, mask,
                                            b.getBoolArrayAttr({true}))
                .getResult();
    }
  return out;
}

/// One of two results, both of which are written into the same tensor.
Value ContractionEmitter::choose(Value condition, Emit then, Emit otherwise) {
  auto region = [&](Emit emit) {
    return [emit, this](OpBuilder &, Location) {
      Value result = emit();
      scf::YieldOp::create(b, loc, result);
    };
  };
  return scf::IfOp::create(b, loc, condition, region(then), region(otherwise)).getResult(0);
}

/// Rows by columns, for the given values of the other loops.
Value ContractionEmitter::emitMatrix(ArrayRef<Value> outer, Value out) {
  int64_t extent = c.m ? c.op.getStaticLoopRanges()[*c.m] : 1;
  if (!ShapedType::isDynamic(extent))
    return emitRows(outer, out, extent);
  if (few.empty() || !columnsAreContiguous(c.columnOperand, c.n))
    return emitManyRows(outer, out);
  return emitAnyRows(outer, out);
}

/// A known number of rows: whole tiles, and one of exactly what is left. Columns that lie
/// apart are packed however few rows read them.
Value ContractionEmitter::emitRows(ArrayRef<Value> outer, Value out, int64_t extent) {
  Value packed = c.packsColumns(whole.rows) || packsSquares() ? pack(outer) : Value();
  TileShape rest{extent % whole.rows, whole.vectors};
  Value border = constant(extent - rest.rows);
  if (extent >= whole.rows)
    out = emitTiles(outer, out, constant(0), border, whole, packed, /*isWhole=*/true);
  if (rest.rows != 0)
    out = emitTiles(outer, out, border, constant(extent), rest, packed, /*isWhole=*/true);
  return out;
}

/// Whole tiles, then lower ones for the rows that are left.
Value ContractionEmitter::emitManyRows(ArrayRef<Value> outer, Value out) {
  TileShape rest{std::max<int64_t>(1, whole.rows / 3), whole.vectors};
  Value packed = pack(outer), m = extent(*c.m), border = roundDownToTile(m);
  out = emitTiles(outer, out, constant(0), border, whole, packed, /*isWhole=*/true);
  return emitTiles(outer, out, border, m, rest, packed);
}

/// Whole tiles of packed columns where there are many rows. The others, or all if there
/// are few, take the first of the schedule's tiles for few rows that has as many, and
/// read the columns where they are: they do so at most twice.
Value ContractionEmitter::emitAnyRows(ArrayRef<Value> outer, Value out) {
  Value m = extent(*c.m), border = roundDownToTile(m), rows = constant(whole.rows);
  Value packs =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ugt, m, constant(2 * whole.rows));
  out = choose(
      packs,
      [&] {
        Value packed = pack(outer);
        return emitTiles(outer, out, constant(0), border, whole, packed, /*isWhole=*/true);
      },
      [&] { return out; });
  Value from = arith::SelectOp::create(b, loc, packs, border, constant(0));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, from, m, rows, out,
      [&](OpBuilder &, Location, ValueRange at, ValueRange carried) -> scf::ValueVector {
        Value to = arith::MinUIOp::create(b, loc, arith::AddIOp::create(b, loc, at[0], rows), m);
        return {emitFewRows(outer, carried[0], at[0], to, few)};
      });
  return nest.results.front();
}

/// `from` to `to`, which are at most the rows of a whole tile. `tiles` are pairs of rows
/// and columns.
Value ContractionEmitter::emitFewRows(ArrayRef<Value> outer, Value out, Value from, Value to,
                                      ArrayRef<int64_t> tiles) {
  if (tiles.empty())
    return emitTiles(outer, out, from, to, whole, /*packed=*/{});
  TileShape shape{tiles[0], tiles[1] / lanes};
  Value count = arith::SubIOp::create(b, loc, to, from);
  Value fits =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, count, constant(shape.rows));
  return choose(
      fits, [&] { return emitTiles(outer, out, from, to, shape, /*packed=*/{}); },
      [&] { return emitFewRows(outer, out, from, to, tiles.drop_front(2)); });
}

/// The largest multiple of a tile's rows that is at most `count`.
Value ContractionEmitter::roundDownToTile(Value count) {
  Value left = arith::RemUIOp::create(b, loc, count, constant(whole.rows));
  return arith::SubIOp::create(b, loc, count, left);
}

/// The rows `from` to `to` in register tiles; `isWhole`: their number is a multiple of
/// that of a tile's.
Value ContractionEmitter::emitTiles(ArrayRef<Value> outer, Value out, Value from, Value to,
                                    TileShape shape, Value packed, bool isWhole) {
  Value zero = constant(0), one = constant(1);
  Value panels = arith::CeilDivUIOp::create(b, loc, extent(c.n), constant(shape.vectors * lanes));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, {from, zero}, {to, panels}, {constant(shape.rows), one}, out,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        RegisterTile tile = placeTile(ivs[0], ivs[1], to, shape, isWhole);
        tile.packed = packed;
        SmallVector<Value> sums;
        for (int64_t r = 0; r < shape.rows; ++r)
          for (int64_t v = 0; v < shape.vectors; ++v)
            sums.push_back(epilogue.start(b, carried[0], outPosition(outer, tile, r, v), lanes,
                                          tile.laneMask[v]));
        // The k loops, innermost last; the accumulators are carried.
        SmallVector<Value> lower(kExtents.size(), zero), steps(kExtents.size(), one);
        scf::LoopNest inner = scf::buildLoopNest(
            b, loc, lower, kExtents, steps, sums,
            [&](OpBuilder &, Location, ValueRange kIvs, ValueRange accumulators) {
              return accumulate(outer, tile, kIvs, accumulators);
            });
        return {store(outer, tile, inner.results, carried[0])};
      });
  return nest.results.front();
}

namespace {
struct VectorizeContractions : weft::impl::VectorizeContractionsBase<VectorizeContractions> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    ScheduleAttr schedule = kernel.getScheduleAttr();
    if (!schedule || schedule.getVector().empty())
      return;
    SmallVector<Contraction> contractions;
    kernel->walk([&](linalg::GenericOp op) {
      if (std::optional<Contraction> contraction = Contraction::match(op))
        contractions.push_back(*contraction);
    });
    IRRewriter rewriter(&getContext());
    for (const Contraction &contraction : contractions) {
      Epilogue epilogue(contraction.op);
      rewriter.setInsertionPoint(epilogue.last());
      Value result =
          contraction.readsWindows()
              ? emitWindowContraction(contraction, epilogue, schedule.getVector()[2], rewriter)
              : ContractionEmitter(contraction, epilogue, schedule, rewriter).emit();
      epilogue.replace(rewriter, result);
    }
  }
};
} // namespace
