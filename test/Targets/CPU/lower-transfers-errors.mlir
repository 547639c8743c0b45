// Modules for the CPU alone have no device.
// RUN: weft-opt %s --weft-plan-memory --weft-cpu-lower-host --verify-diagnostics

// expected-error @+1 {{'llvm.func' op has buffers on a device, but no kernel runs there}}
func.func @upload(%x: memref<8xi64>) {
  %y = memref.alloc() : memref<8xi64, #weft.device>
  weft.transfer %x to %y value "x" bytes "64" reason "an input that device kernels read"
      : memref<8xi64> to memref<8xi64, #weft.device>
  return
}
