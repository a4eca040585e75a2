// SPDX-License-Identifier: Apache-2.0
// nsenter: runs a program in the namespaces of another process, as util-linux's nsenter(1) does.

import { fail, HutchError } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { type NamespaceKind, namespaces } from '../../namespaces/namespace.ts'
import type { Join } from '../../namespaces/setns.ts'
import { existsSync, openSync, readFileSync, statSync } from '../../system/files.ts'
import { errnoName, native } from '../../system/native.ts'
import { print } from '../../system/stdout.ts'
import { encodePath } from '../../text/non-utf8.ts'
import type { OptionTable, ParsedOptions } from '../getopt.ts'
import { lastOf, toolMain, valuesOf } from '../tool.ts'
import { failure, kindLetters, kindOptions, launchAs, parseId, readLaunch } from './launch.ts'
import { compileNsenter, type EnterRequest } from './nsenter-program.ts'

declare const HUTCH_VERSION: string

export const options: OptionTable = {
  a: { long: ['all'], help: 'enter all namespaces' },
  t: { long: ['target'], value: 'PID', help: 'the process whose namespaces, directories and environment are used' },
  ...kindOptions('enter the', true),
  S: { long: ['setuid'], value: 'UID', help: 'run as this user; "follow": as the target’s user' },
  G: { long: ['setgid'], value: 'GID', help: 'run with only this group; "follow": the target’s group' },
  'preserve-credentials': { help: 'do not become root in an entered user namespace' },
  'keep-caps': { help: 'keep the capabilities in the user namespace through the exec' },
  r: {
    long: ['root'],
    value: 'DIR',
    optional: true,
    help: "run in this root directory; without a value, in the target's",
  },
  w: {
    long: ['wd'],
    value: 'DIR',
    optional: true,
    help: "run in this working directory; without a value, in the target's",
  },
  W: { long: ['wdns'], value: 'DIR', help: 'run in this working directory, a path in the joined namespaces' },
  e: { long: ['env'], help: "run with the target's environment" },
  F: { long: ['no-fork'], help: 'do not become a child when a pid namespace is entered' },
  c: { long: ['join-cgroup'], help: "join the target's control group" },
  N: { long: ['net-socket'], value: 'FD', help: 'enter the network namespace of this socket of the target' },
  'user-parent': { help: 'enter the user namespace that owns the others' },
  Z: { long: ['follow-context'], help: 'not here: hutch sets no SELinux context' },
  V: { long: ['version'], help: 'print the version' },
}

/** Options of nsenter that hutch does not support, each with a remedy. */
const refused: { [key: string]: [name: string, remedy: string] } = {
  Z: ['--follow-context', 'use runcon CONTEXT PROGRAM'],
}

/** Options of nsenter that remedies name, by key. */
export const nsenterOptions = {
  userNamespace: '--user',
  userParent: '--user-parent',
  preserveCredentials: '--preserve-credentials',
}

export const main = toolMain({
  name: 'nsenter',
  usage: ['[OPTIONS] [PROGRAM [ARG…]]'],
  purpose: "Runs a program, or a login shell, in another process's namespaces.",
  options,
  toolOptions: nsenterOptions,
  permute: false,
  failure,
  run,
})

async function run(parsed: ParsedOptions): Promise<number> {
  if (lastOf(parsed, 'V') !== undefined) {
    print(`nsenter from hutch ${HUTCH_VERSION}\n`)
    return 0
  }
  const request = parseNsenter(parsed, targetFacts)
  const target = lastOf(parsed, 't')
  const launch = readLaunch(
    parsed.words,
    lastOf(parsed, 'e') === undefined
      ? undefined
      : readTarget(target!, 'environ')
          .split('\0')
          .filter((entry) => entry !== ''),
  )
  return launchAs('nsenter', compileNsenter(request, launch), request.fork ? 'leave' : 'forward', nsenterOptions)
}

/** Functions that look up facts about a target process. */
export interface TargetFacts {
  /**
   * Returns true if the kernel supports this kind of namespace. @throws FILE_REFUSED if the target process has ended or may not be examined
   */
  exists(path: string, kind: NamespaceKind): boolean
  /** Returns a path to the user namespace that owns a namespace, or to the parent of a user namespace. @throws FILE_REFUSED */
  owner(path: string): string
  /** Returns true if the namespace is the caller's own. */
  isOwn(path: string, kind: NamespaceKind): boolean
  /** Returns a path to the network namespace of a socket, which the target has open as descriptor `fd`. @throws FILE_REFUSED */
  socketNetwork(target: string, fd: number): string
  ids(target: string): { uid: number; gid: number }
  group(target: string): string
}

const targetFacts: TargetFacts = {
  exists: (path, kind) => {
    try {
      statSync(encodePath(path))
      return true
    } catch (error) {
      if (!existsSync(`/proc/self/ns/${namespaces[kind].file}`)) return false
      throw unreadable(path, error)
    }
  },
  isOwn: (path, kind) => {
    try {
      const own = statSync(`/proc/self/ns/${namespaces[kind].file}`)
      const other = statSync(encodePath(path))
      return own.ino === other.ino && own.dev === other.dev
    } catch {
      return false
    }
  },
  owner: (path) => {
    try {
      const fd = native().namespaceLink(openSync(encodePath(path), 'r'), 1)
      if (fd >= 0) return `/proc/${process.pid}/fd/${fd}`
      throw fail('FILE_REFUSED', {
        what: 'find the owner of',
        path,
        errno: errnoName(fd),
        remedy: 'only an owner below this user namespace is visible: name it with --user=FILE',
      })
    } catch (error) {
      throw HutchError.is(error) ? error : unreadable(path, error)
    }
  },
  socketNetwork: (target, fd) => {
    const network = native().socketNetwork(Number(target), fd)
    if (network >= 0) return `/proc/${process.pid}/fd/${network}`
    throw fail('FILE_REFUSED', {
      what: 'read the network namespace of the socket',
      path: `/proc/${target}/fd/${fd}`,
      errno: errnoName(network),
      remedy: `name a socket of that process: ls -l /proc/${target}/fd lists them, to its user and to root`,
    })
  },
  ids: (target) => {
    try {
      const { uid, gid } = statSync(`/proc/${target}`)
      return { uid, gid }
    } catch (error) {
      throw unreadable(`/proc/${target}`, error)
    }
  },
  group: readGroup,
}

/** Parses the options of nsenter. @throws OPTION_INVALID, OPTION_CONFLICT */
export function parseNsenter(parsed: ParsedOptions, facts: TargetFacts): EnterRequest {
  const has = (key: string) => lastOf(parsed, key) !== undefined
  for (const [key, [name, remedy]] of Object.entries(refused))
    if (has(key)) throw fail('OPTION_CONFLICT', { name, why: 'hutch does not have it', remedy })
  const target = lastOf(parsed, 't')
  if (target !== undefined && !/^\d{1,10}$/.test(target))
    throw fail('OPTION_INVALID', {
      name: '--target',
      value: target,
      why: 'not a process id',
      accepted: '--target PID',
    })
  const requireTarget = (name: string) => {
    if (target !== undefined && target !== '0') return target
    throw fail('OPTION_CONFLICT', {
      name,
      why: 'no process is named',
      remedy: 'name it with --target PID, or the file with =FILE',
    })
  }
  const joins = parseJoins(parsed, requireTarget, facts)
  if (has('w') && has('W'))
    throw fail('OPTION_CONFLICT', { name: '--wdns', why: '--wd says it, too', remedy: 'give one of them' })
  const directory = (key: string, name: string, file: string) =>
    lastOf(parsed, key) || `/proc/${requireTarget(name)}/${file}`
  const pid = joins.some(({ kind }) => kind === 'pid')
  const id = (key: string, name: string, which: 'uid' | 'gid') =>
    lastOf(parsed, key) === 'follow' ? facts.ids(requireTarget(name))[which] : parseId(name, lastOf(parsed, key)!)
  if (has('e')) requireTarget('--env')
  return {
    joins,
    ...(has('c') && { group: facts.group(requireTarget('--join-cgroup')) }),
    ...(has('r') && { root: directory('r', '--root', 'root') }),
    ...(has('w') && { directory: directory('w', '--wd', 'cwd') }),
    ...(has('W') && { inside: lastOf(parsed, 'W')! }),
    fork: pid && !has('F'),
    ...(has('S') && { uid: id('S', '--setuid', 'uid') }),
    ...(has('G') && { gid: id('G', '--setgid', 'gid') }),
    preserveCredentials: has('preserve-credentials'),
    keepCapabilities: has('keep-caps'),
  }
}

function parseJoins(parsed: ParsedOptions, requireTarget: (name: string) => string, facts: TargetFacts): Join[] {
  const joins: Join[] = []
  const all = lastOf(parsed, 'a') !== undefined
  if (all) requireTarget('--all')
  for (const [letter, kind] of kindLetters) {
    const file = valuesOf(parsed, letter).at(-1)
    const defaultPath = () => `/proc/${requireTarget(`--${kind}`)}/ns/${namespaces[kind].file}`
    if (file !== undefined) {
      const path = file || defaultPath()
      joins.push({ kind, path })
    } else if (all && facts.exists(defaultPath(), kind) && !(kind === 'user' && facts.isOwn(defaultPath(), kind)))
      joins.push({ kind, path: defaultPath() })
  }
  const socket = lastOf(parsed, 'N')
  if (socket !== undefined) {
    const path = facts.socketNetwork(requireTarget('--net-socket'), parseDescriptor(socket))
    joins.splice(0, joins.length, ...joins.filter(({ kind }) => kind !== 'net'), { kind: 'net', path })
  }
  const entered = lastOf(parsed, 'user-parent') === undefined ? joins : replaceByOwner(joins, facts)
  if (valuesOf(parsed, 'U').length > 0 || entered !== joins)
    for (const { kind, path } of entered)
      if (kind === 'user' && facts.isOwn(path, kind))
        throw fail('OPTION_CONFLICT', {
          name: entered === joins ? '--user' : '--user-parent',
          why: 'this process is already in that user namespace, and the kernel does not allow entering it again',
          remedy: 'leave it out',
        })
  return entered
}

function parseDescriptor(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw fail('OPTION_INVALID', {
    name: '--net-socket',
    value: text,
    why: 'not the number of a descriptor',
    accepted: '--net-socket FD, a number as in /proc/PID/fd',
  })
}

function replaceByOwner(joins: Join[], facts: TargetFacts): Join[] {
  const from = joins.find(({ kind }) => kind === 'user') ?? joins[0]
  if (!from)
    throw fail('OPTION_CONFLICT', {
      name: '--user-parent',
      why: 'no namespace with an owner is given',
      remedy: 'name one, such as --net',
    })
  return [...joins.filter(({ kind }) => kind !== 'user'), { kind: 'user', path: facts.owner(from.path) }]
}

function readTarget(target: string, file: string): string {
  try {
    return readFileSync(`/proc/${target}/${file}`, 'latin1')
  } catch (error) {
    throw unreadable(`/proc/${target}/${file}`, error)
  }
}

function unreadable(path: string, error: unknown) {
  const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
  const remedy = errno === 'ENOENT' ? 'name a process that runs' : 'run as the user of that process, or as root'
  return fail('FILE_REFUSED', { what: 'read', path, errno, remedy })
}

/** Returns the group of the target process. As in util-linux, this works only on pure v2, where a process has one group. */
function readGroup(target: string): string {
  const { layout, unified } = readHost()
  if (layout !== 'v2' || !unified)
    throw fail('OPTION_CONFLICT', {
      name: '--join-cgroup',
      why: 'on this host a process has a group in each hierarchy',
      remedy: 'leave it out, and use hutch cgclassify or hutch cgexec',
    })
  const path = /^0::(.*)$/m.exec(readTarget(target, 'cgroup'))?.[1] ?? '/'
  return `${unified.mount}${path}/cgroup.procs`
}
