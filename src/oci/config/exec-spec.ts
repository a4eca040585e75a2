// SPDX-License-Identifier: Apache-2.0
// Converts a process that `exec` starts in an existing container to a Spec. Pure.
import { type NamespaceKind, namespaces } from '../../namespaces/namespace.ts'
import type { GroupPlace, Spec } from '../../options/spec.ts'
import { namespaceTypes } from './linux-table.ts'
import { inOrder } from './namespaces.ts'
import { type HostSecurity, toProcess } from './process.ts'
import type { OciProcess } from './process-table.ts'
import type { OciConfig } from './read-config.ts'
import { toAffinity } from './scheduling.ts'
import { toFilter } from './seccomp.ts'
import {
  type ContainerStreams,
  type ConvertedConfig,
  executionOf,
  idsOf,
  keyringOf,
  processDefaults,
  toTerminal,
} from './to-spec.ts'

/** Everything that the Spec of a further process needs and the documents do not say. */
interface ContainerExecFacts extends HostSecurity {
  id: string
  /** The container's first process. */
  pid: number
  /** The container's groups, or groups below them. */
  groups: readonly GroupPlace[]
  streams: ContainerStreams
  noNewKeyring?: boolean
}

/**
 * Converts a further process of a container. Properties that the process does not have are those of the container's
 * first process, except its environment, and no_new_privs.
 *
 * @throws OCI_CONFIG_INVALID
 */
export function toExecSpec(process: OciProcess, config: OciConfig, facts: ContainerExecFacts): ConvertedConfig {
  const warnings: string[] = []
  const { linux = {}, process: first } = config
  const complete = inherit(process, first)
  const { container, ...part } = toProcess(complete, '', facts, (message) => void warnings.push(message))
  const terminal = toTerminal(process, '', facts.streams)
  const affinity = complete.execCPUAffinity && toAffinity(complete.execCPUAffinity, 'execCPUAffinity')
  const join = (kind: NamespaceKind) => ({ kind, path: `/proc/${facts.pid}/ns/${namespaces[kind].file}` })
  const spec: Spec = {
    ...processDefaults,
    ...part,
    isolate: [],
    joins: inOrder((linux.namespaces ?? []).map(({ type }) => join(namespaceTypes[type]))),
    sysctls: [],
    rest: 'nobody',
    ...(linux.seccomp && { seccomp: toFilter(linux.seccomp) }),
    group: { enter: facts.groups },
    container: {
      ...container,
      ...executionOf(linux),
      ids: idsOf(config, container.ids),
      groups: [],
      ...(affinity && { affinity }),
      ...(!facts.noNewKeyring && { keyring: keyringOf(facts.id) }),
      ...(terminal && { terminal }),
      ...(facts.streams.start !== undefined && { startSocket: facts.streams.start, endsWithCreator: true }),
      keptStreams: facts.streams.kept,
    },
  }
  return { spec, warnings }
}

/** Properties that a further process has from the first one if it does not name them. */
const inherited = [
  'capabilities',
  'apparmorProfile',
  'selinuxLabel',
  'oomScoreAdj',
  'scheduler',
  'ioPriority',
  'execCPUAffinity',
  'rlimits',
] as const satisfies readonly (keyof OciProcess)[]

function inherit(process: OciProcess, first: OciProcess | undefined): OciProcess {
  if (!first) return process
  const isUnnamed = (value: unknown) => value === undefined || value === '' || (Array.isArray(value) && !value.length)
  const added = inherited.flatMap((name) => (isUnnamed(process[name]) ? [[name, first[name]]] : []))
  const user = process.user && { umask: first.user?.umask, ...process.user }
  return { ...process, ...Object.fromEntries(added), ...(user && { user }) } as OciProcess
}
