// The dumps of --dump-stages are numbered in the order of the stages, and each,
// given to weft-opt with the next stage, becomes the next dump. --compile-to
// stops with the same IR.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --dump-stages=%t/dump -o %t/m.so
// RUN: ls %t/dump | FileCheck %s --check-prefix=FILES
// FILES: 1-input.mlir
// FILES-NEXT: 2-model.mlir
// FILES-NEXT: 3-fuse.mlir
// FILES-NEXT: 4-tile.mlir
// FILES-NEXT: 5-vector.mlir
// FILES-NEXT: 6-buffer.mlir
// FILES-NEXT: 7-target.mlir
// FILES-NOT: {{.}}

// RUN: weft-opt %t/dump/1-input.mlir -o %t/input.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=input -o %t/input-to.mlir
// RUN: weft-opt %t/input-to.mlir -o %t/input-stop.mlir
// RUN: diff %t/input.mlir %t/input-stop.mlir

// RUN: weft-opt %t/dump/2-model.mlir -o %t/model.mlir
// RUN: weft-opt %t/dump/1-input.mlir --weft-model -o %t/model-again.mlir
// RUN: diff %t/model.mlir %t/model-again.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=model -o %t/model-to.mlir
// RUN: weft-opt %t/model-to.mlir -o %t/model-stop.mlir
// RUN: diff %t/model.mlir %t/model-stop.mlir

// RUN: weft-opt %t/dump/3-fuse.mlir -o %t/fuse.mlir
// RUN: weft-opt %t/dump/2-model.mlir --weft-fuse -o %t/fuse-again.mlir
// RUN: diff %t/fuse.mlir %t/fuse-again.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=fuse -o %t/fuse-to.mlir
// RUN: weft-opt %t/fuse-to.mlir -o %t/fuse-stop.mlir
// RUN: diff %t/fuse.mlir %t/fuse-stop.mlir

// RUN: weft-opt %t/dump/4-tile.mlir -o %t/tile.mlir
// RUN: weft-opt %t/dump/3-fuse.mlir --weft-tile -o %t/tile-again.mlir
// RUN: diff %t/tile.mlir %t/tile-again.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=tile -o %t/tile-to.mlir
// RUN: weft-opt %t/tile-to.mlir -o %t/tile-stop.mlir
// RUN: diff %t/tile.mlir %t/tile-stop.mlir

// RUN: weft-opt %t/dump/5-vector.mlir -o %t/vector.mlir
// RUN: weft-opt %t/dump/4-tile.mlir --weft-vector -o %t/vector-again.mlir
// RUN: diff %t/vector.mlir %t/vector-again.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=vector -o %t/vector-to.mlir
// RUN: weft-opt %t/vector-to.mlir -o %t/vector-stop.mlir
// RUN: diff %t/vector.mlir %t/vector-stop.mlir

// RUN: weft-opt %t/dump/6-buffer.mlir -o %t/buffer.mlir
// RUN: weft-opt %t/dump/5-vector.mlir --weft-buffer -o %t/buffer-again.mlir
// RUN: diff %t/buffer.mlir %t/buffer-again.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=buffer -o %t/buffer-to.mlir
// RUN: weft-opt %t/buffer-to.mlir -o %t/buffer-stop.mlir
// RUN: diff %t/buffer.mlir %t/buffer-stop.mlir

// RUN: weft-opt %t/dump/7-target.mlir -o %t/target.mlir
// RUN: weft-opt %t/dump/6-buffer.mlir --weft-target -o %t/target-again.mlir
// RUN: diff %t/target.mlir %t/target-again.mlir
// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=target -o %t/target-to.mlir
// RUN: weft-opt %t/target-to.mlir -o %t/target-stop.mlir
// RUN: diff %t/target.mlir %t/target-stop.mlir

// RUN: weft compile %s --cpu=x86-64-v3 --quiet --compile-to=module -o %t/to.so
// RUN: not weft compile %s --compile-to=moduel -o %t/none 2>&1 | FileCheck %s --check-prefix=STAGE
// STAGE: --compile-to=moduel: expected one of input, model, fuse, tile, vector, buffer, target, module

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
