//===- DispatchMask.cpp - Masks of tokens, experts and places -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/Transforms/DispatchMask.h"
#include "dialects/MoE/Transforms/Choices.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether numbers are positions of elements that a sort or an argmax found.
static bool arePositions(ElementResolver &resolver, AffineExpr token, Value numbers) {
  if (auto sort = numbers.getDefiningOp<SortOp>())
    return numbers == sort.getIndices() && sort.getDimension() == 1;
  return ChoiceMatcher{resolver, token, {}, 0}.argMaxOf(numbers) != nullptr;
}

static bool dependsOn(const ElementAccess &access, AffineExpr dim) {
  auto name = dyn_cast<AffineDimExpr>(dim);
  return name && llvm::any_of(access.at, [&](AffineExpr expr) {
           return expr.isFunctionOfDim(name.getPosition());
         });
}

/// The factors of a product; factors 1 are none.
void DispatchMatcher::collectFactors(const TermSource &source, bool isExact,
                                     std::vector<Term> &factors) {
  Term term = lookAt(resolver, source, isExact);
  if (term.kind == Term::Mul) {
    for (const TermSource &operand : term.operands)
      collectFactors(operand, isExact, factors);
  } else if (term.kind != Term::Constant || term.number != 1) {
    factors.push_back(term);
  }
}

/// The element that a term is, if it is one of a tensor.
static std::optional<ElementAccess> elementOf(const Term &term) {
  if (term.self.scalar && term.self.scalar != yielded(term.self.op))
    return std::nullopt;
  return term.self.access;
}

/// The numbers of experts, if `term` is 1 where they are `expert` and else 0.
ExpertNumbers DispatchMatcher::oneHotOf(const Term &term, AffineExpr token, AffineExpr expert) {
  if (term.kind != Term::Equal)
    return {};
  for (unsigned i : {0u, 1u}) {
    Term index = lookAt(resolver, term.operands[i], /*isExact=*/true),
         number = lookAt(resolver, term.operands[1 - i], /*isExact=*/true);
    std::optional<ElementAccess> source = elementOf(number);
    if (index.kind != Term::Index || index.index != expert || number.kind != Term::Leaf ||
        !source || !arePositions(resolver, token, source->tensor))
      continue;
    if (source->isAt(token))
      return {source->tensor};
    auto column = source->at.size() == 2 ? dyn_cast<AffineConstantExpr>(source->at[1])
                                         : AffineConstantExpr(nullptr);
    if (column && source->at[0] == token)
      return {source->tensor, column.getValue()};
  }
  return {};
}

std::optional<double> DispatchMatcher::matchPosition(const TermSource &source, AffineExpr at,
                                                     ExpertNumbers ids,
                                                     SmallVector<ExpertNumbers> &earlier) {
  std::vector<std::pair<TermSource, double>> work{{source, 1}};
  double offset = 0;
  int scans = 0;
  while (!work.empty()) {
    auto [next, sign] = work.back();
    work.pop_back();
    std::vector<Term> factors;
    collectFactors(next, /*isExact=*/true, factors);
    // Where the token is not the expert's, nothing is asked.
    llvm::erase_if(factors, [&](const Term &factor) { return oneHotOf(factor, token, at) == ids; });
    if (factors.empty()) {
      offset += sign;
      continue;
    }
    if (factors.size() > 1)
      return std::nullopt;
    const Term &term = factors[0];
    if (term.kind == Term::Constant) {
      offset += sign * term.number;
    } else if (term.kind == Term::Add || term.kind == Term::Sub) {
      work.push_back({term.operands[0], sign});
      work.push_back({term.operands[1], term.kind == Term::Add ? sign : -sign});
    } else if (term.kind == Term::Scan && sign == 1) {
      Term mask = lookAt(resolver, term.operands[0], /*isExact=*/true);
      Type type = typeOf(term.operands[0].access.tensor).getElementType();
      if (term.index != token || type.getIntOrFloatBitWidth() < 32 ||
          oneHotOf(mask, token, at) != ids)
        return std::nullopt;
      // The token itself is counted, or not.
      offset += 1 - term.number;
      ++scans;
    } else if (term.kind == Term::Sum && sign == 1 && term.operands.size() == 1) {
      Term mask = lookAt(resolver, term.operands[0], /*isExact=*/true);
      ExpertNumbers other = oneHotOf(mask, term.index, at);
      if (!other || other == ids || llvm::is_contained(earlier, other))
        return std::nullopt;
      earlier.push_back(other);
    } else {
      return std::nullopt;
    }
  }
  return scans == 1 ? std::optional(offset) : std::nullopt;
}

/// The limit of the places of tokens that a comparison keeps.
std::optional<double> DispatchMatcher::limitOf(const Term &less, AffineExpr at,
                                               DispatchSlot &slot) {
  if (less.kind != Term::Less)
    return std::nullopt;
  SmallVector<ExpertNumbers> earlier;
  std::optional<double> offset = matchPosition(less.operands[0], at, slot.ids, earlier);
  Term bound = lookAt(resolver, less.operands[1], /*isExact=*/true);
  if (!offset || bound.kind != Term::Constant || earlier != slot.earlier)
    return std::nullopt;
  return std::max(0.0, std::ceil(bound.number + less.number - *offset));
}

/// What a token's place is: the sum over experts of the mask times the position.
LogicalResult DispatchMatcher::matchPlace(DispatchSlot &slot) {
  Term sum = lookAt(resolver, {slot.place}, /*isExact=*/true);
  if (sum.kind != Term::Sum)
    return failure();
  std::vector<Term> factors, limits, rest;
  for (const TermSource &operand : sum.operands)
    collectFactors(operand, /*isExact=*/true, factors);
  bool isMasked = false;
  for (const Term &factor : factors) {
    if (oneHotOf(factor, token, sum.index) == slot.ids)
      isMasked = true;
    else
      (factor.kind == Term::Less ? limits : rest).push_back(factor);
  }
  if (!isMasked || rest.size() != 1)
    return failure();
  std::optional<double> offset = matchPosition(rest[0].self, sum.index, slot.ids, slot.earlier);
  if (!offset || *offset != 0)
    return failure();
  for (const Term &limit : limits) {
    std::optional<double> found = limitOf(limit, sum.index, slot);
    if (!found || (slot.placeLimit && *slot.placeLimit != *found))
      return failure();
    slot.placeLimit = found;
  }
  return success();
}

std::optional<DispatchSlot> DispatchMatcher::matchProduct(const TermSource &element) {
  std::vector<Term> factors, limits;
  collectFactors(element, /*isExact=*/false, factors);
  DispatchSlot slot;
  bool hasPlace = false;
  for (const Term &factor : factors) {
    if (factor.kind == Term::Less) {
      limits.push_back(factor);
      continue;
    }
    if (ExpertNumbers ids = oneHotOf(factor, token, expert)) {
      if (slot.ids && slot.ids != ids)
        return std::nullopt;
      slot.ids = ids;
      continue;
    }
    if (factor.kind == Term::Equal) {
      for (unsigned i : {0u, 1u}) {
        Term index = lookAt(resolver, factor.operands[i], /*isExact=*/true);
        Term number = lookAt(resolver, factor.operands[1 - i], /*isExact=*/true);
        std::optional<ElementAccess> own = elementOf(number);
        if (hasPlace || index.kind != Term::Index || index.index != place || !own ||
            dependsOn(*own, place) || dependsOn(*own, expert))
          continue;
        slot.place = *own;
        hasPlace = true;
        break;
      }
      if (!hasPlace)
        return std::nullopt;
      continue;
    }
    std::optional<ElementAccess> weight = elementOf(factor);
    if (!weight || dependsOn(*weight, place))
      return std::nullopt;
    slot.weights.push_back(*weight);
  }
  if (!slot.ids || !hasPlace || failed(matchPlace(slot)))
    return std::nullopt;
  for (const Term &limit : limits) {
    std::optional<double> found = limitOf(limit, expert, slot);
    if (!found)
      return std::nullopt;
    slot.limit = std::min(slot.limit.value_or(*found), *found);
  }
  // What has the place 0 because it is beyond the limit must be left out.
  if (slot.placeLimit && (!slot.limit || *slot.limit > *slot.placeLimit))
    return std::nullopt;
  return slot;
}

std::optional<std::vector<DispatchSlot>> DispatchMatcher::match(const TermSource &element) {
  std::vector<DispatchSlot> slots;
  std::vector<TermSource> work{element};
  while (!work.empty()) {
    TermSource next = work.back();
    work.pop_back();
    Term term = lookAt(resolver, next);
    if (term.kind == Term::Add) {
      work.push_back(term.operands[1]);
      work.push_back(term.operands[0]);
      continue;
    }
    std::optional<DispatchSlot> slot = matchProduct(next);
    if (!slot)
      return std::nullopt;
    slots.push_back(*slot);
  }
  // All first choices come before all second ones.
  llvm::stable_sort(slots, [](const DispatchSlot &x, const DispatchSlot &y) {
    return x.earlier.size() < y.earlier.size();
  });
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].earlier.size() != i || slots[i].limit != slots[0].limit)
      return std::nullopt;
    for (size_t j = 0; j < i; ++j)
      if (!llvm::is_contained(slots[i].earlier, slots[j].ids))
        return std::nullopt;
  }
  return slots;
}
