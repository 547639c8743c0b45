// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @gather_rows(%x: tensor<4x3xf32>, %i: tensor<5x1xi64>, %init: tensor<6x3xf32>) -> tensor<6x3xf32> {
  // expected-error @+1 {{expects init of extent 5 in dimension 0, got 6}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<4x3xf32>, tensor<5x1xi64>) outs(%init : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %y : tensor<6x3xf32>
}

// -----

func.func @gather_slice(%x: tensor<4x3xf32>, %i: tensor<5x1xi64>, %init: tensor<5x9xf32>) -> tensor<5x9xf32> {
  // expected-error @+1 {{expects init of extent 3 in dimension 1, got 9}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<4x3xf32>, tensor<5x1xi64>) outs(%init : tensor<5x9xf32>) -> tensor<5x9xf32>
  return %y : tensor<5x9xf32>
}

// -----

func.func @gather_batch(%x: tensor<2x3xf32>, %i: tensor<5x7x1xi64>, %init: tensor<5x7xf32>) -> tensor<5x7xf32> {
  // expected-error @+1 {{data and indices differ in batch dimension 0: 2 and 5}}
  %y = weft.gather batch_dims = 1 ins(%x, %i : tensor<2x3xf32>, tensor<5x7x1xi64>) outs(%init : tensor<5x7xf32>) -> tensor<5x7xf32>
  return %y : tensor<5x7xf32>
}

// -----

func.func @gather_tuple(%x: tensor<2x3xf32>, %i: tensor<5x3xi64>, %init: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{has 0 batch dimensions and tuples of 3 for data of rank 2}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<2x3xf32>, tensor<5x3xi64>) outs(%init : tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

func.func @gather_signed(%x: tensor<2xf32>, %i: tensor<5x1xui8>, %init: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{expects integer indices of rank >= 1}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<2xf32>, tensor<5x1xui8>) outs(%init : tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

func.func @scatter_rows(%i: tensor<2x1xi64>, %u: tensor<3x3xf32>, %init: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{expects updates of extent 2 in dimension 0, got 3}}
  %y = weft.scatter ins(%i, %u : tensor<2x1xi64>, tensor<3x3xf32>) outs(%init : tensor<4x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @scatter_slice(%i: tensor<2x1xi64>, %u: tensor<2x5xf32>, %init: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{expects updates of extent 3 in dimension 1, got 5}}
  %y = weft.scatter ins(%i, %u : tensor<2x1xi64>, tensor<2x5xf32>) outs(%init : tensor<4x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @scatter_combiner(%i: tensor<2x1xi64>, %u: tensor<2xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has a combiner that does not yield one 'f32'}}
  %y = weft.scatter ins(%i, %u : tensor<2x1xi64>, tensor<2xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %a, %b : f32, f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @sort_kept(%x: tensor<4xf32>, %v: tensor<5xf32>, %i: tensor<5xi64>) -> tensor<5xf32> {
  // expected-error @+1 {{keeps 5 of 4 elements}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xf32>) outs(%v, %i : tensor<5xf32>, tensor<5xi64>) -> tensor<5xf32>, tensor<5xi64>
  return %y : tensor<5xf32>
}

// -----

func.func @sort_rows(%x: tensor<4x6xf32>, %v: tensor<3x6xf32>, %i: tensor<3x6xi64>) -> tensor<3x6xf32> {
  // expected-error @+1 {{input and values differ in dimension 0}}
  %y, %j = weft.sort dimension = 1 ins(%x : tensor<4x6xf32>) outs(%v, %i : tensor<3x6xf32>, tensor<3x6xi64>) -> tensor<3x6xf32>, tensor<3x6xi64>
  return %y : tensor<3x6xf32>
}

// -----

func.func @sort_type(%x: tensor<4xindex>, %v: tensor<4xindex>, %i: tensor<4xi64>) -> tensor<4xindex> {
  // expected-error @+1 {{expects numbers, got 'tensor<4xindex>'}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xindex>) outs(%v, %i : tensor<4xindex>, tensor<4xi64>) -> tensor<4xindex>, tensor<4xi64>
  return %y : tensor<4xindex>
}

// -----

func.func @nonzero_columns(%x: tensor<4x2xf32>, %i: tensor<2x7xi64>, %n: tensor<i64>) -> tensor<2x7xi64> {
  // expected-error @+1 {{expects indices with 8 columns, got 7}}
  %y, %c = weft.nonzero ins(%x : tensor<4x2xf32>) outs(%i, %n : tensor<2x7xi64>, tensor<i64>) -> tensor<2x7xi64>, tensor<i64>
  return %y : tensor<2x7xi64>
}

// -----

func.func @nonzero_rows(%x: tensor<4x2xf32>, %i: tensor<3x8xi64>, %n: tensor<i64>) -> tensor<3x8xi64> {
  // expected-error @+1 {{expects indices of type tensor<2x?xi64>}}
  %y, %c = weft.nonzero ins(%x : tensor<4x2xf32>) outs(%i, %n : tensor<3x8xi64>, tensor<i64>) -> tensor<3x8xi64>, tensor<i64>
  return %y : tensor<3x8xi64>
}
