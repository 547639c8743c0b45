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

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

def Weft_IntElementAttr : Weft_Attr<"IntElement", "int",
    [DeclareAttrInterfaceMethods<Weft_ElementInterface>]> {
  let summary = "Codes that are integers of 1 to 8 bits";
  let description = [{
    Two's complement if signed. Expressed in floats or in signless integers of at
    least 8 bits, which are read as this attribute says: signed or unsigned.

    ```mlir
    #weft.int<4, signed>
    ```
  }];
  let parameters = (ins "unsigned":$bits, "bool":$isSigned);
  let assemblyFormat = "`<` $bits `,` custom<Signedness>($isSigned) `>`";
  let genVerifyDecl = 1;
}

def Weft_FloatElementAttr : Weft_Attr<"FloatElement", "float",
    [DeclareAttrInterfaceMethods<Weft_ElementInterface>]> {
  let summary = "Codes that are floats of 4 to 8 bits";
  let description = [{
    One of MLIR's types of at most 8 bits: the OCP 8-bit formats, their FNUZ
    twins, the microscaling formats, and the exponent-only `f8E8M0FNU`.

    ```mlir
    #weft.float<f8E4M3FN>
    ```
  }];
  let parameters = (ins "::mlir::FloatType":$type);
  let assemblyFormat = "`<` $type `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

def Weft_LeafFormatAttr : Weft_Attr<"LeafFormat", "format",
    [DeclareAttrInterfaceMethods<Weft_FormatInterface>]> {
  let summary = "A format composed of fields";
  let description = [{
    `elem` says what a code means. Codes are packed canonically: those of 8 bits
    one to a byte in the logical shape; narrower ones as a stream of bits along
    the row-major elements, lowest bits first, into ceil(elements * bits / 8)
    bytes. Bits after the last element are written as 0 and not read.

    ```mlir
    #weft.format<elem = #weft.int<4, signed>>
    ```
  }];
  let parameters = (ins "::weft::ElementInterface":$elem);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Weft_PackedType : TypeDef<Weft_Dialect, "Packed", [ShapedTypeInterface]> {
  let mnemonic = "packed";
  let summary = "A tensor of numbers in a storage format";
  let description = [{
    A logical shape, the element type in which its numbers are expressed, and
    the format that stores them. Exists from `input` to `fuse`, where it becomes
    its component tensors.

    ```mlir
    !weft.packed<4096x11008xbf16, #weft.format<elem = #weft.int<4, signed>>>
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
    /// The extents of each component for logical extents `dims`.
    ::llvm::SmallVector<::llvm::SmallVector<::mlir::OpFoldResult>>
    getComponentSizes(::mlir::OpBuilder &builder, ::mlir::Location loc,
                      ::llvm::ArrayRef<::mlir::OpFoldResult> dims) const;
  }];
}

#endif // WEFT_FORMATS_TD
