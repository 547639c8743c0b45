//===- WeftPackedOps.td - Operations on packed tensors -----*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PACKED_OPS_TD
#define WEFT_PACKED_OPS_TD

include "dialects/Weft/IR/WeftFormats.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Weft_PackedOp<string mnemonic, list<Trait> traits = []>
    : Op<Weft_Dialect, mnemonic, !listconcat([Pure], traits)>;

def Weft_Rounding : I32EnumAttr<"Rounding", "To which neighbour a number is rounded", [
    I32EnumAttrCase<"NearestEven", 0, "nearest_even">,
    I32EnumAttrCase<"Up", 1, "up">,
    I32EnumAttrCase<"Down", 2, "down">]> {
  let cppNamespace = "::weft";
}

def Weft_AssembleOp : Weft_PackedOp<"assemble"> {
  let summary = "Component tensors as a packed tensor";
  let description = [{
    Does no work. The components have the types that the format gives for the
    logical shape; extents of dynamic ones must agree with it.

    ```mlir
    !packed = !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>

    func.func @assemble(%codes: tensor<8xi8>, %init: tensor<3x5xi8>) -> tensor<3x5xi8> {
      %p = weft.assemble %codes : tensor<8xi8> -> !packed
      %y = weft.unpack ins(%p : !packed) outs(%init : tensor<3x5xi8>) -> tensor<3x5xi8>
      return %y : tensor<3x5xi8>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$components);
  let results = (outs Weft_PackedType:$result);
  let hasVerifier = 1;
  let assemblyFormat = "$components attr-dict `:` type($components) `->` type($result)";
}

def Weft_DisassembleOp : Weft_PackedOp<"disassemble"> {
  let summary = "The component tensors of a packed tensor";
  let description = [{
    Does no work.

    ```mlir
    !packed = !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>

    func.func @codes(%x: tensor<3x5xi8>) -> tensor<8xi8> {
      %p = weft.pack %x : tensor<3x5xi8> -> !packed
      %codes = weft.disassemble %p : !packed -> tensor<8xi8>
      return %codes : tensor<8xi8>
    }
    ```
  }];
  let arguments = (ins Weft_PackedType:$packed);
  let results = (outs Variadic<AnyRankedTensor>:$components);
  let hasVerifier = 1;
  let hasFolder = 1;
  let assemblyFormat = "$packed attr-dict `:` type($packed) `->` type($components)";
}

def Weft_UnpackOp : Weft_PackedOp<"unpack", [DestinationStyleOpInterface, Weft_LoopTiling,
    DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Decodes a packed tensor";
  let description = [{
    The numbers of `packed` in its expressed element type. Loops of tiles: all dimensions; a
    tile is what the format decodes of it, in any format.

    ```mlir
    !nf4 = !weft.packed<3x64xf32, #weft.format<elem = #lowp.table<nf4>,
                                               scales = [#lowp.scale<multiply, [1, 32], f32>]>>

    func.func @unpack(%codes: tensor<96xi8>, %scales: tensor<3x2xf32>, %init: tensor<3x64xf32>)
        -> tensor<3x64xf32> {
      %p = weft.assemble %codes, %scales : tensor<96xi8>, tensor<3x2xf32> -> !nf4
      %y = weft.unpack ins(%p : !nf4) outs(%init : tensor<3x64xf32>) -> tensor<3x64xf32>
      return %y : tensor<3x64xf32>
    }
    ```
  }];
  let arguments = (ins Weft_PackedType:$packed, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    `ins` `(` $packed `:` type($packed) `)` `outs` `(` $init `:` type($init) `)`
    attr-dict `->` type($result)
  }];
  let extraClassDeclaration = !strconcat([{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }], tilingDeclaration);
  let extraClassDefinition = tilingQueries;
}

def Weft_PackOp : Weft_PackedOp<"pack", [DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>]> {
  let summary = "Encodes a tensor of numbers";
  let description = [{
    Rounds to the nearest number of the format, ties to even; numbers beyond the
    largest, infinities too, saturate. With `overflow` they become infinity where
    the elements have it, else NaN where they have that, and integers keep their
    low bits. NaN stays NaN, or becomes 0 where the elements have none.
    Elements that are powers of two only can be rounded `up` or `down` instead.

    Scales, zero points and tables of the format are not computed but given:
    `parameters`, in the order of the components. `lowp.quantize` computes them.

    ```mlir
    !scaled = !weft.packed<3x64xf32, #weft.format<elem = #lowp.int<4, signed>,
                                                  scales = [#lowp.scale<multiply, [1, 32], f32>]>>

    func.func @pack(%x: tensor<3x64xf32>, %scales: tensor<3x2xf32>, %init: tensor<3x64xf32>)
        -> tensor<3x64xf32> {
      %p = weft.pack %x parameters(%scales : tensor<3x2xf32>) : tensor<3x64xf32> -> !scaled
      %y = weft.unpack ins(%p : !scaled) outs(%init : tensor<3x64xf32>) -> tensor<3x64xf32>
      return %y : tensor<3x64xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$numbers, Variadic<AnyRankedTensor>:$parameters,
                       UnitAttr:$overflow,
                       DefaultValuedAttr<Weft_Rounding, "::weft::Rounding::NearestEven">:$rounding);
  let results = (outs Weft_PackedType:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$numbers,
      CArg<"bool", "false">:$overflow,
      CArg<"::weft::Rounding", "::weft::Rounding::NearestEven">:$rounding), [{
    build($_builder, $_state, result, numbers, ::mlir::ValueRange(), overflow, rounding);
  }]>];
  let hasVerifier = 1;
  let assemblyFormat = [{
    $numbers (`parameters` `(` $parameters^ `:` type($parameters) `)`)?
    (`overflow` $overflow^)? (`round` $rounding^)? attr-dict
    `:` type($numbers) `->` type($result)
  }];
  let extraClassDeclaration = [{
    ::weft::EncodeOptions getOptions() { return {!getOverflow(), getRounding()}; }
  }];
}

def Weft_RepackOp : Weft_PackedOp<"repack", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>]> {
  let summary = "A packed tensor in another format";
  let description = [{
    The same numbers, of the same logical shape, in the format of the result. `sizes`
    are the dynamic extents. Where both formats differ in `pack` only, the codes are
    moved as they are; else numbers are decoded and encoded as `weft.pack` does it.

    `parameters` are those of `weft.pack`. Without them the operand's are taken over:
    its components of the same names and types.

    ```mlir
    !weight = !weft.packed<6x64xf32, #weft.format<elem = #lowp.int<4, unsigned, offset = 8>,
      scales = [#lowp.scale<multiply, [1, 32], f32>], pack = #lowp.words<axis = 1, word = 8>>>
    !planes = !weft.packed<6x64xf32, #weft.format<elem = #lowp.int<4, unsigned, offset = 8>,
      scales = [#lowp.scale<multiply, [1, 32], f32>], pack = #lowp.planes<[2, 2]>>>

    func.func @repack(%codes: tensor<6x32xi8>, %scale: tensor<6x2xf32>, %init: tensor<6x64xf32>)
        -> tensor<6x64xf32> {
      %p = weft.assemble %codes, %scale : tensor<6x32xi8>, tensor<6x2xf32> -> !weight
      %q = weft.repack %p : !weight -> !planes
      %y = weft.unpack ins(%q : !planes) outs(%init : tensor<6x64xf32>) -> tensor<6x64xf32>
      return %y : tensor<6x64xf32>
    }
    ```
  }];
  let arguments = (ins Weft_PackedType:$packed, Variadic<Index>:$sizes,
                       Variadic<AnyRankedTensor>:$parameters, UnitAttr:$overflow,
                       DefaultValuedAttr<Weft_Rounding, "::weft::Rounding::NearestEven">:$rounding);
  let results = (outs Weft_PackedType:$result);
  let hasVerifier = 1;
  let hasFolder = 1;
  let assemblyFormat = [{
    $packed (`[` $sizes^ `]`)? (`parameters` `(` $parameters^ `:` type($parameters) `)`)?
    (`overflow` $overflow^)? (`round` $rounding^)? attr-dict
    `:` type($packed) `->` type($result)
  }];
  let extraClassDeclaration = [{
    ::weft::EncodeOptions getOptions() { return {!getOverflow(), getRounding()}; }
  }];
}

#endif // WEFT_PACKED_OPS_TD
