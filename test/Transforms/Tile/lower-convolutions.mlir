// RUN: weft-opt %s --weft-lower-convolutions --canonicalize | FileCheck %s

#bias = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>
#all = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// One contraction of the filter with the columns; the start value and what follows
// walk the output positions as one dimension too.
// CHECK-DAG: #[[$COLUMNS:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, 0, d3, d2)>
// CHECK-DAG: #[[$FILTER:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d3)>
// CHECK-DAG: #[[$RESULT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-LABEL: weft.kernel @dense
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<5xf32>) outs(%{{.*}} : tensor<1x5x16xf32>)
// CHECK: %[[COLUMNS:.*]] = weft.im2col kernel = [3, 3] strides = [2, 2] dilations = [1, 1] pads = [1, 1, 1, 1]
// CHECK-SAME: outs(%{{.*}} : tensor<1x1x18x16xf32>)
// CHECK: linalg.generic {indexing_maps = [#[[$COLUMNS]], #[[$FILTER]], #[[$RESULT]]]
// CHECK-SAME: ins(%[[COLUMNS]], %{{.*}} : tensor<1x1x18x16xf32>, tensor<5x18xf32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x5x16xf32>)
// CHECK: arith.maximumf
// CHECK: tensor.expand_shape {{.*}} tensor<1x5x16xf32> into tensor<1x5x4x4xf32>
// CHECK-NOT: weft.conv
weft.kernel @dense(%b: tensor<5x1x1xf32>, %x: tensor<1x2x8x8xf32>, %w: tensor<5x2x3x3xf32>,
                   %out: tensor<1x5x4x4xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  %init = linalg.generic {indexing_maps = [#bias, #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%b : tensor<5x1x1xf32>) outs(%out : tensor<1x5x4x4xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<1x5x4x4xf32>
  %y = weft.conv strides = [2, 2] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 1
       ins(%x, %w : tensor<1x2x8x8xf32>, tensor<5x2x3x3xf32>)
       outs(%init : tensor<1x5x4x4xf32>) -> tensor<1x5x4x4xf32>
  %relu = linalg.generic {indexing_maps = [#all, #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y : tensor<1x5x4x4xf32>) outs(%out : tensor<1x5x4x4xf32>) {
  ^bb0(%in: f32, %o: f32):
    %m = arith.maximumf %in, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x5x4x4xf32>
  weft.yield %relu : tensor<1x5x4x4xf32>
}

// A kernel of one position reads the input itself, also of dynamic extents.
// CHECK-LABEL: weft.kernel @pointwise
// CHECK-NOT: weft.im2col
// CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0], [1], [2, 3]] : tensor<?x4x?x?xf32>
// CHECK: linalg.generic {{.*}}"reduction"
weft.kernel @pointwise(%x: tensor<?x4x?x?xf32>, %w: tensor<6x4x1x1xf32>,
                       %out: tensor<?x6x?x?xf32>) outs 1 {
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
       ins(%x, %w : tensor<?x4x?x?xf32>, tensor<6x4x1x1xf32>)
       outs(%out : tensor<?x6x?x?xf32>) -> tensor<?x6x?x?xf32>
  weft.yield %y : tensor<?x6x?x?xf32>
}

// The spatial dimension that says nothing is dropped.
// CHECK-LABEL: weft.kernel @column
// CHECK: weft.im2col kernel = [5] strides = [1] dilations = [1] pads = [2, 2]
weft.kernel @column(%x: tensor<1x4x50x1xf32>, %w: tensor<6x4x5x1xf32>,
                    %out: tensor<1x6x50x1xf32>) outs 1 {
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [2, 0, 2, 0] groups = 1
       ins(%x, %w : tensor<1x4x50x1xf32>, tensor<6x4x5x1xf32>)
       outs(%out : tensor<1x6x50x1xf32>) -> tensor<1x6x50x1xf32>
  weft.yield %y : tensor<1x6x50x1xf32>
}

// Groups of several output channels are a dimension of their own.
// CHECK-LABEL: weft.kernel @grouped
// CHECK: tensor.expand_shape %{{.*}} tensor<6x18xf32> into tensor<3x2x18xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x3x18x36xf32>, tensor<3x2x18xf32>)
weft.kernel @grouped(%x: tensor<1x6x8x8xf32>, %w: tensor<6x2x3x3xf32>,
                     %out: tensor<1x6x6x6xf32>) outs 1 {
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 3
       ins(%x, %w : tensor<1x6x8x8xf32>, tensor<6x2x3x3xf32>)
       outs(%out : tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32>
  weft.yield %y : tensor<1x6x6x6xf32>
}

// What cannot become a contraction stays.
// CHECK-LABEL: weft.kernel @transposed
// CHECK: weft.conv transposed
weft.kernel @transposed(%x: tensor<1x2x4x4xf32>, %w: tensor<2x3x3x3xf32>,
                        %out: tensor<1x3x6x6xf32>) outs 1 {
  %y = weft.conv transposed strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
       ins(%x, %w : tensor<1x2x4x4xf32>, tensor<2x3x3x3xf32>)
       outs(%out : tensor<1x3x6x6xf32>) -> tensor<1x3x6x6xf32>
  weft.yield %y : tensor<1x3x6x6xf32>
}
