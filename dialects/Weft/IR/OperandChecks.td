//===- OperandChecks.td - Who says what data must be -------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_OPERAND_CHECKS_TD
#define WEFT_OPERAND_CHECKS_TD

include "mlir/IR/OpBase.td"

def Weft_OperandCheckInterface : OpInterface<"OperandCheckInterface"> {
  let description = [{
    An operation with operands that say where it reads or writes, or whose extents
    belong together. `weft-check-operands` has it build what holds of them before it
    runs. Dialects attach it as an external model.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<[{
      Builds, before the operation, what fails the call unless the operands are as
      they must be.
    }], "void", "buildChecks", (ins "::weft::OperandChecks &":$checks)>
  ];
}

def Weft_ComponentCheckInterface : AttrInterface<"ComponentCheckInterface"> {
  let description = [{
    A format, or a field of one, with components that say where numbers are stored:
    what `verifyConstants` holds of constants, for components that only a call knows.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<"Builds what fails the call unless the components are as they must be.",
    "void", "buildChecks",
    (ins "::weft::OperandChecks &":$checks, "const ::weft::PackedComponents &":$packed)>
  ];
}

#endif // WEFT_OPERAND_CHECKS_TD
