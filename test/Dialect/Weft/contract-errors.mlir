// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @count(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %b: tensor<5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{expects 4 indexing maps, one for each operand, got 3}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) bias(%b : tensor<5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @loops(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1) -> (d0, d1)>, expected one of 3 loops}}
  %y = weft.contract indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @symbols(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2)[s0] -> (d0, d2)>, expected one of 3 loops}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k)[s] -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @rank(%x: tensor<4xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2) -> (d0, d2)> for an operand of rank 1}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// Sums of loops are what convolutions read by.
func.func @windows(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2) -> (d0 + d2, d1)>, expected a projected permutation}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (m + k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @diagonal(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2) -> (d2, d2)>, expected a projected permutation}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (k, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// Position 0 is that of the only element.
func.func @broadcast(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2) -> (0, d2)>, but dimension 0 of 'tensor<4x8xf32>' is not of extent 1}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (0, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// There may be no element.
func.func @dynamic_broadcast(%x: tensor<?x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2) -> (0, d2)>, but dimension 0 of 'tensor<?x8xf32>' is not of extent 1}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (0, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<?x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @result(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<1x5xf32>) -> tensor<1x5xf32> {
  // expected-error @+1 {{has map affine_map<(d0, d1, d2) -> (0, d1)>, expected loops for the result}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (0, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<1x5xf32>) -> tensor<1x5xf32>
  return %y : tensor<1x5xf32>
}

// -----

func.func @bias(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %b: tensor<8xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has a bias that varies along contracted loop 2}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) bias(%b : tensor<8xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @extents(%x: tensor<4x8xf32>, %w: tensor<7x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has loop 2 of extents 8 and 7}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<7x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @bias_extent(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %b: tensor<6xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has loop 1 of extents 5 and 6}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) bias(%b : tensor<6xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @extent(%x: tensor<4xf32>, %w: tensor<5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has loop 2 whose extent no tensor among its operands has}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4xf32>, tensor<5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// Neither do packed tensors tell theirs.
func.func @packed_extent(%x: tensor<4xf32>, %w: !weft.packed<?x5xf32, #weft.format<elem = #lowp.float<f4E2M1FN>>>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has loop 2 whose extent no tensor among its operands has}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4xf32>, !weft.packed<?x5xf32, #weft.format<elem = #lowp.float<f4E2M1FN>>>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @outer(%x: tensor<4xf32>, %w: tensor<5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{contracts no loop}}
  %y = weft.contract indexing_maps = [affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>]
    ins(%x, %w : tensor<4xf32>, tensor<5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @wider(%x: tensor<4x8xf32>, %w: tensor<8x5xf64>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has elements of type 'f64' for a result of 'f32'}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf64>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @kinds(%x: tensor<4x8xi8>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has elements of type 'i8' for a result of 'f32'}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xi8>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// A packed factor counts by its expressed element type.
func.func @packed_kinds(%x: tensor<4x8xf32>, %w: !weft.packed<8x5xi8, #weft.format<elem = #lowp.int<4, signed>>>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has elements of type 'i8' for a result of 'f32'}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, !weft.packed<8x5xi8, #weft.format<elem = #lowp.int<4, signed>>>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @bias_kinds(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %b: tensor<5xf64>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has elements of type 'f64' for a result of 'f32'}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) bias(%b : tensor<5xf64>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @unsigned(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // expected-error @+1 {{has unsigned factors of type 'f32'}}
  %y = weft.contract unsigned_rhs indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @type(%x: tensor<4x8xf32>, %w: tensor<8x5xf32>, %init: tensor<4x5xf32>) -> tensor<?x5xf32> {
  // expected-error @+1 {{result type differs from the init's}}
  %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<4x8xf32>, tensor<8x5xf32>) outs(%init : tensor<4x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}
