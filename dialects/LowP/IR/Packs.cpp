//===- Packs.cpp - Where codes lie in memory ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/LowP.h"
#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"

#include <numeric>

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

namespace {
/// Index arithmetic and that of words (i64).
struct Words : IndexMath {
  Words(OpBuilder &b, Location loc) : IndexMath{b, loc} {}

  Value word(int64_t value) const { return arith::ConstantIntOp::create(b, loc, value, 64); }
  Value less(Value x, Value y) const { return cmp(arith::CmpIPredicate::slt, x, y); }
  Value left(Value x, Value n) const { return arith::ShLIOp::create(b, loc, x, n); }
  Value right(Value x, Value n) const { return arith::ShRUIOp::create(b, loc, x, n); }
  Value either(Value x, Value y) const { return arith::OrIOp::create(b, loc, x, y); }
  Value toWord(Value x) const {
    if (x.getType().isIndex())
      return arith::IndexCastOp::create(b, loc, b.getI64Type(), x);
    return arith::ExtUIOp::create(b, loc, b.getI64Type(), x);
  }
  /// The permuted position: `position` in groups of `order.size()`, each permuted.
  Value permuted(Value position, ArrayRef<int64_t> order) const {
    if (order.empty())
      return position;
    int64_t count = order.size();
    Value inGroup = rem(position, count), result = constant(order.back());
    for (int64_t i = count - 2; i >= 0; --i) {
      Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, inGroup, constant(i));
      result = select(here, constant(order[i]), result);
    }
    return add(sub(position, inGroup), result);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

Attribute WordsPackAttr::parse(AsmParser &parser, Type) {
  unsigned axis = 0, word = 0;
  int64_t multiple = 1;
  SmallVector<int64_t> order;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword("axis") || parser.parseEqual() ||
      parser.parseInteger(axis) || parser.parseComma() || parser.parseKeyword("word") ||
      parser.parseEqual() || parser.parseInteger(word))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    bool hasMultiple = succeeded(parser.parseOptionalKeyword("multiple"));
    if (hasMultiple && (parser.parseEqual() || parser.parseInteger(multiple)))
      return {};
    auto parseSlot = [&] { return parser.parseInteger(order.emplace_back()); };
    if ((!hasMultiple || succeeded(parser.parseOptionalComma())) &&
        (parser.parseKeyword("order") || parser.parseEqual() ||
         parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseSlot)))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<WordsPackAttr>(loc, parser.getContext(), axis, word, multiple,
                                          ArrayRef<int64_t>(order));
}

void WordsPackAttr::print(AsmPrinter &printer) const {
  printer << "<axis = " << getAxis() << ", word = " << getWord();
  if (getMultiple() != 1)
    printer << ", multiple = " << getMultiple();
  if (!getOrder().empty()) {
    printer << ", order = [";
    llvm::interleaveComma(getOrder(), printer);
    printer << ']';
  }
  printer << '>';
}

LogicalResult WordsPackAttr::verify(EmitError emitError, unsigned, unsigned word, int64_t multiple,
                                    ArrayRef<int64_t> order) {
  if (word != 8 && word != 16 && word != 32)
    return emitError() << "words have 8, 16 or 32 bits, got " << word;
  if (multiple < 1 || multiple > 1 << 20)
    return emitError() << "extents are filled up to a multiple of 1 to 2^20 codes, got "
                       << multiple;
  if (order.size() > 256)
    return emitError() << "orders permute groups of at most 256 codes, got " << order.size();
  SmallVector<bool> seen(order.size(), false);
  for (int64_t slot : order)
    if (slot < 0 || slot >= static_cast<int64_t>(order.size()) || std::exchange(seen[slot], true))
      return emitError() << "orders are permutations, got " << slot << " in the wrong place";
  return success();
}

/// Codes in a group that whole words hold and nothing reaches out of.
static int64_t groupOf(WordsPackAttr pack, unsigned bits) {
  int64_t whole = std::lcm<int64_t>(bits, pack.getWord()) / bits;
  int64_t group = std::lcm(whole, pack.getMultiple());
  return pack.getOrder().empty() ? group : std::lcm<int64_t>(group, pack.getOrder().size());
}

LogicalResult WordsPackAttr::verifyPack(EmitError emitError, ArrayRef<int64_t> shape,
                                        unsigned bits) const {
  if (getAxis() >= shape.size())
    return emitError() << Attribute(*this) << " is along dimension " << getAxis()
                       << ", but codes have rank " << shape.size();
  if (bits > getWord())
    return emitError() << Attribute(*this) << " is too narrow for codes of " << bits << " bits";
  return success();
}

SmallVector<FormatComponent> WordsPackAttr::getCodeComponents(AffineMap stored,
                                                              unsigned bits) const {
  int64_t group = groupOf(*this, bits);
  SmallVector<AffineExpr> extents(stored.getResults());
  extents[getAxis()] =
      extents[getAxis()].ceilDiv(group) * (group * int64_t(bits) / int64_t(getWord()));
  return {{"codes", IntegerType::get(getContext(), getWord()),
           AffineMap::get(0, stored.getNumSymbols(), extents, getContext())}};
}

Value WordsPackAttr::readCode(OpBuilder &b, Location loc, const PackedPosition &at,
                              unsigned bits) const {
  Words w(b, loc);
  SmallVector<int64_t> slots(getOrder().size());
  for (auto [slot, code] : llvm::enumerate(getOrder()))
    slots[code] = slot;
  int64_t width = getWord();
  Value bit = w.mul(w.permuted(at.position[getAxis()], slots), bits);
  SmallVector<Value> position(at.position);
  Value words = at.components.front();
  auto read = [&](Value index) {
    position[getAxis()] = index;
    return w.toWord(readInside(b, loc, words, position));
  };
  Value first = w.div(bit, width);
  Value window = read(first);
  if (width % bits != 0) {
    Value last = w.sub(w.value(tensor::getMixedSize(b, loc, words, getAxis())), w.constant(1));
    Value next = read(w.min(w.add(first, w.constant(1)), last));
    window = w.either(window, w.left(next, w.word(width)));
  }
  Value code = w.right(window, w.toWord(w.rem(bit, width)));
  code = arith::AndIOp::create(b, loc, code, w.word((int64_t(1) << bits) - 1));
  return arith::TruncIOp::create(b, loc, getCodeType(b.getContext(), bits), code);
}

SmallVector<Value> WordsPackAttr::writeCodes(OpBuilder &b, Location loc, Value codes,
                                             unsigned bits) const {
  int64_t group = groupOf(*this, bits), width = getWord();
  SmallVector<OpFoldResult> dims = getExtents(b, loc, codes), sizes(dims);
  AffineExpr n = b.getAffineSymbolExpr(0);
  sizes[getAxis()] =
      evaluateExtents(b, loc, AffineMap::get(0, 1, n.ceilDiv(group) * (group * bits / width)),
                      dims[getAxis()])
          .front();
  int64_t rank = dims.size();
  Value empty = tensor::EmptyOp::create(b, loc, sizes, b.getIntegerType(width));
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  return {
      linalg::GenericOp::create(
          b, loc, empty.getType(), ValueRange(), empty, b.getMultiDimIdentityMap(rank), parallel,
          [&](OpBuilder &b, Location loc, ValueRange) {
            Words w(b, loc);
            SmallVector<Value> position;
            for (int64_t i = 0; i < rank; ++i)
              position.push_back(linalg::IndexOp::create(b, loc, i));
            Value firstBit = w.mul(position[getAxis()], width);
            Value first = w.div(firstBit, bits), count = w.value(dims[getAxis()]);
            Value word = w.word(0);
            int64_t codesInWord = width % bits == 0 ? width / bits : (width - 2) / bits + 2;
            for (int64_t i = 0; i < codesInWord; ++i) {
              Value slot = w.add(first, w.constant(i));
              Value element = w.permuted(slot, getOrder());
              position[getAxis()] = w.min(element, w.sub(count, w.constant(1)));
              Value code = w.toWord(tensor::ExtractOp::create(b, loc, codes, position));
              code = w.select(w.less(element, count), code, w.word(0));
              // As far left as a code can begin before the word.
              Value shift = w.add(w.sub(w.mul(slot, bits), firstBit), w.constant(16));
              // Slots behind the word are shifted out of it.
              shift = w.min(shift, w.constant(63));
              word = w.either(word, w.left(code, w.toWord(shift)));
            }
            word = w.right(word, w.word(16));
            linalg::YieldOp::create(
                b, loc, arith::TruncIOp::create(b, loc, b.getIntegerType(width), word).getResult());
          })
          .getResult(0)};
}

//===----------------------------------------------------------------------===//
// Trits
//===----------------------------------------------------------------------===//

static constexpr int64_t kTrits = 5;

LogicalResult TritsPackAttr::verifyPack(EmitError emitError, ArrayRef<int64_t>,
                                        unsigned bits) const {
  if (bits != 2)
    return emitError() << Attribute(*this) << " packs codes of 2 bits, got " << bits;
  return success();
}

SmallVector<FormatComponent> TritsPackAttr::getCodeComponents(AffineMap stored, unsigned) const {
  AffineExpr elements = getAffineConstantExpr(1, getContext());
  for (AffineExpr extent : stored.getResults())
    elements = elements * extent;
  return {{"codes", IntegerType::get(getContext(), 8),
           AffineMap::get(0, stored.getNumSymbols(), elements.ceilDiv(kTrits), getContext())}};
}

Value TritsPackAttr::readCode(OpBuilder &b, Location loc, const PackedPosition &at,
                              unsigned) const {
  Words w(b, loc);
  Value element = linearize(b, loc, at.position, at.dims);
  Value byte = readInside(b, loc, at.components.front(), w.div(element, kTrits));
  byte = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), byte);
  Value trit = w.rem(element, kTrits), code = byte;
  int64_t power = 1;
  for (int64_t i = 1; i < kTrits; ++i) {
    power *= 3;
    Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, trit, w.constant(i));
    code = w.select(here, w.div(byte, power), code);
  }
  return arith::IndexCastOp::create(b, loc, b.getI8Type(), w.rem(code, 3));
}

SmallVector<Value> TritsPackAttr::writeCodes(OpBuilder &b, Location loc, Value codes,
                                             unsigned) const {
  codes = flatten(b, loc, codes);
  OpFoldResult count = tensor::getMixedSize(b, loc, codes, 0);
  AffineExpr n = b.getAffineSymbolExpr(0);
  OpFoldResult size =
      evaluateExtents(b, loc, AffineMap::get(0, 1, n.ceilDiv(kTrits)), count).front();
  Value empty = tensor::EmptyOp::create(b, loc, size, b.getI8Type());
  return {linalg::GenericOp::create(
              b, loc, empty.getType(), ValueRange(), empty, b.getMultiDimIdentityMap(1),
              utils::IteratorType::parallel,
              [&](OpBuilder &b, Location loc, ValueRange) {
                Words w(b, loc);
                Value first = w.mul(linalg::IndexOp::create(b, loc, 0), kTrits);
                Value elements = w.value(count), byte = w.word(0);
                int64_t power = 1;
                for (int64_t i = 0; i < kTrits; ++i, power *= 3) {
                  Value element = w.add(first, w.constant(i));
                  Value position = w.min(element, w.sub(elements, w.constant(1)));
                  Value code = w.toWord(tensor::ExtractOp::create(b, loc, codes, position));
                  code = w.select(w.less(element, elements), code, w.word(0));
                  byte = w.add(byte, arith::MulIOp::create(b, loc, code, w.word(power)));
                }
                linalg::YieldOp::create(
                    b, loc, arith::TruncIOp::create(b, loc, b.getI8Type(), byte).getResult());
              })
              .getResult(0)};
}

//===----------------------------------------------------------------------===//
// Planes
//===----------------------------------------------------------------------===//

LogicalResult PlanesPackAttr::verify(EmitError emitError, ArrayRef<unsigned> widths) {
  if (widths.empty())
    return emitError() << "planes have widths";
  for (unsigned width : widths)
    if (width < 1 || width > 8)
      return emitError() << "planes have 1 to 8 bits, got " << width;
  return success();
}

LogicalResult PlanesPackAttr::verifyPack(EmitError emitError, ArrayRef<int64_t>,
                                         unsigned bits) const {
  unsigned sum = std::accumulate(getWidths().begin(), getWidths().end(), 0u);
  if (sum != bits)
    return emitError() << Attribute(*this) << " has " << sum << " bits, codes have " << bits;
  return success();
}

SmallVector<FormatComponent> PlanesPackAttr::getCodeComponents(AffineMap stored, unsigned) const {
  SmallVector<FormatComponent> components;
  for (auto [i, width] : llvm::enumerate(getWidths()))
    components.push_back(getStreamComponent("codes" + std::to_string(i), stored, width));
  return components;
}

Value PlanesPackAttr::readCode(OpBuilder &b, Location loc, const PackedPosition &at,
                               unsigned bits) const {
  Type codeType = getCodeType(b.getContext(), bits);
  Value code;
  unsigned below = 0;
  for (auto [bytes, width] : llvm::zip(at.components, getWidths())) {
    Value part = sharesBytes(width)
                     ? readStream(b, loc, bytes, linearize(b, loc, at.position, at.dims), width)
                     : readInside(b, loc, bytes, at.position);
    if (part.getType() != codeType)
      part = arith::ExtUIOp::create(b, loc, codeType, part);
    if (code)
      part = arith::OrIOp::create(
          b, loc, code,
          arith::ShLIOp::create(b, loc, part,
                                arith::ConstantIntOp::create(b, loc, codeType, below)));
    code = part;
    below += width;
  }
  return code;
}

SmallVector<Value> PlanesPackAttr::writeCodes(OpBuilder &b, Location loc, Value codes,
                                              unsigned bits) const {
  Type codeType = getCodeType(b.getContext(), bits);
  auto cut = [&](OpBuilder &b, Location loc, Value code, unsigned below, unsigned width) {
    Value part =
        arith::ShRUIOp::create(b, loc, code, arith::ConstantIntOp::create(b, loc, codeType, below));
    part = arith::AndIOp::create(b, loc, part,
                                 arith::ConstantIntOp::create(b, loc, codeType, (1 << width) - 1));
    return part.getType().isInteger(8)
               ? part
               : Value(arith::TruncIOp::create(b, loc, b.getI8Type(), part));
  };
  SmallVector<OpFoldResult> dims = getExtents(b, loc, codes);
  int64_t rank = dims.size();
  Value flat = flatten(b, loc, codes);
  OpFoldResult count = tensor::getMixedSize(b, loc, flat, 0);
  SmallVector<Value> planes;
  unsigned below = 0;
  for (unsigned width : getWidths()) {
    if (sharesBytes(width)) {
      AffineExpr n = b.getAffineSymbolExpr(0);
      OpFoldResult size =
          evaluateExtents(b, loc, AffineMap::get(0, 1, (n * width).ceilDiv(8)), count).front();
      planes.push_back(
          writeStream(b, loc, size, width, count, [&](OpBuilder &b, Location loc, Value at) {
            return cut(b, loc, tensor::ExtractOp::create(b, loc, flat, at), below, width);
          }));
    } else {
      Value empty = tensor::EmptyOp::create(b, loc, dims, b.getI8Type());
      AffineMap identity = b.getMultiDimIdentityMap(rank);
      planes.push_back(linalg::GenericOp::create(
                           b, loc, empty.getType(), codes, empty, {identity, identity},
                           SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
                           [&](OpBuilder &b, Location loc, ValueRange args) {
                             linalg::YieldOp::create(b, loc, cut(b, loc, args[0], below, width));
                           })
                           .getResult(0));
    }
    below += width;
  }
  return planes;
}
