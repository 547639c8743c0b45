//===- Scatter.cpp - Elements written at indices --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Selection.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

TensorValue weft::onnx::scatterTuples(NodeContext &node, const TensorValue &x,
                                      const TensorValue &indices, const TensorValue &updates,
                                      ElementBuilder combine) {
  Location loc = node.b.getLoc();
  Value init = node.value(x);
  auto op = ScatterOp::create(node.b, loc, init.getType(), node.value(indices), node.value(updates),
                              init);
  op->setAttr(kCheckedAttrName, node.b.getUnitAttr());
  mlir::Type element = storageType(node.context(), x.elementType);
  OpBuilder::InsertionGuard guard(node.b);
  Block *block = node.b.createBlock(&op.getCombiner(), {}, {element, element}, {loc, loc});
  YieldOp::create(node.b, loc, combine(node.b, loc, block->getArguments()));
  return makeValue(op.getResult(), x.elementType, x.dims);
}

/// The reduction's combiner, or nothing if there is none of that name.
static std::function<Value(OpBuilder &, Location, ValueRange)> combinerOf(StringRef reduction,
                                                                          ElementType type) {
  if (reduction == "none")
    return [](OpBuilder &, Location, ValueRange args) { return args[1]; };
  bool isNarrow = type == ElementType::Float16 || type == ElementType::BFloat16;
  bool unsign = isUnsigned(type);
  std::function<Value(OpBuilder &, Location, Value, Value)> apply;
  if (reduction == "add")
    apply = [](OpBuilder &b, Location loc, Value x, Value y) -> Value {
      if (isa<FloatType>(x.getType()))
        return arith::AddFOp::create(b, loc, x, y);
      return arith::AddIOp::create(b, loc, x, y);
    };
  else if (reduction == "mul")
    apply = [](OpBuilder &b, Location loc, Value x, Value y) -> Value {
      if (isa<FloatType>(x.getType()))
        return arith::MulFOp::create(b, loc, x, y);
      return arith::MulIOp::create(b, loc, x, y);
    };
  else if (reduction == "min")
    apply = [unsign](OpBuilder &b, Location loc, Value x, Value y) -> Value {
      if (isa<FloatType>(x.getType()))
        return arith::MinimumFOp::create(b, loc, x, y);
      if (unsign)
        return arith::MinUIOp::create(b, loc, x, y);
      return arith::MinSIOp::create(b, loc, x, y);
    };
  else if (reduction == "max")
    apply = [unsign](OpBuilder &b, Location loc, Value x, Value y) -> Value {
      if (isa<FloatType>(x.getType()))
        return arith::MaximumFOp::create(b, loc, x, y);
      if (unsign)
        return arith::MaxUIOp::create(b, loc, x, y);
      return arith::MaxSIOp::create(b, loc, x, y);
    };
  else
    return {};
  return [=](OpBuilder &b, Location loc, ValueRange args) {
    if (!isNarrow)
      return apply(b, loc, args[0], args[1]);
    Value x = castScalar(b, loc, args[0], type, ElementType::Float);
    Value y = castScalar(b, loc, args[1], type, ElementType::Float);
    return castScalar(b, loc, apply(b, loc, x, y), ElementType::Float, type);
  };
}

static FailureOr<std::function<Value(OpBuilder &, Location, ValueRange)>>
readReduction(NodeContext &node) {
  std::string reduction = node.getString("reduction", "none");
  ElementType type = node.input(0).elementType;
  if (node.input(2).elementType != type)
    return node.error("scatters " + describe(node.input(2)) + " into " + describe(node.input(0)));
  if (!isInteger(node.input(1).elementType))
    return node.error("has indices " + describe(node.input(1)) + ", expected integers");
  auto combiner = combinerOf(reduction, type);
  if (!combiner)
    return node.error("has reduction '" + reduction + "', expected none, add, mul, min or max");
  if (reduction != "none" && isBool(type))
    return node.unsupported("reduces bool by " + reduction);
  return combiner;
}

static LogicalResult buildScatterElements(NodeContext &node) {
  const TensorValue x = node.input(0), indices = node.input(1), updates = node.input(2);
  DimBuilder &d = node.dims;
  if (x.rank() == 0 || indices.rank() != x.rank() || updates.rank() != x.rank())
    return node.error("scatters " + describe(updates) + " into " + describe(x) + " at " +
                      describe(indices) + ", expected equal ranks of at least 1");
  auto combiner = readReduction(node);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), x.rank());
  if (failed(combiner) || failed(axis) || failed(requireIndices(node, indices, {x.dims[*axis]})))
    return failure();
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (failed(require(node, d.equal(indices.dims[i], updates.dims[i]), WEFT_INVALID_ARGUMENT,
                       "has indices of extent {0} and updates of extent {1}",
                       {indices.dims[i], updates.dims[i]})))
      return failure();
    if (i != *axis && !DimBuilder::same(indices.dims[i], x.dims[i]) &&
        failed(require(node, d.less(indices.dims[i], d.add(x.dims[i], d.constant(1))),
                       WEFT_INVALID_ARGUMENT, "has indices of extent {0} for data of extent {1}",
                       {indices.dims[i], x.dims[i]})))
      return failure();
  }
  // Index tuples [updates..., rank]: the update's own position but along the axis.
  Dims dims = indices.dims;
  dims.push_back(d.constant(1));
  TensorValue column = reshape(node, indices, dims);
  dims.back() = d.constant(x.rank());
  FailureOr<TensorValue> tuples = elementwiseTo(
      node, column, ElementType::Int64, dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value component = k.loop(x.rank());
        Value result = k.fromElement(args[0], indices.elementType);
        for (int64_t i = 0; i < x.rank(); ++i)
          if (i != *axis)
            result = k.select(k.cmp(arith::CmpIPredicate::eq, component, k.constant(i)), k.loop(i),
                              result);
        return k.toInteger(result, b.getI64Type());
      });
  if (failed(tuples))
    return failure();
  node.setOutput(0, scatterTuples(node, x, *tuples, updates, *combiner));
  return success();
}

static LogicalResult buildScatterND(NodeContext &node) {
  const TensorValue x = node.input(0), updates = node.input(2);
  TensorValue indices = node.input(1);
  DimBuilder &d = node.dims;
  auto combiner = readReduction(node);
  if (failed(combiner))
    return failure();
  if (indices.rank() < 1)
    return node.error("has indices " + describe(indices) + ", expected a rank of at least 1");
  // updates.rank = indices.rank - 1 + x.rank - tuple, whatever is static.
  int64_t tuple = indices.rank() - 1 + x.rank() - updates.rank();
  OpFoldResult wanted = d.constant(tuple);
  if (tuple < 0 || tuple > x.rank())
    return node.error("scatters " + describe(updates) + " into " + describe(x) + " at " +
                      describe(indices));
  if (failed(require(node, d.equal(indices.dims.back(), wanted), WEFT_INVALID_ARGUMENT,
                     "has index tuples of length {0}, expected {1}",
                     {indices.dims.back(), wanted})))
    return failure();
  if (!DimBuilder::constantOf(indices.dims.back())) {
    Value tensor = node.value(indices);
    indices.dims.back() = wanted;
    RankedTensorType type = tensorType(node.context(), indices.elementType, indices.dims);
    indices.value = tensor::CastOp::create(node.b, node.b.getLoc(), type, tensor);
  }
  Dims dims(indices.dims.begin(), indices.dims.end() - 1);
  dims.append(x.dims.begin() + tuple, x.dims.end());
  for (auto [extent, expected] : llvm::zip(updates.dims, dims))
    if (failed(require(node, d.equal(extent, expected), WEFT_INVALID_ARGUMENT,
                       "has updates of extent {0}, expected {1}", {extent, expected})))
      return failure();
  ArrayRef<OpFoldResult> extents(x.dims);
  if (failed(requireIndices(node, indices, extents.take_front(tuple), /*areTuples=*/true)))
    return failure();
  node.setOutput(0, scatterTuples(node, x, indices, updates, *combiner));
  return success();
}

void weft::onnx::registerScatterOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Scatter", 9, 3, 3, buildScatterElements},
             {"ScatterElements", 11, 3, 3, buildScatterElements},
             {"ScatterND", 11, 3, 3, buildScatterND},
         });
}
