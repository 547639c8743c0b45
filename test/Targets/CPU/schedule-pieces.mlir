// Factors that are decoded, or packed for few rows, are taken in pieces of k; contractions
// inside of a kernel's own loops get a register tile.
// RUN: weft-opt %s --weft-select-schedules | FileCheck %s
// RUN: weft-opt %s --pass-pipeline='builtin.module(weft-select-schedules,weft.kernel(weft-tile-kernels))' | FileCheck %s --check-prefix=TILE

#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#apart = affine_map<(m, n, k) -> (n, k)>
#result = affine_map<(m, n, k) -> (m, n)>
#all = affine_map<(i, j) -> (i, j)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 2>} {

// CHECK-LABEL: weft.kernel @decoded
// CHECK-SAME: parallel = [0, 64, 0] reduction = [0, 0, 256]
// TILE-LABEL: weft.kernel @decoded
// TILE: scf.forall
// TILE: %[[FILL:.+]] = linalg.fill
// TILE: scf.for {{.*}} step %c256 iter_args(%{{.+}} = %[[FILL]])
// TILE: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} outs(%{{.+}} : tensor<256x64xf32>)
// TILE: arith.sitofp
// TILE: linalg.generic {{.*}}"reduction"]} ins(%{{.+}}, %{{.+}} : tensor<64x256xf32>, tensor<256x64xf32>)
weft.kernel @decoded(%a: tensor<64x2048xf32>, %codes: tensor<2048x2048xi8>, %out: tensor<64x2048xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2048x2048xf32>
  %b = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<2048x2048xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %code = tensor.extract %codes[%i, %j] : tensor<2048x2048xi8>
    %x = arith.sitofp %code : i8 to f32
    linalg.yield %x : f32
  } -> tensor<2048x2048xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%out : tensor<64x2048xf32>) -> tensor<64x2048xf32>
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x2048xf32>, tensor<2048x2048xf32>) outs(%fill : tensor<64x2048xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x2048xf32>
  weft.yield %sum : tensor<64x2048xf32>
}

// CHECK-LABEL: weft.kernel @few_apart
// CHECK-SAME: reduction = [0, 0, 128] vector = [1, 128, 16]
weft.kernel @few_apart(%a: tensor<1x2048xf32>, %b: tensor<2048x2048xf32>, %out: tensor<1x2048xf32>) outs 1 {
  %sum = linalg.generic {indexing_maps = [#rows, #apart, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<1x2048xf32>, tensor<2048x2048xf32>) outs(%out : tensor<1x2048xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x2048xf32>
  weft.yield %sum : tensor<1x2048xf32>
}

// Packed by all rows at once, or read where they lie.
// CHECK-LABEL: weft.kernel @whole
// CHECK-NOT: reduction =
// CHECK-LABEL: weft.kernel @own_loops
// CHECK-SAME: parallel = [0] vector = [12, 32, 16] few = [1, 64, 4, 64, 8, 32]
weft.kernel @whole(%a: tensor<64x2048xf32>, %b: tensor<2048x2048xf32>, %out: tensor<64x2048xf32>) outs 1 {
  %sum = linalg.generic {indexing_maps = [#rows, #apart, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x2048xf32>, tensor<2048x2048xf32>) outs(%out : tensor<64x2048xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x2048xf32>
  weft.yield %sum : tensor<64x2048xf32>
}

weft.kernel @own_loops(%a: tensor<?x64xf32>, %b: tensor<4x64x64xf32>, %out: tensor<?x256xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %m = tensor.dim %a, %c0 : tensor<?x64xf32>
  %y = scf.forall (%i) in (4) shared_outs(%o = %out) -> (tensor<?x256xf32>) {
    %at = arith.muli %i, %c64 : index
    %part = tensor.extract_slice %o[0, %at] [%m, 64] [1, 1] : tensor<?x256xf32> to tensor<?x64xf32>
    %w = tensor.extract_slice %b[%i, 0, 0] [1, 64, 64] [1, 1, 1] : tensor<4x64x64xf32> to tensor<64x64xf32>
    %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%a, %w : tensor<?x64xf32>, tensor<64x64xf32>) outs(%part : tensor<?x64xf32>) {
    ^bb0(%x: f32, %z: f32, %before: f32):
      %p = arith.mulf %x, %z : f32
      %s = arith.addf %before, %p : f32
      linalg.yield %s : f32
    } -> tensor<?x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %sum into %o[0, %at] [%m, 64] [1, 1] : tensor<?x64xf32> into tensor<?x256xf32>
    }
  }
  weft.yield %y : tensor<?x256xf32>
}
}
