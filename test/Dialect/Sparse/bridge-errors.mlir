// RUN: weft-opt %s --split-input-file --verify-diagnostics

!p = !weft.packed<3x4xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i8, delta>>>
func.func @delta(%p: !p) -> tensor<3x4xf32> {
  // expected-error @below {{'sparse.to_sparse_tensor' op is of matrices of known extents in csr, csc or coo without differences, got '!weft.packed<}}
  %s = sparse.to_sparse_tensor %p : !p -> tensor<3x4xf32>
  return %s : tensor<3x4xf32>
}

// -----

#CSR = #sparse_tensor.encoding<{map = (d0, d1) -> (d0 : dense, d1 : compressed)}>
!p = !weft.packed<3x4xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
func.func @widths(%p: !p) -> tensor<3x4xf32, #CSR> {
  // expected-error @below {{'sparse.to_sparse_tensor' op has a tensor of type 'tensor<3x4xf32, #sparse_tensor.encoding<}}
  %s = sparse.to_sparse_tensor %p : !p -> tensor<3x4xf32, #CSR>
  return %s : tensor<3x4xf32, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>
!p = !weft.packed<3x4xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
func.func @codes(%s: tensor<3x4xf32, #CSR>) -> !p {
  // expected-error @below {{'sparse.from_sparse_tensor' op makes numbers as they are, without scales and packing, got '!weft.packed<}}
  %p = sparse.from_sparse_tensor %s : tensor<3x4xf32, #CSR> -> !p
  return %p : !p
}
