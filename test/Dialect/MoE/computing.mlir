// Products of groups and the sums over a token's slots, and what they mean in loops.

// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference --canonicalize | FileCheck %s --check-prefix=REF

// CHECK-LABEL: @plain
// CHECK: moe.grouped_matmul ins(%{{.*}} : tensor<?x8xf32>) weights(%{{.*}} : tensor<4x8x70xf32>) offsets(%{{.*}} : tensor<5xi32>) outs(%{{.*}} : tensor<?x70xf32>) -> tensor<?x70xf32>
// Groups times tiles of columns, of which those of empty groups do nothing.
// REF-LABEL: @plain
// REF-NOT: moe.grouped_matmul
// REF: scf.forall (%[[G:.*]], %[[C:.*]]) in (4, 2)
// REF: scf.if
// REF: tensor.extract_slice %{{.*}}[%[[G]], 0, %{{.*}}] [1, 8, %{{.*}}] [1, 1, 1] : tensor<4x8x70xf32> to tensor<8x?xf32>
func.func @plain(%x: tensor<?x8xf32>, %w: tensor<4x8x70xf32>, %o: tensor<5xi32>,
                 %init: tensor<?x70xf32>) -> tensor<?x70xf32> {
  %y = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w : tensor<4x8x70xf32>)
         offsets(%o : tensor<5xi32>) outs(%init : tensor<?x70xf32>) -> tensor<?x70xf32>
  return %y : tensor<?x70xf32>
}

// CHECK-LABEL: @gated
// CHECK: moe.grouped_matmul transposed ins(%{{.*}}) weights(%{{.*}}, %{{.*}}) biases(%{{.*}}, %{{.*}}) offsets(%{{.*}}) indices(%{{.*}}) outs(%{{.*}}) epilogue {
// CHECK: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: index, %{{.*}}: index):
// CHECK: moe.yield %{{.*}} : f16
func.func @gated(%x: tensor<?x8xf16>, %g: tensor<4x5x8xf16>, %u: tensor<4x5x8xf16>,
                 %b: tensor<4x5xf16>, %o: tensor<5xi32>, %i: tensor<?xi32>, %init: tensor<?x5xf16>)
    -> tensor<?x5xf16> {
  %y = moe.grouped_matmul transposed ins(%x : tensor<?x8xf16>)
         weights(%g, %u : tensor<4x5x8xf16>, tensor<4x5x8xf16>)
         biases(%b, %b : tensor<4x5xf16>, tensor<4x5xf16>) offsets(%o : tensor<5xi32>)
         indices(%i : tensor<?xi32>) outs(%init : tensor<?x5xf16>) epilogue {
  ^bb0(%a: f32, %c: f32, %row: index, %group: index):
    %p = arith.mulf %a, %c : f32
    %h = arith.truncf %p : f32 to f16
    moe.yield %h : f16
  } -> tensor<?x5xf16>
  return %y : tensor<?x5xf16>
}

!weight = !weft.packed<4x1024x70xf32, #weft.format<elem = #lowp.int<4, signed>>>

// 256 rows of 64 columns of one group are decoded at a time, behind the test for rows, and
// never a whole weight. A tile of rows is multiplied with them.
// CHECK-LABEL: @packed
// CHECK: weights(%{{.*}} : !weft.packed<4x1024x70xf32,
// REF-LABEL: @packed
// REF: scf.forall (%{{.*}}, %{{.*}}) in (4, 2)
// REF: scf.if
// REF: tensor.empty(%{{.*}}) : tensor<1x256x?xf32>
// REF: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// REF-NOT: tensor<4x1024x70xf32>
func.func @packed(%x: tensor<?x1024xf32>, %codes: tensor<143360xi8>, %o: tensor<5xi32>,
                  %init: tensor<?x70xf32>) -> tensor<?x70xf32> {
  %w = weft.assemble %codes : tensor<143360xi8> -> !weight
  %y = moe.grouped_matmul ins(%x : tensor<?x1024xf32>) weights(%w : !weight)
         offsets(%o : tensor<5xi32>) outs(%init : tensor<?x70xf32>) -> tensor<?x70xf32>
  return %y : tensor<?x70xf32>
}

// CHECK-LABEL: @combine
// CHECK: moe.combine ins(%{{.*}}, %{{.*}} : tensor<?x8xf16>, tensor<?x2xi32>) weights(%{{.*}} : tensor<?x2xf32>) outs(
// A loop over slots for each token; sums are rounded once.
// REF-LABEL: @combine
// REF: scf.forall
// REF: scf.for
// REF: arith.addf {{.*}} : f32
// REF: arith.truncf
// REF: scf.forall.in_parallel
func.func @combine(%v: tensor<?x8xf16>, %p: tensor<?x2xi32>, %w: tensor<?x2xf32>,
                   %init: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %y = moe.combine ins(%v, %p : tensor<?x8xf16>, tensor<?x2xi32>) weights(%w : tensor<?x2xf32>)
         outs(%init : tensor<?x8xf16>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}
