"""LMUFormer: Low Complexity Yet Powerful Spiking Model With Legendre Memory Units

Theme: ssm

Claim: A Legendre Memory Unit keeps a window of the past as coefficients of Legendre polynomials by
a fixed linear recurrence: training sees it as a convolution with an impulse response, streaming as
one step a sample. 53 times fewer parameters than transformers on speech commands.

Shown: Both forms of one memory, `ssm.scan dense_lti` with the discretized matrices and
`ssm.long_conv` with their impulse response, give the same numbers.
"""

import numpy as np

B, T, K, V, THETA = 2, 13, 6, 3, 8.0

MODULE = """
func.func @main(%u: tensor<2x13x3xf32>, %a: tensor<1x6x6xf32>, %b: tensor<1x1x1x6xf32>,
    %response: tensor<18x13xf32>, %start: tensor<2x1x6x3xf32>)
    -> (tensor<2x13x6x3xf32>, tensor<2x13x6x3xf32>, tensor<2x1x6x3xf32>) {
  // As it streams: m = A m + B u, for three signals, from the memory of an earlier call.
  %value = tensor.expand_shape %u [[0], [1, 2], [3]] output_shape [2, 13, 1, 3]
      : tensor<2x13x3xf32> into tensor<2x13x1x3xf32>
  %m0 = tensor.empty() : tensor<2x13x1x6x3xf32>
  %s0 = tensor.empty() : tensor<2x1x6x3xf32>
  %memory, %last = ssm.scan outer dense_lti key(%b : tensor<1x1x1x6xf32>) value(%value
      : tensor<2x13x1x3xf32>)
      matrix(%a : tensor<1x6x6xf32>) initial(%start : tensor<2x1x6x3xf32>)
      outs(%m0, %s0 : tensor<2x13x1x6x3xf32>, tensor<2x1x6x3xf32>)
      -> tensor<2x13x1x6x3xf32>, tensor<2x1x6x3xf32>
  %streamed = tensor.collapse_shape %memory [[0], [1], [2, 3], [4]] : tensor<2x13x1x6x3xf32>
      into tensor<2x13x6x3xf32>

  // As it trains: each coefficient of each signal is the signal convolved with a response.
  %eb = tensor.empty() : tensor<2x13x6x3xf32>
  %copies = linalg.broadcast ins(%u : tensor<2x13x3xf32>)
      outs(%eb : tensor<2x13x6x3xf32>) dimensions = [2]
  %channels = tensor.collapse_shape %copies [[0], [1], [2, 3]] : tensor<2x13x6x3xf32>
      into tensor<2x13x18xf32>
  %e = tensor.empty() : tensor<2x13x18xf32>
  %convolved = ssm.long_conv ins(%channels, %response : tensor<2x13x18xf32>, tensor<18x13xf32>)
                 outs(%e : tensor<2x13x18xf32>) -> tensor<2x13x18xf32>
  %parallel = tensor.expand_shape %convolved [[0], [1], [2, 3]] output_shape [2, 13, 6, 3]
    : tensor<2x13x18xf32> into tensor<2x13x6x3xf32>
  return %streamed, %parallel, %last
      : tensor<2x13x6x3xf32>, tensor<2x13x6x3xf32>, tensor<2x1x6x3xf32>
}
"""

# 13 steps of sums of 6 products in f32 with a matrix that does not grow; its own rounding likewise.
TOLERANCE = 2e-5


def legendre():
    """The continuous system of the memory, and its zero-order hold."""
    q = np.arange(K)
    i, j = q[:, None], q[None, :]
    a = np.where(i < j, -1.0, (-1.0) ** (i - j + 1)) * (2 * i + 1) / THETA
    b = (2 * q + 1) * (-1.0) ** q / THETA
    block = np.zeros((K + 1, K + 1))
    block[:K, :K], block[:K, K] = a, b
    power, exponential = np.eye(K + 1), np.eye(K + 1)
    for n in range(1, 60):  # the exponential of the matrix as its series
        power = power @ block / n
        exponential = exponential + power
    return exponential[:K, :K], exponential[:K, K]


def inputs(rng):
    a, b = legendre()
    response = np.array([np.linalg.matrix_power(a, t) @ b for t in range(T)]).T
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return [{"u": f(B, T, V), "a": a[None].astype(np.float32), "b": b.reshape(1, 1, 1, K).astype(np.float32),
             "response": np.repeat(response, V, 0).astype(np.float32), "start": start}
            for start in (np.zeros((B, 1, K, V), np.float32), f(B, 1, K, V))]


def reference(inputs, ablated):
    a, b = legendre()
    if ablated:  # independent leaky sums instead of a window
        a = np.diag(np.diag(a))
    u = inputs["u"].astype(np.float64)

    def memories(m):
        result = np.zeros((B, T, K, V))
        for t in range(T):
            m = np.einsum("kj,bjv->bkv", a, m) + b[:, None] * u[:, t, None, :]
            result[:, t] = m
        return result

    streamed = memories(inputs["start"][:, 0].astype(np.float64))
    return [streamed, memories(np.zeros((B, K, V))), streamed[:, -1:]]


def check(example):
    # The newest coefficients of a constant signal approximate the constant: P_0 = 1, P_n = 0.
    a, b = legendre()
    u = np.ones((B, T, V), np.float32)
    given = [u, a[None].astype(np.float32), b.reshape(1, 1, 1, K).astype(np.float32),
             example.calls[0][0]["response"], np.zeros((B, 1, K, V), np.float32)]
    last = example.module.call(given)[0][0, -1, :, 0]
    assert abs(last[0] - 1) < 0.1 and abs(last[1:]).max() < 0.5, last
