// RUN: weft-opt %s --pass-pipeline='builtin.module(func.func(ssm-raise-recurrences),canonicalize,cse)' | FileCheck %s

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#lhs = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#rhs = affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>
#out = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>

// The states are read by a query; the last one is returned, too.
// CHECK-LABEL: @read
// CHECK: %[[Y:.*]], %[[S:.*]] = ssm.scan vector diag linear query(%{{.*}} : tensor<?x3x1x2xf32>)
// CHECK-SAME: value(%{{.*}} : tensor<?x3x4x2xf32>) decay(%{{.*}} : tensor<?x3x4x2xf32>) outs(
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[Y]]
// CHECK-NOT: weft.contract
// CHECK: return %[[T]], %[[S]]
func.func @read(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>)
    -> (tensor<?x4x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y = tensor.empty(%b) : tensor<?x4x3xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %zero : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs0 = tensor.extract_slice %c[0, 0, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc0 = tensor.collapse_shape %cs0 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce0 = tensor.expand_shape %cc0 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r0 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h0, %ce0 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y0 = tensor.insert_slice %r0 into %y[0, 0, 0] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs1 = tensor.extract_slice %c[0, 1, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc1 = tensor.collapse_shape %cs1 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce1 = tensor.expand_shape %cc1 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r1 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h1, %ce1 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y1 = tensor.insert_slice %r1 into %y0[0, 0, 1] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs2 = tensor.extract_slice %c[0, 2, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc2 = tensor.collapse_shape %cs2 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce2 = tensor.expand_shape %cc2 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r2 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h2, %ce2 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y2 = tensor.insert_slice %r2 into %y1[0, 0, 2] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  return %y2, %h2 : tensor<?x4x3xf32>, tensor<?x4x2xf32>
}

// A first state that is not 0.
// CHECK-LABEL: @initial
// CHECK-SAME: %[[START:[a-z0-9]*]]: tensor<?x4x2xf32>)
// CHECK: ssm.scan vector diag linear query{{.*}} initial(%[[START]] : tensor<?x4x2xf32>)
func.func @initial(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>)
    -> (tensor<?x4x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y = tensor.empty(%b) : tensor<?x4x3xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %start : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs0 = tensor.extract_slice %c[0, 0, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc0 = tensor.collapse_shape %cs0 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce0 = tensor.expand_shape %cc0 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r0 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h0, %ce0 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y0 = tensor.insert_slice %r0 into %y[0, 0, 0] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs1 = tensor.extract_slice %c[0, 1, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc1 = tensor.collapse_shape %cs1 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce1 = tensor.expand_shape %cc1 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r1 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h1, %ce1 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y1 = tensor.insert_slice %r1 into %y0[0, 0, 1] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs2 = tensor.extract_slice %c[0, 2, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc2 = tensor.collapse_shape %cs2 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce2 = tensor.expand_shape %cc2 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r2 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h2, %ce2 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y2 = tensor.insert_slice %r2 into %y1[0, 0, 2] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  return %y2, %h2 : tensor<?x4x3xf32>, tensor<?x4x2xf32>
}

// Nobody reads them all: each state is a slice.
// CHECK-LABEL: @states
// CHECK: %[[Y:.*]], %{{.*}} = ssm.scan vector diag linear value
// CHECK-NOT: arith.addf
// CHECK: tensor.extract_slice %[[Y]][0, 2, 0, 0]
func.func @states(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>)
    -> (tensor<?x4x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y = tensor.empty(%b) : tensor<?x4x3xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %zero : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  return %y, %h2 : tensor<?x4x3xf32>, tensor<?x4x2xf32>
}

// Terms in another order than the factors are no recurrence of two tensors.
// CHECK-LABEL: @order
// CHECK-NOT: ssm.scan
func.func @order(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>)
    -> (tensor<?x4x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y = tensor.empty(%b) : tensor<?x4x3xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %zero : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs0 = tensor.extract_slice %c[0, 0, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc0 = tensor.collapse_shape %cs0 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce0 = tensor.expand_shape %cc0 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r0 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h0, %ce0 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y0 = tensor.insert_slice %r0 into %y[0, 0, 0] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs1 = tensor.extract_slice %c[0, 1, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc1 = tensor.collapse_shape %cs1 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce1 = tensor.expand_shape %cc1 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r1 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h1, %ce1 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y1 = tensor.insert_slice %r1 into %y0[0, 0, 1] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs2 = tensor.extract_slice %c[0, 2, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc2 = tensor.collapse_shape %cs2 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce2 = tensor.expand_shape %cc2 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r2 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h2, %ce2 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y2 = tensor.insert_slice %r2 into %y1[0, 0, 2] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  return %y2, %h2 : tensor<?x4x3xf32>, tensor<?x4x2xf32>
}

// CHECK-LABEL: @maximum
// CHECK-NOT: ssm.scan
func.func @maximum(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>)
    -> (tensor<?x4x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y = tensor.empty(%b) : tensor<?x4x3xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %zero : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.maximumf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs0 = tensor.extract_slice %c[0, 0, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc0 = tensor.collapse_shape %cs0 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce0 = tensor.expand_shape %cc0 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r0 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h0, %ce0 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y0 = tensor.insert_slice %r0 into %y[0, 0, 0] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.maximumf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs1 = tensor.extract_slice %c[0, 1, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc1 = tensor.collapse_shape %cs1 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce1 = tensor.expand_shape %cc1 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r1 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h1, %ce1 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y1 = tensor.insert_slice %r1 into %y0[0, 0, 1] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.maximumf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs2 = tensor.extract_slice %c[0, 2, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc2 = tensor.collapse_shape %cs2 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce2 = tensor.expand_shape %cc2 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r2 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h2, %ce2 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y2 = tensor.insert_slice %r2 into %y1[0, 0, 2] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  return %y2, %h2 : tensor<?x4x3xf32>, tensor<?x4x2xf32>
}

// What is read is put into a wider tensor, or one that may have more rows: the rest of it stays.
// CHECK-LABEL: @wide
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 2]
// CHECK: return %{{.*}} : tensor<?x5x3xf32>
func.func @wide(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>, %y: tensor<?x5x3xf32>)
    -> (tensor<?x5x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %zero : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs0 = tensor.extract_slice %c[0, 0, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc0 = tensor.collapse_shape %cs0 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce0 = tensor.expand_shape %cc0 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r0 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h0, %ce0 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y0 = tensor.insert_slice %r0 into %y[0, 0, 0] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x5x3xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs1 = tensor.extract_slice %c[0, 1, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc1 = tensor.collapse_shape %cs1 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce1 = tensor.expand_shape %cc1 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r1 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h1, %ce1 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y1 = tensor.insert_slice %r1 into %y0[0, 0, 1] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x5x3xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs2 = tensor.extract_slice %c[0, 2, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc2 = tensor.collapse_shape %cs2 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce2 = tensor.expand_shape %cc2 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r2 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h2, %ce2 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y2 = tensor.insert_slice %r2 into %y1[0, 0, 2] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x5x3xf32>
  return %y2, %h2 : tensor<?x5x3xf32>, tensor<?x4x2xf32>
}

// CHECK-LABEL: @rows
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 2]
// CHECK: return
func.func @rows(%a: tensor<?x4x3x2xf32>, %x: tensor<?x4x3x2xf32>, %c: tensor<?x3x2xf32>, %b: index, %start: tensor<?x4x2xf32>, %y: tensor<?x4x3xf32>)
    -> (tensor<?x4x3xf32>, tensor<?x4x2xf32>) {
  %number = arith.constant 0.0 : f32
  %state = tensor.empty(%b) : tensor<?x4x2xf32>
  %zero = linalg.fill ins(%number : f32) outs(%state : tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
  %read = tensor.empty(%b) : tensor<?x4x1xf32>
  %none = linalg.fill ins(%number : f32) outs(%read : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %c0 = arith.constant 0 : index
  %ba = tensor.dim %a, %c0 : tensor<?x4x3x2xf32>
  %bx = tensor.dim %x, %c0 : tensor<?x4x3x2xf32>
  %bc = tensor.dim %c, %c0 : tensor<?x3x2xf32>
  %as0 = tensor.extract_slice %a[0, 0, 0, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a0 = tensor.collapse_shape %as0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs0 = tensor.extract_slice %x[0, 0, 0, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x0 = tensor.collapse_shape %xs0 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a0, %zero : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p0, %x0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs0 = tensor.extract_slice %c[0, 0, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc0 = tensor.collapse_shape %cs0 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce0 = tensor.expand_shape %cc0 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r0 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h0, %ce0 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y0 = tensor.insert_slice %r0 into %y[0, 0, 0] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as1 = tensor.extract_slice %a[0, 0, 1, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a1 = tensor.collapse_shape %as1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs1 = tensor.extract_slice %x[0, 0, 1, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x1 = tensor.collapse_shape %xs1 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a1, %h0 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p1, %x1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs1 = tensor.extract_slice %c[0, 1, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc1 = tensor.collapse_shape %cs1 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce1 = tensor.expand_shape %cc1 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r1 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h1, %ce1 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y1 = tensor.insert_slice %r1 into %y0[0, 0, 1] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  %as2 = tensor.extract_slice %a[0, 0, 2, 0] [%ba, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %a2 = tensor.collapse_shape %as2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %xs2 = tensor.extract_slice %x[0, 0, 2, 0] [%bx, 4, 1, 2] [1, 1, 1, 1] : tensor<?x4x3x2xf32> to tensor<?x4x1x2xf32>
  %x2 = tensor.collapse_shape %xs2 [[0], [1, 2], [3]] : tensor<?x4x1x2xf32> into tensor<?x4x2xf32>
  %p2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a2, %h1 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.mulf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p2, %x2 : tensor<?x4x2xf32>, tensor<?x4x2xf32>) outs(%state : tensor<?x4x2xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %0 = arith.addf %u, %v : f32
    linalg.yield %0 : f32
  } -> tensor<?x4x2xf32>
  %cs2 = tensor.extract_slice %c[0, 2, 0] [%bc, 1, 2] [1, 1, 1] : tensor<?x3x2xf32> to tensor<?x1x2xf32>
  %cc2 = tensor.collapse_shape %cs2 [[0, 1], [2]] : tensor<?x1x2xf32> into tensor<?x2xf32>
  %ce2 = tensor.expand_shape %cc2 [[0], [1, 2]] output_shape [%bc, 2, 1] : tensor<?x2xf32> into tensor<?x2x1xf32>
  %r2 = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%h2, %ce2 : tensor<?x4x2xf32>, tensor<?x2x1xf32>)
      outs(%none : tensor<?x4x1xf32>) -> tensor<?x4x1xf32>
  %y2 = tensor.insert_slice %r2 into %y1[0, 0, 2] [%b, 4, 1] [1, 1, 1] : tensor<?x4x1xf32> into tensor<?x4x3xf32>
  return %y2, %h2 : tensor<?x4x3xf32>, tensor<?x4x2xf32>
}
