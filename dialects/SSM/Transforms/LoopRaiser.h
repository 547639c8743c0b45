//===- LoopRaiser.h - The scan that a loop is -------------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_LOOPRAISER_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_LOOPRAISER_H

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/Transforms/LinearForm.h"
#include "dialects/SSM/Transforms/StateRead.h"

#include "mlir/IR/PatternMatch.h"

namespace weft::ssm {

/// Makes scans of a loop over tokens.
class LoopRaiser {
public:
  LoopRaiser(mlir::RewriterBase &b, mlir::scf::ForOp loop) : b(b), loop(loop), lifter(b, loop) {}

  /// What the loop's results are, computed before it. If it fails, operations that nobody uses
  /// stay there.
  std::optional<llvm::SmallVector<mlir::Value>> raise();

private:
  using Factors = llvm::SmallVector<Factor>;

  struct Recurrence {
    unsigned index;            ///< of the loop's arguments
    mlir::BlockArgument state; ///< before the token
    mlir::Value next;          ///< after it
    /// Where next = max(state + factor, term): the maximum and the sum.
    mlir::linalg::GenericOp maximum, sum;
    mlir::OpOperand *factor = nullptr;
    mlir::OpOperand *term = nullptr;
  };

  /// beta (x) (alpha' state), which is added to a state, or subtracted.
  struct Erasure {
    bool negative = false;
    bool decayed = false; ///< of the state after it has decayed
    int64_t row = 0;      ///< the state's dimension that is summed up
    Factors alpha, beta;
  };

  /// next = product of `decay` * state + erasure + product of `terms`.
  struct Update {
    Factors decay, terms;
    bool negative = false; ///< the terms are subtracted
    std::optional<Erasure> erasure;
  };

  /// Operands of a scan.
  struct Operands {
    mlir::Value query, key, value, decay, rate, alpha, beta, bonus;
    Transition transition = Transition::Identity;
    bool linear = false;
  };

  /// Where the dimensions of a state go, -1 for those it lacks.
  struct Layout {
    int64_t batch = -1, head = -1, row = -1, column = -1;

    llvm::SmallVector<int64_t> ofRow() const { return {batch, head, row}; }
    llvm::SmallVector<int64_t> ofColumn() const { return {batch, head, column}; }
  };

  bool matchOutputs();
  std::optional<Recurrence> matchRecurrence(unsigned index);
  std::optional<Update> matchUpdate(llvm::ArrayRef<LinearTerm> terms);
  std::optional<Erasure> takeErasure(const LinearTerm &term, const Factors &decay);
  bool raiseRecurrence(Recurrence r);
  bool raiseMaximum(Recurrence r);

  std::optional<Layout> chooseLayout(const std::optional<StateRead> &read, const Update &update);
  bool varies(const Factors &factors, int64_t stateDim);
  mlir::Value product(const Factors &factors, llvm::ArrayRef<int64_t> dims);
  mlir::Value fixedProduct(const Factors &factors, llvm::ArrayRef<int64_t> dims);
  Factor sumOf(llvm::ArrayRef<LinearTerm> terms);
  bool isFixed(const Factor &factor, const Layout &layout);
  void setDecay(Operands &operands, const Layout &layout, const Update &update);
  void setTerms(Operands &operands, const Layout &layout, const Update &update, bool outer);
  bool setRead(Operands &operands, const Layout &layout, const StateRead &read);
  ScanOp buildScan(Recurrence r, const Layout &layout, const std::optional<StateRead> &read,
                   bool before, const Update &update);

  mlir::RewriterBase &b;
  mlir::scf::ForOp loop;
  LoopLifter lifter;
  mlir::Value whole; ///< a tensor [T, state's dimensions...], for its extents
  int64_t rank = 0;
  llvm::SmallVector<mlir::Value> results;
  llvm::SmallVector<std::pair<unsigned, mlir::tensor::InsertSliceOp>> outputs;
};

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_LOOPRAISER_H
