//===- LowPOps.td - Operations of the lowp dialect ---------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWP_OPS_TD
#define LOWP_OPS_TD

include "dialects/LowP/IR/LowPBase.td"
include "dialects/Weft/IR/WeftFormats.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class LowP_Op<string mnemonic, list<Trait> traits = []>
    : Op<LowP_Dialect, mnemonic, !listconcat([Pure,
        DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>],
        traits)>;

def LowP_QuantizeOp : LowP_Op<"quantize"> {
  let summary = "Finds the scales of a tensor and encodes it";
  let description = [{
    Encodes `numbers` in the format of the result, with parameters that are computed
    from the numbers; `weft.pack` takes them as operands instead. The format has
    `#lowp.scale` levels, constants first, and can be in a basis (`#lowp.in_basis`), to
    which the numbers were rotated. With L and H the least and the largest
    number that codes mean (after constant levels):

    | method | parameters of a block |
    |---|---|
    | `absmax` | scale = max abs / min(-L, H), or / H where L >= 0 |
    | `min_max` | scale = (max - min) / (H - L); the zero point, minimum or offset puts min at L |
    | `mx_floor` | scale = 2^(floor(log2(max abs)) - E), E = floor(log2(H)) (OCP MX) |
    | `mx_ceil` | scale = 2^(ceil(log2(max abs)) - E) |
    | `mx_rceil` | scale = 2^ceil(log2(max abs / H)) |
    | `mx_even` | as `mx_floor`, of max abs rounded to as many bits as a number has |

    The range of `min_max` includes 0 for zero points and minima. A block of zeros has
    scale 1. Several scales are found from the outermost, which comes last, to the
    innermost: one that is outside of others has what theirs cannot hold (NVFP4: max
    abs / (6 * 448)). Each is stored first, and what is found after it reckons with
    the stored one. Parameters whose storage has parameters of its own (double
    quantization) are quantized likewise: by `min_max` where that storage has a zero
    point, minimum or offset, else by `absmax`. Blocks with an infinity or NaN have
    no defined numbers.

    `sums` are the sums of the integers that codes mean over blocks of the given
    extents (0: all), i32: they compensate for the zero points of what the tensor is
    multiplied by.

    Sources: OCP Microscaling Formats 1.0, section 6.3; torchao's MX modes for the
    roundings; ONNX DynamicQuantizeLinear is `min_max` with one u8 zero point.

    ```mlir
    !rows = !weft.packed<?x64xf32, #weft.format<elem = #lowp.int<8, signed>,
                                                scales = [#lowp.scale<multiply, [1, 0], f32>]>>

    func.func @dynamic(%n: index {weft.symbol = "n"},
                       %x: tensor<?x64xf32> {weft.name = "x", weft.dims = ["n", 64]})
        -> (tensor<?x64xf32> {weft.name = "y"}, tensor<?x1xi32> {weft.name = "sums"}) {
      %q, %sums = lowp.quantize %x by absmax sums [1, 0]
        : tensor<?x64xf32> -> !rows, tensor<?x1xi32>
      %init = tensor.empty(%n) : tensor<?x64xf32>
      %y = weft.unpack ins(%q : !rows) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
      return %y, %sums : tensor<?x64xf32>, tensor<?x1xi32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$numbers, LowP_Method:$method,
                       OptionalAttr<DenseI64ArrayAttr>:$sumBlock);
  let results = (outs Weft_PackedType:$result, Optional<AnyRankedTensor>:$sums);
  let builders = [OpBuilder<(ins "::weft::PackedType":$type, "::mlir::Value":$numbers,
                                 "::weft::lowp::Method":$method), [{
    build($_builder, $_state, type, ::mlir::Type(), numbers, method, ::mlir::DenseI64ArrayAttr());
  }]>];
  let hasVerifier = 1;
  let assemblyFormat = [{
    $numbers `by` $method (`sums` $sumBlock^)? attr-dict
    `:` type($numbers) `->` type($result) (`,` type($sums)^)?
  }];
}

def LowP_ObserveOp : LowP_Op<"observe", [Weft_LoopTiling]> {
  let summary = "Statistics of blocks of numbers";
  let description = [{
    What calibration needs of activations: an element for each block, with blocks as
    in `#lowp.scale`. Results are f32, or f64 for f64. Sums are taken in an order that
    depends on shapes only. Empty blocks have the least of all numbers as their
    maximum, and so on: what changes nothing when it is combined with another's.
    NaN is the minimum, maximum and sum of a block that has one. Loops of tiles: the
    dimensions of the result, so that blocks stay whole; none of blocks of row-major elements.

    | method | statistic |
    |---|---|
    | min-max calibration | min, max of `[]` or `[1, 0]` |
    | SmoothQuant, AWQ | absmax of channels: `[0, 1]` |
    | Wanda | sum_of_squares of channels |

    ```mlir
    func.func @observe(%x: tensor<6x5xf32>) -> tensor<1x5xf32> {
      %y = lowp.observe absmax %x blocks [0, 1] : tensor<6x5xf32> -> tensor<1x5xf32>
      return %y : tensor<1x5xf32>
    }
    ```
  }];
  let arguments = (ins LowP_Statistic:$statistic, AnyRankedTensor:$numbers,
                       DenseI64ArrayAttr:$block);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let extraClassDeclaration = tilingDeclaration;
  let extraClassDefinition = tilingQueries;
  let assemblyFormat = [{
    $statistic $numbers `blocks` $block attr-dict `:` type($numbers) `->` type($result)
  }];
}

def LowP_HistogramOp : LowP_Op<"histogram", [AllTypesMatch<["low", "high"]>]> {
  let summary = "How many numbers lie in each of equal parts of a range";
  let description = [{
    Element i of the result counts the x with low + i * w <= x < low + (i + 1) * w,
    where w is (high - low) / bins; `high` itself is in the last part. Numbers outside
    of the range and NaN are not counted, and none is where it is empty. Percentile,
    entropy and mean-squared-error calibration choose ranges by it.

    ```mlir
    func.func @histogram(%x: tensor<5x7xf32>) -> tensor<16xi32> {
      %low = arith.constant -2.0 : f32
      %high = arith.constant 2.0 : f32
      %counts = lowp.histogram %x from %low to %high : tensor<5x7xf32>, f32 -> tensor<16xi32>
      return %counts : tensor<16xi32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$numbers, AnyTypeOf<[F32, F64]>:$low, AnyTypeOf<[F32, F64]>:$high);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let assemblyFormat = [{
    $numbers `from` $low `to` $high attr-dict
    `:` type($numbers) `,` type($low) `->` type($result)
  }];
}

def LowP_RotateOp : LowP_Op<"rotate", [Weft_LoopTiling, AllTypesMatch<["numbers", "result"]>]> {
  let summary = "Transforms a tensor along a dimension into another basis";
  let description = [{
    With the matrix T of `basis`, each row x along `axis` becomes x T. `inverse` takes
    T^-1 instead; `dual` takes T^-T, which is what the other factor of a contraction
    needs: x T (w T^-T)^T = x w^T. Both together are T^T. Permutations and Hadamard
    matrices are their own duals.

    `parameters` are those of the basis, in order: indices (i32 or i64) of a
    permutation, factors of a diagonal, signs of a Hadamard matrix that has them;
    each has one element a position along `axis`. Indices beyond the extent
    fail the call. It is computed in f32 (f64 for f64). Loops of tiles: the other
    dimensions.

    Sources: QuaRot (arXiv 2404.00456), SmoothQuant (2211.10438), GPTQ (2210.17323).

    ```mlir
    func.func @rotate(%x: tensor<4x56xf32>, %signs: tensor<56xf32>) -> tensor<4x56xf32> {
      %y = lowp.rotate %x by #lowp.hadamard<28, "signs"> along 1 (%signs : tensor<56xf32>)
        : tensor<4x56xf32>
      %z = lowp.rotate %y by #lowp.hadamard<28, "signs"> along 1 inverse
        (%signs : tensor<56xf32>) : tensor<4x56xf32>
      return %z : tensor<4x56xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$numbers, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis,
                       AnyAttr:$basis, UnitAttr:$inverse, UnitAttr:$dual,
                       Variadic<AnyRankedTensor>:$parameters);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = tilingDeclaration;
  let extraClassDefinition = tilingDefinitions;
  let assemblyFormat = [{
    $numbers `by` custom<Basis>($basis) `along` $axis (`inverse` $inverse^)? (`dual` $dual^)?
    (`(` $parameters^ `:` type($parameters) `)`)? attr-dict `:` type($result)
  }];
}

#endif // LOWP_OPS_TD
