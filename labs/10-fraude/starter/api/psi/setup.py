from setuptools import Extension, setup

setup(name="psi", version="1.0", ext_modules=[Extension("psi", ["psi.c"])])
