//===- Loops.cpp - Loops over tensors on the host -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The body is built into a block of its own first; what it gives decides what
// the loop carries. If an extent turns out to change, the body is thrown away
// and built again with that extent as a carried index value, until nothing
// changes any more: each round has more that varies, so that it ends.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Loops.h"

#include "Frontend/ONNX/Importer.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// A loop with a condition gets memory for this many iterations at once; beyond
/// that the stack of its values grows with it.
static constexpr int64_t kMaxReservedIterations = 4096;

/// Tracked values of more elements are carried as tensors.
static constexpr size_t kMaxCarriedElements = 16;

bool weft::onnx::isInside(Region &region, Value value) {
  Region *parent = value.getParentRegion();
  return parent == &region || (parent && region.isAncestor(parent));
}

FailureOr<OpFoldResult> weft::onnx::hostScalar(NodeContext &node, const TensorValue &x,
                                               StringRef what) {
  if (!x.isTensor())
    return node.error(what + " is " + (x.isSequence() ? "a sequence" : "an empty optional") +
                      ", expected a tensor of one element");
  if (x.elements && x.elements->size() == 1)
    return x.elements->front();
  if (!isInteger(x.elementType) && !isBool(x.elementType))
    return node.error(what + " is " + describe(x) + ", expected an integer or bool");
  for (int64_t i = 0; i < x.rank(); ++i)
    if (!ShapedType::isDynamic(x.staticDim(i)) && x.staticDim(i) != 1)
      return node.error(what + " is " + describe(x) + ", expected one element");
  return node.dims.fromInteger(extractScalar(node, x));
}

namespace {
/// How a value is carried.
struct Carried {
  TensorValue initial;
  /// As index values, one an element, instead of a tensor.
  bool tracked = false;
  /// By dimension: the extent changes and is carried as an index value.
  SmallVector<bool> varying;

  /// As seen by the body, and the values that the next iteration starts from.
  TensorValue inner;
  unsigned first = 0, count = 0;
};

/// A stack of the values that the iterations give.
struct Stack {
  TensorValue element;
  /// The extents of an element, where they are known before the loop.
  std::optional<Dims> dims;
  bool reversed = false;
  unsigned first = 0;
};

class LoopBuilder {
public:
  LoopBuilder(NodeContext &node, const LoopBounds &bounds)
      : node(node), b(node.b), bounds(bounds) {}
  FailureOr<LoopValues> build(ArrayRef<TensorValue> initial, LoopBody body);

private:
  Value addState(Value initial);
  void addCarried(Carried &carried);
  FailureOr<bool> settle(Carried &carried, const TensorValue &next);
  FailureOr<bool> settle(MutableArrayRef<Carried> values, ArrayRef<TensorValue> nexts);
  void yieldCarried(const Carried &carried, const TensorValue &next);
  std::optional<OpFoldResult> outside(OpFoldResult value);
  LogicalResult addStacks(ArrayRef<TensorValue> scans);
  void addStack(Stack &stack);
  Value growStack(const Stack &stack);
  void yieldStack(const Stack &stack);
  FailureOr<bool> buildBody(MutableArrayRef<Carried> values, LoopBody body);
  LogicalResult closeBody(ArrayRef<Carried> values, const LoopValues &outputs);
  OpFoldResult createFor(Value zero, Value one);
  OpFoldResult createWhile(Value zero);
  TensorValue finish(const Carried &carried);
  TensorValue finish(const Stack &stack, OpFoldResult count);

  NodeContext &node;
  ImplicitLocOpBuilder &b;
  const LoopBounds &bounds;
  std::unique_ptr<Region> region;
  Block *block = nullptr;
  /// Where the loop will stand.
  OpBuilder::InsertPoint outer;
  /// Something else than the trip count can end the loop.
  bool conditional = false;
  /// The loop is an `scf.while`: also where types with dynamic extents have to
  /// stay so, since `scf.for` takes over static extents that its initial values
  /// had before a cast, though those of later iterations differ.
  bool isWhile = false;
  /// The trip count, not negative.
  OpFoldResult trips;
  /// What the loop starts from, what an iteration gives, and what the loop gives.
  SmallVector<Value> starts, yields, results;
  SmallVector<Stack, 0> stacks;
};
} // namespace

Value LoopBuilder::addState(Value initial) {
  starts.push_back(initial);
  return block->addArgument(initial.getType(), b.getLoc());
}

/// Adds the state of a value, at the insertion point before the loop.
void LoopBuilder::addCarried(Carried &carried) {
  carried.first = static_cast<unsigned>(starts.size());
  const TensorValue &initial = carried.initial;
  carried.inner = initial;
  if (carried.tracked) {
    carried.inner.value = Value();
    for (OpFoldResult &element : *carried.inner.elements)
      element = addState(node.dims.value(element));
    return;
  }
  carried.inner.elements.reset();
  for (auto [i, varies] : llvm::enumerate(carried.varying))
    if (varies)
      carried.inner.dims[i] = addState(node.dims.value(initial.dims[i]));
  RankedTensorType type = tensorType(node.context(), initial.elementType, carried.inner.dims);
  Value start = node.value(initial);
  if (start.getType() != type)
    start = tensor::CastOp::create(b, type, start);
  carried.inner.value = addState(start);
}

/// Compares what an iteration gives with what it got; true if they agree.
FailureOr<bool> LoopBuilder::settle(Carried &carried, const TensorValue &next) {
  const TensorValue &initial = carried.initial;
  if (next.isSequence() || next.isNone || initial.isSequence() || initial.isNone)
    return node.unsupported("carries a sequence or an optional through a loop whose trip count is "
                            "known only at run time");
  if (next.elementType != initial.elementType)
    return node.error("carries " + describe(initial) + " into the loop, but an iteration gives " +
                      describe(next));
  if (next.rank() != initial.rank())
    return node.unsupported("carries a value whose rank changes from " + Twine(initial.rank()) +
                            " to " + Twine(next.rank()));
  if (carried.tracked) {
    if (next.elements && next.elements->size() == initial.elements->size())
      return true;
    carried.tracked = false;
    return false;
  }
  bool agrees = true;
  for (int64_t i = 0; i < next.rank(); ++i)
    if (!carried.varying[i] && !DimBuilder::same(next.dims[i], carried.inner.dims[i])) {
      carried.varying[i] = true;
      agrees = false;
    }
  return agrees;
}

void LoopBuilder::yieldCarried(const Carried &carried, const TensorValue &next) {
  if (carried.tracked) {
    for (OpFoldResult element : *next.elements)
      yields.push_back(node.dims.value(element));
    return;
  }
  for (auto [i, varies] : llvm::enumerate(carried.varying))
    if (varies)
      yields.push_back(node.dims.value(next.dims[i]));
  Value value = node.value(next);
  Value slot = carried.inner.value;
  if (value != slot) {
    if (!llvm::is_contained(carried.varying, true)) {
      // Into the memory that the loop carries.
      value = linalg::CopyOp::create(b, b.getLoc(), value, slot).getResult(0);
    } else if (value.getType() != slot.getType()) {
      value = tensor::CastOp::create(b, slot.getType(), value);
    }
  }
  yields.push_back(value);
}

/// The same number before the loop: computations from values that are there
/// are repeated there.
std::optional<OpFoldResult> LoopBuilder::outside(OpFoldResult number) {
  auto value = dyn_cast<Value>(number);
  if (!value)
    return number;
  SmallVector<Operation *> order;
  DenseSet<Operation *> seen;
  std::function<bool(Value)> collect = [&](Value x) {
    if (!isInside(*region, x))
      return true;
    Operation *def = x.getDefiningOp();
    if (!def || !isPure(def) || def->getNumRegions() != 0 || seen.size() > 64)
      return false;
    if (!seen.insert(def).second)
      return true;
    if (!llvm::all_of(def->getOperands(), collect))
      return false;
    order.push_back(def);
    return true;
  };
  if (!collect(value))
    return std::nullopt;
  mlir::OpBuilder::InsertionGuard guard(b);
  b.restoreInsertionPoint(outer);
  IRMapping mapping;
  for (Operation *op : order)
    b.clone(*op, mapping);
  outer = b.saveInsertionPoint();
  return OpFoldResult(mapping.lookupOrDefault(value));
}

//===----------------------------------------------------------------------===//
// Stacks
//===----------------------------------------------------------------------===//

void LoopBuilder::addStack(Stack &stack) {
  const TensorValue &element = stack.element;
  Dims known;
  bool all = true;
  for (OpFoldResult dim : element.dims) {
    std::optional<OpFoldResult> before = outside(dim);
    all &= before.has_value();
    if (before)
      known.push_back(*before);
  }
  mlir::OpBuilder::InsertionGuard guard(b);
  b.restoreInsertionPoint(outer);
  bool bounded = bounds.tripCount && !conditional;
  if (conditional && bounds.tripCount)
    if (auto limit = DimBuilder::constantOf(*bounds.tripCount))
      bounded = *limit <= kMaxReservedIterations;
  stack.first = static_cast<unsigned>(starts.size());
  if (all && bounded) {
    stack.dims = known;
    Dims dims{trips};
    llvm::append_range(dims, known);
    addState(makeEmpty(node, element.elementType, dims));
  } else {
    // Capacity and extents, all 0 before the first iteration.
    isWhile = true;
    Value zero = node.dims.value(node.dims.constant(0));
    for (int64_t i = 0; i <= element.rank(); ++i)
      addState(zero);
    Dims dims(element.rank() + 1, OpFoldResult(zero));
    addState(makeEmpty(node, element.elementType, dims));
  }
  outer = b.saveInsertionPoint();
}

/// Twice the memory of a stack where it is full; extents are those of the first
/// element. Yields capacity and extents, and gives the memory to write to.
Value LoopBuilder::growStack(const Stack &stack) {
  const TensorValue &element = stack.element;
  Value iteration = block->getArgument(0);
  int64_t rank = element.rank() + 1;
  Dims zeros(rank, node.dims.constant(0)), ones(rank, node.dims.constant(1));
  Dims now;
  for (int64_t i = 0; i < rank; ++i)
    now.push_back(block->getArgument(1 + stack.first + i));
  Value memory = block->getArgument(1 + stack.first + rank);
  Value full =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sge, iteration, node.dims.value(now[0]));
  SmallVector<Value> grown{node.dims.value(
      node.dims.max(node.dims.mul(now[0], node.dims.constant(2)), node.dims.constant(16)))};
  for (OpFoldResult dim : element.dims)
    grown.push_back(node.dims.value(dim));
  Type elementType = storageType(node.context(), element.elementType);
  Value first = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, iteration,
                                      node.dims.value(node.dims.constant(0)));
  for (int64_t i = 1; i < rank; ++i) {
    OpFoldResult agree = node.dims.equal(now[i], element.dims[i - 1]);
    Value same = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, node.dims.value(agree),
                                       node.dims.value(node.dims.constant(0)));
    buildAssert(node, arith::OrIOp::create(b, first, same), 3,
                "stacks values of extents {0} and {1}", {now[i], element.dims[i - 1]});
  }
  SmallVector<Type> types(rank, b.getIndexType());
  types.push_back(memory.getType());
  auto grow = scf::IfOp::create(b, types, full, /*withElseRegion=*/true);
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(grow.thenBlock());
  SmallVector<OpFoldResult> wanted(grown.begin(), grown.end());
  Value larger = tensor::EmptyOp::create(b, wanted, elementType);
  grown.push_back(tensor::InsertSliceOp::create(b, memory, larger, zeros, now, ones));
  scf::YieldOp::create(b, grown);
  b.setInsertionPointToStart(grow.elseBlock());
  SmallVector<Value> kept;
  for (OpFoldResult dim : now)
    kept.push_back(cast<Value>(dim));
  kept.push_back(memory);
  scf::YieldOp::create(b, kept);
  llvm::append_range(yields, grow.getResults().drop_back());
  return grow.getResults().back();
}

/// Writes the element of this iteration; at the insertion point in the body.
void LoopBuilder::yieldStack(const Stack &stack) {
  const TensorValue &element = stack.element;
  int64_t rank = element.rank() + 1;
  Dims offsets(rank, node.dims.constant(0));
  Dims sizes{node.dims.constant(1)};
  llvm::append_range(sizes, element.dims);
  offsets[0] = block->getArgument(0);
  Value memory;
  if (stack.dims) {
    memory = block->getArgument(1 + stack.first);
    if (stack.reversed)
      offsets[0] = node.dims.sub(node.dims.sub(trips, node.dims.constant(1)), offsets[0]);
    for (auto [size, dim] : llvm::zip(llvm::drop_begin(sizes), *stack.dims))
      size = dim;
  } else {
    memory = growStack(stack);
  }
  yields.push_back(insertSlice(node, node.value(element), memory, offsets, sizes));
}

TensorValue LoopBuilder::finish(const Stack &stack, OpFoldResult count) {
  const TensorValue &element = stack.element;
  Dims dims;
  Value memory;
  if (stack.dims) {
    memory = results[stack.first];
    dims.push_back(trips);
    llvm::append_range(dims, *stack.dims);
  } else {
    for (int64_t i = 0; i <= element.rank(); ++i)
      // What is known of an element at import is known of all of them.
      if (i > 0 && !ShapedType::isDynamic(element.staticDim(i - 1)))
        dims.push_back(element.dims[i - 1]);
      else
        dims.push_back(results[stack.first + i]);
    memory = results[stack.first + element.rank() + 1];
  }
  TensorValue whole = makeValue(memory, element.elementType, dims);
  if (stack.dims && DimBuilder::same(dims[0], count))
    return whole;
  Dims zeros(dims.size(), node.dims.constant(0)), ones(dims.size(), node.dims.constant(1));
  dims[0] = count;
  if (stack.reversed && !stack.dims) {
    // Memory that grows is filled from its start.
    Value last = node.dims.value(node.dims.sub(count, node.dims.constant(1)));
    return gatherElements(node, whole, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> at) {
      SmallVector<Value> position(at);
      position[0] = arith::SubIOp::create(b, loc, last, at[0]);
      return position;
    });
  }
  return slice(node, whole, zeros, dims, ones);
}

TensorValue LoopBuilder::finish(const Carried &carried) {
  TensorValue result = carried.initial;
  result.elements.reset();
  unsigned next = carried.first;
  if (carried.tracked) {
    Dims elements;
    for (size_t i = 0; i < carried.initial.elements->size(); ++i)
      elements.push_back(results[next++]);
    return makeTracked(node, result.elementType, elements, result.rank() == 0);
  }
  for (auto [i, varies] : llvm::enumerate(carried.varying))
    if (varies)
      result.dims[i] = results[next++];
  result.value = results[next];
  return result;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

static SmallVector<Carried, 0> carriedValues(ArrayRef<TensorValue> initial) {
  SmallVector<Carried, 0> values;
  for (const TensorValue &value : initial) {
    Carried carried;
    carried.initial = value;
    carried.tracked = value.elements && value.elements->size() <= kMaxCarriedElements &&
                      (value.elementType == ElementType::Int64 ||
                       value.elementType == ElementType::Int32 || isBool(value.elementType));
    carried.varying.assign(value.dims.size(), false);
    values.push_back(std::move(carried));
  }
  return values;
}

/// Whether all values agree with what an iteration gave.
FailureOr<bool> LoopBuilder::settle(MutableArrayRef<Carried> values, ArrayRef<TensorValue> nexts) {
  bool settled = true;
  for (auto [carried, next] : llvm::zip(values, nexts)) {
    FailureOr<bool> agrees = settle(carried, next);
    if (failed(agrees))
      return failure();
    settled &= *agrees;
  }
  return settled;
}

LogicalResult LoopBuilder::addStacks(ArrayRef<TensorValue> scans) {
  for (auto [i, scan] : llvm::enumerate(scans)) {
    if (!scan.isTensor())
      return node.unsupported("stacks values that are not tensors");
    Stack stack;
    stack.element = scan;
    stack.element.value = node.value(scan);
    stack.reversed = i < bounds.reversed.size() && bounds.reversed[i];
    stacks.push_back(stack);
  }
  for (Stack &stack : stacks)
    addStack(stack);
  return success();
}

/// Ends the body whose carried values have settled.
LogicalResult LoopBuilder::closeBody(ArrayRef<Carried> values, const LoopValues &outputs) {
  conditional = DimBuilder::constantOf(outputs.condition) != 1 || !bounds.tripCount;
  isWhile = conditional || llvm::any_of(values, [](const Carried &carried) {
              return llvm::is_contained(carried.varying, true);
            });
  if (failed(addStacks(outputs.scans)))
    return failure();
  // Stacks first: they may hold what the carried values were.
  SmallVector<Value> stackYields;
  for (Stack &stack : stacks)
    yieldStack(stack);
  std::swap(stackYields, yields);
  for (auto [carried, next] : llvm::zip(values, outputs.carried))
    yieldCarried(carried, next);
  llvm::append_range(yields, stackYields);
  if (isWhile) {
    // The number of the next iteration, and whether there is one.
    Value one = node.dims.value(node.dims.constant(1));
    Value next = arith::AddIOp::create(b, block->getArgument(0), one);
    Value again =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne, node.dims.value(outputs.condition),
                              node.dims.value(node.dims.constant(0)));
    yields.insert(yields.begin(), next);
    yields.push_back(again);
  }
  scf::YieldOp::create(b, yields);
  return success();
}

/// Builds the body, with the extents that are known to vary by now as carried
/// values; false if others turned out to vary, so that it is to be built again.
FailureOr<bool> LoopBuilder::buildBody(MutableArrayRef<Carried> values, LoopBody body) {
  starts.clear();
  yields.clear();
  stacks.clear();
  region = std::make_unique<Region>();
  block = &region->emplaceBlock();
  Value iteration = block->addArgument(b.getIndexType(), b.getLoc());
  SmallVector<TensorValue> inner;
  for (Carried &carried : values) {
    if (carried.initial.isSequence() || carried.initial.isNone)
      return node.unsupported("carries a sequence or an optional through a loop whose trip count "
                              "is known only at run time");
    addCarried(carried);
    inner.push_back(carried.inner);
  }
  outer = b.saveInsertionPoint();
  b.setInsertionPointToStart(block);
  PollOp::create(b);
  node.dims.pushScope();
  FailureOr<bool> settled = failure();
  if (FailureOr<LoopValues> outputs = body(iteration, inner); succeeded(outputs)) {
    settled = settle(values, outputs->carried);
    if (succeeded(settled) && *settled && failed(closeBody(values, *outputs)))
      settled = failure();
  }
  node.dims.popScope();
  b.restoreInsertionPoint(outer);
  if (failed(settled) || !*settled)
    region->dropAllReferences();
  return settled;
}

/// The loop that only its trip count ends. Gives the number of iterations.
OpFoldResult LoopBuilder::createFor(Value zero, Value one) {
  OpFoldResult count = node.dims.select(bounds.condition, trips, node.dims.constant(0));
  auto loop = scf::ForOp::create(b, zero, node.dims.value(count), one, starts);
  loop.getRegion().takeBody(*region);
  results.assign(loop.getResults().begin(), loop.getResults().end());
  return count;
}

/// The loop that carries its number of iterations, which it gives, and whether
/// another one follows.
OpFoldResult LoopBuilder::createWhile(Value zero) {
  Value again =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, node.dims.value(bounds.condition), zero);
  // Last, so that what the condition hands on has the positions that it came in:
  // only then does bufferization see that it is the same memory.
  SmallVector<Value> operands{zero};
  llvm::append_range(operands, starts);
  operands.push_back(again);
  SmallVector<Type> types{b.getIndexType()};
  llvm::append_range(types, ValueRange(starts).getTypes());
  Value limit = bounds.tripCount ? node.dims.value(*bounds.tripCount) : Value();
  auto loop = scf::WhileOp::create(b, types, operands);
  Block *before = b.createBlock(&loop.getBefore());
  for (Value operand : operands)
    before->addArgument(operand.getType(), b.getLoc());
  Value proceed = before->getArguments().back();
  if (limit) {
    Value below =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, before->getArgument(0), limit);
    proceed = arith::AndIOp::create(b, proceed, below);
  }
  scf::ConditionOp::create(b, proceed, before->getArguments().drop_back());
  loop.getAfter().takeBody(*region);
  b.setInsertionPointAfter(loop);
  OpFoldResult count = loop.getResult(0);
  if (!conditional)
    count = node.dims.select(bounds.condition, trips, node.dims.constant(0));
  results.assign(loop.getResults().begin() + 1, loop.getResults().end());
  return count;
}

FailureOr<LoopValues> LoopBuilder::build(ArrayRef<TensorValue> initial, LoopBody body) {
  SmallVector<Carried, 0> values = carriedValues(initial);
  // Outside of the body, so that it is not a value of it.
  if (bounds.tripCount)
    trips = node.dims.max(*bounds.tripCount, node.dims.constant(0));
  mlir::OpBuilder::InsertionGuard guard(b);
  for (bool settled = false; !settled;) {
    FailureOr<bool> agrees = buildBody(values, body);
    if (failed(agrees))
      return failure();
    settled = *agrees;
  }
  Value zero = node.dims.value(node.dims.constant(0)), one = node.dims.value(node.dims.constant(1));
  OpFoldResult count = isWhile ? createWhile(zero) : createFor(zero, one);
  LoopValues outputs;
  for (const Carried &carried : values)
    outputs.carried.push_back(finish(carried));
  for (const Stack &stack : stacks)
    outputs.scans.push_back(finish(stack, count));
  return outputs;
}

FailureOr<LoopValues> weft::onnx::buildLoop(NodeContext &node, const LoopBounds &bounds,
                                            ArrayRef<TensorValue> initial, LoopBody body) {
  return LoopBuilder(node, bounds).build(initial, body);
}
