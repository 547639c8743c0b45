// REQUIRES: weft
// RUN: weft run %s --quiet --threads=2 --input='x=4xf32=1 2 3 4' --input='flags=2xi8=1 0' \
// RUN:   --expect='output0=4xf32=13.5 23.5 33.5 43.5' --expect='output1=4xf64=-6 -8 -10 -12'

// A parallel loop uses numbers that its kernel loaded, or computed by a loop,
// before: they reach the workers beside the kernel's sizes.

weft.kernel @mixed(%k: index, %x: tensor<4xf32>, %flags: tensor<2xi8>, %out: tensor<4xf32>) outs 1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  // Of 32, of 8 and of 1 bit, an index, and one that a loop gives: 1+2+3+4.
  %loaded = tensor.extract %x[%c2] : tensor<4xf32>
  %flag = tensor.extract %flags[%c0] : tensor<2xi8>
  %zero = arith.constant 0 : i8
  %bit = arith.cmpi ne, %flag, %zero : i8
  %at = arith.index_castui %flag : i8 to index
  %f0 = arith.constant 0.0 : f32
  %sum = scf.for %i = %c0 to %k step %c1 iter_args(%s = %f0) -> f32 {
    %e = tensor.extract %x[%i] : tensor<4xf32>
    %n = arith.addf %s, %e : f32
    scf.yield %n : f32
  }
  %half = arith.constant 0.5 : f32
  %y = scf.forall (%i) in (%k) shared_outs(%o = %out) -> (tensor<4xf32>) {
    %e = tensor.extract %x[%i] : tensor<4xf32>
    %second = tensor.extract %flags[%at] : tensor<2xi8>
    %none = arith.cmpi eq, %second, %zero : i8
    %good = arith.andi %bit, %none : i1
    %scaled = arith.mulf %e, %sum : f32
    %shifted = arith.addf %scaled, %loaded : f32
    %more = arith.addf %shifted, %half : f32
    %chosen = arith.select %good, %more, %f0 : f32
    %t = tensor.from_elements %chosen : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  weft.yield %y : tensor<4xf32>
}

// Two parallel loops: the second one's captures come after the first has run.
weft.kernel @twice(%x: tensor<4xf32>, %out: tensor<4xf64>) outs 1 {
  %c0 = arith.constant 0 : index
  %first = scf.forall (%i) in (4) shared_outs(%o = %out) -> (tensor<4xf64>) {
    %e = tensor.extract %x[%i] : tensor<4xf32>
    %w = arith.extf %e : f32 to f64
    %m = arith.constant -2.0 : f64
    %p = arith.mulf %w, %m : f64
    %t = tensor.from_elements %p : tensor<1xf64>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %o[%i] [1] [1] : tensor<1xf64> into tensor<4xf64>
    }
  }
  %start = tensor.extract %first[%c0] : tensor<4xf64>
  %twice = arith.addf %start, %start : f64
  %second = scf.forall (%i) in (4) shared_outs(%o = %first) -> (tensor<4xf64>) {
    %s = tensor.extract_slice %o[%i] [1] [1] : tensor<4xf64> to tensor<1xf64>
    %e = tensor.extract %s[%c0] : tensor<1xf64>
    %p = arith.addf %e, %twice : f64
    %t = tensor.from_elements %p : tensor<1xf64>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %o[%i] [1] [1] : tensor<1xf64> into tensor<4xf64>
    }
  }
  weft.yield %second : tensor<4xf64>
}

func.func @main(%x: tensor<4xf32> {weft.name = "x"}, %flags: tensor<2xi8> {weft.name = "flags"}) -> (tensor<4xf32>, tensor<4xf64>) {
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<4xf32>
  %y = weft.dispatch @mixed[%c4] ins(%x, %flags : tensor<4xf32>, tensor<2xi8>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %f = tensor.empty() : tensor<4xf64>
  %z = weft.dispatch @twice ins(%x : tensor<4xf32>) outs(%f : tensor<4xf64>) -> tensor<4xf64>
  return %y, %z : tensor<4xf32>, tensor<4xf64>
}
