// All attributes of low-precision formats print as they are read.

// RUN: weft-opt %s | weft-opt | FileCheck %s

// CHECK: @integers(!weft.packed<64xi8, #weft.format<elem = #lowp.int<4, unsigned, offset = 8>>>)
func.func private @integers(!weft.packed<64xi8, #weft.format<elem = #lowp.int<4, unsigned, offset = 8>>>)
// CHECK: @tables(!weft.packed<64xf32, #weft.format<elem = #lowp.table<nf4>>>, !weft.packed<64xf16, #weft.format<elem = #lowp.table<[-1.000000e+00, 5.000000e-01]>>>)
func.func private @tables(!weft.packed<64xf32, #weft.format<elem = #lowp.table<nf4>>>,
                          !weft.packed<64xf16, #weft.format<elem = #lowp.table<[-1.0, 0.5]>>>)
// CHECK: @codebooks(!weft.packed<8x64xf32, #weft.format<elem = #lowp.codebook<8, 4, [], f16>>>, !weft.packed<8x64xf32, #weft.format<elem = #lowp.codebook<3, 1, [1, 0], f32>>>)
func.func private @codebooks(!weft.packed<8x64xf32, #weft.format<elem = #lowp.codebook<8, 4, [], f16>>>,
                             !weft.packed<8x64xf32, #weft.format<elem = #lowp.codebook<3, 1, [1, 0], f32>>>)
// CHECK: @small(!weft.packed<5xf32, #weft.format<elem = #lowp.power<4>>>, !weft.packed<5xi8, #weft.format<elem = #lowp.ternary, pack = #lowp.trits>>, !weft.packed<5xbf16, #weft.format<elem = #lowp.binary>>)
func.func private @small(!weft.packed<5xf32, #weft.format<elem = #lowp.power<4>>>,
                         !weft.packed<5xi8, #weft.format<elem = #lowp.ternary, pack = #lowp.trits>>,
                         !weft.packed<5xbf16, #weft.format<elem = #lowp.binary>>)
// Fields come in any order.
// CHECK: @scales(!weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, scales = [#lowp.scale<zero_point, 8.000000e+00>, #lowp.scale<multiply, [1, 32], f16>, #lowp.scale<offset, [], bf16>]>>)
func.func private @scales(!weft.packed<8x64xf32, #weft.format<scales = [#lowp.scale<zero_point, 8.0>, #lowp.scale<multiply, [1, 32], f16>, #lowp.scale<offset, [], bf16>], elem = #lowp.int<4, unsigned>>>)
// CHECK: @nested(!weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, scales = [#lowp.scale<multiply, [1, 32], #weft.format<elem = #lowp.int<6, unsigned>, scales = [#lowp.scale<multiply, [1, 8], f16>]>>, #lowp.scale<minimum, [64], f16>]>>)
func.func private @nested(!weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, scales = [#lowp.scale<multiply, [1, 32], #weft.format<elem = #lowp.int<6, unsigned>, scales = [#lowp.scale<multiply, [1, 8], f16>]>>, #lowp.scale<minimum, [64], f16>]>>)
// CHECK: @packs(!weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, pack = #lowp.words<axis = 1, word = 32, order = [0, 2, 4, 6, 1, 3, 5, 7]>>>, !weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, pack = #lowp.words<axis = 1, word = 8, multiple = 32>>>, !weft.packed<8x64xf32, #weft.format<elem = #lowp.int<6, signed>, pack = #lowp.planes<[4, 2]>>>)
func.func private @packs(!weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, pack = #lowp.words<axis = 1, word = 32, order = [0, 2, 4, 6, 1, 3, 5, 7]>>>,
                         !weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, unsigned>, pack = #lowp.words<axis = 1, word = 8, multiple = 32>>>,
                         !weft.packed<8x64xf32, #weft.format<elem = #lowp.int<6, signed>, pack = #lowp.planes<[4, 2]>>>)
// CHECK-LABEL: @compute
// CHECK: weft.contract compute = <multiply = bf16, accumulate = f32> indexing_maps
func.func @compute(%x: tensor<4x8xf32>, %w: tensor<8x3xf32>, %init: tensor<4x3xf32>) -> tensor<4x3xf32> {
  %y = weft.contract compute = #weft.compute<multiply = bf16, accumulate = f32>
         indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
         ins(%x, %w : tensor<4x8xf32>, tensor<8x3xf32>) outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}
