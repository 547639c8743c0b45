//===- Tables.cpp - Codes that are looked up, and those of few numbers ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Blocks.h"
#include "dialects/LowP/IR/Lanes.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/Weft/IR/BitStream.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// Elements that are rounded to their nearest number, whatever it is.
static LogicalResult verifyNearest(EmitError emitError, Attribute elem,
                                   const EncodeOptions &options) {
  if (options.rounding != Rounding::NearestEven)
    return emitError() << elem << " is rounded to the nearest, got "
                       << stringifyRounding(options.rounding);
  if (!options.saturate)
    return emitError() << elem << " has nothing that numbers overflow to";
  return success();
}

static LogicalResult verifyFloats(EmitError emitError, Attribute elem, Type type) {
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    return success();
  return emitError() << elem << " is expressed in f16, bf16, f32 or f64, got " << type;
}

static LogicalResult verifyFloatsOrIntegers(EmitError emitError, Attribute elem, Type type) {
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type) ||
      (type.isSignlessInteger() && type.getIntOrFloatBitWidth() >= 8))
    return success();
  return emitError() << elem
                     << " is expressed in signless integers of at least 8 bits, f16, bf16, f32 or "
                        "f64, got "
                     << type;
}

/// At least as wide as f32.
static Value widened(const Lanes &l, Value x) {
  auto type = cast<FloatType>(getElementTypeOrSelf(x));
  return type.getWidth() < 32 ? l.convert(x, l.b.getF32Type()) : x;
}

/// A small integer (i8) as a number of type `type`.
static Value toNumber(const Lanes &l, Value x, Type type) {
  if (auto floating = dyn_cast<FloatType>(type)) {
    Value wide = arith::SIToFPOp::create(l.b, l.loc,
                                         l.type(floating.isF64() ? floating : l.b.getF32Type()), x);
    return l.convert(wide, floating);
  }
  if (type.getIntOrFloatBitWidth() == 8)
    return x;
  return arith::ExtSIOp::create(l.b, l.loc, l.type(type), x);
}

static Value compare(const Lanes &l, arith::CmpFPredicate predicate, Value x, double y) {
  return arith::CmpFOp::create(l.b, l.loc, predicate, x,
                               l.number(cast<FloatType>(getElementTypeOrSelf(x)), y));
}

//===----------------------------------------------------------------------===//
// Powers of two
//===----------------------------------------------------------------------===//

LogicalResult PowerElementAttr::verify(EmitError emitError, unsigned bits) {
  if (bits < 2 || bits > 8)
    return emitError() << "power elements have 2 to 8 bits, got " << bits;
  return success();
}

std::pair<double, double> PowerElementAttr::getRange() const { return std::pair(-1.0, 1.0); }

LogicalResult PowerElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  if (type.isF16() && getBits() > 5)
    return emitError() << Attribute(*this) << " is not exact in f16";
  return verifyFloats(emitError, *this, type);
}

LogicalResult PowerElementAttr::verifyOptions(EmitError emitError,
                                              const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

Value PowerElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  FloatType f32 = b.getF32Type();
  Value code = l.resize(codes, b.getI32Type());
  Value magnitude = l.both(code, (1u << (getBits() - 1)) - 1);
  Value sign = l.left(l.right(code, getBits() - 1), 31);
  // The exponent field of 2^(1 - m); the smallest, m = 127, is 2^-126.
  Value exponent = l.sub(l.same(128, magnitude), magnitude);
  Value bits = l.either(l.left(exponent, 23), sign);
  Value isZero = l.cmp(arith::CmpIPredicate::eq, magnitude, 0);
  return l.convert(l.asFloat(l.select(isZero, l.same(0, bits), bits), f32), cast<FloatType>(type));
}

/// Rounds to the nearest power, ties to the larger one.
Value PowerElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                               const EncodeOptions &) const {
  Lanes l{b, loc, numbers.getType()};
  Value x = l.convert(widened(l, numbers), b.getF64Type());
  Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  x = l.bits(l.select(isNaN, l.number(b.getF64Type(), 0), x));
  Value magnitude = l.both(x, ~uint64_t(0) >> 1);
  // Half of a power is added to a fraction of at least a half.
  Value exponent = l.right(l.add(magnitude, l.same(uint64_t(1) << 51, magnitude)), 52);
  // 1 - m = exponent - 1023.
  Value m = l.sub(l.same(1024, exponent), exponent);
  uint64_t most = (uint64_t(1) << (getBits() - 1)) - 1;
  m = arith::MaxSIOp::create(b, loc, m, l.same(1, m));
  // Below half of the smallest power is 0; in between is the smallest.
  Value smallestHalf = l.same((uint64_t(1023 + 1) - most - 1) << 52, magnitude);
  Value isZero = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, magnitude, smallestHalf);
  m = arith::MinSIOp::create(b, loc, m, l.same(most, m));
  Value sign = l.left(l.right(x, 63), getBits() - 1);
  Value code = l.select(isZero, l.same(0, m), l.either(m, sign));
  return l.resize(code, b.getI8Type());
}

//===----------------------------------------------------------------------===//
// Ternary and binary
//===----------------------------------------------------------------------===//

unsigned TernaryElementAttr::getBits() const { return 2; }

std::pair<double, double> TernaryElementAttr::getRange() const { return std::pair(-1.0, 1.0); }

LogicalResult TernaryElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  return verifyFloatsOrIntegers(emitError, *this, type);
}

LogicalResult TernaryElementAttr::verifyOptions(EmitError emitError,
                                                const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

Value TernaryElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  Value number = l.sub(codes, l.same(1, codes));
  Value isUnused = l.cmp(arith::CmpIPredicate::ugt, codes, 2);
  return toNumber(l, l.select(isUnused, l.same(0, number), number), type);
}

/// -1, 0 or 1, whichever is nearest, ties to 0, as codes 0, 1, 2.
Value TernaryElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                                 const EncodeOptions &) const {
  Lanes l{b, loc, numbers.getType()};
  Value below, above;
  if (isa<FloatType>(getElementTypeOrSelf(numbers))) {
    Value x = widened(l, numbers);
    below = compare(l, arith::CmpFPredicate::OLT, x, -0.5);
    above = compare(l, arith::CmpFPredicate::OGT, x, 0.5);
  } else {
    below = l.cmp(arith::CmpIPredicate::slt, numbers, 0);
    above = l.cmp(arith::CmpIPredicate::sgt, numbers, 0);
  }
  Type i8 = b.getI8Type();
  return l.select(below, l.integer(i8, 0), l.select(above, l.integer(i8, 2), l.integer(i8, 1)));
}

unsigned BinaryElementAttr::getBits() const { return 1; }

std::pair<double, double> BinaryElementAttr::getRange() const { return std::pair(-1.0, 1.0); }

LogicalResult BinaryElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  return verifyFloatsOrIntegers(emitError, *this, type);
}

LogicalResult BinaryElementAttr::verifyOptions(EmitError emitError,
                                               const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

Value BinaryElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  Value number = l.sub(l.left(codes, 1), l.same(1, codes));
  return toNumber(l, number, type);
}

/// The sign; that of 0 and NaN is +.
Value BinaryElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                                const EncodeOptions &) const {
  Lanes l{b, loc, numbers.getType()};
  Value negative = isa<FloatType>(getElementTypeOrSelf(numbers))
                       ? compare(l, arith::CmpFPredicate::OLT, widened(l, numbers), 0)
                       : l.cmp(arith::CmpIPredicate::slt, numbers, 0);
  return l.select(negative, l.integer(b.getI8Type(), 0), l.integer(b.getI8Type(), 1));
}

//===----------------------------------------------------------------------===//
// Constant tables
//===----------------------------------------------------------------------===//

LogicalResult TableElementAttr::verify(EmitError emitError, DenseF32ArrayAttr attribute) {
  ArrayRef<float> entries = attribute.asArrayRef();
  if (entries.size() < 2 || entries.size() > 256 || !llvm::isPowerOf2_64(entries.size()))
    return emitError() << "tables have 2, 4, ... or 256 entries, got " << entries.size();
  for (float entry : entries)
    if (!std::isfinite(entry))
      return emitError() << "tables have finite entries";
  return success();
}

unsigned TableElementAttr::getBits() const { return llvm::Log2_64(getEntries().size()); }

std::pair<double, double> TableElementAttr::getRange() const {
  auto [least, most] =
      std::minmax_element(getEntries().asArrayRef().begin(), getEntries().asArrayRef().end());
  return std::pair(double(*least), double(*most));
}

LogicalResult TableElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  return verifyFloats(emitError, *this, type);
}

LogicalResult TableElementAttr::verifyOptions(EmitError emitError,
                                              const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

/// By halves: log2(entries) selections deep.
Value TableElementAttr::decode(OpBuilder &b, Location loc, Value codes, Type type) const {
  Lanes l{b, loc, codes.getType()};
  auto floating = cast<FloatType>(type);
  FloatType wide = floating.isF64() ? floating : FloatType(b.getF32Type());
  SmallVector<Value> level = llvm::map_to_vector(
      getEntries().asArrayRef(), [&](float entry) { return l.number(wide, entry); });
  for (unsigned bit = 0; level.size() > 1; ++bit) {
    Value isOdd = l.cmp(arith::CmpIPredicate::ne, l.both(codes, 1u << bit), 0);
    SmallVector<Value> next;
    for (size_t i = 0; i < level.size(); i += 2)
      next.push_back(l.select(isOdd, level[i + 1], level[i]));
    level = std::move(next);
  }
  return l.convert(level.front(), floating);
}

/// The nearest entry; of two, the first.
Value TableElementAttr::encode(OpBuilder &b, Location loc, Value numbers,
                               const EncodeOptions &) const {
  Lanes l{b, loc, numbers.getType()};
  Value x = widened(l, numbers);
  auto type = cast<FloatType>(getElementTypeOrSelf(x));
  Value best, code;
  for (auto [i, entry] : llvm::enumerate(getEntries().asArrayRef())) {
    Value distance =
        math::AbsFOp::create(b, loc, arith::SubFOp::create(b, loc, x, l.number(type, entry)));
    Value here = l.integer(b.getI8Type(), i);
    if (i == 0) {
      best = distance;
      code = here;
      continue;
    }
    Value nearer = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, distance, best);
    best = l.select(nearer, distance, best);
    code = l.select(nearer, here, code);
  }
  return code;
}

//===----------------------------------------------------------------------===//
// Tables that are operands
//===----------------------------------------------------------------------===//

LogicalResult CodebookElementAttr::verify(EmitError emitError, unsigned bits, int64_t numbers,
                                          ArrayRef<int64_t> block, FloatType storage) {
  if (bits < 1 || bits > 16)
    return emitError() << "codebooks have codes of 1 to 16 bits, got " << bits;
  if (numbers < 1 || numbers > 64)
    return emitError() << "codebooks have 1 to 64 numbers in an entry, got " << numbers;
  if (!isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(storage))
    return emitError() << "codebooks are stored as f16, bf16, f32 or f64, got " << storage;
  return verifyBlock(emitError, block);
}

int64_t CodebookElementAttr::getNumbersPerCode() const { return getNumbers(); }

LogicalResult CodebookElementAttr::verifyExpressed(EmitError emitError, Type type) const {
  return verifyFloats(emitError, *this, type);
}

LogicalResult CodebookElementAttr::verifyShape(EmitError emitError, ArrayRef<int64_t> shape) const {
  if (failed(verifyBlockOf(emitError, getBlock(), shape)))
    return failure();
  if (!getBlock().empty() && getBlock().back() % getNumbers() != 0)
    return emitError() << "codes of " << getNumbers() << " numbers do not divide blocks of "
                       << getBlock().back();
  return success();
}

LogicalResult CodebookElementAttr::verifyOptions(EmitError emitError,
                                                 const EncodeOptions &options) const {
  return verifyNearest(emitError, *this, options);
}

SmallVector<FormatComponent> CodebookElementAttr::getElementComponents(ShapedType type) const {
  AffineMap blocks = getBlockMap(getContext(), getBlock(), type.getRank());
  SmallVector<AffineExpr> extents(blocks.getResults());
  extents.push_back(getAffineConstantExpr(int64_t(1) << getBits(), getContext()));
  extents.push_back(getAffineConstantExpr(getNumbers(), getContext()));
  return {{"table", getStorage(), AffineMap::get(0, type.getRank(), extents, getContext())}};
}

/// The position of entry `code` and of one of its numbers.
static SmallVector<Value> entryPosition(CodebookElementAttr codebook, OpBuilder &b, Location loc,
                                        Value code, const PackedPosition &at) {
  SmallVector<Value> position = getBlockPosition(b, loc, codebook.getBlock(), at);
  position.push_back(arith::IndexCastUIOp::create(b, loc, b.getIndexType(), code));
  Value number = arith::ConstantIndexOp::create(b, loc, 0);
  if (codebook.getNumbers() > 1)
    number = b.createOrFold<arith::RemUIOp>(
        loc, at.position.back(), arith::ConstantIndexOp::create(b, loc, codebook.getNumbers()));
  position.push_back(number);
  return position;
}

Value CodebookElementAttr::decodeAt(OpBuilder &b, Location loc, Value code, Type type,
                                    const PackedPosition &at) const {
  Lanes l{b, loc, getStorage()};
  Value entry = readInside(b, loc, at.components.front(), entryPosition(*this, b, loc, code, at));
  return l.convert(entry, cast<FloatType>(type));
}

Value CodebookElementAttr::decode(OpBuilder &, Location, Value, Type) const {
  llvm_unreachable("the number is in a table: decodeAt");
}

/// The nearest entry; of two, the first.
Value CodebookElementAttr::encodeAt(OpBuilder &b, Location loc, Value number,
                                    const PackedPosition &at, const EncodeOptions &) const {
  Lanes l{b, loc, number.getType()};
  Value x = widened(l, number);
  auto type = cast<FloatType>(x.getType());
  Type codeType = getCodeType(b.getContext(), getBits());
  Value zero = arith::ConstantIndexOp::create(b, loc, 0),
        one = arith::ConstantIndexOp::create(b, loc, 1);
  Value entries = arith::ConstantIndexOp::create(b, loc, int64_t(1) << getBits());
  Value infinity = l.number(type, std::numeric_limits<double>::infinity());
  auto search = scf::ForOp::create(
      b, loc, zero, entries, one, ValueRange{infinity, zero},
      [&](OpBuilder &b, Location loc, Value entry, ValueRange carried) {
        Value code = arith::IndexCastOp::create(b, loc, b.getI32Type(), entry);
        Value value =
            readInside(b, loc, at.components.front(), entryPosition(*this, b, loc, code, at));
        Lanes inner{b, loc, type};
        Value distance = math::AbsFOp::create(
            b, loc, arith::SubFOp::create(b, loc, x, inner.convert(value, type)));
        Value nearer =
            arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, distance, carried[0]);
        scf::YieldOp::create(b, loc,
                             ValueRange{inner.select(nearer, distance, carried[0]),
                                        inner.select(nearer, entry, carried[1])});
      });
  return arith::IndexCastOp::create(b, loc, codeType, search.getResult(1));
}

Value CodebookElementAttr::encode(OpBuilder &, Location, Value, const EncodeOptions &) const {
  llvm_unreachable("the numbers are in a table: encodeAt");
}
