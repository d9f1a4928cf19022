#!/usr/bin/env bash
# Install the compilers and simulators of NPUs, each into a folder of its own below .npu: they declare
# versions that differ from this package's and from each other's. Nothing of them is needed by the node.
#
#   requirements/npu/install.sh PYTHON TRAINING_VENV
#
# Rockchip's toolkit is proprietary: it is installed where RKNN=1 says that its licence was read.
set -euo pipefail

python=$1 training=$2
here=$(dirname "${BASH_SOURCE[0]}")
mkdir -p .npu

# A folder or environment with the packages of one file is made anew if the file has changed.
changed() {
    local wanted
    wanted=$(sha256sum "$here/$1.txt" | cut -d ' ' -f 1)
    [ "$(cat ".npu/$1/.installed" 2> /dev/null)" != "$wanted" ]
}
installed() { sha256sum "$here/$1.txt" | cut -d ' ' -f 1 > ".npu/$1/.installed"; }
pip() { "$1" -m pip install --quiet --disable-pip-version-check --no-deps "${@:2}"; }

for name in qnn openvino; do
    changed "$name" || continue
    echo "installing $name into .npu/$name"
    rm -rf ".npu/$name"
    pip "$python" --target ".npu/$name" -r "$here/$name.txt"
    installed "$name"
done

tools=(vela litert)
[ "${RKNN:-}" != 1 ] || tools+=(rknn)
for name in "${tools[@]}"; do
    changed "$name" || continue
    echo "installing $name into .npu/$name"
    rm -rf ".npu/$name"
    "$python" -m venv ".npu/$name"
    if [ "$name" != vela ]; then
        # PyTorch is the training environment's.
        site=$(echo ".npu/$name"/lib/python3*/site-packages)
        echo "$PWD/$(echo "$training"/lib/python3*/site-packages)" > "$site/training.pth"
    fi
    pip ".npu/$name/bin/python" -r "$here/$name.txt"
    installed "$name"
done
