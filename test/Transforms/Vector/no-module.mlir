// A kernel that is in no module is for no processor.

// RUN: weft-opt %s --no-implicit-module --pass-pipeline='weft.kernel(weft-vectorize-elementwise,weft-vectorize-reductions)' | FileCheck %s
// CHECK: weft.kernel @k
// CHECK: linalg.generic

#map = affine_map<(i) -> (i)>
weft.kernel @k(%x: tensor<64xf32>, %y: tensor<64xf32>) outs 1 {
  %z = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%y : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %a : f32
    linalg.yield %sum : f32
  } -> tensor<64xf32>
  weft.yield %z : tensor<64xf32>
}
