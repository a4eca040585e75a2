// SPDX-License-Identifier: Apache-2.0
// Parses options into a Spec. Checks each option separately, and names the first invalid one as the user typed it.
// Called by the CLI, run/ and pool/; pure.

import type { FileReader } from '../cgroup/format-file.ts'
import { fail, quote } from '../errors/errors.ts'
import { coveredPaths, defaultMaskedPaths, defaultReadonlyPaths } from '../mounts/masked-paths.ts'
import type { MaskedPath, Root } from '../mounts/root.ts'
import { parseSignalWord } from '../system/signals.ts'
import { parseDuration } from '../text/units.ts'
import { resolveAliases } from './aliases.ts'
import { type BudgetOptions, parseBudgets } from './budgets.ts'
import type { LibraryCall } from './calls.ts'
import { deviceMount, parseDevices } from './device-option.ts'
import { parseEnvironment } from './environment-option.ts'
import { specFrontends } from './frontends.ts'
import { type LandlockRule, parseLandlock } from './landlock-option.ts'
import { fileOf, type Limits, parseLimits } from './limit-options.ts'
import { type MountOption, parseMounts } from './mount-options.ts'
import { type NameOptions, parseNames, refuseMountedNames } from './name-options.ts'
import { optionName } from './names.ts'
import { type NamespaceOptions, parseNamespaces } from './namespace-options.ts'
import { type NetworkOptions, parseNetwork } from './network-option.ts'
import { type PrivilegeOptions, parsePrivileges } from './privilege-options.ts'
import { applySandbox, givenOptions, hideHostName, type Sandboxed } from './sandbox-option.ts'
import { parseSeccompOptions } from './seccomp-option.ts'
import type { Spec, SpecFrontendName } from './spec.ts'
import { parseSysctls } from './sysctl-option.ts'
import { runOptionKeys } from './table.ts'
import { refuseNul, refuseUnknown } from './unknown-option.ts'

export { fileOf, type Limits, namesFiles } from './limit-options.ts'
export { runOptionKeys } from './table.ts'
export { refuseNul, refuseUnknown } from './unknown-option.ts'

/** Options of `run` and `start`. */
export interface RunOptions extends NamespaceOptions, NetworkOptions, NameOptions, PrivilegeOptions, BudgetOptions {
  /** Limits of the job's control group. `'none'` sets no limits, and also removes those of `sandbox`. No limits by default. */
  limits?: Limits | 'none'
  /** * True to run an untrusted program: everything is denied except what other options allow. Pass those options in an object here, or next to `sandbox`. False by default. docs/sandbox.md lists what it sets. */
  sandbox?: boolean | Omit<RunOptions, 'sandbox'>
  /** True if an init process is PID 1 and reaps orphans. False if the command itself is PID 1. True by default. */
  init?: boolean
  /** Host name of the job; the host's by default. */
  hostname?: string
  /** NIS domain name of the job; the host's by default. */
  domainname?: string
  /** Kernel settings of the job's own namespaces, such as `{ 'net.ipv4.ip_forward': 1 }`, in the unit of each. None by default. */
  sysctls?: { [name: string]: string | number }
  /** * Host directory that becomes `/` in the job, with its own /proc, /sys and /dev. `rootfs`, `readOnly`, `mounts` and `dev` need a mount namespace. The host's root directory by default. */
  rootfs?: string
  /**
   * True if the root directory and all mounts in it are read-only. The entries of `mounts` keep their own mode. False
   * by default.
   */
  readOnly?: boolean
  /** Host directories, tmpfs and overlays to mount in the job, in this order. A later mount covers an earlier one. None by default. */
  mounts?: readonly MountOption[]
  /** True if the job has its own minimal /dev. False by default, true with `rootfs`. */
  dev?: boolean
  /** * Paths below /proc and /sys that hutch leaves visible and writable, or `['all']`. Nested container engines need this option. It requires `rootfs` or `sandbox`. None by default. */
  unmask?: readonly string[]
  /** Host devices to add to the job's own /dev, in Docker's format: `PATH[:INSIDE][:rwm]`. None by default. */
  devices?: readonly string[]
  /**
   * Filter of system calls: `'default'` (Docker's), `'strict'` for untrusted programs, a file, or a profile object (OCI, Docker). The
   * default is `'default'` with `rootfs`, otherwise `'none'`.
   */
  seccomp?: 'default' | 'strict' | 'none' | (string & {}) | object
  /** * The only paths that the job may use, enforced by Landlock: `'/usr:rx'` or `{ path: '/usr', access: 'rx' }`. Paths are as the command sees them. No restriction by default. */
  landlock?: readonly (string | LandlockRule)[]
  /**
   * True if the result lists each system call that the filter refused (`seccomp`). `onEvent` then receives the first
   * refusal of each call. False by default.
   */
  seccompReport?: boolean
  /**
   * True if every system call is allowed, regardless of `seccomp`, and the result contains a profile of the calls that
   * were made (`learned`). False by default.
   */
  learn?: boolean
  /**
   * Directory in which the command starts, as the job sees it: a path, or a file URL. By default the caller's
   * directory, with `rootfs` `/`, with `sandbox` /tmp.
   */
  cwd?: string | URL
  /** The same as `cwd`. */
  workdir?: string | URL
  /** Variables added to the caller's environment; undefined removes a variable. None by default. */
  env?: { [name: string]: string | undefined }
  /** True if the job inherits the caller's environment. False if it gets only the variables of `env`. True by default. */
  extendEnv?: boolean
  /** User that runs the command: `name`, `uid`, `name:group` or `uid:gid`; the caller by default. */
  user?: string
  /**
   * Time after which the job is stopped, in milliseconds or as text such as `'10s'`. All processes get SIGTERM, and
   * after `killAfter` SIGKILL. No timeout by default.
   */
  timeout?: number | string
  /** Time between SIGTERM and SIGKILL, in milliseconds or as text; 5000 by default. */
  killAfter?: number | string
  /** Signal that a timeout, `stop()` and `kill()` send, by name or number; SIGTERM by default. */
  stopSignal?: string | number
  /** The same as `stopSignal`. */
  killSignal?: string | number
  /** Control group below which the job's group is created, relative to the cgroup mount; the caller's group by default. */
  parent?: string
  /**
   * True if hutch may move the processes of the parent group to a leaf in it, so that the parent can enable controllers
   * for children. By default hutch moves them only if it runs in a job of hutch, or if the CLI is alone in its group.
   */
  evacuate?: boolean
}

/**
 * Parses the options of one front end into a Spec. `readFile` parses limits that are given as kernel files; run/job.ts
 * loads it only if needed. `call` is the function of the library that got the options, for errors.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT, COMMAND_MISSING
 */
export function parseOptions(
  command: string,
  args: readonly string[],
  input: RunOptions,
  frontend: SpecFrontendName,
  readFile?: FileReader,
  call: LibraryCall = 'run',
): Spec {
  const rules = specFrontends[frontend]
  const checked = { keys: runOptionKeys, inside: rules.writesKeys }
  refuseUnknown('run', input, { name: '', ...checked })
  const requested = resolveBoth(input)
  const nameOf = (key: keyof RunOptions) => optionName(key, frontend)
  const sandbox = givenOptions(requested, nameOf('sandbox'))
  if (sandbox) refuseUnknown(call, sandbox, { name: 'sandbox', ...checked })
  const sandboxed = sandbox && applySandbox(sandbox, fileOf, frontend)
  const options = sandboxed?.options ?? requested
  const readOption: ReadOption = (key, accepted, read, value = options[key]) => {
    if (value === undefined) return undefined
    const result = read(value)
    if (result === undefined) throw fail('OPTION_INVALID', { name: nameOf(key), value, accepted })
    return result
  }
  if (typeof command !== 'string' || command === '')
    throw fail('COMMAND_MISSING', {
      usage: rules.usage,
    })
  for (const word of [command, ...args]) refuseNul(word, 'command')

  const namespaces = parseNamespaces(options, nameOf, options.rootfs !== undefined || sandboxed !== undefined)
  const network = parseNetwork(options, namespaces, options.isolate, nameOf)
  const { sysctls, ...named } = parseSysctls({ ...(sandbox ?? requested) }, namespaces, nameOf)
  const stopSignal = readOption('stopSignal', 'a signal such as INT, SIGQUIT or 10', parseSignalWord) ?? sigterm
  const spec: Spec = {
    frontend,
    command,
    args: rules.readArguments(args),
    limits: parseLimits(options.limits === undefined ? {} : options.limits, frontend, readFile, sandboxed?.limits, {
      call,
      name: 'limits',
    }),
    ...namespaces,
    privileges: parsePrivileges(options, nameOf, sandbox && (sandbox.ulimits ?? {})),
    ...parseBudgets(options, nameOf, frontend),
    ...(sandbox && sandbox.maxOutput === undefined && { capsPipes: true }),
    init: readOption('init', 'true or false', (value) => (typeof value === 'boolean' ? value : undefined)) ?? true,
    env: parseEnvironment(options.env === undefined ? {} : options.env, nameOf('env')),
    timeoutMs:
      readOption('timeout', 'a time such as 10s, 500ms or 2m', (value) => parseDuration(value, rules.timeUnit)) ?? 0,
    killAfterMs:
      stopSignal === sigkill
        ? 0
        : (readOption('killAfter', 'a time such as 10s, 500ms or 2m', (value) =>
            parseDuration(value, rules.timeUnit),
          ) ?? 5000),
    stopSignal,
    sysctls,
  }
  const readHostName = (key: 'hostname' | 'domainname') =>
    readOption(
      key,
      'a name of 1 to 64 letters, digits, dots and dashes',
      (value) => match(value, hostNameShape),
      named[key],
    )
  const [hostname, domainname] = [readHostName('hostname'), readHostName('domainname')]
  const names = parseNames(options, nameOf)
  const root = parseRoot(options, readOption, frontend, sandboxed && { ...sandboxed, hostname })
  const workdir = readOption('workdir', 'a directory', (value) => match(value, /^[^\0]+$/))
  const extendEnv = readOption('extendEnv', 'true or false', (value) =>
    typeof value === 'boolean' ? value : undefined,
  )
  const user = readOption('user', 'a user such as nobody, 1000 or 1000:1000', (value) =>
    match(value, /^[^\0:\n]+(:[^\0:\n]+)?$/),
  )
  const filter = parseSeccompOptions(options, requested, readOption, nameOf)
  const landlock = parseLandlock(options, nameOf)
  const parent = parseParent(options.parent, nameOf('parent'))
  const evacuate = readOption('evacuate', 'true or false', (value) => (typeof value === 'boolean' ? value : undefined))
  const renames = hostname !== undefined ? 'hostname' : domainname !== undefined ? 'domainname' : undefined
  if (renames && !namespaces.isolate.includes('uts'))
    throw fail('OPTION_CONFLICT', {
      name: nameOf(renames),
      why: 'without a uts namespace it would rename this host',
      remedy: 'add uts to --isolate',
    })
  if (names) refuseMountedNames(names, root, frontend)
  if ((root || names) && !namespaces.isolate.includes('mount'))
    throw fail('OPTION_CONFLICT', {
      name: nameOf(rootKeys.find((key) => options[key] !== undefined)!),
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
    ...(extendEnv === false && { extendEnv }),
    ...(user !== undefined && { user }),
    ...(parent !== undefined && { parent }),
    ...(evacuate && { evacuate }),
  }
}

/** Resolves second names of options, also in the object of `sandbox`. */
function resolveBoth(options: RunOptions): RunOptions {
  const { sandbox } = options
  const outer = resolveAliases(options)
  if (typeof sandbox !== 'object' || sandbox === null) return outer
  const inner = resolveAliases(sandbox, 'sandbox.')
  return inner === sandbox ? outer : { ...outer, sandbox: inner }
}

const sigterm = 15
const sigkill = 9
const rootKeys = [
  ...(['rootfs', 'readOnly', 'mounts', 'dev', 'devices'] as const),
  ...(['addHosts', 'dns', 'dnsSearch', 'dnsOptions'] as const),
]
const hostNameShape = /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/
type ReadOption = <T>(
  key: keyof RunOptions,
  accepted: string,
  read: (value: unknown) => T | undefined,
  value?: unknown,
) => T | undefined

/** Parses the options that give the job its own root directory. Returns undefined if none of them is given. */
function parseRoot(
  options: RunOptions,
  readOption: ReadOption,
  frontend: SpecFrontendName,
  sandboxed?: Sandboxed & { hostname: string | undefined },
): Root | undefined {
  const boolean = (value: unknown) => (typeof value === 'boolean' ? value : undefined)
  const directory = readOption('rootfs', 'a directory', (value) => match(value, /^[^\0]+$/))
  const readOnly = readOption('readOnly', 'true or false', boolean) ?? false
  const dev = readOption('dev', 'true or false', boolean) ?? false
  const named = options.mounts === undefined ? [] : parseMounts(options.mounts, frontend)
  const preset = sandboxed?.mounts.filter(({ target }) => !named.some((mount) => mount.target === target)) ?? []
  const mounts = [...preset, ...named]
  const devices = options.devices === undefined ? [] : parseDevices(options.devices, frontend)
  const unmask = readOption('unmask', `all, or ${coveredPaths.join(', ')}`, parseUnmask)
  if (unmask && directory === undefined && !sandboxed)
    throw fail('OPTION_CONFLICT', {
      name: optionName('unmask', frontend),
      why: 'nothing below /proc and /sys is masked without a separate root file system',
      remedy: `leave this option out, or add ${optionName('rootfs', frontend)} or ${optionName('sandbox', frontend)}`,
    })
  if (directory === undefined && !readOnly && !dev && mounts.length + devices.length === 0) return undefined
  const { masked, texts } =
    sandboxed?.hostname === undefined ? {} : hideHostName(sandboxed.hostname, preset, named, frontend)
  return {
    ...(directory !== undefined && { directory }),
    // with the sandbox preset, a tmpfs covers this directory and becomes read-only after the mounts in it
    ...(sandboxed && directory === undefined && { directory: '/usr', sealed: true }),
    readOnly,
    dev: dev || devices.length > 0,
    mounts: [...mounts, ...devices.map(deviceMount)],
    ...maskPaths(unmask, masked),
    devices,
    ...(texts && { texts }),
  }
}

/** Returns the lists of paths to mask if they differ from the default ones: without those of `unmask`, and with `more`. */
function maskPaths(unmask: readonly string[] = [], more: readonly MaskedPath[] = []): Partial<Root> {
  const stays = ({ path }: MaskedPath) => !unmask.includes(path)
  return {
    ...(unmask.length + more.length > 0 && { maskedPaths: [...defaultMaskedPaths.filter(stays), ...more] }),
    ...(unmask.length > 0 && { readonlyPaths: defaultReadonlyPaths.filter(stays) }),
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
