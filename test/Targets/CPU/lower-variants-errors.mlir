// RUN: weft-opt %s --weft-cpu-lower-kernels --split-input-file --verify-diagnostics

#v3 = #weft.target<"cpu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, opt_level = 3>
module attributes {weft.variants = [#v3]} {
  // expected-error @+1 {{has no variant for "x86-64-v3"}}
  weft.kernel @a(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    weft.yield
  }
}

// -----

#v3 = #weft.target<"cpu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, opt_level = 3>
module attributes {weft.variants = [#v3]} {
  // expected-error @+1 {{is a variant of 'gone' for "x86-64-v3", and the module has not both}}
  weft.kernel @a(%x: memref<4xf32>, %y: memref<4xf32>) outs 1
      attributes {weft.variant = "x86-64-v3", weft.variant_of = @gone} {
    weft.yield
  }
}

// -----

module {
  weft.kernel @a(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    weft.yield
  }
  // expected-error @+1 {{is a variant of 'a' for "x86-64-v3", and the module has not both}}
  weft.kernel @"a.x86-64-v3"(%x: memref<4xf32>, %y: memref<4xf32>) outs 1
      attributes {weft.variant = "x86-64-v3", weft.variant_of = @a} {
    weft.yield
  }
}

// -----

// expected-error @+1 {{'weft.variants': expected an array of #weft.target}}
module attributes {weft.variants = ["x86-64-v3"]} {
}
