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
#include "llvm/ADT/TypeSwitch.h"

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

LogicalResult weft::ssm::verifyShapes(DiscretizeOp op, ShapeChecker &shapes) {
  bool states = op.getRate() && typeOf(op.getRate()).getRank() == 2;
  StringRef rate = states ? "DN" : "D", result = states ? "BTDN" : "BTD";
  if (failed(shapes.check("delta", op.getDelta(), "BTD")) ||
      failed(shapes.check("rate", op.getRate(), rate)) ||
      failed(shapes.check("imag", op.getImag(), rate)) ||
      failed(shapes.check("bias", op.getBias(), "D")) ||
      failed(shapes.check("gate", op.getGate(), "BTD")) ||
      failed(shapes.check("offsets", op.getOffsets(), "O", IntegerType::get(op.getContext(), 32))))
    return failure();
  for (Value init : op.getInits())
    if (failed(shapes.check("result", init, result)))
      return failure();
  if (op.getOffsets() && (states || shapes.get('B') != 1))
    return op.emitOpError("expects a batch of 1 and a rate of rank 1 where there are offsets");
  if (op.getOffsets() && shapes.get('O') == 0)
    return op.emitOpError("expects at least one offset");
  return success();
}

LogicalResult DiscretizeOp::verify() {
  if (failed(verifyRule(*this)))
    return failure();
  size_t count = getImag() ? 4 : getRule() == Rule::Trapezoid ? 3 : 2;
  if (failed(verifyInitCount(*this, getInits(), count, count)))
    return failure();
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
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
  int64_t width = shapes.get('W');
  shapes.derive('G', 'B', 1);
  if (op.getOffsets()) {
    if (shapes.get('B') != 1)
      return op.emitOpError("expects a batch of 1 where offsets divide the tokens");
    if (shapes.get('O') == 0)
      return op.emitOpError("expects at least one offset");
    shapes.derive('G', 'O', 1, 1, -1);
  }
  auto i32 = IntegerType::get(op.getContext(), 32);
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

LogicalResult weft::ssm::verifyShapes(CausalConv1dOp op, ShapeChecker &shapes) {
  if (failed(shapes.check("input", op.getInput(), "BTC")) ||
      failed(shapes.check("filter", op.getFilter(), "CW")) ||
      failed(shapes.check("bias", op.getBias(), "C")) ||
      failed(shapes.check("output", op.getInits()[0], "BTC")) ||
      failed(shapes.check("offsets", op.getOffsets(), "O", IntegerType::get(op.getContext(), 32))))
    return failure();
  if (ShapedType::isDynamic(shapes.get('W')) || shapes.get('W') < 1)
    return op.emitOpError("expects a filter of static width, at least 1, got ")
           << op.getFilter().getType();
  return verifyConvStates(op, shapes);
}

LogicalResult CausalConv1dOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 2)))
    return failure();
  if (auto dilation = static_cast<int64_t>(getDilation()); dilation < 1)
    return emitOpError("expects a dilation of at least 1, got ") << dilation;
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
}

LogicalResult CausalConv1dOp::reifyResultShapes(OpBuilder &builder,
                                                ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// LongConvOp and ReduceStateOp
//===----------------------------------------------------------------------===//

LogicalResult weft::ssm::verifyShapes(LongConvOp op, ShapeChecker &shapes) {
  return success(succeeded(shapes.check("input", op.getInput(), "BTD")) &&
                 succeeded(shapes.check("filter", op.getFilter(), "DL")) &&
                 succeeded(shapes.check("skip", op.getSkip(), "D")) &&
                 succeeded(shapes.check("pre", op.getPre(), "BTD")) &&
                 succeeded(shapes.check("post", op.getPost(), "BTD")) &&
                 succeeded(shapes.check("output", op.getInits()[0], "BTD")));
}

LogicalResult LongConvOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 1)))
    return failure();
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
}

LogicalResult LongConvOp::reifyResultShapes(OpBuilder &builder,
                                            ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

LogicalResult weft::ssm::verifyShapes(ReduceStateOp op, ShapeChecker &shapes) {
  StringRef result = op.getOffsets() ? "GHKV" : "BHKV";
  if (failed(shapes.check("value", op.getValue(), "BTHV")) ||
      failed(shapes.check("key", op.getKey(), "BThK")) ||
      failed(shapes.check("weights", op.getWeights(), "BTH")) ||
      failed(shapes.check("offsets", op.getOffsets(), "O", IntegerType::get(op.getContext(), 32))))
    return failure();
  if (op.getOffsets()) {
    if (shapes.get('B') != 1)
      return op.emitOpError("expects a batch of 1 where offsets divide the tokens");
    if (shapes.get('O') == 0)
      return op.emitOpError("expects at least one offset");
    shapes.derive('G', 'O', 1, 1, -1);
  }
  return shapes.check("result", op.getInits()[0], result, sumTypeOf(op.getValue()));
}

LogicalResult ReduceStateOp::verify() {
  if (failed(verifyInitCount(*this, getInits(), 1, 1)))
    return failure();
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
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

//===----------------------------------------------------------------------===//
// Extents that only calls know
//===----------------------------------------------------------------------===//

void weft::ssm::checkExtents(Operation *op, ExtentChecks &calls) {
  ShapeChecker shapes(op, &calls);
  auto checkLead = [&](StringRef operand, Value value, Value other, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      calls.requireEqual(operand, value, i, calls.extentOf(other, i));
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case<CausalConv1dOp, ChunkApplyOp, ChunkSummaryOp, DiscretizeOp, LongConvOp, ReduceStateOp,
            ScanOp, StepOp>([&](auto op) { (void)verifyShapes(op, shapes); })
      .Case([&](SegsumOp op) {
        int64_t rank = typeOf(op.getDecay()).getRank();
        checkLead("result", op.getInits()[0], op.getDecay(), rank);
        calls.requireEqual("result", op.getInits()[0], rank,
                           calls.extentOf(op.getDecay(), rank - 1));
      })
      .Case([&](SolveTrilOp op) {
        int64_t rank = typeOf(op.getMatrix()).getRank();
        calls.requireEqual("matrix", op.getMatrix(), rank - 1,
                           calls.extentOf(op.getMatrix(), rank - 2));
        checkLead("rhs", op.getRhs(), op.getMatrix(), rank - 1);
        calls.requireShape("result", op.getInits()[0], op.getRhs());
      })
      .Case([&](ScanRegionOp op) {
        for (Value input : op.getInputs().drop_front())
          calls.requireShape("input", input, op.getInputs()[0]);
        for (Value init : op.getInits())
          calls.requireShape("result", init, op.getInputs()[0]);
      });
}
