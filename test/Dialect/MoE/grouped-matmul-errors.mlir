// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @input_rank(%x: tensor<8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects an input and an init of rank 2, got}}
  %r = moe.grouped_matmul ins(%x : tensor<8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @offsets(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi64>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects offsets of rank 1 of i32, one more than groups, got}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi64>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @weights_rank(%x: tensor<?x8xf32>, %w0: tensor<8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects weights of rank 3, got}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @weights_shape(%x: tensor<?x8xf32>, %w0: tensor<3x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects weights of 4 groups, 8 rows and 5 columns, got}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<3x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @transposed(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects weights of 4 groups, 8 rows and 5 columns, got}}
  %r = moe.grouped_matmul transposed ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @weights_type(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf64>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{has weights of 'f64' for sums of 'f32'}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf64>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @input_type(%x: tensor<?x8xi32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{has an input of 'i32' for sums of 'f32'}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xi32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_dynamic(%x: tensor<?x8xf32>, %w0: !weft.packed<4x?x5xf32, #weft.format<elem = #lowp.int<4, signed>>>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects packed weights of static extents, got}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : !weft.packed<4x?x5xf32, #weft.format<elem = #lowp.int<4, signed>>>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @bias_count(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>, %b: tensor<4x5xf32>) {
  // expected-error @+1 {{has 2 biases for 1 weights}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) biases(%b, %b : tensor<4x5xf32>, tensor<4x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @bias(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>, %b: tensor<4x6xf32>) {
  // expected-error @+1 {{expects biases of 4 groups and 5 columns, got}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) biases(%b : tensor<4x6xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @indices(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>, %b: tensor<?xi64>) {
  // expected-error @+1 {{expects an index of i32 for each of ? rows, got}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) indices(%b : tensor<?xi64>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @rows(%x: tensor<3x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<4x5xf32>) {
  // expected-error @+1 {{has an input of 3 rows and an init of 4}}
  %r = moe.grouped_matmul ins(%x : tensor<3x8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<4x5xf32>) -> tensor<4x5xf32>
  return
}

// -----

func.func @no_epilogue(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %w1: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{has 2 weights, whose sums only an epilogue combines}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0, %w1 : tensor<4x8x5xf32>, tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @arguments(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{expects an epilogue of 1 'f32' and two index values}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) epilogue {
  ^bb0(%a: f32):
    moe.yield %a : f32
  } -> tensor<?x5xf32>
  return
}

// -----

func.func @yield(%x: tensor<?x8xf32>, %w0: tensor<4x8x5xf32>, %o: tensor<5xi32>, %y: tensor<?x5xf32>) {
  // expected-error @+1 {{has an epilogue that does not yield one 'f32'}}
  %r = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w0 : tensor<4x8x5xf32>) offsets(%o : tensor<5xi32>) outs(%y : tensor<?x5xf32>) epilogue {
  ^bb0(%a: f32, %p: index, %g: index):
    moe.yield %p : index
  } -> tensor<?x5xf32>
  return
}
