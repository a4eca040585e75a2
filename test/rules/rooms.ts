// SPDX-License-Identifier: Apache-2.0
// The rooms of src/ in the order of imports. Read by tests of this folder.

/** From the bottom up: a file may import from its own room and from those before it. */
export const rooms = [
  'text',
  'errors',
  'system',
  'ops',
  'host',
  'cgroup',
  'namespaces',
  'mounts',
  'credentials',
  'seccomp',
  'devices',
  'network',
  'systemd',
  'rules',
  'options',
  'plan',
  'verdict',
  'run',
  'why',
  'pool',
  'compile',
  'monitor',
  'ui',
  'dropin',
  'cli',
]

/**
 * Imports against this order: the words of ops come from the vocabularies, and six places are not split yet.
 * A line that is no longer needed must go.
 */
export const exceptions: readonly string[] = [
  'src/ops/mounts.ts → src/mounts/mount-flags.ts',
  'src/ops/mounts.ts → src/mounts/root.ts',
  'src/ops/namespaces.ts → src/namespaces/namespace.ts',
  'src/ops/process.ts → src/namespaces/namespace.ts',
  'src/ops/rights.ts → src/credentials/capability.ts',
  'src/options/options.ts → src/plan/devices.ts',
  'src/options/options.ts → src/plan/network.ts',
  'src/seccomp/load-profile.ts → src/options/seccomp-option.ts',
  'src/seccomp/load-profile.ts → src/options/spec.ts',
  'src/seccomp/notify-filter.ts → src/options/spec.ts',
  'src/systemd/own-scope.ts → src/options/spec.ts',
  'src/text/table-cell.ts → src/host/namespace-texts.ts',
]
