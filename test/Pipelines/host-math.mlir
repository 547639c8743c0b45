// REQUIRES: weft
// RUN: weft run %s --quiet --input=4xf32=0,1,2,3 --expect=output0=4xf32=1,2,3,4
// RUN: weft run %s --quiet --input=4xf32=1,1,2,3 --expect=output0=4xf32=1,1,2,3

// What the host computes for a condition needs no library either.

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %limit = arith.constant 2.0 : f32
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %first = tensor.extract %x[%c0] : tensor<4xf32>
  %e = math.exp %first : f32
  %less = arith.cmpf olt, %e, %limit : f32
  %y = scf.if %less -> tensor<4xf32> {
    %empty = tensor.empty() : tensor<4xf32>
    %sum = linalg.add ins(%x, %one : tensor<4xf32>, tensor<4xf32>) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %sum : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
