#!/usr/bin/env bash
# A night as Slurm jobs, each after the one before: prepare, train, score (an array), evaluate, publish, outcome and
# history.
# slurm/reprice.sh [--OPTION-OF-SBATCH=VALUE ...] [key=value ...]   with TASKS=8 tasks that score, GPU=1 on GPUs
set -euo pipefail

cd "$(dirname "$0")/.."
tasks=${TASKS:-4} options=() settings=() gpu=() device=()
for word in "$@"; do
    case $word in
        --*) options+=("$word") ;;
        *) settings+=("$word") ;;
    esac
done
if [[ ${GPU:-0} == 1 ]]; then gpu=(--gres=gpu:1) device=(trainer=gpu backend=cuda); fi
# A name of its own for every night, of the kind that `score` gives: what a failed night leaves is removed in time.
night=$(date --utc +%Y%m%dT%H%M%S)-$(od --address-radix=n --read-bytes=3 --format=x1 /dev/urandom | tr --delete ' ')
version=("paths.shards=\${paths.prices}/$night" "score.shards=$tasks") day=()
# All jobs set the prices of one day on the stores' clock, also those that Slurm runs, or runs again, after midnight.
for word in "${settings[@]}"; do
    if [[ $word == data.time_zone=* && $word != *=null ]]; then zone=${word#*=}; fi
done
if [[ " ${settings[*]} " != *" day="* ]]; then day=("day=$(if [[ -v zone ]]; then export TZ=$zone; fi; date +%F)"); fi

after=""
submit() { # JOB [OPTION ...] -- [key=value ...]
    local job=$1 words=()
    shift
    while [[ $1 != -- ]]; do
        words+=("$1")
        shift
    done
    after=$(sbatch --parsable --job-name="$job" --kill-on-invalid-dep=yes ${after:+"--dependency=afterok:$after"} \
        "${options[@]}" "${words[@]}" slurm/reprice.sbatch "$job" "${settings[@]}" "${@:2}")
    echo "$job: job $after"
}
submit prepare -- "${day[@]}"
submit train "${gpu[@]}" -- "${device[@]}"
submit score "${gpu[@]}" --array="0-$((tasks - 1))" -- "${device[@]}" "${version[@]}" "${day[@]}"
submit evaluate -- "${version[@]}" "${day[@]}"
submit publish -- "${version[@]}"
submit outcome --
submit history --
