// A kernel of rows becomes one loop over tiles of rows; temporaries have the
// tile's size.
// RUN: weft-opt %s --weft-tile-rows | FileCheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// CHECK-LABEL: weft.kernel @scaled
// CHECK-SAME: %[[X:[^:, ]+]]: tensor<?x37xf32>, %[[W:[^:, ]+]]: tensor<37xf32>, %[[OUT:[^:, ]+]]: tensor<?x37xf32>
// CHECK: %[[LOOP:.+]] = scf.forall (%[[I:[^ )]+]]) = (0) to (%{{.+}}) step (4) shared_outs(%[[O:.+]] = %[[OUT]])
// CHECK: %[[SIZE:[^ ]+]] = affine.min
// CHECK: %[[XT:.+]] = tensor.extract_slice %[[X]][%[[I]], 0] [%[[SIZE]], 37]
// CHECK: %[[EMPTY:.+]] = tensor.empty(%[[SIZE]]) : tensor<?xf32>
// CHECK: %[[START:.+]] = linalg.fill {{.+}} outs(%[[EMPTY]]
// CHECK: %[[SUM:.+]] = linalg.generic {{.+}} ins(%[[XT]] : tensor<?x37xf32>) outs(%[[START]]
// CHECK: %[[OT:.+]] = tensor.extract_slice %[[O]][%[[I]], 0] [%[[SIZE]], 37]
// CHECK: linalg.generic {{.+}} ins(%{{.+}}, %[[SUM]], %[[W]] : tensor<?x37xf32>, tensor<?xf32>, tensor<37xf32>) outs(%[[OT]]
// CHECK: linalg.index 0
// CHECK-NEXT: affine.apply
// CHECK: tensor.parallel_insert_slice %{{.+}} into %[[O]][%[[I]], 0] [%[[SIZE]], 37]
// CHECK: weft.yield %[[LOOP]]
weft.kernel @scaled(%n: index, %x: tensor<?x37xf32>, %w: tensor<37xf32>, %out: tensor<?x37xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [4]>} {
  %zero = arith.constant 0.0 : f32
  %1 = tensor.empty(%n) : tensor<?xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%1 : tensor<?xf32>) -> tensor<?xf32>
  %3 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x37xf32>) outs(%2 : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %4 = linalg.generic {indexing_maps = [#all, #rows, #column, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %3, %w : tensor<?x37xf32>, tensor<?xf32>, tensor<37xf32>) outs(%out : tensor<?x37xf32>) {
  ^bb0(%a: f32, %m: f32, %c: f32, %b: f32):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %s = arith.subf %a, %m : f32
    %t = arith.mulf %s, %c : f32
    %u = arith.addf %t, %k : f32
    linalg.yield %u : f32
  } -> tensor<?x37xf32>
  weft.yield %4 : tensor<?x37xf32>
}

// Two outs, each computed in place.
// CHECK-LABEL: weft.kernel @two
// CHECK: %[[LOOP:.+]]:2 = scf.forall {{.+}} shared_outs(%[[A:.+]] = %{{.+}}, %[[B:.+]] = %{{.+}})
// CHECK-NOT: tensor.empty
// CHECK: tensor.parallel_insert_slice %{{.+}} into %[[A]]
// CHECK: tensor.parallel_insert_slice %{{.+}} into %[[B]]
// CHECK: weft.yield %[[LOOP]]#0, %[[LOOP]]#1
weft.kernel @two(%x: tensor<6x37xf32>, %sums: tensor<6xf32>, %out: tensor<6x37xf32>) outs 2
    attributes {schedule = #weft.schedule<parallel = [2]>} {
  %zero = arith.constant 0.0 : f32
  %2 = linalg.fill ins(%zero : f32) outs(%sums : tensor<6xf32>) -> tensor<6xf32>
  %3 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<6x37xf32>) outs(%2 : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<6xf32>
  %4 = linalg.generic {indexing_maps = [#all, #rows, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %3 : tensor<6x37xf32>, tensor<6xf32>) outs(%out : tensor<6x37xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.subf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<6x37xf32>
  weft.yield %3, %4 : tensor<6xf32>, tensor<6x37xf32>
}

// A schedule that cuts rows is for weft-tile-kernels.
// CHECK-LABEL: weft.kernel @cut
// CHECK-NOT: scf.forall
weft.kernel @cut(%x: tensor<6x37xf32>, %sums: tensor<6xf32>, %out: tensor<6x37xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 8]>} {
  %4 = linalg.generic {indexing_maps = [#all, #rows, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sums : tensor<6x37xf32>, tensor<6xf32>) outs(%out : tensor<6x37xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.subf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<6x37xf32>
  weft.yield %4 : tensor<6x37xf32>
}
