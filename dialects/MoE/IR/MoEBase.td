//===- MoEBase.td - The moe dialect and its attributes -----*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MOE_BASE_TD
#define MOE_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def MoE_Dialect : Dialect {
  let name = "moe";
  let cppNamespace = "::weft::moe";
  let summary = "Mixtures of experts and conditional depth";
  let description = [{
    Routed layers in few operations: `moe.route` chooses experts for tokens,
    `moe.plan` sorts what they chose by expert, `moe.grouped_matmul` multiplies the
    rows of each expert by its weights, and `moe.combine` adds the results up for
    each token, in a fixed order. `moe.expert_ffn` is the last three in one until
    stage `fuse`. Methods are configurations of these.

    T tokens, E experts, K slots a token. An expert's number is an i32, -1 in slots
    without one. Ragged data is values and `offsets`: i32, one more than there are
    groups, ascending from 0; group g is rows offsets[g] to offsets[g + 1] - 1.
  }];
  let dependentDialects = [
    "::weft::WeftDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
  let useDefaultAttributePrinterParser = 1;
}

class MoE_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::weft::moe";
}

def MoE_Score : MoE_Enum<"Score", "what logits become", [
    I32EnumAttrCase<"Identity", 0, "identity">,
    I32EnumAttrCase<"Softmax", 1, "softmax">,
    I32EnumAttrCase<"Sigmoid", 2, "sigmoid">,
    I32EnumAttrCase<"SqrtSoftplus", 3, "sqrt_softplus">]>;

def MoE_Selection : MoE_Enum<"Selection", "how experts are chosen", [
    I32EnumAttrCase<"TopK", 0, "top_k">,
    I32EnumAttrCase<"TopP", 1, "top_p">,
    I32EnumAttrCase<"Threshold", 2, "threshold">,
    I32EnumAttrCase<"ExpertChoice", 3, "expert_choice">,
    I32EnumAttrCase<"Table", 4, "table">,
    I32EnumAttrCase<"Sinkhorn", 5, "sinkhorn">]>;

def MoE_Normalization : MoE_Enum<"Normalization", "how the weights of a token are normalized", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"Sum", 1, "sum">,
    I32EnumAttrCase<"Softmax", 2, "softmax">,
    I32EnumAttrCase<"SumPlus", 3, "sum_plus">]>;

def MoE_GroupScore : MoE_Enum<"GroupScore", "what a group of experts counts", [
    I32EnumAttrCase<"Max", 0, "max">,
    I32EnumAttrCase<"Top2Sum", 1, "top2_sum">]>;

def MoE_Drop : MoE_Enum<"Drop", "which tokens a full expert drops", [
    I32EnumAttrCase<"Last", 0, "last">,
    I32EnumAttrCase<"Least", 1, "least">]>;

def MoE_Fusion : MoE_Enum<"Fusion", "where the two halves of a gated layer lie", [
    I32EnumAttrCase<"Separate", 0, "separate">,
    I32EnumAttrCase<"Blocks", 1, "blocks">,
    I32EnumAttrCase<"Interleaved", 2, "interleaved">]>;

def MoE_GroupsAttr : AttrDef<MoE_Dialect, "Groups"> {
  let mnemonic = "groups";
  let summary = "Groups of experts, of which a token uses few";
  let description = [{
    Experts lie in `count` groups of equal size, in order. A token chooses among
    the experts of the `keep` groups that count most: by their best key or by the
    sum of their two best. Ties go to the lowest group.

    With `others` the experts of the other groups can be chosen too, all by this key
    instead of their own: what implementations mean that fill the keys of those groups
    with 0.

    ```mlir
    #moe.groups<count = 8, keep = 4, by = top2_sum>
    ```
  }];
  let genVerifyDecl = 1;
  let parameters = (ins "int64_t":$count, "int64_t":$keep,
                        EnumParameter<MoE_GroupScore>:$by,
                        OptionalParameter<"::mlir::FloatAttr">:$others);
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif // MOE_BASE_TD
