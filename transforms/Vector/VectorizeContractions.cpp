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
/// Where a register tile lies: rows by vectors of columns.
struct RegisterTile {
  Value panel; ///< of packed columns
  SmallVector<Value> rows, rowInside;
  SmallVector<Value> columns, laneMask;
};

/// Emits one contraction.
class ContractionEmitter {
public:
  ContractionEmitter(const Contraction &contraction, const Epilogue &epilogue, int64_t rows,
                     int64_t columns, int64_t lanes, RewriterBase &rewriter)
      : c(contraction), epilogue(epilogue), rows(rows), columns(columns), lanes(lanes),
        vectors(columns / lanes), b(rewriter), loc(contraction.op->getLoc()) {}
  Value emit();

private:
  using Position = SmallVector<Value>;
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value extent(unsigned loop);
  /// Where `operand` is read for the given values of the loops.
  Position position(OpOperand *operand, ArrayRef<Value> loops);
  SmallVector<Value> pack(ArrayRef<Value> outer);
  Value emitMatrix(ArrayRef<Value> outer, Value out);
  RegisterTile placeTile(Value row, Value panel, Value m, Value n);
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
  int64_t rows, columns, lanes, vectors;
  RewriterBase &b;
  Location loc;
  Value packed; ///< [panels, k, columns], or null
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

/// Copies the column operand to panels.
SmallVector<Value> ContractionEmitter::pack(ArrayRef<Value> outer) {
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
  return SmallVector<Value>(nest.results);
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

/// Where the register tile that begins at the loops' values `row` and `panel`
/// lies: its rows, of which the last one stands for those after it, and its
/// vectors of columns with the lanes that are inside.
RegisterTile ContractionEmitter::placeTile(Value row, Value panel, Value m, Value n) {
  RegisterTile tile;
  tile.panel = panel;
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  Value firstColumn = arith::MulIOp::create(b, loc, panel, constant(columns));
  Value lastRow = arith::SubIOp::create(b, loc, m, constant(1));
  for (int64_t r = 0; r < rows; ++r) {
    Value index = arith::AddIOp::create(b, loc, row, constant(r));
    tile.rowInside.push_back(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, m));
    tile.rows.push_back(r == 0 ? index : Value(arith::MinSIOp::create(b, loc, index, lastRow)));
  }
  for (int64_t v = 0; v < vectors; ++v) {
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
  for (int64_t v = 0; v < vectors; ++v) {
    Value values;
    if (packed) {
      auto type = cast<RankedTensorType>(packed.getType());
      Value pad = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
      values = vector::TransferReadOp::create(
          b, loc, VectorType::get({lanes}, type.getElementType()), packed,
          ValueRange{tile.panel, k, constant(v * lanes)}, pad, ArrayRef<bool>{true});
    } else {
      values = readColumns(loops, tile.columns[v], tile.laneMask[v]);
    }
    columnValues.push_back(widen(values, /*isRow=*/false));
  }
  auto vectorType = VectorType::get({lanes}, c.accumulatorType);
  scf::ValueVector sums;
  for (int64_t r = 0; r < rows; ++r) {
    if (c.m)
      loops[*c.m] = tile.rows[r];
    Value element =
        tensor::ExtractOp::create(b, loc, c.rowOperand->get(), position(c.rowOperand, loops));
    Value row = vector::BroadcastOp::create(b, loc, vectorType, widen(element, /*isRow=*/true));
    for (int64_t v = 0; v < vectors; ++v)
      sums.push_back(multiplyAdd(row, columnValues[v], accumulators[r * vectors + v]));
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
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value lanesInside = tile.laneMask[v];
      Value inside = vector::BroadcastOp::create(b, loc, maskType, tile.rowInside[r]);
      Value mask = r == 0 ? lanesInside : Value(arith::AndIOp::create(b, loc, lanesInside, inside));
      Value value =
          epilogue.finish(b, sums[r * vectors + v], outPosition(outer, tile, r, v), lanesInside);
      out = vector::TransferWriteOp::create(b, loc, out.getType(), value, out,
                                            outPosition(outer, tile, r, v), map, mask,
                                            b.getBoolArrayAttr({true}))
                .getResult();
    }
  return out;
}

/// Rows by columns, for the given values of the other loops.
Value ContractionEmitter::emitMatrix(ArrayRef<Value> outer, Value out) {
  Value zero = constant(0), one = constant(1);
  Value m = c.m ? extent(*c.m) : one, n = extent(c.n);
  // Columns that were gathered for this tile are as good as packed.
  bool packs = c.packsColumns(rows) && !c.columnOperand->get().getDefiningOp<Im2colOp>();
  if (packs)
    packed = pack(outer).front();

  Value rowStep = constant(rows), panels = arith::CeilDivUIOp::create(b, loc, n, constant(columns));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, {zero, zero}, {m, panels}, {rowStep, one}, out,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        RegisterTile tile = placeTile(ivs[0], ivs[1], m, n);
        SmallVector<Value> sums;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t v = 0; v < vectors; ++v)
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
    int64_t rows = schedule.getVector()[0], columns = schedule.getVector()[1],
            lanes = schedule.getVector()[2];
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
              ? emitWindowContraction(contraction, epilogue, lanes, rewriter)
              : ContractionEmitter(contraction, epilogue, rows, columns, lanes, rewriter).emit();
      epilogue.replace(rewriter, result);
    }
  }
};
} // namespace
