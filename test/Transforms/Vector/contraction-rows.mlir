// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-contractions))' | FileCheck %s

#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#transposed = affine_map<(m, n, k) -> (n, k)>
#result = affine_map<(m, n, k) -> (m, n)>

// A known number of rows: whole tiles, and one of what is left. No row is clamped.
// CHECK-LABEL: weft.kernel @known
// CHECK-NOT: arith.minsi
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}}
// CHECK-COUNT-4: math.fma
// CHECK-NOT: math.fma
// CHECK: vector.transfer_write
// CHECK: scf.for
// CHECK: math.fma
// CHECK-NOT: math.fma
// CHECK: weft.yield
weft.kernel @known(%a: tensor<9x64xf32>, %b: tensor<64x16xf32>, %out: tensor<9x16xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [4, 16, 16]>} {
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<9x64xf32>, tensor<64x16xf32>) outs(%out : tensor<9x16xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<9x16xf32>
  weft.yield %sum : tensor<9x16xf32>
}

// An unknown one: only more than two tiles of rows pack the columns. What is left, or all
// if there are few, takes the first tile that holds it, and reads the columns in place.
// CHECK-LABEL: weft.kernel @unknown
// CHECK-SAME: %[[A:.*]]: tensor<?x64xf32>, %[[B:.*]]: tensor<64x16xf32>
// CHECK: %[[M:.*]] = tensor.dim %[[A]]
// CHECK: %[[PACKS:.*]] = arith.cmpi ugt, %[[M]], %c8
// CHECK: scf.if %[[PACKS]]
// CHECK: tensor.empty({{.*}}) : tensor<?x?x16xf32>
// CHECK-COUNT-4: math.fma
// CHECK-NOT: math.fma
// CHECK: %[[FROM:.*]] = arith.select %[[PACKS]]
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[M]] step %c4
// CHECK: arith.cmpi ule, %{{.*}}, %c1
// CHECK: scf.if
// CHECK: vector.transfer_read %[[B]]
// CHECK-COUNT-1: math.fma
// CHECK-NOT: math.fma
// CHECK: } else {
// CHECK: arith.minsi
// CHECK: vector.transfer_read %[[B]]
// CHECK-COUNT-4: math.fma
// CHECK-NOT: math.fma
// CHECK: weft.yield
weft.kernel @unknown(%a: tensor<?x64xf32>, %b: tensor<64x16xf32>, %out: tensor<?x16xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [4, 16, 16] few = [1, 16]>} {
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x64xf32>, tensor<64x16xf32>) outs(%out : tensor<?x16xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x16xf32>
  weft.yield %sum : tensor<?x16xf32>
}

// Columns whose neighbours are not neighbours in memory are packed however few rows there
// are, by squares that are transposed in registers.
// CHECK-LABEL: weft.kernel @gathered
// CHECK-NOT: scf.if
// CHECK: tensor.empty({{.*}}) : tensor<?x?x16xf32>
// CHECK-NOT: tensor.extract %
// CHECK-COUNT-16: vector.transfer_read %{{.*}} : tensor<16x64xf32>, vector<16xf32>
// CHECK: vector.shuffle
// CHECK-COUNT-16: vector.transfer_write
// CHECK-COUNT-5: math.fma
// CHECK-NOT: math.fma
// CHECK: weft.yield
weft.kernel @gathered(%a: tensor<?x64xf32>, %b: tensor<16x64xf32>, %out: tensor<?x16xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [4, 16, 16] few = [1, 16]>} {
  %sum = linalg.generic {indexing_maps = [#rows, #transposed, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x64xf32>, tensor<16x64xf32>) outs(%out : tensor<?x16xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x16xf32>
  weft.yield %sum : tensor<?x16xf32>
}

// A loop of the result that is summed along is legal, and no contraction.
// CHECK-LABEL: weft.kernel @summed_in_place
// CHECK: linalg.generic
// CHECK-NOT: math.fma
weft.kernel @summed_in_place(%a: tensor<64xf32>, %b: tensor<48xf32>, %out: tensor<64x48xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [4, 16, 16]>} {
  %sum = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m)>, affine_map<(m, k) -> (k)>,
                                          affine_map<(m, k) -> (m, k)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%a, %b : tensor<64xf32>, tensor<48xf32>) outs(%out : tensor<64x48xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x48xf32>
  weft.yield %sum : tensor<64x48xf32>
}

// No square of elements that no register has is transposed.
// CHECK-LABEL: weft.kernel @wide
// CHECK: tensor.empty({{.*}}) : tensor<?x?x2xi256>
// CHECK-NOT: vector.shuffle
// CHECK: weft.yield
weft.kernel @wide(%a: tensor<?x64xi256>, %b: tensor<16x64xi256>, %out: tensor<?x16xi256>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0] vector = [4, 2, 2]>} {
  %sum = linalg.generic {indexing_maps = [#rows, #transposed, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x64xi256>, tensor<16x64xi256>) outs(%out : tensor<?x16xi256>) {
  ^bb0(%x: i256, %y: i256, %o: i256):
    %p = arith.muli %x, %y : i256
    %s = arith.addi %o, %p : i256
    linalg.yield %s : i256
  } -> tensor<?x16xi256>
  weft.yield %sum : tensor<?x16xi256>
}
