// SPDX-License-Identifier: Apache-2.0
// hutch generate: prints the configuration that registers hutch-oci with podman, containerd and other callers of OCI runtimes.

import { fail } from '../errors/errors.ts'
import { engines } from '../oci/engine-config.ts'
import { existsSync } from '../system/files.ts'
import { dirname, resolve } from '../system/paths.ts'
import { print } from '../system/stdout.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'

const flags: FlagTable = {
  runtime: {
    value: 'PATH',
    help: 'Path of hutch-oci in the configuration.',
    default: 'hutch-oci in PATH, beside hutch, or in /usr/lib/hutch/bin',
    complete: 'file',
  },
  'systemd-cgroup': { help: 'Create groups through systemd: for containerd and podman.' },
  'config-version': {
    value: 'N',
    help: "Version of containerd's format: 2 for containerd 1.x and 2.x, 3 for 2.x only.",
    default: '2',
  },
}

const names = Object.keys(engines)

export const command: Command = {
  words: names.join('|'),
  details: [
    'Prints the configuration that registers hutch-oci as an OCI runtime. Changes nothing. The text belongs to:',
    ...Object.entries(engines).map(([name, { file }]) => `${name}: ${file}`),
  ].join('\n'),
  flags,
  minWords: 1,
  maxWords: 1,
  examples: [
    ['hutch generate podman', 'Print what makes podman use hutch-oci.'],
    ['hutch generate containerd --systemd-cgroup', 'The same for containerd on a node of Kubernetes.'],
  ],
  main,
}

function main({ values, rest: [name = ''] }: Parsed): number {
  if (!Object.hasOwn(engines, name))
    throw fail('OPTION_INVALID', { name: 'the program', value: name, accepted: names.join(', ') })
  const version = values['config-version']?.at(-1) ?? '2'
  if (version !== '2' && version !== '3')
    throw fail('OPTION_INVALID', { name: '--config-version', value: version, accepted: '2 or 3' })
  const given = values.runtime?.at(-1)
  const options = {
    // only a configuration with the path needs the file: that of Kubernetes has none
    get runtime() {
      return given === undefined ? findRuntime() : resolve(given)
    },
    systemdCgroup: values['systemd-cgroup'] !== undefined,
    version: version === '3' ? 3 : 2,
  } as const
  print(engines[name]!.format(options))
  return 0
}

/** Finds the program hutch-oci. @throws FILE_REFUSED */
function findRuntime(): string {
  const directories = (process.env.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'))
  const places = [...directories, dirname(resolve(process.argv[1]!)), '/usr/lib/hutch/bin']
  const found = places.map((directory) => `${directory}/hutch-oci`).find((path) => existsSync(path))
  if (found !== undefined) return found
  const remedy = 'make it with hutch links --dir /usr/local/bin hutch-oci, or give --runtime PATH'
  throw fail('FILE_REFUSED', { what: 'find', path: 'hutch-oci', errno: 'ENOENT', remedy })
}
