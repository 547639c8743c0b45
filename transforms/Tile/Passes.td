//===- Passes.td - The passes of stage tile ----------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def LowerSort : Pass<"weft-lower-sort", "::mlir::ModuleOp"> {
  let summary = "Sorts and selects in parallel rows";
  let description = [{
    `weft.sort` in O(n log n): the rows run in parallel, and each sorts the
    positions of its elements by a bottom-up merge sort (runs of 1, 2, 4, ...
    elements; Knuth, The Art of Computer Programming 3, 5.2.4) without branches
    on data. Where at most 128 elements are kept, each
    row goes through its elements once and keeps the first ones in order. Both
    are stable, and give the same for every number of threads. What they mean is
    in the operation's reference lowering, which ranks each element by O(n^2)
    comparisons.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def LowerScan : Pass<"weft-lower-scan", "::mlir::ModuleOp"> {
  let summary = "Scans in parallel rows";
  let description = [{
    Each row of `weft.scan` is one loop that carries the sum or product, and the
    rows run in parallel: the same order of operations as in the reference, so
    that results are its to the bit, for every number of threads.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def LowerToReference : Pass<"weft-lower-to-reference"> {
  let summary = "Replaces operations by their reference lowering";
  let description = [{
    Applies `ReferenceOpInterface` to every operation that has it, and brings
    `tensor.pad`, `tensor.concat` and `linalg.softmax` to plain `linalg` in
    destination style.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def SelectSchedules : Pass<"weft-select-schedules", "::mlir::ModuleOp"> {
  let summary = "Has the target choose the schedule of each kernel";
  let description = [{
    Calls the hook `selectSchedule` of the module's target (`weft.target`, "cpu"
    where there is none) for every kernel that has no schedule yet.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
}

def TileKernels : Pass<"weft-tile-kernels", "::weft::KernelOp"> {
  let summary = "Tiles kernels by their schedule";
  let description = [{
    Cuts the parallel dimensions of a kernel's last operation into tiles of the
    sizes in `#weft.schedule`, as one `scf.forall`, and pulls the producers
    into it. A kernel without schedule stays as it is: it runs serially.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}
