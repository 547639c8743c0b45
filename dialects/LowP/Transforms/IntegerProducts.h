//===- IntegerProducts.h - Products of codes --------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_TRANSFORMS_INTEGERPRODUCTS_H
#define WEFT_DIALECTS_LOWP_TRANSFORMS_INTEGERPRODUCTS_H

#include "dialects/LowP/Transforms/Quantized.h"

namespace weft::lowp {

/// The largest product of two 8-bit integers less zero points.
inline constexpr int64_t kMaxProduct = 255 * 255;

/// Whether `value` is a constant in another shape or order, which is computed while compiling.
bool isConstant(mlir::Value value);
bool isConstant(const Quantized &quantized);

/// A sum of products becomes `init + (sum + corrections) * scales`.
class Rescaling {
public:
  Rescaling(mlir::OpBuilder &b, mlir::Location loc, mlir::Value init)
      : b(b), loc(loc), init(init) {}
  /// A tensor of zeros to sum in.
  mlir::Value makeZeros(mlir::Type element) const;
  /// What is added to the sum; `map` is from the result's dimensions.
  void correct(mlir::Value by, mlir::AffineMap map) { add(corrections, by, map); }
  /// `parameter` varies along `dimension` of the result.
  void scale(const Parameter &parameter, std::optional<unsigned> dimension) {
    mlir::SmallVector<mlir::AffineExpr> exprs;
    if (dimension)
      exprs.push_back(b.getAffineDimExpr(*dimension));
    add(scales, collapseParameter(b, loc, parameter),
        mlir::AffineMap::get(rank(), 0, exprs, b.getContext()));
  }
  mlir::Value apply(mlir::Value sum) const;

private:
  struct Operand {
    mlir::Value value;
    mlir::AffineMap map;
  };
  static void add(mlir::SmallVector<Operand> &to, mlir::Value value, mlir::AffineMap map) {
    to.push_back({value, map});
  }
  mlir::RankedTensorType type() const { return mlir::cast<mlir::RankedTensorType>(init.getType()); }
  unsigned rank() const { return type().getRank(); }

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Value init;
  mlir::SmallVector<Operand> corrections, scales;
};

/// Whether the numbers are integers of at most 8 bits, less one zero point at most.
bool isInteger(const Quantized &quantized);

/// A factor of integers as an operand of a contraction.
struct IntegerFactor {
  mlir::Value value; ///< a tensor of codes, or packed
  bool isUnsigned;
};

/// The numbers of a constant before they are scaled: codes where these are the numbers.
IntegerFactor integerFactor(mlir::OpBuilder &b, mlir::Location loc, const Quantized &quantized);

/// The numbers of a factor as a tensor.
mlir::Value numbersOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value factor);

/// -zeroPoint * the sums of a factor over all dimensions but `kept`, i32.
mlir::Value compensation(mlir::OpBuilder &b, mlir::Location loc, const IntegerFactor &factor,
                         mlir::ArrayRef<unsigned> kept, const IntegerCodes &other);

/// Makes a convolution of dequantized numbers with a constant filter one of integers, if
/// `asIntegers`, or else takes the scales of the filter out of it.
bool raiseConvolution(ConvOp op, bool asIntegers, bool &isInteger, mlir::OpBuilder &b);

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_TRANSFORMS_INTEGERPRODUCTS_H
