//===- HoistScratch.cpp - Takes allocations out of kernels ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Passes.h"
#include "transforms/Buffer/SizeSlice.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace weft {
#define GEN_PASS_DEF_HOISTSCRATCH
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Stack that the temporaries of a kernel may take, in bytes.
static constexpr int64_t kMaxStackBytes = 32 * 1024;

/// Places an alloca where the memory is needed once: at the start of the
/// outermost parallel loop around `op`, or of the kernel.
static Block *scopeOf(Operation *op, KernelOp kernel) {
  Block *scope = &kernel.getBody().front();
  for (Operation *parent = op->getParentOp(); parent != kernel; parent = parent->getParentOp())
    if (auto loop = dyn_cast<scf::ForallOp>(parent))
      scope = loop.getBody();
  return scope;
}

namespace {
/// An allocation that moves to the host, with bounds on its dynamic extents:
/// constants, or values of the kernel computed from its arguments.
struct Scratch {
  memref::AllocOp alloc;
  SmallVector<OpFoldResult> bounds;
  /// Each worker has its own, since it lies in a parallel loop.
  bool isPrivate;
};

struct HoistScratch : weft::impl::HoistScratchBase<HoistScratch> {
  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<DispatchOp>> dispatches;
    getOperation().walk([&](DispatchOp op) {
      dispatches[op.getKernelAttr().getAttr()].push_back(op);
    });
    for (KernelOp kernel : getOperation().getOps<KernelOp>())
      if (failed(runOnKernel(kernel, dispatches[kernel.getSymNameAttr()])))
        return signalPassFailure();
  }

  LogicalResult runOnKernel(KernelOp kernel, ArrayRef<DispatchOp> dispatches);
  std::optional<OpFoldResult> upperBound(KernelOp kernel, Value size);
};
} // namespace

/// A constant that `value`, which is not negative, does not exceed.
static std::optional<int64_t> constantBound(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return constant;
  Operation *def = value.getDefiningOp();
  if (!def)
    return std::nullopt;
  auto operand = [&](unsigned i) { return constantBound(def->getOperand(i)); };
  if (isa<arith::CeilDivUIOp, arith::CeilDivSIOp>(def)) {
    auto x = operand(0), y = getConstantIntValue(def->getOperand(1)) ? operand(1) : std::nullopt;
    return x && y && *y > 0 ? std::optional<int64_t>(llvm::divideCeil(*x, *y)) : std::nullopt;
  }
  if (isa<arith::MulIOp, arith::AddIOp>(def)) {
    auto x = operand(0), y = operand(1);
    int64_t result;
    if (!x || !y || *x < 0 || *y < 0 ||
        (isa<arith::MulIOp>(def) ? __builtin_mul_overflow(*x, *y, &result)
                                 : __builtin_add_overflow(*x, *y, &result)))
      return std::nullopt;
    return result;
  }
  if (isa<arith::MinSIOp, arith::MinUIOp>(def)) {
    auto x = operand(0), y = operand(1);
    return x && y ? std::min(*x, *y) : x ? x : y;
  }
  if (auto min = dyn_cast<affine::AffineMinOp>(def))
    for (AffineExpr result : min.getMap().getResults())
      if (auto constant = dyn_cast<AffineConstantExpr>(result))
        return constant.getValue();
  FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
      presburger::BoundType::UB, {value}, /*stopCondition=*/nullptr,
      {/*closedUB=*/true});
  if (succeeded(bound))
    return *bound;
  return std::nullopt;
}

/// A bound on `size` that the host can compute.
std::optional<OpFoldResult> HoistScratch::upperBound(KernelOp kernel, Value size) {
  auto isArgument = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == &kernel.getBody().front();
  };
  if (isFunctionOf(size, isArgument))
    return OpFoldResult(size);
  if (std::optional<int64_t> bound = constantBound(size))
    return OpFoldResult(IntegerAttr::get(IndexType::get(&getContext()), *bound));
  return std::nullopt;
}

LogicalResult HoistScratch::runOnKernel(KernelOp kernel, ArrayRef<DispatchOp> dispatches) {
  SmallVector<memref::AllocOp> allocs;
  kernel->walk([&](memref::AllocOp op) { allocs.push_back(op); });
  IRRewriter rewriter(&getContext());
  int64_t stack = 0;
  SmallVector<Scratch> scratch;
  bool isParallel = kernel->walk([](scf::ForallOp) { return WalkResult::interrupt(); })
                        .wasInterrupted();
  for (memref::AllocOp alloc : allocs) {
    MemRefType type = alloc.getType();
    std::optional<int64_t> factor = staticFactor(type);
    if (!factor)
      return alloc.emitOpError("in kernel '") << kernel.getSymName() << "' is too large";
    // What parallel loops share cannot lie on one worker's stack.
    bool onStack = !isParallel || scopeOf(alloc, kernel) != &kernel.getBody().front();
    if (onStack && type.hasStaticShape()) {
      int64_t bytes = llvm::alignTo(*factor, kAlignment);
      if (stack + bytes <= kMaxStackBytes) {
        stack += bytes;
        rewriter.setInsertionPointToStart(scopeOf(alloc, kernel));
        auto local = memref::AllocaOp::create(rewriter, alloc.getLoc(), type,
                                              rewriter.getI64IntegerAttr(kAlignment));
        rewriter.replaceOp(alloc, local.getResult());
        continue;
      }
    }
    Scratch entry{alloc, {}, alloc->getParentOfType<scf::ForallOp>() != nullptr};
    for (Value size : alloc.getDynamicSizes()) {
      std::optional<OpFoldResult> bound = upperBound(kernel, size);
      if (!bound)
        return alloc.emitOpError("in kernel '")
               << kernel.getSymName() << "' has a size that the host cannot bound";
      entry.bounds.push_back(*bound);
    }
    int64_t bytes = *factor;
    bool bounded = true;
    for (OpFoldResult bound : entry.bounds) {
      std::optional<int64_t> extent = getConstantIntValue(bound);
      bounded &= extent && !__builtin_mul_overflow(bytes, *extent, &bytes);
    }
    if (onStack && bounded && stack + bytes <= kMaxStackBytes) {
      bytes = llvm::alignTo(std::max<int64_t>(bytes, 1), kAlignment);
      stack += bytes;
      rewriter.setInsertionPointToStart(scopeOf(alloc, kernel));
      auto local = memref::AllocaOp::create(
          rewriter, alloc.getLoc(), MemRefType::get({bytes}, rewriter.getI8Type()),
          rewriter.getI64IntegerAttr(kAlignment));
      rewriter.setInsertionPoint(alloc);
      Value zero = arith::ConstantIndexOp::create(rewriter, alloc.getLoc(), 0);
      rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, type, local, zero,
                                                  alloc.getDynamicSizes());
      continue;
    }
    scratch.push_back(std::move(entry));
  }
  kernel->walk([&](memref::DeallocOp op) { rewriter.eraseOp(op); });
  if (scratch.empty())
    return success();

  // The kernel takes bytes, and for each temporary its offset: what is shared
  // comes first, then the part of the first worker.
  llvm::stable_sort(scratch, [](const Scratch &a, const Scratch &b) { return a.isPrivate < b.isPrivate; });
  Block &body = kernel.getBody().front();
  Location loc = kernel.getLoc();
  Type index = rewriter.getIndexType();
  auto bytesType = MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type());
  unsigned count = 0;
  while (count < body.getNumArguments() && body.getArgument(count).getType().isIndex())
    ++count;
  // Index arguments: the offsets, then the size of a worker's part.
  SmallVector<Value> offsets;
  for (size_t i = 0; i <= scratch.size(); ++i)
    offsets.push_back(body.insertArgument(count + i, index, loc));
  Value bytes = body.addArgument(bytesType, loc);
  kernel.setFunctionType(rewriter.getFunctionType(body.getArgumentTypes(), {}));
  kernel.setOuts(kernel.getOuts() + 1);

  unsigned firstShaped = count + scratch.size() + 1;
  for (DispatchOp dispatch : dispatches) {
    rewriter.setInsertionPoint(dispatch);
    Location at = dispatch.getLoc();
    IRMapping mapping;
    for (unsigned i = 0; i < count; ++i)
      mapping.map(body.getArgument(i), dispatch.getSizes()[i]);
    SmallVector<Value> shaped(dispatch.getInputs());
    llvm::append_range(shaped, dispatch.getOuts());
    for (auto [i, value] : llvm::enumerate(shaped))
      mapping.map(body.getArgument(firstShaped + i), value);
    SmallVector<Value> sizes(dispatch.getSizes());
    Value offset = arith::ConstantIndexOp::create(rewriter, at, 0), shared;
    for (Scratch &entry : scratch) {
      if (entry.isPrivate && !shared)
        shared = offset;
      sizes.push_back(offset);
      MemRefType type = entry.alloc.getType();
      Value size = arith::ConstantIndexOp::create(rewriter, at, *staticFactor(type));
      for (OpFoldResult bound : entry.bounds) {
        Value extent = isa<Attribute>(bound)
                           ? Value(arith::ConstantIndexOp::create(
                                 rewriter, at, cast<IntegerAttr>(cast<Attribute>(bound)).getInt()))
                           : cloneFunctionOf(rewriter, cast<Value>(bound), mapping);
        size = multiplySizes(rewriter, at, size, extent);
      }
      // Rounded up to whole cache lines.
      Value mask = arith::ConstantIndexOp::create(rewriter, at, -kAlignment);
      Value bias = arith::ConstantIndexOp::create(rewriter, at, kAlignment - 1);
      size = arith::AndIOp::create(rewriter, at, arith::AddIOp::create(rewriter, at, size, bias), mask);
      offset = addSizes(rewriter, at, offset, size);
    }
    Value part = arith::ConstantIndexOp::create(rewriter, at, 0), total = offset;
    if (shared) {
      part = arith::SubIOp::create(rewriter, at, offset, shared);
      Value workers = MaxWorkersOp::create(rewriter, at, index);
      total = addSizes(rewriter, at, shared, multiplySizes(rewriter, at, part, workers));
    }
    sizes.push_back(part);
    auto memory = memref::AllocOp::create(rewriter, at, bytesType, total,
                                          rewriter.getI64IntegerAttr(kAlignment));
    rewriter.modifyOpInPlace(dispatch, [&] {
      dispatch.getSizesMutable().assign(sizes);
      dispatch.getOutsMutable().append(memory.getResult());
    });
  }

  for (auto [i, entry] : llvm::enumerate(scratch)) {
    memref::AllocOp alloc = entry.alloc;
    rewriter.setInsertionPoint(alloc);
    Location at = alloc.getLoc();
    Value offset = offsets[i];
    if (entry.isPrivate) {
      Value worker = WorkerIndexOp::create(rewriter, at, index);
      Value base = arith::MulIOp::create(rewriter, at, worker, offsets.back());
      offset = arith::AddIOp::create(rewriter, at, base, offset);
    }
    rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, alloc.getType(), bytes, offset,
                                                alloc.getDynamicSizes());
  }
  return success();
}
