"""Merge, Then Compress: Demystify Efficient SMoE with Hints from Its Routing Policy

Theme: moe

Claim: Experts that are aligned and merged by how often they are used, then written as a low-rank
part plus a structured sparse one, save up to 80 % of the memory and 20 % of the operations.

Shown: Six experts become two. The router still knows six; `place` of `moe.plan` sends their tokens
to the merged ones, whose first matrices are `#weft.sum` of `#weft.low_rank` and `#sparse.nm<2,
4>`.
"""

import itertools

import numpy as np

import encode

H, I, EXPERTS, GROUPS, RANK, K, T = 9, 8, 6, 2, 2, 2, 15
GROUP = np.array([0, 1, 0, 1, 1, 0], np.int32)  # dominant are 0 and 1

MODULE = """
!up = !weft.packed<2x9x8xf32, #weft.sum<[
        #weft.low_rank<2, #weft.dense, #weft.dense>,
        #weft.format<elem = #weft.value<f32>, structure = #sparse.nm<2, 4>>]>>

func.func @main(%x: tensor<15x9xf32>, %router: tensor<9x6xf32>, %place: tensor<6xi32>,
    %left: tensor<2x9x2xf32>, %right: tensor<2x2x8xf32>, %kept: tensor<2x9x4xi32>,
    %indices: tensor<18xi8>, %down: tensor<2x8x9xf32>) -> (tensor<15x9xf32>, tensor<3xi32>) {
  %zero = arith.constant 0.0 : f32
  %z6 = arith.constant dense<0.0> : tensor<15x6xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<15x9xf32>, tensor<9x6xf32>)
              outs(%z6 : tensor<15x6xf32>) -> tensor<15x6xf32>
  %i = tensor.empty() : tensor<15x2xi32>
  %g = tensor.empty() : tensor<15x2xf32>
  %ids, %gates = moe.route softmax top_k ins(%logits : tensor<15x6xf32>)
                   outs(%i, %g : tensor<15x2xi32>, tensor<15x2xf32>)
                   -> tensor<15x2xi32>, tensor<15x2xf32>
  %o = tensor.empty() : tensor<3xi32>
  %s = tensor.empty() : tensor<30xi32>
  %offsets, %slots, %positions = moe.plan ins(%ids : tensor<15x2xi32>) place(%place : tensor<6xi32>)
      outs(%o, %s, %i : tensor<3xi32>, tensor<30xi32>, tensor<15x2xi32>)
      -> tensor<3xi32>, tensor<30xi32>, tensor<15x2xi32>
  // Two slots a token: slot 2 t + j is token t.
  %rows = linalg.generic {indexing_maps = [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>],
                          iterator_types = ["parallel"]}
      ins(%slots : tensor<30xi32>) outs(%s : tensor<30xi32>) {
  ^bb0(%slot: i32, %old: i32):
    %two = arith.constant 2 : i32
    %row = arith.floordivsi %slot, %two : i32
    linalg.yield %row : i32
  } -> tensor<30xi32>
  %up = weft.assemble %left, %right, %kept, %indices
    : tensor<2x9x2xf32>, tensor<2x2x8xf32>, tensor<2x9x4xi32>, tensor<18xi8> -> !up
  %z8 = arith.constant dense<0.0> : tensor<30x8xf32>
  %z9 = arith.constant dense<0.0> : tensor<30x9xf32>
  %a = moe.grouped_matmul
      ins(%x : tensor<15x9xf32>) weights(%up : !up) offsets(%offsets : tensor<3xi32>)
         indices(%rows : tensor<30xi32>) outs(%z8 : tensor<30x8xf32>) epilogue {
  ^bb0(%sum: f32, %row: index, %group: index):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<30x8xf32>
  %b = moe.grouped_matmul ins(%a : tensor<30x8xf32>) weights(%down : tensor<2x8x9xf32>)
         offsets(%offsets : tensor<3xi32>) outs(%z9 : tensor<30x9xf32>) -> tensor<30x9xf32>
  %y = moe.combine ins(%b, %positions : tensor<30x9xf32>, tensor<15x2xi32>)
         weights(%gates : tensor<15x2xf32>) outs(%x : tensor<15x9xf32>) -> tensor<15x9xf32>
  return %y, %offsets : tensor<15x9xf32>, tensor<3xi32>
}
"""

# Sums of 9 products with weights rounded in three parts, in f32.
TOLERANCE = 2e-5


def aligned(up, down, to_up):
    """The neurons in the order in which they are most like those of the dominant expert: greedy,
    best pair first."""
    alike, order = to_up.T @ up, np.zeros(I, int)
    for _ in range(I):
        mine, other = np.unravel_index(np.argmax(alike), alike.shape)
        order[mine] = other
        alike[mine], alike[:, other] = -np.inf, -np.inf
    return up[:, order], down[order]


def merge(up, down, frequency, align=True):
    ups, downs = np.zeros((GROUPS, H, I)), np.zeros((GROUPS, I, H))
    for e in range(EXPERTS):
        g = GROUP[e]
        u, d = aligned(up[e], down[e], up[g]) if align else (up[e], down[e])
        share = frequency[e] / frequency[GROUP == g].sum()
        ups[g] += share * u
        downs[g] += share * d
    return ups, downs


def compress(weight):
    """Low rank, and the two largest of each four of what is left."""
    u, s, v = np.linalg.svd(weight)
    left, right = u[:, :RANK] * s[:RANK], v[:RANK]
    rest = (weight - left @ right).reshape(H, I // 4, 4)
    small = np.argsort(np.abs(rest), axis=-1)[..., :2]
    np.put_along_axis(rest, small, 0, axis=-1)
    return left, right, rest.reshape(H, I)


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape)
    up, down, frequency = f(EXPERTS, H, I), f(EXPERTS, I, H) / 2, rng.random(EXPERTS)
    for e in range(GROUPS, EXPERTS):  # like its dominant expert with its neurons shuffled
        shuffle = rng.permutation(I)
        up[e] = up[GROUP[e]][:, shuffle] + 0.3 * up[e]
        down[e] = down[GROUP[e]][shuffle] + 0.3 * down[e]
    ups, downs = merge(up, down, frequency)
    parts = [compress(w) for w in ups]
    stored = [encode.nm(p[2], 2, 4) for p in parts]
    return {"x": f(T, H).astype(np.float32), "router": f(H, EXPERTS).astype(np.float32),
            "place": GROUP,
            "left": np.array([p[0] for p in parts], np.float32),
            "right": np.array([p[1] for p in parts], np.float32),
            "kept": np.array([s[0] for s in stored], np.float32).view(np.int32),
            "indices": encode.bits(np.array([s[1] for s in stored]), 2),
            "down": downs.astype(np.float32), "_up": up, "_down": down, "_frequency": frequency}


def reference(inputs, ablated):
    ups, downs = merge(inputs["_up"], inputs["_down"], inputs["_frequency"], align=not ablated)
    approximate = [left @ right + sparse for left, right, sparse in map(compress, ups)]
    x = inputs["x"].astype(np.float64)
    y, counts = x.copy(), np.zeros(GROUPS, int)
    for t, j in itertools.product(range(T), range(K)):
        score = np.exp(x[t] @ inputs["router"].astype(np.float64))
        e = np.argsort(-score, kind="stable")[j]
        g = GROUP[e]
        counts[g] += 1
        y[t] += score[e] / score.sum() * (np.maximum(x[t] @ approximate[g], 0) @ downs[g])
    return [y, np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)]


def check(example):
    given = example.calls[0][0]
    stored = sum(given[k].nbytes for k in ("left", "right", "kept", "indices"))
    assert stored < 0.35 * EXPERTS * H * I * 4, stored
    assert "tensor<2x9x8xf32>" not in example.module.after("fuse")
