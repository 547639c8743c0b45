//===- Bases.h - How numbers are transformed along a dimension ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_IR_BASES_H
#define WEFT_DIALECTS_LOWP_IR_BASES_H

#include "dialects/LowP/IR/LowP.h"

namespace weft::lowp {

/// Whether an attribute is a basis; a diagnostic if not.
llvm::LogicalResult verifyBasis(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                mlir::Attribute basis);

/// Whether numbers can be transformed along an extent (or ShapedType::kDynamic).
llvm::LogicalResult verifyBasisOf(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                  mlir::Attribute basis, int64_t extent);

/// The bases that one consists of.
llvm::SmallVector<mlir::Attribute> getBasisParts(mlir::Attribute basis);

/// Whether `lowp.rotate` is given a tensor for a basis that is not composed.
bool hasParameter(mlir::Attribute part);

/// A Hadamard matrix of an order that is no multiple of another, row-major; empty
/// if none is known. Paley, "On orthogonal matrices" (1933).
llvm::SmallVector<int8_t> getPaleyMatrix(int64_t order);

/// `size` as `order` times a power of two, where `getPaleyMatrix` has `order` (or it
/// is 1); 0 if there is none.
int64_t getHadamardOrder(int64_t size);

} // namespace weft::lowp

#endif // WEFT_DIALECTS_LOWP_IR_BASES_H
