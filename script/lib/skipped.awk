# What of ctest's LastTest.log did not run for want of something: a line for each suite and reason, as
# "suite: reason". A suite that was skipped in part passes, and says so nowhere else.
/^[0-9]+\/[0-9]+ Test: / { suite = $3 }
/^SKIPPED \[[0-9]+\] / { reason = $0; sub(/^SKIPPED \[[0-9]+\] [^ ]+ /, "", reason); print suite ": " reason }
/^skipped: / { print suite ": " substr($0, 10) }
