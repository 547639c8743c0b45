// RUN: weft-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{has 1 arguments but claims 2 outs}}
weft.kernel @outs(%x: tensor<4xf32>) outs 2 {
  weft.yield
}

// -----

// expected-error @+1 {{argument 0 must be index, tensor or memref, got 'f32'}}
weft.kernel @scalar(%x: f32, %y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{argument 1 is an index after a tensor}}
weft.kernel @order(%x: tensor<4xf32>, %n: index, %y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{yields 2 values for 1 outs}}
weft.kernel @count(%y: tensor<4xf32>) outs 1 {
  weft.yield %y, %y : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error @+1 {{yields 'tensor<5xf32>' for an out of type 'tensor<4xf32>'}}
weft.kernel @type(%x: tensor<5xf32>, %y: tensor<4xf32>) outs 1 {
  weft.yield %x : tensor<5xf32>
}

// -----

func.func @unknown(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{refers to an unknown kernel @missing}}
  %y = weft.dispatch @missing outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

weft.kernel @k(%n: index, %y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}
func.func @operands(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{has 1 operands, kernel @k takes 2}}
  %y = weft.dispatch @k outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

weft.kernel @k(%x: tensor<4xf32>, %y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}
func.func @operand_type(%x: tensor<5xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{operand 0 is 'tensor<5xf32>', kernel @k takes 'tensor<4xf32>'}}
  %z = weft.dispatch @k ins(%x : tensor<5xf32>) outs(%y : tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

// On tensors an operand may be there twice: bufferization keeps them apart.
weft.kernel @k(%x: tensor<4xf32>, %y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}
func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %z = weft.dispatch @k ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

weft.kernel @k(%x: memref<4xf32>, %y: memref<4xf32>) outs 1 {
  weft.yield
}
func.func @aliased(%x: memref<4xf32>) {
  // expected-error @+1 {{writes a buffer that it also has as another operand}}
  weft.dispatch @k ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
  return
}

// -----

// Nothing is written into an empty buffer.
weft.kernel @k(%n: index, %x: memref<?x0xf32>, %y: memref<?x0xf32>) outs 1 {
  weft.yield
}
func.func @empty(%n: index, %x: memref<?x0xf32>) {
  weft.dispatch @k[%n] ins(%x : memref<?x0xf32>) outs(%x : memref<?x0xf32>)
  return
}

// -----

weft.kernel @k(%x: memref<4xf32>, %y: memref<4xf32>) outs 2 {
  weft.yield
}
func.func @same_outs(%x: memref<4xf32>) {
  // expected-error @+1 {{writes a buffer that it also has as another operand}}
  weft.dispatch @k outs(%x, %x : memref<4xf32>, memref<4xf32>)
  return
}

// -----

weft.kernel @k(%x: tensor<4xf32>, %y: memref<4xf32>) outs 1 {
  weft.yield
}
func.func @kinds(%x: tensor<4xf32>, %y: memref<4xf32>) {
  // expected-error @+1 {{has both tensors and memrefs}}
  weft.dispatch @k ins(%x : tensor<4xf32>) outs(%y : memref<4xf32>)
  return
}

// -----

// expected-error @+1 {{has an index among its outs}}
weft.kernel @index_out(%n: index) outs 1 {
  weft.yield %n : index
}

// -----

// expected-error @+1 {{must end in weft.yield}}
"weft.kernel"() <{sym_name = "end", function_type = (tensor<4xf32>) -> (), outs = 1 : i64}> ({
^bb0(%y: tensor<4xf32>):
  "llvm.unreachable"() : () -> ()
}) : () -> ()

// -----

weft.kernel @k(%y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}
func.func @results(%x: tensor<4xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{has results that differ from its outs}}
  %y = weft.dispatch @k outs(%x : tensor<4xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

weft.kernel @k(%y: memref<4xf32>) outs 1 {
  weft.yield
}
func.func @memory(%x: memref<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{on memrefs has no results}}
  %y = weft.dispatch @k outs(%x : memref<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

weft.kernel @k(%x: tensor<4xf32>, %y: tensor<4xf32>) outs 1 {
  weft.yield %y : tensor<4xf32>
}
func.func @outs(%x: tensor<4xf32>, %y: tensor<4xf32>) {
  // expected-error @+1 {{has 2 outs, kernel @k has 1}}
  %z:2 = weft.dispatch @k outs(%x, %y : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{has a body without terminator}}
"weft.kernel"() <{sym_name = "k", function_type = (tensor<4xf32>) -> (), outs = 1 : i64}> ({
^bb0(%x: tensor<4xf32>):
  %c = arith.constant 1 : index
}) : () -> ()
