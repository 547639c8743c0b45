// RUN: weft-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func @nothing
// CHECK: attn.attend causal layout = "sd,td,te->se" ins(%{{.*}}, %{{.*}}, %{{.*}} : {{.*}}) outs(%{{[a-z0-9]*}} : tensor<3x8xf32>) -> tensor<3x8xf32>
func.func @nothing(%q: tensor<3x8xf32>, %o: tensor<3x8xf32>, %l: tensor<3xf32>) -> tensor<3x8xf32> {
  %zero = arith.constant dense<0.0> : tensor<3xf32>
  %c0 = arith.constant 0 : index
  %y, %log = attn.attend causal window = [-1, 2] layout = "sd,td,te->se" ins(%q, %q, %q : tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x8xf32>)
    bias(%zero : tensor<3xf32>) offset(%c0) outs(%o, %l : tensor<3x8xf32>, tensor<3xf32>) -> tensor<3x8xf32>, tensor<3xf32>
  return %y : tensor<3x8xf32>
}

// CHECK-LABEL: func @something
// CHECK: attn.attend window = [-1, 2] {{.*}} bias(%{{.*}}) outs(
func.func @something(%q: tensor<3x8xf32>, %o: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %one = arith.constant dense<1.0> : tensor<3xf32>
  %y = attn.attend window = [-1, 2] layout = "sd,td,te->se" ins(%q, %q, %q : tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x8xf32>)
    bias(%one : tensor<3xf32>) outs(%o : tensor<3x8xf32>) -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}
