//===- ContribGatherQuantized.cpp - Lookups in quantized tables ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/Ops/CompositeInputs.h"
#include "Frontend/ONNX/Ops/Contrib.h"
#include "Frontend/ONNX/Ops/ContribQuantized.h"
#include "Frontend/ONNX/Ops/Families.h"
#include "Frontend/ONNX/Ops/QuantizedMath.h"
#include "Frontend/ONNX/PackedOps.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

namespace {
/// A table of codes in which blocks along an axis share a scale and a zero point.
struct BlockTable {
  ElementType elementType; ///< uint8: codes of `bits` bits, along the last dimension
  int64_t bits, block, gatherAxis, quantizeAxis;
  Dims dims;     ///< of the numbers
  Dims scales;   ///< an element for each block
  Dims zeros;    ///< of the codes of zero points, with those that fill bytes up
  Dims gathered; ///< of the result

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  bool isBytes() const { return elementType == ElementType::UInt8; }
  /// Whether what is gathered are rows of a table whose extents are known.
  bool isEmbedding() const;
  Outputs embed(NodeContext &node, const CompositeInputs &in) const;
  /// One element after the other, along any axes.
  TensorValue gather(NodeContext &node, const CompositeInputs &in) const;

private:
  FailureOr<Value> packTable(NodeContext &node, const CompositeInputs &in) const;
  Value packRows(NodeContext &node, const CompositeInputs &in) const;
  Value numberOf(ScalarMath &m, Value code) const;
};
} // namespace

bool BlockTable::isEmbedding() const {
  bool isStatic =
      llvm::all_of(dims, [](OpFoldResult dim) { return DimBuilder::constantOf(dim).has_value(); });
  return gatherAxis == 0 && isStatic && (!isBytes() || (rank() == 2 && quantizeAxis == 1));
}

/// Rows of bytes as packed table [V, D].
Value BlockTable::packRows(NodeContext &node, const CompositeInputs &in) const {
  MLIRContext *context = node.context();
  ElementType type = in[2].elementType;
  int64_t rows = *DimBuilder::constantOf(dims[0]), columns = *DimBuilder::constantOf(dims[1]);
  SmallVector<int64_t> shape{1, block};
  SmallVector<ScaleInterface> levels;
  auto add = [&](lowp::ScaleAttr scale) {
    levels.push_back(cast<ScaleInterface>(mlir::Attribute(scale)));
  };
  SmallVector<size_t> inputs{0};
  if (in.has(3)) {
    inputs.push_back(3);
    add(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, shape,
                             rowsOfCodes(context, bits, llvm::divideCeil(columns, block), 1, {})));
  } else {
    add(lowp::ScaleAttr::get(context, lowp::Role::ZeroPoint, std::ldexp(1.0, int(bits) - 1)));
  }
  inputs.push_back(2);
  add(lowp::ScaleAttr::get(context, lowp::Role::Multiply, shape,
                           TypeAttr::get(storageType(context, type))));
  auto packed = PackedType::get({rows, columns}, storageType(context, type),
                                rowsOfCodes(context, bits, columns, 1, levels));
  SmallVector<Value> components;
  for (auto [i, component] : llvm::zip(inputs, packed.getComponentTypes())) {
    Dims extents;
    for (int64_t extent : component.getShape())
      extents.push_back(node.dims.constant(extent));
    components.push_back(node.value(reshape(node, in[i], extents)));
  }
  return AssembleOp::create(node.b, node.b.getLoc(), packed, components);
}

FailureOr<Value> BlockTable::packTable(NodeContext &node, const CompositeInputs &in) const {
  if (isBytes())
    return packRows(node, in);
  QuantParameters parameters{in[2], std::nullopt, quantizeAxis, block};
  if (in.has(3))
    parameters.zeroPoint = in[3];
  FailureOr<TensorValue> numbers = unpackQuantized(node, in[0], parameters, in[2].elementType);
  if (failed(numbers))
    return failure();
  return numbers->value.getDefiningOp<UnpackOp>().getPacked();
}

Outputs BlockTable::embed(NodeContext &node, const CompositeInputs &in) const {
  FailureOr<Value> table = packTable(node, in);
  if (failed(table))
    return failure();
  ElementType type = in[2].elementType;
  Value init = makeEmpty(node, type, gathered);
  Value rows =
      EmbedOp::create(node.b, node.b.getLoc(), init.getType(), *table, node.value(in[1]), init);
  return SmallVector<TensorValue>{makeValue(rows, type, gathered)};
}

/// The bytes of a tensor of codes, as a vector.
static Value bytesOf(NodeContext &node, const TensorValue &codes) {
  if (isPacked(codes.elementType))
    return componentOf(node, packValue(node, codes));
  return node.value(reshape(node, codes, {node.dims.product(codes.dims)}));
}

/// The number of a position in row-major order.
static Value linearize(ScalarMath &m, ArrayRef<Value> position, ArrayRef<OpFoldResult> dims) {
  Value index = m.index(0);
  for (auto [at, extent] : llvm::zip_equal(position, dims))
    index = m.add(m.mul(index, m.extent(extent)), at);
  return index;
}

/// A code of `bits` bits as i32.
Value BlockTable::numberOf(ScalarMath &m, Value code) const {
  Type i32 = m.b.getI32Type();
  code = arith::ExtUIOp::create(m.b, m.loc, i32, code);
  if (isUnsigned(elementType))
    return code;
  Value shift = makeIntScalar(m.b, m.loc, i32, 32 - bits);
  code = arith::ShLIOp::create(m.b, m.loc, code, shift);
  return arith::ShRSIOp::create(m.b, m.loc, code, shift);
}

TensorValue BlockTable::gather(NodeContext &node, const CompositeInputs &in) const {
  ElementType type = in[2].elementType;
  Value codes = bytesOf(node, in[0]), ids = node.value(in[1]), factors = node.value(in[2]);
  Value points = in.has(3) ? bytesOf(node, in[3]) : Value();
  int64_t indexRank = in[1].rank();
  return generate(node, type, gathered, [&](ScalarMath &m, ArrayRef<Value> at) {
    auto codeAt = [&](Value bytes, ArrayRef<Value> position, const Dims &extents) {
      return numberOf(m, unpackCode(m, linearize(m, position, extents), bits,
                                    [&](Value byte) { return m.read(bytes, byte); }));
    };
    Value id = m.read(ids, at.slice(gatherAxis, indexRank));
    id = arith::IndexCastOp::create(m.b, m.loc, m.b.getIndexType(), id);
    id = m.select(m.less(id, m.index(0)), m.add(id, m.extent(dims[gatherAxis])), id);
    SmallVector<Value> position(at.take_front(gatherAxis));
    position.push_back(m.clamp(id, m.extent(dims[gatherAxis])));
    position.append(at.begin() + gatherAxis + indexRank, at.end());
    Value code = codeAt(codes, position, dims);
    position[quantizeAxis] = m.div(position[quantizeAxis], m.index(block));
    if (points)
      code = m.sub(code, codeAt(points, position, zeros));
    else if (isBytes())
      code = m.sub(code, makeIntScalar(m.b, m.loc, m.b.getI32Type(), int64_t(1) << (bits - 1)));
    Value number = arith::SIToFPOp::create(m.b, m.loc, m.b.getF32Type(), code);
    Value scale = castScalar(m.b, m.loc, m.read(factors, position), type, ElementType::Float);
    return castScalar(m.b, m.loc, m.mul(number, scale), ElementType::Float, type);
  });
}

/// Checks the attributes and the extents that do not follow from each other.
static FailureOr<BlockTable> readBlockTable(NodeContext &node) {
  const TensorValue &data = node.input(0), &indices = node.input(1), &scales = node.input(2);
  BlockTable table;
  table.elementType = data.elementType;
  table.bits = node.getInt("bits", 4);
  table.block = node.getInt("block_size", 128);
  int64_t rank = data.rank();
  FailureOr<int64_t> gatherAxis = normalizeAxis(node, node.getInt("gather_axis", 0), rank);
  FailureOr<int64_t> quantizeAxis = normalizeAxis(node, node.getInt("quantize_axis", 1), rank);
  if (failed(gatherAxis) || failed(quantizeAxis))
    return failure();
  table.gatherAxis = *gatherAxis, table.quantizeAxis = *quantizeAxis;
  bool isNibbles = data.elementType == ElementType::Int4 || data.elementType == ElementType::UInt4;
  if (!isNibbles && !table.isBytes())
    return node.unsupported("has a table " + describe(data) + ", expected int4, uint4 or uint8");
  if (isNibbles ? table.bits != 4 : !llvm::is_contained({2, 4, 8}, table.bits))
    return node.error("has codes of " + Twine(table.bits) + " bits in a table " + describe(data));
  if (table.block < 16 || !llvm::isPowerOf2_64(table.block) || table.block > INT32_MAX)
    return node.error("has block_size = " + Twine(table.block) +
                      ", expected a power of two from 16 on");
  if (!isInteger(indices.elementType) || !isFloat(scales.elementType) || scales.rank() != rank)
    return node.error("has indices " + describe(indices) + " and scales " + describe(scales));
  bool sharesBytes = table.isBytes() && table.bits != 8;
  int64_t last = rank - 1;
  if (sharesBytes && (*gatherAxis == last || (node.hasInput(3) && *quantizeAxis != last)))
    return node.unsupported("gathers along axis " + Twine(*gatherAxis) + " of " + describe(data) +
                            " with codes of " + Twine(table.bits) + " bits quantized along axis " +
                            Twine(*quantizeAxis));
  DimBuilder &d = node.dims;
  table.dims = data.dims;
  OpFoldResult perByte = d.constant(sharesBytes ? 8 / table.bits : 1);
  table.dims[last] = d.mul(table.dims[last], perByte);
  table.scales = table.dims;
  table.scales[*quantizeAxis] = d.ceilDiv(table.dims[*quantizeAxis], d.constant(table.block));
  Dims zeroBytes = table.scales;
  zeroBytes[last] = d.ceilDiv(zeroBytes[last], perByte);
  table.zeros = zeroBytes;
  table.zeros[last] = d.mul(zeroBytes[last], perByte);
  for (int64_t i = 0; i < rank; ++i)
    if (failed(requireEqual(node, scales.dims[i], table.scales[i],
                            "has scales of extent {0}, expected {1}")))
      return failure();
  if (node.hasInput(3)) {
    const TensorValue &points = node.input(3);
    if (points.elementType != data.elementType || points.rank() != rank)
      return node.error("has zero points " + describe(points));
    for (int64_t i = 0; i < rank; ++i)
      if (failed(requireEqual(node, points.dims[i], zeroBytes[i],
                              "has zero points of extent {0}, expected {1}")))
        return failure();
  }
  table.gathered.assign(table.dims.begin(), table.dims.begin() + *gatherAxis);
  llvm::append_range(table.gathered, indices.dims);
  table.gathered.append(table.dims.begin() + *gatherAxis + 1, table.dims.end());
  return table;
}

/// Inputs: data (int4, uint4, or uint8 with codes of `bits` bits along the last dimension),
/// indices, scales, zero points: 0 for int4 and uint4 where there are none, else the middle of
/// the codes. Blocks of `block_size` along `quantize_axis` share a scale.
static LogicalResult buildGatherBlockQuantized(NodeContext &node) {
  FailureOr<BlockTable> table = readBlockTable(node);
  if (failed(table))
    return failure();
  OpFoldResult limit = table->dims[table->gatherAxis];
  assertInRange(node, node.input(1), node.dims.sub(node.dims.constant(0), limit), limit, "index");
  return buildComposite(node, [&](const CompositeInputs &in) -> Outputs {
    if (table->isEmbedding())
      return table->embed(node, in);
    return SmallVector<TensorValue>{table->gather(node, in)};
  });
}
void weft::onnx::registerContribGatherQuantizedOps(Registrar &registrar) {
  addOps(registrar, kMicrosoftDomain,
         {
             {"GatherBlockQuantized", 1, 3, 4, buildGatherBlockQuantized},
         });
}
