// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @ids(%x: tensor<4x2xi64>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{expects numbers of experts of rank 2 of i32, got}}
  %offsets, %slots, %positions = moe.plan ins(%x : tensor<4x2xi64>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @offsets(%x: tensor<4x2xi32>, %o: tensor<0xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{expects offsets of rank 1 of i32, one more than groups, got}}
  %offsets, %slots, %positions = moe.plan ins(%x : tensor<4x2xi32>) outs(%o, %s, %p : tensor<0xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<0xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @slots(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi64>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{expects slots of rank 1 of i32, got}}
  %offsets, %slots, %positions = moe.plan ins(%x : tensor<4x2xi32>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi64>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi64>, tensor<4x2xi32>
  return
}

// -----

func.func @positions(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x3xi32>) {
  // expected-error @+1 {{expects positions of type 'tensor<4x2xi32>', got}}
  %offsets, %slots, %positions = moe.plan ins(%x : tensor<4x2xi32>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x3xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x3xi32>
  return
}

// -----

func.func @align(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{expects an alignment of 1 to 2^20, got 0}}
  %offsets, %slots, %positions = moe.plan align = 0 ins(%x : tensor<4x2xi32>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @padded(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{pads groups to a capacity, but has none}}
  %offsets, %slots, %positions = moe.plan padded ins(%x : tensor<4x2xi32>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @padded_aligned(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>, %c: index) {
  // expected-error @+1 {{pads groups to a capacity and to an alignment}}
  %offsets, %slots, %positions = moe.plan align = 4 padded ins(%x : tensor<4x2xi32>) capacity(%c) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @drop(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>, %c: index) {
  // expected-error @+1 {{expects weights to drop the least, and for nothing else}}
  %offsets, %slots, %positions = moe.plan drop = least ins(%x : tensor<4x2xi32>) capacity(%c) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @drop_capacity(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>, %w: tensor<4x2xf32>) {
  // expected-error @+1 {{drops the least of groups without a capacity}}
  %offsets, %slots, %positions = moe.plan drop = least ins(%x : tensor<4x2xi32>) weights(%w : tensor<4x2xf32>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @weights(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>, %w: tensor<4x3xf32>, %c: index) {
  // expected-error @+1 {{expects weights of floats of the shape of the numbers, got}}
  %offsets, %slots, %positions = moe.plan drop = least ins(%x : tensor<4x2xi32>) weights(%w : tensor<4x3xf32>) capacity(%c) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @place(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<8xi32>, %p: tensor<4x2xi32>, %w: tensor<4xi64>) {
  // expected-error @+1 {{expects a place for each expert as an i32, got}}
  %offsets, %slots, %positions = moe.plan ins(%x : tensor<4x2xi32>) place(%w : tensor<4xi64>) outs(%o, %s, %p : tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<8xi32>, tensor<4x2xi32>
  return
}

// -----

func.func @few(%x: tensor<4x2xi32>, %o: tensor<5xi32>, %s: tensor<7xi32>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{has 7 positions for 8 slots}}
  %offsets, %slots, %positions = moe.plan ins(%x : tensor<4x2xi32>) outs(%o, %s, %p : tensor<5xi32>, tensor<7xi32>, tensor<4x2xi32>) -> tensor<5xi32>, tensor<7xi32>, tensor<4x2xi32>
  return
}
