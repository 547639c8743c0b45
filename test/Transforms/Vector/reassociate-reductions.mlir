// Sums along the innermost loop may be reassociated, and nothing else.
// RUN: weft-opt %s --weft-reassociate-reductions | FileCheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>

// CHECK-LABEL: weft.kernel @squares
// CHECK: arith.mulf %{{.+}}, %{{.+}} : f32
// CHECK: arith.addf %{{.+}}, %{{.+}} fastmath<reassoc> : f32
weft.kernel @squares(%x: tensor<?x37xf32>, %out: tensor<?xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x37xf32>) outs(%out : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.mulf %a, %a : f32
    %2 = arith.addf %b, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<?xf32>
  weft.yield %0 : tensor<?xf32>
}

// CHECK-LABEL: weft.kernel @product
// CHECK: arith.mulf %{{.+}}, %{{.+}} fastmath<reassoc> : f64
weft.kernel @product(%x: tensor<5x37xf64>, %out: tensor<5xf64>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<5x37xf64>) outs(%out : tensor<5xf64>) {
  ^bb0(%a: f64, %b: f64):
    %1 = arith.mulf %a, %b : f64
    linalg.yield %1 : f64
  } -> tensor<5xf64>
  weft.yield %0 : tensor<5xf64>
}

// A weighted mean of what came before is no sum.
// CHECK-LABEL: weft.kernel @recurrence
// CHECK-NOT: reassoc
// CHECK-LABEL: weft.kernel @along_columns
weft.kernel @recurrence(%x: tensor<5x37xf32>, %out: tensor<5xf32>) outs 1 {
  %half = arith.constant 0.5 : f32
  %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<5x37xf32>) outs(%out : tensor<5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.mulf %b, %half : f32
    %2 = arith.addf %1, %a : f32
    linalg.yield %2 : f32
  } -> tensor<5xf32>
  weft.yield %0 : tensor<5xf32>
}

// Here the columns are the vectors, in the order of the rows.
// CHECK-NOT: reassoc
weft.kernel @along_columns(%x: tensor<5x37xf32>, %out: tensor<37xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #columns], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<5x37xf32>) outs(%out : tensor<37xf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.addf %a, %b : f32
    linalg.yield %1 : f32
  } -> tensor<37xf32>
  weft.yield %0 : tensor<37xf32>
}
