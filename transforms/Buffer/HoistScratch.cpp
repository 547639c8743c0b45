//===- HoistScratch.cpp - Takes allocations out of kernels ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
#include "transforms/Buffer/DeviceWorkers.h"
#include "transforms/Buffer/Passes.h"
#include "transforms/Buffer/SizeSlice.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "llvm/ADT/MapVector.h"

namespace weft {
#define GEN_PASS_DEF_HOISTSCRATCH
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Stack that the temporaries of a kernel may take, in bytes.
static constexpr int64_t kMaxStackBytes = 32 * 1024;

/// The same of a device's kernel whose parallel loops each thread runs alone.
static constexpr int64_t kMaxThreadBytes = 1024;

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
  using HoistScratchBase::HoistScratchBase;
  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<DispatchOp>> dispatches;
    getOperation().walk(
        [&](DispatchOp op) { dispatches[op.getKernelAttr().getAttr()].push_back(op); });
    llvm::MapVector<StringAttr, SmallVector<KernelOp>> variants;
    for (KernelOp kernel : getOperation().getOps<KernelOp>())
      variants[dispatchedNameOf(kernel)].push_back(kernel);
    for (auto &[name, kernels] : variants)
      if (failed(runOnVariants(kernels, dispatches[name])))
        return signalPassFailure();
  }

  LogicalResult collect(KernelOp kernel, SmallVectorImpl<Scratch> &scratch);
  LogicalResult runOnVariants(MutableArrayRef<KernelOp> kernels, ArrayRef<DispatchOp> dispatches);
  std::optional<OpFoldResult> upperBound(KernelOp kernel, Value size);
  /// The device's workers for `kernel`; 0: it runs on the host.
  int64_t workersOf(KernelOp kernel) { return findHostOnly(kernel) ? 0 : deviceWorkers; }
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
      /*closedUB=*/true);
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

/// Puts what is small on the stack and lists the other allocations.
LogicalResult HoistScratch::collect(KernelOp kernel, SmallVectorImpl<Scratch> &scratch) {
  SmallVector<memref::AllocOp> allocs;
  kernel->walk([&](memref::AllocOp op) { allocs.push_back(op); });
  IRRewriter rewriter(&getContext());
  int64_t stack = 0;
  int64_t maxStack = kMaxStackBytes;
  bool onDevice = workersOf(kernel) > 0;
  if (onDevice && !kernel
                       ->walk([](scf::ForallOp loop) {
                         return isBlockLoop(loop) ? WalkResult::interrupt() : WalkResult::advance();
                       })
                       .wasInterrupted())
    maxStack = kMaxThreadBytes;
  bool isParallel =
      onDevice ||
      kernel->walk([](scf::ForallOp) { return WalkResult::interrupt(); }).wasInterrupted();
  for (memref::AllocOp alloc : allocs) {
    MemRefType type = alloc.getType();
    std::optional<int64_t> factor = staticFactor(type);
    if (!factor)
      return alloc.emitOpError("in kernel '") << kernel.getSymName() << "' is too large";
    // What parallel loops share cannot lie on one worker's stack.
    bool onStack = !isParallel || scopeOf(alloc, kernel) != &kernel.getBody().front();
    if (onStack && type.hasStaticShape()) {
      int64_t bytes = llvm::alignTo(*factor, kAlignment);
      if (stack + bytes <= maxStack) {
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
    if (onStack && bounded && stack + bytes <= maxStack) {
      bytes = llvm::alignTo(std::max<int64_t>(bytes, 1), kAlignment);
      stack += bytes;
      rewriter.setInsertionPointToStart(scopeOf(alloc, kernel));
      auto local = memref::AllocaOp::create(rewriter, alloc.getLoc(),
                                            MemRefType::get({bytes}, rewriter.getI8Type()),
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
  // What is shared comes first, then the part of the first worker.
  llvm::stable_sort(scratch,
                    [](const Scratch &a, const Scratch &b) { return a.isPrivate < b.isPrivate; });
  return success();
}

/// Gives a kernel whose first arguments are `indices` index values the arguments
/// for scratch memory: `offsets` of temporaries in a worker's part, the size of a
/// part, and bytes.
static void addScratchArguments(KernelOp kernel, unsigned indices, unsigned offsets) {
  Block &body = kernel.getBody().front();
  Builder b(kernel.getContext());
  for (unsigned i = 0; i <= offsets; ++i)
    body.insertArgument(indices + i, b.getIndexType(), kernel.getLoc());
  body.addArgument(MemRefType::get({ShapedType::kDynamic}, b.getI8Type()), kernel.getLoc());
  kernel.setFunctionType(b.getFunctionType(body.getArgumentTypes(), {}));
  kernel.setOuts(kernel.getOuts() + 1);
}

namespace {
/// Bytes that the temporaries of a kernel take.
struct ScratchSize {
  Value shared; ///< by all workers
  Value part;   ///< each worker's
};
} // namespace

/// Computes at a dispatch, whose values are in `mapping`, where each temporary
/// lies, for the first worker.
static ScratchSize computeOffsets(OpBuilder &b, Location loc, ArrayRef<Scratch> scratch,
                                  IRMapping &mapping, SmallVectorImpl<Value> &offsets) {
  Value offset = arith::ConstantIndexOp::create(b, loc, 0), shared;
  for (const Scratch &entry : scratch) {
    if (entry.isPrivate && !shared)
      shared = offset;
    offsets.push_back(offset);
    memref::AllocOp alloc = entry.alloc;
    Value size = arith::ConstantIndexOp::create(b, loc, *staticFactor(alloc.getType()));
    for (OpFoldResult bound : entry.bounds) {
      Value extent = isa<Attribute>(bound)
                         ? Value(arith::ConstantIndexOp::create(
                               b, loc, cast<IntegerAttr>(cast<Attribute>(bound)).getInt()))
                         : cloneFunctionOf(b, cast<Value>(bound), mapping);
      size = multiplySizes(b, loc, size, extent);
    }
    // Rounded up to whole cache lines.
    Value mask = arith::ConstantIndexOp::create(b, loc, -kAlignment);
    Value bias = arith::ConstantIndexOp::create(b, loc, kAlignment - 1);
    size = arith::AndIOp::create(b, loc, arith::AddIOp::create(b, loc, size, bias), mask);
    offset = addSizes(b, loc, offset, size);
  }
  if (!shared)
    return {offset, arith::ConstantIndexOp::create(b, loc, 0)};
  return {shared, arith::SubIOp::create(b, loc, offset, shared)};
}

/// Makes `scratch` views of a kernel's last argument, at the offsets that its
/// arguments from `firstOffset` on give.
static void useScratchArguments(KernelOp kernel, ArrayRef<Scratch> scratch, unsigned firstOffset,
                                Value partSize) {
  Block &body = kernel.getBody().front();
  IRRewriter rewriter(kernel.getContext());
  for (auto [i, entry] : llvm::enumerate(scratch)) {
    memref::AllocOp alloc = entry.alloc;
    rewriter.setInsertionPoint(alloc);
    Location at = alloc.getLoc();
    Value offset = body.getArgument(firstOffset + static_cast<unsigned>(i));
    if (entry.isPrivate) {
      Value worker = WorkerIndexOp::create(rewriter, at, rewriter.getIndexType());
      Value base = arith::MulIOp::create(rewriter, at, worker, partSize);
      offset = arith::AddIOp::create(rewriter, at, base, offset);
    }
    rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, alloc.getType(), body.getArguments().back(),
                                                offset, alloc.getDynamicSizes());
  }
}

/// Moves the temporaries of the variants of one kernel to the host. The host
/// passes the same to all of them: the offsets of each variant's temporaries, one
/// variant after the other, and memory for the one that needs most.
LogicalResult HoistScratch::runOnVariants(MutableArrayRef<KernelOp> kernels,
                                          ArrayRef<DispatchOp> dispatches) {
  KernelOp first = kernels.front();
  SmallVector<SmallVector<Scratch>> scratch(kernels.size());
  unsigned total = 0;
  bool hasPrivate = false;
  for (auto [kernel, list] : llvm::zip(kernels, scratch)) {
    if (kernel.getArgumentTypes() != first.getArgumentTypes() ||
        kernel.getOuts() != first.getOuts())
      return kernel.emitOpError("does not take what '") << first.getSymName() << "' takes";
    if (failed(collect(kernel, list)))
      return failure();
    total += static_cast<unsigned>(list.size());
    hasPrivate |= llvm::any_of(list, [](const Scratch &entry) { return entry.isPrivate; });
  }
  if (total == 0)
    return success();

  unsigned count = 0;
  while (count < first.getArgumentTypes().size() && first.getArgumentTypes()[count].isIndex())
    ++count;
  for (KernelOp kernel : kernels)
    addScratchArguments(kernel, count, total);

  IRRewriter rewriter(&getContext());
  unsigned firstShaped = count + total + 1;
  for (DispatchOp dispatch : dispatches) {
    rewriter.setInsertionPoint(dispatch);
    Location at = dispatch.getLoc();
    SmallVector<Value> shaped(dispatch.getInputs()), sizes(dispatch.getSizes());
    llvm::append_range(shaped, dispatch.getOuts());
    Value shared, part;
    auto largest = [&](Value a, Value b) {
      return a ? Value(arith::MaxSIOp::create(rewriter, at, a, b)) : b;
    };
    for (auto [kernel, list] : llvm::zip(kernels, scratch)) {
      Block &body = kernel.getBody().front();
      IRMapping mapping;
      for (unsigned i = 0; i < count; ++i)
        mapping.map(body.getArgument(i), dispatch.getSizes()[i]);
      for (auto [i, value] : llvm::enumerate(shaped))
        mapping.map(body.getArgument(firstShaped + i), value);
      ScratchSize size = computeOffsets(rewriter, at, list, mapping, sizes);
      shared = largest(shared, size.shared);
      part = largest(part, size.part);
    }
    sizes.push_back(part);
    Value bytes = shared;
    if (hasPrivate) {
      int64_t onDevice = workersOf(first);
      Value workers = onDevice > 0
                          ? Value(arith::ConstantIndexOp::create(rewriter, at, onDevice))
                          : Value(MaxWorkersOp::create(rewriter, at, rewriter.getIndexType()));
      bytes = addSizes(rewriter, at, shared, multiplySizes(rewriter, at, part, workers));
    }
    auto memory =
        memref::AllocOp::create(rewriter, at, cast<MemRefType>(first.getArgumentTypes().back()),
                                bytes, rewriter.getI64IntegerAttr(kAlignment));
    rewriter.modifyOpInPlace(dispatch, [&] {
      dispatch.getSizesMutable().assign(sizes);
      dispatch.getOutsMutable().append(memory.getResult());
    });
  }

  unsigned firstOffset = count;
  for (auto [kernel, list] : llvm::zip(kernels, scratch)) {
    Value partSize = kernel.getBody().front().getArgument(count + total);
    useScratchArguments(kernel, list, firstOffset, partSize);
    firstOffset += static_cast<unsigned>(list.size());
  }
  return success();
}
