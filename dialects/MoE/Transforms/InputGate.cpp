//===- InputGate.cpp - Weights of what experts read -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/InputGate.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// What a block yields, if it is folded for these arguments.
static Attribute foldBlock(Block &block, ArrayRef<Attribute> arguments) {
  DenseMap<Value, Attribute> known;
  for (auto [argument, number] : llvm::zip(block.getArguments(), arguments))
    known[argument] = number;
  auto valueOf = [&](Value value) -> Attribute {
    Attribute number;
    if (Attribute found = known.lookup(value))
      return found;
    return matchPattern(value, m_Constant(&number)) ? number : Attribute();
  };
  for (Operation &op : block.without_terminator()) {
    SmallVector<Attribute> operands;
    for (Value operand : op.getOperands())
      operands.push_back(valueOf(operand));
    SmallVector<OpFoldResult> results;
    // Folding may exchange operands of what it is called on.
    Operation *copy = op.clone();
    LogicalResult folded = copy->fold(operands, results);
    for (OpFoldResult &result : results)
      if (auto value = dyn_cast<Value>(result))
        result = valueOf(value);
    copy->destroy();
    if (failed(folded))
      continue;
    for (auto [value, number] : llvm::zip(op.getResults(), results))
      known[value] = dyn_cast<Attribute>(number);
  }
  return valueOf(block.getTerminator()->getOperand(0));
}

static bool isZero(Attribute number) {
  auto real = dyn_cast_or_null<FloatAttr>(number);
  return real && real.getValue().isZero();
}

bool moe::keepsZeros(Block &block) {
  SmallVector<Attribute> zeros;
  for (BlockArgument argument : block.getArguments())
    zeros.push_back(FloatAttr::get(argument.getType(), 0));
  return isZero(foldBlock(block, zeros));
}

std::optional<InputGate> InputGate::match(ChoiceMatcher matcher, const ElementAccess &gate) {
  constexpr size_t most = 8;
  InputGate result;
  ElementAccess element = matcher.resolver.resolve(gate);
  while (auto op = element.tensor.getDefiningOp<linalg::GenericOp>()) {
    if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 || result.steps.size() == most ||
        op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) ||
        !op.getBody()->getOps<linalg::IndexOp>().empty())
      return std::nullopt;
    std::optional<ElementAccess> input = matcher.resolver.input(op, 0, element.at);
    if (!input)
      return std::nullopt;
    result.steps.push_back(op);
    element = matcher.resolver.resolve(*input);
  }
  std::optional<ChosenScatter> chosen = matcher.matchChosen(element);
  std::optional<double> other = chosen ? splatOf(chosen->op.getInit()) : std::nullopt;
  auto type =
      chosen ? dyn_cast<FloatType>(typeOf(chosen->op.getInit()).getElementType()) : FloatType();
  if (!other || !type)
    return std::nullopt;
  Attribute number = FloatAttr::get(type, *other);
  for (linalg::GenericOp op : llvm::reverse(result.steps))
    number = number ? foldBlock(*op.getBody(), {number}) : Attribute();
  if (!isZero(number))
    return std::nullopt;
  result.chosen = *chosen;
  return result;
}

Value InputGate::buildWeights(OpBuilder &b, Location loc) const {
  ReferenceBuilder m(b, loc);
  Value weights = chosen.updates;
  for (linalg::GenericOp op : llvm::reverse(steps)) {
    Value empty =
        m.empty(tensor::getMixedSizes(b, loc, weights), typeOf(op->getResult(0)).getElementType());
    weights = m.map(weights, empty, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
      IRMapping mapping;
      mapping.map(op.getBody()->getArgument(0), args[0]);
      for (Operation &inner : op.getBody()->without_terminator())
        b.clone(inner, mapping);
      return mapping.lookupOrDefault(yielded(op));
    });
  }
  return weights;
}
