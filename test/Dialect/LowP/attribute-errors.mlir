// RUN: weft-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{integer elements have 1 to 8 bits, got 9}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<9, signed>>>)

// -----

// expected-error @below {{integer elements have an offset of at most 256, got 300}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<8, signed, offset = 300>>>)

// -----

// expected-error @below {{integers from -328 to -73 are not exact in bf16}}
func.func private @f(!weft.packed<4xbf16, #weft.format<elem = #lowp.int<8, signed, offset = 200>>>)

// -----

// expected-error @below {{power elements have 2 to 8 bits, got 1}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.power<1>>>)

// -----

// expected-error @below {{#lowp.power<6> is not exact in f16}}
func.func private @f(!weft.packed<4xf16, #weft.format<elem = #lowp.power<6>>>)

// -----

// expected-error @below {{#lowp.power<4> is expressed in f16, bf16, f32 or f64, got 'i8'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.power<4>>>)

// -----

// expected-error @below {{packed tensors have integers or floats, got 'index'}}
func.func private @f(!weft.packed<4xindex, #weft.format<elem = #lowp.ternary>>)

// -----

// expected-error @below {{#lowp.ternary is expressed in signless integers of at least 8 bits, f16, bf16, f32 or f64, got 'i4'}}
func.func private @f(!weft.packed<4xi4, #weft.format<elem = #lowp.ternary>>)

// -----

// expected-error @below {{tables have 2, 4, ... or 256 entries, got 3}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.table<[1.0, 2.0, 3.0]>>>)

// -----

// expected-error @below {{expected nf4, fp4, iq4_nl or a list of numbers, got 'nf3'}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.table<nf3>>>)

// -----

// expected-error @below {{codebooks have codes of 1 to 16 bits, got 17}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.codebook<17, 1, [], f16>>>)

// -----

// expected-error @below {{codebooks have 1 to 64 numbers in an entry, got 65}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.codebook<8, 65, [], f16>>>)

// -----

// expected-error @below {{codebooks are stored as f16, bf16, f32 or f64, got 'f8E5M2'}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.codebook<8, 4, [], f8E5M2>>>)

// -----

// expected-error @below {{blocks have 3 extents, the tensor has rank 2}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #lowp.codebook<8, 4, [1, 2, 3], f16>>>)

// -----

// expected-error @below {{blocks have extents of 0 (all) or more, got -2}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #lowp.codebook<8, 4, [1, -2], f16>>>)

// -----

// expected-error @below {{#lowp.codebook<8, 4, [], f16> has 4 numbers in a code, which do not divide the last extent 6}}
func.func private @f(!weft.packed<4x6xf32, #weft.format<elem = #lowp.codebook<8, 4, [], f16>>>)

// -----

// expected-error @below {{#lowp.codebook<8, 4, [], f16> has 4 numbers in a code, but the tensor has rank 0}}
func.func private @f(!weft.packed<f32, #weft.format<elem = #lowp.codebook<8, 4, [], f16>>>)

// -----

// expected-error @below {{expected multiply, zero_point, minimum or offset, got 'divide'}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<divide, 2.0>]>>)

// -----

// expected-error @below {{parameters are stored as f16, bf16, f32, f64 or in a format, got i8}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [], i8>]>>)

// -----

// expected-error @below {{blocks have 3 extents, the tensor has rank 2}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 2, 3], f32>]>>)

// -----

// expected-error @below {{#lowp.scale<multiply, 2.000000e+00> multiplies, but numbers are 'i8'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, 2.0>]>>)

// -----

// expected-error @below {{#lowp.scale<zero_point, 2.500000e+00> is no integer, but numbers are 'i8'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<zero_point, 2.5>]>>)

// -----

// expected-error @below {{#lowp.scale<zero_point, [], f32> has floats, but numbers are 'i8'}}
func.func private @f(!weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<zero_point, [], f32>]>>)

// -----

// expected-error @below {{#lowp.scale<multiply, [], f32, stored> is of the stored numbers, but all are stored}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [], f32, stored>]>>)

// -----

// expected-error @below {{words have 8, 16 or 32 bits, got 12}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.words<axis = 0, word = 12>>>)

// -----

// expected-error @below {{extents are filled up to a multiple of 1 to 2^20 codes, got 0}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.words<axis = 0, word = 8, multiple = 0>>>)

// -----

// expected-error @below {{orders are permutations, got 0 in the wrong place}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.words<axis = 0, word = 8, order = [0, 0]>>>)

// -----

// expected-error @below {{#lowp.words<axis = 1, word = 8> is along dimension 1, but codes have rank 1}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.words<axis = 1, word = 8>>>)

// -----

// expected-error @below {{#lowp.words<axis = 0, word = 8> is too narrow for codes of 12 bits}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.codebook<12, 1, [], f32>, pack = #lowp.words<axis = 0, word = 8>>>)

// -----

// expected-error @below {{#lowp.trits packs codes of 2 bits, got 4}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.trits>>)

// -----

// expected-error @below {{#lowp.planes<[4, 1]> has 5 bits, codes have 4}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.planes<[4, 1]>>>)

// -----

// expected-error @below {{planes have 1 to 8 bits, got 9}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.planes<[9]>>>)

// -----

// expected-error @below {{has no elem}}
func.func private @f(!weft.packed<4xf32, #weft.format<pack = #lowp.trits>>)

// -----

// expected-error @below {{has 'elem' twice}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.binary, elem = #lowp.binary>>)

// -----

// expected-error @below {{expected elem, scales, structure or pack, got 'element'}}
func.func private @f(!weft.packed<4xf32, #weft.format<element = #lowp.binary>>)

// -----

// expected-error @below {{expected an element, got #lowp.trits}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.trits>>)

// -----

// expected-error @below {{expected a scale, got #lowp.trits}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.binary, scales = [#lowp.trits]>>)

// -----

// expected-error @below {{expected a structure, got #lowp.trits}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.binary, structure = #lowp.trits>>)

// -----

// expected-error @below {{expected a pack, got #lowp.binary}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.binary, pack = #lowp.binary>>)

// -----

func.func @parameters(%x: tensor<4x8xf32>) {
  // expected-error @below {{'weft.pack' op has 0 parameters, the format has 1}}
  %p = weft.pack %x : tensor<4x8xf32> -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>]>>
  return
}

// -----

func.func @parameter(%x: tensor<4x8xf32>, %s: tensor<4x2xf32>) {
  // expected-error @below {{'weft.pack' op has parameter 0 of type 'tensor<4x2xf32>', the format has 'tensor<4x1xf32>'}}
  %p = weft.pack %x parameters(%s : tensor<4x2xf32>) : tensor<4x8xf32> -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>]>>
  return
}

// -----

func.func @several(%x: tensor<4x8xf32>, %t: tensor<256x4xf32>) {
  // expected-error @below {{'weft.pack' op #lowp.codebook<8, 4, [], f32> has codes for several numbers, which are searched, not rounded}}
  %p = weft.pack %x parameters(%t : tensor<256x4xf32>) : tensor<4x8xf32> -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.codebook<8, 4, [], f32>>>
  return
}

// -----

func.func @overflow(%x: tensor<4x8xf32>) {
  // expected-error @below {{'weft.pack' op #lowp.table<nf4> has nothing that numbers overflow to}}
  %p = weft.pack %x overflow : tensor<4x8xf32> -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.table<nf4>>>
  return
}

// -----

func.func @rounding(%x: tensor<4x8xf32>) {
  // expected-error @below {{'weft.pack' op #lowp.binary is rounded to the nearest, got up}}
  %p = weft.pack %x round up : tensor<4x8xf32> -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.binary>>
  return
}

// -----

#m = affine_map<(m, n, k) -> (m, k)>
#n = affine_map<(m, n, k) -> (k, n)>
#r = affine_map<(m, n, k) -> (m, n)>
func.func @compute(%x: tensor<4x8xf32>, %w: tensor<8x3xf32>, %init: tensor<4x3xf32>) {
  // expected-error @below {{'weft.contract' op adds in 'f16', which is narrower than the result's 'f32'}}
  %y = weft.contract compute = #weft.compute<multiply = f16, accumulate = f16> indexing_maps = [#m, #n, #r]
         ins(%x, %w : tensor<4x8xf32>, tensor<8x3xf32>) outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

#m = affine_map<(m, n, k) -> (m, k)>
#n = affine_map<(m, n, k) -> (k, n)>
#r = affine_map<(m, n, k) -> (m, n)>
func.func @compute(%x: tensor<4x8xf32>, %w: tensor<8x3xf32>, %init: tensor<4x3xf32>) {
  // expected-error @below {{'weft.contract' op computes in 'i8' for a result of 'f32'}}
  %y = weft.contract compute = #weft.compute<multiply = i8, accumulate = i32> indexing_maps = [#m, #n, #r]
         ins(%x, %w : tensor<4x8xf32>, tensor<8x3xf32>) outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// expected-error @below {{products of 'f32' are not added in 'bf16'}}
func.func private @f() attributes {c = #weft.compute<multiply = f32, accumulate = bf16>}

// -----

// expected-error @below {{contractions compute in f16, bf16, f32, f64 or integers of 8 to 64 bits, got 'index'}}
func.func private @f() attributes {c = #weft.compute<multiply = index, accumulate = f32>}

// -----

func.func @embed(%t: tensor<4x8xf32>, %ids: tensor<3xf32>, %init: tensor<3x8xf32>) {
  // expected-error @below {{'weft.embed' op expects integer ids, got 'tensor<3xf32>'}}
  %y = weft.embed ins(%t, %ids : tensor<4x8xf32>, tensor<3xf32>) outs(%init : tensor<3x8xf32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @embed(%t: tensor<4x8xf32>, %ids: tensor<3xi64>, %init: tensor<3x9xf32>) {
  // expected-error @below {{'weft.embed' op has an init of extent 9 in dimension 1, expected 8}}
  %y = weft.embed ins(%t, %ids : tensor<4x8xf32>, tensor<3xi64>) outs(%init : tensor<3x9xf32>) -> tensor<3x9xf32>
  return
}

// -----

func.func @embed(%t: tensor<4x8xf32>, %ids: tensor<3xi64>, %init: tensor<3xf32>) {
  // expected-error @below {{'weft.embed' op expects an init of rank 2, got 1}}
  %y = weft.embed ins(%t, %ids : tensor<4x8xf32>, tensor<3xi64>) outs(%init : tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @embed(%t: tensor<4x8xf32>, %ids: tensor<3xi64>, %init: tensor<3x8xf16>) {
  // expected-error @below {{'weft.embed' op has numbers of type 'f32' for a result of 'f16'}}
  %y = weft.embed ins(%t, %ids : tensor<4x8xf32>, tensor<3xi64>) outs(%init : tensor<3x8xf16>) -> tensor<3x8xf16>
  return
}

// -----

!table = !weft.packed<?x8xf32, #weft.format<elem = #lowp.int<4, signed>>>
func.func @embed(%t: !table, %ids: tensor<3xi64>, %init: tensor<3x8xf32>) {
  // expected-error @below {{'weft.embed' op has a packed table of dynamic extents}}
  %y = weft.embed ins(%t, %ids : !table, tensor<3xi64>) outs(%init : tensor<3x8xf32>) -> tensor<3x8xf32>
  return
}

// -----

// expected-error @below {{constant parameters are finite}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, 0x7FF0000000000000>]>>)

// -----

// expected-error @below {{tables have finite entries}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.table<[1.0, 1.0e99]>>>)

// -----

// expected-error @below {{orders permute groups of at most 256 codes, got 257}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #lowp.int<4, signed>, pack = #lowp.words<axis = 0, word = 32, order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 180, 181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198, 199, 200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256]>>>)

// -----

// expected-error @below {{codes of 4 numbers do not divide blocks of 6}}
func.func private @f(!weft.packed<4x24xf32, #weft.format<elem = #lowp.codebook<8, 4, [1, 6], f16>>>)
