//===- RewriteTransposedConvolutions.cpp - As convolutions of phases ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

namespace weft {
#define GEN_PASS_DEF_REWRITETRANSPOSEDCONVOLUTIONS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// One spatial dimension. Position `o` of the result gets filter element `k`
/// from the input's position `i` where o + begin = i * stride + k * dilation.
/// So the positions of a phase, (o + begin) mod stride, form a convolution of
/// stride 1, and all phases can share one window of `taps` positions.
struct PhaseDimension {
  int64_t stride = 1;        ///< number of phases
  int64_t kernel = 0;        ///< extent of the given filter
  int64_t spread = 1;        ///< positions between its elements, in a phase's filter
  int64_t taps = 0;          ///< extent of a phase's filter
  int64_t dilation = 1;      ///< of a phase's filter
  int64_t low = 0, high = 0; ///< pads of the phases' convolution
  int64_t crop = 0;          ///< positions before the result's first one
  int64_t rest = 0;          ///< positions after its last one
};

class TransposedConvolution {
public:
  TransposedConvolution(ConvOp conv, RewriterBase &b)
      : conv(conv), b(b), loc(conv.getLoc()),
        inputType(cast<RankedTensorType>(conv.getInput().getType())),
        filterType(cast<RankedTensorType>(conv.getFilterType())),
        resultType(cast<RankedTensorType>(conv.getInit().getType())),
        spatial(inputType.getRank() - 2), groups(conv.getGroups()) {}

  /// Whether extents and pads are known well enough.
  bool match();
  void rewrite();

private:
  bool matchDimension(int64_t i);
  Value phaseFilter();
  Value convolve(Value filter);
  Value interleave(Value phases);
  Value crop(Value full);

  ConvOp conv;
  RewriterBase &b;
  Location loc;
  RankedTensorType inputType, filterType, resultType;
  int64_t spatial, groups;
  int64_t outputs = 0; ///< channels of a group
  int64_t numPhases = 1;
  SmallVector<PhaseDimension> dims;
};
} // namespace

bool TransposedConvolution::matchDimension(int64_t i) {
  PhaseDimension dim;
  dim.stride = conv.getStrides()[i];
  dim.kernel = filterType.getDimSize(2 + i);
  int64_t dilation = conv.getDilations()[i], begin = conv.getPads()[i],
          end = conv.getPads()[spatial + i];
  // Far below overflow, and no filter has more.
  constexpr int64_t limit = int64_t(1) << 24;
  if (inputType.getDimSize(2 + i) == 0 || dim.kernel < 1 || dim.kernel > limit ||
      dim.stride > limit || dilation > limit || begin < 0 || begin > limit || end < -limit ||
      end > limit)
    return false;
  int64_t reach = (dim.kernel - 1) * dilation + 1;
  if (dim.stride == 1) {
    dim.taps = dim.kernel;
    dim.dilation = dilation;
  } else {
    dim.taps = llvm::divideCeil(reach, dim.stride);
    dim.spread = dilation;
  }
  // The convolution starts at input position `first` of the last tap's window.
  int64_t window = (dim.taps - 1) * dim.dilation;
  int64_t first = std::min(llvm::divideFloorSigned(begin, dim.stride), window);
  dim.low = window - first;
  // It ends where the last position of the result lies.
  int64_t last = llvm::divideFloorSigned(reach - 1 - end, dim.stride);
  dim.high = std::max<int64_t>(last, 0);
  dim.crop = begin - first * dim.stride;
  dim.rest = (dim.high - first + 1) * dim.stride - (reach - begin - end) - dim.crop;
  if (dim.rest < 0)
    return false;
  dims.push_back(dim);
  numPhases *= dim.stride;
  return numPhases <= limit;
}

bool TransposedConvolution::match() {
  if (!conv.getTransposed() || ShapedType::isDynamicShape(filterType.getShape().drop_front(1)) ||
      (groups != 1 && filterType.isDynamicDim(0)) || !resultType.getElementType().isIntOrFloat())
    return false;
  outputs = filterType.getDimSize(1);
  // Zeros that fill a phase's filter up are multiplied too.
  constexpr int64_t maxFill = 8;
  int64_t given = 1, filled = 1;
  for (int64_t i = 0; i < spatial; ++i) {
    if (!matchDimension(i) || llvm::MulOverflow(filled, dims[i].taps * dims[i].stride, filled) ||
        llvm::MulOverflow(given, dims[i].kernel, given))
      return false;
  }
  return filled / maxFill <= given;
}

/// [groups * phases * outputs, channels, taps...]: the filter of each phase,
/// reversed, with zeros where it has fewer elements than taps.
Value TransposedConvolution::phaseFilter() {
  int64_t channels =
      filterType.isDynamicDim(0) ? filterType.getDimSize(0) : filterType.getDimSize(0) / groups;
  Type element = filterType.getElementType();
  SmallVector<OpFoldResult> sizes{
      b.getIndexAttr(groups), b.getIndexAttr(numPhases), b.getIndexAttr(outputs),
      filterType.isDynamicDim(0) ? tensor::getMixedSize(b, loc, conv.getFilter(), 0)
                                 : OpFoldResult(b.getIndexAttr(channels))};
  for (const PhaseDimension &dim : dims)
    sizes.push_back(b.getIndexAttr(dim.taps));
  Value empty = tensor::EmptyOp::create(b, loc, sizes, element);
  int64_t rank = static_cast<int64_t>(sizes.size());
  auto body = [&](OpBuilder &b, Location loc, ValueRange) {
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    auto index = [&](int64_t i) -> Value { return linalg::IndexOp::create(b, loc, i); };
    Value channel = arith::AddIOp::create(
        b, loc, arith::MulIOp::create(b, loc, index(0), constant(channels)), index(3));
    SmallVector<Value> position{groups == 1 ? index(3) : channel, index(2)};
    Value exists = arith::ConstantIntOp::create(b, loc, 1, 1);
    Value phase = index(1);
    SmallVector<Value> phaseOf(spatial);
    for (int64_t i = spatial - 1; i >= 0; --i) {
      phaseOf[i] = arith::RemUIOp::create(b, loc, phase, constant(dims[i].stride));
      phase = arith::DivUIOp::create(b, loc, phase, constant(dims[i].stride));
    }
    for (auto [i, dim] : llvm::enumerate(dims)) {
      Value tap = arith::SubIOp::create(b, loc, constant(dim.taps - 1), index(4 + i));
      Value spreadAt = arith::AddIOp::create(
          b, loc, arith::MulIOp::create(b, loc, tap, constant(dim.stride)), phaseOf[i]);
      Value at = arith::DivUIOp::create(b, loc, spreadAt, constant(dim.spread));
      Value off = arith::RemUIOp::create(b, loc, spreadAt, constant(dim.spread));
      Value inside = arith::AndIOp::create(
          b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, off, constant(0)),
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, at, constant(dim.kernel)));
      exists = arith::AndIOp::create(b, loc, exists, inside);
      position.push_back(arith::MinUIOp::create(b, loc, at, constant(dim.kernel - 1)));
    }
    Value weight = tensor::ExtractOp::create(b, loc, conv.getFilter(), position);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
    linalg::YieldOp::create(b, loc,
                            arith::SelectOp::create(b, loc, exists, weight, zero).getResult());
  };
  Value filter = linalg::GenericOp::create(
                     b, loc, empty.getType(), ValueRange{}, empty,
                     ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank)},
                     SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel), body)
                     .getResult(0);
  SmallVector<ReassociationIndices> rows{{0, 1, 2}};
  for (int64_t i = 3; i < rank; ++i)
    rows.push_back({i});
  return tensor::CollapseShapeOp::create(b, loc, filter, rows);
}

/// [n, groups * phases * outputs, extents of a phase...]
Value TransposedConvolution::convolve(Value filter) {
  SmallVector<OpFoldResult> sizes{tensor::getMixedSize(b, loc, conv.getInput(), 0),
                                  b.getIndexAttr(groups * numPhases * outputs)};
  SmallVector<int64_t> dilations, pads;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    OpFoldResult extent = tensor::getMixedSize(b, loc, conv.getInput(), 2 + i);
    int64_t more = dim.low + dim.high - (dim.taps - 1) * dim.dilation;
    AffineExpr d0 = b.getAffineDimExpr(0);
    sizes.push_back(affine::makeComposedFoldedAffineApply(b, loc, d0 + more, {extent}));
    dilations.push_back(dim.dilation);
    pads.push_back(dim.low);
  }
  for (const PhaseDimension &dim : dims)
    pads.push_back(dim.high);
  Type element = resultType.getElementType();
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  Value empty = tensor::EmptyOp::create(b, loc, sizes, element);
  Value init = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  return ConvOp::create(b, loc, init.getType(), conv.getInput(), filter, init,
                        SmallVector<int64_t>(spatial, 1), dilations, pads,
                        static_cast<uint64_t>(groups), /*transposed=*/false);
}

/// The phases become neighbours: [n, groups * outputs, extent * phases...].
Value TransposedConvolution::interleave(Value phases) {
  SmallVector<ReassociationIndices> split{{0}, {1}}, merge{{0}, {1, 2}};
  SmallVector<OpFoldResult> sizes{tensor::getMixedSize(b, loc, phases, 0), b.getIndexAttr(groups)};
  for (const PhaseDimension &dim : dims) {
    split[1].push_back(static_cast<int64_t>(sizes.size()));
    sizes.push_back(b.getIndexAttr(dim.stride));
  }
  int64_t outputsAt = static_cast<int64_t>(sizes.size());
  split[1].push_back(outputsAt);
  sizes.push_back(b.getIndexAttr(outputs));
  SmallVector<int64_t> order{0, 1, outputsAt};
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t at = static_cast<int64_t>(sizes.size());
    split.push_back({at});
    sizes.push_back(tensor::getMixedSize(b, loc, phases, 2 + i));
    merge.push_back({3 + 2 * i, 4 + 2 * i});
    order.append({at, 2 + i});
  }
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults(sizes, dynamic, shape);
  Type element = resultType.getElementType();
  Value apart = tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, element), phases,
                                              split, sizes);
  SmallVector<OpFoldResult> ordered;
  for (int64_t from : order)
    ordered.push_back(sizes[from]);
  Value empty = tensor::EmptyOp::create(b, loc, ordered, element);
  Value neighbours = linalg::TransposeOp::create(b, loc, apart, empty, order).getResult()[0];
  return tensor::CollapseShapeOp::create(b, loc, neighbours, merge);
}

/// The part of the result's extents.
Value TransposedConvolution::crop(Value full) {
  if (llvm::any_of(dims, [](const PhaseDimension &dim) { return dim.crop || dim.rest; })) {
    int64_t rank = spatial + 2;
    SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)), ones(rank, b.getIndexAttr(1));
    for (const PhaseDimension &dim : dims)
      offsets.push_back(b.getIndexAttr(dim.crop));
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, full);
    for (auto [i, dim] : llvm::enumerate(dims))
      sizes[2 + i] = affine::makeComposedFoldedAffineApply(
          b, loc, b.getAffineDimExpr(0) - (dim.crop + dim.rest), {sizes[2 + i]});
    full = tensor::ExtractSliceOp::create(b, loc, full, offsets, sizes, ones);
  }
  if (full.getType() != resultType)
    full = tensor::CastOp::create(b, loc, resultType, full);
  return full;
}

void TransposedConvolution::rewrite() {
  b.setInsertionPoint(conv);
  Value sum = crop(interleave(convolve(phaseFilter())));
  AffineMap identity = b.getMultiDimIdentityMap(static_cast<unsigned>(spatial + 2));
  bool isFloat = isa<FloatType>(resultType.getElementType());
  auto generic = linalg::GenericOp::create(
      b, loc, TypeRange{resultType}, ValueRange{conv.getInit(), sum},
      ValueRange{tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, conv.getInit()),
                                         resultType.getElementType())},
      ArrayRef<AffineMap>{identity, identity, identity},
      SmallVector<utils::IteratorType>(spatial + 2, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value total = isFloat ? arith::AddFOp::create(b, loc, args[0], args[1]).getResult()
                              : arith::AddIOp::create(b, loc, args[0], args[1]).getResult();
        linalg::YieldOp::create(b, loc, total);
      });
  b.replaceOp(conv, generic.getResults());
}

namespace {
struct RewriteTransposedConvolutions
    : weft::impl::RewriteTransposedConvolutionsBase<RewriteTransposedConvolutions> {
  void runOnOperation() override {
    SmallVector<ConvOp> convolutions;
    getOperation()->walk([&](ConvOp op) { convolutions.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (ConvOp op : convolutions) {
      if (op.hasPackedFilter())
        continue;
      TransposedConvolution transposed(op, rewriter);
      if (!transposed.match())
        continue;
      transposed.rewrite();
      ++numRewritten;
    }
  }
};
} // namespace
