//===- ShareKernels.cpp - One kernel for those that differ in numbers -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/KernelText.h"
#include "transforms/Fuse/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

namespace weft {
#define GEN_PASS_DEF_SHAREKERNELS
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Whether a use of a constant becomes other code for some values.
static bool dependsOnValue(OpOperand &use) {
  Operation *user = use.getOwner();
  return isa<math::PowFOp>(user) && use.getOperandNumber() == 1;
}

/// Whether the value of `op` can be an argument without a loss: nothing folds with it, and no
/// cheaper instruction is chosen for it.
static bool isParameter(arith::ConstantOp op) {
  auto value = dyn_cast<FloatAttr>(op.getValue());
  if (!value || value.getType().getIntOrFloatBitWidth() > 64)
    return false;
  APFloat x = value.getValue();
  if (!x.isFiniteNonZero() || abs(x) == APFloat::getOne(x.getSemantics()))
    return false;
  if (llvm::any_of(op->getUses(), dependsOnValue))
    return false;
  // A division by a power of two is a multiplication.
  return !x.getExactInverse(nullptr) || llvm::none_of(op->getUses(), [](OpOperand &use) {
    return isa<arith::DivFOp>(use.getOwner()) && use.getOperandNumber() == 1;
  });
}

/// The parameters of `kernel`, in the order in which they are used first.
static SmallVector<arith::ConstantOp> findParameters(KernelOp kernel) {
  llvm::SetVector<Operation *> parameters;
  kernel->walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (auto constant = operand.getDefiningOp<arith::ConstantOp>();
          constant && constant->getParentOp() == kernel && isParameter(constant))
        parameters.insert(constant);
  });
  return llvm::map_to_vector(parameters, llvm::CastTo<arith::ConstantOp>);
}

/// The text of `kernel` without name, locations, and values of its parameters.
static std::string describe(KernelOp kernel) {
  KernelOp copy = kernel.clone();
  copy.setSymName("");
  SmallVector<arith::ConstantOp> parameters = findParameters(copy);
  for (arith::ConstantOp constant : llvm::reverse(parameters)) {
    auto type = cast<FloatType>(constant.getType());
    constant.setValueAttr(FloatAttr::get(type, APFloat::getZero(type.getFloatSemantics())));
    // No constant that is none prints so.
    constant->setDiscardableAttr("weft.parameter", UnitAttr::get(copy.getContext()));
    constant->moveBefore(&copy.getBody().front(), copy.getBody().front().begin());
  }
  std::string text = printWithoutLocations(copy);
  copy.erase();
  return text;
}

namespace {
/// A kernel, what differs from one to the next of its class, and what runs it.
struct Member {
  KernelOp kernel;
  SmallVector<arith::ConstantOp> parameters;
  SmallVector<DispatchOp> dispatches;
};
} // namespace

/// Makes `constant` an argument of `kernel`: its bits, as an index.
static void makeArgument(KernelOp kernel, arith::ConstantOp constant) {
  auto indices =
      llvm::make_filter_range(kernel.getArgumentTypes(), [](Type type) { return type.isIndex(); });
  unsigned position = llvm::range_size(indices);
  OpBuilder b(kernel.getContext());
  Location loc = constant.getLoc();
  (void)kernel.insertArgument(position, b.getIndexType(), DictionaryAttr(), loc);
  b.setInsertionPointToStart(&kernel.getBody().front());
  unsigned width = constant.getType().getIntOrFloatBitWidth();
  Value bits = arith::IndexCastUIOp::create(b, loc, b.getIntegerType(width),
                                            kernel.getBody().getArgument(position));
  constant.replaceAllUsesWith(
      arith::BitcastOp::create(b, loc, constant.getType(), bits).getResult());
  constant.erase();
}

static APInt bitsOf(arith::ConstantOp constant) {
  return cast<FloatAttr>(constant.getValue()).getValue().bitcastToAPInt();
}

/// Lets the first of `members` compute for all. Returns the number of arguments that it gets.
static unsigned merge(MutableArrayRef<Member> members) {
  Member &first = members.front();
  unsigned arguments = 0;
  for (size_t i = 0; i < first.parameters.size(); ++i) {
    if (llvm::all_equal(
            llvm::map_range(members, [&](Member &member) { return bitsOf(member.parameters[i]); })))
      continue;
    ++arguments;
    for (Member &member : members)
      for (DispatchOp dispatch : member.dispatches) {
        OpBuilder b(dispatch);
        dispatch.getSizesMutable().append(
            arith::ConstantIndexOp::create(b, dispatch.getLoc(),
                                           bitsOf(member.parameters[i]).getZExtValue())
                .getResult());
      }
    makeArgument(first.kernel, first.parameters[i]);
  }
  for (Member &member : members.drop_front()) {
    for (DispatchOp dispatch : member.dispatches)
      dispatch.setKernel(first.kernel.getSymName());
    member.kernel.erase();
  }
  return arguments;
}

namespace {
struct ShareKernels : weft::impl::ShareKernelsBase<ShareKernels> {
  void runOnOperation() override {
    llvm::MapVector<StringAttr, Member> members;
    for (auto kernel : getOperation().getOps<KernelOp>())
      members[kernel.getSymNameAttr()] = {kernel, findParameters(kernel), {}};
    getOperation()->walk([&](DispatchOp dispatch) {
      auto member = members.find(dispatch.getKernelAttr().getAttr());
      if (member != members.end())
        member->second.dispatches.push_back(dispatch);
    });
    llvm::MapVector<StringAttr, SmallVector<Member>> classes;
    for (Member &member : llvm::make_second_range(members))
      if (!member.dispatches.empty())
        classes[StringAttr::get(&getContext(), describe(member.kernel))].push_back(member);
    for (SmallVector<Member> &equals : llvm::make_second_range(classes)) {
      if (equals.size() == 1)
        continue;
      unsigned arguments = merge(equals);
      numMerged += equals.size() - 1;
      numArguments += arguments;
      remark::passed(equals.front().kernel.getLoc(),
                     remark::RemarkOpts::name("share").category("fuse").function(
                         equals.front().kernel.getSymName()))
          << remark::metric("Kernels", equals.size()) << remark::metric("Arguments", arguments);
    }
  }
};
} // namespace
