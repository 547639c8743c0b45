//===- WindowContraction.cpp - Contractions that read windows -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/WindowContraction.h"

#include "transforms/Vector/WindowReader.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;

/// Kernel positions of the innermost dimension up to which they are unrolled.
static constexpr int64_t kMaxUnrolled = 9;

/// Vectors of a row that are computed together.
static constexpr int64_t kMaxVectors = 4;

namespace {
/// Emits one such contraction: loops over batch, channels and rows of output
/// positions; for some vectors of a row, loops over the kernel positions that
/// lie within the input, the innermost unrolled.
class WindowContraction {
public:
  WindowContraction(const Contraction &contraction, const Epilogue &epilogue, Im2colOp columns,
                    int64_t lanes, RewriterBase &b)
      : c(contraction), epilogue(epilogue), op(columns), lanes(lanes), b(b),
        loc(contraction.op->getLoc()), reader(columns, lanes, b) {}
  Value emit();

private:
  Value emitVectors(Value n, Value group, const WindowReader::Row &row, Value position,
                    int64_t vectors, Value out);
  SmallVector<Value> accumulate(ArrayRef<Value> outer, ArrayRef<Value> kernel, Value group,
                                Value channel, Value position, ValueRange sums);
  Value widen(Value value, Operation *extension);
  Value weight(Value group, Value channel, ArrayRef<Value> kernel);

  Contraction c;
  const Epilogue &epilogue;
  Im2colOp op;
  int64_t lanes;
  RewriterBase &b;
  Location loc;
  WindowReader reader;
  Value channels;
};
} // namespace

Value WindowContraction::widen(Value value, Operation *extension) {
  if (!extension)
    return value;
  Type type = c.accumulatorType;
  if (auto vectorType = dyn_cast<VectorType>(value.getType()))
    type = VectorType::get(vectorType.getShape(), type);
  OperationState state(loc, extension->getName().getStringRef(), value, type);
  return b.create(state)->getResult(0);
}

/// The filter's element [group, k], as a vector of the accumulator's type.
Value WindowContraction::weight(Value group, Value channel, ArrayRef<Value> kernel) {
  Value k = channel;
  for (auto [extent, position] : llvm::zip(op.getKernel(), kernel))
    k = reader.apply(reader.d(0) * extent + reader.d(1), {k, position});
  Value element = tensor::ExtractOp::create(b, loc, c.rowOperand->get(), ValueRange{group, k});
  return vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, c.accumulatorType),
                                     widen(element, c.rowExtension));
}

/// Adds the products at kernel position `kernel` to the sums of some vectors.
SmallVector<Value> WindowContraction::accumulate(ArrayRef<Value> outer, ArrayRef<Value> kernel,
                                                 Value group, Value channel, Value position,
                                                 ValueRange sums) {
  Value limit = reader.extent(reader.outerRank());
  Value factor = weight(group, channel, kernel);
  SmallVector<Value> next;
  for (auto [v, sum] : llvm::enumerate(sums)) {
    Value at = reader.apply(reader.d(0) + static_cast<int64_t>(v) * lanes, {position});
    Value x = widen(reader.read(outer, at, kernel.back(), limit), c.columnExtension);
    if (isa<FloatType>(c.accumulatorType))
      next.push_back(math::FmaOp::create(b, loc, x, factor, sum));
    else
      next.push_back(arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, x, factor)));
  }
  return next;
}

/// Output positions [position, position + vectors * lanes) of a row, as far as
/// they belong to it.
Value WindowContraction::emitVectors(Value n, Value group, const WindowReader::Row &row,
                                     Value position, int64_t vectors, Value out) {
  auto outType = cast<RankedTensorType>(out.getType());
  auto map = AffineMapAttr::get(AffineMap::getMinorIdentityMap(3, 1, b.getContext()));
  SmallVector<Value> sums, masks;
  SmallVector<SmallVector<Value>> places;
  for (int64_t v = 0; v < vectors; ++v) {
    Value at = reader.apply(reader.d(0) + v * lanes, {position});
    Value column =
        reader.apply(reader.d(0) + reader.d(1) - reader.d(2), {row.firstColumn, at, row.begin});
    places.push_back({n, group, column});
    masks.push_back(reader.mask(reader.apply(reader.d(0) - reader.d(1), {row.end, at})));
    sums.push_back(epilogue.start(b, out, places[v], lanes, masks[v]));
  }

  // Channels of the group, and the kernel positions that lie in the input.
  Value one = reader.constant(1);
  SmallVector<Value> lower{reader.constant(0)}, upper{channels}, steps(1 + reader.outerRank(), one);
  for (int64_t i = 0; i < reader.outerRank(); ++i) {
    auto [first, end] = reader.kernelRange(i, row.outer[i]);
    lower.push_back(first);
    upper.push_back(end);
  }
  int64_t extent = op.getKernel().back();
  bool unrolls = extent <= kMaxUnrolled;
  if (!unrolls) {
    lower.push_back(reader.constant(0));
    upper.push_back(reader.constant(extent));
    steps.push_back(one);
  }
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, upper, steps, sums,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        Value channel = ivs[0];
        SmallVector<Value> kernel(ivs.drop_front());
        Value inputChannel =
            reader.apply(reader.d(0) + reader.d(1),
                         {b.createOrFold<arith::MulIOp>(loc, group, channels), channel});
        SmallVector<Value> outer{n, inputChannel};
        for (int64_t i = 0; i < reader.outerRank(); ++i)
          outer.push_back(reader.outerPosition(i, row.outer[i], kernel[i]));
        SmallVector<Value> next(carried);
        if (!unrolls)
          return scf::ValueVector(accumulate(outer, kernel, group, channel, position, next));
        kernel.push_back(Value());
        for (int64_t k = 0; k < extent; ++k) {
          kernel.back() = reader.constant(k);
          next = accumulate(outer, kernel, group, channel, position, next);
        }
        return scf::ValueVector(next);
      });
  for (int64_t v = 0; v < vectors; ++v) {
    Value value = epilogue.finish(b, nest.results[v], places[v], masks[v]);
    out = vector::TransferWriteOp::create(b, loc, outType, value, out, places[v], map, masks[v],
                                          b.getBoolArrayAttr({true}))
              .getResult();
  }
  return out;
}

Value WindowContraction::emit() {
  channels = reader.channelsPerGroup();
  // As many vectors as the longest row has.
  int64_t vectors = 2;
  if (std::optional<int64_t> width = getConstantIntValue(op.getExtents().back()))
    vectors = std::clamp<int64_t>(llvm::divideCeil(*width, lanes), 1, kMaxVectors);
  Value out = epilogue.destination(b);
  Value zero = reader.constant(0), one = reader.constant(1);
  SmallVector<Value> lower{zero, zero, reader.firstRow}, steps{one, one, one};
  SmallVector<Value> upper{b.createOrFold<tensor::DimOp>(loc, out, 0),
                           b.createOrFold<tensor::DimOp>(loc, out, 1), reader.endRow};
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lower, upper, steps, out,
      [&](OpBuilder &, Location, ValueRange ivs, ValueRange carried) -> scf::ValueVector {
        WindowReader::Row row = reader.row(ivs[2]);
        auto loop = scf::ForOp::create(
            b, loc, row.begin, row.end, reader.constant(vectors * lanes), carried,
            [&](OpBuilder &, Location, Value position, ValueRange args) {
              Value next = emitVectors(ivs[0], ivs[1], row, position, vectors, args[0]);
              scf::YieldOp::create(b, loc, next);
            });
        return {loop.getResult(0)};
      });
  return nest.results.front();
}

Value weft::emitWindowContraction(const Contraction &contraction, const Epilogue &epilogue,
                                  int64_t lanes, RewriterBase &b) {
  auto columns = contraction.columnOperand->get().getDefiningOp<Im2colOp>();
  return WindowContraction(contraction, epilogue, columns, lanes, b).emit();
}
