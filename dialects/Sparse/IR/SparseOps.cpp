//===- SparseOps.cpp - The operations of the sparse dialect ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/Compress.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether shapes agree, as far as they are known.
static bool haveShape(RankedTensorType x, ArrayRef<int64_t> shape) {
  return succeeded(verifyCompatibleShape(x.getShape(), shape));
}

static LogicalResult verifyDimension(Operation *op, int64_t dimension, RankedTensorType type) {
  if (dimension >= 0 && dimension < type.getRank())
    return success();
  return op->emitOpError("has dimension ")
         << dimension << " of a tensor of rank " << type.getRank();
}

static LogicalResult verifyNumbers(Operation *op, RankedTensorType type) {
  Type element = type.getElementType();
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(element) ||
      (element.isSignlessInteger() && element.getIntOrFloatBitWidth() >= 8))
    return success();
  return op->emitOpError("has elements ") << element << ", which have no magnitude here";
}

static LogicalResult verifyResult(Operation *op, Value init, Value result) {
  if (init.getType() == result.getType())
    return success();
  return op->emitOpError("has a result of type ")
         << result.getType() << " and an init of type " << init.getType();
}

static LogicalResult reify(OpBuilder &b, Location loc, ValueRange inits,
                           ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : inits)
    shapes.push_back(getExtents(b, loc, init));
  return success();
}

/// A loop for each dimension but one.
static SmallVector<LoopDim> loopsBeside(int64_t dimension, int64_t rank) {
  auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, rank - 1));
  dims.insert(dims.begin() + dimension, LoopDim());
  return dims;
}

//===----------------------------------------------------------------------===//
// PruneOp
//===----------------------------------------------------------------------===//

LogicalResult PruneOp::verify() {
  RankedTensorType type = typeOf(getInput());
  if (failed(verifyResult(*this, getInit(), getResult())) || failed(verifyNumbers(*this, type)))
    return failure();
  if (typeOf(getInit()).getElementType() != type.getElementType() ||
      !haveShape(typeOf(getInit()), type.getShape()))
    return emitOpError("has numbers ") << type << " and a result " << getInit().getType();
  if (Value scores = getScores()) {
    if (!haveShape(typeOf(scores), type.getShape()))
      return emitOpError("has numbers ") << type << " and scores " << scores.getType();
    if (failed(verifyNumbers(*this, typeOf(scores))))
      return failure();
  }
  StructureInterface structure = getStructure();
  if (failed(structure.verifyStructure([&] { return emitOpError(); }, type.getShape())))
    return failure();
  AffineMap stored = structure.getStoredShape(type.getRank());
  for (AffineExpr extent : stored.getResults())
    for (unsigned i = type.getRank(); i < stored.getNumSymbols(); ++i)
      if (extent.isFunctionOfSymbol(i))
        return emitOpError() << "prunes to " << Attribute(structure)
                             << ", which has room for all numbers";
  return success();
}

LogicalResult PruneOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reify(b, getLoc(), getInit(), shapes);
}

TilingLoops PruneOp::getTilingLoops() {
  SmallVector<int64_t> groups = getStructure().getGroupExtents(typeOf(getInput()).getRank());
  TilingLoops loops(*this, llvm::count_if(groups, [](int64_t extent) { return extent != 0; }));
  SmallVector<LoopDim> dims;
  int64_t count = 0;
  for (int64_t extent : groups)
    dims.push_back(extent == 0 ? LoopDim() : LoopDim(count++, extent));
  return loops.cut(getInputMutable(), dims)
      .cut(getScoresMutable(), dims)
      .cut(getInitMutable(), dims);
}

FailureOr<SmallVector<Value>> PruneOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  Value numbers = getScores() ? getScores() : getInput();
  StoredNumbers stored = getStructure().compress(b, loc, numbers, numbers);
  SmallVector<OpFoldResult> dims = getExtents(b, loc, getInput());
  return SmallVector<Value>{
      generateInto(b, loc, getInit(), [&](OpBuilder &b, Location loc, ValueRange at) {
        IndexMath m{b, loc};
        StoredPosition where =
            getStructure().locate(b, loc, {stored.components, dims, SmallVector<Value>(at)});
        Value x = tensor::ExtractOp::create(b, loc, getInput(), at);
        Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(x.getType()));
        Value score = magnitude(b, loc, tensor::ExtractOp::create(b, loc, numbers, at));
        Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(score.getType()));
        Value isKept = m.both(where.isStored, m.cmp(arith::CmpIPredicate::ne, score, none));
        return m.select(isKept, x, zero);
      })};
}

//===----------------------------------------------------------------------===//
// TopKMaskOp
//===----------------------------------------------------------------------===//

LogicalResult TopKMaskOp::verify() {
  RankedTensorType type = typeOf(getInput());
  if (failed(verifyResult(*this, getInit(), getResult())) || failed(verifyNumbers(*this, type)) ||
      failed(verifyDimension(*this, getDimension(), type)))
    return failure();
  if (!typeOf(getInit()).getElementType().isInteger(8) ||
      !haveShape(typeOf(getInit()), type.getShape()))
    return emitOpError("has numbers ") << type << " and a mask " << getInit().getType();
  if (int64_t(getK()) < 0)
    return emitOpError("marks ") << int64_t(getK()) << " numbers";
  return success();
}

LogicalResult TopKMaskOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reify(b, getLoc(), getInit(), shapes);
}

TilingLoops TopKMaskOp::getTilingLoops() {
  SmallVector<LoopDim> dims = loopsBeside(getDimension(), typeOf(getInput()).getRank());
  return TilingLoops(*this, dims.size() - 1)
      .cut(getInputMutable(), dims)
      .cut(getInitMutable(), dims);
}

/// A number is marked if fewer than k come before it.
FailureOr<SmallVector<Value>> TopKMaskOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  Value keys = magnitudes(b, loc, getInput());
  unsigned along = getDimension();
  return SmallVector<Value>{
      generateInto(b, loc, getInit(), [&](OpBuilder &b, Location loc, ValueRange at) {
        IndexMath m{b, loc};
        Value key = tensor::ExtractOp::create(b, loc, keys, at);
        auto rank = scf::ForOp::create(
            b, loc, m.constant(0), m.dim(keys, along), m.constant(1), m.constant(0),
            [&](OpBuilder &b, Location loc, Value i, ValueRange before) {
              SmallVector<Value> position(at);
              position[along] = i;
              Value other = tensor::ExtractOp::create(b, loc, keys, position);
              Value isBefore = comesBefore(b, loc, other, i, key, at[along]);
              IndexMath x{b, loc};
              scf::YieldOp::create(
                  b, loc, x.add(before[0], x.select(isBefore, x.constant(1), x.constant(0))));
            });
        Value isMarked = m.cmp(arith::CmpIPredicate::slt, rank.getResult(0), m.constant(getK()));
        return Value(arith::ExtUIOp::create(b, loc, b.getI8Type(), isMarked));
      })};
}

//===----------------------------------------------------------------------===//
// CompactOp
//===----------------------------------------------------------------------===//

MutableOperandRange CompactOp::getDpsInitsMutable() {
  return MutableOperandRange(getOperation(), 2, 2);
}

LogicalResult CompactOp::verify() {
  RankedTensorType type = typeOf(getInput()), mask = typeOf(getMask());
  RankedTensorType values = typeOf(getValuesInit()), positions = typeOf(getPositionsInit());
  if (failed(verifyResult(*this, getValuesInit(), getValues())) ||
      failed(verifyResult(*this, getPositionsInit(), getPositions())) ||
      failed(verifyDimension(*this, getDimension(), type)))
    return failure();
  if (!mask.getElementType().isInteger(8) || !haveShape(mask, type.getDimSize(getDimension())))
    return emitOpError("has numbers ") << type << " and a mask " << mask;
  if (!positions.getElementType().isInteger(32) || positions.getRank() != 1)
    return emitOpError("has positions ") << positions << ", expected a vector of i32";
  SmallVector<int64_t> shape(type.getShape());
  shape[getDimension()] = positions.getDimSize(0);
  if (values.getElementType() != type.getElementType() || !haveShape(values, shape))
    return emitOpError("has numbers ")
           << type << ", positions " << positions << " and values " << values;
  return success();
}

LogicalResult CompactOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reify(b, getLoc(), ValueRange{getValuesInit(), getPositionsInit()}, shapes);
}

FailureOr<SmallVector<Value>> CompactOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  unsigned along = getDimension();
  Type i32 = b.getI32Type();
  Value positions =
      generateInto(b, loc, getPositionsInit(), [&](OpBuilder &b, Location loc, ValueRange at) {
        // The marked position that as many are before.
        IndexMath m{b, loc};
        auto loop = scf::ForOp::create(
            b, loc, m.constant(0), m.dim(getMask(), 0), m.constant(1),
            ValueRange{m.constant(0), m.constant(-1)},
            [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
              IndexMath x{b, loc};
              Value flag = tensor::ExtractOp::create(b, loc, getMask(), i);
              Value zero = arith::ConstantIntOp::create(b, loc, 0, 8);
              Value isMarked = x.cmp(arith::CmpIPredicate::ne, flag, zero);
              Value isIt = x.both(isMarked, x.cmp(arith::CmpIPredicate::eq, state[0], at[0]));
              Value step = x.select(isMarked, x.constant(1), x.constant(0));
              scf::YieldOp::create(b, loc,
                                   ValueRange{x.add(state[0], step), x.select(isIt, i, state[1])});
            });
        return Value(arith::IndexCastOp::create(b, loc, i32, loop.getResult(1)));
      });
  Value values =
      generateInto(b, loc, getValuesInit(), [&](OpBuilder &b, Location loc, ValueRange at) {
        SmallVector<Value> position(at);
        position[along] = extractIndex(b, loc, positions, at[along]);
        return extractUsed(b, loc, getInput(), position, along);
      });
  return SmallVector<Value>{values, positions};
}

//===----------------------------------------------------------------------===//
// ExpandOp
//===----------------------------------------------------------------------===//

LogicalResult ExpandOp::verify() {
  RankedTensorType values = typeOf(getValues()), positions = typeOf(getPositions());
  RankedTensorType type = typeOf(getInit());
  if (failed(verifyResult(*this, getInit(), getResult())) ||
      failed(verifyDimension(*this, getDimension(), type)))
    return failure();
  if (!positions.getElementType().isInteger(32) || positions.getRank() != 1)
    return emitOpError("has positions ") << positions << ", expected a vector of i32";
  SmallVector<int64_t> shape(type.getShape());
  shape[getDimension()] = positions.getDimSize(0);
  if (values.getElementType() != type.getElementType() || !haveShape(values, shape))
    return emitOpError("has values ")
           << values << ", positions " << positions << " and a result " << type;
  return success();
}

LogicalResult ExpandOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reify(b, getLoc(), getInit(), shapes);
}

TilingLoops ExpandOp::getTilingLoops() {
  SmallVector<LoopDim> dims = loopsBeside(getDimension(), typeOf(getInit()).getRank());
  return TilingLoops(*this, dims.size() - 1)
      .cut(getValuesMutable(), dims)
      .cut(getInitMutable(), dims);
}

FailureOr<SmallVector<Value>> ExpandOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  unsigned along = getDimension();
  Value values = getValues(), positions = getPositions(), init = getInit();
  int64_t rank = typeOf(init).getRank();
  auto generic = linalg::GenericOp::create(
      b, loc, init.getType(), ValueRange(), init, b.getMultiDimIdentityMap(rank),
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IndexMath m{b, loc};
        SmallVector<Value> at;
        for (int64_t i = 0; i < rank; ++i)
          at.push_back(linalg::IndexOp::create(b, loc, i));
        // As unsigned integers, -1 is behind all positions.
        Value count = arith::MinSIOp::create(b, loc, m.dim(positions, 0), m.dim(values, along));
        Value slice = findAscending(
            b, loc, m.constant(0), count, at[along], [&](OpBuilder &b, Location loc, Value i) {
              return toIndex(b, loc, tensor::ExtractOp::create(b, loc, positions, i));
            });
        Value isThere = m.cmp(arith::CmpIPredicate::sge, slice, m.constant(0));
        // There can be no slices to read.
        auto read = scf::IfOp::create(
            b, loc, isThere,
            [&](OpBuilder &b, Location loc) {
              SmallVector<Value> position(at);
              position[along] = slice;
              Value x = tensor::ExtractOp::create(b, loc, values, position);
              scf::YieldOp::create(b, loc, x);
            },
            [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, args[0]); });
        linalg::YieldOp::create(b, loc, read.getResults());
      });
  return SmallVector<Value>{generic.getResult(0)};
}
