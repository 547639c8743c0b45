//===- RaiseUnrolledLoops.cpp - Unrolled loops over tokens become scans ---===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/LoopRaiser.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "dialects/SSM/Transforms/ScanLayout.h"
#include "dialects/SSM/Transforms/UnrolledLoop.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/RegionUtils.h"

namespace weft::ssm {
#define GEN_PASS_DEF_RAISEUNROLLEDLOOPS
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {
/// Writes the loop that was unrolled, and replaces the steps by what it is raised to.
class Roller {
public:
  Roller(RewriterBase &b, const UnrolledLoop &unrolled);
  bool raise();

private:
  /// A value of the body that others than steps read, in one step at least.
  struct Output {
    Value value;
    SmallVector<OpFoldResult> sizes;
  };

  bool isRead(Value copy) const;
  bool takeOutputs();
  bool findPlace();
  scf::ForOp buildLoop();
  void buildBody(OpBuilder &b, Location loc, Value at, ValueRange args);
  int64_t rowOf(int64_t step) const { return u.reversed ? u.count - 1 - step : step; }
  bool replaceStack(const Output &output, Value rows);
  void replaceRows(const Output &output, Value rows);
  void eraseSteps();

  RewriterBase &b;
  Location loc;
  const UnrolledLoop &u;
  llvm::DenseSet<Operation *> copies;
  SmallVector<Output> outputs;
  llvm::DenseMap<Operation *, Value> sources; ///< of sequences, their rows at the loop's positions
};
} // namespace

Roller::Roller(RewriterBase &b, const UnrolledLoop &unrolled)
    : b(b), loc(unrolled.carried[0].next.getLoc()), u(unrolled) {
  for (const auto &step : u.steps)
    for (auto [value, copy] : step)
      if (Operation *op = copy.getDefiningOp())
        copies.insert(op);
  // What is read before the first step is no copy.
  for (const UnrolledLoop::Carried &carried : u.carried)
    if (Operation *op = carried.init.getDefiningOp())
      copies.erase(op);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

bool Roller::isRead(Value copy) const {
  return llvm::any_of(copy.getUsers(), [&](Operation *user) { return !copies.contains(user); });
}

/// The sizes of a value, as values that no step computes; nothing if they are not known.
static std::optional<SmallVector<OpFoldResult>> sizesOf(Value value) {
  RankedTensorType type = typeOf(value);
  if (type.hasStaticShape()) {
    SmallVector<OpFoldResult> sizes;
    for (int64_t extent : type.getShape())
      sizes.push_back(IntegerAttr::get(IndexType::get(value.getContext()), extent));
    return sizes;
  }
  Operation *def = value.getDefiningOp();
  if (auto op = dyn_cast_or_null<DestinationStyleOpInterface>(def))
    return sizesOf(op.getTiedOpOperand(cast<OpResult>(value))->get());
  if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(def))
    return empty.getMixedSizes();
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(def))
    return expand.getMixedOutputShape();
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(def)) {
    SmallVector<OpFoldResult> sizes;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(i))
        sizes.push_back(size);
    return sizes;
  }
  auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(def);
  auto before = collapse ? sizesOf(collapse.getSrc()) : std::nullopt;
  if (!before)
    return std::nullopt;
  SmallVector<OpFoldResult> sizes;
  for (const ReassociationIndices &group : collapse.getReassociationIndices()) {
    // Extents of 1 but for one.
    std::optional<int64_t> wide;
    for (int64_t i : group)
      if (!isConstantIntValue((*before)[i], 1)) {
        if (wide)
          return std::nullopt;
        wide = i;
      }
    sizes.push_back((*before)[wide.value_or(group[0])]);
  }
  return sizes;
}

bool Roller::takeOutputs() {
  for (Operation *op : u.body) {
    if (u.sequences.contains(op))
      continue;
    Value value = op->getResult(0);
    // Only the last of carried values: it is a result of the loop.
    bool isNext = llvm::any_of(u.carried, [&](const auto &c) { return c.next == value; });
    int64_t readers = 0;
    for (auto [t, step] : llvm::enumerate(u.steps)) {
      Value copy = step.lookup(value);
      bool isLast = static_cast<int64_t>(t) + 1 == u.count;
      readers += copy && !(isNext && isLast) && isRead(copy);
    }
    if (readers == 0)
      continue;
    auto sizes = sizesOf(value);
    if (!sizes)
      return false;
    outputs.push_back({value, *sizes});
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

/// Inserts before the first reader of results, and moves there what the loop reads.
bool Roller::findPlace() {
  Operation *place = nullptr;
  Block *block = u.body[0]->getBlock();
  for (const auto &step : u.steps)
    for (auto [value, copy] : step)
      if (!isa_and_nonnull<tensor::ExtractSliceOp>(value.getDefiningOp()) ||
          !u.sequences.contains(value.getDefiningOp()))
        for (Operation *user : copy.getUsers()) {
          Operation *at = block->findAncestorOpInBlock(*user);
          if (!at)
            return false;
          if (!copies.contains(user) && (!place || at->isBeforeInBlock(place)))
            place = at;
        }
  if (!place)
    return false;
  SetVector<Value> needed;
  for (const UnrolledLoop::Carried &carried : u.carried)
    needed.insert(carried.init);
  for (Operation *op : u.body)
    for (Value operand : op->getOperands())
      if (!u.steps[1].contains(operand) &&
          llvm::none_of(u.carried, [&](const auto &c) { return c.before == operand; }))
        needed.insert(operand);
  for (const Output &output : outputs)
    for (OpFoldResult size : output.sizes)
      if (auto value = dyn_cast<Value>(size))
        needed.insert(value);
  SmallVector<Value> values(needed.getArrayRef());
  if (failed(moveValueDefinitions(b, values, place)))
    return false;
  b.setInsertionPoint(place);
  return true;
}

void Roller::buildBody(OpBuilder &b, Location loc, Value at, ValueRange args) {
  IRMapping mapping;
  for (auto [carried, arg] : llvm::zip(u.carried, args))
    mapping.map(carried.before, arg);
  for (Operation *op : u.body) {
    auto sequence = u.sequences.find(op);
    if (sequence == u.sequences.end()) {
      b.clone(*op, mapping);
      continue;
    }
    auto slice = cast<tensor::ExtractSliceOp>(op);
    SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
    offsets[sequence->second->dim] = at;
    Value copy =
        tensor::ExtractSliceOp::create(b, loc, slice.getType(), sources.lookup(op), offsets,
                                       slice.getMixedSizes(), slice.getMixedStrides());
    mapping.map(slice.getResult(), copy);
  }
  SmallVector<Value> yielded;
  for (const UnrolledLoop::Carried &carried : u.carried)
    yielded.push_back(mapping.lookup(carried.next));
  for (auto [output, all] : llvm::zip(outputs, args.drop_front(u.carried.size()))) {
    int64_t rank = output.sizes.size();
    SmallVector<OpFoldResult> offsets(rank + 1, b.getIndexAttr(0)),
        strides(rank + 1, b.getIndexAttr(1)), sizes(output.sizes);
    offsets[0] = at;
    sizes.insert(sizes.begin(), b.getIndexAttr(1));
    yielded.push_back(tensor::InsertSliceOp::create(b, loc, mapping.lookup(output.value), all,
                                                    offsets, sizes, strides));
  }
  scf::YieldOp::create(b, loc, yielded);
}

scf::ForOp Roller::buildLoop() {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), count = b.getIndexAttr(u.count);
  for (auto [op, family] : u.sequences) {
    Value &source = sources[op];
    source = family->source;
    RankedTensorType type = typeOf(source);
    if (u.lowest == 0 && type.getDimSize(family->dim) == u.count)
      continue;
    SmallVector<OpFoldResult> offsets(type.getRank(), zero), strides(type.getRank(), one),
        sizes = tensor::getMixedSizes(b, loc, source);
    offsets[family->dim] = b.getIndexAttr(u.lowest);
    sizes[family->dim] = count;
    source = tensor::ExtractSliceOp::create(b, loc, source, offsets, sizes, strides);
  }
  SmallVector<Value> inits;
  for (const UnrolledLoop::Carried &carried : u.carried)
    inits.push_back(carried.init);
  for (const Output &output : outputs) {
    SmallVector<OpFoldResult> sizes(output.sizes);
    sizes.insert(sizes.begin(), count);
    inits.push_back(tensor::EmptyOp::create(b, loc, sizes, typeOf(output.value).getElementType()));
  }
  auto number = [&](int64_t x) { return arith::ConstantIndexOp::create(b, loc, x).getResult(); };
  return scf::ForOp::create(b, loc, number(0), number(u.count), number(1), inits,
                            [&](OpBuilder &b, Location loc, Value t, ValueRange args) {
                              Value at = t;
                              if (u.reversed)
                                at = arith::SubIOp::create(
                                    b, loc, arith::ConstantIndexOp::create(b, loc, u.count - 1), t);
                              buildBody(b, loc, at, args);
                            });
}

//===----------------------------------------------------------------------===//
// Readers
//===----------------------------------------------------------------------===//

/// Replaces a tensor that all steps write their row of. The rows are a tensor [T, value...].
bool Roller::replaceStack(const Output &output, Value rows) {
  SmallVector<tensor::InsertSliceOp> inserts;
  Value whole;
  std::optional<int64_t> dim;
  int64_t start = 0;
  for (int64_t row = 0; row < u.count; ++row) {
    Value copy = u.steps[rowOf(row)].lookup(output.value);
    tensor::InsertSliceOp insert;
    if (!copy)
      return false;
    for (Operation *user : copy.getUsers()) {
      if (copies.contains(user))
        continue;
      if (insert || !isa<tensor::InsertSliceOp>(user))
        return false;
      insert = cast<tensor::InsertSliceOp>(user);
    }
    if (!insert || insert.getSource() != copy || !insert.hasUnitStride() ||
        (!inserts.empty() &&
         (insert.getDest() != inserts.back().getResult() || !inserts.back()->hasOneUse())))
      return false;
    if (inserts.empty())
      whole = insert.getDest();
    std::optional<int64_t> own;
    for (auto [i, offset] : llvm::enumerate(insert.getMixedOffsets())) {
      OpFoldResult size = insert.getMixedSizes()[i];
      std::optional<int64_t> at = getConstantIntValue(offset);
      if (row == 0 && at && !own && isConstantIntValue(size, 1) && typeOf(whole).getDimSize(i) != 1)
        start = *at;
      bool isRow = isConstantIntValue(size, 1) && at == start + row && !own &&
                   typeOf(whole).getDimSize(i) != 1;
      if (isRow)
        own = i;
      else if (!isConstantIntValue(offset, 0) || !isWhole(size, whole, i))
        return false;
    }
    if (!own || (dim && dim != own))
      return false;
    dim = own;
    inserts.push_back(insert);
  }
  // Without the dimension that the rows are put along.
  int64_t rank = typeOf(whole).getRank();
  Value all = rows;
  if (typeOf(output.value).getRank() == rank) {
    llvm::SmallBitVector units(rank + 1);
    units.set(*dim + 1);
    all = tensor::CollapseShapeOp::create(b, loc, all, groupsAround(units));
  }
  if (typeOf(all).getRank() != rank)
    return false;
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < rank; ++i)
    order.push_back(i < *dim ? i + 1 : i == *dim ? 0 : i);
  if (*dim != 0) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, all), turned;
    for (int64_t i : order)
      turned.push_back(sizes[i]);
    Value empty = tensor::EmptyOp::create(b, loc, turned, typeOf(all).getElementType());
    all = linalg::TransposeOp::create(b, loc, all, empty, order)->getResult(0);
  }
  if (typeOf(whole).getDimSize(*dim) != u.count) {
    SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0)), strides(rank, b.getIndexAttr(1)),
        sizes = inserts[0].getMixedSizes();
    offsets[*dim] = b.getIndexAttr(start);
    sizes[*dim] = b.getIndexAttr(u.count);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfter(inserts.back());
    all = tensor::InsertSliceOp::create(b, loc, all, whole, offsets, sizes, strides);
  }
  if (all.getType() != whole.getType())
    all = tensor::CastOp::create(b, loc, whole.getType(), all);
  b.replaceAllUsesWith(inserts.back().getResult(), all);
  for (tensor::InsertSliceOp insert : llvm::reverse(inserts))
    b.eraseOp(insert);
  return true;
}

/// Each reader gets its row.
void Roller::replaceRows(const Output &output, Value rows) {
  RankedTensorType type = typeOf(output.value);
  SmallVector<OpFoldResult> offsets(type.getRank() + 1, b.getIndexAttr(0)),
      strides(type.getRank() + 1, b.getIndexAttr(1)), sizes(output.sizes);
  sizes.insert(sizes.begin(), b.getIndexAttr(1));
  for (int64_t t = 0; t < u.count; ++t) {
    Value copy = u.steps[t].lookup(output.value);
    if (!copy || !isRead(copy))
      continue;
    offsets[0] = b.getIndexAttr(rowOf(t));
    Value row = tensor::ExtractSliceOp::create(b, loc, type, rows, offsets, sizes, strides);
    b.replaceUsesWithIf(copy, row,
                        [&](OpOperand &use) { return !copies.contains(use.getOwner()); });
  }
}

/// Erases what nobody reads any more.
void Roller::eraseSteps() {
  SmallVector<Operation *> ops(copies.begin(), copies.end());
  llvm::sort(ops, [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
  for (Operation *op : ops)
    if (op->use_empty())
      b.eraseOp(op);
}

bool Roller::raise() {
  for (const UnrolledLoop::Carried &carried : u.carried)
    if (carried.init.getType() != carried.next.getType() ||
        carried.before.getType() != carried.next.getType())
      return false;
  if (!takeOutputs() || !findPlace())
    return false;
  scf::ForOp loop = buildLoop();
  auto results = LoopRaiser(b, loop).raise();
  b.eraseOp(loop);
  if (!results)
    return false;
  for (auto [output, rows] : llvm::zip(outputs, ArrayRef(*results).drop_front(u.carried.size())))
    if (!replaceStack(output, rows))
      replaceRows(output, rows);
  for (auto [carried, result] : llvm::zip(u.carried, *results))
    if (Value copy = u.steps.back().lookup(carried.next))
      b.replaceUsesWithIf(copy, result,
                          [&](OpOperand &use) { return !copies.contains(use.getOwner()); });
  eraseSteps();
  return true;
}

namespace {
struct RaiseUnrolledLoops : weft::ssm::impl::RaiseUnrolledLoopsBase<RaiseUnrolledLoops> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    for (Block &block : getOperation().getBody())
      for (size_t left = SliceFamily::collect(block).size(); left > 0; --left) {
        if (!raiseOne(rewriter, block))
          break;
        ++raised;
      }
  }

  /// Whether one loop was found, after which others may be.
  static bool raiseOne(RewriterBase &rewriter, Block &block) {
    std::vector<SliceFamily> families = SliceFamily::collect(block);
    for (const SliceFamily &seed : families) {
      if (!seed.mayBeSteps())
        continue;
      // Constants may have been folded into the first step.
      for (int64_t skipped : {0, 1})
        for (bool reversed : {false, true})
          if (auto unrolled = UnrolledLoop::match(seed, families, reversed, skipped))
            if (Roller(rewriter, *unrolled).raise())
              return true;
    }
    return false;
  }
};
} // namespace
