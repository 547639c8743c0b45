//===- IndexExpressions.cpp - Symbolic index arithmetic -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/IndexExpressions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace weft;
using Kind = IndexAtom::Kind;

/// Larger expressions are values that nothing is known of: expanding products of
/// sums would grow without end.
static constexpr size_t kMaxTerms = 12;
static constexpr size_t kMaxAtoms = 8;
static constexpr unsigned kMaxDepth = 24;
static constexpr unsigned kMaxCost = 100000;

//===----------------------------------------------------------------------===//
// Ranges
//===----------------------------------------------------------------------===//

static int64_t saturate(__int128 x) {
  return x <= INT64_MIN ? INT64_MIN : x >= INT64_MAX ? INT64_MAX : static_cast<int64_t>(x);
}

static bool isUnbounded(int64_t x) { return x == INT64_MIN || x == INT64_MAX; }

static IndexRange sum(IndexRange x, IndexRange y) {
  auto bound = [](int64_t a, int64_t c, int64_t none) {
    return a == none || c == none ? none : saturate(static_cast<__int128>(a) + c);
  };
  return {bound(x.low, y.low, INT64_MIN), bound(x.high, y.high, INT64_MAX)};
}

static IndexRange product(IndexRange x, IndexRange y) {
  auto times = [](int64_t a, int64_t c) -> int64_t {
    if (a == 0 || c == 0)
      return 0;
    if (isUnbounded(a) || isUnbounded(c))
      return (a < 0) == (c < 0) ? INT64_MAX : INT64_MIN;
    return saturate(static_cast<__int128>(a) * c);
  };
  auto [low, high] = std::minmax(
      {times(x.low, y.low), times(x.low, y.high), times(x.high, y.low), times(x.high, y.high)});
  return {low, high};
}

IndexRange IndexExpressions::rangeOf(const IndexAtom *atom) const {
  auto it = narrowed.find(atom);
  return it == narrowed.end() ? atom->range : it->second;
}

IndexRange IndexExpressions::range(IndexExpr x) const {
  IndexRange result{0, 0};
  for (const IndexTerm &term : x->terms) {
    IndexRange factor{term.factor, term.factor};
    for (const IndexAtom *atom : term.atoms)
      factor = product(factor, rangeOf(atom));
    result = sum(result, factor);
  }
  return result;
}

bool IndexExpressions::isCondition(IndexExpr x) const {
  IndexRange known = range(x);
  return known.low >= 0 && known.high <= 1;
}

//===----------------------------------------------------------------------===//
// Atoms and sums
//===----------------------------------------------------------------------===//

std::optional<int64_t> IndexSum::constant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms[0].atoms.empty())
    return terms[0].factor;
  return std::nullopt;
}

const IndexAtom *IndexSum::atom() const {
  bool isAtom = terms.size() == 1 && terms[0].factor == 1 && terms[0].atoms.size() == 1;
  return isAtom ? terms[0].atoms[0] : nullptr;
}

static bool isBefore(const IndexTerm &x, const IndexTerm &y) {
  return std::lexicographical_compare(
      x.atoms.begin(), x.atoms.end(), y.atoms.begin(), y.atoms.end(),
      [](const IndexAtom *a, const IndexAtom *c) { return a->number < c->number; });
}

IndexExpr IndexExpressions::unique(SmallVector<IndexTerm, 2> terms) {
  llvm::stable_sort(terms, isBefore);
  SmallVector<IndexTerm, 2> merged;
  for (IndexTerm &term : terms) {
    if (!merged.empty() && merged.back().atoms == term.atoms) {
      if (__builtin_add_overflow(merged.back().factor, term.factor, &merged.back().factor))
        return nullptr;
    } else {
      merged.push_back(std::move(term));
    }
  }
  llvm::erase_if(merged, [](const IndexTerm &term) { return term.factor == 0; });
  if (merged.size() > kMaxTerms)
    return nullptr;
  IndexSum result;
  std::vector<int64_t> key;
  for (const IndexTerm &term : merged) {
    if (term.atoms.size() > kMaxAtoms)
      return nullptr;
    key.push_back(term.factor);
    key.push_back(static_cast<int64_t>(term.atoms.size()));
    for (const IndexAtom *atom : term.atoms) {
      key.push_back(atom->number);
      result.cost += atom->cost;
      result.depth = std::max(result.depth, atom->depth);
      result.isData |= atom->isData;
    }
    bool isScaled = term.factor != 1 && term.factor != -1 && !term.atoms.empty();
    result.cost += (term.atoms.empty() ? 0 : term.atoms.size() - 1) + isScaled;
  }
  result.cost += merged.empty() ? 0 : merged.size() - 1;
  if (merged.size() == 1 && merged[0].factor == -1)
    result.cost += 1;
  if (result.cost > kMaxCost || result.depth > kMaxDepth)
    return nullptr;
  auto [it, isNew] = sumsByKey.insert({std::move(key), nullptr});
  if (isNew) {
    result.terms = std::move(merged);
    result.number = static_cast<unsigned>(sums.size());
    sums.push_back(std::move(result));
    it->second = &sums.back();
  }
  return it->second;
}

IndexExpr IndexExpressions::single(const IndexAtom *atom) { return unique({{1, {atom}}}); }

IndexExpr IndexExpressions::atom(Kind kind, ArrayRef<IndexExpr> operands, IndexRange range,
                                 Value value, int64_t dimension) {
  std::vector<int64_t> key{static_cast<int64_t>(kind), dimension};
  for (IndexExpr operand : operands)
    key.push_back(reinterpret_cast<int64_t>(operand));
  if (operands.empty())
    key.push_back(reinterpret_cast<int64_t>(value.getAsOpaquePointer()));
  auto [it, isNew] = atomsByKey.insert({std::move(key), nullptr});
  if (isNew) {
    IndexAtom result;
    result.kind = kind;
    result.number = static_cast<unsigned>(atoms.size());
    result.value = value;
    result.dimension = dimension;
    result.operands.assign(operands.begin(), operands.end());
    result.range = range;
    result.cost = kind == Kind::Value ? 0 : kind == Kind::Extent ? kCostOfExtent : 1;
    for (IndexExpr operand : operands) {
      result.cost += operand->cost;
      result.depth = std::max(result.depth, operand->depth + 1);
      result.isData |= operand->isData;
    }
    atoms.push_back(std::move(result));
    it->second = &atoms.back();
  }
  return single(it->second);
}

IndexExpr IndexExpressions::constant(int64_t value) { return unique({{value, {}}}); }

IndexExpr IndexExpressions::value(Value value, IndexRange range, IndexExpr upper, bool isData) {
  IndexExpr result = atom(Kind::Value, {}, range, value);
  auto *known = const_cast<IndexAtom *>(result->atom());
  if (upper)
    known->upper = upper;
  if (isData == known->isData)
    return result;
  // Only its first use finds it without: sums take it from their atoms.
  known->isData = isData;
  const_cast<IndexSum *>(result)->isData = isData;
  return result;
}

IndexExpr IndexExpressions::extent(Value tensor, int64_t dimension) {
  return atom(Kind::Extent, {}, {0, INT64_MAX}, tensor, dimension);
}

//===----------------------------------------------------------------------===//
// Sums and products
//===----------------------------------------------------------------------===//

IndexExpr IndexExpressions::add(IndexExpr x, IndexExpr y) {
  if (!x || !y)
    return nullptr;
  SmallVector<IndexTerm, 2> terms(x->terms);
  llvm::append_range(terms, y->terms);
  return unique(std::move(terms));
}

IndexExpr IndexExpressions::scale(IndexExpr x, int64_t factor) {
  if (!x)
    return nullptr;
  SmallVector<IndexTerm, 2> terms(x->terms);
  for (IndexTerm &term : terms)
    if (__builtin_mul_overflow(term.factor, factor, &term.factor))
      return nullptr;
  return unique(std::move(terms));
}

IndexExpr IndexExpressions::subtract(IndexExpr x, IndexExpr y) { return add(x, scale(y, -1)); }

IndexExpr IndexExpressions::multiply(IndexExpr x, IndexExpr y) {
  if (!x || !y)
    return nullptr;
  SmallVector<IndexTerm, 2> terms;
  for (const IndexTerm &a : x->terms)
    for (const IndexTerm &c : y->terms) {
      IndexTerm term{0, a.atoms};
      if (__builtin_mul_overflow(a.factor, c.factor, &term.factor))
        return nullptr;
      llvm::append_range(term.atoms, c.atoms);
      llvm::sort(term.atoms,
                 [](const IndexAtom *p, const IndexAtom *q) { return p->number < q->number; });
      terms.push_back(std::move(term));
    }
  return unique(std::move(terms));
}

IndexExpr IndexExpressions::divideExactly(IndexExpr x, const IndexTerm &by) {
  SmallVector<IndexTerm, 2> terms;
  for (const IndexTerm &term : x->terms) {
    if (term.factor % by.factor != 0)
      return nullptr;
    IndexTerm quotient{term.factor / by.factor, term.atoms};
    for (const IndexAtom *atom : by.atoms) {
      auto *it = llvm::find(quotient.atoms, atom);
      if (it == quotient.atoms.end())
        return nullptr;
      quotient.atoms.erase(it);
    }
    terms.push_back(std::move(quotient));
  }
  return unique(std::move(terms));
}

IndexExpr IndexExpressions::cancel(IndexExpr x, IndexExpr y) {
  if (!x || !y)
    return nullptr;
  const IndexAtom *atom = y->atom();
  if (atom && atom->kind == Kind::Max && atom->operands[1]->constant() == 1)
    y = atom->operands[0];
  return y->terms.size() == 1 ? divideExactly(x, y->terms[0]) : nullptr;
}

IndexExpr IndexExpressions::floorDiv(IndexExpr x, IndexExpr y) {
  if (!x || !y || range(y).low < 1)
    return nullptr;
  if (y->terms.size() == 1)
    if (IndexExpr quotient = divideExactly(x, y->terms[0]))
      return quotient;
  if (isNonNegative(x) && isNonNegative(subtract(subtract(y, x), constant(1))))
    return constant(0);
  IndexRange known = range(x);
  IndexRange result = known.low >= 0 ? IndexRange{0, known.high} : IndexRange();
  std::optional<int64_t> divisor = y->constant();
  if (!divisor)
    return atom(Kind::FloorDiv, {x, y}, result);
  // What the divisor divides comes out.
  SmallVector<IndexTerm, 2> whole, rest;
  for (const IndexTerm &term : x->terms) {
    int64_t quotient = llvm::divideFloorSigned(term.factor, *divisor);
    int64_t left = term.factor - quotient * *divisor;
    if (left == 0 || term.atoms.empty())
      whole.push_back({quotient, term.atoms});
    if (left != 0)
      rest.push_back({term.atoms.empty() ? left : term.factor, term.atoms});
  }
  IndexExpr outside = unique(std::move(whole)), inside = unique(std::move(rest));
  if (!outside || !inside)
    return nullptr;
  if (outside->constant() != 0)
    return add(outside, floorDiv(inside, y));
  if (const IndexAtom *inner = x->atom(); inner && inner->kind == Kind::FloorDiv)
    if (std::optional<int64_t> first = inner->operands[1]->constant()) {
      int64_t both;
      if (!__builtin_mul_overflow(*first, *divisor, &both))
        return floorDiv(inner->operands[0], constant(both));
    }
  if (!isUnbounded(known.low) && !isUnbounded(known.high))
    result = {llvm::divideFloorSigned(known.low, *divisor),
              llvm::divideFloorSigned(known.high, *divisor)};
  return atom(Kind::FloorDiv, {x, y}, result);
}

IndexExpr IndexExpressions::mod(IndexExpr x, IndexExpr y) {
  if (!x || !y || range(y).low < 1)
    return nullptr;
  if (y->terms.size() == 1 && divideExactly(x, y->terms[0]))
    return constant(0);
  if (isNonNegative(x) && isNonNegative(subtract(subtract(y, x), constant(1))))
    return x;
  if (auto number = x->constant(), divisor = y->constant(); number && divisor)
    return constant(*number - llvm::divideFloorSigned(*number, *divisor) * *divisor);
  int64_t high = range(y).high;
  return atom(Kind::Mod, {x, y}, {0, isUnbounded(high) ? high : high - 1});
}

//===----------------------------------------------------------------------===//
// Conditions and choices
//===----------------------------------------------------------------------===//

IndexExpr IndexExpressions::negation(IndexExpr condition) {
  return subtract(constant(1), condition);
}

/// Divides by what all factors but the constant have in common, with the first
/// of them positive; the constant is left over.
static void normalize(SmallVectorImpl<IndexTerm> &terms, bool keepSign, int64_t &constant,
                      int64_t &divisor) {
  divisor = 0;
  constant = 0;
  for (const IndexTerm &term : terms)
    if (term.atoms.empty())
      constant = term.factor;
    else
      divisor = std::gcd(divisor, term.factor);
  llvm::erase_if(terms, [](const IndexTerm &term) { return term.atoms.empty(); });
  if (divisor == 0)
    return;
  if (!keepSign && terms.front().factor < 0) {
    divisor = -divisor;
    constant = -constant;
  }
  for (IndexTerm &term : terms)
    term.factor /= divisor;
  divisor = std::abs(divisor);
}

IndexExpr IndexExpressions::equalsZeroOfExtremum(IndexExpr x) {
  for (const IndexTerm &term : x->terms) {
    if (term.atoms.size() != 1 || (term.factor != 1 && term.factor != -1))
      continue;
    const IndexAtom *atom = term.atoms[0];
    if (atom->kind != Kind::Min && atom->kind != Kind::Max)
      continue;
    // min(a, c) = v
    IndexExpr rest = subtract(x, unique({term}));
    IndexExpr v = term.factor == 1 ? scale(rest, -1) : rest;
    int64_t sign = atom->kind == Kind::Min ? 1 : -1;
    for (unsigned i : {0, 1}) {
      IndexExpr a = atom->operands[i], c = atom->operands[1 - i];
      if (v == a)
        return isAtLeastZero(scale(subtract(c, a), sign));
      IndexExpr beyond = scale(subtract(c, v), sign);
      if (beyond && isNonNegative(subtract(beyond, constant(1))))
        return equal(a, v);
    }
  }
  return nullptr;
}

IndexExpr IndexExpressions::equalsZero(IndexExpr x) {
  if (!x)
    return nullptr;
  if (std::optional<int64_t> number = x->constant())
    return constant(*number == 0);
  SmallVector<IndexTerm, 2> terms(x->terms);
  int64_t rest, divisor;
  normalize(terms, /*keepSign=*/false, rest, divisor);
  if (rest % divisor != 0)
    return constant(0);
  terms.push_back({rest / divisor, {}});
  x = unique(std::move(terms));
  if (!x)
    return nullptr;
  IndexExpr one = constant(1);
  if (isNonNegative(subtract(x, one)) || isNonNegative(subtract(scale(x, -1), one)))
    return constant(0);
  if (isCondition(x))
    return negation(x);
  if (IndexExpr opposite = add(x, one); opposite && isCondition(opposite))
    return opposite;
  if (IndexExpr simpler = equalsZeroOfExtremum(x))
    return simpler;
  return atom(Kind::Equal, {x}, {0, 1});
}

IndexExpr IndexExpressions::isAtLeastZero(IndexExpr x) {
  if (!x)
    return nullptr;
  if (isNonNegative(x))
    return constant(1);
  if (isNonNegative(subtract(scale(x, -1), constant(1))))
    return constant(0);
  SmallVector<IndexTerm, 2> terms(x->terms);
  int64_t rest, divisor;
  normalize(terms, /*keepSign=*/true, rest, divisor);
  terms.push_back({llvm::divideFloorSigned(rest, divisor), {}});
  x = unique(std::move(terms));
  if (!x)
    return nullptr;
  if (range(x).high <= 0)
    return equalsZero(x);
  return atom(Kind::NonNegative, {x}, {0, 1});
}

IndexExpr IndexExpressions::equal(IndexExpr x, IndexExpr y) { return equalsZero(subtract(x, y)); }

IndexExpr IndexExpressions::lessOrEqual(IndexExpr x, IndexExpr y) {
  return isAtLeastZero(subtract(y, x));
}

IndexExpr IndexExpressions::connective(IndexExpr x, IndexExpr y, bool isOr) {
  Kind kind = isOr ? Kind::Max : Kind::Min;
  SmallVector<IndexExpr> parts, kept;
  for (IndexExpr side : {x, y}) {
    SmallVector<IndexExpr> open{side};
    while (!open.empty()) {
      IndexExpr next = open.pop_back_val();
      if (const IndexAtom *atom = next->atom(); atom && atom->kind == kind)
        open.append(atom->operands.rbegin(), atom->operands.rend());
      else if (!llvm::is_contained(parts, next))
        parts.push_back(next);
    }
  }
  // Of two where one implies the other, one is enough.
  for (size_t i = 0; i < parts.size(); ++i) {
    bool isNeeded = true;
    for (size_t j = 0; j < parts.size() && isNeeded; ++j) {
      if (i == j || (j < i && !llvm::is_contained(kept, parts[j])))
        continue;
      isNeeded = isOr ? !implies(parts[i], parts[j]) : !implies(parts[j], parts[i]);
    }
    if (isNeeded)
      kept.push_back(parts[i]);
  }
  if (kept.empty())
    kept.push_back(parts.back());
  IndexExpr result = kept.front();
  for (IndexExpr part : llvm::drop_begin(kept))
    if (result)
      result = atom(kind, {result, part}, {0, 1});
  return result;
}

IndexExpr IndexExpressions::extremum(IndexExpr x, IndexExpr y, bool isMax) {
  if (!x || !y)
    return nullptr;
  if (x == y)
    return x;
  // What is below the other side, whatever the sign of `isMax`.
  auto isBeyond = [&](IndexExpr a, IndexExpr c) {
    IndexExpr difference = isMax ? subtract(a, c) : subtract(c, a);
    return difference && isNonNegative(difference);
  };
  if (isBeyond(x, y))
    return x;
  if (isBeyond(y, x))
    return y;
  if (isCondition(x) && isCondition(y))
    return connective(x, y, isMax);
  Kind kind = isMax ? Kind::Max : Kind::Min;
  for (auto [one, other] : {std::pair(x, y), std::pair(y, x)}) {
    const IndexAtom *atom = one->atom();
    if (!atom || atom->kind != kind)
      continue;
    for (unsigned i : {0, 1})
      if (isBeyond(other, atom->operands[i]))
        return extremum(other, atom->operands[1 - i], isMax);
  }
  IndexRange a = range(x), c = range(y);
  IndexRange result = isMax ? IndexRange{std::max(a.low, c.low), std::max(a.high, c.high)}
                            : IndexRange{std::min(a.low, c.low), std::min(a.high, c.high)};
  // Constants last.
  if (x->constant() || (!y->constant() && y->number < x->number))
    std::swap(x, y);
  return atom(kind, {x, y}, result);
}

IndexExpr IndexExpressions::min(IndexExpr x, IndexExpr y) { return extremum(x, y, false); }
IndexExpr IndexExpressions::max(IndexExpr x, IndexExpr y) { return extremum(x, y, true); }

IndexExpr IndexExpressions::select(IndexExpr condition, IndexExpr x, IndexExpr y) {
  if (!condition || !x || !y)
    return nullptr;
  if (std::optional<int64_t> known = condition->constant())
    return *known ? x : y;
  if (x == y)
    return x;
  if (x->constant() == 1 && y->constant() == 0)
    return condition;
  if (x->constant() == 0 && y->constant() == 1)
    return negation(condition);
  const IndexAtom *atom = condition->atom();
  if (!atom) {
    IndexExpr opposite = negation(condition);
    if (opposite && opposite->atom())
      return select(opposite, y, x);
  } else {
    // Where the choice makes no difference.
    IndexExpr first = under(condition, x), second = under(condition, y);
    if (first && first == second)
      return y;
    if (atom->kind == Kind::NonNegative && subtract(x, y) == atom->operands[0])
      return max(x, y);
    if (atom->kind == Kind::NonNegative && subtract(y, x) == atom->operands[0])
      return min(x, y);
  }
  IndexRange a = range(x), c = range(y);
  return this->atom(Kind::Select, {condition, x, y},
                    {std::min(a.low, c.low), std::max(a.high, c.high)});
}
