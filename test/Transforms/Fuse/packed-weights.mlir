// A dequantized 4-bit weight exists in tiles only: the host has its bytes and
// the product, and the kernel decodes.
// RUN: weft-opt %s --weft-fuse | FileCheck %s
// RUN: weft-opt %s --weft-fuse --weft-tile | FileCheck %s --check-prefix=TILE --implicit-check-not="tensor<512x384xf32>"

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (0, d1)>
#columns = affine_map<(d0, d1) -> (d1)>
!weight = !weft.packed<512x384xi8, #weft.format<elem = #lowp.int<4, signed>>>

// Bytes with a scale for each column, as DequantizeLinear gives them, too.
// CHECK-LABEL: func.func @bytes
// CHECK-COUNT-1: weft.dispatch
// CHECK-NOT: weft.dispatch
// CHECK: return
func.func @bytes(%x: tensor<64x512xf32>, %codes: tensor<512x384xi8>, %scale: tensor<1x384xf32>) -> tensor<64x384xf32> {
  %zero = arith.constant 0.0 : f32
  %init = tensor.empty() : tensor<512x384xf32>
  %numbers = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%codes, %scale : tensor<512x384xi8>, tensor<1x384xf32>) outs(%init : tensor<512x384xf32>) {
  ^bb0(%code: i8, %s: f32, %out: f32):
    %number = arith.sitofp %code : i8 to f32
    %product = arith.mulf %number, %s : f32
    linalg.yield %product : f32
  } -> tensor<512x384xf32>
  %empty = tensor.empty() : tensor<64x384xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x384xf32>) -> tensor<64x384xf32>
  %y = linalg.matmul ins(%x, %numbers : tensor<64x512xf32>, tensor<512x384xf32>)
         outs(%start : tensor<64x384xf32>) -> tensor<64x384xf32>
  return %y : tensor<64x384xf32>
}

// TILE: scf.forall
// TILE: tensor.extract %{{.*}} : tensor<98304xi8>
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x512xf32>, %[[BYTES:[a-z0-9]*]]: tensor<98304xi8>, %[[SCALE:[a-z0-9]*]]: tensor<384xf32>
// CHECK-COUNT-1: weft.dispatch
// CHECK-NOT: weft.dispatch
// CHECK: return
// CHECK: weft.kernel
// CHECK: linalg.generic
// CHECK: tensor.extract %{{.*}} : tensor<98304xi8>
// CHECK: arith.sitofp
// CHECK: arith.mulf
// CHECK: linalg.matmul
func.func @main(%n: index, %x: tensor<?x512xf32>, %bytes: tensor<98304xi8>, %scale: tensor<384xf32>) -> tensor<?x384xf32> {
  %zero = arith.constant 0.0 : f32
  %w = weft.assemble %bytes : tensor<98304xi8> -> !weight
  %codesInit = tensor.empty() : tensor<512x384xi8>
  %codes = weft.unpack ins(%w : !weight) outs(%codesInit : tensor<512x384xi8>) -> tensor<512x384xi8>
  %init = tensor.empty() : tensor<512x384xf32>
  %numbers = linalg.generic {indexing_maps = [#map, #columns, #map], iterator_types = ["parallel", "parallel"]}
      ins(%codes, %scale : tensor<512x384xi8>, tensor<384xf32>) outs(%init : tensor<512x384xf32>) {
  ^bb0(%code: i8, %s: f32, %out: f32):
    %number = arith.sitofp %code : i8 to f32
    %product = arith.mulf %number, %s : f32
    linalg.yield %product : f32
  } -> tensor<512x384xf32>
  %empty = tensor.empty(%n) : tensor<?x384xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x384xf32>) -> tensor<?x384xf32>
  %y = linalg.matmul ins(%x, %numbers : tensor<?x512xf32>, tensor<512x384xf32>)
         outs(%start : tensor<?x384xf32>) -> tensor<?x384xf32>
  return %y : tensor<?x384xf32>
}
