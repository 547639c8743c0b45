//===- RaiseDenseExperts.cpp - Layers of experts computed in one batch ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/BatchedBody.h"
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

static Value yielded(linalg::GenericOp op) { return op.getBody()->getTerminator()->getOperand(0); }

static bool isZeroTensor(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(value, m_AnyZeroFloat());
}

namespace {
/// The numbers of experts and their weights, both [T, K], as they are in the IR.
struct Choice {
  Value ids, weights;
};

/// A mask [T, E] that is 1 where the expert is the one of `ids`, [T] or [T, 1].
struct OneHot {
  ElementAccess mask;
  Value ids;
};

class Raiser {
public:
  Raiser(RewriterBase &rewriter, Operation *root)
      : rewriter(rewriter), root(root), resolver(rewriter.getContext()) {}
  bool raise();

private:
  using Factors = SmallVector<ElementAccess, 2>;

  Factors matchRoot();
  Factors factorsOf(const ElementAccess &access);
  bool matchLayer(const ElementAccess &gate, const ElementAccess &value);
  std::optional<Choice> matchScatter(const ElementAccess &gate);
  Value indexComponent(Value indices, AffineExpr at, int64_t component, AffineExpr &known);
  std::optional<OneHot> matchOneHot(const ElementAccess &mask);
  std::optional<OneHot> findOneHot(const ElementAccess &gate);
  bool matchTokens(const BatchedBody &body, const std::optional<OneHot> &oneHot);
  Value expertNumbers(Value ids);
  Value weightsOf(Value gates, Value numbers);
  Value argMaxOf(Value ids);
  std::optional<Choice> buildRoute(const ElementAccess &gate);
  void build(const BatchedBody &body, const ElementAccess &gate);

  RewriterBase &rewriter;
  Operation *root;
  ElementResolver resolver;
  AffineExpr token, slot;
  int64_t experts = 0;
  Value init;                   ///< of the sum, zeros
  Value gates, tokens;          ///< [T, K], [T, H]
  std::optional<Choice> choice; ///< where gates are [T, E] and these chose
  std::optional<OneHot> mask;
};
} // namespace

//===----------------------------------------------------------------------===//
// The sum over experts
//===----------------------------------------------------------------------===//

/// The two factors of an element that is a product, perhaps added to zeros.
Raiser::Factors Raiser::factorsOf(const ElementAccess &access) {
  ElementAccess value = resolver.resolve(access);
  auto op = value.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInputs() != 2 || op->getNumResults() != 1)
    return {};
  Block *body = op.getBody();
  Value product = yielded(op);
  size_t count = 2;
  if (auto sum = product.getDefiningOp<arith::AddFOp>()) {
    if (!isZeroTensor(op.getDpsInitOperand(0)->get()))
      return {};
    Value out = body->getArgument(2);
    product = sum.getLhs() == out ? sum.getRhs() : sum.getRhs() == out ? sum.getLhs() : Value();
    count = 3;
  }
  auto multiply = product ? product.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  if (!multiply || body->getOperations().size() != count)
    return {};
  Factors factors;
  for (Value side : {multiply.getLhs(), multiply.getRhs()}) {
    auto argument = dyn_cast<BlockArgument>(side);
    std::optional<ElementAccess> input;
    if (argument && argument.getOwner() == body && argument.getArgNumber() < 2)
      input = resolver.input(op, argument.getArgNumber(), value.at);
    if (!input)
      return {};
    factors.push_back(*input);
  }
  return factors;
}

/// The factors of the terms of a sum over one dimension, [T, N].
Raiser::Factors Raiser::matchRoot() {
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
    if (!add || sum.getNumLoops() != 3 || sum.getBody()->getOperations().size() != 2 ||
        !isa<BlockArgument>(add.getLhs()) || !isa<BlockArgument>(add.getRhs()) ||
        add.getLhs() == add.getRhs() || !isZeroTensor(sum.getDpsInits()[0]) ||
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
  return factorsOf(term);
}

//===----------------------------------------------------------------------===//
// What chooses
//===----------------------------------------------------------------------===//

/// A component of the indices of a scatter at (token, at): the tensor that it is read of
/// there, or null and what it is in `known`.
Value Raiser::indexComponent(Value indices, AffineExpr at, int64_t component, AffineExpr &known) {
  auto op = indices.getDefiningOp<linalg::GenericOp>();
  if (!op || typeOf(indices).getRank() != 3)
    return {};
  SmallVector<AffineExpr> position{token, at, resolver.constant(component)};
  SmallVector<AffineExpr> loops = resolver.loops(op, position);
  if (loops.empty())
    return {};
  Value value = yielded(op);
  while (Operation *def = value.getDefiningOp()) {
    auto select = dyn_cast<arith::SelectOp>(def);
    if (!select) {
      if (!isa<arith::IndexCastOp>(def))
        break;
      value = def->getOperand(0);
      continue;
    }
    auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq)
      return {};
    auto lhs = resolver.index(compare.getLhs(), loops),
         rhs = resolver.index(compare.getRhs(), loops);
    if (!lhs || !rhs || !isa<AffineConstantExpr>(*lhs) || !isa<AffineConstantExpr>(*rhs))
      return {};
    value = *lhs == *rhs ? select.getTrueValue() : select.getFalseValue();
  }
  if (std::optional<AffineExpr> index = resolver.index(value, loops)) {
    known = *index;
    return {};
  }
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return {};
  std::optional<ElementAccess> input = resolver.input(op, argument.getArgNumber(), position);
  return input ? resolver.find(*input, {token, at}) : Value();
}

/// Gates that were scattered into zeros at the experts that a sort chose.
std::optional<Choice> Raiser::matchScatter(const ElementAccess &gate) {
  ElementAccess base = resolver.resolve(gate);
  auto scatter = base.tensor.getDefiningOp<ScatterOp>();
  if (!scatter || !base.isAt({token, slot}) || !isZeroTensor(scatter.getInit()))
    return std::nullopt;
  Block &combiner = scatter.getCombiner().front();
  RankedTensorType indices = typeOf(scatter.getIndices()), updates = typeOf(scatter.getUpdates());
  if (combiner.getOperations().size() != 1 ||
      combiner.getTerminator()->getOperand(0) != combiner.getArgument(1) ||
      indices.getRank() != 3 || indices.getDimSize(2) != 2 || updates.getRank() != 2 ||
      updates.isDynamicDim(1))
    return std::nullopt;
  AffineExpr at = resolver.addDim(rewriter.getIndexAttr(updates.getDimSize(1))), row, other;
  if (indexComponent(scatter.getIndices(), at, 0, row) || row != token)
    return std::nullopt;
  Value ids = indexComponent(scatter.getIndices(), at, 1, other);
  if (!ids)
    return std::nullopt;
  // What a sort gives is in range, and no expert comes twice.
  auto sort = resolver.resolve({ids, {token, at}}).tensor.getDefiningOp<SortOp>();
  Value weights = resolver.find({scatter.getUpdates(), {token, at}}, {token, at});
  if (!sort || sort.getDimension() != 1 || !weights ||
      resolver.resolve({ids, {token, at}}).tensor != sort.getIndices())
    return std::nullopt;
  return Choice{ids, weights};
}

/// Whether a number is 1 where `condition` holds, else 0; `condition` is set.
static bool isIndicator(Value value, Value &condition) {
  if (auto select = value.getDefiningOp<arith::SelectOp>()) {
    condition = select.getCondition();
    return matchPattern(select.getTrueValue(), m_OneFloat()) &&
           matchPattern(select.getFalseValue(), m_AnyZeroFloat());
  }
  auto convert = value.getDefiningOp<arith::UIToFPOp>();
  if (!convert || !convert.getIn().getType().isInteger(1))
    return false;
  condition = convert.getIn();
  return true;
}

std::optional<OneHot> Raiser::matchOneHot(const ElementAccess &access) {
  ElementAccess mask = resolver.resolve(access);
  auto op = mask.tensor.getDefiningOp<linalg::GenericOp>();
  Value condition;
  if (!op || op->getNumResults() != 1 || !mask.isAt({token, slot}) ||
      !isIndicator(yielded(op), condition))
    return std::nullopt;
  SmallVector<AffineExpr> loops = resolver.loops(op, mask.at);
  auto equal = condition.getDefiningOp<arith::CmpIOp>();
  if (loops.empty() || !equal || equal.getPredicate() != arith::CmpIPredicate::eq)
    return std::nullopt;
  for (auto [number, expert] :
       {std::pair(equal.getLhs(), equal.getRhs()), std::pair(equal.getRhs(), equal.getLhs())}) {
    std::optional<AffineExpr> at = resolver.index(expert, loops);
    if (!at || *at != slot)
      continue;
    // Numbers below 0 count from the end.
    if (auto wrap = number.getDefiningOp<arith::SelectOp>()) {
      auto add = wrap.getTrueValue().getDefiningOp<arith::AddIOp>();
      APInt extent;
      if (!add || add.getLhs() != wrap.getFalseValue() ||
          !matchPattern(add.getRhs(), m_ConstantInt(&extent)) || extent != experts)
        return std::nullopt;
      number = wrap.getFalseValue();
    }
    if (auto cast = number.getDefiningOp<arith::IndexCastOp>())
      number = cast.getIn();
    auto argument = dyn_cast<BlockArgument>(number);
    if (!argument || argument.getOwner() != op.getBody() ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      return std::nullopt;
    std::optional<ElementAccess> input = resolver.input(op, argument.getArgNumber(), mask.at);
    if (!input)
      return std::nullopt;
    Value ids = resolver.find(*input, {token, resolver.constant(0)});
    if (!ids)
      ids = resolver.find(*input, token);
    if (!ids || (typeOf(ids).getRank() == 2 && typeOf(ids).getDimSize(1) != 1))
      return std::nullopt;
    return OneHot{mask, ids};
  }
  return std::nullopt;
}

/// The mask that is a factor of the gate, or the gate itself.
std::optional<OneHot> Raiser::findOneHot(const ElementAccess &gate) {
  if (std::optional<OneHot> found = matchOneHot(gate))
    return found;
  for (const ElementAccess &factor : factorsOf(gate))
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
  Factors factors = factorsOf(body.input);
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
    choice = matchScatter(gate);
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

/// Whether `value` is `x` where `condition` holds, else `y`.
static bool isSelect(Value value, Value condition, Value x, Value y) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  return select && select.getCondition() == condition && select.getTrueValue() == x &&
         select.getFalseValue() == y;
}

/// The tensor [T, E] in which `ids` are the positions of the largest element of each row,
/// the first one of equals, NaN being the largest: as `moe.route` chooses.
Value Raiser::argMaxOf(Value ids) {
  SmallVector<AffineExpr> at{token};
  if (typeOf(ids).getRank() == 2)
    at.push_back(resolver.constant(0));
  ElementAccess base = resolver.resolve({ids, at});
  if (auto sort = base.tensor.getDefiningOp<SortOp>())
    return base.tensor == sort.getIndices() && sort.getDescending() && sort.getDimension() == 1
               ? sort.getInput()
               : Value();
  auto op = base.tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || op->getNumResults() != 2 || base.tensor != op->getResult(1) ||
      op.getNumDpsInputs() != 1 || op.getNumLoops() != 2 || op.getNumReductionLoops() != 1 ||
      !op.getIndexingMapsArray()[0].isIdentity() || !base.isAt(token) ||
      op.getIteratorTypesArray()[1] != utils::IteratorType::reduction)
    return {};
  Block *body = op.getBody();
  Value in = body->getArgument(0), best = body->getArgument(1), where = body->getArgument(2);
  auto select = body->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  auto place = body->getTerminator()->getOperand(1).getDefiningOp<arith::SelectOp>();
  if (!select || !place || !isSelect(select, place.getCondition(), in, best) ||
      place.getFalseValue() != where)
    return {};
  // Larger, or equal at a lower position; anything else is a comparison of NaN.
  bool larger = false, lower = false;
  for (Operation &inner : body->without_terminator()) {
    if (auto compare = dyn_cast<arith::CmpFOp>(inner)) {
      arith::CmpFPredicate kind = compare.getPredicate();
      larger |= kind == arith::CmpFPredicate::OGT && compare.getLhs() == in;
      if (kind == arith::CmpFPredicate::OLT || kind == arith::CmpFPredicate::OLE ||
          kind == arith::CmpFPredicate::OGE)
        return {};
    } else if (auto compare = dyn_cast<arith::CmpIOp>(inner)) {
      if (compare.getPredicate() != arith::CmpIPredicate::slt ||
          compare.getLhs() != place.getTrueValue() || compare.getRhs() != where)
        return {};
      lower = true;
    } else if (!isa<linalg::IndexOp, arith::IndexCastOp, arith::AndIOp, arith::OrIOp,
                    arith::SelectOp>(inner)) {
      return {};
    }
  }
  return larger && lower ? op.getInputs()[0] : Value();
}

/// The route that takes the expert of the mask, if it is that of the largest score, and the
/// gate is that score.
std::optional<Choice> Raiser::buildRoute(const ElementAccess &gate) {
  Value keys = argMaxOf(mask->ids);
  Factors factors = factorsOf(gate);
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
  rewriter.replaceOp(root, layer.getResult());
}

bool Raiser::raise() {
  Factors factors = matchRoot();
  return factors.size() == 2 &&
         (matchLayer(factors[0], factors[1]) || matchLayer(factors[1], factors[0]));
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
