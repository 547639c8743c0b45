//===- AttnBuilders.h - Named methods as configurations -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_IR_ATTNBUILDERS_H
#define WEFT_DIALECTS_ATTN_IR_ATTNBUILDERS_H

#include "dialects/Attn/IR/Attn.h"

namespace weft::attn {

/// What an attention is besides its queries, keys and values; null and empty is none.
struct AttendConfig {
  std::string layout = "bhsd,bhtd,bhte->bhse";
  std::optional<double> scale, softcap;
  bool causal = false;
  std::optional<std::pair<int64_t, int64_t>> window;
  int64_t globals = 0;
  /// Whether there is a score region, which whoever builds the operation fills.
  bool hasScore = false;
  EmptyRows emptyRows = EmptyRows::Zero;
  llvm::SmallVector<int64_t> blockSizes;
  mlir::Value bias, mask, slopes, sinks, keyLengths, starts, offset, blockMask, pageTable,
      queryOffsets, keyOffsets;

  /// Each query sees itself and the `left` keys before it (Longformer, Mistral).
  static AttendConfig slidingWindow(int64_t left);
  /// A window, and the first `sinks` keys (StreamingLLM, arXiv 2309.17453).
  static AttendConfig streaming(int64_t sinks, int64_t left);
  /// Causal, with a penalty on the distance (ALiBi, arXiv 2108.12409); `slopes` [heads].
  static AttendConfig alibi(mlir::Value slopes);
  /// Causal, with a learned sink for each head (gpt-oss); a vector of zeros is the softmax with one
  /// more in the denominator.
  static AttendConfig learnedSinks(mlir::Value sinks);
  /// Queries behind `past` keys of a cache, of which `lengths` count.
  static AttendConfig decode(mlir::Value starts, mlir::Value lengths);
};

/// The slopes of ALiBi for a number of heads: powers of 2^(-8 / heads), and for other
/// numbers than powers of two those of the next smaller one and every other of the next.
llvm::SmallVector<double> alibiSlopes(int64_t heads);

/// softmax(Q K') V into `init`, whose type is the result's.
AttendOp buildAttend(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value query,
                     mlir::Value key, mlir::Value value, mlir::Value init,
                     const AttendConfig &config);

/// Attention to the keys cut into `pieces`, with the logarithms of the denominators.
PartialOp buildPartial(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value query,
                       mlir::Value key, mlir::Value value, int64_t pieces,
                       llvm::ArrayRef<mlir::OpFoldResult> resultShape, const AttendConfig &config);

/// Flash-Decoding: pieces of the keys in parallel, then their merging into `init`.
MergeOp buildFlashDecoding(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value query,
                           mlir::Value key, mlir::Value value, int64_t pieces, mlir::Value init,
                           const AttendConfig &config);

} // namespace weft::attn

#endif // WEFT_DIALECTS_ATTN_IR_ATTNBUILDERS_H
