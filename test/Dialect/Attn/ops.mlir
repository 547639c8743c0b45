// What is printed can be read, and is the same again: the examples of the documentation.

// RUN: weft-opt %s > %t.1
// RUN: weft-opt %t.1 > %t.2
// RUN: cmp %t.1 %t.2
// RUN: FileCheck %s < %t.1

// CHECK: attn.attend causal scale = 2.500000e-01 window = [64, -1] ins(
func.func @attention(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x8xf32>,
                     %bias: tensor<1x7xf32>) -> tensor<2x4x3x8xf32> {
  %past = arith.constant 4 : index
  %init = tensor.empty() : tensor<2x4x3x8xf32>
  %y = attn.attend causal scale = 0.25 window = [64, -1]
         ins(%q, %k, %v : tensor<2x4x3x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x8xf32>)
         bias(%bias : tensor<1x7xf32>) offset(%past)
         outs(%init : tensor<2x4x3x8xf32>) -> tensor<2x4x3x8xf32>
  return %y : tensor<2x4x3x8xf32>
}

// CHECK: attn.attend layout = "sd,td,te->se" ins({{.*}} score {
func.func @region(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>,
                  %init: tensor<5x8xf32>) -> tensor<5x8xf32> {
  %y = attn.attend layout = "sd,td,te->se"
         ins(%q, %k, %v : tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>)
         outs(%init : tensor<5x8xf32>) score {
  ^bb0(%score: f32, %b: index, %h: index, %s: index, %t: index):
    %difference = arith.subi %t, %s : index
    %distance = math.absi %difference : index
    %integer = arith.index_cast %distance : index to i32
    %float = arith.sitofp %integer : i32 to f32
    %log = math.log1p %float : f32
    %less = arith.subf %score, %log : f32
    attn.yield %less : f32
  } -> tensor<5x8xf32>
  return %y : tensor<5x8xf32>
}

// CHECK: attn.partial layout = "hsd,htd,hte->hse" ins(
func.func @pieces(%q: tensor<2x1x8xf16>, %k: tensor<2x7x8xf16>, %v: tensor<2x7x8xf16>)
    -> (tensor<3x2x1x8xf32>, tensor<3x2x1xf32>) {
  %o = tensor.empty() : tensor<3x2x1x8xf32>
  %l = tensor.empty() : tensor<3x2x1xf32>
  %parts, %logs = attn.partial layout = "hsd,htd,hte->hse"
    ins(%q, %k, %v : tensor<2x1x8xf16>, tensor<2x7x8xf16>, tensor<2x7x8xf16>)
    outs(%o, %l : tensor<3x2x1x8xf32>, tensor<3x2x1xf32>)
    -> tensor<3x2x1x8xf32>, tensor<3x2x1xf32>
  return %parts, %logs : tensor<3x2x1x8xf32>, tensor<3x2x1xf32>
}

// CHECK: attn.merge ins(
func.func @merge(%parts: tensor<3x2x8xf32>, %logs: tensor<3x2xf32>)
    -> (tensor<2x8xf16>, tensor<2xf32>) {
  %o = tensor.empty() : tensor<2x8xf16>
  %l = tensor.empty() : tensor<2xf32>
  %y, %log = attn.merge ins(%parts, %logs : tensor<3x2x8xf32>, tensor<3x2xf32>)
    outs(%o, %l : tensor<2x8xf16>, tensor<2xf32>) -> tensor<2x8xf16>, tensor<2xf32>
  return %y, %log : tensor<2x8xf16>, tensor<2xf32>
}

// CHECK: attn.linear causal normalize features = elu_plus_one ins(
func.func @linear(%q: tensor<2x5x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x3xf32>,
                  %o: tensor<2x5x3xf32>, %state: tensor<2x4x3xf32>, %norm: tensor<2x4xf32>)
    -> (tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) {
  %y, %s, %n = attn.linear causal normalize features = elu_plus_one
    ins(%q, %k, %v : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>)
    outs(%o, %state, %norm : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>)
    -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  return %y, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
}

// CHECK: attn.kv_append ins({{.*}}) starts(
func.func @append(%rows: tensor<2x4x1x8xf32>, %cache: tensor<2x4x16x8xf32>,
                  %starts: tensor<2xi32>) -> tensor<2x4x16x8xf32> {
  %y = attn.kv_append ins(%rows : tensor<2x4x1x8xf32>) starts(%starts : tensor<2xi32>)
    outs(%cache : tensor<2x4x16x8xf32>) -> tensor<2x4x16x8xf32>
  return %y : tensor<2x4x16x8xf32>
}

// CHECK: attn.kv_evict sinks = 4 recent = 8 ins({{.*}}) caches(
func.func @evict(%scores: tensor<2x4x32xf32>, %k: tensor<2x4x32x8xf32>,
                 %kept: tensor<2x4x16xi32>, %small: tensor<2x4x16x8xf32>)
    -> (tensor<2x4x16xi32>, tensor<2x4x16x8xf32>) {
  %i, %y = attn.kv_evict sinks = 4 recent = 8
    ins(%scores : tensor<2x4x32xf32>) caches(%k : tensor<2x4x32x8xf32>)
    outs(%kept, %small : tensor<2x4x16xi32>, tensor<2x4x16x8xf32>)
    -> tensor<2x4x16xi32>, tensor<2x4x16x8xf32>
  return %i, %y : tensor<2x4x16xi32>, tensor<2x4x16x8xf32>
}

// All operands at once.
// CHECK: attn.attend causal scale = 5.000000e-01 softcap = 3.000000e+01 window = [8, -1] globals = 4 empty_rows = nan
// CHECK-SAME: bias({{.*}}) mask({{.*}}) block_mask [2, 4]({{.*}}) slopes({{.*}}) sinks({{.*}}) key_lengths({{.*}}) starts({{.*}}) offset({{.*}}) outs(
func.func @all(%q: tensor<?x4x?x8xf16>, %k: tensor<?x2x?x8xf16>, %v: tensor<?x2x?x5xf16>,
               %bias: tensor<1x?x?xf16>, %mask: tensor<?x1x1x?xi8>, %blocks: tensor<?x?xi8>,
               %slopes: tensor<4xf32>, %sinks: tensor<4xf16>, %lengths: tensor<?xi32>,
               %starts: tensor<?xi64>, %offset: index, %init: tensor<?x4x?x5xf16>, %log: tensor<?x4x?xf32>)
    -> (tensor<?x4x?x5xf16>, tensor<?x4x?xf32>) {
  %y, %l = attn.attend causal scale = 0.5 softcap = 30.0 window = [8, -1] globals = 4 empty_rows = nan
    ins(%q, %k, %v : tensor<?x4x?x8xf16>, tensor<?x2x?x8xf16>, tensor<?x2x?x5xf16>)
    bias(%bias : tensor<1x?x?xf16>) mask(%mask : tensor<?x1x1x?xi8>)
    block_mask [2, 4](%blocks : tensor<?x?xi8>) slopes(%slopes : tensor<4xf32>)
    sinks(%sinks : tensor<4xf16>) key_lengths(%lengths : tensor<?xi32>)
    starts(%starts : tensor<?xi64>) offset(%offset)
    outs(%init, %log : tensor<?x4x?x5xf16>, tensor<?x4x?xf32>) -> tensor<?x4x?x5xf16>, tensor<?x4x?xf32>
  return %y, %l : tensor<?x4x?x5xf16>, tensor<?x4x?xf32>
}

// CHECK: attn.attend layout = "shd,pthd,pthe->she" ins({{.*}}) key_lengths({{.*}}) pages({{.*}}) query_offsets(
func.func @pages(%q: tensor<?x4x8xf32>, %k: tensor<?x16x2x8xf32>, %v: tensor<?x16x2x5xf32>,
                 %lengths: tensor<?xi32>, %table: tensor<?x?xi32>, %offsets: tensor<?xi32>,
                 %init: tensor<?x4x5xf32>) -> tensor<?x4x5xf32> {
  %y = attn.attend layout = "shd,pthd,pthe->she"
    ins(%q, %k, %v : tensor<?x4x8xf32>, tensor<?x16x2x8xf32>, tensor<?x16x2x5xf32>)
    key_lengths(%lengths : tensor<?xi32>) pages(%table : tensor<?x?xi32>)
    query_offsets(%offsets : tensor<?xi32>) outs(%init : tensor<?x4x5xf32>) -> tensor<?x4x5xf32>
  return %y : tensor<?x4x5xf32>
}

// CHECK: attn.kv_append circular layout = "thd->pthd" ins({{.*}}) starts({{.*}}) lengths({{.*}}) pages({{.*}}) row_offsets(
func.func @append_pages(%rows: tensor<?x2x8xi8>, %starts: tensor<?xi32>, %lengths: tensor<?xi32>,
                        %table: tensor<?x?xi32>, %offsets: tensor<?xi32>, %cache: tensor<?x16x2x8xi8>)
    -> tensor<?x16x2x8xi8> {
  %y = attn.kv_append circular layout = "thd->pthd" ins(%rows : tensor<?x2x8xi8>)
    starts(%starts : tensor<?xi32>) lengths(%lengths : tensor<?xi32>)
    pages(%table : tensor<?x?xi32>) row_offsets(%offsets : tensor<?xi32>)
    outs(%cache : tensor<?x16x2x8xi8>) -> tensor<?x16x2x8xi8>
  return %y : tensor<?x16x2x8xi8>
}
