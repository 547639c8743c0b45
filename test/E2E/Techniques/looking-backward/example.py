"""Looking Backward: Streaming Video-to-Video Translation with Feature Banks

Theme: attention

Claim: Frames attend to keys and values of past frames in a bank too, and take over similar
features of the past; the bank stays bounded by merging. 20 frames a second on one GPU, 15 times
FlowVid.

Shown: Frame by frame: attention over own and banked keys, each token averaged with its most
similar past feature if the cosine is above 0.6, and the bank merged with the frame by pairs of
nearest tokens, so that it keeps 5 entries. The state goes in and out; the test runs 3 frames.
"""

import numpy as np

N, D, BANK, SIMILAR = 7, 6, 5, 0.6

MODULE = """
#a = affine_map<(s, t, d) -> (s, d)>
#b = affine_map<(s, t, d) -> (t, d)>
#ab = affine_map<(s, t, d) -> (s, t)>
#sd = affine_map<(s, d) -> (s, d)>
#s = affine_map<(s, d) -> (s)>

// The squares of lengths.
func.func private @squares(%x: tensor<?x6xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#sd, #s], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x6xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %p = arith.mulf %v, %v : f32
    %t = arith.addf %p, %sum : f32
    linalg.yield %t : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// For each row of x the row of y of the largest cosine, and that cosine.
func.func private @nearest(%x: tensor<?x6xf32>, %y: tensor<?x6xf32>)
    -> (tensor<?x1xf32>, tensor<?x1xi64>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x6xf32>
  %n = tensor.dim %y, %c0 : tensor<?x6xf32>
  %xs = call @squares(%x) : (tensor<?x6xf32>) -> tensor<?xf32>
  %ys = call @squares(%y) : (tensor<?x6xf32>) -> tensor<?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %products = weft.contract indexing_maps = [#a, #b, #ab]
      ins(%x, %y : tensor<?x6xf32>, tensor<?x6xf32>)
                outs(%z : tensor<?x?xf32>) -> tensor<?x?xf32>
  %cosines = linalg.generic {indexing_maps = [#sd, #s, affine_map<(s, d) -> (d)>, #sd],
                             iterator_types = ["parallel", "parallel"]}
      ins(%products, %xs, %ys : tensor<?x?xf32>, tensor<?xf32>, tensor<?xf32>)
          outs(%e : tensor<?x?xf32>) {
  ^bb0(%p: f32, %u: f32, %v: f32, %o: f32):
    %uv = arith.mulf %u, %v : f32
    %root = math.sqrt %uv : f32
    %c = arith.divf %p, %root : f32
    linalg.yield %c : f32
  } -> tensor<?x?xf32>
  %ev = tensor.empty(%m) : tensor<?x1xf32>
  %ei = tensor.empty(%m) : tensor<?x1xi64>
  %best, %which = weft.sort descending dimension = 1 ins(%cosines : tensor<?x?xf32>)
      outs(%ev, %ei : tensor<?x1xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>, tensor<?x1xi64>
  return %best, %which : tensor<?x1xf32>, tensor<?x1xi64>
}

func.func @main(%frame: tensor<7x6xf32>, %wk: tensor<6x6xf32>, %wv: tensor<6x6xf32>,
    %bank: tensor<5x6xf32>) -> (tensor<7x6xf32>, tensor<5x6xf32>) {
  // Keys and values of the frame and of the bank.
  %all = tensor.concat dim(0) %frame, %bank : (tensor<7x6xf32>, tensor<5x6xf32>) -> tensor<12x6xf32>
  %z = arith.constant dense<0.0> : tensor<12x6xf32>
  %k = linalg.matmul ins(%all, %wk : tensor<12x6xf32>, tensor<6x6xf32>)
      outs(%z : tensor<12x6xf32>) -> tensor<12x6xf32>
  %v = linalg.matmul ins(%all, %wv : tensor<12x6xf32>, tensor<6x6xf32>)
      outs(%z : tensor<12x6xf32>) -> tensor<12x6xf32>
  %e = tensor.empty() : tensor<7x6xf32>
  %a = attn.attend layout = "sd,td,te->se"
         ins(%frame, %k, %v : tensor<7x6xf32>, tensor<12x6xf32>, tensor<12x6xf32>)
         outs(%e : tensor<7x6xf32>) -> tensor<7x6xf32>

  // Features of the past where they are similar.
  %ad = tensor.cast %a : tensor<7x6xf32> to tensor<?x6xf32>
  %bd = tensor.cast %bank : tensor<5x6xf32> to tensor<?x6xf32>
  %fd = tensor.cast %frame : tensor<7x6xf32> to tensor<?x6xf32>
  %cosine, %which = call @nearest(%ad, %bd) : (tensor<?x6xf32>, tensor<?x6xf32>)
      -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %cosines = tensor.cast %cosine : tensor<?x1xf32> to tensor<7x1xf32>
  %numbers = tensor.cast %which : tensor<?x1xi64> to tensor<7x1xi64>
  %past = weft.gather batch_dims = 0 ins(%bank, %numbers : tensor<5x6xf32>, tensor<7x1xi64>)
            outs(%e : tensor<7x6xf32>) -> tensor<7x6xf32>
  %near = tensor.collapse_shape %cosines [[0, 1]] : tensor<7x1xf32> into tensor<7xf32>
  %fused = linalg.generic {indexing_maps = [#sd, #sd, #s, #sd], iterator_types = ["parallel",
      "parallel"]}
      ins(%a, %past, %near : tensor<7x6xf32>, tensor<7x6xf32>, tensor<7xf32>)
          outs(%e : tensor<7x6xf32>) {
  ^bb0(%now: f32, %then: f32, %c: f32, %o: f32):
    %limit = arith.constant 0.6 : f32
    %half = arith.constant 0.5 : f32
    %sum = arith.addf %now, %then : f32
    %mean = arith.mulf %sum, %half : f32
    %is = arith.cmpf ogt, %c, %limit : f32
    %r = arith.select %is, %mean, %now : f32
    linalg.yield %r : f32
  } -> tensor<7x6xf32>

  // Each entry of the bank becomes the mean of itself and the frame's token nearest to it.
  %bc, %bw = call @nearest(%bd, %fd) : (tensor<?x6xf32>, tensor<?x6xf32>)
      -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %tokens = tensor.cast %bw : tensor<?x1xi64> to tensor<5x1xi64>
  %eb = tensor.empty() : tensor<5x6xf32>
  %matched = weft.gather batch_dims = 0 ins(%frame, %tokens : tensor<7x6xf32>, tensor<5x1xi64>)
               outs(%eb : tensor<5x6xf32>) -> tensor<5x6xf32>
  %merged = linalg.generic {indexing_maps = [#sd, #sd, #sd], iterator_types = ["parallel",
      "parallel"]}
      ins(%bank, %matched : tensor<5x6xf32>, tensor<5x6xf32>) outs(%eb : tensor<5x6xf32>) {
  ^bb0(%old: f32, %new: f32, %o: f32):
    %half = arith.constant 0.5 : f32
    %sum = arith.addf %old, %new : f32
    %mean = arith.mulf %sum, %half : f32
    linalg.yield %mean : f32
  } -> tensor<5x6xf32>
  return %fused, %merged : tensor<7x6xf32>, tensor<5x6xf32>
}
"""

# Sums of 6 products, a softmax and cosines, in f32.
TOLERANCE = 2e-5


def step(frame, bank, wk, wv, ablated):
    seen = frame if ablated else np.concatenate([frame, bank])
    score = np.exp(frame @ (seen @ wk).T / np.sqrt(D))
    a = score / score.sum(1, keepdims=True) @ (seen @ wv)
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = unit(a) @ unit(bank).T
    fused = a.copy()
    for x, c in zip(fused, cosine):
        if c.max() > SIMILAR:
            x[:] = (x + bank[c.argmax()]) / 2
    nearest = (unit(bank) @ unit(frame).T).argmax(1)
    return fused, (bank + frame[nearest]) / 2


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    wk, wv, scene, bank, calls = f(D, D) / 2, f(D, D) / 2, f(N, D), f(BANK, D), []
    for _ in range(3):
        frame = scene + 0.3 * f(N, D)
        calls.append({"frame": frame, "wk": wk, "wv": wv, "bank": bank})
        bank = step(*(x.astype(np.float64) for x in (frame, bank, wk, wv)),
                    False)[1].astype(np.float32)
    return calls


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    return step(p["frame"], p["bank"], p["wk"], p["wv"], ablated)


def check(example):
    # The bank comes nearer to the scene.
    given = [given for given, _, _ in example.calls]
    far = [np.linalg.norm(g["bank"][:, None] - g["frame"][None],
                          axis=-1).min(1).mean() for g in given]
    assert far[0] > far[1] > far[2], far
