# The object imports nothing, and no function in it calls another of the list by
# name: memcpy compiled into a call of memcpy would never return.
execute_process(COMMAND ${NM} --undefined-only ${OBJECT} OUTPUT_VARIABLE undefined
  COMMAND_ERROR_IS_FATAL ANY)
if(undefined)
  message(FATAL_ERROR "undefined symbols:\n${undefined}")
endif()
execute_process(COMMAND ${READELF} -r -W ${OBJECT} OUTPUT_VARIABLE relocations
  COMMAND_ERROR_IS_FATAL ANY)
if(relocations MATCHES " (mem[a-z]+|bcmp|__[a-z0-9]+|fmod|fma|floor|ceil|round|trunc|rint)f? [-+]")
  message(FATAL_ERROR "a builtin calls a builtin:\n${relocations}")
endif()
execute_process(COMMAND ${READELF} -s -W ${OBJECT} OUTPUT_VARIABLE symbols
  COMMAND_ERROR_IS_FATAL ANY)
if(symbols MATCHES "(WEAK|GLOBAL) +DEFAULT +[0-9]")
  message(FATAL_ERROR "a symbol is not hidden:\n${symbols}")
endif()
if(NOT symbols MATCHES "WEAK +HIDDEN +[0-9]+ memcpy")
  message(FATAL_ERROR "memcpy is missing:\n${symbols}")
endif()
