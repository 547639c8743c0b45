// After so many compilations that failed, the rest of the module is left alone, which is
// said of each operation.

// RUN: weft-opt %s --weft-evaluate-constants="max-bytes=100000 max-failures=1" \
// RUN:   --remarks-filter=constants --remark-policy=all --remark-format=emitRemark 2> %t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: weft-opt %s --weft-evaluate-constants="max-bytes=100000" | FileCheck %s --check-prefix=ALL

// CHECK-LABEL: func @too_large
// CHECK: linalg.generic
// REMARK: 'linalg.generic' cannot be evaluated
func.func @too_large() -> tensor<?xi32> {
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

// CHECK-LABEL: func @small
// CHECK: %[[SUM:.*]] = linalg.add
// CHECK: return %[[SUM]]
// REMARK: 'linalg.add' is left alone after 1 compilations that failed
// ALL-LABEL: func @small
// ALL: %[[SUM:.*]] = arith.constant dense<[2, 4, 6, 8]>
// ALL: return %[[SUM]]
func.func @small() -> tensor<4xi64> {
  %c = arith.constant dense<[1, 2, 3, 4]> : tensor<4xi64>
  %e = tensor.empty() : tensor<4xi64>
  %s = linalg.add ins(%c, %c : tensor<4xi64>, tensor<4xi64>) outs(%e : tensor<4xi64>) -> tensor<4xi64>
  return %s : tensor<4xi64>
}
