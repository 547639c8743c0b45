//===- InlineFunctions.cpp - Replaces calls by the bodies of functions ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace weft {
#define GEN_PASS_DEF_INLINEFUNCTIONS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// Inlines the calls of functions, those of what they call first.
class Inliner {
public:
  explicit Inliner(ModuleOp module) : symbols(module) {}

  LogicalResult run(func::FuncOp function) {
    if (!visited.insert(function).second)
      return success();
    active.insert(function);
    SmallVector<func::CallOp> calls;
    function.walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls)
      if (failed(replace(call)))
        return failure();
    active.erase(function);
    return success();
  }

private:
  LogicalResult replace(func::CallOp call) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee || callee.isDeclaration())
      return call.emitOpError("calls @") << call.getCallee() << ", which has no body";
    if (!callee.getBody().hasOneBlock())
      return call.emitOpError("calls @") << call.getCallee() << ", which has several blocks";
    if (active.contains(callee))
      return call.emitOpError("calls @") << call.getCallee() << ", which calls it in turn";
    if (failed(run(callee)))
      return failure();
    Block &body = callee.getBody().front();
    IRMapping mapping;
    mapping.map(body.getArguments(), call.getOperands());
    OpBuilder builder(call);
    for (Operation &op : body.without_terminator())
      builder.clone(op, mapping);
    for (auto [result, value] : llvm::zip(call.getResults(), body.getTerminator()->getOperands()))
      result.replaceAllUsesWith(mapping.lookupOrDefault(value));
    call.erase();
    return success();
  }

  SymbolTable symbols;
  DenseSet<func::FuncOp> visited, active;
};

struct InlineFunctions : weft::impl::InlineFunctionsBase<InlineFunctions> {
  void runOnOperation() override {
    DenseSet<StringAttr> called;
    getOperation().walk(
        [&](func::CallOp call) { called.insert(call.getCalleeAttr().getRootReference()); });
    if (called.empty())
      return;
    Inliner inliner(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(inliner.run(function)))
        return signalPassFailure();
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (function.isPrivate() && called.contains(function.getSymNameAttr()))
        function.erase();
  }
};
} // namespace
