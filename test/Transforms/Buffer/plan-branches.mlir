// RUN: weft-opt %s --weft-plan-memory --split-input-file | FileCheck %s

// Of two branches one runs: their buffers, and their results, share memory. The
// result of the first needs 1024 bytes beside its temporary, that of the second
// 1024 beside one of 4096: 5120 and not 7168.

// CHECK-LABEL: func.func @branches
// CHECK-SAME: weft.arena_bytes = 5120
// CHECK-SAME: weft.arena_lower_bound = 5120
// CHECK-NOT: weft.alloc
func.func @branches(%c: i1, %x: memref<256xf32>, %y: memref<256xf32>) {
  %r = scf.if %c -> memref<256xf32> {
    %t = memref.alloc() : memref<256xf32>
    weft.dispatch @k ins(%x : memref<256xf32>) outs(%t : memref<256xf32>)
    %a = memref.alloc() : memref<256xf32>
    weft.dispatch @k ins(%t : memref<256xf32>) outs(%a : memref<256xf32>)
    scf.yield %a : memref<256xf32>
  } else {
    %t = memref.alloc() : memref<1024xf32>
    weft.dispatch @widen ins(%x : memref<256xf32>) outs(%t : memref<1024xf32>)
    %b = memref.alloc() : memref<256xf32>
    weft.dispatch @narrow ins(%t : memref<1024xf32>) outs(%b : memref<256xf32>)
    scf.yield %b : memref<256xf32>
  }
  weft.dispatch @k ins(%r : memref<256xf32>) outs(%y : memref<256xf32>)
  return
}

weft.kernel @k(%x: memref<256xf32>, %y: memref<256xf32>) outs 1 {
  weft.yield
}
weft.kernel @widen(%x: memref<256xf32>, %y: memref<1024xf32>) outs 1 {
  weft.yield
}
weft.kernel @narrow(%x: memref<1024xf32>, %y: memref<256xf32>) outs 1 {
  weft.yield
}

// -----

// In a loop: the state lives through it all, and the temporaries of an iteration
// follow each other, in branches within branches too. 2048 + 1024.

// CHECK-LABEL: func.func @nested
// CHECK-SAME: weft.arena_bytes = 3072
// CHECK-SAME: weft.arena_lower_bound = 3072
func.func @nested(%c: i1, %d: i1, %n: index, %x: memref<512xf32>, %y: memref<512xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %state = memref.alloc() : memref<512xf32>
  weft.dispatch @k ins(%x : memref<512xf32>) outs(%state : memref<512xf32>)
  scf.for %i = %c0 to %n step %c1 {
    scf.if %c {
      %s = memref.alloc() : memref<256xf32>
      weft.dispatch @part ins(%state : memref<512xf32>) outs(%s : memref<256xf32>)
      weft.dispatch @whole ins(%s : memref<256xf32>) outs(%state : memref<512xf32>)
    } else {
      scf.if %d {
        %s = memref.alloc() : memref<256xf32>
        weft.dispatch @part ins(%state : memref<512xf32>) outs(%s : memref<256xf32>)
        weft.dispatch @whole ins(%s : memref<256xf32>) outs(%state : memref<512xf32>)
      } else {
        %s = memref.alloc() : memref<128xf32>
        weft.dispatch @quarter ins(%state : memref<512xf32>) outs(%s : memref<128xf32>)
      }
    }
    %u = memref.alloc() : memref<256xf32>
    weft.dispatch @part ins(%state : memref<512xf32>) outs(%u : memref<256xf32>)
    weft.dispatch @whole ins(%u : memref<256xf32>) outs(%state : memref<512xf32>)
    %v = memref.alloc() : memref<256xf32>
    weft.dispatch @part ins(%state : memref<512xf32>) outs(%v : memref<256xf32>)
    weft.dispatch @whole ins(%v : memref<256xf32>) outs(%state : memref<512xf32>)
  }
  weft.dispatch @k ins(%state : memref<512xf32>) outs(%y : memref<512xf32>)
  return
}

weft.kernel @k(%x: memref<512xf32>, %y: memref<512xf32>) outs 1 {
  weft.yield
}
weft.kernel @part(%x: memref<512xf32>, %y: memref<256xf32>) outs 1 {
  weft.yield
}
weft.kernel @quarter(%x: memref<512xf32>, %y: memref<128xf32>) outs 1 {
  weft.yield
}
weft.kernel @whole(%x: memref<256xf32>, %y: memref<512xf32>) outs 1 {
  weft.yield
}

// -----

// What must not share: a buffer from before the loop that only its end reads stays
// through all iterations, and two that are alive at once lie beside each other.

// CHECK-LABEL: func.func @kept
// CHECK-SAME: weft.arena_bytes = 3072
func.func @kept(%n: index, %x: memref<256xf32>, %y: memref<256xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %early = memref.alloc() : memref<256xf32>
  weft.dispatch @k ins(%x : memref<256xf32>) outs(%early : memref<256xf32>)
  scf.for %i = %c0 to %n step %c1 {
    weft.dispatch @k ins(%early : memref<256xf32>) outs(%y : memref<256xf32>)
    %s = memref.alloc() : memref<256xf32>
    weft.dispatch @k ins(%y : memref<256xf32>) outs(%s : memref<256xf32>)
    %t = memref.alloc() : memref<256xf32>
    weft.dispatch @k ins(%s : memref<256xf32>) outs(%t : memref<256xf32>)
    weft.dispatch @k ins(%t : memref<256xf32>) outs(%y : memref<256xf32>)
  }
  return
}

weft.kernel @k(%x: memref<256xf32>, %y: memref<256xf32>) outs 1 {
  weft.yield
}

// -----

// Symbolic sizes: the plan is an order. The large buffer lies on the small ones
// of before and after it, which share; with the symbol at 64 that is 1024 + 65536
// bytes, and the size function computes the same for all values.

// CHECK-LABEL: func.func @symbolic
// CHECK-SAME: weft.arena_assumed_extent = 64
// CHECK-SAME: weft.arena_bytes = 66560
// CHECK-SAME: weft.arena_lower_bound = 66560
// CHECK: func.func {{.*}}@symbolic.workspace(%{{.*}}: index, %{{.*}}: index) -> index
func.func @symbolic(%n: index {weft.symbol = "n"}, %x: memref<?x4xf32>, %y: memref<?x4xf32>) {
  %a = memref.alloc(%n) : memref<?x4xf32>
  weft.dispatch @k ins(%x : memref<?x4xf32>) outs(%a : memref<?x4xf32>)
  %b = memref.alloc(%n) : memref<?x256xf32>
  weft.dispatch @widen ins(%a : memref<?x4xf32>) outs(%b : memref<?x256xf32>)
  %c = memref.alloc(%n) : memref<?x4xf32>
  weft.dispatch @narrow ins(%b : memref<?x256xf32>) outs(%c : memref<?x4xf32>)
  weft.dispatch @k ins(%c : memref<?x4xf32>) outs(%y : memref<?x4xf32>)
  return
}

weft.kernel @k(%x: memref<?x4xf32>, %y: memref<?x4xf32>) outs 1 {
  weft.yield
}
weft.kernel @widen(%x: memref<?x4xf32>, %y: memref<?x256xf32>) outs 1 {
  weft.yield
}
weft.kernel @narrow(%x: memref<?x256xf32>, %y: memref<?x4xf32>) outs 1 {
  weft.yield
}
