//===- Passes.td - The passes of the attention dialect -----*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def RaiseAttention : Pass<"weft-raise-attention", "::mlir::ModuleOp"> {
  let summary = "Makes attn.attend of products around a softmax";
  let description = [{
    Starts at a `linalg.softmax` over the last dimension of scores that a
    `weft.contract` computed, and whose result only another one reads: the two products of
    an attention, with f32 or f64 scores of 2 to 4 dimensions. What lies between
    the first product and the softmax are elementwise operations, of which

    - factors and divisors that are one constant become `scale`,
    - one sum with a tensor that broadcasts to the scores becomes `bias`,
    - anything else (other biases, selections by a mask, functions of the positions) becomes
      the score region, in its order.

    Scores and weights of f16 and bf16 are computed in f32 and not rounded in between.

    Transposed keys stay transposed: the layout says so. Keys and values that were repeated for
    groups of heads are taken from before the repetition. A row without a
    visible key gave NaN in the source and still does (`empty_rows = nan`), unless
    the source replaced NaN by 0 after the softmax (`mask_nan`).

    Runs after scales were folded into weights, so that a scale before the product
    stays where it is.
  }];
  let statistics = [Statistic<"numRaised", "raised", "Number of attentions that were raised">];
  let dependentDialects = ["::weft::attn::AttnDialect", "::weft::WeftDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect"];
}

def RaiseSoftmax : Pass<"weft-raise-softmax", "::mlir::ModuleOp"> {
  let summary = "Makes linalg.softmax of one that was written out";
  let description = [{
    The quotient of e = exp(x - max x) by the sum of e, both over the last dimension, of
    f32 or f64 and starting from -inf and 0: exactly what `linalg.softmax` computes. Of f16 and bf16, which are
    rounded after each of these steps, it becomes the softmax in f32 of the converted x, rounded once.
    `weft-raise-attention` then finds attentions around it. Sums over other dimensions, other
    functions of x and maxima of something else stay.
  }];
  let statistics = [Statistic<"numRaised", "raised", "Number of softmaxes that were raised">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def DecomposeAttend : Pass<"weft-decompose-attend", "::mlir::ModuleOp"> {
  let summary = "Makes two contractions around a softmax of attn.attend";
  let description = [{
    On the CPU, `attn.attend` without pages and ragged sequences becomes what the fastest kernels
    there are made for: a `weft.contract` of queries and keys, one elementwise
    operation for scale, biases and masks, a softmax and a `weft.contract` with the values. Heads
    that share keys are a dimension of their own in both products, so that keys are never
    repeated; packed keys and values stay packed up to there. All else, and other targets,
    keep `attn.attend`, which its kernel computes without scores in memory;
    its packed operands are read number by number.

    A score region's reads of tensors at the score's own position become operands of the
    elementwise operation.
  }];
  let statistics = [Statistic<"numDecomposed", "decomposed",
                              "Number of attentions that were decomposed">];
  let dependentDialects = ["::weft::WeftDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}
