//===- Interpolation.h - Resizing along axes ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_INTERPOLATION_H
#define WEFT_FRONTEND_ONNX_OPS_INTERPOLATION_H

#include "Frontend/ONNX/Ops/ScalarMath.h"

namespace weft::onnx::interpolation {

enum class Mode { Nearest, Linear, Cubic };
enum class Coordinates {
  HalfPixel,
  HalfPixelSymmetric,
  PytorchHalfPixel,
  AlignCorners,
  Asymmetric,
  TFCropAndResize,
  TFHalfPixelForNN
};
enum class Nearest { RoundPreferFloor, RoundPreferCeil, Floor, Ceil, FloorOrCeil };
enum class AspectRatio { Stretch, NotLarger, NotSmaller };

/// The options of a Resize.
struct Options {
  Mode mode = Mode::Nearest;
  Coordinates coordinates = Coordinates::HalfPixel;
  Nearest nearest = Nearest::RoundPreferFloor;
  AspectRatio aspectRatio = AspectRatio::Stretch;
  double cubicCoefficient = -0.75;
  double extrapolation = 0;
  bool excludeOutside = false;
  bool antialias = false;
};

/// One axis that is resized.
struct Axis {
  int64_t dimension = 0;
  mlir::OpFoldResult in, out;
  /// The scale (f32) in the body of an operation.
  std::function<mlir::Value(ScalarMath &)> scale;
  /// The scale where it is known at import.
  std::optional<double> constantScale;
  /// Begin and end of the region, normalised; only for crops.
  std::function<mlir::Value(ScalarMath &, bool end)> region;
  bool givenScale = false;
};
/// Extents and positions as the coordinates are computed.
inline mlir::Value asF32(ScalarMath &m, mlir::Value index) {
  return m.toFloat(index, m.b.getF32Type());
}

/// Resizes `x` along `axes`; fails where an axis without elements is to have some.
mlir::FailureOr<TensorValue> resize(NodeContext &node, const TensorValue &x,
                                    llvm::ArrayRef<Axis> axes, const Options &options);

} // namespace weft::onnx::interpolation

#endif // WEFT_FRONTEND_ONNX_OPS_INTERPOLATION_H
