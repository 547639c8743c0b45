// One variant of a kernel, written by hand with a schedule that has no register
// tile and columns that are not contiguous, runs in scalar loops; the other has its
// fast path. The kernel is reported, with the processor that is slow. Both compute
// the same of matrices that are their own transposes.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// RUN: weft compile %s --cpu=x86-64-v3,x86-64-v2 --remarks=vector --save-asm=%t/asm -o %t/m.so > %t/summary 2> %t/remarks
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not=remark: < %t/remarks
// REMARK: remark: vector: fallback of 'k.x86-64-v2' (product): Reason = a contraction runs in scalar loops
// RUN: FileCheck %s --check-prefix=SUMMARY < %t/summary
// SUMMARY: kernels   1, of them 1 fallbacks
// SUMMARY-NEXT: k (product): x86-64-v2: a contraction runs in scalar loops
// RUN: FileCheck %s --check-prefix=FAST --input-file=%t/asm/k.x86-64-v3.s
// FAST: vfmadd{{.*}}ymm
// RUN: FileCheck %s --check-prefix=SLOW --input-file=%t/asm/k.x86-64-v2.s --implicit-check-not=ymm --implicit-check-not=vfmadd
// SLOW: mul{{[ps]}}s

// 40 products of 1 and 2.
// RUN: env WEFT_CPU=x86-64-v3 weft run %t/m.so --input=40x40xf32=1 --input=40x40xf32=2 --expect=40x40xf32=80
// RUN: env WEFT_CPU=x86-64-v2 weft run %t/m.so --input=40x40xf32=1 --input=40x40xf32=2 --expect=40x40xf32=80

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#columns = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @main(%a: tensor<40x40xf32> {weft.name = "a"}, %b: tensor<40x40xf32> {weft.name = "b"})
    -> (tensor<40x40xf32> {weft.name = "y"}) {
  %empty = tensor.empty() : tensor<40x40xf32>
  %y = weft.dispatch @k ins(%a, %b : tensor<40x40xf32>, tensor<40x40xf32>) outs(%empty : tensor<40x40xf32>) -> tensor<40x40xf32> loc("product")
  return %y : tensor<40x40xf32>
}

weft.kernel @k(%a: tensor<40x40xf32>, %b: tensor<40x40xf32>, %out: tensor<40x40xf32>) outs 1 {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%out : tensor<40x40xf32>) -> tensor<40x40xf32>
  %y = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<40x40xf32>, tensor<40x40xf32>) outs(%init : tensor<40x40xf32>) {
  ^bb0(%x: f32, %z: f32, %sum: f32):
    %product = arith.mulf %x, %z : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<40x40xf32>
  weft.yield %y : tensor<40x40xf32>
}

weft.kernel @"k.x86-64-v2"(%a: tensor<40x40xf32>, %b: tensor<40x40xf32>, %out: tensor<40x40xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [0, 0, 0]>, weft.variant = "x86-64-v2", weft.variant_of = @k} {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%out : tensor<40x40xf32>) -> tensor<40x40xf32>
  %y = linalg.generic {indexing_maps = [#lhs, #columns, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<40x40xf32>, tensor<40x40xf32>) outs(%init : tensor<40x40xf32>) {
  ^bb0(%x: f32, %z: f32, %sum: f32):
    %product = arith.mulf %x, %z : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<40x40xf32>
  weft.yield %y : tensor<40x40xf32>
}
