"""Scalable MatMul-free Language Modeling

Theme: quantization

Claim: Ternary weights with fused RMSNorm and 8-bit activations make all dense layers sums, and an
elementwise gated recurrence takes the place of attention: over 10 times less memory at inference.

Shown: Three BitLinear projections (five trits a byte, codes of 8 bits a token by `lowp.quantize`) feed
h = f h + (1 - f) c as `ssm.scan vector diag linear`, over any number of tokens with a state passed on.
"""

import numpy as np

import encode

D, H = 13, 9


def projection(name):
    return f"""
  %w{name} = weft.assemble %{name}, %s{name} : tensor<24xi8>, tensor<f32> -> !weight
  %{name}_out = weft.contract indexing_maps = [#x, #w, #y]
      ins(%a, %w{name} : tensor<?x13xf32>, !weight)
             outs(%init : tensor<?x9xf32>) -> tensor<?x9xf32>"""


def MODULE():
    return f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#cell = affine_map<(t, n) -> (t, n)>
#row = affine_map<(t, n) -> (t)>
!weight = !weft.packed<9x13xf32, #weft.format<elem = #lowp.ternary, pack = #lowp.trits,
                                              scales = [#lowp.scale<multiply, [], f32>]>>
!tokens = !weft.packed<?x13xf32, #weft.format<elem = #lowp.int<8, signed>,
                                              scales = [#lowp.scale<multiply, [1, 0], f32>]>>

func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x13xf32> {{weft.name = "x", weft.dims = ["t", 13]}},
                %f: tensor<24xi8>, %sf: tensor<f32>, %c: tensor<24xi8>, %sc: tensor<f32>,
                %g: tensor<24xi8>, %sg: tensor<f32>, %state: tensor<1x1x9xf32>)
    -> (tensor<?x9xf32>, tensor<1x1x9xf32>) {{
  %zero = arith.constant 0.0 : f32
  %none = tensor.empty(%t) : tensor<?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
  %squares = linalg.generic {{indexing_maps = [#cell, #row],
      iterator_types = ["parallel", "reduction"]}}
      ins(%x : tensor<?x13xf32>) outs(%start : tensor<?xf32>) {{
  ^bb0(%v: f32, %sum: f32):
    %square = arith.mulf %v, %v : f32
    %next = arith.addf %sum, %square : f32
    linalg.yield %next : f32
  }} -> tensor<?xf32>
  %wide = tensor.empty(%t) : tensor<?x13xf32>
  %normal = linalg.generic {{indexing_maps = [#cell, #row, #cell],
      iterator_types = ["parallel", "parallel"]}}
      ins(%x, %squares : tensor<?x13xf32>, tensor<?xf32>) outs(%wide : tensor<?x13xf32>) {{
  ^bb0(%v: f32, %sum: f32, %old: f32):
    %size = arith.constant {D}.0 : f32
    %epsilon = arith.constant 1.0e-6 : f32
    %mean = arith.divf %sum, %size : f32
    %shifted = arith.addf %mean, %epsilon : f32
    %root = math.sqrt %shifted : f32
    %n = arith.divf %v, %root : f32
    linalg.yield %n : f32
  }} -> tensor<?x13xf32>
  %q = lowp.quantize %normal by absmax : tensor<?x13xf32> -> !tokens
  %a = weft.unpack ins(%q : !tokens) outs(%wide : tensor<?x13xf32>) -> tensor<?x13xf32>
  %empty = tensor.empty(%t) : tensor<?x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x9xf32>) -> tensor<?x9xf32>{
    "".join(projection(n) for n in "fcg")}
  // What is kept, f = sigmoid(.), and what is added, (1 - f) silu(c).
  %keep, %add = linalg.generic {{indexing_maps = [#cell, #cell, #cell, #cell],
      iterator_types = ["parallel", "parallel"]}}
      ins(%f_out, %c_out : tensor<?x9xf32>, tensor<?x9xf32>)
      outs(%empty, %empty : tensor<?x9xf32>, tensor<?x9xf32>) {{
  ^bb0(%u: f32, %v: f32, %old0: f32, %old1: f32):
    %one = arith.constant 1.0 : f32
    %mu = arith.negf %u : f32
    %eu = math.exp %mu : f32
    %du = arith.addf %one, %eu : f32
    %forget = arith.divf %one, %du : f32
    %mv = arith.negf %v : f32
    %ev = math.exp %mv : f32
    %dv = arith.addf %one, %ev : f32
    %silu = arith.divf %v, %dv : f32
    %rest = arith.subf %one, %forget : f32
    %new = arith.mulf %rest, %silu : f32
    linalg.yield %forget, %new : f32, f32
  }} -> (tensor<?x9xf32>, tensor<?x9xf32>)
  %decay = tensor.expand_shape %keep [[0, 1, 2], [3]] output_shape [1, %t, 1, 9]
    : tensor<?x9xf32> into tensor<1x?x1x9xf32>
  %value = tensor.expand_shape %add [[0, 1, 2], [3]] output_shape [1, %t, 1, 9]
    : tensor<?x9xf32> into tensor<1x?x1x9xf32>
  %states = tensor.empty(%t) : tensor<1x?x1x9xf32>
  %last = tensor.empty() : tensor<1x1x9xf32>
  %h4, %next = ssm.scan vector diag linear value(%value : tensor<1x?x1x9xf32>)
      decay(%decay : tensor<1x?x1x9xf32>) initial(%state : tensor<1x1x9xf32>)
      outs(%states, %last : tensor<1x?x1x9xf32>, tensor<1x1x9xf32>)
      -> tensor<1x?x1x9xf32>, tensor<1x1x9xf32>
  %h = tensor.collapse_shape %h4 [[0, 1, 2], [3]] : tensor<1x?x1x9xf32> into tensor<?x9xf32>
  %y = linalg.generic {{indexing_maps = [#cell, #cell, #cell],
      iterator_types = ["parallel", "parallel"]}}
      ins(%h, %g_out : tensor<?x9xf32>, tensor<?x9xf32>) outs(%empty : tensor<?x9xf32>) {{
  ^bb0(%v: f32, %gate: f32, %old: f32):
    %one = arith.constant 1.0 : f32
    %m = arith.negf %gate : f32
    %e = math.exp %m : f32
    %d = arith.addf %one, %e : f32
    %s = arith.divf %one, %d : f32
    %o = arith.mulf %v, %s : f32
    linalg.yield %o : f32
  }} -> tensor<?x9xf32>
  return %y, %next : tensor<?x9xf32>, tensor<1x1x9xf32>
}}
"""


# Roundings of f32 in sums of 13 products; no activation lies between two codes.
TOLERANCE = 1e-5


def inputs(rng):
    weights = {}
    for name in "fcg":
        weight = rng.standard_normal((H, D))
        scale = abs(weight).mean()
        weights[name] = np.clip(np.rint(weight / scale), -1, 1), np.float32(scale)
    calls, state = [], np.zeros((1, 1, H), np.float32)
    for t in (6, 1, 3):  # each call goes on with the state of the one before
        while True:
            x = rng.standard_normal((t, D)).astype(np.float32)
            codes = x.astype(np.float64) / abs(x).max(1, keepdims=True) * 127
            if (abs(codes - np.floor(codes) - 0.5) > 1e-3).all():
                break
        given = {"x": x}
        for name, (trits, scale) in weights.items():
            given |= {name: encode.trits(trits + 1), "s" + name: scale}
        given |= {"state": state, "_weights": weights}
        state = reference(given, False)[1].astype(np.float32)
        calls.append(given)
    return calls


def reference(inputs, ablated):
    """MLGRU by its recurrence; ablated: full-precision activations."""
    x = inputs["x"].astype(np.float64)
    x = x / np.sqrt((x ** 2).mean(1, keepdims=True) + 1e-6)
    if not ablated:
        scale = abs(x).max(1, keepdims=True) / 127
        x = np.rint(x / scale) * scale
    logistic = lambda v: 1 / (1 + np.exp(-v))
    f, c, g = (x @ (w * np.float64(s)).T for w, s in (inputs["_weights"][n] for n in "fcg"))
    h, rows = inputs["state"].astype(np.float64)[0, 0], []
    for at in range(len(x)):
        keep = logistic(f[at])
        h = keep * h + (1 - keep) * c[at] * logistic(c[at])
        rows.append(h * logistic(g[at]))
    return [np.array(rows), h.reshape(1, 1, H)]
