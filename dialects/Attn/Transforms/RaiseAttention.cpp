//===- RaiseAttention.cpp - Products around a softmax are an attention ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnBuilders.h"
#include "dialects/Attn/IR/AttnLayout.h"
#include "dialects/Attn/Transforms/Conversions.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "dialects/Attn/Transforms/ScoreChain.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace weft::attn {
#define GEN_PASS_DEF_RAISEATTENTION
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace weft::attn

using namespace mlir;
using namespace weft;
using namespace weft::attn;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Whether a contraction starts at 0 and multiplies floats.
static bool isPlainProduct(ContractOp op) {
  Value init = op.getInit();
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) && !op.getBias() &&
         !isa<PackedType>(op.getLhs().getType()) && !isa<PackedType>(op.getRhs().getType());
}

namespace {
/// A factor of a product with letters for its dimensions.
struct Factor {
  Value value;
  std::string letters;
};

/// The two products of an attention.
struct Products {
  Factor query, key, value;
  std::string scores, result;
};
} // namespace

/// The letters of an operand, by those of the loops; empty if it broadcasts.
static std::string lettersOf(AffineMap map, StringRef loops) {
  std::string letters;
  for (AffineExpr expr : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || loops[dim.getPosition()] == ' ')
      return "";
    letters += loops[dim.getPosition()];
  }
  return letters;
}

/// Names the loops of queries times keys. `scores` are the letters of the result.
static bool matchFirst(ContractOp op, Products &products) {
  if (!isPlainProduct(op))
    return false;
  std::string loops(op.getNumLoops(), ' ');
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (op.isContracted(loop)) {
      if (llvm::is_contained(loops, 'd'))
        return false;
      loops[loop] = 'd';
    }
  int64_t rank = op.getResultMap().getNumResults();
  if (rank < 2 || rank > 4)
    return false;
  products.scores = StringRef("bhst").take_back(rank).str();
  if (rank == 3)
    products.scores = "bst";
  for (auto [expr, letter] : llvm::zip(op.getResultMap().getResults(), products.scores))
    loops[cast<AffineDimExpr>(expr).getPosition()] = letter;
  Factor lhs{op.getLhs(), lettersOf(op.getLhsMap(), loops)};
  Factor rhs{op.getRhs(), lettersOf(op.getRhsMap(), loops)};
  auto has = [](const Factor &factor, char letter) {
    return StringRef(factor.letters).contains(letter);
  };
  if (has(lhs, 't'))
    std::swap(lhs, rhs);
  products.query = lhs;
  products.key = rhs;
  // Queries have all dimensions of the scores but t, keys t and not s.
  for (char letter : products.scores)
    if (letter != 't' && !has(lhs, letter))
      return false;
  return !has(lhs, 't') && has(lhs, 'd') && has(rhs, 't') && has(rhs, 'd') && !has(rhs, 's');
}

/// Names the loops of weights, which are operand `weights`, times values.
static bool matchSecond(ContractOp op, OpOperand &weights, Products &products) {
  if (!isPlainProduct(op))
    return false;
  bool isLhs = &weights == &op.getLhsMutable();
  if (!isLhs && &weights != &op.getRhsMutable())
    return false;
  std::string loops(op.getNumLoops(), ' ');
  AffineMap map = op.getMap(weights);
  for (auto [expr, letter] : llvm::zip(map.getResults(), products.scores)) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || op.isContracted(dim.getPosition()) != (letter == 't'))
      return false;
    loops[dim.getPosition()] = letter;
  }
  for (char &letter : loops)
    if (letter == ' ') {
      if (op.isContracted(&letter - loops.data()) || llvm::is_contained(loops, 'e'))
        return false;
      letter = 'e';
    }
  products.value = {isLhs ? op.getRhs() : op.getLhs(),
                    lettersOf(isLhs ? op.getRhsMap() : op.getLhsMap(), loops)};
  products.result = lettersOf(op.getResultMap(), loops);
  StringRef value = products.value.letters;
  return value.contains('t') && value.contains('e') && !value.contains('s');
}

//===----------------------------------------------------------------------===//
// Repeated heads
//===----------------------------------------------------------------------===//

/// Whether the body yields its first input.
static bool isCopy(linalg::GenericOp op) {
  return op.getNumDpsInputs() == 1 && op.getNumResults() == 1 &&
         op.getBody()->getTerminator()->getOperand(0) == op.getBody()->getArgument(0);
}

/// The broadcast [.., h, g, ..] of a tensor [.., h, 1, ..] to groups of heads.
static Value matchBroadcast(Value value, int64_t group) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || !isCopy(op) || op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return Value();
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  if (map.getNumResults() != map.getNumDims())
    return Value();
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (static_cast<int64_t>(i) == group ? !constant || constant.getValue() != 0
                                         : expr != getAffineDimExpr(i, value.getContext()))
      return Value();
  }
  return op.getDpsInputOperand(0)->get();
}

/// Keys or values before their heads were repeated for the queries that share them, if they
/// were; transpositions in between change the letters.
static std::optional<Factor> beforeRepetition(Factor factor) {
  while (auto transpose = factor.value.getDefiningOp<linalg::TransposeOp>()) {
    std::string letters = factor.letters;
    for (auto [i, from] : llvm::enumerate(transpose.getPermutation()))
      letters[from] = factor.letters[i];
    factor = {transpose.getInput(), letters};
  }
  auto collapse = factor.value.getDefiningOp<tensor::CollapseShapeOp>();
  std::optional<int64_t> heads = findLetter(factor.letters, 'h');
  if (!collapse || !heads ||
      collapse.getSrcType().getRank() != collapse.getResultType().getRank() + 1)
    return std::nullopt;
  for (auto [i, dims] : llvm::enumerate(collapse.getReassociationIndices()))
    if (dims.size() != (static_cast<int64_t>(i) == *heads ? 2u : 1u))
      return std::nullopt;
  Value single = matchBroadcast(collapse.getSrc(), *heads + 1);
  if (!single)
    return std::nullopt;
  auto expand = single.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand || expand.getReassociationIndices() != collapse.getReassociationIndices())
    return std::nullopt;
  return Factor{expand.getSrc(), factor.letters};
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// The use of weights in a product, through a guard that makes 0 of NaN.
static std::pair<OpOperand *, EmptyRows> findUse(linalg::SoftmaxOp softmax) {
  Value weights = softmax->getResult(0);
  // Weights of narrow floats were rounded: they stay as they are computed.
  if (weights.hasOneUse() && (*weights.user_begin())->getNumResults() == 1)
    if (Value narrow = (*weights.user_begin())->getResult(0); matchConversion(narrow))
      weights = narrow;
  if (weights.hasOneUse())
    return {&*weights.use_begin(), EmptyRows::NaN};
  // where(isnan(weights), 0, weights)
  linalg::GenericOp test, choice;
  for (Operation *user : weights.getUsers()) {
    auto op = dyn_cast<linalg::GenericOp>(user);
    if (!op)
      return {};
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    (isa<FloatType>(type.getElementType()) ? choice : test) = op;
  }
  if (!test || !choice || !choice->hasOneUse() || !test->hasOneUse() ||
      *test->user_begin() != choice)
    return {};
  for (linalg::GenericOp op : {test, choice})
    for (OpOperand *input : op.getDpsInputOperands())
      if ((input->get() == weights || input->get() == test->getResult(0)) &&
          !op.getMatchingIndexingMap(input).isIdentity())
        return {};
  auto widen = test.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ExtUIOp>();
  auto compare = widen ? widen.getIn().getDefiningOp<arith::CmpFOp>() : arith::CmpFOp();
  if (!compare || compare.getPredicate() != arith::CmpFPredicate::UNO ||
      compare.getLhs() != compare.getRhs() ||
      withoutConversions(compare.getLhs()) != test.getBody()->getArgument(0))
    return {};
  auto select = choice.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!select)
    return {};
  auto inputOf = [&](Value argument) -> Value {
    auto block = dyn_cast<BlockArgument>(argument);
    return block && block.getOwner() == choice.getBody() ? choice->getOperand(block.getArgNumber())
                                                         : argument;
  };
  auto condition = select.getCondition().getDefiningOp<arith::CmpIOp>();
  if (!condition || condition.getPredicate() != arith::CmpIPredicate::ne ||
      inputOf(condition.getLhs()) != test->getResult(0) ||
      !matchPattern(condition.getRhs(), m_Zero()) || inputOf(select.getFalseValue()) != weights)
    return {};
  Attribute zero;
  if (!matchPattern(inputOf(select.getTrueValue()), m_Constant(&zero)))
    return {};
  if (auto elements = dyn_cast<DenseElementsAttr>(zero))
    zero = elements.isSplat() ? elements.getSplatValue<Attribute>() : Attribute();
  auto number = dyn_cast_or_null<FloatAttr>(zero);
  if (!number || !number.getValue().isZero())
    return {};
  return {&*choice->use_begin(), EmptyRows::MaskNaN};
}

/// A bias as one that broadcasts to [b, h, s, t] from the right.
static Value expandBias(RewriterBase &b, Location loc, Value bias, StringRef letters,
                        StringRef scores) {
  // Dimensions of the scores that precede the bias' first one are left out.
  std::string wanted = letters.str();
  bool lacksHeads = !scores.contains('h');
  if (lacksHeads && letters.size() == scores.size() && scores.contains('b'))
    wanted.insert(1, "1");
  auto type = cast<RankedTensorType>(bias.getType());
  if (wanted.size() == letters.size())
    return bias;
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(b, loc, bias);
  shape.insert(shape.begin() + 1, b.getIndexAttr(1));
  SmallVector<int64_t> extents(type.getShape());
  extents.insert(extents.begin() + 1, 1);
  SmallVector<ReassociationIndices> groups{{0, 1}};
  for (int64_t i = 1; i < type.getRank(); ++i)
    groups.push_back({i + 1});
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(extents, type.getElementType()), bias, groups, shape);
}

/// Whether a bias' dimensions are the last ones of the scores.
static bool isAligned(StringRef letters, StringRef scores) {
  if (letters.size() > scores.size())
    return false;
  for (auto [letter, wanted] : llvm::zip(letters, scores.take_back(letters.size())))
    if (letter != '1' && letter != wanted)
      return false;
  return true;
}

static bool raise(RewriterBase &b, linalg::SoftmaxOp softmax) {
  auto type = cast<RankedTensorType>(softmax.getInput().getType());
  Type element = type.getElementType();
  if (static_cast<int64_t>(softmax.getDimension()) != type.getRank() - 1 ||
      !(element.isF32() || element.isF64()))
    return false;
  std::optional<ScoreChain> chain = ScoreChain::match(softmax.getInput());
  auto [use, emptyRows] = findUse(softmax);
  auto second = use ? dyn_cast<ContractOp>(use->getOwner()) : ContractOp();
  Products products;
  if (!chain || !second || chain->products->getBlock() != second->getBlock() ||
      !matchFirst(chain->products, products) || !matchSecond(second, *use, products))
    return false;
  // One type of scores: f64 for f64 queries only.
  if (element.isF64() != getElementTypeOrSelf(products.query.value.getType()).isF64() ||
      getElementTypeOrSelf(second.getResult().getType()) != element)
    return false;
  ScoreFunction function(*chain, products.scores);
  if (function.bias && !isAligned(function.biasLetters, products.scores))
    return false;

  std::optional<Factor> key = beforeRepetition(products.key),
                        value = beforeRepetition(products.value);
  if (key && value) {
    products.key = *key;
    products.value = *value;
  }
  StringRef keyLetters = products.key.letters, valueLetters = products.value.letters;
  if (keyLetters.contains('b') != valueLetters.contains('b') ||
      keyLetters.contains('h') != valueLetters.contains('h'))
    return false;

  b.setInsertionPoint(second);
  AttendConfig config;
  config.layout = products.query.letters + "," + products.key.letters + "," +
                  products.value.letters + "->" + products.result;
  config.scale = function.scale;
  config.emptyRows = emptyRows;
  config.hasScore = function.hasRegion(*chain);
  if (function.bias)
    config.bias =
        expandBias(b, second.getLoc(), function.bias, function.biasLetters, products.scores);
  Value init = second.getInit().getDefiningOp<linalg::FillOp>().getOutputs()[0];
  auto attend = buildAttend(b, second.getLoc(), products.query.value, products.key.value,
                            products.value.value, init, config);
  if (config.hasScore)
    function.buildRegion(b, attend.getScore().front(), *chain, products.scores, element);
  b.replaceOp(second, attend.getResults());
  return true;
}

namespace {
struct RaiseAttention : attn::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    SmallVector<linalg::SoftmaxOp> candidates;
    getOperation()->walk([&](linalg::SoftmaxOp op) { candidates.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::SoftmaxOp op : candidates)
      numRaised += raise(rewriter, op);
  }
};
} // namespace
