"""Router-Tuning: A Simple and Effective Approach for Enabling Dynamic-Depth in Transformers

Theme: moe

Claim: A small router in each layer decides whether an input's attention is computed or skipped
(MindSkip); only routers are trained. 21 % faster at 0.2 % less quality.

Shown: The router scores the mean of each sequence; `moe.depth` runs the whole attention for the
sequences whose sigmoid exceeds one half, times that sigmoid, and others cost nothing.
"""

import numpy as np

S, D = 9, 8

MODULE = """
#x = affine_map<(b, s, o, i) -> (b, s, i)>
#w = affine_map<(b, s, o, i) -> (i, o)>
#y = affine_map<(b, s, o, i) -> (b, s, o)>
#bsd = affine_map<(b, s, d) -> (b, s, d)>
#b = affine_map<(b, s, d) -> (b)>

func.func @main(%B: index {weft.symbol = "B"},
    %x: tensor<?x9x8xf32> {weft.name = "x", weft.dims = ["B", 9, 8]}, %router: tensor<8xf32>,
    %wq: tensor<8x8xf32>, %wk: tensor<8x8xf32>, %wv: tensor<8x8xf32>)
        -> (tensor<?x9x8xf32>, tensor<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %eb = tensor.empty(%B) : tensor<?xf32>
  %zb = linalg.fill ins(%zero : f32) outs(%eb : tensor<?xf32>) -> tensor<?xf32>
  %sums = linalg.generic {indexing_maps = [#bsd, affine_map<(b, s, d) -> (d)>, #b],
                          iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x, %router : tensor<?x9x8xf32>, tensor<8xf32>) outs(%zb : tensor<?xf32>) {
  ^bb0(%in: f32, %r: f32, %sum: f32):
    %p = arith.mulf %in, %r : f32
    %next = arith.addf %sum, %p : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %gates = linalg.generic {indexing_maps = [affine_map<(b) -> (b)>, affine_map<(b) -> (b)>],
                           iterator_types = ["parallel"]}
      ins(%sums : tensor<?xf32>) outs(%eb : tensor<?xf32>) {
  ^bb0(%sum: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %length = arith.constant -9.0 : f32
    %mean = arith.divf %sum, %length : f32
    %e = math.exp %mean : f32
    %d = arith.addf %e, %one : f32
    %g = arith.divf %one, %d : f32
    linalg.yield %g : f32
  } -> tensor<?xf32>
  %em = tensor.empty(%B) : tensor<?xi8>
  %mask = linalg.generic {indexing_maps = [affine_map<(b) -> (b)>, affine_map<(b) -> (b)>],
                          iterator_types = ["parallel"]}
      ins(%gates : tensor<?xf32>) outs(%em : tensor<?xi8>) {
  ^bb0(%g: f32, %o: i8):
    %half = arith.constant 0.5 : f32
    %is = arith.cmpf ogt, %g, %half : f32
    %m = arith.extui %is : i1 to i8
    linalg.yield %m : i8
  } -> tensor<?xi8>
  %y = moe.depth mask(%mask : tensor<?xi8>) ins(%x, %gates : tensor<?x9x8xf32>, tensor<?xf32>)
         outs(%x : tensor<?x9x8xf32>) {
  ^bb0(%rows: tensor<?x9x8xf32>, %gate: tensor<?xf32>):
    %n = tensor.dim %rows, %c0 : tensor<?x9x8xf32>
    %e = tensor.empty(%n) : tensor<?x9x8xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x9x8xf32>) -> tensor<?x9x8xf32>
    %q = weft.contract indexing_maps = [#x, #w, #y]
        ins(%rows, %wq : tensor<?x9x8xf32>, tensor<8x8xf32>)
           outs(%z : tensor<?x9x8xf32>) -> tensor<?x9x8xf32>
    %k = weft.contract indexing_maps = [#x, #w, #y]
        ins(%rows, %wk : tensor<?x9x8xf32>, tensor<8x8xf32>)
           outs(%z : tensor<?x9x8xf32>) -> tensor<?x9x8xf32>
    %v = weft.contract indexing_maps = [#x, #w, #y]
        ins(%rows, %wv : tensor<?x9x8xf32>, tensor<8x8xf32>)
           outs(%z : tensor<?x9x8xf32>) -> tensor<?x9x8xf32>
    %a = attn.attend causal layout = "bsd,btd,bte->bse"
           ins(%q, %k, %v : tensor<?x9x8xf32>, tensor<?x9x8xf32>, tensor<?x9x8xf32>)
           outs(%e : tensor<?x9x8xf32>) -> tensor<?x9x8xf32>
    %r = linalg.generic {indexing_maps = [#bsd, #bsd, #b, #bsd],
                         iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%rows, %a, %gate : tensor<?x9x8xf32>, tensor<?x9x8xf32>, tensor<?xf32>)
        outs(%e : tensor<?x9x8xf32>) {
    ^bb0(%in: f32, %out: f32, %g: f32, %o: f32):
      %p = arith.mulf %out, %g : f32
      %s = arith.addf %in, %p : f32
      linalg.yield %s : f32
    } -> tensor<?x9x8xf32>
    moe.yield %r : tensor<?x9x8xf32>
  } -> tensor<?x9x8xf32>
  return %y, %mask : tensor<?x9x8xf32>, tensor<?xi8>
}
"""

# Sums of 9 products of about 1 and exponentials of such, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(D), "wq": f(D, D), "wk": f(D, D), "wv": f(D, D)}
    return [{"x": f(b, S, D), **weights} for b in (7, 4, 0)]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    y, mask = p["x"].copy(), np.zeros(len(p["x"]), np.int8)
    for b, x in enumerate(p["x"]):
        gate = 1 / (1 + np.exp(-(x.mean(0) @ p["router"])))
        if gate > 0.5 or ablated:
            mask[b] = 1
            score = np.tril(np.exp((x @ p["wq"]) @ (x @ p["wk"]).T / np.sqrt(D)))
            y[b] = x + gate * (score / score.sum(1, keepdims=True)) @ (x @ p["wv"])
    return [y, mask]
