//===- ScoreChain.cpp - What lies between a product and its softmax -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/Transforms/ScoreChain.h"
#include "dialects/Attn/Transforms/Conversions.h"

#include "dialects/Attn/IR/AttnLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::attn;

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Whether `op` computes each element of its result, which is as large as all inputs
/// that are read by identity, from one position.
static bool isElementwise(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumResults() != 1 ||
      op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return false;
  // The init's elements are of no account, nor is anything that is not a number.
  if (!op.getRegionOutputArgs().front().use_empty())
    return false;
  return llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return isMemoryEffectFree(&inner) && inner.getNumRegions() == 0;
  });
}

/// Whether the tensors that the body reads at computed positions, and the operands but
/// the score, are available where `at` is: they are, as `at` comes later. Maps are broadcasts.
static bool hasPlainMaps(linalg::GenericOp op) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto type = dyn_cast<RankedTensorType>(input->get().getType());
    if (!type)
      continue;
    for (auto [expr, extent] :
         llvm::zip(op.getMatchingIndexingMap(input).getResults(), type.getShape())) {
      auto constant = dyn_cast<AffineConstantExpr>(expr);
      if (!isa<AffineDimExpr>(expr) && !(constant && constant.getValue() == 0 && extent == 1))
        return false;
    }
  }
  return true;
}

/// Whether both are tensors of floats of one shape.
static bool haveSameShape(Value a, Value b) {
  auto x = dyn_cast<RankedTensorType>(a.getType()), y = dyn_cast<RankedTensorType>(b.getType());
  return x && y && x.getShape() == y.getShape() && isa<FloatType>(x.getElementType()) &&
         isa<FloatType>(y.getElementType());
}

std::optional<ScoreChain> ScoreChain::match(Value scores) {
  ScoreChain chain;
  const Value all = scores;
  while (true) {
    Operation *def = scores.getDefiningOp();
    if (!def || !scores.hasOneUse())
      return std::nullopt;
    if (auto products = dyn_cast<ContractOp>(def)) {
      chain.products = products;
      std::reverse(chain.steps.begin(), chain.steps.end());
      return chain;
    }
    // Scores of narrow floats were rounded after each step: they stay as they are computed.
    if (Value wide = matchConversion(scores)) {
      scores = wide;
      continue;
    }
    auto op = dyn_cast<linalg::GenericOp>(def);
    if (!op || !isElementwise(op) || !hasPlainMaps(op))
      return std::nullopt;
    // The score is the input that leads to a product; a bias can have the same shape.
    std::optional<unsigned> score;
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (!haveSameShape(input->get(), all) || !op.getMatchingIndexingMap(input).isIdentity() ||
          !input->get().hasOneUse())
        continue;
      Operation *from = input->get().getDefiningOp();
      while (auto generic = dyn_cast_or_null<linalg::GenericOp>(from)) {
        if (generic.getNumDpsInputs() == 0 || !isElementwise(generic))
          break;
        Value next;
        for (OpOperand *inner : generic.getDpsInputOperands())
          if (haveSameShape(inner->get(), all) &&
              generic.getMatchingIndexingMap(inner).isIdentity())
            if (!next || isa_and_nonnull<ContractOp>(inner->get().getDefiningOp()))
              next = inner->get();
        if (!next)
          break;
        from = next.getDefiningOp();
      }
      if (isa_and_nonnull<ContractOp>(from)) {
        if (score)
          return std::nullopt;
        score = input->getOperandNumber();
      }
    }
    if (!score)
      return std::nullopt;
    chain.steps.push_back({op, *score});
    scores = op.getDpsInputOperand(*score)->get();
  }
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

/// The number that `value` is in the body of `op`: a constant, or an element of one.
static std::optional<double> constantOf(linalg::GenericOp op, Value value) {
  value = withoutConversions(value);
  if (auto argument = dyn_cast<BlockArgument>(value);
      argument && argument.getOwner() == op.getBody())
    value = op->getOperand(argument.getArgNumber());
  Attribute attribute;
  if (!matchPattern(value, m_Constant(&attribute)))
    return std::nullopt;
  if (auto elements = dyn_cast<DenseElementsAttr>(attribute)) {
    if (!elements.isSplat() || !isa<FloatType>(elements.getElementType()))
      return std::nullopt;
    return elements.getSplatValue<APFloat>().convertToDouble();
  }
  if (auto number = dyn_cast<FloatAttr>(attribute))
    return number.getValueAsDouble();
  return std::nullopt;
}

/// The factor that a step multiplies scores with.
static std::optional<double> factorOf(ScoreChain::Step step) {
  Operation *inner = soleOperation(step.op);
  if (!isa_and_nonnull<arith::MulFOp, arith::DivFOp>(inner))
    return std::nullopt;
  Value score = step.op.getBody()->getArgument(step.input);
  bool isFirst = withoutConversions(inner->getOperand(0)) == score;
  if (!isFirst && (isa<arith::DivFOp>(inner) || withoutConversions(inner->getOperand(1)) != score))
    return std::nullopt;
  std::optional<double> number = constantOf(step.op, inner->getOperand(isFirst ? 1 : 0));
  if (!number)
    return std::nullopt;
  double factor = isa<arith::DivFOp>(inner) ? 1 / *number : *number;
  return std::isfinite(factor) ? std::optional(factor) : std::nullopt;
}

/// The input that a step adds to scores.
static OpOperand *addedTo(ScoreChain::Step step) {
  auto sum = dyn_cast_or_null<arith::AddFOp>(soleOperation(step.op));
  if (!sum)
    return nullptr;
  Value score = step.op.getBody()->getArgument(step.input);
  Value lhs = withoutConversions(sum.getLhs()), rhs = withoutConversions(sum.getRhs());
  if (lhs != score && rhs != score)
    return nullptr;
  auto other = dyn_cast<BlockArgument>(lhs == score ? rhs : lhs);
  if (!other || other == score || other.getOwner() != step.op.getBody() ||
      other.getArgNumber() >= step.op.getNumDpsInputs())
    return nullptr;
  return step.op.getDpsInputOperand(other.getArgNumber());
}

/// The letters of an input, '1' where its extent is; empty if they are not in order.
static std::string lettersOf(linalg::GenericOp op, OpOperand *input, StringRef letters) {
  std::string result;
  int64_t last = -1;
  auto type = dyn_cast<RankedTensorType>(input->get().getType());
  if (!type)
    return result;
  for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim) {
      result += '1';
      continue;
    }
    if (static_cast<int64_t>(dim.getPosition()) <= last)
      return "";
    last = dim.getPosition();
    result += letters[last];
  }
  return result;
}

ScoreFunction::ScoreFunction(const ScoreChain &chain, StringRef letters) {
  for (ScoreChain::Step step : chain.steps) {
    if (!bias)
      if (std::optional<double> factor = factorOf(step)) {
        scale *= *factor;
        ++regionStart;
        continue;
      }
    OpOperand *added = bias ? nullptr : addedTo(step);
    if (!added)
      return;
    std::string found = lettersOf(step.op, added, letters);
    if (found.empty())
      return;
    bias = added->get();
    biasLetters = found;
    ++regionStart;
  }
}

static Value convertNumber(OpBuilder &b, Location loc, Value number, Type type) {
  if (number.getType() == type)
    return number;
  if (number.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, number);
  return arith::TruncFOp::create(b, loc, type, number);
}

void ScoreFunction::buildRegion(RewriterBase &rewriter, Region &region, const ScoreChain &chain,
                                StringRef letters, Type type) const {
  OpBuilder::InsertionGuard guard(rewriter);
  linalg::GenericOp last = chain.steps.back().op;
  Location loc = last.getLoc();
  Type index = rewriter.getIndexType();
  Block *block = rewriter.createBlock(&region, {}, {type, index, index, index, index},
                                      SmallVector<Location>(5, loc));
  auto indexOf = [&](int64_t loop) -> Value {
    return block->getArgument(1 + *findLetter("bhst", letters[loop]));
  };
  Value score = block->getArgument(0);
  for (ScoreChain::Step step : ArrayRef(chain.steps).drop_front(regionStart)) {
    linalg::GenericOp op = step.op;
    Block *body = op.getBody();
    IRMapping mapping;
    for (OpOperand *input : op.getDpsInputOperands()) {
      Value argument = body->getArgument(input->getOperandNumber());
      if (input->getOperandNumber() == step.input) {
        mapping.map(argument, convertNumber(rewriter, loc, score, argument.getType()));
        continue;
      }
      if (argument.use_empty())
        continue;
      if (!isa<RankedTensorType>(input->get().getType())) {
        mapping.map(argument, input->get());
        continue;
      }
      SmallVector<Value> at;
      for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults()) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        at.push_back(dim ? indexOf(dim.getPosition())
                         : arith::ConstantIndexOp::create(rewriter, loc, 0).getResult());
      }
      mapping.map(argument, tensor::ExtractOp::create(rewriter, loc, input->get(), at).getResult());
    }
    for (Operation &inner : body->without_terminator()) {
      if (auto position = dyn_cast<linalg::IndexOp>(inner)) {
        mapping.map(position.getResult(), indexOf(position.getDim()));
        continue;
      }
      rewriter.clone(inner, mapping);
    }
    score = convertNumber(rewriter, loc,
                          mapping.lookupOrDefault(body->getTerminator()->getOperand(0)), type);
  }
  attn::YieldOp::create(rewriter, loc, score);
}
