//===- Methods.cpp - Published routing as configurations ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/Methods.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// DeepSeek's: sums below it count as it.
static constexpr double kEpsilon = 1e-20;

static RouteOp createRoute(OpBuilder &b, Location loc, Value logits, OpFoldResult k, Score score,
                           Selection selection, Normalization normalize = Normalization::None,
                           double scale = 1) {
  ReferenceBuilder m(b, loc);
  SmallVector<OpFoldResult> sizes{m.size(logits, 0), k};
  Type element = typeOf(logits).getElementType();
  Type compute = element.isF64() ? element : Type(b.getF32Type());
  SmallVector<Value> inits{m.empty(sizes, b.getI32Type()), m.empty(sizes, compute)};
  return RouteOp::create(b, loc, logits, inits, score, selection, normalize, scale);
}

static RouteOp createRoute(OpBuilder &b, Location loc, Value logits, int64_t k, Score score,
                           Selection selection, Normalization normalize = Normalization::None,
                           double scale = 1) {
  return createRoute(b, loc, logits, OpFoldResult(b.getIndexAttr(k)), score, selection, normalize,
                     scale);
}

static void setGroups(RouteOp route, int64_t groups, int64_t keep, GroupScore by) {
  if (groups > 1)
    route.setGroupsAttr(GroupsAttr::get(route.getContext(), groups, keep, by, {}));
}

RouteOp moe::buildSoftmaxTopK(OpBuilder &b, Location loc, Value logits, int64_t k, bool normalize) {
  return createRoute(b, loc, logits, k, Score::Softmax, Selection::TopK,
                     normalize ? Normalization::Sum : Normalization::None);
}

RouteOp moe::buildTopKSoftmax(OpBuilder &b, Location loc, Value logits, int64_t k) {
  return createRoute(b, loc, logits, k, Score::Identity, Selection::TopK, Normalization::Softmax);
}

RouteOp moe::buildTop1Sigmoid(OpBuilder &b, Location loc, Value logits) {
  RouteOp route = createRoute(b, loc, logits, 1, Score::Sigmoid, Selection::TopK);
  // Sigmoids of large logits are equal, the logits are not.
  route.setByLogits(true);
  return route;
}

RouteOp moe::buildDeepSeekV2(OpBuilder &b, Location loc, Value logits, int64_t k, int64_t groups,
                             int64_t keep, double scale) {
  RouteOp route =
      createRoute(b, loc, logits, k, Score::Softmax, Selection::TopK, Normalization::None, scale);
  setGroups(route, groups, keep, GroupScore::Max);
  return route;
}

RouteOp moe::buildDeepSeekV3(OpBuilder &b, Location loc, Value logits, Value bias, int64_t k,
                             int64_t groups, int64_t keep, double scale) {
  RouteOp route =
      createRoute(b, loc, logits, k, Score::Sigmoid, Selection::TopK, Normalization::Sum, scale);
  route.setEpsilonAttr(b.getF64FloatAttr(kEpsilon));
  route.getBiasMutable().assign(bias);
  setGroups(route, groups, keep, GroupScore::Top2Sum);
  return route;
}

RouteOp moe::buildDeepSeekV4(OpBuilder &b, Location loc, Value logits, Value bias, int64_t k,
                             double scale) {
  RouteOp route = createRoute(b, loc, logits, k, Score::SqrtSoftplus, Selection::TopK,
                              Normalization::Sum, scale);
  route.setEpsilonAttr(b.getF64FloatAttr(kEpsilon));
  route.getBiasMutable().assign(bias);
  return route;
}

RouteOp moe::buildHash(OpBuilder &b, Location loc, Value logits, Value table, Value tokens) {
  RouteOp route = createRoute(b, loc, logits, tensor::getMixedSize(b, loc, table, 1),
                              Score::Softmax, Selection::Table);
  route.getTableMutable().assign(table);
  route.getTokensMutable().assign(tokens);
  return route;
}

RouteOp moe::buildTopP(OpBuilder &b, Location loc, Value logits, int64_t k, double threshold) {
  RouteOp route = createRoute(b, loc, logits, k, Score::Softmax, Selection::TopP);
  route.setThresholdAttr(b.getF64FloatAttr(threshold));
  return route;
}

RouteOp moe::buildExpertChoice(OpBuilder &b, Location loc, Value logits, Value capacity) {
  RouteOp route = createRoute(b, loc, logits, tensor::getMixedSize(b, loc, logits, 1),
                              Score::Softmax, Selection::ExpertChoice);
  route.getCapacityMutable().assign(capacity);
  return route;
}

RouteOp moe::buildSinkhorn(OpBuilder &b, Location loc, Value logits, int64_t k,
                           int64_t iterations) {
  RouteOp route = createRoute(b, loc, logits, k, Score::Sigmoid, Selection::Sinkhorn);
  route.setIterationsAttr(b.getI64IntegerAttr(iterations));
  return route;
}

static PlanOp createPlan(OpBuilder &b, Location loc, Drop drop, bool slotMajor, Value ids,
                         Value weights, int64_t experts, Value capacity) {
  ReferenceBuilder m(b, loc);
  Type i32 = b.getI32Type();
  OpFoldResult tokens = m.size(ids, 0), slots = m.size(ids, 1);
  Value rows = m.mul(m.value(tokens), m.value(slots));
  SmallVector<Value> inits{m.empty({OpFoldResult(b.getIndexAttr(experts + 1))}, i32),
                           m.empty({getAsOpFoldResult(rows)}, i32), m.empty({tokens, slots}, i32)};
  return PlanOp::create(b, loc, inits[0].getType(), inits[1].getType(), inits[2].getType(), drop,
                        slotMajor, /*align=*/1, /*padded=*/false, ids, weights, /*place=*/Value(),
                        capacity, inits);
}

PlanOp moe::buildCapacity(OpBuilder &b, Location loc, Value ids, int64_t experts, Value capacity) {
  return createPlan(b, loc, Drop::Last, /*slotMajor=*/true, ids, /*weights=*/Value(), experts,
                    capacity);
}

PlanOp moe::buildBatchPrioritized(OpBuilder &b, Location loc, Value ids, Value weights,
                                  int64_t experts, Value capacity) {
  return createPlan(b, loc, Drop::Least, /*slotMajor=*/false, ids, weights, experts, capacity);
}
