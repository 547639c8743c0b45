// RUN: weft-opt %s --weft-hoist-scratch | FileCheck %s

// Kernels allocate nothing: small memory of known size is on the stack, inside of
// the parallel loop that uses it; the rest comes from the host, a part for each
// worker.

// CHECK-LABEL: func @small
// CHECK: weft.dispatch @small_kernel ins(%{{[a-z0-9]+}} : memref<?xf32>) outs(%{{[a-z0-9]+}} : memref<?xf32>)
func.func @small(%x: memref<?xf32>, %y: memref<?xf32>) {
  weft.dispatch @small_kernel ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}
// CHECK-LABEL: weft.kernel @small_kernel
// CHECK-NOT: memref.alloc()
// CHECK: scf.forall
// CHECK-NEXT: memref.alloca() {{.*}}: memref<8xf32>
// CHECK-NOT: memref.alloc()
// CHECK: weft.yield
weft.kernel @small_kernel(%x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.forall (%i) in (%n) {
    %t = memref.alloc() : memref<8xf32>
    %e = memref.load %x[%i] : memref<?xf32>
    memref.store %e, %t[%c0] : memref<8xf32>
    %f = memref.load %t[%c0] : memref<8xf32>
    memref.store %f, %y[%i] : memref<?xf32>
    memref.dealloc %t : memref<8xf32>
  }
  weft.yield
}

// One more out: bytes, as many as all workers need together.
// CHECK-LABEL: func @large
// CHECK: weft.max_workers
// CHECK: %[[BYTES:.*]] = memref.alloc(%{{.*}}) {{.*}}: memref<?xi8>
// CHECK: weft.dispatch @large_kernel{{.*}} outs(%{{.*}}, %[[BYTES]] : memref<?xf32>, memref<?xi8>)
func.func @large(%x: memref<?xf32>, %y: memref<?xf32>) {
  weft.dispatch @large_kernel ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}
// CHECK-LABEL: weft.kernel @large_kernel
// CHECK-NOT: memref.alloc
// CHECK: scf.forall
// CHECK: weft.worker_index
// CHECK: memref.view {{.*}} : memref<?xi8> to memref<?xf32>
// CHECK-NOT: memref.alloc
// CHECK: weft.yield
weft.kernel @large_kernel(%x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.forall (%i) in (%n) {
    %t = memref.alloc(%n) : memref<?xf32>
    %e = memref.load %x[%i] : memref<?xf32>
    memref.store %e, %t[%i] : memref<?xf32>
    %f = memref.load %t[%i] : memref<?xf32>
    memref.store %f, %y[%i] : memref<?xf32>
  }
  weft.yield
}
