// Products of f16 by matrix instructions.
// RUN: weft-opt %s --weft-select-schedules | FileCheck %s

module attributes {weft.target = #weft.target<"amdgpu", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>} {
// CHECK-LABEL: weft.kernel @halves
// CHECK-SAME: schedule = #weft.schedule<parallel = [64, 64, 0] vector = [16, 16, 16]>
weft.kernel @halves(%x: tensor<128x300xf16>, %w: tensor<300x200xf16>, %y: tensor<128x200xf32>) outs 1 {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<128x300xf16>, tensor<300x200xf16>) outs(%y : tensor<128x200xf32>) {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %aw = arith.extf %a : f16 to f32
    %bw = arith.extf %b : f16 to f32
    %p = arith.mulf %aw, %bw : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<128x200xf32>
  weft.yield %r : tensor<128x200xf32>
}
}
