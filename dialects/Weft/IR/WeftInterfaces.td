//===- WeftInterfaces.td - What Weft asks of operations ----*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_INTERFACES_TD
#define WEFT_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Weft_ReferenceOpInterface : OpInterface<"ReferenceOpInterface"> {
  let description = [{
    An operation that can say what it means in plain `linalg`, `tensor`, `scf`
    and `arith`. The reference is the oracle of tests and the path that runs on
    every target before there is a faster one. It computes the same values as
    the operation for all valid operands and touches no memory outside of its
    operands for invalid ones.
  }];
  let cppNamespace = "::weft";
  let methods = [
    InterfaceMethod<[{
      Builds the reference at the builder's insertion point, which is the
      operation itself, and returns the values that replace its results.
    }], "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "lowerToReference",
    (ins "::mlir::OpBuilder &":$builder)>
  ];
}

#endif // WEFT_INTERFACES_TD
