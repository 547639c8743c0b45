// PTX of device functions: for each known chip if none is named, with the version of PTX
// that the chip's table has, and calling nothing.
// RUN: rm -rf %t
// RUN: weft-opt %S/../GPU/Inputs/kernels.mlir -pass-pipeline='builtin.module(weft-map-to-gpu,weft-nvptx-serialize{emit-ptx})' > %t.out
// RUN: FileCheck %s --check-prefix=BINARY < %t.out
// RUN: %python %S/../GPU/Inputs/extract_objects.py %t < %t.out
// RUN: FileCheck %s --check-prefixes=FUNCTIONS,SM80 --implicit-check-not=.extern --implicit-check-not=call < %t/functions_gpu.sm_80
// RUN: FileCheck %s --check-prefixes=FUNCTIONS,SM120 --implicit-check-not=.extern --implicit-check-not=call < %t/functions_gpu.sm_120
// RUN: FileCheck %s --check-prefix=SUMS < %t/sums_gpu.sm_80
// RUN: FileCheck %s --check-prefix=SCAN --implicit-check-not=bar.sync < %t/scan_gpu.sm_80

// BINARY: gpu.binary @functions_gpu
// BINARY-SAME: #nvvm.target<O = 3, chip = "sm_120", features = "+ptx87">
// BINARY-SAME: #gpu.kernel_metadata<"functions_0", (index, index, index, memref<f32>, memref<f32>) -> ()>
// BINARY-SAME: assembly =
// BINARY-SAME: #nvvm.target<O = 3, chip = "sm_100a", features = "+ptx86">
// BINARY-SAME: #nvvm.target<O = 3, chip = "sm_90a", features = "+ptx80">
// BINARY-SAME: #nvvm.target<O = 3, chip = "sm_80", features = "+ptx78">
// BINARY: gpu.launch_func @functions_gpu::@functions_0

// SM80: .version 7.8
// SM80: .target sm_80
// SM120: .version 8.7
// SM120: .target sm_120
// FUNCTIONS: .visible .entry functions_0(
// FUNCTIONS: .maxntid 256, 1, 1
// FUNCTIONS-DAG: %tid.x
// FUNCTIONS-DAG: %ctaid.x
// FUNCTIONS-DAG: ld.global
// FUNCTIONS-DAG: sqrt.rn.f32
// FUNCTIONS-DAG: cvt.rmi.f32.f32
// FUNCTIONS-DAG: cvt.rni.f32.f32
// FUNCTIONS-DAG: fma.rn.f32
// FUNCTIONS-DAG: clz.b64
// FUNCTIONS-DAG: mul{{.*}}.f16
// FUNCTIONS-DAG: st.global

// SUMS: .visible .entry sums_0(
// SUMS: .shared
// SUMS: bar.sync 0
// SUMS: st.shared
// SUMS: bar.sync 0
// SUMS: ld.shared
// SUMS: div.rn.f32

// SCAN: .global .align 64 .b8 {{.*}}[32] = {1, 0, 0, 0
// SCAN: .maxntid 64, 1, 1
// SCAN: ld.global
