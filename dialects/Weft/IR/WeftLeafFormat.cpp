//===- WeftLeafFormat.cpp - The format that is composed of fields ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
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

/// The type that numbers are computed in.
static Type getComputeType(LeafFormatAttr format, Type expressed) {
  if (format.getScales().empty() || !isa<FloatType>(expressed) || expressed.isF64())
    return expressed;
  return Float32Type::get(format.getContext());
}

/// The extents of the stored numbers over the logical ones.
static AffineMap getStoredMap(LeafFormatAttr format, unsigned rank) {
  if (StructureInterface structure = format.getStructure())
    return structure.getStoredShape(rank);
  SmallVector<AffineExpr> extents;
  for (unsigned i = 0; i < rank; ++i)
    extents.push_back(getAffineSymbolExpr(i, format.getContext()));
  return AffineMap::get(0, rank, extents, format.getContext());
}

/// The extents of the codes: those of the stored numbers but the last, which a
/// code can have several of.
static AffineMap getCodeMap(LeafFormatAttr format, unsigned rank) {
  AffineMap stored = getStoredMap(format, rank);
  int64_t numbers = format.getElem().getNumbersPerCode();
  if (numbers == 1 || stored.getNumResults() == 0)
    return stored;
  SmallVector<AffineExpr> extents(stored.getResults());
  extents.back() = extents.back().ceilDiv(numbers);
  return AffineMap::get(0, stored.getNumSymbols(), extents, format.getContext());
}

namespace {
/// The components of a leaf's fields, in order.
struct LeafParts {
  LeafParts(LeafFormatAttr format, ShapedType type);

  SmallVector<FormatComponent> codes, element, structure;
  SmallVector<SmallVector<FormatComponent>> scales;

  /// Takes the values of the parts in order.
  template <typename T> static T take(T &from, size_t count) {
    T part = from.take_front(count);
    from = from.drop_front(count);
    return part;
  }
};
} // namespace

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
  for (ScaleInterface scale : format.getScales()) {
    if (!scale.isOfStored()) {
      scales.push_back(scale.getScaleComponents(type));
      continue;
    }
    scales.push_back(
        scale.getScaleComponents(RankedTensorType::get(storedShape, type.getElementType())));
    // Over the logical extents.
    for (FormatComponent &component : scales.back()) {
      SmallVector<AffineExpr> extents;
      for (AffineExpr expr : component.shape.getResults())
        extents.push_back(expr.replaceSymbols(storedMap.getResults()));
      component.shape = AffineMap::get(0, storedMap.getNumSymbols(), extents, format.getContext());
    }
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
  if (!getStructure())
    return success();
  LeafParts parts(*this, type);
  return getStructure().verifyConstants(
      emitError, type,
      components.slice(parts.codes.size() + parts.element.size(), parts.structure.size()));
}

LogicalResult LeafFormatAttr::verifyOptions(llvm::function_ref<InFlightDiagnostic()> emitError,
                                            const EncodeOptions &options) const {
  if (getElem().getNumbersPerCode() > 1)
    return emitError() << getElem() << " has codes for several numbers, which are searched, "
                       << "not rounded";
  return getElem().verifyOptions(emitError, options);
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// `x` times a scale leaves the type it is computed in.
static Value toExpressed(OpBuilder &b, Location loc, Value x, Type expressed) {
  if (x.getType() == expressed)
    return x;
  return arith::TruncFOp::create(b, loc, expressed, x);
}

/// Where an element looks its number up: `at`, but as the number of its code that it is.
/// Where all numbers are stored the two are the same.
static SmallVector<Value> elementPosition(LeafFormatAttr format, OpBuilder &b, Location loc,
                                          const PackedPosition &at, const PackedPosition &stored) {
  SmallVector<Value> position(at.position);
  int64_t numbers = format.getElem().getNumbersPerCode();
  if (numbers == 1 || !format.getStructure())
    return position;
  Value count = arith::ConstantIndexOp::create(b, loc, numbers);
  Value &last = position.back();
  last = arith::SubIOp::create(b, loc, last, arith::RemUIOp::create(b, loc, last, count));
  last = arith::AddIOp::create(b, loc, last,
                               arith::RemUIOp::create(b, loc, stored.position.back(), count));
  return position;
}

/// What the code at `stored` means at a logical position.
static Value decodeCode(LeafFormatAttr format, OpBuilder &b, Location loc, Value code,
                        ShapedType type, const LeafParts &parts, ValueRange element,
                        ValueRange scales, const PackedPosition &at, const PackedPosition &stored) {
  Type computeType = getComputeType(format, type.getElementType());
  SmallVector<Value> position = elementPosition(format, b, loc, at, stored);
  Value number = format.getElem().decodeAt(b, loc, code, computeType, {element, at.dims, position});
  for (auto [scale, components] : llvm::zip(format.getScales(), parts.scales))
    number = scale.apply(
        b, loc, number,
        (scale.isOfStored() ? stored : at).with(LeafParts::take(scales, components.size())));
  return toExpressed(b, loc, number, type.getElementType());
}

/// The last index counts codes.
static SmallVector<Value> codePosition(OpBuilder &b, Location loc, ArrayRef<Value> stored,
                                       int64_t numbers) {
  SmallVector<Value> position(stored);
  if (numbers > 1)
    position.back() = b.createOrFold<arith::DivUIOp>(
        loc, position.back(), arith::ConstantIndexOp::create(b, loc, numbers));
  return position;
}

Value LeafFormatAttr::decodeAt(OpBuilder &b, Location loc, ShapedType type,
                               const PackedPosition &at) const {
  LeafParts parts(*this, type);
  ValueRange rest = at.components;
  ValueRange codes = LeafParts::take(rest, parts.codes.size());
  ValueRange element = LeafParts::take(rest, parts.element.size());
  ValueRange structure = LeafParts::take(rest, parts.structure.size());
  unsigned rank = type.getRank(), bits = getElem().getBits();

  StoredPosition where{{}, SmallVector<Value>(at.position)};
  SmallVector<OpFoldResult> storedDims(at.dims), codeDims(at.dims);
  if (getStructure()) {
    where = getStructure().locate(b, loc, at.with(structure));
    storedDims = evaluateExtents(b, loc, getStoredMap(*this, rank), at.dims);
  }
  PackedPosition stored{{}, storedDims, where.position};
  if (getStructure() || getElem().getNumbersPerCode() > 1)
    codeDims = evaluateExtents(b, loc, getCodeMap(*this, rank), at.dims);
  SmallVector<Value> codeAt = codePosition(b, loc, where.position, getElem().getNumbersPerCode());

  auto read = [&](OpBuilder &b, Location loc) {
    Value code;
    if (getPack())
      code = getPack().readCode(b, loc, {codes, codeDims, codeAt}, bits);
    else if (sharesBytes(bits))
      code = readStream(b, loc, codes.front(), linearize(b, loc, codeAt, codeDims), bits);
    else
      code = readInside(b, loc, codes.front(), codeAt);
    return decodeCode(*this, b, loc, code, type, parts, element, rest, at, stored);
  };
  if (!where.isStored)
    return read(b, loc);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  if (codeDims.empty() || codeDims.front())
    return arith::SelectOp::create(b, loc, where.isStored, read(b, loc), zero);
  // Where data decides how many numbers are stored, there can be none to read.
  SmallVector<Value> ofStored(codes);
  ValueRange scales = rest;
  for (auto [scale, components] : llvm::zip(getScales(), parts.scales)) {
    ValueRange taken = LeafParts::take(scales, components.size());
    if (scale.isOfStored())
      llvm::append_range(ofStored, taken);
  }
  Value isThere = where.isStored;
  IndexMath m{b, loc};
  for (Value component : ofStored)
    if (auto tensor = cast<RankedTensorType>(component.getType());
        tensor.getRank() > 0 && tensor.isDynamicDim(0))
      isThere =
          m.both(isThere, m.cmp(arith::CmpIPredicate::sgt, m.dim(component, 0), m.constant(0)));
  return scf::IfOp::create(
             b, loc, isThere,
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, read(b, loc)); },
             [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, zero); })
      .getResult(0);
}

Value LeafFormatAttr::decodeTile(OpBuilder &b, Location loc, ShapedType type, ValueRange components,
                                 ArrayRef<OpFoldResult> dims, ArrayRef<OpFoldResult> offsets,
                                 Value init) const {
  // Codes that have a byte each, where the numbers are, are an operand of their own.
  auto resultType = cast<RankedTensorType>(init.getType());
  Value codes = components.front();
  if (getPack() || getStructure() || sharesBytes(getElem().getBits()) ||
      getElem().getNumbersPerCode() > 1)
    return decodeTileByPosition(*this, b, loc, type, components, dims, offsets, init);
  int64_t rank = resultType.getRank();
  bool whole = llvm::all_of(offsets, isZeroInteger) &&
               cast<RankedTensorType>(codes.getType()).getShape() == resultType.getShape();
  if (!whole) {
    SmallVector<OpFoldResult> ones(rank, b.getIndexAttr(1));
    codes = tensor::ExtractSliceOp::create(b, loc, codes, offsets, getExtents(b, loc, init), ones);
  }
  LeafParts parts(*this, type);
  ValueRange rest = components.drop_front();
  ValueRange element = LeafParts::take(rest, parts.element.size());
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  bool needsPosition = !element.empty() || !getScales().empty();
  return linalg::GenericOp::create(
             b, loc, resultType, codes, init, {identity, identity}, parallel,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               SmallVector<Value> position;
               for (int64_t i = 0; needsPosition && i < rank; ++i)
                 position.push_back(b.createOrFold<arith::AddIOp>(
                     loc, linalg::IndexOp::create(b, loc, i),
                     getValueOrCreateConstantIndexOp(b, loc, offsets[i])));
               PackedPosition at{{}, dims, position};
               linalg::YieldOp::create(
                   b, loc, decodeCode(*this, b, loc, args[0], type, parts, element, rest, at, at));
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

namespace {
/// Encodes the numbers of one tensor.
class LeafEncoder {
public:
  LeafEncoder(LeafFormatAttr format, OpBuilder &b, Location loc, ShapedType type,
              ValueRange parameters, const EncodeOptions &options)
      : format(format), b(b), loc(loc), type(type), parts(format, type), options(options) {
    element = LeafParts::take(parameters, parts.element.size());
    scales = parameters;
  }
  SmallVector<Value> run(Value numbers);

private:
  /// Reverts the scales of the stored numbers or the others, last ones first.
  Value revert(OpBuilder &b, Location loc, Value number, const PackedPosition &at,
               bool ofStored) const;
  /// The code of a number at a position, both of the stored ones.
  Value encode(OpBuilder &b, Location loc, Value number, const PackedPosition &at) const;
  /// `compute` of each number of a tensor, as a tensor of `type`.
  Value map(Value numbers, Type type,
            llvm::function_ref<Value(OpBuilder &, Location, Value, const PackedPosition &)> compute)
      const;
  Value codesOf(Value numbers) const;
  SmallVector<Value> packBits(Value numbers);

  LeafFormatAttr format;
  OpBuilder &b;
  Location loc;
  ShapedType type;
  LeafParts parts;
  const EncodeOptions &options;
  ValueRange element, scales;
};
} // namespace

Value LeafEncoder::revert(OpBuilder &b, Location loc, Value number, const PackedPosition &at,
                          bool ofStored) const {
  Type computeType = getComputeType(format, type.getElementType());
  if (number.getType() != computeType)
    number = arith::ExtFOp::create(b, loc, computeType, number);
  size_t end = scales.size();
  for (auto [scale, components] :
       llvm::reverse(llvm::zip_equal(format.getScales(), parts.scales))) {
    end -= components.size();
    // Where all numbers are stored, both are the same.
    if (!format.getStructure() ? ofStored : scale.isOfStored() == ofStored)
      number = scale.revert(b, loc, number, at.with(scales.slice(end, components.size())));
  }
  return number;
}

Value LeafEncoder::encode(OpBuilder &b, Location loc, Value number,
                          const PackedPosition &at) const {
  number = revert(b, loc, number, at, /*ofStored=*/true);
  return format.getElem().encodeAt(b, loc, number, at.with(element), options);
}

Value LeafEncoder::map(
    Value numbers, Type type,
    llvm::function_ref<Value(OpBuilder &, Location, Value, const PackedPosition &)> compute) const {
  SmallVector<OpFoldResult> dims = getExtents(b, loc, numbers);
  int64_t rank = dims.size();
  Value empty = tensor::EmptyOp::create(b, loc, dims, type);
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  bool needsPosition = !element.empty() || !format.getScales().empty();
  return linalg::GenericOp::create(
             b, loc, empty.getType(), numbers, empty, {identity, identity},
             SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               SmallVector<Value> position;
               for (int64_t i = 0; needsPosition && i < rank; ++i)
                 position.push_back(linalg::IndexOp::create(b, loc, i));
               linalg::YieldOp::create(b, loc, compute(b, loc, args[0], {{}, dims, position}));
             })
      .getResult(0);
}

Value LeafEncoder::codesOf(Value numbers) const {
  return map(numbers, getCodeType(b.getContext(), format.getElem().getBits()),
             [&](OpBuilder &b, Location loc, Value number, const PackedPosition &at) {
               return encode(b, loc, number, at);
             });
}

SmallVector<Value> LeafEncoder::packBits(Value numbers) {
  unsigned bits = format.getElem().getBits();
  SmallVector<OpFoldResult> dims = getExtents(b, loc, numbers);
  auto packed = PackedType::get(type.getShape(), type.getElementType(), format);
  if (format.getPack()) {
    SmallVector<SmallVector<OpFoldResult>> sizes;
    if (!format.getStructure())
      sizes = packed.getComponentSizes(b, loc, dims);
    sizes.resize(parts.codes.size());
    return format.getPack().writeCodes(b, loc, codesOf(numbers), bits, sizes);
  }
  if (!sharesBytes(bits))
    return {codesOf(numbers)};
  bool needsPosition = !element.empty() || !format.getScales().empty();
  // Codes are computed where they are packed, by elements that are looked up in
  // memory apart from it.
  if (needsPosition)
    numbers = codesOf(numbers);
  int64_t rank = dims.size();
  if (rank > 1)
    numbers = tensor::CollapseShapeOp::create(
        b, loc, numbers,
        ArrayRef<ReassociationIndices>{llvm::to_vector<2>(llvm::seq<int64_t>(0, rank))});
  OpFoldResult count =
      rank == 0 ? OpFoldResult(b.getIndexAttr(1)) : tensor::getMixedSize(b, loc, numbers, 0);
  OpFoldResult size;
  if (auto elements = getConstantIntValue(count)) {
    size = b.getIndexAttr((*elements * bits + 7) / 8);
  } else {
    AffineExpr n = b.getAffineSymbolExpr(0);
    size = evaluateExtents(b, loc, AffineMap::get(0, 1, (n * bits).ceilDiv(8)), count).front();
  }
  return {writeStream(b, loc, size, bits, count, [&](OpBuilder &b, Location loc, Value at) {
    SmallVector<Value> position;
    if (rank > 0)
      position.push_back(at);
    Value number = tensor::ExtractOp::create(b, loc, numbers, position);
    return needsPosition ? number : encode(b, loc, number, {{}, dims, {}});
  })};
}

SmallVector<Value> LeafEncoder::run(Value numbers) {
  SmallVector<Value> structure;
  if (format.getStructure()) {
    Value values = numbers;
    if (!llvm::all_of(format.getScales(), [](ScaleInterface s) { return s.isOfStored(); }))
      values = map(numbers, getComputeType(format, type.getElementType()),
                   [&](OpBuilder &b, Location loc, Value number, const PackedPosition &at) {
                     return revert(b, loc, number, at, /*ofStored=*/false);
                   });
    StoredNumbers stored = format.getStructure().compress(b, loc, numbers, values);
    structure = std::move(stored.components);
    numbers = stored.values;
  }
  SmallVector<Value> all = packBits(numbers);
  llvm::append_range(all, element);
  llvm::append_range(all, structure);
  llvm::append_range(all, scales);
  return all;
}

SmallVector<Value> LeafFormatAttr::encode(OpBuilder &b, Location loc, ShapedType type,
                                          Value numbers, ValueRange parameters,
                                          const EncodeOptions &options) const {
  return LeafEncoder(*this, b, loc, type, parameters, options).run(numbers);
}
