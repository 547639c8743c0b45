//===- Recurrent.cpp - RNN, GRU and LSTM ----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input's part of all gates is one product over all steps; a loop on the
// host then computes, for each step, the recurrent product and the gates.
// Shapes: X [seq, batch, in], W [dirs, gates * hidden, in], R [dirs, gates *
// hidden, hidden], B [dirs, 2 * gates * hidden]; one step's product P and
// Q are [batch, gates * hidden], the states [batch, hidden].
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/ElementOps.h"
#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/IndexOps.h"
#include "Frontend/ONNX/Loops.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/RecurrentActivations.h"
#include "Frontend/ONNX/TensorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// What the three operators share
//===----------------------------------------------------------------------===//

/// A constant of the type of `like`.
static Value number(OpBuilder &b, Location loc, Value like, double value) {
  return makeScalar(b, loc, like.getType(), value);
}

namespace {
enum class CellKind { RNN, GRU, LSTM };

/// The attributes.
struct CellSpec {
  CellKind kind;
  int64_t gates;
  int64_t directions = 1;
  bool reverseFirst = false;
  bool batchFirst = false;
  bool linearBeforeReset = false;
  bool inputForget = false;
  std::optional<double> clip;
  /// Three (GRU: two, RNN: one) for each direction.
  SmallVector<Activation> activations;
  size_t activationsPerDirection;
};

/// One direction's tensors, in the type that is computed in.
struct Direction {
  bool reverse;
  TensorValue projected;                    ///< [seq, batch, gates * hidden], with the bias
  TensorValue recurrent;                    ///< [hidden, gates * hidden]
  std::optional<TensorValue> recurrentBias; ///< [hidden]: GRU with linear_before_reset
  std::optional<TensorValue> peepholes;     ///< [3 * hidden]
  ArrayRef<Activation> activations;
};

/// Builds the loop over the steps of a direction.
class CellBuilder {
public:
  CellBuilder(NodeContext &node, const CellSpec &spec, ElementType type, OpFoldResult steps,
              OpFoldResult batch, OpFoldResult hidden, const TensorValue *lengths)
      : node(node), spec(spec), type(type), steps(steps), batch(batch), hidden(hidden),
        lengths(lengths) {}

  /// Gives the last states, and all hidden states [seq, batch, hidden] if `all`.
  FailureOr<LoopValues> run(const Direction &direction, ArrayRef<TensorValue> states, bool all);

private:
  /// What the body of a step's kernel reads.
  struct Step {
    OpBuilder &b;
    Location loc;
    Value row, column; ///< batch, hidden
    Value projected, position, hidden;
    Value gate(int64_t index) const;
    Value read(Value tensor, int64_t gate) const;
  };
  using StepBody = llvm::function_ref<SmallVector<Value>(const Step &, ValueRange)>;

  SmallVector<TensorValue> kernel(const Direction &direction, OpFoldResult iteration,
                                  ArrayRef<TensorValue> inputs, size_t outputs, StepBody body);
  Value activate(const Step &step, const Direction &direction, size_t index, Value x,
                 bool clipped = true) const;
  FailureOr<SmallVector<TensorValue>> stepRNN(const Direction &, OpFoldResult,
                                              ArrayRef<TensorValue>);
  FailureOr<SmallVector<TensorValue>> stepGRU(const Direction &, OpFoldResult,
                                              ArrayRef<TensorValue>);
  FailureOr<SmallVector<TensorValue>> stepLSTM(const Direction &, OpFoldResult,
                                               ArrayRef<TensorValue>);
  FailureOr<TensorValue> maskAndOrder(const Direction &direction, const TensorValue &outputs);
  Value keepFinished(const Step &step, OpFoldResult iteration, Value next, Value previous) const;
  FailureOr<TensorValue> columns(const TensorValue &x, int64_t from, int64_t count);

  NodeContext &node;
  const CellSpec &spec;
  ElementType type;
  OpFoldResult steps, batch, hidden;
  const TensorValue *lengths;
};
} // namespace

/// The column of gate `index` at this step's position.
Value CellBuilder::Step::gate(int64_t index) const {
  Value offset =
      arith::MulIOp::create(b, loc, hidden, arith::ConstantIndexOp::create(b, loc, index));
  return arith::AddIOp::create(b, loc, offset, column);
}

/// Element [row, gate of column] of a [batch, gates * hidden] tensor, or of the
/// vector [gates * hidden].
Value CellBuilder::Step::read(Value tensor, int64_t index) const {
  SmallVector<Value> at;
  if (mlir::cast<RankedTensorType>(tensor.getType()).getRank() == 2)
    at.push_back(row);
  at.push_back(gate(index));
  return tensor::ExtractOp::create(b, loc, tensor, at);
}

/// One operation over [batch, hidden] with `outputs` results; `body` gets the
/// elements of `inputs` ([batch, hidden]).
SmallVector<TensorValue> CellBuilder::kernel(const Direction &direction, OpFoldResult iteration,
                                             ArrayRef<TensorValue> inputs, size_t outputs,
                                             StepBody body) {
  ImplicitLocOpBuilder &b = node.b;
  Dims dims{batch, hidden};
  SmallVector<Value> operands, empties;
  SmallVector<Type> types;
  AffineMap identity = b.getMultiDimIdentityMap(2);
  for (const TensorValue &input : inputs)
    operands.push_back(node.value(input));
  for (size_t i = 0; i < outputs; ++i) {
    empties.push_back(makeEmpty(node, type, dims));
    types.push_back(empties.back().getType());
  }
  Value count = node.dims.value(steps), width = node.dims.value(hidden);
  Value step = node.dims.value(iteration);
  Value lengthTensor = lengths ? node.value(*lengths) : Value();
  Value projected = node.value(direction.projected);
  auto generic = linalg::GenericOp::create(
      b, types, operands, empties, SmallVector<AffineMap>(operands.size() + outputs, identity),
      SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        Step s{nested,
               loc,
               linalg::IndexOp::create(nested, loc, 0),
               linalg::IndexOp::create(nested, loc, 1),
               projected,
               step,
               width};
        if (direction.reverse) {
          // The last element of this sequence first; what lies beyond its end is
          // read, but not kept.
          Value end = count;
          if (lengthTensor) {
            Value length = tensor::ExtractOp::create(nested, loc, lengthTensor, s.row);
            end = arith::IndexCastOp::create(nested, loc, nested.getIndexType(), length);
            end = arith::MinSIOp::create(nested, loc, end, count);
          }
          Value one = arith::ConstantIndexOp::create(nested, loc, 1);
          Value zero = arith::ConstantIndexOp::create(nested, loc, 0);
          Value back = arith::SubIOp::create(nested, loc,
                                             arith::SubIOp::create(nested, loc, end, one), step);
          s.position = arith::MaxSIOp::create(nested, loc, back, zero);
        }
        linalg::YieldOp::create(nested, loc, body(s, args.take_front(operands.size())));
      });
  SmallVector<TensorValue> results;
  for (Value result : generic.getResults())
    results.push_back(makeValue(result, type, dims));
  return results;
}

Value CellBuilder::activate(const Step &s, const Direction &direction, size_t index, Value x,
                            bool clipped) const {
  if (spec.clip && clipped) {
    x = arith::MinimumFOp::create(s.b, s.loc, x, number(s.b, s.loc, x, *spec.clip));
    x = arith::MaximumFOp::create(s.b, s.loc, x, number(s.b, s.loc, x, -*spec.clip));
  }
  const Activation &activation = direction.activations[index];
  return activation.build(s.b, s.loc, x, activation.alpha, activation.beta);
}

/// A sequence that is over keeps its state.
Value CellBuilder::keepFinished(const Step &s, OpFoldResult iteration, Value next,
                                Value previous) const {
  if (!lengths)
    return next;
  Value length = tensor::ExtractOp::create(s.b, s.loc, lengths->value, s.row);
  length = arith::IndexCastOp::create(s.b, s.loc, s.b.getIndexType(), length);
  Value running =
      arith::CmpIOp::create(s.b, s.loc, arith::CmpIPredicate::slt, cast<Value>(iteration), length);
  return arith::SelectOp::create(s.b, s.loc, running, next, previous);
}

/// x[:, from * hidden : (from + count) * hidden].
FailureOr<TensorValue> CellBuilder::columns(const TensorValue &x, int64_t from, int64_t count) {
  Dims offsets{node.dims.constant(0), node.dims.mul(hidden, node.dims.constant(from))};
  Dims sizes{x.dims[0], node.dims.mul(hidden, node.dims.constant(count))};
  Dims ones(2, node.dims.constant(1));
  return slice(node, x, offsets, sizes, ones);
}

/// The input's part of a gate: element [position, row, gate].
#define WEFT_PROJECTED(S, GATE)                                                                    \
  tensor::ExtractOp::create((S).b, (S).loc, (S).projected,                                         \
                            ValueRange{(S).position, (S).row, (S).gate(GATE)})                     \
      .getResult()

FailureOr<SmallVector<TensorValue>> CellBuilder::stepRNN(const Direction &direction,
                                                         OpFoldResult iteration,
                                                         ArrayRef<TensorValue> states) {
  FailureOr<TensorValue> product = matmul(node, states[0], direction.recurrent, type);
  if (failed(product))
    return failure();
  return kernel(direction, iteration, {states[0], *product}, 1,
                [&](const Step &s, ValueRange args) -> SmallVector<Value> {
                  Value x = arith::AddFOp::create(s.b, s.loc, WEFT_PROJECTED(s, 0), args[1]);
                  return {keepFinished(s, iteration, activate(s, direction, 0, x), args[0])};
                });
}

/// Gates z, r, h.
FailureOr<SmallVector<TensorValue>> CellBuilder::stepGRU(const Direction &direction,
                                                         OpFoldResult iteration,
                                                         ArrayRef<TensorValue> states) {
  auto blend = [&](const Step &s, Value update, Value candidate, Value previous) -> Value {
    // (1 - z) * candidate + z * previous
    Value one = number(s.b, s.loc, update, 1);
    Value fresh = arith::MulFOp::create(s.b, s.loc, arith::SubFOp::create(s.b, s.loc, one, update),
                                        candidate);
    Value kept = arith::MulFOp::create(s.b, s.loc, update, previous);
    return keepFinished(s, iteration, arith::AddFOp::create(s.b, s.loc, fresh, kept), previous);
  };
  if (spec.linearBeforeReset) {
    FailureOr<TensorValue> product = matmul(node, states[0], direction.recurrent, type);
    if (failed(product))
      return failure();
    Value sums = product->value;
    Value bias = direction.recurrentBias ? node.value(*direction.recurrentBias) : Value();
    return kernel(
        direction, iteration, {states[0]}, 1,
        [&](const Step &s, ValueRange args) -> SmallVector<Value> {
          auto gate = [&](int64_t index) -> Value {
            return activate(
                s, direction, 0,
                arith::AddFOp::create(s.b, s.loc, WEFT_PROJECTED(s, index), s.read(sums, index)));
          };
          Value update = gate(0), reset = gate(1), linear = s.read(sums, 2);
          if (bias)
            linear = arith::AddFOp::create(s.b, s.loc, linear,
                                           tensor::ExtractOp::create(s.b, s.loc, bias, s.column));
          Value inner = arith::AddFOp::create(s.b, s.loc, WEFT_PROJECTED(s, 2),
                                              arith::MulFOp::create(s.b, s.loc, reset, linear));
          return {blend(s, update, activate(s, direction, 1, inner), args[0])};
        });
  }
  FailureOr<TensorValue> first = columns(direction.recurrent, 0, 2);
  FailureOr<TensorValue> second = columns(direction.recurrent, 2, 1);
  FailureOr<TensorValue> product = matmul(node, states[0], *first, type);
  if (failed(product))
    return failure();
  Value sums = product->value;
  SmallVector<TensorValue> gates =
      kernel(direction, iteration, {states[0]}, 2,
             [&](const Step &s, ValueRange args) -> SmallVector<Value> {
               auto gate = [&](int64_t index) -> Value {
                 return activate(s, direction, 0,
                                 arith::AddFOp::create(s.b, s.loc, WEFT_PROJECTED(s, index),
                                                       s.read(sums, index)));
               };
               return {gate(0), arith::MulFOp::create(s.b, s.loc, gate(1), args[0])};
             });
  FailureOr<TensorValue> candidate = matmul(node, gates[1], *second, type);
  if (failed(candidate))
    return failure();
  return kernel(direction, iteration, {states[0], gates[0], *candidate}, 1,
                [&](const Step &s, ValueRange args) -> SmallVector<Value> {
                  Value inner = arith::AddFOp::create(s.b, s.loc, WEFT_PROJECTED(s, 2), args[2]);
                  return {blend(s, args[1], activate(s, direction, 1, inner), args[0])};
                });
}

/// Gates i, o, f, c; peepholes i, o, f.
FailureOr<SmallVector<TensorValue>> CellBuilder::stepLSTM(const Direction &direction,
                                                          OpFoldResult iteration,
                                                          ArrayRef<TensorValue> states) {
  FailureOr<TensorValue> product = matmul(node, states[0], direction.recurrent, type);
  if (failed(product))
    return failure();
  Value sums = product->value;
  Value peepholes = direction.peepholes ? node.value(*direction.peepholes) : Value();
  return kernel(
      direction, iteration, {states[0], states[1]}, 2,
      [&](const Step &s, ValueRange args) -> SmallVector<Value> {
        auto mul = [&](Value x, Value y) -> Value {
          return arith::MulFOp::create(s.b, s.loc, x, y);
        };
        auto sum = [&](Value x, Value y) -> Value {
          return arith::AddFOp::create(s.b, s.loc, x, y);
        };
        auto gate = [&](int64_t index, Value cell, int64_t peephole) -> Value {
          Value x = sum(WEFT_PROJECTED(s, index), s.read(sums, index));
          return peepholes && cell ? sum(x, mul(s.read(peepholes, peephole), cell)) : x;
        };
        Value cell = args[1];
        Value input = activate(s, direction, 0, gate(0, cell, 0));
        Value forget =
            spec.inputForget
                ? Value(arith::SubFOp::create(s.b, s.loc, number(s.b, s.loc, input, 1), input))
                : activate(s, direction, 0, gate(2, cell, 2));
        Value candidate = activate(s, direction, 1, gate(3, Value(), 0));
        Value nextCell = sum(mul(forget, cell), mul(input, candidate));
        Value output = activate(s, direction, 0, gate(1, nextCell, 1));
        // Sums are clipped, the cell is not, as ONNX Runtime has it.
        Value nextHidden = mul(output, activate(s, direction, 2, nextCell, /*clipped=*/false));
        return {keepFinished(s, iteration, nextHidden, args[0]),
                keepFinished(s, iteration, nextCell, cell)};
      });
}

/// Outputs [seq, batch, hidden] in the order of the steps as the operator gives
/// them: at their positions, and 0 beyond the end of a sequence.
FailureOr<TensorValue> CellBuilder::maskAndOrder(const Direction &direction,
                                                 const TensorValue &outputs) {
  if (!lengths)
    return outputs;
  Value source = outputs.value, count = node.dims.value(steps);
  return elementwiseTo(
      node, {}, type, outputs.dims, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
        Value position = linalg::IndexOp::create(b, loc, 0),
              row = linalg::IndexOp::create(b, loc, 1);
        Value column = linalg::IndexOp::create(b, loc, 2);
        Value length = tensor::ExtractOp::create(b, loc, lengths->value, row);
        length = arith::IndexCastOp::create(b, loc, b.getIndexType(), length);
        length = arith::MinSIOp::create(b, loc, length, count);
        Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, position, length);
        if (direction.reverse) {
          Value one = arith::ConstantIndexOp::create(b, loc, 1),
                zero = arith::ConstantIndexOp::create(b, loc, 0);
          Value back =
              arith::SubIOp::create(b, loc, arith::SubIOp::create(b, loc, length, one), position);
          position = arith::MaxSIOp::create(b, loc, back, zero);
        }
        Value value = tensor::ExtractOp::create(b, loc, source, ValueRange{position, row, column});
        return arith::SelectOp::create(b, loc, inside, value,
                                       makeScalar(b, loc, value.getType(), 0));
      });
}

FailureOr<LoopValues> CellBuilder::run(const Direction &direction, ArrayRef<TensorValue> states,
                                       bool all) {
  LoopBounds bounds;
  bounds.tripCount = steps;
  bounds.condition = node.dims.constant(1);
  // With lengths the outputs are put in order afterwards.
  bounds.reversed.push_back(direction.reverse && !lengths);
  FailureOr<LoopValues> results = buildLoop(
      node, bounds, states,
      [&](OpFoldResult iteration, ArrayRef<TensorValue> carried) -> FailureOr<LoopValues> {
        FailureOr<SmallVector<TensorValue>> next = failure();
        switch (spec.kind) {
        case CellKind::RNN:
          next = stepRNN(direction, iteration, carried);
          break;
        case CellKind::GRU:
          next = stepGRU(direction, iteration, carried);
          break;
        case CellKind::LSTM:
          next = stepLSTM(direction, iteration, carried);
          break;
        }
        if (failed(next))
          return failure();
        LoopValues values;
        values.condition = node.dims.constant(1);
        values.carried = *next;
        if (all)
          values.scans.push_back(next->front());
        return values;
      });
  if (failed(results) || !all)
    return results;
  results->scans[0].dims = {steps, batch, hidden};
  FailureOr<TensorValue> ordered = maskAndOrder(direction, results->scans[0]);
  if (failed(ordered))
    return failure();
  results->scans[0] = *ordered;
  return results;
}

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

static LogicalResult buildRecurrent(NodeContext &node, CellKind kind) {
  FailureOr<CellSpec> spec = readSpec(node, kind);
  if (failed(spec))
    return failure();
  const TensorValue &x = node.input(0), &w = node.input(1), &r = node.input(2);
  ElementType type = x.elementType;
  if (!isFloat(type))
    return node.error("has an input " + describe(x) + ", expected floats");
  if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3)
    return node.error("has X " + describe(x) + ", W " + describe(w) + " and R " + describe(r) +
                      ", expected three tensors of rank 3");
  DimBuilder &d = node.dims;
  OpFoldResult steps = x.dims[spec->batchFirst ? 1 : 0], batch = x.dims[spec->batchFirst ? 0 : 1];
  OpFoldResult hidden = r.dims[2], directions = d.constant(spec->directions);
  OpFoldResult width = d.mul(hidden, d.constant(spec->gates));
  if (int64_t given = node.getInt("hidden_size", 0)) {
    auto known = d.constantOf(hidden);
    if (known && *known != given)
      return node.error("has hidden_size = " + Twine(given) + ", but R is " + describe(r));
  }
  Dims stateDims =
      spec->batchFirst ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
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
  bool wantAll = node.hasOutput(0);
  ElementType compute = type == ElementType::Double ? type : ElementType::Float;

  return buildComposite(
      node, [&](const CompositeInputs &in) -> FailureOr<SmallVector<TensorValue>> {
        auto load = [&](size_t i) { return cast(node, in[i], compute); };
        TensorValue input = load(0);
        if (spec->batchFirst)
          input = transpose(node, input, {1, 0, 2});
        OpFoldResult rows = d.mul(steps, batch);
        TensorValue flat = reshape(node, input, {rows, x.dims[2]});
        const TensorValue *lengths = in.find(4);
        TensorValue lengthValues;
        if (lengths) {
          lengthValues = *lengths;
          lengthValues.value = node.value(*lengths);
          lengths = &lengthValues;
        }
        CellBuilder cells(node, *spec, compute, steps, batch, hidden, lengths);
        SmallVector<TensorValue> all, lastHidden, lastCell;
        for (int64_t k = 0; k < spec->directions; ++k) {
          Direction direction;
          direction.reverse = spec->reverseFirst || k == 1;
          direction.activations =
              ArrayRef(spec->activations)
                  .slice(k * spec->activationsPerDirection, spec->activationsPerDirection);
          // The input's part of the gates, for all steps at once.
          TensorValue weights = transpose(node, ofDirection(node, load(1), k), {1, 0});
          FailureOr<TensorValue> projected = matmul(node, flat, weights, compute);
          if (failed(projected))
            return failure();
          if (in.has(3)) {
            TensorValue bias = ofDirection(node, load(3), k);
            Value tensor = node.value(bias), half = d.value(width),
                  last = d.value(d.mul(hidden, d.constant(2)));
            bool apart = kind == CellKind::GRU && spec->linearBeforeReset;
            projected = elementwiseTo(
                node, {*projected}, compute, projected->dims,
                [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                  Value column = linalg::IndexOp::create(b, loc, 1);
                  Value first = tensor::ExtractOp::create(b, loc, tensor, column);
                  Value second = tensor::ExtractOp::create(
                      b, loc, tensor, Value(arith::AddIOp::create(b, loc, column, half)));
                  if (apart) {
                    // The hidden gate's recurrent bias goes with its product.
                    Value mine =
                        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, column, last);
                    second = arith::SelectOp::create(b, loc, mine, second,
                                                     makeScalar(b, loc, second.getType(), 0));
                  }
                  return arith::AddFOp::create(b, loc, args[0],
                                               arith::AddFOp::create(b, loc, first, second));
                });
            if (failed(projected))
              return failure();
            if (apart)
              direction.recurrentBias =
                  slice(node, bias, {d.mul(hidden, d.constant(5))}, {hidden}, {d.constant(1)});
          }
          direction.projected = reshape(node, *projected, {steps, batch, width});
          direction.recurrent = transpose(node, ofDirection(node, load(2), k), {1, 0});
          if (in.has(7))
            direction.peepholes = ofDirection(node, load(7), k);
          SmallVector<TensorValue> states;
          for (size_t s = 0; s < (kind == CellKind::LSTM ? 2 : 1); ++s) {
            if (!in.has(5 + s)) {
              states.push_back(makeSplat(node, compute, {batch, hidden}, 0));
              continue;
            }
            TensorValue state = load(5 + s);
            if (spec->batchFirst)
              state = transpose(node, state, {1, 0, 2});
            state = ofDirection(node, state, k);
            states.push_back(state);
          }
          FailureOr<LoopValues> results = cells.run(direction, states, wantAll);
          if (failed(results))
            return failure();
          if (wantAll)
            all.push_back(reshape(node, results->scans[0], {steps, d.constant(1), batch, hidden}));
          lastHidden.push_back(reshape(node, results->carried[0], {d.constant(1), batch, hidden}));
          if (kind == CellKind::LSTM)
            lastCell.push_back(reshape(node, results->carried[1], {d.constant(1), batch, hidden}));
        }
        auto join = [&](ArrayRef<TensorValue> parts, int64_t axis,
                        ArrayRef<int64_t> batchFirstOrder) -> FailureOr<TensorValue> {
          FailureOr<TensorValue> whole = concat(node, parts, axis);
          if (failed(whole))
            return failure();
          TensorValue value = spec->batchFirst ? transpose(node, *whole, batchFirstOrder) : *whole;
          return cast(node, value, type);
        };
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
        if (kind == CellKind::LSTM) {
          FailureOr<TensorValue> c = join(lastCell, 0, {1, 0, 2});
          if (failed(c))
            return failure();
          outputs.push_back(*c);
        }
        return outputs;
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
