// SPDX-License-Identifier: Apache-2.0
// The table of operations: native/wire/program.h lists the same codes and fields, and a test compares the two.

/** Kinds of fields on the wire, and what each is here. */
interface FieldTypes {
  u32: number
  u64: number
  string: string
  strings: readonly string[]
  numbers: readonly number[]
}

/** Each op: its code, its fields in order, and the system call that refuses when it fails. */
export const ops = {
  makeGroup: { code: 1, call: 'mkdir', fields: { path: 'string', mayExist: 'u32' } },
  writeFile: { code: 2, call: 'write', fields: { path: 'string', value: 'string' } },
  readFile: { code: 3, call: 'read', fields: { path: 'string' } },
  spawn: { code: 4, call: 'clone3', fields: { flags: 'u64', group: 'string', session: 'u32' } },
  watchFile: { code: 5, call: 'inotify_add_watch', fields: { path: 'string' } },
  watchOom: { code: 6, call: 'eventfd', fields: { group: 'string', kill: 'string' } },
  wait: {
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
  },
  killGroup: { code: 8, call: 'kill', fields: { procs: 'strings', killFile: 'string' } },
  removeGroup: { code: 9, call: 'rmdir', fields: { path: 'string', shared: 'u32' } },
  mapIds: {
    code: 10,
    call: 'write',
    fields: { users: 'strings', groups: 'strings', denySetgroups: 'u32', userTool: 'string', groupTool: 'string' },
  },
  keepDescriptors: { code: 11, call: 'fcntl', fields: { descriptors: 'numbers' } },
  bindNamespaces: { code: 12, call: 'mount', fields: { kinds: 'strings', files: 'strings' } },
  limitCpu: { code: 13, call: 'read', fields: { limitMs: 'u32', extraMs: 'u32', file: 'string' } },
  watchReady: { code: 14, call: 'epoll_ctl', fields: {} },
  superviseCalls: {
    code: 17,
    call: 'recvmsg',
    fields: { answers: 'numbers', arguments: 'numbers', learns: 'u32' },
  },
  attachDeviceFilter: { code: 24, call: 'bpf', fields: { group: 'string', program: 'numbers' } },
  sendMapped: {
    code: 25,
    call: 'mount_setattr',
    fields: { source: 'string', attributes: 'u64', absent: 'u64', recursive: 'u32' },
  },
  sendGo: { code: 28, call: 'sendto', fields: {} },
  reserveIds: { code: 30, call: 'fcntl', fields: {} },
  readIfFailed: { code: 31, call: 'read', fields: { path: 'string' } },
  joinGroup: { code: 32, call: 'write', fields: { path: 'string' } },
  unshare: { code: 33, call: 'unshare', fields: { flags: 'u64' } },
  setHostname: { code: 34, call: 'sethostname', fields: { name: 'string' } },
  mount: {
    code: 35,
    call: 'mount',
    fields: { source: 'string', target: 'string', type: 'string', flags: 'u64', data: 'string' },
  },
  loopbackUp: { code: 36, call: 'ioctl', fields: {} },
  changeDirectory: { code: 37, call: 'chdir', fields: { path: 'string' } },
  setUser: {
    code: 38,
    call: 'setresuid',
    fields: { uid: 'u32', gid: 'u32', groups: 'numbers', keepGroups: 'u32', keepCapabilities: 'u32' },
  },
  dieWithParent: { code: 39, call: 'prctl', fields: { signal: 'u32' } },
  exec: { code: 40, call: 'execve', fields: { argv: 'strings', env: 'strings', path: 'string', reap: 'u32' } },
  openRoot: { code: 41, call: 'open_tree', fields: { source: 'string', attributes: 'u64', makes: 'u32' } },
  attachTree: {
    code: 42,
    call: 'move_mount',
    fields: { source: 'string', target: 'string', attributes: 'u64', absent: 'u64', recursive: 'u32' },
  },
  attachNew: {
    code: 43,
    call: 'fsmount',
    fields: { type: 'string', options: 'strings', target: 'string', attributes: 'u64', links: 'u32' },
  },
  attachOverlay: {
    code: 44,
    call: 'fsmount',
    fields: {
      lower: 'strings',
      upper: 'string',
      work: 'string',
      target: 'string',
      attributes: 'u64',
      drops: 'u32',
    },
  },
  makeLink: { code: 45, call: 'symlinkat', fields: { name: 'string', to: 'string' } },
  coverPath: { code: 46, call: 'move_mount', fields: { path: 'string', readOnly: 'u32' } },
  pivotRoot: { code: 47, call: 'pivot_root', fields: { stays: 'u32' } },
  limitUserCount: { code: 125, call: 'write', fields: { path: 'string', value: 'string' } },
  awaitMaps: { code: 64, call: 'recvfrom', fields: {} },
  joinNamespaces: { code: 65, call: 'setns', fields: { paths: 'strings', kinds: 'numbers' } },
  stayOutside: { code: 66, call: 'clone3', fields: {} },
  offsetClocks: { code: 67, call: 'unshare', fields: { offsets: 'string' } },
  setOomScore: { code: 68, call: 'write', fields: { value: 'string' } },
  setLimit: { code: 69, call: 'prlimit', fields: { resource: 'u32', soft: 'u64', hard: 'u64' } },
  setNice: { code: 70, call: 'setpriority', fields: { nice: 'u32' } },
  setIoPriority: { code: 71, call: 'ioprio_set', fields: { priority: 'u32' } },
  setScheduler: { code: 72, call: 'sched_setscheduler', fields: { policy: 'u32', priority: 'u32' } },
  dropBounding: { code: 73, call: 'prctl', fields: { keep: 'u64' } },
  setCapabilities: { code: 74, call: 'capset', fields: { permitted: 'u64', inheritable: 'u64', ambient: 'u64' } },
  noNewPrivileges: { code: 75, call: 'prctl', fields: {} },
  fork: { code: 80, call: 'clone', fields: { signal: 'u32' } },
  writeOwnFile: { code: 81, call: 'write', fields: { path: 'string', value: 'string' } },
  changeRoot: { code: 82, call: 'chroot', fields: { path: 'string' } },
  holdDirectories: { code: 83, call: 'openat', fields: { root: 'string', directory: 'string' } },
  enterDirectories: { code: 84, call: 'chroot', fields: { inside: 'string' } },
  dropGroups: { code: 85, call: 'setgroups', fields: {} },
  takeIds: { code: 86, call: 'setuid', fields: { uid: 'u32', gid: 'u32', groups: 'u32' } },
  keepCapabilities: { code: 87, call: 'prctl', fields: {} },
  execFile: { code: 88, call: 'execve', fields: { file: 'string', argv: 'strings', env: 'strings' } },
  emptyRoot: { code: 96, call: 'fsmount', fields: {} },
  makeMissing: { code: 97, call: 'umask', fields: { parents: 'u32', directory: 'u32', file: 'u32' } },
  makeDirectory: { code: 98, call: 'mkdirat', fields: { path: 'string' } },
  writeData: {
    code: 99,
    call: 'openat2',
    fields: { descriptor: 'u32', path: 'string', mode: 'u32', attached: 'u32', attributes: 'u64' },
  },
  changeMode: { code: 100, call: 'chmod', fields: { path: 'string', mode: 'u32' } },
  makeReadOnly: { code: 101, call: 'mount_setattr', fields: { path: 'string' } },
  nameProgram: { code: 102, call: 'execve', fields: { name: 'string' } },
  closeOnExec: { code: 103, call: 'fcntl', fields: { descriptors: 'numbers' } },
  installFilter: { code: 104, call: 'prctl', fields: { filter: 'numbers', flags: 'u32' } },
  blockOn: { code: 105, call: 'read', fields: { descriptor: 'u32' } },
  takeLock: { code: 106, call: 'fcntl', fields: { path: 'string' } },
  newSession: { code: 107, call: 'setsid', fields: {} },
  nestUser: { code: 108, call: 'unshare', fields: { users: 'string', groups: 'string', limit: 'u32' } },
  refuseUsers: { code: 109, call: 'unshare', fields: {} },
  chooseDirectory: { code: 110, call: 'chdir', fields: { directories: 'strings', required: 'u32' } },
  enterDescriptor: { code: 111, call: 'setns', fields: { descriptor: 'u32', kind: 'u32' } },
  awaitNetwork: { code: 112, call: 'recvfrom', fields: { by: 'string' } },
  attachText: {
    code: 113,
    call: 'move_mount',
    fields: { target: 'string', text: 'string', own: 'u32', required: 'u32' },
  },
  awaitOrder: { code: 114, call: 'recvmsg', fields: {} },
  superviseFilter: { code: 116, call: 'seccomp', fields: { noticed: 'numbers', plain: 'numbers', flags: 'u32' } },
  attachSent: { code: 118, call: 'move_mount', fields: { source: 'string', target: 'string' } },
  allowPath: { code: 119, call: 'landlock_add_rule', fields: { path: 'string', access: 'u32' } },
  restrictPaths: { code: 120, call: 'landlock_restrict_self', fields: {} },
  setDomainname: { code: 121, call: 'setdomainname', fields: { name: 'string' } },
  setSysctl: { code: 122, call: 'write', fields: { path: 'string', value: 'string' } },
  boundLimit: { code: 132, call: 'prlimit', fields: { resource: 'u32', soft: 'u64', hard: 'u64' } },
  awaitGroups: { code: 140, call: 'recvfrom', fields: {} },
  attachTerminal: { code: 141, call: 'move_mount', fields: { target: 'string', attributes: 'u64' } },
  checkStreams: { code: 142, call: 'fstat', fields: { protect: 'u32' } },
  attachGroups: {
    code: 151,
    call: 'move_mount',
    fields: { target: 'string', names: 'strings', sources: 'strings' },
  },
} as const

/** Whose session a spawned process is in: native/wire/program.h says what each is. */
export const sessions = { kept: 0, own: 1, library: 2 } as const

type Table = typeof ops
export type OpName = keyof Table

/** One operation with its fields, and the option that asked for it. */
export type Op = {
  [N in OpName]: { op: N; origin: string } & {
    [F in keyof Table[N]['fields']]: Table[N]['fields'][F] extends keyof FieldTypes
      ? FieldTypes[Table[N]['fields'][F]]
      : never
  }
}[OpName]

/** A compiled plan: outer happens around the child, inner in it. */
export interface Program {
  outer: Op[]
  inner: Op[]
}
