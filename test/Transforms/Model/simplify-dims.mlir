// Extents become arithmetic on symbols, equal ones are one value; the last cases
// are those where nothing is known.

// RUN: weft-opt %s --pass-pipeline='builtin.module(func.func(weft-simplify-dims))' \
// RUN:   --split-input-file | FileCheck %s

// CHECK-LABEL: func @extents
// CHECK-SAME: %[[N:.*]]: index {weft.symbol = "n"}, %[[X:.*]]: tensor<?x8xf32>
// CHECK-SAME: -> (tensor<?xf32> {weft.dims = ["n"]})
func.func @extents(%n: index {weft.symbol = "n"}, %x: tensor<?x8xf32> {weft.dims = ["n", 8]})
    -> (tensor<?xf32> {weft.dims = [-1]}) {
  // CHECK-NOT: tensor.dim
  // CHECK-NOT: arith
  // CHECK: %[[E:.*]] = tensor.empty(%[[N]])
  // CHECK-NEXT: return %[[E]]
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %d = tensor.dim %x, %c0 : tensor<?x8xf32>
  %size = arith.muli %d, %c8 : index
  %rows = arith.floordivsi %size, %c8 : index
  %e = tensor.empty(%rows) : tensor<?xf32>
  return %e : tensor<?xf32>
}

// -----

// Extents of what operations give, through destinations, views, loops and branches.
// CHECK-LABEL: func @results
// CHECK-SAME: %[[N:.*]]: index {weft.symbol = "n"}, %[[M:.*]]: index {weft.symbol = "m"}
func.func @results(%n: index {weft.symbol = "n"}, %m: index {weft.symbol = "m"},
                   %x: tensor<?x?xf32> {weft.dims = ["n", "m"]}, %c: i1, %k: index)
    -> (index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f = arith.constant 0.0 : f32
  // CHECK: %[[NM:.*]] = arith.muli
  %collapsed = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  %0 = tensor.dim %collapsed, %c0 : tensor<?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %t = linalg.transpose ins(%x : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) permutation = [1, 0]
  %1 = tensor.dim %t, %c0 : tensor<?x?xf32>
  %p = tensor.pad %x low[0, 1] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %f : f32
  } : tensor<?x?xf32> to tensor<?x?xf32>
  // CHECK: %[[PADDED:.*]] = arith.addi %[[M]], %c3
  %2 = tensor.dim %p, %c1 : tensor<?x?xf32>
  %loop = scf.for %i = %c0 to %k step %c1 iter_args(%a = %x) -> tensor<?x?xf32> {
    %next = linalg.fill ins(%f : f32) outs(%a : tensor<?x?xf32>) -> tensor<?x?xf32>
    scf.yield %next : tensor<?x?xf32>
  }
  %3 = tensor.dim %loop, %c1 : tensor<?x?xf32>
  %branch = scf.if %c -> tensor<?x?xf32> {
    scf.yield %loop : tensor<?x?xf32>
  } else {
    scf.yield %x : tensor<?x?xf32>
  }
  %4 = tensor.dim %branch, %c0 : tensor<?x?xf32>
  // CHECK: return %[[NM]], %[[M]], %[[PADDED]], %[[M]], %[[N]]
  return %0, %1, %2, %3, %4 : index, index, index, index, index
}

// -----

// Ranges decide minima, maxima and choices.
// CHECK-LABEL: func @ranges
// CHECK-SAME: %[[N:.*]]: index
func.func @ranges(%n: index {weft.symbol = "n", weft.range = array<i64: 2, 100>})
    -> (index, index, index, index) {
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %c100 = arith.constant 100 : index
  %0 = arith.minsi %n, %c100 : index
  %1 = arith.maxsi %n, %c1 : index
  %one = arith.cmpi eq, %n, %c1 : index
  %2 = arith.select %one, %c7, %n : index
  %less = arith.cmpi slt, %n, %c1 : index
  %bit = arith.index_castui %less : i1 to index
  // CHECK: %[[ZERO:.*]] = arith.constant 0 : index
  // CHECK: return %[[N]], %[[N]], %[[N]], %[[ZERO]]
  return %0, %1, %2, %bit : index, index, index, index
}

// -----

// A position within 512 rows is read for each of n: n is at most 512, which the
// assertion says, and everything after it has extent n.
// CHECK: #[[$ALL:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK: #[[$ROW:.*]] = affine_map<(d0, d1) -> (0, d1)>
// CHECK-LABEL: func @broadcast
// CHECK-SAME: %[[B:.*]]: index {weft.symbol = "b"}, %[[N:.*]]: index {weft.symbol = "n"}, %[[X:[a-z0-9]*]]: tensor<?x?xf32>
// CHECK-SAME: %[[W:[a-z0-9]*]]: tensor<1x512xf32>
func.func @broadcast(%b: index {weft.symbol = "b"}, %n: index {weft.symbol = "n"},
                     %x: tensor<?x?xf32> {weft.dims = ["b", "n"]}, %w: tensor<1x512xf32>)
    -> tensor<?x?xf32> {
  // CHECK: %[[LIMIT:.*]] = arith.minsi %[[N]], %c512
  // CHECK: %[[SAME:.*]] = arith.cmpi eq, %[[LIMIT]], %[[N]]
  // CHECK: weft.assert %[[SAME]], 3, "cannot broadcast {0} and {1}"(%[[LIMIT]], %[[N]])
  // CHECK: %[[S:.*]] = tensor.extract_slice %[[W]][0, 0] [1, %[[N]]] [1, 1]
  // CHECK: %[[INIT:.*]] = tensor.empty(%[[B]], %[[N]])
  // CHECK: linalg.generic {indexing_maps = [#[[$ALL]], #[[$ROW]], #[[$ALL]]]
  // CHECK-SAME: ins(%[[X]], %[[S]] : tensor<?x?xf32>, tensor<1x?xf32>) outs(%[[INIT]]
  // CHECK: ^bb0(%[[P:.*]]: f32, %[[Q:.*]]: f32, %{{.*}}: f32):
  // CHECK-NEXT: arith.addf %[[P]], %[[Q]]
  // CHECK-NOT: tensor.extract %
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c512 = arith.constant 512 : index
  %e = arith.minsi %n, %c512 : index
  %slice = tensor.extract_slice %w[0, 0] [1, %e] [1, 1] : tensor<1x512xf32> to tensor<1x?xf32>
  %isOne = arith.cmpi eq, %e, %c1 : index
  %isOneToo = arith.cmpi eq, %n, %c1 : index
  %isSame = arith.cmpi eq, %e, %n : index
  %oneIsOne = arith.ori %isOne, %isOneToo : i1
  %agree = arith.ori %isSame, %oneIsOne : i1
  weft.assert %agree, 3, "cannot broadcast {0} and {1}"(%e, %n)
  %extent = arith.select %isOne, %n, %e : index
  %init = tensor.empty(%b, %extent) : tensor<?x?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      outs(%init : tensor<?x?xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %lastX = arith.subi %n, %c1 : index
    %jx = arith.minsi %j, %lastX : index
    %p = tensor.extract %x[%i, %jx] : tensor<?x?xf32>
    %row = arith.minsi %i, %c0 : index
    %last = arith.subi %e, %c1 : index
    %js = arith.minsi %j, %last : index
    %q = tensor.extract %slice[%row, %js] : tensor<1x?xf32>
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// Assertions about symbols come first; then they are equal, and the product of
// both is a square.
// CHECK-LABEL: func @equal
// CHECK-SAME: %[[N:.*]]: index {weft.symbol = "n"}, %[[M:.*]]: index {weft.symbol = "m"}
func.func @equal(%n: index {weft.symbol = "n"}, %m: index {weft.symbol = "m"}) -> (tensor<?xf32>, index) {
  // CHECK: %[[SAME:.*]] = arith.cmpi eq, %[[N]], %[[M]]
  // CHECK: weft.assert %[[SAME]]
  // CHECK: tensor.empty(%[[N]])
  // CHECK: arith.muli %[[N]], %[[N]]
  // CHECK-NOT: weft.assert
  %e = tensor.empty(%m) : tensor<?xf32>
  %same = arith.cmpi eq, %n, %m : index
  weft.assert %same, 3, "differ"
  %p = arith.muli %n, %m : index
  %again = arith.cmpi eq, %m, %n : index
  weft.assert %again, 3, "differ"
  return %e, %p : tensor<?xf32>, index
}

// -----

// A reshape through one dimension keeps those that are equal; the division was
// inferred, so that it does not matter what it gives where b is 0.
// CHECK-LABEL: func @reshape
// CHECK-SAME: %[[B:.*]]: index {weft.symbol = "b"}, %[[T:.*]]: index {weft.symbol = "t"}
func.func @reshape(%b: index {weft.symbol = "b"}, %t: index {weft.symbol = "t"},
                   %x: tensor<?x?x4x16xf32> {weft.dims = ["b", "t", 4, 16]}) -> tensor<?x?x64xf32> {
  // CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0], [1], [2, 3]]
  // CHECK-NOT: tensor.expand_shape %{{.*}}[0, 1
  %c1 = arith.constant 1 : index
  %bt = arith.muli %b, %t : index
  %d = arith.maxsi %b, %c1 : index
  %q = arith.divsi %bt, %d {weft.quotient} : index
  %flat = tensor.collapse_shape %x [[0, 1, 2, 3]] : tensor<?x?x4x16xf32> into tensor<?xf32>
  %y = tensor.expand_shape %flat [[0, 1, 2]] output_shape [%b, %q, 64] : tensor<?xf32> into tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// CHECK-LABEL: func @slices
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x4xf32> {{[^%]*}}%[[Y:[a-z0-9]*]]: tensor<?x4xf32>
func.func @slices(%n: index {weft.symbol = "n"}, %x: tensor<?x4xf32> {weft.dims = ["n", 4]},
                  %y: tensor<?x4xf32> {weft.dims = ["n", 4]}, %k: index)
    -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  // CHECK: %[[PART:.*]] = tensor.extract_slice %[[X]][0, 0] [%{{.*}}, 4]
  // CHECK: return %[[X]], %[[Y]], %[[PART]]
  %0 = tensor.extract_slice %x[0, 0] [%n, 4] [1, 1] : tensor<?x4xf32> to tensor<?x4xf32>
  %1 = tensor.insert_slice %y into %x[0, 0] [%n, 4] [1, 1] : tensor<?x4xf32> into tensor<?x4xf32>
  %2 = tensor.extract_slice %x[0, 0] [%k, 4] [1, 1] : tensor<?x4xf32> to tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// Extents that may differ stay, and so do choices between them.
// CHECK-LABEL: func @unknown
func.func @unknown(%n: index {weft.symbol = "n"}, %m: index {weft.symbol = "m"},
                   %x: tensor<?xf32> {weft.dims = ["n"]}) -> tensor<?xf32> {
  // CHECK: weft.assert
  // CHECK: %[[EXTENT:.*]] = arith.select
  // CHECK: tensor.empty(%[[EXTENT]])
  // CHECK: tensor.extract %
  %c1 = arith.constant 1 : index
  %isOne = arith.cmpi eq, %n, %c1 : index
  %isOneToo = arith.cmpi eq, %m, %c1 : index
  %isSame = arith.cmpi eq, %n, %m : index
  %oneIsOne = arith.ori %isOne, %isOneToo : i1
  %agree = arith.ori %isSame, %oneIsOne : i1
  weft.assert %agree, 3, "cannot broadcast {0} and {1}"(%n, %m)
  %extent = arith.select %isOne, %m, %n : index
  %init = tensor.empty(%extent) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%init : tensor<?xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %last = arith.subi %n, %c1 : index
    %at = arith.minsi %i, %last : index
    %p = tensor.extract %x[%at] : tensor<?xf32>
    linalg.yield %p : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// A division that nobody marked is 0 where b is 0; data may overflow; and an
// assertion in a branch says nothing of what is after it.
// CHECK-LABEL: func @stays
func.func @stays(%b: index {weft.symbol = "b"}, %t: index {weft.symbol = "t"}, %x: tensor<1xi64>,
                 %c: i1) -> (index, index, index) {
  // CHECK: arith.divsi
  // CHECK: arith.muli
  // CHECK: arith.floordivsi
  // CHECK: arith.maxsi
  // CHECK: return
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %bt = arith.muli %b, %t : index
  %d = arith.maxsi %b, %c1 : index
  %0 = arith.divsi %bt, %d : index
  %element = tensor.extract %x[%c0] : tensor<1xi64>
  %data = arith.index_cast %element : i64 to index
  %twice = arith.muli %data, %c4 : index
  %1 = arith.floordivsi %twice, %c4 : index
  scf.if %c {
    %positive = arith.cmpi sgt, %t, %c0 : index
    weft.assert %positive, 3, "is empty"
  }
  %2 = arith.maxsi %t, %c1 : index
  return %0, %1, %2 : index, index, index
}

// -----

// The extents of a packed tensor are not those of its bytes, and a loop may
// change what it carries.
// CHECK-LABEL: func @other
func.func @other(%n: index {weft.symbol = "n"}, %k: index,
                 %bytes: tensor<?xi8> {weft.dims = ["n"], weft.packed = !weft.packed<?xi8, #weft.format<elem = #lowp.int<4, signed>>>},
                 %x: tensor<?xf32> {weft.dims = ["n"]}) -> (index, index) {
  // CHECK: %[[BYTES:.*]] = tensor.dim
  // CHECK: %[[GROWN:.*]] = tensor.dim
  // CHECK: return %[[BYTES]], %[[GROWN]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f = arith.constant 0.0 : f32
  %0 = tensor.dim %bytes, %c0 : tensor<?xi8>
  %loop = scf.for %i = %c0 to %k step %c1 iter_args(%a = %x) -> tensor<?xf32> {
    %p = tensor.pad %a low[0] high[1] {
    ^bb0(%j: index):
      tensor.yield %f : f32
    } : tensor<?xf32> to tensor<?xf32>
    scf.yield %p : tensor<?xf32>
  }
  %1 = tensor.dim %loop, %c0 : tensor<?xf32>
  return %0, %1 : index, index
}

// -----

// An argument that is no symbol has no name for callers.
// CHECK-LABEL: func @unnamed
// CHECK-SAME: -> (tensor<?xf32> {weft.dims = [-1]})
func.func @unnamed(%n: index) -> (tensor<?xf32> {weft.dims = [-1]}) {
  %e = tensor.empty(%n) : tensor<?xf32>
  return %e : tensor<?xf32>
}
