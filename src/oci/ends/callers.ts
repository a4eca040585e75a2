// SPDX-License-Identifier: Apache-2.0
// The programs that call the runtime, and how their users name a container, its limits and its exit status. Pure.

import { quote } from '../../text/quote.ts'

type Annotations = { readonly [key: string]: string }

/** Limits that users of a caller set, by kernel file. */
type LimitWords = { readonly [file in 'memory.max' | 'pids.max' | 'cpu.max']: string }

/** What a message needs of a container. */
interface Named {
  id: string
  root: string
  annotations: Annotations
}

/** A caller, and its words. */
export interface Caller {
  /** Returns true if this caller created the container. */
  matches(container: Named): boolean
  /** Returns the container's name, in words; undefined if only its ID is known. */
  name?(annotations: Annotations): string | undefined
  limits: LimitWords
  /** Returns what knows the exit status, or the command that prints it. */
  status(id: string): string
}

const kubernetes = (name: string, pod: string, namespace: string): Caller => ({
  matches: ({ annotations }) => annotations[pod] !== undefined,
  name: ({ [name]: container, [pod]: inPod, [namespace]: space }) =>
    container && inPod && `${quote(container)} of pod ${quote(`${space ?? 'default'}/${inPod}`)}`,
  limits: {
    'memory.max': 'resources.limits.memory of the container in the pod',
    'pids.max': "podPidsLimit in the kubelet's configuration",
    'cpu.max': 'resources.limits.cpu of the container in the pod',
  },
  status: (id) => `crictl inspect ${id}`,
})

/** The first that matches counts. The last matches all. */
const callers: readonly Caller[] = [
  kubernetes(
    'io.kubernetes.cri.container-name',
    'io.kubernetes.cri.sandbox-name',
    'io.kubernetes.cri.sandbox-namespace',
  ),
  kubernetes('io.kubernetes.container.name', 'io.kubernetes.pod.name', 'io.kubernetes.pod.namespace'),
  {
    matches: ({ root }) => /\/docker\/runtime-/.test(root),
    limits: {
      'memory.max': '--memory of docker run (docker update for an existing container)',
      'pids.max': '--pids-limit of docker run (docker update for an existing container)',
      'cpu.max': '--cpus of docker run (docker update for an existing container)',
    },
    status: (id) => `docker inspect ${id}`,
  },
  {
    matches: ({ annotations }) => annotations['io.container.manager'] === 'libpod',
    limits: {
      'memory.max': '--memory of podman run (podman update for an existing container)',
      'pids.max': '--pids-limit of podman run (podman update for an existing container)',
      'cpu.max': '--cpus of podman run (podman update for an existing container)',
    },
    status: (id) => `podman inspect ${id}`,
  },
  {
    matches: () => true,
    limits: {
      'memory.max': 'linux.resources.memory.limit in config.json',
      'pids.max': 'linux.resources.pids.limit in config.json',
      'cpu.max': 'linux.resources.cpu.quota in config.json',
    },
    status: () => 'the program that created it',
  },
]

/** Length to which an ID of 64 hexadecimal digits is cut in messages, as callers do. */
const shortLength = 12

/** Returns the caller that created a container. */
export function callerOf(container: Named): Caller {
  return callers.find(({ matches }) => matches(container))!
}

/** Returns how messages call a container: `container web`, or `container "a" of pod "b/c" (0123456789ab)`. */
export function titleOf(container: Named): string {
  const { id, annotations } = container
  const short = /^[0-9a-f]{64}$/.test(id) ? id.slice(0, shortLength) : id
  const name = callerOf(container).name?.(annotations)
  return name ? `container ${name} (${short})` : `container ${short}`
}
