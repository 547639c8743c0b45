// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has layout "bhsd,bhtd->bhse", expected letters as in "bhsd,bhtd,bhte->bhse"}}
  %y = attn.attend layout = "bhsd,bhtd->bhse" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has layout "bhsd,bhtd,bhte->bhsx", expected b, h, s, d in queries and b, h, s, e in the result}}
  %y = attn.attend layout = "bhsd,bhtd,bhte->bhsx" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has layout "bhsd,bhsd,bhte->bhse", expected b, h, t, d in keys and e for d in values}}
  %y = attn.attend layout = "bhsd,bhsd,bhte->bhse" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x3x5xf32>) {
  // expected-error @+1 {{has layout "bsd,bhtd,bhte->bse", in which queries lack the letter h or the result differs}}
  %y = attn.attend layout = "bsd,bhtd,bhte->bse" ins(%q, %k, %v : tensor<2x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xi32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has operands of element type 'i32', expected f16, bf16 or f32, or f64 as queries are}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xi32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf64>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has operands of element type 'f64', expected f16, bf16 or f32, or f64 as queries are}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf64>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: !weft.packed<2x2x?x8xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{whose extents have to be static}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, !weft.packed<2x2x?x8xf32, #weft.format<elem = #lowp.float<f8E4M3FN>>>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has an operand 'tensor<2x7x8xf32>' for the letters "bhtd"}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x9xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has extents 8 and 9 of d}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x9xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x6x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has extents 7 and 6 of t}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x6x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has 4 heads of queries for 3 of keys}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x3x7x8xf32>, tensor<2x3x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has a scale that is not finite}}
  %y = attn.attend scale = 0x7FF0000000000000 ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has a softcap that is not positive}}
  %y = attn.attend softcap = -1.0 ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has a window that is not two extents, each at least -1}}
  %y = attn.attend window = [1, -2] ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has -1 global keys}}
  %y = attn.attend globals = -1 ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<2x2xi8>) {
  // expected-error @+1 {{expects a block mask together with two positive block sizes}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) block_mask [0, 2](%m : tensor<2x2xi8>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<7xi8>) {
  // expected-error @+1 {{has a bias of element type 'i8', expected a float that scores can take}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) bias(%m : tensor<7xi8>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<7xf32>) {
  // expected-error @+1 {{has a mask of element type 'f32', expected i8}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) mask(%m : tensor<7xf32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<1x1x1x1x7xf32>) {
  // expected-error @+1 {{has a bias of rank 5}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) bias(%m : tensor<1x1x1x1x7xf32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<3x6xi8>) {
  // expected-error @+1 {{has a mask of extent 6, expected 1 or 7}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) mask(%m : tensor<3x6xi8>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<4xi32>) {
  // expected-error @+1 {{has slopes 'tensor<4xi32>', expected a vector of floats}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) slopes(%m : tensor<4xi32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<2xf32>) {
  // expected-error @+1 {{has key lengths 'tensor<2xf32>', expected a vector of integers}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) key_lengths(%m : tensor<2xf32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<3xf32>) {
  // expected-error @+1 {{has sinks of extent 3, expected 4}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) sinks(%m : tensor<3xf32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<2xi32>, %l: tensor<2xi32>) {
  // expected-error @+1 {{has a page table 'tensor<2xi32>', expected a matrix of integers}}
  %y = attn.attend layout = "bhsd,phtd,phte->bhse" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) key_lengths(%l : tensor<2xi32>) pages(%m : tensor<2xi32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<2x2xi32>) {
  // expected-error @+1 {{expects key lengths and no key offsets with pages}}
  %y = attn.attend layout = "bhsd,phtd,phte->bhse" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) pages(%m : tensor<2x2xi32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %m: tensor<3xi32>) {
  // expected-error @+1 {{has query offsets and queries with the letter b}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) query_offsets(%m : tensor<3xi32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<4x3x5xf32>, %m: tensor<3xi32>) {
  // expected-error @+1 {{expects query offsets with key offsets, and no letter b in keys}}
  %y = attn.attend layout = "hsd,bhtd,bhte->hse" ins(%q, %k, %v : tensor<4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) query_offsets(%m : tensor<3xi32>) key_offsets(%m : tensor<3xi32>) outs(%o : tensor<4x3x5xf32>) -> tensor<4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<4x3x5xf32>) {
  // expected-error @+1 {{has a letter b in keys that queries lack}}
  %y = attn.attend layout = "hsd,bhtd,bhte->hse" ins(%q, %k, %v : tensor<4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<4x3x5xf32>) -> tensor<4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has keys and values of different letters}}
  %y = attn.attend layout = "bhsd,bhtd,bte->bhse" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>, %l: tensor<2x4x3xf16>) {
  // expected-error @+1 {{has logarithms 'tensor<2x4x3xf16>', expected 'tensor<2x4x3xf32>'}}
  %y:2 = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o, %l : tensor<2x4x3x5xf32>, tensor<2x4x3xf16>) -> tensor<2x4x3x5xf32>, tensor<2x4x3xf16>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{expects a score region of one block with a 'f32' and four indices}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) score {
  ^bb0(%s: f32):
    attn.yield %s : f32
  } -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{expects a score region that yields a 'f32'}}
  %y = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<2x4x3x5xf32>) score {
  ^bb0(%s: f32, %a: index, %b: index, %c: index, %d: index):
    %t = arith.truncf %s : f32 to f16
    attn.yield %t : f16
  } -> tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has 3 results, expected one or two}}
  %y:3 = attn.attend  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o, %o, %o : tensor<2x4x3x5xf32>, tensor<2x4x3x5xf32>, tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>, tensor<2x4x3x5xf32>, tensor<2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<3x2x4x3x5xf32>) {
  // expected-error @+1 {{has 1 results, expected two}}
  %y = attn.partial  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o : tensor<3x2x4x3x5xf32>) -> tensor<3x2x4x3x5xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<3x2x4x3x5xf32>, %l: tensor<3x2x4x3xf32>, %m: tensor<4xf32>) {
  // expected-error @+1 {{has sinks, which belong to a merge}}
  %y:2 = attn.partial  ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>) sinks(%m : tensor<4xf32>) outs(%o, %l : tensor<3x2x4x3x5xf32>, tensor<3x2x4x3xf32>) -> tensor<3x2x4x3x5xf32>, tensor<3x2x4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %o: tensor<3x2x4x5x3xf32>, %l: tensor<3x2x4x3xf32>) {
  // expected-error @+1 {{has layout "bhsd,bhtd,bhte->bhes", expected e as the last letter of pieces}}
  %y:2 = attn.partial layout = "bhsd,bhtd,bhte->bhes" ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)  outs(%o, %l : tensor<3x2x4x5x3xf32>, tensor<3x2x4x3xf32>) -> tensor<3x2x4x5x3xf32>, tensor<3x2x4x3xf32>
  return
}

// -----

func.func @f(%p: tensor<3x5xf32>, %l: tensor<3xf32>, %o: tensor<5xf32>) {
  // expected-error @+1 {{has 3 results, expected one or two}}
  %y:3 = attn.merge ins(%p, %l : tensor<3x5xf32>, tensor<3xf32>) outs(%o, %o, %o : tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>, tensor<5xf32>, tensor<5xf32>
  return
}

// -----

func.func @f(%p: tensor<3x4x5xf16>, %l: tensor<3x4xf32>, %o: tensor<4x5xf32>) {
  // expected-error @+1 {{has parts of element type 'f16', expected f32 or f64}}
  %y = attn.merge ins(%p, %l : tensor<3x4x5xf16>, tensor<3x4xf32>) outs(%o : tensor<4x5xf32>) -> tensor<4x5xf32>
  return
}

// -----

func.func @f(%p: tensor<3x4x5xf32>, %l: tensor<3x4xf32>, %o: tensor<4x5xi32>) {
  // expected-error @+1 {{has a result of element type 'i32'}}
  %y = attn.merge ins(%p, %l : tensor<3x4x5xf32>, tensor<3x4xf32>) outs(%o : tensor<4x5xi32>) -> tensor<4x5xi32>
  return
}

// -----

func.func @f(%p: tensor<3xf32>, %l: tensor<f32>, %o: tensor<f32>) {
  // expected-error @+1 {{without the dimensions of pieces and values}}
  %y = attn.merge ins(%p, %l : tensor<3xf32>, tensor<f32>) outs(%o : tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @f(%p: tensor<3x4x5xf32>, %l: tensor<3x5xf32>, %o: tensor<4x5xf32>) {
  // expected-error @+1 {{has logarithms 'tensor<3x5xf32>', expected 'tensor<3x4xf32>'}}
  %y = attn.merge ins(%p, %l : tensor<3x4x5xf32>, tensor<3x5xf32>) outs(%o : tensor<4x5xf32>) -> tensor<4x5xf32>
  return
}

// -----

func.func @f(%p: tensor<3x4x5xf32>, %l: tensor<3x4xf32>, %o: tensor<4x6xf32>) {
  // expected-error @+1 {{has a result 'tensor<4x6xf32>' of parts 'tensor<3x4x5xf32>'}}
  %y = attn.merge ins(%p, %l : tensor<3x4x5xf32>, tensor<3x4xf32>) outs(%o : tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @f(%p: tensor<3x4x5xf32>, %l: tensor<3x4xf32>, %o: tensor<4x5xf32>, %s: tensor<5xf32>) {
  // expected-error @+1 {{has a second result 'tensor<5xf32>', expected 'tensor<4xf32>'}}
  %y:2 = attn.merge ins(%p, %l : tensor<3x4x5xf32>, tensor<3x4xf32>) outs(%o, %s : tensor<4x5xf32>, tensor<5xf32>) -> tensor<4x5xf32>, tensor<5xf32>
  return
}

// -----

func.func @f(%q: tensor<5x4xf32>) {
  // expected-error @+1 {{has 1 results, expected an attention, a state and a norm}}
  %y = attn.linear ins(%q, %q, %q : tensor<5x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>) outs(%q : tensor<5x4xf32>) -> tensor<5x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<5x4xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{has operands whose ranks do not fit, of queries 'tensor<2x5x4xf32>'}}
  %y:3 = attn.linear  ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<5x4xf32>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<2x5x4xi8>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{has operands of element type 'i8', expected f16, bf16 or f32, or f64 as queries are}}
  %y:3 = attn.linear  ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x4xi8>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf16>) {
  // expected-error @+1 {{has a state or norm 'tensor<2x4xf16>', expected elements of type 'f32'}}
  %y:3 = attn.linear  ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf16>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf16>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<3x5x4xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{has extents 2 and 3 of the leading dimension 0}}
  %y:3 = attn.linear  ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<3x5x4xf32>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<2x5x6xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{has extents 4 and 6 where they are the same}}
  %y:3 = attn.linear  ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x6xf32>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<2x6x4xf32>, %v: tensor<2x6x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{is causal with 5 queries and 6 keys}}
  %y:3 = attn.linear causal ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x6x4xf32>, tensor<2x6x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{has an epsilon below 0}}
  %y:3 = attn.linear normalize epsilon = -1.0 ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%q: tensor<2x5x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>) {
  // expected-error @+1 {{has an epsilon and does not normalize}}
  %y:3 = attn.linear epsilon = 1.0 ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>) outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%r: tensor<2x4x1x8xf32>) {
  // expected-error @+1 {{has 2 caches, expected one}}
  %y:2 = attn.kv_append ins(%r : tensor<2x4x1x8xf32>) outs(%r, %r : tensor<2x4x1x8xf32>, tensor<2x4x1x8xf32>) -> tensor<2x4x1x8xf32>, tensor<2x4x1x8xf32>
  return
}

// -----

func.func @f(%r: tensor<2x4x1x8xf32>, %c: tensor<2x4x9x8xf32>) {
  // expected-error @+1 {{has layout "bhsd->bhtd", expected letters as in "bhtd->bhtd"}}
  %y = attn.kv_append layout = "bhsd->bhtd" ins(%r : tensor<2x4x1x8xf32>)  outs(%c : tensor<2x4x9x8xf32>) -> tensor<2x4x9x8xf32>
  return
}

// -----

func.func @f(%r: tensor<2x4x8xf32>, %c: tensor<2x4x9x8xf32>) {
  // expected-error @+1 {{has rows 'tensor<2x4x8xf32>' and a cache 'tensor<2x4x9x8xf32>', which are not of the layout's ranks}}
  %y = attn.kv_append  ins(%r : tensor<2x4x8xf32>)  outs(%c : tensor<2x4x9x8xf32>) -> tensor<2x4x9x8xf32>
  return
}

// -----

func.func @f(%r: tensor<2x4x1x8xf16>, %c: tensor<2x4x9x8xf32>) {
  // expected-error @+1 {{has rows 'tensor<2x4x1x8xf16>' for a cache 'tensor<2x4x9x8xf32>'}}
  %y = attn.kv_append  ins(%r : tensor<2x4x1x8xf16>)  outs(%c : tensor<2x4x9x8xf32>) -> tensor<2x4x9x8xf32>
  return
}

// -----

func.func @f(%r: tensor<2x3x1x8xf32>, %c: tensor<2x4x9x8xf32>) {
  // expected-error @+1 {{has extents 3 and 4 of h}}
  %y = attn.kv_append  ins(%r : tensor<2x3x1x8xf32>)  outs(%c : tensor<2x4x9x8xf32>) -> tensor<2x4x9x8xf32>
  return
}

// -----

func.func @f(%r: tensor<2x4x1x8xf32>, %c: tensor<2x4x9x8xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{has an operand 'tensor<2xf32>', expected integers of rank 1}}
  %y = attn.kv_append  ins(%r : tensor<2x4x1x8xf32>) starts(%s : tensor<2xf32>) outs(%c : tensor<2x4x9x8xf32>) -> tensor<2x4x9x8xf32>
  return
}

// -----

func.func @f(%s: tensor<2x9xf32>, %c: tensor<2x4x9x8xf32>, %i: tensor<2x4x3xi32>, %o: tensor<2x4x3x8xf32>) {
  // expected-error @+1 {{has scores 'tensor<2x9xf32>', expected floats [b, h, t]}}
  %y:2 = attn.kv_evict  ins(%s : tensor<2x9xf32>) caches(%c : tensor<2x4x9x8xf32>)  outs(%i, %o : tensor<2x4x3xi32>, tensor<2x4x3x8xf32>) -> tensor<2x4x3xi32>, tensor<2x4x3x8xf32>
  return
}

// -----

func.func @f(%s: tensor<2x4x9xf32>, %c: tensor<2x4x9x8xf32>, %i: tensor<2x4x3xi32>, %o: tensor<2x4x3x8xf32>) {
  // expected-error @+1 {{has -1 sinks and 0 recent entries}}
  %y:2 = attn.kv_evict sinks = -1 ins(%s : tensor<2x4x9xf32>) caches(%c : tensor<2x4x9x8xf32>)  outs(%i, %o : tensor<2x4x3xi32>, tensor<2x4x3x8xf32>) -> tensor<2x4x3xi32>, tensor<2x4x3x8xf32>
  return
}

// -----

func.func @f(%s: tensor<2x4x9xf32>, %i: tensor<2x4x3xi32>) {
  // expected-error @+1 {{has 0 caches and 2 results, expected positions and one for each cache}}
  %y:2 = attn.kv_evict ins(%s : tensor<2x4x9xf32>) outs(%i, %i : tensor<2x4x3xi32>, tensor<2x4x3xi32>) -> tensor<2x4x3xi32>, tensor<2x4x3xi32>
  return
}

// -----

func.func @f(%s: tensor<2x4x9xf32>, %c: tensor<2x4x9x8xf32>, %i: tensor<2x4x3xi64>, %o: tensor<2x4x3x8xf32>) {
  // expected-error @+1 {{has positions 'tensor<2x4x3xi64>' of scores 'tensor<2x4x9xf32>', expected i32 [b, h, m]}}
  %y:2 = attn.kv_evict  ins(%s : tensor<2x4x9xf32>) caches(%c : tensor<2x4x9x8xf32>)  outs(%i, %o : tensor<2x4x3xi64>, tensor<2x4x3x8xf32>) -> tensor<2x4x3xi64>, tensor<2x4x3x8xf32>
  return
}

// -----

func.func @f(%s: tensor<2x4x9xf32>, %c: tensor<2x4x8x8xf32>, %i: tensor<2x4x3xi32>, %o: tensor<2x4x3x8xf32>) {
  // expected-error @+1 {{that do not fit the scores and positions}}
  %y:2 = attn.kv_evict  ins(%s : tensor<2x4x9xf32>) caches(%c : tensor<2x4x8x8xf32>)  outs(%i, %o : tensor<2x4x3xi32>, tensor<2x4x3x8xf32>) -> tensor<2x4x3xi32>, tensor<2x4x3x8xf32>
  return
}

// -----

func.func @f(%s: tensor<2x4x9xf32>, %c: tensor<2x4x9x8xf32>, %i: tensor<2x4x3xi32>, %o: tensor<2x4x3x8xf32>, %l: tensor<2x2xi32>) {
  // expected-error @+1 {{has lengths 'tensor<2x2xi32>', expected a vector of integers}}
  %y:2 = attn.kv_evict  ins(%s : tensor<2x4x9xf32>) caches(%c : tensor<2x4x9x8xf32>) lengths(%l : tensor<2x2xi32>) outs(%i, %o : tensor<2x4x3xi32>, tensor<2x4x3x8xf32>) -> tensor<2x4x3xi32>, tensor<2x4x3x8xf32>
  return
}

// -----

!keys = !weft.packed<2x2x?x8xf32, #weft.format<elem = #lowp.int<4, signed>>>
func.func @f(%q: tensor<2x4x3x8xf32>, %k: !keys, %v: tensor<2x2x?x5xf32>, %o: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{has packed keys or values '!weft.packed<2x2x?x8xf32, #weft.format<elem = #lowp.int<4, signed>>>', whose extents have to be static}}
  %y = attn.attend ins(%q, %k, %v : tensor<2x4x3x8xf32>, !keys, tensor<2x2x?x5xf32>) outs(%o : tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return
}
