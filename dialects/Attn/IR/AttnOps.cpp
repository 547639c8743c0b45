//===- AttnOps.cpp - Softmax attention: verifiers and folds ---------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SmallSet.h"

#include <cmath>

using namespace mlir;
using namespace weft;
using namespace weft::attn;

#define GET_OP_CLASSES
#include "dialects/Attn/IR/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Verifier of attend and partial
//===----------------------------------------------------------------------===//

/// Each of `letters` at most once, out of `allowed`, and each of `required`.
static bool hasLetters(StringRef letters, StringRef allowed, StringRef required) {
  llvm::SmallSet<char, 8> seen;
  for (char letter : letters)
    if (!allowed.contains(letter) || !seen.insert(letter).second)
      return false;
  return llvm::all_of(required, [&](char letter) { return seen.contains(letter); });
}

static bool isComputable(Type type) {
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

static LogicalResult verifyLayout(Operation *op, StringRef text, bool isPaged) {
  std::optional<Layout> layout = parseLayout(text);
  if (!layout)
    return op->emitOpError("has layout \"")
           << text << "\", expected letters as in \"bhsd,bhtd,bhte->bhse\"";
  StringRef batch = isPaged ? "p" : "b";
  std::string key = (batch + "htd").str(), value = (batch + "hte").str();
  if (!hasLetters(layout->query, "bhsd", "sd") || !hasLetters(layout->result, "bhse", "se"))
    return op->emitOpError("has layout \"")
           << text << "\", expected b, h, s, d in queries and b, h, s, e in the result";
  if (!hasLetters(layout->key, key, isPaged ? "ptd" : "td") ||
      !hasLetters(layout->value, value, isPaged ? "pte" : "te"))
    return op->emitOpError("has layout \"") << text << "\", expected " << (isPaged ? "p" : "b")
                                            << ", h, t, d in keys and e for d in values";
  for (char letter : {'b', 'h'})
    if (layout->query.contains(letter) != layout->result.contains(letter) ||
        (letter == 'h' && layout->key.contains('h') && !layout->query.contains('h')))
      return op->emitOpError("has layout \"") << text << "\", in which queries lack the letter "
                                              << StringRef(&letter, 1) << " or the result differs";
  return success();
}

namespace {
/// Checks of the operands, whose letters are right.
class AttentionVerifier {
public:
  AttentionVerifier(const Attention &a) : a(a), op(a.op) {}
  LogicalResult verify();

private:
  LogicalResult verifyTypes();
  LogicalResult verifyExtents();
  LogicalResult verifyAttributes();
  LogicalResult verifyMetadata();
  LogicalResult verifyBroadcast(Value tensor, StringRef name, ArrayRef<int64_t> four);
  LogicalResult verifyVector(Value tensor, StringRef name, bool isFloat, int64_t extent);
  LogicalResult verifyInits();
  LogicalResult verifyRegion();
  LogicalResult take(char letter, int64_t extent);

  const Attention &a;
  Operation *op;
  llvm::SmallDenseMap<char, int64_t> extents;
};
} // namespace

LogicalResult AttentionVerifier::take(char letter, int64_t extent) {
  auto [it, isNew] = extents.try_emplace(letter, extent);
  if (isNew || ShapedType::isDynamic(extent))
    return success();
  if (!ShapedType::isDynamic(it->second) && it->second != extent)
    return op->emitOpError("has extents ")
           << it->second << " and " << extent << " of " << StringRef(&letter, 1);
  it->second = extent;
  return success();
}

LogicalResult AttentionVerifier::verifyTypes() {
  unsigned width = a.computeType().getWidth();
  for (Value value : {a.query, a.key, a.value, a.inits.front()}) {
    Type type = getElementTypeOrSelf(value.getType());
    if (!isComputable(type) || type.getIntOrFloatBitWidth() > width)
      return op->emitOpError("has operands of element type ")
             << type << ", expected f16, bf16 or f32, or f64 as queries are";
  }
  for (Value value : {a.key, a.value})
    if (failed(verifyNoBasis(op, value)))
      return failure();
  for (Value value : {a.key, a.value})
    if (isa<PackedType>(value.getType()) && !cast<ShapedType>(value.getType()).hasStaticShape())
      return op->emitOpError("has packed keys or values ")
             << value.getType() << ", whose extents have to be static";
  return success();
}

LogicalResult AttentionVerifier::verifyExtents() {
  struct Named {
    Value value;
    StringRef letters;
    int64_t leading;
  };
  for (auto [value, letters, leading] :
       {Named{a.query, a.layout.query, 0}, Named{a.inits[0], a.layout.result, a.isPartial ? 1 : 0},
        Named{a.key, a.layout.key, 0}, Named{a.value, a.layout.value, 0}}) {
    auto type = cast<ShapedType>(value.getType());
    if (type.getRank() != static_cast<int64_t>(letters.size()) + leading)
      return op->emitOpError("has an operand ") << type << " for the letters \"" << letters << "\"";
    bool isKeys = value == a.key || value == a.value;
    for (auto [i, letter] : llvm::enumerate(letters)) {
      // Heads of keys are fewer; sequences of ragged queries are not known.
      char name = letter == 'h' && isKeys && value != a.query ? 'H' : letter;
      if (letter == 'b' && a.isRagged())
        continue;
      if (failed(take(name, type.getDimSize(i + leading))))
        return failure();
    }
  }
  auto heads = extents.find('h'), keyHeads = extents.find('H');
  if (heads != extents.end() && keyHeads != extents.end() &&
      !ShapedType::isDynamic(heads->second) && !ShapedType::isDynamic(keyHeads->second) &&
      (keyHeads->second == 0 ? heads->second != 0 : heads->second % keyHeads->second != 0))
    return op->emitOpError("has ")
           << heads->second << " heads of queries for " << keyHeads->second << " of keys";
  return success();
}

LogicalResult AttentionVerifier::verifyAttributes() {
  if (a.scale && !std::isfinite(*a.scale))
    return op->emitOpError("has a scale that is not finite");
  if (a.softcap && !(*a.softcap > 0 && std::isfinite(*a.softcap)))
    return op->emitOpError("has a softcap that is not positive");
  if (a.globals < 0)
    return op->emitOpError("has ") << a.globals << " global keys";
  if (a.blockMask ? a.blockSizes.size() != 2 || a.blockSizes[0] < 1 || a.blockSizes[1] < 1
                  : !a.blockSizes.empty())
    return op->emitOpError("expects a block mask together with two positive block sizes");
  return success();
}

LogicalResult AttentionVerifier::verifyBroadcast(Value tensor, StringRef name,
                                                 ArrayRef<int64_t> four) {
  if (!tensor)
    return success();
  auto type = cast<RankedTensorType>(tensor.getType());
  bool isBias = name == "bias";
  Type element = type.getElementType();
  if (isBias
          ? !isComputable(element) || element.getIntOrFloatBitWidth() > a.computeType().getWidth()
          : !element.isInteger(8))
    return op->emitOpError("has a ") << name << " of element type " << element << ", expected "
                                     << (isBias ? "a float that scores can take" : "i8");
  if (type.getRank() > 4)
    return op->emitOpError("has a ") << name << " of rank " << type.getRank();
  for (auto [extent, wanted] : llvm::zip(type.getShape(), four.take_back(type.getRank())))
    if (extent != 1 && extent != wanted && !ShapedType::isDynamic(extent) &&
        !ShapedType::isDynamic(wanted))
      return op->emitOpError("has a ")
             << name << " of extent " << extent << ", expected 1 or " << wanted;
  return success();
}

LogicalResult AttentionVerifier::verifyVector(Value tensor, StringRef name, bool isFloat,
                                              int64_t extent) {
  if (!tensor)
    return success();
  auto type = cast<RankedTensorType>(tensor.getType());
  Type element = type.getElementType();
  bool isRight = isFloat ? isComputable(element) : isPositionType(element);
  if (type.getRank() != 1 || !isRight)
    return op->emitOpError("has ")
           << name << " " << type << ", expected a vector of " << (isFloat ? "floats" : "integers");
  if (!ShapedType::isDynamic(extent) && !type.isDynamicDim(0) && type.getDimSize(0) != extent)
    return op->emitOpError("has ")
           << name << " of extent " << type.getDimSize(0) << ", expected " << extent;
  return success();
}

LogicalResult AttentionVerifier::verifyMetadata() {
  constexpr int64_t any = ShapedType::kDynamic;
  auto known = [&](char letter) {
    auto it = extents.find(letter);
    return it == extents.end() ? 1 : it->second;
  };
  int64_t batch = a.isRagged() ? any : known('b'), heads = known('h'), keys = known('t');
  if (a.isPaged())
    keys = any;
  int64_t four[] = {batch, heads, known('s'), keys}, blocks[] = {batch, heads, any, any};
  if (failed(verifyBroadcast(a.bias, "bias", four)) ||
      failed(verifyBroadcast(a.mask, "mask", four)) ||
      failed(verifyBroadcast(a.blockMask, "block mask", blocks)) ||
      failed(verifyVector(a.slopes, "slopes", true, heads)) ||
      failed(verifyVector(a.sinks, "sinks", true, heads)) ||
      failed(verifyVector(a.keyLengths, "key lengths", false, batch)) ||
      failed(verifyVector(a.starts, "starts", false, batch)) ||
      failed(verifyVector(a.queryOffsets, "query offsets", false, any)) ||
      failed(verifyVector(a.keyOffsets, "key offsets", false, any)))
    return failure();
  if (a.isPaged()) {
    auto type = cast<RankedTensorType>(a.pageTable.getType());
    if (type.getRank() != 2 || !isPositionType(type.getElementType()))
      return op->emitOpError("has a page table ") << type << ", expected a matrix of integers";
    if (!a.keyLengths || a.keyOffsets)
      return op->emitOpError("expects key lengths and no key offsets with pages");
  }
  if (a.isRagged() && a.layout.query.contains('b'))
    return op->emitOpError("has query offsets and queries with the letter b");
  if (a.keyOffsets && (!a.isRagged() || a.layout.key.contains('b')))
    return op->emitOpError("expects query offsets with key offsets, and no letter b in keys");
  if (!a.isRagged() && a.layout.key.contains('b') && !a.layout.query.contains('b'))
    return op->emitOpError("has a letter b in keys that queries lack");
  if (a.layout.key.contains('b') != a.layout.value.contains('b') ||
      a.layout.key.contains('h') != a.layout.value.contains('h'))
    return op->emitOpError("has keys and values of different letters");
  return success();
}

LogicalResult AttentionVerifier::verifyInits() {
  if (a.inits.size() != 2)
    return success();
  auto result = cast<RankedTensorType>(a.inits[0].getType());
  SmallVector<int64_t> shape(result.getShape());
  shape.erase(shape.begin() + *findLetter(a.layout.result, 'e') + (a.isPartial ? 1 : 0));
  auto wanted = RankedTensorType::get(shape, a.computeType());
  if (!isCompatible(a.inits[1].getType(), wanted))
    return op->emitOpError("has logarithms ") << a.inits[1].getType() << ", expected " << wanted;
  return success();
}

LogicalResult AttentionVerifier::verifyRegion() {
  if (!a.score)
    return success();
  Type index = IndexType::get(op->getContext());
  SmallVector<Type> wanted{a.computeType(), index, index, index, index};
  if (!a.score->hasOneBlock() || a.score->front().getArgumentTypes() != TypeRange(wanted))
    return op->emitOpError("expects a score region of one block with a ")
           << a.computeType() << " and four indices";
  Block &block = a.score->front();
  auto yield = block.empty() ? attn::YieldOp() : dyn_cast<attn::YieldOp>(block.back());
  if (!yield || yield.getScore().getType() != a.computeType())
    return op->emitOpError("expects a score region that yields a ") << a.computeType();
  return success();
}

LogicalResult AttentionVerifier::verify() {
  if (failed(verifyTypes()) || failed(verifyExtents()) || failed(verifyAttributes()) ||
      failed(verifyMetadata()) || failed(verifyInits()) || failed(verifyRegion()))
    return failure();
  return success();
}

template <typename Op> static LogicalResult verifyAttention(Op op) {
  bool isPartial = std::is_same_v<Op, PartialOp>;
  size_t inits = op.getInits().size();
  if (isPartial ? inits != 2 : inits < 1 || inits > 2)
    return op.emitOpError("has ") << inits << " results, expected "
                                  << (isPartial ? "two" : "one or two");
  if (auto window = op.getWindow();
      window && (window->size() != 2 || (*window)[0] < -1 || (*window)[1] < -1))
    return op.emitOpError("has a window that is not two extents, each at least -1");
  if (failed(verifyLayout(op, op.getLayout(), static_cast<bool>(op.getPageTable()))))
    return failure();
  if (isPartial && op.getSinks())
    return op.emitOpError("has sinks, which belong to a merge");
  if (isPartial && !op.getLayout().ends_with("e"))
    return op.emitOpError("has layout \"")
           << op.getLayout() << "\", expected e as the last letter of pieces";
  return AttentionVerifier(Attention::of(op)).verify();
}

LogicalResult AttendOp::verify() { return verifyAttention(*this); }
LogicalResult PartialOp::verify() { return verifyAttention(*this); }

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// The results have the inits' shapes.
static LogicalResult reifyInits(OpBuilder &b, Location loc, ValueRange inits,
                                ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : inits)
    shapes.push_back(tensor::getMixedSizes(b, loc, init));
  return success();
}

LogicalResult AttendOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(b, getLoc(), getInits(), shapes);
}
LogicalResult PartialOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(b, getLoc(), getInits(), shapes);
}
LogicalResult MergeOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(b, getLoc(), getInits(), shapes);
}
LogicalResult LinearOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(b, getLoc(), getInits(), shapes);
}
LogicalResult KVAppendOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(b, getLoc(), getInits(), shapes);
}
LogicalResult KVEvictOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(b, getLoc(), getInits(), shapes);
}

//===----------------------------------------------------------------------===//
// Canonicalization
//===----------------------------------------------------------------------===//

namespace {
/// A second result that nobody reads is not computed.
struct DropLog : OpRewritePattern<AttendOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttendOp op, PatternRewriter &rewriter) const override {
    if (op.getNumResults() != 2 || !op.getResult(1).use_empty())
      return rewriter.notifyMatchFailure(op, "has no second result that is unused");
    ValueRange operands = op->getOperands();
    OperationState state(op.getLoc(), op->getName());
    state.addOperands(operands.drop_back());
    state.addTypes(op.getInits().take_front().getTypes());
    state.addAttributes(llvm::to_vector(op->getDiscardableAttrs()));
    auto &properties = state.getOrAddProperties<AttendOp::Properties>();
    properties = op.getProperties();
    properties.operandSegmentSizes.back() = 1;
    for (Region &region : op.getScore())
      state.addRegion()->takeBody(region);
    rewriter.replaceAllUsesWith(op.getResult(0), rewriter.create(state)->getResult(0));
    rewriter.eraseOp(op);
    return success();
  }
};

/// A bias that is 0 everywhere, an offset of 0 and a window without bounds are none.
struct DropNothing : OpRewritePattern<AttendOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttendOp op, PatternRewriter &rewriter) const override {
    bool drops = false;
    rewriter.startOpModification(op);
    Value bias = op.getBias();
    if (bias) {
      DenseElementsAttr splat;
      if (auto fill = bias.getDefiningOp<linalg::FillOp>())
        bias = fill.getInputs()[0];
      if (matchPattern(bias, m_PosZeroFloat()) ||
          (matchPattern(bias, m_Constant(&splat)) && splat.isSplat() &&
           splat.getSplatValue<APFloat>().isPosZero())) {
        op.getBiasMutable().clear();
        drops = true;
      }
    }
    if (op.getOffset() && matchPattern(op.getOffset(), m_Zero())) {
      op.getOffsetMutable().clear();
      drops = true;
    }
    if (auto window = op.getWindow(); window && (*window)[0] == -1 && (*window)[1] == -1) {
      op.removeWindowAttr();
      drops = true;
    }
    // Keys behind the query are hidden by the causal mask already.
    if (auto window = op.getWindow(); window && op.getCausal() && (*window)[1] != -1) {
      op.setWindow(ArrayRef<int64_t>{(*window)[0], -1});
      drops = true;
    }
    drops ? rewriter.finalizeOpModification(op) : rewriter.cancelOpModification(op);
    return success(drops);
  }
};
} // namespace

void AttendOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropLog, DropNothing>(context);
}

//===----------------------------------------------------------------------===//
// Merge
//===----------------------------------------------------------------------===//

LogicalResult MergeOp::verify() {
  if (getInits().empty() || getInits().size() > 2)
    return emitOpError("has ") << getInits().size() << " results, expected one or two";
  auto parts = cast<RankedTensorType>(getParts().getType());
  auto logs = cast<RankedTensorType>(getLogs().getType());
  auto result = cast<RankedTensorType>(getInits()[0].getType());
  Type element = parts.getElementType();
  if (!element.isF32() && !element.isF64())
    return emitOpError("has parts of element type ") << element << ", expected f32 or f64";
  if (!isComputable(result.getElementType()))
    return emitOpError("has a result of element type ") << result.getElementType();
  if (parts.getRank() < 2)
    return emitOpError("has parts ") << parts << " without the dimensions of pieces and values";
  if (!isCompatible(logs, RankedTensorType::get(parts.getShape().drop_back(), element)))
    return emitOpError("has logarithms ")
           << logs << ", expected " << RankedTensorType::get(parts.getShape().drop_back(), element);
  if (failed(verifyCompatibleShape(parts.getShape().drop_front(), result.getShape())))
    return emitOpError("has a result ") << result << " of parts " << parts;
  if (getInits().size() == 2) {
    auto wanted = RankedTensorType::get(result.getShape().drop_back(), element);
    if (!isCompatible(getInits()[1].getType(), wanted))
      return emitOpError("has a second result ")
             << getInits()[1].getType() << ", expected " << wanted;
  }
  return success();
}
