// SPDX-License-Identifier: Apache-2.0
// Plans the credentials of the command: user namespace, id maps, ids and capabilities. Called by plan.ts; pure.

import {
  capabilitiesOf,
  capabilityMask,
  capabilityName,
  capabilityNumbers,
  chooseCapabilities,
  containedCapabilities,
  hasCapability,
  missingSince,
  parseCapabilityMask,
} from '../credentials/capability.ts'
import { fail } from '../errors/errors.ts'
import { optionOfRun, text } from '../errors/remedy-text.ts'
import type { User } from '../host/passwd.ts'
import type { Delegation, Privileges, SubordinateIds } from '../host/privileges.ts'
import {
  type Extent,
  explainBadMap,
  type IdMapWord,
  idInside,
  isMapped,
  reservedId,
  resolveIdMap,
} from '../namespaces/id-map.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import { optionName } from '../options/names.ts'
import { sandboxIds } from '../options/sandbox-preset.ts'
import type { Spec } from '../options/spec.ts'

/**
 * The id maps of a new user namespace, and the tools that write them. A tool is '' if hutch writes the map itself,
 * otherwise newuidmap(1) or newgidmap(1).
 */
export interface UserNamespace {
  users: Extent[]
  groups: Extent[]
  /**
   * True if /proc/PID/setgroups must be set to `deny` first: the kernel otherwise refuses a map of groups from a user
   * without privileges.
   */
  denySetgroups: boolean
  userTool: string
  groupTool: string
}

/** The ids that the command's process changes to. */
export interface Ids {
  uid: number
  gid: number
  groups: number[]
  /** What to do about supplementary groups. 0: call setgroups; 1: do not call it; 2: call it and ignore a failure. */
  keepGroups: 0 | 1 | 2
}

/** The command's capability sets. Its effective set equals the permitted set, unless it is given. */
export interface Capabilities {
  bounding?: number
  effective?: number
  permitted: number
  inheritable: number
  ambient: number
}

/** The planned credentials and namespaces of a run. */
export interface Identity {
  isolate: NamespaceKind[]
  userNamespace?: UserNamespace
  ids?: Ids
  capabilities?: Capabilities
}

/** Facts about the caller that the planning of credentials needs. */
interface Caller {
  kernel: [number, number]
  privileges: Privileges
  /** The ranges of subordinate ids that the caller may map; undefined if no map needs them. */
  delegation: Delegation | undefined
  user: User | undefined
}

/**
 * Plans the user namespace, ids and capabilities of a run.
 *
 * @throws OPTION_CONFLICT, OPTION_INVALID, IDMAP_NOT_DELEGATED, CAPABILITY_MISSING
 */
export function planIdentity(spec: Spec, caller: Caller): Identity {
  const isolate = addUser(spec, hasCapability(caller.privileges.permitted, capabilityNumbers.SYS_ADMIN))
  const userNamespace = isolate.includes('user') ? planUserNamespace(spec, caller) : undefined
  const ids = planIds(spec, caller, userNamespace)
  const capabilities = planCapabilities(spec, caller, userNamespace, ids)
  return {
    isolate,
    ...(userNamespace && { userNamespace }),
    ...(ids && { ids }),
    ...(capabilities && { capabilities }),
  }
}

/**
 * Returns the kinds of namespaces, with `user` added if the caller lacks CAP_SYS_ADMIN: the other namespaces then need
 * a user namespace that owns them.
 */
function addUser(spec: Spec, may: boolean): NamespaceKind[] {
  if (may || joinsUser(spec)) return spec.isolate
  if (spec.joins.length > 0)
    throw fail('OPTION_CONFLICT', {
      name: optionName('join', spec.frontend),
      why: 'entering a namespace needs CAP_SYS_ADMIN in the user namespace that owns it',
      remedy: 'run as root, or also join its user namespace: user=…',
    })
  return spec.isolate.length === 0 || spec.isolate.includes('user') ? spec.isolate : [...spec.isolate, 'user']
}

function joinsUser(spec: Spec): boolean {
  return spec.joins.some(({ kind }) => kind === 'user')
}

function planUserNamespace(spec: Spec, caller: Caller): UserNamespace {
  const { privileges, user, delegation } = caller
  const map = (which: 'users' | 'groups') => {
    const own = which === 'users' ? privileges.uid : privileges.gid
    const { SETUID, SETGID } = capabilityNumbers
    const may = hasCapability(privileges.permitted, which === 'users' ? SETUID : SETGID)
    const requested = wordsOf(spec, which, privileges)
    const words: readonly IdMapWord[] | undefined =
      requested ?? (spec.sandbox && privileges.uid === 0 && may ? [sandboxIds] : undefined)
    const target = which === 'users' ? user?.uid : user?.gid
    const extents =
      words === undefined
        ? [{ inside: target ?? own, outside: may ? (target ?? own) : own, count: 1 }]
        : resolveIdMap(words, own, delegation?.[which] ?? [])
    const name = optionName(which === 'users' ? 'mapUsers' : 'mapGroups', spec.frontend)
    const file = which === 'users' ? '/etc/subuid' : '/etc/subgid'
    if (words?.includes('auto') && (delegation?.[which].length ?? 0) === 0)
      throw fail('IDMAP_NOT_DELEGATED', { name, what: 'auto', file, own, user: privileges.uid, ranges: '' })
    const why = explainBadMap(extents)
    if (why !== undefined)
      throw fail('OPTION_INVALID', { name, value: words?.map(String).join(' '), why, accepted: 'each id once' })
    const alone = extents.length === 1 && extents[0]!.count === 1 && extents[0]!.outside === own
    if (may || alone) return { extents, tool: '', alone: !may }
    const ranges = delegation?.[which] ?? []
    const foreign = extents.find((extent) => !isDelegated(extent, own, ranges))
    const tool = which === 'users' ? delegation?.userTool : delegation?.groupTool
    if (foreign || !tool)
      throw fail('IDMAP_NOT_DELEGATED', {
        name,
        what: foreign ? `${foreign.inside}:${foreign.outside}:${foreign.count}` : 'more than one id',
        file: foreign ? file : '',
        own,
        user: privileges.uid,
        ranges: ranges.map(({ start, count }) => `${start}:${count}`).join(', '),
      })
    return { extents, tool, alone: false }
  }
  const users = map('users')
  const groups = map('groups')
  return {
    users: users.extents,
    groups: groups.extents,
    denySetgroups: groups.alone,
    userTool: users.tool,
    groupTool: groups.tool,
  }
}

/**
 * Returns the requested map of user or group ids. Without a map of groups, the map of users is used for groups, with
 * the caller's own group for its own id.
 */
function wordsOf(spec: Spec, which: 'users' | 'groups', own: Privileges): readonly IdMapWord[] | undefined {
  if (which === 'users' || spec.mapGroups || !spec.mapUsers) return which === 'users' ? spec.mapUsers : spec.mapGroups
  return spec.mapUsers.map((word) =>
    typeof word === 'object' && word.count === 1 && word.outside === own.uid ? { ...word, outside: own.gid } : word,
  )
}

/** Returns true if newuidmap(1) and newgidmap(1) allow an entry of a map: the user's own id, or ids delegated to the user. */
function isDelegated(extent: Extent, own: number, ranges: readonly SubordinateIds[]): boolean {
  if (extent.count === 1 && extent.outside === own) return true
  return ranges.some(({ start, count }) => extent.outside >= start && extent.outside + extent.count <= start + count)
}

function planIds(spec: Spec, caller: Caller, namespace: UserNamespace | undefined): Ids | undefined {
  const { user, privileges } = caller
  // nsenter(1) does the same: in a joined user namespace, the caller's id is probably not mapped, so become 0
  if (joinsUser(spec) && !user) return { uid: 0, gid: 0, groups: [], keepGroups: 2 }
  if (!namespace) return user && { ...idsOf(user), keepGroups: joinsUser(spec) ? 2 : 0 }
  const names = (['groups', 'groupAdd'] as const).find((key) => spec.privileges[key])
  if (namespace.denySetgroups && names)
    throw fail('OPTION_CONFLICT', {
      name: optionName(names, spec.frontend),
      why: 'in a user namespace whose groups are mapped without root, groups cannot be set',
      remedy: text`leave it out, or also map groups of /etc/subgid: ${optionOfRun('mapGroups', 'auto')}`,
    })
  const uid = user?.uid ?? idInside(namespace.users, privileges.uid)
  const gid = user?.gid ?? idInside(namespace.groups, privileges.gid)
  // the caller's ids are mapped, so the process need not change its ids
  if (!user && uid !== undefined && gid !== undefined) return undefined
  const ids = user ? idsOf(user) : { uid: uid ?? 0, gid: gid ?? 0, groups: [] }
  const unmapped = !isMapped(namespace.users, ids.uid)
    ? `user ${ids.uid}`
    : [ids.gid, ...(namespace.denySetgroups ? [] : ids.groups)]
        .filter((group) => !isMapped(namespace.groups, group))
        .map((group) => `group ${group}`)[0]
  if (unmapped)
    throw fail('OPTION_CONFLICT', {
      name: optionName('user', spec.frontend),
      why: `${unmapped} is not mapped in its user namespace`,
      remedy: text`map it, with ${optionOfRun('mapUsers')} and ${optionOfRun('mapGroups')}`,
    })
  // for a sandbox with reserved ids, hutch writes the map with privileges and setgroups works, unless an outer user
  // namespace denies setgroups
  const reserved = namespace.groups.some(({ outside }) => outside === reservedId)
  return { ...ids, keepGroups: namespace.denySetgroups ? 1 : reserved ? 2 : 0 }
}

function idsOf({ uid, gid, groups }: User) {
  return { uid, gid, groups }
}

function planCapabilities(
  spec: Spec,
  caller: Caller,
  namespace: UserNamespace | undefined,
  ids: Ids | undefined,
): Capabilities | undefined {
  const { capAdd, capDrop, newPrivileges } = spec.privileges
  const fresh = namespace !== undefined || joinsUser(spec)
  const requested = capAdd.length > 0 || capDrop.length > 0
  const contained = spec.root?.directory !== undefined
  if (!requested && !fresh && !contained) return undefined
  const known = capabilitiesOf(caller.kernel)
  const permitted = parseCapabilityMask(caller.privileges.permitted)
  const available = fresh ? known : permitted.filter((number) => known.includes(number))
  const uid = ids?.uid ?? (namespace ? idInside(namespace.users, caller.privileges.uid) : caller.privileges.uid)
  const defaults = contained ? containedCapabilities.filter((number) => available.includes(number)) : available
  // the same capabilities as after an exec: root has all, another user keeps its own, and a user whose ids change has none
  const base = uid === 0 ? defaults : ids || fresh ? [] : permitted.filter((number) => defaults.includes(number))
  for (const word of capAdd) {
    if (word === 'ALL' || available.includes(word)) continue
    const since = missingSince(word, caller.kernel)
    throw fail('CAPABILITY_MISSING', {
      name: capabilityName(word),
      origin: optionName('capAdd', spec.frontend),
      ...(since !== undefined && { since }),
    })
  }
  const chosen = chooseCapabilities(base, available, capAdd, capDrop)
  const mask = capabilityMask(chosen)
  // at the exec, root gets all capabilities of the bounding set; other users keep only ambient ones, which must also be inheritable
  const kept = uid === 0 ? 0 : mask
  // reduce the bounding set if hutch can; if it cannot, that is an error only if an exec can grant capabilities
  const bounds = (requested || contained) && (available.includes(capabilityNumbers.SETPCAP) || newPrivileges)
  // the bounding set allows what root would have, so that programs with file capabilities work, unless an option names capabilities
  const bounding = requested ? mask : capabilityMask(defaults)
  return { ...(bounds && { bounding }), permitted: mask, inheritable: kept, ambient: kept }
}

/**
 * Adds CAP_SYS_ADMIN until the exec, because installing a filter without no_new_privs requires it. The exec removes it:
 * root then gets at most the bounding set, other users only the ambient set.
 */
export function keepForFilter(identity: Identity, spec: Spec, { permitted }: Privileges): Identity {
  const { ids, capabilities } = identity
  const admin = capabilityMask([capabilityNumbers.SYS_ADMIN])
  const fresh = identity.userNamespace !== undefined || joinsUser(spec)
  if (!spec.privileges.newPrivileges || !(fresh || hasCapability(permitted, capabilityNumbers.SYS_ADMIN)))
    return identity
  if (capabilities && hasCapability(capabilities.permitted.toString(16), capabilityNumbers.SYS_ADMIN)) return identity
  if (!capabilities && (ids?.uid ?? 0) === 0) return identity
  const others = capabilities ?? { permitted: 0, inheritable: 0, ambient: 0 }
  return { ...identity, capabilities: { ...others, permitted: others.permitted + admin } }
}
