//===- ElementAccess.h - Elements of tensors, affinely ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTACCESS_H
#define WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTACCESS_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace weft::moe {

/// An element of a tensor: its position is affine in some free dimensions, and in
/// extents that are known when the call runs only (symbols).
struct ElementAccess {
  mlir::Value tensor;
  llvm::SmallVector<mlir::AffineExpr> at;

  bool operator==(const ElementAccess &other) const {
    return tensor == other.tensor && at == other.at;
  }
  bool isAt(llvm::ArrayRef<mlir::AffineExpr> position) const {
    return llvm::ArrayRef<mlir::AffineExpr>(at) == position;
  }
};

/// Follows elements to where they were computed. Free dimensions have extents, which tell
/// a merged dimension from those that it was made of.
class ElementResolver {
public:
  explicit ElementResolver(mlir::MLIRContext *context) : context(context) {}

  /// A free dimension of this extent, if it is known; 0 is all of one of extent 1.
  mlir::AffineExpr addDim(mlir::OpFoldResult extent = {});
  /// One of the extent that dimension `dim` of `tensor` has.
  mlir::AffineExpr addDimOf(mlir::Value tensor, int64_t dim);
  mlir::AffineExpr constant(int64_t value) const {
    return mlir::getAffineConstantExpr(value, context);
  }

  /// The element before one operation that only moves elements: slices, reshapes,
  /// transpositions, broadcasts, tiles, gathers of all, casts.
  std::optional<ElementAccess> previous(const ElementAccess &access);
  /// The element and those that it was before, the last one computed.
  llvm::SmallVector<ElementAccess> chain(ElementAccess access);
  ElementAccess resolve(const ElementAccess &access) { return chain(access).back(); }
  /// The tensor of which the element is at `position`, if any was on the way.
  mlir::Value find(const ElementAccess &access, llvm::ArrayRef<mlir::AffineExpr> position);

  /// The element of an input that a parallel `op` computes the element of its result from.
  std::optional<ElementAccess> input(mlir::linalg::GenericOp op, unsigned input,
                                     llvm::ArrayRef<mlir::AffineExpr> at);
  /// The same of a contraction, whose contracted dimension is at `inner`.
  ElementAccess operand(ContractOp op, mlir::OpOperand &operand,
                        llvm::ArrayRef<mlir::AffineExpr> at, mlir::AffineExpr inner);
  /// What `op`, parallel, has at the indices of its loops for the element `at` of its result;
  /// empty if they are not known.
  llvm::SmallVector<mlir::AffineExpr> loops(mlir::linalg::GenericOp op,
                                            llvm::ArrayRef<mlir::AffineExpr> at);
  /// An index computed in the body of `op`, whose loops are at `loops`.
  std::optional<mlir::AffineExpr> index(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> loops);
  /// The element of an integer tensor, if it is affine in its position.
  std::optional<mlir::AffineExpr> number(const ElementAccess &access);

private:
  using Exprs = llvm::SmallVector<mlir::AffineExpr>;

  mlir::AffineExpr addExtent(mlir::AffineExpr extent);
  mlir::AffineExpr extentExpr(mlir::OpFoldResult size);
  mlir::AffineExpr extentOf(mlir::Value tensor, int64_t dim);
  /// `index` as quotient and remainder by `size`.
  std::optional<std::pair<mlir::AffineExpr, mlir::AffineExpr>> divide(mlir::AffineExpr index,
                                                                      mlir::AffineExpr size);
  std::optional<ElementAccess> beforeExpand(mlir::tensor::ExpandShapeOp op,
                                            llvm::ArrayRef<mlir::AffineExpr> at);
  std::optional<ElementAccess> beforeCollapse(mlir::tensor::CollapseShapeOp op,
                                              llvm::ArrayRef<mlir::AffineExpr> at);
  std::optional<ElementAccess> beforeSlice(mlir::tensor::ExtractSliceOp op,
                                           llvm::ArrayRef<mlir::AffineExpr> at);
  std::optional<ElementAccess> beforeGather(GatherOp op, llvm::ArrayRef<mlir::AffineExpr> at);
  std::optional<ElementAccess> beforeGeneric(mlir::linalg::GenericOp op,
                                             llvm::ArrayRef<mlir::AffineExpr> at);

  mlir::MLIRContext *context;
  Exprs extents; ///< of free dimensions, null if not known
  llvm::SmallVector<mlir::Value> symbols;
};

} // namespace weft::moe

#endif // WEFT_DIALECTS_MOE_TRANSFORMS_ELEMENTACCESS_H
