// RUN: weft-opt %s --weft-inline-functions --split-input-file --verify-diagnostics

func.func private @outside(tensor<4xf32>) -> tensor<4xf32>
func.func @declared(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{calls @outside, which has no body}}
  %y = call @outside(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @a(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @b(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @b(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{calls @a, which calls it in turn}}
  %y = call @a(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^bb1
^bb1:
  return %x : tensor<4xf32>
}
func.func @branches(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{calls @blocks, which has several blocks}}
  %y = call @blocks(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
