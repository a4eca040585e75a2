// SPDX-License-Identifier: Apache-2.0
// Options → Spec: each word checked by itself, the first bad one named as the user typed it.
import { formatCpuMax } from '../cgroup/cpu.ts'
import type { LimitWrite } from '../cgroup/legacy.ts'
import { fail, quote } from '../errors.ts'
import { nearest } from '../nearest.ts'
import type { Root } from '../sandbox/root.ts'
import { type Limit, parseCount, parseCpuList, parseCpus, parseDuration, parseSize } from '../units.ts'
import { deviceMount, parseDevices } from './devices.ts'
import { parseEnvironment } from './environment-option.ts'
import { type JudgingOptions, parseJudging } from './judging-options.ts'
import { type LandlockRule, parseLandlock } from './landlock-option.ts'
import { type MountOption, parseMounts } from './mounts.ts'
import { type NamespaceOptions, parseNamespaces } from './namespace-options.ts'
import { type NetworkOptions, parseNetwork } from './network.ts'
import { type PrivilegeOptions, parsePrivileges } from './privilege-options.ts'
import { applySandbox, givenOptions, hideHostName, type Sandboxed } from './sandbox-option.ts'
import { parseFilter } from './seccomp-option.ts'
import type { Door, Spec } from './spec.ts'

/** Limits by Docker's words; any other kernel file by its own name, such as `'memory.high'`. */
export interface Limits {
  /** memory.max: bytes, or a text such as `'50M'`. */
  memory?: number | string
  /** memory.high: above it the group is slowed and its memory reclaimed. */
  memoryHigh?: number | string
  /** memory.low: best-effort protection. */
  memoryLow?: number | string
  /** memory.min: hard protection. */
  memoryMin?: number | string
  /** memory.swap.max: swap alone, not memory and swap. */
  swap?: number | string
  /** memory.oom.group: one out-of-memory kill ends the whole group. */
  oomGroup?: boolean
  /** pids.max: tasks (processes and threads) at once, hutch's PID 1 among them. */
  pids?: number | string
  /** cpu.max as a number of CPUs, such as 0.5. */
  cpus?: number | string
  /** cpu.weight: 1 to 10000, 100 if not given. */
  cpuWeight?: number | string
  /** cpuset.cpus, such as `'0-1'`. */
  cpusetCpus?: string
  /** Any other kernel file. */
  [file: `${string}.${string}`]: number | string
}

/** Options of `run` and `start`. */
export interface RunOptions extends NamespaceOptions, NetworkOptions, PrivilegeOptions, JudgingOptions {
  /** `'none'`: without those of `sandbox`, too. */
  limits?: Limits | 'none'
  /** True: all that a program nobody has read should not reach is closed; what is named here or beside it opens it, or closes more. */
  sandbox?: boolean | Omit<RunOptions, 'sandbox'>
  /** False: the command is PID 1 itself, and nobody reaps orphans. */
  init?: boolean
  hostname?: string
  /** Directory that is `/` inside, with /proc, /sys and /dev of its own. Needs mount in `isolate`, as the next three do. */
  rootfs?: string
  /** The root, and what is mounted below it, cannot be written; `mounts` are as they say. */
  readOnly?: boolean
  /** Directories of the host, tmpfs and overlays inside, in this order; a later one is on top. */
  mounts?: readonly MountOption[]
  /** A minimal /dev of its own; `rootfs` has it anyway. */
  dev?: boolean
  /** Devices of the host in it, by Docker's words: `PATH[:INSIDE][:rwm]`. It has a /dev of its own then. */
  devices?: readonly string[]
  /**
   * System calls are filtered: `'default'` as in Docker, `'strict'` for programs nobody has read, a file, or a profile (OCI, Docker).
   * If not given, `'default'` with `rootfs`, else `'none'`.
   */
  seccomp?: 'default' | 'strict' | 'none' | (string & {}) | object
  /** The only files that it may use, by Landlock: `'/usr:rx'` or `{ path: '/usr', access: 'rx' }`, paths as it sees them. */
  landlock?: readonly (string | LandlockRule)[]
  /** True: the result has each call that the filter refused (`seccomp`), and `onEvent` hears of each new kind of them at once. */
  seccompReport?: boolean
  /** True: no call is refused, whatever `seccomp` says, and the result has the profile of those that were made (`learned`). */
  learn?: boolean
  /** Directory in which the command starts. */
  workdir?: string
  /** Added to the caller's environment; undefined takes a variable away. */
  env?: { [name: string]: string | undefined }
  /** `name`, `uid`, `name:group` or `uid:gid`. */
  user?: string
  /** Milliseconds, or a text such as `'10s'`: then SIGTERM to all of it, and `killAfter` later SIGKILL. */
  timeout?: number | string
  /** Milliseconds, or a text, between SIGTERM and SIGKILL; 5 s if not given. */
  killAfter?: number | string
  /** Group below which the job's own is made, relative to the cgroup mount. */
  parent?: string
  /** True: processes that stand in the parent group itself are moved to a leaf in it, so that it can hand controllers to children. */
  evacuate?: boolean
}

type Parse = (value: unknown) => string | undefined
const text = (limit: Limit | undefined) => (limit === undefined ? undefined : String(limit))
const size: [Parse, string] = [(value) => text(parseSize(value)), 'a size such as 50M, 1.5G, 52428800 or max']
const sizeAboveZero: [Parse, string] = [
  (value) => text(parseSize(value) || undefined),
  'a size above 0, such as 50M, 1.5G, 52428800 or max',
]

/** Limits with a word of their own: kernel file, CLI flag, how the value is read, what is accepted. */
export const limitTable: {
  [K in Exclude<keyof Limits, `${string}.${string}`>]: [file: string, flag: string, parse: Parse, accepted: string]
} = {
  memory: ['memory.max', '--memory', ...sizeAboveZero],
  memoryHigh: ['memory.high', '--memory-high', ...size],
  memoryLow: ['memory.low', '--memory-low', ...size],
  memoryMin: ['memory.min', '--memory-min', ...size],
  swap: ['memory.swap.max', '--swap', ...size],
  oomGroup: [
    'memory.oom.group',
    '--oom-group',
    (value) => (value === true ? '1' : value === false ? '0' : undefined),
    'true or false',
  ],
  pids: ['pids.max', '--pids', (value) => text(parseCount(value)), 'a count from 1 on, or max'],
  cpus: [
    'cpu.max',
    '--cpus',
    (value) => {
      const cpus = parseCpus(value)
      return cpus === undefined ? undefined : formatCpuMax(cpus)
    },
    'a number of CPUs from 0.01 on, such as 0.5, or max',
  ],
  cpuWeight: [
    'cpu.weight',
    '--cpu-weight',
    (value) => {
      const weight = parseCount(value)
      return typeof weight === 'number' && weight <= 10_000 ? String(weight) : undefined
    },
    'a weight from 1 to 10000',
  ],
  cpusetCpus: ['cpuset.cpus', '--cpuset-cpus', parseCpuList, 'a list of CPUs such as 0-2,5'],
}

/** Each option as the command line has it. */
export const optionFlags: { [K in keyof RunOptions]-?: string } = {
  limits: '--limit',
  sandbox: '--sandbox',
  isolate: '--isolate',
  init: '--no-init',
  hostname: '--hostname',
  rootfs: '--rootfs',
  readOnly: '--read-only',
  mounts: '--volume',
  dev: '--dev',
  devices: '--device',
  seccomp: '--seccomp',
  landlock: '--landlock',
  seccompReport: '--seccomp-report',
  learn: '--learn',
  workdir: '--workdir',
  env: '--env',
  user: '--user',
  timeout: '--timeout',
  killAfter: '--kill-after',
  parent: '--parent',
  evacuate: '--evacuate',
  join: '--join',
  mapUsers: '--map-users',
  mapGroups: '--map-groups',
  timeOffset: '--time-offset',
  capAdd: '--cap-add',
  capDrop: '--cap-drop',
  newPrivileges: '--new-privileges',
  ulimits: '--ulimit',
  group: '--group',
  groups: '--groups',
  oomScoreAdj: '--oom-score-adj',
  nice: '--nice',
  ioPriority: '--ioprio',
  scheduler: '--scheduler',
  network: '--network',
  publish: '--publish',
  cniConfDir: '--cni-conf-dir',
  cpuTime: '--cpu-time',
  extraTime: '--extra-time',
  maxOutput: '--max-output',
}

/** Files that steer groups and processes rather than limit them: hutch's own business. */
const notLimits =
  /^(cgroup\.(procs|threads|kill|subtree_control|type|freeze|event_control|clone_children)|release_agent|notify_on_release|tasks|freezer\..*|memory\.reclaim|memory\.force_empty)$/

/** The checks of one front door. @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING */
export function parseOptions(command: string, args: readonly string[], asked: RunOptions, door: Door): Spec {
  refuseUnknown(asked, Object.keys(optionFlags), '', 'option')
  const say = (key: keyof RunOptions) => (door === 'cli' ? optionFlags[key] : key)
  const given = givenOptions(asked, say('sandbox'))
  if (given) refuseUnknown(given, Object.keys(optionFlags), 'sandbox.', 'option')
  const sandboxed = given && applySandbox(given, fileOf, door)
  const options = sandboxed?.options ?? asked
  const need: Need = (key, accepted, read) => {
    const value = options[key]
    if (value === undefined) return undefined
    const result = read(value)
    if (result === undefined)
      throw fail('OPTION_INVALID', { name: say(key), value, why: 'it is not understood', accepted })
    return result
  }
  if (typeof command !== 'string' || command === '')
    throw fail('COMMAND_MISSING', {
      usage: door === 'cli' ? 'hutch run [OPTIONS] -- COMMAND [ARG…]' : "run('command', ['argument'], options)",
    })
  for (const word of [command, ...args]) refuseNul(word, 'command')

  const namespaces = parseNamespaces(options, say)
  const network = parseNetwork(options, namespaces, options.isolate, say)
  const spec: Spec = {
    door,
    command,
    args: [...args],
    limits: parseLimits(options.limits === undefined ? {} : options.limits, door, sandboxed?.limits),
    ...namespaces,
    privileges: parsePrivileges(options, say, given && (given.ulimits ?? {})),
    ...parseJudging(options, say, door),
    ...(given && given.maxOutput === undefined && { capsPipes: true }),
    init: need('init', 'true or false', (value) => (typeof value === 'boolean' ? value : undefined)) ?? true,
    env: parseEnvironment(options.env === undefined ? {} : options.env, say('env')),
    timeoutMs:
      need('timeout', 'a time such as 10s, 500ms or 2m', (value) => parseDuration(value, door === 'cli' ? 1000 : 1)) ??
      0,
    killAfterMs:
      need('killAfter', 'a time such as 10s, 500ms or 2m', (value) =>
        parseDuration(value, door === 'cli' ? 1000 : 1),
      ) ?? 5000,
  }
  const hostname = need('hostname', 'a host name of 1 to 64 letters, digits, dots and dashes', (value) =>
    match(value, /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/),
  )
  const root = parseRoot(options, need, door, sandboxed && { ...sandboxed, hostname })
  const workdir = need('workdir', 'a directory', (value) => match(value, /^[^\0]+$/))
  const user = need('user', 'a user such as nobody, 1000 or 1000:1000', (value) =>
    match(value, /^[^\0:\n]+(:[^\0:\n]+)?$/),
  )
  const filter = parseFilter(options, asked, need, say)
  const landlock = parseLandlock(options, say)
  const parent = parseParent(options.parent, say('parent'))
  const evacuate = need('evacuate', 'true or false', (value) => (typeof value === 'boolean' ? value : undefined))
  if (hostname !== undefined && !namespaces.isolate.includes('uts'))
    throw fail('OPTION_CONFLICT', {
      name: say('hostname'),
      why: 'without a uts namespace it would rename this host',
      remedy: 'add uts to --isolate',
    })
  if (root && !namespaces.isolate.includes('mount'))
    throw fail('OPTION_CONFLICT', {
      name: say(rootKeys.find((key) => options[key] !== undefined)!),
      why: 'without a mount namespace it would change the mounts of this host',
      remedy: 'add mount to --isolate',
    })
  return {
    ...spec,
    ...(sandboxed && { sandbox: true }),
    ...(root && { root }),
    ...(network && { network }),
    ...(hostname !== undefined && { hostname }),
    ...filter,
    ...(landlock.length > 0 && { landlock }),
    ...(workdir !== undefined && { workdir }),
    ...(user !== undefined && { user }),
    ...(parent !== undefined && { parent }),
    ...(evacuate && { evacuate }),
  }
}

const rootKeys = ['rootfs', 'readOnly', 'mounts', 'dev', 'devices'] as const
type Need = <T>(key: keyof RunOptions, accepted: string, read: (value: unknown) => T | undefined) => T | undefined

/** A job has a root of its own as soon as one of these is asked for. */
function parseRoot(
  options: RunOptions,
  need: Need,
  door: Door,
  sandboxed?: Sandboxed & { hostname: string | undefined },
): Root | undefined {
  const boolean = (value: unknown) => (typeof value === 'boolean' ? value : undefined)
  const directory = need('rootfs', 'a directory', (value) => match(value, /^[^\0]+$/))
  const readOnly = need('readOnly', 'true or false', boolean) ?? false
  const dev = need('dev', 'true or false', boolean) ?? false
  const named = options.mounts === undefined ? [] : parseMounts(options.mounts, door)
  const preset = sandboxed?.mounts.filter(({ target }) => !named.some((mount) => mount.target === target)) ?? []
  const mounts = [...preset, ...named]
  const devices = options.devices === undefined ? [] : parseDevices(options.devices, door)
  if (directory === undefined && !readOnly && !dev && mounts.length + devices.length === 0) return undefined
  return {
    ...(directory !== undefined && { directory }),
    // a tmpfs hides it, and is closed once all has been put into it
    ...(sandboxed && directory === undefined && { directory: '/usr', sealed: true }),
    readOnly,
    dev: dev || devices.length > 0,
    mounts: [...mounts, ...devices.map(deviceMount)],
    devices,
    ...(sandboxed?.hostname !== undefined && hideHostName(sandboxed.hostname, preset, named, door)),
  }
}

/** The kernel's file behind a word; others are files. */
export function fileOf(word: string): string {
  return limitTable[word as keyof typeof limitTable]?.[0] ?? word
}

function parseLimits(limits: Limits | 'none', door: Door, preset?: ReadonlySet<string>): LimitWrite[] {
  if (limits === 'none') return []
  const words = Object.keys(limitTable)
  refuseUnknown(limits, words, 'limits.', 'limit', (key) => key.includes('.'))
  const writes = Object.entries(limits).flatMap(([key, value]): LimitWrite[] => {
    if (value === undefined) return []
    if (key.includes('.')) return [parseRawLimit(key, value, door)]
    const [file, flag, parse, accepted] = limitTable[key as keyof typeof limitTable]
    const name = door === 'cli' ? flag : `limits.${key}`
    const origin = preset?.has(key) ? `${name} (${door === 'cli' ? '--' : ''}sandbox)` : name
    const parsed = parse(value)
    if (parsed === undefined) throw fail('OPTION_INVALID', { name: origin, value, why: explainBad(value), accepted })
    return [{ file, value: parsed, origin }]
  })
  for (const [i, write] of writes.entries()) {
    const other = writes.slice(0, i).find((earlier) => earlier.file === write.file)
    if (other)
      throw fail('OPTION_CONFLICT', {
        name: write.origin,
        why: `${other.origin} sets ${write.file} too`,
        remedy: 'give one of them',
      })
  }
  return writes
}

function parseRawLimit(file: string, value: unknown, door: Door): LimitWrite {
  const origin = door === 'cli' ? `--limit ${file}` : `limits['${file}']`
  const invalid = (why: string) =>
    fail('OPTION_INVALID', {
      name: door === 'cli' ? '--limit' : 'limits',
      value: file,
      why,
      accepted: 'FILE=VALUE with a limit of a controller, such as memory.high=40M',
    })
  if (!/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(file)) throw invalid('this is not the name of a controller file')
  if (notLimits.test(file)) throw invalid('this file steers the group, it is no limit')
  const line = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  if (line === '' || /[\0\n]/.test(line))
    throw fail('OPTION_INVALID', {
      name: origin,
      value,
      why: 'a value is one line of text',
      accepted: 'a value as the kernel reads it',
    })
  // the kernel reads K, M and G in memory files by itself
  return { file, value: line, origin }
}

function parseParent(value: unknown, origin: string): string | undefined {
  if (value === undefined) return undefined
  const path = typeof value === 'string' ? value.replace(/^\/+|\/+$/g, '') : ''
  const refuse = (why: string) => fail('CGROUP_PARENT_INVALID', { value: quote(value), why, origin })
  if (typeof value !== 'string' || path === '') throw refuse('it names no group')
  if (path.split('/').some((part) => part === '..' || part === '.' || part === ''))
    throw refuse('a group path has no ".", ".." or empty parts')
  if (/[\0\n]/.test(path)) throw refuse('a group path has no NUL and no newline')
  return path
}

export function refuseUnknown(
  given: object,
  known: string[],
  prefix: string,
  kind: string,
  also = (_key: string) => false,
): void {
  if (typeof given !== 'object' || given === null)
    throw fail('OPTION_INVALID', { name: `${kind}s`, value: given, why: 'it is not an object', accepted: 'an object' })
  for (const key of Object.keys(given)) {
    if (known.includes(key) || also(key)) continue
    throw fail('OPTION_UNKNOWN', {
      name: `${prefix}${key}`,
      nearest: nearest(key, known),
      known: `known ${kind}s: ${known.join(', ')}`,
    })
  }
}

export function refuseNul(word: unknown, name: string): void {
  if (typeof word !== 'string' || word.includes('\0'))
    throw fail('OPTION_INVALID', {
      name,
      value: word,
      why: 'a command and its arguments are texts without NUL',
      accepted: 'texts',
    })
}

function match(value: unknown, shape: RegExp): string | undefined {
  return typeof value === 'string' && shape.test(value) ? value : undefined
}

function explainBad(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return 'it is not understood'
  const number = Number(value)
  if (number < 0) return 'it is negative'
  if (number === 0 && value !== '') return 'nothing can run in it'
  return Number.isFinite(number) && value !== '' ? 'it is out of range' : 'it is not understood'
}
