// RUN: weft-opt %s --split-input-file --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-reductions))' | FileCheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>} {
// Four vectors without masks, the rest of the row with masks, then halves of halves.
// CHECK-LABEL: weft.kernel @sum
// CHECK: %[[ZERO:.*]] = arith.constant -0.000000e+00 : f32
// CHECK: vector.broadcast %[[ZERO]] : f32 to vector<16xf32>
// CHECK: scf.for
// CHECK-NOT: create_mask
// CHECK-COUNT-4: arith.addf {{.*}} : vector<16xf32>
// CHECK: scf.yield
// CHECK: scf.for
// CHECK-COUNT-4: arith.select
// CHECK: scf.yield
// CHECK: tensor.extract %{{.*}} : tensor<?xf32>
// CHECK-COUNT-3: arith.addf {{.*}} : vector<16xf32>
// CHECK: vector.extract_strided_slice
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: arith.addf {{.*}} : vector<4xf32>
// CHECK: arith.addf {{.*}} : vector<2xf32>
// CHECK: arith.addf {{.*}} : vector<1xf32>
// CHECK: tensor.insert
// CHECK-NOT: linalg.generic
weft.kernel @sum(%x: tensor<?x?xf32>, %out: tensor<?xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x?xf32>) outs(%out : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.addf %b, %a : f32
    linalg.yield %1 : f32
  } -> tensor<?xf32>
  weft.yield %0 : tensor<?xf32>
}

// What rows share is read once a row. Filled starts are never written; two of
// the four partial vectors would see no element.
// CHECK-LABEL: weft.kernel @scaled_maximum
// CHECK-NOT: linalg.fill
// CHECK: %[[SCALE:.*]] = tensor.extract %{{.*}} : tensor<5xf32>
// CHECK: scf.for
// CHECK: vector.broadcast %[[SCALE]] : f32 to vector<16xf32>
// CHECK: arith.maximumf {{.*}} : vector<16xf32>
// CHECK: vector.broadcast %[[SCALE]] : f32 to vector<16xf32>
// CHECK: arith.maximumf {{.*}} : vector<16xf32>
// CHECK-NEXT: scf.yield {{.*}} : vector<16xf32>, vector<16xf32>
// CHECK-NOT: create_mask
weft.kernel @scaled_maximum(%x: tensor<5x32xf32>, %s: tensor<5xf32>, %out: tensor<5xf32>) outs 1 {
  %low = arith.constant 0xFF800000 : f32
  %fill = linalg.fill ins(%low : f32) outs(%out : tensor<5xf32>) -> tensor<5xf32>
  %0 = linalg.generic {indexing_maps = [#all, #rows, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x, %s : tensor<5x32xf32>, tensor<5xf32>) outs(%fill : tensor<5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %1 = arith.mulf %a, %b : f32
    %2 = arith.maximumf %1, %c : f32
    linalg.yield %2 : f32
  } -> tensor<5xf32>
  weft.yield %0 : tensor<5xf32>
}

// No combiner of terms, columns, strided rows, rows of less than four elements,
// and divisions of integers, which must not meet what masks leave out.
// CHECK-LABEL: weft.kernel @left
// CHECK-COUNT-5: linalg.generic
// CHECK-NOT: vector<
weft.kernel @left(%x: tensor<5x37xf32>, %y: tensor<5x3xf32>, %i: tensor<5x37xi32>, %a: tensor<5xf32>,
                  %b: tensor<37xf32>, %c: tensor<5xf32>, %d: tensor<5xf32>, %e: tensor<5xi32>) outs 5 {
  %half = arith.constant 0.5 : f32
  %seven = arith.constant 7 : i32
  %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<5x37xf32>) outs(%a : tensor<5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.mulf %out, %half : f32
    %t = arith.addf %s, %in : f32
    linalg.yield %t : f32
  } -> tensor<5xf32>
  %1 = linalg.generic {indexing_maps = [#all, #columns], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<5x37xf32>) outs(%b : tensor<37xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = arith.addf %in, %out : f32
    linalg.yield %t : f32
  } -> tensor<37xf32>
  %part = tensor.extract_slice %x[0, 0] [5, 18] [1, 2] : tensor<5x37xf32> to tensor<5x18xf32>
  %2 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%part : tensor<5x18xf32>) outs(%c : tensor<5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = arith.addf %in, %out : f32
    linalg.yield %t : f32
  } -> tensor<5xf32>
  %3 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<5x3xf32>) outs(%d : tensor<5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = arith.addf %in, %out : f32
    linalg.yield %t : f32
  } -> tensor<5xf32>
  %4 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%i : tensor<5x37xi32>) outs(%e : tensor<5xi32>) {
  ^bb0(%in: i32, %out: i32):
    %s = arith.divsi %seven, %in : i32
    %t = arith.addi %s, %out : i32
    linalg.yield %t : i32
  } -> tensor<5xi32>
  weft.yield %0, %1, %2, %3, %4 : tensor<5xf32>, tensor<37xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xi32>
}
}

// -----

// AVX2 has no masks for bytes, and eight partial vectors of f32.
#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>} {
// CHECK-LABEL: weft.kernel @avx2
// CHECK-COUNT-8: arith.mulf {{.*}} : vector<8xf32>
// CHECK: scf.yield
// CHECK: linalg.generic
weft.kernel @avx2(%x: tensor<?x?xf32>, %i: tensor<?x?xi8>, %a: tensor<?xf32>, %b: tensor<?xi8>) outs 2 {
  %0 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x?xf32>) outs(%a : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = arith.mulf %in, %out : f32
    linalg.yield %t : f32
  } -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [#all, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%i : tensor<?x?xi8>) outs(%b : tensor<?xi8>) {
  ^bb0(%in: i8, %out: i8):
    %t = arith.maxui %in, %out : i8
    linalg.yield %t : i8
  } -> tensor<?xi8>
  weft.yield %0, %1 : tensor<?xf32>, tensor<?xi8>
}
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>} {
// The largest number and where it is: each lane has the best of its own, of which the
// better ones are taken by the same comparisons.
// CHECK-LABEL: weft.kernel @argmax
// CHECK: scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xi64>, vector<8xi64>)
// CHECK-NOT: create_mask
// CHECK: arith.cmpf ogt, {{.*}} : vector<8xf32>
// CHECK: arith.select {{.*}} : vector<8xi1>, vector<8xi64>
// CHECK: vector.create_mask
// CHECK: arith.cmpf ogt, {{.*}} : vector<8xf32>
// CHECK: arith.cmpf ogt, {{.*}} : vector<4xf32>
// CHECK: arith.select {{.*}} : vector<4xi1>, vector<4xi64>
// CHECK: arith.cmpf ogt, {{.*}} : vector<1xf32>
// CHECK-NOT: linalg.generic
weft.kernel @argmax(%x: tensor<?x387xf32>, %v: tensor<?xf32>, %i: tensor<?xi64>) outs 1 {
  %0:2 = linalg.generic {indexing_maps = [#all, #rows, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x387xf32>) outs(%v, %i : tensor<?xf32>, tensor<?xi64>) {
  ^bb0(%a: f32, %best: f32, %at: i64):
    %index = linalg.index 1 : index
    %position = arith.index_cast %index : index to i64
    %greater = arith.cmpf ogt, %a, %best : f32
    %equal = arith.cmpf oeq, %a, %best : f32
    %nan = arith.cmpf uno, %a, %a : f32
    %isNumber = arith.cmpf ord, %best, %best : f32
    %isNaN = arith.cmpf uno, %best, %best : f32
    %firstNaN = arith.andi %nan, %isNumber : i1
    %better = arith.ori %greater, %firstNaN : i1
    %bothNaN = arith.andi %nan, %isNaN : i1
    %same = arith.ori %equal, %bothNaN : i1
    %before = arith.cmpi slt, %position, %at : i64
    %first = arith.andi %same, %before : i1
    %take = arith.ori %better, %first : i1
    %1 = arith.select %take, %a, %best : f32
    %2 = arith.select %take, %position, %at : i64
    linalg.yield %1, %2 : f32, i64
  } -> (tensor<?xf32>, tensor<?xi64>)
  weft.yield %0#1 : tensor<?xi64>
}

// Not a choice that is the same in every order: of equal ones, the one seen first, and
// a NaN that is neither better nor worse.
// CHECK-LABEL: weft.kernel @seen_first
// CHECK: linalg.generic
// CHECK-LABEL: weft.kernel @lost_nan
// CHECK: linalg.generic
weft.kernel @seen_first(%x: tensor<?x387xi32>, %v: tensor<?xi32>, %i: tensor<?xi64>) outs 1 {
  %0:2 = linalg.generic {indexing_maps = [#all, #rows, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x387xi32>) outs(%v, %i : tensor<?xi32>, tensor<?xi64>) {
  ^bb0(%a: i32, %best: i32, %at: i64):
    %index = linalg.index 1 : index
    %position = arith.index_cast %index : index to i64
    %take = arith.cmpi sgt, %a, %best : i32
    %1 = arith.select %take, %a, %best : i32
    %2 = arith.select %take, %position, %at : i64
    linalg.yield %1, %2 : i32, i64
  } -> (tensor<?xi32>, tensor<?xi64>)
  weft.yield %0#1 : tensor<?xi64>
}
weft.kernel @lost_nan(%x: tensor<?x387xf32>, %v: tensor<?xf32>, %i: tensor<?xi64>) outs 1 {
  %0:2 = linalg.generic {indexing_maps = [#all, #rows, #rows], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x387xf32>) outs(%v, %i : tensor<?xf32>, tensor<?xi64>) {
  ^bb0(%a: f32, %best: f32, %at: i64):
    %index = linalg.index 1 : index
    %position = arith.index_cast %index : index to i64
    %greater = arith.cmpf ogt, %a, %best : f32
    %equal = arith.cmpf oeq, %a, %best : f32
    %before = arith.cmpi slt, %position, %at : i64
    %first = arith.andi %equal, %before : i1
    %take = arith.ori %greater, %first : i1
    %1 = arith.select %take, %a, %best : f32
    %2 = arith.select %take, %position, %at : i64
    linalg.yield %1, %2 : f32, i64
  } -> (tensor<?xf32>, tensor<?xi64>)
  weft.yield %0#1 : tensor<?xi64>
}
}
