//===- WeftFormats.cpp - Packed tensors and the built-in format -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Base/Result.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;

/// `signed` or `unsigned`.
static ParseResult parseSignedness(AsmParser &parser, bool &isSigned) {
  StringRef keyword;
  auto loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  if (keyword != "signed" && keyword != "unsigned")
    return parser.emitError(loc, "expected 'signed' or 'unsigned', got '") << keyword << "'";
  isSigned = keyword == "signed";
  return success();
}
static void printSignedness(AsmPrinter &printer, bool isSigned) {
  printer << (isSigned ? "signed" : "unsigned");
}

#define GET_ATTRDEF_CLASSES
#include "dialects/Weft/IR/WeftAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Weft/IR/WeftTypes.cpp.inc"

void WeftDialect::registerAttributesAndTypes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Weft/IR/WeftAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Weft/IR/WeftTypes.cpp.inc"
      >();
}

SmallVector<OpFoldResult> weft::getExtents(OpBuilder &builder, Location loc, Value tensor) {
  return tensor::getMixedSizes(builder, loc, tensor);
}

//===----------------------------------------------------------------------===//
// PackedType
//===----------------------------------------------------------------------===//

Type PackedType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  Attribute attribute;
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/true) ||
      parser.parseType(elementType) || parser.parseComma())
    return {};
  auto loc = parser.getCurrentLocation();
  if (parser.parseAttribute(attribute) || parser.parseGreater())
    return {};
  auto format = dyn_cast<FormatInterface>(attribute);
  if (!format) {
    parser.emitError(loc, "expected a format, got ") << attribute;
    return {};
  }
  return parser.getChecked<PackedType>(loc, parser.getContext(), shape, elementType, format);
}

void PackedType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t extent : getShape()) {
    if (ShapedType::isDynamic(extent))
      printer << '?';
    else
      printer << extent;
    printer << 'x';
  }
  printer << getElementType() << ", " << Attribute(getFormat()) << '>';
}

LogicalResult PackedType::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> shape, Type elementType,
                                 FormatInterface format) {
  if (!elementType.isIntOrFloat())
    return emitError() << "packed tensors have integers or floats, got " << elementType;
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      continue;
    if (extent < 0)
      return emitError() << "packed tensors have extents of 0 or more, got " << extent;
    // Empty tensors, too: their other extents are multiplied for strides.
    std::optional<int64_t> product = checkedMultiply(elements, std::max<int64_t>(extent, 1));
    if (!product || *product > INT64_MAX / 8)
      return emitError() << "packed tensors have fewer than 2^60 elements";
    elements = *product;
  }
  return format.verifyPacked(emitError, shape, elementType);
}

PackedType PackedType::cloneWith(std::optional<ArrayRef<int64_t>> shape, Type elementType) const {
  return PackedType::get(shape.value_or(getShape()), elementType, getFormat());
}

SmallVector<RankedTensorType> PackedType::getComponentTypes() const {
  SmallVector<RankedTensorType> types;
  for (const FormatComponent &component : getFormat().getComponents(*this)) {
    SmallVector<int64_t> shape;
    for (AffineExpr expr : component.shape.getResults()) {
      SmallVector<AffineExpr> constants;
      bool dynamic = false;
      for (auto [i, extent] : llvm::enumerate(getShape())) {
        dynamic |= ShapedType::isDynamic(extent) && expr.isFunctionOfSymbol(i);
        constants.push_back(
            getAffineConstantExpr(ShapedType::isDynamic(extent) ? 0 : extent, getContext()));
      }
      auto value = dyn_cast<AffineConstantExpr>(expr.replaceSymbols(constants));
      shape.push_back(dynamic || !value ? ShapedType::kDynamic : value.getValue());
    }
    types.push_back(RankedTensorType::get(shape, component.elementType));
  }
  return types;
}

SmallVector<SmallVector<OpFoldResult>>
PackedType::getComponentSizes(OpBuilder &builder, Location loc, ArrayRef<OpFoldResult> dims) const {
  SmallVector<SmallVector<OpFoldResult>> sizes;
  for (auto [component, type] : llvm::zip(getFormat().getComponents(*this), getComponentTypes())) {
    SmallVector<OpFoldResult> extents;
    for (auto [i, expr] : llvm::enumerate(component.shape.getResults())) {
      if (!type.isDynamicDim(i)) {
        extents.push_back(builder.getIndexAttr(type.getDimSize(i)));
        continue;
      }
      SmallVector<Value> symbols;
      for (OpFoldResult dim : dims)
        symbols.push_back(getValueOrCreateConstantIndexOp(builder, loc, dim));
      extents.push_back(affine::expandAffineExpr(builder, loc, expr, {}, symbols));
    }
    sizes.push_back(std::move(extents));
  }
  return sizes;
}

//===----------------------------------------------------------------------===//
// LeafFormatAttr
//===----------------------------------------------------------------------===//

LogicalResult LeafFormatAttr::verifyPacked(llvm::function_ref<InFlightDiagnostic()> emitError,
                                           ArrayRef<int64_t>, Type elementType) const {
  return getElem().verifyExpressed(emitError, elementType);
}

LogicalResult LeafFormatAttr::verifyOptions(llvm::function_ref<InFlightDiagnostic()> emitError,
                                            const EncodeOptions &options) const {
  return getElem().verifyOptions(emitError, options);
}

SmallVector<FormatComponent> LeafFormatAttr::getComponents(ShapedType type) const {
  MLIRContext *context = getContext();
  unsigned rank = static_cast<unsigned>(type.getRank());
  SmallVector<AffineExpr> extents;
  for (unsigned i = 0; i < rank; ++i)
    extents.push_back(getAffineSymbolExpr(i, context));
  if (getElem().getBits() < 8) {
    AffineExpr elements = getAffineConstantExpr(1, context);
    for (AffineExpr extent : extents)
      elements = elements * extent;
    extents.assign(1, (elements * getElem().getBits()).ceilDiv(8));
  }
  return {{"codes", IntegerType::get(context, 8), AffineMap::get(0, rank, extents, context)}};
}

namespace {
/// Index arithmetic.
struct Indices {
  OpBuilder &b;
  Location loc;

  Value constant(int64_t value) const { return arith::ConstantIndexOp::create(b, loc, value); }
  Value add(Value x, Value y) const { return b.createOrFold<arith::AddIOp>(loc, x, y); }
  Value sub(Value x, Value y) const { return b.createOrFold<arith::SubIOp>(loc, x, y); }
  Value mul(Value x, Value y) const { return b.createOrFold<arith::MulIOp>(loc, x, y); }
  Value div(Value x, int64_t y) const {
    return b.createOrFold<arith::DivUIOp>(loc, x, constant(y));
  }
  Value rem(Value x, int64_t y) const {
    return b.createOrFold<arith::RemUIOp>(loc, x, constant(y));
  }
  Value min(Value x, Value y) const { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
  Value value(OpFoldResult x) const { return getValueOrCreateConstantIndexOp(b, loc, x); }
  /// As an i32 that shifts are made with.
  Value toInteger(Value x) const { return arith::IndexCastOp::create(b, loc, b.getI32Type(), x); }
};
} // namespace

/// The byte at `position` of a component, as i32.
static Value readByte(const Indices &ix, Value bytes, Value position) {
  Value byte = tensor::ExtractOp::create(ix.b, ix.loc, bytes, position);
  return arith::ExtUIOp::create(ix.b, ix.loc, ix.b.getI32Type(), byte);
}

/// The code of the element number `element` in a stream of `width` bits each.
static Value readCode(const Indices &ix, Value bytes, Value element, unsigned width) {
  OpBuilder &b = ix.b;
  Value bit = ix.mul(element, ix.constant(width));
  Value byte = ix.div(bit, 8);
  // Shapes that are known are right; others may disagree with the component.
  bool dynamic = cast<RankedTensorType>(bytes.getType()).isDynamicDim(0);
  Value last = ix.sub(ix.value(tensor::getMixedSize(b, ix.loc, bytes, 0)), ix.constant(1));
  if (dynamic)
    byte = ix.min(byte, last);
  Value window = readByte(ix, bytes, byte);
  if (8 % width != 0) {
    Value next = readByte(ix, bytes, ix.min(ix.add(byte, ix.constant(1)), last));
    next = arith::ShLIOp::create(b, ix.loc, next, arith::ConstantIntOp::create(b, ix.loc, 8, 32));
    window = arith::OrIOp::create(b, ix.loc, window, next);
  }
  Value code = arith::ShRUIOp::create(b, ix.loc, window, ix.toInteger(ix.rem(bit, 8)));
  code = arith::AndIOp::create(b, ix.loc, code,
                               arith::ConstantIntOp::create(b, ix.loc, (1 << width) - 1, 32));
  return arith::TruncIOp::create(b, ix.loc, b.getI8Type(), code);
}

Value LeafFormatAttr::decodeTile(OpBuilder &b, Location loc, ShapedType type, ValueRange components,
                                 ArrayRef<OpFoldResult> dims, ArrayRef<OpFoldResult> offsets,
                                 Value init) const {
  auto resultType = cast<RankedTensorType>(init.getType());
  int64_t rank = resultType.getRank();
  ElementInterface elem = getElem();
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  Value codes = components.front();

  if (elem.getBits() == 8) {
    bool whole = llvm::all_of(offsets, [](OpFoldResult x) { return isZeroInteger(x); }) &&
                 cast<RankedTensorType>(codes.getType()).getShape() == resultType.getShape();
    if (!whole) {
      SmallVector<OpFoldResult> ones(rank, b.getIndexAttr(1));
      codes =
          tensor::ExtractSliceOp::create(b, loc, codes, offsets, getExtents(b, loc, init), ones);
    }
    return linalg::GenericOp::create(
               b, loc, resultType, codes, init, {identity, identity}, parallel,
               [&](OpBuilder &b, Location loc, ValueRange args) {
                 linalg::YieldOp::create(b, loc,
                                         elem.decode(b, loc, args[0], type.getElementType()));
               })
        .getResult(0);
  }

  return linalg::GenericOp::create(
             b, loc, resultType, ValueRange(), init, identity, parallel,
             [&](OpBuilder &b, Location loc, ValueRange) {
               Indices ix{b, loc};
               Value element = ix.constant(0);
               for (int64_t i = 0; i < rank; ++i) {
                 Value position = ix.add(linalg::IndexOp::create(b, loc, i), ix.value(offsets[i]));
                 element = ix.add(ix.mul(element, ix.value(dims[i])), position);
               }
               Value code = readCode(ix, codes, element, elem.getBits());
               linalg::YieldOp::create(b, loc, elem.decode(b, loc, code, type.getElementType()));
             })
      .getResult(0);
}

/// How many elements a byte has bits of, at most.
static int64_t elementsInByte(int64_t width) {
  int64_t most = 0;
  for (int64_t byte = 0; byte < width; ++byte)
    most = std::max(most, (8 * byte + 7) / width - 8 * byte / width + 1);
  return most;
}

SmallVector<Value> LeafFormatAttr::encode(OpBuilder &b, Location loc, ShapedType type,
                                          Value numbers, const EncodeOptions &options) const {
  ElementInterface elem = getElem();
  SmallVector<OpFoldResult> dims = getExtents(b, loc, numbers);
  auto packed = PackedType::get(type.getShape(), type.getElementType(), *this);
  SmallVector<OpFoldResult> sizes = packed.getComponentSizes(b, loc, dims).front();
  Value empty = tensor::EmptyOp::create(b, loc, sizes, b.getI8Type());
  int64_t rank = type.getRank();
  if (elem.getBits() == 8) {
    AffineMap identity = b.getMultiDimIdentityMap(rank);
    auto generic = linalg::GenericOp::create(
        b, loc, empty.getType(), numbers, empty, {identity, identity},
        SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
        [&](OpBuilder &b, Location loc, ValueRange args) {
          linalg::YieldOp::create(b, loc, elem.encode(b, loc, args[0], options));
        });
    return {generic.getResult(0)};
  }

  if (rank > 1)
    numbers = tensor::CollapseShapeOp::create(
        b, loc, numbers,
        ArrayRef<ReassociationIndices>{llvm::to_vector<2>(llvm::seq<int64_t>(0, rank))});
  auto generic = linalg::GenericOp::create(
      b, loc, empty.getType(), ValueRange(), empty, b.getMultiDimIdentityMap(1),
      utils::IteratorType::parallel, [&](OpBuilder &b, Location loc, ValueRange) {
        Indices ix{b, loc};
        int64_t width = elem.getBits();
        Value firstBit = ix.mul(linalg::IndexOp::create(b, loc, 0), ix.constant(8));
        Value first = ix.div(firstBit, width);
        Value count =
            rank == 0 ? ix.constant(1) : ix.value(tensor::getMixedSize(b, loc, numbers, 0));
        Value eight = arith::ConstantIntOp::create(b, loc, 8, 32);
        Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
        Value byte = zero;
        for (int64_t i = 0; i < elementsInByte(width); ++i) {
          Value element = ix.add(first, ix.constant(i));
          SmallVector<Value> position;
          if (rank > 0)
            position.push_back(ix.min(element, ix.sub(count, ix.constant(1))));
          Value number = tensor::ExtractOp::create(b, loc, numbers, position);
          Value code =
              arith::ExtUIOp::create(b, loc, b.getI32Type(), elem.encode(b, loc, number, options));
          Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, element, count);
          code = arith::SelectOp::create(b, loc, inside, code, zero);
          // Eight further left, so that no shift is negative.
          Value shift =
              ix.add(ix.sub(ix.mul(element, ix.constant(width)), firstBit), ix.constant(8));
          code = arith::ShLIOp::create(b, loc, code, ix.toInteger(shift));
          byte = arith::OrIOp::create(b, loc, byte, code);
        }
        byte = arith::ShRUIOp::create(b, loc, byte, eight);
        linalg::YieldOp::create(b, loc,
                                arith::TruncIOp::create(b, loc, b.getI8Type(), byte).getResult());
      });
  return {generic.getResult(0)};
}
