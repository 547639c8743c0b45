//===- WeftLeafFormat.cpp - The format that is composed of fields ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/LeafParts.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Assembly
//===----------------------------------------------------------------------===//

/// An attribute of interface `Interface`, which diagnostics call `what`.
template <typename Interface>
static FailureOr<Interface> parseField(AsmParser &parser, StringRef what) {
  Attribute attribute;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseAttribute(attribute))
    return failure();
  if (auto field = dyn_cast<Interface>(attribute))
    return field;
  return parser.emitError(loc, "expected ") << what << ", got " << attribute;
}

Attribute LeafFormatAttr::parse(AsmParser &parser, Type) {
  ElementInterface elem;
  SmallVector<ScaleInterface> scales;
  StructureInterface structure;
  PackInterface pack;
  auto into = [](auto &field, auto parsed) -> ParseResult {
    if (failed(parsed))
      return failure();
    field = *parsed;
    return success();
  };
  auto parseOne = [&]() -> ParseResult {
    StringRef name;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&name) || parser.parseEqual())
      return failure();
    bool isKnown = llvm::is_contained({"elem", "scales", "structure", "pack"}, name);
    if (!isKnown)
      return parser.emitError(loc, "expected elem, scales, structure or pack, got '")
             << name << "'";
    if ((name == "elem" && elem) || (name == "scales" && !scales.empty()) ||
        (name == "structure" && structure) || (name == "pack" && pack))
      return parser.emitError(loc, "has '") << name << "' twice";
    if (name == "elem")
      return into(elem, parseField<ElementInterface>(parser, "an element"));
    if (name == "structure")
      return into(structure, parseField<StructureInterface>(parser, "a structure"));
    if (name == "pack")
      return into(pack, parseField<PackInterface>(parser, "a pack"));
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
      return into(scales.emplace_back(), parseField<ScaleInterface>(parser, "a scale"));
    });
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseOne))
    return {};
  if (!elem) {
    parser.emitError(loc, "has no elem");
    return {};
  }
  return LeafFormatAttr::get(parser.getContext(), elem, scales, structure, pack);
}

void LeafFormatAttr::print(AsmPrinter &printer) const {
  printer << "<elem = " << getElem();
  if (!getScales().empty()) {
    printer << ", scales = [";
    llvm::interleaveComma(getScales(), printer);
    printer << ']';
  }
  if (getStructure())
    printer << ", structure = " << getStructure();
  if (getPack())
    printer << ", pack = " << getPack();
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Shapes and components
//===----------------------------------------------------------------------===//

Type weft::getComputeType(LeafFormatAttr format, Type expressed) {
  if (format.getScales().empty() || !isa<FloatType>(expressed) || expressed.isF64())
    return expressed;
  return Float32Type::get(format.getContext());
}

AffineMap weft::getStoredMap(LeafFormatAttr format, unsigned rank) {
  if (StructureInterface structure = format.getStructure())
    return structure.getStoredShape(rank);
  SmallVector<AffineExpr> extents;
  for (unsigned i = 0; i < rank; ++i)
    extents.push_back(getAffineSymbolExpr(i, format.getContext()));
  return AffineMap::get(0, rank, extents, format.getContext());
}

AffineMap weft::getCodeMap(LeafFormatAttr format, unsigned rank) {
  AffineMap stored = getStoredMap(format, rank);
  int64_t numbers = format.getElem().getNumbersPerCode();
  if (numbers == 1 || stored.getNumResults() == 0)
    return stored;
  SmallVector<AffineExpr> extents(stored.getResults());
  extents.back() = extents.back().ceilDiv(numbers);
  return AffineMap::get(0, stored.getNumSymbols(), extents, format.getContext());
}

LeafParts::LeafParts(LeafFormatAttr format, ShapedType type) {
  unsigned rank = type.getRank(), bits = format.getElem().getBits();
  AffineMap codeMap = getCodeMap(format, rank);
  if (PackInterface pack = format.getPack())
    codes = pack.getCodeComponents(codeMap, bits);
  else
    codes = {getStreamComponent("codes", codeMap, bits)};
  element = format.getElem().getElementComponents(type);
  if (StructureInterface s = format.getStructure())
    structure = s.getStructureComponents(type);
  AffineMap storedMap = getStoredMap(format, rank);
  SmallVector<int64_t> storedShape = getStaticExtents(storedMap, type.getShape());
  AffineMap logicalMap = AffineMap::getMultiDimIdentityMap(rank, format.getContext());
  logicalMap = logicalMap.replaceDimsAndSymbols(
      llvm::map_to_vector(llvm::seq(rank),
                          [&](unsigned i) { return getAffineSymbolExpr(i, format.getContext()); }),
      {}, 0, rank);
  // Each part has extents of its own that data decides.
  unsigned ofData = std::max(countDataExtents(codes, rank), countDataExtents(structure, rank));
  for (ScaleInterface scale : format.getScales()) {
    AffineMap outer = scale.isOfStored() ? storedMap : logicalMap;
    SmallVector<FormatComponent> &own = scales.emplace_back(scale.getScaleComponents(
        scale.isOfStored() ? ShapedType(RankedTensorType::get(storedShape, type.getElementType()))
                           : type));
    unsigned count = countDataExtents(own, outer.getNumResults());
    for (FormatComponent &component : own)
      component.shape = composeExtents(component.shape, outer, rank, ofData);
    ofData += count;
  }
}

SmallVector<FormatComponent> LeafFormatAttr::getComponents(ShapedType type) const {
  LeafParts parts(*this, type);
  SmallVector<FormatComponent> all;
  llvm::append_range(all, parts.codes);
  llvm::append_range(all, parts.element);
  llvm::append_range(all, parts.structure);
  llvm::StringMap<unsigned> names;
  for (SmallVector<FormatComponent> &scale : parts.scales)
    for (FormatComponent &component : scale) {
      // Several of one kind are numbered.
      if (unsigned before = names[component.name]++)
        component.name += std::to_string(before + 1);
      all.push_back(std::move(component));
    }
  return all;
}

SmallVector<unsigned> LeafFormatAttr::getParameters(ShapedType type) const {
  LeafParts parts(*this, type);
  SmallVector<unsigned> parameters;
  unsigned next = parts.codes.size();
  for (size_t i = 0; i < parts.element.size(); ++i)
    parameters.push_back(next++);
  next += parts.structure.size();
  for (const SmallVector<FormatComponent> &scale : parts.scales)
    for (size_t i = 0; i < scale.size(); ++i)
      parameters.push_back(next++);
  return parameters;
}

LogicalResult LeafFormatAttr::verifyPacked(llvm::function_ref<InFlightDiagnostic()> emitError,
                                           ArrayRef<int64_t> shape, Type elementType) const {
  Type computeType = getComputeType(*this, elementType);
  if (failed(getElem().verifyExpressed(emitError, computeType)) ||
      failed(getElem().verifyShape(emitError, shape)))
    return failure();
  if (getStructure() && failed(getStructure().verifyStructure(emitError, shape)))
    return failure();
  SmallVector<int64_t> stored = getStaticExtents(getStoredMap(*this, shape.size()), shape);
  ScaleInterface previous;
  for (ScaleInterface scale : getScales()) {
    if (scale.isOfStored() && !getStructure())
      return emitError() << scale << " is of the stored numbers, but all are stored";
    // Encoding reverts them last, when it knows what is stored.
    if (scale.isOfStored() && previous && !previous.isOfStored())
      return emitError() << scale << " is of the stored numbers, but comes after " << previous
                         << ", which is of all";
    previous = scale;
    if (failed(scale.verifyScale(emitError, scale.isOfStored() ? ArrayRef(stored) : shape,
                                 computeType)))
      return failure();
  }
  int64_t numbers = getElem().getNumbersPerCode();
  if (numbers > 1) {
    if (stored.empty())
      return emitError() << getElem() << " has " << numbers
                         << " numbers in a code, but the tensor has rank 0";
    if (!ShapedType::isDynamic(stored.back()) && stored.back() % numbers != 0)
      return emitError() << getElem() << " has " << numbers
                         << " numbers in a code, which do not divide the last extent "
                         << stored.back();
  }
  if (getPack())
    return getPack().verifyPack(emitError, getStaticExtents(getCodeMap(*this, shape.size()), shape),
                                getElem().getBits());
  return success();
}

LogicalResult LeafFormatAttr::verifyConstants(llvm::function_ref<InFlightDiagnostic()> emitError,
                                              ShapedType type,
                                              ArrayRef<ConstantComponent> components) const {
  LeafParts parts(*this, type);
  components = components.drop_front(parts.codes.size() + parts.element.size());
  if (getStructure() && failed(getStructure().verifyConstants(
                            emitError, type, components.take_front(parts.structure.size()))))
    return failure();
  components = components.drop_front(parts.structure.size());
  SmallVector<int64_t> stored =
      getStaticExtents(getStoredMap(*this, type.getRank()), type.getShape());
  for (auto [scale, own] : llvm::zip_equal(getScales(), parts.scales)) {
    ShapedType of =
        scale.isOfStored() ? RankedTensorType::get(stored, type.getElementType()) : type;
    if (failed(scale.verifyConstants(emitError, of, components.take_front(own.size()))))
      return failure();
    components = components.drop_front(own.size());
  }
  return success();
}

LogicalResult LeafFormatAttr::verifyOptions(llvm::function_ref<InFlightDiagnostic()> emitError,
                                            const EncodeOptions &options) const {
  if (getElem().getNumbersPerCode() > 1)
    return emitError() << getElem() << " has codes for several numbers, which are searched, "
                       << "not rounded";
  return getElem().verifyOptions(emitError, options);
}
