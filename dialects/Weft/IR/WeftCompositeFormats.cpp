//===- WeftCompositeFormats.cpp - Formats made of formats -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each composite says which tensors it is made of (`getTerms`) and how a number is
// computed from theirs (`decodeAt`); what else a format is asked follows from the
// terms.
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/OperandChecks.h"
#include "dialects/Weft/IR/Weft.h"
#include "dialects/Weft/IR/WeftValues.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

namespace {
/// A tensor that a composite is made of.
struct FormatTerm {
  /// Before the names of its components.
  std::string name;
  FormatInterface format;
  /// Its extents; the symbols are the logical extents of the whole.
  AffineMap shape;
};

/// The extents of the whole, for the shapes of terms.
struct WholeShape {
  WholeShape(MLIRContext *context, unsigned rank) : context(context), rank(rank) {}

  AffineExpr extent(unsigned dimension) const { return getAffineSymbolExpr(dimension, context); }
  AffineExpr rows() const { return extent(rank - 2); }
  AffineExpr columns() const { return extent(rank - 1); }
  AffineExpr constant(int64_t value) const { return getAffineConstantExpr(value, context); }
  AffineMap all() const {
    SmallVector<AffineExpr> extents;
    for (unsigned i = 0; i < rank; ++i)
      extents.push_back(extent(i));
    return AffineMap::get(0, rank, extents, context);
  }
  /// The leading extents of matrices in a batch, then these.
  AffineMap batchOf(ArrayRef<AffineExpr> last) const {
    SmallVector<AffineExpr> extents;
    for (unsigned i = 0; i + 2 < rank; ++i)
      extents.push_back(extent(i));
    llvm::append_range(extents, last);
    return AffineMap::get(0, rank, extents, context);
  }

  MLIRContext *context;
  unsigned rank;
};
} // namespace

static SmallVector<FormatTerm> getTerms(SumFormatAttr format, const WholeShape &whole) {
  SmallVector<FormatTerm> terms;
  for (auto [i, term] : llvm::enumerate(format.getTerms()))
    terms.push_back({"term" + std::to_string(i), term, whole.all()});
  return terms;
}

static SmallVector<FormatTerm> getTerms(LowRankFormatAttr format, const WholeShape &whole) {
  AffineExpr rank = whole.constant(format.getRank());
  return {{"left", format.getLeft(), whole.batchOf({whole.rows(), rank})},
          {"right", format.getRight(), whole.batchOf({rank, whole.columns()})}};
}

static SmallVector<FormatTerm> getTerms(KronFormatAttr format, const WholeShape &whole) {
  return {{"left", format.getLeft(),
           whole.batchOf({whole.constant(format.getRows()), whole.constant(format.getColumns())})},
          {"right", format.getRight(),
           whole.batchOf({whole.rows().floorDiv(format.getRows()),
                          whole.columns().floorDiv(format.getColumns())})}};
}

/// Bits that the positions of a butterfly's rows have.
static int64_t getLevels(ShapedType type) {
  return llvm::Log2_64(type.getDimSize(type.getRank() - 1));
}

static SmallVector<FormatTerm> getTerms(ButterflyFormatAttr format, const WholeShape &whole,
                                        ShapedType type) {
  AffineExpr two = whole.constant(2);
  return {
      {"factors", format.getFactors(),
       whole.batchOf({whole.constant(getLevels(type)), whole.columns().floorDiv(2), two, two})}};
}

static SmallVector<FormatTerm> getTerms(MonarchFormatAttr format, const WholeShape &whole) {
  AffineExpr blocks = whole.constant(format.getBlocks());
  AffineExpr groups = whole.constant(format.getGroups());
  return {{"left", format.getLeft(),
           whole.batchOf({groups, whole.rows().floorDiv(format.getGroups()), blocks})},
          {"right", format.getRight(),
           whole.batchOf({blocks, groups, whole.columns().floorDiv(format.getBlocks())})}};
}

static SmallVector<FormatTerm> getTerms(ToeplitzFormatAttr format, const WholeShape &whole) {
  return {{"diagonals", format.getDiagonals(),
           whole.batchOf(whole.rows() + whole.columns() - whole.constant(1))}};
}

static SmallVector<FormatTerm> getTerms(CirculantFormatAttr format, const WholeShape &whole) {
  if (format.getBlock() == 0)
    return {{"columns", format.getColumns(), whole.batchOf(whole.rows())}};
  return {{"columns", format.getColumns(),
           whole.batchOf({whole.rows().ceilDiv(format.getBlock()),
                          whole.columns().ceilDiv(format.getBlock()),
                          whole.constant(format.getBlock())})}};
}

/// The terms of a composite of the shape of `type`.
template <typename Format> static SmallVector<FormatTerm> termsOf(Format format, ShapedType type) {
  WholeShape whole(format.getContext(), type.getRank());
  if constexpr (std::is_same_v<Format, ButterflyFormatAttr>)
    return getTerms(format, whole, type);
  else
    return getTerms(format, whole);
}

static RankedTensorType typeOf(const FormatTerm &term, ShapedType whole) {
  return RankedTensorType::get(getStaticExtents(term.shape, whole.getShape()),
                               getWideType(whole.getElementType()));
}

//===----------------------------------------------------------------------===//
// What follows from the terms
//===----------------------------------------------------------------------===//

static LogicalResult verifyTerms(EmitError emitError, ArrayRef<FormatTerm> terms, Attribute format,
                                 ShapedType whole) {
  for (const FormatTerm &term : terms) {
    RankedTensorType type = typeOf(term, whole);
    for (unsigned i = 0; i < type.getRank(); ++i)
      if (term.format.getBasis(i))
        return emitError() << format << " has the term " << term.format
                           << ", whose numbers are transformed";
    if (failed(term.format.verifyPacked(emitError, type.getShape(), type.getElementType())))
      return failure();
  }
  return success();
}

/// The components of the terms. Symbols for what data decides follow the logical
/// extents, those of the first term first.
static SmallVector<FormatComponent> getTermComponents(ArrayRef<FormatTerm> terms,
                                                      ShapedType whole) {
  SmallVector<FormatComponent> all;
  unsigned rank = whole.getRank(), ofData = 0;
  for (const FormatTerm &term : terms) {
    SmallVector<FormatComponent> components = term.format.getComponents(typeOf(term, whole));
    unsigned own = countDataExtents(components, term.shape.getNumResults());
    for (FormatComponent &component : components) {
      component.name = term.name + "." + component.name;
      component.shape = composeExtents(component.shape, term.shape, rank, ofData);
      all.push_back(std::move(component));
    }
    ofData += own;
  }
  return all;
}

static LogicalResult verifyTermConstants(EmitError emitError, ArrayRef<FormatTerm> terms,
                                         ShapedType whole, ArrayRef<ConstantComponent> components) {
  for (const FormatTerm &term : terms) {
    RankedTensorType type = typeOf(term, whole);
    size_t count = term.format.getComponents(type).size();
    if (failed(term.format.verifyConstants(emitError, type, components.take_front(count))))
      return failure();
    components = components.drop_front(count);
  }
  return success();
}

namespace {
/// Reads the terms of a composite at positions of theirs.
class TermReader {
public:
  TermReader(ArrayRef<FormatTerm> terms, OpBuilder &b, Location loc, ShapedType whole,
             const PackedPosition &at)
      : terms(terms), whole(whole) {
    ValueRange rest = at.components;
    for (const FormatTerm &term : terms) {
      size_t count = term.format.getComponents(typeOf(term, whole)).size();
      components.push_back(rest.take_front(count));
      rest = rest.drop_front(count);
      dims.push_back(evaluateExtents(b, loc, term.shape, at.dims));
    }
    batch = at.position.drop_back(std::min<size_t>(2, at.position.size()));
  }
  /// The number of a term at a position, whose leading indices are those of the
  /// whole if `inBatch`.
  Value read(OpBuilder &b, Location loc, unsigned term, ArrayRef<Value> position,
             bool inBatch = true) const {
    SmallVector<Value> full;
    if (inBatch)
      llvm::append_range(full, batch);
    llvm::append_range(full, position);
    return terms[term].format.decodeAt(b, loc, typeOf(terms[term], whole),
                                       {components[term], dims[term], full});
  }
  /// An extent of a term.
  Value extent(OpBuilder &b, Location loc, unsigned term, int64_t fromEnd) const {
    return getValueOrCreateConstantIndexOp(b, loc, dims[term][dims[term].size() - fromEnd]);
  }

private:
  ArrayRef<FormatTerm> terms;
  ShapedType whole;
  SmallVector<ValueRange> components;
  SmallVector<SmallVector<OpFoldResult>> dims;
  ArrayRef<Value> batch;
};
} // namespace

static Value add(OpBuilder &b, Location loc, Value x, Value y) {
  return isa<FloatType>(x.getType()) ? Value(arith::AddFOp::create(b, loc, x, y))
                                     : Value(arith::AddIOp::create(b, loc, x, y));
}

static Value multiply(OpBuilder &b, Location loc, Value x, Value y) {
  return isa<FloatType>(x.getType()) ? Value(arith::MulFOp::create(b, loc, x, y))
                                     : Value(arith::MulIOp::create(b, loc, x, y));
}

/// Rounds to the expressed type; what is beyond its largest number is infinite.
static Value rounded(OpBuilder &b, Location loc, Value x, ShapedType type) {
  EncodeOptions options;
  options.saturate = false;
  return convertNumber(b, loc, x, type.getElementType(), options);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static LogicalResult verifyMatrix(EmitError emitError, Attribute format, ArrayRef<int64_t> shape) {
  if (shape.size() < 2)
    return emitError() << format << " stores matrices, the tensor has rank " << shape.size();
  return success();
}

/// Whether `parts` divides an extent, as far as it is known.
static LogicalResult verifyParts(EmitError emitError, Attribute format, int64_t extent,
                                 int64_t parts) {
  if (ShapedType::isDynamic(extent) || extent % parts == 0)
    return success();
  return emitError() << format << " has " << parts << " parts, which do not divide the extent "
                     << extent;
}

static LogicalResult verifyCounts(EmitError emitError, StringRef what,
                                  std::initializer_list<int64_t> counts) {
  for (int64_t count : counts)
    if (count < 1 || count > int64_t(1) << 30)
      return emitError() << what << " is between 1 and 2^30, got " << count;
  return success();
}

LogicalResult SumFormatAttr::verify(EmitError emitError, ArrayRef<FormatInterface> terms) {
  if (terms.empty())
    return emitError() << "sums have terms";
  return success();
}

LogicalResult LowRankFormatAttr::verify(EmitError emitError, int64_t rank, FormatInterface,
                                        FormatInterface) {
  return verifyCounts(emitError, "the rank", {rank});
}

LogicalResult KronFormatAttr::verify(EmitError emitError, int64_t rows, int64_t columns,
                                     FormatInterface, FormatInterface) {
  return verifyCounts(emitError, "an extent of the left factor", {rows, columns});
}

LogicalResult MonarchFormatAttr::verify(EmitError emitError, int64_t blocks, int64_t groups,
                                        FormatInterface, FormatInterface) {
  return verifyCounts(emitError, "a number of blocks", {blocks, groups});
}

LogicalResult CirculantFormatAttr::verify(EmitError emitError, int64_t block, FormatInterface) {
  return block == 0 ? success() : verifyCounts(emitError, "the extent of a block", {block});
}

static LogicalResult verifyExtents(EmitError, SumFormatAttr, ArrayRef<int64_t>) {
  return success();
}

static LogicalResult verifyExtents(EmitError emitError, LowRankFormatAttr format,
                                   ArrayRef<int64_t> shape) {
  return verifyMatrix(emitError, format, shape);
}

static LogicalResult verifyExtents(EmitError emitError, KronFormatAttr format,
                                   ArrayRef<int64_t> shape) {
  return failure(failed(verifyMatrix(emitError, format, shape)) ||
                 failed(verifyParts(emitError, format, shape.end()[-2], format.getRows())) ||
                 failed(verifyParts(emitError, format, shape.back(), format.getColumns())));
}

static LogicalResult verifyExtents(EmitError emitError, ButterflyFormatAttr format,
                                   ArrayRef<int64_t> shape) {
  if (failed(verifyMatrix(emitError, format, shape)))
    return failure();
  int64_t rows = shape.end()[-2], columns = shape.back();
  if (ShapedType::isDynamic(rows) || rows != columns || rows < 2 || !llvm::isPowerOf2_64(rows))
    return emitError() << format << " stores square matrices of 2, 4, 8, ... rows";
  return success();
}

static LogicalResult verifyExtents(EmitError emitError, MonarchFormatAttr format,
                                   ArrayRef<int64_t> shape) {
  return failure(failed(verifyMatrix(emitError, format, shape)) ||
                 failed(verifyParts(emitError, format, shape.end()[-2], format.getGroups())) ||
                 failed(verifyParts(emitError, format, shape.back(), format.getBlocks())));
}

static LogicalResult verifyExtents(EmitError emitError, ToeplitzFormatAttr format,
                                   ArrayRef<int64_t> shape) {
  if (failed(verifyMatrix(emitError, format, shape)))
    return failure();
  if (shape.end()[-2] == 0 && shape.back() == 0)
    return emitError() << format << " has no diagonals";
  return success();
}

static LogicalResult verifyExtents(EmitError emitError, CirculantFormatAttr format,
                                   ArrayRef<int64_t> shape) {
  return verifyMatrix(emitError, format, shape);
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static Value decode(SumFormatAttr format, OpBuilder &b, Location loc, const TermReader &terms,
                    ShapedType, ArrayRef<Value> position) {
  Value sum;
  for (unsigned i = 0; i < format.getTerms().size(); ++i) {
    Value x = terms.read(b, loc, i, position, /*inBatch=*/false);
    sum = sum ? add(b, loc, sum, x) : x;
  }
  return sum;
}

static Value decode(LowRankFormatAttr format, OpBuilder &b, Location loc, const TermReader &terms,
                    ShapedType type, ArrayRef<Value> position) {
  IndexMath m{b, loc};
  Value row = position.end()[-2], column = position.back();
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(getWideType(type.getElementType())));
  auto loop = scf::ForOp::create(
      b, loc, m.constant(0), m.constant(format.getRank()), m.constant(1), zero,
      [&](OpBuilder &b, Location loc, Value k, ValueRange sum) {
        Value x = terms.read(b, loc, 0, {row, k}), y = terms.read(b, loc, 1, {k, column});
        scf::YieldOp::create(b, loc, add(b, loc, sum[0], multiply(b, loc, x, y)));
      });
  return loop.getResult(0);
}

static Value decode(KronFormatAttr, OpBuilder &b, Location loc, const TermReader &terms, ShapedType,
                    ArrayRef<Value> position) {
  IndexMath m{b, loc};
  Value row = position.end()[-2], column = position.back();
  // Divided, so at least 1 where there is a position.
  Value one = m.constant(1);
  Value rows = arith::MaxSIOp::create(b, loc, terms.extent(b, loc, 1, 2), one);
  Value columns = arith::MaxSIOp::create(b, loc, terms.extent(b, loc, 1, 1), one);
  Value x = terms.read(b, loc, 0, {m.div(row, rows), m.div(column, columns)});
  Value y = terms.read(b, loc, 1, {m.rem(row, rows), m.rem(column, columns)});
  return multiply(b, loc, x, y);
}

/// At level l, bits below l are already those of the row, the others still those of
/// the column.
static Value decode(ButterflyFormatAttr, OpBuilder &b, Location loc, const TermReader &terms,
                    ShapedType type, ArrayRef<Value> position) {
  IndexMath m{b, loc};
  Value row = position.end()[-2], column = position.back(), product;
  for (int64_t level = 0, levels = getLevels(type); level < levels; ++level) {
    Value below = m.constant(int64_t(1) << level), next = m.constant(int64_t(2) << level);
    Value pair = m.add(m.mul(m.div(column, next), below), m.rem(row, below));
    Value two = m.constant(2);
    Value x = terms.read(
        b, loc, 0,
        {m.constant(level), pair, m.rem(m.div(row, below), two), m.rem(m.div(column, below), two)});
    product = product ? multiply(b, loc, product, x) : x;
  }
  return product;
}

static Value decode(MonarchFormatAttr format, OpBuilder &b, Location loc, const TermReader &terms,
                    ShapedType, ArrayRef<Value> position) {
  IndexMath m{b, loc};
  Value row = position.end()[-2], column = position.back();
  Value groups = m.constant(format.getGroups());
  Value group = m.rem(row, groups);
  Value size = arith::MaxSIOp::create(b, loc, terms.extent(b, loc, 1, 1), m.constant(1));
  Value block = m.div(column, size);
  Value x = terms.read(b, loc, 0, {group, m.div(row, groups), block});
  Value y = terms.read(b, loc, 1, {block, group, m.rem(column, size)});
  return multiply(b, loc, x, y);
}

static Value decode(ToeplitzFormatAttr, OpBuilder &b, Location loc, const TermReader &terms,
                    ShapedType, ArrayRef<Value> position, const PackedPosition &at) {
  IndexMath m{b, loc};
  Value columns = getValueOrCreateConstantIndexOp(b, loc, at.dims.back());
  Value difference = m.sub(position.end()[-2], position.back());
  return terms.read(b, loc, 0, m.add(difference, m.sub(columns, m.constant(1))));
}

static Value decode(CirculantFormatAttr format, OpBuilder &b, Location loc, const TermReader &terms,
                    ShapedType, ArrayRef<Value> position) {
  IndexMath m{b, loc};
  Value row = position.end()[-2], column = position.back();
  // The difference is above -columns; one that is not negative is what remains of it
  // and of itself.
  auto rotated = [&](Value extent) {
    Value rest = m.rem(m.sub(row, column), extent);
    return m.rem(m.add(rest, extent), extent);
  };
  if (format.getBlock() == 0)
    return terms.read(b, loc, 0, rotated(terms.extent(b, loc, 0, 1)));
  Value block = m.constant(format.getBlock());
  return terms.read(b, loc, 0, {m.div(row, block), m.div(column, block), rotated(block)});
}

//===----------------------------------------------------------------------===//
// FormatInterface
//===----------------------------------------------------------------------===//

template <typename Format>
static LogicalResult verifyComposite(Format format, EmitError emitError, ArrayRef<int64_t> shape,
                                     Type elementType) {
  if (failed(verifyExtents(emitError, format, shape)))
    return failure();
  auto type = RankedTensorType::get(shape, elementType);
  return verifyTerms(emitError, termsOf(format, type), format, type);
}

template <typename Format>
static Value decodeComposite(Format format, OpBuilder &b, Location loc, ShapedType type,
                             const PackedPosition &at) {
  SmallVector<FormatTerm> terms = termsOf(format, type);
  TermReader reader(terms, b, loc, type, at);
  if constexpr (std::is_same_v<Format, ToeplitzFormatAttr>)
    return rounded(b, loc, decode(format, b, loc, reader, type, at.position, at), type);
  else
    return rounded(b, loc, decode(format, b, loc, reader, type, at.position), type);
}

// What every composite answers alike.
#define WEFT_COMPOSITE_FORMAT(Format)                                                              \
  LogicalResult Format::verifyPacked(EmitError emitError, ArrayRef<int64_t> shape,                 \
                                     Type elementType) const {                                     \
    return verifyComposite(*this, emitError, shape, elementType);                                  \
  }                                                                                                \
  SmallVector<FormatComponent> Format::getComponents(ShapedType type) const {                      \
    return getTermComponents(termsOf(*this, type), type);                                          \
  }                                                                                                \
  LogicalResult Format::verifyConstants(EmitError emitError, ShapedType type,                      \
                                        ArrayRef<ConstantComponent> components) const {            \
    return verifyTermConstants(emitError, termsOf(*this, type), type, components);                 \
  }                                                                                                \
  Value Format::decodeAt(OpBuilder &b, Location loc, ShapedType type, const PackedPosition &at)    \
      const {                                                                                      \
    return decodeComposite(*this, b, loc, type, at);                                               \
  }                                                                                                \
  LogicalResult Format::verifyOptions(EmitError emitError, const EncodeOptions &) const {          \
    return emitError() << Attribute(*this) << " is made of tensors that are fitted, not encoded";  \
  }                                                                                                \
  SmallVector<Value> Format::encode(OpBuilder &, Location, ShapedType, Value, ValueRange,          \
                                    const EncodeOptions &) const {                                 \
    llvm_unreachable("refused by verifyOptions");                                                  \
  }

WEFT_COMPOSITE_FORMAT(SumFormatAttr)
WEFT_COMPOSITE_FORMAT(LowRankFormatAttr)
WEFT_COMPOSITE_FORMAT(KronFormatAttr)
WEFT_COMPOSITE_FORMAT(ButterflyFormatAttr)
WEFT_COMPOSITE_FORMAT(MonarchFormatAttr)
WEFT_COMPOSITE_FORMAT(ToeplitzFormatAttr)
WEFT_COMPOSITE_FORMAT(CirculantFormatAttr)
#undef WEFT_COMPOSITE_FORMAT

//===----------------------------------------------------------------------===//
// Checks of calls
//===----------------------------------------------------------------------===//

namespace {
/// Those of the terms.
template <typename Format>
struct TermChecks : ComponentCheckInterface::ExternalModel<TermChecks<Format>, Format> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    ValueRange rest = packed.values;
    for (const FormatTerm &term : termsOf(cast<Format>(attribute), packed.type)) {
      RankedTensorType type = typeOf(term, packed.type);
      size_t count = term.format.getComponents(type).size();
      SmallVector<OpFoldResult> dims =
          evaluateExtents(checks.builder, checks.loc, term.shape, packed.dims);
      buildComponentChecks(
          term.format, checks,
          {type, rest.take_front(count), dims, packed.prefix + term.name + ".", {}});
      rest = rest.drop_front(count);
    }
  }
};
} // namespace

template <typename... Formats> static void attachTermChecks(MLIRContext *context) {
  (Formats::template attachInterface<TermChecks<Formats>>(*context), ...);
}

void weft::attachCompositeChecks(MLIRContext *context) {
  attachTermChecks<SumFormatAttr, LowRankFormatAttr, KronFormatAttr, ButterflyFormatAttr,
                   MonarchFormatAttr, ToeplitzFormatAttr, CirculantFormatAttr>(context);
}
