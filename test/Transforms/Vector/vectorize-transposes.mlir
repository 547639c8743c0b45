// RUN: weft-opt %s --split-input-file --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-transposes))' | FileCheck %s

#all = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#swapped = affine_map<(d0, d1, d2) -> (d2, d0)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>} {
// Sixteen rows of the operand become sixteen rows of the result by four rounds of
// shuffles: two of them within 128 bits, two of whole such parts. Extents that no
// square fits are left to masks, which whole squares do without.
// CHECK-LABEL: weft.kernel @dynamic
// CHECK: scf.for %[[COLUMN:.*]] = %{{.*}} to %{{.*}} step %c16
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} to %{{.*}} step %c16
// CHECK: scf.if
// CHECK-COUNT-16: vector.transfer_read %{{.*}} {in_bounds = [true]} : tensor<?x?xf32>, vector<16xf32>
// CHECK: vector.shuffle %{{.*}}, %{{.*}} [0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29] : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-31: vector.shuffle
// CHECK: vector.shuffle %{{.*}}, %{{.*}} [0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27] : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-31: vector.shuffle
// CHECK-NOT: vector.shuffle
// CHECK-COUNT-16: vector.transfer_write %{{.*}} {in_bounds = [true]} : vector<16xf32>, tensor<?x?xf32>
// CHECK: } else {
// CHECK: vector.create_mask
// CHECK: arith.minui
// CHECK: vector.transfer_write
// CHECK-NOT: linalg
weft.kernel @dynamic(%x: tensor<?x?xf32>, %out: tensor<?x?xf32>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<?x?xf32>) outs(%out : tensor<?x?xf32>) permutation = [1, 0]
  weft.yield %0 : tensor<?x?xf32>
}

// Squares that fit have no masks; outer dimensions are loops.
// CHECK-LABEL: weft.kernel @channels_last
// CHECK-NOT: scf.if
// CHECK-NOT: create_mask
// CHECK-COUNT-3: scf.for
// CHECK-COUNT-16: vector.transfer_read %{{.*}} : tensor<1x64x5x112xi8>, vector<16xi8>
// CHECK-NOT: scf.if
// CHECK-COUNT-16: vector.transfer_write %{{.*}} : vector<16xi8>, tensor<1x5x112x64xi8>
weft.kernel @channels_last(%x: tensor<1x64x5x112xi8>, %out: tensor<1x5x112x64xi8>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<1x64x5x112xi8>) outs(%out : tensor<1x5x112x64xi8>) permutation = [0, 2, 3, 1]
  weft.yield %0 : tensor<1x5x112x64xi8>
}

// Squares are as large as vectors, and not much larger than what is moved.
// CHECK-LABEL: weft.kernel @wide
// CHECK: vector.transfer_read {{.*}} vector<8xf64>
// CHECK-LABEL: weft.kernel @short
// CHECK: vector.transfer_read {{.*}} vector<8xf32>
weft.kernel @wide(%x: tensor<30x40xf64>, %out: tensor<40x30xf64>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<30x40xf64>) outs(%out : tensor<40x30xf64>) permutation = [1, 0]
  weft.yield %0 : tensor<40x30xf64>
}
weft.kernel @short(%x: tensor<300x6xf32>, %out: tensor<6x300xf32>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<300x6xf32>) outs(%out : tensor<6x300xf32>) permutation = [1, 0]
  weft.yield %0 : tensor<6x300xf32>
}

// An operand of something else is transposed before it; what it is not indexed by
// stays out of the copy.
// CHECK-LABEL: weft.kernel @operand
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<50x70xf32>
// CHECK: vector.shuffle
// CHECK: linalg.generic {indexing_maps = [#[[COPY:.*]], #[[ALL:.*]], #[[ALL]]]
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<50x70xf32>, tensor<50x3x70xf32>)
weft.kernel @operand(%x: tensor<70x50xf32>, %y: tensor<50x3x70xf32>, %out: tensor<50x3x70xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#swapped, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %y : tensor<70x50xf32>, tensor<50x3x70xf32>) outs(%out : tensor<50x3x70xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %1 = arith.addf %a, %b : f32
    linalg.yield %1 : f32
  } -> tensor<50x3x70xf32>
  weft.yield %0 : tensor<50x3x70xf32>
}

// Rows that stay rows are copied by weft-vectorize-elementwise, and short ones are
// left as they are.
// CHECK-LABEL: weft.kernel @heads
// CHECK: linalg.generic
// CHECK-NOT: {{[= ]}}vector.
// CHECK-LABEL: weft.kernel @colours
// CHECK: linalg.generic
// CHECK-NOT: {{[= ]}}vector.
weft.kernel @heads(%x: tensor<8x512x12x64xf32>, %out: tensor<8x12x512x64xf32>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<8x512x12x64xf32>) outs(%out : tensor<8x12x512x64xf32>) permutation = [0, 2, 1, 3]
  weft.yield %0 : tensor<8x12x512x64xf32>
}
weft.kernel @colours(%x: tensor<3x5000xf32>, %out: tensor<5000x3xf32>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<3x5000xf32>) outs(%out : tensor<5000x3xf32>) permutation = [1, 0]
  weft.yield %0 : tensor<5000x3xf32>
}
}

// -----

module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v3", features = "", vector_bits = 256, opt_level = 3>} {
// CHECK-LABEL: weft.kernel @avx2
// CHECK-COUNT-8: vector.transfer_read {{.*}} vector<8xf32>
// AVX2 has no masks for bytes.
// CHECK-LABEL: weft.kernel @avx2_bytes
// CHECK-NOT: {{[= ]}}vector.
weft.kernel @avx2(%x: tensor<64x64xf32>, %out: tensor<64x64xf32>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<64x64xf32>) outs(%out : tensor<64x64xf32>) permutation = [1, 0]
  weft.yield %0 : tensor<64x64xf32>
}
weft.kernel @avx2_bytes(%x: tensor<64x64xi8>, %out: tensor<64x64xi8>) outs 1 {
  %0 = linalg.transpose ins(%x : tensor<64x64xi8>) outs(%out : tensor<64x64xi8>) permutation = [1, 0]
  weft.yield %0 : tensor<64x64xi8>
}
}
