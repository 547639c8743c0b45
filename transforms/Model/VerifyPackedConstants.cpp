//===- VerifyPackedConstants.cpp - Refuses wrong packed constants ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace weft {
#define GEN_PASS_DEF_VERIFYPACKEDCONSTANTS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// The elements of `attribute` row-major and little-endian; nothing for elements that
/// do not fill bytes.
static std::optional<SmallVector<uint8_t>> getBytes(DenseElementsAttr attribute) {
  Type element = attribute.getElementType();
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() % 8 != 0)
    return std::nullopt;
  unsigned size = element.getIntOrFloatBitWidth() / 8;
  SmallVector<uint8_t> bytes;
  bytes.reserve(attribute.getNumElements() * size);
  auto append = [&](const APInt &bits) {
    for (unsigned i = 0; i < size; ++i)
      bytes.push_back(bits.extractBitsAsZExtValue(8, 8 * i));
  };
  if (isa<FloatType>(element))
    for (const APFloat &value : attribute.getValues<APFloat>())
      append(value.bitcastToAPInt());
  else
    for (const APInt &value : attribute.getValues<APInt>())
      append(value);
  return bytes;
}

namespace {
/// The components of a packed tensor, as far as they are constants.
struct Constants {
  Constants(AssembleOp op, WeightStore &store);

  /// Bytes of `arith.constant`s; those of weights stay in the store.
  SmallVector<SmallVector<uint8_t>> owned;
  SmallVector<ConstantComponent> components;
};
} // namespace

Constants::Constants(AssembleOp op, WeightStore &store) {
  owned.resize(op.getComponents().size());
  for (auto [value, bytes] : llvm::zip(op.getComponents(), owned)) {
    Value source = value;
    while (auto cast = source.getDefiningOp<tensor::CastOp>())
      source = cast.getSource();
    ConstantComponent component{llvm::cast<RankedTensorType>(source.getType()), std::nullopt};
    Attribute constant;
    if (matchPattern(source, m_Constant(&constant))) {
      if (auto weight = dyn_cast<WeightAttr>(constant)) {
        component.bytes = store.lookup(weight.getKey());
      } else if (auto dense = dyn_cast<DenseElementsAttr>(constant)) {
        if (auto copy = getBytes(dense)) {
          bytes = std::move(*copy);
          component.bytes = bytes;
        }
      }
    }
    components.push_back(component);
  }
}

/// Whether extents are those of the format, where types tell. What data decides is what
/// the first component says that has such an extent.
static LogicalResult verifyExtents(AssembleOp op, ArrayRef<ConstantComponent> components) {
  PackedType type = op.getType();
  unsigned rank = type.getShape().size();
  SmallVector<FormatComponent> expected = type.getFormat().getComponents(type);
  SmallVector<int64_t> known(type.getShape());
  for (auto [have, want] : llvm::zip(components, expected))
    for (auto [extent, expr] : llvm::zip(have.type.getShape(), want.shape.getResults())) {
      auto symbol = dyn_cast<AffineSymbolExpr>(expr);
      if (!symbol || ShapedType::isDynamic(extent))
        continue;
      if (symbol.getPosition() >= known.size())
        known.resize(symbol.getPosition() + 1, ShapedType::kDynamic);
      if (ShapedType::isDynamic(known[symbol.getPosition()]))
        known[symbol.getPosition()] = extent;
    }
  for (auto [have, want] : llvm::zip(components, expected)) {
    known.resize(std::max<size_t>({known.size(), rank, want.shape.getNumSymbols()}),
                 ShapedType::kDynamic);
    for (auto [extent, needed] :
         llvm::zip(have.type.getShape(), getStaticExtents(want.shape, known)))
      if (!ShapedType::isDynamic(extent) && !ShapedType::isDynamic(needed) && extent != needed)
        return op.emitOpError("has component '") << want.name << "' of type " << have.type
                                                 << ", where others give the extent " << needed;
  }
  return success();
}

namespace {
struct VerifyPackedConstants : weft::impl::VerifyPackedConstantsBase<VerifyPackedConstants> {
  void runOnOperation() override {
    WeightStore &store = getContext().getOrLoadDialect<WeftDialect>()->getWeightStore();
    WalkResult result = getOperation()->walk([&](AssembleOp op) {
      Constants constants(op, store);
      if (failed(verifyExtents(op, constants.components)))
        return WalkResult::interrupt();
      PackedType type = op.getType();
      return WalkResult(type.getFormat().verifyConstants([&] { return op.emitOpError(); }, type,
                                                         constants.components));
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
