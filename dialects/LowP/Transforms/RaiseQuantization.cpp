//===- RaiseQuantization.cpp - Products of quantized numbers --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/Transforms/Passes.h"
#include "dialects/LowP/Transforms/Quantized.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weft::lowp {
#define GEN_PASS_DEF_RAISEQUANTIZATION
#include "dialects/LowP/Transforms/Passes.h.inc"
} // namespace weft::lowp

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

/// The largest product of two 8-bit integers less zero points.
static constexpr int64_t kMaxProduct = 255 * 255;

/// Whether `value` is a constant in another shape or order, which is computed while compiling.
static bool isConstant(Value value) {
  while (Operation *def = value.getDefiningOp()) {
    if (!isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp, linalg::TransposeOp>(
            def))
      break;
    value = def->getOperand(0);
  }
  return matchPattern(value, m_Constant());
}

static bool isConstant(const Quantized &quantized) {
  return quantized.type.hasStaticShape() &&
         llvm::all_of(quantized.getComponents(), [](Value c) { return isConstant(c); });
}

static bool isZeroFill(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) ||
                  matchPattern(fill.getInputs()[0], m_Zero()));
}

//===----------------------------------------------------------------------===//
// What is done with sums
//===----------------------------------------------------------------------===//

namespace {
/// A sum of products becomes `init + (sum + corrections) * scales`.
class Rescaling {
public:
  Rescaling(OpBuilder &b, Location loc, Value init) : b(b), loc(loc), init(init) {}
  /// A tensor of zeros to sum in.
  Value makeZeros(Type element) const;
  /// What is added to the sum; `map` is from the result's dimensions.
  void correct(Value by, AffineMap map) { add(corrections, by, map); }
  /// `parameter` varies along `dimension` of the result.
  void scale(const Parameter &parameter, std::optional<unsigned> dimension) {
    SmallVector<AffineExpr> exprs;
    if (dimension)
      exprs.push_back(b.getAffineDimExpr(*dimension));
    add(scales, collapseParameter(b, loc, parameter),
        AffineMap::get(rank(), 0, exprs, b.getContext()));
  }
  Value apply(Value sum) const;

private:
  struct Operand {
    Value value;
    AffineMap map;
  };
  static void add(SmallVector<Operand> &to, Value value, AffineMap map) {
    to.push_back({value, map});
  }
  RankedTensorType type() const { return cast<RankedTensorType>(init.getType()); }
  unsigned rank() const { return type().getRank(); }

  OpBuilder &b;
  Location loc;
  Value init;
  SmallVector<Operand> corrections, scales;
};
} // namespace

Value Rescaling::makeZeros(Type element) const {
  Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, init), element);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  return linalg::FillOp::create(b, loc, zero, empty).getResult(0);
}

static Value convertFloat(OpBuilder &b, Location loc, Value x, Type type) {
  unsigned have = x.getType().getIntOrFloatBitWidth(), want = type.getIntOrFloatBitWidth();
  if (have == want)
    return x;
  return have < want ? Value(arith::ExtFOp::create(b, loc, type, x))
                     : Value(arith::TruncFOp::create(b, loc, type, x));
}

Value Rescaling::apply(Value sum) const {
  bool addsInit = !isZeroFill(init);
  AffineMap identity = b.getMultiDimIdentityMap(rank());
  SmallVector<Value> inputs{sum};
  SmallVector<AffineMap> maps{identity};
  for (const Operand &operand : llvm::concat<const Operand>(corrections, scales)) {
    inputs.push_back(operand.value);
    maps.push_back(operand.map);
  }
  if (addsInit) {
    inputs.push_back(init);
    maps.push_back(identity);
  }
  maps.push_back(identity);
  Type element = type().getElementType();
  Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, init), element);
  return linalg::GenericOp::create(
             b, loc, type(), inputs, empty, maps,
             SmallVector<utils::IteratorType>(rank(), utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value x = args.front();
               args = args.drop_front();
               for (size_t i = 0; i < corrections.size(); ++i, args = args.drop_front())
                 x = arith::AddIOp::create(b, loc, x, args.front());
               if (isa<FloatType>(element) && isa<IntegerType>(x.getType()))
                 x = arith::SIToFPOp::create(b, loc, element, x);
               for (size_t i = 0; i < scales.size(); ++i, args = args.drop_front())
                 x = arith::MulFOp::create(b, loc, x, convertFloat(b, loc, args.front(), element));
               if (addsInit && isa<FloatType>(element))
                 x = arith::AddFOp::create(b, loc, args.front(), x);
               else if (addsInit)
                 x = arith::AddIOp::create(b, loc, args.front(), x);
               linalg::YieldOp::create(b, loc, x);
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Factors
//===----------------------------------------------------------------------===//

/// Whether the numbers are integers of at most 8 bits, less one zero point at most.
static bool isInteger(const Quantized &quantized) {
  auto elem = dyn_cast<IntElementAttr>(quantized.getFormat().getElem());
  return elem && elem.getOffset() == 0 && quantized.getLevels().size() <= 1 &&
         llvm::all_of(quantized.getLevels(), [](ScaleInterface level) {
           auto scale = dyn_cast<ScaleAttr>(mlir::Attribute(level));
           auto storage = scale ? dyn_cast_or_null<LeafFormatAttr>(scale.getStorage()) : nullptr;
           return storage && scale.getRole() == Role::ZeroPoint && storage.getScales().empty() &&
                  isa<IntElementAttr>(storage.getElem());
         });
}

namespace {
/// A factor of integers as an operand of a contraction.
struct IntegerFactor {
  Value value; ///< a tensor of codes, or packed
  bool isUnsigned;
};
} // namespace

/// The numbers of a constant before they are scaled: codes where these are the numbers.
static IntegerFactor integerFactor(OpBuilder &b, Location loc, const Quantized &quantized) {
  if (auto codes = IntegerCodes::match(quantized); codes && !codes->zeroPoint)
    return {codes->codes, codes->isUnsigned};
  auto elem = cast<IntElementAttr>(quantized.getFormat().getElem());
  bool fits = elem.getIsSigned() && elem.getOffset() == 0 && quantized.getLevels().empty();
  return {quantized.withoutScale(b, loc, b.getIntegerType(fits ? 8 : 16)), false};
}

/// The numbers of a factor as a tensor.
static Value numbersOf(OpBuilder &b, Location loc, Value factor) {
  auto packed = dyn_cast<PackedType>(factor.getType());
  if (!packed)
    return factor;
  Value empty = tensor::EmptyOp::create(b, loc, packed.getShape(), packed.getElementType());
  return UnpackOp::create(b, loc, empty.getType(), factor, empty);
}

static Value widen(OpBuilder &b, Location loc, Value x, Type type, bool isUnsigned) {
  if (x.getType() == type)
    return x;
  return isUnsigned ? Value(arith::ExtUIOp::create(b, loc, type, x))
                    : Value(arith::ExtSIOp::create(b, loc, type, x));
}

/// -zeroPoint * the sums of a factor over all dimensions but `kept`, i32.
static Value compensation(OpBuilder &b, Location loc, const IntegerFactor &factor,
                          ArrayRef<unsigned> kept, const IntegerCodes &other) {
  Value numbers = numbersOf(b, loc, factor.value);
  auto type = cast<RankedTensorType>(numbers.getType());
  Type i32 = b.getI32Type();
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::reduction);
  SmallVector<AffineExpr> exprs;
  SmallVector<int64_t> shape;
  for (unsigned dimension : kept) {
    iterators[dimension] = utils::IteratorType::parallel;
    exprs.push_back(b.getAffineDimExpr(dimension));
    shape.push_back(type.getDimSize(dimension));
  }
  Value empty = tensor::EmptyOp::create(b, loc, shape, i32);
  Value zeros =
      linalg::FillOp::create(
          b, loc, arith::ConstantOp::create(b, loc, b.getZeroAttr(i32)).getResult(), empty)
          .getResult(0);
  Value sums =
      linalg::GenericOp::create(
          b, loc, zeros.getType(), numbers, zeros,
          {b.getMultiDimIdentityMap(type.getRank()),
           AffineMap::get(type.getRank(), 0, exprs, b.getContext())},
          iterators,
          [&](OpBuilder &b, Location loc, ValueRange args) {
            Value x = widen(b, loc, args[0], i32, factor.isUnsigned);
            linalg::YieldOp::create(b, loc, arith::AddIOp::create(b, loc, args[1], x).getResult());
          })
          .getResult(0);
  AffineMap identity = b.getMultiDimIdentityMap(kept.size());
  AffineMap scalar = AffineMap::get(kept.size(), 0, {}, b.getContext());
  return linalg::GenericOp::create(
             b, loc, empty.getType(), ValueRange{sums, other.zeroPoint}, empty,
             {identity, scalar, identity},
             SmallVector<utils::IteratorType>(kept.size(), utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(i32));
               Value point = widen(b, loc, args[1], i32, other.isUnsigned);
               point = arith::SubIOp::create(b, loc, zero, point);
               linalg::YieldOp::create(b, loc,
                                       arith::MulIOp::create(b, loc, args[0], point).getResult());
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// Reads what transpositions of an unpacked tensor read.
static void absorbTranspositions(ContractOp op, OpOperand &factor) {
  SmallVector<AffineExpr> exprs(op.getMap(factor).getResults());
  Value value = factor.get();
  while (auto transpose = value.getDefiningOp<linalg::TransposeOp>()) {
    SmallVector<AffineExpr> from(exprs.size());
    for (auto [i, source] : llvm::enumerate(transpose.getPermutation()))
      from[source] = exprs[i];
    exprs = from;
    value = transpose.getInput();
  }
  if (value == factor.get() || !value.getDefiningOp<UnpackOp>())
    return;
  SmallVector<Attribute> maps(op.getIndexingMaps().getValue());
  maps[factor.getOperandNumber()] =
      AffineMapAttr::get(AffineMap::get(op.getNumLoops(), 0, exprs, op.getContext()));
  op.setIndexingMapsAttr(ArrayAttr::get(op.getContext(), maps));
  factor.set(value);
}

/// The dimension of the result that is `dimension` of a factor.
static std::optional<unsigned> resultDimension(ContractOp op, OpOperand &factor,
                                               unsigned dimension) {
  return op.getResultMap().getResultPosition(op.getMap(factor).getResult(dimension));
}

/// Whether the scale of `factor` is one for all products of a sum.
static bool scalesSums(ContractOp op, OpOperand &factor, const Quantized &quantized) {
  return quantized.scale &&
         (!quantized.scale->axis || resultDimension(op, factor, *quantized.scale->axis));
}

static void scaleBy(Rescaling &rescaling, ContractOp op, OpOperand &factor,
                    const Quantized &quantized) {
  const Parameter &scale = *quantized.scale;
  rescaling.scale(scale, scale.axis ? resultDimension(op, factor, *scale.axis) : std::nullopt);
}

/// Whether sums of products of 8-bit integers are exact in 32 bits.
static bool sumsAreExact(ContractOp op) {
  int64_t products = 1;
  for (auto [loop, extent] : llvm::enumerate(op.getStaticLoopRanges()))
    if (op.isContracted(loop) &&
        (ShapedType::isDynamic(extent) || __builtin_mul_overflow(products, extent, &products)))
      return false;
  return products <= INT32_MAX / kMaxProduct;
}

/// A constant that is integers already.
static std::optional<IntegerFactor> plainFactor(ContractOp op, OpOperand &weight) {
  if (!isConstant(weight.get()) || !getElementTypeOrSelf(weight.get().getType()).isInteger(8))
    return std::nullopt;
  return IntegerFactor{weight.get(),
                       weight.getOperandNumber() == 0 ? op.getUnsignedLhs() : op.getUnsignedRhs()};
}

/// Codes times constant codes, both less their zero points:
/// sum (x - zx) w = sum x w - zx * sum w.
static bool raiseToIntegers(ContractOp op, OpOperand &activation, OpOperand &weight, OpBuilder &b) {
  auto x = Quantized::match(activation.get()), w = Quantized::match(weight.get());
  auto codes = x ? IntegerCodes::match(*x) : std::nullopt;
  if (!codes || op.getBias() || op.getCompute())
    return false;
  // MatMulInteger wraps around; what stands for floats must not.
  Type element = getElementTypeOrSelf(op.getInit().getType());
  bool isFloat = element.isF32();
  if (isFloat) {
    if (!w || !isConstant(*w) || !isInteger(*w) || !scalesSums(op, activation, *x) ||
        !scalesSums(op, weight, *w) || !x->type.getElementType().isF32() ||
        !w->type.getElementType().isF32() || !sumsAreExact(op))
      return false;
  } else if (!element.isInteger(32) || x->scale || !codes->zeroPoint) {
    return false;
  }
  std::optional<IntegerFactor> found = w ? std::nullopt : plainFactor(op, weight);
  if (w && isConstant(*w) && isInteger(*w) && (isFloat || !w->scale))
    found = integerFactor(b, op.getLoc(), *w);
  if (!found)
    return false;
  IntegerFactor factor = *found;
  Location loc = op.getLoc();
  Rescaling rescaling(b, loc, op.getInit());
  bool swapped = weight.getOperandNumber() == 0;
  auto sum = ContractOp::create(
      b, loc, RankedTensorType::get(op.getInit().getType().getShape(), b.getI32Type()),
      swapped ? factor.value : codes->codes, swapped ? codes->codes : factor.value,
      /*bias=*/Value(), rescaling.makeZeros(b.getI32Type()), op.getIndexingMaps(),
      swapped ? factor.isUnsigned : codes->isUnsigned,
      swapped ? codes->isUnsigned : factor.isUnsigned, /*compute=*/ComputeAttr());
  if (codes->zeroPoint) {
    SmallVector<unsigned> kept;
    SmallVector<AffineExpr> exprs;
    for (unsigned i = 0, rank = op.getMap(weight).getNumResults(); i < rank; ++i)
      if (auto dimension = resultDimension(op, weight, i)) {
        kept.push_back(i);
        exprs.push_back(b.getAffineDimExpr(*dimension));
      }
    unsigned rank = op.getResultMap().getNumResults();
    rescaling.correct(compensation(b, loc, factor, kept, *codes),
                      AffineMap::get(rank, 0, exprs, b.getContext()));
  }
  if (isFloat) {
    scaleBy(rescaling, op, activation, *x);
    scaleBy(rescaling, op, weight, *w);
  }
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

/// Numbers times constants, which are scaled afterwards where that is the same.
static bool raiseWeight(ContractOp op, OpOperand &weight, OpBuilder &b) {
  auto w = Quantized::match(weight.get());
  if (!w || !isConstant(*w))
    return false;
  Type element = getElementTypeOrSelf(op.getInit().getType());
  bool separates = !op.getBias() && !op.getCompute() && scalesSums(op, weight, *w) &&
                   (element.isF32() || element.isF64()) && w->type.getElementType() == element;
  if (!separates) {
    bool folds = weight.get() != w->assemble.getResult();
    weight.set(w->assemble.getResult());
    return folds;
  }
  Rescaling rescaling(b, op.getLoc(), op.getInit());
  scaleBy(rescaling, op, weight, *w);
  IRMapping mapping;
  mapping.map(weight.get(), w->withoutScale(b, op.getLoc(), element));
  mapping.map(op.getInit(), rescaling.makeZeros(element));
  auto sum = cast<ContractOp>(b.clone(*op, mapping));
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

//===----------------------------------------------------------------------===//
// Convolutions and lookups
//===----------------------------------------------------------------------===//

/// The filter of a convolution, less the scales of its outputs.
static bool raiseFilter(ConvOp op, OpBuilder &b) {
  auto w = Quantized::match(op.getFilter());
  Type element = getElementTypeOrSelf(op.getInit().getType());
  unsigned outputs = op.getTransposed() ? 1 : 0;
  if (!w || !isConstant(*w) || !w->scale || w->type.getElementType() != element ||
      !(element.isF32() || element.isF64()) ||
      (w->scale->axis &&
       (*w->scale->axis != outputs || (op.getTransposed() && op.getGroups() > 1))))
    return false;
  Value filter = w->withoutScale(b, op.getLoc(), element);
  Rescaling rescaling(b, op.getLoc(), op.getInit());
  rescaling.scale(*w->scale, w->scale->axis ? std::optional<unsigned>(1) : std::nullopt);
  IRMapping mapping;
  mapping.map(op.getFilter(), filter);
  mapping.map(op.getInit(), rescaling.makeZeros(element));
  auto sum = cast<ConvOp>(b.clone(*op, mapping));
  if (!sum.isContraction()) {
    sum.erase(); // is faster of numbers
    return false;
  }
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

/// Rows of an unpacked table are decoded as they are read.
static bool raiseLookup(GatherOp op, OpBuilder &b) {
  auto unpack = op.getData().getDefiningOp<UnpackOp>();
  auto indices = cast<RankedTensorType>(op.getIndices().getType());
  if (!unpack || !unpack.getPacked().getType().hasStaticShape() || op.getBatchDims() != 0 ||
      indices.getShape().back() != 1)
    return false;
  SmallVector<ReassociationIndices> dimensions;
  for (int64_t i = 0; i + 1 < indices.getRank(); ++i)
    dimensions.push_back({i});
  if (!dimensions.empty())
    dimensions.back().push_back(indices.getRank() - 1);
  Value ids = tensor::CollapseShapeOp::create(b, op.getLoc(), op.getIndices(), dimensions);
  op.replaceAllUsesWith(
      EmbedOp::create(b, op.getLoc(), op.getInit().getType(), unpack.getPacked(), ids, op.getInit())
          .getResult());
  return true;
}

namespace {
struct RaiseQuantization : weft::lowp::impl::RaiseQuantizationBase<RaiseQuantization> {
  /// Drops zero points that are 0: symmetric quantization writes them, too.
  void dropZeroPoints(AssembleOp op, OpBuilder &b) {
    auto quantized = Quantized::match(op.getResult());
    if (!quantized || !isInteger(*quantized) || quantized->getLevels().size() != 1)
      return;
    unsigned position = op.getComponents().size() - (quantized->scale ? 2 : 1);
    if (position != 1 || !isZeroConstant(op.getComponents()[position]))
      return;
    LeafFormatAttr format = quantized->getFormat();
    auto without =
        LeafFormatAttr::get(&getContext(), format.getElem(), format.getScales().drop_front(),
                            format.getStructure(), format.getPack());
    SmallVector<Value> components(op.getComponents());
    components.erase(components.begin() + position);
    Value packed = AssembleOp::create(
        b, op.getLoc(),
        PackedType::get(op.getType().getShape(), op.getType().getElementType(), without),
        components);
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      if (isa<UnpackOp, ContractOp>(user))
        user->replaceUsesOfWith(op.getResult(), packed);
  }

  bool raise(ContractOp op, OpBuilder &b) {
    OpOperand &lhs = op.getLhsMutable(), &rhs = op.getRhsMutable();
    absorbTranspositions(op, lhs);
    absorbTranspositions(op, rhs);
    if (raiseToIntegers(op, lhs, rhs, b) || raiseToIntegers(op, rhs, lhs, b)) {
      ++numIntegers;
      return true;
    }
    return raiseWeight(op, rhs, b) || raiseWeight(op, lhs, b);
  }

  void runOnOperation() override {
    SmallVector<AssembleOp> packed;
    getOperation()->walk([&](AssembleOp op) { packed.push_back(op); });
    for (AssembleOp op : packed) {
      OpBuilder b(op);
      dropZeroPoints(op, b);
    }
    SmallVector<Operation *> candidates;
    getOperation()->walk([&](Operation *op) {
      if (isa<ContractOp, ConvOp, GatherOp>(op))
        candidates.push_back(op);
    });
    for (Operation *op : candidates) {
      OpBuilder b(op);
      bool raised = TypeSwitch<Operation *, bool>(op)
                        .Case([&](ContractOp contract) { return raise(contract, b); })
                        .Case([&](ConvOp conv) { return raiseFilter(conv, b); })
                        .Case([&](GatherOp gather) { return raiseLookup(gather, b); });
      numRaised += raised;
      if (raised && op->use_empty())
        op->erase();
    }
  }
};
} // namespace
