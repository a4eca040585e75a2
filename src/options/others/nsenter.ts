// SPDX-License-Identifier: Apache-2.0
// Lists the options of nsenter, each with the equivalent option of `hutch run`. Pure.
import type { OtherRow } from './row.ts'

export const rows: readonly OtherRow[] = [
  [
    '`--target PID` with `--mount` `--uts` `--ipc` `--net` `--pid` `--user` `--cgroup` `--time`',
    '`--isolate none --join mount=PID`',
    'one `--join` for each kind',
  ],
  ['`--mount=FILE` and others', '`--join mount=FILE`'],
  ['`--all`', '`--join` for each'],
  ['`--user-parent`, `--net-socket FD`', '–', 'use `hutch nsenter`'],
  ['`--setuid UID`, `--setgid GID`', '`--user UID`, `--group GID`'],
  ['`--preserve-credentials`', '–', 'use `hutch nsenter`'],
  ['`--keep-caps`', '`--cap-add ALL`'],
  ['`--root`', '–', 'for the root of a process, use `hutch nsenter`'],
  ['`--wd`, `--wdns DIR`', '`--workdir DIR`'],
  ['`--env`', '–', 'use `hutch nsenter`'],
  ['`--join-cgroup`', '`hutch cgroup exec`'],
  ['`--no-fork`', '–', 'a job always has a parent, which reports how it ended'],
  ['`--follow-context`', '–', 'SELinux labels are not supported'],
  ['`--help`, `--version`', '`--help`'],
]
