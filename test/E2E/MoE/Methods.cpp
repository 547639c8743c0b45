//===- Methods.cpp - Prints modules of the named methods ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Usage: weft-moe-methods METHOD: a module of one method for any number of tokens T. Its
// inputs are those that the method has of logits [T, 8], bias [8], table [10, 3], tokens [T],
// ids [T, 2] and weights [T, 2].
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/Methods.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>

using namespace mlir;
using namespace weft::moe;

namespace {
/// A function that is being built; inputs are made when they are asked for.
struct Model {
  OpBuilder b;
  Location loc;
  func::FuncOp function;

  Value input(StringRef name, ArrayRef<int64_t> shape, Type element);
  Value logits() { return input("logits", {ShapedType::kDynamic, 8}, b.getF32Type()); }
  Value bias() { return input("bias", {8}, b.getF32Type()); }
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
};
} // namespace

Value Model::input(StringRef name, ArrayRef<int64_t> shape, Type element) {
  SmallVector<Attribute> dims;
  for (int64_t extent : shape)
    dims.push_back(ShapedType::isDynamic(extent) ? Attribute(b.getStringAttr("T"))
                                                 : Attribute(b.getI64IntegerAttr(extent)));
  NamedAttribute attributes[] = {{"weft.name", b.getStringAttr(name)},
                                 {"weft.dims", b.getArrayAttr(dims)}};
  unsigned number = function.getNumArguments();
  (void)function.insertArgument(number, RankedTensorType::get(shape, element),
                                b.getDictionaryAttr(attributes), loc);
  return function.getArgument(number);
}

static const llvm::StringMap<std::function<Operation *(Model &)>> &methods() {
  static const llvm::StringMap<std::function<Operation *(Model &)>> all = {
      {"softmax", [](Model &m) { return buildSoftmaxTopK(m.b, m.loc, m.logits(), 3); }},
      {"normalized", [](Model &m) { return buildSoftmaxTopK(m.b, m.loc, m.logits(), 3, true); }},
      {"mixtral", [](Model &m) { return buildTopKSoftmax(m.b, m.loc, m.logits(), 2); }},
      {"llama4", [](Model &m) { return buildTop1Sigmoid(m.b, m.loc, m.logits()); }},
      {"deepseek2", [](Model &m) { return buildDeepSeekV2(m.b, m.loc, m.logits(), 3, 4, 2, 16); }},
      {"deepseek3",
       [](Model &m) {
         Value logits = m.logits();
         return buildDeepSeekV3(m.b, m.loc, logits, m.bias(), 3, 4, 2, 2.5);
       }},
      {"kimi",
       [](Model &m) {
         Value logits = m.logits();
         return buildDeepSeekV3(m.b, m.loc, logits, m.bias(), 3);
       }},
      {"deepseek4",
       [](Model &m) {
         Value logits = m.logits();
         return buildDeepSeekV4(m.b, m.loc, logits, m.bias(), 3);
       }},
      {"hash",
       [](Model &m) {
         Value logits = m.logits(), table = m.input("table", {10, 3}, m.b.getI32Type());
         return buildHash(m.b, m.loc, logits, table,
                          m.input("tokens", {ShapedType::kDynamic}, m.b.getI64Type()));
       }},
      {"top_p", [](Model &m) { return buildTopP(m.b, m.loc, m.logits(), 5, 0.6); }},
      {"expert_choice",
       [](Model &m) { return buildExpertChoice(m.b, m.loc, m.logits(), m.constant(2)); }},
      {"sinkhorn", [](Model &m) { return buildSinkhorn(m.b, m.loc, m.logits(), 2, 20); }},
      {"capacity",
       [](Model &m) {
         Value ids = m.input("ids", {ShapedType::kDynamic, 2}, m.b.getI32Type());
         return buildCapacity(m.b, m.loc, ids, 8, m.constant(2));
       }},
      {"prioritized",
       [](Model &m) {
         Value ids = m.input("ids", {ShapedType::kDynamic, 2}, m.b.getI32Type());
         Value weights = m.input("weights", {ShapedType::kDynamic, 2}, m.b.getF32Type());
         return buildBatchPrioritized(m.b, m.loc, ids, weights, 8, m.constant(2));
       }},
  };
  return all;
}

int main(int count, char **words) {
  MLIRContext context;
  context.loadDialect<MoEDialect, arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
                      tensor::TensorDialect>();
  auto method = count > 1 ? methods().find(words[1]) : methods().end();
  if (method == methods().end()) {
    llvm::errs() << "unknown method\n";
    return 1;
  }
  OpBuilder b(&context);
  Location loc = b.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  b.setInsertionPointToEnd(module->getBody());
  Type index = b.getIndexType();
  auto function = func::FuncOp::create(b, loc, "main", b.getFunctionType(index, {}));
  function.setArgAttr(0, "weft.symbol", b.getStringAttr("T"));
  Model model{OpBuilder::atBlockEnd(function.addEntryBlock()), loc, function};
  Operation *op = method->second(model);
  func::ReturnOp::create(model.b, loc, op->getResults());
  function.setType(b.getFunctionType(function.getArgumentTypes(), op->getResultTypes()));
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    function.setResultAttr(i, "weft.name", b.getStringAttr("r" + std::to_string(i)));
  if (failed(verify(*module)))
    return 1;
  module->print(llvm::outs());
  return 0;
}
