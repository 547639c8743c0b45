//===- Einsum.cpp - Sums of products by index letters ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are contracted from left to right; each step is one `linalg.generic`
// whose loops are the letters and whose maps are the subscripts, so that the
// product of two matrices, in whatever order of axes, is seen as a contraction.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Einsum.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

#include <map>
#include <set>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

namespace {
/// Labels of axes: letters, and numbers below 0 for what "..." stands for.
using Subscript = SmallVector<int>;

struct Operand {
  TensorValue value;
  Subscript labels;
};

struct Equation {
  std::vector<Subscript> inputs;
  Subscript output;
};
} // namespace

/// Labels of an ellipsis over `count` axes, counted from the last one.
static void appendEllipsis(Subscript &labels, int64_t count) {
  for (int64_t i = count; i > 0; --i)
    labels.push_back(static_cast<int>(-i));
}

static FailureOr<Subscript> parseSubscript(NodeContext &node, StringRef text, int64_t ellipsis) {
  Subscript labels;
  bool seen = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (llvm::isAlpha(text[i])) {
      labels.push_back(text[i]);
    } else if (text.substr(i).starts_with("...") && !seen) {
      appendEllipsis(labels, ellipsis);
      seen = true;
      i += 2;
    } else {
      return node.error("has the subscript \"" + text +
                        "\", expected letters and at most one \"...\"");
    }
  }
  return labels;
}

static FailureOr<Equation> parseEquation(NodeContext &node) {
  std::string text = node.getString("equation", "");
  if (node.failed())
    return failure();
  llvm::erase_if(text, [](char c) { return c == ' '; });
  auto [left, right] = StringRef(text).split("->");
  bool explicitOutput = StringRef(text).contains("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  if (parts.size() != node.inputCount())
    return node.error("has an equation of " + Twine(parts.size()) + " operands and " +
                      Twine(node.inputCount()) + " inputs");
  Equation equation;
  int64_t ellipsis = 0;
  for (auto [i, part] : llvm::enumerate(parts)) {
    int64_t letters = llvm::count_if(part, [](char c) { return llvm::isAlpha(c); });
    int64_t covered = part.contains("...") ? node.input(i).rank() - letters : 0;
    FailureOr<Subscript> labels = parseSubscript(node, part, std::max<int64_t>(covered, 0));
    if (failed(labels))
      return failure();
    if (static_cast<int64_t>(labels->size()) != node.input(i).rank())
      return node.error("has the subscript \"" + part + "\" for a tensor of rank " +
                        Twine(node.input(i).rank()));
    ellipsis = std::max(ellipsis, covered);
    equation.inputs.push_back(*labels);
  }
  if (explicitOutput) {
    FailureOr<Subscript> labels = parseSubscript(node, right, ellipsis);
    if (failed(labels))
      return failure();
    equation.output = *labels;
  } else {
    // The ellipsis, then what occurs once, in the order of the alphabet.
    appendEllipsis(equation.output, ellipsis);
    std::map<int, int> counts;
    for (const Subscript &labels : equation.inputs)
      for (int label : labels)
        ++counts[label];
    for (auto [label, count] : counts)
      if (label > 0 && count == 1)
        equation.output.push_back(label);
  }
  std::set<int> known;
  for (const Subscript &labels : equation.inputs)
    known.insert(labels.begin(), labels.end());
  std::set<int> used;
  for (int label : equation.output) {
    if (label > 0 && !known.count(label))
      return node.error("has the output index '" + Twine(static_cast<char>(label)) +
                        "' that no input has");
    if (!used.insert(label).second)
      return node.error("has the output index '" + Twine(static_cast<char>(label)) + "' twice");
  }
  return equation;
}

/// The extents of the labels; asserts that operands agree.
static LogicalResult collectExtents(NodeContext &node, const Equation &equation,
                                    std::map<int, OpFoldResult> &extents) {
  for (auto [i, labels] : llvm::enumerate(equation.inputs)) {
    const TensorValue &x = node.input(i);
    for (auto [k, label] : llvm::enumerate(labels)) {
      auto [it, added] = extents.try_emplace(label, x.dims[k]);
      if (added || DimBuilder::same(it->second, x.dims[k]) ||
          DimBuilder::constantOf(x.dims[k]) == 1)
        continue;
      if (DimBuilder::constantOf(it->second) == 1) {
        it->second = x.dims[k];
        continue;
      }
      if (label < 0) {
        // Broadcast, maybe at run time.
        TensorValue a, c;
        a.dims = {it->second};
        c.dims = {x.dims[k]};
        FailureOr<Dims> both = broadcastDims(node, {a, c});
        if (failed(both))
          return failure();
        it->second = (*both)[0];
        continue;
      }
      if (failed(requireEqual(node, it->second, x.dims[k], "has an index of extents {0} and {1}")))
        return failure();
      if (DimBuilder::constantOf(x.dims[k]))
        it->second = x.dims[k];
    }
  }
  return success();
}

/// Contracts one or two operands to `output`.
static FailureOr<TensorValue> contract(NodeContext &node, MutableArrayRef<Operand> operands,
                                       ArrayRef<int> output,
                                       const std::map<int, OpFoldResult> &extents,
                                       ElementType sumType) {
  // Loops: those of the result, then the summed ones.
  SmallVector<int> loops(output);
  for (const Operand &operand : operands)
    for (int label : operand.labels)
      if (!llvm::is_contained(loops, label))
        loops.push_back(label);
  // A summed label needs an operand that has it in full.
  std::set<int> full;
  SmallVector<AffineMap> maps;
  SmallVector<Value> values;
  for (Operand &operand : operands) {
    // Extents that may be 1 only at run time are broadcast beforehand.
    Dims wanted = operand.value.dims;
    bool unclear = false;
    for (auto [k, label] : llvm::enumerate(operand.labels)) {
      OpFoldResult extent = extents.at(label);
      if (DimBuilder::same(wanted[k], extent) || DimBuilder::constantOf(wanted[k]) == 1)
        continue;
      unclear |= label < 0;
      wanted[k] = extent;
    }
    if (unclear) {
      FailureOr<TensorValue> expanded = expand(node, operand.value, wanted);
      if (failed(expanded))
        return failure();
      operand.value = *expanded;
    }
    SmallVector<AffineExpr> exprs;
    for (auto [k, label] : llvm::enumerate(operand.labels)) {
      bool one = DimBuilder::constantOf(operand.value.dims[k]) == 1 &&
                 DimBuilder::constantOf(extents.at(label)) != 1;
      if (!one)
        full.insert(label);
      int64_t loop = llvm::find(loops, label) - loops.begin();
      exprs.push_back(one ? node.b.getAffineConstantExpr(0) : node.b.getAffineDimExpr(loop));
    }
    maps.push_back(AffineMap::get(loops.size(), 0, exprs, node.context()));
    values.push_back(node.value(operand.value));
  }
  SmallVector<AffineExpr> result;
  Dims dims, rest;
  SmallVector<AffineExpr> restExprs;
  for (auto [i, label] : llvm::enumerate(loops)) {
    if (i < output.size()) {
      result.push_back(node.b.getAffineDimExpr(i));
      dims.push_back(extents.at(label));
    } else if (!full.count(label)) {
      rest.push_back(extents.at(label));
      restExprs.push_back(node.b.getAffineDimExpr(i));
    }
  }
  size_t arguments = values.size();
  if (!rest.empty()) {
    // Never read: gives loops their extents that all operands broadcast.
    values.push_back(tensor::EmptyOp::create(node.b, node.b.getLoc(), rest, node.b.getI8Type()));
    maps.push_back(AffineMap::get(loops.size(), 0, restExprs, node.context()));
  }
  maps.push_back(AffineMap::get(loops.size(), 0, result, node.context()));
  SmallVector<utils::IteratorType> iterators(output.size(), utils::IteratorType::parallel);
  iterators.append(loops.size() - output.size(), utils::IteratorType::reduction);
  TensorValue start = makeSplat(node, sumType, dims, 0);
  SmallVector<ElementType> types;
  for (const Operand &operand : operands)
    types.push_back(operand.value.elementType);
  auto generic = linalg::GenericOp::create(
      node.b, node.b.getLoc(), start.value.getType(), values, start.value, maps, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        Value product = castScalar(b, loc, args[0], types[0], sumType);
        if (arguments == 2)
          product = m.mul(product, castScalar(b, loc, args[1], types[1], sumType));
        linalg::YieldOp::create(b, loc, m.add(args.back(), product));
      });
  return makeValue(generic.getResult(0), sumType, dims);
}

TensorValue weft::onnx::contractLetters(NodeContext &node, StringRef equation, const TensorValue &a,
                                        const TensorValue &c, ElementType sumType) {
  auto [left, right] = equation.split("->");
  auto [first, second] = left.split(',');
  Operand operands[] = {{a, Subscript(first.begin(), first.end())},
                        {c, Subscript(second.begin(), second.end())}};
  std::map<int, OpFoldResult> extents;
  for (const Operand &operand : operands)
    for (auto [label, extent] : llvm::zip(operand.labels, operand.value.dims)) {
      auto [it, added] = extents.try_emplace(label, extent);
      if (!added && DimBuilder::constantOf(extent))
        it->second = extent;
    }
  return *contract(node, operands, Subscript(right.begin(), right.end()), extents, sumType);
}

static LogicalResult buildEinsum(NodeContext &node) {
  FailureOr<Equation> equation = parseEquation(node);
  if (failed(equation))
    return failure();
  ElementType type = node.input(0).elementType, sumType = accumulatorType(type);
  std::vector<Operand> operands;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    if (node.input(i).elementType != type)
      return node.error("has inputs of different element types");
    operands.push_back({node.input(i), equation->inputs[i]});
  }
  if (!isFloat(type) && !isInteger(type))
    return node.error("expects numbers, got " + name(type));
  std::map<int, OpFoldResult> extents;
  if (failed(collectExtents(node, *equation, extents)))
    return failure();
  // Each step keeps what later operands or the result need.
  Operand current = operands.front();
  size_t next = 1;
  do {
    SmallVector<Operand> step{current};
    if (next < operands.size())
      step.push_back(operands[next++]);
    SmallVector<int> output;
    if (next == operands.size()) {
      output = equation->output;
    } else {
      std::set<int> needed(equation->output.begin(), equation->output.end());
      for (size_t i = next; i < operands.size(); ++i)
        needed.insert(operands[i].labels.begin(), operands[i].labels.end());
      for (const Operand &operand : step)
        for (int label : operand.labels)
          if (needed.count(label) && !llvm::is_contained(output, label))
            output.push_back(label);
    }
    FailureOr<TensorValue> result = contract(node, step, output, extents, sumType);
    if (failed(result))
      return failure();
    current = {*result, output};
  } while (next < operands.size());
  node.setOutput(0, cast(node, current.value, type));
  return success();
}

void weft::onnx::registerEinsumOps(Registrar &registrar) {
  addOps(registrar, "", {{"Einsum", 12, 1, kAnyNumber, buildEinsum}});
}
