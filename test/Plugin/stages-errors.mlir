// RUN: not weft-opt --load-plugin=%plugins/TestPlugin.so --weft-fuse=target=abacus %s 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: unknown target 'abacus'; the targets are: {{.*}}plugintest

// RUN: not weft-opt --load-plugin=%plugins/TestPlugin.so --print-pipeline --target=abacus 2>&1 | FileCheck %s --check-prefix=TARGET

// RUN: not weft-opt --load-plugin=%plugins/TestPlugin.so --weft-fuse="target=plugintest plugin-option=plugintest.colour=red" %s 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: plugin 'plugintest' has no option 'colour'; its options are: suffix

// RUN: not weft-opt --load-plugin=%plugins/TestPlugin.so --weft-fuse="target=plugintest plugin-option=nobody.colour=red" %s 2>&1 | FileCheck %s --check-prefix=PLUGIN
// PLUGIN: plugin option 'nobody.colour': there is no plugin 'nobody'

// RUN: not weft-opt --load-plugin=%plugins/TestPlugin.so --weft-fuse="target=plugintest plugin-option=plugintest.suffix=7" %s 2>&1 | FileCheck %s --check-prefix=VALUE
// VALUE: plugin option 'plugintest.suffix' does not take the value '7': expected a text without digits

// RUN: not weft-opt --load-plugin=%plugins/TestPlugin.so --weft-fuse="target=plugintest plugin-option=suffix" %s 2>&1 | FileCheck %s --check-prefix=FORM
// FORM: plugin option 'suffix': expected <plugin>.<option>=<value>

// RUN: not weft-opt --pass-pipeline='builtin.module(cse /* forever' %s 2>&1 | FileCheck %s --check-prefix=COMMENT
// COMMENT: pass pipeline: the comment '/* forever' is not closed by */

module {}
