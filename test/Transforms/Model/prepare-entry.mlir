// RUN: weft-opt %s --split-input-file --weft-prepare-entry | FileCheck %s

// CHECK-LABEL: func.func @names(
// CHECK-SAME: %{{.*}}: index {weft.symbol = "input0.0"}, %{{.*}}: index {weft.symbol = "n"},
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32> {weft.dims = ["input0.0", 8], weft.name = "input0"},
// CHECK-SAME: tensor<?x3xi32> {weft.dims = ["n", 3], weft.name = "ids"})
// CHECK-SAME: -> (tensor<?x8xf32> {weft.name = "output0"}, tensor<?x3xi32> {weft.name = "y"})
func.func @names(%x: tensor<?x8xf32>, %ids: tensor<?x3xi32> {weft.name = "ids", weft.dims = ["n", 3]})
    -> (tensor<?x8xf32>, tensor<?x3xi32> {weft.name = "y"}) {
  return %x, %ids : tensor<?x8xf32>, tensor<?x3xi32>
}

// -----

// What is complete stays.
// CHECK-LABEL: func.func @complete(
// CHECK-SAME: %{{[^,]*}}: index {weft.range = array<i64: 1, 9>, weft.symbol = "n"},
// CHECK-SAME: %{{[^,]*}}: tensor<?xf32> {weft.dims = ["n"], weft.name = "x"}) -> (tensor<?xf32> {weft.name = "y"})
func.func @complete(%n: index {weft.symbol = "n", weft.range = array<i64: 1, 9>},
                    %x: tensor<?xf32> {weft.dims = ["n"], weft.name = "x"})
    -> (tensor<?xf32> {weft.name = "y"}) {
  return %x : tensor<?xf32>
}

// -----

!p = !weft.packed<?x64xf32, #weft.format<elem = #lowp.int<4, signed>,
                                        scales = [#lowp.scale<multiply, [1, 32], f32>]>>

// The extent that a component has as it is keeps its name; the bytes have one of their own.
// CHECK-LABEL: func.func @packed(
// CHECK-SAME: index {weft.symbol = "w.codes.0"}, %{{.*}}: index {weft.symbol = "n"},
// CHECK-SAME: %[[CODES:.*]]: tensor<?xi8> {weft.dims = ["w.codes.0"], weft.name = "w.codes"},
// CHECK-SAME: %[[SCALE:.*]]: tensor<?x2xf32> {weft.dims = ["n", 2], weft.name = "w.scale"})
// CHECK-SAME: -> (tensor<?xi8> {weft.name = "output0.codes"}, tensor<?x2xf32> {weft.name = "output0.scale"})
// CHECK: %[[P:.*]] = weft.assemble %[[CODES]], %[[SCALE]]
// CHECK: %[[R:.*]]:2 = weft.disassemble %[[P]]
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @packed(%w: !p {weft.name = "w", weft.dims = ["n", 64]}) -> !p {
  return %w : !p
}

// -----

// CHECK-LABEL: func.func @bitcast
// CHECK: %[[BITS:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<?x3xf32>) outs(%{{.*}} : tensor<?x3xi32>)
// CHECK: arith.bitcast %{{.*}} : f32 to i32
// CHECK-NOT: tensor.bitcast
// CHECK: return %[[BITS]]
func.func @bitcast(%x: tensor<?x3xf32>) -> tensor<?x3xi32> {
  %y = tensor.bitcast %x : tensor<?x3xf32> to tensor<?x3xi32>
  return %y : tensor<?x3xi32>
}
