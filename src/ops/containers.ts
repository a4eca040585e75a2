// SPDX-License-Identifier: Apache-2.0
// Lists the operations that only containers need, as rows of the table of operations (see row.ts). Pure.
import { resourceNames } from '../credentials/rlimit.ts'
import { shellWord } from '../text/quote.ts'
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
    fields: { mounts: 'u32' },
    what: 'wait for its release',
    explain: () => ({ words: 'wait until hooks have run', shell: '' }),
  }),
  awaitStart: row({
    code: 161,
    call: 'accept4',
    fields: { descriptor: 'u32', endsWithCreator: 'u32' },
    what: 'wait for the start of the container',
    explain: () => ({ words: 'wait until the container is started', shell: '' }),
  }),
  receiveAgent: row({
    code: 175,
    call: 'recvmsg',
    fields: {},
    what: 'receive the connection to the agent of its system calls',
    explain: () => ({ words: 'receive a connection to the agent that answers system calls', shell: '' }),
  }),
  openTerminal: row({
    code: 164,
    call: 'ioctl',
    fields: { socket: 'u32', rows: 'u32', columns: 'u32', uid: 'u32', binds: 'u32' },
    what: 'open the terminal of the container',
    explain: (op) => ({
      words: `open a new terminal${op.binds ? ', also as /dev/console' : ''}, and send its master to descriptor ${op.socket}`,
      shell: '',
    }),
    remedy: (_, errno) =>
      errno === 'ENOENT' || errno === 'ENODEV' ? 'mount a new devpts at /dev/pts of the container' : undefined,
  }),
  joinKeyring: row({
    code: 165,
    call: 'keyctl',
    fields: { name: 'string', adds: 'u32' },
    what: 'make a session keyring',
    explain: (op) => ({
      words: `make the session keyring ${op.name}`,
      shell: `keyctl session ${shellWord(op.name)} …`,
    }),
    remedy: (_, errno) =>
      errno === 'EDQUOT' ? 'its user has too many keys: raise /proc/sys/kernel/keys/maxkeys' : undefined,
  }),
  setUmask: row({
    code: 166,
    call: 'umask',
    fields: { mask: 'u32' },
    what: 'set the umask',
    explain: ({ mask }) => ({
      words: `set the umask ${mask.toString(8).padStart(4, '0')}`,
      shell: `umask ${mask.toString(8).padStart(4, '0')}`,
    }),
  }),
  setSchedulerAttributes: row({
    code: 167,
    call: 'sched_setattr',
    fields: {
      policy: 'u32',
      flags: 'u64',
      nice: 'u32',
      priority: 'u32',
      runtime: 'u64',
      deadline: 'u64',
      period: 'u64',
    },
    what: 'set the scheduling attributes',
    explain: (op) => ({ words: `be scheduled by policy ${op.policy} of sched_setattr(2)`, shell: '' }),
    right:
      'realtime policies and deadlines need CAP_SYS_NICE in the initial user namespace, and in a v1 group cpu.rt_runtime_us',
    remedy: (_, errno) => schedulerRemedies[errno],
  }),
  setAffinity: row({
    code: 168,
    call: 'sched_setaffinity',
    fields: { processors: 'numbers' },
    what: 'set the processors of the process',
    explain: (op) => ({
      words: `run on the processors ${op.processors.join(', ')}`,
      shell: `taskset -pc ${op.processors.join(',')} $$`,
    }),
    remedy: ({ processors }) => `give processors of its control group that are online: ${processors.join(', ')}`,
  }),
  setMemoryPolicy: row({
    code: 169,
    call: 'set_mempolicy',
    fields: { mode: 'u32', nodes: 'numbers' },
    what: 'set the memory policy',
    explain: (op) => ({ words: `use memory policy ${op.mode} with the nodes ${op.nodes.join(', ')}`, shell: '' }),
    remedy: ({ nodes }) => `give memory nodes that exist: ${nodes.join(', ')}`,
  }),
  raiseLimit: row({
    code: 170,
    call: 'prlimit',
    fields: { resource: 'u32', hard: 'exact64' },
    what: raisesLimit,
    explain: (op) => ({ words: raisesLimit(op), shell: '' }),
    right: 'raising the hard limit needs CAP_SYS_RESOURCE in the initial user namespace',
  }),
  tryDirectory: row({
    code: 171,
    call: 'chdir',
    fields: { path: 'string' },
    what: 'enter the working directory',
    explain: (op) => ({ words: `start in ${op.path}`, shell: `cd ${shellWord(op.path)}` }),
    remedy: ({ path }) => `give a directory of the container: ${path}`,
  }),
  enterInside: row({
    code: 172,
    call: 'chdir',
    fields: { path: 'string' },
    what: 'enter the working directory',
    explain: (op) => ({ words: `check that ${op.path} is inside the root`, shell: 'pwd' }),
    remedy: ({ path }, errno) =>
      errno === 'EXDEV'
        ? `it leads out of the root of the container: give a directory inside, not ${path}`
        : `give a directory of the container that its user can enter: ${path}`,
  }),
  checkProgram: row({
    code: 173,
    call: 'faccessat',
    fields: { program: 'string', path: 'string' },
    what: ({ program }) => `execute ${program}`,
    explain: (op) => ({ words: `check that ${op.program} exists`, shell: `command -v ${shellWord(op.program)}` }),
    remedy: ({ program }) => `give a program of the container that its user can execute: ${program}`,
  }),
  moveRoot: row({
    code: 174,
    call: 'chroot',
    fields: {},
    what: 'change to the new root',
    explain: () => ({ words: 'make it the root, above that of the host', shell: 'chroot . …' }),
  }),
}

function raisesLimit({ resource, hard }: { resource: number; hard: number | bigint }): string {
  return `raise the hard limit of ${resourceNames[resource] ?? resource} to ${hard}`
}

const schedulerRemedies: { readonly [errno: string]: string } = {
  EINVAL: 'a realtime policy takes a priority from 1 to 99; a deadline takes runtime ≤ deadline ≤ period',
  EBUSY: 'the deadlines of other processes leave too little time: give a shorter runtime, or a longer period',
}
