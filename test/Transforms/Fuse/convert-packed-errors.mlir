// RUN: weft-opt %s --weft-convert-packed --verify-diagnostics

func.func @unknown(%p: !weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>>>) {
  // expected-error @below {{failed to legalize operation 'weft.composite'}}
  weft.composite "onnx.Anything" {} ins(%p : !weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>>>) {
  ^bb0(%q: !weft.packed<4xi8, #weft.format<elem = #lowp.int<4, signed>>>):
    weft.yield
  }
  return
}
