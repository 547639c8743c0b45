// RUN: weft-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{integer elements have 1 to 8 bits, got 9}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<9, signed>>>)

// -----

// expected-error @below {{expected 'signed' or 'unsigned', got 'maybe'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<4, maybe>>>)

// -----

// expected-error @below {{float elements have at most 8 bits, got 'f16'}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.float<f16>>>)

// -----

// expected-error @below {{expected a format, got 7}}
func.func private @f(!weft.packed<4xf32, 7>)

// -----

// expected-error @below {{packed tensors have integers or floats, got 'index'}}
func.func private @f(!weft.packed<4xindex, #weft.format<elem = #lowp.int<4, signed>>>)

// -----

// expected-error @below {{integers are expressed in signless integers of at least 8 bits, f16, bf16, f32 or f64, got 'i4'}}
func.func private @f(!weft.packed<4xi4, #weft.format<elem = #lowp.int<4, signed>>>)

// -----

// expected-error @below {{'f8E8M0FNU' is expressed in bf16, f32 or f64, got 'f16'}}
func.func private @f(!weft.packed<4xf16, #weft.format<elem = #lowp.float<f8E8M0FNU>>>)

// -----

// expected-error @below {{'f8E5M2' is expressed in f16, bf16, f32 or f64, got 'i8'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.float<f8E5M2>>>)

// -----

// expected-error @below {{packed tensors have fewer than 2^60 elements}}
func.func private @f(!weft.packed<4294967296x4294967296xi8, #weft.format<elem = #lowp.int<4, signed>>>)

// -----

func.func @components(%x: tensor<8xi8>) {
  // expected-error @below {{'weft.assemble' op has 2 components, the format has 1}}
  %p = weft.assemble %x, %x : tensor<8xi8>, tensor<8xi8> -> !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
  return
}

// -----

func.func @component(%x: tensor<7xi8>) {
  // expected-error @below {{'weft.assemble' op has component 0 of type 'tensor<7xi8>', the format has 'tensor<8xi8>'}}
  %p = weft.assemble %x : tensor<7xi8> -> !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
  return
}

// -----

func.func @parts(%p: !weft.packed<3x5xf32, #weft.format<elem = #lowp.float<f8E5M2>>>) {
  // expected-error @below {{'weft.disassemble' op has component 0 of type 'tensor<15xi8>', the format has 'tensor<3x5xi8>'}}
  %x = weft.disassemble %p : !weft.packed<3x5xf32, #weft.format<elem = #lowp.float<f8E5M2>>> -> tensor<15xi8>
  return
}

// -----

func.func @numbers(%p: !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>, %init: tensor<3x5xf32>) {
  // expected-error @below {{'weft.unpack' op has numbers of type 'tensor<3x5xf32>', expected 'tensor<3x5xi8>'}}
  %y = weft.unpack ins(%p : !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>) outs(%init : tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @shape(%x: tensor<5x3xi8>) {
  // expected-error @below {{'weft.pack' op has numbers of type 'tensor<5x3xi8>', expected 'tensor<3x5xi8>'}}
  %p = weft.pack %x : tensor<5x3xi8> -> !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
  return
}

// -----

func.func @rounding(%x: tensor<4xi8>) {
  // expected-error @below {{'weft.pack' op integers are rounded to the nearest, got up}}
  %p = weft.pack %x round up : tensor<4xi8> -> !weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>>>
  return
}

// -----

func.func @rounding(%x: tensor<4xf32>) {
  // expected-error @below {{'weft.pack' op 'f8E5M2' is rounded to the nearest, got down}}
  %p = weft.pack %x round down : tensor<4xf32> -> !weft.packed<4xf32, #weft.format<elem = #lowp.float<f8E5M2>>>
  return
}

// -----

func.func @result(%p: !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>, %init: tensor<3x5xi8>) {
  // expected-error @below {{'weft.unpack' op has a result of type 'tensor<3x?xi8>' and an init of type 'tensor<3x5xi8>'}}
  %y = weft.unpack ins(%p : !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>) outs(%init : tensor<3x5xi8>) -> tensor<3x?xi8>
  return
}

// -----

!a = !weft.packed<4x64xf32, #weft.format<elem = #lowp.int<4, signed>>>
!b = !weft.packed<4x32xf32, #weft.format<elem = #lowp.int<4, signed>>>
func.func @f(%a: !a) -> !b {
  // expected-error @below {{has an operand of 'tensor<4x64xf32>' and a result of 'tensor<4x32xf32>'}}
  %b = weft.repack %a : !a -> !b
  return %b : !b
}

// -----

!a = !weft.packed<?x64xf32, #weft.format<elem = #lowp.int<4, signed>>>
!b = !weft.packed<?x64xf32, #weft.format<elem = #lowp.int<8, signed>>>
func.func @f(%a: !a) -> !b {
  // expected-error @below {{has 0 sizes for 1 dynamic extents}}
  %b = weft.repack %a : !a -> !b
  return %b : !b
}

// -----

!a = !weft.packed<4x64xf32, #weft.format<elem = #lowp.int<4, signed>>>
!b = !weft.packed<4x64xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 1, #lowp.hadamard<64, "s">>>
func.func @f(%a: !a) -> !b {
  // expected-error @below {{changes the basis along dimension 1, which is no matter of the format}}
  %b = weft.repack %a : !a -> !b
  return %b : !b
}

// -----

!a = !weft.packed<4x64xf32, #weft.format<elem = #lowp.int<4, signed>>>
!b = !weft.packed<4x64xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 32], f32>]>>
func.func @f(%a: !a) -> !b {
  // expected-error @below {{has no parameters, and its operand no component 'scale' of 'tensor<4x2xf32>'}}
  %b = weft.repack %a : !a -> !b
  return %b : !b
}

// -----

!a = !weft.packed<4x64xf32, #weft.format<elem = #lowp.int<4, signed>>>
!b = !weft.packed<4x64xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 32], f32>]>>
func.func @f(%a: !a, %s: tensor<4x2xf16>) -> !b {
  // expected-error @below {{has parameter 0 of type 'tensor<4x2xf16>', the format has 'tensor<4x2xf32>'}}
  %b = weft.repack %a parameters(%s : tensor<4x2xf16>) : !a -> !b
  return %b : !b
}

// -----

// expected-error @below {{has the term #lowp.in_basis<#weft.dense, 1, #lowp.hadamard<4>>, whose numbers are transformed}}
func.func private @f(!weft.packed<4x4xf32, #weft.sum<[#lowp.in_basis<#weft.dense, 1, #lowp.hadamard<4>>, #weft.dense]>>)

// -----

// expected-error @below {{#lowp.scale<multiply, [1, 2], f16, stored> is of the stored numbers, but comes after #lowp.scale<multiply, [], f32>, which is of all}}
func.func private @f(!weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.nm<2, 4>,
  scales = [#lowp.scale<multiply, [], f32>, #lowp.scale<multiply, [1, 2], f16, stored>]>>)

// -----

func.func @embed(%t: tensor<f32>, %ids: tensor<3xi64>, %init: tensor<3xf32>) {
  // expected-error @below {{'weft.embed' op expects a table of rank >= 1, got 0}}
  %y = weft.embed ins(%t, %ids : tensor<f32>, tensor<3xi64>) outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

!w = !weft.packed<100x64xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 1, #lowp.hadamard<64, "s">>>
func.func @embed(%t: !w, %ids: tensor<3xi64>, %init: tensor<3x64xf32>) -> tensor<3x64xf32> {
  // expected-error @below {{has an operand in basis #lowp.hadamard<64, "s"> along dimension 1, which it does not undo}}
  %y = weft.embed ins(%t, %ids : !w, tensor<3xi64>) outs(%init : tensor<3x64xf32>) -> tensor<3x64xf32>
  return %y : tensor<3x64xf32>
}

// -----

// expected-error @below {{integers from -200 to -185 do not fit in 'i8'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<4, unsigned, offset = 200>>>)

// -----

// expected-error @below {{is beyond 2^53, but numbers are 'i32'}}
func.func private @f(!weft.packed<4xi32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<zero_point, 1.0e300>]>>)
