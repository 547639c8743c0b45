//===- SSMOps.td - The ssm dialect's operations ------------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SSM_OPS_TD
#define SSM_OPS_TD

include "dialects/SSM/IR/SSMBase.td"
include "dialects/Weft/IR/WeftInterfaces.td"
include "dialects/Weft/IR/WeftTiling.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// Destination-style operations on tensors; the inits have the results' shapes.
class SSM_Op<string mnemonic, list<Trait> traits = []>
    : Op<SSM_Dialect, mnemonic, !listconcat([
        Pure, DestinationStyleOpInterface, Weft_LoopTiling,
        DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)> {
  let hasVerifier = 1;
  code dpsDeclaration = !strconcat([{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }], tilingDeclaration);
  let extraClassDeclaration = dpsDeclaration;
  let extraClassDefinition = tilingDefinitions;
}

include "dialects/SSM/IR/SSMScanOps.td"

//===----------------------------------------------------------------------===//
// Discretization
//===----------------------------------------------------------------------===//

def SSM_DiscretizeOp : SSM_Op<"discretize", [AttrSizedOperandSegments]> {
  let summary = "Steps of a continuous system: decays, and factors of what is injected";
  let description = [{
    `delta` is [B, T, D], `rate` (and `imag`, its imaginary part) [D] or [D, N], `bias` [D], `gate`
    [B, T, D]; results are [B, T, D] or [B, T, D, N]. With x = delta + bias, through softplus if
    `softplus` (x itself where x > 20) and limited to [`low`, `high`]:

    | rule | decay | factor | further results |
    |---|---|---|---|
    | `zoh` | x rate, a logarithm | (exp(x rate) - 1) / rate, x where rate is 0 | |
    | `exponential_euler` | x rate (x without a rate), a logarithm | x | |
    | `euler` | 1 + x rate, linear | x | |
    | `bilinear` | (1 + x rate / 2) / (1 - x rate / 2), linear | x / (1 - x rate / 2) | |
    | `trapezoid` | x rate, a logarithm | x sigmoid(gate) | x (1 - sigmoid(gate)), for the token before |
    | `rglru` | -8 sigmoid(x) softplus(rate), a logarithm | sqrt(1 - exp(2 decay)) | |

    With `imag`, `zoh` and `bilinear` are complex: the results are decay, angle, and the real and
    imaginary part of the factor; decay and angle are as `ssm.scan complex_diag` takes them. For
    `rglru`, `offsets` names sequences: the factor of the first token of each is 1 (Griffin,
    arXiv 2402.19427, section 2.4). Computes in float32, or float64 for such a `delta`.
    Loops of tiles: B, T, D and N; not T where there are offsets.
    Sources: Mamba (arXiv 2312.00752), Mamba-3 (arXiv 2603.15569), S5 (arXiv 2208.04933).

    ```mlir
    func.func @main(%delta: tensor<2x5x8xf32>, %rate: tensor<8xf32>) -> (tensor<2x5x8xf32>, tensor<2x5x8xf32>) {
      %init = tensor.empty() : tensor<2x5x8xf32>
      %decay, %factor = ssm.discretize zoh softplus delta(%delta : tensor<2x5x8xf32>) rate(%rate : tensor<8xf32>)
          outs(%init, %init : tensor<2x5x8xf32>, tensor<2x5x8xf32>)
          -> tensor<2x5x8xf32>, tensor<2x5x8xf32>
      return %decay, %factor : tensor<2x5x8xf32>, tensor<2x5x8xf32>
    }
    ```
  }];
  let arguments = (ins SSM_Rule:$rule, AnyRankedTensor:$delta, Optional<AnyRankedTensor>:$rate,
                       Optional<AnyRankedTensor>:$imag, Optional<AnyRankedTensor>:$bias,
                       Optional<AnyRankedTensor>:$gate, Optional<AnyRankedTensor>:$offsets,
                       Variadic<AnyRankedTensor>:$inits, UnitAttr:$softplus,
                       OptionalAttr<F64Attr>:$low, OptionalAttr<F64Attr>:$high);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $rule (`softplus` $softplus^)? (`low` `=` $low^)? (`high` `=` $high^)?
    `delta` `(` $delta `:` type($delta) `)` (`rate` `(` $rate^ `:` type($rate) `)`)?
    (`imag` `(` $imag^ `:` type($imag) `)`)? (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`gate` `(` $gate^ `:` type($gate) `)`)? (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

def SSM_CausalConv1dOp : SSM_Op<"causal_conv1d", [AttrSizedOperandSegments]> {
  let summary = "Depthwise convolution over the tokens before";
  let description = [{
    `input` is [B, T, C], `filter` [C, W], `bias` [C]. Token t of the result is
    `sum_j filter[c, j] x[t - (W - 1 - j) dilation]` plus bias, through the activation; what lies
    before the first token is `state` [B, (W - 1) dilation, C], oldest first, or 0. `reverse`: the
    tokens in reverse order, from the last to the first, likewise.
    Results: the output, and if there is a second init the state after the last token.

    With `offsets` (exclusive prefix, i32, G + 1 entries, B = 1) the tokens are G sequences, and
    states have G rows. `slots(sources, destinations)` gives rows of the states to begin with (-1:
    zeros) and to write (-1: none); other rows of the result keep the init's. Offsets that
    do not ascend in [0, T] fail the call; tokens of no sequence keep the init's value. Sums are float32, or
    float64 for such an input. Loops of tiles: B and C; not B where there are offsets or
    destinations.

    ```mlir
    func.func @main(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %s: tensor<2x3x3xf32>)
        -> (tensor<2x7x3xf32>, tensor<2x3x3xf32>) {
      %y0 = tensor.empty() : tensor<2x7x3xf32>
      %s0 = tensor.empty() : tensor<2x3x3xf32>
      %y, %next = ssm.causal_conv1d silu ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>)
          state(%s : tensor<2x3x3xf32>) outs(%y0, %s0 : tensor<2x7x3xf32>, tensor<2x3x3xf32>)
          -> tensor<2x7x3xf32>, tensor<2x3x3xf32>
      return %y, %next : tensor<2x7x3xf32>, tensor<2x3x3xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter,
                       Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$state,
                       Optional<AnyRankedTensor>:$offsets, Optional<AnyRankedTensor>:$sources,
                       Optional<AnyRankedTensor>:$destinations, Variadic<AnyRankedTensor>:$inits,
                       DefaultValuedAttr<SSM_Activation, "Activation::None">:$activation,
                       DefaultValuedAttr<I64Attr, "1">:$dilation, UnitAttr:$reverse);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    ($activation^)? (`dilation` `=` $dilation^)? (`reverse` $reverse^)?
    `ins` `(` $input `,` $filter `:` type($input) `,` type($filter) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)? (`state` `(` $state^ `:` type($state) `)`)?
    (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    (`sources` `(` $sources^ `:` type($sources) `)`)?
    (`destinations` `(` $destinations^ `:` type($destinations) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

def SSM_LongConvOp : SSM_Op<"long_conv", [AttrSizedOperandSegments]> {
  let summary = "Causal convolution with a filter as long as the sequence";
  let description = [{
    `input` is [B, T, D], `filter` [D, L], `skip` [D], both gates [B, T, D]. With u = input, times
    the gate `pre` if given, the result is `sum_{j <= t, j < L} filter[d, j] u[t - j] + skip[d] u[t]`,
    times the gate `post` if given. `reverse`: over the tokens after instead of before. `method`
    names how a target should compute it. Sums are float32, or float64 for such an input.
    Loops of tiles: B and D. Sources: Hyena (arXiv 2302.10866), FlashFFTConv (arXiv 2311.05908).

    ```mlir
    func.func @main(%u: tensor<2x9x3xf32>, %k: tensor<3x9xf32>) -> tensor<2x9x3xf32> {
      %init = tensor.empty() : tensor<2x9x3xf32>
      %y = ssm.long_conv ins(%u, %k : tensor<2x9x3xf32>, tensor<3x9xf32>)
          outs(%init : tensor<2x9x3xf32>) -> tensor<2x9x3xf32>
      return %y : tensor<2x9x3xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter,
                       Optional<AnyRankedTensor>:$skip, Optional<AnyRankedTensor>:$pre,
                       Optional<AnyRankedTensor>:$post, Variadic<AnyRankedTensor>:$inits,
                       DefaultValuedAttr<SSM_ConvMethod, "ConvMethod::Auto">:$method,
                       UnitAttr:$reverse);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    (`method` `=` $method^)? (`reverse` $reverse^)?
    `ins` `(` $input `,` $filter `:` type($input) `,` type($filter) `)`
    (`skip` `(` $skip^ `:` type($skip) `)`)? (`pre` `(` $pre^ `:` type($pre) `)`)?
    (`post` `(` $post^ `:` type($post) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

//===----------------------------------------------------------------------===//
// Reductions to states, and pieces of chunked scans
//===----------------------------------------------------------------------===//

def SSM_ReduceStateOp : SSM_Op<"reduce_state", [AttrSizedOperandSegments]> {
  let summary = "The sum over all tokens of keys times values";
  let description = [{
    `key` is [B, T, H, K], `value` [B, T, H, V], `weights` [B, T, H]; the result is [B, H, K, V]:
    `sum_t weights[t] key[t, k] value[t, v]`, in float32 or float64. It is the state of linear
    attention that is not causal, and of EfficientViM's hidden-state mixer. Heads of `key` divide
    those of `value`. With `offsets` (exclusive prefix, i32, G + 1 entries, B = 1) the result has
    a row for each of the G sequences. Loops of tiles: B (not where there are offsets), H, K
    and V.

    ```mlir
    func.func @main(%k: tensor<2x9x1x4xf32>, %v: tensor<2x9x3x5xf32>) -> tensor<2x3x4x5xf32> {
      %init = tensor.empty() : tensor<2x3x4x5xf32>
      %s = ssm.reduce_state ins(%k, %v : tensor<2x9x1x4xf32>, tensor<2x9x3x5xf32>)
          outs(%init : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
      return %s : tensor<2x3x4x5xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$key, AnyRankedTensor:$value,
                       Optional<AnyRankedTensor>:$weights, Optional<AnyRankedTensor>:$offsets,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $key `,` $value `:` type($key) `,` type($value) `)`
    (`weights` `(` $weights^ `:` type($weights) `)`)?
    (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

def SSM_SegsumOp : SSM_Op<"segsum"> {
  let summary = "The decay from each token of a chunk to each later one";
  let description = [{
    `decay` is [..., Q], logarithms; the result [..., Q, Q]: element (i, j) is
    `exp(decay[j + 1] + ... + decay[i])`, 1 on the diagonal and 0 above it. Each sum is
    taken by itself, never as a difference of sums from the first token on, which overflows.
    Mamba-2 (arXiv 2405.21060), listing 1. Loops of tiles: the leading dimensions.

    ```mlir
    func.func @main(%g: tensor<2x6xf32>) -> tensor<2x6x6xf32> {
      %init = tensor.empty() : tensor<2x6x6xf32>
      %l = ssm.segsum ins(%g : tensor<2x6xf32>) outs(%init : tensor<2x6x6xf32>) -> tensor<2x6x6xf32>
      return %l : tensor<2x6x6xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$decay, Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $decay `:` type($decay) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

def SSM_SolveTrilOp : SSM_Op<"solve_tril"> {
  let summary = "Solves systems with a lower triangular matrix of unit diagonal";
  let description = [{
    `matrix` is [..., Q, Q], of which only what is below the diagonal is read, `rhs` [..., Q, N]:
    the result X, [..., Q, N], satisfies (I + strictly_lower(matrix)) X = rhs. By forward
    substitution, in float32 or float64: the transformation of the chunked delta rule
    (arXiv 2406.06484, equation 10) is the weakest of its steps numerically. Loops of tiles:
    the leading dimensions and N.

    ```mlir
    func.func @main(%a: tensor<3x6x6xf32>, %b: tensor<3x6x4xf32>) -> tensor<3x6x4xf32> {
      %init = tensor.empty() : tensor<3x6x4xf32>
      %x = ssm.solve_tril ins(%a, %b : tensor<3x6x6xf32>, tensor<3x6x4xf32>)
          outs(%init : tensor<3x6x4xf32>) -> tensor<3x6x4xf32>
      return %x : tensor<3x6x4xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$matrix, AnyRankedTensor:$rhs,
                       Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $matrix `,` $rhs `:` type($matrix) `,` type($rhs) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict `->` type($results)
  }];
}

//===----------------------------------------------------------------------===//
// Any associative operation
//===----------------------------------------------------------------------===//

def SSM_ScanRegionOp : SSM_Op<"scan_region", [SameVariadicOperandSize, SingleBlock]> {
  let summary = "Prefixes of tensors under an associative operation of any arity";
  let description = [{
    N tensors of one shape, combined along `dimension`: element i of the results is
    x_0 * x_1 * ... * x_i, where x is a tuple of N elements and * the region, which gets the
    2N elements of two tuples, the earlier first, and yields N. `exclusive` results lack x_i and
    begin with the scalars `identity`; without it these are not used. `reverse` goes from the last
    element to the first. The region must be associative for a target to split the scan;
    this one combines in order. Loops of tiles: the other dimensions.

    ```mlir
    func.func @main(%a: tensor<4x9xf32>, %b: tensor<4x9xf32>) -> (tensor<4x9xf32>, tensor<4x9xf32>) {
      %init = tensor.empty() : tensor<4x9xf32>
      %one = arith.constant 1.0 : f32
      %zero = arith.constant 0.0 : f32
      %p, %h = ssm.scan_region dimension = 1 ins(%a, %b : tensor<4x9xf32>, tensor<4x9xf32>)
          identity(%one, %zero : f32, f32) outs(%init, %init : tensor<4x9xf32>, tensor<4x9xf32>) {
      ^bb0(%a0: f32, %b0: f32, %a1: f32, %b1: f32):
        %0 = arith.mulf %a0, %a1 : f32
        %1 = arith.mulf %a1, %b0 : f32
        %2 = arith.addf %1, %b1 : f32
        ssm.yield %0, %2 : f32, f32
      } -> tensor<4x9xf32>, tensor<4x9xf32>
      return %p, %h : tensor<4x9xf32>, tensor<4x9xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, Variadic<AnyType>:$identity,
                       Variadic<AnyRankedTensor>:$inits, I64Attr:$dimension, UnitAttr:$exclusive,
                       UnitAttr:$reverse);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$combiner);
  let hasCanonicalizeMethod = 1;
  let assemblyFormat = [{
    (`exclusive` $exclusive^)? (`reverse` $reverse^)? `dimension` `=` $dimension
    `ins` `(` $inputs `:` type($inputs) `)` `identity` `(` $identity `:` type($identity) `)`
    `outs` `(` $inits `:` type($inits) `)` attr-dict-with-keyword $combiner `->` type($results)
  }];
}

def SSM_YieldOp : Op<SSM_Dialect, "yield", [Pure, ReturnLike, Terminator,
    HasParent<"ScanRegionOp">]> {
  let summary = "Ends the combiner of a scan";
  let description = [{ Its operands are the combined tuple; `ssm.scan_region` has an example. }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // SSM_OPS_TD
