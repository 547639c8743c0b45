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
    [DeclareAttrInterfaceMethods<Weft_FormatInterface, ["decodeTile", "getParameters"]>]> {
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
