// REQUIRES: weft
// RUN: weft-opt %s --weft-lower-sort | FileCheck %s
//
// The same as by the reference, for rows of any length, with ties and NaN.
// RUN: weft-opt %s --weft-lower-to-reference -o %t.reference.mlir
// RUN: FileCheck %s --check-prefix=REFERENCE --input-file=%t.reference.mlir
// RUN: rm -rf %t.0 %t.1 %t.2 %t.3 %t.4
// RUN: weft run %t.reference.mlir --quiet --threads=1 --input=x=6x1000xf32=random:1:-9..9 --input=i=70x9xi8=random:2:0..7 --output-dir=%t.0
// RUN: weft run %s --quiet --threads=2 --input=x=6x1000xf32=random:1:-9..9 --input=i=70x9xi8=random:2:0..7 --output-dir=%t.1
// RUN: diff -r %t.0 %t.1
// RUN: weft run %s --quiet --threads=1 --input=x=6x1000xf32=random:1:-9..9 --input=i=70x9xi8=random:2:0..7 --output-dir=%t.2
// RUN: diff -r %t.1 %t.2
// RUN: weft run %t.reference.mlir --quiet --input='x=1x7xf32=nan 2 -inf nan 2 inf -0' --input=i=4x1xi8=random:2:0..2 --output-dir=%t.3
// RUN: weft run %s --quiet --input='x=1x7xf32=nan 2 -inf nan 2 inf -0' --input=i=4x1xi8=random:2:0..2 --output-dir=%t.4
// RUN: diff -r %t.3 %t.4
// RUN: weft run %s --quiet --input=x=0x7xf32 --input=i=4x0xi8
// RUN: weft run %s --quiet --input='x=1x7xf32=nan 2 -inf nan 2 inf -0' --input=i=4x1xi8 \
// RUN:   --expect='y0=1x7xf32=-inf -0 2 2 inf nan nan' --expect='y1=1x7xi64=2 6 1 4 5 0 3' \
// RUN:   --expect='y2=1x4xf32=nan nan inf 2' --expect='y3=1x4xi64=0 3 5 1'

weft.kernel @sort(%a: index, %n: index, %x: tensor<?x?xf32>, %v: tensor<?x?xf32>, %p: tensor<?x?xi64>) outs 2 {
  // CHECK-LABEL: weft.kernel @sort
  // CHECK-NOT: weft.sort
  // CHECK: scf.forall
  // CHECK: scf.while
  // CHECK: scf.forall.in_parallel
  // REFERENCE-LABEL: weft.kernel @sort
  // REFERENCE-NOT: scf.forall
  %y, %j = weft.sort dimension = 1 ins(%x : tensor<?x?xf32>) outs(%v, %p : tensor<?x?xf32>, tensor<?x?xi64>)
    -> tensor<?x?xf32>, tensor<?x?xi64>
  weft.yield %y, %j : tensor<?x?xf32>, tensor<?x?xi64>
}

weft.kernel @top(%a: index, %n: index, %x: tensor<?x?xf32>, %v: tensor<?x4xf32>, %p: tensor<?x4xi64>) outs 2 {
  // Few are kept: one pass over the elements.
  // CHECK-LABEL: weft.kernel @top
  // CHECK-NOT: scf.while
  // CHECK: scf.forall.in_parallel
  %y, %j = weft.sort descending dimension = 1 ins(%x : tensor<?x?xf32>) outs(%v, %p : tensor<?x4xf32>, tensor<?x4xi64>)
    -> tensor<?x4xf32>, tensor<?x4xi64>
  weft.yield %y, %j : tensor<?x4xf32>, tensor<?x4xi64>
}

weft.kernel @columns(%a: index, %n: index, %x: tensor<?x?xi8>, %v: tensor<?x?xi8>, %p: tensor<?x?xi64>) outs 2 {
  %y, %j = weft.sort descending unsigned dimension = 0 ins(%x : tensor<?x?xi8>) outs(%v, %p : tensor<?x?xi8>, tensor<?x?xi64>)
    -> tensor<?x?xi8>, tensor<?x?xi64>
  weft.yield %y, %j : tensor<?x?xi8>, tensor<?x?xi64>
}

weft.kernel @few_columns(%a: index, %n: index, %x: tensor<?x?xi8>, %v: tensor<3x?xi8>, %p: tensor<3x?xi64>) outs 2 {
  %y, %j = weft.sort dimension = 0 ins(%x : tensor<?x?xi8>) outs(%v, %p : tensor<3x?xi8>, tensor<3x?xi64>)
    -> tensor<3x?xi8>, tensor<3x?xi64>
  weft.yield %y, %j : tensor<3x?xi8>, tensor<3x?xi64>
}

// Nothing is kept: there are no rows to cut out.
// CHECK-LABEL: weft.kernel @nothing
// CHECK-SAME: %[[V:[^:, ]+]]: tensor<3x?x0xi8>, %[[P:[^:, ]+]]: tensor<3x?x0xi64>
// CHECK-NEXT: weft.yield %[[V]], %[[P]]
weft.kernel @nothing(%n: index, %x: tensor<3x?x5xi8>, %v: tensor<3x?x0xi8>, %p: tensor<3x?x0xi64>) outs 2 {
  %y, %j = weft.sort dimension = 2 ins(%x : tensor<3x?x5xi8>) outs(%v, %p : tensor<3x?x0xi8>, tensor<3x?x0xi64>)
    -> tensor<3x?x0xi8>, tensor<3x?x0xi64>
  weft.yield %y, %j : tensor<3x?x0xi8>, tensor<3x?x0xi64>
}

func.func @main(
    %a: index {weft.symbol = "a"}, %n: index {weft.symbol = "n"}, %b: index {weft.symbol = "b"}, %m: index {weft.symbol = "m"},
    %x: tensor<?x?xf32> {weft.dims = ["a", "n"], weft.dtype = "f32", weft.name = "x"},
    %i: tensor<?x?xi8> {weft.dims = ["b", "m"], weft.dtype = "i8", weft.name = "i"})
    -> (tensor<?x?xf32> {weft.dims = ["a", "n"], weft.dtype = "f32", weft.name = "y0"},
        tensor<?x?xi64> {weft.dims = ["a", "n"], weft.dtype = "i64", weft.name = "y1"},
        tensor<?x4xf32> {weft.dims = ["a", 4], weft.dtype = "f32", weft.name = "y2"},
        tensor<?x4xi64> {weft.dims = ["a", 4], weft.dtype = "i64", weft.name = "y3"},
        tensor<?x?xi8> {weft.dims = ["b", "m"], weft.dtype = "i8", weft.name = "y4"},
        tensor<?x?xi64> {weft.dims = ["b", "m"], weft.dtype = "i64", weft.name = "y5"},
        tensor<3x?xi8> {weft.dims = [3, "m"], weft.dtype = "i8", weft.name = "y6"},
        tensor<3x?xi64> {weft.dims = [3, "m"], weft.dtype = "i64", weft.name = "y7"}) {
  %e0 = tensor.empty(%a, %n) : tensor<?x?xf32>
  %e1 = tensor.empty(%a, %n) : tensor<?x?xi64>
  %0:2 = weft.dispatch @sort[%a, %n] ins(%x : tensor<?x?xf32>) outs(%e0, %e1 : tensor<?x?xf32>, tensor<?x?xi64>) -> tensor<?x?xf32>, tensor<?x?xi64>
  %e2 = tensor.empty(%a) : tensor<?x4xf32>
  %e3 = tensor.empty(%a) : tensor<?x4xi64>
  %1:2 = weft.dispatch @top[%a, %n] ins(%x : tensor<?x?xf32>) outs(%e2, %e3 : tensor<?x4xf32>, tensor<?x4xi64>) -> tensor<?x4xf32>, tensor<?x4xi64>
  %e4 = tensor.empty(%b, %m) : tensor<?x?xi8>
  %e5 = tensor.empty(%b, %m) : tensor<?x?xi64>
  %2:2 = weft.dispatch @columns[%b, %m] ins(%i : tensor<?x?xi8>) outs(%e4, %e5 : tensor<?x?xi8>, tensor<?x?xi64>) -> tensor<?x?xi8>, tensor<?x?xi64>
  %e6 = tensor.empty(%m) : tensor<3x?xi8>
  %e7 = tensor.empty(%m) : tensor<3x?xi64>
  %3:2 = weft.dispatch @few_columns[%b, %m] ins(%i : tensor<?x?xi8>) outs(%e6, %e7 : tensor<3x?xi8>, tensor<3x?xi64>) -> tensor<3x?xi8>, tensor<3x?xi64>
  return %0#0, %0#1, %1#0, %1#1, %2#0, %2#1, %3#0, %3#1
    : tensor<?x?xf32>, tensor<?x?xi64>, tensor<?x4xf32>, tensor<?x4xi64>, tensor<?x?xi8>, tensor<?x?xi64>, tensor<3x?xi8>, tensor<3x?xi64>
}
