// Two products around a softmax become `attn.attend`; what lies between becomes its
// attributes, operands or region.

// RUN: weft-opt %s --split-input-file --weft-raise-attention --canonicalize | FileCheck %s

#query = affine_map<(b, h, s, t, d) -> (b, h, s, d)>
#key = affine_map<(b, h, s, t, d) -> (b, h, d, t)>
#scores = affine_map<(b, h, s, t, d) -> (b, h, s, t)>
#weights = affine_map<(b, h, s, e, t) -> (b, h, s, t)>
#value = affine_map<(b, h, s, e, t) -> (b, h, t, e)>
#result = affine_map<(b, h, s, e, t) -> (b, s, h, e)>
#id = affine_map<(b, h, s, t) -> (b, h, s, t)>
#none = affine_map<(b, h, s, t) -> ()>
#row = affine_map<(b, h, s, t) -> (b, 0, 0, t)>

// A divisor, a bias of keys, transposed keys, heads last in the result.
// CHECK-LABEL: func @bert
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x4x?x16xf32>, %[[K:[a-z0-9]*]]: tensor<?x4x16x?xf32>, %[[V:[a-z0-9]*]]: tensor<?x4x?x16xf32>, %[[BIAS:[a-z0-9]*]]: tensor<?x1x1x?xf32>, %[[E:[a-z0-9]*]]: tensor<?x4x?x?xf32>, %[[O:[a-z0-9]*]]: tensor<?x?x4x16xf32>
// CHECK-NEXT: %[[Y:.*]] = attn.attend scale = 2.500000e-01 empty_rows = nan layout = "bhsd,bhdt,bhte->bshe" ins(%[[Q]], %[[K]], %[[V]] : {{.*}}) bias(%[[BIAS]] : tensor<?x1x1x?xf32>) outs(%[[O]] :
// CHECK-NEXT: return %[[Y]]
func.func @bert(%q: tensor<?x4x?x16xf32>, %k: tensor<?x4x16x?xf32>, %v: tensor<?x4x?x16xf32>,
                %bias: tensor<?x1x1x?xf32>, %e: tensor<?x4x?x?xf32>, %o: tensor<?x?x4x16xf32>) -> tensor<?x?x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %four = arith.constant dense<4.0> : tensor<f32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k : tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32>) outs(%0 : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %2 = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1, %four : tensor<?x4x?x?xf32>, tensor<f32>) outs(%e : tensor<?x4x?x?xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %r = arith.divf %x, %y : f32
    linalg.yield %r : f32
  } -> tensor<?x4x?x?xf32>
  %3 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2, %bias : tensor<?x4x?x?xf32>, tensor<?x1x1x?xf32>) outs(%e : tensor<?x4x?x?xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %r = arith.addf %x, %y : f32
    linalg.yield %r : f32
  } -> tensor<?x4x?x?xf32>
  %4 = linalg.softmax dimension(3) ins(%3 : tensor<?x4x?x?xf32>) outs(%e : tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %5 = linalg.fill ins(%zero : f32) outs(%o : tensor<?x?x4x16xf32>) -> tensor<?x?x4x16xf32>
  %6 = weft.contract indexing_maps = [#weights, #value, #result] ins(%4, %v : tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) outs(%5 : tensor<?x?x4x16xf32>) -> tensor<?x?x4x16xf32>
  return %6 : tensor<?x?x4x16xf32>
}

// -----

#query = affine_map<(b, s, t, d) -> (b, s, d)>
#key = affine_map<(b, s, t, d) -> (b, t, d)>
#scores = affine_map<(b, s, t, d) -> (b, s, t)>
#weights = affine_map<(b, s, e, t) -> (b, s, t)>
#value = affine_map<(b, s, e, t) -> (b, t, e)>
#result = affine_map<(b, s, e, t) -> (b, s, e)>
#id = affine_map<(b, s, t) -> (b, s, t)>

// A selection by a mask after a bias, as `where` gives it: the region.
// CHECK-LABEL: func @where
// CHECK-SAME: %[[BIAS:[a-z0-9]*]]: tensor<2x?x?xf32>, %[[MASK:[a-z0-9]*]]: tensor<2x?x?xi8>
// CHECK: %[[FOUR:.*]] = tensor.expand_shape %[[BIAS]] {{\[\[}}0, 1], [2], [3]]
// CHECK: attn.attend scale = 1.000000e+00 empty_rows = nan layout = "bsd,btd,bte->bse" ins({{.*}}) bias(%[[FOUR]] : tensor<2x1x?x?xf32>) {{.*}} score {
// CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %[[B:.*]]: index, %{{.*}}: index, %[[S:.*]]: index, %[[T:.*]]: index):
// CHECK-NEXT: %[[M:.*]] = tensor.extract %[[MASK]][%[[B]], %[[S]], %[[T]]]
// CHECK: %[[R:.*]] = arith.select %{{.*}}, %[[X]], %{{.*}} : f32
// CHECK-NEXT: attn.yield %[[R]] : f32
func.func @where(%q: tensor<2x?x16xf32>, %k: tensor<2x?x16xf32>, %v: tensor<2x?x16xf32>, %bias: tensor<2x?x?xf32>,
                 %mask: tensor<2x?x?xi8>, %e: tensor<2x?x?xf32>, %o: tensor<2x?x16xf32>) -> tensor<2x?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant -1.0e+09 : f32
  %c0 = arith.constant 0 : i8
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k : tensor<2x?x16xf32>, tensor<2x?x16xf32>) outs(%0 : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%bias, %1 : tensor<2x?x?xf32>, tensor<2x?x?xf32>) outs(%e : tensor<2x?x?xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %r = arith.addf %x, %y : f32
    linalg.yield %r : f32
  } -> tensor<2x?x?xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%mask, %2 : tensor<2x?x?xi8>, tensor<2x?x?xf32>) outs(%e : tensor<2x?x?xf32>) {
  ^bb0(%m: i8, %x: f32, %out: f32):
    %c = arith.cmpi ne, %m, %c0 : i8
    %r = arith.select %c, %x, %least : f32
    linalg.yield %r : f32
  } -> tensor<2x?x?xf32>
  %4 = linalg.softmax dimension(2) ins(%3 : tensor<2x?x?xf32>) outs(%e : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %5 = linalg.fill ins(%zero : f32) outs(%o : tensor<2x?x16xf32>) -> tensor<2x?x16xf32>
  %6 = weft.contract indexing_maps = [#weights, #value, #result] ins(%4, %v : tensor<2x?x?xf32>, tensor<2x?x16xf32>) outs(%5 : tensor<2x?x16xf32>) -> tensor<2x?x16xf32>
  return %6 : tensor<2x?x16xf32>
}

// -----

#query = affine_map<(b, h, s, t, d) -> (b, h, s, d)>
#key = affine_map<(b, h, s, t, d) -> (b, h, d, t)>
#scores = affine_map<(b, h, s, t, d) -> (b, h, s, t)>
#weights = affine_map<(b, h, s, e, t) -> (b, h, s, t)>
#value = affine_map<(b, h, s, e, t) -> (b, h, t, e)>
#result = affine_map<(b, h, s, e, t) -> (b, h, s, e)>
#one = affine_map<(b, h, g, t, d) -> (b, h, 0, t, d)>
#five = affine_map<(b, h, g, t, d) -> (b, h, g, t, d)>

// Heads of keys and values that were repeated are not.
// CHECK-LABEL: func @grouped
// CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x6x?x8xf32>, %[[K:[a-z0-9]*]]: tensor<2x2x?x8xf32>, %[[V:[a-z0-9]*]]: tensor<2x2x?x8xf32>
// CHECK: attn.attend scale = 1.000000e+00 empty_rows = nan ins(%[[Q]], %[[K]], %[[V]] :
func.func @grouped(%q: tensor<2x6x?x8xf32>, %k: tensor<2x2x?x8xf32>, %v: tensor<2x2x?x8xf32>, %n: index,
                   %repeated: tensor<2x2x3x?x8xf32>, %turned: tensor<2x6x8x?xf32>, %e: tensor<2x6x?x?xf32>,
                   %o: tensor<2x6x?x8xf32>) -> tensor<2x6x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %k1 = tensor.expand_shape %k [[0], [1, 2], [3], [4]] output_shape [2, 2, 1, %n, 8] : tensor<2x2x?x8xf32> into tensor<2x2x1x?x8xf32>
  %k2 = linalg.generic {indexing_maps = [#one, #five], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%k1 : tensor<2x2x1x?x8xf32>) outs(%repeated : tensor<2x2x3x?x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<2x2x3x?x8xf32>
  %k3 = tensor.collapse_shape %k2 [[0], [1, 2], [3], [4]] : tensor<2x2x3x?x8xf32> into tensor<2x6x?x8xf32>
  %k4 = linalg.transpose ins(%k3 : tensor<2x6x?x8xf32>) outs(%turned : tensor<2x6x8x?xf32>) permutation = [0, 1, 3, 2]
  %v1 = tensor.expand_shape %v [[0], [1, 2], [3], [4]] output_shape [2, 2, 1, %n, 8] : tensor<2x2x?x8xf32> into tensor<2x2x1x?x8xf32>
  %v2 = linalg.generic {indexing_maps = [#one, #five], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%v1 : tensor<2x2x1x?x8xf32>) outs(%repeated : tensor<2x2x3x?x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<2x2x3x?x8xf32>
  %v3 = tensor.collapse_shape %v2 [[0], [1, 2], [3], [4]] : tensor<2x2x3x?x8xf32> into tensor<2x6x?x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x?x?xf32>) -> tensor<2x6x?x?xf32>
  %1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k4 : tensor<2x6x?x8xf32>, tensor<2x6x8x?xf32>) outs(%0 : tensor<2x6x?x?xf32>) -> tensor<2x6x?x?xf32>
  %4 = linalg.softmax dimension(3) ins(%1 : tensor<2x6x?x?xf32>) outs(%e : tensor<2x6x?x?xf32>) -> tensor<2x6x?x?xf32>
  %5 = linalg.fill ins(%zero : f32) outs(%o : tensor<2x6x?x8xf32>) -> tensor<2x6x?x8xf32>
  %6 = weft.contract indexing_maps = [#weights, #value, #result] ins(%4, %v3 : tensor<2x6x?x?xf32>, tensor<2x6x?x8xf32>) outs(%5 : tensor<2x6x?x8xf32>) -> tensor<2x6x?x8xf32>
  return %6 : tensor<2x6x?x8xf32>
}

// -----

#query = affine_map<(s, t, d) -> (s, d)>
#key = affine_map<(s, t, d) -> (t, d)>
#scores = affine_map<(s, t, d) -> (s, t)>
#weights = affine_map<(s, e, t) -> (s, t)>
#value = affine_map<(s, e, t) -> (t, e)>
#result = affine_map<(s, e, t) -> (s, e)>

// Not raised: weights that others read, a product that adds to something, a softmax
// over queries.
// CHECK-LABEL: func @not
// CHECK-NOT: attn.attend
func.func @not(%q: tensor<7x16xf32>, %k: tensor<7x16xf32>, %v: tensor<7x16xf32>, %e: tensor<7x7xf32>, %o: tensor<7x16xf32>)
    -> (tensor<7x16xf32>, tensor<7x7xf32>, tensor<7x16xf32>, tensor<7x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<7x7xf32>) -> tensor<7x7xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%o : tensor<7x16xf32>) -> tensor<7x16xf32>
  %a1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%q, %k : tensor<7x16xf32>, tensor<7x16xf32>) outs(%0 : tensor<7x7xf32>) -> tensor<7x7xf32>
  %a2 = linalg.softmax dimension(1) ins(%a1 : tensor<7x7xf32>) outs(%e : tensor<7x7xf32>) -> tensor<7x7xf32>
  %a3 = weft.contract indexing_maps = [#weights, #value, #result] ins(%a2, %v : tensor<7x7xf32>, tensor<7x16xf32>) outs(%1 : tensor<7x16xf32>) -> tensor<7x16xf32>
  %b1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%v, %k : tensor<7x16xf32>, tensor<7x16xf32>) outs(%e : tensor<7x7xf32>) -> tensor<7x7xf32>
  %b2 = linalg.softmax dimension(1) ins(%b1 : tensor<7x7xf32>) outs(%e : tensor<7x7xf32>) -> tensor<7x7xf32>
  %b3 = weft.contract indexing_maps = [#weights, #value, #result] ins(%b2, %v : tensor<7x7xf32>, tensor<7x16xf32>) outs(%1 : tensor<7x16xf32>) -> tensor<7x16xf32>
  %c1 = weft.contract indexing_maps = [#query, #key, #scores] ins(%k, %v : tensor<7x16xf32>, tensor<7x16xf32>) outs(%0 : tensor<7x7xf32>) -> tensor<7x7xf32>
  %c2 = linalg.softmax dimension(0) ins(%c1 : tensor<7x7xf32>) outs(%e : tensor<7x7xf32>) -> tensor<7x7xf32>
  %c3 = weft.contract indexing_maps = [#weights, #value, #result] ins(%c2, %v : tensor<7x7xf32>, tensor<7x16xf32>) outs(%1 : tensor<7x16xf32>) -> tensor<7x16xf32>
  return %a3, %a2, %b3, %c3 : tensor<7x16xf32>, tensor<7x7xf32>, tensor<7x16xf32>, tensor<7x16xf32>
}
