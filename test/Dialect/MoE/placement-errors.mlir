// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @values(%v: tensor<2x6x4xf32>, %o: tensor<2x5xi32>, %r: tensor<2x9x5xf32>, %b: tensor<2x5xi32>) {
  // expected-error @+1 {{expects values and an init of rank 3 that differ in rows only, got}}
  %y, %z = moe.exchange ins(%v, %o : tensor<2x6x4xf32>, tensor<2x5xi32>) outs(%r, %b : tensor<2x9x5xf32>, tensor<2x5xi32>) -> tensor<2x9x5xf32>, tensor<2x5xi32>
  return
}

// -----

func.func @offsets(%v: tensor<2x6x4xf32>, %o: tensor<3x5xi32>, %r: tensor<2x9x4xf32>, %b: tensor<3x5xi32>) {
  // expected-error @+1 {{expects offsets of i32 for each of 2 ranks, one more than groups, got}}
  %y, %z = moe.exchange ins(%v, %o : tensor<2x6x4xf32>, tensor<3x5xi32>) outs(%r, %b : tensor<2x9x4xf32>, tensor<3x5xi32>) -> tensor<2x9x4xf32>, tensor<3x5xi32>
  return
}

// -----

func.func @bounds(%v: tensor<2x6x4xf32>, %o: tensor<2x5xi32>, %r: tensor<2x9x4xf32>, %b: tensor<2x6xi32>) {
  // expected-error @+1 {{expects an init of type 'tensor<2x5xi32>' for offsets, got}}
  %y, %z = moe.exchange ins(%v, %o : tensor<2x6x4xf32>, tensor<2x5xi32>) outs(%r, %b : tensor<2x9x4xf32>, tensor<2x6xi32>) -> tensor<2x9x4xf32>, tensor<2x6xi32>
  return
}

// -----

func.func @place(%v: tensor<2x6x4xf32>, %o: tensor<2x5xi32>, %r: tensor<2x9x4xf32>, %b: tensor<2x5xi32>, %pl: tensor<5xi32>) {
  // expected-error @+1 {{expects a rank for each group as an i32, got}}
  %y, %z = moe.exchange ins(%v, %o : tensor<2x6x4xf32>, tensor<2x5xi32>) place(%pl : tensor<5xi32>) outs(%r, %b : tensor<2x9x4xf32>, tensor<2x5xi32>) -> tensor<2x9x4xf32>, tensor<2x5xi32>
  return
}

// -----

func.func @ids(%i: tensor<?xi32>, %s: tensor<4xi32>, %t: tensor<4xi32>, %p: tensor<9xi32>, %l: tensor<4xi32>) {
  // expected-error @+1 {{expects numbers of experts of rank 2 of i32, got}}
  %a, %b, %c, %d = moe.residency ins(%i, %s, %t : tensor<?xi32>, tensor<4xi32>, tensor<4xi32>) outs(%p, %l, %l, %l : tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
  return
}

// -----

func.func @slots(%i: tensor<?x2xi32>, %s: tensor<4xi64>, %t: tensor<4xi32>, %p: tensor<9xi32>, %l: tensor<4xi32>) {
  // expected-error @+1 {{expects slots of rank 1 of i32, got}}
  %a, %b, %c, %d = moe.residency ins(%i, %s, %t : tensor<?x2xi32>, tensor<4xi64>, tensor<4xi32>) outs(%p, %l, %l, %l : tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
  return
}

// -----

func.func @place_type(%i: tensor<?x2xi32>, %s: tensor<4xi32>, %t: tensor<4xi32>, %p: tensor<9xi64>, %l: tensor<4xi32>) {
  // expected-error @+1 {{expects a place of rank 1 of i32, got}}
  %a, %b, %c, %d = moe.residency ins(%i, %s, %t : tensor<?x2xi32>, tensor<4xi32>, tensor<4xi32>) outs(%p, %l, %l, %l : tensor<9xi64>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<9xi64>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
  return
}

// -----

func.func @stamps(%i: tensor<?x2xi32>, %s: tensor<4xi32>, %t: tensor<5xi32>, %p: tensor<9xi32>, %l: tensor<4xi32>) {
  // expected-error @+1 {{expects stamps and inits of 4 slots of i32, got}}
  %a, %b, %c, %d = moe.residency ins(%i, %s, %t : tensor<?x2xi32>, tensor<4xi32>, tensor<5xi32>) outs(%p, %l, %l, %l : tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) -> tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
  return
}
