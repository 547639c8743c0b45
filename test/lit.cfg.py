# The lit suites of Weft. Tests are `RUN:` lines in .mlir and .test files beside
# the folders that they test: test/Dialect/<D>, test/Transforms/<Stage>, ...
import os

import lit.formats

config.name = "Weft"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
# ExamplePlugin runs on the install tree, by its own entry in CTest.
config.excludes = ["Inputs", "unit", "E2E", "ExamplePlugin"]
config.test_source_root = os.path.dirname(__file__)

tools = lit_config.params.get("installed-tools", config.weft_tools_dir)
# Weft's own tools first, then FileCheck, not, split-file and mlir-opt of LLVM.
config.environment["PATH"] = os.pathsep.join(
    [tools, config.llvm_tools_dir, config.environment["PATH"]]
)
config.environment["WEFT_PLUGIN_PATH"] = ""
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input=fail"

config.substitutions += [
    ("%plugins", config.weft_test_plugin_dir),
    ("%audio", os.path.join(config.test_exec_root, "ExamplePlugin/build/audio.so")),
    ("%llvm-libraries", config.llvm_library_dir),
    ("%python", config.python),
]

# The driver is a tool of its own: suites that go through it need it built.
if os.path.exists(os.path.join(tools, "weft")):
    config.available_features.add("weft")
