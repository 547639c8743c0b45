"""Increasing Model Capacity for Free: A Simple Strategy for Parameter Efficient Fine-tuning

Theme: sparsity

Claim: Several low-rank modules that share one weight under different fixed random masks have the rank of
as many, at no more parameters; merged, they cost nothing at inference.

Shown: sum_i (B * m_i)(A * m'_i) as `#weft.sum` of three `#weft.low_rank<2, bitmap, bitmap>` whose stored
numbers are parts of one A and one B; the sum has rank 6.
"""

import numpy as np

import encode

N, K, RANK, COPIES = 18, 22, 2, 3

TERM = ("#weft.low_rank<2, #weft.format<elem = #weft.value<f32>, structure = #sparse.bitmap>, "
        "#weft.format<elem = #weft.value<f32>, structure = #sparse.bitmap>>")


def MODULE():
    arguments, parts, kinds = [], [], []
    for i in range(COPIES):
        for side, rows in (("b", N), ("a", RANK)):
            symbol = f"n{side}{i}"
            kinds += ["tensor<?xi32>", f"tensor<{rows}x1xi64>", f"tensor<{rows}x1xi32>"]
            names = [f"%{side}{i}", f"%{side}{i}_words", f"%{side}{i}_offsets"]
            parts += names
            arguments += [f'{names[0]}: tensor<?xi32> {{weft.name = "{side}{i}", weft.dims = ["{symbol}"]}}',
                          f"{names[1]}: {kinds[-2]}", f"{names[2]}: {kinds[-1]}"]
    symbols = ", ".join(f'%n{s}{i}: index {{weft.symbol = "n{s}{i}"}}' for i in range(COPIES) for s in "ba")
    return f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!delta = !weft.packed<18x22xf32, #weft.sum<[{', '.join([TERM] * COPIES)}]>>

func.func @main(%t: index {{weft.symbol = "t"}}, {symbols},
                %x: tensor<?x22xf32> {{weft.name = "x", weft.dims = ["t", 22]}},
                {', '.join(arguments)}) -> tensor<?x18xf32> {{
  %w = weft.assemble {', '.join(parts)} : {', '.join(kinds)} -> !delta
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x18xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x18xf32>) -> tensor<?x18xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x22xf32>, !delta)
         outs(%init : tensor<?x18xf32>) -> tensor<?x18xf32>
  return %y : tensor<?x18xf32>
}}
"""


# Sums of 22 products of numbers that are sums of six, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    b, a = (rng.standard_normal(s).astype(np.float32) for s in ((N, RANK), (RANK, K)))
    masks = [(rng.random(b.shape) < 0.5, rng.random(a.shape) < 0.5) for _ in range(COPIES)]
    calls = []
    for t in (K, 3):
        x = np.eye(K) if t == K else rng.standard_normal((t, K))
        given = {"x": x.astype(np.float32)}
        for i, pair in enumerate(masks):
            for side, weight, mask in zip("ba", (b, a), pair):
                words, offsets = encode.bitmap(mask)
                given |= {f"{side}{i}": weight[mask].view(np.int32), f"{side}{i}_words": words,
                          f"{side}{i}_offsets": offsets}
        calls.append(given | {"_a": a, "_b": b, "_masks": masks})
    return calls


def reference(inputs, ablated):
    """Ablated: one module under one mask."""
    masks = inputs["_masks"][:1 if ablated else COPIES]
    delta = sum((inputs["_b"] * m).astype(np.float64) @ (inputs["_a"] * n) for m, n in masks)
    return [inputs["x"].astype(np.float64) @ delta.T]


def check(example):
    assert np.linalg.matrix_rank(example.calls[0][1][0], tol=1e-3) == COPIES * RANK
