#!/usr/bin/env python3
#===- loops.py - Loops over tokens become scans -----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""ONNX Scan and Loop whose bodies are affine recurrences, and the same unrolled: no loop and no step is left after
stage model, and the results are those of the loop in NumPy, in float64.

Usage: loops.py WEFT-PROGRAM"""

import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

from models import expect, save

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(9)
N = h.make_node
count = 0


def normal(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def info(name, shape=None):
    return h.make_tensor_value_info(name, T.FLOAT, shape)


def unroll(scan, tokens):
    """The nodes that a trace of a Scan leaves: a copy of the body for each token, whose results are stacked."""
    options = {a.name: h.get_attribute_value(a) for a in scan.attribute}
    body, sequences = options["body"], options["num_scan_inputs"]
    carried = len(scan.input) - sequences
    states, produced, nodes = list(scan.input[:carried]), [[] for _ in scan.output[carried:]], []
    backward = any(options.get("scan_input_directions", [0]))
    constants = [n for n in body.node if n.op_type == "Constant"]
    for t in range(tokens)[::-1] if backward else range(tokens):
        own = {v.name: s for v, s in zip(body.input, states)}
        for i, (v, source) in enumerate(zip(body.input[carried:], scan.input[carried:])):
            own[v.name] = f"{v.name}/{t}"
            nodes.append(N("Gather", [source, f"token{t}"], [own[v.name]], axis=options["scan_input_axes"][i]))
        own.update((o, f"{o}/{t}") for n in body.node if n.op_type != "Constant" for o in n.output)
        for n in body.node:
            if n.op_type != "Constant":
                copy = onnx.NodeProto()
                copy.CopyFrom(n)
                copy.input[:], copy.output[:] = [own.get(x, x) for x in n.input], [own[x] for x in n.output]
                nodes.append(copy)
        states = [own[v.name] for v in body.output[:carried]]
        for names, v in zip(produced, body.output[carried:]):
            names.append(own[v.name])
    nodes += [N("Identity", [s], [o]) for s, o in zip(states, scan.output)]
    consts = {f"token{t}": np.array(t) for t in range(tokens)}
    for i, (names, out) in enumerate(zip(produced, scan.output[carried:])):
        axis = options["scan_output_axes"][i]
        order = list(range(tokens))[::-1] if backward else list(range(tokens))
        consts["axis"] = np.array([axis])
        nodes += [N("Unsqueeze", [x, "axis"], [x + "+"]) for x in names]
        nodes.append(N("Concat", [names[order.index(t)] + "+" for t in range(tokens)], [out], axis=axis))
    return constants + nodes, consts


def case(name, nodes, inputs, outputs, consts, raised=("ssm.scan",), gone=("scf.for",), traced=True):
    """A graph, and the same with its Scan unrolled for the tokens at hand."""
    check(name, nodes, inputs, outputs, consts, raised, gone)
    scans = [n for n in nodes if n.op_type == "Scan"]
    length = next((v.shape[h.get_attribute_value(a)[0]] for n in scans for a in n.attribute if a.name == "scan_input_axes"
                   for k, (v, _) in inputs.items() if k == n.input[-1]), 0)
    if not scans or length < 2 or not traced:
        return
    fixed = {k: (v, [n if d == "L" else d for n, d in zip(v.shape, dims)]) for k, (v, dims) in inputs.items()}
    stays = raised == ("scf.for",)
    # A scan_region is of one more position.
    rows = () if "ssm.scan_region" in raised else ("tensor.insert_slice",)
    unrolled, more = unroll(scans[0], length)
    check(name + "-traced", [n for n in nodes if n.op_type != "Scan"] + unrolled, fixed, outputs, {**consts, **more},
          () if stays else raised, ("ssm.scan",) if stays else ("scf.for", *rows))


def check(name, nodes, inputs, outputs, consts, raised=("ssm.scan",), gone=("scf.for",)):
    """Inputs are (array, dims), outputs float64 arrays, by name."""
    global count
    path = save(folder.name, name, nodes, inputs, outputs, consts)
    count += 1
    expect(weft, name, path, raised, gone)


def vector(name, step, body, carried, B=2, L=7, D=3, axis=1, backward=False, dims=("B", "L"), raised=("ssm.scan",),
           gone=("scf.for",)):
    """States [B, D] and sequences a and x: `step` gives state and output."""
    a, x, s = (1 / (1 + np.exp(-normal(B, L, D)))).astype(np.float32), normal(B, L, D), normal(B, D)
    moved = [np.moveaxis(v, 1, axis) for v in (a, x)]
    state, out = s.astype(np.float64), np.zeros((B, L, D))
    for t in range(L)[::-1] if backward else range(L):
        state, out[:, t] = step(state, a[:, t].astype(np.float64), x[:, t].astype(np.float64))
    whole = list(dims) + [D]
    order = [[0, 1, 2], [1, 0, 2]][axis == 0]
    inner = h.make_graph(body, "body", [info("s", [dims[0], D]), info("a", [dims[0], D]), info("x", [dims[0], D])],
                         [info(carried, [dims[0], D]), info("y", [dims[0], D])])
    scan = N("Scan", ["S", "A", "X"], ["E", "Y"], body=inner, num_scan_inputs=2, scan_input_axes=[axis] * 2,
             scan_output_axes=[axis], scan_input_directions=[int(backward)] * 2,
             scan_output_directions=[int(backward)])
    case(name, [scan], {"S": (s, [dims[0], D]), "A": (moved[0], [whole[i] for i in order]),
                        "X": (moved[1], [whole[i] for i in order])},
         {"E": state, "Y": np.moveaxis(out, 1, axis)}, {}, raised, gone)


DECAYED = [N("Mul", ["a", "s"], ["as"]), N("Add", ["as", "x"], ["n"]), N("Identity", ["n"], ["y"])]
decayed = lambda s, a, x: (a * s + x,) * 2
vector("vector", decayed, DECAYED, "n")
vector("first-axis", decayed, DECAYED, "n", axis=0, dims=("B", 7))
vector("static", decayed, DECAYED, "n", dims=(2, 7))
vector("backward", decayed, DECAYED, "n", backward=True)
vector("backward-static", decayed, DECAYED, "n", backward=True, dims=(2, 7))
vector("no-tokens", decayed, DECAYED, "n", L=0)
vector("one-token", decayed, DECAYED, "n", L=1, dims=("B", 1), raised=())
# The minimal GRU's form, whose output is a function of the state before and after.
GATED = [N("Mul", ["a", "x"], ["ax"]), N("Sub", ["one", "a"], ["r"]), N("Mul", ["s", "r"], ["rs"]),
         N("Add", ["ax", "rs"], ["n"]), N("Tanh", ["n"], ["tn"]), N("Mul", ["tn", "s"], ["y"])]
GATED.insert(0, N("Constant", [], ["one"], value=nh.from_array(np.float32(1))))
vector("gated", lambda s, a, x: ((1 - a) * s + a * x, np.tanh((1 - a) * s + a * x) * s), GATED, "n")
# The same as a step towards what is new.
TOWARDS = [N("Sub", ["x", "s"], ["d"]), N("Mul", ["a", "d"], ["ad"]), N("Add", ["s", "ad"], ["n"]), N("Identity", ["n"], ["y"])]
vector("towards", lambda s, a, x: (s + a * (x - s),) * 2, TOWARDS, "n", raised=("ssm.scan vector diag linear",))
TWICE = [N("Mul", ["s", "s"], ["s2"]), N("Mul", ["a", "s2"], ["as"]), N("Add", ["as", "x"], ["n"]), N("Identity", ["n"], ["y"])]
vector("square", lambda s, a, x: (a * (s * s) + x,) * 2, TWICE, "n", L=3, raised=("scf.for",), gone=("ssm.scan",))
# A running sum without a factor.
vector("sum", lambda s, a, x: (s + a * x,) * 2, [N("Mul", ["a", "x"], ["ax"]), N("Add", ["ax", "s"], ["n"]),
                                                 N("Identity", ["n"], ["y"])], "n")
# The state goes through a tanh: not affine.
vector("not-affine", lambda s, a, x: (np.tanh(a * s + x),) * 2,
       [N("Mul", ["a", "s"], ["as"]), N("Add", ["as", "x"], ["h"]), N("Tanh", ["h"], ["n"]), N("Identity", ["n"], ["y"])],
       "n", raised=("scf.for",), gone=("ssm.scan",))


def matrix(name, decay, read, before=False, bonus=False, B=2, L=9, H=2, K=4, V=5, tokens="L", raised="ssm.scan outer",
           sign=1):
    """Linear attention with a decay of each row or head, read after or before the update. `sign` is that of
    the update."""
    shape = {"row": (K,), "head": (1,), None: ()}[decay]
    q, k, v, s = normal(B, L, H, K), normal(B, L, H, K, scale=0.5), normal(B, L, H, V), normal(B, H, K, V)
    g = -np.abs(normal(B, L, H, *shape)) if decay else None
    S, y, extra = s.astype(np.float64), np.zeros((B, L, H, V)), normal(H, K)
    F = np.float64
    for t in range(L):
        seen = S
        if decay:
            S = np.exp(g[:, t].astype(F))[..., None] * S
        S = S + sign * k[:, t, :, :, None].astype(F) * v[:, t, :, None].astype(F)
        if bonus:
            seen = seen + extra[:, :, None].astype(F) * k[:, t, :, :, None] * v[:, t, :, None]
        y[:, t] = np.einsum("bhk,bhkv->bhv", q[:, t].astype(F), seen if before else S)
    nodes = [N("Unsqueeze", ["k", "last"], ["k1"]), N("Unsqueeze", ["v", "before"], ["v1"]), N("Mul", ["k1", "v1"], ["kv"])]
    kept = "s"
    if decay:
        nodes += [N("Exp", ["g"], ["e"]), N("Unsqueeze", ["e", "last"], ["e1"]), N("Mul", ["e1", "s"], ["es"])]
        kept = "es"
    state = "s" if before else "n"
    if bonus:
        nodes += [N("Unsqueeze", ["extra", "last"], ["u1"]), N("Mul", ["u1", "kv"], ["ukv"]), N("Add", ["s", "ukv"], ["w"])]
        state = "w"
    nodes += [N("Add" if sign > 0 else "Sub", [kept, "kv"], ["n"])]
    if read == "contract":
        nodes += [N("Unsqueeze", ["q", "before"], ["q1"]), N("MatMul", ["q1", state], ["y1"]), N("Squeeze", ["y1", "before"], ["y"])]
    else:
        nodes += [N("Unsqueeze", ["q", "last"], ["q1"]), N("Mul", ["q1", state], ["qs"]),
                  N("ReduceSum", ["qs", "before"], ["y"], keepdims=0)]
    arrays = {"Q": q, "K": k, "V": v, **({"G": g} if decay else {})}
    inner = h.make_graph(nodes, "body", [info("s", ["B", H, K, V])] +
                         [info(key.lower(), ["B"] + list(x.shape[2:])) for key, x in arrays.items()],
                         [info("n", ["B", H, K, V]), info("y", ["B", H, V])])
    scan = N("Scan", ["S", *arrays], ["E", "Y"], body=inner, num_scan_inputs=len(arrays),
             scan_input_axes=[1] * len(arrays), scan_output_axes=[1])
    case(name, [scan], {"S": (s, ["B", H, K, V]), **{key: (x, ["B", tokens] + list(x.shape[2:])) for key, x in arrays.items()}},
         {"E": S, "Y": y}, {"last": np.array([-1]), "before": np.array([-2]), "extra": extra}, (raised,), ("ssm.scan",) if raised == "scf.for" else ("scf.for",))


matrix("rows", "row", "contract")
matrix("heads", "head", "contract", raised="ssm.scan outer scalar")
matrix("linear", None, "contract", raised="ssm.scan outer identity")
matrix("product", "row", "product")
matrix("before", "row", "contract", before=True)
matrix("tokens", "row", "contract", tokens=9)
# RWKV-5 and 6: the token itself is read with a bonus.
matrix("bonus", "row", "contract", before=True, bonus=True, raised="read = pre")
matrix("subtracted", "row", "contract", sign=-1)
# What is read with a bonus is not what is added: it is subtracted.
matrix("subtracted-bonus", "row", "contract", before=True, bonus=True, raised="scf.for", sign=-1)


def delta(name, form, raised, decay="head", B=2, L=9, H=2, K=4, V=5, tokens="L", batch="B", gone=("scf.for",)):
    """Delta rules: each token erases what is stored at its key before it writes there. States are [K, V],
    or [V, K] in the forms of RWKV-7."""
    shape = {"row": (K,), "head": (1,), None: ()}[decay]
    unit = lambda x: x / np.sqrt((x**2).sum(-1, keepdims=True))
    arrays = {"Q": normal(B, L, H, K), "K": unit(normal(B, L, H, K)), "V": normal(B, L, H, V),
              "B": (1 / (1 + np.exp(-normal(B, L, H, 1)))).astype(np.float32)}
    if decay:
        arrays["G"] = -np.abs(normal(B, L, H, *shape))
    last, before, F = "last", "before", np.float64
    turned = form.startswith("rwkv")
    s = normal(B, H, V, K) if turned else normal(B, H, K, V)
    S, y = (np.swapaxes(s, 2, 3) if turned else s).astype(F), np.zeros((B, L, H, V))
    for t in range(L):
        q, k, v, b = (arrays[x][:, t].astype(F) for x in "QKVB")
        D = np.exp(arrays["G"][:, t].astype(F))[..., None] if decay else 1
        seen = S if turned else D * S
        error = -(seen * k[..., None]).sum(2) * b
        if not turned:
            error = error + v * b
        if form == "tanh":
            error = np.tanh(error)
        S = D * S + k[..., None] * error[:, :, None]
        if turned:
            S = S + q[..., None] * v[:, :, None]
        y[:, t] = (S * q[..., None]).sum(2)
    nodes = []
    if decay:
        nodes += [N("Exp", ["g"], ["e"]), N("Unsqueeze", ["e", before if turned else last], ["e1"]), N("Mul", ["s", "e1"], ["d"])]
    kept = "d" if decay else "s"
    row = lambda x: [N("Unsqueeze", [x, before], [x + "r"])]
    column = lambda x: [N("Unsqueeze", [x, last], [x + "c"])]
    if turned:
        # Arrays are columns of K numbers where the state is multiplied from the right.
        nodes += [N("Neg", ["k"], ["a"]), N("Mul", ["k", "b"], ["kb"])] + row("kb") + row("q") + column("v") + column("a")
        if form == "rwkv":
            nodes += [N("MatMul", ["s", "ac"], ["sa"]), N("MatMul", ["sa", "kbr"], ["sab"])]
        else:
            nodes += [N("MatMul", ["ac", "kbr"], ["ab"]), N("MatMul", ["s", "ab"], ["sab"])]
        nodes += [N("MatMul", ["vc", "qr"], ["vq"]), N("Add", [kept, "sab"], ["n1"]), N("Add", ["n1", "vq"], ["n"])]
        nodes += column("q") + [N("MatMul", ["n", "qc"], ["y1"]), N("Squeeze", ["y1", last], ["y"])]
    else:
        nodes += column("k")
        if form == "matmul":
            nodes += row("k") + [N("MatMul", ["kr", kept], ["m1"]), N("Squeeze", ["m1", before], ["m"])]
        else:
            nodes += [N("Mul", [kept, "kc"], ["m1"]), N("ReduceSum", ["m1", before], ["m"], keepdims=0)]
        nodes += [N("Sub", ["v", "m"], ["vm"]), N("Mul", ["vm", "b"], ["w" if form != "tanh" else "w0"])]
        if form == "tanh":
            nodes += [N("Tanh", ["w0"], ["w"])]
        nodes += row("w") + column("q") + [N("Mul", ["kc", "wr"], ["kw"]), N("Add", [kept, "kw"], ["n"]),
                                           N("Mul", ["n", "qc"], ["nq"]), N("ReduceSum", ["nq", before], ["y"], keepdims=0)]
    inner = h.make_graph(nodes, "body", [info("s", [batch, H, *s.shape[2:]])] +
                         [info(key.lower(), [batch] + list(x.shape[2:])) for key, x in arrays.items()],
                         [info("n", [batch, H, *s.shape[2:]]), info("y", [batch, H, V])])
    scan = N("Scan", ["S", *arrays], ["E", "Y"], body=inner, num_scan_inputs=len(arrays),
             scan_input_axes=[1] * len(arrays), scan_output_axes=[1])
    case("delta-" + name, [scan],
         {"S": (s, [batch, *s.shape[1:]]), **{key: (x, [batch, tokens] + list(x.shape[2:])) for key, x in arrays.items()}},
         {"E": np.swapaxes(S, 2, 3) if turned else S, "Y": y}, {"last": np.array([-1]), "before": np.array([-2])}, (raised,), gone)


# DeltaNet (arXiv 2406.06484), gated (2412.06464), with channelwise gates (KDA, 2510.26692).
delta("plain", "sum", "ssm.scan outer householder query", decay=None)
delta("gated", "sum", "ssm.scan outer householder query")
delta("channels", "sum", "ssm.scan outer householder query", decay="row")
delta("matmul", "matmul", "ssm.scan outer householder query")
delta("static", "matmul", "ssm.scan outer householder query", tokens=9, batch=2)
delta("one-batch", "sum", "ssm.scan outer householder query", B=1, tokens=9, batch=1)
delta("one-head", "sum", "ssm.scan outer householder query", H=1, decay="row")
delta("one-row", "sum", "ssm.scan outer", K=1)
delta("one-column", "sum", "ssm.scan outer householder query", V=1)
delta("no-tokens", "sum", "ssm.scan outer householder query", L=0)
# RWKV-7 (arXiv 2503.14456): what is erased was stored before the decay.
delta("rwkv-7", "rwkv", "ssm.scan outer diag_plus_lowrank", decay="row")
delta("rwkv-7-matrix", "rwkv-matrix", "ssm.scan outer diag_plus_lowrank", decay="row")
delta("rwkv-7-static", "rwkv", "ssm.scan outer diag_plus_lowrank", decay="row", tokens=9, batch=2)
delta("iplr", "rwkv", "ssm.scan outer diag_plus_lowrank", decay=None)
delta("not-affine", "tanh", "scf.for", gone=("ssm.scan",))

# RWKV-4 (arXiv 2305.13048, equation 16), relative to the largest exponent so far.
B, L, D = 2, 11, 5
k, v, r = normal(B, L, D, scale=3), normal(B, L, D), normal(B, L, D)
w, u = -np.abs(normal(D)) - np.float32(0.1), normal(D)
for name, tokens, backward in (("rwkv-4", "L", 0), ("rwkv-4-static", L, 0), ("rwkv-4-backward", "L", 1), ("rwkv-4-empty", "L", 0)):
    T_ = 0 if name == "rwkv-4-empty" else L
    wkv, exps = np.zeros((B, T_, D)), k.astype(np.float64)
    a, b, p = normal(B, D), np.abs(normal(B, D)), normal(B, D)
    # Directly: sums of exponentials in float64.
    num, den = a * np.exp(p.astype(np.float64)), b * np.exp(p.astype(np.float64))
    top = p.astype(np.float64)
    for t in range(T_)[::-1] if backward else range(T_):
        here = np.exp(u + exps[:, t])
        wkv[:, t] = (num + here * v[:, t]) / (den + here) * r[:, t]
        num = np.exp(w.astype(np.float64)) * num + np.exp(exps[:, t]) * v[:, t]
        den = np.exp(w.astype(np.float64)) * den + np.exp(exps[:, t])
        top = np.maximum(top + w, exps[:, t])
    body = h.make_graph(
        [N("Add", ["u", "k"], ["uk"]), N("Max", ["p", "uk"], ["m"]), N("Sub", ["p", "m"], ["d1"]), N("Exp", ["d1"], ["e1"]),
         N("Sub", ["uk", "m"], ["d2"]), N("Exp", ["d2"], ["e2"]), N("Mul", ["e1", "a"], ["ea"]), N("Mul", ["e2", "v"], ["ev"]),
         N("Add", ["ea", "ev"], ["top"]), N("Mul", ["e1", "b"], ["eb"]), N("Add", ["eb", "e2"], ["bottom"]),
         N("Div", ["top", "bottom"], ["wkv"]), N("Mul", ["r", "wkv"], ["y"]),
         N("Add", ["p", "w"], ["pw"]), N("Max", ["pw", "k"], ["pn"]), N("Sub", ["pw", "pn"], ["d3"]), N("Exp", ["d3"], ["e3"]),
         N("Sub", ["k", "pn"], ["d4"]), N("Exp", ["d4"], ["e4"]), N("Mul", ["e3", "a"], ["ea2"]), N("Mul", ["e4", "v"], ["ev2"]),
         N("Add", ["ea2", "ev2"], ["an"]), N("Mul", ["e3", "b"], ["eb2"]), N("Add", ["eb2", "e4"], ["bn"])],
        "body", [info(x, ["B", D]) for x in "abpkvr"], [info(x, ["B", D]) for x in ("an", "bn", "pn", "y")])
    case(name, [N("Scan", ["a0", "b0", "p0", "K", "V", "R"], ["ae", "be", "pe", "Y"], body=body, num_scan_inputs=3,
                  scan_input_axes=[1] * 3, scan_output_axes=[1], scan_input_directions=[backward] * 3,
                  scan_output_directions=[backward])],
         {"a0": (a, ["B", D]), "b0": (b, ["B", D]), "p0": (p, ["B", D]), "K": (k[:, :T_], ["B", tokens, D]),
          "V": (v[:, :T_], ["B", tokens, D]), "R": (r[:, :T_], ["B", tokens, D])},
         {"ae": num / np.exp(top), "be": den / np.exp(top), "pe": top, "Y": wkv}, {"u": u, "w": w},
         ("ssm.scan_region", "ssm.scan vector"))

# Mamba, of which only steps and what is read are sequences: neither exp(delta A) nor what is
# injected exists for all tokens.
B, L, D, S = 2, 8, 5, 4
delta, u, inject, read = np.abs(normal(B, L, D)), normal(B, L, D), normal(B, L, S), normal(B, L, S)
rate = -np.abs(normal(D, S))
state, want = np.zeros((B, D, S)), np.zeros((B, L, D))
for t in range(L):
    step = delta[:, t, :, None].astype(np.float64)
    state = np.exp(step * rate) * state + step * inject[:, t, None] * u[:, t, :, None]
    want[:, t] = (state * read[:, t, None]).sum(-1)
body = h.make_graph(
    [N("Unsqueeze", ["d", "last"], ["d1"]), N("Mul", ["d1", "rate"], ["dr"]), N("Exp", ["dr"], ["e"]),
     N("Unsqueeze", ["b", "one"], ["b1"]), N("Mul", ["d1", "b1"], ["db"]), N("Unsqueeze", ["u", "last"], ["u1"]),
     N("Mul", ["db", "u1"], ["dbu"]), N("Mul", ["e", "s"], ["es"]), N("Add", ["es", "dbu"], ["n"]),
     N("Unsqueeze", ["c", "last"], ["c1"]), N("MatMul", ["n", "c1"], ["y1"]), N("Squeeze", ["y1", "last"], ["y"])],
    "body", [info("s", ["B", D, S]), info("d", ["B", D]), info("u", ["B", D]), info("b", ["B", S]), info("c", ["B", S])],
    [info("n", ["B", D, S]), info("y", ["B", D])])
case("mamba", [N("Shape", ["U"], ["us"], end=1), N("Concat", ["us", "ds"], ["zs"], axis=0),
               N("ConstantOfShape", ["zs"], ["Z"]),
               N("Scan", ["Z", "D", "U", "I", "R"], ["E", "Y"], body=body, num_scan_inputs=4,
                 scan_input_axes=[1] * 4, scan_output_axes=[1])],
     {"D": (delta, ["B", "L", D]), "U": (u, ["B", "L", D]), "I": (inject, ["B", "L", S]), "R": (read, ["B", "L", S])},
     {"E": state, "Y": want},
     {"rate": rate, "last": np.array([-1]), "one": np.array([1]), "ds": np.array([D, S])}, ("ssm.scan outer diag",))

# Loop, which gathers its token.
a, x, s = (1 / (1 + np.exp(-normal(B, L, D)))).astype(np.float32), normal(B, L, D), normal(B, D)
state, want = s.astype(np.float64), np.zeros((L, B, D))
for t in range(L):
    state = a[:, t].astype(np.float64) * state + x[:, t]
    want[t] = state
body = h.make_graph(
    [N("Gather", ["A", "i"], ["a"], axis=1), N("Gather", ["X", "i"], ["x"], axis=1), N("Mul", ["s", "a"], ["as"]),
     N("Add", ["x", "as"], ["n"]), N("Identity", ["n"], ["y"]), N("Identity", ["c"], ["more"])],
    "body", [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("c", T.BOOL, []), info("s", ["B", D])],
    [h.make_tensor_value_info("more", T.BOOL, []), info("n", ["B", D]), info("y", ["B", D])])
for tokens in (L, "L"):
    case(f"loop-{tokens}", [N("Shape", ["A"], ["trips1"], start=1, end=2), N("Squeeze", ["trips1"], ["trips"]),
                            N("Loop", ["trips", "yes", "S"], ["E", "Y"], body=body)],
         {"S": (s, ["B", D]), "A": (a, ["B", tokens, D]), "X": (x, ["B", tokens, D])}, {"E": state, "Y": want},
         {"yes": np.array(True)})

# float32: some ten roundings of 2^-24 in sums of numbers below ten.
done = subprocess.run([weft, "check", folder.name, "--rtol=1e-4", "--atol=1e-5"], capture_output=True, text=True,
                      check=False)
print(done.stdout[-2000:], done.stderr[-2000:])
sys.exit(done.returncode or f"{count} passed, 0 failed" not in done.stdout + done.stderr)
