//===- RaiseDenseExperts.cpp - Layers of experts computed in one batch ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/BatchedBody.h"
#include "dialects/MoE/Transforms/Choices.h"
#include "dialects/MoE/Transforms/ElementTerm.h"
#include "dialects/MoE/Transforms/InputGate.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "dialects/MoE/Transforms/Routing.h"

#include "mlir/IR/Matchers.h"

namespace weft::moe {
#define GEN_PASS_DEF_RAISEDENSEEXPERTS
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

namespace {
class Raiser {
public:
  Raiser(RewriterBase &rewriter, Operation *root)
      : rewriter(rewriter), root(root), resolver(rewriter.getContext()) {}
  bool raise();

private:
  Factors matchRoot();
  bool matchLayer(const ElementAccess &gate, const ElementAccess &value);
  bool matchInputs(const ElementAccess &value);
  ChoiceMatcher matcher() { return {resolver, token, slot, experts}; }
  std::optional<OneHot> findOneHot(const ElementAccess &gate);
  bool matchTokens(const BatchedBody &body, const std::optional<OneHot> &oneHot);
  Value expertNumbers(Value ids);
  Value weightsOf(Value gates, Value numbers);
  std::optional<Choice> buildRoute(const ElementAccess &gate);
  void build(const BatchedBody &body, const ElementAccess &gate);

  RewriterBase &rewriter;
  Operation *root;
  ElementResolver resolver;
  AffineExpr token, slot;
  int64_t experts = 0;
  std::optional<ElementAccess> weighed; ///< the term of a reduction
  Value init;                           ///< of the sum, zeros
  Value gates, tokens;                  ///< [T, K], [T, H]
  std::optional<Choice> choice;         ///< where gates are [T, E] and these chose
  std::optional<OneHot> mask;
};
} // namespace

//===----------------------------------------------------------------------===//
// The sum over experts
//===----------------------------------------------------------------------===//

/// The factors of the terms of a sum over one dimension, [T, N].
Factors Raiser::matchRoot() {
  RankedTensorType type = typeOf(root->getResult(0));
  if (type.getRank() != 2)
    return {};
  auto contract = dyn_cast<ContractOp>(root);
  auto sum = dyn_cast<linalg::GenericOp>(root);
  if (contract) {
    SmallVector<int64_t> ranges = contract.getStaticLoopRanges();
    if (contract.getNumLoops() != 3 || contract.getBias() || !isZeroTensor(contract.getInit()) ||
        !contract.getResultMap().isProjectedPermutation() ||
        !isa<RankedTensorType>(contract.getLhs().getType()) ||
        !isa<RankedTensorType>(contract.getRhs().getType()))
      return {};
    for (unsigned i = 0; i < 3; ++i)
      if (contract.isContracted(i))
        experts = ranges[i];
    if (ShapedType::isDynamic(experts))
      return {};
    init = contract.getInit();
  } else {
    auto add = sum && sum.getNumReductionLoops() == 1 && sum.getNumDpsInputs() == 1
                   ? yielded(sum).getDefiningOp<arith::AddFOp>()
                   : arith::AddFOp();
    Value in = add ? withoutFloatCasts(add.getLhs()) : Value(),
          out = add ? withoutFloatCasts(add.getRhs()) : Value();
    if (!add || sum.getNumLoops() != 3 || !isa<BlockArgument>(in) || !isa<BlockArgument>(out) ||
        in == out || !isZeroTensor(sum.getDpsInits()[0]) ||
        !sum.getIndexingMapsArray()[1].isProjectedPermutation() ||
        !sum.getIndexingMapsArray()[0].isPermutation())
      return {};
    SmallVector<unsigned> reduced;
    sum.getReductionDims(reduced);
    experts = sum.getStaticLoopRanges()[reduced[0]];
    if (ShapedType::isDynamic(experts))
      return {};
    init = sum.getDpsInits()[0];
  }
  token = resolver.addDimOf(init, 0);
  slot = resolver.addDim(rewriter.getIndexAttr(experts));
  AffineExpr column = resolver.addDimOf(init, 1);
  SmallVector<AffineExpr> at{token, column};
  if (contract)
    return {resolver.operand(contract, contract.getLhsMutable(), at, slot),
            resolver.operand(contract, contract.getRhsMutable(), at, slot)};
  SmallVector<AffineExpr> loops(3, slot);
  for (auto [position, expr] : llvm::zip(at, sum.getIndexingMapsArray()[1].getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = position;
  ElementAccess term{sum.getInputs()[0], {}};
  for (AffineExpr expr : sum.getIndexingMapsArray()[0].getResults())
    term.at.push_back(expr.replaceDims(loops));
  weighed = term;
  return factorsOf(resolver, term);
}

//===----------------------------------------------------------------------===//
// What chooses
//===----------------------------------------------------------------------===//

/// The mask that is a factor of the gate, or the gate itself.
std::optional<OneHot> Raiser::findOneHot(const ElementAccess &gate) {
  if (std::optional<OneHot> found = matcher().matchOneHot(gate))
    return found;
  for (const ElementAccess &factor : factorsOf(resolver, gate))
    if (std::optional<OneHot> found = findOneHot(factor))
      return found;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// The layer
//===----------------------------------------------------------------------===//

/// The tokens that experts read, which may be masked as the gate is.
bool Raiser::matchTokens(const BatchedBody &body, const std::optional<OneHot> &oneHot) {
  tokens = resolver.find(body.input, {token, body.inner});
  if (tokens)
    return typeOf(tokens).getRank() == 2;
  Factors factors = factorsOf(resolver, body.input);
  if (factors.size() != 2 || !oneHot)
    return false;
  for (auto [masking, rows] :
       {std::pair(factors[0], factors[1]), std::pair(factors[1], factors[0])}) {
    tokens = resolver.find(rows, {token, body.inner});
    if (tokens && resolver.resolve(masking) == oneHot->mask)
      return true;
  }
  return false;
}

bool Raiser::matchLayer(const ElementAccess &gate, const ElementAccess &value) {
  gates = resolver.find(gate, {token, slot});
  if (std::optional<ElementAccess> wide = withoutCasts(resolver, {gate}); !gates && wide)
    gates = resolver.find(*wide, {token, slot});
  if (!gates || typeOf(gates).getRank() != 2 || !isa<FloatType>(typeOf(gates).getElementType()))
    return false;
  BatchedBody body(resolver, token, slot);
  if (failed(body.match(value)))
    return false;
  choice.reset();
  mask.reset();
  int64_t count = typeOf(body.down.weight).getDimSize(0);
  if (body.ids) {
    choice = Choice{body.ids, gates};
    experts = count;
  } else {
    if (count != experts)
      return false;
    choice = matcher().matchScatter(gate);
    if (!choice)
      mask = findOneHot(gate);
    if (!choice && !mask)
      return false;
  }
  for (const BatchedProduct &sum : body.sums)
    if (typeOf(sum.weight).getDimSize(0) != count)
      return false;
  if (!matchTokens(body, mask))
    return false;
  rewriter.setInsertionPoint(root);
  init = layerInit(rewriter, root->getResult(0), init, typeOf(tokens).getElementType());
  build(body, gate);
  return true;
}

/// The numbers of experts as i32 [T, K]: those below 0 count from the end, and what is no
/// expert's is -1.
Value Raiser::expertNumbers(Value ids) {
  ReferenceBuilder m(rewriter, root->getLoc());
  if (typeOf(ids).getRank() == 1) {
    SmallVector<OpFoldResult> sizes{m.size(ids, 0), rewriter.getIndexAttr(1)};
    auto type = RankedTensorType::get({typeOf(ids).getDimSize(0), 1}, typeOf(ids).getElementType());
    ids = tensor::ExpandShapeOp::create(rewriter, m.loc, type, ids,
                                        SmallVector<ReassociationIndices>{{0, 1}}, sizes);
  }
  Type i32 = rewriter.getI32Type(), type = typeOf(ids).getElementType();
  auto sort = ids.getDefiningOp<SortOp>();
  bool isInRange = sort && ids == sort.getIndices();
  Value empty = m.empty(tensor::getMixedSizes(rewriter, m.loc, ids), i32);
  return m.map(ids, empty, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    Value number = args[0];
    if (isInRange)
      return e.convert(number, i32);
    Value count = e.number(type, static_cast<double>(experts)), zero = e.number(type, 0);
    Value below = e.cmp(arith::CmpIPredicate::slt, number, zero);
    number = e.select(below, arith::AddIOp::create(b, loc, number, count), number);
    Value inRange = e.both(e.cmp(arith::CmpIPredicate::sge, number, zero),
                           e.cmp(arith::CmpIPredicate::slt, number, count));
    return e.select(inRange, e.convert(number, i32), e.number(i32, -1));
  });
}

/// The elements of gates [T, E] that are the experts' of `numbers` [T, 1].
Value Raiser::weightsOf(Value gates, Value numbers) {
  ReferenceBuilder m(rewriter, root->getLoc());
  Type element = typeOf(gates).getElementType();
  Value empty = m.empty(tensor::getMixedSizes(rewriter, m.loc, numbers), element);
  return m.map(numbers, empty, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    Value row = linalg::IndexOp::create(b, loc, 0);
    Value expert = e.max(e.toIndex(args[0]), e.constant(0));
    return e.read(gates, {row, expert});
  });
}

/// The route that takes the expert of the mask, if it is that of the largest score, and the
/// gate is that score.
std::optional<Choice> Raiser::buildRoute(const ElementAccess &gate) {
  Value keys = matcher().argMaxOf(mask->ids);
  Factors factors = factorsOf(resolver, gate);
  if (!keys || factors.size() != 2)
    return std::nullopt;
  Type element = typeOf(keys).getElementType();
  for (auto [masking, score] :
       {std::pair(factors[0], factors[1]), std::pair(factors[1], factors[0])}) {
    Value weights = resolver.find(score, {token, slot});
    if (!weights || !(resolver.resolve(masking) == mask->mask) ||
        typeOf(weights).getElementType() != element || !(element.isF32() || element.isF64()))
      continue;
    // Scores in the order of the keys, which are logits or the scores themselves.
    Scores scores = matchScores(weights);
    bool byLogits = keys != weights && scores.logits == keys;
    if (keys != weights && !byLogits)
      continue;
    ReferenceBuilder m(rewriter, root->getLoc());
    SmallVector<OpFoldResult> sizes{m.size(keys, 0), rewriter.getIndexAttr(1)};
    SmallVector<Value> inits{m.empty(sizes, rewriter.getI32Type()), m.empty(sizes, element)};
    auto route =
        RouteOp::create(rewriter, m.loc, scores.logits, inits, scores.kind, Selection::TopK);
    route.setByLogits(byLogits);
    return Choice{route.getIds(), route.getWeights()};
  }
  return std::nullopt;
}

void Raiser::build(const BatchedBody &body, const ElementAccess &gate) {
  rewriter.setInsertionPoint(root);
  Choice chosen;
  if (choice) {
    chosen = {expertNumbers(choice->ids), choice->weights};
  } else if (std::optional<Choice> route = buildRoute(gate)) {
    chosen = *route;
  } else {
    chosen.ids = expertNumbers(mask->ids);
    chosen.weights = weightsOf(gates, chosen.ids);
  }
  ExpertFFNOp layer =
      body.build(rewriter, root->getLoc(), tokens, chosen.ids, chosen.weights, init);
  replaceSum(rewriter, root, layer);
}

/// A sum of the results of all experts, whose inputs are weighted: those of experts that were not
/// chosen are 0, and so are their results.
bool Raiser::matchInputs(const ElementAccess &value) {
  BatchedBody body(resolver, token, slot);
  if (failed(body.match(value)) || body.ids || body.down.bias || body.sums[0].bias)
    return false;
  if (typeOf(body.down.weight).getDimSize(0) != experts ||
      !llvm::all_of(body.sums, [&](const BatchedProduct &sum) {
        return typeOf(sum.weight).getDimSize(0) == experts;
      }))
    return false;
  Factors factors = factorsOf(resolver, body.input);
  for (size_t i = 0; i < factors.size(); ++i) {
    tokens = resolver.find(factors[1 - i], {token, body.inner});
    if (!tokens || typeOf(tokens).getRank() != 2)
      continue;
    std::optional<InputGate> gate = InputGate::match(matcher(), factors[i]);
    if (!gate)
      continue;
    rewriter.setInsertionPoint(root);
    Location loc = root->getLoc();
    init = layerInit(rewriter, root->getResult(0), init, typeOf(tokens).getElementType());
    ExpertFFNOp layer = body.build(rewriter, loc, tokens, expertNumbers(gate->chosen.ids),
                                   gate->buildWeights(rewriter, loc), init);
    if (!keepsZeros(layer.getActivation().front())) {
      rewriter.eraseOp(layer);
      return false;
    }
    layer.setWeightBefore(true);
    replaceSum(rewriter, root, layer);
    return true;
  }
  return false;
}

bool Raiser::raise() {
  Factors factors = matchRoot();
  if (factors.size() == 2 &&
      (matchLayer(factors[0], factors[1]) || matchLayer(factors[1], factors[0])))
    return true;
  return weighed && matchInputs(*weighed);
}

namespace {
struct RaiseDenseExperts : moe::impl::RaiseDenseExpertsBase<RaiseDenseExperts> {
  void runOnOperation() override {
    SmallVector<Operation *> roots;
    getOperation()->walk([&](Operation *op) {
      if (isa<ContractOp, linalg::GenericOp>(op) && op->getNumResults() == 1 &&
          isa<RankedTensorType>(op->getResult(0).getType()))
        roots.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *root : roots)
      numRaised += Raiser(rewriter, root).raise();
  }
};
} // namespace
