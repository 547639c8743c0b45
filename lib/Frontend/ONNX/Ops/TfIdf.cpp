//===- TfIdf.cpp - Counting n-grams ---------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// TfIdfVectorizer: how often each n-gram of a pool occurs in a row of items, its
// items next to one another or with the same number of items skipped between
// any two. One reduction over (position, distance) for each row and column of
// the output; the pool is a constant with a row for every column.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/TfIdf.h"

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/TensorOps.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// Columns of the output that the n-grams of one node may have at most.
static constexpr int64_t kMaxColumns = int64_t(1) << 24;

namespace {
/// The n-grams, by column of the output.
struct Grams {
  int64_t columns = 0;
  int64_t maxLength = 0;
  std::vector<int64_t> lengths; ///< [columns]; 0 where there is none to count
  std::vector<int64_t> items;   ///< [maxLength, columns]
  std::vector<float> weights;   ///< [columns]
};
} // namespace

/// Reads the pool. `ngram_counts` has, for n = 1, 2, ..., where the n-grams begin
/// in it; `ngram_indexes` has the column of every n-gram of the pool.
static FailureOr<Grams> readGrams(NodeContext &node, int64_t minLength, int64_t maxLength) {
  SmallVector<int64_t> pool = node.getInts("pool_int64s"), starts = node.getInts("ngram_counts"),
                       columns = node.getInts("ngram_indexes");
  SmallVector<float> weights = node.getFloats("weights");
  if (pool.empty() || starts.empty() || columns.empty())
    return node.error("needs the attributes 'pool_int64s', 'ngram_counts' and 'ngram_indexes'");
  if (!weights.empty() && weights.size() != columns.size())
    return node.error("attribute 'weights' has " + Twine(weights.size()) + " entries, expected " +
                      Twine(columns.size()));
  if (maxLength > static_cast<int64_t>(starts.size()))
    return node.error("attribute 'max_gram_length' is " + Twine(maxLength) +
                      ", but 'ngram_counts' has " + Twine(starts.size()) + " entries");
  Grams grams;
  for (int64_t column : columns) {
    if (column < 0 || column >= kMaxColumns)
      return node.error("attribute 'ngram_indexes' has the entry " + Twine(column) +
                        ", expected one in [0, " + Twine(kMaxColumns) + ")");
    grams.columns = std::max(grams.columns, column + 1);
  }
  // Longer n-grams than those in use would only take space.
  grams.maxLength = maxLength;
  grams.lengths.assign(grams.columns, 0);
  grams.weights.assign(grams.columns, 1);
  grams.items.assign(grams.columns * maxLength, 0);
  size_t next = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t length = static_cast<int64_t>(i) + 1;
    int64_t begin = starts[i];
    int64_t end = i + 1 < starts.size() ? starts[i + 1] : static_cast<int64_t>(pool.size());
    if (begin < 0 || begin > end || end > static_cast<int64_t>(pool.size()) ||
        (end - begin) % length != 0)
      return node.error("attribute 'ngram_counts' has " + Twine(length) + "-grams from " +
                        Twine(begin) + " to " + Twine(end) + " in a pool of " + Twine(pool.size()) +
                        " items");
    for (int64_t at = begin; at < end; at += length, ++next) {
      if (next >= columns.size())
        return node.error("attribute 'ngram_indexes' has " + Twine(columns.size()) +
                          " entries, fewer than there are n-grams");
      if (length < minLength || length > maxLength)
        continue;
      int64_t column = columns[next];
      if (grams.lengths[column] != 0)
        return node.unsupported("has several n-grams of one column");
      grams.lengths[column] = length;
      if (!weights.empty())
        grams.weights[column] = weights[next];
      for (int64_t j = 0; j < length; ++j)
        grams.items[j * grams.columns + column] = pool[at + j];
    }
  }
  return grams;
}

template <typename T>
static FailureOr<TensorValue> makeTable(NodeContext &node, ElementType type, ArrayRef<T> numbers,
                                        StringRef what) {
  ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(numbers.data()),
                          numbers.size() * sizeof(T));
  return node.getImporter().makeConstant(type, {static_cast<int64_t>(numbers.size())}, bytes,
                                         node.name() + "." + what.str());
}

/// counts[r, c] = sum over positions p and distances d of whether the n-gram of
/// column c lies in row r from p on, d apart; an n-gram of one item is counted
/// for distance 1 only.
static FailureOr<TensorValue> countGrams(NodeContext &node, const TensorValue &rows,
                                         const Grams &grams, OpFoldResult maxDistance) {
  ImplicitLocOpBuilder &b = node.b;
  FailureOr<TensorValue> lengths =
      makeTable<int64_t>(node, ElementType::Int64, grams.lengths, "lengths");
  if (failed(lengths))
    return failure();
  SmallVector<Value> inputs{node.value(rows), node.value(*lengths)};
  AffineExpr row, column, position, distance;
  bindDims(node.context(), row, column, position, distance);
  auto map = [&](ArrayRef<AffineExpr> results) {
    return AffineMap::get(4, 0, results, node.context());
  };
  SmallVector<AffineMap> maps{map({row, position}), map(column)};
  for (int64_t j = 0; j < grams.maxLength; ++j) {
    FailureOr<TensorValue> items =
        makeTable<int64_t>(node, ElementType::Int64,
                           ArrayRef<int64_t>(grams.items).slice(j * grams.columns, grams.columns),
                           "items." + std::to_string(j));
    if (failed(items))
      return failure();
    inputs.push_back(node.value(*items));
    maps.push_back(map(column));
  }
  // Gives the loop over distances its bounds.
  inputs.push_back(makeEmpty(node, ElementType::Int8, {maxDistance}));
  maps.push_back(map(distance));
  maps.push_back(map({row, column}));
  TensorValue start =
      makeSplat(node, ElementType::Float, {rows.dims[0], node.dims.constant(grams.columns)}, 0);
  Value source = node.value(rows);
  Value extent = node.dims.value(rows.dims[1]);
  bool isNarrow = rows.elementType == ElementType::Int32;
  using utils::IteratorType;
  auto generic = linalg::GenericOp::create(
      b, b.getLoc(), start.value.getType(), inputs, start.value, maps,
      ArrayRef<IteratorType>{IteratorType::parallel, IteratorType::parallel,
                             IteratorType::reduction, IteratorType::reduction},
      [&](OpBuilder &b, Location loc, ValueRange args) {
        auto index = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(b, loc, value);
        };
        auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) -> Value {
          return arith::CmpIOp::create(b, loc, predicate, x, y);
        };
        auto both = [&](Value x, Value y) -> Value { return arith::AndIOp::create(b, loc, x, y); };
        auto either = [&](Value x, Value y) -> Value { return arith::OrIOp::create(b, loc, x, y); };
        using P = arith::CmpIPredicate;
        Value length = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[1]);
        Value at = linalg::IndexOp::create(b, loc, 2);
        Value step = arith::AddIOp::create(b, loc, linalg::IndexOp::create(b, loc, 3), index(1));
        Value last = arith::SubIOp::create(b, loc, extent, index(1));
        Value matches =
            both(compare(P::sgt, length, index(0)),
                 either(compare(P::sgt, length, index(1)), compare(P::eq, step, index(1))));
        for (int64_t j = 0; j < grams.maxLength; ++j) {
          Value item = args[0];
          Value inRow = compare(P::sle, at, last);
          if (j > 0) {
            Value clamped = arith::MinSIOp::create(b, loc, at, last);
            item = tensor::ExtractOp::create(
                b, loc, source, ValueRange{linalg::IndexOp::create(b, loc, 0), clamped});
          }
          if (isNarrow)
            item = arith::ExtSIOp::create(b, loc, b.getI64Type(), item);
          Value found = both(inRow, compare(P::eq, item, args[2 + j]));
          matches = both(matches, either(compare(P::sle, length, index(j)), found));
          at = arith::AddIOp::create(b, loc, at, step);
        }
        Value one = arith::UIToFPOp::create(b, loc, b.getF32Type(), matches);
        linalg::YieldOp::create(b, loc,
                                arith::AddFOp::create(b, loc, args.back(), one).getResult());
      });
  return makeValue(generic.getResult(0), ElementType::Float, start.dims);
}

LogicalResult weft::onnx::buildTfIdfVectorizer(NodeContext &node) {
  TensorValue x = node.input(0);
  if (x.elementType != ElementType::Int32 && x.elementType != ElementType::Int64)
    return node.unsupported("only counts integers");
  if (x.rank() != 1 && x.rank() != 2)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected 1 or 2");
  int64_t minLength = node.getInt("min_gram_length", 0),
          maxLength = node.getInt("max_gram_length", 0);
  int64_t skips = node.getInt("max_skip_count", -1);
  std::string mode = node.getString("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return node.error("attribute 'mode' is " + quote(mode) + ", expected TF, IDF or TFIDF");
  if (minLength < 1 || maxLength < minLength)
    return node.error("counts n-grams of " + Twine(minLength) + " to " + Twine(maxLength) +
                      " items");
  if (skips < 0 || skips > INT32_MAX)
    return node.error("attribute 'max_skip_count' is " + Twine(skips) + ", expected 0 to " +
                      Twine(INT32_MAX));
  FailureOr<Grams> grams = readGrams(node, minLength, maxLength);
  if (failed(grams))
    return failure();

  TensorValue rows = x;
  if (x.rank() == 1) {
    x.value = node.value(x);
    rows = reshape(node, x, {node.dims.constant(1), x.dims[0]});
  }
  // No n-gram has items further apart than a row is long.
  OpFoldResult distances = node.dims.min(rows.dims[1], node.dims.constant(skips + 1));
  FailureOr<TensorValue> counts = countGrams(node, rows, *grams, distances);
  if (failed(counts))
    return failure();
  FailureOr<TensorValue> result = counts;
  if (mode != "TF") {
    FailureOr<TensorValue> weights =
        makeTable<float>(node, ElementType::Float, grams->weights, "weights");
    if (failed(weights))
      return failure();
    result = elementwiseTo(node, {*counts, *weights}, ElementType::Float, counts->dims,
                           [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                             if (mode == "TFIDF")
                               return arith::MulFOp::create(b, loc, args[0], args[1]);
                             Value zero = makeScalar(b, loc, args[0].getType(), 0);
                             Value occurs = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                                                  args[0], zero);
                             return arith::SelectOp::create(b, loc, occurs, args[1], zero);
                           });
  }
  if (failed(result))
    return failure();
  node.setOutput(0, x.rank() == 1 ? reshape(node, *result, result->dims[1]) : *result);
  return success();
}
