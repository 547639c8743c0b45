//===- LoopScans.cpp - Operands of the scan that a loop is ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/LoopRaiser.h"
#include "dialects/SSM/Transforms/ScanLayout.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Those of `dims` that a state has.
static SmallVector<int64_t> present(ArrayRef<int64_t> dims) {
  SmallVector<int64_t> result;
  llvm::copy_if(dims, std::back_inserter(result), [](int64_t d) { return d >= 0; });
  return result;
}

bool LoopRaiser::varies(const Factors &factors, int64_t stateDim) {
  return stateDim >= 0 &&
         llvm::any_of(factors, [&](const Factor &f) { return f.dims.test(stateDim + 1); });
}

/// Whether a factor is the same for all tokens and batches.
bool LoopRaiser::isFixed(const Factor &factor, const Layout &layout) {
  return !factor.dims.test(0) && !varies({factor}, layout.batch);
}

/// The product as [T, dims...]; those that are -1 have the extent 1.
Value LoopRaiser::product(const Factors &factors, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> shifted{0};
  for (int64_t d : present(dims))
    shifted.push_back(d + 1);
  Location loc = loop.getLoc();
  return toScan(b, loc, multiply(b, loc, factors, whole, shifted), present(dims), dims,
                /*withTokens=*/true);
}

/// The product of factors that are the same for all tokens, as [dims...].
Value LoopRaiser::fixedProduct(const Factors &factors, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> shifted;
  for (int64_t d : present(dims))
    shifted.push_back(d + 1);
  Location loc = loop.getLoc();
  return toScan(b, loc, multiply(b, loc, factors, whole, shifted), present(dims), dims,
                /*withTokens=*/false);
}

/// The sum of the factors' products as one factor.
Factor LoopRaiser::sumOf(ArrayRef<LinearTerm> terms) {
  Location loc = loop.getLoc();
  llvm::SmallBitVector varying(rank + 2);
  varying.set(0);
  for (const LinearTerm &term : terms)
    for (const Factor &factor : term.factors)
      varying |= factor.dims;
  SmallVector<int64_t> dims(varying.set_bits());
  SmallVector<OpFoldResult> sizes;
  SmallVector<AffineExpr> exprs;
  for (int64_t d : dims) {
    sizes.push_back(tensor::getMixedSize(b, loc, whole, d));
    exprs.push_back(b.getAffineDimExpr(d));
  }
  Type element = typeOf(whole).getElementType();
  Value empty = tensor::EmptyOp::create(b, loc, sizes, element);
  SmallVector<Value> products;
  for (const LinearTerm &term : terms) {
    Value one = term.factors.empty()
                    ? arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 1.0)).getResult()
                    : Value();
    products.push_back(one ? linalg::FillOp::create(b, loc, one, empty).getResult(0)
                           : multiply(b, loc, term.factors, whole, dims));
  }
  SmallVector<AffineMap> maps(products.size() + 1, b.getMultiDimIdentityMap(dims.size()));
  SmallVector<utils::IteratorType> loops(dims.size(), utils::IteratorType::parallel);
  Value sum =
      linalg::GenericOp::create(b, loc, empty.getType(), products, empty, maps, loops,
                                [&](OpBuilder &b, Location loc, ValueRange x) {
                                  Value sum;
                                  for (auto [product, term] : llvm::zip(x.drop_back(), terms)) {
                                    Value own = product;
                                    if (!sum && term.negative)
                                      own = arith::NegFOp::create(b, loc, own);
                                    sum = !sum ? own
                                          : term.negative
                                              ? arith::SubFOp::create(b, loc, sum, own).getResult()
                                              : arith::AddFOp::create(b, loc, sum, own).getResult();
                                  }
                                  linalg::YieldOp::create(b, loc, sum);
                                })
          .getResult(0);
  return {sum, AffineMap::get(rank + 2, 0, exprs, b.getContext()), varying};
}

/// Which of the state's dimensions are batch, heads, rows and columns. Neither decays nor what
/// is erased vary along columns, and the query is summed along rows.
std::optional<LoopRaiser::Layout> LoopRaiser::chooseLayout(const std::optional<StateRead> &read,
                                                           const Update &update) {
  Layout layout;
  if (!read) {
    // All states are results.
    if (rank > 3 || update.erasure)
      return std::nullopt;
    layout.row = rank - 1;
    if (rank >= 2)
      layout.batch = 0;
    if (rank == 3)
      layout.head = 1;
    return layout;
  }
  if (update.erasure && update.erasure->row != read->row)
    return std::nullopt;
  SmallVector<int64_t> others;
  for (int64_t i = 0; i < rank; ++i)
    if (i != read->row)
      others.push_back(i);
  layout.row = read->row;
  std::optional<Factors> query = lifter.liftFactors(read->query, read->queryMap);
  if (!query)
    return std::nullopt;
  auto isColumn = [&](int64_t i) {
    bool erased =
        update.erasure && (varies(update.erasure->alpha, i) || varies(update.erasure->beta, i));
    return !erased && !varies(update.decay, i) && !varies(*query, i);
  };
  // The last one of those that qualify.
  for (int64_t i : llvm::reverse(others))
    if (isColumn(i)) {
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

/// The factors of what an exponential is taken of, if `factors` is one.
static std::optional<Factor> exponentOf(ArrayRef<Factor> factors) {
  if (factors.size() != 1)
    return std::nullopt;
  auto exponential = matchElementwise<math::ExpOp>(factors[0].tensor, 1);
  if (!exponential || !exponential.getIndexingMapsArray()[0].isIdentity())
    return std::nullopt;
  return Factor{exponential.getInputs()[0], factors[0].map, factors[0].dims};
}

static Value negate(OpBuilder &b, Location loc, Value value) {
  int64_t rank = typeOf(value).getRank();
  Value init = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, value),
                                       typeOf(value).getElementType());
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, init.getType(), value, init, maps, loops,
                                   [](OpBuilder &b, Location loc, ValueRange x) {
                                     linalg::YieldOp::create(
                                         b, loc, arith::NegFOp::create(b, loc, x[0]).getResult());
                                   })
      .getResult(0);
}

void LoopRaiser::setDecay(Operands &operands, const Layout &layout, const Update &update) {
  if (update.decay.empty())
    return;
  Factors decays = update.decay;
  operands.linear = true;
  if (std::optional<Factor> exponent = exponentOf(decays)) {
    operands.linear = false;
    decays = factorsOf(exponent->tensor, exponent->map);
    // A number of each token times one of each row is not multiplied out.
    Factors ofToken, fixed;
    for (const Factor &f : decays)
      (isFixed(f, layout) ? fixed : ofToken).push_back(f);
    if (!fixed.empty() && !ofToken.empty() && !varies(ofToken, layout.row) &&
        varies(fixed, layout.row)) {
      operands.rate = fixedProduct(fixed, {layout.head, layout.row});
      decays = ofToken;
    }
  }
  bool byRow = varies(decays, layout.row);
  operands.transition = byRow || operands.rate ? Transition::Diagonal : Transition::Scalar;
  operands.decay =
      product(decays, byRow ? layout.ofRow() : SmallVector<int64_t>{layout.batch, layout.head});
}

void LoopRaiser::setTerms(Operands &operands, const Layout &layout, const Update &update,
                          bool outer) {
  Factors keys, values;
  // Without columns, a head's value is a number.
  bool split = outer;
  for (const Factor &f : update.terms) {
    bool row = f.dims.test(layout.row + 1);
    split &= !(row && varies({f}, layout.column));
    (row ? keys : values).push_back(f);
  }
  if (split && !keys.empty() && !values.empty()) {
    operands.key = product(keys, layout.ofRow());
    operands.value = product(values, layout.ofColumn());
  } else {
    SmallVector<int64_t> ofState = layout.ofRow();
    if (outer)
      ofState.push_back(layout.column);
    operands.value = product(update.terms, ofState);
  }
  if (update.negative)
    operands.value = negate(b, loop.getLoc(), operands.value);
  if (!update.erasure)
    return;
  const Erasure &erasure = *update.erasure;
  bool subtracts = erasure.decayed && (erasure.negative || !update.decay.empty());
  operands.transition = subtracts ? Transition::Householder : Transition::DiagonalPlusLowRank;
  operands.alpha = product(erasure.alpha, layout.ofRow());
  operands.beta = product(erasure.beta, layout.ofRow());
  if (erasure.negative != subtracts)
    operands.beta = negate(b, loop.getLoc(), operands.beta);
}

/// The query and what the token itself is read with, one of each row for all tokens.
bool LoopRaiser::setRead(Operands &operands, const Layout &layout, const StateRead &read) {
  operands.query = product(*lifter.liftFactors(read.query, read.queryMap), layout.ofRow());
  if (!read.bonus)
    return true;
  std::optional<Factors> bonus = lifter.liftFactors(read.bonus, read.bonusMap);
  if (!bonus || !operands.key || !llvm::all_of(*bonus, [&](const Factor &f) {
        return isFixed(f, layout) && !varies({f}, layout.column);
      }))
    return false;
  operands.bonus = fixedProduct(*bonus, {layout.head, layout.row});
  return true;
}

ScanOp LoopRaiser::buildScan(Recurrence r, const Layout &layout,
                             const std::optional<StateRead> &read, bool before,
                             const Update &update) {
  Location loc = loop.getLoc();
  Type element = typeOf(r.state).getElementType();
  bool outer = read.has_value();
  Operands x;
  setDecay(x, layout, update);
  setTerms(x, layout, update, outer);
  if (read && !setRead(x, layout, *read))
    return {};
  SmallVector<int64_t> ofState = layout.ofRow();
  if (outer)
    ofState.push_back(layout.column);
  Value initial = toScan(b, loc, loop.getInitArgs()[r.index],
                         llvm::to_vector(llvm::seq<int64_t>(0, rank)), ofState,
                         /*withTokens=*/false);
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
      outer ? State::Outer : State::Vector, x.transition, x.query, x.key, x.value, x.decay, x.rate,
      /*angle=*/Value(), x.alpha, x.beta, /*matrix=*/Value(), x.bonus, initial,
      /*offsets=*/Value(), /*order=*/Value(), /*sources=*/Value(), /*destinations=*/Value(), inits,
      before ? Read::Pre : Read::Post, x.linear, /*rank=*/1, /*substeps=*/1, /*reads=*/1,
      lifter.isReversed() ? Direction::Reverse : Direction::Forward, Emit::Last, /*count=*/1,
      /*chunk=*/0);
}
