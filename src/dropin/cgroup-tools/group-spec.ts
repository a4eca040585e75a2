// SPDX-License-Identifier: Apache-2.0
// Parses "controllers:path" arguments, and finds the hierarchy of each controller on this host.

import { readWords } from '../../cgroup/files.ts'
import { parseGroupPath } from '../../cgroup/path.ts'
import { fail } from '../../errors/errors.ts'
import { parseNamedHierarchies } from '../../host/hierarchy.ts'
import type { Host } from '../../host/host.ts'
import { readFileSync } from '../../system/files.ts'
import { statuses, withStatus } from '../exit-status.ts'

/** A group as users of libcgroup name it: controllers and a path. Without controllers, the group is in the v2 tree. */
export interface GroupSpec {
  controllers: string[]
  path: string
  /** The path as typed, which is used in output. */
  typed: string
}

/** A mounted hierarchy, with its controllers. */
export interface Mounted {
  mount: string
  controllers: string[]
  unified: boolean
}

/** Parses a group in the form `controllers:path`. @throws OPTION_INVALID, CGROUP_PATH_INVALID */
export function parseGroupSpec(text: string, origin: string, status: number = statuses.usage): GroupSpec {
  const colon = text.indexOf(':')
  const typed = text.slice(colon + 1)
  if (colon < 0 || typed === '')
    throw withStatus(
      status,
      fail('OPTION_INVALID', {
        name: origin,
        value: text,
        why: colon < 0 ? 'there is no ":" in it' : 'the path is missing',
        accepted: 'CONTROLLERS:PATH, such as memory,pids:build/jobs',
      }),
    )
  return { controllers: parseControllers(text.slice(0, colon), origin), path: parseGroupPath(typed, origin), typed }
}

/** Parses names of controllers, separated by commas. @throws OPTION_INVALID */
export function parseControllers(text: string, origin: string): string[] {
  const names = text.split(',').filter((name) => name !== '')
  const wrong = names.find((name) => name !== '*' && !/^[\w=.-]{1,64}$/.test(name))
  if (wrong === undefined) return names
  throw fail('OPTION_INVALID', {
    name: origin,
    value: wrong,
    why: 'not the name of a controller',
    accepted: 'names with commas between them, such as memory,pids',
  })
}

/** Returns the mounted hierarchies, those of v1 first, as in libcgroup. */
export function mountedHierarchies(host: Host): Mounted[] {
  const byMount = new Map<string, string[]>()
  for (const [name, { mount }] of Object.entries(host.v1)) byMount.set(mount, [...(byMount.get(mount) ?? []), name])
  const legacy = [...byMount].map(([mount, controllers]) => ({ mount, controllers, unified: false }))
  if (!host.unified) return legacy
  const { mount } = host.unified
  return [...legacy, { mount, controllers: readWords(mount, 'cgroup.controllers'), unified: true }]
}

/** Returns a named v1 hierarchy (`name=x`). As in libcgroup, such a hierarchy is used only if the user names it. */
export function findNamedHierarchy(name: string): Mounted | undefined {
  const mount = parseNamedHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), '').get(name)?.mount
  return mount === undefined ? undefined : { mount, controllers: [name], unified: false }
}

/**
 * Returns the hierarchy of a controller or of `name=x`. '' and "cgroup" mean the v2 tree. On v1, the controller io is in the hierarchy of
 * blkio.
 */
export function hierarchyOf(all: readonly Mounted[], controller: string): Mounted | undefined {
  if (controller.startsWith('name=')) return findNamedHierarchy(controller)
  const find = (name: string) => all.find((one) => one.controllers.includes(name))
  if (controller === '' || controller === 'cgroup') return all.find((one) => one.unified)
  return find(controller) ?? (controller === 'io' ? find('blkio') : undefined)
}

/** Returns the group's directory in a hierarchy. */
export function directoryIn({ mount }: Mounted, path: string): string {
  return path === '' ? mount : `${mount}/${path}`
}

/**
 * Returns the hierarchies of the named controllers without duplicates, and for each hierarchy those controllers. @throws
 * CGROUP_CONTROLLER_MISSING with the given exit status
 */
export function choose(all: readonly Mounted[], controllers: readonly string[], status: number): Mounted[] {
  const named =
    controllers.length === 0 ? [''] : controllers.flatMap((name) => (name === '*' ? everyController(all) : [name]))
  const chosen = new Map<string, Mounted>()
  for (const name of named) {
    const found = hierarchyOf(all, name)
    if (!found)
      throw withStatus(
        status,
        fail('CGROUP_CONTROLLER_MISSING', {
          controller: name || 'v2',
          origin: `the controller ${name || 'of the v2 tree'}`,
          where: 'any hierarchy',
          available: all.flatMap((one) => one.controllers).join(', '),
        }),
      )
    const before = chosen.get(found.mount)?.controllers ?? []
    chosen.set(found.mount, { ...found, controllers: name === '' ? before : [...before, name] })
  }
  return [...chosen.values()]
}

/** Returns the controllers for which "*" stands: all v1 controllers if v1 is mounted, otherwise all v2 controllers. */
function everyController(all: readonly Mounted[]): string[] {
  const legacy = all.filter((one) => !one.unified)
  return (legacy.length > 0 ? legacy : all).flatMap((one) => one.controllers)
}
