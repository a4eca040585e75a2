// SPDX-License-Identifier: Apache-2.0
// Replaces the option `sandbox` by the options of the sandbox preset. Options that the caller gives override the
// preset's. Called by options.ts; pure.

import { fail } from '../errors/errors.ts'
import type { MaskedPath, Mount, Root } from '../mounts/root.ts'
import { prepared } from '../system/prepared.ts'
import { specFrontends } from './frontends.ts'
import { parseMounts } from './mount-options.ts'
import { optionName } from './names.ts'
import type { RunOptions } from './options.ts'
import { sandboxHides, sandboxHosts, sandboxPreset, sandboxReads } from './sandbox-preset.ts'
import type { SpecFrontendName } from './spec.ts'

/** The options of a job with `sandbox`, and the preset's mounts, which precede the caller's mounts. */
export interface Sandboxed {
  options: RunOptions
  mounts: Mount[]
  /** Keys in `limits` whose values come from the preset. */
  limits: ReadonlySet<string>
}

type Nested = { [word: string]: unknown }

/**
 * Returns the options that the caller gave in and next to `sandbox`; those next to it take precedence. Returns
 * undefined if the job is not a sandbox.
 *
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

/**
 * Adds the options of the sandbox preset to those that the caller gave. `fileOf` returns the kernel file for a key of
 * `limits`.
 *
 * @throws OPTION_INVALID
 */
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
  // leave out limits with the value `max`, so that they do not require their controller
  const wanted = Object.entries(words).filter(([word, value]) => value !== 'max' || word.includes('.'))
  return {
    options: {
      ...options,
      ...requested,
      // even if the caller drops single capabilities, the preset drops ALL
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
      // v1 cannot limit swap without a limit on memory
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

/** Returns true if the sandbox keeps the host's name, because the caller requested no new uts namespace. */
export function isNamedByHost({ isolate }: RunOptions): boolean {
  return Array.isArray(isolate) && !/all|uts/.test(isolate.join())
}

function limitsOf({ limits }: RunOptions): Nested {
  return typeof limits === 'object' && limits !== null ? (limits as Nested) : {}
}

/**
 * Returns the preset's mounts. They begin with an empty root directory. If the caller gives `rootfs`, returns only the
 * mounts that are not taken from the host.
 */
function presetMounts(requested: RunOptions, frontend: SpecFrontendName): Mount[] {
  return [...knownMounts[frontend][requested.rootfs === undefined ? 'host' : 'rootfs']()]
}

/** The preset's mounts, by front end and kind of root: parsing them takes half of the time of all options. */
const knownMounts: { [frontend in SpecFrontendName]: { [root in 'host' | 'rootfs']: () => readonly Mount[] } } = {
  cli: { host: prepared(() => parsePreset(true, 'cli')), rootfs: prepared(() => parsePreset(false, 'cli')) },
  library: {
    host: prepared(() => parsePreset(true, 'library')),
    rootfs: prepared(() => parsePreset(false, 'library')),
  },
}

function parsePreset(own: boolean, frontend: SpecFrontendName): Mount[] {
  const reads = sandboxReads.map(([directory]) => ({ volume: `${directory}:${directory}:ro` }))
  const mounts = sandboxPreset.flatMap(([option, value]) => (option === 'mounts' ? [value] : []))
  const origin = optionName('sandbox', frontend)
  return parseMounts([...(own ? [{ tmpfs: '/:mode=755' }, ...reads] : []), ...mounts], frontend).map((mount) =>
    Object.freeze({ ...mount, origin, ...(mount.type === 'bind' && { ifThere: true }) }),
  )
}

/** Returns mounts that hide the host's name in files of /etc. A file is left out if the caller mounts something on it. */
export function hideHostName(
  hostname: string,
  preset: Mount[],
  named: Mount[],
  frontend: SpecFrontendName,
): { masked?: MaskedPath[]; texts?: Root['texts'] } {
  if (!preset.some((mount) => mount.target === '/etc')) return {}
  const origin = optionName('sandbox', frontend)
  const { path, text } = sandboxHosts
  const free = (target: string) => !named.some((mount) => mount.target === target)
  return {
    masked: sandboxHides.filter(free).map((hidden) => ({ path: hidden, origin })),
    texts: free(path) ? [{ target: path, text: text(hostname), origin }] : [],
  }
}
