//===- SSMTiling.cpp - Loops of the ssm dialect's operations --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tokens are never loops of what carries a state along them. Letters are those of
// the operations' documentation; h are heads of which several may share one.
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMShapes.h"

using namespace mlir;
using namespace weft;
using namespace weft::ssm;

static int64_t rankOf(Value value) { return value ? typeOf(value).getRank() : 0; }

/// The letters of an operand that may have rows of states.
static std::string withRows(StringRef letters, Value operand) {
  return (letters + (rankOf(operand) > static_cast<int64_t>(letters.size()) ? "K" : "")).str();
}

/// The first dimensions, one a loop, of an operand of any rank.
static SmallVector<LoopDim> leadingLoops(int64_t count, Value operand) {
  auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, count));
  dims.resize(rankOf(operand));
  return dims;
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

/// How many heads of queries and outputs there are for one of the state; nothing if types do
/// not say which are more.
template <typename OpTy> static std::optional<int64_t> getQueryGroup(OpTy op) {
  if (!op.getQuery())
    return 1;
  int64_t heads = typeOf(op.getInits()[1]).getDimSize(1),
          queries = typeOf(op.getQuery()).getDimSize(2);
  if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(queries))
    return std::nullopt;
  return heads > 0 && queries > heads ? queries / heads : 1;
}

template <typename OpTy> static TilingLoops getRecurrenceLoops(OpTy op, bool tilesBatch) {
  bool isVector = op.getState() == State::Vector;
  std::optional<int64_t> group = getQueryGroup(op);
  std::string names = tilesBatch ? "B" : "", columns = isVector ? "" : "V";
  if (group)
    names += "H";
  TilingLoops loops(op, names + columns);
  bool isGrouped = group && *group > 1;
  if (isGrouped)
    loops.scale('G', 'H', *group);
  StringRef output = op.getQuery() ? (isGrouped ? "BTG" : "BTH") : "BTHK";
  StringRef value = isVector ? "BTHK" : op.getKey() ? "BTHV" : "BTHKV";
  StringRef matrix = op.getTransition() == Transition::Dense ? "BThKL" : "hKL";
  loops.cut(op.getQueryMutable(), isGrouped ? "BTGK" : "BThK")
      .cut(op.getKeyMutable(), "BThK")
      .cut(op.getValueMutable(), value)
      .cut(op.getDecayMutable(), withRows("BTH", op.getDecay()))
      .cut(op.getRateMutable(), withRows("H", op.getRate()))
      .cut(op.getAngleMutable(), "BThP")
      .cut(op.getAlphaMutable(), "BThK")
      .cut(op.getBetaMutable(), "BThK")
      .cut(op.getMatrixMutable(), matrix)
      .cut(op.getBonusMutable(), "hK")
      .cut(op.getInitialMutable(), (op.getSources() ? "RHK" : "BHK") + columns)
      .cut(op.getSourcesMutable(), "B")
      .cut(op.getInitsMutable()[0], (output + columns).str())
      .cut(op.getInitsMutable()[1], "BHK" + columns);
  if (op.getInits().size() > 2)
    loops.cut(op.getInitsMutable()[2], "BCHK" + columns);
  return loops;
}

TilingLoops ssm::ScanOp::getTilingLoops() {
  bool tilesBatch =
      !getOffsets() && !getDestinations() && getDirection() != Direction::Bidirectional;
  return getRecurrenceLoops(*this, tilesBatch);
}

TilingLoops StepOp::getTilingLoops() { return getRecurrenceLoops(*this, !getDestinations()); }

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

template <typename OpTy> static TilingLoops getChunkLoops(OpTy op, StringRef names) {
  TilingLoops loops(op, names);
  loops.scale('T', 'J', static_cast<int64_t>(op.getChunk()))
      .cut(op.getKeyMutable(), "BThK")
      .cut(op.getValueMutable(), "BTHV")
      .cut(op.getDecayMutable(), withRows("BTH", op.getDecay()))
      .cut(op.getRateMutable(), withRows("H", op.getRate()))
      .cut(op.getAlphaMutable(), "BThK")
      .cut(op.getBetaMutable(), "BThK");
  return loops;
}

TilingLoops ChunkSummaryOp::getTilingLoops() {
  TilingLoops loops = getChunkLoops(*this, "BJH");
  for (OpOperand &init : getInitsMutable())
    loops.cut(init, leadingLoops(3, init.get()));
  return loops;
}

TilingLoops ChunkApplyOp::getTilingLoops() {
  return getChunkLoops(*this, "BJHV")
      .cut(getQueryMutable(), "BThK")
      .cut(getStatesMutable(), "BJHKV")
      .cut(getInitsMutable(), "BTHV");
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

TilingLoops DiscretizeOp::getTilingLoops() {
  bool hasStates = rankOf(getRate()) == 2;
  StringRef rate = hasStates ? "DN" : "D", result = hasStates ? "BTDN" : "BTD";
  // The first token of each sequence is found by its number.
  return TilingLoops(*this, getOffsets() ? "BD" : result)
      .cut(getDeltaMutable(), "BTD")
      .cut(getRateMutable(), rate)
      .cut(getImagMutable(), rate)
      .cut(getBiasMutable(), "D")
      .cut(getGateMutable(), "BTD")
      .cut(getInitsMutable(), result);
}

TilingLoops CausalConv1dOp::getTilingLoops() {
  TilingLoops loops(*this, getOffsets() || getDestinations() ? "C" : "BC");
  loops.cut(getInputMutable(), "BTC")
      .cut(getFilterMutable(), "CW")
      .cut(getBiasMutable(), "C")
      .cut(getStateMutable(), getSources() ? "RSC" : "BSC")
      .cut(getSourcesMutable(), "B")
      .cut(getInitsMutable()[0], "BTC");
  if (getInits().size() > 1)
    loops.cut(getInitsMutable()[1], "BSC");
  return loops;
}

TilingLoops LongConvOp::getTilingLoops() {
  return TilingLoops(*this, "BD")
      .cut(getInputMutable(), "BTD")
      .cut(getFilterMutable(), "DL")
      .cut(getSkipMutable(), "D")
      .cut(getPreMutable(), "BTD")
      .cut(getPostMutable(), "BTD")
      .cut(getInitsMutable(), "BTD");
}

TilingLoops ReduceStateOp::getTilingLoops() {
  return TilingLoops(*this, getOffsets() ? "HKV" : "BHKV")
      .cut(getKeyMutable(), "BThK")
      .cut(getValueMutable(), "BTHV")
      .cut(getWeightsMutable(), "BTH")
      .cut(getInitsMutable(), "BHKV");
}

TilingLoops SegsumOp::getTilingLoops() {
  int64_t lead = rankOf(getDecay()) - 1;
  TilingLoops loops(*this, lead);
  return loops.cut(getDecayMutable(), leadingLoops(lead, getDecay()))
      .cut(getInitsMutable(), leadingLoops(lead, getInits()[0]));
}

TilingLoops SolveTrilOp::getTilingLoops() {
  int64_t lead = rankOf(getMatrix()) - 2;
  TilingLoops loops(*this, lead + 1);
  SmallVector<LoopDim> columns = leadingLoops(lead, getRhs());
  columns.back() = LoopDim(lead);
  return loops.cut(getMatrixMutable(), leadingLoops(lead, getMatrix()))
      .cut(getRhsMutable(), columns)
      .cut(getInitsMutable(), columns);
}

TilingLoops ScanRegionOp::getTilingLoops() {
  int64_t count = rankOf(getInputs()[0]) - 1;
  TilingLoops loops(*this, count);
  auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, count));
  dims.insert(dims.begin() + static_cast<int64_t>(getDimension()), LoopDim());
  return loops.cut(getInputsMutable(), dims).cut(getInitsMutable(), dims);
}
