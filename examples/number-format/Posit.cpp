//===- Posit.cpp - A number format as one attribute -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Dialect/LowP/Lanes.h"
#include "weft/Dialect/LowP/LowP.h"
#include "weft/Plugin.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "PositDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "PositAttributes.h.inc"

using namespace mlir;
using namespace posit;
using weft::lowp::Lanes;
using EmitError = llvm::function_ref<InFlightDiagnostic()>;

LogicalResult ElementAttr::verify(EmitError emitError, unsigned bits, unsigned exponentBits) {
  if (bits < 3 || bits > 8)
    return emitError() << "posits have 3 to 8 bits, got " << bits;
  if (exponentBits > 2)
    return emitError() << "posits have at most 2 exponent bits, got " << exponentBits;
  return success();
}

std::pair<double, double> ElementAttr::getRange() const {
  double most = std::ldexp(1.0, getLargestExponent());
  return {-most, most};
}

LogicalResult ElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  if (type.isF16() && getLargestExponent() > 14)
    return emitError() << Attribute(*this) << " is not exact in f16";
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    return success();
  return emitError() << Attribute(*this) << " is expressed in f16, bf16, f32 or f64, got " << type;
}

LogicalResult ElementAttr::verifyOptions(EmitError emitError,
                                         const weft::EncodeOptions &options) const {
  if (options.rounding != weft::Rounding::NearestEven || !options.saturate)
    return emitError() << Attribute(*this) << " is rounded to the nearest and saturates";
  return success();
}

/// Builds the f32 by its fields. Codes have their bits at the lower end.
Value ElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  unsigned n = getBits(), e = getExponentBits();
  Value code = l.both(l.resize(codes, b.getI32Type()), (1u << n) - 1);
  Value sign = l.both(l.left(code, 32 - n), 1u << 31);
  Value isNegative = l.cmp(arith::CmpIPredicate::ne, sign, 0);
  Value magnitude = l.select(isNegative, l.sub(l.same(0, code), code), code);
  // The bits behind the sign, at the upper end: as many equal ones as the run is long.
  Value body = l.left(magnitude, 33 - n);
  Value isOne = l.cmp(arith::CmpIPredicate::slt, body, 0);
  Value flipped = arith::XOrIOp::create(b, loc, body, l.same(~0u, body));
  Value run = math::CountLeadingZerosOp::create(b, loc, l.select(isOne, flipped, body));
  Value k = l.select(isOne, l.sub(run, l.same(1, run)), l.sub(l.same(0, run), run));
  // Behind the run is the bit that ends it. Codes without ones are replaced at the end.
  Value isEmpty = l.cmp(arith::CmpIPredicate::eq, body, 0);
  Value length = l.select(isEmpty, l.same(0, run), l.add(run, l.same(1, run)));
  Value rest = arith::ShLIOp::create(b, loc, body, length);
  Value exponent = l.left(k, e);
  if (e > 0)
    exponent = l.add(exponent, l.right(rest, 32 - e));
  Value bits = l.left(l.add(exponent, l.same(127, exponent)), 23);
  bits = l.either(l.either(bits, l.right(l.left(rest, e), 9)), sign);
  bits = l.select(isEmpty, l.select(isNegative, l.same(0x7fc00000, bits), l.same(0, bits)), bits);
  return l.convert(l.asFloat(bits, b.getF32Type()), cast<FloatType>(type));
}

/// Appends the run, the exponent and the fraction of the f64, and cuts off.
Value ElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                          const weft::EncodeOptions &) const {
  Lanes l{b, loc, numbers.getType()};
  unsigned n = getBits(), e = getExponentBits();
  // As it was, because conversions of some processors take subnormal numbers for 0.
  Value original = l.bits(numbers);
  uint64_t signBit = uint64_t(1) << (getElementTypeOrSelf(original).getIntOrFloatBitWidth() - 1);
  Value isZero = l.cmp(arith::CmpIPredicate::eq, l.both(original, signBit - 1), 0);
  Value isNegative = l.cmp(arith::CmpIPredicate::ne, l.both(original, signBit), 0);
  Value x = l.both(l.bits(l.convert(numbers, b.getF64Type())), ~uint64_t(0) >> 1);
  Value isNaN = l.cmp(arith::CmpIPredicate::ugt, x, uint64_t(0x7ff) << 52);
  auto power = [&](int exponent) { return l.same(uint64_t(1023 + exponent) << 52, x); };
  x = arith::MaxUIOp::create(b, loc, x, power(-getLargestExponent()));
  x = arith::MinUIOp::create(b, loc, x, power(getLargestExponent()));

  Value exponent = l.sub(l.right(x, 52), l.same(1023, x));
  Value k = arith::ShRSIOp::create(b, loc, exponent, l.same(e, x));
  Value isOne = l.cmp(arith::CmpIPredicate::sge, k, 0);
  // 10 or 01 and, below, exponent and fraction; a signed shift makes the run as long as it is.
  Value bits = l.left(l.both(exponent, (1u << e) - 1), 62 - e);
  bits = l.either(bits, l.left(l.both(x, (uint64_t(1) << 52) - 1), 10 - e));
  bits =
      l.either(bits, l.select(isOne, l.same(uint64_t(2) << 62, x), l.same(uint64_t(1) << 62, x)));
  Value longer = l.select(isOne, k, l.sub(l.same(~uint64_t(0), k), k));
  bits = arith::ShRSIOp::create(b, loc, bits, longer);
  unsigned cut = 65 - n;
  Value half = l.add(l.same((uint64_t(1) << (cut - 1)) - 1, bits), l.both(l.right(bits, cut), 1));
  Value code = l.right(l.add(bits, half), cut);
  code = l.select(isNegative, l.sub(l.same(0, code), code), code);
  code = l.select(isNaN, l.same(1u << (n - 1), code), l.select(isZero, l.same(0, code), code));
  return l.resize(l.both(code, (1u << n) - 1), b.getI8Type());
}

void PositDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "PositAttributes.cpp.inc"
      >();
}

#include "PositDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "PositAttributes.cpp.inc"

static LogicalResult registerPosit(weft::Registrar &registrar) {
  registrar.addDialect<PositDialect>();
  return success();
}

WEFT_PLUGIN("posit", "1.0", registerPosit);
