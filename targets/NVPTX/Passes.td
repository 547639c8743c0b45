//===- Passes.td - The passes of the NVPTX target ----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def SerializeNVPTX : Pass<"weft-nvptx-serialize", "::mlir::ModuleOp"> {
  let summary = "Makes code objects for NVIDIA GPUs of device functions";
  let description = [{
    Each `gpu.module` becomes a `gpu.binary` with one object for each chip in
    `weft.chips`, or for each known chip (`targets/NVPTX/Chips.h`): a cubin if CUDA's
    `ptxas` is in PATH or in CUDA_HOME, which then also tells registers, spills
    and memory of each function, otherwise PTX, which the driver compiles when the
    module is loaded. That ptxas is missing is said.
  }];
  let options = [
    Option<"emitPTX", "emit-ptx", "bool", "false", "Leave PTX even where there is a ptxas">,
    Option<"assemblyFolder", "assembly-folder", "std::string", "",
           "Where PTX is kept as text; empty: nowhere">];
}
