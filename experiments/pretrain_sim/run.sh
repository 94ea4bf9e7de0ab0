#!/usr/bin/env bash
# The whole study: an hour on 2 CPU cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

python src/run.py experiment=pretrain_sim
python src/run.py report experiments/pretrain_sim
