//===- Recurrent.cpp - RNN, GRU and LSTM ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input's part of all gates is one product over all steps; a loop on the
// host then computes the rest step by step (RecurrentCell.h).
// Shapes: X [seq, batch, in], W [dirs, gates * hidden, in], R [dirs, gates *
// hidden, hidden], B [dirs, 2 * gates * hidden].
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/RecurrentCell.h"
#include "Frontend/ONNX/TensorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Reading the node
//===----------------------------------------------------------------------===//

static LogicalResult readActivations(NodeContext &node, CellSpec &spec) {
  static const StringLiteral defaults[] = {"Tanh", "Sigmoid", "Tanh", "Sigmoid", "Tanh", "Tanh"};
  ArrayRef<StringLiteral> defaultNames = ArrayRef(defaults).take_front(1);
  if (spec.kind == CellKind::GRU)
    defaultNames = ArrayRef(defaults).slice(1, 2);
  else if (spec.kind == CellKind::LSTM)
    defaultNames = ArrayRef(defaults).slice(3, 3);
  spec.activationsPerDirection = defaultNames.size();
  size_t count = defaultNames.size() * static_cast<size_t>(spec.directions);
  std::vector<std::string> names = node.getStrings("activations");
  if (names.empty())
    for (size_t i = 0; i < count; ++i)
      names.push_back(defaultNames[i % defaultNames.size()].str());
  if (names.size() != count)
    return node.error("has " + Twine(names.size()) + " activations, expected " + Twine(count));
  SmallVector<float> alphas = node.getFloats("activation_alpha"),
                     betas = node.getFloats("activation_beta");
  size_t nextAlpha = 0, nextBeta = 0;
  for (const std::string &name : names) {
    const ActivationEntry *entry = findActivation(name);
    if (!entry)
      return node.error("has the activation '" + name + "', which does not exist");
    Activation activation{entry->build, entry->alpha, entry->beta};
    if (entry->takesAlpha && nextAlpha < alphas.size())
      activation.alpha = alphas[nextAlpha++];
    if (entry->takesBeta && nextBeta < betas.size())
      activation.beta = betas[nextBeta++];
    spec.activations.push_back(activation);
  }
  return success();
}

static FailureOr<CellSpec> readSpec(NodeContext &node, CellKind kind) {
  CellSpec spec;
  spec.kind = kind;
  spec.gates = kind == CellKind::RNN ? 1 : kind == CellKind::GRU ? 3 : 4;
  std::string direction = node.getString("direction", "forward");
  if (direction == "bidirectional")
    spec.directions = 2;
  else if (direction == "reverse")
    spec.reverseFirst = true;
  else if (direction != "forward")
    return node.error("has direction '" + direction +
                      "', expected 'forward', 'reverse' or 'bidirectional'");
  spec.batchFirst = node.getInt("layout", 0) != 0;
  spec.linearBeforeReset = node.getInt("linear_before_reset", 0) != 0;
  spec.inputForget = node.getInt("input_forget", 0) != 0;
  if (node.hasAttribute("clip"))
    spec.clip = node.getFloat("clip", 0);
  if (node.failed() || failed(readActivations(node, spec)))
    return failure();
  return spec;
}

/// An extent that must be a number (or is found at run time).
static LogicalResult checkExtent(NodeContext &node, const TensorValue &x, StringRef what, int64_t i,
                                 OpFoldResult want) {
  if (DimBuilder::same(x.dims[i], want))
    return success();
  auto have = DimBuilder::constantOf(x.dims[i]), expected = DimBuilder::constantOf(want);
  if (have && expected)
    return node.error("has " + what + " " + describe(x) + ", expected extent " + Twine(*expected) +
                      " in dimension " + Twine(i));
  Value same = node.b.createOrFold<arith::CmpIOp>(
      arith::CmpIPredicate::eq, node.dims.value(x.dims[i]), node.dims.value(want));
  buildAssert(node, same, 3,
              (what + " has extent {0} in dimension " + Twine(i) + ", expected {1}").str(),
              {x.dims[i], want});
  return success();
}

static LogicalResult checkShape(NodeContext &node, size_t index, StringRef what,
                                ArrayRef<OpFoldResult> want) {
  if (!node.hasInput(index))
    return success();
  const TensorValue &x = node.input(index);
  if (x.rank() != static_cast<int64_t>(want.size()))
    return node.error("has " + what + " " + describe(x) + ", expected rank " + Twine(want.size()));
  for (auto [i, extent] : llvm::enumerate(want))
    if (failed(checkExtent(node, x, what, static_cast<int64_t>(i), extent)))
      return failure();
  return success();
}

/// Sequences are of 0 to `steps` elements.
static LogicalResult checkLengths(NodeContext &node, OpFoldResult steps) {
  const TensorValue &lengths = node.input(4);
  if (!isInteger(lengths.elementType))
    return node.error("has sequence_lens " + describe(lengths) + ", expected integers");
  std::optional<SmallVector<double>> numbers = constantNumbers(lengths);
  std::optional<int64_t> most = DimBuilder::constantOf(steps);
  if (numbers && most) {
    for (double length : *numbers)
      if (length < 0 || length > static_cast<double>(*most))
        return node.error("has a length of " + Twine(static_cast<int64_t>(length)) +
                          " in sequence_lens, expected 0 to " + Twine(*most));
    return success();
  }
  Value limit = node.dims.value(steps);
  assertNoElement(node, lengths,
                  [&](OpBuilder &b, Location loc, Value length) -> Value {
                    KernelIndex k{b, loc};
                    Value wide = k.fromElement(length, lengths.elementType);
                    return arith::OrIOp::create(b, loc, k.less(wide, k.constant(0)),
                                                k.less(limit, wide));
                  },
                  WEFT_OUT_OF_RANGE,
                  "has a length that is not in 0 to {1} (element {0} of sequence_lens)", {steps});
  return success();
}

/// x[d, ...] of a tensor with a leading dimension for the directions.
static TensorValue ofDirection(NodeContext &node, const TensorValue &x, int64_t d) {
  Dims offsets(x.rank(), node.dims.constant(0)), ones(x.rank(), node.dims.constant(1)),
      sizes = x.dims;
  offsets[0] = node.dims.constant(d);
  sizes[0] = node.dims.constant(1);
  TensorValue row = x;
  if (x.staticDim(0) != 1)
    row = slice(node, x, offsets, sizes, ones);
  sizes.erase(sizes.begin());
  return reshape(node, row, sizes);
}

namespace {
/// Extents of the tensors.
struct CellExtents {
  OpFoldResult steps, batch, hidden;
  OpFoldResult width; ///< gates * hidden
};

/// Builds the node from the inputs of its composite, in the type `compute`.
class RecurrenceBuilder {
public:
  RecurrenceBuilder(NodeContext &node, const CellSpec &spec, const CellExtents &extents,
                    ElementType compute, const CompositeInputs &in)
      : node(node), d(node.dims), spec(spec), extents(extents), compute(compute), in(in) {}

  FailureOr<SmallVector<TensorValue>> build();

private:
  TensorValue load(size_t i) { return cast(node, in[i], compute); }
  TensorValue inputRows();
  FailureOr<TensorValue> addBias(const TensorValue &projected, const TensorValue &bias);
  FailureOr<Direction> direction(int64_t k, const TensorValue &rows);
  SmallVector<TensorValue> firstStates(int64_t k);
  FailureOr<TensorValue> join(ArrayRef<TensorValue> parts, int64_t axis,
                              ArrayRef<int64_t> batchFirstOrder);
  /// Whether the hidden gate's recurrent bias goes with its product.
  bool hasBiasApart() const { return spec.kind == CellKind::GRU && spec.linearBeforeReset; }

  NodeContext &node;
  DimBuilder &d;
  const CellSpec &spec;
  const CellExtents &extents;
  ElementType compute;
  const CompositeInputs &in;
};
} // namespace

/// X as [seq * batch, in].
TensorValue RecurrenceBuilder::inputRows() {
  TensorValue input = load(0);
  if (spec.batchFirst)
    input = transpose(node, input, {1, 0, 2});
  return reshape(node, input, {d.mul(extents.steps, extents.batch), input.dims[2]});
}

/// Adds both halves of a bias [2 * gates * hidden].
FailureOr<TensorValue> RecurrenceBuilder::addBias(const TensorValue &projected,
                                                  const TensorValue &bias) {
  Value tensor = node.value(bias), half = d.value(extents.width),
        last = d.value(d.mul(extents.hidden, d.constant(2)));
  bool apart = hasBiasApart();
  return elementwiseTo(
      node, {projected}, compute, projected.dims,
      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        Value column = linalg::IndexOp::create(b, loc, 1);
        Value first = tensor::ExtractOp::create(b, loc, tensor, column);
        Value second = tensor::ExtractOp::create(
            b, loc, tensor, Value(arith::AddIOp::create(b, loc, column, half)));
        if (apart) {
          Value mine = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, column, last);
          second = arith::SelectOp::create(b, loc, mine, second,
                                           makeScalar(b, loc, second.getType(), 0));
        }
        return arith::AddFOp::create(b, loc, args[0], arith::AddFOp::create(b, loc, first, second));
      });
}

/// The tensors of direction `k`; `rows` are those of X.
FailureOr<Direction> RecurrenceBuilder::direction(int64_t k, const TensorValue &rows) {
  Direction direction;
  direction.reverse = spec.reverseFirst || k == 1;
  direction.activations =
      ArrayRef(spec.activations)
          .slice(k * spec.activationsPerDirection, spec.activationsPerDirection);
  // The input's part of the gates, for all steps at once.
  TensorValue weights = transpose(node, ofDirection(node, load(1), k), {1, 0});
  FailureOr<TensorValue> projected = matmul(node, rows, weights, compute);
  if (failed(projected))
    return failure();
  if (in.has(3)) {
    TensorValue bias = ofDirection(node, load(3), k);
    projected = addBias(*projected, bias);
    if (failed(projected))
      return failure();
    if (hasBiasApart())
      direction.recurrentBias = slice(node, bias, {d.mul(extents.hidden, d.constant(5))},
                                      {extents.hidden}, {d.constant(1)});
  }
  direction.projected = reshape(node, *projected, {extents.steps, extents.batch, extents.width});
  direction.recurrent = transpose(node, ofDirection(node, load(2), k), {1, 0});
  if (in.has(7))
    direction.peepholes = ofDirection(node, load(7), k);
  return direction;
}

SmallVector<TensorValue> RecurrenceBuilder::firstStates(int64_t k) {
  SmallVector<TensorValue> states;
  for (size_t s = 0; s < (spec.kind == CellKind::LSTM ? 2 : 1); ++s) {
    if (!in.has(5 + s)) {
      states.push_back(makeSplat(node, compute, {extents.batch, extents.hidden}, 0));
      continue;
    }
    TensorValue state = load(5 + s);
    if (spec.batchFirst)
      state = transpose(node, state, {1, 0, 2});
    states.push_back(ofDirection(node, state, k));
  }
  return states;
}

/// The parts of the directions as an output.
FailureOr<TensorValue> RecurrenceBuilder::join(ArrayRef<TensorValue> parts, int64_t axis,
                                               ArrayRef<int64_t> batchFirstOrder) {
  FailureOr<TensorValue> whole = concat(node, parts, axis);
  if (failed(whole))
    return failure();
  TensorValue value = spec.batchFirst ? transpose(node, *whole, batchFirstOrder) : *whole;
  return cast(node, value, node.input(0).elementType);
}

FailureOr<SmallVector<TensorValue>> RecurrenceBuilder::build() {
  TensorValue rows = inputRows();
  TensorValue lengths;
  if (in.has(4)) {
    lengths = in[4];
    lengths.value = node.value(in[4]);
  }
  bool wantAll = node.hasOutput(0);
  OpFoldResult one = d.constant(1);
  CellBuilder cells(node, spec, compute, extents.steps, extents.batch, extents.hidden,
                    in.has(4) ? &lengths : nullptr);
  SmallVector<TensorValue> all, lastHidden, lastCell;
  for (int64_t k = 0; k < spec.directions; ++k) {
    FailureOr<Direction> tensors = direction(k, rows);
    if (failed(tensors))
      return failure();
    FailureOr<LoopValues> results = cells.run(*tensors, firstStates(k), wantAll);
    if (failed(results))
      return failure();
    if (wantAll)
      all.push_back(
          reshape(node, results->scans[0], {extents.steps, one, extents.batch, extents.hidden}));
    Dims state{one, extents.batch, extents.hidden};
    lastHidden.push_back(reshape(node, results->carried[0], state));
    if (spec.kind == CellKind::LSTM)
      lastCell.push_back(reshape(node, results->carried[1], state));
  }
  SmallVector<TensorValue> outputs;
  if (wantAll) {
    FailureOr<TensorValue> y = join(all, 1, {2, 0, 1, 3});
    if (failed(y))
      return failure();
    outputs.push_back(*y);
  }
  FailureOr<TensorValue> h = join(lastHidden, 0, {1, 0, 2});
  if (failed(h))
    return failure();
  // Output 0 stands in where it is not asked for.
  if (!wantAll)
    outputs.push_back(*h);
  outputs.push_back(*h);
  if (spec.kind == CellKind::LSTM) {
    FailureOr<TensorValue> c = join(lastCell, 0, {1, 0, 2});
    if (failed(c))
      return failure();
    outputs.push_back(*c);
  }
  return outputs;
}

/// Checks types and shapes of the inputs.
static FailureOr<CellExtents> readExtents(NodeContext &node, const CellSpec &spec) {
  const TensorValue &x = node.input(0), &w = node.input(1), &r = node.input(2);
  ElementType type = x.elementType;
  if (!isFloat(type))
    return node.error("has an input " + describe(x) + ", expected floats");
  if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3)
    return node.error("has X " + describe(x) + ", W " + describe(w) + " and R " + describe(r) +
                      ", expected three tensors of rank 3");
  DimBuilder &d = node.dims;
  OpFoldResult steps = x.dims[spec.batchFirst ? 1 : 0], batch = x.dims[spec.batchFirst ? 0 : 1];
  OpFoldResult hidden = r.dims[2], directions = d.constant(spec.directions);
  OpFoldResult width = d.mul(hidden, d.constant(spec.gates));
  if (int64_t given = node.getInt("hidden_size", 0)) {
    auto known = d.constantOf(hidden);
    if (known && *known != given)
      return node.error("has hidden_size = " + Twine(given) + ", but R is " + describe(r));
  }
  Dims stateDims =
      spec.batchFirst ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  if (failed(checkShape(node, 1, "W", {directions, width, x.dims[2]})) ||
      failed(checkShape(node, 2, "R", {directions, width, hidden})) ||
      failed(checkShape(node, 3, "B", {directions, d.mul(width, d.constant(2))})) ||
      failed(checkShape(node, 4, "sequence_lens", {batch})) ||
      failed(checkShape(node, 5, "initial_h", stateDims)) ||
      failed(checkShape(node, 6, "initial_c", stateDims)) ||
      failed(checkShape(node, 7, "P", {directions, d.mul(hidden, d.constant(3))})))
    return failure();
  for (size_t i : {1, 2, 3, 5, 6, 7})
    if (node.hasInput(i) && node.input(i).elementType != type)
      return node.error("has inputs of types " + name(type) + " and " +
                        name(node.input(i).elementType));
  if (node.hasInput(4) && failed(checkLengths(node, steps)))
    return failure();
  return CellExtents{steps, batch, hidden, width};
}

static LogicalResult buildRecurrent(NodeContext &node, CellKind kind) {
  FailureOr<CellSpec> spec = readSpec(node, kind);
  if (failed(spec))
    return failure();
  FailureOr<CellExtents> extents = readExtents(node, *spec);
  if (failed(extents))
    return failure();
  ElementType type = node.input(0).elementType;
  ElementType compute = type == ElementType::Double ? type : ElementType::Float;
  return buildComposite(node, [&](const CompositeInputs &in) {
    return RecurrenceBuilder(node, *spec, *extents, compute, in).build();
  });
}

static LogicalResult buildRNN(NodeContext &node) { return buildRecurrent(node, CellKind::RNN); }
static LogicalResult buildGRU(NodeContext &node) { return buildRecurrent(node, CellKind::GRU); }
static LogicalResult buildLSTM(NodeContext &node) { return buildRecurrent(node, CellKind::LSTM); }

void weft::onnx::registerRecurrentOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"RNN", 7, 3, 6, buildRNN},
             {"GRU", 7, 3, 6, buildGRU},
             {"LSTM", 7, 3, 8, buildLSTM},
         });
}
