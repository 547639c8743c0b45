//===- ImportFunction.cpp - The entry function of a model -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The signature: symbols for the free dimensions of the inputs as leading index
// arguments, then the inputs; and the results.
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/PackedOps.h"
#include "Frontend/ONNX/Reader/Reader.h"
#include "Frontend/ONNX/Reader/Verify.h"
#include "Frontend/ONNX/StaticSize.h"
#include "dialects/Attn/IR/Attn.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/MoE/IR/MoE.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <set>

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

static StringRef str(std::string_view text) { return StringRef(text.data(), text.size()); }

/// The runtime's name of an element type.
static StringRef dtypeName(ElementType type) {
  switch (type) {
  case ElementType::Float:
    return "f32";
  case ElementType::Double:
    return "f64";
  case ElementType::Float16:
    return "f16";
  case ElementType::BFloat16:
    return "bf16";
  case ElementType::Bool:
    return "bool";
  case ElementType::Int8:
    return "i8";
  case ElementType::UInt8:
    return "u8";
  case ElementType::Int16:
    return "i16";
  case ElementType::UInt16:
    return "u16";
  case ElementType::Int32:
    return "i32";
  case ElementType::UInt32:
    return "u32";
  case ElementType::Int64:
    return "i64";
  case ElementType::UInt64:
    return "u64";
  case ElementType::Int4:
    return "i4";
  case ElementType::UInt4:
    return "u4";
  case ElementType::Int2:
    return "i2";
  case ElementType::UInt2:
    return "u2";
  case ElementType::Float8E4M3FN:
    return "f8E4M3FN";
  case ElementType::Float8E4M3FNUZ:
    return "f8E4M3FNUZ";
  case ElementType::Float8E5M2:
    return "f8E5M2";
  case ElementType::Float8E5M2FNUZ:
    return "f8E5M2FNUZ";
  case ElementType::Float8E8M0:
    return "f8E8M0FNU";
  case ElementType::Float6E2M3:
    return "f6E2M3FN";
  case ElementType::Float6E3M2:
    return "f6E3M2FN";
  case ElementType::Float4E2M1:
    return "f4E2M1FN";
  case ElementType::String:
    return "string";
  default:
    return "";
  }
}

/// Whether the name of a free dimension is one. Some exporters (PaddlePaddle's
/// among them) call all free dimensions the same, equal or not.
static bool isName(std::string_view name) {
  return !name.empty() && name != "?" && name != "-1" && name != "None";
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

namespace {
/// An input of the entry and its extents: sizes, or names of symbols.
struct EntryInput {
  const ValueInfo *info;
  SmallVector<std::variant<int64_t, std::string>> dims;
};

/// Decides the extents of the inputs by the model and by what the user says.
class Signature {
public:
  Signature(Importer &importer, Location loc)
      : importer(importer), options(importer.getContext().options), loc(loc) {}

  LogicalResult add(const ValueInfo &info);
  /// Refuses options for inputs and dimensions that are not there.
  LogicalResult checkOptions();

  SmallVector<EntryInput> inputs;
  SmallVector<std::string> symbols; ///< in the order of their first use

private:
  LogicalResult checkType(const ValueInfo &info);
  std::string symbolOf(const ValueInfo &info, size_t axis) const;
  void fixSymbols();
  LogicalResult addGiven(EntryInput &input, size_t axis, StringRef symbol, int64_t given);
  LogicalResult misuse(const Twine &message);

  Importer &importer;
  const ImportOptions &options;
  Location loc;
  llvm::StringSet<> seen, usedShapes;
  std::set<std::string> knownSymbols; // sorted, for messages
  llvm::StringMap<int64_t> fixedSymbols;
};
} // namespace

static std::string inputText(const ValueInfo &info) { return "input " + quote(info.name); }

static std::string rangeText(const DimRange &range) {
  return std::to_string(range.min) +
         (range.min == range.max ? "" : ".." + std::to_string(range.max));
}

LogicalResult Signature::checkType(const ValueInfo &info) {
  ImportContext &context = importer.getContext();
  bool isTensor = info.type.kind == onnx::ValueType::Kind::Tensor &&
                  storageType(&context.context, info.type.elementType);
  if (isTensor && info.type.hasShape)
    return success();
  context.failure = ImportFailure::Unsupported;
  return emitError(loc) << context.path << ": " << inputText(info)
                        << (isTensor ? " has no rank"
                                     : " is not a tensor of strings or of real numbers, which is "
                                       "all that entry points take");
}

/// The name of a free dimension; empty for an extent.
std::string Signature::symbolOf(const ValueInfo &info, size_t axis) const {
  const Dimension &dim = info.type.shape[axis];
  bool isNamed = dim.kind == Dimension::Kind::Parameter && isName(dim.parameter);
  if (isNamed && !options.allDynamic)
    return std::string(dim.parameter);
  // Some exporters write -1 for a free dimension.
  if (dim.kind != Dimension::Kind::Value || dim.value == -1 || options.allDynamic)
    return (str(info.name) + "." + Twine(axis)).str();
  return "";
}

/// An extent that --shape gives; `symbol` is empty where the model has one too.
LogicalResult Signature::addGiven(EntryInput &input, size_t axis, StringRef symbol, int64_t given) {
  std::string what = inputText(*input.info);
  const Dimension &dim = input.info->type.shape[axis];
  if (symbol.empty() && given != dim.value)
    return misuse(what + " has extent " + Twine(dim.value) + " in dimension " + Twine(axis) +
                  ", but " + Twine(given) + " is given");
  auto range = options.dims.find(symbol.str());
  if (range != options.dims.end() && (given < range->second.min || given > range->second.max))
    return misuse(what + " is given extent " + Twine(given) + " in dimension " + Twine(axis) +
                  " by --shape, but --dim says that '" + symbol + "' is " +
                  rangeText(range->second));
  if (!symbol.empty()) {
    auto [first, isNew] = fixedSymbols.insert({symbol, given});
    if (!isNew && first->second != given)
      return misuse(what + " is given extent " + Twine(given) + " in dimension " + Twine(axis) +
                    ", but another input's shape says that '" + symbol + "' is " +
                    Twine(first->second));
  }
  input.dims.push_back(given);
  return success();
}

LogicalResult Signature::add(const ValueInfo &info) {
  if (failed(checkType(info)))
    return failure();
  EntryInput input{&info, {}};
  std::string what = inputText(info);
  auto shape = options.shapes.find(std::string(info.name));
  bool hasShape = shape != options.shapes.end();
  if (hasShape) {
    usedShapes.insert(str(info.name));
    if (shape->second.size() != info.type.shape.size())
      return misuse(what + " has rank " + Twine(info.type.shape.size()) +
                    ", but the given shape has " + Twine(shape->second.size()) + " dimensions");
  }
  for (auto [axis, dim] : llvm::enumerate(info.type.shape)) {
    std::string symbol = symbolOf(info, axis);
    if (symbol.empty() && dim.value < 0)
      return importer.error(loc, what + " has extent " + Twine(dim.value) + " in dimension " +
                                     Twine(axis));
    if (!symbol.empty())
      knownSymbols.insert(symbol);
    if (hasShape && shape->second[axis] >= 0) {
      if (failed(addGiven(input, axis, symbol, shape->second[axis])))
        return failure();
      continue;
    }
    auto range = options.dims.find(symbol);
    if (symbol.empty()) {
      input.dims.push_back(dim.value);
    } else if (range != options.dims.end() && range->second.min == range->second.max) {
      input.dims.push_back(range->second.min);
    } else {
      input.dims.push_back(symbol);
      if (seen.insert(symbol).second)
        symbols.push_back(symbol);
    }
  }
  inputs.push_back(std::move(input));
  return success();
}

LogicalResult Signature::misuse(const Twine &message) {
  (void)importer.error(loc, message);
  importer.getContext().failure = ImportFailure::Usage;
  return failure();
}

/// What --shape says of a symbol in one input holds for the others.
void Signature::fixSymbols() {
  for (EntryInput &input : inputs)
    for (auto &dim : input.dims)
      if (auto *symbol = std::get_if<std::string>(&dim))
        if (auto fixed = fixedSymbols.find(*symbol); fixed != fixedSymbols.end())
          dim = fixed->second;
  llvm::erase_if(symbols, [&](const std::string &name) { return fixedSymbols.contains(name); });
}

LogicalResult Signature::checkOptions() {
  fixSymbols();
  for (auto &[name, shape] : options.shapes)
    if (!usedShapes.contains(name)) {
      std::string known = llvm::join(
          llvm::map_range(inputs, [](const EntryInput &i) { return quote(i.info->name); }), ", ");
      return misuse("--shape gives " + quote(name) + ", but " +
                    (known.empty() ? "there are no inputs" : "the inputs are " + known));
    }
  for (auto &[name, range] : options.dims)
    if (!knownSymbols.contains(name)) {
      std::string known = llvm::join(
          llvm::map_range(knownSymbols, [](const std::string &symbol) { return quote(symbol); }),
          ", ");
      return misuse("--dim gives " + quote(name) + ", but " +
                    (known.empty() ? "the inputs have no symbolic dimension"
                                   : "the inputs' symbolic dimensions are " + known));
    }
  return success();
}

//===----------------------------------------------------------------------===//
// The entry
//===----------------------------------------------------------------------===//

FailureOr<TensorValue> Importer::constantInput(size_t index, const ValueInfo &input) {
  SmallString<128> path(context.options.constantInputs);
  llvm::sys::path::append(path, "input_" + Twine(index) + ".pb");
  Result<MappedFile> file = MappedFile::open(std::string(path));
  if (!file)
    return error(b.getLoc(), file.error().message);
  auto owner = std::make_shared<MappedFile>(std::move(*file));
  Result<Tensor> tensor = readTensor(owner->bytes(), std::string(path));
  if (!tensor)
    return error(b.getLoc(), tensor.error().message);
  // Tools without bf16 write its bits as u16.
  ElementType wanted = input.type.elementType;
  if (wanted == ElementType::BFloat16 && tensor->elementType == ElementType::UInt16)
    tensor->elementType = wanted;
  if (tensor->elementType != wanted)
    return error(b.getLoc(), inputText(input) + " is " + name(wanted) + ", but '" + Twine(path) +
                                 "' has " + name(tensor->elementType));
  if (tensor->elementType == ElementType::String)
    return importConstant(*tensor, str(input.name));
  Result<TensorBytes> contents = tensor->contents(*model->files);
  if (!contents)
    return error(b.getLoc(), contents.error().message);
  std::span<const uint8_t> bytes = contents->bytes();
  return makeConstant(tensor->elementType, tensor->dims,
                      ArrayRef<uint8_t>(bytes.data(), bytes.size()), str(input.name));
}

static SmallVector<int64_t> shapeOf(const EntryInput &input) {
  SmallVector<int64_t> shape;
  for (auto &dim : input.dims)
    shape.push_back(std::holds_alternative<int64_t>(dim) ? std::get<int64_t>(dim)
                                                         : ShapedType::kDynamic);
  return shape;
}

/// Whether the elements can be counted, as types do.
static bool isCountable(Builder &b, const EntryInput &input) {
  TensorValue extents;
  extents.elementType = input.info->type.elementType;
  extents.dims = getAsIndexOpFoldResult(b.getContext(), shapeOf(input));
  return fitsInMemory(extents);
}

/// The types of an entry's arguments: symbols, then inputs.
static SmallVector<mlir::Type> argumentTypes(Builder &b, const Signature &signature) {
  SmallVector<mlir::Type> types(signature.symbols.size(), b.getIndexType());
  for (const EntryInput &input : signature.inputs) {
    SmallVector<int64_t> shape = shapeOf(input);
    ElementType element = input.info->type.elementType;
    if (sharesBytes(element))
      types.push_back(packedType(b.getContext(), element, shape).getComponentTypes().front());
    else
      types.push_back(RankedTensorType::get(shape, storageType(b.getContext(), element)));
  }
  return types;
}

void Importer::addSymbols(ArrayRef<std::string> names) {
  for (auto [i, name] : llvm::enumerate(names)) {
    symbols[name] = function.getArgument(i);
    function.setArgAttr(i, WeftDialect::symbolAttrName, b.getStringAttr(name));
    auto range = context.options.dims.find(name);
    if (range != context.options.dims.end())
      function.setArgAttr(i, WeftDialect::symbolRangeAttrName,
                          b.getDenseI64ArrayAttr({range->second.min, range->second.max}));
  }
}

LogicalResult Importer::addInput(unsigned argument, const ValueInfo &info,
                                 ArrayRef<std::variant<int64_t, std::string>> extents) {
  TensorValue value;
  value.elementType = info.type.elementType;
  SmallVector<mlir::Attribute> dimNames;
  for (auto &dim : extents) {
    if (auto *size = std::get_if<int64_t>(&dim)) {
      value.dims.push_back(b.getIndexAttr(*size));
      dimNames.push_back(b.getI64IntegerAttr(*size));
    } else {
      value.dims.push_back(symbols[std::get<std::string>(dim)]);
      dimNames.push_back(b.getStringAttr(std::get<std::string>(dim)));
    }
  }
  auto set = [&](StringRef name, mlir::Attribute attribute) {
    function.setArgAttr(argument, name, attribute);
  };
  set(WeftDialect::nameAttrName, b.getStringAttr(str(info.name)));
  set(WeftDialect::dtypeAttrName, b.getStringAttr(dtypeName(value.elementType)));
  set(WeftDialect::dimsAttrName, b.getArrayAttr(dimNames));
  if (sharesBytes(value.elementType))
    set(WeftDialect::packedAttrName,
        TypeAttr::get(packedType(&context.context, value.elementType, value.dims)));
  Node none;
  NodeContext builder(*this, none, 1);
  scopes.back().values[str(info.name)] =
      fromComponent(builder, function.getArgument(argument), value.elementType, value.dims);
  return success();
}

LogicalResult Importer::createFunction() {
  const Graph &graph = model->graph;
  Location loc = NameLoc::get(b.getStringAttr(str(graph.name)));
  llvm::StringSet<> initializers;
  for (const Tensor &tensor : graph.initializers)
    initializers.insert(str(tensor.name));
  Signature signature(*this, loc);
  for (const ValueInfo &info : graph.inputs)
    if (!initializers.contains(str(info.name)) && failed(signature.add(info)))
      return failure();
  if (failed(signature.checkOptions()))
    return failure();

  bool constant = !context.options.constantInputs.empty();
  SmallVector<mlir::Type> types;
  if (!constant) {
    for (const EntryInput &input : signature.inputs)
      if (!isCountable(b, input))
        return error(loc, inputText(*input.info) + " is larger than memory that can be addressed");
    types = argumentTypes(b, signature);
  }
  b.setInsertionPointToEnd(module->getBody());
  b.setLoc(loc);
  function = func::FuncOp::create(b, loc, "main", b.getFunctionType(types, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  // Constants are inserted before this operation, which goes away in the end.
  constantAnchor = arith::ConstantIndexOp::create(b, loc, 0);

  scopes.emplace_back();
  addInitializers(graph, scopes.back());
  if (!constant)
    addSymbols(signature.symbols);
  for (auto [i, input] : llvm::enumerate(signature.inputs)) {
    if (!constant) {
      if (failed(addInput(signature.symbols.size() + i, *input.info, input.dims)))
        return failure();
      continue;
    }
    FailureOr<TensorValue> value = constantInput(i, *input.info);
    if (failed(value))
      return failure();
    scopes.back().values[str(input.info->name)] = *value;
  }
  return success();
}

/// A declared shape that contradicts the computed one is no error for other
/// runtimes either, but whoever relies on it should know.
static void warnOfShape(Location loc, const ValueInfo &output, const TensorValue &value) {
  if (output.type.kind != onnx::ValueType::Kind::Tensor || !output.type.hasShape)
    return;
  const std::vector<Dimension> &declared = output.type.shape;
  if (declared.size() != value.dims.size()) {
    emitWarning(loc) << "output " << quote(output.name) << " is declared with rank "
                     << declared.size() << " but computed with rank " << value.dims.size();
    return;
  }
  for (auto [axis, dim] : llvm::enumerate(declared)) {
    std::optional<int64_t> computed = DimBuilder::constantOf(value.dims[axis]);
    // Some exporters write -1 for a free dimension.
    if (dim.kind == Dimension::Kind::Value && dim.value >= 0 && computed && *computed != dim.value)
      emitWarning(loc) << "output " << quote(output.name) << " is declared with extent "
                       << dim.value << " in dimension " << axis << " but computed with "
                       << *computed;
  }
}

/// The extents of an output: numbers, names of symbols, or -1.
ArrayAttr Importer::dimNames(const TensorValue &value) {
  SmallVector<mlir::Attribute> names;
  for (OpFoldResult dim : value.dims) {
    mlir::Attribute entry = b.getI64IntegerAttr(-1);
    if (auto constant = DimBuilder::constantOf(dim))
      entry = b.getI64IntegerAttr(*constant);
    else
      for (auto &symbol : symbols)
        if (symbol.second == cast<Value>(dim))
          entry = b.getStringAttr(symbol.first());
    names.push_back(entry);
  }
  return b.getArrayAttr(names);
}

LogicalResult Importer::finishFunction() {
  Location loc = function.getLoc();
  b.setLoc(loc);
  SmallVector<Value> results;
  SmallVector<DictionaryAttr> attributes;
  for (const ValueInfo &output : model->graph.outputs) {
    const TensorValue *value = lookup(str(output.name));
    if (!value)
      return error(loc, "output " + quote(output.name) + " is defined by nothing");
    if (!value->isTensor()) {
      context.failure = ImportFailure::Unsupported;
      return emitError(loc) << context.path << ": output " << quote(output.name)
                            << " is not a tensor of strings or of real numbers, which is all that "
                               "entry points give";
    }
    if (output.type.kind == onnx::ValueType::Kind::Tensor &&
        output.type.elementType != ElementType::Undefined &&
        output.type.elementType != value->elementType)
      return error(loc, "output " + quote(output.name) + " is declared as " +
                            name(output.type.elementType) + " but computed as " +
                            name(value->elementType));
    warnOfShape(loc, output, *value);
    Node none;
    NodeContext materialise(*this, none, 1);
    NamedAttrList list;
    if (sharesBytes(value->elementType)) {
      Value packed = packValue(materialise, *value);
      results.push_back(componentOf(materialise, packed));
      list.set(WeftDialect::packedAttrName, TypeAttr::get(packed.getType()));
    } else {
      results.push_back(materialise.value(*value));
    }
    list.set(WeftDialect::nameAttrName, b.getStringAttr(str(output.name)));
    list.set(WeftDialect::dtypeAttrName, b.getStringAttr(dtypeName(value->elementType)));
    list.set(WeftDialect::dimsAttrName, dimNames(*value));
    attributes.push_back(list.getDictionary(b.getContext()));
    // Callers want the extents, not how many bytes there are.
    if (sharesBytes(value->elementType))
      for (OpFoldResult dim : value->dims)
        if (auto extent = dyn_cast<Value>(dim)) {
          results.push_back(extent);
          attributes.push_back(b.getDictionaryAttr({}));
        }
  }
  func::ReturnOp::create(b, loc, results);
  SmallVector<mlir::Type> types = llvm::to_vector(ValueRange(results).getTypes());
  function.setFunctionType(b.getFunctionType(function.getArgumentTypes(), types));
  for (auto [i, attribute] : llvm::enumerate(attributes))
    function.setResultAttrs(i, attribute);
  constantAnchor->erase();
  return success();
}

/// What the file says of itself, for `weft.metadata` of the module. A model that
/// says nothing has none.
static DictionaryAttr metadataOf(const Model &model, Builder &b) {
  NamedAttrList fields, custom;
  auto add = [&](NamedAttrList &list, StringRef name, std::string_view text) {
    if (!name.empty() && !text.empty())
      list.set(name, b.getStringAttr(str(text)));
  };
  add(fields, "producer_name", model.producerName);
  add(fields, "graph_name", model.graph.name);
  add(fields, "domain", model.domain);
  add(fields, "description", model.docString);
  add(fields, "graph_description", model.graph.docString);
  if (model.modelVersion)
    fields.set("version", b.getI64IntegerAttr(model.modelVersion));
  for (const onnx::StringPair &entry : model.metadata)
    add(custom, str(entry.key), entry.value);
  if (!custom.empty())
    fields.set("custom_metadata_map", custom.getDictionary(b.getContext()));
  return fields.getDictionary(b.getContext());
}

OwningOpRef<ModuleOp> Importer::run() {
  if (Status status = verify(*model); !status) {
    context.failure = ImportFailure::Error;
    emitError(UnknownLoc::get(&context.context)) << status.error().message;
    return {};
  }
  context.context.loadDialect<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
                              math::MathDialect, scf::SCFDialect, tensor::TensorDialect,
                              attn::AttnDialect, lowp::LowPDialect, moe::MoEDialect, WeftDialect>();
  module = ModuleOp::create(UnknownLoc::get(&context.context));
  if (DictionaryAttr metadata = metadataOf(*model, b); !metadata.empty())
    (*module)->setAttr(WeftDialect::metadataAttrName, metadata);
  if (failed(createFunction()) || failed(importNodes(model->graph.nodes)) ||
      failed(reportUnsupported()) || failed(finishFunction())) {
    if (context.failure == ImportFailure::None)
      context.failure = ImportFailure::Error;
    return {};
  }
  if (failed(mlir::verify(*module))) {
    context.failure = ImportFailure::Error;
    return {};
  }
  return std::move(module);
}
