//===- RaiseLoops.cpp - Loops over tokens become scans --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/SSM/Transforms/LoopLifter.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "dialects/SSM/Transforms/ScanLayout.h"
#include "dialects/SSM/Transforms/StateRead.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISELOOPS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {
/// state = factor * state + term, elementwise; without a factor it is 1.
struct Recurrence {
  unsigned index;      ///< of the loop's arguments
  BlockArgument state; ///< before the token
  Value next;          ///< after it
  linalg::GenericOp sum, product;
  /// state = max(state + factor, term) instead.
  bool isMaximum = false;
  OpOperand *factor = nullptr;
  OpOperand *term = nullptr;
};

/// Where the dimensions of a state go, -1 for those it lacks.
struct Layout {
  int64_t batch = -1, head = -1, row = -1, column = -1;

  SmallVector<int64_t> ofState() const { return present({batch, head, row, column}); }
  static SmallVector<int64_t> present(ArrayRef<int64_t> dims) {
    SmallVector<int64_t> result;
    llvm::copy_if(dims, std::back_inserter(result), [](int64_t d) { return d >= 0; });
    return result;
  }
};

class Raiser {
public:
  Raiser(RewriterBase &b, scf::ForOp loop) : b(b), loop(loop), lifter(b, loop) {}
  bool raise();

private:
  using Factors = SmallVector<Factor>;

  bool matchOutputs();
  std::optional<Recurrence> matchRecurrence(unsigned index);
  bool raiseRecurrence(Recurrence r);
  bool raiseMaximum(Recurrence r);
  std::optional<Layout> chooseLayout(Recurrence r, const std::optional<StateRead> &read,
                                     const Factors &factors);
  std::optional<Factors> factorsOf(Value value, AffineMap map);
  void collect(Value value, AffineMap map, Factors &factors);
  bool varies(const Factors &factors, int64_t stateDim);
  Value product(const Factors &factors, ArrayRef<int64_t> dims);
  ScanOp buildScan(Recurrence r, const Layout &layout, const std::optional<StateRead> &read,
                   bool before, const Factors &factors, const Factors &terms);

  RewriterBase &b;
  scf::ForOp loop;
  LoopLifter lifter;
  Value whole; ///< a tensor [T, state's dimensions...], for its extents
  int64_t rank = 0;
  SmallVector<Value> results;
  SmallVector<std::pair<unsigned, tensor::InsertSliceOp>> outputs;
};
} // namespace

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
bool Raiser::matchOutputs() {
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

std::optional<Recurrence> Raiser::matchRecurrence(unsigned index) {
  Recurrence r{index, loop.getRegionIterArgs()[index],
               withoutCopies(loop.getYieldedValues()[index])};
  auto type = dyn_cast<RankedTensorType>(r.state.getType());
  if (!type || r.next.getType() != type || type.getRank() < 1 || type.getRank() > 4 ||
      !(type.getElementType().isF32() || type.getElementType().isF64()))
    return std::nullopt;
  r.sum = matchElementwise<arith::AddFOp>(r.next, 2);
  if (!r.sum) {
    r.sum = matchElementwise<arith::MaximumFOp>(r.next, 2);
    r.isMaximum = true;
  }
  if (!r.sum || r.sum->getBlock() != loop.getBody())
    return std::nullopt;
  for (unsigned i : {0u, 1u}) {
    r.term = r.sum.getDpsInputOperand(1 - i);
    Value kept = r.sum.getInputs()[i];
    if (!r.sum.getMatchingIndexingMap(r.sum.getDpsInputOperand(i)).isIdentity())
      continue;
    if (kept == r.state && !r.isMaximum)
      return r;
    auto product = r.isMaximum ? matchElementwise<arith::AddFOp>(kept, 2)
                               : matchElementwise<arith::MulFOp>(kept, 2);
    if (!product || product->getBlock() != loop.getBody())
      continue;
    for (unsigned j : {0u, 1u})
      if (product.getInputs()[j] == r.state && isIdentityOn(product, r.state)) {
        r.product = product;
        r.factor = product.getDpsInputOperand(1 - j);
        return r;
      }
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Factors
//===----------------------------------------------------------------------===//

/// Whether each result of the map is a dimension or 0.
static bool isBroadcast(AffineMap map) {
  return llvm::all_of(map.getResults(), [](AffineExpr expr) {
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    return isa<AffineDimExpr>(expr) || (constant && constant.getValue() == 0);
  });
}

/// Adds the factors of the element `map` of `value`.
void Raiser::collect(Value value, AffineMap map, Factors &factors) {
  // Before dimensions of extent 1 were added.
  while (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>()) {
    SmallVector<AffineExpr> exprs;
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      AffineExpr kept = b.getAffineConstantExpr(0);
      int64_t wide = 0;
      for (int64_t i : group)
        if (expand.getResultType().getDimSize(i) != 1) {
          kept = map.getResult(i);
          ++wide;
        }
      if (wide > 1)
        break;
      exprs.push_back(kept);
    }
    if (exprs.size() != expand.getReassociationIndices().size())
      break;
    map = AffineMap::get(map.getNumDims(), 0, exprs, b.getContext());
    value = expand.getSrc();
  }
  auto product = matchElementwise<arith::MulFOp>(value, 2);
  if (product && llvm::all_of(product.getIndexingMapsArray(), isBroadcast)) {
    for (unsigned i : {0u, 1u})
      collect(product.getInputs()[i], product.getIndexingMapsArray()[i].compose(map), factors);
    return;
  }
  llvm::SmallBitVector dims(map.getNumDims());
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && typeOf(value).getDimSize(i) != 1)
      dims.set(dim.getPosition());
  factors.push_back({value, map, dims});
}

/// The factors for all iterations of a value that is read by `map` of the state's
/// dimensions.
std::optional<Raiser::Factors> Raiser::factorsOf(Value value, AffineMap map) {
  std::optional<Lifted> lifted = lifter.lift(value);
  if (!lifted || !isa<RankedTensorType>(lifted->value.getType()))
    return std::nullopt;
  SmallVector<AffineExpr> exprs(map.shiftDims(1).getResults());
  if (lifted->varies)
    exprs.insert(exprs.begin(), b.getAffineDimExpr(0));
  Factors factors;
  collect(lifted->value, AffineMap::get(rank + 1, 0, exprs, b.getContext()), factors);
  return factors;
}

bool Raiser::varies(const Factors &factors, int64_t stateDim) {
  return llvm::any_of(factors, [&](const Factor &f) { return f.dims.test(stateDim + 1); });
}

/// The product as [T, dims...]; those that are -1 have the extent 1.
Value Raiser::product(const Factors &factors, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> shifted{0};
  for (int64_t d : Layout::present(dims))
    shifted.push_back(d + 1);
  Location loc = loop.getLoc();
  return toScan(b, loc, multiply(b, loc, factors, whole, shifted), Layout::present(dims), dims,
                /*withTokens=*/true);
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// Which of the state's dimensions are batch, heads, rows and columns. Decays do not vary
/// along columns, and the query is summed along rows.
std::optional<Layout> Raiser::chooseLayout(Recurrence r, const std::optional<StateRead> &read,
                                           const Factors &factors) {
  Layout layout;
  if (!read) {
    // All states are results.
    if (rank > 3)
      return std::nullopt;
    layout.row = rank - 1;
    if (rank >= 2)
      layout.batch = 0;
    if (rank == 3)
      layout.head = 1;
    return layout;
  }
  SmallVector<int64_t> others;
  for (int64_t i = 0; i < rank; ++i)
    if (i != read->row)
      others.push_back(i);
  layout.row = read->row;
  // The last of the other dimensions that decays do not vary along, nor the query.
  std::optional<Factors> query = factorsOf(read->query, read->queryMap);
  if (!query)
    return std::nullopt;
  for (int64_t i : llvm::reverse(others))
    if (!varies(factors, i) && !varies(*query, i)) {
      layout.column = i;
      break;
    }
  others.erase(std::remove(others.begin(), others.end(), layout.column), others.end());
  if (others.size() > 2)
    return std::nullopt;
  if (!others.empty())
    layout.batch = others[0];
  if (others.size() > 1)
    layout.head = others[1];
  return layout;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// The factors of what an exponential is taken of, if `factors` is one.
static std::optional<Factor> exponentOf(ArrayRef<Factor> factors) {
  if (factors.size() != 1)
    return std::nullopt;
  auto exponential = matchElementwise<math::ExpOp>(factors[0].tensor, 1);
  if (!exponential || !exponential.getIndexingMapsArray()[0].isIdentity())
    return std::nullopt;
  return Factor{exponential.getInputs()[0], factors[0].map, factors[0].dims};
}

ScanOp Raiser::buildScan(Recurrence r, const Layout &layout, const std::optional<StateRead> &read,
                         bool before, const Factors &factors, const Factors &terms) {
  Location loc = loop.getLoc();
  Type element = typeOf(r.state).getElementType();
  bool outer = read.has_value();
  Value query, key, value, decay, rate, bonus;
  bool linear = true;
  Transition transition = Transition::Identity;
  SmallVector<int64_t> ofHead{layout.batch, layout.head};
  SmallVector<int64_t> ofRow{layout.batch, layout.head, layout.row};
  if (!factors.empty()) {
    Factors decays = factors;
    if (std::optional<Factor> exponent = exponentOf(factors)) {
      linear = false;
      decays.clear();
      collect(exponent->tensor, exponent->map, decays);
      // A number of each token times one of each row is not multiplied out.
      Factors ofToken, fixed;
      for (const Factor &f : decays) {
        bool constant = !f.dims.test(0) && (layout.batch < 0 || !f.dims.test(layout.batch + 1));
        (constant ? fixed : ofToken).push_back(f);
      }
      if (!fixed.empty() && !ofToken.empty() && !varies(ofToken, layout.row) &&
          varies(fixed, layout.row)) {
        SmallVector<int64_t> own{layout.head, layout.row};
        SmallVector<int64_t> shifted;
        for (int64_t d : Layout::present(own))
          shifted.push_back(d + 1);
        rate = toScan(b, loc, multiply(b, loc, fixed, whole, shifted), Layout::present(own), own,
                      /*withTokens=*/false);
        decays = ofToken;
      }
    }
    bool byRow = varies(decays, layout.row);
    transition = byRow || rate ? Transition::Diagonal : Transition::Scalar;
    decay = product(decays, byRow ? ofRow : ofHead);
  }
  Factors keys, values;
  bool split = outer && layout.column >= 0;
  for (const Factor &f : terms) {
    bool row = f.dims.test(layout.row + 1);
    bool column = layout.column >= 0 && f.dims.test(layout.column + 1);
    split &= !(row && column);
    (row ? keys : values).push_back(f);
  }
  // Without columns, a head's value is a number.
  split |= outer && layout.column < 0;
  SmallVector<int64_t> ofColumn{layout.batch, layout.head, layout.column};
  SmallVector<int64_t> ofState{layout.batch, layout.head, layout.row};
  if (outer)
    ofState.push_back(layout.column);
  if (split && !keys.empty() && !values.empty()) {
    key = product(keys, ofRow);
    value = product(values, ofColumn);
  } else {
    value = product(terms, ofState);
  }
  if (read)
    query = product(*factorsOf(read->query, read->queryMap), ofRow);
  if (read && read->bonus) {
    // One of each row, for all tokens.
    std::optional<Factors> found = factorsOf(read->bonus, read->bonusMap);
    SmallVector<int64_t> own{layout.head, layout.row}, shifted;
    for (int64_t d : Layout::present(own))
      shifted.push_back(d + 1);
    bool constant = found && key && llvm::all_of(*found, [&](const Factor &f) {
                      return !f.dims.test(0) &&
                             (layout.batch < 0 || !f.dims.test(layout.batch + 1)) &&
                             (layout.column < 0 || !f.dims.test(layout.column + 1));
                    });
    if (!constant)
      return {};
    bonus = toScan(b, loc, multiply(b, loc, *found, whole, shifted), Layout::present(own), own,
                   /*withTokens=*/false);
  }
  SmallVector<int64_t> all;
  for (int64_t i = 0; i < rank; ++i)
    all.push_back(i);
  Value initial = toScan(b, loc, loop.getInitArgs()[r.index], all, ofState, /*withTokens=*/false);
  SmallVector<OpFoldResult> outputSizes, finalSizes;
  auto sizeOf = [&](int64_t d) -> OpFoldResult {
    return d < 0 ? OpFoldResult(b.getIndexAttr(1)) : tensor::getMixedSize(b, loc, whole, d + 1);
  };
  for (int64_t d : ofState)
    finalSizes.push_back(sizeOf(d));
  outputSizes = {sizeOf(layout.batch), lifter.tokens(), sizeOf(layout.head),
                 sizeOf(read ? layout.column : layout.row)};
  Value inits[] = {tensor::EmptyOp::create(b, loc, outputSizes, element),
                   tensor::EmptyOp::create(b, loc, finalSizes, element)};
  return ScanOp::create(
      b, loc, inits[0].getType(), inits[1].getType(), /*checkpoints=*/Type(),
      outer ? State::Outer : State::Vector, transition, query, key, value, decay, rate,
      /*angle=*/Value(), /*alpha=*/Value(), /*beta=*/Value(), /*matrix=*/Value(), bonus, initial,
      /*offsets=*/Value(), /*order=*/Value(), /*sources=*/Value(), /*destinations=*/Value(), inits,
      before ? weft::ssm::Read::Pre : weft::ssm::Read::Post, linear && decay, /*rank=*/1,
      /*substeps=*/1, /*reads=*/1, lifter.isReversed() ? Direction::Reverse : Direction::Forward,
      Emit::Last, /*count=*/1,
      /*chunk=*/0);
}

bool Raiser::raiseRecurrence(Recurrence r) {
  Location loc = loop.getLoc();
  rank = typeOf(r.state).getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, loop.getInitArgs()[r.index]);
  sizes.insert(sizes.begin(), lifter.tokens());
  whole = tensor::EmptyOp::create(b, loc, sizes, typeOf(r.state).getElementType());
  if (r.isMaximum)
    return raiseMaximum(r);
  Factors factors;
  if (r.factor) {
    std::optional<Factors> found =
        factorsOf(r.factor->get(), r.product.getMatchingIndexingMap(r.factor));
    if (!found)
      return false;
    factors = *found;
  }
  std::optional<Factors> terms = factorsOf(r.term->get(), r.sum.getMatchingIndexingMap(r.term));
  if (!terms)
    return false;
  // Who reads the states before and after each token.
  SmallVector<Operation *> ofBefore, ofAfter;
  for (Operation *user : r.state.getUsers()) {
    auto copy = dyn_cast<linalg::CopyOp>(user);
    if (user != r.sum && user != r.product && !(copy && copy.getOutputs()[0] == r.state))
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
      read = StateRead::match(value, users[0], before ? r.term->get() : Value());
    std::optional<Layout> layout = chooseLayout(r, read, factors);
    if (!layout)
      return false;
    ScanOp scan = buildScan(r, *layout, read, before, factors, *terms);
    if (!scan)
      return false;
    SmallVector<int64_t> ofState{layout->batch, layout->head, layout->row};
    SmallVector<int64_t> outputDims = ofState;
    if (read) {
      ofState.push_back(layout->column);
      outputDims[2] = layout->column;
    }
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

/// The maxima before each token and after the last one, of an exclusive scan of one more
/// position: pairs (a, b) are the function max(s + a, b).
bool Raiser::raiseMaximum(Recurrence r) {
  Location loc = loop.getLoc();
  RankedTensorType state = typeOf(r.state);
  Type element = state.getElementType();
  std::optional<Factors> added =
      factorsOf(r.factor->get(), r.product.getMatchingIndexingMap(r.factor));
  std::optional<Factors> terms = factorsOf(r.term->get(), r.sum.getMatchingIndexingMap(r.term));
  if (!added || !terms)
    return false;
  SmallVector<int64_t> every;
  for (int64_t i = 0; i <= rank; ++i)
    every.push_back(i);
  bool reverse = lifter.isReversed();
  weft::IndexMath index{b, loc};
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  Value tokens = getValueOrCreateConstantIndexOp(b, loc, lifter.tokens());
  OpFoldResult more = getAsOpFoldResult(index.add(tokens, index.constant(1)));
  if (std::optional<int64_t> count = getConstantIntValue(lifter.tokens()))
    more = b.getIndexAttr(*count + 1);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, whole), extended = sizes,
                            strides(rank + 1, one), offsets(rank + 1, zero);
  extended[0] = more;
  Value empty = tensor::EmptyOp::create(b, loc, extended, element);
  // The position that nothing comes after: last, or first.
  if (reverse)
    offsets[0] = one;
  auto number = [&](APFloat x) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(element, x));
  };
  const llvm::fltSemantics &kind = cast<FloatType>(element).getFloatSemantics();
  Value identity[] = {number(APFloat::getZero(kind)), number(APFloat::getInf(kind, true))};
  SmallVector<Value> inputs;
  for (auto [factors, neutral] : llvm::zip_equal(ArrayRef<Factors>{*added, *terms}, identity)) {
    Value filled = linalg::FillOp::create(b, loc, neutral, empty).getResult(0);
    inputs.push_back(tensor::InsertSliceOp::create(b, loc, multiply(b, loc, factors, whole, every),
                                                   filled, offsets, sizes, strides));
  }
  Value inits[] = {empty, empty};
  auto scan = ScanRegionOp::create(b, loc, TypeRange(ValueRange(inits)), inputs, identity, inits,
                                   /*dimension=*/0, /*exclusive=*/true, reverse);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&scan.getCombiner(), {}, SmallVector<Type>(4, element),
                                SmallVector<Location>(4, loc));
    ValueRange x = body->getArguments();
    Value sum = arith::AddFOp::create(b, loc, x[0], x[2]);
    Value moved = arith::AddFOp::create(b, loc, x[1], x[2]);
    Value most = arith::MaximumFOp::create(b, loc, moved, x[3]);
    YieldOp::create(b, loc, ValueRange{sum, most});
  }
  AffineMap own = b.getMultiDimIdentityMap(rank + 1);
  SmallVector<AffineMap> maps{own.dropResult(0), own, own, own};
  SmallVector<utils::IteratorType> loops(rank + 1, utils::IteratorType::parallel);
  Value states = linalg::GenericOp::create(
                     b, loc, empty.getType(),
                     ValueRange{loop.getInitArgs()[r.index], scan.getResult(0), scan.getResult(1)},
                     empty, maps, loops,
                     [](OpBuilder &b, Location loc, ValueRange x) {
                       Value moved = arith::AddFOp::create(b, loc, x[0], x[1]);
                       Value most = arith::MaximumFOp::create(b, loc, moved, x[2]);
                       linalg::YieldOp::create(b, loc, most);
                     })
                     .getResult(0);
  auto rows = [&](OpFoldResult from) {
    SmallVector<OpFoldResult> at(rank + 1, zero);
    at[0] = from;
    return Value(tensor::ExtractSliceOp::create(b, loc, states, at, sizes, strides));
  };
  lifter.set(r.state, {rows(reverse ? one : zero), true});
  lifter.set(r.next, {rows(reverse ? zero : one), true});
  SmallVector<OpFoldResult> last(rank + 1, zero), lastSizes = sizes;
  last[0] = reverse ? zero : lifter.tokens();
  lastSizes[0] = one;
  results[r.index] =
      tensor::ExtractSliceOp::create(b, loc, state, states, last, lastSizes, strides);
  return true;
}

bool Raiser::raise() {
  if (!isConstantIntValue(loop.getLowerBound(), 0) || !isConstantIntValue(loop.getStep(), 1) ||
      !loop.getUpperBound().getType().isIndex())
    return false;
  for (Operation &op : loop.getBody()->without_terminator())
    if (!isMemoryEffectFree(&op) && !isa<weft::PollOp>(op))
      return false;
  b.setInsertionPoint(loop);
  if (!matchOutputs())
    return false;
  results.assign(loop.getNumResults(), Value());
  SmallVector<Recurrence> waiting;
  for (unsigned i = 0; i < loop.getNumResults(); ++i) {
    if (llvm::any_of(outputs, [&](const auto &output) { return output.first == i; }))
      continue;
    std::optional<Recurrence> recurrence = matchRecurrence(i);
    if (!recurrence)
      return false;
    waiting.push_back(*recurrence);
  }
  if (waiting.empty())
    return false;
  // States may read others, which are known then.
  while (!waiting.empty()) {
    size_t count = waiting.size();
    for (size_t i = 0; i < waiting.size(); ++i)
      if (raiseRecurrence(waiting[i])) {
        waiting.erase(waiting.begin() + i);
        break;
      }
    if (waiting.size() == count)
      return false;
  }
  for (auto &[index, insert] : outputs) {
    Value value = lifter.liftAll(insert.getSource());
    if (!value)
      return false;
    // The source may have a dimension of this position of its own.
    if (typeOf(value).getRank() != insert.getDestType().getRank()) {
      llvm::SmallBitVector units(typeOf(value).getRank());
      if (typeOf(value).getRank() != insert.getDestType().getRank() + 1 ||
          typeOf(value).getDimSize(1) != 1)
        return false;
      units.set(1);
      value = tensor::CollapseShapeOp::create(b, loop.getLoc(), value, groupsAround(units));
    }
    results[index] = value;
  }
  for (auto [i, result] : llvm::enumerate(loop.getResults())) {
    if (results[i].getType() != result.getType())
      results[i] = tensor::CastOp::create(b, loop.getLoc(), result.getType(), results[i]);
  }
  b.replaceOp(loop, results);
  return true;
}

namespace {
struct RaiseLoops : weft::ssm::impl::RaiseLoopsBase<RaiseLoops> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp op) { loops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (scf::ForOp loop : loops)
      raised += Raiser(rewriter, loop).raise();
  }
};
} // namespace
