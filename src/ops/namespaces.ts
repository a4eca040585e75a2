// SPDX-License-Identifier: Apache-2.0
// Lists the operations on namespaces, their ids and their settings, as rows of the table of operations (see row.ts).
// Pure.
import { fail } from '../errors/errors.ts'
import { asRoot, oneOf, type RemedyText, withOption, withToolOption } from '../errors/remedy-text.ts'
import { kindsIn, namespaces } from '../namespaces/namespace.ts'
import { shellWord } from '../text/quote.ts'
import { row, tasksRemedy } from './row.ts'

export const namespaceOps = {
  unshare: row({
    code: 33,
    call: 'unshare',
    fields: { flags: 'u64' },
    what: ({ flags }) => `make namespaces (${kindsIn(flags).join(', ')})`,
    explain: (op) => ({
      words: `make a namespace of its own: ${kindsIn(op.flags).join(', ')}`,
      shell: `unshare ${kindsIn(op.flags)
        .map((kind) => namespaces[kind].shell)
        .join(' ')} …`,
    }),
    right: 'it needs CAP_SYS_ADMIN',
    ways: () => [withToolOption('add %', 'userNamespace'), withToolOption('add %', 'mapRoot')],
    remedy: () => 'namespaces are nested too deep, or this kernel does not know one of them: see hutch doctor',
    userNamespace: { errnos: ['EPERM', 'EACCES'], what: 'use' },
  }),
  joinNamespaces: row({
    code: 65,
    call: 'setns',
    fields: { paths: 'strings', kinds: 'numbers' },
    what: 'enter a namespace',
    explain: (op) => {
      const kinds = op.kinds.map((kind) => kindsIn(kind)[0])
      return {
        words: `enter existing namespaces: ${kinds.map((kind, i) => `${kind} (${op.paths[i]})`).join(', ')}`,
        shell: `nsenter ${kinds.map((kind, i) => `--${kind}=${op.paths[i]}`).join(' ')} …`,
      }
    },
    right:
      'entering a namespace needs CAP_SYS_ADMIN in the user namespace that owns it, and the right to inspect the process in it',
    ways: () => [
      withToolOption('also enter the user namespace that owns it: %', 'userNamespace'),
      withToolOption('run without it: %', 'userParent'),
      withToolOption('with the ids of this process: %', 'preserveCredentials'),
    ],
    remedy: ({ paths }, errno) =>
      errno === 'ENOENT' || errno === 'ESRCH'
        ? `name running processes, or existing files: ${paths.join(', ')}`
        : `give files of namespaces of that kind: ${paths.join(', ')}`,
  }),
  enterDescriptor: row({
    code: 111,
    call: 'setns',
    fields: { descriptor: 'u32', kind: 'u32' },
    what: 'enter the namespace of a descriptor',
    explain: (op) => ({
      words: `enter the ${kindsIn(op.kind)[0]} namespace that descriptor ${op.descriptor} holds`,
      shell: `nsenter --${kindsIn(op.kind)[0]}=/dev/fd/${op.descriptor} …`,
    }),
    right:
      'entering a user namespace needs CAP_SYS_ADMIN in it, which the creator of a user namespace below this one has',
    remedy: ({ descriptor }) => `open the file of such a namespace as descriptor ${descriptor}`,
  }),
  stayOutside: row({
    code: 66,
    call: 'clone3',
    fields: { signal: 'u32' },
    what: 'start the first process of a pid namespace',
    explain: () => ({
      words: 'continue as a child, because a pid namespace begins with a child',
      shell: 'unshare --fork …',
    }),
    remedy: (_, errno) => tasksRemedy(errno),
  }),
  bindNamespaces: row({
    code: 12,
    call: 'mount',
    fields: { kinds: 'strings', files: 'strings' },
    what: 'mount a file of a namespace',
    explain: (op) => ({
      words: `once it is ready, keep its namespaces: ${op.kinds.map((kind, i) => `${kind} at ${op.files[i]}`).join(', ')}`,
      shell: op.kinds.map((kind, i) => `mount --bind /proc/$PID/ns/${kind} ${op.files[i]}`).join('; '),
    }),
    remedy: ({ files }) =>
      `name existing files, not on a shared mount, and fork for a pid namespace: ${files.join(', ')}`,
  }),
  offsetClocks: row({
    code: 67,
    call: 'unshare',
    fields: { offsets: 'string' },
    what: 'make a time namespace',
    explain: (op) => ({
      words: `make a time namespace${op.offsets ? ` with ${op.offsets.trim().replaceAll('\n', ', ')} (s, ns)` : ''}`,
      shell: `unshare --time ${op.offsets
        .split('\n')
        .filter(Boolean)
        .map((line) => `--${line.split(' ').slice(0, 2).join(' ')}`)
        .join(' ')} …`,
    }),
    remedy: (_, errno) =>
      errno === 'EPERM' ? undefined : 'no clock may come before its start or beyond 146 years: give a smaller offset',
  }),
  setHostname: row({
    code: 34,
    call: 'sethostname',
    fields: { name: 'string' },
    what: 'set the host name',
    explain: (op) => ({ words: `call the host ${op.name}`, shell: `hostname ${shellWord(op.name)}` }),
  }),
  setDomainname: row({
    code: 121,
    call: 'setdomainname',
    fields: { name: 'string' },
    what: 'set the domain name',
    explain: (op) => ({ words: `name the domain ${op.name}`, shell: `domainname ${shellWord(op.name)}` }),
  }),
  setSysctl: row({
    code: 122,
    call: 'write',
    fields: { path: 'string', value: 'string' },
    what: ({ path, value }) => `set ${path} to ${value}`,
    explain: (op) => ({
      words: `set ${op.path.slice('/proc/sys/'.length)} to ${op.value}`,
      shell: `echo ${shellWord(op.value)} > ${op.path}`,
    }),
    remedy: ({ path }, errno) => sysctlRemedy(path, errno),
  }),
  loopbackUp: row({
    code: 36,
    call: 'ioctl',
    fields: {},
    what: 'bring the loopback interface up',
    explain: () => ({ words: 'bring the loopback interface up', shell: 'ip link set lo up' }),
  }),
  awaitNetwork: row({
    code: 112,
    call: 'recvfrom',
    fields: { by: 'string' },
    what: 'wait for the network',
    explain: (op) => ({ words: 'wait until its network namespace is connected', shell: `${op.by} &` }),
  }),
  reserveIds: row({
    code: 30,
    call: 'fcntl',
    fields: {},
    what: 'reserve ids of the host',
    explain: () => ({ words: 'reserve unused host ids (*)', shell: '' }),
    refused: (_, { errno }) => (errno === 'EDQUOT' ? fail('IDS_USED_UP', { errno }) : undefined),
  }),
  mapIds: row({
    code: 10,
    call: 'write',
    fields: { users: 'strings', groups: 'strings', denySetgroups: 'u32', userTool: 'string', groupTool: 'string' },
    what: 'map the ids of the user namespace',
    explain: (op) => ({
      words: `map its users (${extents(op.users)}) and groups (${extents(op.groups)})${op.denySetgroups ? ', without setgroups' : ''}`,
      shell: [
        op.denySetgroups && 'echo deny > /proc/$PID/setgroups',
        mapLine('gid_map', op.groups, op.groupTool),
        mapLine('uid_map', op.users, op.userTool),
      ]
        .filter(Boolean)
        .join('; '),
    }),
    userNamespace: { errnos: ['EPERM', 'EACCES'], what: 'map the ids of', certain: true },
  }),
  awaitMaps: row({
    code: 64,
    call: 'recvfrom',
    fields: {},
    what: 'wait for the ids of the user namespace',
    explain: () => ({ words: 'wait until its ids are mapped', shell: '' }),
  }),
  sendGo: row({
    code: 28,
    call: 'sendto',
    fields: {},
    what: 'let the process continue',
    explain: () => ({ words: 'let it continue into them', shell: '' }),
  }),
  awaitGroups: row({
    code: 140,
    call: 'recvfrom',
    fields: {},
    what: 'wait for its groups',
    explain: () => ({ words: 'wait until its groups exist', shell: '' }),
  }),
  limitUserCount: row({
    code: 125,
    call: 'write',
    fields: { path: 'string', value: 'string' },
    what: 'limit what the user namespace may have',
    explain: (op) => ({
      words: `set ${op.path.slice(op.path.lastIndexOf('/') + 1)} of its user namespace to ${op.value}`,
      shell: `echo ${op.value} > ${op.path}`,
    }),
  }),
  nestUser: row({
    code: 108,
    call: 'unshare',
    fields: { users: 'string', groups: 'string', limit: 'u32' },
    what: 'make the user namespace of the program',
    explain: (op) => ({
      words: `make another user namespace, its ids ${op.users.trim()} and ${op.groups.trim()}${op.limit ? ', the last one' : ''}`,
      shell: `${op.limit ? 'echo 1 > /proc/sys/user/max_user_namespaces; ' : ''}unshare --user …`,
    }),
  }),
  refuseUsers: row({
    code: 109,
    call: 'unshare',
    fields: {},
    what: 'forbid more user namespaces',
    explain: () => ({ words: 'check that no further user namespace can be created', shell: '! unshare --user true' }),
    remedy: () => 'one can still be created: add --disable-userns, or set user.max_user_namespaces inside',
  }),
}

function extents(words: readonly string[]): string {
  const parts: string[] = []
  for (let i = 0; i < words.length; i += 3) parts.push(words.slice(i, i + 3).join(':'))
  return parts.join(' ')
}

function mapLine(file: string, words: readonly string[], tool: string): string {
  if (tool) return `${tool} $PID ${words.join(' ')}`
  return `printf '${extents(words)
    .replaceAll(':', ' ')
    .replace(/(\S+ \S+ \S+) /g, '$1\\n')}\\n' > /proc/$PID/${file}`
}

function sysctlRemedy(path: string, errno: string): RemedyText {
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
