#!/usr/bin/env bash
# Makes the step fail when it should. OUTCOME, FAIL_ON_MISS.
set -euo pipefail

case $OUTCOME in
  passed) ;;
  missed | refused | invalid)
    if [ "$FAIL_ON_MISS" = true ]; then exit 1; fi
    ;;
  *)
    echo 'non noté : la machine ou le correcteur est en cause, pas la copie ; relancez cette tâche'
    exit 1
    ;;
esac
