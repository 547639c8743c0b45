// --cpu with several processors: one host function, a variant of each kernel for
// each processor, each with its own schedule; the runtime takes the best.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// RUN: weft compile %s --cpu=x86-64-v3,x86-64-v4 --jobs=1 --dump-stages=%t/dump -o %t/both.so 2>%t/log | FileCheck %s --check-prefix=SUMMARY
// SUMMARY: cpu x86-64-v4
// SUMMARY-NEXT: x86-64-v3
// SUMMARY-NEXT: kernels 1,

// Schedules are each processor's: 16 lanes and 8.
// RUN: FileCheck %s --check-prefix=TILE < %t/dump/4-tile.mlir
// TILE: weft.target = #weft.target<"cpu", cpu = "x86-64-v4"
// TILE-SAME: weft.variants = [#weft.target<"cpu", cpu = "x86-64-v3"
// TILE: weft.dispatch @[[KERNEL:[a-z]+_0]]
// TILE-NOT: weft.dispatch
// TILE: weft.kernel @[[KERNEL]](
// TILE-SAME: vector = [{{[0-9]+, [0-9]+}}, 16]
// TILE: weft.kernel @"[[KERNEL]].x86-64-v3"
// TILE-SAME: vector = [{{[0-9]+, [0-9]+}}, 8]
// TILE-SAME: weft.variant = "x86-64-v3", weft.variant_of = @[[KERNEL]]

// What the host passes is the same: both take the scratch of both.
// RUN: FileCheck %s --check-prefix=BUFFER < %t/dump/6-buffer.mlir
// BUFFER: weft.kernel @[[KERNEL:[a-z]+_0]](
// BUFFER-SAME: outs 2
// BUFFER: weft.kernel @"[[KERNEL]].x86-64-v3"(
// BUFFER-SAME: outs 2

// The IR has all of it: weft-opt goes on from any dump.
// RUN: weft-opt %t/dump/4-tile.mlir -o %t/tile.mlir
// RUN: weft-opt %t/dump/3-fuse.mlir --weft-tile | diff %t/tile.mlir -
// RUN: weft-opt %t/dump/6-buffer.mlir -o %t/buffer.mlir
// RUN: weft-opt %t/dump/5-vector.mlir --weft-buffer | diff %t/buffer.mlir -
// RUN: weft-opt %t/dump/7-target.mlir -o %t/target.mlir
// RUN: weft-opt %t/dump/6-buffer.mlir --weft-target | diff %t/target.mlir -

// The order of the list and the number of threads change nothing.
// RUN: weft compile %s --cpu=x86-64-v4,x86-64-v3 --jobs=3 --quiet --save-asm=%t/asm -o %t/again.so
// RUN: cmp %t/both.so %t/again.so

// Files of assembly say for whom they are; wide registers stay in theirs.
// RUN: ls %t/asm | FileCheck %s --check-prefix=FILES
// FILES: contract_0.x86-64-v3.s
// FILES-NEXT: contract_0.x86-64-v4.s
// FILES-NEXT: host.s
// RUN: FileCheck %s --check-prefix=V4 --input-file=%t/asm/contract_0.x86-64-v4.s
// V4: vfmadd{{.*}}zmm
// RUN: FileCheck %s --check-prefix=V3 --input-file=%t/asm/contract_0.x86-64-v3.s --implicit-check-not=zmm
// V3: vfmadd{{.*}}ymm
// RUN: FileCheck %s --check-prefix=HOST --input-file=%t/asm/host.s --implicit-check-not=zmm
// HOST: main.invoke:

// RUN: weft inspect %t/both.so | FileCheck %s --check-prefix=INSPECT
// INSPECT: options {{.*}}"cpu": "x86-64-v4,x86-64-v3"
// INSPECT: variant x86-64-v4, {{[0-9.]+ [kK]?B}} of code{{.*}} (sse3,{{.*}},avx,{{.*}},avx512f,{{.*}},avx512vl)
// INSPECT-NEXT: variant x86-64-v3, {{[0-9.]+ [kK]?B}} of code
// INSPECT: kernels 1
// INSPECT-NEXT: {{^}} x86-64-v4 x86-64-v3
// INSPECT-NEXT: {{^}} contract_0 {{[0-9.]+ [kK]?B +[0-9.]+ [kK]?B}}

// Each computes what a module for it alone computes.
// RUN: weft compile %s --cpu=x86-64-v3 --quiet -o %t/v3.so
// RUN: weft run %t/v3.so --input=130x600xf32=random:1 --output=@%t/v3.npy
// RUN: env WEFT_CPU=x86-64-v3 weft run %t/both.so --input=130x600xf32=random:1 --output=@%t/both.npy 2>&1 | FileCheck %s --check-prefix=FORCED
// FORCED: weft: variant x86-64-v3: from WEFT_CPU
// RUN: cmp %t/v3.npy %t/both.npy
// RUN: weft run %t/both.so --input=130x600xf32=random:1 --expect=@%t/v3.npy --rtol=1e-4 --atol=1e-4 2>&1 | FileCheck %s --check-prefix=BEST
// BEST: weft: variant x86-64-v{{[34]}}: the best {{.*}}of x86-64-v4, x86-64-v3
// RUN: env WEFT_CPU=x86-64-v3 weft bench %t/both.so --dim=n=8 --duration=0.01 | FileCheck %s --check-prefix=BENCH
// BENCH: variant x86-64-v3 (from WEFT_CPU)

// RUN: env WEFT_CPU=z80 not weft run %t/both.so --input=8x600xf32=random:1 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: module '{{.*}}both.so' has no variant for CPU 'z80' (from WEFT_CPU); it has x86-64-v4, x86-64-v3

// No machine has what these two need.
// RUN: weft compile %s --cpu=diamondrapids,clearwaterforest -o %t/none.so 2>%t/log | FileCheck %s --check-prefix=FOREIGN
// FOREIGN: cannot run here: module '{{.*}}none.so' cannot run on this CPU: diamondrapids needs {{.*}}; clearwaterforest needs {{.*}}, which it lacks
// RUN: not weft run %t/none.so --input=8x600xf32=random:1 2>&1 | FileCheck %s --check-prefix=LACKS
// LACKS: error: module '{{.*}}none.so' cannot run on this CPU: diamondrapids needs
// All that it consists of can be seen nevertheless.
// RUN: weft inspect %t/none.so | FileCheck %s --check-prefix=SEEN
// SEEN: variant diamondrapids: {{.*}} of code (
// SEEN-NEXT: variant clearwaterforest: {{.*}} of code (
// SEEN-NEXT: not here module '{{.*}}none.so' cannot run on this CPU: diamondrapids needs {{.*}}; clearwaterforest needs
// SEEN-NEXT: function main
// SEEN: kernels 1
// SEEN: contract_0 {{[0-9.]+ [kK]?B +[0-9.]+ [kK]?B}}
// RUN: weft inspect %t/none.so --json | FileCheck %s --check-prefix=SEEN-JSON
// SEEN-JSON: "runs_here": false
// SEEN-JSON: "refusal": "module '{{.*}}none.so' cannot run on this CPU
// SEEN-JSON: "chosen": false
// SEEN-JSON: "chosen": false
// RUN: weft inspect %t/both.so --json | FileCheck %s --check-prefix=RUNS
// RUNS: "runs_here": true

// RUN: not weft compile %s --cpu=haswell,haswell -o %t/no.so 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: --cpu=haswell,haswell: 'haswell' and 'haswell' need the same extensions; give one of them
// RUN: not weft compile %s --cpu=x86-64-v3,haswell -o %t/no.so 2>&1 | FileCheck %s --check-prefix=SAME
// SAME: error: --cpu=x86-64-v3,haswell: 'x86-64-v3' and 'haswell' need the same extensions; give one of them
// RUN: not weft compile %s --cpu=x86-64-v3, -o %t/no.so 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: unknown processor ''

func.func @main(%n: index {weft.symbol = "n"},
                %a: tensor<?x600xf32> {weft.name = "a", weft.dims = ["n", 600]})
    -> (tensor<?x?xf32> {weft.name = "y", weft.dims = ["n", "n"]}) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n, %n) : tensor<?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a : tensor<?x600xf32>, tensor<?x600xf32>) outs(%init : tensor<?x?xf32>) {
  ^bb0(%x: f32, %z: f32, %sum: f32):
    %product = arith.mulf %x, %z : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
