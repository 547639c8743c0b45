//===- Model.h - An ONNX model as it lies in its file ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Plain structs for every message of onnx.proto, IR version 14. All strings and
// all tensor data are views into the bytes the model was read from. A field
// that the file does not hold has the value its member is initialised with.
// Enums may hold numbers that have no enumerator.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_FRONTEND_ONNX_READER_MODEL_H
#define WEFT_FRONTEND_ONNX_READER_MODEL_H

#include "Base/MappedFile.h"
#include "Base/Result.h"
#include "Frontend/ONNX/Reader/ElementType.h"
#include "Frontend/ONNX/Reader/WireReader.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::onnx {

class ExternalFiles;

/// StringStringEntryProto: metadata, external data and training bindings.
struct StringPair {
  std::string_view key;
  std::string_view value;
};

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// A tensor's elements in canonical form: row-major, little-endian, bool as one
/// byte 0 or 1; elements of 2, 4 and 6 bits lie side by side from the lowest
/// bit up, and the last byte is filled up. Nothing is known about the
/// alignment.
class TensorBytes {
public:
  enum class Source : uint8_t {
    /// In the model's own file, at `offset`.
    Model,
    /// In the external file `file` beside the model, at `offset`.
    External,
    /// In a buffer of this object, because the file holds another encoding.
    Decoded,
  };

  /// A view of bytes that stay where they are.
  TensorBytes(Source source, std::span<const uint8_t> view, std::string_view file, uint64_t offset)
      : view(view), file(file), offset(offset), source(source) {}
  explicit TensorBytes(std::vector<uint8_t> decoded)
      : buffer(std::move(decoded)), source(Source::Decoded) {}

  std::span<const uint8_t> bytes() const {
    return source == Source::Decoded ? std::span<const uint8_t>(buffer) : view;
  }
  Source getSource() const { return source; }
  /// The location as the tensor names it, relative to the model's folder. Empty
  /// unless external.
  std::string_view getFile() const { return file; }
  /// The position in bytes of the first element in its file. 0 if decoded.
  uint64_t getOffset() const { return offset; }

private:
  std::vector<uint8_t> buffer;
  std::span<const uint8_t> view;
  std::string_view file;
  uint64_t offset = 0;
  Source source;
};

/// TensorProto.
struct Tensor {
  std::string_view name;
  std::vector<int64_t> dims;
  ElementType elementType = ElementType::Undefined;

  /// The one field out of float_data ... uint64_data that holds values.
  TypedField typedField = TypedField::None;
  ScalarData typedData;
  std::vector<std::string_view> stringData;
  /// Whether raw_data is there; it may be there and empty.
  bool hasRawData = false;
  /// True if the elements are in an external file (data_location).
  bool isExternal = false;
  /// True for a chunk of a tensor (segment); nothing that is known writes it.
  bool isSegment = false;
  std::span<const uint8_t> rawData;
  std::vector<StringPair> externalData;

  std::string_view docString;
  std::vector<StringPair> metadata;

  /// The product of `dims`. Fails for negative extents and for more than 2^63-1
  /// elements.
  Result<int64_t> elementCount() const;

  /// The size in bytes of the canonical form. Fails as `elementCount` does, and
  /// for strings, undefined and unknown types.
  Result<int64_t> byteSize() const;

  /// Checks type and shape, that the elements are stored once, in a field that
  /// goes with the type, and that those in the model's file are as many as the
  /// shape says. External data is not opened.
  Status verify() const;

  /// The elements in canonical form: a view of raw data, of packed floats and
  /// of external files, else a decoded copy. Fails as `verify` does, for
  /// strings, and where external data is refused, missing or short. The view of
  /// external data lives as long as `files`.
  Result<TensorBytes> contents(const ExternalFiles &files) const;

  /// The elements of a string tensor, as many as the shape says.
  Result<std::span<const std::string_view>> strings() const;
};

/// SparseTensorProto: the non-zeros of a tensor of shape `dims`. `indices` is
/// [count, rank], or [count] with row-major positions. The name of `values` is
/// that of the whole.
struct SparseTensor {
  Tensor values;
  Tensor indices;
  std::vector<int64_t> dims;
};

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// TensorShapeProto.Dimension.
struct Dimension {
  enum class Kind : uint8_t { Unknown, Value, Parameter };

  Kind kind = Kind::Unknown;
  int64_t value = 0;
  std::string_view parameter;
  std::string_view denotation;
};

/// TypeProto.
struct ValueType {
  enum class Kind : uint8_t {
    None,
    Tensor,
    SparseTensor,
    Sequence,
    Map,
    Optional,
    Opaque,
  };

  Kind kind = Kind::None;
  /// Of tensors and sparse tensors. Without a shape the rank is unknown.
  bool hasShape = false;
  ElementType elementType = ElementType::Undefined;
  std::vector<Dimension> shape;
  /// Of maps.
  ElementType keyType = ElementType::Undefined;
  /// One type: the element of a sequence or optional, the value of a map. Empty
  /// if the file leaves it out.
  std::vector<ValueType> nested;
  std::string_view opaqueDomain;
  std::string_view opaqueName;
  std::string_view denotation;
};

/// ValueInfoProto: a name, and a type of kind None where none is given.
struct ValueInfo {
  std::string_view name;
  ValueType type;
  std::string_view docString;
  std::vector<StringPair> metadata;
};

//===----------------------------------------------------------------------===//
// Nodes and graphs
//===----------------------------------------------------------------------===//

struct Graph;

/// AttributeProto.AttributeType.
enum class AttributeKind : int32_t {
  Undefined = 0,
  Float = 1,
  Int = 2,
  String = 3,
  Tensor = 4,
  Graph = 5,
  Floats = 6,
  Ints = 7,
  Strings = 8,
  Tensors = 9,
  Graphs = 10,
  SparseTensor = 11,
  SparseTensors = 12,
  Type = 13,
  Types = 14,
};

/// The name as in onnx.proto, e.g. "SPARSE_TENSOR".
std::string name(AttributeKind kind);

/// AttributeProto. `kind` says which members count. A single tensor, graph,
/// sparse tensor or type is the first entry of the list of its kind. Files
/// without the kind (IR version 1 left it out) get it from the field that is
/// there.
struct NodeAttribute {
  std::string_view name;
  AttributeKind kind = AttributeKind::Undefined;
  /// Bit 1 << kind for each field that the file holds.
  uint32_t present = 0;
  /// In a function: the function's attribute whose value this one takes.
  std::string_view refName;
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  ScalarList<float> floats;
  ScalarList<int64_t> ints;
  std::vector<std::string_view> strings;
  std::vector<Tensor> tensors;
  std::vector<Graph> graphs;
  std::vector<SparseTensor> sparseTensors;
  std::vector<ValueType> types;
  std::string_view docString;
};

/// SimpleShardedDimProto.
struct SimpleShardedDim {
  std::optional<int64_t> dimValue;
  std::string_view dimParameter;
  int64_t numShards = 0;
};

/// ShardedDimProto.
struct ShardedDim {
  int64_t axis = 0;
  std::vector<SimpleShardedDim> simpleShardings;
};

/// IntIntListEntryProto.
struct DeviceGroup {
  int64_t key = 0;
  ScalarList<int64_t> devices;
};

/// ShardingSpecProto.
struct ShardingSpec {
  std::string_view tensorName;
  ScalarList<int64_t> devices;
  std::vector<DeviceGroup> groups;
  std::vector<ShardedDim> shardedDims;
};

/// NodeDeviceConfigurationProto.
struct NodeDeviceConfiguration {
  std::string_view configuration;
  std::vector<ShardingSpec> shardingSpecs;
  std::optional<int32_t> pipelineStage;
};

/// NodeProto. An empty input or output name stands for one that is left out.
struct Node {
  std::string_view name;
  std::string_view opType;
  std::string_view domain;
  std::string_view overload;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<NodeAttribute> attributes;
  std::string_view docString;
  std::vector<StringPair> metadata;
  std::vector<NodeDeviceConfiguration> deviceConfigurations;

  /// The attribute called `attributeName`, or null.
  const NodeAttribute *find(std::string_view attributeName) const;
};

/// TensorAnnotation: maps roles ("SCALE_TENSOR") to names of tensors.
struct QuantizationAnnotation {
  std::string_view tensorName;
  std::vector<StringPair> parameters;
};

/// GraphProto.
struct Graph {
  std::string_view name;
  std::vector<Node> nodes;
  std::vector<Tensor> initializers;
  std::vector<SparseTensor> sparseInitializers;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  std::vector<ValueInfo> valueInfos;
  std::vector<QuantizationAnnotation> quantizationAnnotations;
  std::string_view docString;
  std::vector<StringPair> metadata;
};

//===----------------------------------------------------------------------===//
// Functions and models
//===----------------------------------------------------------------------===//

/// OperatorSetIdProto.
struct OperatorSet {
  std::string_view domain;
  int64_t version = 0;
};

/// True for the two names of ONNX's own domain, "" and "ai.onnx".
bool isDefaultDomain(std::string_view domain);

/// The version of `domain` among `sets`, or nothing.
std::optional<int64_t> findOpset(std::span<const OperatorSet> sets, std::string_view domain);

/// FunctionProto: known to nodes by domain, name and overload.
struct Function {
  std::string_view name;
  std::string_view domain;
  std::string_view overload;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  /// Attributes without a default, and those with one.
  std::vector<std::string_view> attributes;
  std::vector<NodeAttribute> defaultAttributes;
  std::vector<Node> nodes;
  std::vector<ValueInfo> valueInfos;
  std::vector<OperatorSet> opsets;
  std::string_view docString;
  std::vector<StringPair> metadata;
};

/// TrainingInfoProto.
struct TrainingInfo {
  Graph initialization;
  Graph algorithm;
  std::vector<StringPair> initializationBindings;
  std::vector<StringPair> updateBindings;
};

/// DeviceConfigurationProto.
struct DeviceConfiguration {
  std::string_view name;
  int32_t numDevices = 0;
  std::vector<std::string_view> devices;
};

/// ModelProto, with what its views point into.
struct Model {
  /// Versions of the IR that are fully understood. Newer files are read, fields
  /// they add are skipped.
  static constexpr int64_t oldestIRVersion = 3;
  static constexpr int64_t newestIRVersion = 14;

  /// What messages call the model: its path, or the name given for its bytes.
  std::string path;
  /// The mapping, where the model was read from a file.
  MappedFile file;
  /// Where external data of the model's tensors comes from. Never null.
  std::unique_ptr<ExternalFiles> files;

  int64_t irVersion = 0;
  std::vector<OperatorSet> opsets;
  std::string_view producerName;
  std::string_view producerVersion;
  std::string_view domain;
  int64_t modelVersion = 0;
  std::string_view docString;
  Graph graph;
  std::vector<StringPair> metadata;
  std::vector<TrainingInfo> trainingInfos;
  std::vector<Function> functions;
  std::vector<DeviceConfiguration> deviceConfigurations;

  Model();
  Model(Model &&) noexcept;
  Model &operator=(Model &&) noexcept;
  ~Model();
};

/// A name or other text from a file, in single quotes, for a message: control
/// characters and invalid UTF-8 as \xNN, cut after about 200 characters.
std::string quote(std::string_view text);

} // namespace weft::onnx

#endif // WEFT_FRONTEND_ONNX_READER_MODEL_H
