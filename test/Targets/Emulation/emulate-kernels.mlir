// A device function becomes one that runs one of its threads; launches go through
// the environment.
// RUN: weft-opt %s --weft-cpu-lower-kernels --convert-scf-to-cf --weft-cpu-lower-launches --weft-emulate-kernels --canonicalize | FileCheck %s
// RUN: weft-opt %s --weft-cpu-lower-kernels --convert-scf-to-cf --weft-cpu-lower-launches --weft-emulate-kernels=subgroup-size=64 | FileCheck %s --check-prefix=WIDE
// RUN: not weft-opt %s --weft-cpu-lower-kernels --convert-scf-to-cf --weft-cpu-lower-launches --weft-emulate-kernels=subgroup-size=48 2>&1 | FileCheck %s --check-prefix=NARROW

// CHECK: module attributes
// CHECK-SAME: weft.device_kernels = [
// CHECK-SAME: {arguments = array<i64: 0>, module = "k_gpu", name = "second", shared = 0 : i64}
// CHECK-SAME: {arguments = array<i64: 8, 4, 0>, cooperates, module = "k_gpu", name = "first", shared = 256 : i64}
// CHECK-SAME: weft.subgroup_size = 32
// WIDE: weft.subgroup_size = 64
// NARROW: error: subgroups of 48 lanes cannot be emulated, only of 32 or 64
module attributes {gpu.container_module} {
  // CHECK-NOT: gpu.module
  // CHECK-LABEL: llvm.func hidden @k_gpu.second
  // CHECK-NOT: arith.cmpi
  // CHECK: llvm.return
  // CHECK-LABEL: llvm.func hidden @k_gpu.first(%arg0: !llvm.ptr, %arg1: !llvm.ptr)
  gpu.module @k_gpu {
    gpu.func @first(%n: index, %s: f32, %x: memref<f32>)
        workgroup(%shared : memref<64xf32, #gpu.address_space<workgroup>>) kernel {
      // CHECK-DAG: %[[SLOT:.*]] = llvm.alloca
      // CHECK-DAG: llvm.getelementptr %arg0[136]
      %i = gpu.thread_id x
      // The index is checked against the extent.
      // CHECK: arith.cmpi uge, %{{.*}}, %c64
      // CHECK: llvm.call %{{.*}}(%arg0, %{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, i64) -> ()
      // CHECK: memref.store
      memref.store %s, %shared[%i] : memref<64xf32, #gpu.address_space<workgroup>>
      // CHECK: llvm.call %{{.*}}(%arg0, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64) -> ()
      gpu.barrier
      // The exchange gives the lane's value and comes back with everybody's.
      // CHECK: llvm.store %{{.*}}, %[[SLOT]]
      // CHECK: llvm.call %{{.*}}(%arg0, %{{.*}}, %[[SLOT]], %{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64, !llvm.ptr, i64, i64) -> !llvm.ptr
      %sum = gpu.subgroup_reduce add %s : (f32) -> f32
      memref.store %sum, %x[] : memref<f32>
      gpu.return
    }
    gpu.func @second(%x: memref<f32>) kernel {
      %zero = arith.constant 0.0 : f32
      memref.store %zero, %x[] : memref<f32>
      gpu.return
    }
  }
  // CHECK-LABEL: llvm.func internal @k.body
  // CHECK: %[[LAUNCH:.*]] = llvm.getelementptr %arg0[120]
  // CHECK: llvm.load %[[LAUNCH]]
  // CHECK: %[[STATUS:.*]] = llvm.call
  // CHECK: cf.cond_br
  // CHECK: llvm.return
  weft.kernel @k(%n: index, %x: memref<?xf32>) outs 1 {
    %one = arith.constant 1 : index
    %threads = arith.constant 64 : index
    %s = arith.constant 2.0 : f32
    %base, %offset, %size, %stride = memref.extract_strided_metadata %x
        : memref<?xf32> -> memref<f32>, index, index, index
    gpu.launch_func @k_gpu::@second blocks in (%one, %one, %one) threads in (%one, %one, %one)
        args(%base : memref<f32>)
    gpu.launch_func @k_gpu::@first blocks in (%n, %one, %one) threads in (%threads, %one, %one)
        args(%n : index, %s : f32, %base : memref<f32>)
    weft.yield
  }
}
