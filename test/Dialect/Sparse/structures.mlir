// RUN: weft-opt %s | weft-opt | FileCheck %s

// Structures are printed as they are written, and combine with every element, scale and
// packing.

// CHECK: #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.nm<2, 4>>
func.func private @nm(!weft.packed<8x30xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.nm<2, 4>>>)
// CHECK: #sparse.nm<6, 8, axis = 0>
func.func private @nm_axis(!weft.packed<8x30xf32, #weft.format<elem = #weft.value<f16>, structure = #sparse.nm<6, 8, axis = 0>>>)
// CHECK: #sparse.vnm<64, 2, 8>
func.func private @vnm(!weft.packed<128x30xf32, #weft.format<elem = #weft.value<f16>, structure = #sparse.vnm<64, 2, 8>>>)
// CHECK: #sparse.bitmap>
func.func private @bitmap(!weft.packed<128x?xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.bitmap>>)
// CHECK: #sparse.csr<i16>
func.func private @csr(!weft.packed<128x30xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>)
// CHECK: #sparse.csr<i8, delta>
func.func private @delta(!weft.packed<?x?xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i8, delta>>>)
// CHECK: #sparse.csc<i32>
func.func private @csc(!weft.packed<?x?xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csc<i32>>>)
// CHECK: #sparse.csc<i16, delta>
func.func private @csc_delta(!weft.packed<?x?xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csc<i16, delta>>>)
// CHECK: #sparse.coo<i16>
func.func private @coo(!weft.packed<3x4x5xbf16, #weft.format<elem = #weft.value<bf16>, structure = #sparse.coo<i16>>>)
// CHECK: #sparse.ell<3, i16>
func.func private @ell(!weft.packed<?x64xf32, #weft.format<elem = #lowp.ternary, structure = #sparse.ell<3, i16>>>)
// CHECK: #sparse.channels<axis = 1, i32, count = 5>
func.func private @channels(!weft.packed<4x?xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.channels<axis = 1, i32, count = 5>>>)
// CHECK: #sparse.channels<axis = -1, i16>
func.func private @channels_data(!weft.packed<4x9xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.channels<axis = -1, i16>>>)
// CHECK: #sparse.block<4, 1, #sparse.csr<i16>>
func.func private @block(!weft.packed<4x9xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.block<4, 1, #sparse.csr<i16>>>>)
// CHECK: scales = [#lowp.scale<multiply, [1, 0], f32>, #lowp.scale<zero_point, 3.000000e+00>], structure = #sparse.nm<2, 4>, pack = #lowp.words<axis = 1, word = 32>
func.func private @all(!weft.packed<8x32xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>, #lowp.scale<zero_point, 3.0>], structure = #sparse.nm<2, 4>, pack = #lowp.words<axis = 1, word = 32>>>)

// Components: codes, then those of the structure.

// CHECK-LABEL: @components_nm
func.func @components_nm(%codes: tensor<64xi8>, %indices: tensor<32xi8>) {
  // CHECK: tensor<64xi8>, tensor<32xi8>
  %p = weft.assemble %codes, %indices : tensor<64xi8>, tensor<32xi8>
    -> !weft.packed<8x30xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.nm<2, 4>>>
  return
}

// CHECK-LABEL: @components_csr
func.func @components_csr(%codes: tensor<?xi32>, %offsets: tensor<7xi32>, %columns: tensor<9xi16>) {
  %p = weft.assemble %codes, %offsets, %columns : tensor<?xi32>, tensor<7xi32>, tensor<9xi16>
    -> !weft.packed<2x3x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
  return
}

// CHECK-LABEL: @components_bitmap
func.func @components_bitmap(%codes: tensor<?xi8>, %words: tensor<3x2xi64>, %offsets: tensor<3x2xi32>) {
  %p = weft.assemble %codes, %words, %offsets : tensor<?xi8>, tensor<3x2xi64>, tensor<3x2xi32>
    -> !weft.packed<3x65xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.bitmap>>
  return
}

// CHECK-LABEL: @components_block
func.func @components_block(%codes: tensor<?x4x16xi16>, %offsets: tensor<4xi32>, %columns: tensor<?xi8>) {
  %p = weft.assemble %codes, %offsets, %columns : tensor<?x4x16xi16>, tensor<4xi32>, tensor<?xi8>
    -> !weft.packed<9x65xf32, #weft.format<elem = #weft.value<f16>, structure = #sparse.block<4, 16, #sparse.csr<i8>>>>
  return
}

// Scales of what is stored have its shape.

// CHECK-LABEL: @components_stored_scale
func.func @components_stored_scale(%codes: tensor<?x4x16xi8>, %offsets: tensor<4xi32>, %columns: tensor<?xi8>, %scale: tensor<?x1x1xf16>) {
  %p = weft.assemble %codes, %offsets, %columns, %scale : tensor<?x4x16xi8>, tensor<4xi32>, tensor<?xi8>, tensor<?x1x1xf16>
    -> !weft.packed<9x65xf32, #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [1, 0, 0], f16, stored>], structure = #sparse.block<4, 16, #sparse.csr<i8>>>>
  return
}

// Formats made of formats.

// CHECK: #weft.dense>
func.func private @dense(!weft.packed<4x?xi32, #weft.dense>)
// CHECK: #weft.dense<f16>>
func.func private @dense_narrow(!weft.packed<4x?xf32, #weft.dense<f16>>)
// CHECK: #weft.sum<[#weft.dense, #weft.low_rank<2, #weft.dense<f16>, #weft.dense>]>
func.func private @sum(!weft.packed<4x?xf32, #weft.sum<[#weft.dense, #weft.low_rank<2, #weft.dense<f16>, #weft.dense>]>>)
// CHECK: #weft.kron<[2, 3], #weft.dense, #weft.dense>
func.func private @kron(!weft.packed<4x9xf32, #weft.kron<[2, 3], #weft.dense, #weft.dense>>)
// CHECK: #weft.butterfly<#weft.dense>
func.func private @butterfly(!weft.packed<8x8xf32, #weft.butterfly<#weft.dense>>)
// CHECK: #weft.monarch<[4, 2], #weft.dense, #weft.dense>
func.func private @monarch(!weft.packed<6x8xf32, #weft.monarch<[4, 2], #weft.dense, #weft.dense>>)
// CHECK: #weft.toeplitz<#weft.dense>
func.func private @toeplitz(!weft.packed<6x8xf32, #weft.toeplitz<#weft.dense>>)
// CHECK: #weft.circulant<#weft.dense>
func.func private @circulant(!weft.packed<6x6xf32, #weft.circulant<#weft.dense>>)
// CHECK: #weft.circulant<block = 4, #weft.dense>
func.func private @circulant_blocks(!weft.packed<6x9xf32, #weft.circulant<block = 4, #weft.dense>>)

// Data of the terms is counted apart.

// CHECK-LABEL: @components_sum
func.func @components_sum(%a: tensor<8xi8>, %b: tensor<5xi16>, %rows: tensor<5xi8>, %columns: tensor<5xi8>,
                          %c: tensor<2xi16>, %rows2: tensor<2xi8>, %columns2: tensor<2xi8>) {
  %p = weft.assemble %a, %b, %rows, %columns, %c, %rows2, %columns2
    : tensor<8xi8>, tensor<5xi16>, tensor<5xi8>, tensor<5xi8>, tensor<2xi16>, tensor<2xi8>, tensor<2xi8>
    -> !weft.packed<3x5xf32, #weft.sum<[#weft.format<elem = #lowp.int<4, signed>>,
                                        #weft.format<elem = #weft.value<f16>, structure = #sparse.coo<i8>>,
                                        #weft.format<elem = #weft.value<f16>, structure = #sparse.coo<i8>>]>>
  return
}
