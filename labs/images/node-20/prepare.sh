#!/usr/bin/env bash
# Node's own binary and npm, both from npm packages.
set -euo pipefail
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64|arm64) arch=arm64 ;;
  *) echo "architecture sans Node hors ligne : $(uname -m)" >&2; exit 1 ;;
esac
mkdir -p dl && cd dl
echo '{"private":true}' > package.json
npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
  "node-linux-$arch@20.20.2" npm@10.8.2 yarn@1.22.22
cd ..
mkdir -p root/bin root/lib/node_modules
cp dl/node_modules/"node-linux-$arch"/bin/node root/bin/node
chmod 755 root/bin/node
cp -R dl/node_modules/npm dl/node_modules/yarn root/lib/node_modules/
rm -rf dl root/lib/node_modules/npm/{docs,man}
ln -s ../lib/node_modules/npm/bin/npm-cli.js root/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js root/bin/npx
ln -s ../lib/node_modules/yarn/bin/yarn.js root/bin/yarn
ln -s ../lib/node_modules/yarn/bin/yarn.js root/bin/yarnpkg
ln -s node root/bin/nodejs
chmod 755 root/lib/node_modules/npm/bin/*-cli.js root/lib/node_modules/yarn/bin/yarn.js
