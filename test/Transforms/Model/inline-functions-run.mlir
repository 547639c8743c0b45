// REQUIRES: weft
// RUN: weft run %s --quiet --no-cache --input='x=3xf32=1 2 3' --expect='output0=3xf32=4 8 12'
// RUN: weft run %s --quiet --no-cache --target=emulation --device=emulation \
// RUN:   --input='x=3xf32=1 2 3' --expect='output0=3xf32=4 8 12'

func.func private @double(%x: tensor<3xf32>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %y = linalg.add ins(%x, %x : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

func.func @main(%x: tensor<3xf32> {weft.name = "x"}) -> tensor<3xf32> {
  %y = call @double(%x) : (tensor<3xf32>) -> tensor<3xf32>
  %z = call @double(%y) : (tensor<3xf32>) -> tensor<3xf32>
  return %z : tensor<3xf32>
}
