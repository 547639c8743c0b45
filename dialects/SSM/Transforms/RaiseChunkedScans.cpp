//===- RaiseChunkedScans.cpp - Scans that were written in chunks ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/SSM/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISECHUNKEDSCANS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Elements of tensors, through what only moves them
//===----------------------------------------------------------------------===//

namespace {
/// The element of `base` at these positions, expressions of some loops.
struct Access {
  Value base;
  SmallVector<AffineExpr> at;

  bool operator==(const Access &other) const { return base == other.base && at == other.at; }
};
} // namespace

static SmallVector<AffineExpr> compose(AffineMap map, ArrayRef<AffineExpr> at) {
  SmallVector<AffineExpr> result;
  for (AffineExpr expr : map.getResults())
    result.push_back(expr.replaceDims(at));
  return result;
}

/// The element before a reshape that splits dimensions, or nothing if its sizes are
/// not known.
static std::optional<Access> beforeExpand(tensor::ExpandShapeOp op, ArrayRef<AffineExpr> at) {
  Access result{op.getSrc(), {}};
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    AffineExpr index = getAffineConstantExpr(0, op.getContext());
    for (auto [i, dim] : llvm::enumerate(group)) {
      int64_t size = op.getResultType().getDimSize(dim);
      if (i != 0 && ShapedType::isDynamic(size))
        return std::nullopt;
      index = i == 0 ? at[dim] : index * size + at[dim];
    }
    result.at.push_back(index);
  }
  return result;
}

/// The same for one that only drops extents of 1.
static std::optional<Access> beforeCollapse(tensor::CollapseShapeOp op, ArrayRef<AffineExpr> at) {
  Access result{op.getSrc(), {}};
  for (auto [index, group] : llvm::enumerate(op.getReassociationIndices())) {
    bool used = false;
    for (int64_t dim : group) {
      bool unit = op.getSrcType().getDimSize(dim) == 1;
      if (!unit && used)
        return std::nullopt;
      result.at.push_back(unit ? getAffineConstantExpr(0, op.getContext()) : at[index]);
      used |= !unit;
    }
  }
  return result;
}

static std::optional<Access> beforeSlice(tensor::ExtractSliceOp op, ArrayRef<AffineExpr> at) {
  if (!op.hasUnitStride() || op.getType().getRank() != op.getSourceType().getRank())
    return std::nullopt;
  Access result{op.getSource(), {}};
  for (auto [offset, index] : llvm::zip(op.getMixedOffsets(), at)) {
    std::optional<int64_t> number = getConstantIntValue(offset);
    if (!number)
      return std::nullopt;
    result.at.push_back(index + *number);
  }
  return result;
}

/// The dimension that `op` sums up, starting from 0, if that is all it does.
static std::optional<unsigned> matchSum(linalg::GenericOp op) {
  if (!op || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 1 || !isZeroTensor(op.getOutputs()[0]))
    return std::nullopt;
  Block *body = op.getBody();
  auto sum = body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  ValueRange args = body->getArguments();
  if (!sum || !llvm::hasNItems(*body, 2) ||
      !((sum.getLhs() == args[0] && sum.getRhs() == args[1]) ||
        (sum.getLhs() == args[1] && sum.getRhs() == args[0])))
    return std::nullopt;
  SmallVector<unsigned> reduced;
  op.getReductionDims(reduced);
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0)),
            output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!input.isIdentity() || output != input.dropResult(reduced[0]))
    return std::nullopt;
  return reduced[0];
}

/// The same of an operation that moves elements: a broadcast, or a sum of one element.
static std::optional<Access> beforeGeneric(linalg::GenericOp op, ArrayRef<AffineExpr> at) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1)
    return std::nullopt;
  Value input = op.getInputs()[0];
  if (std::optional<unsigned> reduced = matchSum(op);
      reduced && typeOf(input).getDimSize(*reduced) == 1) {
    Access result{input, SmallVector<AffineExpr>(at)};
    result.at.insert(result.at.begin() + *reduced, getAffineConstantExpr(0, op.getContext()));
    return result;
  }
  if (op.getNumLoops() != op.getNumParallelLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() ||
      op.getBody()->getTerminator()->getOperand(0) != op.getBody()->getArgument(0))
    return std::nullopt;
  return Access{input, compose(op.getMatchingIndexingMap(op.getDpsInputOperand(0)), at)};
}

/// Follows an element to where it was computed.
static Access resolve(Value value, ArrayRef<AffineExpr> at) {
  Access access{value, SmallVector<AffineExpr>(at)};
  while (Operation *def = access.base.getDefiningOp()) {
    std::optional<Access> before;
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(def))
      before = beforeExpand(expand, access.at);
    else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(def))
      before = beforeCollapse(collapse, access.at);
    else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(def))
      before = beforeSlice(slice, access.at);
    else if (auto generic = dyn_cast<linalg::GenericOp>(def))
      before = beforeGeneric(generic, access.at);
    else if (auto transpose = dyn_cast<linalg::TransposeOp>(def)) {
      before = Access{transpose.getInput(), SmallVector<AffineExpr>(access.at)};
      for (auto [i, dim] : llvm::enumerate(transpose.getPermutation()))
        before->at[dim] = access.at[i];
    }
    if (!before)
      break;
    access = *before;
  }
  return access;
}

//===----------------------------------------------------------------------===//
// The chunked form
//===----------------------------------------------------------------------===//

namespace {
/// The operands of the scan as [B, T, H, ...], found by the element of each that token
/// `chunk * size + position` has.
struct ChunkedScan {
  Value query, key, value, decay;
};

/// Matches Mamba-2's listing, with products written out as broadcasts and sums. Loops are
/// named by letters; each part is looked at with an order of loops of its own.
class Matcher {
public:
  explicit Matcher(MLIRContext *context) : context(context) {}

  /// Whether `sum` [B, J, Q, H, P] is the output of a scan.
  std::optional<ChunkedScan> match(linalg::GenericOp sum);

private:
  using Pair = std::pair<Access, Access>;

  AffineExpr d(unsigned i) const { return getAffineDimExpr(i, context); }
  AffineExpr zero() const { return getAffineConstantExpr(0, context); }
  /// The token at a position of a chunk.
  AffineExpr token(unsigned chunk, unsigned position) const {
    return d(chunk) * size + d(position);
  }

  std::optional<Pair> matchProduct(const Access &access);
  std::optional<Pair> matchSumOfProducts(const Access &access, ArrayRef<AffineExpr> at,
                                         unsigned reduced);
  std::optional<Access> matchExp(const Access &access);
  /// Takes the operand that an element is of; it must be the same wherever it is read.
  bool take(Value &operand, const Access &access, ArrayRef<AffineExpr> at);

  bool matchInside(Value value);
  bool matchFromStates(Value value);
  bool matchEntering(const Access &states);
  bool matchChunkStates(Value value);
  bool isPrefixSum(const Access &access, ArrayRef<AffineExpr> at);
  bool matchDecayBetween(const Access &access, AffineExpr batch, AffineExpr head);

  MLIRContext *context;
  int64_t size = 0, chunks = 0;
  ChunkedScan scan;
  Value prefixes; ///< sums of the decays of a chunk up to each position
};
} // namespace

/// The two factors of an element.
std::optional<Matcher::Pair> Matcher::matchProduct(const Access &access) {
  auto product = matchElementwise<arith::MulFOp>(access.base, 2);
  if (!product)
    return std::nullopt;
  auto operand = [&](unsigned i) {
    return resolve(
        product.getInputs()[i],
        compose(product.getMatchingIndexingMap(product.getDpsInputOperand(i)), access.at));
  };
  return Pair(operand(0), operand(1));
}

/// Of an element at `at` that is a sum over dimension `reduced`: the factors of its terms,
/// in loops of their own, one for each dimension.
std::optional<Matcher::Pair>
Matcher::matchSumOfProducts(const Access &access, ArrayRef<AffineExpr> at, unsigned reduced) {
  auto sum = access.base.getDefiningOp<linalg::GenericOp>();
  std::optional<unsigned> dim = matchSum(sum);
  if (!dim || *dim != reduced || access.at != SmallVector<AffineExpr>(at))
    return std::nullopt;
  SmallVector<AffineExpr> loops;
  for (unsigned i = 0; i < sum.getNumLoops(); ++i)
    loops.push_back(d(i));
  return matchProduct(resolve(sum.getInputs()[0], loops));
}

std::optional<Access> Matcher::matchExp(const Access &access) {
  auto exponential = matchElementwise<math::ExpOp>(access.base, 1);
  if (!exponential)
    return std::nullopt;
  return resolve(exponential.getInputs()[0],
                 compose(exponential.getIndexingMapsArray()[0], access.at));
}

bool Matcher::take(Value &operand, const Access &access, ArrayRef<AffineExpr> at) {
  if (access.at != SmallVector<AffineExpr>(at) || (operand && operand != access.base))
    return false;
  operand = access.base;
  return true;
}

/// Whether an element is the sum of decays of its chunk up to its position, where `at` is
/// (batch, head, chunk, position).
bool Matcher::isPrefixSum(const Access &access, ArrayRef<AffineExpr> at) {
  auto sums = access.base.getDefiningOp<weft::ScanOp>();
  if (!sums || sums.getKind() != weft::ScanKind::Sum || sums.getExclusive() || sums.getReverse() ||
      sums.getDimension() != 3 || typeOf(access.base).getRank() != 4 ||
      access.at != SmallVector<AffineExpr>(at) || (prefixes && prefixes != access.base))
    return false;
  prefixes = access.base;
  return take(scan.decay, resolve(sums.getInput(), {d(0), d(1), d(2), d(3)}),
              {d(0), token(2, 3), d(1)});
}

/// Inside of a chunk: sum over s of (C_l . B_s) exp(decay from s to l) X_s.
bool Matcher::matchInside(Value value) {
  AffineExpr b = d(0), c = d(1), l = d(2), s = d(3), h = d(4), p = d(5), n = d(5);
  std::optional<Pair> terms = matchSumOfProducts({value, {d(0), d(1), d(2), d(3), d(4)}},
                                                 {d(0), d(1), d(2), d(3), d(4)}, 3);
  if (!terms)
    return false;
  for (auto [weights, values] : {*terms, Pair(terms->second, terms->first)}) {
    std::optional<Pair> factors = matchProduct(weights);
    if (!factors || values.at != SmallVector<AffineExpr>{b, token(1, 3), h, p})
      continue;
    for (auto [scores, decays] : {*factors, Pair(factors->second, factors->first)}) {
      auto between = decays.base.getDefiningOp<SegsumOp>();
      std::optional<Pair> products = matchSumOfProducts(scores, {b, c, l, s, h}, 5);
      if (!between || !products || decays.at != SmallVector<AffineExpr>{b, h, c, l, s})
        continue;
      if (!take(scan.decay, resolve(between.getDecay(), {d(0), d(1), d(2), d(3)}),
                {d(0), token(2, 3), d(1)}) ||
          !take(scan.value, values, {b, token(1, 3), h, p}))
        return false;
      for (auto [x, y] : {*products, Pair(products->second, products->first)})
        if (x.at == SmallVector<AffineExpr>{b, token(1, 2), h, n} &&
            y.at == SmallVector<AffineExpr>{b, token(1, 3), h, n})
          return take(scan.query, x, x.at) && take(scan.key, y, y.at);
    }
  }
  return false;
}

/// Of the states that chunks begin with: (C_l . S) exp(decay up to l).
bool Matcher::matchFromStates(Value value) {
  std::optional<Pair> factors = matchProduct({value, {d(0), d(1), d(2), d(3), d(4)}});
  if (!factors)
    return false;
  AffineExpr b = d(0), c = d(1), l = d(2), h = d(3), p = d(4), n = d(5);
  for (auto [reads, decays] : {*factors, Pair(factors->second, factors->first)}) {
    std::optional<Access> exponent = matchExp(decays);
    std::optional<Pair> products = matchSumOfProducts(reads, {b, c, l, h, p}, 5);
    if (!exponent || !products || !isPrefixSum(*exponent, {b, h, c, l}))
      continue;
    for (auto [query, states] : {*products, Pair(products->second, products->first)})
      if (query.base == scan.query && query.at == SmallVector<AffineExpr>{b, token(1, 2), h, n} &&
          states.at == SmallVector<AffineExpr>{b, c, h, p, n})
        return matchEntering(states);
  }
  return false;
}

/// Whether decays are those between chunks: of (0, total of chunk 0, 1, ...).
bool Matcher::matchDecayBetween(const Access &access, AffineExpr batch, AffineExpr head) {
  auto between = access.base.getDefiningOp<SegsumOp>();
  if (!between || typeOf(access.base).getRank() != 4 || access.at[0] != batch ||
      access.at[1] != head)
    return false;
  Access totals = resolve(between.getDecay(), {d(0), d(1), d(2)});
  auto pad = totals.base.getDefiningOp<tensor::PadOp>();
  if (!pad || totals.at != SmallVector<AffineExpr>{d(0), d(1), d(2)} ||
      !matchPattern(pad.getConstantPaddingValue(), m_AnyZeroFloat()))
    return false;
  auto is = [](ArrayRef<OpFoldResult> sizes, ArrayRef<int64_t> numbers) {
    return llvm::equal(sizes, numbers,
                       [](OpFoldResult x, int64_t y) { return getConstantIntValue(x) == y; });
  };
  if (!is(pad.getMixedLowPad(), {0, 0, 1}) || !is(pad.getMixedHighPad(), {0, 0, 0}))
    return false;
  Access last = resolve(pad.getSource(), {d(0), d(1), d(2)});
  return last.base == prefixes &&
         last.at ==
             SmallVector<AffineExpr>{d(0), d(1), d(2), getAffineConstantExpr(size - 1, context)};
}

/// The states that chunks begin with: sum over z of exp(decay from z to c) times (0, what
/// chunk 0, 1, ... makes)_z.
bool Matcher::matchEntering(const Access &states) {
  AffineExpr b = d(0), z = d(1), c = d(2), h = d(3), p = d(4), n = d(5);
  std::optional<Pair> products = matchSumOfProducts({states.base, {d(0), d(1), d(2), d(3), d(4)}},
                                                    {d(0), d(1), d(2), d(3), d(4)}, 1);
  if (!products)
    return false;
  for (auto [decays, made] : {*products, Pair(products->second, products->first)}) {
    auto all = made.base.getDefiningOp<tensor::InsertSliceOp>();
    if (!all || made.at != SmallVector<AffineExpr>{b, z, h, p, n} ||
        decays.at != SmallVector<AffineExpr>{b, h, c, z} || !matchDecayBetween(decays, b, h))
      continue;
    auto first = all.getDest().getDefiningOp<tensor::InsertSliceOp>();
    auto isAt = [&](tensor::InsertSliceOp op, int64_t chunk, int64_t count) {
      return op && op.hasUnitStride() && op.getSourceType().getRank() == 5 &&
             getConstantIntValue(op.getMixedOffsets()[1]) == chunk &&
             op.getSourceType().getDimSize(1) == count &&
             llvm::all_of(ArrayRef<int64_t>{0, 2, 3, 4}, [&](int64_t i) {
               return getConstantIntValue(op.getMixedOffsets()[i]) == 0 &&
                      op.getSourceType().getDimSize(i) == op.getType().getDimSize(i);
             });
    };
    if (!isAt(all, 1, chunks) || !isAt(first, 0, 1) ||
        typeOf(made.base).getDimSize(1) != chunks + 1)
      return false;
    Access none = resolve(first.getSource(), {d(0), d(1), d(2), d(3), d(4)});
    DenseFPElementsAttr number;
    bool zeros =
        isZeroTensor(none.base) || (matchPattern(none.base, m_Constant(&number)) &&
                                    number.isSplat() && number.getSplatValue<APFloat>().isZero());
    return zeros && matchChunkStates(all.getSource());
  }
  return false;
}

/// What each chunk makes: sum over l of (B_l exp(decay from l to the end)) X_l.
bool Matcher::matchChunkStates(Value value) {
  AffineExpr b = d(0), c = d(1), l = d(2), h = d(3), p = d(4), n = d(5);
  std::optional<Pair> products = matchSumOfProducts({value, {d(0), d(1), d(2), d(3), d(4)}},
                                                    {d(0), d(1), d(2), d(3), d(4)}, 2);
  if (!products)
    return false;
  for (auto [keys, values] : {*products, Pair(products->second, products->first)}) {
    std::optional<Pair> factors = matchProduct(keys);
    if (!factors || values.base != scan.value ||
        values.at != SmallVector<AffineExpr>{b, token(1, 2), h, p})
      continue;
    for (auto [key, decays] : {*factors, Pair(factors->second, factors->first)}) {
      std::optional<Access> exponent = matchExp(decays);
      auto difference =
          exponent ? matchElementwise<arith::SubFOp>(exponent->base, 2) : linalg::GenericOp();
      if (!difference || key.base != scan.key ||
          key.at != SmallVector<AffineExpr>{b, token(1, 2), h, n})
        continue;
      auto operand = [&](unsigned i) {
        OpOperand *input = difference.getDpsInputOperand(i);
        return resolve(input->get(),
                       compose(difference.getMatchingIndexingMap(input), exponent->at));
      };
      return operand(0) == Access{prefixes, {b, h, c, getAffineConstantExpr(size - 1, context)}} &&
             operand(1) == Access{prefixes, {b, h, c, l}};
    }
  }
  return false;
}

std::optional<ChunkedScan> Matcher::match(linalg::GenericOp sum) {
  RankedTensorType type = typeOf(sum.getResult(0));
  if (type.getRank() != 5 || !isElementwiseOf(sum, arith::AddFOp::getOperationName(), 2) ||
      !llvm::all_of(sum.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return std::nullopt;
  chunks = type.getDimSize(1);
  size = type.getDimSize(2);
  bool computes = type.getElementType().isF32() || type.getElementType().isF64();
  if (ShapedType::isDynamic(chunks) || ShapedType::isDynamic(size) || !computes)
    return std::nullopt;
  for (unsigned i = 0; i < 2; ++i) {
    scan = ChunkedScan();
    prefixes = {};
    if (!matchInside(sum.getInputs()[i]) || !matchFromStates(sum.getInputs()[1 - i]))
      continue;
    for (Value operand : {scan.query, scan.key, scan.value})
      if (typeOf(operand).getRank() != 4 || typeOf(operand).getDimSize(1) != chunks * size)
        return std::nullopt;
    if (typeOf(scan.decay).getRank() != 3 || typeOf(scan.decay).getDimSize(1) != chunks * size)
      return std::nullopt;
    return scan;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

static void rewrite(RewriterBase &b, linalg::GenericOp sum, const ChunkedScan &found) {
  Location loc = sum.getLoc();
  b.setInsertionPoint(sum);
  Type element = typeOf(found.value).getElementType();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, found.value);
  Value output = tensor::EmptyOp::create(b, loc, sizes, element);
  SmallVector<OpFoldResult> stateSizes{sizes[0], sizes[2],
                                       tensor::getMixedSize(b, loc, found.key, 3), sizes[3]};
  Value inits[] = {output, tensor::EmptyOp::create(b, loc, stateSizes, element)};
  RankedTensorType type = typeOf(sum.getResult(0));
  auto scan = ScanOp::create(
      b, loc, inits[0].getType(), inits[1].getType(), /*checkpoints=*/Type(), State::Outer,
      Transition::Scalar, found.query, found.key, found.value, found.decay, /*rate=*/Value(),
      /*angle=*/Value(), /*alpha=*/Value(), /*beta=*/Value(), /*matrix=*/Value(),
      /*bonus=*/Value(), /*initial=*/Value(), /*offsets=*/Value(), /*order=*/Value(),
      /*sources=*/Value(), /*destinations=*/Value(), inits, Read::Post, /*linear=*/false,
      /*rank=*/1, /*substeps=*/1, /*reads=*/1, Direction::Forward, Emit::Last, /*count=*/1,
      /*chunk=*/type.getDimSize(2));
  sizes.insert(sizes.begin() + 1, b.getIndexAttr(type.getDimSize(1)));
  sizes[2] = b.getIndexAttr(type.getDimSize(2));
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}, {3}, {4}};
  b.replaceOpWithNewOp<tensor::ExpandShapeOp>(sum, type, scan.getOutput(), groups, sizes);
}

namespace {
struct RaiseChunkedScans : weft::ssm::impl::RaiseChunkedScansBase<RaiseChunkedScans> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> candidates;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op->getNumResults() == 1)
        candidates.push_back(op);
    });
    for (linalg::GenericOp op : candidates)
      if (std::optional<ChunkedScan> scan = Matcher(&getContext()).match(op)) {
        rewrite(rewriter, op, *scan);
        ++raised;
      }
  }
};
} // namespace
