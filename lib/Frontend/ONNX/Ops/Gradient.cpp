//===- Gradient.cpp - Reverse-mode differentiation ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gradient gives the derivatives of a tensor y of its graph with respect to
// others of it, xs, at the values that are its inputs. The nodes between xs and
// y are visited from y backwards; each adds to the adjoints of its inputs what
// its own adjoint gives, by one rule an operator. Of a y with several elements
// it is the derivative of their sum.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Gradient.h"

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/ReductionOps.h"
#include "Frontend/ONNX/TensorOps.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

static StringRef str(std::string_view text) { return StringRef(text.data(), text.size()); }

namespace {
using Body = llvm::function_ref<Value(OpBuilder &, Location, ValueRange)>;

class Differentiator {
public:
  Differentiator(NodeContext &node, const llvm::StringMap<TensorValue> &values,
                 const llvm::StringSet<> &dependent)
      : node(node), importer(node.getImporter()), values(values), dependent(dependent) {}

  /// Adds to the adjoints of the inputs of `forward`.
  LogicalResult visit(const Node &forward);
  LogicalResult add(StringRef name, const TensorValue &adjoint);
  const TensorValue *find(StringRef name) const {
    auto it = adjoints.find(name);
    return it == adjoints.end() ? nullptr : &it->second;
  }

private:
  using Rule = LogicalResult (Differentiator::*)(const Node &, const TensorValue &);

  LogicalResult visitBinary(const Node &forward, const TensorValue &adjoint);
  LogicalResult visitUnary(const Node &forward, const TensorValue &adjoint);
  LogicalResult visitSum(const Node &forward, const TensorValue &adjoint);
  LogicalResult visitReshape(const Node &forward, const TensorValue &adjoint);
  LogicalResult visitTranspose(const Node &forward, const TensorValue &adjoint);
  LogicalResult visitMatMul(const Node &forward, const TensorValue &adjoint);
  LogicalResult visitReduction(const Node &forward, const TensorValue &adjoint);

  const TensorValue &value(std::string_view name) { return values.find(str(name))->second; }
  bool isWanted(const Node &forward, size_t input) const {
    return input < forward.inputs.size() && dependent.contains(str(forward.inputs[input]));
  }
  /// Adds the sum of `adjoint` over what was broadcast to the input's adjoint.
  LogicalResult addBroadcast(std::string_view input, const TensorValue &adjoint);
  FailureOr<TensorValue> compute(ArrayRef<TensorValue> inputs, Body body);

  NodeContext &node;
  Importer &importer;
  const llvm::StringMap<TensorValue> &values;
  const llvm::StringSet<> &dependent;
  llvm::StringMap<TensorValue> adjoints;
};
} // namespace

FailureOr<TensorValue> Differentiator::compute(ArrayRef<TensorValue> inputs, Body body) {
  ElementType type = inputs.front().elementType;
  return elementwise(node, inputs, type, [&](OpBuilder &b, Location loc, ValueRange args) {
    return inComputeType(b, loc, type, args, [&](ValueRange wide) { return body(b, loc, wide); });
  });
}

LogicalResult Differentiator::add(StringRef name, const TensorValue &adjoint) {
  auto [it, isNew] = adjoints.try_emplace(name, adjoint);
  if (isNew)
    return success();
  FailureOr<TensorValue> sum =
      compute({it->second, adjoint}, [](OpBuilder &b, Location loc, ValueRange v) -> Value {
        return arith::AddFOp::create(b, loc, v[0], v[1]);
      });
  if (failed(sum))
    return failure();
  it->second = *sum;
  return success();
}

LogicalResult Differentiator::addBroadcast(std::string_view input, const TensorValue &adjoint) {
  const TensorValue &x = value(input);
  int64_t extra = adjoint.rank() - x.rank();
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < adjoint.rank(); ++i) {
    if (i < extra || (x.staticDim(i - extra) == 1 && adjoint.staticDim(i) != 1))
      axes.push_back(i);
    else if (!DimBuilder::same(x.dims[i - extra], adjoint.dims[i]))
      return node.unsupported("differentiates an operator that may broadcast extents known only "
                              "at run time");
  }
  TensorValue sum = adjoint;
  if (!axes.empty())
    sum = reshape(
        node, cast(node, reduceSum(node, adjoint, axes, /*keepDims=*/true), x.elementType), x.dims);
  return add(str(input), sum);
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

LogicalResult Differentiator::visitBinary(const Node &forward, const TensorValue &adjoint) {
  StringRef op = str(forward.opType);
  TensorValue x = value(forward.inputs[0]), y = value(forward.inputs[1]);
  if (isWanted(forward, 0)) {
    FailureOr<TensorValue> result =
        compute({adjoint, y}, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          if (op == "Mul")
            return arith::MulFOp::create(b, loc, v[0], v[1]);
          if (op == "Div")
            return arith::DivFOp::create(b, loc, v[0], v[1]);
          return v[0]; // Add, Sub
        });
    if (failed(result) || failed(addBroadcast(forward.inputs[0], *result)))
      return failure();
  }
  if (!isWanted(forward, 1))
    return success();
  FailureOr<TensorValue> result =
      compute({adjoint, x, y}, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
        if (op == "Mul")
          return arith::MulFOp::create(b, loc, v[0], v[1]);
        if (op == "Sub")
          return arith::NegFOp::create(b, loc, v[0]);
        if (op == "Add")
          return v[0];
        // d(x / y)/dy = -(x / y) / y, without the square that may overflow.
        Value quotient = arith::DivFOp::create(b, loc, v[1], v[2]);
        Value slope = arith::DivFOp::create(b, loc, quotient, v[2]);
        return arith::NegFOp::create(b, loc, arith::MulFOp::create(b, loc, v[0], slope));
      });
  return success(succeeded(result) && succeeded(addBroadcast(forward.inputs[1], *result)));
}

/// The derivative of an elementwise operator from its input x and output y.
static Value slopeOf(OpBuilder &b, Location loc, StringRef op, Value x, Value y) {
  Type type = x.getType();
  auto number = [&](double value) { return makeScalar(b, loc, type, value); };
  auto mul = [&](Value p, Value q) -> Value { return arith::MulFOp::create(b, loc, p, q); };
  auto sub = [&](Value p, Value q) -> Value { return arith::SubFOp::create(b, loc, p, q); };
  auto div = [&](Value p, Value q) -> Value { return arith::DivFOp::create(b, loc, p, q); };
  auto above = [&](Value p, Value q) -> Value {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, p, q);
  };
  auto select = [&](Value c, Value p, Value q) -> Value {
    return arith::SelectOp::create(b, loc, c, p, q);
  };
  if (op == "Neg")
    return number(-1);
  if (op == "Exp")
    return y;
  if (op == "Log")
    return div(number(1), x);
  if (op == "Sqrt")
    return div(number(0.5), y);
  if (op == "Reciprocal")
    return arith::NegFOp::create(b, loc, mul(y, y));
  if (op == "Sigmoid")
    return mul(y, sub(number(1), y));
  if (op == "Tanh")
    return sub(number(1), mul(y, y));
  if (op == "Sin")
    return math::CosOp::create(b, loc, x);
  if (op == "Cos")
    return arith::NegFOp::create(b, loc, Value(math::SinOp::create(b, loc, x)));
  // 0 where there is no derivative.
  if (op == "Relu")
    return select(above(x, number(0)), number(1), number(0));
  if (op == "Abs")
    return select(above(x, number(0)), number(1),
                  select(above(number(0), x), number(-1), number(0)));
  return number(1); // Identity
}

LogicalResult Differentiator::visitUnary(const Node &forward, const TensorValue &adjoint) {
  FailureOr<TensorValue> result =
      compute({adjoint, value(forward.inputs[0]), value(forward.outputs[0])},
              [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                return arith::MulFOp::create(b, loc, v[0],
                                             slopeOf(b, loc, str(forward.opType), v[1], v[2]));
              });
  return success(succeeded(result) && succeeded(add(str(forward.inputs[0]), *result)));
}

LogicalResult Differentiator::visitSum(const Node &forward, const TensorValue &adjoint) {
  for (size_t i = 0; i < forward.inputs.size(); ++i)
    if (isWanted(forward, i) && failed(addBroadcast(forward.inputs[i], adjoint)))
      return failure();
  return success();
}

LogicalResult Differentiator::visitReshape(const Node &forward, const TensorValue &adjoint) {
  if (!isWanted(forward, 0))
    return success();
  return add(str(forward.inputs[0]), reshape(node, adjoint, value(forward.inputs[0]).dims));
}

LogicalResult Differentiator::visitTranspose(const Node &forward, const TensorValue &adjoint) {
  SmallVector<int64_t> permutation = NodeContext(importer, forward, node.opset()).getInts("perm");
  if (permutation.empty())
    for (int64_t i = adjoint.rank(); i-- > 0;)
      permutation.push_back(i);
  SmallVector<int64_t> inverse(permutation.size());
  for (auto [i, axis] : llvm::enumerate(permutation))
    inverse[axis] = static_cast<int64_t>(i);
  return add(str(forward.inputs[0]), transpose(node, adjoint, inverse));
}

LogicalResult Differentiator::visitMatMul(const Node &forward, const TensorValue &adjoint) {
  TensorValue x = value(forward.inputs[0]), y = value(forward.inputs[1]);
  if (x.rank() < 2 || y.rank() < 2)
    return node.unsupported("differentiates a MatMul of vectors");
  auto transposed = [&](const TensorValue &matrix) {
    SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, matrix.rank()));
    std::swap(permutation[matrix.rank() - 1], permutation[matrix.rank() - 2]);
    return transpose(node, matrix, permutation);
  };
  auto product = [&](size_t input, const TensorValue &p, const TensorValue &q) -> LogicalResult {
    if (!isWanted(forward, input))
      return success();
    FailureOr<TensorValue> result = matmul(node, p, q, accumulatorType(p.elementType));
    if (failed(result))
      return failure();
    return addBroadcast(forward.inputs[input], cast(node, *result, p.elementType));
  };
  return success(succeeded(product(0, adjoint, transposed(y))) &&
                 succeeded(product(1, transposed(x), adjoint)));
}

LogicalResult Differentiator::visitReduction(const Node &forward, const TensorValue &adjoint) {
  if (!isWanted(forward, 0))
    return success();
  TensorValue x = value(forward.inputs[0]);
  NodeContext attributes(importer, forward, node.opset());
  SmallVector<int64_t> axes = attributes.getInts("axes");
  if (forward.inputs.size() > 1 && !forward.inputs[1].empty()) {
    FailureOr<SmallVector<int64_t>> given =
        constantElements(node, value(forward.inputs[1]), "the axes of a reduction");
    if (failed(given))
      return failure();
    axes = *given;
  }
  if (axes.empty() && attributes.getInt("noop_with_empty_axes", 0))
    return add(str(forward.inputs[0]), adjoint);
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  FailureOr<SmallVector<int64_t>> normal = normalizeAxes(node, axes, x.rank());
  if (failed(normal))
    return failure();
  Dims kept = x.dims;
  OpFoldResult count = node.dims.constant(1);
  for (int64_t axis : *normal) {
    kept[axis] = node.dims.constant(1);
    count = node.dims.mul(count, x.dims[axis]);
  }
  FailureOr<TensorValue> whole = expand(node, reshape(node, adjoint, kept), x.dims);
  if (failed(whole))
    return failure();
  if (str(forward.opType) == "ReduceMean") {
    Value number = node.dims.value(count);
    whole = compute(*whole, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
      Value integer = arith::IndexCastOp::create(b, loc, b.getI64Type(), number);
      return arith::DivFOp::create(b, loc, v[0],
                                   Value(arith::SIToFPOp::create(b, loc, v[0].getType(), integer)));
    });
    if (failed(whole))
      return failure();
  }
  return add(str(forward.inputs[0]), *whole);
}

LogicalResult Differentiator::visit(const Node &forward) {
  const TensorValue *adjoint = find(str(forward.outputs[0]));
  if (!adjoint)
    return success();
  static const llvm::StringMap<Rule> rules = [] {
    llvm::StringMap<Rule> rules;
    for (const char *op : {"Add", "Sub", "Mul", "Div"})
      rules[op] = &Differentiator::visitBinary;
    for (const char *op : {"Abs", "Cos", "Exp", "Identity", "Log", "Neg", "Reciprocal", "Relu",
                           "Sigmoid", "Sin", "Sqrt", "Tanh"})
      rules[op] = &Differentiator::visitUnary;
    for (const char *op : {"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
      rules[op] = &Differentiator::visitReshape;
    for (const char *op : {"ReduceMean", "ReduceSum"})
      rules[op] = &Differentiator::visitReduction;
    rules["MatMul"] = &Differentiator::visitMatMul;
    rules["Sum"] = &Differentiator::visitSum;
    rules["Transpose"] = &Differentiator::visitTranspose;
    return rules;
  }();
  auto rule = isDefaultDomain(forward.domain) ? rules.find(str(forward.opType)) : rules.end();
  if (rule == rules.end())
    return node.unsupported("there is no derivative of " + str(forward.opType));
  TensorValue current = *adjoint;
  return (this->*rule->second)(forward, current);
}

//===----------------------------------------------------------------------===//
// The operator
//===----------------------------------------------------------------------===//

/// The nodes that `y` is computed by from `sources` and whatever else the graph
/// has, in order.
static SmallVector<const Node *> nodesBetween(const Graph &graph, const llvm::StringSet<> &sources,
                                              StringRef y) {
  llvm::StringSet<> needed;
  needed.insert(y);
  SmallVector<const Node *> nodes;
  for (const Node &node : llvm::reverse(graph.nodes)) {
    bool isNeeded = llvm::any_of(node.outputs, [&](std::string_view name) {
      return needed.contains(str(name)) && !sources.contains(str(name));
    });
    if (!isNeeded)
      continue;
    for (std::string_view name : node.inputs)
      if (!name.empty())
        needed.insert(str(name));
    nodes.push_back(&node);
  }
  return llvm::to_vector(llvm::reverse(nodes));
}

LogicalResult weft::onnx::buildGradient(NodeContext &node) {
  Importer &importer = node.getImporter();
  std::vector<std::string> xs = node.getStrings("xs"), zs = node.getStrings("zs");
  std::string y = node.getString("y", "");
  if (xs.empty() || y.empty())
    return node.error("needs the attributes 'xs' and 'y'");
  if (node.inputCount() != xs.size() + zs.size() || node.outputCount() > xs.size())
    return node.error("has " + Twine(node.inputCount()) + " inputs and " +
                      Twine(node.outputCount()) + " outputs for " + Twine(xs.size()) +
                      " tensors in 'xs' and " + Twine(zs.size()) + " in 'zs'");
  const Graph *graph = importer.innermostGraph();
  if (!graph)
    return node.unsupported("stands in a function");

  // What xs and zs are called is what the inputs stand for.
  std::vector<std::string> sources = xs;
  llvm::append_range(sources, zs);
  llvm::StringSet<> isSource, dependent;
  for (const std::string &name : sources)
    isSource.insert(name);
  llvm::StringMap<TensorValue> values;
  for (auto [i, name] : llvm::enumerate(sources)) {
    if (!node.hasInput(i))
      return node.error("has no input " + Twine(i));
    values[name] = node.input(i);
  }
  for (const std::string &name : xs) {
    dependent.insert(name);
    ElementType type = values[name].elementType;
    if (type != ElementType::Float && type != ElementType::Double && type != ElementType::Float16 &&
        type != ElementType::BFloat16)
      return node.error("differentiates with respect to " + quote(name) + ", which is " +
                        describe(values[name]) + ", expected floats");
  }

  SmallVector<const Node *> nodes = nodesBetween(*graph, isSource, y);
  if (nodes.empty() && !isSource.contains(y))
    return node.error("'y' is " + quote(y) + ", which no node of the graph gives");
  if (failed(importer.importNodesFor(nodes, values)))
    return failure();
  for (const Node *forward : nodes)
    if (llvm::any_of(forward->inputs,
                     [&](std::string_view name) { return dependent.contains(str(name)); }))
      for (std::string_view name : forward->outputs)
        if (!isSource.contains(str(name)))
          dependent.insert(str(name));

  const TensorValue &result = values[y];
  Differentiator differentiator(node, values, dependent);
  if (dependent.contains(y) &&
      failed(differentiator.add(y, makeSplat(node, result.elementType, result.dims, 1))))
    return failure();
  for (const Node *forward : llvm::reverse(nodes))
    if (failed(differentiator.visit(*forward)))
      return failure();
  for (auto [i, name] : llvm::enumerate(xs)) {
    const TensorValue *adjoint = differentiator.find(name);
    const TensorValue &x = values[name];
    node.setOutput(i, adjoint ? *adjoint : makeSplat(node, x.elementType, x.dims, 0));
  }
  return success();
}
