// What weft-expand-math leaves alone, and why.
// RUN: weft-opt %s --weft-expand-math | FileCheck %s

// A tensor is not at the level of this pass.
// CHECK-LABEL: func @tensor
// CHECK: math.exp %arg0 : tensor<4xf32>
func.func @tensor(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = math.exp %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// CHECK-LABEL: func @scalable
// CHECK: math.exp %arg0 : vector<[4]xf32>
func.func @scalable(%x: vector<[4]xf32>) -> vector<[4]xf32> {
  %y = math.exp %x : vector<[4]xf32>
  return %y : vector<[4]xf32>
}

// CHECK-LABEL: func @long_double
// CHECK: math.powf %arg0, %arg0 : f80
func.func @long_double(%x: f80) -> f80 {
  %y = math.powf %x, %x : f80
  return %y : f80
}

// CHECK-LABEL: func @index_power
// CHECK: math.ipowi %arg0, %arg0 : index
func.func @index_power(%x: index) -> index {
  %y = math.ipowi %x, %x : index
  return %y : index
}
