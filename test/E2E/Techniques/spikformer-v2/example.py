"""Spikformer V2: Join the High Accuracy Club on ImageNet with an SNN Ticket

Theme: attention

Claim: With queries, keys and values of spikes attention needs neither a softmax nor
multiplications; a model of 172 M parameters has 81 % on ImageNet with one time step.

Shown: Leaky neurons make spikes of currents over 4 time steps in a loop that carries membranes;
products of spikes are `attn.linear` without a normalization, whose keys times values are counted
first. Its results are whole numbers, exactly.
"""

import numpy as np

STEPS, N, D, TAU = 4, 11, 6, 2.0

MODULE = """
#id = affine_map<(m, n, d) -> (m, n, d)>

// Currents of queries, keys and values for each time step.
func.func @main(%currents: tensor<4x3x11x6xf32>) -> (tensor<4x11x6xf32>, tensor<3x11x6xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %rest = arith.constant dense<0.0> : tensor<3x11x6xf32>
  %out = arith.constant dense<0.0> : tensor<4x11x6xf32>
  %e = tensor.empty() : tensor<3x11x6xf32>
  %y, %membranes = scf.for %t = %c0 to %c4 step %c1 iter_args(%so_far = %out, %membrane = %rest)
      -> (tensor<4x11x6xf32>, tensor<3x11x6xf32>) {
    %current = tensor.extract_slice %currents[%t, 0, 0, 0] [1, 3, 11, 6] [1, 1, 1, 1]
      : tensor<4x3x11x6xf32> to tensor<3x11x6xf32>
    // The membrane moves halfway to the current; at 1 there is a spike, and it starts again.
    %spikes, %next = linalg.generic {indexing_maps = [#id, #id, #id, #id],
                                     iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%current, %membrane : tensor<3x11x6xf32>, tensor<3x11x6xf32>)
        outs(%e, %e : tensor<3x11x6xf32>, tensor<3x11x6xf32>) {
    ^bb0(%i: f32, %u: f32, %o0: f32, %o1: f32):
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %half = arith.constant 0.5 : f32
      %away = arith.subf %i, %u : f32
      %move = arith.mulf %away, %half : f32
      %v = arith.addf %u, %move : f32
      %fires = arith.cmpf oge, %v, %one : f32
      %spike = arith.select %fires, %one, %zero : f32
      %after = arith.select %fires, %zero, %v : f32
      linalg.yield %spike, %after : f32, f32
    } -> (tensor<3x11x6xf32>, tensor<3x11x6xf32>)
    %q = tensor.extract_slice %spikes[0, 0, 0] [1, 11, 6] [1, 1, 1] : tensor<3x11x6xf32>
        to tensor<11x6xf32>
    %k = tensor.extract_slice %spikes[1, 0, 0] [1, 11, 6] [1, 1, 1] : tensor<3x11x6xf32>
        to tensor<11x6xf32>
    %v = tensor.extract_slice %spikes[2, 0, 0] [1, 11, 6] [1, 1, 1] : tensor<3x11x6xf32>
        to tensor<11x6xf32>
    %state = arith.constant dense<0.0> : tensor<6x6xf32>
    %norm = arith.constant dense<0.0> : tensor<6xf32>
    %ea = tensor.empty() : tensor<11x6xf32>
    %a, %s, %n = attn.linear ins(%q, %k, %v : tensor<11x6xf32>, tensor<11x6xf32>, tensor<11x6xf32>)
        outs(%ea, %state, %norm : tensor<11x6xf32>, tensor<6x6xf32>, tensor<6xf32>)
        -> tensor<11x6xf32>, tensor<6x6xf32>, tensor<6xf32>
    %all = tensor.insert_slice %a
        into %so_far[%t, 0, 0] [1, 11, 6] [1, 1, 1] : tensor<11x6xf32> into tensor<4x11x6xf32>
    scf.yield %all, %next : tensor<4x11x6xf32>, tensor<3x11x6xf32>
  }
  return %y, %membranes : tensor<4x11x6xf32>, tensor<3x11x6xf32>
}
"""

# The attention is exact; membranes are rounded in f32 four times.
TOLERANCE = 1e-6


def inputs(rng):
    return {"currents": (rng.standard_normal((STEPS, 3, N, D)) + 1).astype(np.float32)}


def reference(inputs, ablated):
    u, y = np.zeros((3, N, D)), []
    for current in inputs["currents"].astype(np.float64):
        u = u + (current - u) / TAU
        spikes = u >= 1
        if not ablated:  # else membranes never start again
            u = np.where(spikes, 0, u)
        q, k, v = spikes.astype(np.float64)
        y.append(q @ k.T @ v)
    return [np.array(y), u]


def check(example):
    y = example.calls[0][1][0]
    assert np.array_equal(y, np.rint(y)) and y.max() > 3
