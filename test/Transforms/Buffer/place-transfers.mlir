// What kernels use lies on the device; what passes between the sides is a transfer each.
// RUN: weft-opt %s --weft-place-transfers --canonicalize --split-input-file | FileCheck %s
// RUN: weft-opt %s --weft-place-transfers --canonicalize --weft-plan-memory --canonicalize --split-input-file | FileCheck %s --check-prefix=PLAN

#id = affine_map<(d0) -> (d0)>

weft.kernel @double(%x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  }
  weft.yield
}
weft.kernel @produce(%y: memref<2xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2xf32>)
  weft.yield
}
weft.kernel @compare(%t: memref<2xf32>, %x: memref<2xi64>, %y: memref<2xi8>) outs 1 {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<2xi64>) outs(%y : memref<2xi8>) {
  ^bb0(%a: i64, %b: i8):
    %e = weft.string_equal %a, %a
    %c = arith.extui %e : i1 to i8
    linalg.yield %c : i8
  }
  weft.yield
}

// An input, a temporary, an output.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: (%[[N:.*]]: index {{.*}}, %[[X:.*]]: memref<?xf32> {{.*}})
// CHECK: %[[THERE:.*]] = memref.alloc(%[[N]]) : memref<?xf32, #weft.device>
// CHECK: weft.transfer %[[X]] to %[[THERE]] value "x" bytes "4 * n" reason "an input that device kernels read"
// CHECK: %[[OUT:.*]] = weft.output_buffer 0(%[[N]]) : memref<?xf32>
// CHECK: %[[Y:.*]] = memref.alloc(%[[N]]) : memref<?xf32, #weft.device>
// CHECK: %[[T:.*]] = memref.alloc(%[[N]]) : memref<?xf32, #weft.device>
// CHECK: weft.dispatch @double
// CHECK-SAME: memref<?xf32, #weft.device>
// CHECK: weft.dispatch @double
// CHECK: weft.transfer %[[Y]] to %[[OUT]] value "y" bytes "4 * n" reason "an output that device kernels compute"
// CHECK-NOT: weft.transfer
// CHECK: return
// PLAN-LABEL: func.func @chain
// PLAN: weft.arena : memref<?xi8, #weft.device>
// PLAN: func.func private @chain.device_workspace
// PLAN: func.func private @chain.workspace
func.func @chain(%n: index {weft.symbol = "n", weft.range = array<i64: 0, 1024>},
                 %x: memref<?xf32> {weft.name = "x", weft.dims = ["n"]})
    attributes {weft.results = [{weft.name = "y", type = tensor<?xf32>}]} {
  %y = weft.output_buffer 0(%n) : memref<?xf32>
  %t = memref.alloc(%n) : memref<?xf32>
  weft.dispatch @double ins(%x : memref<?xf32>) outs(%t : memref<?xf32>)
  weft.dispatch @double ins(%t : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// A kernel that no device runs works on a copy.
// CHECK-LABEL: func.func @mixed
// CHECK: %[[FIRST:.*]] = memref.alloc() : memref<2xf32, #weft.device>
// CHECK: weft.dispatch @produce
// CHECK: %[[HERE:.*]] = memref.alloc() : memref<2xf32>
// CHECK: weft.transfer %[[FIRST]] to %[[HERE]] {{.*}} reason "kernel 'compare' runs on the host"
// CHECK: weft.dispatch @compare ins(%[[HERE]], %arg0 : memref<2xf32>, memref<2xi64>) outs(%[[FLAGS:.*]] : memref<2xi8>)
// CHECK: weft.output_buffer
// CHECK-NOT: weft.transfer
// CHECK: return
func.func @mixed(%x: memref<2xi64> {weft.name = "x"}) {
  %t = memref.alloc() : memref<2xf32>
  weft.dispatch @produce outs(%t : memref<2xf32>)
  %y = memref.alloc() : memref<2xi8>
  weft.dispatch @compare ins(%t, %x : memref<2xf32>, memref<2xi64>) outs(%y : memref<2xi8>)
  %out = weft.output_buffer 0() : memref<2xi8>
  memref.copy %y, %out : memref<2xi8> to memref<2xi8>
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

weft.kernel @double(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %a : f32
    linalg.yield %c : f32
  }
  weft.yield
}

// The host reads one element of what the device computed, and its own input.
// CHECK-LABEL: func.func @condition
// CHECK: %[[HERE:.*]] = memref.load %arg0[%c1]
// CHECK: %[[ELEMENT:.*]] = memref.subview %{{.*}}[2] [1] [1]
// CHECK: %[[CAST:.*]] = memref.cast %[[ELEMENT]]
// CHECK: weft.transfer %[[CAST]] to %[[SCALAR:[a-z0-9_]*]] value "{{.*}}" bytes "4" reason "the host needs its value"
// CHECK: memref.load %[[SCALAR]][]
func.func @condition(%x: memref<4xf32> {weft.name = "x"}) -> (f32, f32) {
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %y = memref.alloc() : memref<4xf32>
  weft.dispatch @double ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  %a = memref.load %x[%one] : memref<4xf32>
  %b = memref.load %y[%two] : memref<4xf32>
  return %a, %b : f32, f32
}

// -----

// Without kernels of the device nothing moves.
// CHECK-LABEL: func.func @host
// CHECK-NOT: weft.device
// CHECK: return
func.func @host(%x: memref<4xf32>) -> f32 {
  %one = arith.constant 1 : index
  %y = memref.alloc() : memref<4xf32>
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  %a = memref.load %y[%one] : memref<4xf32>
  return %a : f32
}
