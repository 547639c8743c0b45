//===- ExpandMath.cpp - Transcendental functions as arithmetic ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathExpansion.h"
#include "transforms/Vector/MathKernels.h"
#include "transforms/Vector/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace weft {
#define GEN_PASS_DEF_EXPANDMATH
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// Scalars and vectors of fixed shape: a tensor is not yet at this level, and a
/// scalable vector is no target's.
static LogicalResult checkShape(Operation *op, Type type, PatternRewriter &rewriter) {
  if (auto vector = dyn_cast<VectorType>(type)) {
    if (vector.isScalable())
      return rewriter.notifyMatchFailure(op, "the vector type is scalable");
  } else if (isa<ShapedType>(type)) {
    return rewriter.notifyMatchFailure(op, "not a scalar or vector");
  }
  return success();
}

/// Such a shape of f64, f32, or a narrower float.
static LogicalResult checkFloat(Operation *op, Type type, PatternRewriter &rewriter) {
  auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
  if (!element || (element.getWidth() > 32 && !element.isF64()))
    return rewriter.notifyMatchFailure(op, "no float of at most 64 bits");
  return checkShape(op, type, rewriter);
}

/// Such a shape of integers of at most 64 bits.
static LogicalResult checkInteger(Operation *op, Type type, PatternRewriter &rewriter) {
  auto element = dyn_cast<IntegerType>(getElementTypeOrSelf(type));
  if (!element || element.getWidth() > 64)
    return rewriter.notifyMatchFailure(op, "no integer of at most 64 bits");
  return checkShape(op, type, rewriter);
}

static Type withElementType(Type like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like))
    return vector.clone(element);
  return element;
}

/// bf16 as f32 by its bits, so that no bf16 value is left for a code generator
/// to compute with or to carry between blocks, which costs a call on most x86.
static Num extendBFloat16(ImplicitLocOpBuilder &builder, Value value) {
  Type type = value.getType();
  Value bits =
      arith::BitcastOp::create(builder, withElementType(type, builder.getI16Type()), value);
  Value wide = arith::ExtUIOp::create(builder, withElementType(type, builder.getI32Type()), bits);
  return fromBits(shiftLeft(Num(builder, wide), 16));
}

/// The value as f32 or f64: narrower floats are extended.
static Num widened(ImplicitLocOpBuilder &builder, Value value) {
  Type element = getElementTypeOrSelf(value);
  if (element.getIntOrFloatBitWidth() >= 32)
    return Num(builder, value);
  if (element.isBF16())
    return extendBFloat16(builder, value);
  Type type = withElementType(value.getType(), builder.getF32Type());
  return Num(builder, arith::ExtFOp::create(builder, type, value));
}

/// f32 rounded to bf16 in integers: to nearest, ties to even, any NaN to the quiet
/// one of its sign. `arith.truncf` would be a call for each element on x86 without
/// AVX512_BF16, whose instruction in turn flushes subnormal numbers.
static Value roundToBFloat16(Num number, Type type) {
  ImplicitLocOpBuilder &builder = number.getBuilder();
  Num bits = toBits(number);
  Num rounded = bits + 0x7FFF + (shiftRight(bits, 16) & 1);
  Num quiet = (bits & static_cast<int32_t>(0x80000000)) | bits.constant(0x7FC00000);
  Num high = shiftRight(select(isNaN(number), quiet, rounded), 16);
  Value narrow =
      arith::TruncIOp::create(builder, withElementType(type, builder.getI16Type()), high.get());
  return arith::BitcastOp::create(builder, type, narrow);
}

/// The number rounded to the type that the operation has.
static Value narrowed(Num number, Type type) {
  if (number.getType() == type)
    return number.get();
  if (getElementTypeOrSelf(type).isBF16())
    return roundToBFloat16(number, type);
  return arith::TruncFOp::create(number.getBuilder(), type, number.get());
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

template <typename OpTy> struct ExpandUnary final : OpRewritePattern<OpTy> {
  using Function = Num (*)(Num);
  ExpandUnary(MLIRContext *context, Function function)
      : OpRewritePattern<OpTy>(context), function(function) {}

  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    if (failed(checkFloat(op, op.getType(), rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    Num result = function(widened(builder, op.getOperand()));
    rewriter.replaceOp(op, narrowed(result, op.getType()));
    return success();
  }

private:
  Function function;
};

struct ExpandAtan2 final : OpRewritePattern<math::Atan2Op> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::Atan2Op op, PatternRewriter &rewriter) const override {
    if (failed(checkFloat(op, op.getType(), rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    Num result = kernels::atan2(widened(builder, op.getLhs()), widened(builder, op.getRhs()));
    rewriter.replaceOp(op, narrowed(result, op.getType()));
    return success();
  }
};

struct ExpandSincos final : OpRewritePattern<math::SincosOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::SincosOp op, PatternRewriter &rewriter) const override {
    Type type = op.getOperand().getType();
    if (failed(checkFloat(op, type, rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    auto [sine, cosine] = kernels::sinCos(widened(builder, op.getOperand()));
    rewriter.replaceOp(op, {narrowed(sine, type), narrowed(cosine, type)});
    return success();
  }
};

struct ExpandPowF final : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op, PatternRewriter &rewriter) const override {
    if (failed(checkFloat(op, op.getType(), rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    Num x = widened(builder, op.getLhs());
    std::optional<Num> result = byConstant(x, op.getRhs());
    if (!result) {
      Num y = widened(builder, op.getRhs());
      result = kernels::pow(x, y.getWidth() == 32 ? extend(y) : y);
    }
    rewriter.replaceOp(op, narrowed(*result, op.getType()));
    return success();
  }

private:
  /// Exponents that a product, a quotient or a root computes as exactly.
  static std::optional<Num> byConstant(Num x, Value exponent) {
    APFloat value(0.0);
    if (!matchPattern(exponent, m_ConstantFloat(&value)))
      return std::nullopt;
    double y = value.convertToDouble();
    if (y == 1)
      return x * 1;
    if (y == 2)
      return x * x;
    if (y == -1)
      return 1 / x;
    if (y == 0.5) {
      // pow(-0, 0.5) is 0 and pow(-inf, 0.5) is inf.
      Num infinite = x.constant(std::numeric_limits<double>::infinity());
      return select(x == -infinite, infinite, sqrt(x + 0.0));
    }
    return std::nullopt;
  }
};

struct ExpandFPowI final : OpRewritePattern<math::FPowIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FPowIOp op, PatternRewriter &rewriter) const override {
    if (failed(checkFloat(op, op.getType(), rewriter)) ||
        failed(checkInteger(op, op.getRhs().getType(), rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    Num power(builder, op.getRhs());
    // f64 rounds integers above 2^53, so their parity is taken before.
    Num odd = (power & 1) != 0;
    Num result = kernels::pow(widened(builder, op.getLhs()), toDouble(power), odd);
    rewriter.replaceOp(op, narrowed(result, op.getType()));
    return success();
  }
};

struct ExpandIPowI final : OpRewritePattern<math::IPowIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::IPowIOp op, PatternRewriter &rewriter) const override {
    if (failed(checkInteger(op, op.getType(), rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    Num result = kernels::integerPower(Num(builder, op.getLhs()), Num(builder, op.getRhs()));
    rewriter.replaceOp(op, result.get());
    return success();
  }
};

/// Numbers of f64 stay with the code generator, which rounds them once.
struct ExpandTruncF final : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isBF16() ||
        !getElementTypeOrSelf(op.getIn().getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not from f32 to bf16");
    if (failed(checkShape(op, op.getType(), rewriter)))
      return failure();
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    rewriter.replaceOp(op, roundToBFloat16(Num(builder, op.getIn()), op.getType()));
    return success();
  }
};

struct ExpandClampF final : OpRewritePattern<math::ClampFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ClampFOp op, PatternRewriter &rewriter) const override {
    if (failed(checkShape(op, op.getType(), rewriter)))
      return failure();
    Value lower = arith::MaximumFOp::create(rewriter, op.getLoc(), op.getValue(), op.getMin());
    rewriter.replaceOpWithNewOp<arith::MinimumFOp>(op, lower, op.getMax());
    return success();
  }
};

struct ExpandMath final : weft::impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathExpansionPatterns(patterns);
    // A walk, not the greedy driver: that one would fold a function of a
    // constant by the host's libm, which differs from what is computed here.
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void weft::populateMathExpansionPatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  auto add = [&]<typename OpTy>(std::type_identity<OpTy>, Num (*function)(Num)) {
    patterns.add<ExpandUnary<OpTy>>(context, function);
  };
  add(std::type_identity<math::ExpOp>(), kernels::exp);
  add(std::type_identity<math::Exp2Op>(), kernels::exp2);
  add(std::type_identity<math::ExpM1Op>(), kernels::expm1);
  add(std::type_identity<math::SinhOp>(), kernels::sinh);
  add(std::type_identity<math::CoshOp>(), kernels::cosh);
  add(std::type_identity<math::TanhOp>(), kernels::tanh);
  add(std::type_identity<math::LogOp>(), kernels::log);
  add(std::type_identity<math::Log2Op>(), kernels::log2);
  add(std::type_identity<math::Log10Op>(), kernels::log10);
  add(std::type_identity<math::Log1pOp>(), kernels::log1p);
  add(std::type_identity<math::AsinhOp>(), kernels::asinh);
  add(std::type_identity<math::AcoshOp>(), kernels::acosh);
  add(std::type_identity<math::AtanhOp>(), kernels::atanh);
  add(std::type_identity<math::SinOp>(), kernels::sin);
  add(std::type_identity<math::CosOp>(), kernels::cos);
  add(std::type_identity<math::TanOp>(), kernels::tan);
  add(std::type_identity<math::AsinOp>(), kernels::asin);
  add(std::type_identity<math::AcosOp>(), kernels::acos);
  add(std::type_identity<math::AtanOp>(), kernels::atan);
  add(std::type_identity<math::ErfOp>(), kernels::erf);
  add(std::type_identity<math::ErfcOp>(), kernels::erfc);
  add(std::type_identity<math::CbrtOp>(), kernels::cbrt);
  add(std::type_identity<math::RsqrtOp>(), kernels::rsqrt);
  add(std::type_identity<math::RoundOp>(), kernels::roundHalfAway);
  patterns.add<ExpandAtan2, ExpandSincos, ExpandPowF, ExpandFPowI, ExpandIPowI, ExpandClampF,
               ExpandTruncF>(context);
}
