// Named contractions get the form that importers give them; other operations keep
// their names.

// RUN: weft-opt %s --weft-generalize-contractions | FileCheck %s

// And so they are vectorised rather than reported.
// RUN: weft-opt %s --weft-model --weft-fuse --weft-tile --weft-vector --remarks-filter=vector 2>&1 \
// RUN:   | FileCheck %s --check-prefix=VECTOR --implicit-check-not=fallback

// CHECK-LABEL: func @main
// CHECK-NOT: linalg.matmul
// CHECK-NOT: linalg.batch_matmul
// CHECK-NOT: linalg.matvec
// CHECK-NOT: linalg.contract
// CHECK-COUNT-4: linalg.generic
// CHECK: linalg.transpose

// VECTOR: weft.kernel @reduce_0
// VECTOR: math.fma {{.*}}vector<
// VECTOR: weft.kernel @reduce_1
// VECTOR: math.fma {{.*}}vector<
func.func @main(%n: index {weft.symbol = "n"},
                %a: tensor<?x64xf32> {weft.name = "a", weft.dims = ["n", 64]},
                %b: tensor<64x128xf32> {weft.name = "b"}, %v: tensor<64xf32> {weft.name = "v"},
                %p: tensor<3x32x64xf32> {weft.name = "p"}, %q: tensor<3x64x128xf32> {weft.name = "q"})
    -> (tensor<?x128xf32> {weft.name = "w"}, tensor<3x32x128xf32> {weft.name = "x"},
        tensor<?xf32> {weft.name = "y"}, tensor<128x?xf32> {weft.name = "z"}) {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty(%n) : tensor<?x128xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<?x128xf32>) -> tensor<?x128xf32>
  %w = linalg.matmul ins(%a, %b : tensor<?x64xf32>, tensor<64x128xf32>) outs(%1 : tensor<?x128xf32>) -> tensor<?x128xf32>
  %2 = tensor.empty() : tensor<3x32x128xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<3x32x128xf32>) -> tensor<3x32x128xf32>
  %x = linalg.batch_matmul ins(%p, %q : tensor<3x32x64xf32>, tensor<3x64x128xf32>) outs(%3 : tensor<3x32x128xf32>) -> tensor<3x32x128xf32>
  %4 = tensor.empty(%n) : tensor<?xf32>
  %5 = linalg.fill ins(%zero : f32) outs(%4 : tensor<?xf32>) -> tensor<?xf32>
  %y = linalg.matvec ins(%a, %v : tensor<?x64xf32>, tensor<64xf32>) outs(%5 : tensor<?xf32>) -> tensor<?xf32>
  %6 = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                        affine_map<(m, n, k) -> (m, n)>]
      ins(%a, %b : tensor<?x64xf32>, tensor<64x128xf32>) outs(%w : tensor<?x128xf32>) -> tensor<?x128xf32>
  %7 = tensor.empty(%n) : tensor<128x?xf32>
  %z = linalg.transpose ins(%6 : tensor<?x128xf32>) outs(%7 : tensor<128x?xf32>) permutation = [1, 0]
  return %w, %x, %y, %z : tensor<?x128xf32>, tensor<3x32x128xf32>, tensor<?xf32>, tensor<128x?xf32>
}
