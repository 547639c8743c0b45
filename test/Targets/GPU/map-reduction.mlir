// A reduction to few results is one block's; one without an operation that combines
// what threads have, or to many results, is each thread's alone.
// RUN: weft-opt %s --weft-map-to-gpu --canonicalize --cse | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// Both dimensions are one range, the last one fastest.
// CHECK-LABEL: gpu.func @total_0
// CHECK-SAME: workgroup(%{{.*}} : memref<256xi64, #gpu.address_space<workgroup>>
// CHECK: %[[ALL:.*]] = arith.muli %[[ROWS:.*]], %[[COLUMNS:.*]] : index
// CHECK: scf.for %[[I:.*]] = %thread_id_x to %[[ALL]] step %c256 iter_args(%{{.*}} = %c0_i64)
// CHECK: %[[COLUMN:.*]] = arith.remui %[[I]], %[[COLUMNS]]
// CHECK: %[[ROW:.*]] = arith.divui %[[I]], %[[COLUMNS]]
// CHECK: memref.load %{{.*}}[%[[ROW]], %[[COLUMN]]]
// CHECK-LABEL: weft.kernel @total
// CHECK: blocks in (%c1, %c1, %c1) threads in (%c256,
weft.kernel @total(%x: memref<?x?xi64>, %y: memref<i64>) outs 1 {
  linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%x : memref<?x?xi64>) outs(%y : memref<i64>) {
  ^bb0(%a: i64, %b: i64):
    %c = arith.addi %a, %b : i64
    linalg.yield %c : i64
  }
  weft.yield
}

// The largest element and where it is: two values that depend on each other.
// CHECK-LABEL: gpu.func @argmax_0
// CHECK-NOT: workgroup
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) -> (f32, i64)
weft.kernel @argmax(%x: memref<4x8xf32>, %y: memref<4xf32>, %z: memref<4xi64>) outs 2 {
  linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%y, %z : memref<4xf32>, memref<4xi64>) {
  ^bb0(%a: f32, %b: f32, %at: i64):
    %j = linalg.index 1 : index
    %here = arith.index_cast %j : index to i64
    %isMore = arith.cmpf ogt, %a, %b : f32
    %most = arith.select %isMore, %a, %b : f32
    %where = arith.select %isMore, %here, %at : i64
    linalg.yield %most, %where : f32, i64
  }
  weft.yield
}

// CHECK-LABEL: gpu.func @columns_0
// CHECK-NOT: workgroup
weft.kernel @columns(%x: memref<?x64xf32>, %y: memref<64xf32>) outs 1 {
  linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<?x64xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    linalg.yield %c : f32
  }
  weft.yield
}
