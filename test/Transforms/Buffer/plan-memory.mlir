// RUN: weft-opt %s --weft-plan-memory | FileCheck %s

// A chain of three buffers needs room for two: the first is dead where the third
// begins. No allocation of known lifetime is left.

// CHECK-LABEL: func.func @main
// CHECK-SAME: weft.arena_bytes = 2048
// CHECK-SAME: weft.arena_lower_bound = 2048
// CHECK-NOT: memref.alloc
// CHECK: weft.arena
// CHECK-NOT: memref.alloc
// CHECK: return
func.func @main(%x: memref<256xf32>, %y: memref<256xf32>) {
  %a = memref.alloc() {alignment = 64 : i64} : memref<256xf32>
  weft.dispatch @k ins(%x : memref<256xf32>) outs(%a : memref<256xf32>)
  %b = memref.alloc() {alignment = 64 : i64} : memref<256xf32>
  weft.dispatch @k ins(%a : memref<256xf32>) outs(%b : memref<256xf32>)
  %c = memref.alloc() {alignment = 64 : i64} : memref<256xf32>
  weft.dispatch @k ins(%b : memref<256xf32>) outs(%c : memref<256xf32>)
  weft.dispatch @k ins(%c : memref<256xf32>) outs(%y : memref<256xf32>)
  return
}
// CHECK: func.func {{.*}}@main.workspace

weft.kernel @k(%x: memref<256xf32>, %y: memref<256xf32>) outs 1 {
  memref.copy %x, %y : memref<256xf32> to memref<256xf32>
  weft.yield
}
