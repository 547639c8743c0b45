//===- ReductionOps.h - Reductions that operators share -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_REDUCTIONOPS_H
#define WEFT_FRONTEND_ONNX_REDUCTIONOPS_H

#include "Frontend/ONNX/TensorOps.h"

namespace weft::onnx {

/// The sum over `axes`, accumulated and given in f32 for 16-bit floats, else in
/// x's type.
TensorValue reduceSum(NodeContext &node, const TensorValue &x, llvm::ArrayRef<int64_t> axes,
                      bool keepDims);
/// The largest element over `axes`, NaN if there is one.
TensorValue reduceMax(NodeContext &node, const TensorValue &x, llvm::ArrayRef<int64_t> axes,
                      bool keepDims);
/// The position (int64) of the largest or smallest element along `axis`: of the
/// first or the last among equal ones; NaN comes before all numbers. The result
/// does not depend on the order of the reduction.
TensorValue argExtreme(NodeContext &node, const TensorValue &x, int64_t axis, bool keepDims,
                       bool findMax, bool selectLast);
/// x - max - ln(sum(e^(x - max))) along `axis`; x is f32 or f64.
TensorValue logSoftmax(NodeContext &node, const TensorValue &x, int64_t axis);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_REDUCTIONOPS_H
