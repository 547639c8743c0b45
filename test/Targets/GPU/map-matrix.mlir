// Products of f16 and bf16 for matrix instructions stay until a chip is chosen; then
// subgroups have 16 rows of a tile of 64 x 64. Operands lie in workgroup memory with k
// innermost, and zeros beyond the last one.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,MAPPED
// RUN: weft-opt %s -pass-pipeline='builtin.module(weft-map-to-gpu,canonicalize,gpu.module(weft-gpu-lower-matrix-products{instruction=mma-sync}),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,LOWERED,MMA
// RUN: weft-opt %s -pass-pipeline='builtin.module(weft-map-to-gpu,canonicalize,gpu.module(weft-gpu-lower-matrix-products{instruction=mfma}),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,LOWERED,MFMA
// RUN: weft-opt %s -pass-pipeline='builtin.module(weft-map-to-gpu,canonicalize,gpu.module(weft-gpu-lower-matrix-products{instruction=mfma2}),canonicalize,cse)' | FileCheck %s --check-prefix=MFMA2
// RUN: weft-opt %s -pass-pipeline='builtin.module(weft-map-to-gpu,canonicalize,gpu.module(weft-gpu-lower-matrix-products{instruction=wmma11}),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,LOWERED,WMMA '-D$K=16'
// RUN: weft-opt %s -pass-pipeline='builtin.module(weft-map-to-gpu,canonicalize,gpu.module(weft-gpu-lower-matrix-products{instruction=wmma12}),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,LOWERED,WMMA '-D$K=8'
// RUN: weft-opt %s -pass-pipeline='builtin.module(weft-map-to-gpu,canonicalize,gpu.module(weft-gpu-lower-matrix-products),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,NONE

// CHECK-LABEL: gpu.func @halves_0
// MAPPED-NOT: workgroup(
// MAPPED: gpu.barrier
// MAPPED: linalg.generic
// MAPPED: gpu.barrier
// LOWERED-SAME: workgroup(%{{.*}} : memref<64x40xf16, #gpu.address_space<workgroup>> {{.*}}, %{{.*}} : memref<64x40xf16, #gpu.address_space<workgroup>>
// MMA: %[[SUMS:.*]]:16 = scf.for %[[FIRST:.*]] = %c0 to %c300 step %c32 iter_args
// MFMA: %[[SUMS:.*]]:16 = scf.for %[[FIRST:.*]] = %c0 to %c300 step %c32 iter_args
// WMMA: %[[SUMS:.*]]:16 = scf.for %[[FIRST:.*]] = %c0 to %c300 step %c32 iter_args
// LOWERED: gpu.barrier
// LOWERED: %[[X:.*]] = memref.load
// LOWERED: %[[AT:.*]] = arith.addi %[[FIRST]]
// LOWERED: %[[INSIDE:.*]] = arith.cmpi slt, %{{.*}}, %c300
// LOWERED: %[[VALUE:.*]] = arith.select %[[INSIDE]], %{{.*}}, %{{.*}} : f16
// LOWERED: memref.store %[[VALUE]], %{{.*}} : memref<64x40xf16>
// LOWERED: gpu.barrier
// LOWERED: scf.for %{{.*}} = %c0 to %{{.*}} step %c16 iter_args
// MMA-COUNT-4: vector.load {{.*}} {alignment = 4 : i64} : memref<64x40xf16>, vector<2xf16>
// MMA: nvvm.mma.sync
// MMA-SAME: #nvvm.shape<m = 16, n = 8, k = 16>
// MMA-SAME: (vector<2xf16>, vector<2xf16>, f32)
// MMA-COUNT-3: nvvm.mma.sync
// MMA-NOT: nvvm.mma.sync
// MFMA: vector.load {{.*}} {alignment = 8 : i64} : memref<64x40xf16>, vector<4xf16>
// MFMA-COUNT-4: rocdl.mfma.f32.16x16x16f16 {{.*}} : (vector<4xf16>, vector<4xf16>, vector<4xf32>, i32, i32, i32) -> vector<4xf32>
// MFMA-NOT: rocdl.mfma
// MFMA2: vector.load {{.*}} {alignment = 8 : i64} : memref<64x40xf16>, vector<4xf16>
// MFMA2-COUNT-16: rocdl.mfma.f32.16x16x4f32 {{.*}} : (f32, f32, vector<4xf32>, i32, i32, i32) -> vector<4xf32>
// MFMA2-NOT: rocdl.mfma.f32.16x16x4f32
// MFMA2: rocdl.mfma.f32.16x16x16bf16.1k
// WMMA: vector.load {{.*}} {alignment = 16 : i64} : memref<64x40xf16>, vector<[[$K]]xf16>
// WMMA-COUNT-2: rocdl.wmma.f32.16x16x16.f16 {{.*}} : (vector<[[$K]]xf16>, vector<[[$K]]xf16>, vector<8xf32>) -> vector<8xf32>
// WMMA-NOT: rocdl.wmma
// NONE-SAME: workgroup(%{{.*}} : memref<32x65xf16
// NONE-NOT: linalg.generic
weft.kernel @halves(%n: index, %x: memref<?x300xf16>, %w: memref<300x200xf16>, %y: memref<?x200xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [16, 16, 16]>} {
  scf.forall (%i, %j) = (0, 0) to (%n, 200) step (64, 64) {
    %r = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 64)>(%i)[%n]
    %c = affine.min affine_map<(d0) -> (-d0 + 200, 64)>(%j)
    %xs = memref.subview %x[%i, 0] [%r, 300] [1, 1] : memref<?x300xf16> to memref<?x300xf16, strided<[300, 1], offset: ?>>
    %ws = memref.subview %w[0, %j] [300, %c] [1, 1] : memref<300x200xf16> to memref<300x?xf16, strided<[200, 1], offset: ?>>
    %ys = memref.subview %y[%i, %j] [%r, %c] [1, 1] : memref<?x200xf32> to memref<?x?xf32, strided<[200, 1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%xs, %ws : memref<?x300xf16, strided<[300, 1], offset: ?>>, memref<300x?xf16, strided<[200, 1], offset: ?>>) outs(%ys : memref<?x?xf32, strided<[200, 1], offset: ?>>) {
    ^bb0(%a: f16, %b: f16, %s: f32):
      %aw = arith.extf %a : f16 to f32
      %bw = arith.extf %b : f16 to f32
      %p = arith.mulf %aw, %bw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}

// Instructions take bits of bf16.
// CHECK-LABEL: gpu.func @brains_0
// MMA: nvvm.mma.sync
// MMA-SAME: multiplicandAPtxType = #nvvm.mma_type<bf16>
// MMA-SAME: (i32, i32, f32)
// MFMA: rocdl.mfma.f32.16x16x16bf16.1k {{.*}} : (vector<4xi16>, vector<4xi16>, vector<4xf32>, i32, i32, i32)
// WMMA: rocdl.wmma.f32.16x16x16.bf16 {{.*}} : (vector<[[$K]]xi16>, vector<[[$K]]xi16>, vector<8xf32>)
weft.kernel @brains(%x: memref<64x32xbf16>, %w: memref<32x64xbf16>, %y: memref<64x64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [16, 16, 16]>} {
  scf.forall (%i) in (1) {
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : memref<64x32xbf16>, memref<32x64xbf16>) outs(%y : memref<64x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %s: f32):
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %p = arith.mulf %aw, %bw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}

// A tile for matrix instructions, but numbers that they do not take: one sum after the other.
// CHECK-LABEL: gpu.func @floats_0
// CHECK-NOT: nvvm.mma.sync
// CHECK-NOT: rocdl.
// CHECK-NOT: workgroup
weft.kernel @floats(%x: memref<64x32xf32>, %w: memref<32x64xf32>, %y: memref<64x64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [16, 16, 16]>} {
  scf.forall (%i) in (1) {
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : memref<64x32xf32>, memref<32x64xf32>) outs(%y : memref<64x64xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}
