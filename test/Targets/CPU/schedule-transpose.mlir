// RUN: weft-opt %s --weft-select-schedules | FileCheck %s

// Blocks of the dimensions along which the operand and the result are contiguous.
// CHECK-LABEL: weft.kernel @transpose
// CHECK-SAME: #weft.schedule<parallel = [64, 8]
weft.kernel @transpose(%x: tensor<300x2048xf32>, %y: tensor<2048x300xf32>) outs 1 {
  %r = linalg.transpose ins(%x : tensor<300x2048xf32>) outs(%y : tensor<2048x300xf32>) permutation = [1, 0]
  weft.yield %r : tensor<2048x300xf32>
}

// CHECK-LABEL: weft.kernel @channels_last
// CHECK-SAME: #weft.schedule<parallel = [1, {{[0-9]+}}, 64, 8]
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
