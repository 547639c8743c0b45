// RUN: weft-opt %s --weft-lower-scan | FileCheck %s

// Along the last dimension the rows are independent and carry their sum.
// CHECK-LABEL: weft.kernel @rows
// CHECK: scf.forall
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (f32, tensor<64xf32>)
weft.kernel @rows(%x: tensor<32x64xf32>, %y: tensor<32x64xf32>) outs 1 {
  %r = weft.scan sum dimension = 1 ins(%x : tensor<32x64xf32>) outs(%y : tensor<32x64xf32>) -> tensor<32x64xf32>
  weft.yield %r : tensor<32x64xf32>
}

// Along another one blocks of columns are, and a row is computed from the one before.
// CHECK-LABEL: weft.kernel @columns
// CHECK: scf.forall ({{.*}}) = (0, 0) to (3, 1000) step (1, 63)
// CHECK: %[[FIRST:.*]] = scf.for
// CHECK: scf.for {{.*}} iter_args({{.*}} = %[[FIRST]])
// CHECK: tensor.parallel_insert_slice
weft.kernel @columns(%x: tensor<3x64x1000xf32>, %y: tensor<3x64x1000xf32>) outs 1 {
  %r = weft.scan sum dimension = 1 ins(%x : tensor<3x64x1000xf32>) outs(%y : tensor<3x64x1000xf32>) -> tensor<3x64x1000xf32>
  weft.yield %r : tensor<3x64x1000xf32>
}

// There are no rows to cut out of an empty tensor.
// CHECK-LABEL: weft.kernel @empty
// CHECK-SAME: %[[Y:[^:, ]+]]: tensor<?x0xf32>) outs
// CHECK-NEXT: weft.yield %[[Y]]
weft.kernel @empty(%n: index, %x: tensor<?x0xf32>, %y: tensor<?x0xf32>) outs 1 {
  %r = weft.scan sum dimension = 1 ins(%x : tensor<?x0xf32>) outs(%y : tensor<?x0xf32>) -> tensor<?x0xf32>
  weft.yield %r : tensor<?x0xf32>
}
