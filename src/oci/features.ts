// SPDX-License-Identifier: Apache-2.0
// Prints what the runtime supports, in the form of the OCI specification. The lists are those from which hutch parses.

import { capabilitiesOf, capabilityName } from '../credentials/capability.ts'
import { type Host, readHost } from '../host/host.ts'
import { supportedActions } from '../seccomp/action.ts'
import { machines } from '../seccomp/arch.ts'
import { filterFlags } from '../seccomp/parse.ts'
import { conditionOps } from '../seccomp/profile.ts'
import { print } from '../system/stdout.ts'
import { formatJson } from '../text/quote.ts'
import { namespaceTypes } from './config/linux-table.ts'
import { mountWords } from './config/mount-options.ts'
import { ociVersions } from './version.ts'

declare const HUTCH_VERSION: string

/** Hooks in the order in which they run. */
const hookNames = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']

/** Returns the features of this runtime on a host. */
export function makeFeatures({ kernel }: Pick<Host, 'kernel'>, version: string): object {
  const sorted = (words: readonly string[]) => [...words].sort()
  const on = { enabled: true }
  return {
    ociVersionMin: ociVersions.min,
    ociVersionMax: ociVersions.max,
    hooks: hookNames,
    mountOptions: sorted(Object.keys(mountWords)),
    linux: {
      namespaces: sorted(Object.keys(namespaceTypes)),
      capabilities: capabilitiesOf(kernel).map((number) => `CAP_${capabilityName(number).replace(/^CAP_/, '')}`),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        ...on,
        actions: sorted(supportedActions),
        operators: sorted(conditionOps.map((word) => `SCMP_CMP_${word}`)),
        archs: sorted(machines.map(({ profileName }) => profileName)),
        knownFlags: sorted(Object.keys(filterFlags)),
        supportedFlags: sorted(Object.keys(filterFlags)),
      },
      apparmor: on,
      selinux: on,
      intelRdt: { ...on, schemata: true },
      mountExtensions: { idmap: on },
      netDevices: on,
    },
    annotations: { 'org.opencontainers.hutch.version': version },
    potentiallyUnsafeConfigAnnotations: ['org.systemd.property.', 'run.oci.keep_original_groups'],
  }
}

export function run(): number {
  print(`${formatJson(makeFeatures(readHost(), HUTCH_VERSION), 2)}\n`)
  return 0
}
