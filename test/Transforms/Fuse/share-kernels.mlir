// Kernels that differ in the values of float constants become one, which takes those as
// arguments.
// RUN: weft-opt %s --split-input-file --weft-share-kernels | FileCheck %s

// The constant in which both agree stays; index arguments come before tensors.
// CHECK-LABEL: func.func @scales
// CHECK-SAME: %[[N:[^:]+]]: index
// CHECK: %[[A:.+]] = arith.constant 1056964608 : index
// CHECK: weft.dispatch @first[%[[N]], %[[A]]]
// CHECK: %[[B:.+]] = arith.constant 1069547520 : index
// CHECK: weft.dispatch @first[%[[N]], %[[B]]]
// CHECK: %[[C:.+]] = arith.constant 1069547520 : index
// CHECK: weft.dispatch @first[%[[N]], %[[C]]]
// CHECK: weft.kernel @first(%{{[^:]+}}: index, %[[ARGUMENT:[^:]+]]: index, %{{[^:]+}}: tensor<?xf32>
// CHECK: %[[BITS:.+]] = arith.index_castui %[[ARGUMENT]] : index to i32
// CHECK: %[[SCALE:.+]] = arith.bitcast %[[BITS]] : i32 to f32
// CHECK: %[[SHIFT:.+]] = arith.constant 3.5
// CHECK: arith.mulf %{{.+}}, %[[SCALE]]
// CHECK: arith.addf %{{.+}}, %[[SHIFT]]
// CHECK-NOT: weft.kernel @second
func.func @scales(%n: index, %x: tensor<?xf32>, %out: tensor<?xf32>) -> tensor<?xf32> {
  %0 = weft.dispatch @first[%n] ins(%x : tensor<?xf32>) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  %1 = weft.dispatch @second[%n] ins(%0 : tensor<?xf32>) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  %2 = weft.dispatch @second[%n] ins(%1 : tensor<?xf32>) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  return %2 : tensor<?xf32>
}
weft.kernel @first(%n: index, %x: tensor<?xf32>, %out: tensor<?xf32>) outs 1 {
  %scale = arith.constant 0.5 : f32
  %shift = arith.constant 3.5 : f32
  %y = linalg.map ins(%x : tensor<?xf32>) outs(%out : tensor<?xf32>) (%a: f32, %o: f32) {
    %m = arith.mulf %a, %scale : f32
    %s = arith.addf %m, %shift : f32
    linalg.yield %s : f32
  }
  weft.yield %y : tensor<?xf32>
}
// Constants in another order are no difference.
weft.kernel @second(%n: index, %x: tensor<?xf32>, %out: tensor<?xf32>) outs 1 {
  %shift = arith.constant 3.5 : f32
  %scale = arith.constant 1.5 : f32
  %y = linalg.map ins(%x : tensor<?xf32>) outs(%out : tensor<?xf32>) (%a: f32, %o: f32) {
    %m = arith.mulf %a, %scale : f32
    %s = arith.addf %m, %shift : f32
    linalg.yield %s : f32
  }
  weft.yield %y : tensor<?xf32>
}

// -----

// Doubles and halves by their bits.
// CHECK-LABEL: func.func @widths
// CHECK: arith.constant 4602678819172646912 : index
// CHECK: arith.constant 14336 : index
// CHECK: weft.dispatch @wide
// CHECK: weft.dispatch @wide
// CHECK: weft.kernel @wide
// CHECK-DAG: arith.bitcast %{{.+}} : i64 to f64
// CHECK-DAG: arith.bitcast %{{.+}} : i16 to f16
func.func @widths(%x: tensor<4xf64>, %h: tensor<4xf16>, %out: tensor<4xf64>) -> tensor<4xf64> {
  %0 = weft.dispatch @wide ins(%x, %h : tensor<4xf64>, tensor<4xf16>) outs(%out : tensor<4xf64>) -> tensor<4xf64>
  %1 = weft.dispatch @wide2 ins(%0, %h : tensor<4xf64>, tensor<4xf16>) outs(%out : tensor<4xf64>) -> tensor<4xf64>
  return %1 : tensor<4xf64>
}
weft.kernel @wide(%x: tensor<4xf64>, %h: tensor<4xf16>, %out: tensor<4xf64>) outs 1 {
  %scale = arith.constant 0.5 : f64
  %shift = arith.constant 0.5 : f16
  %y = linalg.map ins(%x, %h : tensor<4xf64>, tensor<4xf16>) outs(%out : tensor<4xf64>) (%a: f64, %b: f16, %o: f64) {
    %m = arith.mulf %a, %scale : f64
    %s = arith.mulf %b, %shift : f16
    %e = arith.extf %s : f16 to f64
    %r = arith.addf %m, %e : f64
    linalg.yield %r : f64
  }
  weft.yield %y : tensor<4xf64>
}
weft.kernel @wide2(%x: tensor<4xf64>, %h: tensor<4xf16>, %out: tensor<4xf64>) outs 1 {
  %scale = arith.constant 0.75 : f64
  %shift = arith.constant 0.125 : f16
  %y = linalg.map ins(%x, %h : tensor<4xf64>, tensor<4xf16>) outs(%out : tensor<4xf64>) (%a: f64, %b: f16, %o: f64) {
    %m = arith.mulf %a, %scale : f64
    %s = arith.mulf %b, %shift : f16
    %e = arith.extf %s : f16 to f64
    %r = arith.addf %m, %e : f64
    linalg.yield %r : f64
  }
  weft.yield %y : tensor<4xf64>
}

// -----

// Zero, one, infinities, exponents, and powers of two that divide decide what code is made.
// CHECK-LABEL: func.func @kept
// CHECK-NOT: arith.constant
// CHECK: weft.kernel @kept0
// CHECK: weft.kernel @kept1
// CHECK: weft.kernel @power0
// CHECK: weft.kernel @power1
// CHECK: weft.kernel @half
// CHECK: weft.kernel @quarter
func.func @kept(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> {
  %0 = weft.dispatch @kept0 ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %1 = weft.dispatch @kept1 ins(%0 : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %2 = weft.dispatch @power0 ins(%1 : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %3 = weft.dispatch @power1 ins(%2 : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %4 = weft.dispatch @half ins(%3 : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %5 = weft.dispatch @quarter ins(%4 : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  return %5 : tensor<4xf32>
}
weft.kernel @kept0(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 0.0 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.maximumf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @kept1(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 6.0 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.maximumf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @power0(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 2.0 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = math.powf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @power1(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 3.0 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = math.powf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @half(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 2.0 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.divf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @quarter(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 4.0 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.divf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}

// -----

// A kernel that nothing dispatches is left alone.
// CHECK: weft.kernel @one
// CHECK: weft.kernel @other
weft.kernel @one(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 2.5 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.mulf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @other(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 3.5 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.mulf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}

// A NaN is no argument, and what looks like one is not taken for it.
// CHECK-LABEL: func.func @nan
// CHECK: weft.dispatch @[[NAN:.+]] ins(%{{.+}} : tensor<4xf32>)
// CHECK: weft.dispatch @[[NUMBER:.+]] ins(%{{.+}} : tensor<4xf32>)
// CHECK: weft.kernel @[[NAN]](%{{.+}}: tensor<4xf32>, %{{.+}}: tensor<4xf32>)
// CHECK: weft.kernel @[[NUMBER]](%{{.+}}: tensor<4xf32>, %{{.+}}: tensor<4xf32>)
func.func @nan(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> {
  %0 = weft.dispatch @least_nan ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %1 = weft.dispatch @least_number ins(%0 : tensor<4xf32>) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
weft.kernel @least_nan(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 0x7FC00000 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.minimumf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
weft.kernel @least_number(%x: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c = arith.constant 2.5 : f32
  %y = linalg.map ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) (%a: f32, %o: f32) {
    %m = arith.minimumf %a, %c : f32
    linalg.yield %m : f32
  }
  weft.yield %y : tensor<4xf32>
}
