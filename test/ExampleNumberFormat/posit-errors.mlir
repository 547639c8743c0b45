// RUN: weft-opt --load-plugin=%posit %s --split-input-file --verify-diagnostics

// expected-error @+1 {{posits have 3 to 8 bits, got 9}}
func.func private @wide(tensor<4xf32>) attributes {a = #posit.element<9, 1>}

// -----

// expected-error @+1 {{posits have 3 to 8 bits, got 2}}
func.func private @narrow(tensor<4xf32>) attributes {a = #posit.element<2, 0>}

// -----

// expected-error @+1 {{posits have at most 2 exponent bits, got 3}}
func.func private @exponent(tensor<4xf32>) attributes {a = #posit.element<8, 3>}

// -----

// expected-error @+1 {{#posit.element<8, 2> is not exact in f16}}
func.func private @f16(!weft.packed<4xf16, #weft.format<elem = #posit.element<8, 2>>>)

// -----

// expected-error @+1 {{#posit.element<8, 1> is expressed in f16, bf16, f32 or f64, got 'i8'}}
func.func private @integers(!weft.packed<4xi8, #weft.format<elem = #posit.element<8, 1>>>)

// -----

func.func @overflow(%x: tensor<4xf32>) -> !weft.packed<4xf32, #weft.format<elem = #posit.element<8, 1>>> {
  // expected-error @+1 {{#posit.element<8, 1> is rounded to the nearest and saturates}}
  %0 = weft.pack %x overflow : tensor<4xf32> -> !weft.packed<4xf32, #weft.format<elem = #posit.element<8, 1>>>
  return %0 : !weft.packed<4xf32, #weft.format<elem = #posit.element<8, 1>>>
}
