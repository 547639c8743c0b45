//===- ControlFlow.cpp - If, Loop and Scan --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Loops.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/If.h"
#include "Frontend/ONNX/TensorOps.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// Loops that carry sequences are repeated at import up to so many nodes.
static constexpr int64_t kMaxUnrolledNodes = 65536;

static LogicalResult checkGraphInputs(NodeContext &node, const Graph &graph, StringRef what,
                                      size_t expected) {
  if (graph.inputs.size() == expected)
    return success();
  return node.error(what + " has " + Twine(graph.inputs.size()) + " inputs, expected " +
                    Twine(expected));
}

//===----------------------------------------------------------------------===//
// Loop
//===----------------------------------------------------------------------===//

/// Whether output `output` of `graph` is what its input `input` is.
static bool passesThrough(const Graph &graph, size_t output, size_t input) {
  std::string_view name = graph.outputs[output].name;
  for (size_t steps = 0; steps <= graph.nodes.size(); ++steps) {
    if (name == graph.inputs[input].name)
      return true;
    const Node *producer = nullptr;
    for (const Node &candidate : graph.nodes)
      if (llvm::is_contained(candidate.outputs, name))
        producer = &candidate;
    if (!producer || producer->opType != "Identity" || producer->inputs.size() != 1)
      return false;
    name = producer->inputs[0];
  }
  return false;
}

/// A scalar of the body, of the rank that the body declares.
static TensorValue bodyScalar(NodeContext &node, const ValueInfo &input, ElementType type,
                              OpFoldResult value) {
  return makeTracked(node, type, {value}, /*scalar=*/input.type.shape.empty());
}

/// Stacks values of one shape along a new first dimension.
static FailureOr<TensorValue> stack(NodeContext &node, ArrayRef<TensorValue> values) {
  SmallVector<TensorValue> rows;
  for (const TensorValue &value : values) {
    Dims dims{node.dims.constant(1)};
    llvm::append_range(dims, value.dims);
    TensorValue row = value;
    row.value = node.value(value);
    row.elements.reset();
    rows.push_back(reshape(node, row, dims));
  }
  return concat(node, rows, 0);
}

/// A loop whose iterations are all known, for values that only import knows.
static LogicalResult unrollLoop(NodeContext &node, const Graph &body, int64_t tripCount,
                                SmallVector<TensorValue> carried) {
  size_t count = carried.size(), scanCount = body.outputs.size() - 1 - count;
  SmallVector<SmallVector<TensorValue>> scans(scanCount);
  int64_t nodes = std::max<int64_t>(1, static_cast<int64_t>(body.nodes.size()));
  bool proceed = true;
  for (int64_t i = 0; proceed && i < tripCount; ++i) {
    if (i > kMaxUnrolledNodes / nodes)
      return node.unsupported("carries a sequence or an optional through more iterations than are "
                              "repeated at import");
    SmallVector<TensorValue> arguments{
        bodyScalar(node, body.inputs[0], ElementType::Int64, node.dims.constant(i)),
        bodyScalar(node, body.inputs[1], ElementType::Bool, node.dims.constant(1))};
    llvm::append_range(arguments, carried);
    FailureOr<SmallVector<TensorValue>> values = node.importGraph(body, arguments);
    if (failed(values))
      return failure();
    FailureOr<OpFoldResult> condition = hostScalar(node, values->front(), "the condition");
    if (failed(condition))
      return failure();
    auto known = DimBuilder::constantOf(*condition);
    if (!known)
      return node.unsupported("carries a sequence or an optional through a loop whose condition is "
                              "known only at run time");
    proceed = *known != 0;
    carried.assign(values->begin() + 1, values->begin() + 1 + count);
    for (size_t k = 0; k < scanCount; ++k)
      scans[k].push_back((*values)[1 + count + k]);
  }
  for (size_t i = 0; i < count; ++i)
    node.setOutput(i, carried[i]);
  for (size_t k = 0; k < scanCount; ++k) {
    if (!node.hasOutput(count + k))
      continue;
    if (scans[k].empty())
      return node.unsupported("stacks the values of no iteration");
    FailureOr<TensorValue> whole = stack(node, scans[k]);
    if (failed(whole))
      return failure();
    node.setOutput(count + k, *whole);
  }
  return success();
}

static LogicalResult buildLoopOp(NodeContext &node) {
  const Graph *body = node.getGraph("body");
  if (!body)
    return node.error("needs the attribute 'body'");
  size_t count = node.inputCount() > 2 ? node.inputCount() - 2 : 0;
  if (failed(checkGraphInputs(node, *body, "the body", count + 2)))
    return failure();
  if (body->outputs.size() < count + 1)
    return node.error("the body has " + Twine(body->outputs.size()) +
                      " outputs, expected at least " + Twine(count + 1));
  size_t scanCount = body->outputs.size() - 1 - count;
  if (node.outputCount() > count + scanCount)
    return node.error("has " + Twine(node.outputCount()) + " outputs, but its body gives " +
                      Twine(count + scanCount));
  LoopBounds bounds;
  bounds.condition = node.dims.constant(1);
  if (node.hasInput(0)) {
    FailureOr<OpFoldResult> trips = hostScalar(node, node.input(0), "the trip count");
    if (failed(trips))
      return failure();
    bounds.tripCount = *trips;
  }
  if (node.hasInput(1)) {
    FailureOr<OpFoldResult> condition = hostScalar(node, node.input(1), "the condition");
    if (failed(condition))
      return failure();
    bounds.condition = *condition;
  }

  // What an iteration hands on as it is, is not carried: constants stay known.
  SmallVector<TensorValue> initial, carried;
  SmallVector<bool> invariant;
  bool onlyAtImport = false;
  for (size_t i = 0; i < count; ++i) {
    if (!node.hasInput(i + 2))
      return node.error("has no input " + Twine(i + 2));
    initial.push_back(node.input(i + 2));
    invariant.push_back(passesThrough(*body, i + 1, i + 2));
    if (!invariant.back()) {
      carried.push_back(initial.back());
      onlyAtImport |= initial.back().isSequence() || initial.back().isNone;
    }
  }
  auto knownTrips = bounds.tripCount ? DimBuilder::constantOf(*bounds.tripCount) : std::nullopt;
  auto knownStart = DimBuilder::constantOf(bounds.condition);
  if (onlyAtImport && knownStart && (knownTrips || *knownStart == 0))
    return unrollLoop(node, *body, *knownStart ? knownTrips.value_or(0) : 0, initial);

  FailureOr<LoopValues> results =
      buildLoop(node, bounds, carried,
                [&](OpFoldResult iteration, ArrayRef<TensorValue> values) -> FailureOr<LoopValues> {
                  SmallVector<TensorValue> arguments{
                      bodyScalar(node, body->inputs[0], ElementType::Int64, iteration),
                      // An iteration runs only if the condition holds.
                      bodyScalar(node, body->inputs[1], ElementType::Bool, node.dims.constant(1))};
                  size_t next = 0;
                  for (size_t i = 0; i < count; ++i)
                    arguments.push_back(invariant[i] ? initial[i] : values[next++]);
                  FailureOr<SmallVector<TensorValue>> outputs = node.importGraph(*body, arguments);
                  if (failed(outputs))
                    return failure();
                  LoopValues result;
                  FailureOr<OpFoldResult> condition =
                      hostScalar(node, outputs->front(), "the condition");
                  if (failed(condition))
                    return failure();
                  result.condition = *condition;
                  for (size_t i = 0; i < count; ++i)
                    if (!invariant[i])
                      result.carried.push_back((*outputs)[i + 1]);
                  for (size_t k = 0; k < scanCount; ++k)
                    result.scans.push_back((*outputs)[1 + count + k]);
                  return result;
                });
  if (failed(results))
    return failure();
  size_t next = 0;
  for (size_t i = 0; i < count; ++i)
    node.setOutput(i, invariant[i] ? initial[i] : results->carried[next++]);
  for (size_t k = 0; k < scanCount; ++k)
    node.setOutput(count + k, results->scans[k]);
  return success();
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

namespace {
/// A Scan of opset 9: everything but its inputs.
struct ScanSpec {
  const Graph *body;
  size_t stateCount, scanCount, outputCount; ///< outputs are those stacked
  SmallVector<int64_t> inputAxes, inputDirections, outputAxes, outputDirections;
};
} // namespace

/// x[..., index, ...] along `axis`.
static TensorValue selectAlong(NodeContext &node, const TensorValue &x, int64_t axis,
                               OpFoldResult index) {
  Dims offsets(x.rank(), node.dims.constant(0)), ones(x.rank(), node.dims.constant(1)),
      sizes = x.dims;
  offsets[axis] = index;
  sizes[axis] = node.dims.constant(1);
  TensorValue row = slice(node, x, offsets, sizes, ones);
  sizes.erase(sizes.begin() + axis);
  return reshape(node, row, sizes);
}

/// Moves dimension 0 to `axis`.
static TensorValue moveFirstTo(NodeContext &node, const TensorValue &x, int64_t axis) {
  SmallVector<int64_t> permutation;
  for (int64_t i = 1; i <= axis; ++i)
    permutation.push_back(i);
  permutation.push_back(0);
  for (int64_t i = axis + 1; i < x.rank(); ++i)
    permutation.push_back(i);
  return transpose(node, x, permutation);
}

static FailureOr<SmallVector<TensorValue>> runScan(NodeContext &node, const ScanSpec &spec,
                                                   ArrayRef<TensorValue> inputs) {
  LoopBounds bounds;
  bounds.condition = node.dims.constant(1);
  SmallVector<TensorValue> sources;
  for (size_t i = 0; i < spec.scanCount; ++i) {
    TensorValue source = inputs[spec.stateCount + i];
    FailureOr<int64_t> axis = normalizeAxis(node, spec.inputAxes[i], source.rank());
    if (failed(axis))
      return failure();
    OpFoldResult extent = source.dims[*axis];
    if (!bounds.tripCount) {
      bounds.tripCount = extent;
    } else if (!DimBuilder::same(*bounds.tripCount, extent)) {
      auto a = DimBuilder::constantOf(*bounds.tripCount), c = DimBuilder::constantOf(extent);
      if (a && c)
        return node.error("scans inputs of " + Twine(*a) + " and of " + Twine(*c) + " elements");
      Value same = node.b.createOrFold<arith::CmpIOp>(
          arith::CmpIPredicate::eq, node.dims.value(*bounds.tripCount), node.dims.value(extent));
      buildAssert(node, same, 3, "scans inputs of {0} and of {1} elements",
                  {*bounds.tripCount, extent});
      if (c)
        bounds.tripCount = extent;
    }
    source.value = node.value(source);
    source.elements.reset();
    sources.push_back(source);
  }
  for (size_t k = 0; k < spec.outputCount; ++k)
    bounds.reversed.push_back(spec.outputDirections[k] != 0);
  OpFoldResult last = node.dims.sub(*bounds.tripCount, node.dims.constant(1));
  FailureOr<LoopValues> results = buildLoop(
      node, bounds, inputs.take_front(spec.stateCount),
      [&](OpFoldResult iteration, ArrayRef<TensorValue> states) -> FailureOr<LoopValues> {
        SmallVector<TensorValue> arguments(states);
        for (auto [i, source] : llvm::enumerate(sources)) {
          OpFoldResult index = spec.inputDirections[i] ? node.dims.sub(last, iteration) : iteration;
          FailureOr<int64_t> axis = normalizeAxis(node, spec.inputAxes[i], source.rank());
          arguments.push_back(selectAlong(node, source, *axis, index));
        }
        FailureOr<SmallVector<TensorValue>> outputs = node.importGraph(*spec.body, arguments);
        if (failed(outputs))
          return failure();
        LoopValues values;
        values.condition = node.dims.constant(1);
        ArrayRef<TensorValue> all(*outputs);
        values.carried.assign(all.begin(), all.begin() + spec.stateCount);
        values.scans.assign(all.begin() + spec.stateCount, all.end());
        return values;
      });
  if (failed(results))
    return failure();
  SmallVector<TensorValue> outputs = results->carried;
  for (auto [k, whole] : llvm::enumerate(results->scans)) {
    FailureOr<int64_t> axis = normalizeAxis(node, spec.outputAxes[k], whole.rank());
    if (failed(axis))
      return failure();
    outputs.push_back(moveFirstTo(node, whole, *axis));
  }
  return outputs;
}

static FailureOr<ScanSpec> readScan(NodeContext &node, size_t inputCount) {
  ScanSpec spec;
  spec.body = node.getGraph("body");
  if (!spec.body)
    return node.error("needs the attribute 'body'");
  int64_t scanCount = node.getInt("num_scan_inputs", 0);
  if (scanCount < 1 || scanCount > static_cast<int64_t>(inputCount))
    return node.error("has num_scan_inputs = " + Twine(scanCount) + ", expected 1 to " +
                      Twine(inputCount));
  spec.scanCount = static_cast<size_t>(scanCount);
  spec.stateCount = inputCount - spec.scanCount;
  if (failed(checkGraphInputs(node, *spec.body, "the body", inputCount)))
    return failure();
  if (spec.body->outputs.size() < spec.stateCount || spec.body->outputs.size() < node.outputCount())
    return node.error("the body has " + Twine(spec.body->outputs.size()) +
                      " outputs, expected at least " +
                      Twine(std::max(spec.stateCount, node.outputCount())));
  spec.outputCount = spec.body->outputs.size() - spec.stateCount;
  spec.inputAxes.assign(spec.scanCount, 0);
  spec.inputDirections.assign(spec.scanCount, 0);
  spec.outputAxes.assign(spec.outputCount, 0);
  spec.outputDirections.assign(spec.outputCount, 0);
  auto read = [&](StringRef name, SmallVector<int64_t> &values) -> LogicalResult {
    SmallVector<int64_t> given = node.getInts(name);
    if (given.empty())
      return success();
    if (given.size() != values.size())
      return node.error("attribute '" + name + "' has " + Twine(given.size()) +
                        " entries, expected " + Twine(values.size()));
    values = given;
    return success();
  };
  if (failed(read("scan_input_axes", spec.inputAxes)) ||
      failed(read("scan_input_directions", spec.inputDirections)) ||
      failed(read("scan_output_axes", spec.outputAxes)) ||
      failed(read("scan_output_directions", spec.outputDirections)) ||
      failed(read("directions", spec.inputDirections)))
    return failure();
  return spec;
}

static LogicalResult buildScan(NodeContext &node) {
  FailureOr<ScanSpec> spec = readScan(node, node.inputCount());
  if (failed(spec))
    return failure();
  SmallVector<TensorValue> inputs;
  for (size_t i = 0; i < node.inputCount(); ++i) {
    if (!node.hasInput(i))
      return node.error("has no input " + Twine(i));
    inputs.push_back(node.input(i));
  }
  FailureOr<SmallVector<TensorValue>> outputs = runScan(node, *spec, inputs);
  if (failed(outputs))
    return failure();
  for (size_t i = 0; i < node.outputCount(); ++i)
    node.setOutput(i, (*outputs)[i]);
  return success();
}

/// Opset 8 has a batch dimension in front of everything: a loop over the batch
/// around the loop over the sequence.
static LogicalResult buildScan8(NodeContext &node) {
  if (node.hasInput(0))
    return node.unsupported("has sequence lengths, which opset 9 took away");
  FailureOr<ScanSpec> spec = readScan(node, node.inputCount() - 1);
  if (failed(spec))
    return failure();
  SmallVector<TensorValue> inputs;
  for (size_t i = 1; i < node.inputCount(); ++i) {
    TensorValue input = node.input(i);
    input.value = node.value(input);
    input.elements.reset();
    if (input.rank() < 1)
      return node.error("has the scalar input " + Twine(i) + ", expected a batch dimension");
    inputs.push_back(input);
  }
  LoopBounds bounds;
  bounds.tripCount = inputs.front().dims[0];
  bounds.condition = node.dims.constant(1);
  FailureOr<LoopValues> results = buildLoop(
      node, bounds, {}, [&](OpFoldResult sample, ArrayRef<TensorValue>) -> FailureOr<LoopValues> {
        SmallVector<TensorValue> rows;
        for (const TensorValue &input : inputs)
          rows.push_back(selectAlong(node, input, 0, sample));
        FailureOr<SmallVector<TensorValue>> outputs = runScan(node, *spec, rows);
        if (failed(outputs))
          return failure();
        LoopValues values;
        values.condition = node.dims.constant(1);
        values.scans = *outputs;
        return values;
      });
  if (failed(results))
    return failure();
  for (size_t i = 0; i < node.outputCount(); ++i)
    node.setOutput(i, results->scans[i]);
  return success();
}

void weft::onnx::registerControlFlowOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"If", 1, 1, 1, buildIf},
             {"Loop", 1, 0, kAnyNumber, buildLoopOp},
             {"Scan", 9, 1, kAnyNumber, buildScan},
             {"Scan", 8, 0, kAnyNumber, buildScan8, 8},
         });
}
