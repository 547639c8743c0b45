//===- ReferenceBuilder.h - What references are built of --------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_IR_REFERENCEBUILDER_H
#define WEFT_DIALECTS_MOE_IR_REFERENCEBUILDER_H

#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace weft::moe {

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// Whether two extents can be equal.
inline bool compatible(int64_t a, int64_t b) {
  return mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b) || a == b;
}

/// An extent as messages show it.
inline std::string show(int64_t extent) {
  return mlir::ShapedType::isDynamic(extent) ? "?" : std::to_string(extent);
}

/// Destination-style results have the shape of their inits.
mlir::LogicalResult reifyInits(mlir::DestinationStyleOpInterface op, mlir::OpBuilder &b,
                               mlir::ReifiedRankedShapedTypeDims &shapes);
/// The types of results are those of their inits; a diagnostic if not.
mlir::LogicalResult verifyResults(mlir::DestinationStyleOpInterface op);

/// IndexMath with the loops, reads and numbers that references need.
struct ReferenceBuilder : IndexMath {
  ReferenceBuilder(mlir::OpBuilder &b, mlir::Location loc) : IndexMath{b, loc} {}

  using Body = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
  /// `for (i = from; i < to; ++i) body(i, carried)`, which gives the values carried on.
  llvm::SmallVector<mlir::Value> loop(mlir::Value from, mlir::Value to, mlir::ValueRange carried,
                                      Body body) const;
  /// The values of one of two branches.
  llvm::SmallVector<mlir::Value>
  branch(mlir::Value condition, llvm::function_ref<llvm::SmallVector<mlir::Value>()> then,
         llvm::function_ref<llvm::SmallVector<mlir::Value>()> otherwise) const;

  /// Computes tiles of `outs` in parallel: for each position in [0, extents),
  /// `tile` gets the induction variables and the arguments that stand for `outs`,
  /// and gives for each the slice (offsets, sizes) that it computes; `body` gets
  /// these slices, of type `slices`, and gives their new values.
  struct Slice {
    llvm::SmallVector<mlir::OpFoldResult> offsets, sizes;
    mlir::RankedTensorType type;
  };
  llvm::SmallVector<mlir::Value>
  parallel(llvm::ArrayRef<mlir::OpFoldResult> extents, mlir::ValueRange outs,
           llvm::function_ref<llvm::SmallVector<Slice>(mlir::ValueRange)> tile,
           llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange, mlir::ValueRange)>
               body) const;
  /// The slice of `tensor` with the type of `slice`.
  mlir::Value extract(mlir::Value tensor, const Slice &slice) const;
  /// Row `i` of a matrix as a tensor of rank 1.
  Slice rowOf(mlir::Value matrix, mlir::OpFoldResult i) const;

  mlir::Value read(mlir::Value tensor, mlir::ValueRange at) const {
    return mlir::tensor::ExtractOp::create(b, loc, tensor, at);
  }
  mlir::Value write(mlir::Value element, mlir::Value tensor, mlir::ValueRange at) const {
    return mlir::tensor::InsertOp::create(b, loc, element, tensor, at);
  }
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element) const {
    return mlir::tensor::EmptyOp::create(b, loc, sizes, element);
  }
  mlir::Value fill(mlir::Value tensor, mlir::Value element) const {
    return mlir::linalg::FillOp::create(b, loc, element, tensor).getResult(0);
  }
  mlir::OpFoldResult size(mlir::Value tensor, int64_t i) const {
    return mlir::tensor::getMixedSize(b, loc, tensor, i);
  }
  /// A constant of a number type.
  mlir::Value number(mlir::Type type, double value) const;
  mlir::Value bit(bool value) const { return mlir::arith::ConstantIntOp::create(b, loc, value, 1); }
  mlir::Value negate(mlir::Value condition) const {
    return mlir::arith::XOrIOp::create(b, loc, condition, bit(true));
  }
  mlir::Value either(mlir::Value x, mlir::Value y) const {
    return mlir::arith::OrIOp::create(b, loc, x, y);
  }
  mlir::Value less(mlir::Value x, mlir::Value y) const {
    return cmp(mlir::arith::CmpIPredicate::slt, x, y);
  }
  mlir::Value min(mlir::Value x, mlir::Value y) const {
    return mlir::arith::MinSIOp::create(b, loc, x, y);
  }
  mlir::Value max(mlir::Value x, mlir::Value y) const {
    return mlir::arith::MaxSIOp::create(b, loc, x, y);
  }
  /// Whether 0 <= i < extent.
  mlir::Value within(mlir::Value i, mlir::Value extent) const {
    return both(cmp(mlir::arith::CmpIPredicate::sge, i, constant(0)), less(i, extent));
  }
  mlir::Value toIndex(mlir::Value i) const {
    return i.getType().isIndex() ? i
                                 : mlir::arith::IndexCastOp::create(b, loc, b.getIndexType(), i);
  }
  mlir::Value toI32(mlir::Value i) const {
    return mlir::arith::IndexCastOp::create(b, loc, b.getI32Type(), i);
  }
  /// A number in another type of its kind; integers by their sign.
  mlir::Value convert(mlir::Value value, mlir::Type type) const;
  mlir::Value value(mlir::OpFoldResult size) const {
    return mlir::getValueOrCreateConstantIndexOp(b, loc, size);
  }
  /// An elementwise computation over tensors of one shape.
  mlir::Value
  map(mlir::ValueRange inputs, mlir::Value init,
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)> body)
      const;
};

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_IR_REFERENCEBUILDER_H
