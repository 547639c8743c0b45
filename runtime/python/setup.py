# A wheel with the library in it is for one platform, though for any Python 3.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

from pathlib import Path

from setuptools import Distribution, setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

HAS_LIBRARY = any((Path(__file__).parent / "weft" / "lib").glob("*.so*"))


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        _, _, platform = super().get_tag()
        return "py3", "none", platform


class BinaryDistribution(Distribution):
    def has_ext_modules(self):
        return HAS_LIBRARY


setup(cmdclass={"bdist_wheel": PlatformWheel}, distclass=BinaryDistribution)
