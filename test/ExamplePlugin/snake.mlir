// The example plugin, built against the install tree: its pass, its pipeline with
// an option, and its callback at an extension point.

// RUN: weft-opt --load-plugin=%audio --audio-lower-to-linalg %s | FileCheck %s --check-prefixes=CHECK,SINE
// RUN: weft-opt --load-plugin=%audio --audio-lower="use-cosine=true" %s | FileCheck %s --check-prefixes=CHECK,COSINE
// RUN: mlir-opt --load-dialect-plugin=%audio --load-pass-plugin=%audio --pass-pipeline='builtin.module(audio-lower)' %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,SINE
// RUN: weft-opt --load-plugin=%audio --load-plugin=%plugins/TestPlugin.so --weft-model="target=plugintest" %s \
// RUN:   | FileCheck %s --check-prefixes=CHECK,SINE
// RUN: weft-opt --load-plugin=%audio --load-plugin=%plugins/TestPlugin.so \
// RUN:   --weft-model="target=plugintest plugin-option=audio.use-cosine=true" %s | FileCheck %s --check-prefixes=CHECK,COSINE

// CHECK: #[[$CHANNEL:.+]] = affine_map<(d0, d1, d2) -> (d1)>
// CHECK-LABEL: func.func @snake(
// CHECK-SAME:      %[[INPUT:[a-z0-9]+]]: tensor<2x?x?xf32>
// CHECK-SAME:      %[[ALPHA:[a-z0-9]+]]: tensor<?xf32>
// CHECK: linalg.generic {{.*}}#[[$CHANNEL]]
// CHECK-SAME: ins(%[[INPUT]], %[[ALPHA]] :
// CHECK: arith.mulf
// SINE: math.sin
// COSINE: math.cos
// CHECK: arith.divf
// CHECK-NOT: audio.snake
func.func @snake(%input: tensor<2x?x?xf32>, %alpha: tensor<?xf32>) -> tensor<2x?x?xf32> {
  %result = audio.snake %input, %alpha : tensor<2x?x?xf32>, tensor<?xf32>
  return %result : tensor<2x?x?xf32>
}
