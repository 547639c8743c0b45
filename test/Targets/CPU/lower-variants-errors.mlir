// RUN: weft-opt %s --weft-cpu-lower-kernels --verify-diagnostics

module attributes {
    weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 3>,
    weft.variants = [#weft.target<"cpu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, opt_level = 3>]} {
  // expected-error @+1 {{has no variant for "x86-64-v3"}}
  weft.kernel @a(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    weft.yield
  }
}
