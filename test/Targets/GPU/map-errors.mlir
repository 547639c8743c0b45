// RUN: weft-opt %s --weft-map-to-gpu --split-input-file --verify-diagnostics

// expected-error @below {{has an argument that is not contiguous}}
weft.kernel @strided(%x: memref<4x4xf32, strided<[8, 1]>>, %y: memref<4x4xf32>) outs 1 {
  weft.yield
}

// -----

weft.kernel @atomic(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  // expected-error @below {{is not known to be safe for all threads of a block to run}}
  %old = memref.atomic_rmw addf %one, %y[%c0] : (f32, memref<4xf32>) -> f32
  weft.yield
}

// -----

weft.kernel @sized(%n: index, %y: memref<?xf32>) outs 1 {
  scf.forall (%i) in (%n) {
    // expected-error @below {{has a size that is not known when a thread starts}}
    %local = memref.alloca(%n) : memref<?xf32>
    %a = memref.load %local[%i] : memref<?xf32>
    memref.store %a, %y[%i] : memref<?xf32>
  }
  weft.yield
}
