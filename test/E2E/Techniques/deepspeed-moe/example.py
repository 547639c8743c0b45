"""DeepSpeed-MoE: Advancing Mixture-of-Experts Inference and Training to Power Next-Generation AI
Scale

Theme: moe

Claim: Residual experts (a dense layer that all tokens take, corrected by one expert each) and
expert parallelism make models 3.7 times smaller and inference 7.3 times faster.

Shown: Two ranks with 6 tokens and 2 of 4 experts each: `moe.exchange` sends rows to the rank that
has their expert, which multiplies with its own weights only, and `inverse` sends them back. The
dense layer is the init of `moe.combine`.
"""

import numpy as np

RANKS, T, H, I, EXPERTS = 2, 6, 8, 10, 4

MODULE = """
#x = affine_map<(r, t, o, i) -> (r, t, i)>
#w = affine_map<(r, t, o, i) -> (i, o)>
#y = affine_map<(r, t, o, i) -> (r, t, o)>

func.func @main(%x: tensor<2x6x8xf32>, %router: tensor<8x4xf32>, %mlp: tensor<8x8xf32>,
    %up0: tensor<2x8x10xf32>, %down0: tensor<2x10x8xf32>,
    %up1: tensor<2x8x10xf32>, %down1: tensor<2x10x8xf32>)
        -> (tensor<6x8xf32>, tensor<6x8xf32>, tensor<2x5xi32>) {
  %zero = arith.constant 0.0 : f32
  %z4 = arith.constant dense<0.0> : tensor<12x4xf32>
  %flat = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x6x8xf32> into tensor<12x8xf32>
  %logits = linalg.matmul ins(%flat, %router : tensor<12x8xf32>, tensor<8x4xf32>)
              outs(%z4 : tensor<12x4xf32>) -> tensor<12x4xf32>
  %i = tensor.empty() : tensor<12x1xi32>
  %g = tensor.empty() : tensor<12x1xf32>
  %ids, %gates = moe.route softmax top_k ins(%logits : tensor<12x4xf32>)
                   outs(%i, %g : tensor<12x1xi32>, tensor<12x1xf32>)
                       -> tensor<12x1xi32>, tensor<12x1xf32>
  // What all tokens take, with the residual.
  %dense = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %mlp : tensor<2x6x8xf32>, tensor<8x8xf32>)
             outs(%x : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>

  // Each rank sorts its tokens by expert.
  %eo = tensor.empty() : tensor<5xi32>
  %es = tensor.empty() : tensor<6xi32>
  %ep = tensor.empty() : tensor<6x1xi32>
  %e = tensor.empty() : tensor<6x8xf32>
  %x0 = tensor.extract_slice %x[0, 0, 0] [1, 6, 8] [1, 1, 1] : tensor<2x6x8xf32> to tensor<6x8xf32>
  %ids0 = tensor.extract_slice %ids[0, 0] [6, 1] [1, 1] : tensor<12x1xi32> to tensor<6x1xi32>
  %gates0 = tensor.extract_slice %gates[0, 0] [6, 1] [1, 1] : tensor<12x1xf32> to tensor<6x1xf32>
  %offsets0, %slots0, %positions0 = moe.plan ins(%ids0 : tensor<6x1xi32>)
      outs(%eo, %es, %ep : tensor<5xi32>, tensor<6xi32>, tensor<6x1xi32>)
      -> tensor<5xi32>, tensor<6xi32>, tensor<6x1xi32>
  %at0 = tensor.expand_shape %slots0 [[0, 1]] output_shape [6, 1] : tensor<6xi32>
      into tensor<6x1xi32>
  %sent0 = weft.gather batch_dims = 0 ins(%x0, %at0 : tensor<6x8xf32>, tensor<6x1xi32>)
             outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %x1 = tensor.extract_slice %x[1, 0, 0] [1, 6, 8] [1, 1, 1] : tensor<2x6x8xf32> to tensor<6x8xf32>
  %ids1 = tensor.extract_slice %ids[6, 0] [6, 1] [1, 1] : tensor<12x1xi32> to tensor<6x1xi32>
  %gates1 = tensor.extract_slice %gates[6, 0] [6, 1] [1, 1] : tensor<12x1xf32> to tensor<6x1xf32>
  %offsets1, %slots1, %positions1 = moe.plan ins(%ids1 : tensor<6x1xi32>)
      outs(%eo, %es, %ep : tensor<5xi32>, tensor<6xi32>, tensor<6x1xi32>)
      -> tensor<5xi32>, tensor<6xi32>, tensor<6x1xi32>
  %at1 = tensor.expand_shape %slots1 [[0, 1]] output_shape [6, 1] : tensor<6xi32>
      into tensor<6x1xi32>
  %sent1 = weft.gather batch_dims = 0 ins(%x1, %at1 : tensor<6x8xf32>, tensor<6x1xi32>)
             outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %rows = tensor.concat dim(0) %sent0, %sent1 : (tensor<6x8xf32>, tensor<6x8xf32>)
      -> tensor<12x8xf32>
  %values = tensor.expand_shape %rows [[0, 1], [2]] output_shape [2, 6, 8] : tensor<12x8xf32>
      into tensor<2x6x8xf32>
  %both = tensor.concat dim(0) %offsets0, %offsets1 : (tensor<5xi32>, tensor<5xi32>)
      -> tensor<10xi32>
  %offsets = tensor.expand_shape %both [[0, 1]] output_shape [2, 5] : tensor<10xi32>
      into tensor<2x5xi32>

  // There, through the experts of each rank, and back.
  %zr = arith.constant dense<0.0> : tensor<2x12x8xf32>
  %eb = tensor.empty() : tensor<2x5xi32>
  %received, %bounds = moe.exchange ins(%values, %offsets : tensor<2x6x8xf32>, tensor<2x5xi32>)
      outs(%zr, %eb : tensor<2x12x8xf32>, tensor<2x5xi32>) -> tensor<2x12x8xf32>, tensor<2x5xi32>
  %z10 = arith.constant dense<0.0> : tensor<12x10xf32>
  %z8 = arith.constant dense<0.0> : tensor<12x8xf32>
  %in0 = tensor.extract_slice %received[0, 0, 0] [1, 12, 8] [1, 1, 1]
      : tensor<2x12x8xf32> to tensor<12x8xf32>
  %mine0 = tensor.extract_slice %bounds[0, 0] [1, 3] [1, 1] : tensor<2x5xi32> to tensor<3xi32>
  %a0 = moe.grouped_matmul ins(%in0 : tensor<12x8xf32>) weights(%up0 : tensor<2x8x10xf32>)
          offsets(%mine0 : tensor<3xi32>) outs(%z10 : tensor<12x10xf32>) epilogue {
  ^bb0(%sum: f32, %row: index, %group: index):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<12x10xf32>
  %b0 = moe.grouped_matmul ins(%a0 : tensor<12x10xf32>) weights(%down0 : tensor<2x10x8xf32>)
          offsets(%mine0 : tensor<3xi32>) outs(%z8 : tensor<12x8xf32>) -> tensor<12x8xf32>
  %in1 = tensor.extract_slice %received[1, 0, 0] [1, 12, 8] [1, 1, 1]
      : tensor<2x12x8xf32> to tensor<12x8xf32>
  %mine1 = tensor.extract_slice %bounds[1, 2] [1, 3] [1, 1] : tensor<2x5xi32> to tensor<3xi32>
  %a1 = moe.grouped_matmul ins(%in1 : tensor<12x8xf32>) weights(%up1 : tensor<2x8x10xf32>)
          offsets(%mine1 : tensor<3xi32>) outs(%z10 : tensor<12x10xf32>) epilogue {
  ^bb0(%sum: f32, %row: index, %group: index):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<12x10xf32>
  %b1 = moe.grouped_matmul ins(%a1 : tensor<12x10xf32>) weights(%down1 : tensor<2x10x8xf32>)
          offsets(%mine1 : tensor<3xi32>) outs(%z8 : tensor<12x8xf32>) -> tensor<12x8xf32>
  %done = tensor.concat dim(0) %b0, %b1 : (tensor<12x8xf32>, tensor<12x8xf32>) -> tensor<24x8xf32>
  %results = tensor.expand_shape %done [[0, 1], [2]] output_shape [2, 12, 8]
      : tensor<24x8xf32> into tensor<2x12x8xf32>
  %zb = arith.constant dense<0.0> : tensor<2x6x8xf32>
  %back, %unused = moe.exchange inverse
      ins(%results, %offsets : tensor<2x12x8xf32>, tensor<2x5xi32>)
      outs(%zb, %eb : tensor<2x6x8xf32>, tensor<2x5xi32>) -> tensor<2x6x8xf32>, tensor<2x5xi32>
  %own0 = tensor.extract_slice %back[0, 0, 0] [1, 6, 8] [1, 1, 1] : tensor<2x6x8xf32>
      to tensor<6x8xf32>
  %init0 = tensor.extract_slice %dense[0, 0, 0] [1, 6, 8] [1, 1, 1] : tensor<2x6x8xf32>
      to tensor<6x8xf32>
  %y0 = moe.combine ins(%own0, %positions0 : tensor<6x8xf32>, tensor<6x1xi32>)
          weights(%gates0 : tensor<6x1xf32>) outs(%init0 : tensor<6x8xf32>) -> tensor<6x8xf32>
  %own1 = tensor.extract_slice %back[1, 0, 0] [1, 6, 8] [1, 1, 1] : tensor<2x6x8xf32>
      to tensor<6x8xf32>
  %init1 = tensor.extract_slice %dense[1, 0, 0] [1, 6, 8] [1, 1, 1] : tensor<2x6x8xf32>
      to tensor<6x8xf32>
  %y1 = moe.combine ins(%own1, %positions1 : tensor<6x8xf32>, tensor<6x1xi32>)
          weights(%gates1 : tensor<6x1xf32>) outs(%init1 : tensor<6x8xf32>) -> tensor<6x8xf32>
  return %y0, %y1, %bounds : tensor<6x8xf32>, tensor<6x8xf32>, tensor<2x5xi32>
}
"""

# Sums of 10 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"x": f(RANKS, T, H), "router": f(H, EXPERTS), "mlp": f(H, H) / 2,
            "up0": f(2, H, I) / 2, "down0": f(2, I, H) / 2,
            "up1": f(2, H, I) / 2, "down1": f(2, I, H) / 2}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    up, down = (np.concatenate([p[n + "0"], p[n + "1"]]) for n in ("up", "down"))
    y, load = np.zeros((RANKS, T, H)), np.zeros(EXPERTS, int)
    for r in range(RANKS):
        for t, x in enumerate(p["x"][r]):
            score = np.exp(x @ p["router"])
            e = score.argmax()
            load[e] += 1
            y[r, t] = score[e] / score.sum() * (np.maximum(x @ up[e], 0) @ down[e]) + x
            if not ablated:
                y[r, t] += x @ p["mlp"]
    # What each rank received: the rows of its two experts.
    bounds = np.zeros((RANKS, EXPERTS + 1), int)
    for r in range(RANKS):
        mine = np.where(np.arange(EXPERTS) // 2 == r, load, 0)
        bounds[r, 1:] = np.cumsum(mine)
    return [y[0], y[1], bounds.astype(np.int32)]
