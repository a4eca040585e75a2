// SPDX-License-Identifier: Apache-2.0
// Derives a container's name from its group's path. Pure. cAdvisor gives containers the label `name`, by which dashboards distinguish them
// from slices and services.

/**
 * Group names by Docker, Podman, containerd and CRI-O, with systemd (docker-ID.scope) and without (docker/ID). Matches
 * the first 12 digits of the id, which `docker ps` prints.
 */
const byId = /^(?:(?:docker|libpod|cri-containerd|crio|nerdctl)-)?([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?$/
/** Group names by LXC and Incus, by systemd-machined, and by systemd-nspawn. */
const byName = /^(?:lxc\.payload\.(.+)|machine-(.+)\.scope|systemd-nspawn@(.+)\.service)$/
/** Groups of a hutch job, or created by `hutch cgroup create NAME`. */
const ours = /^\/hutch\/([^/]+)$|^(hutch-\d+-\d+-\d+-\d+)$/

/** Returns the container's name. Returns undefined if the group is not a container's, or if its path does not contain the name. */
export function nameContainer(path: string): string | undefined {
  const last = path.slice(path.lastIndexOf('/') + 1)
  const id = byId.exec(last)?.[1]
  if (id !== undefined) return id
  const [, lxc, machine, nspawn] = byName.exec(last) ?? []
  const escaped = machine ?? nspawn
  if (escaped !== undefined)
    return escaped.replace(/\\x([0-9a-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
  return lxc ?? ours.exec(path)?.[1] ?? ours.exec(last)?.[2]
}

/** Returns the name that the container engine gave to the container of a group. */
export type ContainerNames = (path: string) => string | undefined

/**
 * Returns a group's path for display, with a container's id shortened as in `docker ps` and followed by the container's
 * name. Other paths are unchanged.
 */
export function withName(path: string, name: string | undefined): string {
  return name === undefined ? path : `${path.replace(/[0-9a-f]{64}/g, (id) => `${id.slice(0, 12)}…`)} (${name})`
}
