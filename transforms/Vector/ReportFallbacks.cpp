//===- ReportFallbacks.cpp - Says which kernels lack a fast path ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
#include "transforms/Vector/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"

namespace weft {
#define GEN_PASS_DEF_REPORTFALLBACKS
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Multiplications below which scalar loops are no loss worth a report: what a
/// core does in some 30 microseconds.
static constexpr int64_t kMinMultiplications = 32768;

/// What a dynamic extent counts as.
static constexpr int64_t kAssumedExtent = 64;

/// Whether `op` multiplies two operands and accumulates, in any form: matrix
/// products and convolutions, but not sums or pooling.
static bool isContraction(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInputs() != 2)
    return false;
  return llvm::any_of(*op.getBlock(), llvm::IsaPred<arith::MulFOp, arith::MulIOp>);
}

/// The iterations of `op`'s loops.
static int64_t iterationsOf(linalg::LinalgOp op) {
  int64_t count = 1;
  for (int64_t extent : op.getStaticLoopRanges())
    if (__builtin_mul_overflow(count, ShapedType::isDynamic(extent) ? kAssumedExtent : extent,
                               &count))
      return std::numeric_limits<int64_t>::max();
  return count;
}

/// One iteration of the loops around `op`, which it is cut into, is all it
/// does.
static int64_t iterationsAround(Operation *op) {
  int64_t count = 1;
  for (auto loop = op->getParentOfType<scf::ForallOp>(); loop;
       loop = loop->getParentOfType<scf::ForallOp>())
    for (auto [lower, upper, step] :
         llvm::zip(loop.getMixedLowerBound(), loop.getMixedUpperBound(), loop.getMixedStep())) {
      std::optional<int64_t> first = getConstantIntValue(lower), last = getConstantIntValue(upper),
                             by = getConstantIntValue(step);
      int64_t trips = first && last && by && *by > 0 && *last >= *first
                          ? static_cast<int64_t>(llvm::divideCeil(*last - *first, *by))
                          : kAssumedExtent;
      if (__builtin_mul_overflow(count, trips, &count))
        return std::numeric_limits<int64_t>::max();
    }
  return count;
}

/// Why `kernel` is a fallback; empty if it is none.
static std::string reasonFor(KernelOp kernel) {
  SmallVector<std::string> reasons;
  auto add = [&](std::string reason) {
    if (!llvm::is_contained(reasons, reason))
      reasons.push_back(std::move(reason));
  };
  bool isParallel =
      kernel->walk([](scf::ForallOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (auto ops = kernel->getAttrOfType<ArrayAttr>(WeftDialect::referenceOpsAttrName);
      ops && !isParallel)
    for (StringAttr name : ops.getAsRange<StringAttr>())
      add((name.getValue() + " runs serially, by its reference lowering").str());
  kernel->walk([&](linalg::LinalgOp op) {
    int64_t work;
    if (isContraction(op) &&
        (__builtin_mul_overflow(iterationsOf(op), iterationsAround(op), &work) ||
         work >= kMinMultiplications))
      add(kernel.getSchedule() ? "a contraction runs in scalar loops: it has no form that is "
                                 "computed in register tiles"
                               : "a contraction runs in scalar loops: it has no schedule");
  });
  return llvm::join(reasons, "; ");
}

/// Whether an operation with enough work is still structured, and so becomes
/// loops that no pass of this stage has made vectors of.
static bool hasScalarLoops(KernelOp kernel) {
  return kernel
      ->walk([](linalg::GenericOp op) {
        int64_t work;
        bool isMuch = __builtin_mul_overflow(iterationsOf(op), iterationsAround(op), &work) ||
                      work >= kMinMultiplications;
        return isMuch ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
struct ReportFallbacks : weft::impl::ReportFallbacksBase<ReportFallbacks> {
  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<Location>> nodes;
    getOperation().walk(
        [&](DispatchOp op) { nodes[op.getKernelAttr().getAttr()].push_back(op.getLoc()); });
    for (KernelOp kernel : getOperation().getOps<KernelOp>()) {
      std::string reason = reasonFor(kernel);
      kernel->removeAttr(WeftDialect::referenceOpsAttrName);
      if (reason.empty()) {
        if (hasScalarLoops(kernel))
          remark::missed(FusedLoc::get(&getContext(), nodes[dispatchedNameOf(kernel)]),
                         remark::RemarkOpts::name("scalar-loops")
                             .category("vector")
                             .function(kernel.getSymName()))
              << remark::reason("{0}", "an operation is left to LLVM's vectorizer: it reads "
                                       "strided or computed positions, divides integers, or has "
                                       "short rows");
        continue;
      }
      ++numFallbacks;
      kernel->setAttr(WeftDialect::fallbackAttrName, StringAttr::get(&getContext(), reason));
      Location loc = FusedLoc::get(&getContext(), nodes[dispatchedNameOf(kernel)]);
      remark::missed(
          loc,
          remark::RemarkOpts::name("fallback").category("vector").function(kernel.getSymName()))
          << remark::reason("{0}", reason);
    }
  }
};
} // namespace
