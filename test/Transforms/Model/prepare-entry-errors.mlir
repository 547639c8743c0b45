// RUN: weft-opt %s --split-input-file --verify-diagnostics --weft-prepare-entry

// expected-error @below {{argument 0 of the entry 'main' is of type 'f32', expected a ranked tensor of floats or whole bytes, a packed one, or an index with 'weft.symbol'}}
func.func @main(%x: f32) -> f32 {
  return %x : f32
}

// -----

// expected-error @below {{result 0 of the entry 'main' is of type 'index', expected a ranked tensor of floats or whole bytes, or a packed one}}
func.func @main(%x: tensor<?xf32>) -> index {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  return %n : index
}

// -----

func.func @main(%x: tensor<4xui32>) -> tensor<4xi32> {
  // expected-error @below {{takes 'tensor<4xui32>' for 'tensor<4xi32>', expected ranked tensors of floats and of integers without a sign}}
  %y = tensor.bitcast %x : tensor<4xui32> to tensor<4xi32>
  return %y : tensor<4xi32>
}

// -----

// expected-error @below {{argument 0 of the entry 'main' is of type 'tensor<4xi1>', expected a ranked tensor of floats or whole bytes, a packed one}}
func.func @main(%x: tensor<4xi1>) -> tensor<4xi1> {
  return %x : tensor<4xi1>
}
