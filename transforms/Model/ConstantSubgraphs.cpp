//===- ConstantSubgraphs.cpp - What depends on constants only -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/ConstantSubgraphs.h"

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;

/// Results up to this size are evaluated whatever they are computed from.
static constexpr int64_t kSmallBytes = int64_t(1) << 20;

/// What an extent counts as in estimates where it is not known.
static constexpr int64_t kAssumedExtent = 1024;

//===----------------------------------------------------------------------===//
// Estimates
//===----------------------------------------------------------------------===//

/// Products saturate: estimates are compared with limits only.
static int64_t multiply(int64_t x, int64_t y) {
  return static_cast<int64_t>(std::min<uint64_t>(
      llvm::SaturatingMultiply(static_cast<uint64_t>(x), static_cast<uint64_t>(y)), INT64_MAX));
}

static int64_t add(int64_t x, int64_t y) {
  return static_cast<int64_t>(std::min<uint64_t>(
      llvm::SaturatingAdd(static_cast<uint64_t>(x), static_cast<uint64_t>(y)), INT64_MAX));
}

static int64_t product(ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents)
    result = multiply(result, ShapedType::isDynamic(extent) ? kAssumedExtent : extent);
  return result;
}

static int64_t bytesOf(Type type) {
  if (auto packed = dyn_cast<PackedType>(type)) {
    int64_t bytes = 0;
    for (RankedTensorType component : packed.getComponentTypes())
      bytes = add(bytes, bytesOf(component));
    return bytes;
  }
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return 8;
  Type element = tensor.getElementType();
  int64_t bytes = element.isIntOrFloat() ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8) : 8;
  return multiply(product(tensor.getShape()), bytes);
}

static int64_t resultBytes(Operation *op) {
  int64_t bytes = 0;
  for (Type type : op->getResultTypes())
    bytes = add(bytes, bytesOf(type));
  return bytes;
}

/// Bytes that a constant takes in a module; a splat is one element.
static int64_t constantBytes(Operation *op) {
  Attribute value;
  if (!isa<weft::ConstantOp>(op) && matchPattern(op, m_Constant(&value)) &&
      isa<SplatElementsAttr>(value))
    return 8;
  return resultBytes(op);
}

static int64_t estimateOperations(Operation *op) {
  if (auto generic = dyn_cast<linalg::LinalgOp>(op))
    return product(generic.getStaticLoopRanges());
  if (auto contraction = dyn_cast<ContractOp>(op))
    return product(contraction.getStaticLoopRanges());
  int64_t elements = 0;
  for (Type type : op->getResultTypes())
    if (auto tensor = dyn_cast<ShapedType>(type))
      elements = add(elements, product(tensor.getShape()));
  if (auto conv = dyn_cast<ConvOp>(op))
    return multiply(elements, product(conv.getFilterType().getShape().drop_front()));
  // Sorting and the like compare; others are about one operation an element.
  return multiply(elements, isa<ReferenceOpInterface>(op) ? 64 : 1);
}

//===----------------------------------------------------------------------===//
// Which operations depend on constants only
//===----------------------------------------------------------------------===//

static bool isConstant(Operation *op) { return matchPattern(op, m_Constant()); }

/// Whether the compiler can hold a value of this type.
static bool isStorable(Type type) {
  if (auto packed = dyn_cast<PackedType>(type))
    return llvm::all_of(packed.getComponentTypes(), isStorable);
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  else if (type.isIndex() || type.isInteger(1))
    return true;
  return type.isIntOrFloat() && type.getIntOrFloatBitWidth() % 8 == 0 &&
         type.getIntOrFloatBitWidth() <= 64;
}

/// Operations that are regions of host code: what is in them is looked at, they
/// themselves stay.
static bool isControlFlow(Operation *op) {
  return isa<scf::IfOp, scf::ForOp, scf::WhileOp, scf::IndexSwitchOp, scf::ExecuteRegionOp>(op);
}

/// Strings are addresses: those of this process mean nothing to the module.
static bool handlesStrings(Operation *op) {
  return isa<StringLiteralOp, StringEqualOp, StringCaseOp, StringConcatOp>(op);
}

/// Kernels compute safely whatever their input; a division in host code may rely
/// on an assertion before it.
static bool hasEffects(Operation *op) {
  if (op->getNumRegions() == 0 && !isSpeculatable(op) &&
      llvm::none_of(op->getResultTypes(), llvm::IsaPred<TensorType>))
    return true;
  return !isMemoryEffectFree(op) || op->walk([&](Operation *nested) {
                                        return isa<AssertOp, PollOp>(nested) ||
                                                       handlesStrings(nested)
                                                   ? WalkResult::interrupt()
                                                   : WalkResult::advance();
                                      }).wasInterrupted();
}

/// Whether `op` reads within bounds whatever was asserted before it.
static bool readsWithinBounds(Operation *op) {
  auto extract = dyn_cast<tensor::ExtractOp>(op);
  if (!extract)
    return true;
  for (auto [index, extent] :
       llvm::zip(extract.getIndices(), extract.getTensor().getType().getShape())) {
    APInt value;
    if (ShapedType::isDynamic(extent) || !matchPattern(index, m_ConstantInt(&value)) ||
        value.isNegative() || value.sge(extent))
      return false;
  }
  return true;
}

bool ConstantSubgraphs::dependsOnConstants(Operation *op) const {
  if (op->getNumResults() == 0 || op->hasTrait<OpTrait::IsTerminator>() || isControlFlow(op) ||
      isa<CompositeOp>(op) || hasEffects(op) || !readsWithinBounds(op))
    return false;
  auto isKnown = [&](Value value) {
    Operation *def = value.getDefiningOp();
    return def && (constants.contains(def) || isConstant(def));
  };
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  return llvm::all_of(op->getOperands(), isKnown) && llvm::all_of(captured, isKnown);
}

void ConstantSubgraphs::collect(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      if (isConstant(&op))
        continue;
      if (dependsOnConstants(&op))
        constants.insert(&op);
      else if (isControlFlow(&op))
        for (Region &nested : op.getRegions())
          collect(nested);
    }
}

//===----------------------------------------------------------------------===//
// Which of them are worth it
//===----------------------------------------------------------------------===//

/// Whether something that is computed at run time uses a result of `op`.
bool ConstantSubgraphs::isNeeded(Operation *op) const {
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    while (user && !constants.contains(user))
      user = user->getParentOp();
    return !user || staying.contains(user);
  });
}

SmallVector<Operation *> ConstantSubgraphs::computationOf(ArrayRef<Operation *> roots) const {
  llvm::SetVector<Operation *> result;
  std::function<void(Operation *)> visit = [&](Operation *op) {
    if (result.contains(op))
      return;
    llvm::SetVector<Value> values;
    values.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), values);
    for (Value value : values)
      visit(value.getDefiningOp());
    result.insert(op);
  };
  for (Operation *op : roots)
    visit(op);
  return result.takeVector();
}

/// Whether `op` only repeats the elements of its operands.
static bool onlyRepeats(Operation *op) {
  if (isa<linalg::BroadcastOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.getNumReductionLoops() == 0 &&
         llvm::all_of(generic.getBody()->getTerminator()->getOperands(),
                      llvm::IsaPred<BlockArgument>);
}

std::string ConstantSubgraphs::refuse(Operation *op) {
  if (isa<AssembleOp, DisassembleOp, tensor::EmptyOp, linalg::FillOp, tensor::SplatOp,
          tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp,
          tensor::DimOp>(op))
    return "it costs nothing at run time";
  if (!llvm::all_of(op->getResultTypes(), isStorable))
    return "its type cannot be stored";
  SmallVector<Operation *> computation = computationOf(op);
  if (llvm::none_of(computation, [](Operation *part) {
        return llvm::any_of(part->getResultTypes(), llvm::IsaPred<ShapedType>);
      }))
    return "it is a number that folding has left";
  int64_t bytes = resultBytes(op), sources = 0, operations = 0;
  for (Operation *part : computation) {
    if (isConstant(part))
      sources = add(sources, constantBytes(part));
    else if (!counted.contains(part))
      operations = add(operations, estimateOperations(part));
  }
  int64_t small = onlyRepeats(op) ? kMaxInlineConstantBytes : kSmallBytes;
  if (bytes > small && bytes > multiply(sources, limits.growth))
    return llvm::formatv("{0} bytes would come from {1}", bytes, sources);
  if (bytes > limits.bytes)
    return llvm::formatv("its {0} bytes exceed the {1} that are left", bytes, limits.bytes);
  if (operations > limits.operations)
    return llvm::formatv("its {0} operations exceed the {1} that are left", operations,
                         limits.operations);
  limits.bytes -= bytes;
  limits.operations -= operations;
  counted.insert(computation.begin(), computation.end());
  return "";
}

ConstantSubgraphs::ConstantSubgraphs(func::FuncOp function, EvaluationLimits &limits)
    : limits(limits) {
  collect(function.getBody());
  // Users come after what they use: an operation that stays is known by then.
  for (Operation *op : llvm::reverse(constants)) {
    if (!isNeeded(op))
      continue;
    std::string reason = refuse(op);
    if (reason.empty()) {
      selected.push_back(op);
      continue;
    }
    staying.insert(op);
    remark::missed(op->getLoc(),
                   remark::RemarkOpts::name("EvaluateConstants").category("constants"))
        << remark::reason("'{0}' is not evaluated: {1}", op->getName().getStringRef(), reason);
  }
  std::reverse(selected.begin(), selected.end());
}
