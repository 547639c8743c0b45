//===- SSMShapes.h - Checks of operands' shapes -----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_IR_SSMSHAPES_H
#define WEFT_DIALECTS_SSM_IR_SSMSHAPES_H

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
/// heads that divide those of 'H'.
class ShapeChecker {
public:
  explicit ShapeChecker(mlir::Operation *op) : op(op) { extents.fill(mlir::ShapedType::kDynamic); }

  void set(char name, int64_t extent) { extents[name - 'A'] = extent; }
  int64_t get(char name) const { return extents[name - 'A']; }

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
      if (mlir::failed(unify(operand, type, i, name)))
        return mlir::failure();
    return mlir::success();
  }

private:
  mlir::LogicalResult unify(llvm::StringRef operand, mlir::RankedTensorType type, int64_t i,
                            char name) {
    int64_t extent = type.getDimSize(i), &known = extents[llvm::toUpper(name) - 'A'];
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

  mlir::Operation *op;
  std::array<int64_t, 26> extents;
};

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_IR_SSMSHAPES_H
