// Where outputs go: to standard output, and never over what is read or written.

// REQUIRES: weft

// RUN: rm -rf %t && mkdir %t && cd %t && cp %s model.mlir

// A module on standard output is the one that a file gets.
// RUN: weft compile model.mlir --cpu=x86-64-v3 -o file.so --quiet
// RUN: weft compile model.mlir --cpu=x86-64-v3 -o - > piped.so
// RUN: cmp file.so piped.so
// RUN: weft compile model.mlir --cpu=x86-64-v3 --emit=obj -o file.o --quiet
// RUN: weft compile model.mlir --cpu=x86-64-v3 --emit=obj -o - | cmp - file.o
// RUN: not ls -- ./-
// RUN: not weft compile model.mlir -o - 2>&1 >/dev/full | FileCheck %s --check-prefix=FULL
// FULL: standard output: No space left on device

// RUN: not weft compile model.mlir -o ./model.mlir 2>&1 | FileCheck %s --check-prefix=MODEL
// MODEL: option '-o': './model.mlir' would overwrite the model
// RUN: not weft compile model.mlir -o a.so --report=%t/a.so 2>&1 | FileCheck %s --check-prefix=REPORT
// REPORT: option '--report': '{{.*}}a.so' is where option '-o' goes already
// RUN: not weft compile model.mlir -o m.so --report=model.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OVER
// OVER: option '--report': 'model.mlir' would overwrite the model
// RUN: cmp %s model.mlir

// Both files come into being, or none.
// RUN: not weft compile model.mlir -o b.so --report=/dev/full 2>&1 \
// RUN:   | FileCheck %s --check-prefix=HALF
// HALF: error: /dev/full: No space left on device
// RUN: not ls b.so

func.func @main(%a: tensor<4x4xf32> {weft.name = "a"}) -> (tensor<4x4xf32> {weft.name = "y"}) {
  %out = tensor.empty() : tensor<4x4xf32>
  %y = linalg.transpose ins(%a : tensor<4x4xf32>) outs(%out : tensor<4x4xf32>) permutation = [1, 0]
  return %y : tensor<4x4xf32>
}
