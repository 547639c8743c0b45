//===- ScoreChain.h - What lies between a product and its softmax ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_TRANSFORMS_SCORECHAIN_H
#define WEFT_DIALECTS_ATTN_TRANSFORMS_SCORECHAIN_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace weft::attn {

/// Elementwise operations from the result of a contraction to the input of a softmax.
struct ScoreChain {
  /// The chain that ends in `scores`; nothing if it does not begin at a contraction. All
  /// values between have one user.
  static std::optional<ScoreChain> match(mlir::Value scores);

  /// An operation, and which of its inputs is the score.
  struct Step {
    mlir::linalg::GenericOp op;
    unsigned input;
  };

  ContractOp products;
  llvm::SmallVector<Step> steps; ///< in the order of execution
};

/// What the steps of a chain are to `attn.attend`.
struct ScoreFunction {
  /// `letters` are those of the scores' dimensions.
  ScoreFunction(const ScoreChain &chain, llvm::StringRef letters);

  double scale = 1;
  mlir::Value bias; ///< broadcasts to [b, h, s, t] once `biasLetters` are expanded to that
  std::string biasLetters;
  /// Steps from here on go into the region.
  size_t regionStart = 0;

  bool hasRegion(const ScoreChain &chain) const { return regionStart != chain.steps.size(); }

  /// Fills the region of `attend` with the steps that are left.
  void buildRegion(mlir::RewriterBase &rewriter, mlir::Region &region, const ScoreChain &chain,
                   llvm::StringRef letters, mlir::Type type) const;
};

} // namespace weft::attn

#endif // WEFT_DIALECTS_ATTN_TRANSFORMS_SCORECHAIN_H
