//===- IndexAssumptions.cpp - What is known of index expressions ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/IndexExpressions.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace weft;
using Kind = IndexAtom::Kind;

/// How many bounds in a row a proof may use.
static constexpr unsigned kMaxProof = 3;

//===----------------------------------------------------------------------===//
// Proofs
//===----------------------------------------------------------------------===//

SmallVector<IndexExpr, 2> IndexExpressions::bounds(const IndexAtom *atom, bool above) {
  SmallVector<IndexExpr, 2> result;
  if (atom->kind == (above ? Kind::Min : Kind::Max))
    result.append(atom->operands.begin(), atom->operands.end());
  if (above && atom->upper)
    result.push_back(atom->upper);
  if (above && atom->kind == Kind::Mod)
    result.push_back(subtract(atom->operands[1], constant(1)));
  if (above && atom->kind == Kind::FloorDiv && range(atom->operands[0]).low >= 0)
    result.push_back(atom->operands[0]);
  return result;
}

bool IndexExpressions::proveNonNegative(IndexExpr x, unsigned depth) {
  if (!x)
    return false;
  if (range(x).low >= 0)
    return true;
  for (IndexExpr known : nonNegatives)
    if (IndexExpr rest = subtract(x, known); rest && range(rest).low >= 0)
      return true;
  if (depth == 0)
    return false;
  for (const IndexTerm &term : x->terms)
    for (const IndexAtom *atom : term.atoms) {
      // The other factors keep the order.
      IndexTerm others{term.factor, {}};
      bool ordered = true, skipped = false;
      for (const IndexAtom *other : term.atoms) {
        if (other == atom && !skipped) {
          skipped = true;
          continue;
        }
        ordered &= rangeOf(other).low >= 0;
        others.atoms.push_back(other);
      }
      if (!ordered)
        continue;
      for (IndexExpr bound : bounds(atom, /*above=*/term.factor < 0)) {
        IndexExpr change = multiply(unique({others}), subtract(bound, single(atom)));
        if (proveNonNegative(add(x, change), depth - 1))
          return true;
      }
    }
  return false;
}

bool IndexExpressions::isNonNegative(IndexExpr x) { return proveNonNegative(x, kMaxProof); }

static bool occurs(const IndexAtom *atom, IndexExpr x) {
  return llvm::any_of(x->terms, [&](const IndexTerm &term) {
    return llvm::any_of(term.atoms, [&](const IndexAtom *other) {
      return other == atom || llvm::any_of(other->operands, [&](IndexExpr operand) {
               return occurs(atom, operand);
             });
    });
  });
}

std::optional<std::pair<const IndexAtom *, IndexExpr>> IndexExpressions::solve(IndexExpr x) {
  const IndexTerm *best = nullptr;
  auto isSymbol = [](const IndexAtom *atom) {
    return atom->kind == Kind::Value || atom->kind == Kind::Extent;
  };
  for (const IndexTerm &term : x->terms) {
    if (term.atoms.size() != 1 || (term.factor != 1 && term.factor != -1))
      continue;
    const IndexAtom *atom = term.atoms[0];
    bool isElsewhere = llvm::any_of(x->terms, [&](const IndexTerm &other) {
      IndexSum alone;
      alone.terms.push_back(other);
      return &other != &term && occurs(atom, &alone);
    });
    if (isElsewhere)
      continue;
    // The latest symbol, so that earlier ones stand for it.
    if (!best || (isSymbol(atom) && !isSymbol(best->atoms[0])) ||
        (isSymbol(atom) == isSymbol(best->atoms[0]) && atom->number > best->atoms[0]->number))
      best = &term;
  }
  if (!best)
    return std::nullopt;
  IndexExpr rest = subtract(x, unique({*best}));
  IndexExpr solution = best->factor == 1 ? scale(rest, -1) : rest;
  if (!solution)
    return std::nullopt;
  return std::make_pair(best->atoms[0], solution);
}

IndexExpr IndexExpressions::under(IndexExpr condition, IndexExpr x) {
  const IndexAtom *atom = condition->atom();
  if (!atom || !x)
    return nullptr;
  Memo memo;
  if (atom->kind == Kind::Equal) {
    auto solution = solve(atom->operands[0]);
    if (!solution)
      return nullptr;
    Substitution known;
    known.insert(*solution);
    return rebuild(x, known, memo);
  }
  if (atom->kind != Kind::NonNegative)
    return nullptr;
  nonNegatives.push_back(atom->operands[0]);
  IndexExpr result = rebuild(x, Substitution(), memo);
  nonNegatives.pop_back();
  return result;
}

bool IndexExpressions::implies(IndexExpr x, IndexExpr y) {
  if (x == y)
    return true;
  IndexExpr result = under(x, y);
  return result && result->constant() == 1;
}

//===----------------------------------------------------------------------===//
// Assumptions
//===----------------------------------------------------------------------===//

IndexExpr IndexExpressions::rebuild(const IndexAtom *atom, const Substitution &known, Memo &memo) {
  if (auto it = known.find(atom); it != known.end())
    return it->second;
  if (atom->operands.empty())
    return single(atom);
  SmallVector<IndexExpr, 3> operands;
  for (IndexExpr operand : atom->operands) {
    operands.push_back(rebuild(operand, known, memo));
    if (!operands.back())
      return nullptr;
  }
  switch (atom->kind) {
  case Kind::FloorDiv:
    return floorDiv(operands[0], operands[1]);
  case Kind::Mod:
    return mod(operands[0], operands[1]);
  case Kind::Min:
    return min(operands[0], operands[1]);
  case Kind::Max:
    return max(operands[0], operands[1]);
  case Kind::Select:
    return select(operands[0], operands[1], operands[2]);
  case Kind::Equal:
    return equalsZero(operands[0]);
  case Kind::NonNegative:
    return isAtLeastZero(operands[0]);
  case Kind::Value:
  case Kind::Extent:
    break;
  }
  llvm_unreachable("has no operands");
}

IndexExpr IndexExpressions::rebuild(IndexExpr x, const Substitution &known, Memo &memo) {
  if (auto it = memo.find(x); it != memo.end())
    return it->second;
  IndexExpr result = constant(0);
  for (const IndexTerm &term : x->terms) {
    IndexExpr factor = constant(term.factor);
    for (const IndexAtom *atom : term.atoms)
      factor = multiply(factor, rebuild(atom, known, memo));
    result = add(result, factor);
  }
  memo[x] = result;
  return result;
}

void IndexExpressions::replace(const IndexAtom *atom, IndexExpr by) {
  for (auto &entry : replaced) {
    Memo memo;
    Substitution known;
    known[atom] = by;
    if (IndexExpr rebuilt = rebuild(entry.second, known, memo))
      entry.second = rebuilt;
  }
  replaced[atom] = by;
  ++assumptions;
  simplified.clear();
}

void IndexExpressions::assume(IndexExpr condition) {
  condition = condition ? simplify(condition) : nullptr;
  const IndexAtom *atom = condition ? condition->atom() : nullptr;
  if (!atom)
    return;
  if (atom->kind == Kind::Min && isCondition(atom->operands[0]) && isCondition(atom->operands[1])) {
    assume(atom->operands[0]);
    assume(atom->operands[1]);
    return;
  }
  if (atom->kind == Kind::Equal) {
    auto solution = solve(atom->operands[0]);
    if (solution)
      replace(solution->first, solution->second);
  } else if (atom->kind == Kind::NonNegative) {
    IndexExpr x = atom->operands[0];
    // a + c >= 0 or c - a >= 0 bounds a symbol.
    const IndexTerm &last = x->terms.back();
    int64_t rest = x->terms.size() == 2 && x->terms[0].atoms.empty() ? x->terms[0].factor : 0;
    bool isBound = x->terms.size() == 1 || (x->terms.size() == 2 && x->terms[0].atoms.empty());
    if (isBound && last.atoms.size() == 1 && (last.factor == 1 || last.factor == -1)) {
      IndexRange known = rangeOf(last.atoms[0]);
      if (last.factor == -1)
        known.high = std::min(known.high, rest);
      else
        known.low = std::max(known.low, -rest);
      narrowed[last.atoms[0]] = known;
    } else {
      nonNegatives.push_back(x);
    }
    ++assumptions;
    simplified.clear();
  }
}

IndexExpr IndexExpressions::simplify(IndexExpr x) {
  if (!x || assumptions == 0)
    return x;
  IndexExpr result = rebuild(x, replaced, simplified);
  return result ? result : x;
}
