//===- WeftFormats.td - Packed tensors and their formats ---*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FORMATS_TD
#define WEFT_FORMATS_TD

include "dialects/Weft/IR/WeftBase.td"
include "dialects/Weft/IR/WeftFormatInterfaces.td"
include "mlir/IR/BuiltinTypeInterfaces.td"

def Weft_LeafFormatAttr : Weft_Attr<"LeafFormat", "format",
    [DeclareAttrInterfaceMethods<Weft_FormatInterface,
        ["decodeTile", "getParameters", "verifyConstants"]>]> {
  let summary = "A format composed of fields";
  let description = [{
    Four fields, each an attribute of its own, that combine freely:

    - `elem` says what a code means;
    - `scales` what is done, in this order, with the number that a code means;
    - `structure` which numbers are stored; all others are 0;
    - `pack` where the codes lie.

    A number is computed in f32, or in the expressed type if that is f64 or an
    integer, and rounded once to the expressed type. Components come in the order
    codes, tensors of the elements, tensors of the structure, tensors of the scales.

    Without `structure` all numbers are stored. Without `pack` codes lie
    canonically: those of 8 or 16 bits one by one in the stored shape; others as a
    stream of bits along the row-major elements, lowest bits first, into
    ceil(elements * bits / 8) bytes. Bits after the last element are written as 0
    and not read.

    ```mlir
    #weft.format<elem = #lowp.int<4, unsigned>,
                 scales = [#lowp.scale<zero_point, 8.0>, #lowp.scale<multiply, [1, 32], f16>],
                 structure = #sparse.nm<2, 4>>
    ```
  }];
  let parameters = (ins "::weft::ElementInterface":$elem,
                        OptionalArrayRefParameter<"::weft::ScaleInterface">:$scales,
                        OptionalParameter<"::weft::StructureInterface">:$structure,
                        OptionalParameter<"::weft::PackInterface">:$pack);
  let builders = [AttrBuilder<(ins "::weft::ElementInterface":$elem), [{
    return $_get($_ctxt, elem, ::llvm::ArrayRef<::weft::ScaleInterface>(),
                 ::weft::StructureInterface(), ::weft::PackInterface());
  }]>];
  let hasCustomAssemblyFormat = 1;
}

def Weft_ValueElementAttr : Weft_Attr<"ValueElement", "value",
    [DeclareAttrInterfaceMethods<Weft_ElementInterface>]> {
  let summary = "Codes that are numbers of an ordinary type";
  let description = [{
    The bits of f16, bf16, f32, f64, i8, i16, i32 or i64: for structures of numbers
    that are not compressed themselves. Expressed in the same type, or a wider one
    of its kind (integers are signed). Where a number is expressed in the same type
    it is stored as it is; others are rounded and saturate.

    ```mlir
    #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i32>>
    ```
  }];
  let parameters = (ins "::mlir::Type":$type);
  let assemblyFormat = "`<` $type `>`";
  let genVerifyDecl = 1;
}

class Weft_CompositeFormat<string name, string mnemonic, list<string> methods = []>
    : Weft_Attr<name, mnemonic, [DeclareAttrInterfaceMethods<Weft_FormatInterface, methods>]>;

def Weft_DenseFormatAttr : Weft_CompositeFormat<"DenseFormat", "dense"> {
  let summary = "Numbers as they are";
  let description = [{
    A component `numbers` of the logical shape: of the expressed type, or of `storage`,
    which is the same or a narrower type of its kind. The leaf of composite formats.

    ```mlir
    #weft.dense
    #weft.dense<f16>
    ```
  }];
  let parameters = (ins OptionalParameter<"::mlir::Type">:$storage);
  let assemblyFormat = "(`<` $storage^ `>`)?";
  let genVerifyDecl = 1;
}

def Weft_SumFormatAttr
    : Weft_CompositeFormat<"SumFormat", "sum", ["verifyConstants"]> {
  let summary = "A sum of tensors in formats of their own";
  let description = [{
    Added in order, in f32 where f16 or bf16 is expressed, and rounded once. Dense
    and outliers (SpQR, SqueezeLLM), a base and a low-rank term (LoRA, SLoPe, LQER),
    binary codes (BCQ), several codebooks (AQLM).

    ```mlir
    #weft.sum<[#weft.format<elem = #lowp.int<4, signed>>, #weft.low_rank<16, #weft.dense, #weft.dense>]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::weft::FormatInterface">:$terms);
  let assemblyFormat = "`<` custom<Terms>($terms) `>`";
  let genVerifyDecl = 1;
}

def Weft_LowRankFormatAttr
    : Weft_CompositeFormat<"LowRankFormat", "low_rank", ["verifyConstants"]> {
  let summary = "A product of two thin matrices";
  let description = [{
    For the last two dimensions M x N: `left` stores M x rank, `right` rank x N.
    Leading dimensions are both factors' (experts).

    ```mlir
    #weft.low_rank<16, #weft.dense<f16>, #weft.dense<f16>>
    ```
  }];
  let parameters = (ins "int64_t":$rank, "::weft::FormatInterface":$left,
                        "::weft::FormatInterface":$right);
  let assemblyFormat = "`<` $rank `,` $left `,` $right `>`";
  let genVerifyDecl = 1;
  let genVerifyDecl = 1;
}

def Weft_KronFormatAttr : Weft_CompositeFormat<"KronFormat", "kron", ["verifyConstants"]> {
  let summary = "A Kronecker product of two matrices";
  let description = [{
    For the last two dimensions M x N: `left` stores rows x columns, `right` (M/rows)
    x (N/columns), and number (i, j) is that of `left` at (i / (M/rows), j /
    (N/columns)) times that of `right` at the remainders. Leading dimensions are both
    factors'.

    ```mlir
    #weft.kron<[8, 16], #weft.dense, #weft.dense>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::weft::FormatInterface":$left,
                        "::weft::FormatInterface":$right);
  let assemblyFormat = "`<` `[` $rows `,` $columns `]` `,` $left `,` $right `>`";
  let genVerifyDecl = 1;
  let genVerifyDecl = 1;
}

def Weft_ButterflyFormatAttr
    : Weft_CompositeFormat<"ButterflyFormat", "butterfly", ["verifyConstants"]> {
  let summary = "A product of butterfly factors";
  let description = [{
    For the last two dimensions N x N, N = 2^L: the product B(L-1) ... B(0), where
    B(l) mixes the pairs of positions that differ in bit l (Dao et al. 2019).
    `factors` stores L x N/2 x 2 x 2: the number of B(l) at the pair p, row and column
    in the pair. p is the position without bit l.

    ```mlir
    #weft.butterfly<#weft.dense<f16>>
    ```
  }];
  let parameters = (ins "::weft::FormatInterface":$factors);
  let assemblyFormat = "`<` $factors `>`";
}

def Weft_MonarchFormatAttr
    : Weft_CompositeFormat<"MonarchFormat", "monarch", ["verifyConstants"]> {
  let summary = "Two block-diagonal matrices with a permutation between";
  let description = [{
    For the last two dimensions M x N: `right` has `blocks` blocks, each of which maps
    N/blocks numbers to `groups`; `left` has `groups` blocks, each of which maps the
    numbers that it has of each block to M/groups (Dao et al. 2022). `left` stores
    groups x M/groups x blocks, `right` blocks x groups x N/blocks. Number (u * groups
    + v, k * N/blocks + j) is left[v, u, k] * right[k, v, j].

    ```mlir
    #weft.monarch<[4, 4], #weft.dense, #weft.dense>
    ```
  }];
  let parameters = (ins "int64_t":$blocks, "int64_t":$groups, "::weft::FormatInterface":$left,
                        "::weft::FormatInterface":$right);
  let assemblyFormat = "`<` `[` $blocks `,` $groups `]` `,` $left `,` $right `>`";
  let genVerifyDecl = 1;
  let genVerifyDecl = 1;
}

def Weft_ToeplitzFormatAttr
    : Weft_CompositeFormat<"ToeplitzFormat", "toeplitz", ["verifyConstants"]> {
  let summary = "Numbers that depend on the difference of row and column";
  let description = [{
    For the last two dimensions M x N: `diagonals` stores M + N - 1 numbers; number
    (i, j) is that at i - j + N - 1.

    ```mlir
    #weft.toeplitz<#weft.dense>
    ```
  }];
  let parameters = (ins "::weft::FormatInterface":$diagonals);
  let assemblyFormat = "`<` $diagonals `>`";
}

def Weft_CirculantFormatAttr
    : Weft_CompositeFormat<"CirculantFormat", "circulant", ["verifyConstants"]> {
  let summary = "Blocks whose columns are rotations of their first one";
  let description = [{
    For the last two dimensions M x N: in blocks of b x b, b being `block`, or M where
    there is none. `columns` stores M/b x N/b x b (the last blocks can be cut off), and
    number (i, j) is that at (i / b, j / b, (i - j) mod b) (CirCNN, C-LSTM).

    ```mlir
    #weft.circulant<#weft.dense>
    #weft.circulant<block = 8, #weft.dense>
    ```
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "0">:$block,
                        "::weft::FormatInterface":$columns);
  let assemblyFormat = "`<` (`block` `=` $block^ `,` ` `)? $columns `>`";
  let genVerifyDecl = 1;
  let genVerifyDecl = 1;
}

def Weft_PackedType : TypeDef<Weft_Dialect, "Packed", [ShapedTypeInterface]> {
  let mnemonic = "packed";
  let summary = "A tensor of numbers in a storage format";
  let description = [{
    A logical shape, the element type in which its numbers are expressed, and
    the format that stores them. Exists from `input` to `fuse`, where it becomes
    its component tensors.

    ```mlir
    !weft.packed<4096x11008xbf16, #weft.format<elem = #lowp.int<4, signed>>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape,
                        "::mlir::Type":$elementType, "::weft::FormatInterface":$format);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "::llvm::ArrayRef<int64_t>":$shape,
      "::mlir::Type":$elementType, "::weft::FormatInterface":$format), [{
    return $_get(elementType.getContext(), shape, elementType, format);
  }]>];
  let extraClassDeclaration = [{
    bool hasRank() const { return true; }
    PackedType cloneWith(std::optional<::llvm::ArrayRef<int64_t>> shape,
                         ::mlir::Type elementType) const;
    /// The types of the component tensors.
    ::llvm::SmallVector<::mlir::RankedTensorType> getComponentTypes() const;
    /// The extents of each component for logical extents `dims`; null where data
    /// decides.
    ::llvm::SmallVector<::llvm::SmallVector<::mlir::OpFoldResult>>
    getComponentSizes(::mlir::OpBuilder &builder, ::mlir::Location loc,
                      ::llvm::ArrayRef<::mlir::OpFoldResult> dims) const;
  }];
}

#endif // WEFT_FORMATS_TD
