//===- WeftContract.cpp - The contraction ---------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Contract.h"
#include "dialects/Weft/IR/Widening.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace weft;

bool weft::isBroadcastPermutation(AffineMap map) {
  llvm::SmallDenseSet<AffineExpr, 4> seen;
  return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    return constant ? constant.getValue() == 0
                    : isa<AffineDimExpr>(expr) && seen.insert(expr).second;
  });
}

AffineMap ContractOp::getMap(OpOperand &operand) {
  auto maps = getIndexingMaps().getAsValueRange<AffineMapAttr>();
  return *std::next(maps.begin(), operand.getOperandNumber());
}

SmallVector<int64_t> ContractOp::getStaticLoopRanges() {
  SmallVector<int64_t> extents(getNumLoops(), ShapedType::kDynamic);
  for (OpOperand &operand : getOperation()->getOpOperands()) {
    ArrayRef<int64_t> shape = cast<ShapedType>(operand.get().getType()).getShape();
    for (auto [expr, extent] : llvm::zip(getMap(operand).getResults(), shape))
      if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && !ShapedType::isDynamic(extent))
        extents[dim.getPosition()] = extent;
  }
  return extents;
}

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

/// Whether `map` reads every element of `type` at most once, and dimensions that
/// are repeated have one element.
static LogicalResult verifyMap(ContractOp op, AffineMap map, ShapedType type, unsigned loops) {
  if (map.getNumDims() != loops || map.getNumSymbols() != 0)
    return op.emitOpError("has map ")
           << AffineMapAttr::get(map) << ", expected one of " << loops << " loops";
  if (map.getNumResults() != static_cast<size_t>(type.getRank()))
    return op.emitOpError("has map ")
           << AffineMapAttr::get(map) << " for an operand of rank " << type.getRank();
  if (!isBroadcastPermutation(map))
    return op.emitOpError("has map ")
           << AffineMapAttr::get(map) << ", expected a projected permutation";
  for (auto [i, expr, extent] : llvm::enumerate(map.getResults(), type.getShape()))
    if (isa<AffineConstantExpr>(expr) && extent != 1)
      return op.emitOpError("has map ") << AffineMapAttr::get(map) << ", but dimension " << i
                                        << " of " << type << " is not of extent 1";
  return success();
}

/// Each loop has one extent, which an operand that is a tensor tells.
static LogicalResult verifyLoops(ContractOp op) {
  AffineMap resultMap = op.getResultMap();
  unsigned loops = op.getNumLoops();
  SmallVector<int64_t> extents(loops, ShapedType::kDynamic);
  SmallVector<bool> known(loops, false);
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = cast<ShapedType>(operand.get().getType());
    bool isBias = op.getBias() && &operand == &op.getBiasMutable()[0];
    for (auto [expr, extent] : llvm::zip(op.getMap(operand).getResults(), type.getShape())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        continue;
      unsigned loop = dim.getPosition();
      if (isBias && !resultMap.isFunctionOfDim(loop))
        return op.emitOpError("has a bias that varies along contracted loop ") << loop;
      known[loop] = known[loop] || !isa<PackedType>(type) || !ShapedType::isDynamic(extent);
      if (ShapedType::isDynamic(extent))
        continue;
      if (!ShapedType::isDynamic(extents[loop]) && extents[loop] != extent)
        return op.emitOpError("has loop ")
               << loop << " of extents " << extents[loop] << " and " << extent;
      extents[loop] = extent;
    }
  }
  for (unsigned loop = 0; loop < loops; ++loop)
    if (!known[loop])
      return op.emitOpError("has loop ")
             << loop << " whose extent no tensor among its operands has";
  if (resultMap.getNumResults() == loops)
    return op.emitOpError("contracts no loop");
  return success();
}

/// How the numbers of an operand are transformed along a loop; null if they are not.
static Attribute getBasis(ContractOp op, OpOperand &operand, unsigned loop) {
  auto packed = dyn_cast<PackedType>(operand.get().getType());
  auto position = op.getMap(operand).getResultPosition(getAffineDimExpr(loop, op.getContext()));
  return packed && position ? packed.getFormat().getBasis(*position) : Attribute();
}

/// Factors that are contracted along a loop are in one basis.
static LogicalResult verifyBases(ContractOp op) {
  for (unsigned loop = 0, loops = op.getNumLoops(); loop < loops; ++loop) {
    if (!op.isContracted(loop))
      continue;
    Attribute lhs = getBasis(op, op.getLhsMutable(), loop),
              rhs = getBasis(op, op.getRhsMutable(), loop);
    if (lhs == rhs)
      continue;
    InFlightDiagnostic error = op.emitOpError("contracts loop ") << loop << " of factors in basis ";
    (lhs ? error << lhs : error << "none") << " and ";
    return rhs ? error << rhs : error << "none";
  }
  return success();
}

static LogicalResult verifyElements(ContractOp op) {
  Type element = getElementTypeOrSelf(op.getInit().getType());
  for (Value operand : op->getOperands())
    if (Type type = getElementTypeOrSelf(operand.getType()); !widensTo(type, element))
      return op.emitOpError("has elements of type ") << type << " for a result of " << element;
  if (ComputeAttr compute = op.getComputeAttr();
      compute && isa<FloatType>(compute.getMultiply()) != isa<FloatType>(element))
    return op.emitOpError("computes in ")
           << compute.getMultiply() << " for a result of " << element;
  if (ComputeAttr compute = op.getComputeAttr();
      compute && !widensTo(element, compute.getAccumulate()))
    return op.emitOpError("adds in ")
           << compute.getAccumulate() << ", which is narrower than the result's " << element;
  if ((op.getUnsignedLhs() || op.getUnsignedRhs()) && !element.isSignlessInteger())
    return op.emitOpError("has unsigned factors of type ") << element;
  return success();
}

LogicalResult ContractOp::verify() {
  if (getIndexingMaps().size() != getNumOperands())
    return emitOpError("expects ") << getNumOperands() << " indexing maps, one for each operand, "
                                   << "got " << getIndexingMaps().size();
  for (OpOperand &operand : getOperation()->getOpOperands())
    if (failed(verifyMap(*this, getMap(operand), cast<ShapedType>(operand.get().getType()),
                         getNumLoops())))
      return failure();
  if (!getResultMap().isProjectedPermutation())
    return emitOpError("has map ")
           << AffineMapAttr::get(getResultMap()) << ", expected loops for the result";
  if (failed(verifyLoops(*this)) || failed(verifyBases(*this)) || failed(verifyElements(*this)))
    return failure();
  if (getResult().getType() != getInit().getType())
    return emitOpError("result type differs from the init's");
  return success();
}

LogicalResult ContractOp::reifyResultShapes(OpBuilder &builder,
                                            ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getInit()));
  return success();
}

//===----------------------------------------------------------------------===//
// Reference
//===----------------------------------------------------------------------===//

/// The extent of a loop.
static OpFoldResult extentOf(OpBuilder &b, ContractOp op, unsigned loop) {
  int64_t extent = op.getStaticLoopRanges()[loop];
  if (!ShapedType::isDynamic(extent))
    return b.getIndexAttr(extent);
  for (OpOperand &operand : op->getOpOperands())
    if (auto position = op.getMap(operand).getResultPosition(b.getAffineDimExpr(loop));
        position && isa<RankedTensorType>(operand.get().getType()))
      return tensor::getMixedSize(b, op.getLoc(), operand.get(), *position);
  llvm_unreachable("the verifier wants a tensor that has the extent");
}

static Value widen(OpBuilder &b, Location loc, Value value, Type type, bool isUnsigned) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(type))
    return arith::ExtFOp::create(b, loc, type, value);
  if (isUnsigned)
    return arith::ExtUIOp::create(b, loc, type, value);
  return arith::ExtSIOp::create(b, loc, type, value);
}

static Value narrow(OpBuilder &b, Location loc, Value value, Type type) {
  if (value.getType().getIntOrFloatBitWidth() <= type.getIntOrFloatBitWidth())
    return value;
  if (isa<FloatType>(type))
    return arith::TruncFOp::create(b, loc, type, value);
  return arith::TruncIOp::create(b, loc, type, value);
}

/// `convert` of each element of `x`, in a tensor of `init`'s type.
static Value
convertElements(OpBuilder &b, Location loc, Value x, Value init,
                llvm::function_ref<Value(OpBuilder &, Location, Value, Type)> convert) {
  auto type = cast<RankedTensorType>(init.getType());
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> parallel(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, type, x, init, {identity, identity}, parallel,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     linalg::YieldOp::create(
                                         b, loc, convert(b, loc, args[0], type.getElementType()));
                                   })
      .getResult(0);
}

static Value add(OpBuilder &b, Location loc, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::AddFOp::create(b, loc, x, y);
  return arith::AddIOp::create(b, loc, x, y);
}

static Value multiply(OpBuilder &b, Location loc, Value x, Value y) {
  if (isa<FloatType>(x.getType()))
    return arith::MulFOp::create(b, loc, x, y);
  return arith::MulIOp::create(b, loc, x, y);
}

/// The numbers of a factor.
static Value unpacked(OpBuilder &b, ContractOp op, OpOperand &factor) {
  auto packed = dyn_cast<PackedType>(factor.get().getType());
  if (!packed)
    return factor.get();
  SmallVector<OpFoldResult> sizes;
  for (auto [expr, extent] : llvm::zip(op.getMap(factor).getResults(), packed.getShape())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    sizes.push_back(ShapedType::isDynamic(extent) ? extentOf(b, op, dim.getPosition())
                                                  : OpFoldResult(b.getIndexAttr(extent)));
  }
  auto type = RankedTensorType::get(packed.getShape(), packed.getElementType());
  SmallVector<Value> dynamic;
  for (OpFoldResult size : sizes)
    if (auto value = dyn_cast<Value>(size))
      dynamic.push_back(value);
  Value empty = tensor::EmptyOp::create(b, op.getLoc(), type, dynamic);
  return UnpackOp::create(b, op.getLoc(), type, factor.get(), empty);
}

/// init + bias, elementwise.
static Value startValue(OpBuilder &b, ContractOp op) {
  Value init = op.getInit();
  if (!op.getBias())
    return init;
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(init.getType());
  // The loops of the result alone, numbered as its dimensions.
  int64_t rank = type.getRank();
  SmallVector<AffineExpr> dims(op.getNumLoops(), b.getAffineConstantExpr(0));
  for (auto [i, expr] : llvm::enumerate(op.getResultMap().getResults()))
    dims[cast<AffineDimExpr>(expr).getPosition()] = b.getAffineDimExpr(i);
  AffineMap biasMap = op.getMap(op.getBiasMutable()[0]).replaceDimsAndSymbols(dims, {}, rank, 0);
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  Value empty =
      tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, init), type.getElementType());
  SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, empty.getType(), ValueRange{init, op.getBias()}, empty,
      ArrayRef<AffineMap>{identity, biasMap, identity}, parallel,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value bias = widen(b, loc, args[1], type.getElementType(), /*isUnsigned=*/false);
        linalg::YieldOp::create(b, loc, add(b, loc, args[0], bias));
      });
  return generic.getResult(0);
}

FailureOr<SmallVector<Value>> ContractOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  Value lhs = unpacked(b, *this, getLhsMutable()), rhs = unpacked(b, *this, getRhsMutable());
  Value start = startValue(b, *this);
  Type result = getElementTypeOrSelf(start.getType()), multiplied, element = result;
  if (ComputeAttr compute = getComputeAttr()) {
    multiplied = compute.getMultiply();
    element = compute.getAccumulate();
  }
  if (element != result)
    start = convertElements(
        b, loc, start,
        tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, start), element),
        [](OpBuilder &b, Location loc, Value x, Type type) {
          return widen(b, loc, x, type, /*isUnsigned=*/false);
        });
  // Numbers that are wider are rounded before they are multiplied.
  auto factor = [&](OpBuilder &b, Location loc, Value x, bool isUnsigned) {
    return widen(b, loc, multiplied ? narrow(b, loc, x, multiplied) : x, element, isUnsigned);
  };
  auto generic = linalg::GenericOp::create(
      b, loc, start.getType(), ValueRange{lhs, rhs}, start,
      ArrayRef<AffineMap>{getLhsMap(), getRhsMap(), getResultMap()}, getLoopIteratorTypes(),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value x = factor(b, loc, args[0], getUnsignedLhs());
        Value y = factor(b, loc, args[1], getUnsignedRhs());
        linalg::YieldOp::create(b, loc, add(b, loc, args[2], multiply(b, loc, x, y)));
      });
  if (element == result)
    return SmallVector<Value>(generic.getResults());
  return SmallVector<Value>{convertElements(b, loc, generic.getResult(0), getInit(), narrow)};
}

//===----------------------------------------------------------------------===//
// Tiling
//===----------------------------------------------------------------------===//

TilingLoops ContractOp::getTilingLoops() {
  TilingLoops loops(*this, getNumLoops());
  for (OpOperand &operand : getOperation()->getOpOperands())
    loops.cut(operand, llvm::map_to_vector(getMap(operand).getResults(), [](AffineExpr expr) {
                auto dim = dyn_cast<AffineDimExpr>(expr);
                return dim ? LoopDim(dim.getPosition()) : LoopDim();
              }));
  for (unsigned loop = 0, count = getNumLoops(); loop < count; ++loop)
    if (isContracted(loop))
      loops.reduce(loop);
  return loops.decode();
}

/// Tiles of contracted loops add up in the init. A bias would be added by each of them.
FailureOr<TilingResult> ContractOp::getTiledImplementation(OpBuilder &b,
                                                           ArrayRef<OpFoldResult> offsets,
                                                           ArrayRef<OpFoldResult> sizes) {
  for (unsigned loop = 0, count = getNumLoops(); loop < count; ++loop)
    if (getBias() && isContracted(loop) && !isConstantIntValue(offsets[loop], 0))
      return failure();
  return getTilingLoops().tile(b, offsets, sizes);
}

//===----------------------------------------------------------------------===//
// Canonicalization
//===----------------------------------------------------------------------===//

static bool hasBasis(PackedType type) {
  return llvm::any_of(llvm::seq<unsigned>(type.getRank()),
                      [&](unsigned i) { return bool(type.getFormat().getBasis(i)); });
}

namespace {
/// A factor that is unpacked is read as it is packed.
struct FoldUnpack : OpRewritePattern<ContractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ContractOp op, PatternRewriter &rewriter) const override {
    bool changed = false;
    for (OpOperand *factor : {&op.getLhsMutable(), &op.getRhsMutable()}) {
      auto unpack = factor->get().getDefiningOp<UnpackOp>();
      // The shape of the result must stay known to the loops, and unpacked numbers
      // have no basis that the other factor has to share.
      if (!unpack || hasBasis(unpack.getPacked().getType()) ||
          unpack.getPacked().getType().getShape() != unpack.getType().getShape() ||
          !unpack.getType().hasStaticShape())
        continue;
      rewriter.modifyOpInPlace(op, [&] { factor->set(unpack.getPacked()); });
      changed = true;
    }
    return success(changed);
  }
};
} // namespace

void ContractOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldUnpack>(context);
}
