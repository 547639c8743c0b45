//===- Quantized.cpp - Packed factors and their parameters ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/Transforms/Quantized.h"

#include "dialects/Weft/IR/WeightStore.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

/// Along which dimension of `shape` blocks differ, one position each; nothing if that is
/// said of several, or of longer blocks.
static FailureOr<std::optional<unsigned>> axisOf(ScaleAttr level, ArrayRef<int64_t> shape) {
  ArrayRef<int64_t> block = level.getBlock();
  std::optional<unsigned> axis;
  if (block.empty())
    return axis;
  if (block.size() != shape.size())
    return failure();
  for (auto [i, extent, dim] : llvm::enumerate(block, shape)) {
    if (extent == 0 || dim == 1)
      continue;
    if (extent != 1 || axis)
      return failure();
    axis = i;
  }
  return axis;
}

std::optional<Quantized> Quantized::match(Value value) {
  if (auto unpack = value.getDefiningOp<UnpackOp>())
    value = unpack.getPacked();
  auto assemble = value.getDefiningOp<AssembleOp>();
  if (!assemble || !isa<LeafFormatAttr>(assemble.getType().getFormat()))
    return std::nullopt;
  Quantized result{assemble, assemble.getType(), std::nullopt};
  ArrayRef<ScaleInterface> levels = result.getFormat().getScales();
  auto last = levels.empty() ? ScaleAttr() : dyn_cast<ScaleAttr>(levels.back());
  if (!last || last.getRole() != Role::Multiply || last.getValue() || last.getStored() ||
      !isa<TypeAttr>(last.getStorage()))
    return result;
  FailureOr<std::optional<unsigned>> axis = axisOf(last, result.type.getShape());
  if (succeeded(axis))
    result.scale = Parameter{last, assemble.getComponents().back(), *axis};
  return result;
}

Value Quantized::withoutScale(OpBuilder &b, Location loc, Type element) const {
  LeafFormatAttr format = getFormat();
  auto without = LeafFormatAttr::get(b.getContext(), format.getElem(), getLevels(),
                                     format.getStructure(), format.getPack());
  return AssembleOp::create(b, loc, PackedType::get(type.getShape(), element, without),
                            scale ? getComponents().drop_back() : getComponents());
}

std::optional<IntegerCodes> IntegerCodes::match(const Quantized &quantized) {
  LeafFormatAttr format = quantized.getFormat();
  auto elem = dyn_cast<IntElementAttr>(format.getElem());
  if (!elem || elem.getBits() != 8 || elem.getOffset() != 0 || format.getStructure() ||
      format.getPack() || quantized.getLevels().size() > 1)
    return std::nullopt;
  IntegerCodes result{quantized.getComponents().front(), !elem.getIsSigned(), Value()};
  if (quantized.getLevels().empty())
    return result;
  auto zero = dyn_cast<ScaleAttr>(quantized.getLevels().front());
  if (!zero || zero.getRole() != Role::ZeroPoint || zero.getValue() || !zero.getBlock().empty() ||
      zero.getStorage() != LeafFormatAttr::get(format.getContext(), elem))
    return std::nullopt;
  result.zeroPoint = quantized.getComponents()[1];
  return result;
}

bool lowp::isZeroConstant(Value value) {
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return false;
  if (auto weight = dyn_cast<WeightAttr>(constant)) {
    auto *dialect = value.getContext()->getLoadedDialect<WeftDialect>();
    auto bytes = dialect->getWeightStore().lookup(weight.getKey());
    return bytes && llvm::all_of(*bytes, [](uint8_t byte) { return byte == 0; });
  }
  auto dense = dyn_cast<DenseIntElementsAttr>(constant);
  return dense && llvm::all_of(dense.getValues<APInt>(), [](const APInt &x) { return x.isZero(); });
}

Value lowp::collapseParameter(OpBuilder &b, Location loc, const Parameter &parameter) {
  int64_t rank = cast<RankedTensorType>(parameter.component.getType()).getRank();
  SmallVector<ReassociationIndices> dimensions;
  if (parameter.axis)
    dimensions.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(0, rank)));
  if (rank == static_cast<int64_t>(dimensions.size()))
    return parameter.component;
  return tensor::CollapseShapeOp::create(b, loc, parameter.component, dimensions);
}
