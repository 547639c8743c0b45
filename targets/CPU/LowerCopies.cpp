//===- LowerCopies.cpp - Copies of memrefs become loops or memcpy ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/ABI.h"
#include "targets/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace weft {
#define GEN_PASS_DEF_LOWERCPUCOPIES
#include "targets/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Copies all bytes of contiguous memory.
static void copyBytes(RewriterBase &rewriter, memref::CopyOp op) {
  Location loc = op.getLoc();
  cpu::ABIBuilder abi(rewriter, loc);
  auto type = cast<MemRefType>(op.getSource().getType());
  DataLayout layout = DataLayout::closest(op);
  uint64_t bytes = llvm::alignTo(layout.getTypeSize(type.getElementType()).getFixedValue(),
                                 layout.getTypeABIAlignment(type.getElementType()));
  Value size = arith::ConstantIndexOp::create(rewriter, loc, static_cast<int64_t>(bytes));
  for (int64_t i = 0; i < type.getRank(); ++i)
    size = rewriter.createOrFold<arith::MulIOp>(
        loc, size, rewriter.createOrFold<memref::DimOp>(loc, op.getSource(), i));
  LLVM::MemcpyOp::create(rewriter, loc, abi.address(op.getTarget()), abi.address(op.getSource()),
                         abi.fromIndex(size), /*isVolatile=*/false);
  rewriter.eraseOp(op);
}

static bool isContiguous(Value memref) {
  auto type = dyn_cast<MemRefType>(memref.getType());
  return type && type.getLayout().isIdentity();
}

namespace {
struct LowerCPUCopies : weft::impl::LowerCPUCopiesBase<LowerCPUCopies> {
  void runOnOperation() override {
    SmallVector<memref::CopyOp> copies;
    getOperation()->walk([&](memref::CopyOp op) { copies.push_back(op); });
    IRRewriter rewriter(&getContext());
    // In kernels a loop is fused with what is around it.
    bool isKernel = isa<KernelOp>(getOperation());
    for (memref::CopyOp op : copies) {
      rewriter.setInsertionPoint(op);
      if (!isKernel && isContiguous(op.getSource()) && isContiguous(op.getTarget()))
        copyBytes(rewriter, op);
      else
        rewriter.replaceOpWithNewOp<linalg::CopyOp>(op, op.getSource(), op.getTarget());
    }
  }
};
} // namespace
