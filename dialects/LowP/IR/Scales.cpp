//===- Scales.cpp - Parameters of blocks of numbers -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Blocks.h"
#include "dialects/LowP/IR/Lanes.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/Weft/IR/BitStream.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Assembly
//===----------------------------------------------------------------------===//

Attribute ScaleAttr::parse(AsmParser &parser, Type) {
  StringRef keyword;
  if (parser.parseLess())
    return {};
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return {};
  std::optional<Role> role = symbolizeRole(keyword);
  if (!role) {
    parser.emitError(loc, "expected multiply, zero_point, minimum or offset, got '")
        << keyword << "'";
    return {};
  }
  if (parser.parseComma())
    return {};
  loc = parser.getCurrentLocation();
  SmallVector<int64_t> block;
  Attribute storage;
  FloatAttr value;
  bool stored = false;
  if (failed(parser.parseOptionalLSquare())) {
    double number;
    if (parser.parseFloat(number))
      return {};
    value = FloatAttr::get(Float64Type::get(parser.getContext()), number);
  } else {
    auto parseExtent = [&] { return parser.parseInteger(block.emplace_back()); };
    if (failed(parser.parseOptionalRSquare()) &&
        (parser.parseCommaSeparatedList(parseExtent) || parser.parseRSquare()))
      return {};
    if (parser.parseComma() || parser.parseAttribute(storage))
      return {};
    if (succeeded(parser.parseOptionalComma())) {
      if (parser.parseKeyword("stored"))
        return {};
      stored = true;
    }
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ScaleAttr>(loc, parser.getContext(), *role, ArrayRef<int64_t>(block),
                                      storage, value, stored);
}

void ScaleAttr::print(AsmPrinter &printer) const {
  printer << '<' << stringifyRole(getRole()) << ", ";
  if (getValue()) {
    printer.printFloat(getValue().getValue());
  } else {
    printer << '[';
    llvm::interleaveComma(getBlock(), printer);
    printer << "], " << getStorage();
    if (getStored())
      printer << ", stored";
  }
  printer << '>';
}

LogicalResult ScaleAttr::verify(EmitError emitError, Role, ArrayRef<int64_t> block,
                                Attribute storage, FloatAttr value, bool) {
  if (value) {
    if (!value.getValue().isFinite())
      return emitError() << "constant parameters are finite";
    return success();
  }
  auto type = dyn_cast_or_null<TypeAttr>(storage);
  bool isFloat = type && isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type.getValue());
  if (!isFloat && !isa_and_nonnull<FormatInterface>(storage))
    return emitError() << "parameters are stored as f16, bf16, f32, f64 or in a format, got "
                       << storage;
  return verifyBlock(emitError, block);
}

//===----------------------------------------------------------------------===//
// ScaleInterface
//===----------------------------------------------------------------------===//

bool ScaleAttr::isOfStored() const { return getStored(); }

/// The tensor of parameters that are stored in a format.
static RankedTensorType getParameterType(ScaleAttr scale, ArrayRef<int64_t> shape,
                                         Type computeType) {
  return getBlockTensorType(scale.getBlock(), shape, computeType);
}

LogicalResult ScaleAttr::verifyScale(EmitError emitError, ArrayRef<int64_t> shape,
                                     Type computeType) const {
  if (getRole() == Role::Multiply && !isa<FloatType>(computeType))
    return emitError() << Attribute(*this) << " multiplies, but numbers are " << computeType;
  if (getValue()) {
    double value = getValue().getValueAsDouble();
    if (!isa<FloatType>(computeType) && !getValue().getValue().isInteger())
      return emitError() << Attribute(*this) << " is no integer, but numbers are " << computeType;
    if (!isa<FloatType>(computeType) && std::abs(value) > 0x1p53)
      return emitError() << Attribute(*this) << " is beyond 2^53, but numbers are " << computeType;
    return success();
  }
  if (failed(verifyBlockOf(emitError, getBlock(), shape)))
    return failure();
  if (auto format = dyn_cast<FormatInterface>(getStorage())) {
    RankedTensorType type = getParameterType(*this, shape, computeType);
    return format.verifyPacked(emitError, type.getShape(), computeType);
  }
  if (!isa<FloatType>(computeType))
    return emitError() << Attribute(*this) << " has floats, but numbers are " << computeType;
  return success();
}

static StringRef componentName(Role role) {
  switch (role) {
  case Role::Multiply:
    return "scale";
  case Role::ZeroPoint:
    return "zero_point";
  case Role::Minimum:
    return "minimum";
  case Role::Offset:
    return "offset";
  }
  llvm_unreachable("no such role");
}

SmallVector<FormatComponent> ScaleAttr::getScaleComponents(ShapedType type) const {
  if (getValue())
    return {};
  unsigned rank = type.getRank();
  AffineMap map = getBlockMap(getContext(), getBlock(), rank);
  StringRef name = componentName(getRole());
  if (auto storage = dyn_cast<TypeAttr>(getStorage()))
    return {{name.str(), storage.getValue(), map}};
  auto format = cast<FormatInterface>(getStorage());
  SmallVector<FormatComponent> components =
      format.getComponents(getParameterType(*this, type.getShape(), type.getElementType()));
  for (FormatComponent &component : components) {
    component.name = (name + "." + component.name).str();
    // From the extents of the parameters to those of the tensor.
    component.shape = composeExtents(component.shape, map, rank);
  }
  return components;
}

LogicalResult ScaleAttr::verifyConstants(EmitError emitError, ShapedType type,
                                         ArrayRef<ConstantComponent> components) const {
  auto format = getValue() ? FormatInterface() : dyn_cast<FormatInterface>(getStorage());
  if (!format)
    return success();
  return format.verifyConstants(
      emitError, getParameterType(*this, type.getShape(), type.getElementType()), components);
}

/// The parameter of the block that a position is in, of type `type`.
static Value readParameter(ScaleAttr scale, OpBuilder &b, Location loc, Type type,
                           const PackedPosition &at) {
  Lanes l{b, loc, type};
  if (FloatAttr value = scale.getValue()) {
    if (auto floating = dyn_cast<FloatType>(type))
      return l.number(floating, value.getValueAsDouble());
    return l.integer(type, uint64_t(int64_t(value.getValueAsDouble())));
  }
  SmallVector<Value> position = getBlockPosition(b, loc, scale.getBlock(), at);
  if (isa<TypeAttr>(scale.getStorage()))
    return l.convert(readInside(b, loc, at.components.front(), position), cast<FloatType>(type));
  SmallVector<int64_t> shape(at.dims.size(), ShapedType::kDynamic);
  for (auto [extent, dim] : llvm::zip(shape, at.dims))
    if (auto constant = dim ? getConstantIntValue(dim) : std::nullopt)
      extent = *constant;
  AffineMap map = getBlockMap(b.getContext(), scale.getBlock(), at.dims.size());
  return cast<FormatInterface>(scale.getStorage())
      .decodeAt(b, loc, getParameterType(scale, shape, type),
                {at.components, evaluateExtents(b, loc, map, at.dims), position});
}

static Value combine(OpBuilder &b, Location loc, Role role, bool revert, Value x, Value p) {
  if (role == Role::Multiply) {
    Value product = arith::MulFOp::create(b, loc, x, p);
    if (!revert)
      return product;
    // Whatever is times 0 is 0.
    Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(p.getType(), 0));
    Value isZero = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, p, zero);
    Value quotient = arith::DivFOp::create(b, loc, x, p);
    return arith::SelectOp::create(b, loc, isZero, product, quotient);
  }
  bool isFloat = isa<FloatType>(x.getType());
  if ((role == Role::Offset) != revert)
    return isFloat ? Value(arith::AddFOp::create(b, loc, x, p))
                   : Value(arith::AddIOp::create(b, loc, x, p));
  return isFloat ? Value(arith::SubFOp::create(b, loc, x, p))
                 : Value(arith::SubIOp::create(b, loc, x, p));
}

Value ScaleAttr::apply(OpBuilder &b, Location loc, Value number, const PackedPosition &at) const {
  return combine(b, loc, getRole(), /*revert=*/false, number,
                 readParameter(*this, b, loc, number.getType(), at));
}

Value ScaleAttr::revert(OpBuilder &b, Location loc, Value number, const PackedPosition &at) const {
  return combine(b, loc, getRole(), /*revert=*/true, number,
                 readParameter(*this, b, loc, number.getType(), at));
}
