// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @dimension(%x: tensor<8xf32>, %init: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{scans along dimension 1 of a tensor of rank 1}}
  %y = weft.scan sum dimension = 1 ins(%x : tensor<8xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

func.func @element(%x: tensor<8xindex>, %init: tensor<8xindex>) -> tensor<8xindex> {
  // expected-error @+1 {{expects numbers, got 'tensor<8xindex>'}}
  %y = weft.scan sum dimension = 0 ins(%x : tensor<8xindex>) outs(%init : tensor<8xindex>) -> tensor<8xindex>
  return %y : tensor<8xindex>
}

// -----

func.func @type(%x: tensor<8xf32>, %init: tensor<8xf64>) -> tensor<8xf64> {
  // expected-error @+1 {{input, init and result differ in type}}
  %y = weft.scan sum dimension = 0 ins(%x : tensor<8xf32>) outs(%init : tensor<8xf64>) -> tensor<8xf64>
  return %y : tensor<8xf64>
}

// -----

func.func @extent(%x: tensor<8xf32>, %init: tensor<9xf32>) -> tensor<9xf32> {
  // expected-error @+1 {{input and init differ in dimension 0}}
  %y = weft.scan sum dimension = 0 ins(%x : tensor<8xf32>) outs(%init : tensor<9xf32>) -> tensor<9xf32>
  return %y : tensor<9xf32>
}
