//===- Parser.cpp - Turns wire fields into model structs ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Parser.h"

using namespace weft;
using namespace weft::onnx;

Parser::Parser(std::span<const uint8_t> file, const ReaderLimits &limits)
    : file(file), limits(limits) {
  // A mapping is far smaller than 2^60 bytes, the factor is the caller's.
  uint64_t scaled;
  if (__builtin_mul_overflow(limits.structBytesPerFileByte, file.size(), &scaled) ||
      __builtin_add_overflow(scaled, limits.structBytes, &maxStructBytes))
    maxStructBytes = UINT64_MAX;
}

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

bool Parser::fail(const uint8_t *where, const std::string &problem) {
  failure = "at byte " + std::to_string(where ? where - file.data() : 0) + " of " +
            std::to_string(file.size());
  const char *separator = ", in ";
  for (const Step &step : path) {
    failure += separator;
    failure += step.field;
    if (step.index >= 0)
      failure += "[" + std::to_string(step.index) + "]";
    separator = ".";
  }
  failure += ": " + problem;
  return false;
}

bool Parser::expect(const WireField &field, const char *name, WireType type) {
  if (field.type == type)
    return true;
  return fail(field.start, std::string("field ") + name + ": expected " + onnx::name(type) +
                               ", found " + onnx::name(field.type));
}

bool Parser::once(const WireField &field, const char *name, bool &seen) {
  if (seen)
    return fail(field.start, std::string("field ") + name + ": expected it once, found it twice");
  seen = true;
  return true;
}

bool Parser::charge(const WireField &field, uint64_t size) {
  structBytes += size;
  if (structBytes <= maxStructBytes)
    return true;
  return fail(field.start, "the model's structure takes more than " +
                               std::to_string(maxStructBytes) +
                               " bytes of memory, the limit for a file of its size");
}

bool Parser::read(const WireField &field, const char *name, std::string_view &text) {
  if (!expect(field, name, WireType::Length))
    return false;
  text = {reinterpret_cast<const char *>(field.bytes.data()), field.bytes.size()};
  return true;
}

bool Parser::read(const WireField &field, const char *name, Bytes &bytes) {
  if (!expect(field, name, WireType::Length))
    return false;
  bytes = field.bytes;
  return true;
}

bool Parser::read(const WireField &field, const char *name, int64_t &value) {
  if (!expect(field, name, WireType::Varint))
    return false;
  value = static_cast<int64_t>(field.scalar);
  return true;
}

bool Parser::read(const WireField &field, const char *name, int32_t &value) {
  if (!expect(field, name, WireType::Varint))
    return false;
  value = static_cast<int32_t>(field.scalar);
  return true;
}

bool Parser::read(const WireField &field, const char *name, float &value) {
  if (!expect(field, name, WireType::Fixed32))
    return false;
  value = std::bit_cast<float>(static_cast<uint32_t>(field.scalar));
  return true;
}

bool Parser::read(const WireField &field, const char *name, ElementType &value) {
  int32_t number;
  if (!read(field, name, number))
    return false;
  value = static_cast<ElementType>(number);
  return true;
}

bool Parser::list(const WireField &field, const char *name, Bytes body, WireType element,
                  ScalarData &data) {
  if (const char *problem = data.append(field, body, element))
    return fail(field.start, std::string("field ") + name + ": " + problem);
  return true;
}

bool Parser::typedData(const WireField &field, Bytes body, TypedField kind, WireType element,
                       Tensor &tensor) {
  ScalarData data = tensor.typedField == kind ? tensor.typedData : ScalarData();
  if (!list(field, onnx::name(kind), body, element, data))
    return false;
  // Writers may leave empty lists of other kinds.
  if (data.count == 0)
    return true;
  if (tensor.typedField != kind && tensor.typedField != TypedField::None)
    return fail(field.start, std::string("the tensor stores both ") +
                                 onnx::name(tensor.typedField) + " and " + onnx::name(kind) +
                                 ", expected one of them");
  tensor.typedField = kind;
  tensor.typedData = data;
  return true;
}

bool Parser::integers(const WireField &field, const char *name, Bytes body,
                      std::vector<int64_t> &values) {
  // The values of this one field.
  ScalarData data;
  if (field.type == WireType::Length) {
    if (!list(field, name, body, WireType::Varint, data) ||
        !charge(field, data.count * sizeof(int64_t)))
      return false;
    ScalarList<int64_t>(data).forEach([&](int64_t value) {
      values.push_back(value);
      return true;
    });
    return true;
  }
  return charge(field, sizeof(int64_t)) && read(field, name, values.emplace_back());
}

//===----------------------------------------------------------------------===//
// Tensors and types
//===----------------------------------------------------------------------===//

bool Parser::parse(Bytes bytes, StringPair &pair) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "key", pair.key);
    case 2:
      return read(field, "value", pair.value);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, Tensor &tensor) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return integers(field, "dims", bytes, tensor.dims);
    case 2:
      return read(field, "data_type", tensor.elementType);
    case 3:
      tensor.isSegment = true;
      return expect(field, "segment", WireType::Length);
    case 4:
      return typedData(field, bytes, TypedField::Float, WireType::Fixed32, tensor);
    case 5:
      return typedData(field, bytes, TypedField::Int32, WireType::Varint, tensor);
    case 6:
      return append(field, "string_data", tensor.stringData);
    case 7:
      return typedData(field, bytes, TypedField::Int64, WireType::Varint, tensor);
    case 8:
      return read(field, "name", tensor.name);
    case 9:
      tensor.hasRawData = true;
      return read(field, "raw_data", tensor.rawData);
    case 10:
      return typedData(field, bytes, TypedField::Double, WireType::Fixed64, tensor);
    case 11:
      return typedData(field, bytes, TypedField::UInt64, WireType::Varint, tensor);
    case 12:
      return read(field, "doc_string", tensor.docString);
    case 13:
      return append(field, "external_data", tensor.externalData);
    case 14: {
      int32_t location;
      if (!read(field, "data_location", location))
        return false;
      if (location != 0 && location != 1)
        return fail(field.start, "field data_location: expected 0 (DEFAULT) or 1 "
                                 "(EXTERNAL), found " +
                                     std::to_string(location));
      tensor.isExternal = location == 1;
      return true;
    }
    case 16:
      return append(field, "metadata_props", tensor.metadata);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, SparseTensor &tensor) {
  bool hasValues = false, hasIndices = false;
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return readOnce(field, "values", hasValues, tensor.values);
    case 2:
      return readOnce(field, "indices", hasIndices, tensor.indices);
    case 3:
      return integers(field, "dims", bytes, tensor.dims);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, Dimension &dimension) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      dimension.kind = Dimension::Kind::Value;
      return read(field, "dim_value", dimension.value);
    case 2:
      dimension.kind = Dimension::Kind::Parameter;
      return read(field, "dim_param", dimension.parameter);
    case 3:
      return read(field, "denotation", dimension.denotation);
    }
    return true;
  });
}

bool Parser::parseShape(Bytes bytes, ValueType &type) {
  return fields(bytes, [&](const WireField &field) {
    return field.number != 1 || append(field, "dim", type.shape);
  });
}

bool Parser::parseTensorType(Bytes bytes, ValueType &type) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "elem_type", type.elementType);
    case 2:
      return once(field, "shape", type.hasShape) &&
             message(field, "shape", -1, [&](Bytes body) { return parseShape(body, type); });
    }
    return true;
  });
}

/// A sequence or an optional keeps its element in field 1, a map its key in
/// field 1 and its value in field 2.
bool Parser::parseNestedType(Bytes bytes, ValueType &type) {
  bool isMap = type.kind == ValueType::Kind::Map;
  return fields(bytes, [&](const WireField &field) {
    if (isMap && field.number == 1)
      return read(field, "key_type", type.keyType);
    if (field.number != (isMap ? 2u : 1u))
      return true;
    bool seen = !type.nested.empty();
    return once(field, isMap ? "value_type" : "elem_type", seen) &&
           append(field, isMap ? "value_type" : "elem_type", type.nested);
  });
}

bool Parser::parseOpaqueType(Bytes bytes, ValueType &type) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "domain", type.opaqueDomain);
    case 2:
      return read(field, "name", type.opaqueName);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, ValueType &type) {
  bool hasKind = false;
  auto kind = [&](const WireField &field, const char *name, ValueType::Kind which,
                  bool (Parser::*parseBody)(Bytes, ValueType &)) {
    type.kind = which;
    return once(field, name, hasKind) &&
           message(field, name, -1, [&](Bytes body) { return (this->*parseBody)(body, type); });
  };
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return kind(field, "tensor_type", ValueType::Kind::Tensor, &Parser::parseTensorType);
    case 4:
      return kind(field, "sequence_type", ValueType::Kind::Sequence, &Parser::parseNestedType);
    case 5:
      return kind(field, "map_type", ValueType::Kind::Map, &Parser::parseNestedType);
    case 6:
      return read(field, "denotation", type.denotation);
    case 7:
      return kind(field, "opaque_type", ValueType::Kind::Opaque, &Parser::parseOpaqueType);
    case 8:
      return kind(field, "sparse_tensor_type", ValueType::Kind::SparseTensor,
                  &Parser::parseTensorType);
    case 9:
      return kind(field, "optional_type", ValueType::Kind::Optional, &Parser::parseNestedType);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, ValueInfo &info) {
  bool hasType = false;
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "name", info.name);
    case 2:
      return readOnce(field, "type", hasType, info.type);
    case 3:
      return read(field, "doc_string", info.docString);
    case 4:
      return append(field, "metadata_props", info.metadata);
    }
    return true;
  });
}
