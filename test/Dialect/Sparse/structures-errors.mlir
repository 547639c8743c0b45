// RUN: weft-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{groups have 2 to 256 numbers, got 1}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.nm<1, 1>>>)

// -----

// expected-error @below {{groups of 4 store 1 to 4 numbers, got 5}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.nm<5, 4>>>)

// -----

// expected-error @below {{#sparse.nm<2, 4, axis = 2> has an axis that a tensor of rank 2 has not}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.nm<2, 4, axis = 2>>>)

// -----

// expected-error @below {{blocks have 1 to 2^20 rows, got 0}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.vnm<0, 2, 8>>>)

// -----

// expected-error @below {{blocks have 4 to 256 columns, got 2}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.vnm<4, 2, 2>>>)

// -----

// expected-error @below {{1 to 4 numbers of 4 are stored, got 5}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.vnm<4, 5, 8>>>)

// -----

// expected-error @below {{#sparse.vnm<4, 2, 8> is of tensors of rank 2 or more, got rank 1}}
func.func private @f(!weft.packed<4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.vnm<4, 2, 8>>>)

// -----

// expected-error @below {{#sparse.bitmap counts at most 2^31 - 1 numbers, the tensor has 4294967296}}
func.func private @f(!weft.packed<65536x65536xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.bitmap>>)

// -----

// expected-error @below {{positions are i8, i16 or i32, got 'i4'}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i4>>>)

// -----

// expected-error @below {{expected 'delta'}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i8, gaps>>>)

// -----

// expected-error @below {{#sparse.csr<i8> has positions below 256, the extent is 257}}
func.func private @f(!weft.packed<4x257xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i8>>>)

// -----

// expected-error @below {{#sparse.csc<i8> has positions below 256, the extent is 257}}
func.func private @f(!weft.packed<257x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csc<i8>>>)

// -----

// expected-error @below {{#sparse.csr<i16> is of a dynamic extent, which needs i32}}
func.func private @f(!weft.packed<4x?xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>)

// -----

// expected-error @below {{#sparse.coo<i8> has positions below 256, the extent is 300}}
func.func private @f(!weft.packed<3x100x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.coo<i8>>>)

// -----

// expected-error @below {{rows store 1 to 2^30 numbers, got 0}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.ell<0, i8>>>)

// -----

// expected-error @below {{#sparse.ell<2, i8> has positions below 255, the extent is 256}}
func.func private @f(!weft.packed<4x256xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.ell<2, i8>>>)

// -----

// expected-error @below {{1 to 2^30 channels are stored, got -1}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.channels<axis = 0, i8, count = -1>>>)

// -----

// expected-error @below {{#sparse.channels<axis = -3, i8> has an axis that a tensor of rank 2 has not}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.channels<axis = -3, i8>>>)

// -----

// expected-error @below {{blocks have extents of 1 to 2^16, got 0}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.block<0, 4, #sparse.bitmap>>>)

// -----

// expected-error @below {{values are f16, bf16, f32, f64, i8, i16, i32 or i64, got 'i4'}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<i4>>>)

// -----

// expected-error @below {{#weft.value<f32> is not exact in 'f16'}}
func.func private @f(!weft.packed<4x4xf16, #weft.format<elem = #weft.value<f32>>>)

// -----

// expected-error @below {{#weft.value<i8> is not exact in 'f32'}}
func.func private @f(!weft.packed<4x4xf32, #weft.format<elem = #weft.value<i8>>>)

// -----

// expected-error @below {{values are f16, bf16, f32, f64, i8, i16, i32 or i64, got 'i1'}}
func.func private @f(!weft.packed<4x4xf32, #weft.dense<i1>>)

// -----

// expected-error @below {{#weft.dense<f16> is not exact in 'bf16'}}
func.func private @f(!weft.packed<4x4xbf16, #weft.dense<f16>>)

// -----

// expected-error @below {{sums have terms}}
func.func private @f(!weft.packed<4x4xf32, #weft.sum<[]>>)

// -----

// expected-error @below {{the rank is between 1 and 2^30, got 0}}
func.func private @f(!weft.packed<4x4xf32, #weft.low_rank<0, #weft.dense, #weft.dense>>)

// -----

// expected-error @below {{#weft.low_rank<1, #weft.dense, #weft.dense> stores matrices, the tensor has rank 1}}
func.func private @f(!weft.packed<4xf32, #weft.low_rank<1, #weft.dense, #weft.dense>>)

// -----

// expected-error @below {{#weft.dense<f64> is not exact in 'f32'}}
func.func private @f(!weft.packed<4x4xf32, #weft.sum<[#weft.dense<f64>]>>)

// -----

// expected-error @below {{an extent of the left factor is between 1 and 2^30, got -1}}
func.func private @f(!weft.packed<4x4xf32, #weft.kron<[2, -1], #weft.dense, #weft.dense>>)

// -----

// expected-error @below {{#weft.kron<[3, 2], #weft.dense, #weft.dense> has 3 parts, which do not divide the extent 4}}
func.func private @f(!weft.packed<4x4xf32, #weft.kron<[3, 2], #weft.dense, #weft.dense>>)

// -----

// expected-error @below {{#weft.butterfly<#weft.dense> stores square matrices of 2, 4, 8, ... rows}}
func.func private @f(!weft.packed<6x6xf32, #weft.butterfly<#weft.dense>>)

// -----

// expected-error @below {{a number of blocks is between 1 and 2^30, got 0}}
func.func private @f(!weft.packed<4x4xf32, #weft.monarch<[0, 2], #weft.dense, #weft.dense>>)

// -----

// expected-error @below {{has 3 parts, which do not divide the extent 4}}
func.func private @f(!weft.packed<6x4xf32, #weft.monarch<[3, 2], #weft.dense, #weft.dense>>)

// -----

// expected-error @below {{#weft.toeplitz<#weft.dense> has no diagonals}}
func.func private @f(!weft.packed<0x0xf32, #weft.toeplitz<#weft.dense>>)

// -----

// expected-error @below {{the extent of a block is between 1 and 2^30, got -2}}
func.func private @f(!weft.packed<4x4xf32, #weft.circulant<block = -2, #weft.dense>>)

// -----

func.func @fitted(%x: tensor<4x4xf32>) {
  // expected-error @below {{'weft.pack' op #weft.toeplitz<#weft.dense> is made of tensors that are fitted, not encoded}}
  %p = weft.pack %x : tensor<4x4xf32> -> !weft.packed<4x4xf32, #weft.toeplitz<#weft.dense>>
  return
}

// -----

func.func @rounding(%x: tensor<4x4xf32>) {
  // expected-error @below {{'weft.pack' op #weft.dense<f16> is rounded to the nearest, got up}}
  %p = weft.pack %x round up : tensor<4x4xf32> -> !weft.packed<4x4xf32, #weft.dense<f16>>
  return
}

// -----

func.func @value_rounding(%x: tensor<4x4xf32>) {
  // expected-error @below {{'weft.pack' op #weft.value<f16> is rounded to the nearest, got down}}
  %p = weft.pack %x round down : tensor<4x4xf32> -> !weft.packed<4x4xf32, #weft.format<elem = #weft.value<f16>>>
  return
}
