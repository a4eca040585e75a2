// SPDX-License-Identifier: Apache-2.0
// Converts a process of config.json to parts of a Spec: ids, environment, capabilities, limits, labels. Pure.
import { capabilityMask, capabilityName, missingSince, parseCapability } from '../../credentials/capability.ts'
import { type ResourceLimit, resourceNumber } from '../../credentials/rlimit.ts'
import type { ContainerSpec } from '../../options/container-spec.ts'
import type { Spec } from '../../options/spec.ts'
import { capabilitySetNames, ioClasses, type OciProcess } from './process-table.ts'
import { toScheduler } from './scheduling.ts'
import { refuseProperty } from './shape.ts'

/** The facts about this host on which a process depends. */
export interface HostSecurity {
  kernel: readonly [number, number]
  /** Whether the Linux security modules are active. */
  hasAppArmor: boolean
  hasSelinux: boolean
}

type ProcessPart = Pick<Spec, 'command' | 'args' | 'privileges' | 'env' | 'extendEnv'> & {
  workdir: string
  container: Pick<ContainerSpec, 'ids' | 'capabilities' | 'umask' | 'labels' | 'schedulerAttributes'>
}

/** The umask of a process that requests none. */
const defaultUmask = 0o022
const unlimited = 2n ** 64n - 1n

/** Converts a process. `at` is its path, `process` in config.json. @throws OCI_CONFIG_INVALID */
export function toProcess(
  process: OciProcess,
  at: string,
  facts: HostSecurity,
  warn: (message: string) => void,
): ProcessPart {
  const { args, cwd, user, ioPriority, oomScoreAdj } = process
  const [command, ...rest] = args
  if (command === undefined || command === '')
    throw refuseProperty(propertyOf(at, 'args'), undefined, 'args must not be empty', 'the program and its arguments')
  const schedulerAttributes = process.scheduler && toScheduler(process.scheduler, propertyOf(at, 'scheduler'))
  const labels = toLabels(process, at, facts)
  return {
    command,
    args: rest,
    workdir: cwd,
    env: toEnvironment(process.env ?? [], propertyOf(at, 'env')),
    extendEnv: false,
    privileges: {
      capAdd: [],
      capDrop: [],
      newPrivileges: process.noNewPrivileges !== true,
      ulimits: toLimits(process.rlimits ?? [], propertyOf(at, 'rlimits')),
      ...(oomScoreAdj !== undefined && { oomScoreAdj }),
      ...(ioPriority && { ioPriority: ioClasses[ioPriority.class] * 2 ** 13 + (ioPriority.priority ?? 0) }),
    },
    container: {
      ids: { uid: user?.uid ?? 0, gid: user?.gid ?? 0, groups: user?.additionalGids ?? [] },
      umask: user?.umask ?? defaultUmask,
      capabilities: toCapabilities(process.capabilities ?? {}, propertyOf(at, 'capabilities'), facts.kernel, warn),
      ...(labels.length > 0 && { labels }),
      ...(schedulerAttributes && { schedulerAttributes }),
    },
  }
}

/** Returns the path of a property in a process, which can be a document of its own. */
function propertyOf(at: string, key: string): string {
  return at === '' ? key : `${at}.${key}`
}

/** Converts `NAME=VALUE`. Of several values for a name, the last one counts. @throws OCI_CONFIG_INVALID */
export function toEnvironment(list: readonly string[], at: string): { [name: string]: string } {
  return Object.fromEntries(
    list.map((entry, i): [string, string] => {
      const equals = entry.indexOf('=')
      if (equals < 1) throw refuseProperty(`${at}[${i}]`, entry, 'invalid environment variable', 'NAME=VALUE')
      return [entry.slice(0, equals), entry.slice(equals + 1)]
    }),
  )
}

function toLimits(rlimits: NonNullable<OciProcess['rlimits']>, at: string): ResourceLimit[] {
  const seen = new Set<string>()
  return rlimits.map(({ type, soft, hard }, i) => {
    if (seen.has(type)) throw refuseProperty(`${at}[${i}].type`, type, 'duplicated rlimit', 'each type once')
    seen.add(type)
    if (soft > hard)
      throw refuseProperty(`${at}[${i}].soft`, soft, 'the soft limit is above the hard limit', `at most ${hard}`)
    const name = type.slice('RLIMIT_'.length).toLowerCase()
    const [least, most] = [soft, hard].map((value) => (value === unlimited ? -1 : Number(value))) as [number, number]
    const isExact = [soft, hard].every((value) => value === unlimited || value <= Number.MAX_SAFE_INTEGER)
    return {
      name,
      resource: resourceNumber(name),
      soft: least,
      hard: most,
      ...(!isExact && { exact: { soft, hard } }),
    }
  })
}

function toCapabilities(
  sets: NonNullable<OciProcess['capabilities']>,
  at: string,
  kernel: readonly [number, number],
  warn: (message: string) => void,
): NonNullable<ContainerSpec['capabilities']> {
  const missing = new Set<string>()
  const numbersOf = (name: (typeof capabilitySetNames)[number]) => {
    const numbers = (sets[name] ?? []).map((word) => parseCapability(word) as number)
    const [known, unknown] = [
      numbers.filter((number) => missingSince(number, kernel) === undefined),
      numbers.filter((number) => missingSince(number, kernel) !== undefined),
    ]
    for (const number of unknown) missing.add(capabilityName(number))
    return new Set(known)
  }
  const read = Object.fromEntries(capabilitySetNames.map((name) => [name, numbersOf(name)])) as {
    [K in (typeof capabilitySetNames)[number]]: Set<number>
  }
  // the kernel allows only such ambient capabilities, and configurations of callers have others
  const useless = [...read.ambient].filter((number) => !read.permitted.has(number) || !read.inheritable.has(number))
  for (const number of useless) read.ambient.delete(number)
  if (useless.length > 0)
    warn(`${at}.ambient: ignoring capabilities that are not permitted and inheritable: ${namesOf(useless)}`)
  if (missing.size > 0) warn(`${at}: ignoring unknown or unavailable capabilities: ${[...missing].join(', ')}`)
  return Object.fromEntries(
    capabilitySetNames.map((name) => [name, capabilityMask([...read[name]])]),
  ) as unknown as NonNullable<ContainerSpec['capabilities']>
}

function namesOf(numbers: readonly number[]): string {
  return numbers.map(capabilityName).join(', ')
}

/** Returns the labels of Linux security modules. A label for a module that is not active is an error. */
function toLabels(
  { apparmorProfile = '', selinuxLabel = '' }: OciProcess,
  at: string,
  facts: HostSecurity,
): { file: string; value: string }[] {
  if (apparmorProfile !== '' && !facts.hasAppArmor)
    throw refuseProperty(
      propertyOf(at, 'apparmorProfile'),
      apparmorProfile,
      'apparmor failed to apply profile: AppArmor is not enabled on this host',
      'a configuration without it',
    )
  if (selinuxLabel !== '') checkSelinux(propertyOf(at, 'selinuxLabel'), selinuxLabel, facts)
  return [
    ...(apparmorProfile === '' ? [] : [{ file: 'apparmor/exec', value: `exec ${apparmorProfile}` }]),
    ...(selinuxLabel === '' ? [] : [{ file: 'exec', value: selinuxLabel }]),
  ]
}

/** Checks that SELinux is active. @throws OCI_CONFIG_INVALID */
export function checkSelinux(at: string, label: string, facts: Pick<HostSecurity, 'hasSelinux'>): void {
  if (!facts.hasSelinux)
    throw refuseProperty(
      at,
      label,
      'selinux label is specified in config, but selinux is disabled or not supported',
      'a configuration without it',
    )
}
