//===- Passes.td - The passes of stage model ---------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def InlineFunctions : Pass<"weft-inline-functions", "::mlir::ModuleOp"> {
  let summary = "Replaces calls by the bodies of functions";
  let description = [{
    Models written by hand can have functions that `main` calls. Each call becomes a copy
    of the body, those of inner calls first, and private functions that were called are
    gone: the later stages compile functions that a host calls. Recursion, and functions
    without a body or of several blocks, are refused.
  }];
}

def PrepareEntry : Pass<"weft-prepare-entry", "::mlir::ModuleOp"> {
  let summary = "Gives entries the names and symbols that modules say of them";
  let description = [{
    What the importer of a format writes down, a function written by hand lacks.
    Arguments and results without a name get one (`input0`, `output0`), and
    dynamic extents a symbol, which is a leading index argument. A packed argument or
    result becomes its components, named after it: `w` is `w.codes` and `w.scale`.
    A `tensor.bitcast` becomes an elementwise `arith.bitcast`.

    Entries with arguments or results that are no tensors are refused, and bitcasts of
    what is neither a float nor an integer without a sign.

    ```mlir
    func.func @main(%x: tensor<?x8xf32>) -> tensor<?x8xf32>
    // becomes
    func.func @main(%n: index {weft.symbol = "input0.0"},
                    %x: tensor<?x8xf32> {weft.name = "input0", weft.dims = ["input0.0", 8]})
        -> (tensor<?x8xf32> {weft.name = "output0"})
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::weft::WeftDialect"];
}

def InlineComposites : Pass<"weft-inline-composites"> {
  let summary = "Replaces composites by their reference bodies";
  let description = [{
    Whatever no pass has raised by its name is inlined, innermost last, so that
    the later stages see only structured operations.
  }];
}

def VerifyPackedConstants : Pass<"weft-verify-packed-constants"> {
  let summary = "Refuses packed constants whose components disagree with their format";
  let description = [{
    Components that say where numbers are can be wrong only as data: offsets that
    descend or do not end where the numbers do, columns that are out of range, indices
    of N:M groups that repeat. Where they are constants, in the IR or the weight store,
    the format checks them (`FormatInterface::verifyConstants`), so that a broken model
    is an error here. At run time the same data reads zeros or wrong numbers, but never
    other memory.
  }];
}

def RaiseContractions : Pass<"weft-raise-contractions"> {
  let summary = "Makes whatever contracts a `weft.contract`";
  let description = [{
    `linalg.matmul`, `linalg.batch_matmul`, `linalg.matvec`, `linalg.contract` and
    whatever else upstream names among contractions, and `linalg.generic`s that
    multiply two operands and add to the result (integers or floats, widened or
    not), as importers make them of matrix products, become `weft.contract`, so that
    the passes after it know a contraction by its name. The start value stays what
    it was, and so do the maps and their loops.

    Stays: what contracts no loop (an outer product is elementwise), sums squares (a
    reduction of one operand), reads by maps that are no projected permutations,
    computes factors other than by widening them, or allows what `weft.contract` does
    not (`fastmath`). Named contractions that stay, of complex numbers say, become
    `linalg.generic`.

    ```mlir
    %y = linalg.matmul ins(%a, %b : tensor<?x8xf32>, tensor<8x4xf32>)
           outs(%c : tensor<?x4xf32>) -> tensor<?x4xf32>
    // becomes
    %y = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                                        affine_map<(m, n, k) -> (k, n)>,
                                        affine_map<(m, n, k) -> (m, n)>]
           ins(%a, %b : tensor<?x8xf32>, tensor<8x4xf32>)
           outs(%c : tensor<?x4xf32>) -> tensor<?x4xf32>
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::weft::WeftDialect"];
  let statistics = [
    Statistic<"numRaised", "num-raised", "Number of contractions that were raised">
  ];
}

def SimplifyDims : InterfacePass<"weft-simplify-dims", "::mlir::FunctionOpInterface"> {
  let summary = "Rewrites extents into arithmetic on symbols";
  let description = [{
    Every index value of a function, every condition on such values and every
    extent of a tensor is an expression in a normal form: a sum of products of
    symbols and of divisions, minima and choices that nothing more is known of.
    Extents come from destinations, from the sizes that `tensor` operations are
    given, and through loops and branches that keep them. Values whose
    expressions are equal become one, the first; one that takes less arithmetic
    as its expression says is computed that way; `tensor.dim` goes wherever an
    expression is known.

    Expressions are decided by the ranges of symbols, by the bounds of loops and
    by assertions. Assertions about symbols move to the start of the function, so
    that what they say holds for all that follows: a broadcast of extents `a` and
    `b` asserts that they are equal or one of them is 1, and where only the first
    is possible, `b` is `a` from there on.

    Elementwise operations whose operands may be broadcast read them by position,
    clamped to the last element. Where the position turns out to be that of a loop
    of the same extent, or 0, the tensor becomes an operand with an indexing map,
    so that `weft-fuse-elementwise` can merge its producer.

    A reshape that changes how dimensions are grouped does so along dimensions
    that are equal, and slices of everything go away. Where an extent was inferred
    by a division that carries `weft.quotient`, the divisor is cancelled although it
    may be 0: there are no elements then.

    As affine maps do, this takes index arithmetic not to overflow; what is
    computed from the contents of tensors is left alone.

    Runs in stage `model` only, although dispatches have extents too. After `fuse`
    and after `tile` it left the number of kernels and of their arguments as it was
    in all of sixteen models (BERT, Llama, Whisper, text detection, speech, Mamba),
    and the size of their code within 0.4%, to either side: `fuse` takes extents
    from values that are there already.

    ```mlir
    %n = tensor.dim %x, %c0 : tensor<?x8xf32>    // of an argument with weft.dims ["n", 8]
    %size = arith.muli %n, %c8 : index
    %rows = arith.floordivsi %size, %c8 : index
    %init = tensor.empty(%rows) : tensor<?xf32>
    // becomes, where %arg0 is the symbol "n"
    %init = tensor.empty(%arg0) : tensor<?xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numReplaced", "num-replaced", "Number of operands that became other values">,
    Statistic<"numReads", "num-reads", "Number of reads by position that became operands">
  ];
}

def FoldScales : Pass<"weft-fold-scales", "::mlir::ModuleOp"> {
  let summary = "Folds scales and shifts of channels into the weights before them";
  let description = [{
    An elementwise operation that multiplies (divides, negates) and shifts the
    result of a convolution, which nothing else uses, by constants that vary along
    its channels at most is what an inference-time BatchNormalization is, and a
    pair of Mul and Add. With y = init + sum w x,

        y * scale + shift = (init * scale + shift) + sum (w * scale) x,

    so that it goes into the filter and the start value, which
    `weft-evaluate-constants` computes. Contractions with a constant operand take
    scales likewise; of these a mere shift stays, since it costs nothing where it
    is. Only f32 and f64: each weight is rounded once more, and for the 16-bit
    types that would be felt.

    Stays: what scales rows rather than channels, and weights of more than 1 MiB
    that others use too, because they would be kept twice.
  }];
  let statistics = [
    Statistic<"numFolded", "num-folded", "Number of operations that were folded">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def RewriteTransposedConvolutions
    : Pass<"weft-rewrite-transposed-convolutions", "::mlir::ModuleOp"> {
  let summary = "Makes transposed convolutions plain ones, one for all phases";
  let description = [{
    With stride s, the positions of the result that leave the same remainder by s
    (a phase) are a convolution of stride 1 of the input with every s-th element of
    the filter. All phases together are one convolution with s times the output
    channels in each spatial dimension, whose channels then become neighbours in
    space: the sub-pixel convolution of Shi et al., "Real-Time Single Image and
    Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
    Network", 2016. The zeros between the input's elements that the definition has
    are gone; what a filter's extent, dilated, lacks to a multiple of s is filled up
    with zeros.

    Comes before `weft-evaluate-constants`, which rearranges constant filters.
    Stays: filters of dynamic or no extents, of which less than an eighth would be
    left after filling up, begins below 0, and inputs without positions.

    ```mlir
    %y = weft.conv transposed strides = [2] dilations = [1] pads = [0, 0] groups = 1
           ins(%x, %w : tensor<1x8x16xf32>, tensor<8x4x2xf32>) outs(%init : tensor<1x4x32xf32>)
           -> tensor<1x4x32xf32>
    // becomes, with the filter's elements as output channels,
    %phases = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 1
                ins(%x, %filter : tensor<1x8x16xf32>, tensor<8x8x1xf32>)
                outs(%zero : tensor<1x8x16xf32>) -> tensor<1x8x16xf32>
    // then expanded to 1x1x2x4x16, transposed to 1x1x4x16x2, collapsed, and added to %init.
    ```
  }];
  let statistics = [
    Statistic<"numRewritten", "num-rewritten", "Number of convolutions that were rewritten">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def EvaluateConstants : Pass<"weft-evaluate-constants", "::mlir::ModuleOp"> {
  let summary = "Computes what depends on constants only, by compiling and running it";
  let description = [{
    Upstream folders ignore large constants, so they are computed as everything
    else is: operations whose operands are constants or weights, transitively,
    are copied into a module of their own, compiled through the later stages for
    the machine that compiles, and run. Results up to 1 KiB and splats become
    `arith.constant`s, others weights in the weight store's spill file.

    Only results that are needed by something that stays are stored. Of these,
    the following stay too, and their operands are looked at instead:

    - reshapes, casts, fills: they cost nothing at run time;
    - results that would only take more memory: of more than `max-growth` times
      the bytes of the constants that they are computed from and more than 1 MiB
      (1 KiB if the elements are only repeated);
    - what exceeds `max-bytes` of results or `max-operations` scalar operations
      in all, or of one result whose extents are known only when it is evaluated.
      Operations are estimated from the IR, never measured, so that
      equal inputs give equal modules.

    Operations with side effects (assertions) are never evaluated; a subgraph
    that cannot be compiled or fails stays as it is. Each decision is a remark
    of the category "constants".

    ```mlir
    %w = weft.constant <"w", "", tensor<16x32xf32>> : tensor<16x32xf32>
    %e = tensor.empty() : tensor<32x16xf32>
    %t = linalg.transpose ins(%w : tensor<16x32xf32>) outs(%e : tensor<32x16xf32>) permutation = [1, 0]
    // becomes
    %t = weft.constant <"w.1", "", tensor<32x16xf32>> : tensor<32x16xf32>
    ```
  }];
  // Declared in EvaluateConstants.h.
  let constructor = "weft::createEvaluateConstants(evaluate)";
  let options = [
    Option<"maxBytes", "max-bytes", "int64_t", "int64_t(1) << 32",
           "Bytes of results in all">,
    Option<"maxFailures", "max-failures", "unsigned", "32",
           "Compilations that may fail before the rest of the module is left alone">,
    Option<"maxOperations", "max-operations", "int64_t", "int64_t(1) << 34",
           "Estimated scalar operations in all">,
    Option<"maxGrowth", "max-growth", "int64_t", "4",
           "Bytes of a result for each byte of the constants it comes from">
  ];
  let statistics = [
    Statistic<"numEvaluated", "num-evaluated", "Number of values that became constants">
  ];
  // The stages that the copies go through use these.
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::ub::UBDialect",
    "::mlir::vector::VectorDialect", "::weft::WeftDialect"
  ];
}
