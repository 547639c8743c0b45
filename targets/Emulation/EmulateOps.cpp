//===- EmulateOps.cpp - The gpu dialect as calls of the scheduler ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/Emulation/EmulateOps.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Utils/GPUUtils.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;
using namespace weft::emulation;

Value ThreadLowering::field(Location loc, int32_t offset) {
  ABIBuilder abi = at(loc);
  return abi.toIndex(abi.loadField(thread, offset, abi.i64()));
}

Value ThreadLowering::index(Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

void ThreadLowering::failIf(Location loc, Value bad, Value index, Value size) {
  auto branch = scf::IfOp::create(b, loc, bad, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  ABIBuilder abi = at(loc);
  abi.callProcedure(thread, ThreadOffset::OutOfBounds,
                    {thread, abi.fromIndex(index), abi.fromIndex(size)});
}

//===----------------------------------------------------------------------===//
// Operations of a subgroup
//===----------------------------------------------------------------------===//

/// Bytes of a value of `type`.
static int64_t bytesOf(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  int64_t bits = vector ? vector.getNumElements() * vector.getElementTypeBitWidth()
                        : type.getIntOrFloatBitWidth();
  return llvm::divideCeil(bits, 8);
}

/// Gives `values`, one after the other, to `width` lanes; the address of what lanes gave.
Value ThreadLowering::exchange(Location loc, ValueRange values, Value width) {
  ABIBuilder abi = at(loc);
  Value slot;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    slot = LLVM::AllocaOp::create(b, loc, abi.ptr(), b.getI8Type(),
                                  abi.constant(abi.i64(), WEFT_EMULATED_SLOT), /*alignment=*/64);
  }
  int64_t bytes = 0;
  for (Value value : values) {
    if (value.getType().isIndex())
      value = abi.fromIndex(value);
    Value address = LLVM::GEPOp::create(b, loc, abi.ptr(), b.getI8Type(), slot,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
    LLVM::StoreOp::create(b, loc, value, address, /*alignment=*/1);
    bytes += bytesOf(value.getType());
  }
  return abi.callField(thread, ThreadOffset::Exchange, abi.ptr(),
                       {thread, abi.constant(abi.i64(), ++points), slot,
                        abi.constant(abi.i64(), bytes), abi.fromIndex(width)});
}

/// What lane `lane` (index) gave.
Value ThreadLowering::valueOfLane(Location loc, Value slots, Value lane, Type type) {
  ABIBuilder abi = at(loc);
  Value offset =
      LLVM::MulOp::create(b, loc, abi.fromIndex(lane), abi.constant(abi.i64(), WEFT_EMULATED_SLOT));
  Value address =
      LLVM::GEPOp::create(b, loc, abi.ptr(), b.getI8Type(), slots, ArrayRef<LLVM::GEPArg>{offset});
  if (type.isIndex())
    return abi.toIndex(LLVM::LoadOp::create(b, loc, abi.i64(), address));
  return LLVM::LoadOp::create(b, loc, type, address);
}

/// What lane `lane` of `width` lanes has as `value` if it is `valid`, else the own one.
Value ThreadLowering::selectLane(Location loc, Value value, Value width, Value lane, Value valid) {
  Value slots = exchange(loc, value, width);
  Value own = field(loc, ThreadOffset::Lane);
  Value source = arith::SelectOp::create(b, loc, valid, lane, own);
  return valueOfLane(loc, slots, source, value.getType());
}

void ThreadLowering::lowerShuffle(Operation *op) {
  auto shuffle = cast<mlir::gpu::ShuffleOp>(op);
  Location loc = op->getLoc();
  Value lane = field(loc, ThreadOffset::Lane), lanes = field(loc, ThreadOffset::Lanes);
  Type indexType = b.getIndexType();
  Value offset = arith::IndexCastUIOp::create(b, loc, indexType, shuffle.getOffset());
  Value width = arith::IndexCastUIOp::create(b, loc, indexType, shuffle.getWidth());
  // Subgroups are divided into ranges of `width` lanes, a power of two.
  Value mask = arith::SubIOp::create(b, loc, width, index(loc, 1));
  Value within = arith::AndIOp::create(b, loc, lane, mask);
  Value begin = arith::SubIOp::create(b, loc, lane, within);
  Value source;
  switch (shuffle.getMode()) {
  case mlir::gpu::ShuffleMode::XOR:
    source = arith::XOrIOp::create(b, loc, lane, offset);
    break;
  case mlir::gpu::ShuffleMode::UP:
    source = arith::SubIOp::create(b, loc, lane, offset);
    break;
  case mlir::gpu::ShuffleMode::DOWN:
    source = arith::AddIOp::create(b, loc, lane, offset);
    break;
  case mlir::gpu::ShuffleMode::IDX:
    source = arith::AddIOp::create(b, loc, begin, arith::AndIOp::create(b, loc, offset, mask));
    break;
  }
  Value end = arith::AddIOp::create(b, loc, begin, width);
  end = arith::MinSIOp::create(b, loc, end, lanes);
  Value above = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, source, begin);
  Value below = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, source, end);
  Value valid = arith::AndIOp::create(b, loc, above, below);
  b.replaceOp(op, {selectLane(loc, shuffle.getValue(), width, source, valid), valid});
}

void ThreadLowering::lowerRotation(Operation *op) {
  auto rotate = cast<mlir::gpu::RotateOp>(op);
  Location loc = op->getLoc();
  Value lane = field(loc, ThreadOffset::Lane), lanes = field(loc, ThreadOffset::Lanes);
  int64_t width = rotate.getWidth();
  Value mask = index(loc, width - 1);
  Value moved = arith::AddIOp::create(b, loc, lane, index(loc, rotate.getOffset()));
  Value within = arith::AndIOp::create(b, loc, moved, mask);
  Value begin = arith::SubIOp::create(b, loc, lane, arith::AndIOp::create(b, loc, lane, mask));
  Value source = arith::AddIOp::create(b, loc, begin, within);
  Value exists = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, source, lanes);
  Value valid = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lane, index(loc, width));
  b.replaceOp(op, {selectLane(loc, rotate.getValue(), index(loc, width), source, exists), valid});
}

void ThreadLowering::lowerBroadcast(Operation *op) {
  auto broadcast = cast<mlir::gpu::SubgroupBroadcastOp>(op);
  Location loc = op->getLoc();
  // All lanes that there are take part, so that the first active one is lane 0.
  Value source =
      broadcast.getLane()
          ? Value(arith::IndexCastUIOp::create(b, loc, b.getIndexType(), broadcast.getLane()))
          : index(loc, 0);
  Value exists = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, source,
                                       field(loc, ThreadOffset::Lanes));
  b.replaceOp(op, selectLane(loc, broadcast.getSrc(), field(loc, ThreadOffset::SubgroupSize),
                             source, exists));
}

/// Combines the values of a cluster in the order of its lanes; of lanes that do
/// not exist there are none.
LogicalResult ThreadLowering::lowerReduction(Operation *op) {
  auto reduce = cast<mlir::gpu::SubgroupReduceOp>(op);
  Location loc = op->getLoc();
  Type type = reduce.getType();
  vector::CombiningKind kind = mlir::gpu::convertReductionKind(reduce.getOp());
  Value lane = field(loc, ThreadOffset::Lane), lanes = field(loc, ThreadOffset::Lanes);
  Value first = index(loc, 0), stride = index(loc, reduce.getClusterStride()), end = lanes;
  if (std::optional<uint32_t> size = reduce.getClusterSize()) {
    // Lane l is in the cluster of l modulo the stride, among stride * size lanes.
    int64_t step = reduce.getClusterStride(), span = step * *size;
    Value begin = arith::MulIOp::create(
        b, loc, arith::DivUIOp::create(b, loc, lane, index(loc, span)), index(loc, span));
    first = arith::AddIOp::create(b, loc, begin,
                                  arith::RemUIOp::create(b, loc, lane, index(loc, step)));
    end = arith::AddIOp::create(b, loc, begin, index(loc, span));
    end = arith::MinSIOp::create(b, loc, end, lanes);
  }
  Value slots = exchange(loc, reduce.getValue(), field(loc, ThreadOffset::SubgroupSize));
  Value start = valueOfLane(loc, slots, first, type);
  Value second = arith::AddIOp::create(b, loc, first, stride);
  auto loop = scf::ForOp::create(b, loc, second, end, stride, start);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value next = valueOfLane(loc, slots, loop.getInductionVar(), type);
    Value combined = vector::makeArithReduction(b, loc, kind, loop.getRegionIterArg(0), next);
    scf::YieldOp::create(b, loc, combined);
  }
  b.replaceOp(op, loop.getResult(0));
  return success();
}

//===----------------------------------------------------------------------===//
// All of them
//===----------------------------------------------------------------------===//

static int32_t dimension(mlir::gpu::Dimension dimension) {
  return 8 * static_cast<int32_t>(dimension);
}

LogicalResult ThreadLowering::lower(Operation *op) {
  Location loc = op->getLoc();
  b.setInsertionPoint(op);
  if (auto id = dyn_cast<mlir::gpu::ThreadIdOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::ThreadId + dimension(id.getDimension())));
  } else if (auto id = dyn_cast<mlir::gpu::BlockIdOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::BlockId + dimension(id.getDimension())));
  } else if (auto dim = dyn_cast<mlir::gpu::BlockDimOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::BlockDim + dimension(dim.getDimension())));
  } else if (auto dim = dyn_cast<mlir::gpu::GridDimOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::GridDim + dimension(dim.getDimension())));
  } else if (auto id = dyn_cast<mlir::gpu::GlobalIdOp>(op)) {
    int32_t at = dimension(id.getDimension());
    Value first = arith::MulIOp::create(b, loc, field(loc, ThreadOffset::BlockId + at),
                                        field(loc, ThreadOffset::BlockDim + at));
    b.replaceOpWithNewOp<arith::AddIOp>(op, first, field(loc, ThreadOffset::ThreadId + at));
  } else if (isa<mlir::gpu::LaneIdOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::Lane));
  } else if (isa<mlir::gpu::SubgroupIdOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::Subgroup));
  } else if (isa<mlir::gpu::SubgroupSizeOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::SubgroupSize));
  } else if (isa<mlir::gpu::NumSubgroupsOp>(op)) {
    b.replaceOp(op, field(loc, ThreadOffset::SubgroupCount));
  } else if (isa<mlir::gpu::BarrierOp>(op)) {
    ABIBuilder abi = at(loc);
    abi.callProcedure(thread, ThreadOffset::Barrier, {thread, abi.constant(abi.i64(), ++points)});
    b.eraseOp(op);
  } else if (isa<mlir::gpu::ShuffleOp>(op)) {
    lowerShuffle(op);
  } else if (isa<mlir::gpu::RotateOp>(op)) {
    lowerRotation(op);
  } else if (isa<mlir::gpu::SubgroupBroadcastOp>(op)) {
    lowerBroadcast(op);
  } else if (isa<mlir::gpu::SubgroupReduceOp>(op)) {
    return lowerReduction(op);
  } else if (isa<NVVM::NVVMDialect, ROCDL::ROCDLDialect>(op->getDialect())) {
    return lowerMatrix(op);
  } else if (isa<mlir::gpu::ReturnOp>(op)) {
    b.replaceOpWithNewOp<LLVM::ReturnOp>(op, ValueRange());
  } else {
    return op->emitOpError("cannot be emulated");
  }
  return success();
}

LogicalResult ThreadLowering::run() {
  SmallVector<Operation *> operations;
  function.walk([&](Operation *op) {
    if (isa<mlir::gpu::GPUDialect, NVVM::NVVMDialect, ROCDL::ROCDLDialect>(op->getDialect()))
      operations.push_back(op);
  });
  for (Operation *op : operations)
    if (failed(lower(op)))
      return failure();
  return success();
}
