#===- reference.py - Mixtures of experts by their formulas -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Sequential and in float64, one token after another."""

import numpy as np


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def score_of(kind, x):
    if kind == "softmax":
        return softmax(x)
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-x))
    if kind == "sqrt_softplus":
        return np.sqrt(np.log(1 + np.exp(x)))
    return x.copy()


def order_of(keys):
    """Positions by descending keys, equal ones by position."""
    return sorted(range(len(keys)), key=lambda e: (-keys[e], e))


def sinkhorn(keys, iterations):
    x = np.exp(keys - keys.max(axis=1, keepdims=True))
    tokens, experts = x.shape
    d1 = np.ones(experts)
    for _ in range(iterations):
        d0 = 1 / (tokens * (x @ d1 + 1e-8))
        d1 = 1 / (experts * (d0 @ x + 1e-8))
    return d0[:, None] * x * d1[None, :]


def route(logits, slots, score="softmax", select="top_k", by_logits=False, bias=None,
          threshold=None, iterations=None, groups=None, normalize="none", epsilon=0.0, scale=1.0,
          shared=0, shared_weight=1.0, table=None, tokens=None, capacity=None):
    logits = logits.astype(np.float64)
    count, experts = logits.shape
    chosen = slots - shared
    ids = np.full((count, slots), -1, np.int32)
    weights = np.zeros((count, slots))
    scores = np.array([score_of(score, row) for row in logits]).reshape(count, experts)
    keys = logits.copy() if by_logits else scores.copy()
    if bias is not None:
        keys = keys + bias.astype(np.float64)
    if select == "sinkhorn" and count:
        keys = sinkhorn(keys, iterations)
    if select == "expert_choice":
        takes = [order_of(keys[:, e])[:max(capacity, 0)] for e in range(experts)]
    for t in range(count):
        picked = []
        if select == "table":
            picked = [e if 0 <= e < experts else -1 for e in table[tokens[t]][:chosen]]
        elif select == "expert_choice":
            picked = [e for e in range(experts) if t in takes[e]][:chosen]
        else:
            allowed = set(range(experts))
            if groups:
                number, keep, by = groups[:3]
                size = experts // number
                parts = [sorted(keys[t, g * size:(g + 1) * size])[::-1] for g in range(number)]
                counts = [p[0] if by == "max" or size == 1 else p[0] + p[1] for p in parts]
                kept = order_of(counts)[:keep]
                if len(groups) > 3:
                    keys[t] = [keys[t, e] if e // size in kept else groups[3] for e in range(experts)]
                else:
                    allowed = {e for e in allowed if e // size in kept}
            total = 0.0
            for e in [e for e in order_of(keys[t]) if e in allowed][:chosen]:
                if select == "top_p" and total >= threshold:
                    break
                if select == "threshold" and not keys[t, e] >= threshold:
                    break
                picked.append(e)
                total += scores[t, e]
        values = np.array([scores[t, e] if e >= 0 else 0.0 for e in picked])
        there = np.array([e >= 0 for e in picked], bool)
        if normalize == "sum" and there.any():
            values = values / max(np.sum(values), epsilon)
        if normalize == "sum_plus" and there.any():
            values = values / (np.sum(values) + epsilon)
        if normalize == "softmax" and there.any():
            values = np.where(there, np.exp(values - values[there].max()), 0.0)
            values = values / values.sum()
        for j, e in enumerate(picked):
            ids[t, j] = e
            weights[t, j] = values[j] * scale if e >= 0 else 0.0
        for j in range(shared):
            ids[t, chosen + j] = experts + j
            weights[t, chosen + j] = shared_weight
    return ids, weights


def plan(ids, groups, positions, weights=None, place=None, capacity=None, drop="last",
         slot_major=False, align=1, padded=False):
    tokens, width = ids.shape

    def group_of(e):
        if place is not None:
            e = place[e] if 0 <= e < len(place) else -1
        return e if 0 <= e < groups else -1

    order = [(t, j) for j in range(width) for t in range(tokens)] if slot_major else \
        [(t, j) for t in range(tokens) for j in range(width)]
    members = [[s for s in order if group_of(ids[s]) == g] for g in range(groups)]
    if capacity is not None:
        if drop == "least":
            kept = [sorted(m, key=lambda s: (-weights[s], order.index(s)))[:capacity]
                    for m in members]
            members = [[s for s in m if s in k] for m, k in zip(members, kept)]
        else:
            members = [m[:capacity] for m in members]
    offsets, slots = [0], []
    where = np.full((tokens, width), -1, np.int32)
    for m in members:
        size = capacity if padded else -(-len(m) // align) * align
        for i, (t, j) in enumerate(m):
            if len(slots) < positions:
                where[t, j] = len(slots)
                slots.append(t * width + j)
        slots += [-1] * (offsets[-1] + size - len(slots))
        slots = slots[:positions]
        offsets.append(min(offsets[-1] + size, positions))
    slots += [-1] * (positions - len(slots))
    return np.array(offsets, np.int32), np.array(slots, np.int32), where


def grouped_matmul(x, weights, offsets, init, indices=None, biases=None, transposed=False,
                   epilogue=None):
    result = init.astype(np.float64).copy()
    for g in range(len(offsets) - 1):
        for p in range(offsets[g], offsets[g + 1]):
            row = p if indices is None else indices[p]
            sums = []
            for i, w in enumerate(weights):
                matrix = w[g].astype(np.float64)
                line = x[row].astype(np.float64) if row >= 0 else np.zeros(x.shape[1])
                total = matrix @ line if transposed else line @ matrix
                sums.append(total + (biases[i][g].astype(np.float64) if biases else 0))
            result[p] = epilogue(*sums) if epilogue else sums[0]
    return result


def combine(values, positions, weights, init):
    result = init.astype(np.float64).copy()
    for t in range(positions.shape[0]):
        for j in range(positions.shape[1]):
            p = positions[t, j]
            if 0 <= p < len(values):
                w = 1.0 if weights is None else float(weights[t, j])
                result[t] += w * values[p].astype(np.float64)
    return result
