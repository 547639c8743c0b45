// On the CPU `attn.attend` becomes two contractions around a softmax. Pages and other
// targets keep it, with packed keys and values unpacked.

// RUN: weft-opt %s --split-input-file --weft-decompose-attend --canonicalize | FileCheck %s

// CHECK-LABEL: func @nan
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x4x?x8xf32>, %[[K:[a-z0-9]*]]: tensor<2x4x8x?xf32>, %[[V:[a-z0-9]*]]: tensor<2x4x?x8xf32>
// CHECK-NOT: attn.attend
// CHECK: %[[S:.*]] = weft.contract {{.*}} ins(%[[Q]], %[[K]] :
// CHECK: %[[X:.*]] = linalg.generic {{.*}} ins(%[[S]] :
// CHECK: %[[W:.*]] = linalg.softmax dimension(3) ins(%[[X]] :
// CHECK: weft.contract {{.*}} ins(%[[W]], %[[V]] :
func.func @nan(%q: tensor<2x4x?x8xf32>, %k: tensor<2x4x8x?xf32>, %v: tensor<2x4x?x8xf32>, %o: tensor<2x4x?x8xf32>) -> tensor<2x4x?x8xf32> {
  %y = attn.attend empty_rows = nan layout = "bhsd,bhdt,bhte->bhse" ins(%q, %k, %v : tensor<2x4x?x8xf32>, tensor<2x4x8x?xf32>, tensor<2x4x?x8xf32>) outs(%o : tensor<2x4x?x8xf32>) -> tensor<2x4x?x8xf32>
  return %y : tensor<2x4x?x8xf32>
}

// Heads that share keys are a dimension of their own; keys stay packed; a bias that the
// region reads is an operand.
// CHECK-LABEL: func @grouped
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x6x?x8xf32>, %[[K:[a-z0-9]*]]: !weft.packed
// CHECK-SAME: %[[BIAS:[a-z0-9]*]]: tensor<?x5xf32>
// CHECK: %[[G:.*]] = tensor.expand_shape %[[Q]] {{\[\[}}0], [1, 2], [3], [4]]
// CHECK: weft.contract {{.*}} ins(%[[G]], %[[K]] : tensor<2x2x3x?x8xf32>, !weft.packed
// CHECK: tensor.collapse_shape {{.*}} into tensor<2x6x?x5xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[BIAS]] : tensor<2x6x?x5xf32>, tensor<?x5xf32>)
// CHECK-NOT: tensor.extract
// CHECK: weft.contract
func.func @grouped(%q: tensor<2x6x?x8xf32>, %k: !weft.packed<2x2x5x8xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>,
                   %v: tensor<2x2x5x8xf32>, %bias: tensor<?x5xf32>, %o: tensor<2x6x?x8xf32>) -> tensor<2x6x?x8xf32> {
  %y = attn.attend ins(%q, %k, %v : tensor<2x6x?x8xf32>, !weft.packed<2x2x5x8xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>, tensor<2x2x5x8xf32>)
    outs(%o : tensor<2x6x?x8xf32>) score {
  ^bb0(%x: f32, %b: index, %h: index, %s: index, %t: index):
    %a = tensor.extract %bias[%s, %t] : tensor<?x5xf32>
    %z = arith.addf %x, %a : f32
    attn.yield %z : f32
  } -> tensor<2x6x?x8xf32>
  return %y : tensor<2x6x?x8xf32>
}

// CHECK-LABEL: func @pages
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x6x3x8xf32>, %[[K:[a-z0-9]*]]: !weft.packed
// Packed pages are read where they are.
// CHECK-NOT: weft.unpack
// CHECK: attn.attend {{.*}} ins(%[[Q]], %[[K]], %{{.*}} : {{.*}} pages(
func.func @pages(%q: tensor<2x6x3x8xf32>, %k: !weft.packed<9x2x5x8xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>,
                 %v: tensor<9x2x5x8xf32>, %n: tensor<2xi32>, %table: tensor<2x4xi32>, %o: tensor<2x6x3x8xf32>) -> tensor<2x6x3x8xf32> {
  %y = attn.attend layout = "bhsd,phtd,phte->bhse" ins(%q, %k, %v : tensor<2x6x3x8xf32>, !weft.packed<9x2x5x8xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>, tensor<9x2x5x8xf32>)
    key_lengths(%n : tensor<2xi32>) pages(%table : tensor<2x4xi32>) outs(%o : tensor<2x6x3x8xf32>) -> tensor<2x6x3x8xf32>
  return %y : tensor<2x6x3x8xf32>
}

// -----

// CHECK-LABEL: func @other_target
// CHECK: attn.attend
module attributes {weft.target = #weft.target<"gpu", cpu = "sm_80", features = "", vector_bits = 128, opt_level = 2>} {
  func.func @other_target(%q: tensor<3x8xf32>, %o: tensor<3x8xf32>) -> tensor<3x8xf32> {
    %y = attn.attend layout = "sd,td,te->se" ins(%q, %q, %q : tensor<3x8xf32>, tensor<3x8xf32>, tensor<3x8xf32>) outs(%o : tensor<3x8xf32>) -> tensor<3x8xf32>
    return %y : tensor<3x8xf32>
  }
}

// -----

// A read that is guarded stays guarded: the bias has fewer elements than there are keys.
// CHECK-LABEL: func @guarded
// CHECK-SAME: %[[BIAS:[a-z0-9]*]]: tensor<3xf32>
// CHECK: linalg.generic {{.*}} ins(%{{[a-z0-9]*}} : tensor<1x1x1x4xf32>) outs
// CHECK: scf.if
// CHECK-NEXT: tensor.extract %[[BIAS]]
func.func @guarded(%bias: tensor<3xf32>, %q: tensor<1x1x1x2xf32>, %k: tensor<1x1x4x2xf32>) -> tensor<1x1x1x2xf32> {
  %i = tensor.empty() : tensor<1x1x1x2xf32>
  %y = attn.attend layout = "bhsd,bhtd,bhte->bhse" ins(%q, %k, %k : tensor<1x1x1x2xf32>, tensor<1x1x4x2xf32>, tensor<1x1x4x2xf32>)
    outs(%i : tensor<1x1x1x2xf32>) score {
  ^bb0(%score: f32, %b: index, %h: index, %s: index, %t: index):
    %n = arith.constant 3 : index
    %in = arith.cmpi slt, %t, %n : index
    %v = scf.if %in -> (f32) {
      %x = tensor.extract %bias[%t] : tensor<3xf32>
      scf.yield %x : f32
    } else {
      scf.yield %score : f32
    }
    attn.yield %v : f32
  } -> tensor<1x1x1x2xf32>
  return %y : tensor<1x1x1x2xf32>
}

// -----

// More elements than keys are no operand of the loops either, also behind a cast.
// CHECK-LABEL: func @longer
// CHECK: linalg.generic {{.*}} ins(%{{[a-z0-9]*}} : tensor<1x1x1x4xf32>) outs
// CHECK: tensor.extract
func.func @longer(%bias: tensor<9xf32>, %q: tensor<1x1x1x2xf32>, %k: tensor<1x1x4x2xf32>) -> tensor<1x1x1x2xf32> {
  %i = tensor.empty() : tensor<1x1x1x2xf32>
  %known = tensor.cast %bias : tensor<9xf32> to tensor<?xf32>
  %y = attn.attend layout = "bhsd,bhtd,bhte->bhse" ins(%q, %k, %k : tensor<1x1x1x2xf32>, tensor<1x1x4x2xf32>, tensor<1x1x4x2xf32>)
    outs(%i : tensor<1x1x1x2xf32>) score {
  ^bb0(%score: f32, %b: index, %h: index, %s: index, %t: index):
    %x = tensor.extract %known[%t] : tensor<?xf32>
    %v = arith.addf %score, %x : f32
    attn.yield %v : f32
  } -> tensor<1x1x1x2xf32>
  return %y : tensor<1x1x1x2xf32>
}

// -----

// Sinks can be wider than what scores are computed in; without heads there is one.
// CHECK-LABEL: func @wide_sinks
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x3xf32>, tensor<1xf64>)
// CHECK: arith.truncf %{{.*}} : f64 to f32
func.func @wide_sinks(%q: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %sinks: tensor<1xf64>, %i: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %y = attn.attend layout = "bsd,btd,bte->bse" ins(%q, %k, %k : tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>)
    sinks(%sinks : tensor<1xf64>) outs(%i : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}
