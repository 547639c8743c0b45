// What is left to scalar loops is reported at the nodes that dispatch it, of each
// variant of a kernel.

// RUN: weft-opt %s --weft-report-fallbacks --remarks-filter=vector --remark-policy=all \
// RUN:   --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s
// CHECK-DAG: remark: loc("quotient"): [Missed] scalar-loops | Category:vector | Function=k |
// CHECK-DAG: remark: loc("quotient"): [Missed] scalar-loops | Category:vector | Function=k.x86-64-v3 |

#map = affine_map<(i, j) -> (i, j)>
func.func @main(%x: memref<256x256xi32>, %y: memref<256x256xi32>) {
  weft.dispatch @k ins(%x : memref<256x256xi32>) outs(%y : memref<256x256xi32>) loc("quotient")
  return
}
weft.kernel @k(%x: memref<256x256xi32>, %y: memref<256x256xi32>) outs 1 {
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<256x256xi32>) outs(%y : memref<256x256xi32>) {
  ^bb0(%a: i32, %b: i32):
    %q = arith.divsi %b, %a : i32
    linalg.yield %q : i32
  }
  weft.yield
}
weft.kernel @"k.x86-64-v3"(%x: memref<256x256xi32>, %y: memref<256x256xi32>) outs 1
    attributes {weft.variant = "x86-64-v3", weft.variant_of = @k} {
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<256x256xi32>) outs(%y : memref<256x256xi32>) {
  ^bb0(%a: i32, %b: i32):
    %q = arith.divsi %b, %a : i32
    linalg.yield %q : i32
  }
  weft.yield
}
