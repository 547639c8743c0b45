//===- IndexOps.cpp - Checked indices, extents and positions --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/IndexOps.h"

#include "Frontend/ONNX/Importer.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// More elements than this is taken for a mistake: 16 TiB of bytes.
static constexpr int64_t kMaxElements = int64_t(1) << 44;
/// How deep the arithmetic of an extent is looked into.
static constexpr int kMaxDepth = 16;

//===----------------------------------------------------------------------===//
// Facts about index arithmetic
//===----------------------------------------------------------------------===//

/// An extent that the entry is given. Regions that are being built have no parent.
static bool isEntryArgument(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument && argument.getType().isIndex() &&
         isa_and_nonnull<FunctionOpInterface>(argument.getOwner()->getParentOp());
}

static bool isNonNegative(Value value, int depth) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant >= 0;
  if (isEntryArgument(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  auto operand = [&](unsigned i) { return isNonNegative(op->getOperand(i), depth - 1); };
  if (isa<tensor::DimOp, linalg::IndexOp, arith::IndexCastUIOp>(op))
    return true;
  if (isa<arith::MaxSIOp>(op))
    return operand(0) || operand(1);
  if (isa<arith::AddIOp, arith::MulIOp, arith::MinSIOp, arith::DivSIOp, arith::CeilDivSIOp,
          arith::FloorDivSIOp>(op))
    return operand(0) && operand(1);
  if (isa<arith::RemSIOp>(op))
    return operand(0);
  if (isa<arith::SelectOp>(op))
    return operand(1) && operand(2);
  return false;
}

bool weft::onnx::isNonNegative(OpFoldResult x) {
  if (std::optional<int64_t> constant = DimBuilder::constantOf(x))
    return *constant >= 0;
  return ::isNonNegative(mlir::cast<Value>(x), kMaxDepth);
}

static bool dependsOnData(Value value, int depth) {
  if (getConstantIntValue(value) || isEntryArgument(value))
    return false;
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return true;
  // An extent of a tensor, whatever made it.
  if (isa<tensor::DimOp>(op))
    return false;
  if (op->getDialect()->getNamespace() != arith::ArithDialect::getDialectNamespace())
    return true;
  return llvm::any_of(op->getOperands(),
                      [&](Value operand) { return dependsOnData(operand, depth - 1); });
}

bool weft::onnx::dependsOnData(OpFoldResult x) {
  if (DimBuilder::constantOf(x))
    return false;
  return ::dependsOnData(mlir::cast<Value>(x), kMaxDepth);
}

namespace {
/// A product: a number times values.
struct Product {
  int64_t number = 1;
  bool overflows = false;
  SmallVector<Value> factors;

  explicit Product(ArrayRef<OpFoldResult> list) {
    for (OpFoldResult x : list)
      add(x, kMaxDepth);
  }
  void add(OpFoldResult x, int depth) {
    if (std::optional<int64_t> constant = DimBuilder::constantOf(x)) {
      overflows |= __builtin_mul_overflow(number, *constant, &number);
      return;
    }
    Value value = mlir::cast<Value>(x);
    auto mul = value.getDefiningOp<arith::MulIOp>();
    if (mul && depth > 0) {
      add(mul.getLhs(), depth - 1);
      add(mul.getRhs(), depth - 1);
      return;
    }
    factors.push_back(value);
  }
};
} // namespace

/// Removes the factors that both have.
static void cancel(Product &x, Product &y) {
  for (size_t i = x.factors.size(); i-- > 0;) {
    auto it = llvm::find(y.factors, x.factors[i]);
    if (it == y.factors.end())
      continue;
    y.factors.erase(it);
    x.factors.erase(x.factors.begin() + i);
  }
  if (x.overflows || y.overflows || x.number <= 0 || y.number <= 0)
    return;
  int64_t divisor = std::gcd(x.number, y.number);
  x.number /= divisor;
  y.number /= divisor;
}

bool weft::onnx::sameProduct(ArrayRef<OpFoldResult> x, ArrayRef<OpFoldResult> y) {
  Product a(x), c(y);
  if (a.overflows || c.overflows)
    return false;
  cancel(a, c);
  return a.number == c.number && a.factors.empty() && c.factors.empty();
}

OpFoldResult weft::onnx::divideProducts(NodeContext &node, ArrayRef<OpFoldResult> x,
                                        ArrayRef<OpFoldResult> y) {
  DimBuilder &d = node.dims;
  Product a(x), c(y);
  if (a.overflows || c.overflows)
    return d.truncDiv(d.product(x), d.max(d.product(y), d.constant(1)));
  cancel(a, c);
  if (c.number == 0)
    return d.constant(0);
  auto build = [&](Product &p) {
    OpFoldResult result = d.constant(1);
    for (Value factor : p.factors)
      result = d.mul(result, factor);
    return d.mul(result, d.constant(p.number));
  };
  OpFoldResult dividend = build(a), divisor = build(c);
  if (DimBuilder::constantOf(divisor))
    return d.truncDiv(dividend, divisor);
  auto quotient =
      arith::DivSIOp::create(node.b, d.value(dividend), d.value(d.max(divisor, d.constant(1))));
  // Where the divisor is 0 there are no elements and any extent will do, so that
  // `weft-simplify-dims` may cancel it.
  quotient->setAttr(WeftDialect::quotientAttrName, node.b.getUnitAttr());
  return quotient.getResult();
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value weft::onnx::conditionBit(NodeContext &node, OpFoldResult condition) {
  return node.b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ne, node.dims.value(condition),
                                            node.dims.value(node.dims.constant(0)));
}

OpFoldResult weft::onnx::both(NodeContext &node, OpFoldResult x, OpFoldResult y) {
  return node.dims.min(x, y);
}
OpFoldResult weft::onnx::either(NodeContext &node, OpFoldResult x, OpFoldResult y) {
  return node.dims.max(x, y);
}
OpFoldResult weft::onnx::negate(NodeContext &node, OpFoldResult x) {
  return node.dims.sub(node.dims.constant(0), x);
}

OpFoldResult weft::onnx::clamp(NodeContext &node, OpFoldResult x, OpFoldResult low,
                               OpFoldResult high) {
  DimBuilder &d = node.dims;
  if (DimBuilder::constantOf(low) != 0 || !isNonNegative(x))
    x = d.max(x, low);
  // Nothing is below 0 that an extent limits.
  if (DimBuilder::constantOf(x) == 0 && isNonNegative(high))
    return x;
  return d.min(x, high);
}

OpFoldResult weft::onnx::fromEnd(NodeContext &node, OpFoldResult x, OpFoldResult extent) {
  DimBuilder &d = node.dims;
  if (isNonNegative(x))
    return x;
  return d.select(d.less(x, d.constant(0)), d.add(x, extent), x);
}

OpFoldResult weft::onnx::choose(NodeContext &node, ArrayRef<OpFoldResult> values,
                                OpFoldResult index) {
  DimBuilder &d = node.dims;
  OpFoldResult result = values.back();
  for (size_t i = values.size() - 1; i-- > 0;)
    result = d.select(d.equal(index, d.constant(static_cast<int64_t>(i))), values[i], result);
  return result;
}

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

LogicalResult weft::onnx::require(NodeContext &node, OpFoldResult condition, int32_t code,
                                  StringRef message, ArrayRef<OpFoldResult> values) {
  std::optional<int64_t> known = DimBuilder::constantOf(condition);
  if (!known) {
    buildAssert(node, conditionBit(node, condition), code, message, values);
    return success();
  }
  if (*known)
    return success();
  std::string text = message.str();
  for (auto [i, value] : llvm::enumerate(values)) {
    std::string mark = llvm::formatv("{{{0}}", i);
    std::optional<int64_t> number = DimBuilder::constantOf(value);
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark))
      text.replace(at, mark.size(), number ? std::to_string(*number) : "?");
  }
  return node.error(text);
}

LogicalResult weft::onnx::requireExtents(NodeContext &node, ArrayRef<OpFoldResult> dims) {
  DimBuilder &d = node.dims;
  OpFoldResult limit = d.constant(kMaxElements), total = d.constant(1);
  for (OpFoldResult dim : dims) {
    if (!isNonNegative(dim) &&
        failed(require(node, d.less(d.constant(-1), dim), WEFT_INVALID_ARGUMENT,
                       "has an extent of {0}, expected none below 0", {dim})))
      return failure();
  }
  // Saturating, so that nothing wraps around.
  for (OpFoldResult dim : dims) {
    OpFoldResult room = d.floorDiv(limit, d.max(dim, d.constant(1)));
    total = d.select(d.less(room, total), d.constant(kMaxElements + 1), d.mul(total, dim));
  }
  return require(node, d.less(total, d.constant(kMaxElements + 1)), WEFT_RESOURCE_EXHAUSTED,
                 "gives a tensor of more than 2^44 elements");
}

/// Constant indices are compared with the extent on the host.
static std::optional<LogicalResult>
requireKnownIndices(NodeContext &node, const TensorValue &indices, ArrayRef<OpFoldResult> extents) {
  std::optional<SmallVector<double>> numbers;
  if (extents.size() != 1)
    return std::nullopt;
  DimBuilder &d = node.dims;
  OpFoldResult extent = extents[0];
  auto check = [&](OpFoldResult index) {
    OpFoldResult inside =
        both(node, d.less(index, extent), d.less(d.sub(d.constant(-1), extent), index));
    return require(node, inside, WEFT_OUT_OF_RANGE,
                   "index {0} is out of range for an extent of {1}", {index, extent});
  };
  if (indices.elements) {
    for (OpFoldResult index : *indices.elements)
      if (failed(check(index)))
        return failure();
    return success();
  }
  numbers = constantNumbers(indices);
  if (!numbers)
    return std::nullopt;
  if (numbers->empty())
    return success();
  auto [least, most] = std::minmax_element(numbers->begin(), numbers->end());
  if (failed(check(d.constant(static_cast<int64_t>(*least)))))
    return failure();
  return check(d.constant(static_cast<int64_t>(*most)));
}

LogicalResult weft::onnx::requireIndices(NodeContext &node, const TensorValue &indices,
                                         ArrayRef<OpFoldResult> extents, bool areTuples) {
  DimBuilder &d = node.dims;
  if (extents.empty())
    return success();
  if (std::optional<LogicalResult> known = requireKnownIndices(node, indices, extents))
    return *known;
  Value tensor = node.value(indices);
  int64_t rank = indices.rank();
  Location loc = node.b.getLoc();
  // The lowest row-major position of an index out of range, else the largest i64.
  mlir::Type wide = node.b.getI64Type();
  TensorValue none =
      makeFilled(node, ElementType::Int64, {}, makeIntScalar(node.b, loc, wide, INT64_MAX));
  ElementType type = indices.elementType;
  auto outside = [&](const KernelIndex &k, Value index, Value component) {
    Value extent = k.of(extents.back());
    if (areTuples)
      for (size_t i = extents.size() - 1; i-- > 0;)
        extent = k.select(k.cmp(arith::CmpIPredicate::eq, component, k.constant(i)),
                          k.of(extents[i]), extent);
    Value low = k.less(index, k.sub(k.constant(0), extent));
    Value high = k.cmp(arith::CmpIPredicate::sge, index, extent);
    return arith::OrIOp::create(k.b, k.loc, low, high).getResult();
  };
  auto generic = linalg::GenericOp::create(
      node.b, loc, none.value.getType(), tensor, none.value,
      ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(rank),
                          AffineMap::get(rank, 0, node.context())},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::reduction),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        KernelIndex k{b, loc};
        Value position = k.constant(0), component = k.constant(0);
        for (int64_t i = 0; i < rank; ++i) {
          component = k.loop(i);
          position = k.add(k.mul(position, k.of(indices.dims[i])), component);
        }
        Value bad = outside(k, k.fromElement(args[0], type), component);
        Value candidate =
            k.select(bad, k.toInteger(position, wide), makeIntScalar(b, loc, wide, INT64_MAX));
        linalg::YieldOp::create(b, loc,
                                arith::MinSIOp::create(b, loc, args[1], candidate).getResult());
      });
  Value lowest = tensor::ExtractOp::create(node.b, loc, generic.getResult(0), ValueRange{});
  Value fails = arith::CmpIOp::create(node.b, loc, arith::CmpIPredicate::ne, lowest,
                                      makeIntScalar(node.b, loc, wide, INT64_MAX));
  // Only then the index is read again, for the message.
  d.pushScope();
  auto branch = scf::IfOp::create(node.b, loc, fails, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(node.b);
    node.b.setInsertionPoint(branch.thenYield());
    OpFoldResult rest = d.fromInteger(lowest), component = d.constant(0);
    SmallVector<Value> at(rank);
    for (int64_t i = rank; i-- > 0;) {
      OpFoldResult extent = d.max(indices.dims[i], d.constant(1));
      OpFoldResult position = d.rem(rest, extent);
      if (i == rank - 1)
        component = position;
      at[i] = d.value(position);
      rest = d.truncDiv(rest, extent);
    }
    Value element = tensor::ExtractOp::create(node.b, loc, tensor, at);
    Value index = KernelIndex{node.b, loc}.fromElement(element, type);
    OpFoldResult extent = areTuples ? choose(node, extents, component) : extents.back();
    buildAssert(node, arith::ConstantIntOp::create(node.b, loc, 0, 1), WEFT_OUT_OF_RANGE,
                "index {0} is out of range for an extent of {1}", {index, extent});
  }
  d.popScope();
  return success();
}

//===----------------------------------------------------------------------===//
// Inputs that say how
//===----------------------------------------------------------------------===//

FailureOr<OpFoldResult> weft::onnx::shapeScalar(NodeContext &node, const TensorValue &x,
                                                StringRef what) {
  if (x.elements && x.elements->size() == 1)
    return x.elements->front();
  if (!isInteger(x.elementType))
    return node.error("has " + what + " of type " + describe(x) + ", expected an integer");
  for (int64_t i = 0; i < x.rank(); ++i)
    if (failed(require(node, node.dims.equal(x.dims[i], node.dims.constant(1)),
                       WEFT_INVALID_ARGUMENT,
                       ("has " + what + " of {0} elements, expected 1").str(), {x.dims[i]})))
      return failure();
  if (std::optional<SmallVector<double>> numbers = constantNumbers(x))
    return node.dims.constant(static_cast<int64_t>(numbers->front()));
  return node.dims.fromInteger(extractScalar(node, x));
}

FailureOr<Dims> weft::onnx::shapeElementsOf(NodeContext &node, const TensorValue &x,
                                            std::optional<int64_t> count) {
  if (x.elements || x.rank() != 1 || !ShapedType::isDynamic(x.staticDim(0)) || !count)
    return shapeElements(node, x);
  OpFoldResult wanted = node.dims.constant(*count);
  if (failed(require(node, node.dims.equal(x.dims[0], wanted), WEFT_INVALID_ARGUMENT,
                     "has a vector of {0} elements where {1} are expected", {x.dims[0], wanted})))
    return failure();
  RankedTensorType type = tensorType(node.context(), x.elementType, {wanted});
  Value fixed = tensor::CastOp::create(node.b, node.b.getLoc(), type, node.value(x));
  return shapeElements(node, makeValue(fixed, x.elementType, {wanted}));
}

FailureOr<std::pair<Dims, OpFoldResult>>
weft::onnx::shapeElementsUpTo(NodeContext &node, const TensorValue &x, int64_t most) {
  if (x.elements || x.rank() != 1 || !ShapedType::isDynamic(x.staticDim(0)) ||
      !isInteger(x.elementType)) {
    FailureOr<Dims> elements = shapeElements(node, x);
    if (failed(elements))
      return failure();
    OpFoldResult count = node.dims.constant(static_cast<int64_t>(elements->size()));
    return std::make_pair(*elements, count);
  }
  DimBuilder &d = node.dims;
  OpFoldResult limit = d.constant(most);
  if (failed(require(node, d.less(x.dims[0], d.constant(most + 1)), WEFT_INVALID_ARGUMENT,
                     "has a vector of {0} elements where at most {1} are expected",
                     {x.dims[0], limit})))
    return failure();
  OpFoldResult kept = d.min(x.dims[0], limit);
  TensorValue head = slice(node, x, {d.constant(0)}, {kept}, {d.constant(1)});
  Value zero =
      makeIntScalar(node.b, node.b.getLoc(), storageType(node.context(), x.elementType), 0);
  TensorValue full = pad(node, head, {d.constant(0)}, {d.sub(limit, kept)}, zero);
  RankedTensorType type = tensorType(node.context(), x.elementType, {limit});
  if (full.value.getType() != type)
    full.value = tensor::CastOp::create(node.b, node.b.getLoc(), type, full.value);
  FailureOr<Dims> elements = shapeElements(node, makeValue(full.value, x.elementType, {limit}));
  if (failed(elements))
    return failure();
  return std::make_pair(*elements, x.dims[0]);
}

std::optional<SmallVector<int64_t>> weft::onnx::knownElements(ArrayRef<OpFoldResult> elements) {
  SmallVector<int64_t> numbers;
  for (OpFoldResult element : elements) {
    std::optional<int64_t> constant = DimBuilder::constantOf(element);
    if (!constant)
      return std::nullopt;
    numbers.push_back(*constant);
  }
  return numbers;
}

//===----------------------------------------------------------------------===//
// Scalars inside of kernels
//===----------------------------------------------------------------------===//

Value KernelIndex::constant(int64_t value) const {
  return arith::ConstantIndexOp::create(b, loc, value);
}
Value KernelIndex::loop(int64_t i) const { return linalg::IndexOp::create(b, loc, i); }
Value KernelIndex::add(Value x, Value y) const { return b.createOrFold<arith::AddIOp>(loc, x, y); }
Value KernelIndex::sub(Value x, Value y) const { return b.createOrFold<arith::SubIOp>(loc, x, y); }
Value KernelIndex::mul(Value x, Value y) const { return b.createOrFold<arith::MulIOp>(loc, x, y); }
Value KernelIndex::div(Value x, Value y) const { return b.createOrFold<arith::DivUIOp>(loc, x, y); }
Value KernelIndex::rem(Value x, Value y) const { return b.createOrFold<arith::RemUIOp>(loc, x, y); }
Value KernelIndex::min(Value x, Value y) const { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
Value KernelIndex::max(Value x, Value y) const { return b.createOrFold<arith::MaxSIOp>(loc, x, y); }
Value KernelIndex::select(Value c, Value x, Value y) const {
  return b.createOrFold<arith::SelectOp>(loc, c, x, y);
}
Value KernelIndex::cmp(arith::CmpIPredicate p, Value x, Value y) const {
  return b.createOrFold<arith::CmpIOp>(loc, p, x, y);
}
Value KernelIndex::less(Value x, Value y) const { return cmp(arith::CmpIPredicate::slt, x, y); }
Value KernelIndex::of(OpFoldResult x) const { return getValueOrCreateConstantIndexOp(b, loc, x); }

Value KernelIndex::fromElement(Value element, ElementType type) const {
  if (isUnsigned(type))
    return b.createOrFold<arith::IndexCastUIOp>(loc, b.getIndexType(), element);
  return b.createOrFold<arith::IndexCastOp>(loc, b.getIndexType(), element);
}
Value KernelIndex::toInteger(Value index, mlir::Type type) const {
  return b.createOrFold<arith::IndexCastOp>(loc, type, index);
}
Value KernelIndex::position(Value raw, Value extent) const {
  Value index = select(less(raw, constant(0)), add(raw, extent), raw);
  return max(min(index, sub(extent, constant(1))), constant(0));
}
