// RUN: weft-opt %s --weft-outline-kernels --split-input-file --verify-diagnostics | FileCheck %s

// What kernels take: extents and other numbers as index values, floats by their
// bits, complex numbers by their parts; then tensors.

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func @scalars
// CHECK-SAME: (%[[X:.*]]: tensor<?xf32>, %[[F:.*]]: f32, %[[B:.*]]: i1, %[[D:.*]]: index)
func.func @scalars(%x: tensor<?xf32>, %f: f32, %b: i1, %d: index) -> tensor<?xf32> {
  // CHECK-DAG: %[[FBITS:.*]] = arith.bitcast %[[F]] : f32 to i32
  // CHECK-DAG: %[[FINDEX:.*]] = arith.index_castui %[[FBITS]] : i32 to index
  // CHECK-DAG: %[[BINDEX:.*]] = arith.index_castui %[[B]] : i1 to index
  // CHECK: weft.dispatch @[[KERNEL:.*]][{{.*}}] ins(%[[X]] : tensor<?xf32>)
  // CHECK-NOT: linalg.generic
  %empty = tensor.empty(%d) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%empty : tensor<?xf32>) {
  ^bb0(%e: f32, %o: f32):
    %s = arith.addf %e, %f : f32
    %z = arith.select %b, %s, %e : f32
    linalg.yield %z : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}
// CHECK: weft.kernel @[[KERNEL]](
// CHECK: arith.bitcast %{{.*}} : i32 to f32
// CHECK: linalg.generic
// CHECK: weft.yield

// -----

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func @complex
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %[[Z:.*]]: complex<f32>)
func.func @complex(%x: tensor<4xf32>, %z: complex<f32>) -> tensor<4xf32> {
  // CHECK-DAG: complex.re %[[Z]]
  // CHECK-DAG: complex.im %[[Z]]
  // CHECK: weft.dispatch
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%empty : tensor<4xf32>) {
  ^bb0(%e: f32, %o: f32):
    %r = complex.abs %z : complex<f32>
    %s = arith.addf %e, %r : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
// CHECK: weft.kernel
// CHECK: complex.create

// -----

#id = affine_map<(d0) -> (d0)>

func.func @too_wide(%x: tensor<4xi128>, %w: i128) -> tensor<4xi128> {
  %empty = tensor.empty() : tensor<4xi128>
  // expected-error @+1 {{uses a 'i128', which kernels cannot take}}
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4xi128>) outs(%empty : tensor<4xi128>) {
  ^bb0(%e: i128, %o: i128):
    %s = arith.addi %e, %w : i128
    linalg.yield %s : i128
  } -> tensor<4xi128>
  return %y : tensor<4xi128>
}

// -----

// Equal computations are one kernel, whatever their nodes are called, and those
// of other types are not.

#id = affine_map<(d0) -> (d0)>
#loc = loc("first")

// CHECK-LABEL: func @shared
func.func @shared(%x: tensor<4xf32>, %w: tensor<4xf32>, %z: tensor<5xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<5xf32>) {
  // CHECK: weft.dispatch @[[A:[a-z_0-9]+]] ins(%{{.*}} : tensor<4xf32>)
  // CHECK: weft.dispatch @[[A]] ins
  // CHECK: weft.dispatch @[[B:[a-z_0-9]+]] ins(%{{.*}} : tensor<5xf32>)
  %e4 = tensor.empty() : tensor<4xf32>
  %e5 = tensor.empty() : tensor<5xf32>
  %a = linalg.exp ins(%x : tensor<4xf32>) outs(%e4 : tensor<4xf32>) -> tensor<4xf32> loc(#loc)
  %b = linalg.exp ins(%w : tensor<4xf32>) outs(%e4 : tensor<4xf32>) -> tensor<4xf32> loc("second")
  %c = linalg.exp ins(%z : tensor<5xf32>) outs(%e5 : tensor<5xf32>) -> tensor<5xf32>
  return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<5xf32>
}
// CHECK-COUNT-2: weft.kernel @
// CHECK-NOT: weft.kernel @
