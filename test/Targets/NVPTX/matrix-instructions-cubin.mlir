// ptxas takes the instructions of tensor cores for every chip, and nothing spills.
// REQUIRES: ptxas
// RUN: weft-opt %S/../GPU/Inputs/matrices.mlir --weft-map-to-gpu --weft-nvptx-serialize | FileCheck %s

// CHECK: gpu.binary @halves_gpu
// CHECK-COUNT-4: spills = 0 : i64, workgroup_bytes = 10240 : i64
// CHECK: gpu.binary @brains_gpu
// CHECK-COUNT-4: spills = 0 : i64, workgroup_bytes = 10240 : i64
