// A chip without a table is refused with the list of those that have one.
// RUN: weft-opt %s --weft-map-to-gpu --weft-nvptx-serialize --verify-diagnostics

// expected-error @below {{unknown chip 'sm_50'; the chips are: sm_120, sm_100a, sm_90a, sm_80}}
module attributes {weft.chips = ["sm_50"]} {
  weft.kernel @copy(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    memref.copy %x, %y : memref<4xf32> to memref<4xf32>
    weft.yield
  }
}
