//===- LowerStrings.cpp - Operations on strings become calls --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/ABI.h"
#include "targets/CPU/Passes.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/DenseMap.h"

namespace weft {
#define GEN_PASS_DEF_LOWERCPUSTRINGS
#include "targets/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;

namespace {
struct LowerCPUStrings : weft::impl::LowerCPUStringsBase<LowerCPUStrings> {
  void runOnOperation() override;

private:
  /// The address of one of the strings, as an i64.
  Value lowerLiteral(ABIBuilder &abi, StringLiteralOp op);
  /// Calls a function of runtime/builtins/string.c.
  Value call(ABIBuilder &abi, StringRef name, Type result, ValueRange arguments);

  unsigned globals = 0;
  /// The tables of literals that are there: bytes and offsets, by their strings.
  llvm::DenseMap<Attribute, std::pair<std::string, std::string>> tables;
};
} // namespace

/// Appends a `weft_string` and gives its position, which is aligned.
static int64_t appendString(std::string &bytes, StringRef text) {
  bytes.resize(llvm::alignTo(bytes.size(), alignof(weft_string)));
  int64_t position = static_cast<int64_t>(bytes.size());
  weft_string header{static_cast<int64_t>(text.size())};
  bytes.append(reinterpret_cast<const char *>(&header), sizeof header);
  bytes += text;
  return position;
}

Value LowerCPUStrings::lowerLiteral(ABIBuilder &abi, StringLiteralOp op) {
  OpBuilder &b = abi.b;
  auto &[bytesName, offsetsName] = tables[op.getStringsAttr()];
  if (bytesName.empty()) {
    std::string bytes;
    SmallVector<int64_t> offsets;
    for (auto text : op.getStrings().getAsRange<StringAttr>())
      offsets.push_back(appendString(bytes, text.getValue()));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(getOperation().getBody());
    bytesName = ("weft.strings_" + Twine(globals)).str();
    offsetsName = ("weft.string_offsets_" + Twine(globals++)).str();
    LLVM::GlobalOp::create(b, op.getLoc(), LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size()),
                           /*isConstant=*/true, LLVM::Linkage::Private, bytesName,
                           b.getStringAttr(bytes), /*alignment=*/8);
    LLVM::GlobalOp::create(b, op.getLoc(), LLVM::LLVMArrayType::get(abi.i64(), offsets.size()),
                           /*isConstant=*/true, LLVM::Linkage::Private, offsetsName,
                           b.getI64TensorAttr(offsets), /*alignment=*/8);
  }
  Value table = LLVM::AddressOfOp::create(b, abi.loc, abi.ptr(), offsetsName);
  Value entry = LLVM::GEPOp::create(b, abi.loc, abi.ptr(), abi.i64(), table,
                                    ArrayRef<LLVM::GEPArg>{abi.fromIndex(op.getIndex())});
  Value offset = LLVM::LoadOp::create(b, abi.loc, abi.i64(), entry);
  Value start = LLVM::AddressOfOp::create(b, abi.loc, abi.ptr(), bytesName);
  Value base = LLVM::PtrToIntOp::create(b, abi.loc, abi.i64(), start);
  return LLVM::AddOp::create(b, abi.loc, base, offset);
}

Value LowerCPUStrings::call(ABIBuilder &abi, StringRef name, Type result, ValueRange arguments) {
  OpBuilder &b = abi.b;
  ModuleOp module = getOperation();
  auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!callee) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto type = LLVM::LLVMFunctionType::get(result, llvm::to_vector(arguments.getTypes()));
    callee = LLVM::LLVMFuncOp::create(b, abi.loc, name, type);
    callee.setVisibility_(LLVM::Visibility::Hidden);
  }
  return LLVM::CallOp::create(b, abi.loc, callee, arguments).getResult();
}

void LowerCPUStrings::runOnOperation() {
  IRRewriter rewriter(&getContext());
  getOperation().walk([&](Operation *op) {
    if (!isa<StringLiteralOp, StringEqualOp, StringCaseOp, StringConcatOp>(op))
      return;
    // The environment is the first argument of whatever runs.
    auto function = op->getParentOfType<LLVM::LLVMFuncOp>();
    Value env = function.getBody().front().getArgument(0);
    rewriter.setInsertionPoint(op);
    ABIBuilder abi{rewriter, op->getLoc()};
    auto pointer = [&](Value address) -> Value {
      return LLVM::IntToPtrOp::create(rewriter, abi.loc, abi.ptr(), address);
    };
    auto address = [&](Value pointer) -> Value {
      return LLVM::PtrToIntOp::create(rewriter, abi.loc, abi.i64(), pointer);
    };
    Value result;
    if (auto literal = dyn_cast<StringLiteralOp>(op)) {
      result = lowerLiteral(abi, literal);
    } else if (auto equal = dyn_cast<StringEqualOp>(op)) {
      Value same = call(abi, "weft_string_equal", abi.i32(),
                        {pointer(equal.getLhs()), pointer(equal.getRhs())});
      result = LLVM::ICmpOp::create(rewriter, abi.loc, LLVM::ICmpPredicate::ne, same,
                                    abi.constant(abi.i32(), 0));
    } else if (auto letters = dyn_cast<StringCaseOp>(op)) {
      Value upper = abi.constant(abi.i32(), letters.getLetters() == LetterCase::Upper);
      result = address(
          call(abi, "weft_string_case", abi.ptr(), {env, pointer(letters.getInput()), upper}));
    } else {
      auto concat = cast<StringConcatOp>(op);
      result = address(call(abi, "weft_string_concat", abi.ptr(),
                            {env, pointer(concat.getLhs()), pointer(concat.getRhs())}));
    }
    rewriter.replaceOp(op, result);
  });
}
