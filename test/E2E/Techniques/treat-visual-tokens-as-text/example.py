"""Treat Visual Tokens as Text? But Your MLLM Only Needs Fewer Efforts to See

Theme: attention

Claim: Visual tokens need to attend to their neighbours in the image only, and many heads nothing
at all for them; text is computed in full. 88 % fewer operations for LLaVA.

Shown: The score region of `attn.attend` hides keys by their place in a 5 x 6 grid and by the head,
for visual queries alone; text, which comes after, is causal. There is no mask tensor.
"""

import numpy as np

ROWS, COLUMNS, TEXT, H, D, REACH = 5, 6, 4, 3, 7, 1
V = ROWS * COLUMNS
T = V + TEXT
PRUNED = 1  # of the heads, for visual tokens

MODULE = """
func.func @main(%q: tensor<3x34x7xf32>, %k: tensor<3x34x7xf32>, %v: tensor<3x34x7xf32>)
    -> tensor<3x34x7xf32> {
  %columns = arith.constant 6 : index
  %visual = arith.constant 30 : index
  %pruned = arith.constant 1 : index
  %reach = arith.constant 1 : index
  %hidden = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<3x34x7xf32>
  %y = attn.attend layout = "hsd,htd,hte->hse"
         ins(%q, %k, %v : tensor<3x34x7xf32>, tensor<3x34x7xf32>, tensor<3x34x7xf32>)
         outs(%e : tensor<3x34x7xf32>) score {
  ^bb0(%score: f32, %b: index, %h: index, %s: index, %t: index):
    %text = arith.cmpi uge, %s, %visual : index
    %before = arith.cmpi ule, %t, %s : index
    // Both are visual: the distance of rows and of columns.
    %sr = arith.divui %s, %columns : index
    %sc = arith.remui %s, %columns : index
    %tr = arith.divui %t, %columns : index
    %tc = arith.remui %t, %columns : index
    %dr = arith.subi %sr, %tr : index
    %dc = arith.subi %sc, %tc : index
    %ar = math.absi %dr : index
    %ac = math.absi %dc : index
    %far = arith.maxui %ar, %ac : index
    %near = arith.cmpi ule, %far, %reach : index
    %image = arith.cmpi ult, %t, %visual : index
    %active = arith.cmpi ne, %h, %pruned : index
    %both = arith.andi %near, %image : i1
    %neighbour = arith.andi %both, %active : i1
    %visible = arith.select %text, %before, %neighbour : i1
    %r = arith.select %visible, %score, %hidden : f32
    attn.yield %r : f32
  } -> tensor<3x34x7xf32>
  return %y : tensor<3x34x7xf32>
}
"""

# Sums of 7 products and a softmax over at most 34, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    return {name: rng.standard_normal((H, T, D)).astype(np.float32) for name in "qkv"}


def reference(inputs, ablated):
    q, k, v = (inputs[x].astype(np.float64) for x in "qkv")
    y = np.zeros_like(q)
    for h in range(H):
        for s in range(T):
            if s >= V:
                seen = list(range(s + 1))
            elif h == PRUNED and not ablated:
                seen = []  # the head gives nothing for visual tokens
            else:
                (r, c), reach = divmod(s, COLUMNS), V if ablated else REACH
                seen = [i * COLUMNS + j for i in range(ROWS) for j in range(COLUMNS)
                        if abs(i - r) <= reach and abs(j - c) <= reach]
            if seen:
                score = np.exp(k[h, seen] @ q[h, s] / np.sqrt(D))
                y[h, s] = score / score.sum() @ v[h, seen]
    return [y]


def check(example):
    # Neither a mask nor a bias is made of the region.
    text = example.module.after("fuse")
    assert "34x34xi" not in text
