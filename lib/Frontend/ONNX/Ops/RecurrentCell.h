//===- RecurrentCell.h - The steps of RNN, GRU and LSTM -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_OPS_RECURRENTCELL_H
#define WEFT_FRONTEND_ONNX_OPS_RECURRENTCELL_H

#include "Frontend/ONNX/Loops.h"
#include "Frontend/ONNX/Ops/RecurrentActivations.h"

namespace weft::onnx {

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
  llvm::SmallVector<Activation> activations;
  size_t activationsPerDirection;
};

/// One direction's tensors, in the type that is computed in.
struct Direction {
  bool reverse;
  TensorValue projected;                    ///< [seq, batch, gates * hidden], with the bias
  TensorValue recurrent;                    ///< [hidden, gates * hidden]
  std::optional<TensorValue> recurrentBias; ///< [hidden]: GRU with linear_before_reset
  std::optional<TensorValue> peepholes;     ///< [3 * hidden]
  llvm::ArrayRef<Activation> activations;
};

/// Builds the loop over the steps of a direction.
class CellBuilder {
public:
  CellBuilder(NodeContext &node, const CellSpec &spec, ElementType type, mlir::OpFoldResult steps,
              mlir::OpFoldResult batch, mlir::OpFoldResult hidden, const TensorValue *lengths)
      : node(node), spec(spec), type(type), steps(steps), batch(batch), hidden(hidden),
        lengths(lengths) {}

  /// Gives the last states, and all hidden states [seq, batch, hidden] if `all`.
  mlir::FailureOr<LoopValues> run(const Direction &direction, llvm::ArrayRef<TensorValue> states,
                                  bool all);

private:
  /// What the body of a step's kernel reads.
  struct Step {
    mlir::OpBuilder &b;
    mlir::Location loc;
    mlir::Value row, column; ///< batch, hidden
    mlir::Value projected, position, hidden;
    mlir::Value gate(int64_t index) const;
    mlir::Value read(mlir::Value tensor, int64_t gate) const;
    /// The input's part of a gate: element [position, row, gate].
    mlir::Value readProjected(int64_t index) const;
  };
  using StepBody =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(const Step &, mlir::ValueRange)>;

  llvm::SmallVector<TensorValue> kernel(const Direction &direction, mlir::OpFoldResult iteration,
                                        llvm::ArrayRef<TensorValue> inputs, size_t outputs,
                                        StepBody body);
  mlir::Value activate(const Step &step, const Direction &direction, size_t index, mlir::Value x,
                       bool clipped = true) const;
  mlir::FailureOr<llvm::SmallVector<TensorValue>> stepRNN(const Direction &, mlir::OpFoldResult,
                                                          llvm::ArrayRef<TensorValue>);
  mlir::FailureOr<llvm::SmallVector<TensorValue>> stepGRU(const Direction &, mlir::OpFoldResult,
                                                          llvm::ArrayRef<TensorValue>);
  mlir::FailureOr<llvm::SmallVector<TensorValue>> stepLSTM(const Direction &, mlir::OpFoldResult,
                                                           llvm::ArrayRef<TensorValue>);
  mlir::FailureOr<TensorValue> maskAndOrder(const Direction &direction, const TensorValue &outputs);
  mlir::Value keepFinished(const Step &step, mlir::OpFoldResult iteration, mlir::Value next,
                           mlir::Value previous) const;
  mlir::FailureOr<TensorValue> columns(const TensorValue &x, int64_t from, int64_t count);

  NodeContext &node;
  const CellSpec &spec;
  ElementType type;
  mlir::OpFoldResult steps, batch, hidden;
  const TensorValue *lengths;
};

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_OPS_RECURRENTCELL_H
