"""RT-NeRF: Real-Time On-Device Neural Radiance Fields Towards Immersive AR/VR Rendering

Theme: sparsity

Claim: Sparse embedding grids are stored as bitmaps or as coordinates, whichever is smaller at their
sparsity, and only points that exist are computed, at 9.7 to 3,201 times the throughput
of other efficient radiance fields.

Shown: A grid with 40 % and one with 2 % of its features, as `#sparse.bitmap` and `#sparse.coo<i16>`, read by
`weft.embed` at the 8 corners of points and interpolated; the choice is the smaller one in bytes for both.
"""

import numpy as np

import encode

G, F = 5, 12  # positions along an axis, features


def grid(name, packed, components):
    return f"""
  %grid_{name} = weft.assemble {components} -> {packed}
  %corner_{name} = weft.embed ins(%grid_{name}, %ids : {packed}, tensor<?x8xi32>)
                     outs(%none : tensor<?x8x12xf32>) -> tensor<?x8x12xf32>
  %{name} = weft.contract indexing_maps = [#corners, #weights, #point]
         ins(%corner_{name}, %weights : tensor<?x8x12xf32>, tensor<?x8xf32>)
         outs(%init : tensor<?x12xf32>) -> tensor<?x12xf32>"""


MODULE = f"""
#corners = affine_map<(p, f, c) -> (p, c, f)>
#weights = affine_map<(p, f, c) -> (p, c)>
#point = affine_map<(p, f, c) -> (p, f)>
!bitmap = !weft.packed<125x12xf32, #weft.format<elem = #weft.value<f16>, structure = #sparse.bitmap>>
!coo = !weft.packed<125x12xf32, #weft.format<elem = #weft.value<f16>, structure = #sparse.coo<i16>>>

func.func @main(%p: index {{weft.symbol = "p"}}, %a: index {{weft.symbol = "a"}}, %b: index {{weft.symbol = "b"}},
                %ids: tensor<?x8xi32> {{weft.name = "ids", weft.dims = ["p", 8]}},
                %weights: tensor<?x8xf32> {{weft.name = "weights", weft.dims = ["p", 8]}},
                %dense: tensor<?xi16> {{weft.name = "dense", weft.dims = ["a"]}},
                %words: tensor<125x1xi64>, %offsets: tensor<125x1xi32>,
                %sparse: tensor<?xi16> {{weft.name = "sparse", weft.dims = ["b"]}},
                %rows: tensor<?xi16> {{weft.name = "rows", weft.dims = ["b"]}},
                %columns: tensor<?xi16> {{weft.name = "columns", weft.dims = ["b"]}})
    -> (tensor<?x12xf32>, tensor<?x12xf32>) {{
  %none = tensor.empty(%p) : tensor<?x8x12xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%p) : tensor<?x12xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x12xf32>) -> tensor<?x12xf32>{
    grid("often", "!bitmap", "%dense, %words, %offsets : tensor<?xi16>, tensor<125x1xi64>, tensor<125x1xi32>")}{
    grid("seldom", "!coo", "%sparse, %rows, %columns : tensor<?xi16>, tensor<?xi16>, tensor<?xi16>")}
  return %often, %seldom : tensor<?x12xf32>, tensor<?x12xf32>
}}
"""

# Sums of 8 products in f32.
TOLERANCE = 2e-6


def inputs(rng):
    grids = {n: np.where(rng.random((G ** 3, F)) < share, rng.standard_normal((G ** 3, F)), 0)
             .astype(np.float16) for n, share in (("often", 0.4), ("seldom", 0.02))}
    words, offsets = encode.bitmap(grids["often"] != 0)
    numbers, rows, columns = encode.coo(grids["seldom"])
    calls = []
    for points in (9, 1):
        at = rng.uniform(0, G - 1, (points, 3)).astype(np.float32)
        low, part = at.astype(np.int64), at % 1
        ids, weights = [], []
        for corner in np.ndindex(2, 2, 2):
            ids.append((low + corner) @ [G * G, G, 1])
            weights.append(np.prod(np.where(corner, part, 1 - part), axis=1))
        calls.append({"ids": np.stack(ids, 1).astype(np.int32),
                      "weights": np.stack(weights, 1).astype(np.float32),
                      "dense": grids["often"][grids["often"] != 0].view(np.int16), "words": words,
                      "offsets": offsets, "sparse": numbers.view(np.int16), "rows": rows,
                      "columns": columns, "_at": at, "_grids": grids})
    return calls


def reference(inputs, ablated):
    """Linear interpolation axis by axis; ablated: the nearest lower corner."""
    results = []
    for table in inputs["_grids"].values():
        cube, rows = table.astype(np.float64).reshape(G, G, G, F), []
        for point in inputs["_at"].astype(np.float64):
            values = cube
            for x in point:
                low = int(x)
                part = 0 if ablated else x - low
                values = values[low] * (1 - part) + values[low + 1] * part
            rows.append(values)
        results.append(np.array(rows))
    return results


def check(example):
    """Of bitmap and coordinates, the smaller one was taken."""
    for table, is_bitmap in zip(example.calls[0][0]["_grids"].values(), (True, False)):
        bitmap = sum(a.nbytes for a in encode.bitmap(table != 0))
        coordinates = sum(a.nbytes for a in encode.coo(table)[1:])
        assert (bitmap < coordinates) == is_bitmap, (bitmap, coordinates)
