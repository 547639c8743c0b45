//===- CallTest.cpp - Calls: bindings, results and refusals -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <gmock/gmock.h>

#include <cstring>
#include <numeric>

using namespace weft;
using namespace weft::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {
class CallTest : public testing::Test {
protected:
  rt::Context context(const char *function, int32_t threads = 1) {
    auto options = rt::contextOptions(threads);
    return rt::Context(module, function, &options);
  }
  rt::Module module = rt::Module::load(modulePath("plain"));
  std::vector<float> x = std::vector<float>(12), bias{10, 20, 30, 40};
  void SetUp() override { std::iota(x.begin(), x.end(), 0.f); }
  rt::Tensor xView() { return rt::view(x.data(), {3, 4}); }
  rt::Tensor biasView() { return rt::view(bias.data(), {4}); }
};

template <typename T> std::vector<T> values(const rt::Tensor &tensor) {
  const T *data = tensor.data<T>();
  return std::vector<T>(data, data + tensor.size());
}
} // namespace

TEST_F(CallTest, ComputesIntoContextMemory) {
  auto main = context("main");
  auto outputs = main({xView(), biasView()});
  EXPECT_THAT(outputs[0].dims(), ElementsAre(3, 4));
  EXPECT_THAT(values<float>(outputs[0]),
              ElementsAre(10, 22, 36, 52, 14, 30, 48, 68, 18, 38, 60, 84));
  EXPECT_THAT(outputs[1].dims(), ElementsAre());
  EXPECT_EQ(*outputs[1].data<float>(), 480);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(outputs[0].data()) % 64, 0u);
  auto stats = main.stats();
  EXPECT_EQ(stats.kernels, 2u);
  EXPECT_EQ(stats.workspace_bytes, 3u * 16 + 64);
  EXPECT_EQ(stats.serial_loops, 1u);
  EXPECT_EQ(stats.unbounded_allocations, 0u);
  EXPECT_EQ(stats.threads, 1);
}

TEST_F(CallTest, ComputesIntoTheCallersBuffers) {
  auto main = context("main");
  std::vector<float> y(12, -1);
  float total = -1;
  main({xView(), biasView()}, {rt::view(y.data(), {3, 4}), rt::view(&total, {})});
  EXPECT_EQ(y[11], 84);
  EXPECT_EQ(total, 480);
  EXPECT_EQ(main.output(0).data<float>(), y.data());
  EXPECT_EQ(main.stats().context_output_bytes, 0u);
}

TEST_F(CallTest, LeavesInputsAlone) {
  auto before = x;
  context("main")({xView(), biasView()});
  EXPECT_EQ(x, before);
}

TEST_F(CallTest, BindsOnceAndRunsOften) {
  auto main = context("main");
  std::vector<float> y(12);
  main.bindInput(0, xView());
  main.bindInput(1, biasView());
  main.bindOutput(0, rt::view(y.data(), {3, 4}));
  for (int i = 0; i < 3; ++i) {
    x[0] = float(i);
    main.run();
    EXPECT_EQ(y[0], float(10 + i));
  }
  main.run();
  EXPECT_EQ(main.stats().allocations, 0u);
}

TEST_F(CallTest, ShapesMayChangeBetweenCalls) {
  auto main = context("main");
  for (int64_t batch : {3, 1, 2, 3}) {
    auto outputs = main({rt::view(x.data(), {batch, 4}), biasView()});
    EXPECT_THAT(outputs[0].dims(), ElementsAre(batch, 4));
  }
}

TEST_F(CallTest, FillsOutputEntriesThatHaveNoData) {
  auto main = context("main");
  auto in0 = xView(), in1 = biasView();
  weft_tensor inputs[] = {in0.get(), in1.get()};
  weft_tensor outputs[2] = {};
  ASSERT_EQ(describe(weft_invoke(main.get(), inputs, 2, outputs, 2)), "");
  ASSERT_NE(outputs[0].data, nullptr);
  EXPECT_EQ(outputs[0].rank, 2);
  EXPECT_EQ(outputs[0].dims[0], 3);
  EXPECT_EQ(static_cast<float *>(outputs[0].data)[11], 84);
}

TEST_F(CallTest, ShapesKnownOnlyAfterTheCall) {
  auto nonzero = context("nonzero");
  x = {0, 5, 0, 0, 7, 8, 0, 0, 0, 0, 0, 9};
  auto input = rt::view(x.data(), {12});
  auto outputs = nonzero({input});
  EXPECT_THAT(values<int64_t>(outputs[0]), ElementsAre(1, 4, 5, 11));
  EXPECT_EQ(nonzero.stats().unbounded_allocations, 1u);
  EXPECT_EQ(nonzero.stats().unbounded_bytes, 96u);

  // Large enough: there; too small: in the context; the entry tells which.
  std::vector<int64_t> buffer(12, -1);
  auto fits = nonzero({input}, {rt::view(buffer.data(), {12})});
  EXPECT_EQ(fits[0].data<int64_t>(), buffer.data());
  EXPECT_THAT(fits[0].dims(), ElementsAre(4));
  EXPECT_EQ(buffer[3], 11);
  EXPECT_EQ(buffer[4], -1);
  auto small = nonzero({input}, {rt::view(buffer.data(), {2})});
  EXPECT_NE(small[0].data<int64_t>(), buffer.data());
  EXPECT_THAT(values<int64_t>(small[0]), ElementsAre(1, 4, 5, 11));

  std::fill(x.begin(), x.end(), 0.f);
  auto none = nonzero({input});
  EXPECT_THAT(none[0].dims(), ElementsAre(0));
  EXPECT_NE(none[0].data(), nullptr);
}

TEST_F(CallTest, EmptyTensorsNeedNoData) {
  auto gather = context("gather");
  std::vector<float> data(5);
  auto outputs =
      gather({rt::view(data.data(), {5}), rt::view(static_cast<int64_t *>(nullptr), {0})});
  EXPECT_THAT(outputs[0].dims(), ElementsAre(0));
}

TEST_F(CallTest, RefusesWrongInputsByName) {
  auto main = context("main");
  auto error = [&](const rt::Tensor &a, const rt::Tensor &b) {
    return errorOf([&] { main({a, b}); });
  };
  std::vector<double> wide(12);
  EXPECT_EQ(error(rt::view(wide.data(), {3, 4}), biasView()),
            "INVALID_ARGUMENT: input 'x' has type float64, expected float32");
  EXPECT_EQ(error(rt::view(x.data(), {3, 2, 2}), biasView()),
            "INVALID_ARGUMENT: input 'x' has shape [3, 2, 2], expected "
            "[batch, 4]: rank 3, not 2");
  EXPECT_EQ(error(rt::view(x.data(), {4, 3}), biasView()),
            "INVALID_ARGUMENT: input 'x' has shape [4, 3], expected [batch, "
            "4]: dimension 1 is 3, not 4");
  EXPECT_EQ(error(rt::view(x.data(), {-3, 4}), biasView()),
            "INVALID_ARGUMENT: input 'x' has shape [-3, 4], expected [batch, "
            "4]: dimension 0 is negative");
  EXPECT_EQ(error(rt::view(x.data(), {0, 4}), biasView()),
            "INVALID_ARGUMENT: dimension 'batch' is 0 in input 'x', expected "
            "at least 1");
  EXPECT_EQ(error(rt::view(x.data(), {int64_t(1) << 61, 4}), biasView()),
            "INVALID_ARGUMENT: input 'x' has shape [2305843009213693952, 4], "
            "expected [batch, 4]: its size does not fit in 63 bits");
  EXPECT_EQ(error(xView(), rt::view(static_cast<float *>(nullptr), {4})),
            "INVALID_ARGUMENT: input 'bias' has no data, expected 16 bytes");
  auto *odd = reinterpret_cast<float *>(reinterpret_cast<char *>(x.data()) + 2);
  EXPECT_THAT(error(rt::view(odd, {2, 4}), biasView()),
              HasSubstr("expected a multiple of 4 bytes as type float32 needs"));
  EXPECT_EQ(errorOf([&] { main({xView()}); }),
            "INVALID_ARGUMENT: function 'main' takes 2 inputs, 1 are given");
  EXPECT_EQ(errorOf([&] {
              main({xView(), biasView(), biasView()});
            }),
            "INVALID_ARGUMENT: function 'main' takes 2 inputs, 3 are given");
  EXPECT_EQ(errorOf([&] { main.bindInput(2, xView()); }),
            "INVALID_ARGUMENT: function 'main' has 2 inputs, there is no "
            "number 2");
  weft_tensor noDims{x.data(), rt::dtypeOf<float>(), 2, nullptr, nullptr};
  EXPECT_THAT(describe(weft_context_bind_input(main.get(), 0, &noDims)),
              HasSubstr("input 'x' has rank 2 but no dims, expected rank 2"));
  noDims.rank = -5;
  EXPECT_THAT(describe(weft_context_bind_input(main.get(), 0, &noDims)),
              HasSubstr("input 'x' has rank -5, expected rank 2"));
}

TEST_F(CallTest, RefusesStridedTensorsByName) {
  auto main = context("main");
  const int64_t dims[] = {3, 4}, transposed[] = {1, 3}, dense[] = {4, 1};
  weft_tensor tensor{x.data(), rt::dtypeOf<float>(), 2, dims, transposed};
  EXPECT_EQ(describe(weft_context_bind_input(main.get(), 0, &tensor)),
            "INVALID_ARGUMENT: input 'x' of shape [3, 4] has strides [1, 3], "
            "expected a contiguous row-major tensor");
  tensor.strides = dense;
  EXPECT_EQ(describe(weft_context_bind_input(main.get(), 0, &tensor)), "");
  const int64_t one[] = {1, 4}, any[] = {77, 1}; // extent 1: any stride
  tensor.dims = one;
  tensor.strides = any;
  EXPECT_EQ(describe(weft_context_bind_input(main.get(), 0, &tensor)), "");
}

TEST_F(CallTest, RefusesInconsistentSymbols) {
  auto transpose = context("transpose");
  auto error = [&](std::vector<int64_t> a, std::vector<int64_t> b) {
    return errorOf([&] { transpose({rt::view(x.data(), a), rt::view(x.data(), b)}); });
  };
  EXPECT_EQ(error({4, 3}, {5}), "INVALID_ARGUMENT: dimension 'n' is 4 in input "
                                "'x' but 5 in input 'z'");
  EXPECT_EQ(error({4, 1}, {4}), "INVALID_ARGUMENT: dimension 'm' is 1 in input "
                                "'x', expected 2 to 64");
  EXPECT_EQ(error({4, 65}, {4}), "INVALID_ARGUMENT: dimension 'm' is 65 in "
                                 "input 'x', expected 2 to 64");
  EXPECT_EQ(error({4, 3}, {4}), "");
}

TEST_F(CallTest, RefusesWrongOutputsByName) {
  auto main = context("main");
  std::vector<float> y(20);
  float total;
  auto error = [&](const rt::Tensor &a, const rt::Tensor &b) {
    return errorOf([&] { main({xView(), biasView()}, {a, b}); });
  };
  EXPECT_EQ(error(rt::view(y.data(), {4, 4}), rt::view(&total, {})),
            "INVALID_ARGUMENT: output 'y': dimension 0 is 4, expected 3 "
            "('batch')");
  EXPECT_EQ(error(rt::view(y.data(), {3, 5}), rt::view(&total, {})),
            "INVALID_ARGUMENT: output 'y' has shape [3, 5], expected [batch, "
            "4]: dimension 1 is 5, not 4");
  EXPECT_EQ(error(rt::view(y.data(), {3, 4}), rt::view(y.data(), {})),
            "INVALID_ARGUMENT: output 'total' overlaps output 'y' in memory");
  EXPECT_EQ(error(rt::view(x.data(), {3, 4}), rt::view(&total, {})),
            "INVALID_ARGUMENT: output 'y' overlaps input 'x' in memory, which "
            "the module does not allow");
  EXPECT_EQ(errorOf([&] {
              main({xView(), biasView()}, {rt::view(y.data(), {3, 4})});
            }),
            "INVALID_ARGUMENT: function 'main' has 2 outputs, 1 are given");
}

TEST_F(CallTest, RefusesContextMemoryAsInput) {
  auto cache = context("cache");
  auto first = cache({biasView()});
  EXPECT_THAT(errorOf([&] { cache({first[0]}); }),
              HasSubstr("input 'state' lies in the context's memory of output "
                        "'next', which the call overwrites"));
}

TEST_F(CallTest, DeclaredAliasesWorkInPlace) {
  auto cache = context("cache");
  for (int i = 0; i < 3; ++i)
    cache({biasView()}, {biasView()});
  EXPECT_THAT(bias, ElementsAre(13, 23, 33, 43));
  EXPECT_THAT(errorOf([&] { cache({rt::view(x.data(), {4})}, {rt::view(x.data() + 1, {4})}); }),
              HasSubstr("output 'next' overlaps input 'state'"));
}

TEST_F(CallTest, RunsOnlyWhenAllIsBound) {
  auto main = context("main");
  main.bindInput(0, xView());
  EXPECT_EQ(errorOf([&] { main.run(); }),
            "FAILED_PRECONDITION: input 'bias' of function 'main' is not "
            "bound");
  EXPECT_THAT(errorOf([&] { main.output(0); }), HasSubstr("no call has succeeded"));
}

TEST_F(CallTest, UsesTheCallersWorkspace) {
  auto main = context("main");
  const uint64_t bytes = main.workspaceSize({xView(), biasView()});
  EXPECT_EQ(bytes, 3u * 16 + 64);
  // Shapes are enough.
  EXPECT_EQ(main.workspaceSize({rt::Tensor(nullptr, rt::dtypeOf<float>(), {9, 4}),
                                rt::Tensor(nullptr, rt::dtypeOf<float>(), {4})}),
            9u * 16 + 64);
  alignas(64) char memory[256] = {};
  main.setWorkspace(memory, bytes);
  main({xView(), biasView()});
  float copied;
  memcpy(&copied, memory + 4, 4);
  EXPECT_EQ(copied, 1.f); // the module's copy of x
  main.setWorkspace(memory, bytes - 1);
  EXPECT_EQ(errorOf([&] {
              main({xView(), biasView()});
            }),
            "RESOURCE_EXHAUSTED: the workspace has 111 bytes, function 'main' "
            "needs 112 for these shapes and 1 threads");
  EXPECT_THAT(errorOf([&] { main.setWorkspace(memory + 1, 64); }), HasSubstr("not aligned to 64"));
  main.setWorkspace(nullptr, 0);
  main({xView(), biasView()});
}

TEST_F(CallTest, NamesTheNodeThatFails) {
  std::vector<float> data(5, 1.f);
  std::vector<int64_t> indices(1000, 3);
  indices[500] = 100;
  indices[900] = -7;
  auto gather = context("gather");
  auto call = [&] { gather({rt::view(data.data(), {5}), rt::view(indices.data(), {1000})}); };
  EXPECT_EQ(errorOf(call), "OUT_OF_RANGE: node 'gather_3' (Gather): index 100 at position 500 "
                           "is out of range [0, 4]");
  EXPECT_THAT(errorOf([&] { gather.output(0); }), HasSubstr("no call"));
  indices[500] = indices[900] = 0;
  EXPECT_EQ(errorOf(call), "");
}

TEST_F(CallTest, SurvivesBadModules) {
  EXPECT_EQ(errorOf([&] { context("silent")({}); }),
            "UNIMPLEMENTED: node 'sum_1' (ReduceSum): failed with "
            "UNIMPLEMENTED");
  EXPECT_EQ(errorOf([&] { context("forgetful")({}); }),
            "INTERNAL: function 'forgetful' did not compute output 'next'");
  EXPECT_THAT(errorOf([&] { context("wrong_shape")({}); }), HasSubstr("contradicts the signature"));
  EXPECT_EQ(errorOf([&] { context("hungry")({}); }),
            "RESOURCE_EXHAUSTED: function 'hungry': out of memory: a temporary "
            "needs 9223372036854775807 bytes");
  EXPECT_THAT(errorOf([&] { context("endless")({}); }),
              HasSubstr("more workspace for these shapes than fits"));
  auto main = context("main");
  EXPECT_THAT(errorOf([&] {
                rt::Tensor huge(x.data(), rt::dtypeOf<float>(), {int64_t(1) << 58, 4});
                main({huge, biasView()});
              }),
              HasSubstr("RESOURCE_EXHAUSTED: out of memory: the workspace of "
                        "function 'main' needs 4611686018427387968 bytes"));
}

TEST_F(CallTest, HandsOutputsOverByDLPack) {
  auto main = context("main");
  main({xView(), biasView()});
  struct DLManagedTensorVersioned *managed = nullptr;
  ASSERT_EQ(describe(weft_context_take_output(main.get(), 0, &managed)), "");
  weft_tensor tensor{};
  ASSERT_EQ(describe(weft_tensor_from_dlpack(managed, &tensor)), "");
  main({xView(), biasView()}); // does not touch what was handed over
  EXPECT_EQ(tensor.rank, 2);
  EXPECT_EQ(tensor.dims[0], 3);
  EXPECT_EQ(tensor.strides[0], 4);
  EXPECT_EQ(static_cast<float *>(tensor.data)[11], 84);
  // The specification's layout: version, manager_ctx, deleter.
  struct Head {
    uint32_t major, minor;
    void *manager;
    void (*deleter)(DLManagedTensorVersioned *);
  } head;
  memcpy(&head, managed, sizeof(head));
  EXPECT_EQ(head.major, 1u);
  head.deleter(managed);

  ASSERT_EQ(describe(weft_context_take_output(main.get(), 0, &managed)), "");
  EXPECT_THAT(errorOf([&] { main.output(0); }), HasSubstr("has been taken"));
  head.deleter(managed);
  std::vector<float> y(12);
  float total;
  main({xView(), biasView()}, {rt::view(y.data(), {3, 4}), rt::view(&total, {})});
  EXPECT_THAT(describe(weft_context_take_output(main.get(), 0, &managed)),
              HasSubstr("output 'y' lies in a buffer of the caller"));
}

TEST_F(CallTest, ReportsKernelsToTheProfile) {
  struct Event {
    std::string kernel, node, op;
    uint32_t flags;
    int64_t ns;
  };
  std::vector<Event> events;
  std::string lines;
  auto options = rt::contextOptions(1);
  options.profile_user = &events;
  options.profile = [](void *user, const weft_profile_event *event) {
    static_cast<std::vector<Event> *>(user)->push_back(
        {event->kernel, event->node, event->op, event->flags, event->end_ns - event->begin_ns});
  };
  options.log_user = &lines;
  options.log = [](void *user, int32_t, const char *line) {
    *static_cast<std::string *>(user) += line;
  };
  rt::Context main(module, 0, &options);
  EXPECT_THAT(lines, HasSubstr("function 'main': 1 threads"));
  main({xView(), biasView()});
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kernel, "affine");
  EXPECT_EQ(events[0].node, "affine_0");
  EXPECT_EQ(events[0].op, "Gemm");
  EXPECT_EQ(events[0].flags, 0u);
  EXPECT_EQ(events[1].kernel, "sum");
  EXPECT_EQ(events[1].flags, uint32_t(WEFT_KERNEL_FALLBACK));
  EXPECT_GE(events[1].ns, 0);
}

TEST_F(CallTest, WarmUpLeavesNothingToAllocate) {
  auto main = context("main");
  main.bindInput(0, xView());
  main.bindInput(1, biasView());
  main.warmUp();
  main.run();
  EXPECT_EQ(main.stats().allocations, 0u);
  EXPECT_EQ(main.output(0).data<float>()[11], 84);
}

TEST_F(CallTest, OlderAndWrongStructs) {
  weft_context *context = nullptr;
  weft_context_options options{};
  EXPECT_THAT(describe(weft_context_create(module.get(), 0, &options, &context)),
              HasSubstr("struct_size of the options is not set"));
  options.struct_size = 8; // a caller that knows of `threads` only
  options.threads = 1;
  options.spin_us = 12345;
  ASSERT_EQ(describe(weft_context_create(module.get(), 0, &options, &context)), "");
  weft_stats stats{};
  EXPECT_THAT(describe(weft_context_stats(context, &stats)), HasSubstr("struct_size is not set"));
  stats.struct_size = 8;
  stats.workspace_bytes = 42;
  EXPECT_EQ(describe(weft_context_stats(context, &stats)), "");
  EXPECT_EQ(stats.threads, 1);
  EXPECT_EQ(stats.workspace_bytes, 42u); // beyond what the caller has
  weft_context_release(context);
  options.threads = -1;
  EXPECT_THAT(describe(weft_context_create(module.get(), 0, &options, &context)),
              HasSubstr("-1 threads are asked for, expected 0 to 4096"));
  EXPECT_THAT(describe(weft_context_create(module.get(), 99, nullptr, &context)),
              HasSubstr("there is no number 99"));
}

TEST_F(CallTest, NamesAndSizesOfTypes) {
  EXPECT_STREQ(weft_dtype_name({WEFT_DTYPE_BFLOAT, 16, 1}), "bfloat16");
  EXPECT_STREQ(weft_dtype_name({WEFT_DTYPE_BOOL, 8, 1}), "bool");
  EXPECT_STREQ(weft_dtype_name({WEFT_DTYPE_FLOAT, 32, 2}), "unknown");
  const int64_t dims[] = {3, 5}, huge[] = {INT64_MAX, 0}, big[] = {INT64_MAX, 2};
  uint64_t bytes = 0;
  weft_tensor tensor{nullptr, {WEFT_DTYPE_INT, 4, 1}, 2, dims, nullptr};
  EXPECT_EQ(describe(weft_tensor_bytes(&tensor, &bytes)), "");
  EXPECT_EQ(bytes, 8u); // 15 nibbles
  tensor.dims = huge;
  EXPECT_EQ(describe(weft_tensor_bytes(&tensor, &bytes)), "");
  EXPECT_EQ(bytes, 0u);
  tensor.dims = big;
  EXPECT_THAT(describe(weft_tensor_bytes(&tensor, &bytes)),
              HasSubstr("[9223372036854775807, 2] and type int4"));
}

TEST_F(CallTest, ErrorsOfNothing) {
  EXPECT_EQ(weft_error_code(nullptr), WEFT_OK);
  EXPECT_STREQ(weft_error_message(nullptr), "");
  weft_error_free(nullptr);
  weft_context_release(nullptr);
  weft_module_release(nullptr);
  weft_context_cancel(nullptr);
  EXPECT_STREQ(weft_code_name(WEFT_DATA_LOSS), "DATA_LOSS");
  EXPECT_STREQ(weft_code_name(99), "UNKNOWN");
  EXPECT_NE(describe(weft_context_run(nullptr)), "");
  EXPECT_NE(describe(weft_invoke(nullptr, nullptr, 0, nullptr, 0)), "");
  EXPECT_NE(describe(weft_context_output(nullptr, 0, nullptr)), "");
  EXPECT_EQ(weft_runtime_api_version() >> 16, WEFT_RUNTIME_API_MAJOR);
}
