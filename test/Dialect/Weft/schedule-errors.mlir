// Each message about the numbers of a schedule.

// RUN: weft-opt %s --split-input-file --verify-diagnostics

// The least, and the most.
weft.kernel @k(%y: tensor<4xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 16777216] reduction = [4] vector = [64, 256, 64] cost = 7>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a tile size of -8, expected 0 to 16777216}}
    attributes {schedule = #weft.schedule<parallel = [-8, 16]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a tile size of 9223372036854775807, expected 0 to 16777216}}
    attributes {schedule = #weft.schedule<parallel = [9223372036854775807, 1]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a tile size of 16777217, expected 0 to 16777216}}
    attributes {schedule = #weft.schedule<parallel = [0] reduction = [16777217]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a negative cost}}
    attributes {schedule = #weft.schedule<parallel = [8] cost = -1>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile that is not [rows, columns, lanes] with columns a multiple of lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile that is not [rows, columns, lanes] with columns a multiple of lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 0, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile that is not [rows, columns, lanes] with columns a multiple of lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [0, 16, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile that is not [rows, columns, lanes] with columns a multiple of lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16, 0]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile that is not [rows, columns, lanes] with columns a multiple of lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [-6, 16, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile that is not [rows, columns, lanes] with columns a multiple of lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 12, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile of 6 x 2147483648 vectors, expected at most 256}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 17179869184, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile of 257 x 1 vectors, expected at most 256}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [257, 8, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile of 9223372036854775807 x 2 vectors}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [9223372036854775807, 2, 1]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile of 128 lanes, expected at most 64}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [1, 128, 128]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has tiles for few rows, but none for many}}
    attributes {schedule = #weft.schedule<parallel = [0] few = [1, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has tiles for few rows that are not pairs of rows and columns}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16, 8] few = [1]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a tile for few rows of 0 rows, expected 1 or more}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16, 8] few = [0, 8]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a tile for few rows of 1 x 12, expected columns that are a multiple of 8 lanes}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16, 8] few = [1, 12]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has tiles for few rows that do not ascend}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16, 8] few = [2, 8, 2, 16]>} {
  weft.yield %y : tensor<4xf32>
}

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1
    // expected-error @+1 {{has a register tile of 200 x 2 vectors, expected at most 256}}
    attributes {schedule = #weft.schedule<parallel = [0] vector = [6, 16, 8] few = [200, 16]>} {
  weft.yield %y : tensor<4xf32>
}
