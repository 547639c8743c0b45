//===- MapToGPU.cpp - Kernels as device functions -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
#include "targets/GPU/Distribute.h"
#include "targets/GPU/Passes.h"
#include "transforms/Buffer/DeviceWorkers.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

namespace weft {
#define GEN_PASS_DEF_MAPTOGPU
#include "targets/GPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::gpu;
using mlir::gpu::GPUFuncOp;
using mlir::gpu::GPUModuleOp;
using mlir::gpu::KernelDim3;

/// Threads of a block that divide operations, and of one whose threads each run
/// iterations alone.
static constexpr int32_t kBlockThreads = 256, kLoneThreads = 64;

/// Blocks of a grid; their threads go on with what lies a grid further.
static constexpr int64_t kMaxBlocks = 1 << 16;

namespace {
/// What one launch computes: a range of the kernel's operations.
struct Launch {
  enum Kind {
    Elements, ///< one structured operation over the grid
    Blocks,   ///< a parallel loop, one iteration a block
    Threads,  ///< a parallel loop, one iteration a thread
    OneBlock, ///< anything
  };
  Kind kind;
  SmallVector<Operation *> ops;
};

/// Divides one kernel into launches.
class KernelMapper {
public:
  KernelMapper(KernelOp kernel, RewriterBase &b) : kernel(kernel), b(b) {}
  LogicalResult run();
  unsigned countLaunches() const { return launches; }

private:
  SmallVector<Launch> findLaunches();
  LogicalResult createLaunch(const Launch &launch);
  GPUFuncOp createFunction(const Launch &launch, Value blocks, SmallVectorImpl<Value> &operands,
                           IRMapping &mapping);
  Value rebuildBuffer(BlockArgument buffer, Value address, ArrayRef<Value> extents);
  LogicalResult fillFunction(const Launch &launch, GPUFuncOp function, IRMapping &mapping);
  int32_t threadsOf(const Launch &launch) const {
    return launch.kind == Launch::Threads ? kLoneThreads : kBlockThreads;
  }
  void useConstants(GPUFuncOp function);
  Value countBlocks(const Launch &launch);

  KernelOp kernel;
  RewriterBase &b;
  GPUModuleOp module;
  unsigned launches = 0;
};
} // namespace

//===----------------------------------------------------------------------===//
// Which operations make a launch
//===----------------------------------------------------------------------===//

/// A view of memory: a name of an address, which the device computes again.
static bool isView(Operation *op) {
  return isa<memref::SubViewOp, memref::ViewOp, memref::CastOp, memref::ReinterpretCastOp,
             memref::ExpandShapeOp, memref::CollapseShapeOp, memref::GetGlobalOp,
             memref::TransposeOp>(op);
}

/// Whether the host, which sees no memory, can run `op`.
static bool isHostOp(Operation *op) {
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) && !isView(op);
}

/// The operations of `block` around those that `op` uses values of.
static void forEachDefinition(Operation *op, Block &block,
                              llvm::function_ref<void(Operation *)> visit) {
  auto visitValue = [&](Value value) {
    if (Operation *definition = value.getDefiningOp())
      if (definition->getBlock() == &block)
        visit(definition);
  };
  llvm::for_each(op->getOperands(), visitValue);
  llvm::SetVector<Value> above;
  for (Region &region : op->getRegions())
    getUsedValuesDefinedAbove(region, above);
  llvm::for_each(above, visitValue);
}

static Launch::Kind kindOf(ArrayRef<Operation *> ops) {
  if (ops.size() != 1)
    return Launch::OneBlock;
  if (isa<linalg::LinalgOp, memref::CopyOp>(ops.front()))
    return Launch::Elements;
  if (auto loop = dyn_cast<scf::ForallOp>(ops.front()))
    return isBlockLoop(loop) ? Launch::Blocks : Launch::Threads;
  return Launch::OneBlock;
}

SmallVector<Launch> KernelMapper::findLaunches() {
  Block &body = kernel.getBody().front();
  SmallVector<Operation *> ops;
  DenseMap<Operation *, size_t> numbers;
  for (Operation &op : body.without_terminator()) {
    numbers[&op] = ops.size();
    ops.push_back(&op);
  }
  // What only the device knows: what memory operations give, and what is computed
  // from that.
  SmallVector<bool> onDevice(ops.size(), false);
  // The launch that an operation is in begins no later than this.
  SmallVector<size_t> first(ops.size());
  for (auto [i, op] : llvm::enumerate(ops)) {
    first[i] = i;
    onDevice[i] = !isHostOp(op) && !isView(op);
    forEachDefinition(op, body, [&](Operation *definition) {
      size_t number = numbers[definition];
      if (!onDevice[number])
        return;
      onDevice[i] = true;
      first[i] = std::min(first[i], first[number]);
    });
  }
  // Ranges that overlap are one launch.
  SmallVector<std::pair<size_t, size_t>> ranges;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!onDevice[i])
      continue;
    size_t begin = first[i];
    while (!ranges.empty() && ranges.back().second >= begin) {
      begin = std::min(begin, ranges.back().first);
      ranges.pop_back();
    }
    ranges.emplace_back(begin, i);
  }
  SmallVector<Launch> result;
  for (auto [begin, end] : ranges) {
    Launch launch;
    for (size_t i = begin; i <= end; ++i)
      if (onDevice[i])
        launch.ops.push_back(ops[i]);
    launch.kind = kindOf(launch.ops);
    result.push_back(std::move(launch));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Device functions
//===----------------------------------------------------------------------===//

/// The kernel's buffer at `address`, whose dynamic extents are `extents`.
Value KernelMapper::rebuildBuffer(BlockArgument buffer, Value address, ArrayRef<Value> extents) {
  Location loc = buffer.getLoc();
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<OpFoldResult> sizes, strides(type.getRank());
  for (int64_t extent : type.getShape()) {
    if (!ShapedType::isDynamic(extent)) {
      sizes.push_back(b.getIndexAttr(extent));
      continue;
    }
    sizes.push_back(extents.front());
    extents = extents.drop_front();
  }
  OpFoldResult stride = b.getIndexAttr(1);
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    std::optional<int64_t> x = getConstantIntValue(stride), y = getConstantIntValue(sizes[i]);
    if (x && y)
      stride = b.getIndexAttr(*x * *y);
    else
      stride = arith::MulIOp::create(b, loc, getValueOrCreateConstantIndexOp(b, loc, stride),
                                     getValueOrCreateConstantIndexOp(b, loc, sizes[i]))
                   .getResult();
  }
  return memref::ReinterpretCastOp::create(b, loc, type, address, b.getIndexAttr(0), sizes,
                                           strides);
}

/// Collects what the device is given for `value`: numbers and the kernel's
/// buffers. Views and constants it computes again; `definitions` are these.
static void collectInputs(Value value, Block &body, llvm::SetVector<Value> &numbers,
                          llvm::SetVector<Value> &buffers,
                          llvm::SetVector<Operation *> &definitions) {
  Operation *definition = value.getDefiningOp();
  if (definition && (isView(definition) || definition->hasTrait<OpTrait::ConstantLike>())) {
    for (Value operand : definition->getOperands())
      collectInputs(operand, body, numbers, buffers, definitions);
    definitions.insert(definition);
  } else if (isa<MemRefType>(value.getType())) {
    buffers.insert(value);
  } else {
    numbers.insert(value);
  }
}

/// A name that every assembler takes.
static std::string functionName(StringRef kernel, unsigned number) {
  std::string name = kernel.str();
  for (char &c : name)
    if (!llvm::isAlnum(c))
      c = '_';
  if (name.empty() || llvm::isDigit(name.front()))
    name.insert(0, "k");
  return name + "_" + std::to_string(number);
}

GPUFuncOp KernelMapper::createFunction(const Launch &launch, Value blocks,
                                       SmallVectorImpl<Value> &operands, IRMapping &mapping) {
  Location loc = launch.ops.front()->getLoc();
  Block &body = kernel.getBody().front();
  llvm::SetVector<Value> used, numbers, buffers;
  llvm::SetVector<Operation *> definitions;
  DenseSet<Operation *> inside(launch.ops.begin(), launch.ops.end());
  auto use = [&](Value value) {
    if (Operation *definition = value.getDefiningOp(); !definition || !inside.contains(definition))
      used.insert(value);
  };
  for (Operation *op : launch.ops) {
    llvm::for_each(op->getOperands(), use);
    llvm::SetVector<Value> above;
    for (Region &region : op->getRegions())
      getUsedValuesDefinedAbove(region, above);
    llvm::for_each(above, use);
  }
  for (Value value : used)
    collectInputs(value, body, numbers, buffers, definitions);

  // The number of blocks, numbers, extents of buffers, addresses.
  SmallVector<Type> types{b.getIndexType()};
  operands.push_back(blocks);
  for (Value number : numbers) {
    // A truth value is a byte wherever it lies in memory, as arguments do.
    if (number.getType().isInteger(1))
      number = arith::ExtUIOp::create(b, loc, b.getI8Type(), number);
    operands.push_back(number);
    types.push_back(number.getType());
  }
  SmallVector<unsigned> firstExtent;
  for (Value buffer : buffers) {
    firstExtent.push_back(static_cast<unsigned>(operands.size()));
    auto type = cast<MemRefType>(buffer.getType());
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i)) {
        operands.push_back(memref::DimOp::create(b, loc, buffer, i));
        types.push_back(b.getIndexType());
      }
  }
  unsigned firstBuffer = static_cast<unsigned>(operands.size());
  for (Value buffer : buffers) {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, buffer);
    operands.push_back(metadata.getBaseBuffer());
    types.push_back(operands.back().getType());
  }

  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  auto function = GPUFuncOp::create(b, loc, functionName(kernel.getSymName(), launches++),
                                    b.getFunctionType(types, {}));
  function->setAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  b.setInsertionPointToStart(&function.getBody().front());
  for (auto [number, argument] : llvm::zip(numbers, function.getArguments().drop_front())) {
    if (number.getType() == argument.getType())
      mapping.map(number, argument);
    else
      mapping.map(number, arith::TruncIOp::create(b, loc, number.getType(), argument));
  }
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> extents(function.getArguments().slice(
        firstExtent[i], static_cast<size_t>(type.getNumDynamicDims())));
    mapping.map(buffer, rebuildBuffer(cast<BlockArgument>(buffer),
                                      function.getArgument(firstBuffer + static_cast<unsigned>(i)),
                                      extents));
  }
  for (Operation *definition : definitions)
    b.clone(*definition, mapping);
  return function;
}

/// Gives the device's module the constants that `function` reads.
void KernelMapper::useConstants(GPUFuncOp function) {
  auto space = mlir::gpu::AddressSpaceAttr::get(b.getContext(), mlir::gpu::AddressSpace::Global);
  function.walk([&](memref::GetGlobalOp op) {
    MemRefType type = op.getType();
    auto onDevice =
        MemRefType::get(type.getShape(), type.getElementType(), type.getLayout(), space);
    if (!module.lookupSymbol(op.getNameAttr())) {
      auto global =
          SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(kernel, op.getNameAttr());
      b.setInsertionPointToStart(module.getBody());
      auto copy = cast<memref::GlobalOp>(b.clone(*global));
      copy.setType(onDevice);
      copy.setSymVisibility("private");
    }
    b.setInsertionPoint(op);
    Value memory = memref::GetGlobalOp::create(b, op.getLoc(), onDevice, op.getName());
    b.replaceOpWithNewOp<memref::MemorySpaceCastOp>(op, type, memory);
  });
}

/// Extents of the kernel's buffers are arguments.
static void useExtents(GPUFuncOp function, RewriterBase &b) {
  function.walk([&](memref::DimOp op) {
    auto buffer = op.getSource().getDefiningOp<memref::ReinterpretCastOp>();
    std::optional<int64_t> index = op.getConstantIndex();
    if (!buffer || !index || *index < 0 || *index >= buffer.getType().getRank())
      return;
    b.setInsertionPoint(op);
    OpFoldResult size = buffer.getMixedSizes()[static_cast<size_t>(*index)];
    b.replaceOp(op, getValueOrCreateConstantIndexOp(b, op.getLoc(), size));
  });
}

static void replaceWorkerIndices(GPUFuncOp function, Value worker, RewriterBase &b) {
  function.walk([&](WorkerIndexOp op) { b.replaceOp(op, worker); });
}

LogicalResult KernelMapper::fillFunction(const Launch &launch, GPUFuncOp function,
                                         IRMapping &mapping) {
  OpBuilder::InsertionGuard guard(b);
  Block &entry = function.getBody().front();
  b.setInsertionPointToEnd(&entry);
  SmallVector<Operation *> ops;
  for (Operation *op : launch.ops) {
    if (auto copy = dyn_cast<memref::CopyOp>(op))
      ops.push_back(linalg::CopyOp::create(b, op->getLoc(),
                                           mapping.lookupOrDefault(copy.getSource()),
                                           mapping.lookupOrDefault(copy.getTarget())));
    else
      ops.push_back(b.clone(*op, mapping));
  }
  useConstants(function);
  b.setInsertionPointToEnd(&entry);
  Location loc = function.getLoc();
  Grid grid{function.getArgument(0), threadsOf(launch)};
  BlockOptions options{grid};
  if (ScheduleAttr schedule = kernel.getScheduleAttr(); schedule && !schedule.getVector().empty()) {
    options.contractionRows = schedule.getVector()[0];
    options.contractionColumns = schedule.getVector()[1];
  }
  mlir::gpu::ReturnOp::create(b, loc);
  b.setInsertionPoint(ops.front());
  switch (launch.kind) {
  case Launch::Elements:
    distributePositions(b, cast<linalg::LinalgOp>(ops.front()), threadsOfGrid(b, loc, grid));
    break;
  case Launch::Blocks: {
    Workers blocks = blocksOfGrid(b, loc, grid);
    scf::ForOp loop = distributeIterations(b, cast<scf::ForallOp>(ops.front()), blocks);
    replaceWorkerIndices(function, blocks.index, b);
    if (failed(distributeBlock(b, *loop.getBody(), options)))
      return failure();
    shareTemporaries(b, function);
    break;
  }
  case Launch::Threads: {
    Workers threads = threadsOfGrid(b, loc, grid);
    scf::ForOp loop = distributeIterations(b, cast<scf::ForallOp>(ops.front()), threads);
    replaceWorkerIndices(function, threads.index, b);
    if (failed(makeSequential(b, loop.getRegion(), function)))
      return failure();
    break;
  }
  case Launch::OneBlock:
    replaceWorkerIndices(function, arith::ConstantIndexOp::create(b, loc, 0), b);
    if (failed(distributeBlock(b, entry, options)))
      return failure();
    shareTemporaries(b, function);
    break;
  }
  useExtents(function, b);
  return success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

static bool usesWorkerIndex(const Launch &launch) {
  return llvm::any_of(launch.ops, [](Operation *op) {
    return op->walk([](WorkerIndexOp) { return WalkResult::interrupt(); }).wasInterrupted();
  });
}

/// How many blocks the grid of `launch` has, computed on the host.
Value KernelMapper::countBlocks(const Launch &launch) {
  Location loc = launch.ops.front()->getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  int64_t threads = threadsOf(launch);
  int64_t most = kMaxBlocks;
  if (usesWorkerIndex(launch))
    most = launch.kind == Launch::Threads ? kDeviceWorkers / threads : kDeviceWorkers;
  Value count;
  switch (launch.kind) {
  case Launch::OneBlock:
    return constant(1);
  case Launch::Elements: {
    auto op = dyn_cast<linalg::LinalgOp>(launch.ops.front());
    if (!op) {
      auto copy = cast<memref::CopyOp>(launch.ops.front());
      count = constant(1);
      auto type = cast<MemRefType>(copy.getTarget().getType());
      for (int64_t i = 0; i < type.getRank(); ++i)
        count = b.createOrFold<arith::MulIOp>(
            loc, count, b.createOrFold<memref::DimOp>(loc, copy.getTarget(), i));
    } else {
      count = countPositions(b, op);
    }
    count = b.createOrFold<arith::CeilDivSIOp>(loc, count, constant(threads));
    break;
  }
  case Launch::Blocks:
    count = countIterations(b, cast<scf::ForallOp>(launch.ops.front()));
    break;
  case Launch::Threads:
    count = countIterations(b, cast<scf::ForallOp>(launch.ops.front()));
    count = b.createOrFold<arith::CeilDivSIOp>(loc, count, constant(threads));
    break;
  }
  return b.createOrFold<arith::MinSIOp>(loc, count, constant(most));
}

LogicalResult KernelMapper::createLaunch(const Launch &launch) {
  Location loc = launch.ops.front()->getLoc();
  b.setInsertionPoint(launch.ops.back());
  Value blocks = countBlocks(launch);
  SmallVector<Value> operands;
  IRMapping mapping;
  GPUFuncOp function = createFunction(launch, blocks, operands, mapping);
  if (failed(fillFunction(launch, function, mapping)))
    return failure();
  int32_t threads = threadsOf(launch);
  function.setKnownBlockSizeAttr(b.getDenseI32ArrayAttr({threads, 1, 1}));
  b.setInsertionPoint(launch.ops.back());
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value size = arith::ConstantIndexOp::create(b, loc, threads);
  mlir::gpu::LaunchFuncOp::create(b, loc, function, KernelDim3{blocks, one, one},
                                  KernelDim3{size, one, one}, /*dynamicSharedMemorySize=*/Value(),
                                  operands);
  return success();
}

LogicalResult KernelMapper::run() {
  for (Type type : kernel.getArgumentTypes())
    if (auto memref = dyn_cast<MemRefType>(type); memref && !memref.getLayout().isIdentity())
      return kernel.emitOpError("has an argument that is not contiguous");
  SmallVector<Launch> found = findLaunches();
  if (found.empty())
    return success();
  b.setInsertionPoint(kernel);
  module = GPUModuleOp::create(b, kernel.getLoc(), (kernel.getSymName() + "_gpu").str());
  for (const Launch &launch : found)
    if (failed(createLaunch(launch)))
      return failure();
  for (const Launch &launch : llvm::reverse(found))
    for (Operation *op : llvm::reverse(launch.ops))
      b.eraseOp(op);
  // Views that only the device uses.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(kernel.getBody().front())))
    if (isOpTriviallyDead(&op))
      b.eraseOp(&op);
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct MapToGPU : weft::impl::MapToGPUBase<MapToGPU> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    module->setAttr(mlir::gpu::GPUDialect::getContainerModuleAttrName(),
                    UnitAttr::get(&getContext()));
    IRRewriter rewriter(&getContext());
    for (KernelOp kernel : llvm::to_vector(module.getOps<KernelOp>())) {
      if (Operation *op = findHostOnly(kernel)) {
        keepOnHost(kernel, op);
        continue;
      }
      KernelMapper mapper(kernel, rewriter);
      if (failed(mapper.run()))
        return signalPassFailure();
      numLaunches += mapper.countLaunches();
    }
  }

  void keepOnHost(KernelOp kernel, Operation *op) {
    ++numHostKernels;
    std::string reason = ("runs on the host: no device runs " + op->getName().getStringRef()).str();
    kernel->setAttr(WeftDialect::fallbackAttrName, StringAttr::get(&getContext(), reason));
    SmallVector<Location> nodes;
    getOperation().walk([&](DispatchOp dispatch) {
      if (dispatch.getKernelAttr().getAttr() == dispatchedNameOf(kernel))
        nodes.push_back(dispatch.getLoc());
    });
    remark::missed(
        FusedLoc::get(&getContext(), nodes),
        remark::RemarkOpts::name("fallback").category("target").function(kernel.getSymName()))
        << remark::reason("{0}", reason);
  }
};
} // namespace
