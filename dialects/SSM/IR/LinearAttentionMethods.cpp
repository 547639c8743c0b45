//===- LinearAttentionMethods.cpp - Linear attention as configurations ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/MethodBuilder.h"
#include "dialects/SSM/IR/SSMRecurrence.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft::ssm;

using utils::IteratorType;
using weft::IndexMath;

Result weft::ssm::buildRetNet(OpBuilder &b, Location loc, Value query, Value key, Value value,
                              Value decay, const Sequences &sequences) {
  ScanOperands o;
  o.query = query;
  o.key = key;
  o.value = value;
  o.rate = decay;
  return createScan(MethodBuilder(b, loc, value), State::Outer, Transition::Scalar, o, sequences,
                    typeOf(value).getElementType());
}

Result weft::ssm::buildGLA(OpBuilder &b, Location loc, Value query, Value key, Value value,
                           Value decay, const Sequences &sequences) {
  ScanOperands o;
  o.query = query;
  o.key = key;
  o.value = value;
  o.decay = decay;
  return createScan(MethodBuilder(b, loc, value), State::Outer, Transition::Diagonal, o, sequences,
                    typeOf(value).getElementType());
}

/// The combination of two runs of tokens, each the largest exponent, the numerator and the
/// denominator relative to it, and the decay of the whole run.
static SmallVector<Value> combineRuns(OpBuilder &b, Location loc, ValueRange first,
                                      ValueRange second) {
  Value exponent = arith::SubFOp::create(b, loc, first[0], second[3]);
  Value most = arith::MaximumFOp::create(b, loc, exponent, second[0]);
  Value old = math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, exponent, most));
  Value young = math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, second[0], most));
  SmallVector<Value> result{most};
  for (int i : {1, 2})
    result.push_back(arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, old, first[i]),
                                           arith::MulFOp::create(b, loc, young, second[i])));
  result.push_back(arith::AddFOp::create(b, loc, first[3], second[3]));
  return result;
}

Value weft::ssm::buildRWKV4(OpBuilder &b, Location loc, Value key, Value value, Value decay,
                            Value bonus) {
  MethodBuilder m(b, loc, value);
  auto number = [&](double x) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(m.compute, x));
  };
  auto second = [](OpBuilder &, Location, ValueRange args) { return args[1]; };
  Value ones = m.einsum("btd->btd", key, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(m.compute, 1.0));
  });
  Value inputs[] = {m.product("btd->btd", key), m.product("btd->btd", value), ones,
                    m.einsum("btd,d->btd", {key, decay}, second)};
  // Below all exponents, and still a number: differences of it are no NaN.
  Value identity[] = {number(-1e30), number(0), number(0), number(0)};
  SmallVector<Value> inits(4, m.empty(tensor::getMixedSizes(b, loc, key)));
  auto scan = ScanRegionOp::create(b, loc, TypeRange(ValueRange(inits)), inputs, identity, inits,
                                   /*dimension=*/1, /*exclusive=*/true, /*reverse=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&scan.getCombiner(), {}, SmallVector<Type>(8, m.compute),
                                SmallVector<Location>(8, loc));
    ValueRange args = body->getArguments();
    YieldOp::create(b, loc, combineRuns(b, loc, args.take_front(4), args.drop_front(4)));
  }
  Value operands[] = {scan.getResult(0), scan.getResult(1), scan.getResult(2), key, value, bonus};
  return m.einsum(
      "btd,btd,btd,btd,btd,d->btd", operands,
      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        // The token itself has decay 0 and the bonus.
        Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(args[0].getType()));
        Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(args[0].getType(), 1.0));
        Value here = arith::AddFOp::create(b, loc, args[5], args[3]);
        SmallVector<Value> all =
            combineRuns(b, loc, {args[0], args[1], args[2], zero}, {here, args[4], one, zero});
        return arith::DivFOp::create(b, loc, all[1], all[2]);
      },
      typeOf(value).getElementType());
}

Result weft::ssm::buildRWKV6(OpBuilder &b, Location loc, Value receptance, Value key, Value value,
                             Value decay, Value bonus, const Sequences &sequences) {
  ScanOperands o;
  o.query = receptance;
  o.key = key;
  o.value = value;
  (typeOf(decay).getRank() == 2 ? o.rate : o.decay) = decay;
  o.bonus = bonus;
  o.read = Read::Pre;
  return createScan(MethodBuilder(b, loc, value), State::Outer, Transition::Diagonal, o, sequences,
                    typeOf(value).getElementType());
}

Result weft::ssm::buildRWKV7(OpBuilder &b, Location loc, Value receptance, Value key, Value value,
                             Value decay, Value removal, Value rate, const Sequences &sequences) {
  MethodBuilder m(b, loc, value);
  ScanOperands o;
  o.query = receptance;
  o.key = key;
  o.value = value;
  o.decay = decay;
  o.alpha = removal;
  o.beta = m.einsum("bthk,bthk->bthk", {removal, rate},
                    [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                      Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                      return arith::NegFOp::create(b, loc, product);
                    });
  return createScan(m, State::Outer, Transition::DiagonalPlusLowRank, o, sequences,
                    typeOf(value).getElementType());
}

Result weft::ssm::buildDeltaRule(OpBuilder &b, Location loc, Value query, Value key, Value value,
                                 Value strength, Value decay, const Sequences &sequences) {
  MethodBuilder m(b, loc, value);
  ScanOperands o;
  o.query = query;
  o.key = m.product("bthk,bth->bthk", {key, strength});
  o.value = value;
  o.decay = decay;
  o.alpha = key;
  o.beta = o.key;
  return createScan(m, State::Outer, Transition::Householder, o, sequences,
                    typeOf(value).getElementType());
}
