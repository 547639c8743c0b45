// RUN: weft-opt %s | weft-opt | FileCheck %s

// CHECK-LABEL: func @columns
// CHECK: weft.im2col kernel = [3, 3] strides = [2, 2] dilations = [1, 1] pads = [1, 1, 1, 1]
// CHECK-SAME: offset(%{{.*}}) extents(%{{.*}}, %{{.*}}) ins(%{{.*}} : tensor<1x8x16x16xf32>)
// CHECK-SAME: outs(%{{.*}} : tensor<1x1x72x64xf32>) -> tensor<1x1x72x64xf32>
func.func @columns(%x: tensor<1x8x16x16xf32>, %init: tensor<1x1x72x64xf32>, %q: index, %h: index,
                   %w: index) -> tensor<1x1x72x64xf32> {
  %columns = weft.im2col kernel = [3, 3] strides = [2, 2] dilations = [1, 1] pads = [1, 1, 1, 1]
             offset(%q) extents(%h, %w)
             ins(%x : tensor<1x8x16x16xf32>) outs(%init : tensor<1x1x72x64xf32>)
             -> tensor<1x1x72x64xf32>
  return %columns : tensor<1x1x72x64xf32>
}
