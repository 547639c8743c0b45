//===- ContribNBits.cpp - Products with packed weights of ONNX Runtime --===//
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
#include "Frontend/ONNX/Ops/ContribQuantized.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/QuantizedMath.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

Value weft::onnx::unpackCode(ScalarMath &m, Value index, int64_t bits,
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

LeafFormatAttr weft::onnx::rowsOfCodes(MLIRContext *context, int64_t bits, int64_t columns,
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
  if (k < 1 || n < 1 || k > INT32_MAX || n > INT32_MAX)
    return node.error("has K = " + Twine(k) + " and N = " + Twine(n));
  if (block < 8 || !llvm::isPowerOf2_64(block) || block > INT32_MAX)
    return node.error("has block_size = " + Twine(block) + ", expected a power of two from 8 on");
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

void weft::onnx::registerContribNBitsOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"MatMulBnb4", 1, 3, 3, buildMatMulBnb4},
             {"MatMulNBits", 1, 3, 6, buildMatMulNBits},
         });
}
