//===- ExpertLink.cpp - What one expert adds ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/ExpertLink.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The variables of traced elements: a row of what an expert gets, a column, and the
/// two positions of a mask.
enum { kRow, kColumn, kMask0, kMask1 };

/// Whether a scatter adds.
static bool addsUp(ScatterOp op) {
  Block &block = op.getCombiner().front();
  auto add = block.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || &block.front() != add || block.getOperations().size() != 2)
    return false;
  Value x = block.getArgument(0), y = block.getArgument(1);
  return (add.getLhs() == x && add.getRhs() == y) || (add.getLhs() == y && add.getRhs() == x);
}

/// `value` without conversions of integers, which are bits where they become floats, and without
/// comparisons of bits with 0.
static Value withoutConversions(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<arith::ExtUIOp, arith::ExtSIOp, arith::TruncIOp, arith::UIToFPOp>(op)) {
      value = op->getOperand(0);
      continue;
    }
    auto compare = dyn_cast<arith::CmpIOp>(op);
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::ne ||
        !matchPattern(compare.getRhs(), m_Zero()))
      return value;
    value = compare.getLhs();
  }
  return value;
}

namespace {
/// "ids[token, choice] == expert".
struct Mask {
  Value ids;
  int64_t expert;
  /// The dimensions of the mask that are token and choice, -1 for none.
  int64_t token, choice;
};
} // namespace

static std::optional<Mask> matchEquality(linalg::GenericOp op, arith::CmpIOp compare,
                                         const Element &element, bool isOneToken) {
  if (compare.getPredicate() != arith::CmpIPredicate::eq)
    return std::nullopt;
  std::optional<Element> ids;
  std::optional<int64_t> expert;
  for (Value side : {compare.getLhs(), compare.getRhs()}) {
    APInt number;
    if (matchPattern(side, m_ConstantInt(&number))) {
      expert = number.getSExtValue();
      continue;
    }
    auto argument = dyn_cast<BlockArgument>(withoutConversions(side));
    if (!argument || argument.getOwner() != op.getBody() ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      return std::nullopt;
    std::optional<Element> input = inputElement(op, argument.getArgNumber(), element);
    if (!input)
      return std::nullopt;
    Element source = traceElement(*input);
    if (std::optional<int64_t> known = constantElement(source))
      expert = known;
    else
      ids = source;
  }
  if (!ids || !expert || typeOf(ids->tensor).getRank() != 2)
    return std::nullopt;
  auto dimensionOf = [](Position position) -> std::optional<int64_t> {
    if (position.kind == Position::Variable)
      return position.value - kMask0;
    return position.isConstant() && position.value == 0 ? std::optional<int64_t>(-1) : std::nullopt;
  };
  std::optional<int64_t> token = dimensionOf(ids->at[0]), choice = dimensionOf(ids->at[1]);
  // Reshapes do not keep the name of a dimension of 1.
  if (isOneToken && token && *token < 0 && typeOf(ids->tensor).getDimSize(0) == 1)
    token = 0;
  if (!token || !choice || *token < 0 || *token == *choice)
    return std::nullopt;
  // A constant choice is the only one.
  if (*choice < 0 && typeOf(ids->tensor).getDimSize(1) != 1)
    return std::nullopt;
  return Mask{ids->tensor, *expert, *token, *choice};
}

/// "ids[token, choice] == expert" of an element, perhaps converted.
static std::optional<Mask> matchMask(Element element, bool isOneToken = false) {
  while (true) {
    element = traceElement(element);
    auto generic = element.tensor.getDefiningOp<linalg::GenericOp>();
    if (!generic || generic->getNumResults() != 1)
      return std::nullopt;
    Value value = withoutConversions(generic.getBody()->getTerminator()->getOperand(0));
    if (auto compare = value.getDefiningOp<arith::CmpIOp>())
      return matchEquality(generic, compare, element, isOneToken);
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getArgNumber() >= generic.getNumDpsInputs())
      return std::nullopt;
    std::optional<Element> input = inputElement(generic, argument.getArgNumber(), element);
    if (!input)
      return std::nullopt;
    element = *input;
  }
}

/// The elements that `weft.nonzero` looks for.
static std::optional<Mask> matchMask(NonZeroOp nonzero) {
  int64_t rank = typeOf(nonzero.getInput()).getRank();
  if (rank > 2)
    return std::nullopt;
  Element element{nonzero.getInput(), {}};
  for (int64_t i = 0; i < rank; ++i)
    element.at.push_back(Position::free(kMask0 + i));
  return matchMask(element);
}

/// The two factors of an elementwise product of `value`, a matrix, at these variables.
static SmallVector<Element, 2> factorsOf(Value value, int64_t row, int64_t column) {
  Element element = traceElement({value, {Position::free(row), Position::free(column)}});
  auto generic = element.tensor.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic.getNumDpsInputs() != 2 || generic->getNumResults() != 1)
    return {};
  auto product = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  if (!product || generic.getBody()->getOperations().size() != 2)
    return {};
  SmallVector<Element, 2> factors;
  for (Value side : {product.getLhs(), product.getRhs()}) {
    auto argument = dyn_cast<BlockArgument>(side);
    if (!argument || argument.getArgNumber() >= 2)
      return {};
    std::optional<Element> input = inputElement(generic, argument.getArgNumber(), element);
    if (!input)
      return {};
    factors.push_back(traceElement(*input));
  }
  return factors;
}

std::optional<Link> moe::matchLink(ScatterOp scatter) {
  RankedTensorType indices = typeOf(scatter.getIndices()), result = typeOf(scatter.getInit());
  if (!addsUp(scatter) || indices.getRank() != 2 || indices.getDimSize(1) != 1 ||
      result.getRank() != 2)
    return std::nullopt;
  Element index =
      traceElement({scatter.getIndices(), {Position::free(kRow), Position::constant(0)}});
  auto nonzero = index.tensor.getDefiningOp<NonZeroOp>();
  if (!nonzero || index.tensor != nonzero.getIndices() || !index.at[0].isConstant() ||
      !(index.at[1] == Position::free(kRow)))
    return std::nullopt;
  std::optional<Mask> mask = matchMask(nonzero);
  if (!mask || mask->token != index.at[0].value)
    return std::nullopt;
  Position token = Position::found(nonzero, mask->token, kRow);
  Position choice =
      mask->choice < 0 ? Position::constant(0) : Position::found(nonzero, mask->choice, kRow);

  SmallVector<Element, 2> factors = factorsOf(scatter.getUpdates(), kRow, kColumn);
  if (factors.size() != 2)
    return std::nullopt;
  auto isWeight = [&](const Element &element) {
    return element.at.size() == 2 && element.at[0] == token && element.at[1] == choice;
  };
  if (isWeight(factors[0]))
    std::swap(factors[0], factors[1]);
  if (!isWeight(factors[1]))
    return std::nullopt;
  Link link{scatter, nonzero, mask->expert, mask->ids, factors[1].tensor, Value(), ExpertBody()};
  if (failed(link.body.match(factors[0].tensor)))
    return std::nullopt;
  Element input = traceElement({link.body.input, {Position::free(kRow), Position::free(kColumn)}});
  if (input.at.size() != 2 || !(input.at[0] == token) || !(input.at[1] == Position::free(kColumn)))
    return std::nullopt;
  link.input = input.tensor;
  return link;
}

linalg::GenericOp moe::matchAddition(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 2 || op.getNumLoops() != 2 ||
      !llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }) ||
      op.getNumReductionLoops() != 0 || op.getBody()->getOperations().size() != 2)
    return {};
  auto add = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  bool both = add && isa<BlockArgument>(add.getLhs()) && isa<BlockArgument>(add.getRhs()) &&
              add.getLhs() != add.getRhs();
  return both ? op : linalg::GenericOp();
}

/// Whether the first position is that of the token, which is 0 if there is only one.
static bool isToken(const Element &element, int64_t variable) {
  return element.at[0] == Position::free(variable) ||
         (element.at[0] == Position::constant(0) && typeOf(element.tensor).getDimSize(0) == 1);
}

/// What a sum of all tokens' choices weighs an expert by: sum_j weights[t, j] * (ids[t, j] ==
/// expert), where `sum` is the element of the token.
static std::optional<Mask> matchChosenWeight(const Element &sum, Value &weights) {
  auto op = sum.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || sum.at.empty() || !isToken(sum, kRow) ||
      !llvm::all_of(ArrayRef(sum.at).drop_front(),
                    [](Position p) { return p == Position::constant(0); }) ||
      op.getNumDpsInputs() != 1 || op->getNumResults() != 1 || op.getNumLoops() != 2 ||
      op.getNumReductionLoops() != 1 || !op.getIndexingMapsArray()[0].isIdentity() ||
      op.getIteratorTypesArray()[1] != utils::IteratorType::reduction ||
      op.getBody()->getOperations().size() != 2)
    return std::nullopt;
  auto add = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!add || !isa<BlockArgument>(add.getLhs()) || !isa<BlockArgument>(add.getRhs()) ||
      add.getLhs() == add.getRhs() || !fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
    return std::nullopt;
  SmallVector<Element, 2> factors = factorsOf(op.getInputs()[0], kMask0, kMask1);
  for (size_t i = 0; i < factors.size(); ++i) {
    const Element &other = factors[1 - i];
    std::optional<Mask> mask = matchMask(factors[i], /*isOneToken=*/true);
    if (!mask || mask->token != 0 || mask->choice != 1 || other.at.size() != 2 ||
        !isToken(other, kMask0) || !(other.at[1] == Position::free(kMask1)))
      continue;
    weights = other.tensor;
    return mask;
  }
  return std::nullopt;
}

std::optional<Link> moe::matchAddend(Value value) {
  SmallVector<Element, 2> factors = factorsOf(value, kRow, kColumn);
  for (size_t i = 0; i < factors.size(); ++i) {
    const Element &rows = factors[1 - i];
    Link link;
    std::optional<Mask> mask = matchChosenWeight(factors[i], link.weights);
    if (!mask || rows.at.size() != 2 || !isToken(rows, kRow) ||
        !(rows.at[1] == Position::free(kColumn)) || failed(link.body.match(rows.tensor)))
      continue;
    link.expert = mask->expert;
    link.ids = mask->ids;
    link.input = link.body.input;
    return link;
  }
  return std::nullopt;
}
