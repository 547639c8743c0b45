// RUN: weft-opt %s --split-input-file --verify-diagnostics --weft-prepare-entry

// expected-error @below {{argument 0 of the entry 'main' is of type 'f32', expected a ranked tensor, a packed one, or an index with 'weft.symbol'}}
func.func @main(%x: f32) -> f32 {
  return %x : f32
}

// -----

// expected-error @below {{result 0 of the entry 'main' is of type 'index', expected a ranked tensor or a packed one}}
func.func @main(%x: tensor<?xf32>) -> index {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  return %n : index
}

// -----

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{calls 'elsewhere', which cannot be inlined: it has no body, or calls itself}}
  %y = call @elsewhere(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @elsewhere(tensor<4xf32>) -> tensor<4xf32>

// -----

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{calls 'again', which cannot be inlined: it has no body, or calls itself}}
  %y = call @again(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @again(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @again(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @main(%x: tensor<4xui32>) -> tensor<4xi32> {
  // expected-error @below {{takes 'tensor<4xui32>' for 'tensor<4xi32>', expected ranked tensors of floats and of integers without a sign}}
  %y = tensor.bitcast %x : tensor<4xui32> to tensor<4xi32>
  return %y : tensor<4xi32>
}
