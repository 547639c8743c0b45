// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference --canonicalize | FileCheck %s --check-prefix=REF

!int4 = !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
!small = !weft.packed<?x5xf32, #weft.format<elem = #lowp.float<f6E3M2FN>>>
!byte = !weft.packed<3x5xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>

// CHECK-LABEL: @views
// CHECK: %[[P:.*]] = weft.assemble %{{.*}} : tensor<8xi8> -> <3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
// CHECK: weft.disassemble %[[P]] : <3x5xi8, {{.*}}> -> tensor<8xi8>
// REF-LABEL: @views
// REF-SAME: %[[CODES:.*]]: tensor<8xi8>
// REF-NEXT: return %[[CODES]]
func.func @views(%codes: tensor<8xi8>) -> tensor<8xi8> {
  %p = weft.assemble %codes : tensor<8xi8> -> !int4
  %back = weft.disassemble %p : !int4 -> tensor<8xi8>
  return %back : tensor<8xi8>
}

// Element 5 i + j has the bits from 4 (5 i + j) on.
// CHECK-LABEL: @unpack
// CHECK: weft.unpack ins(%{{.*}} : <3x5xi8, {{.*}}>) outs(%{{.*}} : tensor<3x5xi8>) -> tensor<3x5xi8>
// REF-LABEL: @unpack
// REF-SAME: %[[CODES:[a-z0-9]*]]: tensor<8xi8>
// REF-DAG: %[[C4:.*]] = arith.constant 4 : index
// REF-DAG: %[[C5:.*]] = arith.constant 5 : index
// REF-DAG: %[[C8:.*]] = arith.constant 8 : index
// REF: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
// REF: %[[I:.*]] = linalg.index 0
// REF: %[[J:.*]] = linalg.index 1
// REF: %[[ROW:.*]] = arith.muli %[[I]], %[[C5]]
// REF: %[[ELEMENT:.*]] = arith.addi %[[ROW]], %[[J]]
// REF: %[[BIT:.*]] = arith.muli %[[ELEMENT]], %[[C4]]
// REF: %[[BYTE:.*]] = arith.divui %[[BIT]], %[[C8]]
// REF: tensor.extract %[[CODES]][%[[BYTE]]]
// REF: arith.shrsi
func.func @unpack(%codes: tensor<8xi8>, %init: tensor<3x5xi8>) -> tensor<3x5xi8> {
  %p = weft.assemble %codes : tensor<8xi8> -> !int4
  %y = weft.unpack ins(%p : !int4) outs(%init : tensor<3x5xi8>) -> tensor<3x5xi8>
  return %y : tensor<3x5xi8>
}

// Whole bytes keep the shape and need no positions.
// REF-LABEL: @bytes
// REF-SAME: %[[CODES:[a-z0-9]*]]: tensor<3x5xi8>
// REF: linalg.generic {{.*}} ins(%[[CODES]] : tensor<3x5xi8>)
// REF-NOT: tensor.extract
// REF: return
func.func @bytes(%codes: tensor<3x5xi8>, %init: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %p = weft.assemble %codes : tensor<3x5xi8> -> !byte
  %y = weft.unpack ins(%p : !byte) outs(%init : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// CHECK-LABEL: @pack
// CHECK: weft.pack %{{.*}} overflow : tensor<?x5xf32> -> <?x5xf32, #weft.format<elem = #lowp.float<f6E3M2FN>>>
// Three elements have bits in some byte of a stream of 6 bits each.
// REF-LABEL: @pack
// REF: tensor.collapse_shape
// REF: linalg.generic
// REF-COUNT-2: tensor.extract
// REF-NOT: tensor.extract
// REF: return
func.func @pack(%x: tensor<?x5xf32>) -> tensor<?xi8> {
  %p = weft.pack %x overflow : tensor<?x5xf32> -> !small
  %codes = weft.disassemble %p : !small -> tensor<?xi8>
  return %codes : tensor<?xi8>
}

// CHECK-LABEL: @round
// CHECK: weft.pack %{{.*}} round up : tensor<4xf32>
func.func @round(%x: tensor<4xf32>) -> !weft.packed<4xf32, #weft.format<elem = #lowp.float<f8E8M0FNU>>> {
  %p = weft.pack %x round up : tensor<4xf32> -> !weft.packed<4xf32, #weft.format<elem = #lowp.float<f8E8M0FNU>>>
  return %p : !weft.packed<4xf32, #weft.format<elem = #lowp.float<f8E8M0FNU>>>
}
