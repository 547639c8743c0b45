// RUN: weft-opt %s --pass-pipeline='builtin.module(func.func(ssm-raise-segment-sums))' | FileCheck %s

#all = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#mask = affine_map<(d0, d1, d2) -> (d1, d2)>
#repeat = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#number = affine_map<(d0, d1, d2) -> ()>

// Both ways to choose by a mask.
// CHECK-LABEL: @listing
// CHECK: ssm.segsum ins(%{{.*}} : tensor<?x3xf32>)
func.func @listing(%g: tensor<?x3xf32>, %b: index) -> tensor<?x3x3xf32> {
  %c0_i8 = arith.constant 0 : i8
  %below = arith.constant dense<[[0, 0, 0], [1, 0, 0], [1, 1, 0]]> : tensor<3x3xi8>
  %above = arith.constant dense<[[0, 1, 1], [0, 0, 1], [0, 0, 0]]> : tensor<3x3xi8>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %least = arith.constant dense<0xFF800000> : tensor<f32>
  %init = tensor.empty(%b) : tensor<?x3x3xf32>
  %column = tensor.expand_shape %g [[0], [1, 2]] output_shape [%b, 3, 1] : tensor<?x3xf32> into tensor<?x3x1xf32>
  %repeated = linalg.generic {indexing_maps = [#repeat, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%column : tensor<?x3x1xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<?x3x3xf32>
  %terms = linalg.generic {indexing_maps = [#mask, #all, #number, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%below, %repeated, %zero : tensor<3x3xi8>, tensor<?x3x3xf32>, tensor<f32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%m: i8, %x: f32, %n: f32, %y: f32):
    %0 = arith.cmpi ne, %m, %c0_i8 : i8
    %1 = arith.select %0, %x, %n : f32
    linalg.yield %1 : f32
  } -> tensor<?x3x3xf32>
  %sums = weft.scan sum dimension = 1 ins(%terms : tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) -> tensor<?x3x3xf32>
  %masked = linalg.generic {indexing_maps = [#mask, #number, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%above, %least, %sums : tensor<3x3xi8>, tensor<f32>, tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%m: i8, %n: f32, %x: f32, %y: f32):
    %0 = arith.cmpi ne, %m, %c0_i8 : i8
    %1 = arith.select %0, %n, %x : f32
    linalg.yield %1 : f32
  } -> tensor<?x3x3xf32>
  %result = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%masked : tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x3xf32>
  return %result : tensor<?x3x3xf32>
}

// Sums that begin one token earlier.
// CHECK-LABEL: @with_diagonal
// CHECK-NOT: ssm.segsum
func.func @with_diagonal(%g: tensor<?x3xf32>, %b: index) -> tensor<?x3x3xf32> {
  %c0_i8 = arith.constant 0 : i8
  %below = arith.constant dense<[[1, 0, 0], [1, 1, 0], [1, 1, 1]]> : tensor<3x3xi8>
  %above = arith.constant dense<[[0, 1, 1], [0, 0, 1], [0, 0, 0]]> : tensor<3x3xi8>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %least = arith.constant dense<0xFF800000> : tensor<f32>
  %init = tensor.empty(%b) : tensor<?x3x3xf32>
  %column = tensor.expand_shape %g [[0], [1, 2]] output_shape [%b, 3, 1] : tensor<?x3xf32> into tensor<?x3x1xf32>
  %repeated = linalg.generic {indexing_maps = [#repeat, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%column : tensor<?x3x1xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<?x3x3xf32>
  %terms = linalg.generic {indexing_maps = [#mask, #all, #number, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%below, %repeated, %zero : tensor<3x3xi8>, tensor<?x3x3xf32>, tensor<f32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%m: i8, %x: f32, %n: f32, %y: f32):
    %0 = arith.cmpi ne, %m, %c0_i8 : i8
    %1 = arith.select %0, %x, %n : f32
    linalg.yield %1 : f32
  } -> tensor<?x3x3xf32>
  %sums = weft.scan sum dimension = 1 ins(%terms : tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) -> tensor<?x3x3xf32>
  %masked = linalg.generic {indexing_maps = [#mask, #number, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%above, %least, %sums : tensor<3x3xi8>, tensor<f32>, tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%m: i8, %n: f32, %x: f32, %y: f32):
    %0 = arith.cmpi ne, %m, %c0_i8 : i8
    %1 = arith.select %0, %n, %x : f32
    linalg.yield %1 : f32
  } -> tensor<?x3x3xf32>
  %result = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%masked : tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x3xf32>
  return %result : tensor<?x3x3xf32>
}

// Sums over columns.
// CHECK-LABEL: @along_columns
// CHECK-NOT: ssm.segsum
func.func @along_columns(%g: tensor<?x3xf32>, %b: index) -> tensor<?x3x3xf32> {
  %c0_i8 = arith.constant 0 : i8
  %below = arith.constant dense<[[0, 0, 0], [1, 0, 0], [1, 1, 0]]> : tensor<3x3xi8>
  %above = arith.constant dense<[[0, 1, 1], [0, 0, 1], [0, 0, 0]]> : tensor<3x3xi8>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %least = arith.constant dense<0xFF800000> : tensor<f32>
  %init = tensor.empty(%b) : tensor<?x3x3xf32>
  %column = tensor.expand_shape %g [[0], [1, 2]] output_shape [%b, 3, 1] : tensor<?x3xf32> into tensor<?x3x1xf32>
  %repeated = linalg.generic {indexing_maps = [#repeat, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%column : tensor<?x3x1xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<?x3x3xf32>
  %terms = linalg.generic {indexing_maps = [#mask, #all, #number, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%below, %repeated, %zero : tensor<3x3xi8>, tensor<?x3x3xf32>, tensor<f32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%m: i8, %x: f32, %n: f32, %y: f32):
    %0 = arith.cmpi ne, %m, %c0_i8 : i8
    %1 = arith.select %0, %x, %n : f32
    linalg.yield %1 : f32
  } -> tensor<?x3x3xf32>
  %sums = weft.scan sum dimension = 2 ins(%terms : tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) -> tensor<?x3x3xf32>
  %masked = linalg.generic {indexing_maps = [#mask, #number, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%above, %least, %sums : tensor<3x3xi8>, tensor<f32>, tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%m: i8, %n: f32, %x: f32, %y: f32):
    %0 = arith.cmpi ne, %m, %c0_i8 : i8
    %1 = arith.select %0, %n, %x : f32
    linalg.yield %1 : f32
  } -> tensor<?x3x3xf32>
  %result = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%masked : tensor<?x3x3xf32>) outs(%init : tensor<?x3x3xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x3xf32>
  return %result : tensor<?x3x3xf32>
}
