// RUN: weft-opt %s --pass-pipeline='builtin.module(func.func(ssm-raise-causal-convolutions),canonicalize)' | FileCheck %s

#repeat = affine_map<(d0, d1, d2) -> (d1)>
#all = affine_map<(d0, d1, d2) -> (d0, d1, d2)>

// Padded on both sides, of which the end is dropped; a bias; transpositions cancel.
// CHECK-LABEL: @sliced
// CHECK-SAME: %[[X:.*]]: tensor<2x9x3xf32>, %{{.*}}, %[[BIAS:.*]]: tensor<3xf32>
// CHECK: %[[Y:.*]] = ssm.causal_conv1d ins(%[[X]], %{{.*}} : tensor<2x9x3xf32>, tensor<3x4xf32>) bias(%[[BIAS]]
// CHECK-NOT: transpose
// CHECK: return %[[Y]]
func.func @sliced(%x: tensor<2x9x3xf32>, %w: tensor<3x1x4xf32>, %bias: tensor<3xf32>) -> tensor<2x9x3xf32> {
  %e = tensor.empty() : tensor<2x3x9xf32>
  %t = linalg.transpose ins(%x : tensor<2x9x3xf32>) outs(%e : tensor<2x3x9xf32>) permutation = [0, 2, 1]
  %wide = tensor.empty() : tensor<2x3x12xf32>
  %init = linalg.generic {indexing_maps = [#repeat, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%bias : tensor<3xf32>) outs(%wide : tensor<2x3x12xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<2x3x12xf32>
  %c = weft.conv strides = [1] dilations = [1] pads = [3, 3] groups = 3 ins(%t, %w : tensor<2x3x9xf32>, tensor<3x1x4xf32>)
      outs(%init : tensor<2x3x12xf32>) -> tensor<2x3x12xf32>
  %s = tensor.extract_slice %c[0, 0, 0] [2, 3, 9] [1, 1, 1] : tensor<2x3x12xf32> to tensor<2x3x9xf32>
  %e2 = tensor.empty() : tensor<2x9x3xf32>
  %y = linalg.transpose ins(%s : tensor<2x3x9xf32>) outs(%e2 : tensor<2x9x3xf32>) permutation = [0, 2, 1]
  return %y : tensor<2x9x3xf32>
}

// Padded at the beginning, dilated, without a bias.
// CHECK-LABEL: @padded
// CHECK: ssm.causal_conv1d dilation = 2 ins
func.func @padded(%x: tensor<2x3x9xf32>, %w: tensor<3x1x4xf32>) -> tensor<2x3x9xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x9xf32>) -> tensor<2x3x9xf32>
  %c = weft.conv strides = [1] dilations = [2] pads = [6, 0] groups = 3 ins(%x, %w : tensor<2x3x9xf32>, tensor<3x1x4xf32>)
      outs(%init : tensor<2x3x9xf32>) -> tensor<2x3x9xf32>
  return %c : tensor<2x3x9xf32>
}

// The whole result is read, which looks ahead.
// CHECK-LABEL: @both_sides
// CHECK-NOT: ssm.causal_conv1d
func.func @both_sides(%x: tensor<2x3x9xf32>, %w: tensor<3x1x3xf32>, %init: tensor<2x3x9xf32>) -> tensor<2x3x9xf32> {
  %c = weft.conv strides = [1] dilations = [1] pads = [1, 1] groups = 3 ins(%x, %w : tensor<2x3x9xf32>, tensor<3x1x3xf32>)
      outs(%init : tensor<2x3x9xf32>) -> tensor<2x3x9xf32>
  return %c : tensor<2x3x9xf32>
}

// An init that is not the same for all tokens.
// CHECK-LABEL: @init
// CHECK-NOT: ssm.causal_conv1d
func.func @init(%x: tensor<2x3x9xf32>, %w: tensor<3x1x4xf32>, %init: tensor<2x3x9xf32>) -> tensor<2x3x9xf32> {
  %c = weft.conv strides = [1] dilations = [1] pads = [3, 0] groups = 3 ins(%x, %w : tensor<2x3x9xf32>, tensor<3x1x4xf32>)
      outs(%init : tensor<2x3x9xf32>) -> tensor<2x3x9xf32>
  return %c : tensor<2x3x9xf32>
}

// A filter that is packed stays one.
// CHECK-LABEL: @packed
// CHECK-NOT: ssm.causal_conv1d
// CHECK: weft.conv
!f = !weft.packed<8x1x4xf32, #weft.format<elem = #lowp.int<8, signed>>>
func.func @packed(%x: tensor<1x8x9xf32>, %w: !f) -> tensor<1x8x9xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x9xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x9xf32>) -> tensor<1x8x9xf32>
  %y = weft.conv strides = [1] dilations = [1] pads = [3, 0] groups = 8
      ins(%x, %w : tensor<1x8x9xf32>, !f) outs(%i : tensor<1x8x9xf32>) -> tensor<1x8x9xf32>
  return %y : tensor<1x8x9xf32>
}
