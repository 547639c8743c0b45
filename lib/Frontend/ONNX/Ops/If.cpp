//===- If.cpp - Conditional execution -------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A condition that is known at import chooses its branch. Else both branches are
// imported, each into a region of its own, and
//
// - a branch that is invalid for the shapes at hand becomes an assertion that the
//   other one is taken, which then stands where the If stood;
// - where the branches give values of different ranks (a squeeze of a dimension
//   that may be 1, for example), the rest of the graph is imported into either
//   branch, for the types of that branch's values, and the If gives the outputs
//   of the graph. Often only one of the ranks is valid for the rest;
// - else the two become an `scf.if`.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/If.h"

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Loops.h"
#include "Frontend/ONNX/TensorOps.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// The rest of a graph is imported for either branch of so many Ifs, one after
/// the other: each can double the number of nodes.
static constexpr unsigned kMaxRestDepth = 6;

/// Tracked values of more elements are merged as tensors.
static constexpr size_t kMaxMergedElements = 16;

namespace {
/// A branch built apart, and what it yields.
struct Branch {
  StringRef name;
  bool taken; ///< the condition for it
  Region region;
  Attempt attempt;
  SmallVector<Value> yields;

  ArrayRef<TensorValue> values() const { return *attempt.values; }
};

/// Unifies what the branches of an If give.
class BranchMerger {
public:
  BranchMerger(NodeContext &node, Branch &yes, Branch &no) : node(node), yes(yes), no(no) {}

  /// Gives the merged value; extents and elements that differ become results.
  FailureOr<TensorValue> merge(const TensorValue &x, const TensorValue &y);
  /// Gives merged values their results.
  void resolve(TensorValue &value, ValueRange results);
  SmallVector<Type> types;

private:
  /// A number of both branches: as it is, or one more result. A placeholder
  /// stands for the result until the operation is there.
  OpFoldResult number(OpFoldResult x, OpFoldResult y);
  Value valueIn(Branch &branch, llvm::function_ref<Value()> build);

  NodeContext &node;
  Branch &yes, &no;
  /// Placeholders are constants; which result each stands for.
  DenseMap<Value, unsigned> placeholders;
};

/// Builds one If whose condition only the run knows.
class IfBuilder {
public:
  IfBuilder(NodeContext &node, OpFoldResult condition)
      : node(node), importer(node.getImporter()), condition(cast<Value>(condition)) {
    branches[0].name = "then";
    branches[0].taken = true;
    branches[1].name = "else";
    branches[1].taken = false;
  }
  ~IfBuilder() {
    for (Branch &branch : branches)
      branch.region.dropAllReferences();
  }
  LogicalResult build(const Graph &thenGraph, const Graph &elseGraph);

private:
  using BuildValues = llvm::function_ref<FailureOr<SmallVector<TensorValue>>()>;

  void extend(Branch &branch, BuildValues build);
  /// Where a branch failed: the values of the other one, which is then all
  /// there is, or failure if that failed too.
  FailureOr<SmallVector<TensorValue>> takeOther(const Twine &what);
  void assertTaken(const Branch &branch, const Twine &message);
  LogicalResult splitRest();
  FailureOr<SmallVector<TensorValue>> join();

  NodeContext &node;
  Importer &importer;
  Value condition;
  Branch branches[2];
};
} // namespace

//===----------------------------------------------------------------------===//
// Merging values
//===----------------------------------------------------------------------===//

/// Whether `x` and `y` can become one value: tensors of a rank, or sequences of
/// as many such.
static bool haveSameStructure(const TensorValue &x, const TensorValue &y) {
  if (x.isNone || y.isNone || x.isSequence() != y.isSequence())
    return x.isNone && y.isNone;
  if (x.isSequence())
    return llvm::equal(*x.sequence, *y.sequence, haveSameStructure);
  return x.rank() == y.rank();
}

/// "a tensor of rank 2", for messages.
static std::string structureOf(const TensorValue &value) {
  if (value.isNone)
    return "an empty optional";
  if (value.isSequence())
    return "a sequence of " + std::to_string(value.sequence->size()) + " tensors";
  return "a tensor of rank " + std::to_string(value.rank());
}

Value BranchMerger::valueIn(Branch &branch, llvm::function_ref<Value()> build) {
  mlir::OpBuilder::InsertionGuard guard(node.b);
  node.b.setInsertionPointToEnd(&branch.region.front());
  return build();
}

OpFoldResult BranchMerger::number(OpFoldResult x, OpFoldResult y) {
  bool inner = false;
  if (auto value = dyn_cast<Value>(x))
    inner = isInside(yes.region, value);
  if (!inner && DimBuilder::same(x, y))
    return x;
  yes.yields.push_back(valueIn(yes, [&] { return node.dims.value(x); }));
  no.yields.push_back(valueIn(no, [&] { return node.dims.value(y); }));
  types.push_back(node.b.getIndexType());
  Value placeholder = arith::ConstantIndexOp::create(node.b, node.b.getLoc(), 0);
  placeholders[placeholder] = static_cast<unsigned>(types.size() - 1);
  return placeholder;
}

FailureOr<TensorValue> BranchMerger::merge(const TensorValue &x, const TensorValue &y) {
  if (x.isSequence()) {
    TensorValue result = x;
    result.sequence = std::make_shared<std::vector<TensorValue>>();
    for (auto [a, c] : llvm::zip(*x.sequence, *y.sequence)) {
      FailureOr<TensorValue> merged = merge(a, c);
      if (failed(merged))
        return failure();
      result.sequence->push_back(*merged);
    }
    return result;
  }
  if (x.isNone)
    return x;
  if (x.elementType != y.elementType)
    return node.error("has branches that give " + describe(x) + " and " + describe(y));
  TensorValue result;
  result.elementType = x.elementType;
  if (x.elements && y.elements && x.elements->size() == y.elements->size() &&
      x.elements->size() <= kMaxMergedElements) {
    result.dims = x.dims;
    result.elements.emplace();
    for (auto [a, c] : llvm::zip(*x.elements, *y.elements))
      result.elements->push_back(number(a, c));
    return result;
  }
  for (auto [a, c] : llvm::zip(x.dims, y.dims))
    result.dims.push_back(number(a, c));
  RankedTensorType type = tensorType(node.context(), result.elementType, result.dims);
  auto yield = [&](Branch &branch, const TensorValue &value) {
    branch.yields.push_back(valueIn(branch, [&] {
      Value tensor = node.value(value);
      return tensor.getType() == type ? tensor
                                      : Value(tensor::CastOp::create(node.b, type, tensor));
    }));
  };
  yield(yes, x);
  yield(no, y);
  types.push_back(type);
  Value placeholder = tensor::EmptyOp::create(node.b, result.dims, type.getElementType());
  placeholders[placeholder] = static_cast<unsigned>(types.size() - 1);
  result.value = placeholder;
  return result;
}

void BranchMerger::resolve(TensorValue &value, ValueRange results) {
  auto replace = [&](OpFoldResult &number) {
    if (auto v = dyn_cast<Value>(number))
      if (auto it = placeholders.find(v); it != placeholders.end())
        number = results[it->second];
  };
  for (OpFoldResult &dim : value.dims)
    replace(dim);
  if (value.elements)
    for (OpFoldResult &element : *value.elements)
      replace(element);
  if (value.value)
    value.value = results[placeholders.lookup(value.value)];
  if (value.sequence)
    for (TensorValue &item : *value.sequence)
      resolve(item, results);
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

/// Adds to a branch; what it gives is then what was built last.
void IfBuilder::extend(Branch &branch, BuildValues build) {
  mlir::OpBuilder::InsertionGuard guard(node.b);
  Location loc = node.b.getLoc();
  if (branch.region.empty())
    branch.region.emplaceBlock();
  node.b.setInsertionPointToEnd(&branch.region.front());
  importer.decidedConditions[condition] = branch.taken;
  branch.attempt = importer.attempt(build);
  importer.decidedConditions.erase(condition);
  node.b.setLoc(loc);
}

/// Fails the call unless `branch` is taken; its operations follow.
void IfBuilder::assertTaken(const Branch &branch, const Twine &message) {
  Value zero = node.dims.value(node.dims.constant(0));
  Value holds = arith::CmpIOp::create(
      node.b, branch.taken ? arith::CmpIPredicate::ne : arith::CmpIPredicate::eq, condition, zero);
  buildAssert(node, holds, WEFT_FAILED_PRECONDITION, message.str(), {});
}

FailureOr<SmallVector<TensorValue>> IfBuilder::takeOther(const Twine &what) {
  bool isThen = branches[0].attempt.succeeded();
  Branch &taken = branches[isThen ? 0 : 1], &other = branches[isThen ? 1 : 0];
  if (!taken.attempt.succeeded()) {
    importer.report(taken.attempt);
    importer.report(other.attempt);
    return failure();
  }
  std::string reason = other.attempt.reason();
  if (reason.empty())
    return failure();
  std::string message = ("the " + other.name + " branch " + what + ": " + reason).str();
  importer.warn(node.b.getLoc(), importer.getContext().path + ": node " + quote(node.name()) +
                                     " (If): a call that takes the branch fails, since " + message);
  assertTaken(taken, message);
  Block *block = node.b.getInsertionBlock();
  block->getOperations().splice(node.b.getInsertionPoint(), taken.region.front().getOperations());
  return *taken.attempt.values;
}

/// Both branches as one operation.
FailureOr<SmallVector<TensorValue>> IfBuilder::join() {
  BranchMerger merger(node, branches[0], branches[1]);
  SmallVector<TensorValue> merged;
  for (auto [x, y] : llvm::zip(branches[0].values(), branches[1].values())) {
    FailureOr<TensorValue> value = merger.merge(x, y);
    if (failed(value))
      return failure();
    merged.push_back(*value);
  }
  for (Branch &branch : branches) {
    mlir::OpBuilder::InsertionGuard guard(node.b);
    node.b.setInsertionPointToEnd(&branch.region.front());
    scf::YieldOp::create(node.b, branch.yields);
  }
  Value bit = node.b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ne, condition,
                                                 node.dims.value(node.dims.constant(0)));
  auto op = scf::IfOp::create(node.b, merger.types, bit, /*withElseRegion=*/true);
  op.getThenRegion().takeBody(branches[0].region);
  op.getElseRegion().takeBody(branches[1].region);
  for (TensorValue &value : merged)
    merger.resolve(value, op.getResults());
  return merged;
}

/// The first position at which the branches' values cannot become one.
static std::optional<size_t> firstDifference(ArrayRef<TensorValue> x, ArrayRef<TensorValue> y) {
  for (size_t i = 0; i < x.size(); ++i)
    if (!haveSameStructure(x[i], y[i]))
      return i;
  return std::nullopt;
}

LogicalResult IfBuilder::splitRest() {
  size_t at = *firstDifference(branches[0].values(), branches[1].values());
  std::string given[2];
  for (auto [text, branch] : llvm::zip(given, branches))
    text = structureOf(branch.values()[at]);
  auto unsupported = [&] {
    return node.unsupported("has branches that give " + given[0] + " and " + given[1]);
  };
  if (importer.restDepth() == kMaxRestDepth)
    return unsupported();
  SmallVector<StringRef> names = importer.pendingOutputs();
  for (Branch &branch : branches) {
    SmallVector<TensorValue> values(branch.values());
    extend(branch, [&] { return importer.importRest(node.getNode(), values, names); });
  }
  // What the graph says of its outputs decides between those that remain.
  if (branches[0].attempt.succeeded() && branches[1].attempt.succeeded())
    if (auto i = firstDifference(branches[0].values(), branches[1].values())) {
      std::optional<int64_t> rank = importer.declaredOutputRank(names[*i]);
      if (!rank)
        return unsupported();
      for (Branch &branch : branches) {
        const TensorValue &value = branch.values()[*i];
        if (!value.isSequence() && !value.isNone && value.rank() == *rank)
          continue;
        branch.attempt.errors.emplace_back(
            node.b.getLoc(), llvm::formatv("output {0} is {1}, but is declared of rank {2}",
                                           quote(names[*i]), structureOf(value), *rank));
        branch.attempt.values = failure();
      }
    }
  FailureOr<SmallVector<TensorValue>> values;
  if (branches[0].attempt.succeeded() && branches[1].attempt.succeeded())
    values = join();
  else
    values = takeOther("gives " + Twine(given[branches[0].attempt.succeeded() ? 1 : 0]) +
                       ", with which the nodes that follow are invalid");
  if (failed(values))
    return failure();
  importer.finishGraph(names, *values);
  return success();
}

LogicalResult IfBuilder::build(const Graph &thenGraph, const Graph &elseGraph) {
  extend(branches[0], [&] { return node.importGraph(thenGraph, {}); });
  extend(branches[1], [&] { return node.importGraph(elseGraph, {}); });
  FailureOr<SmallVector<TensorValue>> values;
  if (!branches[0].attempt.succeeded() || !branches[1].attempt.succeeded()) {
    // What cannot be imported is all reported at once.
    bool unsupported = false;
    for (Branch &branch : branches)
      if (!branch.attempt.succeeded() && branch.attempt.errors.empty()) {
        importer.report(branch.attempt);
        unsupported = true;
      }
    if (unsupported)
      return failure();
    values = takeOther("is invalid");
  } else if (firstDifference(branches[0].values(), branches[1].values())) {
    return splitRest();
  } else {
    values = join();
  }
  if (failed(values))
    return failure();
  for (size_t i = 0; i < node.outputCount(); ++i)
    node.setOutput(i, (*values)[i]);
  return success();
}

LogicalResult weft::onnx::buildIf(NodeContext &node) {
  const Graph *graphs[] = {node.getGraph("then_branch"), node.getGraph("else_branch")};
  if (!graphs[0] || !graphs[1])
    return node.error("needs the attributes 'then_branch' and 'else_branch'");
  for (const Graph *graph : graphs)
    if (!graph->inputs.empty())
      return node.error("a branch has " + Twine(graph->inputs.size()) + " inputs, expected 0");
  if (graphs[0]->outputs.size() != graphs[1]->outputs.size() ||
      graphs[0]->outputs.size() < node.outputCount())
    return node.error("has branches of " + Twine(graphs[0]->outputs.size()) + " and " +
                      Twine(graphs[1]->outputs.size()) + " outputs, expected " +
                      Twine(node.outputCount()));
  FailureOr<OpFoldResult> condition = hostScalar(node, node.input(0), "the condition");
  if (failed(condition))
    return failure();
  std::optional<bool> known;
  if (auto constant = DimBuilder::constantOf(*condition))
    known = *constant != 0;
  else if (auto it = node.getImporter().decidedConditions.find(cast<Value>(*condition));
           it != node.getImporter().decidedConditions.end())
    known = it->second;
  if (!known)
    return IfBuilder(node, *condition).build(*graphs[0], *graphs[1]);
  FailureOr<SmallVector<TensorValue>> values = node.importGraph(*graphs[*known ? 0 : 1], {});
  if (failed(values))
    return failure();
  for (size_t i = 0; i < node.outputCount(); ++i)
    node.setOutput(i, (*values)[i]);
  return success();
}
