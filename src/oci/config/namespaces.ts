// SPDX-License-Identifier: Apache-2.0
// Converts the properties of config.json about namespaces: new ones, joins, id maps, clocks, host name, sysctls. Pure.
import { type Extent, explainBadMap } from '../../namespaces/id-map.ts'
import type { NamespaceKind } from '../../namespaces/namespace.ts'
import type { Join } from '../../namespaces/setns.ts'
import { classifySysctl, type Sysctl } from '../../options/sysctl-option.ts'
import { namespaceTypes, type OciLinux } from './linux-table.ts'
import { toExtents } from './mounts.ts'
import type { OciConfig } from './read-config.ts'
import { refuseProperty } from './shape.ts'

/** The namespaces of a container and their settings, as parts of a Spec. */
interface Namespaces {
  isolate: NamespaceKind[]
  joins: Join[]
  maps?: { users: Extent[]; groups: Extent[] }
  timeOffsets?: string
  hostname?: string
  domainname?: string
  sysctls: Sysctl[]
}

/** Converts the namespaces of a container. @throws OCI_CONFIG_INVALID */
export function toNamespaces({ hostname = '', domainname = '', linux = {} }: OciConfig): Namespaces {
  const { isolate, joins } = splitNamespaces(linux)
  const has = (kind: NamespaceKind) => isolate.includes(kind) || joins.some((join) => join.kind === kind)
  if (!has('mount'))
    throw refuseProperty(
      'linux.namespaces',
      undefined,
      'without a mount namespace, mounts would be those of this host',
      'the type mount',
    )
  if (hostname !== '' && !has('uts'))
    throw refuseProperty('hostname', hostname, 'unable to set hostname without a private UTS namespace', 'the type uts')
  if (domainname !== '' && !has('uts'))
    throw refuseProperty(
      'domainname',
      domainname,
      'unable to set domainname without a private UTS namespace',
      'the type uts',
    )
  const { sysctls, ...names } = toSysctls(linux, domainname, has)
  const maps = toMaps(linux, isolate, has)
  const timeOffsets = toTimeOffsets(linux, isolate, joins)
  return {
    isolate,
    joins,
    sysctls,
    ...(maps && { maps }),
    ...(timeOffsets !== undefined && { timeOffsets }),
    ...(hostname !== '' && { hostname }),
    ...(domainname !== '' && { domainname }),
    ...names,
  }
}

function splitNamespaces({ namespaces = [] }: OciLinux): { isolate: NamespaceKind[]; joins: Join[] } {
  const isolate: NamespaceKind[] = []
  const joins: Join[] = []
  const seen = new Set<string>()
  for (const [i, { type, path = '' }] of namespaces.entries()) {
    if (seen.has(type))
      throw refuseProperty(`linux.namespaces[${i}].type`, type, 'duplicated namespace', 'each type once')
    seen.add(type)
    const kind = namespaceTypes[type]
    if (path === '') isolate.push(kind)
    else joins.push({ kind, path })
  }
  return { isolate, joins: inOrder(joins) }
}

/** Sorts the namespaces to join: the user namespace gives the rights over the others. */
export function inOrder(joins: readonly Join[]): Join[] {
  return [...joins.filter(({ kind }) => kind === 'user'), ...joins.filter(({ kind }) => kind !== 'user')]
}

function toMaps(
  { uidMappings = [], gidMappings = [] }: OciLinux,
  isolate: readonly NamespaceKind[],
  has: (kind: NamespaceKind) => boolean,
): Namespaces['maps'] {
  const [users, groups] = [toExtents(uidMappings), toExtents(gidMappings)]
  const properties = { uidMappings: users, gidMappings: groups }
  for (const [name, extents] of Object.entries(properties)) {
    if (extents.length > 0 && !has('user'))
      throw refuseProperty(
        `linux.${name}`,
        undefined,
        "user namespace mappings specified, but user namespace isn't enabled in the config",
        'the type user in linux.namespaces',
      )
    // the maps of a joined namespace exist already
    if (!isolate.includes('user')) continue
    const bad = explainBadMap(extents)
    if (bad !== undefined)
      throw refuseProperty(
        `linux.${name}`,
        undefined,
        bad,
        'ranges of ids that do not overlap, at least one and at most 340',
      )
  }
  return isolate.includes('user') ? { users, groups } : undefined
}

/** Returns the text for /proc/PID/timens_offsets. */
function toTimeOffsets(
  { timeOffsets }: OciLinux,
  isolate: readonly NamespaceKind[],
  joins: readonly Join[],
): string | undefined {
  const offsets = Object.entries(timeOffsets ?? {})
  if (offsets.length === 0) return undefined
  const refuse = (why: string) => refuseProperty('linux.timeOffsets', undefined, why, 'them with a new time namespace')
  if (joins.some(({ kind }) => kind === 'time'))
    throw refuse('time namespace enabled, but both namespace path and time offsets specified')
  if (!isolate.includes('time'))
    throw refuse("time namespace offsets specified, but time namespace isn't enabled in the config")
  return offsets.map(([clock, { secs = 0n, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`).join('')
}

function toSysctls(
  { sysctl = {} }: OciLinux,
  domainname: string,
  has: (kind: NamespaceKind) => boolean,
): { sysctls: Sysctl[]; domainname?: string } {
  const sysctls: Sysctl[] = []
  const found: { domainname?: string } = {}
  for (const [name, value] of Object.entries(sysctl)) {
    const at = `linux.sysctl["${name}"]`
    const setting = classifySysctl(name)
    if (setting?.path === 'kernel/hostname' || (setting?.path === 'kernel/domainname' && domainname !== ''))
      throw refuseProperty(
        at,
        value,
        `not allowed as it conflicts with the OCI ${setting.path.slice('kernel/'.length)} field`,
        'only that field',
      )
    if (setting?.kind === undefined || !has(setting.kind))
      throw refuseProperty(
        at,
        value,
        `not in a separate kernel namespace${setting?.kind ? `: the container has no ${setting.kind} namespace` : ''}`,
        'a sysctl of a namespace that the container has',
      )
    if (/\n/.test(value)) throw refuseProperty(at, value, 'a value has one line', 'one line')
    if (setting.path === 'kernel/domainname') found.domainname = value
    else sysctls.push({ name, path: setting.path, value, kind: setting.kind })
  }
  return { sysctls, ...found }
}
