// SPDX-License-Identifier: Apache-2.0
// Finds the precompiled seccomp filters of hutch's own profiles, by machine and capabilities. Pure.
import { compiled } from './builtin-filters.generated.ts'
import type { SeccompFilter } from './profile.ts'

/** Names of hutch's own seccomp profiles. */
const ownProfiles = ['default', 'strict'] as const

/**
 * The precompiled filters. `default` depends on capabilities, and is compiled for two sets: none, and those that root
 * keeps in a separate root directory.
 */
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

/** The machine for each of Node's names of processors. */
export const machineOfNode: { readonly [arch: string]: string } = { x64: 'x86_64', arm64: 'aarch64' }

const relevant = variants.defaultRoot!.capabilities

/**
 * Returns the precompiled filter of a profile. Returns undefined if it was not compiled for this machine or set of
 * capabilities.
 */
export function findCompiled(
  profile: string,
  machine: string,
  capabilities: readonly number[],
): SeccompFilter | undefined {
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

/** Decodes the words of a filter: little-endian, as in the processors of these filters, in base64. */
function decodeWords(text: string): number[] {
  const { buffer } = new Uint8Array(Buffer.from(text, 'base64'))
  return [...new Uint32Array(buffer)]
}
