// SPDX-License-Identifier: Apache-2.0
// The filters of hutch's own profiles, compiled beforehand, by machine and by what a command may keep.
import { compiled } from './builtin-filters.generated.ts'
import type { Filter } from './profile.ts'

/** Names of profiles that come with hutch. */
export const ownProfiles = ['default', 'strict'] as const

/** The capabilities that `default` makes a difference for: none of them, and those that root in a root of its own keeps. */
export const variants: { readonly [name: string]: { profile: (typeof ownProfiles)[number]; capabilities: number[] } } =
  {
    strict: { profile: 'strict', capabilities: [] },
    default: { profile: 'default', capabilities: [] },
    defaultChroot: { profile: 'default', capabilities: [18] },
    defaultRoot: {
      profile: 'default',
      capabilities: [2, 16, 17, 18, 20, 21, 22, 23, 25, 26, 34, 38, 39],
    },
  }

/** Machines by Node's word for a processor. */
export const machineOfNode: { readonly [arch: string]: string } = { x64: 'x86_64', arm64: 'aarch64' }

const relevant = variants.defaultRoot!.capabilities

/** The filter, when it is one that was compiled. */
export function findCompiled(profile: string, machine: string, capabilities: readonly number[]): Filter | undefined {
  const kept = profile === 'strict' ? [] : relevant.filter((number) => capabilities.includes(number))
  const name = Object.keys(variants).find(
    (key) => variants[key]!.profile === profile && variants[key]!.capabilities.join() === kept.join(),
  )
  const text = name === undefined ? undefined : compiled[machine]?.[name]
  if (text === undefined) return undefined
  const words = decoded.get(text) ?? decodeWords(text)
  decoded.set(text, words)
  return { words, flags: 0 }
}

const decoded = new Map<string, number[]>()

/** Little-endian words in base64. */
function decodeWords(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i))
}
