// Copies never become calls of a library. In host functions they are a memcpy, decided
// while the memory is known to be contiguous, or loops; in kernels they are loops.
// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-cpu-lower-copies),func.func(weft-cpu-lower-copies))' | FileCheck %s

// CHECK-LABEL: func.func @contiguous
// CHECK: %[[BYTES:.*]] = arith.constant 4 : index
// CHECK: memref.dim
// CHECK: "llvm.intr.memcpy"(%{{.*}}, %{{.*}}, %{{.*}}) <{isVolatile = false}>
// CHECK-NOT: memref.copy
func.func @contiguous(%x: memref<?x3xf32>, %y: memref<?x3xf32>) {
  memref.copy %x, %y : memref<?x3xf32> to memref<?x3xf32>
  return
}

// CHECK-LABEL: func.func @strided
// CHECK: linalg.copy
// CHECK-NOT: memref.copy
func.func @strided(%x: memref<?x3xf32, strided<[5, 1]>>, %y: memref<?x3xf32>) {
  memref.copy %x, %y : memref<?x3xf32, strided<[5, 1]>> to memref<?x3xf32>
  return
}

// CHECK-LABEL: weft.kernel @kernel
// CHECK: linalg.copy
// CHECK-NOT: memref.copy
weft.kernel @kernel(%x: memref<4x3xf32>, %y: memref<4x3xf32>) outs 1 {
  memref.copy %x, %y : memref<4x3xf32> to memref<4x3xf32>
  weft.yield
}
