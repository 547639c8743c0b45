//===- ModelGraph.cpp - A model as a graph to draw ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ModelGraph.h"

#include "Frontend/ONNX/Reader/Reader.h"
#include "Frontend/ONNX/Reader/Verify.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace weft;
using namespace weft::onnx;
using llvm::StringRef;

static StringRef str(std::string_view text) { return StringRef(text.data(), text.size()); }

/// "[batch, 3, ?] float" or nothing.
static std::string typeText(const ValueType &type) {
  if (type.kind != ValueType::Kind::Tensor)
    return "";
  std::string text;
  if (type.hasShape) {
    text = "[";
    for (auto [axis, dim] : llvm::enumerate(type.shape)) {
      text += axis ? ", " : "";
      if (dim.kind == Dimension::Kind::Value)
        text += std::to_string(dim.value);
      else
        text += dim.parameter.empty() ? "?" : std::string(dim.parameter);
    }
    text += "] ";
  }
  return text + name(type.elementType);
}

namespace {
/// Values of a graph in the order of its nodes.
class GraphBuilder {
public:
  GraphBuilder(const Graph &source, DrawnGraph &graph) : source(source), graph(graph) {}
  void build();

private:
  void addInputs();
  void addNode(const Node &node);
  void connect(std::string_view value, size_t to);
  /// Values that the graphs of an attribute take from outside.
  void connectCaptures(const Graph &inner, size_t to);

  const Graph &source;
  DrawnGraph &graph;
  llvm::StringMap<size_t> producers;
  llvm::StringMap<std::string> types;
};
} // namespace

void GraphBuilder::build() {
  for (const ValueInfo &info : source.valueInfos)
    types[str(info.name)] = typeText(info.type);
  addInputs();
  for (const Node &node : source.nodes)
    addNode(node);
  for (const ValueInfo &output : source.outputs) {
    types[str(output.name)] = typeText(output.type);
    size_t index = graph.nodes.size();
    graph.nodes.push_back({std::string(output.name), "output " + types[str(output.name)], true});
    connect(output.name, index);
  }
}

void GraphBuilder::addInputs() {
  llvm::StringMap<bool> weights;
  for (const Tensor &tensor : source.initializers)
    weights[str(tensor.name)] = true;
  for (const ValueInfo &input : source.inputs) {
    if (weights.contains(str(input.name)))
      continue;
    types[str(input.name)] = typeText(input.type);
    producers[str(input.name)] = graph.nodes.size();
    graph.nodes.push_back({std::string(input.name), "input " + types[str(input.name)], true});
  }
}

void GraphBuilder::addNode(const Node &node) {
  size_t index = graph.nodes.size();
  std::string detail = node.domain.empty() ? "" : std::string(node.domain) + ".";
  detail += std::string(node.opType) + " " + quote(node.name);
  for (std::string_view input : node.inputs)
    if (!input.empty() && !producers.contains(str(input)))
      detail += "\nweight " + quote(input);
  graph.nodes.push_back({std::string(node.opType), std::move(detail), false});
  for (std::string_view input : node.inputs)
    connect(input, index);
  for (const NodeAttribute &attribute : node.attributes)
    for (const Graph &inner : attribute.graphs)
      connectCaptures(inner, index);
  for (std::string_view output : node.outputs)
    producers[str(output)] = index;
}

void GraphBuilder::connect(std::string_view value, size_t to) {
  auto producer = producers.find(str(value));
  if (value.empty() || producer == producers.end() || producer->second == to)
    return;
  std::string detail(value);
  if (auto type = types.find(str(value)); type != types.end() && !type->second.empty())
    detail += " " + type->second;
  graph.edges.push_back({producer->second, to, std::move(detail)});
}

void GraphBuilder::connectCaptures(const Graph &inner, size_t to) {
  for (const Node &node : inner.nodes) {
    for (std::string_view input : node.inputs)
      connect(input, to);
    for (const NodeAttribute &attribute : node.attributes)
      for (const Graph &nested : attribute.graphs)
        connectCaptures(nested, to);
  }
}

llvm::Expected<DrawnGraph> weft::onnx::graphOfModel(const std::string &path) {
  Result<Model> model = readModel(path);
  if (!model)
    return llvm::createStringError(model.error().message);
  if (Status status = verify(*model); !status)
    return llvm::createStringError(status.error().message);
  DrawnGraph graph;
  graph.title = std::string(model->graph.name);
  GraphBuilder(model->graph, graph).build();
  return graph;
}
