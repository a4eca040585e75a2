// SPDX-License-Identifier: Apache-2.0
// The rooms of src/ in the order of imports. Read by tests of this folder.

/** From the bottom up: a file may import from its own room and from those before it. */
export const rooms = [
  'text',
  'errors',
  'system',
  'namespaces',
  'credentials',
  'ops',
  'host',
  'cgroup',
  'mounts',
  'seccomp',
  'devices',
  'network',
  'systemd',
  'rules',
  'options',
  'library',
  'plan',
  'verdict',
  'run',
  'why',
  'pool',
  'compile',
  'container',
  'oci',
  'monitor',
  'ui',
  'dropin',
  'cli',
]
