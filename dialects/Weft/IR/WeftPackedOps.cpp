//===- WeftPackedOps.cpp - Operations on packed tensors -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/LeafParts.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace weft;

bool weft::isCompatible(Type have, RankedTensorType want) {
  auto type = cast<RankedTensorType>(have);
  return type.getElementType() == want.getElementType() &&
         succeeded(verifyCompatibleShape(type.getShape(), want.getShape()));
}

static LogicalResult verifyComponents(Operation *op, PackedType type, TypeRange components) {
  SmallVector<RankedTensorType> expected = type.getComponentTypes();
  if (components.size() != expected.size())
    return op->emitOpError("has ")
           << components.size() << " components, the format has " << expected.size();
  for (auto [i, have, want] : llvm::enumerate(components, expected))
    if (!isCompatible(have, want))
      return op->emitOpError("has component ")
             << i << " of type " << have << ", the format has " << want;
  return success();
}

/// `given` are the parameters that `type` has.
static LogicalResult verifyParameters(Operation *op, PackedType type, TypeRange given) {
  SmallVector<unsigned> positions = type.getFormat().getParameters(type);
  if (given.size() != positions.size())
    return op->emitOpError("has ")
           << given.size() << " parameters, the format has " << positions.size();
  SmallVector<RankedTensorType> expected = type.getComponentTypes();
  for (auto [i, position] : llvm::enumerate(positions))
    if (Type have = given[i]; !isCompatible(have, expected[position]))
      return op->emitOpError("has parameter ")
             << i << " of type " << have << ", the format has " << expected[position];
  return success();
}

ValueRange weft::takeApart(OpBuilder &b, Location loc, Value packed) {
  SmallVector<Type> types = llvm::map_to_vector(
      cast<PackedType>(packed.getType()).getComponentTypes(), [](auto t) -> Type { return t; });
  return DisassembleOp::create(b, loc, types, packed).getComponents();
}

/// Numbers have the logical shape and the expressed element type.
static LogicalResult verifyNumbers(Operation *op, PackedType type, RankedTensorType numbers) {
  auto expected = RankedTensorType::get(type.getShape(), type.getElementType());
  if (numbers.getElementType() != expected.getElementType() ||
      failed(verifyCompatibleShape(numbers.getShape(), expected.getShape())))
    return op->emitOpError("has numbers of type ") << numbers << ", expected " << expected;
  return success();
}

LogicalResult weft::verifyNoBasis(Operation *op, Value operand) {
  auto packed = dyn_cast<PackedType>(operand.getType());
  for (int64_t i = 0; packed && i < packed.getRank(); ++i)
    if (Attribute basis = packed.getFormat().getBasis(i))
      return op->emitOpError("has an operand in basis ")
             << basis << " along dimension " << i << ", which it does not undo";
  return success();
}

//===----------------------------------------------------------------------===//
// AssembleOp, DisassembleOp
//===----------------------------------------------------------------------===//

LogicalResult AssembleOp::verify() {
  return verifyComponents(*this, getType(), getComponents().getTypes());
}

LogicalResult DisassembleOp::verify() {
  return verifyComponents(*this, getPacked().getType(), getComponents().getTypes());
}

LogicalResult DisassembleOp::fold(FoldAdaptor, SmallVectorImpl<OpFoldResult> &results) {
  auto assemble = getPacked().getDefiningOp<AssembleOp>();
  if (!assemble || assemble.getComponents().getTypes() != getResultTypes())
    return failure();
  results.append(assemble.getComponents().begin(), assemble.getComponents().end());
  return success();
}

//===----------------------------------------------------------------------===//
// UnpackOp, PackOp
//===----------------------------------------------------------------------===//

LogicalResult UnpackOp::verify() {
  if (getInit().getType() != getType())
    return emitOpError("has a result of type ")
           << getType() << " and an init of type " << getInit().getType();
  return verifyNumbers(*this, getPacked().getType(), getInit().getType());
}

LogicalResult UnpackOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getInit()));
  return success();
}

FailureOr<SmallVector<Value>> UnpackOp::lowerToReference(OpBuilder &b) {
  PackedType type = getPacked().getType();
  return SmallVector<Value>{
      type.getFormat().decode(b, getLoc(), type, takeApart(b, getLoc(), getPacked()), getInit())};
}

TilingLoops UnpackOp::getTilingLoops() {
  TilingLoops loops(*this, getType().getRank());
  auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, getType().getRank()));
  return loops.cut(getPackedMutable(), dims).cut(getInitMutable(), dims).decode();
}

/// What the format decodes of the tile.
FailureOr<TilingResult> UnpackOp::getTiledImplementation(OpBuilder &b,
                                                         ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  SmallVector<Operation *> built;
  FailureOr<Value> init = getTilingLoops().cutOperand(b, getInitMutable(), offsets, sizes, built);
  if (failed(init))
    return failure();
  PackedType type = getPacked().getType();
  Value tile = type.getFormat().decodeTile(b, getLoc(), type, takeApart(b, getLoc(), getPacked()),
                                           getExtents(b, getLoc(), getInit()), offsets, *init);
  return TilingResult{{tile.getDefiningOp()}, {tile}, built};
}

LogicalResult PackOp::verify() {
  if (failed(verifyNumbers(*this, getType(), getNumbers().getType())))
    return failure();
  if (failed(verifyParameters(*this, getType(), getParameters().getTypes())))
    return failure();
  return getType().getFormat().verifyOptions([&] { return emitOpError(); }, getOptions());
}

FailureOr<SmallVector<Value>> PackOp::lowerToReference(OpBuilder &b) {
  PackedType type = getType();
  SmallVector<Value> parts =
      type.getFormat().encode(b, getLoc(), type, getNumbers(), getParameters(), getOptions());
  return SmallVector<Value>{AssembleOp::create(b, getLoc(), type, parts)};
}

//===----------------------------------------------------------------------===//
// RepackOp
//===----------------------------------------------------------------------===//

/// The positions among the operand's components of the parameters that `to` has;
/// the first that the operand does not have is in `missing`.
static FailureOr<SmallVector<unsigned>> findParameters(PackedType from, PackedType to,
                                                       FormatComponent &missing) {
  SmallVector<FormatComponent> have = from.getFormat().getComponents(from);
  SmallVector<FormatComponent> want = to.getFormat().getComponents(to);
  SmallVector<unsigned> positions;
  for (unsigned parameter : to.getFormat().getParameters(to)) {
    const FormatComponent &component = want[parameter];
    auto *same = llvm::find_if(have, [&](const FormatComponent &x) {
      return x.name == component.name && x.elementType == component.elementType &&
             getStaticExtents(x.shape, from.getShape()) ==
                 getStaticExtents(component.shape, to.getShape());
    });
    if (same == have.end()) {
      missing = component;
      return failure();
    }
    positions.push_back(same - have.begin());
  }
  return positions;
}

LogicalResult RepackOp::verify() {
  PackedType from = getPacked().getType(), to = getType();
  if (from.getShape() != to.getShape() || from.getElementType() != to.getElementType())
    return emitOpError("has an operand of ")
           << RankedTensorType::get(from.getShape(), from.getElementType()) << " and a result of "
           << RankedTensorType::get(to.getShape(), to.getElementType());
  if (getSizes().size() != from.getNumDynamicDims())
    return emitOpError("has ") << getSizes().size() << " sizes for " << from.getNumDynamicDims()
                               << " dynamic extents";
  for (unsigned i = 0; i < from.getRank(); ++i)
    if (from.getFormat().getBasis(i) != to.getFormat().getBasis(i))
      return emitOpError("changes the basis along dimension ")
             << i << ", which is no matter of the format";
  FormatComponent missing;
  if (!getParameters().empty()) {
    if (failed(verifyParameters(*this, to, getParameters().getTypes())))
      return failure();
  } else if (failed(findParameters(from, to, missing))) {
    return emitOpError("has no parameters, and its operand no component '")
           << missing.name << "' of "
           << RankedTensorType::get(getStaticExtents(missing.shape, to.getShape()),
                                    missing.elementType);
  }
  if (differInPackOnly(from.getFormat(), to.getFormat()))
    return success();
  return to.getFormat().verifyOptions([&] { return emitOpError(); }, getOptions());
}

OpFoldResult RepackOp::fold(FoldAdaptor) {
  return getParameters().empty() && getPacked().getType() == getType() ? OpFoldResult(getPacked())
                                                                       : OpFoldResult();
}

FailureOr<SmallVector<Value>> RepackOp::lowerToReference(OpBuilder &b) {
  PackedType from = getPacked().getType(), to = getType();
  SmallVector<OpFoldResult> dims = getMixedValues(to.getShape(), getSizes(), b);
  ValueRange components = takeApart(b, getLoc(), getPacked());
  if (getParameters().empty() && differInPackOnly(from.getFormat(), to.getFormat())) {
    SmallVector<Value> moved =
        moveCodes(b, getLoc(), cast<LeafFormatAttr>(from.getFormat()),
                  cast<LeafFormatAttr>(to.getFormat()), to, components, dims);
    return SmallVector<Value>{AssembleOp::create(b, getLoc(), to, moved)};
  }
  SmallVector<Value> parameters(getParameters());
  FormatComponent missing;
  if (parameters.empty())
    for (unsigned position : *findParameters(from, to, missing))
      parameters.push_back(components[position]);
  Value empty = tensor::EmptyOp::create(b, getLoc(), dims, to.getElementType());
  Value numbers = UnpackOp::create(b, getLoc(), empty.getType(), getPacked(), empty);
  return SmallVector<Value>{
      PackOp::create(b, getLoc(), to, numbers, parameters, getOverflow(), getRounding())};
}
