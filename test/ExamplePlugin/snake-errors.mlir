// RUN: weft-opt --load-plugin=%audio %s --split-input-file --verify-diagnostics

func.func @rank(%input: tensor<4xf32>, %alpha: tensor<4xf32>) {
  // expected-error @+1 {{expects an input [N, C, ...] of rank 2 or more, found 'tensor<4xf32>'}}
  %0 = audio.snake %input, %alpha : tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @alpha_rank(%input: tensor<1x4xf32>, %alpha: tensor<4x1xf32>) {
  // expected-error @+1 {{expects alpha of rank 1, found 'tensor<4x1xf32>'}}
  %0 = audio.snake %input, %alpha : tensor<1x4xf32>, tensor<4x1xf32>
  return
}

// -----

func.func @element_type(%input: tensor<1x4xf32>, %alpha: tensor<4xf16>) {
  // expected-error @+1 {{expects one element type, found 'f32' and 'f16'}}
  %0 = audio.snake %input, %alpha : tensor<1x4xf32>, tensor<4xf16>
  return
}

// -----

func.func @channels(%input: tensor<1x4xf32>, %alpha: tensor<5xf32>) {
  // expected-error @+1 {{expects an alpha for each of 4 channels, found 5}}
  %0 = audio.snake %input, %alpha : tensor<1x4xf32>, tensor<5xf32>
  return
}
