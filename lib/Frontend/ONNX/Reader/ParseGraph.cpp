//===- ParseGraph.cpp - Graphs, functions and models ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Parser.h"

#include <bit>

using namespace weft;
using namespace weft::onnx;

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

bool Parser::parse(Bytes bytes, NodeAttribute &attribute) {
  // Singular messages of the kinds that share a list with repeated ones.
  bool hasTensor = false, hasGraph = false, hasSparse = false, hasType = false;
  auto saw = [&](AttributeKind kind) {
    attribute.present |= 1u << static_cast<unsigned>(kind);
    return true;
  };
  bool fine = fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "name", attribute.name);
    case 2:
      return saw(AttributeKind::Float) && read(field, "f", attribute.f);
    case 3:
      return saw(AttributeKind::Int) && read(field, "i", attribute.i);
    case 4:
      return saw(AttributeKind::String) && read(field, "s", attribute.s);
    case 5:
      return saw(AttributeKind::Tensor) && once(field, "t", hasTensor) &&
             append(field, "t", attribute.tensors);
    case 6:
      return saw(AttributeKind::Graph) && once(field, "g", hasGraph) &&
             append(field, "g", attribute.graphs);
    case 7:
      return saw(AttributeKind::Floats) && list(field, "floats", bytes, attribute.floats);
    case 8:
      return saw(AttributeKind::Ints) && list(field, "ints", bytes, attribute.ints);
    case 9:
      return saw(AttributeKind::Strings) && append(field, "strings", attribute.strings);
    case 10:
      return saw(AttributeKind::Tensors) && append(field, "tensors", attribute.tensors);
    case 11:
      return saw(AttributeKind::Graphs) && append(field, "graphs", attribute.graphs);
    case 13:
      return read(field, "doc_string", attribute.docString);
    case 14:
      return saw(AttributeKind::Type) && once(field, "tp", hasType) &&
             append(field, "tp", attribute.types);
    case 15:
      return saw(AttributeKind::Types) && append(field, "type_protos", attribute.types);
    case 20: {
      int32_t kind;
      if (!read(field, "type", kind))
        return false;
      attribute.kind = static_cast<AttributeKind>(kind);
      return true;
    }
    case 21:
      return read(field, "ref_attr_name", attribute.refName);
    case 22:
      return saw(AttributeKind::SparseTensor) && once(field, "sparse_tensor", hasSparse) &&
             append(field, "sparse_tensor", attribute.sparseTensors);
    case 23:
      return saw(AttributeKind::SparseTensors) &&
             append(field, "sparse_tensors", attribute.sparseTensors);
    }
    return true;
  });
  if (attribute.kind == AttributeKind::Undefined && std::has_single_bit(attribute.present))
    attribute.kind = static_cast<AttributeKind>(std::countr_zero(attribute.present));
  return fine;
}

bool Parser::parse(Bytes bytes, SimpleShardedDim &dim) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "dim_value", dim.dimValue);
    case 2:
      return read(field, "dim_param", dim.dimParameter);
    case 3:
      return read(field, "num_shards", dim.numShards);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, ShardedDim &dim) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "axis", dim.axis);
    case 2:
      return append(field, "simple_sharding", dim.simpleShardings);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, DeviceGroup &group) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "key", group.key);
    case 2:
      return list(field, "value", bytes, group.devices);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, ShardingSpec &spec) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "tensor_name", spec.tensorName);
    case 2:
      return list(field, "device", bytes, spec.devices);
    case 3:
      return append(field, "index_to_device_group_map", spec.groups);
    case 4:
      return append(field, "sharded_dim", spec.shardedDims);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, NodeDeviceConfiguration &configuration) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "configuration_id", configuration.configuration);
    case 2:
      return append(field, "sharding_spec", configuration.shardingSpecs);
    case 3:
      return read(field, "pipeline_stage", configuration.pipelineStage);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, Node &node) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return append(field, "input", node.inputs);
    case 2:
      return append(field, "output", node.outputs);
    case 3:
      return read(field, "name", node.name);
    case 4:
      return read(field, "op_type", node.opType);
    case 5:
      return append(field, "attribute", node.attributes);
    case 6:
      return read(field, "doc_string", node.docString);
    case 7:
      return read(field, "domain", node.domain);
    case 8:
      return read(field, "overload", node.overload);
    case 9:
      return append(field, "metadata_props", node.metadata);
    case 10:
      return append(field, "device_configurations", node.deviceConfigurations);
    }
    return true;
  });
}

//===----------------------------------------------------------------------===//
// Graphs and functions
//===----------------------------------------------------------------------===//

bool Parser::parse(Bytes bytes, QuantizationAnnotation &annotation) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "tensor_name", annotation.tensorName);
    case 2:
      return append(field, "quant_parameter_tensor_names", annotation.parameters);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, Graph &graph) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return append(field, "node", graph.nodes);
    case 2:
      return read(field, "name", graph.name);
    case 5:
      return append(field, "initializer", graph.initializers);
    case 10:
      return read(field, "doc_string", graph.docString);
    case 11:
      return append(field, "input", graph.inputs);
    case 12:
      return append(field, "output", graph.outputs);
    case 13:
      return append(field, "value_info", graph.valueInfos);
    case 14:
      return append(field, "quantization_annotation", graph.quantizationAnnotations);
    case 15:
      return append(field, "sparse_initializer", graph.sparseInitializers);
    case 16:
      return append(field, "metadata_props", graph.metadata);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, OperatorSet &set) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "domain", set.domain);
    case 2:
      return read(field, "version", set.version);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, Function &function) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "name", function.name);
    case 4:
      return append(field, "input", function.inputs);
    case 5:
      return append(field, "output", function.outputs);
    case 6:
      return append(field, "attribute", function.attributes);
    case 7:
      return append(field, "node", function.nodes);
    case 8:
      return read(field, "doc_string", function.docString);
    case 9:
      return append(field, "opset_import", function.opsets);
    case 10:
      return read(field, "domain", function.domain);
    case 11:
      return append(field, "attribute_proto", function.defaultAttributes);
    case 12:
      return append(field, "value_info", function.valueInfos);
    case 13:
      return read(field, "overload", function.overload);
    case 14:
      return append(field, "metadata_props", function.metadata);
    }
    return true;
  });
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

bool Parser::parse(Bytes bytes, TrainingInfo &info) {
  bool hasInitialization = false, hasAlgorithm = false;
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return readOnce(field, "initialization", hasInitialization, info.initialization);
    case 2:
      return readOnce(field, "algorithm", hasAlgorithm, info.algorithm);
    case 3:
      return append(field, "initialization_binding", info.initializationBindings);
    case 4:
      return append(field, "update_binding", info.updateBindings);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, DeviceConfiguration &configuration) {
  return fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      return read(field, "name", configuration.name);
    case 2:
      return read(field, "num_devices", configuration.numDevices);
    case 3:
      return append(field, "device", configuration.devices);
    }
    return true;
  });
}

bool Parser::parse(Bytes bytes, Model &model) {
  bool hasVersion = false, hasGraph = false;
  bool fine = fields(bytes, [&](const WireField &field) {
    switch (field.number) {
    case 1:
      hasVersion = true;
      return read(field, "ir_version", model.irVersion);
    case 2:
      return read(field, "producer_name", model.producerName);
    case 3:
      return read(field, "producer_version", model.producerVersion);
    case 4:
      return read(field, "domain", model.domain);
    case 5:
      return read(field, "model_version", model.modelVersion);
    case 6:
      return read(field, "doc_string", model.docString);
    case 7:
      return readOnce(field, "graph", hasGraph, model.graph);
    case 8:
      return append(field, "opset_import", model.opsets);
    case 14:
      return append(field, "metadata_props", model.metadata);
    case 20:
      return append(field, "training_info", model.trainingInfos);
    case 25:
      return append(field, "functions", model.functions);
    case 26:
      return append(field, "configuration", model.deviceConfigurations);
    }
    return true;
  });
  if (!fine)
    return false;
  const uint8_t *end = file.data() + file.size();
  if (!hasVersion)
    return fail(end, "expected the field ir_version, found none up to the end");
  if (model.irVersion < Model::oldestIRVersion)
    return fail(end, "expected IR version " + std::to_string(Model::oldestIRVersion) +
                         " or newer, found " + std::to_string(model.irVersion));
  if (!hasGraph)
    return fail(end, "expected a graph, found none up to the end");
  if (model.opsets.empty())
    return fail(end, "expected an opset_import, found none up to the end");
  return true;
}
