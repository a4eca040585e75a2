// SPDX-License-Identifier: Apache-2.0
// Describes a sandbox for `--explain`: the preset's options that apply, and those that the caller replaced. Pure.
import { optionName } from './names.ts'
import { fileOf, type RunOptions } from './options.ts'
import { isNamed, isNamedByHost } from './sandbox-option.ts'
import {
  sandboxHides,
  sandboxHosts,
  sandboxIds,
  sandboxPreset,
  sandboxReads,
  sandboxVariables,
} from './sandbox-preset.ts'

/** An option of the preset, as typed on the command line. */
export interface SandboxLine {
  /** The option with its value, such as `--network none`. */
  words: string
  reason: string
  /** True if the caller's options replaced this option. */
  named: boolean
}

/** Returns all options of the preset as lines. `requested` are the caller's options, without `sandbox`. */
export function sandboxLines(requested: RunOptions): SandboxLine[] {
  const targets = new Set((requested.mounts ?? []).map((mount) => targetOf(Object.values(mount)[0] as string)))
  const lines = sandboxPreset.map(([option, value, reason]) => {
    const mount = option === 'mounts' ? Object.values(value)[0] : undefined
    const named = mount === undefined ? isNamed(option, requested, fileOf) : targets.has(targetOf(mount))
    return { words: wordsOf(option, value), reason, named }
  })
  const reads = sandboxReads.map(([directory, reason]) => ({
    words: `--volume ${directory}:${directory}:ro`,
    reason,
    named: requested.rootfs !== undefined || targets.has(directory),
  }))
  const last = sandboxIds.inside + sandboxIds.count - 1
  return [
    ...lines,
    ...reads,
    {
      words: `ids: ${sandboxIds.inside} to ${last}`,
      reason:
        'if root starts it: host ids that no account and no other sandbox has, chosen at each start; --map-users fixes them',
      named: requested.mapUsers !== undefined || requested.mapGroups !== undefined,
    },
    {
      words: `hidden: ${[...sandboxHides, sandboxHosts.path].join(', ')}`,
      reason: `these files contain the host's name; ${sandboxHosts.path} is replaced by localhost and the name of the sandbox`,
      named: requested.rootfs !== undefined || targets.has('/etc') || isNamedByHost(requested),
    },
    {
      words: `environment: ${sandboxVariables.join(', ')}, LC_*`,
      reason: 'other variables of the caller may contain keys',
      named: false,
    },
  ]
}

/** Returns the description of the sandbox that `--explain` prints first. */
export function describeSandbox(requested: RunOptions): string {
  const lines = sandboxLines(requested)
  const list = (title: string, some: SandboxLine[]) =>
    some.length === 0 ? [] : [title, ...some.map(({ words, reason }) => `  ${words.padEnd(48)}  ${reason}`), '']
  return [
    ...list(
      'sandbox: active',
      lines.filter(({ named }) => !named),
    ),
    ...list(
      'sandbox: not active, because another option replaces it',
      lines.filter(({ named }) => named),
    ),
    '',
  ].join('\n')
}

/** Returns an option and its value as typed on the command line. */
function wordsOf(option: string, value: unknown): string {
  const [key = '', word = ''] = option.split('.')
  if (key === 'limits') return `${optionName(option, 'cli')} ${value}`
  if (key === 'ulimits') return `--ulimit ${word}=${value}`
  if (key === 'env') return `--env ${word}=${value}`
  if (key === 'mounts') return Object.entries(value as object).map(([kind, words]) => `--${kind} ${words}`)[0]!
  const flag = optionName(key, 'cli')
  return value === true ? flag : value === false ? `no ${flag}` : `${flag} ${[value].flat().join(',')}`
}

/** Returns the target of a mount: its last part that is a path. */
function targetOf(mount: string): string {
  return mount
    .split(':')
    .filter((part) => part.startsWith('/'))
    .at(-1)!
}
