//===- SSMShapes.h - Checks of operands' shapes -----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_IR_SSMSHAPES_H
#define WEFT_DIALECTS_SSM_IR_SSMSHAPES_H

#include "dialects/Weft/IR/ExtentChecks.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "llvm/ADT/StringExtras.h"

namespace weft::ssm {

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// What sums and states of such elements are computed in.
inline mlir::Type computeTypeOf(mlir::Type element) {
  return element.isF64() ? element : mlir::Float32Type::get(element.getContext());
}

/// Whether an extent of the type is statically 0.
inline bool isStaticallyEmpty(mlir::RankedTensorType type) {
  return llvm::is_contained(type.getShape(), 0);
}

/// Destination-style results have the shape of their inits.
inline mlir::LogicalResult reifyInits(mlir::DestinationStyleOpInterface op,
                                      mlir::OpBuilder &builder,
                                      mlir::ReifiedRankedShapedTypeDims &shapes) {
  for (mlir::OpOperand &init : op.getDpsInitsMutable())
    shapes.push_back(mlir::tensor::getMixedSizes(builder, op.getLoc(), init.get()));
  return mlir::success();
}

/// Holds that extents of the same name are equal. A name is a letter; in the shape of
/// an operand the lower-case letter says that the extent may be 1 instead. 'h' are
/// heads that divide those of 'H'. With `calls` it also makes the checks of what types do
/// not say.
class ShapeChecker {
public:
  explicit ShapeChecker(mlir::Operation *op, weft::ExtentChecks *calls = nullptr)
      : op(op), calls(calls) {
    extents.fill(mlir::ShapedType::kDynamic);
  }

  int64_t get(char name) const { return extents[name - 'A']; }
  void set(char name, int64_t extent) {
    extents[name - 'A'] = extent;
    values[name - 'A'] = {};
    if (calls && !mlir::ShapedType::isDynamic(extent))
      values[name - 'A'] = mlir::IntegerAttr::get(mlir::IndexType::get(op->getContext()), extent);
  }
  /// The extent `name` is that of dimension `dim` of `value`, divided.
  void set(char name, mlir::Value value, int64_t dim, int64_t divisor = 1) {
    int64_t extent = typeOf(value).getDimSize(dim);
    set(name, mlir::ShapedType::isDynamic(extent) ? extent : extent / divisor);
    if (calls)
      values[name - 'A'] = calls->derive(calls->extentOf(value, dim), 1, divisor, 0);
  }
  /// Heads of queries divide those of the state ('H') or are a multiple of them; outputs have
  /// the larger number of both ('G').
  void relateHeads(llvm::StringRef operand, mlir::Value value, int64_t dim) {
    if (mlir::OpFoldResult heads = calls ? values['H' - 'A'] : mlir::OpFoldResult())
      values['G' - 'A'] = calls->requireRelated(operand, value, dim, heads);
  }
  /// (`from` * factor) / divisor + addend
  void derive(char name, char from, int64_t factor, int64_t divisor = 1, int64_t addend = 0) {
    int64_t known = get(from);
    mlir::OpFoldResult value = values[from - 'A'];
    set(name, mlir::ShapedType::isDynamic(known) ? known : known * factor / divisor + addend);
    if (calls && value)
      values[name - 'A'] = calls->derive(value, factor, divisor, addend);
  }

  /// Checks that `value`, if there is one, has floating-point elements (or those of
  /// `element`) and the extents `names`, a letter a dimension.
  mlir::LogicalResult check(llvm::StringRef operand, mlir::Value value, llvm::StringRef names,
                            mlir::Type element = {}) {
    if (!value)
      return mlir::success();
    mlir::RankedTensorType type = typeOf(value);
    if (element ? type.getElementType() != element
                : !mlir::isa<mlir::FloatType>(type.getElementType())) {
      auto error = op->emitOpError("expects '") << operand << "' of ";
      if (element)
        return error << element << ", got " << type;
      return error << "floating-point elements, got " << type;
    }
    if (type.getRank() != static_cast<int64_t>(names.size()))
      return op->emitOpError("expects '")
             << operand << "' of rank " << names.size() << ", got " << type;
    for (auto [i, name] : llvm::enumerate(names))
      if (mlir::failed(unify(operand, value, i, name)))
        return mlir::failure();
    return mlir::success();
  }

  /// Dimension 0 of `value` is `name`, where types do not tell.
  void checkRows(llvm::StringRef operand, mlir::Value value, char name) {
    if (calls)
      checkCall(operand, value, 0, name);
  }

private:
  mlir::LogicalResult unify(llvm::StringRef operand, mlir::Value value, int64_t i, char name) {
    mlir::RankedTensorType type = typeOf(value);
    int64_t extent = type.getDimSize(i), &known = extents[llvm::toUpper(name) - 'A'];
    if (calls && !(llvm::isLower(name) && name != 'h' && extent == 1))
      checkCall(operand, value, i, name);
    if (mlir::ShapedType::isDynamic(extent))
      return mlir::success();
    if (name == 'h') {
      bool divides = extent == 0 ? known == 0 : known % extent == 0;
      if (mlir::ShapedType::isDynamic(known) || divides)
        return mlir::success();
      return op->emitOpError("has ") << extent << " heads of '" << operand
                                     << "', which do not divide the " << known << " of the state";
    }
    if (llvm::isLower(name) && extent == 1)
      return mlir::success();
    if (mlir::ShapedType::isDynamic(known))
      known = extent;
    if (known != extent)
      return op->emitOpError("expects '") << operand << "' to have extent " << known
                                          << " in dimension " << i << ", got " << type;
    return mlir::success();
  }

  void checkCall(llvm::StringRef operand, mlir::Value value, int64_t i, char name) {
    mlir::OpFoldResult &expected = values[llvm::toUpper(name) - 'A'];
    if (!expected && name != 'h')
      expected = calls->extentOf(value, i);
    else if (expected && name == 'h')
      calls->requireDivisor(operand, value, i, expected);
    else if (expected)
      calls->requireEqual(operand, value, i, expected);
  }

  mlir::Operation *op;
  weft::ExtentChecks *calls;
  std::array<int64_t, 26> extents;
  std::array<mlir::OpFoldResult, 26> values; ///< null where none is known yet
};

class CausalConv1dOp;
class ChunkApplyOp;
class ChunkSummaryOp;
class DiscretizeOp;
class LongConvOp;
class ReduceStateOp;
class ScanOp;
class StepOp;
mlir::LogicalResult verifyShapes(CausalConv1dOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(ChunkApplyOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(ChunkSummaryOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(DiscretizeOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(LongConvOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(ReduceStateOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(ScanOp op, ShapeChecker &shapes);
mlir::LogicalResult verifyShapes(StepOp op, ShapeChecker &shapes);

/// Makes the checks of a verified operation's shapes that types do not tell.
void checkExtents(mlir::Operation *op, weft::ExtentChecks &calls);

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_IR_SSMSHAPES_H
