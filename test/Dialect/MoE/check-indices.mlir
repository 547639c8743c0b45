// Numbers from outside are checked on the host, those of the dialect are not.

// RUN: weft-opt %s --moe-check-indices | FileCheck %s

// CHECK-LABEL: @given
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]
// CHECK: weft.assert %{{.*}}, 11, "offset {0} of a group is out of order or beyond {1} rows"
// CHECK: weft.assert %{{.*}}, 11, "index {0} is out of range for {1} rows"
// CHECK: moe.grouped_matmul
func.func @given(%x: tensor<?x8xf32>, %w: tensor<4x8x5xf32>, %o: tensor<5xi32>, %i: tensor<?xi32>,
                 %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %y = moe.grouped_matmul ins(%x : tensor<?x8xf32>) weights(%w : tensor<4x8x5xf32>)
         offsets(%o : tensor<5xi32>) indices(%i : tensor<?xi32>) outs(%init : tensor<?x5xf32>)
         -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// CHECK-LABEL: @planned
// CHECK: weft.assert %{{.*}}, 11, "number {0} is that of none of {1} experts"
// CHECK: moe.plan
// CHECK-NOT: weft.assert
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
// CHECK-NOT: weft.assert
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
// CHECK: weft.assert %{{.*}}, 11, "token {0} is out of range for a table of {1}"
func.func @table(%x: tensor<?x8xf32>, %t: tensor<99x2xi32>, %n: tensor<?xi64>, %i: tensor<?x2xi32>,
                 %w: tensor<?x2xf32>) -> tensor<?x2xi32> {
  %ids, %weights = moe.route softmax table ins(%x : tensor<?x8xf32>)
      table(%t, %n : tensor<99x2xi32>, tensor<?xi64>)
      outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return %ids : tensor<?x2xi32>
}
