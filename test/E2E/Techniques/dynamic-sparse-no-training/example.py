"""Dynamic Sparse No Training: Training-Free Fine-tuning for Sparse LLMs

Theme: sparsity

Claim: A mask is refined without training: in each row weights are grown that lessen the expected error
of its output, and pruned where that costs least, by Wanda's score; perplexity at 70 % falls by tens.

Shown: One cycle in the module: means and norms of calibration activations (`lowp.observe`), the row's
expected error, the grown and the pruned position of each row as reductions; then a product.
"""

import numpy as np

N, K, SAMPLES = 12, 30, 50

MODULE = """
#cell = affine_map<(n, k) -> (n, k)>
#row = affine_map<(n, k) -> (n)>
#input = affine_map<(n, k) -> (0, k)>
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>

func.func @main(%weight: tensor<12x30xf32>, %mask: tensor<12x30xi8>, %calibration: tensor<50x30xf32>,
                %x: tensor<2x30xf32>) -> (tensor<12x30xi8>, tensor<2x12xf32>) {
  %sums = lowp.observe sum %calibration blocks [0, 1] : tensor<50x30xf32> -> tensor<1x30xf32>
  %squares = lowp.observe sum_of_squares %calibration blocks [0, 1] : tensor<50x30xf32>
      -> tensor<1x30xf32>
  %zero = arith.constant 0.0 : f32
  %rows = tensor.empty() : tensor<12xf32>
  %none = linalg.fill ins(%zero : f32) outs(%rows : tensor<12xf32>) -> tensor<12xf32>
  // What a row's output lacks in the mean: the sum of W * mean over pruned weights.
  %error = linalg.generic {indexing_maps = [#cell, #cell, #input, #row],
      iterator_types = ["parallel", "reduction"]}
      ins(%weight, %mask, %sums : tensor<12x30xf32>, tensor<12x30xi8>, tensor<1x30xf32>)
      outs(%none : tensor<12xf32>) {
  ^bb0(%v: f32, %m: i8, %sum: f32, %acc: f32):
    %off = arith.constant 0 : i8
    %nothing = arith.constant 0.0 : f32
    %pruned = arith.cmpi eq, %m, %off : i8
    %share = arith.mulf %v, %sum : f32
    %lost = arith.select %pruned, %share, %nothing : f32
    %next = arith.addf %acc, %lost : f32
    linalg.yield %next : f32
  } -> tensor<12xf32>
  // Growing takes the pruned weight of the largest share in the error's direction.
  %least = arith.constant -1.0e30 : f32
  %most = arith.constant 1.0e30 : f32
  %low = linalg.fill ins(%least : f32) outs(%rows : tensor<12xf32>) -> tensor<12xf32>
  %high = linalg.fill ins(%most : f32) outs(%rows : tensor<12xf32>) -> tensor<12xf32>
  %gain = linalg.generic {indexing_maps = [#cell, #cell, #input, #row, #row],
      iterator_types = ["parallel", "reduction"]}
      ins(%weight, %mask, %sums, %error
      : tensor<12x30xf32>, tensor<12x30xi8>, tensor<1x30xf32>, tensor<12xf32>)
      outs(%low : tensor<12xf32>) {
  ^bb0(%v: f32, %m: i8, %sum: f32, %e: f32, %acc: f32):
    %off = arith.constant 0 : i8
    %worst = arith.constant -1.0e30 : f32
    %pruned = arith.cmpi eq, %m, %off : i8
    %share = arith.mulf %v, %sum : f32
    %signed = arith.mulf %share, %e : f32
    %candidate = arith.select %pruned, %signed, %worst : f32
    %next = arith.maximumf %acc, %candidate : f32
    linalg.yield %next : f32
  } -> tensor<12xf32>
  // Pruning takes the kept weight of the least |W| * norm among those whose loss lessens the error.
  %cost = linalg.generic {indexing_maps = [#cell, #cell, #input, #input, #row, #row],
      iterator_types = ["parallel", "reduction"]}
      ins(%weight, %mask, %sums, %squares, %error
          : tensor<12x30xf32>, tensor<12x30xi8>, tensor<1x30xf32>, tensor<1x30xf32>, tensor<12xf32>)
      outs(%high : tensor<12xf32>) {
  ^bb0(%v: f32, %m: i8, %sum: f32, %square: f32, %e: f32, %acc: f32):
    %off = arith.constant 0 : i8
    %nothing = arith.constant 0.0 : f32
    %never = arith.constant 1.0e30 : f32
    %kept = arith.cmpi ne, %m, %off : i8
    %share = arith.mulf %v, %sum : f32
    %product = arith.mulf %share, %e : f32
    %lessens = arith.cmpf olt, %product, %nothing : f32
    %allowed = arith.andi %kept, %lessens : i1
    %size = math.absf %v : f32
    %norm = math.sqrt %square : f32
    %score = arith.mulf %size, %norm : f32
    %candidate = arith.select %allowed, %score, %never : f32
    %next = arith.minimumf %acc, %candidate : f32
    linalg.yield %next : f32
  } -> tensor<12xf32>
  %flags = tensor.empty() : tensor<12x30xi8>
  %numbers = tensor.empty() : tensor<12x30xf32>
  %refined, %sparse = linalg.generic {indexing_maps = [#cell, #cell, #input, #input, #row, #row, #row, #cell, #cell],
                                      iterator_types = ["parallel", "parallel"]}
      ins(%weight, %mask, %sums, %squares, %error, %gain, %cost
          : tensor<12x30xf32>, tensor<12x30xi8>, tensor<1x30xf32>, tensor<1x30xf32>, tensor<12xf32>,
            tensor<12xf32>, tensor<12xf32>)
      outs(%flags, %numbers : tensor<12x30xi8>, tensor<12x30xf32>) {
  ^bb0(%v: f32, %m: i8, %sum: f32, %square: f32, %e: f32, %g: f32, %c: f32, %old0: i8, %old1: f32):
    %off = arith.constant 0 : i8
    %nothing = arith.constant 0.0 : f32
    %kept = arith.cmpi ne, %m, %off : i8
    %share = arith.mulf %v, %sum : f32
    %product = arith.mulf %share, %e : f32
    %best = arith.cmpf oeq, %product, %g : f32
    %size = math.absf %v : f32
    %norm = math.sqrt %square : f32
    %score = arith.mulf %size, %norm : f32
    %cheapest = arith.cmpf oeq, %score, %c : f32
    %stays = arith.select %cheapest, %off, %m : i8
    %one = arith.constant 1 : i8
    %grown = arith.select %best, %one, %m : i8
    %flag = arith.select %kept, %stays, %grown : i8
    %on = arith.cmpi ne, %flag, %off : i8
    %number = arith.select %on, %v, %nothing : f32
    linalg.yield %flag, %number : i8, f32
  } -> (tensor<12x30xi8>, tensor<12x30xf32>)
  %empty = tensor.empty() : tensor<2x12xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x12xf32>) -> tensor<2x12xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %sparse : tensor<2x30xf32>, tensor<12x30xf32>)
         outs(%init : tensor<2x12xf32>) -> tensor<2x12xf32>
  return %refined, %y : tensor<12x30xi8>, tensor<2x12xf32>
}
"""

# Sums of at most 30 products in f32; masks are equal.
TOLERANCE = 3e-6


def inputs(rng):
    weight = rng.standard_normal((N, K)).astype(np.float32)
    calibration = (rng.standard_normal((SAMPLES, K)) + rng.uniform(-1, 1, K)).astype(np.float32)
    score = abs(weight) * np.linalg.norm(calibration, axis=0)
    mask = (np.argsort(np.argsort(-score, axis=1), axis=1) < K // 3).astype(np.int8)
    return {"weight": weight, "mask": mask, "calibration": calibration,
            "x": (rng.standard_normal((2, K)) + calibration.mean(0)).astype(np.float32)}


def reference(inputs, ablated):
    """One cycle, row by row; ablated: the mask that it began with."""
    weight, calibration = (inputs[k].astype(np.float64) for k in ("weight", "calibration"))
    mask, mean = inputs["mask"].copy(), calibration.mean(0)
    norm = np.linalg.norm(calibration, axis=0)
    for row in range(0 if ablated else N):
        share = weight[row] * mean
        lost = share[mask[row] == 0].sum()
        toward = share * np.sign(lost)
        pruned, kept = np.nonzero(mask[row] == 0)[0], np.nonzero(mask[row])[0]
        candidates = [k for k in kept if toward[k] < 0]
        mask[row, pruned[np.argmax(toward[pruned])]] = 1
        if candidates:
            mask[row, min(candidates, key=lambda k: abs(weight[row, k]) * norm[k])] = 0
    return [mask, inputs["x"].astype(np.float64) @ (weight * mask).T]


def check(example):
    """The expected error of the rows falls."""
    given, have, _ = example.calls[0]
    mean = given["calibration"].astype(np.float64).mean(0)
    before, after = (abs(((1 - m) * given["weight"] * mean).sum(1)).mean() for m in (given["mask"], have[0]))
    assert after < before, (before, after)
