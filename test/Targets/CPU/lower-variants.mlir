// The tables of kernels: one for the processor of `weft.target`, one for each of
// the others, in the same order. A kernel is a fallback if one of its variants is,
// and says which.
// RUN: weft-opt %s --weft-cpu-lower-kernels | FileCheck %s

// CHECK: weft.fallback_reasons = {a = "x86-64-v3: it is slow", b = "it is slow"}
// CHECK-SAME: weft.kernels = ["a", "b"]
// CHECK-SAME: weft.variant_kernels = {{\[}}["a.x86-64-v3", "b.x86-64-v3"]]
// CHECK-DAG: llvm.func hidden @a(
// CHECK-DAG: llvm.func hidden @b(
// CHECK-DAG: llvm.func hidden @"a.x86-64-v3"(
// CHECK-DAG: llvm.func hidden @"b.x86-64-v3"(
module attributes {
    weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 3>,
    weft.variants = [#weft.target<"cpu", cpu = "x86-64-v3", features = "+avx2", vector_bits = 256, opt_level = 3>]} {
  weft.kernel @a(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
    weft.yield
  }
  weft.kernel @"b.x86-64-v3"(%x: memref<4xf32>, %y: memref<4xf32>) outs 1
      attributes {weft.variant = "x86-64-v3", weft.variant_of = @b, weft.fallback = "it is slow"} {
    weft.yield
  }
  weft.kernel @"a.x86-64-v3"(%x: memref<4xf32>, %y: memref<4xf32>) outs 1
      attributes {weft.variant = "x86-64-v3", weft.variant_of = @a, weft.fallback = "it is slow"} {
    weft.yield
  }
  weft.kernel @b(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 attributes {weft.fallback = "it is slow"} {
    weft.yield
  }
}
