//===- Passes.td - The passes of printed modules -----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def RestoreModule : Pass<"weft-restore-module", "::mlir::ModuleOp"> {
  let summary = "Gives a printed module what text lacks";
  let description = [{
    Weights: maps the files that `weft.weight_files` names and adds their weights
    to the weight store. A file is looked for where it was, then in `folder`. Fails
    where it is missing, too short, or has changed since the module was printed.
    Does nothing for weights that are in the store.

    Locations: block arguments get those of their operations, as they have them
    after each stage (`weft-record-stage`). Most operations print none, and the
    parser puts places in the text there.

    `weft-opt` runs this first.
  }];
  let options = [
    Option<"folder", "folder", "std::string", "\"\"", "Where the printed module lies">
  ];
  let dependentDialects = ["::weft::WeftDialect"];
}

def SaveWeights : Pass<"weft-save-weights", "::mlir::ModuleOp"> {
  let summary = "Names the files of the weights, before the module is printed";
  let description = [{
    Sets `weft.weight_files`. Weights that the compiler has computed and that no
    file has yet are written to `output`.safetensors; if `output` is a stream they
    are left out, with a warning. Weights that lie in the file that is replaced
    are written again. Entries of weights that are not in the weight store stay:
    nobody has loaded them. `weft-opt` runs this last.
  }];
  let options = [
    Option<"output", "output", "std::string", "\"-\"", "The file that the module is printed to">
  ];
  let dependentDialects = ["::weft::WeftDialect"];
}

def RecordStage : Pass<"weft-record-stage", "::mlir::ModuleOp"> {
  let summary = "Notes the stage that the module has been through";
  let description = [{
    Sets `weft.stage`, by which `weft compile` knows where to go on with a module
    that was printed. Gives block arguments, except those of functions, the
    locations of their operations, so that a module is the same whether it was
    printed in between or not (`weft-restore-module`).
  }];
  let options = [Option<"stage", "stage", "std::string", "\"\"", "The stage's name">];
}
