// The order around every stage: callbacks before it, its own passes, callbacks
// after it; and options of plugins.

// RUN: weft-opt --load-plugin=%plugins/TestPlugin.so --weft-fuse=target=plugintest %s | FileCheck %s --check-prefix=FUSE
// FUSE: plugintest.trace = "before-fuse FUSE after-fuse"

// RUN: weft-opt --load-plugin=%plugins/TestPlugin.so %s \
// RUN:   --pass-pipeline='builtin.module(weft-model{target=plugintest plugin-option=plugintest.suffix=-x},weft-tile{target=plugintest})' \
// RUN:   | FileCheck %s --check-prefix=SUFFIX
// SUFFIX: plugintest.trace = "before-model-x MODEL after-model-x before-tile TILE after-tile"

// The whole as text, with extension points marked, and taken back.
// RUN: weft-opt --load-plugin=%plugins/TestPlugin.so --print-pipeline --target=plugintest --plugin-option=plugintest.suffix=-y > %t.pipeline
// RUN: FileCheck %s --check-prefix=TEXT --input-file=%t.pipeline
// TEXT: builtin.module(
// TEXT-NEXT: /* before input */
// TEXT-NEXT: /* before input: plugin plugintest */
// TEXT-NEXT: plugintest-trace{label=before-input-y},
// TEXT-NEXT: /* stage input */
// TEXT-NEXT: plugintest-trace{label=INPUT},
// TEXT-NEXT: weft-record-stage{stage=input},
// TEXT-NEXT: /* after input */
// TEXT-NEXT: /* after input: plugin plugintest */
// TEXT-NEXT: plugintest-trace{label=after-input-y},
// TEXT-NEXT: /* before model */
// TEXT: /* stage vector */
// TEXT: /* after module: plugin plugintest */
// TEXT-NEXT: plugintest-trace{label=after-module-y}
// TEXT-NEXT: )

// RUN: %python -c "import subprocess, sys; sys.exit(subprocess.call(['weft-opt', '--load-plugin=%plugins/TestPlugin.so', '--pass-pipeline=' + open('%t.pipeline').read(), r'%s']))" \
// RUN:   | FileCheck %s --check-prefix=BACK
// BACK: plugintest.trace = "before-input-y INPUT after-input-y before-model-y MODEL after-model-y {{.*}} before-module-y MODULE after-module-y"

module {}
