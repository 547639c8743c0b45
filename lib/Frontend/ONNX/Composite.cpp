//===- Composite.cpp - Operators that keep their names --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/TensorOps.h"
#include "dialects/Weft/IR/Weft.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// The node's numbers and strings; tensors and graphs are the body's matter.
static DictionaryAttr simpleAttributes(NodeContext &node) {
  Builder &b = node.b;
  NamedAttrList list;
  for (const NodeAttribute &named : node.getNode().attributes) {
    StringRef name(named.name.data(), named.name.size());
    const NodeAttribute *attribute = node.getAttribute(name);
    if (!attribute)
      continue;
    switch (attribute->kind) {
    case AttributeKind::Int:
      list.set(name, b.getI64IntegerAttr(attribute->i));
      break;
    case AttributeKind::Float:
      list.set(name, b.getF32FloatAttr(attribute->f));
      break;
    case AttributeKind::String:
      list.set(name, b.getStringAttr(StringRef(attribute->s.data(), attribute->s.size())));
      break;
    case AttributeKind::Ints:
      list.set(name, b.getDenseI64ArrayAttr(node.getInts(name)));
      break;
    case AttributeKind::Floats:
      list.set(name, b.getDenseF32ArrayAttr(node.getFloats(name)));
      break;
    default:
      break;
    }
  }
  return list.getDictionary(node.context());
}

FailureOr<SmallVector<TensorValue>> weft::onnx::composite(
    NodeContext &node, ArrayRef<TensorValue> inputs,
    llvm::function_ref<FailureOr<SmallVector<TensorValue>>(ArrayRef<TensorValue>)> body) {
  Location loc = node.b.getLoc();
  SmallVector<Value> operands;
  for (const TensorValue &input : inputs)
    operands.push_back(input.packed ? input.packed : node.value(input));

  // The body first: its results give the types of the operation.
  Region region;
  Block *block = &region.emplaceBlock();
  SmallVector<TensorValue> inner(inputs);
  for (auto [value, operand] : llvm::zip(inner, operands)) {
    Value argument = block->addArgument(operand.getType(), loc);
    value.value = value.packed ? Value() : argument;
    value.packed = value.packed ? argument : Value();
  }
  SmallVector<Value> results;
  FailureOr<SmallVector<TensorValue>> outputs = failure();
  {
    mlir::OpBuilder::InsertionGuard guard(node.b);
    node.b.setInsertionPointToStart(block);
    node.dims.pushScope();
    outputs = body(inner);
    if (succeeded(outputs)) {
      for (TensorValue &output : *outputs)
        results.push_back(output.packed ? output.packed : node.value(output));
      YieldOp::create(node.b, loc, results);
    }
    node.dims.popScope();
  }
  if (failed(outputs))
    return failure();
  std::string_view domain = node.getNode().domain;
  std::string name =
      (isDefaultDomain(domain) ? "onnx" : std::string(domain)) + "." + node.opType().str();
  auto op = CompositeOp::create(node.b, loc, ValueRange(results).getTypes(),
                                node.b.getStringAttr(name), simpleAttributes(node), operands);
  op.getBody().takeBody(region);
  for (auto [output, result] : llvm::zip(*outputs, op.getResults())) {
    output.value = output.packed ? Value() : Value(result);
    output.packed = output.packed ? Value(result) : Value();
    output.elements.reset();
    // Extents that only the body knows are read off the result.
    for (auto [i, dim] : llvm::enumerate(output.dims))
      if (auto value = dyn_cast<Value>(dim))
        if (Region *parent = value.getParentRegion();
            parent == &op.getBody() || op.getBody().isAncestor(parent))
          dim = node.b.createOrFold<tensor::DimOp>(result, static_cast<int64_t>(i));
  }
  return outputs;
}

LogicalResult weft::onnx::buildComposite(
    NodeContext &node,
    llvm::function_ref<FailureOr<SmallVector<TensorValue>>(const CompositeInputs &)> body) {
  CompositeInputs inputs;
  SmallVector<TensorValue> given;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    inputs.positions.push_back(node.hasInput(i) ? static_cast<int64_t>(given.size()) : -1);
    if (node.hasInput(i))
      given.push_back(node.input(i));
  }
  FailureOr<SmallVector<TensorValue>> outputs =
      composite(node, given, [&](ArrayRef<TensorValue> inner) {
        inputs.values = inner;
        return body(inputs);
      });
  if (failed(outputs))
    return failure();
  for (auto [i, output] : llvm::enumerate(*outputs))
    node.setOutput(i, output);
  return success();
}
