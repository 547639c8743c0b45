//===- Passes.td - The passes of stage model ---------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def InlineComposites : Pass<"weft-inline-composites"> {
  let summary = "Replaces composites by their reference bodies";
  let description = [{
    Whatever no pass has raised by its name is inlined, innermost last, so that
    the later stages see only structured operations.
  }];
}
