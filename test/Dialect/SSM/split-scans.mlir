// RUN: weft-opt %s --split-input-file --ssm-split-scans | FileCheck %s

// CHECK-LABEL: func.func @scalar
// CHECK: %[[J:.*]] = arith
// CHECK: %[[M:.*]]:2 = ssm.chunk_summary scalar chunk = 4 key(%{{.*}}) value(%{{.*}}) decay(%{{.*}}) {{.*}} -> tensor<2x?x4x8xf32>, tensor<2x?x4x8x6xf32>
// CHECK: %[[S:.*]], %[[LAST:.*]] = ssm.scan outer diag linear read = pre value(%[[M]]#1 : {{.*}}) decay(%[[M]]#0 : {{.*}}) initial(
// CHECK: %[[Y:.*]] = ssm.chunk_apply scalar chunk = 4 query({{.*}} states(%[[S]] :
// CHECK: return %[[Y]], %[[LAST]]
func.func @scalar(%q: tensor<2x?x4x8xf32>, %k: tensor<2x?x4x8xf32>, %v: tensor<2x?x4x6xf32>, %g: tensor<2x?x4xf32>,
                  %i: tensor<2x4x8x6xf32>, %y0: tensor<2x?x4x6xf32>, %s0: tensor<2x4x8x6xf32>)
    -> (tensor<2x?x4x6xf32>, tensor<2x4x8x6xf32>) {
  %y, %s = ssm.scan outer scalar chunk = 4 query(%q : tensor<2x?x4x8xf32>) key(%k : tensor<2x?x4x8xf32>)
      value(%v : tensor<2x?x4x6xf32>) decay(%g : tensor<2x?x4xf32>) initial(%i : tensor<2x4x8x6xf32>)
      outs(%y0, %s0 : tensor<2x?x4x6xf32>, tensor<2x4x8x6xf32>) -> tensor<2x?x4x6xf32>, tensor<2x4x8x6xf32>
  return %y, %s : tensor<2x?x4x6xf32>, tensor<2x4x8x6xf32>
}

// -----

// The transition of a chunk of the delta rule is a matrix.
// CHECK-LABEL: func.func @householder
// CHECK: ssm.chunk_summary householder chunk = 3 {{.*}} -> tensor<2x3x4x8x8xf32>, tensor<2x3x4x8x6xf32>
// CHECK: ssm.scan outer dense read = pre {{.*}} matrix(
// CHECK: ssm.chunk_apply householder chunk = 3
func.func @householder(%q: tensor<2x9x4x8xf32>, %k: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>, %a: tensor<2x9x4x8xf32>,
                       %y0: tensor<2x9x4x6xf32>, %s0: tensor<2x4x8x6xf32>) -> (tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) {
  %y, %s = ssm.scan outer householder chunk = 3 query(%q : tensor<2x9x4x8xf32>) key(%k : tensor<2x9x4x8xf32>)
      value(%v : tensor<2x9x4x6xf32>) alpha(%a : tensor<2x9x4x8xf32>) beta(%a : tensor<2x9x4x8xf32>)
      outs(%y0, %s0 : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) -> tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
  return %y, %s : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
}

// -----

// Without a chunk, with one that has all tokens, and backwards it stays.
// CHECK-LABEL: func.func @stays
// CHECK-NOT: ssm.chunk_
// CHECK-COUNT-3: ssm.scan outer identity
// CHECK-NOT: ssm.chunk_
func.func @stays(%q: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>, %y0: tensor<2x9x4x6xf32>, %s0: tensor<2x4x8x6xf32>)
    -> (tensor<2x9x4x6xf32>, tensor<2x9x4x6xf32>, tensor<2x9x4x6xf32>) {
  %a, %s = ssm.scan outer identity query(%q : tensor<2x9x4x8xf32>) key(%q : tensor<2x9x4x8xf32>) value(%v : tensor<2x9x4x6xf32>)
      outs(%y0, %s0 : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) -> tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
  %b, %t = ssm.scan outer identity chunk = 9 query(%q : tensor<2x9x4x8xf32>) key(%q : tensor<2x9x4x8xf32>) value(%v : tensor<2x9x4x6xf32>)
      outs(%y0, %s0 : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) -> tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
  %c, %u = ssm.scan outer identity reverse chunk = 2 query(%q : tensor<2x9x4x8xf32>) key(%q : tensor<2x9x4x8xf32>) value(%v : tensor<2x9x4x6xf32>)
      outs(%y0, %s0 : tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>) -> tensor<2x9x4x6xf32>, tensor<2x4x8x6xf32>
  return %a, %b, %c : tensor<2x9x4x6xf32>, tensor<2x9x4x6xf32>, tensor<2x9x4x6xf32>
}
