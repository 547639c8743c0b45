#===- blocks.py - What the families of blocks are written with ------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""The cases of all families, random numbers and the parts that exporters write
everywhere."""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from graphs import Cases  # noqa: E402

rng = np.random.default_rng(11)
cases = Cases()


def f(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def w(*shape):
    return f(*shape, scale=1.0 / np.sqrt(max(1, np.prod(shape[1:]))))


def ints(*values):
    return np.array(values, np.int64)


def both(name, build, make, sizes, to=cases, **options):
    """A case with the extents `sizes[0]` fixed, and one with all `sizes`."""
    to.add(name, build, make(*sizes[0]), **options)
    to.add(name + "_dynamic", build, *[make(*s) for s in sizes], **options)


def linear(g, x, n, k, bias=True):
    y = g.MatMul(x, w(n, k).T.copy())
    return g.Add(f(n, scale=0.1), y) if bias else y


def extent(g, x, axis):
    """x.size(axis), as the TorchScript exporter writes it."""
    return g.Gather(g.Shape(x), np.int64(axis), axis=0)


def shape_of(g, *parts):
    """A shape of scalars and numbers."""
    return g.Concat(*[g.Unsqueeze(p, ints(0)) if isinstance(p, str) else ints(p) for p in parts],
                    axis=0)


def layer_norm(g, x, n):
    """As exporters below opset 17 decompose it."""
    mean = g.ReduceMean(x, axes=[-1])
    centered = g.Sub(x, mean)
    variance = g.ReduceMean(g.Pow(centered, np.float32(2)), axes=[-1])
    y = g.Div(centered, g.Sqrt(g.Add(variance, np.float32(1e-5))))
    return g.Add(g.Mul(y, f(n)), f(n))


def gelu(g, x):
    inner = g.Erf(g.Div(x, np.float32(np.sqrt(2))))
    return g.Mul(g.Mul(x, g.Add(inner, np.float32(1))), np.float32(0.5))
