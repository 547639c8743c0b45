//===- Tensor.cpp - Element types, sizes and shapes ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

using namespace weft::runtime;

namespace {
struct NamedType {
  uint8_t code, bits;
  const char *name;
};
} // namespace

static constexpr NamedType namedTypes[] = {
    {WEFT_DTYPE_INT, 2, "int2"},
    {WEFT_DTYPE_INT, 4, "int4"},
    {WEFT_DTYPE_INT, 8, "int8"},
    {WEFT_DTYPE_INT, 16, "int16"},
    {WEFT_DTYPE_INT, 32, "int32"},
    {WEFT_DTYPE_INT, 64, "int64"},
    {WEFT_DTYPE_UINT, 2, "uint2"},
    {WEFT_DTYPE_UINT, 4, "uint4"},
    {WEFT_DTYPE_UINT, 8, "uint8"},
    {WEFT_DTYPE_UINT, 16, "uint16"},
    {WEFT_DTYPE_UINT, 32, "uint32"},
    {WEFT_DTYPE_UINT, 64, "uint64"},
    {WEFT_DTYPE_FLOAT, 16, "float16"},
    {WEFT_DTYPE_FLOAT, 32, "float32"},
    {WEFT_DTYPE_FLOAT, 64, "float64"},
    {WEFT_DTYPE_BFLOAT, 16, "bfloat16"},
    {WEFT_DTYPE_COMPLEX, 64, "complex64"},
    {WEFT_DTYPE_COMPLEX, 128, "complex128"},
    {WEFT_DTYPE_BOOL, 8, "bool"},
    {WEFT_DTYPE_FLOAT8_E4M3FN, 8, "float8_e4m3fn"},
    {WEFT_DTYPE_FLOAT8_E4M3FNUZ, 8, "float8_e4m3fnuz"},
    {WEFT_DTYPE_FLOAT8_E5M2, 8, "float8_e5m2"},
    {WEFT_DTYPE_FLOAT8_E5M2FNUZ, 8, "float8_e5m2fnuz"},
    {WEFT_DTYPE_FLOAT8_E8M0FNU, 8, "float8_e8m0fnu"},
    {WEFT_DTYPE_FLOAT6_E2M3FN, 6, "float6_e2m3fn"},
    {WEFT_DTYPE_FLOAT6_E3M2FN, 6, "float6_e3m2fn"},
    {WEFT_DTYPE_FLOAT4_E2M1FN, 4, "float4_e2m1fn"},
    {WEFT_DTYPE_STRING, 64, "string"},
};

static const char *nameOf(weft_dtype dtype) {
  if (dtype.lanes == 1)
    for (const NamedType &type : namedTypes)
      if (type.code == dtype.code && type.bits == dtype.bits)
        return type.name;
  return nullptr;
}

bool weft::runtime::isKnownType(weft_dtype dtype) { return nameOf(dtype) != nullptr; }

const char *weft_dtype_name(weft_dtype dtype) {
  const char *name = nameOf(dtype);
  return name ? name : "unknown";
}

size_t weft::runtime::elementAlignment(weft_dtype dtype) {
  size_t bytes = (size_t(dtype.bits) + 7) / 8;
  return dtype.code == WEFT_DTYPE_COMPLEX ? bytes / 2 : bytes;
}

bool weft::runtime::tensorBytes(weft_dtype dtype, int32_t rank, const int64_t *dims,
                                uint64_t &bytes) {
  bool empty = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return false;
    empty |= dims[i] == 0;
  }
  int64_t count = empty ? 0 : 1, bits;
  for (int32_t i = 0; i < rank && !empty; ++i)
    if (__builtin_mul_overflow(count, dims[i], &count))
      return false;
  if (dtype.bits % 8 == 0) {
    if (__builtin_mul_overflow(count, int64_t(dtype.bits / 8), &bits))
      return false;
    bytes = uint64_t(bits);
    return true;
  }
  if (__builtin_mul_overflow(count, int64_t(dtype.bits), &bits) ||
      __builtin_add_overflow(bits, int64_t(7), &bits))
    return false;
  bytes = uint64_t(bits) / 8;
  return true;
}

bool weft::runtime::isContiguous(const weft_tensor &tensor) {
  if (!tensor.strides)
    return true;
  for (int32_t i = 0; i < tensor.rank; ++i)
    if (tensor.dims[i] == 0)
      return true;
  int64_t expected = 1;
  for (int32_t i = tensor.rank; i-- > 0;) {
    if (tensor.dims[i] != 1 && tensor.strides[i] != expected)
      return false;
    if (__builtin_mul_overflow(expected, tensor.dims[i], &expected))
      return false;
  }
  return true;
}

weft_error *weft_tensor_bytes(const weft_tensor *tensor, uint64_t *bytes) {
  Allocator allocator;
  if (!tensor || !bytes || tensor->rank < 0 || tensor->rank > maxRank ||
      (tensor->rank && !tensor->dims))
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "weft_tensor_bytes: no tensor, or its rank is not in "
                     "[0, %d] or it has no dims",
                     maxRank);
  uint64_t size;
  if (tensorBytes(tensor->dtype, tensor->rank, tensor->dims, size)) {
    *bytes = size;
    return nullptr;
  }
  Text shape;
  shape.appendShape(tensor->rank, tensor->dims);
  return makeError(allocator, WEFT_INVALID_ARGUMENT,
                   "a tensor of shape %s and type %s has a negative extent or "
                   "does not fit in 63 bits",
                   shape.get(), weft_dtype_name(tensor->dtype));
}
