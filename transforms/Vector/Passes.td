//===- Passes.td - The passes of stage vector --------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"


def ExpandMath : Pass<"weft-expand-math"> {
  let summary = "Rewrite transcendental functions to arithmetic";
  let description = [{
    Replaces `exp`, `exp2`, `expm1`, `log`, `log2`, `log10`, `log1p`, `sin`, `cos`,
    `sincos`, `tan`, `asin`, `acos`, `atan`, `atan2`, `sinh`, `cosh`, `tanh`,
    `asinh`, `acosh`, `atanh`, `erf`, `erfc`, `powf`, `fpowi`, `ipowi`, `cbrt`,
    `rsqrt`, `round` and `clampf` of the math dialect by operations that every
    target has as instructions. No call to a library is left, and every target
    computes the same bits, as no result depends on fast-math flags or on
    contraction: where a product and a sum round once, a `math.fma` says so.

    So is `arith.truncf` from f32 to bf16, which becomes integers: x86 has an
    instruction for it that flushes subnormal numbers to zero.

    Scalars and vectors of any fixed shape are rewritten; f32 and f64 have
    algorithms of their own, narrower floats are computed in f32. The bounds on
    the error stand in docs/math.md, and tests hold them.

    Run it after vectorization: sines of large arguments become an `scf.if` around
    a loop, taken only where a lane needs it. Run `cse` after it, as equal
    constants are created many times.

    ```mlir
    %y = math.exp %x : vector<16xf32>
    ```
    becomes a clamp, a reduction by ln 2, a polynomial of degree 6 in `math.fma`,
    and a scaling by powers of two made of shifted integers.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

def ReportFallbacks : Pass<"weft-report-fallbacks", "::mlir::ModuleOp"> {
  let summary = "Says which kernels lack a fast path, and why";
  let description = [{
    Marks a kernel as a *fallback*, with the attribute `weft.fallback` that says
    why and a missed remark of category `vector` at the nodes that it computes,
    where something that has a fast path runs without it:
    - a contraction (a product that is accumulated: matrix products and
      convolutions) of at least 32768 multiplications is still a structured
      operation after vectorization and will be scalar loops;
    - an operation of at least 4096 elements was lowered by its reference
      (`weft.reference_ops`, left by `weft-lower-to-reference`) and no parallel
      loop is around it.

    Smaller ones are no fallbacks: a fast path would not pay. Dynamic extents
    count as 64. Runs after the passes that could have made them fast.

    A kernel without such in which an operation of as many iterations is still
    structured is no fallback, but a missed remark `scalar-loops`: whether its
    loops become vectors is up to LLVM.
  }];
  let statistics = [Statistic<"numFallbacks", "fallbacks", "Kernels marked as fallbacks">];
  let dependentDialects = ["::weft::WeftDialect"];
}

def ReassociateReductions : Pass<"weft-reassociate-reductions", "::weft::KernelOp"> {
  let summary = "Lets sums and products along the innermost loop use vectors";
  let description = [{
    A float sum or product whose innermost loop is reduced has one accumulator,
    each step of which waits for the one before. Allowing its additions (or
    multiplications), and nothing else, to be reassociated gives it vectors of
    accumulators. In which order these are combined is fixed in the machine code
    and depends on extents only, never on the number of threads; the error bound
    of the sum becomes smaller, not larger. Reductions along outer loops keep
    their order: their innermost loops have vectors already.

    This is for what `weft-vectorize-reductions` leaves: strided rows, and chips
    without masks.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect"];
}

def VectorizeContractions : Pass<"weft-vectorize-contractions", "::weft::KernelOp"> {
  let summary = "Computes contractions in register tiles";
  let description = [{
    A `linalg.generic` that multiplies and accumulates over one innermost row
    dimension (m), one column dimension (n) and any reduced dimensions (k) becomes
    vector code, if the kernel's `#weft.schedule` has a register tile
    `vector = [rows, columns, lanes]`, lanes being the elements of a vector:

    - if m is more than one tile, the column operand is packed into panels of
      `columns` elements, [panels, k, columns], zero beyond n, so that the inner
      loop reads contiguous memory however the operand lies (Goto and van de
      Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008);
    - for each register tile, `rows` x `columns` accumulators stay in registers
      over the k loop; each step loads the columns, broadcasts one element of
      each row and multiplies and adds, fused.

    A contraction without rows whose columns are windows (`weft.im2col`: a
    depthwise convolution) reads them from the input directly: vectors of output
    rows, kernel positions unrolled, pads by masks and by bounds of the kernel loops.

    The elementwise operations around a contraction, as far as they are short, are
    computed on its register tiles: accumulators start as what the bias gives, and
    sums pass through residuals and activations before they are stored, once.

    Tails are masked, never scalar: columns beyond n by a lane mask, rows beyond m
    by reading the last row again and not storing.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def VectorizeIm2col : Pass<"weft-vectorize-im2col", "::weft::KernelOp"> {
  let summary = "Gathers the columns of convolutions";
  let description = [{
    `weft.im2col` becomes copies of rows: for each channel, kernel position and row
    of the output that the tile touches, vectors are read from the input where
    they lie in it, 0 elsewhere (masks, so that pads cost no branch), and stored
    contiguously. Stride 1 reads vectors, stride 2 the even elements of two, and
    larger strides gather.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}

def VectorizeReductions : Pass<"weft-vectorize-reductions", "::weft::KernelOp"> {
  let summary = "Reduces rows in vectors";
  let description = [{
    A `linalg.generic` whose innermost loop is reduced, along which its operands
    are contiguous or the same, and which combines a term with each accumulator
    (by sums, products, maxima, minima and bitwise operations) becomes vector code:
    2048 bits of partial results, 64 of f32, or half of that where the term takes
    more than a few instructions. Element i of a row goes to partial result
    i mod 64, and halves of them are combined until one is left. This order is
    that of every number of threads, and of every chip that has masked accesses to
    such elements (AVX-512, and AVX2 for those of 32 and 64 bits). On others, and
    for rows of less than 4 elements, LLVM chooses the order.

    So does a reduction to the position of the largest or the smallest number: its body
    is known by what it chooses in every case (numbers that are less, equal, greater or
    NaN, before or behind), and combines the best of the lanes, too.

    The loop has no masks; what is left of a row is one masked step.
  }];
  let statistics = [Statistic<"numReductions", "reductions", "Reductions in vectors">];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def VectorizeElementwise : Pass<"weft-vectorize-elementwise", "::weft::KernelOp"> {
  let summary = "Computes elementwise operations in vectors";
  let description = [{
    A `linalg.generic` whose operands are contiguous, or the same, along the loop
    along which its results are contiguous becomes vector code: of as many lanes as
    a vector of the chip has of its widest numbers, fewer where rows are shorter,
    and one to four vectors an iteration, as its body is long or short. Conversions
    happen in lanes, so numbers are read and written as narrow as they lie. What
    depends on outer loops only stays scalar and is computed once a row.

    Reductions along outer loops keep their order: a few vectors of columns are
    reduced at a time, in registers.

    The loop has no masks; what is left of a row are masked vectors. Each lane
    computes what a scalar would, to the bit. Bodies that divide integers or read
    elements at computed positions, and narrow types on chips without masks for
    them, stay structured operations and become scalar loops.

    Numbers of less than eight bits (`weft-convert-packed`) are read eight at a
    time, as 64 bits from which each lane takes the byte in which its own begin.
  }];
  let statistics = [Statistic<"numOperations", "operations", "Operations in vectors">];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def VectorizeTransposes : Pass<"weft-vectorize-transposes", "::weft::KernelOp"> {
  let summary = "Transposes squares of elements in registers";
  let description = [{
    A `linalg.transpose`, or a `linalg.generic` that only moves elements, whose
    operand is not contiguous along the dimension along which its result is, moves
    squares: of 16x16 elements of up to 32 bits (8x8 of 64) where vectors have 512
    bits, of 8x8 of 32 bits (4x4 of 64) where they have 256, smaller ones where
    extents are. As many vectors as each has elements are read along the operand's
    rows, transposed by log2 of as many rounds of shuffles, and written along those
    of the result. Squares that reach beyond an end are masked. They are walked in the
    order of the operand's memory, which is then read in 16 streams and written in
    whole cache lines.

    An elementwise operation with such an operand gets a transposed copy of it,
    which in a tile is small, and `weft-vectorize-elementwise` can take it then.
    Transpositions that keep rows are copies of rows, and left to that pass, too.

    Rows of less than four elements, and narrow types on chips without masks for
    them, stay structured operations and become scalar loops.
  }];
  let statistics = [Statistic<"numTranspositions", "transpositions",
                              "Transpositions in registers">];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}
