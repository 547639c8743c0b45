# Installs the runtime, builds examples/embed against the install tree with
# find_package and with pkg-config, and runs it.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(run COMMAND_ERROR_IS_FATAL ANY OUTPUT_VARIABLE output ECHO_OUTPUT_VARIABLE)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/install
  --component runtime COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
# Two objects as --emit=obj writes them: the module and the builtins in one.
foreach(name first second)
  execute_process(COMMAND ${CC} -std=c11 -O2 -ffreestanding -fPIC -fvisibility=hidden -I${SOURCE}/include
    -DQUERY=weft_module_query_${name} -c ${SOURCE}/test/unit/Runtime/TestModule.c -o ${WORK}/${name}.c.o
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${LD} -r -o ${WORK}/${name}.o ${WORK}/${name}.c.o ${BUILTINS} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE}/examples/embed -B ${WORK}/embed -G "${GENERATOR}"
  -DCMAKE_PREFIX_PATH=${WORK}/install -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX}
  -DFIRST=first -DFIRST_OBJECT=${WORK}/first.o -DSECOND=second -DSECOND_OBJECT=${WORK}/second.o ${run})
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/embed ${run})
execute_process(COMMAND ${WORK}/embed/embed ${MODULE} ${run})
set(expected "y: 1x4xfloat32 = 0 0 0 0\ntotal: float32 = 0\n")
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "expected:\n${expected}")
endif()
set(expected "model 'test'\n${expected}")
execute_process(COMMAND ${WORK}/embed/embed-linked ${run})
if(NOT output STREQUAL "${expected}${expected}")
  message(FATAL_ERROR "expected twice:\n${expected}")
endif()
execute_process(COMMAND ${WORK}/embed/embed /nonexistent.so RESULT_VARIABLE code ERROR_VARIABLE text)
if(NOT code EQUAL 1 OR NOT text MATCHES "error: NOT_FOUND: module '/nonexistent.so'")
  message(FATAL_ERROR "${code}: ${text}")
endif()
find_program(PKG_CONFIG pkg-config)
if(PKG_CONFIG)
  file(GLOB_RECURSE pc ${WORK}/install/*/weft-runtime.pc)
  get_filename_component(folder ${pc} DIRECTORY)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${folder}
    ${PKG_CONFIG} --cflags --libs weft-runtime OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  execute_process(COMMAND ${CC} ${SOURCE}/examples/embed/main.c ${SOURCE}/examples/embed/call.c ${flags} -o ${WORK}/embed-pc
    COMMAND_ERROR_IS_FATAL ANY)
endif()
