//===- Passes.td - The passes of the moe dialect -----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def CheckIndices : Pass<"moe-check-indices"> {
  let summary = "Fails calls with offsets, numbers of experts and indices out of range";
  let description = [{
    First in stage `fuse`, while host code still sees the tensors: before each
    operation whose operands come from outside of the dialect, the lowest offending
    position is found, and `weft.assert` fails the call with the number that is
    there. What `moe.plan` and `moe.route` compute is right and is not checked.

    Checked are the offsets and indices of `moe.grouped_matmul`, the numbers of
    experts of `moe.plan` and `moe.expert_ffn`, and the tokens of the tables of
    `moe.route`. Kernels clamp them besides, so that nothing outside is touched
    before the call fails.
  }];
  let dependentDialects = ["::weft::WeftDialect", "::mlir::scf::SCFDialect"];
}

def DecomposeAggregates : Pass<"moe-decompose-aggregates"> {
  let summary = "Makes aggregates what they are made of";
  let description = [{
    At the start of stage `fuse`. `moe.expert_ffn` becomes `moe.plan`, two
    `moe.grouped_matmul`, of which the first has the activation as its epilogue, and
    `moe.combine`. Packed weights of `moe.grouped_matmul` become their components,
    whose types it keeps, so that no tensor of their numbers is made.
  }];
  let dependentDialects = ["::weft::moe::MoEDialect"];
}
