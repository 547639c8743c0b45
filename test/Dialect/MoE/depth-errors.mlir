// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @mask(%m: tensor<?xi32>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects a mask of rank 1 of i8, got}}
  %z = moe.depth mask(%m : tensor<?xi32>) ins(%x : tensor<?x8xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%r: tensor<?x8xf32>):
    moe.yield %r : tensor<?x8xf32>
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @result(%m: tensor<?xi8>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{has results of other types than its inits}}
  %z = moe.depth mask(%m : tensor<?xi8>) ins(%x : tensor<?x8xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%r: tensor<?x8xf32>):
    moe.yield %r : tensor<?x8xf32>
  } -> tensor<?x9xf32>
  return
}

// -----

func.func @rows(%m: tensor<4xi8>, %x: tensor<5x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects tensors of 4 rows, got}}
  %z = moe.depth mask(%m : tensor<4xi8>) ins(%x : tensor<5x8xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%r: tensor<?x8xf32>):
    moe.yield %r : tensor<?x8xf32>
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @body(%m: tensor<?xi8>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects a body of the inputs' types, with an unknown number of rows}}
  %z = moe.depth mask(%m : tensor<?xi8>) ins(%x : tensor<?x8xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%r: tensor<?x9xf32>):
    moe.yield %r : tensor<?x9xf32>
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @yield(%m: tensor<?xi8>, %x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{has a body that does not yield rows of the inits}}
  %z = moe.depth mask(%m : tensor<?xi8>) ins(%x : tensor<?x8xf32>) outs(%y : tensor<?x8xf32>) {
  ^bb0(%r: tensor<?x8xf32>):
    moe.yield
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @state(%n: index, %c: i1, %x: tensor<8xf32>) {
  // expected-error @+1 {{has results of other types than its state}}
  %k, %z = moe.exit %n init(%x : tensor<8xf32>) {
  ^bb0(%i: index, %h: tensor<8xf32>):
    moe.yield %c, %x : i1, tensor<8xf32>
  } -> index, tensor<9xf32>
  return
}

// -----

func.func @exit_body(%n: index, %c: i1, %x: tensor<8xf32>) {
  // expected-error @+1 {{expects a body of an index and the state}}
  %k, %z = moe.exit %n init(%x : tensor<8xf32>) {
  ^bb0(%h: tensor<8xf32>):
    moe.yield %c, %x : i1, tensor<8xf32>
  } -> index, tensor<8xf32>
  return
}

// -----

func.func @exit_yield(%n: index, %c: i1, %x: tensor<8xf32>) {
  // expected-error @+1 {{has a body that does not yield an i1 and the state}}
  %k, %z = moe.exit %n init(%x : tensor<8xf32>) {
  ^bb0(%i: index, %h: tensor<8xf32>):
    moe.yield %x : tensor<8xf32>
  } -> index, tensor<8xf32>
  return
}
