//===- WeftTensorOps.cpp - Verifiers and shapes of tensor operations ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "dialects/Weft/IR/Widening.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;

/// Whether two extents can be equal.
static bool compatible(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

/// Destination-style results have the shape of their inits.
static LogicalResult reifyInits(DestinationStyleOpInterface op, OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  for (OpOperand &init : op.getDpsInitsMutable())
    shapes.push_back(tensor::getMixedSizes(builder, op.getLoc(), init.get()));
  return success();
}

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

bool weft::widensTo(Type narrow, Type wide) {
  if (narrow == wide)
    return narrow.isSignlessInteger() || isa<FloatType>(narrow);
  bool sameKind = (narrow.isSignlessInteger() && wide.isSignlessInteger()) ||
                  (isa<FloatType>(narrow) && isa<FloatType>(wide));
  return sameKind && narrow.getIntOrFloatBitWidth() < wide.getIntOrFloatBitWidth();
}

/// An extent as messages show it.
static std::string show(int64_t extent) {
  return ShapedType::isDynamic(extent) ? "?" : std::to_string(extent);
}

//===----------------------------------------------------------------------===//
// ConvOp
//===----------------------------------------------------------------------===//

/// The result of a convolution has an element for each window that fits, that of a
/// transposed one for each position that a filter reaches.
static LogicalResult verifyWindows(ConvOp op, ShapedType input, ShapedType filter,
                                   ShapedType result) {
  for (int64_t i = 0, spatial = input.getRank() - 2; i < spatial; ++i) {
    int64_t extent = input.getDimSize(2 + i), kernel = filter.getDimSize(2 + i),
            have = result.getDimSize(2 + i);
    if (ShapedType::isDynamic(extent) || ShapedType::isDynamic(kernel) ||
        ShapedType::isDynamic(have))
      continue;
    // 128 bits: the attributes can be any numbers.
    __int128 pads = static_cast<__int128>(op.getPads()[i]) + op.getPads()[spatial + i];
    __int128 reach = static_cast<__int128>(op.getDilations()[i]) * (kernel - 1) + 1;
    __int128 stride = op.getStrides()[i];
    __int128 want = op.getTransposed()      ? stride * (extent - 1) + reach - pads
                    : extent + pads < reach ? 0
                                            : (extent + pads - reach) / stride + 1;
    if (have != std::max<__int128>(want, 0))
      return op.emitOpError("has an init of extent ")
             << have << " in spatial dimension " << i << ", expected "
             << static_cast<int64_t>(std::max<__int128>(want, 0))
             << (op.getTransposed() ? " positions" : " windows");
  }
  return success();
}

LogicalResult ConvOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getInit());
  ShapedType filter = getFilterType();
  if (hasPackedFilter() && !filter.hasStaticShape())
    return emitOpError("has a packed filter of dynamic extents");
  if (failed(verifyNoBasis(*this, getFilter())))
    return failure();
  int64_t rank = input.getRank();
  if (rank < 3 || filter.getRank() != rank || result.getRank() != rank)
    return emitOpError("expects input, filter and init of one rank >= 3, got ")
           << rank << ", " << filter.getRank() << " and " << result.getRank();
  size_t spatial = static_cast<size_t>(rank - 2);
  if (getStrides().size() != spatial || getDilations().size() != spatial ||
      getPads().size() != 2 * spatial)
    return emitOpError("expects ")
           << spatial << " strides and dilations and " << 2 * spatial << " pads";
  for (int64_t value : getStrides())
    if (value < 1)
      return emitOpError("has stride ") << value << ", expected at least 1";
  for (int64_t value : getDilations())
    if (value < 1)
      return emitOpError("has dilation ") << value << ", expected at least 1";
  int64_t groups = getGroups();
  if (groups < 1)
    return emitOpError("has ") << groups << " groups, expected at least 1";
  int64_t channels = input.getDimSize(1);
  if (!ShapedType::isDynamic(channels) && channels % groups != 0)
    return emitOpError("has ") << channels << " channels in " << groups << " groups";
  auto product = [&](int64_t extent) {
    return ShapedType::isDynamic(extent) ? extent : extent * groups;
  };
  int64_t filterChannels = filter.getDimSize(getTransposed() ? 0 : 1);
  if (!compatible(channels, getTransposed() ? filterChannels : product(filterChannels)))
    return emitOpError("has an input of ")
           << channels << " channels but a filter for "
           << (getTransposed() ? filterChannels : product(filterChannels));
  int64_t outputs = filter.getDimSize(getTransposed() ? 1 : 0);
  if (!compatible(result.getDimSize(1), getTransposed() ? product(outputs) : outputs))
    return emitOpError("has an init of ") << result.getDimSize(1) << " channels but a filter for "
                                          << (getTransposed() ? product(outputs) : outputs);
  int64_t resultChannels = result.getDimSize(1);
  if (!ShapedType::isDynamic(resultChannels) && resultChannels % groups != 0)
    return emitOpError("has ") << resultChannels << " outputs in " << groups << " groups";
  if (!compatible(result.getDimSize(0), input.getDimSize(0)))
    return emitOpError("has input and init of different batch");
  if (failed(verifyWindows(*this, input, filter, result)))
    return failure();
  for (Type element : {input.getElementType(), filter.getElementType()})
    if (!widensTo(element, result.getElementType()))
      return emitOpError("has elements of type ")
             << element << " for a result of " << result.getElementType();
  if (getResult().getType() != result)
    return emitOpError("result type differs from the init's");
  return success();
}

LogicalResult ConvOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// EmbedOp
//===----------------------------------------------------------------------===//

LogicalResult EmbedOp::verify() {
  auto table = cast<ShapedType>(getTable().getType());
  RankedTensorType ids = typeOf(getIds()), result = typeOf(getInit());
  if (isa<PackedType>(table) && !table.hasStaticShape())
    return emitOpError("has a packed table of dynamic extents");
  if (failed(verifyNoBasis(*this, getTable())))
    return failure();
  if (table.getRank() < 1)
    return emitOpError("expects a table of rank >= 1, got 0");
  if (!ids.getElementType().isSignlessInteger())
    return emitOpError("expects integer ids, got ") << ids;
  int64_t rank = ids.getRank() + table.getRank() - 1;
  if (result.getRank() != rank)
    return emitOpError("expects an init of rank ") << rank << ", got " << result.getRank();
  for (int64_t i = 0; i < rank; ++i) {
    int64_t want = i < ids.getRank() ? ids.getDimSize(i) : table.getDimSize(i - ids.getRank() + 1);
    if (!compatible(result.getDimSize(i), want))
      return emitOpError("has an init of extent ")
             << result.getDimSize(i) << " in dimension " << i << ", expected " << want;
  }
  if (!widensTo(table.getElementType(), result.getElementType()))
    return emitOpError("has numbers of type ")
           << table.getElementType() << " for a result of " << result.getElementType();
  if (getResult().getType() != result)
    return emitOpError("result type differs from the init's");
  return success();
}

LogicalResult EmbedOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// GatherOp and ScatterOp
//===----------------------------------------------------------------------===//

/// `slices` has the extents of the index tuples, then those of `data` from
/// dimension `rest` on.
static LogicalResult verifySlices(Operation *op, StringRef name, RankedTensorType slices,
                                  RankedTensorType indices, RankedTensorType data, int64_t rest) {
  int64_t rows = indices.getRank() - 1;
  for (int64_t i = 0; i < slices.getRank(); ++i) {
    int64_t want = i < rows ? indices.getDimSize(i) : data.getDimSize(rest + i - rows);
    if (!compatible(slices.getDimSize(i), want))
      return op->emitOpError("expects ") << name << " of extent " << want << " in dimension " << i
                                         << ", got " << slices.getDimSize(i);
  }
  return success();
}

LogicalResult GatherOp::verify() {
  RankedTensorType data = typeOf(getData()), indices = typeOf(getIndices()),
                   result = typeOf(getInit());
  int64_t batch = getBatchDims();
  if (indices.getRank() < 1 || !indices.getElementType().isSignlessInteger())
    return emitOpError("expects integer indices of rank >= 1, got ") << indices;
  int64_t tuple = indices.getDimSize(indices.getRank() - 1);
  if (ShapedType::isDynamic(tuple))
    return emitOpError("expects index tuples of static size");
  if (batch < 0 || batch > indices.getRank() - 1 || batch + tuple > data.getRank())
    return emitOpError("has ") << batch << " batch dimensions and tuples of " << tuple
                               << " for data of rank " << data.getRank();
  int64_t rank = indices.getRank() - 1 + data.getRank() - batch - tuple;
  if (result.getRank() != rank)
    return emitOpError("expects an init of rank ") << rank << ", got " << result.getRank();
  for (int64_t i = 0; i < batch; ++i)
    if (!compatible(data.getDimSize(i), indices.getDimSize(i)))
      return emitOpError("data and indices differ in batch dimension ")
             << i << ": " << show(data.getDimSize(i)) << " and " << show(indices.getDimSize(i));
  if (failed(verifySlices(*this, "init", result, indices, data, batch + tuple)))
    return failure();
  if (result.getElementType() != data.getElementType() || getResult().getType() != result)
    return emitOpError("data, init and result differ in type");
  return success();
}

LogicalResult GatherOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

LogicalResult ScatterOp::verify() {
  RankedTensorType indices = typeOf(getIndices()), updates = typeOf(getUpdates()),
                   result = typeOf(getInit());
  if (indices.getRank() < 1 || !indices.getElementType().isSignlessInteger())
    return emitOpError("expects integer indices of rank >= 1, got ") << indices;
  int64_t tuple = indices.getDimSize(indices.getRank() - 1);
  if (ShapedType::isDynamic(tuple) || tuple > result.getRank())
    return emitOpError("expects index tuples of static size up to the rank of "
                       "the init, ")
           << result.getRank();
  int64_t rank = indices.getRank() - 1 + result.getRank() - tuple;
  if (updates.getRank() != rank)
    return emitOpError("expects updates of rank ") << rank << ", got " << updates.getRank();
  if (failed(verifySlices(*this, "updates", updates, indices, result, tuple)))
    return failure();
  Type element = result.getElementType();
  Block &block = getCombiner().front();
  if (updates.getElementType() != element || getResult().getType() != result ||
      block.getNumArguments() != 2 || block.getArgument(0).getType() != element ||
      block.getArgument(1).getType() != element)
    return emitOpError("updates, init, result and combiner differ in type");
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getNumOperands() != 1 || yield.getOperand(0).getType() != element)
    return emitOpError("has a combiner that does not yield one ") << element;
  return success();
}

LogicalResult ScatterOp::reifyResultShapes(OpBuilder &builder,
                                           ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// ScanOp
//===----------------------------------------------------------------------===//

LogicalResult ScanOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getInit());
  auto dimension = static_cast<int64_t>(getDimension());
  if (dimension < 0 || dimension >= input.getRank())
    return emitOpError("scans along dimension ")
           << getDimension() << " of a tensor of rank " << input.getRank();
  if (!input.getElementType().isIntOrFloat())
    return emitOpError("expects numbers, got ") << input;
  if (result.getRank() != input.getRank() || result.getElementType() != input.getElementType() ||
      getResult().getType() != result)
    return emitOpError("input, init and result differ in type");
  for (int64_t i = 0; i < input.getRank(); ++i)
    if (!compatible(input.getDimSize(i), result.getDimSize(i)))
      return emitOpError("input and init differ in dimension ") << i;
  return success();
}

LogicalResult ScanOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// SortOp and NonZeroOp
//===----------------------------------------------------------------------===//

MutableOperandRange SortOp::getDpsInitsMutable() {
  return MutableOperandRange(*this, /*start=*/1, /*length=*/2);
}

LogicalResult SortOp::verify() {
  RankedTensorType input = typeOf(getInput()), values = typeOf(getValuesInit()),
                   indices = typeOf(getIndicesInit());
  auto dimension = static_cast<int64_t>(getDimension());
  if (dimension < 0 || dimension >= input.getRank())
    return emitOpError("sorts along dimension ")
           << getDimension() << " of a tensor of rank " << input.getRank();
  if (!isa<FloatType>(input.getElementType()) && !input.getElementType().isSignlessInteger())
    return emitOpError("expects numbers, got ") << input;
  if (!indices.getElementType().isInteger(64))
    return emitOpError("expects positions of type i64, got ") << indices;
  if (values.getElementType() != input.getElementType())
    return emitOpError("input and values differ in element type");
  if (failed(verifyCompatibleShape(values.getShape(), indices.getShape())) ||
      values.getRank() != input.getRank())
    return emitOpError("expects values and positions of one shape and of the "
                       "input's rank");
  for (int64_t i = 0; i < input.getRank(); ++i)
    if (i != dimension && !compatible(input.getDimSize(i), values.getDimSize(i)))
      return emitOpError("input and values differ in dimension ") << i;
  int64_t extent = input.getDimSize(getDimension()), kept = values.getDimSize(getDimension());
  if (!ShapedType::isDynamic(extent) && !ShapedType::isDynamic(kept) && kept > extent)
    return emitOpError("keeps ") << kept << " of " << extent << " elements";
  if (getValues().getType() != values || getIndices().getType() != indices)
    return emitOpError("result types differ from the inits'");
  return success();
}

LogicalResult SortOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

MutableOperandRange NonZeroOp::getDpsInitsMutable() {
  return MutableOperandRange(*this, /*start=*/1, /*length=*/2);
}

LogicalResult NonZeroOp::verify() {
  RankedTensorType indices = typeOf(getIndicesInit()), count = typeOf(getCountInit());
  if (!indices.getElementType().isInteger(64) || indices.getRank() != 2 ||
      !compatible(indices.getDimSize(0), typeOf(getInput()).getRank()))
    return emitOpError("expects indices of type tensor<")
           << typeOf(getInput()).getRank() << "x?xi64>, got " << indices;
  RankedTensorType input = typeOf(getInput());
  if (!isa<FloatType>(input.getElementType()) && !input.getElementType().isSignlessInteger())
    return emitOpError("expects numbers, got ") << input;
  if (input.hasStaticShape() && !compatible(indices.getDimSize(1), input.getNumElements()))
    return emitOpError("expects indices with ")
           << input.getNumElements() << " columns, got " << indices.getDimSize(1);
  if (!count.getElementType().isInteger(64) || count.getRank() != 0)
    return emitOpError("expects a count of type tensor<i64>, got ") << count;
  if (getIndices().getType() != indices || getCount().getType() != count)
    return emitOpError("result types differ from the inits'");
  return success();
}

LogicalResult NonZeroOp::reifyResultShapes(OpBuilder &builder,
                                           ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}
