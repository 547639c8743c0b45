"""An Image is Worth 1/2 Tokens After Layer 2: Plug-and-Play Inference Acceleration for Large
Vision-Language Models

Theme: attention

Claim: After an early layer the image tokens that got the least attention can be dropped, half of
them; the layers after run on the shorter sequence. 45 % fewer operations for LLaVA-1.5-13B.

Shown: The attention that each token gets is made of the logarithms that `attn.attend` gives beside
its result; `attn.kv_evict` keeps 3 tokens before the image, 4 after it and the best 7 of 14 of the
image, in their order, and the next layer has 14 tokens instead of 21.
"""

import numpy as np

BEFORE, IMAGE, AFTER, H, D = 3, 14, 4, 2, 5
T, KEPT = BEFORE + IMAGE + AFTER, BEFORE + IMAGE // 2 + AFTER

MODULE = """
#x = affine_map<(t, h, d, c) -> (t, c)>
#w = affine_map<(t, h, d, c) -> (c, h, d)>
#y = affine_map<(t, h, d, c) -> (h, t, d)>
#q = affine_map<(h, s, t, d) -> (h, s, d)>
#k = affine_map<(h, s, t, d) -> (h, t, d)>
#s = affine_map<(h, s, t, d) -> (h, s, t)>

func.func @main(%x: tensor<21x10xf32>, %wq: tensor<10x2x5xf32>, %wk: tensor<10x2x5xf32>,
    %wv: tensor<10x2x5xf32>)
    -> (tensor<14x10xf32>, tensor<14xi32>) {
  %z = arith.constant dense<0.0> : tensor<2x21x5xf32>
  %q = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %wq : tensor<21x10xf32>, tensor<10x2x5xf32>)
         outs(%z : tensor<2x21x5xf32>) -> tensor<2x21x5xf32>
  %k = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %wk : tensor<21x10xf32>, tensor<10x2x5xf32>)
         outs(%z : tensor<2x21x5xf32>) -> tensor<2x21x5xf32>
  %v = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %wv : tensor<21x10xf32>, tensor<10x2x5xf32>)
         outs(%z : tensor<2x21x5xf32>) -> tensor<2x21x5xf32>
  %e = tensor.empty() : tensor<21x2x5xf32>
  %el = tensor.empty() : tensor<21x2xf32>
  %eo = tensor.empty() : tensor<2x21x5xf32>
  %eg = tensor.empty() : tensor<2x21xf32>
  %a, %logs = attn.attend causal layout = "hsd,htd,hte->hse"
                ins(%q, %k, %v : tensor<2x21x5xf32>, tensor<2x21x5xf32>, tensor<2x21x5xf32>)
                outs(%eo, %eg : tensor<2x21x5xf32>, tensor<2x21xf32>)
                    -> tensor<2x21x5xf32>, tensor<2x21xf32>
  %t = linalg.transpose ins(%a : tensor<2x21x5xf32>)
      outs(%e : tensor<21x2x5xf32>) permutation = [1, 0, 2]
  %rows = tensor.collapse_shape %t [[0], [1, 2]] : tensor<21x2x5xf32> into tensor<21x10xf32>
  %er = tensor.empty() : tensor<21x10xf32>
  %hidden = linalg.add ins(%x, %rows : tensor<21x10xf32>, tensor<21x10xf32>)
      outs(%er : tensor<21x10xf32>) -> tensor<21x10xf32>

  // What each token gets from all heads and all tokens after it.
  %zs = arith.constant dense<0.0> : tensor<2x21x21xf32>
  %scores = weft.contract indexing_maps = [#q, #k, #s]
      ins(%q, %k : tensor<2x21x5xf32>, tensor<2x21x5xf32>)
              outs(%zs : tensor<2x21x21xf32>) -> tensor<2x21x21xf32>
  %zt = arith.constant dense<0.0> : tensor<21xf32>
  %got = linalg.generic {indexing_maps = [affine_map<(t, h, s) -> (h, s, t)>, affine_map<(t, h,
      s) -> (h, s)>,
                                          affine_map<(t, h, s) -> (t)>],
                         iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%scores, %logs : tensor<2x21x21xf32>, tensor<2x21xf32>) outs(%zt : tensor<21xf32>) {
  ^bb0(%score: f32, %log: f32, %sum: f32):
    %root = arith.constant 0.44721359 : f32
    %none = arith.constant 0.0 : f32
    %key = linalg.index 0 : index
    %query = linalg.index 2 : index
    %scaled = arith.mulf %score, %root : f32
    %less = arith.subf %scaled, %log : f32
    %weight = math.exp %less : f32
    %visible = arith.cmpi ule, %key, %query : index
    %part = arith.select %visible, %weight, %none : f32
    %next = arith.addf %sum, %part : f32
    linalg.yield %next : f32
  } -> tensor<21xf32>

  %importance = tensor.expand_shape %got [[0, 1, 2]] output_shape [1, 1, 21] : tensor<21xf32>
      into tensor<1x1x21xf32>
  %tokens = tensor.expand_shape %hidden [[0, 1, 2], [3]] output_shape [1, 1, 21, 10]
      : tensor<21x10xf32> into tensor<1x1x21x10xf32>
  %ei = tensor.empty() : tensor<1x1x14xi32>
  %ex = tensor.empty() : tensor<1x1x14x10xf32>
  %kept, %short = attn.kv_evict sinks = 3 recent = 4 ins(%importance : tensor<1x1x21xf32>)
      caches(%tokens : tensor<1x1x21x10xf32>)
          outs(%ei, %ex : tensor<1x1x14xi32>, tensor<1x1x14x10xf32>)
      -> tensor<1x1x14xi32>, tensor<1x1x14x10xf32>
  %left = tensor.collapse_shape %short [[0, 1, 2], [3]] : tensor<1x1x14x10xf32>
      into tensor<14x10xf32>
  %numbers = tensor.collapse_shape %kept [[0, 1, 2]] : tensor<1x1x14xi32> into tensor<14xi32>

  // A layer after it, without weights of its own for brevity.
  %en = tensor.empty() : tensor<14x10xf32>
  %next = attn.attend causal layout = "sd,td,te->se"
            ins(%left, %left, %left : tensor<14x10xf32>, tensor<14x10xf32>, tensor<14x10xf32>)
            outs(%en : tensor<14x10xf32>) -> tensor<14x10xf32>
  return %next, %numbers : tensor<14x10xf32>, tensor<14xi32>
}
"""

# Sums of 10 products, softmax over 21, twice, in f32; 0.44721359 is 1 / sqrt(5) to 1e-8.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"x": f(T, H * D), "wq": f(H * D, H, D), "wk": f(H * D, H, D), "wv": f(H * D, H, D) / 2}


def softmax(score):
    e = np.tril(np.exp(score))
    return e / e.sum(1, keepdims=True)


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    x, got, heads = p["x"], np.zeros(T), []
    for h in range(H):
        q, k, v = (x @ p[w][:, h] for w in ("wq", "wk", "wv"))
        weight = softmax(q @ k.T / np.sqrt(D))
        got += weight.sum(0)
        heads.append(weight @ v)
    x = x + np.concatenate(heads, axis=1)
    image = np.arange(BEFORE, BEFORE + IMAGE)
    best = image if ablated else image[np.argsort(-got[image], kind="stable")]
    keep = np.sort(np.r_[0:BEFORE, best[:IMAGE // 2], BEFORE + IMAGE:T])
    x = x[keep]
    return [softmax(x @ x.T / np.sqrt(H * D)) @ x, keep.astype(np.int32)]
