// RUN: weft compile %s --quiet -o %t.so
// RUN: weft run %t.so --quiet --input=a=2x3xf32='1 2 3 4 5 6' --input=b=f32=2 --input=o=3xf32=1 --expect=y=3xf32='11 15 19'

// A factor without a dimension.
func.func @main(%a: tensor<2x?xf32> {weft.name = "a"}, %b: tensor<f32> {weft.name = "b"}, %o: tensor<?xf32> {weft.name = "o"})
    -> (tensor<?xf32> {weft.name = "y"}) {
  %y = weft.contract indexing_maps = [affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> ()>, affine_map<(n, k) -> (n)>]
    ins(%a, %b : tensor<2x?xf32>, tensor<f32>) outs(%o : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
