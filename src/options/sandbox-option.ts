// SPDX-License-Identifier: Apache-2.0
// Replaces the option `sandbox` by the options of its preset, except those that the caller gives. Called by options.ts; pure.

import { fail } from '../errors/errors.ts'
import type { Mount, Root } from '../mounts/root.ts'
import { specFrontends } from './frontends.ts'
import { parseMounts } from './mount-options.ts'
import { optionName } from './names.ts'
import type { RunOptions } from './options.ts'
import { sandboxHides, sandboxHosts, sandboxPreset, sandboxReads } from './sandbox-preset.ts'
import type { SpecFrontendName } from './spec.ts'

/** The options of a sandbox, and the mounts that precede the caller's. */
export interface Sandboxed {
  options: RunOptions
  mounts: Mount[]
  /** Keys of the limits that come from the preset. */
  limits: ReadonlySet<string>
}

type Nested = { [word: string]: unknown }

/**
 * Returns the options given with `sandbox`; options next to `sandbox` override those in it. Returns undefined without a sandbox.
 * @throws OPTION_INVALID
 */
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

/** Returns the options with the preset added. `fileOf` returns the kernel file of a limit's key. @throws OPTION_INVALID */
export function applySandbox(
  requested: RunOptions,
  fileOf: (word: string) => string,
  frontend: SpecFrontendName,
): Sandboxed {
  const options: Nested = {}
  const words = limitsOf(requested)
  const limits = new Set<string>()
  for (const [option, value] of sandboxPreset) {
    const [key = '', word] = option.split('.')
    if (key === 'mounts' || isNamed(option, requested, fileOf)) continue
    if (key === 'maxOutput' && !specFrontends[frontend].readsOutput) continue
    if (word === undefined) options[key] = value
    else options[key] = { ...(options[key] as Nested | undefined), [word]: value }
    if (key === 'limits') limits.add(word!)
  }
  const beside = (key: keyof RunOptions) => ({ ...(options[key] as Nested), ...(requested[key] as Nested | undefined) })
  // drop limits of `max`, so that no controller is needed for them
  const wanted = Object.entries(words).filter(([word, value]) => value !== 'max' || word.includes('.'))
  return {
    options: {
      ...options,
      ...requested,
      // dropping ALL includes each capability that is named
      ...(options.capDrop !== undefined && { capDrop: options.capDrop as string }),
      limits: { ...(options.limits as Nested), ...Object.fromEntries(wanted) } as RunOptions['limits'] & object,
      ulimits: beside('ulimits') as RunOptions['ulimits'] & object,
      env: beside('env') as RunOptions['env'] & object,
    },
    mounts: presetMounts(requested, frontend),
    limits,
  }
}

/** Returns true if the caller's options replace an option of the preset. */
export function isNamed(option: string, requested: RunOptions, fileOf: (word: string) => string): boolean {
  const [key = '', word = ''] = option.split('.')
  switch (key) {
    case 'limits':
      // on v1 swap is limited together with memory
      if (word === 'swap' && limitsOf(requested).memory === 'max') return true
      return requested.limits === 'none' || word in limitsOf(requested) || fileOf(word) in limitsOf(requested)
    case 'ulimits':
    case 'env':
      return word in ((requested[key] as Nested | undefined) ?? {})
    case 'capDrop':
      return [requested.capAdd ?? []].flat().some((name) => String(name).toUpperCase() === 'ALL')
    case 'network':
      return requested.network !== undefined || requested.join?.net !== undefined
    case 'hostname':
      return requested.hostname !== undefined || isNamedByHost(requested)
    default:
      return requested[key as keyof RunOptions] !== undefined
  }
}

/** Returns true if the sandbox keeps the host's name because it has no uts namespace of its own. */
export function isNamedByHost({ isolate }: RunOptions): boolean {
  return Array.isArray(isolate) && !/all|uts/.test(isolate.join())
}

function limitsOf({ limits }: RunOptions): Nested {
  return typeof limits === 'object' && limits !== null ? (limits as Nested) : {}
}

/** Returns the preset's mounts. The root is empty at first; with the caller's own root, only mounts outside of it remain. */
function presetMounts(requested: RunOptions, frontend: SpecFrontendName): Mount[] {
  const reads = sandboxReads.map(([directory]) => ({ volume: `${directory}:${directory}:ro` }))
  const mounts = sandboxPreset.flatMap(([option, value]) => (option === 'mounts' ? [value] : []))
  const origin = optionName('sandbox', frontend)
  const own = requested.rootfs === undefined
  return parseMounts([...(own ? [{ tmpfs: '/:mode=755' }, ...reads] : []), ...mounts], frontend).map((mount) => ({
    ...mount,
    origin,
    ...(mount.kind === 'volume' && { ifThere: true }),
  }))
}

/** Returns mounts that hide the files in /etc with the host's name, unless the caller mounts something there. */
export function hideHostName(
  hostname: string,
  preset: Mount[],
  named: Mount[],
  frontend: SpecFrontendName,
): Pick<Root, 'hides' | 'texts'> {
  if (!preset.some((mount) => mount.target === '/etc')) return {}
  const origin = optionName('sandbox', frontend)
  const { path, text } = sandboxHosts
  const free = (target: string) => !named.some((mount) => mount.target === target)
  return {
    hides: sandboxHides.filter(free).map((hidden) => ({ path: hidden, origin })),
    texts: free(path) ? [{ target: path, text: text(hostname), origin }] : [],
  }
}
