//===- IndexExpressions.h - Symbolic index arithmetic -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Extents as expressions of symbols in a normal form, so that what is certainly
// equal is one object. An expression is a sum of products of atoms; an atom is a
// value that nothing more is known of, or a division, minimum, comparison, ... of
// expressions. Conditions are expressions too, 0 or 1.
//
// As affine maps do, all this takes index arithmetic not to overflow. What is
// computed from the contents of tensors may be any number: it is compared for
// equality of its computation only, and nothing is derived from its order.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_MODEL_INDEXEXPRESSIONS_H
#define WEFT_TRANSFORMS_MODEL_INDEXEXPRESSIONS_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <deque>
#include <map>
#include <vector>

namespace weft {

/// All integers from `low` to `high`; the least and the largest i64 mean no bound.
struct IndexRange {
  int64_t low = INT64_MIN, high = INT64_MAX;
};

struct IndexSum;
/// Null where an expression would be too large or overflow.
using IndexExpr = const IndexSum *;

/// What it counts to ask a tensor for an extent: arithmetic is preferred.
inline constexpr unsigned kCostOfExtent = 100;

struct IndexAtom {
  enum class Kind { Value, Extent, FloorDiv, Mod, Min, Max, Select, Equal, NonNegative };
  Kind kind;
  unsigned number;       ///< in order of creation
  mlir::Value value;     ///< of a Value; the tensor of an Extent
  int64_t dimension = 0; ///< of an Extent
  llvm::SmallVector<IndexExpr, 3> operands;
  IndexRange range;
  IndexExpr upper = nullptr; ///< of a Value: it is at most this, if not null
  unsigned cost = 0;         ///< operations that compute it
  unsigned depth = 0;        ///< atoms within atoms
  bool isData = false;       ///< may be any number
};

struct IndexTerm {
  int64_t factor;
  llvm::SmallVector<const IndexAtom *, 2> atoms; ///< by number; none for a constant
};

struct IndexSum {
  llvm::SmallVector<IndexTerm, 2> terms; ///< constant first, none has factor 0
  unsigned number = 0;                   ///< in order of creation
  unsigned cost = 0, depth = 0;
  bool isData = false;

  std::optional<int64_t> constant() const;
  /// The atom if this is one and nothing else.
  const IndexAtom *atom() const;
};

class IndexExpressions {
public:
  IndexExpr constant(int64_t value);
  /// A value of which `range` and `upper`, if any, are known.
  IndexExpr value(mlir::Value value, IndexRange range, IndexExpr upper = nullptr,
                  bool isData = false);
  IndexExpr extent(mlir::Value tensor, int64_t dimension);

  IndexExpr add(IndexExpr x, IndexExpr y);
  IndexExpr subtract(IndexExpr x, IndexExpr y);
  IndexExpr multiply(IndexExpr x, IndexExpr y);
  /// Division towards minus infinity and its remainder; `y` is positive.
  IndexExpr floorDiv(IndexExpr x, IndexExpr y);
  IndexExpr mod(IndexExpr x, IndexExpr y);
  /// x divided by y, or by z if y is max(z, 1), if that leaves no rest; else null.
  IndexExpr cancel(IndexExpr x, IndexExpr y);
  /// Of conditions: both, either.
  IndexExpr min(IndexExpr x, IndexExpr y);
  IndexExpr max(IndexExpr x, IndexExpr y);
  IndexExpr equal(IndexExpr x, IndexExpr y);
  /// Whether x <= y.
  IndexExpr lessOrEqual(IndexExpr x, IndexExpr y);
  IndexExpr negation(IndexExpr condition);
  IndexExpr select(IndexExpr condition, IndexExpr x, IndexExpr y);

  IndexRange range(IndexExpr x) const;
  bool isCondition(IndexExpr x) const;
  /// Whether `x` is certainly at least 0.
  bool isNonNegative(IndexExpr x);

  /// Takes a condition to hold from now on. Expressions made before stay as they
  /// are until `simplify`.
  void assume(IndexExpr condition);
  /// Takes an atom to be `by`, whose values are there wherever the atom is.
  void replace(const IndexAtom *atom, IndexExpr by);
  /// Counts what was assumed.
  unsigned generation() const { return assumptions; }
  /// The expression in the light of all that is assumed.
  IndexExpr simplify(IndexExpr x);

private:
  using Substitution = llvm::DenseMap<const IndexAtom *, IndexExpr>;
  using Memo = llvm::DenseMap<IndexExpr, IndexExpr>;

  IndexExpr unique(llvm::SmallVector<IndexTerm, 2> terms);
  IndexExpr single(const IndexAtom *atom);
  IndexExpr atom(IndexAtom::Kind kind, llvm::ArrayRef<IndexExpr> operands, IndexRange range,
                 mlir::Value value = {}, int64_t dimension = 0);
  IndexExpr scale(IndexExpr x, int64_t factor);
  /// x divided by the one term `by`, if that leaves no rest.
  IndexExpr divideExactly(IndexExpr x, const IndexTerm &by);
  IndexExpr equalsZero(IndexExpr x);
  IndexExpr equalsZeroOfExtremum(IndexExpr x);
  IndexExpr isAtLeastZero(IndexExpr x);
  IndexExpr extremum(IndexExpr x, IndexExpr y, bool isMax);
  IndexExpr connective(IndexExpr x, IndexExpr y, bool isOr);
  bool proveNonNegative(IndexExpr x, unsigned depth);
  /// What bounds an atom from above or below, as expressions.
  llvm::SmallVector<IndexExpr, 2> bounds(const IndexAtom *atom, bool above);
  /// Whether `x` implies `y`.
  bool implies(IndexExpr x, IndexExpr y);
  /// `x` where `condition` holds; null if nothing is known then.
  IndexExpr under(IndexExpr condition, IndexExpr x);
  /// An atom that x = 0 determines, and what it is.
  std::optional<std::pair<const IndexAtom *, IndexExpr>> solve(IndexExpr x);
  IndexExpr rebuild(IndexExpr x, const Substitution &known, Memo &memo);
  IndexExpr rebuild(const IndexAtom *atom, const Substitution &known, Memo &memo);
  IndexRange rangeOf(const IndexAtom *atom) const;

  std::deque<IndexAtom> atoms;
  std::deque<IndexSum> sums;
  std::map<std::vector<int64_t>, const IndexAtom *> atomsByKey;
  std::map<std::vector<int64_t>, IndexExpr> sumsByKey;

  unsigned assumptions = 0;
  Substitution replaced;
  llvm::DenseMap<const IndexAtom *, IndexRange> narrowed;
  llvm::SmallVector<IndexExpr> nonNegatives;
  Memo simplified;
};

} // namespace weft

#endif // WEFT_TRANSFORMS_MODEL_INDEXEXPRESSIONS_H
