// Data that says where to read is looked at before operations; what is known to be right is not.

// RUN: weft-opt %s --weft-check-operands --cse --canonicalize | FileCheck %s
// RUN: weft-opt %s --weft-check-operands --weft-check-operands --cse --canonicalize | FileCheck %s

// One reduction for all lookups that share the ids, one branch for each bound.
// CHECK-LABEL: func @shared
// CHECK-SAME: %[[IDS:[a-z0-9]*]]: tensor<?xi64>
// CHECK: %[[MOST:.*]] = linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%[[IDS]] : tensor<?xi64>)
// CHECK: arith.maxui
// CHECK: %[[X:.*]] = tensor.extract %[[MOST]][]
// CHECK: arith.cmpi uge, %[[X]], %c100_i64
// CHECK-NEXT: scf.if
// CHECK: weft.assert %false, 11, "'ids' has {0} at position {1}, expected -100 or more, less than 100"
// CHECK: weft.embed {{.*}} {weft.checked}
// CHECK-NOT: linalg.generic
// CHECK: arith.cmpi uge, %[[X]], %c7_i64
// CHECK: weft.assert %false, 11, "'ids' has {0} at position {1}, expected -7 or more, less than 7"
// CHECK: weft.embed {{.*}} {weft.checked}
// CHECK-NOT: weft.assert %false
// CHECK: return
func.func @shared(%ids: tensor<?xi64>, %a: tensor<100x8xf32>, %b: tensor<7x8xf32>, %e: tensor<?x8xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
  %x = weft.embed ins(%a, %ids : tensor<100x8xf32>, tensor<?xi64>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = weft.embed ins(%b, %ids : tensor<7x8xf32>, tensor<?xi64>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = weft.embed ins(%b, %ids : tensor<7x8xf32>, tensor<?xi64>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %x, %y, %z : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}

// Each branch has its own; what is before both serves both.
// CHECK-LABEL: func @branches
// CHECK: scf.if %{{.*}} -> (tensor<?x8xf32>) {
// CHECK: weft.assert %false, 11, "'ids' has
// CHECK: } else {
// CHECK: weft.assert %false, 11, "'ids' has
func.func @branches(%c: i1, %ids: tensor<?xi64>, %a: tensor<100x8xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = scf.if %c -> (tensor<?x8xf32>) {
    %x = weft.embed ins(%a, %ids : tensor<100x8xf32>, tensor<?xi64>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
    scf.yield %x : tensor<?x8xf32>
  } else {
    %x = weft.embed ins(%a, %ids : tensor<100x8xf32>, tensor<?xi64>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
    scf.yield %x : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func @known
// CHECK-NOT: weft.assert
// CHECK: return
func.func @known(%v: tensor<5x8xf32>, %mask: tensor<5xi8>, %ids: tensor<?xi64>, %a: tensor<100x8xf32>, %e: tensor<?x8xf32>, %f: tensor<2x8xf32>)
    -> (tensor<5x8xf32>, tensor<?x8xf32>, tensor<2x8xf32>) {
  %values = tensor.empty() : tensor<3x8xf32>
  %positions = tensor.empty() : tensor<3xi32>
  %c, %p = sparse.compact dimension = 0 ins(%v, %mask : tensor<5x8xf32>, tensor<5xi8>)
             outs(%values, %positions : tensor<3x8xf32>, tensor<3xi32>) -> tensor<3x8xf32>, tensor<3xi32>
  %x = sparse.expand dimension = 0 ins(%c, %p : tensor<3x8xf32>, tensor<3xi32>) outs(%v : tensor<5x8xf32>) -> tensor<5x8xf32>
  %y = weft.embed ins(%a, %ids : tensor<100x8xf32>, tensor<?xi64>) outs(%e : tensor<?x8xf32>) {weft.checked} -> tensor<?x8xf32>
  %constants = arith.constant dense<[-100, 99]> : tensor<2xi64>
  %z = weft.embed ins(%a, %constants : tensor<100x8xf32>, tensor<2xi64>) outs(%f : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %x, %y, %z : tensor<5x8xf32>, tensor<?x8xf32>, tensor<2x8xf32>
}

// A constant that is wrong fails the call.
// CHECK-LABEL: func @constant
// CHECK: weft.assert %false, 11, "'ids' has {0} at position {1}, expected -100 or more, less than 100"
func.func @constant(%a: tensor<100x8xf32>, %f: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %constants = arith.constant dense<[-100, 100]> : tensor<2xi64>
  %z = weft.embed ins(%a, %constants : tensor<100x8xf32>, tensor<2xi64>) outs(%f : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %z : tensor<2x8xf32>
}

// Extents of components come first; a part that is constant is compared with one that is not.
// CHECK-LABEL: func @components
// CHECK: weft.assert %{{.*}}, 3, "component 'columns' has an extent of {0}, expected {1}"
// CHECK: weft.assert %false, 11, "'offsets' has {0}, expected numbers that ascend from 0 to {1}"
// CHECK: weft.assert %false, 11, "'columns' has {0} at position {1}, expected numbers that ascend in each line, less than 5"
// CHECK: weft.assemble {{.*}} {weft.checked}
// CHECK-NOT: weft.assert
// CHECK: return
!csr = !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
func.func @components(%codes: tensor<?xi8>, %columns: tensor<?xi16>, %e: tensor<2x5xf32>) -> (tensor<2x5xf32>, tensor<2x5xf32>) {
  %offsets = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %p = weft.assemble %codes, %offsets, %columns : tensor<?xi8>, tensor<3xi32>, tensor<?xi16> -> !csr
  %y = weft.unpack ins(%p : !csr) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  %c = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %o = arith.constant dense<[0, 4, 2]> : tensor<3xi16>
  %q = weft.assemble %c, %offsets, %o : tensor<3xi8>, tensor<3xi32>, tensor<3xi16> -> !csr
  %z = weft.unpack ins(%q : !csr) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y, %z : tensor<2x5xf32>, tensor<2x5xf32>
}

// Without a structure there is nothing that says where.
// CHECK-LABEL: func @dense
// CHECK-NOT: weft.assert
// CHECK: return
!dense = !weft.packed<2x4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 4], f32>]>>
func.func @dense(%codes: tensor<4xi8>, %scale: tensor<2x1xf32>, %e: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %p = weft.assemble %codes, %scale : tensor<4xi8>, tensor<2x1xf32> -> !dense
  %y = weft.unpack ins(%p : !dense) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// Extents of operands that belong together; what is one value needs no test.
// CHECK-LABEL: func @extents
// CHECK-DAG: weft.assert %{{.*}}, 3, "'rhs' has an extent of {0} in dimension 0, expected {1}"
// CHECK-DAG: weft.assert %{{.*}}, 3, "'result' has an extent of {0} in dimension 1, expected {1}"
// CHECK-NOT: weft.assert
// CHECK: weft.contract {{.*}}weft.checked
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#sum = affine_map<(m, n, k) -> (m, n)>
func.func @extents(%x: tensor<2x?xf32>, %w: tensor<?x?xf32>, %init: tensor<2x?xf32>) -> tensor<2x?xf32> {
  %y = weft.contract indexing_maps = [#lhs, #rhs, #sum] ins(%x, %w : tensor<2x?xf32>, tensor<?x?xf32>)
       outs(%init : tensor<2x?xf32>) -> tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}

// CHECK-LABEL: func @symbols
// CHECK-NOT: weft.assert
// CHECK: return
func.func @symbols(%k: index {weft.symbol = "K"}, %n: index {weft.symbol = "N"},
                   %x: tensor<2x?xf32> {weft.dims = [2, "K"]},
                   %w: tensor<?x?xf32> {weft.dims = ["K", "N"]}) -> tensor<2x?xf32> {
  %init = tensor.empty(%n) : tensor<2x?xf32>
  %y = weft.contract indexing_maps = [#lhs, #rhs, #sum] ins(%x, %w : tensor<2x?xf32>, tensor<?x?xf32>)
       outs(%init : tensor<2x?xf32>) -> tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}
