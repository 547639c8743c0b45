//===- SSMOps.cpp - Verifiers of the operations beside recurrences --------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace weft::ssm;

#define GET_OP_CLASSES
#include "dialects/SSM/IR/SSMOps.cpp.inc"

static LogicalResult verifyInitCount(Operation *op, ValueRange inits, size_t least, size_t most) {
  if (inits.size() >= least && inits.size() <= most && inits.size() == op->getNumResults())
    return success();
  auto error = op->emitOpError("expects ") << least;
  if (most != least)
    error << " or " << most;
  return error << " inits, and as many results";
}

/// What a sum of `value`'s elements is computed in.
static Type sumTypeOf(Value value) { return computeTypeOf(typeOf(value).getElementType()); }

//===----------------------------------------------------------------------===//
// DiscretizeOp
//===----------------------------------------------------------------------===//

/// What a rule needs and takes besides delta.
static LogicalResult verifyRule(DiscretizeOp op) {
  Rule rule = op.getRule();
  std::string where = ("the rule '" + stringifyRule(rule) + "'").str();
  if (!op.getRate() && rule != Rule::ExponentialEuler)
    return op.emitOpError("needs 'rate' for ") << where;
  if (op.getImag() && rule != Rule::ZeroOrderHold && rule != Rule::Bilinear)
    return op.emitOpError("takes no 'imag' for ") << where;
  if (static_cast<bool>(op.getGate()) != (rule == Rule::Trapezoid))
    return op.emitOpError(op.getGate() ? "takes no 'gate' for " : "needs 'gate' for ") << where;
  if (op.getOffsets() && rule != Rule::RGLRU)
    return op.emitOpError("takes no 'offsets' for ") << where;
  return success();
}

LogicalResult DiscretizeOp::verify() {
  if (failed(verifyRule(*this)))
    return failure();
  size_t count = getImag() ? 4 : getRule() == Rule::Trapezoid ? 3 : 2;
  if (failed(verifyInitCount(*this, getInits(), count, count)))
    return failure();
  ShapeChecker shapes(*this);
  bool states = getRate() && typeOf(getRate()).getRank() == 2;
  StringRef rate = states ? "DN" : "D", result = states ? "BTDN" : "BTD";
  if (failed(shapes.check("delta", getDelta(), "BTD")) ||
      failed(shapes.check("rate", getRate(), rate)) ||
      failed(shapes.check("imag", getImag(), rate)) ||
      failed(shapes.check("bias", getBias(), "D")) ||
      failed(shapes.check("gate", getGate(), "BTD")) ||
      failed(shapes.check("offsets", getOffsets(), "O", IntegerType::get(getContext(), 32))))
    return failure();
  for (Value init : getInits())
    if (failed(shapes.check("result", init, result)))
      return failure();
  if (getOffsets() && (states || shapes.get('B') != 1))
    return emitOpError("expects a batch of 1 and a rate of rank 1 where there are offsets");
  if (getOffsets() && shapes.get('O') == 0)
    return emitOpError("expects at least one offset");
  return success();
}

LogicalResult DiscretizeOp::reifyResultShapes(OpBuilder &builder,
                                              ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// CausalConv1dOp
//===----------------------------------------------------------------------===//

/// The extents of states: rows and tokens.
static LogicalResult verifyConvStates(CausalConv1dOp op, ShapeChecker &shapes) {
  int64_t width = shapes.get('W'), sequences = shapes.get('B');
  if (op.getOffsets()) {
    if (sequences != 1)
      return op.emitOpError("expects a batch of 1 where offsets divide the tokens");
    int64_t bounds = shapes.get('O');
    if (bounds == 0)
      return op.emitOpError("expects at least one offset");
    sequences = ShapedType::isDynamic(bounds) ? bounds : bounds - 1;
  }
  auto i32 = IntegerType::get(op.getContext(), 32);
  shapes.set('G', sequences);
  // 128 bits: the dilation can be any number.
  __int128 history = static_cast<__int128>(width - 1) * op.getDilation();
  if (history > std::numeric_limits<int32_t>::max())
    return op.emitOpError("reaches back more than 2^31 tokens");
  shapes.set('S', static_cast<int64_t>(history));
  Value next = op.getInits().size() > 1 ? op.getInits()[1] : Value();
  Type compute = typeOf(op.getInput()).getElementType();
  if (failed(shapes.check("sources", op.getSources(), "G", i32)) ||
      failed(shapes.check("destinations", op.getDestinations(), "G", i32)) ||
      failed(shapes.check("state", op.getState(), op.getSources() ? "PSC" : "GSC", compute)) ||
      failed(shapes.check("next state", next, op.getDestinations() ? "RSC" : "GSC", compute)))
    return failure();
  if (op.getSources() && !op.getState())
    return op.emitOpError("takes 'sources' only with 'state'");
  if (op.getDestinations() && !next)
    return op.emitOpError("takes 'destinations' only with an init of the next state");
  return success();
}

LogicalResult CausalConv1dOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 2)))
    return failure();
  if (auto dilation = static_cast<int64_t>(getDilation()); dilation < 1)
    return emitOpError("expects a dilation of at least 1, got ") << dilation;
  ShapeChecker shapes(*this);
  if (failed(shapes.check("input", getInput(), "BTC")) ||
      failed(shapes.check("filter", getFilter(), "CW")) ||
      failed(shapes.check("bias", getBias(), "C")) ||
      failed(shapes.check("output", getInits()[0], "BTC")) ||
      failed(shapes.check("offsets", getOffsets(), "O", IntegerType::get(getContext(), 32))))
    return failure();
  if (ShapedType::isDynamic(shapes.get('W')) || shapes.get('W') < 1)
    return emitOpError("expects a filter of static width, at least 1, got ")
           << getFilter().getType();
  return verifyConvStates(*this, shapes);
}

LogicalResult CausalConv1dOp::reifyResultShapes(OpBuilder &builder,
                                                ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// LongConvOp and ReduceStateOp
//===----------------------------------------------------------------------===//

LogicalResult LongConvOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 1)))
    return failure();
  ShapeChecker shapes(*this);
  if (failed(shapes.check("input", getInput(), "BTD")) ||
      failed(shapes.check("filter", getFilter(), "DL")) ||
      failed(shapes.check("skip", getSkip(), "D")) ||
      failed(shapes.check("pre", getPre(), "BTD")) ||
      failed(shapes.check("post", getPost(), "BTD")) ||
      failed(shapes.check("output", getInits()[0], "BTD")))
    return failure();
  return success();
}

LogicalResult LongConvOp::reifyResultShapes(OpBuilder &builder,
                                            ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

LogicalResult ReduceStateOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 1)))
    return failure();
  ShapeChecker shapes(*this);
  StringRef result = getOffsets() ? "GHKV" : "BHKV";
  if (failed(shapes.check("value", getValue(), "BTHV")) ||
      failed(shapes.check("key", getKey(), "BThK")) ||
      failed(shapes.check("weights", getWeights(), "BTH")) ||
      failed(shapes.check("offsets", getOffsets(), "O", IntegerType::get(getContext(), 32))))
    return failure();
  if (getOffsets()) {
    if (shapes.get('B') != 1)
      return emitOpError("expects a batch of 1 where offsets divide the tokens");
    if (shapes.get('O') == 0)
      return emitOpError("expects at least one offset");
    if (!ShapedType::isDynamic(shapes.get('O')))
      shapes.set('G', shapes.get('O') - 1);
  }
  return shapes.check("result", getInits()[0], result, sumTypeOf(getValue()));
}

LogicalResult ReduceStateOp::reifyResultShapes(OpBuilder &builder,
                                               ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// SegsumOp and SolveTrilOp
//===----------------------------------------------------------------------===//

/// Checks that `type` has the `lead` extents first, then those of `last`.
static LogicalResult verifyMatrix(Operation *op, StringRef operand, Value value, Type element,
                                  ArrayRef<int64_t> lead, ArrayRef<int64_t> last) {
  RankedTensorType type = typeOf(value);
  SmallVector<int64_t> shape(lead);
  shape.append(last.begin(), last.end());
  if (type.getElementType() == element && succeeded(verifyCompatibleShape(type.getShape(), shape)))
    return success();
  return op->emitOpError("expects '")
         << operand << "' to be like " << RankedTensorType::get(shape, element) << ", got " << type;
}

LogicalResult SegsumOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 1)))
    return failure();
  RankedTensorType decay = typeOf(getDecay());
  if (decay.getRank() < 1 || !isa<FloatType>(decay.getElementType()))
    return emitOpError("expects a floating-point 'decay' of rank 1 or more, got ") << decay;
  int64_t size = decay.getShape().back();
  return verifyMatrix(*this, "result", getInits()[0], sumTypeOf(getDecay()),
                      decay.getShape().drop_back(), {size, size});
}

LogicalResult SegsumOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

LogicalResult SolveTrilOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 1)))
    return failure();
  RankedTensorType matrix = typeOf(getMatrix()), rhs = typeOf(getRhs());
  int64_t rank = matrix.getRank();
  if (rank < 2 || !isa<FloatType>(matrix.getElementType()) ||
      failed(verifyCompatibleDims(matrix.getShape().take_back(2))))
    return emitOpError("expects square floating-point matrices, got ") << matrix;
  if (rhs.getRank() != rank || !isa<FloatType>(rhs.getElementType()))
    return emitOpError("expects a floating-point 'rhs' of rank ") << rank << ", got " << rhs;
  int64_t columns = rhs.getShape().back();
  ArrayRef<int64_t> lead = matrix.getShape().drop_back();
  if (failed(verifyMatrix(*this, "rhs", getRhs(), rhs.getElementType(), lead, columns)))
    return failure();
  return verifyMatrix(*this, "result", getInits()[0], sumTypeOf(getRhs()), lead, columns);
}

LogicalResult SolveTrilOp::reifyResultShapes(OpBuilder &builder,
                                             ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// ScanRegionOp
//===----------------------------------------------------------------------===//

LogicalResult ScanRegionOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), getInputs().size(), getInputs().size())))
    return failure();
  if (getInputs().empty())
    return emitOpError("expects at least one input");
  RankedTensorType first = typeOf(getInputs()[0]);
  auto dimension = static_cast<int64_t>(getDimension());
  if (dimension < 0 || dimension >= first.getRank())
    return emitOpError("scans along dimension ") << dimension << " of " << first;
  SmallVector<Type> elements;
  for (auto [input, init, identity] : llvm::zip(getInputs(), getInits(), getIdentity())) {
    RankedTensorType type = typeOf(input);
    elements.push_back(type.getElementType());
    if (failed(verifyCompatibleShape(first, type)) ||
        failed(verifyCompatibleShape(type, init.getType())) ||
        typeOf(init).getElementType() != type.getElementType() ||
        identity.getType() != type.getElementType())
      return emitOpError("expects inputs and inits of one shape, with the elements of the "
                         "identity, got ")
             << type << ", " << init.getType() << " and " << identity.getType();
  }
  SmallVector<Type> expected(elements);
  expected.append(elements);
  if (getCombiner().getArgumentTypes() != TypeRange(expected))
    return emitOpError("expects a region of the elements of two tuples");
  auto yield = dyn_cast<YieldOp>(getCombiner().front().getTerminator());
  if (!yield || yield.getValues().getTypes() != TypeRange(elements))
    return emitOpError("expects a region that yields the elements of a tuple");
  return success();
}

LogicalResult ScanRegionOp::reifyResultShapes(OpBuilder &builder,
                                              ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

/// Whether `value` is the neutral element of sums or products.
static bool isNeutral(Value value, weft::ScanKind kind) {
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return false;
  bool sum = kind == weft::ScanKind::Sum;
  if (auto number = dyn_cast<FloatAttr>(constant))
    return number.getValue().isExactlyValue(sum ? 0.0 : 1.0);
  auto integer = dyn_cast<IntegerAttr>(constant);
  return integer && integer.getValue() == (sum ? 0 : 1);
}

/// A running sum or product is weft.scan.
LogicalResult ScanRegionOp::canonicalize(ScanRegionOp op, PatternRewriter &rewriter) {
  Block &body = op.getCombiner().front();
  if (op.getInputs().size() != 1 || !llvm::hasNItems(body, 2))
    return rewriter.notifyMatchFailure(op, "is no sum or product");
  Operation &combine = body.front();
  Value x = body.getArgument(0), y = body.getArgument(1);
  ValueRange operands = combine.getOperands();
  bool matches = (operands == ValueRange{x, y} || operands == ValueRange{y, x}) &&
                 body.getTerminator()->getOperand(0) == combine.getResult(0);
  if (!matches || !isa<arith::AddFOp, arith::MulFOp, arith::AddIOp, arith::MulIOp>(combine) ||
      typeOf(op.getInputs()[0]).getElementType().isIndex())
    return rewriter.notifyMatchFailure(op, "is no sum or product");
  weft::ScanKind kind =
      isa<arith::AddFOp, arith::AddIOp>(combine) ? weft::ScanKind::Sum : weft::ScanKind::Product;
  if (!isNeutral(op.getIdentity()[0], kind))
    return rewriter.notifyMatchFailure(op, "begins with another number");
  rewriter.replaceOpWithNewOp<weft::ScanOp>(op, op->getResultTypes(), kind, op.getInputs()[0],
                                            op.getInits()[0], op.getDimension(), op.getExclusive(),
                                            op.getReverse());
  return success();
}
