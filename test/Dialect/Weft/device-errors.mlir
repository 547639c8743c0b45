// Each message about buffers in memory of the device.
// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @shapes(%x: memref<4xf32>, %y: memref<5xf32, #weft.device>) {
  // expected-error @+1 {{'weft.transfer' op copies 'memref<4xf32>' to 'memref<5xf32, #weft.device>', expected equal shapes}}
  weft.transfer %x to %y value "x" bytes "16" reason "a test" : memref<4xf32> to memref<5xf32, #weft.device>
  return
}

// -----

func.func @host(%x: memref<4xf32>, %y: memref<4xf32>) {
  // expected-error @+1 {{'weft.transfer' op has neither side in memory of the device}}
  weft.transfer %x to %y value "x" bytes "16" reason "a test" : memref<4xf32> to memref<4xf32>
  return
}

// -----

weft.kernel @k(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  weft.yield
}
func.func @mixed(%x: memref<4xf32>, %y: memref<4xf32, #weft.device>) {
  // expected-error @+1 {{'weft.dispatch' op has buffers in memory of the host and of the device}}
  weft.dispatch @k ins(%x : memref<4xf32>) outs(%y : memref<4xf32, #weft.device>)
  return
}

// -----

weft.kernel @k(%x: memref<4xf32>, %y: memref<5xf32>) outs 1 {
  weft.yield
}
func.func @extents(%x: memref<4xf32, #weft.device>, %y: memref<4xf32, #weft.device>) {
  // expected-error @+1 {{'weft.dispatch' op operand 1 is 'memref<4xf32, #weft.device>', kernel @k takes 'memref<5xf32>'}}
  weft.dispatch @k ins(%x : memref<4xf32, #weft.device>) outs(%y : memref<4xf32, #weft.device>)
  return
}
