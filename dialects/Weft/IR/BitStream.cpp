//===- BitStream.cpp - Codes that share bytes -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;

/// An index as an i32 that shifts are made with.
static Value toShift(const IndexMath &ix, Value x) {
  return arith::IndexCastOp::create(ix.b, ix.loc, ix.b.getI32Type(), x);
}

IntegerType weft::getCodeType(MLIRContext *context, unsigned width) {
  return IntegerType::get(context, std::max<unsigned>(8, llvm::PowerOf2Ceil(width)));
}

FormatComponent weft::getStreamComponent(StringRef name, AffineMap shape, unsigned width) {
  MLIRContext *context = shape.getContext();
  if (!sharesBytes(width))
    return {name.str(), getCodeType(context, width), shape};
  AffineExpr elements = getAffineConstantExpr(1, context);
  for (AffineExpr extent : shape.getResults())
    elements = elements * extent;
  return {name.str(), IntegerType::get(context, 8),
          AffineMap::get(0, shape.getNumSymbols(), (elements * width).ceilDiv(8), context)};
}

Value weft::linearize(OpBuilder &b, Location loc, ArrayRef<Value> position,
                      ArrayRef<OpFoldResult> dims) {
  IndexMath ix{b, loc};
  Value element = position.empty() ? ix.constant(0) : position.front();
  for (size_t i = 1; i < position.size(); ++i)
    element = ix.add(ix.mul(element, ix.value(dims[i])), position[i]);
  return element;
}

/// The byte at `position` of a component, as i32.
static Value readByte(const IndexMath &ix, Value bytes, Value position) {
  Value byte = tensor::ExtractOp::create(ix.b, ix.loc, bytes, position);
  return arith::ExtUIOp::create(ix.b, ix.loc, ix.b.getI32Type(), byte);
}

Value weft::readStream(OpBuilder &b, Location loc, Value bytes, Value element, unsigned width) {
  IndexMath ix{b, loc};
  Value bit = ix.mul(element, static_cast<int64_t>(width));
  Value byte = ix.div(bit, 8);
  // Shapes that are known are right; others may disagree with the component.
  bool dynamic = cast<RankedTensorType>(bytes.getType()).isDynamicDim(0);
  Value last = ix.sub(ix.value(tensor::getMixedSize(b, loc, bytes, 0)), ix.constant(1));
  if (dynamic)
    byte = ix.min(byte, last);
  Value window = readByte(ix, bytes, byte);
  // A code begins in the first byte and reaches into as many more.
  unsigned more = 8 % width == 0 ? 0 : (7 + width - 1) / 8;
  for (unsigned i = 1; i <= more; ++i) {
    Value next = readByte(ix, bytes, ix.min(ix.add(byte, ix.constant(i)), last));
    next = arith::ShLIOp::create(b, loc, next, arith::ConstantIntOp::create(b, loc, 8 * i, 32));
    window = arith::OrIOp::create(b, loc, window, next);
  }
  Value code = arith::ShRUIOp::create(b, loc, window, toShift(ix, ix.rem(bit, 8)));
  code = arith::AndIOp::create(b, loc, code,
                               arith::ConstantIntOp::create(b, loc, (1 << width) - 1, 32));
  return arith::TruncIOp::create(b, loc, getCodeType(b.getContext(), width), code);
}

Value weft::readInside(OpBuilder &b, Location loc, Value tensor, ArrayRef<Value> position) {
  IndexMath ix{b, loc};
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> inside;
  for (auto [i, index] : llvm::enumerate(position)) {
    if (!type.isDynamicDim(i)) {
      inside.push_back(index);
      continue;
    }
    Value extent = ix.value(tensor::getMixedSize(b, loc, tensor, i));
    inside.push_back(ix.min(index, ix.sub(extent, ix.constant(1))));
  }
  return tensor::ExtractOp::create(b, loc, tensor, inside);
}

/// How many elements a byte has bits of, at most.
static int64_t elementsInByte(int64_t width) {
  int64_t most = 0;
  for (int64_t byte = 0; byte < width; ++byte)
    most = std::max(most, (8 * byte + 7) / width - 8 * byte / width + 1);
  return most;
}

Value weft::writeStream(OpBuilder &b, Location loc, OpFoldResult size, unsigned width,
                        OpFoldResult count,
                        llvm::function_ref<Value(OpBuilder &, Location, Value)> code) {
  Value empty = tensor::EmptyOp::create(b, loc, size, b.getI8Type());
  auto generic = linalg::GenericOp::create(
      b, loc, empty.getType(), ValueRange(), empty, b.getMultiDimIdentityMap(1),
      utils::IteratorType::parallel, [&](OpBuilder &b, Location loc, ValueRange) {
        IndexMath ix{b, loc};
        Value firstBit = ix.mul(linalg::IndexOp::create(b, loc, 0), ix.constant(8));
        Value first = ix.div(firstBit, static_cast<int64_t>(width));
        Value elements = ix.value(count);
        // As far left as a code can begin before the byte, so that no shift is
        // negative.
        unsigned before = width > 8 ? 16 : 8;
        Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
        Value byte = zero;
        for (int64_t i = 0; i < elementsInByte(width); ++i) {
          Value element = ix.add(first, ix.constant(i));
          Value number = code(b, loc, ix.min(element, ix.sub(elements, ix.constant(1))));
          number = arith::ExtUIOp::create(b, loc, b.getI32Type(), number);
          Value inside =
              arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, element, elements);
          number = arith::SelectOp::create(b, loc, inside, number, zero);
          Value shift = ix.add(ix.sub(ix.mul(element, static_cast<int64_t>(width)), firstBit),
                               ix.constant(before));
          number = arith::ShLIOp::create(b, loc, number, toShift(ix, shift));
          byte = arith::OrIOp::create(b, loc, byte, number);
        }
        byte =
            arith::ShRUIOp::create(b, loc, byte, arith::ConstantIntOp::create(b, loc, before, 32));
        linalg::YieldOp::create(b, loc,
                                arith::TruncIOp::create(b, loc, b.getI8Type(), byte).getResult());
      });
  return generic.getResult(0);
}
