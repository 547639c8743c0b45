"""Simple Hardware-Efficient Long Convolutions for Sequence Modeling

Theme: ssm

Claim: Kernels as long as the sequence need no state space to be learned if they are squashed
towards zero; the convolution is an FFT as block-diagonal (Butterfly) products: 2.2 times faster.

Shown: `ssm.long_conv` with a skip term on a kernel that the module squashes, `method =
fft_monarch` for a target that has it. The reference convolves by the FFT: y = iFFT(FFT(k) FFT(u))
+ D u.
"""

import numpy as np

B, T, C, LAMBDA = 2, 45, 5, 0.3

MODULE = """
#k = affine_map<(c, t) -> (c, t)>
func.func @main(%u: tensor<2x45x5xf32>, %kernel: tensor<5x45xf32>, %skip: tensor<5xf32>)
    -> (tensor<2x45x5xf32>, tensor<5x45xf32>) {
  // Small weights become 0, all others move towards it.
  %ek = tensor.empty() : tensor<5x45xf32>
  %squashed = linalg.generic {indexing_maps = [#k, #k], iterator_types = ["parallel", "parallel"]}
      ins(%kernel : tensor<5x45xf32>) outs(%ek : tensor<5x45xf32>) {
  ^bb0(%in: f32, %o: f32):
    %lambda = arith.constant 0.3 : f32
    %zero = arith.constant 0.0 : f32
    %magnitude = math.absf %in : f32
    %less = arith.subf %magnitude, %lambda : f32
    %rest = arith.maximumf %less, %zero : f32
    %signed = math.copysign %rest, %in : f32
    linalg.yield %signed : f32
  } -> tensor<5x45xf32>
  %e = tensor.empty() : tensor<2x45x5xf32>
  %y = ssm.long_conv method = fft_monarch ins(%u, %squashed : tensor<2x45x5xf32>, tensor<5x45xf32>)
         skip(%skip : tensor<5xf32>) outs(%e : tensor<2x45x5xf32>) -> tensor<2x45x5xf32>
  return %y, %squashed : tensor<2x45x5xf32>, tensor<5x45xf32>
}
"""

# Sums of 45 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"u": f(B, T, C), "kernel": f(C, T) / 2, "skip": f(C)}


def reference(inputs, ablated):
    u, k, d = (inputs[x].astype(np.float64) for x in ("u", "kernel", "skip"))
    if not ablated:
        k = np.sign(k) * np.maximum(np.abs(k) - LAMBDA, 0)
    n = 2 * T
    product = np.fft.rfft(k.T, n, axis=0)[None] * np.fft.rfft(u, n, axis=1)
    return [np.fft.irfft(product, n, axis=1)[:, :T] + d * u, k]


def check(example):
    assert (example.calls[0][1][1] == 0).mean() > 0.3
