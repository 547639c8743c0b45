//===- MoEOps.td - The moe dialect's operations ------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MOE_OPS_TD
#define MOE_OPS_TD

include "dialects/MoE/IR/MoEBase.td"
include "dialects/Weft/IR/WeftFormats.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class MoE_Op<string mnemonic, list<Trait> traits = []> : Op<MoE_Dialect, mnemonic, traits>;

// Destination-style operations on tensors; results have the shape of `inits`.
class MoE_TensorOp<string mnemonic, list<Trait> traits = []>
    : MoE_Op<mnemonic, !listconcat([
        Pure, DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)> {
  let hasVerifier = 1;
  code dpsDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }];
  let extraClassDeclaration = dpsDeclaration;
}

// What can be tiled.
class MoE_TiledOp<string mnemonic, list<Trait> traits = []>
    : MoE_TensorOp<mnemonic, !listconcat([Weft_LoopTiling], traits)> {
  code tiledDeclaration = !strconcat(dpsDeclaration, tilingDeclaration);
  let extraClassDeclaration = tiledDeclaration;
  let extraClassDefinition = tilingDefinitions;
}

def MoE_YieldOp : MoE_Op<"yield", [Pure, ReturnLike, Terminator]> {
  let summary = "Ends the body of an operation of this dialect";
  let arguments = (ins Variadic<AnyType>:$values);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

def MoE_RouteOp : MoE_TiledOp<"route", [AttrSizedOperandSegments]> {
  let summary = "Chooses experts for tokens";
  let description = [{
    `logits` is [T, E], of any float type; everything is computed in f32, or in f64
    for f64 logits. Gives the numbers of the chosen experts [T, K] (i32, -1 in
    slots that no expert fills) and their weights [T, K] (f32 or f64, 0 there).

    1. c = `score` of the logits of a token: they themselves, `softmax`, `sigmoid`
       or `sqrt_softplus`, the square root of log(1 + exp(x)).
    2. The key, by which experts are chosen, is c, with `by_logits` the logit; plus
       the `bias` [E] of the expert. Keys of groups that `groups` drops do not count.
    3. Chosen are
       - `top_k`: the K experts of the largest keys, in this order. Equal keys go to
         the lowest expert, and NaN is the largest, as `weft.sort` orders. If there
         are fewer experts (or fewer in the groups kept) than slots, the last slots
         stay empty;
       - `top_p`: as many of these as it takes for their c to add up to `threshold`,
         at most K. arXiv 2403.07652;
       - `threshold`: those of these whose key is at least `threshold`;
       - `sinkhorn`: the same as `top_k` by other keys, those of the matrix that
         `iterations` of alternately scaling rows and columns make of exp(key - largest
         key of the token): rows d0 = 1 / (T * (sum_e d1 * x + 1e-8)), columns d1 = 1 /
         (E * (sum_t d0 * x + 1e-8)), from d1 = 1, key d0 * x * d1;
       - `expert_choice`: each expert takes the `capacity` tokens of the largest keys,
         equal ones by the lowest token. K is E; a token's experts come in ascending
         order. arXiv 2202.09368;
       - `table`: row `tokens[t]` of `table` [V, K - shared], i32 or i64; what is no
         expert's number there leaves the slot empty. Rows out of range are an error
         (inside of kernels they are clamped).
    4. The weights are the c of the chosen (never their keys), `normalize`d: divided
       by their `sum`, at least `epsilon`, by `sum_plus`, their sum plus `epsilon`, or
       by `softmax` over them; times `scale`.
    5. With `shared` = n, the last n of the K slots have the experts E to E + n - 1,
       with weight `shared_weight`.

    Loops of tiles: the tokens. `sinkhorn` and `expert_choice` look at all of them and have
    none.

    Methods: README.md of the dialect.

    ```mlir
    func.func @deepseek_v3(%tokens: index {weft.symbol = "T"},
        %logits: tensor<?x16xf32> {weft.name = "logits", weft.dims = ["T", 16]},
        %bias: tensor<16xf32> {weft.name = "bias"})
        -> (tensor<?x4xi32> {weft.name = "ids"}, tensor<?x4xf32> {weft.name = "weights"}) {
      %i = tensor.empty(%tokens) : tensor<?x4xi32>
      %w = tensor.empty(%tokens) : tensor<?x4xf32>
      %ids, %weights = moe.route sigmoid top_k groups = <count = 4, keep = 2, by = top2_sum>
                       normalize = sum epsilon = 1.0e-20 scale = 2.5
                       ins(%logits : tensor<?x16xf32>) bias(%bias : tensor<16xf32>)
                       outs(%i, %w : tensor<?x4xi32>, tensor<?x4xf32>)
                       -> tensor<?x4xi32>, tensor<?x4xf32>
      return %ids, %weights : tensor<?x4xi32>, tensor<?x4xf32>
    }
    ```
  }];
  let arguments = (ins MoE_Score:$score, MoE_Selection:$selection, UnitAttr:$byLogits,
                       OptionalAttr<F64Attr>:$threshold, OptionalAttr<I64Attr>:$iterations,
                       OptionalAttr<MoE_GroupsAttr>:$groups,
                       DefaultValuedAttr<MoE_Normalization, "Normalization::None">:$normalize,
                       DefaultValuedAttr<F64Attr, "0.0">:$epsilon,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$shared,
                       DefaultValuedAttr<F64Attr, "1.0">:$sharedWeight,
                       AnyRankedTensor:$logits, Optional<AnyRankedTensor>:$bias,
                       Optional<AnyRankedTensor>:$table, Optional<AnyRankedTensor>:$tokens,
                       Optional<Index>:$capacity, Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$ids, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    $score $selection (`by_logits` $byLogits^)? (`threshold` `=` $threshold^)?
    (`iterations` `=` $iterations^)? (`groups` `=` $groups^)?
    (`normalize` `=` $normalize^)? (`epsilon` `=` $epsilon^)? (`scale` `=` $scale^)?
    (`shared` `=` $shared^)? (`shared_weight` `=` $sharedWeight^)?
    `ins` `(` $logits `:` type($logits) `)` (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`table` `(` $table^ `,` $tokens `:` type($table) `,` type($tokens) `)`)?
    (`capacity` `(` $capacity^ `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($ids) `,` type($weights)
  }];
  // The other attributes and operands are set afterwards.
  let builders = [OpBuilder<(ins "::mlir::Value":$logits, "::mlir::ValueRange":$inits,
                                 "::weft::moe::Score":$score,
                                 "::weft::moe::Selection":$selection,
                                 CArg<"::weft::moe::Normalization",
                                      "::weft::moe::Normalization::None">:$normalize,
                                 CArg<"double", "1">:$scale), [{
    build($_builder, $_state, inits[0].getType(), inits[1].getType(),
          ScoreAttr::get($_builder.getContext(), score),
          SelectionAttr::get($_builder.getContext(), selection), /*byLogits=*/nullptr,
          /*threshold=*/nullptr, /*iterations=*/nullptr, /*groups=*/nullptr,
          NormalizationAttr::get($_builder.getContext(), normalize),
          $_builder.getF64FloatAttr(0), $_builder.getF64FloatAttr(scale),
          $_builder.getI64IntegerAttr(0), $_builder.getF64FloatAttr(1), logits,
          /*bias=*/nullptr, /*table=*/nullptr, /*tokens=*/nullptr, /*capacity=*/nullptr, inits);
  }]>];
  let extraClassDeclaration = tiledDeclaration # [{
    /// f32 or f64: what scores are computed in.
    ::mlir::FloatType getComputeType();
    /// Whether tokens are routed independently of each other.
    bool isByRow() {
      return getSelection() != Selection::ExpertChoice && getSelection() != Selection::Sinkhorn;
    }
  }];
}

def MoE_PlanOp : MoE_TensorOp<"plan", [AttrSizedOperandSegments]> {
  let summary = "Sorts what tokens chose by expert";
  let description = [{
    `ids` is [T, K] (i32), the number of an expert in each slot. With `place` [E]
    (i32) an expert is placed in group place[expert], else in the group of its
    number; there are G groups, one less than `offsets` has elements. Slots whose
    number is no expert's (no group's without `place`), and those of experts that
    are placed nowhere (-1), are left out. Such numbers, other than -1, are an error
    where they come from elsewhere than `moe.route`.

    Gives `offsets` [G + 1] (i32), `slots` [M] (i32): the slot t * K + j in each
    position, -1 where none is, and `positions` [T, K] (i32): the position of each
    slot, -1 for those left out. Within a group slots come in ascending order.
    M is at least T * K plus what alignment adds; slots that would lie beyond are
    left out.

    Groups have at most `capacity` slots; the `drop`ped are the `last` ones (first
    come first served, in the order of slots; with `slot_major` all tokens' first
    choices come before all second ones), or those of `least` weight, equal ones
    the last. Positions of groups are padded to a multiple of `align`, with
    `padded` to the capacity, which is a layout for batched products.

    It depends on the order of slots and runs on one thread.

    ```mlir
    func.func @plan(%tokens: index {weft.symbol = "T"},
        %ids: tensor<?x2xi32> {weft.name = "ids", weft.dims = ["T", 2]})
        -> (tensor<5xi32> {weft.name = "offsets"}, tensor<?xi32> {weft.name = "slots"},
            tensor<?x2xi32> {weft.name = "positions"}) {
      %two = arith.constant 2 : index
      %rows = arith.muli %tokens, %two : index
      %o = tensor.empty() : tensor<5xi32>
      %s = tensor.empty(%rows) : tensor<?xi32>
      %p = tensor.empty(%tokens) : tensor<?x2xi32>
      %offsets, %slots, %positions = moe.plan ins(%ids : tensor<?x2xi32>)
          outs(%o, %s, %p : tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>)
          -> tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>
      return %offsets, %slots, %positions : tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>
    }
    ```
  }];
  let arguments = (ins DefaultValuedAttr<MoE_Drop, "Drop::Last">:$drop, UnitAttr:$slotMajor,
                       DefaultValuedAttr<I64Attr, "1">:$align, UnitAttr:$padded,
                       AnyRankedTensor:$ids, Optional<AnyRankedTensor>:$weights,
                       Optional<AnyRankedTensor>:$place, Optional<Index>:$capacity,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$offsets, AnyRankedTensor:$slots,
                      AnyRankedTensor:$positions);
  let assemblyFormat = [{
    (`drop` `=` $drop^)? (`slot_major` $slotMajor^)? (`align` `=` $align^)? (`padded` $padded^)?
    `ins` `(` $ids `:` type($ids) `)` (`weights` `(` $weights^ `:` type($weights) `)`)?
    (`place` `(` $place^ `:` type($place) `)`)? (`capacity` `(` $capacity^ `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    `->` type($offsets) `,` type($slots) `,` type($positions)
  }];
}

//===----------------------------------------------------------------------===//
// Computation
//===----------------------------------------------------------------------===//

def MoE_GroupedMatmulOp : MoE_TiledOp<"grouped_matmul", [AttrSizedOperandSegments, SingleBlock]> {
  let summary = "Products of the rows of groups with the weights of their group";
  let description = [{
    For each row p of group g, from offsets[g] to offsets[g + 1] - 1,

        result[p, n] = epilogue(sum_k input[row, k] * weight[g, k, n] + bias[g, n], ...)

    where row is indices[p], or p without `indices`; a negative index stands for a
    row of zeros. `transposed` weights are [G, N, K]. There can be several weights
    and biases of equal shape, which see the same rows: the epilogue gets a sum for
    each, then the row p and the group as index values, and yields the element of
    the result. Without one there is one weight, and the element is its sum.
    Rows in no group are those of the init. Empty groups cost nothing: neither
    are weights of theirs decoded.

    Sums are computed in f32 (f64 for an init of f64), or in the init's integers,
    which wrap around; the order of summands depends on shapes only. Factors widen.

    Weights can be packed. They are decoded by tiles of at most 64 KB (one column at
    least) of groups with rows.

    Offsets that do not ascend or lie beyond the rows, and indices beyond the input's
    rows, are an error; inside of kernels they are clamped.

    Loops of tiles: the columns N. Packed weights stay whole.

    ```mlir
    func.func @gated(%rows: index {weft.symbol = "M"},
        %x: tensor<?x8xf32> {weft.name = "x", weft.dims = ["M", 8]},
        %gate: tensor<4x8x16xf32> {weft.name = "gate"},
        %up: tensor<4x8x16xf32> {weft.name = "up"},
        %offsets: tensor<5xi32> {weft.name = "offsets"})
        -> (tensor<?x16xf32> {weft.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty(%rows) : tensor<?x16xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x16xf32>) -> tensor<?x16xf32>
      %y = moe.grouped_matmul ins(%x : tensor<?x8xf32>)
             weights(%gate, %up : tensor<4x8x16xf32>, tensor<4x8x16xf32>)
             offsets(%offsets : tensor<5xi32>)
             outs(%init : tensor<?x16xf32>) epilogue {
      ^bb0(%g: f32, %u: f32, %row: index, %group: index):
        %relu = arith.maximumf %g, %zero : f32
        %h = arith.mulf %relu, %u : f32
        moe.yield %h : f32
      } -> tensor<?x16xf32>
      return %y : tensor<?x16xf32>
    }
    ```
  }];
  let arguments = (ins UnitAttr:$transposed, AnyRankedTensor:$input,
                       Variadic<AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>>:$weights,
                       Variadic<AnyRankedTensor>:$biases, AnyRankedTensor:$offsets,
                       Optional<AnyRankedTensor>:$indices, Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region VariadicRegion<SizedRegion<1>>:$epilogue);
  let assemblyFormat = [{
    (`transposed` $transposed^)?
    `ins` `(` $input `:` type($input) `)` `weights` `(` $weights `:` type($weights) `)`
    (`biases` `(` $biases^ `:` type($biases) `)`)?
    `offsets` `(` $offsets `:` type($offsets) `)`
    (`indices` `(` $indices^ `:` type($indices) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    (`epilogue` $epilogue^)? `->` type($result)
  }];
  let extraClassDeclaration = tiledDeclaration # [{
    /// The logical types of the weights: tensors or packed.
    ::llvm::SmallVector<::mlir::ShapedType> getWeightTypes();
    /// What sums are computed in.
    ::mlir::Type getSumType();
    ::mlir::Value getInit() { return getInits().front(); }
  }];
}

def MoE_CombineOp : MoE_TiledOp<"combine", [AttrSizedOperandSegments]> {
  let summary = "Adds up for each token what its experts gave";
  let description = [{
    `values` is [M, H], `positions` [T, K] (i32), `weights` [T, K], `inits` and the
    result [T, H]:

        result[t, :] = init[t, :] + sum_j weights[t, j] * values[positions[t, j], :]

    in the order of slots; without weights they are 1. Slots with position -1 add
    nothing; others outside of [0, M) are an error. Computed in f32 (f64 for an init of
    f64) and rounded once. Loops of tiles: T and H.

    ```mlir
    func.func @combine(%tokens: index {weft.symbol = "T"}, %rows: index {weft.symbol = "M"},
        %values: tensor<?x8xf32> {weft.name = "values", weft.dims = ["M", 8]},
        %positions: tensor<?x2xi32> {weft.name = "positions", weft.dims = ["T", 2]},
        %weights: tensor<?x2xf32> {weft.name = "weights", weft.dims = ["T", 2]},
        %shared: tensor<?x8xf32> {weft.name = "shared", weft.dims = ["T", 8]})
        -> (tensor<?x8xf32> {weft.name = "y"}) {
      %y = moe.combine ins(%values, %positions : tensor<?x8xf32>, tensor<?x2xi32>)
             weights(%weights : tensor<?x2xf32>) outs(%shared : tensor<?x8xf32>)
             -> tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$values, AnyRankedTensor:$positions,
                       Optional<AnyRankedTensor>:$weights, Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `ins` `(` $values `,` $positions `:` type($values) `,` type($positions) `)`
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($result)
  }];
  let extraClassDeclaration = tiledDeclaration # [{
    ::mlir::Value getInit() { return getInits().front(); }
  }];
}

def MoE_ExpertFFNOp : MoE_TiledOp<"expert_ffn", [AttrSizedOperandSegments, SingleBlock]> {
  let summary = "Feed-forward layers of experts, for the tokens that chose them";
  let description = [{
    `input` is [T, H], `ids` and `weights` [T, K] as `moe.route` gives them, the
    init and the result [T, N]:

        result[t] = init[t] + sum_j weights[t, j] * ffn[ids[t, j]](input[t])
        ffn[e](x) = activation(x up[e] + up_bias[e], ...) down[e] + down_bias[e]

    `up` are one or two weights [E, H, I], whose sums the activation gets: first
    the gate where there are two. With `fused` = `blocks` or `interleaved` one weight
    [E, H, 2I] has both: in its two halves, or in its even and odd columns. `down` is
    [E, I, N]. `transposed` weights are [E, I, H] and [E, N, I]. Any can be packed.
    Sums are f32 (f64 for an input of f64), what the activation yields has the input's
    type. With `weight_before` the inputs of the experts are weighted instead of their
    results. Slots without an expert add nothing.

    Experts take at most `capacity` slots, the first ones in the order of tokens, with
    `slot_major` all first choices before all second ones; the others add nothing.
    Loops of tiles: the tokens, which are independent unless there is a capacity.

    An aggregate: formed in stage `model`, `moe.plan`, two `moe.grouped_matmul` and
    `moe.combine` from the start of stage `fuse`.

    ```mlir
    func.func @moe(%tokens: index {weft.symbol = "T"},
        %x: tensor<?x8xf32> {weft.name = "x", weft.dims = ["T", 8]},
        %ids: tensor<?x2xi32> {weft.name = "ids", weft.dims = ["T", 2]},
        %weights: tensor<?x2xf32> {weft.name = "weights", weft.dims = ["T", 2]},
        %up: tensor<4x8x16xf32> {weft.name = "up"}, %down: tensor<4x16x8xf32> {weft.name = "down"})
        -> (tensor<?x8xf32> {weft.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %y = moe.expert_ffn ins(%x, %ids, %weights : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>)
             up(%up : tensor<4x8x16xf32>) down(%down : tensor<4x16x8xf32>)
             outs(%x : tensor<?x8xf32>) activation {
      ^bb0(%sum: f32):
        %relu = arith.maximumf %sum, %zero : f32
        moe.yield %relu : f32
      } -> tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins UnitAttr:$weightBefore, UnitAttr:$transposed, UnitAttr:$slotMajor,
                       DefaultValuedAttr<MoE_Fusion, "Fusion::Separate">:$fused,
                       AnyRankedTensor:$input, AnyRankedTensor:$ids, AnyRankedTensor:$weights,
                       Variadic<AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>>:$up,
                       Variadic<AnyRankedTensor>:$upBiases,
                       AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$down,
                       Optional<AnyRankedTensor>:$downBias, Optional<Index>:$capacity,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$activation);
  let assemblyFormat = [{
    (`weight_before` $weightBefore^)? (`transposed` $transposed^)? (`slot_major` $slotMajor^)?
    (`fused` `=` $fused^)?
    `ins` `(` $input `,` $ids `,` $weights `:` type($input) `,` type($ids) `,` type($weights) `)`
    `up` `(` $up `:` type($up) `)` (`up_biases` `(` $upBiases^ `:` type($upBiases) `)`)?
    `down` `(` $down `:` type($down) `)` (`down_bias` `(` $downBias^ `:` type($downBias) `)`)?
    (`capacity` `(` $capacity^ `)`)? `outs` `(` $inits `:` type($inits) `)` attr-dict
    `activation` $activation `->` type($result)
  }];
  // Without a capacity; the rest is set afterwards.
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "bool":$weightBefore,
                                 "bool":$transposed, "::weft::moe::Fusion":$fused,
                                 "::mlir::Value":$input, "::mlir::Value":$ids,
                                 "::mlir::Value":$weights, "::mlir::ValueRange":$up,
                                 "::mlir::ValueRange":$upBiases, "::mlir::Value":$down,
                                 "::mlir::Value":$downBias, "::mlir::ValueRange":$inits), [{
    build($_builder, $_state, result, weightBefore, transposed, /*slotMajor=*/false, fused, input,
          ids, weights, up, upBiases, down, downBias, /*capacity=*/::mlir::Value(), inits);
  }]>];
  let extraClassDeclaration = tiledDeclaration # [{
    ::mlir::Value getInit() { return getInits().front(); }
    /// f32 or f64: what sums are computed in.
    ::mlir::FloatType getSumType();
    /// How many sums the activation gets.
    size_t getSumCount() { return getFused() == Fusion::Separate ? getUp().size() : 2; }
  }];
}

//===----------------------------------------------------------------------===//
// Placement
//===----------------------------------------------------------------------===//

def MoE_ExchangeOp : MoE_TensorOp<"exchange", [AttrSizedOperandSegments]> {
  let summary = "Sends rows of groups to the ranks that have their experts";
  let description = [{
    An all-to-all of ragged data among R ranks. `values` is [R, M, H], row p of rank
    r in the group that `offsets` [R, G + 1] says. Group g lives on rank place[g], or
    on rank g * R / G without `place`. The first result [R, M', H] has on each rank
    the rows of its groups, ordered by group and then by the rank that sends them,
    the second [R, G + 1] their offsets: groups that live elsewhere are empty. Rows
    beyond M' are dropped; rows in no group are unspecified.

    `inverse` sends rows back: `values` is [R, M', H] as received, `offsets` are still
    those of the senders, and the first result is [R, M, H] as they had them. The
    second is `offsets`.

    Between ranks there are no copies of experts' weights, only of rows. One rank
    without `place` exchanges nothing, and the operation folds away. A -1 in
    `place` loses its group; other numbers that are no rank's are an error.

    ```mlir
    func.func @exchange(%values: tensor<2x6x4xf32> {weft.name = "values"},
                        %offsets: tensor<2x5xi32> {weft.name = "offsets"})
        -> (tensor<2x12x4xf32> {weft.name = "received"}, tensor<2x5xi32> {weft.name = "bounds"}) {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<2x12x4xf32>
      %r = linalg.fill ins(%zero : f32) outs(%e : tensor<2x12x4xf32>) -> tensor<2x12x4xf32>
      %o = tensor.empty() : tensor<2x5xi32>
      %received, %bounds = moe.exchange ins(%values, %offsets : tensor<2x6x4xf32>, tensor<2x5xi32>)
          outs(%r, %o : tensor<2x12x4xf32>, tensor<2x5xi32>)
          -> tensor<2x12x4xf32>, tensor<2x5xi32>
      return %received, %bounds : tensor<2x12x4xf32>, tensor<2x5xi32>
    }
    ```
  }];
  let arguments = (ins UnitAttr:$inverse, AnyRankedTensor:$values, AnyRankedTensor:$offsets,
                       Optional<AnyRankedTensor>:$place, Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$received, AnyRankedTensor:$bounds);
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = [{
    (`inverse` $inverse^)? `ins` `(` $values `,` $offsets `:` type($values) `,` type($offsets) `)`
    (`place` `(` $place^ `:` type($place) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($received) `,` type($bounds)
  }];
}

def MoE_ResidencyOp : MoE_TensorOp<"residency"> {
  let summary = "Decides which experts are in memory";
  let description = [{
    Memory has S slots for experts: `slots` [S] (i32) has the number of the expert in
    each, -1 for none, and `stamps` [S] (i32) when it was used last. `ids` [T, K] are
    wanted now. Gives `place` [E] (i32), the slot of each expert or -1, which
    `moe.plan` takes; `loads` [S] (i32), the expert to fetch into each slot or -1; and
    slots and stamps as they are then.

    Only what is wanted is fetched, in the order of numbers, each in place of what was
    used least recently, ties in the lowest slot. What is wanted and there stays. Of
    experts beyond the slots the highest are not placed. Stamps of what is wanted are
    one more than the largest before. In `ids` and `slots` numbers that are no expert's,
    other than -1, are an error.

    ```mlir
    func.func @residency(%tokens: index {weft.symbol = "T"},
        %ids: tensor<?x2xi32> {weft.name = "ids", weft.dims = ["T", 2]},
        %slots: tensor<4xi32> {weft.name = "slots"}, %stamps: tensor<4xi32> {weft.name = "stamps"})
        -> (tensor<16xi32> {weft.name = "place"}, tensor<4xi32> {weft.name = "loads"},
            tensor<4xi32> {weft.name = "slots_after"}, tensor<4xi32> {weft.name = "stamps_after"}) {
      %p = tensor.empty() : tensor<16xi32>
      %s = tensor.empty() : tensor<4xi32>
      %place, %loads, %a, %b = moe.residency
          ins(%ids, %slots, %stamps : tensor<?x2xi32>, tensor<4xi32>, tensor<4xi32>)
          outs(%p, %s, %s, %s : tensor<16xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>)
          -> tensor<16xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
      return %place, %loads, %a, %b
          : tensor<16xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$ids, AnyRankedTensor:$slots, AnyRankedTensor:$stamps,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs AnyRankedTensor:$place, AnyRankedTensor:$loads, AnyRankedTensor:$slotsAfter,
                      AnyRankedTensor:$stampsAfter);
  let assemblyFormat = [{
    `ins` `(` $ids `,` $slots `,` $stamps `:` type($ids) `,` type($slots) `,` type($stamps) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    `->` type($place) `,` type($loads) `,` type($slotsAfter) `,` type($stampsAfter)
  }];
}

//===----------------------------------------------------------------------===//
// Conditional depth
//===----------------------------------------------------------------------===//

def MoE_DepthOp : MoE_Op<"depth", [
    AttrSizedOperandSegments, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "Computes something for some of the tokens";
  let description = [{
    The region gets the rows of the inputs where `mask` [T] (i8) is not 0, in their
    order; its tensors have as many rows. What it yields replaces these rows of the
    inits; the others are the inits'. Rows that are skipped cost nothing.

    Mixture of depths (the mask from `moe.route`), skipped layers, cascades. A host
    operation that becomes `weft.nonzero`, `weft.gather` and `weft.scatter` at the start
    of stage `fuse`.

    ```mlir
    func.func @depth(%tokens: index {weft.symbol = "T"},
        %x: tensor<?x8xf32> {weft.name = "x", weft.dims = ["T", 8]},
        %mask: tensor<?xi8> {weft.name = "mask", weft.dims = ["T"]})
        -> (tensor<?x8xf32> {weft.name = "y"}) {
      %y = moe.depth mask(%mask : tensor<?xi8>) ins(%x : tensor<?x8xf32>)
             outs(%x : tensor<?x8xf32>) {
      ^bb0(%rows: tensor<?x8xf32>):
        %e = linalg.exp ins(%rows : tensor<?x8xf32>) outs(%rows : tensor<?x8xf32>)
               -> tensor<?x8xf32>
        moe.yield %e : tensor<?x8xf32>
      } -> tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$mask, Variadic<AnyRankedTensor>:$inputs,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `mask` `(` $mask `:` type($mask) `)` `ins` `(` $inputs `:` type($inputs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict-with-keyword $body `->` type($results)
  }];
}

def MoE_ExitOp : MoE_Op<"exit", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "Layers until a condition holds";
  let description = [{
    The region is the layer `i`, from 0 to `count` - 1. It gets the state and yields
    whether this layer was the last, and the state after it. Gives the number of
    layers that ran and the state after the last of them: the initial one if `count`
    is not positive.

    Early exit by confidence, pondering (the probability to have exited is part of
    the state), one body for layers that share weights. A host operation that becomes
    `scf.while` at the start of stage `fuse`.

    ```mlir
    func.func @exit(%x: tensor<8xf32> {weft.name = "x"}) -> (tensor<8xf32> {weft.name = "y"}) {
      %layers = arith.constant 12 : index
      %zero = arith.constant 0 : index
      %limit = arith.constant 100.0 : f32
      %ran, %y = moe.exit %layers init(%x : tensor<8xf32>) {
      ^bb0(%i: index, %h: tensor<8xf32>):
        %next = linalg.add ins(%h, %h : tensor<8xf32>, tensor<8xf32>) outs(%h : tensor<8xf32>)
                  -> tensor<8xf32>
        %first = tensor.extract %next[%zero] : tensor<8xf32>
        %stop = arith.cmpf ogt, %first, %limit : f32
        moe.yield %stop, %next : i1, tensor<8xf32>
      } -> index, tensor<8xf32>
      return %y : tensor<8xf32>
    }
    ```
  }];
  let arguments = (ins Index:$count, Variadic<AnyRankedTensor>:$state);
  let results = (outs Index:$ran, Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $count `init` `(` $state `:` type($state) `)` attr-dict-with-keyword $body
    `->` type($ran) `,` type($results)
  }];
}

#endif // MOE_OPS_TD
