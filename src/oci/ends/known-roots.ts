// SPDX-License-Identifier: Apache-2.0
// The directories in which callers keep the state of their containers. hutch why searches them.

import { existsSync, readdirSync, realpathSync } from '../../system/files.ts'
import { readDefaultRoot } from '../root.ts'

/** A * stands for any name. Callers that give no --root use the first. */
const patterns: readonly (readonly [caller: string, path: string])[] = [
  ['podman, buildah, CRI-O, as root', '/run/hutch-oci'],
  ['containerd and Kubernetes, by namespace', '/run/containerd/runc/*'],
  ['Docker', '/run/docker/runtime-*/*'],
  ['Docker', '/var/run/docker/runtime-*/*'],
  ['podman, buildah, as a user', '/run/user/*/hutch-oci'],
  ['Slurm', '/run/user/*'],
]

/** Returns the roots that exist, each once. The default root of this user is first. */
export function knownRoots(): string[] {
  const found = [readDefaultRoot(), ...patterns.flatMap(([, path]) => expand(path))].filter((path) => existsSync(path))
  return [...new Map(found.map((path) => [realpathSync(path), path])).values()]
}

/** Returns the paths that match a pattern. Directories that cannot be read are left out. */
function expand(pattern: string): string[] {
  return pattern
    .split('/')
    .slice(1)
    .reduce<string[]>(
      (paths, part) =>
        paths.flatMap((path) => (part.includes('*') ? namesLike(path, part) : [part]).map((name) => `${path}/${name}`)),
      [''],
    )
}

function namesLike(directory: string, part: string): string[] {
  const [before = '', after = ''] = part.split('*')
  try {
    const names = readdirSync(directory) as string[]
    return names.filter((name) => name.startsWith(before) && name.endsWith(after) && !name.startsWith('.'))
  } catch {
    return []
  }
}
