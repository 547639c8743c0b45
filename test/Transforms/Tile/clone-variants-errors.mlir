// RUN: weft-opt %s --weft-clone-variants --verify-diagnostics

// expected-error @+1 {{'weft.variants': expected an array of #weft.target}}
module attributes {weft.variants = ["x86-64-v3"]} {
}
