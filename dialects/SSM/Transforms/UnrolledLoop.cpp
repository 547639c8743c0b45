//===- UnrolledLoop.cpp - Loops over tokens that a trace unrolled ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/Transforms/UnrolledLoop.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weft::ssm;

//===----------------------------------------------------------------------===//
// Equivalence
//===----------------------------------------------------------------------===//

/// Whether two operations are the same but for their operands.
static bool isSameKind(Operation *a, Operation *b) {
  if (a == b)
    return true;
  if (a->getName() != b->getName() || a->getNumOperands() != b->getNumOperands() ||
      a->getResultTypes() != b->getResultTypes() || a->getNumRegions() != b->getNumRegions() ||
      a->getAttrDictionary() != b->getAttrDictionary())
    return false;
  for (auto [x, y] : llvm::zip(a->getRegions(), b->getRegions()))
    if (!OperationEquivalence::isRegionEquivalentTo(&x, &y, OperationEquivalence::IgnoreLocations))
      return false;
  return true;
}

/// Whether two values that no step computes are the same.
static bool isSameValue(Value a, Value b, int depth = 4) {
  if (a == b)
    return true;
  Operation *x = a.getDefiningOp(), *y = b.getDefiningOp();
  if (!x || !y || depth == 0 || !isMemoryEffectFree(x) || x->getNumResults() != 1 ||
      !isSameKind(x, y))
    return false;
  return llvm::all_of(llvm::zip(x->getOperands(), y->getOperands()), [&](auto pair) {
    return isSameValue(std::get<0>(pair), std::get<1>(pair), depth - 1);
  });
}

/// What a body may have of which all steps are computed at once.
static bool isComputation(Operation *op) {
  return isa<linalg::GenericOp, linalg::TransposeOp, weft::ContractOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::CastOp, tensor::ExtractSliceOp>(op);
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

namespace {
/// Finds the loop of steps that read slices from position `base` on. The step of a value is that
/// of the last slice it depends on, -1 for those that depend on none.
class Matcher {
public:
  Matcher(const SliceFamily &seed, ArrayRef<SliceFamily> families, bool reversed, int64_t base);
  std::optional<UnrolledLoop> match();

private:
  int64_t stepOf(Value value) const {
    auto found = step.find(value);
    return found == step.end() ? -1 : found->second;
  }
  void assignSteps();
  bool matchValues(Value x, Value y);
  bool matchCarried(Value x, Value y);
  bool matchOperands(Operation *a, Operation *b);
  bool attempt(llvm::function_ref<bool()> run);
  void pairWithFirst(Operation *op);
  bool closeCarried();
  void addToBody(Operation *op);
  void takeBody();
  Operation *takeSteps(UnrolledLoop &result);
  Operation *findCopy(Operation *op, const llvm::DenseMap<Value, Value> &values);

  const SliceFamily &seed;
  ArrayRef<SliceFamily> families;
  bool reversed;
  int64_t base, count;
  llvm::DenseMap<Value, int64_t> step;
  llvm::DenseMap<Operation *, const SliceFamily *> familyOf;
  SmallVector<Operation *> first, second; ///< operations of step 0 and 1
  /// What step 0 has for values of step 1, and reads for those of step 0 that step 1 reads.
  llvm::DenseMap<Value, Value> previous, inits;
  /// Values of step 0 that step 1 computes from carried ones again.
  llvm::DenseSet<Value> derived;
  llvm::MapVector<Value, Value> next;
  SetVector<Operation *> body;
  llvm::DenseSet<Operation *> essential; ///< what carried values need of it
};
} // namespace

Matcher::Matcher(const SliceFamily &seed, ArrayRef<SliceFamily> families, bool reversed,
                 int64_t base)
    : seed(seed), families(families), reversed(reversed), base(base), count(seed.size() - base) {}

/// Which step each value belongs to.
void Matcher::assignSteps() {
  for (const SliceFamily &family : families)
    if (family.size() + 1 >= seed.size())
      for (tensor::ExtractSliceOp slice : family.slices)
        familyOf[slice] = &family;
  int64_t last = seed.first + seed.size() - 1;
  for (Operation &op : *seed.slices[0]->getBlock()) {
    int64_t own = -1;
    auto family = familyOf.find(&op);
    if (family != familyOf.end() && stepOf(family->second->source) < 0) {
      int64_t at = SliceFamily::positionOf(cast<tensor::ExtractSliceOp>(op), family->second->dim);
      own = (reversed ? last - at : at - seed.first) - base;
      own = own < count ? own : -1;
    } else {
      if (family != familyOf.end())
        familyOf.erase(family);
      SetVector<Value> used(op.operand_begin(), op.operand_end());
      getUsedValuesDefinedAbove(op.getRegions(), used);
      for (Value value : used)
        own = std::max(own, stepOf(value));
    }
    if (own < 0)
      continue;
    for (Value result : op.getResults())
      step[result] = own;
    if (own < 2)
      (own == 0 ? first : second).push_back(&op);
  }
}

/// Keeps what `run` has found if it says so.
bool Matcher::attempt(llvm::function_ref<bool()> run) {
  auto previousBefore = previous;
  auto initsBefore = inits;
  auto derivedBefore = derived;
  if (run())
    return true;
  previous = std::move(previousBefore);
  inits = std::move(initsBefore);
  derived = std::move(derivedBefore);
  return false;
}

bool Matcher::matchOperands(Operation *a, Operation *b) {
  return llvm::all_of(llvm::zip(a->getOperands(), b->getOperands()),
                      [&](auto pair) { return matchValues(std::get<0>(pair), std::get<1>(pair)); });
}

/// Whether step 1 reads `y` of step 0 where step 0 reads `x`.
bool Matcher::matchCarried(Value x, Value y) {
  if (stepOf(x) >= 0 || x.getType() != y.getType())
    return false;
  Operation *a = x.getDefiningOp(), *b = y.getDefiningOp();
  if (auto found = inits.find(y); found != inits.end())
    return isSameValue(found->second, x);
  if (familyOf.contains(b) || familyOf.contains(a))
    return false;
  // What is computed from one carried value alone, a state that has decayed for example, belongs to
  // the step that reads it.
  bool computes = a && isComputation(b) && isSameKind(a, b) &&
                  llvm::count_if(b->getOperands(), [&](Value v) { return stepOf(v) >= 0; }) == 1 &&
                  attempt([&] { return matchOperands(a, b); });
  inits[y] = x;
  if (computes)
    derived.insert(y);
  return true;
}

/// Whether step 1 has `y` where step 0 has `x`.
bool Matcher::matchValues(Value x, Value y) {
  if (stepOf(y) < 0)
    return stepOf(x) < 0 && isSameValue(x, y);
  if (stepOf(y) == 0)
    return matchCarried(x, y);
  if (stepOf(y) != 1 || stepOf(x) != 0)
    return false;
  if (auto found = previous.find(y); found != previous.end())
    return found->second == x;
  Operation *a = x.getDefiningOp(), *b = y.getDefiningOp();
  auto family = familyOf.find(b);
  if (family != familyOf.end()) {
    auto other = familyOf.find(a);
    if (other == familyOf.end() || other->second != family->second)
      return false;
  } else if (cast<OpResult>(x).getResultNumber() != cast<OpResult>(y).getResultNumber() ||
             !isComputation(b) || !isSameKind(a, b) || !matchOperands(a, b)) {
    return false;
  }
  for (auto [own, result] : llvm::zip(a->getResults(), b->getResults()))
    previous[result] = own;
  return true;
}

/// Finds what step 0 has for an operation of step 1.
void Matcher::pairWithFirst(Operation *op) {
  if (previous.contains(op->getResult(0)))
    return;
  for (Operation *other : llvm::reverse(first))
    if (isSameKind(other, op) &&
        attempt([&] { return matchValues(other->getResult(0), op->getResult(0)); }))
      return;
}

/// Finds what step 1 makes of each carried value. More may be carried for that.
bool Matcher::closeCarried() {
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<Value> carried;
    for (auto [value, init] : inits)
      if (!derived.contains(value) && !next.contains(value))
        carried.push_back(value);
    for (Value value : carried) {
      Value found;
      for (Operation *op : second) {
        if (!isSameKind(op, value.getDefiningOp()))
          continue;
        Value result = op->getResult(cast<OpResult>(value).getResultNumber());
        if (attempt([&] { return matchValues(value, result); })) {
          found = result;
          break;
        }
      }
      if (!found)
        return false;
      next[value] = found;
      changed = true;
    }
  }
  return !next.empty();
}

/// Adds an operation and what it is computed of in its step.
void Matcher::addToBody(Operation *op) {
  SmallVector<Operation *> waiting{op};
  while (!waiting.empty()) {
    Operation *next = waiting.pop_back_val();
    if (!next || next->getNumResults() != 1)
      continue;
    Value value = next->getResult(0);
    bool isOwn = previous.contains(value) || derived.contains(value);
    if (isOwn && body.insert(next) && !familyOf.contains(next))
      for (Value operand : next->getOperands())
        waiting.push_back(operand.getDefiningOp());
  }
}

/// What computes the next values of those that are carried, and what step 1 and step 0 compute
/// alike from values of the body.
void Matcher::takeBody() {
  for (auto [value, after] : next)
    addToBody(after.getDefiningOp());
  essential.insert(body.begin(), body.end());
  for (Operation *op : second)
    if (previous.contains(op->getResult(0)) && !familyOf.contains(op) &&
        llvm::any_of(op->getOperands(), [&](Value operand) {
          Operation *def = operand.getDefiningOp();
          return (def && body.contains(def)) || next.contains(operand);
        }))
      addToBody(op);
}

/// The operation that has the operands of `op` in another step.
Operation *Matcher::findCopy(Operation *op, const llvm::DenseMap<Value, Value> &values) {
  Value key;
  for (Value operand : op->getOperands())
    if (auto found = values.find(operand); found != values.end())
      key = found->second;
    else if (stepOf(operand) >= 0)
      return nullptr;
  if (!key)
    return nullptr;
  for (Operation *user : key.getUsers())
    if (user->getBlock() == op->getBlock() && isSameKind(user, op) &&
        llvm::all_of(llvm::zip(user->getOperands(), op->getOperands()), [&](auto pair) {
          auto [have, operand] = pair;
          auto found = values.find(operand);
          return found != values.end() ? have == found->second : isSameValue(have, operand);
        }))
      return user;
  return nullptr;
}

/// Finds the copies of the body in all steps. Gives the operation that has none, if there is one.
Operation *Matcher::takeSteps(UnrolledLoop &result) {
  result.steps.clear();
  for (int64_t t = 0; t < count; ++t) {
    // What the body reads of the step before, then what it computes.
    llvm::DenseMap<Value, Value> values, own;
    for (auto [value, after] : next)
      values[value] = t == 0 ? inits.lookup(value) : result.steps[t - 1].lookup(after);
    for (Operation *op : result.body) {
      Value value = op->getResult(0), found;
      if (t < 2) {
        bool isDerived = derived.contains(value);
        found = t == 1 ? value : isDerived ? inits.lookup(value) : previous.lookup(value);
      } else if (const SliceFamily *family = familyOf.lookup(op)) {
        int64_t at = result.lowest + (reversed ? count - 1 - t : t) - family->first;
        if (at >= 0 && at < family->size())
          found = tensor::ExtractSliceOp(family->slices[at]).getResult();
      } else if (Operation *copy = findCopy(op, values)) {
        found = copy->getResult(0);
      }
      // Nobody needs the states after the last step.
      if (!found && t + 1 < count)
        return op;
      if (found)
        values[value] = own[value] = found;
    }
    result.steps.push_back(std::move(own));
  }
  return nullptr;
}

std::optional<UnrolledLoop> Matcher::match() {
  assignSteps();
  // Those that nobody reads come first: they decide about what they read.
  for (Operation *op : llvm::reverse(second))
    if (isComputation(op) && !familyOf.contains(op))
      pairWithFirst(op);
  if (inits.empty() || !closeCarried())
    return std::nullopt;
  takeBody();
  UnrolledLoop result;
  result.count = count;
  result.reversed = reversed;
  result.lowest = seed.first + (reversed ? 0 : base);
  result.body.assign(body.begin(), body.end());
  llvm::sort(result.body, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *op : result.body)
    if (const SliceFamily *family = familyOf.lookup(op)) {
      auto type = cast<RankedTensorType>(family->source.getType());
      if (result.lowest + count > type.getDimSize(family->dim))
        return std::nullopt;
      result.sequences.insert({op, family});
    }
  for (auto [value, after] : next)
    result.carried.push_back({value, inits[value], after});
  while (Operation *missing = takeSteps(result)) {
    if (essential.contains(missing))
      return std::nullopt;
    llvm::erase(result.body, missing);
  }
  return result;
}

std::optional<UnrolledLoop> UnrolledLoop::match(const SliceFamily &seed,
                                                ArrayRef<SliceFamily> families, bool reversed,
                                                int64_t skipped) {
  if (seed.size() - skipped < 2)
    return std::nullopt;
  return Matcher(seed, families, reversed, skipped).match();
}
