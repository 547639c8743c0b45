# A chain of elementwise operations, of as many as the argument says.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

print("#map = affine_map<(d0) -> (d0)>")
print("func.func @chain(%v0: tensor<4xf32>) -> tensor<4xf32> {")
print("  %e = tensor.empty() : tensor<4xf32>")
count = int(sys.argv[1])
for i in range(count):
    print(f"""  %v{i + 1} = linalg.generic {{indexing_maps = [#map, #map], iterator_types = ["parallel"]}}
    ins(%v{i} : tensor<4xf32>) outs(%e : tensor<4xf32>) {{
  ^bb0(%a: f32, %b: f32):
    %r = math.absf %a : f32
    linalg.yield %r : f32
  }} -> tensor<4xf32>""")
print(f"  return %v{count} : tensor<4xf32>")
print("}")
