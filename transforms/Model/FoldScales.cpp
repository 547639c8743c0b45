//===- FoldScales.cpp - Folds scales and shifts into weights --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"

namespace weft {
#define GEN_PASS_DEF_FOLDSCALES
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// A weight of several uses is not multiplied into another copy from here on.
static constexpr int64_t kMaxCopiedBytes = int64_t(1) << 20;

/// Whether `value` is computed from constants alone.
static bool isConstantValue(Value value) {
  SmallVector<Value> work{value};
  DenseSet<Operation *> seen;
  while (!work.empty()) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op)
      return false;
    if (!seen.insert(op).second || matchPattern(op, m_Constant()))
      continue;
    if (!isMemoryEffectFree(op) || isa<tensor::ExtractOp>(op))
      return false;
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    llvm::append_range(work, op->getOperands());
    llvm::append_range(work, captured);
  }
  return true;
}

namespace {
/// `x * scale + shift` as the steps from x on: each combines the value so far
/// with one that does not depend on x.
struct Step {
  Operation *op;
  Value other;       ///< null for a negation
  bool valueIsFirst; ///< whether the value so far is the first operand
};

/// What computes `x`: its weight, and which loop of both the channels are.
struct Producer {
  Operation *op = nullptr;
  OpOperand *weight = nullptr, *init = nullptr;
  unsigned weightChannel = 0; ///< dimension of the weight
  unsigned resultChannel = 0; ///< dimension of the result
};

/// Folds one elementwise operation into the contraction before it.
class ScaleFolder {
public:
  ScaleFolder(linalg::GenericOp consumer, RewriterBase &rewriter)
      : consumer(consumer), b(rewriter), loc(consumer.getLoc()) {}
  bool run();

private:
  bool matchSteps();
  bool matchChannel();
  bool matchConvolution(ConvOp op);
  bool matchContraction(ContractOp op);
  bool matchInit();
  AffineMap channelMap(AffineMap map, unsigned position, unsigned rank);
  Value materialize(OpBuilder &b, Value value, IRMapping &mapping);
  Value applySteps(OpBuilder &b, Value value, IRMapping &mapping, bool withShifts);
  Value scaleWeight();
  Value shiftInit();

  linalg::GenericOp consumer;
  RewriterBase &b;
  Location loc;
  OpOperand *x = nullptr;
  SmallVector<Step> steps; ///< from x to the result
  bool scales = false, shifts = false;
  Producer producer;
  std::optional<unsigned> channel; ///< loop of the consumer that others use
  Value initValue;                 ///< scalar, or a tensor read by initMap
  AffineMap initMap;
};
} // namespace

/// The steps from the producer's element to the one yielded.
bool ScaleFolder::matchSteps() {
  Block *body = consumer.getBody();
  BlockArgument element = consumer.getMatchingBlockArgument(x);
  auto dependsOnElement = [&](Value value) {
    SmallVector<Value> work{value};
    while (!work.empty()) {
      Value next = work.pop_back_val();
      if (next == element)
        return true;
      if (Operation *def = next.getDefiningOp(); def && def->getBlock() == body)
        llvm::append_range(work, def->getOperands());
    }
    return false;
  };
  for (Operation &op : body->without_terminator())
    if (!isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op.getDialect()) ||
        op.getNumRegions() != 0)
      return false;
  if (!consumer.getMatchingBlockArgument(consumer.getDpsInitOperand(0)).use_empty())
    return false;
  Value value = body->getTerminator()->getOperand(0);
  while (value != element) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != body || !isa<FloatType>(value.getType()))
      return false;
    if (isa<arith::NegFOp>(op)) {
      steps.push_back({op, Value(), true});
      scales = true;
      value = op->getOperand(0);
      continue;
    }
    if (!isa<arith::MulFOp, arith::DivFOp, arith::AddFOp, arith::SubFOp>(op))
      return false;
    bool first = dependsOnElement(op->getOperand(0));
    if (first == dependsOnElement(op->getOperand(1)) || (isa<arith::DivFOp>(op) && !first))
      return false;
    steps.push_back({op, op->getOperand(first ? 1 : 0), first});
    scales |= isa<arith::MulFOp, arith::DivFOp>(op) || (isa<arith::SubFOp>(op) && !first);
    shifts |= isa<arith::AddFOp, arith::SubFOp>(op);
    value = op->getOperand(first ? 0 : 1);
  }
  std::reverse(steps.begin(), steps.end());
  return !steps.empty();
}

/// The other operands vary along one dimension at most, the channels.
bool ScaleFolder::matchChannel() {
  for (OpOperand *operand : consumer.getDpsInputOperands()) {
    if (operand == x)
      continue;
    if (!isConstantValue(operand->get()))
      return false;
    for (AffineExpr expr : consumer.getMatchingIndexingMap(operand).getResults()) {
      if (isa<AffineConstantExpr>(expr))
        continue;
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || (channel && *channel != dim.getPosition()))
        return false;
      channel = dim.getPosition();
    }
  }
  return true;
}

bool ScaleFolder::matchConvolution(ConvOp op) {
  // The filter's first dimension is the channels of all groups; transposed, its
  // second one is those of one group.
  if (channel && *channel != 1)
    return false;
  if (op.getTransposed() && op.getGroups() != 1)
    return false;
  producer.weightChannel = op.getTransposed() ? 1 : 0;
  producer.resultChannel = 1;
  producer.weight = &op.getFilterMutable();
  producer.init = &op.getInitMutable();
  return true;
}

bool ScaleFolder::matchContraction(ContractOp op) {
  if (!scales || op.getBias())
    return false;
  ArrayRef<AffineExpr> results = op.getResultMap().getResults();
  for (OpOperand *factor : {&op.getLhsMutable(), &op.getRhsMutable()}) {
    if (!isa<RankedTensorType>(factor->get().getType()) || !isConstantValue(factor->get()))
      continue;
    for (unsigned d = results.size(); d-- > 0;) {
      if (channel && *channel != d)
        continue;
      std::optional<unsigned> position = op.getMap(*factor).getResultPosition(results[d]);
      if (!position)
        continue;
      producer.weight = factor;
      producer.init = &op.getInitMutable();
      producer.weightChannel = *position;
      producer.resultChannel = d;
      return true;
    }
  }
  return false;
}

/// The start value is one number, or one for each channel.
bool ScaleFolder::matchInit() {
  Operation *def = producer.init->get().getDefiningOp();
  if (auto fill = dyn_cast_or_null<linalg::FillOp>(def)) {
    initValue = fill.getInputs()[0];
    return matchPattern(initValue, m_Constant());
  }
  auto broadcast = dyn_cast_or_null<linalg::GenericOp>(def);
  if (!broadcast || broadcast.getNumDpsInputs() != 1 || broadcast.getNumResults() != 1 ||
      broadcast.getNumReductionLoops() != 0 ||
      !broadcast.getMatchingIndexingMap(broadcast.getDpsInitOperand(0)).isIdentity() ||
      broadcast.getBody()->getTerminator()->getOperand(0) != broadcast.getBody()->getArgument(0))
    return false;
  OpOperand *input = broadcast.getDpsInputOperand(0);
  initMap = broadcast.getMatchingIndexingMap(input);
  for (AffineExpr expr : initMap.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!isa<AffineConstantExpr>(expr) && (!dim || dim.getPosition() != producer.resultChannel))
      return false;
  }
  initValue = input->get();
  return isConstantValue(initValue);
}

/// `map`, of channels only, for an operation of `rank` loops in which they are
/// loop `position`.
AffineMap ScaleFolder::channelMap(AffineMap map, unsigned position, unsigned rank) {
  SmallVector<AffineExpr> dims(map.getNumDims(), b.getAffineDimExpr(position));
  return map.replaceDimsAndSymbols(dims, {}, rank, 0);
}

/// Computes what does not depend on x in another body.
Value ScaleFolder::materialize(OpBuilder &b, Value value, IRMapping &mapping) {
  Operation *def = value.getDefiningOp();
  if (mapping.contains(value) || !def || def->getBlock() != consumer.getBody())
    return mapping.lookupOrDefault(value);
  for (Value operand : def->getOperands())
    materialize(b, operand, mapping);
  b.clone(*def, mapping);
  return mapping.lookup(value);
}

Value ScaleFolder::applySteps(OpBuilder &b, Value value, IRMapping &mapping, bool withShifts) {
  for (const Step &step : steps) {
    bool negates = !step.other || (isa<arith::SubFOp>(step.op) && !step.valueIsFirst);
    if (isa<arith::AddFOp, arith::SubFOp>(step.op) && !withShifts) {
      if (negates)
        value = arith::NegFOp::create(b, loc, value);
      continue;
    }
    Value other = step.other ? materialize(b, step.other, mapping) : Value();
    IRMapping local = mapping;
    local.map(step.op->getOperand(step.valueIsFirst ? 0 : 1), value);
    if (other)
      local.map(step.other, other);
    value = b.clone(*step.op, local)->getResult(0);
  }
  return value;
}

/// weight * scale
Value ScaleFolder::scaleWeight() {
  Value weight = producer.weight->get();
  auto type = cast<RankedTensorType>(weight.getType());
  unsigned rank = static_cast<unsigned>(type.getRank());
  SmallVector<Value> inputs{weight};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank)};
  for (OpOperand *operand : consumer.getDpsInputOperands())
    if (operand != x) {
      inputs.push_back(operand->get());
      maps.push_back(
          channelMap(consumer.getMatchingIndexingMap(operand), producer.weightChannel, rank));
    }
  maps.push_back(b.getMultiDimIdentityMap(rank));
  Value empty = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, inputs, empty, maps,
             SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               IRMapping mapping;
               unsigned next = 1;
               for (OpOperand *operand : consumer.getDpsInputOperands())
                 if (operand != x)
                   mapping.map(consumer.getMatchingBlockArgument(operand), args[next++]);
               linalg::YieldOp::create(b, loc,
                                       applySteps(b, args[0], mapping, /*withShifts=*/false));
             })
      .getResult(0);
}

/// init * scale + shift, one for each channel, broadcast.
Value ScaleFolder::shiftInit() {
  auto weightType = cast<RankedTensorType>(producer.weight->get().getType());
  auto type = cast<RankedTensorType>(producer.init->get().getType());
  auto vectorType =
      RankedTensorType::get({weightType.getDimSize(producer.weightChannel)}, type.getElementType());
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (initMap) {
    inputs.push_back(initValue);
    maps.push_back(channelMap(initMap, 0, 1));
  }
  for (OpOperand *operand : consumer.getDpsInputOperands())
    if (operand != x) {
      inputs.push_back(operand->get());
      maps.push_back(channelMap(consumer.getMatchingIndexingMap(operand), 0, 1));
    }
  maps.push_back(b.getMultiDimIdentityMap(1));
  Value empty = tensor::EmptyOp::create(b, loc, vectorType.getShape(), vectorType.getElementType());
  Value vector =
      linalg::GenericOp::create(
          b, loc, TypeRange{vectorType}, inputs, empty, maps,
          ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
          [&](OpBuilder &b, Location loc, ValueRange args) {
            IRMapping mapping;
            unsigned next = initMap ? 1 : 0;
            for (OpOperand *operand : consumer.getDpsInputOperands())
              if (operand != x)
                mapping.map(consumer.getMatchingBlockArgument(operand), args[next++]);
            linalg::YieldOp::create(
                b, loc, applySteps(b, initMap ? args[0] : initValue, mapping, /*withShifts=*/true));
          })
          .getResult(0);
  unsigned rank = static_cast<unsigned>(type.getRank());
  Value start = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, producer.init->get()),
                                        type.getElementType());
  AffineMap fromChannel = AffineMap::get(rank, 0, b.getAffineDimExpr(producer.resultChannel));
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, vector, start,
             ArrayRef<AffineMap>{fromChannel, b.getMultiDimIdentityMap(rank)},
             SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, args[0]);
             })
      .getResult(0);
}

bool ScaleFolder::run() {
  if (consumer.getNumResults() != 1 || consumer.getNumReductionLoops() != 0 ||
      !consumer.getMatchingIndexingMap(consumer.getDpsInitOperand(0)).isIdentity())
    return false;
  for (OpOperand *operand : consumer.getDpsInputOperands())
    if (Operation *def = operand->get().getDefiningOp();
        isa_and_nonnull<ConvOp, ContractOp>(def) && def->hasOneUse() &&
        def->getBlock() == consumer->getBlock() && def->getNumResults() == 1 &&
        def->getResultTypes() == consumer->getResultTypes() &&
        consumer.getMatchingIndexingMap(operand).isIdentity() && !isConstantValue(operand->get())) {
      x = operand;
      producer.op = def;
      break;
    }
  if (!x || !matchSteps() || !matchChannel())
    return false;
  auto conv = dyn_cast<ConvOp>(producer.op);
  if (conv ? !matchConvolution(conv) : !matchContraction(cast<ContractOp>(producer.op)))
    return false;
  Value weight = producer.weight->get();
  auto type = dyn_cast<RankedTensorType>(weight.getType());
  if (!type) // packed
    return false;
  Type element = type.getElementType();
  if (!type.hasStaticShape() || !isConstantValue(weight) || !(element.isF32() || element.isF64()) ||
      element != getElementTypeOrSelf(consumer.getResult(0).getType()) || !matchInit())
    return false;
  for (Value input : consumer.getInputs())
    if (getElementTypeOrSelf(input.getType()) != element)
      return false;
  if (scales && !weight.hasOneUse() &&
      type.getNumElements() > kMaxCopiedBytes / (element.getIntOrFloatBitWidth() / 8))
    return false;

  b.setInsertionPoint(consumer);
  IRMapping mapping;
  if (scales)
    mapping.map(weight, scaleWeight());
  // Zero stays zero where nothing is added.
  if (shifts || initMap || !matchPattern(initValue, m_AnyZeroFloat()))
    mapping.map(producer.init->get(), shiftInit());
  Operation *folded = b.clone(*producer.op, mapping);
  folded->setLoc(b.getFusedLoc({producer.op->getLoc(), loc}));
  remark::passed(loc, remark::RemarkOpts::name("FoldScales").category("constants"))
      << remark::add("{0} folded into the weights of '{1}'",
                     scales && shifts ? "scale and shift are"
                     : scales         ? "a scale is"
                                      : "a shift is",
                     producer.op->getName().getStringRef());
  Operation *old = producer.op;
  b.replaceOp(consumer, folded->getResults());
  b.eraseOp(old);
  return true;
}

namespace {
struct FoldScales : weft::impl::FoldScalesBase<FoldScales> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> generics;
    getOperation()->walk([&](linalg::GenericOp op) { generics.push_back(op); });
    IRRewriter rewriter(&getContext());
    // What was folded can be folded into again: operations come in their order.
    for (linalg::GenericOp op : generics)
      numFolded += ScaleFolder(op, rewriter).run();
  }
};
} // namespace
