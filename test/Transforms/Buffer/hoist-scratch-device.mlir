// On a device nothing outside of parallel loops lies on a stack; in them, temporaries
// that a block shares do, and small ones of a thread. The others exist once for
// each of a fixed number of workers. Kernels of strings run on the host as ever.
// RUN: weft-opt %s --weft-hoist-scratch=device-workers=256 | FileCheck %s

// CHECK-LABEL: func @sequence
// CHECK: %[[BYTES:.*]] = memref.alloc(%{{.*}}) {{.*}}: memref<?xi8>
// CHECK: weft.dispatch @sequence_kernel{{.*}} outs(%{{.*}}, %[[BYTES]] : memref<8xf32>, memref<?xi8>)
func.func @sequence(%x: memref<8xf32>, %y: memref<8xf32>) {
  weft.dispatch @sequence_kernel ins(%x : memref<8xf32>) outs(%y : memref<8xf32>)
  return
}
// CHECK-LABEL: weft.kernel @sequence_kernel
// CHECK-NOT: memref.alloca
// CHECK: memref.view
// CHECK: weft.yield
weft.kernel @sequence_kernel(%x: memref<8xf32>, %y: memref<8xf32>) outs 1 {
  %t = memref.alloc() : memref<8xf32>
  linalg.copy ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
  linalg.copy ins(%t : memref<8xf32>) outs(%y : memref<8xf32>)
  weft.yield
}

// CHECK-LABEL: weft.kernel @block_kernel
// CHECK: scf.forall
// CHECK-NEXT: memref.alloca() {{.*}} : memref<1024xf32>
weft.kernel @block_kernel(%x: memref<?x1024xf32>, %y: memref<?x1024xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x1024xf32>
  scf.forall (%i) in (%n) {
    %t = memref.alloc() : memref<1024xf32>
    %from = memref.subview %x[%i, 0] [1, 1024] [1, 1] : memref<?x1024xf32> to memref<1024xf32, strided<[1], offset: ?>>
    %to = memref.subview %y[%i, 0] [1, 1024] [1, 1] : memref<?x1024xf32> to memref<1024xf32, strided<[1], offset: ?>>
    linalg.copy ins(%from : memref<1024xf32, strided<[1], offset: ?>>) outs(%t : memref<1024xf32>)
    linalg.copy ins(%t : memref<1024xf32>) outs(%to : memref<1024xf32, strided<[1], offset: ?>>)
  }
  weft.yield
}

// CHECK-LABEL: func @thread
// CHECK-NOT: weft.max_workers
// CHECK: %[[WORKERS:.*]] = arith.constant 256 : index
// CHECK: weft.dispatch @thread_kernel
func.func @thread(%x: memref<?xf32>, %y: memref<?xf32>) {
  weft.dispatch @thread_kernel ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}
// CHECK-LABEL: weft.kernel @thread_kernel
// CHECK: scf.forall
// CHECK-NEXT: memref.alloca() {{.*}} : memref<8xf32>
// CHECK: weft.worker_index
// CHECK: memref.view {{.*}} to memref<1024xf32>
weft.kernel @thread_kernel(%x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.forall (%i) in (%n) {
    %t = memref.alloc() : memref<8xf32>
    %u = memref.alloc() : memref<1024xf32>
    %e = memref.load %x[%i] : memref<?xf32>
    memref.store %e, %t[%c0] : memref<8xf32>
    memref.store %e, %u[%c0] : memref<1024xf32>
    %f = memref.load %t[%c0] : memref<8xf32>
    memref.store %f, %y[%i] : memref<?xf32>
  }
  weft.yield
}

// CHECK-LABEL: weft.kernel @strings
// CHECK: memref.alloca() {{.*}} : memref<8xi1>
weft.kernel @strings(%x: memref<8xi64>, %y: memref<8xi1>) outs 1 {
  %t = memref.alloc() : memref<8xi1>
  linalg.map ins(%x : memref<8xi64>) outs(%t : memref<8xi1>)
    (%a: i64, %b: i1) {
      %c = weft.string_equal %a, %a
      linalg.yield %c : i1
    }
  linalg.copy ins(%t : memref<8xi1>) outs(%y : memref<8xi1>)
  weft.yield
}
