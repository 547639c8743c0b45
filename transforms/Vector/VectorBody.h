//===- VectorBody.h - Bodies of structured operations on vectors ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_VECTOR_VECTORBODY_H
#define WEFT_TRANSFORMS_VECTOR_VECTORBODY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace weft {

/// The body of a `linalg.generic` computed for neighbours along one of its
/// loops, the *vector loop*. What is the same for all of them (broadcast
/// operands and what depends on nothing else) stays scalar, and is computed
/// once a row.
class VectorBody {
public:
  VectorBody(mlir::linalg::GenericOp op, unsigned vectorLoop);

  /// Why vectors cannot compute it; empty if they can.
  llvm::StringRef obstacle() const { return reason; }
  /// Bits of the widest number that differs along the vector loop, indices
  /// aside, and of the narrowest that is read or written as vectors.
  int64_t widestBits() const { return widest; }
  int64_t narrowestAccess() const { return narrowest; }
  /// About how many instructions it takes for a vector.
  int64_t cost() const { return instructions; }

  /// Computes what does not depend on the vector loop, for the values `loops` of
  /// the others.
  void enterRow(mlir::OpBuilder &b, llvm::ArrayRef<mlir::Value> loops);
  /// What the body yields for `lanes` neighbours from `position` on, of which
  /// those outside of `mask` are arbitrary; a null mask has all. `outs` are
  /// vectors that stand for the arguments of the inits, or null where these
  /// are not used. `carried` are the present values of the init tensors, which
  /// inputs that are the same tensors are read from.
  llvm::SmallVector<mlir::Value> compute(mlir::OpBuilder &b, mlir::Value position, int64_t lanes,
                                         mlir::Value mask, mlir::ValueRange outs,
                                         mlir::ValueRange carried) const;

  /// Where `operand` is accessed for the given values of all loops.
  static llvm::SmallVector<mlir::Value> position(mlir::OpBuilder &b, mlir::linalg::GenericOp op,
                                                 mlir::OpOperand *operand,
                                                 llvm::ArrayRef<mlir::Value> loops);

private:
  void analyze();
  void analyzeInputs();
  bool analyzeOperation(mlir::Operation &inner);
  /// By how much an index grows from one lane to the next; none if not evenly.
  std::optional<int64_t> strideOf(mlir::Value index) const;
  /// A read of neighbours, or of the bytes in which neighbours of less than
  /// eight bits each begin: byte `offset` + `bit` / 8.
  struct Read {
    mlir::Value bit; ///< null if elements are whole
    int64_t bits = 0, offset = 0;
  };
  std::optional<Read> matchRead(mlir::tensor::ExtractOp extract) const;
  mlir::Value read(mlir::OpBuilder &b, mlir::tensor::ExtractOp extract, mlir::Value start,
                   int64_t lanes, mlir::Value mask) const;
  mlir::Value readBytes(mlir::OpBuilder &b, mlir::tensor::ExtractOp extract, const Read &read,
                        mlir::Value start, int64_t lanes) const;
  /// What an index, or a value that is one for blocks, is for the lane at `start`.
  mlir::Value atLane(mlir::OpBuilder &b, mlir::Value value, mlir::Value start) const;
  mlir::Value atLane(mlir::OpBuilder &b, mlir::Value value, mlir::Value start,
                     mlir::IRMapping &known) const;
  bool varies(mlir::Value value) const { return varying.contains(value); }

  /// What depends on the vector loop by `position` / `size` only: it is one for
  /// blocks of neighbours, as the scales of packed numbers are.
  struct Blocks {
    mlir::Value position;
    int64_t size;
    bool operator==(const Blocks &) const = default;
  };
  std::optional<Blocks> matchBlocks(mlir::Operation &inner) const;
  /// The lanes from `start` on of a value that is one for blocks.
  mlir::Value selectBlocks(mlir::OpBuilder &b, mlir::Value value, const Blocks &blocks,
                           mlir::Value start, int64_t lanes) const;
  /// The last position of the vector loop.
  mlir::Value lastPosition(mlir::OpBuilder &b) const;

  mlir::linalg::GenericOp op;
  unsigned vectorLoop;
  llvm::StringRef reason;
  int64_t widest = 8, narrowest = 64, instructions = 0;
  llvm::DenseSet<mlir::Value> varying; ///< of the body
  llvm::DenseMap<mlir::Value, Blocks> blockwise;
  mlir::IRMapping scalars;            ///< what is the same along the row
  llvm::SmallVector<mlir::Value> row; ///< values of the loops around it
};

/// Whether neighbours along `loop` are neighbours in the memory of a tensor that
/// is indexed by `map`.
bool isContiguousAlong(mlir::AffineMap map, unsigned loop);

/// Whether neighbours in the last dimension of `tensor` are so in memory.
bool hasContiguousRows(mlir::Value tensor);

/// `lanes` elements of a tensor from `position` on.
mlir::Value readVector(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                       mlir::ValueRange position, int64_t lanes, mlir::Value mask);

/// The tensor with a vector written at `position`.
mlir::Value writeVector(mlir::OpBuilder &b, mlir::Location loc, mlir::Value vector,
                        mlir::Value tensor, mlir::ValueRange position, mlir::Value mask);

} // namespace weft

#endif // WEFT_TRANSFORMS_VECTOR_VECTORBODY_H
