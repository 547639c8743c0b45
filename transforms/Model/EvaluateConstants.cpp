//===- EvaluateConstants.cpp - Computes constants while compiling ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Model/EvaluateConstants.h"

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/ConstantSubgraphs.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

namespace weft {
#define GEN_PASS_DEF_EVALUATECONSTANTS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// How a number leaves the function that computes it: as a tensor of one
/// element, index and i1 in types that tensors can have.
static Type storedType(Type type) {
  if (type.isIndex())
    return IntegerType::get(type.getContext(), 64);
  if (type.isInteger(1))
    return IntegerType::get(type.getContext(), 8);
  return type;
}

static Value toTensor(OpBuilder &b, Location loc, Value value) {
  if (isa<RankedTensorType>(value.getType()))
    return value;
  Type type = storedType(value.getType());
  if (value.getType().isIndex())
    value = arith::IndexCastOp::create(b, loc, type, value);
  else if (value.getType() != type)
    value = arith::ExtUIOp::create(b, loc, type, value);
  return tensor::FromElementsOp::create(b, loc, RankedTensorType::get({1}, type), value);
}

/// A module with one function that returns the results of `roots`.
static OwningOpRef<ModuleOp> outline(ModuleOp module, const ConstantSubgraphs &subgraphs,
                                     ArrayRef<Operation *> roots) {
  Location loc = module.getLoc();
  OwningOpRef<ModuleOp> result = ModuleOp::create(loc);
  if (Attribute target = module->getAttr(WeftDialect::targetAttrName))
    (*result)->setAttr(WeftDialect::targetAttrName, target);
  OpBuilder b = OpBuilder::atBlockBegin(result->getBody());
  auto function = func::FuncOp::create(b, loc, "evaluate", b.getFunctionType({}, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  IRMapping mapping;
  for (Operation *op : subgraphs.computationOf(roots))
    b.clone(*op, mapping);
  SmallVector<Value> values;
  for (Operation *op : roots)
    for (Value value : op->getResults()) {
      Value result = mapping.lookup(value);
      if (isa<PackedType>(value.getType())) {
        llvm::append_range(values, takeApart(b, loc, result));
        continue;
      }
      values.push_back(toTensor(b, loc, result));
    }
  func::ReturnOp::create(b, loc, values);
  function.setFunctionType(b.getFunctionType({}, ValueRange(values).getTypes()));
  return result;
}

/// The name of the source's node, for the key of a weight.
static std::string nodeName(Operation *op) {
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    if (!name.getName().empty())
      return name.getName().str();
  return "constant";
}

/// The number behind a tensor of one element.
static Value makeNumber(OpBuilder &b, Location loc, Type type, ArrayRef<uint8_t> bytes) {
  auto elements = DenseElementsAttr::getFromRawBuffer(
      RankedTensorType::get({1}, storedType(type)),
      ArrayRef<char>(reinterpret_cast<const char *>(bytes.data()), bytes.size()));
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, loc, type,
                                     b.getFloatAttr(type, *elements.value_begin<APFloat>()));
  APInt value = *elements.value_begin<APInt>();
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(b, loc, type, b.getIntegerAttr(type, value.trunc(width)));
}

/// Whether all elements are the same bytes.
static bool isSplat(ArrayRef<uint8_t> bytes, size_t elementBytes) {
  return bytes.size() > elementBytes &&
         std::equal(bytes.begin() + elementBytes, bytes.end(), bytes.begin());
}

static Value makeTensor(OpBuilder &b, Operation *op, RankedTensorType type,
                        EvaluatedTensor &tensor) {
  Location loc = op->getLoc();
  ArrayRef<uint8_t> bytes = tensor.bytes();
  auto known = RankedTensorType::get(tensor.shape, type.getElementType());
  Value value;
  if (bytes.empty()) {
    value = tensor::EmptyOp::create(b, loc, tensor.shape, type.getElementType());
  } else if (size_t element = type.getElementTypeBitWidth() / 8;
             static_cast<int64_t>(bytes.size()) <= kMaxInlineConstantBytes ||
             isSplat(bytes, element)) {
    if (isSplat(bytes, element))
      bytes = bytes.take_front(element);
    value = arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::getFromRawBuffer(
            known, ArrayRef<char>(reinterpret_cast<const char *>(bytes.data()), bytes.size())));
  } else {
    WeightStore &store = b.getContext()->getOrLoadDialect<WeftDialect>()->getWeightStore();
    std::string key = store.commit(nodeName(op), std::move(tensor.large));
    value = weft::ConstantOp::create(b, loc, WeightAttr::get(b.getContext(), key, "", known));
  }
  if (known != type)
    value = tensor::CastOp::create(b, loc, type, value);
  return value;
}

namespace {
struct EvaluateConstants : weft::impl::EvaluateConstantsBase<EvaluateConstants> {
  explicit EvaluateConstants(ConstantEvaluator evaluator) : evaluator(evaluator) {}

  /// Evaluates together what can be; where that fails, halves.
  void evaluate(const ConstantSubgraphs &subgraphs, ArrayRef<Operation *> roots) {
    if (roots.empty())
      return;
    if (failures >= maxFailures) {
      for (Operation *op : roots)
        remark::missed(op->getLoc(), options())
            << remark::reason("'{0}' is left alone after {1} compilations that failed",
                              op->getName().getStringRef(), failures);
      return;
    }
    auto results = evaluator(outline(getOperation(), subgraphs, roots), maxBytes);
    if (results)
      return replace(roots, *results);
    ++failures;
    std::string reason = llvm::toString(results.takeError());
    if (roots.size() > 1) {
      evaluate(subgraphs, roots.take_front(roots.size() / 2));
      evaluate(subgraphs, roots.drop_front(roots.size() / 2));
      return;
    }
    remark::failed(roots.front()->getLoc(), options()) << remark::reason(
        "'{0}' cannot be evaluated: {1}", roots.front()->getName().getStringRef(), reason);
  }

  void replace(ArrayRef<Operation *> roots, MutableArrayRef<EvaluatedTensor> tensors) {
    for (Operation *op : roots) {
      OpBuilder b(op);
      for (Value result : op->getResults()) {
        size_t bytes = 0;
        auto take = [&]() -> EvaluatedTensor & {
          EvaluatedTensor &tensor = tensors.front();
          tensors = tensors.drop_front();
          bytes += tensor.bytes().size();
          return tensor;
        };
        Value value;
        if (auto packed = dyn_cast<PackedType>(result.getType())) {
          SmallVector<Value> components;
          for (RankedTensorType type : packed.getComponentTypes())
            components.push_back(makeTensor(b, op, type, take()));
          value = AssembleOp::create(b, op->getLoc(), packed, components);
        } else if (auto type = dyn_cast<RankedTensorType>(result.getType())) {
          value = makeTensor(b, op, type, take());
        } else {
          value = makeNumber(b, op->getLoc(), result.getType(), take().bytes());
        }
        result.replaceAllUsesWith(value);
        remark::passed(op->getLoc(), options())
            << remark::add("'{0}' is evaluated: {1} bytes", op->getName().getStringRef(), bytes);
        ++numEvaluated;
      }
    }
  }

  static remark::RemarkOpts options() {
    return remark::RemarkOpts::name("EvaluateConstants").category("constants");
  }

  void runOnOperation() override {
    failures = 0;
    EvaluationLimits limits{maxBytes, maxOperations, maxGrowth};
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isDeclaration())
        continue;
      ConstantSubgraphs subgraphs(function, limits);
      evaluate(subgraphs, subgraphs.roots());
    }
  }

  ConstantEvaluator evaluator;
  unsigned failures = 0; ///< of this run
};
} // namespace

std::unique_ptr<Pass> weft::createEvaluateConstants(ConstantEvaluator evaluate) {
  return std::make_unique<EvaluateConstants>(evaluate);
}
