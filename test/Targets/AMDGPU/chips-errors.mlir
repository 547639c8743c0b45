// RUN: weft-opt %s --weft-map-to-gpu --weft-amdgpu-serialize --verify-diagnostics

// expected-error @below {{unknown chip 'gfx906'; the chips are: gfx950, gfx942, gfx90a, gfx1201, gfx1100}}
module attributes {weft.chips = ["gfx942", "gfx906"]} {
  weft.kernel @copy(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    memref.copy %x, %y : memref<4xf32> to memref<4xf32>
    weft.yield
  }
}
