"""VideoLLM-MoD: Efficient Video-Language Streaming with Mixture-of-Depths Vision Computation

Theme: moe

Claim: A learned router keeps 20 % of the vision tokens of each layer, the others pass straight to
the next layer; text tokens all compute. 42 % of the time and 30 % of the memory of training are
saved.

Shown: Vision tokens are the candidates of one "expert" that chooses its tokens (`moe.route
expert_choice`, a capacity known at run time); `moe.depth` gives its region those rows and the text
only, in their order.
"""

import numpy as np

H = 11

MODULE = """
#x = affine_map<(t, o, i) -> (t, i)>
#w = affine_map<(t, o, i) -> (i, o)>
#y = affine_map<(t, o, i) -> (t, o)>

func.func @main(%V: index {weft.symbol = "V"}, %T: index {weft.symbol = "T"},
    %vision: tensor<?x11xf32> {weft.name = "vision", weft.dims = ["V", 11]},
    %text: tensor<?x11xf32> {weft.name = "text", weft.dims = ["T", 11]},
    %router: tensor<11xf32>, %layer: tensor<11x11xf32>)
    -> (tensor<?x11xf32>, tensor<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %five = arith.constant 5 : index
  %ev = tensor.empty(%V) : tensor<?xf32>
  %zv = linalg.fill ins(%zero : f32) outs(%ev : tensor<?xf32>) -> tensor<?xf32>
  %scores = linalg.matvec ins(%vision, %router : tensor<?x11xf32>, tensor<11xf32>)
      outs(%zv : tensor<?xf32>) -> tensor<?xf32>
  %logits = tensor.expand_shape %scores [[0, 1]] output_shape [%V, 1] : tensor<?xf32>
      into tensor<?x1xf32>
  %keep = arith.ceildivui %V, %five : index
  %i = tensor.empty(%V) : tensor<?x1xi32>
  %g = tensor.empty(%V) : tensor<?x1xf32>
  %ids, %gates = moe.route sigmoid expert_choice ins(%logits : tensor<?x1xf32>) capacity(%keep)
                   outs(%i, %g : tensor<?x1xi32>, tensor<?x1xf32>)
                       -> tensor<?x1xi32>, tensor<?x1xf32>

  // Vision comes first, then text.
  %n = arith.addi %V, %T : index
  %em = tensor.empty(%n) : tensor<?xi8>
  %mask = linalg.generic {indexing_maps = [affine_map<(t) -> (t)>], iterator_types = ["parallel"]}
      outs(%em : tensor<?xi8>) {
  ^bb0(%o: i8):
    %t = linalg.index 0 : index
    %is_text = arith.cmpi uge, %t, %V : index
    %last = arith.constant 1 : index
    %most = arith.subi %V, %last : index
    %inside = arith.minsi %t, %most : index
    %at = arith.maxsi %inside, %c0 : index
    %any = arith.cmpi ne, %V, %c0 : index
    %chosen = scf.if %any -> i1 {
      %id = tensor.extract %ids[%at, %c0] : tensor<?x1xi32>
      %none = arith.constant 0 : i32
      %is = arith.cmpi sge, %id, %none : i32
      scf.yield %is : i1
    } else {
      %no = arith.constant false
      scf.yield %no : i1
    }
    %is = arith.ori %is_text, %chosen : i1
    %m = arith.extui %is : i1 to i8
    linalg.yield %m : i8
  } -> tensor<?xi8>
  %x = tensor.concat dim(0) %vision, %text : (tensor<?x11xf32>, tensor<?x11xf32>)
      -> tensor<?x11xf32>

  // Of the layer's two halves only the one that acts on tokens by themselves is here.
  %y = moe.depth mask(%mask : tensor<?xi8>) ins(%x : tensor<?x11xf32>) outs(%x : tensor<?x11xf32>) {
  ^bb0(%rows: tensor<?x11xf32>):
    %k = tensor.dim %rows, %c0 : tensor<?x11xf32>
    %e = tensor.empty(%k) : tensor<?x11xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x11xf32>) -> tensor<?x11xf32>
    %h = weft.contract indexing_maps = [#x, #w, #y]
        ins(%rows, %layer : tensor<?x11xf32>, tensor<11x11xf32>)
           outs(%z : tensor<?x11xf32>) -> tensor<?x11xf32>
    %t = linalg.tanh ins(%h : tensor<?x11xf32>) outs(%e : tensor<?x11xf32>) -> tensor<?x11xf32>
    %r = linalg.add ins(%rows, %t : tensor<?x11xf32>, tensor<?x11xf32>)
        outs(%e : tensor<?x11xf32>) -> tensor<?x11xf32>
    moe.yield %r : tensor<?x11xf32>
  } -> tensor<?x11xf32>
  return %y, %mask : tensor<?x11xf32>, tensor<?xi8>
}
"""

# Sums of 11 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(H), "layer": f(H, H)}
    return [{"vision": f(v, H), "text": f(t, H), **weights} for v, t in ((31, 6), (6, 0), (2, 3), (0, 0))]


def reference(inputs, ablated):
    vision, text = inputs["vision"].astype(np.float64), inputs["text"].astype(np.float64)
    score = vision @ inputs["router"].astype(np.float64)
    kept = np.zeros(len(vision), bool)
    kept[np.argsort(-score, kind="stable")[:len(vision) if ablated else -(-len(vision) // 5)]] = True
    mask = np.concatenate([kept, np.ones(len(text), bool)])
    x = np.concatenate([vision, text])
    y = np.where(mask[:, None], x + np.tanh(x @ inputs["layer"].astype(np.float64)), x)
    return [y, mask.astype(np.int8)]
