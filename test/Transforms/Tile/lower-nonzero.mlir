// REQUIRES: weft
// RUN: weft-opt %s --weft-lower-nonzero | FileCheck %s
// RUN: weft run %s --quiet --threads=3 --input='x=2x3xf32=0 nan -0 1 0 2' --input=s=f32=3 \
// RUN:   --expect='output1=i64=3' --expect='output3=i64=1' > %t.small
// RUN: weft run %s --quiet --input='x=0x3xf32' --input=s=f32=0 --expect='output1=i64=0' --expect='output3=i64=0'

// Chunks are counted in parallel, then written in parallel.
// CHECK-LABEL: weft.kernel @matrix
// CHECK-NOT: weft.nonzero
// CHECK: scf.forall
// CHECK: arith.cmpf une
// CHECK: scf.for
// CHECK: scf.forall
// CHECK: scf.if
// CHECK: tensor.parallel_insert_slice {{.*}}[2, %
weft.kernel @matrix(%x: tensor<?x3xf32>, %i: tensor<2x?xi64>, %n: tensor<i64>) outs 2 {
  %j, %c = weft.nonzero ins(%x : tensor<?x3xf32>) outs(%i, %n : tensor<2x?xi64>, tensor<i64>)
    -> tensor<2x?xi64>, tensor<i64>
  weft.yield %j, %c : tensor<2x?xi64>, tensor<i64>
}

// One element is left to the reference.
// CHECK-LABEL: weft.kernel @scalar
// CHECK: weft.nonzero
weft.kernel @scalar(%x: tensor<f32>, %i: tensor<0x1xi64>, %n: tensor<i64>) outs 2 {
  %j, %c = weft.nonzero ins(%x : tensor<f32>) outs(%i, %n : tensor<0x1xi64>, tensor<i64>)
    -> tensor<0x1xi64>, tensor<i64>
  weft.yield %j, %c : tensor<0x1xi64>, tensor<i64>
}

func.func @main(%rows: index {weft.symbol = "rows"},
                %x: tensor<?x3xf32> {weft.name = "x", weft.dims = ["rows", 3]}, %s: tensor<f32> {weft.name = "s"})
    -> (tensor<2x?xi64>, tensor<i64>, tensor<0x1xi64>, tensor<i64>) {
  %c3 = arith.constant 3 : index
  %size = arith.muli %rows, %c3 : index
  %i = tensor.empty(%size) : tensor<2x?xi64>
  %n = tensor.empty() : tensor<i64>
  %j:2 = weft.dispatch @matrix ins(%x : tensor<?x3xf32>) outs(%i, %n : tensor<2x?xi64>, tensor<i64>) -> tensor<2x?xi64>, tensor<i64>
  %e = tensor.empty() : tensor<0x1xi64>
  %m = tensor.empty() : tensor<i64>
  %k:2 = weft.dispatch @scalar ins(%s : tensor<f32>) outs(%e, %m : tensor<0x1xi64>, tensor<i64>) -> tensor<0x1xi64>, tensor<i64>
  return %j#0, %j#1, %k#0, %k#1 : tensor<2x?xi64>, tensor<i64>, tensor<0x1xi64>, tensor<i64>
}
