//===- RaiseRecurrences.cpp - Unrolled recurrences become scans -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/Factors.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISERECURRENCES
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

/// Fewer tokens than this are no loop that somebody unrolled.
static constexpr size_t kMinTokens = 2;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

namespace {
/// state_t = factors[t] * state_{t-1} + terms[t].
struct Chain {
  SmallVector<linalg::GenericOp> states; ///< by t
  Slice factor, term;                    ///< of t = 0
  Value initial;                         ///< null: zeros
};

/// One link of a chain.
struct Link {
  Slice factor, term;
  Value before;
};

/// What reads the states: contractions with slices of `query`, whose results are put
/// together to `result`.
struct Reads {
  Value query;
  int64_t queryDim = 0;
  tensor::InsertSliceOp result;
  int64_t resultDim = 0;
};
} // namespace

static bool hasIdentityMaps(linalg::GenericOp op) {
  return llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); });
}

/// Matches x * before + term, in any order.
static std::optional<Link> matchLink(linalg::GenericOp sum) {
  if (!sum || !isElementwiseOf(sum, arith::AddFOp::getOperationName(), 2) || !hasIdentityMaps(sum))
    return std::nullopt;
  for (unsigned i = 0; i < 2; ++i) {
    auto product = matchElementwise<arith::MulFOp>(sum.getInputs()[i], 2);
    std::optional<Slice> term = matchSlice(sum.getInputs()[1 - i]);
    if (!product || !hasIdentityMaps(product) || !term)
      continue;
    for (unsigned j = 0; j < 2; ++j) {
      std::optional<Slice> factor = matchSlice(product.getInputs()[j]);
      if (factor && factor->index == term->index && factor->dim == term->dim)
        return Link{*factor, *term, product.getInputs()[1 - j]};
    }
  }
  return std::nullopt;
}

/// The whole chain that ends with `last`, if it has all tokens of its dimension.
static std::optional<Chain> matchChain(linalg::GenericOp last) {
  std::optional<Link> link = matchLink(last);
  if (!link)
    return std::nullopt;
  Slice factor = link->factor, term = link->term;
  int64_t tokens = typeOf(term.tensor).getDimSize(term.dim);
  if (term.index + 1 != tokens || typeOf(factor.tensor) != typeOf(term.tensor))
    return std::nullopt;
  Chain chain;
  linalg::GenericOp state = last;
  for (int64_t t = tokens - 1;; --t) {
    if (!link || link->term.index != t || link->factor.tensor != factor.tensor ||
        link->term.tensor != term.tensor || link->term.dim != term.dim)
      return std::nullopt;
    chain.states.push_back(state);
    chain.factor = link->factor;
    chain.term = link->term;
    if (t == 0)
      break;
    state = link->before.getDefiningOp<linalg::GenericOp>();
    link = matchLink(state);
  }
  std::reverse(chain.states.begin(), chain.states.end());
  if (!isZeroTensor(link->before))
    chain.initial = link->before;
  if (chain.states.size() < kMinTokens)
    return std::nullopt;
  return chain;
}

/// The contraction that alone reads `state` besides the chain.
static weft::ContractOp findReader(linalg::GenericOp state, Chain &chain) {
  // The last state may be kept, too.
  bool isLast = state == chain.states.back();
  weft::ContractOp reader;
  for (Operation *user : state->getUsers()) {
    auto product = dyn_cast<linalg::GenericOp>(user);
    bool inChain =
        product && product->hasOneUse() && llvm::is_contained(chain.states, *product->user_begin());
    if (inChain)
      continue;
    auto contract = dyn_cast<weft::ContractOp>(user);
    if (isLast && (!contract || reader))
      continue;
    if (!contract || reader)
      return {};
    reader = contract;
  }
  return reader;
}

/// Whether `op` sums the last dimension of [B, D, N] by [B, N, 1] to [B, D, 1].
static bool isReadOfStates(weft::ContractOp op, Value state) {
  SmallVector<AffineMap> maps(op.getIndexingMaps().getAsValueRange<AffineMapAttr>());
  if (op.getLhs() != state || op.getBias() || maps.size() != 3 || maps[0].getNumDims() != 4)
    return false;
  AffineExpr b, d, one, n;
  bindDims(op.getContext(), b, d, one, n);
  auto is = [&](AffineMap map, ArrayRef<AffineExpr> exprs) { return map.getResults() == exprs; };
  return is(maps[0], {b, d, n}) && is(maps[1], {b, n, one}) && is(maps[2], {b, d, one}) &&
         typeOf(op.getResult()).getDimSize(2) == 1 && isZeroTensor(op.getInit());
}

/// The slice that [B, N, 1] is of a tensor [B, T, N] or the like.
static std::optional<Slice> matchQuery(Value value) {
  auto expand = value.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand || expand.getReassociationIndices() != SmallVector<ReassociationIndices>{{0}, {1, 2}})
    return std::nullopt;
  return matchSlice(expand.getSrc());
}

/// The place of the only user of `read`, an insertion at token `t` of a tensor of all.
static tensor::InsertSliceOp findInsertion(Value read, int64_t t) {
  if (!read.hasOneUse())
    return {};
  auto insert = dyn_cast<tensor::InsertSliceOp>(*read.user_begin());
  if (!insert || insert.getSource() != read || !insert.hasUnitStride())
    return {};
  SmallVector<OpFoldResult> offsets = insert.getMixedOffsets();
  return llvm::equal(offsets, ArrayRef<int64_t>{0, 0, t},
                     [](OpFoldResult x, int64_t y) { return getConstantIntValue(x) == y; })
             ? insert
             : nullptr;
}

static std::optional<Reads> matchReads(Chain &chain) {
  Reads reads;
  Value whole;
  for (auto [t, state] : llvm::enumerate(chain.states)) {
    weft::ContractOp reader = findReader(state, chain);
    if (!reader || !isReadOfStates(reader, state.getResult(0)))
      return std::nullopt;
    std::optional<Slice> query = matchQuery(reader.getRhs());
    if (!query || query->index != static_cast<int64_t>(t) ||
        (t != 0 && (query->tensor != reads.query || query->dim != reads.queryDim)))
      return std::nullopt;
    reads.query = query->tensor;
    reads.queryDim = query->dim;
    tensor::InsertSliceOp insert = findInsertion(reader.getResult(), t);
    // Each is put into what the one before was put into.
    if (!insert || (t != 0 && insert.getDest() != reads.result.getResult()) ||
        (t != 0 && !reads.result->hasOneUse()))
      return std::nullopt;
    // They fill the tensor: the scan's output replaces it.
    if (t == 0)
      whole = insert.getDest();
    SmallVector<OpFoldResult> sizes = insert.getMixedSizes();
    if (!isWhole(sizes[0], whole, 0) || !isWhole(sizes[1], whole, 1))
      return std::nullopt;
    reads.result = insert;
  }
  int64_t tokens = chain.states.size();
  if (typeOf(reads.query).getDimSize(reads.queryDim) != tokens || reads.queryDim != 1 ||
      typeOf(reads.result.getResult()).getDimSize(2) != tokens)
    return std::nullopt;
  return reads;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// `tensor` with a dimension of extent 1 at `dim`, which is not the first.
static Value insertUnit(OpBuilder &b, Location loc, Value tensor, int64_t dim) {
  int64_t rank = typeOf(tensor).getRank();
  SmallVector<ReassociationIndices> groups(rank);
  for (int64_t i = 0; i <= rank; ++i)
    groups[i < dim ? i : i - 1].push_back(i);
  SmallVector<int64_t> shape(typeOf(tensor).getShape());
  shape.insert(shape.begin() + dim, 1);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor);
  sizes.insert(sizes.begin() + dim, b.getIndexAttr(1));
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, typeOf(tensor).getElementType()), tensor, groups, sizes);
}

/// `tensor` without its last dimension, of extent 1.
static Value dropUnit(OpBuilder &b, Location loc, Value tensor) {
  int64_t rank = typeOf(tensor).getRank();
  SmallVector<ReassociationIndices> groups(rank - 1);
  for (int64_t i = 0; i < rank; ++i)
    groups[std::min(i, rank - 2)].push_back(i);
  return tensor::CollapseShapeOp::create(b, loc, tensor, groups);
}

namespace {
/// Makes the scan of a chain. Tensors of the chain are [B, D, N] with a dimension of
/// tokens at `time`; those of the scan [B, T, D, N].
class Raiser {
public:
  Raiser(RewriterBase &b, Chain &chain, std::optional<Reads> reads);
  void rewrite();

private:
  void takeDecay();
  bool takeOuter();
  ScanOp createScan();
  Value emptyOf(ArrayRef<int64_t> dims, bool column);
  void replaceReads(Value output);
  void replaceStates(Value output);
  Value transposedProduct(Value tensor);

  RewriterBase &b;
  Location loc;
  Chain &chain;
  std::optional<Reads> reads;
  Value like; ///< a tensor of the chain's extents
  int64_t batch = 0, channel = 1, time, row = 2;
  Value decay, rate, key, value, query;
  bool linear = true;
};
} // namespace

Raiser::Raiser(RewriterBase &b, Chain &chain, std::optional<Reads> reads)
    : b(b), loc(chain.states.back().getLoc()), chain(chain), reads(reads), like(chain.term.tensor),
      time(chain.term.dim) {
  SmallVector<int64_t> others;
  for (int64_t i = 0; i < 4; ++i)
    if (i != time)
      others.push_back(i);
  batch = others[0];
  channel = others[1];
  row = others[2];
}

/// A tensor of the chain as [B, T, D, N].
Value Raiser::transposedProduct(Value tensor) {
  Factor all{tensor, b.getMultiDimIdentityMap(4), llvm::SmallBitVector(4, true)};
  return multiply(b, loc, all, like, {batch, time, channel, row});
}

/// exp(decay * rate), where the decay does not vary along rows, or any factors.
void Raiser::takeDecay() {
  Value factors = chain.factor.tensor;
  if (auto exponential = matchElementwise<math::ExpOp>(factors, 1);
      exponential && hasIdentityMaps(exponential)) {
    linear = false;
    factors = exponential.getInputs()[0];
    SmallVector<Factor> ofToken, ofRow;
    bool divides = true;
    for (const Factor &factor : factorsOf(factors)) {
      bool constant = !factor.dims[batch] && !factor.dims[time];
      divides &= constant || !factor.dims[row];
      (constant ? ofRow : ofToken).push_back(factor);
    }
    if (divides && !ofToken.empty() && !ofRow.empty()) {
      decay = multiply(b, loc, ofToken, like, {batch, time, channel});
      rate = multiply(b, loc, ofRow, like, {channel, row});
      return;
    }
  }
  decay = transposedProduct(factors);
}

/// What is added as key and value, if it is an outer product of rows and channels.
bool Raiser::takeOuter() {
  SmallVector<Factor> ofRow, ofChannel;
  for (const Factor &factor : factorsOf(chain.term.tensor)) {
    if (!factor.dims[row])
      ofChannel.push_back(factor);
    else if (!factor.dims[channel])
      ofRow.push_back(factor);
    else
      return false;
  }
  if (ofRow.empty() || ofChannel.empty())
    return false;
  key = insertUnit(b, loc, multiply(b, loc, ofRow, like, {batch, time, row}), 2);
  value = insertUnit(b, loc, multiply(b, loc, ofChannel, like, {batch, time, channel}), 3);
  return true;
}

/// An init of the extents of these dimensions, and of one column for outer states.
Value Raiser::emptyOf(ArrayRef<int64_t> dims, bool column) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : dims)
    sizes.push_back(tensor::getMixedSize(b, loc, like, dim));
  if (column)
    sizes.push_back(b.getIndexAttr(1));
  return tensor::EmptyOp::create(b, loc, sizes, typeOf(like).getElementType());
}

ScanOp Raiser::createScan() {
  takeDecay();
  bool outer = reads && takeOuter();
  if (!outer)
    value = transposedProduct(chain.term.tensor);
  if (reads)
    query = insertUnit(b, loc, reads->query, 2);
  Value initial = chain.initial;
  if (initial && outer)
    initial = insertUnit(b, loc, initial, 3);
  SmallVector<int64_t> outputDims{batch, time, channel};
  if (!reads)
    outputDims.push_back(row);
  Value inits[] = {emptyOf(outputDims, outer), emptyOf({batch, channel, row}, outer)};
  return ScanOp::create(
      b, loc, inits[0].getType(), inits[1].getType(), /*checkpoints=*/Type(),
      outer ? State::Outer : State::Vector, Transition::Diagonal, query, key, value, decay, rate,
      /*angle=*/Value(), /*alpha=*/Value(), /*beta=*/Value(), /*matrix=*/Value(),
      /*bonus=*/Value(), initial, /*offsets=*/Value(), /*order=*/Value(), /*sources=*/Value(),
      /*destinations=*/Value(), inits, Read::Post, linear, /*rank=*/1, /*substeps=*/1, /*reads=*/1,
      Direction::Forward, Emit::Last, /*count=*/1, /*chunk=*/0);
}

/// The tensor [B, D, T] that was put together of what was read.
void Raiser::replaceReads(Value output) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, output);
  std::swap(sizes[1], sizes[2]);
  Value init = tensor::EmptyOp::create(b, loc, sizes, typeOf(output).getElementType());
  Value transposed =
      linalg::TransposeOp::create(b, loc, output, init, ArrayRef<int64_t>{0, 2, 1})->getResult(0);
  b.replaceOp(reads->result, transposed);
}

/// Each state is a slice of all.
void Raiser::replaceStates(Value output) {
  RankedTensorType type = typeOf(output);
  for (auto [t, state] : llvm::enumerate(chain.states)) {
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    SmallVector<OpFoldResult> offsets(4, zero), strides(4, one),
        sizes = tensor::getMixedSizes(b, loc, output);
    offsets[1] = b.getIndexAttr(t);
    sizes[1] = one;
    auto sliceType = RankedTensorType::get(
        {type.getDimSize(0), type.getDimSize(2), type.getDimSize(3)}, type.getElementType());
    Value slice =
        tensor::ExtractSliceOp::create(b, loc, sliceType, output, offsets, sizes, strides);
    b.replaceAllUsesWith(state.getResult(0), slice);
  }
}

void Raiser::rewrite() {
  ScanOp scan = createScan();
  bool outer = scan.getState() == State::Outer;
  Value output = scan.getOutput(), final = scan.getFinal();
  if (outer)
    final = dropUnit(b, loc, final);
  if (!reads) {
    replaceStates(output);
    return;
  }
  replaceReads(outer ? dropUnit(b, loc, output) : output);
  b.replaceAllUsesWith(chain.states.back().getResult(0), final);
}

/// The operation after which all operands of the scan are defined and no result is needed
/// yet, null for the beginning of the block; nothing if there is no such place.
static std::optional<Operation *> findPlace(Chain &chain, const std::optional<Reads> &reads) {
  Block *block = chain.states[0]->getBlock();
  Operation *place = nullptr;
  for (Value operand :
       {chain.factor.tensor, chain.term.tensor, chain.initial, reads ? reads->query : Value()}) {
    Operation *def = operand ? operand.getDefiningOp() : nullptr;
    if (!def)
      continue;
    if (def->getBlock() != block)
      return std::nullopt;
    if (!place || place->isBeforeInBlock(def))
      place = def;
  }
  for (Operation *user : chain.states.back()->getUsers())
    if (user->getBlock() != block || (place && !place->isBeforeInBlock(user)))
      return std::nullopt;
  return place;
}

namespace {
struct RaiseRecurrences : weft::ssm::impl::RaiseRecurrencesBase<RaiseRecurrences> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> candidates;
    getOperation().walk([&](linalg::GenericOp op) { candidates.push_back(op); });
    for (linalg::GenericOp last : candidates) {
      Type element = typeOf(last.getResult(0)).getElementType();
      std::optional<Chain> chain = matchChain(last);
      if (!chain || typeOf(last.getResult(0)).getRank() != 3 ||
          !(element.isF32() || element.isF64()))
        continue;
      std::optional<Reads> reads = matchReads(*chain);
      std::optional<Operation *> place = findPlace(*chain, reads);
      if (!place)
        continue;
      if (*place)
        rewriter.setInsertionPointAfter(*place);
      else
        rewriter.setInsertionPointToStart(last->getBlock());
      Raiser(rewriter, *chain, reads).rewrite();
      ++raised;
    }
  }
};
} // namespace
