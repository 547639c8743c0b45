//===- VectorLoops.cpp - The loops around vectors -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/VectorLoops.h"

#include "dialects/Weft/IR/Variants.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;

int64_t weft::vectorBitsOf(Operation *op) {
  auto kernel = dyn_cast<KernelOp>(op);
  if (!kernel)
    kernel = op->getParentOfType<KernelOp>();
  auto module = op->getParentOfType<ModuleOp>();
  TargetAttr target;
  if (kernel)
    target = targetOf(kernel);
  else if (module)
    target = module->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName);
  return target ? target.getVectorBits() : 128;
}

bool weft::writesEachResultOnce(linalg::GenericOp op) {
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    return llvm::all_of(llvm::enumerate(iterators), [&](auto loop) {
      return (loop.value() == utils::IteratorType::parallel) == map.isFunctionOfDim(loop.index());
    });
  });
}

int64_t weft::chooseLanes(const VectorBody &body, int64_t extent, int64_t vectorBits) {
  // SSE has no masked accesses, AVX2 only those of words.
  if (vectorBits < 256 || (vectorBits < 512 && body.narrowestAccess() < 32))
    return 0;
  int64_t lanes = vectorBits / static_cast<int64_t>(llvm::PowerOf2Ceil(body.widestBits()));
  if (ShapedType::isDynamic(extent))
    return lanes;
  if (extent < kMinRow)
    return 0;
  while (lanes > 1 && lanes / 2 >= extent)
    lanes /= 2;
  return lanes;
}

void VectorLoops::start() {
  auto structured = cast<linalg::LinalgOp>(op.getOperation());
  for (Range range : structured.createLoopRanges(b, loc))
    extents.push_back(range.size);
}

Value VectorLoops::constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value VectorLoops::extent(unsigned loop) {
  return getValueOrCreateConstantIndexOp(b, loc, extents[loop]);
}

Value VectorLoops::add(Value position, int64_t offset) {
  return offset == 0 ? position : b.createOrFold<arith::AddIOp>(loc, position, constant(offset));
}

Value VectorLoops::mask(Value position, Value end, int64_t lanes) {
  Value left = b.createOrFold<arith::SubIOp>(loc, end, position);
  return vector::CreateMaskOp::create(b, loc, VectorType::get({lanes}, b.getI1Type()), left);
}

/// The operation that fills an init, if it does nothing else.
static linalg::FillOp fillOf(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  bool converts = fill && fill.getInputs()[0].getType() != getElementTypeOrSelf(init.getType());
  return converts ? linalg::FillOp() : fill;
}

Value VectorLoops::startValue(OpOperand *init) {
  linalg::FillOp fill = fillOf(init->get());
  return fill ? fill.getInputs()[0] : Value();
}

/// Whether `tensor` belongs to what is around the parallel loop that `op` is in:
/// nothing in the loop can write it in place.
static bool isOutsideOfParallelLoop(Value tensor, Operation *op) {
  while (Operation *def = tensor.getDefiningOp()) {
    if (!isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(def))
      break;
    tensor = def->getOperand(0);
  }
  auto loop = op->getParentOfType<scf::ForallOp>();
  return loop && !loop->isAncestor(tensor.getParentBlock()->getParentOp());
}

SmallVector<Value> VectorLoops::destinations() {
  SmallVector<Value> result;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    Value tensor = init.get();
    // What is not written, and what is an input too, keeps what it holds.
    if (!op.getMatchingIndexingMap(&init).isProjectedPermutation() ||
        llvm::is_contained(op.getDpsInputs(), tensor)) {
      result.push_back(tensor);
      continue;
    }
    bool isRead = op.payloadUsesValueFromOperand(&init);
    if (linalg::FillOp fill = fillOf(tensor)) {
      tensor = fill.getDpsInitOperand(0)->get();
      isRead = false;
    }
    // A loop seems to read what it carries, which would be copied before it.
    if (!isRead && isOutsideOfParallelLoop(tensor, op)) {
      auto type = cast<RankedTensorType>(tensor.getType());
      tensor = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, tensor),
                                       type.getElementType());
    }
    result.push_back(tensor);
  }
  return result;
}

SmallVector<Value> VectorLoops::nest(ArrayRef<unsigned> dims, SmallVectorImpl<Value> &positions,
                                     ValueRange values,
                                     function_ref<SmallVector<Value>(ValueRange)> body) {
  SmallVector<unsigned> walked;
  for (unsigned dim : dims) {
    if (getConstantIntValue(extents[dim]) == 1)
      positions[dim] = constant(0);
    else
      walked.push_back(dim);
  }
  if (walked.empty())
    return body(values);
  SmallVector<Value> lower(walked.size(), constant(0)), steps(walked.size(), constant(1)), upper;
  for (unsigned dim : walked)
    upper.push_back(getValueOrCreateConstantIndexOp(b, loc, extents[dim]));
  scf::LoopNest loops = scf::buildLoopNest(
      b, loc, lower, upper, steps, values,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        for (auto [dim, iv] : llvm::zip(walked, ivs))
          positions[dim] = iv;
        SmallVector<Value> next = body(carried);
        return scf::ValueVector(next.begin(), next.end());
      });
  return SmallVector<Value>(loops.results);
}

SmallVector<Value> VectorLoops::vectorLoop(unsigned dim, int64_t step, int64_t tailStep,
                                           ValueRange carried, Step body) {
  SmallVector<Value> values(carried);
  Value end = getValueOrCreateConstantIndexOp(b, loc, extents[dim]);
  std::optional<int64_t> known = getConstantIntValue(extents[dim]);
  auto loop = [&](Value from, Value to, int64_t by, Value limit) {
    auto forOp = scf::ForOp::create(b, loc, from, to, constant(by), values,
                                    [&](OpBuilder &, Location, Value position, ValueRange args) {
                                      scf::YieldOp::create(b, loc, body(position, limit, args));
                                    });
    values.assign(forOp.result_begin(), forOp.result_end());
  };
  Value whole = constant(0);
  if (!known || *known >= step) {
    Value rest = b.createOrFold<arith::RemUIOp>(loc, end, constant(step));
    whole =
        known ? constant(*known - *known % step) : b.createOrFold<arith::SubIOp>(loc, end, rest);
    loop(constant(0), whole, step, Value());
  }
  if (!known || *known % step != 0)
    loop(whole, end, tailStep, end);
  return values;
}

void VectorLoops::replace(ValueRange results) {
  SmallVector<linalg::FillOp> fills;
  for (Value init : op.getDpsInits())
    if (linalg::FillOp fill = fillOf(init); fill && !llvm::is_contained(fills, fill))
      fills.push_back(fill);
  b.replaceOp(op, results);
  for (linalg::FillOp fill : fills)
    if (fill->use_empty())
      b.eraseOp(fill);
}
