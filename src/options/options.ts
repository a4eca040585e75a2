// SPDX-License-Identifier: Apache-2.0
// Turns options into a Spec. Each option is checked separately; the first invalid one is named as the user typed it.
import type { FileReader } from '../cgroup/format-file.ts'
import { fail, quote } from '../errors/errors.ts'
import { coveredPaths } from '../mounts/masked-paths.ts'
import type { Root } from '../mounts/root.ts'
import { deviceMount, parseDevices } from '../plan/devices.ts'
import { type NetworkOptions, parseNetwork } from '../plan/network.ts'
import { parseSignalWord } from '../system/signals.ts'
import { keepMarks } from '../text/non-utf8.ts'
import { parseDuration } from '../text/units.ts'
import { type JudgingOptions, parseJudging } from './budgets.ts'
import { parseEnvironment } from './environment-option.ts'
import { type LandlockRule, parseLandlock } from './landlock-option.ts'
import { fileOf, type Limits, parseLimits } from './limit-options.ts'
import { type MountOption, parseMounts } from './mount-options.ts'
import { type NameOptions, parseNames, refuseMountedNames } from './name-options.ts'
import { optionName } from './names.ts'
import { type NamespaceOptions, parseNamespaces } from './namespace-options.ts'
import { type PrivilegeOptions, parsePrivileges } from './privilege-options.ts'
import { applySandbox, givenOptions, hideHostName, type Sandboxed } from './sandbox-option.ts'
import { parseSeccompOptions } from './seccomp-option.ts'
import type { Door, Spec } from './spec.ts'
import { parseSysctls } from './sysctl-option.ts'
import { runOptionKeys } from './table.ts'
import { refuseNul, refuseUnknown } from './unknown-option.ts'

export { fileOf, type Limits, namesFiles } from './limit-options.ts'
export { runOptionKeys } from './table.ts'
export { refuseNul, refuseUnknown } from './unknown-option.ts'

/** Options of `run` and `start`. */
export interface RunOptions extends NamespaceOptions, NetworkOptions, NameOptions, PrivilegeOptions, JudgingOptions {
  /** Limits of the control group. `'none'` also removes those of `sandbox`. */
  limits?: Limits | 'none'
  /**
   * Runs an untrusted program: everything is denied except what other options allow. Those options can be given here or beside it.
   */
  sandbox?: boolean | Omit<RunOptions, 'sandbox'>
  /** False: the command itself is PID 1, and no init process reaps orphans. True by default. */
  init?: boolean
  hostname?: string
  /** NIS domain name inside. */
  domainname?: string
  /** Kernel settings of the job's own namespaces: `{ 'net.ipv4.ip_forward': 1 }`. */
  sysctls?: { [name: string]: string | number }
  /**
   * Directory that is `/` inside, with its own /proc, /sys and /dev. Like the next three options, it needs mount in `isolate`.
   */
  rootfs?: string
  /** True: the root and the mounts below it are read-only; `mounts` keep their own mode. */
  readOnly?: boolean
  /** Directories of the host, tmpfs and overlays inside, in this order; a later one is on top. */
  mounts?: readonly MountOption[]
  /** True: the job has its own minimal /dev; implied by `rootfs`. */
  dev?: boolean
  /**
   * Paths below /proc and /sys that are not masked or made read-only, or `['all']`. Nested container engines need it. Needs `rootfs` or
   * `sandbox`.
   */
  unmask?: readonly string[]
  /** Devices of the host in the job's own /dev, in Docker's format: `PATH[:INSIDE][:rwm]`. */
  devices?: readonly string[]
  /**
   * Filters system calls: `'default'` as in Docker, `'strict'` for untrusted programs, a file, or a profile (OCI, Docker). The default is
   * `'default'` with `rootfs`, otherwise `'none'`.
   */
  seccomp?: 'default' | 'strict' | 'none' | (string & {}) | object
  /**
   * The only files that the job may use, by Landlock: `'/usr:rx'` or `{ path: '/usr', access: 'rx' }`. Paths are those inside.
   */
  landlock?: readonly (string | LandlockRule)[]
  /** True: the result lists each call that the filter refused (`seccomp`), and `onEvent` gets each new kind at once. */
  seccompReport?: boolean
  /**
   * True: no call is refused, whatever `seccomp` says, and the result has a profile of the calls that were made (`learned`).
   */
  learn?: boolean
  /** Directory in which the command starts; by default the caller's, or `/` with `rootfs`. */
  workdir?: string
  /** Added to the caller's environment; undefined removes a variable. */
  env?: { [name: string]: string | undefined }
  /** `name`, `uid`, `name:group` or `uid:gid`. */
  user?: string
  /**
   * Milliseconds, or a text such as `'10s'`: SIGTERM to all processes then, and SIGKILL `killAfter` later. No timeout by default.
   */
  timeout?: number | string
  /** Milliseconds, or a text, between SIGTERM and SIGKILL; 5000 by default. */
  killAfter?: number | string
  /** Signal at the timeout and for `stop()`, by name or number; SIGTERM by default. */
  stopSignal?: string | number
  /** Parent of the job's group, relative to the cgroup mount; by default the caller's group. */
  parent?: string
  /**
   * True: processes of the parent group itself are moved to a leaf in it, so that it can enable controllers for children.
   */
  evacuate?: boolean
}

/**
 * Checks the options of one front end. `readFile` reads limits that are named by their kernel file; run/job.ts loads it.
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING
 */
export function parseOptions(
  command: string,
  args: readonly string[],
  asked: RunOptions,
  door: Door,
  readFile?: FileReader,
): Spec {
  refuseUnknown(asked, runOptionKeys, '', 'option')
  const say = (key: keyof RunOptions) => optionName(key, door)
  const given = givenOptions(asked, say('sandbox'))
  if (given) refuseUnknown(given, runOptionKeys, 'sandbox.', 'option')
  const sandboxed = given && applySandbox(given, fileOf, door)
  const options = sandboxed?.options ?? asked
  const need: Need = (key, accepted, read, value = options[key]) => {
    if (value === undefined) return undefined
    const result = read(value)
    if (result === undefined) throw fail('OPTION_INVALID', { name: say(key), value, accepted })
    return result
  }
  if (typeof command !== 'string' || command === '')
    throw fail('COMMAND_MISSING', {
      usage: door === 'cli' ? 'hutch run [OPTIONS] -- COMMAND [ARG…]' : "run('command', ['argument'], options)",
    })
  for (const word of [command, ...args]) refuseNul(word, 'command')

  const namespaces = parseNamespaces(options, say, options.rootfs !== undefined || sandboxed !== undefined)
  const network = parseNetwork(options, namespaces, options.isolate, say)
  const { sysctls, ...named } = parseSysctls({ ...(given ?? asked) }, namespaces, say)
  const stopSignal = need('stopSignal', 'a signal such as INT, SIGQUIT or 10', parseSignalWord) ?? sigterm
  const spec: Spec = {
    door,
    command,
    args: door === 'cli' ? [...args] : args.map(keepMarks),
    limits: parseLimits(options.limits === undefined ? {} : options.limits, door, readFile, sandboxed?.limits),
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
      stopSignal === sigkill
        ? 0
        : (need('killAfter', 'a time such as 10s, 500ms or 2m', (value) =>
            parseDuration(value, door === 'cli' ? 1000 : 1),
          ) ?? 5000),
    stopSignal,
    sysctls,
  }
  const nameOf = (key: 'hostname' | 'domainname') =>
    need(key, 'a name of 1 to 64 letters, digits, dots and dashes', (value) => match(value, hostNameShape), named[key])
  const [hostname, domainname] = [nameOf('hostname'), nameOf('domainname')]
  const names = parseNames(options, say)
  const root = parseRoot(options, need, door, sandboxed && { ...sandboxed, hostname })
  const workdir = need('workdir', 'a directory', (value) => match(value, /^[^\0]+$/))
  const user = need('user', 'a user such as nobody, 1000 or 1000:1000', (value) =>
    match(value, /^[^\0:\n]+(:[^\0:\n]+)?$/),
  )
  const filter = parseSeccompOptions(options, asked, need, say)
  const landlock = parseLandlock(options, say)
  const parent = parseParent(options.parent, say('parent'))
  const evacuate = need('evacuate', 'true or false', (value) => (typeof value === 'boolean' ? value : undefined))
  const renames = hostname !== undefined ? 'hostname' : domainname !== undefined ? 'domainname' : undefined
  if (renames && !namespaces.isolate.includes('uts'))
    throw fail('OPTION_CONFLICT', {
      name: say(renames),
      why: 'without a uts namespace it would rename this host',
      remedy: 'add uts to --isolate',
    })
  if (names) refuseMountedNames(names, root, door)
  if ((root || names) && !namespaces.isolate.includes('mount'))
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
    ...(domainname !== undefined && { domainname }),
    ...(names && { names }),
    ...filter,
    ...(landlock.length > 0 && { landlock }),
    ...(workdir !== undefined && { workdir }),
    ...(user !== undefined && { user }),
    ...(parent !== undefined && { parent }),
    ...(evacuate && { evacuate }),
  }
}

const sigterm = 15
const sigkill = 9
const rootKeys = [
  ...(['rootfs', 'readOnly', 'mounts', 'dev', 'devices'] as const),
  ...(['addHosts', 'dns', 'dnsSearch', 'dnsOptions'] as const),
]
const hostNameShape = /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/
type Need = <T>(
  key: keyof RunOptions,
  accepted: string,
  read: (value: unknown) => T | undefined,
  value?: unknown,
) => T | undefined

/** A job has its own root if one of these is requested. */
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
  const unmask = need('unmask', `all, or ${coveredPaths.join(', ')}`, parseUnmask)
  if (unmask && directory === undefined && !sandboxed)
    throw fail('OPTION_CONFLICT', {
      name: optionName('unmask', door),
      why: 'nothing below /proc and /sys is masked without a separate root file system',
      remedy: `leave it out, or add ${optionName('rootfs', door)} or ${optionName('sandbox', door)}`,
    })
  if (directory === undefined && !readOnly && !dev && mounts.length + devices.length === 0) return undefined
  return {
    ...(directory !== undefined && { directory }),
    // a tmpfs hides it, and becomes read-only after everything is in it
    ...(sandboxed && directory === undefined && { directory: '/usr', sealed: true }),
    readOnly,
    dev: dev || devices.length > 0,
    mounts: [...mounts, ...devices.map(deviceMount)],
    ...(unmask && { unmask }),
    devices,
    ...(sandboxed?.hostname !== undefined && hideHostName(sandboxed.hostname, preset, named, door)),
  }
}

function parseUnmask(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  if (value.includes('all')) return value.length === 1 ? coveredPaths : undefined
  return value.every((path) => coveredPaths.includes(path)) ? value : undefined
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

function match(value: unknown, shape: RegExp): string | undefined {
  return typeof value === 'string' && shape.test(value) ? value : undefined
}
