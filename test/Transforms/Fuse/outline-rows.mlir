// Reductions of rows and what is elementwise around them become one kernel.
// RUN: weft-opt %s --split-input-file --weft-outline-kernels | FileCheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// The sum of two tensors, which lives on, and its rows minus their largest
// element: one kernel with two outs.
// CHECK-LABEL: func.func @residual
// CHECK: %[[BOTH:.+]]:2 = weft.dispatch @reduce_0
// CHECK-NOT: weft.dispatch
// CHECK: return %[[BOTH]]#0, %[[BOTH]]#1
// CHECK-LABEL: weft.kernel @reduce_0
// CHECK-SAME: %[[OUT0:[^:, ]+]]: tensor<?x37xf32>, %[[OUT1:[^:, ]+]]: tensor<?x37xf32>) outs 2
// CHECK: %[[SUM:.+]] = linalg.generic {{.+}} outs(%[[OUT0]] : tensor<?x37xf32>)
// CHECK: linalg.generic {{.+}} "reduction"
// CHECK: %[[DIFFERENCE:.+]] = linalg.generic {{.+}} outs(%[[OUT1]] : tensor<?x37xf32>)
// CHECK: weft.yield %[[SUM]], %[[DIFFERENCE]]
func.func @residual(%n: index, %x: tensor<?x37xf32>, %y: tensor<?x37xf32>) -> (tensor<?x37xf32>, tensor<?x37xf32>) {
  %least = arith.constant 0xFF800000 : f32
  %empty = tensor.empty(%n) : tensor<?x37xf32>
  %0 = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<?x37xf32>, tensor<?x37xf32>) outs(%empty : tensor<?x37xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x37xf32>
  %1 = tensor.empty(%n) : tensor<?xf32>
  %2 = linalg.fill ins(%least : f32) outs(%1 : tensor<?xf32>) -> tensor<?xf32>
  %3 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%0 : tensor<?x37xf32>) outs(%2 : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.maximumf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %4 = linalg.generic {indexing_maps = [#all, #rows, #all], iterator_types = ["parallel", "parallel"]}
      ins(%0, %3 : tensor<?x37xf32>, tensor<?xf32>) outs(%empty : tensor<?x37xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.subf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x37xf32>
  return %0, %4 : tensor<?x37xf32>, tensor<?x37xf32>
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#columns = affine_map<(d0, d1) -> (d1, d0)>
#rows = affine_map<(d0, d1) -> (d0)>
#other = affine_map<(d0, d1) -> (d1)>

// The sums are read along other rows than those that they are of: two kernels.
// CHECK-LABEL: func.func @crossed
// CHECK-COUNT-2: weft.dispatch
func.func @crossed(%x: tensor<37x37xf32>) -> tensor<37x37xf32> {
  %zero = arith.constant 0.0 : f32
  %1 = tensor.empty() : tensor<37xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%1 : tensor<37xf32>) -> tensor<37xf32>
  %3 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<37x37xf32>) outs(%2 : tensor<37xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<37xf32>
  %empty = tensor.empty() : tensor<37x37xf32>
  %4 = linalg.generic {indexing_maps = [#all, #other, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %3 : tensor<37x37xf32>, tensor<37xf32>) outs(%empty : tensor<37x37xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.subf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<37x37xf32>
  return %4 : tensor<37x37xf32>
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>

// Rows that no cache holds stay in two kernels.
// CHECK-LABEL: func.func @long
// CHECK-COUNT-2: weft.dispatch
func.func @long(%x: tensor<64x200000xf32>) -> tensor<64x200000xf32> {
  %zero = arith.constant 0.0 : f32
  %1 = tensor.empty() : tensor<64xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%1 : tensor<64xf32>) -> tensor<64xf32>
  %3 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<64x200000xf32>) outs(%2 : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  %empty = tensor.empty() : tensor<64x200000xf32>
  %4 = linalg.generic {indexing_maps = [#all, #rows, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %3 : tensor<64x200000xf32>, tensor<64xf32>) outs(%empty : tensor<64x200000xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.subf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<64x200000xf32>
  return %4 : tensor<64x200000xf32>
}
