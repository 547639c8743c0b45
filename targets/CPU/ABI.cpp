//===- ABI.cpp - The module ABI as LLVM dialect types ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/CPU/ABI.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace weft::cpu;

Value ABIBuilder::constant(Type type, int64_t value) const {
  return LLVM::ConstantOp::create(b, loc, type, b.getIntegerAttr(type, value));
}

Value ABIBuilder::loadField(Value env, int32_t offset, Type type) const {
  Value field =
      LLVM::GEPOp::create(b, loc, ptr(), b.getI8Type(), env, ArrayRef<LLVM::GEPArg>{offset});
  auto load = LLVM::LoadOp::create(b, loc, type, field);
  return load;
}

Value ABIBuilder::loadElement(Value array, int64_t index, Type type) const {
  Value element = LLVM::GEPOp::create(b, loc, ptr(), i64(), array,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
  return LLVM::LoadOp::create(b, loc, type, element);
}

void ABIBuilder::storeElement(Value array, int64_t index, Value value) const {
  Value element = LLVM::GEPOp::create(b, loc, ptr(), i64(), array,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
  LLVM::StoreOp::create(b, loc, value, element);
}

Value ABIBuilder::callField(Value env, int32_t offset, Type result, ValueRange arguments) const {
  Value callee = loadField(env, offset, ptr());
  SmallVector<Type> types(arguments.getTypes());
  auto type = LLVM::LLVMFunctionType::get(result, types);
  SmallVector<Value> operands{callee};
  llvm::append_range(operands, arguments);
  return LLVM::CallOp::create(b, loc, type, operands).getResult();
}

void ABIBuilder::callProcedure(Value env, int32_t offset, ValueRange arguments) const {
  SmallVector<Value> operands{loadField(env, offset, ptr())};
  llvm::append_range(operands, arguments);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                          SmallVector<Type>(arguments.getTypes()));
  LLVM::CallOp::create(b, loc, type, operands);
}

Value ABIBuilder::memref(MemRefType type, Value address, ValueRange sizes) const {
  int64_t rank = type.getRank();
  SmallVector<Type> fields{ptr(), ptr(), i64()};
  if (rank > 0) {
    Type array = LLVM::LLVMArrayType::get(i64(), rank);
    fields.append({array, array});
  }
  Type structure = LLVM::LLVMStructType::getLiteral(b.getContext(), fields);
  Value descriptor = LLVM::UndefOp::create(b, loc, structure);
  auto insert = [&](Value value, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(b, loc, descriptor, value, position);
  };
  insert(address, {0});
  insert(address, {1});
  insert(constant(i64(), 0), {2});
  SmallVector<Value> extents;
  for (int64_t extent : type.getShape()) {
    if (ShapedType::isDynamic(extent)) {
      extents.push_back(sizes.front());
      sizes = sizes.drop_front();
    } else {
      extents.push_back(constant(i64(), extent));
    }
  }
  Value stride;
  for (int64_t i = rank - 1; i >= 0; --i) {
    insert(extents[i], {3, i});
    if (!stride)
      stride = constant(i64(), 1);
    insert(stride, {4, i});
    if (i > 0)
      stride = LLVM::MulOp::create(b, loc, stride, extents[i]);
  }
  return UnrealizedConversionCastOp::create(b, loc, type, descriptor).getResult(0);
}

Value ABIBuilder::address(Value memref) const {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  return LLVM::IntToPtrOp::create(b, loc, ptr(), fromIndex(index));
}

Value ABIBuilder::toIndex(Value value) const {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

Value ABIBuilder::fromIndex(Value value) const {
  return arith::IndexCastOp::create(b, loc, i64(), value);
}
