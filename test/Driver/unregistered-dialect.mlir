// What a plugin defines needs that plugin; MLIR's advice is for other tools.
// RUN: not weft compile %s --quiet -o %t.so 2>&1 | FileCheck %s
// CHECK: error: {{.*}}unregistered-dialect.mlir:6:{{[0-9]+}}: {{.*}}created with unregistered dialect; --load-plugin=FILE loads the plugin that defines it
// CHECK-NOT: allowUnregisteredDialects

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> attributes {a = #posit.elem<8>} {
  return %x : tensor<4xf32>
}
