#!/bin/sh
# The pages' scripts, as the project's own webpack settings would put them in build/.
set -eu
printf 'module.exports = window.jQuery;\n' > jquery.cjs
sed -i 's/^import htmlEntities from/import * as htmlEntities from/' lib/scripts/collection.js
# renderjson hides « module » behind a variable of its own: nothing could be imported from it.
sed -i 's/^var module, window, define, renderjson=/var renderjson=/; s/^if (define).*/if (false) {}/' node_modules/renderjson/renderjson.js
node_modules/.bin/esbuild lib/scripts/vendor.js --bundle --minify --outdir=build --log-level=warning
node_modules/.bin/esbuild --bundle --minify --alias:jquery=./jquery.cjs --outdir=build --log-level=error \
  lib/scripts/index.js lib/scripts/database.js lib/scripts/collection.js lib/scripts/document.js lib/scripts/gridfs.js lib/scripts/codeMirrorLoader.js
mv build/codeMirrorLoader.js build/codemirror.js
mkdir -p build/css/theme build/img build/fonts
cp public/images/* build/img/; cp public/stylesheets/* build/css/
cp node_modules/codemirror/lib/codemirror.css build/css/; cp node_modules/codemirror/theme/* build/css/theme/
cp node_modules/bootstrap/dist/fonts/* build/fonts/; cp node_modules/bootstrap/dist/css/bootstrap.min.css node_modules/bootstrap/dist/css/bootstrap-theme.min.css build/css/
node -e 'const out = {}; for (const n of ["index", "database", "collection", "document", "gridfs", "vendor", "codemirror"]) { require("fs").statSync(`build/${n}.js`); out[n] = { js: `public/${n}.js` }; } require("fs").writeFileSync("build-assets.json", JSON.stringify(out));'
rm -rf jquery.cjs lib/scripts
