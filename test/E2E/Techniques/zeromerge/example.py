"""ZeroMerge: Parameter-Free KV Cache Compression for Memory-Efficient Long-Context LLMs

Theme: attention

Claim: What leaves the cache of keys and values is merged into residual entries instead of lost,
and scores are corrected by how many tokens an entry stands for: 5 % of the cache, no training.

Shown: `attn.kv_evict` keeps the first 2, the last 3 and the 4 most important of 40 entries by
head; the mean of the 31 others is one more entry, whose score gets log(31) as `bias`. Closer to
the attention of all entries than without the residual.
"""

import numpy as np

H, T, D, KEPT, SINKS, RECENT, S = 3, 40, 7, 9, 2, 3, 2

MODULE = """
func.func @main(%q: tensor<1x3x2x7xf32>, %k: tensor<1x3x40x7xf32>, %v: tensor<1x3x40x7xf32>,
    %importance: tensor<1x3x40xf32>) -> (tensor<1x3x2x7xf32>, tensor<1x3x9xi32>) {
  %ei = tensor.empty() : tensor<1x3x9xi32>
  %ec = tensor.empty() : tensor<1x3x9x7xf32>
  %kept, %kk, %kv = attn.kv_evict sinks = 2 recent = 3 ins(%importance : tensor<1x3x40xf32>)
      caches(%k, %v : tensor<1x3x40x7xf32>, tensor<1x3x40x7xf32>)
      outs(%ei, %ec, %ec : tensor<1x3x9xi32>, tensor<1x3x9x7xf32>, tensor<1x3x9x7xf32>)
      -> tensor<1x3x9xi32>, tensor<1x3x9x7xf32>, tensor<1x3x9x7xf32>

  // The mean of the evicted is the sum of all less that of the kept.
  %z = arith.constant dense<0.0> : tensor<1x3x7xf32>
  %n = arith.constant dense<31.0> : tensor<1x3x7xf32>
  %e = tensor.empty() : tensor<1x3x7xf32>
  %ka = linalg.reduce { arith.addf } ins(%k : tensor<1x3x40x7xf32>)
      outs(%z : tensor<1x3x7xf32>) dimensions = [2]
  %kb = linalg.reduce { arith.addf } ins(%kk : tensor<1x3x9x7xf32>)
      outs(%z : tensor<1x3x7xf32>) dimensions = [2]
  %va = linalg.reduce { arith.addf } ins(%v : tensor<1x3x40x7xf32>)
      outs(%z : tensor<1x3x7xf32>) dimensions = [2]
  %vb = linalg.reduce { arith.addf } ins(%kv : tensor<1x3x9x7xf32>)
      outs(%z : tensor<1x3x7xf32>) dimensions = [2]
  %kd = linalg.sub ins(%ka, %kb : tensor<1x3x7xf32>, tensor<1x3x7xf32>)
      outs(%e : tensor<1x3x7xf32>) -> tensor<1x3x7xf32>
  %vd = linalg.sub ins(%va, %vb : tensor<1x3x7xf32>, tensor<1x3x7xf32>)
      outs(%e : tensor<1x3x7xf32>) -> tensor<1x3x7xf32>
  %km = linalg.div ins(%kd, %n : tensor<1x3x7xf32>, tensor<1x3x7xf32>)
      outs(%e : tensor<1x3x7xf32>) -> tensor<1x3x7xf32>
  %vm = linalg.div ins(%vd, %n : tensor<1x3x7xf32>, tensor<1x3x7xf32>)
      outs(%e : tensor<1x3x7xf32>) -> tensor<1x3x7xf32>
  %k1 = tensor.expand_shape %km [[0], [1, 2], [3]] output_shape [1, 3, 1, 7]
      : tensor<1x3x7xf32> into tensor<1x3x1x7xf32>
  %v1 = tensor.expand_shape %vm [[0], [1, 2], [3]] output_shape [1, 3, 1, 7]
      : tensor<1x3x7xf32> into tensor<1x3x1x7xf32>
  %keys = tensor.concat dim(2) %kk, %k1 : (tensor<1x3x9x7xf32>, tensor<1x3x1x7xf32>)
      -> tensor<1x3x10x7xf32>
  %values = tensor.concat dim(2) %kv, %v1 : (tensor<1x3x9x7xf32>, tensor<1x3x1x7xf32>)
      -> tensor<1x3x10x7xf32>

  // log(31) for the entry that stands for 31.
  %weight = arith.constant dense<[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.4339872]>
      : tensor<10xf32>
  %o = tensor.empty() : tensor<1x3x2x7xf32>
  %y = attn.attend ins(%q, %keys, %values
      : tensor<1x3x2x7xf32>, tensor<1x3x10x7xf32>, tensor<1x3x10x7xf32>)
         bias(%weight : tensor<10xf32>) outs(%o : tensor<1x3x2x7xf32>) -> tensor<1x3x2x7xf32>
  return %y, %kept : tensor<1x3x2x7xf32>, tensor<1x3x9xi32>
}
"""

# Sums of 40 numbers of which 9 are taken off again, products of 7 and a softmax, in f32.
TOLERANCE = 2e-5


def attention(q, keys, values, count):
    score = count * np.exp(keys @ q / np.sqrt(D))
    return score / score.sum() @ values


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    q, k, v = f(1, H, S, D), f(1, H, T, D), f(1, H, T, D) + np.float32(1)
    # What the queries so far looked at.
    seen = np.exp(np.einsum("bhsd,bhtd->bhst", q + 0.3 * f(1, H, S, D), k) / np.sqrt(D)).sum(2)
    return {"q": q, "k": k, "v": v, "importance": seen.astype(np.float32)}


def reference(inputs, ablated):
    q, k, v = (inputs[x][0].astype(np.float64) for x in "qkv")
    y, kept = np.zeros((1, H, S, D)), np.zeros((1, H, KEPT), np.int32)
    for h in range(H):
        middle = np.arange(SINKS, T - RECENT)
        best = middle[np.argsort(-inputs["importance"][0, h, middle], kind="stable")]
        keep = np.r_[0:SINKS, T - RECENT:T, best[:KEPT - SINKS - RECENT]]
        kept[0, h] = keep = np.sort(keep)
        gone = np.setdiff1d(np.arange(T), keep)
        keys, values = (np.concatenate([x[h, keep], x[h, gone].mean(0)[None]]) for x in (k, v))
        count = np.r_[np.ones(KEPT), 1 if ablated else len(gone)]
        for s in range(S):
            y[0, h, s] = attention(q[h, s], keys, values, count)
    return [y, kept]


def check(example):
    given, have, _ = example.calls[0]
    error = {"merged": 0.0, "lost": 0.0}
    for h in range(H):
        keep = have[1][0, h]
        for s in range(S):
            q, k, v = given["q"][0, h, s], given["k"][0, h], given["v"][0, h]
            full, lost = attention(q, k, v, 1), attention(q, k[keep], v[keep], 1)
            error["merged"] += np.linalg.norm(have[0][0, h, s] - full)
            error["lost"] += np.linalg.norm(lost - full)
    assert error["merged"] < error["lost"], error
