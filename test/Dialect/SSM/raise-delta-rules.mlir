// RUN: weft-opt %s --ssm-raise-loops --canonicalize --split-input-file | FileCheck %s

// Delta rules: a token erases what the state [H, K, V] has at its key, k' S, and writes.

#s = affine_map<(h, k, v) -> (h, k, v)>
#k = affine_map<(h, k, v) -> (h, k)>
#v = affine_map<(h, k, v) -> (h, v)>
#h = affine_map<(h, k, v) -> (h)>
#i = affine_map<(h, v) -> (h, v)>

// What the decay left is erased.
// CHECK-LABEL: func.func @gated(
// CHECK-NOT: scf.for
// CHECK: ssm.scan outer householder linear query(%{{.*}} : tensor<2x?x1x4xf32>) key(%{{.*}} : tensor<2x?x1x4xf32>) value(%{{.*}} : tensor<2x?x1x5xf32>) decay(%{{.*}} : tensor<2x?x1xf32>) alpha(%{{.*}} : tensor<2x?x1x4xf32>) beta(%{{.*}} : tensor<2x?x1x4xf32>) initial(%{{.*}} : tensor<2x1x4x5xf32>)
// CHECK-NOT: scf.for
func.func @gated(%s0: tensor<2x4x5xf32>, %q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x2x5xf32>, %b: tensor<?x2xf32>, %g: tensor<?x2xf32>) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x2x4xf32>
  %all = tensor.empty(%tokens) : tensor<?x2x5xf32>
  %es = tensor.empty() : tensor<2x4x5xf32>
  %ev = tensor.empty() : tensor<2x5xf32>
  %ek = tensor.empty() : tensor<2x4xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<2x5xf32>) -> tensor<2x5xf32>
  %zk = linalg.fill ins(%zero : f32) outs(%ek : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r:2 = scf.for %t = %c0 to %tokens step %c1 iter_args(%s = %s0, %ys = %all) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
    %qt = tensor.extract_slice %q[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %kt = tensor.extract_slice %k[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %vt = tensor.extract_slice %v[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<?x2x5xf32> to tensor<2x5xf32>
    %bt = tensor.extract_slice %b[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %gt = tensor.extract_slice %g[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %d = linalg.generic {indexing_maps = [#s, #h, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %gt : tensor<2x4x5xf32>, tensor<2xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %kd = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %kt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kd : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %e = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]} ins(%vt, %m : tensor<2x5xf32>, tensor<2x5xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %be = linalg.generic {indexing_maps = [#i, affine_map<(h, v) -> (h)>, #i], iterator_types = ["parallel", "parallel"]} ins(%e, %bt : tensor<2x5xf32>, tensor<2xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %ke = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kt, %be : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %ke : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.addf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %nq = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %qt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %y = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%nq : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %w = tensor.insert_slice %y into %ys[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<2x5xf32> into tensor<?x2x5xf32>
    scf.yield %n, %w : tensor<2x4x5xf32>, tensor<?x2x5xf32>
  }
  return %r#0, %r#1 : tensor<2x4x5xf32>, tensor<?x2x5xf32>
}

// -----

#s = affine_map<(h, k, v) -> (h, k, v)>
#k = affine_map<(h, k, v) -> (h, k)>
#v = affine_map<(h, k, v) -> (h, v)>
#h = affine_map<(h, k, v) -> (h)>
#i = affine_map<(h, v) -> (h, v)>

// What was there before the decay is erased, after it has decayed.
// CHECK-LABEL: func.func @before(
// CHECK-NOT: scf.for
// CHECK: arith.negf
// CHECK: ssm.scan outer diag_plus_lowrank linear query(
// CHECK-NOT: scf.for
func.func @before(%s0: tensor<2x4x5xf32>, %q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x2x5xf32>, %b: tensor<?x2xf32>, %g: tensor<?x2xf32>) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x2x4xf32>
  %all = tensor.empty(%tokens) : tensor<?x2x5xf32>
  %es = tensor.empty() : tensor<2x4x5xf32>
  %ev = tensor.empty() : tensor<2x5xf32>
  %ek = tensor.empty() : tensor<2x4xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<2x5xf32>) -> tensor<2x5xf32>
  %zk = linalg.fill ins(%zero : f32) outs(%ek : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r:2 = scf.for %t = %c0 to %tokens step %c1 iter_args(%s = %s0, %ys = %all) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
    %qt = tensor.extract_slice %q[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %kt = tensor.extract_slice %k[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %vt = tensor.extract_slice %v[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<?x2x5xf32> to tensor<2x5xf32>
    %bt = tensor.extract_slice %b[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %gt = tensor.extract_slice %g[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %d = linalg.generic {indexing_maps = [#s, #h, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %gt : tensor<2x4x5xf32>, tensor<2xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %kd = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %kt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kd : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %e = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]} ins(%vt, %m : tensor<2x5xf32>, tensor<2x5xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %be = linalg.generic {indexing_maps = [#i, affine_map<(h, v) -> (h)>, #i], iterator_types = ["parallel", "parallel"]} ins(%e, %bt : tensor<2x5xf32>, tensor<2xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %ke = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kt, %be : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %ke : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.addf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %nq = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %qt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %y = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%nq : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %w = tensor.insert_slice %y into %ys[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<2x5xf32> into tensor<?x2x5xf32>
    scf.yield %n, %w : tensor<2x4x5xf32>, tensor<?x2x5xf32>
  }
  return %r#0, %r#1 : tensor<2x4x5xf32>, tensor<?x2x5xf32>
}

// -----

#s = affine_map<(h, k, v) -> (h, k, v)>
#k = affine_map<(h, k, v) -> (h, k)>
#v = affine_map<(h, k, v) -> (h, v)>
#h = affine_map<(h, k, v) -> (h)>
#i = affine_map<(h, v) -> (h, v)>

// What is erased is a result, too.
// CHECK-LABEL: func.func @error(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @error(%s0: tensor<2x4x5xf32>, %q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x2x5xf32>, %b: tensor<?x2xf32>, %g: tensor<?x2xf32>) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x2x4xf32>
  %all = tensor.empty(%tokens) : tensor<?x2x5xf32>
  %es = tensor.empty() : tensor<2x4x5xf32>
  %ev = tensor.empty() : tensor<2x5xf32>
  %ek = tensor.empty() : tensor<2x4xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<2x5xf32>) -> tensor<2x5xf32>
  %zk = linalg.fill ins(%zero : f32) outs(%ek : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r:2 = scf.for %t = %c0 to %tokens step %c1 iter_args(%s = %s0, %ys = %all) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
    %qt = tensor.extract_slice %q[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %kt = tensor.extract_slice %k[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %vt = tensor.extract_slice %v[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<?x2x5xf32> to tensor<2x5xf32>
    %bt = tensor.extract_slice %b[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %gt = tensor.extract_slice %g[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %d = linalg.generic {indexing_maps = [#s, #h, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %gt : tensor<2x4x5xf32>, tensor<2xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %kd = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %kt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kd : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %e = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]} ins(%vt, %m : tensor<2x5xf32>, tensor<2x5xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %be = linalg.generic {indexing_maps = [#i, affine_map<(h, v) -> (h)>, #i], iterator_types = ["parallel", "parallel"]} ins(%e, %bt : tensor<2x5xf32>, tensor<2xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %ke = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kt, %be : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %ke : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.addf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %nq = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %qt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %y = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%nq : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %w = tensor.insert_slice %m into %ys[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<2x5xf32> into tensor<?x2x5xf32>
    scf.yield %n, %w : tensor<2x4x5xf32>, tensor<?x2x5xf32>
  }
  return %r#0, %r#1 : tensor<2x4x5xf32>, tensor<?x2x5xf32>
}

// -----

#s = affine_map<(h, k, v) -> (h, k, v)>
#k = affine_map<(h, k, v) -> (h, k)>
#v = affine_map<(h, k, v) -> (h, v)>
#h = affine_map<(h, k, v) -> (h)>
#i = affine_map<(h, v) -> (h, v)>

// The state is read along the other dimension than it is erased along.
// CHECK-LABEL: func.func @columns(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @columns(%s0: tensor<2x4x5xf32>, %q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x2x5xf32>, %b: tensor<?x2xf32>, %g: tensor<?x2xf32>) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x2x4xf32>
  %all = tensor.empty(%tokens) : tensor<?x2x5xf32>
  %es = tensor.empty() : tensor<2x4x5xf32>
  %ev = tensor.empty() : tensor<2x5xf32>
  %ek = tensor.empty() : tensor<2x4xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<2x5xf32>) -> tensor<2x5xf32>
  %zk = linalg.fill ins(%zero : f32) outs(%ek : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r:2 = scf.for %t = %c0 to %tokens step %c1 iter_args(%s = %s0, %ys = %all) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
    %qt = tensor.extract_slice %q[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %kt = tensor.extract_slice %k[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %vt = tensor.extract_slice %v[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<?x2x5xf32> to tensor<2x5xf32>
    %bt = tensor.extract_slice %b[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %gt = tensor.extract_slice %g[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %d = linalg.generic {indexing_maps = [#s, #h, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %gt : tensor<2x4x5xf32>, tensor<2xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %kd = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %kt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kd : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %e = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]} ins(%vt, %m : tensor<2x5xf32>, tensor<2x5xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %be = linalg.generic {indexing_maps = [#i, affine_map<(h, v) -> (h)>, #i], iterator_types = ["parallel", "parallel"]} ins(%e, %bt : tensor<2x5xf32>, tensor<2xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %ke = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kt, %be : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %ke : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.addf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %nv = linalg.generic {indexing_maps = [#s, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %vt : tensor<2x4x5xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %x = linalg.generic {indexing_maps = [#s, #k], iterator_types = ["parallel", "parallel", "reduction"]} ins(%nv : tensor<2x4x5xf32>) outs(%zk : tensor<2x4xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x4xf32>
    %xs = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nv, %x : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %y = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%xs : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %w = tensor.insert_slice %y into %ys[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<2x5xf32> into tensor<?x2x5xf32>
    scf.yield %n, %w : tensor<2x4x5xf32>, tensor<?x2x5xf32>
  }
  return %r#0, %r#1 : tensor<2x4x5xf32>, tensor<?x2x5xf32>
}

// -----

#s = affine_map<(h, k, v) -> (h, k, v)>
#k = affine_map<(h, k, v) -> (h, k)>
#v = affine_map<(h, k, v) -> (h, v)>
#h = affine_map<(h, k, v) -> (h)>
#i = affine_map<(h, v) -> (h, v)>

// Two directions are erased.
// CHECK-LABEL: func.func @twice(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @twice(%s0: tensor<2x4x5xf32>, %q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x2x5xf32>, %b: tensor<?x2xf32>, %g: tensor<?x2xf32>) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x2x4xf32>
  %all = tensor.empty(%tokens) : tensor<?x2x5xf32>
  %es = tensor.empty() : tensor<2x4x5xf32>
  %ev = tensor.empty() : tensor<2x5xf32>
  %ek = tensor.empty() : tensor<2x4xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<2x5xf32>) -> tensor<2x5xf32>
  %zk = linalg.fill ins(%zero : f32) outs(%ek : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r:2 = scf.for %t = %c0 to %tokens step %c1 iter_args(%s = %s0, %ys = %all) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
    %qt = tensor.extract_slice %q[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %kt = tensor.extract_slice %k[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %vt = tensor.extract_slice %v[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<?x2x5xf32> to tensor<2x5xf32>
    %bt = tensor.extract_slice %b[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %gt = tensor.extract_slice %g[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %d = linalg.generic {indexing_maps = [#s, #h, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %gt : tensor<2x4x5xf32>, tensor<2xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %kd = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %kt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kd : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %e = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]} ins(%vt, %m : tensor<2x5xf32>, tensor<2x5xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %be = linalg.generic {indexing_maps = [#i, affine_map<(h, v) -> (h)>, #i], iterator_types = ["parallel", "parallel"]} ins(%e, %bt : tensor<2x5xf32>, tensor<2xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %ke = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kt, %be : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n0 = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %ke : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.addf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %qs = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %qt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m2 = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%qs : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %km = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%qt, %m2 : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n0, %km : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %nq = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %qt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %y = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%nq : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %w = tensor.insert_slice %y into %ys[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<2x5xf32> into tensor<?x2x5xf32>
    scf.yield %n, %w : tensor<2x4x5xf32>, tensor<?x2x5xf32>
  }
  return %r#0, %r#1 : tensor<2x4x5xf32>, tensor<?x2x5xf32>
}

// -----

#s = affine_map<(h, k, v) -> (h, k, v)>
#k = affine_map<(h, k, v) -> (h, k)>
#v = affine_map<(h, k, v) -> (h, v)>
#h = affine_map<(h, k, v) -> (h)>
#i = affine_map<(h, v) -> (h, v)>

// The state is multiplied by itself.
// CHECK-LABEL: func.func @square(
// CHECK: scf.for
// CHECK-NOT: ssm.scan
func.func @square(%s0: tensor<2x4x5xf32>, %q: tensor<?x2x4xf32>, %k: tensor<?x2x4xf32>, %v: tensor<?x2x5xf32>, %b: tensor<?x2xf32>, %g: tensor<?x2xf32>) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %q, %c0 : tensor<?x2x4xf32>
  %all = tensor.empty(%tokens) : tensor<?x2x5xf32>
  %es = tensor.empty() : tensor<2x4x5xf32>
  %ev = tensor.empty() : tensor<2x5xf32>
  %ek = tensor.empty() : tensor<2x4xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<2x5xf32>) -> tensor<2x5xf32>
  %zk = linalg.fill ins(%zero : f32) outs(%ek : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r:2 = scf.for %t = %c0 to %tokens step %c1 iter_args(%s = %s0, %ys = %all) -> (tensor<2x4x5xf32>, tensor<?x2x5xf32>) {
    %qt = tensor.extract_slice %q[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %kt = tensor.extract_slice %k[%t, 0, 0] [1, 2, 4] [1, 1, 1] : tensor<?x2x4xf32> to tensor<2x4xf32>
    %vt = tensor.extract_slice %v[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<?x2x5xf32> to tensor<2x5xf32>
    %bt = tensor.extract_slice %b[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %gt = tensor.extract_slice %g[%t, 0] [1, 2] [1, 1] : tensor<?x2xf32> to tensor<2xf32>
    %d = linalg.generic {indexing_maps = [#s, #h, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %gt : tensor<2x4x5xf32>, tensor<2xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %kd = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %kt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %m = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kd : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %e = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel", "parallel"]} ins(%vt, %m : tensor<2x5xf32>, tensor<2x5xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %be = linalg.generic {indexing_maps = [#i, affine_map<(h, v) -> (h)>, #i], iterator_types = ["parallel", "parallel"]} ins(%e, %bt : tensor<2x5xf32>, tensor<2xf32>) outs(%ev : tensor<2x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %ke = linalg.generic {indexing_maps = [#k, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kt, %be : tensor<2x4xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n0 = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%d, %ke : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.addf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %ms = linalg.generic {indexing_maps = [#s, #v, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %m : tensor<2x4x5xf32>, tensor<2x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %n = linalg.generic {indexing_maps = [#s, #s, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n0, %ms : tensor<2x4x5xf32>, tensor<2x4x5xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.subf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %nq = linalg.generic {indexing_maps = [#s, #k, #s], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %qt : tensor<2x4x5xf32>, tensor<2x4xf32>) outs(%es : tensor<2x4x5xf32>) {
    ^bb0(%i: f32, %j: f32, %o: f32):
      %r = arith.mulf %i, %j : f32
      linalg.yield %r : f32
    } -> tensor<2x4x5xf32>
    %y = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel", "reduction", "parallel"]} ins(%nq : tensor<2x4x5xf32>) outs(%zv : tensor<2x5xf32>) {
    ^bb0(%i: f32, %o: f32):
      %r = arith.addf %i, %o : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %w = tensor.insert_slice %y into %ys[%t, 0, 0] [1, 2, 5] [1, 1, 1] : tensor<2x5xf32> into tensor<?x2x5xf32>
    scf.yield %n, %w : tensor<2x4x5xf32>, tensor<?x2x5xf32>
  }
  return %r#0, %r#1 : tensor<2x4x5xf32>, tensor<?x2x5xf32>
}
