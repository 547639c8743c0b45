"""AdaZeta: Adaptive Zeroth-Order Tensor-Train Adaption for Memory-Efficient LLM Fine-Tuning

Theme: structured-matrix

Claim: An adapter's weight is a chain of small tensor-train cores, and is trained by forward passes
alone, whose gradient estimates use more perturbations as training goes on.

Shown: The chain of four cores as contractions of the activations, the widest of two indices at once,
and the estimate of a directional derivative from two passes in one module.
"""

import numpy as np

K1, K2, N1, N2, RANKS = 5, 7, 4, 6, (3, 2, 4)
EPSILON = 2.0 ** -6


def chain(p):
    """One pass with the cores %g1<p>..%g4<p>."""
    return f"""
  %h1{p} = weft.contract indexing_maps = [affine_map<(t, k1, c, k2) -> (t, k1, k2)>,
                                          affine_map<(t, k1, c, k2) -> (c, k2)>,
                                          affine_map<(t, k1, c, k2) -> (t, k1, c)>]
             ins(%x, %g4{p} : tensor<?x5x7xf32>, tensor<4x7xf32>)
             outs(%z1 : tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %h2{p} = weft.contract indexing_maps = [affine_map<(t, b, k1, c) -> (t, k1, c)>,
                                          affine_map<(t, b, k1, c) -> (b, k1, c)>,
                                          affine_map<(t, b, k1, c) -> (t, b)>]
             ins(%h1{p}, %g3{p} : tensor<?x5x4xf32>, tensor<2x5x4xf32>)
             outs(%z2 : tensor<?x2xf32>) -> tensor<?x2xf32>
  %h3{p} = weft.contract indexing_maps = [affine_map<(t, a, n2, b) -> (t, b)>,
                                          affine_map<(t, a, n2, b) -> (a, n2, b)>,
                                          affine_map<(t, a, n2, b) -> (t, a, n2)>]
             ins(%h2{p}, %g2{p} : tensor<?x2xf32>, tensor<3x6x2xf32>)
             outs(%z3 : tensor<?x3x6xf32>) -> tensor<?x3x6xf32>
  %y{p} = weft.contract indexing_maps = [affine_map<(t, n1, n2, a) -> (t, a, n2)>,
                                         affine_map<(t, n1, n2, a) -> (n1, a)>,
                                         affine_map<(t, n1, n2, a) -> (t, n1, n2)>]
             ins(%h3{p}, %g1{p} : tensor<?x3x6xf32>, tensor<4x3xf32>)
             outs(%z4 : tensor<?x4x6xf32>) -> tensor<?x4x6xf32>"""


def zeros(name, shape):
    return f"""
  %e{name} = tensor.empty(%t) : tensor<?x{shape}xf32>
  %{name} = linalg.fill ins(%zero : f32)
      outs(%e{name} : tensor<?x{shape}xf32>) -> tensor<?x{shape}xf32>"""


CORES = {"g1": (N1, RANKS[0]), "g2": (RANKS[0], N2, RANKS[1]), "g3": (RANKS[1], K1, RANKS[2]),
         "g4": (RANKS[2], K2)}


def MODULE():
    kinds = {name: f"tensor<{'x'.join(map(str, shape))}xf32>" for name, shape in CORES.items()}
    cores = ", ".join(f"%{name}{p}: {kind}" for p in "pm" for name, kind in kinds.items())
    inits = "".join(zeros(*z) for z in (("z1", "5x4"), ("z2", "2"), ("z3", "3x6"), ("z4", "4x6")))
    return f"""
func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x5x7xf32> {{weft.name = "x", weft.dims = ["t", 5, 7]}},
                {cores}, %weights: tensor<?x4x6xf32> {{weft.name = "weights", weft.dims = ["t", 4, 6]}})
    -> (tensor<?x4x6xf32>, tensor<f32>) {{
  %zero = arith.constant 0.0 : f32{inits}{chain("p")}{chain("m")}
  // The loss is linear in the results; the estimate is (loss(+) - loss(-)) / (2 epsilon).
  %none = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%none : tensor<f32>) -> tensor<f32>
  %slope = linalg.generic {{indexing_maps = [affine_map<(i, j, k)
      -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>,
                                            affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> ()>],
                           iterator_types = ["reduction", "reduction", "reduction"]}}
      ins(%yp, %ym, %weights : tensor<?x4x6xf32>, tensor<?x4x6xf32>, tensor<?x4x6xf32>)
      outs(%start : tensor<f32>) {{
  ^bb0(%p: f32, %m: f32, %w: f32, %sum: f32):
    %factor = arith.constant {0.5 / EPSILON} : f32
    %difference = arith.subf %p, %m : f32
    %weighted = arith.mulf %difference, %w : f32
    %scaled = arith.mulf %weighted, %factor : f32
    %next = arith.addf %sum, %scaled : f32
    linalg.yield %next : f32
  }} -> tensor<f32>
  return %yp, %slope : tensor<?x4x6xf32>, tensor<f32>
}}
"""


# The slope is a difference of results of f32 over 1/32: it loses five bits.
TOLERANCE = 1e-4


def inputs(rng):
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    calls = []
    for t in (2, 9):
        cores = {name: normal(*shape) * 0.5 for name, shape in CORES.items()}
        noise = {name: normal(*shape) for name, shape in CORES.items()}
        plus = {f"{n}p": (cores[n] + EPSILON * noise[n]).astype(np.float32) for n in CORES}
        minus = {f"{n}m": (cores[n] - EPSILON * noise[n]).astype(np.float32) for n in CORES}
        calls.append({"x": normal(t, K1, K2)} | plus | minus | {"weights": normal(t, N1, N2) / 4})
    return calls


def reference(inputs, ablated):
    """The cores as the matrix that they stand for, a product over all ranks."""
    given = {k: v.astype(np.float64) for k, v in inputs.items()}

    def matrix(p):
        full = np.zeros((N1 * N2, K1 * K2))
        for i in range(N1 * N2):
            for j in range(K1 * K2):
                row = given[f"g1{p}"][i // N2] @ given[f"g2{p}"][:, i % N2]
                column = given[f"g3{p}"][:, j // K2] @ given[f"g4{p}"][:, j % K2]
                full[i, j] = row @ column
        return full
    x = given["x"].reshape(len(given["x"]), -1)
    plus, minus = (x @ matrix(p).T for p in "pm")
    difference = plus if ablated else plus - minus
    slope = (difference * given["weights"].reshape(plus.shape)).sum() / (2 * EPSILON)
    return [plus.reshape(-1, N1, N2), slope]


def check(example):
    assert sum(np.prod(s) for s in CORES.values()) < K1 * K2 * N1 * N2 / 7
