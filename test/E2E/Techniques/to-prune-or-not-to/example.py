"""To prune, or not to prune: exploring the efficacy of pruning for model compression

Theme: sparsity

Claim: Magnitude pruning by a cubic schedule leaves large sparse models (stacked LSTMs among them, up
to 10 times fewer numbers) that are better than small dense ones of the same memory, indices counted.

Shown: One LSTM cell at three steps of the schedule; its eight matrices are one
`#sparse.csr<i16>`, whose bytes with indices fall as the schedule says.
"""

import numpy as np

import encode

K, H = 19, 13  # inputs, units
FINAL, STEPS = 0.9, 10

MODULE = """
#x = affine_map<(b, g, k) -> (b, k)>
#w = affine_map<(b, g, k) -> (g, k)>
#bias = affine_map<(b, g, k) -> (g)>
#y = affine_map<(b, g, k) -> (b, g)>
#unit = affine_map<(b, u) -> (b, u)>
!weight = !weft.packed<52x32xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>

// 19 inputs and 13 states; the gates are input, forget, cell and output.
func.func @main(%stored: index {weft.symbol = "stored"},
                %codes: tensor<?xi32> {weft.name = "codes", weft.dims = ["stored"]},
                %offsets: tensor<53xi32>,
                %columns: tensor<?xi16> {weft.name = "columns", weft.dims = ["stored"]},
                %bias: tensor<52xf32>, %xh: tensor<3x32xf32>, %c: tensor<3x13xf32>)
    -> (tensor<3x13xf32>, tensor<3x13xf32>) {
  %w = weft.assemble %codes, %offsets, %columns
    : tensor<?xi32>, tensor<53xi32>, tensor<?xi16> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<3x52xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x52xf32>) -> tensor<3x52xf32>
  %gates = weft.contract indexing_maps = [#x, #w, #bias, #y]
      ins(%xh, %w : tensor<3x32xf32>, !weight)
             bias(%bias : tensor<52xf32>) outs(%init : tensor<3x52xf32>) -> tensor<3x52xf32>
  %i = tensor.extract_slice %gates[0, 0] [3, 13] [1, 1] : tensor<3x52xf32> to tensor<3x13xf32>
  %f = tensor.extract_slice %gates[0, 13] [3, 13] [1, 1] : tensor<3x52xf32> to tensor<3x13xf32>
  %g = tensor.extract_slice %gates[0, 26] [3, 13] [1, 1] : tensor<3x52xf32> to tensor<3x13xf32>
  %o = tensor.extract_slice %gates[0, 39] [3, 13] [1, 1] : tensor<3x52xf32> to tensor<3x13xf32>
  %state = tensor.empty() : tensor<3x13xf32>
  %new:2 = linalg.generic {indexing_maps = [#unit, #unit, #unit, #unit, #unit, #unit, #unit],
                           iterator_types = ["parallel", "parallel"]}
      ins(%i, %f, %g, %o, %c : tensor<3x13xf32>, tensor<3x13xf32>, tensor<3x13xf32>,
                               tensor<3x13xf32>, tensor<3x13xf32>)
      outs(%state, %state : tensor<3x13xf32>, tensor<3x13xf32>) {
  ^bb0(%vi: f32, %vf: f32, %vg: f32, %vo: f32, %vc: f32, %old0: f32, %old1: f32):
    %one = arith.constant 1.0 : f32
    %ni = arith.negf %vi : f32
    %ei = math.exp %ni : f32
    %di = arith.addf %one, %ei : f32
    %si = arith.divf %one, %di : f32
    %nf = arith.negf %vf : f32
    %ef = math.exp %nf : f32
    %df = arith.addf %one, %ef : f32
    %sf = arith.divf %one, %df : f32
    %no = arith.negf %vo : f32
    %eo = math.exp %no : f32
    %do = arith.addf %one, %eo : f32
    %so = arith.divf %one, %do : f32
    %tg = math.tanh %vg : f32
    %kept = arith.mulf %sf, %vc : f32
    %added = arith.mulf %si, %tg : f32
    %c2 = arith.addf %kept, %added : f32
    %tc = math.tanh %c2 : f32
    %h2 = arith.mulf %so, %tc : f32
    linalg.yield %h2, %c2 : f32, f32
  } -> (tensor<3x13xf32>, tensor<3x13xf32>)
  return %new#0, %new#1 : tensor<3x13xf32>, tensor<3x13xf32>
}
"""

# 32 products in f32, then exponentials of numbers of about 1.
TOLERANCE = 1e-5


def sparsity(step):
    """Equation 1 with an initial sparsity of 0: s_t = s_f - s_f (1 - t / n)^3."""
    return FINAL - FINAL * (1 - step / STEPS) ** 3


def prune(weight, step):
    """The smallest share of the layer becomes 0."""
    remove = round(sparsity(step) * weight.size)
    mask = np.ones(weight.size, bool)
    mask[np.argsort(abs(weight), axis=None, kind="stable")[:remove]] = False
    return np.where(mask.reshape(weight.shape), weight, 0)


def inputs(rng):
    weight = rng.standard_normal((4 * H, K + H)).astype(np.float32)
    calls = []
    for step in (2, 5, STEPS):
        numbers, offsets, columns = encode.csr(prune(weight, step))
        calls.append({"codes": numbers.view(np.int32), "offsets": offsets, "columns": columns,
                      "bias": rng.standard_normal(4 * H).astype(np.float32),
                      "xh": rng.standard_normal((3, K + H)).astype(np.float32),
                      "c": rng.standard_normal((3, H)).astype(np.float32),
                      "_weight": weight, "_step": step})
    return calls


def reference(inputs, ablated):
    weight = inputs["_weight"] if ablated else prune(inputs["_weight"], inputs["_step"])
    gates = inputs["xh"].astype(np.float64) @ weight.astype(np.float64).T + inputs["bias"]
    i, f, g, o = np.split(gates, 4, axis=1)
    logistic = lambda x: 1 / (1 + np.exp(-x))
    c = logistic(f) * inputs["c"] + logistic(i) * np.tanh(g)
    return [logistic(o) * np.tanh(c), c]


def check(example):
    dense = 4 * H * (K + H) * 4
    for given, _, _ in example.calls:
        stored = sum(given[k].nbytes for k in ("codes", "offsets", "columns"))
        share = 1 - sparsity(given["_step"])
        assert stored <= dense * share * 1.5 + 4 * (4 * H + 2), (stored, dense, share)
