#!/bin/sh
# Moves an unpacked Debian CPython ($1) under $2, and makes it install where upstream does.
set -eu
from=$1 to=$2 v=3.11
lib=$to/lib/python$v
mkdir -p "$to/bin" "$to/include" "$lib" /usr/share
cp -a "$from/usr/bin/python$v" "$to/bin/"
cp -a "$from/usr/lib/python$v/." "$lib/"
cp -a "$from/usr/include/python$v" "$to/include/"
cp -a "$from"/usr/include/*-linux-gnu* /usr/include/
cp -a "$from/usr/share/python-wheels" /usr/share/
# Left out as the official image does: the static library, and the hook of Debian's own reports.
rm -rf "$lib"/config-*/*.a "$lib/sitecustomize.py" "$lib/EXTERNALLY-MANAGED" "$lib/_distutils_system_mod.py" "$lib/dist-packages"
mkdir -p "$lib/site-packages"
for name in python python3; do ln -sf "python$v" "$to/bin/$name"; done
# Debian's two changes undone. Where packages are looked for is frozen in the program: a link leads there.
ln -s site-packages "$lib/dist-packages"
# Where packages are put.
sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/" "$lib/sysconfig.py"
! grep -q "prefix_scheme = 'posix_local'" "$lib/sysconfig.py"
for file in "$lib"/_sysconfigdata_*.py; do
  sed -i "s#/usr/include/python$v#$to/include/python$v#g; s#/usr/lib/python$v#$lib#g" "$file"
done
