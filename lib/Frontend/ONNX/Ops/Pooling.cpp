//===- Pooling.cpp - Reductions over sliding windows ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pooling is a `linalg.generic` over the padded input: output positions are
// parallel, positions in the window are reduced, and the input is read through an
// affine map, as linalg's named poolings (which are of rank 4 only) do it.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "Frontend/ONNX/Ops/Window.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// The least element of a type: -inf, or the least integer.
static Value leastScalar(NodeContext &node, ElementType type) {
  mlir::Type storage = storageType(node.context(), type);
  if (auto floating = dyn_cast<FloatType>(storage))
    return arith::ConstantOp::create(
        node.b, node.b.getLoc(),
        node.b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics(), true)));
  unsigned width = storage.getIntOrFloatBitWidth();
  APInt least = isUnsigned(type) ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  return arith::ConstantOp::create(node.b, node.b.getLoc(), node.b.getIntegerAttr(storage, least));
}

static Value maxScalar(OpBuilder &b, Location loc, Value x, Value y, ElementType type) {
  if (isa<FloatType>(x.getType()))
    return arith::MaximumFOp::create(b, loc, x, y);
  if (isUnsigned(type))
    return arith::MaxUIOp::create(b, loc, x, y);
  return arith::MaxSIOp::create(b, loc, x, y);
}

static LogicalResult checkRank(NodeContext &node, const TensorValue &x) {
  if (x.rank() < 3)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected at least 3");
  return success();
}

/// Reads the window of a pooling.
static FailureOr<Window> readPooling(NodeContext &node, const TensorValue &x) {
  if (failed(checkRank(node, x)))
    return failure();
  FailureOr<Dims> kernel = readKernelShape(node, x.rank() - 2);
  bool ceilMode = node.getInt("ceil_mode", 0) != 0;
  if (failed(kernel) || node.failed())
    return failure();
  return readWindow(node, x, *kernel, ceilMode);
}

/// `x` with `scalar` around it, so that every window lies inside.
static TensorValue padFor(NodeContext &node, const TensorValue &x, const Window &window,
                          Value scalar) {
  Dims low(2, node.dims.constant(0)), high(2, node.dims.constant(0));
  low.append(window.low);
  high.append(window.neededHigh(node, x));
  if (llvm::all_of(llvm::concat<OpFoldResult>(low, high),
                   [](OpFoldResult p) { return DimBuilder::constantOf(p) == 0; }))
    return x;
  return pad(node, x, low, high, scalar);
}

/// Reduces the windows of `x` (padded). `steps` get the input's element and the
/// accumulated values, and give the next ones.
static SmallVector<TensorValue>
poolWindows(NodeContext &node, const TensorValue &x, const Window &window,
            ArrayRef<TensorValue> initial,
            llvm::function_ref<SmallVector<Value>(ScalarMath &, ValueRange)> step) {
  int64_t spatial = static_cast<int64_t>(window.rank()), loops = 2 + 2 * spatial;
  SmallVector<AffineExpr> input{node.b.getAffineDimExpr(0), node.b.getAffineDimExpr(1)}, kernel,
      output;
  for (int64_t i = 0; i < spatial; ++i) {
    AffineExpr inner = node.b.getAffineDimExpr(2 + spatial + i);
    input.push_back(node.b.getAffineDimExpr(2 + i) * window.strides[i] +
                    inner * window.dilations[i]);
    kernel.push_back(inner);
  }
  for (int64_t i = 0; i < 2 + spatial; ++i)
    output.push_back(node.b.getAffineDimExpr(i));
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(loops, 0, exprs, node.context());
  };
  SmallVector<AffineMap> maps{map(input), map(kernel)};
  SmallVector<Value> inits;
  SmallVector<mlir::Type> types;
  for (const TensorValue &value : initial) {
    maps.push_back(map(output));
    inits.push_back(value.value);
    types.push_back(value.value.getType());
  }
  SmallVector<utils::IteratorType> iterators(2 + spatial, utils::IteratorType::parallel);
  iterators.append(spatial, utils::IteratorType::reduction);
  // Never read: it gives the loops over the window their extents.
  Value shape = tensor::EmptyOp::create(node.b, node.b.getLoc(), window.kernel, node.b.getI8Type());
  auto generic = linalg::GenericOp::create(node.b, node.b.getLoc(), types,
                                           ValueRange{node.value(x), shape}, inits, maps, iterators,
                                           [&](OpBuilder &b, Location loc, ValueRange args) {
                                             ScalarMath m{b, loc};
                                             SmallVector<Value> operands{args[0]};
                                             llvm::append_range(operands, args.drop_front(2));
                                             linalg::YieldOp::create(b, loc, step(m, operands));
                                           });
  SmallVector<TensorValue> results;
  for (auto [value, result] : llvm::zip(initial, generic.getResults()))
    results.push_back(makeValue(result, value.elementType, value.dims));
  return results;
}

static Dims resultDims(const TensorValue &x, const Window &window) {
  Dims dims{x.dims[0], x.dims[1]};
  dims.append(window.extents);
  return dims;
}

//===----------------------------------------------------------------------===//
// MaxPool
//===----------------------------------------------------------------------===//

static LogicalResult buildMaxPool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType;
  FailureOr<Window> window = readPooling(node, x);
  bool columnMajor = node.getInt("storage_order", 0) != 0;
  if (failed(window) || node.failed())
    return failure();
  Dims dims = resultDims(x, *window);
  Value least = leastScalar(node, type);
  TensorValue padded = padFor(node, x, *window, least);
  TensorValue start = makeFilled(node, type, dims, least);
  if (!node.hasOutput(1)) {
    node.setOutput(0, poolWindows(node, padded, *window, start,
                                  [&](ScalarMath &m, ValueRange args) -> SmallVector<Value> {
                                    return {maxScalar(m.b, m.loc, args[0], args[1], type)};
                                  })[0]);
    return success();
  }
  // Positions are those of the whole input, flattened; the window's first wins.
  TensorValue none = makeSplat(node, ElementType::Int64, dims, -1);
  size_t spatial = window->rank();
  SmallVector<TensorValue> results = poolWindows(
      node, padded, *window, {start, none},
      [&](ScalarMath &m, ValueRange args) -> SmallVector<Value> {
        auto loop = [&](int64_t i) -> Value { return linalg::IndexOp::create(m.b, m.loc, i); };
        Value inside = arith::ConstantIntOp::create(m.b, m.loc, 1, 1);
        SmallVector<Value> at;
        for (size_t i = 0; i < spatial; ++i) {
          Value position = m.add(m.mul(loop(2 + i), m.index(window->strides[i])),
                                 m.mul(loop(2 + spatial + i), m.index(window->dilations[i])));
          position = m.sub(position, m.extent(window->low[i]));
          inside = m.both(inside, m.inRange(position, m.extent(x.dims[2 + i])));
          at.push_back(position);
        }
        Value flat = m.add(m.mul(loop(0), m.extent(x.dims[1])), loop(1));
        Value within = m.index(0);
        for (size_t k = 0; k < spatial; ++k) {
          size_t i = columnMajor ? spatial - 1 - k : k;
          flat = m.mul(flat, m.extent(x.dims[2 + i]));
          within = m.add(m.mul(within, m.extent(x.dims[2 + i])), at[i]);
        }
        flat = arith::IndexCastOp::create(m.b, m.loc, m.b.getI64Type(), m.add(flat, within));
        Value better;
        if (isa<FloatType>(args[0].getType())) {
          Value nan =
              arith::CmpFOp::create(m.b, m.loc, arith::CmpFPredicate::UNO, args[0], args[0]);
          better = m.either(m.less(args[1], args[0]), nan);
        } else {
          better = arith::CmpIOp::create(
              m.b, m.loc, isUnsigned(type) ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt,
              args[0], args[1]);
        }
        better = m.either(better, m.less(args[2], m.like(args[2], 0)));
        better = m.both(better, inside);
        return {m.select(better, args[0], args[1]), m.select(better, flat, args[2])};
      });
  node.setOutput(0, results[0]);
  node.setOutput(1, results[1]);
  return success();
}

//===----------------------------------------------------------------------===//
// AveragePool and LpPool
//===----------------------------------------------------------------------===//

/// How many positions of a window along spatial dimension `i` lie in the input,
/// or, if `includePads`, in the input with its pads; `position` is the output's.
static Value countInside(ScalarMath &m, const TensorValue &x, const Window &window, size_t i,
                         Value position, bool includePads) {
  Value zero = m.index(0), dilation = m.index(window.dilations[i]);
  Value start = m.mul(position, m.index(window.strides[i]));
  Value low = m.extent(window.low[i]), end = m.add(m.extent(x.dims[2 + i]), low);
  // In the padded input: the window covers start + k * dilation; of these lie in
  // range those from the first k on that reaches `first` up to that before `end`.
  Value first = includePads ? zero : low;
  if (includePads)
    end = m.add(end, m.extent(window.high[i]));
  auto stepsTo = [&](Value bound) {
    Value distance = m.max(m.sub(bound, start), zero);
    return m.div(m.add(distance, m.index(window.dilations[i] - 1)), dilation);
  };
  Value from = stepsTo(first), to = m.min(stepsTo(end), m.extent(window.kernel[i]));
  return m.max(m.sub(to, from), zero);
}

static LogicalResult buildAveragePool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  if (!isFloat(type))
    return node.error("expects a float tensor, got " + name(type));
  FailureOr<Window> window = readPooling(node, x);
  bool includePads = node.getInt("count_include_pad", 0) != 0;
  if (failed(window) || node.failed())
    return failure();
  Dims dims = resultDims(x, *window);
  Value zero = makeScalar(node.b, node.b.getLoc(), storageType(node.context(), type), 0);
  TensorValue padded = padFor(node, x, *window, zero);
  TensorValue sum =
      poolWindows(node, padded, *window, makeSplat(node, sumType, dims, 0),
                  [&](ScalarMath &m, ValueRange args) -> SmallVector<Value> {
                    return {m.add(args[1], castScalar(m.b, m.loc, args[0], type, sumType))};
                  })[0];
  bool whole = window->hasNoPads() && llvm::all_of(window->neededHigh(node, x), [](OpFoldResult p) {
                 return DimBuilder::constantOf(p) == 0;
               });
  OpFoldResult all = node.dims.product(window->kernel);
  node.setOutput(0, *elementwiseTo(node, sum, type, dims,
                                   [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                     ScalarMath m{b, loc};
                                     Value count;
                                     if (whole) {
                                       count = m.extent(all);
                                     } else {
                                       for (size_t i = 0; i < window->rank(); ++i) {
                                         Value position = linalg::IndexOp::create(b, loc, 2 + i);
                                         Value inside =
                                             countInside(m, x, *window, i, position, includePads);
                                         count = count ? m.mul(count, inside) : inside;
                                       }
                                       count = m.max(count, m.index(1));
                                     }
                                     Value mean =
                                         m.div(args[0], m.toFloat(count, args[0].getType()));
                                     return castScalar(b, loc, mean, sumType, type);
                                   }));
  return success();
}

/// |x|^p, and the p-th root.
static Value powerOf(ScalarMath &m, Value x, double p) {
  x = m.abs(x);
  if (p == 1)
    return x;
  if (p == 2)
    return m.mul(x, x);
  return math::PowFOp::create(m.b, m.loc, x, m.like(x, p));
}
static Value rootOf(ScalarMath &m, Value x, double p) {
  if (p == 1)
    return x;
  if (p == 2)
    return math::SqrtOp::create(m.b, m.loc, x);
  return math::PowFOp::create(m.b, m.loc, x, m.like(x, 1 / p));
}

/// The attribute `p`: a float in opset 1, an integer since.
static double readOrder(NodeContext &node) {
  return node.opset() < 2 ? node.getFloat("p", 2) : static_cast<double>(node.getInt("p", 2));
}

static LogicalResult buildLpPool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  if (!isFloat(type))
    return node.error("expects a float tensor, got " + name(type));
  FailureOr<Window> window = readPooling(node, x);
  double p = readOrder(node);
  if (failed(window) || node.failed())
    return failure();
  if (!(p > 0))
    return node.error("has attribute 'p' that is not positive");
  Dims dims = resultDims(x, *window);
  Value zero = makeScalar(node.b, node.b.getLoc(), storageType(node.context(), type), 0);
  TensorValue sum = poolWindows(
      node, padFor(node, x, *window, zero), *window, makeSplat(node, sumType, dims, 0),
      [&](ScalarMath &m, ValueRange args) -> SmallVector<Value> {
        return {m.add(args[1], powerOf(m, castScalar(m.b, m.loc, args[0], type, sumType), p))};
      })[0];
  node.setOutput(0, *elementwiseTo(node, sum, type, dims,
                                   [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                     ScalarMath m{b, loc};
                                     return castScalar(b, loc, rootOf(m, args[0], p), sumType,
                                                       type);
                                   }));
  return success();
}

//===----------------------------------------------------------------------===//
// Poolings of everything
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> spatialAxes(const TensorValue &x) {
  SmallVector<int64_t> axes;
  for (int64_t i = 2; i < x.rank(); ++i)
    axes.push_back(i);
  return axes;
}

static LogicalResult buildGlobalMaxPool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (failed(checkRank(node, x)))
    return failure();
  node.setOutput(0, reduce(node, x, spatialAxes(x), true, x.elementType,
                           leastScalar(node, x.elementType),
                           [&](OpBuilder &b, Location loc, ValueRange args) {
                             return maxScalar(b, loc, args[0], args[1], x.elementType);
                           }));
  return success();
}

/// The sum over the spatial dimensions of `map` of the elements, in the
/// accumulator's type, finished by `finish`.
static LogicalResult buildGlobalSum(NodeContext &node,
                                    llvm::function_ref<Value(ScalarMath &, Value)> map,
                                    llvm::function_ref<Value(ScalarMath &, Value)> finish) {
  const TensorValue &x = node.input(0);
  ElementType type = x.elementType, sumType = accumulatorType(type);
  if (failed(checkRank(node, x)))
    return failure();
  if (!isFloat(type))
    return node.error("expects a float tensor, got " + name(type));
  Value zero = makeScalar(node.b, node.b.getLoc(), storageType(node.context(), sumType), 0);
  TensorValue sum =
      reduce(node, x, spatialAxes(x), true, sumType, zero,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               ScalarMath m{b, loc};
               return m.add(args[1], map(m, castScalar(b, loc, args[0], type, sumType)));
             });
  node.setOutput(0, *elementwiseTo(node, sum, type, sum.dims,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     ScalarMath m{b, loc};
                                     return castScalar(b, loc, finish(m, args[0]), sumType, type);
                                   }));
  return success();
}

static LogicalResult buildGlobalAveragePool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (failed(checkRank(node, x)))
    return failure();
  OpFoldResult count = node.dims.product(ArrayRef<OpFoldResult>(x.dims).drop_front(2));
  return buildGlobalSum(
      node, [](ScalarMath &, Value x) { return x; },
      [&](ScalarMath &m, Value sum) {
        return m.div(sum, m.toFloat(m.extent(count), sum.getType()));
      });
}

static LogicalResult buildGlobalLpPool(NodeContext &node) {
  double p = readOrder(node);
  if (node.failed())
    return failure();
  if (!(p > 0))
    return node.error("has attribute 'p' that is not positive");
  return buildGlobalSum(
      node, [&](ScalarMath &m, Value x) { return powerOf(m, x, p); },
      [&](ScalarMath &m, Value sum) { return rootOf(m, sum, p); });
}

//===----------------------------------------------------------------------===//
// MaxUnpool and MaxRoiPool
//===----------------------------------------------------------------------===//

static LogicalResult buildMaxUnpool(NodeContext &node) {
  const TensorValue &x = node.input(0), &indices = node.input(1);
  if (failed(checkRank(node, x)))
    return failure();
  if (indices.elementType != ElementType::Int64 || indices.rank() != x.rank())
    return node.error("has indices of type " + name(indices.elementType) + " and rank " +
                      Twine(indices.rank()) + ", expected int64 and rank " + Twine(x.rank()));
  for (int64_t i = 0; i < x.rank(); ++i)
    if (failed(requireEqual(node, x.dims[i], indices.dims[i],
                            "has an input of extent {0} and indices of extent {1}")))
      return failure();
  size_t spatial = x.rank() - 2;
  FailureOr<Dims> kernel = readKernelShape(node, spatial);
  auto strides = readSpatial(node, "strides", spatial, 1, 1);
  auto pads = readSpatial(node, "pads", 2 * spatial, 0, 0);
  if (failed(kernel) || failed(strides) || failed(pads))
    return failure();
  DimBuilder &d = node.dims;
  // What the pooling had as its input, if its extents are the least that fit: the
  // indices count in it.
  Dims dims{x.dims[0], x.dims[1]};
  for (size_t i = 0; i < spatial; ++i) {
    OpFoldResult extent = d.mul(d.sub(x.dims[2 + i], d.constant(1)), d.constant((*strides)[i]));
    extent = d.add(d.sub(extent, d.constant((*pads)[i] + (*pads)[spatial + i])), (*kernel)[i]);
    dims.push_back(d.max(extent, d.constant(0)));
  }
  OpFoldResult size = d.product(dims), count = d.product(x.dims);
  assertInRange(node, indices, d.constant(0), size, "an index");
  TensorValue flat = reshape(node, x, {count});
  TensorValue rows = reshape(node, indices, {count, d.constant(1)});
  TensorValue zeros = makeSplat(node, x.elementType, {size}, 0);
  auto scatter = ScatterOp::create(node.b, node.b.getLoc(), zeros.value.getType(), node.value(rows),
                                   node.value(flat), zeros.value);
  scatter->setAttr(kCheckedAttrName, node.b.getUnitAttr());
  {
    mlir::OpBuilder::InsertionGuard guard(node.b);
    mlir::Type element = storageType(node.context(), x.elementType);
    Block *block = node.b.createBlock(&scatter.getCombiner(), {}, {element, element},
                                      {node.b.getLoc(), node.b.getLoc()});
    YieldOp::create(node.b, node.b.getLoc(), ValueRange{block->getArgument(1)});
  }
  TensorValue result = reshape(node, makeValue(scatter.getResult(), x.elementType, {size}), dims);
  if (node.hasInput(2)) {
    FailureOr<TensorValue> vector =
        withLength(node, node.input(2), x.rank(), "extents of the output");
    if (failed(vector))
      return failure();
    FailureOr<Dims> shape = shapeElements(node, *vector);
    if (failed(shape))
      return failure();
    Dims low(dims.size(), d.constant(0)), high;
    for (size_t i = 0; i < dims.size(); ++i) {
      if (failed(requireAtMost(node, dims[i], (*shape)[i],
                               "unpools to an extent of {0}, more than the output's {1}")))
        return failure();
      high.push_back(d.sub((*shape)[i], dims[i]));
    }
    Value zero =
        makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), x.elementType), 0);
    result = pad(node, result, low, high, zero);
    // What padding gives is what was asked for.
    result.value = node.b.createOrFold<tensor::CastOp>(
        tensorType(node.context(), x.elementType, *shape), result.value);
    result.dims = *shape;
  }
  node.setOutput(0, result);
  return success();
}

static LogicalResult buildMaxRoiPool(NodeContext &node) {
  const TensorValue &x = node.input(0), &rois = node.input(1);
  ElementType type = x.elementType, computed = accumulatorType(type);
  if (x.rank() != 4 || rois.rank() != 2)
    return node.error("has an input of rank " + Twine(x.rank()) + " and regions of rank " +
                      Twine(rois.rank()) + ", expected 4 and 2");
  if (!isFloat(type) || rois.elementType != type)
    return node.error("expects an input and regions of one float type");
  if (!node.hasAttribute("pooled_shape"))
    return node.error("has no attribute 'pooled_shape'");
  auto pooled = readSpatial(node, "pooled_shape", 2, 1, 1);
  float scale = node.getFloat("spatial_scale", 1);
  if (failed(pooled) || node.failed())
    return failure();
  DimBuilder &d = node.dims;
  if (failed(requireEqual(node, rois.dims[1], d.constant(5),
                          "has regions of {0} numbers, expected {1}")))
    return failure();
  Dims dims{rois.dims[0], x.dims[1], d.constant((*pooled)[0]), d.constant((*pooled)[1])};
  Value input = node.value(x), regions = node.value(rois);
  mlir::Type number = storageType(node.context(), computed);
  TensorValue result = accumulate(
      node, type, dims, {x.dims[2], x.dims[3]}, leastScalar(node, type),
      [&](ScalarMath &m, ArrayRef<Value> o, ArrayRef<Value> at, Value best) -> Value {
        auto region = [&](int64_t i) {
          return castScalar(m.b, m.loc, m.read(regions, {o[0], m.index(i)}), type, computed);
        };
        Value batch = m.clamp(m.toIndex(region(0)), m.extent(x.dims[0]));
        Value inside = arith::ConstantIntOp::create(m.b, m.loc, 1, 1);
        for (int i = 0; i < 2; ++i) {
          // Regions are x1, y1, x2, y2 and include their ends.
          auto corner = [&](int64_t k) {
            Value scaled = m.mul(region(k), m.number(number, scale));
            return m.toIndex(math::RoundOp::create(m.b, m.loc, scaled));
          };
          Value begin = corner(2 - i), end = corner(4 - i), one = m.index(1);
          Value size = m.toFloat(m.max(m.add(m.sub(end, begin), one), one), number);
          Value bin = m.div(size, m.number(number, static_cast<double>((*pooled)[i])));
          Value position = m.toFloat(o[2 + i], number);
          Value first = m.add(m.toIndex(m.floor(m.mul(position, bin))), begin);
          Value last =
              m.add(m.toIndex(m.ceil(m.mul(m.add(position, m.like(position, 1)), bin))), begin);
          inside = m.both(inside, m.both(m.atMost(first, at[i]), m.less(at[i], last)));
        }
        Value element = m.read(input, {batch, o[1], at[0], at[1]});
        return m.select(inside, m.max(best, element), best);
      });
  // Empty bins are 0.
  Value least = leastScalar(node, type);
  node.setOutput(
      0, *elementwiseTo(node, result, type, dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        return m.select(m.equal(args[0], least), m.like(args[0], 0), args[0]);
      }));
  return success();
}

void weft::onnx::registerPoolingOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"MaxPool", 1, 1, 1, buildMaxPool},
             {"AveragePool", 1, 1, 1, buildAveragePool},
             {"LpPool", 1, 1, 1, buildLpPool},
             {"GlobalMaxPool", 1, 1, 1, buildGlobalMaxPool},
             {"GlobalAveragePool", 1, 1, 1, buildGlobalAveragePool},
             {"GlobalLpPool", 1, 1, 1, buildGlobalLpPool},
             {"MaxUnpool", 9, 2, 3, buildMaxUnpool},
             {"MaxRoiPool", 1, 2, 2, buildMaxRoiPool},
         });
}
