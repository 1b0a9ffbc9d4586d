#!/usr/bin/env bash
# cron-schedule-triggers: valid Quartz expressions give other days than in Quartz, or none, without an error.
#
# Its README says that "its syntax is that of Quartz Job Scheduler". Seen with Python 3.11 and cron-schedule-triggers 0.0.11,
# from 2026-01-01 on; Quartz 2.3.2 answers as in brackets:
# - 15W gives January 21 and February 20 (January 15 and February 16: the weekday that is nearest to the 15th).
# - The 31st of every month gives January 31 of 2026 and then of 2038 (January 31, March 31, May 31 of 2026).
# - Without the year, which is optional in Quartz and in the code of the package, there is no date at all (every day).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check cron-schedule-triggers==0.0.11 pytz==2019.3 2> /dev/null
cat > "$work/look.py" << 'EOF'
from cstriggers.core.trigger import QuartzCron

for expression in ("0 0 10 15W * ? *", "0 0 12 31 * ? *", "0 0 12 * * ? *", "0 0 12 * * ?"):
    cron = QuartzCron(schedule_string=expression, start_date="2025-12-31T23:59:59", end_date="2050-01-01T00:00:00")
    print(f"{expression:17}", *cron.next_triggers(number_of_triggers=2, isoformat=True))
EOF

"$work/env/bin/python" -W ignore "$work/look.py" | sed 's/ *$//' | tee "$work/seen.txt"
diff - "$work/seen.txt" << 'EOF' || { echo "cron-schedule-triggers behaves in another way now"; exit 1; }
0 0 10 15W * ? *  2026-01-21T10:00:00 2026-02-20T10:00:00
0 0 12 31 * ? *   2026-01-31T12:00:00 2038-01-31T12:00:00
0 0 12 * * ? *    2026-01-01T12:00:00 2026-01-02T12:00:00
0 0 12 * * ?
EOF
