// RUN: weft-opt %s --split-input-file --pass-pipeline='builtin.module(weft.kernel(weft-vectorize-elementwise))' | FileCheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>
#swapped = affine_map<(d0, d1) -> (d1, d0)>
module attributes {weft.target = #weft.target<"cpu", cpu = "x86-64-v4", features = "", vector_bits = 512, opt_level = 3>} {
// What rows share is computed once a row, as a scalar; a short body is repeated,
// without masks, and what is left has them.
// CHECK-LABEL: weft.kernel @scale_rows
// CHECK: scf.for
// CHECK: %[[X:.*]] = tensor.extract %{{.*}} : tensor<?xf32>
// CHECK: %[[ROOT:.*]] = math.sqrt %[[X]] : f32
// CHECK: scf.for
// CHECK-NOT: create_mask
// CHECK-COUNT-4: vector.transfer_write {{.*}} {in_bounds = [true]} : vector<16xf32>
// CHECK: scf.yield
// CHECK: scf.for
// CHECK: %[[MASK:.*]] = vector.create_mask
// CHECK: vector.transfer_read %{{.*}}, %{{.*}}, %[[MASK]] {in_bounds = [true]} : tensor<?x?xf32>, vector<16xf32>
// CHECK: %[[BROADCAST:.*]] = vector.broadcast %[[ROOT]]
// CHECK: arith.mulf %{{.*}}, %[[BROADCAST]] : vector<16xf32>
// CHECK: vector.transfer_write %{{.*}}, %[[MASK]] {in_bounds = [true]} : vector<16xf32>
// CHECK-NOT: linalg.generic
weft.kernel @scale_rows(%x: tensor<?x?xf32>, %s: tensor<?xf32>, %out: tensor<?x?xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #rows, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : tensor<?x?xf32>, tensor<?xf32>) outs(%out : tensor<?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %1 = math.sqrt %b : f32
    %2 = arith.mulf %a, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<?x?xf32>
  weft.yield %0 : tensor<?x?xf32>
}

// Numbers are as wide in lanes as the body needs, and as narrow in memory as they
// are; a long body is not repeated, and rows of 20 end with four lanes.
// CHECK-LABEL: weft.kernel @bytes
// CHECK: vector.transfer_read {{.*}} : tensor<3x20xi8>, vector<16xi8>
// CHECK: arith.uitofp {{.*}} : vector<16xi8> to vector<16xf32>
// CHECK: math.exp {{.*}} : vector<16xf32>
// CHECK: vector.transfer_write {{.*}} : vector<16xf32>, tensor<3x20xf32>
// CHECK-NEXT: scf.yield
weft.kernel @bytes(%x: tensor<3x20xi8>, %out: tensor<3x20xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<3x20xi8>) outs(%out : tensor<3x20xf32>) {
  ^bb0(%a: i8, %c: f32):
    %1 = arith.uitofp %a : i8 to f32
    %2 = math.exp %1 : f32
    linalg.yield %2 : f32
  } -> tensor<3x20xf32>
  weft.yield %0 : tensor<3x20xf32>
}

// Positions are vectors, too; rows of an index are read where they lie.
// CHECK-LABEL: weft.kernel @embed
// CHECK: %[[ROW:.*]] = arith.index_cast %{{.*}} : i64 to index
// CHECK: vector.transfer_read %{{.*}}[%[[ROW]], %{{.*}}], %{{.*}} : tensor<100x64xf32>, vector<16xf32>
// CHECK: vector.step : vector<16xindex>
// CHECK-NOT: linalg.generic
weft.kernel @embed(%t: tensor<100x64xf32>, %i: tensor<?xi64>, %out: tensor<?x64xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#rows, #all], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<?xi64>) outs(%out : tensor<?x64xf32>) {
  ^bb0(%a: i64, %c: f32):
    %row = arith.index_cast %a : i64 to index
    %column = linalg.index 1 : index
    %1 = tensor.extract %t[%row, %column] : tensor<100x64xf32>
    %2 = arith.index_cast %column : index to i32
    %3 = arith.sitofp %2 : i32 to f32
    %4 = arith.addf %1, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<?x64xf32>
  weft.yield %0 : tensor<?x64xf32>
}

// A sum of columns: vectors of them, each in the order of the rows.
// CHECK-LABEL: weft.kernel @columns
// CHECK: scf.for
// CHECK-COUNT-4: vector.transfer_read %{{.*}} : tensor<?xf32>, vector<16xf32>
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-4: arith.addf {{.*}} : vector<16xf32>
// CHECK-COUNT-4: vector.transfer_write
weft.kernel @columns(%x: tensor<?x?xf32>, %out: tensor<?xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [#all, #columns], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<?x?xf32>) outs(%out : tensor<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.addf %a, %b : f32
    linalg.yield %1 : f32
  } -> tensor<?xf32>
  weft.yield %0 : tensor<?xf32>
}

// What a parallel loop does not own is not written in place: the elements, none
// of which is read, would be copied first.
// CHECK-LABEL: weft.kernel @in_parallel
// CHECK: scf.forall
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<32xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[EMPTY]])
weft.kernel @in_parallel(%x: tensor<64xf32>, %out: tensor<64xf32>) outs 1 {
  %0 = scf.forall (%i) = (0) to (64) step (32) shared_outs(%o = %out) -> (tensor<64xf32>) {
    %a = tensor.extract_slice %x[%i] [32] [1] : tensor<64xf32> to tensor<32xf32>
    %b = tensor.extract_slice %out[%i] [32] [1] : tensor<64xf32> to tensor<32xf32>
    %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
        ins(%a : tensor<32xf32>) outs(%b : tensor<32xf32>) {
    ^bb0(%in: f32, %c: f32):
      %2 = arith.negf %in : f32
      linalg.yield %2 : f32
    } -> tensor<32xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %1 into %o[%i] [32] [1] : tensor<32xf32> into tensor<64xf32>
    }
  }
  weft.yield %0 : tensor<64xf32>
}

// Positions in a tile, moved by an offset, are read as neighbours, too.
// CHECK-LABEL: weft.kernel @offset
// CHECK: vector.transfer_read %{{.*}} : tensor<100xf32>, vector<16xf32>
// CHECK-NOT: linalg.generic
weft.kernel @offset(%o: index, %t: tensor<100xf32>, %out: tensor<32xf32>) outs 1 {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%out : tensor<32xf32>) {
  ^bb0(%c: f32):
    %i = linalg.index 0 : index
    %at = affine.apply affine_map<(d0)[s0] -> (d0 + s0)>(%i)[%o]
    %1 = tensor.extract %t[%at] : tensor<100xf32>
    linalg.yield %1 : f32
  } -> tensor<32xf32>
  weft.yield %0 : tensor<32xf32>
}

// Four bits each: 64 bits hold eight lanes wherever the first begins in its byte.
// CHECK-LABEL: weft.kernel @nibbles
// CHECK: vector.transfer_read %{{.*}} : tensor<?xi8>, vector<8xi8>
// CHECK: vector.bitcast %{{.*}} : vector<8xi8> to vector<1xi64>
// CHECK: arith.shrui {{.*}} : vector<8xi64>
// CHECK: arith.trunci {{.*}} : vector<8xi64> to vector<8xi8>
// CHECK: vector.insert_strided_slice {{.*}} : vector<8xi8> into vector<16xi8>
// CHECK: arith.shrui {{.*}} : vector<16xi32>
// CHECK-NOT: linalg.generic
weft.kernel @nibbles(%codes: tensor<?xi8>, %out: tensor<5x33xf32>) outs 1 {
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %c33 = arith.constant 33 : index
  %low = arith.constant 15 : i32
  %0 = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]}
      outs(%out : tensor<5x33xf32>) {
  ^bb0(%c: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %row = arith.muli %i, %c33 : index
    %element = arith.addi %row, %j : index
    %bit = arith.muli %element, %c4 : index
    %at = arith.divui %bit, %c8 : index
    %byte = tensor.extract %codes[%at] : tensor<?xi8>
    %word = arith.extui %byte : i8 to i32
    %shift = arith.remui %bit, %c8 : index
    %shift32 = arith.index_cast %shift : index to i32
    %shifted = arith.shrui %word, %shift32 : i32
    %code = arith.andi %shifted, %low : i32
    %1 = arith.uitofp %code : i32 to f32
    linalg.yield %1 : f32
  } -> tensor<5x33xf32>
  weft.yield %0 : tensor<5x33xf32>
}

// Transposed reads, rows of three elements, divisions of integers that a masked
// lane could not do, and computed positions are left.
// CHECK-LABEL: weft.kernel @left
// CHECK-COUNT-4: linalg.generic
// CHECK-NOT: vector<
weft.kernel @left(%x: tensor<?x?xf32>, %y: tensor<?x3xf32>, %z: tensor<?xi32>, %t: tensor<?xf32>, %a: tensor<?x?xf32>,
                  %b: tensor<?x3xf32>, %c: tensor<?xi32>, %d: tensor<?xf32>) outs 4 {
  %0 = linalg.generic {indexing_maps = [#swapped, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x?xf32>) outs(%a : tensor<?x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x?xf32>
  %1 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<?x3xf32>) outs(%b : tensor<?x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %n = arith.negf %in : f32
    linalg.yield %n : f32
  } -> tensor<?x3xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%z : tensor<?xi32>) outs(%c : tensor<?xi32>) {
  ^bb0(%in: i32, %out: i32):
    %seven = arith.constant 7 : i32
    %n = arith.remsi %seven, %in : i32
    linalg.yield %n : i32
  } -> tensor<?xi32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%z : tensor<?xi32>) outs(%d : tensor<?xf32>) {
  ^bb0(%in: i32, %out: f32):
    %i = arith.index_cast %in : i32 to index
    %n = tensor.extract %t[%i] : tensor<?xf32>
    linalg.yield %n : f32
  } -> tensor<?xf32>
  weft.yield %0, %1, %2, %3 : tensor<?x?xf32>, tensor<?x3xf32>, tensor<?xi32>, tensor<?xf32>
}
}
