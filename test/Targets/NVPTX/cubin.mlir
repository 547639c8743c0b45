// ptxas takes the code for every chip, and tells what it uses.
// REQUIRES: ptxas
// RUN: weft-opt %S/../GPU/Inputs/kernels.mlir --weft-map-to-gpu --weft-nvptx-serialize | FileCheck %s

// CHECK: gpu.binary @functions_gpu
// CHECK-SAME: chip = "sm_120"
// CHECK-SAME: #gpu.kernel_metadata<"functions_0", {{[^{]*}}, metadata = {private_bytes = 0 : i64, registers = {{[1-9][0-9]*}} : i64, scalar_registers = 0 : i64, spills = 0 : i64, workgroup_bytes = 0 : i64}>
// CHECK-SAME: bin = "\7FELF
// CHECK-SAME: chip = "sm_100a"
// CHECK-SAME: chip = "sm_90a"
// CHECK-SAME: chip = "sm_80"
// CHECK: gpu.binary @sums_gpu
// CHECK-SAME: workgroup_bytes = 4 : i64
// CHECK: gpu.binary @scan_gpu
