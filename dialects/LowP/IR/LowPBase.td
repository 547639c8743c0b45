//===- LowPBase.td - The lowp dialect and its attributes ---*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWP_BASE_TD
#define LOWP_BASE_TD

include "dialects/LowP/IR/LowPInterfaces.td"
include "dialects/Weft/IR/WeftFormatInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def LowP_Dialect : Dialect {
  let name = "lowp";
  let cppNamespace = "::weft::lowp";
  let summary = "Low-precision numbers: elements, scales, packings and their operations";
  let description = [{
    The attributes say how numbers of few bits are stored; they are fields of
    `#weft.format`, which combines any of them with any structure. The operations
    make such numbers and take them apart.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
  let useDefaultAttributePrinterParser = 1;
}

class LowP_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<LowP_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

class LowP_Element<string name, string mnemonic, list<string> methods = [],
                   list<Trait> traits = [DeclareAttrInterfaceMethods<LowP_RangeInterface>]>
    : LowP_Attr<name, mnemonic, !listconcat(
        [DeclareAttrInterfaceMethods<Weft_ElementInterface, methods>], traits)>;

def LowP_IntElementAttr : LowP_Element<"IntElement", "int"> {
  let summary = "Codes that are integers of 1 to 8 bits";
  let description = [{
    Two's complement if signed. The number is the code less `offset`. Expressed in
    floats or in signless integers of at least 8 bits, which are read as this
    attribute says: signed or unsigned.

    ```mlir
    #lowp.int<4, signed>
    #lowp.int<4, unsigned, offset = 8>
    ```
  }];
  let parameters = (ins "unsigned":$bits, "bool":$isSigned, DefaultValuedParameter<"int64_t", "0">:$offset);
  let assemblyFormat = [{
    `<` $bits `,` custom<Signedness>($isSigned) (`,` `offset` `=` $offset^)? `>`
  }];
  let builders = [AttrBuilder<(ins "unsigned":$bits, "bool":$isSigned), [{
    return $_get($_ctxt, bits, isSigned, 0);
  }]>];
  let genVerifyDecl = 1;
}

def LowP_FloatElementAttr : LowP_Element<"FloatElement", "float"> {
  let summary = "Codes that are floats of 4 to 8 bits";
  let description = [{
    One of MLIR's types of at most 8 bits: the OCP 8-bit formats, their FNUZ
    twins, the microscaling formats, and the exponent-only `f8E8M0FNU`.

    ```mlir
    #lowp.float<f8E4M3FN>
    ```
  }];
  let parameters = (ins "::mlir::FloatType":$type);
  let assemblyFormat = "`<` $type `>`";
  let genVerifyDecl = 1;
}

def LowP_PowerElementAttr : LowP_Element<"PowerElement", "power"> {
  let summary = "Codes that are zero or signed powers of two";
  let description = [{
    The highest of the 2 to 8 bits is the sign, the others are m: the number is 0
    for m = 0, else 2^(1 - m). Multiplication is a shift (ShiftAddLLM, PoT).

    ```mlir
    #lowp.power<4>
    ```
  }];
  let parameters = (ins "unsigned":$bits);
  let assemblyFormat = "`<` $bits `>`";
  let genVerifyDecl = 1;
}

def LowP_TernaryElementAttr : LowP_Element<"TernaryElement", "ternary"> {
  let summary = "Codes 0, 1, 2 for -1, 0, 1";
  let description = [{
    Two bits a code; the code 3 is read as 0. With `pack = #lowp.trits` five codes
    share a byte (BitNet b1.58).

    ```mlir
    #lowp.ternary
    ```
  }];
}

def LowP_BinaryElementAttr : LowP_Element<"BinaryElement", "binary"> {
  let summary = "Codes 0, 1 for -1, 1";
  let description = [{
    ```mlir
    #lowp.binary
    ```
  }];
}

def LowP_TableElementAttr : LowP_Element<"TableElement", "table"> {
  let summary = "Codes that number the entries of a constant table";
  let description = [{
    2^b entries for codes of b bits, 1 to 8. Known tables have names: `nf4`
    (QLoRA's 4-bit normal float), `fp4` (that of bitsandbytes) and `iq4_nl` (ggml's).

    ```mlir
    #lowp.table<nf4>
    #lowp.table<[-1.0, -0.25, 0.25, 1.0]>
    ```
  }];
  let parameters = (ins "::mlir::DenseF32ArrayAttr":$entries);
  let extraClassDeclaration = [{
    /// The table of that name; null if there is none.
    static TableElementAttr getNamed(::mlir::MLIRContext *context, ::llvm::StringRef name);
  }];
  let assemblyFormat = "`<` custom<Table>($entries) `>`";
  let genVerifyDecl = 1;
}

def LowP_CodebookElementAttr : LowP_Element<"CodebookElement", "codebook",
    ["getNumbersPerCode", "getElementComponents", "verifyShape", "decodeAt", "encodeAt"], []> {
  let summary = "Codes that number the entries of tables that are operands";
  let description = [{
    A component `table` has 2^bits entries of `numbers` numbers each, for each
    block of the tensor (blocks as in `#lowp.scale`; `[]`: one table for all). A
    code of 1 to 16 bits stands for `numbers` neighbours along the last dimension of
    what is stored (AQLM, QuIP#, GPTVQ; with one number: SqueezeLLM, LUT-GEMM). Blocks
    consist of whole codes.

    ```mlir
    #lowp.codebook<8, 4, [], f16>
    #lowp.codebook<3, 1, [1, 0], f32>
    ```
  }];
  let parameters = (ins "unsigned":$bits, "int64_t":$numbers,
                        ArrayRefParameter<"int64_t">:$block, "::mlir::FloatType":$storage);
  let assemblyFormat = "`<` $bits `,` $numbers `,` custom<Block>($block) `,` $storage `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

def LowP_Role : I32EnumAttr<"Role", "What a parameter does with a number", [
    I32EnumAttrCase<"Multiply", 0, "multiply">,
    I32EnumAttrCase<"ZeroPoint", 1, "zero_point">,
    I32EnumAttrCase<"Minimum", 2, "minimum">,
    I32EnumAttrCase<"Offset", 3, "offset">]> {
  let cppNamespace = "::weft::lowp";
}

def LowP_ScaleAttr : LowP_Attr<"Scale", "scale",
    [DeclareAttrInterfaceMethods<Weft_ScaleInterface, ["isOfStored", "verifyConstants"]>]> {
  let summary = "A parameter for each block of numbers";
  let description = [{
    `role` says what is done with a number x and the parameter p of its block:
    `multiply` x * p, `zero_point` and `minimum` x - p (before and after it is
    multiplied), `offset` x + p.

    `block` gives the extent of a block in each dimension; 0 is all of the
    dimension. `[]` is one block for the whole tensor. One entry for a tensor of
    several dimensions cuts the row-major elements into blocks. The last block of a
    dimension can be smaller. The parameters are a tensor with one element a block
    (of rank 0 for `[]`), stored as a float type, or in a format of their own, which
    can have scales again.

    Instead, `value` is one constant parameter. With `stored`, blocks are those of
    the stored numbers, where a structure stores only some.

    | method | scales |
    |---|---|
    | per tensor, per channel | `[]`, `[1, 0]` |
    | ONNX MatMulNBits, AWQ | zero_point `[1, 32]` as u4, multiply `[1, 32]` as f16 |
    | GGUF Q4_K | multiply `[1, 32]` as u6 scaled by f16 `[1, 8]`; minimum the same |
    | MXFP4 | multiply `[1, 32]` as f8E8M0FNU |
    | NVFP4 | multiply `[1, 16]` as f8E4M3FN, multiply `[]` as f32 |
    | NF4, double quantization | multiply `[64]` as i8 scaled by f32 `[256]` and offset |
    | HQQ | zero_point `[1, 64]` as u8 with a scale of its own |
    | tinygemm | zero_point 8.0, multiply, offset `[1, 64]` as bf16 |

    ```mlir
    #lowp.scale<multiply, [1, 32], f16>
    #lowp.scale<zero_point, [1, 32], #weft.format<elem = #lowp.int<4, unsigned>>>
    #lowp.scale<zero_point, 8.0>
    #lowp.scale<multiply, [1, 16], f16, stored>
    ```
  }];
  let parameters = (ins "::weft::lowp::Role":$role, ArrayRefParameter<"int64_t">:$block,
                        "::mlir::Attribute":$storage, "::mlir::FloatAttr":$value, "bool":$stored);
  let builders = [
    AttrBuilder<(ins "::weft::lowp::Role":$role, "::llvm::ArrayRef<int64_t>":$block,
                     "::mlir::Attribute":$storage), [{
      return $_get($_ctxt, role, block, storage, ::mlir::FloatAttr(), false);
    }]>,
    AttrBuilder<(ins "::weft::lowp::Role":$role, "double":$value), [{
      return $_get($_ctxt, role, ::llvm::ArrayRef<int64_t>(), ::mlir::Attribute(),
                   ::mlir::FloatAttr::get(::mlir::Float64Type::get($_ctxt), value), false);
    }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Packings
//===----------------------------------------------------------------------===//

class LowP_Pack<string name, string mnemonic>
    : LowP_Attr<name, mnemonic, [DeclareAttrInterfaceMethods<Weft_PackInterface>]>;

def LowP_WordsPackAttr : LowP_Pack<"WordsPack", "words"> {
  let summary = "Codes in words along a dimension";
  let description = [{
    Along `axis`, codes fill words of 8, 16 or 32 bits, lowest bits first, also
    across words. The extent of the component there is the number of words; its
    other extents are the tensor's. Extents are filled up to a multiple of
    `multiple` codes, which is at least what makes whole words. `order` permutes
    each group of as many codes: slot i holds code order[i].

    | layout | pack |
    |---|---|
    | GPTQ | `axis = 0, word = 32` |
    | AWQ | `axis = 1, word = 32, order = [0, 2, 4, 6, 1, 3, 5, 7]` |
    | ONNX MatMulNBits, blocks of 32 | `axis = 1, word = 8, multiple = 32` |
    | bitsandbytes | `axis = 1, word = 8, order = [1, 0]` |
    | GGUF Q4_0 | `axis = 1, word = 8, order = [0, 16, 1, 17, ...]` |

    ```mlir
    #lowp.words<axis = 1, word = 8, multiple = 32>
    ```
  }];
  let parameters = (ins "unsigned":$axis, "unsigned":$word,
                        DefaultValuedParameter<"int64_t", "1">:$multiple,
                        OptionalArrayRefParameter<"int64_t">:$order);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def LowP_TritsPackAttr : LowP_Pack<"TritsPack", "trits"> {
  let summary = "Five codes below 3 in a byte";
  let description = [{
    The row-major codes c in groups of five make the bytes c0 + 3 c1 + 9 c2 + 27 c3
    + 81 c4.

    ```mlir
    #weft.format<elem = #lowp.ternary, pack = #lowp.trits>
    ```
  }];
}

def LowP_PlanesPackAttr : LowP_Pack<"PlanesPack", "planes"> {
  let summary = "Codes whose bits are in several streams";
  let description = [{
    A component for each of `widths`, which add up to the bits of a code, lowest
    first; each is a canonical stream (GGUF Q5_0: 4 and 1, Q6_K: 4 and 2; bit-serial
    kernels: all 1).

    ```mlir
    #lowp.planes<[4, 2]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"unsigned">:$widths);
  let assemblyFormat = "`<` `[` $widths `]` `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Bases
//===----------------------------------------------------------------------===//

def LowP_PermutationAttr : LowP_Attr<"Permutation", "permutation"> {
  let summary = "Numbers along a dimension in another order";
  let description = [{
    Position j has the number that was at p[j]. Permutations of one name are one;
    `lowp.rotate` is given its indices (GPTQ's act-order).

    ```mlir
    #lowp.permutation<"layer0.order">
    ```
  }];
  let parameters = (ins StringRefParameter<>:$name);
  let assemblyFormat = "`<` $name `>`";
}

def LowP_DiagonalAttr : LowP_Attr<"Diagonal", "diagonal"> {
  let summary = "Numbers along a dimension times factors";
  let description = [{
    What it is contracted with is divided by them (SmoothQuant, AWQ). Diagonals of
    one name are one; `lowp.rotate` is given the factors.

    ```mlir
    #lowp.diagonal<"layer0.smooth">
    ```
  }];
  let parameters = (ins StringRefParameter<>:$name);
  let assemblyFormat = "`<` $name `>`";
}

def LowP_HadamardAttr : LowP_Attr<"Hadamard", "hadamard"> {
  let summary = "Numbers along a dimension times Hadamard matrices";
  let description = [{
    Each `size` neighbours are multiplied by a Hadamard matrix over sqrt(size), which
    makes it orthogonal (QuaRot, QuIP#). The size is a power of two, or that times
    the order of a Paley matrix up to 60: 12, 20, 28, 36, 44, 60. With a name, each
    number is multiplied by a sign before; signs of one name are one, and
    `lowp.rotate` is given them.

    ```mlir
    #lowp.hadamard<128>
    #lowp.hadamard<28, "layer0.signs">
    ```
  }];
  let parameters = (ins "int64_t":$size, OptionalParameter<"::mlir::StringAttr">:$signs);
  let assemblyFormat = "`<` $size (`,` $signs^)? `>`";
  let genVerifyDecl = 1;
}

def LowP_BasesAttr : LowP_Attr<"Bases", "bases"> {
  let summary = "One basis after the other";
  let description = [{
    ```mlir
    #lowp.bases<[#lowp.diagonal<"smooth">, #lowp.hadamard<64>]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::Attribute">:$parts);
  let assemblyFormat = "`<` `[` $parts `]` `>`";
  let genVerifyDecl = 1;
}

def LowP_InBasisAttr : LowP_Attr<"InBasis", "in_basis",
    [DeclareAttrInterfaceMethods<Weft_FormatInterface,
      ["getBasis", "decodeTile", "decode", "getParameters"]>]> {
  let summary = "A format for numbers that are transformed along a dimension";
  let description = [{
    Stores as `format` does; the numbers are those after `lowp.rotate` along `axis`.
    `weft.contract` along it takes only another factor in the same basis, which makes
    a forgotten or doubled rotation an error.

    ```mlir
    #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 1, #lowp.hadamard<64>>
    ```
  }];
  let parameters = (ins "::weft::FormatInterface":$format, "unsigned":$axis,
                        "::mlir::Attribute":$basis);
  let assemblyFormat = "`<` $format `,` $axis `,` $basis `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// What operations do
//===----------------------------------------------------------------------===//

def LowP_Method : I32EnumAttr<"Method", "How the parameters of a format are found", [
    I32EnumAttrCase<"AbsMax", 0, "absmax">,
    I32EnumAttrCase<"MinMax", 1, "min_max">,
    I32EnumAttrCase<"MXFloor", 2, "mx_floor">,
    I32EnumAttrCase<"MXCeil", 3, "mx_ceil">,
    I32EnumAttrCase<"MXRCeil", 4, "mx_rceil">,
    I32EnumAttrCase<"MXEven", 5, "mx_even">]> {
  let cppNamespace = "::weft::lowp";
}

def LowP_Statistic : I32EnumAttr<"Statistic", "What is observed of the numbers of a block", [
    I32EnumAttrCase<"Min", 0, "min">,
    I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"AbsMax", 2, "absmax">,
    I32EnumAttrCase<"Sum", 3, "sum">,
    I32EnumAttrCase<"SumOfSquares", 4, "sum_of_squares">]> {
  let cppNamespace = "::weft::lowp";
}

#endif // LOWP_BASE_TD
