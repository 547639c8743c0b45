// A pass that crashes, is killed or fails costs the worker and not the caller:
// one sentence, exit code 70, no output, and a reproducer that shows it again.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// DEFINE: %{how} =
// DEFINE: %{compile} = env TMPDIR=%t %python %S/Inputs/exit_code.py weft compile %s --quiet -o %t/m.so \
// DEFINE:   --load-plugin=%plugins/CrashPlugin.so --plugin-option=crashtest.how=%{how}

// REDEFINE: %{how} = abort
// RUN: %{compile} 2>&1 | FileCheck %s --check-prefix=ABORT --implicit-check-not=error:
// ABORT: error: the stage 'tile' failed without saying why, in or after the pass 'crashtest-end'
// ABORT-NEXT: note: reproduce it with: weft-opt --run-reproducer {{.*}}weft-reproducer-tile-{{.*}}.mlir
// ABORT: exit 70
// RUN: not ls %t/m.so
// RUN: cat %t/weft-reproducer-tile-*.mlir | FileCheck %s --check-prefix=FILE
// FILE: weft.kernel
// FILE: crashtest-end{how=abort}
// FILE: weft-select-schedules
// RUN: not --crash weft-opt --load-plugin=%plugins/CrashPlugin.so --run-reproducer %t/weft-reproducer-tile-*.mlir 2>&1 | FileCheck %s --check-prefix=AGAIN
// AGAIN: weft-opt

// REDEFINE: %{how} = fail
// RUN: %{compile} 2>&1 | FileCheck %s --check-prefix=FAIL
// FAIL: error: {{.*}}this pass always fails
// FAIL-NEXT: note: reproduce it with: weft-opt --run-reproducer {{.*}}.mlir
// FAIL-NEXT: exit 70

// REDEFINE: %{how} = silent
// RUN: %{compile} 2>&1 | FileCheck %s --check-prefix=SILENT
// SILENT: error: the stage 'tile' failed without saying why, in or after the pass 'crashtest-end'
// SILENT-NEXT: note: reproduce it with: weft-opt --run-reproducer {{.*}}.mlir
// SILENT-NEXT: exit 70

// REDEFINE: %{how} = kill
// RUN: %{compile} 2>&1 | FileCheck %s --check-prefix=KILL --implicit-check-not=error:
// KILL: error: {{.*}}the compiler's worker was ended by signal 9 (Killed, out of memory perhaps) after the stage 'fuse'; nothing was written; reproduce it with: weft compile {{.*}} --dump-stages=DIR
// KILL: exit 70

// REDEFINE: %{how} = exhaust
// RUN: %{compile} 2>&1 | FileCheck %s --check-prefix=EXHAUST
// EXHAUST: error: the stage 'tile' failed without saying why
// EXHAUST: exit 70
// RUN: not ls %t/m.so

// --mlir-timing: the stages, their passes and the making of objects.
// RUN: weft compile %s --mlir-timing -o %t/m.so 2>&1 | FileCheck %s --check-prefix=TIMING
// TIMING: Execution time report
// TIMING: fuse
// TIMING: {{weft-outline-kernels|OutlineKernels}}
// TIMING: module
// TIMING: objects

func.func @main(%a: tensor<4x4xf32> {weft.name = "a"}) -> (tensor<4x4xf32> {weft.name = "y"}) {
  %out = tensor.empty() : tensor<4x4xf32>
  %y = linalg.transpose ins(%a : tensor<4x4xf32>) outs(%out : tensor<4x4xf32>) permutation = [1, 0]
  return %y : tensor<4x4xf32>
}
