//===- Elements.cpp - Integers and floats as codes ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoding and encoding as integer and float arithmetic without branches, on
// scalars and on vectors. No step has a subnormal operand that matters or needs
// another rounding mode, so the results do not depend on the caller's.
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Lanes.h"
#include "dialects/LowP/IR/LowP.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

LogicalResult IntElementAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                                     unsigned bits, bool, int64_t offset) {
  if (bits < 1 || bits > 8)
    return emitError() << "integer elements have 1 to 8 bits, got " << bits;
  if (offset < -256 || offset > 256)
    return emitError() << "integer elements have an offset of at most 256, got " << offset;
  return success();
}

std::pair<double, double> IntElementAttr::getRange() const {
  double low = getIsSigned() ? -std::ldexp(1.0, int(getBits()) - 1) : 0;
  low -= double(getOffset());
  return std::pair(low, low + std::ldexp(1.0, int(getBits())) - 1);
}

LogicalResult IntElementAttr::verifyExpressed(llvm::function_ref<InFlightDiagnostic()> emitError,
                                              Type type) const {
  // bf16 has all integers up to 256.
  int64_t low = (getIsSigned() ? -(int64_t(1) << (getBits() - 1)) : 0) - getOffset();
  int64_t high = low + (int64_t(1) << getBits()) - 1;
  if (type.isBF16() && (low < -256 || high > 256))
    return emitError() << "integers from " << low << " to " << high << " are not exact in bf16";
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    return success();
  if (type.isSignlessInteger() && type.getIntOrFloatBitWidth() >= 8) {
    // By the signs that the numbers have: i8 can hold 0 to 255, too.
    unsigned width = std::min(type.getIntOrFloatBitWidth(), 62u);
    int64_t half = int64_t(1) << (width - 1);
    if ((low >= -half && high < half) || (low >= 0 && high < 2 * half))
      return success();
    return emitError() << "integers from " << low << " to " << high << " do not fit in " << type;
  }
  return emitError() << "integers are expressed in signless integers of at "
                        "least 8 bits, f16, bf16, "
                        "f32 or f64, got "
                     << type;
}

LogicalResult IntElementAttr::verifyOptions(llvm::function_ref<InFlightDiagnostic()> emitError,
                                            const EncodeOptions &options) const {
  if (options.rounding != Rounding::NearestEven)
    return emitError() << "integers are rounded to the nearest, got "
                       << stringifyRounding(options.rounding);
  return success();
}

Value IntElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  if (getIsSigned() && getBits() < 8) {
    Value shift = l.same(8 - getBits(), codes);
    codes = arith::ShRSIOp::create(b, loc, l.left(codes, 8 - getBits()), shift);
  }
  if (auto floating = dyn_cast<FloatType>(type)) {
    FloatType wide = floating.isF64() ? floating : FloatType(b.getF32Type());
    Value number = getIsSigned() ? Value(arith::SIToFPOp::create(b, loc, l.type(wide), codes))
                                 : Value(arith::UIToFPOp::create(b, loc, l.type(wide), codes));
    if (getOffset() != 0)
      number = arith::SubFOp::create(b, loc, number, l.number(wide, double(getOffset())));
    return l.convert(number, floating);
  }
  Value number = codes;
  if (type.getIntOrFloatBitWidth() > 8)
    number = getIsSigned() ? Value(arith::ExtSIOp::create(b, loc, l.type(type), codes))
                           : Value(arith::ExtUIOp::create(b, loc, l.type(type), codes));
  return getOffset() == 0 ? number : l.sub(number, l.same(uint64_t(getOffset()), number));
}

Value IntElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                             const EncodeOptions &options) const {
  Lanes l{b, loc, numbers.getType()};
  Type type = getElementTypeOrSelf(numbers);
  int64_t low = getIsSigned() ? -(int64_t(1) << (getBits() - 1)) : 0;
  int64_t high = (int64_t(1) << (getIsSigned() ? getBits() - 1 : getBits())) - 1;
  if (auto floating = dyn_cast<FloatType>(type)) {
    if (floating.getWidth() < 32) {
      floating = b.getF32Type();
      numbers = l.convert(numbers, floating);
    }
    // Without saturation, the low bits of what fits in 32 bits.
    double least = options.saturate ? double(low) : -2147483648.0;
    double most = options.saturate ? double(high) : 2147483520.0;
    Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, numbers, numbers);
    Value x = math::RoundEvenOp::create(b, loc, numbers);
    if (getOffset() != 0)
      x = arith::AddFOp::create(b, loc, x, l.number(floating, double(getOffset())));
    x = arith::MaximumFOp::create(b, loc, x, l.number(floating, least));
    x = arith::MinimumFOp::create(b, loc, x, l.number(floating, most));
    x = l.select(isNaN, l.number(floating, double(getOffset())), x);
    numbers = arith::FPToSIOp::create(b, loc, l.type(b.getI32Type()), x);
  } else if (getOffset() != 0) {
    // The numbers are signed where one of them is below 0.
    if (type.getIntOrFloatBitWidth() < 32)
      numbers = low < getOffset()
                    ? Value(arith::ExtSIOp::create(b, loc, l.type(b.getI32Type()), numbers))
                    : Value(arith::ExtUIOp::create(b, loc, l.type(b.getI32Type()), numbers));
    numbers = l.add(numbers, l.same(uint64_t(getOffset()), numbers));
    if (options.saturate) {
      numbers = arith::MaxSIOp::create(b, loc, numbers, l.same(uint64_t(low), numbers));
      numbers = arith::MinSIOp::create(b, loc, numbers, l.same(uint64_t(high), numbers));
    }
  } else if (options.saturate) {
    unsigned width = type.getIntOrFloatBitWidth();
    if (getIsSigned() && getBits() < width) {
      numbers = arith::MaxSIOp::create(b, loc, numbers, l.same(uint64_t(low), numbers));
      numbers = arith::MinSIOp::create(b, loc, numbers, l.same(uint64_t(high), numbers));
    } else if (getBits() < width) {
      numbers = arith::MinUIOp::create(b, loc, numbers, l.same(uint64_t(high), numbers));
    }
  }
  Value codes = l.resize(numbers, b.getI8Type());
  return getBits() == 8 ? codes : l.both(codes, (1u << getBits()) - 1);
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

namespace {
/// What a type of floats consists of.
struct FloatLayout {
  explicit FloatLayout(FloatType type) {
    const llvm::fltSemantics &semantics = type.getFloatSemantics();
    bits = type.getWidth();
    mantissaBits = APFloat::semanticsPrecision(semantics) - 1;
    bias = 1 - APFloat::semanticsMinExponent(semantics);
    largest = APFloat::getLargest(semantics).bitcastToAPInt().getZExtValue();
    hasInfinity = APFloat::semanticsHasInf(semantics);
    hasNaN = APFloat::semanticsHasNaN(semantics);
    if (hasNaN)
      nan = APFloat::getQNaN(semantics).bitcastToAPInt().getZExtValue();
    nanIsNegativeZero = hasNaN && nan == uint64_t(1) << (bits - 1);
  }
  unsigned bits, mantissaBits;
  int bias;
  uint64_t largest, nan = 0; ///< codes
  bool hasInfinity, hasNaN, nanIsNegativeZero;
};
} // namespace

static bool isExponentOnly(FloatType type) { return isa<Float8E8M0FNUType>(type); }

LogicalResult FloatElementAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                                       FloatType type) {
  if (type.getWidth() > 8)
    return emitError() << "float elements have at most 8 bits, got " << type;
  return success();
}

unsigned FloatElementAttr::getBits() const { return getType().getWidth(); }

std::pair<double, double> FloatElementAttr::getRange() const {
  const llvm::fltSemantics &semantics = getType().getFloatSemantics();
  double most = APFloat::getLargest(semantics).convertToDouble();
  // Exponents alone have no sign.
  return std::pair(APFloat::semanticsHasSignedRepr(semantics) ? -most : std::ldexp(1.0, -127),
                   most);
}

LogicalResult FloatElementAttr::verifyExpressed(llvm::function_ref<InFlightDiagnostic()> emitError,
                                                Type type) const {
  if (isa<BFloat16Type, Float32Type, Float64Type>(type) ||
      (isa<Float16Type>(type) && !isExponentOnly(getType())))
    return success();
  return emitError() << getType() << " is expressed in "
                     << (isExponentOnly(getType()) ? "" : "f16, ") << "bf16, f32 or f64, got "
                     << type;
}

LogicalResult FloatElementAttr::verifyOptions(llvm::function_ref<InFlightDiagnostic()> emitError,
                                              const EncodeOptions &options) const {
  if (options.rounding != Rounding::NearestEven && !isExponentOnly(getType()))
    return emitError() << getType() << " is rounded to the nearest, got "
                       << stringifyRounding(options.rounding);
  return success();
}

/// Powers of two: the code is f32's exponent, and bf16's. The smallest one is
/// subnormal, which conversions of some processors take for 0.
static Value decodeExponent(const Lanes &l, Value codes, FloatType target) {
  Type i32 = l.b.getI32Type();
  Value c = l.resize(codes, i32);
  Value x = l.left(c, 23);
  x = l.select(l.cmp(arith::CmpIPredicate::eq, c, 0), l.same(1 << 22, x), x);
  x = l.select(l.cmp(arith::CmpIPredicate::eq, c, 255), l.same(0x7fc00000, x), x);
  if (target.isBF16())
    return l.asFloat(l.resize(l.right(x, 16), l.b.getI16Type()), target);
  return l.convert(l.asFloat(x, l.b.getF32Type()), target);
}

Value FloatElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  auto target = cast<FloatType>(type);
  if (isExponentOnly(getType()))
    return decodeExponent(l, codes, target);
  FloatLayout f(getType());
  FloatType f32 = b.getF32Type();
  unsigned magnitudeBits = f.bits - 1;
  Value c = l.resize(codes, b.getI32Type());
  Value magnitude = l.both(c, (1u << magnitudeBits) - 1);
  Value sign = l.left(l.both(c, 1u << magnitudeBits), 31 - magnitudeBits);
  // With a leading one: the fields move to where f32 has them. Without: the
  // mantissa counts units of the smallest number.
  Value normal = l.add(l.left(magnitude, 23 - f.mantissaBits),
                       l.same(uint64_t(127 - f.bias) << 23, magnitude));
  Value units = arith::UIToFPOp::create(b, loc, l.type(f32), magnitude);
  Value small = arith::MulFOp::create(
      b, loc, units, l.number(f32, std::ldexp(1.0, 1 - f.bias - int(f.mantissaBits))));
  Value isSmall = l.cmp(arith::CmpIPredicate::ult, magnitude, uint64_t(1) << f.mantissaBits);
  Value x = l.select(isSmall, l.bits(small), normal);
  if (f.hasInfinity)
    x = l.select(l.cmp(arith::CmpIPredicate::eq, magnitude, f.largest + 1), l.same(0x7f800000, x),
                 x);
  if (f.hasNaN && !f.nanIsNegativeZero)
    x = l.select(l.cmp(arith::CmpIPredicate::ugt, magnitude, f.largest + (f.hasInfinity ? 1 : 0)),
                 l.same(0x7fc00000, x), x);
  x = l.either(x, sign);
  if (f.nanIsNegativeZero)
    x = l.select(l.cmp(arith::CmpIPredicate::eq, c, f.nan), l.same(0x7fc00000, x), x);
  return l.convert(l.asFloat(x, f32), target);
}

/// Powers of two, in f64, where all of f32's numbers have a leading one.
static Value encodeExponent(const Lanes &l, Value numbers, const EncodeOptions &options) {
  OpBuilder &b = l.b;
  Value x = l.bits(l.convert(numbers, b.getF64Type()));
  Value magnitude = l.both(x, ~uint64_t(0) >> 1);
  Value fraction = l.both(x, (uint64_t(1) << 52) - 1);
  // One more where the number is rounded up; a tie is, because the even
  // neighbour of 1.1 (binary) is 10.
  uint64_t bound = options.rounding == Rounding::Up ? 1 : uint64_t(1) << 51;
  Value code = l.right(magnitude, 52);
  if (options.rounding != Rounding::Down) {
    Value increment = l.resize(l.cmp(arith::CmpIPredicate::uge, fraction, bound), b.getI64Type());
    code = l.add(code, increment);
  }
  code = l.sub(code, l.same(1023 - 127, code));
  Value below = l.cmp(arith::CmpIPredicate::slt, code, 0);
  Value above = l.cmp(arith::CmpIPredicate::sgt, code, 254);
  if (!options.saturate) {
    // What is smaller than the smallest number, too.
    below = l.cmp(arith::CmpIPredicate::ult, magnitude, uint64_t(1023 - 127) << 52);
  }
  code = l.select(below, l.same(options.saturate ? 0 : 255, code), code);
  code = l.select(above, l.same(options.saturate ? 254 : 255, code), code);
  Value isNaN = l.cmp(arith::CmpIPredicate::ugt, magnitude, uint64_t(0x7ff) << 52);
  Value isNegative = l.cmp(arith::CmpIPredicate::ugt, x, uint64_t(1) << 63);
  code = l.select(l.either(isNaN, isNegative), l.same(255, code), code);
  return l.resize(code, b.getI8Type());
}

Value FloatElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                               const EncodeOptions &options) const {
  Lanes l{b, loc, numbers.getType()};
  if (isExponentOnly(getType()))
    return encodeExponent(l, numbers, options);
  FloatLayout f(getType());
  auto source = cast<FloatType>(getElementTypeOrSelf(numbers));
  if (source.getWidth() < 32) {
    source = b.getF32Type();
    numbers = l.convert(numbers, source);
  }
  unsigned width = source.getWidth(), sourceMantissa = source.getFPMantissaWidth() - 1;
  int sourceBias = width == 64 ? 1023 : 127;
  uint64_t signBit = uint64_t(1) << (width - 1);
  Value x = l.bits(numbers);
  Value sign = l.right(x, width - 1);
  Value magnitude = l.both(x, signBit - 1);

  // With a leading one: half of what is cut off is added, less one for an even
  // result; a carry moves into the exponent, as it should.
  unsigned cut = sourceMantissa - f.mantissaBits;
  Value odd = l.both(l.right(magnitude, cut), 1);
  Value half = l.same((uint64_t(1) << (cut - 1)) - 1, magnitude);
  Value normal = l.right(l.add(l.add(magnitude, half), odd), cut);
  normal = l.sub(normal, l.same(uint64_t(sourceBias - f.bias) << f.mantissaBits, normal));
  // Without: the sum with a number whose last place is the unit rounds to
  // units, and they are its lowest bits.
  double shifter = std::ldexp(1.0, int(sourceMantissa) + 1 - f.bias - int(f.mantissaBits));
  Value shifterValue = l.number(source, shifter);
  Value sum = arith::AddFOp::create(b, loc, l.asFloat(magnitude, source), shifterValue);
  Value small = l.sub(l.bits(sum), l.bits(shifterValue));
  uint64_t smallestNormal = uint64_t(sourceBias + 1 - f.bias) << sourceMantissa;
  Value code = l.select(l.cmp(arith::CmpIPredicate::ult, magnitude, smallestNormal), small, normal);

  uint64_t beyond = f.largest;
  if (!options.saturate && f.hasInfinity)
    beyond = f.largest + 1;
  else if (!options.saturate && f.hasNaN)
    beyond = f.nan;
  code = l.select(l.cmp(arith::CmpIPredicate::ugt, code, f.largest), l.same(beyond, code), code);
  uint64_t infinity = ((uint64_t(1) << (width - 1 - sourceMantissa)) - 1) << sourceMantissa;
  Value isNaN = l.cmp(arith::CmpIPredicate::ugt, magnitude, infinity);
  Value signedCode = l.either(code, l.left(sign, f.bits - 1));
  if (f.nanIsNegativeZero)
    signedCode = l.select(l.cmp(arith::CmpIPredicate::eq, code, 0), code, signedCode);
  Value nan = l.same(f.nan, code);
  if (f.hasNaN && !f.nanIsNegativeZero)
    nan = l.either(nan, l.left(sign, f.bits - 1));
  code = l.select(isNaN, nan, signedCode);
  return l.resize(code, b.getI8Type());
}
