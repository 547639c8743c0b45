//===- RaiseDispatch.cpp - Experts of a limited capacity ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/BatchedBody.h"
#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/DispatchMask.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "dialects/MoE/Transforms/Routing.h"

namespace weft::moe {
#define GEN_PASS_DEF_RAISEDISPATCH
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

namespace {
class Raiser {
public:
  Raiser(RewriterBase &rewriter, ContractOp root)
      : rewriter(rewriter), root(root), resolver(rewriter.getContext()) {}
  bool raise();

private:
  bool matchCombine(OpOperand &mask, OpOperand &values, ArrayRef<unsigned> contracted);
  ElementAccess operandAt(ContractOp op, OpOperand &operand, ArrayRef<AffineExpr> loops);
  bool matchDispatch(const ElementAccess &rows, AffineExpr inner);
  bool isDispatch(const ElementAccess &mask, AffineExpr source);
  Value capacity();
  Value numbersOf();
  Value weightsOf(Value numbers);
  std::optional<Choice> buildRoute();
  void build(const BatchedBody &body);

  RewriterBase &rewriter;
  ContractOp root;
  ElementResolver resolver;
  AffineExpr token, expert, place;
  ElementAccess combine;
  OpFoldResult placeExtent;
  std::vector<DispatchSlot> slots;
  Value tokens, layerStart; ///< [T, H], [T, N]
};
} // namespace

ElementAccess Raiser::operandAt(ContractOp op, OpOperand &operand, ArrayRef<AffineExpr> loops) {
  ElementAccess result{operand.get(), {}};
  for (AffineExpr expr : op.getMap(operand).getResults())
    result.at.push_back(expr.replaceDims(loops));
  return result;
}

/// Whether a mask says by which token a place is taken: where the combination weighs it, or
/// where these choices are.
bool Raiser::isDispatch(const ElementAccess &mask, AffineExpr source) {
  Term term = lookAt(resolver, {mask});
  auto ofSource = [&](ElementAccess access) {
    for (AffineExpr &expr : access.at)
      if (expr == token)
        expr = source;
    return access;
  };
  if (term.kind == Term::NotZero) {
    std::optional<ElementAccess> mine = withoutCasts(resolver, term.operands[0]),
                                 weighed = withoutCasts(resolver, {ofSource(combine)});
    return mine && weighed && *mine == *weighed;
  }
  DispatchMatcher matcher{resolver, source, expert, place};
  std::optional<std::vector<DispatchSlot>> own = matcher.match({mask});
  if (!own || own->size() != slots.size())
    return false;
  for (auto [mine, other] : llvm::zip(*own, slots))
    if (!(mine.ids == other.ids) || !mine.weights.empty() || !(mine.place == ofSource(other.place)))
      return false;
  return true;
}

/// The rows of the places: sums over tokens of the mask times their rows.
bool Raiser::matchDispatch(const ElementAccess &rows, AffineExpr inner) {
  Term sum = lookAt(resolver, {rows});
  if (sum.kind != Term::Sum || sum.operands.size() != 2)
    return false;
  for (unsigned i : {0u, 1u}) {
    tokens = resolver.find(sum.operands[1 - i].access, {sum.index, inner});
    if (tokens && typeOf(tokens).getRank() == 2 && isDispatch(sum.operands[i].access, sum.index))
      return true;
  }
  return false;
}

bool Raiser::matchCombine(OpOperand &mask, OpOperand &values, ArrayRef<unsigned> contracted) {
  SmallVector<AffineExpr> loops(root.getNumLoops());
  Value init = root.getInit();
  token = resolver.addDimOf(init, 0);
  AffineExpr column = resolver.addDimOf(init, 1);
  for (auto [position, expr] :
       llvm::zip_equal(ArrayRef{token, column}, root.getResultMap().getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = position;
  AffineMap map = root.getMap(mask);
  auto extentAt = [&](unsigned loop) -> std::optional<unsigned> {
    for (auto [i, expr] : llvm::enumerate(map.getResults()))
      if (expr == getAffineDimExpr(loop, root.getContext()))
        return i;
    return std::nullopt;
  };
  std::optional<unsigned> first = extentAt(contracted[0]), second = extentAt(contracted[1]);
  if (map.getNumResults() != 3 || !first || !second)
    return false;
  expert = loops[contracted[0]] = resolver.addDimOf(mask.get(), *first);
  place = loops[contracted[1]] = resolver.addDimOf(mask.get(), *second);
  rewriter.setInsertionPoint(root);
  if (typeOf(mask.get()).isDynamicDim(*first))
    return false;
  combine = operandAt(root, mask, loops);
  std::optional<std::vector<DispatchSlot>> found =
      DispatchMatcher{resolver, token, expert, place}.match({combine});
  if (!found)
    return false;
  slots = *found;
  BatchedBody body(resolver, place, expert);
  if (failed(body.match(operandAt(root, values, loops))) || body.ids ||
      typeOf(body.down.weight).getDimSize(0) != typeOf(mask.get()).getDimSize(*first) ||
      !matchDispatch(body.input, body.inner))
    return false;
  layerStart =
      layerInit(rewriter, root.getResult(), root.getInit(), typeOf(tokens).getElementType());
  placeExtent = tensor::getMixedSize(rewriter, root.getLoc(), mask.get(), *second);
  build(body);
  return true;
}

/// How many tokens an expert takes.
Value Raiser::capacity() {
  ReferenceBuilder m(rewriter, root.getLoc());
  Value extent = m.value(placeExtent);
  if (!slots[0].limit)
    return extent;
  constexpr double most = 1e9;
  return m.min(extent, m.constant(static_cast<int64_t>(std::min(*slots[0].limit, most))));
}

/// The numbers of experts as i32 [T, K].
Value Raiser::numbersOf() {
  ReferenceBuilder m(rewriter, root.getLoc());
  SmallVector<OpFoldResult> sizes{m.size(root.getInit(), 0),
                                  rewriter.getIndexAttr(static_cast<int64_t>(slots.size()))};
  Value empty = m.empty(sizes, rewriter.getI32Type());
  return m.map({}, empty, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
    ReferenceBuilder e(b, loc);
    Value row = linalg::IndexOp::create(b, loc, 0), column = linalg::IndexOp::create(b, loc, 1);
    Value number;
    for (auto [j, slot] : llvm::enumerate(slots)) {
      SmallVector<Value> at{row};
      if (slot.ids.column >= 0)
        at.push_back(e.constant(slot.ids.column));
      Value own = e.toI32(e.toIndex(e.read(slot.ids.tensor, at)));
      Value isOwn = e.cmp(arith::CmpIPredicate::eq, column, e.constant(static_cast<int64_t>(j)));
      number = number ? e.select(isOwn, own, number) : own;
    }
    return number;
  });
}

/// The weights [T, K]: the products of what weighs the experts of `numbers`.
Value Raiser::weightsOf(Value numbers) {
  ReferenceBuilder m(rewriter, root.getLoc());
  Type element = typeOf(root.getInit()).getElementType();
  Value empty = m.empty(tensor::getMixedSizes(rewriter, m.loc, numbers), element);
  return m.map(numbers, empty, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    Value row = linalg::IndexOp::create(b, loc, 0), column = linalg::IndexOp::create(b, loc, 1);
    Value expertNumber = e.max(e.toIndex(args[0]), e.constant(0));
    Value weight;
    for (auto [j, slot] : llvm::enumerate(slots)) {
      Value own = e.number(element, 1);
      for (const ElementAccess &factor : slot.weights) {
        SmallVector<Value> at;
        for (AffineExpr expr : factor.at)
          if (expr == token)
            at.push_back(row);
          else if (expr == expert)
            at.push_back(expertNumber);
          else
            at.push_back(e.constant(cast<AffineConstantExpr>(expr).getValue()));
        Value value = e.convert(e.read(factor.tensor, at), element);
        own = arith::MulFOp::create(b, loc, own, value);
      }
      Value isOwn = e.cmp(arith::CmpIPredicate::eq, column, e.constant(static_cast<int64_t>(j)));
      weight = weight ? e.select(isOwn, own, weight) : own;
    }
    return weight;
  });
}

/// The route that takes the expert of the largest score and weighs it by this score.
std::optional<Choice> Raiser::buildRoute() {
  const DispatchSlot &slot = slots[0];
  ChoiceMatcher matcher{resolver, token, expert, 0};
  Value keys = slots.size() == 1 && slot.weights.size() == 1 && slot.ids.column <= 0
                   ? matcher.argMaxOf(slot.ids.tensor)
                   : Value();
  if (!keys || !slot.weights[0].isAt({token, expert}))
    return std::nullopt;
  Value weights = slot.weights[0].tensor;
  Type element = typeOf(weights).getElementType();
  Scores scores = matchScores(weights);
  bool byLogits = keys != weights && scores.logits == keys;
  if ((keys != weights && !byLogits) || !(element.isF32() || element.isF64()))
    return std::nullopt;
  ReferenceBuilder m(rewriter, root.getLoc());
  SmallVector<OpFoldResult> sizes{m.size(keys, 0), rewriter.getIndexAttr(1)};
  SmallVector<Value> inits{m.empty(sizes, rewriter.getI32Type()), m.empty(sizes, element)};
  auto route = RouteOp::create(rewriter, m.loc, scores.logits, inits, scores.kind, Selection::TopK);
  route.setByLogits(byLogits);
  return Choice{route.getIds(), route.getWeights()};
}

void Raiser::build(const BatchedBody &body) {
  std::optional<Choice> choice = buildRoute();
  if (!choice) {
    Value numbers = numbersOf();
    choice = Choice{numbers, weightsOf(numbers)};
  }
  Value limit = capacity();
  ExpertFFNOp layer =
      body.build(rewriter, root.getLoc(), tokens, choice->ids, choice->weights, layerStart);
  layer.getCapacityMutable().assign(limit);
  layer.setSlotMajor(slots.size() > 1);
  replaceSum(rewriter, root, layer);
}

bool Raiser::raise() {
  SmallVector<unsigned> contracted;
  for (unsigned i = 0; i < root.getNumLoops(); ++i)
    if (root.isContracted(i))
      contracted.push_back(i);
  auto result = dyn_cast<RankedTensorType>(root.getResult().getType());
  if (contracted.size() != 2 || root.getNumLoops() != 4 || !result || result.getRank() != 2 ||
      root.getBias() || !isZeroTensor(root.getInit()) ||
      !isa<RankedTensorType>(root.getLhs().getType()) ||
      !isa<RankedTensorType>(root.getRhs().getType()) ||
      !root.getResultMap().isProjectedPermutation())
    return false;
  SmallVector<unsigned> swapped{contracted[1], contracted[0]};
  for (ArrayRef<unsigned> order : {ArrayRef<unsigned>(contracted), ArrayRef<unsigned>(swapped)})
    if (matchCombine(root.getLhsMutable(), root.getRhsMutable(), order) ||
        matchCombine(root.getRhsMutable(), root.getLhsMutable(), order))
      return true;
  return false;
}

namespace {
struct RaiseDispatch : moe::impl::RaiseDispatchBase<RaiseDispatch> {
  void runOnOperation() override {
    SmallVector<ContractOp> roots;
    getOperation()->walk([&](ContractOp op) { roots.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (ContractOp root : roots)
      numRaised += Raiser(rewriter, root).raise();
  }
};
} // namespace
