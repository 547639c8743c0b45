// RUN: weft-opt %s --weft-select-schedules | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// Blocks of the dimensions along which the operand and the result are contiguous.
// CHECK-LABEL: weft.kernel @transpose
// CHECK-SAME: #weft.schedule<parallel = [128, 64]
weft.kernel @transpose(%x: tensor<300x2048xf32>, %y: tensor<2048x300xf32>) outs 1 {
  %r = linalg.transpose ins(%x : tensor<300x2048xf32>) outs(%y : tensor<2048x300xf32>) permutation = [1, 0]
  weft.yield %r : tensor<2048x300xf32>
}

// Shorter extents are blocks as they are.
// CHECK-LABEL: weft.kernel @channels_last
// CHECK-SAME: #weft.schedule<parallel = [1, {{[0-9]+}}, 0, 0]
weft.kernel @channels_last(%x: tensor<8x64x112x112xf32>, %y: tensor<8x112x112x64xf32>) outs 1 {
  %r = linalg.transpose ins(%x : tensor<8x64x112x112xf32>) outs(%y : tensor<8x112x112x64xf32>) permutation = [0, 2, 3, 1]
  weft.yield %r : tensor<8x112x112x64xf32>
}

// Rows that stay rows are cut as ever.
// CHECK-LABEL: weft.kernel @heads
// CHECK-SAME: #weft.schedule<parallel = [1, 1, 0, 0]
weft.kernel @heads(%x: tensor<8x512x12x64xf32>, %y: tensor<8x12x512x64xf32>) outs 1 {
  %r = linalg.transpose ins(%x : tensor<8x512x12x64xf32>) outs(%y : tensor<8x12x512x64xf32>) permutation = [0, 2, 1, 3]
  weft.yield %r : tensor<8x12x512x64xf32>
}

// Extents that are free may be long.
// CHECK-LABEL: weft.kernel @dynamic
// CHECK-SAME: #weft.schedule<parallel = [128, 64]
weft.kernel @dynamic(%x: tensor<?x?xf32>, %y: tensor<?x?xf32>) outs 1 {
  %r = linalg.transpose ins(%x : tensor<?x?xf32>) outs(%y : tensor<?x?xf32>) permutation = [1, 0]
  weft.yield %r : tensor<?x?xf32>
}

// Blocks of bytes are smaller: lines of a result that lie a power of two
// apart share few places in the cache.
// CHECK-LABEL: weft.kernel @bytes
// CHECK-SAME: #weft.schedule<parallel = [64, 64]
weft.kernel @bytes(%x: tensor<512x512xi8>, %y: tensor<512x512xi8>) outs 1 {
  %r = linalg.transpose ins(%x : tensor<512x512xi8>) outs(%y : tensor<512x512xi8>) permutation = [1, 0]
  weft.yield %r : tensor<512x512xi8>
}

// What is computed of a transposed tensor is cut into its blocks.
// CHECK-LABEL: weft.kernel @transposed_operand
// CHECK-SAME: #weft.schedule<parallel = [128, 64]
weft.kernel @transposed_operand(%x: tensor<512x512xf32>, %z: tensor<512x512xf32>, %y: tensor<512x512xf32>) outs 1 {
  %e = tensor.empty() : tensor<512x512xf32>
  %t = linalg.transpose ins(%x : tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) permutation = [1, 0]
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t, %z : tensor<512x512xf32>, tensor<512x512xf32>) outs(%y : tensor<512x512xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<512x512xf32>
  weft.yield %r : tensor<512x512xf32>
}
