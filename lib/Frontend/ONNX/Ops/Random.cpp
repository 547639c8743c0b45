//===- Random.cpp - Random tensors ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/RandomOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// One element from four words of random bits; `type` is f32 or f64.
using RandomBuilder =
    llvm::function_ref<Value(OpBuilder &, Location, mlir::Type type, ArrayRef<Value> words)>;

/// Sets output 0 to random floats.
static LogicalResult setRandom(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims,
                               RandomBuilder body) {
  if (!isFloat(type))
    return node.error("gives elements of type " + name(type) + ", expected floats");
  uint64_t key = randomKey(node);
  ElementType wide = accumulatorType(type);
  FailureOr<TensorValue> result =
      elementwiseTo(node, {}, type, dims, [&](OpBuilder &b, Location loc, ValueRange) {
        Value zero = arith::ConstantIndexOp::create(b, loc, 0);
        std::array<Value, 4> words = randomWords(b, loc, key, linearPosition(b, loc, dims), zero);
        Value number = body(b, loc, storageType(b.getContext(), wide), words);
        return castScalar(b, loc, number, wide, type);
      });
  if (failed(result) || node.failed())
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult setUniform(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims) {
  double low = node.getFloat("low", 0), high = node.getFloat("high", 1);
  return setRandom(
      node, type, dims,
      [&](OpBuilder &b, Location loc, mlir::Type type, ArrayRef<Value> words) -> Value {
        Value unit = uniformFromWords(b, loc, type, words[0], words[1]);
        Value scaled = arith::MulFOp::create(b, loc, unit, makeScalar(b, loc, type, high - low));
        return arith::AddFOp::create(b, loc, scaled, makeScalar(b, loc, type, low));
      });
}

/// Box and Muller's: sqrt(-2 ln(u)) cos(2 pi v).
static LogicalResult setNormal(NodeContext &node, ElementType type, ArrayRef<OpFoldResult> dims) {
  double mean = node.getFloat("mean", 0), deviation = node.getFloat("scale", 1);
  return setRandom(
      node, type, dims,
      [&](OpBuilder &b, Location loc, mlir::Type type, ArrayRef<Value> words) -> Value {
        auto constant = [&](double number) { return makeScalar(b, loc, type, number); };
        auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, loc, x, y); };
        // 1 - u is in (0, 1].
        Value u = arith::SubFOp::create(b, loc, constant(1),
                                        uniformFromWords(b, loc, type, words[0], words[1]));
        Value v = uniformFromWords(b, loc, type, words[2], words[3]);
        Value radius =
            math::SqrtOp::create(b, loc, mul(constant(-2), math::LogOp::create(b, loc, u)));
        Value angle = math::CosOp::create(b, loc, mul(constant(6.283185307179586), v));
        Value number = mul(mul(radius, angle), constant(deviation));
        return arith::AddFOp::create(b, loc, number, constant(mean));
      });
}

using RandomSetter = LogicalResult (*)(NodeContext &, ElementType, ArrayRef<OpFoldResult>);

template <RandomSetter setter> static LogicalResult buildRandom(NodeContext &node) {
  if (!node.hasAttribute("shape"))
    return node.error("has no attribute 'shape'");
  FailureOr<ElementType> type = elementTypeAttribute(node, "dtype", ElementType::Float);
  if (failed(type))
    return failure();
  Dims dims;
  for (int64_t extent : node.getInts("shape")) {
    if (extent < 0)
      return node.error("attribute 'shape' has extent " + Twine(extent));
    dims.push_back(node.dims.constant(extent));
  }
  return setter(node, *type, dims);
}

template <RandomSetter setter> static LogicalResult buildRandomLike(NodeContext &node) {
  const TensorValue &x = node.input(0);
  FailureOr<ElementType> type = elementTypeAttribute(node, "dtype", x.elementType);
  if (failed(type))
    return failure();
  return setter(node, *type, x.dims);
}

/// 1 with the probability that the input has there, else 0.
static LogicalResult buildBernoulli(NodeContext &node) {
  const TensorValue &x = node.input(0);
  FailureOr<ElementType> to = elementTypeAttribute(node, "dtype", x.elementType);
  if (failed(to) || failed(expectFloats(node)))
    return failure();
  uint64_t key = randomKey(node);
  ElementType type = x.elementType, wide = accumulatorType(type);
  FailureOr<TensorValue> result =
      elementwiseTo(node, x, *to, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value zero = arith::ConstantIndexOp::create(b, loc, 0);
        std::array<Value, 4> words = randomWords(b, loc, key, linearPosition(b, loc, x.dims), zero);
        Value p = castScalar(b, loc, args[0], type, wide);
        Value u = uniformFromWords(b, loc, p.getType(), words[0], words[1]);
        Value drawn = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, u, p);
        return castScalar(b, loc, toBool(b, loc, drawn), ElementType::Bool, *to);
      });
  if (failed(result) || node.failed())
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// Samples classes by their unnormalized log-probabilities [batch, classes]: the
/// class with the largest sum of log-probability and Gumbel noise has exactly
/// the wanted distribution.
static LogicalResult buildMultinomial(NodeContext &node) {
  const TensorValue &x = node.input(0);
  FailureOr<ElementType> to = elementTypeAttribute(node, "dtype", ElementType::Int32);
  int64_t samples = node.getInt("sample_size", 1);
  if (failed(to) || failed(expectFloats(node)) || node.failed())
    return failure();
  if (*to != ElementType::Int32 && *to != ElementType::Int64)
    return node.error("gives classes of type " + name(*to) + ", expected int32 or int64");
  if (x.rank() != 2 || samples < 0)
    return node.error("draws " + Twine(samples) + " samples from " + describe(x) +
                      ", expected a matrix");
  uint64_t key = randomKey(node);
  Dims dims{x.dims[0], node.dims.constant(samples)};
  Location loc = node.b.getLoc();
  Value lowest = lowestScalar(node.b, loc, ElementType::Float);
  Value nowhere = arith::ConstantIntOp::create(node.b, loc, INT64_MAX, 64);
  TensorValue bestStart = makeFilled(node, ElementType::Float, dims, lowest);
  TensorValue classStart = makeFilled(node, ElementType::Int64, dims, nowhere);
  AffineExpr row = node.b.getAffineDimExpr(0), sample = node.b.getAffineDimExpr(1),
             column = node.b.getAffineDimExpr(2);
  AffineMap inputMap = AffineMap::get(3, 0, {row, column}, node.context());
  AffineMap outputMap = AffineMap::get(3, 0, {row, sample}, node.context());
  auto generic = linalg::GenericOp::create(
      node.b, loc, TypeRange{bestStart.value.getType(), classStart.value.getType()}, node.value(x),
      ValueRange{bestStart.value, classStart.value},
      ArrayRef<AffineMap>{inputMap, outputMap, outputMap},
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel, utils::IteratorType::parallel,
                                    utils::IteratorType::reduction},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value element = castScalar(b, loc, args[0], x.elementType, ElementType::Float);
        Value position = linalg::IndexOp::create(b, loc, 2);
        std::array<Value, 4> words =
            randomWords(b, loc, key, linearPosition(b, loc, dims), position);
        // A number in (0, 1): 23 bits and a half.
        Value bits =
            arith::ShRUIOp::create(b, loc, words[0], makeIntScalar(b, loc, words[0].getType(), 9));
        Value number = arith::SIToFPOp::create(b, loc, b.getF32Type(), bits);
        Value half = makeScalar(b, loc, b.getF32Type(), 0.5);
        Value unit = arith::MulFOp::create(b, loc, arith::AddFOp::create(b, loc, number, half),
                                           makeScalar(b, loc, b.getF32Type(), 0x1p-23));
        Value inner = arith::NegFOp::create(b, loc, math::LogOp::create(b, loc, unit));
        Value score = arith::SubFOp::create(b, loc, element, math::LogOp::create(b, loc, inner));
        Value here = arith::IndexCastOp::create(b, loc, b.getI64Type(), position);
        Value better = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, score, args[1]);
        Value equal = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, score, args[1]);
        Value sooner = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, here, args[2]);
        Value take =
            arith::OrIOp::create(b, loc, better, arith::AndIOp::create(b, loc, equal, sooner));
        linalg::YieldOp::create(b, loc,
                                ValueRange{arith::SelectOp::create(b, loc, take, score, args[1]),
                                           arith::SelectOp::create(b, loc, take, here, args[2])});
      });
  node.setOutput(0, cast(node, makeValue(generic.getResult(1), ElementType::Int64, dims), *to));
  return success();
}

void weft::onnx::registerRandomOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Bernoulli", 15, 1, 1, buildBernoulli},
             {"Multinomial", 7, 1, 1, buildMultinomial},
             {"RandomNormal", 1, 0, 0, buildRandom<setNormal>},
             {"RandomNormalLike", 1, 1, 1, buildRandomLike<setNormal>},
             {"RandomUniform", 1, 0, 0, buildRandom<setUniform>},
             {"RandomUniformLike", 1, 1, 1, buildRandomLike<setUniform>},
         });
}
