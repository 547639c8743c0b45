//===- WeftFormatInterfaces.td - What formats are asked ----*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FORMAT_INTERFACES_TD
#define WEFT_FORMAT_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Weft_ElementInterface : AttrInterface<"ElementInterface"> {
  let description = [{
    What a code of up to 64 bits means as a number: the field `elem` of
    `#weft.format`. Codes are signless integers of 8 bits, or of 16, 32 or 64 where
    they have more, with zeros above the code's bits.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<"Bits of a code: 1 to 16, 32 or 64.", "unsigned", "getBits", (ins)>,
    InterfaceMethod<[{
      How many numbers one code stands for: neighbours along the last stored
      dimension, whose extent they divide unless data decides it. The position that
      decodeAt is given has a last index that says which of them, modulo their count.
    }], "int64_t", "getNumbersPerCode", (ins), [{}], [{ return 1; }]>,
    InterfaceMethod<[{
      Tensors that the meaning of codes is looked up in. `type` has the logical
      shape.
    }], "::llvm::SmallVector<::weft::FormatComponent>", "getElementComponents",
    (ins "::mlir::ShapedType":$type), [{}], [{ return {}; }]>,
    InterfaceMethod<[{
      Whether all numbers are exact in element type `type`; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyExpressed",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::mlir::Type":$type)>,
    InterfaceMethod<[{
      Whether tensors of this shape can have such elements; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyShape",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::llvm::ArrayRef<int64_t>":$shape), [{}], [{ return ::mlir::success(); }]>,
    InterfaceMethod<[{
      Whether numbers can be encoded, and `options` says nothing that these
      numbers do not have; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyOptions",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "const ::weft::EncodeOptions &":$options)>,
    InterfaceMethod<[{
      The numbers of codes, of element type `type`; scalars, or vectors where
      nothing has to be looked up.
    }], "::mlir::Value", "decode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$codes, "::mlir::Type":$type)>,
    InterfaceMethod<[{
      The number at a position, from the code that stands for it. The components
      are those of the element.
    }], "::mlir::Value", "decodeAt",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$code, "::mlir::Type":$type,
         "const ::weft::PackedPosition &":$at), [{}], [{
      return $_attr.decode(builder, loc, code, type);
    }]>,
    InterfaceMethod<"The codes of numbers; scalars or vectors.",
    "::mlir::Value", "encode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$numbers, "const ::weft::EncodeOptions &":$options)>,
    InterfaceMethod<[{
      The code of the number at a position. The components are those of the
      element.
    }], "::mlir::Value", "encodeAt",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$number, "const ::weft::PackedPosition &":$at,
         "const ::weft::EncodeOptions &":$options), [{}], [{
      return $_attr.encode(builder, loc, number, options);
    }]>
  ];
}

def Weft_ScaleInterface : AttrInterface<"ScaleInterface"> {
  let description = [{
    One step from the number that a code stands for to the number that is meant:
    an entry of the field `scales` of `#weft.format`, which are applied in order.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<[{
      Whether numbers of a tensor of this shape, computed in `computeType`, can be
      scaled so; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyScale",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::llvm::ArrayRef<int64_t>":$shape, "::mlir::Type":$computeType)>,
    InterfaceMethod<[{
      Whether the blocks are those of the stored numbers, not of all.
    }], "bool", "isOfStored", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<[{
      The tensors that hold the parameters. `type` has the logical shape, or the
      stored one where the blocks are those of the stored numbers.
    }], "::llvm::SmallVector<::weft::FormatComponent>", "getScaleComponents",
    (ins "::mlir::ShapedType":$type)>,
    InterfaceMethod<[{
      Whether components that are constants can be those of the parameters; a
      diagnostic if not. Those that are no constants have no bytes.
    }], "::llvm::LogicalResult", "verifyConstants",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::mlir::ShapedType":$type,
         "::llvm::ArrayRef<::weft::ConstantComponent>":$components), [{}], [{
      return ::mlir::success();
    }]>,
    InterfaceMethod<"The scaled number; a scalar of the type that it is computed in.",
    "::mlir::Value", "apply",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$number, "const ::weft::PackedPosition &":$at)>,
    InterfaceMethod<"The number that `apply` makes `number` of, up to rounding.",
    "::mlir::Value", "revert",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$number, "const ::weft::PackedPosition &":$at)>
  ];
}

def Weft_PackInterface : AttrInterface<"PackInterface"> {
  let description = [{
    Where codes lie in memory: the field `pack` of `#weft.format`. It never changes
    a value.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<[{
      Whether codes of `bits` bits in a tensor of stored extents (with
      ShapedType::kDynamic) can lie so; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyPack",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::llvm::ArrayRef<int64_t>":$storedShape, "unsigned":$bits)>,
    InterfaceMethod<"The tensors that hold the codes; `stored` gives the stored extents.",
    "::llvm::SmallVector<::weft::FormatComponent>", "getCodeComponents",
    (ins "::mlir::AffineMap":$stored, "unsigned":$bits)>,
    InterfaceMethod<[{
      The code at a stored position. `at.dims` are the stored extents, null where
      data decides.
    }], "::mlir::Value", "readCode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "const ::weft::PackedPosition &":$at, "unsigned":$bits)>,
    InterfaceMethod<"The components for a tensor of codes of the stored shape.",
    "::llvm::SmallVector<::mlir::Value>", "writeCodes",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$codes, "unsigned":$bits)>
  ];
}

def Weft_StructureInterface : AttrInterface<"StructureInterface"> {
  let description = [{
    Which numbers of a tensor are stored, and where: the field `structure` of
    `#weft.format`. All others are 0.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<"Whether tensors of this shape can be stored so; a diagnostic if not.",
    "::llvm::LogicalResult", "verifyStructure",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::llvm::ArrayRef<int64_t>":$shape)>,
    InterfaceMethod<[{
      The extents of the stored numbers; the symbols are the `rank` logical
      extents, then those that data decides. Only the first extent may use these.
    }], "::mlir::AffineMap", "getStoredShape", (ins "unsigned":$rank)>,
    InterfaceMethod<"The tensors that say which numbers are stored.",
    "::llvm::SmallVector<::weft::FormatComponent>", "getStructureComponents",
    (ins "::mlir::ShapedType":$type)>,
    InterfaceMethod<[{
      How many neighbours along each dimension are stored independently of all others: tensors
      can be compressed by tiles of them. 0: all of the dimension are needed.
    }], "::llvm::SmallVector<int64_t>", "getGroupExtents", (ins "unsigned":$rank), [{}], [{
      return ::llvm::SmallVector<int64_t>(rank, 0);
    }]>,
    InterfaceMethod<"Where the number at a logical position is stored.",
    "::weft::StoredPosition", "locate",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "const ::weft::PackedPosition &":$at)>,
    InterfaceMethod<[{
      Builds, in a host function, what stores a tensor: those of `values` whose
      number in `numbers` is not 0, and others where the structure has room. Where
      it has not, it keeps those of the largest numbers. Values are only moved, and
      can be of any type.
    }], "::weft::StoredNumbers", "compress",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$numbers, "::mlir::Value":$values)>,
    InterfaceMethod<[{
      Whether components that are constants can be those of a tensor; a diagnostic if
      not. `components` are the structure's; those that are no constants have no bytes. Their
      types are right.
    }], "::llvm::LogicalResult", "verifyConstants",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::mlir::ShapedType":$type,
         "::llvm::ArrayRef<::weft::ConstantComponent>":$components), [{}], [{
      return ::mlir::success();
    }]>
  ];
}

def Weft_FormatInterface : AttrInterface<"FormatInterface"> {
  let description = [{
    How the numbers of a `!weft.packed` are stored: in component tensors, whose
    extents are functions of the logical extents. Everything else about packed
    tensors (types, operations, conversion, kernels) follows from these methods.
    `type` is the logical shape with the expressed element type.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<[{
      Whether a packed tensor of this shape (with ShapedType::kDynamic) and
      expressed element type can be; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyPacked",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::llvm::ArrayRef<int64_t>":$shape, "::mlir::Type":$elementType)>,
    InterfaceMethod<"The component tensors, in their order everywhere.",
    "::llvm::SmallVector<::weft::FormatComponent>", "getComponents",
    (ins "::mlir::ShapedType":$type)>,
    InterfaceMethod<[{
      How the numbers are transformed along `dimension`; null where they are not.
      An operand that is contracted along it must be transformed so too.
    }], "::mlir::Attribute", "getBasis", (ins "unsigned":$dimension), [{}], [{
      return {};
    }]>,
    InterfaceMethod<[{
      The number at a position, of the expressed element type. This defines what
      the format means. `at.components` are tensors; no position outside of them is
      read.
    }], "::mlir::Value", "decodeAt",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ShapedType":$type, "const ::weft::PackedPosition &":$at)>,
    InterfaceMethod<[{
      Decodes the tile of a packed tensor that starts at `offsets` and has the
      extents of `init` into `init`. `dims` are the logical extents of the whole.
    }], "::mlir::Value", "decodeTile",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ShapedType":$type, "::mlir::ValueRange":$components,
         "::llvm::ArrayRef<::mlir::OpFoldResult>":$dims,
         "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets, "::mlir::Value":$init), [{}], [{
      return ::weft::decodeTileByPosition($_attr, builder, loc, type, components, dims,
                                          offsets, init);
    }]>,
    InterfaceMethod<[{
      Decodes all of a packed tensor into `init`, which has its logical shape.
    }], "::mlir::Value", "decode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ShapedType":$type, "::mlir::ValueRange":$components,
         "::mlir::Value":$init), [{}], [{
      ::llvm::SmallVector<::mlir::OpFoldResult> dims = ::weft::getExtents(builder, loc, init);
      ::llvm::SmallVector<::mlir::OpFoldResult> zeros(dims.size(), builder.getIndexAttr(0));
      return $_attr.decodeTile(builder, loc, type, components, dims, zeros, init);
    }]>,
    InterfaceMethod<[{
      The components that encoding does not compute but is given (scales, zero
      points, tables), as positions in `getComponents`.
    }], "::llvm::SmallVector<unsigned>", "getParameters", (ins "::mlir::ShapedType":$type),
    [{}], [{ return {}; }]>,
    InterfaceMethod<[{
      Whether tensors can be encoded with `options`; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyOptions",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "const ::weft::EncodeOptions &":$options)>,
    InterfaceMethod<[{
      The components of a tensor of numbers. `parameters` are those of
      `getParameters`.
    }], "::llvm::SmallVector<::mlir::Value>", "encode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ShapedType":$type, "::mlir::Value":$numbers,
         "::mlir::ValueRange":$parameters, "const ::weft::EncodeOptions &":$options)>,
    InterfaceMethod<[{
      Whether components that are constants can be those of a tensor; a diagnostic if
      not. `components` are all; those that are no constants have no bytes. Their
      types are right.
    }], "::llvm::LogicalResult", "verifyConstants",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::mlir::ShapedType":$type,
         "::llvm::ArrayRef<::weft::ConstantComponent>":$components), [{}], [{
      return ::mlir::success();
    }]>
  ];
}

#endif // WEFT_FORMAT_INTERFACES_TD
