//===- DecomposeAttend.cpp - Attention as products around a softmax -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

namespace weft::attn {
#define GEN_PASS_DEF_DECOMPOSEATTEND
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace weft::attn

using namespace mlir;
using namespace weft;
using namespace weft::attn;

using Body = llvm::function_ref<Value(OpBuilder &, Location, ValueRange)>;

namespace {
/// Operands that are dense and whose sequences are dimensions.
class Decomposition {
public:
  Decomposition(RewriterBase &b, const Attention &a)
      : b(b), a(a), loc(a.op->getLoc()), m{b, loc}, type(a.computeType()) {}

  /// The values that replace the results.
  SmallVector<Value> build();

private:
  void chooseLoops();
  AffineMap mapOf(StringRef letters, StringRef loops, Value operand, bool isKeys);
  OpFoldResult extentOf(char letter);
  OpFoldResult headCount();
  SmallVector<OpFoldResult> extentsOf(StringRef letters);
  Value splitHeads(Value tensor, StringRef letters);
  SmallVector<ReassociationIndices> headGroups(StringRef letters);
  Value joinHeads(Value tensor, StringRef letters);
  Value buildProducts();
  Value buildScores(Value products);
  Value buildWeights(Value scores);
  Value visibleValues();
  Value buildResult(Value weights);
  Value empty(StringRef letters) {
    return tensor::EmptyOp::create(b, loc, extentsOf(letters), type);
  }
  Value filled(StringRef letters, Value number) {
    return linalg::FillOp::create(b, loc, number, empty(letters)).getResult(0);
  }
  Value number(double value) {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  }
  Value least() {
    return arith::ConstantOp::create(
        b, loc, b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), true)));
  }
  /// `letters` with h as the heads of keys and the group.
  std::string split(StringRef letters) {
    std::string result;
    for (char letter : letters) {
      result += letter;
      if (letter == 'h' && isGrouped)
        result += 'g';
    }
    return result;
  }
  /// An elementwise operation or a reduction over the last dimension of scores.
  Value generic(ValueRange inputs, ArrayRef<AffineMap> maps, Value init, AffineMap initMap,
                Body body);
  Value minusOrZero(OpBuilder &b, Location loc, Value largest);

  RewriterBase &b;
  const Attention &a;
  Location loc;
  IndexMath m;
  FloatType type;
  /// Several heads of queries share one of keys: h is that of keys, g the group.
  bool isGrouped = false;
  /// Keys and values have one head for all, which the type says.
  bool isShared = false;
  std::string rows; ///< the letters of a row of scores: b, h, s
  std::string scoreLetters;
  SmallVector<OpFoldResult> scoreSizes;
  Value log;
};
} // namespace

void Decomposition::chooseLoops() {
  for (char letter : StringRef("bhs"))
    if (a.layout.query.contains(letter))
      rows += letter;
  scoreLetters = rows + "t";
  isShared = a.staticExtent(a.key, a.layout.key, 'h') == 1;
  isGrouped = a.layout.key.contains('h') && !isShared && !a.hasEqualHeads();
  for (char letter : scoreLetters)
    scoreSizes.push_back(letter == 'h' ? headCount() : extentOf(letter));
}

OpFoldResult Decomposition::headCount() {
  return tensor::getMixedSize(b, loc, a.query, *findLetter(a.layout.query, 'h'));
}

OpFoldResult Decomposition::extentOf(char letter) {
  auto take = [&](Value tensor, StringRef letters, char letter) -> OpFoldResult {
    int64_t at = *findLetter(letters, letter);
    int64_t extent = cast<ShapedType>(tensor.getType()).getDimSize(at);
    if (!ShapedType::isDynamic(extent))
      return b.getIndexAttr(extent);
    return tensor::getMixedSize(b, loc, tensor, at);
  };
  if (letter == 't')
    return take(a.key, a.layout.key, 't');
  if (letter == 'e')
    return take(a.inits[0], a.layout.result, 'e');
  if (!isGrouped || (letter != 'h' && letter != 'g'))
    return take(a.query, a.layout.query, letter);
  OpFoldResult keyHeads = take(a.key, a.layout.key, 'h');
  if (letter == 'h')
    return keyHeads;
  OpFoldResult heads = take(a.query, a.layout.query, 'h');
  std::optional<int64_t> count = getConstantIntValue(heads), of = getConstantIntValue(keyHeads);
  if (count && of)
    return b.getIndexAttr(*count / std::max<int64_t>(*of, 1));
  Value divisor = getValueOrCreateConstantIndexOp(b, loc, keyHeads);
  divisor = arith::MaxSIOp::create(b, loc, divisor, m.constant(1));
  return m.div(getValueOrCreateConstantIndexOp(b, loc, heads), divisor);
}

SmallVector<OpFoldResult> Decomposition::extentsOf(StringRef letters) {
  return llvm::map_to_vector(letters, [&](char letter) { return extentOf(letter); });
}

/// The map of an operand with `letters` in the loops `loops`. A head that all share is
/// at 0.
AffineMap Decomposition::mapOf(StringRef letters, StringRef loops, Value operand, bool isKeys) {
  SmallVector<AffineExpr> exprs;
  for (char letter : letters)
    exprs.push_back(isKeys && isShared && letter == 'h'
                        ? b.getAffineConstantExpr(0)
                        : b.getAffineDimExpr(*findLetter(loops, letter)));
  return AffineMap::get(loops.size(), 0, exprs, b.getContext());
}

/// A tensor of `letters` with the heads of a group in a dimension of their own.
Value Decomposition::splitHeads(Value tensor, StringRef letters) {
  if (!isGrouped || !letters.contains('h'))
    return tensor;
  SmallVector<OpFoldResult> shape = extentsOf(split(letters));
  SmallVector<ReassociationIndices> groups = headGroups(letters);
  auto known = cast<RankedTensorType>(tensor.getType());
  // Static heads are not known to be the product of dynamic ones.
  SmallVector<int64_t> from(known.getShape()), to;
  for (OpFoldResult extent : shape)
    to.push_back(getConstantIntValue(extent).value_or(ShapedType::kDynamic));
  for (auto [i, group] : llvm::enumerate(groups)) {
    bool isDynamic =
        llvm::any_of(group, [&](int64_t dim) { return ShapedType::isDynamic(to[dim]); });
    if (group.size() > 1 && isDynamic)
      from[i] = ShapedType::kDynamic;
    else if (group.size() == 1)
      to[group[0]] = from[i];
  }
  Type element = known.getElementType();
  tensor = b.createOrFold<tensor::CastOp>(loc, RankedTensorType::get(from, element), tensor);
  return tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(to, element), tensor, groups,
                                       shape);
}

/// The dimensions of `letters` after heads were split.
SmallVector<ReassociationIndices> Decomposition::headGroups(StringRef letters) {
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (char letter : letters) {
    groups.push_back({next++});
    if (letter == 'h')
      groups.back().push_back(next++);
  }
  return groups;
}

/// A tensor of `letters`, of which h is split, with joined heads.
Value Decomposition::joinHeads(Value tensor, StringRef letters) {
  if (!isGrouped || !letters.contains('h'))
    return tensor;
  return tensor::CollapseShapeOp::create(b, loc, tensor, headGroups(letters));
}

Value Decomposition::generic(ValueRange inputs, ArrayRef<AffineMap> maps, Value init,
                             AffineMap initMap, Body body) {
  SmallVector<AffineMap> all(maps);
  all.push_back(initMap);
  SmallVector<utils::IteratorType> iterators(initMap.getNumDims(), utils::IteratorType::parallel);
  for (unsigned i = 0; i < iterators.size(); ++i)
    if (!initMap.isFunctionOfDim(i))
      iterators[i] = utils::IteratorType::reduction;
  auto op = linalg::GenericOp::create(b, loc, init.getType(), inputs, init, all, iterators,
                                      [&](OpBuilder &b, Location loc, ValueRange args) {
                                        linalg::YieldOp::create(b, loc, body(b, loc, args));
                                      });
  return op.getResult(0);
}

/// Queries times keys, [b, h, s, t].
Value Decomposition::buildProducts() {
  std::string scores = split(scoreLetters), loops = scores + "d";
  Value query = splitHeads(a.query, a.layout.query);
  AffineMap maps[] = {mapOf(split(a.layout.query), loops, query, false),
                      mapOf(a.layout.key, loops, a.key, true),
                      mapOf(scores, loops, Value(), false)};
  Value init = filled(scores, number(0));
  Value products = ContractOp::create(b, loc, init.getType(), query, a.key, /*bias=*/Value(), init,
                                      b.getAffineMapArrayAttr(maps), /*unsignedLhs=*/false,
                                      /*unsignedRhs=*/false, /*compute=*/ComputeAttr());
  products = joinHeads(products, scoreLetters);
  Type known = tensor::EmptyOp::create(b, loc, scoreSizes, type).getType();
  return b.createOrFold<tensor::CastOp>(loc, known, products);
}

/// The extent that is known of a tensor, be it before a cast.
static int64_t knownExtent(Value tensor, int64_t dim) {
  for (;;) {
    auto source = tensor.getDefiningOp<tensor::CastOp>();
    if (!source || !isa<RankedTensorType>(source.getSource().getType()))
      break;
    tensor = source.getSource();
  }
  return cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
}

/// The map of a read of a tensor from outside at a position of the score. A read that is
/// guarded may be of fewer elements than there are scores; one that is not shows that the
/// tensor has them all, but a type that says more or fewer is no operand of the same loops.
static std::optional<AffineMap> readsAtScore(tensor::ExtractOp read, Block &region,
                                             StringRef letters, ArrayRef<OpFoldResult> sizes) {
  if (read->getBlock() != &region ||
      region.getParent()->isAncestor(read.getTensor().getParentRegion()))
    return std::nullopt;
  MLIRContext *context = read.getContext();
  SmallVector<AffineExpr> exprs;
  for (auto [i, index] : llvm::enumerate(read.getIndices())) {
    int64_t extent = knownExtent(read.getTensor(), i);
    if (isConstantIntValue(index, 0) && extent == 1) {
      exprs.push_back(getAffineConstantExpr(0, context));
      continue;
    }
    auto argument = dyn_cast<BlockArgument>(index);
    if (!argument || argument.getOwner() != &region || argument.getArgNumber() == 0)
      return std::nullopt;
    std::optional<int64_t> loop =
        findLetter(letters, StringRef("bhst")[argument.getArgNumber() - 1]);
    AffineExpr expr = getAffineDimExpr(loop.value_or(0), context);
    if (!loop || llvm::is_contained(exprs, expr) ||
        extent != getConstantIntValue(sizes[*loop]).value_or(ShapedType::kDynamic))
      return std::nullopt;
    exprs.push_back(expr);
  }
  return AffineMap::get(letters.size(), 0, exprs, context);
}

Value Decomposition::buildScores(Value products) {
  if (!changesScores(a))
    return products;
  StringRef letters = scoreLetters;
  AffineMap identity = b.getMultiDimIdentityMap(letters.size());
  SmallVector<Value> inputs{products};
  SmallVector<AffineMap> maps{identity};
  std::optional<size_t> bias, mask;
  auto addOperand = [&](Value tensor) -> std::optional<size_t> {
    if (!tensor)
      return std::nullopt;
    auto shape = cast<RankedTensorType>(tensor.getType()).getShape();
    SmallVector<AffineExpr> exprs;
    for (auto [extent, letter] : llvm::zip(shape, StringRef("bhst").take_back(shape.size()))) {
      std::optional<int64_t> loop = findLetter(letters, letter);
      exprs.push_back(extent == 1 || !loop ? b.getAffineConstantExpr(0)
                                           : b.getAffineDimExpr(*loop));
    }
    inputs.push_back(tensor);
    maps.push_back(AffineMap::get(letters.size(), 0, exprs, b.getContext()));
    return inputs.size() - 1;
  };
  bias = addOperand(a.bias);
  mask = addOperand(a.mask);
  // What the region reads at the score's position is read as an operand.
  SmallVector<std::pair<tensor::ExtractOp, size_t>> reads;
  if (a.score)
    a.score->walk([&](tensor::ExtractOp read) {
      if (std::optional<AffineMap> map =
              readsAtScore(read, a.score->front(), letters, scoreSizes)) {
        inputs.push_back(read.getTensor());
        maps.push_back(*map);
        reads.push_back({read, inputs.size() - 1});
      }
    });
  Value scale = a.scale == 1.0 ? Value() : scaleOf(b, loc, a);
  return generic(
      inputs, maps, tensor::EmptyOp::create(b, loc, scoreSizes, type), identity,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        auto indexOf = [&](char letter) -> Value {
          std::optional<int64_t> loop = findLetter(letters, letter);
          if (!loop)
            return arith::ConstantIndexOp::create(b, loc, 0);
          return linalg::IndexOp::create(b, loc, *loop);
        };
        ScorePosition at{indexOf('b'), indexOf('h'), indexOf('s'), indexOf('t')};
        Value scaled = scale ? arith::MulFOp::create(b, loc, args[0], scale).getResult() : args[0];
        Value position = dependsOnPosition(a) ? queryPosition(b, loc, a, at.b, at.s) : Value();
        IRMapping operands;
        for (auto [read, input] : reads)
          operands.map(read.getResult(), args[input]);
        return buildScore(b, loc, a, scaled, at, position,
                          {bias ? args[*bias] : Value(), mask ? args[*mask] : Value()}, operands);
      });
}

/// What is subtracted from scores: 0 where nothing is visible.
Value Decomposition::minusOrZero(OpBuilder &b, Location loc, Value largest) {
  Value bound = arith::ConstantOp::create(
      b, loc, b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), true)));
  Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0));
  Value isNone = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, largest, bound);
  return arith::SelectOp::create(b, loc, isNone, zero, largest);
}

/// The softmax of scores, and the logarithm if there is a result for it.
Value Decomposition::buildWeights(Value scores) {
  int64_t rank = scoreSizes.size();
  Value whole = tensor::EmptyOp::create(b, loc, scoreSizes, type);
  bool hasLog = a.inits.size() == 2;
  if (a.emptyRows == EmptyRows::NaN && !a.sinks && !hasLog)
    return linalg::SoftmaxOp::create(b, loc, whole.getType(), scores, whole,
                                     static_cast<uint64_t>(rank - 1))
        .getResult()[0];
  AffineMap identity = b.getMultiDimIdentityMap(rank),
            row = b.getMultiDimIdentityMap(rank).getMajorSubMap(rank - 1),
            rowIdentity = b.getMultiDimIdentityMap(rank - 1);
  auto rowOf = [&](Value start) {
    Value init = tensor::EmptyOp::create(b, loc, ArrayRef(scoreSizes).drop_back(), type);
    return start ? linalg::FillOp::create(b, loc, start, init).getResult(0) : init;
  };
  Value sinks = a.sinks;
  auto sinkMap = [&] {
    std::optional<int64_t> head = findLetter(rows, 'h');
    return AffineMap::get(rank - 1, 0,
                          {head ? b.getAffineDimExpr(*head) : b.getAffineConstantExpr(0)},
                          b.getContext());
  };
  Value largest = generic(scores, identity, rowOf(least()), row,
                          [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                            return arith::MaximumFOp::create(b, loc, args[0], args[1]);
                          });
  if (sinks)
    largest = generic({largest, sinks}, {rowIdentity, sinkMap()}, rowOf(Value()), rowIdentity,
                      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                        return arith::MaximumFOp::create(b, loc, args[0],
                                                         convertNumber(b, loc, args[1], type));
                      });
  Value powers =
      generic({scores, largest}, {identity, row}, whole, identity,
              [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                Value shift = minusOrZero(b, loc, args[1]);
                return math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, args[0], shift));
              });
  Value sum = generic(powers, identity, rowOf(number(0)), row,
                      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                        return arith::AddFOp::create(b, loc, args[1], args[0],
                                                     arith::FastMathFlags::reassoc);
                      });
  if (sinks)
    sum =
        generic({sum, largest, sinks}, {rowIdentity, rowIdentity, sinkMap()}, rowOf(Value()),
                rowIdentity, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                  Value less = arith::SubFOp::create(b, loc, convertNumber(b, loc, args[2], type),
                                                     minusOrZero(b, loc, args[1]));
                  return arith::AddFOp::create(b, loc, args[0], math::ExpOp::create(b, loc, less));
                });
  if (hasLog)
    log = generic({sum, largest}, {rowIdentity, rowIdentity}, rowOf(Value()), rowIdentity,
                  [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                    return arith::AddFOp::create(b, loc, minusOrZero(b, loc, args[1]),
                                                 math::LogOp::create(b, loc, args[0]));
                  });
  return generic({powers, sum}, {identity, row}, whole, identity,
                 [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                   Value quotient = arith::DivFOp::create(b, loc, args[0], args[1]);
                   if (a.emptyRows == EmptyRows::NaN)
                     return quotient;
                   Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0));
                   auto predicate = a.emptyRows == EmptyRows::Zero ? arith::CmpFPredicate::UNE
                                                                   : arith::CmpFPredicate::OGT;
                   Value keep = arith::CmpFOp::create(b, loc, predicate, args[1], zero);
                   return arith::SelectOp::create(b, loc, keep, quotient, zero);
                 });
}

/// Values of keys that count. A cache holds anything behind them, and a weight of 0
/// makes NaN of a NaN.
Value Decomposition::visibleValues() {
  std::optional<int64_t> batch = findLetter(a.layout.value, 'b'),
                         key = findLetter(a.layout.value, 't');
  auto valueType = dyn_cast<RankedTensorType>(a.value.getType());
  if (!a.keyLengths || !valueType || !batch)
    return a.value;
  Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, a.value),
                                        valueType.getElementType());
  AffineMap identity = b.getMultiDimIdentityMap(valueType.getRank());
  return generic(a.value, identity, empty, identity,
                 [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                   Value t = linalg::IndexOp::create(b, loc, *key);
                   Value length = readMetadata(b, loc, a.keyLengths,
                                               linalg::IndexOp::create(b, loc, *batch).getResult());
                   Value counts =
                       arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, t, length);
                   Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(args[0].getType()));
                   return arith::SelectOp::create(b, loc, counts, args[0], zero);
                 });
}

/// Weights times values, in the order of the result.
Value Decomposition::buildResult(Value weights) {
  std::string scores = split(scoreLetters), result = split(a.layout.result),
              loops = split(rows) + "et";
  weights = splitHeads(weights, scoreLetters);
  AffineMap maps[] = {mapOf(scores, loops, weights, false),
                      mapOf(a.layout.value, loops, a.value, true),
                      mapOf(result, loops, Value(), false)};
  Value out = a.inits[0];
  auto outType = cast<RankedTensorType>(out.getType());
  bool isDirect = !isGrouped && outType.getElementType() == type;
  Value init = isDirect ? linalg::FillOp::create(b, loc, number(0), out).getResult(0)
                        : filled(result, number(0));
  Value product = ContractOp::create(b, loc, init.getType(), weights, visibleValues(),
                                     /*bias=*/Value(), init, b.getAffineMapArrayAttr(maps),
                                     /*unsignedLhs=*/false,
                                     /*unsignedRhs=*/false, /*compute=*/ComputeAttr());
  product = joinHeads(product, a.layout.result);
  if (outType.getElementType() != type) {
    AffineMap identity = b.getMultiDimIdentityMap(outType.getRank());
    product = generic(product, identity, out, identity,
                      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                        return arith::TruncFOp::create(b, loc, outType.getElementType(), args[0]);
                      });
  }
  return b.createOrFold<tensor::CastOp>(loc, outType, product);
}

SmallVector<Value> Decomposition::build() {
  chooseLoops();
  Value weights = buildWeights(buildScores(buildProducts()));
  if (!log)
    return {buildResult(weights)};
  // From b, h, s to the order of the result.
  auto logType = cast<RankedTensorType>(a.inits[1].getType());
  SmallVector<AffineExpr> exprs;
  for (char letter : a.loops())
    exprs.push_back(b.getAffineDimExpr(*findLetter(rows, letter)));
  AffineMap order = AffineMap::get(rows.size(), 0, exprs, b.getContext());
  if (!order.isIdentity())
    log = generic(log, inversePermutation(order), a.inits[1], b.getMultiDimIdentityMap(rows.size()),
                  [](OpBuilder &, Location, ValueRange args) { return args[0]; });
  log = b.createOrFold<tensor::CastOp>(loc, logType, log);
  return {buildResult(weights), log};
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct DecomposeAttend : attn::impl::DecomposeAttendBase<DecomposeAttend> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto target = module->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName);
    bool isCPU = !target || target.getName() == "cpu";
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) {
      if (isa<AttendOp, PartialOp>(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      Attention a = Attention::of(op);
      if (!isCPU || a.isPartial || a.isPaged() || a.isRagged())
        continue;
      rewriter.replaceOp(op, Decomposition(rewriter, a).build());
      ++numDecomposed;
    }
  }
};
} // namespace
