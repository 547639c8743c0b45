#===- make-weighted-experts.py - A sum of three weighted experts -----------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Writes the function that importers make of experts that all see all tokens, in one of
these variants:

  plain     three experts, added to %base
  missing   none has number 1
  repeated  two have number 1
  soft      one is weighted by a column of its own
  two       there are two more addends
"""

import sys

variant = sys.argv[1]
numbers = {"missing": [0, 2, 3], "repeated": [0, 1, 1]}.get(variant, [0, 1, 2])
print("""#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, 0)>
#sum = affine_map<(d0, d1) -> (d0)>
#none = affine_map<(d0, d1) -> ()>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>""")
arguments = ["%x: tensor<?x8xf32>", "%base: tensor<?x8xf32>", "%chosen: tensor<?x2xi64>", "%weights: tensor<?x2xf32>",
             "%column: tensor<?x1xf32>"]
for i in range(3):
    arguments += [f"%up{i}: tensor<8x16xf32>", f"%down{i}: tensor<16x8xf32>"]
print(f"""func.func @layer({', '.join(arguments)}) -> tensor<?x8xf32> {{
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %tokens = tensor.dim %x, %c0 : tensor<?x8xf32>
  %he = tensor.empty(%tokens) : tensor<?x16xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<?x16xf32>) -> tensor<?x16xf32>
  %ye = tensor.empty(%tokens) : tensor<?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %me = tensor.empty(%tokens) : tensor<?x2xi8>
  %we = tensor.empty(%tokens) : tensor<?x2xf32>
  %se = tensor.empty(%tokens) : tensor<?xf32>
  %sz = linalg.fill ins(%zero : f32) outs(%se : tensor<?xf32>) -> tensor<?xf32>""")


def elementwise(name, body, inputs, maps, result, init):
    kinds = ", ".join(kind for _, kind in inputs)
    values = ", ".join(value for value, _ in inputs)
    arguments = ", ".join(f"%a{i}: {kind.split('x')[-1].strip('>').replace('tensor<', '')}" for i, (_, kind) in enumerate(inputs))
    element = result.split("x")[-1].strip(">")
    print(f"""  {name} = linalg.generic {{indexing_maps = [{', '.join(maps + ['#id'])}], iterator_types = ["parallel", "parallel"]}}
      ins({values} : {kinds}) outs({init} : {result}) {{
  ^bb0({arguments}, %o: {element}):
    {body}
    linalg.yield %r : {element}
  }} -> {result}""")


M8, M16, M2, B2, I2 = "tensor<?x8xf32>", "tensor<?x16xf32>", "tensor<?x2xf32>", "tensor<?x2xi8>", "tensor<?x2xi64>"
total = "%base"
for i, number in enumerate(numbers):
    print(f"  %n{i} = arith.constant dense<{number}> : tensor<i64>")
    print(f"  %u{i} = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%x, %up{i} : {M8}, tensor<8x16xf32>) outs(%hz : {M16}) -> {M16}")
    elementwise(f"%h{i}", "%r = math.tanh %a0 : f32", [(f"%u{i}", M16)], ["#id"], M16, "%he")
    print(f"  %d{i} = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h{i}, %down{i} : {M16}, tensor<16x8xf32>) outs(%yz : {M8}) -> {M8}")
    elementwise(f"%m{i}", "%e = arith.cmpi eq, %a0, %a1 : i64\n    %r = arith.extui %e : i1 to i8",
                [("%chosen", I2), (f"%n{i}", "tensor<i64>")], ["#id", "#none"], B2, "%me")
    elementwise(f"%f{i}", "%r = arith.uitofp %a0 : i8 to f32", [(f"%m{i}", B2)], ["#id"], M2, "%we")
    elementwise(f"%p{i}", "%r = arith.mulf %a0, %a1 : f32", [("%weights", M2), (f"%f{i}", M2)], ["#id", "#id"], M2, "%we")
    print(f"""  %s{i} = linalg.generic {{indexing_maps = [#id, #sum], iterator_types = ["parallel", "reduction"]}}
      ins(%p{i} : {M2}) outs(%sz : tensor<?xf32>) {{
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %o, %a : f32
    linalg.yield %r : f32
  }} -> tensor<?xf32>
  %col{i} = tensor.expand_shape %s{i} [[0, 1]] output_shape [%tokens, 1] : tensor<?xf32> into tensor<?x1xf32>""")
    weight = "%column" if variant == "soft" and i == 1 else f"%col{i}"
    elementwise(f"%z{i}", "%r = arith.mulf %a0, %a1 : f32", [(f"%d{i}", M8), (weight, "tensor<?x1xf32>")], ["#id", "#row"], M8, "%ye")
    elementwise(f"%t{i}", "%r = arith.addf %a0, %a1 : f32", [(total, M8), (f"%z{i}", M8)], ["#id", "#id"], M8, "%ye")
    total = f"%t{i}"
if variant == "two":
    elementwise("%last", "%r = arith.addf %a0, %a1 : f32", [(total, M8), ("%x", M8)], ["#id", "#id"], M8, "%ye")
    total = "%last"
print(f"  return {total} : {M8}\n}}")
