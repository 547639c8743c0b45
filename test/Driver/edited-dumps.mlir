// Printed modules that were edited: what callers rely on is checked.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=model -o %t/m.mlir
// RUN: sed 's/weft.dtype = "f32", weft.name = "x"/weft.dtype = "u8", weft.name = "x"/' %t/m.mlir > %t/narrow.mlir
// RUN: not weft compile %t/narrow.mlir -o %t/m.so 2>&1 | FileCheck %s --check-prefix=NARROW
// NARROW: 'x' has the weft.dtype 'u8', but elements of 32 bits
// RUN: sed 's/weft.dtype = "f32", weft.name = "x"/weft.dtype = "f33", weft.name = "x"/' %t/m.mlir > %t/unknown.mlir
// RUN: not weft compile %t/unknown.mlir -o %t/m.so 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: 'x' has the unknown weft.dtype 'f33'
// RUN: sed 's/cpu = "x86-64-v3"/cpu = "x86-64-v33"/' %t/m.mlir > %t/cpu.mlir
// RUN: not weft compile %t/cpu.mlir -o %t/m.so 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: cpu.mlir: unknown processor 'x86-64-v33'
// RUN: sed 's/array<i64: 0, 7>/array<i64: -5, 7>/' %t/m.mlir > %t/range.mlir
// RUN: not weft compile %t/range.mlir -o %t/m.so 2>&1 | FileCheck %s --check-prefix=RANGE
// RANGE: expected array<i64: MIN, MAX> with 0 <= MIN <= MAX
// RUN: ls %t | FileCheck %s --check-prefix=FILES
// FILES-NOT: m.so

func.func @main(%n: index {weft.symbol = "n", weft.range = array<i64: 0, 7>},
                %x: tensor<?x4xf32> {weft.dims = ["n", 4], weft.dtype = "f32", weft.name = "x"})
    -> (tensor<?x4xf32> {weft.dims = ["n", 4], weft.dtype = "f32", weft.name = "y"}) {
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = linalg.exp ins(%x : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
