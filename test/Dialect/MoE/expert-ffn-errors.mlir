// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @input(%x: tensor<?x8xi32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects an input of rank 2 of floats, got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xi32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @ids(%x: tensor<?x8xf32>, %ids: tensor<?x2xi64>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects numbers of experts of type tensor<?xKxi32>, got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi64>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @weights(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x3xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects weights of floats of the shape of the numbers, got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x3xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @init(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf16>) {
  // expected-error @+1 {{expects an init of ? rows of 'f32', got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf16>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf16>
  return
}

// -----

func.func @ups(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %u1: tensor<4x8x16xf32>, %u2: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects one or two weights up, one if they are fused, got 3}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0, %u1, %u2 : tensor<4x8x16xf32>, tensor<4x8x16xf32>, tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32, %a1: f32, %a2: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @fused(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %u1: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects one or two weights up, one if they are fused, got 2}}
  %r = moe.expert_ffn fused = blocks ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0, %u1 : tensor<4x8x16xf32>, tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32, %a1: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @down_rank(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects down weights of rank 3, got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @down(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x9xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects down weights of 4 x 16 x 8 floats, got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x9xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @up(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects up weights of 4 x 8 x 32 floats, got}}
  %r = moe.expert_ffn fused = interleaved ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32, %a1: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @wide(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf64>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{has up weights of f64 for sums of f32}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf64>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @bias_count(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>, %b: tensor<4x16xf32>) {
  // expected-error @+1 {{has 2 biases for 1 weights up}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) up_biases(%b, %b : tensor<4x16xf32>, tensor<4x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @bias(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>, %b: tensor<4x16xf32>) {
  // expected-error @+1 {{expects a bias of 4 x 8 floats, got}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) down_bias(%b : tensor<4x16xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @arguments(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{expects an activation of 1 'f32'}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32, %a1: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @slot_major(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{orders choices for a capacity, but has none}}
  %r = moe.expert_ffn slot_major ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield %a0 : f32
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @yield(%x: tensor<?x8xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x2xf32>, %u0: tensor<4x8x16xf32>, %d: tensor<4x16x8xf32>, %y: tensor<?x8xf32>) {
  // expected-error @+1 {{has an activation that does not yield one 'f32'}}
  %r = moe.expert_ffn ins(%x, %ids, %w : tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u0 : tensor<4x8x16xf32>) down(%d : tensor<4x16x8xf32>) outs(%y : tensor<?x8xf32>) activation {
  ^bb0(%a0: f32):
    moe.yield
  } -> tensor<?x8xf32>
  return
}
