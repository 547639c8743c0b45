// What multiplies and accumulates, but is no contraction that `weft.contract` says.

// RUN: weft-opt %s --weft-raise-contractions | FileCheck %s --implicit-check-not=weft.contract

// Contracts no loop.
// CHECK-LABEL: func @outer
// CHECK: linalg.generic
func.func @outer(%a0: tensor<4xf32>, %a1: tensor<5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<4xf32>, tensor<5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Reads windows.
// CHECK-LABEL: func @windows
// CHECK: linalg.generic
func.func @windows(%a0: tensor<8xf32>, %a1: tensor<3xf32>, %init: tensor<6xf32>) -> tensor<6xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i, k) -> (i + k)>, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%a0, %a1 : tensor<8xf32>, tensor<3xf32>) outs(%init : tensor<6xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<6xf32>
  return %y : tensor<6xf32>
}

// Reads a diagonal.
// CHECK-LABEL: func @diagonal
// CHECK: linalg.generic
func.func @diagonal(%a0: tensor<8x8xf32>, %a1: tensor<8x3xf32>, %init: tensor<3xf32>) -> tensor<3xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i, k) -> (k, k)>, affine_map<(i, k) -> (k, i)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%a0, %a1 : tensor<8x8xf32>, tensor<8x3xf32>) outs(%init : tensor<3xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// May read an element that does not exist.
// CHECK-LABEL: func @dynamic_broadcast
// CHECK: linalg.generic
func.func @dynamic_broadcast(%a0: tensor<?x8xf32>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (0, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<?x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Has an operand more, which gives a loop its extent.
// CHECK-LABEL: func @extents_only
// CHECK: linalg.generic
func.func @extents_only(%a0: tensor<4xf32>, %a1: tensor<5xf32>, %a2: tensor<8xi8>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1, %a2 : tensor<4xf32>, tensor<5xf32>, tensor<8xi8>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %never: i8, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Multiplies one of its inputs by itself.
// CHECK-LABEL: func @square
// CHECK: linalg.generic
func.func @square(%a0: tensor<4x8xf32>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %p : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// A sum of squares reduces one operand.
// CHECK-LABEL: func @squares
// CHECK: linalg.generic
func.func @squares(%a: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a, %a : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// Computes a factor.
// CHECK-LABEL: func @difference
// CHECK: linalg.generic
func.func @difference(%a0: tensor<4x8xf32>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %d = arith.subf %p, %q : f32
    %t = arith.mulf %d, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Accumulates otherwise.
// CHECK-LABEL: func @largest
// CHECK: linalg.generic
func.func @largest(%a0: tensor<4x8xf32>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.maximumf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Allows what the operation does not say.
// CHECK-LABEL: func @fast
// CHECK: linalg.generic
func.func @fast(%a0: tensor<4x8xf32>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %sum: f32):
    %t = arith.mulf %p, %q : f32
    %next = arith.addf %sum, %t fastmath<reassoc> : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Rounds what it adds.
// CHECK-LABEL: func @rounded
// CHECK: linalg.generic
func.func @rounded(%a0: tensor<4x8xf32>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf16>) -> tensor<4x5xf16> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf16>) {
  ^bb0(%p: f32, %q: f32, %sum: f16):
    %t = arith.mulf %p, %q : f32
    %r = arith.truncf %t : f32 to f16
    %next = arith.addf %sum, %r : f16
    linalg.yield %next : f16
  } -> tensor<4x5xf16>
  return %y : tensor<4x5xf16>
}

// Converts integers to floats.
// CHECK-LABEL: func @converted
// CHECK: linalg.generic
func.func @converted(%a0: tensor<4x8xi8>, %a1: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a0, %a1 : tensor<4x8xi8>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%p: i8, %q: f32, %sum: f32):
    %r = arith.sitofp %p : i8 to f32
    %t = arith.mulf %r, %q : f32
    %next = arith.addf %sum, %t : f32
    linalg.yield %next : f32
  } -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Complex numbers get the form of an importer.
// CHECK-LABEL: func @complex
// CHECK: linalg.generic
func.func @complex(%a: tensor<4x8xcomplex<f32>>, %b: tensor<8x5xcomplex<f32>>, %init: tensor<4x5xcomplex<f32>>) -> tensor<4x5xcomplex<f32>> {
  %y = linalg.matmul ins(%a, %b : tensor<4x8xcomplex<f32>>, tensor<8x5xcomplex<f32>>)
         outs(%init : tensor<4x5xcomplex<f32>>) -> tensor<4x5xcomplex<f32>>
  return %y : tensor<4x5xcomplex<f32>>
}

// On buffers.
// CHECK-LABEL: func @buffers
// CHECK: linalg.generic
func.func @buffers(%a: memref<4x8xf32>, %b: memref<8x5xf32>, %c: memref<4x5xf32>) {
  linalg.matmul ins(%a, %b : memref<4x8xf32>, memref<8x5xf32>) outs(%c : memref<4x5xf32>)
  return
}
