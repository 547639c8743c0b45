//===- SparseOps.td - The operations of the sparse dialect -*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SPARSE_OPS_TD
#define SPARSE_OPS_TD

include "dialects/Sparse/IR/SparseBase.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Sparse_StructureAttr
    : Attr<CPred<"::llvm::isa<::weft::StructureInterface>($_self)">, "structure"> {
  let storageType = "::weft::StructureInterface";
  let returnType = "::weft::StructureInterface";
  let convertFromStorage = "$_self";
}

class Sparse_Op<string mnemonic, list<Trait> traits = []>
    : Op<Sparse_Dialect, mnemonic, !listconcat([
        Pure, DestinationStyleOpInterface, DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>],
        traits)> {
  let hasVerifier = 1;
}

class Sparse_SingleInitOp<string mnemonic> : Sparse_Op<mnemonic, [Weft_LoopTiling]> {
  let extraClassDeclaration = !strconcat([{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }], tilingDeclaration);
  let extraClassDefinition = tilingDefinitions;
}

def Sparse_PruneOp : Sparse_SingleInitOp<"prune"> {
  let summary = "Sets numbers to 0 until a structure holds the others";
  let description = [{
    Keeps the numbers that `structure` would store: those with the largest scores by
    magnitude, ties to the first one; without `scores` those that are largest
    themselves. What has the score 0 is not kept. The shapes of numbers, scores and result
    are the same, and so are the element types of numbers and result.

    The structure has room for a known part: `nm`, `vnm`, `ell` (the largest of each row),
    `channels` with a count, `block` of these.

    Loops of tiles: groups of numbers among which the structure chooses, along each dimension:
    m columns of `nm`, blocks of `block`. A dimension of which it looks at all has no loop.

    | method | configuration |
    |---|---|
    | magnitude 2:4 | `#sparse.nm<2, 4>` |
    | magnitude, a share of each row | `#sparse.ell<k, i32>` |
    | Wanda (arXiv 2306.11695) | `scores` = abs(W) times the norms of activations; `ell` or `nm` |
    | RIA, SparseGPT's saliency | `scores` |
    | blocks, filters, heads | `#sparse.block<r, c, #sparse.nm<2, 4>>`, `#sparse.channels` |
    | VENOM | `#sparse.vnm<64, 2, 8>` |

    ```mlir
    func.func @prune(%w: tensor<6x8xf32>, %scores: tensor<6x8xf32>, %init: tensor<6x8xf32>)
        -> tensor<6x8xf32> {
      %y = sparse.prune to #sparse.nm<2, 4> ins(%w : tensor<6x8xf32>)
             scores(%scores : tensor<6x8xf32>) outs(%init : tensor<6x8xf32>) -> tensor<6x8xf32>
      return %y : tensor<6x8xf32>
    }
    ```
  }];
  let arguments = (ins Sparse_StructureAttr:$structure, AnyRankedTensor:$input,
                       Optional<AnyRankedTensor>:$scores, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `to` $structure `ins` `(` $input `:` type($input) `)`
    (`scores` `(` $scores^ `:` type($scores) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

def Sparse_TopKMaskOp : Sparse_SingleInitOp<"topk_mask"> {
  let summary = "Marks the k largest numbers along a dimension";
  let description = [{
    1 (i8) at the `k` numbers of largest magnitude along `dimension`, ties to the first
    one, NaN as the largest; 0 elsewhere. Where there are at most k numbers, all are
    marked. Loops of tiles: the other dimensions. Masks of activations (TEAL's and R-Sparse's
    share of each token), of tokens (DToP, SparseViT) and of attention (top-k keys).

    ```mlir
    func.func @mask(%x: tensor<4x8xf32>, %init: tensor<4x8xi8>) -> tensor<4x8xi8> {
      %m = sparse.topk_mask k = 3 dimension = 1 ins(%x : tensor<4x8xf32>)
             outs(%init : tensor<4x8xi8>) -> tensor<4x8xi8>
      return %m : tensor<4x8xi8>
    }
    ```
  }];
  let arguments = (ins I64Attr:$k, I64Attr:$dimension, AnyRankedTensor:$input,
                       AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `k` `=` $k `dimension` `=` $dimension `ins` `(` $input `:` type($input) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

def Sparse_CompactOp : Sparse_Op<"compact"> {
  let summary = "Moves marked slices of a tensor together";
  let description = [{
    Along `dimension`, whose positions are marked by what is not 0 in `mask` (i8): the
    slices of the first C marked positions in ascending order, and these positions
    (i32). C, the capacity, is the extent of the inits there; where fewer are marked,
    the others are 0 and -1. Tokens that stay (DToP, SparseViT), channels of an
    activation that are not 0 (TEAL, PowerInfer). `sparse.expand` moves them back.

    ```mlir
    func.func @tokens(%x: tensor<9x4xf32>, %mask: tensor<9xi8>, %values: tensor<5x4xf32>,
                      %positions: tensor<5xi32>) -> (tensor<5x4xf32>, tensor<5xi32>) {
      %v, %p = sparse.compact dimension = 0 ins(%x, %mask : tensor<9x4xf32>, tensor<9xi8>)
                 outs(%values, %positions : tensor<5x4xf32>, tensor<5xi32>)
                 -> tensor<5x4xf32>, tensor<5xi32>
      return %v, %p : tensor<5x4xf32>, tensor<5xi32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$dimension, AnyRankedTensor:$input, AnyRankedTensor:$mask,
                       AnyRankedTensor:$valuesInit, AnyRankedTensor:$positionsInit);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$positions);
  let assemblyFormat = [{
    `dimension` `=` $dimension `ins` `(` $input `,` $mask `:` type($input) `,` type($mask) `)`
    `outs` `(` $valuesInit `,` $positionsInit `:` type($valuesInit) `,` type($positionsInit) `)`
    attr-dict `->` type($values) `,` type($positions)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable();
  }];
}

def Sparse_ExpandOp : Sparse_SingleInitOp<"expand"> {
  let summary = "Moves slices back to their positions";
  let description = [{
    `init` with the slices of `values` along `dimension` at `positions` (i32), which ascend
    but for -1 behind the last one, as `sparse.compact` gives them. Positions outside of
    the result, or out of order, fail the call. Loops of tiles: the other dimensions.

    ```mlir
    func.func @back(%v: tensor<5x4xf32>, %p: tensor<5xi32>, %init: tensor<9x4xf32>)
        -> tensor<9x4xf32> {
      %y = sparse.expand dimension = 0 ins(%v, %p : tensor<5x4xf32>, tensor<5xi32>)
             outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
      return %y : tensor<9x4xf32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$dimension, AnyRankedTensor:$values, AnyRankedTensor:$positions,
                       AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `dimension` `=` $dimension
    `ins` `(` $values `,` $positions `:` type($values) `,` type($positions) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// The bridge to upstream's sparse tensors
//===----------------------------------------------------------------------===//

def Sparse_PackedType
    : Type<CPred<"::llvm::isa<::weft::PackedType>($_self)">, "packed tensor", "::weft::PackedType">;

class Sparse_BridgeOp<string mnemonic> : Op<Sparse_Dialect, mnemonic, [Pure]> {
  let hasVerifier = 1;
}

def Sparse_ToSparseTensorOp : Sparse_BridgeOp<"to_sparse_tensor"> {
  let summary = "A packed matrix as a tensor of the sparse_tensor dialect";
  let description = [{
    For matrices of known extents in `csr`, `csc` (without `delta`) or `coo`, of any element,
    scales and packing: the positions become those of the levels, the numbers are decoded. The
    encoding has positions of 32 bits and coordinates as wide as the structure's; that of
    `coo` is (d0 : compressed(nonunique), d1 : singleton(soa)).

    `sparse-bridge` makes `sparse_tensor.assemble` of it, for upstream's pipelines
    (`sparse_tensor.convert` gives other level maps from there). Weft's own stages have no
    sparse tensors.

    ```mlir
    func.func @there_and_back(%codes: tensor<3xi32>, %offsets: tensor<5xi32>,
                              %columns: tensor<3xi16>, %init: tensor<4x5xf32>)
        -> tensor<4x5xf32> {
      %p = weft.assemble %codes, %offsets, %columns
        : tensor<3xi32>, tensor<5xi32>, tensor<3xi16>
        -> !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
      %s = sparse.to_sparse_tensor %p
        : !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
        -> tensor<4x5xf32, #sparse_tensor.encoding<{
             map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>>
      %q = sparse.from_sparse_tensor %s
        : tensor<4x5xf32, #sparse_tensor.encoding<{
            map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>>
        -> !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
      %y = weft.unpack
        ins(%q : !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>)
        outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
      return %y : tensor<4x5xf32>
    }
    ```
  }];
  let arguments = (ins Sparse_PackedType:$packed);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$packed attr-dict `:` type($packed) `->` type($result)";
}

def Sparse_FromSparseTensorOp : Sparse_BridgeOp<"from_sparse_tensor"> {
  let summary = "A tensor of the sparse_tensor dialect as a packed matrix";
  let description = [{
    The inverse of `sparse.to_sparse_tensor`, for elements `#weft.value<T>` of the
    expressed type without scales and packing. What comes from a packed tensor of this
    type is that tensor. `sparse-bridge` makes `sparse_tensor.disassemble` of it.

    ```mlir
    func.func @back(%codes: tensor<3xi32>, %offsets: tensor<5xi32>,
                              %columns: tensor<3xi16>, %init: tensor<4x5xf32>)
        -> tensor<4x5xf32> {
      %p = weft.assemble %codes, %offsets, %columns
        : tensor<3xi32>, tensor<5xi32>, tensor<3xi16>
        -> !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
      %s = sparse.to_sparse_tensor %p
        : !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
        -> tensor<4x5xf32, #sparse_tensor.encoding<{
             map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>>
      %q = sparse.from_sparse_tensor %s
        : tensor<4x5xf32, #sparse_tensor.encoding<{
            map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>>
        -> !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
      %y = weft.unpack
        ins(%q : !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>)
        outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
      return %y : tensor<4x5xf32>
    }
    ```
  }];
  let hasFolder = 1;
  let arguments = (ins AnyRankedTensor:$tensor);
  let results = (outs Sparse_PackedType:$result);
  let assemblyFormat = "$tensor attr-dict `:` type($tensor) `->` type($result)";
}

#endif // SPARSE_OPS_TD
