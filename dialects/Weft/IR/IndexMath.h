//===- IndexMath.h - Index arithmetic with short names ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_INDEXMATH_H
#define WEFT_DIALECTS_WEFT_IR_INDEXMATH_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"

namespace weft {

/// Short names for the index arithmetic of the lowerings. What is constant folds.
struct IndexMath {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value constant(int64_t value) const {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  mlir::Value value(mlir::OpFoldResult x) const {
    return mlir::getValueOrCreateConstantIndexOp(b, loc, x);
  }
  mlir::Value add(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::AddIOp>(loc, x, y);
  }
  mlir::Value sub(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::SubIOp>(loc, x, y);
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::MulIOp>(loc, x, y);
  }
  mlir::Value mul(mlir::Value x, int64_t y) const { return mul(x, constant(y)); }
  mlir::Value div(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::DivSIOp>(loc, x, y);
  }
  /// Of numbers that are not negative, by a positive one.
  mlir::Value div(mlir::Value x, int64_t y) const {
    return b.createOrFold<mlir::arith::DivUIOp>(loc, x, constant(y));
  }
  mlir::Value rem(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::RemSIOp>(loc, x, y);
  }
  mlir::Value rem(mlir::Value x, int64_t y) const {
    return b.createOrFold<mlir::arith::RemUIOp>(loc, x, constant(y));
  }
  mlir::Value min(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::MinSIOp>(loc, x, y);
  }
  mlir::Value max(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::MaxSIOp>(loc, x, y);
  }
  mlir::Value both(mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::AndIOp>(loc, x, y);
  }
  mlir::Value cmp(mlir::arith::CmpIPredicate p, mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::CmpIOp>(loc, p, x, y);
  }
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) const {
    return b.createOrFold<mlir::arith::SelectOp>(loc, c, x, y);
  }
  mlir::Value dim(mlir::Value tensor, int64_t i) const {
    return b.createOrFold<mlir::tensor::DimOp>(loc, tensor, i);
  }
  /// `i` limited to [0, extent), where extent > 0.
  mlir::Value clamp(mlir::Value i, mlir::Value extent) const {
    return min(max(i, constant(0)), sub(extent, constant(1)));
  }
  /// A position from a signed integer: negative ones count from the end, and
  /// what lies outside is clamped.
  mlir::Value position(mlir::Value raw, mlir::Value extent) const {
    mlir::Value i = raw.getType().isIndex()
                        ? raw
                        : mlir::arith::IndexCastOp::create(b, loc, b.getIndexType(), raw);
    mlir::Value negative = cmp(mlir::arith::CmpIPredicate::slt, i, constant(0));
    return clamp(select(negative, add(i, extent), i), extent);
  }
};

/// Whether `size` is an extent of `tensor`, as far as it can be seen without building
/// anything.
inline bool isExtentOf(mlir::OpFoldResult size, mlir::Value tensor, int64_t dim) {
  auto type = mlir::cast<mlir::RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return mlir::isConstantIntValue(size, type.getDimSize(dim));
  auto value = mlir::dyn_cast<mlir::Value>(size);
  auto op = value ? value.getDefiningOp<mlir::tensor::DimOp>() : mlir::tensor::DimOp();
  return op && op.getSource() == tensor && op.getConstantIndex() == dim;
}

/// Whether no dimension in `dims` of `tensor` is empty, or null where the type says
/// that none is.
inline mlir::Value isNotEmpty(IndexMath m, mlir::Value tensor, llvm::ArrayRef<int64_t> dims) {
  auto type = mlir::cast<mlir::RankedTensorType>(tensor.getType());
  mlir::Value result;
  for (int64_t i : dims) {
    if (!type.isDynamicDim(i) && type.getDimSize(i) != 0)
      continue;
    mlir::Value positive = m.cmp(mlir::arith::CmpIPredicate::sgt, m.dim(tensor, i), m.constant(0));
    result = result ? m.both(result, positive) : positive;
  }
  return result;
}

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_INDEXMATH_H
