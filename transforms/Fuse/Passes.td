//===- Passes.td - The passes of stage fuse ----------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def FuseElementwise : Pass<"weft-fuse-elementwise"> {
  let summary = "Merges elementwise operations and their broadcasts into one";
  let description = [{
    Upstream's elementwise fusion on `linalg.generic`: a producer that is
    purely parallel moves into its only consumer. A producer with several
    consumers stays, because computing it again costs more than reading it, and
    so does one with which the body would have more than 512 operations.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::affine::AffineDialect"];
}

def FoldUnitExtents : Pass<"weft-fold-unit-extents"> {
  let summary = "Lets elementwise operations read reduced tensors as they are";
  let description = [{
    Sources keep reduced dimensions with extent 1: a sum over rows [B, S] is
    expanded to [B, S, 1] before it is broadcast again. An elementwise operation
    that reads such an expansion reads the sum itself, and one whose result has
    extents of 1 that a computed operand lacks is computed without them and
    expanded. The reduction and its consumers are then neighbours that
    `weft-outline-kernels` can group.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::affine::AffineDialect"];
}

def CheckOperands : Pass<"weft-check-operands"> {
  let summary = "Fails calls whose data says to read or write outside of its range";
  let description = [{
    First in stage `fuse`, while host code still sees operations whole. Before each
    operation with operands that say where to read or write, host code looks at
    them and fails the call with a sentence that names the operand, the number found, its
    position or the bound, and what was expected (`OperandCheckInterface`; components of
    packed tensors: `ComponentCheckInterface`). Extents that verifiers compare where types
    tell them are compared where only the call does.

    Numbers that are compared with a bound are reduced to their largest, once for
    all operations that share them; only if that is beyond the bound, the first wrong number is
    looked for. What ascends is looked through for the first number that does not.
    Constants that are right, and what operations computed that give numbers in range, cost
    nothing. Operations that are done have the attribute `weft.checked`; who knows that the
    operands are right sets it, as the importer does where it has tested indices itself.

    Kernels limit such numbers besides, so that nothing outside is touched where there is no check.

    ```mlir
    %y = weft.embed ins(%table, %ids : tensor<100x8xf32>, tensor<?xi64>) ...
    ```

    becomes a reduction of `%ids`, the branch that fails and the `weft.embed`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::weft::WeftDialect"];
  let statistics = [
    Statistic<"numChecked", "num-checked", "Number of operations with checks before them">
  ];
}

def ConvertPacked : Pass<"weft-convert-packed", "::mlir::ModuleOp"> {
  let summary = "Replaces packed tensors by their components";
  let description = [{
    Every value of type `!weft.packed` becomes the component tensors of its
    format, one value several: results of operations, arguments and results of
    functions, and what `scf` operations carry. `weft.disassemble` goes away;
    `weft.unpack` and `weft.pack` become what the format builds for decoding and
    encoding, which are elementwise operations that later passes merge into their
    neighbours. Operations that compute with packed operands (`weft.contract`) keep
    them: `weft.assemble` before each makes them of the components, and
    `weft-outline-kernels` takes it into the kernel, whose arguments are components.
    Where extents of components are known at run time only, `weft.assert` compares
    them with those that the other components give.
    Fails on operations that take packed tensors otherwise.

    ```mlir
    %p = weft.assemble %bytes : tensor<8xi8>
      -> !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>
    %y = weft.unpack ins(%p : !weft.packed<3x5xi8, #weft.format<elem = #lowp.int<4, signed>>>)
           outs(%init : tensor<3x5xi8>) -> tensor<3x5xi8>
    ```

    becomes a `linalg.generic` of 3 x 5 iterations that reads `%bytes`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def PadConvolutions : Pass<"weft-pad-convolutions"> {
  let summary = "Pads the inputs of convolutions beforehand";
  let description = [{
    A convolution with pads that are not negative becomes one without, of a
    padded input: its inner loops then read without tests, which is what makes
    them contractions. Transposed convolutions stay, and those that
    `weft-lower-convolutions` makes contractions with their pads.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def OutlineKernels : Pass<"weft-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "Moves tensor computations into kernels";
  let description = [{
    Divides a function into a host part, which keeps control flow and shape
    arithmetic, and kernels. Groups are formed greedily in program order: an
    operation starts a group, and as long as the group's only result has one
    consumer that is elementwise over it, the consumer joins. An elementwise
    operation that only a contraction reads and that makes elements wider (it
    dequantizes weights, say) is in the contraction's group, so that its result
    exists in tiles only. A group becomes a
    `weft.kernel` in destination style and a `weft.dispatch` where its last
    operation stood: index values and extents become size arguments, tensors
    from outside inputs, and the tensor that a result is computed into (the
    base of its chain of inits) an output.

    Reductions of rows (over all trailing dimensions) and softmax form larger
    groups: the elementwise operations before them, further reductions of the
    same rows and whatever is elementwise over rows of the group, so that a
    normalization with the addition before it is one kernel. Such a group can
    have several results. Rows above 128 Ki elements, and fewer than four rows
    that are long, stay divided: their parts have more parallelism.

    A copy alone into what a loop carries is no kernel: it stays on the host, where
    `weft-swap-carried-buffers` makes it an exchange of two buffers.

    Kernels that are equal but for names and locations are one.
  }];
  let dependentDialects = ["::weft::WeftDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::complex::ComplexDialect"];
  let statistics = [
    Statistic<"numDispatches", "dispatches", "Number of dispatches">,
    Statistic<"numKernels", "kernels", "Number of distinct kernels">
  ];
}

def ShareKernels : Pass<"weft-share-kernels", "::mlir::ModuleOp"> {
  let summary = "Makes numbers in which kernels differ their arguments";
  let description = [{
    Layers of a quantized model differ in scales and zero points only, which are
    numbers in the bodies of their kernels. Kernels that are equal but for the values
    of float constants become one, which takes those as arguments: the bits of each, as
    index values. Constants that are equal in all of these kernels stay, and so do those
    whose value decides what code is made: zeros, ones, what is not finite, exponents
    of `math.powf`, and powers of two that divide. A kernel that is equal to no other
    is left as it is.
  }];
  let dependentDialects = ["::weft::WeftDialect", "::mlir::arith::ArithDialect"];
  let statistics = [
    Statistic<"numMerged", "merged", "Number of kernels that another one computes for">,
    Statistic<"numArguments", "arguments", "Number of constants that became arguments">
  ];
}
