//===- Passes.td - The passes of the moe dialect -----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def RaiseExperts : Pass<"moe-raise-experts"> {
  let summary = "Makes experts that are written one by one a `moe.expert_ffn`";
  let description = [{
    Exporters unroll the loop over experts: for each, `weft.nonzero` finds where its
    number is among those that were chosen, the tokens' rows are gathered, go
    through the expert's contractions and elementwise operations, are weighted, and
    added to the result by a `weft.scatter`. A chain of such scatters, one for each
    number from 0, whose experts differ in their weights only, becomes one
    `moe.expert_ffn` with the weights stacked; what was there before the first one is
    what it adds to.

    Where elements come from is traced through slices, transpositions, reshapes of
    unit dimensions, insertions, broadcasts and gathers, so that it does not matter
    how the exporter spells a column of `weft.nonzero`. The tests that the importer
    made of the positions found go, since these are positions of the mask; that the
    tensors have its extents is tested once instead, if types and symbols do not say
    so. Sums are taken in the order of a token's choices, no longer of experts.

    The same where each expert is computed for all tokens, its results times the sum of
    the weights of those choices that are its number, and these are added up: each
    token then goes through the experts that it chose only.

    Stays: experts that are missing, that read anything else of their rows, that have
    another structure than their neighbours, or whose positions serve others too.
  }];
  let dependentDialects = ["::weft::moe::MoEDialect"];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of layers that were raised">
  ];
}

def RaiseDenseExperts : Pass<"moe-raise-dense-experts"> {
  let summary = "Makes experts that are computed in one batch a `moe.expert_ffn`";
  let description = [{
    A sum over a dimension of weighted results of contractions with weights [E, ...],
    in which the expert is

    - the dimension itself, all experts being computed for all tokens, and the weights
      a `weft.scatter` of those that `weft.sort` chose into zeros (gpt-oss), or a
      product with a mask that has a one where the expert is the token's (one-hot
      dispatch by einsum, with the tokens of others masked out or not);
    - a number [T, K], by which weights and biases are gathered (`batched_mm` of
      transformers).

    Where a sum has no weights, but what the experts read does (Llama 4), these are
    `weight_before`, if experts without biases give 0 for 0.

    The layer then computes what was chosen. Positions of elements are traced as
    affine expressions through reshapes that merge and split dimensions, slices with
    strides, transpositions, repetitions and gathers; gate and other half may be sums of
    their own, halves of one, or its even and odd columns. Experts that nobody chose had
    the weight 0: where such an expert gives an infinity or NaN, the sum was NaN and is
    finite now.

    Narrow floats: the activation gets the sums and rounds them as the graph does; what is
    weighted and added up is rounded once. Where something reads more of the result than
    rows have, the layer is as wide as that.

    Stays: gates that are not known to choose (soft mixtures), experts that read
    anything else than their token.
  }];
  let dependentDialects = ["::weft::moe::MoEDialect"];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of layers that were raised">
  ];
}

def RaiseDispatch : Pass<"moe-raise-dispatch"> {
  let summary = "Makes experts of a limited capacity a `moe.expert_ffn`";
  let description = [{
    GShard, Switch Transformers, DeepSpeed: a mask [T, E, C] has a one where a token is at
    a place of an expert. A sum over tokens of the mask times their rows gives the rows
    of experts [E, C, H], all of which are computed, and a sum over experts and places
    of the mask times weights gives the tokens their results back. A token's place is the
    number of those before that chose the same expert, as a running sum counts them, plus
    all that have it as an earlier choice; places beyond the capacity are dropped.

    The layer gets the numbers of the experts, their weights and the capacity, which drops
    the same tokens: in order of tokens, all first choices before all second ones
    (`slot_major`). If the only choice is the largest score and this weighs the expert, it
    is a `moe.route`. The weights of a token that was dropped are 0 in the mask, and so
    are those of experts that it did not choose: where these give infinities or NaN, the
    sum was NaN and is finite now.

    Stays: places that are not counted so, limits that are not known.
  }];
  let dependentDialects = ["::weft::moe::MoEDialect"];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of layers that were raised">
  ];
}

def RaiseRouting : Pass<"moe-raise-routing"> {
  let summary = "Makes what chooses the experts of a `moe.expert_ffn` a `moe.route`";
  let description = [{
    A `weft.sort` that keeps the largest scores, be they a softmax, a sigmoid or the
    logits, becomes `moe.route ... top_k`, with what was made of the scores kept:
    nothing, the quotients by their sum, or their softmax, and a constant factor.
    Weights may be the keys that were sorted, their sigmoids, or what was gathered of the
    scores. What else is made of them stays and takes the route's.

    The keys may be scores plus a bias, and filled with a number except in those groups of
    experts that a second sort chose, by the largest key of a group or by the sum of its
    two largest (DeepSeek-V2 and V3). Is the number one that no key is below, these groups
    are left out, else it is their key (`others`).

    Scores are f32 or f64, as `moe.route` computes them, logits any floats. Tests that the
    positions which a sort found are in range go.

    Other choices stay what they are, and the layer takes their numbers and weights.
  }];
  let dependentDialects = ["::weft::moe::MoEDialect"];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of choices that were raised">
  ];
}

def DecomposeDepth : Pass<"moe-decompose-depth"> {
  let summary = "Makes conditional depth gathers, scatters and loops";
  let description = [{
    At the start of stage `fuse`. The region of `moe.depth` computes on the rows that
    `weft.nonzero` finds in the mask and `weft.gather` reads; `weft.scatter` writes
    them over those of the inits. `moe.exit` becomes a `scf.while` that polls for
    cancellation.
  }];
  let dependentDialects = ["::weft::WeftDialect", "::mlir::scf::SCFDialect"];
}

def DecomposeAggregates : Pass<"moe-decompose-aggregates"> {
  let summary = "Makes aggregates what they are made of";
  let description = [{
    At the start of stage `fuse`. `moe.expert_ffn` becomes `moe.plan`, two
    `moe.grouped_matmul`, of which the first has the activation as its epilogue, and
    `moe.combine`. Packed weights stay packed.
  }];
  let dependentDialects = ["::weft::moe::MoEDialect"];
}
