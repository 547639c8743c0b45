//===- Sequence.cpp - Sequences and optionals known at import -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sequence is a list of tensors during import and nothing in the IR; so its
// length, and the positions that are read or changed, must be known by then.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/Sequences.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

bool weft::onnx::takesSequence(StringRef domain, StringRef op, size_t input) {
  constexpr size_t any = SIZE_MAX;
  size_t end = llvm::StringSwitch<size_t>(domain.empty() ? op : "")
                   .Cases({"SequenceAt", "SequenceInsert", "SequenceErase", "SequenceLength"}, 1)
                   .Cases({"ConcatFromSequence", "Identity", "Optional"}, 1)
                   .Cases({"OptionalHasElement", "OptionalGetElement"}, 1)
                   .Cases({"Loop", "SequenceMap"}, any)
                   .Default(0);
  return input < end && (op != "Loop" || input >= 2);
}

static TensorValue makeSequence(std::vector<TensorValue> items, ElementType type) {
  TensorValue result;
  result.elementType = items.empty() ? type : items.front().elementType;
  result.sequence = std::make_shared<std::vector<TensorValue>>(std::move(items));
  return result;
}

/// The tensors of a sequence.
static FailureOr<std::vector<TensorValue>> itemsOf(NodeContext &node, size_t input) {
  const TensorValue &x = node.input(input);
  if (!x.isSequence())
    return node.error("expects a sequence as input " + Twine(input) + ", got " + describe(x));
  return *x.sequence;
}

/// A position in [-count, limit), limit at most count + 1.
static FailureOr<int64_t> positionOf(NodeContext &node, size_t input, int64_t count,
                                     int64_t limit) {
  FailureOr<OpFoldResult> raw = shapeScalar(node, node.input(input), "a position");
  if (failed(raw))
    return failure();
  std::optional<int64_t> position = DimBuilder::constantOf(*raw);
  if (!position)
    return node.unsupported("positions in sequences must be known at compile time");
  if (*position < -count || *position >= limit)
    return node.error("has position " + Twine(*position) + " in a sequence of " + Twine(count));
  return *position < 0 ? *position + count : *position;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

static LogicalResult buildSequenceEmpty(NodeContext &node) {
  node.setOutput(0, makeSequence({}, static_cast<ElementType>(node.getInt(
                                         "dtype", static_cast<int64_t>(ElementType::Float)))));
  return success();
}

static LogicalResult buildSequenceConstruct(NodeContext &node) {
  std::vector<TensorValue> items;
  for (size_t i = 0; i < node.inputCount(); ++i)
    items.push_back(node.input(i));
  for (const TensorValue &item : items)
    if (item.elementType != items.front().elementType)
      return node.error("makes a sequence of " + describe(items.front()) + " and " +
                        describe(item));
  node.setOutput(0, makeSequence(std::move(items), ElementType::Undefined));
  return success();
}

static LogicalResult buildSequenceAt(NodeContext &node) {
  FailureOr<std::vector<TensorValue>> items = itemsOf(node, 0);
  if (failed(items))
    return failure();
  int64_t count = static_cast<int64_t>(items->size());
  FailureOr<int64_t> position = positionOf(node, 1, count, count);
  if (failed(position))
    return failure();
  node.setOutput(0, (*items)[*position]);
  return success();
}

static LogicalResult buildSequenceInsert(NodeContext &node) {
  FailureOr<std::vector<TensorValue>> items = itemsOf(node, 0);
  if (failed(items))
    return failure();
  TensorValue item = node.input(1);
  if (item.isSequence() || item.elementType != node.input(0).elementType)
    return node.error("inserts " + describe(item) + " into a sequence of " +
                      name(node.input(0).elementType));
  int64_t count = static_cast<int64_t>(items->size()), at = count;
  if (node.hasInput(2)) {
    FailureOr<int64_t> position = positionOf(node, 2, count, count + 1);
    if (failed(position))
      return failure();
    at = *position;
  }
  items->insert(items->begin() + at, item);
  node.setOutput(0, makeSequence(std::move(*items), item.elementType));
  return success();
}

static LogicalResult buildSequenceErase(NodeContext &node) {
  FailureOr<std::vector<TensorValue>> items = itemsOf(node, 0);
  if (failed(items))
    return failure();
  int64_t count = static_cast<int64_t>(items->size()), at = count - 1;
  if (node.hasInput(1)) {
    FailureOr<int64_t> position = positionOf(node, 1, count, count);
    if (failed(position))
      return failure();
    at = *position;
  }
  if (count == 0)
    return node.error("erases from an empty sequence");
  ElementType type = node.input(0).elementType;
  items->erase(items->begin() + at);
  node.setOutput(0, makeSequence(std::move(*items), type));
  return success();
}

static LogicalResult buildSequenceLength(NodeContext &node) {
  FailureOr<std::vector<TensorValue>> items = itemsOf(node, 0);
  if (failed(items))
    return failure();
  node.setOutput(0, makeTracked(node, ElementType::Int64,
                                {node.dims.constant(static_cast<int64_t>(items->size()))},
                                /*scalar=*/true));
  return success();
}

static LogicalResult buildConcatFromSequence(NodeContext &node) {
  FailureOr<std::vector<TensorValue>> items = itemsOf(node, 0);
  if (failed(items))
    return failure();
  if (items->empty())
    return node.error("concatenates an empty sequence");
  bool stacks = node.getInt("new_axis", 0) != 0;
  if (!node.hasAttribute("axis"))
    return node.error("has no axis");
  int64_t rank = items->front().rank() + stacks;
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), rank);
  if (failed(axis))
    return failure();
  if (stacks)
    for (TensorValue &item : *items) {
      if (item.rank() + 1 != rank)
        return node.error("stacks tensors of ranks " + Twine(rank - 1) + " and " +
                          Twine(item.rank()));
      Dims dims = item.dims;
      dims.insert(dims.begin() + *axis, node.dims.constant(1));
      item = reshape(node, item, dims);
    }
  FailureOr<TensorValue> result = concat(node, *items, *axis);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

static LogicalResult buildSplitToSequence(NodeContext &node) {
  const TensorValue x = node.input(0);
  DimBuilder &d = node.dims;
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), x.rank());
  if (failed(axis))
    return failure();
  OpFoldResult extent = x.dims[*axis];
  Dims sizes;
  bool drops = false;
  if (node.hasInput(1) && node.input(1).rank() == 1) {
    FailureOr<Dims> list = shapeElements(node, node.input(1));
    if (failed(list))
      return failure();
    sizes = *list;
    OpFoldResult total = d.constant(0);
    for (OpFoldResult size : sizes) {
      if (failed(require(node, d.less(d.constant(-1), size), WEFT_INVALID_ARGUMENT,
                         "has a part of size {0}", {size})))
        return failure();
      total = d.add(total, size);
    }
    if (failed(require(node, d.equal(total, extent), WEFT_INVALID_ARGUMENT,
                       "has parts of {0} in sum for an extent of {1}", {total, extent})))
      return failure();
  } else {
    // Equal parts, the last one smaller if need be.
    int64_t size = 1;
    drops = !node.hasInput(1) && node.getInt("keepdims", 1) == 0;
    if (node.hasInput(1)) {
      FailureOr<SmallVector<int64_t>> list =
          constantElements(node, node.input(1), "the size of the parts");
      if (failed(list))
        return failure();
      size = list->empty() ? 0 : list->front();
    }
    std::optional<int64_t> whole = DimBuilder::constantOf(extent);
    if (!whole)
      return node.unsupported("the length of a sequence must be known at compile time");
    if (size <= 0)
      return node.error("splits in parts of size " + Twine(size));
    if (*whole / size > 65536)
      return node.unsupported("makes a sequence of " + Twine(*whole / size) + " tensors");
    for (int64_t at = 0; at < *whole; at += size)
      sizes.push_back(d.constant(std::min(size, *whole - at)));
  }
  std::vector<TensorValue> items;
  Dims offsets(x.rank(), d.constant(0)), strides(x.rank(), d.constant(1)), dims = x.dims;
  Dims kept = x.dims;
  kept.erase(kept.begin() + *axis);
  for (OpFoldResult size : sizes) {
    dims[*axis] = size;
    TensorValue item = slice(node, x, offsets, dims, strides);
    items.push_back(drops ? reshape(node, item, kept) : item);
    offsets[*axis] = d.add(offsets[*axis], size);
  }
  node.setOutput(0, makeSequence(std::move(items), x.elementType));
  return success();
}

/// The body once for each item; inputs that are no sequences are the same for all.
static LogicalResult buildSequenceMap(NodeContext &node) {
  const Graph *body = node.getGraph("body");
  if (!body)
    return node.error("has no body");
  FailureOr<std::vector<TensorValue>> items = itemsOf(node, 0);
  if (failed(items))
    return failure();
  if (body->inputs.size() != node.inputCount() || body->outputs.size() < node.outputCount())
    return node.error("has " + Twine(node.inputCount()) + " inputs for a body of " +
                      Twine(body->inputs.size()));
  std::vector<std::vector<TensorValue>> outputs(node.outputCount());
  for (size_t i = 0; i < items->size(); ++i) {
    SmallVector<TensorValue> arguments;
    for (size_t k = 0; k < node.inputCount(); ++k) {
      TensorValue input = node.input(k);
      if (input.isSequence() && input.sequence->size() != items->size())
        return node.error("maps sequences of " + Twine(items->size()) + " and " +
                          Twine(input.sequence->size()) + " tensors");
      arguments.push_back(input.isSequence() ? (*input.sequence)[i] : input);
    }
    FailureOr<SmallVector<TensorValue>> results = node.importGraph(*body, arguments);
    if (failed(results))
      return failure();
    for (size_t k = 0; k < outputs.size(); ++k)
      outputs[k].push_back((*results)[k]);
  }
  for (size_t k = 0; k < outputs.size(); ++k)
    node.setOutput(k, makeSequence(std::move(outputs[k]), body->outputs[k].type.elementType));
  return success();
}

//===----------------------------------------------------------------------===//
// Optionals
//===----------------------------------------------------------------------===//

static LogicalResult buildOptional(NodeContext &node) {
  TensorValue value;
  value.isNone = true;
  if (node.hasInput(0))
    value = node.input(0);
  node.setOutput(0, value);
  return success();
}

static LogicalResult buildOptionalHasElement(NodeContext &node) {
  node.setOutput(0, makeTracked(node, ElementType::Bool, {node.dims.constant(node.hasInput(0))},
                                /*scalar=*/true));
  return success();
}

static LogicalResult buildOptionalGetElement(NodeContext &node) {
  if (!node.hasInput(0))
    return node.error("takes the element of an empty optional");
  node.setOutput(0, node.input(0));
  return success();
}

void weft::onnx::registerSequenceOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"SequenceEmpty", 11, 0, 0, buildSequenceEmpty},
             {"SequenceConstruct", 11, 1, kAnyNumber, buildSequenceConstruct},
             {"SequenceAt", 11, 2, 2, buildSequenceAt},
             {"SequenceInsert", 11, 2, 3, buildSequenceInsert},
             {"SequenceErase", 11, 1, 2, buildSequenceErase},
             {"SequenceLength", 11, 1, 1, buildSequenceLength},
             {"ConcatFromSequence", 11, 1, 1, buildConcatFromSequence},
             {"SplitToSequence", 11, 1, 2, buildSplitToSequence},
             {"SequenceMap", 17, 1, kAnyNumber, buildSequenceMap},
             {"Optional", 15, 0, 1, buildOptional},
             {"OptionalHasElement", 15, 0, 1, buildOptionalHasElement},
             {"OptionalGetElement", 15, 0, 1, buildOptionalGetElement},
         });
}
