//===- CompositeInputs.h - Operators that keep their names ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_COMPOSITEINPUTS_H
#define WEFT_FRONTEND_ONNX_OPS_COMPOSITEINPUTS_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// The inputs of a node as its composite's body sees them, under their numbers.
class CompositeInputs {
public:
  bool has(size_t i) const { return i < positions.size() && positions[i] >= 0; }
  const TensorValue &operator[](size_t i) const { return values[positions[i]]; }
  /// Null if the input is left out.
  const TensorValue *find(size_t i) const { return has(i) ? &values[positions[i]] : nullptr; }

private:
  friend mlir::LogicalResult buildComposite(
      NodeContext &,
      llvm::function_ref<mlir::FailureOr<llvm::SmallVector<TensorValue>>(const CompositeInputs &)>);
  llvm::SmallVector<int64_t> positions;
  llvm::ArrayRef<TensorValue> values;
};

/// Wraps the reference body of a node in a composite of its inputs and sets its
/// outputs; the body may give more than the node has.
mlir::LogicalResult buildComposite(
    NodeContext &node,
    llvm::function_ref<mlir::FailureOr<llvm::SmallVector<TensorValue>>(const CompositeInputs &)>
        body);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_COMPOSITEINPUTS_H
