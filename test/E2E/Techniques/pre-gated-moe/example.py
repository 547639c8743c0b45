"""Pre-gated MoE: An Algorithm-System Co-Design for Fast and Scalable Mixture-of-Expert Inference

Theme: moe

Claim: When the gate in one block chooses the experts of the next one, their weights can be moved
into the accelerator's memory while the experts of this block compute; memory need not hold all.

Shown: The second block's numbers depend on its predecessor's input alone; `moe.residency` decides
what is fetched into 3 slots for 7 experts, and the block reads those slots only, through the
`place` of `moe.plan`. What was resident stays.
"""

import numpy as np

H, I, EXPERTS, SLOTS, T = 10, 12, 7, 3, 5

MODULE = """
#thi = affine_map<(t, e, h) -> (t, h)>
#ehi = affine_map<(t, e, h) -> (h, e)>
#te = affine_map<(t, e, h) -> (t, e)>
#slot = affine_map<(s, a, b) -> (s)>
#all = affine_map<(s, a, b) -> (s, a, b)>

func.func @main(%x: tensor<5x10xf32>, %gate: tensor<10x7xf32>, %pregate: tensor<10x7xf32>,
    %up: tensor<2x7x10x12xf32>, %down: tensor<2x7x12x10xf32>,
    %slots: tensor<3xi32>, %stamps: tensor<3xi32>,
    %up_slots: tensor<3x10x12xf32>, %down_slots: tensor<3x12x10xf32>)
    -> (tensor<5x10xf32>, tensor<3xi32>, tensor<3xi32>) {
  %zero = arith.constant 0.0 : f32
  %z7 = arith.constant dense<0.0> : tensor<5x7xf32>
  %i1 = tensor.empty() : tensor<5x1xi32>
  %g1 = tensor.empty() : tensor<5x1xf32>

  // Both choices come from the input of the first block.
  %logits1 = weft.contract indexing_maps = [#thi, #ehi, #te]
      ins(%x, %gate : tensor<5x10xf32>, tensor<10x7xf32>)
               outs(%z7 : tensor<5x7xf32>) -> tensor<5x7xf32>
  %ids1, %w1 = moe.route softmax top_k ins(%logits1 : tensor<5x7xf32>)
                 outs(%i1, %g1 : tensor<5x1xi32>, tensor<5x1xf32>)
                     -> tensor<5x1xi32>, tensor<5x1xf32>
  %logits2 = weft.contract indexing_maps = [#thi, #ehi, #te]
      ins(%x, %pregate : tensor<5x10xf32>, tensor<10x7xf32>)
               outs(%z7 : tensor<5x7xf32>) -> tensor<5x7xf32>
  %ids2, %w2 = moe.route softmax top_k ins(%logits2 : tensor<5x7xf32>)
                 outs(%i1, %g1 : tensor<5x1xi32>, tensor<5x1xf32>)
                     -> tensor<5x1xi32>, tensor<5x1xf32>

  // Fetching what the second block lacks: nothing here waits for the first block.
  %p = tensor.empty() : tensor<7xi32>
  %s = tensor.empty() : tensor<3xi32>
  %place, %loads, %resident, %used = moe.residency
      ins(%ids2, %slots, %stamps : tensor<5x1xi32>, tensor<3xi32>, tensor<3xi32>)
      outs(%p, %s, %s, %s : tensor<7xi32>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>)
      -> tensor<7xi32>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>
  %stored_up = tensor.extract_slice %up[1, 0, 0, 0] [1, 7, 10, 12] [1, 1, 1, 1]
      : tensor<2x7x10x12xf32> to tensor<7x10x12xf32>
  %stored_down = tensor.extract_slice %down[1, 0, 0, 0] [1, 7, 12, 10] [1, 1, 1, 1]
      : tensor<2x7x12x10xf32> to tensor<7x12x10xf32>
  %at = tensor.expand_shape %loads [[0, 1]] output_shape [3, 1] : tensor<3xi32> into tensor<3x1xi32>
  %eu = tensor.empty() : tensor<3x10x12xf32>
  %ed = tensor.empty() : tensor<3x12x10xf32>
  %fetched_up = weft.gather batch_dims = 0
      ins(%stored_up, %at : tensor<7x10x12xf32>, tensor<3x1xi32>)
                  outs(%eu : tensor<3x10x12xf32>) -> tensor<3x10x12xf32>
  %fetched_down = weft.gather batch_dims = 0
      ins(%stored_down, %at : tensor<7x12x10xf32>, tensor<3x1xi32>)
                    outs(%ed : tensor<3x12x10xf32>) -> tensor<3x12x10xf32>
  %memory_up = linalg.generic {indexing_maps = [#slot, #all, #all, #all],
                               iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%loads, %fetched_up, %up_slots : tensor<3xi32>, tensor<3x10x12xf32>, tensor<3x10x12xf32>)
      outs(%eu : tensor<3x10x12xf32>) {
  ^bb0(%load: i32, %new: f32, %old: f32, %o: f32):
    %c0 = arith.constant 0 : i32
    %is = arith.cmpi sge, %load, %c0 : i32
    %v = arith.select %is, %new, %old : f32
    linalg.yield %v : f32
  } -> tensor<3x10x12xf32>
  %memory_down = linalg.generic {indexing_maps = [#slot, #all, #all, #all],
                                 iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%loads, %fetched_down, %down_slots
          : tensor<3xi32>, tensor<3x12x10xf32>, tensor<3x12x10xf32>)
      outs(%ed : tensor<3x12x10xf32>) {
  ^bb0(%load: i32, %new: f32, %old: f32, %o: f32):
    %c0 = arith.constant 0 : i32
    %is = arith.cmpi sge, %load, %c0 : i32
    %v = arith.select %is, %new, %old : f32
    linalg.yield %v : f32
  } -> tensor<3x12x10xf32>

  // The first block, then the second one out of the slots.
  %u1 = tensor.extract_slice %up[0, 0, 0, 0] [1, 7, 10, 12] [1, 1, 1, 1]
      : tensor<2x7x10x12xf32> to tensor<7x10x12xf32>
  %d1 = tensor.extract_slice %down[0, 0, 0, 0] [1, 7, 12, 10] [1, 1, 1, 1]
      : tensor<2x7x12x10xf32> to tensor<7x12x10xf32>
  %h = moe.expert_ffn ins(%x, %ids1, %w1 : tensor<5x10xf32>, tensor<5x1xi32>, tensor<5x1xf32>)
         up(%u1 : tensor<7x10x12xf32>) down(%d1 : tensor<7x12x10xf32>)
         outs(%x : tensor<5x10xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<5x10xf32>
  %o4 = tensor.empty() : tensor<4xi32>
  %s5 = tensor.empty() : tensor<5xi32>
  %p5 = tensor.empty() : tensor<5x1xi32>
  %offsets, %rows, %positions = moe.plan ins(%ids2 : tensor<5x1xi32>) place(%place : tensor<7xi32>)
      outs(%o4, %s5, %p5 : tensor<4xi32>, tensor<5xi32>, tensor<5x1xi32>)
      -> tensor<4xi32>, tensor<5xi32>, tensor<5x1xi32>
  %z12 = arith.constant dense<0.0> : tensor<5x12xf32>
  %z10 = arith.constant dense<0.0> : tensor<5x10xf32>
  %a = moe.grouped_matmul ins(%h : tensor<5x10xf32>) weights(%memory_up : tensor<3x10x12xf32>)
         offsets(%offsets : tensor<4xi32>) indices(%rows : tensor<5xi32>)
         outs(%z12 : tensor<5x12xf32>) epilogue {
  ^bb0(%sum: f32, %row: index, %group: index):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<5x12xf32>
  %b = moe.grouped_matmul ins(%a : tensor<5x12xf32>) weights(%memory_down : tensor<3x12x10xf32>)
         offsets(%offsets : tensor<4xi32>) outs(%z10 : tensor<5x10xf32>) -> tensor<5x10xf32>
  %y = moe.combine ins(%b, %positions : tensor<5x10xf32>, tensor<5x1xi32>) weights(%w2
      : tensor<5x1xf32>)
         outs(%h : tensor<5x10xf32>) -> tensor<5x10xf32>
  return %y, %loads, %resident : tensor<5x10xf32>, tensor<3xi32>, tensor<3xi32>
}
"""

# Sums of 12 products of about 1, two blocks, in f32.
TOLERANCE = 2e-5


def choices(inputs, ablated):
    """The tokens after the first block, and what the second block wants of whom."""
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    h, wanted = [], []
    for x in p["x"]:
        score = np.exp(x @ p["gate"])
        e = score.argmax()
        h.append(x + score[e] / score.sum() * (np.maximum(x @ p["up"][0, e], 0) @ p["down"][0, e]))
        # Ordinary gating would look at the tokens after the first block.
        later = np.exp((h[-1] if ablated else x) @ p["pregate"])
        wanted.append((later.argmax(), later.max() / later.sum()))
    return p, np.array(h), wanted


def reference(inputs, ablated):
    p, y, wanted = choices(inputs, ablated)
    slots, loads = inputs["slots"].copy(), np.full(SLOTS, -1, np.int32)
    needed = sorted({e for e, _ in wanted})
    stamps = [np.inf if e in needed else s for e, s in zip(slots, inputs["stamps"])]
    for e in needed:
        if e not in slots and np.min(stamps) < np.inf:
            s = int(np.argmin(stamps))
            slots[s], loads[s], stamps[s] = e, e, np.inf
    for t, (e, weight) in enumerate(wanted):
        if e in slots:  # what found no slot contributes nothing
            y[t] += weight * (np.maximum(y[t] @ p["up"][1, e], 0) @ p["down"][1, e])
    return [y, loads, slots]


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    up, down = f(2, EXPERTS, H, I) / 2, f(2, EXPERTS, I, H) / 2
    base = {"x": f(T, H), "gate": f(H, EXPERTS), "pregate": f(H, EXPERTS), "up": up, "down": down}
    slots = np.array([6, 2, 4], np.int32)
    return base | {"slots": slots, "stamps": np.array([3, 1, 2], np.int32),
                   "up_slots": up[1, slots], "down_slots": down[1, slots]}


def check(example):
    given, have, _ = example.calls[0]
    stays = set(given["slots"]) & set(have[2])
    assert (have[1] >= 0).any() and stays, have[1:]
