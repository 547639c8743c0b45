//===- MoECombine.cpp - Adding up what experts gave -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

LogicalResult CombineOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

LogicalResult CombineOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType values = typeOf(getValues()), positions = typeOf(getPositions()),
                   result = typeOf(getResult());
  if (values.getRank() != 2 || !isa<FloatType>(values.getElementType()))
    return emitOpError("expects values of rank 2 of floats, got ") << values;
  if (positions.getRank() != 2 || !positions.getElementType().isInteger(32))
    return emitOpError("expects positions of rank 2 of i32, got ") << positions;
  if (result.getRank() != 2 || !isa<FloatType>(result.getElementType()) ||
      !compatible(result.getDimSize(0), positions.getDimSize(0)) ||
      !compatible(result.getDimSize(1), values.getDimSize(1)))
    return emitOpError("expects an init of ")
           << show(positions.getDimSize(0)) << " x " << show(values.getDimSize(1))
           << " floats, got " << result;
  if (Value weights = getWeights())
    if (RankedTensorType type = typeOf(weights);
        !isa<FloatType>(type.getElementType()) ||
        failed(verifyCompatibleShape(type.getShape(), positions.getShape())))
      return emitOpError("expects weights of floats of the shape of the positions, got ") << type;
  return success();
}

FailureOr<SmallVector<Value>> CombineOp::lowerToReference(OpBuilder &b) {
  ReferenceBuilder m(b, getLoc());
  RankedTensorType type = typeOf(getResult());
  if (llvm::is_contained(type.getShape(), 0) || typeOf(getValues()).getDimSize(0) == 0)
    return SmallVector<Value>{getInit()};
  FloatType sumType = type.getElementType().isF64() ? cast<FloatType>(b.getF64Type())
                                                    : cast<FloatType>(b.getF32Type());
  Value extent = m.dim(getValues(), 0), slots = m.dim(getPositions(), 1);
  return m.parallel(
      m.size(getInit(), 0), getInit(),
      [&](ValueRange at) {
        return SmallVector<ReferenceBuilder::Slice>{m.rowOf(getInit(), at[0])};
      },
      [&](ValueRange at, ValueRange parts) {
        bool isWide = type.getElementType() == sumType;
        Value sum = parts[0];
        auto convert = [&](Value from, Value into) {
          Type element = typeOf(into).getElementType();
          return m.map(from, into, [&](OpBuilder &b, Location loc, ValueRange args) {
            return ReferenceBuilder(b, loc).convert(args[0], element);
          });
        };
        if (!isWide)
          sum = convert(sum, m.empty(m.size(getInit(), 1), sumType));
        sum = m.loop(m.constant(0), slots, sum, [&](Value j, ValueRange carried) {
          Value position = m.toIndex(m.read(getPositions(), {at[0], j}));
          return m.branch(
              m.within(position, extent),
              [&] {
                Value row = m.extract(getValues(), m.rowOf(getValues(), position));
                Value weight =
                    getWeights() ? m.convert(m.read(getWeights(), {at[0], j}), sumType) : Value();
                return SmallVector<Value>{
                    m.map(row, carried[0], [&](OpBuilder &b, Location loc, ValueRange args) {
                      Value x = ReferenceBuilder(b, loc).convert(args[0], sumType);
                      if (weight)
                        x = arith::MulFOp::create(b, loc, weight, x);
                      return Value(arith::AddFOp::create(b, loc, args[1], x));
                    })};
              },
              [&] { return SmallVector<Value>(carried); });
        })[0];
        return SmallVector<Value>{isWide ? sum : convert(sum, parts[0])};
      });
}

TilingLoops CombineOp::getTilingLoops() {
  return TilingLoops(*this, "TH")
      .cut(getValuesMutable(), "MH")
      .cut(getPositionsMutable(), "TK")
      .cut(getWeightsMutable(), "TK")
      .cut(getInitsMutable(), "TH");
}
