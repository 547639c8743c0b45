//===- LowerLaunches.cpp - Launches of device kernels get the module ABI --===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "targets/CPU/ABI.h"
#include "targets/CPU/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/MapVector.h"

namespace weft {
#define GEN_PASS_DEF_LOWERLAUNCHES
#include "targets/CPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;
using namespace weft::cpu;
using mlir::gpu::LaunchFuncOp;

/// What a launch's `shape` has: grid, block, bytes of shared memory.
static constexpr int64_t kShapeSize = 7;

/// Bytes of an argument of a device kernel; 0 is an address.
static FailureOr<int64_t> argumentBytes(LaunchFuncOp launch, Type type) {
  if (isa<LLVM::LLVMPointerType>(type))
    return 0;
  if (auto memref = dyn_cast<MemRefType>(type); memref && memref.getLayout().isIdentity())
    return 0;
  if (type.isIndex())
    return 8;
  if (type.isIntOrFloat() && type.getIntOrFloatBitWidth() <= 64)
    return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  return launch.emitOpError("has an argument of type ")
         << type << ", expected a number of at most 64 bits or a contiguous memref";
}

namespace {
/// The device kernels that are launched, those of a module together.
class KernelTable {
public:
  LogicalResult collect(ModuleOp module, ArrayRef<LaunchFuncOp> launches);
  int64_t indexOf(LaunchFuncOp launch) const {
    return indices.lookup({launch.getKernelModuleName(), launch.getKernelName()});
  }
  ArrayAttr attribute(MLIRContext *context) const { return ArrayAttr::get(context, kernels); }

private:
  DenseMap<std::pair<StringAttr, StringAttr>, int64_t> indices;
  SmallVector<Attribute> kernels;
};

struct LowerLaunches : weft::impl::LowerLaunchesBase<LowerLaunches> {
  void runOnOperation() override;
  LogicalResult lower(LaunchFuncOp launch, const KernelTable &table);
};
} // namespace

LogicalResult KernelTable::collect(ModuleOp module, ArrayRef<LaunchFuncOp> launches) {
  Builder b(module.getContext());
  DenseMap<StringAttr, llvm::MapVector<StringAttr, LaunchFuncOp>> byModule;
  for (LaunchFuncOp launch : launches)
    byModule[launch.getKernelModuleName()].insert({launch.getKernelName(), launch});
  for (Operation &op : module.getOps()) {
    if (!isa<mlir::gpu::GPUModuleOp, mlir::gpu::BinaryOp>(op))
      continue;
    StringAttr name = SymbolTable::getSymbolName(&op);
    for (auto [kernel, launch] : byModule[name]) {
      SmallVector<int64_t> sizes;
      for (Type type : launch.getKernelOperands().getTypes()) {
        FailureOr<int64_t> bytes = argumentBytes(launch, type);
        if (failed(bytes))
          return failure();
        sizes.push_back(*bytes);
      }
      indices[{name, kernel}] = static_cast<int64_t>(kernels.size());
      kernels.push_back(
          b.getDictionaryAttr({b.getNamedAttr("name", kernel), b.getNamedAttr("module", name),
                               b.getNamedAttr("arguments", b.getDenseI64ArrayAttr(sizes))}));
    }
  }
  return success();
}

LogicalResult LowerLaunches::lower(LaunchFuncOp launch, const KernelTable &table) {
  auto function = launch->getParentOfType<LLVM::LLVMFuncOp>();
  if (!function || function.getNumArguments() < 4 || launch->getParentOp() != function)
    return launch.emitOpError("is not in a kernel that has the module ABI");
  Location loc = launch.getLoc();
  IRRewriter b(launch);
  ABIBuilder abi{b, loc};
  ValueRange operands = launch.getKernelOperands();
  auto array = [&](int64_t count) -> Value {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    return LLVM::AllocaOp::create(b, loc, abi.ptr(), abi.i64(), abi.constant(abi.i64(), count));
  };
  // A value each, then their addresses.
  int64_t count = static_cast<int64_t>(operands.size());
  Value values = array(std::max<int64_t>(count, 1)), addresses = array(std::max<int64_t>(count, 1));
  Value shape = array(kShapeSize);
  for (auto [i, operand] : llvm::enumerate(operands)) {
    Value value = operand;
    if (isa<MemRefType>(operand.getType()))
      value = abi.address(operand);
    else if (operand.getType().isIndex())
      value = abi.fromIndex(operand);
    abi.storeElement(values, static_cast<int64_t>(i), value);
    Value address = LLVM::GEPOp::create(b, loc, abi.ptr(), abi.i64(), values,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    abi.storeElement(addresses, static_cast<int64_t>(i), address);
  }
  mlir::gpu::KernelDim3 grid = launch.getGridSizeOperandValues(),
                        block = launch.getBlockSizeOperandValues();
  auto extent = [&](int64_t position, Value value) {
    if (value.getType().isIndex())
      value = abi.fromIndex(value);
    else if (value.getType() != abi.i64())
      value = LLVM::SExtOp::create(b, loc, abi.i64(), value);
    abi.storeElement(shape, position, value);
  };
  for (auto [i, value] :
       llvm::enumerate(ArrayRef<Value>{grid.x, grid.y, grid.z, block.x, block.y, block.z}))
    extent(static_cast<int64_t>(i), value);
  Value shared = launch.getDynamicSharedMemorySize();
  extent(6, shared ? shared : abi.constant(abi.i64(), 0));

  Value env = function.getArgument(0), site = function.getArgument(3);
  Value status =
      abi.callField(env, EnvOffset::Launch, abi.i32(),
                    {env, abi.constant(abi.i64(), table.indexOf(launch)), shape, addresses, site});
  Value failed =
      LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::ne, status, abi.constant(abi.i32(), 0));
  Block *here = b.getInsertionBlock();
  Block *rest = b.splitBlock(here, launch->getIterator());
  Block *leave = b.createBlock(rest->getParent(), rest->getParent()->end());
  LLVM::ReturnOp::create(b, loc, status);
  b.setInsertionPointToEnd(here);
  cf::CondBranchOp::create(b, loc, failed, leave, ValueRange(), rest, ValueRange());
  b.eraseOp(launch);
  return success();
}

void LowerLaunches::runOnOperation() {
  ModuleOp module = getOperation();
  SmallVector<LaunchFuncOp> launches;
  module.walk([&](LaunchFuncOp launch) { launches.push_back(launch); });
  KernelTable table;
  if (failed(table.collect(module, launches)))
    return signalPassFailure();
  module->setAttr(WeftDialect::deviceKernelsAttrName, table.attribute(&getContext()));
  for (LaunchFuncOp launch : launches)
    if (failed(lower(launch, table)))
      return signalPassFailure();
}
