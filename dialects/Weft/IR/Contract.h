//===- Contract.h - Contractions and their factors --------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_CONTRACT_H
#define WEFT_DIALECTS_WEFT_IR_CONTRACT_H

#include "dialects/Weft/IR/Weft.h"

namespace weft {

/// Whether `map` is a projected permutation, but for results that are 0: there may be
/// more of these than MLIR's own test allows.
bool isBroadcastPermutation(mlir::AffineMap map);

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_CONTRACT_H
