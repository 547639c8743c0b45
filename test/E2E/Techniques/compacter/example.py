"""Compacter: Efficient Low-Rank Hypercomplex Adapter Layers

Theme: structured-matrix

Claim: Adapter weights are sums of Kronecker products of small matrices that all layers share with
rank-one matrices of each: 0.047 % of a model's parameters are trained.

Shown: Both projections of an adapter are `#weft.sum` of three `#weft.kron` whose right factor is
`#weft.low_rank<1>`; the same three 3 x 3 matrices serve both.
"""

import numpy as np

D, INNER, TERMS = 24, 6, 3

TERM = "#weft.kron<[3, 3], #weft.dense, #weft.low_rank<1, #weft.dense, #weft.dense>>"


def MODULE():
    def packed(name, rows, columns):
        parts = [p for i in range(TERMS) for p in (f"%a{i}", f"%{name}s{i}", f"%{name}t{i}")]
        kinds = ["tensor<3x3xf32>", f"tensor<{rows // 3}x1xf32>", f"tensor<1x{columns // 3}xf32>"]
        return (f"weft.assemble {', '.join(parts)} : {', '.join(kinds * TERMS)} -> !{name}")

    arguments = [f"%a{i}: tensor<3x3xf32>" for i in range(TERMS)]
    for name, rows, columns in (("down", 2, 8), ("up", 8, 2)):
        for i in range(TERMS):
            arguments += [f"%{name}s{i}: tensor<{rows}x1xf32>", f"%{name}t{i}: tensor<1x{columns}xf32>"]
    return f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#same = affine_map<(t, n) -> (t, n)>
!down = !weft.packed<6x24xf32, #weft.sum<[{', '.join([TERM] * TERMS)}]>>
!up = !weft.packed<24x6xf32, #weft.sum<[{', '.join([TERM] * TERMS)}]>>

func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x24xf32> {{weft.name = "x", weft.dims = ["t", 24]}},
                {', '.join(arguments)}) -> tensor<?x24xf32> {{
  %down = {packed("down", INNER, D)}
  %up = {packed("up", D, INNER)}
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x6xf32>) -> tensor<?x6xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %down : tensor<?x24xf32>, !down)
             outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  %active = linalg.generic {{indexing_maps = [#same, #same],
      iterator_types = ["parallel", "parallel"]}}
      ins(%inner : tensor<?x6xf32>) outs(%empty : tensor<?x6xf32>) {{
  ^bb0(%v: f32, %old: f32):
    %z = arith.constant 0.0 : f32
    %m = arith.maximumf %v, %z : f32
    linalg.yield %m : f32
  }} -> tensor<?x6xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%active, %up : tensor<?x6xf32>, !up)
         outs(%x : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}}
"""


# Sums of 24 products, of numbers that are themselves sums of three.
TOLERANCE = 1e-5


def inputs(rng):
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    calls = []
    for t in (1, 5):
        given = {"x": normal(t, D)} | {f"a{i}": normal(3, 3) for i in range(TERMS)}
        for name, rows, columns in (("down", 2, 8), ("up", 8, 2)):
            for i in range(TERMS):
                given |= {f"{name}s{i}": normal(rows, 1), f"{name}t{i}": normal(1, columns)}
        calls.append(given)
    return calls


def reference(inputs, ablated):
    """Without the products: one rank-one matrix for each projection, repeated."""
    given = {k: v.astype(np.float64) for k, v in inputs.items()}

    def weight(name):
        return sum(np.kron(np.ones((3, 3)) if ablated else given[f"a{i}"],
                           given[f"{name}s{i}"] @ given[f"{name}t{i}"]) for i in range(TERMS))
    x = given["x"]
    return [x + np.maximum(x @ weight("down").T, 0) @ weight("up").T]


def check(example):
    stored = sum(v.size for k, v in example.calls[0][0].items() if k != "x")
    assert stored < 2 * D * INNER / 3, stored
    text = example.module.after("fuse")
    assert "tensor<6x24xf32>" not in text and "tensor<24x6xf32>" not in text
