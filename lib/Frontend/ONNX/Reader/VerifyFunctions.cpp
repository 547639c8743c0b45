//===- VerifyFunctions.cpp - Checks how functions call each other ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/VerifyInternal.h"

#include <map>
#include <tuple>

using namespace weft;
using namespace weft::onnx;

namespace {
/// Domain, name and overload.
using FunctionKey = std::tuple<std::string_view, std::string_view, std::string_view>;
using FunctionMap = std::map<FunctionKey, size_t>;

/// What a function's body or the main graph does.
struct Calls {
  /// Nodes that call no function, those in subgraphs too.
  uint64_t plainNodes = 0;
  /// The functions called, by position, one entry a call.
  std::vector<size_t> callees;
};
} // namespace

static FunctionKey makeKey(std::string_view domain, std::string_view name,
                           std::string_view overload) {
  return {isDefaultDomain(domain) ? "" : domain, name, overload};
}

static void collectCalls(std::span<const Node> nodes, const FunctionMap &functions, Calls &calls) {
  for (const Node &node : nodes) {
    auto callee = functions.find(makeKey(node.domain, node.opType, node.overload));
    if (callee != functions.end())
      calls.callees.push_back(callee->second);
    else
      ++calls.plainNodes;
    for (const NodeAttribute &attribute : node.attributes)
      for (const Graph &graph : attribute.graphs)
        collectCalls(graph.nodes, functions, calls);
  }
}

/// The nodes that inlining gives, at most one more than the limit.
static uint64_t countInlined(const Calls &calls, const std::vector<uint64_t> &counts) {
  uint64_t total = calls.plainNodes;
  for (size_t callee : calls.callees) {
    // Both are at most the limit plus one: no overflow.
    total += counts[callee];
    if (total > maxInlinedNodes)
      return maxInlinedNodes + 1;
  }
  return total;
}

Status onnx::verifyFunctionCalls(const Model &model) {
  std::span<const Function> functions = model.functions;
  FunctionMap positions;
  for (size_t i = 0; i < functions.size(); ++i) {
    const Function &function = functions[i];
    if (function.name.empty())
      return Error{"function " + std::to_string(i) + ": expected a name, found none"};
    FunctionKey key = makeKey(function.domain, function.name, function.overload);
    if (!positions.try_emplace(key, i).second)
      return Error{"function " + quote(function.name) + " of domain " + quote(function.domain) +
                   " is defined twice"};
  }
  std::vector<Calls> calls(functions.size());
  for (size_t i = 0; i < functions.size(); ++i)
    collectCalls(functions[i].nodes, positions, calls[i]);

  // Callees before callers, with a stack of our own; a callee that is still
  // open closes a circle.
  enum class State : uint8_t { New, Open, Done };
  std::vector<State> states(functions.size(), State::New);
  std::vector<uint64_t> counts(functions.size(), 0);
  struct Frame {
    size_t function;
    size_t next;
  };
  std::vector<Frame> stack;
  for (size_t root = 0; root < functions.size(); ++root) {
    if (states[root] != State::New)
      continue;
    states[root] = State::Open;
    stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame &frame = stack.back();
      const Calls &body = calls[frame.function];
      if (frame.next == body.callees.size()) {
        counts[frame.function] = countInlined(body, counts);
        states[frame.function] = State::Done;
        stack.pop_back();
        continue;
      }
      size_t callee = body.callees[frame.next++];
      if (states[callee] == State::Open)
        return Error{"function " + quote(functions[callee].name) +
                     " calls itself, by way of function " + quote(functions[frame.function].name)};
      if (states[callee] == State::New) {
        states[callee] = State::Open;
        stack.push_back({callee, 0});
      }
    }
  }
  Calls main;
  collectCalls(model.graph.nodes, positions, main);
  if (!functions.empty() && countInlined(main, counts) > maxInlinedNodes)
    return Error{"the graph has more than " + std::to_string(maxInlinedNodes) +
                 " nodes once functions are inlined, the limit"};
  return {};
}
