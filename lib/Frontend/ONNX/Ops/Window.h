//===- Window.h - Windows that slide over spatial dimensions --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The attributes that convolutions and poolings share, and what follows from
// them: pads (for `auto_pad` they depend on the extents) and extents of results.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_WINDOW_H
#define WEFT_FRONTEND_ONNX_OPS_WINDOW_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// A window that slides over the spatial dimensions (all but the first two).
struct Window {
  llvm::SmallVector<int64_t> strides, dilations;
  /// Extents of the window, and from the first element of a window to its last
  /// one, with dilation.
  Dims kernel, reach;
  /// Rows of padding before and behind; never negative.
  Dims low, high;
  /// Extents of the result.
  Dims extents;

  size_t rank() const { return kernel.size(); }
  bool hasStaticPads() const;
  bool hasNoPads() const;
  /// Pads as attributes: begins, then ends. Only with static pads.
  llvm::SmallVector<int64_t> staticPads() const;
  /// How much must be added behind `x` so that all windows lie inside: the pad,
  /// but less where stride leaves elements unused and more where `ceil_mode`
  /// lets the last window overhang.
  llvm::SmallVector<mlir::OpFoldResult> neededHigh(NodeContext &node, const TensorValue &x) const;
};

/// Reads an attribute with a value for each of `count` spatial dimensions, each in
/// [minimum, 2^31); `initial` if it is not there.
mlir::FailureOr<llvm::SmallVector<int64_t>> readSpatial(NodeContext &node, llvm::StringRef name,
                                                        size_t count, int64_t initial,
                                                        int64_t minimum);
/// The attribute `kernel_shape`, which must be there.
mlir::FailureOr<Dims> readKernelShape(NodeContext &node, size_t count);

/// Reads strides, dilations, pads and auto_pad, and computes the rest. `x` is [N,
/// C, spatial...], `kernel` the window's extents.
mlir::FailureOr<Window> readWindow(NodeContext &node, const TensorValue &x,
                                   llvm::ArrayRef<mlir::OpFoldResult> kernel, bool ceilMode);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_WINDOW_H
