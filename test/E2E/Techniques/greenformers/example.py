"""Greenformers: Improving Computation and Memory Efficiency in Transformer Models via Low-Rank Approximation

Theme: structured-matrix

Claim: Linear layers become products of two thin ones for sequences up to 512; longer ones project keys
and values along the sequence (Linformer). BERT-base costs over 30 % less.

Shown: Queries, keys and values by `#weft.low_rank<4>` with factors in 8 bits, then attention over keys
and values projected from 37 positions to 8, whose scores are 8 wide.
"""

import numpy as np

T, D, RANK, SHORT = 37, 20, 4, 8

LEAF = "#weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>]>"


def layer(name):
    return f"""
  %w{name} = weft.assemble %{name}0, %{name}1, %{name}2, %{name}3
    : tensor<20x4xi8>, tensor<20x1xf32>, tensor<4x20xi8>, tensor<4x1xf32> -> !weight
  %{name} = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w{name} : tensor<37x20xf32>, !weight)
              outs(%zeros : tensor<37x20xf32>) -> tensor<37x20xf32>"""


def shorter(name):
    return f"""
  %short_{name} = weft.contract indexing_maps = [#along, #rows, #y]
             ins(%project, %{name} : tensor<8x37xf32>, tensor<37x20xf32>)
             outs(%few : tensor<8x20xf32>) -> tensor<8x20xf32>"""


def MODULE():
    weights = ", ".join(f"%{n}0: tensor<20x4xi8>, %{n}1: tensor<20x1xf32>, %{n}2: tensor<4x20xi8>, "
                        f"%{n}3: tensor<4x1xf32>" for n in "qkv")
    return f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#along = affine_map<(t, n, k) -> (t, k)>
#rows = affine_map<(t, n, k) -> (k, n)>
!weight = !weft.packed<20x20xf32, #weft.low_rank<4, {LEAF}, {LEAF}>>

func.func @main(%x: tensor<37x20xf32>, {weights}, %project: tensor<8x37xf32>) -> tensor<37x20xf32> {{
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<37x20xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<37x20xf32>) -> tensor<37x20xf32>
  %short = tensor.empty() : tensor<8x20xf32>
  %few = linalg.fill ins(%zero : f32) outs(%short : tensor<8x20xf32>) -> tensor<8x20xf32>{
    "".join(map(layer, "qkv"))}{"".join(map(shorter, "kv"))}
  %y = attn.attend layout = "sd,td,te->se"
         ins(%q, %short_k, %short_v : tensor<37x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>)
         outs(%empty : tensor<37x20xf32>) -> tensor<37x20xf32>
  return %y : tensor<37x20xf32>
}}
"""


# Exponentials of scores of about 1 that are sums of 20 products of sums, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    given = {"x": rng.standard_normal((T, D)).astype(np.float32)}
    for name in "qkv":
        # Decaying singular values, as trained weights have them.
        u, s, vt = np.linalg.svd(rng.standard_normal((D, D)) / np.sqrt(D))
        s *= 0.7 ** np.arange(D)
        for at, factor in ((0, u[:, :RANK] * s[:RANK]), (2, vt[:RANK])):
            scale = abs(factor).max(1, keepdims=True) / 127
            given[f"{name}{at}"] = np.rint(factor / scale).astype(np.int8)
            given[f"{name}{at + 1}"] = scale.astype(np.float32)
    given["project"] = (rng.standard_normal((SHORT, T)) / np.sqrt(T)).astype(np.float32)
    return given


def reference(inputs, ablated):
    given = {k: v.astype(np.float64) for k, v in inputs.items()}
    q, k, v = (given["x"] @ ((given[n + "0"] * given[n + "1"]) @ (given[n + "2"] * given[n + "3"])).T
               for n in "qkv")
    if not ablated:
        k, v = given["project"] @ k, given["project"] @ v
    scores = np.exp(q @ k.T / np.sqrt(D))
    return [scores / scores.sum(1, keepdims=True) @ v]


def check(example):
    stored = sum(v.nbytes for k, v in example.calls[0][0].items() if k[0] in "qkv")
    assert stored < 3 * D * D * 0.7, stored
    assert "37x37" not in example.module.after("fuse")
