//===- Importer.cpp - ONNX graphs become IR -------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Importer.h"
#include "Frontend/ONNX/PackedOps.h"
#include "Frontend/ONNX/StaticSize.h"

#include "Frontend/ONNX/Ops/Sequences.h"
#include "Frontend/ONNX/Ops/Strings.h"
#include "Frontend/ONNX/Reader/ExternalFiles.h"
#include "dialects/Weft/IR/Weft.h"
#include "weft/Registry.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace weft;
using namespace weft::onnx;

/// Integer tensors up to this many elements are tracked as index arithmetic.
static constexpr int64_t kMaxTrackedElements = 64;

bool weft::onnx::isAvailable(const TensorValue &value) {
  return value.isTensor() || value.sequence || value.isNone;
}

static StringRef str(std::string_view text) { return StringRef(text.data(), text.size()); }

Importer::Importer(ImportContext &context, Model source)
    : b(UnknownLoc::get(&context.context), &context.context), dims(b), context(context),
      model(std::make_shared<Model>(std::move(source))) {}

std::string weft::onnx::describe(const TensorValue &value) {
  std::string text = name(value.elementType) + "[";
  for (int64_t i = 0; i < value.rank(); ++i) {
    int64_t extent = value.staticDim(i);
    text += (i ? "," : "") + (ShapedType::isDynamic(extent) ? "?" : std::to_string(extent));
  }
  return text + "]";
}

//===----------------------------------------------------------------------===//
// Problems
//===----------------------------------------------------------------------===//

LogicalResult Importer::error(Location loc, const Twine &message) {
  context.failure = ImportFailure::Error;
  // The reader's errors name the file themselves.
  std::string text = message.str(), file = context.path + ": ";
  return emitError(loc) << (StringRef(text).starts_with(file) ? "" : file) << text;
}

void Importer::recordUnsupported(const Node &node, int64_t opset, const Twine &reason,
                                 StringRef dtypes) {
  std::string domain = isDefaultDomain(node.domain) ? "ai.onnx" : std::string(node.domain);
  std::string key = llvm::formatv("{0}.{1}, opset {2}, inputs ({3}): {4}", domain,
                                  quote(node.opType), opset, dtypes, reason);
  UnsupportedNodes &entry = unsupported[key];
  if (entry.count++ == 0)
    entry.firstNode = cast<NameLoc>(b.getLoc()).getName().str();
}

LogicalResult Importer::reportUnsupported() {
  if (unsupported.empty())
    return success();
  if (context.failure == ImportFailure::None)
    context.failure = ImportFailure::Unsupported;
  int64_t total = 0;
  for (auto &[key, entry] : unsupported)
    total += entry.count;
  std::string text = llvm::formatv("{0}: {1} node{2} cannot be imported:", context.path, total,
                                   total == 1 ? "" : "s");
  for (auto &[key, entry] : unsupported)
    text +=
        llvm::formatv("\n  {0}x {1}; first at node {2}", entry.count, key, quote(entry.firstNode));
  emitError(UnknownLoc::get(&context.context)) << text;
  return failure();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// Reads an integer of `width` bytes.
static int64_t readInteger(ArrayRef<uint8_t> bytes, size_t width, bool isUnsigned) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), width);
  if (!isUnsigned && width < 8 && (value >> (8 * width - 1)) & 1)
    value |= ~uint64_t(0) << (8 * width);
  return static_cast<int64_t>(value);
}

static void trackElements(TensorValue &value, ArrayRef<uint8_t> bytes, int64_t count, Builder &b) {
  if ((!isInteger(value.elementType) && !isBool(value.elementType)) || value.rank() > 1 ||
      count > kMaxTrackedElements)
    return;
  size_t width = bitWidth(value.elementType) / 8;
  value.elements.emplace();
  for (int64_t i = 0; i < count; ++i)
    value.elements->push_back(b.getIndexAttr(
        readInteger(bytes.drop_front(i * width), width, isUnsigned(value.elementType))));
}

/// The tensor that holds a constant's bytes.
RankedTensorType Importer::constantType(ElementType type, ArrayRef<OpFoldResult> dims) {
  if (sharesBytes(type))
    return packedType(&context.context, type, dims).getComponentTypes().front();
  return tensorType(&context.context, type, dims);
}

void Importer::setConstant(TensorValue &value, Value bytes) {
  if (sharesBytes(value.elementType))
    value.packed = AssembleOp::create(
        b, bytes.getLoc(), packedType(&context.context, value.elementType, value.dims), bytes);
  else
    value.value = bytes;
}

FailureOr<TensorValue> Importer::makeConstant(ElementType type, ArrayRef<int64_t> shape,
                                              ArrayRef<uint8_t> bytes, StringRef name) {
  TensorValue result;
  result.elementType = type;
  for (int64_t extent : shape)
    result.dims.push_back(b.getIndexAttr(extent));
  if (!storageType(&context.context, type))
    return failure();
  RankedTensorType tensor = constantType(type, result.dims);
  trackElements(result, bytes, tensor.getNumElements(), b);

  // Constants stand at the start of the entry, where all regions see them.
  OpBuilder::InsertionGuard guard(b);
  if (constantAnchor)
    b.setInsertionPoint(constantAnchor);
  Location loc = NameLoc::get(b.getStringAttr(name));
  if (static_cast<int64_t>(bytes.size()) <= kMaxInlineConstantBytes || !constantAnchor) {
    auto raw = ArrayRef<char>(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    DenseElementsAttr attribute = DenseElementsAttr::getFromRawBuffer(tensor, raw);
    setConstant(result, arith::ConstantOp::create(b, loc, attribute));
    return result;
  }
  auto *dialect = context.context.getOrLoadDialect<WeftDialect>();
  llvm::Expected<std::string> key = dialect->getWeightStore().addDerived(name, bytes);
  if (!key)
    return error(loc, llvm::toString(key.takeError()));
  setConstant(result, weft::ConstantOp::create(
                          b, loc, WeightAttr::get(&context.context, *key, "", tensor)));
  return result;
}

/// The path of external data, which the model names relative to its folder.
static std::string besideModel(StringRef model, std::string_view file) {
  SmallString<256> path(llvm::sys::path::parent_path(model));
  llvm::sys::path::append(path, StringRef(file));
  return std::string(path);
}

FailureOr<TensorValue> Importer::importConstant(const Tensor &tensor, StringRef name) {
  Location loc = NameLoc::get(b.getStringAttr(name));
  if (!storageType(&context.context, tensor.elementType)) {
    // Complex numbers: reported by whoever uses them.
    TensorValue value;
    value.elementType = tensor.elementType;
    return value;
  }
  if (tensor.elementType == ElementType::String) {
    Result<std::span<const std::string_view>> strings = tensor.strings();
    if (!strings)
      return error(loc, strings.error().message);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(constantAnchor);
    Node none;
    NodeContext constants(*this, none, 1);
    return makeStrings(constants, tensor.dims, *strings);
  }
  Result<TensorBytes> contents = tensor.contents(*model->files);
  if (!contents)
    return error(loc, contents.error().message);
  std::span<const uint8_t> span = contents->bytes();
  ArrayRef<uint8_t> bytes(span.data(), span.size());
  if (contents->getSource() == TensorBytes::Source::Decoded ||
      static_cast<int64_t>(bytes.size()) <= kMaxInlineConstantBytes)
    return makeConstant(tensor.elementType, tensor.dims, bytes, name);

  // A view of the model's file: the weight store keeps the model alive.
  TensorValue result;
  result.elementType = tensor.elementType;
  for (int64_t extent : tensor.dims)
    result.dims.push_back(b.getIndexAttr(extent));
  RankedTensorType type = constantType(tensor.elementType, result.dims);
  trackElements(result, bytes, type.getNumElements(), b);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(constantAnchor);
  std::string file = contents->getSource() == TensorBytes::Source::Model
                         ? context.path
                         : besideModel(context.path, contents->getFile());
  auto *dialect = context.context.getOrLoadDialect<WeftDialect>();
  std::string key =
      dialect->getWeightStore().addView(name, bytes, model, {file, contents->getOffset()});
  setConstant(result,
              weft::ConstantOp::create(b, loc, WeightAttr::get(&context.context, key, "", type)));
  return result;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

void Importer::addInitializers(const Graph &graph, Scope &scope) {
  scope.graph = &graph;
  for (const ValueInfo &output : graph.outputs)
    scope.outputs.push_back(str(output.name));
  for (const Tensor &tensor : graph.initializers)
    scope.initializers[str(tensor.name)] = &tensor;
}

const TensorValue *Importer::lookup(StringRef name) {
  for (size_t i = scopes.size(); i-- > 0;) {
    Scope &scope = scopes[i];
    if (auto it = scope.values.find(name); it != scope.values.end())
      return &it->second;
    auto it = scope.initializers.find(name);
    if (it == scope.initializers.end())
      continue;
    FailureOr<TensorValue> value = importConstant(*it->second, name);
    TensorValue &entry = scope.values[name];
    if (succeeded(value))
      entry = *value;
    return &entry;
  }
  return nullptr;
}

std::optional<int64_t> Importer::opsetOf(StringRef domain) const {
  std::string_view view(domain.data(), domain.size());
  if (!frames.empty())
    if (auto version = findOpset(frames.back().function->opsets, view))
      return version;
  return findOpset(model->opsets, view);
}

Location Importer::locationOf(const Node &node) {
  std::string name(node.name);
  if (name.empty())
    name = (str(node.opType) + "_" + Twine(unnamedNodes++)).str();
  return NameLoc::get(b.getStringAttr(name), NameLoc::get(b.getStringAttr(str(node.opType))));
}

const Function *Importer::findFunction(const Node &node) const {
  for (const Function &function : model->functions) {
    bool sameDomain = function.domain == node.domain ||
                      (isDefaultDomain(function.domain) && isDefaultDomain(node.domain));
    if (sameDomain && function.name == node.opType && function.overload == node.overload)
      return &function;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

LogicalResult Importer::importNode(const Node &node) {
  b.setLoc(locationOf(node));
  ++context.nodeCount;
  // Inputs first: constants are created, and what follows from an unsupported
  // node is not reported once more.
  bool known = true;
  std::string types;
  for (std::string_view input : node.inputs) {
    if (input.empty())
      continue;
    const TensorValue *value = lookup(str(input));
    if (!value)
      return error(b.getLoc(), "node " + quote(node.name) + " uses " + quote(input) +
                                   ", which nothing defines");
    if (!isAvailable(*value) && value->elementType == ElementType::Undefined)
      known = false;
    if (context.failure == ImportFailure::Error)
      return failure();
    types += (types.empty() ? "" : ", ") + name(value->elementType);
  }
  auto skip = [&] {
    for (std::string_view output : node.outputs)
      if (!output.empty())
        scopes.back().values[str(output)] = TensorValue();
    return success();
  };
  if (!known)
    return skip();

  if (const Function *function = findFunction(node))
    return importCall(*function, node);

  StringRef domain = isDefaultDomain(node.domain) ? "" : str(node.domain);
  std::optional<int64_t> opset = opsetOf(domain);
  if (!opset && domain.empty())
    return error(b.getLoc(), "node " + quote(node.name) +
                                 " is of the default domain, but the "
                                 "model imports no version of it");
  const ImporterOpInfo *info =
      context.registry.findImporterOp(domain, str(node.opType), opset.value_or(1));
  if (!info) {
    auto versions = context.registry.importerOpVersions(domain, str(node.opType));
    std::string reason = "the operator is not supported";
    if (!versions.empty()) {
      reason = "the operator is supported for opsets";
      for (auto [i, version] : llvm::enumerate(versions)) {
        reason += (i ? ", " : " ") + std::to_string(version->sinceVersion);
        if (version->untilVersion == INT64_MAX)
          reason += " and later";
        else if (version->untilVersion != version->sinceVersion)
          reason += " to " + std::to_string(version->untilVersion);
      }
    }
    recordUnsupported(node, opset.value_or(1), reason, types);
    return skip();
  }
  for (std::string_view input : node.inputs)
    if (!input.empty() && !isAvailable(*lookup(str(input)))) {
      recordUnsupported(node, opset.value_or(1), "no tensors of these element types", types);
      return skip();
    }
  // Who does not expect codes would take them for numbers.
  if (!takesPackedElements(domain, str(node.opType)))
    for (std::string_view input : node.inputs)
      if (!input.empty() && isPacked(lookup(str(input))->elementType)) {
        recordUnsupported(node, opset.value_or(1), "the operator takes no such elements", types);
        return skip();
      }
  // The address of a string must not be computed with.
  auto isString = [&](std::string_view value) {
    return !value.empty() && lookup(str(value))->elementType == ElementType::String;
  };
  bool mayBeStrings = takesStrings(domain, str(node.opType));
  if (!mayBeStrings && llvm::any_of(node.inputs, isString)) {
    recordUnsupported(node, opset.value_or(1), "the operator does not take strings", types);
    return skip();
  }
  NodeContext nodeContext(*this, node, opset.value_or(1));
  for (auto [i, input] : llvm::enumerate(node.inputs))
    if (!input.empty() && lookup(str(input))->isSequence() &&
        !takesSequence(domain, str(node.opType), i))
      return nodeContext.error("input " + Twine(i) + ", " + quote(input) +
                               ", is a sequence, expected a tensor");
  LogicalResult result = info->builder(nodeContext);
  if (succeeded(result) && !nodeContext.failed()) {
    for (std::string_view output : node.outputs) {
      const TensorValue *value = output.empty() ? nullptr : lookup(str(output));
      if (value && isAvailable(*value) && !fitsInMemory(*value))
        return error(b.getLoc(), "node " + quote(node.name) + " gives " + quote(output) +
                                     ", which is larger than memory that can be addressed");
    }
    return success();
  }
  if (context.failure == ImportFailure::Error)
    return failure();
  // A subgraph may have used what an unsupported node before should have given.
  if (!unsupported.empty())
    return skip();
  // A builder that fails has to say why.
  return nodeContext.error("cannot be imported");
}

/// A call of one of the model's functions: its nodes, with the call's values
/// under the function's names.
LogicalResult Importer::importCall(const Function &function, const Node &node) {
  if (frames.size() > 64)
    return error(b.getLoc(), "functions are nested more than 64 deep");
  Scope scope;
  for (auto [i, name] : llvm::enumerate(function.inputs)) {
    TensorValue value;
    value.isNone = true;
    if (i < node.inputs.size() && !node.inputs[i].empty())
      value = *lookup(str(node.inputs[i]));
    scope.values[str(name)] = value;
  }
  for (std::string_view name : function.outputs)
    scope.outputs.push_back(str(name));
  // A function sees nothing of the graphs around its call.
  std::vector<Scope> outer;
  std::swap(outer, scopes);
  scopes.push_back(std::move(scope));
  frames.push_back({&function, &node});
  LogicalResult result = importNodes(function.nodes);
  frames.pop_back();
  Scope inner = std::move(scopes.back());
  std::swap(outer, scopes);
  if (failed(result))
    return failure();
  for (auto [i, name] : llvm::enumerate(function.outputs)) {
    if (i >= node.outputs.size() || node.outputs[i].empty())
      continue;
    scopes.back().values[str(node.outputs[i])] = inner.values.lookup(str(name));
  }
  return success();
}

LogicalResult Importer::importNodes(ArrayRef<Node> nodes) {
  // A node may import the rest of its graph itself.
  scopes.back().rest = nodes;
  while (!scopes.back().rest.empty()) {
    const Node &node = scopes.back().rest.front();
    scopes.back().rest = scopes.back().rest.drop_front();
    if (failed(importNode(node)))
      return failure();
  }
  return success();
}

FailureOr<SmallVector<TensorValue>> Importer::importGraph(const Graph &graph,
                                                          ArrayRef<TensorValue> arguments) {
  scopes.emplace_back();
  addInitializers(graph, scopes.back());
  for (auto [input, value] : llvm::zip(graph.inputs, arguments))
    scopes.back().values[str(input.name)] = value;
  dims.pushScope();
  SmallVector<TensorValue> results;
  LogicalResult result = importNodes(graph.nodes);
  if (succeeded(result))
    for (const ValueInfo &output : graph.outputs) {
      const TensorValue *value = lookup(str(output.name));
      if (!value || !isAvailable(*value)) {
        result = failure();
        break;
      }
      results.push_back(*value);
    }
  dims.popScope();
  scopes.pop_back();
  if (failed(result))
    return failure();
  return results;
}

const Graph *Importer::innermostGraph() const { return scopes.back().graph; }

LogicalResult Importer::importNodesFor(ArrayRef<const Node *> nodes,
                                       llvm::StringMap<TensorValue> &values) {
  // Values that are there already are not computed again.
  bool areKnown = llvm::all_of(values, [&](auto &entry) {
    const TensorValue *known = lookup(entry.first());
    return known && known->value && known->value == entry.second.value;
  });
  for (const Node *node : nodes)
    for (std::string_view name : node->outputs)
      areKnown &= name.empty() || lookup(str(name));
  Scope scope;
  if (!areKnown)
    for (auto &entry : values)
      scope.values[entry.first()] = entry.second;
  scopes.push_back(std::move(scope));
  Location loc = b.getLoc();
  LogicalResult result = success();
  for (const Node *node : nodes) {
    if (!areKnown && succeeded(result))
      result = importNode(*node);
    for (const std::vector<std::string_view> *names : {&node->inputs, &node->outputs})
      for (std::string_view name : *names) {
        if (name.empty() || failed(result))
          continue;
        const TensorValue *value = lookup(str(name));
        if (value && isAvailable(*value))
          values.try_emplace(str(name), *value);
        else
          result = failure();
      }
  }
  b.setLoc(loc);
  scopes.pop_back();
  return result;
}
