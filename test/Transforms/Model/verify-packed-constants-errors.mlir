// RUN: weft-opt %s --split-input-file --weft-verify-packed-constants --verify-diagnostics

func.func @first_offset() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[1, 2, 3]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 1, 2]> : tensor<3xi16>
  // expected-error @below {{'weft.assemble' op #sparse.csr<i16> has offsets from 1 on, not from 0}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @descending() -> tensor<3x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 2, 1, 3]> : tensor<4xi32>
  %2 = arith.constant dense<[0, 1, 2]> : tensor<3xi16>
  // expected-error @below {{#sparse.csr<i16> has offset 1 after 2, but they never descend}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<4xi32>, tensor<3xi16>
    -> !weft.packed<3x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<3x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<3x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// -----

func.func @end() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 2]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 1, 2]> : tensor<3xi16>
  // expected-error @below {{#sparse.csr<i16> has offsets up to 2 for 3 stored numbers}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @column() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 1, 5]> : tensor<3xi16>
  // expected-error @below {{#sparse.csr<i16> has column 5 of 5}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @negative_column() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 1, -1]> : tensor<3xi16>
  // expected-error @below {{#sparse.csr<i16> has column 65535 of 5}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @order() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 2, 1]> : tensor<3xi16>
  // expected-error @below {{#sparse.csr<i16> has column 1 after 2, but they ascend}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @delta() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 2, 0]> : tensor<3xi8>
  // expected-error @below {{#sparse.csr<i8, delta> has column 2 after 2, but they ascend}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi8>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i8, delta>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i8, delta>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @row() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 1, 1, 2, 3]> : tensor<6xi32>
  %2 = arith.constant dense<[0, 2, 1]> : tensor<3xi16>
  // expected-error @below {{#sparse.csc<i16> has row 2 of 2}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<6xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csc<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csc<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @lengths() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 2]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 1]> : tensor<2xi16>
  // expected-error @below {{'weft.assemble' op has component 'columns' of type 'tensor<2xi16>', where others give the extent 3}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<2xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @coo_row() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 2]> : tensor<3xi8>
  %2 = arith.constant dense<[0, 1, 2]> : tensor<3xi8>
  // expected-error @below {{#sparse.coo<i8> has row 2 of 2}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi8>, tensor<3xi8>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @coo_column() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 1]> : tensor<3xi8>
  %2 = arith.constant dense<[0, 1, 9]> : tensor<3xi8>
  // expected-error @below {{#sparse.coo<i8> has column 9 of 5}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi8>, tensor<3xi8>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @coo_order() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 0]> : tensor<3xi8>
  %2 = arith.constant dense<[0, 1, 4]> : tensor<3xi8>
  // expected-error @below {{#sparse.coo<i8> has row 0, column 4 out of order}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi8>, tensor<3xi8>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.coo<i8>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @bits() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[[3], [33]]> : tensor<2x1xi64>
  %2 = arith.constant dense<[[0], [2]]> : tensor<2x1xi32>
  // expected-error @below {{#sparse.bitmap has bits behind column 4 in word 1}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<2x1xi64>, tensor<2x1xi32>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.bitmap>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.bitmap>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @bitmap_offset() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[[3], [1]]> : tensor<2x1xi64>
  %2 = arith.constant dense<[[0], [1]]> : tensor<2x1xi32>
  // expected-error @below {{#sparse.bitmap has offset 1 of word 1, where 2 numbers are before}}
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<2x1xi64>, tensor<2x1xi32>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.bitmap>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.bitmap>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @nm_range() -> tensor<1x3xf32> {
  %0 = arith.constant dense<1> : tensor<1x2xi8>
  %1 = arith.constant dense<12> : tensor<1xi8>
  // expected-error @below {{#sparse.nm<2, 3> has index 3 in a group of 3}}
  %p = weft.assemble %0, %1 : tensor<1x2xi8>, tensor<1xi8>
    -> !weft.packed<1x3xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.nm<2, 3>>>
  %e = tensor.empty() : tensor<1x3xf32>
  %y = weft.unpack ins(%p : !weft.packed<1x3xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.nm<2, 3>>>) outs(%e : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// -----

func.func @nm_repeated() -> tensor<1x8xf32> {
  %0 = arith.constant dense<1> : tensor<1x4xi8>
  %1 = arith.constant dense<84> : tensor<1xi8>
  // expected-error @below {{#sparse.nm<2, 4> has index 1 after 1, but they ascend in a group}}
  %p = weft.assemble %0, %1 : tensor<1x4xi8>, tensor<1xi8>
    -> !weft.packed<1x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.nm<2, 4>>>
  %e = tensor.empty() : tensor<1x8xf32>
  %y = weft.unpack ins(%p : !weft.packed<1x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.nm<2, 4>>>) outs(%e : tensor<1x8xf32>) -> tensor<1x8xf32>
  return %y : tensor<1x8xf32>
}

// -----

func.func @vnm_column() -> tensor<2x8xf32> {
  %0 = arith.constant dense<1> : tensor<2x2xi8>
  %1 = arith.constant dense<[-120, 4]> : tensor<2xi8>
  %2 = arith.constant dense<68> : tensor<1xi8>
  // expected-error @below {{#sparse.vnm<2, 2, 8> has column 2 after 2, but they ascend in a group}}
  %p = weft.assemble %0, %1, %2 : tensor<2x2xi8>, tensor<2xi8>, tensor<1xi8>
    -> !weft.packed<2x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.vnm<2, 2, 8>>>
  %e = tensor.empty() : tensor<2x8xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.vnm<2, 2, 8>>>) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}

// -----

func.func @vnm_index() -> tensor<2x8xf32> {
  %0 = arith.constant dense<1> : tensor<2x2xi8>
  %1 = arith.constant dense<[-120, 6]> : tensor<2xi8>
  %2 = arith.constant dense<20> : tensor<1xi8>
  // expected-error @below {{#sparse.vnm<2, 2, 8> has index 0 after 1, but they ascend in a group}}
  %p = weft.assemble %0, %1, %2 : tensor<2x2xi8>, tensor<2xi8>, tensor<1xi8>
    -> !weft.packed<2x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.vnm<2, 2, 8>>>
  %e = tensor.empty() : tensor<2x8xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.vnm<2, 2, 8>>>) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}

// -----

func.func @ell_range() -> tensor<1x5xf32> {
  %0 = arith.constant dense<1> : tensor<1x2xi8>
  %1 = arith.constant dense<[[0, 5]]> : tensor<1x2xi8>
  // expected-error @below {{#sparse.ell<2, i8> has column 5 of 5}}
  %p = weft.assemble %0, %1 : tensor<1x2xi8>, tensor<1x2xi8>
    -> !weft.packed<1x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.ell<2, i8>>>
  %e = tensor.empty() : tensor<1x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<1x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.ell<2, i8>>>) outs(%e : tensor<1x5xf32>) -> tensor<1x5xf32>
  return %y : tensor<1x5xf32>
}

// -----

func.func @ell_order() -> tensor<1x5xf32> {
  %0 = arith.constant dense<1> : tensor<1x2xi8>
  %1 = arith.constant dense<[[-1, 0]]> : tensor<1x2xi8>
  // expected-error @below {{#sparse.ell<2, i8> has column 0 after 255, but they ascend}}
  %p = weft.assemble %0, %1 : tensor<1x2xi8>, tensor<1x2xi8>
    -> !weft.packed<1x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.ell<2, i8>>>
  %e = tensor.empty() : tensor<1x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<1x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.ell<2, i8>>>) outs(%e : tensor<1x5xf32>) -> tensor<1x5xf32>
  return %y : tensor<1x5xf32>
}

// -----

func.func @channels() -> tensor<4x5xf32> {
  %0 = arith.constant dense<1> : tensor<2x5xi8>
  %1 = arith.constant dense<[1, 1]> : tensor<2xi8>
  // expected-error @below {{#sparse.channels<axis = 0, i8> has channel 1 after 1, but they ascend}}
  %p = weft.assemble %0, %1 : tensor<2x5xi8>, tensor<2xi8>
    -> !weft.packed<4x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.channels<axis = 0, i8>>>
  %e = tensor.empty() : tensor<4x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<4x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.channels<axis = 0, i8>>>) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

func.func @block() -> tensor<4x8xf32> {
  %0 = arith.constant dense<1> : tensor<1x4x4xi8>
  %1 = arith.constant dense<[0, 1]> : tensor<2xi32>
  %2 = arith.constant dense<2> : tensor<1xi8>
  // expected-error @below {{#sparse.csr<i8> has column 2 of 2}}
  %p = weft.assemble %0, %1, %2 : tensor<1x4x4xi8>, tensor<2xi32>, tensor<1xi8>
    -> !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.block<4, 4, #sparse.csr<i8>>>>
  %e = tensor.empty() : tensor<4x8xf32>
  %y = weft.unpack ins(%p : !weft.packed<4x8xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.block<4, 4, #sparse.csr<i8>>>>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @term() -> tensor<2x5xf32> {
  %0 = arith.constant dense<1.0> : tensor<2x5xf32>
  %1 = arith.constant dense<1> : tensor<1xi8>
  %2 = arith.constant dense<[0, 0, 1]> : tensor<3xi32>
  %3 = arith.constant dense<9> : tensor<1xi8>
  // expected-error @below {{#sparse.csr<i8> has column 9 of 5}}
  %p = weft.assemble %0, %1, %2, %3 : tensor<2x5xf32>, tensor<1xi8>, tensor<3xi32>, tensor<1xi8>
    -> !weft.packed<2x5xf32, #weft.sum<[#weft.dense, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i8>>]>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.sum<[#weft.dense, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i8>>]>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @right() -> tensor<2x5xf32> {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi8>
  %1 = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
  %2 = arith.constant dense<[0, 1, 4]> : tensor<3xi16>
  %p = weft.assemble %0, %1, %2 : tensor<3xi8>, tensor<3xi32>, tensor<3xi16>
    -> !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !weft.packed<2x5xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i16>>>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}
