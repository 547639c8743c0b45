// Where experts are, and which tokens and layers run.

// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD
// RUN: weft-opt %s --weft-lower-to-reference | FileCheck %s --check-prefix=REF
// RUN: weft-opt %s --moe-decompose-depth | FileCheck %s --check-prefix=DEPTH

// CHECK-LABEL: @exchange
// CHECK: moe.exchange ins(%{{.*}}, %{{.*}} : tensor<2x6x4xf32>, tensor<2x5xi32>) place(%{{.*}} : tensor<4xi32>) outs(
// CHECK: moe.exchange inverse ins(
// REF-LABEL: @exchange
// REF-NOT: moe.exchange
// REF: scf.for
func.func @exchange(%v: tensor<2x6x4xf32>, %o: tensor<2x5xi32>, %p: tensor<4xi32>,
                    %r: tensor<2x9x4xf32>, %b: tensor<2x5xi32>, %s: tensor<2x6x4xf32>)
    -> (tensor<2x6x4xf32>, tensor<2x5xi32>) {
  %received, %bounds = moe.exchange ins(%v, %o : tensor<2x6x4xf32>, tensor<2x5xi32>)
      place(%p : tensor<4xi32>) outs(%r, %b : tensor<2x9x4xf32>, tensor<2x5xi32>)
      -> tensor<2x9x4xf32>, tensor<2x5xi32>
  %back, %same = moe.exchange inverse ins(%received, %o : tensor<2x9x4xf32>, tensor<2x5xi32>)
      place(%p : tensor<4xi32>) outs(%s, %b : tensor<2x6x4xf32>, tensor<2x5xi32>)
      -> tensor<2x6x4xf32>, tensor<2x5xi32>
  return %back, %bounds : tensor<2x6x4xf32>, tensor<2x5xi32>
}

// One rank exchanges nothing.
// FOLD-LABEL: @one_rank
// FOLD-SAME: %[[V:.*]]: tensor<1x6x4xf32>, %[[O:.*]]: tensor<1x5xi32>, %{{.*}}: tensor<1x6x4xf32>
// FOLD-NEXT: return %[[V]], %[[O]]
func.func @one_rank(%v: tensor<1x6x4xf32>, %o: tensor<1x5xi32>, %r: tensor<1x6x4xf32>,
                    %b: tensor<1x5xi32>) -> (tensor<1x6x4xf32>, tensor<1x5xi32>) {
  %received, %bounds = moe.exchange ins(%v, %o : tensor<1x6x4xf32>, tensor<1x5xi32>)
      outs(%r, %b : tensor<1x6x4xf32>, tensor<1x5xi32>) -> tensor<1x6x4xf32>, tensor<1x5xi32>
  return %received, %bounds : tensor<1x6x4xf32>, tensor<1x5xi32>
}

// One that has not all groups does.
// FOLD-LABEL: @placed
// FOLD: moe.exchange
func.func @placed(%v: tensor<1x6x4xf32>, %o: tensor<1x5xi32>, %p: tensor<4xi32>,
                  %r: tensor<1x6x4xf32>, %b: tensor<1x5xi32>)
    -> (tensor<1x6x4xf32>, tensor<1x5xi32>) {
  %received, %bounds = moe.exchange ins(%v, %o : tensor<1x6x4xf32>, tensor<1x5xi32>)
      place(%p : tensor<4xi32>) outs(%r, %b : tensor<1x6x4xf32>, tensor<1x5xi32>)
      -> tensor<1x6x4xf32>, tensor<1x5xi32>
  return %received, %bounds : tensor<1x6x4xf32>, tensor<1x5xi32>
}

// CHECK-LABEL: @residency
// CHECK: moe.residency ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x2xi32>, tensor<4xi32>, tensor<4xi32>) outs(
// REF-LABEL: @residency
// REF-NOT: moe.residency
func.func @residency(%i: tensor<?x2xi32>, %s: tensor<4xi32>, %t: tensor<4xi32>, %p: tensor<9xi32>)
    -> tensor<9xi32> {
  %place, %loads, %a, %b = moe.residency
      ins(%i, %s, %t : tensor<?x2xi32>, tensor<4xi32>, tensor<4xi32>)
      outs(%p, %s, %s, %s : tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>)
      -> tensor<9xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
  return %place : tensor<9xi32>
}

// CHECK-LABEL: @depth
// CHECK: moe.depth mask(%{{.*}} : tensor<6xi8>) ins(%{{.*}} : tensor<6x8xf32>) outs(%{{.*}} : tensor<6x8xf32>) {
// CHECK: moe.yield %{{.*}} : tensor<?x8xf32>
// DEPTH-LABEL: @depth
// DEPTH: %[[FOUND:.*]], %[[COUNT:.*]] = weft.nonzero
// DEPTH: %[[ROWS:.*]] = weft.gather {{.*}} -> tensor<?x8xf32>
// DEPTH: linalg.exp ins(%[[ROWS]]
// DEPTH: weft.scatter
// DEPTH-NEXT: ^bb0(%{{.*}}: f32, %[[NEW:.*]]: f32):
// DEPTH-NEXT: weft.yield %[[NEW]]
func.func @depth(%m: tensor<6xi8>, %x: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %y = moe.depth mask(%m : tensor<6xi8>) ins(%x : tensor<6x8xf32>) outs(%x : tensor<6x8xf32>) {
  ^bb0(%r: tensor<?x8xf32>):
    %e = linalg.exp ins(%r : tensor<?x8xf32>) outs(%r : tensor<?x8xf32>) -> tensor<?x8xf32>
    moe.yield %e : tensor<?x8xf32>
  } -> tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// CHECK-LABEL: @exit
// CHECK: moe.exit %{{.*}} init(%{{.*}} : tensor<8xf32>) {
// CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: tensor<8xf32>):
// DEPTH-LABEL: @exit
// DEPTH: scf.while
// DEPTH: scf.condition
// DEPTH: weft.poll
// DEPTH: linalg.exp
func.func @exit(%n: index, %stop: i1, %x: tensor<8xf32>) -> tensor<8xf32> {
  %ran, %y = moe.exit %n init(%x : tensor<8xf32>) {
  ^bb0(%i: index, %h: tensor<8xf32>):
    %e = linalg.exp ins(%h : tensor<8xf32>) outs(%h : tensor<8xf32>) -> tensor<8xf32>
    moe.yield %stop, %e : i1, tensor<8xf32>
  } -> index, tensor<8xf32>
  return %y : tensor<8xf32>
}
