// SPDX-License-Identifier: Apache-2.0
// Lists the options of firejail, each with the equivalent option of `hutch run`. Pure.
import type { OtherRow } from './row.ts'

export const rows: readonly OtherRow[] = [
  [
    '`--noprofile`, `--profile=FILE`',
    '–',
    'hutch has no profiles of programs; use `--sandbox` and open what the program needs',
  ],
  ['`--private`, `--private-tmp`, `--private-dev`', '`--sandbox`, `--tmpfs /tmp`, `--dev`'],
  ['`--private=DIR`', '`--volume DIR:HOME`'],
  ['`--whitelist=PATH`', '`--sandbox --volume PATH:PATH`'],
  ['`--blacklist=PATH`', '`--tmpfs PATH`', 'hides what is below it'],
  ['`--read-only=PATH`', '`--volume PATH:PATH:ro`'],
  ['`--bind=SRC,DST`', '`--volume SRC:DST`'],
  ['`--chroot=DIR`', '`--rootfs DIR`'],
  ['`--overlay`, `--overlay-tmpfs`', '`--overlay LOWER:DST`'],
  ['`--net=none`, `--netns=NAME`', '`--network none`, `--join net=NAME`'],
  ['`--net=INTERFACE`, `--ip=ADDRESS`', '`--network cni:NAME`', 'configure this in the CNI network'],
  ['`--dns=ADDRESS`', '`--dns ADDRESS`'],
  ['`--caps.drop=all`, `--caps.keep=CAP`', '`--cap-drop ALL`, `--cap-add CAP`'],
  ['`--seccomp`, `--seccomp.drop=…`', '`--seccomp PROFILE`'],
  ['`--nonewprivs`', 'default'],
  ['`--noroot`', '`--isolate all,user`'],
  [
    '`--rlimit-as=N`, `--rlimit-cpu=N`, `--rlimit-fsize=N`, `--rlimit-nofile=N`, `--rlimit-nproc=N`',
    '`--ulimit NAME=N`',
  ],
  ['`--cpu=LIST`', '`--cpuset-cpus LIST`'],
  ['`--nice=N`', '`--nice N`'],
  ['`--timeout=HH:MM:SS`', '`--timeout TIME`'],
  ['`--hostname=NAME`', '`--hostname NAME`'],
  ['`--env=NAME=VALUE`, `--rmenv=NAME`', '`--env NAME=VALUE`'],
  ['`--quiet`', '`--quiet`'],
  ['`--x11`, `--nosound`, `--no3d`, `--novideo`, `--dbus-user=…`', '–', 'a `--sandbox` has no display, sound or D-Bus'],
  ['`--name=NAME`, `--join=NAME`, `--list`, `--shutdown=NAME`', '–', 'a job has no name'],
]
