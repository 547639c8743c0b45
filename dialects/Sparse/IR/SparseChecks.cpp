//===- SparseChecks.cpp - Components of structures that only calls know ---===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `verifyConstants` of each structure holds of constants, for data. Where an extent is
// not known (null), nothing is compared with it.
//
//===----------------------------------------------------------------------===//

#include "dialects/Sparse/IR/SparseChecks.h"

#include "dialects/Sparse/IR/Groups.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Sparse/IR/StructureMath.h"
#include "dialects/Weft/IR/BitStream.h"
#include "dialects/Weft/IR/OperandChecks.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;
using namespace weft::sparse;

using Predicate = arith::CmpIPredicate;

static Value either(IndexMath m, Value x, Value y) {
  return arith::OrIOp::create(m.b, m.loc, x, y);
}

/// Null where an extent is not known.
static bool areKnown(ArrayRef<OpFoldResult> extents) {
  return llvm::all_of(extents, [](OpFoldResult extent) { return static_cast<bool>(extent); });
}

/// Whether number `x` is not after `previous`, or not below `extent`, if that is known.
static Value isOutOfOrder(IndexMath m, Value x, Value previous, OpFoldResult extent) {
  Value wrong = m.cmp(Predicate::sle, x, previous);
  return extent ? either(m, wrong, m.cmp(Predicate::sge, x, m.value(extent))) : wrong;
}

static std::string ascending(StringRef where, OpFoldResult extent) {
  return ("numbers that ascend " + where + (extent ? ", less than #" : "")).str();
}

//===----------------------------------------------------------------------===//
// N:M
//===----------------------------------------------------------------------===//

/// Groups of `n` codes along `axis` of a tensor of codes with these extents ascend below `m`.
static void checkGroups(OperandChecks &checks, StringRef operand, Value codes,
                        ArrayRef<OpFoldResult> dims, unsigned axis, int64_t n, int64_t m,
                        unsigned bits) {
  if (!areKnown(dims))
    return;
  SmallVector<OpFoldResult> lines(dims);
  lines.erase(lines.begin() + axis);
  auto read = [&](IndexMath e, ValueRange at) {
    return readCode(e.b, e.loc, codes, SmallVector<Value>(at), dims, bits);
  };
  IndexMath host{checks.builder, checks.loc};
  Value length = host.value(dims[axis]);
  SmallVector<Value> extents;
  for (OpFoldResult dim : dims)
    extents.push_back(host.value(dim));
  SmallVector<OpFoldResult> sizes(extents.begin(), extents.end());
  auto firstWrong = [&](IndexMath e, ValueRange line, Value none) {
    auto at = [&](Value entry) {
      SmallVector<Value> position(line);
      position.insert(position.begin() + axis, entry);
      return position;
    };
    Value first = findFirst(e, e.constant(0), length, e.constant(-1), none,
                            [&](IndexMath e, Value i, Value previous) -> std::pair<Value, Value> {
                              Value code = read(e, at(i));
                              Value begins = e.cmp(Predicate::eq, e.rem(i, n), e.constant(0));
                              previous = e.select(begins, e.constant(-1), previous);
                              return {isOutOfOrder(e, code, previous, e.b.getIndexAttr(m)), code};
                            });
    Value isNone = e.cmp(Predicate::eq, first, none);
    Value entry = linearize(e.b, e.loc, at(first), sizes);
    return e.select(isNone, none, entry);
  };
  checks.requireLists(operand, codes, lines, checks.builder.getIndexAttr(m),
                      "numbers that ascend in each group of " + Twine(n) + ", less than #",
                      {firstWrong, [&](IndexMath e, Value entry) {
                         return read(e, delinearize(e, entry, sizes));
                       }});
}

namespace {
struct NMChecks : ComponentCheckInterface::ExternalModel<NMChecks, NMAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    auto nm = cast<NMAttr>(attribute);
    unsigned rank = packed.type.getRank();
    checkGroups(checks, packed.prefix + "indices", packed.values[0],
                evaluateExtents(checks.builder, checks.loc, nm.getStoredShape(rank), packed.dims),
                *normalizeAxis(nm.getAxis(), rank), nm.getN(), nm.getM(), bitsBelow(nm.getM()));
  }
};

struct VNMChecks : ComponentCheckInterface::ExternalModel<VNMChecks, VNMAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    auto vnm = cast<VNMAttr>(attribute);
    unsigned rank = packed.type.getRank();
    auto extentsOf = [&](AffineMap map) {
      return evaluateExtents(checks.builder, checks.loc, map, packed.dims);
    };
    checkGroups(checks, packed.prefix + "columns", packed.values[0],
                extentsOf(getChosenMap(vnm, rank)), rank - 1, kChosen, vnm.getM(),
                bitsBelow(vnm.getM()));
    checkGroups(checks, packed.prefix + "indices", packed.values[1],
                extentsOf(vnm.getStoredShape(rank)), rank - 1, vnm.getN(), kChosen, kChosenBits);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

/// Numbers along the last dimension of `list` ascend below `extent`; with `hasPadding` the
/// largest of their type stands behind them.
static void checkList(OperandChecks &checks, StringRef operand, Value list, OpFoldResult extent,
                      bool hasPadding) {
  auto type = cast<RankedTensorType>(list.getType());
  SmallVector<OpFoldResult> sizes = getExtents(checks.builder, checks.loc, list), lines(sizes);
  lines.pop_back();
  IndexMath host{checks.builder, checks.loc};
  Value length = host.value(sizes.back());
  int64_t last = (int64_t(1) << type.getElementTypeBitWidth()) - 1;
  auto read = [&](IndexMath e, ValueRange at) {
    return toIndex(e.b, e.loc, tensor::ExtractOp::create(e.b, e.loc, list, at));
  };
  auto firstWrong = [&](IndexMath e, ValueRange line, Value none) {
    auto at = [&](Value entry) {
      SmallVector<Value> position(line);
      position.push_back(entry);
      return position;
    };
    Value first = findFirst(e, e.constant(0), length, e.constant(-1), none,
                            [&](IndexMath e, Value i, Value previous) -> std::pair<Value, Value> {
                              Value number = read(e, at(i));
                              Value wrong = isOutOfOrder(e, number, previous, extent);
                              if (hasPadding)
                                wrong =
                                    e.both(wrong, e.cmp(Predicate::ne, number, e.constant(last)));
                              return {wrong, number};
                            });
    return e.select(e.cmp(Predicate::eq, first, none), none,
                    linearize(e.b, e.loc, at(first), sizes));
  };
  checks.requireLists(operand, list, lines, extent,
                      ascending(hasPadding ? "before any padding" : "strictly", extent),
                      {firstWrong, [&](IndexMath e, Value entry) {
                         return read(e, delinearize(e, entry, sizes));
                       }});
}

namespace {
struct ELLChecks : ComponentCheckInterface::ExternalModel<ELLChecks, ELLAttr> {
  void buildChecks(Attribute, OperandChecks &checks, const PackedComponents &packed) const {
    checkList(checks, packed.prefix + "columns", packed.values[0], packed.dims.back(),
              /*hasPadding=*/true);
  }
};

struct ChannelsChecks : ComponentCheckInterface::ExternalModel<ChannelsChecks, ChannelsAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    auto channels = cast<ChannelsAttr>(attribute);
    unsigned axis = *normalizeAxis(channels.getAxis(), packed.type.getRank());
    checkList(checks, packed.prefix + "channels", packed.values[0], packed.dims[axis],
              channels.getCount() != 0);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// CSR, CSC, COO
//===----------------------------------------------------------------------===//

/// Lines of positions below `extent`, which follow each other as `offsets` say.
static void checkLines(OperandChecks &checks, const PackedComponents &packed, StringRef operand,
                       OpFoldResult extent, bool delta) {
  Value offsets = packed.values[0], positions = packed.values[1];
  OpFoldResult stored = checks.extents.extentOf(positions, 0);
  checks.requireAscending(packed.prefix + "offsets", offsets, stored, /*isWhole=*/true);
  IndexMath host{checks.builder, checks.loc};
  Value end = host.value(stored), one = host.constant(1);
  Value lines = host.max(host.sub(host.dim(offsets, 0), one), host.constant(0));
  auto read = [&](IndexMath e, Value entry) {
    return toIndex(e.b, e.loc, tensor::ExtractOp::create(e.b, e.loc, positions, entry));
  };
  auto offsetAt = [&](IndexMath e, Value line) {
    Value offset = arith::IndexCastOp::create(e.b, e.loc, e.b.getIndexType(),
                                              tensor::ExtractOp::create(e.b, e.loc, offsets, line));
    return e.min(e.max(offset, e.constant(0)), end);
  };
  auto firstWrong = [&](IndexMath e, ValueRange line, Value none) {
    Value begin = offsetAt(e, line[0]), last = offsetAt(e, e.add(line[0], e.constant(1)));
    return findFirst(e, begin, last, e.constant(-1), none,
                     [&](IndexMath e, Value i, Value previous) -> std::pair<Value, Value> {
                       Value position = read(e, i);
                       if (delta)
                         position = e.add(position, e.max(previous, e.constant(0)));
                       return {isOutOfOrder(e, position, previous, extent), position};
                     });
  };
  checks.requireLists(
      (packed.prefix + operand).str(), {offsets, positions}, OpFoldResult(lines), extent,
      ascending(delta ? "in each line when they are added up" : "in each line", extent),
      {firstWrong, read});
}

namespace {
struct CSRChecks : ComponentCheckInterface::ExternalModel<CSRChecks, CSRAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    checkLines(checks, packed, "columns", packed.dims.back(), cast<CSRAttr>(attribute).getDelta());
  }
};

struct CSCChecks : ComponentCheckInterface::ExternalModel<CSCChecks, CSCAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    checkLines(checks, packed, "rows", packed.dims.end()[-2], cast<CSCAttr>(attribute).getDelta());
  }
};

struct COOChecks : ComponentCheckInterface::ExternalModel<COOChecks, COOAttr> {
  void buildChecks(Attribute, OperandChecks &checks, const PackedComponents &packed) const;
};
} // namespace

void COOChecks::buildChecks(Attribute, OperandChecks &checks,
                            const PackedComponents &packed) const {
  Value rows = packed.values[0], columns = packed.values[1];
  OpFoldResult extent = packed.dims.back();
  IndexMath host{checks.builder, checks.loc};
  if (extent)
    checks.requireRange(packed.prefix + "columns", columns, LeastIndex::Unsigned, extent);
  if (ArrayRef<OpFoldResult> outer = packed.dims.drop_back(); areKnown(outer)) {
    Value count = host.constant(1);
    for (OpFoldResult dim : outer)
      count = host.mul(count, host.value(dim));
    checks.requireRange(packed.prefix + "rows", rows, LeastIndex::Unsigned,
                        getAsOpFoldResult(count));
  }
  Value end = host.min(host.dim(rows, 0), host.dim(columns, 0));
  auto read = [](IndexMath e, Value list, Value entry) {
    return toIndex(e.b, e.loc, tensor::ExtractOp::create(e.b, e.loc, list, entry));
  };
  auto firstWrong = [&](IndexMath e, ValueRange, Value none) {
    return findFirst(e, e.constant(0), end, e.constant(-1), none,
                     [&](IndexMath e, Value i, Value previous) -> std::pair<Value, Value> {
                       // Of 32 bits each at most.
                       Value at =
                           e.add(e.mul(read(e, rows, i), int64_t(1) << 32), read(e, columns, i));
                       return {e.cmp(Predicate::sle, at, previous), at};
                     });
  };
  checks.requireLists(packed.prefix + "rows", {rows, columns}, {}, {},
                      "rows that ascend, and columns within a row",
                      {firstWrong, [&](IndexMath e, Value entry) { return read(e, rows, entry); }});
}

//===----------------------------------------------------------------------===//
// Bitmaps, blocks
//===----------------------------------------------------------------------===//

namespace {
struct BitmapChecks : ComponentCheckInterface::ExternalModel<BitmapChecks, BitmapAttr> {
  void buildChecks(Attribute, OperandChecks &checks, const PackedComponents &packed) const;
};

struct BlockChecks : ComponentCheckInterface::ExternalModel<BlockChecks, BlockAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    auto block = cast<BlockAttr>(attribute);
    PackedComponents grid = packed;
    SmallVector<OpFoldResult> dims = evaluateExtents(
        checks.builder, checks.loc, getGridMap(block, packed.type.getRank()), packed.dims);
    grid.type = getGridType(block, packed.type);
    grid.dims = dims;
    buildComponentChecks(block.getOf(), checks, grid);
  }
};
} // namespace

/// The offset of each word is how many bits are set before it.
void BitmapChecks::buildChecks(Attribute, OperandChecks &checks,
                               const PackedComponents &packed) const {
  Value words = packed.values[0], offsets = packed.values[1];
  SmallVector<OpFoldResult> sizes = getExtents(checks.builder, checks.loc, words), lines(sizes);
  lines.pop_back();
  IndexMath host{checks.builder, checks.loc};
  Value length = host.value(sizes.back());
  Value stored = packed.stored ? host.value(packed.stored) : Value();
  OpFoldResult columns = packed.dims.back();
  auto wordAt = [&](IndexMath e, ValueRange at) {
    return readInside(e.b, e.loc, words, SmallVector<Value>(at));
  };
  auto offsetAt = [&](IndexMath e, ValueRange at) -> Value {
    return arith::IndexCastOp::create(e.b, e.loc, e.b.getIndexType(),
                                      readInside(e.b, e.loc, offsets, SmallVector<Value>(at)));
  };
  auto endOf = [&](IndexMath e, ValueRange at) {
    Value bits = math::CtPopOp::create(e.b, e.loc, wordAt(e, at));
    return e.add(offsetAt(e, at), toIndex(e.b, e.loc, bits));
  };
  auto positionOf = [&](ValueRange line, Value entry) {
    SmallVector<Value> at(line);
    at.push_back(entry);
    return at;
  };
  auto entryOf = [&](IndexMath e, ValueRange line, Value i) {
    return linearize(e.b, e.loc, positionOf(line, i), sizes);
  };
  auto firstWrong = [&](IndexMath e, ValueRange line, Value none) {
    Value zero = e.constant(0);
    Value found = findFirst(
        e, zero, length, zero, none, [&](IndexMath e, Value i, Value) -> std::pair<Value, Value> {
          SmallVector<Value> at = positionOf(line, i);
          Value zero = e.constant(0), entry = entryOf(e, line, i);
          Value before = e.max(e.sub(entry, e.constant(1)), zero);
          Value expected = e.select(e.cmp(Predicate::eq, entry, zero), zero,
                                    endOf(e, delinearize(e, before, sizes)));
          Value wrong = e.cmp(Predicate::ne, offsetAt(e, at), expected);
          if (stored)
            wrong = either(e, wrong, e.cmp(Predicate::sgt, endOf(e, at), stored));
          return {wrong, zero};
        });
    return e.select(e.cmp(Predicate::eq, found, none), none, entryOf(e, line, found));
  };
  checks.requireLists(packed.prefix + "offsets", {words, offsets}, lines, packed.stored,
                      Twine("the number of bits that are set before its word") +
                          (packed.stored ? ", with its word's at most #" : ""),
                      {firstWrong, [&](IndexMath e, Value entry) {
                         return offsetAt(e, delinearize(e, entry, sizes));
                       }});
  if (!columns || (getConstantIntValue(columns) && *getConstantIntValue(columns) % 64 == 0))
    return;
  // Bits behind the last column.
  checks.require("words", words, {}, columns, "no bits from column # on",
                 [&](IndexMath e, Value word, ValueRange at) {
                   Value used = e.sub(e.value(columns), e.mul(at.back(), 64));
                   used = e.min(e.max(used, e.constant(0)), e.constant(64));
                   Value isWhole = e.cmp(Predicate::sge, used, e.constant(64));
                   Value shift = e.select(isWhole, e.constant(0), used);
                   Value rest = arith::ShRUIOp::create(e.b, e.loc, word, shift);
                   Value hasMore = e.cmp(Predicate::ne, rest, e.constant(0));
                   Value isPartial = e.cmp(Predicate::slt, used, e.constant(64));
                   return e.both(isPartial, hasMore);
                 });
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

namespace {
struct ExpandChecks : OperandCheckInterface::ExternalModel<ExpandChecks, ExpandOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto expand = cast<ExpandOp>(op);
    if (!comesFrom<CompactOp>(expand.getPositions()))
      checkList(checks, "positions", expand.getPositions(),
                checks.extents.extentOf(expand.getInit(), expand.getDimension()),
                /*hasPadding=*/true);
  }
};
} // namespace

void sparse::attachOperandChecks(MLIRContext *context) {
  NMAttr::attachInterface<NMChecks>(*context);
  VNMAttr::attachInterface<VNMChecks>(*context);
  ELLAttr::attachInterface<ELLChecks>(*context);
  ChannelsAttr::attachInterface<ChannelsChecks>(*context);
  CSRAttr::attachInterface<CSRChecks>(*context);
  CSCAttr::attachInterface<CSCChecks>(*context);
  COOAttr::attachInterface<COOChecks>(*context);
  BitmapAttr::attachInterface<BitmapChecks>(*context);
  BlockAttr::attachInterface<BlockChecks>(*context);
  ExpandOp::attachInterface<ExpandChecks>(*context);
}
