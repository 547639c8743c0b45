// RUN: weft-opt %s --ssm-raise-unrolled-loops --canonicalize --split-input-file | FileCheck %s

// Steps of a recurrence in one dimension: state = a[t] * state + x[t], y[t] = tanh(state), as a trace has them.

#id = affine_map<(d0) -> (d0)>

// All steps are one scan, and what is computed of the states is computed once.
// CHECK-LABEL: func.func @steps(
// CHECK-NOT: tensor.insert_slice
// CHECK: %[[ALL:.*]], %[[LAST:.*]] = ssm.scan vector diag linear value(%{{.*}} : tensor<1x3x1x3xf32>) decay(%{{.*}} : tensor<1x3x1x3xf32>) initial(%{{.*}} : tensor<1x1x3xf32>)
// CHECK: math.tanh
// CHECK-NOT: math.tanh
// CHECK-NOT: tensor.insert_slice
// CHECK: return
func.func @steps(%s: tensor<3xf32>, %a: tensor<3x3xf32>, %x: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<3x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  return %w2, %s2 : tensor<3x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Nobody reads the last state.
// CHECK-LABEL: func.func @no_state(
// CHECK-NOT: tensor.insert_slice
// CHECK: %[[ALL:.*]], %[[LAST:.*]] = ssm.scan vector diag linear value(%{{.*}} : tensor<1x3x1x3xf32>) decay(%{{.*}} : tensor<1x3x1x3xf32>) initial(%{{.*}} : tensor<1x1x3xf32>)
// CHECK: math.tanh
// CHECK-NOT: math.tanh
// CHECK-NOT: tensor.insert_slice
// CHECK: return
func.func @no_state(%s: tensor<3xf32>, %a: tensor<3x3xf32>, %x: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<3x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  return %w2, %s : tensor<3x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// The last position comes first.
// CHECK-LABEL: func.func @backward(
// CHECK-NOT: tensor.insert_slice
// CHECK: %[[ALL:.*]], %[[LAST:.*]] = ssm.scan vector diag reverse linear value(%{{.*}} : tensor<1x3x1x3xf32>) decay(%{{.*}} : tensor<1x3x1x3xf32>) initial(%{{.*}} : tensor<1x1x3xf32>)
// CHECK: math.tanh
// CHECK-NOT: math.tanh
// CHECK-NOT: tensor.insert_slice
// CHECK: return
func.func @backward(%s: tensor<3xf32>, %a: tensor<3x3xf32>, %x: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<3x3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<3x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<3x3xf32>
  return %w2, %s0 : tensor<3x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// The first step does not multiply its state: the loop begins with the second one.
// CHECK-LABEL: func.func @folded(
// CHECK: arith.addf
// CHECK: ssm.scan vector diag linear value(%{{.*}} : tensor<1x3x1x3xf32>) decay(%{{.*}} : tensor<1x3x1x3xf32>) initial(%{{.*}} : tensor<1x1x3xf32>)
// CHECK: return
func.func @folded(%s: tensor<3xf32>, %a: tensor<4x3xf32>, %x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<4x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%s, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a3 = tensor.extract_slice %a[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a3, %s2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p3, %x3 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w3 = tensor.insert_slice %y3 into %w2[3, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  return %w3, %s3 : tensor<4x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Two steps are enough.
// CHECK-LABEL: func.func @two(
// CHECK: ssm.scan vector diag linear value(%{{.*}} : tensor<1x2x1x3xf32>)
func.func @two(%s: tensor<3xf32>, %a: tensor<2x3xf32>, %x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<2x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<2x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<2x3xf32>
  return %w1, %s1 : tensor<2x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// One step subtracts.
// CHECK-LABEL: func.func @other_operation(
// CHECK-NOT: ssm.scan
// CHECK-NOT: scf.for
// CHECK: return
func.func @other_operation(%s: tensor<3xf32>, %a: tensor<4x3xf32>, %x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<4x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.subf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a3 = tensor.extract_slice %a[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a3, %s2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p3, %x3 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w3 = tensor.insert_slice %y3 into %w2[3, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  return %w3, %s3 : tensor<4x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// One step reads another position.
// CHECK-LABEL: func.func @other_position(
// CHECK-NOT: ssm.scan
// CHECK-NOT: scf.for
// CHECK: return
func.func @other_position(%s: tensor<3xf32>, %a: tensor<4x3xf32>, %x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<4x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a3 = tensor.extract_slice %a[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a3, %s2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p3, %x3 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w3 = tensor.insert_slice %y3 into %w2[3, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  return %w3, %s3 : tensor<4x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// One sequence goes forward, one backward.
// CHECK-LABEL: func.func @opposite(
// CHECK-NOT: ssm.scan
// CHECK-NOT: scf.for
// CHECK: return
func.func @opposite(%s: tensor<3xf32>, %a: tensor<4x3xf32>, %x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<4x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a3 = tensor.extract_slice %a[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x3 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a3, %s2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p3, %x3 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w3 = tensor.insert_slice %y3 into %w2[3, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  return %w3, %s3 : tensor<4x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Each step begins with the same state.
// CHECK-LABEL: func.func @independent(
// CHECK-NOT: ssm.scan
// CHECK-NOT: scf.for
// CHECK: return
func.func @independent(%s: tensor<3xf32>, %a: tensor<4x3xf32>, %x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<4x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a3 = tensor.extract_slice %a[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a3, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p3, %x3 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w3 = tensor.insert_slice %y3 into %w2[3, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  return %w3, %s3 : tensor<4x3xf32>, tensor<3xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// What is added is multiplied instead.
// CHECK-LABEL: func.func @not_affine(
// CHECK-NOT: ssm.scan
// CHECK-NOT: scf.for
// CHECK: return
func.func @not_affine(%s: tensor<3xf32>, %a: tensor<4x3xf32>, %x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<3xf32>
  %all = tensor.empty() : tensor<4x3xf32>
  %a0 = tensor.extract_slice %a[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a0, %s : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p0, %x0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.maximumf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s0 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a1 = tensor.extract_slice %a[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a1, %s0 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p1, %x1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.maximumf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a2 = tensor.extract_slice %a[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a2, %s1 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p2, %x2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.maximumf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %a3 = tensor.extract_slice %a[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 3] [1, 1] : tensor<4x3xf32> to tensor<3xf32>
  %p3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a3, %s2 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.mulf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%p3, %x3 : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.maximumf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %y3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<3xf32>
  %w0 = tensor.insert_slice %y0 into %all[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w1 = tensor.insert_slice %y1 into %w0[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w2 = tensor.insert_slice %y2 into %w1[2, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  %w3 = tensor.insert_slice %y3 into %w2[3, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<4x3xf32>
  return %w3, %s3 : tensor<4x3xf32>, tensor<3xf32>
}

