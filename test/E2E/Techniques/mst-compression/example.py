"""MST-compression: Compressing and Accelerating Binary Neural Networks with Minimum Spanning Tree

Theme: quantization

Claim: An output channel of a binary layer is that of its neighbour in a minimum spanning tree of
Hamming distances, corrected at the differing bits alone, which compresses and accelerates the layer.

Shown: A list of differences (+-2, and the root's row) in `#sparse.csr<i8>` of 3-bit codes, then sums
along the paths of the tree, which are bits: the results equal those of the dense binary layer.
"""

import numpy as np

import encode

N, K = 12, 40

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!differences = !weft.packed<12x40xf32, #weft.format<elem = #lowp.int<3, signed>,
                                                    structure = #sparse.csr<i8>>>
!paths = !weft.packed<12x12xf32, #weft.format<elem = #lowp.int<1, unsigned>>>

func.func @main(%t: index {weft.symbol = "t"}, %s: index {weft.symbol = "s"}, %b: index {weft.symbol = "b"},
                %x: tensor<?x40xf32> {weft.name = "x", weft.dims = ["t", 40]},
                %codes: tensor<?xi8> {weft.name = "codes", weft.dims = ["b"]}, %offsets: tensor<13xi32>,
                %columns: tensor<?xi8> {weft.name = "columns", weft.dims = ["s"]},
                %paths: tensor<18xi8>) -> tensor<?x12xf32> {
  %d = weft.assemble %codes, %offsets, %columns
    : tensor<?xi8>, tensor<13xi32>, tensor<?xi8> -> !differences
  %p = weft.assemble %paths : tensor<18xi8> -> !paths
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x12xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x12xf32>) -> tensor<?x12xf32>
  // What changes at each node of the tree, then the sums along the paths from the root.
  %changes = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %d : tensor<?x40xf32>, !differences)
               outs(%init : tensor<?x12xf32>) -> tensor<?x12xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%changes, %p : tensor<?x12xf32>, !paths)
         outs(%init : tensor<?x12xf32>) -> tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}
"""

# Activations are +-1: all sums are integers.
TOLERANCE = 0.0


def spanning_tree(bits):
    """Prim's algorithm on Hamming distances: the parent of each row, -1 of the root."""
    parent, distance = np.full(N, -1), (bits[0] != bits).sum(1)
    best, inside = np.zeros(N, np.int64), np.arange(N) == 0
    while not inside.all():
        node = np.where(inside, K + 1, distance).argmin()
        parent[node], inside[node] = best[node], True
        closer = (bits[node] != bits).sum(1) < distance
        distance = np.where(closer, (bits[node] != bits).sum(1), distance)
        best = np.where(closer, node, best)
    return parent


def inputs(rng):
    # Rows of a trained layer resemble each other.
    prototypes = rng.integers(0, 2, (3, K))
    bits = prototypes[rng.integers(0, 3, N)] ^ (rng.random((N, K)) < 0.15)
    signs, parent = bits * 2 - 1, spanning_tree(bits)
    changes = np.where((parent >= 0)[:, None], signs - signs[parent], signs)
    paths = np.zeros((N, N), np.int64)
    for row in range(N):
        node = row
        while node >= 0:
            paths[row, node], node = 1, parent[node]
    codes, offsets, columns = encode.csr(changes, np.int8)
    return [{"x": rng.choice([-1, 1], (t, K)).astype(np.float32), "codes": encode.bits(codes, 3),
             "offsets": offsets, "columns": columns, "paths": encode.bits(paths, 1),
             "_signs": signs, "_changes": changes} for t in (1, 5)]


def reference(inputs, ablated):
    """The binary layer as it is; ablated: what changes, not added up along the tree."""
    weight = inputs["_changes"] if ablated else inputs["_signs"]
    return [inputs["x"].astype(np.float64) @ weight.T]


def check(example):
    stored = example.calls[0][0]["columns"].size
    assert stored < N * K / 2, stored
