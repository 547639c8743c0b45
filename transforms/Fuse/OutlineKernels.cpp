//===- OutlineKernels.cpp - Moves tensor computations into kernels --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/FlattenSpatial.h"
#include "transforms/Fuse/Passes.h"
#include "transforms/Fuse/RowGroups.h"
#include "transforms/Fuse/RowOperations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace weft {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Whether `op` computes tensors and belongs into a kernel.
static bool isKernelOperation(Operation *op) {
  if (op->getNumResults() == 0 ||
      !llvm::all_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>))
    return false;
  return isa<linalg::LinalgOp, linalg::SoftmaxOp, ReferenceOpInterface, tensor::PadOp,
             tensor::ConcatOp, tensor::ExtractSliceOp, tensor::InsertSliceOp>(op);
}

/// Whether `op` is so cheap that each kernel computes it for itself.
static bool isClonedIntoKernels(Operation *op) {
  if (isa<tensor::EmptyOp>(op))
    return true;
  if (isa<linalg::FillOp>(op))
    return true;
  // Weights are always arguments.
  if (isa<weft::ConstantOp>(op))
    return false;
  // Numbers, and splats of them.
  Attribute value;
  if (!matchPattern(op, m_Constant(&value)))
    return false;
  return isa<IntegerAttr, FloatAttr, SplatElementsAttr>(value);
}

/// The destination that result `result` is computed into, or null.
static OpOperand *destinationOf(OpResult result) {
  if (auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner()))
    return op.getDpsInitOperand(result.getResultNumber());
  if (auto op = dyn_cast<tensor::InsertSliceOp>(result.getOwner()))
    return &op.getDestMutable();
  return nullptr;
}

/// Whether `op` computes each element of its result from the same element of
/// `value` (and of whatever else it reads).
static bool isElementwiseOver(Operation *op, Value value) {
  auto generic = dyn_cast<linalg::LinalgOp>(op);
  if (!generic || generic.getNumLoops() != generic.getNumParallelLoops() ||
      op->getNumResults() != 1)
    return false;
  if (!generic.getMatchingIndexingMap(generic.getDpsInitOperand(0)).isIdentity())
    return false;
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == value &&
        (generic.isDpsInit(&operand) || !generic.getMatchingIndexingMap(&operand).isIdentity()))
      return false;
  return true;
}

using Group = SmallVector<Operation *>;

/// The operation that accumulates into the result of the elementwise `op`, if
/// that is all its result is for.
static Operation *soleAccumulator(Operation *op) {
  auto generic = dyn_cast<linalg::LinalgOp>(op);
  if (!generic || op->getNumResults() != 1 || !op->hasOneUse() ||
      generic.getNumLoops() != generic.getNumParallelLoops() || isa<linalg::FillOp>(op))
    return nullptr;
  OpOperand &use = *op->use_begin();
  auto consumer = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
  if (!consumer || !consumer.isDpsInit(&use) || consumer->getBlock() != op->getBlock() ||
      !isa<linalg::LinalgOp, ContractOp, ConvOp>(consumer.getOperation()) ||
      consumer->getNumResults() != 1)
    return nullptr;
  return consumer;
}

/// Whether each element that `op` computes is wider than what it is computed
/// from: elements that share bytes, or a tensor as large with narrower ones.
static bool widens(linalg::LinalgOp op) {
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (!result.getElementType().isIntOrFloat())
    return false;
  unsigned width = result.getElementTypeBitWidth();
  bool narrower = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto type = dyn_cast<RankedTensorType>(input->get().getType());
    if (!type || !op.getMatchingIndexingMap(input).isPermutation())
      continue; // broadcast
    if (type.getElementTypeBitWidth() >= width)
      return false;
    narrower = true;
  }
  op->walk([&](tensor::ExtractOp read) {
    RankedTensorType type = read.getTensor().getType();
    narrower |= type.getRank() == 1 && type.getElementTypeBitWidth() < width;
  });
  return narrower;
}

/// Whether `op` is a contraction of whole operands: none is broadcast.
static bool isContraction(Operation *op) {
  if (auto contraction = dyn_cast<ContractOp>(op))
    return llvm::all_of(contraction.getIndexingMaps().getAsValueRange<AffineMapAttr>(),
                        [](AffineMap map) { return map.isProjectedPermutation(); });
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalg::isaContractionOpInterface(linalgOp);
}

/// The contraction that reads the elementwise `op`, if that is all its result is
/// for and each element is cheaper to decode again than to store: dequantized
/// weights never exist as a whole.
static Operation *decodedFor(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || op->getNumResults() != 1 || !op->hasOneUse() ||
      generic.getNumLoops() != generic.getNumParallelLoops() || !widens(generic))
    return nullptr;
  OpOperand &use = *op->use_begin();
  auto consumer = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
  if (!consumer || !consumer.isDpsInput(&use) || consumer->getBlock() != op->getBlock() ||
      !isContraction(consumer) || consumer->getNumResults() != 1)
    return nullptr;
  return consumer;
}

/// Whether `op` is computed into a tensor that the group reads, say one carried
/// by a loop: one kernel could not do that in place.
static bool overwritesOperandOf(Operation *op, const Group &group) {
  OpOperand *destination = destinationOf(op->getResult(0));
  if (!destination || destination->get().getDefiningOp<tensor::EmptyOp>())
    return false;
  auto reads = [&](Operation *member) {
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(member->getRegions(), captured);
    return llvm::is_contained(member->getOperands(), destination->get()) ||
           captured.contains(destination->get());
  };
  return llvm::any_of(group, reads);
}

/// Whether a value that is no tensor can be an argument of a kernel.
static bool isPassable(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return isPassable(complex.getElementType());
  return type.isIndex() ||
         ((type.isSignlessInteger() || isa<FloatType>(type)) && type.getIntOrFloatBitWidth() <= 64);
}

/// Appends what a scalar crosses to a kernel as: index values, floats by their
/// bits, complex numbers by their parts.
static void appendAsIndices(OpBuilder &b, Location loc, Value value,
                            SmallVectorImpl<Value> &indices) {
  Type type = value.getType();
  if (auto complex = dyn_cast<ComplexType>(type)) {
    Type part = complex.getElementType();
    appendAsIndices(b, loc, complex::ReOp::create(b, loc, part, value), indices);
    appendAsIndices(b, loc, complex::ImOp::create(b, loc, part, value), indices);
    return;
  }
  if (isa<FloatType>(type))
    value = arith::BitcastOp::create(b, loc, b.getIntegerType(type.getIntOrFloatBitWidth()), value);
  if (!type.isIndex())
    value = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), value);
  indices.push_back(value);
}

/// The scalar of type `type` that `appendAsIndices` took apart.
static Value fromIndices(OpBuilder &b, Location loc, Type type, llvm::function_ref<Value()> next) {
  if (auto complex = dyn_cast<ComplexType>(type)) {
    Value real = fromIndices(b, loc, complex.getElementType(), next);
    Value imaginary = fromIndices(b, loc, complex.getElementType(), next);
    return complex::CreateOp::create(b, loc, type, real, imaginary);
  }
  Value value = next();
  if (!type.isIndex())
    value =
        arith::IndexCastUIOp::create(b, loc, b.getIntegerType(type.getIntOrFloatBitWidth()), value);
  if (isa<FloatType>(type))
    value = arith::BitcastOp::create(b, loc, type, value);
  return value;
}

/// Whether `op` only moves what an iteration gives into the memory that the loop
/// around it carries.
static bool copiesIntoCarriedValue(Operation *op) {
  auto copy = dyn_cast<linalg::CopyOp>(op);
  if (!copy || !op->hasOneUse() || copy.getInputs()[0].getType() != copy.getOutputs()[0].getType())
    return false;
  auto argument = dyn_cast<BlockArgument>(copy.getOutputs()[0]);
  return argument && argument.getOwner() == op->getBlock() &&
         isa<LoopLikeOpInterface>(op->getParentOp()) &&
         *op->user_begin() == op->getBlock()->getTerminator();
}

namespace {
class Outliner {
public:
  Outliner(ModuleOp module) : module(module), symbols(module), rewriter(module.getContext()) {}

  /// Fails where an operation uses a value that no kernel can take.
  LogicalResult run(func::FuncOp function);
  unsigned dispatches = 0;
  unsigned kernelCount() const { return kernels.size(); }

private:
  void outlineBlock(Block &block);
  Group formGroup(Operation *root, const DenseSet<Operation *> &taken);
  void outline(const Group &group);
  std::string nameFor(const Group &group);

  bool hasErrors = false;
  ModuleOp module;
  SymbolTable symbols;
  IRRewriter rewriter;
  /// Kernels by their text without name and locations.
  llvm::StringMap<KernelOp> kernels;
};
} // namespace

Group Outliner::formGroup(Operation *root, const DenseSet<Operation *> &taken) {
  if (Group rows = formRowGroup(root, taken); !rows.empty())
    return rows;
  Group group{root};
  // A start value that only the consumer reads (a bias along the rows, say) is
  // computed where it is used, and so are operands that are decoded.
  auto consumerOf = [](Operation *op) -> Operation * {
    if (Operation *consumer = decodedFor(op))
      return consumer;
    return soleAccumulator(op);
  };
  if (Operation *consumer = consumerOf(root); consumer && !taken.contains(consumer)) {
    group.clear();
    for (Value operand : consumer->getOperands())
      if (Operation *def = operand.getDefiningOp();
          def && !taken.contains(def) && consumerOf(def) == consumer)
        group.push_back(def);
    llvm::sort(group, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
    if (overwritesOperandOf(consumer, group))
      group.assign(1, root);
    else
      group.push_back(consumer);
    root = group.back();
  }
  if (!isa<linalg::LinalgOp, ContractOp, ConvOp, GatherOp>(root))
    return group;
  while (true) {
    Operation *last = group.back();
    if (last->getNumResults() != 1 || !last->hasOneUse())
      return group;
    Operation *user = *last->user_begin();
    if (user->getBlock() != root->getBlock() || taken.contains(user) ||
        !isElementwiseOver(user, last->getResult(0)) || overwritesOperandOf(user, group))
      return group;
    if (auto conv = dyn_cast<ConvOp>(root);
        conv && conv.isContraction() && !canFlattenSpatial(user))
      return group;
    group.push_back(user);
  }
}

std::string Outliner::nameFor(const Group &group) {
  auto reduction = llvm::find_if(
      group, [](Operation *op) { return isa<ContractOp>(op) || getReducedRowRank(op); });
  Operation *main = reduction == group.end() ? group.front() : *reduction;
  std::string name = main->getName().stripDialect().str();
  if (auto op = dyn_cast<linalg::GenericOp>(main))
    name = op.getNumReductionLoops() ? "reduce" : "elementwise";
  return name;
}

void Outliner::outline(const Group &group) {
  Operation *last = group.back();
  DenseSet<Operation *> members(group.begin(), group.end());

  // Results that live on, and the values that the group takes from outside.
  SmallVector<OpResult> results;
  for (Operation *op : group)
    for (OpResult result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return !members.contains(last->getBlock()->findAncestorOpInBlock(*user));
          }))
        results.push_back(result);

  llvm::SetVector<Operation *> clones; // producers repeated inside, in order
  llvm::SetVector<Value> indices, tensors;
  std::function<void(Value)> visit = [&](Value value) {
    Operation *def = value.getDefiningOp();
    if (def && members.contains(def))
      return;
    if (def && isClonedIntoKernels(def)) {
      if (clones.contains(def))
        return;
      for (Value operand : def->getOperands())
        visit(operand);
      clones.insert(def);
      return;
    }
    if (isa<RankedTensorType>(value.getType()))
      tensors.insert(value);
    else
      indices.insert(value);
  };
  for (Operation *op : group) {
    for (Value operand : op->getOperands())
      visit(operand);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    for (Value value : captured)
      visit(value);
  }

  for (Value value : indices)
    if (!isPassable(value.getType())) {
      last->emitOpError("uses a ") << value.getType() << ", which kernels cannot take";
      hasErrors = true;
      return;
    }

  // Each result is computed into the base of its chain of destinations.
  rewriter.setInsertionPoint(last);
  Location loc = group.size() == 1 ? last->getLoc()
                                   : rewriter.getFusedLoc(llvm::map_to_vector(
                                         group, [](Operation *op) { return op->getLoc(); }));
  SmallVector<Value> outs;
  SmallVector<Value> bases; // value inside that stands for the out argument
  SmallVector<bool> shared; // the same one as that of an earlier result
  for (OpResult result : results) {
    OpResult current = result;
    Value base;
    while (OpOperand *init = destinationOf(current)) {
      base = init->get();
      auto next = dyn_cast<OpResult>(base);
      if (!next || !(members.contains(next.getOwner()) || isa<linalg::FillOp>(next.getOwner())))
        break;
      current = next;
    }
    auto type = cast<RankedTensorType>(result.getType());
    bool sharedBase = base && llvm::is_contained(bases, base);
    Operation *def = base ? base.getDefiningOp() : nullptr;
    // Uninitialised memory can be another one for each result.
    bool separable = sharedBase && isa<DestinationStyleOpInterface>(result.getOwner()) &&
                     destinationOf(result)->get() == base && isa<tensor::EmptyOp>(def);
    shared.push_back(separable);
    if (!base || (sharedBase && !separable) || (def && members.contains(def)) ||
        base.getType() != type) {
      // Not in destination style: copied out at the end.
      ReifiedRankedShapedTypeDims shapes;
      SmallVector<OpFoldResult> sizes;
      if (succeeded(reifyResultShapes(rewriter, result.getOwner(), shapes)))
        sizes = shapes[result.getResultNumber()];
      else
        sizes = tensor::getMixedSizes(rewriter, loc, result);
      // Static extents win, so that the type is the result's.
      for (auto [i, extent] : llvm::enumerate(type.getShape()))
        if (!ShapedType::isDynamic(extent))
          sizes[i] = rewriter.getIndexAttr(extent);
        else if (isa<Attribute>(sizes[i]))
          sizes[i] = arith::ConstantIndexOp::create(
                         rewriter, loc, cast<IntegerAttr>(cast<Attribute>(sizes[i])).getInt())
                         .getResult();
      SmallVector<Value> dynamic;
      for (auto [i, extent] : llvm::enumerate(type.getShape()))
        if (ShapedType::isDynamic(extent))
          dynamic.push_back(cast<Value>(sizes[i]));
      outs.push_back(tensor::EmptyOp::create(rewriter, loc, type, dynamic));
      bases.push_back(Value());
      continue;
    }
    if (auto empty = base.getDefiningOp<tensor::EmptyOp>())
      outs.push_back(rewriter.clone(*empty)->getResult(0));
    else
      outs.push_back(base);
    bases.push_back(base);
  }
  for (Value base : bases)
    if (base)
      tensors.remove(base);

  SmallVector<Value> sizeOperands, inputs(tensors.begin(), tensors.end());
  for (Value value : indices)
    appendAsIndices(rewriter, loc, value, sizeOperands);

  SmallVector<Type> types;
  for (Value value : sizeOperands)
    types.push_back(value.getType());
  for (Value value : inputs)
    types.push_back(value.getType());
  for (Value value : outs)
    types.push_back(value.getType());

  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToEnd(module.getBody());
  // Names of nodes live at the dispatches, so that equal kernels are one.
  Location unknown = rewriter.getUnknownLoc();
  auto kernel =
      KernelOp::create(rewriter, unknown, "kernel", types, static_cast<int64_t>(outs.size()));
  Block &body = kernel.getBody().front();
  for (BlockArgument argument : body.getArguments())
    argument.setLoc(unknown);
  rewriter.setInsertionPointToStart(&body);
  IRMapping mapping;
  unsigned next = 0;
  for (Value value : indices)
    mapping.map(value, fromIndices(rewriter, unknown, value.getType(),
                                   [&] { return body.getArgument(next++); }));
  for (Value value : inputs)
    mapping.map(value, body.getArgument(next++));
  for (auto [base, isShared] : llvm::zip(bases, shared)) {
    Value argument = body.getArgument(next++);
    if (base && !isShared)
      mapping.map(base, argument);
  }
  for (Operation *op : clones)
    if (!mapping.contains(op->getResult(0)))
      rewriter.clone(*op, mapping);
  for (Operation *op : group)
    rewriter.clone(*op, mapping);
  SmallVector<Value> yields;
  for (auto [i, result] : llvm::enumerate(results)) {
    Value value = mapping.lookup(result);
    if (shared[i])
      cast<DestinationStyleOpInterface>(value.getDefiningOp())
          .getDpsInitOperand(result.getResultNumber())
          ->set(kernel.getOutArguments()[i]);
    if (!bases[i])
      value = linalg::CopyOp::create(rewriter, unknown, value, kernel.getOutArguments()[i])
                  .getResult(0);
    yields.push_back(value);
  }
  YieldOp::create(rewriter, unknown, yields);
  kernel->walk([&](Operation *op) { op->setLoc(unknown); });
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      rewriter.eraseOp(&op);

  // One kernel for all equal ones.
  std::string text;
  llvm::raw_string_ostream os(text);
  // All of it but locations, whatever flags the tool was given for printing.
  kernel.print(os, OpPrintingFlags()
                       .useLocalScope()
                       .printGenericOpForm()
                       .enableDebugInfo(false)
                       .elideLargeElementsAttrs(std::numeric_limits<int64_t>::max())
                       .elideLargeResourceString(std::numeric_limits<int64_t>::max()));
  auto [it, isNew] = kernels.insert({text, kernel});
  if (isNew) {
    std::string name = nameFor(group) + "_" + std::to_string(kernels.size() - 1);
    while (symbols.lookup(name))
      name += "_";
    kernel.setSymName(name);
    symbols.insert(kernel);
  } else {
    rewriter.eraseOp(kernel);
  }
  rewriter.setInsertionPoint(last);
  auto dispatch = DispatchOp::create(rewriter, loc, ValueRange(outs).getTypes(),
                                     FlatSymbolRefAttr::get(it->second.getSymNameAttr()),
                                     sizeOperands, inputs, outs);
  for (auto [result, value] : llvm::zip(results, dispatch.getResults()))
    rewriter.replaceAllUsesWith(result, value);
  for (Operation *op : llvm::reverse(group))
    rewriter.eraseOp(op);
  ++dispatches;
  remark::passed(
      loc, remark::RemarkOpts::name("kernel").category("fuse").function(it->second.getSymName()))
      << remark::metric("Operations", members.size()) << remark::metric("Shared", !isNew);
}

void Outliner::outlineBlock(Block &block) {
  for (Operation &op : block)
    if (!isKernelOperation(&op))
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          outlineBlock(nested);
  SmallVector<Group> groups;
  DenseSet<Operation *> taken;
  for (Operation &op : block) {
    if (!isKernelOperation(&op) || taken.contains(&op))
      continue;
    // A fill that only starts computations goes into their kernels.
    if (isa<linalg::FillOp>(op) &&
        llvm::all_of(op.getUsers(), [](Operation *user) { return isKernelOperation(user); }))
      continue;
    Group group = formGroup(&op, taken);
    taken.insert(group.begin(), group.end());
    groups.push_back(std::move(group));
  }
  for (const Group &group : groups)
    if (group.size() != 1 || !copiesIntoCarriedValue(group.front()))
      outline(group);
}

LogicalResult Outliner::run(func::FuncOp function) {
  for (Block &block : function.getBody())
    outlineBlock(block);
  return failure(hasErrors);
}

namespace {
struct OutlineKernels : weft::impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    Outliner outliner(module);
    for (auto function : llvm::to_vector(module.getOps<func::FuncOp>()))
      if (failed(outliner.run(function)))
        return signalPassFailure();
    // Fills and empties that went into kernels.
    IRRewriter rewriter(&getContext());
    module.walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (isOpTriviallyDead(op))
        rewriter.eraseOp(op);
    });
    numDispatches = outliner.dispatches;
    numKernels = outliner.kernelCount();
  }
};
} // namespace
