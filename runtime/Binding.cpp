//===- Binding.cpp - Arguments against the signature --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding.h"
#include "Context.h"
#include "Tensor.h"

#include <cinttypes>

using namespace weft::runtime;

void weft::runtime::appendSignature(Text &text, const weft_function &function,
                                    const weft_argument &argument) {
  text.append("[");
  for (int32_t axis = 0; axis < argument.rank; ++axis) {
    const weft_dim &dim = argument.dims[axis];
    text.append(axis ? ", " : "");
    if (dim.symbol >= 0)
      text.append("%s", function.symbols[dim.symbol].name);
    else if (dim.size >= 0)
      text.append("%" PRId64, dim.size);
    else
      text.append("?");
  }
  text.append("]");
}

namespace {
/// The checks of one argument. Each returns an error or null.
class ArgumentChecker {
public:
  ArgumentChecker(const Allocator &allocator, const weft_function &function, Role role,
                  uint32_t index, const weft_tensor &tensor)
      : allocator(allocator), function(function), kind(role == Role::Input ? "input" : "output"),
        argument(role == Role::Input ? function.inputs[index] : function.outputs[index]),
        tensor(tensor) {}

  weft_error *checkType() const {
    if (sameType(tensor.dtype, argument.dtype))
      return nullptr;
    return makeError(allocator, WEFT_INVALID_ARGUMENT, "%s '%s' has type %s, expected %s", kind,
                     argument.name, weft_dtype_name(tensor.dtype), weft_dtype_name(argument.dtype));
  }

  weft_error *checkShape() const {
    if (tensor.rank < 0 || tensor.rank > maxRank || (tensor.rank && !tensor.dims))
      return makeError(allocator, WEFT_INVALID_ARGUMENT, "%s '%s' has rank %d%s, expected rank %d",
                       kind, argument.name, tensor.rank,
                       tensor.rank > 0 && !tensor.dims ? " but no dims" : "", argument.rank);
    if (tensor.rank != argument.rank)
      return badShape("rank %d, not %d", tensor.rank, argument.rank);
    for (int32_t axis = 0; axis < argument.rank; ++axis) {
      const weft_dim &dim = argument.dims[axis];
      if (tensor.dims[axis] < 0)
        return badShape("dimension %d is negative", axis);
      if (dim.symbol < 0 && dim.size >= 0 && tensor.dims[axis] != dim.size)
        return badShape("dimension %d is %" PRId64 ", not %" PRId64, axis, tensor.dims[axis],
                        dim.size);
    }
    if (isContiguous(tensor))
      return nullptr;
    Text shape, strides;
    shape.appendShape(tensor.rank, tensor.dims);
    strides.appendShape(tensor.rank, tensor.strides);
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "%s '%s' of shape %s has strides %s, expected a "
                     "contiguous row-major tensor",
                     kind, argument.name, shape.get(), strides.get());
  }

  weft_error *checkData(bool withData, uint64_t &bytes) const {
    if (!tensorBytes(tensor.dtype, tensor.rank, tensor.dims, bytes))
      return badShape("its size does not fit in 63 bits");
    if (!withData)
      return nullptr;
    if (!tensor.data && bytes)
      return makeError(allocator, WEFT_INVALID_ARGUMENT,
                       "%s '%s' has no data, expected %" PRIu64 " bytes", kind, argument.name,
                       bytes);
    const uintptr_t address = reinterpret_cast<uintptr_t>(tensor.data);
    const size_t alignment = elementAlignment(tensor.dtype);
    if (bytes && address % alignment)
      return makeError(allocator, WEFT_INVALID_ARGUMENT,
                       "%s '%s' lies at address 0x%" PRIxPTR
                       ", expected a multiple of %zu bytes as type %s needs",
                       kind, argument.name, address, alignment, weft_dtype_name(tensor.dtype));
    if (address + bytes < address)
      return badShape("its end is beyond the end of memory");
    return nullptr;
  }

private:
  weft_error *badShape(const char *format, ...) const WEFT_PRINTF(2, 3) {
    Text found, expected, reason;
    if (tensor.dims || !tensor.rank)
      found.appendShape(tensor.rank, tensor.dims);
    appendSignature(expected, function, argument);
    va_list args;
    va_start(args, format);
    reason.appendList(format, args);
    va_end(args);
    return makeError(allocator, WEFT_INVALID_ARGUMENT, "%s '%s' has shape %s, expected %s: %s",
                     kind, argument.name, found.get(), expected.get(), reason.get());
  }

  const Allocator &allocator;
  const weft_function &function;
  const char *kind;
  const weft_argument &argument;
  const weft_tensor &tensor;
};
} // namespace

weft_error *weft::runtime::checkArgument(const Allocator &allocator, const weft_function &function,
                                         Role role, uint32_t index, const weft_tensor &tensor,
                                         bool withData, uint64_t &bytes) {
  ArgumentChecker checker(allocator, function, role, index, tensor);
  if (weft_error *error = checker.checkType())
    return error;
  if (weft_error *error = checker.checkShape())
    return error;
  return checker.checkData(withData, bytes);
}

/// Copies a tensor that has been checked.
static void bind(Binding &binding, const weft_tensor &tensor, uint64_t bytes) {
  binding.data = tensor.data;
  binding.bytes = bytes;
  binding.bound = true;
  for (int32_t axis = 0; axis < tensor.rank; ++axis)
    binding.dims[axis] = tensor.dims[axis];
}

static weft_error *bindArgument(weft_context *context, Role role, uint32_t index,
                                const weft_tensor *tensor) {
  const char *kind = role == Role::Input ? "input" : "output";
  if (!context)
    return makeError(Allocator(), WEFT_INVALID_ARGUMENT, "no context is given to bind an %s", kind);
  const weft_function &function = context->function;
  const uint32_t count = role == Role::Input ? function.input_count : function.output_count;
  if (index >= count)
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "function '%s' has %u %ss, there is no number %u", function.name, count, kind,
                     index);
  if (context->running.load(std::memory_order_acquire))
    return makeError(context->allocator, WEFT_FAILED_PRECONDITION,
                     "an %s is bound while a call with this context is in "
                     "progress",
                     kind);
  Binding &binding = role == Role::Input ? context->inputs[index] : context->outputs[index].caller;
  uint64_t bytes = 0;
  if (tensor)
    if (weft_error *error = checkArgument(context->allocator, function, role, index, *tensor,
                                          /*withData=*/true, bytes))
      return error;
  context->prepared = false;
  if (tensor) {
    bind(binding, *tensor, bytes);
  } else {
    binding.data = nullptr;
    binding.bytes = 0;
    binding.bound = false;
  }
  if (role == Role::Input)
    context->inputData[index] = binding.data;
  return nullptr;
}

weft_error *weft_context_bind_input(weft_context *context, uint32_t index,
                                    const weft_tensor *tensor) {
  return bindArgument(context, Role::Input, index, tensor);
}

weft_error *weft_context_bind_output(weft_context *context, uint32_t index,
                                     const weft_tensor *tensor) {
  return bindArgument(context, Role::Output, index, tensor);
}

//===----------------------------------------------------------------------===//
// All arguments together
//===----------------------------------------------------------------------===//

static weft_error *outOfRange(const Allocator &allocator, const weft_symbol &symbol,
                              const char *input, int64_t value) {
  if (symbol.max == INT64_MAX)
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "dimension '%s' is %" PRId64 " in input '%s', expected at least %" PRId64,
                     symbol.name, value, input, symbol.min);
  return makeError(allocator, WEFT_INVALID_ARGUMENT,
                   "dimension '%s' is %" PRId64 " in input '%s', expected %" PRId64 " to %" PRId64,
                   symbol.name, value, input, symbol.min, symbol.max);
}

template <typename Dims> weft_error *weft_context::bindSymbols(Dims dims, int64_t *values) const {
  for (uint32_t i = 0; i < function.symbol_count; ++i)
    symbolInputs[i] = -1;
  for (uint32_t i = 0; i < function.input_count; ++i) {
    const weft_argument &input = function.inputs[i];
    const int64_t *extents = dims(i);
    for (int32_t axis = 0; axis < input.rank; ++axis) {
      const int32_t index = input.dims[axis].symbol;
      if (index < 0)
        continue;
      const weft_symbol &symbol = function.symbols[index];
      const int64_t value = extents[axis];
      if (symbolInputs[index] >= 0) {
        if (values[index] == value)
          continue;
        return makeError(allocator, WEFT_INVALID_ARGUMENT,
                         "dimension '%s' is %" PRId64 " in input '%s' but %" PRId64
                         " in input '%s'",
                         symbol.name, values[index], function.inputs[symbolInputs[index]].name,
                         value, input.name);
      }
      if (value < symbol.min || value > symbol.max)
        return outOfRange(allocator, symbol, input.name, value);
      symbolInputs[index] = int32_t(i);
      values[index] = value;
    }
  }
  return nullptr;
}

weft_error *weft_context::workspaceSize(const int64_t *values, uint64_t &bytes) const {
  const int64_t size = function.workspace_size(values, team->size());
  if (size < 0)
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                     "function '%s' needs more workspace for these shapes than "
                     "fits in 63 bits",
                     function.name);
  bytes = uint64_t(size);
  return nullptr;
}

weft_error *weft_context::checkOutputs() const {
  for (uint32_t i = 0; i < function.output_count; ++i) {
    const Binding &caller = outputs[i].caller;
    const weft_argument &output = function.outputs[i];
    for (int32_t axis = 0; caller.bound && axis < output.rank; ++axis) {
      const int32_t symbol = output.dims[axis].symbol;
      if (symbol >= 0 && caller.dims[axis] != symbols[symbol])
        return makeError(allocator, WEFT_INVALID_ARGUMENT,
                         "output '%s': dimension %d is %" PRId64 ", expected %" PRId64 " ('%s')",
                         output.name, axis, caller.dims[axis], symbols[symbol],
                         function.symbols[symbol].name);
    }
  }
  return nullptr;
}

static bool overlap(const void *a, uint64_t aBytes, const void *b, uint64_t bBytes) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(a);
  const uintptr_t second = reinterpret_cast<uintptr_t>(b);
  return aBytes && bBytes && first < second + bBytes && second < first + aBytes;
}

/// Generated code reads inputs while it writes outputs, so they must lie apart
/// unless the signature says otherwise.
weft_error *weft_context::checkOverlaps() const {
  for (uint32_t i = 0; i < function.output_count; ++i) {
    const Output &output = outputs[i];
    const weft_argument &signature = function.outputs[i];
    for (uint32_t k = 0; k < function.input_count; ++k) {
      const Binding &input = inputs[k];
      if (overlap(output.owned.data(), output.owned.size(), input.data, input.bytes))
        return makeError(allocator, WEFT_INVALID_ARGUMENT,
                         "input '%s' lies in the context's memory of output "
                         "'%s', which the call overwrites: bind or take that "
                         "output",
                         function.inputs[k].name, signature.name);
      const bool isAlias = signature.alias == int32_t(k) && output.caller.data == input.data;
      if (!isAlias && overlap(output.caller.data, output.caller.bytes, input.data, input.bytes))
        return makeError(allocator, WEFT_INVALID_ARGUMENT,
                         "output '%s' overlaps input '%s' in memory, which the "
                         "module does not allow",
                         signature.name, function.inputs[k].name);
    }
    for (uint32_t k = 0; k < i; ++k)
      if (overlap(output.caller.data, output.caller.bytes, outputs[k].caller.data,
                  outputs[k].caller.bytes))
        return makeError(allocator, WEFT_INVALID_ARGUMENT,
                         "output '%s' overlaps output '%s' in memory", signature.name,
                         function.outputs[k].name);
  }
  return nullptr;
}

weft_error *weft_context::prepare() {
  if (prepared)
    return nullptr;
  for (uint32_t i = 0; i < function.input_count; ++i)
    if (!inputs[i].bound)
      return makeError(allocator, WEFT_FAILED_PRECONDITION,
                       "input '%s' of function '%s' is not bound", function.inputs[i].name,
                       function.name);
  if (weft_error *error = bindSymbols([&](uint32_t i) { return inputs[i].dims; }, symbols))
    return error;
  if (weft_error *error = checkOutputs())
    return error;
  if (weft_error *error = checkOverlaps())
    return error;
  if (weft_error *error = workspaceSize(symbols, workspaceBytes))
    return error;
  if (lentWorkspace) {
    if (lentBytes < workspaceBytes)
      return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                       "the workspace has %" PRIu64 " bytes, function '%s' needs %" PRIu64
                       " for these shapes and %d threads",
                       lentBytes, function.name, workspaceBytes, team->size());
  } else if (workspaceBytes > ownWorkspace.size() && !allocate(ownWorkspace, workspaceBytes)) {
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                     "out of memory: the workspace of function '%s' needs "
                     "%" PRIu64 " bytes for these shapes",
                     function.name, workspaceBytes);
  }
  auto *arena = static_cast<unsigned char *>(lentWorkspace ? lentWorkspace : ownWorkspace.data());
  for (int32_t i = 0; i < team->size(); ++i)
    environments[i].arena = arena;
  if (device)
    if (weft_error *error = prepareDevice())
      return error;
  prepared = true;
  return nullptr;
}

weft_error *weft_context_workspace_size(weft_context *context, const weft_tensor *inputs,
                                        uint32_t input_count, uint64_t *bytes) {
  if (!context || !bytes || (input_count && !inputs))
    return makeError(Allocator(), WEFT_INVALID_ARGUMENT,
                     "weft_context_workspace_size: an argument is null");
  const weft_function &function = context->function;
  if (input_count != function.input_count)
    return makeError(context->allocator, WEFT_INVALID_ARGUMENT,
                     "function '%s' takes %u inputs, %u are given", function.name,
                     function.input_count, input_count);
  for (uint32_t i = 0; i < input_count; ++i) {
    uint64_t size = 0;
    if (weft_error *error = checkArgument(context->allocator, function, Role::Input, i, inputs[i],
                                          /*withData=*/false, size))
      return error;
  }
  if (weft_error *error =
          context->bindSymbols([&](uint32_t i) { return inputs[i].dims; }, context->otherSymbols))
    return error;
  return context->workspaceSize(context->otherSymbols, *bytes);
}
