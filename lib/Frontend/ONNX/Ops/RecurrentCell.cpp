//===- RecurrentCell.cpp - The steps of RNN, GRU and LSTM -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop on the host computes, for each step, the recurrent product and the
// gates. Shapes: one step's products are [batch, gates * hidden], the states
// [batch, hidden].
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/RecurrentCell.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// A constant of the type of `like`.
static Value number(OpBuilder &b, Location loc, Value like, double value) {
  return makeScalar(b, loc, like.getType(), value);
}

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

Value CellBuilder::Step::readProjected(int64_t index) const {
  return tensor::ExtractOp::create(b, loc, projected, ValueRange{position, row, gate(index)});
}

FailureOr<SmallVector<TensorValue>> CellBuilder::stepRNN(const Direction &direction,
                                                         OpFoldResult iteration,
                                                         ArrayRef<TensorValue> states) {
  FailureOr<TensorValue> product = matmul(node, states[0], direction.recurrent, type);
  if (failed(product))
    return failure();
  return kernel(direction, iteration, {states[0], *product}, 1,
                [&](const Step &s, ValueRange args) -> SmallVector<Value> {
                  Value x = arith::AddFOp::create(s.b, s.loc, s.readProjected(0), args[1]);
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
                arith::AddFOp::create(s.b, s.loc, s.readProjected(index), s.read(sums, index)));
          };
          Value update = gate(0), reset = gate(1), linear = s.read(sums, 2);
          if (bias)
            linear = arith::AddFOp::create(s.b, s.loc, linear,
                                           tensor::ExtractOp::create(s.b, s.loc, bias, s.column));
          Value inner = arith::AddFOp::create(s.b, s.loc, s.readProjected(2),
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
                                 arith::AddFOp::create(s.b, s.loc, s.readProjected(index),
                                                       s.read(sums, index)));
               };
               return {gate(0), arith::MulFOp::create(s.b, s.loc, gate(1), args[0])};
             });
  FailureOr<TensorValue> candidate = matmul(node, gates[1], *second, type);
  if (failed(candidate))
    return failure();
  return kernel(direction, iteration, {states[0], gates[0], *candidate}, 1,
                [&](const Step &s, ValueRange args) -> SmallVector<Value> {
                  Value inner = arith::AddFOp::create(s.b, s.loc, s.readProjected(2), args[2]);
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
          Value x = sum(s.readProjected(index), s.read(sums, index));
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
