// RUN: weft-opt %s --split-input-file --verify-diagnostics

!table = !weft.packed<4x8xf32, #weft.format<elem = #lowp.codebook<3, 1, [], f32>>>
func.func @data(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op cannot find scales for #lowp.codebook<3, 1, [], f32>, whose numbers data decides}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !table
  return
}

// -----

func.func @type(%x: tensor<4x8xi8>) {
  // expected-error @below {{'lowp.quantize' op has numbers of type 'tensor<4x8xi8>', expected floats of the shape and type of}}
  %q = lowp.quantize %x by absmax : tensor<4x8xi8> -> !weft.packed<4x8xi8, #weft.format<elem = #lowp.int<4, signed>>>
  return
}

// -----

func.func @none(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op has no scale to find in #weft.format<elem = #lowp.int<4, signed>>}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>>>
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 0], f32>, #lowp.scale<zero_point, 8.0>]>>
func.func @constant(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op has the constant #lowp.scale<zero_point, 8.000000e+00> after #lowp.scale<multiply, [1, 0], f32>}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !format
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, unsigned>,
  scales = [#lowp.scale<zero_point, [1, 0], f32>, #lowp.scale<multiply, [1, 0], f32>]>>
func.func @shifts(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op by absmax finds scales only, the format has 1 zero points, minima and offsets}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !format
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 0], f32>]>>
func.func @no_shift(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op by min_max finds one zero point, minimum or offset, the format has 0 zero points, minima and offsets}}
  %q = lowp.quantize %x by min_max : tensor<4x8xf32> -> !format
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 3], f32>, #lowp.scale<multiply, [1, 4], f32>]>>
func.func @blocks(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op has #lowp.scale<multiply, [1, 4], f32>, whose blocks do not consist of those of #lowp.scale<multiply, [1, 3], f32>}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !format
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 4], f32>, #lowp.scale<multiply, [], f32>]>>
func.func @mx(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op by mx_floor finds one scale, the format has 2}}
  %q = lowp.quantize %x by mx_floor : tensor<4x8xf32> -> !format
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.table<nf4>,
  scales = [#lowp.scale<multiply, [1, 4], f32>]>>
func.func @mx(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op by mx_even encodes integers and floats, not #lowp.table<nf4>}}
  %q = lowp.quantize %x by mx_even : tensor<4x8xf32> -> !format
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.table<nf4>,
  scales = [#lowp.scale<multiply, [1, 4], f32>]>>
func.func @sums(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op sums integers, not #lowp.table<nf4>}}
  %q, %s = lowp.quantize %x by absmax sums [1, 0] : tensor<4x8xf32> -> !format, tensor<4x1xi32>
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 4], f32>]>>
func.func @sums(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op has sums of type 'tensor<4x2xi32>', expected 'tensor<4x1xi32>'}}
  %q, %s = lowp.quantize %x by absmax sums [1, 0] : tensor<4x8xf32> -> !format, tensor<4x2xi32>
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 4], f32>]>>
func.func @sums(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op sums blocks: blocks have extents of 0 (all) or more, got -1}}
  %q, %s = lowp.quantize %x by absmax sums [1, -1] : tensor<4x8xf32> -> !format, tensor<4x1xi32>
  return
}

// -----

!format = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>,
  scales = [#lowp.scale<multiply, [1, 4], f32>]>>
func.func @no_sums(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op gives sums where their blocks are given, and only there}}
  %q = lowp.quantize %x by absmax sums [1, 0] : tensor<4x8xf32> -> !format
  return
}

// -----

func.func @observe(%x: tensor<4x8xi8>) {
  // expected-error @below {{'lowp.observe' op observes floats, got 'tensor<4x8xi8>'}}
  %0 = lowp.observe min %x blocks [] : tensor<4x8xi8> -> tensor<f32>
  return
}

// -----

func.func @observe(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.observe' op has a result of type 'tensor<4x8xf32>', expected 'tensor<4x2xf32>'}}
  %0 = lowp.observe min %x blocks [1, 4] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @observe(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.observe' op blocks have 3 extents, the tensor has rank 2}}
  %0 = lowp.observe min %x blocks [1, 4, 1] : tensor<4x8xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @histogram(%x: tensor<4xi8>, %low: f32) {
  // expected-error @below {{'lowp.histogram' op counts floats, got 'tensor<4xi8>'}}
  %0 = lowp.histogram %x from %low to %low : tensor<4xi8>, f32 -> tensor<3xi32>
  return
}

// -----

func.func @histogram(%x: tensor<4xf32>, %low: f64) {
  // expected-error @below {{'lowp.histogram' op has bounds of type 'f64', expected 'f32'}}
  %0 = lowp.histogram %x from %low to %low : tensor<4xf32>, f64 -> tensor<3xi32>
  return
}

// -----

func.func @histogram(%x: tensor<4xf32>, %low: f32) {
  // expected-error @below {{'lowp.histogram' op has counts of type 'tensor<?xi32>', expected at least one i32, a static number of them}}
  %0 = lowp.histogram %x from %low to %low : tensor<4xf32>, f32 -> tensor<?xi32>
  return
}

// -----

!stored = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.nm<2, 4>,
  scales = [#lowp.scale<multiply, [1, 0], f32, stored>]>>
func.func @stored(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op finds parameters of all numbers, not of the stored ones as #lowp.scale<multiply, [1, 0], f32, stored>}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !stored
  return
}

// -----

!nested = !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 0], #weft.dense<f16>>]>>
func.func @nested(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op finds parameters stored in #weft.format, not in #weft.dense<f16>}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !nested
  return
}

// -----

!sum = !weft.packed<4x8xf32, #weft.sum<[#weft.format<elem = #lowp.int<4, signed>>, #weft.dense]>>
func.func @composite(%x: tensor<4x8xf32>) {
  // expected-error @below {{'lowp.quantize' op encodes in #weft.format, not in #weft.sum<}}
  %q = lowp.quantize %x by absmax : tensor<4x8xf32> -> !sum
  return
}
