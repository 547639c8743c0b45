// Each way of choosing experts, and what it means in loops over rows.

// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference --canonicalize | FileCheck %s --check-prefix=REF

// CHECK-LABEL: @softmax
// CHECK: moe.route softmax top_k ins(%{{.*}} : tensor<?x8xf32>) outs(
// REF-LABEL: @softmax
// REF-NOT: moe.route
// REF: scf.forall (%[[T:.*]]) in (%{{.*}}) shared_outs
// The row of a token, and no tensor of all scores.
// REF: tensor.extract_slice %{{.*}}[%[[T]], 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<8xf32>
// REF-NOT: tensor<?x8xf32>
// REF: scf.forall.in_parallel
func.func @softmax(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>)
    -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>)
      outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
}

// CHECK-LABEL: @grouped
// CHECK: moe.route sigmoid top_k groups = <count = 4, keep = 2, by = top2_sum> normalize = sum
// CHECK-SAME: epsilon = {{.*}} scale = 2.5{{.*}} shared = 1 shared_weight = 5.0{{.*}} bias(
func.func @grouped(%x: tensor<?x8xf16>, %b: tensor<8xf16>, %i: tensor<?x4xi32>, %w: tensor<?x4xf32>)
    -> (tensor<?x4xi32>, tensor<?x4xf32>) {
  %ids, %weights = moe.route sigmoid top_k groups = <count = 4, keep = 2, by = top2_sum>
      normalize = sum epsilon = 1.0e-20 scale = 2.5 shared = 1 shared_weight = 0.5
      ins(%x : tensor<?x8xf16>) bias(%b : tensor<8xf16>)
      outs(%i, %w : tensor<?x4xi32>, tensor<?x4xf32>) -> tensor<?x4xi32>, tensor<?x4xf32>
  return %ids, %weights : tensor<?x4xi32>, tensor<?x4xf32>
}

// CHECK-LABEL: @top_p
// CHECK: moe.route softmax top_p threshold = 7.500000e-01 ins
func.func @top_p(%x: tensor<?x8xf64>, %i: tensor<?x4xi32>, %w: tensor<?x4xf64>)
    -> (tensor<?x4xi32>, tensor<?x4xf64>) {
  %ids, %weights = moe.route softmax top_p threshold = 0.75 ins(%x : tensor<?x8xf64>)
      outs(%i, %w : tensor<?x4xi32>, tensor<?x4xf64>) -> tensor<?x4xi32>, tensor<?x4xf64>
  return %ids, %weights : tensor<?x4xi32>, tensor<?x4xf64>
}

// CHECK-LABEL: @experts_choose
// CHECK: moe.route softmax expert_choice ins(%{{.*}}) capacity(%{{.*}}) outs
// Experts first, in parallel, then tokens.
// REF-LABEL: @experts_choose
// REF: scf.forall (%{{.*}}) in (8)
// REF: scf.forall
func.func @experts_choose(%x: tensor<?x8xf32>, %c: index, %i: tensor<?x8xi32>, %w: tensor<?x8xf32>)
    -> (tensor<?x8xi32>, tensor<?x8xf32>) {
  %ids, %weights = moe.route softmax expert_choice ins(%x : tensor<?x8xf32>) capacity(%c)
      outs(%i, %w : tensor<?x8xi32>, tensor<?x8xf32>) -> tensor<?x8xi32>, tensor<?x8xf32>
  return %ids, %weights : tensor<?x8xi32>, tensor<?x8xf32>
}

// CHECK-LABEL: @hash
// CHECK: moe.route sqrt_softplus table normalize = sum ins(%{{.*}}) table(%{{.*}}, %{{.*}} : tensor<99x2xi32>, tensor<?xi64>)
func.func @hash(%x: tensor<?x8xf32>, %t: tensor<99x2xi32>, %n: tensor<?xi64>, %i: tensor<?x2xi32>,
                %w: tensor<?x2xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  %ids, %weights = moe.route sqrt_softplus table normalize = sum ins(%x : tensor<?x8xf32>)
      table(%t, %n : tensor<99x2xi32>, tensor<?xi64>)
      outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
}

// CHECK-LABEL: @sinkhorn
// CHECK: moe.route sigmoid sinkhorn by_logits iterations = 20 ins
func.func @sinkhorn(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>)
    -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  %ids, %weights = moe.route sigmoid sinkhorn by_logits iterations = 20 ins(%x : tensor<?x8xf32>)
      outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
}

// CHECK-LABEL: @plan
// CHECK: moe.plan drop = least slot_major padded ins(%{{.*}}) weights(%{{.*}}) place(%{{.*}}) capacity(%{{.*}}) outs
// REF-LABEL: @plan
// REF-NOT: moe.plan
// REF: scf.for
func.func @plan(%ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %place: tensor<6xi32>, %c: index,
                %o: tensor<5xi32>, %s: tensor<?xi32>, %p: tensor<?x2xi32>)
    -> (tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>) {
  %offsets, %slots, %positions = moe.plan drop = least slot_major padded ins(%ids : tensor<?x2xi32>)
      weights(%weights : tensor<?x2xf32>) place(%place : tensor<6xi32>) capacity(%c)
      outs(%o, %s, %p : tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>)
      -> tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>
  return %offsets, %slots, %positions : tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>
}
