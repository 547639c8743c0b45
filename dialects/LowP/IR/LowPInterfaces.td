//===- LowPInterfaces.td - What quantization asks ----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWP_INTERFACES_TD
#define LOWP_INTERFACES_TD

include "mlir/IR/OpBase.td"

def LowP_RangeInterface : AttrInterface<"RangeInterface"> {
  let description = [{
    Elements whose numbers lie in a range that is known while compiling: those that
    `lowp.quantize` finds scales for.
  }];
  let cppNamespace = "::weft::lowp";
  let methods = [
    InterfaceMethod<"The least and the largest number.", "std::pair<double, double>", "getRange",
                    (ins)>
  ];
}

#endif // LOWP_INTERFACES_TD
