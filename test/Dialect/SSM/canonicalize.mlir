// RUN: weft-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @one_token
// CHECK: ssm.step outer identity query
func.func @one_token(%q: tensor<2x1x3x4xf32>, %k: tensor<2x1x3x4xf32>, %v: tensor<2x1x3x5xf32>, %y0: tensor<2x1x3x5xf32>,
                     %s0: tensor<2x3x4x5xf32>) -> (tensor<2x1x3x5xf32>, tensor<2x3x4x5xf32>) {
  %y, %s = ssm.scan outer identity query(%q : tensor<2x1x3x4xf32>) key(%k : tensor<2x1x3x4xf32>)
      value(%v : tensor<2x1x3x5xf32>) outs(%y0, %s0 : tensor<2x1x3x5xf32>, tensor<2x3x4x5xf32>)
      -> tensor<2x1x3x5xf32>, tensor<2x3x4x5xf32>
  return %y, %s : tensor<2x1x3x5xf32>, tensor<2x3x4x5xf32>
}

// Both directions of a token are two steps.
// CHECK-LABEL: @both
// CHECK: ssm.scan vector identity bidirectional
func.func @both(%v: tensor<2x1x3x4xf32>, %y0: tensor<2x1x3x4xf32>, %s0: tensor<4x3x4xf32>) -> tensor<2x1x3x4xf32> {
  %y, %s = ssm.scan vector identity bidirectional value(%v : tensor<2x1x3x4xf32>)
      outs(%y0, %s0 : tensor<2x1x3x4xf32>, tensor<4x3x4xf32>) -> tensor<2x1x3x4xf32>, tensor<4x3x4xf32>
  return %y : tensor<2x1x3x4xf32>
}

// CHECK-LABEL: @sum
// CHECK: weft.scan sum exclusive dimension = 0
func.func @sum(%x: tensor<9xf32>, %init: tensor<9xf32>) -> tensor<9xf32> {
  %zero = arith.constant 0.0 : f32
  %y = ssm.scan_region exclusive dimension = 0 ins(%x : tensor<9xf32>) identity(%zero : f32) outs(%init : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %b, %a : f32
    ssm.yield %0 : f32
  } -> tensor<9xf32>
  return %y : tensor<9xf32>
}

// CHECK-LABEL: @maximum
// CHECK: ssm.scan_region
func.func @maximum(%x: tensor<9xf32>, %init: tensor<9xf32>) -> tensor<9xf32> {
  %least = arith.constant 0xFF800000 : f32
  %y = ssm.scan_region dimension = 0 ins(%x : tensor<9xf32>) identity(%least : f32) outs(%init : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    ssm.yield %0 : f32
  } -> tensor<9xf32>
  return %y : tensor<9xf32>
}
