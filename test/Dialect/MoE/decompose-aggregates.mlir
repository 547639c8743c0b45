// Layers of experts become plans, products and combinations; packed weights stay
// packed, and no tensor of their numbers is made.

// RUN: weft-opt %s --moe-decompose-aggregates | FileCheck %s
// RUN: weft-opt %s --moe-decompose-aggregates --weft-convert-packed | FileCheck %s --check-prefix=PACKED

!weight = !weft.packed<4x8x16xf32, #weft.format<elem = #lowp.int<4, signed>>>

// CHECK-LABEL: @layer
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[IDS:.*]]: tensor<?x2xi32>, %[[W:.*]]: tensor<?x2xf32>, %[[UP:.*]]: !weft.packed<{{.*}}>, %[[DOWN:.*]]: tensor<4x16x8xf32>, %[[INIT:.*]]: tensor<?x8xf32>)
// CHECK: %[[OFFSETS:.*]], %[[SLOTS:.*]], %[[POSITIONS:.*]] = moe.plan ins(%[[IDS]] : tensor<?x2xi32>)
// The tokens of the slots.
// CHECK: %[[TOKENS:.*]] = linalg.generic {{.*}} ins(%[[SLOTS]]
// CHECK: arith.floordivsi
// CHECK: %[[HIDDEN:.*]] = moe.grouped_matmul ins(%[[X]] : tensor<?x8xf32>) weights(%[[UP]] : !weft.packed<4x8x16xf32, {{.*}}>) offsets(%[[OFFSETS]] : tensor<5xi32>) indices(%[[TOKENS]] : tensor<?xi32>)
// CHECK-SAME: epilogue {
// CHECK: arith.maximumf
// CHECK: %[[VALUES:.*]] = moe.grouped_matmul ins(%[[HIDDEN]] : tensor<?x16xf32>) weights(%[[DOWN]] : tensor<4x16x8xf32>) offsets(%[[OFFSETS]] : tensor<5xi32>)
// CHECK: moe.combine ins(%[[VALUES]], %[[POSITIONS]] : tensor<?x8xf32>, tensor<?x2xi32>) weights(%[[W]] : tensor<?x2xf32>) outs(%[[INIT]] : tensor<?x8xf32>)
// CHECK-NOT: moe.expert_ffn

// PACKED-LABEL: @layer
// PACKED-NOT: tensor<4x8x16xf32>
// PACKED: return
func.func @layer(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %up: !weight,
                 %down: tensor<4x16x8xf32>, %init: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %y = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>)
         up(%up : !weight) down(%down : tensor<4x16x8xf32>) outs(%init : tensor<?x8xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Two halves in one weight: their activation reads both.
// CHECK-LABEL: @interleaved
// CHECK: %[[SUMS:.*]] = moe.grouped_matmul transposed {{.*}} -> tensor<6x32xf32>
// CHECK: linalg.generic
// CHECK-COUNT-2: tensor.extract %[[SUMS]]
// CHECK: linalg.yield %{{.*}} : f16
func.func @interleaved(%x: tensor<3x8xf16>, %ids: tensor<3x2xi32>, %w: tensor<3x2xf32>,
                       %up: tensor<4x32x8xf16>, %down: tensor<4x8x16xf16>, %init: tensor<3x8xf16>)
    -> tensor<3x8xf16> {
  %y = moe.expert_ffn transposed fused = interleaved
         ins(%x, %ids, %w : tensor<3x8xf16>, tensor<3x2xi32>, tensor<3x2xf32>)
         up(%up : tensor<4x32x8xf16>) down(%down : tensor<4x8x16xf16>)
         outs(%init : tensor<3x8xf16>) activation {
  ^bb0(%gate: f32, %sum: f32):
    %h = arith.mulf %gate, %sum : f32
    %t = arith.truncf %h : f32 to f16
    moe.yield %t : f16
  } -> tensor<3x8xf16>
  return %y : tensor<3x8xf16>
}

// Inputs are weighted, a row for each slot, and results are not.
// CHECK-LABEL: @weight_before
// CHECK: %[[SCALED:.*]] = linalg.generic
// CHECK: -> tensor<3x2x8xf32>
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %[[SCALED]]
// CHECK: moe.grouped_matmul ins(%[[ROWS]] : tensor<6x8xf32>)
// CHECK: moe.combine ins(%{{.*}}, %{{.*}} : tensor<6x8xf32>, tensor<3x2xi32>) outs(
func.func @weight_before(%x: tensor<3x8xf32>, %ids: tensor<3x2xi32>, %w: tensor<3x2xf32>,
                         %up: tensor<4x8x16xf32>, %down: tensor<4x16x8xf32>, %init: tensor<3x8xf32>)
    -> tensor<3x8xf32> {
  %y = moe.expert_ffn weight_before
         ins(%x, %ids, %w : tensor<3x8xf32>, tensor<3x2xi32>, tensor<3x2xf32>)
         up(%up : tensor<4x8x16xf32>) down(%down : tensor<4x16x8xf32>)
         outs(%init : tensor<3x8xf32>) activation {
  ^bb0(%sum: f32):
    moe.yield %sum : f32
  } -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}
