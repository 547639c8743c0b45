// RUN: weft-opt --weft-bufferize-host --split-input-file --verify-diagnostics %s

// Functions are inlined before, but for these.

func.func @forever(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{the call of 'forever' cannot be inlined: it calls itself or has no body}}
  %y = call @forever(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @elsewhere() -> tensor<4xf32>
func.func @main() -> tensor<4xf32> {
  // expected-error @below {{the call of 'elsewhere' cannot be inlined: it calls itself or has no body}}
  %y = call @elsewhere() : () -> tensor<4xf32>
  return %y : tensor<4xf32>
}
