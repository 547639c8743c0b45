//===- LowerKernels.cpp - Kernels get the module ABI ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/ABI.h"
#include "targets/CPU/Passes.h"
#include "targets/CPU/SelectSchedules.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

namespace weft {
#define GEN_PASS_DEF_LOWERCPUKERNELS
#include "targets/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

/// Nanoseconds that an iteration of a parallel loop counts where no schedule
/// says it.
static constexpr int64_t kUnknownItemCost = 5000;

namespace {
/// Lowers one kernel.
class KernelLowering {
public:
  KernelLowering(KernelOp kernel, RewriterBase &rewriter)
      : kernel(kernel), rewriter(rewriter), abi{rewriter, kernel.getLoc()} {}
  LogicalResult run();

private:
  /// Creates `@<name>` with the ABI of a kernel and the i64 arguments `extra`
  /// after it, which calls `@<name>.body`. Returns the body function, whose
  /// arguments are env, buffers, sizes and site as loaded, then one address a
  /// buffer, one i64 a size, then the extra ones; `arguments` are the values
  /// that stand for the kernel's.
  LLVM::LLVMFuncOp createFunction(StringRef name, unsigned extra, bool hidden,
                                  SmallVectorImpl<Value> &arguments);
  LogicalResult outlineParallel(scf::ForallOp loop, unsigned number, LLVM::LLVMFuncOp body);
  void finish(Block &block);
  Type ptr() { return abi.ptr(); }

  KernelOp kernel;
  RewriterBase &rewriter;
  ABIBuilder abi;
  Value kernelStatus; ///< of the parallel loops so far
};
} // namespace

LLVM::LLVMFuncOp KernelLowering::createFunction(StringRef name, unsigned extra, bool hidden,
                                                SmallVectorImpl<Value> &arguments) {
  MLIRContext *context = rewriter.getContext();
  Location loc = kernel.getLoc();
  SmallVector<BlockArgument> formal(kernel.getBody().getArguments());
  SmallVector<Type> abiTypes{ptr(), ptr(), ptr(), abi.i64()};
  abiTypes.append(extra, abi.i64());
  SmallVector<Type> bodyTypes{ptr(), ptr(), ptr(), abi.i64()};
  unsigned buffers = 0, sizes = 0;
  for (BlockArgument argument : formal) {
    if (auto memref = dyn_cast<MemRefType>(argument.getType())) {
      ++buffers;
      sizes += memref.getNumDynamicDims();
    } else {
      ++sizes;
    }
  }
  bodyTypes.append(buffers, ptr());
  bodyTypes.append(sizes + extra, abi.i64());

  auto bodyType = LLVM::LLVMFunctionType::get(abi.i32(), bodyTypes);
  auto body = LLVM::LLVMFuncOp::create(rewriter, loc, (name + ".body").str(), bodyType,
                                       LLVM::Linkage::Internal);
  body.setAlwaysInline(true);
  for (unsigned i = 0; i < buffers; ++i)
    body.setArgAttr(4 + i, LLVM::LLVMDialect::getNoAliasAttrName(), UnitAttr::get(context));

  auto entry = LLVM::LLVMFuncOp::create(rewriter, loc, name,
                                        LLVM::LLVMFunctionType::get(abi.i32(), abiTypes),
                                        hidden ? LLVM::Linkage::Internal : LLVM::Linkage::External);
  if (!hidden)
    entry.setVisibility_(LLVM::Visibility::Hidden);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(entry.addEntryBlock(rewriter));
  SmallVector<Value> operands(entry.getArguments().take_front(4));
  for (unsigned i = 0; i < buffers; ++i)
    operands.push_back(abi.loadElement(entry.getArgument(1), i, ptr()));
  for (unsigned i = 0; i < sizes; ++i)
    operands.push_back(abi.loadElement(entry.getArgument(2), i, abi.i64()));
  llvm::append_range(operands, entry.getArguments().drop_front(4));
  Value status = LLVM::CallOp::create(rewriter, loc, body, operands).getResult();
  LLVM::ReturnOp::create(rewriter, loc, status);

  // The kernel's arguments, from those of the body.
  rewriter.setInsertionPointToStart(body.addEntryBlock(rewriter));
  unsigned nextBuffer = 4, nextSize = 4 + buffers;
  for (BlockArgument argument : formal) {
    auto memref = dyn_cast<MemRefType>(argument.getType());
    if (!memref) {
      arguments.push_back(abi.toIndex(body.getArgument(nextSize++)));
      continue;
    }
    SmallVector<Value> extents;
    for (int64_t i = 0; i < memref.getNumDynamicDims(); ++i)
      extents.push_back(body.getArgument(nextSize++));
    arguments.push_back(abi.memref(memref, body.getArgument(nextBuffer++), extents));
  }
  return body;
}

/// Whether a value can be computed again instead of being passed.
static bool isRepeatable(Operation *op) {
  return isPure(op) || isa<memref::SubViewOp, memref::ViewOp, memref::CastOp,
                           memref::ReinterpretCastOp, memref::ExpandShapeOp,
                           memref::CollapseShapeOp, memref::DimOp>(op);
}

/// Moves an outermost parallel loop to a range function and calls
/// `parallel_for` in its place.
LogicalResult KernelLowering::outlineParallel(scf::ForallOp loop, unsigned number,
                                              LLVM::LLVMFuncOp body) {
  Location loc = loop.getLoc();
  OpBuilder::InsertionGuard guard(rewriter);
  std::string name = (kernel.getSymName() + ".parallel_" + Twine(number)).str();
  rewriter.setInsertionPoint(body);
  SmallVector<Value> arguments;
  LLVM::LLVMFuncOp range = createFunction(name, 3, /*hidden=*/true, arguments);
  Block &block = range.getBody().front();
  Value begin = range.getArguments().drop_back(2).back();
  Value end = range.getArguments().drop_back(1).back();
  Value worker = range.getArguments().back();

  // Compute again what the loop uses.
  IRMapping mapping;
  Block &source = kernel.getBody().front();
  for (auto [from, to] : llvm::zip(source.getArguments(), arguments))
    mapping.map(from, to);
  rewriter.setInsertionPointToEnd(&block);
  std::function<LogicalResult(Value)> repeat = [&](Value value) -> LogicalResult {
    if (mapping.contains(value))
      return success();
    Operation *def = value.getDefiningOp();
    if (!def || def->getNumRegions() != 0 || !isRepeatable(def))
      return loop.emitOpError("in kernel '")
             << kernel.getSymName() << "' uses a value that cannot be computed again: " << value;
    for (Value operand : def->getOperands())
      if (failed(repeat(operand)))
        return failure();
    rewriter.clone(*def, mapping);
    return success();
  };
  llvm::SetVector<Value> captured(loop->operand_begin(), loop->operand_end());
  getUsedValuesDefinedAbove(loop.getRegion(), captured);
  for (Value value : captured)
    if (failed(repeat(value)))
      return failure();

  // The number of iterations of each dimension, here and at the call.
  auto extents = [&](bool inRange) {
    SmallVector<Value> values;
    auto get = [&](OpFoldResult value) -> Value {
      if (auto attribute = dyn_cast<Attribute>(value))
        return arith::ConstantIndexOp::create(rewriter, loc, cast<IntegerAttr>(attribute).getInt());
      Value v = cast<Value>(value);
      return inRange ? mapping.lookup(v) : v;
    };
    for (auto [lower, upper, step] :
         llvm::zip(loop.getMixedLowerBound(), loop.getMixedUpperBound(), loop.getMixedStep())) {
      Value distance = rewriter.createOrFold<arith::SubIOp>(loc, get(upper), get(lower));
      values.push_back(rewriter.createOrFold<arith::CeilDivSIOp>(loc, distance, get(step)));
    }
    return values;
  };
  SmallVector<Value> counts = extents(/*inRange=*/true);
  auto forOp = scf::ForOp::create(rewriter, loc, abi.toIndex(begin), abi.toIndex(end),
                                  arith::ConstantIndexOp::create(rewriter, loc, 1));
  rewriter.setInsertionPointToStart(forOp.getBody());
  Value rest = forOp.getInductionVar();
  SmallVector<Value> positions(counts.size());
  for (int64_t i = static_cast<int64_t>(counts.size()) - 1; i >= 0; --i) {
    if (i == 0) {
      positions[0] = rest;
      break;
    }
    positions[i] = arith::RemUIOp::create(rewriter, loc, rest, counts[i]);
    rest = arith::DivUIOp::create(rewriter, loc, rest, counts[i]);
  }
  for (auto [i, iv] : llvm::enumerate(loop.getInductionVars())) {
    auto value = [&](OpFoldResult v) -> Value {
      if (auto attribute = dyn_cast<Attribute>(v))
        return arith::ConstantIndexOp::create(rewriter, loc, cast<IntegerAttr>(attribute).getInt());
      return mapping.lookup(cast<Value>(v));
    };
    Value scaled = rewriter.createOrFold<arith::MulIOp>(loc, positions[i], value(loop.getMixedStep()[i]));
    mapping.map(iv, rewriter.createOrFold<arith::AddIOp>(loc, scaled, value(loop.getMixedLowerBound()[i])));
  }
  for (Operation &op : loop.getBody()->without_terminator())
    rewriter.clone(op, mapping);
  // Stack memory is taken once, not in every iteration.
  SmallVector<memref::AllocaOp> locals;
  forOp->walk([&](memref::AllocaOp op) { locals.push_back(op); });
  for (memref::AllocaOp op : locals)
    if (op.getDynamicSizes().empty())
      rewriter.moveOpBefore(op, &block, block.begin());
  range->walk([&](WorkerIndexOp op) {
    rewriter.setInsertionPoint(op);
    rewriter.replaceOp(op, abi.toIndex(worker));
  });
  rewriter.setInsertionPointToEnd(&block);
  LLVM::ReturnOp::create(rewriter, loc, abi.constant(abi.i32(), 0));

  // The call, with the estimated nanoseconds of the whole loop.
  ScheduleAttr schedule = kernel.getScheduleAttr();
  int64_t itemCost = schedule && schedule.getCost() > 0 ? schedule.getCost() : kUnknownItemCost;
  rewriter.setInsertionPoint(loop);
  Value count = arith::ConstantIndexOp::create(rewriter, loc, 1);
  for (Value extent : extents(/*inRange=*/false)) {
    Value clamped = arith::MaxSIOp::create(rewriter, loc, extent,
                                           arith::ConstantIndexOp::create(rewriter, loc, 0));
    count = arith::MulIOp::create(rewriter, loc, count, clamped);
  }
  Value count64 = abi.fromIndex(count);
  Value cost = LLVM::MulOp::create(rewriter, loc, count64, abi.constant(abi.i64(), itemCost));
  Value function = LLVM::AddressOfOp::create(rewriter, loc, ptr(), name);
  Value env = body.getArgument(0);
  Value status = abi.callField(env, EnvOffset::ParallelFor, abi.i32(),
                               {env, function, body.getArgument(1), body.getArgument(2),
                                body.getArgument(3), count64, cost});
  // The first failing loop of the kernel gives its status.
  if (kernelStatus) {
    Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne, kernelStatus,
                                        abi.constant(abi.i32(), 0));
    status = LLVM::SelectOp::create(rewriter, loc, failed, kernelStatus, status);
  }
  kernelStatus = status;
  rewriter.eraseOp(loop);
  return success();
}

LogicalResult KernelLowering::run() {
  rewriter.setInsertionPoint(kernel);
  SmallVector<Value> arguments;
  LLVM::LLVMFuncOp body = createFunction(kernel.getSymName(), 0, /*hidden=*/false, arguments);
  Block &source = kernel.getBody().front();

  // Only the outermost loops of a kernel run in parallel.
  SmallVector<scf::ForallOp> loops, nested;
  kernel->walk([&](scf::ForallOp loop) {
    (loop->getParentOp() == kernel.getOperation() ? loops : nested).push_back(loop);
  });
  for (scf::ForallOp loop : nested) {
    rewriter.setInsertionPoint(loop);
    if (failed(scf::forallToForLoop(rewriter, loop)))
      return failure();
  }
  for (auto [i, loop] : llvm::enumerate(loops))
    if (failed(outlineParallel(loop, static_cast<unsigned>(i), body)))
      return failure();

  Block &block = body.getBody().front();
  YieldOp yield = kernel.getYield();
  rewriter.setInsertionPoint(yield);
  LLVM::ReturnOp::create(rewriter, yield.getLoc(),
                         kernelStatus ? kernelStatus : abi.constant(abi.i32(), 0));
  rewriter.eraseOp(yield);
  kernel->walk([&](WorkerIndexOp op) {
    rewriter.setInsertionPoint(op);
    rewriter.replaceOpWithNewOp<arith::ConstantIndexOp>(op, 0);
  });
  rewriter.inlineBlockBefore(&source, &block, block.end(), arguments);
  rewriter.eraseOp(kernel);
  return success();
}

namespace {
struct LowerCPUKernels : weft::impl::LowerCPUKernelsBase<LowerCPUKernels> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<Attribute> order;
    SmallVector<NamedAttribute> fallbacks;
    for (KernelOp kernel : llvm::to_vector(getOperation().getOps<KernelOp>())) {
      order.push_back(kernel.getSymNameAttr());
      if (auto reason = kernel->getAttrOfType<StringAttr>(WeftDialect::fallbackAttrName))
        fallbacks.emplace_back(kernel.getSymNameAttr(), reason);
      if (failed(KernelLowering(kernel, rewriter).run()))
        return signalPassFailure();
    }
    getOperation()->setAttr("weft.kernels", rewriter.getArrayAttr(order));
    getOperation()->setAttr(kFallbackReasonsAttrName, rewriter.getDictionaryAttr(fallbacks));
  }
};
} // namespace
