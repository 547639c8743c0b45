//===- WeftStringOps.td - Operations on strings ------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A string in a tensor is an i64: the address of a counted string, which nobody
// changes, or 0 for the empty one (`weft_string` in weft-runtime/module.h). So
// whatever moves elements moves strings. What looks into them is here: scalar
// operations for the bodies of linalg operations. The bytes are UTF-8.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_STRING_OPS_TD
#define WEFT_STRING_OPS_TD

include "dialects/Weft/IR/WeftBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Weft_StringOp<string mnemonic, list<Trait> traits = []>
    : Op<Weft_Dialect, mnemonic, !listconcat(traits, [Pure])>;

def Weft_StringLiteralOp : Weft_StringOp<"string_literal"> {
  let summary = "One of several strings known at compile time";
  let description = [{
    The string at `index`, which must be below their number.

    ```mlir
    func.func @day(%i: tensor<i64>, %e: tensor<i64>) -> tensor<i64> {
      %days = linalg.map ins(%i : tensor<i64>) outs(%e : tensor<i64>) (%n: i64, %old: i64) {
        %index = arith.index_cast %n : i64 to index
        %s = weft.string_literal ["monday", "tuesday"] at %index
        linalg.yield %s : i64
      }
      return %days : tensor<i64>
    }
    ```
  }];
  let arguments = (ins StrArrayAttr:$strings, Index:$index);
  let results = (outs I64:$result);
  let hasVerifier = 1;
  let assemblyFormat = "$strings `at` $index attr-dict";
}

def Weft_StringEqualOp : Weft_StringOp<"string_equal"> {
  let summary = "Whether two strings have the same bytes";
  let description = [{
    ```mlir
    func.func @same(%a: tensor<4xi64>, %b: tensor<4xi64>, %e: tensor<4xi8>) -> tensor<4xi8> {
      %same = linalg.map ins(%a, %b : tensor<4xi64>, tensor<4xi64>) outs(%e : tensor<4xi8>)
        (%s: i64, %t: i64, %old: i8) {
          %equal = weft.string_equal %s, %t
          %number = arith.extui %equal : i1 to i8
          linalg.yield %number : i8
        }
      return %same : tensor<4xi8>
    }
    ```
  }];
  let arguments = (ins I64:$lhs, I64:$rhs);
  let results = (outs I1:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
}

def Weft_LetterCase : I32EnumAttr<"LetterCase", "The case of letters", [
    I32EnumAttrCase<"Lower", 0, "lower">, I32EnumAttrCase<"Upper", 1, "upper">]> {
  let cppNamespace = "::weft";
}

def Weft_StringCaseOp : Weft_StringOp<"string_case"> {
  let summary = "A string with its letters in lower or upper case";
  let description = [{
    By Unicode's simple case mapping, which takes one code point to one, without
    regard to language. Bytes that are not UTF-8 stay as they are. The memory is
    the call's.

    ```mlir
    func.func @lower(%a: tensor<4xi64>, %e: tensor<4xi64>) -> tensor<4xi64> {
      %lower = linalg.map ins(%a : tensor<4xi64>) outs(%e : tensor<4xi64>) (%s: i64, %old: i64) {
        %l = weft.string_case lower %s
        linalg.yield %l : i64
      }
      return %lower : tensor<4xi64>
    }
    ```
  }];
  let arguments = (ins Weft_LetterCase:$letters, I64:$input);
  let results = (outs I64:$result);
  let assemblyFormat = "$letters $input attr-dict";
}

def Weft_StringConcatOp : Weft_StringOp<"string_concat"> {
  let summary = "Two strings, one after the other";
  let description = [{
    The memory is the call's.

    ```mlir
    func.func @concat(%a: tensor<4xi64>, %b: tensor<4xi64>, %e: tensor<4xi64>) -> tensor<4xi64> {
      %both = linalg.map ins(%a, %b : tensor<4xi64>, tensor<4xi64>) outs(%e : tensor<4xi64>)
        (%s: i64, %t: i64, %old: i64) {
          %st = weft.string_concat %s, %t
          linalg.yield %st : i64
        }
      return %both : tensor<4xi64>
    }
    ```
  }];
  let arguments = (ins I64:$lhs, I64:$rhs);
  let results = (outs I64:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
}

#endif // WEFT_STRING_OPS_TD
