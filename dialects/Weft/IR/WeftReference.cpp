//===- WeftReference.cpp - What tensor operations mean --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reference lowerings of weft's tensor operations: `linalg.generic` with
// explicit reads where elements are independent, `scf.for` where they are not.
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Compare.h"
#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/NumberReader.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft;

/// `element` of a tensor at clamped positions, which are none in an empty tensor:
/// there, by the condition `exists` (null: it always does), zero and nothing read.
static Value readIf(OpBuilder &b, Location loc, Value exists, Type type,
                    llvm::function_ref<Value(OpBuilder &)> element) {
  if (!exists)
    return element(b);
  auto choice = scf::IfOp::create(
      b, loc, exists, [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, element(b)); },
      [&](OpBuilder &b, Location loc) {
        Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(type)));
        scf::YieldOp::create(b, loc, zero);
      });
  return choice.getResult(0);
}

static Value convertTo(OpBuilder &b, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(type))
    return arith::ExtFOp::create(b, loc, type, value);
  return arith::ExtSIOp::create(b, loc, type, value);
}

static Value multiplyAdd(OpBuilder &b, Location loc, Value x, Value y, Value sum) {
  Type type = sum.getType();
  x = convertTo(b, loc, x, type);
  y = convertTo(b, loc, y, type);
  if (isa<FloatType>(type))
    return arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, x, y));
  return arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, x, y));
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

namespace {
/// Lowers a convolution to one `linalg.generic` with the loops n, m, output
/// positions, c, kernel positions.
class ConvolutionReference {
public:
  ConvolutionReference(ConvOp conv, OpBuilder &b)
      : conv(conv), b(b), loc(conv.getLoc()),
        inputType(cast<RankedTensorType>(conv.getInput().getType())),
        resultType(cast<RankedTensorType>(conv.getInit().getType())),
        filterType(conv.getFilterType()), spatial(inputType.getRank() - 2), loops(3 + 2 * spatial),
        iterators(2 + spatial, utils::IteratorType::parallel) {
    iterators.append(1 + spatial, utils::IteratorType::reduction);
  }

  /// Whether affine maps say where the input is read: there are no pads, and the
  /// groups are static.
  bool isAffine();
  Value lowerAffine();
  /// Reads the input at positions that are tested against its extents.
  Value lowerTested();

private:
  AffineExpr loop(int64_t i) { return getAffineDimExpr(i, b.getContext()); }
  AffineMap mapTo(ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(loops, 0, exprs, b.getContext());
  }
  /// The loops of the result, and `first` followed by those of the kernel.
  AffineMap outputMap();
  AffineMap kernelMap(ArrayRef<AffineExpr> first);
  Value testedSum(OpBuilder &b, Location loc, Value sum, Value inputExists,
                  ArrayRef<Value> inputExtents, Value groupChannels, Value groupOutputs,
                  const NumberReader &filter);

  ConvOp conv;
  OpBuilder &b;
  Location loc;
  RankedTensorType inputType, resultType;
  ShapedType filterType;
  int64_t spatial, loops;
  SmallVector<utils::IteratorType> iterators;
};
} // namespace

AffineMap ConvolutionReference::outputMap() {
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < 2 + spatial; ++i)
    exprs.push_back(loop(i));
  return mapTo(exprs);
}

AffineMap ConvolutionReference::kernelMap(ArrayRef<AffineExpr> first) {
  SmallVector<AffineExpr> exprs(first);
  for (int64_t i = 0; i < spatial; ++i)
    exprs.push_back(loop(3 + spatial + i));
  return mapTo(exprs);
}

bool ConvolutionReference::isAffine() {
  bool noPads = llvm::all_of(conv.getPads(), [](int64_t p) { return p == 0; });
  return !conv.getTransposed() && noPads && !conv.hasPackedFilter() &&
         (conv.getGroups() == 1 || !(inputType.isDynamicDim(1) || resultType.isDynamicDim(1)));
}

Value ConvolutionReference::lowerAffine() {
  int64_t groups = conv.getGroups();
  AffineExpr channel = loop(2 + spatial);
  if (groups > 1)
    channel =
        loop(1).floorDiv(resultType.getDimSize(1) / groups) * (inputType.getDimSize(1) / groups) +
        channel;
  SmallVector<AffineExpr> input{loop(0), channel};
  for (int64_t i = 0; i < spatial; ++i)
    input.push_back(loop(2 + i) * conv.getStrides()[i] +
                    loop(3 + spatial + i) * conv.getDilations()[i]);
  auto generic = linalg::GenericOp::create(
      b, loc, resultType, ValueRange{conv.getInput(), conv.getFilter()}, conv.getInit(),
      ArrayRef<AffineMap>{mapTo(input), kernelMap({loop(1), loop(2 + spatial)}), outputMap()},
      iterators, [](OpBuilder &b, Location loc, ValueRange args) {
        linalg::YieldOp::create(b, loc, multiplyAdd(b, loc, args[0], args[1], args[2]));
      });
  return generic.getResult(0);
}

/// `sum` and the product of one position of the kernel, if that is inside.
Value ConvolutionReference::testedSum(OpBuilder &b, Location loc, Value sum, Value inputExists,
                                      ArrayRef<Value> inputExtents, Value groupChannels,
                                      Value groupOutputs, const NumberReader &reader) {
  IndexMath m{b, loc};
  auto index = [&](int64_t i) -> Value { return linalg::IndexOp::create(b, loc, i); };
  Value outputChannel = index(1), channel = index(2 + spatial);
  Value group = m.div(outputChannel, groupOutputs);
  Value absolute = m.add(m.mul(group, groupChannels), channel);
  SmallVector<Value> input{index(0), absolute}, filter;
  if (conv.getTransposed())
    filter = {absolute, m.sub(outputChannel, m.mul(group, groupOutputs))};
  else
    filter = {outputChannel, channel};
  Value inside = arith::ConstantIntOp::create(b, loc, 1, 1);
  Value zero = m.constant(0);
  for (int64_t i = 0; i < spatial; ++i) {
    Value o = index(2 + i), k = index(3 + spatial + i);
    Value stride = m.constant(conv.getStrides()[i]), begin = m.constant(conv.getPads()[i]);
    Value offset = m.mul(k, m.constant(conv.getDilations()[i]));
    Value position;
    if (conv.getTransposed()) {
      Value scaled = m.sub(m.add(o, begin), offset);
      inside = m.both(inside, m.cmp(arith::CmpIPredicate::eq, m.rem(scaled, stride), zero));
      position = m.div(scaled, stride);
      inside = m.both(inside, m.cmp(arith::CmpIPredicate::sge, scaled, zero));
    } else {
      position = m.sub(m.add(m.mul(o, stride), offset), begin);
      inside = m.both(inside, m.cmp(arith::CmpIPredicate::sge, position, zero));
    }
    inside = m.both(inside, m.cmp(arith::CmpIPredicate::slt, position, inputExtents[i]));
    input.push_back(m.clamp(position, inputExtents[i]));
    filter.push_back(k);
  }
  Value x = readIf(b, loc, inputExists, inputType.getElementType(), [&](OpBuilder &b) -> Value {
    return tensor::ExtractOp::create(b, loc, conv.getInput(), input);
  });
  Value w = reader.read(b, loc, filter);
  return m.select(inside, multiplyAdd(b, loc, x, w, sum), sum);
}

Value ConvolutionReference::lowerTested() {
  // Extents of the inner loops: channels of a group, then the kernel's.
  IndexMath m{b, loc};
  Value inputChannels = m.dim(conv.getInput(), 1);
  Value groupChannels = m.div(inputChannels, m.constant(conv.getGroups()));
  Value groupOutputs = m.div(m.dim(conv.getInit(), 1), m.constant(conv.getGroups()));
  SmallVector<OpFoldResult> windowSizes{groupChannels};
  for (int64_t i = 0; i < spatial; ++i)
    windowSizes.push_back(conv.hasPackedFilter()
                              ? OpFoldResult(b.getIndexAttr(filterType.getDimSize(2 + i)))
                              : tensor::getMixedSize(b, loc, conv.getFilter(), 2 + i));
  Value window = tensor::EmptyOp::create(b, loc, windowSizes, filterType.getElementType());
  SmallVector<Value> inputExtents;
  for (int64_t i = 0; i < spatial; ++i)
    inputExtents.push_back(m.dim(conv.getInput(), 2 + i));
  SmallVector<int64_t> clamped;
  for (int64_t i = 0; i < spatial; ++i)
    clamped.push_back(2 + i);
  Value exists = isNotEmpty(m, conv.getInput(), clamped);
  NumberReader filter(b, loc, conv.getFilter());

  auto generic = linalg::GenericOp::create(
      b, loc, resultType, window, conv.getInit(),
      ArrayRef<AffineMap>{kernelMap({loop(2 + spatial)}), outputMap()}, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        linalg::YieldOp::create(
            b, loc,
            testedSum(b, loc, args[1], exists, inputExtents, groupChannels, groupOutputs, filter));
      });
  return generic.getResult(0);
}

FailureOr<SmallVector<Value>> ConvOp::lowerToReference(OpBuilder &b) {
  ConvolutionReference reference(*this, b);
  return SmallVector<Value>{reference.isAffine() ? reference.lowerAffine()
                                                 : reference.lowerTested()};
}

//===----------------------------------------------------------------------===//
// Gather and scatter
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> GatherOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  auto indicesType = cast<RankedTensorType>(getIndices().getType());
  auto resultType = cast<RankedTensorType>(getInit().getType());
  int64_t batch = getBatchDims();
  int64_t rows = indicesType.getRank() - 1, tuple = indicesType.getDimSize(rows);
  int64_t rank = resultType.getRank();
  IndexMath outer{b, loc};
  SmallVector<Value> extents;
  for (int64_t i = 0; i < tuple; ++i)
    extents.push_back(outer.dim(getData(), batch + i));
  Value exists = isNotEmpty(outer, getData(), llvm::to_vector(llvm::seq(batch, batch + tuple)));
  auto generic = linalg::GenericOp::create(
      b, loc, resultType, ValueRange{}, getInit(),
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank)},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange) {
        IndexMath m{b, loc};
        SmallVector<Value> loops;
        for (int64_t i = 0; i < rank; ++i)
          loops.push_back(linalg::IndexOp::create(b, loc, i));
        SmallVector<Value> position(loops.begin(), loops.begin() + batch);
        for (int64_t i = 0; i < tuple; ++i) {
          SmallVector<Value> at(loops.begin(), loops.begin() + rows);
          at.push_back(m.constant(i));
          Value raw = tensor::ExtractOp::create(b, loc, getIndices(), at);
          position.push_back(m.position(raw, extents[i]));
        }
        position.append(loops.begin() + rows, loops.end());
        Value x = readIf(b, loc, exists, resultType.getElementType(), [&](OpBuilder &b) -> Value {
          return tensor::ExtractOp::create(b, loc, getData(), position);
        });
        linalg::YieldOp::create(b, loc, x);
      });
  return SmallVector<Value>(generic.getResults());
}

FailureOr<SmallVector<Value>> EmbedOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  auto resultType = cast<RankedTensorType>(getInit().getType());
  int64_t rank = resultType.getRank(), rows = cast<RankedTensorType>(getIds().getType()).getRank();
  auto tableType = cast<ShapedType>(getTable().getType());
  IndexMath outer{b, loc};
  // The extents of a packed table are static.
  Value count = tableType.isDynamicDim(0) ? outer.dim(getTable(), 0)
                                          : outer.constant(tableType.getDimSize(0));
  Value exists;
  if (tableType.isDynamicDim(0) || tableType.getDimSize(0) == 0)
    exists = outer.cmp(arith::CmpIPredicate::sgt, count, outer.constant(0));
  NumberReader table(b, loc, getTable());
  auto generic = linalg::GenericOp::create(
      b, loc, resultType, ValueRange{}, getInit(), b.getMultiDimIdentityMap(rank),
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange) {
        IndexMath m{b, loc};
        SmallVector<Value> loops;
        for (int64_t i = 0; i < rank; ++i)
          loops.push_back(linalg::IndexOp::create(b, loc, i));
        Value raw = tensor::ExtractOp::create(b, loc, getIds(), ArrayRef(loops).take_front(rows));
        SmallVector<Value> position{m.position(raw, count)};
        position.append(loops.begin() + rows, loops.end());
        Value x = readIf(b, loc, exists, tableType.getElementType(),
                         [&](OpBuilder &b) { return table.read(b, loc, position); });
        if (x.getType() != resultType.getElementType())
          x = isa<FloatType>(x.getType())
                  ? Value(arith::ExtFOp::create(b, loc, resultType.getElementType(), x))
                  : Value(arith::ExtSIOp::create(b, loc, resultType.getElementType(), x));
        linalg::YieldOp::create(b, loc, x);
      });
  return SmallVector<Value>(generic.getResults());
}

/// Builds a nest of `scf.for` over [0, extents) that carries tensors; `body`
/// gets the induction variables and the carried values and gives the next ones.
static SmallVector<Value> buildLoopNest(
    OpBuilder &b, Location loc, ArrayRef<Value> extents, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange, ValueRange)> body) {
  IndexMath m{b, loc};
  SmallVector<Value> zeros(extents.size(), m.constant(0)), ones(extents.size(), m.constant(1));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, zeros, extents, ones, carried,
      [&](OpBuilder &b, Location loc, ValueRange ivs, ValueRange args) -> scf::ValueVector {
        SmallVector<Value> next = body(b, loc, ivs, args);
        return scf::ValueVector(next.begin(), next.end());
      });
  return SmallVector<Value>(nest.results);
}

FailureOr<SmallVector<Value>> ScatterOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  auto indicesType = cast<RankedTensorType>(getIndices().getType());
  int64_t rows = indicesType.getRank() - 1, tuple = indicesType.getDimSize(rows);
  IndexMath outer{b, loc};
  SmallVector<Value> loopExtents, extents;
  auto updatesType = cast<RankedTensorType>(getUpdates().getType());
  for (int64_t i = 0; i < updatesType.getRank(); ++i)
    loopExtents.push_back(outer.dim(getUpdates(), i));
  for (int64_t i = 0; i < tuple; ++i)
    extents.push_back(outer.dim(getInit(), i));
  // Nothing is written into an empty tensor: a loop of no iterations, where there
  // is no other one around the only update.
  if (Value exists = isNotEmpty(outer, getInit(), llvm::to_vector(llvm::seq<int64_t>(0, tuple)))) {
    if (loopExtents.empty())
      loopExtents.push_back(outer.constant(1));
    loopExtents[0] = outer.select(exists, loopExtents[0], outer.constant(0));
  }
  return buildLoopNest(b, loc, loopExtents, getInit(),
                       [&](OpBuilder &b, Location loc, ValueRange ivs, ValueRange args) {
                         IndexMath m{b, loc};
                         ivs = ivs.take_front(updatesType.getRank());
                         SmallVector<Value> position;
                         for (int64_t i = 0; i < tuple; ++i) {
                           SmallVector<Value> at(ivs.begin(), ivs.begin() + rows);
                           at.push_back(m.constant(i));
                           Value raw = tensor::ExtractOp::create(b, loc, getIndices(), at);
                           position.push_back(m.position(raw, extents[i]));
                         }
                         position.append(ivs.begin() + rows, ivs.end());
                         Value update = tensor::ExtractOp::create(b, loc, getUpdates(), ivs);
                         Value present = tensor::ExtractOp::create(b, loc, args[0], position);
                         IRMapping mapping;
                         Block &block = getCombiner().front();
                         mapping.map(block.getArgument(0), present);
                         mapping.map(block.getArgument(1), update);
                         for (Operation &op : block.without_terminator())
                           b.clone(op, mapping);
                         Value next = mapping.lookupOrDefault(block.getTerminator()->getOperand(0));
                         return SmallVector<Value>{
                             tensor::InsertOp::create(b, loc, next, args[0], position)};
                       });
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> ScanOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  int64_t along = getDimension();
  IndexMath outer{b, loc};
  auto type = cast<RankedTensorType>(getInput().getType());
  Type element = type.getElementType();
  bool isSum = getKind() == ScanKind::Sum;
  Attribute neutral = isa<FloatType>(element)
                          ? Attribute(b.getFloatAttr(element, isSum ? 0.0 : 1.0))
                          : Attribute(b.getIntegerAttr(element, isSum ? 0 : 1));
  Value start = arith::ConstantOp::create(b, loc, cast<TypedAttr>(neutral));
  SmallVector<Value> extents;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (i != along)
      extents.push_back(outer.dim(getInput(), i));
  Value length = outer.dim(getInput(), along);
  return buildLoopNest(
      b, loc, extents, getInit(), [&](OpBuilder &b, Location loc, ValueRange ivs, ValueRange args) {
        IndexMath m{b, loc};
        Value zero = m.constant(0), one = m.constant(1);
        auto loop = scf::ForOp::create(
            b, loc, zero, length, one, ValueRange{start, args[0]},
            [&](OpBuilder &b, Location loc, Value step, ValueRange carried) {
              IndexMath m{b, loc};
              SmallVector<Value> at(ivs);
              Value position = getReverse() ? m.sub(m.sub(length, m.constant(1)), step) : step;
              at.insert(at.begin() + along, position);
              Value x = tensor::ExtractOp::create(b, loc, getInput(), at);
              Value next;
              if (isa<FloatType>(element))
                next = isSum ? Value(arith::AddFOp::create(b, loc, carried[0], x))
                             : Value(arith::MulFOp::create(b, loc, carried[0], x));
              else
                next = isSum ? m.add(carried[0], x) : m.mul(carried[0], x);
              Value written = tensor::InsertOp::create(b, loc, getExclusive() ? carried[0] : next,
                                                       carried[1], at);
              scf::YieldOp::create(b, loc, ValueRange{next, written});
            });
        return SmallVector<Value>{loop.getResult(1)};
      });
}

//===----------------------------------------------------------------------===//
// Sort and nonzero
//===----------------------------------------------------------------------===//

Value weft::createComesBefore(OpBuilder &b, Location loc, Value x, Value y, bool descending,
                              bool isUnsigned) {
  if (descending)
    std::swap(x, y);
  if (isa<FloatType>(x.getType())) {
    // NaN is the largest: x < y, or y is NaN and x is not.
    Value less = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, y);
    Value yNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, y, y);
    Value xNumber = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, x, x);
    return arith::OrIOp::create(b, loc, less, arith::AndIOp::create(b, loc, yNaN, xNumber));
  }
  return arith::CmpIOp::create(
      b, loc, isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt, x, y);
}

/// Ranks every element: its place is the number of elements that come before it.
/// O(n^2) comparisons a row, without any state between elements; elements
/// placed beyond the inits' extent are dropped.
FailureOr<SmallVector<Value>> SortOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  int64_t along = getDimension();
  IndexMath outer{b, loc};
  auto inputType = cast<RankedTensorType>(getInput().getType());
  SmallVector<Value> extents;
  for (int64_t i = 0; i < inputType.getRank(); ++i)
    extents.push_back(outer.dim(getInput(), i));
  Value kept = outer.dim(getValuesInit(), along);
  return buildLoopNest(
      b, loc, extents, {getValuesInit(), getIndicesInit()},
      [&](OpBuilder &b, Location loc, ValueRange ivs, ValueRange args) {
        IndexMath m{b, loc};
        Value x = tensor::ExtractOp::create(b, loc, getInput(), ivs);
        Value zero = m.constant(0), one = m.constant(1);
        auto rank = scf::ForOp::create(
            b, loc, zero, extents[along], one, zero,
            [&](OpBuilder &b, Location loc, Value j, ValueRange count) {
              IndexMath m{b, loc};
              SmallVector<Value> at(ivs);
              at[along] = j;
              Value y = tensor::ExtractOp::create(b, loc, getInput(), at);
              Value before = createComesBefore(b, loc, y, x, getDescending(), getIsUnsigned());
              Value after = createComesBefore(b, loc, x, y, getDescending(), getIsUnsigned());
              Value tied =
                  arith::XOrIOp::create(b, loc, arith::OrIOp::create(b, loc, before, after),
                                        arith::ConstantIntOp::create(b, loc, 1, 1));
              Value earlier = m.cmp(arith::CmpIPredicate::slt, j, ivs[along]);
              Value counts = arith::OrIOp::create(b, loc, before, m.both(tied, earlier));
              Value step = m.select(counts, m.constant(1), m.constant(0));
              scf::YieldOp::create(b, loc, m.add(count[0], step));
            });
        Value place = rank.getResult(0);
        Value keep = m.cmp(arith::CmpIPredicate::slt, place, kept);
        auto store = scf::IfOp::create(
            b, loc, keep,
            [&](OpBuilder &b, Location loc) {
              SmallVector<Value> at(ivs);
              at[along] = place;
              Value position = arith::IndexCastOp::create(b, loc, b.getI64Type(), ivs[along]);
              Value values = tensor::InsertOp::create(b, loc, x, args[0], at);
              Value indices = tensor::InsertOp::create(b, loc, position, args[1], at);
              scf::YieldOp::create(b, loc, ValueRange{values, indices});
            },
            [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, args); });
        return SmallVector<Value>(store.getResults());
      });
}

FailureOr<SmallVector<Value>> NonZeroOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  IndexMath outer{b, loc};
  auto inputType = cast<RankedTensorType>(getInput().getType());
  int64_t rank = inputType.getRank();
  SmallVector<Value> extents;
  for (int64_t i = 0; i < rank; ++i)
    extents.push_back(outer.dim(getInput(), i));
  Value zeroCount = arith::ConstantIntOp::create(b, loc, 0, 64);
  Value countInit = tensor::InsertOp::create(b, loc, zeroCount, getCountInit(), ValueRange{});
  return buildLoopNest(
      b, loc, extents, {getIndicesInit(), countInit},
      [&](OpBuilder &b, Location loc, ValueRange ivs, ValueRange args) {
        IndexMath m{b, loc};
        Value x = tensor::ExtractOp::create(b, loc, getInput(), ivs);
        Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(x.getType()));
        Value isNonZero =
            isa<FloatType>(x.getType())
                ? Value(arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, x, zero))
                : m.cmp(arith::CmpIPredicate::ne, x, zero);
        auto store = scf::IfOp::create(
            b, loc, isNonZero,
            [&](OpBuilder &b, Location loc) {
              IndexMath m{b, loc};
              Value count = tensor::ExtractOp::create(b, loc, args[1], ValueRange{});
              Value column = arith::IndexCastOp::create(b, loc, b.getIndexType(), count);
              Value indices = args[0];
              for (int64_t i = 0; i < rank; ++i) {
                Value iv = arith::IndexCastOp::create(b, loc, b.getI64Type(), ivs[i]);
                indices = tensor::InsertOp::create(b, loc, iv, indices,
                                                   ValueRange{m.constant(i), column});
              }
              Value one = arith::ConstantIntOp::create(b, loc, 1, 64);
              Value next = tensor::InsertOp::create(
                  b, loc, arith::AddIOp::create(b, loc, count, one), args[1], ValueRange{});
              scf::YieldOp::create(b, loc, ValueRange{indices, next});
            },
            [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, args); });
        return SmallVector<Value>(store.getResults());
      });
}
