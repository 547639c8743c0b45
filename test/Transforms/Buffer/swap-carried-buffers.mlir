// RUN: weft-opt %s --pass-pipeline='builtin.module(func.func(weft-swap-carried-buffers),weft.kernel(weft-swap-carried-buffers))' \
// RUN:   | FileCheck %s

// A state that no iteration can compute in place has two slots; what the iteration
// allocated is allocated once.
// CHECK-LABEL: func.func @two_slots
// CHECK: %[[A:.*]] = memref.alloc() : memref<8xf32>
// CHECK: memref.copy %arg1, %[[A]]
// CHECK: %[[B:.*]] = memref.alloc() : memref<8xf32>
// CHECK: %[[R:.*]]:2 = scf.for {{.*}} iter_args(%[[NEXT:.*]] = %[[B]], %[[STATE:.*]] = %[[A]])
// CHECK-NOT: memref.alloc
// CHECK:   weft.dispatch @k ins(%[[STATE]] : {{.*}}) outs(%[[NEXT]]
// CHECK-NOT: memref.copy
// CHECK:   scf.yield %[[STATE]], %[[NEXT]]
// CHECK: memref.copy %[[R]]#1, %arg2
func.func @two_slots(%n: index, %x: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<8xf32>
  memref.copy %x, %a : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %b = memref.alloc() : memref<8xf32>
    weft.dispatch @k ins(%a : memref<8xf32>) outs(%b : memref<8xf32>)
    memref.copy %b, %a : memref<8xf32> to memref<8xf32>
  }
  memref.copy %a, %y : memref<8xf32> to memref<8xf32>
  return
}

// The condition of a loop sees the slot that holds the value. The extent is that of
// the other slot, since what the iteration computes is not known before the loop.
// CHECK-LABEL: func.func @condition
// CHECK: %[[A:.*]] = memref.alloc(%arg0)
// CHECK: %[[B:.*]] = memref.alloc(%arg0)
// CHECK: %[[R:.*]]:2 = scf.while (%[[NEXT:.*]] = %[[B]], %[[STATE:.*]] = %[[A]])
// CHECK:   memref.load %[[STATE]]
// CHECK:   scf.condition({{.*}}) %[[NEXT]], %[[STATE]]
// CHECK: ^bb0(%[[NEXT1:.*]]: memref<?xf32>, %[[STATE1:.*]]: memref<?xf32>):
// CHECK:   weft.dispatch @d ins(%[[STATE1]] {{.*}} outs(%[[NEXT1]]
// CHECK-NOT: memref.copy
// CHECK:   scf.yield %[[STATE1]], %[[NEXT1]]
// CHECK: weft.dispatch @d ins(%[[R]]#1
func.func @condition(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %a = memref.alloc(%n) : memref<?xf32>
  memref.copy %x, %a : memref<?xf32> to memref<?xf32>
  scf.while : () -> () {
    %first = memref.load %a[%c0] : memref<?xf32>
    %more = arith.cmpf ogt, %first, %zero : f32
    scf.condition(%more)
  } do {
    %extent = memref.dim %a, %c0 : memref<?xf32>
    %b = memref.alloc(%extent) : memref<?xf32>
    weft.dispatch @d ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
    memref.copy %b, %a : memref<?xf32> to memref<?xf32>
    scf.yield
  }
  weft.dispatch @d ins(%a : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// (a, b) = (b, f(a, b)): three buffers rotate.
// CHECK-LABEL: func.func @rotation
// CHECK: scf.for {{.*}} iter_args(%[[B:.*]] = %{{.*}}, %[[A:.*]] = %{{.*}}, %[[T:.*]] = %{{.*}})
// CHECK:   weft.dispatch @k2 ins(%[[A]], %[[B]] : {{.*}}) outs(%[[T]]
// CHECK-NOT: memref.copy
// CHECK:   scf.yield %[[T]], %[[B]], %[[A]]
func.func @rotation(%n: index, %x: memref<8xf32>, %y: memref<8xf32>, %z: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<8xf32>
  memref.copy %x, %a : memref<8xf32> to memref<8xf32>
  memref.copy %x, %b : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = memref.alloc() : memref<8xf32>
    weft.dispatch @k2 ins(%a, %b : memref<8xf32>, memref<8xf32>) outs(%t : memref<8xf32>)
    memref.copy %b, %a : memref<8xf32> to memref<8xf32>
    memref.copy %t, %b : memref<8xf32> to memref<8xf32>
  }
  memref.copy %a, %y : memref<8xf32> to memref<8xf32>
  memref.copy %b, %z : memref<8xf32> to memref<8xf32>
  return
}

// (a, b) = (b, a) needs no third buffer.
// CHECK-LABEL: func.func @exchange
// CHECK: scf.for {{.*}} iter_args(%[[P:.*]] = %{{.*}}, %[[Q:.*]] = %{{.*}}) -> (memref<8xf32>, memref<8xf32>)
// CHECK-NOT: memref.copy
// CHECK:   scf.yield %[[Q]], %[[P]]
func.func @exchange(%n: index, %x: memref<8xf32>, %y: memref<8xf32>, %z: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<8xf32>
  memref.copy %x, %a : memref<8xf32> to memref<8xf32>
  weft.dispatch @k ins(%x : memref<8xf32>) outs(%b : memref<8xf32>)
  scf.for %i = %c0 to %n step %c1 {
    %t = memref.alloc() : memref<8xf32>
    memref.copy %b, %t : memref<8xf32> to memref<8xf32>
    memref.copy %a, %b : memref<8xf32> to memref<8xf32>
    memref.copy %t, %a : memref<8xf32> to memref<8xf32>
  }
  memref.copy %a, %y : memref<8xf32> to memref<8xf32>
  memref.copy %b, %z : memref<8xf32> to memref<8xf32>
  return
}

// One value for two states is copied once, and becomes the other one.
// CHECK-LABEL: func.func @twice
// CHECK: scf.for {{.*}} iter_args(%[[T:.*]] = %{{.*}}, %[[B:.*]] = %[[SECOND:.*]])
// CHECK:   weft.dispatch @k2 ins(%[[FIRST:.*]], %[[B]] : {{.*}}) outs(%[[T]]
// CHECK:   memref.copy %[[T]], %[[FIRST]]
// CHECK-NOT: memref.copy
// CHECK:   scf.yield %[[B]], %[[T]]
func.func @twice(%n: index, %x: memref<8xf32>, %y: memref<8xf32>, %z: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<8xf32>
  memref.copy %x, %a : memref<8xf32> to memref<8xf32>
  memref.copy %x, %b : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = memref.alloc() : memref<8xf32>
    weft.dispatch @k2 ins(%a, %b : memref<8xf32>, memref<8xf32>) outs(%t : memref<8xf32>)
    memref.copy %t, %a : memref<8xf32> to memref<8xf32>
    memref.copy %t, %b : memref<8xf32> to memref<8xf32>
  }
  memref.copy %a, %y : memref<8xf32> to memref<8xf32>
  memref.copy %b, %z : memref<8xf32> to memref<8xf32>
  return
}

// What has to stay a copy: the source is read afterwards, the state is reached by a
// view from outside of the loop, or by one that was made before the copy, the source is
// handed on by the loop itself, and it is there for iterations to come.
// CHECK-LABEL: func.func @kept
// CHECK: scf.for
// CHECK:   memref.copy
// CHECK: scf.for
// CHECK:   memref.copy
// CHECK: scf.for
// CHECK:   memref.copy
// CHECK: scf.for
// CHECK:   memref.copy
// CHECK: scf.for
// CHECK:   memref.copy
func.func @kept(%n: index, %x: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<8xf32>
  memref.copy %x, %a : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = memref.alloc() : memref<8xf32>
    weft.dispatch @k ins(%a : memref<8xf32>) outs(%t : memref<8xf32>)
    memref.copy %t, %a : memref<8xf32> to memref<8xf32>
    weft.dispatch @k ins(%t : memref<8xf32>) outs(%y : memref<8xf32>)
  }
  %b = memref.alloc() : memref<8xf32>
  %view = memref.expand_shape %b [[0, 1]] output_shape [4, 2] : memref<8xf32> into memref<4x2xf32>
  memref.copy %x, %b : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = memref.alloc() : memref<8xf32>
    weft.dispatch @v ins(%view : memref<4x2xf32>) outs(%t : memref<8xf32>)
    memref.copy %t, %b : memref<8xf32> to memref<8xf32>
  }
  %c = memref.alloc() : memref<8xf32>
  memref.copy %b, %c : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    %t = memref.alloc() : memref<8xf32>
    %inner = memref.expand_shape %c [[0, 1]] output_shape [4, 2] : memref<8xf32> into memref<4x2xf32>
    weft.dispatch @k ins(%c : memref<8xf32>) outs(%t : memref<8xf32>)
    memref.copy %t, %c : memref<8xf32> to memref<8xf32>
    weft.dispatch @v ins(%inner : memref<4x2xf32>) outs(%y : memref<8xf32>)
  }
  %d = memref.alloc() : memref<8xf32>
  memref.copy %c, %d : memref<8xf32> to memref<8xf32>
  %last = scf.for %i = %c0 to %n step %c1 iter_args(%s = %x) -> memref<8xf32> {
    %t = memref.alloc() : memref<8xf32>
    weft.dispatch @k2 ins(%d, %s : memref<8xf32>, memref<8xf32>) outs(%t : memref<8xf32>)
    memref.copy %t, %d : memref<8xf32> to memref<8xf32>
    scf.yield %t : memref<8xf32>
  }
  %e = memref.alloc() : memref<8xf32>
  memref.copy %last, %e : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %n step %c1 {
    weft.dispatch @k ins(%d : memref<8xf32>) outs(%e : memref<8xf32>)
    memref.copy %e, %d : memref<8xf32> to memref<8xf32>
  }
  weft.dispatch @k2 ins(%d, %e : memref<8xf32>, memref<8xf32>) outs(%y : memref<8xf32>)
  return
}

// The slot of the loop around gets the last value once.
// CHECK-LABEL: func.func @nested
// CHECK: %[[A:.*]] = memref.alloc
// CHECK: scf.for
// CHECK:   %[[R:.*]]:2 = scf.for
// CHECK-NOT: memref.copy
// CHECK:     scf.yield
// CHECK:   memref.copy %[[R]]#1, %[[A]]
func.func @nested(%n: index, %x: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<8xf32>
  memref.copy %x, %a : memref<8xf32> to memref<8xf32>
  scf.for %j = %c0 to %n step %c1 {
    scf.for %i = %c0 to %n step %c1 {
      %t = memref.alloc() : memref<8xf32>
      weft.dispatch @k ins(%a : memref<8xf32>) outs(%t : memref<8xf32>)
      memref.copy %t, %a : memref<8xf32> to memref<8xf32>
    }
  }
  memref.copy %a, %y : memref<8xf32> to memref<8xf32>
  return
}

// A kernel's out argument gets the last value once.
// CHECK-LABEL: weft.kernel @k(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<8xf32>, %[[Y:[a-z0-9]+]]: memref<8xf32>
// CHECK: %[[R:.*]]:2 = scf.for
// CHECK-NOT: linalg.copy
// CHECK:   scf.yield
// CHECK: memref.copy %[[R]]#1, %[[Y]]
weft.kernel @k(%x: memref<8xf32>, %y: memref<8xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  memref.copy %x, %y : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %c3 step %c1 {
    %t = memref.alloc() : memref<8xf32>
    linalg.generic {indexing_maps = [affine_map<(d0) -> (7 - d0)>, affine_map<(d0) -> (d0)>],
                    iterator_types = ["parallel"]}
        ins(%y : memref<8xf32>) outs(%t : memref<8xf32>) {
    ^bb0(%e: f32, %o: f32):
      linalg.yield %e : f32
    }
    linalg.copy ins(%t : memref<8xf32>) outs(%y : memref<8xf32>)
  }
  weft.yield
}

// A parallel loop finds memory only where it is always the same.
// CHECK-LABEL: weft.kernel @parallel
// CHECK: scf.for
// CHECK:   linalg.copy
weft.kernel @parallel(%x: memref<8xf32>, %y: memref<8xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  memref.copy %x, %y : memref<8xf32> to memref<8xf32>
  scf.for %i = %c0 to %c3 step %c1 {
    %t = memref.alloc() : memref<8xf32>
    scf.forall (%j) in (8) {
      %e = memref.load %y[%j] : memref<8xf32>
      memref.store %e, %t[%j] : memref<8xf32>
    }
    linalg.copy ins(%t : memref<8xf32>) outs(%y : memref<8xf32>)
  }
  weft.yield
}

weft.kernel @k2(%a: memref<8xf32>, %b: memref<8xf32>, %y: memref<8xf32>) outs 1 {
  weft.yield
}
weft.kernel @v(%a: memref<4x2xf32>, %y: memref<8xf32>) outs 1 {
  weft.yield
}
weft.kernel @d(%a: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  weft.yield
}
