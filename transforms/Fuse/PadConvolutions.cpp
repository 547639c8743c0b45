//===- PadConvolutions.cpp - Pads the inputs of convolutions --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_PADCONVOLUTIONS
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

static void pad(ConvOp op, RewriterBase &rewriter) {
  ArrayRef<int64_t> pads = op.getPads();
  size_t spatial = pads.size() / 2;
  SmallVector<OpFoldResult> low(2, rewriter.getIndexAttr(0)), high(2, rewriter.getIndexAttr(0));
  for (size_t i = 0; i < spatial; ++i) {
    low.push_back(rewriter.getIndexAttr(pads[i]));
    high.push_back(rewriter.getIndexAttr(pads[spatial + i]));
  }
  auto type = cast<RankedTensorType>(op.getInput().getType());
  SmallVector<int64_t> shape(type.getShape());
  for (size_t i = 0; i < spatial; ++i)
    if (!ShapedType::isDynamic(shape[2 + i]))
      shape[2 + i] += pads[i] + pads[spatial + i];
  Value zero =
      arith::ConstantOp::create(rewriter, op.getLoc(), rewriter.getZeroAttr(type.getElementType()));
  Value padded = tensor::PadOp::create(rewriter, op.getLoc(),
                                       RankedTensorType::get(shape, type.getElementType()),
                                       op.getInput(), low, high, zero)
                     .getResult();
  rewriter.modifyOpInPlace(op, [&] {
    op.getInputMutable().assign(padded);
    op.setPads(SmallVector<int64_t>(pads.size(), 0));
  });
}

namespace {
struct PadConvolutions : weft::impl::PadConvolutionsBase<PadConvolutions> {
  void runOnOperation() override {
    SmallVector<ConvOp> convolutions;
    getOperation()->walk([&](ConvOp op) { convolutions.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (ConvOp op : convolutions) {
      bool none = llvm::all_of(op.getPads(), [](int64_t p) { return p == 0; });
      bool negative = llvm::any_of(op.getPads(), [](int64_t p) { return p < 0; });
      if (op.getTransposed() || op.isContraction() || none || negative)
        continue;
      rewriter.setInsertionPoint(op);
      pad(op, rewriter);
    }
  }
};
} // namespace
