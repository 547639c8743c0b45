//===- Passes.td - The passes of the AMDGPU target ---------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def SerializeAMDGPU : Pass<"weft-amdgpu-serialize", "::mlir::ModuleOp"> {
  let summary = "Makes code objects for AMD GPUs of device functions";
  let description = [{
    Each `gpu.module` becomes a `gpu.binary` with one HSA code object for each chip
    in `weft.chips`, or for each known chip (`targets/AMDGPU/Chips.h`). They
    are linked in this process, call nothing that is not in them, and have the
    fifth version of the code object's format. What their metadata says of
    registers, spills and memory is noted for each function.
  }];
  let options = [Option<"assemblyFolder", "assembly-folder", "std::string", "",
                        "Where assembly is kept as text; empty: nowhere">];
}
