// Transposed convolutions become one convolution for all phases. Values are
// checked by the end-to-end tests of convolutions.

// RUN: weft-opt %s --weft-rewrite-transposed-convolutions --split-input-file | FileCheck %s

// The kernel is as long as the stride: nothing is cut off.
// CHECK-LABEL: func @upsample
// CHECK-SAME: %[[X:.*]]: tensor<1x8x5x6xf32>, %[[W:.*]]: tensor<8x4x2x2xf32>, %[[INIT:.*]]: tensor<1x4x10x12xf32>
func.func @upsample(%x: tensor<1x8x5x6xf32>, %w: tensor<8x4x2x2xf32>, %init: tensor<1x4x10x12xf32>) -> tensor<1x4x10x12xf32> {
  // CHECK: %[[PARTS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x4x4x8x1x1xf32>)
  // CHECK: tensor.extract %[[W]]
  // CHECK: %[[FILTER:.*]] = tensor.collapse_shape %[[PARTS]] {{\[\[}}0, 1, 2], [3], [4], [5]] {{.*}} into tensor<16x8x1x1xf32>
  // CHECK: %[[PHASES:.*]] = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1 ins(%[[X]], %[[FILTER]] {{.*}} -> tensor<1x16x5x6xf32>
  // CHECK: %[[APART:.*]] = tensor.expand_shape %[[PHASES]] {{\[\[}}0], [1, 2, 3, 4], [5], [6]] {{.*}} into tensor<1x1x2x2x4x5x6xf32>
  // CHECK: %[[NEAR:.*]] = linalg.transpose ins(%[[APART]] {{.*}} permutation = [0, 1, 4, 5, 2, 6, 3]
  // CHECK: %[[FULL:.*]] = tensor.collapse_shape %[[NEAR]] {{\[\[}}0], [1, 2], [3, 4], [5, 6]] {{.*}} into tensor<1x4x10x12xf32>
  // CHECK-NOT: tensor.extract_slice
  // CHECK: linalg.generic {{.*}} ins(%[[INIT]], %[[FULL]]
  // CHECK: arith.addf
  %y = weft.conv transposed strides = [2, 2] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
    ins(%x, %w : tensor<1x8x5x6xf32>, tensor<8x4x2x2xf32>) outs(%init : tensor<1x4x10x12xf32>) -> tensor<1x4x10x12xf32>
  return %y : tensor<1x4x10x12xf32>
}

// -----

// Two taps for each phase; one position is cut off at each end.
// CHECK-LABEL: func @padded
func.func @padded(%x: tensor<?x8x?xf32>, %w: tensor<8x2x4xf32>, %init: tensor<?x4x?xf32>) -> tensor<?x4x?xf32> {
  // CHECK: weft.conv strides = [1] dilations = [1] pads = [1, 1] groups = 2 ins(%{{.*}} : tensor<?x8x?xf32>, tensor<8x4x2xf32>) {{.*}} -> tensor<?x8x?xf32>
  // CHECK: tensor.expand_shape {{.*}} into tensor<?x2x2x2x?xf32>
  // CHECK: linalg.transpose {{.*}} permutation = [0, 1, 3, 4, 2]
  // CHECK: tensor.extract_slice %{{.*}}[0, 0, 1]
  %y = weft.conv transposed strides = [2] dilations = [1] pads = [1, 1] groups = 2
    ins(%x, %w : tensor<?x8x?xf32>, tensor<8x2x4xf32>) outs(%init : tensor<?x4x?xf32>) -> tensor<?x4x?xf32>
  return %y : tensor<?x4x?xf32>
}

// -----

// Stride 1: the filter is reversed, and keeps its dilation.
// CHECK-LABEL: func @reversed
func.func @reversed(%x: tensor<1x2x9xf32>, %w: tensor<2x3x3xf32>, %init: tensor<1x3x12xf32>) -> tensor<1x3x12xf32> {
  // CHECK: weft.conv strides = [1] dilations = [2] pads = [3, 4] groups = 1
  // CHECK-NOT: tensor.extract_slice
  %y = weft.conv transposed strides = [1] dilations = [2] pads = [1, 0] groups = 1
    ins(%x, %w : tensor<1x2x9xf32>, tensor<2x3x3xf32>) outs(%init : tensor<1x3x12xf32>) -> tensor<1x3x12xf32>
  return %y : tensor<1x3x12xf32>
}

// -----

// Output padding is one position more of the window.
// CHECK-LABEL: func @output_padding
func.func @output_padding(%x: tensor<1x2x4xf32>, %w: tensor<2x3x2xf32>, %init: tensor<1x3x9xf32>) -> tensor<1x3x9xf32> {
  // CHECK: weft.conv strides = [1] dilations = [1] pads = [0, 1] groups = 1
  // CHECK: tensor.extract_slice %{{.*}}[0, 0, 0] [1, 3, 9] [1, 1, 1]
  %y = weft.conv transposed strides = [2] dilations = [1] pads = [0, -1] groups = 1
    ins(%x, %w : tensor<1x2x4xf32>, tensor<2x3x2xf32>) outs(%init : tensor<1x3x9xf32>) -> tensor<1x3x9xf32>
  return %y : tensor<1x3x9xf32>
}

// -----

// CHECK-LABEL: func @stays
func.func @stays(%x: tensor<1x2x4xf32>, %w: tensor<2x3x?xf32>, %v: tensor<2x3x2xf32>,
                 %init: tensor<1x3x?xf32>, %more: tensor<1x3x9xf32>) -> (tensor<1x3x?xf32>, tensor<1x3x9xf32>) {
  // A filter whose extent is not known.
  // CHECK: weft.conv transposed
  %y = weft.conv transposed strides = [2] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x2x4xf32>, tensor<2x3x?xf32>) outs(%init : tensor<1x3x?xf32>) -> tensor<1x3x?xf32>
  // A result that begins before the filter's reach.
  // CHECK: weft.conv transposed
  %z = weft.conv transposed strides = [2] dilations = [1] pads = [-1, 0] groups = 1
    ins(%x, %v : tensor<1x2x4xf32>, tensor<2x3x2xf32>) outs(%more : tensor<1x3x9xf32>) -> tensor<1x3x9xf32>
  return %y, %z : tensor<1x3x?xf32>, tensor<1x3x9xf32>
}
