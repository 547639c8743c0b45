// Code for devices, to be looked at: what it takes of a chip, its assembly, its
// disassembly.
// RUN: rm -rf %t && mkdir -p %t
// RUN: weft compile %s --target=amdgpu --chip=gfx942,gfx1100 --quiet --save-asm=%t/asm -o %t/amd.so
// RUN: weft inspect %t/amd.so | FileCheck %s --check-prefix=AMD
// RUN: weft inspect %t/amd.so --json | FileCheck %s --check-prefix=JSON
// RUN: cat %t/asm/*_gpu.gfx942.s | FileCheck %s --check-prefix=AMDASM -DCHIP=gfx942
// RUN: cat %t/asm/*_gpu.gfx1100.s | FileCheck %s --check-prefix=AMDASM -DCHIP=gfx1100
// RUN: weft inspect %t/amd.so --disassemble=reduce_0_1 | FileCheck %s --check-prefix=AMDDIS
// RUN: not weft inspect %t/amd.so --disassemble=reduce_0_7 2>&1 | FileCheck %s --check-prefix=NONE

// AMD: device      2 kernels
// AMD-NEXT: code      hip gfx1100: 2 kernels
// AMD-NEXT: code      hip gfx942: 2 kernels
// AMD-NEXT: registers scalar spills scalar shared private
// AMD: reduce_0_1 gfx942 {{[1-9][0-9]* [1-9][0-9]* 0 0 1024 0$}}
// AMD: reduce_0_1 gfx1100 {{[1-9][0-9]* [1-9][0-9]* 0 0 1024 0$}}
// JSON: "resources"
// JSON: "kernel": "reduce_0_1"
// JSON-NEXT: "chip": "gfx942"
// JSON-NEXT: "registers": {{[1-9][0-9]*}}
// JSON-NEXT: "scalar_registers": {{[1-9][0-9]*}}
// JSON-NEXT: "spills": 0
// JSON-NEXT: "scalar_spills": 0
// JSON-NEXT: "shared_bytes": 1024
// JSON-NEXT: "private_bytes": 0
// AMDASM: .amdgcn_target "amdgcn-amd-amdhsa--[[CHIP]]"
// AMDASM: reduce_0_1:
// AMDASM: s_barrier
// AMDDIS: hip gfx942:
// AMDDIS: <reduce_0_1>:
// AMDDIS: s_barrier
// AMDDIS: s_endpgm
// AMDDIS: hip gfx1100:
// AMDDIS: <reduce_0_1>:
// NONE: the module has no kernel 'reduce_0_7'; did you mean 'reduce_0_0'?

// Without ptxas a module has PTX, and nobody says what it takes.
// RUN: env CUDA_HOME=%t/nowhere PATH=%weft-tools weft compile %s --target=nvptx --chip=sm_80,sm_120 --quiet --save-asm=%t/asm -o %t/nv.so
// RUN: weft inspect %t/nv.so | FileCheck %s --check-prefix=NV --implicit-check-not=registers
// RUN: cat %t/asm/*_gpu.sm_120.ptx | FileCheck %s --check-prefix=PTX
// RUN: weft inspect %t/nv.so --disassemble=reduce_0_1 | FileCheck %s --check-prefix=NVDIS
// NV: code      cuda sm_120: 2 kernels
// PTX: .target sm_120
// PTX: .visible .entry reduce_0_1(
// NVDIS: cuda sm_80:
// NVDIS: .entry reduce_0_1(
// NVDIS: cuda sm_120:

// RUN: weft compile %s --target=emulation --quiet -o %t/emulation.so
// RUN: weft inspect %t/emulation.so | FileCheck %s --check-prefix=EMULATION --implicit-check-not=registers
// RUN: not weft inspect %t/emulation.so --disassemble=reduce_0_1 2>&1 | FileCheck %s --check-prefix=PLAYED
// EMULATION: code      emulation 32: 2 kernels
// PLAYED: 'reduce_0_1' is code for the CPU, which plays a device: 'weft compile --save-asm' keeps it
func.func @main(%x: tensor<8x1000xf32>) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<8xf32>) -> tensor<8xf32>
  %y = linalg.reduce { arith.addf } ins(%x : tensor<8x1000xf32>) outs(%init : tensor<8xf32>) dimensions = [1]
  return %y : tensor<8xf32>
}
