// An element of a plugin is a field of formats like any other.

// RUN: weft-opt --load-plugin=%posit %s | FileCheck %s
// RUN: weft-opt --load-plugin=%posit %s | weft-opt --load-plugin=%posit | FileCheck %s
// RUN: not weft-opt %s 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: #posit.element

// CHECK-LABEL: func.func @unpack
// CHECK: !weft.packed<4x64xf32, #weft.format<elem = #posit.element<8, 1>, scales = [#lowp.scale<multiply, [1, 32], f16>], structure = #sparse.nm<2, 4>>>
func.func @unpack(%packed: !weft.packed<4x64xf32, #weft.format<elem = #posit.element<8, 1>,
    scales = [#lowp.scale<multiply, [1, 32], f16>], structure = #sparse.nm<2, 4>>>) -> tensor<4x64xf32> {
  %empty = tensor.empty() : tensor<4x64xf32>
  %numbers = weft.unpack ins(%packed : !weft.packed<4x64xf32, #weft.format<elem = #posit.element<8, 1>,
    scales = [#lowp.scale<multiply, [1, 32], f16>], structure = #sparse.nm<2, 4>>>) outs(%empty : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %numbers : tensor<4x64xf32>
}
