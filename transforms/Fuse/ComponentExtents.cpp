//===- ComponentExtents.cpp - Components checked against their format -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Fuse/ComponentExtents.h"

#include "dialects/Weft/IR/OperandChecks.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

namespace {
/// Finds out extents from components and compares the others with them.
class ExtentChecker {
public:
  ExtentChecker(OpBuilder &b, Location loc, PackedType type, ValueRange values)
      : b(b), loc(loc), components(type.getFormat().getComponents(type)) {
    for (Value value : values)
      sizes.push_back(tensor::getMixedSizes(b, loc, value));
    known = solveExtents(b, type, sizes);
  }
  void run();

private:
  void check(StringRef name, OpFoldResult have, AffineExpr want, unsigned symbols);
  void require(arith::CmpIPredicate predicate, StringRef name, OpFoldResult have, OpFoldResult want,
               StringRef relation);

  OpBuilder &b;
  Location loc;
  SmallVector<FormatComponent> components;
  /// By symbol; null where nothing says it.
  SmallVector<OpFoldResult> known;
  SmallVector<SmallVector<OpFoldResult>> sizes;
};
} // namespace

void ExtentChecker::require(arith::CmpIPredicate predicate, StringRef name, OpFoldResult have,
                            OpFoldResult want, StringRef relation) {
  if (have == want)
    return;
  Value x = getValueOrCreateConstantIndexOp(b, loc, have);
  Value y = getValueOrCreateConstantIndexOp(b, loc, want);
  Value holds = arith::CmpIOp::create(b, loc, predicate, x, y);
  std::string message =
      ("component '" + name + "' has an extent of {0}, expected " + relation + "{1}").str();
  AssertOp::create(b, loc, holds, WEFT_INVALID_ARGUMENT, b.getStringAttr(message),
                   ValueRange{x, y});
}

void ExtentChecker::check(StringRef name, OpFoldResult have, AffineExpr want, unsigned symbols) {
  AffineMap map = AffineMap::get(0, symbols, want);
  if (OpFoldResult extent = evaluateExtents(b, loc, map, known).front()) {
    require(arith::CmpIPredicate::eq, name, have, extent, "");
    return;
  }
  // Other extents are at least 0: one more offset than lines is at least one.
  SmallVector<OpFoldResult> least(symbols, b.getIndexAttr(0));
  OpFoldResult extent = evaluateExtents(b, loc, map, least).front();
  if (getConstantIntValue(extent).value_or(0) > 0)
    require(arith::CmpIPredicate::sge, name, have, extent, "at least ");
}

void ExtentChecker::run() {
  for (auto [component, extents] : llvm::zip(components, sizes))
    for (auto [expr, extent] : llvm::zip(component.shape.getResults(), extents))
      check(component.name, extent, expr, component.shape.getNumSymbols());
}

void weft::assertComponentExtents(OpBuilder &b, Location loc, PackedType type,
                                  ValueRange components) {
  ExtentChecker(b, loc, type, components).run();
}
