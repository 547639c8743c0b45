// RUN: weft-opt %s --weft-raise-attention --canonicalize | FileCheck %s

// Attention of narrow floats, whose scores and weights are rounded after each operation.

#query = affine_map<(b, h, s, t, d) -> (b, h, s, d)>
#key = affine_map<(b, h, s, t, d) -> (b, h, d, t)>
#scores = affine_map<(b, h, s, t, d) -> (b, h, s, t)>
#weights = affine_map<(b, h, s, e, t) -> (b, h, s, t)>
#value = affine_map<(b, h, s, e, t) -> (b, h, t, e)>
#result = affine_map<(b, h, s, e, t) -> (b, h, s, e)>
#id = affine_map<(b, h, s, t) -> (b, h, s, t)>
#none = affine_map<(b, h, s, t) -> ()>
#row = affine_map<(b, h, s, t) -> (b, 0, 0, t)>

// The scale and the bias are those of the attention, which is computed in f32.

// CHECK-LABEL: func.func @half(
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x4x?x16xf16>, %[[K:[a-z0-9]*]]: tensor<?x4x16x?xf16>, %[[V:[a-z0-9]*]]: tensor<?x4x?x16xf16>, %[[BIAS:[a-z0-9]*]]: tensor<?x1x1x?xf16>
// CHECK-NEXT: %[[Y:.*]] = attn.attend scale = 5.000000e-01 empty_rows = nan layout = "bhsd,bhdt,bhte->bhse" ins(%[[Q]], %[[K]], %[[V]] : {{.*}}) bias(%[[BIAS]] : tensor<?x1x1x?xf16>)
// CHECK-NEXT: return %[[Y]]
func.func @half(%q: tensor<?x4x?x16xf16>, %k: tensor<?x4x16x?xf16>, %v: tensor<?x4x?x16xf16>, %bias: tensor<?x1x1x?xf16>, %e: tensor<?x4x?x?xf32>, %h: tensor<?x4x?x?xf16>, %o: tensor<?x4x?x16xf32>) -> (tensor<?x4x?x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant dense<0.5> : tensor<f16>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k : tensor<?x4x?x16xf16>, tensor<?x4x16x?xf16>) outs(%0 : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<?x4x?x?xf32>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f32, %old: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s1 = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s0, %half : tensor<?x4x?x?xf16>, tensor<f16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.mulf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s2 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s1, %bias : tensor<?x4x?x?xf16>, tensor<?x1x1x?xf16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.addf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s2 : tensor<?x4x?x?xf16>) outs(%e : tensor<?x4x?x?xf32>) {
  ^bb0(%a: f16, %old: f32):
    %n = arith.extf %a : f16 to f32
    linalg.yield %n : f32
  } -> tensor<?x4x?x?xf32>
  %w = linalg.softmax dimension(3) ins(%wide : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%w : tensor<?x4x?x?xf32>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f32, %old: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %2 = linalg.fill ins(%zero : f32) outs(%o : tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  %y = weft.contract indexing_maps = [#weights, #value, #result] ins(%p, %v : tensor<?x4x?x?xf16>, tensor<?x4x?x16xf16>) outs(%2 : tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// What follows the bias is the region, which rounds where it rounded.

// CHECK-LABEL: func.func @region(
// CHECK: attn.attend scale = 5.000000e-01
// CHECK-SAME: score
// CHECK: ^bb0(%[[S:.*]]: f32,
// CHECK: arith.truncf %[[S]] : f32 to f16
// CHECK: arith.mulf
// CHECK: attn.yield %{{.*}} : f32
// CHECK: return
func.func @region(%q: tensor<?x4x?x16xf16>, %k: tensor<?x4x16x?xf16>, %v: tensor<?x4x?x16xf16>, %bias: tensor<?x1x1x?xf16>, %e: tensor<?x4x?x?xf32>, %h: tensor<?x4x?x?xf16>, %o: tensor<?x4x?x16xf32>) -> (tensor<?x4x?x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant dense<0.5> : tensor<f16>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k : tensor<?x4x?x16xf16>, tensor<?x4x16x?xf16>) outs(%0 : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<?x4x?x?xf32>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f32, %old: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s1 = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s0, %half : tensor<?x4x?x?xf16>, tensor<f16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.mulf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s2 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s1, %bias : tensor<?x4x?x?xf16>, tensor<?x1x1x?xf16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.addf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s3 = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s2, %half : tensor<?x4x?x?xf16>, tensor<f16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.mulf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s3 : tensor<?x4x?x?xf16>) outs(%e : tensor<?x4x?x?xf32>) {
  ^bb0(%a: f16, %old: f32):
    %n = arith.extf %a : f16 to f32
    linalg.yield %n : f32
  } -> tensor<?x4x?x?xf32>
  %w = linalg.softmax dimension(3) ins(%wide : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%w : tensor<?x4x?x?xf32>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f32, %old: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %2 = linalg.fill ins(%zero : f32) outs(%o : tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  %y = weft.contract indexing_maps = [#weights, #value, #result] ins(%p, %v : tensor<?x4x?x?xf16>, tensor<?x4x?x16xf16>) outs(%2 : tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// The weights are a result, too.

// CHECK-LABEL: func.func @weights(
// CHECK-NOT: attn.attend
// CHECK: linalg.softmax
// CHECK: return
func.func @weights(%q: tensor<?x4x?x16xf16>, %k: tensor<?x4x16x?xf16>, %v: tensor<?x4x?x16xf16>, %bias: tensor<?x1x1x?xf16>, %e: tensor<?x4x?x?xf32>, %h: tensor<?x4x?x?xf16>, %o: tensor<?x4x?x16xf32>) -> (tensor<?x4x?x16xf32>, tensor<?x4x?x?xf16>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant dense<0.5> : tensor<f16>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k : tensor<?x4x?x16xf16>, tensor<?x4x16x?xf16>) outs(%0 : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %s0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<?x4x?x?xf32>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f32, %old: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s1 = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s0, %half : tensor<?x4x?x?xf16>, tensor<f16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.mulf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %s2 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s1, %bias : tensor<?x4x?x?xf16>, tensor<?x1x1x?xf16>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f16, %b: f16, %old: f16):
    %f = arith.extf %a : f16 to f32
    %g = arith.extf %b : f16 to f32
    %r = arith.addf %f, %g : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s2 : tensor<?x4x?x?xf16>) outs(%e : tensor<?x4x?x?xf32>) {
  ^bb0(%a: f16, %old: f32):
    %n = arith.extf %a : f16 to f32
    linalg.yield %n : f32
  } -> tensor<?x4x?x?xf32>
  %w = linalg.softmax dimension(3) ins(%wide : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%w : tensor<?x4x?x?xf32>) outs(%h : tensor<?x4x?x?xf16>) {
  ^bb0(%a: f32, %old: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x4x?x?xf16>
  %2 = linalg.fill ins(%zero : f32) outs(%o : tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  %y = weft.contract indexing_maps = [#weights, #value, #result] ins(%p, %v : tensor<?x4x?x?xf16>, tensor<?x4x?x16xf16>) outs(%2 : tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y, %p : tensor<?x4x?x16xf32>, tensor<?x4x?x?xf16>
}
