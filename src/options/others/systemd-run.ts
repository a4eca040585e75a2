// SPDX-License-Identifier: Apache-2.0
// Lists the options of systemd-run, each with the equivalent option of `hutch run`. Pure.
import type { OtherRow } from './row.ts'

export const rows: readonly OtherRow[] = [
  ['`--scope`, `--service-type=TYPE`, `--pipe`, `--pty`, `--wait`, `--collect`', 'default'],
  ['`--user`', 'default', 'hutch chooses the user manager itself; in hutch, `--user NAME` names a user'],
  ['`--unit=NAME`, `--description=TEXT`', '–', 'a job has no name; use `--report FILE`'],
  ['`--slice=SLICE`, `--slice-inherit`', '`--parent GROUP`'],
  [
    '`--property=MemoryMax=SIZE`, `MemoryHigh`, `MemoryLow`, `MemoryMin`',
    '`--memory SIZE`, `--memory-high`, `--memory-low`, `--memory-min`',
  ],
  ['`--property=MemorySwapMax=SIZE`', '`--swap SIZE`'],
  ['`--property=TasksMax=N`', '`--pids N`'],
  [
    '`--property=CPUQuota=PERCENT`, `CPUWeight=N`, `AllowedCPUs=LIST`',
    '`--cpus N`, `--cpu-weight N`, `--cpuset-cpus LIST`',
    '50% is `--cpus 0.5`',
  ],
  ['`--property=RuntimeMaxSec=TIME`, `TimeoutStopSec=TIME`', '`--timeout TIME`, `--kill-after TIME`'],
  ['`--property=KillSignal=SIGNAL`', '`--stop-signal SIGNAL`'],
  ['`--property=SupplementaryGroups=GROUP`', '`--group-add GROUP`'],
  ['`--property=OOMScoreAdjust=N`', '`--oom-score-adj N`'],
  ['`--property=NoNewPrivileges=yes`', 'default'],
  ['`--property=ReadOnlyPaths=PATH`, `ProtectSystem=strict`', '`--read-only`'],
  ['`--property=PrivateNetwork=yes`, `PrivateTmp=yes`', '`--network none`, `--tmpfs /tmp`'],
  ['`--uid=USER`, `--gid=GROUP`', '`--user USER`, `--group GROUP`'],
  ['`--nice=N`', '`--nice N`'],
  ['`--working-directory=DIR`, `--same-dir`', '`--workdir DIR`'],
  ['`--setenv=NAME=VALUE`', '`--env NAME=VALUE`'],
  [
    '`--on-active=TIME`, `--on-calendar=TIME`, `--timer-property=…`, `--path-property=…`, `--socket-property=…`',
    '–',
    'use systemd timers, paths and sockets that start `hutch run`',
  ],
  ['`--remain-after-exit`, `--send-sighup`, `--no-block`, `--no-ask-password`', '–', 'a job ends with hutch'],
  ['`--machine=NAME`, `--host=HOST`', '–', 'run hutch there'],
  ['`--quiet`', '`--quiet`'],
]
