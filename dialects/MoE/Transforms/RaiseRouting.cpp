//===- RaiseRouting.cpp - What chooses experts becomes moe.route ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/ElementTrace.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "dialects/MoE/Transforms/Routing.h"

#include "mlir/IR/Matchers.h"

namespace weft::moe {
#define GEN_PASS_DEF_RAISEROUTING
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

namespace {
/// The free positions of traced elements.
enum { kToken, kSlot };

struct Weights {
  Normalization normalize = Normalization::None;
  double scale = 1, epsilon = 0;
};

/// A tensor [T, K] of the scores of what was chosen, and what makes them of the logits.
struct Chosen {
  Value values;
  Score score;
  bool byLogits = false;
};
} // namespace

static Element elementsOf(Value matrix) {
  return traceElement({matrix, {Position::free(kToken), Position::free(kSlot)}});
}

/// Whether an element is at each position of a dimension; reshapes do not keep the name of one
/// of 1.
static bool isFree(const Element &element, int64_t dim, int64_t variable) {
  return element.at[dim] == Position::free(variable) ||
         (element.at[dim] == Position::constant(0) && typeOf(element.tensor).getDimSize(dim) == 1);
}

/// Whether `element` is that of each token and slot of `matrix`.
static bool isAll(const Element &element, Value matrix) {
  return element.tensor == matrix && element.at.size() == 2 && isFree(element, 0, kToken) &&
         isFree(element, 1, kSlot);
}

/// The sort whose positions are the numbers, perhaps in another integer type.
static SortOp matchSort(Value ids) {
  Element element = elementsOf(ids);
  if (auto generic = element.tensor.getDefiningOp<linalg::GenericOp>();
      generic && generic.getNumDpsInputs() == 1) {
    Operation *cast = yielded(generic).getDefiningOp();
    if (!isa_and_nonnull<arith::TruncIOp, arith::ExtSIOp>(cast) ||
        cast->getOperand(0) != generic.getBody()->getArgument(0))
      return {};
    std::optional<Element> input = inputElement(generic, 0, element);
    if (!input)
      return {};
    element = traceElement(*input);
  }
  auto sort = element.tensor.getDefiningOp<SortOp>();
  if (!sort || !isAll(element, sort.getIndices()) || !sort.getDescending() ||
      sort.getDimension() != 1 || typeOf(sort.getInput()).getRank() != 2)
    return {};
  return sort;
}

/// Whether `value`, of the elements of each token, is the sum over its slots of `values`.
static bool isSumOf(const Element &element, Value values) {
  auto sum = element.tensor.getDefiningOp<linalg::GenericOp>();
  if (!sum || element.at.empty() || !isFree(element, 0, kToken) ||
      !llvm::all_of(ArrayRef(element.at).drop_front(),
                    [](Position p) { return p == Position::constant(0); }) ||
      sum.getNumDpsInputs() != 1 || sum.getNumReductionLoops() != 1 || sum.getNumLoops() != 2 ||
      sum.getDpsInputOperand(0)->get() != values || !sum.getIndexingMapsArray()[0].isIdentity() ||
      sum.getIteratorTypesArray()[1] != utils::IteratorType::reduction)
    return false;
  auto add = yielded(sum).getDefiningOp<arith::AddFOp>();
  auto fill = sum.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  return add && sum.getBody()->getOperations().size() == 2 && isa<BlockArgument>(add.getLhs()) &&
         isa<BlockArgument>(add.getRhs()) && add.getLhs() != add.getRhs() && fill &&
         matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// The constant of an elementwise `Op` with one, whose other operand `element` becomes.
template <typename Op> static std::optional<double> matchConstant(Element &element) {
  auto generic = element.tensor.getDefiningOp<linalg::GenericOp>();
  auto op =
      generic && generic->getNumResults() == 1 ? yielded(generic).getDefiningOp<Op>() : nullptr;
  if (!op || generic.getBody()->getOperations().size() != 2)
    return std::nullopt;
  for (auto [x, y] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
    auto argument = dyn_cast<BlockArgument>(x);
    if (!argument || argument.getArgNumber() >= generic.getNumDpsInputs())
      continue;
    FloatAttr factor;
    DenseElementsAttr splat;
    auto other = dyn_cast<BlockArgument>(y);
    bool isKnown = matchPattern(y, m_Constant(&factor));
    if (!isKnown && other && other.getArgNumber() < generic.getNumDpsInputs() &&
        matchPattern(generic.getDpsInputOperand(other.getArgNumber())->get(), m_Constant(&splat)) &&
        splat.isSplat()) {
      factor = splat.getSplatValue<FloatAttr>();
      isKnown = true;
    }
    std::optional<Element> input;
    if (isKnown)
      input = inputElement(generic, argument.getArgNumber(), element);
    if (!input)
      continue;
    element = traceElement(*input);
    return factor.getValueAsDouble();
  }
  return std::nullopt;
}

static std::optional<Weights> matchWeights(Value value, Value values) {
  Weights weights;
  Element element = elementsOf(value);
  if (std::optional<double> factor = matchConstant<arith::MulFOp>(element))
    weights.scale = *factor;
  if (!std::isfinite(weights.scale))
    return std::nullopt;
  if (isAll(element, values))
    return weights;
  if (auto softmax = element.tensor.getDefiningOp<linalg::SoftmaxOp>();
      softmax && isAll(element, softmax.getResult()[0]) && softmax.getDimension() == 1 &&
      softmax.getInput() == values) {
    weights.normalize = Normalization::Softmax;
    return weights;
  }
  auto generic = element.tensor.getDefiningOp<linalg::GenericOp>();
  auto quotient = generic && generic.getNumDpsInputs() == 2
                      ? yielded(generic).getDefiningOp<arith::DivFOp>()
                      : nullptr;
  if (!quotient || generic.getBody()->getOperations().size() != 2 ||
      quotient.getLhs() != generic.getBody()->getArgument(0) ||
      quotient.getRhs() != generic.getBody()->getArgument(1))
    return std::nullopt;
  std::optional<Element> dividend = inputElement(generic, 0, element),
                         divisor = inputElement(generic, 1, element);
  if (!dividend || !divisor || !isAll(traceElement(*dividend), values))
    return std::nullopt;
  weights.normalize = Normalization::Sum;
  Element sum = traceElement(*divisor);
  if (std::optional<double> added = matchConstant<arith::AddFOp>(sum)) {
    weights.normalize = Normalization::SumPlus;
    weights.epsilon = *added;
  } else if (std::optional<double> least = matchConstant<arith::MaximumFOp>(sum)) {
    // An epsilon of 0 is none.
    if (!(*least > 0))
      return std::nullopt;
    weights.epsilon = *least;
  }
  bool isValid = isSumOf(sum, values) && std::isfinite(weights.epsilon) && weights.epsilon >= 0;
  return isValid ? std::optional(weights) : std::nullopt;
}

/// Without what is no change to a number that is in [0, extent): clamps, and counting from the
/// end.
static Value withoutClamps(Value number, int64_t extent) {
  APInt bound;
  while (Operation *op = number.getDefiningOp()) {
    auto limitedBy = [&](auto isHarmless) {
      return matchPattern(op->getOperand(1), m_ConstantInt(&bound)) &&
             isHarmless(bound.getSExtValue());
    };
    auto select = dyn_cast<arith::SelectOp>(op);
    auto compare = select ? select.getCondition().getDefiningOp<arith::CmpIOp>() : arith::CmpIOp();
    if (isa<arith::IndexCastOp>(op) ||
        (isa<arith::MaxSIOp>(op) && limitedBy([](int64_t x) { return x <= 0; })) ||
        (isa<arith::MinSIOp>(op) && limitedBy([&](int64_t x) { return x >= extent - 1; })))
      number = op->getOperand(0);
    else if (compare && compare.getPredicate() == arith::CmpIPredicate::slt &&
             compare.getLhs() == select.getFalseValue() && matchPattern(compare.getRhs(), m_Zero()))
      number = select.getFalseValue();
    else
      break;
  }
  return number;
}

/// The matrix whose elements in the token's row, at the numbers [T, K], are the results.
static Value gatheredFrom(linalg::GenericOp op, int64_t experts) {
  auto read = op->getNumResults() == 1 ? yielded(op).getDefiningOp<tensor::ExtractOp>()
                                       : tensor::ExtractOp();
  if (!read || op.getNumDpsInputs() != 1 || op.getNumReductionLoops() != 0 ||
      op.getNumLoops() != 2 || read.getIndices().size() != 2 ||
      !llvm::all_of(op.getIndexingMapsArray(), [](AffineMap m) { return m.isIdentity(); }) ||
      typeOf(read.getTensor()).getDimSize(1) != experts)
    return {};
  auto row = read.getIndices()[0].getDefiningOp<linalg::IndexOp>();
  bool isToken = (row && row.getDim() == 0) || (matchPattern(read.getIndices()[0], m_Zero()) &&
                                                typeOf(read.getTensor()).getDimSize(0) == 1);
  Value number = withoutClamps(read.getIndices()[1], experts);
  return isToken && number == op.getBody()->getArgument(0) ? read.getTensor() : Value();
}

/// Collects the sigmoids of `values`, perhaps of them in a wider type.
static void collectSigmoids(Value values, SmallVector<Chosen> &found) {
  for (Operation *user : values.getUsers()) {
    auto op = dyn_cast<linalg::GenericOp>(user);
    if (!op || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
        op.getInputs()[0] != values ||
        !llvm::all_of(op.getIndexingMapsArray(), [](AffineMap m) { return m.isIdentity(); }))
      continue;
    if (isSigmoid(op))
      found.push_back({op.getResult(0), Score::Sigmoid, /*byLogits=*/true});
    else if (yielded(op).getDefiningOp<arith::ExtFOp>() &&
             op.getBody()->getOperations().size() == 2)
      collectSigmoids(op.getResult(0), found);
  }
}

/// Whether keys of other groups change nothing but which expert of weight 0 is chosen: the scores
/// of those kept are not less.
static bool isLeast(const RouteKeys &keys) {
  return keys.groups->others == -INFINITY ||
         (keys.groups->others == 0 && !keys.bias && keys.scores.kind != Score::Identity);
}

/// What may weigh the experts that `sort` chose.
static SmallVector<Chosen> collectChosen(SortOp sort, const RouteKeys &keys) {
  SmallVector<Chosen> found;
  if (!keys.bias && (!keys.groups || isLeast(keys)))
    found.push_back({sort.getValues(), keys.scores.kind});
  bool isByLogits = keys.scores.kind == Score::Identity;
  if (isByLogits && !keys.bias && !keys.groups)
    collectSigmoids(sort.getValues(), found);
  int64_t experts = typeOf(sort.getInput()).getDimSize(1);
  for (Operation *user : sort.getIndices().getUsers()) {
    auto gather = dyn_cast<linalg::GenericOp>(user);
    Value scores = gather ? gatheredFrom(gather, experts) : Value();
    if (!scores)
      continue;
    Scores source = matchScores(scores);
    if (scores == keys.scored)
      found.push_back({gather.getResult(0), keys.scores.kind});
    else if (isByLogits && source.logits == keys.scored)
      found.push_back({gather.getResult(0), source.kind, /*byLogits=*/true});
  }
  return found;
}

namespace {
/// The value [T, K] that is made of what was chosen as `moe.route` can make it.
struct MatchedWeights {
  Value value;
  Chosen chosen;
  Weights weights;
};
} // namespace

/// Searches what `weights` are computed from; what is nearest to them is found first.
static std::optional<MatchedWeights> findWeights(Value weights, ArrayRef<Chosen> chosen) {
  constexpr size_t most = 64;
  SetVector<Value> work;
  work.insert(weights);
  for (size_t i = 0; i < work.size() && i < most; ++i) {
    Value value = work[i];
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    if (type.getRank() == 2 && isa<FloatType>(type.getElementType()))
      for (const Chosen &candidate : chosen)
        if (std::optional<Weights> found = matchWeights(value, candidate.values))
          return MatchedWeights{value, candidate, *found};
    if (Operation *op = value.getDefiningOp())
      work.insert(op->operand_begin(), op->operand_end());
  }
  return std::nullopt;
}

/// What the route adds of keys that are not scores. Keys that never are less than those of
/// experts in other groups leave these out.
static void setKeys(RouteOp route, const RouteKeys &keys, bool readsKeys) {
  if (keys.bias)
    route.getBiasMutable().assign(keys.bias);
  if (!keys.groups)
    return;
  DenseElementsAttr numbers;
  bool isFinite = !keys.bias || (matchPattern(keys.bias, m_Constant(&numbers)) &&
                                 llvm::all_of(numbers.getValues<APFloat>(),
                                              [](const APFloat &x) { return x.isFinite(); }));
  bool isNever =
      keys.groups->others == -INFINITY && isFinite && keys.scores.kind != Score::Identity;
  FloatAttr others;
  if (!isNever && !readsKeys)
    others = FloatAttr::get(Float64Type::get(route.getContext()), keys.groups->others);
  route.setGroupsAttr(GroupsAttr::get(route.getContext(), keys.groups->count, keys.groups->keep,
                                      keys.groups->by, others));
}

/// Whether what the route computes is what the sort and its keys did.
static bool isComputable(SortOp sort, const RouteKeys &keys) {
  Type type = typeOf(sort.getInput()).getElementType();
  RankedTensorType chosen = typeOf(sort.getValues());
  int64_t experts = typeOf(sort.getInput()).getDimSize(1);
  // Narrow scores are equal where wider ones are not.
  if (!(type.isF32() || type.isF64()) &&
      (keys.bias || keys.groups || keys.scores.kind != Score::Identity))
    return false;
  if (keys.groups && (std::isnan(keys.groups->others) || chosen.isDynamicDim(1) ||
                      chosen.getDimSize(1) > experts / keys.groups->count * keys.groups->keep))
    return false;
  return !keys.bias || typeOf(keys.bias).getElementType() == type;
}

/// What else reads the numbers, as tests of their range do, reads those of the route.
static void replaceNumbers(OpBuilder &b, SortOp sort, RouteOp route) {
  b.setInsertionPointAfter(route);
  ReferenceBuilder m(b, sort.getLoc());
  Type type = typeOf(sort.getIndices()).getElementType();
  Value wide = m.map(route.getIds(), sort.getIndicesInit(),
                     [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                       return ReferenceBuilder(b, loc).convert(args[0], type);
                     });
  sort.getIndices().replaceAllUsesWith(wide);
}

/// `value` in another shape that is compatible, and element type.
static Value castTo(OpBuilder &b, Location loc, Value value, Type wanted) {
  auto type = cast<RankedTensorType>(wanted);
  ReferenceBuilder m(b, loc);
  if (typeOf(value).getElementType() != type.getElementType()) {
    Value empty = m.empty(tensor::getMixedSizes(b, loc, value), type.getElementType());
    value = m.map(value, empty, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
      return ReferenceBuilder(b, loc).convert(args[0], type.getElementType());
    });
  }
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(b, loc, type, value);
}

static bool raise(OpBuilder &b, ExpertFFNOp op) {
  SortOp sort = matchSort(op.getIds());
  if (!sort)
    return false;
  RouteKeys keys = matchKeys(sort.getInput());
  if (!isComputable(sort, keys))
    return false;
  std::optional<MatchedWeights> found = findWeights(op.getWeights(), collectChosen(sort, keys));
  if (!found)
    return false;
  // Where scores of 0 weigh something, it matters which of them are chosen.
  bool readsKeys = keys.groups && found->chosen.values == sort.getValues();
  if (readsKeys && keys.groups->others != -INFINITY &&
      found->weights.normalize == Normalization::Softmax)
    return false;
  eraseRangeTests(sort);
  for (SortOp inner : keys.sorts)
    eraseRangeTests(inner);
  b.setInsertionPointAfter(sort);
  ReferenceBuilder m(b, sort.getLoc());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, m.loc, sort.getValuesInit());
  Type wide = typeOf(keys.scores.logits).getElementType().isF64() ? b.getF64Type() : b.getF32Type();
  Value ids = m.empty(sizes, b.getI32Type()), empty = m.empty(sizes, wide);
  const Weights &weights = found->weights;
  auto route =
      RouteOp::create(b, m.loc, keys.scores.logits, ValueRange{ids, empty}, found->chosen.score,
                      Selection::TopK, weights.normalize, weights.scale);
  route.setEpsilon(APFloat(weights.epsilon));
  route.setByLogits(found->chosen.byLogits);
  setKeys(route, keys, readsKeys);
  Value made = castTo(b, m.loc, route.getWeights(), found->value.getType());
  found->value.replaceAllUsesWith(made);
  b.setInsertionPoint(op);
  op.getIdsMutable().assign(castTo(b, m.loc, route.getIds(), op.getIds().getType()));
  // Of experts of weight 0 the sort may have found others.
  if (!readsKeys || keys.groups->others == -INFINITY)
    replaceNumbers(b, sort, route);
  return true;
}

namespace {
struct RaiseRouting : moe::impl::RaiseRoutingBase<RaiseRouting> {
  void runOnOperation() override {
    SmallVector<ExpertFFNOp> layers;
    getOperation()->walk([&](ExpertFFNOp op) { layers.push_back(op); });
    OpBuilder b(&getContext());
    for (ExpertFFNOp op : layers)
      numRaised += raise(b, op);
  }
};
} // namespace
