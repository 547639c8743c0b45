// Each kernel gets a copy for each further processor, beside it; dispatches keep
// naming the kernel. What has its variants already stays.

// RUN: weft-opt %s --split-input-file --weft-clone-variants | FileCheck %s
// RUN: weft-opt %s --split-input-file --weft-clone-variants --weft-clone-variants | FileCheck %s

// CHECK: weft.dispatch @copy ins
// CHECK-NOT: weft.kernel
// CHECK: weft.kernel @copy({{.*}}) outs 1 {
// CHECK: weft.kernel @copy.haswell({{.*}}) outs 1
// CHECK-SAME: attributes {weft.variant = "haswell", weft.variant_of = @copy}
// CHECK-NEXT: weft.yield
// CHECK: weft.kernel @"copy.x86-64-v2"({{.*}}) outs 1
// CHECK-SAME: attributes {weft.variant = "x86-64-v2", weft.variant_of = @copy}
// CHECK: weft.kernel @other({{.*}}) outs 1 {
// CHECK: weft.kernel @other.haswell(
// CHECK: weft.kernel @"other.x86-64-v2"(
// CHECK-NOT: weft.kernel
module attributes {
    weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 3>,
    weft.variants = [#weft.target<"cpu", cpu = "haswell", features = "+avx2", vector_bits = 256, opt_level = 3>,
                     #weft.target<"cpu", cpu = "x86-64-v2", features = "+sse4.2", vector_bits = 128, opt_level = 3>]} {
  func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    %0 = weft.dispatch @copy ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
  weft.kernel @copy(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
    weft.yield %x : tensor<4xf32>
  }
  weft.kernel @other(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
    weft.yield %out : tensor<4xf32>
  }
}

// -----

// One processor: nothing to do.

// CHECK: weft.kernel @alone
// CHECK-NOT: weft.kernel
module attributes {
    weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 3>} {
  weft.kernel @alone(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
    weft.yield %x : tensor<4xf32>
  }
}
