//===- VectorBody.cpp - Bodies of structured operations on vectors --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/VectorBody.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;
using namespace weft;

/// Instructions of a transcendental function, roughly.
static constexpr int64_t kTranscendental = 20;

bool weft::isContiguousAlong(AffineMap map, unsigned loop) {
  if (map.getNumResults() == 0)
    return false;
  for (AffineExpr expr : map.getResults().drop_back())
    if (expr.isFunctionOfDim(loop))
      return false;
  AffineExpr last = map.getResults().back();
  AffineExpr rest =
      simplifyAffineExpr(last - getAffineDimExpr(loop, map.getContext()), map.getNumDims(), 0);
  return last.isPureAffine() && !rest.isFunctionOfDim(loop);
}

bool weft::hasContiguousRows(Value tensor) {
  while (Operation *def = tensor.getDefiningOp()) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(def)) {
      if (slice.getSourceType().getRank() == 0)
        return true;
      if (getConstantIntValue(slice.getMixedStrides().back()) != 1 ||
          slice.getDroppedDims().test(slice.getSourceType().getRank() - 1))
        return false;
      tensor = slice.getSource();
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(def)) {
      // The last column of a slice, merged with its rows, has their stride.
      auto dims = collapse.getReassociationIndices();
      if (!dims.empty() && dims.back().size() > 1 && collapse.getSrcType().getShape().back() == 1)
        return false;
      tensor = collapse.getSrc();
    } else if (isa<tensor::ExpandShapeOp, tensor::CastOp>(def)) {
      tensor = def->getOperand(0);
    } else {
      return true;
    }
  }
  return true;
}

Value weft::readVector(OpBuilder &b, Location loc, Value tensor, ValueRange position, int64_t lanes,
                       Value mask) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  auto map = AffineMap::getMinorIdentityMap(type.getRank(), 1, b.getContext());
  return vector::TransferReadOp::create(b, loc, VectorType::get({lanes}, type.getElementType()),
                                        tensor, position, AffineMapAttr::get(map), zero, mask,
                                        b.getBoolArrayAttr({true}));
}

Value weft::writeVector(OpBuilder &b, Location loc, Value vector, Value tensor, ValueRange position,
                        Value mask) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  auto map = AffineMap::getMinorIdentityMap(rank, 1, b.getContext());
  return vector::TransferWriteOp::create(b, loc, tensor.getType(), vector, tensor, position,
                                         AffineMapAttr::get(map), mask, b.getBoolArrayAttr({true}))
      .getResult();
}

SmallVector<Value> VectorBody::position(OpBuilder &b, linalg::GenericOp op, OpOperand *operand,
                                        ArrayRef<Value> loops) {
  AffineMap map = op.getMatchingIndexingMap(operand);
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      result.push_back(loops[dim.getPosition()]);
      continue;
    }
    SmallVector<OpFoldResult> operands(loops.begin(), loops.end());
    OpFoldResult value = affine::makeComposedFoldedAffineApply(
        b, op.getLoc(), AffineMap::get(map.getNumDims(), 0, expr), operands);
    result.push_back(getValueOrCreateConstantIndexOp(b, op.getLoc(), value));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// What can be computed
//===----------------------------------------------------------------------===//

VectorBody::VectorBody(linalg::GenericOp op, unsigned vectorLoop) : op(op), vectorLoop(vectorLoop) {
  analyze();
}

/// Numbers that vectors hold in memory as tensors do.
static bool isMemoryType(Type type) {
  if (isa<IntegerType>(type))
    return llvm::is_contained({8u, 16u, 32u, 64u}, type.getIntOrFloatBitWidth());
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

/// Numbers that lanes can hold. Index values have 64 bits, but are few.
static bool isLaneType(Type type) {
  if (type.isIndex() || isa<IntegerType>(type))
    return type.isIndex() || type.getIntOrFloatBitWidth() <= 64;
  return isa<FloatType>(type) && (type.isF64() || type.isF32() || type.isF16() || type.isBF16());
}

std::optional<int64_t> VectorBody::strideOf(Value index) const {
  if (!varies(index))
    return 0;
  Operation *def = index.getDefiningOp();
  if (isa_and_nonnull<linalg::IndexOp>(def))
    return 1;
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp, arith::MulIOp>(def) ||
      !index.getType().isIndex())
    return std::nullopt;
  std::optional<int64_t> x = strideOf(def->getOperand(0)), y = strideOf(def->getOperand(1));
  if (!x || !y)
    return std::nullopt;
  int64_t result;
  if (isa<arith::MulIOp>(def)) {
    // A varying number times a constant.
    std::optional<int64_t> factor = getConstantIntValue(def->getOperand(*x == 0 ? 0 : 1));
    if (!factor || __builtin_mul_overflow(*x + *y, *factor, &result))
      return std::nullopt;
  } else if (isa<arith::AddIOp>(def) ? __builtin_add_overflow(*x, *y, &result)
                                     : __builtin_sub_overflow(*x, *y, &result)) {
    return std::nullopt;
  }
  return result;
}

/// Whether `position` is the last one of the vector `tensor`.
static bool isLastPosition(Value position, Value tensor) {
  AffineExpr next = getAffineDimExpr(0, position.getContext()) + 1;
  FailureOr<bool> equal = ValueBoundsConstraintSet::areEqual(
      {AffineMap::get(1, 0, next), ValueRange{position}}, {tensor, /*dim=*/0});
  return succeeded(equal) && *equal;
}

/// Neighbours that a block has at least: fewer are no cheaper than elements.
static constexpr int64_t kMinBlock = 16;

std::optional<VectorBody::Blocks> VectorBody::matchBlocks(Operation &inner) const {
  if (inner.getNumResults() != 1)
    return std::nullopt;
  if (isa<arith::DivUIOp>(inner) && inner.getResult(0).getType().isIndex() &&
      strideOf(inner.getOperand(0)) == 1) {
    std::optional<int64_t> size = getConstantIntValue(inner.getOperand(1));
    if (size && *size >= kMinBlock)
      return Blocks{inner.getOperand(0), *size};
  }
  std::optional<Blocks> blocks;
  for (Value operand : inner.getOperands()) {
    if (!varies(operand))
      continue;
    auto known = blockwise.find(operand);
    if (known == blockwise.end() || (blocks && !(*blocks == known->second)))
      return std::nullopt;
    blocks = known->second;
  }
  return blocks;
}

std::optional<VectorBody::Read> VectorBody::matchRead(tensor::ExtractOp extract) const {
  if (extract.getIndices().empty() || !hasContiguousRows(extract.getTensor()) ||
      llvm::any_of(extract.getIndices().drop_back(), [&](Value index) { return varies(index); }))
    return std::nullopt;
  Value index = extract.getIndices().back();
  if (strideOf(index) == 1)
    return Read();
  if (extract.getIndices().size() != 1 || !extract.getType().isInteger(8))
    return std::nullopt;
  // min(bit / 8 + offset, last): no read is beyond the last byte, and bits from
  // beyond it are none of a number.
  auto skipBound = [&] {
    Operation *min = index.getDefiningOp();
    if (isa_and_nonnull<arith::MinUIOp, arith::MinSIOp>(min) && !varies(min->getOperand(1)) &&
        isLastPosition(min->getOperand(1), extract.getTensor()))
      index = min->getOperand(0);
  };
  Read read;
  skipBound();
  if (auto add = index.getDefiningOp<arith::AddIOp>()) {
    std::optional<int64_t> offset = getConstantIntValue(add.getRhs());
    if (offset != 1)
      return std::nullopt;
    read.offset = *offset;
    index = add.getLhs();
    skipBound();
  }
  auto divide = index.getDefiningOp<arith::DivUIOp>();
  if (!divide || getConstantIntValue(divide.getRhs()) != 8)
    return std::nullopt;
  read.bit = divide.getLhs();
  std::optional<int64_t> bits = strideOf(read.bit);
  if (!bits || *bits < 1 || *bits > 7)
    return std::nullopt;
  read.bits = *bits;
  return read;
}

void VectorBody::analyzeInputs() {
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    bool isInit = op.isDpsInit(&operand);
    if (isInit) {
      varying.insert(argument);
      if (!isMemoryType(argument.getType())) {
        reason = "a result has no type of lanes";
        return;
      }
      widest = std::max<int64_t>(widest, argument.getType().getIntOrFloatBitWidth());
      if (!map.isFunctionOfDim(vectorLoop))
        continue;
    }
    if (!isInit && (argument.use_empty() || !map.isFunctionOfDim(vectorLoop)))
      continue;
    if (!isContiguousAlong(map, vectorLoop) || !hasContiguousRows(operand.get())) {
      reason = "an operand's neighbours are no neighbours in memory";
      return;
    }
    varying.insert(argument);
    if (!isMemoryType(argument.getType())) {
      reason = "an operand has no type of lanes";
      return;
    }
    int64_t bits = argument.getType().getIntOrFloatBitWidth();
    widest = std::max(widest, bits);
    narrowest = std::min(narrowest, bits);
    ++instructions;
  }
}

bool VectorBody::analyzeOperation(Operation &inner) {
  bool differs = llvm::any_of(inner.getOperands(), [&](Value v) { return varies(v); });
  if (auto index = dyn_cast<linalg::IndexOp>(inner))
    differs = index.getDim() == vectorLoop;
  if (inner.getNumRegions() != 0 || !isMemoryEffectFree(&inner)) {
    reason = "the body has an operation with a region or effects";
    return false;
  }
  if (!differs)
    return true;
  for (Value result : inner.getResults())
    varying.insert(result);
  if (isa<linalg::IndexOp>(inner))
    return true;
  if (std::optional<Blocks> blocks = matchBlocks(inner)) {
    Type type = inner.getResult(0).getType();
    if (!isLaneType(type)) {
      reason = "the body has a type that is none of lanes";
      return false;
    }
    blockwise.insert({inner.getResult(0), *blocks});
    if (isa<FloatType>(type))
      widest = std::max<int64_t>(widest, type.getIntOrFloatBitWidth());
    ++instructions;
    return true;
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
    if (!matchRead(extract) || !isMemoryType(extract.getType())) {
      reason = "the body reads elements at computed positions";
      return false;
    }
    narrowest = std::min<int64_t>(narrowest, extract.getType().getIntOrFloatBitWidth());
  } else if (!OpTrait::hasElementwiseMappableTraits(&inner)) {
    reason = "the body has an operation that has no form on vectors";
    return false;
  }
  // Lanes outside of the mask may divide by zero; shifts and masks are no matter.
  auto isPowerOfTwo = [](Value value) {
    std::optional<int64_t> number = getConstantIntValue(value);
    return number && *number > 0 && llvm::isPowerOf2_64(*number);
  };
  bool isShift = isa<arith::DivUIOp, arith::RemUIOp>(inner) && isPowerOfTwo(inner.getOperand(1));
  if (!isShift && isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
                      arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>(inner)) {
    reason = "the body divides integers, one by one";
    return false;
  }
  for (Value result : inner.getResults()) {
    Type type = result.getType();
    if (!isLaneType(type)) {
      reason = "the body has a type that is none of lanes";
      return false;
    }
    // Indices are few, and conditions are masks.
    bool isIndex = type.isIndex() || isa<arith::IndexCastOp, arith::IndexCastUIOp>(inner);
    if (!isIndex && type.getIntOrFloatBitWidth() > 1)
      widest = std::max<int64_t>(widest, type.getIntOrFloatBitWidth());
  }
  bool isSimple = !isa<math::MathDialect>(inner.getDialect()) ||
                  isa<math::AbsFOp, math::AbsIOp, math::FmaOp, math::SqrtOp, math::CopySignOp,
                      math::FloorOp, math::CeilOp, math::TruncOp, math::RoundEvenOp>(inner);
  instructions += isSimple ? 1 : kTranscendental;
  return true;
}

void VectorBody::analyze() {
  if (!op.hasPureTensorSemantics()) {
    reason = "it works on memory";
    return;
  }
  analyzeInputs();
  if (!reason.empty())
    return;
  for (Operation &inner : op.getBody()->without_terminator())
    if (!analyzeOperation(inner))
      return;
}

//===----------------------------------------------------------------------===//
// Computing it
//===----------------------------------------------------------------------===//

void VectorBody::enterRow(OpBuilder &b, ArrayRef<Value> loops) {
  Location loc = op.getLoc();
  scalars.clear();
  row.assign(loops.begin(), loops.end());
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (argument.use_empty() || varies(argument))
      continue;
    Value value = operand->get();
    if (isa<RankedTensorType>(value.getType()))
      value = tensor::ExtractOp::create(b, loc, value, position(b, op, operand, loops));
    scalars.map(argument, value);
  }
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (llvm::any_of(inner.getResults(), [&](Value v) { return varies(v); }))
      continue;
    if (auto index = dyn_cast<linalg::IndexOp>(inner))
      scalars.map(index.getResult(), loops[index.getDim()]);
    else
      b.clone(inner, scalars);
  }
}

Value VectorBody::atLane(OpBuilder &b, Value value, Value start) const {
  IRMapping known;
  return atLane(b, value, start, known);
}

Value VectorBody::atLane(OpBuilder &b, Value value, Value start, IRMapping &known) const {
  if (!varies(value))
    return scalars.lookupOrDefault(value);
  if (Value before = known.lookupOrNull(value))
    return before;
  Operation *def = value.getDefiningOp();
  Value result = start;
  if (!isa<linalg::IndexOp>(def)) {
    IRMapping mapping;
    for (Value operand : def->getOperands())
      mapping.map(operand, atLane(b, operand, start, known));
    result = b.clone(*def, mapping)->getResult(0);
  }
  known.map(value, result);
  return result;
}

Value VectorBody::lastPosition(OpBuilder &b) const {
  linalg::GenericOp generic = op;
  Location loc = generic.getLoc();
  int64_t extent = generic.getStaticLoopRanges()[vectorLoop];
  if (!ShapedType::isDynamic(extent))
    return arith::ConstantIndexOp::create(b, loc, extent - 1);
  AffineExpr loop = b.getAffineDimExpr(vectorLoop);
  for (OpOperand &operand : generic->getOpOperands())
    if (auto dim = generic.getMatchingIndexingMap(&operand).getResultPosition(loop))
      return arith::SubIOp::create(b, loc, b.createOrFold<tensor::DimOp>(loc, operand.get(), *dim),
                                   arith::ConstantIndexOp::create(b, loc, 1));
  llvm_unreachable("an operand has each loop's extent");
}

/// A vector can begin within a block and reach into others: there is a number of
/// each, from which lanes take theirs.
Value VectorBody::selectBlocks(OpBuilder &b, Value value, const Blocks &blocks, Value start,
                               int64_t lanes) const {
  Location loc = value.getLoc();
  auto type = VectorType::get({lanes}, value.getType());
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantIndexOp::create(b, loc, number);
  };
  Value result = vector::BroadcastOp::create(b, loc, type, atLane(b, value, start));
  if (lanes == 1)
    return result;
  Value before =
      arith::RemUIOp::create(b, loc, atLane(b, blocks.position, start), constant(blocks.size));
  Value last = lastPosition(b);
  auto positions = VectorType::get({lanes}, b.getIndexType());
  Value step = vector::StepOp::create(b, loc, positions);
  for (int64_t next = blocks.size; next < lanes + blocks.size - 1; next += blocks.size) {
    Value distance = arith::SubIOp::create(b, loc, constant(next), before);
    // Lanes behind the last are arbitrary, but what is read for them exists.
    Value first =
        arith::MinUIOp::create(b, loc, arith::AddIOp::create(b, loc, start, distance), last);
    Value other = vector::BroadcastOp::create(b, loc, type, atLane(b, value, first));
    Value isBefore =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, step,
                              vector::BroadcastOp::create(b, loc, positions, distance));
    result = arith::SelectOp::create(b, loc, isBefore, result, other);
  }
  return result;
}

/// Bytes of which neighbours may lie in the same: eight lanes of less than eight
/// bits each are in 64 bits, from which each takes its own by a shift.
Value VectorBody::readBytes(OpBuilder &b, tensor::ExtractOp extract, const Read &read, Value start,
                            int64_t lanes) const {
  Location loc = extract.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  Value codes = extract.getTensor(), size = b.createOrFold<tensor::DimOp>(loc, codes, 0);
  Value bit = atLane(b, read.bit, start);
  Value inByte = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                            arith::RemUIOp::create(b, loc, bit, constant(8)));
  Value first = arith::AddIOp::create(b, loc, arith::DivUIOp::create(b, loc, bit, constant(8)),
                                      constant(read.offset));
  int64_t group = std::min<int64_t>(lanes, 8);
  auto words = VectorType::get({group}, b.getI64Type()),
       bytes = VectorType::get({group}, b.getI8Type());
  SmallVector<int64_t> bitOf;
  for (int64_t lane = 0; lane < group; ++lane)
    bitOf.push_back(lane * read.bits);
  auto splat = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(words, value));
  };
  Value shift = arith::AddIOp::create(
      b, loc, vector::BroadcastOp::create(b, loc, words, inByte),
      arith::ConstantOp::create(b, loc, DenseElementsAttr::get(words, ArrayRef(bitOf))));
  shift = arith::AndIOp::create(b, loc, shift, splat(~int64_t(7)));
  Value result =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(VectorType::get({lanes}, b.getI8Type())));
  for (int64_t lane = 0; lane < lanes; lane += group) {
    Value byte = arith::AddIOp::create(b, loc, first, constant(lane * read.bits / 8));
    Value left = arith::SubIOp::create(b, loc, size, byte);
    Value inside = vector::CreateMaskOp::create(b, loc, VectorType::get({8}, b.getI1Type()), left);
    Value word = vector::BitCastOp::create(b, loc, VectorType::get({1}, b.getI64Type()),
                                           readVector(b, loc, codes, byte, 8, inside));
    word = vector::ExtractOp::create(b, loc, word, ArrayRef<int64_t>{0});
    Value own =
        arith::ShRUIOp::create(b, loc, vector::BroadcastOp::create(b, loc, words, word), shift);
    own = arith::TruncIOp::create(b, loc, bytes, own);
    result = lanes == group
                 ? own
                 : Value(vector::InsertStridedSliceOp::create(
                       b, loc, own, result, ArrayRef<int64_t>{lane}, ArrayRef<int64_t>{1}));
  }
  return result;
}

Value VectorBody::read(OpBuilder &b, tensor::ExtractOp extract, Value start, int64_t lanes,
                       Value mask) const {
  Read read = *matchRead(extract);
  if (read.bit)
    return readBytes(b, extract, read, start, lanes);
  SmallVector<Value> at;
  for (Value index : extract.getIndices().drop_back())
    at.push_back(scalars.lookupOrDefault(index));
  at.push_back(atLane(b, extract.getIndices().back(), start));
  return readVector(b, extract.getLoc(), extract.getTensor(), at, lanes, mask);
}

SmallVector<Value> VectorBody::compute(OpBuilder &b, Value start, int64_t lanes, Value mask,
                                       ValueRange outs, ValueRange carried) const {
  linalg::GenericOp generic = op;
  Location loc = generic.getLoc();
  SmallVector<Value> loops(row);
  loops[vectorLoop] = start;
  IRMapping vectors;
  auto lookup = [&](Value value) -> Value {
    if (Value known = vectors.lookupOrNull(value))
      return known;
    if (auto blocks = blockwise.find(value); blocks != blockwise.end()) {
      Value result = selectBlocks(b, value, blocks->second, start, lanes);
      vectors.map(value, result);
      return result;
    }
    Value scalar = scalars.lookupOrDefault(value);
    auto type = VectorType::get({lanes}, scalar.getType());
    Value result = vector::BroadcastOp::create(b, loc, type, scalar);
    vectors.map(value, result);
    return result;
  };
  for (auto [argument, out] : llvm::zip(generic.getRegionOutputArgs(), outs))
    if (out)
      vectors.map(argument, out);
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    BlockArgument argument = generic.getMatchingBlockArgument(operand);
    if (argument.use_empty() || !varies(argument))
      continue;
    Value tensor = operand->get();
    for (auto [i, value] : llvm::enumerate(carried)) {
      OpOperand *init = generic.getDpsInitOperand(static_cast<int64_t>(i));
      if (init->get() == tensor &&
          generic.getMatchingIndexingMap(init) == generic.getMatchingIndexingMap(operand)) {
        tensor = value;
        break;
      }
    }
    vectors.map(argument,
                readVector(b, loc, tensor, position(b, generic, operand, loops), lanes, mask));
  }
  for (Operation &inner : generic.getBody()->without_terminator()) {
    if (llvm::none_of(inner.getResults(), [&](Value v) { return varies(v); }))
      continue;
    // What is one for blocks becomes a vector where one is used.
    if (llvm::any_of(inner.getResults(), [&](Value v) { return blockwise.contains(v); }))
      continue;
    if (isa<linalg::IndexOp>(inner)) {
      auto type = VectorType::get({lanes}, b.getIndexType());
      Value first = vector::BroadcastOp::create(b, loc, type, start);
      Value steps = vector::StepOp::create(b, loc, type);
      vectors.map(inner.getResult(0), Value(arith::AddIOp::create(b, loc, first, steps)));
      continue;
    }
    if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      vectors.map(extract.getResult(), read(b, extract, start, lanes, mask));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(operand));
    SmallVector<Type> types;
    for (Type type : inner.getResultTypes())
      types.push_back(VectorType::get({lanes}, type));
    OperationState state(loc, inner.getName().getStringRef(), operands, types, inner.getAttrs());
    Operation *created = b.create(state);
    for (auto [from, to] : llvm::zip(inner.getResults(), created->getResults()))
      vectors.map(from, to);
  }
  SmallVector<Value> results;
  for (Value value : generic.getBody()->getTerminator()->getOperands())
    results.push_back(lookup(value));
  return results;
}
