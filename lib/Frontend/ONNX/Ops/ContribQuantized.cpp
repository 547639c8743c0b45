//===- ContribQuantized.cpp - Quantized operators of ONNX Runtime ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operators of com.microsoft on quantized tensors; their meaning is in ONNX
// Runtime's docs/ContribOperators.md. Reference bodies decode to f32.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/QuantizedMath.h"
#include "Frontend/ONNX/Ops/ScalarMath.h"
#include "dialects/LowP/IR/LowP.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

using Outputs = FailureOr<SmallVector<TensorValue>>;

static Outputs oneOutput(FailureOr<TensorValue> value) {
  if (failed(value))
    return failure();
  return SmallVector<TensorValue>{*value};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// An int32 product times scales, plus a bias, as `type`.
static FailureOr<TensorValue> scaleProduct(NodeContext &node, const TensorValue &product,
                                           const TensorValue &aScale, const TensorValue &bScale,
                                           const TensorValue *bias, ElementType type) {
  auto unitToScalar = [&](TensorValue x) {
    return x.rank() == 1 && x.staticDim(0) == 1 ? reshape(node, x, {}) : x;
  };
  SmallVector<TensorValue> inputs{product, unitToScalar(alignToRows(node, aScale)),
                                  unitToScalar(bScale)};
  if (bias)
    inputs.push_back(*bias);
  return elementwiseTo(
      node, inputs, type, product.dims, [&](OpBuilder &b, Location loc, ValueRange args) {
        ScalarMath m{b, loc};
        auto wide = [&](size_t i) {
          return castScalar(b, loc, args[i], inputs[i].elementType, ElementType::Float);
        };
        Value x = m.mul(wide(0), m.mul(wide(1), wide(2)));
        if (bias)
          x = m.add(x, wide(3));
        return castScalar(b, loc, x, ElementType::Float, type);
      });
}

/// Inputs: A (float), B (8 bit), b_scale, b_zero_point, bias.
static LogicalResult buildDynamicQuantizeMatMul(NodeContext &node) {
  if (node.input(0).elementType != ElementType::Float)
    return node.error("has an input " + describe(node.input(0)) + ", expected float");
  if (failed(require8Bit(node, {node.input(1)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<DynamicCodes> a = quantizeDynamically(node, in[0]);
    if (failed(a))
      return failure();
    FailureOr<TensorValue> product =
        matmulIntegers(node, a->codes, in[1], &a->zeroPoint, in.find(3));
    if (failed(product))
      return failure();
    return oneOutput(scaleProduct(node, *product, a->scale, in[2], in.find(4), ElementType::Float));
  });
}

/// Inputs: A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias.
static LogicalResult buildMatMulIntegerToFloat(NodeContext &node) {
  if (failed(require8Bit(node, {node.input(0), node.input(1)})))
    return failure();
  ElementType type = node.input(2).elementType;
  if (!isFloat(type))
    return node.error("has a scale " + describe(node.input(2)));
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> product = matmulIntegers(node, in[0], in[1], in.find(4), in.find(5));
    if (failed(product))
      return failure();
    return oneOutput(scaleProduct(node, *product, in[2], in[3], in.find(6), type));
  });
}

/// Inputs: A, its scale and zero point, B, its scale and zero point (of columns, where they
/// are several), C (int32, in the scale of the product), the result's scale and zero point.
static LogicalResult buildQGemm(NodeContext &node) {
  const TensorValue &a = node.input(0), &c = node.input(3);
  if (failed(require8Bit(node, {a, c})))
    return failure();
  for (size_t i : {1, 4, 7})
    if (node.hasInput(i) && node.input(i).elementType != ElementType::Float)
      return node.error("has a scale " + describe(node.input(i)) + ", expected float");
  if (a.rank() != 2 || c.rank() != 2 ||
      (node.hasInput(6) && node.input(6).elementType != ElementType::Int32))
    return node.error("expects two matrices and a bias of int32");
  bool quantizes = node.hasInput(7);
  ElementType type = !quantizes         ? ElementType::Float
                     : node.hasInput(8) ? node.input(8).elementType
                                        : ElementType::UInt8;
  if (quantizes && type != ElementType::Int8 && type != ElementType::UInt8)
    return node.unsupported("quantizes to " + name(type));
  double alpha = node.getFloat("alpha", 1);
  bool transA = node.getInt("transA", 0) != 0, transB = node.getInt("transB", 0) != 0;
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    TensorValue left = transA ? transpose(node, in[0], {1, 0}) : in[0];
    TensorValue right = transB ? transpose(node, in[3], {1, 0}) : in[3];
    FailureOr<TensorValue> product = matmulIntegers(node, left, right, in.find(2), in.find(5));
    if (failed(product))
      return failure();
    auto numbers = [&](const TensorValue &x) {
      return x.rank() == 1 && x.staticDim(0) == 1 ? reshape(node, x, {}) : x;
    };
    SmallVector<TensorValue> inputs{*product, numbers(in[1]), numbers(in[4])};
    for (size_t i : {6, 7, 8})
      if (in.has(i))
        inputs.push_back(numbers(in[i]));
    return oneOutput(elementwiseTo(
        node, inputs, type, product->dims, [&](OpBuilder &b, Location loc, ValueRange args) {
          ScalarMath m{b, loc};
          size_t next = 3;
          Value sum = in.has(6) ? m.add(args[0], args[next++]) : args[0];
          Value factor = m.mul(m.mul(args[1], args[2]), m.like(args[1], alpha));
          if (quantizes)
            factor = m.div(factor, args[next++]);
          Value scaled =
              m.mul(castScalar(b, loc, sum, ElementType::Int32, ElementType::Float), factor);
          return quantizes ? quantizeScalar(b, loc, scaled, in.has(8) ? args[next] : Value(), type)
                           : scaled;
        }));
  });
}

/// The code of `bits` bits at position `index` of bytes in which the lowest bits
/// come first; `read` gives the byte (i8) at a position.
static Value unpackCode(ScalarMath &m, Value index, int64_t bits,
                        llvm::function_ref<Value(Value)> read) {
  Value perByte = m.index(8 / bits);
  Value byte = read(m.div(index, perByte));
  if (bits == 8)
    return byte;
  Type i8 = m.b.getI8Type();
  Value shift = m.mul(m.rem(index, perByte), m.index(bits));
  shift = arith::IndexCastOp::create(m.b, m.loc, i8, shift);
  Value mask = makeIntScalar(m.b, m.loc, i8, (1 << bits) - 1);
  return arith::AndIOp::create(m.b, m.loc, arith::ShRUIOp::create(m.b, m.loc, byte, shift), mask);
}

/// x [..., K] times the transpose of `weights` [N, K], which are packed.
static TensorValue multiplyPacked(NodeContext &node, const TensorValue &x, Value weights,
                                  int64_t n) {
  int64_t rows = x.rank() - 1, loops = rows + 2;
  Dims dims(x.dims.begin(), x.dims.end() - 1);
  dims.push_back(node.dims.constant(n));
  TensorValue zero = makeSplat(node, x.elementType, dims, 0);
  SmallVector<AffineExpr> lhs, result;
  for (int64_t i = 0; i < rows; ++i)
    lhs.push_back(node.b.getAffineDimExpr(i));
  result = lhs;
  AffineExpr column = node.b.getAffineDimExpr(rows), inner = node.b.getAffineDimExpr(rows + 1);
  lhs.push_back(inner);
  result.push_back(column);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMapAttr::get(AffineMap::get(loops, 0, exprs, node.context()));
  };
  auto contract = ContractOp::create(
      node.b, node.b.getLoc(), zero.value.getType(), node.value(x), weights, /*bias=*/Value(),
      zero.value, node.b.getArrayAttr({map(lhs), map({column, inner}), map(result)}),
      /*unsignedLhs=*/false,
      /*unsignedRhs=*/false, /*compute=*/ComputeAttr());
  return makeValue(contract.getResult(), x.elementType, dims);
}

namespace {
/// The weights of MatMulNBits: rows of `k` codes in blocks, each with a scale.
struct NBitsWeights {
  int64_t k, n, bits, block;

  int64_t blocks() const { return llvm::divideCeil(k, block); }
  int64_t blockBytes() const { return block * bits / 8; }
  int64_t zeroBytes() const { return llvm::divideCeil(blocks() * bits, 8); }
  static bool hasPackedZeros(const CompositeInputs &in) {
    return in.has(3) && in[3].elementType == ElementType::UInt8;
  }

  /// x * B', with B as it is packed.
  FailureOr<TensorValue> multiply(NodeContext &node, const CompositeInputs &in,
                                  const TensorValue &x) const;
  /// B as [K, N], where `g_idx` says which block's scale an element has.
  TensorValue decodeGrouped(NodeContext &node, const CompositeInputs &in, ElementType type) const;

private:
  PackedType packedType(NodeContext &node, const CompositeInputs &in, ElementType type) const;
};
} // namespace

/// Codes in rows of `columns`, which are filled up to a multiple of `multiple` and
/// to whole bytes.
static LeafFormatAttr rowsOfCodes(MLIRContext *context, int64_t bits, int64_t columns,
                                  int64_t multiple, ArrayRef<ScaleInterface> scales) {
  lowp::WordsPackAttr pack;
  if (columns % multiple != 0 || columns * bits % 8 != 0)
    pack = lowp::WordsPackAttr::get(context, /*axis=*/1, /*word=*/8, multiple, {});
  return LeafFormatAttr::get(
      context, lowp::IntElementAttr::get(context, static_cast<unsigned>(bits), /*isSigned=*/false),
      scales, StructureInterface(),
      pack ? cast<PackInterface>(mlir::Attribute(pack)) : PackInterface());
}

PackedType NBitsWeights::packedType(NodeContext &node, const CompositeInputs &in,
                                    ElementType type) const {
  MLIRContext *context = node.context();
  SmallVector<int64_t> shape{1, block};
  SmallVector<ScaleInterface> scales;
  auto add = [&](lowp::ScaleAttr scale) {
    scales.push_back(cast<ScaleInterface>(mlir::Attribute(scale)));
  };
  auto storage = [&](size_t i) -> mlir::Attribute {
    return TypeAttr::get(storageType(context, in[i].elementType));
  };
  if (!in.has(3))
    add(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, std::ldexp(1.0, int(bits) - 1)));
  else
    add(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, shape,
                             hasPackedZeros(in)
                                 ? mlir::Attribute(rowsOfCodes(context, bits, blocks(), 1, {}))
                                 : storage(3)));
  add(lowp::ScaleAttr::get(context, lowp::Role::Multiply, shape, storage(2)));
  return PackedType::get({n, k}, storageType(context, type),
                         rowsOfCodes(context, bits, k, block, scales));
}

FailureOr<TensorValue> NBitsWeights::multiply(NodeContext &node, const CompositeInputs &in,
                                              const TensorValue &x) const {
  DimBuilder &d = node.dims;
  PackedType type = packedType(node, in, x.elementType);
  SmallVector<Value> components;
  auto add = [&](size_t i) {
    Dims dims;
    for (int64_t extent : type.getComponentTypes()[components.size()].getShape())
      dims.push_back(d.constant(extent));
    components.push_back(node.value(reshape(node, in[i], dims)));
  };
  add(1);
  if (in.has(3))
    add(3);
  add(2);
  Value weights = AssembleOp::create(node.b, node.b.getLoc(), type, components);
  return multiplyPacked(node, x, weights, n);
}

TensorValue NBitsWeights::decodeGrouped(NodeContext &node, const CompositeInputs &in,
                                        ElementType type) const {
  auto flat = [&](size_t i, int64_t count) {
    return node.value(reshape(node, in[i], {node.dims.constant(count)}));
  };
  bool packedZero = hasPackedZeros(in);
  Value codes = flat(1, n * blocks() * blockBytes()), factors = flat(2, n * blocks());
  Value zeros = in.has(3) ? flat(3, packedZero ? n * zeroBytes() : n * blocks()) : Value();
  Value groups = flat(4, k);
  return generate(
      node, type, {node.dims.constant(k), node.dims.constant(n)},
      [&](ScalarMath &m, ArrayRef<Value> at) {
        Value first = m.mul(at[1], m.index(blocks()));
        Value base = m.mul(m.add(first, m.div(at[0], m.index(block))), m.index(blockBytes()));
        Value code = unpackCode(m, m.rem(at[0], m.index(block)), bits,
                                [&](Value byte) { return m.read(codes, m.add(base, byte)); });
        Value group =
            arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), m.read(groups, at[0]));
        group = m.clamp(group, m.index(blocks()));
        Value row = m.add(first, group);
        Type wide = storageType(node.context(), type);
        Value x = arith::UIToFPOp::create(m.b, m.loc, wide, code);
        Value zero = m.number(wide, static_cast<double>(int64_t(1) << (bits - 1)));
        if (packedZero) {
          Value start = m.mul(at[1], m.index(zeroBytes()));
          Value z = unpackCode(m, group, bits,
                               [&](Value byte) { return m.read(zeros, m.add(start, byte)); });
          zero = arith::UIToFPOp::create(m.b, m.loc, wide, z);
        } else if (zeros) {
          zero = castScalar(m.b, m.loc, m.read(zeros, row), in[3].elementType, type);
        }
        Value scale = castScalar(m.b, m.loc, m.read(factors, row), in[2].elementType, type);
        return m.mul(m.sub(x, zero), scale);
      });
}

/// Inputs: A [..., K], B [N, blocks, block bytes], scales [N * blocks], zero
/// points (packed like B, or of A's type), g_idx, bias [N]. The result is A * B'
/// + bias.
static LogicalResult buildMatMulNBits(NodeContext &node) {
  const TensorValue &a = node.input(0), &packed = node.input(1), &scales = node.input(2);
  int64_t k = node.getInt("K", 0), n = node.getInt("N", 0);
  int64_t bits = node.getInt("bits", 4), block = node.getInt("block_size", 0);
  if (node.failed())
    return failure();
  if (bits != 2 && bits != 4 && bits != 8)
    return node.unsupported("has codes of " + Twine(bits) + " bits, expected 2, 4 or 8");
  if (k < 1 || n < 1 || block < 8 || !llvm::isPowerOf2_64(block) || k > INT32_MAX ||
      n > INT32_MAX || block > INT32_MAX)
    return node.error("has K = " + Twine(k) + ", N = " + Twine(n) +
                      " and block_size = " + Twine(block));
  if (!isFloat(a.elementType) || !isFloat(scales.elementType) ||
      packed.elementType != ElementType::UInt8)
    return node.error("has inputs " + describe(a) + ", " + describe(packed) + " and " +
                      describe(scales) + ", expected floats, uint8 and floats");
  if (a.rank() < 1)
    return node.error("has the scalar input A");
  if (node.hasInput(4) && !isInteger(node.input(4).elementType))
    return node.error("has a group index " + describe(node.input(4)));
  int64_t blocks = llvm::divideCeil(k, block), blockBytes = block * bits / 8;
  int64_t zeroBytes = llvm::divideCeil(blocks * bits, 8);
  auto expectCount = [&](size_t i, int64_t count) -> LogicalResult {
    if (!node.hasInput(i))
      return success();
    OpFoldResult have = node.dims.product(node.input(i).dims);
    return requireEqual(node, have, node.dims.constant(count),
                        "has an input of {0} elements, expected {1}");
  };
  bool packedZero = node.hasInput(3) && node.input(3).elementType == ElementType::UInt8;
  if (node.hasInput(3) && !packedZero && !isFloat(node.input(3).elementType))
    return node.error("has zero points " + describe(node.input(3)));
  if (failed(expectCount(1, n * blocks * blockBytes)) || failed(expectCount(2, n * blocks)) ||
      failed(expectCount(3, packedZero ? n * zeroBytes : n * blocks)) ||
      failed(expectCount(4, k)) || failed(expectCount(5, n)) ||
      failed(requireEqual(node, a.dims[a.rank() - 1], node.dims.constant(k),
                          "multiplies rows of {0} elements, expected {1}")))
    return failure();
  ElementType type = a.elementType, sum = accumulatorType(type);
  NBitsWeights layout{k, n, bits, block};
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    TensorValue x = cast(node, in[0], sum);
    FailureOr<TensorValue> product = in.has(4)
                                         ? matmul(node, x, layout.decodeGrouped(node, in, sum), sum)
                                         : layout.multiply(node, in, x);
    if (failed(product))
      return failure();
    if (!in.has(5))
      return SmallVector<TensorValue>{cast(node, *product, type)};
    return oneOutput(elementwiseTo(
        node, {*product, cast(node, in[5], sum)}, type, product->dims,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          return castScalar(b, loc, ScalarMath{b, loc}.add(args[0], args[1]), sum, type);
        }));
  });
}

/// Bytes with their halves exchanged.
static FailureOr<TensorValue> swapHalves(NodeContext &node, const TensorValue &bytes) {
  return elementwiseTo(node, {bytes}, bytes.elementType, bytes.dims,
                       [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value four = makeIntScalar(b, loc, args[0].getType(), 4);
                         Value up = arith::ShLIOp::create(b, loc, args[0], four);
                         Value down = arith::ShRUIOp::create(b, loc, args[0], four);
                         return arith::OrIOp::create(b, loc, up, down);
                       });
}

/// Inputs: A [..., K], B (4-bit codes of [N, K], the first of two in the upper half of
/// a byte), absmax of the row-major blocks. The result is A * B'.
static LogicalResult buildMatMulBnb4(NodeContext &node) {
  const TensorValue &a = node.input(0), &codes = node.input(1), &scales = node.input(2);
  int64_t k = node.getInt("K", 0), n = node.getInt("N", 0), block = node.getInt("block_size", 0);
  int64_t table = node.getInt("quant_type", 0);
  if (node.failed())
    return failure();
  if (node.getInt("transB", 1) != 1 || (table != 0 && table != 1))
    return node.unsupported("has quant_type = " + Twine(table) + " or does not transpose B");
  if (k < 1 || n < 1 || k > INT32_MAX || n > INT32_MAX || block < 1 || block > INT32_MAX)
    return node.error("has K = " + Twine(k) + ", N = " + Twine(n) +
                      " and block_size = " + Twine(block));
  if (!isFloat(a.elementType) || !isFloat(scales.elementType) ||
      codes.elementType != ElementType::UInt8 || a.rank() < 1)
    return node.error("has inputs " + describe(a) + ", " + describe(codes) + " and " +
                      describe(scales) + ", expected floats, uint8 and floats");
  int64_t blocks = llvm::divideCeil(n * k, block), bytes = llvm::divideCeil(n * k, 2);
  if (failed(requireEqual(node, node.dims.product(codes.dims), node.dims.constant(bytes),
                          "has an input of {0} bytes, expected {1}")) ||
      failed(requireEqual(node, node.dims.product(scales.dims), node.dims.constant(blocks),
                          "has an input of {0} scales, expected {1}")) ||
      failed(requireEqual(node, a.dims[a.rank() - 1], node.dims.constant(k),
                          "multiplies rows of {0} elements, expected {1}")))
    return failure();
  ElementType type = a.elementType, sum = accumulatorType(type);
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    MLIRContext *context = node.context();
    auto scale = lowp::ScaleAttr::get(context, lowp::Role::Multiply, {block},
                                      TypeAttr::get(storageType(context, scales.elementType)));
    // Rows that do not fill bytes are a stream of codes, the lower half of a byte first.
    bool isStream = k % 2 != 0;
    PackInterface pack;
    if (!isStream)
      pack = cast<PackInterface>(mlir::Attribute(
          lowp::WordsPackAttr::get(context, /*axis=*/1, /*word=*/8, /*multiple=*/1, {1, 0})));
    auto format = LeafFormatAttr::get(
        context, lowp::TableElementAttr::getNamed(context, table == 0 ? "fp4" : "nf4"),
        cast<ScaleInterface>(mlir::Attribute(scale)), StructureInterface(), pack);
    DimBuilder &d = node.dims;
    FailureOr<TensorValue> stored =
        isStream ? swapHalves(node, reshape(node, in[1], {d.constant(bytes)}))
                 : reshape(node, in[1], {d.constant(n), d.constant(k / 2)});
    if (failed(stored))
      return failure();
    Value factors = node.value(reshape(node, in[2], {d.constant(blocks)}));
    Value weights = AssembleOp::create(node.b, node.b.getLoc(),
                                       PackedType::get({n, k}, storageType(context, sum), format),
                                       ValueRange{node.value(*stored), factors});
    TensorValue product = multiplyPacked(node, cast(node, in[0], sum), weights, n);
    return SmallVector<TensorValue>{cast(node, product, type)};
  });
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

/// Inputs: A, its scale and zero point, B, its scale and zero point, the
/// result's scale and zero point.
static LogicalResult buildQLinearBinary(NodeContext &node, bool multiply) {
  ElementType type = node.input(0).elementType;
  if (failed(require8Bit(node, {node.input(0), node.input(3)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> a = dequantize(node, in[0], in[1], in.find(2));
    FailureOr<TensorValue> c = dequantize(node, in[3], in[4], in.find(5));
    if (failed(a) || failed(c))
      return failure();
    FailureOr<TensorValue> result = elementwise(
        node, {*a, *c}, ElementType::Float, [&](OpBuilder &b, Location loc, ValueRange args) {
          ScalarMath m{b, loc};
          return multiply ? m.mul(args[0], args[1]) : m.add(args[0], args[1]);
        });
    if (failed(result))
      return failure();
    return oneOutput(quantize(node, *result, in[6], in.find(7), type));
  });
}

static LogicalResult buildQLinearAdd(NodeContext &node) { return buildQLinearBinary(node, false); }
static LogicalResult buildQLinearMul(NodeContext &node) { return buildQLinearBinary(node, true); }

/// Inputs: X, its scale and zero point, the result's scale and zero point.
static LogicalResult buildQLinearUnary(NodeContext &node,
                                       llvm::function_ref<Value(ScalarMath &, Value)> function) {
  ElementType type = node.input(0).elementType;
  if (failed(require8Bit(node, {node.input(0)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> x = dequantize(node, in[0], in[1], in.find(2));
    if (failed(x))
      return failure();
    FailureOr<TensorValue> y = elementwiseTo(node, {*x}, ElementType::Float, x->dims,
                                             [&](OpBuilder &b, Location loc, ValueRange args) {
                                               ScalarMath m{b, loc};
                                               return function(m, args[0]);
                                             });
    if (failed(y))
      return failure();
    return oneOutput(quantize(node, *y, in[3], in.find(4), type));
  });
}

static LogicalResult buildQLinearSigmoid(NodeContext &node) {
  return buildQLinearUnary(node, [](ScalarMath &m, Value x) {
    Value e = math::ExpOp::create(m.b, m.loc, arith::NegFOp::create(m.b, m.loc, x));
    return m.div(m.like(x, 1), m.add(e, m.like(x, 1)));
  });
}

static LogicalResult buildQLinearLeakyRelu(NodeContext &node) {
  double alpha = node.getFloat("alpha", 0.01f);
  return buildQLinearUnary(node, [&](ScalarMath &m, Value x) {
    return m.select(m.less(x, m.like(x, 0)), m.mul(x, m.like(x, alpha)), x);
  });
}

/// Inputs: X [N, C, spatial...] (or channels last), scales and zero points as
/// above.
static LogicalResult buildQLinearGlobalAveragePool(NodeContext &node) {
  const TensorValue &x = node.input(0);
  if (failed(require8Bit(node, {x})))
    return failure();
  if (x.rank() < 3)
    return node.error("has an input " + describe(x) + ", expected rank 3 or more");
  bool channelsLast = node.getInt("channels_last", 0) != 0;
  SmallVector<int64_t> axes;
  OpFoldResult count = node.dims.constant(1);
  for (int64_t i = channelsLast ? 1 : 2; i < x.rank() - (channelsLast ? 1 : 0); ++i) {
    axes.push_back(i);
    count = node.dims.mul(count, x.dims[i]);
  }
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    FailureOr<TensorValue> numbers = dequantize(node, in[0], in[1], in.find(2));
    if (failed(numbers))
      return failure();
    Value zero = makeScalar(node.b, node.b.getLoc(), node.b.getF32Type(), 0);
    TensorValue sum = reduce(node, *numbers, axes, true, ElementType::Float, zero,
                             [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                               return arith::AddFOp::create(b, loc, args[0], args[1]);
                             });
    FailureOr<TensorValue> mean =
        elementwiseTo(node, {sum}, ElementType::Float, sum.dims,
                      [&](OpBuilder &b, Location loc, ValueRange args) {
                        ScalarMath m{b, loc};
                        return m.div(args[0], m.toFloat(m.extent(count), args[0].getType()));
                      });
    if (failed(mean))
      return failure();
    return oneOutput(quantize(node, *mean, in[3], in.find(4), x.elementType));
  });
}

/// Inputs: the result's scale and zero point, then each tensor with its own.
static LogicalResult buildQLinearConcat(NodeContext &node) {
  if (node.inputCount() % 3 != 2)
    return node.error("has " + Twine(node.inputCount()) +
                      " inputs, expected 2 and three for each tensor");
  for (size_t i = 2; i < node.inputCount(); ++i)
    if (!node.hasInput(i))
      return node.error("has no input " + Twine(i));
  ElementType type = node.input(1).elementType;
  const TensorValue &first = node.input(2);
  FailureOr<int64_t> axis = normalizeAxis(node, node.getInt("axis", 0), first.rank());
  if (failed(axis) || failed(require8Bit(node, {node.input(1)})))
    return failure();
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    SmallVector<TensorValue> parts;
    for (size_t i = 2; i < node.inputCount(); i += 3) {
      FailureOr<TensorValue> numbers = dequantize(node, in[i], in[i + 1], &in[i + 2]);
      if (failed(numbers))
        return failure();
      FailureOr<TensorValue> codes = quantize(node, *numbers, in[0], &in[1], type);
      if (failed(codes))
        return failure();
      parts.push_back(*codes);
    }
    return oneOutput(concat(node, parts, *axis));
  });
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

/// Rows of a packed table [V, D], as GatherBlockQuantized has it along axis 0.
static Value embedBlocks(NodeContext &node, const CompositeInputs &in, int64_t bits, int64_t block,
                         ArrayRef<OpFoldResult> dims) {
  MLIRContext *context = node.context();
  ElementType type = in[2].elementType;
  int64_t rows = in[0].staticDim(0), columns = in[0].staticDim(1) * 8 / bits;
  SmallVector<int64_t> shape{1, block};
  SmallVector<ScaleInterface> scales;
  auto add = [&](lowp::ScaleAttr scale) {
    scales.push_back(cast<ScaleInterface>(mlir::Attribute(scale)));
  };
  SmallVector<size_t> inputs{0};
  if (in.has(3)) {
    inputs.push_back(3);
    int64_t blocks = llvm::divideCeil(columns, block);
    add(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, shape,
                             rowsOfCodes(context, bits, blocks, 1, {})));
  } else {
    add(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, std::ldexp(1.0, int(bits) - 1)));
  }
  inputs.push_back(2);
  add(lowp::ScaleAttr::get(context, lowp::Role::Multiply, shape,
                           TypeAttr::get(storageType(context, type))));
  auto packed = PackedType::get({rows, columns}, storageType(context, type),
                                rowsOfCodes(context, bits, columns, 1, scales));
  SmallVector<Value> components;
  for (auto [i, component] : llvm::zip(inputs, packed.getComponentTypes())) {
    Dims extents;
    for (int64_t extent : component.getShape())
      extents.push_back(node.dims.constant(extent));
    components.push_back(node.value(reshape(node, in[i], extents)));
  }
  Location loc = node.b.getLoc();
  Value table = AssembleOp::create(node.b, loc, packed, components);
  Value init = makeEmpty(node, type, dims);
  return EmbedOp::create(node.b, loc, init.getType(), table, node.value(in[1]), init);
}

/// Inputs: data (uint8 with `bits` packed along the last dimension), indices,
/// scales, zero points. Blocks of `block_size` along `quantize_axis` share a
/// scale.
static LogicalResult buildGatherBlockQuantized(NodeContext &node) {
  const TensorValue &data = node.input(0), &indices = node.input(1), &scales = node.input(2);
  int64_t bits = node.getInt("bits", 4), block = node.getInt("block_size", 128);
  int64_t rank = data.rank();
  FailureOr<int64_t> gatherAxis = normalizeAxis(node, node.getInt("gather_axis", 0), rank);
  FailureOr<int64_t> quantizeAxis = normalizeAxis(node, node.getInt("quantize_axis", 1), rank);
  if (failed(gatherAxis) || failed(quantizeAxis))
    return failure();
  if (data.elementType != ElementType::UInt8 || (bits != 4 && bits != 8) ||
      *quantizeAxis != rank - 1 || *gatherAxis == rank - 1)
    return node.unsupported("gathers along axis " + Twine(*gatherAxis) + " of " + describe(data) +
                            " with codes of " + Twine(bits) + " bits quantized along axis " +
                            Twine(*quantizeAxis));
  if (block < 16 || block > INT32_MAX || !isInteger(indices.elementType) ||
      !isFloat(scales.elementType) || scales.rank() != rank)
    return node.error("has block_size = " + Twine(block) + ", indices " + describe(indices) +
                      " and scales " + describe(scales));
  DimBuilder &d = node.dims;
  OpFoldResult width = d.mul(data.dims[rank - 1], d.constant(8 / bits));
  OpFoldResult blocks = d.ceilDiv(width, d.constant(block));
  for (int64_t i = 0; i < rank; ++i)
    if (failed(requireEqual(node, scales.dims[i], i == rank - 1 ? blocks : data.dims[i],
                            "has scales of extent {0}, expected {1}")))
      return failure();
  OpFoldResult zeroWidth = d.ceilDiv(d.mul(blocks, d.constant(bits)), d.constant(8));
  if (node.hasInput(3) &&
      (node.input(3).elementType != ElementType::UInt8 || node.input(3).rank() != rank ||
       failed(requireEqual(node, node.input(3).dims[rank - 1], zeroWidth,
                           "has zero points of extent {0}, expected {1}"))))
    return node.failed() ? failure() : node.error("has zero points " + describe(node.input(3)));
  OpFoldResult limit = data.dims[*gatherAxis];
  assertInRange(node, indices, d.sub(d.constant(0), limit), limit, "index");
  Dims dims(data.dims.begin(), data.dims.begin() + *gatherAxis);
  llvm::append_range(dims, indices.dims);
  dims.append(data.dims.begin() + *gatherAxis + 1, data.dims.end() - 1);
  dims.push_back(width);
  ElementType type = scales.elementType;
  bool isTable = rank == 2 && *gatherAxis == 0 && !ShapedType::isDynamic(data.staticDim(0)) &&
                 !ShapedType::isDynamic(data.staticDim(1));
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    if (isTable)
      return SmallVector<TensorValue>{
          makeValue(embedBlocks(node, in, bits, block, dims), type, dims)};
    Value codes = node.value(in[0]), ids = node.value(in[1]), factors = node.value(in[2]);
    Value zeros = in.has(3) ? node.value(in[3]) : Value();
    return SmallVector<TensorValue>{
        generate(node, type, dims, [&](ScalarMath &m, ArrayRef<Value> at) {
          Value id = m.read(ids, at.slice(*gatherAxis, indices.rank()));
          id = arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), id);
          id = m.select(m.less(id, m.index(0)), m.add(id, m.extent(limit)), id);
          SmallVector<Value> position(at.take_front(*gatherAxis));
          position.push_back(m.clamp(id, m.extent(limit)));
          position.append(at.begin() + *gatherAxis + indices.rank(), at.end());
          Value column = position.back(), group = m.div(column, m.index(block));
          auto readAt = [&](Value tensor) {
            return [&m, &position, tensor](Value byte) {
              SmallVector<Value> where = position;
              where.back() = byte;
              return m.read(tensor, where);
            };
          };
          Type wide = m.b.getF32Type();
          Value code = unpackCode(m, column, bits, readAt(codes));
          Value x = arith::UIToFPOp::create(m.b, m.loc, wide, code);
          Value zero = m.number(wide, static_cast<double>(int64_t(1) << (bits - 1)));
          if (zeros)
            zero = arith::UIToFPOp::create(m.b, m.loc, wide,
                                           unpackCode(m, group, bits, readAt(zeros)));
          Value scale = castScalar(m.b, m.loc, readAt(factors)(group), type, ElementType::Float);
          return castScalar(m.b, m.loc, m.mul(m.sub(x, zero), scale), ElementType::Float, type);
        })};
  });
}

void weft::onnx::registerContribQuantizedOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"DynamicQuantizeMatMul", 1, 3, 5, buildDynamicQuantizeMatMul},
             {"MatMulIntegerToFloat", 1, 4, 7, buildMatMulIntegerToFloat},
             {"MatMulBnb4", 1, 3, 3, buildMatMulBnb4},
             {"MatMulNBits", 1, 3, 6, buildMatMulNBits},
             {"QGemm", 1, 6, 9, buildQGemm},
             {"QLinearAdd", 1, 7, 8, buildQLinearAdd},
             {"QLinearMul", 1, 7, 8, buildQLinearMul},
             {"QLinearSigmoid", 1, 4, 5, buildQLinearSigmoid},
             {"QLinearLeakyRelu", 1, 4, 5, buildQLinearLeakyRelu},
             {"QLinearGlobalAveragePool", 1, 4, 5, buildQLinearGlobalAveragePool},
             {"QLinearConcat", 1, 5, kAnyNumber, buildQLinearConcat},
             {"GatherBlockQuantized", 1, 3, 4, buildGatherBlockQuantized},
         });
}
