//===- Launches.cpp - What one launch of a kernel computes ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Launches.h"
#include "targets/GPU/Distribute.h"
#include "targets/GPU/DistributeReduction.h"
#include "transforms/Buffer/DeviceWorkers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

/// Threads of a block that divide operations, and of one whose threads each run
/// iterations alone.
static constexpr int32_t kBlockThreads = 256, kLoneThreads = 64;

/// Blocks of a grid; their threads go on with what lies a grid further.
static constexpr int64_t kMaxBlocks = 1 << 16;

int32_t Launch::threads() const { return kind == Threads ? kLoneThreads : kBlockThreads; }

//===----------------------------------------------------------------------===//
// Which operations make a launch
//===----------------------------------------------------------------------===//

bool weft::gpu::isView(Operation *op) {
  return isa<memref::SubViewOp, memref::ViewOp, memref::CastOp, memref::ReinterpretCastOp,
             memref::ExpandShapeOp, memref::CollapseShapeOp, memref::GetGlobalOp,
             memref::TransposeOp>(op);
}

/// Whether the host, which sees no memory, can run `op`.
static bool isHostOp(Operation *op) {
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) && !isView(op);
}

/// The operations of `block` around those that `op` uses values of.
static void forEachDefinition(Operation *op, Block &block,
                              llvm::function_ref<void(Operation *)> visit) {
  auto visitValue = [&](Value value) {
    if (Operation *definition = value.getDefiningOp())
      if (definition->getBlock() == &block)
        visit(definition);
  };
  llvm::for_each(op->getOperands(), visitValue);
  llvm::SetVector<Value> above;
  for (Region &region : op->getRegions())
    getUsedValuesDefinedAbove(region, above);
  llvm::for_each(above, visitValue);
}

static Launch::Kind kindOf(ArrayRef<Operation *> ops) {
  if (ops.size() != 1)
    return Launch::OneBlock;
  if (auto op = dyn_cast<linalg::LinalgOp>(ops.front()))
    return isBlockReduction(op) ? Launch::OneBlock : Launch::Elements;
  if (isa<memref::CopyOp>(ops.front()))
    return Launch::Elements;
  if (auto loop = dyn_cast<scf::ForallOp>(ops.front()))
    return isBlockLoop(loop) ? Launch::Blocks : Launch::Threads;
  return Launch::OneBlock;
}

SmallVector<Launch> weft::gpu::findLaunches(KernelOp kernel) {
  Block &body = kernel.getBody().front();
  SmallVector<Operation *> ops;
  DenseMap<Operation *, size_t> numbers;
  for (Operation &op : body.without_terminator()) {
    numbers[&op] = ops.size();
    ops.push_back(&op);
  }
  // What only the device knows: what memory operations give, and what is computed
  // from that.
  SmallVector<bool> onDevice(ops.size(), false);
  // The launch that an operation is in begins no later than this.
  SmallVector<size_t> first(ops.size());
  for (auto [i, op] : llvm::enumerate(ops)) {
    first[i] = i;
    onDevice[i] = !isHostOp(op) && !isView(op);
    forEachDefinition(op, body, [&](Operation *definition) {
      size_t number = numbers[definition];
      if (!onDevice[number])
        return;
      onDevice[i] = true;
      first[i] = std::min(first[i], first[number]);
    });
  }
  // Ranges that overlap are one launch.
  SmallVector<std::pair<size_t, size_t>> ranges;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!onDevice[i])
      continue;
    size_t begin = first[i];
    while (!ranges.empty() && ranges.back().second >= begin) {
      begin = std::min(begin, ranges.back().first);
      ranges.pop_back();
    }
    ranges.emplace_back(begin, i);
  }
  SmallVector<Launch> result;
  for (auto [begin, end] : ranges) {
    Launch launch;
    for (size_t i = begin; i <= end; ++i)
      if (onDevice[i])
        launch.ops.push_back(ops[i]);
    launch.kind = kindOf(launch.ops);
    result.push_back(std::move(launch));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Its grid
//===----------------------------------------------------------------------===//

static bool usesWorkerIndex(const Launch &launch) {
  return llvm::any_of(launch.ops, [](Operation *op) {
    return op->walk([](WorkerIndexOp) { return WalkResult::interrupt(); }).wasInterrupted();
  });
}

Value weft::gpu::countBlocks(OpBuilder &b, const Launch &launch) {
  Location loc = launch.ops.front()->getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  int64_t threads = launch.threads();
  int64_t most = kMaxBlocks;
  if (usesWorkerIndex(launch))
    most = launch.kind == Launch::Threads ? kDeviceWorkers / threads : kDeviceWorkers;
  Value count;
  switch (launch.kind) {
  case Launch::OneBlock:
    return constant(1);
  case Launch::Elements: {
    auto op = dyn_cast<linalg::LinalgOp>(launch.ops.front());
    if (!op) {
      auto copy = cast<memref::CopyOp>(launch.ops.front());
      count = constant(1);
      auto type = cast<MemRefType>(copy.getTarget().getType());
      for (int64_t i = 0; i < type.getRank(); ++i)
        count = b.createOrFold<arith::MulIOp>(
            loc, count, b.createOrFold<memref::DimOp>(loc, copy.getTarget(), i));
    } else {
      count = countPositions(b, op);
    }
    count = b.createOrFold<arith::CeilDivSIOp>(loc, count, constant(threads));
    break;
  }
  case Launch::Blocks:
    count = countIterations(b, cast<scf::ForallOp>(launch.ops.front()));
    break;
  case Launch::Threads:
    count = countIterations(b, cast<scf::ForallOp>(launch.ops.front()));
    count = b.createOrFold<arith::CeilDivSIOp>(loc, count, constant(threads));
    break;
  }
  return b.createOrFold<arith::MinSIOp>(loc, count, constant(most));
}
