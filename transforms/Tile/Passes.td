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
    on data. Keys are compared as integers of their width that are in the same
    order, floats by sign and magnitude. Where at most 128 elements are kept, each
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
    rows run in parallel. Along another dimension than the last one, blocks of
    columns run in parallel, and each goes through memory as it lies there: a row
    of the result is the row before it combined with one of the input. Both are
    the same order of operations as in the reference, so that results are its to
    the bit, for every number of threads.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def LowerNonZero : Pass<"weft-lower-nonzero", "::mlir::ModuleOp"> {
  let summary = "Finds non-zero elements in parallel";
  let description = [{
    `weft.nonzero` in three steps: chunks of 16384 elements are counted in
    parallel, a loop adds the counts up, and the chunks write their positions in
    parallel, each from its own column on. The order is the row-major one of the
    reference for every number of threads. Tensors of rank 0 are left to it.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def LowerScatter : Pass<"weft-lower-scatter", "::mlir::ModuleOp"> {
  let summary = "Scatters windows in parallel";
  let description = [{
    Where `weft.scatter` writes windows (the result has dimensions after those that
    are indexed), their longest dimension is cut into at most 16 parts, of a
    cache line at least. The parts are computed in parallel, and each applies all
    updates in order: they never meet, so that the last one wins, or the combiner
    adds up, in the reference's order for every number of threads. Scatters of
    single elements, and small ones, are left to the reference.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def LowerToReference : Pass<"weft-lower-to-reference"> {
  let summary = "Replaces operations by their reference lowering";
  let description = [{
    Applies `ReferenceOpInterface` to every operation that has it (contractions become
    the `linalg.generic` that schedules and `weft-tile-kernels` know), and brings
    `tensor.pad`, `tensor.concat` and `linalg.softmax` to plain `linalg` in
    destination style. Kernels note in `weft.reference_ops` which large
    operations of them had nothing else, for `weft-report-fallbacks`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def LowerConvolutions : Pass<"weft-lower-convolutions"> {
  let summary = "Makes convolutions contractions of columns";
  let description = [{
    A `weft.conv` whose kernel has static extents (`ConvOp::isContraction`) becomes
    a contraction of its filter, [M, K] or [groups, M / groups, K], with the
    columns of its windows, [N, groups, K, Q] (`weft.im2col`; of a kernel of one
    position and stride 1 they are the input itself). Output positions are one
    dimension Q from here on, so that tiles need not end where rows do, and
    pads and strides are the columns' affair. The elementwise operations around
    it (`canFlattenSpatial`) follow. The columns are computed tile by tile in
    stage `vector`; the whole matrix never exists (implicit GEMM: Chetlur et al.,
    cuDNN, arXiv 1410.0759, section 3).

    Depthwise convolutions are the case of one output channel a group: their
    contraction has no rows, and reads its columns in registers.
  }];
  let dependentDialects = [
    "::weft::WeftDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def CloneVariants : Pass<"weft-clone-variants", "::mlir::ModuleOp"> {
  let summary = "Gives each kernel a variant for each further processor";
  let description = [{
    The kernels of a module are for `weft.target`. For each target of
    `weft.variants` every kernel `@k` gets a copy `@k.<cpu>`, with the processor
    as `weft.variant` and `@k` as `weft.variant_of`. From here on copies are
    kernels like others, with schedules and code of their own, but the host
    functions are the same for all variants: dispatches name `@k` and pass what
    each of its variants takes, and the runtime calls the variant that the
    machine has the extensions for. Runs after all that does not depend on the
    processor.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
}

def SelectSchedules : Pass<"weft-select-schedules", "::mlir::ModuleOp"> {
  let summary = "Has the target choose the schedule of each kernel";
  let description = [{
    Calls the hook `selectSchedule` of the module's target (`weft.target`, "cpu"
    where there is none) for every kernel that has no schedule yet.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
}

def TileRows : Pass<"weft-tile-rows", "::weft::KernelOp"> {
  let summary = "Tiles kernels that normalize rows";
  let description = [{
    A kernel all of whose operations work row by row, one of them a reduction of
    rows, becomes one `scf.forall` over tiles of rows, by the sizes in
    `#weft.schedule`. Each operation is computed once a tile, and what it leaves
    for the next ones is memory of the tile's size. Kernels with a schedule that
    cuts rows, and others, are left to `weft-tile-kernels`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def TileKernels : Pass<"weft-tile-kernels", "::weft::KernelOp"> {
  let summary = "Tiles kernels by their schedule";
  let description = [{
    Cuts the parallel dimensions of a kernel's last operation into tiles of the
    sizes in `#weft.schedule`, as one `scf.forall`, and pulls the producers
    into it. A kernel without schedule stays as it is: it runs serially. Sizes
    of loops that are not parallel are refused: tiles are computed in any order.
    Computations with a loop that is known to be empty are what they start from.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}
