// All k of a product are known: LLVM would unroll the loops over them and read what is
// staged into more registers than there are.
// RUN: weft-opt %s --weft-map-to-gpu | FileCheck %s --check-prefix=LOOPS
// RUN: weft-opt %s --weft-map-to-gpu --weft-amdgpu-serialize | FileCheck %s

// LOOPS-DAG: #[[EIGHT:.*]] = #llvm.loop_unroll<count = 8 : i32>
// LOOPS-DAG: #[[ROLLED:.*]] = #llvm.loop_unroll<disable = true>
// LOOPS-DAG: #[[INNER:.*]] = #llvm.loop_annotation<unroll = #[[EIGHT]]>
// LOOPS-DAG: #[[OUTER:.*]] = #llvm.loop_annotation<unroll = #[[ROLLED]]>
// LOOPS: scf.for
// LOOPS: } {loop_annotation = #[[INNER]]}
// LOOPS: } {loop_annotation = #[[OUTER]]}

// CHECK: gpu.binary @product_gpu
// CHECK-COUNT-5: spills = 0 : i64, workgroup_bytes
weft.kernel @product(%n: index, %x: memref<?x64xf32>, %w: memref<64x64xf32>, %y: memref<?x64xf32>) outs 1
    attributes {schedule = #weft.schedule<parallel = [64, 64, 0] vector = [4, 4, 1]>} {
  scf.forall (%i) = (0) to (%n) step (64) {
    %r = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 64)>(%i)[%n]
    %xs = memref.subview %x[%i, 0] [%r, 64] [1, 1] : memref<?x64xf32> to memref<?x64xf32, strided<[64, 1], offset: ?>>
    %ys = memref.subview %y[%i, 0] [%r, 64] [1, 1] : memref<?x64xf32> to memref<?x64xf32, strided<[64, 1], offset: ?>>
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%xs, %w : memref<?x64xf32, strided<[64, 1], offset: ?>>, memref<64x64xf32>) outs(%ys : memref<?x64xf32, strided<[64, 1], offset: ?>>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    }
  }
  weft.yield
}
