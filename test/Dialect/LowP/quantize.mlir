// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference --canonicalize | FileCheck %s --check-prefix=REF
// RUN: weft-opt %s --weft-convert-packed | FileCheck %s --check-prefix=PARTS

!rows = !weft.packed<?x64xf32, #weft.format<elem = #lowp.int<8, signed>,
                                            scales = [#lowp.scale<multiply, [1, 0], f32>]>>
!nvfp4 = !weft.packed<?x64xf32, #weft.format<elem = #lowp.float<f4E2M1FN>,
  scales = [#lowp.scale<multiply, [1, 16], #weft.format<elem = #lowp.float<f8E4M3FN>>>,
            #lowp.scale<multiply, [], f32>]>>

// CHECK-LABEL: @rows
// CHECK: %{{.*}}, %{{.*}} = lowp.quantize %{{.*}} by absmax sums [1, 0] : tensor<?x64xf32> -> <?x64xf32, {{.*}}>, tensor<?x1xi32>
// A maximum of each row, a division for each, and the codes of all.
// REF-LABEL: @rows
// REF: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// REF: math.absf
// REF: arith.maximumf
// REF: arith.divf %{{.*}}, %cst
// REF: math.roundeven
// PARTS-LABEL: @rows
// PARTS-SAME: -> (tensor<?x64xi8>, tensor<?x1xi32>)
// PARTS-NOT: lowp.quantize
func.func @rows(%x: tensor<?x64xf32>) -> (tensor<?x64xi8>, tensor<?x1xi32>) {
  %q, %sums = lowp.quantize %x by absmax sums [1, 0] : tensor<?x64xf32> -> !rows, tensor<?x1xi32>
  %codes, %scales = weft.disassemble %q : !rows -> tensor<?x64xi8>, tensor<?x1xf32>
  return %codes, %sums : tensor<?x64xi8>, tensor<?x1xi32>
}

// The outer scale is found first: 448 * 6 = 2688.
// CHECK-LABEL: @nested
// CHECK: lowp.quantize %{{.*}} by absmax : tensor<?x64xf32> -> <?x64xf32, {{.*}}>
// REF-LABEL: @nested
// REF-DAG: %[[BOTH:.*]] = arith.constant 2.688000e+03 : f32
// REF: arith.divf %{{.*}}, %[[BOTH]]
func.func @nested(%x: tensor<?x64xf32>) -> tensor<f32> {
  %q = lowp.quantize %x by absmax : tensor<?x64xf32> -> !nvfp4
  %codes, %inner, %outer = weft.disassemble %q
    : !nvfp4 -> tensor<?xi8>, tensor<?x4xi8>, tensor<f32>
  return %outer : tensor<f32>
}

// CHECK-LABEL: @statistics
// CHECK: lowp.observe absmax %{{.*}} blocks [0, 1] : tensor<?x7xf32> -> tensor<1x7xf32>
// CHECK: lowp.observe sum_of_squares %{{.*}} blocks [] : tensor<?x7xf32> -> tensor<f32>
// CHECK: lowp.histogram %{{.*}} from %{{.*}} to %{{.*}} : tensor<?x7xf32>, f32 -> tensor<16xi32>
func.func @statistics(%x: tensor<?x7xf32>, %low: f32, %high: f32)
    -> (tensor<1x7xf32>, tensor<f32>, tensor<16xi32>) {
  %0 = lowp.observe absmax %x blocks [0, 1] : tensor<?x7xf32> -> tensor<1x7xf32>
  %1 = lowp.observe sum_of_squares %x blocks [] : tensor<?x7xf32> -> tensor<f32>
  %2 = lowp.histogram %x from %low to %high : tensor<?x7xf32>, f32 -> tensor<16xi32>
  return %0, %1, %2 : tensor<1x7xf32>, tensor<f32>, tensor<16xi32>
}

// Blocks that do not fill the tensor test their positions.
// REF-LABEL: @partial
// REF: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// REF: arith.cmpi ult
// REF: tensor.extract
// REF: arith.select
func.func @partial(%x: tensor<45xf32>) -> tensor<3xf32> {
  %0 = lowp.observe min %x blocks [16] : tensor<45xf32> -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// What is in a basis is encoded as its format says.
// CHECK-LABEL: @in_basis
// CHECK: lowp.quantize {{.*}}#lowp.in_basis
// PARTS-LABEL: @in_basis
// PARTS-SAME: -> (tensor<?x64xi8>, tensor<?x1xi32>)
// PARTS-NOT: lowp.quantize
!turned = !weft.packed<?x64xf32, #lowp.in_basis<
  #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>]>,
  1, #lowp.hadamard<64>>>
func.func @in_basis(%x: tensor<?x64xf32>) -> (tensor<?x64xi8>, tensor<?x1xi32>) {
  %r = lowp.rotate %x by #lowp.hadamard<64> along 1 : tensor<?x64xf32>
  %q, %sums = lowp.quantize %r by absmax sums [1, 0] : tensor<?x64xf32> -> !turned, tensor<?x1xi32>
  %codes, %scales = weft.disassemble %q : !turned -> tensor<?x64xi8>, tensor<?x1xf32>
  return %codes, %sums : tensor<?x64xi8>, tensor<?x1xi32>
}
