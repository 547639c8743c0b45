// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) {
  // expected-error @below {{'sparse.prune' op has a result of type 'tensor<4x9xf32>' and an init of type 'tensor<4x8xf32>'}}
  %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x9xf32>
  return
}

// -----

func.func @f(%x: tensor<4xcomplex<f32>>, %i: tensor<4xcomplex<f32>>) {
  // expected-error @below {{'sparse.prune' op has elements 'complex<f32>', which have no magnitude here}}
  %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<4xcomplex<f32>>) outs(%i : tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xf16>) {
  // expected-error @below {{'sparse.prune' op has numbers 'tensor<4x8xf32>' and a result 'tensor<4x8xf16>'}}
  %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf16>) -> tensor<4x8xf16>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>, %s: tensor<8xf32>) {
  // expected-error @below {{'sparse.prune' op has numbers 'tensor<4x8xf32>' and scores 'tensor<8xf32>'}}
  %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<4x8xf32>) scores(%s : tensor<8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) {
  // expected-error @below {{'sparse.prune' op #sparse.nm<2, 4, axis = 5> has an axis that a tensor of rank 2 has not}}
  %y = sparse.prune to #sparse.nm<2, 4, axis = 5> ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) {
  // expected-error @below {{'sparse.prune' op prunes to #sparse.csr<i16>, which has room for all numbers}}
  %y = sparse.prune to #sparse.csr<i16> ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xi8>) {
  // expected-error @below {{'sparse.topk_mask' op has dimension 2 of a tensor of rank 2}}
  %y = sparse.topk_mask k = 3 dimension = 2 ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xi8>) -> tensor<4x8xi8>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xi32>) {
  // expected-error @below {{'sparse.topk_mask' op has numbers 'tensor<4x8xf32>' and a mask 'tensor<4x8xi32>'}}
  %y = sparse.topk_mask k = 3 dimension = 1 ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xi32>) -> tensor<4x8xi32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %i: tensor<4x8xi8>) {
  // expected-error @below {{'sparse.topk_mask' op marks -1 numbers}}
  %y = sparse.topk_mask k = -1 dimension = 1 ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xi8>) -> tensor<4x8xi8>
  return
}

// -----

func.func @f(%x: tensor<9x4xf32>, %m: tensor<4xi8>, %v: tensor<5x4xf32>, %p: tensor<5xi32>) {
  // expected-error @below {{'sparse.compact' op has numbers 'tensor<9x4xf32>' and a mask 'tensor<4xi8>'}}
  %y, %q = sparse.compact dimension = 0 ins(%x, %m : tensor<9x4xf32>, tensor<4xi8>) outs(%v, %p : tensor<5x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>, tensor<5xi32>
  return
}

// -----

func.func @f(%x: tensor<9x4xf32>, %m: tensor<9xi8>, %v: tensor<5x4xf32>, %p: tensor<5xi64>) {
  // expected-error @below {{'sparse.compact' op has positions 'tensor<5xi64>', expected a vector of i32}}
  %y, %q = sparse.compact dimension = 0 ins(%x, %m : tensor<9x4xf32>, tensor<9xi8>) outs(%v, %p : tensor<5x4xf32>, tensor<5xi64>) -> tensor<5x4xf32>, tensor<5xi64>
  return
}

// -----

func.func @f(%x: tensor<9x4xf32>, %m: tensor<9xi8>, %v: tensor<6x4xf32>, %p: tensor<5xi32>) {
  // expected-error @below {{'sparse.compact' op has numbers 'tensor<9x4xf32>', positions 'tensor<5xi32>' and values 'tensor<6x4xf32>'}}
  %y, %q = sparse.compact dimension = 0 ins(%x, %m : tensor<9x4xf32>, tensor<9xi8>) outs(%v, %p : tensor<6x4xf32>, tensor<5xi32>) -> tensor<6x4xf32>, tensor<5xi32>
  return
}

// -----

func.func @f(%v: tensor<5x4xf32>, %p: tensor<5x1xi32>, %i: tensor<9x4xf32>) {
  // expected-error @below {{'sparse.expand' op has positions 'tensor<5x1xi32>', expected a vector of i32}}
  %y = sparse.expand dimension = 0 ins(%v, %p : tensor<5x4xf32>, tensor<5x1xi32>) outs(%i : tensor<9x4xf32>) -> tensor<9x4xf32>
  return
}

// -----

func.func @f(%v: tensor<5x3xf32>, %p: tensor<5xi32>, %i: tensor<9x4xf32>) {
  // expected-error @below {{'sparse.expand' op has values 'tensor<5x3xf32>', positions 'tensor<5xi32>' and a result 'tensor<9x4xf32>'}}
  %y = sparse.expand dimension = 0 ins(%v, %p : tensor<5x3xf32>, tensor<5xi32>) outs(%i : tensor<9x4xf32>) -> tensor<9x4xf32>
  return
}
