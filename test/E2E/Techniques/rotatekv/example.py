"""RotateKV: Accurate and Robust 2-Bit KV Cache Quantization for LLMs via Outlier-Aware Adaptive Rotations

Theme: quantization

Claim: 2-bit caches work once channels are reordered by their outliers and rotated in groups before RoPE,
and attention sinks stay as they are: 4 times less memory, 2.3 times faster decoding.

Shown: Keys before RoPE, of 2 bits with a scale and a minimum for 8 channels of a token, are decoded,
rotated back (`#lowp.bases<[permutation, hadamard<8>]>`), turned by RoPE and attended to; the sinks are a
part of their own that `attn.merge` joins.
"""

import numpy as np

import encode

D, T, SINKS, QUERIES = 16, 21, 2, 3

MODULE = """
#at = affine_map<(t, i) -> (t, i)>
!cache = !weft.packed<21x16xf32, #weft.format<elem = #lowp.int<2, unsigned>,
  scales = [#lowp.scale<multiply, [1, 8], f16>, #lowp.scale<offset, [1, 8], f16>]>>

// The queries are behind RoPE, as are the keys of the sinks.
func.func @main(%q: tensor<3x16xf32>, %codes: tensor<84xi8>, %scales: tensor<21x2xf16>,
                %minima: tensor<21x2xf16>, %order: tensor<16xi32>, %cos: tensor<21x8xf32>,
                %sin: tensor<21x8xf32>, %v: tensor<21x16xf32>, %sink_k: tensor<2x16xf32>,
                %sink_v: tensor<2x16xf32>) -> tensor<3x16xf32> {
  %cache = weft.assemble %codes, %scales, %minima
    : tensor<84xi8>, tensor<21x2xf16>, tensor<21x2xf16> -> !cache
  %none = tensor.empty() : tensor<21x16xf32>
  %rotated = weft.unpack ins(%cache : !cache) outs(%none : tensor<21x16xf32>) -> tensor<21x16xf32>
  %before = lowp.rotate %rotated by #lowp.bases<[#lowp.permutation<"order">, #lowp.hadamard<8>]> along 1
              inverse (%order : tensor<16xi32>) : tensor<21x16xf32>
  %low = tensor.extract_slice %before[0, 0] [21, 8] [1, 1] : tensor<21x16xf32> to tensor<21x8xf32>
  %high = tensor.extract_slice %before[0, 8] [21, 8] [1, 1] : tensor<21x16xf32> to tensor<21x8xf32>
  %half = tensor.empty() : tensor<21x8xf32>
  %a, %b = linalg.generic {indexing_maps = [#at, #at, #at, #at, #at, #at],
      iterator_types = ["parallel", "parallel"]}
      ins(%low, %high, %cos, %sin
      : tensor<21x8xf32>, tensor<21x8xf32>, tensor<21x8xf32>, tensor<21x8xf32>)
      outs(%half, %half : tensor<21x8xf32>, tensor<21x8xf32>) {
  ^bb0(%x: f32, %y: f32, %c: f32, %s: f32, %old0: f32, %old1: f32):
    %xc = arith.mulf %x, %c : f32
    %ys = arith.mulf %y, %s : f32
    %xs = arith.mulf %x, %s : f32
    %yc = arith.mulf %y, %c : f32
    %first = arith.subf %xc, %ys : f32
    %second = arith.addf %xs, %yc : f32
    linalg.yield %first, %second : f32, f32
  } -> (tensor<21x8xf32>, tensor<21x8xf32>)
  %whole = tensor.empty() : tensor<21x16xf32>
  %half_k = tensor.insert_slice %a into %whole[0, 0] [21, 8] [1, 1]
      : tensor<21x8xf32> into tensor<21x16xf32>
  %k = tensor.insert_slice %b into %half_k[0, 8] [21, 8] [1, 1]
      : tensor<21x8xf32> into tensor<21x16xf32>
  %part = tensor.empty() : tensor<1x3x16xf32>
  %log = tensor.empty() : tensor<1x3xf32>
  %p0, %l0 = attn.partial layout = "sd,td,te->se"
      ins(%q, %sink_k, %sink_v : tensor<3x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>)
      outs(%part, %log : tensor<1x3x16xf32>, tensor<1x3xf32>) -> tensor<1x3x16xf32>, tensor<1x3xf32>
  %p1, %l1 = attn.partial layout = "sd,td,te->se"
      ins(%q, %k, %v : tensor<3x16xf32>, tensor<21x16xf32>, tensor<21x16xf32>)
      outs(%part, %log : tensor<1x3x16xf32>, tensor<1x3xf32>) -> tensor<1x3x16xf32>, tensor<1x3xf32>
  %parts = tensor.concat dim(0) %p0, %p1 : (tensor<1x3x16xf32>, tensor<1x3x16xf32>)
      -> tensor<2x3x16xf32>
  %logs = tensor.concat dim(0) %l0, %l1 : (tensor<1x3xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
  %result = tensor.empty() : tensor<3x16xf32>
  %y = attn.merge ins(%parts, %logs : tensor<2x3x16xf32>, tensor<2x3xf32>)
         outs(%result : tensor<3x16xf32>) -> tensor<3x16xf32>
  return %y : tensor<3x16xf32>
}
"""

# Exponentials of scores of about 5 that went through 8-point transforms in f32.
TOLERANCE = 2e-5

SIGNS = np.array([[1, 1], [1, -1]])
HADAMARD = np.kron(np.kron(SIGNS, SIGNS), SIGNS) / np.sqrt(8)  # orthogonal and symmetric


def turn(k, angle):
    z = (k[:, :D // 2] + 1j * k[:, D // 2:]) * np.exp(1j * angle)
    return np.concatenate([z.real, z.imag], axis=1)


def rotate(k, order):
    """Outliers first, then each 8 channels by the matrix."""
    return (k[:, order].reshape(len(k), -1, 8) @ HADAMARD).reshape(k.shape)


def quantize(k):
    groups = k.reshape(len(k), -1, 8)
    least, most = groups.min(-1), groups.max(-1)
    scale, least = ((most - least) / 3).astype(np.float16), least.astype(np.float16)
    codes = np.clip(np.rint((groups - least[..., None]) / scale[..., None].astype(np.float64)), 0, 3)
    return codes, scale, least


def inputs(rng):
    k = rng.standard_normal((T, D)) * np.where(np.arange(D) % 5 == 0, 4.0, 0.5)  # outlier channels
    order = np.argsort(-abs(k).max(0)).astype(np.int32)
    codes, scales, minima = quantize(rotate(k, order))
    frequency = 100.0 ** (-np.arange(D // 2) / (D // 2))
    angle = (np.arange(T) + SINKS)[:, None] * frequency
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"q": normal(QUERIES, D), "codes": encode.bits(codes, 2), "scales": scales, "minima": minima,
            "order": order, "cos": np.cos(angle).astype(np.float32), "sin": np.sin(angle).astype(np.float32),
            "v": normal(T, D), "sink_k": normal(SINKS, D) * np.float32(3), "sink_v": normal(SINKS, D),
            "_codes": codes, "_angle": angle, "_k": k}


def decode(codes, inputs):
    scales, minima = (inputs[n].astype(np.float64)[..., None] for n in ("scales", "minima"))
    return (codes * scales + minima).reshape(T, D)


def attend(q, k, v):
    scores = np.exp(q @ k.T / np.sqrt(D))
    return scores / scores.sum(1, keepdims=True) @ v


def reference(inputs, ablated):
    """Ablated: the codes as they are, not rotated back."""
    k = decode(inputs["_codes"], inputs)
    if not ablated:
        k = (k.reshape(T, -1, 8) @ HADAMARD).reshape(T, D)
        back = np.empty_like(k)
        back[:, inputs["order"]] = k
        k = back
    k = np.concatenate([inputs["sink_k"], turn(k, inputs["_angle"])])
    return [attend(inputs["q"].astype(np.float64), k, np.concatenate([inputs["sink_v"], inputs["v"]]))]


def check(example):
    """Rotated keys lose less to 2 bits than keys as they are."""
    given = example.calls[0][0]
    codes, scales, minima = quantize(given["_k"])
    plain = decode(codes, {"scales": scales, "minima": minima})
    turned = rotate(given["_k"], given["order"])
    rotated = decode(given["_codes"], given)
    assert ((rotated - turned) ** 2).sum() < ((plain - given["_k"]) ** 2).sum()
