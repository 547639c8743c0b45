// Offsets and pages are tested by the host; what has none is left alone.

// RUN: weft-opt %s --weft-check-operands --cse --canonicalize | FileCheck %s

// CHECK-LABEL: func @ragged
// CHECK: %[[FIRST:.*]] = linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%{{.*}} : tensor<4xi32>)
// CHECK: %[[P:.*]] = tensor.extract %[[FIRST]][]
// CHECK: scf.if
// CHECK: weft.assert %false, 11, "'query_offsets' has {0} at position {1}, expected numbers that ascend from 0 to at most 9"
// CHECK: attn.attend
func.func @ragged(%q: tensor<9x8xf32>, %k: tensor<5x8xf32>, %at: tensor<4xi32>, %o: tensor<9x8xf32>) -> tensor<9x8xf32> {
  %y = attn.attend layout = "sd,td,te->se" ins(%q, %k, %k : tensor<9x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>) query_offsets(%at : tensor<4xi32>)
    outs(%o : tensor<9x8xf32>) -> tensor<9x8xf32>
  return %y : tensor<9x8xf32>
}

// CHECK-LABEL: func @pages
// CHECK: weft.assert %false, 11, "'pages' has {0} at position {1}, expected 0 or more, less than 5 where 'key_lengths' reaches"
// CHECK: weft.assert %false, 11, "'key_lengths' has {0} at position {1}, expected 0 or more, at most 12"
func.func @pages(%q: tensor<2x9x8xf32>, %k: tensor<5x4x8xf32>, %n: tensor<2xi32>, %table: tensor<2x3xi32>, %o: tensor<2x9x8xf32>) -> tensor<2x9x8xf32> {
  %y = attn.attend layout = "bsd,ptd,pte->bse" ins(%q, %k, %k : tensor<2x9x8xf32>, tensor<5x4x8xf32>, tensor<5x4x8xf32>)
    key_lengths(%n : tensor<2xi32>) pages(%table : tensor<2x3xi32>) outs(%o : tensor<2x9x8xf32>) -> tensor<2x9x8xf32>
  return %y : tensor<2x9x8xf32>
}

// CHECK-LABEL: func @dense
// CHECK-NOT: weft.assert
func.func @dense(%q: tensor<9x8xf32>, %o: tensor<9x8xf32>) -> tensor<9x8xf32> {
  %y = attn.attend layout = "sd,td,te->se" ins(%q, %q, %q : tensor<9x8xf32>, tensor<9x8xf32>, tensor<9x8xf32>) outs(%o : tensor<9x8xf32>) -> tensor<9x8xf32>
  return %y : tensor<9x8xf32>
}

// CHECK-LABEL: func @extents
// CHECK: weft.assert %{{.*}}, 3, "'value' has an extent of {0} in dimension 2, expected {1}"
// CHECK: weft.assert %{{.*}}, 3, "'bias' has an extent of {0} in dimension 2, expected {1}"
// CHECK-NOT: weft.assert
// CHECK: attn.attend
func.func @extents(%q: tensor<1x6x3x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x8xf32>, %bias: tensor<1x3x?xf32>, %o: tensor<1x6x3x8xf32>) -> tensor<1x6x3x8xf32> {
  %y = attn.attend layout = "bhsd,bhtd,bhte->bhse" ins(%q, %k, %v : tensor<1x6x3x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>)
    bias(%bias : tensor<1x3x?xf32>) outs(%o : tensor<1x6x3x8xf32>) -> tensor<1x6x3x8xf32>
  return %y : tensor<1x6x3x8xf32>
}

// CHECK-LABEL: func @heads
// CHECK: weft.assert %{{.*}}, 3, "'key' has an extent of {0} in dimension 1, expected a divisor of {1}"
// CHECK-NOT: weft.assert
// CHECK: attn.attend
func.func @heads(%q: tensor<1x?x3x8xf32>, %k: tensor<1x?x5x8xf32>) -> tensor<1x?x3x8xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<1x?x3x8xf32>
  %o = tensor.empty(%n) : tensor<1x?x3x8xf32>
  %y = attn.attend layout = "bhsd,bhtd,bhte->bhse" ins(%q, %k, %k : tensor<1x?x3x8xf32>, tensor<1x?x5x8xf32>, tensor<1x?x5x8xf32>)
    outs(%o : tensor<1x?x3x8xf32>) -> tensor<1x?x3x8xf32>
  return %y : tensor<1x?x3x8xf32>
}
