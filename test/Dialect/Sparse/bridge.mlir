// RUN: weft-opt %s --sparse-bridge --canonicalize | FileCheck %s
// RUN: weft-opt %s --sparse-bridge --canonicalize | FileCheck %s --check-prefix=NONE

// Upstream's sparsifier multiplies what Weft packed.
// RUN: weft-opt %s --sparse-bridge --canonicalize | mlir-opt --sparsifier="enable-runtime-library=false" \
// RUN:   | mlir-runner -e main -entry-point-result=void -shared-libs=%llvm-libraries/libmlir_c_runner_utils.so | FileCheck %s --check-prefix=OUT

#CSR = #sparse_tensor.encoding<{map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>
#CSC = #sparse_tensor.encoding<{map = (d0, d1) -> (d1 : dense, d0 : compressed), posWidth = 32, crdWidth = 32}>
#COO = #sparse_tensor.encoding<{map = (d0, d1) -> (d0 : compressed(nonunique), d1 : singleton(soa)), posWidth = 32, crdWidth = 8}>

!csr = !weft.packed<3x4xf32, #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>], structure = #sparse.csr<i16>>>
!csc = !weft.packed<3x4xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csc<i32>>>
!coo = !weft.packed<3x4xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>
!values = !weft.packed<3x4xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>

// NONE-NOT: weft.
// NONE-NOT: {{ }}sparse.

// The numbers are decoded, with the scale of their row.
// CHECK-LABEL: @csr
// CHECK-SAME: %[[CODES:[a-z0-9]*]]: tensor<?xi8>, %[[OFFSETS:[a-z0-9]*]]: tensor<4xi32>, %[[COLUMNS:[a-z0-9]*]]: tensor<?xi16>
// CHECK: %[[VALUES:.*]] = linalg.generic
// CHECK: sparse_tensor.assemble (%[[OFFSETS]], %[[COLUMNS]]), %[[VALUES]] : (tensor<4xi32>, tensor<?xi16>), tensor<?xf32> to tensor<3x4xf32, #{{.*}}>
func.func @csr(%codes: tensor<?xi8>, %offsets: tensor<4xi32>, %columns: tensor<?xi16>, %scale: tensor<3x1xf32>) -> tensor<3x4xf32, #CSR> {
  %p = weft.assemble %codes, %offsets, %columns, %scale : tensor<?xi8>, tensor<4xi32>, tensor<?xi16>, tensor<3x1xf32> -> !csr
  %s = sparse.to_sparse_tensor %p : !csr -> tensor<3x4xf32, #CSR>
  return %s : tensor<3x4xf32, #CSR>
}

// CHECK-LABEL: @csc
// CHECK: sparse_tensor.assemble (%{{.*}}, %{{.*}}), %{{.*}} : (tensor<5xi32>, tensor<?xi32>), tensor<?xf32> to
func.func @csc(%codes: tensor<?xi8>, %offsets: tensor<5xi32>, %rows: tensor<?xi32>) -> tensor<3x4xf32, #CSC> {
  %p = weft.assemble %codes, %offsets, %rows : tensor<?xi8>, tensor<5xi32>, tensor<?xi32> -> !csc
  %s = sparse.to_sparse_tensor %p : !csc -> tensor<3x4xf32, #CSC>
  return %s : tensor<3x4xf32, #CSC>
}

// CHECK-LABEL: @coo
// CHECK: sparse_tensor.assemble (%{{.*}}, %{{.*}}, %{{.*}}), %{{.*}} : (tensor<2xi32>, tensor<?xi8>, tensor<?xi8>), tensor<?xf32> to
func.func @coo(%codes: tensor<?xi8>, %rows: tensor<?xi8>, %columns: tensor<?xi8>) -> tensor<3x4xf32, #COO> {
  %p = weft.assemble %codes, %rows, %columns : tensor<?xi8>, tensor<?xi8>, tensor<?xi8> -> !coo
  %s = sparse.to_sparse_tensor %p : !coo -> tensor<3x4xf32, #COO>
  return %s : tensor<3x4xf32, #COO>
}

// CHECK-LABEL: @back
// CHECK: sparse_tensor.number_of_entries
// CHECK: sparse_tensor.disassemble
func.func @back(%s: tensor<3x4xf32, #CSR>) -> (tensor<?xi32>, tensor<4xi32>, tensor<?xi16>) {
  %p = sparse.from_sparse_tensor %s : tensor<3x4xf32, #CSR> -> !values
  %codes, %offsets, %columns = weft.disassemble %p : !values -> tensor<?xi32>, tensor<4xi32>, tensor<?xi16>
  return %codes, %offsets, %columns : tensor<?xi32>, tensor<4xi32>, tensor<?xi16>
}

// [[0, 1.5, 0, -1], [0, 0, 0, 0], [6, 0, 0, 4]] times a vector of ones, then its columns.
// OUT: ( 0.5, 0, 10 )
// OUT: ( 1, 3, 0, 3 )
// OUT: ( 0, 2, 2, 4 )
// OUT: ( 6, 1.5, 0, 3.5 )
func.func @main() {
  %codes = arith.constant dense<[-29, 35]> : tensor<2xi8> // 3, -2, 3, 2
  %offsets = arith.constant dense<[0, 2, 2, 4]> : tensor<4xi32>
  %columns = arith.constant dense<[1, 3, 0, 3]> : tensor<4xi16>
  %scale = arith.constant dense<[[0.5], [1.0], [2.0]]> : tensor<3x1xf32>
  %c = tensor.cast %codes : tensor<2xi8> to tensor<?xi8>
  %k = tensor.cast %columns : tensor<4xi16> to tensor<?xi16>
  %s = func.call @csr(%c, %offsets, %k, %scale) : (tensor<?xi8>, tensor<4xi32>, tensor<?xi16>, tensor<3x1xf32>) -> tensor<3x4xf32, #CSR>
  %ones = arith.constant dense<1.0> : tensor<4xf32>
  %zero = arith.constant dense<0.0> : tensor<3xf32>
  %y = linalg.matvec ins(%s, %ones : tensor<3x4xf32, #CSR>, tensor<4xf32>) outs(%zero : tensor<3xf32>) -> tensor<3xf32>
  %c0 = arith.constant 0 : index
  %none = arith.constant 0.0 : f32
  %v = vector.transfer_read %y[%c0], %none : tensor<3xf32>, vector<3xf32>
  vector.print %v : vector<3xf32>

  // And back: columns and offsets as they were.
  %0, %1, %2 = func.call @back(%s) : (tensor<3x4xf32, #CSR>) -> (tensor<?xi32>, tensor<4xi32>, tensor<?xi16>)
  %i16 = arith.constant 0 : i16
  %i32 = arith.constant 0 : i32
  %v2 = vector.transfer_read %2[%c0], %i16 : tensor<?xi16>, vector<4xi16>
  vector.print %v2 : vector<4xi16>
  %v1 = vector.transfer_read %1[%c0], %i32 : tensor<4xi32>, vector<4xi32>
  vector.print %v1 : vector<4xi32>

  // The columns of a CSC matrix, added up.
  %numbers = arith.constant dense<[6, 3, -1, 4]> : tensor<4xi8>
  %ends = arith.constant dense<[0, 1, 2, 2, 4]> : tensor<5xi32>
  %rows = arith.constant dense<[2, 0, 0, 2]> : tensor<4xi32>
  %n = tensor.cast %numbers : tensor<4xi8> to tensor<?xi8>
  %r = tensor.cast %rows : tensor<4xi32> to tensor<?xi32>
  %t = func.call @csc(%n, %ends, %r) : (tensor<?xi8>, tensor<5xi32>, tensor<?xi32>) -> tensor<3x4xf32, #CSC>
  %weights = arith.constant dense<[0.5, 1.0, 1.0]> : tensor<3xf32>
  %zeros = arith.constant dense<0.0> : tensor<4xf32>
  %z = linalg.vecmat ins(%weights, %t : tensor<3xf32>, tensor<3x4xf32, #CSC>) outs(%zeros : tensor<4xf32>) -> tensor<4xf32>
  %v3 = vector.transfer_read %z[%c0], %none : tensor<4xf32>, vector<4xf32>
  vector.print %v3 : vector<4xf32>
  return
}
