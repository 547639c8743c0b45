//===- Attempt.cpp - Parts of a model that may turn out invalid -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A branch of an If need not be valid for the shapes at hand: it never runs for
// them. And what the branches give may differ in rank, so that the nodes after
// the If are imported once for either.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

static StringRef str(std::string_view text) { return StringRef(text.data(), text.size()); }

std::string Attempt::reason() const {
  if (!errors.empty())
    return errors.front().second;
  if (unsupported.empty())
    return "";
  const auto &[what, nodes] = *unsupported.begin();
  return llvm::formatv("node {0} cannot be imported: {1}", quote(nodes.firstNode), what);
}

Attempt Importer::attempt(llvm::function_ref<FailureOr<SmallVector<TensorValue>>()> build) {
  Attempt attempt;
  ImportFailure failureBefore = context.failure;
  UnsupportedMap unsupportedBefore = unsupported;
  SmallVector<std::pair<Location, std::string>> warned;
  {
    ScopedDiagnosticHandler handler(&context.context, [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error) {
        std::string text = diagnostic.str();
        StringRef sentence = text;
        (void)sentence.consume_front(context.path + ": ");
        attempt.errors.emplace_back(diagnostic.getLocation(), sentence.str());
      } else {
        warned.emplace_back(diagnostic.getLocation(), diagnostic.str());
      }
      return success();
    });
    ++depthOfAttempts;
    attempt.values = build();
    --depthOfAttempts;
  }
  if (attempt.succeeded()) {
    for (auto &[loc, text] : warned)
      warn(loc, text);
    return attempt;
  }
  for (auto &[key, nodes] : unsupported) {
    auto before = unsupportedBefore.find(key);
    int64_t known = before == unsupportedBefore.end() ? 0 : before->second.count;
    if (nodes.count > known)
      attempt.unsupported[key] = {nodes.count - known, nodes.firstNode};
  }
  unsupported = std::move(unsupportedBefore);
  context.failure = failureBefore;
  return attempt;
}

void Importer::warn(Location loc, const Twine &message) {
  std::string text = message.str();
  // An attempt passes on what it was warned of if it succeeds.
  if (depthOfAttempts > 0 || warnings.insert(text).second)
    emitWarning(loc) << text;
}

void Importer::report(const Attempt &attempt) {
  for (auto &[loc, text] : attempt.errors)
    (void)error(loc, text);
  for (auto &[key, nodes] : attempt.unsupported) {
    UnsupportedNodes &entry = unsupported[key];
    if (entry.count == 0)
      entry.firstNode = nodes.firstNode;
    entry.count += nodes.count;
  }
}

SmallVector<StringRef> Importer::pendingOutputs() {
  SmallVector<StringRef> names;
  for (StringRef name : SmallVector<StringRef>(scopes.back().outputs))
    if (!lookup(name))
      names.push_back(name);
  return names;
}

std::optional<int64_t> Importer::declaredOutputRank(StringRef name) const {
  if (const Graph *graph = scopes.back().graph)
    for (const ValueInfo &output : graph->outputs)
      if (str(output.name) == name && output.type.kind == onnx::ValueType::Kind::Tensor &&
          output.type.hasShape)
        return static_cast<int64_t>(output.type.shape.size());
  return std::nullopt;
}

FailureOr<SmallVector<TensorValue>>
Importer::importRest(const Node &node, ArrayRef<TensorValue> outputs, ArrayRef<StringRef> names) {
  // A scope within the graph's: the other values of the node get one as well.
  Scope scope;
  scope.graph = scopes.back().graph;
  scope.outputs = scopes.back().outputs;
  for (auto [name, value] : llvm::zip(node.outputs, outputs))
    if (!name.empty())
      scope.values[str(name)] = value;
  ArrayRef<Node> rest = scopes.back().rest;
  scopes.push_back(std::move(scope));
  dims.pushScope();
  ++depthOfRest;
  SmallVector<TensorValue> values;
  LogicalResult result = importNodes(rest);
  for (StringRef name : names) {
    if (failed(result))
      break;
    const TensorValue *value = lookup(name);
    if (!value)
      result = error(b.getLoc(), "output " + quote(name) + " is defined by nothing");
    else if (!isAvailable(*value))
      result = failure();
    else
      values.push_back(*value);
  }
  --depthOfRest;
  dims.popScope();
  scopes.pop_back();
  if (failed(result))
    return failure();
  return values;
}

void Importer::finishGraph(ArrayRef<StringRef> names, ArrayRef<TensorValue> values) {
  for (auto [name, value] : llvm::zip(names, values))
    scopes.back().values[name] = value;
  scopes.back().rest = {};
}
