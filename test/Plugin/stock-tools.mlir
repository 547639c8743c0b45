// The same library in the stock MLIR driver.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --load-pass-plugin=%plugins/TestPlugin.so \
// RUN:   --pass-pipeline='builtin.module(plugintest-trace{label=a},plugintest-traces{label=b times=2})' %s | FileCheck %s
// CHECK: module attributes {plugintest.trace = "a b b"}

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --show-dialects | FileCheck %s --check-prefix=DIALECTS
// DIALECTS: plugintest
// DIALECTS: weft

// What cannot be registered there ends the tool, too.
// RUN: not mlir-opt --load-pass-plugin=%plugins/Refused_UPSTREAM_PASS.so %s 2>&1 | FileCheck %s --check-prefix=REFUSED
// REFUSED: error: plugin 'refused' cannot be registered: pass 'cse' is already one of MLIR's

module {}
