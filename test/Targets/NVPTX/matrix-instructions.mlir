// Tensor cores: for 64 x 64 results and 16 k, each of eight warps multiplies four times.
// RUN: rm -rf %t
// RUN: weft-opt %S/../GPU/Inputs/matrices.mlir -pass-pipeline='builtin.module(weft-map-to-gpu,weft-nvptx-serialize{emit-ptx})' > %t.out
// RUN: %python %S/../GPU/Inputs/extract_objects.py %t < %t.out
// RUN: FileCheck %s --check-prefix=HALVES < %t/halves_gpu.sm_80
// RUN: FileCheck %s --check-prefix=HALVES < %t/halves_gpu.sm_120
// RUN: FileCheck %s --check-prefix=BRAINS < %t/brains_gpu.sm_90a

// HALVES-COUNT-4: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// HALVES-NOT: mma.sync
// BRAINS-COUNT-4: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
