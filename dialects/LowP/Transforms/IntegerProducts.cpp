//===- IntegerProducts.cpp - Products of codes ----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/Transforms/IntegerProducts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

bool lowp::isConstant(Value value) {
  while (Operation *def = value.getDefiningOp()) {
    if (!isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp, linalg::TransposeOp>(
            def))
      break;
    value = def->getOperand(0);
  }
  return matchPattern(value, m_Constant());
}

bool lowp::isConstant(const Quantized &quantized) {
  return quantized.type.hasStaticShape() &&
         llvm::all_of(quantized.getComponents(), [](Value c) { return isConstant(c); });
}

static bool isZeroFill(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) ||
                  matchPattern(fill.getInputs()[0], m_Zero()));
}

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

bool lowp::isInteger(const Quantized &quantized) {
  auto elem = dyn_cast<IntElementAttr>(quantized.getFormat().getElem());
  return elem && elem.getOffset() == 0 && quantized.getLevels().size() <= 1 &&
         llvm::all_of(quantized.getLevels(), [](ScaleInterface level) {
           auto scale = dyn_cast<ScaleAttr>(mlir::Attribute(level));
           auto storage = scale ? dyn_cast_or_null<LeafFormatAttr>(scale.getStorage()) : nullptr;
           return storage && scale.getRole() == Role::ZeroPoint && storage.getScales().empty() &&
                  isa<IntElementAttr>(storage.getElem());
         });
}

IntegerFactor lowp::integerFactor(OpBuilder &b, Location loc, const Quantized &quantized) {
  if (auto codes = IntegerCodes::match(quantized); codes && !codes->zeroPoint)
    return {codes->codes, codes->isUnsigned};
  auto elem = cast<IntElementAttr>(quantized.getFormat().getElem());
  bool fits = elem.getIsSigned() && elem.getOffset() == 0 && quantized.getLevels().empty();
  return {quantized.withoutScale(b, loc, b.getIntegerType(fits ? 8 : 16)), false};
}

Value lowp::numbersOf(OpBuilder &b, Location loc, Value factor) {
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

Value lowp::compensation(OpBuilder &b, Location loc, const IntegerFactor &factor,
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
