// SPDX-License-Identifier: Apache-2.0
// Lists the operations on control groups, as rows of the table of operations (see row.ts). Pure.
import { fail, type HutchError } from '../errors/errors.ts'
import { asRoot, oneOf, type RemedyText, withOption } from '../errors/remedy-text.ts'
import { shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { type ErrnoWords, fileName, otherParent, type RefusedOp, row } from './row.ts'

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
    refused: ({ path }, { errno }) =>
      fail('CGROUP_REFUSED', { what: 'make the group', path, errno, remedy: groupRemedy(errno) }),
  }),
  writeFile: row({
    code: 2,
    call: 'write',
    fields: { path: 'string', value: 'string' },
    explain: (op) => ({
      words: `set ${fileName(op.path)} to ${op.value}`,
      shell: `echo ${shellWord(op.value)} > ${shellWord(op.path)}`,
    }),
    refused: (op, refusal) =>
      op.path.endsWith('/cgroup.subtree_control')
        ? fail('CGROUP_REFUSED', {
            what: `enable ${op.value} in`,
            path: op.path,
            errno: refusal.errno,
            remedy: groupRemedy(refusal.errno),
          })
        : refusedValue(op, refusal),
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
    refused: ({ path }, { errno }) =>
      fail('CGROUP_REFUSED', {
        what: 'join',
        path,
        errno,
        remedy: errno === 'ENOSPC' ? 'give cpuset.cpus and cpuset.mems that the parent group has' : 'see hutch doctor',
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
    refused: ({ path }, { errno }) => fail('CGROUP_LEFT', { what: 'remove', path, errno }),
  }),
}

const delegated = 'run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes …'
const byOthers =
  'the group is not writable here, even for root: check its owner, its mount and the log of a security module'

function groupRemedy(errno: string): RemedyText {
  if (errno === 'EACCES' || errno === 'EPERM') return asRoot(delegated) ?? byOthers
  if (errno === 'EBUSY')
    return oneOf(
      [withOption('that group itself has processes: name another group with %', 'parent')],
      'that group itself has processes: start from another group',
    )
  return groupRemedies[errno] ?? 'see hutch doctor'
}

const groupRemedies: { [errno: string]: string } = {
  EEXIST: 'another start made this group at the same moment, and its processes are in it: give another name',
  EROFS:
    'the cgroup file system is read-only here (a container?): start that container with a private cgroup namespace and a writable /sys/fs/cgroup',
  EAGAIN: 'cgroup.max.descendants of a group above is reached: remove unused groups, or raise it',
  ENOSPC: 'the kernel has no more group ids for this controller: remove unused groups',
}

function refusedValue({ path, value }: { path: string; value: string }, refusal: RefusedOp): HutchError {
  const { errno, origin, conflict } = refusal
  const file = fileName(path)
  const shown = /^\d{5,}$/.test(value) && file.startsWith('memory.') ? `${value} (${formatSize(Number(value))})` : value
  const words = valueWords()[errno]
  const { evidence, remedy } = conflict?.() ?? {
    evidence: words ? [words[0]] : [],
    remedy: words?.[1] ?? 'see the kernel documentation of this file',
  }
  return fail('CGROUP_LIMIT_REFUSED', {
    file,
    value,
    group: path.slice(0, path.lastIndexOf('/')),
    origin,
    errno,
    remedy,
    evidence: [...evidence, ...(shown === value ? [] : [`the value is ${shown}`])],
  })
}

const valueWords = (): { readonly [errno: string]: ErrnoWords } => ({
  ENOENT: [
    'this kernel or this cgroup version has no such file',
    'hutch doctor lists the controllers; leave this limit out',
  ],
  EINVAL: ['the kernel does not accept this value', "give a value in the format of the file's kernel documentation"],
  ERANGE: ["the value is outside the kernel's range", 'give a value within its range'],
  EBUSY: ['the group already uses more, and nothing more could be reclaimed', 'set a higher limit'],
  EACCES: ['the file cannot be written here', asRoot('run as root, or in a delegated group') ?? byOthers],
  EPERM: ['this user cannot write it', asRoot('run as root, or in a delegated group') ?? byOthers],
  EOPNOTSUPP: ['the group cannot have this controller', otherParent('name another group')],
})
