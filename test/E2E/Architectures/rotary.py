#===- rotary.py - Rotary embeddings as exporters write them ---------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np
from onnx import TensorProto as T

from blocks import both, extent, f, ints, shape_of


def rope_half(g, q, positions):
    """Llama: halves turned, frequencies from positions."""
    inverse = g.constant((10000.0 ** -(np.arange(0, 8, 2) / 8)).astype(np.float32)[None, :, None])
    expanded = g.Expand(inverse, shape_of(g, extent(g, positions, 0), 4, 1))
    angles = g.Transpose(g.MatMul(expanded, g.Cast(g.Unsqueeze(positions, ints(1)), to=T.FLOAT)),
                         perm=[0, 2, 1])
    both_halves = g.Concat(angles, angles, axis=-1)
    cos, sin = (g.Unsqueeze(op(both_halves), ints(1)) for op in (g.Cos, g.Sin))
    half = g.Div(extent(g, q, 3), np.int64(2))
    first = g.Slice(q, ints(0), g.Unsqueeze(half, ints(0)), ints(3), ints(1))
    second = g.Slice(q, g.Unsqueeze(half, ints(0)), ints(2**63 - 1), ints(3), ints(1))
    rotated = g.Concat(g.Neg(second), first, axis=-1)
    return g.Add(g.Mul(q, cos), g.Mul(rotated, sin))


both("rope_half", rope_half,
     lambda b, s: {"q": f(b, 3, s, 8), "positions": np.tile(np.arange(s), (b, 1))},
     [(1, 5), (2, 9), (3, 1)])


def rope_interleaved(g, q):
    """GPT-J: pairs of neighbours turned, by strided slices and a stack."""
    s = extent(g, q, 1)
    t = g.Range(np.float32(0), g.Cast(s, to=T.FLOAT), np.float32(1))
    angles = g.Einsum(t, (10000.0 ** -(np.arange(0, 6, 2) / 6)).astype(np.float32),
                      equation="i,j->ij")
    cos, sin = (g.Unsqueeze(op(angles), ints(0, 2)) for op in (g.Cos, g.Sin))
    even = g.Slice(q, ints(0), ints(2**63 - 1), ints(3), ints(2))
    odd = g.Slice(q, ints(1), ints(2**63 - 1), ints(3), ints(2))
    a = g.Sub(g.Mul(even, cos), g.Mul(odd, sin))
    b = g.Add(g.Mul(even, sin), g.Mul(odd, cos))
    stacked = g.Concat(g.Unsqueeze(a, ints(-1)), g.Unsqueeze(b, ints(-1)), axis=-1)
    return g.Reshape(stacked, g.Shape(q))


both("rope_interleaved", rope_interleaved, lambda b, s: {"q": f(b, s, 2, 6)},
     [(1, 4), (2, 7), (1, 1)])


def rope_complex(g, q):
    """Llama's original: complex numbers as a last dimension of two."""
    pairs = g.Reshape(q, ints(0, 0, 2, -1, 2))
    real, imaginary = (g.Gather(pairs, np.int64(i), axis=-1) for i in (0, 1))
    table = g.Slice(f(16, 3, 2), ints(0), g.Slice(g.Shape(q), ints(1), ints(2)), ints(0))
    table = g.Unsqueeze(table, ints(0, 2))
    cos, sin = (g.Gather(table, np.int64(i), axis=4) for i in (0, 1))
    out = g.Concat(*[g.Unsqueeze(v, ints(-1)) for v in (
        g.Sub(g.Mul(real, cos), g.Mul(imaginary, sin)),
        g.Add(g.Mul(real, sin), g.Mul(imaginary, cos)))], axis=-1)
    return g.Reshape(out, shape_of(g, extent(g, q, 0), extent(g, q, 1), 12))


both("rope_complex", rope_complex, lambda b, s: {"q": f(b, s, 12)}, [(1, 4), (2, 16), (3, 1)])
