// RUN: weft-opt %s --weft-raise-softmax --canonicalize | FileCheck %s

// Narrow floats, which are computed in f32 and rounded after each operation.

#id = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#one = affine_map<(d0) -> (d0)>

// The softmax is computed in f32 and rounded once.

// CHECK-LABEL: func.func @half(
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x7xf16>) outs(%{{.*}} : tensor<?x7xf32>)
// CHECK: arith.extf
// CHECK: %[[Y:.*]] = linalg.softmax dimension(1) ins(%[[WIDE]] : tensor<?x7xf32>)
// CHECK: %[[NARROW:.*]] = linalg.generic {{.*}} ins(%[[Y]] : tensor<?x7xf32>) outs(%{{.*}} : tensor<?x7xf16>)
// CHECK: arith.truncf
// CHECK: return %[[NARROW]]
func.func @half(%x: tensor<?x7xf16>, %other: tensor<?x7xf16>, %init: tensor<?x7xf16>, %wide: tensor<?xf32>, %narrow: tensor<?xf16>) -> tensor<?x7xf16> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %lows = linalg.fill ins(%least : f32) outs(%wide : tensor<?xf32>) -> tensor<?xf32>
  %maxw = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x7xf16>) outs(%lows : tensor<?xf32>) {
  ^bb0(%a: f16, %b: f32):
    %f = arith.extf %a : f16 to f32
    %r = arith.maximumf %b, %f : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%maxw : tensor<?xf32>) outs(%narrow : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?xf16>
  %d = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %max : tensor<?x7xf16>, tensor<?xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %a1: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %x1 = arith.extf %a1 : f16 to f32
    %r = arith.subf %x0, %x1 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  %e = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<?x7xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %r = math.exp %x0 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  %zeros = linalg.fill ins(%zero : f32) outs(%wide : tensor<?xf32>) -> tensor<?xf32>
  %sumw = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<?x7xf16>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%a: f16, %b: f32):
    %f = arith.extf %a : f16 to f32
    %r = arith.addf %b, %f : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%sumw : tensor<?xf32>) outs(%narrow : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?xf16>
  %y = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %sum : tensor<?x7xf16>, tensor<?xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %a1: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %x1 = arith.extf %a1 : f16 to f32
    %r = arith.divf %x0, %x1 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  return %y : tensor<?x7xf16>
}

// The largest of another tensor.

// CHECK-LABEL: func.func @other(
// CHECK-NOT: linalg.softmax
// CHECK: return
func.func @other(%x: tensor<?x7xf16>, %other: tensor<?x7xf16>, %init: tensor<?x7xf16>, %wide: tensor<?xf32>, %narrow: tensor<?xf16>) -> tensor<?x7xf16> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %lows = linalg.fill ins(%least : f32) outs(%wide : tensor<?xf32>) -> tensor<?xf32>
  %maxw = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%other : tensor<?x7xf16>) outs(%lows : tensor<?xf32>) {
  ^bb0(%a: f16, %b: f32):
    %f = arith.extf %a : f16 to f32
    %r = arith.maximumf %b, %f : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%maxw : tensor<?xf32>) outs(%narrow : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?xf16>
  %d = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %max : tensor<?x7xf16>, tensor<?xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %a1: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %x1 = arith.extf %a1 : f16 to f32
    %r = arith.subf %x0, %x1 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  %e = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<?x7xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %r = math.exp %x0 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  %zeros = linalg.fill ins(%zero : f32) outs(%wide : tensor<?xf32>) -> tensor<?xf32>
  %sumw = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<?x7xf16>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%a: f16, %b: f32):
    %f = arith.extf %a : f16 to f32
    %r = arith.addf %b, %f : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%sumw : tensor<?xf32>) outs(%narrow : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?xf16>
  %y = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %sum : tensor<?x7xf16>, tensor<?xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %a1: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %x1 = arith.extf %a1 : f16 to f32
    %r = arith.divf %x0, %x1 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  return %y : tensor<?x7xf16>
}

// Another function.

// CHECK-LABEL: func.func @exp2(
// CHECK-NOT: linalg.softmax
// CHECK: return
func.func @exp2(%x: tensor<?x7xf16>, %other: tensor<?x7xf16>, %init: tensor<?x7xf16>, %wide: tensor<?xf32>, %narrow: tensor<?xf16>) -> tensor<?x7xf16> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %lows = linalg.fill ins(%least : f32) outs(%wide : tensor<?xf32>) -> tensor<?xf32>
  %maxw = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x7xf16>) outs(%lows : tensor<?xf32>) {
  ^bb0(%a: f16, %b: f32):
    %f = arith.extf %a : f16 to f32
    %r = arith.maximumf %b, %f : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %max = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%maxw : tensor<?xf32>) outs(%narrow : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?xf16>
  %d = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %max : tensor<?x7xf16>, tensor<?xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %a1: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %x1 = arith.extf %a1 : f16 to f32
    %r = arith.subf %x0, %x1 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  %e = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<?x7xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %r = math.exp2 %x0 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  %zeros = linalg.fill ins(%zero : f32) outs(%wide : tensor<?xf32>) -> tensor<?xf32>
  %sumw = linalg.generic {indexing_maps = [#id, #rows], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<?x7xf16>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%a: f16, %b: f32):
    %f = arith.extf %a : f16 to f32
    %r = arith.addf %b, %f : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%sumw : tensor<?xf32>) outs(%narrow : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %n = arith.truncf %a : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?xf16>
  %y = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %sum : tensor<?x7xf16>, tensor<?xf16>) outs(%init : tensor<?x7xf16>) {
  ^bb0(%a0: f16, %a1: f16, %o: f16):
    %x0 = arith.extf %a0 : f16 to f32
    %x1 = arith.extf %a1 : f16 to f32
    %r = arith.divf %x0, %x1 : f32
    %n = arith.truncf %r : f32 to f16
    linalg.yield %n : f16
  } -> tensor<?x7xf16>
  return %y : tensor<?x7xf16>
}
