#!/usr/bin/env bash
# Build the documentation site as rosdoc2 does; any warning is an error.
#
#   docs/build.sh BIN OUT     BIN has sphinx-build and sphinx-apidoc; OUT/html/index.html is the site.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=$1 out=$2

rm -rf "$out"
mkdir -p "$out"
cp -r docs "$out/source"
"$bin/sphinx-apidoc" -q --separate --output-dir "$out/source" cfrnet_ros
# The search path as rosdoc2 sets it.
PYTHONPATH=$PWD "$bin/sphinx-build" --fail-on-warning --keep-going --quiet --jobs 2 "$out/source" "$out/html"
echo "site: $out/html/index.html"
