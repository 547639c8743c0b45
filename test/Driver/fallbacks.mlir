// What runs without its fast path is a remark and a line of the summary, with
// the node's name and the reason; what is small or fast is neither.

// REQUIRES: weft
// RUN: rm -rf %t && mkdir %t
// RUN: weft compile %s --cpu=x86-64-v3 --remarks=vector -o %t/m.so > %t/summary 2> %t/remarks
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not=remark: < %t/remarks
// REMARK: remark: vector: fallback of 'scatter_{{[0-9]+}}' (big_scatter): Reason = weft.scatter runs serially, by its reference lowering
// RUN: FileCheck %s --check-prefix=SUMMARY < %t/summary
// SUMMARY: kernels   3, of them 1 fallbacks
// SUMMARY-NEXT: scatter_{{[0-9]+}} (big_scatter): weft.scatter runs serially, by its reference lowering
// RUN: weft inspect %t/m.so | FileCheck %s --check-prefix=INSPECT
// INSPECT: scatter_{{.*}}fallback (big_scatter): weft.scatter runs serially
// INSPECT-NOT: fallback
// RUN: weft inspect --json %t/m.so | FileCheck %s --check-prefix=JSON
// JSON: "nodes": "big_scatter"

// Decisions are remarks too, by stage.
// RUN: weft compile %s --cpu=x86-64-v3 --remarks -o %t/m.so 2>&1 | FileCheck %s --check-prefix=ALL
// ALL-DAG: remark: fuse: kernel of 'contract_{{[0-9]+}}' (product): Operations = 1
// ALL-DAG: remark: tile: schedule of 'contract_{{[0-9]+}}' (product): Schedule = #weft.schedule
// ALL-DAG: remark: buffer: arena of 'main': Bytes =

// RUN: not weft compile %s "--remarks=[" -o %t/none.so 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: --remarks=[: expected a regular expression of categories

// Upstream's options do the same in weft-opt.
// RUN: weft-opt %s --weft-model --weft-fuse --weft-tile --weft-vector --remarks-filter=vector 2>&1 >/dev/null | FileCheck %s --check-prefix=OPT
// OPT: fallback
// OPT-SAME: weft.scatter runs serially

func.func @main(%a: tensor<128x128xf32> {weft.name = "a"}, %b: tensor<8192xf32> {weft.name = "b"},
                %c: tensor<4x4xf32> {weft.name = "c"}, %i: tensor<8192x2xi64> {weft.name = "i"})
    -> (tensor<128x128xf32> {weft.name = "p"}, tensor<128x128xf32> {weft.name = "s"}, tensor<4x4xf32> {weft.name = "t"}, tensor<4x4xi64> {weft.name = "j"}) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<128x128xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<128x128xf32>) -> tensor<128x128xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %a : tensor<128x128xf32>, tensor<128x128xf32>) outs(%init : tensor<128x128xf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %product = arith.mulf %x, %y : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<128x128xf32> loc("product")
  %s = weft.scatter ins(%i, %b : tensor<8192x2xi64>, tensor<8192xf32>) outs(%a : tensor<128x128xf32>) attributes {weft.checked} {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<128x128xf32> loc("big_scatter")
  %te = tensor.empty() : tensor<4x4xf32>
  %je = tensor.empty() : tensor<4x4xi64>
  %t, %j = weft.sort dimension = 1 ins(%c : tensor<4x4xf32>)
      outs(%te, %je : tensor<4x4xf32>, tensor<4x4xi64>) -> tensor<4x4xf32>, tensor<4x4xi64> loc("small_sort")
  return %p, %s, %t, %j : tensor<128x128xf32>, tensor<128x128xf32>, tensor<4x4xf32>, tensor<4x4xi64>
}
