//===- ContribAttention.cpp - Attention in ONNX Runtime's domain ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shapes: B batch, N heads, G of them for each key head, S queries, L new keys,
// P past ones, T all of them, D the size of a head.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/Attend.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

using Outputs = FailureOr<SmallVector<TensorValue>>;

namespace {
/// What happens to the scores between the products.
struct Scores {
  double scale = 0; ///< 0: one over the root of D
  double softcap = 0;
  double maskFilter = -10000;
  bool causal = false;
  int64_t window = -1;               ///< how many keys up to its own a query sees
  const TensorValue *bias = nullptr; ///< broadcast to [B, N, S, T]
  const TensorValue *mask = nullptr; ///< [B] lengths, [B, T] or [B, S, T]
  /// The position of the first query: how many keys are before it.
  llvm::function_ref<Value(ScalarMath &, Value batch)> firstPosition;
};
} // namespace

/// [B, S, heads * D] as [B, heads, S, D].
static TensorValue splitHeads(NodeContext &node, const TensorValue &x, OpFoldResult count) {
  TensorValue split =
      reshape(node, x, {x.dims[0], x.dims[1], count, node.dims.floorDiv(x.dims[2], count)});
  return transpose(node, split, {0, 2, 1, 3});
}

/// [B, heads, S, D] as [B, S, heads * D].
static TensorValue mergeHeads(NodeContext &node, const TensorValue &x) {
  TensorValue moved = transpose(node, x, {0, 2, 1, 3});
  return reshape(node, moved,
                 {moved.dims[0], moved.dims[1], node.dims.mul(moved.dims[2], moved.dims[3])});
}

/// softmax(scale * Q K' + bias) V for Q [B, N, S, D], K [B, N / G, T, D] and V;
/// gives [B, S, N * Dv] of `type`.
static FailureOr<TensorValue> attend(NodeContext &node, const TensorValue &query,
                                     const TensorValue &key, const TensorValue &value,
                                     const Scores &spec, ElementType type) {
  OpFoldResult batch = query.dims[0], queries = query.dims[2], keys = key.dims[2];
  if (spec.mask) {
    // It is read by position.
    Dims expected{batch};
    if (spec.mask->rank() == 3)
      expected.push_back(queries);
    if (spec.mask->rank() > 1)
      expected.push_back(keys);
    for (auto [have, want] : llvm::zip(spec.mask->dims, expected))
      if (failed(requireEqual(node, have, want, "has a mask of extent {0}, expected {1}")))
        return failure();
  }
  attn::AttendConfig config;
  config.layout = "bhsd,bhtd,bhte->bshe";
  if (spec.scale != 0)
    config.scale = spec.scale;
  if (spec.softcap != 0)
    config.softcap = std::abs(spec.softcap);
  if (spec.bias) {
    FailureOr<TensorValue> bias =
        broadcastToScores(node, *spec.bias, {batch, query.dims[1], queries, keys});
    if (failed(bias))
      return failure();
    config.bias = node.value(*bias);
  }
  config.causal = spec.causal;
  if (spec.causal) {
    // A window of n keys ends with the query's own; one of none is left to the region.
    if (spec.window > 0)
      config.window = {spec.window - 1, -1};
    config.starts = node.value(buildPerSequence(node, batch, spec.firstPosition));
  }
  Value mask = spec.mask ? node.value(*spec.mask) : Value();
  // What a mask hides has its score lowered, no more.
  auto region = [&](ScalarMath &m, Value score, ArrayRef<Value> at) -> Value {
    if (spec.causal && spec.window == 0)
      return m.like(score, -INFINITY);
    SmallVector<Value> where{at[0]};
    if (spec.mask->rank() == 3)
      where.push_back(at[2]);
    if (spec.mask->rank() > 1)
      where.push_back(at[3]);
    Value element = arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), m.read(mask, where));
    // Lengths, or 1 where a key counts.
    Value kept =
        spec.mask->rank() == 1 ? m.less(at[3], element) : m.negate(m.equal(element, m.index(0)));
    return m.select(kept, score, m.add(score, m.like(score, spec.maskFilter)));
  };
  bool hasRegion = mask || (spec.causal && spec.window == 0);
  TensorValue result =
      buildAttend(node, query, key, value, type, {batch, queries, query.dims[1], value.dims[3]},
                  config, hasRegion ? ScoreBuilder(region) : ScoreBuilder());
  return reshape(node, result, {batch, queries, node.dims.mul(query.dims[1], value.dims[3])});
}

static LogicalResult requireFloatRank(NodeContext &node, size_t i, ArrayRef<int64_t> ranks) {
  if (!node.hasInput(i))
    return success();
  const TensorValue &x = node.input(i);
  if (!isFloat(x.elementType) || x.elementType != node.input(0).elementType)
    return node.unsupported("has inputs " + describe(node.input(0)) + " and " + describe(x));
  if (!llvm::is_contained(ranks, x.rank()))
    return node.unsupported("has an input " + describe(x) + ", expected rank " +
                            Twine(ranks.front()));
  return success();
}

/// The number of heads, which divides `width` if that is known.
static FailureOr<int64_t> readHeads(NodeContext &node, StringRef attribute, OpFoldResult width) {
  int64_t heads = node.getInt(attribute, 0);
  if (heads < 1 || heads > INT32_MAX)
    return node.error("has " + attribute + " = " + Twine(heads));
  if (failed(requireEqual(node, node.dims.rem(width, node.dims.constant(heads)),
                          node.dims.constant(0),
                          "has heads that do not divide its rows: {0} elements are left")))
    return failure();
  return heads;
}

/// Adds a part of a bias [sum of widths] to [B, S, width].
static FailureOr<TensorValue> addBias(NodeContext &node, const TensorValue &x,
                                      const TensorValue *bias, OpFoldResult offset) {
  if (!bias)
    return x;
  if (failed(requireAtMost(node, node.dims.add(offset, x.dims.back()), bias->dims[0],
                           "needs {0} elements of its bias, which has {1}")))
    return failure();
  TensorValue part = slice(node, *bias, {offset}, {x.dims.back()}, {node.dims.constant(1)});
  ElementType type = x.elementType, wide = accumulatorType(type);
  return elementwiseTo(
      node, {x, part}, type, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        Value sum = ScalarMath{b, loc}.add(castScalar(b, loc, args[0], type, wide),
                                           castScalar(b, loc, args[1], type, wide));
        return castScalar(b, loc, sum, wide, type);
      });
}

/// Past keys or values [B, N, P, D] and the new ones.
static FailureOr<TensorValue> append(NodeContext &node, const TensorValue *past,
                                     const TensorValue &present) {
  if (!past)
    return present;
  return concat(node, {*past, present}, 2);
}

//===----------------------------------------------------------------------===//
// MultiHeadAttention and Attention
//===----------------------------------------------------------------------===//

static LogicalResult checkMask(NodeContext &node, size_t i) {
  if (!node.hasInput(i))
    return success();
  const TensorValue &mask = node.input(i);
  if (!isInteger(mask.elementType) && !isBool(mask.elementType))
    return node.error("has a mask " + describe(mask));
  if (mask.rank() < 1 || mask.rank() > 3 ||
      (mask.rank() == 1 && !ShapedType::isDynamic(mask.staticDim(0)) &&
       !ShapedType::isDynamic(node.input(0).staticDim(0)) &&
       mask.staticDim(0) != node.input(0).staticDim(0)))
    return node.unsupported("has a mask " + describe(mask) +
                            ", expected lengths or a mask of keys");
  return success();
}

/// Inputs: query, key, value, bias, key_padding_mask, attention_bias, past_key,
/// past_value; outputs: the result, keys and values.
static LogicalResult buildMultiHeadAttention(NodeContext &node) {
  if (!node.hasInput(1) || !node.hasInput(2))
    return node.unsupported("has packed queries, keys or values");
  if (failed(requireFloatRank(node, 0, {3})) || failed(requireFloatRank(node, 1, {3, 4})) ||
      failed(requireFloatRank(node, 2, {3, 4})) || failed(requireFloatRank(node, 3, {1})) ||
      failed(requireFloatRank(node, 5, {4})) || failed(requireFloatRank(node, 6, {4})) ||
      failed(requireFloatRank(node, 7, {4})) || failed(checkMask(node, 4)))
    return failure();
  const TensorValue &x = node.input(0);
  FailureOr<int64_t> heads = readHeads(node, "num_heads", x.dims[2]);
  if (failed(heads))
    return failure();
  ElementType type = x.elementType;
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    OpFoldResult width = x.dims[2], zero = node.dims.constant(0);
    FailureOr<TensorValue> query = addBias(node, in[0], in.find(3), zero);
    if (failed(query))
      return failure();
    auto headsOf = [&](size_t i, OpFoldResult offset) -> FailureOr<TensorValue> {
      if (in[i].rank() == 4)
        return in[i];
      FailureOr<TensorValue> biased = addBias(node, in[i], in.find(3), offset);
      if (failed(biased))
        return failure();
      return splitHeads(node, *biased, node.dims.constant(*heads));
    };
    FailureOr<TensorValue> key = headsOf(1, width);
    FailureOr<TensorValue> value = headsOf(2, node.dims.mul(width, node.dims.constant(2)));
    if (failed(key) || failed(value))
      return failure();
    key = append(node, in.find(6), *key);
    value = append(node, in.find(7), *value);
    if (failed(key) || failed(value))
      return failure();
    Scores spec;
    spec.scale = node.getFloat("scale", 0);
    spec.maskFilter = node.getFloat("mask_filter_value", -10000);
    spec.causal = node.getInt("unidirectional", 0) != 0;
    spec.bias = in.find(5);
    spec.mask = in.find(4);
    OpFoldResult before = node.dims.sub(key->dims[2], x.dims[1]);
    auto first = [&](ScalarMath &m, Value) { return m.extent(before); };
    spec.firstPosition = first;
    FailureOr<TensorValue> result = attend(
        node, splitHeads(node, *query, node.dims.constant(*heads)), *key, *value, spec, type);
    if (failed(result))
      return failure();
    return SmallVector<TensorValue>{*result, *key, *value};
  });
}

/// Inputs: input [B, S, I], weights [I, Q + K + V], bias, mask_index, past [2, B,
/// N, P, D], attention_bias; outputs: the result, present.
static LogicalResult buildAttention(NodeContext &node) {
  if (failed(requireFloatRank(node, 0, {3})) || failed(requireFloatRank(node, 1, {2})) ||
      failed(requireFloatRank(node, 2, {1})) || failed(requireFloatRank(node, 4, {5})) ||
      failed(requireFloatRank(node, 5, {4})) || failed(checkMask(node, 3)))
    return failure();
  if (node.getInt("do_rotary", 0))
    return node.unsupported("rotates queries and keys");
  const TensorValue &x = node.input(0), &weights = node.input(1);
  DimBuilder &d = node.dims;
  SmallVector<int64_t> given = node.getInts("qkv_hidden_sizes");
  if (!given.empty() &&
      (given.size() != 3 || llvm::any_of(given, [](int64_t size) { return size < 1; })))
    return node.error("has a wrong attribute 'qkv_hidden_sizes'");
  OpFoldResult third = d.floorDiv(weights.dims[1], d.constant(3));
  Dims widths(3, third);
  for (auto [i, size] : llvm::enumerate(given))
    widths[i] = d.constant(size);
  if (failed(requireEqual(node, d.add(d.add(widths[0], widths[1]), widths[2]), weights.dims[1],
                          "has heads of {0} elements in all, but weights of {1}")))
    return failure();
  FailureOr<int64_t> heads = readHeads(node, "num_heads", widths[0]);
  if (failed(heads))
    return failure();
  ElementType type = x.elementType, wide = accumulatorType(type);
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> product = matmul(node, in[0], in[1], wide);
    if (failed(product))
      return failure();
    FailureOr<TensorValue> all =
        addBias(node, cast(node, *product, type), in.find(2), d.constant(0));
    if (failed(all))
      return failure();
    SmallVector<TensorValue> parts;
    OpFoldResult offset = d.constant(0);
    Dims ones(3, d.constant(1));
    for (OpFoldResult width : widths) {
      TensorValue part = slice(node, *all, {d.constant(0), d.constant(0), offset},
                               {x.dims[0], x.dims[1], width}, ones);
      parts.push_back(splitHeads(node, part, d.constant(*heads)));
      offset = d.add(offset, width);
    }
    if (in.has(4)) {
      const TensorValue &past = in[4];
      for (int64_t i = 0; i < 2; ++i) {
        Dims offsets(5, d.constant(0)), sizes = past.dims, strides(5, d.constant(1));
        offsets[0] = d.constant(i);
        sizes[0] = d.constant(1);
        TensorValue half = slice(node, past, offsets, sizes, strides);
        sizes.erase(sizes.begin());
        TensorValue cache = reshape(node, half, sizes);
        FailureOr<TensorValue> joined = append(node, &cache, parts[1 + i]);
        if (failed(joined))
          return failure();
        parts[1 + i] = *joined;
      }
    }
    Scores spec;
    spec.scale = node.getFloat("scale", 0);
    spec.maskFilter = node.getFloat("mask_filter_value", -10000);
    spec.causal = node.getInt("unidirectional", 0) != 0;
    spec.bias = in.find(5);
    spec.mask = in.find(3);
    OpFoldResult before = d.sub(parts[1].dims[2], x.dims[1]);
    auto first = [&](ScalarMath &m, Value) { return m.extent(before); };
    spec.firstPosition = first;
    FailureOr<TensorValue> result = attend(node, parts[0], parts[1], parts[2], spec, type);
    if (failed(result))
      return failure();
    SmallVector<TensorValue> outputs{*result};
    if (node.hasOutput(1)) {
      SmallVector<TensorValue> halves;
      for (size_t i = 1; i < 3; ++i) {
        Dims dims{d.constant(1)};
        llvm::append_range(dims, parts[i].dims);
        halves.push_back(reshape(node, parts[i], dims));
      }
      FailureOr<TensorValue> present = concat(node, halves, 0);
      if (failed(present))
        return failure();
      outputs.push_back(*present);
    }
    return outputs;
  });
}

//===----------------------------------------------------------------------===//
// Rotary embeddings and GroupQueryAttention
//===----------------------------------------------------------------------===//

/// Rotates pairs of the first 2 * width elements of each head of x [B, N, S, D] by
/// the angles at a row of the caches [positions, width].
static TensorValue
rotate(NodeContext &node, const TensorValue &x, const TensorValue &cosCache,
       const TensorValue &sinCache, bool interleaved,
       llvm::function_ref<Value(ScalarMath &, Value batch, Value step)> position) {
  ElementType type = x.elementType, wide = accumulatorType(type);
  Value source = node.value(x), cosines = node.value(cosCache), sines = node.value(sinCache);
  return generate(node, type, x.dims, [&](ScalarMath &m, ArrayRef<Value> at) {
    Value half = m.extent(cosCache.dims[1]), element = at[3];
    Value rotated = m.less(element, m.mul(half, m.index(2)));
    Value pair, isFirst, partner;
    if (interleaved) {
      pair = m.div(element, m.index(2));
      isFirst = m.equal(m.rem(element, m.index(2)), m.index(0));
      partner = m.select(isFirst, m.add(element, m.index(1)), m.sub(element, m.index(1)));
    } else {
      isFirst = m.less(element, half);
      pair = m.select(isFirst, element, m.sub(element, half));
      partner = m.select(isFirst, m.add(element, half), m.sub(element, half));
    }
    Value row = m.clamp(position(m, at[0], at[2]), m.extent(cosCache.dims[0]));
    Value column = m.clamp(pair, half);
    auto wideRead = [&](Value tensor, ArrayRef<Value> where) {
      return castScalar(m.b, m.loc, m.read(tensor, where), type, wide);
    };
    Value mine = wideRead(source, at);
    Value other = wideRead(source, {at[0], at[1], at[2], m.clamp(partner, m.extent(x.dims[3]))});
    Value straight = m.mul(mine, wideRead(cosines, {row, column}));
    Value crossed = m.mul(other, wideRead(sines, {row, column}));
    Value turned = m.select(isFirst, m.sub(straight, crossed), m.add(straight, crossed));
    return castScalar(m.b, m.loc, m.select(rotated, turned, mine), wide, type);
  });
}

/// An error unless the caches have one shape, and a row.
static LogicalResult checkCaches(NodeContext &node, const TensorValue &cosCache,
                                 const TensorValue &sinCache) {
  for (int64_t i = 0; i < 2; ++i)
    if (failed(requireEqual(node, sinCache.dims[i], cosCache.dims[i],
                            "has caches of extents {0} and {1}")) ||
        failed(requireAtMost(node, node.dims.constant(1), cosCache.dims[i],
                             "has a cache of extent {1}, expected at least {0}")))
      return failure();
  return success();
}

/// Inputs: input [B, S, H] or [B, N, S, D], position_ids [1] or [B, S], cos_cache,
/// sin_cache.
static LogicalResult buildRotaryEmbedding(NodeContext &node) {
  if (failed(requireFloatRank(node, 0, {3, 4})) || failed(requireFloatRank(node, 2, {2})) ||
      failed(requireFloatRank(node, 3, {2})))
    return failure();
  if (node.getInt("is_packed_batching", 0) || node.getFloat("scale", 1) != 1)
    return node.unsupported("has packed batches or a scale");
  const TensorValue &x = node.input(0), &ids = node.input(1);
  if (!isInteger(ids.elementType) || (ids.rank() != 2 && ids.rank() != 1))
    return node.error("has position_ids " + describe(ids));
  Dims idDims{x.dims[0], x.dims[x.rank() - 2]};
  if (ids.rank() == 1)
    idDims = {node.dims.constant(1)};
  for (auto [have, want] : llvm::zip(ids.dims, idDims))
    if (failed(requireEqual(node, have, want, "has position_ids of extent {0}, expected {1}")))
      return failure();
  if (failed(checkCaches(node, node.input(2), node.input(3))))
    return failure();
  OpFoldResult heads;
  if (x.rank() == 3) {
    DimBuilder &d = node.dims;
    int64_t given = node.getInt("num_heads", 0);
    if (given < 0 || given > INT32_MAX)
      return node.error("has " + Twine(given) + " heads");
    if (given == 0 && node.getInt("rotary_embedding_dim", 0) != 0)
      return node.unsupported("does not tell how many heads there are");
    // Without a number it follows from the size of a head, which the caches tell.
    OpFoldResult size = d.max(d.mul(node.input(2).dims[1], d.constant(2)), d.constant(1));
    heads = given ? d.constant(given) : d.floorDiv(x.dims[2], size);
    if (failed(requireAtMost(node, d.constant(1), heads, "has {1} heads, expected at least {0}")) ||
        failed(requireEqual(node, d.rem(x.dims[2], d.max(heads, d.constant(1))), d.constant(0),
                            "has heads that do not divide its rows: {0} elements are left")))
      return failure();
  }
  bool interleaved = node.getInt("interleaved", 0) != 0;
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    TensorValue split = x.rank() == 3 ? splitHeads(node, in[0], heads) : in[0];
    Value positions = node.value(in[1]);
    TensorValue turned =
        rotate(node, split, in[2], in[3], interleaved, [&](ScalarMath &m, Value batch, Value step) {
          Type index = m.b.getIndexType();
          if (ids.rank() == 2)
            return Value(
                arith::IndexCastOp::create(m.b, m.loc, index, m.read(positions, {batch, step})));
          Value start =
              arith::IndexCastOp::create(m.b, m.loc, index, m.read(positions, {m.index(0)}));
          return m.add(start, step);
        });
    if (x.rank() == 3) {
      turned = mergeHeads(node, turned);
      turned.dims = x.dims;
    }
    return SmallVector<TensorValue>{turned};
  });
}

/// Inputs: query, key, value, past_key, past_value [B, Nkv, P, D], seqlens_k [B]
/// (keys of each sequence, less one), total_sequence_length, cos_cache,
/// sin_cache; outputs: the result, present_key, present_value.
static LogicalResult buildGroupQueryAttention(NodeContext &node) {
  if (!node.hasInput(1) || !node.hasInput(2))
    return node.unsupported("has packed queries, keys and values");
  if (failed(requireFloatRank(node, 0, {3})) || failed(requireFloatRank(node, 1, {3})) ||
      failed(requireFloatRank(node, 2, {3})) || failed(requireFloatRank(node, 3, {4})) ||
      failed(requireFloatRank(node, 4, {4})) || failed(requireFloatRank(node, 7, {2})) ||
      failed(requireFloatRank(node, 8, {2})))
    return failure();
  for (size_t i = 9; i < node.inputCount(); ++i)
    if (node.hasInput(i))
      return node.unsupported("has input " + Twine(i));
  if (node.getInt("smooth_softmax", 0))
    return node.unsupported("has a smooth softmax");
  const TensorValue &x = node.input(0);
  FailureOr<int64_t> heads = readHeads(node, "num_heads", x.dims[2]);
  FailureOr<int64_t> keyHeads = readHeads(node, "kv_num_heads", node.input(1).dims[2]);
  if (failed(heads) || failed(keyHeads))
    return failure();
  if (*heads % *keyHeads != 0)
    return node.error("has " + Twine(*heads) + " heads for " + Twine(*keyHeads) + " of keys");
  bool rotary = node.getInt("do_rotary", 0) != 0;
  if (rotary && !(node.hasInput(7) && node.hasInput(8)))
    return node.error("rotates without caches");
  if (node.input(5).elementType != ElementType::Int32)
    return node.error("has seqlens_k " + describe(node.input(5)));
  FailureOr<Dims> total = shapeElements(node, node.input(6));
  if (failed(total) || total->size() != 1)
    return failed(total) ? failure()
                         : node.error("has total_sequence_length " + describe(node.input(6)));
  ElementType type = x.elementType;
  DimBuilder &d = node.dims;
  OpFoldResult queries = x.dims[1];
  OpFoldResult keys = d.max((*total)[0], queries);
  if (node.hasInput(3))
    keys = d.max(keys, node.input(3).dims[2]);
  OpFoldResult count = d.constant(*keyHeads), size = d.floorDiv(node.input(1).dims[2], count);
  for (size_t i : {3, 4}) {
    if (!node.hasInput(i))
      continue;
    Dims expected{x.dims[0], count, node.input(3).dims[2], size};
    for (auto [have, want] : llvm::zip(node.input(i).dims, expected))
      if (failed(requireEqual(node, have, want, "has past keys of extent {0}, expected {1}")))
        return failure();
  }
  if (failed(requireEqual(node, d.product(node.input(5).dims), x.dims[0],
                          "has {0} lengths of keys for {1} sequences")) ||
      failed(requireEqual(node, node.input(2).dims[2], node.input(1).dims[2],
                          "has values of {0} elements and keys of {1}")) ||
      (rotary && failed(checkCaches(node, node.input(7), node.input(8)))))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    TensorValue lengthsInput = in[5];
    Value lengths = node.value(reshape(node, lengthsInput, {x.dims[0]}));
    // Keys of a sequence before its new ones.
    auto pastOf = [&](ScalarMath &m, Value batch) {
      Value last =
          arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), m.read(lengths, {batch}));
      Value past = m.sub(m.add(last, m.index(1)), m.extent(queries));
      return m.clamp(past, m.extent(keys));
    };
    TensorValue query = splitHeads(node, in[0], d.constant(*heads)),
                key = splitHeads(node, in[1], count);
    TensorValue value = splitHeads(node, in[2], count);
    if (rotary) {
      bool interleaved = node.getInt("rotary_interleaved", 0) != 0;
      auto position = [&](ScalarMath &m, Value batch, Value step) {
        return m.add(pastOf(m, batch), step);
      };
      query = rotate(node, query, in[7], in[8], interleaved, position);
      key = rotate(node, key, in[7], in[8], interleaved, position);
    }
    auto extend = [&](const TensorValue &fresh, const TensorValue *past) {
      Value news = node.value(fresh), olds;
      OpFoldResult oldRows;
      if (past) {
        // One more row, so that there is one to read.
        Dims low(4, d.constant(0)), high = low;
        high[2] = d.constant(1);
        TensorValue padded =
            pad(node, *past, low, high,
                makeScalar(node.b, node.b.getLoc(), storageType(node.context(), type), 0));
        olds = node.value(padded);
        oldRows = padded.dims[2];
      }
      return generate(
          node, type, {fresh.dims[0], fresh.dims[1], keys, fresh.dims[3]},
          [&](ScalarMath &m, ArrayRef<Value> at) {
            Value before = pastOf(m, at[0]);
            Value step = m.sub(at[2], before);
            Value isNew = m.inRange(step, m.extent(queries));
            Value row = m.clamp(step, m.extent(queries));
            Value zero = m.number(storageType(node.context(), type), 0);
            Value added = m.select(isNew, m.read(news, {at[0], at[1], row, at[3]}), zero);
            if (!olds)
              return added;
            Value kept = m.both(m.less(at[2], before), m.less(at[2], m.extent(past->dims[2])));
            Value at2 = m.clamp(at[2], m.extent(oldRows));
            return m.select(kept, m.read(olds, {at[0], at[1], at2, at[3]}), added);
          });
    };
    key = extend(key, in.find(3));
    value = extend(value, in.find(4));
    Scores spec;
    spec.scale = node.getFloat("scale", 0);
    spec.softcap = node.getFloat("softcap", 0);
    spec.causal = true;
    spec.window = node.getInt("local_window_size", -1);
    spec.firstPosition = pastOf;
    FailureOr<TensorValue> result = attend(node, query, key, value, spec, type);
    if (failed(result))
      return failure();
    return SmallVector<TensorValue>{*result, key, value};
  });
}

void weft::onnx::registerContribAttentionOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"Attention", 1, 2, 7, buildAttention},
             {"MultiHeadAttention", 1, 1, 10, buildMultiHeadAttention},
             {"RotaryEmbedding", 1, 4, 4, buildRotaryEmbedding},
             {"GroupQueryAttention", 1, 1, 14, buildGroupQueryAttention},
         });
}
