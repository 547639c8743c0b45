//===- SSMScanOps.td - Affine recurrences ------------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_SCAN_OPS_TD
#define SSM_SCAN_OPS_TD

// What ssm.scan and ssm.step have in common.
defvar recurrenceOperands = (ins SSM_State:$state, SSM_Transition:$transition,
    Optional<AnyRankedTensor>:$query, Optional<AnyRankedTensor>:$key, AnyRankedTensor:$value,
    Optional<AnyRankedTensor>:$decay, Optional<AnyRankedTensor>:$rate,
    Optional<AnyRankedTensor>:$angle, Optional<AnyRankedTensor>:$alpha,
    Optional<AnyRankedTensor>:$beta, Optional<AnyRankedTensor>:$matrix,
    Optional<AnyRankedTensor>:$bonus, Optional<AnyRankedTensor>:$initial);

defvar recurrenceConfiguration = (ins
    Optional<AnyRankedTensor>:$sources, Optional<AnyRankedTensor>:$destinations,
    Variadic<AnyRankedTensor>:$inits,
    DefaultValuedAttr<SSM_Read, "Read::Post">:$read, UnitAttr:$linear,
    DefaultValuedAttr<I64Attr, "1">:$rank, DefaultValuedAttr<I64Attr, "1">:$substeps,
    DefaultValuedAttr<I64Attr, "1">:$reads);

defvar recurrenceAssembly = [{
    (`query` `(` $query^ `:` type($query) `)`)? (`key` `(` $key^ `:` type($key) `)`)?
    `value` `(` $value `:` type($value) `)`
    (`decay` `(` $decay^ `:` type($decay) `)`)? (`rate` `(` $rate^ `:` type($rate) `)`)?
    (`angle` `(` $angle^ `:` type($angle) `)`)? (`alpha` `(` $alpha^ `:` type($alpha) `)`)?
    (`beta` `(` $beta^ `:` type($beta) `)`)? (`matrix` `(` $matrix^ `:` type($matrix) `)`)?
    (`bonus` `(` $bonus^ `:` type($bonus) `)`)? (`initial` `(` $initial^ `:` type($initial) `)`)?
}];

def SSM_ScanOp : SSM_Op<"scan", [AttrSizedOperandSegments]> {
  let summary = "An affine recurrence over tokens";
  let description = [{
    Each head has a state S, a matrix [K, V] (`outer`) or a vector [K] (`vector`, which is V = 1
    without that dimension), float32, or float64 where values are. For each token, in order:
    S = M S + key (x) value, then the output is query' S.

    **Shapes.** B: batch, T: tokens, H: heads.

    | operand | shape | |
    |---|---|---|
    | `value` | [B, T, H, V] with a key, else [B, T, H, K, V]; `vector`: [B, T, H, K] | what is injected |
    | `key` | [B, T, H, K] | only `outer` |
    | `query` | [B, T, H, K] | without it the output is the state |
    | `decay` | [B, T, H] or [B, T, H, K] | logarithms; `linear`: factors |
    | `rate` | [H] or [H, K] | multiplies logarithms, or is them without `decay` |
    | `angle` | [B, T, H, K/2] | radians |
    | `alpha`, `beta` | [B, T, H, K] | erased and written direction |
    | `matrix` | [H, K, K] or [B, T, H, K, K] | |
    | `bonus` | [H, K] | |
    | `initial` | [B, H, K, V] or [B, H, K] | state before the first token; without it 0 |
    | first init and result | [B, T, H, V], [B, T, H] (`vector`); without query [B, T, H, K, V], [B, T, H, K] | |
    | second init and result | as `initial` | state after the last token |

    An extent B or T that is statically 1 is broadcast. The heads of an operand divide
    those of the state; head h reads head h * (its heads) / (heads). Queries may also have a multiple
    of the state's heads, which are those of the output then (grouped queries).

    **Transitions** M. D is exp(decay * rate), of a head or of each of its K rows.

    | | M S |
    |---|---|
    | `identity` | S |
    | `scalar`, `diag` | D S |
    | `complex_diag` | rows 2j and 2j + 1 are the real and imaginary part of row j: multiplied by exp(decay + i angle), `decay` being [B, T, H, K/2]; `linear`: by decay + i angle |
    | `rotation` | the same with a decay of each head, or none |
    | `householder` | D S - beta (x) (alpha' D S) |
    | `diag_plus_lowrank` | D S + sum of beta (x) (alpha' S) over `rank` pairs: these have `rank` T tokens |
    | `dense_lti`, `dense` | matrix S, the same for all tokens or one for each |

    `substeps` n: each token injects n keys and values one after the other (of n T tokens), and
    erases n times; decay comes before the first. `reads` n: n queries (of n T tokens) and outputs.
    `read = pre`: the output is of the state before the token, query' (S + (bonus * key) (x) value).
    `reverse`: from the last token to the first. `bidirectional`: the sum of both outputs;
    states have 2B rows, first those of the forward direction.

    **Sequences.** With `offsets` (exclusive prefix, i32, G + 1 entries), B is 1 and the tokens are
    those of G sequences: states have G rows, each sequence begins with its own. `sources` (i32, G
    entries) are rows of `initial` instead, -1 for zeros; `destinations` (i32, G) rows of the final
    state, -1 for none; other rows keep the init's. `order` (i32, T) gives the token of each step.
    Values out of range fail the call (with `weft.checked` they are limited to it; sources and
    destinations count as -1); tokens of no sequence keep the init's output.

    **Checkpoints.** `emit = every, count = n`: a third init and result [B, T floordiv n, H, K, V]
    has the states after n, 2n, ... tokens; sequence g's begin at row offsets[g] floordiv n.
    `emit = window, count = n`: [B or G, n, H, K, V] has the last n states, oldest first; rows that
    there are too few tokens for keep the init's.

    `chunk` is the number of tokens to take together, 0 if the target may choose (`ssm-split-scans`):
    results do not depend on it but for rounding.

    Loops of tiles: B, H and, of `outer` states, V. B has none where there are offsets,
    destinations or two directions, H none where the types do not say whether queries have more
    heads than the state. Where operands have fewer heads, tiles have one or all.

    ```mlir
    func.func @main(%q: tensor<2x9x4x8xf32>, %k: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>,
                    %g: tensor<2x9x4xf32>) -> (tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) {
      %y0 = tensor.empty() : tensor<2x9x4x6xf32>
      %s0 = tensor.empty() : tensor<2x4x8x6xf32>
      %y, %s = ssm.scan outer scalar query(%q : tensor<2x9x4x8xf32>) key(%k : tensor<2x9x4x8xf32>)
          value(%v : tensor<2x9x4x6xf32>) decay(%g : tensor<2x9x4xf32>)
          outs(%y0, %s0 : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>)
          -> tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
      return %y, %s : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
    }
    ```
  }];
  let arguments = !con(recurrenceOperands, (ins
      Optional<AnyRankedTensor>:$offsets, Optional<AnyRankedTensor>:$order),
      recurrenceConfiguration, (ins
      DefaultValuedAttr<SSM_Direction, "Direction::Forward">:$direction,
      DefaultValuedAttr<SSM_Emit, "Emit::Last">:$emit,
      DefaultValuedAttr<I64Attr, "1">:$count, DefaultValuedAttr<I64Attr, "0">:$chunk));
  let results = (outs AnyRankedTensor:$output, AnyRankedTensor:$final,
                      Optional<AnyRankedTensor>:$checkpoints);
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = !strconcat([{
    $state $transition ($direction^)? (`linear` $linear^)? (`read` `=` $read^)?
    (`rank` `=` $rank^)? (`substeps` `=` $substeps^)? (`reads` `=` $reads^)?
    (`emit` `=` $emit^)? (`count` `=` $count^)? (`chunk` `=` $chunk^)?
  }], recurrenceAssembly, [{
    (`offsets` `(` $offsets^ `:` type($offsets) `)`)? (`order` `(` $order^ `:` type($order) `)`)?
    (`sources` `(` $sources^ `:` type($sources) `)`)?
    (`destinations` `(` $destinations^ `:` type($destinations) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    `->` type($output) `,` type($final) (`,` type($checkpoints)^)?
  }]);
}

def SSM_StepOp : SSM_Op<"step", [AttrSizedOperandSegments]> {
  let summary = "One token of an affine recurrence";
  let description = [{
    `ssm.scan` of one token, as a model that generates tokens has it: all operands are those of
    `ssm.scan` with T = 1 (`substeps` and `reads` as there). The final state may be computed in the
    memory of the initial one. `sources` and `destinations` are rows of states for each of the B
    sequences. Loops of tiles are those of `ssm.scan`.

    ```mlir
    func.func @main(%q: tensor<2x1x4x8xf32>, %k: tensor<2x1x4x8xf32>, %v: tensor<2x1x4x6xf32>,
                    %before: tensor<2x4x8x6xf32>) -> (tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>) {
      %y0 = tensor.empty() : tensor<2x1x4x6xf32>
      %s0 = tensor.empty() : tensor<2x4x8x6xf32>
      %y, %s = ssm.step outer identity query(%q : tensor<2x1x4x8xf32>) key(%k : tensor<2x1x4x8xf32>)
          value(%v : tensor<2x1x4x6xf32>) initial(%before : tensor<2x4x8x6xf32>)
          outs(%y0, %s0 : tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>)
          -> tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>
      return %y, %s : tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>
    }
    ```
  }];
  let arguments = !con(recurrenceOperands, recurrenceConfiguration);
  let results = (outs AnyRankedTensor:$output, AnyRankedTensor:$final);
  let assemblyFormat = !strconcat([{
    $state $transition (`linear` $linear^)? (`read` `=` $read^)?
    (`rank` `=` $rank^)? (`substeps` `=` $substeps^)? (`reads` `=` $reads^)?
  }], recurrenceAssembly, [{
    (`sources` `(` $sources^ `:` type($sources) `)`)?
    (`destinations` `(` $destinations^ `:` type($destinations) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict
    `->` type($output) `,` type($final)
  }]);
}

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

defvar chunkOperands = (ins AnyRankedTensor:$key, AnyRankedTensor:$value,
    Optional<AnyRankedTensor>:$decay, Optional<AnyRankedTensor>:$rate,
    Optional<AnyRankedTensor>:$alpha, Optional<AnyRankedTensor>:$beta);

defvar chunkAssembly = [{
    `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`decay` `(` $decay^ `:` type($decay) `)`)? (`rate` `(` $rate^ `:` type($rate) `)`)?
    (`alpha` `(` $alpha^ `:` type($alpha) `)`)? (`beta` `(` $beta^ `:` type($beta) `)`)?
}];

def SSM_ChunkSummaryOp : SSM_Op<"chunk_summary", [AttrSizedOperandSegments]> {
  let summary = "What each chunk of tokens does to a state";
  let description = [{
    The tokens are cut into J = T ceildiv `chunk` chunks. For each, S becomes M S + U: the results
    are M and U, [B, J, H, K, V]. M is [B, J, H, K] for the transitions `identity`, `scalar` and
    `diag`, the factors of the rows; [B, J, H, K, K] for `householder` and `diag_plus_lowrank` (of rank 1).
    Operands are those of an outer `ssm.scan`. Chunks are independent: the states that they begin
    with are an `ssm.scan` over chunks with read = pre, whose decay (linear) or matrix is M and whose
    value is U; `ssm.chunk_apply` gives the outputs. Splitting tokens among devices is the same.
    Loops of tiles: B, J and H.

    ```mlir
    func.func @main(%k: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>, %g: tensor<2x9x4xf32>)
        -> (tensor<2x3x4x8xf32>, tensor<2x3x4x8x6xf32>) {
      %m0 = tensor.empty() : tensor<2x3x4x8xf32>
      %u0 = tensor.empty() : tensor<2x3x4x8x6xf32>
      %m, %u = ssm.chunk_summary scalar chunk = 4 key(%k : tensor<2x9x4x8xf32>)
          value(%v : tensor<2x9x4x6xf32>) decay(%g : tensor<2x9x4xf32>)
          outs(%m0, %u0 : tensor<2x3x4x8xf32>, tensor<2x3x4x8x6xf32>)
          -> tensor<2x3x4x8xf32>, tensor<2x3x4x8x6xf32>
      return %m, %u : tensor<2x3x4x8xf32>, tensor<2x3x4x8x6xf32>
    }
    ```
  }];
  let arguments = !con((ins SSM_Transition:$transition, I64Attr:$chunk, UnitAttr:$linear),
                       chunkOperands, (ins Variadic<AnyRankedTensor>:$inits));
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = !strconcat([{
    $transition (`linear` $linear^)? `chunk` `=` $chunk
  }], chunkAssembly, [{
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }]);
}

def SSM_ChunkApplyOp : SSM_Op<"chunk_apply", [AttrSizedOperandSegments]> {
  let summary = "The outputs of chunks of tokens, of the states that they begin with";
  let description = [{
    `query` is [B, T, H, K], `states` [B, J, H, K, V] with J = T ceildiv `chunk`; the result is
    [B, T, H, V], as an outer `ssm.scan` gives it, each chunk beginning with its state.
    `ssm.chunk_summary` says where these come from. Loops of tiles: B, J, H and V.

    ```mlir
    func.func @main(%q: tensor<2x9x4x8xf32>, %k: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>,
                    %g: tensor<2x9x4xf32>, %s: tensor<2x3x4x8x6xf32>) -> tensor<2x9x4x6xf32> {
      %init = tensor.empty() : tensor<2x9x4x6xf32>
      %y = ssm.chunk_apply scalar chunk = 4 query(%q : tensor<2x9x4x8xf32>)
          key(%k : tensor<2x9x4x8xf32>) value(%v : tensor<2x9x4x6xf32>) decay(%g : tensor<2x9x4xf32>)
          states(%s : tensor<2x3x4x8x6xf32>) outs(%init : tensor<2x9x4x6xf32>) -> tensor<2x9x4x6xf32>
      return %y : tensor<2x9x4x6xf32>
    }
    ```
  }];
  let arguments = !con((ins SSM_Transition:$transition, I64Attr:$chunk, UnitAttr:$linear,
                            AnyRankedTensor:$query), chunkOperands,
                       (ins AnyRankedTensor:$states, Variadic<AnyRankedTensor>:$inits));
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = !strconcat([{
    $transition (`linear` $linear^)? `chunk` `=` $chunk `query` `(` $query `:` type($query) `)`
  }], chunkAssembly, [{
    `states` `(` $states `:` type($states) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }]);
}

#endif // SSM_SCAN_OPS_TD
