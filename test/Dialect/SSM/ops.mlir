// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference | FileCheck %s --check-prefix=REFERENCE

// REFERENCE-NOT: ssm.

// CHECK-LABEL: @causal_conv1d
// CHECK: ssm.causal_conv1d
// REFERENCE-LABEL: @causal_conv1d
// REFERENCE-NOT: ssm.
func.func @causal_conv1d(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %s: tensor<2x3x3xf32>)
    -> (tensor<2x7x3xf32>, tensor<2x3x3xf32>) {
  %y0 = tensor.empty() : tensor<2x7x3xf32>
  %s0 = tensor.empty() : tensor<2x3x3xf32>
  %y, %next = ssm.causal_conv1d silu ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>)
      state(%s : tensor<2x3x3xf32>) outs(%y0, %s0 : tensor<2x7x3xf32>, tensor<2x3x3xf32>)
      -> tensor<2x7x3xf32>, tensor<2x3x3xf32>
  return %y, %next : tensor<2x7x3xf32>, tensor<2x3x3xf32>
}

// CHECK-LABEL: @discretize
// CHECK: ssm.discretize
// REFERENCE-LABEL: @discretize
// REFERENCE-NOT: ssm.
func.func @discretize(%delta: tensor<2x5x8xf32>, %rate: tensor<8xf32>) -> (tensor<2x5x8xf32>, tensor<2x5x8xf32>) {
  %init = tensor.empty() : tensor<2x5x8xf32>
  %decay, %factor = ssm.discretize zoh softplus delta(%delta : tensor<2x5x8xf32>) rate(%rate : tensor<8xf32>)
      outs(%init, %init : tensor<2x5x8xf32>, tensor<2x5x8xf32>)
      -> tensor<2x5x8xf32>, tensor<2x5x8xf32>
  return %decay, %factor : tensor<2x5x8xf32>, tensor<2x5x8xf32>
}

// CHECK-LABEL: @long_conv
// CHECK: ssm.long_conv
// REFERENCE-LABEL: @long_conv
// REFERENCE-NOT: ssm.
func.func @long_conv(%u: tensor<2x9x3xf32>, %k: tensor<3x9xf32>) -> tensor<2x9x3xf32> {
  %init = tensor.empty() : tensor<2x9x3xf32>
  %y = ssm.long_conv ins(%u, %k : tensor<2x9x3xf32>, tensor<3x9xf32>)
      outs(%init : tensor<2x9x3xf32>) -> tensor<2x9x3xf32>
  return %y : tensor<2x9x3xf32>
}

// CHECK-LABEL: @reduce_state
// CHECK: ssm.reduce_state
// REFERENCE-LABEL: @reduce_state
// REFERENCE-NOT: ssm.
func.func @reduce_state(%k: tensor<2x9x1x4xf32>, %v: tensor<2x9x3x5xf32>) -> tensor<2x3x4x5xf32> {
  %init = tensor.empty() : tensor<2x3x4x5xf32>
  %s = ssm.reduce_state ins(%k, %v : tensor<2x9x1x4xf32>, tensor<2x9x3x5xf32>)
      outs(%init : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  return %s : tensor<2x3x4x5xf32>
}

// CHECK-LABEL: @scan
// CHECK: ssm.scan
// REFERENCE-LABEL: @scan
// REFERENCE-NOT: ssm.
func.func @scan(%q: tensor<2x9x4x8xf32>, %k: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>,
                %g: tensor<2x9x4xf32>) -> (tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) {
  %y0 = tensor.empty() : tensor<2x9x4x6xf32>
  %s0 = tensor.empty() : tensor<2x4x8x6xf32>
  %y, %s = ssm.scan outer scalar query(%q : tensor<2x9x4x8xf32>) key(%k : tensor<2x9x4x8xf32>)
      value(%v : tensor<2x9x4x6xf32>) decay(%g : tensor<2x9x4xf32>)
      outs(%y0, %s0 : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>)
      -> tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
  return %y, %s : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
}

// CHECK-LABEL: @scan_region
// CHECK: ssm.scan_region
// REFERENCE-LABEL: @scan_region
// REFERENCE-NOT: ssm.
func.func @scan_region(%a: tensor<4x9xf32>, %b: tensor<4x9xf32>) -> (tensor<4x9xf32>, tensor<4x9xf32>) {
  %init = tensor.empty() : tensor<4x9xf32>
  %one = arith.constant 1.0 : f32
  %zero = arith.constant 0.0 : f32
  %p, %h = ssm.scan_region dimension = 1 ins(%a, %b : tensor<4x9xf32>, tensor<4x9xf32>)
      identity(%one, %zero : f32, f32) outs(%init, %init : tensor<4x9xf32>, tensor<4x9xf32>) {
  ^bb0(%a0: f32, %b0: f32, %a1: f32, %b1: f32):
    %0 = arith.mulf %a0, %a1 : f32
    %1 = arith.mulf %a1, %b0 : f32
    %2 = arith.addf %1, %b1 : f32
    ssm.yield %0, %2 : f32, f32
  } -> tensor<4x9xf32>, tensor<4x9xf32>
  return %p, %h : tensor<4x9xf32>, tensor<4x9xf32>
}

// CHECK-LABEL: @segsum
// CHECK: ssm.segsum
// REFERENCE-LABEL: @segsum
// REFERENCE-NOT: ssm.
func.func @segsum(%g: tensor<2x6xf32>) -> tensor<2x6x6xf32> {
  %init = tensor.empty() : tensor<2x6x6xf32>
  %l = ssm.segsum ins(%g : tensor<2x6xf32>) outs(%init : tensor<2x6x6xf32>) -> tensor<2x6x6xf32>
  return %l : tensor<2x6x6xf32>
}

// CHECK-LABEL: @solve_tril
// CHECK: ssm.solve_tril
// REFERENCE-LABEL: @solve_tril
// REFERENCE-NOT: ssm.
func.func @solve_tril(%a: tensor<3x6x6xf32>, %b: tensor<3x6x4xf32>) -> tensor<3x6x4xf32> {
  %init = tensor.empty() : tensor<3x6x4xf32>
  %x = ssm.solve_tril ins(%a, %b : tensor<3x6x6xf32>, tensor<3x6x4xf32>)
      outs(%init : tensor<3x6x4xf32>) -> tensor<3x6x4xf32>
  return %x : tensor<3x6x4xf32>
}

// CHECK-LABEL: @step
// CHECK: ssm.step
// REFERENCE-LABEL: @step
// REFERENCE-NOT: ssm.
func.func @step(%q: tensor<2x1x4x8xf32>, %k: tensor<2x1x4x8xf32>, %v: tensor<2x1x4x6xf32>,
                %before: tensor<2x4x8x6xf32>) -> (tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>) {
  %y0 = tensor.empty() : tensor<2x1x4x6xf32>
  %s0 = tensor.empty() : tensor<2x4x8x6xf32>
  %y, %s = ssm.step outer identity query(%q : tensor<2x1x4x8xf32>) key(%k : tensor<2x1x4x8xf32>)
      value(%v : tensor<2x1x4x6xf32>) initial(%before : tensor<2x4x8x6xf32>)
      outs(%y0, %s0 : tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>)
      -> tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>
  return %y, %s : tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>
}
