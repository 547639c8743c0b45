//===- RaiseRouting.cpp - What chooses experts becomes moe.route ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/ElementTrace.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "dialects/MoE/Transforms/Routing.h"

#include "mlir/Dialect/Math/IR/Math.h"
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
  double scale = 1;
};
} // namespace

static Element elementsOf(Value matrix) {
  return traceElement({matrix, {Position::free(kToken), Position::free(kSlot)}});
}

/// Whether `element` is that of each token and slot of `matrix`.
static bool isAll(const Element &element, Value matrix) {
  return element.tensor == matrix && element.at.size() == 2 &&
         element.at[0] == Position::free(kToken) && element.at[1] == Position::free(kSlot);
}

/// What a body yields.
static Value yielded(linalg::GenericOp op) { return op.getBody()->getTerminator()->getOperand(0); }

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
  Type type = typeOf(sort.getInput()).getElementType();
  return type.isF32() || type.isF64() ? sort : SortOp();
}

/// 1 / (1 + exp(-x)), elementwise.
static bool isSigmoid(linalg::GenericOp op) {
  auto quotient = yielded(op).getDefiningOp<arith::DivFOp>();
  if (!quotient || !matchPattern(quotient.getLhs(), m_OneFloat()))
    return false;
  auto sum = quotient.getRhs().getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  Value power = sum.getLhs();
  if (matchPattern(power, m_OneFloat()))
    power = sum.getRhs();
  else if (!matchPattern(sum.getRhs(), m_OneFloat()))
    return false;
  auto exp = power.getDefiningOp<math::ExpOp>();
  auto negation = exp ? exp.getOperand().getDefiningOp<arith::NegFOp>() : nullptr;
  return negation && negation.getOperand() == op.getBody()->getArgument(0);
}

Scores moe::matchScores(Value scores) {
  if (auto softmax = scores.getDefiningOp<linalg::SoftmaxOp>();
      softmax && softmax.getDimension() == 1)
    return {Score::Softmax, softmax.getInput()};
  if (auto generic = scores.getDefiningOp<linalg::GenericOp>();
      generic && generic.getNumDpsInputs() == 1 &&
      llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap m) { return m.isIdentity(); }) &&
      isSigmoid(generic))
    return {Score::Sigmoid, generic.getDpsInputOperand(0)->get()};
  return {Score::Identity, scores};
}

/// Whether `value`, of the elements of each token, is the sum over its slots of `values`.
static bool isSumOf(const Element &element, Value values) {
  auto sum = element.tensor.getDefiningOp<linalg::GenericOp>();
  if (!sum || element.at.empty() || !(element.at[0] == Position::free(kToken)) ||
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

/// The factor of an elementwise product with a constant, which `element` becomes the
/// other factor of.
static std::optional<double> matchFactor(Element &element) {
  auto generic = element.tensor.getDefiningOp<linalg::GenericOp>();
  auto product = generic && generic->getNumResults() == 1
                     ? yielded(generic).getDefiningOp<arith::MulFOp>()
                     : nullptr;
  if (!product || generic.getBody()->getOperations().size() != 2)
    return std::nullopt;
  for (auto [x, y] : {std::pair(product.getLhs(), product.getRhs()),
                      std::pair(product.getRhs(), product.getLhs())}) {
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
  if (std::optional<double> factor = matchFactor(element))
    weights.scale = *factor;
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
  if (!dividend || !divisor || !isAll(traceElement(*dividend), values) ||
      !isSumOf(traceElement(*divisor), values))
    return std::nullopt;
  weights.normalize = Normalization::Sum;
  return weights;
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

static bool raise(OpBuilder &b, ExpertFFNOp op) {
  SortOp sort = matchSort(op.getIds());
  if (!sort)
    return false;
  std::optional<Weights> weights = matchWeights(op.getWeights(), sort.getValues());
  if (!weights || !std::isfinite(weights->scale))
    return false;
  Scores scores = matchScores(sort.getInput());
  b.setInsertionPointAfter(sort);
  ReferenceBuilder m(b, sort.getLoc());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, m.loc, sort.getValuesInit());
  Value ids = m.empty(sizes, b.getI32Type()),
        empty = m.empty(sizes, typeOf(sort.getInput()).getElementType());
  auto route = RouteOp::create(b, m.loc, scores.logits, ValueRange{ids, empty}, scores.kind,
                               Selection::TopK, weights->normalize, weights->scale);
  b.setInsertionPoint(op);
  auto castTo = [&](Value value, Type type) -> Value {
    if (value.getType() == type)
      return value;
    return tensor::CastOp::create(b, m.loc, type, value);
  };
  op.getIdsMutable().assign(castTo(route.getIds(), op.getIds().getType()));
  op.getWeightsMutable().assign(castTo(route.getWeights(), op.getWeights().getType()));
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
