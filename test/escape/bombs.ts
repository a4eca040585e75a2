// SPDX-License-Identifier: Apache-2.0
// Too much of something: held by a limit, while as much is had without it.
import type { Attempt } from './attempt.ts'

const memory = { limits: { memory: '32M', swap: 0 } }
const killed = /^ended by SIGKILL: oom$/

export const bombs: Attempt[] = [
  {
    what: 'a fork bomb',
    words: 'fork 200',
    options: { limits: { pids: 50 } },
    control: 'outside',
    ends: /^refused: EAGAIN$/,
  },
  {
    what: 'a flood of zombies',
    words: 'zombies 200',
    options: { limits: { pids: 50 } },
    control: 'outside',
    ends: /^refused: EAGAIN$/,
  },
  { what: 'memory', words: 'memory 96', options: memory, control: 'outside', ends: killed },
  { what: 'memory by memfd', words: 'memfd 96', options: memory, control: 'outside', ends: killed },
  {
    what: 'memory by a tmpfs',
    words: 'file 96 /dev/shm/bomb',
    options: { ...memory, mounts: [{ tmpfs: '/dev/shm' }] },
    control: { loosened: { limits: {} } },
    ends: killed,
  },
  { what: 'memory by bytes in sockets', words: 'sockets 96', options: memory, control: 'outside', ends: killed },
  {
    what: 'a tmpfs filled',
    words: 'file 8 /data/bomb',
    options: { mounts: [{ tmpfs: '/data:size=4M' }] },
    control: { loosened: { mounts: [{ tmpfs: '/data' }] } },
    ends: /^refused: ENOSPC$/,
  },
  {
    what: 'a file without end (fsize)',
    words: 'file 8 /data/bomb',
    options: { mounts: [{ tmpfs: '/data' }], ulimits: { fsize: 1_048_576 } },
    control: { loosened: { ulimits: {} } },
    ends: /^ended by SIGXFSZ: signal$/,
  },
  {
    what: 'descriptors',
    words: 'open-files 300',
    options: { ulimits: { nofile: 100 } },
    control: 'outside',
    ends: /^refused: EMFILE$/,
  },
  {
    what: 'groups of inotify, which root shares with root outside',
    words: 'inotify 100',
    options: { ulimits: { nofile: 50 } },
    control: { loosened: { ulimits: {} } },
    ends: /^refused: EMFILE$/,
  },
]
