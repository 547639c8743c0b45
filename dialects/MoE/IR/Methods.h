//===- Methods.h - Published routing as configurations ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Functions that build the operations of named methods. Logits are [T, E] of any float
// type, T being any number of tokens.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_IR_METHODS_H
#define WEFT_DIALECTS_MOE_IR_METHODS_H

#include "dialects/MoE/IR/MoE.h"

namespace weft::moe {

/// The softmax of the logits, of which the K largest weigh: OLMoE (arXiv 2409.02060),
/// Qwen2-MoE; `normalize`: divided by their sum, Qwen3-MoE.
RouteOp buildSoftmaxTopK(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits, int64_t k,
                         bool normalize = false);

/// The K largest logits, weighed by their softmax: Mixtral (arXiv 2401.04088, section 2.1),
/// gpt-oss, and noisy top-k (arXiv 1701.06538) without its noise.
RouteOp buildTopKSoftmax(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits, int64_t k);

/// The largest logit, weighed by its sigmoid: Llama 4 (with `weightBefore` of the layer), BASE at
/// inference (arXiv 2103.16716).
RouteOp buildTop1Sigmoid(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits);

/// DeepSeek-V2 (arXiv 2405.04434): a softmax; K of the experts of the `keep` groups, of
/// `groups`, that have the largest scores.
RouteOp buildDeepSeekV2(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits, int64_t k,
                        int64_t groups, int64_t keep, double scale = 1);

/// DeepSeek-V3 (arXiv 2412.19437, section 2.1.2): sigmoids; K by the largest sums of
/// score and bias [E], of the `keep` groups by their two best; scores are divided by
/// their sum. With one group: MiniMax-M2, Kimi K2, GLM-4.5.
RouteOp buildDeepSeekV3(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits,
                        mlir::Value bias, int64_t k, int64_t groups = 1, int64_t keep = 1,
                        double scale = 1);

/// DeepSeek-V4: as V3 without groups, of the square roots of softplus.
RouteOp buildDeepSeekV4(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits,
                        mlir::Value bias, int64_t k, double scale = 1.5);

/// Hash layers (arXiv 2106.04426): the experts that `table` [V, K] has for the token's number,
/// `tokens` [T], weighed by their softmax of the logits.
RouteOp buildHash(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits, mlir::Value table,
                  mlir::Value tokens);

/// As many experts as it takes for a probability of `threshold`, at most K (arXiv 2403.07652).
RouteOp buildTopP(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits, int64_t k,
                  double threshold);

/// Each expert takes the `capacity` tokens that suit it best (arXiv 2202.09368). E slots.
RouteOp buildExpertChoice(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits,
                          mlir::Value capacity);

/// K by the matrix that alternate scaling balances, weighed by sigmoids, as Megatron has it.
RouteOp buildSinkhorn(mlir::OpBuilder &b, mlir::Location loc, mlir::Value logits, int64_t k,
                      int64_t iterations);

/// Switch (arXiv 2101.03961) and GShard (arXiv 2006.16668): at most `capacity` slots of each of
/// `experts`, first come first served, the first choices of all tokens before the second ones.
PlanOp buildCapacity(mlir::OpBuilder &b, mlir::Location loc, mlir::Value ids, int64_t experts,
                     mlir::Value capacity);

/// V-MoE (arXiv 2106.05974): the same for the slots of the largest weights.
PlanOp buildBatchPrioritized(mlir::OpBuilder &b, mlir::Location loc, mlir::Value ids,
                             mlir::Value weights, int64_t experts, mlir::Value capacity);

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_IR_METHODS_H
