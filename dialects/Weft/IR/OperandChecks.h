//===- OperandChecks.h - Data that says where to read -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_OPERANDCHECKS_H
#define WEFT_DIALECTS_WEFT_IR_OPERANDCHECKS_H

#include "dialects/Weft/IR/ExtentChecks.h"
#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/IR/BuiltinTypes.h"

#include <map>

namespace weft {

/// On operations whose operands are checked already, or known to be right by who made them.
inline constexpr llvm::StringLiteral kCheckedAttrName = "weft.checked";

/// The least number that is allowed.
enum class LeastIndex {
  Zero,
  MinusOne, ///< for none
  FromEnd,  ///< negative ones count from the end
  Any,      ///< negative ones stand for none
  Unsigned  ///< elements are unsigned integers
};

/// The components of a packed tensor, or of a part of one.
struct PackedComponents {
  /// The logical shape with the expressed element type.
  mlir::ShapedType type;
  mlir::ValueRange values;
  /// The logical extents; null where nothing says them.
  llvm::ArrayRef<mlir::OpFoldResult> dims;
  /// Before the names of components in sentences.
  std::string prefix;
  /// The extent that data decides; null where there is none or nothing says it.
  mlir::OpFoldResult stored;
};

/// Builds, in a host function before an operation, what fails the call where an operand that
/// says where to read or write is out of its range, with a sentence that names the operand, the
/// number found and what was expected. Kernels limit such numbers besides, so that a check that
/// is not there costs a sentence but never memory. What is constant and right costs nothing;
/// operations that share an operand share its reductions.
class OperandChecks {
public:
  /// What was built for other operations.
  struct Done {
    std::map<std::pair<std::string, std::vector<const void *>>, llvm::SmallVector<mlir::Block *>>
        checks;
    std::map<std::pair<const void *, LeastIndex>, llvm::SmallVector<mlir::Value>> largest;
  };

  OperandChecks(mlir::Operation *op, Done &done)
      : builder(op), loc(op->getLoc()), extents(builder, loc), done(done) {}

  /// Each number is at least `least` and below `bound`, or `bound` too if `isInclusive`. Without
  /// `numbers` nothing is built, here and below.
  void requireRange(llvm::StringRef operand, mlir::Value numbers, LeastIndex least,
                    mlir::OpFoldResult bound, bool isInclusive = false);

  /// Offsets ascend, along their last dimension, within [0, last]; `isWhole`: from 0 to last.
  void requireAscending(llvm::StringRef operand, mlir::Value offsets, mlir::OpFoldResult last,
                        bool isWhole = false);

  /// No number of a tensor is wrong. `isWrong` gets the number as an index and its position,
  /// and reads no other tensors than `reads`. '#' in `expected` stands for `bound`.
  using IsWrong =
      llvm::function_ref<mlir::Value(IndexMath, mlir::Value number, mlir::ValueRange at)>;
  void require(llvm::StringRef operand, mlir::Value numbers, mlir::ValueRange reads,
               mlir::OpFoldResult bound, const llvm::Twine &expected, IsWrong isWrong);

  /// Lists of numbers, one for each position in `lines`, that are stored in any way.
  /// `firstWrong` gives the row-major number of the first entry of a line that is wrong, or
  /// `none`, `read` the number that an entry has.
  struct Lists {
    llvm::function_ref<mlir::Value(IndexMath, mlir::ValueRange line, mlir::Value none)> firstWrong;
    llvm::function_ref<mlir::Value(IndexMath, mlir::Value entry)> read;
  };
  void requireLists(llvm::StringRef operand, mlir::ValueRange reads,
                    llvm::ArrayRef<mlir::OpFoldResult> lines, mlir::OpFoldResult bound,
                    const llvm::Twine &expected, Lists lists);

  /// Whether any check was built.
  bool hasAny() const { return isUsed || extents.hasAny(); }

  mlir::OpBuilder builder;
  mlir::Location loc;
  ExtentChecks extents;

private:
  /// Whether the same was built where it comes before this; if not, it is now.
  bool isDone(const llvm::Twine &what, mlir::ValueRange values, mlir::OpFoldResult bound);
  mlir::Value findLargest(mlir::Value numbers, LeastIndex least);
  /// The row-major position of the first wrong number, or the largest i64.
  mlir::Value findWrong(mlir::Value numbers, IsWrong isWrong);
  /// `combine` over all elements of an i64 tensor.
  mlir::Value reduceMin(mlir::Value positions);
  void failAt(llvm::StringRef operand, mlir::Value first, mlir::OpFoldResult bound,
              const llvm::Twine &expected,
              llvm::function_ref<mlir::Value(IndexMath, mlir::Value)> read);

  Done &done;
  bool isUsed = false;
};

/// Goes through [begin, end) with a value that is carried on from one entry to the next; gives
/// the first entry that is wrong, else `none`.
mlir::Value
findFirst(IndexMath m, mlir::Value begin, mlir::Value end, mlir::Value carried, mlir::Value none,
          llvm::function_ref<std::pair<mlir::Value, mlir::Value>(IndexMath, mlir::Value entry,
                                                                 mlir::Value carried)>
              step);

/// The position of a row-major number; extents of 0 are taken for 1.
llvm::SmallVector<mlir::Value> delinearize(IndexMath m, mlir::Value number,
                                           llvm::ArrayRef<mlir::OpFoldResult> extents);

/// Whether a value is what an operation of that kind computed.
template <typename OpTy> bool comesFrom(mlir::Value value) {
  while (auto cast = value.getDefiningOp<mlir::tensor::CastOp>())
    value = cast.getSource();
  return mlir::isa_and_nonnull<OpTy>(value.getDefiningOp());
}

/// Whether a value is a constant, which `weft-verify-packed-constants` has seen.
bool isKnownConstant(mlir::Value value);

/// The extents that symbols of a packed tensor's components have: the logical ones, then those
/// that data decides; null where nothing says them. `sizes` are those of the components.
llvm::SmallVector<mlir::OpFoldResult>
solveExtents(mlir::OpBuilder &b, PackedType type,
             llvm::ArrayRef<llvm::SmallVector<mlir::OpFoldResult>> sizes);

/// Has a format, or a field of one, check its components, if it has anything to check.
void buildComponentChecks(mlir::Attribute format, OperandChecks &checks,
                          const PackedComponents &packed);

/// Attaches the checks of this dialect's operations and formats.
void attachOperandChecks(mlir::MLIRContext *context);
void attachCompositeChecks(mlir::MLIRContext *context);

} // namespace weft

#include "dialects/Weft/IR/OperandCheckOps.h.inc"

#include "dialects/Weft/IR/OperandCheckAttributes.h.inc"

#endif // WEFT_DIALECTS_WEFT_IR_OPERANDCHECKS_H
