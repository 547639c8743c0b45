// REQUIRES: weft
// RUN: weft-opt %s --weft-bufferize-kernels | FileCheck %s

// A write at the origin whose vector has as many lanes as the tensor has rows is one of a part.

// CHECK-LABEL: weft.kernel @row
// CHECK: %[[MEMORY:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
// CHECK: memref.copy %{{.*}}, %[[MEMORY]]
// CHECK: vector.transfer_write %{{.*}}, %[[MEMORY]]
// CHECK: vector.transfer_read %[[MEMORY]]
weft.kernel @row(%v: tensor<4xf32>, %init: tensor<4x8xf32>, %out: tensor<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %x = vector.transfer_read %v[%c0], %zero {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
  %row = vector.transfer_write %x, %init[%c0, %c0] {in_bounds = [true]}
    : vector<4xf32>, tensor<4x8xf32>
  %y = vector.transfer_read %row[%c3, %c0], %zero {in_bounds = [true]}
    : tensor<4x8xf32>, vector<4xf32>
  %z = vector.transfer_write %y, %out[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
  weft.yield %z : tensor<4xf32>
}

// CHECK-LABEL: weft.kernel @masked
// CHECK: memref.copy
// CHECK: vector.transfer_write
weft.kernel @masked(%v: tensor<4xf32>, %init: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %mask = vector.constant_mask [3] : vector<4xi1>
  %x = vector.transfer_read %v[%c0], %zero {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
  %part = vector.transfer_write %x, %init[%c0], %mask {in_bounds = [true]}
    : vector<4xf32>, tensor<4xf32>
  %y = vector.transfer_read %part[%c0], %zero {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
  %z = vector.transfer_write %y, %out[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
  weft.yield %z : tensor<4xf32>
}

// What is written whole needs no copy.

// CHECK-LABEL: weft.kernel @whole
// CHECK-NOT: memref.alloc
// CHECK: weft.yield
weft.kernel @whole(%v: tensor<4xf32>, %init: tensor<4xf32>, %out: tensor<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %x = vector.transfer_read %v[%c0], %zero {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
  %all = vector.transfer_write %x, %out[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
  weft.yield %all : tensor<4xf32>
}
