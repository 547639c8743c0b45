// Each chip gets the matrix instruction that it has: for 64 x 64 results and 32 k, four waves
// of 64 lanes have 16 x 64 each, eight of 32 lanes 16 x 32. CDNA 2 has f16 as f32. Nothing spills.
// RUN: rm -rf %t
// RUN: weft-opt %S/../GPU/Inputs/matrices.mlir --weft-map-to-gpu --weft-amdgpu-serialize > %t.out
// RUN: FileCheck %s --check-prefix=BINARY < %t.out
// RUN: %python %S/../GPU/Inputs/extract_objects.py %t < %t.out
// RUN: llvm-objdump -d %t/halves_gpu.gfx90a | FileCheck %s --check-prefix=CDNA2
// RUN: llvm-objdump -d %t/halves_gpu.gfx942 | FileCheck %s --check-prefix=CDNA3
// RUN: llvm-objdump -d %t/halves_gpu.gfx950 | FileCheck %s --check-prefix=CDNA3
// RUN: llvm-objdump -d %t/halves_gpu.gfx1100 | FileCheck %s --check-prefix=RDNA3
// RUN: llvm-objdump -d %t/halves_gpu.gfx1201 | FileCheck %s --check-prefix=RDNA4
// RUN: llvm-objdump -d %t/brains_gpu.gfx90a | FileCheck %s --check-prefix=CDNA2-BRAINS
// RUN: llvm-objdump -d %t/brains_gpu.gfx942 | FileCheck %s --check-prefix=CDNA3-BRAINS
// RUN: llvm-objdump -d %t/brains_gpu.gfx1201 | FileCheck %s --check-prefix=RDNA-BRAINS

// BINARY-COUNT-5: spills = 0 : i64
// CDNA2-COUNT-16: v_mfma_f32_16x16x4f32
// CDNA2-NOT: v_mfma_f32_16x16x16f16
// CDNA3-COUNT-4: v_mfma_f32_16x16x16_f16
// CDNA3-NOT: v_mfma
// RDNA3-COUNT-2: v_wmma_f32_16x16x16_f16 v[{{[0-9]+:[0-9]+}}], v[{{[0-9]+:[0-9]+}}], v[{{[0-9]+:[0-9]+}}], v[{{[0-9]+:[0-9]+}}]
// RDNA3-NOT: v_wmma
// RDNA4-COUNT-2: v_wmma_f32_16x16x16_f16
// RDNA4-NOT: v_wmma
// CDNA2-BRAINS-COUNT-4: v_mfma_f32_16x16x16{{_?}}bf16_1k
// CDNA3-BRAINS-COUNT-4: v_mfma_f32_16x16x16_bf16
// RDNA-BRAINS-COUNT-2: v_wmma_f32_16x16x16_bf16
