// What is not evaluated, and why.

// RUN: weft-opt %s --weft-evaluate-constants="max-operations=100000 max-bytes=100000" \
// RUN:   --remarks-filter=constants --remark-policy=all --remark-format=emitRemark 2> %t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks

// Repetition only takes more memory, fills cost nothing.
// CHECK-LABEL: func @repeated
func.func @repeated() -> tensor<1024x4xf32> {
  // CHECK: linalg.broadcast
  // REMARK-DAG: 'linalg.broadcast' is not evaluated: 16384 bytes would come from 16
  %w = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %e = tensor.empty() : tensor<1024x4xf32>
  %b = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<1024x4xf32>) dimensions = [0]
  return %b : tensor<1024x4xf32>
}

// CHECK-LABEL: func @too_long
func.func @too_long() -> tensor<8x8xf32> {
  // CHECK: linalg.matmul
  // REMARK-DAG: 'linalg.matmul' is not evaluated: its {{[0-9]+}} operations exceed the {{[0-9]+}} that are left
  %c = arith.constant dense<1.0> : tensor<8x4096xf32>
  %d = arith.constant dense<2.0> : tensor<4096x8xf32>
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %p = linalg.matmul ins(%c, %d : tensor<8x4096xf32>, tensor<4096x8xf32>) outs(%zero : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %p : tensor<8x8xf32>
}

// CHECK-LABEL: func @too_large
func.func @too_large() -> tensor<32768xi32> {
  // CHECK: linalg.generic
  // REMARK-DAG: 'linalg.generic' is not evaluated: its 131072 bytes exceed the {{[0-9]+}} that are left
  %e = tensor.empty() : tensor<32768xi32>
  %t = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    outs(%e : tensor<32768xi32>) {
  ^bb0(%o: i32):
    %i = linalg.index 0 : index
    %v = arith.index_cast %i : index to i32
    linalg.yield %v : i32
  } -> tensor<32768xi32>
  return %t : tensor<32768xi32>
}

// What is larger than the types say.
// CHECK-LABEL: func @found_large
func.func @found_large() -> tensor<?xi32> {
  // CHECK: linalg.generic
  // REMARK-DAG: 'linalg.generic' cannot be evaluated: a result has 400000 bytes
  %d = arith.constant dense<50000> : tensor<1xi64>
  %e = tensor.empty() : tensor<1xi64>
  %s = linalg.add ins(%d, %d : tensor<1xi64>, tensor<1xi64>) outs(%e : tensor<1xi64>) -> tensor<1xi64>
  %c0 = arith.constant 0 : index
  %found = tensor.extract %s[%c0] : tensor<1xi64>
  %n = arith.index_cast %found : i64 to index
  %o = tensor.empty(%n) : tensor<?xi32>
  %t = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    outs(%o : tensor<?xi32>) {
  ^bb0(%b: i32):
    %i = linalg.index 0 : index
    %v = arith.index_cast %i : index to i32
    linalg.yield %v : i32
  } -> tensor<?xi32>
  return %t : tensor<?xi32>
}

// What was asserted before is not known to hold: reads and divisions that may
// fail stay, and an assertion is never taken away unless it holds.
// CHECK-LABEL: func @asserted
func.func @asserted() -> (f32, i64) {
  // CHECK: weft.assert %{{.*}}, 11
  // CHECK: tensor.extract
  // CHECK: arith.divsi
  %d = arith.constant dense<[0, 9]> : tensor<2xi64>
  %e = tensor.empty() : tensor<2xi64>
  %s = linalg.add ins(%d, %d : tensor<2xi64>, tensor<2xi64>) outs(%e : tensor<2xi64>) -> tensor<2xi64>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = tensor.extract %s[%c0] : tensor<2xi64>
  %far = tensor.extract %s[%c1] : tensor<2xi64>
  %index = arith.index_cast %far : i64 to index
  %two = arith.constant 2 : i64
  %ok = arith.cmpi slt, %far, %two : i64
  weft.assert %ok, 11, "index {0} is out of range"(%index)
  %x = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %v = tensor.extract %x[%index] : tensor<2xf32>
  %q = arith.divsi %two, %zero : i64
  return %v, %q : f32, i64
}
// REMARK-DAG: 'tensor.extract' is evaluated: 8 bytes

// A key that the store does not have: whoever reads the weight stays.
// CHECK-LABEL: func @missing
func.func @missing() -> tensor<32x16xf32> {
  // CHECK: linalg.transpose
  // REMARK-DAG: 'linalg.transpose' cannot be evaluated: weight 'nowhere' is not in the weight store
  %w = weft.constant <"nowhere", "", tensor<16x32xf32>> : tensor<16x32xf32>
  %e = tensor.empty() : tensor<32x16xf32>
  %t = linalg.transpose ins(%w : tensor<16x32xf32>) outs(%e : tensor<32x16xf32>) permutation = [1, 0]
  return %t : tensor<32x16xf32>
}
