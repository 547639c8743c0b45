# The lit suites of Weft. Tests are `RUN:` lines in .mlir and .test files beside
# the folders that they test: test/Dialect/<D>, test/Transforms/<Stage>, ...
import os
import shutil

import lit.formats

config.name = "Weft"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
# The examples run on the install tree, by their own entries in CTest.
config.excludes = ["Inputs", "unit", "E2E", "ExamplePlugin", "ExampleNumberFormat"]
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
    ("%posit", os.path.join(config.test_exec_root, "ExampleNumberFormat/build/posit.so")),
    ("%llvm-libraries", config.llvm_library_dir),
    ("%python", config.python),
    ("%weft-tools", tools),
]

# The driver is a tool of its own: suites that go through it need it built.
if os.path.exists(os.path.join(tools, "weft")):
    config.available_features.add("weft")

# CUDA's assembler, where its folder is in PATH or named by CUDA_HOME.
cuda = os.environ.get("CUDA_HOME")
if shutil.which("ptxas", path=os.pathsep.join(
        [config.environment["PATH"]] + ([os.path.join(cuda, "bin")] if cuda else []))):
    config.available_features.add("ptxas")
else:
    lit_config.note("ptxas is neither in PATH nor in CUDA_HOME: tests of cubins are left out")
if cuda:
    config.environment["CUDA_HOME"] = cuda
