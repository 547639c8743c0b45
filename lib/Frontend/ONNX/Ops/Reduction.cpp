//===- Reduction.cpp - Reductions, extremes and cumulative sums -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Axes are usually known at import. Where they are not, a tensor x of rank r is
// read as one of rank 2r: dimension i of the first half runs over x's dimension
// i if that is kept, of the second half if it is reduced, and has extent 1
// otherwise; element (o, s) is x[o + s]. The second half is then reduced, by the
// same code as known axes.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/ReductionOps.h"
#include "dialects/Weft/IR/Weft.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Axes known only at run time
//===----------------------------------------------------------------------===//

/// `x` with the dimensions whose flag is 1 moved to the second half, the others
/// left in the first: see above.
static TensorValue splitDimensions(NodeContext &node, const TensorValue &x,
                                   ArrayRef<OpFoldResult> flags) {
  OpFoldResult one = node.dims.constant(1);
  Dims dims;
  for (auto [flag, extent] : llvm::zip(flags, x.dims))
    dims.push_back(node.dims.select(flag, one, extent));
  for (auto [flag, extent] : llvm::zip(flags, x.dims))
    dims.push_back(node.dims.select(flag, extent, one));
  int64_t rank = x.rank();
  return gatherElements(node, x, dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
    SmallVector<Value> position;
    for (int64_t i = 0; i < rank; ++i)
      position.push_back(arith::AddIOp::create(b, loc, loops[i], loops[rank + i]));
    return position;
  });
}

/// For each dimension of `x`: 1 if the tensor of axes has it, else 0. Axes out
/// of range fail the call.
static FailureOr<Dims> flagsOfAxes(NodeContext &node, const TensorValue &x, const TensorValue &axes,
                                   bool emptyMeansAll) {
  if (axes.rank() != 1 || !isInteger(axes.elementType))
    return node.error("has axes " + describe(axes) + ", expected a vector of integers");
  int64_t rank = x.rank();
  assertNoElement(
      node, axes,
      [&](OpBuilder &b, Location loc, Value axis) -> Value {
        Value low = makeIntScalar(b, loc, axis.getType(), -rank);
        Value high = makeIntScalar(b, loc, axis.getType(), rank);
        Value below = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, axis, low);
        Value above = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, axis, high);
        return arith::OrIOp::create(b, loc, below, above);
      },
      /*OUT_OF_RANGE*/ 11, "element {0} of the axes is none of a tensor of rank {1}",
      node.dims.constant(rank));
  OpFoldResult extent = node.dims.constant(rank);
  Value zero = makeIntScalar(node.b, node.b.getLoc(), node.b.getI64Type(), 0);
  TensorValue start = makeFilled(node, ElementType::Int64, extent, zero);
  AffineExpr dimension = node.b.getAffineDimExpr(0), element = node.b.getAffineDimExpr(1);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), start.value.getType(), node.value(axes), start.value,
      ArrayRef<AffineMap>{AffineMap::get(2, 0, element), AffineMap::get(2, 0, dimension)},
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel, utils::IteratorType::reduction},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value axis = castScalar(b, loc, args[0], axes.elementType, ElementType::Int64);
        Value here =
            arith::IndexCastOp::create(b, loc, b.getI64Type(), linalg::IndexOp::create(b, loc, 0));
        Value fromEnd =
            arith::SubIOp::create(b, loc, here, makeIntScalar(b, loc, b.getI64Type(), rank));
        Value hit = arith::OrIOp::create(
            b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, axis, here),
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, axis, fromEnd));
        Value flag = arith::ExtUIOp::create(b, loc, b.getI64Type(), hit);
        linalg::YieldOp::create(b, loc, arith::OrIOp::create(b, loc, args[1], flag).getResult());
      });
  FailureOr<Dims> flags =
      shapeElements(node, makeValue(generic.getResult(0), ElementType::Int64, extent));
  if (failed(flags))
    return failure();
  OpFoldResult isEmpty = node.dims.equal(axes.dims[0], node.dims.constant(0));
  for (OpFoldResult &flag : *flags)
    flag = node.dims.select(isEmpty, node.dims.constant(emptyMeansAll), flag);
  return flags;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

namespace {
enum class Reduction { L1, L2, LogSum, LogSumExp, Max, Mean, Min, Prod, Sum, SumSquare };

/// What to reduce and what the result looks like.
struct ReductionPlan {
  TensorValue x;
  SmallVector<int64_t> axes;
  /// The extents of the result, with reduced dimensions where they are kept.
  Dims dims;
};
} // namespace

/// Plans a reduction whose axes are known when it runs.
static FailureOr<ReductionPlan> planDynamicAxes(NodeContext &node, const TensorValue &axes,
                                                bool keepDims, bool emptyMeansAll) {
  const TensorValue &x = node.input(0);
  FailureOr<Dims> flags = flagsOfAxes(node, x, axes, emptyMeansAll);
  if (failed(flags))
    return failure();
  ReductionPlan plan;
  plan.x = splitDimensions(node, x, *flags);
  int64_t rank = x.rank();
  for (int64_t i = 0; i < rank; ++i)
    plan.axes.push_back(rank + i);
  if (keepDims) {
    plan.dims.assign(plan.x.dims.begin(), plan.x.dims.begin() + rank);
    return plan;
  }
  // How many axes there are is what the model says, or follows from the rank that
  // it declares for the result.
  int64_t count = axes.staticDim(0);
  if (ShapedType::isDynamic(count)) {
    std::optional<int64_t> declared = node.declaredRank(0);
    if (!declared)
      return node.unsupported("the number of axes decides the result's rank and is known only at "
                              "run time");
    count = rank - *declared;
    if (count < 0)
      return node.error("declares a result of rank " + Twine(*declared) + " for an input of rank " +
                        Twine(rank));
  }
  if (count > rank)
    return node.error("reduces " + Twine(count) + " axes of a tensor of rank " + Twine(rank));
  // An axis that stands there twice leaves too many dimensions.
  OpFoldResult reduced = node.dims.constant(0);
  for (OpFoldResult flag : *flags)
    reduced = node.dims.add(reduced, flag);
  Value distinct =
      arith::CmpIOp::create(node.b, node.b.getLoc(), arith::CmpIPredicate::eq,
                            node.dims.value(reduced), node.dims.value(node.dims.constant(count)));
  buildAssert(node, distinct, /*INVALID_ARGUMENT*/ 3, "has {0} distinct axes, expected {1}",
              {reduced, node.dims.constant(count)});
  // Dimension j of the result is the one that is kept after j others.
  OpFoldResult zero = node.dims.constant(0), one = node.dims.constant(1);
  for (int64_t j = 0; j < rank - count; ++j) {
    OpFoldResult extent = zero, keptBefore = zero;
    for (int64_t i = 0; i < rank; ++i) {
      OpFoldResult kept = node.dims.sub(one, (*flags)[i]);
      OpFoldResult isIt = node.dims.mul(kept, node.dims.equal(keptBefore, node.dims.constant(j)));
      extent = node.dims.add(extent, node.dims.mul(isIt, x.dims[i]));
      keptBefore = node.dims.add(keptBefore, kept);
    }
    plan.dims.push_back(extent);
  }
  return plan;
}

/// `axesInputSince` is the opset from which axes are an input.
static FailureOr<ReductionPlan> planReduction(NodeContext &node, int64_t axesInputSince) {
  const TensorValue &x = node.input(0);
  bool keepDims = node.getInt("keepdims", 1), emptyMeansAll = true;
  SmallVector<int64_t> given;
  if (node.opset() < axesInputSince) {
    given = node.getInts("axes");
  } else {
    emptyMeansAll = !node.getInt("noop_with_empty_axes", 0);
    if (node.hasInput(1)) {
      const TensorValue &axes = node.input(1);
      bool isEmpty = axes.rank() == 1 && axes.staticDim(0) == 0;
      if (!isEmpty && !constantNumbers(axes))
        return planDynamicAxes(node, axes, keepDims, emptyMeansAll);
      if (!isEmpty) {
        FailureOr<SmallVector<int64_t>> elements = constantElements(node, axes, "the axes");
        if (failed(elements))
          return failure();
        given = *elements;
      }
    }
  }
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(node, given, x.rank());
  if (failed(axes) || node.failed())
    return failure();
  ReductionPlan plan;
  plan.x = x;
  plan.axes = *axes;
  if (given.empty() && emptyMeansAll)
    for (int64_t i = 0; i < x.rank(); ++i)
      plan.axes.push_back(i);
  for (int64_t i = 0; i < x.rank(); ++i) {
    bool reduced = llvm::is_contained(plan.axes, i);
    if (!reduced || keepDims)
      plan.dims.push_back(reduced ? OpFoldResult(node.dims.constant(1)) : x.dims[i]);
  }
  return plan;
}

/// The type that a reduction computes in.
static ElementType reductionType(Reduction kind, ElementType type) {
  if (isFloat(type))
    return accumulatorType(type);
  switch (kind) {
  case Reduction::L2:
  case Reduction::LogSum:
  case Reduction::LogSumExp:
    return ElementType::Double;
  case Reduction::Mean:
    return isUnsigned(type) ? ElementType::UInt64 : ElementType::Int64;
  default:
    return type;
  }
}

/// The neutral element of a reduction.
static Value initialScalar(OpBuilder &b, Location loc, Reduction kind, ElementType type) {
  switch (kind) {
  case Reduction::Max:
    return lowestScalar(b, loc, type);
  case Reduction::Min:
    return highestScalar(b, loc, type);
  case Reduction::Prod:
    return makeIntScalar(b, loc, storageType(b.getContext(), type), 1);
  default:
    return makeIntScalar(b, loc, storageType(b.getContext(), type), 0);
  }
}

static Value reductionStep(OpBuilder &b, Location loc, Reduction kind, ElementType type, Value x,
                           Value sum) {
  switch (kind) {
  case Reduction::Max:
    return maxScalars(b, loc, sum, x, isUnsigned(type));
  case Reduction::Min:
    return minScalars(b, loc, sum, x, isUnsigned(type));
  case Reduction::Prod:
    return mulScalars(b, loc, sum, x);
  case Reduction::L2:
  case Reduction::SumSquare:
    return addScalars(b, loc, sum, mulScalars(b, loc, x, x));
  case Reduction::L1:
    if (isFloat(type))
      x = math::AbsFOp::create(b, loc, x);
    else if (!isUnsigned(type))
      x = math::AbsIOp::create(b, loc, x);
    return addScalars(b, loc, sum, x);
  default:
    return addScalars(b, loc, sum, x);
  }
}

/// What is left to do with the reduced value.
static Value finishReduction(OpBuilder &b, Location loc, Reduction kind, ElementType type,
                             Value sum, OpFoldResult count) {
  if (kind == Reduction::L2)
    return math::SqrtOp::create(b, loc, sum);
  if (kind == Reduction::LogSum)
    return math::LogOp::create(b, loc, sum);
  if (kind != Reduction::Mean)
    return sum;
  if (auto constant = DimBuilder::constantOf(count)) {
    // The mean of no integers is 0.
    int64_t divisor = isFloat(type) ? *constant : std::max<int64_t>(*constant, 1);
    Value number = makeIntScalar(b, loc, sum.getType(), divisor);
    if (isFloat(type))
      return arith::DivFOp::create(b, loc, sum, number);
    return isUnsigned(type) ? Value(arith::DivUIOp::create(b, loc, sum, number))
                            : Value(arith::DivSIOp::create(b, loc, sum, number));
  }
  Value number = getValueOrCreateConstantIndexOp(b, loc, count);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  if (!isFloat(type))
    number = arith::MaxSIOp::create(b, loc, number, one);
  Value wide = arith::IndexCastOp::create(b, loc, b.getI64Type(), number);
  if (isFloat(type))
    return arith::DivFOp::create(b, loc, sum, castScalar(b, loc, wide, ElementType::Int64, type));
  return isUnsigned(type) ? Value(arith::DivUIOp::create(b, loc, sum, wide))
                          : Value(arith::DivSIOp::create(b, loc, sum, wide));
}

/// ln(sum(e^x)) as max + ln(sum(e^(x - max))), where an infinite max counts as 0.
static TensorValue reduceLogSumExp(NodeContext &node, const TensorValue &x,
                                   ArrayRef<int64_t> axes) {
  ElementType type = x.elementType;
  TensorValue largest = reduceMax(node, x, axes, /*keepDims=*/true);
  TensorValue shift = *elementwiseTo(
      node, largest, type, largest.dims, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        Value infinity = makeScalar(b, loc, args[0].getType(), INFINITY);
        Value finite = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT,
                                             math::AbsFOp::create(b, loc, args[0]), infinity);
        return arith::SelectOp::create(b, loc, finite, args[0],
                                       makeScalar(b, loc, args[0].getType(), 0));
      });
  TensorValue powers = *elementwiseTo(
      node, {x, shift}, type, x.dims, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, args[0], args[1]));
      });
  TensorValue sum = reduceSum(node, powers, axes, /*keepDims=*/true);
  return *elementwiseTo(
      node, {sum, shift}, type, sum.dims, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::AddFOp::create(b, loc, math::LogOp::create(b, loc, args[0]), args[1]);
      });
}

/// The reduction of a small integer vector that is known as index arithmetic.
static std::optional<OpFoldResult> reduceTracked(NodeContext &node, Reduction kind,
                                                 ArrayRef<OpFoldResult> elements) {
  if (elements.empty())
    return std::nullopt;
  OpFoldResult result = elements.front();
  for (OpFoldResult element : elements.drop_front()) {
    switch (kind) {
    case Reduction::Prod:
      result = node.dims.mul(result, element);
      break;
    case Reduction::Sum:
      result = node.dims.add(result, element);
      break;
    case Reduction::Max:
      result = node.dims.max(result, element);
      break;
    case Reduction::Min:
      result = node.dims.min(result, element);
      break;
    default:
      return std::nullopt;
    }
  }
  return result;
}

template <Reduction kind, int64_t axesInputSince = 18>
static LogicalResult buildReduction(NodeContext &node) {
  FailureOr<ReductionPlan> plan = planReduction(node, axesInputSince);
  if (failed(plan))
    return failure();
  const TensorValue &x = plan->x;
  ElementType type = x.elementType;
  if (isBool(type) && kind != Reduction::Max && kind != Reduction::Min)
    return node.error("takes numbers, got bool");
  bool simple = kind == Reduction::Prod || kind == Reduction::Sum || kind == Reduction::Max ||
                kind == Reduction::Min;
  if (simple && type == ElementType::Int64 && x.elements && x.rank() == 1 && plan->axes.size() == 1)
    if (std::optional<OpFoldResult> result = reduceTracked(node, kind, *x.elements)) {
      node.setOutput(0, makeTracked(node, type, *result, /*scalar=*/plan->dims.empty()));
      return success();
    }
  ElementType computed = reductionType(kind, type);
  TensorValue result;
  OpFoldResult count = node.dims.constant(1);
  for (int64_t axis : plan->axes)
    count = node.dims.mul(count, x.dims[axis]);
  if (kind == Reduction::LogSumExp) {
    result = reduceLogSumExp(node, cast(node, x, computed), plan->axes);
  } else {
    Location loc = node.b.getLoc();
    result = reduce(node, x, plan->axes, /*keepDims=*/false, computed,
                    initialScalar(node.b, loc, kind, computed),
                    [&](OpBuilder &b, Location loc, ValueRange args) {
                      Value element = castScalar(b, loc, args[0], type, computed);
                      return reductionStep(b, loc, kind, computed, element, args[1]);
                    });
  }
  bool finished = kind != Reduction::L2 && kind != Reduction::LogSum && kind != Reduction::Mean;
  if (computed != type || !finished)
    result = *elementwiseTo(
        node, result, type, result.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
          return castScalar(b, loc, finishReduction(b, loc, kind, computed, args[0], count),
                            computed, type);
        });
  node.setOutput(0, reshape(node, result, plan->dims));
  return success();
}

//===----------------------------------------------------------------------===//
// ArgMax and ArgMin
//===----------------------------------------------------------------------===//

template <bool findMax> static LogicalResult buildArgExtreme(NodeContext &node) {
  const TensorValue &x = node.input(0);
  bool keepDims = node.getInt("keepdims", 1), selectLast = node.getInt("select_last_index", 0);
  int64_t axis = node.getInt("axis", 0);
  if (isBool(x.elementType))
    return node.error("takes numbers, got bool");
  if (x.rank() == 0) {
    // The one element is at 0.
    if (axis != 0 && axis != -1)
      return node.error("has axis " + Twine(axis) + " of a scalar");
    node.setOutput(0,
                   makeTracked(node, ElementType::Int64, node.dims.constant(0), /*scalar=*/true));
    return success();
  }
  FailureOr<int64_t> normal = normalizeAxis(node, axis, x.rank());
  if (failed(normal) || node.failed())
    return failure();
  if (x.staticDim(*normal) == 0)
    return node.error("looks for an extreme along axis " + Twine(axis) + ", which is empty");
  node.setOutput(0, argExtreme(node, x, *normal, keepDims, findMax, selectLast));
  return success();
}

//===----------------------------------------------------------------------===//
// CumSum and CumProd
//===----------------------------------------------------------------------===//

/// Scans a known dimension; 16-bit floats in f32.
static TensorValue scan(NodeContext &node, const TensorValue &x, ScanKind kind, int64_t axis,
                        bool exclusive, bool reverse) {
  TensorValue wide = cast(node, x, accumulatorType(x.elementType));
  Value empty = makeEmpty(node, wide.elementType, wide.dims);
  auto op = ScanOp::create(node.b, node.b.getLoc(), empty.getType(), kind, node.value(wide), empty,
                           axis, exclusive, reverse);
  return cast(node, makeValue(op.getResult(), wide.elementType, wide.dims), x.elementType);
}

template <ScanKind kind> static LogicalResult buildScan(NodeContext &node) {
  const TensorValue &x = node.input(0), &axisInput = node.input(1);
  bool exclusive = node.getInt("exclusive", 0), reverse = node.getInt("reverse", 0);
  if (node.failed())
    return failure();
  int64_t rank = x.rank();
  if (isBool(x.elementType) || rank == 0)
    return node.error("expects numbers of rank >= 1, got " + describe(x));
  if (constantNumbers(axisInput)) {
    FailureOr<SmallVector<int64_t>> elements = constantElements(node, axisInput, "the axis");
    if (failed(elements))
      return failure();
    if (elements->size() != 1)
      return node.error("has " + Twine(elements->size()) + " axes, expected one");
    FailureOr<int64_t> axis = normalizeAxis(node, elements->front(), rank);
    if (failed(axis))
      return failure();
    node.setOutput(0, scan(node, x, kind, *axis, exclusive, reverse));
    return success();
  }
  // An axis known only at run time: that dimension becomes the last of rank + 1,
  // the others stay, and the result is read from where it was.
  OpFoldResult given;
  if (axisInput.elements) {
    if (axisInput.elements->size() != 1)
      return node.error("has " + Twine(axisInput.elements->size()) + " axes, expected one");
    given = axisInput.elements->front();
  } else {
    if (!isInteger(axisInput.elementType) || axisInput.rank() > 1 ||
        (axisInput.rank() == 1 && axisInput.staticDim(0) != 1))
      return node.error("has axis " + describe(axisInput) + ", expected an integer scalar");
    given = node.dims.fromInteger(extractScalar(node, axisInput));
  }
  OpFoldResult zero = node.dims.constant(0), one = node.dims.constant(1);
  OpFoldResult extent = node.dims.constant(rank);
  OpFoldResult axis =
      node.dims.select(node.dims.less(given, zero), node.dims.add(given, extent), given);
  OpFoldResult inRange =
      node.dims.mul(node.dims.sub(one, node.dims.less(axis, zero)), node.dims.less(axis, extent));
  Value holds = arith::CmpIOp::create(node.b, node.b.getLoc(), arith::CmpIPredicate::ne,
                                      node.dims.value(inRange), node.dims.value(zero));
  buildAssert(node, holds, /*OUT_OF_RANGE*/ 11, "axis {0} is none of a tensor of rank {1}",
              {given, extent});
  Dims flags, dims;
  for (int64_t i = 0; i < rank; ++i)
    flags.push_back(node.dims.equal(axis, node.dims.constant(i)));
  TensorValue split = splitDimensions(node, x, flags);
  dims.assign(split.dims.begin(), split.dims.begin() + rank);
  OpFoldResult length = node.dims.product(ArrayRef<OpFoldResult>(split.dims).drop_front(rank));
  dims.push_back(length);
  TensorValue sums = scan(node, reshape(node, split, dims), kind, rank, exclusive, reverse);
  node.setOutput(
      0, gatherElements(node, sums, x.dims, [&](OpBuilder &b, Location loc, ArrayRef<Value> loops) {
        Value origin = arith::ConstantIndexOp::create(b, loc, 0), last = origin;
        SmallVector<Value> position;
        for (int64_t i = 0; i < rank; ++i) {
          Value flag = getValueOrCreateConstantIndexOp(b, loc, flags[i]);
          Value isAxis = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, flag, origin);
          position.push_back(arith::SelectOp::create(b, loc, isAxis, origin, loops[i]));
          last = arith::SelectOp::create(b, loc, isAxis, loops[i], last);
        }
        position.push_back(last);
        return position;
      }));
  return success();
}

void weft::onnx::registerReductionOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"ArgMax", 1, 1, 1, buildArgExtreme<true>},
             {"ArgMin", 1, 1, 1, buildArgExtreme<false>},
             {"CumProd", 26, 2, 2, buildScan<ScanKind::Product>},
             {"CumSum", 11, 2, 2, buildScan<ScanKind::Sum>},
             {"ReduceL1", 1, 1, 2, buildReduction<Reduction::L1>},
             {"ReduceL2", 1, 1, 2, buildReduction<Reduction::L2>},
             {"ReduceLogSum", 1, 1, 2, buildReduction<Reduction::LogSum>},
             {"ReduceLogSumExp", 1, 1, 2, buildReduction<Reduction::LogSumExp>},
             {"ReduceMax", 1, 1, 2, buildReduction<Reduction::Max>},
             {"ReduceMean", 1, 1, 2, buildReduction<Reduction::Mean>},
             {"ReduceMin", 1, 1, 2, buildReduction<Reduction::Min>},
             {"ReduceProd", 1, 1, 2, buildReduction<Reduction::Prod>},
             {"ReduceSum", 1, 1, 2, buildReduction<Reduction::Sum, 13>},
             {"ReduceSumSquare", 1, 1, 2, buildReduction<Reduction::SumSquare>},
         });
}
