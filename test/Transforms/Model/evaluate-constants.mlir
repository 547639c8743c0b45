// What depends on constants only is computed while compiling; small results show
// what was computed.

// RUN: weft-opt %s --weft-evaluate-constants --canonicalize --cse --split-input-file | FileCheck %s

// CHECK-LABEL: func @transposed
func.func @transposed() -> tensor<3x2xf32> {
  // CHECK: %[[T:.*]] = arith.constant dense<{{\[}}[1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>
  // CHECK-NOT: linalg
  // CHECK: return %[[T]]
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %t : tensor<3x2xf32>
}

// -----

// A chain is computed as a whole, and only what is needed of it is stored. A
// result with equal elements is a splat, however large.
// CHECK-LABEL: func @chain
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>
func.func @chain(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<100x100xi64>) {
  // CHECK-DAG: %[[C:.*]] = arith.constant dense<[2.000000e+00, 6.000000e+00, 1.200000e+01, 2.000000e+01]> : tensor<4xf32>
  // CHECK-DAG: %[[S:.*]] = arith.constant dense<7> : tensor<100x100xi64>
  // CHECK: linalg.add ins(%[[X]], %[[C]]
  // CHECK-NOT: linalg.
  // CHECK: return {{.*}}, %[[S]]
  %a = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %b = arith.constant dense<[2.0, 3.0, 4.0, 5.0]> : tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %m = linalg.mul ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %y = linalg.add ins(%x, %m : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %l = tensor.empty() : tensor<100x100xi64>
  %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
    outs(%l : tensor<100x100xi64>) {
  ^bb0(%o: i64):
    %i = linalg.index 0 : index
    %zero = arith.constant 0 : i64
    %seven = arith.constant 7 : i64
    %v = arith.index_cast %i : index to i64
    %p = arith.muli %v, %zero : i64
    %r = arith.addi %p, %seven : i64
    linalg.yield %r : i64
  } -> tensor<100x100xi64>
  return %y, %s : tensor<4xf32>, tensor<100x100xi64>
}

// -----

// Large results are weights, named after the node.
// CHECK-LABEL: func @table
func.func @table() -> tensor<512xi32> {
  // CHECK: weft.constant <"positions", "", tensor<512xi32>>
  // CHECK-NOT: linalg
  %e = tensor.empty() : tensor<512xi32>
  %t = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    outs(%e : tensor<512xi32>) {
  ^bb0(%o: i32):
    %i = linalg.index 0 : index
    %v = arith.index_cast %i : index to i32
    linalg.yield %v : i32
  } -> tensor<512xi32> loc("positions"("Range"))
  return %t : tensor<512xi32>
}

// -----

// Numbers and extents that come out of tensors.
// CHECK-LABEL: func @numbers
func.func @numbers() -> (index, f32, i1) {
  // CHECK-DAG: %[[I:.*]] = arith.constant 11 : index
  // CHECK-DAG: %[[F:.*]] = arith.constant -2.500000e+00 : f32
  // CHECK-DAG: %[[B:.*]] = arith.constant true
  // CHECK: return %[[I]], %[[F]], %[[B]]
  %c1 = arith.constant 1 : index
  %a = arith.constant dense<[5, 4]> : tensor<2xi64>
  %b = arith.constant dense<[6, 7]> : tensor<2xi64>
  %e = tensor.empty() : tensor<2xi64>
  %s = linalg.add ins(%a, %b : tensor<2xi64>, tensor<2xi64>) outs(%e : tensor<2xi64>) -> tensor<2xi64>
  %n = tensor.extract %s[%c1] : tensor<2xi64>
  %i = arith.index_cast %n : i64 to index
  %c10 = arith.constant 10 : i64
  %more = arith.cmpi sgt, %n, %c10 : i64
  %x = arith.constant dense<[2.5]> : tensor<1xf32>
  %e1 = tensor.empty() : tensor<1xf32>
  %neg = linalg.negf ins(%x : tensor<1xf32>) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
  %c0 = arith.constant 0 : index
  %f = tensor.extract %neg[%c0] : tensor<1xf32>
  return %i, %f, %more : index, f32, i1
}

// -----

// An extent that is data: the constant has the static type.
// CHECK-LABEL: func @selected
// CHECK-SAME: %[[X:.*]]: tensor<?xf32>
func.func @selected(%x: tensor<?xf32>) -> tensor<?xf32> {
  // CHECK-DAG: arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<3xf32>
  // CHECK-NOT: extract_slice
  %n = arith.constant dense<[1, 3]> : tensor<2xi64>
  %e = tensor.empty() : tensor<2xi64>
  %sum = linalg.mul ins(%n, %n : tensor<2xi64>, tensor<2xi64>) outs(%e : tensor<2xi64>) -> tensor<2xi64>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %nine = tensor.extract %sum[%c1] : tensor<2xi64>
  %three = arith.constant 3 : i64
  %q = arith.divsi %nine, %three : i64
  %size = arith.index_cast %q : i64 to index
  %data = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  %s = tensor.extract_slice %data[0][%size][1] : tensor<5xf32> to tensor<?xf32>
  %o = tensor.empty(%size) : tensor<?xf32>
  %y = linalg.add ins(%x, %s : tensor<?xf32>, tensor<?xf32>) outs(%o : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// Inside of control flow that stays.
// CHECK-LABEL: func @branch
func.func @branch(%x: tensor<2xi32>, %p: i1) -> tensor<2xi32> {
  // CHECK-NOT: linalg.add
  // CHECK: arith.constant dense<[2, 4]> : tensor<2xi32>
  // CHECK-NOT: linalg.add
  // CHECK: return
  %r = scf.if %p -> tensor<2xi32> {
    %a = arith.constant dense<[1, 2]> : tensor<2xi32>
    %e = tensor.empty() : tensor<2xi32>
    %s = linalg.add ins(%a, %a : tensor<2xi32>, tensor<2xi32>) outs(%e : tensor<2xi32>) -> tensor<2xi32>
    scf.yield %s : tensor<2xi32>
  } else {
    scf.yield %x : tensor<2xi32>
  }
  return %r : tensor<2xi32>
}

// -----

// No elements.
// CHECK-LABEL: func @none
func.func @none() -> tensor<0x3xf32> {
  // CHECK: %[[E:.*]] = tensor.empty() : tensor<0x3xf32>
  // CHECK-NEXT: return %[[E]]
  %w = tensor.empty() : tensor<3x0xf32>
  %e = tensor.empty() : tensor<0x3xf32>
  %t = linalg.transpose ins(%w : tensor<3x0xf32>) outs(%e : tensor<0x3xf32>) permutation = [1, 0]
  return %t : tensor<0x3xf32>
}
