// A code object for each chip, that the driver can load: without undefined symbols,
// with a kernel descriptor for each function and the chip's target. Registers,
// spills and memory are read out of its metadata.
// RUN: rm -rf %t
// RUN: weft-opt %S/../GPU/Inputs/kernels.mlir --weft-map-to-gpu --weft-amdgpu-serialize > %t.out
// RUN: FileCheck %s --check-prefix=BINARY < %t.out
// RUN: %python %S/../GPU/Inputs/extract_objects.py %t < %t.out
// RUN: llvm-nm -D --undefined-only %t/functions_gpu.gfx90a %t/sums_gpu.gfx942 %t/scan_gpu.gfx1201 2>&1 | FileCheck %s --check-prefix=UNDEFINED --allow-empty
// RUN: llvm-readelf --notes %t/sums_gpu.gfx950 | FileCheck %s --check-prefixes=NOTES,GFX950
// RUN: llvm-readelf --notes %t/sums_gpu.gfx1100 | FileCheck %s --check-prefixes=NOTES,GFX1100
// RUN: llvm-objdump -d %t/sums_gpu.gfx90a | FileCheck %s --check-prefixes=CODE,CDNA
// RUN: llvm-objdump -d %t/sums_gpu.gfx942 | FileCheck %s --check-prefixes=CODE,CDNA
// RUN: llvm-objdump -d %t/sums_gpu.gfx950 | FileCheck %s --check-prefixes=CODE,CDNA
// RUN: llvm-objdump -d %t/sums_gpu.gfx1100 | FileCheck %s --check-prefixes=CODE
// RUN: llvm-objdump -d %t/sums_gpu.gfx1201 | FileCheck %s --check-prefix=RDNA4
// RUN: llvm-objdump -d %t/functions_gpu.gfx942 | FileCheck %s --check-prefix=FUNCTIONS

// BINARY: gpu.binary @functions_gpu
// BINARY-SAME: #rocdl.target<O = 3, chip = "gfx950", abi = "500">
// BINARY-SAME: metadata = {private_bytes = 0 : i64, registers = {{[1-9][0-9]*}} : i64, scalar_registers = {{[1-9][0-9]*}} : i64, spills = 0 : i64, workgroup_bytes = 0 : i64}
// BINARY-SAME: chip = "gfx942"
// BINARY-SAME: chip = "gfx90a"
// BINARY-SAME: chip = "gfx1201"
// BINARY-SAME: chip = "gfx1100"
// BINARY: gpu.binary @sums_gpu
// BINARY-SAME: workgroup_bytes = 4 : i64

// UNDEFINED-NOT: {{ [uU] }}

// NOTES: .group_segment_fixed_size: 4
// NOTES: .max_flat_workgroup_size: 256
// NOTES: .name: sums_0
// GFX950: .wavefront_size: 64
// GFX1100: .wavefront_size: 32
// GFX950: amdhsa.target: amdgcn-amd-amdhsa--gfx950
// GFX1100: amdhsa.target: amdgcn-amd-amdhsa--gfx1100

// CODE-LABEL: <sums_0>:
// CODE: s_barrier
// CDNA: global_load_dword
// CDNA: v_div_fixup_f32
// RDNA4-LABEL: <sums_0>:
// RDNA4: s_barrier_signal
// RDNA4: s_barrier_wait

// FUNCTIONS-LABEL: <functions_0>:
// FUNCTIONS-DAG: v_sqrt_f32
// FUNCTIONS-DAG: v_floor_f32
// FUNCTIONS-DAG: v_rndne_f32
// FUNCTIONS-DAG: v_fma_f32
