// Numbers from outside are checked on the host, those of the dialect are not. Extents that
// types do not tell are compared.

// RUN: weft-opt %s --weft-check-operands | FileCheck %s

// CHECK-LABEL: @given
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]
// CHECK: weft.assert %{{.*}}, 11, "'offsets' has {0}, expected numbers that ascend from 0 to at most {1}"
// CHECK: weft.assert %{{.*}}, 11, "'indices' has {0}, expected less than {1}"
// CHECK: moe.grouped_matmul
func.func @given(%x: tensor<?x8xf32>, %w: tensor<4x8x5xf32>, %o: tensor<5xi32>, %i: tensor<?xi32>,
                 %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %y = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w : tensor<4x8x5xf32>)
         offsets(%o : tensor<5xi32>) indices(%i : tensor<?xi32>) outs(%init : tensor<?x5xf32>)
         -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// CHECK-LABEL: @planned
// CHECK: weft.assert %{{.*}}, 11, "'ids' has {0} at position {1}, expected -1 or more, less than 4"
// CHECK: moe.plan
// CHECK-NOT: weft.assert %{{.*}}, 11
// CHECK: return
func.func @planned(%ids: tensor<?x2xi32>, %x: tensor<?x8xf32>, %w: tensor<4x8x5xf32>,
                   %o: tensor<5xi32>, %s: tensor<?xi32>, %p: tensor<?x2xi32>,
                   %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %offsets, %slots, %positions = moe.plan ins(%ids : tensor<?x2xi32>)
      outs(%o, %s, %p : tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>)
      -> tensor<5xi32>, tensor<?xi32>, tensor<?x2xi32>
  %y = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w : tensor<4x8x5xf32>)
         offsets(%offsets : tensor<5xi32>) indices(%slots : tensor<?xi32>)
         outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// CHECK-LABEL: @routed
// CHECK-NOT: weft.assert %{{.*}}, 11
// CHECK: return
func.func @routed(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %o: tensor<9xi32>,
                  %s: tensor<?xi32>, %p: tensor<?x2xi32>) -> tensor<?xi32> {
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>)
      outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  %offsets, %slots, %positions = moe.plan ins(%ids : tensor<?x2xi32>)
      outs(%o, %s, %p : tensor<9xi32>, tensor<?xi32>, tensor<?x2xi32>)
      -> tensor<9xi32>, tensor<?xi32>, tensor<?x2xi32>
  return %slots : tensor<?xi32>
}

// CHECK-LABEL: @table
// CHECK: weft.assert %{{.*}}, 11, "'tokens' has {0} at position {1}, expected 0 or more, less than 99"
func.func @table(%x: tensor<?x8xf32>, %t: tensor<99x2xi32>, %n: tensor<?xi64>, %i: tensor<?x2xi32>,
                 %w: tensor<?x2xf32>) -> tensor<?x2xi32> {
  %ids, %weights = moe.route softmax table ins(%x : tensor<?x8xf32>)
      table(%t, %n : tensor<99x2xi32>, tensor<?xi64>)
      outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return %ids : tensor<?x2xi32>
}

// CHECK-LABEL: @extents
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x8xf32>, %[[W:[a-z0-9]*]]: tensor<?x8x5xf32>, %[[O:[a-z0-9]*]]: tensor<?xi32>, %[[INIT:[a-z0-9]*]]: tensor<?x5xf32>
// CHECK: %[[GROUPS:.*]] = arith.addi %{{.*}}, %c-1
// CHECK: %[[HAVE:.*]] = tensor.dim %[[W]]
// CHECK: %[[SAME:.*]] = arith.cmpi eq, %[[HAVE]], %[[GROUPS]]
// CHECK: weft.assert %[[SAME]], 3, "'weights' has an extent of {0} in dimension 0, expected {1}"(%[[HAVE]], %[[GROUPS]])
// CHECK: weft.assert %{{.*}}, 3, "'input' has an extent of {0} in dimension 0, expected {1}"
// CHECK-NOT: weft.assert %{{.*}}, 3
// CHECK: moe.grouped_matmul
func.func @extents(%x: tensor<?x8xf32>, %w: tensor<?x8x5xf32>, %o: tensor<?xi32>, %init: tensor<?x5xf32>)
    -> tensor<?x5xf32> {
  %y = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w : tensor<?x8x5xf32>)
         offsets(%o : tensor<?xi32>) outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// What is computed into one tensor has its extent: nothing is compared.
// CHECK-LABEL: @one_extent
// CHECK-NOT: weft.assert %{{.*}}, 3
// CHECK: moe.combine
func.func @one_extent(%v: tensor<4x4xf32>, %n: index) -> tensor<?x4xf32> {
  %zero = arith.constant 0 : i32
  %none = tensor.empty(%n) : tensor<?x1xi32>
  %p = linalg.fill ins(%zero : i32) outs(%none : tensor<?x1xi32>) -> tensor<?x1xi32>
  %w = tensor.empty(%n) : tensor<?x1xf32>
  %init = tensor.empty(%n) : tensor<?x4xf32>
  %y = moe.combine ins(%v, %p : tensor<4x4xf32>, tensor<?x1xi32>) weights(%w : tensor<?x1xf32>)
         outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
