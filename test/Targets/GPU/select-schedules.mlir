// What a block computes: a row of a kernel that works row by row, a tile of a matrix
// product; everything else has no schedule and is divided among all threads.
// RUN: weft-opt %s --weft-select-schedules | FileCheck %s

module attributes {weft.target = #weft.target<"nvptx", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>} {

// CHECK-LABEL: weft.kernel @product
// CHECK-SAME: schedule = #weft.schedule<parallel = [64, 64, 0] vector = [4, 4, 1]>
weft.kernel @product(%x: tensor<128x300xf32>, %w: tensor<300x200xf32>, %y: tensor<128x200xf32>) outs 1 {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<128x300xf32>, tensor<300x200xf32>) outs(%y : tensor<128x200xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<128x200xf32>
  weft.yield %r : tensor<128x200xf32>
}

// Wide numbers: fewer for each thread.
// CHECK-LABEL: weft.kernel @wide
// CHECK-SAME: schedule = #weft.schedule<parallel = [1, 32, 64, 0] vector = [2, 4, 1]>
weft.kernel @wide(%x: tensor<3x128x30xf64>, %w: tensor<3x30x200xf64>, %y: tensor<3x128x200xf64>) outs 1 {
  %r = linalg.generic {indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, k, n)>, affine_map<(b, m, n, k) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x128x30xf64>, tensor<3x30x200xf64>) outs(%y : tensor<3x128x200xf64>) {
  ^bb0(%a: f64, %b: f64, %s: f64):
    %p = arith.mulf %a, %b : f64
    %t = arith.addf %s, %p : f64
    linalg.yield %t : f64
  } -> tensor<3x128x200xf64>
  weft.yield %r : tensor<3x128x200xf64>
}

// A product of one row is read once.
// CHECK-LABEL: weft.kernel @vector
// CHECK-NOT: schedule
weft.kernel @vector(%x: tensor<1x300xf32>, %w: tensor<300x200xf32>, %y: tensor<1x200xf32>) outs 1 {
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x300xf32>, tensor<300x200xf32>) outs(%y : tensor<1x200xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<1x200xf32>
  weft.yield %r : tensor<1x200xf32>
}

// CHECK-LABEL: weft.kernel @sums
// CHECK-SAME: schedule = #weft.schedule<parallel = [1]>
weft.kernel @sums(%n: index, %x: tensor<?x64xf32>, %y: tensor<?x64xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  %init = tensor.empty(%n) : tensor<?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x64xf32>) outs(%start : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  } -> tensor<?xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x64xf32>, tensor<?xf32>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.divf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<?x64xf32>
  weft.yield %r : tensor<?x64xf32>
}

// CHECK-LABEL: weft.kernel @elementwise
// CHECK-NOT: schedule
weft.kernel @elementwise(%n: index, %x: tensor<?xf32>, %y: tensor<?xf32>) outs 1 {
  %r = linalg.map ins(%x : tensor<?xf32>) outs(%y : tensor<?xf32>)
    (%a: f32, %b: f32) {
      %c = arith.addf %a, %a : f32
      linalg.yield %c : f32
    }
  weft.yield %r : tensor<?xf32>
}

// Matrix instructions.
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
