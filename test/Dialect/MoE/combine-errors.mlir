// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @values(%v: tensor<?x8xi32>, %p: tensor<4x2xi32>, %y: tensor<4x8xf32>) {
  // expected-error @+1 {{expects values of rank 2 of floats, got}}
  %r = moe.combine ins(%v, %p : tensor<?x8xi32>, tensor<4x2xi32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @positions(%v: tensor<?x8xf32>, %p: tensor<4x2xi64>, %y: tensor<4x8xf32>) {
  // expected-error @+1 {{expects positions of rank 2 of i32, got}}
  %r = moe.combine ins(%v, %p : tensor<?x8xf32>, tensor<4x2xi64>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @init(%v: tensor<?x8xf32>, %p: tensor<4x2xi32>, %y: tensor<4x9xf32>) {
  // expected-error @+1 {{expects an init of 4 x 8 floats, got}}
  %r = moe.combine ins(%v, %p : tensor<?x8xf32>, tensor<4x2xi32>) outs(%y : tensor<4x9xf32>) -> tensor<4x9xf32>
  return
}

// -----

func.func @weights(%v: tensor<?x8xf32>, %p: tensor<4x2xi32>, %y: tensor<4x8xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+1 {{expects weights of floats of the shape of the positions, got}}
  %r = moe.combine ins(%v, %p : tensor<?x8xf32>, tensor<4x2xi32>) weights(%w : tensor<4x3xf32>) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}
