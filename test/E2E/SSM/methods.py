#!/usr/bin/env python3
#===- methods.py - The named methods against their formulas -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Each builder of dialects/SSM/IR/Methods.h against its recurrence in float64, written from
the paper that the header names: static and dynamic, with a first state, in reverse, and ragged,
which must be what separate sequences give.

Usage: methods.py WEFT-PROGRAM WEFT-SSM-METHODS"""

import subprocess
import sys

import numpy as np

from harness import Runner

run = Runner(sys.argv[1])
builder = sys.argv[2]
rng = np.random.default_rng(5)
B, T, H, K, V, D, N = 2, 9, 4, 6, 5, 3, 4
EXTENTS = {"B": B, "T": T}
KINDS = {"int32": "i32", "float64": "f64", "float16": "f16", "float32": ""}


def normal(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def negative(*shape):
    return -np.abs(normal(*shape)) - np.float32(0.05)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def modulate(method, feed, dynamic, name, outputs):
    """Runs the method on tensors (array, dims by letter or number)."""
    words = []
    for key, (array, dims) in feed.items():
        shape = [d if dynamic and isinstance(d, str) else str(n) for n, d in zip(array.shape, dims)]
        kind = KINDS[array.dtype.name]
        words.append(f"{key}:{'x'.join(shape)}" + (f":{kind}" if kind else ""))
    done = subprocess.run([builder, method] + words, capture_output=True, text=True, check=False)
    if done.returncode:
        run.fail(name, done.stderr[-2000:])
        return None
    run.count += 1
    return run.module(done.stdout, {k: v for k, (v, _) in feed.items()}, outputs, name)


def method(name, feed, recurrence, state=None, variant=None, ragged=True, reverse=True, tokens=None):
    """`feed` has arrays with their dims; tokens are "T". `recurrence` takes one sequence:
    arrays of tokens [T, ...], the others as they are, and a first state, all float64, and
    gives outputs [T, ...] and the last state (or None)."""
    label = variant or name
    wide = {k: v.astype(np.float64) for k, (v, _) in feed.items()}
    inside = lambda k: len(feed[k][1]) > 1 and feed[k][1][:2] == ("B", "T")

    def sequence(b, span, first, flip=False):
        arrays = {}
        for key, value in wide.items():
            if inside(key):
                value = value[b, span]
                value = value[::-1] if flip else value
            arrays[key] = value
        out, last = recurrence(arrays, first)
        return (out[::-1] if flip else out), last

    has_state = state is not None
    outputs = ["r0", "r1"] if has_state else ["r0"]

    def check(suffix, have, want):
        if have is None:
            return
        for i, (x, y) in enumerate(zip(have, want)):
            run.compare(f"{label}-{suffix}-r{i}", x, y, "float32")

    want = [sequence(b, slice(None), None if not has_state else np.zeros(state)) for b in range(B)]
    want = [np.stack([w[i] for w in want]) for i in range(len(outputs))]
    check("static", modulate(name, feed, False, f"{label}-static", outputs), want)
    check("dynamic", modulate(name, feed, True, f"{label}-dynamic", outputs), want)
    if not has_state:
        return
    initial = normal(B, *state)
    first = {**feed, "initial": (initial, ("B", *state))}
    want = [sequence(b, slice(None), initial[b].astype(np.float64)) for b in range(B)]
    want = [np.stack([w[i] for w in want]) for i in range(2)]
    check("initial", modulate(name, first, True, f"{label}-initial", outputs), want)
    if reverse:
        # Any tensor says so: the builder only asks whether it is there.
        back = {**first, "reverse": (np.zeros(1, np.float32), (1,))}
        want = [sequence(b, slice(None), initial[b].astype(np.float64), flip=True) for b in range(B)]
        want = [np.stack([w[i] for w in want]) for i in range(2)]
        check("reverse", modulate(name, back, True, f"{label}-reverse", outputs), want)
    if ragged:
        bounds = np.array([0, 4, 4, T], np.int32)
        start = normal(3, *state)
        cut = {k: ((v[:1], ("1", *d[1:])) if inside(k) else (v, d)) for k, (v, d) in feed.items()}
        cut["initial"] = (start, ("G", *state))
        cut["offsets"] = (bounds, ("O",))
        parts = [sequence(0, slice(a, z), start[g].astype(np.float64))
                 for g, (a, z) in enumerate(zip(bounds, bounds[1:]))]
        want = [np.concatenate([p[0] for p in parts])[None], np.stack([p[1] for p in parts])]
        check("ragged", modulate(name, cut, False, f"{label}-ragged", outputs), want)


def loop(step):
    """A recurrence of `step(arrays of one token and constants, state) -> output, state`; what
    varies by token is told by its name."""

    def recurrence(a, state, varying):
        outputs = []
        count = len(a[varying[0]])
        for t in range(count):
            now = {k: (v[t] if k in varying else v) for k, v in a.items()}
            y, state = step(now, state)
            outputs.append(y)
        shape = step({k: (np.zeros(v.shape[1:]) if k in varying else v) for k, v in a.items()}, state)[0].shape
        return np.array(outputs).reshape((count, *shape)), state

    return recurrence


def case(name, feed, step, state=None, variant=None, **options):
    varying = [k for k, (_, d) in feed.items() if d[:2] == ("B", "T")]
    method(name, feed, lambda a, s: loop(step)(a, s, varying), state, variant, **options)


BT = ("B", "T")


# Mamba, algorithm 2: h = exp(delta A) h + delta B u, y = C h + D u, then times silu(z).
def mamba(a, h):
    delta = softplus(a["delta"] + a.get("bias", 0))
    h = np.exp(delta[:, None] * a["rate"]) * h[..., 0] + delta[:, None] * a["inject"] * a["u"][:, None]
    y = h @ a["read"] + a.get("skip", 0) * a["u"]
    if "gate" in a:
        y = y * a["gate"] * sigmoid(a["gate"])
    return y, h[..., None]


tokens = {"u": (normal(B, T, D), (*BT, D)), "delta": (normal(B, T, D), (*BT, D)),
          "rate": (negative(D, N), (D, N)), "inject": (normal(B, T, N), (*BT, N)),
          "read": (normal(B, T, N), (*BT, N))}
case("mamba", tokens, mamba, (D, N, 1), "mamba-bare")
case("mamba", {**tokens, "skip": (normal(D), (D,)), "bias": (normal(D), (D,)),
               "gate": (normal(B, T, D), (*BT, D))}, mamba, (D, N, 1))


# Mamba-2: S = exp(delta A) S + B (x) delta x, y = C' S + D x, with groups of B and C.
def mamba2(a, S):
    delta = softplus(a["delta"] + a["bias"])
    group = H // len(a["inject"])
    y, out = np.zeros((H, V)), np.zeros_like(S)
    for h in range(H):
        b, c = a["inject"][h // group], a["read"][h // group]
        out[h] = np.exp(delta[h] * a["rate"][h]) * S[h] + np.outer(b, delta[h] * a["x"][h])
        y[h] = c @ out[h] + a["skip"][h] * a["x"][h]
    return y, out


for groups in (1, 2, 4):
    case("mamba2", {
        "x": (normal(B, T, H, V), (*BT, H, V)), "delta": (normal(B, T, H), (*BT, H)), "rate": (negative(H), (H,)),
        "bias": (normal(H), (H,)), "inject": (normal(B, T, groups, N), (*BT, groups, N)),
        "read": (normal(B, T, groups, N), (*BT, groups, N)), "skip": (normal(H), (H,))
    }, mamba2, (H, N, V), f"mamba2-{groups}")


# Mamba-3: h = a R h + a (1 - s) delta R B_ x_ + s delta B x, with complex numbers for R.
def mamba3(a, first):
    S = np.zeros((H, N // 2, V), complex) if first is None else first[:, 0::2] + 1j * first[:, 1::2]
    k_old, x_old, outputs = None, None, []
    for t in range(len(a["x"])):
        s, delta = sigmoid(a["gate"][t]), a["delta"][t]
        alpha = np.exp(delta * a["rate"][t])[:, None] * np.exp(1j * a["angle"][t])
        k = a["inject"][t][:, 0::2] + 1j * a["inject"][t][:, 1::2]
        S = alpha[..., None] * S
        if t:
            S = S + ((1 - s) * delta)[:, None, None] * (alpha * k_old)[..., None] * x_old[:, None, :]
        S = S + (s * delta)[:, None, None] * k[..., None] * a["x"][t][:, None, :]
        k_old, x_old = k, a["x"][t]
        # The real query of real and imaginary rows.
        y = np.einsum("hj,hjv->hv", a["read"][t][:, 0::2], S.real) + np.einsum(
            "hj,hjv->hv", a["read"][t][:, 1::2], S.imag)
        outputs.append(y)
    final = np.zeros((H, N, V))
    final[:, 0::2], final[:, 1::2] = S.real, S.imag
    return np.array(outputs), final


method("mamba3", {
    "x": (normal(B, T, H, V), (*BT, H, V)), "delta": (np.abs(normal(B, T, H)), (*BT, H)),
    "gate": (normal(B, T, H), (*BT, H)), "rate": (negative(B, T, H), (*BT, H)),
    "inject": (normal(B, T, H, N), (*BT, H, N)), "read": (normal(B, T, H, N), (*BT, H, N)),
    "angle": (normal(B, T, H, N // 2), (*BT, H, N // 2))
}, mamba3, (H, N, V), ragged=False, reverse=False)


def diagonal(a, rule):
    """The discrete rate and the factor of what is injected."""
    A, delta = a["rate"] + 1j * a["rateim"], a["delta"]
    delta = delta[:, None] if A.ndim == 2 else delta
    if rule == "zoh":
        return np.exp(delta * A), (np.exp(delta * A) - 1) / A
    return (1 + delta * A / 2) / (1 - delta * A / 2), delta / (1 - delta * A / 2)


def split(z):
    flat = np.zeros((*z.shape[:-1], 2 * z.shape[-1]))
    flat[..., 0::2], flat[..., 1::2] = z.real, z.imag
    return flat


# S4D: h = A_ h + B_ u, y = 2 Re(C h) + D u for each channel; S5: one state for all of them.
for rule in ("zoh", "bilinear"):

    def s4d(a, s):
        h = s[:, 0::2, 0] + 1j * s[:, 1::2, 0]
        A, factor = diagonal(a, rule)
        h = A * h + factor * (a["inject"] + 1j * a["injectim"]) * a["u"][:, None]
        y = 2 * ((a["read"] + 1j * a["readim"]) * h).sum(-1).real + a["skip"] * a["u"]
        return y, split(h)[..., None]

    case(f"s4d-{rule}", {
        "u": (normal(B, T, D), (*BT, D)), "delta": (np.abs(normal(D)) + np.float32(0.1), (D,)),
        "rate": (negative(D, N), (D, N)), "rateim": (normal(D, N), (D, N)),
        "inject": (normal(D, N), (D, N)), "injectim": (normal(D, N), (D, N)),
        "read": (normal(D, N), (D, N)), "readim": (normal(D, N), (D, N)), "skip": (normal(D), (D,))
    }, s4d, (D, 2 * N, 1))

    def s5(a, s):
        h = s[0, 0::2] + 1j * s[0, 1::2]
        A, factor = diagonal(a, rule)
        h = A * h + factor * ((a["inject"] + 1j * a["injectim"]) @ a["u"])
        y = 2 * ((a["read"] + 1j * a["readim"]) @ h).real + a["skip"] * a["u"]
        return y, split(h)[None]

    case(f"s5-{rule}", {
        "u": (normal(B, T, D), (*BT, D)), "delta": (np.abs(normal(N)) + np.float32(0.1), (N,)),
        "rate": (negative(N), (N,)), "rateim": (normal(N), (N,)),
        "inject": (normal(N, D), (N, D)), "injectim": (normal(N, D), (N, D)),
        "read": (normal(D, N), (D, N)), "readim": (normal(D, N), (D, N)), "skip": (normal(D), (D,))
    }, s5, (1, 2 * N))


# LMU, equation 2 and its discretization: m = A_ m + B_ u.
def legendre(order, theta, rule):
    A, b = np.zeros((order, order)), np.zeros(order)
    for i in range(order):
        b[i] = (2 * i + 1) * (-1.0)**i / theta
        for j in range(order):
            A[i, j] = (2 * i + 1) / theta * (-1 if i < j else (-1.0)**(i - j + 1))
    if rule == "euler":
        return np.eye(order) + A, b
    # exp(A) by its eigenvalues, which are distinct.
    w, v = np.linalg.eig(A)
    discrete = (v @ np.diag(np.exp(w)) @ np.linalg.inv(v)).real
    return discrete, np.linalg.solve(A, (discrete - np.eye(order)) @ b)


for rule, order, theta in (("zoh", 6, 11.0), ("euler", 4, 40.0)):
    A, b = legendre(order, theta, rule)

    def lmu(a, s):
        m = A @ s[0] + np.outer(b, a["u"])
        return m, m[None]

    case(f"lmu-{rule}", {"u": (normal(B, T, D), (*BT, D))}, lmu, (1, order, D))


# RG-LRU, equations 1 to 4: log a = -8 r softplus(lambda), h = a h + sqrt(1 - a^2) (i x). A
# sequence of a ragged batch begins with a factor of 1.
def rglru(ragged):

    def recurrence(a, s):
        h, outputs = s[0], []
        for t in range(len(a["x"])):
            log = -8 * sigmoid(a["recurrence"][t]) * softplus(a["lambda"])
            factor = 1 if ragged and t == 0 else np.sqrt(1 - np.exp(2 * log))
            h = np.exp(log) * h + factor * sigmoid(a["input"][t]) * a["x"][t]
            outputs.append(h)
        return np.array(outputs).reshape(-1, D), h[None]

    return recurrence


gates = {"x": (normal(B, T, D), (*BT, D)), "recurrence": (normal(B, T, D), (*BT, D)),
         "input": (normal(B, T, D), (*BT, D)), "lambda": (normal(D), (D,))}
method("rglru", gates, rglru(False), (1, D), ragged=False)
bounds = np.array([0, 4, 4, T], np.int32)
cut = {k: ((v[:1], ("1", *d[1:])) if d[:2] == BT else (v, d)) for k, (v, d) in gates.items()}
have = modulate("rglru", {**cut, "offsets": (bounds, ("O",))}, True, "rglru-ragged", ["r0", "r1"])
if have is not None:
    wide = {k: v.astype(np.float64) for k, (v, _) in gates.items()}
    parts = [rglru(True)({k: (v[0, p:q] if v.ndim == 3 else v) for k, v in wide.items()}, np.zeros((1, D)))
             for p, q in zip(bounds, bounds[1:])]
    run.compare("rglru-ragged-r0", have[0], np.concatenate([p[0] for p in parts])[None], "float32")
    run.compare("rglru-ragged-r1", have[1], np.stack([p[1] for p in parts]), "float32")

# Linear attention.
qkv = {"query": (normal(B, T, H, K), (*BT, H, K)), "key": (normal(B, T, H, K, scale=0.5), (*BT, H, K)),
       "value": (normal(B, T, H, V), (*BT, H, V))}
unit = normal(B, T, H, K)
unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)


def heads(update):
    """A step of all heads from that of one: update(one head's arrays, S) -> output, S."""

    def step(a, S):
        results = [update({k: v[h] for k, v in a.items()}, S[h]) for h in range(H)]
        return np.stack([r[0] for r in results]), np.stack([r[1] for r in results])

    return step


def decayed(a, S):  # RetNet, GLA
    S = (np.exp(a["decay"])[:, None] if a["decay"].ndim else np.exp(a["decay"])) * S + np.outer(a["key"], a["value"])
    return a["query"] @ S, S


case("retnet", {**qkv, "decay": (negative(H), (H,))}, heads(decayed), (H, K, V))
case("gla", {**qkv, "decay": (negative(B, T, H, K), (*BT, H, K))}, heads(decayed), (H, K, V))


# RWKV-4, equation 16, by its sums: numbers here are small enough for exp.
def rwkv4(a, _):
    k, v, w, u = a["key"], a["value"], a["decay"], a["bonus"]
    out = np.zeros_like(k)
    for t in range(len(k)):
        top, bottom = np.exp(u + k[t]) * v[t], np.exp(u + k[t])
        for i in range(t):
            weight = np.exp(-(t - 1 - i) * w + k[i])
            top, bottom = top + weight * v[i], bottom + weight
        out[t] = top / bottom
    return out, None


pairs = {"key": (normal(B, T, D), (*BT, D)), "value": (normal(B, T, D), (*BT, D)),
         "decay": (-negative(D), (D,)), "bonus": (normal(D), (D,))}
method("rwkv4", pairs, rwkv4)
# A constant added to all exponents changes nothing, also where exp alone would overflow.
large = {**pairs, "key": ((pairs["key"][0] + np.float32(200)), pairs["key"][1])}
shifted = {**large, "key": (large["key"][0] - np.float32(200), large["key"][1])}
have = modulate("rwkv4", large, False, "rwkv4-large", ["r0"])
if have is not None:
    wide = {k: v.astype(np.float64) for k, (v, _) in shifted.items()}
    want = [rwkv4({k: (v[b] if v.ndim == 3 else v) for k, v in wide.items()}, None)[0] for b in range(B)]
    # float32 has 2^-16 as the last digit of 200.
    run.compare("rwkv4-large", have[0], np.stack(want), "float16")


def rwkv6(a, S):  # o = r' (S + u * k (x) v), then S = diag(w) S + k (x) v
    y = a["query"] @ (S + np.outer(a["bonus"] * a["key"], a["value"]))
    return y, np.exp(a["decay"])[:, None] * S + np.outer(a["key"], a["value"])


case("rwkv6", {**qkv, "decay": (negative(B, T, H, K), (*BT, H, K)), "bonus": (normal(H, K), (H, K))}, heads(rwkv6),
     (H, K, V))
case("rwkv6", {**qkv, "decay": (negative(H, K), (H, K)), "bonus": (normal(H, K), (H, K))}, heads(rwkv6), (H, K, V),
     "rwkv5")


def rwkv7(a, S):  # S = (diag(w) - (kappa a) kappa') S + k (x) v
    M = np.diag(np.exp(a["decay"])) - np.outer(a["removal"] * a["rate"], a["removal"])
    S = M @ S + np.outer(a["key"], a["value"])
    return a["query"] @ S, S


case("rwkv7", {**qkv, "decay": (negative(B, T, H, K), (*BT, H, K)), "removal": (unit, (*BT, H, K)),
               "rate": (sigmoid(normal(B, T, H, K)), (*BT, H, K))}, heads(rwkv7), (H, K, V))


def delta(a, S):  # v' = beta (v - k' D S), S = D S + k (x) v', as in fla's naive versions
    g = a.get("decay", np.zeros(()))
    S = (np.exp(g)[:, None] if g.ndim else np.exp(g)) * S
    S = S + np.outer(a["key"], a["strength"] * (a["value"] - a["key"] @ S))
    return a["query"] @ S, S


strength = (sigmoid(normal(B, T, H)), (*BT, H))
base = {**qkv, "key": (unit, (*BT, H, K)), "strength": strength}
case("delta", base, heads(delta), (H, K, V))
case("delta", {**base, "decay": (negative(B, T, H), (*BT, H))}, heads(delta), (H, K, V), "gated-delta")
case("delta", {**base, "decay": (negative(B, T, H, K), (*BT, H, K))}, heads(delta), (H, K, V), "kda")
# Keys that are nearly the same, and a strength of almost 2: the weak point of the rule.
same = unit[:, :1] + normal(B, T, H, K, scale=1e-3)
same = same / np.linalg.norm(same, axis=-1, keepdims=True)
case("delta", {**base, "key": (same, (*BT, H, K)), "strength": (np.full((B, T, H), 1.99, np.float32), (*BT, H))},
     heads(delta), (H, K, V), "delta-collinear")

print(f"{run.count} modules, {len(run.failures)} failures")
sys.exit(1 if run.failures else 0)
