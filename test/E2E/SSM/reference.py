#===- reference.py - Recurrences in float64, one token after the other ------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""What ssm operations mean, written from their description: plain loops in float64."""

import numpy as np

F = np.float64


def pick(array, b, t, h, heads):
    """The entry of [B, T, H, ...] where an extent of 1 is for all, and heads divide."""
    return array[0 if array.shape[0] == 1 else b, 0 if array.shape[1] == 1 else t,
                 h * array.shape[2] // heads]


def transition(kind, o, b, t, h, heads, rows, linear):
    """The matrix M of a token before what is erased, [K, K]."""
    if kind == "dense_lti":
        return o["matrix"][h * o["matrix"].shape[0] // heads]
    if kind == "dense":
        return pick(o["matrix"], b, t, h, heads)
    if kind == "identity" or ("decay" not in o and "rate" not in o and "angle" not in o):
        return np.eye(rows)
    g = pick(o["decay"], b, t, h, heads) if "decay" in o else F(1)
    if "rate" in o:
        g = g * o["rate"][h]
    if kind not in ("complex_diag", "rotation"):
        return np.diag(np.broadcast_to(g if linear else np.exp(g), rows))
    angle = pick(o["angle"], b, t, h, heads)
    if kind == "rotation" and "decay" not in o and "rate" not in o:
        g = F(1) if linear else F(0)
    if linear and kind == "complex_diag":
        c = g + 1j * angle
    else:
        c = (g if linear else np.exp(g)) * np.exp(1j * angle)
    m = np.zeros((rows, rows))
    for j, z in enumerate(np.broadcast_to(c, rows // 2)):
        m[2 * j:2 * j + 2, 2 * j:2 * j + 2] = [[z.real, -z.imag], [z.imag, z.real]]
    return m


def scan(state, kind, operands, T, heads, rows, columns, read="post", linear=False, rank=1,
         substeps=1, reads=1, direction="forward", offsets=None, order=None, sources=None,
         destinations=None, emit="last", count=1, fill=(0, 0, 0), final_rows=None):
    """Output, final states and checkpoints. States are [.., H, K, V] here."""
    o = {k: v.astype(F) for k, v in operands.items()}
    vector = state == "vector"
    if vector:
        o["value"] = o["value"][..., None]
        if "initial" in o:
            o["initial"] = o["initial"][..., None]
        columns = 1
    batches = max(v.shape[0] for k, v in o.items() if k not in ("rate", "matrix", "bonus", "initial"))
    if "initial" in o and offsets is None and sources is None:
        batches = max(batches, o["initial"].shape[0] // (2 if direction == "bidirectional" else 1))
    if offsets is None:
        sequences = [(b, 0, T) for b in range(batches)]
    else:
        bounds = np.clip(offsets, 0, T)
        sequences = [(0, bounds[g], max(bounds[g], bounds[g + 1])) for g in range(len(offsets) - 1)]
    directions = {"forward": [0], "reverse": [1], "bidirectional": [0, 1]}[direction]
    queries = max(heads, o["query"].shape[2]) if "query" in o else heads
    shape = (batches, T * reads, queries, columns) if "query" in o else (batches, T, heads, rows, columns)
    out = np.full(shape, F(fill[0]))
    final = np.full((final_rows or len(sequences) * len(directions), heads, rows, columns), F(fill[1]))
    if emit == "every":
        kept = np.full((batches, T // count, heads, rows, columns), F(fill[2]))
    else:
        kept = np.full((len(sequences), count, heads, rows, columns), F(fill[2]))
    for number, way in enumerate(directions):
        for g, (b, start, end) in enumerate(sequences):
            row = g + number * len(sequences)
            for h in range(heads):
                S = np.zeros((rows, columns))
                first = row if sources is None else sources[g]
                if "initial" in o and 0 <= first < len(o["initial"]):
                    S = o["initial"][first, h].copy()
                for step in range(end - start):
                    t = end - 1 - step if way else start + step
                    if order is not None:
                        t = min(max(order[t], 0), T - 1)
                    before = S
                    D = transition(kind, o, b, t, h, heads, rows, linear)
                    get = lambda key, at: pick(o[key], b, at, h, heads)
                    S = D @ S
                    if kind == "diag_plus_lowrank":
                        for r in range(rank):
                            S = S + np.outer(get("beta", t * rank + r), get("alpha", t * rank + r) @ before)
                    for s in range(substeps):
                        at = t * substeps + s
                        if kind == "householder":
                            S = S - np.outer(get("beta", at), get("alpha", at) @ S)
                        S = S + (np.outer(get("key", at), get("value", at)) if "key" in o else get("value", at))
                    seen = S
                    if read == "pre":
                        seen = before
                        if "bonus" in o:
                            u = o["bonus"][h * o["bonus"].shape[0] // heads]
                            seen = before + np.outer(u * get("key", t), get("value", t))
                    add = 1 if number else 0
                    if "query" not in o:
                        out[b, t, h] = seen + add * out[b, t, h]
                    else:
                        group = max(1, queries // heads)
                        for r in range(reads):
                            for j in range(group):
                                at = h * group + j if group > 1 else h
                                q = pick(o["query"], b, t * reads + r, at, queries)
                                out[b, t * reads + r, at] = q @ seen + add * out[b, t * reads + r, at]
                    done = step + 1
                    if emit == "every" and done % count == 0:
                        kept[b, start // count + done // count - 1, h] = S
                    if emit == "window" and end - start - done < count:
                        kept[g, count - 1 - (end - start - done), h] = S
                last = row if destinations is None else destinations[g]
                if 0 <= last < len(final):
                    final[last, h] = S
    if vector:
        out, final, kept = out[..., 0], final[..., 0], kept[..., 0]
    return out, final, kept


def causal_conv(x, w, bias=None, state=None, dilation=1, silu=False, reverse=False, offsets=None,
                sources=None, destinations=None, fill=(0, 0), final_rows=None):
    x, w = x.astype(F), w.astype(F)
    B, T, C = x.shape
    W = w.shape[1]
    history = (W - 1) * dilation
    if offsets is None:
        sequences = [(b, 0, T) for b in range(B)]
    else:
        bounds = np.clip(offsets, 0, T)
        sequences = [(0, bounds[g], max(bounds[g], bounds[g + 1])) for g in range(len(offsets) - 1)]
    y = np.full(x.shape, F(fill[0]))
    final = np.full((final_rows or len(sequences), history, C), F(fill[1]))
    for g, (b, start, end) in enumerate(sequences):
        first = g if sources is None else sources[g]
        past = np.zeros((history, C))
        if state is not None and 0 <= first < len(state):
            past = state[first].astype(F)
        tokens = x[b, start:end][::-1] if reverse else x[b, start:end]
        line = np.concatenate([past, tokens])
        for t in range(end - start):
            total = sum(w[:, j] * line[t + j * dilation] for j in range(W))
            if bias is not None:
                total = total + bias.astype(F)
            if silu:
                total = total / (1 + np.exp(-total))
            y[b, end - 1 - t if reverse else start + t] = total
        last = g if destinations is None else destinations[g]
        if 0 <= last < len(final):
            final[last] = line[len(line) - history:]
    return y, final
