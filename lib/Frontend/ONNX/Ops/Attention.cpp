//===- Attention.cpp - Attention and rotary embeddings --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Ops/Attend.h"
#include "Frontend/ONNX/Ops/Einsum.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
/// An attention; tensors are seen as [batch, heads, sequence, size].
struct Attention {
  ElementType type{}, sumType{};
  bool packed = false; // inputs and result are [batch, sequence, heads * size]
  OpFoldResult batch, queries, keys, past, total;
  OpFoldResult queryHeads, keyHeads, groups, keySize, valueSize;
  std::optional<size_t> mask, pastKey, pastValue, lengths; // positions among the operands
  bool causal = false;
  int64_t left = -1, right = -1; // windows; -1 is unbounded
  std::optional<double> scale;
  double softcap = 0;
  int64_t scoresMode = 0;
};
} // namespace

/// [batch, heads, sequence, size] of what may be packed.
static TensorValue splitHeads(NodeContext &node, const Attention &a, const TensorValue &x,
                              OpFoldResult heads, OpFoldResult size) {
  if (!a.packed)
    return x;
  TensorValue split = reshape(node, x, {x.dims[0], x.dims[1], heads, size});
  return transpose(node, split, {0, 2, 1, 3});
}

/// Concatenates a cache and new entries along the sequence.
static TensorValue append(NodeContext &node, const Attention &a, const TensorValue &cache,
                          const TensorValue &entries) {
  DimBuilder &d = node.dims;
  Dims dims = entries.dims;
  dims[2] = a.total;
  Dims offsets(4, d.constant(0));
  Value result = makeEmpty(node, entries.elementType, dims);
  result = insertSlice(node, node.value(cache), result, offsets, cache.dims);
  offsets[2] = a.past;
  result = insertSlice(node, node.value(entries), result, offsets, entries.dims);
  return makeValue(result, entries.elementType, dims);
}

/// The mask with its last extent filled up to `total`: what it leaves out is masked.
static TensorValue fillMask(NodeContext &node, const Attention &a, const TensorValue &mask) {
  int64_t last = mask.rank() - 1;
  if (DimBuilder::same(mask.dims[last], a.total))
    return mask;
  DimBuilder &d = node.dims;
  mlir::Type storage = storageType(node.context(), mask.elementType);
  Value outside = makeScalar(node.b, node.b.getLoc(), storage, 0);
  if (auto floating = dyn_cast<FloatType>(storage))
    outside = arith::ConstantOp::create(
        node.b, node.b.getLoc(),
        node.b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics(), true)));
  Dims low(mask.rank(), d.constant(0)), high = low;
  high[last] = d.max(d.sub(a.total, mask.dims[last]), d.constant(0));
  TensorValue filled = pad(node, mask, low, high, outside);
  filled.dims[last] = a.total;
  filled.value = node.b.createOrFold<tensor::CastOp>(
      tensorType(node.context(), mask.elementType, filled.dims), filled.value);
  return filled;
}

/// Scores plus biases: masked ones are -inf. [batch, heads, queries, total].
static FailureOr<TensorValue> addBias(NodeContext &node, const Attention &a,
                                      const TensorValue &scores, ArrayRef<TensorValue> operands) {
  SmallVector<TensorValue> inputs{scores};
  if (a.mask)
    inputs.push_back(fillMask(node, a, operands[*a.mask]));
  if (a.lengths)
    inputs.push_back(reshape(node, operands[*a.lengths],
                             {operands[*a.lengths].dims[0], node.dims.constant(1),
                              node.dims.constant(1), node.dims.constant(1)}));
  if (inputs.size() == 1 && !a.causal && a.left < 0 && a.right < 0)
    return scores;
  return elementwiseTo(
      node, inputs, a.sumType, scores.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        auto type = mlir::cast<FloatType>(args[0].getType());
        Value least = arith::ConstantOp::create(
            b, loc, b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), true)));
        Value score = args[0], length;
        Value allowed = arith::ConstantIntOp::create(b, loc, 1, 1);
        if (a.mask) {
          ElementType maskType = operands[*a.mask].elementType;
          if (isBool(maskType))
            allowed = m.both(allowed, fromBool(b, loc, args[1]));
          else
            score = m.add(score, castScalar(b, loc, args[1], maskType, a.sumType));
        }
        Value query = linalg::IndexOp::create(b, loc, 2), key = linalg::IndexOp::create(b, loc, 3);
        if (a.lengths) {
          Value wide =
              castScalar(b, loc, args.back(), operands[*a.lengths].elementType, ElementType::Int64);
          length = arith::IndexCastOp::create(b, loc, b.getIndexType(), wide);
          allowed = m.both(allowed, m.less(key, length));
        }
        // Queries are the last of the keys that there are.
        Value offset = a.lengths ? m.sub(length, m.extent(a.queries)) : m.extent(a.past);
        Value position = m.add(query, offset);
        if (a.causal)
          allowed = m.both(allowed, m.atMost(key, position));
        if (a.left >= 0)
          allowed = m.both(allowed, m.atMost(m.sub(position, m.index(a.left)), key));
        if (a.right >= 0)
          allowed = m.both(allowed, m.atMost(key, m.add(position, m.index(a.right))));
        return m.select(allowed, score, least);
      });
}

/// Softmax over the last dimension; rows that are -inf throughout give zeros.
static TensorValue softmaxOfRows(NodeContext &node, const TensorValue &x) {
  ElementType type = x.elementType;
  auto floating = mlir::cast<FloatType>(storageType(node.context(), type));
  int64_t last = x.rank() - 1;
  Location loc = node.b.getLoc();
  Value least = arith::ConstantOp::create(
      node.b, loc,
      node.b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics(), true)));
  TensorValue largest = reduce(node, x, {last}, true, type, least,
                               [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                 return arith::MaximumFOp::create(b, loc, args[0], args[1]);
                               });
  TensorValue powers = *elementwiseTo(
      node, {x, largest}, type, x.dims, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        ScalarMath m{b, loc};
        Value masked = m.equal(
            args[1],
            arith::ConstantOp::create(
                b, loc,
                b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics(), true))));
        return math::ExpOp::create(b, loc,
                                   m.sub(args[0], m.select(masked, m.like(args[0], 0), args[1])));
      });
  TensorValue sum = reduce(node, powers, {last}, true, type, makeScalar(node.b, loc, floating, 0),
                           [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                             return arith::AddFOp::create(b, loc, args[1], args[0]);
                           });
  return *elementwiseTo(
      node, {powers, sum}, type, x.dims, [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        ScalarMath m{b, loc};
        Value zero = m.like(args[1], 0), empty = m.equal(args[1], zero);
        return m.select(empty, zero, m.div(args[0], m.select(empty, m.like(args[1], 1), args[1])));
      });
}

/// The result as `attn.attend` computes it.
static FailureOr<TensorValue> attend(NodeContext &node, const Attention &a,
                                     ArrayRef<TensorValue> in, const TensorValue &query,
                                     const TensorValue &key, const TensorValue &value) {
  attn::AttendConfig config;
  ScalarMath m{node.b, node.b.getLoc()};
  if (a.packed)
    config.layout = "bhsd,bhtd,bhte->bshe";
  config.scale = a.scale;
  if (a.softcap > 0)
    config.softcap = a.softcap;
  config.causal = a.causal;
  if (a.left >= 0 || a.right >= 0)
    config.window = {a.left, a.right};
  if (a.mask) {
    FailureOr<TensorValue> mask = broadcastToScores(node, fillMask(node, a, in[*a.mask]),
                                                    {a.batch, a.queryHeads, a.queries, a.total});
    if (failed(mask))
      return failure();
    (isBool(mask->elementType) ? config.mask : config.bias) = node.value(*mask);
  }
  bool hasPosition = a.causal || config.window;
  if (a.lengths) {
    Value lengths = node.value(in[*a.lengths]);
    config.keyLengths = lengths;
    // Queries are the last of the keys that there are.
    if (hasPosition)
      config.starts = node.value(buildPerSequence(node, a.batch, [&](ScalarMath &m, Value batch) {
        Value length =
            arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), m.read(lengths, {batch}));
        return m.sub(length, m.extent(a.queries));
      }));
  } else if (hasPosition && a.pastKey) {
    config.offset = m.extent(a.past);
  }
  Dims dims = a.packed ? Dims{a.batch, a.queries, a.queryHeads, a.valueSize}
                       : Dims{a.batch, a.queryHeads, a.queries, a.valueSize};
  return buildAttend(node, query, key, value, a.type, dims, config);
}

static FailureOr<SmallVector<TensorValue>> computeAttention(NodeContext &node, const Attention &a,
                                                            ArrayRef<TensorValue> in) {
  ElementType type = a.type, sumType = a.sumType;
  TensorValue query = splitHeads(node, a, in[0], a.queryHeads, a.keySize);
  TensorValue key = splitHeads(node, a, in[1], a.keyHeads, a.keySize);
  TensorValue value = splitHeads(node, a, in[2], a.keyHeads, a.valueSize);
  if (a.pastKey) {
    key = append(node, a, in[*a.pastKey], key);
    value = append(node, a, in[*a.pastValue], value);
  }
  // A mask wider than scores can be is left to them.
  bool isWider = a.mask && isFloat(in[*a.mask].elementType) &&
                 in[*a.mask].elementType == ElementType::Double && sumType != ElementType::Double;
  if (!node.hasOutput(3) && !isWider) {
    FailureOr<TensorValue> result = attend(node, a, in, query, key, value);
    if (failed(result))
      return failure();
    Dims dims = result->dims;
    if (a.packed)
      dims = {a.batch, a.queries, node.dims.mul(a.queryHeads, a.valueSize)};
    SmallVector<TensorValue> outputs{reshape(node, *result, dims)};
    if (node.hasOutput(1))
      outputs.push_back(key);
    if (node.hasOutput(2))
      outputs.push_back(value);
    return outputs;
  }
  // Heads of queries that share a head of keys are a dimension of their own.
  TensorValue grouped = reshape(node, query, {a.batch, a.keyHeads, a.groups, a.queries, a.keySize});
  TensorValue products = contractLetters(node, "bhgsd,bhtd->bhgst", grouped, key, sumType);
  Dims plain{a.batch, a.queryHeads, a.queries, a.total};
  products = reshape(node, products, plain);
  auto scaled = elementwiseTo(
      node, products, sumType, plain, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        ScalarMath m{b, loc};
        Value factor;
        if (a.scale) {
          factor = m.like(args[0], *a.scale);
        } else {
          Value size = m.toFloat(m.extent(a.keySize), args[0].getType());
          factor = m.div(m.like(size, 1), math::SqrtOp::create(b, loc, size));
        }
        return m.mul(args[0], factor);
      });
  TensorValue scores = *scaled, exposed = scores;
  if (a.softcap > 0)
    scores = *elementwiseTo(node, scores, sumType, plain,
                            [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                              ScalarMath m{b, loc};
                              Value cap = m.like(args[0], a.softcap);
                              return m.mul(math::TanhOp::create(b, loc, m.div(args[0], cap)), cap);
                            });
  if (a.scoresMode == 1)
    exposed = scores;
  FailureOr<TensorValue> biased = addBias(node, a, scores, in);
  if (failed(biased))
    return failure();
  if (a.scoresMode == 2)
    exposed = *biased;
  TensorValue weights = softmaxOfRows(node, *biased);
  if (a.scoresMode == 3)
    exposed = weights;
  TensorValue groupedWeights =
      reshape(node, cast(node, weights, type), {a.batch, a.keyHeads, a.groups, a.queries, a.total});
  // The result in the order that the node wants.
  TensorValue result = contractLetters(node, a.packed ? "bhgst,bhte->bshge" : "bhgst,bhte->bhgse",
                                       groupedWeights, value, sumType);
  Dims dims = a.packed ? Dims{a.batch, a.queries, node.dims.mul(a.queryHeads, a.valueSize)}
                       : Dims{a.batch, a.queryHeads, a.queries, a.valueSize};
  SmallVector<TensorValue> outputs{reshape(node, cast(node, result, type), dims)};
  if (node.hasOutput(1))
    outputs.push_back(key);
  if (node.hasOutput(2))
    outputs.push_back(value);
  if (node.hasOutput(3))
    outputs.push_back(cast(node, exposed, type));
  return outputs;
}

static constexpr StringLiteral kMismatch =
    "has inputs of extents {0} and {1} where they must be equal";

static LogicalResult readAttributes(NodeContext &node, Attention &a) {
  a.causal = node.getInt("is_causal", 0) != 0;
  a.left = node.getInt("left_window_size", -1);
  a.right = node.getInt("right_window_size", -1);
  a.softcap = node.getFloat("softcap", 0);
  a.scoresMode = node.getInt("qk_matmul_output_mode", 0);
  if (node.hasAttribute("scale"))
    a.scale = node.getFloat("scale", 1);
  if (a.left < -1 || a.right < -1)
    return node.error("has a negative window");
  if (a.scoresMode < 0 || a.scoresMode > 3)
    return node.error("has " + Twine(a.scoresMode) +
                      " in attribute 'qk_matmul_output_mode', expected 0 to 3");
  return success();
}

/// Heads and sizes, from the inputs' shapes and, where they are packed, attributes.
static LogicalResult readHeads(NodeContext &node, Attention &a) {
  const TensorValue &q = node.input(0), &k = node.input(1), &v = node.input(2);
  DimBuilder &d = node.dims;
  if (a.packed) {
    int64_t queryHeads = node.getInt("q_num_heads", 0), keyHeads = node.getInt("kv_num_heads", 0);
    if (node.failed())
      return failure();
    if (queryHeads < 1 || keyHeads < 1 || queryHeads > INT32_MAX || keyHeads > INT32_MAX)
      return node.error("has inputs of rank 3 and no positive q_num_heads and kv_num_heads");
    a.queryHeads = d.constant(queryHeads);
    a.keyHeads = d.constant(keyHeads);
    a.queries = q.dims[1];
    a.keys = k.dims[1];
    a.keySize = d.floorDiv(k.dims[2], a.keyHeads);
    a.valueSize = d.floorDiv(v.dims[2], a.keyHeads);
    if (failed(requireEqual(node, d.mul(a.keySize, a.queryHeads), q.dims[2], kMismatch)) ||
        failed(requireEqual(node, d.mul(a.keySize, a.keyHeads), k.dims[2], kMismatch)) ||
        failed(requireEqual(node, d.mul(a.valueSize, a.keyHeads), v.dims[2], kMismatch)) ||
        failed(requireEqual(node, k.dims[1], v.dims[1], kMismatch)))
      return failure();
  } else {
    a.queryHeads = q.dims[1];
    a.keyHeads = k.dims[1];
    a.queries = q.dims[2];
    a.keys = k.dims[2];
    a.keySize = k.dims[3];
    a.valueSize = v.dims[3];
    if (failed(requireEqual(node, k.dims[1], v.dims[1], kMismatch)) ||
        failed(requireEqual(node, k.dims[2], v.dims[2], kMismatch)) ||
        failed(requireEqual(node, q.dims[3], k.dims[3], kMismatch)))
      return failure();
  }
  if (node.failed() || failed(requireEqual(node, a.batch, k.dims[0], kMismatch)) ||
      failed(requireEqual(node, a.batch, v.dims[0], kMismatch)))
    return failure();
  OpFoldResult divisor = d.max(a.keyHeads, d.constant(1));
  a.groups = d.floorDiv(a.queryHeads, divisor);
  if (failed(requireEqual(
          node, d.mul(a.groups, a.keyHeads), a.queryHeads,
          "has heads of keys, with {0} heads of queries, that do not divide the {1} there are")))
    return failure();
  return success();
}

static LogicalResult readPast(NodeContext &node, Attention &a, const TensorValue &pastKey,
                              const TensorValue &pastValue) {
  if (pastKey.rank() != 4 || pastValue.rank() != 4 || pastKey.elementType != a.type ||
      pastValue.elementType != a.type)
    return node.error("has past keys and values that are no tensors of rank 4 of the inputs' type");
  a.past = pastKey.dims[2];
  for (auto [past, size] : {std::pair(&pastKey, a.keySize), std::pair(&pastValue, a.valueSize)})
    if (failed(requireEqual(node, past->dims[0], a.batch, kMismatch)) ||
        failed(requireEqual(node, past->dims[1], a.keyHeads, kMismatch)) ||
        failed(requireEqual(node, past->dims[2], a.past, kMismatch)) ||
        failed(requireEqual(node, past->dims[3], size, kMismatch)))
      return failure();
  return success();
}

static LogicalResult checkMask(NodeContext &node, const Attention &a, const TensorValue &mask) {
  DimBuilder &d = node.dims;
  if (mask.rank() < 1 || mask.rank() > 4 ||
      (!isBool(mask.elementType) && !isFloat(mask.elementType)))
    return node.error("has a mask of type " + name(mask.elementType) + " and rank " +
                      Twine(mask.rank()));
  if (failed(requireAtMost(node, mask.dims.back(), a.total,
                           "has a mask for {0} keys, more than the {1} there are")))
    return failure();
  Dims wanted{a.batch, a.queryHeads, a.queries};
  for (int64_t i = 0; i + 1 < mask.rank(); ++i) {
    OpFoldResult extent = wanted[3 - (mask.rank() - 1) + i];
    if (DimBuilder::constantOf(mask.dims[i]) == 1 || DimBuilder::same(mask.dims[i], extent))
      continue;
    // Equal, or 1 at run time.
    OpFoldResult excess = d.mul(d.sub(mask.dims[i], extent), d.sub(mask.dims[i], d.constant(1)));
    if (failed(requireEqual(node, excess, d.constant(0),
                            "has a mask that does not broadcast to the scores")))
      return failure();
  }
  return success();
}

static LogicalResult checkLengths(NodeContext &node, const Attention &a,
                                  const TensorValue &lengths) {
  if (lengths.rank() != 1 || !isInteger(lengths.elementType))
    return node.error("has nonpad_kv_seqlen of type " + name(lengths.elementType) + " and rank " +
                      Twine(lengths.rank()) + ", expected a vector of integers");
  if (failed(requireEqual(node, lengths.dims[0], a.batch, kMismatch)))
    return failure();
  return success();
}

static LogicalResult buildAttention(NodeContext &node) {
  Attention a;
  const TensorValue &q = node.input(0), &k = node.input(1), &v = node.input(2);
  a.type = q.elementType;
  a.sumType = accumulatorType(a.type);
  if (!isFloat(a.type) || k.elementType != a.type || v.elementType != a.type)
    return node.unsupported("attends with tensors of types " + name(q.elementType) + ", " +
                            name(k.elementType) + " and " + name(v.elementType));
  if (q.rank() != k.rank() || q.rank() != v.rank() || (q.rank() != 3 && q.rank() != 4))
    return node.error("has inputs of ranks " + Twine(q.rank()) + ", " + Twine(k.rank()) + " and " +
                      Twine(v.rank()) + ", expected 3 or 4 of all");
  DimBuilder &d = node.dims;
  a.packed = q.rank() == 3;
  a.batch = q.dims[0];
  if (failed(readAttributes(node, a)) || failed(readHeads(node, a)))
    return failure();

  SmallVector<TensorValue> inputs{q, k, v};
  auto take = [&](size_t i) -> std::optional<size_t> {
    if (!node.hasInput(i))
      return std::nullopt;
    inputs.push_back(node.input(i));
    return inputs.size() - 1;
  };
  a.mask = take(3);
  a.pastKey = take(4);
  a.pastValue = take(5);
  a.lengths = take(6);
  if (a.pastKey.has_value() != a.pastValue.has_value())
    return node.error("has only one of past_key and past_value");
  if (a.pastKey && a.lengths)
    return node.error("has past_key and nonpad_kv_seqlen, of which one excludes the other");
  a.past = d.constant(0);
  if (a.pastKey && failed(readPast(node, a, inputs[*a.pastKey], inputs[*a.pastValue])))
    return failure();
  a.total = d.add(a.past, a.keys);
  if ((a.mask && failed(checkMask(node, a, inputs[*a.mask]))) ||
      (a.lengths && failed(checkLengths(node, a, inputs[*a.lengths]))))
    return failure();
  // Extents of the results are computed outside of the composite.
  d.mul(a.queryHeads, a.valueSize);
  FailureOr<SmallVector<TensorValue>> outputs = composite(
      node, inputs, [&](ArrayRef<TensorValue> in) { return computeAttention(node, a, in); });
  if (failed(outputs))
    return failure();
  size_t next = 0;
  for (size_t i = 0; i < 4; ++i) {
    if (node.hasOutput(i))
      node.setOutput(i, (*outputs)[next]);
    next += i == 0 || node.hasOutput(i);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// RotaryEmbedding
//===----------------------------------------------------------------------===//

static LogicalResult buildRotaryEmbedding(NodeContext &node) {
  const TensorValue &x = node.input(0), &cosines = node.input(1), &sines = node.input(2);
  ElementType type = x.elementType, computed = accumulatorType(type);
  if (!isFloat(type) || cosines.elementType != type || sines.elementType != type)
    return node.error("expects inputs of one float type");
  DimBuilder &d = node.dims;
  bool packed = x.rank() == 3, byPosition = node.hasInput(3);
  bool interleaved = node.getInt("interleaved", 0) != 0;
  int64_t heads = node.getInt("num_heads", 0), rotated = node.getInt("rotary_embedding_dim", 0);
  if (node.failed())
    return failure();
  if (x.rank() != 3 && x.rank() != 4)
    return node.error("has an input of rank " + Twine(x.rank()) + ", expected 3 or 4");
  if (packed && (heads < 1 || heads > INT32_MAX))
    return node.error("has an input of rank 3 and no positive num_heads");
  int64_t cacheRank = byPosition ? 2 : 3;
  if (cosines.rank() != cacheRank || sines.rank() != cacheRank)
    return node.error("has caches of ranks " + Twine(cosines.rank()) + " and " +
                      Twine(sines.rank()) + ", expected " + Twine(cacheRank));
  OpFoldResult size = packed ? d.floorDiv(x.dims[2], d.constant(heads)) : x.dims[3];
  if (packed && failed(requireEqual(node, d.mul(size, d.constant(heads)), x.dims[2],
                                    "has heads that use {0} of the {1} elements of a token")))
    return failure();
  if (rotated < 0 || rotated > INT32_MAX || rotated % 2 != 0)
    return node.error("has " + Twine(rotated) +
                      " in attribute 'rotary_embedding_dim', expected an even number");
  OpFoldResult width = rotated ? d.constant(rotated) : size;
  OpFoldResult half = d.floorDiv(width, d.constant(2));
  OpFoldResult batch = x.dims[0], length = packed ? x.dims[1] : x.dims[2];
  if (failed(requireAtMost(node, width, size, "rotates {0} elements of heads of {1}")) ||
      failed(requireEqual(node, d.mul(half, d.constant(2)), width,
                          "rotates {1} elements, expected an even number")))
    return failure();
  for (const TensorValue *cache : {&cosines, &sines}) {
    if (failed(requireEqual(node, cache->dims.back(), half,
                            "has a cache of {0} angles, expected {1}")))
      return failure();
    if (!byPosition && (failed(requireEqual(node, cache->dims[0], batch,
                                            "has a cache of extent {0}, expected {1}")) ||
                        failed(requireEqual(node, cache->dims[1], length,
                                            "has a cache of extent {0}, expected {1}"))))
      return failure();
  }
  SmallVector<TensorValue> inputs{x, cosines, sines};
  if (byPosition) {
    const TensorValue &positions = node.input(3);
    if (positions.rank() != 2 || !isInteger(positions.elementType))
      return node.error("has position_ids of type " + name(positions.elementType) + " and rank " +
                        Twine(positions.rank()) + ", expected integers and rank 2");
    if (failed(requireEqual(node, cosines.dims[0], sines.dims[0],
                            "has caches of {0} and {1} positions")) ||
        failed(requireEqual(node, positions.dims[0], batch,
                            "has positions of extent {0}, expected {1}")) ||
        failed(requireEqual(node, positions.dims[1], length,
                            "has positions of extent {0}, expected {1}")))
      return failure();
    assertInRange(node, positions, d.constant(0), cosines.dims[0], "a position");
    inputs.push_back(positions);
  }
  FailureOr<SmallVector<TensorValue>> outputs =
      composite(node, inputs, [&](ArrayRef<TensorValue> in) -> FailureOr<SmallVector<TensorValue>> {
        Value source = node.value(in[0]), cosine = node.value(in[1]), sine = node.value(in[2]);
        Value ids = byPosition ? node.value(in[3]) : Value();
        return SmallVector<TensorValue>{
            generate(node, type, x.dims, [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
              auto wide = [&](Value x) { return castScalar(m.b, m.loc, x, type, computed); };
              Value token = packed ? at[1] : at[2],
                    within = packed ? m.rem(at[2], m.extent(size)) : at[3];
              Value zero = m.index(0), halfWidth = m.extent(half);
              Value turned = m.less(within, m.extent(width));
              // Element k of a pair turns with the pair's angle.
              Value pair, second, partner;
              if (interleaved) {
                pair = m.div(within, m.index(2));
                second = m.equal(m.rem(within, m.index(2)), m.index(1));
                partner =
                    m.select(second, m.sub(at.back(), m.index(1)), m.add(at.back(), m.index(1)));
              } else {
                second = m.atMost(halfWidth, within);
                pair = m.select(second, m.sub(within, halfWidth), within);
                partner =
                    m.select(second, m.sub(at.back(), halfWidth), m.add(at.back(), halfWidth));
              }
              partner = m.select(turned, partner, at.back());
              pair = m.max(m.min(pair, m.sub(halfWidth, m.index(1))), zero);
              SmallVector<Value> entry{at[0], token, pair};
              if (byPosition) {
                Value id = arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(),
                                                      m.read(ids, {at[0], token}));
                entry = {m.clamp(id, m.extent(in[1].dims[0])), pair};
              }
              SmallVector<Value> other(at);
              other.back() = partner;
              Value self = m.read(source, at);
              Value c = wide(m.read(cosine, entry)), s = wide(m.read(sine, entry));
              Value product = m.mul(s, wide(m.read(source, other)));
              Value main = m.mul(c, wide(self));
              Value result = m.select(second, m.add(main, product), m.sub(main, product));
              return m.select(turned, castScalar(m.b, m.loc, result, computed, type), self);
            })};
      });
  if (failed(outputs))
    return failure();
  node.setOutput(0, outputs->front());
  return success();
}

//===----------------------------------------------------------------------===//
// TensorScatter
//===----------------------------------------------------------------------===//

static LogicalResult buildTensorScatter(NodeContext &node) {
  const TensorValue &cache = node.input(0), &update = node.input(1);
  if (update.elementType != cache.elementType || update.rank() != cache.rank() || cache.rank() < 2)
    return node.error("has a cache of type " + name(cache.elementType) + " and rank " +
                      Twine(cache.rank()) + " and an update of type " + name(update.elementType) +
                      " and rank " + Twine(update.rank()));
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", -2), cache.rank());
  std::string mode = node.getString("mode", "linear");
  if (failed(axis) || node.failed())
    return failure();
  if (*axis == 0)
    return node.error("scatters along axis 0, which is the batch");
  bool circular = mode == "circular";
  if (!circular && mode != "linear")
    return node.error("has attribute 'mode' \"" + mode + "\", expected linear or circular");
  DimBuilder &d = node.dims;
  for (int64_t i = 0; i < cache.rank(); ++i)
    if (failed(i == *axis ? requireAtMost(node, update.dims[i], cache.dims[i],
                                          "has an update of extent {0} for a cache of extent {1}")
                          : requireEqual(node, update.dims[i], cache.dims[i],
                                         "has an update of extent {0} for a cache of extent {1}")))
      return failure();
  OpFoldResult length = update.dims[*axis], capacity = cache.dims[*axis];
  Value starts;
  if (node.hasInput(2)) {
    const TensorValue &indices = node.input(2);
    if (indices.rank() != 1 || !isInteger(indices.elementType))
      return node.error("has write_indices of type " + name(indices.elementType) + " and rank " +
                        Twine(indices.rank()) + ", expected a vector of integers");
    if (failed(requireEqual(node, indices.dims[0], cache.dims[0],
                            "has {0} write indices for a batch of {1}")))
      return failure();
    if (circular)
      assertInRange(node, indices, d.constant(0), d.constant(INT64_MAX), "a write index");
    else
      assertInRange(node, indices, d.constant(0), d.add(d.sub(capacity, length), d.constant(1)),
                    "a write index");
    starts = node.value(indices);
  }
  Value old = node.value(cache), fresh = node.value(update);
  node.setOutput(0, generate(node, cache.elementType, cache.dims,
                             [&](ScalarMath &m, ArrayRef<Value> at) -> Value {
                               Value start = m.index(0), extent = m.extent(capacity);
                               if (starts) {
                                 start = arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(),
                                                                    m.read(starts, at[0]));
                                 start = circular ? m.rem(m.max(start, m.index(0)), extent)
                                                  : m.clamp(start, extent);
                               }
                               Value offset = m.sub(at[*axis], start);
                               if (circular)
                                 offset = m.select(m.less(offset, m.index(0)),
                                                   m.add(offset, extent), offset);
                               Value written = m.inRange(offset, m.extent(length));
                               SmallVector<Value> source(at);
                               source[*axis] = m.clamp(offset, m.extent(length));
                               // An update without elements is not read, whatever its extent.
                               Value kept = m.read(old, at);
                               if (DimBuilder::constantOf(length) == 0)
                                 return kept;
                               return m.select(written, m.read(fresh, source), kept);
                             }));
  return success();
}

void weft::onnx::registerAttentionOps(Registrar &registrar) {
  addOps(registrar, "",
         {
             {"Attention", 23, 3, 7, buildAttention},
             {"RotaryEmbedding", 23, 3, 4, buildRotaryEmbedding},
             {"TensorScatter", 24, 2, 3, buildTensorScatter},
         });
}
