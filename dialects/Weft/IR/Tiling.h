//===- Tiling.h - Tiles of operations by their loops ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operation says which loops it has and which dimensions of its operands and
// results follow them; TilingInterface follows from that (WeftTiling.td).
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_TILING_H
#define WEFT_DIALECTS_WEFT_IR_TILING_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/ValueRange.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace weft {

/// The loop that a dimension follows. A dimension of static extent 1 is taken whole by
/// all tiles: it is broadcast, or its loop has one iteration.
struct LoopDim {
  /// None: tiles take the whole dimension.
  static constexpr int64_t kNone = -1;

  LoopDim(int64_t loop = kNone, int64_t factor = 1, bool isGrouped = false)
      : loop(loop), factor(factor), isGrouped(isGrouped) {}

  int64_t loop;
  /// Positions for one of the loop, of which the last may have fewer.
  int64_t factor;
  /// The extent divides the loop's, and neighbours of the loop share a position (the heads
  /// of keys). Where the two may differ, tiles have a size of 1 or are whole.
  bool isGrouped;
};

/// The loops of an operation, and the dimensions that follow them.
class TilingLoops {
public:
  /// Parallel loops, which letters name if there are any. Operands and results follow none yet:
  /// tiles take them as they are.
  TilingLoops(mlir::Operation *op, llvm::StringRef letters);
  TilingLoops(mlir::Operation *op, unsigned count);

  /// `letter` stands for dimensions of `factor` positions for one of the loop `of`.
  TilingLoops &scale(char letter, char of, int64_t factor);
  /// The dimensions of operands: a letter each. A lower-case letter is a dimension that groups
  /// the loop of the letter; what names no loop is whole.
  TilingLoops &cut(mlir::MutableOperandRange operands, llvm::StringRef letters);
  TilingLoops &cut(mlir::MutableOperandRange operands, llvm::ArrayRef<LoopDim> dims);
  /// The dimensions of a result of an operation that has no destinations. Others follow their
  /// destination.
  TilingLoops &give(unsigned result, llvm::ArrayRef<LoopDim> dims);
  TilingLoops &reduce(unsigned loop);
  /// Packed operands that tiles cut are decoded by tiles. Without this there are no such tiles.
  TilingLoops &decode();

  mlir::Operation *getOperation() const { return op; }
  unsigned getCount() const { return iterators.size(); }
  llvm::ArrayRef<mlir::utils::IteratorType> getIterators() const { return iterators; }
  mlir::SmallVector<mlir::Range> getDomain(mlir::OpBuilder &b) const;

  /// Whether a tile has all of a loop, as far as it can be seen.
  bool isWhole(unsigned loop, mlir::OpFoldResult offset, mlir::OpFoldResult size) const;
  /// Slices of all operands for a tile, in their order; what was built is in `built`.
  mlir::FailureOr<mlir::SmallVector<mlir::Value>>
  cutOperands(mlir::OpBuilder &b, llvm::ArrayRef<mlir::OpFoldResult> offsets,
              llvm::ArrayRef<mlir::OpFoldResult> sizes,
              mlir::SmallVectorImpl<mlir::Operation *> &built) const;
  /// The slice of one operand, which is a tensor.
  mlir::FailureOr<mlir::Value> cutOperand(mlir::OpBuilder &b, mlir::OpOperand &operand,
                                          llvm::ArrayRef<mlir::OpFoldResult> offsets,
                                          llvm::ArrayRef<mlir::OpFoldResult> sizes,
                                          mlir::SmallVectorImpl<mlir::Operation *> &built) const;

  /// The operation on slices of its operands.
  mlir::FailureOr<mlir::TilingResult> tile(mlir::OpBuilder &b,
                                           llvm::ArrayRef<mlir::OpFoldResult> offsets,
                                           llvm::ArrayRef<mlir::OpFoldResult> sizes) const;
  /// What a tile gives of a result.
  mlir::LogicalResult getResultTile(mlir::OpBuilder &b, unsigned result,
                                    llvm::ArrayRef<mlir::OpFoldResult> offsets,
                                    llvm::ArrayRef<mlir::OpFoldResult> sizes,
                                    mlir::SmallVectorImpl<mlir::OpFoldResult> &resultOffsets,
                                    mlir::SmallVectorImpl<mlir::OpFoldResult> &resultSizes) const;
  /// The tile that gives this much of a result. Fails if that has a part of a dimension that
  /// follows no loop, or may begin or end inside of what one position of a loop gives.
  mlir::LogicalResult getTileOfResult(mlir::OpBuilder &b, unsigned result,
                                      llvm::ArrayRef<mlir::OpFoldResult> resultOffsets,
                                      llvm::ArrayRef<mlir::OpFoldResult> resultSizes,
                                      mlir::SmallVectorImpl<mlir::OpFoldResult> &offsets,
                                      mlir::SmallVectorImpl<mlir::OpFoldResult> &sizes) const;

private:
  using Dims = llvm::SmallVector<LoopDim>;
  /// A dimension that follows a loop.
  struct Follower {
    mlir::Value value; ///< a tensor or packed
    int64_t dim;
    int64_t factor;
  };

  LoopDim find(char letter) const;
  const Dims &dimsOfResult(unsigned result) const;
  mlir::SmallVector<Follower> getFollowers(unsigned loop) const;
  int64_t getStaticExtent(unsigned loop) const;
  mlir::OpFoldResult getExtent(mlir::OpBuilder &b, unsigned loop) const;
  bool isWholeDim(mlir::Value value, int64_t dim, mlir::OpFoldResult offset,
                  mlir::OpFoldResult size) const;
  mlir::OpFoldResult extentOf(mlir::OpBuilder &b, mlir::Value value, int64_t dim,
                              LoopDim follows) const;
  bool isShared(mlir::Value value, int64_t dim, unsigned loop) const;
  mlir::LogicalResult cutDims(mlir::OpBuilder &b, mlir::Value value, llvm::ArrayRef<LoopDim> dims,
                              llvm::ArrayRef<mlir::OpFoldResult> offsets,
                              llvm::ArrayRef<mlir::OpFoldResult> sizes,
                              mlir::SmallVectorImpl<mlir::OpFoldResult> &from,
                              mlir::SmallVectorImpl<mlir::OpFoldResult> &extents) const;
  bool cuts(mlir::OpOperand &operand, llvm::ArrayRef<mlir::OpFoldResult> offsets,
            llvm::ArrayRef<mlir::OpFoldResult> sizes) const;
  mlir::FailureOr<mlir::Value> decodeOperand(mlir::OpBuilder &b, mlir::OpOperand &operand,
                                             llvm::ArrayRef<mlir::OpFoldResult> offsets,
                                             llvm::ArrayRef<mlir::OpFoldResult> sizes) const;

  mlir::Operation *op;
  mlir::SmallVector<mlir::utils::IteratorType> iterators;
  llvm::SmallVector<std::pair<char, LoopDim>> letters;
  llvm::SmallVector<Dims> operands, results;
  bool decodes = false;
};

/// The value that a tile gives of one result; the rest of `TilingInterface` by a tile's
/// implementation.
mlir::FailureOr<mlir::TilingResult> generateResultTile(mlir::TilingInterface op, mlir::OpBuilder &b,
                                                       unsigned result,
                                                       llvm::ArrayRef<mlir::OpFoldResult> offsets,
                                                       llvm::ArrayRef<mlir::OpFoldResult> sizes);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_TILING_H
