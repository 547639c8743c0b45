//===- MethodBuilder.cpp - What methods are built with --------------------===//
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

Value MethodBuilder::einsum(StringRef spec, ValueRange inputs, Body body, Type element) {
  auto [left, output] = spec.split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  std::string loops = output.str();
  for (StringRef term : terms)
    for (char letter : term)
      if (letter != '1' && !StringRef(loops).contains(letter))
        loops += letter;
  auto mapOf = [&](StringRef term) {
    SmallVector<AffineExpr> exprs;
    for (char letter : term)
      exprs.push_back(letter == '1' ? b.getAffineConstantExpr(0)
                                    : b.getAffineDimExpr(StringRef(loops).find(letter)));
    return AffineMap::get(loops.size(), 0, exprs, b.getContext());
  };
  SmallVector<AffineMap> maps;
  for (StringRef term : terms)
    maps.push_back(mapOf(term));
  maps.push_back(mapOf(output));
  SmallVector<OpFoldResult> sizes;
  for (char letter : output)
    for (auto [term, input] : llvm::zip(terms, inputs))
      if (size_t at = term.find(letter); at != StringRef::npos) {
        sizes.push_back(size(input, at));
        break;
      }
  SmallVector<IteratorType> iterators(loops.size(), IteratorType::reduction);
  std::fill_n(iterators.begin(), output.size(), IteratorType::parallel);
  bool sums = output.size() != loops.size();
  Type result = element ? element : compute;
  Value init = empty(sizes, sums ? compute : result);
  if (sums) {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(compute));
    init = linalg::FillOp::create(b, loc, zero, init).getResult(0);
  }
  return createGeneric(b, loc, inputs, init, maps, iterators, compute,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value x = body(b, loc, args.drop_back());
                         if (sums)
                           return arith::AddFOp::create(b, loc, args.back(), x);
                         return convertFloat(b, loc, x, result);
                       });
}

Value MethodBuilder::product(StringRef spec, ValueRange inputs, Type element) {
  return einsum(
      spec, inputs,
      [](OpBuilder &b, Location loc, ValueRange args) {
        Value x = args[0];
        for (Value y : args.drop_front())
          x = arith::MulFOp::create(b, loc, x, y);
        return x;
      },
      element);
}

Value MethodBuilder::expand(Value tensor, int64_t dim) {
  RankedTensorType type = typeOf(tensor);
  int64_t rank = type.getRank();
  SmallVector<ReassociationIndices> groups(rank);
  for (int64_t i = 0; i <= rank; ++i)
    groups[dim == 0 ? std::max<int64_t>(i - 1, 0) : i < dim ? i : i - 1].push_back(i);
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + dim, 1);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor);
  sizes.insert(sizes.begin() + dim, b.getIndexAttr(1));
  return tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()),
                                       tensor, groups, sizes);
}

Value MethodBuilder::collapse(Value tensor, int64_t dim) {
  SmallVector<ReassociationIndices> groups(typeOf(tensor).getRank() - 1);
  for (int64_t i = 0; i < typeOf(tensor).getRank(); ++i)
    groups[i < dim ? i : i - 1].push_back(i);
  return tensor::CollapseShapeOp::create(b, loc, tensor, groups);
}

Value MethodBuilder::interleave(Value x, Value y) {
  int64_t rank = typeOf(x).getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, x);
  sizes.push_back(b.getIndexAttr(2));
  Value both = empty(sizes);
  sizes.back() = b.getIndexAttr(1);
  SmallVector<OpFoldResult> strides(rank + 1, b.getIndexAttr(1)),
      offsets(rank + 1, b.getIndexAttr(0));
  std::string letters = std::string("abcdefgh").substr(0, rank);
  Value parts[] = {x, y};
  for (auto [i, part] : llvm::enumerate(parts)) {
    offsets.back() = b.getIndexAttr(i);
    Value wide = product(letters + "->" + letters, part);
    both = tensor::InsertSliceOp::create(b, loc, wide, both, offsets, sizes, strides);
  }
  return collapse(both, rank);
}

Value MethodBuilder::constant(ArrayRef<int64_t> shape, ArrayRef<double> values) {
  auto type = RankedTensorType::get(shape, compute);
  SmallVector<Attribute> numbers;
  for (double value : values)
    numbers.push_back(b.getFloatAttr(compute, value));
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, numbers));
}

Result weft::ssm::createScan(MethodBuilder m, State state, Transition transition,
                             const ScanOperands &o, const Sequences &sequences, Type element,
                             Value rowsOf) {
  OpBuilder &b = m.b;
  Location loc = m.loc;
  bool outer = state == State::Outer;
  OpFoldResult batch = m.size(o.value, 0), tokens = m.size(o.value, 1), heads = m.size(o.value, 2);
  if (o.substeps != 1)
    tokens = m.size(o.query, 1);
  OpFoldResult rows = m.size(outer ? (o.key ? o.key : o.query) : o.value, 3);
  OpFoldResult columns = outer ? m.size(o.value, 3) : OpFoldResult();
  SmallVector<OpFoldResult> output{batch, tokens, heads}, final{batch, heads, rows};
  if (sequences.offsets) {
    IndexMath index{b, loc};
    final[0] = index.sub(index.dim(sequences.offsets, 0), index.constant(1));
  }
  if (!o.query)
    output.push_back(rows);
  if (outer) {
    output.push_back(columns);
    final.push_back(columns);
  }
  Value finalInit = sequences.finalInit ? sequences.finalInit : m.empty(final);
  Value inits[] = {m.empty(output, element), finalInit};
  auto scan =
      ScanOp::create(b, loc, inits[0].getType(), inits[1].getType(), Type(), state, transition,
                     o.query, o.key, o.value, o.decay, o.rate, o.angle, o.alpha, o.beta, o.matrix,
                     o.bonus, sequences.initial, sequences.offsets, /*order=*/Value(),
                     sequences.sources, sequences.destinations, inits, o.read, o.linear, /*rank=*/1,
                     o.substeps, /*reads=*/1, sequences.direction, Emit::Last, /*count=*/1,
                     /*chunk=*/0);
  return {scan.getOutput(), scan.getFinal()};
}

Value weft::ssm::sigmoid(OpBuilder &b, Location loc, Value x) {
  Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(x.getType(), 1.0));
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  return arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, e));
}

ValueRange weft::ssm::discretize(MethodBuilder m, Rule rule, Value delta, Value rate, Value imag,
                                 Value bias, Value gate, Value offsets, bool softplus, Value like,
                                 size_t count) {
  SmallVector<Value> inits(count, m.empty(tensor::getMixedSizes(m.b, m.loc, like)));
  auto op = DiscretizeOp::create(m.b, m.loc, TypeRange(ValueRange(inits)), rule, delta, rate, imag,
                                 bias, gate, offsets, inits, softplus, FloatAttr(), FloatAttr());
  return op.getResults();
}

Value weft::ssm::addSkip(MethodBuilder m, StringRef spec, Value y, Value skip, Value x,
                         Type element) {
  return m.einsum(
      spec, {y, skip, x},
      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::AddFOp::create(b, loc, args[0],
                                     arith::MulFOp::create(b, loc, args[1], args[2]));
      },
      element);
}
