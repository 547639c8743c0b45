// A shared library that is no plugin.
extern "C" int weftRegisterPlugin();
extern "C" int weftRegisterPlugin() { return 1; }
