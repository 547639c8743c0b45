//===- EstimateCost.cpp - How long a kernel takes -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/EstimateCost.h"
#include "dialects/Weft/IR/Variants.h"
#include "transforms/Tile/Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

// Nanoseconds of a core at about 2.5 GHz, for whole vectors where not said
// otherwise.
static constexpr double kMultiplyAdd = 0.35;   // of contractions: 60% of two a cycle
static constexpr double kArithmetic = 0.4;     // one a cycle
static constexpr double kDivision = 4;         // and square roots
static constexpr double kTranscendental = 8;   // a polynomial of some 20 operations
static constexpr double kMemoryPerByte = 0.03; // about 30 GB/s out of L2
static constexpr double kScatteredAccess = 1;  // one element at an address of its own
static constexpr double kLoop = 1000;          // in a body, as often as the data say

static double scalarOperationCost(Operation &op) {
  if (isa<LoopLikeOpInterface>(op))
    return kLoop;
  if (isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemFOp, arith::RemSIOp,
          arith::RemUIOp, math::SqrtOp, math::RsqrtOp>(op))
    return kDivision;
  if (isa<math::AbsFOp, math::AbsIOp, math::FmaOp, math::FloorOp, math::CeilOp, math::TruncOp,
          math::RoundEvenOp, math::CopySignOp>(op))
    return kArithmetic;
  if (isa_and_nonnull<math::MathDialect>(op.getDialect()))
    return kTranscendental;
  return kArithmetic;
}

/// Whether neighbours along loop `inner` are neighbours in memory, or the same.
static bool isContiguousAlong(AffineMap map, unsigned inner) {
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    bool last = i + 1 == map.getNumResults();
    if (expr.isFunctionOfDim(inner) && !(last && isa<AffineDimExpr>(expr)))
      return false;
  }
  return true;
}

/// Whether squares of the operand are transposed in registers, which costs no more
/// than to read and write them.
static bool isTransposedInRegisters(linalg::LinalgOp op, AffineMap map, int64_t bits,
                                    int64_t vectorBits) {
  return op.getNumParallelLoops() == op.getNumLoops() && map.isProjectedPermutation() &&
         vectorBits >= 256 && (bits >= 32 || vectorBits >= 512);
}

static double operationCost(linalg::LinalgOp op, int64_t vectorBits) {
  double iterations = 1;
  for (int64_t extent : op.getStaticLoopRanges())
    iterations *= ShapedType::isDynamic(extent) ? kAssumedExtent : extent;
  double bytes = 0;
  int64_t widest = 8;
  bool scattered = false;
  unsigned loops = op.getNumLoops();
  for (OpOperand &operand : op->getOpOperands()) {
    Type type = getElementTypeOrSelf(operand.get().getType());
    int64_t bits = type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 64;
    widest = std::max(widest, bits);
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (loops == 0 || !map.isFunctionOfDim(loops - 1))
      continue;
    bytes += static_cast<double>(bits) / 8;
    scattered |=
        !isContiguousAlong(map, loops - 1) && !isTransposedInRegisters(op, map, bits, vectorBits);
  }
  double lanes = std::max<double>(1, static_cast<double>(vectorBits) / static_cast<double>(widest));
  if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      generic && Contraction::match(generic))
    return iterations * kMultiplyAdd / lanes;
  double work = 0;
  if (Block *body = op.getBlock())
    for (Operation &inner : body->without_terminator()) {
      scattered |= isa<tensor::ExtractOp>(inner) || inner.getNumRegions() != 0;
      work += scalarOperationCost(inner);
    }
  if (scattered)
    return iterations * (work + kScatteredAccess);
  return iterations * (work / lanes + bytes * kMemoryPerByte);
}

int64_t cpu::estimateItemCost(KernelOp kernel, ArrayRef<int64_t> extents, ArrayRef<int64_t> tiles) {
  TargetAttr target = targetOf(kernel);
  int64_t vectorBits = target ? target.getVectorBits() : 128;
  double total = 0;
  kernel->walk([&](linalg::LinalgOp op) { total += operationCost(op, vectorBits); });
  double items = 1;
  for (auto [extent, tile] : llvm::zip(extents, tiles)) {
    if (tile <= 0)
      continue;
    // A tile beyond an assumed extent is a larger extent, not part of an item.
    if (ShapedType::isDynamic(extent))
      items *= static_cast<double>(kAssumedExtent) / static_cast<double>(tile);
    else
      items *= static_cast<double>(llvm::divideCeil(extent, tile));
  }
  double cost = total / items;
  return cost < 1 ? 1 : cost > 1e9 ? 1000000000 : static_cast<int64_t>(cost);
}
