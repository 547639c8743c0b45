//===- Passes.td - The passes of the ssm dialect -----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_PASSES
#define SSM_PASSES

include "mlir/Pass/PassBase.td"

def RaiseRecurrences : Pass<"ssm-raise-recurrences", "::mlir::func::FuncOp"> {
  let summary = "Unrolled recurrences become ssm.scan";
  let description = [{
    Exporters that trace a loop over tokens leave a chain: each state is the one before times slice t of
    a tensor plus slice t of another one, for all t of a dimension. The chain becomes one
    `ssm.scan vector diag linear`. Where each state is only read by a contraction with slice t of a third tensor, and these
    results are what a tensor is put together of, that tensor is the scan's output and the third one its query
    (Mamba); otherwise the output has the states, of which each user gets a slice.

    Where the factors are exponentials of a product of a number of each token and one of each row, the scan gets
    these as `decay` and `rate`; where what is added is an outer product, it becomes key and value: neither
    [B, T, D, N] tensor is computed then.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect"];
  let statistics = [Statistic<"raised", "raised", "Number of recurrences raised">];
}

def SplitScans : Pass<"ssm-split-scans", "::mlir::func::FuncOp"> {
  let summary = "Scans that say how many tokens to take together are computed in chunks";
  let description = [{
    An outer `ssm.scan` with `chunk = c` becomes an `ssm.chunk_summary` (what each chunk does to a
    state; chunks are independent), an `ssm.scan` over chunks (the states that they begin with)
    and an `ssm.chunk_apply` (their outputs, independent again), so that tokens are
    computed in parallel too. Results differ by rounding. Stays: what the operations of
    chunks do not say (ragged sequences, an order, checkpoints, other directions, broadcast tokens),
    and fewer tokens than a chunk has.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numSplit", "num-split", "Number of scans split">];
}

def RaiseLoops : Pass<"ssm-raise-loops", "::mlir::func::FuncOp"> {
  let summary = "Loops over tokens become ssm.scan";
  let description = [{
    An `scf.for` over all tokens, as ONNX `Scan` and `Loop` are imported, whose carried tensors are states that each
    token multiplies elementwise and adds to, or results of which each token writes its own position. What the
    body computes without the states is computed for all tokens at once: slices at the token become the whole
    tensor, operations get one more dimension. The states become an `ssm.scan`: `outer` where they are only read
    by a sum over one of their dimensions weighted by a query, so that they are never stored, else `vector`, with all
    states as its output. Exponentials of products become `decay` and `rate`, outer products key and value.
    States that read other states follow these. Loops that go backwards are `reverse`. A state max(state + a, b), as
    RWKV-4 has it to keep exponents small, becomes an `ssm.scan_region` of the pairs (a, b). What is read of a state
    before its token plus the token's own term times a bonus (RWKV-5, 6) is `read = pre bonus`.
    Where beta (x) (alpha' S) is added to a state or subtracted, S being the state before its token, the scan is
    `diag_plus_lowrank` (RWKV-7); of the state after it has decayed, `householder` (DeltaNet and its kin).

    Stays: loops with a state that is neither affine nor such a maximum, states of four dimensions and states that are
    erased from that are read otherwise than by weighted sums, and what would store more than 2^18 elements for each token.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect"];
  let statistics = [Statistic<"raised", "raised", "Number of loops raised">];
}

def RaiseUnrolledLoops : Pass<"ssm-raise-unrolled-loops", "::mlir::func::FuncOp"> {
  let summary = "Loops over tokens that a trace unrolled become ssm.scan";
  let description = [{
    Steps that read slices of the same tensors at consecutive positions, compute alike, and read what the step before
    computed, are one loop, which is raised as `ssm-raise-loops` raises those that were left as loops: RWKV, delta rules,
    linear attention and others whose loop over tokens was traced. Results that are put together of all steps are taken
    as they are, others as slices. The last step may lack what nobody reads; where the first one was computed
    from constants, the loop begins with the second. Steps are compared, each operation by its name, attributes,
    body and operands, and stay if one of them differs, if their number is 2 and the last one lacks states, or if their
    loop is none that is raised.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect", "::mlir::scf::SCFDialect"];
  let statistics = [Statistic<"raised", "raised", "Number of loops raised">];
}

def RaiseCausalConvolutions : Pass<"ssm-raise-causal-convolutions", "::mlir::func::FuncOp"> {
  let summary = "Depthwise convolutions over the tokens before become ssm.causal_conv1d";
  let description = [{
    A depthwise `weft.conv` of one spatial dimension and stride 1, padded on both sides by what the filter reaches back, of
    whose result only the first T elements are read, or padded at the beginning only. The bias is the convolution's init.
    A SiLU of the result becomes the activation. The operation has tokens before channels: transpositions
    are put around it, which cancel with those that exporters put there.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect"];
  let statistics = [Statistic<"raised", "raised", "Number of convolutions raised">];
}

def RaiseSegmentSums : Pass<"ssm-raise-segment-sums", "::mlir::func::FuncOp"> {
  let summary = "Exponentials of masked running sums become ssm.segsum";
  let description = [{
    The form of Mamba-2's listing: a tensor [..., Q] repeated along a new last dimension, 0 where the row is not below the
    diagonal, summed up over the rows, -inf above the diagonal, and its exponential. The masks are constants.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect"];
  let statistics = [Statistic<"raised", "raised", "Number of sums raised">];
}

def RaiseChunkedScans : Pass<"ssm-raise-chunked-scans", "::mlir::func::FuncOp"> {
  let summary = "Scans that were written in chunks become ssm.scan";
  let description = [{
    Mamba-2 as its listing and the exports of it have it, after `ssm-raise-segment-sums`: the output
    [B, J, Q, H, P] of J chunks of Q tokens is the sum of what tokens of the same chunk and of what the states of earlier
    chunks give, products being broadcasts, multiplications and sums. Every part is proven: each tensor that is read
    is followed, through reshapes, transpositions, slices and broadcasts, to the element it was
    computed as, an affine expression of the loops. The scan is `outer scalar`, with Q as its `chunk`.
  }];
  let dependentDialects = ["::weft::ssm::SSMDialect"];
  let statistics = [Statistic<"raised", "raised", "Number of scans raised">];
}

#endif // SSM_PASSES
