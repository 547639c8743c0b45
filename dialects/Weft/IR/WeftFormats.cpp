//===- WeftFormats.cpp - Packed tensors ------------------------------------===//
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

/// `[F, G]`.
static ParseResult parseTerms(AsmParser &parser, SmallVector<FormatInterface> &terms) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&]() -> ParseResult {
    return parser.parseAttribute(terms.emplace_back());
  });
}
static void printTerms(AsmPrinter &printer, ArrayRef<FormatInterface> terms) {
  printer << '[';
  llvm::interleaveComma(terms, printer);
  printer << ']';
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

Value weft::flatten(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getRank() == 1)
    return tensor;
  SmallVector<ReassociationIndices> groups;
  if (type.getRank() == 0)
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get({1}, type.getElementType()), tensor, groups);
  groups.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank())));
  return tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
}

SmallVector<int64_t> weft::getStaticExtents(AffineMap map, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> extents;
  SmallVector<AffineExpr> symbols;
  for (unsigned i = 0; i < map.getNumSymbols(); ++i)
    symbols.push_back(i < shape.size() && !ShapedType::isDynamic(shape[i])
                          ? getAffineConstantExpr(shape[i], map.getContext())
                          : getAffineSymbolExpr(i, map.getContext()));
  for (AffineExpr expr : map.getResults()) {
    auto constant = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(expr.replaceSymbols(symbols), 0, map.getNumSymbols()));
    extents.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
  }
  return extents;
}

AffineMap weft::composeExtents(AffineMap map, AffineMap outer, unsigned rank, unsigned dataBefore) {
  unsigned inner = outer.getNumResults();
  SmallVector<AffineExpr> symbols(outer.getResults());
  for (unsigned i = inner; i < map.getNumSymbols(); ++i)
    symbols.push_back(getAffineSymbolExpr(rank + dataBefore + i - inner, map.getContext()));
  SmallVector<AffineExpr> extents;
  for (AffineExpr expr : map.getResults())
    extents.push_back(expr.replaceSymbols(symbols));
  unsigned count =
      std::max(outer.getNumSymbols(),
               rank + dataBefore + (map.getNumSymbols() > inner ? map.getNumSymbols() - inner : 0));
  return AffineMap::get(0, count, extents, map.getContext());
}

unsigned weft::countDataExtents(ArrayRef<FormatComponent> components, unsigned rank) {
  unsigned count = 0;
  for (const FormatComponent &component : components)
    count = std::max(count, component.shape.getNumSymbols() -
                                std::min(rank, component.shape.getNumSymbols()));
  return count;
}

uint64_t ConstantComponent::getInteger(int64_t i) const {
  unsigned size = type.getElementTypeBitWidth() / 8;
  uint64_t value = 0;
  for (unsigned byte = 0; byte < size; ++byte)
    value |= uint64_t((*bytes)[i * size + byte]) << (8 * byte);
  return value;
}

SmallVector<OpFoldResult> weft::evaluateExtents(OpBuilder &builder, Location loc, AffineMap map,
                                                ArrayRef<OpFoldResult> dims) {
  auto isOfData = [&](unsigned i) { return i >= dims.size() || !dims[i]; };
  SmallVector<AffineExpr> constants;
  SmallVector<Value> symbols;
  for (unsigned i = 0; i < map.getNumSymbols(); ++i) {
    auto extent = isOfData(i) ? std::nullopt : getConstantIntValue(dims[i]);
    constants.push_back(extent ? builder.getAffineConstantExpr(*extent)
                               : builder.getAffineSymbolExpr(i));
  }
  SmallVector<OpFoldResult> extents;
  for (AffineExpr expr : map.getResults()) {
    AffineExpr simplified =
        simplifyAffineExpr(expr.replaceSymbols(constants), 0, map.getNumSymbols());
    if (auto constant = dyn_cast<AffineConstantExpr>(simplified)) {
      extents.push_back(builder.getIndexAttr(constant.getValue()));
      continue;
    }
    if (llvm::any_of(llvm::seq(map.getNumSymbols()),
                     [&](unsigned i) { return isOfData(i) && simplified.isFunctionOfSymbol(i); })) {
      extents.push_back({});
      continue;
    }
    for (unsigned i = symbols.size(); i < map.getNumSymbols(); ++i)
      symbols.push_back(isOfData(i) ? Value(arith::ConstantIndexOp::create(builder, loc, 0))
                                    : getValueOrCreateConstantIndexOp(builder, loc, dims[i]));
    extents.push_back(affine::expandAffineExpr(builder, loc, simplified, {}, symbols));
  }
  return extents;
}

Value weft::decodeTileByPosition(FormatInterface format, OpBuilder &b, Location loc,
                                 ShapedType type, ValueRange components,
                                 ArrayRef<OpFoldResult> dims, ArrayRef<OpFoldResult> offsets,
                                 Value init) {
  auto resultType = cast<RankedTensorType>(init.getType());
  int64_t rank = resultType.getRank();
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, resultType, ValueRange(), init, b.getMultiDimIdentityMap(rank), parallel,
             [&](OpBuilder &b, Location loc, ValueRange) {
               SmallVector<Value> position;
               for (int64_t i = 0; i < rank; ++i)
                 position.push_back(b.createOrFold<arith::AddIOp>(
                     loc, linalg::IndexOp::create(b, loc, i),
                     getValueOrCreateConstantIndexOp(b, loc, offsets[i])));
               linalg::YieldOp::create(b, loc,
                                       format.decodeAt(b, loc, type, {components, dims, position}));
             })
      .getResult(0);
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
  for (const FormatComponent &component : getFormat().getComponents(*this))
    types.push_back(RankedTensorType::get(getStaticExtents(component.shape, getShape()),
                                          component.elementType));
  return types;
}

SmallVector<SmallVector<OpFoldResult>>
PackedType::getComponentSizes(OpBuilder &builder, Location loc, ArrayRef<OpFoldResult> dims) const {
  SmallVector<SmallVector<OpFoldResult>> sizes;
  for (const FormatComponent &component : getFormat().getComponents(*this))
    sizes.push_back(evaluateExtents(builder, loc, component.shape, dims));
  return sizes;
}
