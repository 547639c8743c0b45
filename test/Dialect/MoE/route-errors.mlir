// RUN: weft-opt %s --split-input-file --verify-diagnostics

func.func @one_init(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{has 1 inits, expected 2, one for each result}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) outs(%i : tensor<?x2xi32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @result_type(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{has a result of type 'tensor<?x2xi64>' and an init of type 'tensor<?x2xi32>'}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi64>, tensor<?x2xf32>
  return
}

// -----

func.func @logits_rank(%x: tensor<8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects logits of rank 2 of floats, got}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @logits_type(%x: tensor<?x8xi32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects logits of rank 2 of floats, got}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xi32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @no_experts(%x: tensor<?x0xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects at least one expert}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x0xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @ids_type(%x: tensor<?x8xf32>, %i: tensor<?x2xi64>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects numbers of experts of type tensor<?xKxi32>, got}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x2xi64>, tensor<?x2xf32>
  return
}

// -----

func.func @ids_tokens(%x: tensor<4x8xf32>, %i: tensor<5x2xi32>, %w: tensor<5x2xf32>) {
  // expected-error @+1 {{expects numbers of experts of type tensor<4xKxi32>, got}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<4x8xf32>) outs(%i, %w : tensor<5x2xi32>, tensor<5x2xf32>) -> tensor<5x2xi32>, tensor<5x2xf32>
  return
}

// -----

func.func @weights_shape(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x3xf32>) {
  // expected-error @+1 {{expects weights of the shape of the numbers and of}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x3xf32>) -> tensor<?x2xi32>, tensor<?x3xf32>
  return
}

// -----

func.func @weights_type(%x: tensor<?x8xf64>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects weights of the shape of the numbers and of}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf64>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @shared(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{has 3 shared experts in 2 slots}}
  %ids, %weights = moe.route softmax top_k shared = 3 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @slot_for_each(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %c: index) {
  // expected-error @+1 {{expects a slot for each of 8 experts, got 2}}
  %ids, %weights = moe.route softmax expert_choice ins(%x : tensor<?x8xf32>) capacity(%c) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @too_many(%x: tensor<?x8xf32>, %i: tensor<?x9xi32>, %w: tensor<?x9xf32>) {
  // expected-error @+1 {{chooses 9 of 8 experts}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x9xi32>, tensor<?x9xf32>) -> tensor<?x9xi32>, tensor<?x9xf32>
  return
}

// -----

func.func @no_threshold(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects a threshold}}
  %ids, %weights = moe.route softmax top_p ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @threshold(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{has a threshold, which only top_p and threshold take}}
  %ids, %weights = moe.route softmax top_k threshold = 0.5 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @threshold_nan(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects a finite threshold}}
  %ids, %weights = moe.route softmax top_p threshold = 0x7FF8000000000000 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @iterations(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects iterations for sinkhorn, and for nothing else}}
  %ids, %weights = moe.route softmax top_k iterations = 3 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @many_iterations(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects 1 to 1000 iterations, got 0}}
  %ids, %weights = moe.route softmax sinkhorn iterations = 0 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @capacity(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %c: index) {
  // expected-error @+1 {{expects a capacity for expert_choice, and for nothing else}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) capacity(%c) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @table(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects a table and tokens for table, and for nothing else}}
  %ids, %weights = moe.route softmax table ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @table_keys(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %t: tensor<9x2xi32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{takes experts from a table, which has no keys}}
  %ids, %weights = moe.route softmax table by_logits ins(%x : tensor<?x8xf32>) table(%t, %n : tensor<9x2xi32>, tensor<?xi64>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @choice_groups(%x: tensor<?x8xf32>, %i: tensor<?x8xi32>, %w: tensor<?x8xf32>, %c: index) {
  // expected-error @+1 {{lets experts choose, who have no groups}}
  %ids, %weights = moe.route softmax expert_choice groups = <count = 2, keep = 1, by = max> ins(%x : tensor<?x8xf32>) capacity(%c) outs(%i, %w : tensor<?x8xi32>, tensor<?x8xf32>) -> tensor<?x8xi32>, tensor<?x8xf32>
  return
}

// -----

func.func @bias(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %b: tensor<7xf32>) {
  // expected-error @+1 {{expects a bias of 8 floats, got}}
  %ids, %weights = moe.route softmax top_k ins(%x : tensor<?x8xf32>) bias(%b : tensor<7xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @table_type(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %t: tensor<9x3xi32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{expects a table of rank 2 of i32 or i64 with 2 columns, got}}
  %ids, %weights = moe.route softmax table ins(%x : tensor<?x8xf32>) table(%t, %n : tensor<9x3xi32>, tensor<?xi64>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @tokens_type(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>, %t: tensor<9x2xi32>, %n: tensor<?xi8>) {
  // expected-error @+1 {{expects ? tokens of i32 or i64, got}}
  %ids, %weights = moe.route softmax table ins(%x : tensor<?x8xf32>) table(%t, %n : tensor<9x2xi32>, tensor<?xi8>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @groups(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{has 8 experts in 3 groups}}
  %ids, %weights = moe.route softmax top_k groups = <count = 3, keep = 1, by = max> ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @few_in_groups(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{chooses 2 of 1 experts in groups}}
  %ids, %weights = moe.route softmax top_k groups = <count = 8, keep = 1, by = max> ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @dynamic_groups(%x: tensor<?x?xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects a static number of experts in groups}}
  %ids, %weights = moe.route softmax top_k groups = <count = 2, keep = 1, by = max> ins(%x : tensor<?x?xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @scale(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects finite numbers}}
  %ids, %weights = moe.route softmax top_k scale = 0x7FF0000000000000 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @epsilon(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects an epsilon of at least 0}}
  %ids, %weights = moe.route softmax top_k epsilon = -1.0 ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @no_groups(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{has 0 groups of experts, expected at least 1}}
  %ids, %weights = moe.route softmax top_k groups = <count = 0, keep = 1, by = max> ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @kept_groups(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{keeps 3 of 2 groups of experts}}
  %ids, %weights = moe.route softmax top_k groups = <count = 2, keep = 3, by = max> ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @others(%x: tensor<?x8xf32>, %i: tensor<?x2xi32>, %w: tensor<?x2xf32>) {
  // expected-error @+1 {{expects the key of others as a number of f64, got 0.000000e+00 : f32}}
  %ids, %weights = moe.route softmax top_k groups = <count = 8, keep = 1, by = max, others = 0.0 : f32> ins(%x : tensor<?x8xf32>) outs(%i, %w : tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
