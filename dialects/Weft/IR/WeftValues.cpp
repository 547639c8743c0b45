//===- WeftValues.cpp - Numbers of ordinary types in formats --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/WeftValues.h"

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

bool weft::isOrdinaryNumber(Type type) {
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type) ||
         (type.isSignlessInteger() &&
          llvm::is_contained({8u, 16u, 32u, 64u}, type.getIntOrFloatBitWidth()));
}

bool weft::isExactIn(Type narrow, Type wide) {
  return narrow == wide || (isa<FloatType>(narrow) == isa<FloatType>(wide) &&
                            narrow.getIntOrFloatBitWidth() < wide.getIntOrFloatBitWidth());
}

Type weft::getWideType(Type expressed) {
  if (isa<FloatType>(expressed) && expressed.getIntOrFloatBitWidth() < 32)
    return Float32Type::get(expressed.getContext());
  return expressed;
}

/// The nearest numbers of the narrower type, as numbers of the wider one.
static Value saturate(OpBuilder &b, Location loc, Value number, Type type) {
  Type wide = number.getType();
  if (auto floating = dyn_cast<FloatType>(type)) {
    double largest = APFloat::getLargest(floating.getFloatSemantics()).convertToDouble();
    auto limit = [&](double value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, value));
    };
    // NaN stays.
    Value low = arith::MaximumFOp::create(b, loc, number, limit(-largest));
    return arith::MinimumFOp::create(b, loc, low, limit(largest));
  }
  unsigned width = type.getIntOrFloatBitWidth();
  auto limit = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(wide, value));
  };
  int64_t largest = (int64_t(1) << (width - 1)) - 1;
  Value low = arith::MaxSIOp::create(b, loc, number, limit(-largest - 1));
  return arith::MinSIOp::create(b, loc, low, limit(largest));
}

Value weft::convertNumber(OpBuilder &b, Location loc, Value number, Type type,
                          const EncodeOptions &options) {
  Type have = number.getType();
  if (have == type)
    return number;
  bool isFloat = isa<FloatType>(type);
  if (have.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return isFloat ? Value(arith::ExtFOp::create(b, loc, type, number))
                   : Value(arith::ExtSIOp::create(b, loc, type, number));
  if (options.saturate)
    number = saturate(b, loc, number, type);
  return isFloat ? Value(arith::TruncFOp::create(b, loc, type, number))
                 : Value(arith::TruncIOp::create(b, loc, type, number));
}

static LogicalResult verifyNearest(EmitError emitError, Attribute attribute,
                                   const EncodeOptions &options) {
  if (options.rounding == Rounding::NearestEven)
    return success();
  return emitError() << attribute << " is rounded to the nearest, got "
                     << stringifyRounding(options.rounding);
}

//===----------------------------------------------------------------------===//
// ValueElementAttr
//===----------------------------------------------------------------------===//

LogicalResult ValueElementAttr::verify(EmitError emitError, Type type) {
  if (!isOrdinaryNumber(type))
    return emitError() << "values are f16, bf16, f32, f64, i8, i16, i32 or i64, got " << type;
  return success();
}

unsigned ValueElementAttr::getBits() const { return getType().getIntOrFloatBitWidth(); }

LogicalResult ValueElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  if (isOrdinaryNumber(type) && isExactIn(getType(), type))
    return success();
  return emitError() << Attribute(*this) << " is not exact in " << type;
}

LogicalResult ValueElementAttr::verifyOptions(EmitError emitError,
                                              const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

/// `type`, or vectors of it where `like` is a vector.
static Type typeLike(Type type, Value like) {
  auto vector = dyn_cast<VectorType>(like.getType());
  return vector ? Type(vector.clone(type)) : type;
}

Value ValueElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Value numbers = codes;
  if (isa<FloatType>(getType()))
    numbers = arith::BitcastOp::create(b, loc, typeLike(getType(), codes), codes);
  if (getType() == type)
    return numbers;
  Type wide = typeLike(type, codes);
  if (isa<FloatType>(type))
    return arith::ExtFOp::create(b, loc, wide, numbers);
  return arith::ExtSIOp::create(b, loc, wide, numbers);
}

Value ValueElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                               const EncodeOptions &options) const {
  Value narrow = convertNumber(b, loc, numbers, getType(), options);
  if (!isa<FloatType>(getType()))
    return narrow;
  return arith::BitcastOp::create(b, loc, b.getIntegerType(getBits()), narrow);
}

//===----------------------------------------------------------------------===//
// DenseFormatAttr
//===----------------------------------------------------------------------===//

LogicalResult DenseFormatAttr::verify(EmitError emitError, Type storage) {
  if (storage && !isOrdinaryNumber(storage))
    return emitError() << "values are f16, bf16, f32, f64, i8, i16, i32 or i64, got " << storage;
  return success();
}

LogicalResult DenseFormatAttr::verifyPacked(EmitError emitError, ArrayRef<int64_t>,
                                            Type elementType) const {
  if (isOrdinaryNumber(elementType) && (!getStorage() || isExactIn(getStorage(), elementType)))
    return success();
  return emitError() << Attribute(*this) << " is not exact in " << elementType;
}

SmallVector<FormatComponent> DenseFormatAttr::getComponents(ShapedType type) const {
  SmallVector<AffineExpr> extents;
  for (int64_t i = 0; i < type.getRank(); ++i)
    extents.push_back(getAffineSymbolExpr(i, getContext()));
  return {{"numbers", getStorage() ? getStorage() : type.getElementType(),
           AffineMap::get(0, type.getRank(), extents, getContext())}};
}

Value DenseFormatAttr::decodeAt(OpBuilder &b, Location loc, ShapedType type,
                                const PackedPosition &at) const {
  return convertNumber(b, loc, readInside(b, loc, at.components.front(), at.position),
                       type.getElementType());
}

LogicalResult DenseFormatAttr::verifyOptions(EmitError emitError,
                                             const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

SmallVector<Value> DenseFormatAttr::encode(OpBuilder &b, Location loc, ShapedType type,
                                           Value numbers, ValueRange,
                                           const EncodeOptions &options) const {
  Type storage = getStorage() ? getStorage() : type.getElementType();
  if (storage == type.getElementType())
    return {numbers};
  Value empty = tensor::EmptyOp::create(b, loc, getExtents(b, loc, numbers), storage);
  int64_t rank = type.getRank();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  return {linalg::GenericOp::create(
              b, loc, empty.getType(), numbers, empty, {identity, identity},
              SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
              [&](OpBuilder &b, Location loc, ValueRange args) {
                linalg::YieldOp::create(b, loc, convertNumber(b, loc, args[0], storage, options));
              })
              .getResult(0)};
}
