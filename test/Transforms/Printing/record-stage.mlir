// The stage's name, and block arguments where their operations are; arguments of
// functions keep their places. A module that is read again has the same.

// RUN: weft-opt %s --weft-record-stage=stage=model --mlir-print-debuginfo --mlir-print-local-scope > %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: weft-opt %t.mlir --mlir-print-debuginfo --mlir-print-local-scope | diff %t.mlir -
// RUN: weft-opt %t.mlir --mlir-print-op-generic --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=GENERIC

// CHECK: module attributes {weft.stage = "model"}
// CHECK: func.func @main(%{{.*}}: tensor<4xf32> loc("x")
// CHECK: ^bb0(%{{.*}}: f32 loc("node"), %{{.*}}: f32 loc("node")):
// GENERIC: ^bb0(%{{.*}}: tensor<4xf32> loc("x"), %{{.*}}: index loc("n")):
// GENERIC: ^bb0(%{{.*}}: index loc("loop"), %{{.*}}: tensor<4xf32> loc("loop")):

func.func @main(%x: tensor<4xf32> loc("x"), %n: index loc("n")) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%empty : tensor<4xf32>) {
  ^bb0(%in: f32 loc("here"), %out: f32 loc("there")):
    %1 = arith.addf %in, %in : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32> loc("node")
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %2 = scf.for %i = %c0 to %n step %c1 iter_args(%t = %0) -> tensor<4xf32> {
    scf.yield %t : tensor<4xf32>
  } loc("loop")
  return %2 : tensor<4xf32>
}
