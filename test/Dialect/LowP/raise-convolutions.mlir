// RUN: weft-opt %s --lowp-raise-quantization --canonicalize | FileCheck %s
// RUN: weft-opt %s --lowp-raise-quantization=integer-convolutions=false --canonicalize | FileCheck %s --check-prefix=FLOATS

#u8 = #weft.format<elem = #lowp.int<8, unsigned>>
!activation = !weft.packed<?x6x9x9xf32, #weft.format<elem = #lowp.int<8, unsigned>,
  scales = [#lowp.scale<zero_point, [], #u8>, #lowp.scale<multiply, [], f32>]>>
!symmetric = !weft.packed<?x6x9x9xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<multiply, [], f32>]>>
!filter = !weft.packed<8x6x3x3xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<multiply, [1, 0, 0, 0], f32>]>>
!blocked = !weft.packed<8x6x3x3xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<multiply, [1, 1, 0, 0], f32>]>>
!deep = !weft.packed<8x4096x3x3xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<multiply, [1, 0, 0, 0], f32>]>>
!wide = !weft.packed<1x4096x9x9xf32, #weft.format<elem = #lowp.int<8, signed>,
  scales = [#lowp.scale<multiply, [], f32>]>>

// Codes less their zero point, so that pads are 0 as they were; i32 sums, then both scales.
// CHECK-LABEL: @asymmetric
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x6x9x9xi8>, %[[Z:.*]]: tensor<i8>, %[[S:.*]]: tensor<f32>
// CHECK: %[[W:.*]] = weft.constant <"w"
// CHECK: %[[P:.*]] = weft.assemble %[[X]], %[[Z]] : {{.*}} -> <?x6x9x9xi16
// CHECK: %[[NUMBERS:.*]] = weft.unpack ins(%[[P]]
// CHECK: %[[SUM:.*]] = weft.conv {{.*}} pads = [1, 0, 1, 2] groups = 1 ins(%[[NUMBERS]], %[[W]] : tensor<?x6x9x9xi16>, tensor<8x6x3x3xi8>)
// CHECK-SAME: -> tensor<?x8x9x9xi32>
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[S]],
// CHECK: arith.sitofp
// CHECK: arith.mulf
// CHECK: arith.mulf
// FLOATS-LABEL: @asymmetric
// FLOATS: weft.conv {{.*}} -> tensor<?x8x9x9xf32>
func.func @asymmetric(%x: tensor<?x6x9x9xi8>, %z: tensor<i8>, %s: tensor<f32>, %n: index) -> tensor<?x8x9x9xf32> {
  %w = weft.constant <"w", "", tensor<8x6x3x3xi8>> : tensor<8x6x3x3xi8>
  %t = weft.constant <"t", "", tensor<8x1x1x1xf32>> : tensor<8x1x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%n) : tensor<?x6x9x9xf32>
  %e1 = tensor.empty() : tensor<8x6x3x3xf32>
  %e2 = tensor.empty(%n) : tensor<?x8x9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x8x9x9xf32>) -> tensor<?x8x9x9xf32>
  %p = weft.assemble %x, %z, %s : tensor<?x6x9x9xi8>, tensor<i8>, tensor<f32> -> !activation
  %q = weft.assemble %w, %t : tensor<8x6x3x3xi8>, tensor<8x1x1x1xf32> -> !filter
  %a = weft.unpack ins(%p : !activation) outs(%e0 : tensor<?x6x9x9xf32>) -> tensor<?x6x9x9xf32>
  %b = weft.unpack ins(%q : !filter) outs(%e1 : tensor<8x6x3x3xf32>) -> tensor<8x6x3x3xf32>
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 0, 1, 2] groups = 1
         ins(%a, %b : tensor<?x6x9x9xf32>, tensor<8x6x3x3xf32>) outs(%init : tensor<?x8x9x9xf32>) -> tensor<?x8x9x9xf32>
  return %y : tensor<?x8x9x9xf32>
}

// Signed codes without zero point are taken as they are.
// CHECK-LABEL: @symmetric
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x6x9x9xi8>
// CHECK: weft.conv {{.*}} ins(%[[X]], %{{.*}} : tensor<?x6x9x9xi8>, tensor<8x6x3x3xi8>)
func.func @symmetric(%x: tensor<?x6x9x9xi8>, %s: tensor<f32>, %n: index) -> tensor<?x8x7x7xf32> {
  %w = weft.constant <"w", "", tensor<8x6x3x3xi8>> : tensor<8x6x3x3xi8>
  %t = weft.constant <"t", "", tensor<8x1x1x1xf32>> : tensor<8x1x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%n) : tensor<?x6x9x9xf32>
  %e1 = tensor.empty() : tensor<8x6x3x3xf32>
  %e2 = tensor.empty(%n) : tensor<?x8x7x7xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x8x7x7xf32>) -> tensor<?x8x7x7xf32>
  %p = weft.assemble %x, %s : tensor<?x6x9x9xi8>, tensor<f32> -> !symmetric
  %q = weft.assemble %w, %t : tensor<8x6x3x3xi8>, tensor<8x1x1x1xf32> -> !filter
  %a = weft.unpack ins(%p : !symmetric) outs(%e0 : tensor<?x6x9x9xf32>) -> tensor<?x6x9x9xf32>
  %b = weft.unpack ins(%q : !filter) outs(%e1 : tensor<8x6x3x3xf32>) -> tensor<8x6x3x3xf32>
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
         ins(%a, %b : tensor<?x6x9x9xf32>, tensor<8x6x3x3xf32>) outs(%init : tensor<?x8x7x7xf32>) -> tensor<?x8x7x7xf32>
  return %y : tensor<?x8x7x7xf32>
}

// Scales that vary along channels that are summed stay with the filter.
// CHECK-LABEL: @blocked
// CHECK: weft.conv {{.*}} -> tensor<?x8x7x7xf32>
func.func @blocked(%x: tensor<?x6x9x9xi8>, %s: tensor<f32>, %n: index) -> tensor<?x8x7x7xf32> {
  %w = weft.constant <"w", "", tensor<8x6x3x3xi8>> : tensor<8x6x3x3xi8>
  %t = weft.constant <"t", "", tensor<8x6x1x1xf32>> : tensor<8x6x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%n) : tensor<?x6x9x9xf32>
  %e1 = tensor.empty() : tensor<8x6x3x3xf32>
  %e2 = tensor.empty(%n) : tensor<?x8x7x7xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x8x7x7xf32>) -> tensor<?x8x7x7xf32>
  %p = weft.assemble %x, %s : tensor<?x6x9x9xi8>, tensor<f32> -> !symmetric
  %q = weft.assemble %w, %t : tensor<8x6x3x3xi8>, tensor<8x6x1x1xf32> -> !blocked
  %a = weft.unpack ins(%p : !symmetric) outs(%e0 : tensor<?x6x9x9xf32>) -> tensor<?x6x9x9xf32>
  %b = weft.unpack ins(%q : !blocked) outs(%e1 : tensor<8x6x3x3xf32>) -> tensor<8x6x3x3xf32>
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
         ins(%a, %b : tensor<?x6x9x9xf32>, tensor<8x6x3x3xf32>) outs(%init : tensor<?x8x7x7xf32>) -> tensor<?x8x7x7xf32>
  return %y : tensor<?x8x7x7xf32>
}

// 36864 products of 8-bit integers do not fit into 32 bits.
// CHECK-LABEL: @deep
// CHECK: weft.conv {{.*}} -> tensor<1x8x7x7xf32>
func.func @deep(%x: tensor<1x4096x9x9xi8>, %s: tensor<f32>) -> tensor<1x8x7x7xf32> {
  %w = weft.constant <"w", "", tensor<8x4096x3x3xi8>> : tensor<8x4096x3x3xi8>
  %t = weft.constant <"t", "", tensor<8x1x1x1xf32>> : tensor<8x1x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x4096x9x9xf32>
  %e1 = tensor.empty() : tensor<8x4096x3x3xf32>
  %e2 = tensor.empty() : tensor<1x8x7x7xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x8x7x7xf32>) -> tensor<1x8x7x7xf32>
  %p = weft.assemble %x, %s : tensor<1x4096x9x9xi8>, tensor<f32> -> !wide
  %q = weft.assemble %w, %t : tensor<8x4096x3x3xi8>, tensor<8x1x1x1xf32> -> !deep
  %a = weft.unpack ins(%p : !wide) outs(%e0 : tensor<1x4096x9x9xf32>) -> tensor<1x4096x9x9xf32>
  %b = weft.unpack ins(%q : !deep) outs(%e1 : tensor<8x4096x3x3xf32>) -> tensor<8x4096x3x3xf32>
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 1
         ins(%a, %b : tensor<1x4096x9x9xf32>, tensor<8x4096x3x3xf32>) outs(%init : tensor<1x8x7x7xf32>) -> tensor<1x8x7x7xf32>
  return %y : tensor<1x8x7x7xf32>
}
