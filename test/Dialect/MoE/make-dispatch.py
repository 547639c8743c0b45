"""Writes a layer whose tokens are dispatched by masks of tokens, experts and places.

  make-dispatch.py VARIANT

  plain      one choice, the largest score
  two        two choices; the places of the second ones come after all first ones
  mask       rows are dispatched by the mask itself, not by where the weights are not 0
  other      places are counted for another choice: they stay
  back       places are counted from the last token on: they stay
  shared     tokens beyond the limit are at place 0: they stay
  scaled     rows are dispatched by the weights: they stay
"""

import sys

variant = sys.argv[1]
two = variant == "two"
print("""#m2 = affine_map<(a, b) -> (a, b)>
#m3 = affine_map<(a, b, c) -> (a, b, c)>
#first = affine_map<(a, b) -> (a)>
#second = affine_map<(a, b) -> (b)>
#te = affine_map<(a, b, c) -> (a, b)>
#tc = affine_map<(a, b, c) -> (a, c)>
#x_mask = affine_map<(e, c, h, t) -> (t, e, c)>
#x_rows = affine_map<(e, c, h, t) -> (t, h)>
#x_out = affine_map<(e, c, h, t) -> (e, c, h)>
#lhs = affine_map<(e, c, n, k) -> (e, c, k)>
#rhs = affine_map<(e, c, n, k) -> (e, k, n)>
#out = affine_map<(e, c, n, k) -> (e, c, n)>
#y_mask = affine_map<(t, n, e, c) -> (t, e, c)>
#y_rows = affine_map<(t, n, e, c) -> (e, c, n)>
#y_out = affine_map<(t, n, e, c) -> (t, n)>
func.func @layer(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %more: tensor<?x4xf32>, %second: tensor<?xf32>,
                 %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %i0 = arith.constant 0 : i64
  %i1 = arith.constant 1 : i64
  %i3 = arith.constant 3 : i64
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %far = arith.constant 9223372036854775807 : i64
  %experts = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %places = arith.constant dense<[0, 1, 2]> : tensor<3xi64>
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e1f = tensor.empty(%t) : tensor<?xf32>
  %e1i = tensor.empty(%t) : tensor<?xi64>
  %e2f = tensor.empty(%t) : tensor<?x4xf32>
  %e2i = tensor.empty(%t) : tensor<?x4xi64>
  %epf = tensor.empty(%t) : tensor<?x3xf32>
  %e3f = tensor.empty(%t) : tensor<?x4x3xf32>
  %z1i = linalg.fill ins(%i0 : i64) outs(%e1i : tensor<?xi64>) -> tensor<?xi64>
  %z3f = linalg.fill ins(%zero : f32) outs(%e3f : tensor<?x4x3xf32>) -> tensor<?x4x3xf32>
  %low = linalg.fill ins(%lowest : f32) outs(%e1f : tensor<?xf32>) -> tensor<?xf32>
  %none = linalg.fill ins(%far : i64) outs(%e1i : tensor<?xi64>) -> tensor<?xi64>""")


def elementwise(name, inputs, out, kind, body, loops=2):
    """`inputs` are (value, map, type); the body has them as %0, %1 and yields %r."""
    maps = ", ".join([m for _, m, _ in inputs] + [f"#m{loops}"])
    values = ", ".join(v for v, _, _ in inputs)
    kinds = ", ".join(k for _, _, k in inputs)
    arguments = ", ".join([f"%a{i}: {k.rstrip('>').split('x')[-1]}" for i, (_, _, k) in enumerate(inputs)] +
                          [f"%o: {kind.rstrip('>').split('x')[-1]}"])
    iterators = ", ".join(['"parallel"'] * loops)
    print(f"  %{name} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}}\n"
          f"      ins({values} : {kinds}) outs({out} : {kind}) {{\n  ^bb0({arguments}):\n{body}"
          f"    linalg.yield %r : {kind.rstrip('>').split('x')[-1]}\n  }} -> {kind}")


def choice(j, keys):
    """The number of the largest key, and its mask."""
    print(f"""  %best{j}:2 = linalg.generic {{indexing_maps = [#m2, #first, #first], iterator_types = ["parallel", "reduction"]}}
      ins({keys} : tensor<?x4xf32>) outs(%low, %none : tensor<?xf32>, tensor<?xi64>) {{
  ^bb0(%a: f32, %b: f32, %at: i64):
    %i = linalg.index 1 : index
    %n = arith.index_cast %i : i64 to index
    %g = arith.cmpf ogt, %a, %b : f32
    %q = arith.cmpf oeq, %a, %b : f32
    %u = arith.cmpf uno, %a, %a : f32
    %s = arith.cmpi slt, %n, %at : i64
    %l = arith.andi %q, %s : i1
    %p = arith.ori %g, %l : i1
    %v = arith.select %p, %a, %b : f32
    %w = arith.select %p, %n, %at : i64
    linalg.yield %v, %w : f32, i64
  }} -> (tensor<?xf32>, tensor<?xi64>)""".replace("%i : i64 to index", "%i : index to i64").replace("    %u = arith.cmpf uno, %a, %a : f32\n", ""))
    elementwise(f"m{j}", [(f"%best{j}#1", "#first", "tensor<?xi64>"), ("%experts", "#second", "tensor<4xi64>")], "%e2i",
                "tensor<?x4xi64>", "    %e = arith.cmpi eq, %a0, %a1 : i64\n    %r = arith.extui %e : i1 to i64\n")


MATRIX = "tensor<?x4xi64>"


def located(j, location):
    """The mask of those below the limit, as numbers, and their places [T, C]."""
    elementwise(f"k{j}", [(f"%m{j}", "#m2", MATRIX), (location, "#m2", MATRIX)], "%e2i", MATRIX,
                "    %l = arith.cmpi slt, %a1, %i3 : i64\n    %e = arith.extui %l : i1 to i64\n    %r = arith.muli %a0, %e : i64\n")
    elementwise(f"lk{j}", [(location, "#m2", MATRIX), (f"%k{j}", "#m2", MATRIX)], "%e2i", MATRIX, "    %r = arith.muli %a0, %a1 : i64\n")
    print(f"""  %s{j} = linalg.generic {{indexing_maps = [#m2, #first], iterator_types = ["parallel", "reduction"]}}
      ins(%lk{j} : {MATRIX}) outs(%z1i : tensor<?xi64>) {{
  ^bb0(%a: i64, %b: i64):
    %r = arith.addi %b, %a : i64
    linalg.yield %r : i64
  }} -> tensor<?xi64>""")
    elementwise(f"p{j}", [(f"%s{j}", "#first", "tensor<?xi64>"), ("%places", "#second", "tensor<3xi64>")], "%epf", "tensor<?x3xf32>",
                "    %e = arith.cmpi eq, %a0, %a1 : i64\n    %r = arith.uitofp %e : i1 to f32\n")


def weighted(j, gates, map_, kind, mask):
    elementwise(f"g{j}", [(gates, map_, kind), (mask, "#m2", MATRIX)], "%e2f", "tensor<?x4xf32>",
                "    %f = arith.sitofp %a1 : i64 to f32\n    %r = arith.mulf %a0, %f : f32\n")
    elementwise(f"c{j}", [(f"%g{j}", "#te", "tensor<?x4xf32>"), (f"%p{j}", "#tc", "tensor<?x3xf32>")], "%z3f", "tensor<?x4x3xf32>",
                "    %f = arith.mulf %a0, %a1 : f32\n    %r = arith.addf %o, %f : f32\n", 3)


def counted(j, mask):
    back = "reverse " if variant == "back" else ""
    print(f"  %count{j} = weft.scan sum {back}dimension = 0 ins({mask} : {MATRIX}) outs(%e2i : {MATRIX}) -> {MATRIX}")
    elementwise(f"l{j}", [(f"%count{j}", "#m2", MATRIX)], "%e2i", MATRIX, "    %r = arith.subi %a0, %i1 : i64\n")


print("  %scores = linalg.softmax dimension(1) ins(%logits : tensor<?x4xf32>) outs(%e2f : tensor<?x4xf32>) -> tensor<?x4xf32>")
choice(1, "%scores")
if two or variant == "other":
    choice(2, "%more")
counted(1, "%m2" if variant == "other" else "%m1")
located(1, "%l1")
weighted(1, "%scores", "#m2", "tensor<?x4xf32>", "%m1" if variant == "shared" else "%k1")
combine = "%c1"
if two:
    counted(2, "%m2")
    print(f"""  %e4 = tensor.empty() : tensor<4xi64>
  %z4 = linalg.fill ins(%i0 : i64) outs(%e4 : tensor<4xi64>) -> tensor<4xi64>
  %n1 = linalg.generic {{indexing_maps = [#m2, #second], iterator_types = ["reduction", "parallel"]}}
      ins(%m1 : {MATRIX}) outs(%z4 : tensor<4xi64>) {{
  ^bb0(%a: i64, %b: i64):
    %r = arith.addi %b, %a : i64
    linalg.yield %r : i64
  }} -> tensor<4xi64>""")
    elementwise("after", [("%l2", "#m2", MATRIX), ("%n1", "#second", "tensor<4xi64>")], "%e2i", MATRIX, "    %r = arith.addi %a0, %a1 : i64\n")
    located(2, "%after")
    weighted(2, "%second", "#first", "tensor<?xf32>", "%k2")
    elementwise("sum", [("%c1", "#m3", "tensor<?x4x3xf32>"), ("%c2", "#m3", "tensor<?x4x3xf32>")], "%e3f", "tensor<?x4x3xf32>",
                "    %r = arith.addf %a0, %a1 : f32\n", 3)
    combine = "%sum"
if variant == "mask":
    elementwise("f", [("%k1", "#te", MATRIX), ("%p1", "#tc", "tensor<?x3xf32>")], "%e3f", "tensor<?x4x3xf32>",
                "    %f = arith.sitofp %a0 : i64 to f32\n    %r = arith.mulf %f, %a1 : f32\n", 3)
elif variant == "scaled":
    elementwise("f", [(combine, "#m3", "tensor<?x4x3xf32>")], "%e3f", "tensor<?x4x3xf32>", "    %r = arith.addf %a0, %zero : f32\n", 3)
else:
    elementwise("f", [(combine, "#m3", "tensor<?x4x3xf32>")], "%e3f", "tensor<?x4x3xf32>",
                "    %n = arith.cmpf une, %a0, %zero : f32\n    %r = arith.uitofp %n : i1 to f32\n", 3)
print(f"""  %de = tensor.empty() : tensor<4x3x8xf32>
  %dz = linalg.fill ins(%zero : f32) outs(%de : tensor<4x3x8xf32>) -> tensor<4x3x8xf32>
  %d = weft.contract indexing_maps = [#x_mask, #x_rows, #x_out] ins(%f, %x : tensor<?x4x3xf32>, tensor<?x8xf32>) outs(%dz : tensor<4x3x8xf32>) -> tensor<4x3x8xf32>
  %ue = tensor.empty() : tensor<4x3x6xf32>
  %uz = linalg.fill ins(%zero : f32) outs(%ue : tensor<4x3x6xf32>) -> tensor<4x3x6xf32>
  %u = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%d, %up : tensor<4x3x8xf32>, tensor<4x8x6xf32>) outs(%uz : tensor<4x3x6xf32>) -> tensor<4x3x6xf32>
  %h = linalg.generic {{indexing_maps = [#m3, #m3], iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%u : tensor<4x3x6xf32>) outs(%ue : tensor<4x3x6xf32>) {{
  ^bb0(%a: f32, %b: f32):
    %r = arith.maximumf %a, %zero : f32
    linalg.yield %r : f32
  }} -> tensor<4x3x6xf32>
  %o = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h, %down : tensor<4x3x6xf32>, tensor<4x6x8xf32>) outs(%dz : tensor<4x3x8xf32>) -> tensor<4x3x8xf32>
  %ye = tensor.empty(%t) : tensor<?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = weft.contract indexing_maps = [#y_mask, #y_rows, #y_out] ins({combine}, %o : tensor<?x4x3xf32>, tensor<4x3x8xf32>) outs(%yz : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}}""")
