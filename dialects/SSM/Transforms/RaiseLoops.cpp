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
  OpOperand *factor = nullptr;
  OpOperand *term = nullptr;
};

/// A sum over dimension `row` of a state, weighted by a query.
struct StateRead {
  Value result;
  int64_t row = 0;
  Value query;
  AffineMap queryMap;              ///< of the state's dimensions
  SmallVector<int64_t> resultDims; ///< the state's dimension of each of the result's, or -1
  Operation *bonus = nullptr;      ///< what is added to the state before, if anything
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
  bool raiseRecurrence(Recurrence recurrence);
  std::optional<StateRead> matchRead(Value state, Operation *user);
  std::optional<StateRead> matchReadByContract(Value state, weft::ContractOp op);
  std::optional<StateRead> matchReadBySum(Value state, linalg::GenericOp product);
  std::optional<Layout> chooseLayout(Recurrence r, const std::optional<StateRead> &read,
                                     const Factors &factors);
  std::optional<Factors> factorsOf(Value value, AffineMap map);
  void collect(Value value, AffineMap map, Factors &factors);
  bool varies(const Factors &factors, int64_t stateDim);
  Value product(const Factors &factors, ArrayRef<int64_t> dims);
  Value inScan(Value tensor, ArrayRef<int64_t> dims, ArrayRef<int64_t> wanted, bool withTokens);
  Value fromScan(Value tensor, ArrayRef<int64_t> dims, ArrayRef<int64_t> wanted,
                 ArrayRef<int64_t> order, bool withTokens);
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

static bool isIdentityOn(linalg::GenericOp op, Value value) {
  for (OpOperand *operand : op.getDpsInputOperands())
    if (operand->get() == value)
      return op.getMatchingIndexingMap(operand).isIdentity();
  return false;
}

std::optional<Recurrence> Raiser::matchRecurrence(unsigned index) {
  Recurrence r{index, loop.getRegionIterArgs()[index],
               withoutCopies(loop.getYieldedValues()[index])};
  auto type = dyn_cast<RankedTensorType>(r.state.getType());
  if (!type || r.next.getType() != type || type.getRank() < 1 || type.getRank() > 4 ||
      !(type.getElementType().isF32() || type.getElementType().isF64()))
    return std::nullopt;
  r.sum = matchElementwise<arith::AddFOp>(r.next, 2);
  if (!r.sum || r.sum->getBlock() != loop.getBody())
    return std::nullopt;
  for (unsigned i : {0u, 1u}) {
    r.term = r.sum.getDpsInputOperand(1 - i);
    Value kept = r.sum.getInputs()[i];
    if (!r.sum.getMatchingIndexingMap(r.sum.getDpsInputOperand(i)).isIdentity())
      continue;
    if (kept == r.state)
      return r;
    auto product = matchElementwise<arith::MulFOp>(kept, 2);
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

/// A contraction of a state with a query, over one of its dimensions.
std::optional<StateRead> Raiser::matchReadByContract(Value state, weft::ContractOp op) {
  if (op.getBias() || !isZeroTensor(op.getInit()) || !op.getResultMap().isProjectedPermutation() ||
      (op.getLhs() == state) == (op.getRhs() == state))
    return std::nullopt;
  bool left = op.getLhs() == state;
  AffineMap own = left ? op.getLhsMap() : op.getRhsMap();
  AffineMap other = left ? op.getRhsMap() : op.getLhsMap();
  StateRead read;
  read.result = op.getResult();
  read.query = left ? op.getRhs() : op.getLhs();
  SmallVector<int64_t> dimOf(op.getNumLoops(), -1), ranges = op.getStaticLoopRanges();
  if (!own.isProjectedPermutation() || !isa<RankedTensorType>(read.query.getType()))
    return std::nullopt;
  int64_t contracted = 0;
  for (auto [i, expr] : llvm::enumerate(own.getResults())) {
    unsigned position = cast<AffineDimExpr>(expr).getPosition();
    dimOf[position] = i;
    if (op.isContracted(position)) {
      read.row = i;
      ++contracted;
    }
  }
  if (contracted != 1)
    return std::nullopt;
  // Other loops have one iteration.
  SmallVector<AffineExpr> query;
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    if (dimOf[i] < 0 && ranges[i] != 1)
      return std::nullopt;
  for (AffineExpr expr : other.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    int64_t at = dim ? dimOf[dim.getPosition()] : -1;
    query.push_back(at < 0 ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(at));
  }
  read.queryMap = AffineMap::get(rank, 0, query, b.getContext());
  for (AffineExpr expr : op.getResultMap().getResults())
    read.resultDims.push_back(dimOf[cast<AffineDimExpr>(expr).getPosition()]);
  return read;
}

/// The same as a product and its sum.
std::optional<StateRead> Raiser::matchReadBySum(Value state, linalg::GenericOp product) {
  if (!product || !isElementwiseOf(product, arith::MulFOp::getOperationName(), 2) ||
      !product->hasOneUse() || !isIdentityOn(product, state))
    return std::nullopt;
  auto sum = dyn_cast<linalg::GenericOp>(*product->user_begin());
  if (!sum || sum.getNumDpsInputs() != 1 || sum->getNumResults() != 1 ||
      sum.getNumReductionLoops() != 1 || !isZeroTensor(sum.getDpsInits()[0]) ||
      !sum.getIndexingMapsArray()[0].isIdentity() ||
      !sum.getIndexingMapsArray()[1].isProjectedPermutation() ||
      sum.getBody()->getOperations().size() != 2)
    return std::nullopt;
  auto add = sum.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || !isa<BlockArgument>(add.getLhs()) || !isa<BlockArgument>(add.getRhs()) ||
      add.getLhs() == add.getRhs())
    return std::nullopt;
  unsigned other = product.getInputs()[0] == state ? 1 : 0;
  if (product.getInputs()[other] == state)
    return std::nullopt;
  SmallVector<unsigned> reduced;
  sum.getReductionDims(reduced);
  StateRead read;
  read.result = sum.getResult(0);
  read.row = reduced[0];
  read.query = product.getInputs()[other];
  read.queryMap = product.getMatchingIndexingMap(product.getDpsInputOperand(other));
  for (AffineExpr expr : sum.getIndexingMapsArray()[1].getResults())
    read.resultDims.push_back(cast<AffineDimExpr>(expr).getPosition());
  return read;
}

std::optional<StateRead> Raiser::matchRead(Value state, Operation *user) {
  if (auto contract = dyn_cast<weft::ContractOp>(user))
    return matchReadByContract(state, contract);
  return matchReadBySum(state, dyn_cast<linalg::GenericOp>(user));
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
  return inScan(multiply(b, loop.getLoc(), factors, whole, shifted), Layout::present(dims), dims,
                /*withTokens=*/true);
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// Transposes to the order in which `wanted` names positions of `tensor`.
static Value transposed(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> order) {
  if (llvm::equal(order, llvm::seq<int64_t>(0, order.size())))
    return tensor;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor), turned;
  for (int64_t i : order)
    turned.push_back(sizes[i]);
  Value empty = tensor::EmptyOp::create(b, loc, turned, typeOf(tensor).getElementType());
  return linalg::TransposeOp::create(b, loc, tensor, empty, order)->getResult(0);
}

/// Groups of dimensions of the longer of two shapes, for each of the shorter one, if those in
/// `units` are 1 and not in it.
static SmallVector<ReassociationIndices> groupsAround(const llvm::SmallBitVector &units) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (unsigned i = 0; i < units.size(); ++i) {
    if (!units.test(i)) {
      groups.push_back(leading);
      groups.back().push_back(i);
      leading.clear();
    } else if (groups.empty()) {
      leading.push_back(i);
    } else {
      groups.back().push_back(i);
    }
  }
  return groups;
}

/// A tensor of the state's dimensions `dims` (after that of tokens) as a scan has it: batch,
/// tokens, then the others of `wanted`, of which the first one is the batch.
Value Raiser::inScan(Value tensor, ArrayRef<int64_t> dims, ArrayRef<int64_t> wanted,
                     bool withTokens) {
  Location loc = loop.getLoc();
  int64_t first = withTokens ? 1 : 0;
  SmallVector<int64_t> order;
  llvm::SmallBitVector units;
  for (auto [i, d] : llvm::enumerate(wanted)) {
    const int64_t *at = llvm::find(dims, d);
    bool unit = d < 0 || at == dims.end();
    units.push_back(unit);
    if (!unit)
      order.push_back(at - dims.begin() + first);
    if (i == 0 && withTokens) {
      units.push_back(false);
      order.push_back(0);
    }
  }
  tensor = transposed(b, loc, tensor, order);
  if (units.none())
    return tensor;
  SmallVector<OpFoldResult> have = tensor::getMixedSizes(b, loc, tensor), sizes;
  SmallVector<int64_t> shape;
  size_t next = 0;
  for (unsigned i = 0; i < units.size(); ++i) {
    sizes.push_back(units.test(i) ? OpFoldResult(b.getIndexAttr(1)) : have[next]);
    shape.push_back(units.test(i) ? 1 : typeOf(tensor).getDimSize(next));
    next += !units.test(i);
  }
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, typeOf(tensor).getElementType()), tensor,
      groupsAround(units), sizes);
}

/// The other way: a result of a scan, in the order of `wanted`, as [T, order...], -1 in which
/// is an extent of 1.
Value Raiser::fromScan(Value tensor, ArrayRef<int64_t> dims, ArrayRef<int64_t> wanted,
                       ArrayRef<int64_t> order, bool withTokens) {
  Location loc = loop.getLoc();
  llvm::SmallBitVector units;
  SmallVector<int64_t> have; // -2: tokens
  for (auto [i, d] : llvm::enumerate(wanted)) {
    bool unit = d < 0 || !llvm::is_contained(dims, d);
    units.push_back(unit);
    if (!unit)
      have.push_back(d);
    if (i == 0 && withTokens) {
      units.push_back(false);
      have.push_back(-2);
    }
  }
  if (units.any())
    tensor = tensor::CollapseShapeOp::create(b, loc, tensor, groupsAround(units));
  SmallVector<int64_t> names, permutation;
  if (withTokens)
    names.push_back(-2);
  llvm::append_range(names, order);
  llvm::SmallBitVector added;
  for (int64_t name : names) {
    added.push_back(name == -1);
    if (name != -1)
      permutation.push_back(llvm::find(have, name) - have.begin());
  }
  tensor = transposed(b, loc, tensor, permutation);
  if (added.none())
    return tensor;
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, tensor), sizes;
  SmallVector<int64_t> shape;
  size_t next = 0;
  for (unsigned i = 0; i < added.size(); ++i) {
    sizes.push_back(added.test(i) ? OpFoldResult(b.getIndexAttr(1)) : extents[next]);
    shape.push_back(added.test(i) ? 1 : typeOf(tensor).getDimSize(next));
    next += !added.test(i);
  }
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, typeOf(tensor).getElementType()), tensor,
      groupsAround(added), sizes);
}

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
        rate = inScan(multiply(b, loc, fixed, whole, shifted), Layout::present(own), own,
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
  if (read) {
    query = product(*factorsOf(read->query, read->queryMap), ofRow);
  }
  SmallVector<int64_t> all;
  for (int64_t i = 0; i < rank; ++i)
    all.push_back(i);
  Value initial = inScan(loop.getInitArgs()[r.index], all, ofState, /*withTokens=*/false);
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
      read = matchRead(value, users[0]);
    std::optional<Layout> layout = chooseLayout(r, read, factors);
    if (!layout)
      return false;
    ScanOp scan = buildScan(r, *layout, read, before, factors, *terms);
    SmallVector<int64_t> ofState{layout->batch, layout->head, layout->row};
    SmallVector<int64_t> outputDims = ofState;
    if (read) {
      ofState.push_back(layout->column);
      outputDims[2] = layout->column;
    }
    final = fromScan(scan.getFinal(), all, ofState, all, /*withTokens=*/false);
    if (read)
      lifter.set(read->result, {fromScan(scan.getOutput(), all, outputDims, read->resultDims,
                                         /*withTokens=*/true),
                                true});
    else if (!users.empty())
      lifter.set(value,
                 {fromScan(scan.getOutput(), all, outputDims, all, /*withTokens=*/true), true});
  }
  results[r.index] = final;
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
