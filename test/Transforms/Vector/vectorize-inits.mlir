// What a result starts from is kept where the operation reads it as an input too,
// or does not write all of it; results that several iterations write stay loops, as
// do elements whose vectors lie in memory in another way.

// RUN: weft-opt %s --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-reductions,weft-vectorize-elementwise))' | FileCheck %s

#id = affine_map<(d0) -> (d0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>} {

// CHECK-LABEL: weft.kernel @input_and_init
// CHECK: %[[FILLED:.*]] = linalg.fill
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[FILLED]])
// CHECK: vector.transfer_read
// CHECK: vector.transfer_write
weft.kernel @input_and_init(%out: tensor<64xf32>) outs 1 {
  %one = arith.constant 1.0 : f32
  %f = linalg.fill ins(%one : f32) outs(%out : tensor<64xf32>) -> tensor<64xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%f : tensor<64xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %a : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  weft.yield %y : tensor<64xf32>
}

// One row of three is written.
// CHECK-LABEL: weft.kernel @part
// CHECK: %[[FILLED:.*]] = linalg.fill
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[FILLED]])
weft.kernel @part(%x: tensor<64xf32>, %out: tensor<3x64xf32>) outs 1 {
  %five = arith.constant 5.0 : f32
  %f = linalg.fill ins(%five : f32) outs(%out : tensor<3x64xf32>) -> tensor<3x64xf32>
  %y = linalg.generic {indexing_maps = [#id, affine_map<(d0) -> (0, d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%f : tensor<3x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<3x64xf32>
  weft.yield %y : tensor<3x64xf32>
}

// CHECK-LABEL: weft.kernel @written_often
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK-NOT: vector.
weft.kernel @written_often(%x: tensor<4x64xf32>, %z: tensor<64xf32>, %out: tensor<f32>, %row: tensor<64xf32>) outs 2 {
  %y = linalg.generic {indexing_maps = [#id2, affine_map<(d0, d1) -> ()>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x64xf32>) outs(%out : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["reduction"]}
      ins(%z : tensor<64xf32>) outs(%row : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  weft.yield %y, %r : tensor<f32>, tensor<64xf32>
}

// CHECK-LABEL: weft.kernel @other_layouts
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: vector.
weft.kernel @other_layouts(%p: tensor<64xi1>, %q: tensor<64xi48>, %r: tensor<64xindex>,
                           %a: tensor<64xi1>, %b: tensor<i48>, %c: tensor<64xindex>) outs 3 {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%p : tensor<64xi1>) outs(%a : tensor<64xi1>) {
  ^bb0(%x: i1, %o: i1):
    linalg.yield %x : i1
  } -> tensor<64xi1>
  %1 = linalg.generic {indexing_maps = [#id, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%q : tensor<64xi48>) outs(%b : tensor<i48>) {
  ^bb0(%x: i48, %o: i48):
    %s = arith.addi %o, %x : i48
    linalg.yield %s : i48
  } -> tensor<i48>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%r : tensor<64xindex>) outs(%c : tensor<64xindex>) {
  ^bb0(%x: index, %o: index):
    linalg.yield %x : index
  } -> tensor<64xindex>
  weft.yield %0, %1, %2 : tensor<64xi1>, tensor<i48>, tensor<64xindex>
}

// A bound below the last byte is no bound of the codes.
// CHECK-LABEL: weft.kernel @bounded_codes
// CHECK: vector.transfer_read %{{.*}} : tensor<8xi8>, vector<8xi8>
// CHECK: linalg.generic
// CHECK: arith.minui
weft.kernel @bounded_codes(%codes: tensor<8xi8>, %o0: tensor<16xi8>, %o1: tensor<16xi8>) outs 2 {
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %last = arith.constant 7 : index
  %bound = arith.constant 3 : index
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%o0 : tensor<16xi8>) {
  ^bb0(%o: i8):
    %i = linalg.index 0 : index
    %bit = arith.muli %i, %c4 : index
    %byte = arith.divui %bit, %c8 : index
    %at = arith.minui %byte, %last : index
    %x = tensor.extract %codes[%at] : tensor<8xi8>
    linalg.yield %x : i8
  } -> tensor<16xi8>
  %1 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%o1 : tensor<16xi8>) {
  ^bb0(%o: i8):
    %i = linalg.index 0 : index
    %bit = arith.muli %i, %c4 : index
    %byte = arith.divui %bit, %c8 : index
    %at = arith.minui %byte, %bound : index
    %x = tensor.extract %codes[%at] : tensor<8xi8>
    linalg.yield %x : i8
  } -> tensor<16xi8>
  weft.yield %0, %1 : tensor<16xi8>, tensor<16xi8>
}
}
