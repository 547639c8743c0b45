//===- MatrixProduct.cpp - Matrices in the lanes of a subgroup ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/MatrixProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;

namespace {
/// How AMD GPUs lay matrices out: lane l has column l % 16 of a result, from a row on that
/// depends on l / 16, and of an operand some k of row or column l % 16.
/// "AMD Instinct MI300 ISA", 7.1; "RDNA3 ISA" and "RDNA4 ISA", 7.9.
struct AMDLayout {
  int64_t firstRow; ///< times l / 16
  int64_t rowStep;  ///< between results
  int64_t firstK;   ///< times l / 16
  int64_t depth;    ///< how many k
};
} // namespace

static AMDLayout layoutOf(MatrixInstruction instruction) {
  switch (instruction) {
  case MatrixInstruction::MFMA:
  case MatrixInstruction::MFMA2:
    return {4, 1, 4, 4};
  case MatrixInstruction::WMMA11:
    return {1, 2, 0, 16}; // both halves of a wave have the same operands
  case MatrixInstruction::WMMA12:
    return {8, 1, 8, 8};
  case MatrixInstruction::None:
  case MatrixInstruction::MMASync:
    break;
  }
  llvm_unreachable("no instruction of AMD GPUs");
}

MatrixProduct::MatrixProduct(ImplicitLocOpBuilder &b, MatrixInstruction instruction, Value lane)
    : b(b), instruction(instruction) {
  auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(b, value); };
  auto divide = [&](int64_t by) -> Value { return arith::DivUIOp::create(b, lane, constant(by)); };
  auto rest = [&](int64_t by) -> Value { return arith::RemUIOp::create(b, lane, constant(by)); };
  auto multiply = [&](Value value, int64_t factor) {
    return b.createOrFold<arith::MulIOp>(value, constant(factor));
  };
  if (instruction == MatrixInstruction::MMASync) {
    // PTX ISA, "Matrix Fragments for mma.m16n8k16": lane t of group g has pairs at 2t.
    row = across = divide(4);
    column = depth = multiply(rest(4), 2);
    return;
  }
  AMDLayout layout = layoutOf(instruction);
  Value group = divide(16);
  column = across = rest(16);
  row = multiply(group, layout.firstRow);
  depth = multiply(group, layout.firstK);
}

std::array<int64_t, 2> MatrixProduct::offsetOf(int64_t number) const {
  if (instruction != MatrixInstruction::MMASync)
    return {number * layoutOf(instruction).rowStep, 0};
  // Two results of 16 x 8, each with pairs in rows g and g + 8.
  return {number % 4 / 2 * 8, number / 4 * 8 + number % 2};
}

Value MatrixProduct::add(Value x, int64_t y) {
  return b.createOrFold<arith::AddIOp>(x, arith::ConstantIndexOp::create(b, y));
}

/// `count` k of one row or column, as instructions take them.
Value MatrixProduct::load(Value memory, Value across, Value k, int64_t count) {
  Type element = cast<MemRefType>(memory.getType()).getElementType();
  Value values = vector::LoadOp::create(
      b, VectorType::get({count}, element), memory, ValueRange{across, k},
      /*nontemporal=*/false,
      llvm::MaybeAlign(static_cast<uint64_t>(std::min<int64_t>(2 * count, 16))));
  if (!element.isBF16())
    return values;
  // Instructions take bits.
  Type bits = VectorType::get({count}, b.getI16Type());
  if (instruction == MatrixInstruction::MMASync)
    bits = b.getI32Type();
  return LLVM::BitcastOp::create(b, bits, values);
}

SmallVector<Value> MatrixProduct::loadFragment(Value memory, Value first, Value k) {
  Value at = b.createOrFold<arith::AddIOp>(first, across);
  Value from = b.createOrFold<arith::AddIOp>(k, depth);
  return {load(memory, at, from, layoutOf(instruction).depth)};
}

SmallVector<Value> MatrixProduct::loadRows(Value memory, Value first, Value k) {
  if (instruction != MatrixInstruction::MMASync)
    return loadFragment(memory, first, k);
  Value at = b.createOrFold<arith::AddIOp>(first, across);
  Value from = b.createOrFold<arith::AddIOp>(k, depth);
  SmallVector<Value> pairs;
  for (int64_t group : {0, 8})
    for (int64_t rows : {0, 8})
      pairs.push_back(load(memory, add(at, rows), add(from, group), 2));
  return pairs;
}

SmallVector<Value> MatrixProduct::loadColumns(Value memory, Value first, Value k) {
  if (instruction != MatrixInstruction::MMASync)
    return loadFragment(memory, first, k);
  Value at = b.createOrFold<arith::AddIOp>(first, across);
  Value from = b.createOrFold<arith::AddIOp>(k, depth);
  SmallVector<Value> pairs;
  for (int64_t columns : {0, 8})
    for (int64_t group : {0, 8})
      pairs.push_back(load(memory, add(at, columns), add(from, group), 2));
  return pairs;
}

SmallVector<Value> MatrixProduct::multiplyMMASync(ValueRange rows, ValueRange columns,
                                                  ValueRange sums) {
  auto type = rows.front().getType().isInteger() ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
  auto resultType =
      LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, b.getF32Type()));
  SmallVector<Value> results;
  for (unsigned half : {0, 1}) {
    Value result = NVVM::MmaOp::create(
        b, resultType, rows, columns.slice(2 * half, 2), sums.slice(4 * half, 4),
        ArrayRef<int64_t>{16, 8, 16}, /*b1Op=*/std::nullopt,
        /*intOverflow=*/std::nullopt, std::array<NVVM::MMATypes, 2>{type, type},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int64_t i = 0; i < 4; ++i)
      results.push_back(LLVM::ExtractValueOp::create(b, result, i));
  }
  return results;
}

Value MatrixProduct::multiplyMFMA(Value row, Value column, Value before) {
  Type type = before.getType();
  // Neither broadcasts nor permutations of blocks.
  Value zero = LLVM::ConstantOp::create(b, b.getI32Type(), 0);
  SmallVector<Value> operands{row, column, before, zero, zero, zero};
  if (getElementTypeOrSelf(row.getType()).isInteger())
    return ROCDL::mfma_f32_16x16x16bf16_1k::create(b, type, operands).getResult();
  if (instruction == MatrixInstruction::MFMA)
    return ROCDL::mfma_f32_16x16x16f16::create(b, type, operands).getResult();
  // Lanes l / 16 have k 4 * (l / 16) + j: one product of four of them for each j.
  auto element = [&](Value values, int64_t j) -> Value {
    Value value = vector::ExtractOp::create(b, values, j);
    return arith::ExtFOp::create(b, b.getF32Type(), value);
  };
  for (int64_t j = 0; j < layoutOf(instruction).depth; ++j) {
    operands[0] = element(row, j);
    operands[1] = element(column, j);
    operands[2] = ROCDL::mfma_f32_16x16x4f32::create(b, type, operands).getResult();
  }
  return operands[2];
}

SmallVector<Value> MatrixProduct::multiplyAMD(Value row, Value column, ValueRange sums) {
  auto type = VectorType::get({countResults()}, b.getF32Type());
  Value before = vector::FromElementsOp::create(b, type, sums), result;
  if (countLanes(instruction) == 64)
    result = multiplyMFMA(row, column, before);
  else if (getElementTypeOrSelf(row.getType()).isInteger())
    result = ROCDL::wmma_f32_16x16x16_bf16::create(b, type, row, column, before).getResult();
  else
    result = ROCDL::wmma_f32_16x16x16_f16::create(b, type, row, column, before).getResult();
  return llvm::to_vector_of<Value>(vector::ToElementsOp::create(b, result).getResults());
}

SmallVector<Value> MatrixProduct::multiply(ValueRange rows, ValueRange columns, ValueRange sums) {
  if (instruction == MatrixInstruction::MMASync)
    return multiplyMMASync(rows, columns, sums);
  return multiplyAMD(rows.front(), columns.front(), sums);
}
