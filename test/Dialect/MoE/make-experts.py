#===- make-experts.py - A layer of three experts, one after another --------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Writes the function that importers make of an exported layer, in one of these
variants:

  plain      three experts
  route      the same, chosen by the sigmoid of logits, with weights that are normalized
  missing    none has number 1
  differs    one has another activation
  leaks      the positions of one are returned, too
"""

import sys

variant = sys.argv[1]
numbers = [0, 2, 3] if variant == "missing" else [0, 1, 2]
print("""#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#ids = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#last = affine_map<(d0, d1, d2) -> (d2)>
#row = affine_map<(d0, d1) -> (d0, 0)>
#column = affine_map<(d0, d1) -> (d1)>
#sum = affine_map<(d0, d1) -> (d0)>
#none = affine_map<(d0, d1) -> ()>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#rhs_t = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>""")
arguments = ["%x: tensor<?x8xf32>", "%base: tensor<?x8xf32>", "%bias: tensor<16xf32>"]
if variant == "route":
    arguments.append("%logits: tensor<?x3xf32>")
else:
    arguments += ["%chosen: tensor<?x2xi64>", "%weights: tensor<?x2xf32>"]
for i in range(3):
    arguments += [f"%gate{i}: tensor<16x8xf32>", f"%up{i}: tensor<8x16xf32>", f"%down{i}: tensor<16x8xf32>"]
leaks = variant == "leaks"
print(f"func.func @layer({', '.join(arguments)}) -> (tensor<?x8xf32>{', tensor<?x1xi64>' if leaks else ''}) {{")
print("""  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %false = arith.constant false
  %max = arith.constant 9223372036854775807 : i64
  %start = arith.constant dense<9223372036854775807> : tensor<i64>
  %range = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %tokens = tensor.dim %x, %c0 : tensor<?x8xf32>
  %most = arith.muli %tokens, %c2 : index""")
if variant == "route":
    print("""  %se = tensor.empty(%tokens) : tensor<?x3xf32>
  %scores = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%logits : tensor<?x3xf32>) outs(%se : tensor<?x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.negf %a : f32
    %e = math.exp %n : f32
    %s = arith.addf %e, %one : f32
    %d = arith.divf %one, %s : f32
    linalg.yield %d : f32
  } -> tensor<?x3xf32>
  %ve = tensor.empty(%tokens) : tensor<?x2xf32>
  %ie = tensor.empty(%tokens) : tensor<?x2xi64>
  %values, %chosen = weft.sort descending dimension = 1 ins(%scores : tensor<?x3xf32>)
      outs(%ve, %ie : tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>, tensor<?x2xi64>
  %te = tensor.empty(%tokens) : tensor<?xf32>
  %tz = linalg.fill ins(%zero : f32) outs(%te : tensor<?xf32>) -> tensor<?xf32>
  %total = linalg.generic {indexing_maps = [#id, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%values : tensor<?x2xf32>) outs(%tz : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %column = tensor.expand_shape %total [[0, 1]] output_shape [%tokens, 1] : tensor<?xf32> into tensor<?x1xf32>
  %weights = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%values, %column : tensor<?x2xf32>, tensor<?x1xf32>) outs(%ve : tensor<?x2xf32>) {
  ^bb0(%a: f32, %t: f32, %b: f32):
    %d = arith.divf %a, %t : f32
    linalg.yield %d : f32
  } -> tensor<?x2xf32>""")
print("""  %wide = tensor.expand_shape %chosen [[0], [1, 2]] output_shape [%tokens, 2, 1] : tensor<?x2xi64> into tensor<?x2x1xi64>
  %me = tensor.empty(%tokens) : tensor<?x2x4xi64>
  %mask = linalg.generic {indexing_maps = [#ids, #last, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%wide, %range : tensor<?x2x1xi64>, tensor<4xi64>) outs(%me : tensor<?x2x4xi64>) {
  ^bb0(%a: i64, %r: i64, %b: i64):
    %e = arith.cmpi eq, %a, %r : i64
    %i = arith.extui %e : i1 to i64
    linalg.yield %i : i64
  } -> tensor<?x2x4xi64>
  %pe = tensor.empty(%tokens) : tensor<4x2x?xi64>
  %turned = linalg.transpose ins(%mask : tensor<?x2x4xi64>) outs(%pe : tensor<4x2x?xi64>) permutation = [2, 1, 0]
  %ne = tensor.empty(%most) : tensor<2x?xi64>
  %ce = tensor.empty() : tensor<i64>
  %w3 = tensor.expand_shape %weights [[0], [1, 2]] output_shape [%tokens, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>""")
before = "%base"
for i, number in enumerate(numbers):
    act = "arith.minimumf" if variant == "differs" and i == 1 else "arith.maximumf"
    print(f"""  %m{i} = tensor.extract_slice %turned[{number}, 0, 0] [1, 2, %tokens] [1, 1, 1] : tensor<4x2x?xi64> to tensor<1x2x?xi64>
  %k{i} = tensor.collapse_shape %m{i} [[0, 1], [2]] : tensor<1x2x?xi64> into tensor<2x?xi64>
  %found{i}, %count{i} = weft.nonzero ins(%k{i} : tensor<2x?xi64>) outs(%ne, %ce : tensor<2x?xi64>, tensor<i64>) -> tensor<2x?xi64>, tensor<i64>
  %number{i} = tensor.extract %count{i}[] : tensor<i64>
  %n{i} = arith.index_cast %number{i} : i64 to index
  %f{i} = tensor.extract_slice %found{i}[0, 0] [2, %n{i}] [1, 1] : tensor<2x?xi64> to tensor<2x?xi64>
  %fe{i} = tensor.empty(%n{i}) : tensor<?x2xi64>
  %ft{i} = linalg.transpose ins(%f{i} : tensor<2x?xi64>) outs(%fe{i} : tensor<?x2xi64>) permutation = [1, 0]
  %slot{i} = tensor.extract_slice %ft{i}[0, 0] [%n{i}, 1] [1, 1] : tensor<?x2xi64> to tensor<?x1xi64>
  %token{i} = tensor.extract_slice %ft{i}[0, 1] [%n{i}, 1] [1, 1] : tensor<?x2xi64> to tensor<?x1xi64>
  %bad{i} = linalg.generic {{indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]}}
      ins(%token{i} : tensor<?x1xi64>) outs(%start : tensor<i64>) {{
  ^bb0(%a: i64, %b: i64):
    %at = arith.index_cast %a : i64 to index
    %o = arith.cmpi sge, %at, %tokens : index
    %s = arith.select %o, %a, %max : i64
    %l = arith.minsi %b, %s : i64
    linalg.yield %l : i64
  }} -> tensor<i64>
  %first{i} = tensor.extract %bad{i}[] : tensor<i64>
  %any{i} = arith.cmpi ne, %first{i}, %max : i64
  scf.if %any{i} {{
    weft.assert %false, 11, "index {{0}} is out of range for an extent of {{1}}"(%n{i}, %tokens)
  }}
  %ge{i} = tensor.empty(%n{i}) : tensor<?x8xf32>
  %g{i} = weft.gather batch_dims = 0 ins(%x, %token{i} : tensor<?x8xf32>, tensor<?x1xi64>) outs(%ge{i} : tensor<?x8xf32>) -> tensor<?x8xf32>
  %he{i} = tensor.empty(%n{i}) : tensor<?x16xf32>
  %hz{i} = linalg.fill ins(%zero : f32) outs(%he{i} : tensor<?x16xf32>) -> tensor<?x16xf32>
  %a{i} = weft.contract indexing_maps = [#lhs, #rhs_t, #out] ins(%g{i}, %gate{i} : tensor<?x8xf32>, tensor<16x8xf32>) outs(%hz{i} : tensor<?x16xf32>) -> tensor<?x16xf32>
  %ab{i} = linalg.generic {{indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%a{i}, %bias : tensor<?x16xf32>, tensor<16xf32>) outs(%he{i} : tensor<?x16xf32>) {{
  ^bb0(%a: f32, %v: f32, %b: f32):
    %s = arith.addf %a, %v : f32
    linalg.yield %s : f32
  }} -> tensor<?x16xf32>
  %u{i} = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%g{i}, %up{i} : tensor<?x8xf32>, tensor<8x16xf32>) outs(%hz{i} : tensor<?x16xf32>) -> tensor<?x16xf32>
  %ub{i} = linalg.generic {{indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%u{i}, %bias : tensor<?x16xf32>, tensor<16xf32>) outs(%he{i} : tensor<?x16xf32>) {{
  ^bb0(%a: f32, %v: f32, %b: f32):
    %s = arith.addf %a, %v : f32
    linalg.yield %s : f32
  }} -> tensor<?x16xf32>
  %h{i} = linalg.generic {{indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%ab{i}, %ub{i} : tensor<?x16xf32>, tensor<?x16xf32>) outs(%he{i} : tensor<?x16xf32>) {{
  ^bb0(%a: f32, %v: f32, %b: f32):
    %r = {act} %a, %zero : f32
    %s = arith.mulf %r, %v : f32
    linalg.yield %s : f32
  }} -> tensor<?x16xf32>
  %yz{i} = linalg.fill ins(%zero : f32) outs(%ge{i} : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y{i} = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h{i}, %down{i} : tensor<?x16xf32>, tensor<16x8xf32>) outs(%yz{i} : tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0{i} = tensor.insert_slice %token{i} into %fe{i}[0, 0] [%n{i}, 1] [1, 1] : tensor<?x1xi64> into tensor<?x2xi64>
  %p1{i} = tensor.insert_slice %slot{i} into %p0{i}[0, 1] [%n{i}, 1] [1, 1] : tensor<?x1xi64> into tensor<?x2xi64>
  %we{i} = tensor.empty(%n{i}) : tensor<?x1xf32>
  %w{i} = weft.gather batch_dims = 0 ins(%w3, %p1{i} : tensor<?x2x1xf32>, tensor<?x2xi64>) outs(%we{i} : tensor<?x1xf32>) -> tensor<?x1xf32>
  %s{i} = linalg.generic {{indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%y{i}, %w{i} : tensor<?x8xf32>, tensor<?x1xf32>) outs(%ge{i} : tensor<?x8xf32>) {{
  ^bb0(%a: f32, %v: f32, %b: f32):
    %s = arith.mulf %a, %v : f32
    linalg.yield %s : f32
  }} -> tensor<?x8xf32>
  %r{i} = weft.scatter ins(%token{i}, %s{i} : tensor<?x1xi64>, tensor<?x8xf32>) outs({before} : tensor<?x8xf32>) {{
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    weft.yield %s : f32
  }} -> tensor<?x8xf32>""")
    before = f"%r{i}"
print(f"  return {before}{', %token0' if leaks else ''} : tensor<?x8xf32>{', tensor<?x1xi64>' if leaks else ''}\n}}")
