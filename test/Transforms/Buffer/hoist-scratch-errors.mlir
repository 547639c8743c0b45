// RUN: weft-opt %s --weft-hoist-scratch --verify-diagnostics

// The host cannot know a size that the kernel reads from memory.
weft.kernel @k(%x: memref<4xindex>, %y: memref<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %n = memref.load %x[%c0] : memref<4xindex>
  // expected-error @+1 {{in kernel 'k' has a size that the host cannot bound}}
  %t = memref.alloc(%n) : memref<?xf32>
  %f = memref.load %t[%c0] : memref<?xf32>
  memref.store %f, %y[%c0] : memref<4xf32>
  weft.yield
}
