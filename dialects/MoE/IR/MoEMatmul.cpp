//===- MoEMatmul.cpp - Products of the rows of groups ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/Weft/IR/Widening.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

SmallVector<ShapedType> GroupedMatmulOp::getWeightTypes() {
  return llvm::map_to_vector(getWeights().getTypes(),
                             [](Type type) { return cast<ShapedType>(type); });
}

Type GroupedMatmulOp::getSumType() {
  Type element = typeOf(getInit()).getElementType();
  if (isa<FloatType>(element) && !element.isF64())
    return Float32Type::get(getContext());
  return element;
}

LogicalResult GroupedMatmulOp::reifyResultShapes(OpBuilder &b,
                                                 ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, b, shapes);
}

static LogicalResult verifyEpilogue(GroupedMatmulOp op, size_t sums) {
  if (op.getEpilogue().empty()) {
    if (sums != 1)
      return op.emitOpError("has ") << sums << " weights, whose sums only an epilogue combines";
    return success();
  }
  Block &block = op.getEpilogue().front().front();
  SmallVector<Type> want(sums, op.getSumType());
  want.append(2, IndexType::get(op.getContext()));
  if (block.getArgumentTypes() != TypeRange(want))
    return op.emitOpError("expects an epilogue of ")
           << sums << " " << op.getSumType() << " and two index values";
  Type element = typeOf(op.getInit()).getElementType();
  auto yield = dyn_cast<moe::YieldOp>(block.getTerminator());
  if (!yield || yield.getNumOperands() != 1 || yield.getOperand(0).getType() != element)
    return op.emitOpError("has an epilogue that does not yield one ") << element;
  return success();
}

LogicalResult GroupedMatmulOp::verify() {
  if (failed(verifyResults(*this)))
    return failure();
  RankedTensorType input = typeOf(getInput()), offsets = typeOf(getOffsets()),
                   result = typeOf(getResult());
  if (input.getRank() != 2 || result.getRank() != 2)
    return emitOpError("expects an input and an init of rank 2, got ")
           << input << " and " << result;
  if (offsets.getRank() != 1 || !offsets.getElementType().isInteger(32) ||
      offsets.getDimSize(0) == 0)
    return emitOpError("expects offsets of rank 1 of i32, one more than groups, got ") << offsets;
  int64_t groups = offsets.isDynamicDim(0) ? ShapedType::kDynamic : offsets.getDimSize(0) - 1;
  SmallVector<ShapedType> weights = getWeightTypes();
  if (weights.empty())
    return emitOpError("expects weights");
  for (Value weight : getWeights())
    if (failed(verifyNoBasis(*this, weight)))
      return failure();
  for (ShapedType type : weights) {
    if (type.getRank() != 3)
      return emitOpError("expects weights of rank 3, got ") << Type(type);
    int64_t k = type.getDimSize(getTransposed() ? 2 : 1),
            n = type.getDimSize(getTransposed() ? 1 : 2);
    if (!compatible(type.getDimSize(0), groups) || !compatible(k, input.getDimSize(1)) ||
        !compatible(n, result.getDimSize(1)))
      return emitOpError("expects weights of ")
             << show(groups) << " groups, " << show(input.getDimSize(1)) << " rows and "
             << show(result.getDimSize(1)) << " columns, got " << Type(type);
    if (!widensTo(type.getElementType(), getSumType()))
      return emitOpError("has weights of ")
             << type.getElementType() << " for sums of " << getSumType();
    if (auto packed = dyn_cast<PackedType>(type);
        packed && (!packed.hasStaticShape() || packed.getDimSize(0) == 0))
      return emitOpError("expects packed weights of static extents, got ") << Type(type);
  }
  if (!widensTo(input.getElementType(), getSumType()))
    return emitOpError("has an input of ")
           << input.getElementType() << " for sums of " << getSumType();
  if (!getBiases().empty() && getBiases().size() != weights.size())
    return emitOpError("has ") << getBiases().size() << " biases for " << weights.size()
                               << " weights";
  for (Value bias : getBiases())
    if (RankedTensorType type = typeOf(bias);
        type.getRank() != 2 || !compatible(type.getDimSize(0), groups) ||
        !compatible(type.getDimSize(1), result.getDimSize(1)) ||
        !widensTo(type.getElementType(), getSumType()))
      return emitOpError("expects biases of ")
             << show(groups) << " groups and " << show(result.getDimSize(1)) << " columns, got "
             << type;
  if (Value indices = getIndices()) {
    RankedTensorType type = typeOf(indices);
    if (type.getRank() != 1 || !type.getElementType().isInteger(32) ||
        !compatible(type.getDimSize(0), result.getDimSize(0)))
      return emitOpError("expects an index of i32 for each of ")
             << show(result.getDimSize(0)) << " rows, got " << type;
  } else if (!compatible(input.getDimSize(0), result.getDimSize(0))) {
    return emitOpError("has an input of ")
           << input.getDimSize(0) << " rows and an init of " << result.getDimSize(0);
  }
  return verifyEpilogue(*this, weights.size());
}

//===----------------------------------------------------------------------===//
// Reference
//===----------------------------------------------------------------------===//

/// Columns of a tile of dense weights.
static constexpr int64_t kColumns = 64;

/// Elements of a decoded tile: 64 KB of f32.
static constexpr int64_t kDecodedElements = 1 << 14;

namespace {
/// Work items are groups times tiles of columns: each computes its rows by vectors
/// of columns, one product of a row's element and a weight's row after another.
class GroupedMatmulReference {
public:
  GroupedMatmulReference(OpBuilder &b, GroupedMatmulOp op)
      : m(b, op.getLoc()), op(op), sumType(op.getSumType()), rows(m.dim(op.getInit(), 0)),
        columns(m.dim(op.getInit(), 1)), depth(m.dim(op.getInput(), 1)),
        groups(m.sub(m.dim(op.getOffsets(), 0), m.constant(1))), tile(m.constant(tileColumns())) {}
  SmallVector<Value> lower();

private:
  bool isPacked(size_t i) { return isa<PackedType>(op.getWeightTypes()[i]); }
  /// Columns of a tile; a divisor of nothing, the last tile is smaller.
  int64_t tileColumns();
  /// The tile of weight `i`: [K, n] or, where it is stored so, [n, K].
  Value tileOf(size_t i, Value group, Value column, OpFoldResult width);
  Value decode(size_t i, Value group, Value column, OpFoldResult width);
  /// sum + the products of one row of the input with a tile of the weights.
  Value multiply(Value sum, Value row, Value depth, Value weights);
  Value finish(ValueRange sums, ValueRange biases, Value out, Value row, Value group);

  ReferenceBuilder m;
  GroupedMatmulOp op;
  Type sumType;
  Value rows, columns, depth, groups, tile;
};
} // namespace

int64_t GroupedMatmulReference::tileColumns() {
  int64_t width = kColumns;
  for (ShapedType type : op.getWeightTypes())
    if (isa<PackedType>(type)) {
      int64_t k = type.getDimSize(op.getTransposed() ? 2 : 1);
      width = std::min(width, std::max<int64_t>(1, kDecodedElements / std::max<int64_t>(k, 1)));
    }
  return width;
}

Value GroupedMatmulReference::decode(size_t i, Value group, Value column, OpFoldResult width) {
  auto packed = cast<PackedType>(op.getWeightTypes()[i]);
  SmallVector<Type> parts =
      llvm::map_to_vector(packed.getComponentTypes(), [](auto type) -> Type { return type; });
  auto disassemble = DisassembleOp::create(m.b, m.loc, parts, op.getWeights()[i]);
  SmallVector<Value> components(disassemble.getComponents());
  SmallVector<OpFoldResult> dims, offsets{group, m.b.getIndexAttr(0), m.b.getIndexAttr(0)};
  for (int64_t extent : packed.getShape())
    dims.push_back(m.b.getIndexAttr(extent));
  SmallVector<OpFoldResult> sizes{m.b.getIndexAttr(1), dims[1], dims[2]};
  int64_t along = op.getTransposed() ? 1 : 2;
  offsets[along] = column;
  sizes[along] = width;
  Value scratch = m.empty(sizes, packed.getElementType());
  Value decoded =
      packed.getFormat().decodeTile(m.b, m.loc, packed, components, dims, offsets, scratch);
  RankedTensorType type = typeOf(decoded);
  return tensor::CollapseShapeOp::create(
      m.b, m.loc, RankedTensorType::get(type.getShape().drop_front(), type.getElementType()),
      decoded, SmallVector<ReassociationIndices>{{0, 1}, {2}});
}

Value GroupedMatmulReference::tileOf(size_t i, Value group, Value column, OpFoldResult width) {
  if (isPacked(i))
    return decode(i, group, column, width);
  Value weights = op.getWeights()[i];
  SmallVector<OpFoldResult> offsets{group, m.b.getIndexAttr(0), m.b.getIndexAttr(0)},
      sizes{m.b.getIndexAttr(1), m.size(weights, 1), m.size(weights, 2)};
  int64_t along = op.getTransposed() ? 1 : 2;
  offsets[along] = column;
  sizes[along] = width;
  SmallVector<int64_t> shape;
  for (OpFoldResult size : ArrayRef(sizes).drop_front())
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return m.extract(
      weights, {offsets, sizes, RankedTensorType::get(shape, typeOf(weights).getElementType())});
}

static Value multiplyAdd(OpBuilder &b, Location loc, Value x, Value y, Value sum) {
  ReferenceBuilder e(b, loc);
  x = e.convert(x, sum.getType());
  y = e.convert(y, sum.getType());
  if (isa<FloatType>(sum.getType()))
    return arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, x, y));
  return arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, x, y));
}

Value GroupedMatmulReference::multiply(Value sum, Value row, Value depth, Value weights) {
  return m.loop(m.constant(0), depth, sum, [&](Value k, ValueRange carried) {
    Value x = m.read(op.getInput(), {row, k});
    bool transposed = op.getTransposed();
    RankedTensorType type = typeOf(weights);
    int64_t along = transposed ? 0 : 1;
    OpFoldResult zero = m.b.getIndexAttr(0), one = m.b.getIndexAttr(1);
    SmallVector<OpFoldResult> offsets{zero, zero}, sizes{one, one};
    offsets[1 - along] = k;
    sizes[along] = m.size(weights, along);
    Value line = m.extract(
        weights,
        {offsets, sizes, RankedTensorType::get({type.getDimSize(along)}, type.getElementType())});
    return SmallVector<Value>{
        m.map(line, carried[0], [&](OpBuilder &b, Location loc, ValueRange args) {
          return multiplyAdd(b, loc, x, args[0], args[1]);
        })};
  })[0];
}

Value GroupedMatmulReference::finish(ValueRange sums, ValueRange biases, Value out, Value row,
                                     Value group) {
  SmallVector<Value> inputs(sums);
  llvm::append_range(inputs, biases);
  Type element = typeOf(out).getElementType();
  return m.map(inputs, out, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    SmallVector<Value> totals;
    for (size_t i = 0; i < sums.size(); ++i) {
      Value sum = args[i];
      if (!biases.empty()) {
        Value bias = e.convert(args[sums.size() + i], sumType);
        sum = isa<FloatType>(sumType) ? Value(arith::AddFOp::create(b, loc, sum, bias))
                                      : Value(arith::AddIOp::create(b, loc, sum, bias));
      }
      totals.push_back(sum);
    }
    if (op.getEpilogue().empty())
      return e.convert(totals[0], element);
    Block &block = op.getEpilogue().front().front();
    IRMapping mapping;
    totals.append({row, group});
    mapping.map(block.getArguments(), totals);
    for (Operation &inner : block.without_terminator())
      b.clone(inner, mapping);
    return mapping.lookupOrDefault(block.getTerminator()->getOperand(0));
  });
}

SmallVector<Value> GroupedMatmulReference::lower() {
  Value init = op.getInit(), zero = m.constant(0), one = m.constant(1);
  bool isEmpty = llvm::is_contained(typeOf(init).getShape(), 0);
  for (ShapedType type : op.getWeightTypes())
    isEmpty |= type.getDimSize(0) == 0;
  // MLIR takes no slice of an empty dimension.
  if (isEmpty)
    return {init};
  Value inputRows = m.dim(op.getInput(), 0);
  size_t count = op.getWeightTypes().size();
  Value tiles = arith::CeilDivSIOp::create(m.b, m.loc, columns, tile);
  auto offsetAt = [&](Value g) {
    return m.min(m.max(m.toIndex(m.read(op.getOffsets(), g)), zero), rows);
  };
  Value start, rowsHere, column, width;
  auto slice = [&](ValueRange at) {
    start = offsetAt(at[0]);
    rowsHere = m.max(m.sub(offsetAt(m.add(at[0], one)), start), zero);
    column = m.mul(at[1], tile);
    width = m.min(tile, m.sub(columns, column));
    return SmallVector<ReferenceBuilder::Slice>{
        {{start, column},
         {rowsHere, width},
         RankedTensorType::get({ShapedType::kDynamic, ShapedType::kDynamic},
                               typeOf(init).getElementType())}};
  };
  auto compute = [&](Value group, Value part) -> Value {
    SmallVector<Value> weights, biases;
    for (size_t i = 0; i < count; ++i)
      weights.push_back(tileOf(i, group, column, width));
    for (Value bias : op.getBiases())
      biases.push_back(m.extract(
          bias, {{group, column},
                 {m.b.getIndexAttr(1), width},
                 RankedTensorType::get({ShapedType::kDynamic}, typeOf(bias).getElementType())}));
    return m.loop(zero, rowsHere, part, [&](Value p, ValueRange carried) {
      Value position = m.add(start, p), row = position, depthHere = depth;
      if (Value indices = op.getIndices()) {
        row = m.toIndex(m.read(indices, position));
        Value exists = m.both(m.cmp(arith::CmpIPredicate::sge, row, zero), m.less(zero, inputRows));
        depthHere = m.select(exists, depth, zero);
        row = m.clamp(row, inputRows);
      } else {
        depthHere = m.select(m.less(row, inputRows), depth, zero);
      }
      SmallVector<Value> sums;
      for (Value tile : weights) {
        Value empty = m.empty(OpFoldResult(width), sumType);
        sums.push_back(multiply(m.fill(empty, m.number(sumType, 0)), row, depthHere, tile));
      }
      ReferenceBuilder::Slice line{
          {p, m.b.getIndexAttr(0)},
          {m.b.getIndexAttr(1), width},
          RankedTensorType::get({ShapedType::kDynamic}, typeOf(part).getElementType())};
      Value out = finish(sums, biases, m.extract(carried[0], line), position, group);
      SmallVector<OpFoldResult> ones(2, m.b.getIndexAttr(1));
      return SmallVector<Value>{tensor::InsertSliceOp::create(m.b, m.loc, out, carried[0],
                                                              line.offsets, line.sizes, ones)};
    })[0];
  };
  return m.parallel({OpFoldResult(groups), OpFoldResult(tiles)}, init, slice,
                    [&](ValueRange at, ValueRange parts) {
                      return m.branch(
                          m.less(zero, rowsHere),
                          [&] { return SmallVector<Value>{compute(at[0], parts[0])}; },
                          [&] { return SmallVector<Value>(parts); });
                    });
}

FailureOr<SmallVector<Value>> GroupedMatmulOp::lowerToReference(OpBuilder &b) {
  return GroupedMatmulReference(b, *this).lower();
}

//===----------------------------------------------------------------------===//
// Tiling: over columns; where rows of groups lie is data
//===----------------------------------------------------------------------===//

SmallVector<utils::IteratorType> GroupedMatmulOp::getLoopIteratorTypes() {
  return {utils::IteratorType::parallel};
}

SmallVector<Range> GroupedMatmulOp::getIterationDomain(OpBuilder &b) {
  return {{b.getIndexAttr(0), tensor::getMixedSize(b, getLoc(), getInit(), 1), b.getIndexAttr(1)}};
}

FailureOr<TilingResult> GroupedMatmulOp::getTiledImplementation(OpBuilder &b,
                                                                ArrayRef<OpFoldResult> offsets,
                                                                ArrayRef<OpFoldResult> sizes) {
  // Formats cut packed weights themselves.
  if (llvm::any_of(getWeightTypes(), llvm::IsaPred<PackedType>))
    return failure();
  SmallVector<Operation *> slices;
  SmallVector<Value> operands(getOperands());
  auto cut = [&](OpOperand &operand, int64_t along) {
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, getLoc(), operand.get()),
                              from(extents.size(), b.getIndexAttr(0)),
                              ones(extents.size(), b.getIndexAttr(1));
    from[along] = offsets[0];
    extents[along] = sizes[0];
    auto slice = tensor::ExtractSliceOp::create(b, getLoc(), operand.get(), from, extents, ones);
    slices.push_back(slice);
    operands[operand.getOperandNumber()] = slice;
  };
  for (OpOperand &weight : getWeightsMutable())
    cut(weight, getTransposed() ? 1 : 2);
  for (OpOperand &bias : getBiasesMutable())
    cut(bias, 1);
  cut(getInitsMutable()[0], 1);
  Operation *tile = mlir::clone(b, getOperation(), operands.back().getType(), operands);
  return TilingResult{{tile}, {tile->getResult(0)}, slices};
}

LogicalResult GroupedMatmulOp::getResultTilePosition(OpBuilder &b, unsigned,
                                                     ArrayRef<OpFoldResult> offsets,
                                                     ArrayRef<OpFoldResult> sizes,
                                                     SmallVector<OpFoldResult> &resultOffsets,
                                                     SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets = {b.getIndexAttr(0), offsets[0]};
  resultSizes = {tensor::getMixedSize(b, getLoc(), getInit(), 0), sizes[0]};
  return success();
}

FailureOr<TilingResult> GroupedMatmulOp::generateResultTileValue(OpBuilder &b, unsigned,
                                                                 ArrayRef<OpFoldResult> offsets,
                                                                 ArrayRef<OpFoldResult> sizes) {
  // A tile has all rows.
  if (!isConstantIntValue(offsets[0], 0) || !isExtentOf(sizes[0], getInit(), 0))
    return failure();
  return getTiledImplementation(b, offsets[1], sizes[1]);
}
