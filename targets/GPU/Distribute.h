//===- Distribute.h - Loops divided among threads ---------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_DISTRIBUTE_H
#define WEFT_TARGETS_GPU_DISTRIBUTE_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace weft::gpu {

/// Who divides a range: worker `index` of `count` takes each `count`-th item from
/// its own number on.
struct Workers {
  mlir::Value index, count;
};

/// How large a launch is. Both are passed and not asked for on the device, where AMD
/// GPUs would need hidden arguments for them.
struct Grid {
  mlir::Value blocks;
  int64_t threads; ///< of a block
};

/// The threads of a block, of the grid, and the blocks of the grid, along x.
Workers threadsOfBlock(mlir::OpBuilder &b, mlir::Location loc, const Grid &grid);
Workers threadsOfGrid(mlir::OpBuilder &b, mlir::Location loc, const Grid &grid);
Workers blocksOfGrid(mlir::OpBuilder &b, mlir::Location loc, const Grid &grid);

/// The loops of `op` that are divided: the parallel ones, in the order in which its
/// first result is laid out, so that the last of them walks its last dimension.
llvm::SmallVector<unsigned> dividedLoops(mlir::linalg::LinalgOp op);

/// The number of positions of the divided loops of `op`.
mlir::Value countPositions(mlir::OpBuilder &b, mlir::linalg::LinalgOp op);

/// The position in each dimension of item `linear` of all, the last one fastest.
llvm::SmallVector<mlir::Value> delinearize(mlir::OpBuilder &b, mlir::Location loc,
                                           mlir::Value linear, llvm::ArrayRef<mlir::Value> counts);

/// The element of `operand` that `op` has at `position` of its loops: its indices, and
/// its value.
llvm::SmallVector<mlir::Value> indicesOf(mlir::OpBuilder &b, mlir::linalg::LinalgOp op,
                                         mlir::OpOperand &operand,
                                         llvm::ArrayRef<mlir::Value> position);
mlir::Value loadOperand(mlir::OpBuilder &b, mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                        llvm::ArrayRef<mlir::Value> position);

/// Computes the body of `op` at `position`; `mapping` has its arguments. Returns what it
/// yields.
llvm::SmallVector<mlir::Value> cloneBody(mlir::OpBuilder &b, mlir::linalg::LinalgOp op,
                                         mlir::IRMapping &mapping,
                                         llvm::ArrayRef<mlir::Value> position);

/// The number of iterations of `loop`, which is not negative.
mlir::Value countIterations(mlir::OpBuilder &b, mlir::scf::ForallOp loop);

/// Replaces `op`, an operation on memory, by loops: its divided loops are one range of
/// positions that `workers` divide, its other loops run within a worker, which
/// keeps what it reduces in registers.
void distributePositions(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op, Workers workers);

/// Replaces `loop` by one over the iterations that fall to a worker. Returns it.
mlir::scf::ForOp distributeIterations(mlir::RewriterBase &rewriter, mlir::scf::ForallOp loop,
                                      Workers workers);

/// How a block does what has more than one way.
struct BlockOptions {
  Grid grid;
  /// Results of a contraction that a thread has in registers: rows, columns and depth
  /// (RegisterTile); none: one after the other.
  llvm::ArrayRef<int64_t> registerTile = {};
};

/// Makes the code in `block`, which all threads of a block run alike, do each thing
/// once: operations of `linalg` and copies are divided among the threads, but for
/// contractions for matrix instructions, which stay until a chip is chosen; stores
/// are the first thread's, and parallel loops run one iteration after the other.
/// Barriers keep what is written apart from what is read. Fails where an
/// operation writes in another way.
mlir::LogicalResult distributeBlock(mlir::RewriterBase &rewriter, mlir::Block &block,
                                    const BlockOptions &options);

/// Makes the temporaries of a block workgroup memory of `function`.
void shareTemporaries(mlir::RewriterBase &rewriter, mlir::gpu::GPUFuncOp function);

/// Makes the parallel loops in `region` sequential ones, and the temporaries of the
/// thread in it private memory of `function`.
mlir::LogicalResult makeSequential(mlir::RewriterBase &rewriter, mlir::Region &region,
                                   mlir::gpu::GPUFuncOp function);

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_DISTRIBUTE_H
