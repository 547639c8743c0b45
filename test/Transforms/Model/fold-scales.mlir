// Scales and shifts of channels go into the weights; the negative cases are at
// the end.

// RUN: weft-opt %s --weft-raise-contractions --weft-fold-scales --split-input-file | FileCheck %s

#id = affine_map<(n, m, i, j) -> (n, m, i, j)>
#channel = affine_map<(n, m, i, j) -> (m)>

// CHECK-DAG: #[[$ALL:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[$FILTER:.*]] = affine_map<(d0, d1, d2, d3) -> (d0)>
// CHECK-DAG: #[[$RESULT:.*]] = affine_map<(d0, d1, d2, d3) -> (d1)>
// CHECK-LABEL: func @normalized
// CHECK-SAME: %[[X:.*]]: tensor<?x2x5x5xf32>
func.func @normalized(%x: tensor<?x2x5x5xf32>, %n: index) -> tensor<?x3x3x3xf32> {
  // CHECK-DAG: %[[S:.*]] = arith.constant dense<[2.0
  // CHECK-DAG: %[[T:.*]] = arith.constant dense<[5.0
  // CHECK: %[[W:.*]] = linalg.generic {{.*}}#[[$ALL]], #[[$FILTER]], #[[$FILTER]], #[[$ALL]]
  // CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f32, %{{.*}}: f32):
  // CHECK-NEXT: %[[P:.*]] = arith.mulf %[[A]], %[[B]]
  // CHECK-NEXT: linalg.yield %[[P]]
  // CHECK: %[[V:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[T]]
  // CHECK: arith.mulf
  // CHECK: arith.addf
  // CHECK: %[[INIT:.*]] = linalg.generic {{.*}}#[[$RESULT]], #[[$ALL]]{{.*}} ins(%[[V]]
  // CHECK: %[[Y:.*]] = weft.conv {{.*}} ins(%[[X]], %[[W]] {{.*}} outs(%[[INIT]]
  // CHECK: return %[[Y]]
  %w = arith.constant dense<3.0> : tensor<3x2x3x3xf32>
  %s = arith.constant dense<[2.0, 3.0, 4.0]> : tensor<3xf32>
  %t = arith.constant dense<[5.0, 6.0, 7.0]> : tensor<3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x3x3x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3x3x3xf32>) -> tensor<?x3x3x3xf32>
  %c = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
    ins(%x, %w : tensor<?x2x5x5xf32>, tensor<3x2x3x3xf32>) outs(%f : tensor<?x3x3x3xf32>) -> tensor<?x3x3x3xf32>
  %y = linalg.generic {indexing_maps = [#id, #channel, #channel, #id],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%c, %s, %t : tensor<?x3x3x3xf32>, tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<?x3x3x3xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %p, %d : f32
    linalg.yield %q : f32
  } -> tensor<?x3x3x3xf32>
  return %y : tensor<?x3x3x3xf32>
}

// -----

// A scale alone leaves a start value of zero.
// CHECK-LABEL: func @columns
func.func @columns(%x: tensor<4x8xf32>) -> tensor<4x5xf32> {
  // CHECK: %[[W:.*]] = linalg.generic
  // CHECK: arith.mulf
  // CHECK: %[[Y:.*]] = weft.contract {{.*}} ins(%{{.*}}, %[[W]] : {{.*}} outs(%{{.*}} : tensor<4x5xf32>)
  // CHECK: return %[[Y]]
  %w = arith.constant dense<3.0> : tensor<8x5xf32>
  %s = arith.constant dense<[2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<5xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
      affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%f : tensor<4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %o, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>,
      affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
    ins(%c, %s : tensor<4x5xf32>, tensor<5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// Rows are not channels of the weight; a scale that is no constant stays.
// CHECK-LABEL: func @stays
func.func @stays(%x: tensor<4x8xf32>, %given: tensor<5xf32>) -> (tensor<4x5xf32>, tensor<4x5xf32>) {
  // CHECK: weft.contract
  // CHECK: weft.contract
  // CHECK: linalg.generic {{.*}}["parallel", "parallel"]
  // CHECK: linalg.generic {{.*}}["parallel", "parallel"]
  %w = arith.constant dense<3.0> : tensor<8x5xf32>
  %s = arith.constant dense<[2.0, 3.0, 4.0, 5.0]> : tensor<4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
      affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%f : tensor<4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %o, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x5xf32>
  %c2 = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
      affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%f : tensor<4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %o, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>,
      affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
    ins(%c, %s : tensor<4x5xf32>, tensor<4xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<4x5xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>,
      affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
    ins(%c2, %given : tensor<4x5xf32>, tensor<5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<4x5xf32>
  return %y, %z : tensor<4x5xf32>, tensor<4x5xf32>
}
