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

/// Rows and columns of a tile of a group's result.
static constexpr int64_t kRows = 64, kColumns = 64;

/// How much of k is taken at a time where a tile of weights is decoded or turned: 64 KB of
/// f32.
static constexpr int64_t kDepth = 256;

namespace {
/// Work items are groups times tiles of columns. Each takes the rows of its group a tile at
/// a time, copies them together and multiplies them with its columns.
class GroupedMatmulReference {
public:
  GroupedMatmulReference(OpBuilder &b, GroupedMatmulOp op)
      : m(b, op.getLoc()), op(op), sumType(op.getSumType()), rows(m.dim(op.getInit(), 0)),
        columns(m.dim(op.getInit(), 1)), depth(m.dim(op.getInput(), 1)),
        groups(m.sub(m.dim(op.getOffsets(), 0), m.constant(1))) {}
  SmallVector<Value> lower();

private:
  /// Rows of a group, from `first` on, and columns from `column` on.
  struct Tile {
    Value group, first, column;
    OpFoldResult rows, width;
  };
  /// A piece of k.
  struct Piece {
    Value from;
    OpFoldResult extent;
  };
  bool isPacked(size_t i) { return isa<PackedType>(op.getWeightTypes()[i]); }
  /// How much of k is taken at a time; nothing: all of it.
  std::optional<int64_t> depthOfPieces();
  Value computeGroup(Value group, Value start, Value rowsHere, Value column, OpFoldResult width,
                     Value part);
  Value computeTile(const Tile &tile, Value start, Value part);
  /// The sums of a tile, a tensor for each of the weights.
  SmallVector<Value> multiply(const Tile &tile);
  SmallVector<Value> multiplyPiece(const Tile &tile, const Piece &piece, ValueRange sums);
  /// The row of the input for row `position` of the result, and whether there is one.
  std::pair<Value, Value> inputRow(Value position);
  Value gatherRows(const Tile &tile, const Piece &piece);
  /// Of weight `i`: [k, n] or, where it is stored so, [n, k].
  Value weightsOf(size_t i, const Tile &tile, const Piece &piece);
  Value finish(ValueRange sums, ValueRange biases, Value out, Value position, Value group);

  ReferenceBuilder m;
  GroupedMatmulOp op;
  Type sumType;
  Value rows, columns, depth, groups;
};
} // namespace

std::optional<int64_t> GroupedMatmulReference::depthOfPieces() {
  if (!op.getTransposed() && llvm::none_of(op.getWeightTypes(), llvm::IsaPred<PackedType>))
    return std::nullopt;
  int64_t k = op.getWeightTypes().front().getDimSize(op.getTransposed() ? 2 : 1);
  if (ShapedType::isDynamic(k))
    return kDepth;
  if (k <= kDepth)
    return std::nullopt;
  // Equal pieces, if there are any that are not much shorter.
  for (int64_t piece = kDepth; piece > kDepth / 2; --piece)
    if (k % piece == 0)
      return piece;
  return kDepth;
}

std::pair<Value, Value> GroupedMatmulReference::inputRow(Value position) {
  Value row = position, inputRows = m.dim(op.getInput(), 0);
  if (Value indices = op.getIndices())
    row = m.toIndex(m.read(indices, position));
  Value exists = m.both(m.within(row, inputRows), m.less(m.constant(0), inputRows));
  return {m.clamp(row, inputRows), exists};
}

/// The rows' pieces as a matrix of their own; zeros for a row that there is not.
Value GroupedMatmulReference::gatherRows(const Tile &tile, const Piece &piece) {
  RankedTensorType type = typeOf(op.getInput());
  Value zero = m.constant(0), none = m.number(type.getElementType(), 0);
  Value matrix = m.empty({tile.rows, piece.extent}, type.getElementType());
  // MLIR takes no slice of a tensor without rows.
  if (type.getDimSize(0) == 0)
    return m.fill(matrix, none);
  auto lineType = RankedTensorType::get({typeOf(matrix).getDimSize(1)}, type.getElementType());
  OpFoldResult first = m.b.getIndexAttr(0), one = m.b.getIndexAttr(1);
  return m.loop(zero, m.value(tile.rows), matrix, [&](Value r, ValueRange carried) {
    auto [row, exists] = inputRow(m.add(tile.first, r));
    SmallVector<OpFoldResult> at{r, first}, sizes{one, piece.extent}, ones(2, one);
    Value line = m.branch(
        exists,
        [&] {
          return SmallVector<Value>{m.extract(op.getInput(), {{row, piece.from}, sizes, lineType})};
        },
        [&] {
          return SmallVector<Value>{m.fill(m.empty(piece.extent, type.getElementType()), none)};
        })[0];
    return SmallVector<Value>{
        tensor::InsertSliceOp::create(m.b, m.loc, line, carried[0], at, sizes, ones)};
  })[0];
}

Value GroupedMatmulReference::weightsOf(size_t i, const Tile &tile, const Piece &piece) {
  SmallVector<OpFoldResult> offsets{tile.group, piece.from, tile.column},
      sizes{m.b.getIndexAttr(1), piece.extent, tile.width};
  if (op.getTransposed()) {
    std::swap(offsets[1], offsets[2]);
    std::swap(sizes[1], sizes[2]);
  }
  Value weights = op.getWeights()[i];
  SmallVector<int64_t> shape;
  for (OpFoldResult size : ArrayRef(sizes).drop_front())
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = RankedTensorType::get(shape, op.getWeightTypes()[i].getElementType());
  if (!isPacked(i))
    return m.extract(weights, {offsets, sizes, type});
  auto packed = cast<PackedType>(op.getWeightTypes()[i]);
  ValueRange components = takeApart(m.b, m.loc, weights);
  SmallVector<OpFoldResult> extents;
  for (int64_t extent : packed.getShape())
    extents.push_back(m.b.getIndexAttr(extent));
  Value decoded = packed.getFormat().decodeTile(m.b, m.loc, packed, components, extents, offsets,
                                                m.empty(sizes, packed.getElementType()));
  offsets.assign(3, m.b.getIndexAttr(0));
  return m.extract(decoded, {offsets, sizes, type});
}

static Value multiplyAdd(OpBuilder &b, Location loc, Value x, Value y, Value sum) {
  ReferenceBuilder e(b, loc);
  x = e.convert(x, sum.getType());
  y = e.convert(y, sum.getType());
  if (isa<FloatType>(sum.getType()))
    return arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, x, y));
  return arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, x, y));
}

SmallVector<Value> GroupedMatmulReference::multiplyPiece(const Tile &tile, const Piece &piece,
                                                         ValueRange sums) {
  // Loops [r, n, k].
  auto of = [&](ArrayRef<unsigned> dims) {
    return AffineMap::getMultiDimMapWithTargets(3, dims, m.b.getContext());
  };
  SmallVector<AffineMap> maps{of({0, 2}), op.getTransposed() ? of({1, 2}) : of({2, 1}), of({0, 1})};
  SmallVector<utils::IteratorType> iterators{
      utils::IteratorType::parallel, utils::IteratorType::parallel, utils::IteratorType::reduction};
  Value matrix = gatherRows(tile, piece);
  SmallVector<Value> results;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value weights = weightsOf(i, tile, piece);
    results.push_back(
        linalg::GenericOp::create(
            m.b, m.loc, sum.getType(), ValueRange{matrix, weights}, sum, maps, iterators,
            [](OpBuilder &b, Location loc, ValueRange args) {
              linalg::YieldOp::create(b, loc, multiplyAdd(b, loc, args[0], args[1], args[2]));
            })
            .getResult(0));
  }
  return results;
}

SmallVector<Value> GroupedMatmulReference::multiply(const Tile &tile) {
  Value zero = m.constant(0);
  SmallVector<Value> sums;
  for (size_t i = 0; i < op.getWeightTypes().size(); ++i)
    sums.push_back(m.fill(m.empty({tile.rows, tile.width}, sumType), m.number(sumType, 0)));
  std::optional<int64_t> pieces = depthOfPieces();
  if (!pieces)
    return multiplyPiece(tile, {zero, m.size(op.getInput(), 1)}, sums);
  int64_t k = op.getWeightTypes().front().getDimSize(op.getTransposed() ? 2 : 1);
  Value extent = m.constant(*pieces);
  bool divides = !ShapedType::isDynamic(k) && k % *pieces == 0;
  Value count = arith::CeilDivSIOp::create(m.b, m.loc, depth, extent);
  return m.loop(zero, count, sums, [&](Value i, ValueRange carried) {
    Value from = m.mul(i, extent);
    OpFoldResult here = divides ? OpFoldResult(m.b.getIndexAttr(*pieces))
                                : OpFoldResult(m.min(extent, m.sub(depth, from)));
    return multiplyPiece(tile, {from, here}, carried);
  });
}

Value GroupedMatmulReference::finish(ValueRange sums, ValueRange biases, Value out, Value position,
                                     Value group) {
  SmallVector<Value> inputs(sums);
  llvm::append_range(inputs, biases);
  Type element = typeOf(out).getElementType();
  Value exists = inputRow(position).second;
  return m.map(inputs, out, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    ReferenceBuilder e(b, loc);
    SmallVector<Value> totals;
    for (size_t i = 0; i < sums.size(); ++i) {
      Value sum = e.select(exists, args[i], e.number(sumType, 0));
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
    totals.append({position, group});
    mapping.map(block.getArguments(), totals);
    for (Operation &inner : block.without_terminator())
      b.clone(inner, mapping);
    return mapping.lookupOrDefault(block.getTerminator()->getOperand(0));
  });
}

Value GroupedMatmulReference::computeTile(const Tile &tile, Value start, Value part) {
  SmallVector<Value> sums = multiply(tile), biases;
  OpFoldResult zero = m.b.getIndexAttr(0), one = m.b.getIndexAttr(1);
  int64_t width = getConstantIntValue(tile.width).value_or(ShapedType::kDynamic);
  auto lineOf = [&](Value matrix, OpFoldResult row, OpFoldResult column) {
    auto type = RankedTensorType::get({width}, typeOf(matrix).getElementType());
    return ReferenceBuilder::Slice{{row, column}, {one, tile.width}, type};
  };
  for (Value bias : op.getBiases())
    biases.push_back(m.extract(bias, lineOf(bias, tile.group, tile.column)));
  return m.loop(m.constant(0), m.value(tile.rows), part, [&](Value r, ValueRange carried) {
    SmallVector<Value> lines;
    for (Value sum : sums)
      lines.push_back(m.extract(sum, lineOf(sum, r, zero)));
    Value position = m.add(tile.first, r);
    ReferenceBuilder::Slice line = lineOf(part, m.sub(position, start), zero);
    Value out = finish(lines, biases, m.extract(carried[0], line), position, tile.group);
    return SmallVector<Value>{tensor::InsertSliceOp::create(m.b, m.loc, out, carried[0],
                                                            line.offsets, line.sizes,
                                                            SmallVector<OpFoldResult>{one, one})};
  })[0];
}

Value GroupedMatmulReference::computeGroup(Value group, Value start, Value rowsHere, Value column,
                                           OpFoldResult width, Value part) {
  Value most = m.constant(kRows);
  Value tiles = arith::CeilDivSIOp::create(m.b, m.loc, rowsHere, most);
  return m.loop(m.constant(0), tiles, part, [&](Value i, ValueRange carried) {
    Value from = m.mul(i, most);
    Value count = m.min(most, m.sub(rowsHere, from));
    return SmallVector<Value>{
        computeTile({group, m.add(start, from), column, count, width}, start, carried[0])};
  })[0];
}

SmallVector<Value> GroupedMatmulReference::lower() {
  Value init = op.getInit(), zero = m.constant(0), one = m.constant(1);
  bool isEmpty = llvm::is_contained(typeOf(init).getShape(), 0);
  for (ShapedType type : op.getWeightTypes())
    isEmpty |= type.getDimSize(0) == 0;
  // MLIR takes no slice of an empty dimension.
  if (isEmpty)
    return {init};
  Value tile = m.constant(kColumns);
  Value tiles = arith::CeilDivSIOp::create(m.b, m.loc, columns, tile);
  auto offsetAt = [&](Value g) {
    return m.min(m.max(m.toIndex(m.read(op.getOffsets(), g)), zero), rows);
  };
  int64_t n = typeOf(init).getDimSize(1);
  bool divides = !ShapedType::isDynamic(n) && n % kColumns == 0;
  Value start, rowsHere, column;
  OpFoldResult width;
  auto slice = [&](ValueRange at) {
    start = offsetAt(at[0]);
    rowsHere = m.max(m.sub(offsetAt(m.add(at[0], one)), start), zero);
    column = m.mul(at[1], tile);
    width = divides ? OpFoldResult(m.b.getIndexAttr(kColumns))
                    : OpFoldResult(m.min(tile, m.sub(columns, column)));
    int64_t known = divides ? kColumns : ShapedType::kDynamic;
    return SmallVector<ReferenceBuilder::Slice>{
        {{start, column},
         {rowsHere, width},
         RankedTensorType::get({ShapedType::kDynamic, known}, typeOf(init).getElementType())}};
  };
  return m.parallel({OpFoldResult(groups), OpFoldResult(tiles)}, init, slice,
                    [&](ValueRange at, ValueRange parts) {
                      return m.branch(
                          m.less(zero, rowsHere),
                          [&] {
                            return SmallVector<Value>{
                                computeGroup(at[0], start, rowsHere, column, width, parts[0])};
                          },
                          [&] { return SmallVector<Value>(parts); });
                    });
}

FailureOr<SmallVector<Value>> GroupedMatmulOp::lowerToReference(OpBuilder &b) {
  return GroupedMatmulReference(b, *this).lower();
}

/// Over columns: where rows of groups lie is data.
TilingLoops GroupedMatmulOp::getTilingLoops() {
  return TilingLoops(*this, "N")
      .cut(getWeightsMutable(), getTransposed() ? "GNK" : "GKN")
      .cut(getBiasesMutable(), "GN")
      .cut(getInitsMutable(), "MN");
}
