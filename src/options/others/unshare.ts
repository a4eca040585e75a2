// SPDX-License-Identifier: Apache-2.0
// Lists the options of unshare, each with the equivalent option of `hutch run`. Pure.
import type { OtherRow } from './row.ts'

export const rows: readonly OtherRow[] = [
  ['`--mount` `--uts` `--ipc` `--net` `--pid` `--user` `--cgroup` `--time`', '`--isolate KINDS`'],
  ['`--mount=FILE`, `--net=FILE` and so on', '–', 'for a namespace that stays, use `hutch unshare`'],
  ['`--fork`, `--forward-signals`', 'default'],
  ['`--kill-child`', 'default', 'always SIGKILL'],
  ['`--map-user UID`, `--map-group GID`', '`--map-users UID:OUTSIDE:1`'],
  ['`--map-root-user`', '`--map-users root`'],
  ['`--map-current-user`', '`--map-users keep`'],
  ['`--map-auto`, `--map-subids`', '`--map-users auto`'],
  ['`--map-users RANGE`, `--map-groups RANGE`', '`--map-users RANGE`, `--map-groups RANGE`', 'as INSIDE:OUTSIDE:COUNT'],
  ['`--owner UID:GID`', '–', 'use `hutch unshare`'],
  ['`--mount-proc`', 'default', 'with pid and mount namespaces'],
  ['`--mount-binfmt`, `--load-interp`', '–', 'use `hutch unshare`'],
  ['`--propagation KIND`', '–', 'always private; use `hutch unshare`'],
  ['`--setgroups allow`', '`--map-groups`', "setgroups is allowed if the map has more than the caller's group"],
  ['`--keep-caps`', '`--cap-add ALL`'],
  ['`--root DIR`', '`--rootfs DIR`', 'with pivot_root'],
  ['`--wd DIR`', '`--workdir DIR`'],
  ['`--setuid UID`, `--setgid GID`', '`--user UID`, `--group GID`'],
  ['`--monotonic SECONDS`, `--boottime SECONDS`', '`--time-offset monotonic=SECONDS,boottime=SECONDS`'],
  ['`--clear-env`, `--whitelist-env`', '–', 'use `env -i NAME=$NAME hutch run …`'],
  ['`--help`, `--version`', '`--help`'],
]
