// RUN: weft-opt %s --weft-release-memory | FileCheck %s

// What stays in its block is released after its last use, which can be in a loop.
// CHECK-LABEL: func.func @straight
func.func @straight(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[A:.*]] = weft.alloc
  %a = weft.alloc(%n) : memref<?xf32>
  weft.dispatch @k ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  // CHECK: scf.for
  scf.for %i = %c0 to %n step %c1 {
    // CHECK: %[[B:.*]] = weft.alloc
    %b = weft.alloc(%i) : memref<?xf32>
    // CHECK-NEXT: weft.dispatch
    weft.dispatch @k ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
    // CHECK-NEXT: weft.release %[[B]]
  }
  // CHECK-NEXT: }
  // CHECK-NEXT: weft.release %[[A]] : memref<?xf32>
  // CHECK-NEXT: weft.dispatch
  weft.dispatch @k ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// Slots that change places in a loop are released together, after the last use of
// either.
// CHECK-LABEL: func.func @slots
func.func @slots(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: %[[A:.*]] = weft.alloc
  %a = weft.alloc(%n) : memref<?xf32>
  weft.dispatch @k ins(%x : memref<?xf32>) outs(%a : memref<?xf32>)
  // CHECK: %[[B:.*]] = weft.alloc
  %b = weft.alloc(%n) : memref<?xf32>
  // CHECK: %[[R:.*]]:2 = scf.for
  // CHECK-NOT: weft.release
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%s = %a, %t = %b)
      -> (memref<?xf32>, memref<?xf32>) {
    weft.dispatch @k ins(%s : memref<?xf32>) outs(%t : memref<?xf32>)
    scf.yield %t, %s : memref<?xf32>, memref<?xf32>
  }
  // CHECK: weft.dispatch @k ins(%[[R]]#0
  weft.dispatch @k ins(%r#0 : memref<?xf32>) outs(%y : memref<?xf32>)
  // CHECK-NEXT: weft.release %[[A]], %[[B]]
  weft.dispatch @k ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// A state that grows: the iteration's end releases what came in, unless it is what
// the loop started from or is handed on, and nothing after the loop.
// CHECK-LABEL: func.func @growing
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<?xf32>
func.func @growing(%n: index, %c: i1, %x: memref<?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %[[X]])
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%state = %x) -> memref<?xf32> {
    // CHECK: %[[NEXT:.*]] = scf.if
    %next = scf.if %c -> memref<?xf32> {
      // CHECK: weft.alloc
      // CHECK-NOT: weft.release
      %larger = weft.alloc(%i) : memref<?xf32>
      weft.dispatch @k ins(%state : memref<?xf32>) outs(%larger : memref<?xf32>)
      scf.yield %larger : memref<?xf32>
    } else {
      scf.yield %state : memref<?xf32>
    }
    // CHECK: weft.release %[[STATE]] keeping %[[NEXT]], %[[X]]
    // CHECK-NEXT: scf.yield %[[NEXT]]
    scf.yield %next : memref<?xf32>
  }
  // CHECK-NOT: weft.release
  weft.dispatch @k ins(%r : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// What must not be released: memory of others that an iteration can hand on.
// CHECK-LABEL: func.func @views
// CHECK-NOT: weft.release
// CHECK: return
func.func @views(%n: index, %c: i1, %arena: memref<?xi8>, %x: memref<?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%state = %x) -> memref<?xf32> {
    %next = scf.if %c -> memref<?xf32> {
      %v = memref.view %arena[%c0][%n] : memref<?xi8> to memref<?xf32>
      scf.yield %v : memref<?xf32>
    } else {
      %larger = weft.alloc(%i) : memref<?xf32>
      weft.dispatch @k ins(%state : memref<?xf32>) outs(%larger : memref<?xf32>)
      scf.yield %larger : memref<?xf32>
    }
    scf.yield %next : memref<?xf32>
  }
  weft.dispatch @k ins(%r : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

weft.kernel @k(%x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  weft.yield
}
