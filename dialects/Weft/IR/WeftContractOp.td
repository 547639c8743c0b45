//===- WeftContractOp.td - The contraction -----------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

def Weft_ContractOp : Weft_TensorOp<"contract"> {
  let summary = "A sum of products of two operands, dense or packed";
  let description = [{
    Matrix products of any kind: batched, transposed, with several contracted
    dimensions. `indexing_maps` are those of the operands in their order (`lhs`,
    `rhs`, `bias` where there is one, `init`) as of a `linalg.generic`: loops that
    the map of `init` lacks are contracted. Each map is a projected permutation,
    which may be 0 in dimensions of extent 1 (broadcast). With y for `init`,

        result = y + bias + sum over contracted loops of lhs * rhs.

    Factors and bias widen to the element type of `init`, in which is accumulated;
    integers by their sign unless `unsigned_lhs` or `unsigned_rhs` says otherwise.
    Floating-point sums can be taken in any order and a product be added without
    being rounded; the order depends on shapes only. Integers wrap around.

    `compute` says which types are computed in, where it is not the factors' and
    `init`'s.

    A factor can be packed. It stands for its logical shape in its expressed
    element type, and no pass has to make a tensor of these numbers.

    Loops of tiles: those of the maps. Tiles of contracted loops add up in the init, which a
    bias does not allow; a packed factor that a tile has not all of is decoded for the tile.

    Exists from stage `model`, where `weft-raise-contractions` makes it of whatever
    contracts, to `tile`, where it becomes a `linalg.generic` in its kernel
    (`weft-lower-to-reference`). From `fuse` on, packed factors are assembled of
    their components in the kernel.

    ```mlir
    #lhs = affine_map<(m, n, k) -> (m, k)>
    #rhs = affine_map<(m, n, k) -> (k, n)>
    #bias = affine_map<(m, n, k) -> (n)>
    #result = affine_map<(m, n, k) -> (m, n)>
    !weight = !weft.packed<8x5xi8, #weft.format<elem = #lowp.int<4, signed>>>

    func.func @linear(%x: tensor<3x8xi8>, %codes: tensor<20xi8>, %b: tensor<5xi32>,
                      %init: tensor<3x5xi32>) -> tensor<3x5xi32> {
      %w = weft.assemble %codes : tensor<20xi8> -> !weight
      %y = weft.contract unsigned_lhs indexing_maps = [#lhs, #rhs, #bias, #result]
             ins(%x, %w : tensor<3x8xi8>, !weight) bias(%b : tensor<5xi32>)
             outs(%init : tensor<3x5xi32>) -> tensor<3x5xi32>
      return %y : tensor<3x5xi32>
    }
    ```
  }];
  let arguments = (ins AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$lhs,
                       AnyTypeOf<[AnyRankedTensor, Weft_PackedType]>:$rhs,
                       Optional<AnyRankedTensor>:$bias, AnyRankedTensor:$init,
                       AffineMapArrayAttr:$indexingMaps,
                       UnitAttr:$unsignedLhs, UnitAttr:$unsignedRhs,
                       OptionalAttr<Weft_ComputeAttr>:$compute);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDefinition = tilingQueries;
  let assemblyFormat = [{
    (`unsigned_lhs` $unsignedLhs^)? (`unsigned_rhs` $unsignedRhs^)?
    (`compute` `=` $compute^)? `indexing_maps` `=` $indexingMaps
    `ins` `(` $lhs `,` $rhs `:` type($lhs) `,` type($rhs) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict `->` type($result)
  }];
  let extraClassDeclaration = dpsDeclaration # [{
    /// The indexing map of an operand.
    ::mlir::AffineMap getMap(::mlir::OpOperand &operand);
    ::mlir::AffineMap getLhsMap() { return getMap(getLhsMutable()); }
    ::mlir::AffineMap getRhsMap() { return getMap(getRhsMutable()); }
    ::mlir::AffineMap getResultMap() { return getMap(getInitMutable()); }
    unsigned getNumLoops() { return getResultMap().getNumDims(); }
    bool isContracted(unsigned loop) { return !getResultMap().isFunctionOfDim(loop); }
    /// The extents of the loops as far as types tell.
    ::llvm::SmallVector<int64_t> getStaticLoopRanges();
  }];
}
