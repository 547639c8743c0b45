// Matrix products of f16 and of bf16.
weft.kernel @halves(%n: index, %x: memref<?x300xf16>, %w: memref<300x200xf16>, %y: memref<?x200xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [16, 16, 16]>} {
  scf.forall (%i, %j) = (0, 0) to (%n, 200) step (64, 64) {
    %r = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 64)>(%i)[%n]
    %c = affine.min affine_map<(d0) -> (-d0 + 200, 64)>(%j)
    %xs = memref.subview %x[%i, 0] [%r, 300] [1, 1] : memref<?x300xf16> to memref<?x300xf16, strided<[300, 1], offset: ?>>
    %ws = memref.subview %w[0, %j] [300, %c] [1, 1] : memref<300x200xf16> to memref<300x?xf16, strided<[200, 1], offset: ?>>
    %ys = memref.subview %y[%i, %j] [%r, %c] [1, 1] : memref<?x200xf32> to memref<?x?xf32, strided<[200, 1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%xs, %ws : memref<?x300xf16, strided<[300, 1], offset: ?>>, memref<300x?xf16, strided<[200, 1], offset: ?>>) outs(%ys : memref<?x?xf32, strided<[200, 1], offset: ?>>) {
    ^bb0(%a: f16, %b: f16, %s: f32):
      %aw = arith.extf %a : f16 to f32
      %bw = arith.extf %b : f16 to f32
      %p = arith.mulf %aw, %bw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}

weft.kernel @brains(%x: memref<64x32xbf16>, %w: memref<32x64xbf16>, %y: memref<64x64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [16, 16, 16]>} {
  scf.forall (%i) in (1) {
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : memref<64x32xbf16>, memref<32x64xbf16>) outs(%y : memref<64x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %s: f32):
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %p = arith.mulf %aw, %bw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}

