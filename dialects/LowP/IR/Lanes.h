//===- Lanes.h - Arithmetic on scalars and vectors alike ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_IR_LANES_H
#define WEFT_DIALECTS_LOWP_IR_LANES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

namespace weft::lowp {

/// Arithmetic on scalars, or on vectors of the shape that `like` has.
struct Lanes {
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type like;

  mlir::Type type(mlir::Type element) const {
    auto vector = mlir::dyn_cast<mlir::VectorType>(like);
    return vector ? mlir::Type(vector.clone(element)) : element;
  }
  mlir::Value constant(mlir::TypedAttr value) const {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(like))
      value = mlir::DenseElementsAttr::get(vector.clone(value.getType()), mlir::Attribute(value));
    return mlir::arith::ConstantOp::create(b, loc, value);
  }
  mlir::Value integer(mlir::Type element, uint64_t value) const {
    return constant(b.getIntegerAttr(element, llvm::APInt(element.getIntOrFloatBitWidth(), value,
                                                          false, /*implicitTrunc=*/true)));
  }
  mlir::Value number(mlir::FloatType element, double value) const {
    return constant(b.getFloatAttr(element, value));
  }
  mlir::Value same(uint64_t value, mlir::Value as) const {
    return integer(mlir::getElementTypeOrSelf(as), value);
  }

  mlir::Value bits(mlir::Value x) const {
    return mlir::arith::BitcastOp::create(
        b, loc, type(b.getIntegerType(mlir::getElementTypeOrSelf(x).getIntOrFloatBitWidth())), x);
  }
  mlir::Value asFloat(mlir::Value x, mlir::FloatType element) const {
    return mlir::arith::BitcastOp::create(b, loc, type(element), x);
  }
  mlir::Value add(mlir::Value x, mlir::Value y) const {
    return mlir::arith::AddIOp::create(b, loc, x, y);
  }
  mlir::Value sub(mlir::Value x, mlir::Value y) const {
    return mlir::arith::SubIOp::create(b, loc, x, y);
  }
  mlir::Value both(mlir::Value x, uint64_t mask) const {
    return mlir::arith::AndIOp::create(b, loc, x, same(mask, x));
  }
  mlir::Value either(mlir::Value x, mlir::Value y) const {
    return mlir::arith::OrIOp::create(b, loc, x, y);
  }
  mlir::Value left(mlir::Value x, unsigned n) const {
    return n == 0 ? x : mlir::Value(mlir::arith::ShLIOp::create(b, loc, x, same(n, x)));
  }
  mlir::Value right(mlir::Value x, unsigned n) const {
    return n == 0 ? x : mlir::Value(mlir::arith::ShRUIOp::create(b, loc, x, same(n, x)));
  }
  mlir::Value cmp(mlir::arith::CmpIPredicate predicate, mlir::Value x, uint64_t y) const {
    return mlir::arith::CmpIOp::create(b, loc, predicate, x, same(y, x));
  }
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y) const {
    return mlir::arith::SelectOp::create(b, loc, condition, x, y);
  }
  /// To another width; unsigned.
  mlir::Value resize(mlir::Value x, mlir::Type element) const {
    unsigned have = mlir::getElementTypeOrSelf(x).getIntOrFloatBitWidth(),
             want = element.getIntOrFloatBitWidth();
    if (have == want)
      return x;
    if (have > want)
      return mlir::arith::TruncIOp::create(b, loc, type(element), x);
    return mlir::arith::ExtUIOp::create(b, loc, type(element), x);
  }
  /// To another float type.
  mlir::Value convert(mlir::Value x, mlir::FloatType element) const {
    auto have = mlir::cast<mlir::FloatType>(mlir::getElementTypeOrSelf(x));
    if (have == element)
      return x;
    // Of f16 and bf16 neither has all numbers of the other.
    if (have.getWidth() == element.getWidth())
      return convert(convert(x, b.getF32Type()), element);
    if (have.getWidth() < element.getWidth())
      return mlir::arith::ExtFOp::create(b, loc, type(element), x);
    return mlir::arith::TruncFOp::create(b, loc, type(element), x);
  }
};

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_IR_LANES_H
