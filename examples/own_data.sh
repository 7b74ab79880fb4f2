#!/usr/bin/env bash
# From a folder of your own labelled volumes to a page of tables and figures, in two commands.
#   examples/own_data.sh DIR [key=value ...]
# DIR is in nnU-Net's raw layout or in that of the Medical Segmentation Decathlon: imagesTr, labelsTr
# and dataset.json. Words after it go to `run`. Records and report go into ./mine.
set -euo pipefail
data="${1:?usage: examples/own_data.sh DIR [key=value ...]}"
shift
[ $# -gt 0 ] || set -- method=control_atlas,unet shots=1,5
python="${PYTHON:-python}"

"$python" -m bench run dataset=folder "dataset.root=$data" results=mine "$@"
"$python" -m bench report results=mine
