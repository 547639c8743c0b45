// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @needs_angle(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{needs 'angle' for the transition 'rotation'}}
  %r:2 = ssm.scan outer rotation query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @no_alpha(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %decay: tensor<2x7x3xf32>, %alpha: tensor<2x7x3x4xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{takes no 'alpha' for the transition 'scalar'}}
  %r:2 = ssm.scan outer scalar query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) decay(%decay : tensor<2x7x3xf32>) alpha(%alpha : tensor<2x7x3x4xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @needs_beta(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %alpha: tensor<2x7x3x4xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{needs 'beta' for the transition 'householder'}}
  %r:2 = ssm.scan outer householder query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) alpha(%alpha : tensor<2x7x3x4xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @needs_matrix(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{needs 'matrix' for the transition 'dense_lti'}}
  %r:2 = ssm.scan outer dense_lti query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @needs_decay(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{needs 'decay' or 'rate' for the transition 'diag'}}
  %r:2 = ssm.scan outer diag query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @no_decay(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %decay: tensor<2x7x3xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{takes no 'decay' or 'rate' for the transition 'identity'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) decay(%decay : tensor<2x7x3xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @linear_rate(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %decay: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{takes no 'rate' where decays are linear}}
  %r:2 = ssm.scan outer scalar linear query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) decay(%decay : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @vector_key(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x4xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x3x4xf32>) {
  // expected-error @+1 {{takes no 'key' for a state that is a vector}}
  %r:2 = ssm.scan vector identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x4xf32>) outs(%o0, %o1 : tensor<2x7x3xf32>, tensor<2x3x4xf32>) -> tensor<2x7x3xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @bonus(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %bonus: tensor<3x4xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{takes 'bonus' only with a query, one key a token and read = pre}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) bonus(%bonus : tensor<3x4xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @rank_range(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects rank in [1, 64], got 0}}
  %r:2 = ssm.scan outer identity rank = 0 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @substeps_range(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects substeps in [1, 64], got 65}}
  %r:2 = ssm.scan outer identity substeps = 65 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @rank(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has a rank only for the transition 'diag_plus_lowrank'}}
  %r:2 = ssm.scan outer identity rank = 2 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @reads(%key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x4x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has several reads only with a query}}
  %r:2 = ssm.scan outer identity reads = 7 key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x4x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x4x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @lowrank_substeps(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %alpha: tensor<2x7x3x4xf32>, %beta: tensor<2x7x3x4xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has no substeps for the transition 'diag_plus_lowrank'}}
  %r:2 = ssm.scan outer diag_plus_lowrank substeps = 7 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) alpha(%alpha : tensor<2x7x3x4xf32>) beta(%beta : tensor<2x7x3x4xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @inits(%value: tensor<2x7x3x5xf32>, %init: tensor<2x7x3x5xf32>) {
  // expected-error @+1 {{expects inits of the output and of the state}}
  %y, %s = "ssm.scan"(%value, %init) <{state = 1 : i32, transition = 0 : i32, operandSegmentSizes = array<i32: 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1>}> : (tensor<2x7x3x5xf32>, tensor<2x7x3x5xf32>) -> (tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>)
  return
}

// -----

func.func @pairs(%value: tensor<2x7x3x3x5xf32>, %angle: tensor<2x7x3x1xf32>, %o0: tensor<2x7x3x3x5xf32>, %o1: tensor<2x3x3x5xf32>) {
  // expected-error @+1 {{expects states of pairs of rows, got 'tensor<2x3x3x5xf32>'}}
  %r:2 = ssm.scan outer rotation value(%value : tensor<2x7x3x3x5xf32>) angle(%angle : tensor<2x7x3x1xf32>) outs(%o0, %o1 : tensor<2x7x3x3x5xf32>, tensor<2x3x3x5xf32>) -> tensor<2x7x3x3x5xf32>, tensor<2x3x3x5xf32>
  return
}

// -----

func.func @query_heads(%query: tensor<2x7x4x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x4x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has 4 heads of queries, no multiple of the 3 of the state}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x4x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x4x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x4x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @key_heads(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x2x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has 2 heads of 'key', which do not divide the 3 of the state}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x2x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @elements(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xi32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects 'key' of floating-point elements, got 'tensor<2x7x3x4xi32>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xi32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @state_elements(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf16>) {
  // expected-error @+1 {{expects 'final' of 'f32', got 'tensor<2x3x4x5xf16>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf16>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf16>
  return
}

// -----

func.func @state_rank(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4xf32>) {
  // expected-error @+1 {{expects 'final' of rank 4, got 'tensor<2x3x4xf32>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4xf32>
  return
}

// -----

func.func @extent(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x6xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects 'value' to have extent 5 in dimension 3, got 'tensor<2x7x3x6xf32>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x6xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @tokens(%query: tensor<2x7x3x4xf32>, %key: tensor<2x8x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects 'key' to have extent 7 in dimension 1, got 'tensor<2x8x3x4xf32>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x8x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @sources(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %sources: tensor<2xi32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{takes 'sources' only with 'initial'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) sources(%sources : tensor<2xi32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @empty_slots(%query: tensor<2x0x3x4xf32>, %key: tensor<2x0x3x4xf32>, %value: tensor<2x0x3x5xf32>, %destinations: tensor<2xi32>, %o0: tensor<2x0x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects tokens where slots are given}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x0x3x4xf32>) key(%key : tensor<2x0x3x4xf32>) value(%value : tensor<2x0x3x5xf32>) destinations(%destinations : tensor<2xi32>) outs(%o0, %o1 : tensor<2x0x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x0x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @rows(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %initial: tensor<3x3x4x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects 'initial' to have 2 rows, got 'tensor<3x3x4x5xf32>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) initial(%initial : tensor<3x3x4x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @output_rank(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects an output of rank 3 to 5, got 'tensor<2x7xf32>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @outputs(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has 7 outputs, no multiple of its reads}}
  %r:2 = ssm.scan outer identity reads = 2 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @ragged_batch(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %offsets: tensor<3xi32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects a batch of 1 where offsets divide the tokens}}
  %r:2 = ssm.scan outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) offsets(%offsets : tensor<3xi32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @no_offset(%query: tensor<1x7x3x4xf32>, %key: tensor<1x7x3x4xf32>, %value: tensor<1x7x3x5xf32>, %offsets: tensor<0xi32>, %o0: tensor<1x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects at least one offset}}
  %r:2 = ssm.scan outer identity query(%query : tensor<1x7x3x4xf32>) key(%key : tensor<1x7x3x4xf32>) value(%value : tensor<1x7x3x5xf32>) offsets(%offsets : tensor<0xi32>) outs(%o0, %o1 : tensor<1x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<1x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @offset_elements(%query: tensor<1x7x3x4xf32>, %key: tensor<1x7x3x4xf32>, %value: tensor<1x7x3x5xf32>, %offsets: tensor<3xi64>, %o0: tensor<1x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects 'offsets' of 'i32', got 'tensor<3xi64>'}}
  %r:2 = ssm.scan outer identity query(%query : tensor<1x7x3x4xf32>) key(%key : tensor<1x7x3x4xf32>) value(%value : tensor<1x7x3x5xf32>) offsets(%offsets : tensor<3xi64>) outs(%o0, %o1 : tensor<1x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<1x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @both_slots(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %destinations: tensor<2xi32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<4x3x4x5xf32>) {
  // expected-error @+1 {{takes no slots in both directions}}
  %r:2 = ssm.scan outer identity bidirectional query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) destinations(%destinations : tensor<2xi32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<4x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<4x3x4x5xf32>
  return
}

// -----

func.func @both_checkpoints(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<4x3x4x5xf32>, %o2: tensor<2x3x3x4x5xf32>) {
  // expected-error @+1 {{emits no checkpoints in both directions}}
  %r:3 = ssm.scan outer identity bidirectional emit = every count = 2 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1, %o2 : tensor<2x7x3x5xf32>, tensor<4x3x4x5xf32>, tensor<2x3x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<4x3x4x5xf32>, tensor<2x3x3x4x5xf32>
  return
}

// -----

func.func @chunk(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects a chunk of at least 0 tokens, got -1}}
  %r:2 = ssm.scan outer identity chunk = -1 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @checkpoints(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects a third init and result exactly if it emits checkpoints}}
  %r:2 = ssm.scan outer identity emit = every count = 2 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @count(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>, %o2: tensor<2x0x3x4x5xf32>) {
  // expected-error @+1 {{expects a count of at least 1, got 0}}
  %r:3 = ssm.scan outer identity emit = window count = 0 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1, %o2 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>, tensor<2x0x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>, tensor<2x0x3x4x5xf32>
  return
}

// -----

func.func @checkpoint_extent(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>, %o2: tensor<2x4x3x4x5xf32>) {
  // expected-error @+1 {{expects 'checkpoints' to have extent 3 in dimension 1, got 'tensor<2x4x3x4x5xf32>'}}
  %r:3 = ssm.scan outer identity emit = every count = 2 query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1, %o2 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>, tensor<2x4x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>, tensor<2x4x3x4x5xf32>
  return
}

// -----

func.func @step_tokens(%query: tensor<2x7x3x4xf32>, %key: tensor<2x7x3x4xf32>, %value: tensor<2x7x3x5xf32>, %o0: tensor<2x7x3x5xf32>, %o1: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects an output of one token, got 'tensor<2x7x3x5xf32>'}}
  %r:2 = ssm.step outer identity query(%query : tensor<2x7x3x4xf32>) key(%key : tensor<2x7x3x4xf32>) value(%value : tensor<2x7x3x5xf32>) outs(%o0, %o1 : tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x5xf32>, tensor<2x3x4x5xf32>
  return
}

// -----

func.func @rule_rate(%delta: tensor<2x7x3xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>) {
  // expected-error @+1 {{needs 'rate' for the rule 'zoh'}}
  %r:2 = ssm.discretize zoh delta(%delta : tensor<2x7x3xf32>) outs(%o0, %o1 : tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_imag(%delta: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %imag: tensor<3xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>, %o2: tensor<2x7x3xf32>, %o3: tensor<2x7x3xf32>) {
  // expected-error @+1 {{takes no 'imag' for the rule 'euler'}}
  %r:4 = ssm.discretize euler delta(%delta : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) imag(%imag : tensor<3xf32>) outs(%o0, %o1, %o2, %o3 : tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_gate(%delta: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %gate: tensor<2x7x3xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>) {
  // expected-error @+1 {{takes no 'gate' for the rule 'zoh'}}
  %r:2 = ssm.discretize zoh delta(%delta : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) gate(%gate : tensor<2x7x3xf32>) outs(%o0, %o1 : tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_no_gate(%delta: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>, %o2: tensor<2x7x3xf32>) {
  // expected-error @+1 {{needs 'gate' for the rule 'trapezoid'}}
  %r:3 = ssm.discretize trapezoid delta(%delta : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) outs(%o0, %o1, %o2 : tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_offsets(%delta: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %offsets: tensor<3xi32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>) {
  // expected-error @+1 {{takes no 'offsets' for the rule 'zoh'}}
  %r:2 = ssm.discretize zoh delta(%delta : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) offsets(%offsets : tensor<3xi32>) outs(%o0, %o1 : tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_inits(%delta: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %gate: tensor<2x7x3xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects 3 inits, and as many results}}
  %r:2 = ssm.discretize trapezoid delta(%delta : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) gate(%gate : tensor<2x7x3xf32>) outs(%o0, %o1 : tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_batch(%delta: tensor<2x7x3xf32>, %rate: tensor<3xf32>, %offsets: tensor<3xi32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects a batch of 1 and a rate of rank 1 where there are offsets}}
  %r:2 = ssm.discretize rglru delta(%delta : tensor<2x7x3xf32>) rate(%rate : tensor<3xf32>) offsets(%offsets : tensor<3xi32>) outs(%o0, %o1 : tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @rule_no_offset(%delta: tensor<1x7x3xf32>, %rate: tensor<3xf32>, %offsets: tensor<0xi32>, %o0: tensor<1x7x3xf32>, %o1: tensor<1x7x3xf32>) {
  // expected-error @+1 {{expects at least one offset}}
  %r:2 = ssm.discretize rglru delta(%delta : tensor<1x7x3xf32>) rate(%rate : tensor<3xf32>) offsets(%offsets : tensor<0xi32>) outs(%o0, %o1 : tensor<1x7x3xf32>, tensor<1x7x3xf32>) -> tensor<1x7x3xf32>, tensor<1x7x3xf32>
  return
}

// -----

func.func @conv_inits(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %o0: tensor<2x7x3xf32>, %o1: tensor<2x7x3xf32>, %o2: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects 1 or 2 inits, and as many results}}
  %r:3 = ssm.causal_conv1d  ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>)  outs(%o0, %o1, %o2 : tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>) -> tensor<2x7x3xf32>, tensor<2x7x3xf32>, tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_dilation(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects a dilation of at least 1, got -2}}
  %r = ssm.causal_conv1d dilation = -2 ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>)  outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_width(%x: tensor<2x7x3xf32>, %w: tensor<3x?xf32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects a filter of static width, at least 1, got 'tensor<3x?xf32>'}}
  %r = ssm.causal_conv1d  ins(%x, %w : tensor<2x7x3xf32>, tensor<3x?xf32>)  outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_reach(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{reaches back more than 2^31 tokens}}
  %r = ssm.causal_conv1d dilation = 1000000000 ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>)  outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_batch(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %offsets: tensor<3xi32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects a batch of 1 where offsets divide the tokens}}
  %r = ssm.causal_conv1d  ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>) offsets(%offsets : tensor<3xi32>) outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_no_offset(%x: tensor<1x7x3xf32>, %w: tensor<3x4xf32>, %offsets: tensor<0xi32>, %o0: tensor<1x7x3xf32>) {
  // expected-error @+1 {{expects at least one offset}}
  %r = ssm.causal_conv1d  ins(%x, %w : tensor<1x7x3xf32>, tensor<3x4xf32>) offsets(%offsets : tensor<0xi32>) outs(%o0 : tensor<1x7x3xf32>) -> tensor<1x7x3xf32>
  return
}

// -----

func.func @conv_sources(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %sources: tensor<2xi32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{takes 'sources' only with 'state'}}
  %r = ssm.causal_conv1d  ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>) sources(%sources : tensor<2xi32>) outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_destinations(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %destinations: tensor<2xi32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{takes 'destinations' only with an init of the next state}}
  %r = ssm.causal_conv1d  ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>) destinations(%destinations : tensor<2xi32>) outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @conv_state(%x: tensor<2x7x3xf32>, %w: tensor<3x4xf32>, %state: tensor<2x4x3xf32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects 'state' to have extent 3 in dimension 1, got 'tensor<2x4x3xf32>'}}
  %r = ssm.causal_conv1d  ins(%x, %w : tensor<2x7x3xf32>, tensor<3x4xf32>) state(%state : tensor<2x4x3xf32>) outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @long_filter(%i0: tensor<2x7x3xf32>, %i1: tensor<4x7xf32>, %o0: tensor<2x7x3xf32>) {
  // expected-error @+1 {{expects 'filter' to have extent 3 in dimension 0, got 'tensor<4x7xf32>'}}
  %r = ssm.long_conv ins(%i0, %i1 : tensor<2x7x3xf32>, tensor<4x7xf32>)  outs(%o0 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  return
}

// -----

func.func @reduce_heads(%i0: tensor<2x7x2x4xf32>, %i1: tensor<2x7x3x5xf32>, %o0: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{has 2 heads of 'key', which do not divide the 3 of the state}}
  %r = ssm.reduce_state ins(%i0, %i1 : tensor<2x7x2x4xf32>, tensor<2x7x3x5xf32>)  outs(%o0 : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  return
}

// -----

func.func @reduce_batch(%i0: tensor<2x7x3x4xf32>, %i1: tensor<2x7x3x5xf32>, %offsets: tensor<3xi32>, %o0: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects a batch of 1 where offsets divide the tokens}}
  %r = ssm.reduce_state ins(%i0, %i1 : tensor<2x7x3x4xf32>, tensor<2x7x3x5xf32>) offsets(%offsets : tensor<3xi32>) outs(%o0 : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  return
}

// -----

func.func @reduce_no_offset(%i0: tensor<1x7x3x4xf32>, %i1: tensor<1x7x3x5xf32>, %offsets: tensor<0xi32>, %o0: tensor<2x3x4x5xf32>) {
  // expected-error @+1 {{expects at least one offset}}
  %r = ssm.reduce_state ins(%i0, %i1 : tensor<1x7x3x4xf32>, tensor<1x7x3x5xf32>) offsets(%offsets : tensor<0xi32>) outs(%o0 : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  return
}

// -----

func.func @reduce_result(%i0: tensor<2x7x3x4xf16>, %i1: tensor<2x7x3x5xf16>, %o0: tensor<2x3x4x5xf16>) {
  // expected-error @+1 {{expects 'result' of 'f32', got 'tensor<2x3x4x5xf16>'}}
  %r = ssm.reduce_state ins(%i0, %i1 : tensor<2x7x3x4xf16>, tensor<2x7x3x5xf16>)  outs(%o0 : tensor<2x3x4x5xf16>) -> tensor<2x3x4x5xf16>
  return
}

// -----

func.func @segsum_input(%i0: tensor<f32>, %o0: tensor<f32>) {
  // expected-error @+1 {{expects a floating-point 'decay' of rank 1 or more, got 'tensor<f32>'}}
  %r = ssm.segsum ins(%i0 : tensor<f32>)  outs(%o0 : tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @segsum_result(%i0: tensor<2x6xf32>, %o0: tensor<2x6x7xf32>) {
  // expected-error @+1 {{expects 'result' to be like 'tensor<2x6x6xf32>', got 'tensor<2x6x7xf32>'}}
  %r = ssm.segsum ins(%i0 : tensor<2x6xf32>)  outs(%o0 : tensor<2x6x7xf32>) -> tensor<2x6x7xf32>
  return
}

// -----

func.func @solve_square(%i0: tensor<2x6x7xf32>, %i1: tensor<2x6x4xf32>, %o0: tensor<2x6x4xf32>) {
  // expected-error @+1 {{expects square floating-point matrices, got 'tensor<2x6x7xf32>'}}
  %r = ssm.solve_tril ins(%i0, %i1 : tensor<2x6x7xf32>, tensor<2x6x4xf32>)  outs(%o0 : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  return
}

// -----

func.func @solve_rank(%i0: tensor<2x6x6xf32>, %i1: tensor<6x4xf32>, %o0: tensor<6x4xf32>) {
  // expected-error @+1 {{expects a floating-point 'rhs' of rank 3, got 'tensor<6x4xf32>'}}
  %r = ssm.solve_tril ins(%i0, %i1 : tensor<2x6x6xf32>, tensor<6x4xf32>)  outs(%o0 : tensor<6x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @solve_rhs(%i0: tensor<2x6x6xf32>, %i1: tensor<2x5x4xf32>, %o0: tensor<2x6x4xf32>) {
  // expected-error @+1 {{expects 'rhs' to be like 'tensor<2x6x4xf32>', got 'tensor<2x5x4xf32>'}}
  %r = ssm.solve_tril ins(%i0, %i1 : tensor<2x6x6xf32>, tensor<2x5x4xf32>)  outs(%o0 : tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  return
}

// -----

func.func @region_dimension(%x: tensor<9xf32>, %i: f32, %o: tensor<9xf32>) {
  // expected-error @+1 {{scans along dimension 1 of 'tensor<9xf32>'}}
  %r = ssm.scan_region dimension = 1 ins(%x : tensor<9xf32>) identity(%i : f32) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    ssm.yield %a : f32
  } -> tensor<9xf32>
  return
}

// -----

func.func @region_shapes(%x: tensor<9xf32>, %i: f32, %o: tensor<8xf32>) {
  // expected-error @+1 {{expects inputs and inits of one shape, with the elements of the identity, got 'tensor<9xf32>', 'tensor<8xf32>' and 'f32'}}
  %r = ssm.scan_region dimension = 0 ins(%x : tensor<9xf32>) identity(%i : f32) outs(%o : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    ssm.yield %a : f32
  } -> tensor<8xf32>
  return
}

// -----

func.func @region_arguments(%x: tensor<9xf32>, %i: f32, %o: tensor<9xf32>) {
  // expected-error @+1 {{expects a region of the elements of two tuples}}
  %r = ssm.scan_region dimension = 0 ins(%x : tensor<9xf32>) identity(%i : f32) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32):
    ssm.yield %a : f32
  } -> tensor<9xf32>
  return
}

// -----

func.func @region_yield(%x: tensor<9xf32>, %i: f32, %o: tensor<9xf32>) {
  // expected-error @+1 {{expects a region that yields the elements of a tuple}}
  %r = ssm.scan_region dimension = 0 ins(%x : tensor<9xf32>) identity(%i : f32) outs(%o : tensor<9xf32>) {
  ^bb0(%a: f32, %b: f32):
    ssm.yield %a, %b : f32, f32
  } -> tensor<9xf32>
  return
}

// -----

func.func @region_inputs() {
  // expected-error @+1 {{expects at least one input}}
  "ssm.scan_region"() <{dimension = 0 : i64}> ({
  ^bb0:
    ssm.yield
  }) : () -> ()
  return
}
