// --cpu with one processor, and what it expects. See variants.mlir for several.

// REQUIRES: weft

// RUN: not weft compile %s --cpu=abacus -o %t.so 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: unknown processor 'abacus'; try native, x86-64-v3, x86-64-v4

// RUN: not weft compile %s --cpu=x86-64 -o %t.so 2>&1 | FileCheck %s --check-prefix=OLD
// OLD: processor 'x86-64' lacks SSE4.2

// What names nothing is wrong usage, and says what there is.
// RUN: sh -c 'weft compile %s --cpu=abacus -o %t.so; test $? = 2'
// RUN: sh -c 'weft compile %s --cpu= -o %t.so > %t.log 2>&1; test $? = 2'
// RUN: FileCheck %s --check-prefix=EMPTY < %t.log
// EMPTY: --cpu=: expected native, x86-64-v3, x86-64-v4 or another processor
// RUN: sh -c 'weft compile %s --target=abacus -o %t.so > %t.log 2>&1; test $? = 2'
// RUN: FileCheck %s --check-prefix=TARGET < %t.log
// TARGET: unknown target 'abacus'; the targets are: {{.*}}cpu
// RUN: sh -c 'weft compile %s -O7 -o %t.so > %t.log 2>&1; test $? = 2'
// RUN: FileCheck %s --check-prefix=LEVEL < %t.log
// LEVEL: -O7: expected -O0, -O1, -O2 or -O3

// Given twice, it is a list.
// RUN: sh -c 'weft compile %s --cpu=x86-64-v3 --cpu=haswell -o %t.so > %t.log 2>&1; test $? = 2'
// RUN: FileCheck %s --check-prefix=TWICE < %t.log
// TWICE: --cpu=x86-64-v3,haswell: '{{.*}}' and '{{.*}}' need the same extensions

// A module for a named processor runs on the others that have its features; one
// for this machine's may not.
// RUN: weft compile %s --cpu=x86-64-v3 -o %t.so 2>/dev/null | FileCheck %s --check-prefix=V3
// V3: cpu x86-64-v3 (runs here)
// V3-NOT: --cpu=
// RUN: weft compile %s --cpu=haswell -o %t.so 2>/dev/null | FileCheck %s --check-prefix=HASWELL
// HASWELL: cpu haswell: x86-64-v3 (runs here)
// HASWELL-NEXT: (--cpu=x86-64-v3,x86-64-v4 is for any CPU with AVX2)

// What this machine is called says little: a hypervisor can hide extensions.
// RUN: weft compile %s --cpu=native -o %t.so 2>/dev/null | FileCheck %s --check-prefix=NATIVE
// NATIVE: cpu native: x86-64-v{{[34]}}
// RUN: weft inspect %t.so | FileCheck %s --check-prefix=INSPECT
// INSPECT: variant {{[-a-z0-9]+: x86-64-v[34]}}

func.func @main(%a: tensor<4x4xf32> {weft.name = "a"}) -> (tensor<4x4xf32> {weft.name = "y"}) {
  %out = tensor.empty() : tensor<4x4xf32>
  %y = linalg.transpose ins(%a : tensor<4x4xf32>) outs(%out : tensor<4x4xf32>) permutation = [1, 0]
  return %y : tensor<4x4xf32>
}
