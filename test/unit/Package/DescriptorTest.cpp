//===- DescriptorTest.cpp - The descriptor, read through the C header -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package/Descriptor.h"
#include "Package/Writer.h"

#include "TestModule.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include <gtest/gtest.h>

#include <dlfcn.h>

using namespace weft;

namespace {

/// A model that is written, opened and asked for its description.
class DescriptorTest : public ::testing::Test {
protected:
  ~DescriptorTest() override {
    if (handle)
      dlclose(handle);
  }

  void open(test::Model model, llvm::ArrayRef<Weight> weights, const WriteOptions &options = {}) {
    auto written = writeModule(folder / "model.so", model.info, model.objects, weights, options);
    ASSERT_TRUE(bool(written)) << llvm::toString(written.takeError());
    handle = dlopen((folder / "model.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_TRUE(handle) << dlerror();
    query = reinterpret_cast<weft_module_query_fn>(dlsym(handle, WEFT_MODULE_QUERY_NAME));
    ASSERT_TRUE(query);
    module = query(WEFT_MODULE_ABI_MAJOR);
    ASSERT_TRUE(module);
  }

  test::Folder folder;
  void *handle = nullptr;
  weft_module_query_fn query = nullptr;
  const weft_module *module = nullptr;
};

} // namespace

static void expectArgument(const weft_argument &argument, const ArgumentInfo &info) {
  EXPECT_EQ(argument.name, info.name);
  EXPECT_EQ(argument.dtype.code, info.dtype.code);
  EXPECT_EQ(argument.dtype.bits, info.dtype.bits);
  EXPECT_EQ(argument.dtype.lanes, info.dtype.lanes);
  EXPECT_EQ(argument.alias, info.alias);
  EXPECT_EQ(argument.reserved, 0);
  ASSERT_EQ(size_t(argument.rank), info.dims.size());
  for (auto [i, dim] : llvm::enumerate(info.dims)) {
    EXPECT_EQ(argument.dims[i].size, dim.size);
    EXPECT_EQ(argument.dims[i].symbol, dim.symbol);
    EXPECT_EQ(argument.dims[i].reserved, 0);
  }
}

TEST_F(DescriptorTest, EveryFieldArrives) {
  test::Model model = test::makeModel();
  std::vector<uint8_t> a(100, 0xAA), b(7, 0xBB);
  Weight weights[] = {{"a", {WEFT_DTYPE_UINT, 8, 1}, {100}, a, ""},
                      {"b", {WEFT_DTYPE_UINT, 8, 1}, {7}, b, ""}};
  open(model, weights);
  if (HasFatalFailure())
    return;
  const ModuleInfo &info = model.info;
  EXPECT_EQ(module->magic, WEFT_MODULE_MAGIC);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(module), 8), "WEFTMOD1");
  EXPECT_EQ(module->struct_size, sizeof(weft_module));
  EXPECT_EQ(module->abi_major, WEFT_MODULE_ABI_MAJOR);
  EXPECT_EQ(module->abi_minor, WEFT_MODULE_ABI_MINOR);
  EXPECT_EQ(module->name, info.name);
  EXPECT_EQ(module->compiler_version, info.compilerVersion);
  EXPECT_EQ(module->options, info.options);
  EXPECT_EQ(llvm::ArrayRef(module->source_hash), llvm::ArrayRef(info.sourceHash));
  auto plan = planWeightsSection(weights);
  ASSERT_TRUE(bool(plan));
  EXPECT_EQ(llvm::ArrayRef(module->weights_hash), llvm::ArrayRef(plan->hash));
  EXPECT_EQ(module->weights_file, nullptr);
  EXPECT_EQ(module->reserved, 0u);

  ASSERT_EQ(module->weight_count, 2u);
  EXPECT_EQ(uintptr_t(module->weights) % WEFT_BUFFER_ALIGNMENT, 0u);
  EXPECT_EQ(module->weights_size, 192u);
  for (auto [i, weight] : llvm::enumerate(weights)) {
    const weft_weight &entry = module->weight_table[i];
    EXPECT_EQ(entry.name, weight.name);
    EXPECT_EQ(entry.offset, i * 128);
    ASSERT_EQ(entry.size, weight.bytes.size());
    EXPECT_EQ(llvm::ArrayRef(module->weights + entry.offset, entry.size), weight.bytes);
  }

  ASSERT_EQ(module->kernel_count, info.kernels.size());
  for (auto [i, kernel] : llvm::enumerate(info.kernels)) {
    EXPECT_EQ(module->kernels[i].name, kernel.name);
    EXPECT_EQ(module->kernels[i].flags, kernel.flags);
    EXPECT_EQ(module->kernels[i].site, info.kernels[i].site);
  }
  ASSERT_EQ(module->variant_count, info.variants.size());
  for (auto [i, variant] : llvm::enumerate(info.variants)) {
    EXPECT_EQ(module->variants[i].cpu, variant.cpu);
    EXPECT_EQ(module->variants[i].features, variant.features);
    for (int kernel = 0; kernel < 2; ++kernel)
      EXPECT_EQ(module->variants[i].kernels[kernel](nullptr, nullptr, nullptr, 0),
                int(10 * (i + 1) + kernel));
  }
  ASSERT_EQ(module->site_count, info.sites.size());
  for (auto [i, site] : llvm::enumerate(info.sites)) {
    EXPECT_EQ(module->sites[i].node, site.node);
    EXPECT_EQ(module->sites[i].op, site.op);
    EXPECT_EQ(module->sites[i].message, site.message);
  }

  ASSERT_EQ(module->function_count, 1u);
  const weft_function &function = module->functions[0];
  const FunctionInfo &expected = info.functions[0];
  EXPECT_EQ(function.name, expected.name);
  EXPECT_EQ(function.reserved, 0u);
  ASSERT_EQ(function.input_count, expected.inputs.size());
  ASSERT_EQ(function.output_count, expected.outputs.size());
  ASSERT_EQ(function.symbol_count, expected.symbols.size());
  for (auto [i, input] : llvm::enumerate(expected.inputs))
    expectArgument(function.inputs[i], input);
  for (auto [i, output] : llvm::enumerate(expected.outputs))
    expectArgument(function.outputs[i], output);
  for (auto [i, symbol] : llvm::enumerate(expected.symbols)) {
    EXPECT_EQ(function.symbols[i].name, symbol.name);
    EXPECT_EQ(function.symbols[i].min, symbol.min);
    EXPECT_EQ(function.symbols[i].max, symbol.max);
  }
  int64_t symbols[] = {300, 2};
  EXPECT_EQ(function.workspace_size(symbols, 3), 900);
  EXPECT_EQ(function.invoke(nullptr, symbols, nullptr), 6);
}

TEST_F(DescriptorTest, OtherMajorVersionsAreNotServed) {
  open(test::makeModel(), {});
  if (HasFatalFailure())
    return;
  EXPECT_EQ(query(WEFT_MODULE_ABI_MAJOR - 1), nullptr);
  EXPECT_EQ(query(WEFT_MODULE_ABI_MAJOR + 1), nullptr);
  EXPECT_EQ(query(~0u), nullptr);
}

TEST_F(DescriptorTest, NoWeights) {
  open(test::makeModel(), {});
  if (HasFatalFailure())
    return;
  EXPECT_EQ(module->weights, nullptr);
  EXPECT_EQ(module->weights_file, nullptr);
  EXPECT_EQ(module->weights_size, 0u);
  EXPECT_EQ(module->weight_count, 0u);
  EXPECT_EQ(module->weight_table, nullptr);
}

TEST_F(DescriptorTest, ExternalWeights) {
  std::vector<uint8_t> a(1000, 1);
  Weight weights[] = {{"a", {WEFT_DTYPE_UINT, 8, 1}, {1000}, a, ""}};
  WriteOptions options;
  options.embedLimit = 999;
  open(test::makeModel(), weights, options);
  if (HasFatalFailure())
    return;
  EXPECT_EQ(module->weights, nullptr);
  EXPECT_STREQ(module->weights_file, "model.safetensors");
  std::string file = test::read(folder / "model.safetensors");
  EXPECT_EQ(module->weights_size, file.size());
  ASSERT_EQ(module->weight_count, 1u);
  EXPECT_EQ(module->weight_table[0].offset % WEFT_BUFFER_ALIGNMENT, 0u);
  EXPECT_EQ(file.substr(module->weight_table[0].offset, module->weight_table[0].size),
            std::string(1000, 1));
}

TEST(StaticQuerySymbol, IsAnIdentifier) {
  EXPECT_EQ(staticQuerySymbol("bert-base.v1"), "weft_module_query_bert_base_v1");
}

TEST(Descriptor, RefusesContradictions) {
  struct Case {
    const char *expected;
    void (*change)(ModuleInfo &);
  };
  const Case cases[] = {
      {"contains a NUL at position 1",
       [](ModuleInfo &info) { info.sites[0].node = std::string("a\0b", 3); }},
      {"variant 'x86-64-v3' has 1 kernels; expected 2",
       [](ModuleInfo &info) { info.variants[1].kernelSymbols.pop_back(); }},
      {"variant 'x86-64-v4' lacks kernel 'first'",
       [](ModuleInfo &info) { info.variants[0].kernelSymbols[0].clear(); }},
      {"expected at least one variant", [](ModuleInfo &info) { info.variants.clear(); }},
      {"expected at least one function", [](ModuleInfo &info) { info.functions.clear(); }},
      {"function 'main' lacks its invoke or workspace symbol",
       [](ModuleInfo &info) { info.functions[0].invokeSymbol.clear(); }},
      {"axis 1 of input 'x' names symbol 2, but function 'main' has 2",
       [](ModuleInfo &info) { info.functions[0].inputs[0].dims[1] = DimInfo::symbolic(2); }},
      {"axis 1 of input 'x' has neither a size nor a symbol",
       [](ModuleInfo &info) { info.functions[0].inputs[0].dims[1] = DimInfo::unknown(); }},
      {"axis 0 of output 'y' has size 5 and symbol 0",
       [](ModuleInfo &info) {
         info.functions[0].outputs[0].dims[0] = {5, 0};
       }},
      {"output 'next' shares memory with input 2",
       [](ModuleInfo &info) { info.functions[0].outputs[1].alias = 2; }},
      {"input 'x' shares memory with input 0",
       [](ModuleInfo &info) { info.functions[0].inputs[0].alias = 0; }},
      {"symbol 'seq' of function 'main' is no dimension of any input",
       [](ModuleInfo &info) { info.functions[0].inputs.pop_back(); }},
      {"symbol 'batch' has the range [65, 64]",
       [](ModuleInfo &info) { info.functions[0].symbols[0].min = 65; }},
      {"weights file '../w' has a folder in its name",
       [](ModuleInfo &info) { info.weightsFile = "../w"; }},
      {"weight 'w' lies at offset 32; expected a multiple of 64",
       [](ModuleInfo &info) {
         info.weightsSize = 128;
         info.weights = {{"w", 32, 4}};
       }},
      {"weight 'w' has 18446744073709551615 bytes at offset 64 of 128",
       [](ModuleInfo &info) {
         info.weightsSize = 128;
         info.weights = {{"w", 64, ~uint64_t(0)}};
       }},
  };
  ModuleInfo valid = test::makeModel().info;
  for (const Case &test : cases) {
    ModuleInfo info = valid;
    test.change(info);
    llvm::LLVMContext context;
    auto module = buildDescriptor(context, info, WEFT_MODULE_QUERY_NAME);
    ASSERT_FALSE(bool(module)) << test.expected;
    std::string text = llvm::toString(module.takeError());
    EXPECT_NE(text.find(test.expected), std::string::npos)
        << "expected: " << test.expected << "\nfound: " << text;
  }
}
