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

// -----

func.func @gather_dynamic(%x: tensor<2x3xf32>, %i: tensor<5x?xi64>, %init: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{expects index tuples of static size}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<2x3xf32>, tensor<5x?xi64>) outs(%init : tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

func.func @gather_rank(%x: tensor<2x3xf32>, %i: tensor<5x1xi64>, %init: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{expects an init of rank 2, got 1}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<2x3xf32>, tensor<5x1xi64>) outs(%init : tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

func.func @gather_type(%x: tensor<2x3xf32>, %i: tensor<5x1xi64>, %init: tensor<5x3xi32>) -> tensor<5x3xi32> {
  // expected-error @+1 {{data, init and result differ in type}}
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<2x3xf32>, tensor<5x1xi64>) outs(%init : tensor<5x3xi32>) -> tensor<5x3xi32>
  return %y : tensor<5x3xi32>
}

// -----

func.func @scatter_signed(%i: tensor<2x1xf32>, %u: tensor<2x3xf32>, %x: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{expects integer indices of rank >= 1}}
  %y = weft.scatter ins(%i, %u : tensor<2x1xf32>, tensor<2x3xf32>) outs(%x : tensor<4x3xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @scatter_tuple(%i: tensor<2x3xi64>, %u: tensor<2xf32>, %x: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{expects index tuples of static size up to the rank of the init, 2}}
  %y = weft.scatter ins(%i, %u : tensor<2x3xi64>, tensor<2xf32>) outs(%x : tensor<4x3xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @scatter_rank(%i: tensor<2x1xi64>, %u: tensor<2xf32>, %x: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{expects updates of rank 2, got 1}}
  %y = weft.scatter ins(%i, %u : tensor<2x1xi64>, tensor<2xf32>) outs(%x : tensor<4x3xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @scatter_type(%i: tensor<2x1xi64>, %u: tensor<2x3xi32>, %x: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{updates, init, result and combiner differ in type}}
  %y = weft.scatter ins(%i, %u : tensor<2x1xi64>, tensor<2x3xi32>) outs(%x : tensor<4x3xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @sort_dimension(%x: tensor<4xf32>, %v: tensor<4xf32>, %i: tensor<4xi64>) -> tensor<4xf32> {
  // expected-error @+1 {{sorts along dimension 1 of a tensor of rank 1}}
  %y, %j = weft.sort dimension = 1 ins(%x : tensor<4xf32>) outs(%v, %i : tensor<4xf32>, tensor<4xi64>) -> tensor<4xf32>, tensor<4xi64>
  return %y : tensor<4xf32>
}

// -----

func.func @sort_index(%x: tensor<4xindex>, %v: tensor<4xindex>, %i: tensor<4xi64>) -> tensor<4xindex> {
  // expected-error @+1 {{expects numbers, got}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xindex>) outs(%v, %i : tensor<4xindex>, tensor<4xi64>) -> tensor<4xindex>, tensor<4xi64>
  return %y : tensor<4xindex>
}

// -----

func.func @sort_positions(%x: tensor<4xf32>, %v: tensor<4xf32>, %i: tensor<4xi32>) -> tensor<4xf32> {
  // expected-error @+1 {{expects positions of type i64, got}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xf32>) outs(%v, %i : tensor<4xf32>, tensor<4xi32>) -> tensor<4xf32>, tensor<4xi32>
  return %y : tensor<4xf32>
}

// -----

func.func @sort_element(%x: tensor<4xf32>, %v: tensor<4xi32>, %i: tensor<4xi64>) -> tensor<4xi32> {
  // expected-error @+1 {{input and values differ in element type}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xf32>) outs(%v, %i : tensor<4xi32>, tensor<4xi64>) -> tensor<4xi32>, tensor<4xi64>
  return %y : tensor<4xi32>
}

// -----

func.func @sort_shape(%x: tensor<4xf32>, %v: tensor<4xf32>, %i: tensor<3xi64>) -> tensor<4xf32> {
  // expected-error @+1 {{expects values and positions of one shape and of the input's rank}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xf32>) outs(%v, %i : tensor<4xf32>, tensor<3xi64>) -> tensor<4xf32>, tensor<3xi64>
  return %y : tensor<4xf32>
}

// -----

func.func @sort_result(%x: tensor<4xf32>, %v: tensor<4xf32>, %i: tensor<4xi64>) -> tensor<?xf32> {
  // expected-error @+1 {{result types differ from the inits'}}
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<4xf32>) outs(%v, %i : tensor<4xf32>, tensor<4xi64>) -> tensor<?xf32>, tensor<4xi64>
  return %y : tensor<?xf32>
}

// -----

func.func @nonzero_count(%x: tensor<4xf32>, %i: tensor<1x4xi64>, %n: tensor<i32>) -> tensor<1x4xi64> {
  // expected-error @+1 {{expects a count of type tensor<i64>, got}}
  %j, %c = weft.nonzero ins(%x : tensor<4xf32>) outs(%i, %n : tensor<1x4xi64>, tensor<i32>) -> tensor<1x4xi64>, tensor<i32>
  return %j : tensor<1x4xi64>
}

// -----

func.func @nonzero_result(%x: tensor<4xf32>, %i: tensor<1x4xi64>, %n: tensor<i64>) -> tensor<1x?xi64> {
  // expected-error @+1 {{result types differ from the inits'}}
  %j, %c = weft.nonzero ins(%x : tensor<4xf32>) outs(%i, %n : tensor<1x4xi64>, tensor<i64>) -> tensor<1x?xi64>, tensor<i64>
  return %j : tensor<1x?xi64>
}

// -----

func.func @scatter(%x: tensor<4xf32>, %i: tensor<i64>, %u: tensor<f32>) {
  // expected-error @below {{'weft.scatter' op expects integer indices of rank >= 1, got 'tensor<i64>'}}
  %y = weft.scatter ins(%i, %u : tensor<i64>, tensor<f32>) outs(%x : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  } -> tensor<4xf32>
  return
}
