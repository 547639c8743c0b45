// A sum of nothing is what it starts from, and no producer that is tiled.

// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-tile-kernels))' | FileCheck %s

#in = affine_map<(m, k) -> (m, k)>
#out = affine_map<(m, k) -> (m)>
#m = affine_map<(m) -> (m)>
// CHECK-LABEL: weft.kernel @empty_sum
// CHECK: scf.forall
// CHECK-NOT: "reduction"
// CHECK: linalg.fill
// CHECK-NOT: "reduction"
// CHECK: arith.negf
// CHECK: weft.yield
weft.kernel @empty_sum(%x: tensor<?x0xf32>, %y: tensor<?xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [8]>} {
  %zero = arith.constant 0.0 : f32
  %none = linalg.fill ins(%zero : f32) outs(%y : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x0xf32>) outs(%none : tensor<?xf32>) {
  ^bb0(%a: f32, %before: f32):
    %next = arith.addf %a, %before : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %z = linalg.generic {indexing_maps = [#m, #m], iterator_types = ["parallel"]}
      ins(%sum : tensor<?xf32>) outs(%y : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %minus = arith.negf %a : f32
    linalg.yield %minus : f32
  } -> tensor<?xf32>
  weft.yield %z : tensor<?xf32>
}
