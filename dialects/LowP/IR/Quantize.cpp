//===- Quantize.cpp - Scales found from numbers ---------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Blocks.h"
#include "dialects/LowP/IR/Lanes.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/Weft/IR/BitStream.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

static bool isMX(Method method) { return method != Method::AbsMax && method != Method::MinMax; }

static bool isShift(ScaleAttr scale) { return scale.getRole() != Role::Multiply; }

/// The scales of a format that has nothing else to find.
static SmallVector<ScaleAttr> getLevels(LeafFormatAttr format) {
  return llvm::map_to_vector(format.getScales(),
                             [](ScaleInterface scale) { return cast<ScaleAttr>(scale); });
}

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

/// Whether each block of `outer` consists of whole blocks of `inner`.
static bool consistsOf(ArrayRef<int64_t> outer, ArrayRef<int64_t> inner, size_t rank) {
  if (outer.empty() || outer == inner)
    return true;
  if (inner.empty() || isFlatBlock(outer, rank) != isFlatBlock(inner, rank))
    return false;
  return llvm::all_of(llvm::zip(outer, inner), [](auto pair) {
    auto [o, i] = pair;
    return o == 0 || (i != 0 && o % i == 0);
  });
}

static LogicalResult verifyLevels(QuantizeOp op, LeafFormatAttr format, Method method) {
  size_t rank = op.getNumbers().getType().getRank();
  if (!isa<RangeInterface>(format.getElem()))
    return op.emitOpError("cannot find scales for ")
           << format.getElem() << ", whose numbers data decides";
  unsigned multipliers = 0, shifts = 0;
  ScaleAttr previous;
  for (ScaleInterface level : format.getScales()) {
    auto scale = dyn_cast<ScaleAttr>(level);
    if (!scale)
      return op.emitOpError("finds parameters of #lowp.scale, not of ") << level;
    if (scale.getStored())
      return op.emitOpError("finds parameters of all numbers, not of the stored ones as ") << level;
    if (scale.getValue()) {
      if (previous)
        return op.emitOpError("has the constant ") << level << " after " << previous;
      continue;
    }
    (isShift(scale) ? shifts : multipliers) += 1;
    if (auto storage = dyn_cast<FormatInterface>(scale.getStorage());
        storage && !isa<LeafFormatAttr>(storage))
      return op.emitOpError("finds parameters stored in #weft.format, not in ") << storage;
    // A zero point has the blocks of the scale, others can have larger ones.
    if (previous && !consistsOf(scale.getBlock(), previous.getBlock(), rank) &&
        !consistsOf(previous.getBlock(), scale.getBlock(), rank))
      return op.emitOpError("has ")
             << level << ", whose blocks do not consist of those of " << previous;
    previous = scale;
  }
  if (multipliers == 0)
    return op.emitOpError("has no scale to find in ") << format;
  if ((method == Method::MinMax) != (shifts == 1))
    return op.emitOpError() << "by " << stringifyMethod(method) << " finds "
                            << (method == Method::MinMax ? "one zero point, minimum or offset"
                                                         : "scales only")
                            << ", the format has " << shifts << " zero points, minima and offsets";
  if (isMX(method) && multipliers != 1)
    return op.emitOpError() << "by " << stringifyMethod(method)
                            << " finds one scale, the format has " << multipliers;
  if (isMX(method) && !isa<IntElementAttr, FloatElementAttr>(format.getElem()))
    return op.emitOpError() << "by " << stringifyMethod(method)
                            << " encodes integers and floats, not " << format.getElem();
  return success();
}

/// The format that numbers are encoded in, whatever basis they are in; null if it is none that
/// parameters are found for.
static LeafFormatAttr getLeaf(PackedType type) {
  Attribute format = type.getFormat();
  while (auto inBasis = dyn_cast<InBasisAttr>(format))
    format = inBasis.getFormat();
  return dyn_cast<LeafFormatAttr>(format);
}

LogicalResult QuantizeOp::verify() {
  PackedType type = getResult().getType();
  LeafFormatAttr format = getLeaf(type);
  if (!format)
    return emitOpError("encodes in #weft.format, not in ") << type.getFormat();
  RankedTensorType numbers = getNumbers().getType();
  if (!isa<FloatType>(numbers.getElementType()) ||
      numbers.getElementType() != type.getElementType() ||
      failed(verifyCompatibleShape(numbers.getShape(), type.getShape())))
    return emitOpError("has numbers of type ")
           << numbers << ", expected floats of the shape and type of " << type;
  if (failed(verifyLevels(*this, format, getMethod())))
    return failure();
  if (failed(format.verifyOptions([&] { return emitOpError(); }, EncodeOptions())))
    return failure();
  if (getSumBlock().has_value() != bool(getSums()))
    return emitOpError("gives sums where their blocks are given, and only there");
  if (!getSums())
    return success();
  if (!isa<IntElementAttr>(format.getElem()))
    return emitOpError("sums integers, not ") << format.getElem();
  auto emitError = [&] { return emitOpError("sums blocks: "); };
  if (failed(verifyBlock(emitError, *getSumBlock())) ||
      failed(verifyBlockOf(emitError, *getSumBlock(), numbers.getShape())))
    return failure();
  auto wanted =
      getBlockTensorType(*getSumBlock(), numbers.getShape(), IntegerType::get(getContext(), 32));
  if (getSums().getType() != wanted)
    return emitOpError("has sums of type ") << getSums().getType() << ", expected " << wanted;
  return success();
}

LogicalResult QuantizeOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getExtents(b, getLoc(), getNumbers()));
  if (getSums())
    shapes.push_back(evaluateExtents(
        b, getLoc(), getBlockMap(getContext(), *getSumBlock(), getNumbers().getType().getRank()),
        shapes.front()));
  return success();
}

//===----------------------------------------------------------------------===//
// Reference
//===----------------------------------------------------------------------===//

namespace {
/// Finds the parameters of one tensor.
class ParameterFinder {
public:
  ParameterFinder(QuantizeOp op, OpBuilder &b)
      : b(b), loc(op.getLoc()), numbers(op.getNumbers()), method(op.getMethod()),
        format(getLeaf(op.getResult().getType())), dims(getExtents(b, loc, numbers)),
        compute(op.getNumbers().getType().getElementType().isF64() ? b.getF64Type()
                                                                   : b.getF32Type()) {
    for (ScaleAttr scale : getLevels(format))
      levels.push_back({scale, Value(), {}});
  }
  /// The parameters that `weft.pack` takes.
  SmallVector<Value> run();

private:
  struct Level {
    ScaleAttr scale;
    Value decoded; ///< what is stored of the parameters, one a block
    SmallVector<Value> components;
  };
  using Blocks = ArrayRef<int64_t>;

  void applyConstants();
  void findMultiplier(size_t level);
  void findShift(size_t level);
  Value statistic(Blocks blocks, Statistic which);
  /// A parameter for each block, of `inputs` that have one element a block.
  Value forBlocks(Blocks blocks, ValueRange inputs,
                  llvm::function_ref<Value(const Lanes &, ValueRange, ArrayRef<Value>)> body);
  /// The product of the scales of `levels` at a position of the tensor; null if
  /// there are none.
  Value multipliersAt(const Lanes &l, ArrayRef<Level> levels, ArrayRef<Value> position);
  Value powerOfTwo(const Lanes &l, Value largest);
  /// Of both signs where there are numbers of both.
  double largestMagnitude() const {
    return low < 0 && high > 0 ? std::min(-low, high) : std::max(-low, high);
  }
  void store(Level &level, Value parameters);

  OpBuilder &b;
  Location loc;
  Value numbers;
  Method method;
  LeafFormatAttr format;
  SmallVector<OpFoldResult> dims;
  FloatType compute;
  SmallVector<Level> levels;
  /// The range of numbers after constant levels.
  double low = 0, high = 0;
};
} // namespace

SmallVector<Value> ParameterFinder::run() {
  applyConstants();
  for (size_t i = levels.size(); i-- > 0;)
    if (!levels[i].scale.getValue() && !isShift(levels[i].scale))
      findMultiplier(i);
  SmallVector<Value> parameters;
  for (size_t i = 0; i < levels.size(); ++i)
    if (!levels[i].scale.getValue() && isShift(levels[i].scale))
      findShift(i);
  for (Level &level : levels)
    llvm::append_range(parameters, level.components);
  return parameters;
}

void ParameterFinder::applyConstants() {
  std::tie(low, high) = cast<RangeInterface>(format.getElem()).getRange();
  for (const Level &level : levels) {
    FloatAttr attribute = level.scale.getValue();
    if (!attribute)
      return;
    double value = attribute.getValueAsDouble();
    switch (level.scale.getRole()) {
    case Role::Multiply:
      low *= value;
      high *= value;
      if (low > high)
        std::swap(low, high);
      break;
    case Role::Offset:
      low += value;
      high += value;
      break;
    case Role::ZeroPoint:
    case Role::Minimum:
      low -= value;
      high -= value;
      break;
    }
  }
}

Value ParameterFinder::statistic(Blocks blocks, Statistic which) {
  auto type = cast<RankedTensorType>(numbers.getType());
  if (which == Statistic::AbsMax)
    return ObserveOp::create(b, loc, getBlockTensorType(blocks, type.getShape(), compute), which,
                             numbers, blocks);
  // The range has 0 in it where 0 must be a number.
  bool withZero = llvm::none_of(levels, [](const Level &level) {
    return !level.scale.getValue() && level.scale.getRole() == Role::Offset;
  });
  Value found = ObserveOp::create(b, loc, getBlockTensorType(blocks, type.getShape(), compute),
                                  which, numbers, blocks);
  return forBlocks(blocks, found, [&](const Lanes &l, ValueRange args, ArrayRef<Value>) -> Value {
    Value zero = l.number(compute, 0);
    if (withZero)
      return which == Statistic::Min ? Value(arith::MinimumFOp::create(l.b, loc, args[0], zero))
                                     : Value(arith::MaximumFOp::create(l.b, loc, args[0], zero));
    // Empty blocks have no range.
    double most = APFloat::getInf(compute.getFloatSemantics()).convertToDouble();
    Value none = arith::CmpFOp::create(l.b, loc, arith::CmpFPredicate::OEQ, args[0],
                                       l.number(compute, which == Statistic::Min ? most : -most));
    return l.select(none, zero, args[0]);
  });
}

Value ParameterFinder::forBlocks(
    Blocks blocks, ValueRange inputs,
    llvm::function_ref<Value(const Lanes &, ValueRange, ArrayRef<Value>)> body) {
  SmallVector<OpFoldResult> sizes =
      evaluateExtents(b, loc, getBlockMap(b.getContext(), blocks, dims.size()), dims);
  Value empty = tensor::EmptyOp::create(b, loc, sizes, compute);
  SmallVector<AffineMap> maps(inputs.size() + 1, b.getMultiDimIdentityMap(sizes.size()));
  return linalg::GenericOp::create(
             b, loc, empty.getType(), inputs, empty, maps,
             SmallVector<utils::IteratorType>(sizes.size(), utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               SmallVector<Value> at;
               for (size_t i = 0; i < sizes.size(); ++i)
                 at.push_back(linalg::IndexOp::create(b, loc, i));
               SmallVector<Value> position = getFirstOfBlock(b, loc, blocks, at, dims);
               linalg::YieldOp::create(b, loc,
                                       body(Lanes{b, loc, compute}, args.drop_back(), position));
             })
      .getResult(0);
}

Value ParameterFinder::multipliersAt(const Lanes &l, ArrayRef<Level> levels,
                                     ArrayRef<Value> position) {
  Value product;
  for (const Level &level : levels) {
    if (isShift(level.scale) || level.scale.getValue() || !level.decoded)
      continue;
    SmallVector<Value> at =
        getBlockPosition(l.b, loc, level.scale.getBlock(), {{}, dims, position});
    Value factor = tensor::ExtractOp::create(l.b, loc, level.decoded, at);
    product = product ? Value(arith::MulFOp::create(l.b, loc, product, factor)) : factor;
  }
  return product;
}

/// The largest parameter that `storage` should hold; 1 where there is no bound, or
/// one that nobody comes near.
static double getLargestParameter(Attribute storage) {
  auto format = dyn_cast<LeafFormatAttr>(storage);
  if (!format || !format.getScales().empty())
    return 1;
  auto element = dyn_cast<RangeInterface>(format.getElem());
  double high = element ? element.getRange().second : 0;
  return high > 0 && high < 1e6 ? high : 1;
}

void ParameterFinder::findMultiplier(size_t index) {
  Level &level = levels[index];
  Blocks blocks = level.scale.getBlock();
  double steps = high;
  SmallVector<Value> inputs;
  if (method == Method::MinMax) {
    steps = high - low;
    inputs = {statistic(blocks, Statistic::Min), statistic(blocks, Statistic::Max)};
  } else {
    steps = largestMagnitude();
    inputs = {statistic(blocks, Statistic::AbsMax)};
  }
  for (const Level &inner : ArrayRef(levels).take_front(index))
    if (!isShift(inner.scale) && !inner.scale.getValue())
      steps *= getLargestParameter(inner.scale.getStorage());
  Value parameters = forBlocks(
      blocks, inputs, [&](const Lanes &l, ValueRange args, ArrayRef<Value> position) -> Value {
        if (isMX(method))
          return powerOfTwo(l, args[0]);
        Value range =
            args.size() > 1 ? Value(arith::SubFOp::create(l.b, loc, args[1], args[0])) : args[0];
        Value scale = arith::DivFOp::create(l.b, loc, range, l.number(compute, steps));
        if (Value outer = multipliersAt(l, ArrayRef(levels).drop_front(index + 1), position))
          scale = arith::DivFOp::create(l.b, loc, scale, outer);
        Value isZero =
            arith::CmpFOp::create(l.b, loc, arith::CmpFPredicate::OEQ, scale, l.number(compute, 0));
        return l.select(isZero, l.number(compute, 1), scale);
      });
  store(level, parameters);
}

Value ParameterFinder::powerOfTwo(const Lanes &l, Value largest) {
  const llvm::fltSemantics &semantics = compute.getFloatSemantics();
  unsigned mantissa = APFloat::semanticsPrecision(semantics) - 1;
  uint64_t exponentMask = (compute.isF64() ? uint64_t(0x7ff) : uint64_t(0xff)) << mantissa;
  double most = largestMagnitude();
  int exponent = std::ilogb(most);
  // Bits of a number besides the first.
  int elementMantissa = exponent;
  if (auto element = dyn_cast<FloatElementAttr>(format.getElem()))
    elementMantissa = APFloat::semanticsPrecision(element.getType().getFloatSemantics()) - 1;
  if (method == Method::MXRCeil)
    largest = arith::DivFOp::create(l.b, loc, largest, l.number(compute, most));
  Value bits = l.bits(largest);
  if (method == Method::MXEven)
    bits = l.add(bits, l.same(uint64_t(1) << (mantissa - elementMantissa - 1), bits));
  Value power = l.asFloat(l.both(bits, exponentMask), compute);
  if (method == Method::MXCeil || method == Method::MXRCeil) {
    Value isPower = arith::CmpFOp::create(l.b, loc, arith::CmpFPredicate::OEQ, power, largest);
    Value twice = arith::AddFOp::create(l.b, loc, power, power);
    power = l.select(isPower, power, twice);
  }
  if (method != Method::MXRCeil)
    power = arith::MulFOp::create(l.b, loc, power, l.number(compute, std::ldexp(1.0, -exponent)));
  // The least that f8E8M0FNU has.
  power = arith::MaximumFOp::create(l.b, loc, power, l.number(compute, std::ldexp(1.0, -127)));
  // An infinity or NaN stays one.
  Value finite =
      arith::CmpFOp::create(l.b, loc, arith::CmpFPredicate::OLT, largest,
                            l.number(compute, APFloat::getInf(semantics).convertToDouble()));
  return l.select(finite, power, largest);
}

void ParameterFinder::findShift(size_t index) {
  Level &level = levels[index];
  Blocks blocks = level.scale.getBlock();
  bool isOffset = level.scale.getRole() == Role::Offset;
  Value least = statistic(blocks, Statistic::Min);
  Value parameters = forBlocks(
      blocks, least, [&](const Lanes &l, ValueRange args, ArrayRef<Value> position) -> Value {
        // (low * before - p) * after = min.
        Value start = l.number(compute, low), goal = args[0];
        if (Value before = multipliersAt(l, ArrayRef(levels).take_front(index), position))
          start = arith::MulFOp::create(l.b, loc, start, before);
        if (Value after = multipliersAt(l, ArrayRef(levels).drop_front(index + 1), position))
          goal = arith::DivFOp::create(l.b, loc, goal, after);
        return isOffset ? arith::SubFOp::create(l.b, loc, goal, start)
                        : arith::SubFOp::create(l.b, loc, start, goal);
      });
  store(level, parameters);
}

void ParameterFinder::store(Level &level, Value parameters) {
  auto type = cast<RankedTensorType>(parameters.getType());
  if (auto storage = dyn_cast<TypeAttr>(level.scale.getStorage())) {
    auto stored = cast<FloatType>(storage.getValue());
    level.decoded = parameters;
    if (stored == compute) {
      level.components = {parameters};
      return;
    }
    auto convert = [&](Value from, FloatType to) -> Value {
      Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, from), to);
      AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
      return linalg::GenericOp::create(
                 b, loc, empty.getType(), from, empty, {identity, identity},
                 SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
                 [&](OpBuilder &b, Location loc, ValueRange args) {
                   Lanes l{b, loc, args[0].getType()};
                   Value x = args[0];
                   if (to.getWidth() < cast<FloatType>(x.getType()).getWidth()) {
                     double most = APFloat::getLargest(to.getFloatSemantics()).convertToDouble();
                     auto wide = cast<FloatType>(x.getType());
                     x = arith::MaximumFOp::create(b, loc, x, l.number(wide, -most));
                     x = arith::MinimumFOp::create(b, loc, x, l.number(wide, most));
                   }
                   linalg::YieldOp::create(b, loc, l.convert(x, to));
                 })
          .getResult(0);
    };
    level.components = {convert(parameters, stored)};
    level.decoded = convert(level.components.front(), compute);
    return;
  }
  auto storage = cast<LeafFormatAttr>(level.scale.getStorage());
  auto packed = PackedType::get(type.getShape(), compute, storage);
  Value encoded;
  if (llvm::all_of(getLevels(storage), [](ScaleAttr scale) { return bool(scale.getValue()); })) {
    encoded = PackOp::create(b, loc, packed, parameters);
  } else {
    bool shifts = llvm::any_of(getLevels(storage),
                               [](ScaleAttr scale) { return isShift(scale) && !scale.getValue(); });
    encoded =
        QuantizeOp::create(b, loc, packed, parameters, shifts ? Method::MinMax : Method::AbsMax)
            .getResult();
  }
  llvm::append_range(level.components, takeApart(b, loc, encoded));
  Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, parameters), compute);
  level.decoded = UnpackOp::create(b, loc, empty.getType(), encoded, empty);
}

/// The sums of what the codes of `packed` mean.
static Value sumCodes(OpBuilder &b, Location loc, QuantizeOp op, Value packed) {
  PackedType type = op.getResult().getType();
  LeafFormatAttr format = getLeaf(type);
  auto codes = LeafFormatAttr::get(b.getContext(), format.getElem(), {}, format.getStructure(),
                                   format.getPack());
  auto codesType = PackedType::get(type.getShape(), b.getI32Type(), codes);
  ValueRange parts = takeApart(b, loc, packed);
  // Those of the scales come last.
  Value integers =
      AssembleOp::create(b, loc, codesType, parts.take_front(codesType.getComponentTypes().size()));
  Value empty =
      tensor::EmptyOp::create(b, loc, getExtents(b, loc, op.getNumbers()), b.getI32Type());
  Value numbers = UnpackOp::create(b, loc, empty.getType(), integers, empty);
  return reduceBlocks(b, loc, numbers, *op.getSumBlock(), b.getI32IntegerAttr(0),
                      [](OpBuilder &b, Location loc, Value x, Value sum) -> Value {
                        return arith::AddIOp::create(b, loc, x, sum);
                      });
}

FailureOr<SmallVector<Value>> QuantizeOp::lowerToReference(OpBuilder &b) {
  SmallVector<Value> parameters = ParameterFinder(*this, b).run();
  Value packed = PackOp::create(b, getLoc(), getResult().getType(), getNumbers(), parameters,
                                /*overflow=*/false, Rounding::NearestEven);
  SmallVector<Value> results{packed};
  if (getSums())
    results.push_back(sumCodes(b, getLoc(), *this, packed));
  return results;
}
