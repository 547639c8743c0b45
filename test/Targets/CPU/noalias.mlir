// LLVM may take buffers for distinct where nothing else reaches them: in kernels
// without parallel loops, and in the loops. Around a loop, the runtime that runs it
// writes them, by the addresses in memory.
// RUN: weft-opt %s --weft-cpu-lower-kernels | FileCheck %s

// CHECK-LABEL: llvm.func internal @serial.body(
// CHECK-SAME: %arg4: !llvm.ptr {llvm.noalias}, %arg5: !llvm.ptr {llvm.noalias}
weft.kernel @serial(%x: memref<8xf32>, %y: memref<8xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %v = memref.load %x[%c0] : memref<8xf32>
  memref.store %v, %y[%c0] : memref<8xf32>
  weft.yield
}

// CHECK-LABEL: llvm.func internal @around.parallel_0.body(
// CHECK-SAME: %arg4: !llvm.ptr {llvm.noalias}, %arg5: !llvm.ptr {llvm.noalias}
// CHECK-LABEL: llvm.func internal @around.body(
// CHECK-NOT: llvm.noalias
weft.kernel @around(%x: memref<8xf32>, %y: memref<8xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  memref.store %zero, %y[%c0] : memref<8xf32>
  scf.forall (%i) in (8) {
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %y[%i] : memref<8xf32>
  }
  %w = memref.load %y[%c0] : memref<8xf32>
  memref.store %w, %y[%c1] : memref<8xf32>
  weft.yield
}
