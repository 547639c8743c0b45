// Constants, composites and assertions.

// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @constant() -> tensor<5xf32> {
  // expected-error @+1 {{has a weight of type 'tensor<4xf32>' but the result is 'tensor<5xf32>'}}
  %w = "weft.constant"() <{value = #weft.weight<"w", "", tensor<4xf32>>}> : () -> tensor<5xf32>
  return %w : tensor<5xf32>
}

// -----

func.func @inputs(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has a body whose arguments differ from its inputs}}
  %y = "weft.composite"(%x) <{name = "Same", config = {}}> ({
  ^bb0(%a: tensor<5xf32>, %b: tensor<4xf32>):
    "weft.yield"(%b) : (tensor<4xf32>) -> ()
  }) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @results(%x: tensor<4xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{has a body that yields other types than its results}}
  %y = "weft.composite"(%x) <{name = "Same", config = {}}> ({
  ^bb0(%a: tensor<4xf32>):
    "weft.yield"(%a) : (tensor<4xf32>) -> ()
  }) : (tensor<4xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

func.func @values(%c: i1, %n: index) {
  // expected-error @+1 {{takes at most two values, got 3}}
  "weft.assert"(%c, %n, %n, %n) <{code = 1 : i32, message = "no"}> : (i1, index, index, index) -> ()
  return
}

// -----

func.func @code(%c: i1) {
  // expected-error @+1 {{expects a status code in [1, 15], got 16}}
  "weft.assert"(%c) <{code = 16 : i32, message = "no"}> : (i1) -> ()
  return
}
