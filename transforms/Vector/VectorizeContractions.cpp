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
/// The part of a matrix that is accumulated in registers at a time.
struct RegisterTile {
  int64_t rows, vectors;
  /// Where it takes its columns: [panels, k, columns], or null for the operand.
  Value packed = {};
};

/// Emits one contraction.
class ContractionEmitter {
public:
  ContractionEmitter(const Contraction &contraction, const Epilogue &epilogue,
                     ScheduleAttr schedule, RewriterBase &rewriter)
      : c(contraction), epilogue(epilogue), few(schedule.getFew()), rows(schedule.getVector()[0]),
        columns(schedule.getVector()[1]), lanes(schedule.getVector()[2]), vectors(columns / lanes),
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
  Value choose(Value condition, Emit then, Emit otherwise);
  Value emitMatrix(ArrayRef<Value> outer, Value out);
  Value emitRows(ArrayRef<Value> outer, Value out, int64_t extent);
  Value emitManyRows(ArrayRef<Value> outer, Value out);
  Value emitAnyRows(ArrayRef<Value> outer, Value out);
  Value emitFewRows(ArrayRef<Value> outer, Value out, Value from, Value to,
                    ArrayRef<int64_t> tiles);
  Value roundDownToTile(Value count);
  Value emitTiles(ArrayRef<Value> outer, Value out, Value from, Value to, RegisterTile tile,
                  bool isWhole = false);
  scf::ValueVector emitStep(ArrayRef<Value> outer, ValueRange at, ValueRange sums,
                            ArrayRef<Value> rowIndex, ArrayRef<Value> columnIndex,
                            ArrayRef<Value> laneMask, Value panel, RegisterTile tile);
  Value readColumns(ArrayRef<Value> loops, Value column, Value mask);
  Value multiplyAdd(Value row, Value column, Value sum);
  Value widen(Value value, bool isRow);
  bool columnsAreContiguous(OpOperand *operand, unsigned dimension);

  Contraction c;
  const Epilogue &epilogue;
  ArrayRef<int64_t> few;
  int64_t rows, columns, lanes, vectors;
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

/// `lanes` elements of the column operand from `column` on; 0 where the mask is.
Value ContractionEmitter::readColumns(ArrayRef<Value> loops, Value column, Value mask) {
  OpOperand *operand = c.columnOperand;
  auto type = cast<RankedTensorType>(operand->get().getType());
  auto vectorType = VectorType::get({lanes}, type.getElementType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  SmallVector<Value> at(loops);
  if (columnsAreContiguous(operand, c.n)) {
    at[c.n] = column;
    Position where = position(operand, at);
    auto map = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
    return vector::TransferReadOp::create(b, loc, vectorType, operand->get(), where,
                                          AffineMapAttr::get(map), zero, mask,
                                          b.getBoolArrayAttr({true}));
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

/// Copies the column operand to panels. Columns that were gathered for this tile are as
/// good as packed: null.
Value ContractionEmitter::pack(ArrayRef<Value> outer) {
  if (c.columnOperand->get().getDefiningOp<Im2colOp>())
    return {};
  auto type = cast<RankedTensorType>(c.columnOperand->get().getType());
  Value n = extent(c.n);
  Value panels = arith::CeilDivUIOp::create(b, loc, n, constant(columns));
  SmallVector<OpFoldResult> sizes{panels, kTotal, b.getIndexAttr(columns)};
  Value empty = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
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
          result = vector::TransferWriteOp::create(b, loc, values, result,
                                                   ValueRange{ivs[0], k, constant(v * lanes)},
                                                   ArrayRef<bool>{true})
                       .getResult();
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
  Value out = epilogue.destination();
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

/// A known number of rows: whole tiles, and one of exactly what is left.
Value ContractionEmitter::emitRows(ArrayRef<Value> outer, Value out, int64_t extent) {
  RegisterTile whole{rows, vectors}, rest{extent % rows, vectors};
  whole.packed = rest.packed = c.packsColumns(rows) ? pack(outer) : Value();
  Value border = constant(extent - rest.rows);
  if (extent >= rows)
    out = emitTiles(outer, out, constant(0), border, whole, /*isWhole=*/true);
  return rest.rows == 0 ? out
                        : emitTiles(outer, out, border, constant(extent), rest, /*isWhole=*/true);
}

/// Whole tiles, then lower ones for the rows that are left.
Value ContractionEmitter::emitManyRows(ArrayRef<Value> outer, Value out) {
  RegisterTile whole{rows, vectors}, rest{std::max<int64_t>(1, rows / 3), vectors};
  whole.packed = rest.packed = pack(outer);
  Value m = extent(*c.m), border = roundDownToTile(m);
  out = emitTiles(outer, out, constant(0), border, whole, /*isWhole=*/true);
  return emitTiles(outer, out, border, m, rest);
}

/// Whole tiles of packed columns where there are many rows. The others, or all if there
/// are few, take the first of the schedule's tiles for few rows that has as many, and
/// read the columns where they are: they do so at most twice.
Value ContractionEmitter::emitAnyRows(ArrayRef<Value> outer, Value out) {
  Value m = extent(*c.m), border = roundDownToTile(m);
  Value packs = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ugt, m, constant(2 * rows));
  out = choose(
      packs,
      [&] {
        RegisterTile whole{rows, vectors};
        whole.packed = pack(outer);
        return emitTiles(outer, out, constant(0), border, whole, /*isWhole=*/true);
      },
      [&] { return out; });
  Value from = arith::SelectOp::create(b, loc, packs, border, constant(0));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, from, m, constant(rows), out,
      [&](OpBuilder &, Location, ValueRange at, ValueRange carried) -> scf::ValueVector {
        Value end = arith::AddIOp::create(b, loc, at[0], constant(rows));
        end = arith::MinUIOp::create(b, loc, end, m);
        return {emitFewRows(outer, carried[0], at[0], end, few)};
      });
  return nest.results.front();
}

/// `from` to `to`, which are at most the rows of a tile.
Value ContractionEmitter::emitFewRows(ArrayRef<Value> outer, Value out, Value from, Value to,
                                      ArrayRef<int64_t> tiles) {
  if (tiles.empty())
    return emitTiles(outer, out, from, to, {rows, vectors});
  RegisterTile tile{tiles[0], tiles[1] / lanes};
  Value count = arith::SubIOp::create(b, loc, to, from);
  Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, count, constant(tile.rows));
  return choose(
      fits, [&] { return emitTiles(outer, out, from, to, tile); },
      [&] { return emitFewRows(outer, out, from, to, tiles.drop_front(2)); });
}

/// The largest multiple of a tile's rows that is at most `count`.
Value ContractionEmitter::roundDownToTile(Value count) {
  Value left = arith::RemUIOp::create(b, loc, count, constant(rows));
  return arith::SubIOp::create(b, loc, count, left);
}

/// One step along k: adds the products of a row's element and a vector of columns.
scf::ValueVector ContractionEmitter::emitStep(ArrayRef<Value> outer, ValueRange at, ValueRange sums,
                                              ArrayRef<Value> rowIndex, ArrayRef<Value> columnIndex,
                                              ArrayRef<Value> laneMask, Value panel,
                                              RegisterTile tile) {
  SmallVector<Value> loops(outer);
  Value k = constant(0);
  for (auto [i, loop] : llvm::enumerate(c.k)) {
    loops[loop] = at[i];
    k = i == 0 ? at[0]
               : Value(arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, k, kExtents[i]),
                                             at[i]));
  }
  SmallVector<Value> columnValues;
  for (int64_t v = 0; v < tile.vectors; ++v) {
    Value values;
    if (tile.packed) {
      auto type = cast<RankedTensorType>(tile.packed.getType());
      Value pad = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
      values = vector::TransferReadOp::create(
          b, loc, VectorType::get({lanes}, type.getElementType()), tile.packed,
          ValueRange{panel, k, constant(v * lanes)}, pad, ArrayRef<bool>{true});
    } else {
      values = readColumns(loops, columnIndex[v], laneMask[v]);
    }
    columnValues.push_back(widen(values, /*isRow=*/false));
  }
  auto accumulatorVector = VectorType::get({lanes}, c.accumulatorType);
  scf::ValueVector next;
  for (int64_t r = 0; r < tile.rows; ++r) {
    if (c.m)
      loops[*c.m] = rowIndex[r];
    Value element =
        tensor::ExtractOp::create(b, loc, c.rowOperand->get(), position(c.rowOperand, loops));
    Value row =
        vector::BroadcastOp::create(b, loc, accumulatorVector, widen(element, /*isRow=*/true));
    for (int64_t v = 0; v < tile.vectors; ++v)
      next.push_back(multiplyAdd(row, columnValues[v], sums[r * tile.vectors + v]));
  }
  return next;
}

/// The rows `from` to `to` in register tiles. If the last one may have fewer rows, those
/// beyond repeat the last and are not written.
Value ContractionEmitter::emitTiles(ArrayRef<Value> outer, Value out, Value from, Value to,
                                    RegisterTile tile, bool isWhole) {
  Value zero = constant(0), one = constant(1), n = extent(c.n);
  auto outType = cast<RankedTensorType>(out.getType());
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  Value tileColumns = constant(tile.vectors * lanes);
  Value panels = arith::CeilDivUIOp::create(b, loc, n, tileColumns);
  OpOperand *outOperand = c.op.getDpsInitOperand(0);
  auto outMap =
      AffineMapAttr::get(AffineMap::getMinorIdentityMap(outType.getRank(), 1, b.getContext()));

  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, {from, zero}, {to, panels}, {constant(tile.rows), one}, out,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        Value firstColumn = arith::MulIOp::create(b, loc, ivs[1], tileColumns);
        Value lastRow = arith::SubIOp::create(b, loc, to, one);
        SmallVector<Value> rowIndex, rowInside, columnIndex, laneMask;
        for (int64_t r = 0; r < tile.rows; ++r) {
          Value row = r == 0 ? ivs[0] : Value(arith::AddIOp::create(b, loc, ivs[0], constant(r)));
          if (r > 0 && !isWhole) {
            rowInside.push_back(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, row, to));
            row = arith::MinSIOp::create(b, loc, row, lastRow);
          } else {
            rowInside.push_back({});
          }
          rowIndex.push_back(row);
        }
        for (int64_t v = 0; v < tile.vectors; ++v) {
          Value column = arith::AddIOp::create(b, loc, firstColumn, constant(v * lanes));
          columnIndex.push_back(column);
          laneMask.push_back(vector::CreateMaskOp::create(
              b, loc, maskType, ValueRange{arith::SubIOp::create(b, loc, n, column)}));
        }
        auto outPosition = [&](int64_t r, int64_t v) {
          SmallVector<Value> loops(outer);
          if (c.m)
            loops[*c.m] = rowIndex[r];
          loops[c.n] = columnIndex[v];
          return position(outOperand, loops);
        };
        SmallVector<Value> sums;
        for (int64_t r = 0; r < tile.rows; ++r)
          for (int64_t v = 0; v < tile.vectors; ++v)
            sums.push_back(epilogue.start(b, carried[0], outPosition(r, v), lanes, laneMask[v]));

        // The k loops, innermost last; the accumulators are carried.
        SmallVector<Value> lower(kExtents.size(), zero), steps(kExtents.size(), one);
        scf::LoopNest inner =
            scf::buildLoopNest(b, loc, lower, kExtents, steps, sums,
                               [&](OpBuilder &, Location, ValueRange at, ValueRange accumulators) {
                                 return emitStep(outer, at, accumulators, rowIndex, columnIndex,
                                                 laneMask, ivs[1], tile);
                               });
        Value result = carried[0];
        for (int64_t r = 0; r < tile.rows; ++r)
          for (int64_t v = 0; v < tile.vectors; ++v) {
            Value mask = laneMask[v];
            if (rowInside[r]) {
              Value inside = vector::BroadcastOp::create(b, loc, maskType, rowInside[r]);
              mask = arith::AndIOp::create(b, loc, mask, inside);
            }
            Value value = epilogue.finish(b, inner.results[r * tile.vectors + v], outPosition(r, v),
                                          laneMask[v]);
            result = vector::TransferWriteOp::create(b, loc, result.getType(), value, result,
                                                     outPosition(r, v), outMap, mask,
                                                     b.getBoolArrayAttr({true}))
                         .getResult();
          }
        return {result};
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
