//===- WeftKernelOps.cpp - Kernels and their dispatch ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name, TypeRange arguments,
                     int64_t outs) {
  state.addAttribute(SymbolTable::getSymbolAttrName(), builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name),
                     TypeAttr::get(builder.getFunctionType(arguments, {})));
  state.addAttribute(getOutsAttrName(state.name), builder.getI64IntegerAttr(outs));
  Region *body = state.addRegion();
  Block &block = body->emplaceBlock();
  for (Type type : arguments)
    block.addArgument(type, state.location);
}

YieldOp KernelOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &state) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  IntegerAttr outs;
  Builder &builder = parser.getBuilder();
  if (parser.parseSymbolName(name, SymbolTable::getSymbolAttrName(), state.attributes) ||
      parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren,
                               /*allowType=*/true, /*allowAttrs=*/true) ||
      parser.parseKeyword("outs") ||
      parser.parseAttribute(outs, builder.getI64Type(), getOutsAttrName(state.name),
                            state.attributes) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  SmallVector<Type> types;
  for (OpAsmParser::Argument &argument : arguments)
    types.push_back(argument.type);
  state.addAttribute(getFunctionTypeAttrName(state.name),
                     TypeAttr::get(builder.getFunctionType(types, {})));
  call_interface_impl::addArgAndResultAttrs(builder, state, arguments, {},
                                            getArgAttrsAttrName(state.name),
                                            getResAttrsAttrName(state.name));
  return parser.parseRegion(*state.addRegion(), arguments);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  ArrayAttr attributes = getArgAttrsAttr();
  llvm::interleaveComma(getBody().getArguments(), printer, [&](BlockArgument a) {
    printer.printRegionArgument(
        a, attributes ? cast<DictionaryAttr>(attributes[a.getArgNumber()]).getValue()
                      : ArrayRef<NamedAttribute>());
  });
  printer << ") outs " << getOuts();
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {SymbolTable::getSymbolAttrName(), getFunctionTypeAttrName(),
                            getOutsAttrName(), getArgAttrsAttrName(), getResAttrsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

/// Kernels read and write tensors through their arguments: the order index,
/// inputs, outputs is what the calling convention flattens.
LogicalResult KernelOp::verify() {
  ArrayRef<Type> types = getArgumentTypes();
  if (getOuts() < 0 || static_cast<size_t>(getOuts()) > types.size())
    return emitOpError("has ") << types.size() << " arguments but claims " << getOuts() << " outs";
  bool seenShaped = false;
  for (auto [i, type] : llvm::enumerate(types)) {
    if (isa<ShapedType>(type)) {
      seenShaped = true;
    } else if (!type.isIndex()) {
      return emitOpError("argument ") << i << " must be index, tensor or memref, got " << type;
    } else if (seenShaped) {
      return emitOpError("argument ") << i << " is an index after a tensor";
    }
  }
  for (BlockArgument argument : getOutArguments())
    if (argument.getType().isIndex())
      return emitOpError("has an index among its outs");
  if (!getBody().front().mightHaveTerminator())
    return emitOpError("has a body without terminator");
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError("must end in weft.yield");
  if (yield.getNumOperands() == 0)
    return success();
  if (yield.getNumOperands() != getOutArguments().size())
    return emitOpError("yields ") << yield.getNumOperands() << " values for " << getOuts()
                                  << " outs";
  for (auto [value, out] : llvm::zip(yield.getValues(), getOutArguments()))
    if (value.getType() != out.getType())
      return emitOpError("yields ") << value.getType() << " for an out of type " << out.getType();
  return success();
}

//===----------------------------------------------------------------------===//
// DispatchOp
//===----------------------------------------------------------------------===//

LogicalResult DispatchOp::verify() {
  bool tensors =
      llvm::all_of(getOuts(), [](Value v) { return isa<RankedTensorType>(v.getType()); });
  if (tensors && getOuts().getTypes() != getResultTypes())
    return emitOpError("has results that differ from its outs");
  if (!tensors && getNumResults() != 0)
    return emitOpError("on memrefs has no results");
  SmallVector<Value> shaped(getInputs());
  llvm::append_range(shaped, getOuts());
  auto isTensor = [](Value v) { return isa<TensorType>(v.getType()); };
  if (!llvm::all_equal(llvm::map_range(shaped, isTensor)))
    return emitOpError("has both tensors and memrefs");
  auto isOnDevice = [](Value v) { return isDeviceMemory(v.getType()); };
  if (!llvm::all_equal(llvm::map_range(shaped, isOnDevice)))
    return emitOpError("has buffers in memory of the host and of the device");
  // On memory, kernels assume that what they write is nothing else. Nothing is
  // written into an empty buffer, and all of these may be one.
  if (!shaped.empty() && !isTensor(shaped.front())) {
    llvm::SmallDenseSet<Value> others(getInputs().begin(), getInputs().end());
    for (Value out : getOuts())
      if (!llvm::is_contained(cast<ShapedType>(out.getType()).getShape(), 0) &&
          !others.insert(out).second)
        return emitOpError("writes a buffer that it also has as another operand");
  }
  return success();
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel) {
    // After lowering, the kernel is a function of another dialect.
    if (symbols.lookupNearestSymbolFrom(*this, getKernelAttr()))
      return success();
    return emitOpError("refers to an unknown kernel ") << getKernelAttr();
  }
  SmallVector<Type> types(getSizes().getTypes());
  llvm::append_range(types, getInputs().getTypes());
  llvm::append_range(types, getOuts().getTypes());
  ArrayRef<Type> expected = kernel.getArgumentTypes();
  if (static_cast<size_t>(kernel.getOuts()) != getOuts().size())
    return emitOpError("has ") << getOuts().size() << " outs, kernel " << getKernelAttr() << " has "
                               << kernel.getOuts();
  if (types.size() != expected.size())
    return emitOpError("has ") << types.size() << " operands, kernel " << getKernelAttr()
                               << " takes " << expected.size();
  // Kernels bufferize before the host: a tensor may stand for its memref. And
  // upstream folds casts into destination-style operations: a tensor may have
  // static extents where the kernel has dynamic ones.
  auto matches = [](Type type, Type want) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    auto shaped = dyn_cast<ShapedType>(want);
    if (isDeviceMemory(type)) // where kernels run, there is no other memory
      return withDeviceMemory(cast<MemRefType>(type), false) == want;
    if (!tensor || !shaped || !shaped.hasRank())
      return type == want;
    if (auto memref = dyn_cast<MemRefType>(want); memref && !memref.getLayout().isIdentity())
      return false;
    return tensor.getElementType() == shaped.getElementType() &&
           tensor.getRank() == shaped.getRank() &&
           llvm::all_of(llvm::zip(tensor.getShape(), shaped.getShape()), [](auto pair) {
             auto [extent, wanted] = pair;
             return extent == wanted || ShapedType::isDynamic(wanted);
           });
  };
  for (auto [i, type, want] : llvm::enumerate(types, expected))
    if (!matches(type, want))
      return emitOpError("operand ")
             << i << " is " << type << ", kernel " << getKernelAttr() << " takes " << want;
  return success();
}

LogicalResult DispatchOp::reifyResultShapes(OpBuilder &builder,
                                            ReifiedRankedShapedTypeDims &shapes) {
  for (Value out : getOuts())
    shapes.push_back(tensor::getMixedSizes(builder, getLoc(), out));
  return success();
}

void DispatchOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : getInputsMutable())
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  for (OpOperand &operand : getOutsMutable())
    if (isa<MemRefType>(operand.get().getType())) {
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    }
}
