// A plugin's passes and pipelines are flags and pipeline elements, in every way
// of naming the plugin.

// RUN: weft-opt --load-plugin=%plugins/TestPlugin.so --plugintest-trace=label=a %s | FileCheck %s --check-prefix=ONE
// RUN: weft-opt --plugintest-trace=label=a %s --load-plugin %plugins/TestPlugin.so | FileCheck %s --check-prefix=ONE
// RUN: weft-opt -load-plugin=%plugins/TestPlugin.so %s --pass-pipeline='builtin.module(plugintest-trace{label=a})' | FileCheck %s --check-prefix=ONE
// RUN: env WEFT_PLUGIN_PATH=%plugins/TestPlugin.so weft-opt --plugintest-trace=label=a %s | FileCheck %s --check-prefix=ONE
// ONE: module attributes {plugintest.trace = "a"}

// RUN: weft-opt --load-plugin=%plugins/TestPlugin.so --plugintest-traces="label=b times=3" %s | FileCheck %s --check-prefix=THREE
// THREE: module attributes {plugintest.trace = "b b b"}

// In a folder, libraries that are no plugins are passed over.
// RUN: rm -rf %t && mkdir -p %t/folder %t/empty
// RUN: cp %plugins/TestPlugin.so %plugins/NotAPlugin.so %t/folder
// RUN: cp %s %t/folder/note.txt
// RUN: env WEFT_PLUGIN_PATH=%t/empty:%t/folder: weft-opt --plugintest-trace=label=a %s | FileCheck %s --check-prefix=ONE

// RUN: weft-opt --load-plugin=%plugins/TestPlugin.so --list-plugins | FileCheck %s --check-prefix=LIST
// LIST: Weft {{[0-9.]+}}, plugin API 1.0, fingerprint {{[0-9a-f]+\+llvm22\.}}
// LIST: weft {{[0-9.]+}} (built in)
// LIST-NEXT: dialects: weft
// LIST: plugintest 3.14 ({{.*}}/TestPlugin.so)
// LIST-NEXT: dialects: plugintest
// LIST-NEXT: passes: plugintest-trace
// LIST-NEXT: pipelines: plugintest-traces
// LIST-NEXT: stage callbacks: before input, after input, before model, {{.*}}, after module
// LIST-NEXT: options: suffix=
// LIST-NEXT: targets: plugintest

// The other tools load plugins alike.
// RUN: weft-reduce --load-plugin=%plugins/TestPlugin.so --help-hidden | FileCheck %s --check-prefix=HELP
// RUN: weft-lsp-server --load-plugin=%plugins/TestPlugin.so --help | FileCheck %s --check-prefix=FLAG
// HELP: --plugintest-traces
// FLAG: --load-plugin=<file>{{ .*}}WEFT_PLUGIN_PATH

module {}
