//===- MapToGPU.cpp - Kernels as device functions -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
#include "targets/GPU/DeviceFunction.h"
#include "targets/GPU/Distribute.h"
#include "targets/GPU/Passes.h"
#include "transforms/Buffer/DeviceWorkers.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace weft {
#define GEN_PASS_DEF_MAPTOGPU
#include "targets/GPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::gpu;
using mlir::gpu::GPUFuncOp;
using mlir::gpu::GPUModuleOp;
using mlir::gpu::KernelDim3;

namespace {
/// Divides one kernel into launches.
class KernelMapper {
public:
  KernelMapper(KernelOp kernel, RewriterBase &b) : kernel(kernel), b(b) {}
  LogicalResult run();
  unsigned countLaunches() const { return launches; }

private:
  LogicalResult createLaunch(const Launch &launch);
  LogicalResult fillFunction(const Launch &launch, GPUFuncOp function, IRMapping &mapping);

  KernelOp kernel;
  RewriterBase &b;
  GPUModuleOp module;
  unsigned launches = 0;
};
} // namespace

//===----------------------------------------------------------------------===//
// Device functions
//===----------------------------------------------------------------------===//

static void replaceWorkerIndices(GPUFuncOp function, Value worker, RewriterBase &b) {
  function.walk([&](WorkerIndexOp op) { b.replaceOp(op, worker); });
}

LogicalResult KernelMapper::fillFunction(const Launch &launch, GPUFuncOp function,
                                         IRMapping &mapping) {
  OpBuilder::InsertionGuard guard(b);
  Block &entry = function.getBody().front();
  b.setInsertionPointToEnd(&entry);
  SmallVector<Operation *> ops;
  for (Operation *op : launch.ops) {
    if (auto copy = dyn_cast<memref::CopyOp>(op))
      ops.push_back(linalg::CopyOp::create(b, op->getLoc(),
                                           mapping.lookupOrDefault(copy.getSource()),
                                           mapping.lookupOrDefault(copy.getTarget())));
    else
      ops.push_back(b.clone(*op, mapping));
  }
  useConstants(b, function, kernel);
  b.setInsertionPointToEnd(&entry);
  Location loc = function.getLoc();
  Grid grid{function.getArgument(0), launch.threads()};
  BlockOptions options{grid};
  if (ScheduleAttr schedule = kernel.getScheduleAttr())
    options.registerTile = schedule.getVector();
  mlir::gpu::ReturnOp::create(b, loc);
  b.setInsertionPoint(ops.front());
  switch (launch.kind) {
  case Launch::Elements:
    distributePositions(b, cast<linalg::LinalgOp>(ops.front()), threadsOfGrid(b, loc, grid));
    break;
  case Launch::Blocks: {
    Workers blocks = blocksOfGrid(b, loc, grid);
    scf::ForOp loop = distributeIterations(b, cast<scf::ForallOp>(ops.front()), blocks);
    replaceWorkerIndices(function, blocks.index, b);
    if (failed(distributeBlock(b, *loop.getBody(), options)))
      return failure();
    shareTemporaries(b, function);
    break;
  }
  case Launch::Threads: {
    Workers threads = threadsOfGrid(b, loc, grid);
    scf::ForOp loop = distributeIterations(b, cast<scf::ForallOp>(ops.front()), threads);
    replaceWorkerIndices(function, threads.index, b);
    if (failed(makeSequential(b, loop.getRegion(), function)))
      return failure();
    break;
  }
  case Launch::OneBlock:
    replaceWorkerIndices(function, arith::ConstantIndexOp::create(b, loc, 0), b);
    if (failed(distributeBlock(b, entry, options)))
      return failure();
    shareTemporaries(b, function);
    break;
  }
  useExtents(b, function);
  return success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

LogicalResult KernelMapper::createLaunch(const Launch &launch) {
  Location loc = launch.ops.front()->getLoc();
  b.setInsertionPoint(launch.ops.back());
  Value blocks = countBlocks(b, launch);
  SmallVector<Value> operands;
  IRMapping mapping;
  GPUFuncOp function =
      createDeviceFunction(b, module, kernel, launches++, launch, blocks, operands, mapping);
  if (failed(fillFunction(launch, function, mapping)))
    return failure();
  int32_t threads = launch.threads();
  function.setKnownBlockSizeAttr(b.getDenseI32ArrayAttr({threads, 1, 1}));
  b.setInsertionPoint(launch.ops.back());
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value size = arith::ConstantIndexOp::create(b, loc, threads);
  mlir::gpu::LaunchFuncOp::create(b, loc, function, KernelDim3{blocks, one, one},
                                  KernelDim3{size, one, one}, /*dynamicSharedMemorySize=*/Value(),
                                  operands);
  return success();
}

LogicalResult KernelMapper::run() {
  for (Type type : kernel.getArgumentTypes())
    if (auto memref = dyn_cast<MemRefType>(type); memref && !memref.getLayout().isIdentity())
      return kernel.emitOpError("has an argument that is not contiguous");
  SmallVector<Launch> found = findLaunches(kernel);
  if (found.empty())
    return success();
  b.setInsertionPoint(kernel);
  module = GPUModuleOp::create(b, kernel.getLoc(), (kernel.getSymName() + "_gpu").str());
  for (const Launch &launch : found)
    if (failed(createLaunch(launch)))
      return failure();
  for (const Launch &launch : llvm::reverse(found))
    for (Operation *op : llvm::reverse(launch.ops))
      b.eraseOp(op);
  // Views that only the device uses.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(kernel.getBody().front())))
    if (isOpTriviallyDead(&op))
      b.eraseOp(&op);
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct MapToGPU : weft::impl::MapToGPUBase<MapToGPU> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    module->setAttr(mlir::gpu::GPUDialect::getContainerModuleAttrName(),
                    UnitAttr::get(&getContext()));
    IRRewriter rewriter(&getContext());
    for (KernelOp kernel : llvm::to_vector(module.getOps<KernelOp>())) {
      if (Operation *op = findHostOnly(kernel)) {
        keepOnHost(kernel, op);
        continue;
      }
      KernelMapper mapper(kernel, rewriter);
      if (failed(mapper.run()))
        return signalPassFailure();
      numLaunches += mapper.countLaunches();
    }
  }

  void keepOnHost(KernelOp kernel, Operation *op) {
    ++numHostKernels;
    std::string reason = ("runs on the host: no device runs " + op->getName().getStringRef()).str();
    kernel->setAttr(WeftDialect::fallbackAttrName, StringAttr::get(&getContext(), reason));
    SmallVector<Location> nodes;
    getOperation().walk([&](DispatchOp dispatch) {
      if (dispatch.getKernelAttr().getAttr() == dispatchedNameOf(kernel))
        nodes.push_back(dispatch.getLoc());
    });
    remark::missed(
        FusedLoc::get(&getContext(), nodes),
        remark::RemarkOpts::name("fallback").category("target").function(kernel.getSymName()))
        << remark::reason("{0}", reason);
  }
};
} // namespace
