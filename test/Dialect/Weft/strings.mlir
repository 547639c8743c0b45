// RUN: weft-opt %s --split-input-file --verify-diagnostics | weft-opt --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @strings
func.func @strings(%a: i64, %i: index) -> (i1, i64) {
  // CHECK: weft.string_literal ["monday", "\22"] at
  %s = weft.string_literal ["monday", "\22"] at %i
  // CHECK: weft.string_case lower
  %l = weft.string_case lower %a
  // CHECK: weft.string_equal
  %e = weft.string_equal %l, %s
  // CHECK: weft.string_concat
  %c = weft.string_concat %l, %s
  return %e, %c : i1, i64
}

// -----

func.func @none(%i: index) -> i64 {
  // expected-error @+1 {{'weft.string_literal' op expects at least one string}}
  %s = weft.string_literal [] at %i
  return %s : i64
}

// -----

func.func @outside() -> i64 {
  %i = arith.constant 2 : index
  // expected-error @+1 {{'weft.string_literal' op takes string 2 of 2}}
  %s = weft.string_literal ["a", "b"] at %i
  return %s : i64
}
