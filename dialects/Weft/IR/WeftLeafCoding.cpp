//===- WeftLeafCoding.cpp - Numbers of leaf formats read and written ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/LeafParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

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

/// The code at a position among the codes. The components are those of the codes.
static Value readCode(LeafFormatAttr format, OpBuilder &b, Location loc, const PackedPosition &at) {
  unsigned bits = format.getElem().getBits();
  if (PackInterface pack = format.getPack())
    return pack.readCode(b, loc, at, bits);
  if (sharesBytes(bits))
    return readStream(b, loc, at.components.front(), linearize(b, loc, at.position, at.dims), bits);
  return readInside(b, loc, at.components.front(), at.position);
}

Value LeafFormatAttr::decodeAt(OpBuilder &b, Location loc, ShapedType type,
                               const PackedPosition &at) const {
  LeafParts parts(*this, type);
  ValueRange rest = at.components;
  ValueRange codes = LeafParts::take(rest, parts.codes.size());
  ValueRange element = LeafParts::take(rest, parts.element.size());
  ValueRange structure = LeafParts::take(rest, parts.structure.size());
  unsigned rank = type.getRank();

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
    Value code = readCode(*this, b, loc, {codes, codeDims, codeAt});
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

/// The stream of what `code` makes of each element of a tensor.
static Value writeStreamOf(OpBuilder &b, Location loc, Value elements, unsigned bits,
                           llvm::function_ref<Value(OpBuilder &, Location, Value)> code) {
  Value flat = flatten(b, loc, elements);
  OpFoldResult count = tensor::getMixedSize(b, loc, flat, 0);
  AffineExpr n = b.getAffineSymbolExpr(0);
  OpFoldResult size =
      evaluateExtents(b, loc, AffineMap::get(0, 1, (n * bits).ceilDiv(8)), count).front();
  return writeStream(b, loc, size, bits, count, [&](OpBuilder &b, Location loc, Value at) {
    return code(b, loc, tensor::ExtractOp::create(b, loc, flat, at));
  });
}

/// The components for a tensor of codes.
static SmallVector<Value> writeCodes(LeafFormatAttr format, OpBuilder &b, Location loc,
                                     Value codes) {
  unsigned bits = format.getElem().getBits();
  if (PackInterface pack = format.getPack())
    return pack.writeCodes(b, loc, codes, bits);
  if (!sharesBytes(bits))
    return {codes};
  return {
      writeStreamOf(b, loc, codes, bits, [](OpBuilder &, Location, Value code) { return code; })};
}

SmallVector<Value> LeafEncoder::packBits(Value numbers) {
  unsigned bits = format.getElem().getBits();
  bool needsPosition = !element.empty() || !format.getScales().empty();
  // Codes are computed where they are packed, by elements that are looked up in
  // memory apart from it.
  if (format.getPack() || !sharesBytes(bits) || needsPosition)
    return writeCodes(format, b, loc, codesOf(numbers));
  return {writeStreamOf(b, loc, numbers, bits, [&](OpBuilder &b, Location loc, Value number) {
    return encode(b, loc, number, {});
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

//===----------------------------------------------------------------------===//
// Moving
//===----------------------------------------------------------------------===//

bool weft::differInPackOnly(FormatInterface from, FormatInterface to) {
  auto x = dyn_cast<LeafFormatAttr>(from), y = dyn_cast<LeafFormatAttr>(to);
  return x && y && !x.getStructure() && !y.getStructure() && x.getElem() == y.getElem() &&
         x.getScales() == y.getScales();
}

SmallVector<Value> weft::moveCodes(OpBuilder &b, Location loc, LeafFormatAttr from,
                                   LeafFormatAttr to, ShapedType type, ValueRange components,
                                   ArrayRef<OpFoldResult> dims) {
  LeafParts parts(from, type);
  ValueRange rest = components;
  ValueRange codes = LeafParts::take(rest, parts.codes.size());
  SmallVector<OpFoldResult> extents = evaluateExtents(b, loc, getCodeMap(from, dims.size()), dims);
  Value empty = tensor::EmptyOp::create(b, loc, extents,
                                        getCodeType(b.getContext(), from.getElem().getBits()));
  auto all = linalg::GenericOp::create(
      b, loc, empty.getType(), ValueRange(), empty, b.getMultiDimIdentityMap(extents.size()),
      SmallVector<utils::IteratorType>(extents.size(), utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange) {
        SmallVector<Value> position;
        for (size_t i = 0; i < extents.size(); ++i)
          position.push_back(linalg::IndexOp::create(b, loc, i));
        linalg::YieldOp::create(b, loc, readCode(from, b, loc, {codes, extents, position}));
      });
  SmallVector<Value> moved = writeCodes(to, b, loc, all.getResult(0));
  llvm::append_range(moved, rest);
  return moved;
}
