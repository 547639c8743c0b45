// Named contractions and structured operations that multiply and accumulate become
// `weft.contract`; other operations keep their form.

// RUN: weft-opt %s --weft-raise-contractions | FileCheck %s

// And so they are vectorised rather than reported.
// RUN: weft-opt %s --weft-model --weft-fuse --weft-tile --weft-vector --remarks-filter=vector 2>&1 \
// RUN:   | FileCheck %s --check-prefix=VECTOR --implicit-check-not=fallback

// CHECK-DAG: #[[$ROWS:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$COLUMNS:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[$RESULT:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func @main
// CHECK-NOT: linalg.matmul
// CHECK-NOT: linalg.batch_matmul
// CHECK-NOT: linalg.matvec
// CHECK-NOT: linalg.contract
// CHECK-NOT: linalg.generic
// CHECK: weft.contract indexing_maps = [#[[$ROWS]], #[[$COLUMNS]], #[[$RESULT]]]
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<64x128xf32>) outs(%{{.*}} : tensor<?x128xf32>)
// CHECK-COUNT-3: weft.contract
// CHECK: linalg.transpose

// VECTOR: weft.kernel @contract_0
// VECTOR: math.fma {{.*}}vector<
// VECTOR: weft.kernel @contract_1
// VECTOR: math.fma {{.*}}vector<
func.func @main(%n: index {weft.symbol = "n"},
                %a: tensor<?x64xf32> {weft.name = "a", weft.dims = ["n", 64]},
                %b: tensor<64x128xf32> {weft.name = "b"}, %v: tensor<64xf32> {weft.name = "v"},
                %p: tensor<3x32x64xf32> {weft.name = "p"}, %q: tensor<3x64x128xf32> {weft.name = "q"})
    -> (tensor<?x128xf32> {weft.name = "w"}, tensor<3x32x128xf32> {weft.name = "x"},
        tensor<?xf32> {weft.name = "y"}, tensor<128x?xf32> {weft.name = "z"}) {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty(%n) : tensor<?x128xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<?x128xf32>) -> tensor<?x128xf32>
  %w = linalg.matmul ins(%a, %b : tensor<?x64xf32>, tensor<64x128xf32>) outs(%1 : tensor<?x128xf32>) -> tensor<?x128xf32>
  %2 = tensor.empty() : tensor<3x32x128xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<3x32x128xf32>) -> tensor<3x32x128xf32>
  %x = linalg.batch_matmul ins(%p, %q : tensor<3x32x64xf32>, tensor<3x64x128xf32>) outs(%3 : tensor<3x32x128xf32>) -> tensor<3x32x128xf32>
  %4 = tensor.empty(%n) : tensor<?xf32>
  %5 = linalg.fill ins(%zero : f32) outs(%4 : tensor<?xf32>) -> tensor<?xf32>
  %y = linalg.matvec ins(%a, %v : tensor<?x64xf32>, tensor<64xf32>) outs(%5 : tensor<?xf32>) -> tensor<?xf32>
  %6 = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                        affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<?x64xf32>, tensor<64x128xf32>) outs(%w : tensor<?x128xf32>) -> tensor<?x128xf32>
  %7 = tensor.empty(%n) : tensor<128x?xf32>
  %z = linalg.transpose ins(%6 : tensor<?x128xf32>) outs(%7 : tensor<128x?xf32>) permutation = [1, 0]
  return %w, %x, %y, %z : tensor<?x128xf32>, tensor<3x32x128xf32>, tensor<?xf32>, tensor<128x?xf32>
}

// Unsigned and signed bytes, 16-bit floats, several contracted loops, factors that
// are broadcast or come in the other order, and attributes of others.
// CHECK-LABEL: func @forms
// CHECK: weft.contract unsigned_lhs indexing_maps = [{{.*}}] ins(%{{.*}} : tensor<4x8xi8>, tensor<8x5xi8>) {{.*}} -> tensor<4x5xi32>
// CHECK: weft.contract unsigned_rhs indexing_maps = [{{.*}}] ins(%{{.*}} : tensor<4x8xi8>, tensor<8x5xi8>) {{.*}} {plugin.note = 3 : i64} -> tensor<4x5xi32>
// CHECK: weft.contract indexing_maps = [{{.*}}] ins(%{{.*}} : tensor<1x4x?xf16>, tensor<4x?x1xf16>) {{.*}} -> tensor<f32>
func.func @forms(%x: tensor<4x8xi8>, %w: tensor<8x5xi8>, %h: tensor<1x4x?xf16>, %g: tensor<4x?x1xf16>, %i: tensor<4x5xi32>, %f: tensor<f32>)
    -> (tensor<4x5xi32>, tensor<4x5xi32>, tensor<f32>) {
  %a = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
      affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xi8>, tensor<8x5xi8>) outs(%i : tensor<4x5xi32>) {
  ^bb0(%p: i8, %q: i8, %sum: i32):
    %r = arith.extui %p : i8 to i32
    %s = arith.extsi %q : i8 to i32
    %t = arith.muli %r, %s : i32
    %next = arith.addi %sum, %t : i32
    linalg.yield %next : i32
  } -> tensor<4x5xi32>
  %b = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
      affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xi8>, tensor<8x5xi8>) outs(%i : tensor<4x5xi32>) attrs = {plugin.note = 3} {
  ^bb0(%p: i8, %q: i8, %sum: i32):
    %r = arith.extsi %p : i8 to i32
    %s = arith.extui %q : i8 to i32
    %t = arith.muli %s, %r : i32
    %next = arith.addi %t, %sum : i32
    linalg.yield %next : i32
  } -> tensor<4x5xi32>
  %c = linalg.generic {indexing_maps = [affine_map<(j, k) -> (0, j, k)>, affine_map<(j, k) -> (j, k, 0)>,
      affine_map<(j, k) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%h, %g : tensor<1x4x?xf16>, tensor<4x?x1xf16>) outs(%f : tensor<f32>) {
  ^bb0(%p: f16, %q: f16, %sum: f32):
    %r = arith.extf %p : f16 to f32
    %s = arith.extf %q : f16 to f32
    %t = arith.mulf %r, %s : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<f32>
  return %a, %b, %c : tensor<4x5xi32>, tensor<4x5xi32>, tensor<f32>
}
