//===- WeftChecks.cpp - What data of this dialect's operations must be ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/LeafParts.h"
#include "dialects/Weft/IR/OperandChecks.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;

using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// The extents of a tensor, or of what is packed as its components tell them; null where
/// nothing does.
static SmallVector<OpFoldResult> extentsOf(OperandChecks &checks, Value value) {
  auto type = cast<ShapedType>(value.getType());
  SmallVector<OpFoldResult> extents;
  auto assemble = value.getDefiningOp<AssembleOp>();
  if (auto packed = dyn_cast<PackedType>(type)) {
    SmallVector<SmallVector<OpFoldResult>> sizes;
    if (assemble)
      for (Value component : assemble.getComponents())
        sizes.push_back(getExtents(checks.builder, checks.loc, component));
    extents = solveExtents(checks.builder, packed, sizes);
    extents.resize(type.getRank());
    return extents;
  }
  for (int64_t i = 0; i < type.getRank(); ++i)
    extents.push_back(checks.extents.extentOf(value, i));
  return extents;
}

/// Dimension `i` of `operand` is `expected`.
static void requireExtent(OperandChecks &checks, StringRef operand, OpFoldResult have, int64_t i,
                          OpFoldResult expected) {
  if (have && expected)
    checks.extents.requireEqual(operand, have, i, expected);
}

namespace {
struct ContractChecks : OperandCheckInterface::ExternalModel<ContractChecks, ContractOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto contract = cast<ContractOp>(op);
    SmallVector<std::pair<StringRef, Value>> operands{{"lhs", contract.getLhs()},
                                                      {"rhs", contract.getRhs()}};
    if (contract.getBias())
      operands.emplace_back("bias", contract.getBias());
    operands.emplace_back("result", contract.getInit());
    SmallVector<OpFoldResult> loops(contract.getNumLoops());
    for (auto [operand, map] :
         llvm::zip_equal(operands, contract.getIndexingMaps().getAsValueRange<AffineMapAttr>())) {
      SmallVector<OpFoldResult> extents = extentsOf(checks, operand.second);
      for (auto [i, expr] : llvm::enumerate(map.getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
          OpFoldResult &loop = loops[dim.getPosition()];
          requireExtent(checks, operand.first, extents[i], i, loop);
          loop = loop ? loop : extents[i];
        }
    }
  }
};

struct UnpackChecks : OperandCheckInterface::ExternalModel<UnpackChecks, UnpackOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto unpack = cast<UnpackOp>(op);
    SmallVector<OpFoldResult> packed = extentsOf(checks, unpack.getPacked()),
                              result = extentsOf(checks, unpack.getInit());
    for (auto [i, extents] : llvm::enumerate(llvm::zip_equal(packed, result)))
      requireExtent(checks, "result", std::get<1>(extents), i, std::get<0>(extents));
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// Rows of `indices` [..., K] are tuples into dimensions of `data` from `first` on.
static void checkTuples(OperandChecks &checks, Value indices, Value data, int64_t first) {
  auto type = cast<RankedTensorType>(indices.getType());
  int64_t rank = type.getRank(), count = type.getDimSize(rank - 1);
  if (count == 1)
    return checks.requireRange("indices", indices, LeastIndex::FromEnd,
                               checks.extents.extentOf(data, first));
  IndexMath m{checks.builder, checks.loc};
  for (int64_t k = 0; k < count; ++k) {
    OpFoldResult bound = checks.extents.extentOf(data, first + k);
    Value extent = m.value(bound);
    checks.require("indices", indices, data, bound,
                   "-# or more, less than # as number " + Twine(k) + " of a tuple",
                   [&](IndexMath e, Value index, ValueRange at) {
                     Value low = e.cmp(Predicate::slt, index, e.sub(e.constant(0), extent));
                     Value high = e.cmp(Predicate::sge, index, extent);
                     Value isHere = e.cmp(Predicate::eq, at.back(), e.constant(k));
                     Value outside = arith::OrIOp::create(e.b, e.loc, low, high);
                     return e.both(isHere, outside);
                   });
  }
}

namespace {
struct EmbedChecks : OperandCheckInterface::ExternalModel<EmbedChecks, EmbedOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto embed = cast<EmbedOp>(op);
    SmallVector<OpFoldResult> expected = extentsOf(checks, embed.getIds()),
                              result = extentsOf(checks, embed.getInit());
    llvm::append_range(expected, ArrayRef(extentsOf(checks, embed.getTable())).drop_front());
    for (auto [i, extents] : llvm::enumerate(llvm::zip_equal(expected, result)))
      requireExtent(checks, "result", std::get<1>(extents), i, std::get<0>(extents));
    checks.requireRange("ids", embed.getIds(), LeastIndex::FromEnd,
                        checks.extents.extentOf(embed.getTable(), 0));
  }
};

struct GatherChecks : OperandCheckInterface::ExternalModel<GatherChecks, GatherOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto gather = cast<GatherOp>(op);
    checkTuples(checks, gather.getIndices(), gather.getData(), gather.getBatchDims());
  }
};

struct ScatterChecks : OperandCheckInterface::ExternalModel<ScatterChecks, ScatterOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto scatter = cast<ScatterOp>(op);
    checkTuples(checks, scatter.getIndices(), scatter.getInit(), 0);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Components
//===----------------------------------------------------------------------===//

SmallVector<OpFoldResult> weft::solveExtents(OpBuilder &b, PackedType type,
                                             ArrayRef<SmallVector<OpFoldResult>> sizes) {
  SmallVector<OpFoldResult> known;
  for (int64_t extent : type.getShape())
    known.push_back(ShapedType::isDynamic(extent) ? OpFoldResult()
                                                  : OpFoldResult(b.getIndexAttr(extent)));
  // A symbol is what the first component says that has such an extent.
  for (auto [component, extents] : llvm::zip(type.getFormat().getComponents(type), sizes))
    for (auto [expr, extent] : llvm::zip(component.shape.getResults(), extents))
      if (auto symbol = dyn_cast<AffineSymbolExpr>(expr)) {
        if (symbol.getPosition() >= known.size())
          known.resize(symbol.getPosition() + 1);
        if (!known[symbol.getPosition()])
          known[symbol.getPosition()] = extent;
      }
  return known;
}

void weft::buildComponentChecks(Attribute format, OperandChecks &checks,
                                const PackedComponents &packed) {
  if (auto interface = dyn_cast_if_present<ComponentCheckInterface>(format))
    interface.buildChecks(checks, packed);
}

namespace {
struct AssembleChecks : OperandCheckInterface::ExternalModel<AssembleChecks, AssembleOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto assemble = cast<AssembleOp>(op);
    PackedType type = assemble.getType();
    if (!isa<ComponentCheckInterface>(type.getFormat()) ||
        llvm::all_of(assemble.getComponents(), isKnownConstant))
      return;
    SmallVector<SmallVector<OpFoldResult>> sizes;
    for (Value value : assemble.getComponents())
      sizes.push_back(getExtents(checks.builder, checks.loc, value));
    SmallVector<OpFoldResult> dims = solveExtents(checks.builder, type, sizes);
    dims.resize(type.getShape().size());
    buildComponentChecks(type.getFormat(), checks,
                         {RankedTensorType::get(type.getShape(), type.getElementType()),
                          assemble.getComponents(),
                          dims,
                          "",
                          {}});
  }
};

/// Those of the structure and of the scales.
struct LeafChecks : ComponentCheckInterface::ExternalModel<LeafChecks, LeafFormatAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const;
};
} // namespace

/// The extent that data decides, as the codes have it.
static OpFoldResult findStored(OperandChecks &checks, ArrayRef<FormatComponent> codes,
                               ValueRange values, unsigned rank) {
  for (auto [component, value] : llvm::zip(codes, values))
    for (auto [i, expr] : llvm::enumerate(component.shape.getResults()))
      if (auto symbol = dyn_cast<AffineSymbolExpr>(expr); symbol && symbol.getPosition() == rank)
        return checks.extents.extentOf(value, i);
  return {};
}

void LeafChecks::buildChecks(Attribute attribute, OperandChecks &checks,
                             const PackedComponents &packed) const {
  auto format = cast<LeafFormatAttr>(attribute);
  unsigned rank = packed.type.getRank();
  LeafParts parts(format, packed.type);
  ValueRange rest = packed.values;
  ValueRange codes = LeafParts::take(rest, parts.codes.size());
  LeafParts::take(rest, parts.element.size());
  PackedComponents own = packed;
  own.values = LeafParts::take(rest, parts.structure.size());
  own.stored = findStored(checks, parts.codes, codes, rank);
  if (format.getStructure() && !llvm::all_of(own.values, isKnownConstant))
    buildComponentChecks(format.getStructure(), checks, own);
  SmallVector<OpFoldResult> dims(packed.dims);
  dims.push_back(own.stored);
  for (auto [scale, components] : llvm::zip_equal(format.getScales(), parts.scales)) {
    ValueRange values = LeafParts::take(rest, components.size());
    if (llvm::all_of(values, isKnownConstant))
      continue;
    PackedComponents of{packed.type, values, packed.dims, packed.prefix, {}};
    SmallVector<OpFoldResult> storedDims;
    if (scale.isOfStored()) {
      AffineMap map = getStoredMap(format, rank);
      of.type = RankedTensorType::get(getStaticExtents(map, packed.type.getShape()),
                                      packed.type.getElementType());
      storedDims = evaluateExtents(checks.builder, checks.loc, map, dims);
      of.dims = storedDims;
    }
    buildComponentChecks(scale, checks, of);
  }
}

void weft::attachOperandChecks(MLIRContext *context) {
  AssembleOp::attachInterface<AssembleChecks>(*context);
  ContractOp::attachInterface<ContractChecks>(*context);
  EmbedOp::attachInterface<EmbedChecks>(*context);
  GatherOp::attachInterface<GatherChecks>(*context);
  ScatterOp::attachInterface<ScatterChecks>(*context);
  UnpackOp::attachInterface<UnpackChecks>(*context);
  LeafFormatAttr::attachInterface<LeafChecks>(*context);
  attachCompositeChecks(context);
}
