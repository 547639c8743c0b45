"""Efficient Content-Based Sparse Attention with Routing Transformers

Theme: attention

Claim: Tokens attend only within their cluster of a learned k-means, each with as many tokens,
beside heads with local windows: O(n^1.5 d) instead of O(n^2 d).

Shown: Each of 4 centroids takes its 7 nearest tokens of 29 (`weft.sort`); their rows are gathered
in the order of time, so that a causal `attn.attend` of 4 x 7 x 7 scores is right, and scattered
back. The second head is a causal window.
"""

import numpy as np

T, D, CLUSTERS, SIZE, LOCAL = 29, 6, 4, 7, 3

MODULE = """
#c = affine_map<(c, t, d) -> (c, d)>
#k = affine_map<(c, t, d) -> (t, d)>
#ct = affine_map<(c, t, d) -> (c, t)>

func.func @main(%qk: tensor<29x6xf32>, %v: tensor<29x6xf32>, %centroids: tensor<4x6xf32>,
    %local_q: tensor<29x6xf32>, %local_k: tensor<29x6xf32>, %local_v: tensor<29x6xf32>)
    -> (tensor<29x12xf32>, tensor<4x7xi64>) {
  // The tokens of each cluster, in ascending order. Queries are keys, as the paper shares them.
  %z = arith.constant dense<0.0> : tensor<4x29xf32>
  %scores = weft.contract indexing_maps = [#c, #k, #ct]
      ins(%centroids, %qk : tensor<4x6xf32>, tensor<29x6xf32>)
              outs(%z : tensor<4x29xf32>) -> tensor<4x29xf32>
  %ev = tensor.empty() : tensor<4x7xf32>
  %ei = tensor.empty() : tensor<4x7xi64>
  %values, %nearest = weft.sort descending dimension = 1 ins(%scores : tensor<4x29xf32>)
      outs(%ev, %ei : tensor<4x7xf32>, tensor<4x7xi64>) -> tensor<4x7xf32>, tensor<4x7xi64>
  %members, %unused = weft.sort dimension = 1 ins(%nearest : tensor<4x7xi64>)
      outs(%ei, %ei : tensor<4x7xi64>, tensor<4x7xi64>) -> tensor<4x7xi64>, tensor<4x7xi64>
  %at = tensor.expand_shape %members [[0], [1, 2]] output_shape [4, 7, 1] : tensor<4x7xi64>
      into tensor<4x7x1xi64>

  %e = tensor.empty() : tensor<4x7x6xf32>
  %keys = weft.gather batch_dims = 0 ins(%qk, %at : tensor<29x6xf32>, tensor<4x7x1xi64>)
            outs(%e : tensor<4x7x6xf32>) -> tensor<4x7x6xf32>
  %vals = weft.gather batch_dims = 0 ins(%v, %at : tensor<29x6xf32>, tensor<4x7x1xi64>)
            outs(%e : tensor<4x7x6xf32>) -> tensor<4x7x6xf32>
  %inside = attn.attend causal layout = "bsd,btd,bte->bse"
              ins(%keys, %keys, %vals : tensor<4x7x6xf32>, tensor<4x7x6xf32>, tensor<4x7x6xf32>)
              outs(%e : tensor<4x7x6xf32>) -> tensor<4x7x6xf32>
  // A token in several clusters keeps the result of the last one.
  %nothing = arith.constant dense<0.0> : tensor<29x6xf32>
  %routed = weft.scatter ins(%at, %inside : tensor<4x7x1xi64>, tensor<4x7x6xf32>)
      outs(%nothing : tensor<29x6xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<29x6xf32>

  %el = tensor.empty() : tensor<29x6xf32>
  %local = attn.attend causal window = [3, -1] layout = "sd,td,te->se"
             ins(%local_q, %local_k, %local_v
                 : tensor<29x6xf32>, tensor<29x6xf32>, tensor<29x6xf32>)
             outs(%el : tensor<29x6xf32>) -> tensor<29x6xf32>
  %y = tensor.concat dim(1) %routed, %local : (tensor<29x6xf32>, tensor<29x6xf32>)
      -> tensor<29x12xf32>
  return %y, %members : tensor<29x12xf32>, tensor<4x7xi64>
}
"""

# Sums of 6 products and exponentials of them, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"qk": f(T, D), "v": f(T, D), "centroids": f(CLUSTERS, D), "local_q": f(T, D),
            "local_k": f(T, D),
            "local_v": f(T, D)}


def attention(q, keys, values):
    score = np.exp(keys @ q / np.sqrt(D))
    return score / score.sum() @ values


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    y, members = np.zeros((T, 2 * D)), []
    for c in p["centroids"]:
        # Without content, a cluster would be the first tokens.
        order = np.arange(T) if ablated else np.argsort(-(p["qk"] @ c), kind="stable")
        mine = np.sort(order[:SIZE])
        members.append(mine)
        for t in mine:
            seen = mine[mine <= t]
            y[t, :D] = attention(p["qk"][t], p["qk"][seen], p["v"][seen])
    for t in range(T):
        seen = slice(max(0, t - LOCAL), t + 1)
        y[t, D:] = attention(p["local_q"][t], p["local_k"][seen], p["local_v"][seen])
    return [y, np.array(members)]
