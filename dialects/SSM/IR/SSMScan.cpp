//===- SSMScan.cpp - Verifiers of affine recurrences ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace weft::ssm;

/// Substeps, reads and pairs of a token: more would make a kernel of endless code.
static constexpr int64_t kMaxUnrolled = 64;

//===----------------------------------------------------------------------===//
// What a configuration takes
//===----------------------------------------------------------------------===//

/// Fails unless `value` is there exactly if it is needed.
static LogicalResult require(Operation *op, StringRef operand, Value value, bool needed,
                             const Twine &where) {
  if (static_cast<bool>(value) == needed)
    return success();
  return op->emitOpError(needed ? "needs '" : "takes no '") << operand << "' for " << where;
}

static bool isComplex(Transition transition) {
  return transition == Transition::ComplexDiagonal || transition == Transition::Rotation;
}

static bool erases(Transition transition) {
  return transition == Transition::Householder || transition == Transition::DiagonalPlusLowRank;
}

template <typename OpTy> static LogicalResult verifyOperands(OpTy op) {
  Transition transition = op.getTransition();
  std::string where = ("the transition '" + stringifyTransition(transition) + "'").str();
  bool erase = erases(transition), mayErase = !erase && transition != Transition::Rotation;
  if (failed(require(op, "angle", op.getAngle(), isComplex(transition), where)) ||
      failed(require(op, "alpha", op.getAlpha(), erase, where)) ||
      failed(require(op, "beta", op.getBeta(), erase, where)) ||
      failed(require(op, "matrix", op.getMatrix(),
                     transition == Transition::DenseLTI || transition == Transition::Dense, where)))
    return failure();
  bool decays = transition == Transition::Scalar || transition == Transition::Diagonal ||
                transition == Transition::ComplexDiagonal;
  if (decays && !op.getDecay() && !op.getRate())
    return op->emitOpError("needs 'decay' or 'rate' for ") << where;
  if (!decays && mayErase && (op.getDecay() || op.getRate()))
    return op->emitOpError("takes no 'decay' or 'rate' for ") << where;
  if (op.getLinear() && op.getRate())
    return op->emitOpError("takes no 'rate' where decays are linear");
  if (op.getState() == State::Vector &&
      failed(require(op, "key", op.getKey(), false, "a state that is a vector")))
    return failure();
  if (op.getBonus() &&
      (op.getRead() != Read::Pre || !op.getKey() || !op.getQuery() || op.getSubsteps() != 1))
    return op->emitOpError("takes 'bonus' only with a query, one key a token and read = pre");
  return success();
}

template <typename OpTy> static LogicalResult verifyNumbers(OpTy op) {
  for (auto [name, value] : {std::pair<StringRef, int64_t>("rank", op.getRank()),
                             std::pair<StringRef, int64_t>("substeps", op.getSubsteps()),
                             std::pair<StringRef, int64_t>("reads", op.getReads())})
    if (value < 1 || value > kMaxUnrolled)
      return op->emitOpError("expects ")
             << name << " in [1, " << kMaxUnrolled << "], got " << value;
  if (op.getRank() != 1 && op.getTransition() != Transition::DiagonalPlusLowRank)
    return op->emitOpError("has a rank only for the transition 'diag_plus_lowrank'");
  if (op.getReads() != 1 && !op.getQuery())
    return op->emitOpError("has several reads only with a query");
  if (op.getSubsteps() != 1 && op.getTransition() == Transition::DiagonalPlusLowRank)
    return op->emitOpError("has no substeps for the transition 'diag_plus_lowrank'");
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// The rank of the decay says whether it is a head's or a row's.
template <typename OpTy> static LogicalResult verifyDecays(OpTy op, ShapeChecker &shapes) {
  Transition transition = op.getTransition();
  for (auto [name, value, lead] :
       {std::tuple<StringRef, Value, int64_t>("decay", op.getDecay(), 3),
        std::tuple<StringRef, Value, int64_t>("rate", op.getRate(), 1)}) {
    if (!value)
      continue;
    int64_t rank = typeOf(value).getRank();
    bool rows = rank == lead + 1;
    if (transition == Transition::Scalar || transition == Transition::Rotation)
      rows = false;
    if (transition == Transition::ComplexDiagonal ||
        (transition == Transition::Diagonal && !op.getRate()) ||
        (transition == Transition::Diagonal && !op.getDecay()))
      rows = true;
    std::string dims = lead == 3 ? "btH" : "H";
    if (rows)
      dims += transition == Transition::ComplexDiagonal ? "P" : "K";
    if (failed(shapes.check(name, value, dims)))
      return failure();
  }
  return success();
}

template <typename OpTy> static LogicalResult verifyOperandShapes(OpTy op, ShapeChecker &shapes) {
  bool isVector = op.getState() == State::Vector;
  Type compute = computeTypeOf(typeOf(op.getValue()).getElementType());
  if (op.getInits().size() < 2)
    return op->emitOpError("expects inits of the output and of the state");
  Value output = op.getInits()[0], final = op.getInits()[1];
  shapes.set('B', output, 0);
  shapes.set('T', output, 1, op.getReads());
  if (failed(shapes.check("final", final, isVector ? "RHK" : "RHKV", compute)))
    return failure();
  shapes.derive('S', 'T', op.getSubsteps());
  shapes.derive('E', 'T',
                op.getTransition() == Transition::Householder ? op.getSubsteps() : op.getRank());
  shapes.derive('Q', 'T', op.getReads());
  int64_t heads = shapes.get('H'), rows = shapes.get('K');
  if (isComplex(op.getTransition())) {
    if (ShapedType::isDynamic(rows) || rows % 2 != 0)
      return op->emitOpError("expects states of pairs of rows, got ") << final.getType();
    shapes.derive('P', 'K', 1, 2);
  }
  if (op.getQuery()) {
    RankedTensorType query = typeOf(op.getQuery());
    int64_t queryHeads = query.getRank() == 4 ? query.getDimSize(2) : ShapedType::kDynamic;
    bool isKnown = !ShapedType::isDynamic(queryHeads) && !ShapedType::isDynamic(heads);
    bool grouped = isKnown && queryHeads > heads;
    if (grouped && (heads == 0 || queryHeads % heads != 0))
      return op->emitOpError("has ")
             << queryHeads << " heads of queries, no multiple of the " << heads << " of the state";
    StringRef letters = grouped ? "bqGK" : isKnown ? "bqhK" : "bqXK";
    if (failed(shapes.check("query", op.getQuery(), letters)))
      return failure();
    if (!isKnown)
      shapes.relateHeads("query", op.getQuery(), 2);
    else if (!grouped)
      shapes.derive('G', 'H', 1);
    if (failed(shapes.check("output", output, isVector ? "BQG" : "BQGV")))
      return failure();
  } else if (failed(shapes.check("output", output, isVector ? "BTHK" : "BTHKV"))) {
    return failure();
  }
  StringRef value = isVector ? "bsHK" : op.getKey() ? "bsHV" : "bsHKV";
  if (failed(shapes.check("value", op.getValue(), value)) ||
      failed(shapes.check("key", op.getKey(), "bshK")) || failed(verifyDecays(op, shapes)) ||
      failed(shapes.check("angle", op.getAngle(), "bthP")) ||
      failed(shapes.check("alpha", op.getAlpha(), "behK")) ||
      failed(shapes.check("beta", op.getBeta(), "behK")) ||
      failed(shapes.check("matrix", op.getMatrix(),
                          op.getTransition() == Transition::Dense ? "bthKK" : "hKK")) ||
      failed(shapes.check("bonus", op.getBonus(), "hK")) ||
      failed(shapes.check("initial", op.getInitial(), isVector ? "IHK" : "IHKV", compute)))
    return failure();
  return success();
}

/// The rows of states: those of `initial` and of the result are as many as there
/// are sequences ('N'), unless slots name them.
template <typename OpTy>
static LogicalResult verifyRows(OpTy op, ShapeChecker &shapes, int64_t directions) {
  auto i32 = IntegerType::get(op->getContext(), 32);
  if (failed(shapes.check("sources", op.getSources(), "N", i32)) ||
      failed(shapes.check("destinations", op.getDestinations(), "N", i32)))
    return failure();
  if (shapes.get('T') == 0 && (op.getSources() || op.getDestinations()))
    return op->emitOpError("expects tokens where slots are given");
  if (op.getSources() && !op.getInitial())
    return op->emitOpError("takes 'sources' only with 'initial'");
  shapes.derive('M', 'N', directions);
  int64_t rows = shapes.get('M');
  auto differs = [&](int64_t have) {
    return !ShapedType::isDynamic(have) && !ShapedType::isDynamic(rows) && have != rows;
  };
  for (auto [name, value, slots] :
       {std::tuple<StringRef, Value, Value>("initial", op.getInitial(), op.getSources()),
        std::tuple<StringRef, Value, Value>("final", op.getInits()[1], op.getDestinations())})
    if (value && !slots && differs(typeOf(value).getDimSize(0)))
      return op->emitOpError("expects '")
             << name << "' to have " << rows << " rows, got " << value.getType();
    else if (value && !slots)
      shapes.checkRows(name, value, 'M');
  return success();
}

/// The output has a batch, and tokens times `reads`.
template <typename OpTy> static LogicalResult verifyOutput(OpTy op) {
  if (op.getInits().size() < 2)
    return op->emitOpError("expects inits of the output and of the state");
  RankedTensorType output = typeOf(op.getInits()[0]);
  if (output.getRank() < 3)
    return op->emitOpError("expects an output of rank 3 to 5, got ") << output;
  int64_t tokens = output.getDimSize(1);
  if (!ShapedType::isDynamic(tokens) && op.getReads() > 0 && tokens % op.getReads() != 0)
    return op->emitOpError("has ") << tokens << " outputs, no multiple of its reads";
  return success();
}

//===----------------------------------------------------------------------===//
// ScanOp
//===----------------------------------------------------------------------===//

/// What only scans have: sequences, directions, checkpoints.
static LogicalResult verifySequences(ScanOp op, ShapeChecker &shapes) {
  auto i32 = IntegerType::get(op->getContext(), 32);
  bool bidirectional = op.getDirection() == Direction::Bidirectional;
  shapes.set('O', ShapedType::kDynamic);
  if (failed(shapes.check("offsets", op.getOffsets(), "O", i32)) ||
      failed(shapes.check("order", op.getOrder(), "T", i32)))
    return failure();
  shapes.derive('N', 'B', 1);
  if (op.getOffsets()) {
    if (shapes.get('B') != 1)
      return op->emitOpError("expects a batch of 1 where offsets divide the tokens");
    if (shapes.get('O') == 0)
      return op->emitOpError("expects at least one offset");
    shapes.derive('N', 'O', 1, 1, -1);
  }
  if (bidirectional && (op.getSources() || op.getDestinations()))
    return op->emitOpError("takes no slots in both directions");
  if (bidirectional && op.getEmit() != Emit::Last)
    return op->emitOpError("emits no checkpoints in both directions");
  if (static_cast<int64_t>(op.getChunk()) < 0)
    return op->emitOpError("expects a chunk of at least 0 tokens, got ")
           << static_cast<int64_t>(op.getChunk());
  return verifyRows(op, shapes, bidirectional ? 2 : 1);
}

static LogicalResult verifyCheckpoints(ScanOp op, ShapeChecker &shapes) {
  bool emits = op.getEmit() != Emit::Last;
  if (op.getInits().size() != (emits ? 3 : 2) || static_cast<bool>(op.getCheckpoints()) != emits)
    return op->emitOpError("expects a third init and result exactly if it emits checkpoints");
  if (!emits)
    return success();
  int64_t count = op.getCount();
  if (count < 1)
    return op->emitOpError("expects a count of at least 1, got ") << count;
  bool every = op.getEmit() == Emit::Every;
  if (every)
    shapes.derive('C', 'T', 1, count);
  else
    shapes.set('C', count);
  shapes.derive('F', every || !op.getOffsets() ? 'B' : 'N', 1);
  return shapes.check("checkpoints", op.getInits()[2],
                      op.getState() == State::Vector ? "FCHK" : "FCHKV",
                      typeOf(op.getInits()[1]).getElementType());
}

LogicalResult weft::ssm::verifyShapes(ScanOp op, ShapeChecker &shapes) {
  if (failed(verifyOperandShapes(op, shapes)) || failed(verifySequences(op, shapes)))
    return failure();
  return verifyCheckpoints(op, shapes);
}

LogicalResult ScanOp::verify() {
  if (failed(verifyOutput(*this)) || failed(verifyNumbers(*this)) || failed(verifyOperands(*this)))
    return failure();
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
}

LogicalResult ScanOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

/// A scan of one token is a step, in either direction.
LogicalResult ScanOp::canonicalize(ScanOp op, PatternRewriter &rewriter) {
  RankedTensorType output = typeOf(op.getInits()[0]);
  if (output.getDimSize(1) != static_cast<int64_t>(op.getReads()) || op.getOffsets() ||
      op.getOrder() || op.getDirection() == Direction::Bidirectional || op.getEmit() != Emit::Last)
    return rewriter.notifyMatchFailure(op, "has more than one token, or several sequences");
  auto step =
      StepOp::create(rewriter, op.getLoc(), op->getResultTypes(), op.getState(), op.getTransition(),
                     op.getQuery(), op.getKey(), op.getValue(), op.getDecay(), op.getRate(),
                     op.getAngle(), op.getAlpha(), op.getBeta(), op.getMatrix(), op.getBonus(),
                     op.getInitial(), op.getSources(), op.getDestinations(), op.getInits(),
                     op.getRead(), op.getLinear(), op.getRank(), op.getSubsteps(), op.getReads());
  step->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  rewriter.replaceOp(op, step);
  return success();
}

//===----------------------------------------------------------------------===//
// StepOp
//===----------------------------------------------------------------------===//

LogicalResult weft::ssm::verifyShapes(StepOp op, ShapeChecker &shapes) {
  if (failed(verifyOperandShapes(op, shapes)))
    return failure();
  shapes.derive('N', 'B', 1);
  return verifyRows(op, shapes, 1);
}

LogicalResult StepOp::verify() {
  if (failed(verifyOutput(*this)) || failed(verifyNumbers(*this)) || failed(verifyOperands(*this)))
    return failure();
  if (typeOf(getInits()[0]).getDimSize(1) != static_cast<int64_t>(getReads()))
    return emitOpError("expects an output of one token, got ") << getInits()[0].getType();
  if (getInits().size() != 2)
    return emitOpError("expects inits of the output and of the state");
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
}

LogicalResult StepOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}
