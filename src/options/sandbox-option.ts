// SPDX-License-Identifier: Apache-2.0
// Turns the option `sandbox` into the options of its preset, except those that the caller gives. Pure.

import { fail } from '../errors/errors.ts'
import type { Mount, Root } from '../mounts/root.ts'
import { parseMounts } from './mount-options.ts'
import { optionName } from './names.ts'
import type { RunOptions } from './options.ts'
import { sandboxHides, sandboxHosts, sandboxPreset, sandboxReads } from './sandbox-preset.ts'
import type { Door } from './spec.ts'

/** What a sandbox comes to: options as if they had been given, and mounts that go before those that were. */
export interface Sandboxed {
  options: RunOptions
  mounts: Mount[]
  /** Words of limits that the preset brought. */
  limits: ReadonlySet<string>
}

type Nested = { [word: string]: unknown }

/** Options beside it win over those in it. Undefined: no sandbox. @throws OPTION_INVALID */
export function givenOptions(options: RunOptions, name: string): RunOptions | undefined {
  const { sandbox, ...beside } = options
  if (sandbox === undefined || sandbox === false) return undefined
  if (sandbox !== true && (typeof sandbox !== 'object' || sandbox === null || 'sandbox' in sandbox))
    throw fail('OPTION_INVALID', {
      name,
      value: sandbox,
      accepted: "true, or options that allow more, such as { network: 'private' }",
    })
  return Object.fromEntries(
    Object.entries({ ...(sandbox === true ? {} : sandbox), ...beside }).filter(([, value]) => value !== undefined),
  )
}

/** `fileOf`: the kernel's file behind a word of limits. @throws OPTION_INVALID */
export function applySandbox(given: RunOptions, fileOf: (word: string) => string, door: Door): Sandboxed {
  const options: Nested = {}
  const words = limitsOf(given)
  const limits = new Set<string>()
  for (const [option, value] of sandboxPreset) {
    const [key = '', word] = option.split('.')
    if (key === 'mounts' || isNamed(option, given, fileOf)) continue
    // the command line has no pipes of its own
    if (key === 'maxOutput' && door === 'cli') continue
    if (word === undefined) options[key] = value
    else options[key] = { ...(options[key] as Nested | undefined), [word]: value }
    if (key === 'limits') limits.add(word!)
  }
  const beside = (key: keyof RunOptions) => ({ ...(options[key] as Nested), ...(given[key] as Nested | undefined) })
  // no limit is the absence of one, so that it asks nothing of the host
  const wanted = Object.entries(words).filter(([word, value]) => value !== 'max' || word.includes('.'))
  return {
    options: {
      ...options,
      ...given,
      // what is dropped by name is dropped with all others
      ...(options.capDrop !== undefined && { capDrop: options.capDrop as string }),
      limits: { ...(options.limits as Nested), ...Object.fromEntries(wanted) } as RunOptions['limits'] & object,
      ulimits: beside('ulimits') as RunOptions['ulimits'] & object,
      env: beside('env') as RunOptions['env'] & object,
    },
    mounts: presetMounts(given, door),
    limits,
  }
}

/** Whether the caller's options say something else instead of this one of the preset. */
export function isNamed(option: string, given: RunOptions, fileOf: (word: string) => string): boolean {
  const [key = '', word = ''] = option.split('.')
  switch (key) {
    case 'limits':
      // on v1 swap is limited together with memory
      if (word === 'swap' && limitsOf(given).memory === 'max') return true
      return given.limits === 'none' || word in limitsOf(given) || fileOf(word) in limitsOf(given)
    case 'ulimits':
    case 'env':
      return word in ((given[key] as Nested | undefined) ?? {})
    case 'capDrop':
      return [given.capAdd ?? []].flat().some((name) => String(name).toUpperCase() === 'ALL')
    case 'network':
      return given.network !== undefined || given.join?.net !== undefined
    case 'hostname':
      return given.hostname !== undefined || isNamedByHost(given)
    default:
      return given[key as keyof RunOptions] !== undefined
  }
}

/** Without a uts namespace of its own, the sandbox has the name of the host. */
export function isNamedByHost({ isolate }: RunOptions): boolean {
  return Array.isArray(isolate) && !/all|uts/.test(isolate.join())
}

function limitsOf({ limits }: RunOptions): Nested {
  return typeof limits === 'object' && limits !== null ? (limits as Nested) : {}
}

/** The root begins empty; with a root of the caller's only what the preset mounts elsewhere is left. */
function presetMounts(given: RunOptions, door: Door): Mount[] {
  const reads = sandboxReads.map(([directory]) => ({ volume: `${directory}:${directory}:ro` }))
  const mounts = sandboxPreset.flatMap(([option, value]) => (option === 'mounts' ? [value] : []))
  const origin = optionName('sandbox', door)
  const own = given.rootfs === undefined
  return parseMounts([...(own ? [{ tmpfs: '/:mode=755' }, ...reads] : []), ...mounts], door).map((mount) => ({
    ...mount,
    origin,
    ...(mount.kind === 'volume' && { ifThere: true }),
  }))
}

/** The host's own files in /etc that name it, unless the caller mounts something there. */
export function hideHostName(
  hostname: string,
  preset: Mount[],
  named: Mount[],
  door: Door,
): Pick<Root, 'hides' | 'texts'> {
  if (!preset.some((mount) => mount.target === '/etc')) return {}
  const origin = optionName('sandbox', door)
  const { path, text } = sandboxHosts
  const free = (target: string) => !named.some((mount) => mount.target === target)
  return {
    hides: sandboxHides.filter(free).map((hidden) => ({ path: hidden, origin })),
    texts: free(path) ? [{ target: path, text: text(hostname), origin }] : [],
  }
}
