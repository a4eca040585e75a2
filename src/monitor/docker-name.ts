// SPDX-License-Identifier: Apache-2.0
// Reads the names of Docker containers from Docker's state, which only root can read, because a group's path contains only the id. The
// state is untrusted: no link is followed, the read size is limited, and an invalid name is ignored.

import { allPaths, findGroupPaths } from '../cgroup/group-paths.ts'
import { fail, HutchError } from '../errors/errors.ts'
import type { Host } from '../host/host.ts'
import { closeSync, fileConstants, fstatSync, openSync, readSync } from '../system/files.ts'
import { parseJson } from '../text/json.ts'
import { asPrinted } from '../text/non-utf8.ts'
import type { ContainerNames } from './container-name.ts'

/** The default directory of dockerd (its `data-root`) for the state of its containers. */
const containers = '/var/lib/docker/containers'
/** Docker's names for groups, with systemd and without systemd. */
const byId = /\/(?:docker-([0-9a-f]{64})\.scope|docker\/([0-9a-f]{64}))$/
/** A valid container name in Docker's state: the same rule as in dockerd, after a slash. */
const nameOf = /^\/([a-zA-Z0-9][\w.-]{1,127})$/
const maxBytes = 2 ** 20
const maxKept = 10_000

/**
 * Returns a function from a group's path to the Docker container's name; undefined if it is not Docker's or the name is
 * unavailable. Reads the state of each container only once.
 */
export function readDockerNames(directory = containers): ContainerNames {
  const known = new Map<string, string | undefined>()
  return (path) => {
    const [, scope, plain] = byId.exec(path) ?? []
    const id = scope ?? plain
    if (id === undefined) return undefined
    if (known.has(id)) return known.get(id)
    if (known.size >= maxKept) known.clear()
    const name = readName(`${directory}/${id}`)
    known.set(id, name)
    return name
  }
}

/**
 * Finds a group by its path, or by the name of the Docker container in it. Returns its path.
 *
 * @throws CGROUP_PATH_INVALID, CGROUP_NOT_FOUND, CGROUP_AMBIGUOUS
 */
export function findGroup(host: Host, name: string, names: ContainerNames): string {
  try {
    return findGroupPaths(host, asPrinted(name)).path
  } catch (error) {
    const path =
      HutchError.is(error) && error.code === 'CGROUP_NOT_FOUND' ? findContainer(host, name, names) : undefined
    if (path === undefined) throw error
    return path
  }
}

/**
 * Finds the group of the Docker container with this name. Returns undefined if no container has the name.
 *
 * @throws CGROUP_AMBIGUOUS
 */
export function findContainer(host: Host, name: string, names: ContainerNames): string | undefined {
  if (!nameOf.test(`/${name}`)) return undefined
  const found = allPaths(host).filter((path) => names(path) === name)
  if (found.length > 1) throw fail('CGROUP_AMBIGUOUS', { name, found })
  return found[0]
}

function readName(directory: string): string | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fileConstants
  let [above, file] = [-1, -1]
  try {
    above = openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    file = openSync(`/proc/self/fd/${above}/config.v2.json`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const found = fstatSync(file)
    const { size } = found
    if (!found.isFile() || size > maxBytes) return undefined
    const bytes = Buffer.alloc(size)
    const state: unknown = parseJson(bytes.toString('utf8', 0, readSync(file, bytes, 0, size, 0)))
    // if the JSON is null, this line throws, and the catch below handles it
    const { Name: name } = state as { Name?: unknown }
    return typeof name === 'string' ? nameOf.exec(name)?.[1] : undefined
  } catch {
    // the state belongs to another user, is not Docker's, or is being written
    return undefined
  } finally {
    for (const fd of [above, file]) if (fd >= 0) closeSync(fd)
  }
}
