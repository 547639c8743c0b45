// RUN: weft-opt %s --pass-pipeline='builtin.module(weft-check-operands,canonicalize)' | FileCheck %s
// RUN: weft-opt %s --pass-pipeline='builtin.module(weft-check-operands,weft-check-operands,canonicalize)' | FileCheck %s

// Two operations that share offsets share a check.
// CHECK-LABEL: @shared
// CHECK-SAME: %[[OFFSETS:[a-z0-9]*]]: tensor<3xi32>
// CHECK: %[[LOWEST:.*]] = linalg.generic {{.*}}iterator_types = ["reduction"]} ins(%[[OFFSETS]] : tensor<3xi32>)
// CHECK: scf.if
// CHECK-NEXT: arith.index_cast
// CHECK: weft.assert %{{.*}}, 11, "'offsets' has {0} at position {1}, expected numbers that ascend from 0 to at most 9"
// CHECK-NOT: weft.assert
// CHECK: ssm.causal_conv1d {{.*}} {weft.checked}
// CHECK-NOT: weft.assert
// CHECK: ssm.causal_conv1d {{.*}} {weft.checked}
func.func @shared(%x: tensor<1x9x3xf32>, %w: tensor<3x4xf32>, %o: tensor<3xi32>, %init: tensor<1x9x3xf32>)
    -> (tensor<1x9x3xf32>, tensor<1x9x3xf32>) {
  %a = ssm.causal_conv1d ins(%x, %w : tensor<1x9x3xf32>, tensor<3x4xf32>) offsets(%o : tensor<3xi32>)
      outs(%init : tensor<1x9x3xf32>) -> tensor<1x9x3xf32>
  %b = ssm.causal_conv1d silu ins(%x, %w : tensor<1x9x3xf32>, tensor<3x4xf32>) offsets(%o : tensor<3xi32>)
      outs(%init : tensor<1x9x3xf32>) -> tensor<1x9x3xf32>
  return %a, %b : tensor<1x9x3xf32>, tensor<1x9x3xf32>
}

// Slots may be -1.
// CHECK-LABEL: @slots
// CHECK: weft.assert %{{.*}}, 11, "'destinations' has {0} at position {1}, expected -1 or more, less than 6"
// CHECK: ssm.step
func.func @slots(%v: tensor<2x1x3x4xf32>, %d: tensor<2xi32>, %y: tensor<2x1x3x4xf32>, %s: tensor<6x3x4xf32>)
    -> (tensor<2x1x3x4xf32>, tensor<6x3x4xf32>) {
  %o, %f = ssm.step vector identity value(%v : tensor<2x1x3x4xf32>) destinations(%d : tensor<2xi32>)
      outs(%y, %s : tensor<2x1x3x4xf32>, tensor<6x3x4xf32>) -> tensor<2x1x3x4xf32>, tensor<6x3x4xf32>
  return %o, %f : tensor<2x1x3x4xf32>, tensor<6x3x4xf32>
}

// Nothing to check, or checked.
// CHECK-LABEL: @none
// CHECK-NOT: weft.assert
func.func @none(%x: tensor<1x9x3xf32>, %w: tensor<3x4xf32>, %o: tensor<3xi32>, %init: tensor<1x9x3xf32>)
    -> (tensor<1x9x3xf32>, tensor<1x9x3xf32>) {
  %a = ssm.causal_conv1d ins(%x, %w : tensor<1x9x3xf32>, tensor<3x4xf32>)
      outs(%init : tensor<1x9x3xf32>) -> tensor<1x9x3xf32>
  %b = ssm.causal_conv1d silu ins(%x, %w : tensor<1x9x3xf32>, tensor<3x4xf32>) offsets(%o : tensor<3xi32>)
      outs(%init : tensor<1x9x3xf32>) {weft.checked} -> tensor<1x9x3xf32>
  return %a, %b : tensor<1x9x3xf32>, tensor<1x9x3xf32>
}

// CHECK-LABEL: @extents
// CHECK: weft.assert %{{.*}}, 3, "'next state' has an extent of {0} in dimension 0, expected {1}"
// CHECK: weft.assert %{{.*}}, 11, "'offsets' has {0} at position {1}, expected numbers that ascend from 0 to at most 7"
// CHECK-NOT: weft.assert
// CHECK: ssm.causal_conv1d {{.*}} {weft.checked}
func.func @extents(%x: tensor<1x7x6xf32>, %w: tensor<6x4xf32>, %o: tensor<?xi32>, %e: tensor<1x7x6xf32>, %s: tensor<?x3x6xf32>)
    -> (tensor<1x7x6xf32>, tensor<?x3x6xf32>) {
  %r:2 = ssm.causal_conv1d ins(%x, %w : tensor<1x7x6xf32>, tensor<6x4xf32>) offsets(%o : tensor<?xi32>)
      outs(%e, %s : tensor<1x7x6xf32>, tensor<?x3x6xf32>) -> tensor<1x7x6xf32>, tensor<?x3x6xf32>
  return %r#0, %r#1 : tensor<1x7x6xf32>, tensor<?x3x6xf32>
}
