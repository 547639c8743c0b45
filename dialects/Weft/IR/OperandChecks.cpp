//===- OperandChecks.cpp - Data that says where to read -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is compared with a bound only (ids, lengths, pages) is reduced to its largest number,
// whatever the bound: a loop that vectorizes, and one for all operations that share the
// operand. Where that is beyond the bound, the branch that is never taken otherwise looks for
// the first wrong number. What has an order is looked through for the first wrong number at once.
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/OperandChecks.h"

#include "dialects/Weft/IR/WeightStore.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace weft;

#include "dialects/Weft/IR/OperandCheckAttributes.cpp.inc"
#include "dialects/Weft/IR/OperandCheckOps.cpp.inc"

using Predicate = arith::CmpIPredicate;

static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

static Value toIndex(IndexMath m, Value number, bool isUnsigned = false) {
  if (number.getType().isIndex())
    return number;
  if (isUnsigned)
    return arith::IndexCastUIOp::create(m.b, m.loc, m.b.getIndexType(), number);
  return arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), number);
}

static Value toI64(IndexMath m, Value number, bool isUnsigned) {
  Type i64 = m.b.getI64Type();
  if (number.getType() == i64)
    return number;
  if (number.getType().isIndex())
    return arith::IndexCastOp::create(m.b, m.loc, i64, number);
  if (isUnsigned)
    return arith::ExtUIOp::create(m.b, m.loc, i64, number);
  return arith::ExtSIOp::create(m.b, m.loc, i64, number);
}

/// A number (i64) such that the allowed ones are those below a bound as unsigned integers.
static Value fold(IndexMath m, Value number, LeastIndex least) {
  auto constant = [&](int64_t x) -> Value {
    return arith::ConstantIntOp::create(m.b, m.loc, x, 64);
  };
  switch (least) {
  case LeastIndex::Zero:
  case LeastIndex::Unsigned:
    return number;
  case LeastIndex::MinusOne:
    return m.add(number, constant(1));
  case LeastIndex::FromEnd: {
    // -1 is as good as 0.
    Value sign = arith::ShRSIOp::create(m.b, m.loc, number, constant(63));
    return arith::XOrIOp::create(m.b, m.loc, number, sign);
  }
  case LeastIndex::Any:
    return m.max(number, constant(0));
  }
  llvm_unreachable("no such least index");
}

static std::string describe(LeastIndex least, bool isInclusive) {
  std::string below = isInclusive ? "at most #" : "less than #";
  switch (least) {
  case LeastIndex::Zero:
  case LeastIndex::Unsigned:
    return "0 or more, " + below;
  case LeastIndex::MinusOne:
    return "-1 or more, " + below;
  case LeastIndex::FromEnd:
    return "-# or more, " + below;
  case LeastIndex::Any:
    return below;
  }
  llvm_unreachable("no such least index");
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// What casts have as their source.
static Value withoutCasts(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return value;
}

bool weft::isKnownConstant(Value value) { return matchPattern(withoutCasts(value), m_Constant()); }

/// The number that `fold` gives at compile time.
static uint64_t fold(int64_t number, LeastIndex least) {
  switch (least) {
  case LeastIndex::Zero:
  case LeastIndex::Unsigned:
    return number;
  case LeastIndex::MinusOne:
    return static_cast<uint64_t>(number) + 1;
  case LeastIndex::FromEnd:
    return number < 0 ? ~number : number;
  case LeastIndex::Any:
    return std::max<int64_t>(number, 0);
  }
  llvm_unreachable("no such least index");
}

/// The largest folded number of constants; nothing if they are none.
static std::optional<uint64_t> largestConstant(Value numbers, LeastIndex least) {
  Attribute constant;
  numbers = withoutCasts(numbers);
  if (!matchPattern(numbers, m_Constant(&constant)))
    return std::nullopt;
  bool isUnsigned = least == LeastIndex::Unsigned;
  uint64_t largest = 0;
  auto add = [&](const APInt &x) {
    int64_t number = isUnsigned ? static_cast<int64_t>(x.getZExtValue()) : x.getSExtValue();
    largest = std::max(largest, fold(number, least));
  };
  if (auto dense = dyn_cast<DenseIntElementsAttr>(constant)) {
    if (dense.isSplat() && dense.getNumElements() > 0)
      add(dense.getSplatValue<APInt>());
    else
      for (const APInt &x : dense.getValues<APInt>())
        add(x);
    return largest;
  }
  auto weight = dyn_cast<WeightAttr>(constant);
  if (!weight)
    return std::nullopt;
  auto *dialect = numbers.getContext()->getOrLoadDialect<WeftDialect>();
  ConstantComponent component{cast<RankedTensorType>(numbers.getType()),
                              dialect->getWeightStore().lookup(weight.getKey())};
  Type element = component.type.getElementType();
  if (!component.bytes || !element.isInteger())
    return std::nullopt;
  for (int64_t i = 0, e = component.type.getNumElements(); i < e; ++i)
    add(APInt(element.getIntOrFloatBitWidth(), component.getInteger(i)));
  return largest;
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// An i64 tensor of these extents filled with a number.
static Value makeFilled(IndexMath m, ArrayRef<OpFoldResult> sizes, int64_t number) {
  Value empty = tensor::EmptyOp::create(m.b, m.loc, sizes, m.b.getI64Type());
  Value value = arith::ConstantIntOp::create(m.b, m.loc, number, 64);
  return linalg::FillOp::create(m.b, m.loc, value, empty).getResult(0);
}

/// Reduces the last `count` dimensions of `input` into `init`.
static Value reduce(IndexMath m, Value input, Value init, int64_t count,
                    llvm::function_ref<Value(IndexMath, Value element, Value present)> combine) {
  int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
  SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
  std::fill(kinds.end() - count, kinds.end(), utils::IteratorType::reduction);
  AffineMap all = m.b.getMultiDimIdentityMap(rank);
  AffineMap kept = all.dropResults([&] {
    llvm::SmallBitVector dropped(rank);
    dropped.set(rank - count, rank);
    return dropped;
  }());
  return linalg::GenericOp::create(
             m.b, m.loc, init.getType(), input, init, ArrayRef<AffineMap>{all, kept}, kinds,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, combine(IndexMath{b, loc}, args[0], args[1]));
             })
      .getResult(0);
}

Value OperandChecks::findLargest(Value numbers, LeastIndex least) {
  SmallVector<Value> &known = done.largest[{numbers.getAsOpaquePointer(), least}];
  for (Value value : known)
    for (Block *block = builder.getInsertionBlock(); block;
         block = block->getParentOp() ? block->getParentOp()->getBlock() : nullptr)
      if (block == value.getParentBlock())
        return value;
  IndexMath m{builder, loc};
  int64_t rank = cast<RankedTensorType>(numbers.getType()).getRank();
  Value result =
      reduce(m, numbers, makeFilled(m, {}, 0), rank,
             [&](IndexMath e, Value element, Value present) -> Value {
               Value number = toI64(e, element, least == LeastIndex::Unsigned);
               return arith::MaxUIOp::create(e.b, e.loc, present, fold(e, number, least));
             });
  known.push_back(tensor::ExtractOp::create(builder, loc, result, ValueRange{}));
  return known.back();
}

Value OperandChecks::reduceMin(Value positions) {
  IndexMath m{builder, loc};
  int64_t rank = cast<RankedTensorType>(positions.getType()).getRank();
  if (rank > 0)
    positions = reduce(m, positions, makeFilled(m, {}, kNone), rank,
                       [](IndexMath e, Value x, Value y) { return e.min(x, y); });
  return tensor::ExtractOp::create(builder, loc, positions, ValueRange{});
}

Value OperandChecks::findWrong(Value numbers, IsWrong isWrong) {
  IndexMath m{builder, loc};
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, numbers);
  int64_t rank = sizes.size();
  SmallVector<Value> extents;
  for (OpFoldResult size : sizes)
    extents.push_back(m.value(size));
  // Rows are independent of each other.
  ArrayRef<OpFoldResult> rows = ArrayRef(sizes).drop_back(rank > 0 ? 1 : 0);
  Value positions =
      reduce(m, numbers, makeFilled(m, rows, kNone), rank > 0 ? 1 : 0,
             [&](IndexMath e, Value element, Value present) {
               SmallVector<Value> at;
               Value position = e.constant(0);
               for (int64_t i = 0; i < rank; ++i) {
                 at.push_back(linalg::IndexOp::create(e.b, e.loc, i));
                 position = e.add(e.mul(position, extents[i]), at.back());
               }
               Value wrong = isWrong(e, element, at);
               Value none = arith::ConstantIntOp::create(e.b, e.loc, kNone, 64);
               return e.min(present, e.select(wrong, toI64(e, position, false), none));
             });
  return reduceMin(positions);
}

//===----------------------------------------------------------------------===//
// Failing
//===----------------------------------------------------------------------===//

/// A sentence; `bound` is null where the second value is the position.
static std::string sentence(StringRef operand, const Twine &expected, std::optional<int64_t> bound,
                            bool hasBound) {
  std::string text = expected.str(), number = bound ? std::to_string(*bound) : "{1}";
  for (size_t at = text.find('#'); at != std::string::npos; at = text.find('#', at))
    text.replace(at, 1, number);
  bool showsPosition = bound || !hasBound;
  return ("'" + operand + "' has {0}" + (showsPosition ? " at position {1}" : "") + ", expected " +
          text)
      .str();
}

void OperandChecks::failAt(StringRef operand, Value first, OpFoldResult bound,
                           const Twine &expected,
                           llvm::function_ref<Value(IndexMath, Value)> read) {
  IndexMath m{builder, loc};
  Value none = arith::ConstantIntOp::create(builder, loc, kNone, 64);
  // Only then the number is read again, for the sentence.
  auto branch = scf::IfOp::create(builder, loc, m.cmp(Predicate::ne, first, none),
                                  /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  Value position = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), first);
  std::optional<int64_t> known = bound ? getConstantIntValue(bound) : std::nullopt;
  Value second = bound && !known ? m.value(bound) : position;
  Value never = arith::ConstantIntOp::create(builder, loc, 0, 1);
  AssertOp::create(builder, loc, never, static_cast<uint32_t>(WEFT_OUT_OF_RANGE),
                   sentence(operand, expected, known, static_cast<bool>(bound)),
                   ValueRange{read(m, position), second});
}

bool OperandChecks::isDone(const Twine &what, ValueRange values, OpFoldResult bound) {
  isUsed = true;
  std::vector<const void *> key;
  for (Value value : values)
    key.push_back(value.getAsOpaquePointer());
  std::string text = what.str();
  if (std::optional<int64_t> known = bound ? getConstantIntValue(bound) : std::nullopt) {
    text += " " + std::to_string(*known);
  } else if (bound) {
    // Extents of one tensor are one bound.
    Value value = cast<Value>(bound);
    if (auto dim = value.getDefiningOp<tensor::DimOp>(); dim && dim.getConstantIndex()) {
      text += " dim " + std::to_string(*dim.getConstantIndex());
      value = dim.getSource();
    }
    key.push_back(value.getAsOpaquePointer());
  }
  SmallVector<Block *> &blocks = done.checks[{text, key}];
  Block *here = builder.getInsertionBlock();
  for (Block *block = here; block;
       block = block->getParentOp() ? block->getParentOp()->getBlock() : nullptr)
    if (llvm::is_contained(blocks, block))
      return true;
  blocks.push_back(here);
  return false;
}

//===----------------------------------------------------------------------===//
// What is required
//===----------------------------------------------------------------------===//

void OperandChecks::requireRange(StringRef operand, Value numbers, LeastIndex least,
                                 OpFoldResult bound, bool isInclusive) {
  if (!numbers)
    return;
  std::optional<int64_t> known = getConstantIntValue(bound);
  bool isShifted = least == LeastIndex::MinusOne;
  if (std::optional<uint64_t> largest = known ? largestConstant(numbers, least) : std::nullopt;
      largest && *largest < static_cast<uint64_t>(*known + isShifted + isInclusive))
    return;
  if (isDone("range " + Twine(static_cast<int>(least)) + (isInclusive ? " to" : " below"), numbers,
             bound))
    return;
  IndexMath m{builder, loc};
  Value largest = findLargest(numbers, least);
  Value limit = arith::IndexCastOp::create(
      builder, loc, builder.getI64Type(),
      m.add(m.value(bound), m.constant(int64_t(isShifted) + int64_t(isInclusive))));
  Value suspect = m.cmp(Predicate::uge, largest, limit);
  auto branch = scf::IfOp::create(builder, loc, suspect, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  bool isUnsigned = least == LeastIndex::Unsigned;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, numbers);
  Value first = findWrong(numbers, [&](IndexMath e, Value element, ValueRange) {
    return e.cmp(Predicate::uge, fold(e, toI64(e, element, isUnsigned), least), limit);
  });
  failAt(operand, first, bound, describe(least, isInclusive), [&](IndexMath e, Value position) {
    Value at = tensor::ExtractOp::create(e.b, e.loc, numbers, delinearize(e, position, sizes));
    return toIndex(e, at, isUnsigned);
  });
}

void OperandChecks::require(StringRef operand, Value numbers, ValueRange reads, OpFoldResult bound,
                            const Twine &expected, IsWrong isWrong) {
  if (!numbers)
    return;
  SmallVector<Value> values(reads);
  values.push_back(numbers);
  if (isDone(expected, values, bound))
    return;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, numbers);
  Value first = findWrong(numbers, [&](IndexMath e, Value element, ValueRange at) {
    return isWrong(e, toIndex(e, element), at);
  });
  failAt(operand, first, bound, expected, [&](IndexMath e, Value position) {
    return toIndex(e,
                   tensor::ExtractOp::create(e.b, e.loc, numbers, delinearize(e, position, sizes)));
  });
}

void OperandChecks::requireAscending(StringRef operand, Value offsets, OpFoldResult last,
                                     bool isWhole) {
  if (!offsets)
    return;
  IndexMath m{builder, loc};
  int64_t along = cast<RankedTensorType>(offsets.getType()).getRank() - 1;
  Value end = m.value(last), count = m.dim(offsets, along);
  auto isWrong = [&](IndexMath e, Value offset, ValueRange at) -> Value {
    SmallVector<Value> before(at);
    before[along] = e.max(e.sub(at[along], e.constant(1)), e.constant(0));
    Value previous = toIndex(e, tensor::ExtractOp::create(e.b, e.loc, offsets, before));
    auto either = [&](Value x, Value y) -> Value { return arith::OrIOp::create(e.b, e.loc, x, y); };
    Value wrong =
        either(e.cmp(Predicate::slt, offset, e.constant(0)), e.cmp(Predicate::sgt, offset, end));
    wrong = either(wrong, e.cmp(Predicate::slt, offset, previous));
    if (!isWhole)
      return wrong;
    Value isFirst = e.cmp(Predicate::eq, at[along], e.constant(0));
    Value isLast = e.cmp(Predicate::eq, at[along], e.sub(count, e.constant(1)));
    wrong = either(wrong, e.both(isFirst, e.cmp(Predicate::ne, offset, e.constant(0))));
    return either(wrong, e.both(isLast, e.cmp(Predicate::ne, offset, end)));
  };
  require(operand, offsets, {}, last,
          isWhole ? "numbers that ascend from 0 to #" : "numbers that ascend from 0 to at most #",
          isWrong);
}

void OperandChecks::requireLists(StringRef operand, ValueRange reads, ArrayRef<OpFoldResult> lines,
                                 OpFoldResult bound, const Twine &expected, Lists lists) {
  if (isDone("'" + operand + "' " + expected, reads, bound))
    return;
  int64_t rank = lines.size();
  Value init = tensor::EmptyOp::create(builder, loc, lines, builder.getI64Type());
  Value positions =
      linalg::GenericOp::create(
          builder, loc, init.getType(), ValueRange(), init, builder.getMultiDimIdentityMap(rank),
          SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
          [&](OpBuilder &b, Location loc, ValueRange) {
            IndexMath e{b, loc};
            SmallVector<Value> line;
            for (int64_t i = 0; i < rank; ++i)
              line.push_back(linalg::IndexOp::create(b, loc, i));
            Value first = lists.firstWrong(e, line, e.constant(kNone));
            linalg::YieldOp::create(b, loc, toI64(e, first, false));
          })
          .getResult(0);
  failAt(operand, reduceMin(positions), bound, expected, lists.read);
}

Value weft::findFirst(
    IndexMath m, Value begin, Value end, Value carried, Value none,
    llvm::function_ref<std::pair<Value, Value>(IndexMath, Value entry, Value carried)> step) {
  auto loop = scf::ForOp::create(
      m.b, m.loc, begin, end, m.constant(1), ValueRange{none, carried},
      [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
        IndexMath e{b, loc};
        auto [wrong, next] = step(e, i, state[1]);
        scf::YieldOp::create(b, loc, ValueRange{e.min(state[0], e.select(wrong, i, none)), next});
      });
  return loop.getResult(0);
}

SmallVector<Value> weft::delinearize(IndexMath m, Value number, ArrayRef<OpFoldResult> extents) {
  SmallVector<Value> at(extents.size());
  for (size_t i = extents.size(); i-- > 0;) {
    Value extent = m.max(m.value(extents[i]), m.constant(1));
    at[i] = i == 0 ? number : m.rem(number, extent);
    number = m.div(number, extent);
  }
  return at;
}
