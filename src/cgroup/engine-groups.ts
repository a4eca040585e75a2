// SPDX-License-Identifier: Apache-2.0
// Groups of containers, pods and units by what engines and systemd call them, from the paths of groups alone: no engine is asked. Called by
// why/why.ts. Pure.

/** What the engine writes around an id: docker-ID.scope, cri-containerd-ID.scope, libpod-ID.scope, crio-ID.scope, or the id alone. */
const idGroup = /^(?:(?!libpod-conmon|crio-conmon)[a-z][a-z0-9-]*-)?([0-9a-f]{64})(?:\.scope)?$/
/** Four digits at least: any word of "abcdef" would be a prefix, too. */
const givenId = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([0-9a-f]{4,64})$/
const podUid = /^(?:pod)?([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})$/
const unitSuffixes = ['.service', '.scope', '.slice']

/** Returns the groups that such a name stands for; several: it is ambiguous. An id may be shortened, and may have `docker://` before it. */
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
    // a container's group in another hierarchy, or one of the same name below it
    if (known === undefined || path.length < known.length) found.set(key, path)
  }
  return [...found.values()].sort()
}

/** A process id of Linux has seven digits at most. */
function isPid(name: string): boolean {
  return /^\d{1,7}$/.test(name)
}

interface Wanted {
  id: string | undefined
  pod: string | undefined
  units: ReadonlySet<string>
}

/** What a group's last name stands for, if that is wanted; each unit is its own. */
function keyOf(last: string, { id, pod, units }: Wanted): { key: string; unit?: true } | undefined {
  const whole = idGroup.exec(last)?.[1]
  if (id !== undefined && whole?.startsWith(id)) return { key: whole }
  const uid = pod === undefined ? undefined : /pod([0-9a-f_-]+?)(?:\.slice)?$/.exec(last)?.[1]?.replaceAll('-', '_')
  if (pod !== undefined && uid === pod) return { key: pod }
  return units.has(last) ? { key: last, unit: true } : undefined
}

/** The groups that paths are in or below, each once: of `/a/b` these are `/a/b` and `/a`. */
export function withParents(paths: Iterable<string>): Set<string> {
  const all = new Set<string>()
  for (const path of paths)
    for (let at = path; at.length > 1 && !all.has(at); at = at.slice(0, at.lastIndexOf('/'))) all.add(at)
  return all
}
