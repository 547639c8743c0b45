//===- Distribute.cpp - Loops divided among threads -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Distribute.h"
#include "targets/GPU/DistributeContraction.h"
#include "targets/GPU/DistributeReduction.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace weft::gpu;
using mlir::gpu::Dimension;

//===----------------------------------------------------------------------===//
// Workers and ranges
//===----------------------------------------------------------------------===//

Workers weft::gpu::threadsOfBlock(OpBuilder &b, Location loc, const Grid &grid) {
  return {mlir::gpu::ThreadIdOp::create(b, loc, Dimension::x),
          arith::ConstantIndexOp::create(b, loc, grid.threads)};
}

Workers weft::gpu::blocksOfGrid(OpBuilder &b, Location loc, const Grid &grid) {
  return {mlir::gpu::BlockIdOp::create(b, loc, Dimension::x), grid.blocks};
}

Workers weft::gpu::threadsOfGrid(OpBuilder &b, Location loc, const Grid &grid) {
  Workers threads = threadsOfBlock(b, loc, grid), blocks = blocksOfGrid(b, loc, grid);
  Value before = arith::MulIOp::create(b, loc, blocks.index, threads.count);
  return {arith::AddIOp::create(b, loc, before, threads.index),
          arith::MulIOp::create(b, loc, blocks.count, threads.count)};
}

SmallVector<unsigned> weft::gpu::dividedLoops(linalg::LinalgOp op) {
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<unsigned> ordered, loops;
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  for (AffineExpr expr : map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr);
        dim && iterators[dim.getPosition()] == utils::IteratorType::parallel &&
        !llvm::is_contained(ordered, dim.getPosition()))
      ordered.push_back(dim.getPosition());
  for (unsigned i = 0; i < iterators.size(); ++i)
    if (iterators[i] == utils::IteratorType::parallel && !llvm::is_contained(ordered, i))
      loops.push_back(i);
  llvm::append_range(loops, ordered);
  return loops;
}

static SmallVector<Value> upperBounds(OpBuilder &b, linalg::LinalgOp op) {
  Location loc = op.getLoc();
  return llvm::map_to_vector(op.createLoopRanges(b, loc), [&](const Range &range) {
    return getValueOrCreateConstantIndexOp(b, loc, range.size);
  });
}

static Value product(OpBuilder &b, Location loc, ValueRange factors) {
  Value result = arith::ConstantIndexOp::create(b, loc, 1);
  for (Value factor : factors)
    result = b.createOrFold<arith::MulIOp>(loc, result, factor);
  return result;
}

Value weft::gpu::countPositions(OpBuilder &b, linalg::LinalgOp op) {
  SmallVector<Value> bounds = upperBounds(b, op);
  return product(b, op.getLoc(), llvm::map_to_vector(dividedLoops(op), [&](unsigned loop) {
                   return bounds[loop];
                 }));
}

static SmallVector<Value> countsOf(OpBuilder &b, scf::ForallOp loop) {
  Location loc = loop.getLoc();
  SmallVector<Value> counts;
  for (auto [lower, upper, step] :
       llvm::zip(loop.getMixedLowerBound(), loop.getMixedUpperBound(), loop.getMixedStep())) {
    Value distance =
        b.createOrFold<arith::SubIOp>(loc, getValueOrCreateConstantIndexOp(b, loc, upper),
                                      getValueOrCreateConstantIndexOp(b, loc, lower));
    Value count = b.createOrFold<arith::CeilDivSIOp>(loc, distance,
                                                     getValueOrCreateConstantIndexOp(b, loc, step));
    counts.push_back(b.createOrFold<arith::MaxSIOp>(
        loc, count, arith::ConstantIndexOp::create(b, loc, 0).getResult()));
  }
  return counts;
}

Value weft::gpu::countIterations(OpBuilder &b, scf::ForallOp loop) {
  return product(b, loop.getLoc(), countsOf(b, loop));
}

SmallVector<Value> weft::gpu::delinearize(OpBuilder &b, Location loc, Value linear,
                                          ArrayRef<Value> counts) {
  SmallVector<Value> positions(counts.size());
  for (size_t i = counts.size(); i-- > 1;) {
    positions[i] = b.createOrFold<arith::RemUIOp>(loc, linear, counts[i]);
    linear = b.createOrFold<arith::DivUIOp>(loc, linear, counts[i]);
  }
  if (!positions.empty())
    positions[0] = linear;
  return positions;
}

//===----------------------------------------------------------------------===//
// Operations of linalg
//===----------------------------------------------------------------------===//

SmallVector<Value> weft::gpu::indicesOf(OpBuilder &b, linalg::LinalgOp op, OpOperand &operand,
                                        ArrayRef<Value> position) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) -> Value {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      return position[dim.getPosition()];
    AffineMap part = AffineMap::get(map.getNumDims(), 0, expr);
    return affine::AffineApplyOp::create(b, op.getLoc(), part, position);
  });
}

Value weft::gpu::loadOperand(OpBuilder &b, linalg::LinalgOp op, OpOperand &operand,
                             ArrayRef<Value> position) {
  if (!isa<MemRefType>(operand.get().getType()))
    return operand.get();
  return memref::LoadOp::create(b, op.getLoc(), operand.get(), indicesOf(b, op, operand, position));
}

SmallVector<Value> weft::gpu::cloneBody(OpBuilder &b, linalg::LinalgOp op, IRMapping &mapping,
                                        ArrayRef<Value> position) {
  Block &body = *op.getBlock();
  for (Operation &inner : body.without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(index.getResult(), position[index.getDim()]);
      continue;
    }
    SmallVector<linalg::IndexOp> nested;
    b.clone(inner, mapping)->walk([&](linalg::IndexOp index) { nested.push_back(index); });
    for (linalg::IndexOp index : nested) {
      index.replaceAllUsesWith(position[index.getDim()]);
      index.erase();
    }
  }
  return llvm::map_to_vector(body.getTerminator()->getOperands(),
                             [&](Value value) { return mapping.lookupOrDefault(value); });
}

namespace {
/// Writes what one worker computes of an operation of `linalg`.
class PositionWriter {
public:
  PositionWriter(RewriterBase &b, linalg::LinalgOp op) : b(b), op(op), loc(op.getLoc()) {}
  void run(Workers workers);

private:
  void computePosition();
  /// The loops from `next` of `reductions` on, which carry the results.
  SmallVector<Value> reduce(ArrayRef<unsigned> reductions, ValueRange carried);
  SmallVector<Value> computeBody(ValueRange carried);
  Value load(OpOperand &operand) { return loadOperand(b, op, operand, position); }
  void store(Value value, OpOperand &operand);

  RewriterBase &b;
  linalg::LinalgOp op;
  Location loc;
  SmallVector<Value> bounds;   ///< of all loops
  SmallVector<Value> position; ///< in all loops
  /// Whether a position of the divided loops is one of the results.
  bool inRegisters = true;
};
} // namespace

void PositionWriter::store(Value value, OpOperand &operand) {
  memref::StoreOp::create(b, loc, value, operand.get(), indicesOf(b, op, operand, position));
}

SmallVector<Value> PositionWriter::computeBody(ValueRange carried) {
  IRMapping mapping;
  size_t result = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (op.isDpsInit(&operand) && inRegisters)
      mapping.map(argument, carried[result++]);
    else if (!argument.use_empty())
      mapping.map(argument, load(operand));
  }
  return cloneBody(b, op, mapping, position);
}

SmallVector<Value> PositionWriter::reduce(ArrayRef<unsigned> reductions, ValueRange carried) {
  if (reductions.empty()) {
    SmallVector<Value> values = computeBody(carried);
    if (inRegisters)
      return values;
    for (auto [value, operand] : llvm::zip(values, op.getDpsInitsMutable()))
      store(value, operand);
    return {};
  }
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  auto loop = scf::ForOp::create(b, loc, zero, bounds[reductions.front()], one, carried);
  position[reductions.front()] = loop.getInductionVar();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> values = reduce(reductions.drop_front(), loop.getRegionIterArgs());
  if (!carried.empty()) {
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, loc, values);
  }
  return SmallVector<Value>(loop.getResults());
}

void PositionWriter::computePosition() {
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  SmallVector<Value> carried;
  if (inRegisters)
    for (OpOperand &operand : op.getDpsInitsMutable()) {
      bool isRead = !reductions.empty() || op.payloadUsesValueFromOperand(&operand);
      // A value that nobody reads still has a type.
      carried.push_back(isRead ? load(operand) : Value());
    }
  for (auto [value, operand] : llvm::zip(carried, op.getDpsInitsMutable()))
    if (!value)
      value = arith::ConstantOp::create(
          b, loc, b.getZeroAttr(getElementTypeOrSelf(operand.get().getType())));
  SmallVector<Value> values = reduce(reductions, carried);
  if (inRegisters)
    for (auto [value, operand] : llvm::zip(values, op.getDpsInitsMutable()))
      store(value, operand);
}

void PositionWriter::run(Workers workers) {
  b.setInsertionPoint(op);
  SmallVector<unsigned> divided = dividedLoops(op);
  bounds = upperBounds(b, op);
  position.assign(bounds.size(), Value());
  for (OpOperand &operand : op.getDpsInitsMutable())
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
      for (unsigned loop = 0; loop < bounds.size(); ++loop)
        if (expr.isFunctionOfDim(loop) && !llvm::is_contained(divided, loop))
          inRegisters = false;
  SmallVector<Value> counts =
      llvm::map_to_vector(divided, [&](unsigned loop) { return bounds[loop]; });
  auto loop = scf::ForOp::create(b, loc, workers.index, product(b, loc, counts), workers.count);
  b.setInsertionPointToStart(loop.getBody());
  for (auto [i, value] : llvm::zip(divided, delinearize(b, loc, loop.getInductionVar(), counts)))
    position[i] = value;
  computePosition();
  b.eraseOp(op);
}

void weft::gpu::distributePositions(RewriterBase &rewriter, linalg::LinalgOp op, Workers workers) {
  OpBuilder::InsertionGuard guard(rewriter);
  PositionWriter(rewriter, op).run(workers);
}

//===----------------------------------------------------------------------===//
// Parallel loops
//===----------------------------------------------------------------------===//

scf::ForOp weft::gpu::distributeIterations(RewriterBase &b, scf::ForallOp loop, Workers workers) {
  OpBuilder::InsertionGuard guard(b);
  Location loc = loop.getLoc();
  b.setInsertionPoint(loop);
  SmallVector<Value> counts = countsOf(b, loop);
  auto result = scf::ForOp::create(b, loc, workers.index, product(b, loc, counts), workers.count);
  b.setInsertionPointToStart(result.getBody());
  SmallVector<Value> positions = delinearize(b, loc, result.getInductionVar(), counts), values;
  for (auto [value, lower, step] :
       llvm::zip(positions, loop.getMixedLowerBound(), loop.getMixedStep())) {
    Value scaled =
        b.createOrFold<arith::MulIOp>(loc, value, getValueOrCreateConstantIndexOp(b, loc, step));
    values.push_back(
        b.createOrFold<arith::AddIOp>(loc, scaled, getValueOrCreateConstantIndexOp(b, loc, lower)));
  }
  b.eraseOp(loop.getTerminator());
  b.inlineBlockBefore(loop.getBody(), result.getBody()->getTerminator(), values);
  b.eraseOp(loop);
  return result;
}

static MemRefType withSpace(MemRefType type, mlir::gpu::AddressSpace space) {
  return MemRefType::get(type.getShape(), type.getElementType(), type.getLayout(),
                         mlir::gpu::AddressSpaceAttr::get(type.getContext(), space));
}

/// Gives the temporary `op` the memory that `function` has for it.
static void placeAt(RewriterBase &rewriter, memref::AllocaOp op, mlir::gpu::GPUFuncOp function,
                    BlockArgument memory) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&function.getBody().front());
  Value generic = memref::MemorySpaceCastOp::create(rewriter, op.getLoc(), op.getType(), memory);
  rewriter.replaceOp(op, generic);
}

LogicalResult weft::gpu::makeSequential(RewriterBase &rewriter, Region &region,
                                        mlir::gpu::GPUFuncOp function) {
  SmallVector<scf::ForallOp> loops;
  region.walk([&](scf::ForallOp loop) { loops.push_back(loop); });
  for (scf::ForallOp loop : loops) {
    rewriter.setInsertionPoint(loop);
    if (failed(scf::forallToForLoop(rewriter, loop)))
      return failure();
  }
  SmallVector<memref::AllocaOp> locals;
  region.walk([&](memref::AllocaOp op) { locals.push_back(op); });
  for (memref::AllocaOp op : locals) {
    if (!op.getDynamicSizes().empty())
      return op.emitOpError("has a size that is not known when a thread starts");
    placeAt(rewriter, op, function,
            function.addPrivateAttribution(
                withSpace(op.getType(), mlir::gpu::AddressSpace::Private), op.getLoc()));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Code that the threads of a block run alike
//===----------------------------------------------------------------------===//

/// Alignment of workgroup memory, in bytes.
static constexpr int64_t kWorkgroupAlignment = 64;

void weft::gpu::shareTemporaries(RewriterBase &rewriter, mlir::gpu::GPUFuncOp function) {
  SmallVector<memref::AllocaOp> locals;
  function.walk([&](memref::AllocaOp op) { locals.push_back(op); });
  for (memref::AllocaOp op : locals) {
    BlockArgument memory = function.addWorkgroupAttribution(
        withSpace(op.getType(), mlir::gpu::AddressSpace::Workgroup), op.getLoc());
    function.setWorkgroupAttributionAttr(
        static_cast<int>(function.getNumWorkgroupAttributions()) - 1,
        LLVM::LLVMDialect::getAlignAttrName(), rewriter.getI64IntegerAttr(kWorkgroupAlignment));
    placeAt(rewriter, op, function, memory);
  }
}

/// A barrier where the builder stands, unless nothing has touched memory since
/// the one before it.
static void createBarrier(OpBuilder &b, Location loc) {
  Block *block = b.getInsertionBlock();
  for (auto it = b.getInsertionPoint(); it != block->begin();) {
    Operation &before = *--it;
    if (isa<mlir::gpu::BarrierOp>(before))
      return;
    if (!isMemoryEffectFree(&before))
      break;
  }
  mlir::gpu::BarrierOp::create(b, loc);
}

/// Whether `op` was a contraction that the threads of a block compute in registers, or is one
/// for matrix instructions, which differ from chip to chip: `weft-gpu-lower-matrix-products`
/// writes these.
static bool isInRegisters(RewriterBase &b, linalg::LinalgOp op, const BlockOptions &options) {
  auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
  if (!generic || options.registerTile.size() != 3)
    return false;
  std::optional<weft::Contraction> contraction = weft::Contraction::match(generic);
  RegisterTile tile{options.registerTile[0], options.registerTile[1], options.registerTile[2]};
  if (!contraction)
    return false;
  if (tile.isMatrix())
    return fitsMatrixInstruction(*contraction) &&
           options.grid.threads == kThreadRows * kThreadColumns;
  return succeeded(distributeContraction(b, *contraction, options.grid, tile));
}

LogicalResult weft::gpu::distributeBlock(RewriterBase &b, Block &block,
                                         const BlockOptions &options) {
  const Grid &grid = options.grid;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    Location loc = op.getLoc();
    b.setInsertionPoint(&op);
    if (isa<linalg::LinalgOp, memref::CopyOp>(op)) {
      auto structured = dyn_cast<linalg::LinalgOp>(op);
      if (auto copy = dyn_cast<memref::CopyOp>(op))
        structured = b.replaceOpWithNewOp<linalg::CopyOp>(copy, copy.getSource(), copy.getTarget());
      b.setInsertionPoint(structured);
      createBarrier(b, loc);
      Workers workers = threadsOfBlock(b, loc, grid);
      Operation *after = structured->getNextNode();
      if (!isInRegisters(b, structured, options) &&
          failed(distributeReduction(b, structured, grid)))
        distributePositions(b, structured, workers);
      b.setInsertionPoint(after);
      createBarrier(b, loc);
      continue;
    }
    if (isa<memref::StoreOp>(op)) {
      createBarrier(b, loc);
      Value zero = arith::ConstantIndexOp::create(b, loc, 0);
      Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                            threadsOfBlock(b, loc, grid).index, zero);
      auto guarded = scf::IfOp::create(b, loc, isFirst, /*withElseRegion=*/false);
      b.moveOpBefore(&op, guarded.thenBlock()->getTerminator());
      b.setInsertionPointAfter(guarded);
      createBarrier(b, loc);
      continue;
    }
    if (auto loop = dyn_cast<scf::ForallOp>(op)) {
      scf::ForOp outer = distributeIterations(
          b, loop,
          {arith::ConstantIndexOp::create(b, loc, 0), arith::ConstantIndexOp::create(b, loc, 1)});
      if (failed(distributeBlock(b, *outer.getBody(), options)))
        return failure();
      continue;
    }
    if (isa<scf::ForOp, scf::WhileOp, scf::IfOp, scf::ExecuteRegionOp, scf::IndexSwitchOp>(op)) {
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          if (failed(distributeBlock(b, inner, options)))
            return failure();
      continue;
    }
    if (!op.hasTrait<OpTrait::IsTerminator>() && !isMemoryEffectFree(&op) &&
        !isa<memref::LoadOp, memref::AllocaOp>(op))
      return op.emitOpError("is not known to be safe for all threads of a block to run");
  }
  return success();
}
