// An operation of linalg is a launch: its parallel loops are one range, the last
// dimension of the result innermost, that the threads of the grid divide. A thread
// reduces in registers.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: gpu.module @scale_gpu
// CHECK: gpu.func @scale_0(%[[G:.*]]: index, %[[N:.*]]: index, %[[N2:.*]]: index, %[[X:.*]]: memref<f32>, %[[Y:.*]]: memref<f32>) kernel
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[XM:.*]] = memref.reinterpret_cast %[[X]] to offset: [0], sizes: [%[[N]], 64], strides: [64, 1]
// CHECK-DAG: %[[T:.*]] = gpu.thread_id x
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK-DAG: %[[B:.*]] = gpu.block_id x
// CHECK: %[[BEFORE:.*]] = arith.muli %[[B]], %[[C256]]
// CHECK: %[[FIRST:.*]] = arith.addi %[[BEFORE]], %[[T]]
// CHECK: %[[STEP:.*]] = arith.muli %[[G]], %[[C256]]
// CHECK: %[[TOTAL:.*]] = arith.muli %[[N]], %[[C64]]
// CHECK: scf.for %[[I:.*]] = %[[FIRST]] to %[[TOTAL]] step %[[STEP]]
// CHECK: %[[COLUMN:.*]] = arith.remui %[[I]], %[[C64]]
// CHECK: %[[ROW:.*]] = arith.divui %[[I]], %[[C64]]
// CHECK: memref.load %[[XM]][%[[ROW]], %[[COLUMN]]]
// CHECK-NOT: gpu.barrier

// CHECK-LABEL: weft.kernel @scale
// CHECK: %[[BLOCKS:.*]] = arith.minsi
// CHECK: gpu.launch_func @scale_gpu::@scale_0 blocks in (%[[BLOCKS]], %{{.*}}, %{{.*}}) threads in
// CHECK-SAME: args(%[[BLOCKS]] : index, %{{.*}} : index, %{{.*}} : index, %{{.*}} : memref<f32>, %{{.*}} : memref<f32>)
// CHECK-NEXT: weft.yield
weft.kernel @scale(%n: index, %x: memref<?x64xf32>, %y: memref<?x64xf32>) outs 1 {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x64xf32>) outs(%y : memref<?x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.mulf %a, %a : f32
    linalg.yield %c : f32
  }
  weft.yield
}

// The result decides the order: columns of a transposition are written in a row.
// CHECK-LABEL: gpu.func @transpose_0
// CHECK: %[[LAST:.*]] = arith.remui %[[I:.*]], %c8
// CHECK: %[[FIRST:.*]] = arith.divui %[[I]], %c8
// CHECK: memref.load %{{.*}}[%[[LAST]], %[[FIRST]]] : memref<8x4xf32>
// CHECK: memref.store %{{.*}}, %{{.*}}[%[[FIRST]], %[[LAST]]] : memref<4x8xf32>
weft.kernel @transpose(%x: memref<8x4xf32>, %y: memref<4x8xf32>) outs 1 {
  linalg.transpose ins(%x : memref<8x4xf32>) outs(%y : memref<4x8xf32>) permutation = [1, 0]
  weft.yield
}

// Two operations are two launches, since the second reads what the first writes.
// CHECK-LABEL: gpu.func @matmul_0
// CHECK-LABEL: gpu.func @matmul_1
// CHECK: %[[START:.*]] = memref.load %{{.*}} : memref<4x16xf32>
// CHECK: %[[SUM:.*]] = scf.for %{{.*}} = %c0 to %c8 step %c1 iter_args(%{{.*}} = %[[START]])
// CHECK-NOT: memref.store
// CHECK: scf.yield
// CHECK: memref.store %[[SUM]]
// CHECK-LABEL: weft.kernel @matmul
// CHECK: gpu.launch_func @matmul_gpu::@matmul_0
// CHECK: gpu.launch_func @matmul_gpu::@matmul_1
weft.kernel @matmul(%x: memref<4x8xf32>, %w: memref<8x16xf32>, %y: memref<4x16xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<4x16xf32>)
  linalg.matmul ins(%x, %w : memref<4x8xf32>, memref<8x16xf32>) outs(%y : memref<4x16xf32>)
  weft.yield
}

// Numbers that the host knows are arguments, truth values as bytes; small constants
// belong to the device's module.
memref.global "private" constant @table : memref<4xi64> = dense<[1, 2, 3, 4]> {alignment = 64 : i64}
// CHECK-LABEL: gpu.module @select_gpu
// CHECK: memref.global "private" constant @table : memref<4xi64, #gpu.address_space<global>> = dense<[1, 2, 3, 4]>
// CHECK: gpu.func @select_0(%{{.*}}: index, %[[FLAG:.*]]: i8, %{{.*}}: memref<i64>) kernel
// CHECK: arith.trunci %[[FLAG]] : i8 to i1
// CHECK: memref.get_global @table : memref<4xi64, #gpu.address_space<global>>
weft.kernel @select(%n: index, %y: memref<4xi64>) outs 1 {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %flag = arith.cmpi eq, %n, %c0 : index
  %table = memref.get_global @table : memref<4xi64>
  linalg.map ins(%table : memref<4xi64>) outs(%y : memref<4xi64>)
    (%a: i64, %out: i64) {
      %r = arith.select %flag, %a, %zero : i64
      linalg.yield %r : i64
    }
  weft.yield
}

// A name that begins with a digit or has what assemblers do not take.
// CHECK-LABEL: gpu.module @"0.dot-product_gpu"
// CHECK: gpu.func @k0_dot_product_0
weft.kernel @"0.dot-product"(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  weft.yield
}
