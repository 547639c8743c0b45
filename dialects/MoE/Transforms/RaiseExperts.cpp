//===- RaiseExperts.cpp - Layers of experts written one by one ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/ElementTrace.h"
#include "dialects/MoE/Transforms/ExpertBody.h"
#include "dialects/MoE/Transforms/Passes.h"

#include "mlir/IR/Matchers.h"

namespace weft::moe {
#define GEN_PASS_DEF_RAISEEXPERTS
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// The variables of traced elements: a row of what an expert gets, a column, and the
/// two positions of a mask.
enum { kRow, kColumn, kMask0, kMask1 };

namespace {
/// What one expert adds to the result: for the tokens that `nonzero` found, or for all.
struct Link {
  ScatterOp scatter;
  NonZeroOp nonzero;
  int64_t expert = -1;
  Value ids, weights, input;
  ExpertBody body;
};
} // namespace

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

static std::optional<Link> matchLink(ScatterOp scatter) {
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

/// An elementwise sum of two matrices.
static linalg::GenericOp matchAddition(Value value) {
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

/// An expert that is computed for all tokens, and weighted.
static std::optional<Link> matchAddend(Value value) {
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

/// Whether a branch only fails calls because of an index out of range.
static bool onlyChecksIndices(scf::IfOp op) {
  if (op->getNumResults() != 0 || op.elseBlock())
    return false;
  return llvm::all_of(op.thenBlock()->without_terminator(), [](Operation &inner) {
    auto assertion = dyn_cast<AssertOp>(inner);
    return assertion ? assertion.getMessage().contains("is out of range for an extent of")
                     : isMemoryEffectFree(&inner);
  });
}

/// Collects what tests the positions that `nonzero` found; fails if they serve
/// anything but the links.
static LogicalResult collectChecks(NonZeroOp nonzero, const DenseSet<Operation *> &links,
                                   SetVector<Operation *> &checks) {
  SmallVector<Operation *> work(nonzero->getUsers());
  DenseSet<Operation *> seen;
  while (!work.empty()) {
    Operation *op = nonzero->getBlock()->findAncestorOpInBlock(*work.pop_back_val());
    if (!op)
      return failure();
    if (!seen.insert(op).second || links.contains(op))
      continue;
    if (auto branch = dyn_cast<scf::IfOp>(op); branch && onlyChecksIndices(branch)) {
      checks.insert(op);
      continue;
    }
    if (!isMemoryEffectFree(op) || op->hasTrait<OpTrait::IsTerminator>())
      return failure();
    llvm::append_range(work, op->getUsers());
  }
  return success();
}

namespace {
class Raiser {
public:
  explicit Raiser(RewriterBase &rewriter) : rewriter(rewriter) {}
  /// Raises the sum that ends in `last`, if it is one of experts.
  bool raise(ScatterOp last);
  /// Raises a sum of experts that all see all tokens.
  bool raise(linalg::GenericOp sum);

private:
  bool matchChain(ScatterOp last);
  bool matchSum(linalg::GenericOp sum);
  bool isComplete();
  Value stack(llvm::function_ref<Value(const ExpertBody &)> part);
  void assertExtents(Value x, int64_t i, Value y, int64_t j);
  Value numbersOf(Value ids);
  ExpertFFNOp build(Operation *last, Value base);

  RewriterBase &rewriter;
  SmallVector<Link> links; ///< by expert
  SetVector<Operation *> checks;
  SmallVector<Value> rest; ///< addends of a sum that are no experts
};
} // namespace

bool Raiser::matchChain(ScatterOp last) {
  links.clear();
  checks.clear();
  DenseSet<Operation *> scatters;
  for (ScatterOp scatter = last; scatter;) {
    if (scatter != last && !scatter->hasOneUse())
      break;
    std::optional<Link> link = matchLink(scatter);
    if (!link)
      break;
    if (!links.empty() && (link->ids != links[0].ids || link->weights != links[0].weights ||
                           link->input != links[0].input || !link->body.isLike(links[0].body)))
      break;
    links.push_back(*link);
    scatters.insert(scatter);
    scatter = scatter.getInit().getDefiningOp<ScatterOp>();
  }
  if (links.size() < 2)
    return false;
  std::reverse(links.begin(), links.end());
  return isComplete() && llvm::all_of(links, [&](const Link &link) {
           return succeeded(collectChecks(link.nonzero, scatters, checks));
         });
}

/// A part of every expert in one tensor.
Value Raiser::stack(llvm::function_ref<Value(const ExpertBody &)> part) {
  SmallVector<Value> parts;
  Location loc = links[0].body.down.result.getLoc();
  for (const Link &link : links) {
    Value value = part(link.body);
    RankedTensorType type = typeOf(value);
    SmallVector<int64_t> shape{1};
    llvm::append_range(shape, type.getShape());
    SmallVector<ReassociationIndices> groups{{0, 1}};
    for (int64_t i = 1; i < type.getRank(); ++i)
      groups.push_back({i + 1});
    parts.push_back(tensor::ExpandShapeOp::create(
        rewriter, loc, RankedTensorType::get(shape, type.getElementType()), value, groups));
  }
  return tensor::ConcatOp::create(rewriter, loc, /*dim=*/0, parts);
}

/// Fails the call unless two extents are equal, which the tests of positions that
/// are no longer there said.
void Raiser::assertExtents(Value x, int64_t i, Value y, int64_t j) {
  if (!typeOf(x).isDynamicDim(i) && typeOf(x).getDimSize(i) == typeOf(y).getDimSize(j))
    return;
  ReferenceBuilder m(rewriter, links[0].body.down.result.getLoc());
  Value have = m.dim(x, i), want = m.dim(y, j);
  AssertOp::create(rewriter, m.loc, m.cmp(arith::CmpIPredicate::eq, have, want), /*code=*/11,
                   "has {0} rows for {1} tokens", ValueRange{have, want});
}

/// The numbers of experts as i32. Those of a sort are in range; others that no mask
/// asks for become -1.
Value Raiser::numbersOf(Value ids) {
  ReferenceBuilder m(rewriter, ids.getLoc());
  Type i32 = rewriter.getI32Type(), type = typeOf(ids).getElementType();
  auto sort = ids.getDefiningOp<SortOp>();
  int64_t experts = static_cast<int64_t>(links.size());
  bool isInRange = sort && ids == sort.getIndices() &&
                   typeOf(sort.getInput()).getDimSize(sort.getDimension()) == experts;
  if (isInRange && type == i32)
    return ids;
  Value init = m.empty(tensor::getMixedSizes(rewriter, m.loc, ids), i32);
  return m.map(ids, init, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    Value number = e.convert(args[0], i32);
    if (isInRange)
      return number;
    Value low = e.cmp(arith::CmpIPredicate::sge, args[0], e.number(type, 0));
    Value high =
        e.cmp(arith::CmpIPredicate::slt, args[0], e.number(type, static_cast<double>(experts)));
    return e.select(e.both(low, high), number, e.number(i32, -1));
  });
}

ExpertFFNOp Raiser::build(Operation *last, Value base) {
  const Link &first = links[0];
  Location loc = last->getLoc();
  Value ids = numbersOf(first.ids);
  SmallVector<Value> up, upBiases;
  for (size_t i = 0; i < first.body.sums.size(); ++i) {
    up.push_back(
        stack([&](const ExpertBody &body) { return body.sums[i].weightAsMatrix(rewriter); }));
    if (first.body.sums[i].bias)
      upBiases.push_back(stack([&](const ExpertBody &body) { return body.sums[i].bias; }));
  }
  Value down = stack([&](const ExpertBody &body) { return body.down.weightAsMatrix(rewriter); });
  Value downBias;
  if (first.body.down.bias)
    downBias = stack([&](const ExpertBody &body) { return body.down.bias; });
  auto layer = ExpertFFNOp::create(rewriter, loc, base.getType(), /*weightBefore=*/false,
                                   /*transposed=*/false, Fusion::Separate, first.input, ids,
                                   first.weights, up, upBiases, down, downBias, base);
  first.body.buildActivation(rewriter, layer);
  return layer;
}

bool Raiser::raise(ScatterOp last) {
  if (!matchChain(last))
    return false;
  const Link &first = links[0];
  rewriter.setInsertionPoint(last);
  // The sum started from what the lowest scatter was given.
  Value base = last.getInit();
  for (size_t i = 1; i < links.size(); ++i)
    base = base.getDefiningOp<ScatterOp>().getInit();
  assertExtents(first.input, 0, first.ids, 0);
  assertExtents(base, 0, first.ids, 0);
  assertExtents(first.weights, 0, first.ids, 0);
  assertExtents(first.weights, 1, first.ids, 1);
  rewriter.replaceOp(last, build(last, base).getResult());
  for (Operation *check : checks)
    rewriter.eraseOp(check);
  return true;
}

/// Whether there are experts from 0 on that differ in their weights only; sorts them.
bool Raiser::isComplete() {
  llvm::stable_sort(links, [](const Link &x, const Link &y) { return x.expert < y.expert; });
  for (auto [i, link] : llvm::enumerate(links))
    if (link.expert != static_cast<int64_t>(i) || link.ids != links[0].ids ||
        link.weights != links[0].weights || link.input != links[0].input ||
        !link.body.isLike(links[0].body))
      return false;
  return links.size() >= 2;
}

bool Raiser::matchSum(linalg::GenericOp sum) {
  links.clear();
  rest.clear();
  SmallVector<Value> addends{sum.getInputs()[1], sum.getInputs()[0]};
  while (!addends.empty()) {
    Value value = addends.pop_back_val();
    if (std::optional<Link> link = matchAddend(value)) {
      links.push_back(*link);
    } else if (linalg::GenericOp inner = matchAddition(value); inner && inner->hasOneUse()) {
      addends.push_back(inner.getInputs()[1]);
      addends.push_back(inner.getInputs()[0]);
    } else {
      rest.push_back(value);
    }
  }
  return rest.size() <= 1 && isComplete();
}

bool Raiser::raise(linalg::GenericOp sum) {
  if (!matchSum(sum))
    return false;
  rewriter.setInsertionPoint(sum);
  ReferenceBuilder m(rewriter, sum.getLoc());
  Value base = rest.empty() ? Value() : rest[0];
  if (!base) {
    Type element = typeOf(sum.getResult(0)).getElementType();
    base = m.fill(m.empty(tensor::getMixedSizes(rewriter, m.loc, sum.getDpsInits()[0]), element),
                  m.number(element, 0));
  }
  rewriter.replaceOp(sum, build(sum, base).getResult());
  return true;
}

namespace {
struct RaiseExperts : moe::impl::RaiseExpertsBase<RaiseExperts> {
  void runOnOperation() override {
    // The last scatter of each chain.
    SmallVector<ScatterOp> scatters;
    getOperation()->walk([&](ScatterOp op) {
      bool goesOn = op->hasOneUse() && isa<ScatterOp>(*op->user_begin()) &&
                    cast<ScatterOp>(*op->user_begin()).getInit() == op.getResult();
      if (!goesOn)
        scatters.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    Raiser raiser(rewriter);
    for (ScatterOp op : scatters)
      numRaised += raiser.raise(op);
    // The last addition of each sum.
    SmallVector<linalg::GenericOp> sums;
    getOperation()->walk([&](linalg::GenericOp op) {
      if (op->getNumResults() == 1 && matchAddition(op.getResult(0)) &&
          !(op->hasOneUse() && op->user_begin()->getNumResults() == 1 &&
            matchAddition(op->user_begin()->getResult(0))))
        sums.push_back(op);
    });
    for (linalg::GenericOp op : sums)
      numRaised += raiser.raise(op);
  }
};
} // namespace
