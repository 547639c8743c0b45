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
    What a code of up to 8 bits means as a number. Values are scalars or vectors;
    codes are i8 (or vectors of i8) with zeros above the code's bits.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<"Bits of a code, 1 to 8.", "unsigned", "getBits", (ins)>,
    InterfaceMethod<[{
      Whether all numbers are exact in element type `type`; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyExpressed",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "::mlir::Type":$type)>,
    InterfaceMethod<[{
      Whether `options` says nothing that these numbers do not have; a diagnostic
      if not.
    }], "::llvm::LogicalResult", "verifyOptions",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "const ::weft::EncodeOptions &":$options)>,
    InterfaceMethod<"The numbers of codes, of element type `type`.",
    "::mlir::Value", "decode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$codes, "::mlir::Type":$type)>,
    InterfaceMethod<"The codes of numbers.",
    "::mlir::Value", "encode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::Value":$numbers, "const ::weft::EncodeOptions &":$options)>
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
      Whether tensors can be encoded with `options`; a diagnostic if not.
    }], "::llvm::LogicalResult", "verifyOptions",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
         "const ::weft::EncodeOptions &":$options)>,
    InterfaceMethod<[{
      Decodes the tile of a packed tensor that starts at `offsets` and has the
      extents of `init` into `init`. `dims` are the logical extents of the whole.
      Components are tensors; no position outside of them is read.
    }], "::mlir::Value", "decodeTile",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ShapedType":$type, "::mlir::ValueRange":$components,
         "::llvm::ArrayRef<::mlir::OpFoldResult>":$dims,
         "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets, "::mlir::Value":$init)>,
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
    InterfaceMethod<"The components of a tensor of numbers.",
    "::llvm::SmallVector<::mlir::Value>", "encode",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ShapedType":$type, "::mlir::Value":$numbers,
         "const ::weft::EncodeOptions &":$options)>
  ];
}

#endif // WEFT_FORMAT_INTERFACES_TD
