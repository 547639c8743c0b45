// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-elementwise))' | FileCheck %s

#map = affine_map<(d0) -> (d0)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>} {
// A scale for 32 neighbours is read for the first lane and for the first of the next
// block, which exists; lanes take theirs.
// CHECK-LABEL: weft.kernel @blocks
// CHECK: scf.for %[[I:[a-z0-9]*]] =
// CHECK: %[[FIRST:[a-z0-9_]*]] = arith.divui %[[I]], %c32{{.*}}
// CHECK: tensor.extract %{{.*}}[%[[FIRST]]] : tensor<?xf32>
// CHECK: %[[IN:[a-z0-9_]*]] = arith.remui %[[I]], %c32{{.*}}
// CHECK: %[[DISTANCE:[a-z0-9_]*]] = arith.subi %c32{{.*}}, %[[IN]]
// CHECK: %[[NEXT:[a-z0-9_]*]] = arith.addi %[[I]], %[[DISTANCE]]
// CHECK: %[[SAFE:[a-z0-9_]*]] = arith.minui %[[NEXT]]
// CHECK: %[[SECOND:[a-z0-9_]*]] = arith.divui %[[SAFE]], %c32{{.*}}
// CHECK: tensor.extract %{{.*}}[%[[SECOND]]] : tensor<?xf32>
// CHECK: arith.select %{{.*}} : vector<16xi1>, vector<16xf32>
// CHECK: arith.mulf %{{.*}} : vector<16xf32>
// CHECK-NOT: linalg.generic
weft.kernel @blocks(%x: tensor<?xf32>, %s: tensor<?xf32>, %out: tensor<?xf32>) outs 1 {
  %c32 = arith.constant 32 : index
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%out : tensor<?xf32>) {
  ^bb0(%in: f32, %o: f32):
    %i = linalg.index 0 : index
    %block = arith.divui %i, %c32 : index
    %scale = tensor.extract %s[%block] : tensor<?xf32>
    %y = arith.mulf %in, %scale : f32
    linalg.yield %y : f32
  } -> tensor<?xf32>
  weft.yield %0 : tensor<?xf32>
}

// Small blocks, blocks of others than neighbours, and two kinds of blocks in one index.
// CHECK-LABEL: weft.kernel @left
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: vector<
weft.kernel @left(%s: tensor<?xf32>, %a: tensor<?xf32>, %b: tensor<?xf32>, %c: tensor<?xf32>) outs 3 {
  %c2 = arith.constant 2 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %0 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%a : tensor<?xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %block = arith.divui %i, %c2 : index
    %scale = tensor.extract %s[%block] : tensor<?xf32>
    linalg.yield %scale : f32
  } -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%b : tensor<?xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %twice = arith.muli %i, %c2 : index
    %block = arith.divui %twice, %c32 : index
    %scale = tensor.extract %s[%block] : tensor<?xf32>
    linalg.yield %scale : f32
  } -> tensor<?xf32>
  %2 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%c : tensor<?xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %block = arith.divui %i, %c32 : index
    %other = arith.divui %i, %c16 : index
    %both = arith.addi %block, %other : index
    %scale = tensor.extract %s[%both] : tensor<?xf32>
    linalg.yield %scale : f32
  } -> tensor<?xf32>
  weft.yield %0, %1, %2 : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}
}
