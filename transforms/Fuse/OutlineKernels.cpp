//===- OutlineKernels.cpp - Moves tensor computations into kernels --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Fuse/KernelGroups.h"
#include "transforms/Fuse/KernelText.h"
#include "transforms/Fuse/Passes.h"
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

/// Whether `op` is so cheap that each kernel computes it for itself.
static bool isClonedIntoKernels(Operation *op) {
  if (isa<tensor::EmptyOp, AssembleOp>(op))
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
/// What a kernel's result is computed into.
struct Destination {
  /// The dispatch's argument.
  Value out;
  /// The value inside of the group that stands for it; null if the result is not
  /// in destination style, and copied there at the end.
  Value base;
  /// Whether an earlier result has the same base.
  bool isShared = false;
};

/// What passes between a group and its surroundings.
struct Boundary {
  explicit Boundary(const KernelGroup &group);

  SmallPtrSet<Operation *, 8> members;
  SmallVector<OpResult> results; ///< that live on
  /// Producers that are repeated inside, in order.
  llvm::SetVector<Operation *> clones;
  /// Values that are taken from outside.
  llvm::SetVector<Value> scalars, tensors;
  SmallVector<Destination> destinations; ///< of the results

private:
  void addOperand(Value value);
};

class Outliner {
public:
  Outliner(ModuleOp module) : module(module), symbols(module), rewriter(module.getContext()) {}

  /// Fails where an operation uses a value that no kernel can take.
  LogicalResult run(func::FuncOp function);
  unsigned dispatches = 0;
  unsigned kernelCount() const { return kernels.size(); }

private:
  void outlineBlock(Block &block);
  void outline(const KernelGroup &group);
  Destination chooseDestination(OpResult result, const Boundary &boundary, Location loc);
  Value createEmpty(OpResult result, Location loc);
  KernelOp createKernel(const KernelGroup &group, const Boundary &boundary, TypeRange types);
  std::pair<KernelOp, bool> shareKernel(KernelOp kernel, const KernelGroup &group);
  std::string nameFor(const KernelGroup &group);

  bool hasErrors = false;
  ModuleOp module;
  SymbolTable symbols;
  IRRewriter rewriter;
  /// Kernels by their text without name and locations.
  llvm::StringMap<KernelOp> kernels;
};
} // namespace

Boundary::Boundary(const KernelGroup &group) : members(group.begin(), group.end()) {
  Block *block = group.back()->getBlock();
  for (Operation *op : group)
    for (OpResult result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return !members.contains(block->findAncestorOpInBlock(*user));
          }))
        results.push_back(result);
  for (Operation *op : group) {
    for (Value operand : op->getOperands())
      addOperand(operand);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    for (Value value : captured)
      addOperand(value);
  }
}

/// Takes `value` from outside, or what it is computed from if that is cheap.
void Boundary::addOperand(Value value) {
  Operation *def = value.getDefiningOp();
  if (def && members.contains(def))
    return;
  if (def && isClonedIntoKernels(def)) {
    if (clones.contains(def))
      return;
    for (Value operand : def->getOperands())
      addOperand(operand);
    clones.insert(def);
    return;
  }
  if (isa<RankedTensorType>(value.getType()))
    tensors.insert(value);
  else
    scalars.insert(value);
}

std::string Outliner::nameFor(const KernelGroup &group) {
  auto reduction = llvm::find_if(
      group, [](Operation *op) { return isa<ContractOp>(op) || getReducedRowRank(op); });
  Operation *main = reduction == group.end() ? group.front() : *reduction;
  std::string name = main->getName().stripDialect().str();
  if (auto op = dyn_cast<linalg::GenericOp>(main))
    name = op.getNumReductionLoops() ? "reduce" : "elementwise";
  return name;
}

/// Memory for a result that is not in destination style.
Value Outliner::createEmpty(OpResult result, Location loc) {
  auto type = cast<RankedTensorType>(result.getType());
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
  return tensor::EmptyOp::create(rewriter, loc, type, dynamic);
}

/// Each result is computed into the base of its chain of destinations, where no
/// earlier one is.
Destination Outliner::chooseDestination(OpResult result, const Boundary &boundary, Location loc) {
  Destination destination;
  OpResult current = result;
  Value base;
  while (OpOperand *init = destinationOf(current)) {
    base = init->get();
    auto next = dyn_cast<OpResult>(base);
    if (!next ||
        !(boundary.members.contains(next.getOwner()) || isa<linalg::FillOp>(next.getOwner())))
      break;
    current = next;
  }
  bool isTaken =
      base &&
      llvm::is_contained(llvm::map_range(boundary.destinations,
                                         [](const Destination &earlier) { return earlier.base; }),
                         base);
  Operation *def = base ? base.getDefiningOp() : nullptr;
  // Uninitialised memory can be another one for each result.
  destination.isShared = isTaken && isa<DestinationStyleOpInterface>(result.getOwner()) &&
                         destinationOf(result)->get() == base && isa<tensor::EmptyOp>(def);
  if (!base || (isTaken && !destination.isShared) || (def && boundary.members.contains(def)) ||
      base.getType() != result.getType()) {
    // As much memory as there: extents of the result may be those of the group's values,
    // which are gone outside.
    bool isAlike = isa_and_nonnull<tensor::EmptyOp>(def) && base.getType() == result.getType();
    destination.out = isAlike ? rewriter.clone(*def)->getResult(0) : createEmpty(result, loc);
    return destination;
  }
  destination.base = base;
  destination.out =
      isa_and_nonnull<tensor::EmptyOp>(def) ? rewriter.clone(*def)->getResult(0) : base;
  return destination;
}

/// A kernel with the operations of `group`. Its arguments, of `types`, are the
/// scalars, the tensors and the destinations of `boundary`.
KernelOp Outliner::createKernel(const KernelGroup &group, const Boundary &boundary,
                                TypeRange types) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToEnd(module.getBody());
  // Names of nodes live at the dispatches, so that equal kernels are one.
  Location unknown = rewriter.getUnknownLoc();
  auto kernel = KernelOp::create(rewriter, unknown, "kernel", types,
                                 static_cast<int64_t>(boundary.destinations.size()));
  Block &body = kernel.getBody().front();
  for (BlockArgument argument : body.getArguments())
    argument.setLoc(unknown);
  rewriter.setInsertionPointToStart(&body);
  IRMapping mapping;
  unsigned next = 0;
  for (Value value : boundary.scalars)
    mapping.map(value, fromIndices(rewriter, unknown, value.getType(),
                                   [&] { return body.getArgument(next++); }));
  for (Value value : boundary.tensors)
    mapping.map(value, body.getArgument(next++));
  for (const Destination &destination : boundary.destinations) {
    Value argument = body.getArgument(next++);
    if (destination.base && !destination.isShared)
      mapping.map(destination.base, argument);
  }
  for (Operation *op : boundary.clones)
    if (!mapping.contains(op->getResult(0)))
      rewriter.clone(*op, mapping);
  for (Operation *op : group)
    rewriter.clone(*op, mapping);
  SmallVector<Value> yields;
  for (auto [result, destination, out] :
       llvm::zip_equal(boundary.results, boundary.destinations, kernel.getOutArguments())) {
    Value value = mapping.lookup(result);
    if (destination.isShared)
      cast<DestinationStyleOpInterface>(value.getDefiningOp())
          .getDpsInitOperand(result.getResultNumber())
          ->set(out);
    if (!destination.base)
      value = linalg::CopyOp::create(rewriter, unknown, value, out).getResult(0);
    yields.push_back(value);
  }
  YieldOp::create(rewriter, unknown, yields);
  kernel->walk([&](Operation *op) { op->setLoc(unknown); });
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      rewriter.eraseOp(&op);
  return kernel;
}

/// One kernel for all equal ones: `kernel`, or else the earlier one, and whether
/// it is new.
std::pair<KernelOp, bool> Outliner::shareKernel(KernelOp kernel, const KernelGroup &group) {
  auto [it, isNew] = kernels.insert({printWithoutLocations(kernel), kernel});
  if (!isNew) {
    rewriter.eraseOp(kernel);
    return {it->second, false};
  }
  std::string name = nameFor(group) + "_" + std::to_string(kernels.size() - 1);
  while (symbols.lookup(name))
    name += "_";
  kernel.setSymName(name);
  symbols.insert(kernel);
  return {kernel, true};
}

void Outliner::outline(const KernelGroup &group) {
  Operation *last = group.back();
  Boundary boundary(group);
  for (Value value : boundary.scalars)
    if (!isPassable(value.getType())) {
      last->emitOpError("uses a ") << value.getType() << ", which kernels cannot take";
      hasErrors = true;
      return;
    }

  rewriter.setInsertionPoint(last);
  Location loc = group.size() == 1 ? last->getLoc()
                                   : rewriter.getFusedLoc(llvm::map_to_vector(
                                         group, [](Operation *op) { return op->getLoc(); }));
  SmallVector<Value> outs;
  for (OpResult result : boundary.results) {
    boundary.destinations.push_back(chooseDestination(result, boundary, loc));
    outs.push_back(boundary.destinations.back().out);
  }
  for (const Destination &destination : boundary.destinations)
    if (destination.base)
      boundary.tensors.remove(destination.base);
  SmallVector<Value> sizes;
  for (Value value : boundary.scalars)
    appendAsIndices(rewriter, loc, value, sizes);
  ArrayRef<Value> inputs = boundary.tensors.getArrayRef();

  SmallVector<Type> types;
  for (ValueRange arguments : {ValueRange(sizes), ValueRange(inputs), ValueRange(outs)})
    llvm::append_range(types, arguments.getTypes());
  auto [kernel, isNew] = shareKernel(createKernel(group, boundary, types), group);
  auto dispatch =
      DispatchOp::create(rewriter, loc, ValueRange(outs).getTypes(),
                         FlatSymbolRefAttr::get(kernel.getSymNameAttr()), sizes, inputs, outs);
  for (auto [result, value] : llvm::zip(boundary.results, dispatch.getResults()))
    rewriter.replaceAllUsesWith(result, value);
  for (Operation *op : llvm::reverse(group))
    rewriter.eraseOp(op);
  ++dispatches;
  remark::passed(loc,
                 remark::RemarkOpts::name("kernel").category("fuse").function(kernel.getSymName()))
      << remark::metric("Operations", boundary.members.size()) << remark::metric("Shared", !isNew);
}

void Outliner::outlineBlock(Block &block) {
  for (Operation &op : block)
    if (!isKernelOperation(&op))
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          outlineBlock(nested);
  SmallVector<KernelGroup> groups;
  DenseSet<Operation *> taken;
  for (Operation &op : block) {
    if (!isKernelOperation(&op) || taken.contains(&op))
      continue;
    // A fill that only starts computations goes into their kernels.
    if (isa<linalg::FillOp>(op) &&
        llvm::all_of(op.getUsers(), [](Operation *user) { return isKernelOperation(user); }))
      continue;
    KernelGroup group = formKernelGroup(&op, taken);
    taken.insert(group.begin(), group.end());
    groups.push_back(std::move(group));
  }
  for (const KernelGroup &group : groups)
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
