//===- LoopRaiser.cpp - The scan that a loop is ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/LoopRaiser.h"
#include "dialects/SSM/Transforms/ScanLayout.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// `value` before copies into the memory of the state.
static Value withoutCopies(Value value) {
  while (auto copy = value.getDefiningOp<linalg::CopyOp>())
    value = copy.getInputs()[0];
  return value;
}

/// Tensors that each iteration writes its own position of.
bool LoopRaiser::matchOutputs() {
  for (auto [i, argument] : llvm::enumerate(loop.getRegionIterArgs())) {
    auto insert = loop.getYieldedValues()[i].getDefiningOp<tensor::InsertSliceOp>();
    if (!insert || insert.getDest() != argument || !argument.hasOneUse() || !insert->hasOneUse() ||
        !insert.hasUnitStride() || insert->getBlock() != loop.getBody())
      continue;
    SmallVector<OpFoldResult> offsets = insert.getMixedOffsets();
    bool first = lifter.isPosition(offsets[0]) &&
                 isConstantIntValue(insert.getMixedSizes()[0], 1) &&
                 llvm::all_of(ArrayRef(offsets).drop_front(),
                              [](OpFoldResult x) { return isConstantIntValue(x, 0); });
    if (!first || !isWhole(OpFoldResult(loop.getUpperBound()), loop.getInitArgs()[i], 0))
      return false;
    for (int64_t d = 1; d < insert.getDestType().getRank(); ++d)
      if (!isWhole(insert.getMixedSizes()[d], loop.getInitArgs()[i], d))
        return false;
    outputs.push_back({i, insert});
  }
  return true;
}

/// What is carried: a maximum, or what may turn out to be linear in it.
std::optional<LoopRaiser::Recurrence> LoopRaiser::matchRecurrence(unsigned index) {
  Recurrence r;
  r.index = index;
  r.state = loop.getRegionIterArgs()[index];
  r.next = withoutCopies(loop.getYieldedValues()[index]);
  auto type = dyn_cast<RankedTensorType>(r.state.getType());
  if (!type || r.next.getType() != type || type.getRank() < 1 || type.getRank() > 4 ||
      !(type.getElementType().isF32() || type.getElementType().isF64()))
    return std::nullopt;
  auto maximum = matchElementwise<arith::MaximumFOp>(r.next, 2);
  if (!maximum)
    return r;
  for (unsigned i : {0u, 1u}) {
    auto sum = matchElementwise<arith::AddFOp>(maximum.getInputs()[i], 2);
    if (!sum || sum->getBlock() != loop.getBody() ||
        !maximum.getMatchingIndexingMap(maximum.getDpsInputOperand(i)).isIdentity())
      continue;
    for (unsigned j : {0u, 1u})
      if (sum.getInputs()[j] == r.state && isIdentityOn(sum, r.state)) {
        r.maximum = maximum;
        r.sum = sum;
        r.term = maximum.getDpsInputOperand(1 - i);
        r.factor = sum.getDpsInputOperand(1 - j);
        return r;
      }
  }
  return std::nullopt;
}

/// Factors of a sum over a row: those of it are alpha, the others beta.
std::optional<LoopRaiser::Erasure> LoopRaiser::takeErasure(const LinearTerm &term,
                                                           const Factors &decay) {
  Erasure erasure{term.negative, false, term.row, {}, {}};
  unsigned row = term.row + 1, summed = rank + 1;
  // Positions of the row are those that are summed up.
  auto toRow = [&](Factor factor) {
    AffineMap map = factor.map;
    factor.map =
        map.replace(b.getAffineDimExpr(summed), b.getAffineDimExpr(row), map.getNumDims(), 0);
    if (factor.dims.test(summed)) {
      factor.dims.reset(summed);
      factor.dims.set(row);
    }
    return factor;
  };
  Factors ofSum, rest;
  for (const Factor &factor : term.factors)
    (factor.dims.test(summed) ? ofSum : rest).push_back(factor);
  if (llvm::any_of(ofSum, [&](const Factor &f) { return f.dims.test(row); }))
    return std::nullopt;
  for (Factor &factor : ofSum)
    factor = toRow(factor);
  // The decay is among them if it is applied first.
  Factors alpha = ofSum, beta = rest;
  erasure.decayed = llvm::all_of(decay, [&](const Factor &factor) {
    for (Factors *factors : {&alpha, &beta})
      for (Factor &other : *factors)
        if (other.tensor == factor.tensor && other.map == factor.map &&
            factor.dims.test(row) == (factors == &alpha)) {
          factors->erase(&other);
          return true;
        }
    return false;
  });
  erasure.alpha = erasure.decayed ? alpha : ofSum;
  erasure.beta = erasure.decayed ? beta : rest;
  if (erasure.alpha.empty() || erasure.beta.empty())
    return std::nullopt;
  return erasure;
}

std::optional<LoopRaiser::Update> LoopRaiser::matchUpdate(ArrayRef<LinearTerm> terms) {
  Update update;
  SmallVector<LinearTerm> kept;
  const LinearTerm *sum = nullptr, *added = nullptr;
  for (const LinearTerm &term : terms) {
    if (term.of == LinearTerm::Of::State) {
      kept.push_back(term);
      continue;
    }
    const LinearTerm *&place = term.of == LinearTerm::Of::Sum ? sum : added;
    if (place)
      return std::nullopt;
    place = &term;
  }
  if (kept.empty() || !added)
    return std::nullopt;
  update.decay = kept.size() == 1 && !kept[0].negative ? kept[0].factors : Factors{sumOf(kept)};
  update.terms = added->factors;
  update.negative = added->negative;
  if (sum) {
    update.erasure = takeErasure(*sum, update.decay);
    if (!update.erasure)
      return std::nullopt;
  }
  return update;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

bool LoopRaiser::raiseRecurrence(Recurrence r) {
  Location loc = loop.getLoc();
  rank = typeOf(r.state).getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, loop.getInitArgs()[r.index]);
  sizes.insert(sizes.begin(), lifter.tokens());
  whole = tensor::EmptyOp::create(b, loc, sizes, typeOf(r.state).getElementType());
  if (r.maximum)
    return raiseMaximum(r);
  LinearForm form(lifter, loop, r.state);
  std::optional<SmallVector<LinearTerm>> terms = form.of(r.next);
  std::optional<Update> update = terms ? matchUpdate(*terms) : std::nullopt;
  if (!update)
    return false;
  // Who reads the states before and after each token.
  SmallVector<Operation *> ofBefore, ofAfter;
  for (Operation *user : r.state.getUsers()) {
    auto copy = dyn_cast<linalg::CopyOp>(user);
    if (!form.isPart(user) && !(copy && copy.getOutputs()[0] == r.state))
      ofBefore.push_back(user);
  }
  for (Operation *user : r.next.getUsers())
    if (!isa<scf::YieldOp>(user) &&
        !(isa<linalg::CopyOp>(user) && withoutCopies(loop.getYieldedValues()[r.index]) == r.next &&
          user->getResult(0) == loop.getYieldedValues()[r.index]))
      ofAfter.push_back(user);
  SmallVector<int64_t> all;
  for (int64_t i = 0; i < rank; ++i)
    all.push_back(i);
  Value final;
  for (auto [users, value, before] :
       {std::tuple(ofBefore, Value(r.state), true), std::tuple(ofAfter, r.next, false)}) {
    if (users.empty() && (before || final || !ofBefore.empty()))
      continue;
    std::optional<StateRead> read;
    if (users.size() == 1)
      read = StateRead::match(value, users[0], before ? form.constant : Value());
    std::optional<Layout> layout = chooseLayout(read, *update);
    if (!layout)
      return false;
    ScanOp scan = buildScan(r, *layout, read, before, *update);
    if (!scan)
      return false;
    SmallVector<int64_t> ofState = layout->ofRow();
    SmallVector<int64_t> outputDims = read ? layout->ofColumn() : ofState;
    if (read)
      ofState.push_back(layout->column);
    final = fromScan(b, loc, scan.getFinal(), all, ofState, all, /*withTokens=*/false);
    if (read)
      lifter.set(read->result,
                 {fromScan(b, loc, scan.getOutput(), all, outputDims, read->resultDims,
                           /*withTokens=*/true),
                  true});
    else if (!users.empty())
      lifter.set(
          value,
          {fromScan(b, loc, scan.getOutput(), all, outputDims, all, /*withTokens=*/true), true});
  }
  results[r.index] = final;
  return true;
}

std::optional<SmallVector<Value>> LoopRaiser::raise() {
  if (!isConstantIntValue(loop.getLowerBound(), 0) || !isConstantIntValue(loop.getStep(), 1) ||
      !loop.getUpperBound().getType().isIndex())
    return std::nullopt;
  for (Operation &op : loop.getBody()->without_terminator())
    if (!isMemoryEffectFree(&op) && !isa<weft::PollOp>(op))
      return std::nullopt;
  b.setInsertionPoint(loop);
  if (!matchOutputs())
    return std::nullopt;
  results.assign(loop.getNumResults(), Value());
  SmallVector<Recurrence> waiting;
  for (unsigned i = 0; i < loop.getNumResults(); ++i) {
    if (llvm::any_of(outputs, [&](const auto &output) { return output.first == i; }))
      continue;
    std::optional<Recurrence> recurrence = matchRecurrence(i);
    if (!recurrence)
      return std::nullopt;
    waiting.push_back(*recurrence);
  }
  if (waiting.empty())
    return std::nullopt;
  // States may read others, which are known then.
  while (!waiting.empty()) {
    size_t count = waiting.size();
    for (size_t i = 0; i < waiting.size(); ++i)
      if (raiseRecurrence(waiting[i])) {
        waiting.erase(waiting.begin() + i);
        break;
      }
    if (waiting.size() == count)
      return std::nullopt;
  }
  for (auto &[index, insert] : outputs) {
    Value value = lifter.liftAll(insert.getSource());
    if (!value)
      return std::nullopt;
    // The source may have a dimension of this position of its own.
    if (typeOf(value).getRank() != insert.getDestType().getRank()) {
      llvm::SmallBitVector units(typeOf(value).getRank());
      if (typeOf(value).getRank() != insert.getDestType().getRank() + 1 ||
          typeOf(value).getDimSize(1) != 1)
        return std::nullopt;
      units.set(1);
      value = tensor::CollapseShapeOp::create(b, loop.getLoc(), value, groupsAround(units));
    }
    results[index] = value;
  }
  for (auto [i, result] : llvm::enumerate(loop.getResults())) {
    if (results[i].getType() != result.getType())
      results[i] = tensor::CastOp::create(b, loop.getLoc(), result.getType(), results[i]);
  }
  return results;
}
