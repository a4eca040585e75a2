// SPDX-License-Identifier: Apache-2.0
// Names the control groups of a pod for both cgroup drivers of the kubelet: pkg/kubelet/cm/cgroup_manager_linux.go. Pure.
import type { QosClass } from './effective.ts'

/** Paths of a group from the root of the hierarchies, by driver. */
export interface DriverPaths {
  systemd: string
  cgroupfs: string
}

/** Returns the paths of a group below kubepods from its levels. systemd repeats all levels in the name of each slice. */
export function groupPaths(levels: readonly string[]): DriverPaths {
  const escaped = ['kubepods', ...levels].map((level) => level.replaceAll('-', '_'))
  const slices = escaped.map((_, i) => `${escaped.slice(0, i + 1).join('-')}.slice`)
  return { systemd: `/${slices.join('/')}`, cgroupfs: `/${['kubepods', ...levels].join('/')}` }
}

/** Returns the levels below kubepods that lead to the pods of a QoS class. */
export function qosLevels(qos: QosClass): string[] {
  return qos === 'Guaranteed' ? [] : [qos.toLowerCase()]
}

/** Returns the paths of a container's group. `scope` is the prefix that the runtime gives scopes of systemd. */
export function containerPaths(pod: DriverPaths, id: string, scope: string): DriverPaths {
  return { systemd: `${pod.systemd}/${scope}-${id}.scope`, cgroupfs: `${pod.cgroupfs}/${id}` }
}
