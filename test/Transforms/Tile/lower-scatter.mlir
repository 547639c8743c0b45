// RUN: weft-opt %s --weft-lower-scatter | FileCheck %s

// Windows of 700 elements in parts of 44 at a time, each with all updates in order.
// CHECK-LABEL: weft.kernel @windows
// CHECK: scf.forall
// CHECK: arith.minsi
// CHECK: tensor.extract_slice {{.*}} [50, %
// CHECK: scf.for
// CHECK: scf.for
// CHECK: arith.addf
// CHECK: tensor.parallel_insert_slice
// CHECK-NOT: weft.scatter
// CHECK: weft.yield
weft.kernel @windows(%i: tensor<300x1xi64>, %u: tensor<300x700xf32>, %x: tensor<50x700xf32>) outs 1 {
  %y = weft.scatter ins(%i, %u : tensor<300x1xi64>, tensor<300x700xf32>) outs(%x : tensor<50x700xf32>) {
  ^bb0(%old: f32, %new: f32):
    %sum = arith.addf %old, %new : f32
    weft.yield %sum : f32
  } -> tensor<50x700xf32>
  weft.yield %y : tensor<50x700xf32>
}

// Single elements meet: the reference applies them in order.
// CHECK-LABEL: weft.kernel @elements
// CHECK-NOT: scf.forall
// CHECK: weft.scatter
weft.kernel @elements(%i: tensor<9000x2xi64>, %u: tensor<9000xf32>, %x: tensor<50x700xf32>) outs 1 {
  %y = weft.scatter ins(%i, %u : tensor<9000x2xi64>, tensor<9000xf32>) outs(%x : tensor<50x700xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<50x700xf32>
  weft.yield %y : tensor<50x700xf32>
}

// Little to do.
// CHECK-LABEL: weft.kernel @small
// CHECK-NOT: scf.forall
// CHECK: weft.scatter
weft.kernel @small(%i: tensor<3x1xi64>, %u: tensor<3x700xf32>, %x: tensor<50x700xf32>) outs 1 {
  %y = weft.scatter ins(%i, %u : tensor<3x1xi64>, tensor<3x700xf32>) outs(%x : tensor<50x700xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<50x700xf32>
  weft.yield %y : tensor<50x700xf32>
}
