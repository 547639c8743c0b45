//===- ShapeExpressions.cpp - Extents of tensors as expressions -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/ShapeExpressions.h"

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

ShapeExpressions::ShapeExpressions(FunctionOpInterface function) : function(function) {
  for (BlockArgument argument : function.getArguments())
    if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                          WeftDialect::symbolAttrName))
      symbols[name.getValue()] = argument;
}

/// Whether values of this type are expressions.
static bool isHandled(Type type) { return type.isIndex() || type.isInteger(1); }

IndexExpr ShapeExpressions::current(Known &known) {
  if (known.generation != generation()) {
    known.expr = algebra.simplify(known.expr);
    known.generation = generation();
  }
  return known.expr;
}

IndexExpr ShapeExpressions::of(Value value) {
  if (auto it = values.find(value); it != values.end())
    return current(it->second);
  IndexExpr result = compute(value);
  if (!result)
    result = unknown(value);
  Known known{result, 0};
  result = current(known);
  values[value] = known;
  return result;
}

IndexExpr ShapeExpressions::of(OpFoldResult value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return algebra.constant(*constant);
  return of(cast<Value>(value));
}

IndexExpr ShapeExpressions::unknown(Value value) {
  if (value.getType().isInteger(1))
    return algebra.value(value, {0, 1});
  Operation *def = value.getDefiningOp();
  bool isData = !def || !isa<arith::ArithDialect>(def->getDialect()) ||
                !llvm::all_of(def->getOperands(), [&](Value operand) {
                  return isHandled(operand.getType()) && !of(operand)->isData;
                });
  return algebra.value(value, {}, nullptr, isData);
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

IndexExpr ShapeExpressions::compute(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return algebra.constant(value.getType().isInteger(1) ? *constant != 0 : *constant);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (!value.getType().isIndex())
      return nullptr;
    Operation *parent = argument.getOwner()->getParentOp();
    if (parent == function) {
      // An extent of an input, or a size of a kernel.
      IndexRange range{0, INT64_MAX};
      if (!function.getArgAttr(argument.getArgNumber(), WeftDialect::symbolAttrName))
        return nullptr;
      if (auto given = function.getArgAttrOfType<DenseI64ArrayAttr>(
              argument.getArgNumber(), WeftDialect::symbolRangeAttrName);
          given && given.size() == 2)
        range = {given[0], given[1]};
      return algebra.value(value, range);
    }
    auto loop = dyn_cast<scf::ForOp>(parent);
    if (loop && value == loop.getInductionVar() &&
        getConstantIntValue(loop.getStep()).value_or(0) > 0) {
      IndexExpr low = of(loop.getLowerBound()), high = of(loop.getUpperBound());
      if (!low->isData && !high->isData)
        return algebra.value(value, {algebra.range(low).low, INT64_MAX},
                             algebra.subtract(high, algebra.constant(1)));
    }
    return nullptr;
  }
  return computeOperation(value.getDefiningOp());
}

IndexExpr ShapeExpressions::computeComparison(Operation *op) {
  auto compare = cast<arith::CmpIOp>(op);
  if (!compare.getLhs().getType().isIndex())
    return nullptr;
  IndexExpr x = of(compare.getLhs()), y = of(compare.getRhs()), one = algebra.constant(1);
  using Predicate = arith::CmpIPredicate;
  switch (compare.getPredicate()) {
  case Predicate::eq:
    return algebra.equal(x, y);
  case Predicate::ne: {
    IndexExpr same = algebra.equal(x, y);
    return same ? algebra.negation(same) : nullptr;
  }
  case Predicate::slt:
    return algebra.lessOrEqual(algebra.add(x, one), y);
  case Predicate::sle:
    return algebra.lessOrEqual(x, y);
  case Predicate::sgt:
    return algebra.lessOrEqual(algebra.add(y, one), x);
  case Predicate::sge:
    return algebra.lessOrEqual(y, x);
  default:
    return nullptr;
  }
}

IndexExpr ShapeExpressions::computeOperation(Operation *op) {
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> dimension = dim.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    if (!type || !dimension || *dimension < 0 || *dimension >= type.getRank())
      return nullptr;
    return extent(dim.getSource(), *dimension);
  }
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    auto linalgOp = cast<linalg::LinalgOp>(op->getParentOp());
    IndexExpr count = loopExtent(linalgOp, static_cast<unsigned>(index.getDim()));
    if (!count || count->isData)
      return algebra.value(index, {0, INT64_MAX});
    int64_t most = algebra.range(count).high;
    return algebra.value(index, {0, most == INT64_MAX ? most : most - 1},
                         algebra.subtract(count, algebra.constant(1)));
  }
  if (isa<arith::IndexCastOp>(op)) {
    // There and back again.
    auto inner = op->getOperand(0).getDefiningOp<arith::IndexCastOp>();
    bool isWide = inner && op->getOperand(0).getType().isInteger(64);
    return isWide && inner.getIn().getType().isIndex() ? of(inner.getIn()) : nullptr;
  }
  if (isa<arith::IndexCastUIOp>(op))
    return op->getOperand(0).getType().isInteger(1) ? of(op->getOperand(0)) : nullptr;
  bool isKnown = op->getNumResults() == 1 && op->getNumRegions() == 0 && op->getNumOperands() > 0 &&
                 isa<arith::ArithDialect>(op->getDialect());
  if (!isKnown || !llvm::all_of(op->getOperandTypes(), isHandled) ||
      !isHandled(op->getResult(0).getType()))
    return nullptr;
  SmallVector<IndexExpr, 3> x;
  bool isData = false;
  for (Value operand : op->getOperands()) {
    x.push_back(of(operand));
    isData |= x.back()->isData;
  }
  if (isa<arith::AddIOp>(op) && op->getResult(0).getType().isIndex())
    return algebra.add(x[0], x[1]);
  if (isa<arith::SubIOp>(op) && op->getResult(0).getType().isIndex())
    return algebra.subtract(x[0], x[1]);
  if (isa<arith::MulIOp>(op) && op->getResult(0).getType().isIndex())
    return algebra.multiply(x[0], x[1]);
  if (isData)
    return nullptr;
  auto isNatural = [&] {
    return llvm::all_of(x, [&](IndexExpr e) { return algebra.isNonNegative(e); });
  };
  bool isCondition = op->getResult(0).getType().isInteger(1);
  return llvm::TypeSwitch<Operation *, IndexExpr>(op)
      .Case<arith::CmpIOp>([&](auto) { return computeComparison(op); })
      .Case<arith::SelectOp>([&](auto) { return algebra.select(x[0], x[1], x[2]); })
      .Case<arith::AndIOp>([&](auto) { return isCondition ? algebra.min(x[0], x[1]) : nullptr; })
      .Case<arith::OrIOp>([&](auto) { return isCondition ? algebra.max(x[0], x[1]) : nullptr; })
      .Case<arith::XOrIOp>([&](auto) {
        return isCondition && x[1]->constant() == 1 ? algebra.negation(x[0]) : nullptr;
      })
      .Case<arith::MinSIOp>([&](auto) { return isCondition ? nullptr : algebra.min(x[0], x[1]); })
      .Case<arith::MaxSIOp>([&](auto) { return isCondition ? nullptr : algebra.max(x[0], x[1]); })
      .Case<arith::FloorDivSIOp>([&](auto) { return algebra.floorDiv(x[0], x[1]); })
      .Case<arith::DivSIOp, arith::DivUIOp>([&](auto) -> IndexExpr {
        if (!isNatural())
          return nullptr;
        if (op->hasAttr(WeftDialect::quotientAttrName))
          if (IndexExpr quotient = algebra.cancel(x[0], x[1]))
            return quotient;
        return algebra.floorDiv(x[0], x[1]);
      })
      .Case<arith::RemSIOp, arith::RemUIOp>(
          [&](auto) { return isNatural() ? algebra.mod(x[0], x[1]) : nullptr; })
      .Case<arith::CeilDivSIOp>([&](auto) -> IndexExpr {
        IndexExpr last = algebra.subtract(x[1], algebra.constant(1));
        return algebra.floorDiv(algebra.add(x[0], last), x[1]);
      })
      .Default([](Operation *) { return nullptr; });
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

IndexExpr ShapeExpressions::loopExtent(linalg::LinalgOp op, unsigned loop) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [i, expr] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() == loop)
        return extent(operand.get(), static_cast<int64_t>(i));
  }
  return nullptr;
}

IndexExpr ShapeExpressions::extent(Value tensor, int64_t dimension) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(static_cast<unsigned>(dimension)))
    return algebra.constant(type.getDimSize(static_cast<unsigned>(dimension)));
  auto key = std::make_pair(tensor, dimension);
  if (auto it = extents.find(key); it != extents.end())
    return current(it->second);
  // What carries itself around a loop is not looked at again.
  extents[key] = {algebra.extent(tensor, dimension), 0};
  IndexExpr result = computeExtent(tensor, dimension);
  if (!result)
    result = algebra.extent(tensor, dimension);
  Known known{result, 0};
  result = current(known);
  extents[key] = known;
  return result;
}

IndexExpr ShapeExpressions::argumentExtent(BlockArgument argument, int64_t dimension) {
  Operation *parent = argument.getOwner()->getParentOp();
  if (parent == function) {
    auto dims =
        function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), WeftDialect::dimsAttrName);
    // They are the packed tensor's, not its component's.
    bool isPacked = !!function.getArgAttr(argument.getArgNumber(), WeftDialect::packedAttrName);
    if (!dims || isPacked || static_cast<size_t>(dimension) >= dims.size())
      return nullptr;
    auto name = dyn_cast<StringAttr>(dims[static_cast<size_t>(dimension)]);
    Value symbol = name ? symbols.lookup(name.getValue()) : Value();
    return symbol ? of(symbol) : nullptr;
  }
  auto loop = dyn_cast<scf::ForOp>(parent);
  if (!loop || argument == loop.getInductionVar())
    return nullptr;
  // An extent that stays what it was at the start.
  IndexExpr start = extent(loop.getTiedLoopInit(argument)->get(), dimension);
  IndexExpr self = algebra.extent(argument, dimension);
  IndexExpr next = extent(loop.getTiedLoopYieldedValue(argument)->get(), dimension);
  if (next != start && next != self)
    return nullptr;
  // What was asked for on the way took it for unknown.
  algebra.replace(self->atom(), start);
  return start;
}

IndexExpr ShapeExpressions::branchExtent(Operation *op, unsigned result, int64_t dimension) {
  auto branch = cast<scf::IfOp>(op);
  IndexExpr first = extent(branch.thenYield().getOperand(result), dimension);
  IndexExpr second = extent(branch.elseYield().getOperand(result), dimension);
  return first == second ? first : nullptr;
}

IndexExpr ShapeExpressions::computeExtent(Value tensor, int64_t dimension) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return argumentExtent(argument, dimension);
  auto result = cast<OpResult>(tensor);
  return computeExtent(result.getOwner(), result.getResultNumber(), dimension);
}

IndexExpr ShapeExpressions::computeExtent(Operation *op, unsigned result, int64_t dimension) {
  auto d = static_cast<size_t>(dimension);
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return extent(destination.getDpsInitOperand(result)->get(), dimension);
  return llvm::TypeSwitch<Operation *, IndexExpr>(op)
      .Case<tensor::EmptyOp>([&](auto empty) { return of(empty.getMixedSizes()[d]); })
      .Case<tensor::CastOp>([&](auto castOp) -> IndexExpr {
        return isa<RankedTensorType>(castOp.getSource().getType())
                   ? extent(castOp.getSource(), dimension)
                   : nullptr;
      })
      .Case<tensor::InsertSliceOp>([&](auto insert) { return extent(insert.getDest(), dimension); })
      .Case<tensor::InsertOp>([&](auto insert) { return extent(insert.getDest(), dimension); })
      .Case<tensor::ExtractSliceOp>([&](auto slice) {
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        size_t at = 0;
        for (size_t i = 0, left = d;; ++at)
          if (!dropped.test(static_cast<unsigned>(at)) && i++ == left)
            break;
        return of(slice.getMixedSizes()[at]);
      })
      .Case<tensor::ExpandShapeOp>([&](auto expand) { return of(expand.getMixedOutputShape()[d]); })
      .Case<tensor::CollapseShapeOp>([&](auto collapse) {
        IndexExpr product = algebra.constant(1);
        ReassociationIndices group = collapse.getReassociationIndices()[d];
        for (int64_t i : group)
          product = algebra.multiply(product, extent(collapse.getSrc(), i));
        return product;
      })
      .Case<tensor::PadOp>([&](auto pad) {
        IndexExpr inner = extent(pad.getSource(), dimension);
        return algebra.add(algebra.add(inner, of(pad.getMixedLowPad()[d])),
                           of(pad.getMixedHighPad()[d]));
      })
      .Case<scf::IfOp>([&](auto) { return branchExtent(op, result, dimension); })
      .Case<scf::ForOp>([&](auto loop) -> IndexExpr {
        Value argument = loop.getRegionIterArg(result);
        Value init = loop.getInitArgs()[result];
        IndexExpr start = extent(init, dimension);
        return argument.getType() == init.getType() && extent(argument, dimension) == start
                   ? start
                   : nullptr;
      })
      .Default([](Operation *) { return nullptr; });
}
