// RUN: weft-opt %s --ssm-raise-loops --canonicalize --split-input-file | FileCheck %s

// A state of each batch and channel, all of which are written; tokens are in the middle of one
// sequence and first in the other.

#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func.func @vector(
// CHECK-SAME: %[[S:[a-z0-9]*]]: tensor<2x3xf32>, %[[A:[a-z0-9]*]]: tensor<2x7x3xf32>, %[[X:[a-z0-9]*]]: tensor<7x2x3xf32>
// CHECK-NOT: scf.for
// CHECK-DAG: %[[VALUE:.*]] = linalg.transpose ins(%{{.*}} : tensor<7x2x3xf32>) {{.*}} permutation = [1, 0, 2]
// CHECK: %[[Y:.*]], %[[E:.*]] = ssm.scan vector diag linear value(%{{.*}} : tensor<2x7x1x3xf32>) decay(%{{.*}} : tensor<2x7x1x3xf32>) initial(%{{.*}} : tensor<2x1x3xf32>)
// CHECK-NOT: scf.for
func.func @vector(%s: tensor<2x3xf32>, %a: tensor<2x7x3xf32>, %x: tensor<7x2x3xf32>) -> (tensor<2x3xf32>, tensor<7x2x3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %all = tensor.empty() : tensor<7x2x3xf32>
  %r:2 = scf.for %t = %c0 to %c7 step %c1 iter_args(%h = %s, %y = %all) -> (tensor<2x3xf32>, tensor<7x2x3xf32>) {
    %at = tensor.extract_slice %a[0, %t, 0] [2, 1, 3] [1, 1, 1] : tensor<2x7x3xf32> to tensor<2x3xf32>
    %xt = tensor.extract_slice %x[%t, 0, 0] [1, 2, 3] [1, 1, 1] : tensor<7x2x3xf32> to tensor<2x3xf32>
    %e = tensor.empty() : tensor<2x3xf32>
    %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%at, %h : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.mulf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<2x3xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %xt : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.addf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<2x3xf32>
    %w = tensor.insert_slice %n into %y[%t, 0, 0] [1, 2, 3] [1, 1, 1] : tensor<2x3xf32> into tensor<7x2x3xf32>
    scf.yield %n, %w : tensor<2x3xf32>, tensor<7x2x3xf32>
  }
  return %r#0, %r#1 : tensor<2x3xf32>, tensor<7x2x3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Backwards; only the last state is wanted.

// CHECK-LABEL: func.func @backward(
// CHECK-NOT: scf.for
// CHECK: ssm.scan vector identity reverse value(
// CHECK-NOT: scf.for
func.func @backward(%s: tensor<3xf32>, %x: tensor<?x3xf32>) -> tensor<3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %tokens = tensor.dim %x, %c0 : tensor<?x3xf32>
  %last = arith.subi %tokens, %c1 : index
  %r = scf.for %t = %c0 to %tokens step %c1 iter_args(%h = %s) -> (tensor<3xf32>) {
    %at = arith.subi %last, %t : index
    %xt = tensor.extract_slice %x[%at, 0] [1, 3] [1, 1] : tensor<?x3xf32> to tensor<3xf32>
    %e = tensor.empty() : tensor<3xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%h, %xt : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.addf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<3xf32>
    scf.yield %n : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Not affine; the factor is the state; not from the first token; another token than that of
// the result.

// CHECK-LABEL: func.func @tanh(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @tanh(%s: tensor<3xf32>, %x: tensor<7x3xf32>) -> tensor<3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %t = %c0 to %c7 step %c1 iter_args(%h = %s) -> (tensor<3xf32>) {
    %xt = tensor.extract_slice %x[%t, 0] [1, 3] [1, 1] : tensor<7x3xf32> to tensor<3xf32>
    %e = tensor.empty() : tensor<3xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%h, %xt : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.addf %i, %j : f32
      %g = math.tanh %m : f32
      linalg.yield %g : f32
    } -> tensor<3xf32>
    scf.yield %n : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}

// CHECK-LABEL: func.func @square(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @square(%s: tensor<3xf32>, %x: tensor<7x3xf32>) -> tensor<3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %t = %c0 to %c7 step %c1 iter_args(%h = %s) -> (tensor<3xf32>) {
    %xt = tensor.extract_slice %x[%t, 0] [1, 3] [1, 1] : tensor<7x3xf32> to tensor<3xf32>
    %e = tensor.empty() : tensor<3xf32>
    %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%h, %h : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.mulf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<3xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p, %xt : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.addf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<3xf32>
    scf.yield %n : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}

// CHECK-LABEL: func.func @from_one(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @from_one(%s: tensor<3xf32>, %x: tensor<7x3xf32>) -> tensor<3xf32> {
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %t = %c1 to %c7 step %c1 iter_args(%h = %s) -> (tensor<3xf32>) {
    %xt = tensor.extract_slice %x[%t, 0] [1, 3] [1, 1] : tensor<7x3xf32> to tensor<3xf32>
    %e = tensor.empty() : tensor<3xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%h, %xt : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.addf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<3xf32>
    scf.yield %n : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}

// CHECK-LABEL: func.func @opposite(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @opposite(%s: tensor<3xf32>, %x: tensor<7x3xf32>) -> (tensor<3xf32>, tensor<7x3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %c7 = arith.constant 7 : index
  %all = tensor.empty() : tensor<7x3xf32>
  %r:2 = scf.for %t = %c0 to %c7 step %c1 iter_args(%h = %s, %y = %all) -> (tensor<3xf32>, tensor<7x3xf32>) {
    %at = arith.subi %c6, %t : index
    %xt = tensor.extract_slice %x[%at, 0] [1, 3] [1, 1] : tensor<7x3xf32> to tensor<3xf32>
    %e = tensor.empty() : tensor<3xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%h, %xt : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %m = arith.addf %i, %j : f32
      linalg.yield %m : f32
    } -> tensor<3xf32>
    %w = tensor.insert_slice %n into %y[%t, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<7x3xf32>
    scf.yield %n, %w : tensor<3xf32>, tensor<7x3xf32>
  }
  return %r#0, %r#1 : tensor<3xf32>, tensor<7x3xf32>
}
