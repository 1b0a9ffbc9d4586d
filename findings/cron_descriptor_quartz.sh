#!/usr/bin/env bash
# cron-descriptor: some valid Quartz expressions are described wrongly, or refused.
#
# Its README says that it supports "all cron expression special characters including * / , - ? L W, #", and expressions with
# seconds and years. Seen with Python 3.11 and cron-descriptor 2.2.1, weekdays counted from 1 as Quartz does:
# - The W of L-3W is dropped, so "the nearest weekday to three days before the last day" becomes "three days before the last day".
# - 0/25 minutes is "every 25 minutes". The hour starts anew at 0, so the runs are at 0, 25 and 50 minutes past the hour.
# - 0 30 8-10,14 is "at 30 minutes past the hour, at 08:00 through 10:59 and 14:00", though 14:00 has no run and 14:30 has one.
# - L as a day of the week, which means Saturday, is a FormatError.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check cron-descriptor==2.2.1 typing_extensions==4.16.0 2> /dev/null
cat > "$work/look.py" << 'EOF'
from cron_descriptor import ExpressionDescriptor

for expression in ("0 0 2 L-3 * ?", "0 0 2 L-3W * ?", "0 0/25 * * * ?", "0 30 8-10,14 * * ?", "0 0 2 ? * L"):
    try:
        words = ExpressionDescriptor(
            expression, day_of_week_start_index_zero=False, use_24hour_time_format=True, locale_code="en_US"
        ).get_description()
    except Exception as error:
        words = type(error).__name__
    print(f"{expression:18}", words)
EOF

"$work/env/bin/python" "$work/look.py" | tee "$work/seen.txt"
diff - "$work/seen.txt" << 'EOF' || { echo "cron-descriptor behaves in another way now"; exit 1; }
0 0 2 L-3 * ?      At 02:00, 3 days before the last day of the month
0 0 2 L-3W * ?     At 02:00, 3 days before the last day of the month
0 0/25 * * * ?     Every 25 minutes
0 30 8-10,14 * * ? At 30 minutes past the hour, at 08:00 through 10:59 and 14:00
0 0 2 ? * L        FormatError
EOF
