//===- Weft.h - The weft dialect ------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_WEFT_H
#define WEFT_DIALECTS_WEFT_IR_WEFT_H

#include "dialects/Weft/IR/Tiling.h"
#include "dialects/Weft/IR/WeftFormat.h"
#include "dialects/Weft/IR/WeightStore.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace weft {
class FormatInterface;

/// What `FormatInterface::decodeTile` is by default: `decodeAt` at each position.
mlir::Value decodeTileByPosition(FormatInterface format, mlir::OpBuilder &builder,
                                 mlir::Location loc, mlir::ShapedType type,
                                 mlir::ValueRange components,
                                 llvm::ArrayRef<mlir::OpFoldResult> dims,
                                 llvm::ArrayRef<mlir::OpFoldResult> offsets, mlir::Value init);
} // namespace weft

#include "dialects/Weft/IR/WeftDialect.h.inc"
#include "dialects/Weft/IR/WeftFormatInterfaces.h.inc"
#include "dialects/Weft/IR/WeftInterfaces.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Weft/IR/WeftTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Weft/IR/WeftAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Weft/IR/WeftOps.h.inc"

namespace weft {

/// Dialect extension: how weft operations bufferize.
void attachWeftBufferization(mlir::MLIRContext *context, WeftDialect *dialect);

/// Whether a type is a memref in memory of the device.
bool isDeviceMemory(mlir::Type type);
/// The same memref there, or in memory of the host.
mlir::MemRefType withDeviceMemory(mlir::MemRefType type, bool onDevice);

/// The component tensors of a packed value.
mlir::ValueRange takeApart(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value packed);

/// Whether a tensor can stand for one of another type: where one of both is dynamic, the other
/// is right at run time.
bool isCompatible(mlir::Type have, mlir::RankedTensorType want);

/// Refuses an operand whose numbers are in a basis, for operations that would take
/// them as they are.
llvm::LogicalResult verifyNoBasis(mlir::Operation *op, mlir::Value operand);

/// Constants up to this size in bytes are `arith.constant`s; larger ones are
/// weights in the weight store.
inline constexpr int64_t kMaxInlineConstantBytes = 1024;

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_WEFT_H
