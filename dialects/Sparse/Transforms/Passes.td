//===- Passes.td - The passes of the sparse dialect --------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def DecomposeSparse : Pass<"sparse-decompose"> {
  let summary = "Replaces operations of the sparse dialect by their references";
  let description = [{
    At stage `fuse`, before kernels are made: the steps of an operation (sort, select,
    gather) have loops of their own, so each becomes a kernel that runs in parallel, and
    elementwise ones merge with their neighbours. Extents that verifiers compare where
    types tell them are compared before, where only the call does.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::weft::WeftDialect"];
}

def BridgeSparseTensors : Pass<"sparse-bridge"> {
  let summary = "Makes operations of upstream's sparse_tensor dialect of those that name its tensors";
  let description = [{
    `sparse.to_sparse_tensor` becomes `sparse_tensor.assemble` of the components and the
    decoded numbers, `sparse.from_sparse_tensor` becomes `sparse_tensor.disassemble` and
    `weft.assemble`. For modules that go on through upstream's sparsifier.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::sparse_tensor::SparseTensorDialect",
    "::mlir::tensor::TensorDialect", "::weft::WeftDialect"];
}
