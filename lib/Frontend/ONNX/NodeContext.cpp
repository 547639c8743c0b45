//===- NodeContext.cpp - One node during its import -----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/PackedOps.h"
#include "weft/Frontend/ONNX.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft::onnx;

NodeContext::NodeContext(Importer &importer, const Node &node, int64_t opset)
    : b(importer.b), dims(importer.dims), importer(importer), node(node), opsetVersion(opset) {}

StringRef NodeContext::opType() const { return node.opType; }

std::string NodeContext::name() const {
  if (!node.name.empty())
    return std::string(node.name);
  if (auto loc = dyn_cast<NameLoc>(b.getLoc()))
    return loc.getName().str();
  return "";
}

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

size_t NodeContext::inputCount() const { return node.inputs.size(); }
size_t NodeContext::outputCount() const { return node.outputs.size(); }

bool NodeContext::hasInput(size_t i) const {
  if (i >= node.inputs.size() || node.inputs[i].empty())
    return false;
  // What a call of a function leaves out is missing inside of it, too.
  const TensorValue *value = importer.lookup(node.inputs[i]);
  return !value || !value->isNone;
}

bool NodeContext::hasOutput(size_t i) const {
  return i < node.outputs.size() && !node.outputs[i].empty();
}

const TensorValue &NodeContext::input(size_t i) {
  if (auto it = replacedInputs.find(i); it != replacedInputs.end())
    return it->second;
  // The importer has resolved all inputs before it calls a builder.
  const TensorValue *value = hasInput(i) ? importer.lookup(node.inputs[i]) : nullptr;
  if (!value) {
    static const TensorValue missing{};
    (void)error("has no input " + Twine(i));
    return missing;
  }
  return *value;
}

/// Contents that are known as index arithmetic become a tensor, packed ones a
/// tensor of codes.
Value NodeContext::value(const TensorValue &tensor) {
  if (!tensor.value && tensor.packed)
    return unpackCodes(*this, tensor);
  if (tensor.value || !tensor.elements)
    return tensor.value;
  RankedTensorType type = tensorType(context(), tensor.elementType, tensor.dims);
  Type element = type.getElementType();
  SmallVector<mlir::Attribute> constants;
  for (OpFoldResult x : *tensor.elements)
    if (std::optional<int64_t> constant = DimBuilder::constantOf(x))
      constants.push_back(IntegerAttr::get(
          element, APInt(element.getIntOrFloatBitWidth(), static_cast<uint64_t>(*constant),
                         /*isSigned=*/true, /*implicitTrunc=*/true)));
  if (constants.size() == tensor.elements->size())
    return arith::ConstantOp::create(b, b.getLoc(), DenseElementsAttr::get(type, constants));
  SmallVector<Value> values;
  for (OpFoldResult x : *tensor.elements)
    values.push_back(b.createOrFold<arith::IndexCastOp>(element, dims.value(x)));
  return tensor::FromElementsOp::create(b, b.getLoc(), type, values);
}

void NodeContext::setOutput(size_t i, TensorValue value) {
  if (hasOutput(i))
    importer.scopes.back().values[node.outputs[i]] = std::move(value);
}

std::optional<int64_t> NodeContext::declaredRank(size_t output) const {
  const Graph *graph = importer.scopes.back().graph;
  if (!graph || !hasOutput(output))
    return std::nullopt;
  for (const std::vector<ValueInfo> *list : {&graph->outputs, &graph->valueInfos})
    for (const ValueInfo &info : *list)
      if (info.name == node.outputs[output] && info.type.kind == onnx::ValueType::Kind::Tensor &&
          info.type.hasShape)
        return static_cast<int64_t>(info.type.shape.size());
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// In a function body an attribute can refer to one of the call.
const NodeAttribute *NodeContext::getAttribute(StringRef name) const {
  const NodeAttribute *attribute = node.find(std::string_view(name.data(), name.size()));
  if (!attribute || attribute->refName.empty())
    return attribute;
  for (size_t i = importer.frames.size(); i-- > 0;) {
    const Importer::FunctionFrame &frame = importer.frames[i];
    std::string_view wanted = attribute->refName;
    const NodeAttribute *actual = frame.call->find(wanted);
    if (!actual) {
      for (const NodeAttribute &candidate : frame.function->defaultAttributes)
        if (candidate.name == wanted)
          return &candidate;
      return nullptr;
    }
    if (actual->refName.empty())
      return actual;
    attribute = actual;
  }
  return nullptr;
}

bool NodeContext::hasAttribute(StringRef name) const { return getAttribute(name) != nullptr; }

const NodeAttribute *NodeContext::expect(StringRef name, int kind) {
  const NodeAttribute *attribute = getAttribute(name);
  if (!attribute)
    return nullptr;
  AttributeKind wanted = static_cast<AttributeKind>(kind);
  if (attribute->kind == wanted)
    return attribute;
  (void)error("attribute '" + name + "' is " + weft::onnx::name(attribute->kind) + ", expected " +
              weft::onnx::name(wanted));
  return nullptr;
}

int64_t NodeContext::getInt(StringRef name, int64_t defaultValue) {
  const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::Int));
  return attribute ? attribute->i : defaultValue;
}

float NodeContext::getFloat(StringRef name, float defaultValue) {
  const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::Float));
  return attribute ? attribute->f : defaultValue;
}

std::string NodeContext::getString(StringRef name, StringRef defaultValue) {
  const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::String));
  return attribute ? std::string(attribute->s) : defaultValue.str();
}

SmallVector<int64_t> NodeContext::getInts(StringRef name) {
  SmallVector<int64_t> values;
  if (const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::Ints)))
    attribute->ints.forEach([&](int64_t value) {
      values.push_back(value);
      return true;
    });
  return values;
}

SmallVector<float> NodeContext::getFloats(StringRef name) {
  SmallVector<float> values;
  if (const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::Floats)))
    attribute->floats.forEach([&](float value) {
      values.push_back(value);
      return true;
    });
  return values;
}

std::vector<std::string> NodeContext::getStrings(StringRef name) {
  std::vector<std::string> values;
  if (const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::Strings)))
    for (std::string_view value : attribute->strings)
      values.emplace_back(value);
  return values;
}

FailureOr<TensorValue> NodeContext::getTensor(StringRef name) {
  const NodeAttribute *attribute = expect(name, static_cast<int>(AttributeKind::Tensor));
  if (!attribute || attribute->tensors.empty())
    return failure();
  return importer.importConstant(attribute->tensors.front(), this->name());
}

const Graph *NodeContext::getGraph(StringRef name) const {
  const NodeAttribute *attribute = getAttribute(name);
  return attribute && !attribute->graphs.empty() ? &attribute->graphs.front() : nullptr;
}

FailureOr<SmallVector<TensorValue>> NodeContext::importGraph(const Graph &graph,
                                                             ArrayRef<TensorValue> arguments) {
  Location loc = b.getLoc();
  FailureOr<SmallVector<TensorValue>> results = importer.importGraph(graph, arguments);
  b.setLoc(loc);
  return results;
}

//===----------------------------------------------------------------------===//
// Problems
//===----------------------------------------------------------------------===//

LogicalResult NodeContext::error(const Twine &message) {
  hasFailed = true;
  return importer.error(b.getLoc(), "node " + quote(name()) + " (" + opType() + "): " + message);
}

LogicalResult NodeContext::unsupported(const Twine &message) {
  std::string types;
  for (size_t i = 0; i < inputCount(); ++i) {
    if (!types.empty())
      types += ", ";
    const TensorValue *value = hasInput(i) ? importer.lookup(node.inputs[i]) : nullptr;
    types += value ? weft::onnx::name(value->elementType) : "none";
  }
  importer.recordUnsupported(node, opsetVersion, message, types);
  return failure();
}
