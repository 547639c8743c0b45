// Parallel loops: an iteration a block where operations inside of it are divided
// among threads, otherwise an iteration a thread.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#strided = strided<[64, 1], offset: ?>

// The sum lies in workgroup memory, and barriers keep what is written apart from
// what is read.
// CHECK-LABEL: gpu.func @sums_0
// CHECK-SAME: (%[[BLOCKS:[a-z0-9]*]]: index
// CHECK-SAME: workgroup(%[[SUM:.*]] : memref<1xf32, #gpu.address_space<workgroup>> {llvm.align = 64 : i64})
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK: %[[SHARED:.*]] = memref.memory_space_cast %[[SUM]]
// CHECK: scf.for %{{.*}} = %block_id_x to %{{.*}} step %[[BLOCKS]]
// CHECK: gpu.barrier
// CHECK: scf.for %{{.*}} = %thread_id_x to %{{.*}} step %c256
// CHECK: memref.store %{{.*}}, %[[SHARED]]
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: memref.load %[[SHARED]]
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: memref.load %[[SHARED]]
// CHECK: memref.store
// CHECK: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK-LABEL: weft.kernel @sums
// CHECK: gpu.launch_func @sums_gpu::@sums_0
// CHECK-SAME: threads in (%c256,
weft.kernel @sums(%n: index, %x: memref<?x64xf32>, %y: memref<?x64xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    %from = memref.subview %x[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<1x64xf32, #strided>
    %to = memref.subview %y[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<1x64xf32, #strided>
    %sum = memref.alloca() : memref<1xf32>
    linalg.fill ins(%zero : f32) outs(%sum : memref<1xf32>)
    linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
        ins(%from : memref<1x64xf32, #strided>) outs(%sum : memref<1xf32>) {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      linalg.yield %c : f32
    }
    linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
        ins(%from, %sum : memref<1x64xf32, #strided>, memref<1xf32>) outs(%to : memref<1x64xf32, #strided>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %d = arith.divf %a, %b : f32
      linalg.yield %d : f32
    }
  }
  weft.yield
}

// A running sum of each row: nothing to divide, so that a thread has a row, and its
// temporary for itself. The worker is the thread, of which no more run than
// have memory.
// CHECK-LABEL: gpu.func @scan_0
// CHECK-SAME: private(%[[LOCAL:.*]] : memref<1xf32, #gpu.address_space<private>>)
// CHECK: %[[THREAD:.*]] = arith.addi
// CHECK: scf.for %{{.*}} = %[[THREAD]] to
// CHECK: arith.index_cast %[[THREAD]]
// CHECK-NOT: gpu.barrier
// CHECK-LABEL: weft.kernel @scan
// CHECK: %[[BLOCKS:.*]] = arith.minsi %{{.*}}, %c4 : index
// CHECK: gpu.launch_func @scan_gpu::@scan_0 blocks in (%[[BLOCKS]],
// CHECK-SAME: threads in (%c64,
weft.kernel @scan(%n: index, %x: memref<?x64xf32>, %y: memref<?x64xf32>, %w: memref<?xi64>) outs 2 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    %local = memref.alloca() : memref<1xf32>
    memref.store %zero, %local[%c0] : memref<1xf32>
    scf.for %j = %c0 to %c64 step %c1 {
      %a = memref.load %x[%i, %j] : memref<?x64xf32>
      %sum = memref.load %local[%c0] : memref<1xf32>
      %b = arith.addf %sum, %a : f32
      memref.store %b, %local[%c0] : memref<1xf32>
      memref.store %b, %y[%i, %j] : memref<?x64xf32>
    }
    %worker = weft.worker_index
    %number = arith.index_cast %worker : index to i64
    memref.store %number, %w[%i] : memref<?xi64>
  }
  weft.yield
}

// Two dimensions with bounds and steps.
// CHECK-LABEL: gpu.func @steps_0
// CHECK: %[[COLUMN:.*]] = arith.remui %[[I:.*]], %c2
// CHECK: %[[ROW:.*]] = arith.divui %[[I]], %c2
// CHECK: %[[SCALED:.*]] = arith.muli %[[ROW]], %c3
// CHECK: %[[AT:.*]] = arith.addi %[[SCALED]], %c1
// CHECK: memref.store %{{.*}}, %{{.*}}[%[[AT]],
weft.kernel @steps(%y: memref<8x8xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i, %j) = (1, 0) to (8, 8) step (3, 4) {
    memref.store %zero, %y[%i, %j] : memref<8x8xf32>
  }
  weft.yield
}
