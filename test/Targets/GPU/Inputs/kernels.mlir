#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#strided = strided<[64, 1], offset: ?>

memref.global "private" constant @table : memref<4xi64> = dense<[1, 2, 3, 4]> {alignment = 64 : i64}

// Functions that GPUs have instructions for, a remainder, and conversions.
weft.kernel @functions(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  linalg.map ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
    (%a: f32, %b: f32) {
      %1 = math.sqrt %a : f32
      %2 = math.floor %1 : f32
      %3 = math.roundeven %a : f32
      %30 = arith.addf %2, %3 : f32
      %4 = math.absf %30 : f32
      %5 = math.fma %4, %a, %a : f32
      %6 = arith.remf %5, %a : f32
      %7 = math.copysign %6, %a : f32
      %8 = arith.truncf %7 : f32 to f16
      %9 = arith.mulf %8, %8 : f16
      %10 = arith.extf %9 : f16 to f32
      %11 = arith.maximumf %10, %a : f32
      linalg.yield %11 : f32
    }
  weft.yield
}

// Workgroup memory and barriers.
weft.kernel @sums(%n: index, %x: memref<?x64xf32>, %y: memref<?x64xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    %from = memref.subview %x[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<1x64xf32, #strided>
    %to = memref.subview %y[%i, 0] [1, 64] [1, 1] : memref<?x64xf32> to memref<1x64xf32, #strided>
    %sum = memref.alloca() : memref<1xf32>
    linalg.fill ins(%zero : f32) outs(%sum : memref<1xf32>)
    linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
        ins(%from : memref<1x64xf32, #strided>) outs(%sum : memref<1xf32>) {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      linalg.yield %c : f32
    }
    linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
        ins(%from, %sum : memref<1x64xf32, #strided>, memref<1xf32>) outs(%to : memref<1x64xf32, #strided>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %d = arith.divf %a, %b : f32
      linalg.yield %d : f32
    }
  }
  weft.yield
}

// Private memory, a constant, and division of integers.
weft.kernel @scan(%n: index, %x: memref<?x64xi64>, %y: memref<?x64xi64>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0 : i64
  %table = memref.get_global @table : memref<4xi64>
  scf.forall (%i) in (%n) {
    %local = memref.alloca() : memref<4xi64>
    scf.for %j = %c0 to %c64 step %c1 {
      %k = arith.remui %j, %c4 : index
      %a = memref.load %x[%i, %j] : memref<?x64xi64>
      %d = memref.load %table[%k] : memref<4xi64>
      %q = arith.divsi %a, %d : i64
      memref.store %q, %local[%k] : memref<4xi64>
      %b = memref.load %local[%c1] : memref<4xi64>
      memref.store %b, %y[%i, %j] : memref<?x64xi64>
    }
  }
  weft.yield
}
