//===- SSMBase.td - The ssm dialect and its attributes -----*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_BASE_TD
#define SSM_BASE_TD

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def SSM_Dialect : Dialect {
  let name = "ssm";
  let cppNamespace = "::weft::ssm";
  let summary = "State-space scans, linear attention and causal convolutions";
  let description = [{
    A few operations that recurrent sequence models are configurations of: affine
    recurrences over vector or matrix states with a structured transition
    (`ssm.scan`), the pieces of their chunked form, causal and long convolutions.
    Tokens are the second dimension of every operand; states are float32, or
    float64 for float64 values.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

class SSM_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::weft::ssm";
}

def SSM_State : SSM_Enum<"State", "the shape of the state of a head", [
    I32EnumAttrCase<"Vector", 0, "vector">, I32EnumAttrCase<"Outer", 1, "outer">]>;

def SSM_Transition : SSM_Enum<"Transition", "the structure of a state's transition", [
    I32EnumAttrCase<"Identity", 0, "identity">, I32EnumAttrCase<"Scalar", 1, "scalar">,
    I32EnumAttrCase<"Diagonal", 2, "diag">, I32EnumAttrCase<"ComplexDiagonal", 3, "complex_diag">,
    I32EnumAttrCase<"Rotation", 4, "rotation">,
    I32EnumAttrCase<"DiagonalPlusLowRank", 5, "diag_plus_lowrank">,
    I32EnumAttrCase<"Householder", 6, "householder">,
    I32EnumAttrCase<"DenseLTI", 7, "dense_lti">, I32EnumAttrCase<"Dense", 8, "dense">]>;

def SSM_Read : SSM_Enum<"Read", "which state a token reads", [
    I32EnumAttrCase<"Post", 0, "post">, I32EnumAttrCase<"Pre", 1, "pre">]>;

def SSM_Direction : SSM_Enum<"Direction", "the order of tokens", [
    I32EnumAttrCase<"Forward", 0, "forward">, I32EnumAttrCase<"Reverse", 1, "reverse">,
    I32EnumAttrCase<"Bidirectional", 2, "bidirectional">]>;

def SSM_Emit : SSM_Enum<"Emit", "which states a scan gives besides the last", [
    I32EnumAttrCase<"Last", 0, "last">, I32EnumAttrCase<"Every", 1, "every">,
    I32EnumAttrCase<"Window", 2, "window">]>;

def SSM_Rule : SSM_Enum<"Rule", "how a continuous system becomes steps", [
    I32EnumAttrCase<"ZeroOrderHold", 0, "zoh">, I32EnumAttrCase<"Bilinear", 1, "bilinear">,
    I32EnumAttrCase<"Euler", 2, "euler">,
    I32EnumAttrCase<"ExponentialEuler", 3, "exponential_euler">,
    I32EnumAttrCase<"Trapezoid", 4, "trapezoid">, I32EnumAttrCase<"RGLRU", 5, "rglru">]>;

def SSM_Activation : SSM_Enum<"Activation", "what is applied to the result", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"SiLU", 1, "silu">]>;

def SSM_ConvMethod : SSM_Enum<"ConvMethod", "how a long convolution is computed", [
    I32EnumAttrCase<"Auto", 0, "auto">, I32EnumAttrCase<"Direct", 1, "direct">,
    I32EnumAttrCase<"ToeplitzBlock", 2, "toeplitz_block">,
    I32EnumAttrCase<"FFTMonarch", 3, "fft_monarch">, I32EnumAttrCase<"Scan", 4, "scan">]>;

#endif // SSM_BASE_TD
