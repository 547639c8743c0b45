//===- Npy.h - NumPy's array files ----------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TENSOR_NPY_H
#define WEFT_TENSOR_NPY_H

#include "Tensor/OutputFile.h"
#include "Tensor/Tensor.h"

namespace weft {

/// Reads format versions 1 to 3 (NumPy's NEP 1). Column-major arrays are
/// transposed and big-endian ones swapped, others stay where they are mapped.
/// Objects, strings, dates and structures are refused. NumPy has no name for
/// the narrow floats of ml_dtypes and writes them as raw bytes: two bytes are
/// read as bf16; one byte is refused unless `expected` gives the type, as for
/// any other raw element.
Result<Tensor> readNpy(const ByteSource &source, const DataType *expected = nullptr);

/// Writes version 1.0 with the data 64-byte aligned. bf16 becomes "<V2" and the
/// 8-bit floats "|V1", as ml_dtypes does. What is narrower than a byte is
/// widened: integers to 8 bits, floats to f32.
Status writeNpy(OutputFile &file, const Tensor &tensor);

} // namespace weft

#endif // WEFT_TENSOR_NPY_H
