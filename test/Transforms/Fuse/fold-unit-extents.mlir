// Elementwise operations read and compute without the unit extents that a
// reduction left.
// RUN: weft-opt %s --weft-fold-unit-extents --canonicalize --cse | FileCheck %s

#all = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#rows = affine_map<(d0, d1, d2) -> (d0, d1)>
#kept = affine_map<(d0, d1, d2) -> (d0, d1, 0)>

// CHECK-DAG: #[[$ALL:.+]] = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-DAG: #[[$ROWS:.+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[$TWO:.+]] = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @mean
// CHECK-NOT: tensor.expand_shape
// CHECK: %[[SUM:.+]] = linalg.generic {{.+}} "reduction"
// CHECK: %[[MEAN:.+]] = linalg.generic {indexing_maps = [#[[$TWO]], #[[$TWO]]]
// CHECK-SAME: ins(%[[SUM]] : tensor<?x5xf32>)
// CHECK: linalg.generic {indexing_maps = [#[[$ALL]], #[[$ROWS]], #[[$ALL]]]
// CHECK-SAME: ins(%{{.+}}, %[[MEAN]] : tensor<?x5x7xf32>, tensor<?x5xf32>)
func.func @mean(%n: index, %x: tensor<?x5x7xf32>) -> tensor<?x5x7xf32> {
  %zero = arith.constant 0.0 : f32
  %seven = arith.constant 7.0 : f32
  %0 = tensor.empty(%n) : tensor<?x5xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %2 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x5x7xf32>) outs(%1 : tensor<?x5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x5xf32>
  %3 = tensor.expand_shape %2 [[0], [1, 2]] output_shape [%n, 5, 1] : tensor<?x5xf32> into tensor<?x5x1xf32>
  %4 = tensor.empty(%n) : tensor<?x5x1xf32>
  %5 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%3 : tensor<?x5x1xf32>) outs(%4 : tensor<?x5x1xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.divf %a, %seven : f32
    linalg.yield %s : f32
  } -> tensor<?x5x1xf32>
  %6 = tensor.empty(%n) : tensor<?x5x7xf32>
  %7 = linalg.generic {indexing_maps = [#all, #kept, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %5 : tensor<?x5x7xf32>, tensor<?x5x1xf32>) outs(%6 : tensor<?x5x7xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.subf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x5x7xf32>
  return %7 : tensor<?x5x7xf32>
}

// An expansion into extents that are not 1 is another tensor.
// CHECK-LABEL: func @split
// CHECK: %[[SPLIT:.+]] = tensor.expand_shape
// CHECK: linalg.generic {{.+}} ins(%[[SPLIT]]
func.func @split(%x: tensor<2x15xf32>) -> tensor<2x3x5xf32> {
  %0 = tensor.expand_shape %x [[0], [1, 2]] output_shape [2, 3, 5] : tensor<2x15xf32> into tensor<2x3x5xf32>
  %1 = tensor.empty() : tensor<2x3x5xf32>
  %2 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0 : tensor<2x3x5xf32>) outs(%1 : tensor<2x3x5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = math.exp %a : f32
    linalg.yield %s : f32
  } -> tensor<2x3x5xf32>
  return %2 : tensor<2x3x5xf32>
}

// Positions would be others without the extent: it stays.
// CHECK-LABEL: func @positions
// CHECK: linalg.generic {{.+}} outs(%{{.+}} : tensor<4x1xindex>)
func.func @positions(%x: tensor<4xf32>) -> tensor<4x1xindex> {
  %0 = tensor.expand_shape %x [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %1 = tensor.empty() : tensor<4x1xindex>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x1xf32>) outs(%1 : tensor<4x1xindex>) {
  ^bb0(%a: f32, %b: index):
    %i = linalg.index 1 : index
    linalg.yield %i : index
  } -> tensor<4x1xindex>
  return %2 : tensor<4x1xindex>
}
