//===- DLPack.cpp - Exchange of tensors by DLPack 1.x -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The structs are those of DLPack's specification (dmlc.github.io/dlpack),
// declared here so that users need no header that they do not have.
//
//===----------------------------------------------------------------------===//

#include "Context.h"
#include "Tensor.h"

using namespace weft::runtime;

namespace {
struct DLDevice {
  int32_t type; // 1: CPU
  int32_t id;
};

struct DLTensor {
  void *data;
  DLDevice device;
  int32_t rank;
  weft_dtype dtype;
  int64_t *dims;
  int64_t *strides;
  uint64_t byteOffset;
};
} // namespace

struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void *managerContext;
  void (*deleter)(DLManagedTensorVersioned *);
  uint64_t flags;
  DLTensor tensor;
};

namespace {
/// An output that has been handed over: everything in one block, which is freed
/// through a copy of the context's allocator.
struct HandedOver {
  DLManagedTensorVersioned managed;
  Allocator allocator;
  void *data;
  size_t dataSize;
  size_t size; // of this block, dims and strides included
};
} // namespace

static constexpr int32_t cpuDevice = 1;
static constexpr uint32_t dlpackMajor = 1, dlpackMinor = 0;

weft_error *weft_tensor_from_dlpack(const DLManagedTensorVersioned *managed, weft_tensor *tensor) {
  Allocator allocator;
  if (!managed || !tensor)
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "weft_tensor_from_dlpack: an argument is null");
  if (managed->major != dlpackMajor)
    return makeError(allocator, WEFT_UNIMPLEMENTED,
                     "a DLPack tensor has version %u.%u, expected %u.x", managed->major,
                     managed->minor, dlpackMajor);
  const DLTensor &from = managed->tensor;
  if (from.device.type != cpuDevice)
    return makeError(allocator, WEFT_UNIMPLEMENTED,
                     "a DLPack tensor is on device type %d, expected the CPU "
                     "(%d)",
                     from.device.type, cpuDevice);
  *tensor = {from.data ? static_cast<char *>(from.data) + from.byteOffset : nullptr, from.dtype,
             from.rank, from.dims, from.strides};
  return nullptr;
}

static void freeHandedOver(DLManagedTensorVersioned *managed) {
  if (!managed)
    return;
  auto *block = static_cast<HandedOver *>(managed->managerContext);
  Allocator allocator = block->allocator;
  allocator.deallocate(block->data, block->dataSize, WEFT_BUFFER_ALIGNMENT);
  allocator.deallocate(block, block->size, alignof(HandedOver));
}

weft_error *weft_context_take_output(weft_context *context, uint32_t index,
                                     DLManagedTensorVersioned **managed) {
  weft_tensor tensor;
  if (weft_error *error = weft_context_output(context, index, &tensor))
    return error;
  if (!managed)
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "weft_context_take_output: no place for the tensor is "
                     "given");
  Output &output = context->outputs[index];
  const char *name = context->function.outputs[index].name;
  if (tensor.dtype.code == WEFT_DTYPE_STRING)
    return makeError(context->allocator, WEFT_FAILED_PRECONDITION,
                     "output '%s' is of strings, which DLPack does not know", name);
  if (output.bytes && tensor.data != output.owned.data())
    return makeError(context->allocator, WEFT_FAILED_PRECONDITION,
                     "output '%s' lies in a buffer of the caller", name);
  const size_t rank = size_t(tensor.rank);
  const size_t size = sizeof(HandedOver) + 2 * rank * sizeof(int64_t);
  void *memory = context->allocator.allocate(size, alignof(HandedOver));
  if (!memory)
    return makeError(context->allocator, WEFT_RESOURCE_EXHAUSTED, "out of memory for output '%s'",
                     name);
  auto *block = new (memory) HandedOver{{}, context->allocator, nullptr, 0, size};
  auto *dims = reinterpret_cast<int64_t *>(block + 1);
  int64_t stride = 1;
  for (size_t axis = rank; axis-- > 0;) {
    dims[axis] = tensor.dims[axis];
    dims[rank + axis] = stride;
    // Only a tensor without elements can overflow; its strides do not matter.
    if (__builtin_mul_overflow(stride, dims[axis] > 0 ? dims[axis] : 1, &stride))
      stride = 1;
  }
  if (output.bytes) {
    block->dataSize = output.owned.size();
    block->data = output.owned.take();
  }
  output.produced = false;
  output.data = nullptr;
  block->managed = {
      dlpackMajor, dlpackMinor,
      block,       freeHandedOver,
      0,           {block->data, {cpuDevice, 0}, tensor.rank, tensor.dtype, dims, dims + rank, 0}};
  *managed = &block->managed;
  return nullptr;
}
