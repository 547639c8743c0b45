// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-contractions,weft-vectorize-im2col))' | FileCheck %s

// Stride 1: one masked read and one masked write for each vector of a row.
// CHECK-LABEL: weft.kernel @unit_stride
// CHECK: vector.transfer_read %{{.*}}, %{{.*}}, %{{.*}} {in_bounds = [true]} : tensor<1x4x8x20xf32>, vector<16xf32>
// CHECK-NOT: vector.shuffle
// CHECK: vector.transfer_write %{{.*}}, %{{.*}}, %{{.*}} {in_bounds = [true]} : vector<16xf32>, tensor<1x1x36x160xf32>
// CHECK-NOT: weft.im2col
weft.kernel @unit_stride(%x: tensor<1x4x8x20xf32>, %out: tensor<1x1x36x160xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0] vector = [12, 32, 16]>} {
  %q = arith.constant 0 : index
  %h = arith.constant 8 : index
  %w = arith.constant 20 : index
  %y = weft.im2col kernel = [3, 3] strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1]
       offset(%q) extents(%h, %w)
       ins(%x : tensor<1x4x8x20xf32>) outs(%out : tensor<1x1x36x160xf32>) -> tensor<1x1x36x160xf32>
  weft.yield %y : tensor<1x1x36x160xf32>
}

// Stride 2: the even elements of two vectors. Stride 3: a gather.
// CHECK-LABEL: weft.kernel @strides
// CHECK-COUNT-2: vector.transfer_read {{.*}} vector<16xf32>
// CHECK: vector.shuffle {{.*}}[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK: vector.gather
weft.kernel @strides(%x: tensor<1x4x64xf32>, %a: tensor<1x1x4x32xf32>, %b: tensor<1x1x4x22xf32>) outs 2
    attributes {schedule = #weft.schedule<parallel = [0] vector = [12, 32, 16]>} {
  %q = arith.constant 0 : index
  %n = arith.constant 32 : index
  %m = arith.constant 22 : index
  %y = weft.im2col kernel = [1] strides = [2] dilations = [1] pads = [0, 0] offset(%q) extents(%n)
       ins(%x : tensor<1x4x64xf32>) outs(%a : tensor<1x1x4x32xf32>) -> tensor<1x1x4x32xf32>
  %z = weft.im2col kernel = [1] strides = [3] dilations = [1] pads = [0, 0] offset(%q) extents(%m)
       ins(%x : tensor<1x4x64xf32>) outs(%b : tensor<1x1x4x22xf32>) -> tensor<1x1x4x22xf32>
  weft.yield %y, %z : tensor<1x1x4x32xf32>, tensor<1x1x4x22xf32>
}

#columns = affine_map<(n, g, q, k) -> (n, g, k, q)>
#filter = affine_map<(n, g, q, k) -> (g, k)>
#result = affine_map<(n, g, q, k) -> (n, g, q)>

// Depthwise: no columns in memory; of the kernel's positions the inner ones are
// unrolled, the outer ones a loop over those that lie in the input.
// CHECK-LABEL: weft.kernel @depthwise
// CHECK: scf.for {{.*}} iter_args(%{{.*}}) -> (vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-6: math.fma {{.*}} : vector<16xf32>
// CHECK-NOT: math.fma
// CHECK-NOT: weft.im2col
weft.kernel @depthwise(%x: tensor<1x8x9x20xf32>, %w: tensor<8x9xf32>, %out: tensor<1x8x180xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0] vector = [1, 64, 16]>} {
  %q = arith.constant 0 : index
  %h = arith.constant 9 : index
  %width = arith.constant 20 : index
  %empty = tensor.empty() : tensor<1x8x9x180xf32>
  %columns = weft.im2col kernel = [3, 3] strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1]
       offset(%q) extents(%h, %width)
       ins(%x : tensor<1x8x9x20xf32>) outs(%empty : tensor<1x8x9x180xf32>) -> tensor<1x8x9x180xf32>
  %y = linalg.generic {indexing_maps = [#columns, #filter, #result],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%columns, %w : tensor<1x8x9x180xf32>, tensor<8x9xf32>) outs(%out : tensor<1x8x180xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x8x180xf32>
  weft.yield %y : tensor<1x8x180xf32>
}
