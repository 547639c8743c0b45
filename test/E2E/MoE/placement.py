#===- placement.py - moe.exchange, moe.residency, moe.depth, moe.exit ------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np

from harness import Function, check, compile, run

rng = np.random.default_rng(15)


def exchange(values, offsets, ranks_of, rows):
    """What each rank receives, where it comes from, and the offsets there."""
    ranks, groups = len(values), offsets.shape[1] - 1
    received = np.zeros((ranks, rows, values.shape[2]), values.dtype)
    bounds, sources = np.zeros((ranks, groups + 1), np.int32), []
    for r in range(ranks):
        at = 0
        for g in range(groups):
            for s in range(ranks if ranks_of[g] == r else 0):
                for p in range(offsets[s, g], offsets[s, g + 1]):
                    if at < rows:
                        received[r, at] = values[s, p]
                        sources.append((r, at, s, p))
                        at += 1
            bounds[r, g + 1] = at
    return received, bounds, sources


def exchanged(name, ranks=3, groups=6, rows=7, columns=5, room=30, place=None):
    for inverse in (False, True):
        f = Function()
        sizes = ["R", "N" if inverse else "M", columns], ["R", "M" if inverse else "N", columns]
        kinds = [f.input("values", sizes[0], "f32"), f.input("offsets", ["R", groups + 1], "i32")]
        extra = f" place(%place : {f.input('place', [groups], 'i32')})" if place is not None else ""
        inits = [f.input("init", sizes[1], "f32"), f.empty("o", ["R", groups + 1], "i32")]
        # A place that is no rank is refused without this (Checks/cases.py); it loses its group.
        checked = "{weft.checked} " if place is not None and max(place) >= ranks else ""
        f.add(f"%y, %bounds = moe.exchange {'inverse ' if inverse else ''}ins(%values, %offsets : "
              f"{', '.join(kinds)}){extra} outs(%init, %o : {', '.join(inits)}) {checked}-> "
              f"{', '.join(inits)}")
        f.results = [("%y", inits[0]), ("%bounds", inits[1])]
        offsets = np.sort(rng.integers(0, rows + 1, (ranks, groups + 1)), axis=1).astype(np.int32)
        offsets[:, 0], offsets[:, -1] = 0, rows
        values = rng.standard_normal((ranks, rows, columns)).astype(np.float32)
        where = place if place is not None else [g * ranks // groups for g in range(groups)]
        received, bounds, sources = exchange(values, offsets, where, room)
        feed = {"offsets": offsets}
        if place is not None:
            feed["place"] = np.array(place, np.int32)
        if inverse:
            want = np.zeros_like(values)
            for r, at, s, p in sources:
                want[s, p] = received[r, at]
            feed.update(values=received, init=np.zeros_like(values))
            bounds = offsets
        else:
            feed.update(values=values, init=np.zeros_like(received))
            want = received
        check(f"exchange {name} inverse={inverse}", run(compile(f.text()), feed),
              {"y": want, "bounds": bounds}, 0)


exchanged("blocks")
exchanged("placed", place=[2, 0, 0, 1, 2, 1])
exchanged("lost", place=[2, -1, 0, 7, 2, 1])
exchanged("one rank", ranks=1, place=[0] * 6)
exchanged("too little room", room=4)
exchanged("more ranks than groups", ranks=5, groups=3, room=40)


def residency(ids, slots, stamps, experts):
    slots, stamps = list(slots), list(stamps)
    time = max([0] + stamps) + 1
    loads = [-1] * len(slots)
    wanted = sorted({int(e) for e in ids.ravel() if 0 <= e < experts})
    for s, e in enumerate(slots):
        if e in wanted:
            stamps[s] = time
    for e in wanted:
        if e in slots:
            continue
        free = [s for s in range(len(slots)) if stamps[s] < time]
        if not free:
            continue
        slot = min(free, key=lambda s: (stamps[s], s))
        slots[slot] = loads[slot] = e
        stamps[slot] = time
    place = [slots.index(e) if e in slots else -1 for e in range(experts)]
    return place, loads, slots, stamps


f = Function()
kinds = [f.input("ids", ["T", 2], "i32"), f.input("slots", ["S"], "i32"), f.input("stamps", ["S"], "i32")]
inits = [f.empty("p", [10], "i32")] + [f.empty(n, ["S"], "i32") for n in ("l", "a", "b")]
f.add(f"%place, %loads, %after, %used = moe.residency ins(%ids, %slots, %stamps : {', '.join(kinds)}) "
      f"outs(%p, %l, %a, %b : {', '.join(inits)}) -> {', '.join(inits)}")
f.results = list(zip(["%place", "%loads", "%after", "%used"], inits))
module = compile(f.text())
for count in (0, 1, 4, 12):
    slots, stamps = [-1] * count, [0] * count
    for step in range(8):
        ids = rng.integers(-1, 10, (step % 4, 2)).astype(np.int32)
        want = residency(ids, slots, stamps, 10)
        have = run(module, {"ids": ids, "slots": np.array(slots, np.int32),
                            "stamps": np.array(stamps, np.int32)})
        check(f"residency {count} slots, step {step}", have,
              {k: np.array(v, np.int32) for k, v in zip(["place", "loads", "after", "used"], want)}, 0)
        slots, stamps = want[2], want[3]

# Stamps at the end of i32 become earlier together, and keep their order.
last = np.iinfo(np.int32).max
have = run(module, {"ids": np.array([[7, 8]], np.int32), "slots": np.array([1, 2, 3], np.int32),
                    "stamps": np.array([last, last - 5, last - 2], np.int32)})
check("residency at the last stamp", have, {
    "place": np.array([-1, 0, -1, -1, -1, -1, -1, 1, 2, -1], np.int32),
    "loads": np.array([-1, 7, 8], np.int32), "after": np.array([1, 7, 8], np.int32),
    "used": np.array([last - 1, last, last], np.int32)}, 0)

# Mixture of depths: the layer is row-wise, so that the mask can be anything.
f = Function()
x, m, s = f.input("x", ["T", 8], "f32"), f.input("mask", ["T"], "i8"), f.input("s", ["T"], "f32")
f.input("w", [8, 8], "f32")
f.add("""%zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %y = moe.depth mask(%mask : tensor<?xi8>) ins(%x, %s : tensor<?x8xf32>, tensor<?xf32>) outs(%x : tensor<?x8xf32>) {
  ^bb0(%rows: tensor<?x8xf32>, %scale: tensor<?xf32>):
    %n = tensor.dim %rows, %c0 : tensor<?x8xf32>
    %e = tensor.empty(%n) : tensor<?x8xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
    %p = linalg.matmul ins(%rows, %w : tensor<?x8xf32>, tensor<8x8xf32>) outs(%z : tensor<?x8xf32>) -> tensor<?x8xf32>
    %q = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
        ins(%p, %scale : tensor<?x8xf32>, tensor<?xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %r = arith.mulf %a, %b : f32
      linalg.yield %r : f32
    } -> tensor<?x8xf32>
    moe.yield %q : tensor<?x8xf32>
  } -> tensor<?x8xf32>""")
f.results = [("%y", x)]
module = compile(f.text())
for length in (0, 1, 5, 40):
    for density in (0.0, 0.3, 1.0):
        feed = {"x": rng.standard_normal((length, 8)).astype(np.float32),
                "mask": (rng.random(length) < density).astype(np.int8),
                "s": rng.standard_normal(length).astype(np.float32),
                "w": rng.standard_normal((8, 8)).astype(np.float32)}
        want = feed["x"].astype(np.float64).copy()
        for t in range(length):
            if feed["mask"][t]:
                want[t] = want[t] @ feed["w"].astype(np.float64) * feed["s"][t]
        # Sums of eight products in f32.
        check(f"depth T={length} density {density}", run(module, feed), {"y": want}, 1e-5)

# PonderNet's rule: stop when the probability to have stopped reaches a threshold.
f = Function()
x, k = f.input("x", ["N"], "f32"), f.input("k", ["L"], "i8")
f.index("L")
f.add("""%limit = arith.constant 0.8 : f32
  %one = arith.constant 1.0 : f32
  %start = arith.constant dense<0.0> : tensor<f32>
  %ran, %y, %q = moe.exit %dL init(%x, %start : tensor<?xf32>, tensor<f32>) {
  ^bb0(%i: index, %h: tensor<?xf32>, %p: tensor<f32>):
    %e = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%h : tensor<?xf32>) {
    ^bb0(%a: f32):
      %t = arith.mulf %a, %limit : f32
      %u = arith.addf %t, %one : f32
      linalg.yield %u : f32
    } -> tensor<?xf32>
    %old = tensor.extract %p[] : tensor<f32>
    %left = arith.subf %one, %old : f32
    %step = arith.constant 0.3 : f32
    %more = arith.mulf %left, %step : f32
    %new = arith.addf %old, %more : f32
    %all = tensor.from_elements %new : tensor<f32>
    %stop = arith.cmpf oge, %new, %limit : f32
    moe.yield %stop, %e, %all : i1, tensor<?xf32>, tensor<f32>
  } -> index, tensor<?xf32>, tensor<f32>
  %ran64 = arith.index_cast %ran : index to i64
  %layers = tensor.from_elements %ran64 : tensor<i64>""")
f.results = [("%y", x), ("%q", "tensor<f32>"), ("%layers", "tensor<i64>")]
module = compile(f.text())
for layers in (0, 1, 3, 20):
    h, p, ran = rng.standard_normal(6).astype(np.float32), 0.0, 0
    feed = {"x": h, "k": np.zeros(layers, np.int8)}
    h = h.astype(np.float64)
    while ran < layers and p < 0.8:
        h, p, ran = h * 0.8 + 1, p + (1 - p) * 0.3, ran + 1
    check(f"exit of {layers} layers", run(module, feed),
          {"y": h, "q": np.array(p), "layers": np.array(ran)}, 1e-5)
