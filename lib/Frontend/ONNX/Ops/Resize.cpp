//===- Resize.cpp - Resize and Upsample -----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Interpolation.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;
using namespace weft::onnx::interpolation;

/// One of the names; an error if it is none.
template <typename T>
static FailureOr<T> readChoice(NodeContext &node, StringRef attribute, StringRef initial,
                               ArrayRef<std::pair<StringRef, T>> choices) {
  std::string value = node.getString(attribute, initial);
  if (node.failed())
    return failure();
  std::string expected;
  for (auto [choice, result] : choices) {
    if (choice == value)
      return result;
    expected += (expected.empty() ? "" : ", ") + choice.str();
  }
  return node.error("has attribute '" + attribute + "' \"" + value + "\", expected one of " +
                    expected);
}

static FailureOr<Options> readOptions(NodeContext &node) {
  Options options;
  auto mode = readChoice<Mode>(node, "mode", "nearest",
                               {{"nearest", Mode::Nearest},
                                {"linear", Mode::Linear},
                                {"bilinear", Mode::Linear},
                                {"cubic", Mode::Cubic}});
  if (failed(mode))
    return failure();
  options.mode = *mode;
  if (node.opset() < 11 || node.opType() == "Upsample") {
    options.coordinates = Coordinates::Asymmetric;
    options.nearest = Nearest::FloorOrCeil;
    return options;
  }
  auto coordinates =
      readChoice<Coordinates>(node, "coordinate_transformation_mode", "half_pixel",
                              {{"half_pixel", Coordinates::HalfPixel},
                               {"half_pixel_symmetric", Coordinates::HalfPixelSymmetric},
                               {"pytorch_half_pixel", Coordinates::PytorchHalfPixel},
                               {"align_corners", Coordinates::AlignCorners},
                               {"asymmetric", Coordinates::Asymmetric},
                               {"tf_crop_and_resize", Coordinates::TFCropAndResize},
                               {"tf_half_pixel_for_nn", Coordinates::TFHalfPixelForNN}});
  auto nearest = readChoice<Nearest>(node, "nearest_mode", "round_prefer_floor",
                                     {{"round_prefer_floor", Nearest::RoundPreferFloor},
                                      {"round_prefer_ceil", Nearest::RoundPreferCeil},
                                      {"floor", Nearest::Floor},
                                      {"ceil", Nearest::Ceil}});
  auto aspect = readChoice<AspectRatio>(node, "keep_aspect_ratio_policy", "stretch",
                                        {{"stretch", AspectRatio::Stretch},
                                         {"not_larger", AspectRatio::NotLarger},
                                         {"not_smaller", AspectRatio::NotSmaller}});
  if (failed(coordinates) || failed(nearest) || failed(aspect))
    return failure();
  options.coordinates = *coordinates;
  options.nearest = *nearest;
  options.aspectRatio = *aspect;
  options.cubicCoefficient = node.getFloat("cubic_coeff_a", -0.75f);
  options.extrapolation = node.getFloat("extrapolation_value", 0);
  options.excludeOutside = node.getInt("exclude_outside", 0) != 0;
  options.antialias = node.getInt("antialias", 0) != 0 && options.mode != Mode::Nearest;
  if (node.failed())
    return failure();
  return options;
}

/// The elements of a float vector as f32 values in bodies of operations:
/// constants where known, else read from the tensor.
static std::function<Value(ScalarMath &)> elementReader(NodeContext &node, const TensorValue &x,
                                                        int64_t i) {
  if (std::optional<SmallVector<double>> numbers = constantNumbers(x)) {
    double number = (*numbers)[i];
    return [number](ScalarMath &m) { return m.number(m.b.getF32Type(), number); };
  }
  Value tensor = node.value(x);
  ElementType type = x.elementType;
  return [tensor, type, i](ScalarMath &m) {
    return castScalar(m.b, m.loc, m.read(tensor, m.index(i)), type, ElementType::Float);
  };
}

/// Resizes by factors: extents are those of the input times `scales`, rounded down.
static LogicalResult applyScales(NodeContext &node, const TensorValue &given,
                                 MutableArrayRef<Axis> axes) {
  if (!isFloat(given.elementType))
    return node.error("has scales of type " + name(given.elementType));
  FailureOr<TensorValue> vector =
      withLength(node, given, static_cast<int64_t>(axes.size()), "scales");
  if (failed(vector))
    return failure();
  const TensorValue &scales = *vector;
  std::optional<SmallVector<double>> numbers = constantNumbers(scales);
  for (auto [i, axis] : llvm::enumerate(axes)) {
    axis.givenScale = true;
    axis.scale = elementReader(node, scales, i);
    if (numbers) {
      double scale = (*numbers)[i];
      if (!(scale > 0) || scale > 1e9)
        return node.error("has scale " + std::to_string(scale) + ", expected a positive number");
      axis.constantScale = scale;
      if (scale == 1) {
        axis.out = axis.in;
        continue;
      }
      if (std::optional<int64_t> in = DimBuilder::constantOf(axis.in)) {
        double extent = std::floor(static_cast<double>(*in) * scale);
        if (extent > 1e15)
          return node.error("resizes an extent of " + Twine(*in) + " by " + std::to_string(scale));
        axis.out = node.dims.constant(static_cast<int64_t>(extent));
        continue;
      }
      if (scale == std::floor(scale)) {
        axis.out = node.dims.mul(axis.in, node.dims.constant(static_cast<int64_t>(scale)));
        continue;
      }
    }
    // On the host, in the f32 that the scale has.
    ScalarMath m{node.b, node.b.getLoc()};
    Value scale = axis.scale(m);
    Value positive = m.less(m.like(scale, 0), scale);
    if (!numbers)
      buildAssert(node, positive, /*INVALID_ARGUMENT*/ 3, "has a scale that is not positive");
    Value extent = m.floor(m.mul(asF32(m, node.dims.value(axis.in)), scale));
    axis.out = m.max(m.toIndex(extent), m.index(0));
  }
  return success();
}

/// Resizes to extents that are given.
static LogicalResult applySizes(NodeContext &node, const TensorValue &sizes,
                                MutableArrayRef<Axis> axes, AspectRatio aspect) {
  FailureOr<TensorValue> vector =
      withLength(node, sizes, static_cast<int64_t>(axes.size()), "sizes");
  if (failed(vector))
    return failure();
  FailureOr<Dims> extents = shapeElements(node, *vector);
  if (failed(extents))
    return failure();
  for (OpFoldResult extent : *extents)
    if (failed(requireAtMost(node, node.dims.constant(0), extent, "has a size {1} below {0}")))
      return failure();
  auto ratio = [](ScalarMath &m, OpFoldResult out, OpFoldResult in) {
    Value one = m.index(1);
    return m.div(asF32(m, m.extent(out)), asF32(m, m.max(m.extent(in), one)));
  };
  if (aspect == AspectRatio::Stretch) {
    for (auto [axis, extent] : llvm::zip(axes, *extents)) {
      axis.out = extent;
      axis.scale = [in = axis.in, extent, ratio](ScalarMath &m) { return ratio(m, extent, in); };
    }
    return success();
  }
  // One scale for all: the least, or the largest.
  Dims targets = *extents, inputs;
  for (const Axis &axis : axes)
    inputs.push_back(axis.in);
  auto common = [=](ScalarMath &m) {
    Value scale;
    for (auto [target, in] : llvm::zip(targets, inputs)) {
      Value own = ratio(m, target, in);
      if (!scale)
        scale = own;
      else
        scale = aspect == AspectRatio::NotLarger ? m.min(scale, own) : m.max(scale, own);
    }
    return scale;
  };
  bool allStatic = llvm::all_of(llvm::concat<OpFoldResult>(targets, inputs), [](OpFoldResult x) {
    return DimBuilder::constantOf(x).has_value();
  });
  std::optional<float> constantScale;
  if (allStatic)
    for (auto [target, in] : llvm::zip(targets, inputs)) {
      float own = static_cast<float>(*DimBuilder::constantOf(target)) /
                  static_cast<float>(std::max<int64_t>(*DimBuilder::constantOf(in), 1));
      if (!constantScale)
        constantScale = own;
      constantScale = aspect == AspectRatio::NotLarger ? std::min(*constantScale, own)
                                                       : std::max(*constantScale, own);
    }
  for (Axis &axis : axes) {
    axis.scale = common;
    axis.givenScale = true;
    if (constantScale) {
      axis.constantScale = *constantScale;
      axis.scale = [scale = *constantScale](ScalarMath &m) {
        return m.number(m.b.getF32Type(), scale);
      };
      float extent =
          std::floor(*constantScale * static_cast<float>(*DimBuilder::constantOf(axis.in)) + 0.5f);
      axis.out = node.dims.constant(static_cast<int64_t>(extent));
      continue;
    }
    ScalarMath m{node.b, node.b.getLoc()};
    Value extent = m.mul(common(m), asF32(m, node.dims.value(axis.in)));
    axis.out = m.toIndex(m.floor(m.add(extent, m.like(extent, 0.5))));
  }
  return success();
}

/// Whether an optional input is there and not empty.
static bool isGiven(NodeContext &node, size_t i) {
  // (One whose length is known only at run time counts as given.)
  return node.hasInput(i) && !(node.input(i).rank() == 1 && node.input(i).staticDim(0) == 0);
}

/// The axes that may be resized: all, or those of an attribute.
static FailureOr<SmallVector<Axis>> readAxes(NodeContext &node) {
  const TensorValue &x = node.input(0);
  SmallVector<int64_t> dimensions;
  if (node.hasAttribute("axes")) {
    for (int64_t axis : node.getInts("axes")) {
      FailureOr<int64_t> normal = normalizeAxis(node, axis, x.rank());
      if (failed(normal))
        return failure();
      if (llvm::is_contained(dimensions, *normal))
        return node.error("has axis " + Twine(axis) + " twice");
      dimensions.push_back(*normal);
    }
  } else {
    for (int64_t i = 0; i < x.rank(); ++i)
      dimensions.push_back(i);
  }
  if (node.failed())
    return failure();
  SmallVector<Axis> axes(dimensions.size());
  for (auto [i, axis] : llvm::enumerate(axes)) {
    axis.dimension = dimensions[i];
    axis.in = x.dims[axis.dimension];
  }
  return axes;
}

/// The scales of Upsample 7, an attribute.
static LogicalResult applyFixedScales(NodeContext &node, MutableArrayRef<Axis> axes) {
  SmallVector<float> scales = node.getFloats("scales");
  if (scales.size() != axes.size())
    return node.error("has " + Twine(scales.size()) + " scales for " + Twine(axes.size()) +
                      " dimensions");
  for (auto [axis, scale] : llvm::zip(axes, scales)) {
    std::optional<int64_t> in = DimBuilder::constantOf(axis.in);
    if (!(scale >= 1) || scale > 1e9f)
      return node.error("has scale " + std::to_string(scale) + ", expected at least 1");
    axis.givenScale = true;
    axis.constantScale = scale;
    axis.scale = [scale](ScalarMath &m) { return m.number(m.b.getF32Type(), scale); };
    if (in || scale == std::floor(scale)) {
      axis.out = in ? node.dims.constant(
                          static_cast<int64_t>(std::floor(static_cast<double>(*in) * scale)))
                    : node.dims.mul(axis.in, node.dims.constant(static_cast<int64_t>(scale)));
      continue;
    }
    ScalarMath m{node.b, node.b.getLoc()};
    axis.out = m.toIndex(m.floor(m.mul(asF32(m, node.dims.value(axis.in)), axis.scale(m))));
  }
  return success();
}

/// The scales or sizes, whichever is given.
static LogicalResult readScales(NodeContext &node, MutableArrayRef<Axis> axes,
                                AspectRatio aspectRatio) {
  bool old = node.opset() < 11 || node.opType() == "Upsample";
  if (old && node.opset() < 9)
    return applyFixedScales(node, axes);
  size_t scalesInput = old ? 1 : 2;
  bool hasScales = isGiven(node, scalesInput), hasSizes = !old && isGiven(node, 3);
  if (hasScales == hasSizes)
    return node.error(hasScales ? "has both scales and sizes" : "has neither scales nor sizes");
  return hasScales ? applyScales(node, node.input(scalesInput), axes)
                   : applySizes(node, node.input(3), axes, aspectRatio);
}

/// The region of interest of tf_crop_and_resize.
static LogicalResult readRegion(NodeContext &node, MutableArrayRef<Axis> axes) {
  if (!isGiven(node, 1))
    return node.error("has no region of interest for tf_crop_and_resize");
  if (!isFloat(node.input(1).elementType))
    return node.error("has a region of interest of type " + name(node.input(1).elementType));
  FailureOr<TensorValue> region = withLength(
      node, node.input(1), static_cast<int64_t>(2 * axes.size()), "coordinates of a region");
  if (failed(region))
    return failure();
  for (auto [i, axis] : llvm::enumerate(axes)) {
    auto begin = elementReader(node, *region, i),
         end = elementReader(node, *region, axes.size() + i);
    axis.region = [begin, end](ScalarMath &m, bool last) { return last ? end(m) : begin(m); };
  }
  return success();
}

static LogicalResult buildResize(NodeContext &node) {
  const TensorValue &x = node.input(0);
  FailureOr<Options> options = readOptions(node);
  if (failed(options))
    return failure();
  FailureOr<SmallVector<Axis>> axes = readAxes(node);
  if (failed(axes) || failed(readScales(node, *axes, options->aspectRatio)))
    return failure();
  if (options->coordinates == Coordinates::TFCropAndResize) {
    if (failed(readRegion(node, *axes)))
      return failure();
  } else {
    // Axes that keep their extents are left alone.
    llvm::erase_if(*axes, [](const Axis &axis) {
      return DimBuilder::same(axis.in, axis.out) && (!axis.givenScale || axis.constantScale == 1.0);
    });
  }
  if (axes->empty()) {
    node.setOutput(0, x);
    return success();
  }
  if (!storageType(node.context(), x.elementType))
    return node.unsupported("resizes a tensor of type " + name(x.elementType));
  FailureOr<TensorValue> result = resize(node, x, *axes, *options);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

void weft::onnx::registerResizeOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Resize", 10, 1, 4, buildResize},
             {"Upsample", 7, 1, 1, buildResize, 8},
             {"Upsample", 9, 2, 2, buildResize},
         });
}
