//===- SparseTensorBridge.h - Structures as upstream's encodings -*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SPARSE_IR_SPARSETENSORBRIDGE_H
#define WEFT_DIALECTS_SPARSE_IR_SPARSETENSORBRIDGE_H

#include "dialects/Sparse/IR/Sparse.h"

namespace weft::sparse {

/// The encoding that the matrices of a packed type have in the sparse_tensor dialect;
/// null where there is none.
mlir::sparse_tensor::SparseTensorEncodingAttr getUpstreamEncoding(PackedType type);

} // namespace weft::sparse

#endif // WEFT_DIALECTS_SPARSE_IR_SPARSETENSORBRIDGE_H
