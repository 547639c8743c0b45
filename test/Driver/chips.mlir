// The chips of devices: known ones, of a target that has some.
// RUN: not weft compile %s --target=nvptx --chip=sm_90a,sm_50 -o %t.so 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: --chip=sm_90a,sm_50: unknown chip 'sm_50'; the chips are: sm_120, sm_100a, sm_90a, sm_80
// RUN: not weft compile %s --chip=sm_90a -o %t.so 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: --chip=sm_90a: the target 'cpu' has no chips to choose from
// RUN: not weft compile %s --target=amdgpu --chip= -o %t.so 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: --chip=: expected the name of a chip of the target's devices
// RUN: weft compile %s --target=amdgpu --chip=gfx942,gfx1100,gfx942 --compile-to=target -o - | FileCheck %s
// CHECK: weft.chips = ["gfx942", "gfx1100"]
// CHECK: gpu.binary
// CHECK-SAME: chip = "gfx942"
// CHECK-SAME: chip = "gfx1100"
// RUN: weft compile %s --target=amdgpu --chip=gfx942 --compile-to=fuse -o %t.mlir
// RUN: not weft compile %t.mlir --target=amdgpu --chip=gfx1100 --compile-to=tile -o - 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: was made for other chips than --chip=gfx1100, which cannot be changed
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %init = tensor.empty() : tensor<4xf32>
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%init : tensor<4xf32>)
    (%a: f32, %b: f32) {
      %c = arith.addf %a, %a : f32
      linalg.yield %c : f32
    }
  return %y : tensor<4xf32>
}
