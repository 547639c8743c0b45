// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-contractions))' | FileCheck %s

#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
#all = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>
#row = affine_map<(m, n) -> (m, 0)>

// Accumulators start as the bias of their columns; the sums are scaled by a factor of
// their row, added to the residual and clamped before the only store.
// CHECK-LABEL: weft.kernel @surrounded
// CHECK-NOT: linalg.generic
// CHECK: %[[BIAS:.*]] = vector.transfer_read %arg2[{{.*}}]{{.*}} : tensor<48xf32>, vector<16xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[BIAS]]
// CHECK: math.fma
// CHECK: tensor.extract %arg3[{{.*}}] : tensor<40x1xf32>
// CHECK: arith.mulf %{{.*}} : vector<16xf32>
// CHECK: vector.transfer_read %arg4[{{.*}}]{{.*}} : tensor<40x48xf32>, vector<16xf32>
// CHECK: arith.addf %{{.*}} : vector<16xf32>
// CHECK: arith.maximumf %{{.*}} : vector<16xf32>
// CHECK: vector.transfer_write
// CHECK-NOT: linalg.generic
weft.kernel @surrounded(%a: tensor<40x64xf32>, %b: tensor<64x48xf32>, %bias: tensor<48xf32>,
                        %scale: tensor<40x1xf32>, %residual: tensor<40x48xf32>,
                        %out: tensor<40x48xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [1, 16, 16]>} {
  %zero = arith.constant 0.0 : f32
  %start = linalg.generic {indexing_maps = [#column, #all], iterator_types = ["parallel", "parallel"]}
      ins(%bias : tensor<48xf32>) outs(%out : tensor<40x48xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  } -> tensor<40x48xf32>
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<40x64xf32>, tensor<64x48xf32>) outs(%start : tensor<40x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<40x48xf32>
  %scaled = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%sum, %scale : tensor<40x48xf32>, tensor<40x1xf32>) outs(%out : tensor<40x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  } -> tensor<40x48xf32>
  %clamped = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%scaled, %residual : tensor<40x48xf32>, tensor<40x48xf32>) outs(%out : tensor<40x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %s = arith.addf %x, %y : f32
    %m = arith.maximumf %s, %zero : f32
    linalg.yield %m : f32
  } -> tensor<40x48xf32>
  weft.yield %clamped : tensor<40x48xf32>
}

// A transcendental function is not repeated for each vector of a tile.
// CHECK-LABEL: weft.kernel @exponential
// CHECK: vector.transfer_write
// CHECK: linalg.generic
// CHECK: math.exp
weft.kernel @exponential(%a: tensor<40x64xf32>, %b: tensor<64x48xf32>, %out: tensor<40x48xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [1, 16, 16]>} {
  %zero = arith.constant 0.0 : f32
  %start = linalg.fill ins(%zero : f32) outs(%out : tensor<40x48xf32>) -> tensor<40x48xf32>
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<40x64xf32>, tensor<64x48xf32>) outs(%start : tensor<40x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<40x48xf32>
  %e = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<40x48xf32>) outs(%out : tensor<40x48xf32>) {
  ^bb0(%x: f32, %o: f32):
    %p = math.exp %x : f32
    linalg.yield %p : f32
  } -> tensor<40x48xf32>
  weft.yield %e : tensor<40x48xf32>
}

// Sums that another computation reads have a tensor of their own, of the tile's size;
// what is only yielded goes where it belongs.
// CHECK-LABEL: weft.kernel @read_later
// CHECK: %[[OWN:.*]] = tensor.empty() : tensor<40x48xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[OWN]])
// CHECK: linalg.generic
// CHECK-SAME: outs
// CHECK: math.exp
weft.kernel @read_later(%a: tensor<40x64xf32>, %b: tensor<64x48xf32>, %out: tensor<40x48xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [1, 16, 16]>} {
  %zero = arith.constant 0.0 : f32
  %start = linalg.fill ins(%zero : f32) outs(%out : tensor<40x48xf32>) -> tensor<40x48xf32>
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<40x64xf32>, tensor<64x48xf32>) outs(%start : tensor<40x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<40x48xf32>
  %e = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<40x48xf32>) outs(%out : tensor<40x48xf32>) {
  ^bb0(%x: f32, %o: f32):
    %p = math.exp %x : f32
    linalg.yield %p : f32
  } -> tensor<40x48xf32>
  weft.yield %e : tensor<40x48xf32>
}

// CHECK-LABEL: weft.kernel @yielded
// CHECK-SAME: %[[OUT:[a-z0-9]+]]: tensor<40x48xf32>)
// CHECK-NOT: tensor.empty() : tensor<40x48xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[OUT]])
weft.kernel @yielded(%a: tensor<40x64xf32>, %b: tensor<64x48xf32>, %out: tensor<40x48xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [1, 16, 16]>} {
  %zero = arith.constant 0.0 : f32
  %start = linalg.fill ins(%zero : f32) outs(%out : tensor<40x48xf32>) -> tensor<40x48xf32>
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<40x64xf32>, tensor<64x48xf32>) outs(%start : tensor<40x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<40x48xf32>
  weft.yield %sum : tensor<40x48xf32>
}
