// The schedule of a kernel estimates one work item, and the parallel loop passes
// the product to the runtime.
// RUN: weft-opt %s --weft-select-schedules | FileCheck %s
// RUN: weft-opt %s --weft-select-schedules --weft-tile-kernels --weft-buffer --weft-cpu-lower-kernels | FileCheck %s --check-prefix=LOWER

#map = affine_map<(d0, d1) -> (d0, d1)>
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d2, d1)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 2>} {

// 32 rows of 1024: 12 bytes an element, 0.03 ns a byte, and one operation.
// CHECK-LABEL: weft.kernel @add
// CHECK-SAME: schedule = #weft.schedule<parallel = [32, 0] cost = 12615>
// LOWER-LABEL: llvm.func internal @add.body
// LOWER: %[[COST:.+]] = llvm.mlir.constant(12615 : i64)
// LOWER: llvm.mul %{{.+}}, %[[COST]]
weft.kernel @add(%x: tensor<4096x1024xf32>, %y: tensor<4096x1024xf32>, %out: tensor<4096x1024xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<4096x1024xf32>, tensor<4096x1024xf32>) outs(%out : tensor<4096x1024xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %1 = arith.addf %a, %b : f32
    linalg.yield %1 : f32
  } -> tensor<4096x1024xf32>
  weft.yield %0 : tensor<4096x1024xf32>
}

// How often a loop in a body runs is data: few elements are a work item.
// CHECK-LABEL: weft.kernel @search
// CHECK-SAME: schedule = #weft.schedule<parallel = [8] cost = 8011>
weft.kernel @search(%x: tensor<80xindex>, %out: tensor<80xindex>) outs 1 {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<80xindex>) outs(%out : tensor<80xindex>) {
  ^bb0(%a: index, %c: index):
    %limit = arith.constant 100 : index
    %1 = scf.while (%i = %a) : (index) -> index {
      %more = arith.cmpi slt, %i, %limit : index
      scf.condition(%more) %i : index
    } do {
    ^bb0(%i: index):
      %next = arith.addi %i, %i : index
      scf.yield %next : index
    }
    linalg.yield %1 : index
  } -> tensor<80xindex>
  weft.yield %0 : tensor<80xindex>
}

// A transcendental function costs more than its operands' way from memory.
// CHECK-LABEL: weft.kernel @exp
// CHECK-SAME: cost = 24248>
weft.kernel @exp(%x: tensor<4096x1024xf32>, %out: tensor<4096x1024xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4096x1024xf32>) outs(%out : tensor<4096x1024xf32>) {
  ^bb0(%a: f32, %c: f32):
    %1 = math.exp %a : f32
    linalg.yield %1 : f32
  } -> tensor<4096x1024xf32>
  weft.yield %0 : tensor<4096x1024xf32>
}

// Multiply-adds: 24 x 32 x 64 of them, in full vectors.
// CHECK-LABEL: weft.kernel @matmul
// CHECK-SAME: cost = 1075>
weft.kernel @matmul(%x: tensor<24x64xf32>, %y: tensor<64x384xf32>, %out: tensor<24x384xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %y : tensor<24x64xf32>, tensor<64x384xf32>) outs(%out : tensor<24x384xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %1 = arith.mulf %a, %b : f32
    %2 = arith.addf %c, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<24x384xf32>
  weft.yield %0 : tensor<24x384xf32>
}

// What is chosen by hand stays.
// CHECK-LABEL: weft.kernel @chosen
// CHECK-SAME: #weft.schedule<parallel = [1] cost = 7>
weft.kernel @chosen(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 attributes {schedule = #weft.schedule<parallel = [1] cost = 7>} {
  weft.yield %x : tensor<4xf32>
}
}
