// Every function of the math dialect that is not an instruction becomes arithmetic,
// for scalars and vectors of any rank.
// RUN: weft-opt %s --weft-expand-math | FileCheck %s
// RUN: weft-opt %s --weft-expand-math | FileCheck %s --check-prefix=NONE
// RUN: weft-opt %s --weft-expand-math --cse | weft-opt --weft-expand-math | FileCheck %s --check-prefix=NONE

// Nothing is left but what every target has as an instruction.
// NONE-NOT: math.{{exp|log|sin|cos|tan|a[cst]|erf|pow|fpow|ipow|cbrt|rsqrt|round |clamp}}

// e^x in f32 is twelve float operations, four integer ones and the clamp, with no
// conversion between integers and floats.
// CHECK-LABEL: func @exp_f32
// CHECK-NOT: arith.extf
// CHECK-NOT: arith.sitofp
// CHECK-NOT: arith.fptosi
// CHECK-COUNT-9: math.fma {{.*}} : vector<16xf32>
// CHECK-NOT: math.fma
// CHECK: arith.bitcast {{.*}} : vector<16xi32> to vector<16xf32>
// CHECK: return
func.func @exp_f32(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: func @exp_f16
// CHECK: arith.extf %{{.*}} : vector<4x8xf16> to vector<4x8xf32>
// CHECK: arith.truncf %{{.*}} : vector<4x8xf32> to vector<4x8xf16>
func.func @exp_f16(%x: vector<4x8xf16>) -> vector<4x8xf16> {
  %y = math.exp %x : vector<4x8xf16>
  return %y : vector<4x8xf16>
}

// bf16 is converted in integers: a conversion would be a call on most x86.
// CHECK-LABEL: func @tanh_bf16
// CHECK-NOT: arith.extf
// CHECK: arith.bitcast %{{.*}} : bf16 to i16
// CHECK-NOT: arith.truncf
// CHECK: %[[BITS:.*]] = arith.trunci %{{.*}} : i32 to i16
// CHECK: arith.bitcast %[[BITS]] : i16 to bf16
func.func @tanh_bf16(%x: bf16) -> bf16 {
  %y = math.tanh %x : bf16
  return %y : bf16
}

// So is what is only converted: the instruction flushes subnormal numbers.
// CHECK-LABEL: func @to_bf16
// CHECK-NOT: arith.truncf
// CHECK: arith.trunci %{{.*}} : vector<16xi32> to vector<16xi16>
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @to_bf16(%x: vector<16xf32>) -> vector<16xbf16> {
  %y = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %y : vector<16xbf16>
}

// Other conversions stay.
// CHECK-LABEL: func @to_other
// CHECK: arith.truncf %{{.*}} : vector<16xf32> to vector<16xf16>
// CHECK: arith.truncf %{{.*}} : f64 to bf16
func.func @to_other(%x: vector<16xf32>, %y: f64) -> (vector<16xf16>, bf16) {
  %a = arith.truncf %x : vector<16xf32> to vector<16xf16>
  %b = arith.truncf %y : f64 to bf16
  return %a, %b : vector<16xf16>, bf16
}

// The reduction of huge arguments runs only where some lane needs it.
// CHECK-LABEL: func @sin_f32
// CHECK: %[[ANY:.*]] = vector.reduction <or>, %{{.*}} : vector<32xi1> into i1
// CHECK: scf.if %[[ANY]]
// CHECK: scf.for
// CHECK: else
func.func @sin_f32(%x: vector<4x8xf32>) -> vector<4x8xf32> {
  %y = math.sin %x : vector<4x8xf32>
  return %y : vector<4x8xf32>
}

// One reduction serves both.
// CHECK-LABEL: func @sincos
// CHECK-COUNT-1: scf.if
// CHECK-NOT: scf.if
// CHECK: return
func.func @sincos(%x: f64) -> (f64, f64) {
  %s, %c = math.sincos %x : f64
  return %s, %c : f64, f64
}

// CHECK-LABEL: func @square
// CHECK-NEXT: arith.constant
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %arg0, %arg0 : vector<8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @square(%x: vector<8xf32>) -> vector<8xf32> {
  %two = arith.constant dense<2.0> : vector<8xf32>
  %y = math.powf %x, %two : vector<8xf32>
  return %y : vector<8xf32>
}

// CHECK-LABEL: func @rsqrt
// CHECK: %[[ROOT:.*]] = math.sqrt %arg0 : vector<8xf32>
// CHECK: arith.divf %{{.*}}, %[[ROOT]] : vector<8xf32>
func.func @rsqrt(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.rsqrt %x : vector<8xf32>
  return %y : vector<8xf32>
}

// Instructions stay.
// CHECK-LABEL: func @instructions
// CHECK-NEXT: math.sqrt
// CHECK-NEXT: math.floor
// CHECK-NEXT: math.ceil
// CHECK-NEXT: math.trunc
// CHECK-NEXT: math.roundeven
// CHECK-NEXT: math.absf
// CHECK-NEXT: math.isnan
func.func @instructions(%x: vector<8xf32>) -> (vector<8xf32>, vector<8xi1>) {
  %0 = math.sqrt %x : vector<8xf32>
  %1 = math.floor %0 : vector<8xf32>
  %2 = math.ceil %1 : vector<8xf32>
  %3 = math.trunc %2 : vector<8xf32>
  %4 = math.roundeven %3 : vector<8xf32>
  %5 = math.absf %4 : vector<8xf32>
  %6 = math.isnan %5 : vector<8xf32>
  return %5, %6 : vector<8xf32>, vector<8xi1>
}

// CHECK-LABEL: func @vectors_f32
func.func @vectors_f32(%x: vector<2x4xf32>, %y: vector<2x4xf32>, %n: vector<2x4xi32>)
    -> (vector<2x4xf32>, vector<2x4xi32>) {
  %exp = math.exp %x : vector<2x4xf32>
  %exp2 = math.exp2 %exp : vector<2x4xf32>
  %expm1 = math.expm1 %exp2 : vector<2x4xf32>
  %log = math.log %expm1 : vector<2x4xf32>
  %log2 = math.log2 %log : vector<2x4xf32>
  %log10 = math.log10 %log2 : vector<2x4xf32>
  %log1p = math.log1p %log10 : vector<2x4xf32>
  %sin = math.sin %log1p : vector<2x4xf32>
  %cos = math.cos %sin : vector<2x4xf32>
  %tan = math.tan %cos : vector<2x4xf32>
  %asin = math.asin %tan : vector<2x4xf32>
  %acos = math.acos %asin : vector<2x4xf32>
  %atan = math.atan %acos : vector<2x4xf32>
  %sinh = math.sinh %atan : vector<2x4xf32>
  %cosh = math.cosh %sinh : vector<2x4xf32>
  %tanh = math.tanh %cosh : vector<2x4xf32>
  %asinh = math.asinh %tanh : vector<2x4xf32>
  %acosh = math.acosh %asinh : vector<2x4xf32>
  %atanh = math.atanh %acosh : vector<2x4xf32>
  %erf = math.erf %atanh : vector<2x4xf32>
  %erfc = math.erfc %erf : vector<2x4xf32>
  %cbrt = math.cbrt %erfc : vector<2x4xf32>
  %rsqrt = math.rsqrt %cbrt : vector<2x4xf32>
  %round = math.round %rsqrt : vector<2x4xf32>
  %sine, %cosine = math.sincos %round : vector<2x4xf32>
  %powf = math.powf %sine, %cosine : vector<2x4xf32>
  %atan2 = math.atan2 %powf, %y : vector<2x4xf32>
  %fpowi = math.fpowi %atan2, %n : vector<2x4xf32>, vector<2x4xi32>
  %ipowi = math.ipowi %n, %n : vector<2x4xi32>
  %clampf = math.clampf %fpowi to [%x, %y] : vector<2x4xf32>
  return %clampf, %ipowi : vector<2x4xf32>, vector<2x4xi32>
}

// CHECK-LABEL: func @scalars_f64
func.func @scalars_f64(%x: f64, %y: f64, %n: i64) -> (f64, i64) {
  %exp = math.exp %x : f64
  %exp2 = math.exp2 %exp : f64
  %expm1 = math.expm1 %exp2 : f64
  %log = math.log %expm1 : f64
  %log2 = math.log2 %log : f64
  %log10 = math.log10 %log2 : f64
  %log1p = math.log1p %log10 : f64
  %sin = math.sin %log1p : f64
  %cos = math.cos %sin : f64
  %tan = math.tan %cos : f64
  %asin = math.asin %tan : f64
  %acos = math.acos %asin : f64
  %atan = math.atan %acos : f64
  %sinh = math.sinh %atan : f64
  %cosh = math.cosh %sinh : f64
  %tanh = math.tanh %cosh : f64
  %asinh = math.asinh %tanh : f64
  %acosh = math.acosh %asinh : f64
  %atanh = math.atanh %acosh : f64
  %erf = math.erf %atanh : f64
  %erfc = math.erfc %erf : f64
  %cbrt = math.cbrt %erfc : f64
  %rsqrt = math.rsqrt %cbrt : f64
  %round = math.round %rsqrt : f64
  %sine, %cosine = math.sincos %round : f64
  %powf = math.powf %sine, %cosine : f64
  %atan2 = math.atan2 %powf, %y : f64
  %fpowi = math.fpowi %atan2, %n : f64, i64
  %ipowi = math.ipowi %n, %n : i64
  %clampf = math.clampf %fpowi to [%x, %y] : f64
  return %clampf, %ipowi : f64, i64
}

// CHECK-LABEL: func @vectors_f64
func.func @vectors_f64(%x: vector<f64>, %y: vector<f64>, %n: vector<i64>)
    -> (vector<f64>, vector<i64>) {
  %exp = math.exp %x : vector<f64>
  %exp2 = math.exp2 %exp : vector<f64>
  %expm1 = math.expm1 %exp2 : vector<f64>
  %log = math.log %expm1 : vector<f64>
  %log2 = math.log2 %log : vector<f64>
  %log10 = math.log10 %log2 : vector<f64>
  %log1p = math.log1p %log10 : vector<f64>
  %sin = math.sin %log1p : vector<f64>
  %cos = math.cos %sin : vector<f64>
  %tan = math.tan %cos : vector<f64>
  %asin = math.asin %tan : vector<f64>
  %acos = math.acos %asin : vector<f64>
  %atan = math.atan %acos : vector<f64>
  %sinh = math.sinh %atan : vector<f64>
  %cosh = math.cosh %sinh : vector<f64>
  %tanh = math.tanh %cosh : vector<f64>
  %asinh = math.asinh %tanh : vector<f64>
  %acosh = math.acosh %asinh : vector<f64>
  %atanh = math.atanh %acosh : vector<f64>
  %erf = math.erf %atanh : vector<f64>
  %erfc = math.erfc %erf : vector<f64>
  %cbrt = math.cbrt %erfc : vector<f64>
  %rsqrt = math.rsqrt %cbrt : vector<f64>
  %round = math.round %rsqrt : vector<f64>
  %sine, %cosine = math.sincos %round : vector<f64>
  %powf = math.powf %sine, %cosine : vector<f64>
  %atan2 = math.atan2 %powf, %y : vector<f64>
  %fpowi = math.fpowi %atan2, %n : vector<f64>, vector<i64>
  %ipowi = math.ipowi %n, %n : vector<i64>
  %clampf = math.clampf %fpowi to [%x, %y] : vector<f64>
  return %clampf, %ipowi : vector<f64>, vector<i64>
}
