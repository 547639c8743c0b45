// Each variant's schedule is its processor's: vectors of 16, 8 and 4 elements, and
// a cost that grows as they get shorter.
// RUN: weft-opt %s --weft-clone-variants --weft-select-schedules | FileCheck %s

#map = affine_map<(d0, d1) -> (d0, d1)>
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d2, d1)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
module attributes {
    weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 3>,
    weft.variants = [#weft.target<"cpu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, opt_level = 3>,
                     #weft.target<"cpu", cpu = "x86-64-v2", features = "+sse4.2", vector_bits = 128, opt_level = 3>]} {

// CHECK: weft.kernel @matmul(
// CHECK-SAME: vector = [12, 32, 16]
// CHECK: weft.kernel @"matmul.x86-64-v3"(
// CHECK-SAME: vector = [6, 16, 8]
// CHECK: weft.kernel @"matmul.x86-64-v2"(
// CHECK-SAME: vector = [6, 8, 4]
weft.kernel @matmul(%a: tensor<384x384xf32>, %b: tensor<384x384xf32>, %out: tensor<384x384xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<384x384xf32>, tensor<384x384xf32>) outs(%out : tensor<384x384xf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %1 = arith.mulf %x, %y : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<384x384xf32>
  weft.yield %0 : tensor<384x384xf32>
}

// CHECK: weft.kernel @exp(
// CHECK-SAME: cost = 24248>
// CHECK: weft.kernel @"exp.x86-64-v3"(
// CHECK-SAME: cost = 40632>
weft.kernel @exp(%x: tensor<4096x1024xf32>, %out: tensor<4096x1024xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4096x1024xf32>) outs(%out : tensor<4096x1024xf32>) {
  ^bb0(%a: f32, %c: f32):
    %1 = math.exp %a : f32
    linalg.yield %1 : f32
  } -> tensor<4096x1024xf32>
  weft.yield %0 : tensor<4096x1024xf32>
}

}
