// RUN: weft-opt %s --pass-pipeline='builtin.module(func.func(ssm-raise-chunked-scans),canonicalize,cse)' | FileCheck %s

// CHECK-LABEL: @listing
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x6x4x5xf32>, %[[G:[a-z0-9]*]]: tensor<?x6x4xf32>, %[[K:[a-z0-9]*]]: tensor<?x6x4x6xf32>, %[[Q:[a-z0-9]*]]: tensor<?x6x4x6xf32>
// CHECK: %[[Y:.*]], %{{.*}} = ssm.scan outer scalar chunk = 2 query(%[[Q]] : {{.*}}) key(%[[K]] : {{.*}}) value(%[[X]] : {{.*}}) decay(%[[G]] :
// CHECK-NOT: linalg.generic
// CHECK: tensor.expand_shape %[[Y]]
func.func @listing(%x: tensor<?x6x4x5xf32>, %g: tensor<?x6x4xf32>, %k: tensor<?x6x4x6xf32>, %q: tensor<?x6x4x6xf32>, %b: index)
    -> tensor<?x3x2x4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %v1 = tensor.expand_shape %g [[0], [1, 2], [3]] output_shape [%b, 3, 2, 4] : tensor<?x6x4xf32> into tensor<?x3x2x4xf32>
  %v2 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v3 = linalg.transpose ins(%v1 : tensor<?x3x2x4xf32>) outs(%v2 : tensor<?x4x3x2xf32>) permutation = [0, 3, 1, 2]
  %v4 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v5 = weft.scan sum dimension = 3 ins(%v3 : tensor<?x4x3x2xf32>) outs(%v4 : tensor<?x4x3x2xf32>) -> tensor<?x4x3x2xf32>
  %v6 = tensor.empty(%b) : tensor<?x4x3x2x2xf32>
  %v7 = ssm.segsum ins(%v3 : tensor<?x4x3x2xf32>) outs(%v6 : tensor<?x4x3x2x2xf32>) -> tensor<?x4x3x2x2xf32>
  %v8 = tensor.expand_shape %q [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 2, 1, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x1x4x6xf32>
  %v9 = tensor.expand_shape %k [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 1, 2, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x1x2x4x6xf32>
  %v10 = tensor.empty(%b) : tensor<?x3x2x2x4x6xf32>
  %v11 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, 0, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v8, %v9 : tensor<?x3x2x1x4x6xf32>, tensor<?x3x1x2x4x6xf32>) outs(%v10 : tensor<?x3x2x2x4x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4x6xf32>
  %v12 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v13 = linalg.fill ins(%zero : f32) outs(%v12 : tensor<?x3x2x2x4xf32>) -> tensor<?x3x2x2x4xf32>
  %v14 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v11 : tensor<?x3x2x2x4x6xf32>) outs(%v13 : tensor<?x3x2x2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4xf32>
  %v15 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v16 = linalg.transpose ins(%v7 : tensor<?x4x3x2x2xf32>) outs(%v15 : tensor<?x3x2x2x4xf32>) permutation = [0, 2, 3, 4, 1]
  %v17 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v14, %v16 : tensor<?x3x2x2x4xf32>, tensor<?x3x2x2x4xf32>) outs(%v17 : tensor<?x3x2x2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4xf32>
  %v19 = tensor.expand_shape %v18 [[0], [1], [2], [3], [4, 5]] output_shape [%b, 3, 2, 2, 4, 1] : tensor<?x3x2x2x4xf32> into tensor<?x3x2x2x4x1xf32>
  %v20 = tensor.expand_shape %x [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 1, 2, 4, 5] : tensor<?x6x4x5xf32> into tensor<?x3x1x2x4x5xf32>
  %v21 = tensor.empty(%b) : tensor<?x3x2x2x4x5xf32>
  %v22 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v19, %v20 : tensor<?x3x2x2x4x1xf32>, tensor<?x3x1x2x4x5xf32>) outs(%v21 : tensor<?x3x2x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4x5xf32>
  %v23 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v24 = linalg.fill ins(%zero : f32) outs(%v23 : tensor<?x3x2x4x5xf32>) -> tensor<?x3x2x4x5xf32>
  %v25 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel", "parallel"]}
      ins(%v22 : tensor<?x3x2x2x4x5xf32>) outs(%v24 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v26 = tensor.extract_slice %v5[0, 0, 0, 1] [%b, 4, 3, 1] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x3x1xf32>
  %v27 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v28 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v26, %v5 : tensor<?x4x3x1xf32>, tensor<?x4x3x2xf32>) outs(%v27 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.subf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v29 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v30 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v28 : tensor<?x4x3x2xf32>) outs(%v29 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = math.exp %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v31 = tensor.empty(%b) : tensor<?x3x2x4xf32>
  %v32 = linalg.transpose ins(%v30 : tensor<?x4x3x2xf32>) outs(%v31 : tensor<?x3x2x4xf32>) permutation = [0, 2, 3, 1]
  %v33 = tensor.expand_shape %v32 [[0], [1], [2], [3, 4]] output_shape [%b, 3, 2, 4, 1] : tensor<?x3x2x4xf32> into tensor<?x3x2x4x1xf32>
  %v34 = tensor.expand_shape %k [[0], [1, 2], [3], [4]] output_shape [%b, 3, 2, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x4x6xf32>
  %v35 = tensor.empty(%b) : tensor<?x3x2x4x6xf32>
  %v36 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v34, %v33 : tensor<?x3x2x4x6xf32>, tensor<?x3x2x4x1xf32>) outs(%v35 : tensor<?x3x2x4x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x6xf32>
  %v37 = tensor.expand_shape %v36 [[0], [1], [2], [3, 4], [5]] output_shape [%b, 3, 2, 4, 1, 6] : tensor<?x3x2x4x6xf32> into tensor<?x3x2x4x1x6xf32>
  %v38 = tensor.expand_shape %x [[0], [1, 2], [3], [4, 5]] output_shape [%b, 3, 2, 4, 5, 1] : tensor<?x6x4x5xf32> into tensor<?x3x2x4x5x1xf32>
  %v39 = tensor.empty(%b) : tensor<?x3x2x4x5x6xf32>
  %v40 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v37, %v38 : tensor<?x3x2x4x1x6xf32>, tensor<?x3x2x4x5x1xf32>) outs(%v39 : tensor<?x3x2x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5x6xf32>
  %v41 = tensor.empty(%b) : tensor<?x3x4x5x6xf32>
  %v42 = linalg.fill ins(%zero : f32) outs(%v41 : tensor<?x3x4x5x6xf32>) -> tensor<?x3x4x5x6xf32>
  %v43 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "reduction", "parallel", "parallel", "parallel"]}
      ins(%v40 : tensor<?x3x2x4x5x6xf32>) outs(%v42 : tensor<?x3x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x4x5x6xf32>
  %v44 = tensor.empty(%b) : tensor<?x1x4x5x6xf32>
  %v45 = linalg.fill ins(%zero : f32) outs(%v44 : tensor<?x1x4x5x6xf32>) -> tensor<?x1x4x5x6xf32>
  %v46 = tensor.empty(%b) : tensor<?x4x4x5x6xf32>
  %v47 = tensor.insert_slice %v45 into %v46[0, 0, 0, 0, 0] [%b, 1, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x1x4x5x6xf32> into tensor<?x4x4x5x6xf32>
  %v48 = tensor.insert_slice %v43 into %v47[0, 1, 0, 0, 0] [%b, 3, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x3x4x5x6xf32> into tensor<?x4x4x5x6xf32>
  %v49 = tensor.collapse_shape %v26 [[0], [1], [2, 3]] : tensor<?x4x3x1xf32> into tensor<?x4x3xf32>
  %v50 = tensor.pad %v49 low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %k0: index):
    tensor.yield %zero : f32
  } : tensor<?x4x3xf32> to tensor<?x4x4xf32>
  %v51 = tensor.empty(%b) : tensor<?x4x4x4xf32>
  %v52 = ssm.segsum ins(%v50 : tensor<?x4x4xf32>) outs(%v51 : tensor<?x4x4x4xf32>) -> tensor<?x4x4x4xf32>
  %v53 = tensor.empty(%b) : tensor<?x4x4x4xf32>
  %v54 = linalg.transpose ins(%v52 : tensor<?x4x4x4xf32>) outs(%v53 : tensor<?x4x4x4xf32>) permutation = [0, 3, 2, 1]
  %v55 = tensor.expand_shape %v54 [[0], [1], [2], [3, 4, 5]] output_shape [%b, 4, 4, 4, 1, 1] : tensor<?x4x4x4xf32> into tensor<?x4x4x4x1x1xf32>
  %v56 = tensor.expand_shape %v48 [[0], [1, 2], [3], [4], [5]] output_shape [%b, 4, 1, 4, 5, 6] : tensor<?x4x4x5x6xf32> into tensor<?x4x1x4x5x6xf32>
  %v57 = tensor.empty(%b) : tensor<?x4x4x4x5x6xf32>
  %v58 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v55, %v56 : tensor<?x4x4x4x1x1xf32>, tensor<?x4x1x4x5x6xf32>) outs(%v57 : tensor<?x4x4x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x4x4x5x6xf32>
  %v59 = tensor.empty(%b) : tensor<?x4x4x5x6xf32>
  %v60 = linalg.fill ins(%zero : f32) outs(%v59 : tensor<?x4x4x5x6xf32>) -> tensor<?x4x4x5x6xf32>
  %v61 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d3, d4, d5)>], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v58 : tensor<?x4x4x4x5x6xf32>) outs(%v60 : tensor<?x4x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x4x5x6xf32>
  %v62 = tensor.extract_slice %v61[0, 0, 0, 0, 0] [%b, 3, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x4x4x5x6xf32> to tensor<?x3x4x5x6xf32>
  %v63 = tensor.expand_shape %v62 [[0], [1, 2], [3], [4], [5]] output_shape [%b, 3, 1, 4, 5, 6] : tensor<?x3x4x5x6xf32> into tensor<?x3x1x4x5x6xf32>
  %v64 = tensor.expand_shape %q [[0], [1, 2], [3, 4], [5]] output_shape [%b, 3, 2, 4, 1, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x4x1x6xf32>
  %v65 = tensor.empty(%b) : tensor<?x3x2x4x5x6xf32>
  %v66 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v64, %v63 : tensor<?x3x2x4x1x6xf32>, tensor<?x3x1x4x5x6xf32>) outs(%v65 : tensor<?x3x2x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5x6xf32>
  %v67 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v68 = linalg.fill ins(%zero : f32) outs(%v67 : tensor<?x3x2x4x5xf32>) -> tensor<?x3x2x4x5xf32>
  %v69 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v66 : tensor<?x3x2x4x5x6xf32>) outs(%v68 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v70 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v71 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v5 : tensor<?x4x3x2xf32>) outs(%v70 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = math.exp %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v72 = tensor.empty(%b) : tensor<?x3x2x4xf32>
  %v73 = linalg.transpose ins(%v71 : tensor<?x4x3x2xf32>) outs(%v72 : tensor<?x3x2x4xf32>) permutation = [0, 2, 3, 1]
  %v74 = tensor.expand_shape %v73 [[0], [1], [2], [3, 4]] output_shape [%b, 3, 2, 4, 1] : tensor<?x3x2x4xf32> into tensor<?x3x2x4x1xf32>
  %v75 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v76 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v69, %v74 : tensor<?x3x2x4x5xf32>, tensor<?x3x2x4x1xf32>) outs(%v75 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v77 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v78 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v25, %v76 : tensor<?x3x2x4x5xf32>, tensor<?x3x2x4x5xf32>) outs(%v77 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.addf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  return %v78 : tensor<?x3x2x4x5xf32>
}

// The decay of a chunk is not that of its last position.
// CHECK-LABEL: @wrong_total
// CHECK-NOT: ssm.scan
func.func @wrong_total(%x: tensor<?x6x4x5xf32>, %g: tensor<?x6x4xf32>, %k: tensor<?x6x4x6xf32>, %q: tensor<?x6x4x6xf32>, %b: index)
    -> tensor<?x3x2x4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %v1 = tensor.expand_shape %g [[0], [1, 2], [3]] output_shape [%b, 3, 2, 4] : tensor<?x6x4xf32> into tensor<?x3x2x4xf32>
  %v2 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v3 = linalg.transpose ins(%v1 : tensor<?x3x2x4xf32>) outs(%v2 : tensor<?x4x3x2xf32>) permutation = [0, 3, 1, 2]
  %v4 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v5 = weft.scan sum dimension = 3 ins(%v3 : tensor<?x4x3x2xf32>) outs(%v4 : tensor<?x4x3x2xf32>) -> tensor<?x4x3x2xf32>
  %v6 = tensor.empty(%b) : tensor<?x4x3x2x2xf32>
  %v7 = ssm.segsum ins(%v3 : tensor<?x4x3x2xf32>) outs(%v6 : tensor<?x4x3x2x2xf32>) -> tensor<?x4x3x2x2xf32>
  %v8 = tensor.expand_shape %q [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 2, 1, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x1x4x6xf32>
  %v9 = tensor.expand_shape %k [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 1, 2, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x1x2x4x6xf32>
  %v10 = tensor.empty(%b) : tensor<?x3x2x2x4x6xf32>
  %v11 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, 0, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v8, %v9 : tensor<?x3x2x1x4x6xf32>, tensor<?x3x1x2x4x6xf32>) outs(%v10 : tensor<?x3x2x2x4x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4x6xf32>
  %v12 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v13 = linalg.fill ins(%zero : f32) outs(%v12 : tensor<?x3x2x2x4xf32>) -> tensor<?x3x2x2x4xf32>
  %v14 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v11 : tensor<?x3x2x2x4x6xf32>) outs(%v13 : tensor<?x3x2x2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4xf32>
  %v15 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v16 = linalg.transpose ins(%v7 : tensor<?x4x3x2x2xf32>) outs(%v15 : tensor<?x3x2x2x4xf32>) permutation = [0, 2, 3, 4, 1]
  %v17 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v14, %v16 : tensor<?x3x2x2x4xf32>, tensor<?x3x2x2x4xf32>) outs(%v17 : tensor<?x3x2x2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4xf32>
  %v19 = tensor.expand_shape %v18 [[0], [1], [2], [3], [4, 5]] output_shape [%b, 3, 2, 2, 4, 1] : tensor<?x3x2x2x4xf32> into tensor<?x3x2x2x4x1xf32>
  %v20 = tensor.expand_shape %x [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 1, 2, 4, 5] : tensor<?x6x4x5xf32> into tensor<?x3x1x2x4x5xf32>
  %v21 = tensor.empty(%b) : tensor<?x3x2x2x4x5xf32>
  %v22 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v19, %v20 : tensor<?x3x2x2x4x1xf32>, tensor<?x3x1x2x4x5xf32>) outs(%v21 : tensor<?x3x2x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4x5xf32>
  %v23 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v24 = linalg.fill ins(%zero : f32) outs(%v23 : tensor<?x3x2x4x5xf32>) -> tensor<?x3x2x4x5xf32>
  %v25 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel", "parallel"]}
      ins(%v22 : tensor<?x3x2x2x4x5xf32>) outs(%v24 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v26 = tensor.extract_slice %v5[0, 0, 0, 0] [%b, 4, 3, 1] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x3x1xf32>
  %v27 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v28 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v26, %v5 : tensor<?x4x3x1xf32>, tensor<?x4x3x2xf32>) outs(%v27 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.subf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v29 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v30 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v28 : tensor<?x4x3x2xf32>) outs(%v29 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = math.exp %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v31 = tensor.empty(%b) : tensor<?x3x2x4xf32>
  %v32 = linalg.transpose ins(%v30 : tensor<?x4x3x2xf32>) outs(%v31 : tensor<?x3x2x4xf32>) permutation = [0, 2, 3, 1]
  %v33 = tensor.expand_shape %v32 [[0], [1], [2], [3, 4]] output_shape [%b, 3, 2, 4, 1] : tensor<?x3x2x4xf32> into tensor<?x3x2x4x1xf32>
  %v34 = tensor.expand_shape %k [[0], [1, 2], [3], [4]] output_shape [%b, 3, 2, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x4x6xf32>
  %v35 = tensor.empty(%b) : tensor<?x3x2x4x6xf32>
  %v36 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v34, %v33 : tensor<?x3x2x4x6xf32>, tensor<?x3x2x4x1xf32>) outs(%v35 : tensor<?x3x2x4x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x6xf32>
  %v37 = tensor.expand_shape %v36 [[0], [1], [2], [3, 4], [5]] output_shape [%b, 3, 2, 4, 1, 6] : tensor<?x3x2x4x6xf32> into tensor<?x3x2x4x1x6xf32>
  %v38 = tensor.expand_shape %x [[0], [1, 2], [3], [4, 5]] output_shape [%b, 3, 2, 4, 5, 1] : tensor<?x6x4x5xf32> into tensor<?x3x2x4x5x1xf32>
  %v39 = tensor.empty(%b) : tensor<?x3x2x4x5x6xf32>
  %v40 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v37, %v38 : tensor<?x3x2x4x1x6xf32>, tensor<?x3x2x4x5x1xf32>) outs(%v39 : tensor<?x3x2x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5x6xf32>
  %v41 = tensor.empty(%b) : tensor<?x3x4x5x6xf32>
  %v42 = linalg.fill ins(%zero : f32) outs(%v41 : tensor<?x3x4x5x6xf32>) -> tensor<?x3x4x5x6xf32>
  %v43 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "reduction", "parallel", "parallel", "parallel"]}
      ins(%v40 : tensor<?x3x2x4x5x6xf32>) outs(%v42 : tensor<?x3x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x4x5x6xf32>
  %v44 = tensor.empty(%b) : tensor<?x1x4x5x6xf32>
  %v45 = linalg.fill ins(%zero : f32) outs(%v44 : tensor<?x1x4x5x6xf32>) -> tensor<?x1x4x5x6xf32>
  %v46 = tensor.empty(%b) : tensor<?x4x4x5x6xf32>
  %v47 = tensor.insert_slice %v45 into %v46[0, 0, 0, 0, 0] [%b, 1, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x1x4x5x6xf32> into tensor<?x4x4x5x6xf32>
  %v48 = tensor.insert_slice %v43 into %v47[0, 1, 0, 0, 0] [%b, 3, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x3x4x5x6xf32> into tensor<?x4x4x5x6xf32>
  %v49 = tensor.collapse_shape %v26 [[0], [1], [2, 3]] : tensor<?x4x3x1xf32> into tensor<?x4x3xf32>
  %v50 = tensor.pad %v49 low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %k0: index):
    tensor.yield %zero : f32
  } : tensor<?x4x3xf32> to tensor<?x4x4xf32>
  %v51 = tensor.empty(%b) : tensor<?x4x4x4xf32>
  %v52 = ssm.segsum ins(%v50 : tensor<?x4x4xf32>) outs(%v51 : tensor<?x4x4x4xf32>) -> tensor<?x4x4x4xf32>
  %v53 = tensor.empty(%b) : tensor<?x4x4x4xf32>
  %v54 = linalg.transpose ins(%v52 : tensor<?x4x4x4xf32>) outs(%v53 : tensor<?x4x4x4xf32>) permutation = [0, 3, 2, 1]
  %v55 = tensor.expand_shape %v54 [[0], [1], [2], [3, 4, 5]] output_shape [%b, 4, 4, 4, 1, 1] : tensor<?x4x4x4xf32> into tensor<?x4x4x4x1x1xf32>
  %v56 = tensor.expand_shape %v48 [[0], [1, 2], [3], [4], [5]] output_shape [%b, 4, 1, 4, 5, 6] : tensor<?x4x4x5x6xf32> into tensor<?x4x1x4x5x6xf32>
  %v57 = tensor.empty(%b) : tensor<?x4x4x4x5x6xf32>
  %v58 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v55, %v56 : tensor<?x4x4x4x1x1xf32>, tensor<?x4x1x4x5x6xf32>) outs(%v57 : tensor<?x4x4x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x4x4x5x6xf32>
  %v59 = tensor.empty(%b) : tensor<?x4x4x5x6xf32>
  %v60 = linalg.fill ins(%zero : f32) outs(%v59 : tensor<?x4x4x5x6xf32>) -> tensor<?x4x4x5x6xf32>
  %v61 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d3, d4, d5)>], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v58 : tensor<?x4x4x4x5x6xf32>) outs(%v60 : tensor<?x4x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x4x5x6xf32>
  %v62 = tensor.extract_slice %v61[0, 0, 0, 0, 0] [%b, 3, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x4x4x5x6xf32> to tensor<?x3x4x5x6xf32>
  %v63 = tensor.expand_shape %v62 [[0], [1, 2], [3], [4], [5]] output_shape [%b, 3, 1, 4, 5, 6] : tensor<?x3x4x5x6xf32> into tensor<?x3x1x4x5x6xf32>
  %v64 = tensor.expand_shape %q [[0], [1, 2], [3, 4], [5]] output_shape [%b, 3, 2, 4, 1, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x4x1x6xf32>
  %v65 = tensor.empty(%b) : tensor<?x3x2x4x5x6xf32>
  %v66 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v64, %v63 : tensor<?x3x2x4x1x6xf32>, tensor<?x3x1x4x5x6xf32>) outs(%v65 : tensor<?x3x2x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5x6xf32>
  %v67 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v68 = linalg.fill ins(%zero : f32) outs(%v67 : tensor<?x3x2x4x5xf32>) -> tensor<?x3x2x4x5xf32>
  %v69 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v66 : tensor<?x3x2x4x5x6xf32>) outs(%v68 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v70 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v71 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v5 : tensor<?x4x3x2xf32>) outs(%v70 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = math.exp %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v72 = tensor.empty(%b) : tensor<?x3x2x4xf32>
  %v73 = linalg.transpose ins(%v71 : tensor<?x4x3x2xf32>) outs(%v72 : tensor<?x3x2x4xf32>) permutation = [0, 2, 3, 1]
  %v74 = tensor.expand_shape %v73 [[0], [1], [2], [3, 4]] output_shape [%b, 3, 2, 4, 1] : tensor<?x3x2x4xf32> into tensor<?x3x2x4x1xf32>
  %v75 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v76 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v69, %v74 : tensor<?x3x2x4x5xf32>, tensor<?x3x2x4x1xf32>) outs(%v75 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v77 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v78 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v25, %v76 : tensor<?x3x2x4x5xf32>, tensor<?x3x2x4x5xf32>) outs(%v77 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.addf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  return %v78 : tensor<?x3x2x4x5xf32>
}

// Chunks that go on from later ones.
// CHECK-LABEL: @wrong_order
// CHECK-NOT: ssm.scan
func.func @wrong_order(%x: tensor<?x6x4x5xf32>, %g: tensor<?x6x4xf32>, %k: tensor<?x6x4x6xf32>, %q: tensor<?x6x4x6xf32>, %b: index)
    -> tensor<?x3x2x4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %v1 = tensor.expand_shape %g [[0], [1, 2], [3]] output_shape [%b, 3, 2, 4] : tensor<?x6x4xf32> into tensor<?x3x2x4xf32>
  %v2 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v3 = linalg.transpose ins(%v1 : tensor<?x3x2x4xf32>) outs(%v2 : tensor<?x4x3x2xf32>) permutation = [0, 3, 1, 2]
  %v4 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v5 = weft.scan sum dimension = 3 ins(%v3 : tensor<?x4x3x2xf32>) outs(%v4 : tensor<?x4x3x2xf32>) -> tensor<?x4x3x2xf32>
  %v6 = tensor.empty(%b) : tensor<?x4x3x2x2xf32>
  %v7 = ssm.segsum ins(%v3 : tensor<?x4x3x2xf32>) outs(%v6 : tensor<?x4x3x2x2xf32>) -> tensor<?x4x3x2x2xf32>
  %v8 = tensor.expand_shape %q [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 2, 1, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x1x4x6xf32>
  %v9 = tensor.expand_shape %k [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 1, 2, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x1x2x4x6xf32>
  %v10 = tensor.empty(%b) : tensor<?x3x2x2x4x6xf32>
  %v11 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, 0, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v8, %v9 : tensor<?x3x2x1x4x6xf32>, tensor<?x3x1x2x4x6xf32>) outs(%v10 : tensor<?x3x2x2x4x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4x6xf32>
  %v12 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v13 = linalg.fill ins(%zero : f32) outs(%v12 : tensor<?x3x2x2x4xf32>) -> tensor<?x3x2x2x4xf32>
  %v14 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v11 : tensor<?x3x2x2x4x6xf32>) outs(%v13 : tensor<?x3x2x2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4xf32>
  %v15 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v16 = linalg.transpose ins(%v7 : tensor<?x4x3x2x2xf32>) outs(%v15 : tensor<?x3x2x2x4xf32>) permutation = [0, 2, 3, 4, 1]
  %v17 = tensor.empty(%b) : tensor<?x3x2x2x4xf32>
  %v18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v14, %v16 : tensor<?x3x2x2x4xf32>, tensor<?x3x2x2x4xf32>) outs(%v17 : tensor<?x3x2x2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4xf32>
  %v19 = tensor.expand_shape %v18 [[0], [1], [2], [3], [4, 5]] output_shape [%b, 3, 2, 2, 4, 1] : tensor<?x3x2x2x4xf32> into tensor<?x3x2x2x4x1xf32>
  %v20 = tensor.expand_shape %x [[0], [1, 2, 3], [4], [5]] output_shape [%b, 3, 1, 2, 4, 5] : tensor<?x6x4x5xf32> into tensor<?x3x1x2x4x5xf32>
  %v21 = tensor.empty(%b) : tensor<?x3x2x2x4x5xf32>
  %v22 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v19, %v20 : tensor<?x3x2x2x4x1xf32>, tensor<?x3x1x2x4x5xf32>) outs(%v21 : tensor<?x3x2x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x2x4x5xf32>
  %v23 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v24 = linalg.fill ins(%zero : f32) outs(%v23 : tensor<?x3x2x4x5xf32>) -> tensor<?x3x2x4x5xf32>
  %v25 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel", "parallel"]}
      ins(%v22 : tensor<?x3x2x2x4x5xf32>) outs(%v24 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v26 = tensor.extract_slice %v5[0, 0, 0, 1] [%b, 4, 3, 1] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x3x1xf32>
  %v27 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v28 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v26, %v5 : tensor<?x4x3x1xf32>, tensor<?x4x3x2xf32>) outs(%v27 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.subf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v29 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v30 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v28 : tensor<?x4x3x2xf32>) outs(%v29 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = math.exp %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v31 = tensor.empty(%b) : tensor<?x3x2x4xf32>
  %v32 = linalg.transpose ins(%v30 : tensor<?x4x3x2xf32>) outs(%v31 : tensor<?x3x2x4xf32>) permutation = [0, 2, 3, 1]
  %v33 = tensor.expand_shape %v32 [[0], [1], [2], [3, 4]] output_shape [%b, 3, 2, 4, 1] : tensor<?x3x2x4xf32> into tensor<?x3x2x4x1xf32>
  %v34 = tensor.expand_shape %k [[0], [1, 2], [3], [4]] output_shape [%b, 3, 2, 4, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x4x6xf32>
  %v35 = tensor.empty(%b) : tensor<?x3x2x4x6xf32>
  %v36 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v34, %v33 : tensor<?x3x2x4x6xf32>, tensor<?x3x2x4x1xf32>) outs(%v35 : tensor<?x3x2x4x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x6xf32>
  %v37 = tensor.expand_shape %v36 [[0], [1], [2], [3, 4], [5]] output_shape [%b, 3, 2, 4, 1, 6] : tensor<?x3x2x4x6xf32> into tensor<?x3x2x4x1x6xf32>
  %v38 = tensor.expand_shape %x [[0], [1, 2], [3], [4, 5]] output_shape [%b, 3, 2, 4, 5, 1] : tensor<?x6x4x5xf32> into tensor<?x3x2x4x5x1xf32>
  %v39 = tensor.empty(%b) : tensor<?x3x2x4x5x6xf32>
  %v40 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v37, %v38 : tensor<?x3x2x4x1x6xf32>, tensor<?x3x2x4x5x1xf32>) outs(%v39 : tensor<?x3x2x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5x6xf32>
  %v41 = tensor.empty(%b) : tensor<?x3x4x5x6xf32>
  %v42 = linalg.fill ins(%zero : f32) outs(%v41 : tensor<?x3x4x5x6xf32>) -> tensor<?x3x4x5x6xf32>
  %v43 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "reduction", "parallel", "parallel", "parallel"]}
      ins(%v40 : tensor<?x3x2x4x5x6xf32>) outs(%v42 : tensor<?x3x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x4x5x6xf32>
  %v44 = tensor.empty(%b) : tensor<?x1x4x5x6xf32>
  %v45 = linalg.fill ins(%zero : f32) outs(%v44 : tensor<?x1x4x5x6xf32>) -> tensor<?x1x4x5x6xf32>
  %v46 = tensor.empty(%b) : tensor<?x4x4x5x6xf32>
  %v47 = tensor.insert_slice %v45 into %v46[0, 0, 0, 0, 0] [%b, 1, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x1x4x5x6xf32> into tensor<?x4x4x5x6xf32>
  %v48 = tensor.insert_slice %v43 into %v47[0, 1, 0, 0, 0] [%b, 3, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x3x4x5x6xf32> into tensor<?x4x4x5x6xf32>
  %v49 = tensor.collapse_shape %v26 [[0], [1], [2, 3]] : tensor<?x4x3x1xf32> into tensor<?x4x3xf32>
  %v50 = tensor.pad %v49 low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %k0: index):
    tensor.yield %zero : f32
  } : tensor<?x4x3xf32> to tensor<?x4x4xf32>
  %v51 = tensor.empty(%b) : tensor<?x4x4x4xf32>
  %v52 = ssm.segsum ins(%v50 : tensor<?x4x4xf32>) outs(%v51 : tensor<?x4x4x4xf32>) -> tensor<?x4x4x4xf32>
  %v53 = tensor.empty(%b) : tensor<?x4x4x4xf32>
  %v54 = linalg.transpose ins(%v52 : tensor<?x4x4x4xf32>) outs(%v53 : tensor<?x4x4x4xf32>) permutation = [0, 2, 3, 1]
  %v55 = tensor.expand_shape %v54 [[0], [1], [2], [3, 4, 5]] output_shape [%b, 4, 4, 4, 1, 1] : tensor<?x4x4x4xf32> into tensor<?x4x4x4x1x1xf32>
  %v56 = tensor.expand_shape %v48 [[0], [1, 2], [3], [4], [5]] output_shape [%b, 4, 1, 4, 5, 6] : tensor<?x4x4x5x6xf32> into tensor<?x4x1x4x5x6xf32>
  %v57 = tensor.empty(%b) : tensor<?x4x4x4x5x6xf32>
  %v58 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v55, %v56 : tensor<?x4x4x4x1x1xf32>, tensor<?x4x1x4x5x6xf32>) outs(%v57 : tensor<?x4x4x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x4x4x5x6xf32>
  %v59 = tensor.empty(%b) : tensor<?x4x4x5x6xf32>
  %v60 = linalg.fill ins(%zero : f32) outs(%v59 : tensor<?x4x4x5x6xf32>) -> tensor<?x4x4x5x6xf32>
  %v61 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d3, d4, d5)>], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v58 : tensor<?x4x4x4x5x6xf32>) outs(%v60 : tensor<?x4x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x4x5x6xf32>
  %v62 = tensor.extract_slice %v61[0, 0, 0, 0, 0] [%b, 3, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<?x4x4x5x6xf32> to tensor<?x3x4x5x6xf32>
  %v63 = tensor.expand_shape %v62 [[0], [1, 2], [3], [4], [5]] output_shape [%b, 3, 1, 4, 5, 6] : tensor<?x3x4x5x6xf32> into tensor<?x3x1x4x5x6xf32>
  %v64 = tensor.expand_shape %q [[0], [1, 2], [3, 4], [5]] output_shape [%b, 3, 2, 4, 1, 6] : tensor<?x6x4x6xf32> into tensor<?x3x2x4x1x6xf32>
  %v65 = tensor.empty(%b) : tensor<?x3x2x4x5x6xf32>
  %v66 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, 0, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, 0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v64, %v63 : tensor<?x3x2x4x1x6xf32>, tensor<?x3x1x4x5x6xf32>) outs(%v65 : tensor<?x3x2x4x5x6xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5x6xf32>
  %v67 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v68 = linalg.fill ins(%zero : f32) outs(%v67 : tensor<?x3x2x4x5xf32>) -> tensor<?x3x2x4x5xf32>
  %v69 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%v66 : tensor<?x3x2x4x5x6xf32>) outs(%v68 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = arith.addf %a1, %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v70 = tensor.empty(%b) : tensor<?x4x3x2xf32>
  %v71 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v5 : tensor<?x4x3x2xf32>) outs(%v70 : tensor<?x4x3x2xf32>) {
  ^bb0(%a0: f32, %a1: f32):
    %0 = math.exp %a0 : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x3x2xf32>
  %v72 = tensor.empty(%b) : tensor<?x3x2x4xf32>
  %v73 = linalg.transpose ins(%v71 : tensor<?x4x3x2xf32>) outs(%v72 : tensor<?x3x2x4xf32>) permutation = [0, 2, 3, 1]
  %v74 = tensor.expand_shape %v73 [[0], [1], [2], [3, 4]] output_shape [%b, 3, 2, 4, 1] : tensor<?x3x2x4xf32> into tensor<?x3x2x4x1xf32>
  %v75 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v76 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v69, %v74 : tensor<?x3x2x4x5xf32>, tensor<?x3x2x4x1xf32>) outs(%v75 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.mulf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  %v77 = tensor.empty(%b) : tensor<?x3x2x4x5xf32>
  %v78 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%v25, %v76 : tensor<?x3x2x4x5xf32>, tensor<?x3x2x4x5xf32>) outs(%v77 : tensor<?x3x2x4x5xf32>) {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    %0 = arith.addf %a0, %a1 : f32
    linalg.yield %0 : f32
  } -> tensor<?x3x2x4x5xf32>
  return %v78 : tensor<?x3x2x4x5xf32>
}
