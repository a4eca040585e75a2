// SPDX-License-Identifier: Apache-2.0
// Lists the operations that only containers need, as rows of the table of operations (see row.ts). Pure.
import { row, tasksRemedy } from './row.ts'

export const containerOps = {
  spawnOn: row({
    code: 19,
    call: 'sched_setaffinity',
    fields: { processors: 'numbers' },
    what: 'move to the first processors of the process',
    explain: (op) => ({
      words: `start the process on the processors ${op.processors.join(', ')}`,
      shell: `taskset -c ${op.processors.join(',')} …`,
    }),
    remedy: ({ processors }) => `give processors that are online: ${processors.join(', ')}`,
  }),
  continueAsSibling: row({
    code: 162,
    call: 'clone',
    fields: {},
    what: 'start the first process inside the pid namespace',
    explain: () => ({
      words: 'continue as another child of hutch, inside the pid namespace',
      shell: 'unshare --fork …',
    }),
    remedy: (_, errno) => tasksRemedy(errno),
  }),
  followSibling: row({
    code: 18,
    call: 'pidfd_open',
    fields: {},
    what: 'follow the process into the pid namespace',
    explain: () => ({ words: 'wait for that child', shell: '' }),
  }),
  closeOnExecFrom: row({
    code: 163,
    call: 'close_range',
    fields: { first: 'u32' },
    what: 'use its descriptors',
    explain: (op) => ({ words: `keep the descriptors from ${op.first} on from the program`, shell: '' }),
  }),
  awaitRelease: row({
    code: 160,
    call: 'recvfrom',
    fields: {},
    what: 'wait for its release',
    explain: () => ({ words: 'wait until hooks have run', shell: '' }),
  }),
  awaitStart: row({
    code: 161,
    call: 'accept4',
    fields: { descriptor: 'u32' },
    what: 'wait for the start of the container',
    explain: () => ({ words: 'wait until the container is started', shell: '' }),
  }),
}
