// SPDX-License-Identifier: Apache-2.0
// Lists the options of isolate (ioi/isolate), each with the equivalent option of `hutch run`. Pure.
import type { OtherRow } from './row.ts'

export const rows: readonly OtherRow[] = [
  ['`--init`, `--cleanup`, `--run`, `--box-id=ID`', 'default', 'each run creates its sandbox and removes it'],
  ['`--cg`, `--cg-timing`', 'default'],
  ['`--cg-mem=KB`', '`--memory SIZE`', '262144 is `--memory 256M`'],
  ['`--mem=KB`', '`--memory SIZE`', 'isolate limits the address space of each process: `--ulimit as=BYTES`'],
  ['`--time=SECONDS`, `--extra-time=SECONDS`', '`--cpu-time TIME`, `--extra-time TIME`'],
  ['`--wall-time=SECONDS`', '`--timeout TIME`'],
  ['`--processes=N`', '`--pids N`'],
  [
    '`--open-files=N`, `--fsize=KB`, `--stack=KB`, `--core=KB`',
    '`--ulimit nofile=N`, `--ulimit fsize=BYTES`, `--ulimit stack=BYTES`, `--ulimit core=BYTES`',
  ],
  ['`--quota=BLOCKS,INODES`', '`--tmpfs DST:size=SIZE,nr_inodes=N`'],
  ['`--stdin=FILE`, `--stdout=FILE`, `--stderr=FILE`', '`--stdin FILE`, `--stdout FILE`, `--stderr FILE`'],
  ['`--stderr-to-stdout`', '`--stdout FILE --stderr FILE`'],
  ['`--meta=FILE`', '`--meta FILE`'],
  ['`--chdir=DIR`', '`--workdir DIR`'],
  ['`--dir=IN=OUT:OPTIONS`', '`--volume OUT:IN:OPTIONS`'],
  ['`--env=NAME=VALUE`, `--full-env`', '`--env NAME=VALUE`'],
  ['`--share-net`', '`--network host`'],
  ['`--tty-hack`, `--silent`, `--as-uid=UID`, `--as-gid=GID`', '–', 'not needed: the job has the caller’s terminal'],
  ['`--verbose`', '`--verbose`'],
]
