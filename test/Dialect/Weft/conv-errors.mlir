// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @windows(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x7xf32>) -> tensor<1x1x7xf32> {
  // expected-error @+1 {{has an init of extent 7 in spatial dimension 0, expected 6 windows}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x8xf32>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x7xf32>) -> tensor<1x1x7xf32>
  return %y : tensor<1x1x7xf32>
}

// -----

// Pads, stride and dilation count: (10 + 1 + 0 - 5) / 2 + 1.
func.func @all(%x: tensor<1x1x4x10xf32>, %w: tensor<1x1x1x3xf32>, %init: tensor<1x1x4x5xf32>) -> tensor<1x1x4x5xf32> {
  // expected-error @+1 {{has an init of extent 5 in spatial dimension 1, expected 4 windows}}
  %y = weft.conv strides = [1, 2] dilations = [1, 2] pads = [0, 1, 0, 0] groups = 1
    ins(%x, %w : tensor<1x1x4x10xf32>, tensor<1x1x1x3xf32>) outs(%init : tensor<1x1x4x5xf32>) -> tensor<1x1x4x5xf32>
  return %y : tensor<1x1x4x5xf32>
}

// -----

// A window that does not fit has no result, and attributes can be any numbers.
func.func @empty(%x: tensor<1x1x4xf32>, %w: tensor<1x1x9xf32>, %none: tensor<1x1x0xf32>, %init: tensor<1x1x1xf32>) -> tensor<1x1x1xf32> {
  %y = weft.conv strides = [1] dilations = [9223372036854775807] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x4xf32>, tensor<1x1x9xf32>) outs(%none : tensor<1x1x0xf32>) -> tensor<1x1x0xf32>
  // expected-error @+1 {{has an init of extent 1 in spatial dimension 0, expected 0 windows}}
  %z = weft.conv strides = [1] dilations = [9223372036854775807] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x4xf32>, tensor<1x1x9xf32>) outs(%init : tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  return %z : tensor<1x1x1xf32>
}

// -----

// An end below 0 is output padding.
func.func @transposed(%x: tensor<1x4x5xf32>, %w: tensor<4x3x2xf32>, %init: tensor<1x3x11xf32>) -> tensor<1x3x11xf32> {
  %y = weft.conv transposed strides = [2] dilations = [1] pads = [0, -1] groups = 1
    ins(%x, %w : tensor<1x4x5xf32>, tensor<4x3x2xf32>) outs(%init : tensor<1x3x11xf32>) -> tensor<1x3x11xf32>
  return %y : tensor<1x3x11xf32>
}

// -----

func.func @transposed_extent(%x: tensor<1x4x5xf32>, %w: tensor<4x3x2xf32>, %init: tensor<1x3x11xf32>) -> tensor<1x3x11xf32> {
  // expected-error @+1 {{has an init of extent 11 in spatial dimension 0, expected 10 positions}}
  %y = weft.conv transposed strides = [2] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x4x5xf32>, tensor<4x3x2xf32>) outs(%init : tensor<1x3x11xf32>) -> tensor<1x3x11xf32>
  return %y : tensor<1x3x11xf32>
}

// -----

func.func @groups(%x: tensor<1x4x8xf32>, %w: tensor<3x2x3xf32>, %init: tensor<1x3x6xf32>) -> tensor<1x3x6xf32> {
  // expected-error @+1 {{has 3 outputs in 2 groups}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 2
    ins(%x, %w : tensor<1x4x8xf32>, tensor<3x2x3xf32>) outs(%init : tensor<1x3x6xf32>) -> tensor<1x3x6xf32>
  return %y : tensor<1x3x6xf32>
}

// -----

func.func @channels(%x: tensor<1x4x8xf32>, %w: tensor<2x3x3xf32>, %init: tensor<1x2x6xf32>) -> tensor<1x2x6xf32> {
  // expected-error @+1 {{has an input of 4 channels but a filter for 3}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x4x8xf32>, tensor<2x3x3xf32>) outs(%init : tensor<1x2x6xf32>) -> tensor<1x2x6xf32>
  return %y : tensor<1x2x6xf32>
}

// -----

func.func @batch(%x: tensor<2x4x8xf32>, %w: tensor<2x4x3xf32>, %init: tensor<1x2x6xf32>) -> tensor<1x2x6xf32> {
  // expected-error @+1 {{has input and init of different batch}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<2x4x8xf32>, tensor<2x4x3xf32>) outs(%init : tensor<1x2x6xf32>) -> tensor<1x2x6xf32>
  return %y : tensor<1x2x6xf32>
}

// -----

func.func @stride(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x6xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{has stride 0, expected at least 1}}
  %y = weft.conv strides = [0] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x8xf32>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// -----

func.func @attributes(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x6xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{expects 1 strides and dilations and 2 pads}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0] groups = 1
    ins(%x, %w : tensor<1x1x8xf32>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// -----

// Products are sums of the result's type: elements must widen to it.
func.func @widening(%x: tensor<1x1x8xi8>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x6xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{has elements of type 'i8' for a result of 'f32'}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x8xi8>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// -----

func.func @formats(%x: tensor<1x1x8xbf16>, %w: tensor<1x1x3xbf16>, %init: tensor<1x1x6xf16>) -> tensor<1x1x6xf16> {
  // expected-error @+1 {{has elements of type 'bf16' for a result of 'f16'}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x8xbf16>, tensor<1x1x3xbf16>) outs(%init : tensor<1x1x6xf16>) -> tensor<1x1x6xf16>
  return %y : tensor<1x1x6xf16>
}

// -----

func.func @ranks(%x: tensor<1x8xf32>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x6xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{expects input, filter and init of one rank >= 3, got 2, 3 and 3}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x8xf32>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// -----

func.func @result(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x6xf32>) -> tensor<1x1x?xf32> {
  // expected-error @+1 {{result type differs from the init's}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x8xf32>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x?xf32>
  return %y : tensor<1x1x?xf32>
}

// -----

!filter = !weft.packed<1x?x3xf32, #weft.format<elem = #lowp.int<4, signed>>>
func.func @packed(%x: tensor<1x1x8xf32>, %w: !filter, %init: tensor<1x1x6xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{has a packed filter of dynamic extents}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
    ins(%x, %w : tensor<1x1x8xf32>, !filter) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// -----

func.func @groups(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>, %init: tensor<1x1x6xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{has 0 groups, expected at least 1}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 0
    ins(%x, %w : tensor<1x1x8xf32>, tensor<1x1x3xf32>) outs(%init : tensor<1x1x6xf32>) -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// -----

func.func @channels(%x: tensor<1x3x8xf32>, %w: tensor<2x1x3xf32>, %init: tensor<1x2x6xf32>) -> tensor<1x2x6xf32> {
  // expected-error @+1 {{has 3 channels in 2 groups}}
  %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 2
    ins(%x, %w : tensor<1x3x8xf32>, tensor<2x1x3xf32>) outs(%init : tensor<1x2x6xf32>) -> tensor<1x2x6xf32>
  return %y : tensor<1x2x6xf32>
}
