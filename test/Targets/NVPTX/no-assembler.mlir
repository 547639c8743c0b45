// Without ptxas PTX stays, which is said.
// RUN: env CUDA_HOME=%t.nowhere PATH=%weft-tools weft-opt %s --weft-map-to-gpu --weft-nvptx-serialize 2> %t.log > %t.out
// RUN: FileCheck %s --check-prefix=LOG < %t.log
// RUN: FileCheck %s < %t.out

// LOG: remark: ptxas is neither in PATH nor in CUDA_HOME: PTX stays in the module, which the driver compiles when it loads it
// CHECK: gpu.binary @copy_gpu
// CHECK-SAME: assembly = "
module attributes {weft.chips = ["sm_90a"]} {
  weft.kernel @copy(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    memref.copy %x, %y : memref<4xf32> to memref<4xf32>
    weft.yield
  }
}
