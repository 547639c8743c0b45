//===- DescribeSize.cpp - Sizes as people read them -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/DescribeSize.h"

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace weft;

/// Expressions that are longer say nothing to a reader.
static constexpr unsigned kMaxDepth = 6;

static std::string describe(func::FuncOp function, Value value, unsigned depth);

/// The extent of dimension `dim` of a buffer, without asking it.
static std::string describeExtent(func::FuncOp function, Value memref, int64_t dim,
                                  unsigned depth) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dim))
    return std::to_string(type.getDimSize(dim));
  auto argument = dyn_cast<BlockArgument>(memref);
  if (argument && argument.getOwner() == &function.getBody().front()) {
    auto dims =
        function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), WeftDialect::dimsAttrName);
    auto name = dims && dim < static_cast<int64_t>(dims.size())
                    ? dyn_cast<StringAttr>(dims[static_cast<size_t>(dim)])
                    : StringAttr();
    return name ? name.str() : "?";
  }
  auto number = static_cast<size_t>(type.getDynamicDimIndex(static_cast<unsigned>(dim)));
  if (auto alloc = memref.getDefiningOp<memref::AllocOp>())
    return describe(function, alloc.getDynamicSizes()[number], depth);
  if (auto output = memref.getDefiningOp<OutputBufferOp>(); output && !output.getPacked())
    return describe(function, output.getSizes()[number], depth);
  if (auto view = memref.getDefiningOp<memref::SubViewOp>();
      view && view.getSourceType().getRank() == type.getRank())
    if (auto size = dyn_cast<Value>(view.getMixedSizes()[static_cast<size_t>(dim)]))
      return describe(function, size, depth);
  return "?";
}

static std::string describe(func::FuncOp function, Value value, unsigned depth) {
  if (std::optional<int64_t> known = getConstantIntValue(value))
    return std::to_string(*known);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() == &function.getBody().front())
      if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                            WeftDialect::symbolAttrName))
        return name.str();
    return "?";
  }
  Operation *op = value.getDefiningOp();
  if (isa<MaxWorkersOp>(op))
    return "workers";
  if (depth == 0)
    return "?";
  if (auto dim = dyn_cast<memref::DimOp>(op))
    if (std::optional<int64_t> index = dim.getConstantIndex())
      return describeExtent(function, dim.getSource(), *index, depth - 1);
  StringRef sign = isa<arith::AddIOp>(op)                                         ? " + "
                   : isa<arith::SubIOp>(op)                                       ? " - "
                   : isa<arith::MulIOp>(op)                                       ? " * "
                   : isa<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>(op) ? " / "
                                                                                  : "";
  if (sign.empty())
    return "?";
  std::string left = describe(function, op->getOperand(0), depth - 1);
  std::string right = describe(function, op->getOperand(1), depth - 1);
  return left == "?" || right == "?" ? "?" : "(" + left + sign.str() + right + ")";
}

std::string weft::describeBytes(func::FuncOp function, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  std::string factors;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!type.isDynamicDim(d))
      bytes *= type.getDimSize(d);
    else
      factors += " * " + describeExtent(function, memref, d, kMaxDepth);
  }
  return std::to_string(bytes) + factors;
}
