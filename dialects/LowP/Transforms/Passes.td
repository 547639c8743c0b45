//===- Passes.td - The passes of the lowp dialect ----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def FoldBasis : Pass<"lowp-fold-basis"> {
  let summary = "Folds rotations into constants";
  let description = [{
    Moves a `lowp.rotate` from one factor of a contraction to the other, where the
    other is constant and the rotated one is not: x T w^T = x (w T^T)^T. What is
    rotated then is computed while compiling (`weft-evaluate-constants`). That works
    both ways: a rotation of a constant is undone by the inverse of the activation's,
    and both vanish. Rotations whose parameters are not constant stay.

    Diagonals that are left become multiplications, which `weft-fold-scales` merges
    with scales next to them, those of norms too.
  }];
  let dependentDialects = ["::weft::lowp::LowPDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numFolded", "num-folded", "Number of rotations moved to constants">
  ];
}

def RaiseQuantization : Pass<"lowp-raise-quantization"> {
  let summary = "Products of dequantized numbers become products of codes";
  let description = [{
    What quantized models say as dequantization (`weft.unpack`), a float operation and
    quantization becomes an operation on what is stored:

    - A contraction of 8-bit codes with constant codes is one of integers, exact in
      i32. With zero point z and scale s of the activation x, and scale t of the weight w,

          sum (s (x - z)) (t w) = s t (sum x w - z sum w):

      `weft.contract` takes the codes as they are, `sum w` is computed while compiling,
      and one elementwise operation corrects and scales the sums, and is merged with
      what follows. Zero points of w stay in its format, where codes less zero points
      are integers of 16 bits. Scales that vary along what is contracted, and sums that
      32 bits cannot hold (more than 33,025 products), leave it a contraction of floats.
    - A convolution of codes with a constant filter becomes one of integers by the option
      `integer-convolutions`: of codes less their zero points, i32 sums and one rescaling.
      Pads are 0 then as they were. It is the target's choice, since convolutions of floats
      can be faster there; QLinearConv and ConvInteger are integers always.
    - A contraction or convolution of other numbers with packed constants takes them as
      they are packed. Scales that are one for all products of a sum are applied to the
      sum.
    - A gather of rows of an unpacked table is a `weft.embed` of the packed one.

    Transpositions of constants become indexing maps. Zero points that are 0 vanish.
    Where floats were rounded after every product, scaled integers are rounded twice: a
    result differs by the rounding errors of a float sum at most.
  }];
  let dependentDialects = ["::weft::lowp::LowPDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let options = [
    Option<"integerConvolutions", "integer-convolutions", "bool", /*default=*/"true",
           "Convolve codes where the model dequantizes them before">
  ];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of operations that take packed operands now">,
    Statistic<"numIntegers", "num-integers", "Number of contractions that became integers">
  ];
}
