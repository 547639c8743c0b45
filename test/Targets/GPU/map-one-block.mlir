// What depends on memory in a way that the host cannot see runs in one block, whose
// threads divide what can be divided and run the rest alike.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s

// The loop's bound is read from memory: the read and the loop are one launch.
// CHECK-LABEL: gpu.module @repeat_gpu
// CHECK: gpu.func @repeat_0
// CHECK: %[[COUNT:.*]] = memref.load
// CHECK: %[[BOUND:.*]] = arith.index_cast %[[COUNT]]
// CHECK: scf.for %{{.*}} = %c0 to %[[BOUND]] step %c1 {
// CHECK-NEXT: gpu.barrier
// CHECK: scf.for %{{.*}} = %thread_id_x to %c4 step %c256
// CHECK: gpu.barrier
// CHECK: %[[LAST:.*]] = memref.load
// CHECK-NEXT: gpu.barrier
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %thread_id_x, %c0
// CHECK: scf.if %[[FIRST]] {
// CHECK-NEXT: memref.store %[[LAST]]
// CHECK: gpu.barrier
// CHECK-LABEL: gpu.func @repeat_1
// CHECK-LABEL: weft.kernel @repeat
// CHECK: gpu.launch_func @repeat_gpu::@repeat_0 blocks in (%c1, %c1, %c1) threads in (%c256,
// CHECK: gpu.launch_func @repeat_gpu::@repeat_1
weft.kernel @repeat(%n: memref<i64>, %x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %count = memref.load %n[] : memref<i64>
  %bound = arith.index_cast %count : i64 to index
  scf.for %i = %c0 to %bound step %c1 {
    linalg.map ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
      (%a: f32, %b: f32) {
        %c = arith.addf %a, %a : f32
        linalg.yield %c : f32
      }
    %last = memref.load %y[%c3] : memref<4xf32>
    memref.store %last, %y[%c0] : memref<4xf32>
  }
  memref.copy %y, %y : memref<4xf32> to memref<4xf32>
  weft.yield
}

// Strings stay on the host.
// CHECK-LABEL: weft.kernel @lengths
// CHECK-SAME: weft.fallback = "runs on the host: no device runs weft.string_equal"
// CHECK-NOT: gpu.launch_func
weft.kernel @lengths(%x: memref<4xi64>, %y: memref<4xi8>) outs 1 {
  linalg.map ins(%x : memref<4xi64>) outs(%y : memref<4xi8>)
    (%a: i64, %b: i8) {
      %c = weft.string_equal %a, %a
      %d = arith.extui %c : i1 to i8
      linalg.yield %d : i8
    }
  weft.yield
}
