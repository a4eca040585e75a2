// SPDX-License-Identifier: Apache-2.0
// Converts the configuration of a container to a Spec. Pure: everything about the host is in the facts.
import type { PlannedGroup } from '../../cgroup/planned-group.ts'
import type { ContainerSpec } from '../../options/container-spec.ts'
import type { Spec } from '../../options/spec.ts'
import { systemConstants } from '../../system/constants.ts'
import type { OciLinux } from './linux-table.ts'
import { toNamespaces } from './namespaces.ts'
import { checkSelinux, type HostSecurity, toProcess } from './process.ts'
import type { OciProcess } from './process-table.ts'
import type { OciConfig } from './read-config.ts'
import { toRoot } from './root.ts'
import { toAffinity, toMemoryPolicy, toPersonality } from './scheduling.ts'
import { toFilter } from './seccomp.ts'
import { refuseProperty } from './shape.ts'

/** Everything that a Spec needs and config.json does not say. */
export interface ContainerFacts extends HostSecurity {
  id: string
  /** Absolute path of the bundle. */
  bundle: string
  /** True if the resctrl file system is mounted. */
  hasResctrl: boolean
  /** The control groups, as planned from cgroupsPath and resources. */
  groups: readonly PlannedGroup[]
  deviceFilter?: readonly number[]
  streams: ContainerStreams
  /** Options of `create`: --no-pivot and --no-new-keyring. */
  noPivot?: boolean
  noNewKeyring?: boolean
}

/** Indexes in the list of streams. */
export interface ContainerStreams {
  /** The socket at which the container waits for its start. */
  start?: number
  /** The connected socket that receives the master of the terminal. */
  console?: number
  /** How many streams above stderr the command keeps. */
  kept: number
}

/** A Spec, and what the log should say. */
export interface ConvertedConfig {
  spec: Spec
  warnings: string[]
}

/** Values of a Spec that all processes of containers share: no PID 1 of hutch, no timeout, no end with the parent. */
export const processDefaults = {
  frontend: 'cli',
  limits: [],
  init: false,
  timeoutMs: 0,
  killAfterMs: 0,
  stopSignal: systemConstants.signals.SIGTERM,
  dieWithParent: false,
} as const satisfies Partial<Spec>

/**
 * Converts the configuration of a container. Hooks, netDevices, intelRdt and the listener of seccomp are not in the
 * Spec: the caller reads them from the configuration.
 *
 * @throws OCI_CONFIG_INVALID
 */
export function toSpec(config: OciConfig, facts: ContainerFacts): ConvertedConfig {
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const { process, linux = {} } = config
  if (!process)
    throw refuseProperty('process', undefined, 'process property must not be empty', 'a process with cwd and args')
  const { maps, hostname, domainname, timeOffsets, ...namespaces } = toNamespaces(config)
  checkFeatures(linux, facts)
  if (process.execCPUAffinity) toAffinity(process.execCPUAffinity, 'process.execCPUAffinity')
  const root = toRoot(config, { ...facts, hasUserNamespace: hasNamespace(linux, 'user') }, warn)
  const { container, ...part } = toProcess(process, 'process', facts, warn)
  root.workdir = part.workdir
  // the mounts of a joined namespace stay as they are
  if (hasEarlyHooks(config) && namespaces.isolate.includes('mount')) root.hooked = true
  const terminal = toTerminal(process, 'process', facts.streams)
  const label = linux.mountLabel ?? ''
  const spec: Spec = {
    ...processDefaults,
    ...namespaces,
    ...part,
    rest: 'nobody',
    root: label === '' ? root : { ...root, mounts: root.mounts.map((mount) => labelMount(mount, label)) },
    ...(timeOffsets !== undefined && { timeOffsets }),
    ...(hostname !== undefined && { hostname }),
    ...(domainname !== undefined && { domainname }),
    ...(linux.seccomp && { seccomp: toFilter(linux.seccomp) }),
    group: { name: facts.id, lifetime: 'container' },
    container: {
      ...container,
      ...executionOf(linux),
      ids: idsOf(config, container.ids),
      groups: facts.groups,
      ...(facts.deviceFilter && { deviceFilter: facts.deviceFilter }),
      ...(maps && { maps }),
      ...(!facts.noNewKeyring && { keyring: keyringOf(facts.id) }),
      ...(terminal && { terminal }),
      ...((hasEarlyHooks(config) || Object.keys(linux.netDevices ?? {}).length > 0) && { waitsBeforeRoot: true }),
      ...(facts.streams.start !== undefined && { startSocket: facts.streams.start }),
      checksProgram: true,
      keptStreams: facts.streams.kept,
      rootChange: facts.noPivot ? 'move' : 'pivot',
    },
  }
  return { spec, warnings }
}

/** Returns true if the container has a namespace of this type that is not the runtime's. */
function hasNamespace({ namespaces = [] }: OciLinux, type: string): boolean {
  return namespaces.some((namespace) => namespace.type === type)
}

/** Returns the ids of a process. With an annotation of crun and podman, it keeps the supplementary groups of its creator. */
export function idsOf({ annotations = {} }: OciConfig, { groups, ...ids }: ContainerSpec['ids']): ContainerSpec['ids'] {
  return annotations['run.oci.keep_original_groups'] === '1' || !groups ? ids : { ...ids, groups }
}

/** Returns the name of the session keyring: runc's, so that tools find it. */
export function keyringOf(id: string): string {
  return `_ses.${id}`
}

/** Converts what all processes of a container share. @throws OCI_CONFIG_INVALID */
export function executionOf({
  memoryPolicy,
  personality,
}: OciLinux): Pick<ContainerSpec, 'memoryPolicy' | 'personality'> {
  return {
    ...(memoryPolicy && { memoryPolicy: toMemoryPolicy(memoryPolicy) }),
    ...(personality && { personality: toPersonality(personality) }),
  }
}

/** Converts the terminal of a process. @throws OCI_CONFIG_INVALID */
export function toTerminal(
  { terminal, consoleSize }: OciProcess,
  at: string,
  streams: ContainerStreams,
): ContainerSpec['terminal'] {
  const path = at === '' ? 'terminal' : `${at}.terminal`
  const { console: socket } = streams
  if (!terminal) {
    if (socket !== undefined)
      throw refuseProperty(path, false, 'cannot use console socket if runc will not detach or allocate tty', 'true')
    return undefined
  }
  if (socket === undefined)
    throw refuseProperty(path, true, 'cannot allocate tty if runc will detach without setting console socket', 'false')
  const { height = 0n, width = 0n } = consoleSize ?? {}
  for (const [name, size] of Object.entries({ height, width }))
    if (size > 0xffff)
      throw refuseProperty(path.replace(/terminal$/, `consoleSize.${name}`), size, 'out of range', 'at most 65535')
  return { socket, rows: Number(height), columns: Number(width) }
}

function checkFeatures(linux: OciLinux, facts: ContainerFacts): void {
  const { intelRdt, netDevices = {}, mountLabel = '' } = linux
  if (mountLabel !== '') checkSelinux('linux.mountLabel', mountLabel, facts)
  if (intelRdt && !facts.hasResctrl)
    throw refuseProperty(
      'linux.intelRdt',
      undefined,
      'intelRdt is specified in config, but Intel RDT is not enabled',
      'a configuration without it',
    )
  const { closID = '' } = intelRdt ?? {}
  if (closID === '.' || closID === '..' || /[/\n]/.test(closID))
    throw refuseProperty('linux.intelRdt.closID', closID, 'not the name of a directory', 'a name without /')
  if (Object.keys(netDevices).length > 0 && !hasNamespace(linux, 'network'))
    throw refuseProperty(
      'linux.netDevices',
      undefined,
      'unable to move network devices without a network namespace',
      'the type network in linux.namespaces',
    )
  for (const [device, { name }] of Object.entries(netDevices))
    for (const word of [device, ...(name === undefined || name === '' ? [] : [name])])
      if (!/^[^/:\s]{1,15}$/.test(word) || word === '.' || word === '..')
        throw refuseProperty(
          'linux.netDevices',
          word,
          'not the name of a network device',
          'a name of 1 to 15 characters',
        )
}

/** Returns true if hooks run before the root is changed. */
function hasEarlyHooks({ hooks = {} }: OciConfig): boolean {
  return [hooks.prestart, hooks.createRuntime, hooks.createContainer].some((list) => list && list.length > 0)
}

/** New file systems have the label of the container, except those of the kernel's own files. */
function labelMount<M extends { type: string; data: string[] }>(mount: M, label: string): M {
  const isLabelled = !['', 'bind', 'proc', 'sysfs', 'cgroup', 'cgroup2'].includes(mount.type)
  return isLabelled ? { ...mount, data: [...mount.data, `context=${label}`] } : mount
}
