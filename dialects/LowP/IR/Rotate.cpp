//===- Rotate.cpp - Tensors in another basis ------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/Bases.h"
#include "dialects/LowP/IR/Lanes.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

//===----------------------------------------------------------------------===//
// Verifier, canonicalization
//===----------------------------------------------------------------------===//

static LogicalResult verifyParameter(RotateOp op, Attribute part, RankedTensorType type,
                                     int64_t extent) {
  bool isIndex = isa<PermutationAttr>(part);
  Type element = type.getElementType();
  bool isRight = isIndex ? element.isInteger(32) || element.isInteger(64) : isa<FloatType>(element);
  if (type.getRank() == 1 && isRight && succeeded(verifyCompatibleShape(type.getShape(), {extent})))
    return success();
  return op.emitOpError("has parameters of type ")
         << type << " for " << part << ", expected one " << (isIndex ? "i32 or i64" : "float")
         << " for each position along the axis";
}

LogicalResult RotateOp::verify() {
  RankedTensorType type = getNumbers().getType();
  if (!isa<FloatType>(type.getElementType()))
    return emitOpError("rotates floats, got ") << type;
  if (getAxis() >= static_cast<uint64_t>(type.getRank()))
    return emitOpError("rotates along dimension ") << getAxis() << " of " << type;
  auto emitError = [&] { return emitOpError(); };
  int64_t extent = type.getDimSize(getAxis());
  if (failed(verifyBasis(emitError, getBasis())) ||
      failed(verifyBasisOf(emitError, getBasis(), extent)))
    return failure();
  SmallVector<Attribute> parts = getBasisParts(getBasis());
  llvm::erase_if(parts, [](Attribute part) { return !hasParameter(part); });
  if (parts.size() != getParameters().size())
    return emitOpError("has ") << getParameters().size() << " parameters, " << getBasis() << " has "
                               << parts.size();
  for (auto [part, parameter] : llvm::zip(parts, getParameters()))
    if (failed(verifyParameter(*this, part, cast<RankedTensorType>(parameter.getType()), extent)))
      return failure();
  return success();
}

TilingLoops RotateOp::getTilingLoops() {
  int64_t rank = getNumbers().getType().getRank();
  TilingLoops loops(*this, rank - 1);
  auto dims = llvm::to_vector_of<LoopDim>(llvm::seq<int64_t>(0, rank - 1));
  dims.insert(dims.begin() + static_cast<int64_t>(getAxis()), LoopDim());
  return loops.cut(getNumbersMutable(), dims).give(0, dims);
}

LogicalResult RotateOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(b, getLoc(), getNumbers()));
  return success();
}

namespace {
/// A rotation and its inverse.
struct CancelRotations : OpRewritePattern<RotateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(RotateOp op, PatternRewriter &rewriter) const override {
    auto before = op.getNumbers().getDefiningOp<RotateOp>();
    if (!before || before.getBasis() != op.getBasis() || before.getAxis() != op.getAxis() ||
        before.getDual() != op.getDual() || before.getInverse() == op.getInverse() ||
        before.getParameters() != op.getParameters())
      return rewriter.notifyMatchFailure(op, "does not undo a rotation");
    rewriter.replaceOp(op, before.getNumbers());
    return success();
  }
};

/// Orthogonal matrices are their own duals.
struct DropDual : OpRewritePattern<RotateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(RotateOp op, PatternRewriter &rewriter) const override {
    if (!op.getDual() || llvm::any_of(getBasisParts(op.getBasis()), llvm::IsaPred<DiagonalAttr>))
      return rewriter.notifyMatchFailure(op, "has a dual of its own");
    rewriter.modifyOpInPlace(op, [&] { op.setDual(false); });
    return success();
  }
};
} // namespace

void RotateOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<CancelRotations, DropDual>(context);
}

//===----------------------------------------------------------------------===//
// Reference
//===----------------------------------------------------------------------===//

namespace {
/// Multiplies the rows of one tensor by the matrices of one basis.
class Rotation {
public:
  Rotation(OpBuilder &b, Location loc, RotateOp op)
      : b(b), loc(loc), axis(op.getAxis()), inverse(op.getInverse()), dual(op.getDual()),
        element(cast<FloatType>(op.getNumbers().getType().getElementType())),
        compute(element.isF64() ? element : FloatType(b.getF32Type())),
        dims(tensor::getMixedSizes(b, loc, op.getNumbers())) {}

  Value permute(Value x, Value indices) const;
  Value scale(Value x, Value factors, bool divide) const;
  Value multiplyHadamard(Value x, HadamardAttr hadamard, Value signs);
  Value convert(Value x, FloatType to) const;
  FloatType getElement() const { return element; }
  FloatType getCompute() const { return compute; }
  bool divides() const { return inverse != dual; }

private:
  Value empty(Type type) const { return tensor::EmptyOp::create(b, loc, dims, type); }
  Value elementwise(FloatType type, ValueRange inputs, ArrayRef<AffineMap> maps,
                    llvm::function_ref<Value(OpBuilder &, ValueRange)> body) const;
  Value invert(Value indices) const;
  Value multiplyFactor(Value x, unsigned dim, ArrayRef<int8_t> matrix, double factor) const;

  OpBuilder &b;
  Location loc;
  int64_t axis;
  bool inverse, dual;
  FloatType element, compute;
  SmallVector<OpFoldResult> dims; ///< of the tensor as it is at present
};
} // namespace

Value Rotation::elementwise(FloatType type, ValueRange inputs, ArrayRef<AffineMap> maps,
                            llvm::function_ref<Value(OpBuilder &, ValueRange)> body) const {
  int64_t rank = dims.size();
  SmallVector<AffineMap> all(maps);
  all.push_back(b.getMultiDimIdentityMap(rank));
  Value init = empty(type);
  return linalg::GenericOp::create(
             b, loc, init.getType(), inputs, init, all,
             SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
             [&](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, body(b, args));
             })
      .getResult(0);
}

Value Rotation::convert(Value x, FloatType to) const {
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getElementType() == to)
    return x;
  return elementwise(to, x, b.getMultiDimIdentityMap(type.getRank()),
                     [&](OpBuilder &b, ValueRange args) {
                       return Lanes{b, loc, args[0].getType()}.convert(args[0], to);
                     });
}

/// The positions that `indices` permutes to.
Value Rotation::invert(Value indices) const {
  auto type = cast<RankedTensorType>(indices.getType());
  IndexMath m{b, loc};
  Value extent = m.dim(indices, 0);
  auto loop = scf::ForOp::create(
      b, loc, m.constant(0), extent, m.constant(1), indices,
      [&](OpBuilder &b, Location loc, Value i, ValueRange carried) {
        IndexMath m{b, loc};
        Value to = tensor::ExtractOp::create(b, loc, indices, i);
        to = arith::IndexCastOp::create(b, loc, b.getIndexType(), to);
        Value from = arith::IndexCastOp::create(b, loc, type.getElementType(), i);
        Value next = tensor::InsertOp::create(b, loc, from, carried.front(), m.clamp(to, extent));
        scf::YieldOp::create(b, loc, next);
      });
  return loop.getResult(0);
}

Value Rotation::permute(Value x, Value indices) const {
  // Permutations are orthogonal: the dual is the permutation itself.
  if (inverse)
    indices = invert(indices);
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  AffineMap along = AffineMap::get(rank, 0, b.getAffineDimExpr(axis));
  return elementwise(compute, indices, along, [&](OpBuilder &b, ValueRange args) -> Value {
    IndexMath m{b, loc};
    SmallVector<Value> position;
    for (int64_t i = 0; i < rank; ++i)
      position.push_back(linalg::IndexOp::create(b, loc, i));
    Value from = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
    position[axis] = m.clamp(from, m.dim(x, axis));
    return tensor::ExtractOp::create(b, loc, x, position);
  });
}

Value Rotation::scale(Value x, Value factors, bool divide) const {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  return elementwise(
      compute, {x, factors},
      {b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, b.getAffineDimExpr(axis))},
      [&](OpBuilder &b, ValueRange args) -> Value {
        Value factor = Lanes{b, loc, args[1].getType()}.convert(args[1], compute);
        if (divide)
          return arith::DivFOp::create(b, loc, args[0], factor);
        return arith::MulFOp::create(b, loc, args[0], factor);
      });
}

/// Multiplies rows along `dim` by `matrix` (empty: Sylvester's) times `factor`.
Value Rotation::multiplyFactor(Value x, unsigned dim, ArrayRef<int8_t> matrix,
                               double factor) const {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rank = type.getRank(), size = type.getDimSize(dim);
  // Loops: those of the result, then the position that is summed over.
  SmallVector<AffineExpr> input, output;
  for (int64_t i = 0; i < rank; ++i) {
    output.push_back(b.getAffineDimExpr(i));
    input.push_back(b.getAffineDimExpr(i == dim ? rank : i));
  }
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  Value table;
  if (!matrix.empty())
    table = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(RankedTensorType::get({size, size}, b.getI8Type()), matrix));
  Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, 0));
  Value init = linalg::FillOp::create(b, loc, zero, empty(compute)).getResult(0);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(rank + 1, 0, exprs, b.getContext());
  };
  SmallVector<Value> inputs{x};
  SmallVector<AffineMap> maps{map(input)};
  if (table) {
    AffineExpr from = b.getAffineDimExpr(rank), to = b.getAffineDimExpr(dim);
    inputs.push_back(table);
    maps.push_back(inverse ? map({to, from}) : map({from, to}));
  }
  maps.push_back(map(output));
  Value sum =
      linalg::GenericOp::create(
          b, loc, init.getType(), inputs, init, maps, iterators,
          [&](OpBuilder &b, Location loc, ValueRange args) {
            Value negative;
            if (table) {
              Value none = arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(0));
              negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, args[1], none);
            } else {
              // Negative where an odd number of bits is in both.
              Value bits = arith::AndIOp::create(b, loc, linalg::IndexOp::create(b, loc, rank),
                                                 linalg::IndexOp::create(b, loc, dim));
              Lanes l{b, loc, b.getI32Type()};
              bits = arith::IndexCastOp::create(b, loc, b.getI32Type(), bits);
              for (unsigned shift : {16, 8, 4, 2, 1})
                bits = arith::XOrIOp::create(b, loc, bits, l.right(bits, shift));
              negative = l.cmp(arith::CmpIPredicate::ne, l.both(bits, 1), 0);
            }
            Value minus = arith::NegFOp::create(b, loc, args[0]);
            Value term = arith::SelectOp::create(b, loc, negative, minus, args[0]);
            linalg::YieldOp::create(b, loc,
                                    arith::AddFOp::create(b, loc, args.back(), term).getResult());
          })
          .getResult(0);
  if (factor == 1)
    return sum;
  return elementwise(compute, sum, b.getMultiDimIdentityMap(rank),
                     [&](OpBuilder &b, ValueRange args) -> Value {
                       return arith::MulFOp::create(b, loc, args[0],
                                                    Lanes{b, loc, compute}.number(compute, factor));
                     });
}

/// The factors of the Kronecker product that a Hadamard matrix is: a Paley matrix,
/// then powers of two. None is large, so that a number costs few additions.
static SmallVector<int64_t> getHadamardFactors(int64_t size, int64_t order) {
  constexpr int64_t kLargestFactor = 64;
  SmallVector<int64_t> factors;
  if (order > 1)
    factors.push_back(order);
  for (int64_t rest = size / order; rest > 1;) {
    factors.push_back(std::min(rest, kLargestFactor));
    rest /= factors.back();
  }
  return factors;
}

Value Rotation::multiplyHadamard(Value x, HadamardAttr hadamard, Value signs) {
  if (signs && !inverse)
    x = scale(x, signs, /*divide=*/false);
  int64_t size = hadamard.getSize(), order = getHadamardOrder(size);
  SmallVector<int64_t> factors = getHadamardFactors(size, order);
  auto type = cast<RankedTensorType>(x.getType());
  // Blocks and factors as dimensions of their own.
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    SmallVector<int64_t> split{type.getDimSize(i)};
    if (i == axis) {
      split = {type.getDimSize(i) / size};
      llvm::append_range(split, factors);
    }
    groups.emplace_back();
    for (int64_t extent : split) {
      groups.back().push_back(shape.size());
      shape.push_back(extent);
      sizes.push_back(ShapedType::isDynamic(extent) ? dims[i]
                                                    : OpFoldResult(b.getIndexAttr(extent)));
    }
  }
  bool isSplit = shape.size() > static_cast<size_t>(type.getRank());
  if (isSplit)
    x = tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, compute), x, groups,
                                      sizes);
  std::swap(dims, sizes);
  for (auto [i, factor] : llvm::enumerate(factors)) {
    bool isPaley = i == 0 && order > 1, isLast = i + 1 == factors.size();
    x = multiplyFactor(x, static_cast<unsigned>(axis + 1 + i),
                       isPaley ? getPaleyMatrix(order) : SmallVector<int8_t>(),
                       isLast ? 1 / std::sqrt(double(size)) : 1);
  }
  std::swap(dims, sizes);
  if (isSplit)
    x = tensor::CollapseShapeOp::create(b, loc, type.clone(compute), x, groups);
  if (signs && inverse)
    x = scale(x, signs, /*divide=*/false);
  return x;
}

FailureOr<SmallVector<Value>> RotateOp::lowerToReference(OpBuilder &b) {
  Rotation rotation(b, getLoc(), *this);
  // (A B)^-1 and (A B)^T take the parts from the last to the first.
  SmallVector<std::pair<Attribute, Value>> parts;
  ValueRange parameters = getParameters();
  for (Attribute part : getBasisParts(getBasis())) {
    Value parameter;
    if (hasParameter(part)) {
      parameter = parameters.front();
      parameters = parameters.drop_front();
    }
    parts.push_back({part, parameter});
  }
  if (getInverse())
    std::reverse(parts.begin(), parts.end());
  Value x = rotation.convert(getNumbers(), rotation.getCompute());
  for (auto [part, parameter] : parts) {
    if (isa<PermutationAttr>(part))
      x = rotation.permute(x, parameter);
    else if (isa<DiagonalAttr>(part))
      x = rotation.scale(x, parameter, rotation.divides());
    else
      x = rotation.multiplyHadamard(x, cast<HadamardAttr>(part), parameter);
  }
  return SmallVector<Value>{rotation.convert(x, rotation.getElement())};
}
