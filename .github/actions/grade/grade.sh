#!/usr/bin/env bash
# Grades once, then tells the same journal in every form. GRADER, LAB, FOLDER, REPOSITORY; outputs: those of
# « grader --format github », and report (a folder). Succeeds whatever the verdict: verdict.sh judges.
set -uo pipefail

report=$RUNNER_TEMP/tp-docker-rapport
rm -rf "$report"
mkdir -p "$report"
journal=$report/journal.jsonl

# Annotations are written from the root of the student's repository.
export GITHUB_WORKSPACE=$GITHUB_WORKSPACE/$REPOSITORY
dir=$GITHUB_WORKSPACE/$FOLDER

# What a submission makes the grader say while it works is no command to the runner.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token"
"$GRADER" check "$LAB" -C "$dir" --format jsonl -o "$journal" --progress plain --color never 2>&1
code=$?
printf '\n::%s::\n' "$token"

if [ ! -s "$journal" ]; then
  # Wrong usage, or no grader at all: nothing was judged.
  echo "::error title=non noté::la correction n'a pas commencé (code $code) : voyez le journal de cette étape"
  printf '## Correction\n\n**non noté** : la correction n'\''a pas commencé, la copie n'\''est pas en cause.\n' >>"$GITHUB_STEP_SUMMARY"
  printf 'outcome=not-graded\nverdict=non noté\nexit-code=%s\n' "$code" >>"$GITHUB_OUTPUT"
  exit 0
fi

tell() { "$GRADER" replay "$journal" -C "$dir" --progress none "$@"; }
tell --format html -o "$report/rapport.html"
tell --format junit -o "$report/junit.xml"
tell --format json -o "$report/rapport.json"
tell --format github
echo "report=$report" >>"$GITHUB_OUTPUT"
exit 0
