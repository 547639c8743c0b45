// A matrix product in a block, where the schedule says how many results a thread
// keeps: 16 x 16 threads with 4 x 4 results each. Both operands pass through
// workgroup memory, 16 k at a time, and sums are added in the order of k. The last
// tile reads what lies inside, and writes no more.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s

// CHECK-LABEL: gpu.func @product_0
// CHECK-SAME: workgroup(%{{.*}} : memref<16x65xf32, #gpu.address_space<workgroup>> {llvm.align = 64 : i64}, %{{.*}} : memref<16x65xf32, #gpu.address_space<workgroup>> {llvm.align = 64 : i64})
// CHECK: %[[ROW:.*]] = arith.divui %thread_id_x, %c16
// CHECK: %[[COLUMN:.*]] = arith.remui %thread_id_x, %c16
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64
// CHECK: %[[SUMS:.*]]:16 = scf.for %[[K:.*]] = %c0 to %c300 step %c16 iter_args
// CHECK-NEXT: gpu.barrier
// CHECK: scf.for %{{.*}} = %thread_id_x to %c1024 step %c256
// CHECK: memref.store
// CHECK: scf.for %{{.*}} = %thread_id_x to %c1024 step %c256
// CHECK: memref.store
// CHECK: gpu.barrier
// CHECK: %[[LEFT:.*]] = arith.subi %c300, %[[K]]
// CHECK: %[[COUNT:.*]] = arith.minsi %[[LEFT]], %c16
// CHECK: scf.for %{{.*}} = %c0 to %[[COUNT]] step %c1 iter_args
// CHECK-COUNT-8: memref.load
// CHECK-NOT: memref.load
// CHECK-COUNT-16: arith.mulf
// CHECK: scf.if
// CHECK-NEXT: memref.store %[[SUMS]]#0
// CHECK: scf.if
// CHECK-NEXT: memref.store %[[SUMS]]#1

// Without results for registers each thread computes one after the other.
// CHECK-LABEL: gpu.func @plain_0
// CHECK-NOT: workgroup
// CHECK-NOT: iter_args({{.*}}, {{.*}})
weft.kernel @product(%n: index, %x: memref<?x300xf32>, %w: memref<300x200xf32>, %y: memref<?x200xf32>) outs 1 attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [4, 4, 1]>} {
  scf.forall (%i, %j) = (0, 0) to (%n, 200) step (64, 64) {
    %r = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 64)>(%i)[%n]
    %c = affine.min affine_map<(d0) -> (-d0 + 200, 64)>(%j)
    %xs = memref.subview %x[%i, 0] [%r, 300] [1, 1] : memref<?x300xf32> to memref<?x300xf32, strided<[300, 1], offset: ?>>
    %ws = memref.subview %w[0, %j] [300, %c] [1, 1] : memref<300x200xf32> to memref<300x?xf32, strided<[200, 1], offset: ?>>
    %ys = memref.subview %y[%i, %j] [%r, %c] [1, 1] : memref<?x200xf32> to memref<?x?xf32, strided<[200, 1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xs, %ws : memref<?x300xf32, strided<[300, 1], offset: ?>>, memref<300x?xf32, strided<[200, 1], offset: ?>>) outs(%ys : memref<?x?xf32, strided<[200, 1], offset: ?>>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}

weft.kernel @plain(%n: index, %x: memref<?x300xf32>, %w: memref<300x200xf32>, %y: memref<?x200xf32>) outs 1 attributes {schedule = #weft.schedule<parallel = [64, 64, 0]>} {
  scf.forall (%i, %j) = (0, 0) to (%n, 200) step (64, 64) {
    %r = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 64)>(%i)[%n]
    %c = affine.min affine_map<(d0) -> (-d0 + 200, 64)>(%j)
    %xs = memref.subview %x[%i, 0] [%r, 300] [1, 1] : memref<?x300xf32> to memref<?x300xf32, strided<[300, 1], offset: ?>>
    %ws = memref.subview %w[0, %j] [300, %c] [1, 1] : memref<300x200xf32> to memref<300x?xf32, strided<[200, 1], offset: ?>>
    %ys = memref.subview %y[%i, %j] [%r, %c] [1, 1] : memref<?x200xf32> to memref<?x?xf32, strided<[200, 1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xs, %ws : memref<?x300xf32, strided<[300, 1], offset: ?>>, memref<300x?xf32, strided<[200, 1], offset: ?>>) outs(%ys : memref<?x?xf32, strided<[200, 1], offset: ?>>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}
