// The printed pipeline is taken back and does what the stages do one by one:
// nothing passes from stage to stage but the IR.

// RUN: weft-opt --print-pipeline --target=cpu > %t.pipeline
// RUN: FileCheck %s --check-prefix=TEXT --input-file=%t.pipeline
// TEXT: builtin.module(
// TEXT: /* before fuse */
// TEXT-NEXT: /* stage fuse */
// TEXT: weft-outline-kernels
// TEXT: /* after fuse */
// TEXT: weft.kernel(weft-tile-kernels)
// TEXT: /* stage target */
// TEXT: weft-cpu-lower-kernels
// TEXT: /* after module */

// RUN: %python -c "import subprocess, sys; sys.exit(subprocess.call(['weft-opt', '--pass-pipeline=' + open(sys.argv[1]).read(), sys.argv[2]]))" %t.pipeline %s > %t.whole.mlir
// RUN: weft-opt --weft-input %s | weft-opt --weft-model | weft-opt --weft-fuse | weft-opt --weft-tile \
// RUN:   | weft-opt --weft-vector | weft-opt --weft-buffer | weft-opt --weft-target=target=cpu | weft-opt --weft-module > %t.steps.mlir
// RUN: diff %t.whole.mlir %t.steps.mlir
// RUN: FileCheck %s --input-file=%t.whole.mlir
// CHECK: weft.signature
// CHECK: llvm.func {{.*}}@main.invoke
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %empty = tensor.empty() : tensor<4x8xf32>
  %sum = linalg.add ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>)
                    outs(%empty : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %sum : tensor<4x8xf32>
}
