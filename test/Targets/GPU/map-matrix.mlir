// Products of f16 and bf16 by tensor cores: 8 warps have 16 rows and 32 columns each.
// Operands lie in workgroup memory with k innermost, and zeros beyond the last one.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s

// CHECK-LABEL: gpu.func @halves_0
// CHECK-SAME: workgroup(%{{.*}} : memref<64x40xf16, #gpu.address_space<workgroup>> {{.*}}, %{{.*}} : memref<64x40xf16, #gpu.address_space<workgroup>>
// CHECK: %[[SUMS:.*]]:16 = scf.for %[[FIRST:.*]] = %c0 to %c300 step %c32 iter_args
// CHECK: gpu.barrier
// CHECK: %[[X:.*]] = memref.load
// CHECK: %[[AT:.*]] = arith.addi %[[FIRST]]
// CHECK: %[[INSIDE:.*]] = arith.cmpi slt, %{{.*}}, %c300
// CHECK: %[[VALUE:.*]] = arith.select %[[INSIDE]], %{{.*}}, %{{.*}} : f16
// CHECK: memref.store %[[VALUE]], %{{.*}} : memref<64x40xf16>
// CHECK: gpu.barrier
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c16 iter_args
// CHECK-COUNT-4: vector.load {{.*}} {alignment = 4 : i64} : memref<64x40xf16>, vector<2xf16>
// CHECK: nvvm.mma.sync
// CHECK-SAME: #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK-SAME: (vector<2xf16>, vector<2xf16>, f32)
// CHECK-COUNT-3: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
weft.kernel @halves(%n: index, %x: memref<?x300xf16>, %w: memref<300x200xf16>, %y: memref<?x200xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [2, 8, 2]>} {
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

// A tile for tensor cores, but numbers that they do not take: one sum after the other.
// CHECK-LABEL: gpu.func @floats_0
// CHECK-NOT: nvvm.mma.sync
// CHECK-NOT: workgroup
weft.kernel @floats(%x: memref<64x32xf32>, %w: memref<32x64xf32>, %y: memref<64x64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [2, 8, 2]>} {
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
