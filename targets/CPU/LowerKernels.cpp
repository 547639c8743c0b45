//===- LowerKernels.cpp - Kernels get the module ABI ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
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
#include "llvm/ADT/StringExtras.h"

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
  /// buffer, one i64 a size, one i64 for each of `captures` numbers that follow
  /// the sizes in memory, then the extra ones; `arguments` are the values that
  /// stand for the kernel's.
  LLVM::LLVMFuncOp createFunction(StringRef name, unsigned captures, unsigned extra, bool hidden,
                                  SmallVectorImpl<Value> &arguments);
  /// The address of the kernel's sizes with `captures` after them.
  Value appendToSizes(ArrayRef<Value> captures, LLVM::LLVMFuncOp body);
  LogicalResult outlineParallel(scf::ForallOp loop, unsigned number, LLVM::LLVMFuncOp body);
  void createRange(scf::ForallOp loop, StringRef name, ArrayRef<Value> used,
                   ArrayRef<Value> captures);
  void callParallelFor(scf::ForallOp loop, StringRef name, ArrayRef<Value> captures,
                       LLVM::LLVMFuncOp body);
  void finish(Block &block);
  Type ptr() { return abi.ptr(); }

  KernelOp kernel;
  RewriterBase &rewriter;
  ABIBuilder abi;
  Value kernelStatus; ///< of the parallel loops so far
};
} // namespace

/// How many buffers and how many sizes the calling convention passes.
static std::pair<unsigned, unsigned> countArguments(KernelOp kernel) {
  unsigned buffers = 0, sizes = 0;
  for (Type type : kernel.getArgumentTypes()) {
    auto memref = dyn_cast<MemRefType>(type);
    buffers += memref ? 1 : 0;
    sizes += memref ? static_cast<unsigned>(memref.getNumDynamicDims()) : 1;
  }
  return {buffers, sizes};
}

LLVM::LLVMFuncOp KernelLowering::createFunction(StringRef name, unsigned captures, unsigned extra,
                                                bool hidden, SmallVectorImpl<Value> &arguments) {
  MLIRContext *context = rewriter.getContext();
  Location loc = kernel.getLoc();
  SmallVector<BlockArgument> formal(kernel.getBody().getArguments());
  SmallVector<Type> abiTypes{ptr(), ptr(), ptr(), abi.i64()};
  abiTypes.append(extra, abi.i64());
  SmallVector<Type> bodyTypes{ptr(), ptr(), ptr(), abi.i64()};
  auto [buffers, sizes] = countArguments(kernel);
  bodyTypes.append(buffers, ptr());
  bodyTypes.append(sizes + captures + extra, abi.i64());

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
  for (unsigned i = 0; i < sizes + captures; ++i)
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
    for (int64_t i = 0, e = memref.getNumDynamicDims(); i < e; ++i)
      extents.push_back(body.getArgument(nextSize++));
    arguments.push_back(abi.memref(memref, body.getArgument(nextBuffer++), extents));
  }
  return body;
}

/// Whether a value can be computed again instead of being passed.
static bool isRepeatable(Operation *op) {
  return isPure(op) ||
         isa<memref::SubViewOp, memref::ViewOp, memref::CastOp, memref::ReinterpretCastOp,
             memref::ExpandShapeOp, memref::CollapseShapeOp, memref::DimOp>(op);
}

/// Whether a value can be passed to a range function as 64 bits.
static bool isCapturable(Value value) {
  Type type = value.getType();
  return type.isIndex() || (type.isIntOrFloat() && type.getIntOrFloatBitWidth() <= 64);
}

/// Collects what is left to pass of `value`, where all that is computed from the
/// kernel's arguments and from `captures` alone is computed again. Fails if it
/// can be neither passed nor computed.
static LogicalResult collectCaptures(Value value, Block &arguments, DenseSet<Value> &seen,
                                     llvm::SetVector<Value> &captures) {
  auto argument = dyn_cast<BlockArgument>(value);
  if ((argument && argument.getOwner() == &arguments) || seen.contains(value) ||
      captures.contains(value))
    return success();
  Operation *def = value.getDefiningOp();
  bool repeated = def && def->getNumRegions() == 0 && isRepeatable(def) &&
                  llvm::all_of(def->getOperands(), [&](Value operand) {
                    return succeeded(collectCaptures(operand, arguments, seen, captures));
                  });
  if (repeated)
    seen.insert(value);
  else if (isCapturable(value))
    captures.insert(value);
  else
    return failure();
  return success();
}

/// A captured number as 64 bits, and back.
static Value toBits(const ABIBuilder &abi, Value value) {
  if (value.getType().isIndex())
    return abi.fromIndex(value);
  auto integer = abi.b.getIntegerType(value.getType().getIntOrFloatBitWidth());
  if (value.getType() != integer)
    value = arith::BitcastOp::create(abi.b, abi.loc, integer, value);
  return integer.getWidth() == 64 ? value
                                  : Value(arith::ExtUIOp::create(abi.b, abi.loc, abi.i64(), value));
}

static Value fromBits(const ABIBuilder &abi, Value bits, Type type) {
  if (type.isIndex())
    return abi.toIndex(bits);
  auto integer = abi.b.getIntegerType(type.getIntOrFloatBitWidth());
  if (integer.getWidth() != 64)
    bits = arith::TruncIOp::create(abi.b, abi.loc, integer, bits);
  return type == integer ? bits : Value(arith::BitcastOp::create(abi.b, abi.loc, type, bits));
}

/// The environment returns from `parallel_for` when all ranges are done: until
/// then the caller's stack holds what they read.
Value KernelLowering::appendToSizes(ArrayRef<Value> captures, LLVM::LLVMFuncOp body) {
  unsigned sizes = countArguments(kernel).second;
  Value from = body.getArgument(2);
  if (captures.empty())
    return from;
  Value memory;
  {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(&body.getBody().front());
    memory = LLVM::AllocaOp::create(rewriter, abi.loc, ptr(), abi.i64(),
                                    abi.constant(abi.i64(), sizes + captures.size()));
  }
  for (unsigned i = 0; i < sizes; ++i)
    abi.storeElement(memory, i, abi.loadElement(from, i, abi.i64()));
  for (auto [i, value] : llvm::enumerate(captures))
    abi.storeElement(memory, sizes + static_cast<int64_t>(i), toBits(abi, value));
  return memory;
}

/// A bound or step of a loop, where `lookup` gives its values.
static Value materialize(OpBuilder &b, Location loc, OpFoldResult value,
                         llvm::function_ref<Value(Value)> lookup) {
  if (auto attribute = dyn_cast<Attribute>(value))
    return arith::ConstantIndexOp::create(b, loc, cast<IntegerAttr>(attribute).getInt());
  return lookup(cast<Value>(value));
}

/// The number of iterations of each dimension of `loop`; `lookup` gives what its
/// bounds are where this is computed.
static SmallVector<Value> countIterations(OpBuilder &b, scf::ForallOp loop,
                                          llvm::function_ref<Value(Value)> lookup) {
  Location loc = loop.getLoc();
  SmallVector<Value> counts;
  for (auto [lower, upper, step] :
       llvm::zip(loop.getMixedLowerBound(), loop.getMixedUpperBound(), loop.getMixedStep())) {
    Value last = materialize(b, loc, upper, lookup);
    Value first = materialize(b, loc, lower, lookup);
    Value distance = b.createOrFold<arith::SubIOp>(loc, last, first);
    counts.push_back(
        b.createOrFold<arith::CeilDivSIOp>(loc, distance, materialize(b, loc, step, lookup)));
  }
  return counts;
}

/// Maps the induction variables of `loop` to their values in iteration `linear`
/// of all, of which each dimension has as many as `counts` says.
static void mapInductionVars(OpBuilder &b, scf::ForallOp loop, Value linear, ArrayRef<Value> counts,
                             IRMapping &mapping) {
  Location loc = loop.getLoc();
  SmallVector<Value> positions(counts.size());
  for (size_t i = counts.size(); i-- > 1;) {
    positions[i] = arith::RemUIOp::create(b, loc, linear, counts[i]);
    linear = arith::DivUIOp::create(b, loc, linear, counts[i]);
  }
  if (!positions.empty())
    positions[0] = linear;
  auto lookup = [&](Value value) { return mapping.lookup(value); };
  for (auto [position, iv, lower, step] : llvm::zip_equal(
           positions, loop.getInductionVars(), loop.getMixedLowerBound(), loop.getMixedStep())) {
    Value scaled = b.createOrFold<arith::MulIOp>(loc, position, materialize(b, loc, step, lookup));
    mapping.map(iv, b.createOrFold<arith::AddIOp>(loc, scaled, materialize(b, loc, lower, lookup)));
  }
}

/// Copies `value` and what it is computed from, as far as `mapping` has it not.
static void repeatComputation(OpBuilder &b, Value value, IRMapping &mapping) {
  if (mapping.contains(value))
    return;
  Operation *def = value.getDefiningOp();
  for (Value operand : def->getOperands())
    repeatComputation(b, operand, mapping);
  b.clone(*def, mapping);
}

/// Makes the function `name` that runs a range of the iterations of `loop`. Of
/// what the loop uses from around it, `used`, it is given `captures`.
void KernelLowering::createRange(scf::ForallOp loop, StringRef name, ArrayRef<Value> used,
                                 ArrayRef<Value> captures) {
  Location loc = loop.getLoc();
  SmallVector<Value> arguments;
  LLVM::LLVMFuncOp range = createFunction(name, captures.size(), 3, /*hidden=*/true, arguments);
  Block &block = range.getBody().front();
  Value begin = range.getArguments().drop_back(2).back();
  Value end = range.getArguments().drop_back(1).back();
  Value worker = range.getArguments().back();

  IRMapping mapping;
  for (auto [from, to] : llvm::zip(kernel.getBody().front().getArguments(), arguments))
    mapping.map(from, to);
  rewriter.setInsertionPointToEnd(&block);
  auto [buffers, sizes] = countArguments(kernel);
  for (auto [i, value] : llvm::enumerate(captures)) {
    Value bits = range.getArgument(4 + buffers + sizes + static_cast<unsigned>(i));
    mapping.map(value, fromBits(abi, bits, value.getType()));
  }
  for (Value value : used)
    repeatComputation(rewriter, value, mapping);

  SmallVector<Value> counts =
      countIterations(rewriter, loop, [&](Value value) { return mapping.lookup(value); });
  auto forOp = scf::ForOp::create(rewriter, loc, abi.toIndex(begin), abi.toIndex(end),
                                  arith::ConstantIndexOp::create(rewriter, loc, 1));
  rewriter.setInsertionPointToStart(forOp.getBody());
  mapInductionVars(rewriter, loop, forOp.getInductionVar(), counts, mapping);
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
}

/// Calls `parallel_for` with the range function `name` for `loop`, where the
/// rewriter stands in `body`, and keeps the first status that is a failure.
void KernelLowering::callParallelFor(scf::ForallOp loop, StringRef name, ArrayRef<Value> captures,
                                     LLVM::LLVMFuncOp body) {
  Location loc = loop.getLoc();
  Value count = arith::ConstantIndexOp::create(rewriter, loc, 1);
  for (Value extent : countIterations(rewriter, loop, [](Value value) { return value; })) {
    Value clamped = arith::MaxSIOp::create(rewriter, loc, extent,
                                           arith::ConstantIndexOp::create(rewriter, loc, 0));
    count = arith::MulIOp::create(rewriter, loc, count, clamped);
  }
  // The estimated nanoseconds of the whole loop.
  ScheduleAttr schedule = kernel.getScheduleAttr();
  int64_t itemCost = schedule && schedule.getCost() > 0 ? schedule.getCost() : kUnknownItemCost;
  Value count64 = abi.fromIndex(count);
  Value cost = LLVM::MulOp::create(rewriter, loc, count64, abi.constant(abi.i64(), itemCost));
  Value function = LLVM::AddressOfOp::create(rewriter, loc, ptr(), name);
  Value env = body.getArgument(0);
  Value status = abi.callField(env, EnvOffset::ParallelFor, abi.i32(),
                               {env, function, body.getArgument(1), appendToSizes(captures, body),
                                body.getArgument(3), count64, cost});
  if (kernelStatus) {
    Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne, kernelStatus,
                                        abi.constant(abi.i32(), 0));
    status = LLVM::SelectOp::create(rewriter, loc, failed, kernelStatus, status);
  }
  kernelStatus = status;
}

/// Moves an outermost parallel loop to a range function and calls
/// `parallel_for` in its place.
LogicalResult KernelLowering::outlineParallel(scf::ForallOp loop, unsigned number,
                                              LLVM::LLVMFuncOp body) {
  OpBuilder::InsertionGuard guard(rewriter);
  std::string name = (kernel.getSymName() + ".parallel_" + Twine(number)).str();
  // What the loop uses from around it: numbers that come from memory or from
  // another loop are passed, the rest is computed again.
  llvm::SetVector<Value> used(loop->operand_begin(), loop->operand_end()), captures;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  DenseSet<Value> repeated;
  for (Value value : used)
    if (failed(collectCaptures(value, kernel.getBody().front(), repeated, captures)))
      return loop.emitOpError("in kernel '")
             << kernel.getSymName() << "' uses a " << value.getType()
             << " that can be neither computed again nor passed";
  rewriter.setInsertionPoint(body);
  createRange(loop, name, used.getArrayRef(), captures.getArrayRef());
  rewriter.setInsertionPoint(loop);
  callParallelFor(loop, name, captures.getArrayRef(), body);
  rewriter.eraseOp(loop);
  return success();
}

LogicalResult KernelLowering::run() {
  rewriter.setInsertionPoint(kernel);
  SmallVector<Value> arguments;
  LLVM::LLVMFuncOp body = createFunction(kernel.getSymName(), 0, 0, /*hidden=*/false, arguments);
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
  // Parallel loops write the buffers through the addresses that the environment
  // passes on, which LLVM must not take for other memory than the arguments'.
  if (!loops.empty())
    for (unsigned i = 0, end = countArguments(kernel).first; i < end; ++i)
      body.removeArgAttr(4 + i, LLVM::LLVMDialect::getNoAliasAttrName());
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

/// The kernels that dispatches name, in order, and of each further target the
/// variants of these, in the same order.
static LogicalResult listKernels(ModuleOp module, SmallVectorImpl<KernelOp> &kernels,
                                 SmallVectorImpl<SmallVector<KernelOp>> &variants) {
  DenseMap<std::pair<StringAttr, StringAttr>, KernelOp> variantFor; // by kernel and processor
  for (KernelOp kernel : module.getOps<KernelOp>()) {
    if (auto cpu = kernel->getAttrOfType<StringAttr>(kVariantAttrName))
      variantFor[{dispatchedNameOf(kernel), cpu}] = kernel;
    else
      kernels.push_back(kernel);
  }
  auto targets = module->getAttrOfType<ArrayAttr>(kVariantsAttrName);
  for (Attribute attribute : targets ? targets.getValue() : ArrayRef<Attribute>()) {
    auto cpu = StringAttr::get(module.getContext(), cast<TargetAttr>(attribute).getCpu());
    SmallVector<KernelOp> &table = variants.emplace_back();
    for (KernelOp kernel : kernels) {
      auto variant = variantFor.find({kernel.getSymNameAttr(), cpu});
      if (variant == variantFor.end())
        return kernel.emitOpError("has no variant for ") << cpu;
      table.push_back(variant->second);
      variantFor.erase(variant);
    }
  }
  for (KernelOp kernel : module.getOps<KernelOp>())
    if (auto cpu = kernel->getAttrOfType<StringAttr>(kVariantAttrName);
        cpu && variantFor.contains({dispatchedNameOf(kernel), cpu}))
      return kernel.emitOpError("is a variant of '")
             << dispatchedNameOf(kernel).getValue() << "' for " << cpu
             << ", and the module has not both";
  return success();
}

static StringRef targetNameOf(KernelOp kernel) {
  TargetAttr target = targetOf(kernel);
  return target ? target.getCpu() : kernel.getSymName();
}

/// Why a kernel is a fallback, given its variants; null if none of them is one.
static StringAttr fallbackReason(KernelOp kernel, ArrayRef<KernelOp> variants) {
  auto reasonOf = [](KernelOp variant) {
    return variant->getAttrOfType<StringAttr>(WeftDialect::fallbackAttrName);
  };
  StringAttr reason = reasonOf(kernel);
  if (llvm::all_of(variants, [&](KernelOp variant) { return reasonOf(variant) == reason; }))
    return reason;
  SmallVector<std::string> reasons;
  for (KernelOp variant : llvm::concat<const KernelOp>(ArrayRef(kernel), variants))
    if (StringAttr other = reasonOf(variant))
      reasons.push_back((targetNameOf(variant) + ": " + other.getValue()).str());
  return StringAttr::get(kernel.getContext(), llvm::join(reasons, "; "));
}

namespace {
struct LowerCPUKernels : weft::impl::LowerCPUKernelsBase<LowerCPUKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<KernelOp> kernels;
    SmallVector<SmallVector<KernelOp>> variants;
    if (failed(listKernels(module, kernels, variants)))
      return signalPassFailure();
    SmallVector<NamedAttribute> fallbacks;
    for (auto [i, kernel] : llvm::enumerate(kernels)) {
      SmallVector<KernelOp> others;
      for (ArrayRef<KernelOp> table : variants)
        others.push_back(table[i]);
      if (StringAttr reason = fallbackReason(kernel, others))
        fallbacks.emplace_back(kernel.getSymNameAttr(), reason);
    }
    auto namesOf = [&](ArrayRef<KernelOp> table) -> Attribute {
      return ArrayAttr::get(&getContext(), llvm::map_to_vector(table, [](KernelOp kernel) {
        return Attribute(kernel.getSymNameAttr());
      }));
    };
    module->setAttr(WeftDialect::kernelsAttrName, namesOf(kernels));
    if (!variants.empty())
      module->setAttr(WeftDialect::variantKernelsAttrName,
                      ArrayAttr::get(&getContext(), llvm::map_to_vector(variants, namesOf)));
    module->setAttr(WeftDialect::fallbackReasonsAttrName,
                    DictionaryAttr::get(&getContext(), fallbacks));

    IRRewriter rewriter(&getContext());
    for (KernelOp kernel : llvm::to_vector(module.getOps<KernelOp>()))
      if (failed(KernelLowering(kernel, rewriter).run()))
        return signalPassFailure();
  }
};
} // namespace
