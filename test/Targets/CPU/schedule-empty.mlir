// Rows without elements are not cut into tiles: there is no slice of an empty
// dimension.
// RUN: weft-opt %s --weft-select-schedules --weft-tile-rows | FileCheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 2>} {

// CHECK-LABEL: weft.kernel @some
// CHECK: scf.forall
weft.kernel @some(%n: index, %x: tensor<?x4096xf32>, %out: tensor<?xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x4096xf32>) outs(%0 : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  weft.yield %1 : tensor<?xf32>
}

// CHECK-LABEL: weft.kernel @none
// CHECK-NOT: schedule
// CHECK-NOT: scf.forall
weft.kernel @none(%n: index, %x: tensor<?x0xf32>, %out: tensor<?xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x0xf32>) outs(%0 : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  weft.yield %1 : tensor<?xf32>
}
}
