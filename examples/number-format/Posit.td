//===- Posit.td - A number format as one attribute --------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef POSIT_TD
#define POSIT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "weft/Dialect/LowP/LowPInterfaces.td"
include "weft/Dialect/Weft/WeftFormatInterfaces.td"

def Posit_Dialect : Dialect {
  let name = "posit";
  let summary = "Numbers whose precision tapers off with their magnitude";
  let cppNamespace = "::posit";
  let dependentDialects = ["::weft::WeftDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let useDefaultAttributePrinterParser = 1;
}

def Posit_ElementAttr : AttrDef<Posit_Dialect, "Element",
    [DeclareAttrInterfaceMethods<Weft_ElementInterface>,
     DeclareAttrInterfaceMethods<LowP_RangeInterface>]> {
  let mnemonic = "element";
  let summary = "Codes that are posits of 3 to 8 bits";
  let description = [{
    Posits (Gustafson and Yonemoto 2017; the standard of 2022 has two exponent bits):
    a sign, a run of equal bits that says k, up to `exponentBits` bits of an exponent
    e, the rest a fraction f, for 2^(k 2^exponentBits + e) (1 + f). Negative numbers
    are two's complements. The code 10...0 is NaN.

    Rounds the code to the nearest, ties to even, as the standard does; nothing but 0
    becomes 0, and what is beyond the largest number becomes it.

    ```mlir
    #weft.format<elem = #posit.element<8, 1>, scales = [#lowp.scale<multiply, [1, 32], f16>]>
    ```
  }];
  let parameters = (ins "unsigned":$bits, "unsigned":$exponentBits);
  let assemblyFormat = "`<` $bits `,` $exponentBits `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The largest number is 2 to this power, the smallest one 1 over it.
    int getLargestExponent() const { return int(getBits() - 2) << getExponentBits(); }
  }];
}

#endif // POSIT_TD
