// SPDX-License-Identifier: Apache-2.0
// Names of options of a run as the configuration of a container has them, for errors. Pure.
import type { OptionNames } from '../errors/remedy-text.ts'

/** Properties of config.json by the option of a run that has the same effect. */
const properties: { readonly [option: string]: string } = {
  capAdd: 'process.capabilities',
  capDrop: 'process.capabilities',
  command: 'process.args',
  domainname: 'domainname',
  env: 'process.env',
  group: 'process.user',
  groups: 'process.user',
  hostname: 'hostname',
  ioPriority: 'process.ioPriority',
  isolate: 'linux.namespaces',
  join: 'linux.namespaces',
  mapGroups: 'linux.gidMappings',
  mapUsers: 'linux.uidMappings',
  newPrivileges: 'process.noNewPrivileges',
  nice: 'process.scheduler',
  oomScoreAdj: 'process.oomScoreAdj',
  parent: 'linux.cgroupsPath',
  readOnly: 'root.readonly',
  rootfs: 'root.path',
  run: 'the container',
  scheduler: 'process.scheduler',
  seccomp: 'linux.seccomp',
  stdio: '--preserve-fds',
  sysctls: 'linux.sysctl',
  terminal: 'process.terminal',
  timeOffset: 'linux.timeOffsets',
  ulimits: 'process.rlimits',
  user: 'process.user',
  workdir: 'process.cwd',
}

/** Returns the property for an option. Other words are already paths of properties, and stay. */
export function propertyName(option: string): string {
  return properties[option] ?? option
}

/** Names of options for errors about a container. */
export const propertyNames: OptionNames = { option: (key) => properties[key], runOption: propertyName }
