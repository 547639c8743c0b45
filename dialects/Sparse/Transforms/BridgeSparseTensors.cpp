//===- BridgeSparseTensors.cpp - To upstream's sparse tensors and back ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/Transforms/Passes.h"

#include "dialects/Sparse/IR/Compress.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace weft::sparse {
#define GEN_PASS_DEF_BRIDGESPARSETENSORS
#include "dialects/Sparse/Transforms/Passes.h.inc"
} // namespace weft::sparse

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

/// The component of a name.
static Value componentNamed(PackedType type, ValueRange components, StringRef name) {
  for (auto [component, value] : llvm::zip(type.getFormat().getComponents(type), components))
    if (component.name == name)
      return value;
  llvm_unreachable("the structure has no such component");
}

/// Row and column of stored number `number` of a matrix.
static SmallVector<Value> positionOf(OpBuilder &b, Location loc, PackedType type,
                                     ValueRange components, Value number) {
  IndexMath m{b, loc};
  Value rows = m.constant(type.getShape()[0]), columns = m.constant(type.getShape()[1]);
  auto read = [&](OpBuilder &b, Location loc, StringRef name, Value i) {
    return toIndex(b, loc,
                   tensor::ExtractOp::create(b, loc, componentNamed(type, components, name), i));
  };
  StructureInterface structure = cast<LeafFormatAttr>(type.getFormat()).getStructure();
  if (isa<COOAttr>(structure))
    return {m.clamp(read(b, loc, "rows", number), rows),
            m.clamp(read(b, loc, "columns", number), columns)};
  bool isTransposed = isa<CSCAttr>(structure);
  Value lines = isTransposed ? columns : rows;
  // The first line that ends behind the number.
  Value line = lowerBound(b, loc, m.constant(0), lines, m.add(number, m.constant(1)),
                          [&](OpBuilder &b, Location loc, Value i) {
                            IndexMath x{b, loc};
                            return read(b, loc, "offsets", x.add(i, x.constant(1)));
                          });
  line = m.clamp(line, lines);
  Value along = m.clamp(read(b, loc, isTransposed ? "rows" : "columns", number),
                        isTransposed ? rows : columns);
  return isTransposed ? SmallVector<Value>{along, line} : SmallVector<Value>{line, along};
}

/// The components of the levels, outer ones first.
static SmallVector<Value> levelsOf(OpBuilder &b, Location loc, PackedType type,
                                   ValueRange components) {
  StructureInterface structure = cast<LeafFormatAttr>(type.getFormat()).getStructure();
  auto named = [&](StringRef name) { return componentNamed(type, components, name); };
  if (isa<CSRAttr>(structure))
    return {named("offsets"), named("columns")};
  if (isa<CSCAttr>(structure))
    return {named("offsets"), named("rows")};
  Value stored = tensor::DimOp::create(b, loc, named("rows"), 0);
  Value end = arith::IndexCastOp::create(b, loc, b.getI32Type(), stored);
  Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
  Value ends = tensor::FromElementsOp::create(b, loc, ValueRange{zero, end});
  return {ends, named("rows"), named("columns")};
}

static void convert(IRRewriter &rewriter, ToSparseTensorOp op) {
  Location loc = op.getLoc();
  PackedType type = op.getPacked().getType();
  ValueRange components = takeApart(rewriter, loc, op.getPacked());
  SmallVector<Value> levels = levelsOf(rewriter, loc, type, components);
  SmallVector<OpFoldResult> dims = {rewriter.getIndexAttr(type.getShape()[0]),
                                    rewriter.getIndexAttr(type.getShape()[1])};
  Value values =
      generate(rewriter, loc, getExtents(rewriter, loc, levels.back()), type.getElementType(),
               [&](OpBuilder &b, Location loc, ValueRange at) {
                 SmallVector<Value> position = positionOf(b, loc, type, components, at[0]);
                 return type.getFormat().decodeAt(b, loc, type, {components, dims, position});
               });
  rewriter.replaceOpWithNewOp<sparse_tensor::AssembleOp>(op, op.getResult().getType(), levels,
                                                         values);
}

static void convert(IRRewriter &rewriter, FromSparseTensorOp op) {
  Location loc = op.getLoc();
  PackedType type = op.getResult().getType();
  StructureInterface structure = cast<LeafFormatAttr>(type.getFormat()).getStructure();
  Type index = rewriter.getIndexType();
  OpFoldResult stored =
      Value(sparse_tensor::NumberOfEntriesOp::create(rewriter, loc, index, op.getTensor()));
  // Buffers for the levels, and which of them are components.
  SmallVector<RankedTensorType> types = type.getComponentTypes();
  SmallVector<Value> levels;
  bool isCOO = isa<COOAttr>(structure);
  if (isCOO)
    levels.push_back(
        tensor::EmptyOp::create(rewriter, loc, ArrayRef<int64_t>{2}, rewriter.getI32Type()));
  for (RankedTensorType component : ArrayRef(types).drop_front()) {
    OpFoldResult extent = component.isDynamicDim(0)
                              ? stored
                              : OpFoldResult(rewriter.getIndexAttr(component.getDimSize(0)));
    levels.push_back(tensor::EmptyOp::create(rewriter, loc, extent, component.getElementType()));
  }
  Value values = tensor::EmptyOp::create(rewriter, loc, stored, type.getElementType());
  SmallVector<Type> levelTypes(ValueRange(levels).getTypes());
  auto parts = sparse_tensor::DisassembleOp::create(rewriter, loc, levelTypes, values.getType(),
                                                    SmallVector<Type>(levels.size(), index), index,
                                                    op.getTensor(), levels, values);

  Type codeType = types.front().getElementType();
  Value codes = parts.getRetValues();
  if (isa<FloatType>(type.getElementType()))
    codes = generate(rewriter, loc, getExtents(rewriter, loc, codes), codeType,
                     [&](OpBuilder &b, Location loc, ValueRange at) {
                       Value x = tensor::ExtractOp::create(b, loc, parts.getRetValues(), at);
                       return Value(arith::BitcastOp::create(b, loc, codeType, x));
                     });
  SmallVector<Value> components = {codes};
  llvm::append_range(components, parts.getRetLevels().drop_front(isCOO ? 1 : 0));
  rewriter.replaceOpWithNewOp<AssembleOp>(op, type, components);
}

namespace {
struct BridgeSparseTensors : weft::sparse::impl::BridgeSparseTensorsBase<BridgeSparseTensors> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](Operation *op) {
      rewriter.setInsertionPoint(op);
      if (auto to = dyn_cast<ToSparseTensorOp>(op))
        convert(rewriter, to);
      else if (auto from = dyn_cast<FromSparseTensorOp>(op))
        convert(rewriter, from);
    });
  }
};
} // namespace
