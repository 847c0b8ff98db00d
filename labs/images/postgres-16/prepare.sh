#!/usr/bin/env bash
# Server from an npm package, client programs from a PyPI wheel.
set -euo pipefail
case $(uname -m) in
  x86_64) arch=x64 wheel=x86_64 ;;
  aarch64|arm64) arch=arm64 wheel=aarch64 ;;
  *) echo "architecture sans PostgreSQL hors ligne : $(uname -m)" >&2; exit 1 ;;
esac
mkdir -p dl && cd dl
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --implementation cp --python-version 311 --platform "manylinux_2_17_$wheel" --platform "manylinux2014_$wheel" \
  pgserver==0.1.4 &
pip=$!
echo '{"private":true}' > package.json
# Its install script makes the library links.
npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts=false \
  "@embedded-postgres/linux-$arch@16.14.0-beta.17"
wait "$pip"
python3 -m zipfile -e pgserver-*.whl wheel
cd ..

mkdir -p pgsql/pgserver/pginstall
cp -a dl/node_modules/@embedded-postgres/"linux-$arch"/native/. pgsql/
rm -rf pgsql/lib/*.a pgsql/lib/pkgconfig pgsql/lib/libecpg* pgsql/lib/libpgtypes* pgsql/pg-symlinks.json pgsql/include \
  pgsql/lib/postgresql/pgxs pgsql/share/doc pgsql/share/man
for p in psql pg_isready pg_dump pg_dumpall pg_restore pg_basebackup pg_rewind pg_resetwal pg_controldata pg_checksums \
         pg_receivewal pg_verifybackup pg_waldump pg_archivecleanup pgbench createdb dropdb createuser dropuser vacuumdb reindexdb clusterdb; do
  install -D -m 755 "dl/wheel/pgserver/pginstall/bin/$p" "pgsql/pgserver/pginstall/bin/$p"
done
mkdir -p pgsql/pgserver.libs
cp dl/wheel/pgserver.libs/libpq-* pgsql/pgserver.libs/
chmod 755 pgsql/bin/* pgsql/pgserver.libs/*
rm -rf dl
