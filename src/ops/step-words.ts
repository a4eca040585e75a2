// SPDX-License-Identifier: Apache-2.0
// Words for steps of a start: what each does, the right that it takes, and what to do. Pure; called by run/op-errors.ts.
import { asRoot, oneOf, withOption } from '../errors/front-door.ts'
import type { Op } from './ops.ts'

/** What a step does. */
export const whats: { [op: string]: string } = {
  setHostname: 'set the host name',
  setDomainname: 'set the domain name',
  mount: 'mount inside the new mount namespace',
  loopbackUp: 'bring the loopback interface up',
  changeDirectory: 'enter the working directory',
  setUser: 'change to the user',
  dieWithParent: 'tie the process to its parent',
  watchFile: 'watch the events of the group',
  watchOom: 'watch the group for out-of-memory situations',
  attachDeviceFilter: 'limit its devices',
  exec: 'start a process for the command',
  killGroup: 'check whether anything is left in the groups',
  reserveIds: 'reserve ids of the host',
  mapIds: 'map the ids of the user namespace',
  sendGo: 'let the process continue',
  limitUserCount: 'limit what the user namespace may have',
  awaitGroups: 'wait for its groups',
  awaitMaps: 'wait for the ids of the user namespace',
  joinNamespaces: 'enter a namespace',
  stayOutside: 'start the first process of a pid namespace',
  offsetClocks: 'make a time namespace',
  setOomScore: 'set the out-of-memory score',
  setLimit: 'set a limit of the process',
  boundLimit: 'set a limit of the process',
  limitCpu: 'limit the CPU time',
  setNice: 'set the nice value',
  setIoPriority: 'set the I/O priority',
  setScheduler: 'set the scheduling policy',
  dropBounding: 'shrink the bounding set of capabilities',
  setCapabilities: 'set the capabilities',
  noNewPrivileges: 'set no_new_privs',
  restrictPaths: 'restrict the paths that it can use',
  spawn: 'start a process',
  keepDescriptors: 'hand on descriptors',
  bindNamespaces: 'mount a file of a namespace',
  fork: 'start a child',
  writeOwnFile: 'write a file of the process',
  changeRoot: 'change the root directory',
  holdDirectories: 'open a directory',
  enterDirectories: 'enter a directory',
  dropGroups: 'drop the supplementary groups',
  takeIds: 'change to user and group',
  keepCapabilities: 'keep the capabilities',
  awaitNetwork: 'wait for the network',
  awaitOrder: 'wait for a job of the pool',
  closeOnExec: 'use a descriptor',
  blockOn: 'wait for a descriptor',
  takeLock: 'lock a file',
  newSession: 'begin a session',
  attachTerminal: 'attach the terminal as /dev/console',
  nestUser: 'make the user namespace of the program',
  refuseUsers: 'forbid more user namespaces',
  chooseDirectory: 'enter the working directory',
  enterDescriptor: 'enter the namespace of a descriptor',
  installFilter: 'read a system call filter',
}

/** What takes a right is refused with EPERM or EACCES; the capability that gives it. */
const rights: { [op: string]: string } = {
  attachDeviceFilter: 'it needs CAP_SYS_ADMIN in the initial user namespace',
  setOomScore: 'lowering it needs CAP_SYS_RESOURCE',
  setLimit: 'raising the hard limit needs CAP_SYS_RESOURCE in the initial user namespace',
  setNice: 'lowering it needs CAP_SYS_NICE in the initial user namespace, or room in RLIMIT_NICE',
  setIoPriority: 'realtime needs CAP_SYS_NICE or CAP_SYS_ADMIN in the initial user namespace',
  setScheduler: 'fifo and rr need CAP_SYS_NICE in the initial user namespace, or room in RLIMIT_RTPRIO',
  dropBounding: 'it takes CAP_SETPCAP',
  unshare: 'it needs CAP_SYS_ADMIN',
  dropGroups: 'setgroups is not allowed here',
  takeIds: 'the id must be mapped, and groups can be dropped only where setgroups is allowed',
  enterDescriptor: 'it needs CAP_SYS_ADMIN there, which the creator of a user namespace below this one has',
  joinNamespaces: 'it needs CAP_SYS_ADMIN in the user namespace that owns it, and the right to inspect its process',
}

/** What each tool has for those without a right. */
function rightWays(op: Op): string[] {
  const ways: { [name: string]: (string | undefined)[] } = {
    unshare: [withOption('add %', 'userNamespace'), withOption('add %', 'mapRoot')],
    takeIds: [withOption('keep the ids with %', 'preserveCredentials')],
    dropGroups: [withOption('keep the groups with %', 'preserveCredentials')],
    joinNamespaces: [
      withOption('also enter the user namespace that owns it: %', 'userNamespace'),
      withOption('run without it: %', 'userParent'),
      withOption('with the ids of this process: %', 'preserveCredentials'),
    ],
  }
  return (ways[op.op] ?? []).filter((way) => way !== undefined)
}

/** What to do about a refused step that has no words elsewhere. */
export function stepRemedy(op: Op, errno: string): string {
  const right = rights[op.op]
  if (right && (errno === 'EPERM' || errno === 'EACCES'))
    return `${right}: ${oneOf([...rightWays(op), 'leave it out', asRoot()], 'leave it out')}`
  if (errno === 'EAGAIN' && (op.op === 'exec' || op.op === 'fork' || op.op === 'stayOutside'))
    return "a limit on tasks is reached: pids.max of the job's group or of one above it (see hutch why), RLIMIT_NPROC of its user, or kernel.pid_max: raise it, or end some processes"
  if (op.op === 'joinNamespaces')
    return errno === 'ENOENT' || errno === 'ESRCH'
      ? `name running processes, or existing files: ${op.paths.join(', ')}`
      : `give files of namespaces of that kind: ${op.paths.join(', ')}`
  if (op.op === 'offsetClocks' && errno !== 'EPERM')
    return 'no clock may come before its start or beyond 146 years: give a smaller offset'
  if (op.op === 'setSysctl') return sysctlRemedy(op.path, errno)
  if (op.op === 'writeOwnFile') return `see namespaces(7) for what ${op.path} takes`
  if (op.op === 'bindNamespaces')
    return `name existing files, not on a shared mount, and fork for a pid namespace: ${op.files.join(', ')}`
  if (op.op === 'changeRoot') return `give an existing directory: ${op.path}`
  if (op.op === 'holdDirectories')
    return `give existing directories: ${[op.root, op.directory].filter(Boolean).join(', ')}`
  if (op.op === 'enterDirectories') return 'give an existing directory that can be entered'
  if (op.op === 'unshare')
    return 'namespaces are nested too deep, or this kernel does not know one of them: see hutch doctor'
  if (op.op === 'closeOnExec') return `open these descriptors first: ${op.descriptors.join(', ')}`
  if (op.op === 'keepDescriptors') return `open these descriptors first: ${op.descriptors.join(', ')}`
  if (op.op === 'takeLock') return `give a readable file that exists inside: ${op.path}`
  if (op.op === 'refuseUsers')
    return 'one can still be created: add --disable-userns, or set user.max_user_namespaces inside'
  if (op.op === 'enterDescriptor') return `open the file of such a namespace as descriptor ${op.descriptor}`
  if (op.op === 'chooseDirectory') return `give a directory that exists inside: ${op.directories.join(', ')}`
  if (op.op === 'changeDirectory') return `give a directory that exists there and that the user can enter: ${op.path}`
  if (op.op === 'setUser')
    return errno === 'EINVAL'
      ? 'this id is not mapped in the user namespace'
      : (asRoot() ?? 'CAP_SETUID and CAP_SETGID are missing here')
  if (op.op === 'mount')
    return errno === 'EPERM' ? oneOf([asRoot()], 'CAP_SYS_ADMIN is missing here') : 'see hutch doctor'
  return 'see hutch doctor'
}

function sysctlRemedy(path: string, errno: string): string {
  if (errno === 'ENOENT' && path.includes('/conf/'))
    return `its interface does not exist at the start: set ${path.replace(/conf\/[^/]+/, 'conf/default')}, which new interfaces take over`
  if (errno === 'ENOENT') return `this kernel has no ${path} in a new namespace: leave it out`
  if (errno === 'EACCES' || errno === 'EPERM')
    return oneOf(
      [asRoot(), withOption('add %, from Linux 6.9 on', 'mapUsers', 'root')],
      'only root outside of any user namespace may set it: leave it out',
    )
  return `the kernel does not accept this value: compare with cat ${path}`
}
