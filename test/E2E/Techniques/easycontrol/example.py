"""EasyControl: Adding Efficient and Flexible Control for Diffusion Transformer

Theme: attention

Claim: Condition tokens run through a branch with LoRA of its own and do not see the noise, so that
their keys and values are the same in all denoising steps and are cached.

Shown: The reference computes all tokens of both kinds in each of two steps and two layers under
the mask; the module computes the conditions once, writes their keys and values into caches and
appends the noise's in every step (`attn.kv_append`).
"""

import numpy as np

NOISE, CONDITION, D, RANK, LAYERS, STEPS = 7, 5, 6, 2, 2, 2


MODULE = """
#x = affine_map<(t, o, i) -> (t, i)>
#w = affine_map<(t, o, i) -> (i, o)>
#y = affine_map<(t, o, i) -> (t, o)>

func.func @main(%noise: tensor<2x7x6xf32>, %condition: tensor<5x6xf32>,
    %weights: tensor<2x6x18xf32>, %down: tensor<2x6x2xf32>, %up: tensor<2x2x18xf32>)
    -> tensor<2x7x6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %five = arith.constant dense<5> : tensor<1xi32>
  %z2 = arith.constant dense<0.0> : tensor<5x2xf32>
  %z5 = arith.constant dense<0.0> : tensor<5x18xf32>
  %z7 = arith.constant dense<0.0> : tensor<7x18xf32>
  %cache = arith.constant dense<0.0> : tensor<2x12x6xf32>
  %e5 = tensor.empty() : tensor<5x6xf32>
  %e7 = tensor.empty() : tensor<7x6xf32>

  // The conditions, once: with LoRA, seeing each other only. Their keys and values are the first
  // 5 of 12 entries of each layer's caches.
  %c, %keys, %values = scf.for %l = %c0 to %c2 step %c1
      iter_args(%x = %condition, %ks = %cache, %vs = %cache)
      -> (tensor<5x6xf32>, tensor<2x12x6xf32>, tensor<2x12x6xf32>) {
    %w = tensor.extract_slice %weights[%l, 0, 0] [1, 6, 18] [1, 1, 1]
      : tensor<2x6x18xf32> to tensor<6x18xf32>
    %a = tensor.extract_slice %down[%l, 0, 0] [1, 6, 2] [1, 1, 1]
      : tensor<2x6x2xf32> to tensor<6x2xf32>
    %b = tensor.extract_slice %up[%l, 0, 0] [1, 2, 18] [1, 1, 1]
      : tensor<2x2x18xf32> to tensor<2x18xf32>
    %base = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<5x6xf32>, tensor<6x18xf32>)
              outs(%z5 : tensor<5x18xf32>) -> tensor<5x18xf32>
    %low = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %a : tensor<5x6xf32>, tensor<6x2xf32>)
             outs(%z2 : tensor<5x2xf32>) -> tensor<5x2xf32>
    %qkv = weft.contract indexing_maps = [#x, #w, #y] ins(%low, %b : tensor<5x2xf32>, tensor<2x18xf32>)
             outs(%base : tensor<5x18xf32>) -> tensor<5x18xf32>
    %q = tensor.extract_slice %qkv[0, 0] [5, 6] [1, 1] : tensor<5x18xf32> to tensor<5x6xf32>
    %k = tensor.extract_slice %qkv[0, 6] [5, 6] [1, 1] : tensor<5x18xf32> to tensor<5x6xf32>
    %v = tensor.extract_slice %qkv[0, 12] [5, 6] [1, 1] : tensor<5x18xf32> to tensor<5x6xf32>
    %attended = attn.attend layout = "sd,td,te->se"
                  ins(%q, %k, %v : tensor<5x6xf32>, tensor<5x6xf32>, tensor<5x6xf32>)
                  outs(%e5 : tensor<5x6xf32>) -> tensor<5x6xf32>
    %next = linalg.add ins(%x, %attended : tensor<5x6xf32>, tensor<5x6xf32>)
              outs(%e5 : tensor<5x6xf32>) -> tensor<5x6xf32>
    %ks2 = tensor.insert_slice %k into %ks[%l, 0, 0] [1, 5, 6] [1, 1, 1]
      : tensor<5x6xf32> into tensor<2x12x6xf32>
    %vs2 = tensor.insert_slice %v into %vs[%l, 0, 0] [1, 5, 6] [1, 1, 1]
      : tensor<5x6xf32> into tensor<2x12x6xf32>
    scf.yield %next, %ks2, %vs2 : tensor<5x6xf32>, tensor<2x12x6xf32>, tensor<2x12x6xf32>
  }

  // Each denoising step: the noise appends its keys and values behind those.
  %start = arith.constant dense<0.0> : tensor<2x7x6xf32>
  %all = scf.for %step = %c0 to %c2 step %c1 iter_args(%results = %start) -> (tensor<2x7x6xf32>) {
    %first = tensor.extract_slice %noise[%step, 0, 0] [1, 7, 6] [1, 1, 1]
      : tensor<2x7x6xf32> to tensor<7x6xf32>
    %y = scf.for %l = %c0 to %c2 step %c1 iter_args(%x = %first) -> (tensor<7x6xf32>) {
      %w = tensor.extract_slice %weights[%l, 0, 0] [1, 6, 18] [1, 1, 1]
        : tensor<2x6x18xf32> to tensor<6x18xf32>
      %kc = tensor.extract_slice %keys[%l, 0, 0] [1, 12, 6] [1, 1, 1]
        : tensor<2x12x6xf32> to tensor<12x6xf32>
      %vc = tensor.extract_slice %values[%l, 0, 0] [1, 12, 6] [1, 1, 1]
        : tensor<2x12x6xf32> to tensor<12x6xf32>
      %qkv = weft.contract indexing_maps = [#x, #w, #y]
               ins(%x, %w : tensor<7x6xf32>, tensor<6x18xf32>)
               outs(%z7 : tensor<7x18xf32>) -> tensor<7x18xf32>
      %q = tensor.extract_slice %qkv[0, 0] [7, 6] [1, 1] : tensor<7x18xf32> to tensor<7x6xf32>
      %k = tensor.extract_slice %qkv[0, 6] [7, 6] [1, 1] : tensor<7x18xf32> to tensor<7x6xf32>
      %v = tensor.extract_slice %qkv[0, 12] [7, 6] [1, 1] : tensor<7x18xf32> to tensor<7x6xf32>
      %ka = attn.kv_append layout = "td->td" ins(%k : tensor<7x6xf32>) starts(%five : tensor<1xi32>)
              outs(%kc : tensor<12x6xf32>) -> tensor<12x6xf32>
      %va = attn.kv_append layout = "td->td" ins(%v : tensor<7x6xf32>) starts(%five : tensor<1xi32>)
              outs(%vc : tensor<12x6xf32>) -> tensor<12x6xf32>
      %attended = attn.attend layout = "sd,td,te->se"
                    ins(%q, %ka, %va : tensor<7x6xf32>, tensor<12x6xf32>, tensor<12x6xf32>)
                    outs(%e7 : tensor<7x6xf32>) -> tensor<7x6xf32>
      %next = linalg.add ins(%x, %attended : tensor<7x6xf32>, tensor<7x6xf32>)
                outs(%e7 : tensor<7x6xf32>) -> tensor<7x6xf32>
      scf.yield %next : tensor<7x6xf32>
    }
    %written = tensor.insert_slice %y into %results[%step, 0, 0] [1, 7, 6] [1, 1, 1]
      : tensor<7x6xf32> into tensor<2x7x6xf32>
    scf.yield %written : tensor<2x7x6xf32>
  }
  return %all : tensor<2x7x6xf32>
}
"""

# Sums of 6 products and softmax over 12, two layers, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"noise": f(STEPS, NOISE, D), "condition": f(CONDITION, D), "weights": f(LAYERS, D,
                                                                                    3 * D) / 2,
            "down": f(LAYERS, D, RANK) / 2, "up": f(LAYERS, RANK, 3 * D) / 2}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    is_condition = np.arange(NOISE + CONDITION) >= NOISE
    visible = ~(is_condition[:, None] & ~is_condition[None]) | ablated
    results = []
    for noise in p["noise"]:
        x = np.concatenate([noise, p["condition"]])
        for layer in range(LAYERS):
            qkv = x @ p["weights"][layer]
            qkv[is_condition] += x[is_condition] @ p["down"][layer] @ p["up"][layer]
            q, k, v = np.split(qkv, 3, axis=1)
            score = np.where(visible, np.exp(q @ k.T / np.sqrt(D)), 0)
            x = x + score / score.sum(1, keepdims=True) @ v
        results.append(x[:NOISE])
    return [np.array(results)]
