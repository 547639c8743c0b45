// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @rank(%x: tensor<8x16xf32>, %init: tensor<1x1x8x16xf32>, %q: index) -> tensor<1x1x8x16xf32> {
  // expected-error @+1 {{expects an input of rank >= 3, got 2}}
  %y = weft.im2col kernel = [] strides = [] dilations = [] pads = [] offset(%q) extents()
       ins(%x : tensor<8x16xf32>) outs(%init : tensor<1x1x8x16xf32>) -> tensor<1x1x8x16xf32>
  return %y : tensor<1x1x8x16xf32>
}

// -----

func.func @result_rank(%x: tensor<1x8x16xf32>, %init: tensor<1x8x16xf32>, %q: index) -> tensor<1x8x16xf32> {
  // expected-error @+1 {{expects an init of rank 4, got 3}}
  %y = weft.im2col kernel = [1] strides = [1] dilations = [1] pads = [0, 0] offset(%q) extents(%q)
       ins(%x : tensor<1x8x16xf32>) outs(%init : tensor<1x8x16xf32>) -> tensor<1x8x16xf32>
  return %y : tensor<1x8x16xf32>
}

// -----

func.func @count(%x: tensor<1x8x16xf32>, %init: tensor<1x1x8x16xf32>, %q: index) -> tensor<1x1x8x16xf32> {
  // expected-error @+1 {{expects 1 kernel extents, strides, dilations and output extents and 2 pads}}
  %y = weft.im2col kernel = [1] strides = [1] dilations = [1] pads = [0] offset(%q) extents(%q)
       ins(%x : tensor<1x8x16xf32>) outs(%init : tensor<1x1x8x16xf32>) -> tensor<1x1x8x16xf32>
  return %y : tensor<1x1x8x16xf32>
}

// -----

func.func @stride(%x: tensor<1x8x16xf32>, %init: tensor<1x1x8x16xf32>, %q: index) -> tensor<1x1x8x16xf32> {
  // expected-error @+1 {{expects kernel extents that are not negative, and positive strides and dilations}}
  %y = weft.im2col kernel = [1] strides = [0] dilations = [1] pads = [0, 0] offset(%q) extents(%q)
       ins(%x : tensor<1x8x16xf32>) outs(%init : tensor<1x1x8x16xf32>) -> tensor<1x1x8x16xf32>
  return %y : tensor<1x1x8x16xf32>
}

// -----

func.func @size(%x: tensor<1x8x16x16xf32>, %init: tensor<1x1x8x16xf32>, %q: index) -> tensor<1x1x8x16xf32> {
  // expected-error @+1 {{has a kernel that is too large}}
  %y = weft.im2col kernel = [9223372036854775807, 4] strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] offset(%q) extents(%q, %q)
       ins(%x : tensor<1x8x16x16xf32>) outs(%init : tensor<1x1x8x16xf32>) -> tensor<1x1x8x16xf32>
  return %y : tensor<1x1x8x16xf32>
}

// -----

func.func @element(%x: tensor<1x8x16xf32>, %init: tensor<1x1x8x16xf64>, %q: index) -> tensor<1x1x8x16xf64> {
  // expected-error @+1 {{input, init and result differ in type}}
  %y = weft.im2col kernel = [1] strides = [1] dilations = [1] pads = [0, 0] offset(%q) extents(%q)
       ins(%x : tensor<1x8x16xf32>) outs(%init : tensor<1x1x8x16xf64>) -> tensor<1x1x8x16xf64>
  return %y : tensor<1x1x8x16xf64>
}

// -----

func.func @batch(%x: tensor<2x8x16xf32>, %init: tensor<1x1x8x16xf32>, %q: index) -> tensor<1x1x8x16xf32> {
  // expected-error @+1 {{has input and init of different batch}}
  %y = weft.im2col kernel = [1] strides = [1] dilations = [1] pads = [0, 0] offset(%q) extents(%q)
       ins(%x : tensor<2x8x16xf32>) outs(%init : tensor<1x1x8x16xf32>) -> tensor<1x1x8x16xf32>
  return %y : tensor<1x1x8x16xf32>
}

// -----

func.func @rows(%x: tensor<1x8x16xf32>, %init: tensor<1x2x8x16xf32>, %q: index) -> tensor<1x2x8x16xf32> {
  // expected-error @+1 {{has 8 channels and a kernel of 3 positions, but an init of 2 x 8 rows}}
  %y = weft.im2col kernel = [3] strides = [1] dilations = [1] pads = [0, 0] offset(%q) extents(%q)
       ins(%x : tensor<1x8x16xf32>) outs(%init : tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32>
  return %y : tensor<1x2x8x16xf32>
}
