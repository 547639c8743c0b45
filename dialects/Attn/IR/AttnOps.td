//===- AttnOps.td - The attention dialect ------------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_OPS_TD
#define ATTN_OPS_TD

include "dialects/Weft/IR/WeftFormats.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::weft::attn";
  let summary = "Attention: softmax attention, its pieces, linear attention, caches of keys and values";
  let description = [{
    Few operations of which the named methods are configurations: masks are
    attributes and operands, heads can be grouped, keys and values packed or kept
    in pages, sequences ragged. `dialects/Attn/README.md` has the design and a
    table of methods.

    **Letters.** A layout names the dimensions of tensors by letters: b batch,
    h heads, s queries, t keys (with pages: the position within one), d the size
    of queries and keys, e that of values, p pages.

    **Ragged sequences** lie one after the other in tensors without the letter b;
    offsets (an exclusive prefix, one more than there are sequences) tell where each
    begins. Offsets that are not monotone or beyond the tensor fail the call.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::weft::WeftDialect"
  ];
}

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, !listconcat([
        Pure, DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>],
        traits)> {
  code dpsDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }];
  let extraClassDeclaration = dpsDeclaration;
  let hasVerifier = 1;
}

defvar Attn_Tiling = DeclareOpInterfaceMethods<TilingInterface, [
  "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
  "getResultTilePosition", "generateResultTileValue"]>;

// What is tiled by slices of its operands alone.
class Attn_TiledOp<string mnemonic, list<Trait> traits = []>
    : Attn_Op<mnemonic, !listconcat([Weft_LoopTiling], traits)> {
  let extraClassDeclaration = !strconcat(dpsDeclaration, tilingDeclaration);
  let extraClassDefinition = tilingDefinitions;
}

def Attn_EmptyRows : I32EnumAttr<"EmptyRows", "What becomes of rows without a visible key", [
    I32EnumAttrCase<"Zero", 0, "zero">,
    I32EnumAttrCase<"NaN", 1, "nan">,
    I32EnumAttrCase<"MaskNaN", 2, "mask_nan">]> {
  let cppNamespace = "::weft::attn";
}

def Attn_FeatureMap : I32EnumAttr<"FeatureMap", "What linear attention applies to queries and keys", [
    I32EnumAttrCase<"Identity", 0, "identity">,
    I32EnumAttrCase<"EluPlusOne", 1, "elu_plus_one">,
    I32EnumAttrCase<"Relu", 2, "relu">,
    I32EnumAttrCase<"Exp", 3, "exp">,
    I32EnumAttrCase<"Square", 4, "square">]> {
  let cppNamespace = "::weft::attn";
}

def Attn_YieldOp : Op<Attn_Dialect, "yield", [Pure, ReturnLike, Terminator,
    ParentOneOf<["AttendOp", "PartialOp"]>]> {
  let summary = "Ends a score region";
  let arguments = (ins AnyFloat:$score);
  let assemblyFormat = "$score attr-dict `:` type($score)";
}

//===----------------------------------------------------------------------===//
// Softmax attention
//===----------------------------------------------------------------------===//

class Attn_AttendLike<string mnemonic, list<Trait> traits = []>
    : Attn_Op<mnemonic, !listconcat([Attn_Tiling, AttrSizedOperandSegments], traits)> {
  let arguments = (ins
    AnyRankedTensor:$query,
    AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$key,
    AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$value,
    Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$mask,
    Optional<AnyRankedTensor>:$slopes, Optional<AnyRankedTensor>:$sinks,
    Optional<AnyRankedTensor>:$keyLengths, Optional<AnyRankedTensor>:$starts,
    Optional<Index>:$offset, Optional<AnyRankedTensor>:$blockMask,
    Optional<AnyRankedTensor>:$pageTable,
    Optional<AnyRankedTensor>:$queryOffsets, Optional<AnyRankedTensor>:$keyOffsets,
    Variadic<AnyRankedTensor>:$inits,
    DefaultValuedStrAttr<StrAttr, "bhsd,bhtd,bhte->bhse">:$layout,
    OptionalAttr<F64Attr>:$scale, OptionalAttr<F64Attr>:$softcap,
    UnitAttr:$causal, OptionalAttr<DenseI64ArrayAttr>:$window,
    DefaultValuedAttr<I64Attr, "0">:$globals,
    OptionalAttr<DenseI64ArrayAttr>:$blockSizes,
    DefaultValuedAttr<Attn_EmptyRows, "::weft::attn::EmptyRows::Zero">:$emptyRows);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region VariadicRegion<SizedRegion<1>>:$score);
  let assemblyFormat = [{
    (`causal` $causal^)? (`scale` `=` $scale^)? (`softcap` `=` $softcap^)?
    (`window` `=` $window^)? (`globals` `=` $globals^)? (`empty_rows` `=` $emptyRows^)?
    (`layout` `=` $layout^)?
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`block_mask` $blockSizes^ `(` $blockMask `:` type($blockMask) `)`)?
    (`slopes` `(` $slopes^ `:` type($slopes) `)`)?
    (`sinks` `(` $sinks^ `:` type($sinks) `)`)?
    (`key_lengths` `(` $keyLengths^ `:` type($keyLengths) `)`)?
    (`starts` `(` $starts^ `:` type($starts) `)`)?
    (`offset` `(` $offset^ `)`)?
    (`pages` `(` $pageTable^ `:` type($pageTable) `)`)?
    (`query_offsets` `(` $queryOffsets^ `:` type($queryOffsets) `)`)?
    (`key_offsets` `(` $keyOffsets^ `:` type($keyOffsets) `)`)?
    `outs` `(` $inits `:` type($inits) `)`
    (`score` $score^)? attr-dict `->` type($results)
  }];
}

def Attn_AttendOp : Attn_AttendLike<"attend"> {
  let summary = "Softmax attention with masks, grouped heads, pages and ragged sequences";
  let description = [{
    For each batch b, head h and query s, with the position
    `p = offset + starts[b] + s` of the query among the keys,

        score(t) = scale * sum over d of q[b,h,s,d] * k[b,h/G,t,d]
        score(t) = softcap * tanh(score(t) / softcap)
        score(t) += bias[b,h,s,t] + slopes[h] * (t - p)
        score(t) = region(score(t), b, h, s, t)
        weight(t) = exp(score(t)) / (exp(sinks[h]) + sum over t of exp(score(t)))
        result[b,h,s,e] = sum over t of weight(t) * v[b,h/G,t,e]

    over the visible keys t; each line but the first and the last two is there if
    its attribute or operand is. Scores, softmax and sums are f32, or f64 for f64
    queries. `G` is the heads of queries for each head of keys. Key t is visible if

    - `t < key_lengths[b]`, which is none beyond the keys there are, and `t <= p` if
      `causal`;
    - `p - left <= t <= p + right` for `window = [left, right]` (-1: no bound), or
      `t < globals`, which a causal mask still hides;
    - `mask[b,h,s,t]` is not 0;
    - `block_mask[b,h,p / rows,t / columns]` is not 0, of blocks of
      `[rows, columns]`; positions beyond the last block belong to it.

    `bias`, `mask` and `block_mask` broadcast to their four dimensions: leading ones may
    lack, and where the type has extent 1 there is one for all. Without `scale` it is
    one over the root of the extent of d. Behind `key_lengths` keys and values can be
    anything; those of other keys that are not visible are finite.

    Rows without a visible key give zeros. With `empty_rows = nan` they give NaN, as
    softmax over scores of minus infinity does, but zeros where the keys' extent of t is
    0, as a product with no rows does; with `mask_nan` also rows with
    a score of NaN give zeros, as exporters guard a softmax. A second result, in the
    query's order of letters without the last, is the logarithm of the
    weights' denominator (minus infinity for an empty row); it is f32 or f64 as the
    scores are.

    `layout` names dimensions by letters (b, h, s, d for queries, b, h, t, d
    for keys, e for d in values and the result), in any order; b and h may lack
    everywhere, or in keys and values alone where all share them.

    **Pages.** With `pages` keys and values have the letter p instead of b: key t of
    sequence b lies in page `table[b, t / n]` at `t % n`, where n is the extent of
    t. `key_lengths` must be there. Entries that it reaches and that are no page fail the
    call.

    **Ragged sequences.** With `query_offsets` the query has no b; row s belongs to the
    sequence g with `offsets[g] <= s < offsets[g + 1]`, and counts from its begin.
    `key_offsets` tells the same of keys, where there are no pages. Rows of no
    sequence have no visible key. To `bias` and `mask` b is the sequence, and s the row
    among all.

    Stage `fuse` decomposes what has neither pages nor offsets into two contractions
    around a softmax on the CPU (`weft-decompose-attend`); the rest is computed
    row by row with an online softmax (arXiv 2112.05682), so that scores are never a tensor.

    Loops of tiles: b, h and s of the result. A tile has one head or all where several share
    keys, and all rows of ragged sequences; packed keys and values stay whole.

    ```mlir
    func.func @attention(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x8xf32>,
                         %bias: tensor<1x7xf32>) -> tensor<2x4x3x8xf32> {
      %past = arith.constant 4 : index
      %init = tensor.empty() : tensor<2x4x3x8xf32>
      %y = attn.attend causal scale = 0.25 window = [64, -1]
             ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x8xf32>)
             bias(%bias : tensor<1x7xf32>) offset(%past)
             outs(%init : tensor<2x4x3x8xf32>) -> tensor<2x4x3x8xf32>
      return %y : tensor<2x4x3x8xf32>
    }
    ```

    A score region, here for a logarithmic distance:

    ```mlir
    func.func @region(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>,
                      %init: tensor<5x8xf32>) -> tensor<5x8xf32> {
      %y = attn.attend layout = "sd,td,te->se"
             ins(%q, %k, %v : tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>)
             outs(%init : tensor<5x8xf32>) score {
      ^bb0(%score: f32, %b: index, %h: index, %s: index, %t: index):
        %difference = arith.subi %t, %s : index
        %distance = math.absi %difference : index
        %integer = arith.index_cast %distance : index to i32
        %float = arith.sitofp %integer : i32 to f32
        %log = math.log1p %float : f32
        %less = arith.subf %score, %log : f32
        attn.yield %less : f32
      } -> tensor<5x8xf32>
      return %y : tensor<5x8xf32>
    }
    ```
  }];
  let hasCanonicalizer = 1;
  let extraClassDeclaration = dpsDeclaration;
}

def Attn_PartialOp : Attn_AttendLike<"partial"> {
  let summary = "Softmax attention over pieces of the keys, to be merged";
  let description = [{
    As `attn.attend`, but the keys are cut into as many pieces of equal
    size (the last can be smaller or empty) as the leading extent of the results
    says. Piece i of the first result is the attention over the i-th piece alone, of
    element type f32 (f64 for f64 queries); piece i of the second, which must be
    there, is the logarithm of its denominator. `attn.merge` makes one of them. There are no
    `sinks`; one can be merged as a piece of zeros with the sink as its logarithm.

    Flash-Decoding computes pieces in parallel; cascade inference merges pieces of
    a shared prefix with those of each sequence (arXiv 2205.14135, 2501.01005).
    Loops of tiles are those of `attn.attend`; each tile has all pieces.

    ```mlir
    func.func @pieces(%q: tensor<2x1x8xf16>, %k: tensor<2x7x8xf16>, %v: tensor<2x7x8xf16>)
        -> (tensor<3x2x1x8xf32>, tensor<3x2x1xf32>) {
      %o = tensor.empty() : tensor<3x2x1x8xf32>
      %l = tensor.empty() : tensor<3x2x1xf32>
      %parts, %logs = attn.partial layout = "hsd,htd,hte->hse"
        ins(%q, %k, %v : tensor<2x1x8xf16>, tensor<2x7x8xf16>, tensor<2x7x8xf16>)
        outs(%o, %l : tensor<3x2x1x8xf32>, tensor<3x2x1xf32>)
        -> tensor<3x2x1x8xf32>, tensor<3x2x1xf32>
      return %parts, %logs : tensor<3x2x1x8xf32>, tensor<3x2x1xf32>
    }
    ```
  }];
  let extraClassDeclaration = dpsDeclaration;
}

def Attn_MergeOp : Attn_TiledOp<"merge"> {
  let summary = "Makes one attention of attentions over pieces of the keys";
  let description = [{
    `parts` is [pieces, ..., e] and `logs` [pieces, ...]: attentions and the
    logarithms of their denominators. With the weight of each piece
    `exp(log - largest log)`, the result is the weighted mean of the pieces over the
    first dimension, the optional second one the logarithm of the sum of denominators.
    Pieces of minus infinity count nothing; where all are, the result is 0 and the
    logarithm minus infinity. Merging is associative up to rounding; pieces are merged
    in their order. Loops of tiles: the dimensions of the result, without e where there are
    logarithms.

    ```mlir
    func.func @merge(%parts: tensor<3x2x8xf32>, %logs: tensor<3x2xf32>)
        -> (tensor<2x8xf16>, tensor<2xf32>) {
      %o = tensor.empty() : tensor<2x8xf16>
      %l = tensor.empty() : tensor<2xf32>
      %y, %log = attn.merge ins(%parts, %logs : tensor<3x2x8xf32>, tensor<3x2xf32>)
        outs(%o, %l : tensor<2x8xf16>, tensor<2xf32>) -> tensor<2x8xf16>, tensor<2xf32>
      return %y, %log : tensor<2x8xf16>, tensor<2xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$parts, AnyRankedTensor:$logs,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $parts `,` $logs `:` type($parts) `,` type($logs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

//===----------------------------------------------------------------------===//
// Linear attention
//===----------------------------------------------------------------------===//

def Attn_LinearOp : Attn_TiledOp<"linear"> {
  let summary = "Linear attention: a sum of keys times values instead of a softmax";
  let description = [{
    Queries are [..., s, d], keys [..., t, d], values [..., t, e]; leading
    dimensions are equal. With the feature map f, applied to each element,

        state[d,e] = initial state + sum over t of f(k[t,d]) * v[t,e]
        norm[d]    = initial norm + sum over t of f(k[t,d])
        result[s,e] = sum over d of f(q[s,d]) * state[d,e]

    With `normalize` the result is divided by `sum over d of f(q[s,d]) * norm[d]` plus
    `epsilon`. With `causal` query s sees the keys up to t = s, and there are as many
    keys as queries. The results are the attention, the last state [..., d, e] and the last
    norm [..., d], which are f32 (f64 for f64 queries), as all sums are; the inits of
    state and norm are the initial ones. Recurrences with decay are
    `ssm.scan`. Loops of tiles: the leading dimensions.

    Feature maps: `elu_plus_one` is Linear Transformers' (arXiv 2006.16236), `relu`
    cosFormer's and SLAB's, `exp` that of random features (arXiv 2009.14794) after their projection,
    `square` ReBased's without its affine part (arXiv 2402.10644).

    ```mlir
    func.func @linear(%q: tensor<2x5x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x3xf32>,
                      %o: tensor<2x5x3xf32>, %state: tensor<2x4x3xf32>, %norm: tensor<2x4xf32>)
        -> (tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) {
      %y, %s, %n = attn.linear causal normalize features = elu_plus_one
        ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>)
        outs(%o, %state, %norm : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>)
        -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
      return %y, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
                       Variadic<AnyRankedTensor>:$inits,
                       UnitAttr:$causal, UnitAttr:$normalize,
                       DefaultValuedAttr<Attn_FeatureMap, "::weft::attn::FeatureMap::Identity">:$features,
                       OptionalAttr<F64Attr>:$epsilon);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    (`causal` $causal^)? (`normalize` $normalize^)? (`features` `=` $features^)?
    (`epsilon` `=` $epsilon^)?
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

//===----------------------------------------------------------------------===//
// Caches
//===----------------------------------------------------------------------===//

def Attn_KVAppendOp : Attn_Op<"kv_append", [AttrSizedOperandSegments]> {
  let summary = "Writes rows of keys or values into a cache";
  let description = [{
    Row t of sequence b becomes entry `starts[b] + t` of the cache, of which all else
    stays. Without `starts` they begin at 0. With `circular` positions wrap around at the
    cache's extent; else starts behind which the rows do not fit fail the call, as negative
    ones do (without `starts` rows beyond the extent are left out). `layout` names the
    letters of rows, then those of the cache: b, h, t
    and d, of which b and h may lack in both.

    With `pages` the cache has the letter p instead of b, and entry i of sequence b
    lies in page `table[b, i / n]` at `i % n`, where n is the extent of t; rows
    whose page is none fail the call. With `row_offsets` the rows are
    ragged and have no b; `lengths[b]`, if there, is how many of the rows of each sequence
    count. Later rows, and rows of later sequences, win.

    Rows have the cache's element type.

    ```mlir
    func.func @append(%rows: tensor<2x4x1x8xf32>, %cache: tensor<2x4x16x8xf32>,
                      %starts: tensor<2xi32>) -> tensor<2x4x16x8xf32> {
      %y = attn.kv_append ins(%rows : tensor<2x4x1x8xf32>) starts(%starts : tensor<2xi32>)
        outs(%cache : tensor<2x4x16x8xf32>) -> tensor<2x4x16x8xf32>
      return %y : tensor<2x4x16x8xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$rows, Optional<AnyRankedTensor>:$starts,
                       Optional<AnyRankedTensor>:$lengths,
                       Optional<AnyRankedTensor>:$pageTable, Optional<AnyRankedTensor>:$rowOffsets,
                       Variadic<AnyRankedTensor>:$inits,
                       DefaultValuedStrAttr<StrAttr, "bhtd->bhtd">:$layout, UnitAttr:$circular);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    (`circular` $circular^)? (`layout` `=` $layout^)?
    `ins` `(` $rows `:` type($rows) `)`
    (`starts` `(` $starts^ `:` type($starts) `)`)?
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)?
    (`pages` `(` $pageTable^ `:` type($pageTable) `)`)?
    (`row_offsets` `(` $rowOffsets^ `:` type($rowOffsets) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

def Attn_KVEvictOp : Attn_TiledOp<"kv_evict", [AttrSizedOperandSegments]> {
  let summary = "Keeps the entries of caches that matter most";
  let description = [{
    `scores` is [b, h, t], `caches` are any number of [b, h, t, ...]. For each b and h,
    of the first `lengths[b]` entries (at most as many as there are; all of them without
    `lengths`) as many are kept as the
    results have room for: first the first `sinks` and the last `recent` ones, then those of the
    largest scores; of equal scores, and among the first two kinds where
    they are too many, the earlier one stays. NaN counts as the smallest.

    The first result, [b, h, m] of i32, has the kept positions in ascending order, then
    -1; the others, [b, h, m, ...], the caches' entries at them, then what the inits
    have. Loops of tiles: b and h.

    StreamingLLM keeps sinks and a window (scores of zeros), H2O and TOVA the largest
    accumulated or last weights, SnapKV those of the last queries (arXiv 2309.17453, 2306.14048,
    2401.06104, 2404.14469).

    ```mlir
    func.func @evict(%scores: tensor<2x4x32xf32>, %k: tensor<2x4x32x8xf32>,
                     %kept: tensor<2x4x16xi32>, %small: tensor<2x4x16x8xf32>)
        -> (tensor<2x4x16xi32>, tensor<2x4x16x8xf32>) {
      %i, %y = attn.kv_evict sinks = 4 recent = 8
        ins(%scores : tensor<2x4x32xf32>) caches(%k : tensor<2x4x32x8xf32>)
        outs(%kept, %small : tensor<2x4x16xi32>, tensor<2x4x16x8xf32>)
        -> tensor<2x4x16xi32>, tensor<2x4x16x8xf32>
      return %i, %y : tensor<2x4x16xi32>, tensor<2x4x16x8xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$scores, Variadic<AnyRankedTensor>:$caches,
                       Optional<AnyRankedTensor>:$lengths, Variadic<AnyRankedTensor>:$inits,
                       DefaultValuedAttr<I64Attr, "0">:$sinks,
                       DefaultValuedAttr<I64Attr, "0">:$recent);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    (`sinks` `=` $sinks^)? (`recent` `=` $recent^)?
    `ins` `(` $scores `:` type($scores) `)`
    (`caches` `(` $caches^ `:` type($caches) `)`)?
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

#endif // ATTN_OPS_TD
