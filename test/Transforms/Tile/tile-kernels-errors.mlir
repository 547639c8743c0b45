// Schedules that do not fit the loops of the root.

// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-tile-kernels))' \
// RUN:   --split-input-file --verify-diagnostics

#in = affine_map<(m, k) -> (m, k)>
#out = affine_map<(m, k) -> (m)>
// expected-error @+1 {{has a schedule that divides loop 1 of its root into work items, which is not parallel}}
weft.kernel @sum(%x: tensor<64x64xf32>, %y: tensor<64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [8, 16]>} {
  %z = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<64x64xf32>) outs(%y : tensor<64xf32>) {
  ^bb0(%a: f32, %sum: f32):
    %next = arith.addf %a, %sum : f32
    linalg.yield %next : f32
  } -> tensor<64xf32>
  weft.yield %z : tensor<64xf32>
}

// -----

// expected-error @+1 {{has a schedule of 2 parallel tile sizes for a root of 1 loops}}
weft.kernel @fill(%y: tensor<64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [8, 16]>} {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%y : tensor<64xf32>) -> tensor<64xf32>
  weft.yield %z : tensor<64xf32>
}

// -----

#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
// expected-error @+1 {{has a schedule that takes loop 1 of its contraction in pieces, which is not reduced}}
weft.kernel @pieces(%a: tensor<8x64xf32>, %b: tensor<64x8xf32>, %out: tensor<8x8xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0] reduction = [0, 4, 8]>} {
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<8x64xf32>, tensor<64x8xf32>) outs(%out : tensor<8x8xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x8xf32>
  weft.yield %sum : tensor<8x8xf32>
}

// -----

// expected-error @+1 {{has a schedule of 2 reduction tile sizes and no contraction of as many loops}}
weft.kernel @nothing_reduced(%y: tensor<64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [8] reduction = [0, 8]>} {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%y : tensor<64xf32>) -> tensor<64xf32>
  weft.yield %z : tensor<64xf32>
}
