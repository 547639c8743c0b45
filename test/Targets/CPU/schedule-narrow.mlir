// Elements below a byte and beyond half a register have no register tiles.
// RUN: weft-opt %s --weft-select-schedules | FileCheck %s

#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "+avx512f", vector_bits = 512, opt_level = 2>} {

// CHECK-LABEL: weft.kernel @i4
// CHECK-NOT: vector = [
weft.kernel @i4(%a: tensor<?x64xi4>, %b: tensor<64x160xi4>, %out: tensor<?x160xi4>) outs 1 {
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x64xi4>, tensor<64x160xi4>) outs(%out : tensor<?x160xi4>) {
  ^bb0(%x: i4, %y: i4, %o: i4):
    %p = arith.muli %x, %y : i4
    %s = arith.addi %o, %p : i4
    linalg.yield %s : i4
  } -> tensor<?x160xi4>
  weft.yield %sum : tensor<?x160xi4>
}

// CHECK-LABEL: weft.kernel @i8
// CHECK: vector = [
weft.kernel @i8(%a: tensor<?x64xi8>, %b: tensor<64x160xi8>, %out: tensor<?x160xi8>) outs 1 {
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x64xi8>, tensor<64x160xi8>) outs(%out : tensor<?x160xi8>) {
  ^bb0(%x: i8, %y: i8, %o: i8):
    %p = arith.muli %x, %y : i8
    %s = arith.addi %o, %p : i8
    linalg.yield %s : i8
  } -> tensor<?x160xi8>
  weft.yield %sum : tensor<?x160xi8>
}

// CHECK-LABEL: weft.kernel @i512
// CHECK-NOT: vector = [
weft.kernel @i512(%a: tensor<?x64xi512>, %b: tensor<64x160xi512>, %out: tensor<?x160xi512>) outs 1 {
  %sum = linalg.generic {indexing_maps = [#rows, #columns, #result],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x64xi512>, tensor<64x160xi512>) outs(%out : tensor<?x160xi512>) {
  ^bb0(%x: i512, %y: i512, %o: i512):
    %p = arith.muli %x, %y : i512
    %s = arith.addi %o, %p : i512
    linalg.yield %s : i512
  } -> tensor<?x160xi512>
  weft.yield %sum : tensor<?x160xi512>
}

// CHECK-LABEL: weft.kernel @end
weft.kernel @end(%x: memref<4xf32>) outs 1 {
  weft.yield
}
}
