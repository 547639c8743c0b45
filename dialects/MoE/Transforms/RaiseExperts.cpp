//===- RaiseExperts.cpp - Layers of experts written one by one ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/ExpertLink.h"
#include "dialects/MoE/Transforms/Passes.h"

namespace weft::moe {
#define GEN_PASS_DEF_RAISEEXPERTS
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

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
