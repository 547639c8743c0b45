//===- Verify.cpp - Checks the structure of an ONNX model -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Verify.h"

#include "Frontend/ONNX/Reader/VerifyInternal.h"

#include <bit>
#include <map>
#include <set>

using namespace weft;
using namespace weft::onnx;

namespace {
/// What defines a value: the position in the list of its kind.
struct Definition {
  enum class Kind : uint8_t { Input, Initializer, Node };
  Kind kind;
  size_t index;
};

/// What holds for all nodes of the main graph or of one function, those in
/// subgraphs too.
struct Context {
  std::span<const OperatorSet> opsets;
  bool inFunction = false;
};

/// The nodes of a graph or function, and the values that they define.
class Body {
public:
  /// `outer` is the body whose node holds this one as an attribute, or null.
  Body(const Context &context, std::span<const Node> nodes, const Body *outer)
      : context(context), nodes(nodes), outer(outer) {}

  Status addInput(std::string_view name, size_t index);
  Status addInitializer(std::string_view name, size_t index);
  Status verifyNodes();
  Status verifyAttribute(const NodeAttribute &attribute);

  /// Whether `value` is defined so far, here or around.
  bool sees(std::string_view value) const;

private:
  Status add(std::string_view name, Definition definition);
  Status verifyNode(const Node &node, size_t index);
  Status verifyAttributes(const Node &node);
  Error explainUse(std::string_view value) const;
  Error explainOrder(std::string text, const std::map<std::string_view, size_t> &producers) const;
  std::string describeDefinition(Definition definition) const;

  const Context &context;
  std::span<const Node> nodes;
  const Body *outer;
  /// The node that is being verified.
  size_t current = 0;
  /// The values defined so far. Ordered, because the names come from the file
  /// and could be made to collide in a hash table.
  std::map<std::string_view, Definition> values;
};
} // namespace

static Status verifyGraph(const Graph &graph, const Context &context, const Body *outer);

static Error within(const std::string &where, const Error &error) {
  return Error{where + ": " + error.message};
}

std::string onnx::describe(const Node &node, size_t index) {
  return "node " + (node.name.empty() ? std::to_string(index) : quote(node.name)) + " (" +
         (node.opType.empty() ? "no operator"
                              : quote(node.opType).substr(1, quote(node.opType).size() - 2)) +
         ")";
}

//===----------------------------------------------------------------------===//
// Definitions and uses
//===----------------------------------------------------------------------===//

std::string Body::describeDefinition(Definition definition) const {
  switch (definition.kind) {
  case Definition::Kind::Input:
    return "input " + std::to_string(definition.index);
  case Definition::Kind::Initializer:
    return "initializer " + std::to_string(definition.index);
  case Definition::Kind::Node:
    break;
  }
  return describe(nodes[definition.index], definition.index);
}

bool Body::sees(std::string_view value) const {
  for (const Body *body = this; body; body = body->outer)
    if (body->values.contains(value))
      return true;
  return false;
}

Status Body::add(std::string_view name, Definition definition) {
  if (name.empty())
    return Error{describeDefinition(definition) + ": expected a name, found none"};
  auto [place, added] = values.try_emplace(name, definition);
  if (added)
    return {};
  return Error{"the value " + quote(name) + " is defined twice, by " +
               describeDefinition(place->second) + " and by " + describeDefinition(definition)};
}

Status Body::addInput(std::string_view name, size_t index) {
  return add(name, {Definition::Kind::Input, index});
}

Status Body::addInitializer(std::string_view name, size_t index) {
  // An input with an initializer of its name has that as its default value.
  auto known = values.find(name);
  if (known != values.end() && known->second.kind == Definition::Kind::Input) {
    known->second = {Definition::Kind::Initializer, index};
    return {};
  }
  return add(name, {Definition::Kind::Initializer, index});
}

/// Adds the names that `node` and the nodes of its subgraphs use. Some may mean
/// a value inside of the subgraph.
static void collectUses(const Node &node, std::vector<std::string_view> &uses) {
  uses.insert(uses.end(), node.inputs.begin(), node.inputs.end());
  for (const NodeAttribute &attribute : node.attributes)
    for (const Graph &graph : attribute.graphs) {
      for (const Node &inner : graph.nodes)
        collectUses(inner, uses);
      for (const ValueInfo &output : graph.outputs)
        uses.push_back(output.name);
    }
}

/// Looks for a cycle through what node `start` needs: a depth-first search from
/// users to producers with its own stack. Gives the nodes of the cycle, each
/// needing the next, or nothing.
static std::vector<size_t> findCycle(std::span<const Node> nodes, size_t start,
                                     const std::map<std::string_view, size_t> &producers) {
  enum class State : uint8_t { New, Open, Done };
  std::vector<State> states(nodes.size(), State::New);
  struct Frame {
    size_t node;
    std::vector<std::string_view> uses;
  };
  std::vector<Frame> stack;
  auto enter = [&](size_t node) {
    states[node] = State::Open;
    collectUses(nodes[node], stack.emplace_back(Frame{node, {}}).uses);
  };
  enter(start);
  while (!stack.empty()) {
    Frame &frame = stack.back();
    if (frame.uses.empty()) {
      states[frame.node] = State::Done;
      stack.pop_back();
      continue;
    }
    auto producer = producers.find(frame.uses.back());
    frame.uses.pop_back();
    if (producer == producers.end())
      continue;
    size_t next = producer->second;
    if (states[next] == State::New) {
      enter(next);
    } else if (states[next] == State::Open) {
      std::vector<size_t> cycle;
      for (const Frame &open : stack)
        if (!cycle.empty() || open.node == next)
          cycle.push_back(open.node);
      return cycle;
    }
  }
  return {};
}

/// Says why the current node cannot use `value`, which is not defined yet.
Error Body::explainUse(std::string_view value) const {
  std::string user = describe(nodes[current], current);
  for (const Body *body = this; body; body = body->outer) {
    std::map<std::string_view, size_t> producers;
    for (size_t i = 0; i < body->nodes.size(); ++i)
      for (std::string_view output : body->nodes[i].outputs)
        if (!output.empty())
          producers.try_emplace(output, i);
    auto found = producers.find(value);
    if (found == producers.end())
      continue;
    size_t producer = found->second;
    std::string definer = body == this && producer == current
                              ? "it defines it itself"
                              : describe(body->nodes[producer], producer) + " defines it";
    return body->explainOrder(user + " uses " + quote(value) + " before " + definer, producers);
  }
  return Error{user + " uses " + quote(value) + ", which no input, initializer or node defines"};
}

/// Adds to `text` whether the current node could be moved behind what it needs.
Error Body::explainOrder(std::string text,
                         const std::map<std::string_view, size_t> &producers) const {
  static constexpr size_t maxShown = 8;
  std::vector<size_t> cycle = findCycle(nodes, current, producers);
  if (cycle.empty())
    return Error{text + "; expected nodes in topological order"};
  text += "; the graph is cyclic: ";
  for (size_t i = 0; i < cycle.size() && i < maxShown; ++i)
    text += describe(nodes[cycle[i]], cycle[i]) + " needs ";
  return Error{text + (cycle.size() > maxShown ? "..." : describe(nodes[cycle[0]], cycle[0]))};
}

//===----------------------------------------------------------------------===//
// Tensors and attributes
//===----------------------------------------------------------------------===//

static Status verifySparse(const SparseTensor &sparse) {
  const Tensor &values = sparse.values, &indices = sparse.indices;
  std::string name = "sparse tensor " + quote(values.name);
  if (Status status = values.verify(); !status)
    return within(name + ", values", status.error());
  if (Status status = indices.verify(); !status)
    return within(name + ", indices", status.error());
  if (indices.elementType != ElementType::Int64)
    return Error{name + ": expected indices of type int64, found " +
                 onnx::name(indices.elementType)};
  if (values.dims.size() != 1)
    return Error{name + ": expected values of rank 1, found rank " +
                 std::to_string(values.dims.size())};
  if (!checkedElementCount(sparse.dims))
    return Error{name + ": its shape has negative extents or more elements "
                        "than fit in 63 bits"};
  bool linear = indices.dims.size() == 1;
  bool perAxis =
      indices.dims.size() == 2 && indices.dims[1] == static_cast<int64_t>(sparse.dims.size());
  if ((!linear && !perAxis) || indices.dims[0] != values.dims[0])
    return Error{name + ": expected indices of shape [" + std::to_string(values.dims[0]) +
                 "] or [" + std::to_string(values.dims[0]) + ", " +
                 std::to_string(sparse.dims.size()) + "], one for each value, found another shape"};
  return {};
}

Status Body::verifyAttribute(const NodeAttribute &attribute) {
  if (!attribute.refName.empty()) {
    if (!context.inFunction)
      return Error{"it refers to the function attribute " + quote(attribute.refName) +
                   ", but is not in a function"};
    if (attribute.present)
      return Error{"expected a value or a reference to a function attribute, "
                   "found both"};
    return {};
  }
  auto kind = static_cast<int32_t>(attribute.kind);
  if (kind < 1 || kind > static_cast<int32_t>(AttributeKind::Types))
    return Error{"expected a type from 1 (FLOAT) to 14 (TYPE_PROTOS), found " +
                 std::to_string(kind)};
  uint32_t others = attribute.present & ~(1u << kind);
  if (others)
    return Error{"expected a value of type " + onnx::name(attribute.kind) + ", found " +
                 onnx::name(static_cast<AttributeKind>(std::countr_zero(others)))};
  switch (attribute.kind) {
  case AttributeKind::Tensor:
  case AttributeKind::Graph:
  case AttributeKind::SparseTensor:
  case AttributeKind::Type:
    if (!attribute.present)
      return Error{"expected a value of type " + onnx::name(attribute.kind) + ", found none"};
    break;
  default:
    break;
  }
  for (const Tensor &tensor : attribute.tensors)
    if (Status status = tensor.verify(); !status)
      return status;
  for (const SparseTensor &sparse : attribute.sparseTensors)
    if (Status status = verifySparse(sparse); !status)
      return status;
  for (const Graph &graph : attribute.graphs)
    if (Status status = verifyGraph(graph, context, this); !status)
      return status;
  return {};
}

Status Body::verifyAttributes(const Node &node) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < node.attributes.size(); ++i) {
    const NodeAttribute &attribute = node.attributes[i];
    if (attribute.name.empty())
      return Error{"attribute " + std::to_string(i) + ": expected a name, found none"};
    if (!names.insert(attribute.name).second)
      return Error{"attribute " + quote(attribute.name) + ": expected it once, found it twice"};
    if (Status status = verifyAttribute(attribute); !status)
      return within("attribute " + quote(attribute.name), status.error());
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Nodes and graphs
//===----------------------------------------------------------------------===//

Status Body::verifyNode(const Node &node, size_t index) {
  if (node.opType.empty())
    return Error{describe(node, index) + ": expected an operator (op_type), found none"};
  for (std::string_view input : node.inputs)
    if (!input.empty() && !sees(input))
      return explainUse(input);
  if (Status status = verifyAttributes(node); !status)
    return within(describe(node, index), status.error());
  for (std::string_view output : node.outputs)
    if (!output.empty())
      if (Status status = add(output, {Definition::Kind::Node, index}); !status)
        return status;
  return {};
}

Status Body::verifyNodes() {
  bool importsDefault = findOpset(context.opsets, "").has_value();
  for (size_t i = 0; i < nodes.size(); ++i) {
    current = i;
    if (!importsDefault && isDefaultDomain(nodes[i].domain))
      return Error{describe(nodes[i], i) + " is an operator of the ONNX domain: expected an "
                                           "opset_import of that domain, found none"};
    if (Status status = verifyNode(nodes[i], i); !status)
      return status;
  }
  return {};
}

static Status verifyGraphBody(const Graph &graph, const Context &context, const Body *outer) {
  Body body(context, graph.nodes, outer);
  for (size_t i = 0; i < graph.inputs.size(); ++i)
    if (Status status = body.addInput(graph.inputs[i].name, i); !status)
      return status;
  for (size_t i = 0; i < graph.initializers.size(); ++i) {
    const Tensor &tensor = graph.initializers[i];
    if (Status status = body.addInitializer(tensor.name, i); !status)
      return status;
    if (Status status = tensor.verify(); !status)
      return within("initializer", status.error());
  }
  for (size_t i = 0; i < graph.sparseInitializers.size(); ++i) {
    const SparseTensor &sparse = graph.sparseInitializers[i];
    if (Status status = body.addInitializer(sparse.values.name, i); !status)
      return within("sparse initializer", status.error());
    if (Status status = verifySparse(sparse); !status)
      return within("initializer", status.error());
  }
  if (Status status = body.verifyNodes(); !status)
    return status;

  std::set<std::string_view> outputs;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    std::string_view name = graph.outputs[i].name;
    if (name.empty())
      return Error{"output " + std::to_string(i) + ": expected a name, found none"};
    if (!body.sees(name))
      return Error{"output " + quote(name) + " is defined by no input, initializer or node"};
    // A branch or a loop's body may give one value twice.
    if (!outer && !outputs.insert(name).second)
      return Error{"output " + quote(name) + ": expected it once, found it twice"};
  }
  return {};
}

static Status verifyGraph(const Graph &graph, const Context &context, const Body *outer) {
  Status status = verifyGraphBody(graph, context, outer);
  if (status || graph.name.empty())
    return status;
  return within("graph " + quote(graph.name), status.error());
}

static Status verifyFunctionBody(const Function &function) {
  Context context{function.opsets, /*inFunction=*/true};
  Body body(context, function.nodes, /*outer=*/nullptr);
  for (size_t i = 0; i < function.inputs.size(); ++i)
    if (Status status = body.addInput(function.inputs[i], i); !status)
      return status;
  if (Status status = body.verifyNodes(); !status)
    return status;
  for (std::string_view output : function.outputs)
    if (!body.sees(output))
      return Error{"output " + quote(output) + " is defined by no input or node"};
  std::set<std::string_view> attributes;
  for (std::string_view name : function.attributes)
    if (!attributes.insert(name).second)
      return Error{"attribute " + quote(name) + ": expected it once, found it twice"};
  for (const NodeAttribute &attribute : function.defaultAttributes) {
    if (!attributes.insert(attribute.name).second)
      return Error{"attribute " + quote(attribute.name) + ": expected it once, found it twice"};
    if (Status status = body.verifyAttribute(attribute); !status)
      return within("attribute " + quote(attribute.name), status.error());
  }
  return {};
}

static Status verifyOpsets(std::span<const OperatorSet> opsets) {
  std::map<std::string_view, int64_t> versions;
  for (const OperatorSet &set : opsets) {
    std::string_view domain = isDefaultDomain(set.domain) ? "" : set.domain;
    auto [place, added] = versions.try_emplace(domain, set.version);
    if (!added && place->second != set.version)
      return Error{"opset_import of domain " + quote(domain) + ": expected one version, found " +
                   std::to_string(place->second) + " and " + std::to_string(set.version)};
  }
  return {};
}

static Status verifyModel(const Model &model) {
  if (Status status = verifyOpsets(model.opsets); !status)
    return status;
  if (Status status = verifyFunctionCalls(model); !status)
    return status;
  for (const Function &function : model.functions) {
    std::string where = "function " + quote(function.name);
    if (Status status = verifyOpsets(function.opsets); !status)
      return within(where, status.error());
    if (Status status = verifyFunctionBody(function); !status)
      return within(where, status.error());
  }
  // Graphs for training (model.trainingInfos) are never compiled.
  return verifyGraph(model.graph, Context{model.opsets}, /*outer=*/nullptr);
}

Status onnx::verify(const Model &model) {
  Status status = verifyModel(model);
  if (status)
    return status;
  return within(model.path, status.error());
}
