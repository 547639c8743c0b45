// RUN: weft-opt %s --split-input-file --verify-diagnostics

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
!w = !weft.packed<5x128xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 1, #lowp.hadamard<64>>>
func.func @forgotten(%x: tensor<3x128xf32>, %w: !w, %init: tensor<3x5xf32>) {
  // expected-error @below {{'weft.contract' op contracts loop 2 of factors in basis none and #lowp.hadamard<64>}}
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<3x128xf32>, !w)
         outs(%init : tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}

// -----

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
!x = !weft.packed<3x128xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<8, signed>>, 1, #lowp.permutation<"q">>>
!w = !weft.packed<5x128xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 1, #lowp.permutation<"p">>>
func.func @other(%x: !x, %w: !w, %init: tensor<3x5xf32>) {
  // expected-error @below {{'weft.contract' op contracts loop 2 of factors in basis #lowp.permutation<"q"> and #lowp.permutation<"p">}}
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : !x, !w)
         outs(%init : tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}

// -----

// expected-error @below {{failed to parse LowP_InBasisAttr parameter 'basis'}}
// expected-error @below {{no Hadamard matrix of size 9 is known; sizes are powers of two, also times 12, 20, 28, 36, 44 or 60}}
func.func @size(%p: !weft.packed<9xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<8, signed>>, 0, #lowp.hadamard<9>>>) {
  return
}

// -----

// expected-error @below {{is in a basis along dimension 1, but has rank 1}}
func.func @axis(%p: !weft.packed<8xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<8, signed>>, 1, #lowp.hadamard<8>>>) {
  return
}

// -----

// expected-error @below {{the extent along the axis is no static multiple of 8}}
func.func @extent(%p: !weft.packed<?xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<8, signed>>, 0, #lowp.hadamard<8>>>) {
  return
}

// -----

// expected-error @below {{expected a permutation, diagonal, Hadamard matrix or several, got 7 : i64}}
func.func @basis(%p: !weft.packed<8xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<8, signed>>, 0, 7>>) {
  return
}

// -----

// expected-error @below {{several bases are at least 2, got 1}}
func.func private @bases() attributes {a = #lowp.bases<[#lowp.hadamard<8>]>}

// -----

// expected-error @below {{expected bases that are not composed, got #lowp.bases}}
func.func private @bases() attributes {a = #lowp.bases<[#lowp.hadamard<8>, #lowp.bases<[#lowp.hadamard<8>, #lowp.hadamard<4>]>]>}

// -----

func.func @type(%x: tensor<8xi8>) {
  // expected-error @below {{'lowp.rotate' op rotates floats, got 'tensor<8xi8>'}}
  %y = lowp.rotate %x by #lowp.hadamard<8> along 0 : tensor<8xi8>
  return
}

// -----

func.func @dimension(%x: tensor<8xf32>) {
  // expected-error @below {{'lowp.rotate' op rotates along dimension 1 of 'tensor<8xf32>'}}
  %y = lowp.rotate %x by #lowp.hadamard<8> along 1 : tensor<8xf32>
  return
}

// -----

func.func @rotate_basis(%x: tensor<8xf32>) {
  // expected-error @below {{'lowp.rotate' op expected a permutation, diagonal, Hadamard matrix or several, got "h"}}
  %y = lowp.rotate %x by "h" along 0 : tensor<8xf32>
  return
}

// -----

func.func @multiple(%x: tensor<12xf32>) {
  // expected-error @below {{'lowp.rotate' op the extent along the axis is no static multiple of 8}}
  %y = lowp.rotate %x by #lowp.hadamard<8> along 0 : tensor<12xf32>
  return
}

// -----

func.func @count(%x: tensor<8xf32>) {
  // expected-error @below {{'lowp.rotate' op has 0 parameters, #lowp.diagonal<"d"> has 1}}
  %y = lowp.rotate %x by #lowp.diagonal<"d"> along 0 : tensor<8xf32>
  return
}

// -----

func.func @parameter(%x: tensor<8xf32>, %d: tensor<7xf32>) {
  // expected-error @below {{'lowp.rotate' op has parameters of type 'tensor<7xf32>' for #lowp.diagonal<"d">, expected one float for each position along the axis}}
  %y = lowp.rotate %x by #lowp.diagonal<"d"> along 0 (%d : tensor<7xf32>) : tensor<8xf32>
  return
}

// -----

func.func @indices(%x: tensor<8xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{'lowp.rotate' op has parameters of type 'tensor<8xf32>' for #lowp.permutation<"p">, expected one i32 or i64 for each position along the axis}}
  %y = lowp.rotate %x by #lowp.permutation<"p"> along 0 (%d : tensor<8xf32>) : tensor<8xf32>
  return
}
