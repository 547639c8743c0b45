// REQUIRES: weft
// RUN: weft-opt %s --weft-bufferize-kernels | FileCheck %s
// RUN: weft run %s --quiet --threads=2 --input='x=5xf32=1 2 3 4 5' --input='n=2xi64=3 0' \
// RUN:   --expect='output0=5xf32=5 4 3 2 1' --expect='output1=5xf32=12 40 84 144 220'

// What a plugin's decomposition of a scan may look like: a loop in a kernel whose
// state is read at other positions than those that are written, so that no
// iteration can work in place. The state stays in one buffer.

// CHECK-LABEL: weft.kernel @reverse
// CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %{{.*}})
// CHECK:   %[[NEXT:.*]] = memref.alloc
// CHECK:   linalg.generic {{.*}} outs(%[[NEXT]]
// CHECK:   linalg.copy ins(%[[NEXT]] {{.*}} outs(%[[STATE]]
// CHECK:   scf.yield %[[STATE]]
#flip = affine_map<(d0) -> (4 - d0)>
#id = affine_map<(d0) -> (d0)>
weft.kernel @reverse(%n: index, %x: tensor<5xf32>, %out: tensor<5xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%state = %x) -> tensor<5xf32> {
    %empty = tensor.empty() : tensor<5xf32>
    %next = linalg.generic {indexing_maps = [#flip, #id], iterator_types = ["parallel"]}
        ins(%state : tensor<5xf32>) outs(%empty : tensor<5xf32>) {
    ^bb0(%e: f32, %o: f32):
      linalg.yield %e : f32
    } -> tensor<5xf32>
    scf.yield %next : tensor<5xf32>
  }
  %copy = linalg.copy ins(%y : tensor<5xf32>) outs(%out : tensor<5xf32>) -> tensor<5xf32>
  weft.yield %copy : tensor<5xf32>
}

// Two states that change places, of dynamic extent, with a loop in the loop.
// CHECK-LABEL: weft.kernel @swap
weft.kernel @swap(%n: index, %one: index, %x: tensor<?xf32>, %out: tensor<?xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %d = tensor.dim %x, %c0 : tensor<?xf32>
  %two = arith.constant 2.0 : f32
  %start = tensor.empty(%d) : tensor<?xf32>
  %b0 = linalg.fill ins(%two : f32) outs(%start : tensor<?xf32>) -> tensor<?xf32>
  // (a, b) -> (b, a * b), three times: x, 2; 2, 2x; 2x, 4x; 4x, 8x^2.
  %y:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %b0) -> (tensor<?xf32>, tensor<?xf32>) {
    %inner = scf.for %j = %c0 to %one step %c1 iter_args(%s = %b) -> tensor<?xf32> {
      %empty = tensor.empty(%d) : tensor<?xf32>
      %next = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
          ins(%a, %s : tensor<?xf32>, tensor<?xf32>) outs(%empty : tensor<?xf32>) {
      ^bb0(%e: f32, %f: f32, %o: f32):
        %p = arith.mulf %e, %f : f32
        linalg.yield %p : f32
      } -> tensor<?xf32>
      scf.yield %next : tensor<?xf32>
    }
    scf.yield %b, %inner : tensor<?xf32>, tensor<?xf32>
  }
  // 4x + 8x^2.
  %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%y#0, %y#1 : tensor<?xf32>, tensor<?xf32>) outs(%out : tensor<?xf32>) {
  ^bb0(%e: f32, %f: f32, %o: f32):
    %p = arith.addf %e, %f : f32
    linalg.yield %p : f32
  } -> tensor<?xf32>
  weft.yield %sum : tensor<?xf32>
}

func.func @main(%x: tensor<5xf32> {weft.name = "x"}, %n: tensor<2xi64> {weft.name = "n"}) -> (tensor<5xf32>, tensor<5xf32>) {
  %c0 = arith.constant 0 : index
  %times = tensor.extract %n[%c0] : tensor<2xi64>
  %count = arith.index_cast %times : i64 to index
  %e = tensor.empty() : tensor<5xf32>
  %y = weft.dispatch @reverse[%count] ins(%x : tensor<5xf32>) outs(%e : tensor<5xf32>) -> tensor<5xf32>
  %f = tensor.empty() : tensor<5xf32>
  %unit = arith.constant 1 : index
  %once = arith.minsi %unit, %count : index
  %dx = tensor.cast %x : tensor<5xf32> to tensor<?xf32>
  %df = tensor.cast %f : tensor<5xf32> to tensor<?xf32>
  %dz = weft.dispatch @swap[%count, %once] ins(%dx : tensor<?xf32>) outs(%df : tensor<?xf32>) -> tensor<?xf32>
  %z = tensor.cast %dz : tensor<?xf32> to tensor<5xf32>
  return %y, %z : tensor<5xf32>, tensor<5xf32>
}
