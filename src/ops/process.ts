// SPDX-License-Identifier: Apache-2.0
// Lists the operations on processes, as rows of the table of operations (see row.ts): start, descriptors, limits and
// priorities. Pure.
import { resourceNames } from '../credentials/rlimit.ts'
import { fail, type HutchError } from '../errors/errors.ts'
import { oneOf, withOption, withToolOption } from '../errors/remedy-text.ts'
import { kindsIn, namespaces } from '../namespaces/namespace.ts'
import { signalName } from '../system/signals.ts'
import { shellWord } from '../text/quote.ts'
import { type ErrnoWords, needsRoot, otherParent, type RefusedOp, row, tasksRemedy } from './row.ts'

export const processOps = {
  spawn: row({
    code: 4,
    call: 'clone3',
    fields: { flags: 'u64', group: 'string', session: 'u32' },
    what: 'start a process',
    explain: (op) => {
      const kinds = kindsIn(op.flags)
      const made = kinds.length > 0 ? `new namespaces: ${kinds.join(', ')}` : 'no new namespaces'
      return {
        words: `clone hutch-init${op.group ? ` into ${op.group}` : ''}, ${made}; it runs the inner section`,
        shell: [
          op.group && `echo $$ > ${shellWord(`${op.group}/cgroup.procs`)}`,
          kinds.length > 0 && `unshare ${kinds.map((kind) => namespaces[kind].shell).join(' ')} …`,
        ]
          .filter(Boolean)
          .join('; '),
      }
    },
    refused: ({ flags }, refusal) => refusedSpawn(flags, refusal),
    // the kernel charges a new process's memory to its group
    limits: { ENOMEM: [{ file: 'memory.max', min: '1M' }] },
    userNamespace: { errnos: ['EPERM', 'ENOSPC', 'EUSERS'], what: 'make', certain: true },
  }),
  wait: row({
    code: 7,
    call: 'epoll_wait',
    fields: {
      timeoutMs: 'u32',
      killAfterMs: 'u32',
      stopSignal: 'u32',
      reaps: 'u32',
      procs: 'strings',
      killFile: 'string',
    },
    explain: (op) => ({
      words: op.timeoutMs
        ? `wait for its end: ${signalName(op.stopSignal)} after ${op.timeoutMs} ms, SIGKILL ${op.killAfterMs} ms later`
        : 'wait for its end',
      shell: 'wait',
    }),
  }),
  detach: row({
    code: 15,
    call: 'epoll_ctl',
    fields: {},
    explain: () => ({ words: 'leave the rest to another process', shell: 'disown' }),
  }),
  adopt: row({
    code: 16,
    call: 'pidfd_open',
    fields: { pid: 'u32', started: 'u64' },
    what: ({ pid }) => `take over the process ${pid}`,
    explain: ({ pid }) => ({ words: `take over the running process ${pid}`, shell: '' }),
    remedy: (_, errno) => (errno === 'ESRCH' ? 'the process has ended' : undefined),
  }),
  watchReady: row({
    code: 14,
    call: 'epoll_ctl',
    fields: { orders: 'u32' },
    explain: ({ orders }) => ({ words: `be notified when it waits${orders ? ' for a job' : ''}`, shell: '' }),
  }),
  awaitOrder: row({
    code: 114,
    call: 'recvmsg',
    fields: {},
    what: 'wait for a job of the pool',
    explain: () => ({ words: 'wait for a job', shell: '' }),
  }),
  fork: row({
    code: 80,
    call: 'clone',
    fields: { signal: 'u32' },
    what: 'start a child',
    explain: () => ({ words: 'go on as a child', shell: '( … )' }),
    remedy: (_, errno) => tasksRemedy(errno),
  }),
  exec: row({
    code: 40,
    call: 'execve',
    fields: { argv: 'strings', env: 'strings', path: 'string', reap: 'u32' },
    what: 'start a process for the command',
    explain: (op) => ({
      words: `${op.reap ? 'stay as PID 1, reap orphans, and run' : 'become'} ${op.argv.join(' ')}`,
      shell: `exec ${op.argv.map(shellWord).join(' ')}`,
    }),
    remedy: (_, errno) => tasksRemedy(errno),
    limits: {
      ENOMEM: [{ ulimit: 'as' }, { ulimit: 'data' }],
      EAGAIN: [{ ulimit: 'nproc' }],
      EMFILE: [{ ulimit: 'nofile' }],
      E2BIG: [{ ulimit: 'stack' }],
    },
  }),
  execFile: row({
    code: 88,
    call: 'execve',
    fields: { file: 'string', argv: 'strings', env: 'strings' },
    explain: (op) => ({ words: `become ${op.file}`, shell: `exec -a ${op.argv[0]} ${op.file}` }),
  }),
  nameProgram: row({
    code: 102,
    call: 'execve',
    fields: { name: 'string' },
    explain: (op) => ({ words: `set argv[0] of the program to ${op.name}`, shell: `exec -a ${op.name} …` }),
  }),
  keepDescriptors: row({
    code: 11,
    call: 'fcntl',
    fields: { descriptors: 'numbers' },
    what: 'hand on descriptors',
    explain: (op) => ({ words: `pass on the descriptors ${op.descriptors.join(', ')}`, shell: '' }),
    remedy: ({ descriptors }) => `open these descriptors first: ${descriptors.join(', ')}`,
  }),
  closeOnExec: row({
    code: 103,
    call: 'fcntl',
    fields: { descriptors: 'numbers' },
    what: 'use a descriptor',
    explain: (op) => ({ words: `keep the descriptors ${op.descriptors.join(', ')} from the program`, shell: '' }),
    remedy: ({ descriptors }) => `open these descriptors first: ${descriptors.join(', ')}`,
  }),
  checkStreams: row({
    code: 142,
    call: 'fstat',
    fields: { protect: 'u32' },
    explain: (op) => ({
      words: `refuse streams that are directories${op.protect ? ', and keep read-only streams read-only' : ''}`,
      shell: '',
    }),
    refused: (_, { errno, part, origin }) => refusedStream(errno, part, origin),
  }),
  blockOn: row({
    code: 105,
    call: 'read',
    fields: { descriptor: 'u32' },
    what: 'wait for a descriptor',
    explain: (op) => ({
      words: `wait for a byte of descriptor ${op.descriptor}`,
      shell: `head -c 1 <&${op.descriptor}`,
    }),
  }),
  takeLock: row({
    code: 106,
    call: 'fcntl',
    fields: { path: 'string' },
    what: 'lock a file',
    explain: (op) => ({ words: `hold a lock on ${op.path}`, shell: '' }),
    remedy: ({ path }) => `give a readable file that exists inside: ${path}`,
  }),
  dieWithParent: row({
    code: 39,
    call: 'prctl',
    fields: { signal: 'u32' },
    what: 'tie the process to its parent',
    explain: () => ({ words: 'be killed when hutch ends', shell: 'setpriv --pdeathsig KILL …' }),
    // poll(2) checks the number of its descriptors
    limits: { EINVAL: [{ ulimit: 'nofile' }] },
  }),
  setPersonality: row({
    code: 123,
    call: 'personality',
    fields: { persona: 'u32' },
    what: 'set the execution domain',
    explain: ({ persona }) => ({
      words: `set the execution domain ${persona.toString(16)} (personality(2))`,
      shell: `setarch ${persona & 0x0008 ? '--32bit ' : ''}${persona & 0x0040000 ? '--addr-no-randomize ' : ''}…`,
    }),
    remedy: (_, errno) => (errno === 'EINVAL' ? 'use a value that this kernel and architecture support' : undefined),
  }),
  newSession: row({
    code: 107,
    call: 'setsid',
    fields: {},
    what: 'begin a session',
    explain: () => ({ words: 'begin a session', shell: 'setsid …' }),
  }),
  changeDirectory: row({
    code: 37,
    call: 'chdir',
    fields: { path: 'string' },
    what: 'enter the working directory',
    explain: (op) => ({ words: `start in ${op.path}`, shell: `cd ${shellWord(op.path)}` }),
    remedy: ({ path }) => `give a directory that exists there and that the user can enter: ${path}`,
  }),
  chooseDirectory: row({
    code: 110,
    call: 'chdir',
    fields: { directories: 'strings', required: 'u32' },
    what: 'enter the working directory',
    explain: (op) => ({
      words: `enter ${op.required ? op.directories[0] : `the first of ${op.directories.join(', ')} that exists`}`,
      shell: op.directories.map((path) => `cd ${path}`).join(' || '),
    }),
    remedy: ({ directories }) => `give a directory that exists inside: ${directories.join(', ')}`,
  }),
  setOomScore: row({
    code: 68,
    call: 'write',
    fields: { value: 'string', keeps: 'u32' },
    what: 'set the out-of-memory score',
    explain: (op) => ({
      words: `change the OOM score by ${op.value} thousandths${op.keeps ? ', unless it is lower than allowed' : ''}`,
      shell: `echo ${op.value} > /proc/self/oom_score_adj`,
    }),
    right: 'lowering it needs CAP_SYS_RESOURCE',
  }),
  setLimit: row({
    code: 69,
    call: 'prlimit',
    fields: { resource: 'u32', soft: 'exact64', hard: 'exact64' },
    what: (op) => explainLimit(op).words,
    explain: explainLimit,
    right: 'raising the hard limit needs CAP_SYS_RESOURCE in the initial user namespace',
  }),
  boundLimit: row({
    code: 132,
    call: 'prlimit',
    fields: { resource: 'u32', soft: 'u64', hard: 'u64' },
    what: (op) => explainLimit(op).words,
    explain: (op) => {
      const { words, shell } = explainLimit(op)
      return { words: `${words}, or keep a lower current value`, shell }
    },
  }),
  setNice: row({
    code: 70,
    call: 'setpriority',
    fields: { nice: 'u32' },
    what: 'set the nice value',
    explain: (op) => ({ words: `set the nice value ${op.nice}`, shell: `renice -n ${op.nice} -p $$` }),
    right: 'lowering it needs CAP_SYS_NICE in the initial user namespace, or room in RLIMIT_NICE',
  }),
  setIoPriority: row({
    code: 71,
    call: 'ioprio_set',
    fields: { priority: 'u32' },
    what: 'set the I/O priority',
    explain: (op) => {
      const [kind, level] = [op.priority >> 13, op.priority & 7]
      return {
        words: `take the I/O priority class ${kind}${kind === 3 ? '' : `, level ${level}`}`,
        shell: `ionice -c ${kind}${kind === 3 ? '' : ` -n ${level}`} -p $$`,
      }
    },
    right: 'realtime needs CAP_SYS_NICE or CAP_SYS_ADMIN in the initial user namespace',
  }),
  setScheduler: row({
    code: 72,
    call: 'sched_setscheduler',
    fields: { policy: 'u32', priority: 'u32' },
    what: 'set the scheduling policy',
    explain: (op) => {
      const name = policyNames[op.policy] ?? String(op.policy)
      return { words: `be scheduled as ${name}`, shell: `chrt --${name} -p ${op.priority} $$` }
    },
    right: 'fifo and rr need CAP_SYS_NICE in the initial user namespace, or room in RLIMIT_RTPRIO',
  }),
}

/** Describes a resource limit in words: setrlimit(2). */
function explainLimit({ resource, soft, hard }: { resource: number; soft: number | bigint; hard: number | bigint }) {
  const amount = (number: number | bigint) => (number === -1 ? 'unlimited' : String(number))
  const name = resourceNames[resource] ?? String(resource)
  return {
    words: `limit ${name} to ${amount(soft)}${hard === soft ? '' : `, at most ${amount(hard)}`}`,
    shell: `prlimit --pid $$ --${name}=${amount(soft)}:${amount(hard)}`,
  }
}

const policyNames = ['other', 'fifo', 'rr', 'batch', '', 'idle']

function refusedSpawn(flags: number, { errno, group, limits }: RefusedOp): HutchError {
  const kinds = kindsIn(flags)
  const named = kinds.length > 0 ? `the process in its namespaces (${kinds.join(', ')})` : 'the process'
  const [why, remedy] = limits ?? spawnWords()[errno] ?? ['', 'see hutch doctor']
  const concerned = ['EAGAIN', 'ENOENT', 'EBUSY', 'EOPNOTSUPP'].includes(errno) ? group : undefined
  return fail('NAMESPACE_REFUSED', {
    kinds: named,
    errno,
    remedy,
    evidence: [...(why ? [why] : []), ...(concerned ? [`its group: ${concerned}`] : [])],
  })
}

const spawnWords = (): { readonly [errno: string]: ErrnoWords } => ({
  EPERM: ['new namespaces take CAP_SYS_ADMIN', needsRoot([withToolOption('add %', 'userNamespace')])],
  EAGAIN: [
    'a limit on processes is reached: pids.max of a group, RLIMIT_NPROC, or kernel.pid_max',
    'raise it, or end some processes',
  ],
  ENOSPC: [
    'namespaces are nested too deep, or /proc/sys/user/max_*_namespaces is reached',
    'raise that number, or nest less',
  ],
  EINVAL: [
    'this kernel does not know one of them',
    oneOf(
      [withOption('leave kinds out with %; hutch doctor lists the available ones', 'isolate')],
      'leave it out; hutch doctor lists the available ones',
    ),
  ],
  ENOMEM: ['the kernel has no memory for a new process, or the pid namespace is ending', 'free memory'],
  ENOENT: [
    'this process is in a cgroup namespace, and the group is outside of it',
    'start the outer job without a cgroup namespace: hutch run --isolate pid,mount,ipc,uts …',
  ],
  EBUSY: [
    'the group enables controllers for its children, so it cannot have processes',
    otherParent('name another group'),
  ],
  EOPNOTSUPP: ['the group is threaded, or its parent is', otherParent('name a group of type "domain"')],
})

/**
 * Explains why a stream was refused, or could not be limited to the access (read or write) that it was opened for.
 * `part` is the number of the stream plus 1.
 */
function refusedStream(errno: string, part: number, origin: string): HutchError {
  const stream = ['stdin', 'stdout', 'stderr'][part - 1] ?? `descriptor ${part - 1}`
  if (part === 0 || (errno !== 'EISDIR' && errno !== 'EBADF'))
    return fail('STEP_REFUSED', {
      what: 'keep the streams as they were opened',
      operation: 'landlock_restrict_self',
      origin,
      errno,
      remedy: 'see hutch doctor',
    })
  return fail('STREAM_REFUSED', { stream, what: errno === 'EISDIR' ? 'a directory' : 'an O_PATH descriptor', errno })
}
