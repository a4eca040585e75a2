// SPDX-License-Identifier: Apache-2.0
// Finds groups of containers, pods and units by the names that engines and systemd use, from group paths alone, without asking an engine.
// Called by why/why.ts. Pure.

/** Group names of containers: docker-ID.scope, cri-containerd-ID.scope, libpod-ID.scope, crio-ID.scope, or the id alone. */
const idGroup = /^(?:(?!libpod-conmon|crio-conmon)[a-z][a-z0-9-]*-)?([0-9a-f]{64})(?:\.scope)?$/
/** A container id as a user types it: at least its first four digits. */
const givenId = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([0-9a-f]{4,64})$/
const podUid = /^(?:pod)?([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})$/
const unitSuffixes = ['.service', '.scope', '.slice']

/**
 * Returns the groups of containers, pods and units to which a name may refer; more than one if the name is ambiguous. An id can be
 * shortened, and can begin with `docker://`.
 */
export function findContainerGroups(paths: Iterable<string>, name: string): string[] {
  const id = isPid(name) ? undefined : givenId.exec(name)?.[1]
  const pod = podUid.exec(name)?.[1]?.replaceAll('-', '_')
  const units = new Set([name, ...unitSuffixes.map((suffix) => `${name}${suffix}`)])
  const found = new Map<string, string>()
  for (const path of paths) {
    const entry = keyOf(path.slice(path.lastIndexOf('/') + 1), { id, pod, units })
    if (entry === undefined) continue
    const key = entry.unit ? path : entry.key
    const known = found.get(key)
    // prefer the container's own group to a group of the same name below it
    if (known === undefined || path.length < known.length) found.set(key, path)
  }
  return [...found.values()].sort()
}

/** Returns true if the name can be a process id, which has at most seven digits on Linux. */
function isPid(name: string): boolean {
  return /^\d{1,7}$/.test(name)
}

interface Wanted {
  id: string | undefined
  pod: string | undefined
  units: ReadonlySet<string>
}

/**
 * Returns the id of a container or pod in the last component of a path, if it is one that is searched for. For a unit, returns the
 * component.
 */
function keyOf(last: string, { id, pod, units }: Wanted): { key: string; unit?: true } | undefined {
  const whole = idGroup.exec(last)?.[1]
  if (id !== undefined && whole?.startsWith(id)) return { key: whole }
  const uid = pod === undefined ? undefined : /pod([0-9a-f_-]+?)(?:\.slice)?$/.exec(last)?.[1]?.replaceAll('-', '_')
  if (pod !== undefined && uid === pod) return { key: pod }
  return units.has(last) ? { key: last, unit: true } : undefined
}

/** Returns the given groups and their ancestors, without duplicates: for `/a/b`, `/a/b` and `/a`. */
export function withParents(paths: Iterable<string>): Set<string> {
  const all = new Set<string>()
  for (const path of paths)
    for (let at = path; at.length > 1 && !all.has(at); at = at.slice(0, at.lastIndexOf('/'))) all.add(at)
  return all
}
