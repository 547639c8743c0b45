// RUN: weft-opt %s --weft-hoist-scratch --verify-diagnostics

weft.kernel @k(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  weft.yield
}

// expected-error @+1 {{does not take what 'k' takes}}
weft.kernel @k.small(%n: index, %x: memref<4xf32>, %y: memref<4xf32>) outs 1 attributes {weft.variant = "small", weft.variant_of = @k} {
  weft.yield
}
