// Every kernel is an object of its own, made in any order by any number of
// threads: the module's bytes do not depend on it.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --jobs=1 -o %t/one.so
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --jobs=4 -o %t/four.so
// RUN: weft compile %s --cpu=x86-64-v3 --quiet -o %t/default.so
// RUN: cmp %t/one.so %t/four.so
// RUN: cmp %t/one.so %t/default.so

// The assembly has a file for each object and does not change the module.
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --jobs=2 --save-asm=%t/asm -o %t/asm.so
// RUN: cmp %t/one.so %t/asm.so
// RUN: ls %t/asm | FileCheck %s --check-prefix=FILES
// RUN: cat %t/asm/contract*.s | FileCheck %s --check-prefix=PRODUCT
// FILES-DAG: host.s
// FILES-DAG: contract{{.*}}.s
// FILES-DAG: transpose{{.*}}.s
// PRODUCT: contract_{{[0-9]+}}:

// Three products of 1 and 2 are 6.
// RUN: weft run %t/four.so --input=3x3xf32=1 --input=3x5xf32=2 --expect=5x3xf32=6

// RUN: not weft compile %s --quiet --jobs=0 -o %t/none.so 2>&1 | FileCheck %s --check-prefix=ZERO
// ZERO: --jobs=0: expected at least 1

// RUN: not weft compile %s --quiet --save-asm=%t/one.so/asm -o %t/none.so 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: {{.*}}one.so/asm{{.*}}: Not a directory

func.func @main(%a: tensor<3x3xf32> {weft.name = "a"}, %b: tensor<3x5xf32> {weft.name = "b"})
    -> (tensor<5x3xf32> {weft.name = "y"}) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<3x5xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x5xf32>) -> tensor<3x5xf32>
  %c = linalg.matmul ins(%a, %b : tensor<3x3xf32>, tensor<3x5xf32>) outs(%init : tensor<3x5xf32>) -> tensor<3x5xf32>
  %out = tensor.empty() : tensor<5x3xf32>
  %y = linalg.transpose ins(%c : tensor<3x5xf32>) outs(%out : tensor<5x3xf32>) permutation = [1, 0]
  return %y : tensor<5x3xf32>
}
