// SPDX-License-Identifier: Apache-2.0
// Lists the operations on control groups, as rows of the table of operations (see row.ts). Pure.
import { shellWord } from '../text/quote.ts'
import { fileName, row } from './row.ts'

/** How long a group exists: values of a field of the operation that creates it. native/wire/program.h describes each value. */
export const lifetimes = { job: 0, shared: 1, container: 2 } as const

export const groupOps = {
  makeGroup: row({
    code: 1,
    call: 'mkdir',
    fields: { path: 'string', lifetime: 'u32' },
    explain: (op) => ({
      words: `make the group ${op.path}${op.lifetime === lifetimes.container ? ', which stays after the end' : ''}`,
      shell: `mkdir ${op.lifetime === lifetimes.shared ? '-p ' : ''}${shellWord(op.path)}`,
    }),
  }),
  writeFile: row({
    code: 2,
    call: 'write',
    fields: { path: 'string', value: 'string' },
    explain: (op) => ({
      words: `set ${fileName(op.path)} to ${op.value}`,
      shell: `echo ${shellWord(op.value)} > ${shellWord(op.path)}`,
    }),
  }),
  readFile: row({
    code: 3,
    call: 'read',
    fields: { path: 'string' },
    explain: (op) => ({ words: `read ${fileName(op.path)} if the file exists`, shell: `cat ${shellWord(op.path)}` }),
  }),
  readIfFailed: row({
    code: 31,
    call: 'read',
    fields: { path: 'string' },
    explain: (op) => ({ words: `read ${fileName(op.path)} if it failed`, shell: `cat ${shellWord(op.path)}` }),
  }),
  watchFile: row({
    code: 5,
    call: 'inotify_add_watch',
    fields: { path: 'string' },
    what: 'watch the events of the group',
    explain: (op) => ({
      words: `watch ${fileName(op.path)} for changes`,
      shell: `inotifywait -m ${shellWord(op.path)} &`,
    }),
  }),
  watchOom: row({
    code: 6,
    call: 'eventfd',
    fields: { group: 'string', kill: 'string' },
    what: 'watch the group for out-of-memory situations',
    explain: (op) => ({
      words: `be notified when ${op.group} is out of memory${op.kill ? ', and then kill all its processes' : ''}`,
      shell: '',
    }),
  }),
  limitCpu: row({
    code: 13,
    call: 'read',
    fields: { limitMs: 'u32', extraMs: 'u32', file: 'string' },
    what: 'limit the CPU time',
    explain: (op) => ({
      words: `read ${fileName(op.file)} repeatedly, and kill the job when it has used ${op.limitMs + op.extraMs} ms of CPU time`,
      shell: `while sleep 0.01; do cat ${shellWord(op.file)}; done &`,
    }),
  }),
  attachDeviceFilter: row({
    code: 24,
    call: 'bpf',
    fields: { group: 'string', program: 'numbers' },
    what: 'limit its devices',
    explain: (op) => ({
      words: `let ${fileName(op.group)} use only the devices of a list (a BPF program)`,
      shell: '',
    }),
    right: 'this needs CAP_SYS_ADMIN in the initial user namespace',
  }),
  joinGroup: row({
    code: 32,
    call: 'write',
    fields: { path: 'string' },
    explain: (op) => ({
      words: `enter ${op.path.slice(0, op.path.lastIndexOf('/'))}`,
      shell: `echo 0 > ${shellWord(op.path)}`,
    }),
  }),
  killGroup: row({
    code: 8,
    call: 'kill',
    fields: { procs: 'strings', killFile: 'string' },
    what: 'check whether anything is left in the groups',
    explain: (op) => ({
      words: 'kill what is left in its groups',
      shell: op.killFile ? `echo 1 > ${shellWord(op.killFile)}` : `kill -9 $(cat ${op.procs.map(shellWord).join(' ')})`,
    }),
  }),
  removeGroup: row({
    code: 9,
    call: 'rmdir',
    fields: { path: 'string', shared: 'u32' },
    explain: (op) => ({
      words: `remove ${op.path}${op.shared ? ' if nothing else is in it' : ''}`,
      shell: `rmdir ${shellWord(op.path)}`,
    }),
  }),
}
