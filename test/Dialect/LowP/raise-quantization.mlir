// RUN: weft-opt %s --lowp-raise-quantization --canonicalize | FileCheck %s

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
#u8 = #weft.format<elem = #lowp.int<8, unsigned>>
#i8 = #weft.format<elem = #lowp.int<8, signed>>
!activation = !weft.packed<?x64xf32, #weft.format<elem = #lowp.int<8, unsigned>,
  scales = [#lowp.scale<zero_point, [], #u8>, #lowp.scale<multiply, [], f32>]>>
!weight = !weft.packed<64x48xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<zero_point, [0, 1], #i8>, #lowp.scale<multiply, [0, 1], f32>]>>
!blocked = !weft.packed<64x48xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [32, 1], f32>]>>

// Both sides are integers: codes as they are, the zero point as a correction, and the
// scales afterwards. Zero points that are 0 vanish.
// CHECK-LABEL: @integers
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x64xi8>, %[[Z:.*]]: tensor<i8>, %[[S:.*]]: tensor<f32>
// CHECK: %[[W:.*]] = weft.constant <"w"
// CHECK: %[[SUM:.*]] = weft.contract unsigned_lhs {{.*}} ins(%[[X]], %[[W]] : tensor<?x64xi8>, tensor<64x48xi8>)
// CHECK-SAME: -> tensor<?x48xi32>
// CHECK: %[[COLUMNS:.*]] = linalg.generic {{.*}}"reduction", "parallel"{{.*}} ins(%[[W]]
// CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%[[COLUMNS]], %[[Z]] : tensor<48xi32>, tensor<i8>)
// CHECK: arith.extui
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[C]], %[[S]], {{.*}} : tensor<?x48xi32>, tensor<48xi32>, tensor<f32>, tensor<48xf32>)
// CHECK: arith.addi
// CHECK: arith.sitofp
// CHECK: arith.mulf
// CHECK: arith.mulf
func.func @integers(%x: tensor<?x64xi8>, %z: tensor<i8>, %s: tensor<f32>, %n: index) -> tensor<?x48xf32> {
  %w = weft.constant <"w", "", tensor<64x48xi8>> : tensor<64x48xi8>
  %t = weft.constant <"t", "", tensor<1x48xf32>> : tensor<1x48xf32>
  %none = arith.constant dense<0> : tensor<1x48xi8>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%n) : tensor<?x64xf32>
  %e1 = tensor.empty() : tensor<64x48xf32>
  %e2 = tensor.empty(%n) : tensor<?x48xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x48xf32>) -> tensor<?x48xf32>
  %p = weft.assemble %x, %z, %s : tensor<?x64xi8>, tensor<i8>, tensor<f32> -> !activation
  %q = weft.assemble %w, %none, %t : tensor<64x48xi8>, tensor<1x48xi8>, tensor<1x48xf32> -> !weight
  %a = weft.unpack ins(%p : !activation) outs(%e0 : tensor<?x64xf32>) -> tensor<?x64xf32>
  %b = weft.unpack ins(%q : !weight) outs(%e1 : tensor<64x48xf32>) -> tensor<64x48xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%a, %b : tensor<?x64xf32>, tensor<64x48xf32>)
         outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// Floats times codes. What was transposed is read so; scales vary along what is contracted
// then, and stay with the codes, as zero points do.
// CHECK-LABEL: @weights
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x48xf32>
// CHECK: %[[Q:.*]] = weft.assemble %{{.*}}, %{{.*}} -> <64x48xf32, #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<zero_point,
// CHECK-NOT: weft.unpack
// CHECK-NOT: linalg.transpose
// CHECK: weft.contract indexing_maps = [#{{.*}}, #[[W:.*]], #{{.*}}] ins(%[[X]], %[[Q]]
// CHECK-NOT: arith.mulf
// CHECK: return
func.func @weights(%x: tensor<?x48xf32>, %w: tensor<64x48xi8>, %n: index) -> tensor<?x64xf32> {
  %c = weft.constant <"w", "", tensor<64x48xi8>> : tensor<64x48xi8>
  %t = weft.constant <"t", "", tensor<1x48xf32>> : tensor<1x48xf32>
  %points = weft.constant <"z", "", tensor<1x48xi8>> : tensor<1x48xi8>
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<64x48xf32>
  %e2 = tensor.empty(%n) : tensor<?x64xf32>
  %e3 = tensor.empty() : tensor<48x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x64xf32>) -> tensor<?x64xf32>
  %q = weft.assemble %c, %points, %t : tensor<64x48xi8>, tensor<1x48xi8>, tensor<1x48xf32> -> !weight
  %b = weft.unpack ins(%q : !weight) outs(%e1 : tensor<64x48xf32>) -> tensor<64x48xf32>
  %bt = linalg.transpose ins(%b : tensor<64x48xf32>) outs(%e3 : tensor<48x64xf32>) permutation = [1, 0]
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %bt : tensor<?x48xf32>, tensor<48x64xf32>)
         outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Scales that vary along what is contracted stay with the weights, which are packed; an
// activation of integers is one of floats then.
// CHECK-LABEL: @blocks
// CHECK: %[[Q:.*]] = weft.assemble
// CHECK: %[[B:.*]] = weft.assemble
// CHECK: %[[A:.*]] = weft.unpack ins(%[[Q]]
// CHECK: weft.contract {{.*}} ins(%[[A]], %[[B]]
// CHECK-NOT: linalg.generic
func.func @blocks(%x: tensor<?x64xi8>, %z: tensor<i8>, %s: tensor<f32>, %n: index) -> tensor<?x48xf32> {
  %w = weft.constant <"b", "", tensor<1536xi8>> : tensor<1536xi8>
  %t = weft.constant <"s", "", tensor<2x48xf32>> : tensor<2x48xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%n) : tensor<?x64xf32>
  %e1 = tensor.empty() : tensor<64x48xf32>
  %e2 = tensor.empty(%n) : tensor<?x48xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x48xf32>) -> tensor<?x48xf32>
  %p = weft.assemble %x, %z, %s : tensor<?x64xi8>, tensor<i8>, tensor<f32> -> !activation
  %q = weft.assemble %w, %t : tensor<1536xi8>, tensor<2x48xf32> -> !blocked
  %a = weft.unpack ins(%p : !activation) outs(%e0 : tensor<?x64xf32>) -> tensor<?x64xf32>
  %b = weft.unpack ins(%q : !blocked) outs(%e1 : tensor<64x48xf32>) -> tensor<64x48xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%a, %b : tensor<?x64xf32>, tensor<64x48xf32>)
         outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// Two activations stay floats.
// CHECK-LABEL: @activations
// CHECK: weft.contract {{.*}} : tensor<?x64xf32>, tensor<64x?xf32>)
func.func @activations(%x: tensor<?x64xi8>, %z: tensor<i8>, %s: tensor<f32>, %v: tensor<64x?xf32>, %n: index,
                       %init: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %e0 = tensor.empty(%n) : tensor<?x64xf32>
  %p = weft.assemble %x, %z, %s : tensor<?x64xi8>, tensor<i8>, tensor<f32> -> !activation
  %a = weft.unpack ins(%p : !activation) outs(%e0 : tensor<?x64xf32>) -> tensor<?x64xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%a, %v : tensor<?x64xf32>, tensor<64x?xf32>)
         outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// Scales of columns are applied to sums.
// CHECK-LABEL: @columns
// CHECK: %[[Q:.*]] = weft.assemble %{{.*}}, %{{.*}} : tensor<64x48xi8>, tensor<1x48xi8> -> <64x48xf32, #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<zero_point, [0, 1], #weft.format<elem = #lowp.int<8, signed>>>]>>
// CHECK: weft.contract {{.*}} ins(%{{.*}}, %[[Q]]
// CHECK: arith.mulf
func.func @columns(%x: tensor<?x64xf32>, %n: index, %init: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %c = weft.constant <"w", "", tensor<64x48xi8>> : tensor<64x48xi8>
  %t = weft.constant <"t", "", tensor<1x48xf32>> : tensor<1x48xf32>
  %points = weft.constant <"z", "", tensor<1x48xi8>> : tensor<1x48xi8>
  %e = tensor.empty() : tensor<64x48xf32>
  %q = weft.assemble %c, %points, %t : tensor<64x48xi8>, tensor<1x48xi8>, tensor<1x48xf32> -> !weight
  %b = weft.unpack ins(%q : !weight) outs(%e : tensor<64x48xf32>) -> tensor<64x48xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %b : tensor<?x64xf32>, tensor<64x48xf32>)
         outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

!filter = !weft.packed<8x4x3x3xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<multiply, [1, 0, 0, 0], f32>]>>

// A convolution takes codes; its bias is added to scaled sums.
// CHECK-LABEL: @filter
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<1x4x9x9xf32>, %[[INIT:.*]]: tensor<1x8x7x7xf32>
// CHECK: %[[Q:.*]] = weft.assemble %{{.*}} : tensor<8x4x3x3xi8> -> <8x4x3x3xf32, #weft.format<elem = #lowp.int<8, signed>>>
// CHECK: %[[SUM:.*]] = weft.conv {{.*}} ins(%[[X]], %[[Q]]
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %{{.*}}, %[[INIT]] : tensor<1x8x7x7xf32>, tensor<8xf32>, tensor<1x8x7x7xf32>)
// CHECK: arith.mulf
// CHECK: arith.addf
func.func @filter(%x: tensor<1x4x9x9xf32>, %init: tensor<1x8x7x7xf32>) -> tensor<1x8x7x7xf32> {
  %w = weft.constant <"f", "", tensor<8x4x3x3xi8>> : tensor<8x4x3x3xi8>
  %t = weft.constant <"ft", "", tensor<8x1x1x1xf32>> : tensor<8x1x1x1xf32>
  %e = tensor.empty() : tensor<8x4x3x3xf32>
  %q = weft.assemble %w, %t : tensor<8x4x3x3xi8>, tensor<8x1x1x1xf32> -> !filter
  %f = weft.unpack ins(%q : !filter) outs(%e : tensor<8x4x3x3xf32>) -> tensor<8x4x3x3xf32>
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
         ins(%x, %f : tensor<1x4x9x9xf32>, tensor<8x4x3x3xf32>)
         outs(%init : tensor<1x8x7x7xf32>) -> tensor<1x8x7x7xf32>
  return %y : tensor<1x8x7x7xf32>
}

// CHECK-LABEL: @lookup
// CHECK: %[[Q:.*]] = weft.assemble
// CHECK: weft.embed ins(%[[Q]], %{{.*}} : !weft.packed<64x48xf32, {{.*}}, tensor<?xi64>)
func.func @lookup(%ids: tensor<?x1xi64>, %init: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %w = weft.constant <"w", "", tensor<64x48xi8>> : tensor<64x48xi8>
  %points = weft.constant <"z", "", tensor<1x48xi8>> : tensor<1x48xi8>
  %t = weft.constant <"t", "", tensor<1x48xf32>> : tensor<1x48xf32>
  %e = tensor.empty() : tensor<64x48xf32>
  %q = weft.assemble %w, %points, %t : tensor<64x48xi8>, tensor<1x48xi8>, tensor<1x48xf32> -> !weight
  %b = weft.unpack ins(%q : !weight) outs(%e : tensor<64x48xf32>) -> tensor<64x48xf32>
  %y = weft.gather batch_dims = 0 ins(%b, %ids : tensor<64x48xf32>, tensor<?x1xi64>)
         outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}
