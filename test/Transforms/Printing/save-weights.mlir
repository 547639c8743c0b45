// Computed weights go to a file beside the one that weft-opt prints to, and come
// back from there; IR that is printed to a stream keeps only their names.

// RUN: rm -rf %t && mkdir %t
// RUN: weft-opt %s --weft-evaluate-constants -o %t/a.mlir
// RUN: FileCheck %s --input-file=%t/a.mlir
// CHECK: weft.weight_files = [{checksum = "{{[0-9a-f]+}}", keys = ["constant"],
// CHECK-SAME: path = "{{/.*}}a.mlir.safetensors", ranges = array<i64: {{[0-9]+}}, 2048>}]
// CHECK: weft.constant <"constant", "", tensor<32x16xf32>>

// The weight has a file already: no other is written.
// RUN: weft-opt %t/a.mlir -o %t/b.mlir
// RUN: diff %t/a.mlir %t/b.mlir
// RUN: not ls %t/b.mlir.safetensors

// Moved, with the file beside the text.
// RUN: mkdir %t/moved && mv %t/a.mlir %t/a.mlir.safetensors %t/moved
// RUN: weft-opt %t/moved/a.mlir | FileCheck %s --check-prefix=MOVED
// MOVED: path = "{{.*}}moved/a.mlir.safetensors"
// RUN: not weft-opt %t/b.mlir 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: {{.*}}a.mlir.safetensors: cannot open the file: No such file

// In place, the weights that lie in the file stay when others come to it; a failure
// leaves both files as they are.
// RUN: mkdir %t/place && weft-opt %s --weft-evaluate-constants -o %t/place/a.mlir
// RUN: sed '/^}$/d' %t/place/a.mlir > %t/place/both.mlir
// RUN: sed -n '/^  func/,$p' %s | sed 's/@main/@second/; s/sitofp/uitofp/' >> %t/place/both.mlir
// RUN: mv %t/place/both.mlir %t/place/a.mlir && cp %t/place/a.mlir %t/place/before.mlir
// RUN: not weft-opt %t/place/a.mlir --weft-record-stage -o %t/place/a.mlir
// RUN: diff %t/place/before.mlir %t/place/a.mlir
// RUN: weft-opt %t/place/a.mlir --weft-evaluate-constants -o %t/place/a.mlir
// RUN: weft-opt %t/place/a.mlir | FileCheck %s --check-prefix=PLACE
// PLACE: keys = ["constant", "constant.1"], path = "{{.*}}place/a.mlir.safetensors"

// A pipeline that is given as text has the weights, too.
// RUN: weft-opt %t/place/a.mlir --pass-pipeline='builtin.module(canonicalize)' | FileCheck %s --check-prefix=PLACE

// Weights that nobody has loaded, as those of an inner module, stay where they are.
// RUN: echo 'module { module attributes {weft.weight_files = [{path = "/absent", checksum = "1", keys = ["w", "v"], ranges = array<i64: 0, 8, 8, 8>}, {path = "/unused", checksum = "1", keys = ["u"], ranges = array<i64: 0, 8>}]} {' > %t/inner.mlir
// RUN: echo 'func.func @f() -> tensor<2xf32> { %%0 = weft.constant <"w", "", tensor<2xf32>> : tensor<2xf32> return %%0 : tensor<2xf32> } } }' >> %t/inner.mlir
// RUN: weft-opt %t/inner.mlir --pass-pipeline='builtin.module(builtin.module(weft-save-weights))' | FileCheck %s --check-prefix=INNER
// INNER: weft.weight_files = [{checksum = "1", keys = ["w", "v"], path = "/absent", ranges = array<i64: 0, 8, 8, 8>}]

// RUN: weft-opt %s --weft-evaluate-constants 2>&1 | FileCheck %s --check-prefix=STREAM
// STREAM-NOT: warning
// STREAM-NOT: weft.weight_files
// STREAM: weft.constant <"constant"
// STREAM-NOT: weft.weight_files
// RUN: weft-opt %s --weft-evaluate-constants -o /dev/null

// What comes from the driver is to go on: that its weights are lost is said.
// RUN: sed 's/^module {/module attributes {weft.source = {name = "m", sha256 = ""}} {/' %s | weft-opt --weft-evaluate-constants 2>&1 | FileCheck %s --check-prefix=DRIVER
// DRIVER: warning: 1 computed weights are not kept; -o FILE writes them beside it

// The parts of a split file would share a name.
// RUN: weft-opt %s --weft-evaluate-constants --split-input-file -o %t/parts.mlir
// RUN: not ls %t/parts.mlir.safetensors

module {
  func.func @main() -> tensor<32x16xf32> {
    %empty = tensor.empty() : tensor<32x16xf32>
    %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
        outs(%empty : tensor<32x16xf32>) {
    ^bb0(%out: f32):
      %i = linalg.index 0 : index
      %j = arith.index_cast %i : index to i32
      %f = arith.sitofp %j : i32 to f32
      linalg.yield %f : f32
    } -> tensor<32x16xf32>
    return %0 : tensor<32x16xf32>
  }
}
