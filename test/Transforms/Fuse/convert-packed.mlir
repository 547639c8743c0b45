// RUN: weft-opt %s --weft-convert-packed --canonicalize | FileCheck %s --implicit-check-not=weft.

!int4 = !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
!small = !weft.packed<?x5xf32, #weft.format<elem = #lowp.float<f6E3M2FN>>>

// The example of the pass's documentation.
// CHECK-LABEL: func @example
// CHECK-SAME: (%[[BYTES:.*]]: tensor<8xi8>, %[[INIT:.*]]: tensor<3x5xi8>)
// CHECK: linalg.generic {{.*}} outs(%[[INIT]] : tensor<3x5xi8>)
// CHECK: tensor.extract %[[BYTES]]
func.func @example(%bytes: tensor<8xi8>, %init: tensor<3x5xi8>) -> tensor<3x5xi8> {
  %p = weft.assemble %bytes : tensor<8xi8> -> !int4
  %y = weft.unpack ins(%p : !int4) outs(%init : tensor<3x5xi8>) -> tensor<3x5xi8>
  return %y : tensor<3x5xi8>
}

// Functions and calls take components.
// CHECK-LABEL: func @callee
// CHECK-SAME: (%[[A:.*]]: tensor<?xi8>) -> tensor<?xi8>
// CHECK: return %[[A]]
func.func @callee(%p: !small) -> !small {
  return %p : !small
}

// CHECK-LABEL: func @caller
// CHECK-SAME: (%[[A:.*]]: tensor<?xi8>) -> tensor<?xi8>
// CHECK: %[[R:.*]] = call @callee(%[[A]]) : (tensor<?xi8>) -> tensor<?xi8>
// CHECK: return %[[R]]
func.func @caller(%p: !small) -> !small {
  %r = call @callee(%p) : (!small) -> !small
  return %r : !small
}

// Control flow carries components.
// CHECK-LABEL: func @carried
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (tensor<?xi8>)
// CHECK: scf.if {{.*}} -> (tensor<?xi8>)
func.func @carried(%p: !small, %x: tensor<?x5xf32>, %n: index, %c: i1) -> !small {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %r = scf.for %i = %zero to %n step %one iter_args(%q = %p) -> !small {
    %s = scf.if %c -> !small {
      %t = weft.pack %x : tensor<?x5xf32> -> !small
      scf.yield %t : !small
    } else {
      scf.yield %q : !small
    }
    scf.yield %s : !small
  }
  return %r : !small
}
