"""Writes a layer whose experts were chosen by a sort of keys.

  make-routes.py VARIANT

  grouped    sigmoids with a bias, in the groups of the largest sums of two
  largest    softmax, in the groups of the largest scores; the others have the key 0
  softmax    like `largest`, with a softmax of what was chosen, to which 0 is a number: stays
  zeros      like `grouped`, the others have the key 0
  clamped    like `grouped`, the sum is at least 1e-20
  positive   like `grouped`, the sum is at least 0, which it may be: the quotients stay
  narrow     bf16 scores, which tie where their f32 ones do not: stays
  least      the groups of the least sums: they stay
  inverted   the groups that were not found: they stay
  tests      the numbers are tested to be in range
  low        the numbers are tested to be in a smaller range
"""

import sys

variant = sys.argv[1]
largest, narrow = variant in ("largest", "softmax"), variant == "narrow"
grouped = largest or variant in ("grouped", "zeros", "clamped", "positive", "least", "inverted")
kind = "bf16" if narrow else "f32"
print(f"""#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#first = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#sum = affine_map<(d0, d1) -> (d0)>
#row = affine_map<(d0, d1) -> (d0, 0)>
#groups = affine_map<(d0, d1, d2) -> (d0, d1)>
#column = affine_map<(d0, d1) -> (d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @layer(%x: tensor<?x4xf32>, %logits: tensor<?x8x{kind}>, %bias: tensor<8x{kind}>, %up: tensor<8x4x6xf32>, %down: tensor<8x6x4xf32>) -> tensor<?x4xf32> {{
  %c0 = arith.constant 0 : index
  %c7 = arith.constant 7 : index
  %c8 = arith.constant {4 if variant == "low" else 8} : index
  %false = arith.constant false
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %fill = arith.constant {"0.0" if largest or variant == "zeros" else "0xFF800000"} : f32
  %one = arith.constant 1.0 : {kind}
  %max = arith.constant 9223372036854775807 : i64
  %start = arith.constant dense<9223372036854775807> : tensor<i64>
  %t = tensor.dim %x, %c0 : tensor<?x4xf32>
  %se = tensor.empty(%t) : tensor<?x8x{kind}>
  %ve = tensor.empty(%t) : tensor<?x2xf32>
  %vk = tensor.empty(%t) : tensor<?x2x{kind}>
  %ie = tensor.empty(%t) : tensor<?x2xi64>
  %te = tensor.empty(%t) : tensor<?xf32>
  %tz = linalg.fill ins(%zero : f32) outs(%te : tensor<?xf32>) -> tensor<?xf32>""")
if largest:
    print("  %scores = linalg.softmax dimension(1) ins(%logits : tensor<?x8xf32>) outs(%se : tensor<?x8xf32>) -> tensor<?x8xf32>")
else:
    print(f"""  %scores = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%logits : tensor<?x8x{kind}>) outs(%se : tensor<?x8x{kind}>) {{
  ^bb0(%a: {kind}, %b: {kind}):
    %n = arith.negf %a : {kind}
    %e = math.exp %n : {kind}
    %s = arith.addf %e, %one : {kind}
    %d = arith.divf %one, %s : {kind}
    linalg.yield %d : {kind}
  }} -> tensor<?x8x{kind}>""")
keys = "%scores"
if grouped and not largest:
    keys = "%biased"
    print("""  %biased = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
      ins(%scores, %bias : tensor<?x8xf32>, tensor<8xf32>) outs(%se : tensor<?x8xf32>) {
  ^bb0(%a: f32, %c: f32, %b: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>""")
if grouped:
    op, init, source = ("arith.maximumf", "%lowest", "%split") if largest else ("arith.addf", "%zero", "%best")
    print(f"""  %split = tensor.expand_shape {keys} [[0], [1, 2]] output_shape [%t, 4, 2] : tensor<?x8xf32> into tensor<?x4x2xf32>
  %be = tensor.empty(%t) : tensor<?x4x2xf32>
  %bi = tensor.empty(%t) : tensor<?x4x2xi64>
  %best, %which = weft.sort descending dimension = 2 ins(%split : tensor<?x4x2xf32>) outs(%be, %bi : tensor<?x4x2xf32>, tensor<?x4x2xi64>) -> tensor<?x4x2xf32>, tensor<?x4x2xi64>
  %ge = tensor.empty(%t) : tensor<?x4xf32>
  %gs = linalg.fill ins({init} : f32) outs(%ge : tensor<?x4xf32>) -> tensor<?x4xf32>
  %counts = linalg.generic {{indexing_maps = [#id3, #groups], iterator_types = ["parallel", "parallel", "reduction"]}}
      ins({source} : tensor<?x4x2xf32>) outs(%gs : tensor<?x4xf32>) {{
  ^bb0(%a: f32, %b: f32):
    %s = {op} %b, %a : f32
    linalg.yield %s : f32
  }} -> tensor<?x4xf32>
  %gv, %gi = weft.sort {"" if variant == "least" else "descending "}dimension = 1 ins(%counts : tensor<?x4xf32>) outs(%ve, %ie : tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>, tensor<?x2xi64>
  %ones = linalg.fill ins(%one : f32) outs(%ve : tensor<?x2xf32>) -> tensor<?x2xf32>
  %none = linalg.fill ins(%zero : f32) outs(%ge : tensor<?x4xf32>) -> tensor<?x4xf32>
  %g1 = tensor.expand_shape %gi [[0], [1, 2]] output_shape [%t, 2, 1] : tensor<?x2xi64> into tensor<?x2x1xi64>
  %ae = tensor.empty(%t) : tensor<?x2x2xi64>
  %at = linalg.generic {{indexing_maps = [#first, #id3], iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%g1 : tensor<?x2x1xi64>) outs(%ae : tensor<?x2x2xi64>) {{
  ^bb0(%a: i64, %b: i64):
    %j = linalg.index 2 : index
    %i = linalg.index 0 : index
    %g = arith.index_cast %a : i64 to index
    %e = arith.cmpi eq, %j, %c0 : index
    %s = arith.select %e, %i, %g : index
    %r = arith.index_cast %s : index to i64
    linalg.yield %r : i64
  }} -> tensor<?x2x2xi64>
  %mask = weft.scatter ins(%at, %ones : tensor<?x2x2xi64>, tensor<?x2xf32>) outs(%none : tensor<?x4xf32>) {{
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  }} -> tensor<?x4xf32>
  %m1 = tensor.expand_shape %mask [[0], [1, 2]] output_shape [%t, 4, 1] : tensor<?x4xf32> into tensor<?x4x1xf32>
  %m2 = linalg.generic {{indexing_maps = [#first, #id3], iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%m1 : tensor<?x4x1xf32>) outs(%be : tensor<?x4x2xf32>) {{
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }} -> tensor<?x4x2xf32>
  %m3 = tensor.collapse_shape %m2 [[0], [1, 2]] : tensor<?x4x2xf32> into tensor<?x8xf32>
  %masked = linalg.generic {{indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%m3, {keys} : tensor<?x8xf32>, tensor<?x8xf32>) outs(%se : tensor<?x8xf32>) {{
  ^bb0(%a: f32, %k: f32, %b: f32):
    %e = arith.cmpf {"oeq" if variant == "inverted" else "une"}, %a, %zero : f32
    %s = arith.select %e, %k, %fill : f32
    linalg.yield %s : f32
  }} -> tensor<?x8xf32>""")
    keys = "%masked"
print(f"""  %values, %ids = weft.sort descending dimension = 1 ins({keys} : tensor<?x8x{kind}>) outs(%vk, %ie : tensor<?x2x{kind}>, tensor<?x2xi64>) -> tensor<?x2x{kind}>, tensor<?x2xi64>""")
if variant in ("tests", "low"):
    print("""  %bad = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]}
      ins(%ids : tensor<?x2xi64>) outs(%start : tensor<i64>) {
  ^bb0(%a: i64, %b: i64):
    %l = arith.cmpi slt, %a, %none : i64
    %h = arith.cmpi sge, %a, %most : i64
    %o = arith.ori %l, %h : i1
    %s = arith.select %o, %a, %max : i64
    %m = arith.minsi %b, %s : i64
    linalg.yield %m : i64
  } -> tensor<i64>
  %lowest_bad = tensor.extract %bad[] : tensor<i64>
  %any = arith.cmpi ne, %lowest_bad, %max : i64
  scf.if %any {
    weft.assert %false, 11, "index {0} is out of range for an extent of {1}"(%c0, %c8)
  }""".replace("%none : i64", "%least : i64").replace("  %bad =", f"  %least = arith.constant -8 : i64\n  %most = arith.constant {4 if variant == 'low' else 8} : i64\n  %bad =", 1))
weights = "%values"
if grouped and not largest:
    weights = "%quotients"
    text = """  %chosen = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?x2xi64>) outs(%ve : tensor<?x2xf32>) {
  ^bb0(%a: i64, %b: f32):
    %i = linalg.index 0 : index
    %e = arith.index_cast %a : i64 to index
    %negative = arith.cmpi slt, %e, %c0 : index
    %wrapped = arith.addi %e, %c8 : index
    %n = arith.select %negative, %wrapped, %e : index
    %h = arith.minsi %n, %c7 : index
    %l = arith.maxsi %h, %c0 : index
    %r = tensor.extract %scores[%i, %l] : tensor<?x8xf32>
    linalg.yield %r : f32
  } -> tensor<?x2xf32>
  %total = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%chosen : tensor<?x2xf32>) outs(%tz : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %t1 = tensor.expand_shape %total [[0, 1]] output_shape [%t, 1] : tensor<?xf32> into tensor<?x1xf32>
  %oe = tensor.empty(%t) : tensor<?x1xf32>
  %small = arith.constant 1.0e-20 : f32
  %t2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t1 : tensor<?x1xf32>) outs(%oe : tensor<?x1xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %small : f32
    linalg.yield %s : f32
  } -> tensor<?x1xf32>
  %quotients = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%chosen, %t2 : tensor<?x2xf32>, tensor<?x1xf32>) outs(%ve : tensor<?x2xf32>) {
  ^bb0(%a: f32, %c: f32, %b: f32):
    %s = arith.divf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x2xf32>"""
    if variant in ("clamped", "positive"):
        text = text.replace("arith.addf %a, %small", "arith.maximumf %a, %small")
    print(text.replace("1.0e-20", "0.0") if variant == "positive" else text)
if variant == "softmax":
    weights = "%weighed"
    print("  %weighed = linalg.softmax dimension(1) ins(%values : tensor<?x2xf32>) outs(%ve : tensor<?x2xf32>) -> tensor<?x2xf32>")
print(f"""  %ne = tensor.empty(%t) : tensor<?x2xi32>
  %numbers = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%ids : tensor<?x2xi64>) outs(%ne : tensor<?x2xi32>) {{
  ^bb0(%a: i64, %b: i32):
    %s = arith.trunci %a : i64 to i32
    linalg.yield %s : i32
  }} -> tensor<?x2xi32>
  %ye = tensor.empty(%t) : tensor<?x4xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = moe.expert_ffn ins(%x, %numbers, {weights} : tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2x{kind}>)
      up(%up : tensor<8x4x6xf32>) down(%down : tensor<8x6x4xf32>) outs(%yz : tensor<?x4xf32>) activation {{
  ^bb0(%s: f32):
    moe.yield %s : f32
  }} -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}}""")
